"""What the programme does: points, tiers, friends, members and others, how long customers stay, what they like; beside tables
counted by hand and plain recounts.
"""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import BigInteger, func, insert, literal, select, update
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.customers import customers
from loyalty.insights import buyers, flows, friends, habits, members, scope, survival, tier_moves
from loyalty.insights.scope import Scope
from loyalty.orders import bought, orders
from loyalty.orders.orders import OrderInput, Status
from loyalty.points import points
from loyalty.points.lots import lots
from loyalty.referrals.referrals import referrals
from loyalty.tiers import tiers
from store import local_time
from store.base import to_micros
from store.clock import SetClock
from store.engine import Store
from tests.test_retention import Order, put

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
LAST = date(2026, 11, 21)
FIRST = date(2026, 9, 1)


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone=ZONE.key, language="vi")


async def days(store: Store, shop: int, first: date = FIRST, last: date = LAST, **who: Any) -> Scope:
    return await store.read(scope.of, shop, first, last, **who)


# ── Points ──────────────────────────────────────────────────────────────────────────────────────────


async def test_points_of_a_year_by_hand(store: Store, shop: int, clock: SetClock) -> None:
    """Lan earns 300 in January, spends 120 in March and loses what is left of them a year later; Hoa's 100 of which a
    refund takes 40 stay; 5,000 đ for a point as the shop's point pays 20 đ.
    """
    other = await store.write(programme.open_shop, "Quán Hai", timezone=ZONE.key, language="vi")
    at = {month: datetime(2026, month, 10, 5, tzinfo=UTC) for month in (1, 2, 3, 4)}
    clock.set(at[1])

    async def bought_(number: str, phone: str, total: int, at_shop: int = shop, refunded: int | None = None) -> int:
        told = OrderInput(
            total=total, currency="VND", placed_at=at[1], phone=phone, refunded=refunded,
            status=Status.REFUNDED if refunded else Status.COMPLETED,
        )  # fmt: skip
        found = (await store.write(orders.put, at_shop, number, told)).customer_id
        assert found is not None
        return found

    lan = await bought_("1", "+84903123456", 300_000)
    hoa = await bought_("2", "+84903999888", 100_000)
    await bought_("3", "+84903999888", 70_000, other)
    clock.set(at[2])
    await bought_("2", "+84903999888", 100_000, refunded=40_000)
    clock.set(at[3])
    await store.write(points.spend, "x", "redeem", customer_id=lan, shop_id=shop, points=120)
    clock.set(datetime(2027, 2, 1, tzinfo=UTC))
    await store.write(points.expire_due)

    async def flow(first: tuple[int, int], last: tuple[int, int], **who: Any) -> flows.Flows:
        these = await days(store, shop, date(*first, 1), date(*last, 28), **who)
        return await store.read(flows.of, these)

    assert await flow((2026, 1), (2026, 1)) == flows.Flows(400, 0, 0, 400, 8_000)
    assert await flow((2026, 2), (2026, 2)) == flows.Flows(-40, 0, 0, 360, 7_200)
    assert await flow((2026, 3), (2026, 3)) == flows.Flows(0, 120, 0, 240, 4_800)
    assert await flow((2025, 1), (2025, 1)) == flows.Flows(0, 0, 0, 0, 0)
    year = await flow((2026, 1), (2027, 2))
    assert year == flows.Flows(360, 120, 240, 0, 0)
    assert year.redemption_rate == pytest.approx(100 / 3)
    assert year.breakage == pytest.approx(200 / 3)
    assert (await flow((2025, 1), (2025, 1))).breakage is None
    hers = await flow((2026, 1), (2026, 12), who=select(literal(hoa)))
    assert hers == flows.Flows(60, 0, 0, 60, 1_200)
    left = await store.read(
        lambda session: session.execute(select(func.sum(lots.c.remaining)).where(lots.c.shop_id == shop)).scalar()
    )
    assert left == year.owed


