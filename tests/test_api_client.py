"""The description is good for machines: a client made from it by a generator of others makes every call there is, against
the real server, and understands every answer.
"""

import asyncio
import importlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from handlers.api.openapi import document
from handlers.api.routes import BASE, CALLS
from loyalty.recognition import badges, streaks
from loyalty.recognition.badges import BadgeInput
from loyalty.recognition.visits import Measure
from store.engine import Store
from tests.api import LAN, Api, serving
from tests.receiver import receiving

PACKAGE = "regulars_client"
PICTURE = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What the answers look like doesn't hang on the database."""
    return sqlite_url


@pytest.fixture
async def api(store: Store) -> AsyncIterator[Api]:
    async with serving(store) as opened:
        yield opened


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The generated client, imported. What the generator warns of is an error here."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "spec.json").write_text(json.dumps(document(CALLS, BASE)))
    (folder / "config.yml").write_text("post_hooks: []\n")
    command = [
        sys.executable, "-m", "openapi_python_client", "generate", "--path", "spec.json", "--config", "config.yml",
        "--meta", "none", "--output-path", PACKAGE, "--fail-on-warning",
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module(PACKAGE)
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
            del sys.modules[name]


class Caller:
    """Makes the generated calls by their operation's id, and remembers which."""

    def __init__(self, made: ModuleType, root: str, key: str) -> None:
        self.client = made.AuthenticatedClient(base_url=root, token=key)
        self.models = importlib.import_module(f"{PACKAGE}.models")
        self.places = {
            path.stem: f"{PACKAGE}.api.{path.parent.name}.{path.stem}"
            for path in Path(made.__file__ or "").parent.glob("api/*/*.py") if path.stem != "__init__"
        }  # fmt: skip
        self.called: set[str] = set()

    async def __call__(self, operation: str, *path: Any, status: int = 200, **values: Any) -> Any:
        call = importlib.import_module(self.places[operation])
        answer = await call.asyncio_detailed(*path, client=self.client, **values)
        assert answer.status_code == status, (operation, answer.content)
        assert answer.parsed is not None, f"{operation}: the client knows no answer {status}"
        self.called.add(operation)
        sent = json.loads(answer.content)
        understood = answer.parsed.to_dict()
        # Whatever was sent was understood: nothing falls into what the client has no name for, but in free objects.
        assert set(sent) == set(understood), operation
        assert not getattr(answer.parsed, "additional_properties", None) or operation == "openapi"
        return answer.parsed


async def test_a_generated_client_makes_every_call(api: Api, made: ModuleType) -> None:
    call = Caller(made, api.root, api.key)
    m = call.models
    lan = await call(
        "customers_create", status=201, body=m.NewCustomer(phone="0903 123 456", name="Lan", birthday=date(1994, 8, 15))
    )
    assert (lan.phone, lan.birthday) == (LAN, date(1994, 8, 15))
    assert (await call("customers_create", body=m.NewCustomer(phone=LAN))).id == lan.id
    assert (await call("customers_find", phone=LAN)).id == lan.id
    placed = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
    order = m.OrderBody(
        customer=m.CustomerRef(phone=LAN), total=85_999, currency="VND", placed_at=placed, status=m.Status("completed")
    )
    assert (await call("orders_put", "HD-1/a", body=order)).points.earned == 85
    assert (await call("orders_get", "HD-1/a")).status == "completed"
    body = m.Adjustment(points=400, reason="Goodwill")
    given = await call("points_adjust", lan.id, body=body, idempotency_key="one", status=201)
    assert given.balance == 485
    assert (await call("customers_get", lan.id)).points.available == 485
    assert [entry.points for entry in (await call("customers_ledger", lan.id)).entries] == [400, 85]

    await api.store.write(streaks.set_unit, api.shop, streaks.Unit.WEEK)
    made_badge = await api.store.write(badges.add, api.shop, BadgeInput("Quen", "star", Measure.ORDERS, 1))
    offered = await call("recognition_every")
    assert ([one.id for one in offered.badges], offered.streaks) == ([made_badge.id], "week")
    assert (await call("recognition_of_customer", lan.id)).streak.length == 1

    new = m.NewProgram(name="30.000 ₫", kind=m.Kind("amount"), value=30_000, min_order=50_000, price_points=100)
    program = await call("programs_add", body=new, status=201)
    assert [one.id for one in (await call("programs_every")).programs] == [program.id]
    assert (await call("programs_get", program.id)).value == 30_000
    codes = (await call("programs_issue", program.id, body=m.Issue(count=4), status=201)).codes
    batch = await call("programs_add_batch", program.id, body=m.NewBatch(count=5), status=202)
    assert [one.id for one in (await call("programs_every_batch", program.id)).batches] == [batch.id]
    assert (await call("programs_stop_batch", batch.id)).wanted == 5
    assert (await call("programs_resume_batch", batch.id)).id == (await call("programs_batch", batch.id)).id
    checked = await call("vouchers_check", codes[0], body=m.OrderForVoucher(order_total=100_000))
    assert (checked.valid, checked.discount) == (True, 30_000)
    best = await call("vouchers_check_many", body=m.ManyForVoucher(order_total=100_000, codes=codes[:2]))
    assert best.discount >= 30_000
    used = m.VoucherOnOrder(order="HD-2", order_total=100_000)
    held = await call("vouchers_reserve", codes[0], body=used, status=201)
    assert (await call("vouchers_confirm", held.id)).state == "confirmed"
    assert (await call("vouchers_roll_back", held.id)).state == "rolled_back"
    held = await call("vouchers_reserve", codes[1], body=used, status=201)
    assert (await call("vouchers_cancel", held.id)).state == "cancelled"
    many = m.ManyOnOrder(order="HD-3", order_total=100_000, codes=codes[2:3])
    assert (await call("vouchers_reserve_many", body=many, status=201)).discount == 30_000
    asked = m.AskedCriteria.from_dict({"field": "points", "op": ">=", "value": 1})
    assert (await call("segments_preview", body=m.Asked(criteria=asked))).sample == [lan.id]
    draft = m.NewCampaign(
        name="Hi", criteria=m.NewCampaignCriteria.from_dict({"all": []}), purpose=m.NewCampaignPurpose("care"),
        messages=m.NewCampaignMessages.from_dict({"vi": "Chào {{ name }}"}), send_at=datetime(2026, 11, 30, tzinfo=UTC),
    )  # fmt: skip
    picture = await call("media_add", body=m.NewMedium(content=PICTURE), status=201)
    draft.pictures = [picture.id]
    campaign = await call("campaigns_add", body=draft, status=201)
    assert (await call("campaigns_approve", campaign.id)).state == "approved"
    assert (await call("campaigns_pause", campaign.id)).state == "paused"
    assert (await call("campaigns_resume", campaign.id)).state == "approved"
    assert (await call("campaigns_stop", campaign.id)).state == "stopped"
    assert (await call("campaigns_retry", campaign.id, status=409)).code == "campaign_state"
    assert (await call("campaigns_get", campaign.id)).report.sent == 0
    kept = await call("insights_retained", from_=date(2026, 11, 1), to=date(2026, 11, 30))
    assert kept.orders >= 1
    for week in (1, 8):
        again = m.OrderBody(
            customer=m.CustomerRef(phone=LAN), total=50_000, currency="VND", status=m.Status("completed"),
            placed_at=datetime(2026, 7, week, tzinfo=UTC),
        )  # fmt: skip
        await call("orders_put", f"HD-F{week}", body=again)
    foretold = await call("insights_foretold", calibrate_until=date(2026, 7, 31), horizon_weeks=2)
    assert (foretold.customers, foretold.actual_orders) == (1, 0)
    lines = await call("settlement_report", from_=date(2026, 11, 1), to=date(2026, 11, 30))
    assert [line.shop for line in lines.shops] == [api.shop]

    hook = m.NewWebhook(url="https://pos.example/", kinds=[m.NewWebhookKindsItem("points.earned")])
    added = await call("webhooks_add", body=hook, status=201)
    assert added.secret.startswith("whsec_")
    assert [one.id for one in (await call("webhooks_every")).webhooks] == [added.id]
    assert (await call("webhooks_change", added.id, body=m.WebhookChange(note="POS"))).note == "POS"
    assert (await call("webhooks_get", added.id)).on is True
    pinged = await call("webhooks_ping", added.id, status=201)
    (told,) = (await call("webhooks_told", added.id)).deliveries
    assert (told.id, told.kind, told.state) == (pinged.id, "ping", "waiting")
    assert (await call("webhooks_replay", told.id)).attempts == 0
    assert (await call("webhooks_renew", added.id)).secret != added.secret
    assert (await call("webhooks_remove", added.id)).removed is True
    await call("openapi")

    problem = await call("customers_get", 999_999, status=404)
    assert problem.code == "not_found"
    assert (await call("customers_find", phone="nonsense", status=422)).errors[0].field == "phone"
    described = {
        operation["operationId"]
        for methods in document(CALLS, BASE)["paths"].values() for operation in methods.values()
    }  # fmt: skip
    assert described == call.called, f"never called: {sorted(described - call.called)}"


async def test_a_key_may_call_2000_times_in_10_seconds(api: Api) -> None:
    """2,000 calls go through, the next is refused with the seconds to wait; another shop's key goes on."""
    _, other = await api.another_shop()

    async def some(count: int) -> list[int]:
        return [(await api.get("/webhooks")).status for _ in range(count)]

    statuses = [status for part in await asyncio.gather(*(some(200) for _ in range(10))) for status in part]
    assert statuses == [200] * 2000
    refused = await api.get("/webhooks")
    assert (refused.status, refused.body["code"]) == (429, "rate_limited")
    assert 1 <= int(refused.headers["Retry-After"]) <= 10
    assert (await api.get("/webhooks", key=other)).status == 200


async def test_webhooks_over_the_api(api: Api) -> None:
    async with receiving():
        body = {"url": "https://pos.example/", "kinds": ["points.earned", "tier.changed"], "note": " Our  POS "}
        added = await api.post("/webhooks", body)
        assert (added.status, added.body["note"], added.body["on"]) == (201, "Our POS", True)
        listed = (await api.get("/webhooks")).body["webhooks"]
        assert [one["id"] for one in listed] == [added.body["id"]]
        assert "secret" not in listed[0], "shown once"
    for wrong, field in (
        ({"url": "http://pos.example/"}, "url"), ({"url": "https://10.0.0.1/"}, "url"), ({"kinds": ["nonsense"]}, "kinds.0"),
        ({"kinds": []}, "kinds"), ({"url": 7}, "url"),
    ):  # fmt: skip
        refused = await api.post("/webhooks", body | wrong)
        assert (refused.status, refused.fields) == (422, [field]), wrong
    path = f"/webhooks/{added.body['id']}"
    assert (await api.call("PATCH", path, {"on": False})).body["off"] == "by_hand"
    _, other = await api.another_shop()
    for method, at in (
        ("GET", path),
        ("PATCH", path),
        ("DELETE", path),
        ("GET", f"{path}/deliveries"),
        ("POST", f"{path}/ping"),
    ):
        body = {} if method == "PATCH" else None
        assert (await api.call(method, at, body, key=other)).status == 404, (method, at)
    assert (await api.call("PATCH", path, {"on": True})).body["on"] is True
    for _ in range(52):
        assert (await api.post(f"{path}/ping")).status == 201
    first = (await api.get(f"{path}/deliveries")).body
    second = (await api.get(f"{path}/deliveries?cursor={first['next']}")).body
    assert (len(first["deliveries"]), len(second["deliveries"]), second["next"]) == (50, 2, None)
    assert len({one["id"] for one in first["deliveries"] + second["deliveries"]}) == 52
    assert (await api.get(f"{path}/deliveries?cursor=x")).status == 422
    assert (await api.get(f"{path}/deliveries?state=dead")).body["deliveries"] == []
    assert (await api.call("DELETE", path)).body == {"id": added.body["id"], "removed": True}
    assert (await api.get(path)).status == 404
