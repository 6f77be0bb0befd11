"""Whether `/points` and a posting take longer when the ledger has grown: at 1,000 rows and at 1,000,000."""

import asyncio
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy.orm import Session

from handlers.chat.points import account
from loyalty import programme
from loyalty.customers import customers
from loyalty.orders import orders
from loyalty.orders.orders import OrderInput, Status
from loyalty.points import points
from store import schema
from store.base import raw, raw_many, to_micros
from store.engine import Store, open_store

SMALL, LARGE = 1_000, 1_000_000
TRIES = 400
PEOPLE = 20_000
AT = datetime(2026, 6, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Grown:
    """Milliseconds at each size."""

    points_small: float
    points_large: float
    posting_small: float
    posting_large: float


def measure() -> Grown:
    """Medians of 400 looks and 400 postings each, on SQLite."""
    return asyncio.run(_measure())


async def _measure() -> Grown:
    found = []
    for rows in (SMALL, LARGE):
        with tempfile.TemporaryDirectory() as folder:
            store = open_store(f"sqlite+aiosqlite:///{Path(folder) / 'bench.db'}")
            await schema.migrate(store)
            shop_id = await store.write(programme.open_shop, "Bench", timezone="Asia/Ho_Chi_Minh", language="vi")
            person = await _person(store, shop_id)
            await store.write(_fill, shop_id, rows)
            found.append(await _times(store, shop_id, person))
            await store.close()
    (points_small, posting_small), (points_large, posting_large) = found
    return Grown(points_small, points_large, posting_small, posting_large)


async def _person(store: Store, shop_id: int) -> int:
    """Somebody with ten orders."""
    for number in range(10):
        order = OrderInput(50_000, "VND", AT, Status.COMPLETED, phone="+84903000000")
        await store.write(orders.put, shop_id, f"own-{number}", order)
    found = await store.read(customers.by_phone, "+84903000000")
    assert found is not None
    return found


def _fill(session: Session, shop_id: int, rows: int) -> None:
    """Other people's history: one posting and one lot a transfer, written as plainly as possible."""
    people = min(PEOPLE, rows // 10)
    first = int(raw(session, "SELECT max(id) FROM customers")[0][0]) + 1
    account_id = int(raw(session, "SELECT max(id) FROM accounts")[0][0]) + 1
    transfer = int(raw(session, "SELECT max(id) FROM transfers")[0][0]) + 1
    wallet = int(raw(session, "SELECT id FROM accounts WHERE owner = 'shop' AND name = 'wallet'")[0][0])
    at = to_micros(AT)
    raw_many(
        session,
        "INSERT INTO customers (id, name, folded, language, code, tags, advertising, joined_at, spend_total, "
        "orders_count) VALUES (?, '', '', 'vi', ?, '[]', 0, ?, 0, 0)",
        [(first + n, f"B{n:07d}", at) for n in range(people)],
    )
    raw_many(
        session,
        "INSERT INTO accounts (id, owner, owner_id, name, unit, balance, hot) VALUES (?, 'customer', ?, 'available', "
        "'point', ?, 0)",
        [(account_id + n, first + n, rows // people) for n in range(people)],
    )
    raw_many(
        session,
        "INSERT INTO transfers (id, key, hash, kind, at, legs, shop_id) VALUES (?, ?, '', 'earn', ?, 1, ?)",
        [(transfer + n, f"bench:{n}", at, shop_id) for n in range(rows)],
    )
    raw_many(
        session,
        "INSERT INTO postings (transfer_id, source_id, target_id, amount) VALUES (?, ?, ?, 1)",
        [(transfer + n, wallet, account_id + n % people) for n in range(rows)],
    )
    raw_many(
        session,
        "INSERT INTO lots (customer_id, shop_id, transfer_id, amount, remaining, earned_at, expires_at) "
        "VALUES (?, ?, ?, 1, 1, ?, ?)",
        [(first + n % people, shop_id, transfer + n, at, at + 10**13) for n in range(rows)],
    )


async def _times(store: Store, shop_id: int, person: int) -> tuple[float, float]:
    looks, posts = [], []
    for number in range(TRIES):
        async with store.work() as work:
            looks.append(await _timed(lambda work=work: work.read(account, person, "Asia/Ho_Chi_Minh")))  # type: ignore[misc]
        posts.append(
            await _timed(
                lambda number=number: store.write(  # type: ignore[misc]
                    points.earn, f"grow:{number}", "earn", customer_id=person, shop_id=shop_id, points=1, expires_at=AT
                )
            )
        )
    return median(looks) * 1000, median(posts) * 1000


async def _timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began
