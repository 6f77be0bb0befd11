"""Orders earn by the rule, and after any refunds what stays is what the rule gives for what stays paid."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from loyalty import programme
from loyalty.customers import customers
from loyalty.orders import earning, orders
from loyalty.points import ledger, points
from store.engine import Store
from store.errors import ConflictError, InvalidError

LAN = "+84903123456"
AT = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")


def order(total: int, **values: object) -> orders.OrderInput:
    base = orders.OrderInput(total=total, currency="VND", placed_at=AT, status=orders.Status.COMPLETED, phone=LAN)
    return replace(base, **values)


async def test_an_order_earns_by_the_rate_and_again_changes_nothing(store: Store, shop: int) -> None:
    first = await store.write(orders.put, shop, "A1", order(85_999))
    again = await store.write(orders.put, shop, "A1", order(85_999))
    assert first == again
    assert (first.earned, first.pending, first.reversed) == (85, 0, 0)
    assert first.customer_id is not None
    wallet = await store.read(points.wallet, first.customer_id, "Asia/Ho_Chi_Minh")
    assert (wallet.available, wallet.tier_points) == (85, 4)
    assert [(part.points, part.on.isoformat()) for part in wallet.expiring] == [(85, "2027-11-30")]
    assert await store.read(ledger.check) == []


@pytest.mark.parametrize("refunds", [[500], [999, 1_000, 40_000], [1, 2, 3, 85_999], [85_999, 0]])
async def test_after_refunds_what_stays_is_what_the_rule_gives(store: Store, shop: int, refunds: list[int]) -> None:
    state = await store.write(orders.put, shop, "A1", order(85_999))
    for refunded in refunds:
        state = await store.write(orders.put, shop, "A1", order(85_999, refunded=refunded))
        await store.write(orders.put, shop, "A1", order(85_999, refunded=refunded))
    paid = 85_999 - refunds[-1]
    assert (state.earned, state.reversed) == (85, 85 - paid // 1000)
    assert state.customer_id is not None
    assert (await store.read(points.balances, state.customer_id)) == (paid // 1000, 0, paid // 20_000)
    assert await store.read(ledger.check) == []
    assert await store.read(points.check) == []


async def test_cancelling_takes_everything_back_and_completing_again_gives_it(store: Store, shop: int) -> None:
    state = await store.write(orders.put, shop, "A1", order(50_000))
    assert state.customer_id is not None
    await store.write(orders.put, shop, "A1", order(50_000, status=orders.Status.CANCELLED))
    assert (await store.read(points.balances, state.customer_id))[0] == 0
    await store.write(orders.put, shop, "A1", order(50_000))
    assert (await store.read(points.balances, state.customer_id))[0] == 50
    person = await store.read(customers.get, state.customer_id)
    assert (person.spend_total, person.orders_count) == (50_000, 1)


async def test_spent_points_that_a_refund_takes_leave_a_debt_the_next_order_pays(store: Store, shop: int) -> None:
    state = await store.write(orders.put, shop, "A1", order(50_000))
    assert state.customer_id is not None
    await store.write(points.spend, "s1", "redeem", customer_id=state.customer_id, shop_id=shop, points=40)
    await store.write(orders.put, shop, "A1", order(50_000, status=orders.Status.REFUNDED))
    assert (await store.read(points.balances, state.customer_id))[0] == -40
    await store.write(orders.put, shop, "A2", order(60_000))
    wallet = await store.read(points.wallet, state.customer_id, "Asia/Ho_Chi_Minh")
    assert wallet.available == 20
    assert sum(part.points for part in wallet.expiring) == 20
    assert await store.read(points.check) == []


async def test_a_changed_rate_leaves_old_orders_alone(store: Store, shop: int) -> None:
    await store.write(orders.put, shop, "A1", order(50_000))
    await store.write(earning.save, shop, {"earn_per": 10_000, "tier_per": 20_000}, "staff:1")
    state = await store.write(orders.put, shop, "A1", order(50_000, refunded=10_000))
    assert (state.earned, state.reversed) == (50, 10)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"total": -1}, "total"),
        ({"total": 10**15}, "total"),
        ({"refunded": 60_000}, "refunded"),
        ({"currency": "USD"}, "currency"),
        ({"placed_at": datetime(2027, 1, 1, tzinfo=UTC)}, "placed_at"),
    ],
)
async def test_what_cannot_be_right_is_refused_and_nothing_is_changed(
    store: Store, shop: int, values: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidError) as refused:
        await store.write(orders.put, shop, "A1", order(50_000, **values) if "total" not in values else order(**values))
    assert refused.value.field == field
    assert await store.read(customers.by_phone, LAN) is None


async def test_an_order_stays_with_its_customer(store: Store, shop: int) -> None:
    await store.write(orders.put, shop, "A1", order(50_000))
    with pytest.raises(ConflictError):
        await store.write(orders.put, shop, "A1", order(50_000, phone="+84903999999"))
    assert await store.read(customers.by_phone, "+84903999999") is None
