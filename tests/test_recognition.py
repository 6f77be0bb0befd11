"""Streaks, badges, quests, surprises and thank-you tasks: what orders bring, and what returned orders take back."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from handlers.recognition_words import bar
from loyalty import programme, recognition
from loyalty.customers import claims, customers
from loyalty.orders import orders
from loyalty.orders.orders import OrderInput, Status
from loyalty.points import ledger, points, proof
from loyalty.recognition import badges, fair, prizes, progress, quests, streaks, surprises, thanks, visits, wins
from loyalty.recognition.badges import BadgeInput
from loyalty.recognition.prizes import PrizeInput, PrizeKind
from loyalty.recognition.quests import Every, QuestInput
from loyalty.recognition.streaks import Unit
from loyalty.recognition.surprises import When
from loyalty.recognition.thanks import Task, TaskEndedError, Why
from loyalty.recognition.visits import Dish, Measure, Visit
from loyalty.tiers import tiers
from loyalty.vouchers import voucher_programs, vouchers
from loyalty.vouchers.voucher_programs import Kind
from store import shops
from store.clock import SetClock
from store.engine import Store
from store.errors import InvalidError, MovedError
from store.notices import NoticeRow
from tests.conftest import NOON

LAN = "+84903123456"
FIFTY = PrizeInput("50 điểm", PrizeKind.POINTS, points=50)
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLite; with BOTH each of the two."""
    return str(request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_url"))


BOTH = pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")


async def put(store: Store, shop: int, number: str, total: int = 40_000, *dishes: str, **values: Any) -> int:
    usual = {"phone": LAN, "placed_at": store.clock.now(), "status": Status.COMPLETED}
    items = [{"name": dish, "price": 20_000} for dish in dishes]
    source = {name: values.pop(name) for name in ("source", "quiet") if name in values}
    told = OrderInput(total=total, currency="VND", items=items, **(usual | values))
    state = await store.write(orders.put, shop, number, told, **source)
    assert state.customer_id is not None
    return state.customer_id


async def available(store: Store, customer_id: int) -> int:
    return (await store.read(points.balances, customer_id))[0]


async def told(store: Store, kind: str) -> list[dict[str, Any]]:
    return await store.read(
        lambda s: [row.params for row in s.execute(sa.select(NoticeRow).where(NoticeRow.kind == kind)).scalars()]
    )


async def reached(store: Store, shop: int, customer_id: int) -> list[tuple[int, bool]]:
    found = await store.read(lambda s: progress.standings(s, shops.get(s, shop), customer_id, store.clock.now()))
    return [(one.reached, one.done) for one in found]


# ── Streaks ─────────────────────────────────────────────────────────────────────────────────────────


def days(*numbers: int) -> list[date]:
    return [date(2026, 11, number) for number in numbers]


@pytest.mark.parametrize(
    ("visited", "today", "length", "best", "done", "keep_by"),
    [
        ((), 21, 0, 0, False, None),
        ((19, 20, 21), 21, 3, 3, True, 22),
        ((19, 20, 20), 21, 2, 2, False, 21),
        ((18, 19), 21, 0, 2, False, None),
        ((1, 2, 3, 4, 20), 21, 1, 4, False, 21),
        ((20, 21, 25), 21, 2, 2, True, 22),  # a clock that was set back: tomorrow's visits don't count yet
    ],
)
def test_days_in_a_row(
    visited: tuple[int, ...], today: int, length: int, best: int, done: bool, keep_by: int | None
) -> None:
    found = streaks.standing(days(*visited), Unit.DAY, date(2026, 11, today))
    assert (found.length, found.best, found.today) == (length, best, done)
    assert found.keep_by == (date(2026, 11, keep_by) if keep_by else None)


def test_weeks_in_a_row_begin_on_monday_and_go_over_the_year() -> None:
    visited = [date(2026, 12, 20), date(2026, 12, 21), date(2027, 1, 3), date(2027, 1, 4)]
    found = streaks.standing(visited, Unit.WEEK, date(2027, 1, 10))
    assert (found.length, found.today, found.keep_by) == (4, True, date(2027, 1, 17))
    assert streaks.standing(visited, Unit.WEEK, date(2027, 1, 11)).keep_by == date(2027, 1, 17)
    assert streaks.standing(visited, Unit.WEEK, date(2027, 1, 18)).length == 0
    assert streaks.first_day(streaks.number(date(2027, 1, 10), Unit.WEEK), Unit.WEEK) == date(2027, 1, 4)


async def test_a_visit_is_on_the_day_of_the_shops_zone(store: Store, shop: int) -> None:
    """23:30 and 00:30 in Hồ Chí Minh City are one day in UTC, and two days in a row here."""
    who = await put(store, shop, "A1", placed_at=datetime(2026, 11, 19, 16, 30, tzinfo=UTC))
    await put(store, shop, "A2", placed_at=datetime(2026, 11, 19, 17, 30, tzinfo=UTC))
    await put(store, shop, "A3", placed_at=NOON)
    await put(store, shop, "A4", 40_000, refunded=40_000, placed_at=datetime(2026, 11, 18, 5, 0, tzinfo=UTC))

    async def streak() -> int:
        history = await store.read(lambda s: visits.of(s, shops.get(s, shop), who))
        return streaks.standing((visit.day for visit in history), Unit.DAY, date(2026, 11, 21)).length

    assert await streak() == 3
    await put(store, shop, "A2", status=Status.CANCELLED, placed_at=datetime(2026, 11, 19, 17, 30, tzinfo=UTC))
    assert await streak() == 1


# ── What is measured ────────────────────────────────────────────────────────────────────────────────


def visit(day: int, *dishes: str, paid: int = 50_000, imported: bool = False) -> Visit:
    at = datetime(2026, 11, day, 9, tzinfo=ZONE)
    named = tuple(Dish(name, "banh" if "banh" in name else "uong", 20_000) for name in dishes)
    return Visit(day, at, at.date(), paid, named, imported)


@pytest.mark.parametrize(
    ("measure", "names", "count"),
    [
        (Measure.ORDERS, "", 3), (Measure.ORDERS, "Trà", 2), (Measure.SPEND, "", 130_000), (Measure.SPEND, "uong", 80_000),
        (Measure.DISHES, "", 3), (Measure.DISHES, "banh", 1), (Measure.NEW_DISHES, "", 2), (Measure.DAYS, "", 2),
    ],
)  # fmt: skip
def test_what_counts_of_visits(measure: Measure, names: str, count: int) -> None:
    history = [
        visit(1, "ca phe"), visit(10, "tra", "ca phe"), visit(12, "banh mi", "tra"), visit(13, "ca phe", paid=30_000),
        visit(14, "nuoc ep", imported=True),
    ]  # fmt: skip
    since, until = (datetime(2026, 11, day, tzinfo=ZONE) for day in (5, 30))
    found = visits.count(
        history, measure, since=since, until=until, names=visits.folded([names]), imported=False
    )  # fmt: skip
    assert found == count


@pytest.mark.parametrize(("reached", "full"), [(0, 0), (1, 3), (2, 6), (3, 10), (9, 10)])
def test_a_bar_is_full_only_when_all_is_reached(reached: int, full: int) -> None:
    assert bar(reached, 3) == "▰" * full + "▱" * (10 - full)
    assert bar(99, 100).count("▱") == 1


# ── Quests ──────────────────────────────────────────────────────────────────────────────────────────


async def quest(store: Store, shop: int, measure: Measure, target: int, **values: Any) -> quests.Quest:
    made = QuestInput("Ba món mới", measure, target, **({"prize": FIFTY, "every": Every.MONTH} | values))
    return await store.write(quests.add, shop, made)


@BOTH
async def test_a_quest_is_finished_once_and_undone_by_a_returned_order(
    store: Store, shop: int, clock: SetClock
) -> None:
    await put(store, shop, "A0", 40_000, "Cà phê")
    clock.advance(timedelta(minutes=1))
    await quest(store, shop, Measure.NEW_DISHES, 2)
    who = await put(store, shop, "A1", 40_000, "Cà phê", "Trà đào")
    assert await reached(store, shop, who) == [(1, False)]
    await put(store, shop, "A2", 40_000, "Trà sen", "trà đào")
    assert await reached(store, shop, who) == [(2, True)]
    assert await available(store, who) == 120 + 50
    await put(store, shop, "A3", 20_000, "Bánh mì")
    assert await available(store, who) == 140 + 50
    # A3 is a new dish too: without A2 the quest still stands. Without A1 and A2 it doesn't.
    await put(store, shop, "A2", 40_000, status=Status.CANCELLED)
    assert await reached(store, shop, who) == [(2, True)]
    await put(store, shop, "A1", 40_000, refunded=40_000)
    assert await reached(store, shop, who) == [(1, False)]
    assert await available(store, who) == 60
    assert [params["points"] for params in await told(store, "prize_taken_back")] == [50]
    await put(store, shop, "A1", 40_000, refunded=0)
    assert await reached(store, shop, who) == [(2, True)]
    assert await available(store, who) == 100 + 50
    assert await store.read(proof.faults) == []


async def test_the_next_month_begins_anew(store: Store, shop: int, clock: SetClock) -> None:
    await quest(store, shop, Measure.ORDERS, 2)
    who = await put(store, shop, "A1")
    await put(store, shop, "A2")
    assert await reached(store, shop, who) == [(2, True)]
    clock.set(datetime(2026, 11, 30, 17, 0, tzinfo=UTC))  # the first minute of December at the shop
    assert await reached(store, shop, who) == [(0, False)]
    await put(store, shop, "A3")
    await put(store, shop, "A4")
    assert await available(store, who) == 160 + 100
    # November's order comes back: November's prize goes, December's stays.
    await put(store, shop, "A1", status=Status.CANCELLED, placed_at=NOON)
    assert await available(store, who) == 120 + 50


@BOTH
async def test_weeks_in_a_row_bring_their_prize_once_a_streak(store: Store, shop: int, clock: SetClock) -> None:
    await quest(store, shop, Measure.WEEKS, 3)
    for week in range(5):
        who = await put(store, shop, f"A{week}")
        clock.advance(timedelta(days=7))
    assert await available(store, who) == 200 + 50
    # The streak breaks in its middle: two weeks on either side are too few.
    await put(store, shop, "A2", status=Status.CANCELLED, placed_at=NOON + timedelta(days=14))
    assert await available(store, who) == 160
    assert await store.read(proof.faults) == []
    await put(store, shop, "A2", placed_at=NOON + timedelta(days=14))
    assert await available(store, who) == 200 + 50
    # A long pause, and a streak of its own.
    clock.advance(timedelta(days=30))
    for week in range(3):
        await put(store, shop, f"B{week}")
        clock.advance(timedelta(days=7))
    assert await available(store, who) == 320 + 100


@BOTH
async def test_a_spent_voucher_stays_and_an_unused_one_goes(store: Store, shop: int) -> None:
    offer = await store.write(voucher_programs.add, name="Trà", kind=Kind.GIFT, value=0, shop_id=shop)
    gift = PrizeInput("Ly trà", PrizeKind.VOUCHER, program_id=offer.id, stock=1)
    made = await quest(store, shop, Measure.SPEND, 40_000, prize=gift, every=Every.ONCE)
    who = await put(store, shop, "A1")
    assert len(await store.read(vouchers.wallet, who)) == 1
    await put(store, shop, "A1", status=Status.CANCELLED)
    assert await store.read(vouchers.wallet, who) == []
    await put(store, shop, "A1")
    (kept,) = await store.read(vouchers.wallet, who)
    await store.write(vouchers.mark, kept.voucher.id, vouchers.VoucherState.USED)
    await put(store, shop, "A1", status=Status.CANCELLED)
    win = (await store.read(wins.of_cause, wins.Cause.QUEST, made.id))[0]
    assert (win.state, win.reason) == ("kept", "order_returned")
    # Its stock is used up: somebody else finishes the quest, and the shop sees what is missing.
    other = await put(store, shop, "B1", phone="+84903999888")
    ((missed, _),) = await store.read(wins.to_hand_over, shop)
    assert (missed.customer_id, missed.state, missed.reason) == (other, "missed", "no_stock")
    await store.write(prizes.top_up, made.prize_id, 1, "more")
    assert (await store.write(wins.again, missed.id, shop)).state == "given"
    assert await store.read(lambda s: [fault for prove in recognition.PROOFS for fault in prove(s)]) == []


async def test_points_that_were_spent_leave_a_debt(store: Store, shop: int) -> None:
    await quest(store, shop, Measure.ORDERS, 1)
    who = await put(store, shop, "A1")
    await store.write(points.spend, "pay:1", "pay", customer_id=who, shop_id=shop, points=90)
    await put(store, shop, "A1", status=Status.CANCELLED)
    assert await available(store, who) == -90
    assert await store.read(proof.faults) == []


async def test_an_import_starts_nothing(store: Store, shop: int) -> None:
    made = await quest(store, shop, Measure.ORDERS, 1)
    await store.write(badges.add, shop, BadgeInput("Khách quen", "☕", Measure.ORDERS, 1))
    who = await put(store, shop, "A1", source=orders.IMPORT, quiet=True)
    assert await available(store, who) == 40
    assert await store.read(wins.of_cause, wins.Cause.QUEST, made.id) == []
    assert await store.read(badges.of_customer, shop, who) == []
    assert await told(store, "badge_earned") == []


async def test_a_new_shop_has_none_of_it(store: Store, shop: int) -> None:
    await put(store, shop, "A1")
    assert await store.read(recognition.on, shop) == frozenset()
    counted = await store.read(
        lambda s: [s.execute(sa.text(f"SELECT count(*) FROM {name}")).scalar()
                   for name in ("quest_progress", "badge_awards", "wins", "surprise_looks", "thank_tasks")]
    )  # fmt: skip
    assert counted == [0] * 5


@BOTH
async def test_two_orders_at_once_finish_a_quest_once(store: Store, shop: int) -> None:
    await quest(store, shop, Measure.ORDERS, 4)

    async def one(number: int) -> int:
        for _ in range(20):
            try:
                return await put(store, shop, f"A{number}")
            except MovedError:
                continue
        raise AssertionError("never got through")

    who = (await asyncio.gather(*(one(number) for number in range(8))))[0]
    assert await available(store, who) == 8 * 40 + 50
    assert await reached(store, shop, who) == [(4, True)]


# ── Badges ──────────────────────────────────────────────────────────────────────────────────────────


@BOTH
async def test_a_badge_is_earned_once_and_told_once(store: Store, shop: int) -> None:
    made = await store.write(badges.add, shop, BadgeInput("Khách quen", "☕", Measure.ORDERS, 2, about="Hai lần ghé"))
    hand = await store.write(badges.add, shop, BadgeInput("Bạn của quán", "🌿"))
    await put(store, shop, "A0", source=orders.IMPORT, quiet=True)
    who = await put(store, shop, "A1")
    await put(store, shop, "A2")
    assert [badge.name for badge, _ in await store.read(badges.of_customer, shop, who)] == ["Khách quen"]
    await put(store, shop, "A1", status=Status.CANCELLED)
    await put(store, shop, "A2", status=Status.CANCELLED)
    assert await store.read(badges.of_customer, shop, who) == []
    await put(store, shop, "A2")
    assert await store.read(badges.holders, shop) == {made.id: 1}
    assert [params["badge"] for params in await told(store, "badge_earned")] == ["Khách quen"]
    assert await store.write(badges.give, hand.id, shop, who, "staff:1")
    assert not await store.write(badges.give, hand.id, shop, who, "staff:1")
    person = await store.write(customers.create, name="Lan")
    await store.write(badges.give, hand.id, shop, person, "staff:1")
    await store.write(claims.merge, person, who)
    assert len(await store.read(badges.of_customer, shop, person)) == 2


# ── Surprises ───────────────────────────────────────────────────────────────────────────────────────


@BOTH
async def test_every_third_customer_of_the_day(store: Store, shop: int, clock: SetClock) -> None:
    rule = await store.write(
        surprises.add, shop, "Khách thứ ba", When.NTH, 3, PrizeInput("20 điểm", PrizeKind.POINTS, points=20, stock=1)
    )
    people = [await put(store, shop, f"A{nth}", phone=f"+8490312345{nth}") for nth in range(3)]
    await put(store, shop, "A0b", phone="+84903123450")  # the first one again: not a new customer of the day
    assert [await available(store, who) for who in people] == [80, 40, 60]
    # The limit is a balance: the sixth gets nothing, and nobody is told anything.
    for nth in range(3, 6):
        await put(store, shop, f"A{nth}", phone=f"+8490312345{nth}")
    assert await store.read(surprises.given, rule.id) == 1
    assert len(await told(store, "surprise_gift")) == 1
    await put(store, shop, "A2", phone="+84903123452", status=Status.CANCELLED)
    assert await available(store, people[2]) == 0
    clock.advance(timedelta(days=1))
    for nth in range(3):
        await put(store, shop, f"B{nth}", phone=f"+8490312345{nth}")
    assert await available(store, people[2]) == 60
    assert await store.read(proof.faults) == []


async def test_the_first_order_after_a_long_while(store: Store, shop: int, clock: SetClock) -> None:
    await store.write(surprises.add, shop, "Lâu quá không gặp", When.RETURN, 60, FIFTY)
    who = await put(store, shop, "A1")
    clock.advance(timedelta(days=59))
    await put(store, shop, "A2")
    assert await available(store, who) == 80
    clock.advance(timedelta(days=60))
    await put(store, shop, "A3")
    await put(store, shop, "A4")
    assert await available(store, who) == 160 + 50
    # An order that is told of late is no return of today.
    await put(store, shop, "A5", placed_at=NOON + timedelta(days=300) - timedelta(days=200))
    assert len(await told(store, "surprise_gift")) == 1


@BOTH
async def test_one_order_in_n_is_decided_by_the_seed(store: Store, shop: int) -> None:
    rule = await store.write(surprises.add, shop, "May mắn", When.CHANCE, 2, FIFTY)
    for nth in range(8):
        await put(store, shop, f"A{nth}", phone=f"+8490312345{nth}")
    assert await store.read(surprises.seed_of, rule) is None
    ended = await store.write(surprises.end, rule.id, shop)
    seed = await store.read(surprises.seed_of, ended)
    assert seed is not None
    assert fair.commitment(seed) == rule.seed_hash
    lines = await store.read(surprises.published, rule.id)
    assert len(lines) == 8
    for line in lines:
        assert line["digest"] == fair.digest(seed, line["number"], line["customer"], line["entry"])
        assert line["won"] == (int(line["digest"], 16) % 2 == 0)
    assert sum(line["won"] for line in lines) == await store.read(surprises.given, rule.id)
    await store.write(lambda s: s.execute(sa.text("UPDATE surprise_looks SET won = NOT won WHERE number = 3")))
    assert [fault.what for fault in await store.read(proof.faults)] == ["surprise look"]
    await put(store, shop, "Z1")
    assert len(await store.read(surprises.published, rule.id)) == 8


# ── Thank-you cards ─────────────────────────────────────────────────────────────────────────────────


async def open_tasks(store: Store, shop: int) -> list[Task]:
    return await store.read(lambda s: thanks.of_shop(s, shop, open_only=True))


@BOTH
async def test_tasks_come_by_rules_and_a_card_is_sent_once(store: Store, shop: int, clock: SetClock) -> None:
    silver = (await store.read(tiers.every))[1]
    await store.write(thanks.add_rule, shop, Why.ORDERS, 2, "Nhắc món bạn ấy thích")
    who = await put(store, shop, "A1", 1_000_000)  # silver before the rule for it was there
    clock.advance(timedelta(minutes=1))
    await store.write(thanks.add_rule, shop, Why.TIER, silver.id)
    assert await open_tasks(store, shop) == []
    await put(store, shop, "A2")
    await put(store, shop, "A2", 41_000)
    (task,) = await open_tasks(store, shop)
    assert (task.why, task.n, task.hint, task.customer_id) == ("orders", 2, "Nhắc món bạn ấy thích", who)
    other = await put(store, shop, "B1", 1_000_000, phone="+84903999888")
    assert [(one.why, one.customer_id) for one in await open_tasks(store, shop)] == [("orders", who), ("tier", other)]

    def done(session: Any) -> Task:
        return thanks.done(
            session, task.id, shop, note="Cảm ơn Lan!", picture="ab" * 32, actor="staff:1", width=1080, height=1350
        )

    assert (await store.write(done)).state == "done"
    with pytest.raises(TaskEndedError):
        await store.write(done)
    with pytest.raises(TaskEndedError):
        await store.write(thanks.skip, task.id, shop, "staff:1")
    (card,) = await told(store, "thank_card")
    assert card["files"][0]["sha"] == "ab" * 32
    await store.write(thanks.card_skipped, task.id, "no messenger")
    assert (await store.read(thanks.get, task.id, shop)).sent == "no messenger"
    with pytest.raises(InvalidError):
        await store.write(thanks.add_rule, shop, Why.TIER, 9_999)


@BOTH
async def test_what_is_said_of_a_customer_is_forgotten(store: Store, shop: int) -> None:
    who = await put(store, shop, "A1")
    task = await store.write(lambda s: thanks.add(s, shop, who, "Lan vừa sinh em bé", key="k1"))
    again = await store.write(lambda s: thanks.add(s, shop, who, "Lan vừa sinh em bé", key="k1"))
    assert task == again
    await store.write(
        lambda s: thanks.done(s, task.id, shop, note="Lan ơi", picture="cd" * 32, actor="a", width=1, height=1)
    )
    record = await store.read(recognition.record, who)
    assert record["thanks"][0]["note"] == "Lan ơi"
    assert await store.write(recognition.forget, [who]) == {"cd" * 32}
    left = await store.read(thanks.get, task.id, shop)
    assert (left.note, left.hint, left.picture) == ("", "", None)


@BOTH
async def test_a_merge_keeps_who_got_further(store: Store, shop: int) -> None:
    await quest(store, shop, Measure.ORDERS, 3)
    far = await put(store, shop, "A1")
    await put(store, shop, "A2")
    near = await put(store, shop, "B1", phone="+84903999888")
    await store.write(claims.merge, near, far)
    assert await reached(store, shop, near) == [(3, False)]
    await put(store, shop, "B2", phone="+84903999888")
    assert await reached(store, shop, near) == [(3, True)]
    assert await available(store, near) == 160 + 50
    assert await store.read(proof.faults) == []
    assert await store.read(ledger.check) == []
