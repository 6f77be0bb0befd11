"""The API on vouchers: programmes, codes, reserve, confirm and cancel, over real HTTP, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from handlers.api import programs
from loyalty.points import ledger
from loyalty.vouchers import batches, redemptions, vouchers
from store.audit import AuditRow
from store.base import table
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


async def test_what_is_made_and_changed_by_a_key_is_audited_with_before_and_after(api: Api) -> None:
    number = await program(api, stock=100, ends_at="2026-12-31T23:59:59+07:00")
    await code_of(api, number, customer={"phone": LAN})
    await code_of(api, number, count=3)
    made = await api.post(f"/voucher-programs/{number}/batches", {"count": 20})
    for action in ("stop", "stop", "resume"):
        assert (await api.post(f"/batches/{made.body['id']}/{action}")).status == 200
    assert (await api.post("/voucher-programs", {"name": "", "kind": "gift"})).status == 422

    def look(session: Session) -> list[tuple[str, str, int | None, dict[str, Any]]]:
        a = table(AuditRow).c
        rows = session.execute(select(a.actor, a.action, a.shop_id, a.data).order_by(a.id))
        return [tuple(row) for row in rows.all() if row.actor.startswith("key:")]

    lines = await api.store.read(look)
    assert {(actor, shop) for actor, _, shop, _ in lines} == {("key:1", api.shop)}
    assert [action for _, action, _, _ in lines] == [
        "offer_added", "voucher_given", "vouchers_given", "codes_begun", "codes_stop", "codes_resume"
    ]  # fmt: skip
    offer, _, given, begun, stopped, resumed = (data for *_, data in lines)
    assert (offer["before"], offer["after"]["stock"], offer["after"]["kind"]) == ({}, 100, "percent")
    assert given["changed"] == {"issued": [1, 4]}
    assert begun["wanted"] == 20
    assert (stopped["changed"], resumed["changed"]) == (
        {"state": ["running", "stopped"]}, {"state": ["stopped", "running"]}
    )  # fmt: skip


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


async def test_an_offer_says_for_what_when_and_up_to_how_much(api: Api) -> None:
    asked = {
        "name": "Trà chiều", "kind": "item", "categories": ["Trà"], "times": 2, "weekdays": [1, 6], "from_time": "9:00",
        "until_time": "24:00", "per_day": 100, "per_customer_day": 1, "budget": 500_000, "stacks": "none", "returns": "any",
        "shared_code": "tra-2027", "stock": 50, "per_customer": 2, "valid_days": 3,
    }  # fmt: skip
    made = await api.post("/voucher-programs", asked)
    assert made.status == 201, made
    told = asked | {"from_time": "09:00", "shared_code": "TRA2027", "budget_left": 500_000, "uses_left": 50}
    assert {name: made.body[name] for name in told} == told
    assert (await api.get(f"/voucher-programs/{made.body['id']}")).body == made.body
    assert (await api.get("/voucher-programs")).body == {"programs": [made.body], "next": None}
    for values, field in (
        ({"weekdays": [0]}, "weekdays.0"), ({"until_time": None}, "until_minute"), ({"from_time": "25:00"}, "from_time"),
        ({"categories": []}, "items"), ({"stacks": "some"}, "stacks"), ({"shared_code": "TRA 2027"}, "code"),
        ({"price_points": 5}, "price_points"), ({"stacks_with": [0]}, "stacks_with.0"),
    ):  # fmt: skip
        refused = await api.post("/voucher-programs", asked | {"shared_code": "other"} | values)
        assert (refused.status, refused.fields) == (422, [field]), (values, refused)
    _, key = await api.another_shop()
    assert (await api.get(f"/voucher-programs/{made.body['id']}", key=key)).status == 404
    order = {"order_total": 100_000, "customer": {"phone": LAN}}
    tea = {"items": [{"name": "Trà đào", "category": "trà", "price": 40_000, "quantity": 2}]}
    checked = await api.post("/vouchers/TRA2027/check", order)
    assert checked.body == {"valid": False, "discount": 0, "reason": "items"}
    assert (await api.post("/vouchers/TRA2027/check", {"order_total": 100_000} | tea)).body["reason"] == "customer"
    assert (await api.post("/vouchers/tra-2027/check", order | tea)).body["discount"] == 80_000
    held = await api.post("/vouchers/TRA2027/redemptions", order | tea | {"order": "A1"})
    assert (held.status, held.body["discount"]) == (201, 80_000)
    again = await api.post("/vouchers/TRA2027/redemptions", order | tea | {"order": "A2"})
    assert (again.status, again.body["code"]) == (409, "limit_reached")
    issued = await api.post(f"/voucher-programs/{made.body['id']}/vouchers", {})
    assert (issued.status, issued.body["code"]) == (409, "shared_program")


async def test_the_best_vouchers_together_are_found_held_and_rolled_back(api: Api) -> None:
    await api.post("/customers", {"phone": LAN})
    fixed = await code_of(api, await program(api, kind="amount", value=30_000), customer={"phone": LAN})
    tenth = await code_of(api, await program(api, value=10))
    alone = await code_of(api, await program(api, kind="amount", value=35_000, stacks="none"))
    order = {"order_total": 100_000, "customer": {"phone": LAN}}
    found = await api.post("/vouchers/check-many", order | {"codes": [tenth, alone, "NOTTHERE"], "wallet": True})
    assert found.status == 200
    assert [(use["code"], use["discount"]) for use in found.body["use"]] == [(tenth, 10_000), (fixed, 30_000)]
    assert (found.body["discount"], found.body["rest"], found.body["items"], found.body["exact"]) == (
        40_000,
        40_000,
        [],
        True,
    )
    assert {one["code"]: one["reason"] for one in found.body["refused"]} == {
        "NOTTHERE": "invalid",
        alone: "not_stackable",
    }
    asked = order | {"order": "A1"}
    refused = await api.post("/vouchers/redemptions", asked | {"codes": [fixed, alone]})
    assert (refused.status, refused.body["code"]) == (409, "not_stackable")
    assert (await api.post("/vouchers/redemptions", asked | {"codes": [fixed, "NOTTHERE"]})).status == 404
    for _ in range(2):
        held = await api.post("/vouchers/redemptions", asked | {"codes": [fixed, tenth]})
        assert (held.status, held.body["discount"]) == (201, 40_000)
    number = held.body["redemptions"][0]["id"]
    assert (await api.post(f"/redemptions/{number}/rollback")).status == 409
    await api.post(f"/redemptions/{number}/confirm")
    for _ in range(2):
        assert (await api.post(f"/redemptions/{number}/rollback")).body == {"id": number, "state": "rolled_back"}


async def test_a_batch_is_asked_for_watched_and_stopped(api: Api, store: Store) -> None:
    number = await program(api, stock=3_000)
    begun = await api.post(f"/voucher-programs/{number}/batches", {"count": 2_500, "name": "Tờ rơi"})
    assert (begun.status, begun.body["state"], begun.body["made"]) == (202, "running", 0)
    path = f"/batches/{begun.body['id']}"
    async for _ in store.stream(batches.work, begun.body["id"]):
        break
    stopped = await api.post(f"{path}/stop")
    assert (stopped.status, stopped.body["state"], stopped.body["made"]) == (200, "stopped", batches.CHUNK)
    assert (await api.post(f"{path}/resume")).body["state"] == "running"
    async for _ in store.stream(batches.work, begun.body["id"]):
        pass
    assert (await api.get(path)).body == {**begun.body, "state": "done", "made": 2_500}
    assert (await api.post(f"/voucher-programs/{number}/batches", {"count": 501})).body["code"] == "sold_out"
    _, key = await api.another_shop()
    assert [(await api.get(path, key=key)).status, (await api.post(f"{path}/stop", key=key)).status] == [404, 404]


async def test_offers_and_batches_come_page_by_page(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "PAGE", 2)
    ids = [await program(api) for _ in range(5)]
    made = [
        (await api.post(f"/voucher-programs/{ids[0]}/batches", {"count": 1})).body["id"] for _ in range(4)
    ]  # fmt: skip
    for path, name, wanted in (
        ("/voucher-programs", "programs", ids), (f"/voucher-programs/{ids[0]}/batches", "batches", made),
    ):  # fmt: skip
        found, cursor, pages = [], None, 0
        while cursor is not None or not pages:
            page = (await api.get(path if cursor is None else f"{path}?cursor={cursor}")).body
            assert len(page[name]) <= 2
            found += [one["id"] for one in page[name]]
            cursor, pages = page["next"], pages + 1
        assert (found, pages) == (wanted[::-1], (len(wanted) + 1) // 2)
        assert (await api.get(f"{path}?cursor=x")).body["errors"][0]["field"] == "cursor"
    assert (await api.get("/voucher-programs/99/batches")).status == 404
