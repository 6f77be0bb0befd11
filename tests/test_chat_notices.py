"""What people are told unasked, and what the web chat refuses."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from handlers.chat.notices import KINDS, render
from handlers.chat.voice import Voice
from handlers.words import words
from loyalty import programme
from loyalty.orders import orders
from loyalty.orders.orders import OrderInput, Status
from loyalty.points import adjustments
from loyalty.vouchers import voucher_programs, vouchers
from loyalty.vouchers.voucher_programs import Kind
from store import notices, staff
from store.clock import SetClock
from store.outbox import Purpose
from store.staff import Role
from support import messages
from tests.chatting import (
    agent,
    customer_of,
    give_points,
    labels,
    nothing_went_wrong,
    open_shop,
    put_order,
    quiet,
    say,
    settled_person,
    tap,
    tickets_of,
    visiting,
)
from tests.conftest import NOON
from tests.running import Running

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


# ── Notices ─────────────────────────────────────────────────────────────────────────────────────────


async def test_points_and_a_tier_are_told_in_the_persons_words(shop: Running) -> None:
    lan = await settled_person(shop)
    await say(shop, lan, "/language")
    await tap(shop, lan, "Cô")
    before = len(lan.inbox)
    customer = (await customer_of(shop, lan)).id
    await put_order(shop, "<HD>&1", 1_000_000, customer_id=customer)
    await quiet(shop)
    assert lan.texts[before:] == [
        "+1.000 điểm cho đơn <HD>&1 ở Phố Cafe. Cảm ơn cô nhé!",
        "Chúc mừng cô Lan! Cô đã lên hạng Bạc. 🎉",
    ]
    assert labels(lan.inbox[-2]) == ["Điểm", "Đổi quà"]
    ann = await settled_person(shop, first_name="Ann", language_code="en")
    await put_order(shop, "HD-2", 1_000_000, customer_id=(await customer_of(shop, ann)).id)
    await quiet(shop)
    assert ann.texts[-2:] == [
        "+1,000 points for order HD-2 at Phố Cafe. Thank you!",
        "Congratulations! You have reached tier Bạc. 🎉",
    ]


async def test_a_refund_is_told(shop: Running, clock: SetClock) -> None:
    lan = await settled_person(shop)
    customer = (await customer_of(shop, lan)).id
    await put_order(shop, "HD-3", 50_000, customer_id=customer)
    told = OrderInput(
        total=50_000,
        currency="VND",
        placed_at=clock.now(),
        status=Status.REFUNDED,
        customer_id=customer,
        refunded=20_000,
    )
    await shop.store.write(orders.put, shop.shop_id, "HD-3", told)
    await quiet(shop)
    assert lan.texts[-1] == "−20 điểm: đơn HD-3 đã trả lại hoặc thay đổi."


async def test_a_given_voucher_is_told_with_its_code_and_last_day(shop: Running) -> None:
    lan = await settled_person(shop)
    customer = (await customer_of(shop, lan)).id
    program = await shop.store.write(voucher_programs.add, name="Bánh <3", kind=Kind.GIFT, valid_days=30)
    given = await shop.store.write(vouchers.issue, program.id, customer, tell=True)
    await quiet(shop)
    assert lan.texts[-1].startswith(f"Tặng bạn một voucher: Bánh <3.\n{vouchers.shown(given.code)}\nDùng đến ")


@pytest.mark.parametrize(
    ("local_hour", "silent"), [(6, True), (7, False), (12, False), (21, False), (22, True), (23, True), (0, True)]
)
async def test_the_night_is_quiet_for_notices_not_for_answers(
    shop: Running, clock: SetClock, local_hour: int, silent: bool
) -> None:
    day = clock.now() + timedelta(days=2)
    clock.set(datetime(day.year, day.month, day.day, local_hour, 30, tzinfo=UTC) - timedelta(hours=7))
    lan = await settled_person(shop)
    minh = await agent(shop)
    await give_points(shop, lan, 5)
    (told,) = [call for call in shop.api.calls if call.chat == lan.id and "+5" in str(call.params.get("text"))]
    assert bool(told.params.get("disable_notification")) is silent
    await say(shop, lan, "ly bị vỡ")
    (ticket,) = await tickets_of(shop, (await customer_of(shop, lan)).id)
    await shop.store.write(messages.agent_says, ticket.id, minh, "Dạ em xin lỗi", key="k")
    await quiet(shop)
    (answered,) = [
        call for call in shop.api.calls if call.chat == lan.id and "Dạ em xin lỗi" in str(call.params.get("text"))
    ]
    assert not answered.params.get("disable_notification")


async def test_who_asked_for_points_hears_what_became_of_it(shop: Running, clock: SetClock) -> None:
    clock.set(NOON)
    lan, minh = await settled_person(shop), await settled_person(shop)
    customer = (await customer_of(shop, lan)).id
    asker = await shop.store.write(staff.add, "Minh", Role.MANAGER, shop.shop_id)
    owner = await shop.store.write(staff.add, "Hà <3", Role.OWNER, None)
    token = await shop.store.write(staff.make_link, asker, "bind")
    await say(shop, minh, f"/start s_{token}")
    await shop.store.write(programme.change, adjust_manager=50, second_approval=1)
    for number, why in enumerate((None, "Đã <đền> rồi")):
        asked = await shop.store.write(
            adjustments.ask, f"k{number}", staff_id=asker, shop_id=shop.shop_id, customer_id=customer, points=80 + number,
            reason="Đổ cà phê",
        )  # fmt: skip
        if why is None:
            await shop.store.write(adjustments.approve, asked.id, staff_id=owner)
        else:
            await shop.store.write(adjustments.refuse, asked.id, staff_id=owner, why=why)
    own = await shop.store.write(
        adjustments.ask, "k2", staff_id=asker, shop_id=shop.shop_id, customer_id=customer, points=99, reason="x"
    )
    await shop.store.write(adjustments.refuse, own.id, staff_id=asker)
    await quiet(shop)
    assert minh.texts[-2:] == [
        "+80 điểm cho Nguyễn Lan: Đổ cà phê\n✅ Hà <3 đã duyệt.",
        "+81 điểm cho Nguyễn Lan: Đổ cà phê\n✖️ Hà <3 đã từ chối.\n“Đã <đền> rồi”",
    ]
    # It is between the two of the team.
    assert not any("Đổ cà phê" in text for text in lan.texts)


async def test_the_code_for_a_phone_never_goes_into_a_chat(shop: Running) -> None:
    lan = await settled_person(shop)
    before = len(lan.inbox)
    await shop.store.write(
        notices.tell, "phone_code", customer_id=(await customer_of(shop, lan)).id, purpose=Purpose.REPLY,
        phone="+84903000999", code="123456",
    )  # fmt: skip
    await quiet(shop)
    assert len(lan.inbox) == before


PARAMS = {
    "points": 1234, "order": "HD-1", "shop": "Phố Cafe", "value": 24_680, "balance": 10, "amount": 85_000,
    "points_taken": 85, "points_back": 40, "vouchers_back": 2, "tier": "Vàng", "phone": "+8490•••456",
    "friend": "Nguyễn Văn Huy", "program": "Trà", "code": "AB-CD", "last_day": "2026-12-31", "ticket": 1042,
    "agent": "Minh", "text": "Dạ", "files": [], "pending": True,
    "missing": 40, "measure": "tier_points", "next": "Bạch kim",
    "badge": "Khách quen", "icon": "☕", "about": "", "quest": "Ba món mới", "prize": "Ly sứ", "gives": "points",
    "what": "Ba món mới", "draw": "Lì xì", "entries": 2, "happens": "nth", "number": 50, "state": "given",
    "on": "2026-12-31", "days": 7, "cause": "birthday", "giver": "Nguyễn Thị Lan",
    "by": "Hà", "customer": "Minh", "reason": "Đổ cà phê", "goodwill": 1, "rated": 1041, "survey": 1, "level": 1, "stars": 2,
    "worth": 50_000, "words": "Ly vỡ",
    "months": 24, "vouchers": 2,
    "places": [{"account": "web", "chat": 1, "message": 2, "part": "text"}], "emoji": "🙏",
    "campaign": "Trà đào", "refusal": "Sai giá", "span": "16/11 – 22/11", "sums": [40, 4_000_000, 3, 20], "sums_before": [30, 3_000_000, 2, 22], "leaving": 2, "asleep": 1, "owed": 5_000,
    "deadline": "2026-11-23T01:00:00+00:00", "late": "first", "promise": 3, "escalation": 5, "count": 1,
    "items": [{"kind": "sla_missed", "ticket": 1042, "late": "next", "deadline": "2026-11-23T01:00:00+00:00",
               "zone": "Asia/Ho_Chi_Minh"}],
    "done_by": "2026-12-20T10:00:00+00:00", "zone": "Asia/Ho_Chi_Minh", "opens_at": "2026-11-23T01:00:00+00:00", "asked_at": "2026-11-22T15:00:00+00:00",
}  # fmt: skip


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_has_its_words_in_every_language(kind: str, language: str) -> None:
    told = render(kind, Voice(words(language), "chi", "Nguyễn Thị Lan"), PARAMS)
    assert told is not None
    assert told.text or told.changes
    assert "{" not in told.text
    if language == "vi" and kind != "ticket_reply":
        assert not {"you", "your", "points", "order", "friend"} & set(told.text.lower().split())
        assert "bạn " not in told.text.replace("bạn bè", "")


async def test_a_kind_without_words_is_not_told() -> None:
    assert render("nobody_knows", Voice(words("vi"), None, "Lan"), {}) is None


# ── The web chat's refusals ─────────────────────────────────────────────────────────────────────────


async def test_the_web_chat_refuses_in_the_readers_words(shop: Running) -> None:
    async with visiting(shop) as visitor:
        bubbles = len(visitor.bubbles)
        assert await visitor.post({"text": "x" * 4097}) == (
            422, {"error": "Tin này dài quá. Bạn chia làm hai tin giúp mình nhé.", "retry": False},
        )  # fmt: skip
        assert await visitor.post({"text": "  "}) == (
            422, {"error": "Bạn nhập gì đó trước nhé.", "retry": False},
        )  # fmt: skip
        assert (await visitor.post({"text": ["no"]}))[0] == 422
        for ref in ("short", "x" * 65, "'; DROP", "<script>alert(1)</script>"):
            assert (await visitor.post({"text": "a"}, ref=ref))[0] == 422
        status, answer = await visitor.post({"text": "a"}, csrf="wrong")
        assert (status, answer["code"]) == (403, "csrf")
        for data in ("buy:1:1:1", "rate:1001:5", "", None, 7):
            bubble = visitor.shown[0]["id"]
            assert (await visitor.post({"tap": {"bubble": bubble, "data": data}}))[0] == 422
        for bubble in ("0", "999999", "x", "-1", "9" * 40):
            assert (await visitor.post({"tap": {"bubble": bubble, "data": "go:points"}}))[0] == 422
            assert (await visitor.post({"edit": {"bubble": bubble, "text": "x"}}))[0] == 422
        await visitor.caught_up()
        assert len(visitor.bubbles) == bubbles


async def test_a_file_too_large_is_refused_and_a_false_picture_is_only_a_file(shop: Running) -> None:
    async with visiting(shop) as visitor:
        huge = bytes(20 * 1024 * 1024 + 1)
        assert await visitor.post_files(("a.bin", huge, "application/zip")) == (
            422, {"error": "Tệp này nặng hơn 20 MB. Bạn gửi tệp nhỏ hơn giúp mình nhé.", "retry": False},
        )  # fmt: skip
        status, _ = await visitor.post_files(("a.png", b"<script>alert(1)</script>", "image/png"), caption="ly vỡ rồi")
        assert status == 200
        await visitor.caught_up()
        mine = next(bubble for bubble in visitor.bubbles.values() if bubble["from"] == "me")
        assert mine["media"][0]["kind"] == "document"
        assert "đã ghi nhận khiếu nại" in visitor.texts[-1]


async def test_one_message_sent_many_times_is_taken_once(shop: Running) -> None:
    async with visiting(shop) as visitor:
        ref = str(uuid.uuid4())
        answers = await asyncio.gather(*(visitor.post({"text": "diem cua toi"}, ref=ref) for _ in range(5)))
        assert {status for status, _ in answers} == {200}
        await visitor.caught_up()
        assert sum(bubble["text"] == "diem cua toi" for bubble in visitor.bubbles.values()) == 1
        assert sum(text.startswith("Bạn đang có 0 điểm") for text in visitor.texts) == 1


async def test_who_writes_too_fast_is_asked_to_wait(shop: Running) -> None:
    async with visiting(shop) as visitor:
        answers = await asyncio.gather(*(visitor.post({"text": f"/x{n}"}) for n in range(65)))
        late = [answer for status, answer in answers if status == 429]
        assert late
        assert late[0] == {"error": "Bạn nhắn hơi nhanh, đợi mình một chút nhé.", "retry": True}


async def test_markup_is_shown_and_never_run_on_the_web_chat(shop: Running) -> None:
    async with visiting(shop) as visitor:
        customer = await visitor.customer()
        await put_order(shop, "<img src=x onerror=alert(1)>", 10_000, customer_id=customer.id)
        await visitor.caught_up()
        assert visitor.shown[-1]["html"] == (
            "<b>+10 điểm</b> cho đơn &lt;img src=x onerror=alert(1)&gt; ở Phố Cafe. Cảm ơn bạn nhé!"
        )
        assert await visitor.say("<b>ly bị vỡ</b> <script>alert(1)</script>")
        mine = [bubble for bubble in visitor.bubbles.values() if bubble["from"] == "me"]
        assert (mine[-1]["text"], mine[-1]["html"]) == ("<b>ly bị vỡ</b> <script>alert(1)</script>", None)
