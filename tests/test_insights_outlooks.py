"""The night's outlook: kept with how it came true, and each customer's prospects as facts that segments ask for."""

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from bot.foretelling import foretell
from loyalty import programme
from loyalty.customers import facts
from loyalty.customers.customers import customers
from loyalty.insights import bg_nbd, outlooks, prospects, scope
from loyalty.insights.forecast import Known
from loyalty.orders.orders import orders
from loyalty.outreach.segments import criteria, segments
from loyalty.outreach.segments.ready import READY
from store import leases
from store.clock import SetClock
from store.engine import Store

ZONE = "Asia/Ho_Chi_Minh"
PEOPLE = 110
Days = dict[int, list[tuple[int, int]]]
"""Of each customer: how many days ago they bought, and for how much."""


def shop_of(people: int, seed: int = 7) -> Days:
    """Customers who come at a pace of their own until they leave, some for much money."""
    dice, found = Random(seed), {}
    for who in range(people):
        ago, rate, leaves = dice.uniform(90, 360), dice.gammavariate(1.5, 0.09), dice.betavariate(1, 8)
        price = round(dice.gammavariate(3, 200_000), -3)
        bought = []
        while ago > 1:
            bought.append((round(ago), int(price * dice.uniform(0.6, 1.4))))
            if dice.random() < leaves:
                break
            ago -= dice.expovariate(rate)
        found[who] = bought
    return found


def put(session: Session, shop: int, days: Days) -> list[int]:
    moment = session.info["clock"].now()
    numbers = []
    for who, bought in days.items():
        placed = [moment - timedelta(days=ago) for ago, _ in bought]
        facts_ = {"orders_count": len(bought), "spend_total": sum(paid for _, paid in bought)}
        number = session.execute(
            insert(customers)
            .values(name=f"Khách {who}", code=f"C{who}", home_shop_id=shop, joined_at=moment, last_order_at=max(placed), **facts_)
            .returning(customers.c.id)
        ).scalar_one()  # fmt: skip
        numbers.append(number)
        session.execute(insert(orders), [
            {
                "shop_id": shop, "external_id": f"{who}-{place}", "customer_id": number, "total": paid, "refunded": 0,
                "currency": "VND", "status": "completed", "items": [], "source": "import", "placed_at": at, "changed_at": at,
                "version": 1, "earned": 0, "standing": 0, "standing_tier": 0, "counted": paid,
            }
            for place, (at, (_, paid)) in enumerate(zip(placed, bought, strict=True))
        ])  # fmt: skip
    return numbers


def kept(session: Session) -> dict[int, tuple[int, int]]:
    f = facts.facts.c
    found: dict[int, dict[str, int]] = {}
    for row in session.execute(select(f.customer_id, f.name, f.value)):
        found.setdefault(row.customer_id, {})[row.name] = row.value
    return {number: (each[facts.P_ALIVE], each[facts.WORTH]) for number, each in found.items()}


def told(asked: Any) -> Any:
    return lambda session: list(segments.members(session, criteria.parse(asked), ZONE))


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone=ZONE, language="vi")


