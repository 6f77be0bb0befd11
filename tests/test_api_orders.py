"""The API on orders and the settlement, over real HTTP, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest

from loyalty.customers import claims, customers
from loyalty.points import ledger, points
from store.clock import SetClock
from store.engine import Store
from tests.api import LAN, PLACED, Api, serving


@pytest.fixture
async def api(store: Store) -> AsyncIterator[Api]:
    async with serving(store, ("telegram", "web")) as found:
        yield found


async def test_an_order_earns_and_the_same_again_changes_nothing(api: Api) -> None:
    first = await api.order("A1", 85_999, items=[{"name": "Cà phê", "price": 1.5}], note="?")
    assert first.status == 200
    token = first.body.pop("claim_url").removeprefix("https://telegram.example/?start=c_")
    assert len(token) >= 12
    assert first.body == {
        "external_id": "A1", "customer_id": first.body["customer_id"], "status": "completed",
        "points": {"earned": 85, "pending": 0, "reversed": 0},
    }  # fmt: skip
    again = await api.order("A1", 85_999)
    again.body.pop("claim_url")
    assert (again.status, again.body) == (200, first.body)
    read = await api.get("/orders/A1")
    read.body.pop("claim_url")
    assert (read.status, read.body) == (200, first.body)
    assert (await api.get("/orders/A2")).status == 404


async def test_a_refund_counts_once(api: Api) -> None:
    await api.order("A1", 85_999)
    for _ in range(2):
        state = await api.order("A1", 85_999, refunded=40_000)
        assert state.body["points"] == {"earned": 85, "pending": 0, "reversed": 40}
    state = await api.order("A1", 85_999, status="refunded")
    assert (state.body["status"], state.body["points"]["reversed"]) == ("refunded", 85)
    assert (await api.get(f"/customers/{state.body['customer_id']}")).body["points"]["available"] == 0


async def test_an_order_of_nobody_has_a_claim_link_until_somebody_with_an_account_owns_it(api: Api) -> None:
    order = await api.order("A1", 85_000, customer=None)
    assert (order.body["customer_id"], order.body["points"]["earned"]) == (None, 85)
    token = order.body["claim_url"].removeprefix("https://telegram.example/?start=c_")
    person = await api.store.write(customers.meet, "web", 7, 7, name="Lan", language="vi", shop_id=api.shop)
    await api.store.write(claims.claim_order, person.customer_id, token)
    owned = await api.get("/orders/A1")
    assert owned.body["customer_id"] == person.customer_id
    assert "claim_url" not in owned.body
    again = await api.order("A1", 85_000, customer=None)
    assert (again.status, again.body) == (200, owned.body)


async def test_without_telegram_the_claim_link_leads_to_the_web_chat(store: Store) -> None:
    async with serving(store, ("web",)) as api:
        order = await api.order("A1", customer=None)
        assert order.body["claim_url"].startswith("https://pho.example/chat?start=c_")


async def test_an_external_id_may_be_any_text(api: Api) -> None:
    for written in ["A%2F1", "%C4%91%C6%A1n%201", "%25", "a%3Fb%23c", "x" * 100, "..%2F..%2Fetc"]:
        put = await api.order(written)
        assert (put.status, put.body["external_id"]) == (200, unquote(written))
        assert (await api.get(f"/orders/{written}")).status == 200


async def test_an_external_id_that_cannot_be_kept_is_422(api: Api) -> None:
    for written in ["x" * 101, "%20", "%00", "a%00b"]:
        refused = await api.order(written)
        assert (refused.status, refused.fields) == (422, ["external_id"])


async def test_a_wrong_order_is_422_and_nothing_changes(api: Api) -> None:
    for values, field in [
        ({"total": -1}, "total"),
        ({"total": True}, "total"),
        ({"delivered_at": "2099-01-01T00:00:00Z"}, "delivered_at"),
        ({"total": "85000"}, "total"),
        ({"total": 85000.0}, "total"),
        ({"total": None}, "total"),
        ({"total": 10**13}, "total"),
        ({"total": 2**70}, "total"),
        ({"currency": "USD"}, "currency"),
        ({"currency": 1}, "currency"),
        ({"placed_at": "2026-11-20T10:00:00"}, "placed_at"),
        ({"placed_at": "2026-11-20"}, "placed_at"),
        ({"placed_at": 1763607600}, "placed_at"),
        ({"placed_at": "1763607600"}, "placed_at"),
        ({"placed_at": "20/11/2026 10:00"}, "placed_at"),
        ({"placed_at": "2027-11-20T10:00:00+07:00"}, "placed_at"),
        ({"placed_at": "0001-01-01T00:00:00+14:00"}, "placed_at"),
        ({"status": "paid"}, "status"),
        ({"status": None}, "status"),
        ({"refunded": 90_000}, "refunded"),
        ({"refunded": False}, "refunded"),
        ({"customer": LAN}, "customer"),
        ({"customer": {}}, "customer"),
        ({"customer": {"id": 1, "phone": LAN}}, "customer"),
        ({"customer": {"id": "1"}}, "customer.id"),
        ({"customer": {"phone": "1"}}, "customer.phone"),
        ({"items": {}}, "items"),
        ({"items": ["x"]}, "items.0"),
        ({"items": [{"name": "a\0"}]}, "items.0.name"),
        ({"items": [{"name": "\ud800"}]}, "items.0.name"),
        ({"redemptions": ["1"]}, "redemptions.0"),
        ({"redemptions": [99]}, "redemptions"),
        ({"redemptions": [2**64]}, "redemptions.0"),
    ]:
        refused = await api.order("A1", **values)
        assert (refused.status, refused.body["code"], refused.fields) == (422, "invalid", [field]), (field, refused)
        assert (await api.get("/orders/A1")).status == 404
        assert await api.store.read(customers.by_phone, LAN) is None


async def test_a_missing_field_is_named(api: Api) -> None:
    for field in ["total", "currency", "placed_at", "status"]:
        body = {"customer": None, "total": 1, "currency": "VND", "placed_at": PLACED, "status": "completed"}
        body.pop(field)
        refused = await api.call("PUT", "/orders/A1", body)
        assert (refused.status, refused.fields) == (422, [field])
        assert refused.body["errors"][0]["problem"] == "required"


async def test_all_wrong_fields_are_named_at_once(api: Api) -> None:
    refused = await api.call("PUT", "/orders/A1", {"total": "x", "status": 1})
    assert refused.fields == ["total", "currency", "placed_at", "status"]


async def test_a_customer_who_is_not_there_is_404(api: Api) -> None:
    for number in [0, -1, 99, 2**63, 10**40]:
        refused = await api.order("A1", customer={"id": number})
        assert (refused.status, refused.body["code"]) == (404, "not_found"), number


async def test_a_free_order_is_valid_and_another_customer_is_not(api: Api) -> None:
    free = await api.order("A1", 0)
    assert (free.status, free.body["points"]["earned"]) == (200, 0)
    other = await api.order("A1", 0, customer={"phone": "0911222333"})
    assert (other.status, other.body["code"]) == (409, "conflict")
    same = await api.order("A1", 0, customer={"id": free.body["customer_id"]})
    assert same.status == 200


async def test_an_order_belongs_to_the_keys_shop(api: Api) -> None:
    await api.order("A1", 10_000)
    _, key = await api.another_shop()
    assert (await api.get("/orders/A1", key=key)).status == 404
    mine = await api.call("PUT", "/orders/A1", {
        "customer": {"phone": LAN}, "total": 20_000, "currency": "VND", "placed_at": PLACED, "status": "completed",
    }, key=key)  # fmt: skip
    assert mine.body["points"]["earned"] == 20
    assert (await api.get("/orders/A1")).body["points"]["earned"] == 10


async def test_one_order_twenty_times_at_once_earns_once(api: Api) -> None:
    found = await asyncio.gather(*(api.order("A1", 85_000) for _ in range(20)))
    assert [answer.status for answer in found] == [200] * 20
    assert len({answer.body["customer_id"] for answer in found}) == 1
    assert (await api.store.read(points.balances, found[0].body["customer_id"]))[0] == 85
    assert await api.store.read(ledger.check) == []
    assert await api.store.read(points.check) == []


async def test_twenty_orders_of_one_customer_at_once_all_earn(api: Api) -> None:
    found = await asyncio.gather(*(api.order(f"A{n}", 10_000) for n in range(20)))
    assert [answer.status for answer in found] == [200] * 20
    shown = (await api.get(f"/customers/{found[0].body['customer_id']}")).body
    assert (shown["points"]["available"], shown["spend"]["orders"], shown["spend"]["total"]) == (200, 20, 200_000)
    assert await api.store.read(points.check) == []


async def test_the_settlement_says_who_issued_and_who_redeemed(api: Api, clock: SetClock) -> None:
    other, _ = await api.another_shop()
    clock.set(datetime(2026, 11, 20, 16, 59, 59, tzinfo=UTC))  # 23:59:59 of the 20th at the shop
    order = await api.order("A1", 85_000)
    customer = order.body["customer_id"]
    await api.store.write(points.spend, "s1", "redeem", customer_id=customer, shop_id=other, points=30)
    clock.set(datetime(2026, 11, 20, 17, 0, tzinfo=UTC))
    await api.order("A1", 85_000, refunded=5_000)

    async def settled(first: str, last: str) -> list[tuple[int, int, int]]:
        answer = await api.get(f"/settlement?from={first}&to={last}")
        assert (answer.status, answer.body["from"], answer.body["to"]) == (200, first, last)
        assert [line["shop"] for line in answer.body["shops"]] == [api.shop, other]
        return [(line["issued"], line["redeemed"], line["net"]) for line in answer.body["shops"]]

    assert await settled("2026-11-20", "2026-11-20") == [(85, 0, 85), (0, 30, -30)]
    assert await settled("2026-11-21", "2026-11-21") == [(-5, 0, -5), (0, 0, 0)]
    assert await settled("2026-11-01", "2026-11-30") == [(80, 0, 80), (0, 30, -30)]
    assert await settled("2026-11-01", "2026-11-19") == [(0, 0, 0), (0, 0, 0)]
    answer = await api.get("/settlement?from=2026-11-01&to=2026-11-30")
    assert answer.body["debts"] == [{"debtor": api.shop, "creditor": other, "points": 30, "worth": 600}]


async def test_a_wrong_period_is_422(api: Api) -> None:
    for query, fields in [
        ("", ["from", "to"]),
        ("?from=2026-11-01", ["to"]),
        ("?from=x&to=2026-11-01", ["from"]),
        ("?from=2026-11-02&to=2026-11-01", ["to"]),
        ("?from=0001-01-01&to=9999-12-31", ["from", "to"]),
    ]:
        refused = await api.get(f"/settlement{query}")
        assert (refused.status, refused.fields) == (422, fields), query
