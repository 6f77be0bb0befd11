"""What a customer has and what points buy: points, the card, vouchers, rewards."""

import asyncio
import io
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
import zxingcpp
from PIL import Image

from loyalty.customers import claims, customers
from loyalty.orders import earning, orders
from loyalty.orders.orders import OrderInput, Status
from loyalty.points import gifts, ledger, points
from loyalty.vouchers import rewards, voucher_programs, vouchers
from loyalty.vouchers.voucher_programs import Kind, Program
from store import media
from store.clock import SetClock
from tests.chatting import (
    Json,
    customer_of,
    give_points,
    labels,
    last_with_buttons,
    nothing_went_wrong,
    open_shop,
    put_order,
    quiet,
    say,
    settled_person,
    tap,
    visiting,
)
from tests.conftest import NOON
from tests.running import Running, running

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


@pytest_asyncio.fixture(loop_scope="module")
async def coffee(shop: Running) -> AsyncIterator[Program]:
    """A reward for 40 points, for the time of one test."""
    made = await shop.store.write(
        voucher_programs.add, name="Cà phê <sữa> & đá", kind=Kind.GIFT, price_points=40, shop_id=shop.shop_id
    )
    yield made
    await shop.store.write(voucher_programs.change, made.id, hidden=True)


def picture_of(shop: Running, message: Json) -> Image.Image:
    """The picture of a message, as Telegram got it."""
    stored = shop.api.world.files.by_id[message["photo"][-1]["file_id"]]
    return Image.open(io.BytesIO(stored.data))


def code_in(picture: Image.Image) -> str:
    (found,) = zxingcpp.read_barcodes(picture)
    return found.text


async def take(shop: Running, customer: int, taken: int, reason: str) -> None:
    await shop.store.write(
        points.adjust, f"test:{uuid.uuid4()}", customer_id=customer, shop_id=shop.shop_id, points=-taken,
        reason=reason, expires_at=None, actor="test",
    )  # fmt: skip


# ── Points ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "asked",
    ["/points", "/Points", "Điểm", "Points", "diem cua toi", "tôi còn bao nhiêu điểm", "how many points do i have"],
)
async def test_points_are_one_message_with_the_points_as_digits(shop: Running, asked: str) -> None:
    lan = await settled_person(shop)
    await give_points(shop, lan, 137)
    (text,) = await say(shop, lan, asked)
    assert text.startswith("Bạn đang có 137 điểm, hạng Thành viên. Còn 44 điểm xếp hạng nữa là lên Bạc.")
    assert labels(lan.inbox[-1]) == ["Đổi quà", "Thẻ", "Sao kê điểm", "Tặng điểm"]


async def test_points_say_what_moved_lately_on_the_shops_days(shop: Running, clock: SetClock) -> None:
    clock.set(NOON + timedelta(days=1, hours=13))  # 01:00 of the 23rd in Hồ Chí Minh City
    lan = await settled_person(shop)
    customer = (await customer_of(shop, lan)).id
    number = f"HD-{uuid.uuid4().hex[:4]}"
    await put_order(shop, number, 1_234_000, customer_id=customer)
    refund = OrderInput(
        total=1_234_000, currency="VND", placed_at=clock.now(), status=Status.REFUNDED, customer_id=customer,
        refunded=234_000,
    )  # fmt: skip
    await shop.store.write(orders.put, shop.shop_id, number, refund)
    await take(shop, customer, 5, "<lỗi> nhập & sửa")
    await quiet(shop)
    (text,) = await say(shop, lan, "/points")
    assert text.splitlines() == [
        "Bạn đang có 995 điểm, hạng Bạc. Còn 200 điểm xếp hạng nữa là lên Vàng.",
        "",
        "Gần đây:",
        "23/11 · −5 · <lỗi> nhập & sửa",
        f"23/11 · −234 · đơn {number} trả lại hoặc thay đổi",
        f"23/11 · +1.234 · đơn {number} ở Phố Cafe",
    ]


async def test_points_that_expire_soon_are_named_with_their_last_day(shop: Running, clock: SetClock) -> None:
    lan = await settled_person(shop)
    customer = (await customer_of(shop, lan)).id
    await put_order(shop, "OLD-1", 30_000, at=clock.now() - timedelta(days=370), customer_id=customer)
    await quiet(shop)
    (text,) = await say(shop, lan, "/points")
    assert "30 điểm dùng đến hết ngày 30/11/2026." in text


