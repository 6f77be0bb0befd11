"""Freezing: how long it takes until everybody who is meant by an approved campaign is written down, beside one plain
`INSERT … SELECT` of the same rows.
"""

import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.outreach.campaigns import campaigns, drafts, freezing
from loyalty.outreach.campaigns.drafts import Draft
from store import schema
from store.base import insert_rows, raw, to_micros
from store.clock import now
from store.engine import Store, open_store

BATCH = 20_000
PLAIN = """
INSERT INTO deliveries (source, source_id, step, occurrence, customer_id, purpose, variant, state, due_at)
SELECT 'campaign', 0, 0, '', id, 2, 'A', 'planned', 0 FROM customers WHERE merged_into IS NULL AND erased_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Frozen:
    """Seconds for all of them, this process's seconds of CPU among them, and those of the plain statement."""

    seconds: float
    cpu_seconds: float
    plain_seconds: float


def measure(people: int, url: str | None = None) -> Frozen:
    """With so many recipients, a tenth of them held out, on SQLite or on the PostgreSQL at a URL."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(url or f"sqlite+aiosqlite:///{Path(folder) / 'bench.db'}", people))


async def _measure(url: str, people: int) -> Frozen:
    store = open_store(url)
    await schema.migrate(store)
    shop = await store.write(programme.open_shop, "Bench", timezone="Asia/Ho_Chi_Minh", language="vi")
    for first in range(1, people + 1, BATCH):
        await store.write(_fill, first, min(people, first + BATCH - 1))
    await store.run_on_connection(lambda connection: connection.exec_driver_sql("ANALYZE"))
    draft = Draft("Bench", {"all": []}, "care", {"vi": "x"}, hold_out=10)
    number = (await store.write(drafts.add, shop, draft, "bench")).id
    await store.write(campaigns.approve, number, shop, "bench")
    began, busy = time.perf_counter(), time.process_time()
    async for _ in store.stream(freezing.freeze, number, await store.read(freezing.meant, number)):
        pass
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - busy
    frozen = await store.read(campaigns.get, number)
    assert frozen.frozen_at is not None, frozen
    assert frozen.planned == people, frozen.planned
    plain_seconds = await _plain(store)
    await store.close()
    return Frozen(seconds, cpu_seconds, plain_seconds)


async def _plain(store: Store) -> float:
    began = time.perf_counter()
    await store.write(lambda session: raw(session, PLAIN))
    return time.perf_counter() - began


def _fill(session: Session, first: int, last: int) -> None:
    at = to_micros(now(session))
    insert_rows(
        session, "customers", "id, name, folded, language, code, tags, advertising, tier_id, joined_at, spend_total, orders_count",
        [(nth, f"Khách {nth}", "", "vi", f"B{nth:07d}", "[]", False, 1, at, 0, 0) for nth in range(first, last + 1)],
    )  # fmt: skip