async def test_who_rose_and_who_fell(store: Store, shop: int) -> None:
    def fill(session: Session) -> None:
        ladder = [tier.id for tier in tiers.every(session)]
        people = [customers.create(session, name=f"K{n}", home_shop_id=shop) for n in range(4)]
        other = programme.open_shop(session, "Quán Hai", timezone=ZONE.key, language="vi")
        stranger = customers.create(session, name="X", home_shop_id=other)
        for who, left, reached, at in (
            (people[0], None, 0, "2026-09-01T00:00+07:00"), (people[0], 0, 1, "2026-10-01T08:00+07:00"),
            (people[1], 0, 1, "2026-10-02T08:00+07:00"), (people[2], 2, 1, "2026-11-21T23:59+07:00"),
            (people[3], 1, 3, "2026-11-22T00:00+07:00"), (people[3], 0, 1, "2026-08-31T23:59+07:00"),
            (stranger, 0, 1, "2026-10-01T08:00+07:00"),
        ):  # fmt: skip
            session.execute(insert(tiers.tier_changes).values(
                customer_id=who, from_id=None if left is None else ladder[left], to_id=ladder[reached],
                at=datetime.fromisoformat(at),
            ))  # fmt: skip

    await store.write(fill)
    found = await store.read(tier_moves.of, await days(store, shop))
    assert found.counts == {(-1, 0): 1, (0, 1): 2, (2, 1): 1}
    assert (found.up, found.down) == (2, 1)
    assert found.names == ["Thành viên", "Bạc", "Vàng", "Bạch kim"]


async def test_what_became_of_links(store: Store, shop: int) -> None:
    def fill(session: Session) -> None:
        lan = customers.create(session, name="Lan", home_shop_id=shop)
        for number, (state, phone, bought_, at) in enumerate((
            ("waiting", False, False, 0), ("waiting", True, False, 0), ("waiting", True, True, 0), ("due", True, True, 0),
            ("rewarded", True, True, 0), ("rewarded", False, True, 0), ("refused", True, True, 0), ("waiting", True, True, -90),
        )):  # fmt: skip
            friend = customers.create(session, name=f"Bạn {number}", home_shop_id=shop)
            if phone:
                session.execute(
                    update(customers.customers)
                    .where(customers.customers.c.id == friend)
                    .values(phone=f"+8490000000{number}")
                )
            opened = datetime.combine(FIRST + timedelta(days=at), time(9), ZONE)
            session.execute(insert(referrals).values(
                referrer_id=lan, friend_id=friend, opened_at=opened, state=state,
                reason="staff" if state == "refused" else None,
            ))  # fmt: skip
            session.execute(insert(orders.orders).values(
                shop_id=shop, external_id=f"F{number}", customer_id=friend, total=50_000, refunded=0, currency="VND",
                status="completed", items=[], source="till", placed_at=opened + timedelta(days=1 if bought_ else -1),
                changed_at=opened, version=1, earned=0, standing=0, standing_tier=0, counted=50_000,
            ))  # fmt: skip

    await store.write(fill)
    assert await store.read(friends.of, await days(store, shop)) == friends.Funnel(7, 5, 4, 2, 1)


# ── What is counted over orders, beside plain recounts ──────────────────────────────────────────────