# ── The card ────────────────────────────────────────────────────────────────────────────────────────


async def test_the_card_is_a_picture_whose_code_reads_back(shop: Running) -> None:
    lan = await settled_person(shop)
    customer = await customer_of(shop, lan)
    await say(shop, lan, "/card")
    code = f"{customer.code[:4]}-{customer.code[4:]}"
    assert lan.texts[-1] == f"Bạn đưa thẻ này ở quầy, hoặc đọc mã {code} nhé."
    assert code_in(picture_of(shop, lan.inbox[-1])) == f"regulars:{customer.code}"


async def test_the_card_shows_on_the_web_chat(shop: Running) -> None:
    async with visiting(shop) as visitor:
        await visitor.say("cho xem thẻ thành viên")
        (shown,) = visitor.shown[-1]["media"]
        assert (shown["kind"], shown["width"], shown["height"]) == ("photo", 1060, 686)
        status, content = await visitor.get(shown["url"])
        assert status == 200
        assert code_in(Image.open(io.BytesIO(content))) == f"regulars:{(await visitor.customer()).code}"
        async with visiting(shop) as stranger:
            assert (await stranger.get(shown["url"]))[0] == 404


async def test_an_invitation_is_a_picture_with_the_link_in_its_code(shop: Running) -> None:
    lan = await settled_person(shop)
    await say(shop, lan, "/invite")
    link = code_in(picture_of(shop, lan.inbox[-1]))
    assert link.startswith(f"https://t.me/{shop.app.telegram.me().username}?start=r_")
    assert link in lan.texts[-1]
    assert f"{shop.url}/chat?start=r_" in lan.texts[-1]


# ── Rewards ─────────────────────────────────────────────────────────────────────────────────────────


async def test_points_buy_a_voucher_after_a_second_tap(shop: Running, coffee: Program) -> None:
    lan = await settled_person(shop)
    customer = await give_points(shop, lan, 100)
    (text,) = await say(shop, lan, "/rewards")
    assert text == "Bạn đang có 100 điểm. Quà để đổi:\n\nCà phê <sữa> & đá\n40 điểm\nQuà tặng"
    assert labels(lan.inbox[-1]) == ["Đổi 40: Cà phê <sữa> & đá"]
    (sure,) = await tap(shop, lan, "Đổi 40: Cà phê <sữa> & đá")
    assert sure == "Bạn đổi 40 điểm lấy Cà phê <sữa> & đá nhé?"
    assert (await shop.store.read(points.balances, customer))[0] == 100
    await tap(shop, lan, "Đổi 40 điểm")
    (kept,) = await shop.store.read(vouchers.wallet, customer)
    code = vouchers.shown(kept.voucher.code)
    assert lan.texts[-1] == f"Cà phê <sữa> & đá đã là của bạn. 🎁\nMã: {code}\nBạn còn 60 điểm."
    await tap(shop, lan, "Xem mã QR")
    assert lan.texts[-1] == f"Cà phê <sữa> & đá\n{code}"
    assert code_in(picture_of(shop, lan.inbox[-1])) == f"regulars:v:{kept.voucher.code}"
    (listed,) = await say(shop, lan, "/vouchers")
    assert listed == f"Bạn có 1 voucher:\n\nCà phê <sữa> & đá\nQuà tặng\n{code}"
    assert "đổi “Cà phê <sữa> & đá”" in (await say(shop, lan, "/points"))[0]
    assert await shop.store.read(ledger.check) == []


async def test_a_rewards_picture_stands_over_the_question(shop: Running, coffee: Program) -> None:
    drawn = io.BytesIO()
    Image.new("RGB", (64, 64), "#7A4B2A").save(drawn, "JPEG")
    sha = await shop.store.write(media.keep, drawn.getvalue(), "image/jpeg", 64, 64)
    await shop.store.write(voucher_programs.change, coffee.id, image=sha)
    try:
        lan = await settled_person(shop)
        await give_points(shop, lan, 100)
        await say(shop, lan, "/rewards")
        assert "photo" not in lan.inbox[-1]
        (asked,) = await tap(shop, lan, "Đổi 40: Cà phê <sữa> & đá")
        assert asked == "Bạn đổi 40 điểm lấy Cà phê <sữa> & đá nhé?"
        assert picture_of(shop, lan.inbox[-1]).size == (64, 64)
        await tap(shop, lan, "Đổi 40 điểm")
        assert lan.texts[-1].endswith("Bạn còn 60 điểm.")
        assert "photo" in lan.inbox[-1]
        assert labels(lan.inbox[-1]) == ["Xem mã QR"]
        async with visiting(shop) as visitor:
            await put_order(shop, "W-2", 100_000, customer_id=(await visitor.customer()).id)
            await visitor.say("/rewards")
            await visitor.tap("Đổi 40: Cà phê <sữa> & đá")
            assert visitor.shown[-1]["media"]
            await visitor.tap("Đổi 40 điểm")
            assert visitor.texts[-1].endswith("Bạn còn 60 điểm.")
    finally:
        await shop.store.write(voucher_programs.change, coffee.id, image=None)


