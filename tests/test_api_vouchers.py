"""The API on vouchers: programmes, codes, reserve, confirm and cancel, over real HTTP, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from loyalty import ledger, redemptions, vouchers
from store.clock import SetClock
from store.engine import Store
from tests.api import LAN, Answer, Api, serving


@pytest.fixture
async def api(store: Store) -> AsyncIterator[Api]:
    async with serving(store) as found:
        yield found


async def program(api: Api, **values: Any) -> int:
    made = await api.post("/voucher-programs", {"name": "20 % off", "kind": "percent", "value": 20} | values)
    assert made.status == 201, made
    return int(made.body["id"])


async def code_of(api: Api, program_id: int, **body: Any) -> str:
    given = await api.post(f"/voucher-programs/{program_id}/vouchers", body)
    assert given.status == 201, given
    return str(given.body["codes"][0])


async def test_a_program_is_made_with_what_it_was_given(api: Api) -> None:
    made = await api.post("/voucher-programs", {
        "name": "20 % off", "kind": "percent", "value": 20, "cap": 30_000, "min_order": 50_000, "stock": 10,
        "per_customer": 2, "price_points": 100, "starts_at": "2026-11-20T00:00:00+07:00", "ends_at": None, "hidden": True,
    })  # fmt: skip
    assert made.status == 201
    assert made.body == {
        "id": made.body["id"], "name": "20 % off", "kind": "percent", "value": 20, "cap": 30_000, "min_order": 50_000,
        "stock": 10, "issued": 0, "per_customer": 2, "price_points": 100, "starts_at": "2026-11-19T17:00:00Z",
        "ends_at": None, "hidden": True,
    }  # fmt: skip
    gift = await api.post("/voucher-programs", {"name": "Bánh", "kind": "gift", "value": 0})
    assert gift.status == 201


async def test_a_wrong_program_is_422(api: Api) -> None:
    for values, field in [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"kind": "free"}, "kind"),
        ({"value": 101}, "value"),
        ({"value": -1}, "value"),
        ({"value": 20.5}, "value"),
        ({"value": True}, "value"),
        ({"kind": "amount", "value": 0}, "value"),
        ({"cap": -1}, "cap"),
        ({"stock": -1}, "stock"),
        ({"stock": 2**63}, "stock"),
        ({"per_customer": 0}, "per_customer"),
        ({"price_points": 0}, "price_points"),
        ({"starts_at": "2026-11-20T00:00:00"}, "starts_at"),
        ({"starts_at": "2026-11-20T00:00:00Z", "ends_at": "2026-11-19T00:00:00Z"}, "ends_at"),
        ({"ends_at": "9999-12-31T23:59:59-14:00"}, "ends_at"),
        ({"hidden": 1}, "hidden"),
    ]:
        body = {"name": "20 % off", "kind": "percent", "value": 20} | values
        refused = await api.post("/voucher-programs", body)
        assert (refused.status, refused.fields) == (422, [field]), (values, refused)


async def test_a_code_is_checked_however_it_is_typed(api: Api) -> None:
    code = await code_of(api, await program(api, cap=15_000, min_order=50_000))
    for typed in (code, code.lower(), code.replace("-", ""), code.replace("-", "%20")):
        found = await api.post(f"/vouchers/{typed}/check", {"order_total": 60_000})
        assert (found.status, found.body) == (200, {"valid": True, "discount": 12_000, "reason": None})
    capped = await api.post(f"/vouchers/{code}/check", {"order_total": 900_000, "customer": {"phone": "0911222333"}})
    assert capped.body == {"valid": True, "discount": 15_000, "reason": None}
    small = await api.post(f"/vouchers/{code}/check", {"order_total": 49_999})
    assert small.body == {"valid": False, "discount": 0, "reason": "min_order"}


async def test_wrong_codes_are_all_invalid_and_twenty_make_a_pause(api: Api, clock: SetClock) -> None:
    code = await code_of(api, await program(api))
    for typed in ["x", "%00", "KKKK-KKKK-KKKKK", "%F0%9F%8E%81", "a%2Fb"] * 4:
        found = await api.post(f"/vouchers/{typed}/check", {"order_total": 1})
        assert (found.status, found.body) == (200, {"valid": False, "discount": 0, "reason": "invalid"}), typed
    paused = await api.post(f"/vouchers/{code}/check", {"order_total": 1})
    assert (paused.status, paused.body["code"]) == (429, "too_many")
    assert 1 <= int(paused.headers["Retry-After"]) <= 61
    held = await api.post(f"/vouchers/{code}/redemptions", {"order": "A1", "order_total": 1})
    assert held.status == 429
    _, key = await api.another_shop()
    assert (await api.post("/vouchers/x/check", {"order_total": 1}, key=key)).status == 200
    clock.advance(timedelta(seconds=61))
    assert (await api.post(f"/vouchers/{code}/check", {"order_total": 1})).body["valid"] is True


async def test_a_personal_voucher_is_its_owners(api: Api) -> None:
    program_id = await program(api, kind="amount", value=10_000)
    code = await code_of(api, program_id, customer={"phone": LAN})
    await api.post("/customers", {"phone": "0911222333"})
    for customer, valid in [
        (None, True), ({"phone": LAN}, True), ({"phone": "0911222333"}, False), ({"phone": "0911444555"}, False),
    ]:  # fmt: skip
        found = await api.post(f"/vouchers/{code}/check", {"order_total": 50_000, "customer": customer})
        assert found.body["valid"] is valid, customer
    assert (await api.get("/customers?phone=0911444555")).status == 404, "a check makes nobody"
    body = {"order": "A1", "order_total": 50_000}
    assert (await api.post(f"/vouchers/{code}/redemptions", body | {"customer": {"id": 99}})).status == 404
    assert (await api.post(f"/vouchers/{code}/redemptions", body | {"customer": {"phone": "0911222333"}})).status == 404
    held = await api.post(f"/vouchers/{code}/redemptions", body)
    assert (held.status, held.body["discount"]) == (201, 10_000)
    shown = await api.post(f"/voucher-programs/{program_id}/vouchers", {"customer": {"id": 99}})
    assert shown.status == 404


async def reserved(api: Api, code: str, order: str = "A1", total: int = 100_000) -> Answer:
    return await api.post(f"/vouchers/{code}/redemptions", {"order": order, "order_total": total})


async def test_reserve_then_confirm_or_cancel_each_repeatable(api: Api, clock: SetClock) -> None:
    program_id = await program(api)
    code = await code_of(api, program_id)
    held = await reserved(api, code)
    assert held.status == 201
    assert held.body == {
        "id": held.body["id"], "state": "reserved", "discount": 20_000, "expires_at": "2026-11-21T05:15:00Z",
    }  # fmt: skip
    again = await reserved(api, code)
    assert (again.status, again.body) == (201, held.body)
    other = await reserved(api, code, "A2")
    assert (other.status, other.body["code"]) == (409, "voucher_unusable")
    path = f"/redemptions/{held.body['id']}"
    for _ in range(2):
        assert (await api.post(f"{path}/cancel")).body == {"id": held.body["id"], "state": "cancelled"}
    assert (await api.post(f"{path}/confirm")).status == 409
    second = (await reserved(api, code, "A2")).body["id"]
    for _ in range(2):
        done = await api.post(f"/redemptions/{second}/confirm")
        assert (done.status, done.body) == (200, {"id": second, "state": "confirmed"})
    refused = await api.post(f"/redemptions/{second}/cancel")
    assert (refused.status, refused.body["code"]) == (409, "redemption_settled")
    assert (await api.post(f"/vouchers/{code}/check", {"order_total": 1})).body["valid"] is False
    late = (await reserved(api, await code_of(api, program_id), "A3")).body["id"]
    clock.advance(timedelta(minutes=15))
    assert (await api.post(f"/redemptions/{late}/confirm")).status == 409


async def test_redemptions_that_are_not_there_or_anothers_are_404(api: Api) -> None:
    code = await code_of(api, await program(api))
    held = (await reserved(api, code)).body["id"]
    _, key = await api.another_shop()
    for number, options in [("99", {}), ("x", {}), (str(2**63), {}), (str(held), {"key": key})]:
        for verb in ("confirm", "cancel"):
            assert (await api.post(f"/redemptions/{number}/{verb}", **options)).status == 404, number
    assert (await api.post("/voucher-programs/99/vouchers", {"count": 1})).status == 404
    hidden = await api.post(f"/vouchers/{code}/redemptions", {"order": "B", "order_total": 1}, key=key)
    assert (hidden.status, hidden.body["code"]) == (404, "not_found")


async def test_an_order_confirms_the_redemptions_it_names(api: Api) -> None:
    code = await code_of(api, await program(api))
    held = (await reserved(api, code, "A1")).body["id"]
    wrong = await api.order("A2", redemptions=[held])
    assert (wrong.status, wrong.fields) == (422, ["redemptions"])
    for _ in range(2):
        assert (await api.order("A1", redemptions=[held])).status == 200
    assert (await api.post(f"/redemptions/{held}/cancel")).status == 409


async def test_stock_and_limit_hold_and_nothing_is_issued_past_them(api: Api) -> None:
    few = await program(api, stock=5)
    over = await api.post(f"/voucher-programs/{few}/vouchers", {"count": 6})
    assert (over.status, over.body["code"]) == (409, "sold_out")
    all_of_them = await api.post(f"/voucher-programs/{few}/vouchers", {"count": 5})
    assert all_of_them.status == 201
    assert len(set(all_of_them.body["codes"])) == 5
    once = await program(api, per_customer=1)
    await code_of(api, once, customer={"phone": LAN})
    again = await api.post(f"/voucher-programs/{once}/vouchers", {"customer": {"phone": "0903 123 456"}})
    assert (again.status, again.body["code"]) == (409, "limit_reached")
    for body, field in [({"count": 0}, "count"), ({"count": "5"}, "count"), ({"count": 10**9}, "count")]:
        refused = await api.post(f"/voucher-programs/{few}/vouchers", body)
        assert (refused.status, refused.fields) == (422, [field])
    both = await api.post(f"/voucher-programs/{few}/vouchers", {"count": 1, "customer": {"phone": LAN}})
    assert both.status == 422


async def test_twenty_at_once_get_what_there_is(api: Api) -> None:
    few = await program(api, stock=5, per_customer=1)
    found = await asyncio.gather(
        *(api.post(f"/voucher-programs/{few}/vouchers", {"customer": {"phone": f"09031234{n:02}"}}) for n in range(20))
    )
    assert sorted(answer.status for answer in found) == [201] * 5 + [409] * 15
    code = next(answer.body["codes"][0] for answer in found if answer.status == 201)
    tries = await asyncio.gather(*(reserved(api, code, f"A{n}") for n in range(10)))
    assert sorted(answer.status for answer in tries) == [201] + [409] * 9
    held = next(answer.body["id"] for answer in tries if answer.status == 201)
    ended = await asyncio.gather(*(api.post(f"/redemptions/{held}/confirm") for _ in range(10)))
    assert [answer.status for answer in ended] == [200] * 10
    assert await api.store.read(vouchers.check) == []
    assert await api.store.read(redemptions.check_states) == []
    assert await api.store.read(ledger.check) == []
