"""How fast `regulars import orders` is, from the file to the balances, against plain `executemany` of the same rows into
the same tables of an empty database.
"""

import asyncio
import csv
import random
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.commands import importing
from loyalty import programme
from loyalty.points import ledger, points
from store import schema
from store.engine import Store, open_store

TABLES = ("customers", "accounts", "orders", "transfers", "postings", "lots", "lot_moves", "tier_changes")
"""Those an import writes, parents first."""
BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Measured:
    """Orders a second each way, and how the first compares to the second."""

    orders: int
    customers: int
    import_per_second: float
    plain_per_second: float

    @property
    def ratio(self) -> float:
        return self.import_per_second / self.plain_per_second


def measure(orders: int = 100_000, customers: int = 20_000) -> Measured:
    """Import a made-up file into a fresh SQLite database, then write the rows it left into another one, plainly."""
    with tempfile.TemporaryDirectory() as folder:
        file, imported, copied = (Path(folder) / name for name in ("orders.csv", "imported.db", "copied.db"))
        _write_file(file, orders, customers)
        taken = asyncio.run(_import(file, imported))
        asyncio.run(_empty(copied))
        plain = _copy(imported, copied)
    return Measured(orders, customers, orders / taken, orders / plain)


def _write_file(path: Path, orders: int, customers: int) -> None:
    rng = random.Random(2026)
    now = datetime.now(UTC).replace(microsecond=0)
    with path.open("w", encoding="utf-8", newline="") as opened:
        sheet = csv.writer(opened)
        sheet.writerow(["external_id", "phone", "name", "total", "placed_at"])
        for number in range(orders):
            buyer = number if number < customers else rng.randrange(customers)
            placed_at = now - timedelta(minutes=rng.randrange(700 * 24 * 60))
            total = rng.randrange(20, 400) * 1_000
            sheet.writerow([f"HD{number:06d}", f"09{buyer:08d}", f"Khách {buyer}", total, placed_at.isoformat()])


async def _empty(path: Path) -> Store:
    store = open_store(f"sqlite+aiosqlite:///{path}")
    await schema.migrate(store)
    await store.close()
    return store


async def _import(file: Path, path: Path) -> float:
    await _empty(path)
    store = open_store(f"sqlite+aiosqlite:///{path}")
    try:
        shop = await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")
        began = time.perf_counter()
        await importing.take_file(store, "orders", file, shop)
        seconds = time.perf_counter() - began
        faults = [*await store.read(ledger.check), *await store.read(points.check)]
        if faults:
            raise RuntimeError(f"the import left faults: {faults[:3]}")
    finally:
        await store.close()
    return seconds


def _copy(source: Path, target: Path) -> float:
    """Seconds that plain `executemany` takes for all rows of the import, table by table, in one transaction."""
    rows: dict[str, list[tuple[object, ...]]] = {}
    with sqlite3.connect(source) as opened:
        for name in TABLES:
            rows[name] = opened.execute(f"SELECT * FROM {name}").fetchall()  # noqa: S608  # the names above
        beside = {name: opened.execute(f"SELECT * FROM {name}").fetchall() for name in ("shops", "tiers")}  # noqa: S608
    opened.close()
    plain = sqlite3.connect(target, isolation_level=None)
    for pragma in ("foreign_keys = ON", "synchronous = FULL", "cache_size = -65536"):
        plain.execute(f"PRAGMA {pragma}")
    for name, lines in beside.items():
        _insert(plain, name, lines)
    began = time.perf_counter()
    plain.execute("BEGIN IMMEDIATE")
    for name in TABLES:
        for part in _parts(rows[name]):
            _insert(plain, name, part)
    plain.execute("COMMIT")
    seconds = time.perf_counter() - began
    plain.close()
    return seconds


def _parts(rows: list[tuple[object, ...]]) -> Iterator[list[tuple[object, ...]]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


def _insert(connection: sqlite3.Connection, name: str, rows: list[tuple[object, ...]]) -> None:
    if rows:
        marks = ", ".join("?" * len(rows[0]))
        connection.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)  # noqa: S608  # the names above


if __name__ == "__main__":
    found = measure()
    print(  # noqa: T201  # its output
        f"import of {found.orders:,} orders of {found.customers:,} customers: {found.import_per_second:,.0f}/s, "
        f"plain executemany {found.plain_per_second:,.0f}/s, ratio {found.ratio:.2f}"
    )