async def test_not_now_takes_the_question_away(shop: Running, coffee: Program) -> None:
    lan = await settled_person(shop)
    customer = await give_points(shop, lan, 100)
    await say(shop, lan, "/rewards")
    await tap(shop, lan, "Đổi 40: Cà phê <sữa> & đá")
    await tap(shop, lan, "Để sau")
    assert lan.texts[-1].startswith("Bạn đang có 100 điểm. Quà để đổi:")
    assert (await shop.store.read(points.balances, customer))[0] == 100


async def test_one_button_tapped_twice_at_once_and_replayed_buys_once(shop: Running, coffee: Program) -> None:
    lan = await settled_person(shop)
    customer = await give_points(shop, lan, 100)
    await say(shop, lan, "/rewards")
    await tap(shop, lan, "Đổi 40: Cà phê <sữa> & đá")
    question = last_with_buttons(lan)
    shop.api.fault(kind="redelivered")
    await asyncio.gather(*(lan.tap(question, "Đổi 40 điểm", answer=False) for _ in range(3)))
    await quiet(shop)
    assert (await shop.store.read(points.balances, customer))[0] == 60
    assert len(await shop.store.read(vouchers.wallet, customer)) == 1
    assert "Bạn còn 60 điểm." in lan.texts[-1]


async def test_a_tap_of_the_web_chat_sent_twice_buys_once(shop: Running, coffee: Program) -> None:
    async with visiting(shop) as visitor:
        customer = (await visitor.customer()).id
        await put_order(shop, "W-1", 100_000, customer_id=customer)
        await visitor.say("/rewards")
        await visitor.tap("Đổi 40: Cà phê <sữa> & đá")
        bubble = visitor.shown[-1]
        body = {"tap": {"bubble": bubble["id"], "data": bubble["buttons"][0][0]["data"]}}
        ref = str(uuid.uuid4())
        answers = await asyncio.gather(
            visitor.post(body, ref=ref), visitor.post(body, ref=ref), visitor.post(body), visitor.post(body)
        )
        assert [status for status, _ in answers][:2] == [200, 200]
        await visitor.caught_up()
        assert (await shop.store.read(points.balances, customer))[0] == 60
        assert len(await shop.store.read(vouchers.wallet, customer)) == 1
        assert visitor.texts[-1].endswith("Bạn còn 60 điểm.")


async def test_what_cannot_be_bought_says_why(shop: Running, coffee: Program) -> None:
    lan = await settled_person(shop)
    customer = await give_points(shop, lan, 30)
    (text,) = await say(shop, lan, "/rewards")
    assert "40 điểm (còn thiếu 10)" in text
    assert labels(lan.inbox[-1]) == ["Điểm", "Mời bạn"]
    await give_points(shop, lan, 30)
    await say(shop, lan, "/rewards")
    offer = last_with_buttons(lan)
    await tap(shop, lan, "Đổi 40: Cà phê <sữa> & đá")
    question = last_with_buttons(lan)
    await shop.store.write(voucher_programs.change, coffee.id, price_points=50)
    assert (await lan.tap(question, "Đổi 40 điểm")).answer["text"] == (
        "Số điểm đổi quà đã thay đổi. Bạn xem lại /rewards nhé."
    )
    await shop.store.write(voucher_programs.change, coffee.id, price_points=40)
    await take(shop, customer, 50, "x")
    poor = await lan.tap(question, "Đổi 40 điểm")
    assert poor.answer["text"] == "Điểm của bạn chưa đủ để đổi quà này."
    assert poor.answer["show_alert"] is True
    await shop.store.write(voucher_programs.change, coffee.id, stock=0)
    gone = "Quà này vừa hết. Bạn xem /rewards còn quà khác nhé."
    assert (await lan.tap(question, "Đổi 40 điểm")).answer["text"] in {gone, "Điểm của bạn chưa đủ để đổi quà này."}
    assert (await lan.tap(offer, "Đổi 40: Cà phê <sữa> & đá")).answer["text"] == gone
    await quiet(shop)
    assert await shop.store.read(vouchers.wallet, customer) == []
    assert await shop.store.read(ledger.check) == []


