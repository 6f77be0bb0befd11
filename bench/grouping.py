"""Segments: how long the live count of a nested group takes, and naming all who are in it, beside the same count as plain SQL
that somebody would write by hand for it.
"""

import asyncio
import random
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import asyncpg
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.outreach.segments import criteria, segments
from store import schema
from store.base import insert_rows, raw, to_micros
from store.clock import SetClock
from store.engine import Store, open_store

ZONE = "Asia/Ho_Chi_Minh"
AT = datetime(2026, 6, 1, 5, tzinfo=UTC)
"""Noon of 1 June there."""
DAY = 86_400_000_000
ORDERS_EACH = 10
BATCH = 20_000
NESTED = {
    "all": [
        {"field": "orders", "op": ">=", "value": 2, "days": 60},
        {"any": [{"field": "points", "op": ">=", "value": 500}, {"field": "tier", "op": ">=", "value": "Vàng"}]},
        {"not": {"field": "tag", "op": "=", "value": "wholesale"}},
    ]
}
PLAIN = """
SELECT count(*) FROM customers c
LEFT JOIN accounts a ON a.owner = 'customer' AND a.owner_id = c.id AND a.name = 'available'
LEFT JOIN (SELECT customer_id, count(*) AS n FROM orders WHERE placed_at >= {since} AND status IN ('completed', 'refunded')
           AND total > refunded GROUP BY customer_id) o ON o.customer_id = c.id
WHERE c.merged_into IS NULL AND c.erased_at IS NULL AND o.n >= 2 AND (a.balance >= 500 OR c.tier_id IN (3, 4))
AND NOT (CAST(c.tags AS TEXT) LIKE '%"wholesale"%')
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """Seconds: medians of the live count, of naming everybody who fits, and of the plain SQL; how many fit."""

    count: float
    members: float
    plain: float
    fit: int


def measure(customers: int, rounds: int, url: str | None = None) -> Counted:
    """With so many customers and ten times as many orders, on SQLite or on the PostgreSQL at a URL."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(url or f"sqlite+aiosqlite:///{Path(folder) / 'bench.db'}", customers, rounds))


async def _measure(url: str, count: int, rounds: int) -> Counted:
    store = open_store(url, SetClock(AT))
    await schema.migrate(store)
    shop_id = await store.write(programme.open_shop, "Bench", timezone=ZONE, language="vi")
    dice = random.Random(7)
    for start in range(1, count + 1, BATCH):
        await store.write(_fill, shop_id, start, min(count, start + BATCH - 1), dice)
    await _settled(store, url)
    asked = criteria.parse(NESTED)
    plain_sql = PLAIN.format(since=to_micros(AT - timedelta(hours=12)) - 60 * DAY)
    times: dict[str, list[float]] = {"count": [], "members": [], "plain": []}
    fit = 0
    for _ in range(rounds):
        began = time.perf_counter()
        fit = (await store.read(segments.preview, asked, ZONE)).count
        times["count"].append(time.perf_counter() - began)
        began = time.perf_counter()
        named = await store.read(lambda session: len(segments.members(session, asked, ZONE)))
        times["members"].append(time.perf_counter() - began)
        began = time.perf_counter()
        plain = await _plain(store, plain_sql)
        times["plain"].append(time.perf_counter() - began)
        assert fit == named == plain, (fit, named, plain)
    await store.close()
    return Counted(median(times["count"]), median(times["members"]), median(times["plain"]), fit)


async def _settled(store: Store, url: str) -> None:
    """As its autovacuum leaves a PostgreSQL's tables some minutes after they were filled."""
    if not url.startswith("postgresql"):
        await store.run_on_connection(lambda connection: connection.exec_driver_sql("ANALYZE"))
        return
    server = await asyncpg.connect(url.replace("+asyncpg", "", 1))
    await server.execute("VACUUM ANALYZE")
    await server.close()


async def _plain(store: Store, sql: str) -> int:
    return int(await store.read(lambda session: raw(session, sql)[0][0]))


def _fill(session: Session, shop_id: int, first: int, last: int, dice: random.Random) -> None:
    at = to_micros(AT)
    people, accounts, orders = [], [], []
    for number in range(first, last + 1):
        tags = '["wholesale"]' if dice.random() < 0.1 else "[]"
        people.append(
            (number, f"Khách {number}", "", "vi", f"B{number:07d}", tags, False, dice.randint(1, 4), at - 400 * DAY)
        )
        accounts.append(("customer", number, "available", "point", dice.randint(0, 1_000), 0))
        asleep = dice.random() < 0.5
        for at_order in range(ORDERS_EACH):
            placed = at - (dice.randint(61, 400) if asleep else dice.randint(0, 400)) * DAY
            orders.append((
                shop_id, f"{number}-{at_order}", number, dice.randint(20, 300) * 1_000, 0, "VND", "completed", "[]", "import",
                placed, placed, 1, 0, 0, 0, 0,
            ))  # fmt: skip
    insert_rows(
        session,
        "customers",
        "id, name, folded, language, code, tags, advertising, tier_id, joined_at, spend_total, orders_count, last_order_at",
        [(*row, 1_000_000, ORDERS_EACH, at - DAY) for row in people],
    )
    insert_rows(session, "accounts", "owner, owner_id, name, unit, balance, hot", accounts)
    insert_rows(
        session,
        "orders",
        "shop_id, external_id, customer_id, total, refunded, currency, status, items, source, placed_at, changed_at, version, "
        "earned, standing, standing_tier, counted",
        orders,
    )
