"""Articles in the chat: a question is answered once; "no" brings it to a colleague and the bot stays out of that case."""

import copy
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import sqlalchemy as sa

from store import staff
from store.clock import SetClock
from store.staff import Member, Role
from support import handling, privacy
from support.answers import articles, asking
from support.answers.articles import Wording
from tests.botapi.people import Person
from tests.chatting import (
    agent,
    customer_of,
    labels,
    last_with_buttons,
    nothing_went_wrong,
    open_shop,
    quiet,
    say,
    settled_person,
    tap,
    thread_of,
    tickets_of,
    visiting,
)
from tests.conftest import NOON
from tests.running import Running

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASK = "Vậy đã đúng điều bạn cần chưa ạ?"
HOURS = f"Giờ mở cửa\n\nMở 7:00 đến 22:30 mỗi ngày.\n\n{ASK}"
YES, NO = "Đúng rồi, cảm ơn", "Chưa, hỏi nhân viên"
NOT_UNDERSTOOD = "Mình chưa hiểu ý bạn lắm. Để mình nhờ nhân viên trả lời bạn nhé?"


@pytest.fixture(scope="module")
def clock() -> SetClock:
    return SetClock(NOON)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, clock: SetClock
) -> AsyncIterator[Running]:
    async with open_shop(sqlite_template, tmp_path_factory.mktemp("shop"), clock) as started:
        owner = await started.store.read(staff.get, await started.store.write(staff.add, "Chủ", Role.OWNER, None))
        for wording in (
            Wording(
                {"vi": "Giờ mở cửa", "en": "Opening hours"},
                {"vi": "Mở **7:00** đến **22:30** mỗi ngày.", "en": "We open from **7:00** to **22:30**."},
                ("quán đóng cửa lúc mấy giờ", "what time do you open"),
            ),
            Wording({"vi": "Mật khẩu Wi-Fi"}, {"vi": "Mạng PhoCafe, mật khẩu `caphengon`."}),
            Wording({"vi": "Đổi trả hàng"}, {"vi": "Trong 7 ngày."}, ("hàng bị vỡ thì đổi thế nào",)),
        ):
            await started.store.write(articles.create, started.shop_id, wording, owner, publish=True)
        await started.store.write(
            articles.create, started.shop_id, Wording({"vi": "Chỗ gửi xe"}, {"vi": "chưa xong"}), owner
        )
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


async def noted(shop: Running, person: Person) -> list[tuple[str, bool, bool | None, bool]]:
    """(text, found an article, helped, has a ticket) of what a person asked."""
    customer = await customer_of(shop, person)
    q = asking.questions.c
    rows = await shop.store.read(
        lambda s: s.execute(
            sa.select(q.text, q.article_id, q.helped, q.ticket_id).where(q.customer_id == customer.id)
        ).all()
    )
    return [(row.text, row.article_id is not None, row.helped, row.ticket_id is not None) for row in rows]


async def test_a_question_is_answered_and_helps(shop: Running, lan: Person) -> None:
    assert await say(shop, lan, "mấy giờ quán mở cửa vậy") == [HOURS]
    assert labels(last_with_buttons(lan)) == [YES, NO]
    assert await tap(shop, lan, YES) == []
    assert not lan.inbox[-1].get("reply_markup", {}).get("inline_keyboard")
    assert await noted(shop, lan) == [("mấy giờ quán mở cửa vậy", True, True, False)]
    assert await tickets_of(shop, (await customer_of(shop, lan)).id) == []


async def test_no_goes_on_to_a_ticket_with_what_was_asked_and_asks_no_more(
    shop: Running, lan: Person, minh: Member
) -> None:
    await say(shop, lan, "gio mo cua")
    question = last_with_buttons(lan)
    buttons = copy.deepcopy(question["reply_markup"])
    (told,) = await tap(shop, lan, NO)
    (ticket,) = await tickets_of(shop, (await customer_of(shop, lan)).id)
    assert told == f"Mình đã nhận được yêu cầu #{ticket.id}. Nhân viên sẽ trả lời bạn ngay tại đây."
    assert [message.text for message in await thread_of(shop, ticket.id, minh)] == ["gio mo cua"]
    assert await noted(shop, lan) == [("gio mo cua", True, False, True)]
    # A second tap, from a phone that was slow, changes nothing.
    question["reply_markup"] = buttons
    assert await tap(shop, lan, YES, question) == []
    assert (await noted(shop, lan))[0][2] is False
    # While it is open everything joins it.
    assert await say(shop, lan, "mật khẩu wifi là gì") == []
    assert [message.text for message in await thread_of(shop, ticket.id, minh)] == ["gio mo cua", "mật khẩu wifi là gì"]
    # Solved but not yet closed it is still the colleague's case.
    await shop.store.write(handling.resolve, ticket.id, minh)
    await quiet(shop)
    assert (await say(shop, lan, "mật khẩu wifi là gì"))[-1] == NOT_UNDERSTOOD
    await shop.store.write(handling.close, ticket.id, minh)
    assert (await say(shop, lan, "mật khẩu wifi là gì"))[-1].startswith("Mật khẩu Wi-Fi")


