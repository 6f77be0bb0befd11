"""What becomes of messages after they were said, on Telegram and on the web chat: edits, reactions, quotes, deletions, and
another try of what did not arrive.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa

from store import media
from store.clock import SetClock
from store.errors import ForbiddenError, InvalidError, NotFoundError
from store.media import File
from store.staff import Member
from support import changes, delivery, handling, messages, thread, tickets
from tests.botapi.faults import Fault
from tests.botapi.people import Person
from tests.chatting import (
    agent,
    customer_of,
    nothing_went_wrong,
    open_shop,
    quiet,
    say,
    settled_person,
    thread_of,
    tickets_of,
    visiting,
)
from tests.conftest import NOON
from tests.running import Running
from tests.test_chat_help import png

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def clock() -> SetClock:
    return SetClock(NOON)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, clock: SetClock
) -> AsyncIterator[Running]:
    async with open_shop(sqlite_template, tmp_path_factory.mktemp("shop"), clock) as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def minh(opened: Running) -> Member:
    return await agent(opened)


@pytest_asyncio.fixture(loop_scope="module")
async def shop(opened: Running) -> AsyncIterator[Running]:
    yield opened
    await nothing_went_wrong(opened)


@pytest_asyncio.fixture(loop_scope="module")
async def lan(shop: Running) -> Person:
    return await settled_person(shop)


async def in_ticket(shop: Running, person: Person, text: str) -> int:
    await say(shop, person, "/support")
    await say(shop, person, text)
    (found,) = await tickets_of(shop, (await customer_of(shop, person)).id)
    return found.id


async def answer(
    shop: Running, number: int, minh: Member, text: str, files: tuple[File, ...] = (), **values: Any
) -> int:
    said: int = await shop.store.write(messages.agent_says, number, minh, text, files, key=f"{number}:{text}", **values)
    await quiet(shop)
    return said


async def line(shop: Running, number: int, minh: Member, message_id: int) -> thread.Message:
    return next(one for one in await thread_of(shop, number, minh) if one.id == message_id)


async def picture(shop: Running) -> File:
    sha = await shop.store.write(media.keep, png("blue"), "image/png", 60, 40)
    return File("photo", "image/png", name="ly.png", sha=sha, width=60, height=40)


def there(person: Person, message: dict[str, Any]) -> dict[str, Any] | None:
    """A message as it stands in the person's chat now; None once it was deleted."""
    return person.chat.messages.get(message["message_id"])


async def test_reactions_go_both_ways(shop: Running, lan: Person, minh: Member) -> None:
    number = await in_ticket(shop, lan, "shop dễ thương quá")
    said = await answer(shop, number, minh, "Dạ em cảm ơn chị")
    await lan.react(lan.inbox[-1], "❤", "🔥")
    await quiet(shop)
    assert (await line(shop, number, minh, said)).reactions == {"customer": ["❤", "🔥"]}
    await lan.react(lan.inbox[-1])
    await quiet(shop)
    assert (await line(shop, number, minh, said)).reactions == {}
    first = (await thread_of(shop, number, minh))[0]
    await shop.store.write(changes.agent_reacts, first.id, minh, "🙏")
    await quiet(shop)
    assert [one["emoji"] for all_ in lan.chat.reactions.values() for one in all_] == ["🙏"]
    await shop.store.write(changes.agent_reacts, first.id, minh, None)
    await quiet(shop)
    assert [one for all_ in lan.chat.reactions.values() for one in all_] == []
    with pytest.raises(InvalidError):
        await shop.store.write(changes.agent_reacts, first.id, minh, "💩")
    with pytest.raises(NotFoundError):
        await shop.store.write(changes.agent_reacts, said, minh, "👍")


async def test_reactions_go_both_ways_on_the_web_chat(shop: Running, minh: Member) -> None:
    async with visiting(shop) as visitor:
        await visitor.tap("Chị")
        await visitor.say("/support")
        await visitor.say("ly bị vỡ")
        (ticket,) = await tickets_of(shop, (await visitor.customer()).id)
        number = ticket.id
        said = await answer(shop, number, minh, "Dạ em xin lỗi chị")
        await visitor.caught_up()
        shown = next(one for one in visitor.bubbles.values() if one["text"] == "Dạ em xin lỗi chị")
        await visitor.post({"react": {"bubble": shown["id"], "emoji": "❤"}})
        await quiet(shop)
        assert (await line(shop, number, minh, said)).reactions == {"customer": ["❤"]}
        first = (await thread_of(shop, number, minh))[0]
        await shop.store.write(changes.agent_reacts, first.id, minh, "🙏")
        await quiet(shop)
        await visitor.caught_up()
        assert [one["text"] for one in visitor.bubbles.values() if one["reactions"] == {"shop": "🙏"}] == ["ly bị vỡ"]
        status, _ = await visitor.post({"react": {"bubble": shown["id"], "emoji": "💩"}})
        assert status == 422


async def test_an_answer_quotes_what_it_answers(shop: Running, lan: Person, minh: Member) -> None:
    number = await in_ticket(shop, lan, "giá bao nhiêu")
    await say(shop, lan, "mấy giờ mở cửa")
    asked = (await thread_of(shop, number, minh))[0]
    said = await answer(shop, number, minh, "50 nghìn ạ", reply_to=asked.seq)
    assert lan.inbox[-1]["reply_to_message"]["text"] == "giá bao nhiêu"
    assert (await line(shop, number, minh, said)).reply_to == asked.seq
    with pytest.raises(InvalidError):
        await shop.store.write(messages.agent_says, number, minh, "?", key="other", reply_to=999)