def by_hand(made: outlooks.Outlook, bought: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """P(alive) in per cent and a year's đồng, by the papers' formulas once more."""
    m, days = made.model, sorted({ago for ago, _ in bought})
    x, age, slept = len(days) - 1, (days[-1] - 1) / 7, (days[0] - 1) / 7
    odds = m.a / (m.b + x - 1) * ((m.alpha + age) / (m.alpha + age - slept)) ** (m.r + x) if x else 0
    orders_ = m.expected(bg_nbd.History(x, age - slept, age), 365 / 7)
    s, spent = made.spending, sum(paid for _, paid in bought)
    assert s is not None
    return 100 / (1 + odds), orders_ * s.p * (s.gamma + spent) / (s.p * len(days) + s.q - 1)


async def test_likely_to_leave_and_worth_over_two_million_finds_the_right_people(store: Store, shop: int) -> None:
    days = shop_of(PEOPLE)
    numbers = await store.write(put, shop, days)
    await foretell(store, "here")
    made = await store.read(outlooks.of, shop)
    assert made is not None
    assert made.customers == PEOPLE
    assert made.back is not None
    known = {who for who, bought in days.items() if bought[0][0] > 84}
    recent = sum(len({ago for ago, _ in bought if ago <= 84}) for who, bought in days.items() if who in known)
    assert made.back.actual == recent
    found = await store.read(kept)
    hand = {number: by_hand(made, days[who]) for who, number in enumerate(numbers)}
    for number, (alive, worth) in hand.items():
        assert found[number][0] == pytest.approx(alive, abs=0.51), number
        assert found[number][1] == pytest.approx(worth, abs=1), number
    day = store.clock.now().date()
    these = await store.read(scope.of, shop, day, day)
    for band, most in zip(await store.read(prospects.bands, these), (101, 80, 60, 40, 20), strict=True):
        inside = [worth for alive, worth in found.values() if band.least <= alive < most]
        assert (band.people, band.worth) == (len(inside), sum(inside))
    asked = await store.read(told(READY["leaving"]))
    assert len(asked) == await store.read(prospects.leaving, these)
    assert asked == [number for number in numbers if found[number][0] <= 50 and found[number][1] > 2_000_000]
    assert asked, "somebody who came every few days for much money and has stopped"
    assert all(min(ago for ago, _ in days[numbers.index(number)]) > 7 for number in asked)


async def test_a_night_goes_on_where_it_stopped(
    store: Store, shop: int, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prospects, "PAGE", 50)
    numbers = await store.write(put, shop, shop_of(PEOPLE))
    looked: list[int] = []
    plain = prospects.put

    def stops(session: Session, of: prospects.Part, found: Sequence[prospects.Prospect]) -> None:
        looked.append(of.after)
        if len(looked) == 2:
            raise KeyboardInterrupt
        plain(session, of, found)

    monkeypatch.setattr(prospects, "put", stops)
    with pytest.raises(KeyboardInterrupt):
        await foretell(store, "here")
    assert set(await store.read(kept)) == set(numbers[:50])
    assert await store.read(outlooks.due) == [], "the fit is kept"
    assert await store.read(outlooks.waiting)
    gone = numbers[60]
    await store.write(
        lambda session: session.execute(update(customers).where(customers.c.id == gone).values(erased_at=clock.now()))
    )
    part = await store.read(prospects.part)
    assert part is not None
    await foretell(store, "there")
    assert len(looked) == 2, "it is another's turn yet"
    clock.advance(leases.FREE_AFTER + timedelta(seconds=1))
    await foretell(store, "there")
    assert looked[:4] == [0, numbers[49], numbers[49], numbers[100]]
    assert set(await store.read(kept)) == set(numbers) - {gone}
    assert not await store.read(outlooks.waiting)
    # Another who read the same part before writes nothing over it.
    was = await store.read(kept)
    await store.write(plain, part, [prospects.Prospect(part.buyers[0].customer_id, 1, 1)])
    assert await store.read(kept) == was
    # The next night: whoever has no order left has no prospects either.
    none = numbers[3]

    def undo(session: Session) -> None:
        session.execute(delete(orders).where(orders.c.customer_id == none))
        session.execute(update(customers).where(customers.c.id == none).values(orders_count=0))

    await store.write(undo)
    clock.advance(timedelta(days=1))
    await foretell(store, "here")
    assert set(await store.read(kept)) == set(numbers) - {gone, none}


async def test_each_shop_has_an_outlook_of_its_own_and_people_one_of_all(store: Store, shop: int) -> None:
    """Prospects are of the person: what they bought at either shop counts."""
    numbers = await store.write(put, shop, shop_of(50))
    other = await store.write(programme.open_shop, "Quán Hai", timezone=ZONE, language="vi")
    theirs = await store.write(put, other, {1_000 + who: bought for who, bought in shop_of(45, seed=2).items()})
    assert await store.read(outlooks.due) == [outlooks.TOGETHER, shop, other]
    await foretell(store, "here")
    here, there = [await store.read(outlooks.of, one) for one in (shop, other)]
    assert here is not None
    assert there is not None
    assert (here.customers, there.customers) == (50, 45)
    assert here.model != there.model
    assert set(await store.read(kept)) == {*numbers, *theirs}
    assert await store.read(outlooks.due) == []


async def test_too_little_says_nothing(store: Store, shop: int, clock: SetClock) -> None:
    """29 who came again are too few, and so are 8 weeks less a day; what was said before goes."""
    few = {who: [(60, 50_000), (50 if who < 29 else 60, 50_000)] for who in range(40)}
    numbers = await store.write(put, shop, few)
    await store.write(facts.put, numbers[0], facts.WORTH, 5)
    clock.advance(timedelta(hours=1))
    await foretell(store, "here")
    assert await store.read(outlooks.of, shop) is None
    assert await store.read(lambda session: facts.get(session, numbers[0], facts.WORTH)) is None
    young = Known({bg_nbd.History(1, 1.0, 7.9): 500}, 12, None, 0)
    assert not outlooks.enough(young)
