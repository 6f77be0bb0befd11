"""Lots hold what is in the balance, whoever becomes whom."""

from datetime import UTC, datetime
from typing import Any

from loyalty import programme
from loyalty.customers import claims, customers
from loyalty.points import points, proof
from store.engine import Store

ZONE = "Asia/Ho_Chi_Minh"
MARCH, MAY = datetime(2027, 3, 31, 17, tzinfo=UTC), datetime(2027, 5, 31, 17, tzinfo=UTC)


async def test_a_debt_that_comes_with_a_merge_is_paid_soonest_first(store: Store) -> None:
    shop = await store.write(programme.open_shop, "Phố Cafe", timezone=ZONE, language="vi")
    for debt, left, balance in ((1, [(7, "2027-05-31")], 7), (5, [(3, "2027-05-31")], 3), (9, [], -1)):
        lan, gone, thu = [await store.write(customers.create, home_shop_id=shop) for _ in range(3)]
        await store.write(points.earn, f"{debt}", "earn", customer_id=thu, shop_id=shop, points=2)
        for amount, until in ((1, MARCH), (7, MAY)):
            await store.write(
                points.earn, f"{debt}:{amount}", "earn", customer_id=lan, shop_id=shop, points=amount, expires_at=until
            )
        await store.write(points.claw_back, f"c{debt}", "refund", customer_id=gone, shop_id=shop, points=debt)
        await store.write(claims.merge, lan, gone)
        wallet = await store.read(points.wallet, lan, ZONE)
        assert [(part.points, str(part.on)) for part in wallet.expiring] == left
        assert wallet.available == balance
        assert [part.points for part in (await store.read(points.wallet, thu, ZONE)).expiring] == [2]
    assert await store.read(proof.faults) == []


async def test_a_refund_takes_from_the_lot_of_its_own_order(store: Store) -> None:
    shop = await store.write(programme.open_shop, "Phố Cafe", timezone=ZONE, language="vi")
    lan = await store.write(customers.create, home_shop_id=shop)
    more: dict[str, Any] = {"customer_id": lan, "shop_id": shop}
    for order, until in enumerate((MARCH, MAY, None)):
        await store.write(points.earn, f"e{order}", "earn", points=10, expires_at=until, order_id=order, **more)
    await store.write(points.claw_back, "c", "refund", points=4, order_id=1, **more)
    assert [part.points for part in (await store.read(points.wallet, lan, ZONE)).expiring] == [10, 6, 10]


async def test_what_paid_the_debt_of_a_spend_comes_back_with_it(store: Store) -> None:
    """An order is paid with points that are gone by then, a later one pays the debt, and the first is cancelled."""
    shop = await store.write(programme.open_shop, "Phố Cafe", timezone=ZONE, language="vi")
    lan = await store.write(customers.create, home_shop_id=shop)
    more: dict[str, Any] = {"customer_id": lan, "shop_id": shop}
    await store.write(points.earn, "m", "earn", points=20, expires_at=MARCH, **more)
    spent = await store.write(points.spend, "s", "pay", points=30, covered=False, **more)
    await store.write(points.earn, "y", "earn", points=15, expires_at=MAY, **more)
    await store.write(points.give_back, "b", "pay_back", spent.transfer_id, customer_id=lan)
    wallet = await store.read(points.wallet, lan, ZONE)
    assert [(part.points, str(part.on)) for part in wallet.expiring] == [(20, "2027-03-31"), (15, "2027-05-31")]
    assert await store.read(proof.faults) == []
