"""Help in the chat: tickets opened and written in, the agent's answers, ratings, and what nobody understood."""

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image

from store import media
from store.clock import SetClock
from store.media import File
from store.staff import Member
from support import delivery, handling, messages, ratings, thread, tickets
from support.tickets import Ticket
from tests.botapi.people import Person
from tests.chatting import (
    agent,
    customer_of,
    give_points,
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
from tests.running import Running, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOT_UNDERSTOOD = "Mình chưa hiểu ý bạn lắm. Để mình nhờ nhân viên trả lời bạn nhé?"


def png(colour: str = "red", size: tuple[int, int] = (60, 40)) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", size, colour).save(content, "PNG")
    return content.getvalue()


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


async def only_ticket(shop: Running, person: Person) -> Ticket:
    (found,) = await tickets_of(shop, (await customer_of(shop, person)).id)
    return found


async def thread_of_person(shop: Running, person: Person, minh: Member) -> list[thread.Message]:
    return await thread_of(shop, (await only_ticket(shop, person)).id, minh)


async def in_ticket(shop: Running, person: Person, text: str = "cho hỏi giờ mở cửa") -> int:
    await say(shop, person, "/support")
    await say(shop, person, text)
    return (await only_ticket(shop, person)).id


# ── Opening ─────────────────────────────────────────────────────────────────────────────────────────


SENT = {
    "text": {"text": "cho mình hỏi giờ mở cửa"},
    "command-like": {"text": "điểm của mình sao lạ vậy"},
    "long": {"text": "dài " * 1024},
    "location": {"location": {"latitude": 10.7769, "longitude": 106.7009}},
    "venue": {"venue": {"location": {"latitude": 10.7, "longitude": 106.7}, "title": "Chợ", "address": "Q1"}},
    "contact": {"contact": {"phone_number": "84903", "first_name": "Bà Tư"}},
    "poll": {
        "poll": {
            "id": "1", "question": "Trà hay cà phê?", "total_voter_count": 0, "is_closed": False, "is_anonymous": True,
            "type": "regular", "allows_multiple_answers": False, "allows_revoting": False, "members_only": False,
            "options": [{"text": "Trà", "voter_count": 0, "persistent_id": "1"},
                        {"text": "Cà phê", "voter_count": 0, "persistent_id": "2"}],
        }
    },
    "dice": {"dice": {"emoji": "🎲", "value": 4}},
}  # fmt: skip
SHOWN = {
    "poll": "Trà hay cà phê?\n– Trà\n– Cà phê", "dice": "🎲 4", "contact": "Bà Tư 84903",
    "long": ("dài " * 1024).strip(),
}  # fmt: skip


@pytest.mark.parametrize("kind", SENT)
@pytest.mark.parametrize("topic", [None, "Đơn hàng"])
async def test_whatever_comes_after_support_opens_the_ticket(
    shop: Running, lan: Person, minh: Member, kind: str, topic: str | None
) -> None:
    (question,) = await say(shop, lan, "/support")
    assert question == "Bạn cần hỗ trợ chuyện gì ạ? Chọn một mục, hoặc cứ nhắn luôn, kèm ảnh nếu tiện."
    if topic:
        await tap(shop, lan, topic)
        assert lan.texts[-1] == "Đơn hàng. Bạn kể rõ giúp mình nhé, kèm ảnh thì càng tốt."
    before = len(lan.inbox)
    await lan._say(dict(SENT[kind]))
    await quiet(shop)
    ticket = await only_ticket(shop, lan)
    assert lan.texts[before:] == [f"Mình đã nhận được yêu cầu #{ticket.id}. Nhân viên sẽ trả lời bạn ngay tại đây."]
    assert ticket.topic == ("order" if topic else "other")
    (message,) = await thread_of(shop, ticket.id, minh)
    assert message.text == SHOWN.get(kind, SENT[kind].get("text", "")).strip()
    if kind == "location":
        assert message.location == {"lat": 10.7769, "lon": 106.7009}
    if kind == "venue":
        assert message.location["name"] == "Chợ, Q1"


@pytest.mark.parametrize("kind", ["photo", "voice", "document", "sticker", "video", "video_note"])
async def test_files_open_the_ticket_and_arrive_at_the_desk(
    shop: Running, lan: Person, minh: Member, kind: str
) -> None:
    await say(shop, lan, "/support")
    content = png() if kind in {"photo", "sticker"} else b"bytes of a " + kind.encode()
    if kind == "video_note":
        stored = shop.api.world.files.keep("video", content, "note.mp4", "video/mp4").content()
        note = {
            "video_note": {**{key: stored[key] for key in ("file_id", "file_unique_id")}, "length": 240, "duration": 3}
        }
        await lan._say(note)
    else:
        await getattr(lan, f"send_{kind}")(content)
    await quiet(shop)
    ticket = await only_ticket(shop, lan)
    async with asyncio.timeout(5):
        while (file := (await thread_of(shop, ticket.id, minh))[0].files[0]).state != "stored":
            await asyncio.sleep(0.02)
    assert file.kind == ("video" if kind == "video_note" else kind)
    found, _ = await shop.store.read(messages.content_of, file.id, minh)
    assert found.content == content
    assert "đã nhận được yêu cầu" in lan.texts[-1]


async def test_an_album_opens_one_ticket_and_is_confirmed_once(shop: Running, lan: Person, minh: Member) -> None:
    await say(shop, lan, "/support")
    before = len(lan.inbox)
    await lan.send_album([png("red"), (png("green"), "hai ly này"), png("blue")])
    await quiet(shop)
    assert len(lan.texts[before:]) == 1
    found = await thread_of_person(shop, lan, minh)
    assert [len(message.files) for message in found] == [1, 1, 1]
    assert {message.text for message in found} == {"", "hai ly này"}
    assert len({message.group_id for message in found}) == 1


async def test_what_follows_joins_in_silence_commands_work_and_edits_arrive(
    shop: Running, lan: Person, minh: Member
) -> None:
    await give_points(shop, lan, 15)
    number = await in_ticket(shop, lan)
    assert await say(shop, lan, "tôi còn bao nhiêu điểm") == []
    assert await say(shop, lan, "0903 123 456") == []
    message = await lan.send("ly bi vo")
    await lan.send_photo(png())
    await lan.share_contact("84903000111", lan.id + 1)
    await quiet(shop)
    assert (await say(shop, lan, "/points"))[0].startswith("Bạn đang có 15 điểm")
    assert (await say(shop, lan, "Menu"))[0] == "Bạn cần mình giúp gì ạ?"
    assert (await say(shop, lan, "/support"))[0] == (f"Yêu cầu #{number} đang mở: bạn cứ nhắn tại đây, mình đọc ngay.")
    await lan.edit(message, "ly bị vỡ <b>hết</b>")
    await quiet(shop)
    found = await thread_of(shop, number, minh)
    assert [one.text for one in found] == [
        "cho hỏi giờ mở cửa", "tôi còn bao nhiêu điểm", "0903 123 456", "ly bị vỡ <b>hết</b>", "", "Lan 84903000111",
    ]  # fmt: skip
    assert found[3].history[0]["text"] == "ly bi vo"


async def test_a_command_in_between_does_not_end_the_question(shop: Running, lan: Person) -> None:
    await say(shop, lan, "/support")
    await say(shop, lan, "/points")
    assert "đã nhận được yêu cầu" in (await say(shop, lan, "cho hỏi giờ mở cửa"))[0]


async def test_a_question_asked_long_ago_is_not_answered_by_chance(shop: Running, lan: Person, clock: SetClock) -> None:
    await say(shop, lan, "/support")
    clock.advance(timedelta(days=2))
    assert (await say(shop, lan, "diem cua toi"))[0].startswith("Bạn đang có 0 điểm")


async def test_the_menu_leaves_the_question(shop: Running, lan: Person) -> None:
    await say(shop, lan, "/support")
    await say(shop, lan, "/menu")
    assert (await say(shop, lan, "diem cua toi"))[0].startswith("Bạn đang có 0 điểm")


async def test_ones_own_contact_after_support_does_both(shop: Running, lan: Person, minh: Member) -> None:
    await say(shop, lan, "/support")
    before = len(lan.inbox)
    await lan.share_contact("84904000222")
    await quiet(shop)
    confirmed, opened = lan.texts[before:]
    assert confirmed == "Cảm ơn bạn! Số 0904 000 222 đã được xác nhận."
    assert "đã nhận được yêu cầu" in opened
    assert [message.text for message in await thread_of_person(shop, lan, minh)] == ["Lan 84904000222"]


async def test_what_cannot_be_kept_opens_nothing(shop: Running, lan: Person) -> None:
    await say(shop, lan, "/support")
    before = len(lan.inbox)
    await lan._say({"story": {"id": 1, "chat": {"id": 5, "type": "private"}}})
    await quiet(shop)
    assert lan.texts[before:] == ["Mình chưa mở được loại tin này. Bạn tả bằng lời hoặc gửi ảnh giúp mình nhé."]
    assert await tickets_of(shop, (await customer_of(shop, lan)).id) == []


async def test_what_telegram_writes_by_itself_gets_no_answer(shop: Running, lan: Person) -> None:
    before = len(lan.inbox)
    await lan._say({"message_auto_delete_timer_changed": {"message_auto_delete_time": 86400}})
    await lan._say(
        {
            "chat_background_set": {
                "type": {"type": "fill", "fill": {"type": "solid", "color": 1}, "dark_theme_dimming": 0}
            }
        }
    )
    await quiet(shop)
    assert lan.texts[before:] == []


# ── Free words ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("text", ["đổi điểm xong ly bị vỡ, bực quá", "ly bi vo roi shop oi", "my order arrived broken"])
async def test_a_complaint_opens_a_ticket_and_is_never_answered_with_points(
    shop: Running, lan: Person, text: str
) -> None:
    (answer,) = await say(shop, lan, text)
    ticket = await only_ticket(shop, lan)
    assert answer.startswith(f"Thành thật xin lỗi bạn Lan. Mình đã ghi nhận khiếu nại #{ticket.id}")
    assert (ticket.topic, ticket.subject) == ("complaint", text)


@pytest.mark.parametrize(
    ("said", "begins"),
    [
        ("hello shop", "Mình chào bạn Lan ạ! Bạn cần mình giúp gì?"),
        ("cảm ơn nhiều nha", "Dạ không có gì ạ. Hẹn gặp bạn ở Phố Cafe nhé!"),
        ("xem the thanh vien", "Bạn đưa thẻ này ở quầy"),
        ("voucher của tôi", "Bạn chưa có voucher nào."),
        ("đổi quà", "Hiện chưa có quà"),
        ("gioi thieu ban be", "Bạn gửi cho người quen nhé."),
        ("gặp nhân viên", "Bạn cần hỗ trợ chuyện gì ạ?"),
        ("/abc", "Mình chưa biết lệnh này. Đây là mọi thứ mình giúp được:"),
        ("/help", "Bạn có thể bấm nút, gõ lệnh, hoặc cứ nhắn điều bạn cần:"),
        ("change language to english", "Bạn muốn dùng ngôn ngữ nào ạ?"),
    ],
)
async def test_free_words_are_understood(shop: Running, lan: Person, said: str, begins: str) -> None:
    (answer,) = await say(shop, lan, said)
    assert answer.startswith(begins)


async def test_every_command_has_a_button_in_the_menu(shop: Running, lan: Person) -> None:
    await say(shop, lan, "/menu")
    menu = last_with_buttons(lan)
    assert labels(menu) == [
        "Điểm", "Thẻ", "Voucher", "Đổi quà", "Mời bạn", "Hỗ trợ", "Yêu cầu", "Ngôn ngữ", "Riêng tư", "Trợ giúp",
    ]  # fmt: skip
    for label in labels(menu):
        assert await tap(shop, lan, label, menu), label


async def test_what_is_not_understood_goes_to_a_colleague_with_one_tap(
    shop: Running, lan: Person, minh: Member
) -> None:
    assert await say(shop, lan, "xyzzy plugh") == [NOT_UNDERSTOOD]
    first = last_with_buttons(lan)
    message = await lan.send("qwerty")
    await lan.send_photo(png(), "cái này nè")
    await quiet(shop)
    assert lan.texts[-1] == "Mình đã nhận được. Để mình nhờ nhân viên xem giúp bạn nhé?"
    await lan.edit(message, "qwerty sửa")
    await quiet(shop)
    assert await tickets_of(shop, (await customer_of(shop, lan)).id) == []
    await tap(shop, lan, "Gửi cho nhân viên")
    assert "đã nhận được yêu cầu" in lan.texts[-1]
    found = await thread_of_person(shop, lan, minh)
    assert [one.text for one in found] == ["xyzzy plugh", "qwerty sửa", "cái này nè"]
    assert [len(one.files) for one in found] == [0, 0, 1]
    again = await lan.tap(first, "Gửi cho nhân viên")
    assert again.answer["text"] == "Bạn cứ nhắn tại đây, mình đọc ngay."
    assert len(await thread_of_person(shop, lan, minh)) == 3


async def test_an_album_nobody_understood_is_asked_about_once(shop: Running, lan: Person, minh: Member) -> None:
    before = len(lan.inbox)
    await lan.send_album([png("red"), png("green"), png("blue")])
    await quiet(shop)
    assert len(lan.texts[before:]) == 1
    await tap(shop, lan, "Gửi cho nhân viên")
    assert len(await thread_of_person(shop, lan, minh)) == 3


async def test_an_album_whose_second_caption_complains_goes_whole(shop: Running, lan: Person, minh: Member) -> None:
    await lan.send_album([png("red"), (png("green"), "ly bị vỡ hết rồi")])
    await quiet(shop)
    found = await thread_of_person(shop, lan, minh)
    assert [len(one.files) for one in found] == [1, 1]
    assert (await only_ticket(shop, lan)).topic == "complaint"


# ── The agent's side, and the end ────────────────────────────────────────────────────────────────────


async def test_an_answer_with_a_picture_arrives_is_replied_to_and_the_end_is_rated(
    shop: Running, lan: Person, minh: Member
) -> None:
    number = await in_ticket(shop, lan, "ly bị vỡ")
    sha = await shop.store.write(media.keep, png("blue"), "image/png", 60, 40)
    picture = File("photo", "image/png", name="ly.png", sha=sha, width=60, height=40)
    await shop.store.write(
        messages.agent_says, number, minh, "Dạ em xin lỗi, <ly mới> & phần quà đây ạ", [picture], key="k1"
    )
    await quiet(shop)
    answer = lan.inbox[-1]
    assert answer["caption"] == "Dạ em xin lỗi, <ly mới> & phần quà đây ạ"
    assert answer["photo"]
    await lan.send("cảm ơn em", reply_to=answer)
    await quiet(shop)
    said = await thread_of(shop, number, minh)
    assert [(one.who, one.state) for one in said] == [("customer", None), ("agent", "sent"), ("customer", None)]
    assert said[2].reply_to == said[1].seq
    await shop.store.write(handling.resolve, number, minh)
    await quiet(shop)
    assert lan.texts[-1].startswith(f"Yêu cầu #{number} đã xử lý xong. Bạn thấy mình hỗ trợ thế nào ạ?")
    assert labels(lan.inbox[-1]) == ["5 ★", "4 ★", "3 ★", "2 ★", "1 ★"]
    question = lan.inbox[-1]
    await asyncio.gather(lan.tap(question, "5 ★"), lan.tap(question, "1 ★"))
    await quiet(shop)
    rating = await shop.store.read(ratings.of, number)
    assert rating is not None
    assert lan.texts[-1].startswith(f"{rating.stars} ★ Cảm ơn bạn")
    assert await say(shop, lan, "em Minh nhiệt tình lắm") == ["Mình đã chuyển lời rồi ạ. Cảm ơn bạn!"]
    assert (await shop.store.read(ratings.of, number)).comment == "em Minh nhiệt tình lắm"
    (listed,) = await say(shop, lan, "/tickets")
    assert listed.startswith(f"Yêu cầu của bạn:\n\n#{number} ly bị vỡ\nđã xong · ")


async def test_a_bad_rating_is_asked_about_and_a_command_is_no_comment(
    shop: Running, lan: Person, minh: Member
) -> None:
    number = await in_ticket(shop, lan)
    await shop.store.write(handling.resolve, number, minh)
    await quiet(shop)
    await tap(shop, lan, "2 ★")
    assert lan.texts[-1] == "2 ★ Cảm ơn bạn đã góp ý thẳng thắn. Mình cần làm tốt hơn điều gì ạ?"
    assert (await say(shop, lan, "diem cua toi"))[0].startswith("Bạn đang có 0 điểm")
    assert (await shop.store.read(ratings.of, number)).comment == ""
    assert await say(shop, lan, "chờ lâu quá, bực mình") != ["Mình đã chuyển lời rồi ạ. Cảm ơn bạn!"]


async def test_writing_after_the_end_opens_the_request_again(
    shop: Running, lan: Person, minh: Member, clock: SetClock
) -> None:
    number = await in_ticket(shop, lan)
    await shop.store.write(handling.resolve, number, minh)
    await quiet(shop)
    await tap(shop, lan, "5 ★")
    await lan.send_photo(png())
    await quiet(shop)
    assert lan.texts[-1] == f"Yêu cầu #{number} đã được mở lại. Nhân viên sẽ trả lời bạn ngay tại đây."
    await shop.store.write(handling.resolve, number, minh)
    await quiet(shop)
    assert lan.texts[-1] == f"Yêu cầu #{number} đã xử lý xong. Nếu còn gì chưa ổn, bạn cứ nhắn ngay tại đây."
    assert "reply_markup" not in lan.inbox[-1]
    clock.advance(timedelta(days=8))
    await say(shop, lan, "/support")
    await say(shop, lan, "chuyện khác")
    assert len(await tickets_of(shop, (await customer_of(shop, lan)).id)) == 2


async def test_nobody_rates_anothers_ticket(shop: Running, lan: Person, minh: Member) -> None:
    number = await in_ticket(shop, lan)
    huy = await settled_person(shop, first_name="Huy")
    other = await in_ticket(shop, huy)
    await shop.store.write(handling.resolve, other, minh)
    await quiet(shop)
    live = huy.chat.messages[huy.inbox[-1]["message_id"]]
    live["reply_markup"]["inline_keyboard"][0][0]["callback_data"] = f"rate:{number}:5"
    forged = await huy.tap(live, "5 ★")
    assert forged.answer["text"] == "Nút này không còn dùng được. Gõ /menu để bắt đầu lại nhé."
    assert await shop.store.read(ratings.of, number) is None


async def test_no_requests_yet(shop: Running, lan: Person) -> None:
    assert await say(shop, lan, "/tickets") == ["Bạn chưa có yêu cầu nào. Có gì chưa ổn, bạn cứ nhắn mình nhé."]
    assert labels(lan.inbox[-1]) == ["Hỗ trợ"]


async def test_who_blocked_us_is_not_written_to_until_they_are_back(shop: Running, lan: Person, minh: Member) -> None:
    number = await in_ticket(shop, lan)
    await lan.block()
    await quiet(shop)
    before = len(lan.inbox)
    lost = await shop.store.write(messages.agent_says, number, minh, "alo", key="k1")
    await quiet(shop)
    said = {one.id: one for one in await thread_of(shop, number, minh)}
    assert (said[lost].state, said[lost].reason) == ("failed", "no messenger")
    assert len(lan.inbox) == before
    assert await say(shop, lan, "mình quay lại rồi") == []
    await shop.store.write(delivery.retry, lost, minh)
    await quiet(shop)
    assert lan.texts[-1] == "alo"


async def test_help_on_the_web_chat(shop: Running, minh: Member) -> None:
    async with visiting(shop) as visitor:
        await visitor.tap("Chị")
        assert (await visitor.say("/support"))[0].startswith("Chị cần hỗ trợ chuyện gì ạ?")
        await visitor.tap("Sản phẩm")
        status, _ = await visitor.post_files(
            ("a.png", png("red"), "image/png"), ("b.png", png("blue"), "image/png"), caption="hai ly này"
        )
        assert status == 200
        await visitor.caught_up()
        customer = await visitor.customer()
        (ticket,) = await tickets_of(shop, customer.id)
        assert visitor.texts[-1] == (f"Em đã nhận được yêu cầu #{ticket.id}. Nhân viên sẽ trả lời chị ngay tại đây.")
        assert sum("đã nhận được" in text for text in visitor.texts) == 1
        found = await thread_of(shop, ticket.id, minh)
        assert [len(one.files) for one in found] == [1, 1]
        assert [one.text for one in found] == ["hai ly này", ""]
        content, _ = await shop.store.read(messages.content_of, found[0].files[0].id, minh)
        assert content.content == png("red")
        sha = await shop.store.write(media.keep, png("green"), "image/png", 60, 40)
        answer = File("photo", "image/png", name="moi.png", sha=sha, width=60, height=40)
        await shop.store.write(messages.agent_says, ticket.id, minh, "Dạ đây ạ <3", [answer], key="k")
        await visitor.caught_up()
        shown = visitor.shown[-1]
        assert (shown["text"], shown["html"]) == ("Dạ đây ạ <3", None)
        assert (await visitor.get(shown["media"][0]["url"])) == (200, png("green"))
        assert await visitor.say("em cảm ơn") == []
        await shop.store.write(handling.resolve, ticket.id, minh)
        await visitor.caught_up()
        await visitor.tap("2 ★")
        assert visitor.texts[-1] == "2 ★ Cảm ơn chị đã góp ý thẳng thắn. Em cần làm tốt hơn điều gì ạ?"
        assert await visitor.say("giao nhanh hơn") == ["Em đã chuyển lời rồi ạ. Cảm ơn chị!"]


async def test_the_whole_of_a_ticket_on_postgres(postgres_url: str) -> None:
    async with running(postgres_url, webhook=True) as shop:
        minh = await agent(shop)
        lan = await settled_person(shop)
        await say(shop, lan, "/support")
        await lan.send_album([png("red"), (png("green"), "ly bị vỡ\u0000")])
        await lan.send("dài " * 1024)
        await quiet(shop)
        number = (await only_ticket(shop, lan)).id
        assert [one.text for one in await thread_of(shop, number, minh)][1:] == ["ly bị vỡ", ("dài " * 1024).strip()]
        await shop.store.write(messages.agent_says, number, minh, "Dạ", key="k")
        await shop.store.write(handling.resolve, number, minh)
        await quiet(shop)
        await asyncio.gather(*(lan.tap(last_with_buttons(lan), f"{stars} ★") for stars in (5, 4, 3)))
        await quiet(shop)
        assert (await shop.store.read(ratings.of, number)) is not None
        assert (await shop.store.read(tickets.get, number)).state == "resolved"
        await nothing_went_wrong(shop)
