"""The API's edge: keys and limits before everything, broken bodies, problems, its description, health and metrics."""

import asyncio
import gzip
import io
import json
import re
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from handlers.api.keys import Limiter
from handlers.api.openapi import document
from handlers.api.problems import KINDS
from handlers.api.routes import BASE, CALLS, LIMITER
from loyalty.customers import customers
from loyalty.orders import orders
from store import outbox, staff
from store.clock import SetClock, now
from store.engine import Store
from store.errors import MovedError, StoreUnreachableError
from tests.api import Api, serving


@pytest.fixture
async def api(store: Store) -> AsyncIterator[Api]:
    async with serving(store) as found:
        yield found


async def test_the_key_comes_before_path_and_body(api: Api) -> None:
    broken = {"data": b"{", "headers": {"Authorization": ""}}
    for method, path in [
        *((call.method, re.sub(r"{.*?}", "1", call.path)) for call in CALLS),
        ("GET", ""), ("GET", "/"), ("GET", "/nothing"), ("POST", "/customers/x/y/z"), ("DELETE", "/customers"),
        ("GET", "/segments/preview"),
    ]:  # fmt: skip
        for authorization in (
            "",
            "Bearer",
            "Bearer ",
            f"Basic {api.key}",
            "Bearer rk_wrong",
            "Bearer khoá",
            "x" * 5000,
        ):
            options = broken | {"headers": {"Authorization": authorization}}
            refused = await api.call(method, path, key="", **options)
            assert (refused.status, refused.body["code"]) == (401, "unauthorized"), (method, path, authorization)
            assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    assert (await api.get("/customers/1", headers={"Authorization": f"bEaReR  {api.key}"})).status == 404


async def test_a_revoked_key_is_no_key(api: Api) -> None:
    def revoke(session: Session) -> None:
        session.execute(update(staff.ApiKey).values(revoked_at=now(session)))

    await api.store.write(revoke)
    assert (await api.get("/customers/1")).status == 401


async def test_what_is_not_there_is_404_and_a_wrong_method_405(api: Api) -> None:
    for method, path in [
        ("GET", ""), ("GET", "/"), ("GET", "/nothing"), ("POST", "/segments/preview/it"), ("GET", "/insights/nothing"),
        ("GET", "/customers/"), ("PUT", "/orders/"), ("PUT", "/orders/a/b"),
    ]:  # fmt: skip
        refused = await api.call(method, path)
        assert (refused.status, refused.body["code"]) == (404, "not_found"), path
    wrong = await api.call("DELETE", "/orders/A1")
    assert (wrong.status, wrong.body["code"], wrong.headers["Allow"]) == (405, "method_not_allowed", "GET, HEAD, PUT")


def test_the_limiter_lets_so_many_through_any_window() -> None:
    at = 0.0
    limiter = Limiter(3, 10.0, lambda: at)
    assert [limiter.wait(1) for _ in range(3)] == [0, 0, 0]
    at = 4.5
    assert (limiter.wait(1), limiter.wait(2)) == (6, 0)
    at = 9.99
    assert limiter.wait(1) == 1
    at = 10.0
    assert [limiter.wait(1) for _ in range(4)] == [0, 0, 0, 10]


async def test_a_key_that_calls_too_often_waits(api: Api) -> None:
    limiter = api.app[LIMITER]
    key_id, _ = await api.store.read(staff.api_key, api.key)
    for _ in range(1_999):
        assert limiter.wait(key_id) == 0
    assert (await api.get("/customers/1")).status == 404
    for path in ("/customers/1", "/nothing"):
        refused = await api.get(path)
        assert (refused.status, refused.body["code"]) == (429, "rate_limited")
        assert 1 <= int(refused.headers["Retry-After"]) <= 10
    _, other = await api.another_shop()
    assert (await api.get("/customers/1", key=other)).status == 404


async def test_many_calls_at_once_are_all_answered(api: Api) -> None:
    found = await asyncio.gather(*(api.get("/nothing") for _ in range(200)))
    assert {answer.status for answer in found} == {404}


async def test_bodies_that_are_no_json(api: Api) -> None:
    for data in [
        b"", b"{", b"nope", b'{"a": NaN}', b'{"a": 1}x', b"\xff\xfe{\x00}\x00", b'{"a": "\xff"}', b"[" * 100_000,
        b'{"a": ' + b"9" * 5_000 + b"}",
    ]:  # fmt: skip
        refused = await api.call("POST", "/customers", data=data)
        assert (refused.status, refused.body["code"]) == (400, "invalid_json"), data[:20]
    for data in (b"null", b"1", b'"x"', b"[]"):
        refused = await api.call("POST", "/customers", data=data)
        assert (refused.status, refused.fields) == (422, ["body"]), data


