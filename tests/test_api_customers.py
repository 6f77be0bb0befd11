"""The API on customers and their points, over real HTTP, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from loyalty.customers import claims, customers
from loyalty.points import ledger, points
from store.audit import AuditRow
from store.clock import SetClock
from store.engine import Store
from tests.api import LAN, Api, serving


@pytest.fixture
async def api(store: Store) -> AsyncIterator[Api]:
    async with serving(store) as found:
        yield found


async def test_a_customer_is_made_once_and_read_by_number_and_phone(api: Api) -> None:
    made = await api.post(
        "/customers", {"phone": "0903 123 456", "name": " Lan ", "birthday": "1994-08-15", "language": "en", "vip": 1}
    )
    assert made.status == 201
    assert made.body == {
        "id": made.body["id"], "phone": LAN, "name": "Lan", "birthday": "1994-08-15", "language": "en",
        "points": {"available": 0, "pending": 0, "expiring": []},
        "tier": {"name": "Thành viên", "next": "Bạc", "to_next": 50},
        "spend": {"total": 0, "orders": 0, "last_order_at": None}, "groups": [], "debt": None,
    }  # fmt: skip
    again = await api.post("/customers", {"phone": LAN, "name": "Somebody else"})
    assert (again.status, again.body) == (200, made.body)
    for path in (f"/customers/{made.body['id']}", "/customers?phone=0903123456", f"/customers?phone={LAN}"):
        found = await api.get(path)
        assert (found.status, found.body) == (200, made.body), path
    await api.get(f"/customers/{made.body['id']}/ledger")
    query = select(AuditRow.actor, AuditRow.shop_id, AuditRow.data).where(AuditRow.action == "customer_seen")
    looks = await api.store.read(lambda session: session.execute(query).all())
    # However often a key reads a customer on a day, the audit has one line of it.
    assert [tuple(one) for one in looks] == [("key:1", api.shop, {"customer": made.body["id"], "place": "api"})]


async def test_what_nobody_knew_of_a_guest_is_filled_in(api: Api) -> None:
    order = await api.order("A1")
    known = await api.post("/customers", {"phone": LAN, "name": "Lan", "birthday": "1994-08-15"})
    assert known.status == 200
    assert (known.body["id"], known.body["name"], known.body["birthday"]) == (
        order.body["customer_id"],
        "Lan",
        "1994-08-15",
    )


async def test_twenty_at_once_make_one_customer(api: Api) -> None:
    found = await asyncio.gather(*(api.post("/customers", {"phone": LAN}) for _ in range(20)))
    assert sorted(answer.status for answer in found) == [200] * 19 + [201]
    assert len({answer.body["id"] for answer in found}) == 1


async def test_an_order_shows_in_points_tier_and_spend(api: Api) -> None:
    order = await api.order("A1", 1_200_000)
    shown = (await api.get(f"/customers/{order.body['customer_id']}")).body
    assert shown["points"] == {"available": 1200, "pending": 0, "expiring": [{"points": 1200, "on": "2027-11-30"}]}
    assert shown["tier"] == {"name": "Bạc", "next": "Vàng", "to_next": 190}
    assert shown["spend"] == {"total": 1_200_000, "orders": 1, "last_order_at": "2026-11-20T03:00:00Z"}


async def test_merged_customers_answer_under_the_one_who_lives_on(api: Api) -> None:
    one = (await api.post("/customers", {"phone": LAN})).body["id"]
    other = (await api.post("/customers", {"phone": "0911222333"})).body["id"]
    await api.order("A1", customer={"id": other})
    await api.store.write(claims.merge, one, other)
    for number in (one, other):
        found = await api.get(f"/customers/{number}")
        assert (found.body["id"], found.body["points"]["available"]) == (one, 85)
        entries = (await api.get(f"/customers/{number}/ledger")).body["entries"]
        assert sum(entry["points"] for entry in entries) == 85


async def test_nobody_is_404(api: Api) -> None:
    for number in ["0", "-1", "1.5", "abc", "999999", str(2**63), "9" * 40, "%00", "%D9%A1"]:
        for rest in ["", "/ledger"]:
            found = await api.get(f"/customers/{number}{rest}")
            assert found.status == 404, number
            assert found.headers["type"] == "application/problem+json"


async def test_a_wrong_customer_is_422_and_names_the_field(api: Api) -> None:
    for body, field in [
        ({}, "phone"),
        ({"phone": None}, "phone"),
        ({"phone": 903123456}, "phone"),
        ({"phone": "12"}, "phone"),
        ({"phone": "0903 123 456 ext 7"}, "phone"),
        ({"phone": LAN, "name": "x" * 81}, "name"),
        ({"phone": LAN, "name": 5}, "name"),
        ({"phone": LAN, "name": "a\0b"}, "name"),
        ({"phone": LAN, "birthday": "15/08/1994"}, "birthday"),
        ({"phone": LAN, "birthday": "19940815"}, "birthday"),
        ({"phone": LAN, "birthday": "1994-02-30"}, "birthday"),
        ({"phone": LAN, "birthday": "2999-01-01"}, "birthday"),
        ({"phone": LAN, "birthday": 776908800}, "birthday"),
        ({"phone": LAN, "birthday": "86400"}, "birthday"),
        ({"phone": LAN, "language": "xx"}, "language"),
        ([], "body"),
        ("text", "body"),
    ]:
        refused = await api.post("/customers", body)
        assert (refused.status, refused.body["code"], refused.fields) == (422, "invalid", [field]), (field, refused)
        assert (await api.get(f"/customers?phone={LAN}")).status == 404


async def test_a_phone_that_is_missing_or_wrong_in_the_query(api: Api) -> None:
    assert (await api.get("/customers")).fields == ["phone"]
    assert (await api.get("/customers?phone=12")).fields == ["phone"]
    assert (await api.get("/customers?phone=0903999999")).status == 404


async def test_the_ledger_pages_newest_first(api: Api, clock: SetClock) -> None:
    customer = (await api.order("A/1".replace("/", "%2F"), 50_000)).body["customer_id"]
    for number in range(120):
        clock.advance(timedelta(seconds=1))
        await api.store.write(
            points.adjust, f"k{number}", customer_id=customer, shop_id=api.shop, points=1 if number % 3 else -1,
            reason="r", expires_at=None, actor="test",
        )  # fmt: skip
    entries: list[Any] = []
    path = f"/customers/{customer}/ledger"
    cursor = ""
    while cursor is not None:
        page = await api.get(f"{path}?cursor={cursor}" if cursor else path)
        assert page.status == 200
        entries += page.body["entries"]
        cursor = page.body["next"]
    assert len(entries) == 121
    assert [entry["at"] for entry in entries] == sorted((entry["at"] for entry in entries), reverse=True)
    balance = 0
    for entry in reversed(entries):
        balance += entry["points"]
        assert entry["balance"] == balance
    assert entries[-1] == {
        "at": "2026-11-21T05:00:00Z", "kind": "earn", "points": 50, "balance": 50, "order": "A/1",
        "expires_on": "2027-11-30", "shop": "Phố Cafe", "reason": None, "why": [],
    }  # fmt: skip
    assert entries[0]["expires_on"] is None


async def test_a_made_up_cursor_is_refused(api: Api) -> None:
    for cursor in ["x", "%00", "MTo", "OTk5OTk5OTk5OTk5OTk5OTk5OTk6MQ", "%C3%A9", "a" * 200]:
        customer = (await api.order("A1")).body["customer_id"]
        refused = await api.get(f"/customers/{customer}/ledger?cursor={cursor}")
        assert (refused.status, refused.fields) == (422, ["cursor"]), cursor


def keyed(key: str) -> dict[str, Any]:
    return {"headers": {"Idempotency-Key": key}}


async def test_points_by_hand_are_posted_once_for_a_key(api: Api) -> None:
    customer = (await api.post("/customers", {"phone": LAN})).body["id"]
    path = f"/customers/{customer}/points"
    given = await api.post(path, {"points": 50, "reason": "sorry"}, **keyed("k1"))
    assert given.status == 201
    assert given.body == {
        "at": "2026-11-21T05:00:00Z", "kind": "adjust", "points": 50, "balance": 50, "order": None,
        "expires_on": "2027-11-30", "shop": "Phố Cafe", "reason": "sorry", "why": [],
    }  # fmt: skip
    taken = await api.post(path, {"points": -20, "reason": "slip"}, **keyed("k2"))
    assert (taken.status, taken.body["points"], taken.body["balance"]) == (201, -20, 30)
    again = await api.post(path, {"reason": "sorry", "points": 50}, **keyed("k1"))
    assert (again.status, again.body) == (201, given.body)
    other = await api.post(path, {"points": 51, "reason": "sorry"}, **keyed("k1"))
    assert (other.status, other.body["code"]) == (409, "idempotency_conflict")
    much = await api.post(path, {"points": -31, "reason": "slip"}, **keyed("k3"))
    assert (much.status, much.body["code"]) == (409, "insufficient_points")
    assert (await api.get(f"/customers/{customer}")).body["points"]["available"] == 30
    _, key = await api.another_shop()
    elsewhere = await api.post(path, {"points": 5, "reason": "gift"}, key=key, **keyed("k1"))
    assert elsewhere.status == 201, "another shop's keys are its own"
    assert await api.store.read(ledger.check) == []
    assert await api.store.read(points.check) == []


async def test_a_key_says_the_same_after_a_merge(api: Api) -> None:
    one = (await api.post("/customers", {"phone": LAN})).body["id"]
    other = (await api.post("/customers", {"phone": "0911222333"})).body["id"]
    first = await api.post(f"/customers/{other}/points", {"points": 50, "reason": "r"}, **keyed("k1"))
    await api.store.write(claims.merge, one, other)
    again = await api.post(f"/customers/{other}/points", {"points": 50, "reason": "r"}, **keyed("k1"))
    assert (again.status, again.body) == (201, first.body)
    assert (await api.get(f"/customers/{one}")).body["points"]["available"] == 50


async def test_one_key_twenty_times_at_once_posts_once(api: Api) -> None:
    customer = (await api.post("/customers", {"phone": LAN})).body["id"]
    body = {"points": 50, "reason": "sorry"}
    found = await asyncio.gather(*(api.post(f"/customers/{customer}/points", body, **keyed("k")) for _ in range(20)))
    assert [answer.status for answer in found] == [201] * 20
    assert all(answer.body == found[0].body for answer in found)
    assert (await api.store.read(points.balances, customer))[0] == 50


async def test_one_key_for_two_customers_at_once_is_one_conflict(api: Api) -> None:
    ids = [(await api.post("/customers", {"phone": f"090312345{n}"})).body["id"] for n in range(8)]
    body = {"points": 50, "reason": "sorry"}
    found = await asyncio.gather(*(api.post(f"/customers/{one}/points", body, **keyed("k")) for one in ids))
    assert sorted(answer.status for answer in found) == [201] + [409] * 7
    assert {answer.body["code"] for answer in found if answer.status == 409} == {"idempotency_conflict"}


async def test_spending_at_once_never_goes_below_nothing(api: Api) -> None:
    customer = (await api.order("A1", 50_000)).body["customer_id"]
    body = {"points": -20, "reason": "slip"}
    found = await asyncio.gather(
        *(api.post(f"/customers/{customer}/points", body, **keyed(f"k{n}")) for n in range(10))
    )
    assert sorted(answer.status for answer in found) == [201] * 2 + [409] * 8
    assert (await api.store.read(points.balances, customer))[0] == 10
    assert await api.store.read(points.check) == []


async def test_wrong_points_are_refused(api: Api) -> None:
    for body, header, status, field in [
        ({"points": 5, "reason": "r"}, None, 400, "Idempotency-Key"),
        ({"points": 5, "reason": "r"}, "", 422, "Idempotency-Key"),
        ({"points": 5, "reason": "r"}, "x" * 201, 422, "Idempotency-Key"),
        ({"points": 5, "reason": "r"}, "khoá", 422, "Idempotency-Key"),
        ({"points": 0, "reason": "r"}, "k", 422, "points"),
        ({"points": True, "reason": "r"}, "k", 422, "points"),
        ({"points": 1.0, "reason": "r"}, "k", 422, "points"),
        ({"points": "5", "reason": "r"}, "k", 422, "points"),
        ({"points": 10**30, "reason": "r"}, "k", 422, "points"),
        ({"points": 5}, "k", 422, "reason"),
        ({"points": 5, "reason": "  "}, "k", 422, "reason"),
        ({"points": 5, "reason": "x" * 201}, "k", 422, "reason"),
    ]:
        customer = (await api.post("/customers", {"phone": LAN})).body["id"]
        headers = {} if header is None else {"Idempotency-Key": header}
        refused = await api.post(f"/customers/{customer}/points", body, headers=headers)
        assert (refused.status, refused.fields) == (status, [field]), body
        assert (await api.store.read(points.balances, customer))[0] == 0
        assert (await api.store.read(customers.get, customer)).phone == LAN