async def made(store: Store, shop: int, seed: int) -> tuple[list[Order], dict[int, datetime]]:
    """Two years of orders of 60 people, half of whom joined at some time; of which those that count, and when who joined."""
    dice, placed, joined = Random(seed), [], {}
    for who in range(60):
        ago, pace = dice.randrange(30, 700), dice.choice((3, 20, 60, 100))
        while ago >= 0:
            at = datetime.combine(
                LAST - timedelta(days=ago), time(dice.choice([0, 7, 12, 23]), dice.randrange(60)), ZONE
            )
            status = dice.choice(["completed"] * 6 + ["refunded", "cancelled"])
            total = dice.randrange(1, 90) * 10_000
            placed.append((who, at, total, total if status == "refunded" and dice.random() < 0.5 else 0, status))
            ago -= dice.randrange(1, 2 * pace)
        if dice.random() < 0.6:
            joined[who] = datetime.combine(LAST - timedelta(days=dice.randrange(0, 500)), time(10), ZONE)
    await store.write(put, shop, 60, placed)

    def join(session: Session) -> None:
        c = customers.customers.c
        ids = list(session.execute(select(c.id).order_by(c.id)).scalars())
        for who, at in joined.items():
            if who % 2:
                session.execute(update(customers.customers).where(c.id == ids[who]).values(phone_verified_at=at))
            late = at if not who % 2 else at + timedelta(days=9)
            session.execute(insert(customers.identities).values(
                account="web" if who % 3 else "telegram:bot", user_id=who, customer_id=ids[who], chat_id=who, joined_at=late,
                last_seen_at=late,
            ))  # fmt: skip
        names = list(session.execute(select(orders.orders.c.id, orders.orders.c.customer_id)))
        bought.keep_new(session, {number: [{"name": "Trà Đào", "category": "Đồ uống"}] for number, _ in names[::2]})

    await store.write(join)
    return [one for one in placed if one[4] in {"completed", "refunded"} and one[2] > one[3]], joined


async def test_members_curves_and_habits_agree_with_plain_recounts(store: Store, shop: int) -> None:
    real, joined = await made(store, shop, 3)
    these = await days(store, shop)
    begin, end = these.begin, these.end
    found = await store.read(members.of, these)
    inside = [one for one in real if begin <= one[1] < end]
    for group, is_member in ((found.members, True), (found.others, False)):
        own = [one for one in inside if (one[0] in joined and joined[one[0]] < end) == is_member]
        often = Counter(one[0] for one in own)
        assert group == members.Group(
            len(often), len(own), sum(one[2] - one[3] for one in own), sum(count > 1 for count in often.values())
        )
        assert group.people > 5
    span, plain = timedelta(days=90), [0] * 5
    for who, at in joined.items():
        mine = [one for one in real if one[0] == who]
        if not end - timedelta(days=365) <= at < end - span or not mine or min(one[1] for one in mine) > at - span:
            continue
        before, after = ([one for one in mine if a <= one[1] < b] for a, b in ((at - span, at), (at, at + span)))
        plain[0] += 1
        for place, part in ((1, before), (2, after)):
            plain[place] += len(part)
            plain[place + 2] += sum(one[2] - one[3] for one in part)
    assert found.joined == members.Joined(*plain)
    assert found.joined.people > 3

    lasted = []
    for who in {one[0] for one in real}:
        days_ = sorted({one[1].astimezone(ZONE).date() for one in real if one[0] == who and one[1] < end})
        gaps = [day for day, following in zip(days_, [*days_[1:], LAST], strict=True) if (following - day).days > 90]
        lasted.append(((gaps[0] - days_[0]).days + 90, True) if gaps else ((LAST - days_[0]).days, False))
    steps = await store.read(survival.of, these)
    share = 1.0
    for day in sorted({day for day, over in lasted if over}):
        risk, over = sum(one >= day for one, _ in lasted), lasted.count((day, True))
        share *= (risk - over) / risk
        step = steps.pop(0)
        assert (step.day, step.at_risk, step.lapsed) == (day, risk, over)
        assert step.stays == pytest.approx(share)
    assert not steps
    assert 0 < share < 1

    ever = {one[0] for one in real if one[1] < end}
    passed = []
    for who in ever:
        dates = sorted({one[1].astimezone(ZONE).date() for one in real if one[0] == who and one[1] < end})
        passed += [(b - a).days for a, b in pairwise(dates) if b >= FIRST]
    assert await store.read(buyers.of, these) == buyers.Buyers(len(ever), len(passed), sum(passed))
    assert await store.read(buyers.total, these) == (len(inside), sum(one[2] - one[3] for one in inside))
    spent, came = Counter[int](), Counter(one[0] for one in inside)
    for one in inside:
        spent[one[0]] += one[2] - one[3]
    by_spent = await store.read(buyers.best, these)
    by_orders = await store.read(lambda session: buyers.best(session, these, by_orders=True))
    assert [one.spent for one in by_spent] == sorted(spent.values(), reverse=True)[:10]
    assert [one.orders for one in by_orders] == sorted(came.values(), reverse=True)[:10]
    for top in (*by_spent, *by_orders):
        who = int(top.name.split()[1])
        assert (top.orders, top.spent) == (came[who], spent[who])

    week = await store.read(habits.hours, these)
    heat = Counter((one[1].astimezone(ZONE).weekday(), one[1].astimezone(ZONE).hour) for one in inside)
    assert {(d, h): week[d][h] for d in range(7) for h in range(24) if week[d][h]} == heat
    (way,) = await store.read(habits.ways, these)
    assert (way.source, way.orders, way.revenue) == ("import", len(inside), sum(one[2] - one[3] for one in inside))
    (tea,) = await store.read(habits.liked, these, bought.ITEM)
    assert (tea.name, tea.said) == ("tra dao", "Trà Đào")
    assert 0 < tea.orders < len(inside)
    (drinks,) = await store.read(habits.liked, these, bought.CATEGORY, ["do uong"])
    assert (drinks.orders, drinks.people) == (tea.orders, tea.people)
    bought_ = {one[0] for one in inside}
    assert await store.read(habits.messengers, these) == {
        "": len(bought_), "web": sum(who % 3 > 0 for who in bought_ & joined.keys()),
        "telegram": sum(who % 3 == 0 for who in bought_ & joined.keys()),
    }  # fmt: skip


