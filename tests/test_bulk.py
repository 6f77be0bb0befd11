"""Many orders at once come to exactly what they come to one by one: balances, facts, tiers, lots, whatever the rows."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.customers import customers
from loyalty.orders import bulk, earning, orders
from loyalty.orders.imports import OrderLine, Taken
from loyalty.orders.orders import OrderInput, Status
from loyalty.points import ledger, lots, points
from loyalty.referrals import referrals
from loyalty.tiers import tiers
from store import shops
from store.base import table
from store.clock import SetClock
from store.engine import Store, open_store
from store.errors import RuleError

START = datetime(2024, 6, 1, tzinfo=UTC)


def rows_of(rng: random.Random, count: int, phones: int, first_line: int = 2) -> list[OrderLine]:
    """Random rows: totals from 0 đ to a tier's worth, three years of dates, every status, refunds, repeated orders."""
    lines: list[OrderLine] = []
    for line in range(first_line, first_line + count):
        total = rng.choice([0, 999, 85_000, rng.randrange(3_000_000), rng.randrange(30_000_000)])
        status = rng.choices(list(Status), weights=[1, 12, 1, 1])[0]
        refunded = rng.choice([None] * 8 + [0, total, rng.randrange(total + 1)])
        order = OrderInput(
            total=total, currency="VND", placed_at=START + timedelta(minutes=rng.randrange(1_200_000)), status=status,
            phone=f"+8490{rng.randrange(phones):07d}", name=rng.choice(["", "Lan", "Minh"]), refunded=refunded,
            items=rng.choice([[], [], [{"name": "Bánh flan", "price": total // 2}], [{"name": "Trà", "price": 40_000}]]),
        )  # fmt: skip
        lines.append(OrderLine(line, f"A{line}", order))
        if rng.random() < 0.03:
            # The same order again: as it was, changed, or under another's phone.
            again = rng.choice(lines[-20:])
            changed = rng.choice([
                again.order, replace(again.order, refunded=again.order.total), replace(again.order, phone="+84909999999"),
            ])  # fmt: skip
            lines.append(OrderLine(line, again.external_id, changed))
        if rng.random() < 0.02:
            lines.append(OrderLine(line, f"bad{line}", replace(order, total=-5)))
    return lines


def one_by_one(session: Session, shop_id: int, lines: Sequence[OrderLine]) -> Taken:
    taken = Taken()
    for line in lines:
        try:
            with session.begin_nested():
                orders.put(session, shop_id, line.external_id, line.order, source=orders.IMPORT, quiet=True)
                points.expire_due(session)
        except RuleError as error:
            taken.refused.append((line.line, error))
    return taken


def picture(session: Session) -> dict[str, Any]:
    """All that an import leaves behind, without the numbers of rows."""
    c, o, lot = customers.customers.c, orders.orders.c, lots.lots.c
    phones = {row.id: row.phone for row in session.execute(select(c.id, c.phone))}
    ids = {row.id: row.external_id for row in session.execute(select(o.id, o.external_id))}
    changes = table(tiers.TierChange).c
    return {
        "customers": sorted(
            tuple(row)
            for row in session.execute(
                select(
                    c.phone, c.name, c.language, c.home_shop_id, c.tier_id, c.spend_total, c.orders_count,
                    c.first_order_at, c.last_order_at, c.tags, c.advertising,
                )
            )
        ),
        "wallets": {phone: points.wallet(session, number, "Asia/Ho_Chi_Minh") for number, phone in phones.items()},
        "shop": ledger.balances(session, "shop", 1),
        "orders": sorted(
            (
                row.external_id, phones[row.customer_id], row.total, row.refunded, row.status, row.items, row.source,
                row.placed_at, row.version, row.earn_per, row.tier_per, row.earned, row.standing, row.standing_tier,
                row.counted, row.claim_token, row.plan_id, str(row.context),
            )
            for row in session.execute(select(orders.orders))
        ),
        "lots": sorted(
            (phones[row.customer_id], ids[row.order_id], row.amount, row.remaining, row.earned_at, str(row.expires_at),
             str(row.pending_until))
            for row in session.execute(select(lots.lots).where(lot.order_id.is_not(None)))
        ),
        "transfers": sorted(
            (row.kind, row.legs, row.shop_id, str(ids.get(row.order_id)))
            for row in session.execute(select(ledger.transfers))
        ),
        "tier changes": sorted(
            (phones[row[0]], str(row[1]), row[2])
            for row in session.execute(select(changes.customer_id, changes.from_id, changes.to_id))
        ),
    }  # fmt: skip


async def twin(tmp_path: Path, template: Path, clock: SetClock) -> Store:
    import shutil

    path = tmp_path / "twin.db"
    shutil.copy(template, path)
    return open_store(f"sqlite+aiosqlite:///{path}", clock, strict=True)


RICH = {
    "earn_per": 1_000, "tier_per": 20_000, "on": "listed",
    "multipliers": [
        {"name": "Bánh", "percent": 300, "items": ["Bánh flan"]},
        {"name": "Đơn đầu", "percent": 200, "orders": [1, 2]},
        {"name": "Cuối tuần", "percent": 150, "weekdays": [6, 7], "hours": ["08:00", "20:00"]},
        {"name": "Bạc", "percent": 120, "tiers": [2, 3]},
        {"name": "Hè 2025", "percent": 0, "first_day": "2025-06-01", "last_day": "2025-08-31"},
    ],
}  # fmt: skip


async def prepare(store: Store, return_days: int, rich: bool = False) -> int:
    shop = await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")
    await store.write(shops.change, shop, return_days=return_days)
    if rich:
        await store.write(earning.save, shop, RICH, "staff:1")
        await store.write(lambda session: session.execute(tiers.tier_table.update().values(multiplier=140)))
    return shop


@pytest.mark.parametrize("return_days", [0, 365])
@pytest.mark.parametrize("seed", range(2))
async def test_all_at_once_is_what_one_by_one_comes_to(
    store: Store, clock: SetClock, tmp_path: Path, sqlite_template: Path, seed: int, return_days: int
) -> None:
    slow = await twin(tmp_path, sqlite_template, clock)
    for each in (store, slow):
        await prepare(each, return_days, rich=seed > 0)
    rng = random.Random(seed)
    lines = rows_of(rng, 120, 25)
    for part in (lines[:50], lines[50:]):
        quick = await store.write(bulk.take_orders, 1, part)
        plain = await slow.write(one_by_one, 1, part)
        assert sorted((line, error.code) for line, error in quick.refused) == sorted(
            (line, error.code) for line, error in plain.refused
        )
    assert await store.read(picture) == await slow.read(picture)
    for each in (store, slow):
        assert await each.read(ledger.check) == []
        assert await each.read(points.check) == []
    await slow.close()


async def test_the_same_rows_again_change_nothing(store: Store) -> None:
    await prepare(store, 0)
    lines = [line for line in rows_of(random.Random(9), 60, 10) if not line.external_id.startswith("bad")]
    lines = list({line.external_id: line for line in lines}.values())
    first = await store.write(bulk.take_orders, 1, lines)
    before = await store.read(picture)
    again = await store.write(bulk.take_orders, 1, lines)
    assert (first.new, again.new, again.changed, again.same) == (len(lines), 0, 0, len(lines))
    assert await store.read(picture) == before


async def test_a_refund_in_a_later_file_takes_back_what_it_must(store: Store) -> None:
    await prepare(store, 0)
    order = OrderInput(85_999, "VND", datetime(2026, 11, 20, tzinfo=UTC), Status.COMPLETED, phone="+84903123456")
    await store.write(bulk.take_orders, 1, [OrderLine(2, "A1", order)])
    taken = await store.write(bulk.take_orders, 1, [OrderLine(2, "A1", replace(order, refunded=40_000))])
    customer = await store.read(customers.by_phone, "+84903123456")
    assert customer is not None
    assert (taken.new, taken.changed) == (0, 1)
    assert (await store.read(points.balances, customer))[0] == 45


async def test_a_friends_referral_is_settled_and_a_debt_is_paid_first(store: Store) -> None:
    shop = await prepare(store, 0)
    friend = await store.write(customers.create, phone="+84903000001")
    host = await store.write(customers.create, phone="+84903000002")
    code = await store.write(referrals.code_of, host)
    await store.write(referrals.open_link, code, friend)
    debtor = await store.write(orders.put, shop, "D1", OrderInput(
        50_000, "VND", datetime(2026, 11, 1, tzinfo=UTC), Status.COMPLETED, phone="+84903000003"))  # fmt: skip
    assert debtor.customer_id is not None
    await store.write(points.spend, "s", "redeem", customer_id=debtor.customer_id, shop_id=shop, points=40)
    await store.write(orders.put, shop, "D1", OrderInput(
        50_000, "VND", datetime(2026, 11, 1, tzinfo=UTC), Status.REFUNDED, phone="+84903000003"))  # fmt: skip
    at = datetime(2026, 11, 21, 6, tzinfo=UTC)
    lines = [
        OrderLine(2, "B1", OrderInput(30_000, "VND", at, Status.COMPLETED, phone="+84903000001")),
        OrderLine(3, "B2", OrderInput(60_000, "VND", at, Status.COMPLETED, phone="+84903000003")),
    ]
    assert (await store.write(bulk.take_orders, shop, lines)).new == 2
    assert (await store.read(points.balances, friend))[0] == 30 + 50
    assert (await store.read(points.balances, host))[0] == 50
    assert (await store.read(points.balances, debtor.customer_id))[0] == 20
    assert await store.read(points.check) == []


async def test_an_empty_wallet_refuses_by_row_and_the_rest_stands(store: Store) -> None:
    shop = await prepare(store, 0)
    wallet = (await store.read(ledger.balances, "shop", shop))["wallet"]
    rich = await store.write(customers.create, phone="+84903000009")
    await store.write(
        points.earn, "drain", "adjust", customer_id=rich, shop_id=shop, points=wallet - 50, expires_at=None
    )
    at = datetime(2026, 11, 20, tzinfo=UTC)
    lines = [
        OrderLine(line, f"C{line}", OrderInput(30_000, "VND", at, Status.COMPLETED, phone=f"+8490300001{line}"))
        for line in (2, 3)
    ]
    taken = await store.write(bulk.take_orders, shop, lines)
    assert taken.new == 1
    assert [(line, error.code) for line, error in taken.refused] == [(3, "insufficient_points")]
    assert await store.read(customers.by_phone, "+84903000013") is None
    assert await store.read(ledger.check) == []
