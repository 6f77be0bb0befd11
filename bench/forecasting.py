"""Forecast: how long it takes to read every customer's history and to fit BG/NBD to them, and to write down everybody's
prospects, beside the plain SQL that reads the same rows.
"""

import asyncio
import random
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median

from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.insights import bg_nbd, forecast, outlooks, prospects
from loyalty.insights.outlooks import Outlook
from store import schema
from store.base import insert_rows, raw, to_micros
from store.clock import SetClock
from store.engine import Store, open_store

ZONE = "Asia/Ho_Chi_Minh"
AT = datetime(2026, 6, 1, 5, tzinfo=UTC)
DAY = 86_400_000_000
SPAN = 730
"""Days in which customers came for the first time."""
BATCH = 20_000
PLAIN = """
SELECT count(*), sum(n), max(first), max(last) FROM (
SELECT customer_id, count(DISTINCT (placed_at + 25200000000) / 86400000000) AS n, min(placed_at) AS first, max(placed_at) AS last
FROM orders WHERE shop_id = 1 AND status IN ('completed', 'refunded') AND total > refunded GROUP BY customer_id) each_one
"""


@dataclass(frozen=True, slots=True)
class Fitted:
    """Seconds of the plain SQL, of our reading, of the fit; customers told their prospects in a second; how many orders and
    different histories there were.
    """

    plain: float
    read: float
    fit: float
    told_per_second: float
    orders: int
    histories: int


def measure(customers: int, rounds: int) -> Fitted:
    """With so many customers, on SQLite."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(f"sqlite+aiosqlite:///{Path(folder) / 'bench.db'}", customers, rounds))


async def _measure(url: str, count: int, rounds: int) -> Fitted:
    store = open_store(url, SetClock(AT))
    await schema.migrate(store)
    await store.write(programme.open_shop, "Bench", timezone=ZONE, language="vi")
    dice, placed = random.Random(7), 0
    for start in range(1, count + 1, BATCH):
        placed += await store.write(_fill, start, min(count, start + BATCH - 1), dice)
    await store.run_on_connection(lambda connection: connection.exec_driver_sql("ANALYZE"))
    times: dict[str, list[float]] = {"plain": [], "read": [], "fit": []}
    known = forecast.Known({}, 0, None, 0)
    for _ in range(rounds):
        began = time.perf_counter()
        ((people, *_),) = await store.read(lambda session: raw(session, PLAIN))
        times["plain"].append(time.perf_counter() - began)
        began = time.perf_counter()
        known = await store.read(forecast.look, 1, date(2026, 6, 1), 12)
        times["read"].append(time.perf_counter() - began)
        assert known.customers == people == count, (known.customers, people)
        began = time.perf_counter()
        model = bg_nbd.fit(known.histories)
        times["fit"].append(time.perf_counter() - began)
    await store.write(outlooks.keep, outlooks.TOGETHER, date(2026, 6, 1), Outlook(model, None, count, 0.0, None, 1))
    told = await _tell(store, 20)
    await store.close()
    found = {name: median(each) for name, each in times.items()}
    return Fitted(**found, told_per_second=told, orders=placed, histories=len(known.histories))


async def _tell(store: Store, parts: int) -> float:
    began, told = time.perf_counter(), 0
    for _ in range(parts):
        part = await store.read(prospects.part)
        assert part is not None
        await store.write(prospects.put, part, prospects.judged(part))
        told += len(part.buyers)
    return told / (time.perf_counter() - began)


def _fill(session: Session, first: int, last: int, dice: random.Random) -> int:
    """Customers who behave as the model says; orders of one day may be several."""
    at = to_micros(AT)
    people, orders = [], []
    for number in range(first, last + 1):
        rate, leaves = dice.gammavariate(0.8, 1 / 20), dice.betavariate(0.8, 3)
        ago, placed = dice.uniform(1, SPAN), 0
        while ago > 0:
            moment = at - round(ago * DAY)
            orders.append((
                1, f"{number}-{placed}", number, dice.randint(20, 300) * 1_000, 0, "VND", "completed", "[]", "import", moment,
                moment, 1, 0, 0, 0, 0,
            ))  # fmt: skip
            placed += 1
            if dice.random() < leaves:
                break
            ago -= dice.expovariate(rate)
        people.append((number, f"Khách {number}", "", "vi", f"B{number:07d}", "[]", False, at - SPAN * DAY, 0, placed))
    insert_rows(
        session,
        "customers",
        "id, name, folded, language, code, tags, advertising, joined_at, spend_total, orders_count",
        people,
    )
    insert_rows(
        session,
        "orders",
        "shop_id, external_id, customer_id, total, refunded, currency, status, items, source, placed_at, changed_at, version, "
        "earned, standing, standing_tier, counted",
        orders,
    )
    return len(orders)