@pytest.mark.parametrize(("word", "helped"), [("không", False), ("chưa ạ", False), ("rồi", True), ("Ok!", True)])
async def test_a_bare_word_is_the_answer_too(shop: Running, lan: Person, word: str, helped: bool) -> None:
    await say(shop, lan, "cho xin pass wifi")
    (told,) = await say(shop, lan, word)
    assert told.startswith("Vui vì giúp được bạn!" if helped else "Mình đã nhận được yêu cầu #")
    assert [row[1:] for row in await noted(shop, lan)] == [(True, helped, not helped)]
    # Said again it means nothing special.
    await say(shop, lan, word)
    assert len(await noted(shop, lan)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "hàng bị vỡ rồi, đổi trả thế nào đây",
        "giao hàng sai mà không ai trả lời, mấy giờ mở cửa để tôi tới",
        "wifi quán tệ quá, mật khẩu là gì",
    ],
)
async def test_a_complaint_is_never_answered_by_an_article(shop: Running, lan: Person, text: str) -> None:
    assert ASK not in " ".join(await say(shop, lan, text))
    assert await noted(shop, lan) == []
    (ticket,) = await tickets_of(shop, (await customer_of(shop, lan)).id)
    assert ticket.topic == "complaint"


async def test_commands_in_free_words_come_first(shop: Running, lan: Person) -> None:
    (told,) = await say(shop, lan, "tôi còn bao nhiêu điểm")
    assert "điểm" in told
    assert await noted(shop, lan) == []


async def test_what_finds_nothing_is_offered_to_a_colleague_and_noted(shop: Running, lan: Person) -> None:
    for text in ("chỗ gửi xe hơi ở đâu", "quán có phòng họp không"):
        assert await say(shop, lan, text) == [NOT_UNDERSTOOD]
    assert await say(shop, lan, "hôm nay trời đẹp ghê mình ngồi ngắm mưa rơi ngoài hiên nhớ nhà") == [NOT_UNDERSTOOD]
    assert await noted(shop, lan) == [
        ("chỗ gửi xe hơi ở đâu", False, None, False), ("quán có phòng họp không", False, None, False),
    ]  # fmt: skip
    gaps = await shop.store.read(asking.gaps, shop.shop_id)
    assert {"chỗ gửi xe hơi ở đâu", "quán có phòng họp không"} <= {gap.text for gap in gaps}


async def test_after_support_the_next_words_open_a_ticket(shop: Running, lan: Person) -> None:
    await say(shop, lan, "/support")
    (told,) = await say(shop, lan, "mấy giờ mở cửa")
    assert told.startswith("Mình đã nhận được yêu cầu #")
    assert await noted(shop, lan) == []


async def test_the_answer_is_in_the_language_spoken(shop: Running) -> None:
    joe = await settled_person(shop, first_name="Joe", language_code="en")
    (told,) = await say(shop, joe, "what time do you open?")
    assert told == "Opening hours\n\nWe open from 7:00 to 22:30.\n\nDid this help?"
    (told,) = await say(shop, joe, "mat khau wifi")
    assert "caphengon" in told


async def test_somebody_elses_question_is_nobodys_button(shop: Running, lan: Person) -> None:
    await say(shop, lan, "mấy giờ mở cửa")
    other = await settled_person(shop)
    await say(shop, other, "mật khẩu wifi")
    forged = last_with_buttons(other)
    mine = last_with_buttons(lan)["reply_markup"]["inline_keyboard"]
    forged["reply_markup"]["inline_keyboard"] = mine
    await tap(shop, other, NO, forged)
    assert await tickets_of(shop, (await customer_of(shop, other)).id) == []
    assert [row[2] for row in await noted(shop, lan)] == [None]


async def test_in_the_web_chat_too(shop: Running) -> None:
    async with visiting(shop) as visitor:
        (told,) = await visitor.say("mật khẩu wifi")
        assert told.startswith("Mật khẩu Wi-Fi")
        told = await visitor.tap(NO)
        assert told[-1].startswith("Mình đã nhận được yêu cầu #")
        customer = await visitor.customer()
        told_of = await shop.store.read(privacy.export, customer.id)
        assert [(one["text"], one["helped"]) for one in told_of["questions"]] == [("mật khẩu wifi", False)]
        await shop.store.write(privacy.erase, customer.id, "cli")
        assert await shop.store.read(asking.record, customer.id) == []
