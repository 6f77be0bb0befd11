"""Tiers on the store: facts, moves, the nightly review, a dry run that is what saving then does, gifts given once."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.customers import claims, customers
from loyalty.orders import bulk, imports, orders
from loyalty.orders.imports import OrderLine
from loyalty.orders.orders import OrderInput, Status
from loyalty.points import ledger, points
from loyalty.tiers import qualification, tier_facts, tier_gifts, tier_review, tier_rule, tiers
from loyalty.tiers.tier_review import Outlook, Way
from loyalty.tiers.tier_rule import Falling, Measure, Policy, Window
from loyalty.tiers.tiers import Level
from loyalty.vouchers import voucher_programs, vouchers
from loyalty.vouchers.voucher_programs import Kind
from store import notices, shops, staff
from store.base import raw, table
from store.clock import SetClock
from store.engine import Store
from store.errors import InvalidError, NotFoundError
from store.events import events
from store.staff import Role
from support import messages, queue, tickets
from support.queue import View

LAN, HOA, MAI = "+84903123456", "+84903999888", "+84903777666"
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
ROLLING = Policy(Measure.SPEND, Window.ROLLING)
LEVELS = [
    Level(1, "Thành viên", 0), Level(2, "Bạc", 1_000_000, 800_000), Level(3, "Vàng", 5_000_000, 4_000_000),
    Level(4, "Bạch kim", 20_000_000),
]  # fmt: skip


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")


async def bought(store: Store, total: int, *, key: str, phone: str = LAN, days_ago: int = 0, **values: Any) -> int:
    """An order of so many days ago; its customer."""
    base = OrderInput(
        total=total, currency="VND", placed_at=store.clock.now() - timedelta(days=days_ago), status=Status.COMPLETED,
        phone=phone, name={LAN: "Lan", HOA: "Hoa", MAI: "Mai"}.get(phone, ""),
    )  # fmt: skip
    state = await store.write(orders.put, 1, key, replace(base, **values))
    assert state.customer_id is not None
    return state.customer_id


async def rules(store: Store, rule: Policy, levels: Sequence[Level] = LEVELS) -> None:
    await store.write(tier_review.save, levels, rule)
    await review(store)


async def review(store: Store) -> int:
    batches = 0
    while await store.write(tier_review.review_due):
        batches += 1
    return batches


async def tier_of(store: Store, customer_id: int) -> str:
    def look(session: Session) -> str:
        names = tiers.names(session)
        return names[customers.get(session, customer_id).tier_id or 1]

    held = await store.read(look)
    standing = await store.read(qualification.of, customer_id)
    assert standing.tier.name == held, "what is shown is what is held"
    return held


async def told(store: Store, *kinds: str) -> list[tuple[str, dict[str, Any]]]:
    n = table(notices.NoticeRow).c

    def look(session: Session) -> list[tuple[str, dict[str, Any]]]:
        rows = session.execute(select(n.kind, n.params).where(n.kind.in_(kinds)).order_by(n.id))
        return [(row.kind, row.params) for row in rows]

    return await store.read(look)


async def happened(store: Store, *kinds: str) -> list[tuple[str, dict[str, Any]]]:
    def look(session: Session) -> list[tuple[str, dict[str, Any]]]:
        rows = session.execute(
            select(events.c.kind, events.c.data).where(events.c.kind.in_(kinds)).order_by(events.c.id)
        )
        return [(row.kind, row.data) for row in rows]

    return await store.read(look)


# ── What a tier brings ─────────────────────────────────────────────────────────────────────────────


async def test_a_new_shops_tiers_bring_nothing_yet(store: Store, shop: int) -> None:
    lan = await bought(store, 5_000_000, key="A1")
    assert await tier_of(store, lan) == "Vàng"
    assert await store.read(tiers.multiplier, lan) == 100
    assert await store.read(tiers.price, lan, 150) == 150
    assert await store.read(qualification.policy) == Policy()
    assert await store.write(tier_review.review_due) == 0
    nobody = await store.write(customers.create)
    assert (await store.read(tiers.multiplier, nobody), await store.read(tiers.price, nobody, 7)) == (100, 7)


async def test_benefits_are_the_held_tiers(store: Store, shop: int) -> None:
    lan = await bought(store, 5_000_000, key="A1")
    await store.write(tiers.change, 3, multiplier=150, price_cut=15, price_list="Giá khách quen", priority=5)
    await store.write(tiers.change, 2, multiplier=120)
    assert await store.read(tiers.multiplier, lan) == 150
    prices = [await store.read(tiers.price, lan, price) for price in (100, 99, 7, 1, 0)]
    assert prices == [85, 85, 6, 1, 0]
    assert (await store.read(tiers.priorities))[3] == 5
    await store.write(tiers.change, 3, price_cut=90)
    assert await store.read(tiers.price, lan, 1) == 1
    assert await store.read(tiers.price, lan, 0) == 0


async def test_what_cannot_be_is_refused_and_nothing_is_changed(store: Store, shop: int) -> None:
    before = await store.read(tiers.every)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"multiplier": 0}, "multiplier"), ({"price_cut": 91}, "price_cut"), ({"priority": 10}, "priority"),
        ({"gift_points": -1}, "gift_points"), ({"name": "  "}, "name"), ({"description": "x" * 301}, "description"),
        ({"style": "gold"}, "style"), ({"style": "#12345G,#000000"}, "style"), ({"threshold": 5}, "threshold"),
    ]  # fmt: skip
    for values, field in wrong:
        with pytest.raises(InvalidError) as refused:
            await store.write(tiers.change, 2, **values)
        assert refused.value.field == field
    with pytest.raises(NotFoundError):
        await store.write(tiers.change, 99, multiplier=110)
    one, two = Level(1, "A", 0), Level(2, "B", 50)
    ladders: list[tuple[list[Level], str]] = [
        ([], "levels"), ([replace(one, threshold=10)], "levels"), ([replace(one, name="")], "name:0"),
        ([one, replace(two, threshold=-1)], "threshold:1"), ([one, replace(two, threshold=0)], "threshold:1"),
        ([one, replace(two, keep=51)], "keep:1"), ([one, replace(two, keep=-1)], "keep:1"),
        ([one, Level(3, "C", 90, 40), replace(two, keep=45)], "keep:1"),
        ([Level(None, "A", place) for place in range(13)], "levels"),
    ]  # fmt: skip
    for levels, field in ladders:
        with pytest.raises(InvalidError) as refused:
            await store.write(tier_review.save, levels, Policy())
        assert refused.value.field == field
    assert await store.read(tiers.every) == before


async def test_thresholds_may_change_places_and_a_level_may_go(store: Store, shop: int) -> None:
    lan, hoa = await bought(store, 5_000_000, key="A1"), await bought(store, 1_000_000, key="A2", phone=HOA)
    swapped = [Level(1, "Thành viên", 0), Level(3, "Vàng", 50), Level(2, "Bạc", 250)]
    await rules(store, Policy(), swapped)
    assert [tier.name for tier in await store.read(tiers.every)] == ["Thành viên", "Vàng", "Bạc"]
    assert (await tier_of(store, lan), await tier_of(store, hoa)) == ("Bạc", "Vàng")
    before = len(await told(store, "tier_up", "tier_down"))
    await rules(store, Policy(), [swapped[0], swapped[2]])
    assert (await tier_of(store, lan), await tier_of(store, hoa)) == ("Bạc", "Thành viên")
    # Nobody is told of a fall from a level that is no more.
    assert len(await told(store, "tier_up", "tier_down")) == before
    await rules(store, Policy(), [swapped[0], Level(None, "Đồng", 10), swapped[2]])
    assert (await tier_of(store, lan), await tier_of(store, hoa)) == ("Bạc", "Đồng")


# ── Facts ──────────────────────────────────────────────────────────────────────────────────────────


def counted(rule: Policy, rows: Sequence[Any], moment: datetime) -> tuple[int, int]:
    """The facts by plain counting: (value, ahead)."""
    parts = tier_rule.spans(rule, moment)
    sums = []
    for since, end in ((parts.since, parts.turn), (parts.turn, parts.end or datetime(2100, 1, 1, tzinfo=UTC))):
        within = [row for row in rows if since <= row.placed_at < end and row.total > row.refunded and row.counted]
        sums.append({
            Measure.TIER_POINTS: sum(row.standing_tier for row in within),
            Measure.SPEND: sum(row.total - row.refunded for row in within), Measure.ORDERS: len(within),
            Measure.VISITS: len({row.placed_at.astimezone(ZoneInfo(rule.zone)).date() for row in within}),
        }[rule.measure])  # fmt: skip
    return (max(sums) if rule.window is Window.YEAR else sum(sums)), sums[1]


@pytest.mark.parametrize("zone", ["Asia/Ho_Chi_Minh", "America/New_York"])
async def test_the_statement_counts_as_one_would_by_hand(store: Store, clock: SetClock, zone: str) -> None:
    await store.write(programme.open_shop, "Phố Cafe", timezone=zone, language="vi")
    rng = random.Random(7)
    lines = []
    for number in range(160):
        total = rng.choice([0, 999, 20_000, rng.randrange(3_000_000)])
        order = OrderInput(
            total=total, currency="VND", placed_at=clock.now() - timedelta(hours=rng.choice([rng.randrange(24 * 800), rng.randrange(72)])),
            status=rng.choices(list(Status), weights=[1, 12, 1, 1])[0], phone=f"+8490{rng.randrange(8):07d}",
            refunded=rng.choice([None] * 4 + [total, total // 2]),
        )  # fmt: skip
        lines.append(OrderLine(number, f"A{number}", order))
    await store.write(bulk.take_orders, 1, lines)

    def compare(session: Session) -> int:
        rows: dict[int, list[Any]] = {}
        for row in session.execute(select(orders.orders)):
            rows.setdefault(row.customer_id, []).append(row)
        for measure, window in product(Measure, Window):
            rule = Policy(measure, window, zone=zone)
            found = tier_facts.of_many(session, rule, clock.now(), sorted(rows))
            for one in found:
                expected = counted(rule, rows[one.customer_id], clock.now())
                assert (one.facts.value, one.facts.ahead) == expected, (rule, one.customer_id)
        return len(rows)

    assert await store.read(compare) == 8


async def test_tier_points_from_before_count_from_the_day_they_came(store: Store, shop: int, clock: SetClock) -> None:
    await rules(store, Policy(Measure.TIER_POINTS, Window.ROLLING), [Level(1, "Thành viên", 0), Level(2, "Bạc", 50)])
    line = imports.CustomerLine(line=2, phone=HOA, name="Hoa", tier_points=45)
    here = (await store.read(shops.every))[0]
    await store.write(imports.take_customers, here.id, [line])
    hoa = await store.read(customers.by_phone, HOA)
    assert hoa is not None
    clock.advance(timedelta(days=100))
    lan = await bought(store, 100_000, key="A1")
    assert await tier_of(store, lan) == "Thành viên"
    await store.write(claims.merge, lan, hoa)
    assert await tier_of(store, lan) == "Bạc"
    clock.advance(timedelta(days=266))
    await review(store)
    assert await tier_of(store, lan) == "Thành viên"
    assert (await store.read(qualification.of, lan)).value == 5


async def test_what_was_brought_along_and_what_was_bought_slide_out_together(store: Store, clock: SetClock) -> None:
    rule = Policy(Measure.TIER_POINTS, Window.ROLLING)
    await store.write(programme.open_shop, "Phố Cafe", timezone=rule.zone, language="vi")
    clock.set(datetime(2026, 11, 22, tzinfo=ZoneInfo(rule.zone)).astimezone(UTC))
    line = imports.CustomerLine(line=2, phone=LAN, name="Lan", tier_points=5)
    await store.write(imports.take_customers, 1, [line])
    lan = await bought(store, 100_000, key="A1")

    async def counts() -> tuple[int, int]:
        (found,) = await store.read(tier_facts.of_many, rule, clock.now(), [lan])
        return found.facts.value, found.facts.ahead

    # A month before their last day, and less than that.
    clock.set(datetime(2027, 10, 22, 5, tzinfo=UTC))
    assert await counts() == (10, 10)
    clock.advance(timedelta(days=5))
    assert await counts() == (10, 0)
    await rules(store, rule, [LEVELS[0], Level(2, "Bạc", 10, 3)])
    assert str((await store.read(qualification.of, lan)).last_day) == "2027-11-21"


async def test_visits_are_counted_by_the_clock_of_the_day_on_which_it_was_changed(store: Store) -> None:
    zone = "America/New_York"
    await store.write(programme.open_shop, "Phố Cafe", timezone=zone, language="vi")
    rule = Policy(Measure.VISITS, zone=zone)
    # Half past midnight and half past eleven at night of one day; in spring the day after that, too.
    for phone, visits, times in ((LAN, 1, ((11, 1, 4), (11, 2, 4))), (HOA, 2, ((3, 8, 5), (3, 9, 3), (3, 9, 4)))):
        for month, day, hour in times:
            placed_at = datetime(2026, month, day, hour, 30, tzinfo=UTC)
            who = await bought(store, 50_000, key=str(placed_at), phone=phone, placed_at=placed_at)
        (found,) = await store.read(tier_facts.of_many, rule, store.clock.now(), [who])
        assert found.facts.value == visits


async def test_a_day_with_two_orders_slides_out_as_one_visit(store: Store, shop: int) -> None:
    rule = Policy(Measure.VISITS, Window.ROLLING)
    for number, days_ago in enumerate((350, 350, 340, 10)):
        lan = await bought(store, 50_000, key=f"A{number}", days_ago=days_ago)
    await rules(store, rule, [LEVELS[0], Level(2, "Bạc", 3, 2)])
    standing = await store.read(qualification.of, lan)
    last = (store.clock.now() - timedelta(days=340)).astimezone(ZoneInfo(rule.zone)).date()
    assert (standing.tier.name, standing.value, standing.missing) == ("Bạc", 3, 1)
    assert standing.last_day == last.replace(year=last.year + 1) - timedelta(days=1)


# ── Moves ──────────────────────────────────────────────────────────────────────────────────────────


async def test_a_refund_counts_back(store: Store, shop: int) -> None:
    await rules(store, ROLLING)
    lan = await bought(store, 3_000_000, key="A1", days_ago=30)
    await bought(store, 2_000_000, key="A2")
    assert await tier_of(store, lan) == "Vàng"
    await bought(store, 2_000_000, key="A2", refunded=1_000_000)
    assert await tier_of(store, lan) == "Vàng"
    await bought(store, 2_000_000, key="A2", refunded=1_000_001)
    assert await tier_of(store, lan) == "Bạc"
    assert [kind for kind, _ in await happened(store, "tier_up", "tier_down")] == ["tier_up", "tier_up", "tier_down"]
    await bought(store, 2_000_000, key="A2", status=Status.CANCELLED)
    assert (await store.read(qualification.of, lan)).value == 3_000_000


async def test_the_review_moves_whom_the_window_has_left_behind(store: Store, shop: int, clock: SetClock) -> None:
    await rules(store, ROLLING)
    lan = await bought(store, 5_000_000, key="A1", days_ago=200)
    hoa = await bought(store, 5_000_000, key="A2", phone=HOA, days_ago=10)
    assert (await tier_of(store, lan), await tier_of(store, hoa)) == ("Vàng", "Vàng")
    clock.advance(timedelta(days=200))
    assert await review(store) == 1
    assert (await tier_of(store, lan), await tier_of(store, hoa)) == ("Thành viên", "Vàng")
    ((_, fell),) = await told(store, "tier_down")
    assert (fell["tier"], fell["next"], fell["missing"], fell["measure"]) == ("Thành viên", "Bạc", 1_000_000, "spend")
    assert await review(store) == 0, "once a night"
    clock.advance(timedelta(days=1))
    assert await review(store) == 1
    assert len(await told(store, "tier_down")) == 1


async def test_who_just_reaches_the_next_tier_rises_and_who_lacks_one_stays(store: Store, shop: int) -> None:
    lan = await bought(store, 600_000, key="A1", days_ago=1)
    await bought(store, 400_000, key="A2")
    await bought(store, 0, key="A3")
    for measure, reached in (
        (Measure.SPEND, 1_000_000), (Measure.ORDERS, 2), (Measure.VISITS, 2), (Measure.TIER_POINTS, 50),
    ):  # fmt: skip
        for threshold, stands in ((reached + 1, "Thành viên"), (reached, "Bạc")):
            await rules(store, Policy(measure, Window.ROLLING), [LEVELS[0], Level(2, "Bạc", threshold)])
            assert await tier_of(store, lan) == stands, (measure, threshold)


async def test_the_review_watches_nobody_who_is_in_no_danger(store: Store, shop: int) -> None:
    lan = await bought(store, 1_000, key="A1")
    await store.write(
        lambda session: raw(session, "INSERT INTO tier_watches (customer_id, told_for) VALUES (?, 1)", (lan,))
    )
    await rules(store, ROLLING)
    assert await store.read(lambda session: raw(session, "SELECT * FROM tier_watches")) == []


async def test_the_proof_finds_a_wrong_tier_but_waits_for_the_review_of_new_rules(store: Store, shop: int) -> None:
    await rules(store, ROLLING)
    lan = await bought(store, 5_000_000, key="A1", days_ago=10)
    assert await store.read(tier_review.check) == []
    for wrong in (4, 2):
        await store.write(lambda session, wrong=wrong: raw(session, "UPDATE customers SET tier_id = ?", (wrong,)))
        (fault,) = await store.read(tier_review.check)
        assert (fault.subject, fault.expected, fault.found) == (lan, 3, wrong)
    await store.write(tier_review.save, LEVELS, replace(ROLLING, window=Window.LIFETIME))
    assert await store.read(tier_review.check) == []
    await review(store)
    assert await tier_of(store, lan) == "Vàng"


async def test_a_fall_is_announced_once_with_what_is_missing(store: Store, shop: int, clock: SetClock) -> None:
    await rules(store, replace(ROLLING, notice_days=30))
    lan = await bought(store, 2_000_000, key="A1", days_ago=300)
    await bought(store, 3_000_000, key="A2", days_ago=100)
    clock.advance(timedelta(days=34))
    await review(store)
    assert await told(store, "tier_at_risk") == []
    for _ in range(3):
        clock.advance(timedelta(days=1))
        await review(store)
    ((_, warned),) = await told(store, "tier_at_risk")
    falls = datetime(2026, 11, 21, tzinfo=ZONE) - timedelta(days=300) + timedelta(days=365)
    last_day = (falls - timedelta(days=1)).date().isoformat()
    assert warned == {"tier": "Vàng", "measure": "spend", "missing": 1_000_000, "last_day": last_day}
    standing = await store.read(qualification.of, lan)
    assert (standing.missing, standing.keep_by) == (1_000_000, falls)
    # What is missing is bought: the tier stays, the warning is over.
    await bought(store, 1_000_000, key="A3")
    assert (await store.read(qualification.of, lan)).missing == 0
    clock.set(falls + timedelta(hours=1))
    await review(store)
    assert await tier_of(store, lan) == "Vàng"
    assert len(await told(store, "tier_at_risk", "tier_down")) == 1


async def test_the_night_tells_in_the_morning(store: Store, shop: int, clock: SetClock) -> None:
    await rules(store, ROLLING)
    await bought(store, 5_000_000, key="A1", days_ago=364)
    clock.set(datetime(2026, 11, 22, 0, 0, 30, tzinfo=ZONE))
    await review(store)
    n = table(notices.NoticeRow).c
    due = await store.read(lambda session: session.execute(select(n.due_at).where(n.kind == "tier_down")).scalar_one())
    assert due == datetime(2026, 11, 22, 9, tzinfo=ZONE)


async def test_a_grace_begins_is_announced_and_ends(store: Store, shop: int, clock: SetClock) -> None:
    await rules(store, replace(ROLLING, grace_days=30, notice_days=14))
    lan = await bought(store, 5_000_000, key="A1", days_ago=364)
    clock.advance(timedelta(days=1))
    await review(store)
    standing = await store.read(qualification.of, lan)
    ends = datetime(2026, 12, 22, tzinfo=ZONE)
    assert (standing.tier.name, standing.safe_until, standing.missing) == ("Vàng", ends, 4_000_000)
    assert await told(store, "tier_at_risk", "tier_down") == []
    clock.set(ends - timedelta(days=14))
    await review(store)
    await bought(store, 1_000_000, key="A2")
    await review(store)
    ((_, warned),) = await told(store, "tier_at_risk")
    assert (warned["missing"], warned["last_day"]) == (4_000_000, "2026-12-21")
    assert (await store.read(qualification.of, lan)).missing == 3_000_000
    clock.set(ends)
    await review(store)
    assert await tier_of(store, lan) == "Bạc"
    assert await store.read(lambda session: raw(session, "SELECT count(*) FROM tier_watches")[0][0]) == 0


async def test_a_grace_that_a_refund_began_is_ended_by_the_review(store: Store, shop: int, clock: SetClock) -> None:
    await rules(store, Policy(Measure.SPEND, Window.LIFETIME, grace_days=5))
    lan = await bought(store, 5_000_000, key="A1")
    clock.advance(timedelta(days=1))
    await review(store)
    await bought(store, 5_000_000, key="A1", days_ago=1, refunded=4_500_000)
    assert await tier_of(store, lan) == "Vàng"
    clock.advance(timedelta(days=5))
    await review(store)
    assert await tier_of(store, lan) == "Thành viên"


@pytest.mark.parametrize(("falling", "stands"), [(Falling.STEP, "Vàng"), (Falling.REEVALUATED, "Thành viên")])
async def test_one_step_or_all_the_way(store: Store, shop: int, clock: SetClock, falling: Falling, stands: str) -> None:
    await rules(store, replace(ROLLING, falling=falling))
    lan = await bought(store, 20_000_000, key="A1", days_ago=364)
    for _ in range(3):
        clock.advance(timedelta(days=1))
        await review(store)
    assert await tier_of(store, lan) == stands
    clock.advance(timedelta(days=366))
    await review(store)
    assert await tier_of(store, lan) == ("Bạc" if falling is Falling.STEP else "Thành viên")


async def test_a_calendar_year_is_kept_through_the_next(store: Store, shop: int, clock: SetClock) -> None:
    await rules(store, Policy(Measure.SPEND, Window.YEAR, notice_days=10))
    lan = await bought(store, 5_000_000, key="A1")
    clock.set(datetime(2027, 1, 1, 0, 1, tzinfo=ZONE))
    await review(store)
    assert await tier_of(store, lan) == "Vàng"
    await bought(store, 500_000, key="A2")
    assert await told(store, "tier_at_risk") == []
    clock.set(datetime(2027, 12, 23, tzinfo=ZONE))
    await review(store)
    ((_, warned),) = await told(store, "tier_at_risk")
    assert (warned["missing"], warned["last_day"]) == (3_500_000, "2027-12-31")
    clock.set(datetime(2027, 12, 31, 23, 59, tzinfo=ZONE))
    await review(store)
    assert await tier_of(store, lan) == "Vàng"
    clock.set(datetime(2028, 1, 1, tzinfo=ZONE))
    await review(store)
    assert await tier_of(store, lan) == "Thành viên"


async def test_a_review_that_was_stopped_goes_on_where_it_was(
    store: Store, shop: int, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tier_review, "BATCH", 2)
    await rules(store, ROLLING)
    people = [
        await bought(store, 5_000_000, key=f"A{number}", phone=f"+8490300000{number}", days_ago=300)
        for number in range(5)
    ]
    clock.advance(timedelta(days=100))
    assert await store.write(tier_review.review_due)
    standing = [(await store.read(customers.get, who)).tier_id for who in people]
    assert standing == [1, 1, 3, 3, 3]
    assert await review(store) == 2
    assert [await tier_of(store, who) for who in people] == ["Thành viên"] * 5
    assert len(await told(store, "tier_down")) == 5


# ── Other rules ────────────────────────────────────────────────────────────────────────────────────


async def look_ahead(store: Store, levels: Sequence[Level], rule: Policy) -> Outlook:
    outlook = Outlook()
    while outlook.after is not None:
        outlook = await store.read(tier_review.look_ahead, levels, rule, outlook)
    return outlook


async def test_a_dry_run_is_what_saving_then_does(store: Store, shop: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tier_review, "BATCH", 7)
    rng = random.Random(11)
    lines = [
        OrderLine(
            number, f"A{number}",
            OrderInput(
                total=rng.randrange(9_000_000), currency="VND", status=Status.COMPLETED, name=f"Khách {number}",
                placed_at=store.clock.now() - timedelta(days=rng.randrange(1_000)), phone=f"+8490{rng.randrange(25):07d}",
            ),
        )
        for number in range(60)
    ]  # fmt: skip
    await store.write(bulk.take_orders, 1, lines)

    def held(session: Session) -> dict[int, str]:
        names, c = tiers.names(session), customers.customers.c
        return {row.id: names[row.tier_id or 1] for row in session.execute(select(c.id, c.tier_id))}

    def safe(session: Session) -> int:
        return int(raw(session, "SELECT count(safe_until) FROM tier_watches")[0][0])

    other = [LEVELS[0], Level(3, "Vàng", 3_000_000, 2_500_000), LEVELS[3], Level(None, "Kim cương", 30_000_000)]
    back = [replace(level, threshold=level.threshold // 20_000, keep=None) for level in LEVELS]
    plan = [
        (other, ROLLING), (LEVELS, Policy(Measure.SPEND, Window.LIFETIME)), (other, replace(ROLLING, grace_days=20)),
        (back, Policy()), (other, replace(ROLLING, falling=Falling.STEP)), (other, Policy(Measure.SPEND, Window.YEAR)),
    ]  # fmt: skip
    for draft, rule in plan:
        known = {tier.name: tier.id for tier in await store.read(tiers.every)}
        levels = [replace(level, id=known.get(level.name)) for level in draft]
        before, safe_before, ups = await store.read(held), await store.read(safe), len(await told(store, "tier_up"))
        outlook = await look_ahead(store, levels, rule)
        assert await store.read(held) == before, "a dry run does nothing"
        await rules(store, rule, levels)
        after = await store.read(held)
        moved = Counter((before[who], after[who]) for who in before if before[who] != after[who])
        said = Counter({(way.before, way.after): count for way, count in outlook.ways.items() if not way.grace})
        assert said == moved, rule
        graced = sum(count for way, count in outlook.ways.items() if way.grace)
        assert moved or graced, f"something must move, else nothing is tested: {rule}"
        if rule.falling is Falling.REEVALUATED and not safe_before:
            assert graced == await store.read(safe)
        assert outlook.seen == len(before)
        assert all(len(names) == min(outlook.ways[way], tier_review.SAMPLE) for way, names in outlook.names.items())
        assert len(await told(store, "tier_up")) - ups == sum(count for way, count in outlook.ways.items() if way.rises)
        now_there = {tier.name: tier.id for tier in await store.read(tiers.every)}
        again = await look_ahead(store, [replace(level, id=now_there[level.name]) for level in levels], rule)
        assert again.ways == Counter(), "what is saved changes nothing more"


async def test_a_dry_run_says_who_by_name(store: Store, shop: int) -> None:
    await bought(store, 5_000_000, key="A1")
    await bought(store, 1_000_000, key="A2", phone=HOA)
    levels = [Level(1, "Thành viên", 0), Level(2, "Bạc", 60), Level(3, "Vàng", 200), Level(4, "Bạch kim", 250)]
    outlook = await look_ahead(store, levels, Policy())
    assert outlook.ways == {Way(True, False, "Vàng", "Bạch kim"): 1, Way(False, False, "Bạc", "Thành viên"): 1}
    assert outlook.names == {
        Way(True, False, "Vàng", "Bạch kim"): ["Lan"],
        Way(False, False, "Bạc", "Thành viên"): ["Hoa"],
    }


async def test_an_import_stands_as_orders_do_under_other_rules(store: Store, shop: int) -> None:
    await rules(store, ROLLING)
    rng = random.Random(3)
    for phone, take in ((LAN, "all"), (HOA, "each")):
        lines = [
            OrderLine(
                number, f"{take}{number}",
                OrderInput(
                    total=total, currency="VND", status=Status.COMPLETED, phone=phone,
                    placed_at=store.clock.now() - timedelta(days=days),
                ),
            )
            for number, (total, days) in enumerate([(3_000_000, 400), (900_000, 200), (400_000, 20), (3_000_000, 3)])
        ]  # fmt: skip
        rng.shuffle(lines)
        if take == "all":
            await store.write(bulk.take_orders, 1, lines)
        else:
            for line in lines:
                await store.write(orders.put, 1, line.external_id, line.order, source=orders.IMPORT, quiet=True)
    for phone in (LAN, HOA):
        who = await store.read(customers.by_phone, phone)
        assert who is not None
        assert await tier_of(store, who) == "Bạc"
    assert await told(store, "tier_up") == []
    assert await happened(store, "tier_up") == []


# ── Gifts ──────────────────────────────────────────────────────────────────────────────────────────


async def test_a_gift_comes_once_however_often_they_rise(store: Store, shop: int) -> None:
    program = await store.write(lambda session: voucher_programs.add(session, name="Bánh sinh nhật", kind=Kind.GIFT))
    await store.write(tiers.change, 3, gift_points=200, gift_program_id=program.id, multiplier=150)
    lan = await bought(store, 5_000_000, key="A1")
    ((_, up),) = await told(store, "tier_up")
    assert (up["tier"], up["gift_points"], up["gift_voucher"], up["multiplier"]) == ("Vàng", 200, "Bánh sinh nhật", 150)
    assert (await store.read(points.balances, lan))[0] == 5_200
    await bought(store, 5_000_000, key="A1", refunded=5_000_000)
    await bought(store, 5_000_000, key="A1")
    assert await tier_of(store, lan) == "Vàng"
    assert (await told(store, "tier_up"))[-1][1]["gift_points"] == 0
    assert (await store.read(points.balances, lan))[0] == 5_200
    assert len(await store.read(vouchers.wallet, lan)) == 1
    assert await store.read(ledger.check) == []
    assert await store.read(points.check) == []


async def test_a_gift_goes_along_in_a_merge(store: Store, shop: int) -> None:
    await store.write(tiers.change, 3, gift_points=200)
    lan = await bought(store, 5_000_000, key="A1")
    hoa = await bought(store, 10_000, key="A2", phone=HOA)
    await store.write(claims.merge, hoa, lan)
    assert await tier_of(store, hoa) == "Vàng"
    assert (await store.read(points.balances, hoa))[0] == 5_210
    given = await store.read(lambda session: session.execute(select(tier_gifts.gifts.c.customer_id)).scalars().all())
    assert given == [hoa]


async def test_a_gift_that_has_run_out_holds_up_nothing(store: Store, shop: int) -> None:
    program = await store.write(lambda session: voucher_programs.add(session, name="Bánh", kind=Kind.GIFT, stock=0))
    await store.write(tiers.change, 2, gift_program_id=program.id)
    lan = await bought(store, 1_000_000, key="A1")
    assert await tier_of(store, lan) == "Bạc"
    ((_, missed),) = await happened(store, "tier_gift_missed")
    assert (missed["tier"], missed["part"], missed["reason"]) == ("Bạc", "voucher", "sold_out")
    await store.write(lambda session: voucher_programs.change(session, program.id, stock=1))
    await bought(store, 1_000_000, key="A1", refunded=1_000_000)
    await bought(store, 1_000_000, key="A1")
    assert len(await store.read(vouchers.wallet, lan)) == 1


# ── Support ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_tiers_priority_stands_before_the_latest_word(store: Store, shop: int, clock: SetClock) -> None:
    await store.write(tiers.change, 3, priority=5)
    agent = await store.read(staff.get, await store.write(staff.add, "Minh", Role.AGENT, shop))
    numbers = {}
    for phone, total in ((LAN, 5_000_000), (HOA, 10_000), (MAI, 5_000_000)):
        who = await bought(store, total, key=phone, phone=phone)
        clock.advance(timedelta(minutes=1))
        joined = await store.write(tickets.open_or_join, who, shop)
        await store.write(messages.customer_says, joined.ticket.id, text="alo")
        numbers[joined.ticket.id] = phone

    async def people(view: View, **values: Any) -> list[str]:
        return [numbers[line.ticket.id] for line in await store.read(queue.page, agent, view, **values)]

    assert await people(View.UNASSIGNED) == [MAI, LAN, HOA]
    assert await people(View.OPEN) == [MAI, HOA, LAN]
    by_phone = {phone: number for number, phone in numbers.items()}
    pages = [await people(View.UNASSIGNED, before=by_phone[phone], limit=1) for phone in (MAI, LAN, HOA)]
    assert pages == [[LAN], [HOA], []]
    assert await people(View.OPEN, before=by_phone[HOA]) == [LAN]
    assert await people(View.OPEN, before=999_999) == []