async def test_without_rewards_and_vouchers_there_is_a_way_on(shop: Running) -> None:
    lan = await settled_person(shop)
    assert await say(shop, lan, "/rewards") == ["Hiện chưa có quà để đổi. Điểm của bạn vẫn còn nguyên nhé."]
    assert await say(shop, lan, "/vouchers") == ["Bạn chưa có voucher nào. Đổi điểm lấy một cái nhé?"]
    assert labels(lan.inbox[-1]) == ["Đổi quà"]


async def test_a_voucher_says_its_conditions_once(shop: Running, clock: SetClock) -> None:
    lan = await settled_person(shop)
    customer = (await customer_of(shop, lan)).id
    named = await shop.store.write(
        voucher_programs.add, name="Giảm 30.000 ₫", kind=Kind.AMOUNT, value=30_000, min_order=100_000, valid_days=30
    )
    share = await shop.store.write(voucher_programs.add, name="Sinh nhật", kind=Kind.PERCENT, value=10, cap=50_000)
    for program in (named, share):
        await shop.store.write(vouchers.issue, program.id, customer)
    text = (await say(shop, lan, "/vouchers"))[0].replace("\N{NO-BREAK SPACE}", " ")
    assert "Giảm 30.000 ₫\nĐơn từ 100.000 ₫ · đến " in text
    assert "Sinh nhật\nGiảm 10%, tối đa 50.000 ₫\n" in text


async def test_a_used_vouchers_button_says_so(shop: Running) -> None:
    lan = await settled_person(shop)
    customer = (await customer_of(shop, lan)).id
    gift = await shop.store.write(voucher_programs.add, name="Bánh", kind=Kind.GIFT)
    await shop.store.write(vouchers.issue, gift.id, customer)
    await say(shop, lan, "/vouchers")
    shown = last_with_buttons(lan)
    huy = await settled_person(shop, first_name="Huy")
    await say(shop, huy, "/vouchers")
    (kept,) = await shop.store.read(vouchers.wallet, customer)
    forged = huy.world.chats[huy.id].messages[huy.inbox[-1]["message_id"]]
    forged["reply_markup"]["inline_keyboard"][0][0]["callback_data"] = f"vch:{kept.voucher.id}"
    stranger = await huy.tap(forged, "Đổi quà")
    assert stranger.answer["text"] == "Voucher này đã dùng hoặc đã hết hạn."
    await tap(shop, lan, "Mã QR: Bánh", shown)
    assert "photo" in lan.inbox[-1]


@pytest.mark.parametrize(
    "data",
    [
        "buy:99999999999999999999:40:1", "buy:-1:40:1", "buy:1:-40:1", "buy:x:y:z", "buy:1:99999999999:1", "vch:0",
        "vch:99999999999999999999999", "rate:1:5", "rate:99999999999999999999:5", "rate:1001:6", "go:nosuch", "go:",
        "addr:king", "lang:fr", "topic:none", "ads:maybe", "held", "leave:1", "x", "💥", "'; DROP TABLE customers",
    ],
)  # fmt: skip
async def test_forged_taps_change_nothing(shop: Running, data: str) -> None:
    lan = await settled_person(shop)
    before = await customer_of(shop, lan)
    message = lan.chat.messages[lan.inbox[-1]["message_id"]]
    markup = {"inline_keyboard": [[{"text": "x", "callback_data": data}]]}
    kept = message.get("reply_markup")
    message["reply_markup"] = markup
    texts = list(lan.texts)
    await lan.tap(message, "x")
    message["reply_markup"] = kept
    await quiet(shop)
    assert lan.texts == texts
    assert await customer_of(shop, lan) == before


