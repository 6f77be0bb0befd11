"""Voucher codes made and stored by the batch, against plain `executemany` of the same rows into an empty copy."""

import asyncio
import shutil
import sqlite3
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.books import say, took
from loyalty import programme
from loyalty.vouchers import batches, voucher_programs
from loyalty.vouchers.voucher_programs import Kind
from store import schema
from store.engine import open_store

PART = 10_000


@dataclass(frozen=True, slots=True)
class Made:
    """Codes a second."""

    ours: float
    plain: float


def measure(codes: int) -> Made:
    """Codes of one batch as the loop makes them, then their rows written plainly in one transaction, both on SQLite."""
    with tempfile.TemporaryDirectory() as folder:
        file, twin = Path(folder) / "bench.db", Path(folder) / "plain.db"
        ours = asyncio.run(_ours(file, twin, codes))
        return Made(codes / ours, codes / _plain(file, twin))


async def _ours(file: Path, twin: Path, codes: int) -> float:
    store = open_store(f"sqlite+aiosqlite:///{file}")
    await schema.migrate(store)
    shop = await store.write(programme.open_shop, "Bench", timezone="Asia/Ho_Chi_Minh", language="vi")
    offer = await store.write(voucher_programs.add, shop_id=shop, name="Codes", kind=Kind.AMOUNT, value=20_000)
    batch = await store.write(batches.start, offer.id, codes, actor="bench")
    await store.close()
    shutil.copy(file, twin)
    store = open_store(f"sqlite+aiosqlite:///{file}")
    with took("ours: codes made and stored") as whole:
        async for stands in store.stream(batches.work, batch.id):
            if stands.made % 100_000 == 0:
                say(f"{stands.made:,} of {codes:,} codes")
    await store.close()
    return whole.seconds


def _plain(file: Path, twin: Path) -> float:
    with sqlite3.connect(file) as opened:
        rows = opened.execute("SELECT * FROM vouchers ORDER BY id").fetchall()
    opened.close()
    plain = sqlite3.connect(twin, isolation_level=None)
    for pragma in ("foreign_keys = ON", "synchronous = FULL", "cache_size = -65536"):
        plain.execute(f"PRAGMA {pragma}")
    marks = ", ".join("?" * len(rows[0]))
    with took("plain: the same rows") as whole:
        plain.execute("BEGIN IMMEDIATE")
        for start in range(0, len(rows), PART):
            plain.executemany(f"INSERT INTO vouchers VALUES ({marks})", rows[start : start + PART])  # noqa: S608
        plain.execute("COMMIT")
    plain.close()
    return whole.seconds


if __name__ == "__main__":
    print(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000))  # noqa: T201  # its output
