"""The thread through everything: a message in, a row, a rule, an answer out."""

from collections.abc import AsyncIterator

import pytest

from loyalty.customers import customers
from loyalty.points import ledger, points
from tests.running import Running, running


@pytest.fixture(params=["polling", "webhook"])
async def shop(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Running]:
    async with running(database_url, webhook=request.param == "webhook") as started:
        yield started


async def test_a_customer_arrives_and_asks_for_points(shop: Running) -> None:
    lan = shop.api.user(first_name="Lan", last_name="Nguyễn", language_code="vi")
    await lan.start()
    await lan.wait_for(lambda m: "Phố Cafe" in m["text"])
    await lan.send("/points")
    answer = await lan.wait_for(lambda m: "0" in m["text"])
    assert "reply_markup" in answer
    person = await shop.store.read(customers.identify, shop.app.telegram.account, lan.id)
    assert person is not None
    assert (await shop.store.read(points.balances, person.customer_id)) == (0, 0, 0)
    assert await shop.store.read(ledger.check) == []
    assert shop.api.refused == []