async def test_json_is_taken_under_any_content_type(api: Api) -> None:
    for number, kind in enumerate(("text/plain", "application/x-www-form-urlencoded", "application/json; charset=x")):
        body = b'\xef\xbb\xbf{"phone": "09031234%02d"}' % number
        made = await api.call("POST", "/customers", data=body, headers={"Content-Type": kind})
        assert made.status == 201, kind
    packed = gzip.compress(b'{"phone": "0903123499"}')
    made = await api.call("POST", "/customers", data=packed, headers={"Content-Encoding": "gzip"})
    assert made.status == 201


async def test_a_body_over_a_megabyte_is_413(api: Api) -> None:
    large = b'{"phone": "' + b"0" * 1024 * 1024 + b'"}'

    async def drip() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield large[: 128 * 1024]

    bomb = gzip.compress(b" " * 50_000_000)
    for options in (
        {"data": io.BytesIO(large)},
        {"data": drip()},
        {"data": bomb, "headers": {"Content-Encoding": "gzip"}},
    ):
        refused = await api.call("POST", "/customers", **options)
        assert (refused.status, refused.body["code"]) == (413, "too_large")
    broken = await api.call("POST", "/customers", data=b"not gzip", headers={"Content-Encoding": "gzip"})
    assert broken.status == 400


async def test_signs_that_no_database_keeps_are_422(api: Api) -> None:
    for data, field in [
        (rb'{"phone": "0903123456", "name": "a\u0000"}', "name"),
        (rb'{"phone": "0903123456", "name": "\ud800"}', "name"),
        (rb'{"phone": "0903123456", "other": {"x": ["\udfff"]}}', "other.x.0"),
        (rb'{"phone": "0903123456", "a\u0000": 1}', "body"),
        (rb'{"phone": "0903123456", "x": 1e999}', "x"),
    ]:
        refused = await api.call("POST", "/customers", data=data)
        assert (refused.status, refused.fields) == (422, [field]), refused
    kept = await api.call("POST", "/customers", data=rb'{"phone": "0903123456", "name": "\ud83c\udf89 <b>Lan</b>"}')
    assert (kept.status, kept.body["name"]) == (201, "🎉 <b>Lan</b>")


async def test_a_write_that_lost_a_race_runs_again_three_times(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []
    real = customers.find_or_create

    def racing(*args: Any, **values: Any) -> Any:
        tries.append(1)
        if len(tries) % 5 != 4:
            raise MovedError("race")
        return real(*args, **values)

    monkeypatch.setattr(customers, "find_or_create", racing)
    assert (await api.post("/customers", {"phone": "0903123456"})).status == 201
    assert len(tries) == 4
    monkeypatch.setattr(customers, "find_or_create", lambda *_, **__: (_ for _ in ()).throw(MovedError("race")))
    busy = await api.post("/customers", {"phone": "0903123457"})
    assert (busy.status, busy.body["code"], busy.headers["Retry-After"]) == (503, "busy", "1")


async def test_a_store_that_is_gone_is_503_and_a_bug_leaks_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: Any, **__: Any) -> Any:
        raise StoreUnreachableError("no route to 10.0.0.7")

    def bug(*_: Any, **__: Any) -> Any:
        raise KeyError("secret detail")

    monkeypatch.setattr(orders, "put", gone)
    lost = await api.order("A1")
    assert (lost.status, lost.body["code"]) == (503, "store_unreachable")
    assert int(lost.headers["Retry-After"]) >= 1
    monkeypatch.setattr(orders, "put", bug)
    broken = await api.order("A1")
    assert (broken.status, broken.body["code"]) == (500, "internal")
    assert "10.0.0.7" not in str(lost.body)
    assert "secret" not in str(broken.body)
    monkeypatch.setattr(staff, "api_key", gone)
    assert (await api.get("/customers/1")).status == 503


