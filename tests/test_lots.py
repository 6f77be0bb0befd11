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
    lan, gone = [await store.write(customers.create, home_shop_id=shop) for _ in range(2)]
    for key, amount, until in (("m", 1, MARCH), ("y", 7, MAY)):
        await store.write(points.earn, key, "earn", customer_id=lan, shop_id=shop, points=amount, expires_at=until)
    await store.write(points.claw_back, "c", "refund", customer_id=gone, shop_id=shop, points=5)
    await store.write(claims.merge, lan, gone)
    wallet = await store.read(points.wallet, lan, ZONE)
    assert [(part.points, str(part.on)) for part in wallet.expiring] == [(3, "2027-05-31")]
    assert await store.read(proof.faults) == []


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