async def test_an_edit_reaches_the_customer_and_keeps_the_old_words(shop: Running, lan: Person, minh: Member) -> None:
    number = await in_ticket(shop, lan, "giá bao nhiêu")
    said = await answer(shop, number, minh, "50 nghìn")
    sent = lan.inbox[-1]
    await shop.store.write(changes.agent_edits, said, minh, "55 nghìn ạ")
    await quiet(shop)
    assert there(lan, sent)["text"] == "55 nghìn ạ"
    now = await line(shop, number, minh, said)
    assert (now.text, [old["text"] for old in now.history]) == ("55 nghìn ạ", ["50 nghìn"])
    assert (await shop.store.read(tickets.get, number)).preview["text"] == "55 nghìn ạ"
    shown = await answer(shop, number, minh, "ly mới đây", (await picture(shop),))
    await shop.store.write(changes.agent_edits, shown, minh, "ly mới đây ạ")
    await quiet(shop)
    assert there(lan, lan.inbox[-1])["caption"] == "ly mới đây ạ"
    for bad in ("", "x" * 4097):
        with pytest.raises(InvalidError):
            await shop.store.write(changes.agent_edits, said, minh, bad)
    with pytest.raises(InvalidError):
        await shop.store.write(changes.agent_edits, shown, minh, "x" * 1025)
    other = await agent(shop)
    with pytest.raises(ForbiddenError):
        await shop.store.write(changes.agent_edits, said, other, "của tôi")
    asked = (await thread_of(shop, number, minh))[0]
    with pytest.raises(NotFoundError):
        await shop.store.write(changes.agent_edits, asked.id, minh, "lời khách")


async def test_a_deleted_answer_leaves_the_customer_and_stays_with_us(shop: Running, lan: Person, minh: Member) -> None:
    number = await in_ticket(shop, lan, "giá bao nhiêu")
    long = "dài " * 300
    said = await answer(shop, number, minh, long, (await picture(shop),))
    two = lan.inbox[-2:]
    await shop.store.write(changes.agent_deletes, said, minh)
    await quiet(shop)
    assert [there(lan, one) for one in two] == [None, None]
    now = await line(shop, number, minh, said)
    assert now.deleted_at is not None
    assert now.text == long.strip()
    await shop.store.write(changes.agent_deletes, said, minh)
    await shop.store.write(delivery.retry, said, minh)
    audited = "SELECT count(*) FROM audit WHERE action = 'message_deleted' AND actor = :who"
    found = await shop.store.read(lambda s: s.execute(sa.text(audited), {"who": f"staff:{minh.id}"}).scalar())
    assert found == 1
    with pytest.raises(NotFoundError):
        await shop.store.write(changes.agent_edits, said, minh, "lại")


async def test_what_the_messenger_will_not_take_back_is_said(shop: Running, lan: Person, minh: Member) -> None:
    number = await in_ticket(shop, lan, "giá bao nhiêu")
    said = await answer(shop, number, minh, "50 nghìn")
    refusal = "message can't be deleted for everyone"
    shop.api.world.faults.add(Fault("error", "deleteMessage", text=refusal))
    await shop.store.write(changes.agent_deletes, said, minh)
    await quiet(shop)
    shop.api.refused.clear()
    assert (await line(shop, number, minh, said)).deleted_at is None
    found = await shop.store.read(thread.page, number, minh)
    last = [one for one in found if isinstance(one, thread.Happened)][-1]
    assert (last.kind, last.data["what"]) == ("not_changed", "deletion")


async def test_what_has_not_left_is_withdrawn_or_leaves_with_the_new_words(
    shop: Running, lan: Person, minh: Member
) -> None:
    number = await in_ticket(shop, lan, "giá bao nhiêu")
    before = len(lan.inbox)

    def say_and_think_again(session: Any) -> None:
        wrong = messages.agent_says(session, number, minh, "5 nghìn", key="wrong")
        changes.agent_edits(session, wrong, minh, "50 nghìn")
        never = messages.agent_says(session, number, minh, "nhầm khách", key="never")
        changes.agent_deletes(session, never, minh)

    await shop.store.write(say_and_think_again)
    await quiet(shop)
    assert lan.texts[before:] == ["50 nghìn"]


async def test_only_the_part_that_failed_is_sent_again(shop: Running, lan: Person, minh: Member) -> None:
    number = await in_ticket(shop, lan, "xem ảnh")
    shop.api.world.faults.add(Fault("error", "sendPhoto", text="PHOTO_INVALID_DIMENSIONS"))
    before = len(lan.inbox)
    long = "dài " * 300
    said = await answer(shop, number, minh, long, (await picture(shop),))
    shop.api.refused.clear()
    assert (await line(shop, number, minh, said)).state == "failed"
    await shop.store.write(delivery.retry, said, minh)
    await shop.store.write(delivery.retry, said, minh)
    await quiet(shop)
    assert (await line(shop, number, minh, said)).state == "sent"
    kinds = ["photo" if "photo" in one else "text" for one in lan.inbox[before:]]
    assert kinds == ["text", "photo"]


async def test_words_for_a_ticket_that_is_closed_in_that_moment_are_taken_in_again(
    shop: Running, lan: Person, minh: Member
) -> None:
    number = await in_ticket(shop, lan, "một")
    joined, closed = tickets.open_or_join, []

    def closed_meanwhile(session: Any, *args: Any, **values: Any) -> Any:
        found = joined(session, *args, **values)
        if not closed:
            closed.append(found.ticket.id)
            handling.close(session, number, minh)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tickets, "open_or_join", closed_meanwhile)
        await say(shop, lan, "hai")
    assert closed == [number]
    assert [one.text for one in await thread_of(shop, number, minh)] == ["một", "hai"]