async def test_every_problem_has_the_form_of_rfc_9457(api: Api) -> None:
    for method, path in [("GET", "/customers"), ("GET", "/nothing"), ("POST", "/customers"), ("PATCH", "/customers")]:
        refused = await api.call(method, path)
        assert refused.headers["type"] == "application/problem+json"
        body = refused.body
        assert body["status"] == refused.status == KINDS[body["code"]].status
        assert body["type"] == f"https://pho.example/api/docs#problem-{body['code']}"
        assert body["title"] == KINDS[body["code"]].title
        assert body["detail"]
        assert set(body) <= {"type", "title", "status", "code", "detail", "errors"}


def walk(found: Any) -> Iterator[dict[str, Any]]:
    if isinstance(found, dict):
        yield found
        found = list(found.values())
    if isinstance(found, list):
        for inner in found:
            yield from walk(inner)


async def test_the_description_is_whole(api: Api) -> None:
    answer = await api.get("/openapi.json", key="")
    assert (answer.status, answer.headers["type"]) == (200, "application/json")
    spec = answer.body
    assert spec["openapi"].startswith("3.1.")
    schemas = spec["components"]["schemas"]
    used = set()
    for part in walk(spec):
        if "$ref" in part:
            prefix, name = part["$ref"].rsplit("/", 1)
            assert prefix == "#/components/schemas"
            assert name in schemas, part
            used.add(name)
        assert "$defs" not in part
    assert used == set(schemas), "a schema nobody refers to"
    routes = {
        (route.method, route.resource.canonical)
        for route in api.app.router.routes()
        if route.resource is not None and route.resource.canonical.startswith("/api/v1/")
        and route.method not in {"HEAD", "*"}
    }  # fmt: skip
    told = {(method.upper(), path) for path, methods in spec["paths"].items() for method in methods}
    assert routes == told
    ids = [one["operationId"] for methods in spec["paths"].values() for one in methods.values()]
    assert len(set(ids)) == len(ids)
    for path, methods in spec["paths"].items():
        for one in methods.values():
            inside = {part["name"] for part in one.get("parameters", []) if part["in"] == "path"}
            assert inside == set(re.findall(r"{(\w+)}", path))
            assert any(status < "300" for status in one["responses"])


def test_every_example_is_what_it_is_an_example_of() -> None:
    schemas = document(CALLS, BASE)["components"]["schemas"]
    for call in CALLS:
        for model in filter(None, (call.body, *call.answers.values())):
            given = schemas[model.__name__]["examples"][0]
            told = model.model_validate_json(json.dumps(given))
            if model is not call.body:
                assert json.loads(told.model_dump_json(by_alias=True)) == given


async def test_the_docs_show_every_call_and_every_problem(api: Api) -> None:
    docs = await api.get("//api/docs", key="")
    assert (docs.status, docs.headers["type"]) == (200, "text/html")
    for call in CALLS:
        assert f'id="{call.name}"' in docs.body
        assert call.summary in unescape(docs.body)
    for code in KINDS:
        assert f'id="problem-{code}"' in docs.body
    assert "http://" not in docs.body
    assert re.findall(r'(?:src|href)="(https?:)', docs.body) == []
    assert "<script>" not in docs.body
    assert (await api.get("//api/docs.css", key="")).status == 200


async def test_alive_ready_and_metrics(api: Api, clock: SetClock, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await api.get("//healthz", key="")).status == 200
    assert (await api.get("//readyz", key="")).status == 200
    await api.get("/customers/1")
    await api.get("/customers/2")
    call = outbox.Call(1, "web", 7, "sendMessage", "{}")
    await api.store.write(outbox.put, [call])
    clock.advance(timedelta(seconds=30))
    text = (await api.get("//metrics", key="")).body
    for line in [
        'regulars_api_calls_total{method="GET",route="/customers/{id}",status="404"} 2.0',
        'regulars_outbox_rows{state="queued"} 1.0',
        "regulars_outbox_oldest_seconds 30.0",
        "regulars_dead_letters 0.0",
        'regulars_inbox_updates{state="done"} 0.0',
        "regulars_store_reachable 1.0",
    ]:
        assert line in text

    async def gone(*_: Any, **__: Any) -> Any:
        raise StoreUnreachableError("gone")

    monkeypatch.setattr(api.store, "read", gone)
    assert (await api.get("//healthz", key="")).status == 200
    assert (await api.get("//readyz", key="")).status == 503
    assert "regulars_store_reachable 0.0" in (await api.get("//metrics", key="")).body


async def test_a_database_that_is_not_migrated_is_not_ready(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.schema.head", lambda: "9999")
    assert (await api.get("//readyz", key="")).status == 503