def test_freireichs_remissions() -> None:
    """Weeks in remission of 21 patients given 6-MP (Freireich 1963), whose curve every textbook prints."""
    seen = [(6, True), (6, True), (6, True), (6, False), (7, True), (9, False), (10, True), (10, False), (11, False), (13, True),
            (16, True), (17, False), (19, False), (20, False), (22, True), (23, True), (25, False), (32, False), (32, False),
            (34, False), (35, False)]  # fmt: skip
    steps = survival.curve((week, over, 1) for week, over in seen)
    assert [(one.day, one.at_risk, round(one.stays, 3)) for one in steps] == [
        (6, 21, 0.857), (7, 17, 0.807), (10, 15, 0.753), (13, 12, 0.69), (16, 11, 0.627), (22, 7, 0.538), (23, 6, 0.448),
    ]  # fmt: skip
    assert [round(survival.stayed(steps, week), 3) for week in (0, 6, 9, 40)] == [1, 0.857, 0.807, 0.448]


async def test_the_calendar_in_sql_knows_summer_time(store: Store) -> None:
    dice, now = Random(1), datetime(2026, 11, 21, tzinfo=UTC)
    moments = [now - timedelta(minutes=dice.randrange(60 * 24 * 3_000)) for _ in range(12)]
    turns = [
        datetime(2026, 3, 29, 1, tzinfo=UTC),
        datetime(2026, 10, 25, 1, tzinfo=UTC),
        datetime(2026, 11, 1, 6, tzinfo=UTC),
    ]
    moments += [turn + timedelta(seconds=step) for turn in turns for step in (-1, 0)]

    def ask(session: Session, at: datetime, where: ZoneInfo) -> tuple[int, ...]:
        column = literal(to_micros(at), BigInteger)
        parts = (local_time.day, local_time.weekday, local_time.hour)
        return tuple(session.execute(select(*(part(column, where, now) for part in parts))).one())

    for name in ("Europe/Berlin", "Asia/Ho_Chi_Minh", "America/New_York"):
        for at in moments:
            local = at.astimezone(ZoneInfo(name))
            found = await store.read(ask, at, ZoneInfo(name))
            assert found == (local.date().toordinal(), local.weekday(), local.hour), (name, at)
