"""Health: is it alive, is it ready, and what Prometheus reads. No key: they say nothing about anybody."""

from collections.abc import Iterable

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import Table, func, select
from sqlalchemy.orm import Session

from store import schema
from store.base import table
from store.clock import now
from store.engine import Store
from store.errors import StoreUnreachableError
from store.inbox import InboxRow
from store.outbox import OutboxRow

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OUTBOX_STATES = ("queued", "sending", "sent", "failed", "unknown", "expired", "dropped")
INBOX_STATES = ("done", "dead")
inbox, outbox = table(InboxRow), table(OutboxRow)


class Metrics:
    """What this process counts, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.calls = Counter(
            "regulars_api_calls", "API calls answered by this process", ["method", "route", "status"],
            registry=self.registry,
        )  # fmt: skip

    def count(self, method: str, route: str, status: int) -> None:
        """One API call was answered."""
        self.calls.labels(method, route, str(status)).inc()


def setup_health(app: web.Application, store: Store, metrics: Metrics) -> None:
    """Add /healthz, /readyz and /metrics."""

    async def alive(_request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def ready(_request: web.Request) -> web.Response:
        try:
            current = await schema.is_current(store)
        except StoreUnreachableError:
            return web.json_response({"status": "store unreachable"}, status=503)
        if not current:
            return web.json_response({"status": "not migrated"}, status=503)
        return web.json_response({"status": "ready"})

    async def scrape(_request: web.Request) -> web.Response:
        registry = CollectorRegistry()
        try:
            found = await store.read(_gauges)
        except StoreUnreachableError:
            found = [_gauge("regulars_store_reachable", "1 when the database answers", 0)]
        registry.register(_Read(found))
        text = generate_latest(metrics.registry) + generate_latest(registry)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE})

    app.router.add_get("/healthz", alive)
    app.router.add_get("/readyz", ready)
    app.router.add_get("/metrics", scrape)


class _Read:
    """What was read from the store for one scrape."""

    def __init__(self, found: list[Metric]) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        return self._found


def _gauges(session: Session) -> list[Metric]:
    """The store's numbers: the same from every replica."""
    updates = GaugeMetricFamily(
        "regulars_inbox_updates", "Updates of the last 3 days by how they ended", labels=["state"]
    )
    came = _by_state(session, inbox)
    for state in INBOX_STATES:
        updates.add_metric([state], came.get(state, 0))
    rows = GaugeMetricFamily("regulars_outbox_rows", "Messages of the last 30 days by state", labels=["state"])
    went = _by_state(session, outbox)
    for state in OUTBOX_STATES:
        rows.add_metric([state], went.get(state, 0))
    oldest = session.execute(
        select(func.min(outbox.c.created_at)).where(outbox.c.state == "queued", outbox.c.not_before <= now(session))
    ).scalar()
    age = (now(session) - oldest).total_seconds() if oldest else 0.0
    return [
        _gauge("regulars_store_reachable", "1 when the database answers", 1),
        updates,
        _gauge(
            "regulars_dead_letters", "Updates whose handler failed and that wait to be replayed", came.get("dead", 0)
        ),
        rows,
        _gauge("regulars_outbox_oldest_seconds", "Age of the oldest message that could leave and hasn't", age),
    ]


def _by_state(session: Session, rows: Table) -> dict[str, int]:
    found = session.execute(select(rows.c.state, func.count()).group_by(rows.c.state))
    return {str(state): int(count) for state, count in found}


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=value)