async def test_rewards_on_postgres_at_the_same_instant(postgres_url: str) -> None:
    async with running(postgres_url, webhook=True) as shop:
        program = await shop.store.write(
            voucher_programs.add, name="Trà", kind=Kind.GIFT, price_points=40, stock=1, shop_id=shop.shop_id
        )
        people = [await settled_person(shop, first_name=name) for name in ("Lan", "Huy")]
        for person in people:
            await give_points(shop, person, 50)
            await say(shop, person, "/rewards")
            await tap(shop, person, "Đổi 40: Trà")
        await asyncio.gather(*(person.tap(last_with_buttons(person), "Đổi 40 điểm") for person in people))
        await quiet(shop)
        assert (await shop.store.read(voucher_programs.get, program.id)).issued == 1
        assert sum("Bạn còn 10 điểm." in person.texts[-1] for person in people) == 1
        offer = await shop.store.write(rewards.offer_code, program.id)
        assert "ưu đãi này hết rồi" in (await say(shop, people[0], f"/start v_{offer}"))[0]
        await nothing_went_wrong(shop)


# ── The statement, and gifts ────────────────────────────────────────────────────────────────────────


async def test_the_statement_pages_in_words_with_why_and_what_expires(shop: Running) -> None:
    lan = await settled_person(shop)
    customer = await customer_of(shop, lan)
    rules = {"earn_per": 1_000, "tier_per": 20_000, "multipliers": [{"name": "Giờ vàng", "percent": 150}]}
    try:
        await shop.store.write(earning.save, shop.shop_id, rules, "staff:1")
        await put_order(shop, "HD-1042", 60_000, customer_id=customer.id)
    finally:
        await shop.store.write(earning.save, shop.shop_id, {"earn_per": 1_000, "tier_per": 20_000}, "staff:1")
    await quiet(shop)
    for number in range(11):
        await shop.store.write(
            points.earn,
            f"history:{number}",
            "adjust",
            customer_id=customer.id,
            shop_id=shop.shop_id,
            points=5,
            reason="Quà",
        )
    (balance,) = await say(shop, lan, "/points")
    assert "145" in balance
    (first,) = await tap(shop, lan, "Sao kê điểm")
    assert "145" in first
    assert "30/11/2027" in first or "không hết hạn" in first
    assert first.count("+5") == 10
    (second,) = await tap(shop, lan, "Cũ hơn")
    assert "Giờ vàng ×1,5" in second
    assert "HD-1042" in second
    assert "+90" in second
    assert "Cũ hơn" not in labels(last_with_buttons(lan))


async def test_a_gift_by_phone_needs_a_second_tap_and_both_are_told(shop: Running) -> None:
    lan, minh = await settled_person(shop), await settled_person(shop)
    giver, friend = await give_points(shop, lan, 300), (await customer_of(shop, minh)).id
    phone = "+84903777001"
    await shop.store.write(claims.prove_phone, friend, phone)
    await say(shop, lan, "/points")
    (asked,) = await tap(shop, lan, "Tặng điểm")
    assert "300" in asked
    (whom,) = await say(shop, lan, "120 điểm")
    assert "120" in whom
    (wrong,) = await say(shop, lan, "09031")
    assert "0903 123 456" in wrong
    await say(shop, lan, "0" + phone.removeprefix("+84"))
    assert (await shop.store.read(points.balances, friend))[0] == 0
    before = len(minh.inbox)
    await tap(shop, lan, "Tặng 120 điểm")
    await quiet(shop)
    assert (await shop.store.read(points.balances, giver))[0] == 180
    assert (await shop.store.read(points.balances, friend))[0] == 120
    assert [text for text in minh.texts[before:] if "120" in text]


async def test_a_gift_by_link_is_whose_opens_it(shop: Running) -> None:
    lan, minh = await settled_person(shop), await settled_person(shop)
    friend = (await customer_of(shop, minh)).id
    giver = await give_points(shop, lan, 100)
    await say(shop, lan, "tặng điểm cho bạn mình")
    await tap(shop, lan, "50")
    await tap(shop, lan, "Tạo link tặng")
    sure = last_with_buttons(lan)
    await tap(shop, lan, "Tặng 50 điểm", sure)
    gift = await shop.store.read(gifts.by_key, f"chat:{shop.app.telegram.account}:{lan.id}:{sure['message_id']}")
    assert gift is not None
    assert gift.token is not None
    own, *_ = await say(shop, lan, f"/start g_{gift.token}")
    assert "chính" in own
    await shop.store.write(lambda session: customers.change(session, giver, name=""))
    taken = await say(shop, minh, f"/start g_{gift.token}")
    assert "Một người bạn tặng bạn 50 điểm" in taken[0]
    assert (await shop.store.read(points.balances, friend))[0] == 50
    over, *_ = await say(shop, lan, f"/start g_{gift.token}")
    assert "đã có người nhận" in over
