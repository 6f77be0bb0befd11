"""Who owes whom: the points of one shop that another took."""

from datetime import date, timedelta

import pytest

from loyalty import programme
from loyalty.customers import claims, customers
from loyalty.points import debts, points
from store.clock import SetClock
from store.engine import Store
from store.errors import InvalidError
from tests.conftest import NOON

DAY = NOON.date()


@pytest.fixture
async def three(store: Store) -> list[int]:
    return [
        await store.write(programme.open_shop, name, timezone="Asia/Ho_Chi_Minh", language="vi")
        for name in ("Phố", "Chợ", "Ga")
    ]


async def owed(store: Store, first: date = DAY, last: date = DAY) -> list[tuple[str, str, int, int, int]]:
    return [
        (one.debtor.name, one.creditor.name, one.spent, one.back, one.worth)
        for one in await store.read(debts.report, first, last)
    ]


async def test_the_issuer_owes_who_took_its_points(store: Store, three: list[int], clock: SetClock) -> None:
    street, market, station = three
    lan = await store.write(customers.create, home_shop_id=street)
    for key, shop, amount, days in (("e1", street, 100, 10), ("e2", market, 50, 20), ("e3", station, 30, 30)):
        await store.write(
            points.earn, key, "earn", customer_id=lan, shop_id=shop, points=amount,
            expires_at=NOON + timedelta(days=days),
        )  # fmt: skip
    # Soonest to expire first: 100 of the street's and 20 of the market's at the market, then the market's at the street's.
    spent = await store.write(points.spend, "s1", "pay", customer_id=lan, shop_id=market, points=120)
    await store.write(points.spend, "s2", "pay", customer_id=lan, shop_id=street, points=35)
    assert await owed(store) == [("Phố", "Chợ", 100, 30, 70 * 20), ("Ga", "Phố", 5, 0, 5 * 20)]
    # What is given back goes to the lots it came from, and is owed no more; a merge changes nothing of who issued.
    await store.write(points.give_back, "b1", "pay_back", spent.transfer_id, customer_id=lan, points=60)
    anna = await store.write(customers.create, home_shop_id=station)
    await store.write(claims.merge, anna, lan)
    assert await owed(store) == [("Phố", "Chợ", 60, 30, 30 * 20), ("Ga", "Phố", 5, 0, 5 * 20)]
    clock.advance(timedelta(days=1))
    await store.write(points.spend, "s3", "pay", customer_id=anna, shop_id=station, points=40)
    tomorrow = DAY + timedelta(days=1)
    assert await owed(store, tomorrow, tomorrow) == [("Phố", "Ga", 40, 0, 40 * 20)]
    assert await owed(store, DAY, tomorrow) == [("Phố", "Ga", 40, 5, 35 * 20), ("Phố", "Chợ", 60, 30, 30 * 20)]
    with pytest.raises(InvalidError):
        await store.read(debts.report, tomorrow, DAY)
