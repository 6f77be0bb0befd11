"""Bonuses: paid once for each cause by the plan in force then, off by default."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from loyalty import programme
from loyalty.customers import claims, customers
from loyalty.orders import earning, orders
from loyalty.orders.orders import OrderInput, Status
from loyalty.points import bonuses, ledger, points, proof
from store import events
from store.base import table
from store.clock import SetClock
from store.engine import Store
from store.notices import NoticeRow
from store.outbox import Purpose

ZONE = "Asia/Ho_Chi_Minh"
LAN = "+84903123456"
PLAIN: dict[str, Any] = {"earn_per": 1_000_000, "tier_per": 20_000}


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone=ZONE, language="vi")


async def plan(store: Store, shop: int, **gives: int) -> None:
    await store.write(earning.save, shop, PLAIN | {"bonuses": gives}, "staff:1")


async def paid(store: Store) -> None:
    while await store.write(bonuses.pay_due):
        pass


async def available(store: Store, customer_id: int) -> int:
    return (await store.read(points.balances, customer_id))[0]


async def told(store: Store) -> list[tuple[str, int, int]]:
    n = table(NoticeRow).c
    rows = await store.read(
        lambda session: session.execute(select(n.params, n.purpose).where(n.kind == "bonus").order_by(n.id)).all()
    )
    return [(row.params["cause"], row.params["points"], row.purpose) for row in rows]


async def test_nothing_is_given_by_default(store: Store, shop: int) -> None:
    lan = await store.write(customers.create, name="Lan", birthday=date(1994, 11, 21), home_shop_id=shop)
    await store.write(claims.prove_phone, lan, LAN)
    await paid(store)
    assert await store.write(bonuses.birthdays_due) == 1
    assert await available(store, lan) == 0


async def test_joining_and_a_complete_profile_pay_once_whoever_they_become(store: Store, shop: int) -> None:
    await plan(store, shop, join=20, profile=30)
    lan = await store.write(customers.create, name="Lan", home_shop_id=shop)
    await paid(store)
    assert await available(store, lan) == 0
    await store.write(claims.prove_phone, lan, LAN)
    await paid(store)
    assert await available(store, lan) == 20
    await store.write(customers.change, lan, birthday=date(1994, 8, 15))
    await paid(store)
    assert await available(store, lan) == 50
    # The same person on another messenger: one customer, and no second welcome.
    other = await store.write(customers.create, name="Lan", home_shop_id=shop)
    await store.write(claims.prove_phone, other, LAN)
    await store.write(customers.change, lan, name="Lan Nguyễn")
    await paid(store)
    assert await available(store, lan) == 50
    assert await told(store) == [("join", 20, Purpose.SERVICE), ("profile", 30, Purpose.SERVICE)]
    assert await store.read(proof.faults) == []


async def test_a_cause_is_paid_by_the_plan_of_its_own_time(store: Store, shop: int, clock: SetClock) -> None:
    lan = await store.write(customers.create, name="Lan", home_shop_id=shop)
    await store.write(claims.prove_phone, lan, LAN)
    clock.advance(timedelta(minutes=1))
    await plan(store, shop, join=20)
    await paid(store)
    assert await available(store, lan) == 0


async def test_a_rating_pays_once_for_its_ticket(store: Store, shop: int) -> None:
    await plan(store, shop, review=15)
    lan = await store.write(customers.create, name="Lan", home_shop_id=shop)
    for _ in range(2):
        await store.write(events.happened, "ticket_rated", customer_id=lan, shop_id=shop, ticket=7, stars=1)
    await paid(store)
    assert await available(store, lan) == 15


async def test_a_streak_pays_for_n_days_within_m_and_then_begins_anew(store: Store, shop: int, clock: SetClock) -> None:
    await plan(store, shop, streak=40, streak_visits=3, streak_days=7)
    seen, lan = [], 0
    for number, day in enumerate((0, 0, 1, 9, 11, 15, 16, 17, 18, 19)):
        clock.set(datetime(2026, 11, 21, 5, tzinfo=UTC) + timedelta(days=day))
        state = await store.write(
            orders.put, shop, f"A{number}", OrderInput(9_000, "VND", clock.now(), Status.COMPLETED, phone=LAN)
        )
        assert state.customer_id is not None
        lan = state.customer_id
        await paid(store)
        seen.append(await available(store, lan))
    # Days 9, 11, 15; then 16, 17, 18; the 19th begins the third.
    assert seen == [0, 0, 0, 0, 0, 40, 40, 40, 80, 80]


async def test_a_day_whose_order_came_back_in_part_stays_one_of_a_streak(
    store: Store, shop: int, clock: SetClock
) -> None:
    await plan(store, shop, streak=40, streak_visits=3, streak_days=7)
    lan = await store.write(customers.create, phone=LAN)
    for day in range(3):
        clock.advance(timedelta(days=1))
        order = OrderInput(9_000, "VND", clock.now(), Status.COMPLETED, phone=LAN)
        await store.write(orders.put, shop, f"A{day}", order)
        if day == 1:
            back = replace(order, status=Status.REFUNDED, refunded=4_000)
            await store.write(orders.put, shop, f"A{day}", back)
        await paid(store)
    assert await available(store, lan) == 40


@pytest.mark.parametrize(
    ("born", "today", "comes"),
    [
        (date(1994, 11, 21), date(2026, 11, 21), True),
        (date(1994, 11, 22), date(2026, 11, 21), False),
        (date(1996, 2, 29), date(2027, 2, 28), True),
        (date(1996, 2, 29), date(2028, 2, 28), False),
        (date(1996, 2, 29), date(2028, 2, 29), True),
    ],
)
async def test_a_birthday_is_paid_in_the_shops_morning_once_a_year(  # what is tried
    store: Store, shop: int, clock: SetClock, monkeypatch: pytest.MonkeyPatch, born: date, today: date, comes: bool
) -> None:
    monkeypatch.setattr(bonuses, "NUMBERS", 2)
    await plan(store, shop, birthday=60)
    people = [await store.write(customers.create, birthday=born if n == 3 else None) for n in range(6)]
    clock.set(datetime(today.year, today.month, today.day, tzinfo=UTC) + timedelta(minutes=59))  # 7:59 there
    assert await store.write(bonuses.birthdays_due) == 0
    for minutes in (1, 60):
        clock.advance(timedelta(minutes=minutes))
        while await store.write(bonuses.birthdays_due):
            pass
    assert [await available(store, person) for person in people] == [0, 0, 0, 60 if comes else 0, 0, 0]
    assert await told(store) == ([("birthday", 60, Purpose.CARE)] if comes else [])


async def test_an_empty_wallet_holds_up_nobody(store: Store, shop: int) -> None:
    await plan(store, shop, join=20)
    wallet = (await store.read(ledger.balances, "shop", shop))["wallet"]
    rich = await store.write(customers.create)
    more: dict[str, Any] = {"customer_id": rich, "shop_id": shop, "expires_at": None}
    await store.write(points.earn, "drain", "adjust", points=wallet - 10, **more)
    lan = await store.write(customers.create, name="Lan", home_shop_id=shop)
    await store.write(claims.prove_phone, lan, LAN)
    await paid(store)
    assert await available(store, lan) == 0
    kinds = await store.read(lambda session: session.execute(select(events.events.c.kind)).scalars().all())
    assert "bonus_missed" in kinds
