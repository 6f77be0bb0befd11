"""Arriving: the welcome, the language, how one is called, the phone, and what a link carries."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from loyalty.customers import claims, counter, customers, phones
from loyalty.points import points
from loyalty.referrals import referrals
from loyalty.vouchers import rewards, shared_codes, voucher_programs
from loyalty.vouchers.voucher_programs import Kind
from store import staff
from store.clock import SetClock
from store.staff import Role
from tests.chatting import (
    customer_of,
    e164,
    fresh_phone,
    give_points,
    labels,
    nothing_went_wrong,
    open_shop,
    put_order,
    quiet,
    say,
    settled_person,
    spaced,
    tap,
    visiting,
)
from tests.conftest import NOON
from tests.running import Running, running

LINKED = "Chào Minh Trần! Từ giờ tài khoản này được nhận là nhân viên của quán."


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


@pytest_asyncio.fixture(loop_scope="module")
async def shop(opened: Running) -> AsyncIterator[Running]:
    yield opened
    await nothing_went_wrong(opened)


# ── The first words ─────────────────────────────────────────────────────────────────────────────────


async def test_a_vietnamese_is_welcomed_asked_once_how_they_are_called_then_for_their_phone(shop: Running) -> None:
    lan = shop.api.user(first_name="Lan", last_name="Nguyễn Thị", language_code="vi")
    welcome, question = await say(shop, lan, "/start")
    assert welcome.startswith("Mình chào bạn Lan ạ! Mừng bạn đến với Phố Cafe.")
    assert question == "Mình xưng hô với bạn sao cho phải ạ?"
    assert labels(lan.inbox[-1]) == ["Bạn", "Anh", "Chị", "Cô", "Chú"]
    (asked,) = await tap(shop, lan, "Cô")
    assert lan.texts[-2] == "Dạ cô Lan, rất vui được phục vụ cô!"
    assert asked.startswith("Cô bấm “Chia sẻ số điện thoại” bên dưới")
    assert (await customer_of(shop, lan)).address == "co"
    again = await say(shop, lan, "/start")
    assert again[0].startswith("Cháu chào cô Lan ạ!")
    assert not any("xưng hô" in text for text in again)
    (menu,) = await say(shop, lan, "/menu")
    assert menu == "Cô cần cháu giúp gì ạ?"


async def test_an_english_client_is_spoken_to_in_english(shop: Running) -> None:
    ann = shop.api.user(first_name="Ann", last_name="Lee", language_code="en-GB")
    welcome, phone = await say(shop, ann, "/start")
    assert welcome.startswith("Hello Ann! Welcome to Phố Cafe.")
    assert phone.startswith("One tap on “Share my number” below")
    assert (await customer_of(shop, ann)).name == "Ann Lee"
    assert (await say(shop, ann, "how many points do I have"))[0].startswith("You have 0 points, tier Thành viên.")


async def test_a_visitor_without_a_name_is_welcomed_in_their_browsers_language(shop: Running) -> None:
    async with visiting(shop) as visitor:
        assert visitor.texts[0].startswith("Mình chào bạn ạ! Mừng bạn đến với Phố Cafe.")
        (changed, asked) = await visitor.tap("Anh")
        assert changed == "Dạ anh, rất vui được phục vụ anh!"
        assert asked.startswith("Anh nhắn số điện thoại vào đây")
    async with visiting(shop, language="en-US,en") as visitor:
        assert visitor.texts[0].startswith("Hello there! Welcome to Phố Cafe.")


async def test_somebody_new_who_starts_with_a_command_gets_its_answer(shop: Running) -> None:
    lan = shop.api.user(first_name="Lan")
    (text,) = await say(shop, lan, "/points")
    assert text.startswith("Bạn đang có 0 điểm, hạng Thành viên.")


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("Ben&Jerry's", "Ben&Jerry's"),
        ("🌸✨", "Mình chào bạn ạ!"),
        ("\u202eمريم", "مريم"),
        ("{you}{0}%s", "you}{0}%s"),
        ("&lt;i&gt;", "&lt;i&gt"),
    ],
)
async def test_any_name_is_shown_and_never_run(shop: Running, name: str, seen: str) -> None:
    odd = shop.api.user(first_name=name, language_code="vi")
    welcome, _ = await say(shop, odd, "/start")
    assert seen in welcome
    assert "\u202e" not in welcome
    assert [entity["type"] for entity in odd.inbox[0]["entities"]] == ["bold"]
    assert seen in (await say(shop, odd, "xin chào"))[0]


# ── What a link carries ─────────────────────────────────────────────────────────────────────────────


async def test_a_friends_link_pays_both_at_the_first_order_and_both_are_told(shop: Running) -> None:
    lan = await settled_person(shop)
    await say(shop, lan, "/invite")
    code = await shop.store.write(referrals.code_of, (await customer_of(shop, lan)).id)
    assert f"start=r_{code}" in lan.texts[-1]
    huy = shop.api.user(first_name="Huy", language_code="en")
    welcome = (await say(shop, huy, f"/start r_{code}"))[0]
    assert welcome.startswith("Hello Huy!")
    assert "you both get 50 points after your first order" in welcome
    friend = await customer_of(shop, huy)
    referrer = await customer_of(shop, lan)
    await put_order(shop, "A-1", 40_000, customer_id=friend.id)
    await quiet(shop)
    assert (await shop.store.read(points.balances, friend.id))[0] == 90
    assert (await shop.store.read(points.balances, referrer.id))[0] == 50
    assert "Huy, người bạn giới thiệu, vừa mua đơn đầu tiên: bạn được +50 điểm." in lan.texts[-1]
    assert any("+50 points: your welcome gift" in text for text in huy.texts)
    await put_order(shop, "A-2", 40_000, customer_id=friend.id)
    await quiet(shop)
    assert (await shop.store.read(points.balances, referrer.id))[0] == 50
    assert "Đã có 1 người đến theo lời mời của bạn, mang về cho bạn 50 điểm." in (await say(shop, lan, "/invite"))[0]


async def test_a_friends_link_says_what_it_came_to(shop: Running) -> None:
    lan = await settled_person(shop)
    code = await shop.store.write(referrals.code_of, (await customer_of(shop, lan)).id)
    assert "Đây là liên kết của chính bạn" in (await say(shop, lan, f"/start r_{code}"))[0]
    huy = shop.api.user(first_name="Huy")
    assert "cả hai cùng nhận 50 điểm" in (await say(shop, huy, f"/start r_{code.lower()}"))[0]
    assert "đã mở một lời mời" in (await say(shop, huy, f"/start r_{code}"))[0]
    mai = await settled_person(shop, first_name="Mai")
    await give_points(shop, mai, 10)
    assert "dành cho khách mới" in (await say(shop, mai, f"/start r_{code}"))[0]
    assert "không còn hiệu lực" in (await say(shop, shop.api.user(), "/start r_NOSUCH22"))[0]


async def test_a_receipts_link_brings_the_order_and_its_points_once(shop: Running, clock: SetClock) -> None:
    order = await put_order(shop, "HD-7", 85_000)
    assert order.claim_token is not None
    lan = await settled_person(shop)
    clock.advance(timedelta(minutes=5))
    before = len(lan.inbox)
    claimed = (await say(shop, lan, f"/start c_{order.claim_token}"))[0]
    assert claimed == "Đơn HD-7 ở Phố Cafe đã về ví của bạn: +85 điểm. 🎉"
    # Told once: the claim's answer stands for the notice.
    assert sum("85" in text for text in lan.texts[before:]) == 1
    assert "đã được cộng vào điểm của bạn rồi" in (await say(shop, lan, f"/start c_{order.claim_token}"))[0]
    huy = shop.api.user(first_name="Huy")
    assert "đã có người nhận điểm" in (await say(shop, huy, f"/start c_{order.claim_token}"))[0]
    assert "không tìm thấy hóa đơn" in (await say(shop, huy, "/start c_nosuchtoken"))[0]
    assert (await say(shop, lan, "/points"))[0].startswith("Bạn đang có 85 điểm")


async def test_two_claim_one_receipt_at_the_same_instant_and_one_gets_it(shop: Running) -> None:
    order = await put_order(shop, "HD-8", 85_000)
    people = [await settled_person(shop, first_name=name) for name in ("Lan", "Huy")]
    marks = [len(person.inbox) for person in people]
    await asyncio.gather(*(person.start(f"c_{order.claim_token}") for person in people))
    await quiet(shop)
    answers = [person.texts[mark] for person, mark in zip(people, marks, strict=True)]
    assert sum("+85 điểm" in text for text in answers) == 1
    assert sum("đã có người nhận điểm" in text for text in answers) == 1


async def test_an_offered_voucher_is_given_once_while_it_lasts(shop: Running) -> None:
    program = await shop.store.write(
        voucher_programs.add, name="Cà phê miễn phí <3", kind=Kind.GIFT, stock=2, shop_id=shop.shop_id
    )
    code = await shop.store.write(rewards.offer_code, program.id)
    lan = await settled_person(shop)
    assert "Tặng bạn một voucher: Cà phê miễn phí <3." in (await say(shop, lan, f"/start v_{code}"))[0]
    assert "bạn có rồi: Cà phê miễn phí <3." in (await say(shop, lan, f"/start v_{code}"))[0]
    assert "Cà phê miễn phí <3" in (await say(shop, lan, "/vouchers"))[0]
    assert "Tặng bạn" in (await say(shop, shop.api.user(), f"/start v_{code}"))[0]
    assert "ưu đãi này hết rồi" in (await say(shop, shop.api.user(), f"/start v_{code}"))[0]


async def test_a_code_for_everybody_is_shown_with_how_to_use_it(shop: Running) -> None:
    program = await shop.store.write(
        voucher_programs.add, name="Mừng Tết <3", kind=Kind.AMOUNT, value=20_000, min_order=80_000, shared=True,
        per_customer=1,
    )  # fmt: skip
    await shop.store.write(shared_codes.add, program.id, "TET2027")
    lan = await settled_person(shop)
    for _ in range(2):
        said = (await say(shop, lan, "/start v_tet2027"))[0].partition("\n\n")[2]
        assert said == (
            "Mừng Tết <3\nGiảm 20.000 ₫ · đơn từ 80.000 ₫\nTET2027\nKhi thanh toán, bạn đọc mã này ở quầy hoặc nhập lúc đặt hàng "
            "nhé. Mã dành cho mọi người nên không nằm trong /vouchers.\nMỗi khách dùng được 1 lần."
        ).replace("00 ₫", "00\xa0₫")


async def test_an_offers_period_and_others_vouchers(shop: Running, clock: SetClock) -> None:
    over = await shop.store.write(
        voucher_programs.add, name="Hết hạn", kind=Kind.GIFT, ends_at=clock.now() + timedelta(hours=1)
    )
    code = await shop.store.write(rewards.offer_code, over.id)
    clock.advance(timedelta(hours=2))
    lan = await settled_person(shop)
    assert "ưu đãi này hết rồi" in (await say(shop, lan, f"/start v_{code}"))[0]
    assert "Mã này không dùng được" in (await say(shop, lan, "/start v_NOSUCHCODE22"))[0]
    for _ in range(20):
        last = await say(shop, lan, "/start v_GUESS")
    assert "Thử nhiều lần quá rồi" in last[0]


async def test_a_staff_link_binds_once_and_only_in_its_day(shop: Running, clock: SetClock) -> None:
    number = await shop.store.write(staff.add, "Minh Trần", Role.AGENT, shop.shop_id)
    token = await shop.store.write(staff.make_link, number, "bind")
    minh = shop.api.user(first_name="Minh")
    assert await say(shop, minh, f"/start s_{token}") == [LINKED]
    wrong = "Liên kết đã hết hạn hoặc đã dùng rồi. Nhờ chủ quán gửi liên kết mới nhé."
    assert await say(shop, minh, f"/start s_{token}") == [wrong]
    assert await say(shop, shop.api.user(), "/start s_nosuch") == [wrong]
    late = await shop.store.write(staff.make_link, number, "bind")
    clock.advance(timedelta(hours=25))
    assert await say(shop, minh, f"/start s_{late}") == [wrong]


@pytest.mark.parametrize(
    "payload",
    [
        "x_1",
        "r_",
        "r",
        "_",
        "c_'; DROP TABLE orders; --",
        "v_" + "x" * 300,
        "r_🎁",
        "c_\u202e\u0000x",
        "s_../../etc",
        "%00",
    ],
)
async def test_an_odd_link_is_answered_kindly(shop: Running, payload: str) -> None:
    lan = await settled_person(shop)
    (answer, *_) = await say(shop, lan, f"/start {payload}")
    assert "Bạn" in answer or "bạn" in answer or "quán" in answer


async def test_links_work_on_the_web_chat_too(shop: Running) -> None:
    order = await put_order(shop, "HD-9", 30_000)
    async with visiting(shop, f"?start=c_{order.claim_token}") as visitor:
        assert "Đơn HD-9 ở Phố Cafe đã về ví của bạn: +30 điểm. 🎉" in visitor.texts[0]
        assert (await visitor.say("/points"))[0].startswith("Bạn đang có 30 điểm")
    async with visiting(shop, "?start=<script>") as visitor:
        assert visitor.texts[0].startswith("Mình chào bạn ạ!")


# ── The phone ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_shared_number_brings_what_was_earned_under_it(shop: Running) -> None:
    phone = fresh_phone()
    await put_order(shop, "T-1", 120_000, phone=e164(phone), name="Chị Lan")
    lan = await settled_person(shop)
    await lan.share_contact(e164(phone)[1:])
    await quiet(shop)
    assert lan.texts[-1] == (
        f"Cảm ơn bạn! Số {spaced(phone)} đã được xác nhận. 120 điểm từ những lần mua trước giờ đã về ví của bạn. 🎉"
    )
    assert not any(button.get("request_contact") for button in lan.keyboard)
    assert (await customer_of(shop, lan)).phone == e164(phone)
    assert (await say(shop, lan, "/points"))[0].startswith("Bạn đang có 120 điểm, hạng Thành viên.")
    assert "T-1" in (await say(shop, lan, "/points"))[0]


async def test_only_the_senders_own_contact_counts(shop: Running) -> None:
    phone = e164(fresh_phone())
    await put_order(shop, "T-2", 120_000, phone=phone)
    thief = await settled_person(shop, first_name="Trộm")
    for owner in (0, thief.id + 1):
        await thief.share_contact(phone, owner)
        await quiet(shop)
        assert thief.texts[-1].startswith("Đây là số của người khác.")
    # A forwarded contact, even of one's own account, may be years old.
    await thief._say({
        "contact": {"phone_number": phone, "first_name": "Trộm", "user_id": thief.id},
        "forward_origin": {"type": "hidden_user", "sender_user_name": "Ai đó", "date": 1_700_000_000},
    })  # fmt: skip
    await quiet(shop)
    assert thief.texts[-1].startswith("Đây là số của người khác.")
    assert (await say(shop, thief, "/points"))[0].startswith("Bạn đang có 0 điểm")
    assert any(button.get("request_contact") for button in thief.keyboard)


async def test_a_number_typed_on_telegram_is_answered_with_the_button(shop: Running) -> None:
    lan = await settled_person(shop)
    (text,) = await say(shop, lan, "0903 123 456")
    assert text.startswith("Bạn bấm “Chia sẻ số điện thoại” bên dưới")
    assert lan.keyboard[0]["request_contact"] is True
    assert (await customer_of(shop, lan)).phone is None


async def test_one_person_on_two_messengers_is_one_customer(shop: Running) -> None:
    lan = await settled_person(shop)
    await give_points(shop, lan, 70)
    phone = fresh_phone()
    await lan.share_contact(e164(phone))
    await quiet(shop)
    async with visiting(shop) as visitor:
        await visitor.tap("Chị")
        sent = (await visitor.say(phone))[0]
        assert f"mã 6 số đến {spaced(phone)}" in sent
        code = sent.split("mã là ")[1][:6]
        assert "70 điểm từ những lần mua trước" in (await visitor.say(code))[0]
        assert (await visitor.say("/points"))[0].startswith("Chị đang có 70 điểm")
        assert (await visitor.customer()).id == (await customer_of(shop, lan)).id


async def test_a_typed_number_is_proven_by_its_code_alone(shop: Running, clock: SetClock) -> None:
    phone = fresh_phone()
    async with visiting(shop) as visitor:
        await visitor.tap("Bạn")
        assert (await visitor.say("12345"))[0] == "Số điện thoại này chưa đúng. Ví dụ: 0903 123 456."
        sent = (await visitor.say(f"số của mình là {spaced(phone).replace(' ', '.')} nha"))[0]
        code = sent.split("mã là ")[1][:6]
        wrong = f"{(int(code) + 1) % 1_000_000:06}"
        for left in (4, 3, 2, 1):
            assert (await visitor.say(wrong))[0] == f"Mã chưa đúng. Bạn còn {left} lần thử."
        over = "Mã này đã hết hiệu lực. Bạn gõ lại số điện thoại để nhận mã mới nhé."
        assert (await visitor.say(wrong))[0] == over
        clock.advance(timedelta(seconds=10))
        assert (await visitor.say(phone))[0] == "Mã vừa được gửi rồi, bạn đợi 21 giây nữa nhé."
        clock.advance(timedelta(seconds=21))
        code = (await visitor.say(phone))[0].split("mã là ")[1][:6]
        clock.advance(timedelta(minutes=6))
        assert (await visitor.say(code))[0] == over
        code = (await visitor.say(e164(phone)))[0].split("mã là ")[1][:6]
        assert (await visitor.customer()).phone is None
        confirmed = f"Cảm ơn bạn! Số {spaced(phone)} đã được xác nhận."
        assert (await visitor.say(f"mã là {code[:3]} {code[3:]}"))[0] == confirmed
        assert (await visitor.customer()).phone == e164(phone)


async def test_a_corrected_number_gets_a_code_of_its_own(shop: Running, clock: SetClock) -> None:
    slip, phone = fresh_phone(), fresh_phone()
    async with visiting(shop) as visitor:
        await visitor.tap("Bạn")
        await visitor.say(slip)
        clock.advance(timedelta(seconds=31))
        sent = (await visitor.say(phone))[0]
        assert spaced(phone) in sent
        await visitor.say(sent.split("mã là ")[1][:6])
        assert (await visitor.customer()).phone == e164(phone)


async def test_somebody_asked_for_the_phone_may_talk_of_something_else(shop: Running) -> None:
    async with visiting(shop) as visitor:
        await visitor.tap("Bạn")
        assert (await visitor.say("diem cua toi"))[0].startswith("Bạn đang có 0 điểm")
        assert (await visitor.say("Mời bạn"))[0].startswith("Bạn gửi cho người quen nhé.")
        assert "đã ghi nhận khiếu nại" in (await visitor.say("đơn 1234 giao bị vỡ 2 ly rồi"))[0]
        assert "mã 6 số" in (await visitor.say(fresh_phone()))[0]


async def test_the_counter_knows_a_proven_customer(shop: Running) -> None:
    async with visiting(shop) as visitor:
        person, phone = await visitor.customer(), fresh_phone()
        clerk = await shop.store.write(staff.add, "Thu", Role.CASHIER, shop.shop_id)
        await put_order(shop, "T-5", 50_000, phone=e164(phone))
        await shop.store.write(counter.confirm_phone, person.id, phone, shop_id=shop.shop_id, staff_id=clerk)
        await visitor.caught_up()
        assert visitor.texts[-1].startswith(
            f"Quầy Phố Cafe vừa xác nhận số {phones.masked(e164(phone))} của bạn. 50 điểm"
        )
        assert (await visitor.say("/points"))[0].startswith("Bạn đang có 50 điểm")


# ── Language ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_chosen_language_changes_words_keyboard_and_later_notices(shop: Running) -> None:
    lan = await settled_person(shop)
    await say(shop, lan, "/language")
    await tap(shop, lan, "English")
    assert lan.texts[-2] == "All right, we speak English from now on."
    assert [button["text"] for button in lan.keyboard] == [
        "Share my number", "Points", "Card", "Rewards", "Vouchers", "Invite", "Support", "Menu",
    ]  # fmt: skip
    await give_points(shop, lan, 12)
    assert lan.texts[-1].startswith("+12 points for order G-")
    assert (await say(shop, lan, "Points"))[0].startswith("You have 12 points")
    # The old keyboard's words still work, and so does the other language.
    assert (await say(shop, lan, "Điểm"))[0].startswith("You have 12 points")
    await say(shop, lan, "Ngôn ngữ")
    await tap(shop, lan, "Tiếng Việt")
    assert lan.texts[-1] == "Bạn cần mình giúp gì ạ?"
    await give_points(shop, lan, 5)
    assert lan.texts[-1].startswith("+5 điểm cho đơn G-")


async def test_the_page_around_the_web_chat_follows(shop: Running) -> None:
    async with visiting(shop) as visitor:
        await visitor.say("/language")
        await visitor.tap("English")
        assert visitor.shown[-1]["quick"][0][0]["text"] == "Points"
        _, page = await visitor.get("/chat")
        assert b'<html lang="en"' in page


async def test_one_may_be_called_otherwise_later(shop: Running) -> None:
    lan = await settled_person(shop)
    await say(shop, lan, "/language")
    assert labels(lan.inbox[-1]) == ["Tiếng Việt", "English", "Bạn", "Anh", "Chị", "Cô", "Chú"]
    await tap(shop, lan, "Chị")
    assert lan.texts[-1] == "Dạ chị Lan, rất vui được phục vụ chị!"
    assert (await say(shop, lan, "xin chào"))[0] == "Em chào chị Lan ạ! Chị cần em giúp gì?"


async def test_the_arrival_on_postgres(postgres_url: str, clock: SetClock) -> None:
    async with running(postgres_url, webhook=True, clock=clock) as shop:
        order = await put_order(shop, "HD-7", 85_000, phone="+84903123456")
        lan = await settled_person(shop)
        assert "+85 điểm" in (await say(shop, lan, f"/start c_{order.claim_token}"))[0]
        await say(shop, lan, "/start c_\u0000x")
        await lan.share_contact("84903123456")
        await quiet(shop)
        assert "đã được xác nhận" in lan.texts[-1]
        assert (await say(shop, lan, "/points"))[0].startswith("Bạn đang có 85 điểm")
        with pytest.raises(claims.AlreadyClaimedError):
            await shop.store.write(claims.claim_order, (await customer_of(shop, lan)).id, order.claim_token)
        assert (await shop.store.read(customers.get, (await customer_of(shop, lan)).id)).phone == "+84903123456"
        await nothing_went_wrong(shop)
