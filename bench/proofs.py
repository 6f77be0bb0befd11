"""How long `regulars check` takes over large books, against plain SQL that adds the same up, hashes every transfer's postings
and compares nothing but the hashes.
"""

import asyncio
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from bench.books import NOW, open_books, took
from loyalty.points import proof
from store.clock import SetClock
from store.engine import open_store

PER_CUSTOMER = 10
"""Postings: four earns of two legs, two payments."""
SUMS = (
    "SELECT sum(s) FROM (SELECT source_id, sum(amount) AS s FROM postings GROUP BY source_id) f",
    "SELECT sum(s) FROM (SELECT target_id, sum(amount) AS s FROM postings GROUP BY target_id) f",
    "SELECT sum(s) FROM (SELECT transfer_id, count(*) AS s FROM postings GROUP BY transfer_id) f",
    "SELECT sum(s) FROM (SELECT customer_id, sum(remaining) AS s FROM lots GROUP BY customer_id) f",
    "SELECT sum(s) FROM (SELECT transfer_id, sum(amount) AS s FROM lots GROUP BY transfer_id) f",
    "SELECT sum(s) FROM (SELECT lot_id, sum(amount) AS s FROM lot_moves GROUP BY lot_id) f",
)
HASHES = {
    "sqlite": "SELECT count(*) FROM (SELECT t.id, t.kind, t.hash, group_concat(printf('[%d, %d, %d]', p.source_id, p.target_id, "
    "p.amount), ', ') AS said FROM transfers t JOIN postings p ON p.transfer_id = t.id GROUP BY t.id) s "
    "WHERE hash <> sha256_hex('[\"' || kind || '\", [' || said || ']]')",
    "postgresql": "SELECT count(*) FROM transfers t JOIN (SELECT transfer_id, string_agg('[' || source_id || ', ' || target_id || "
    "', ' || amount || ']', ', ' ORDER BY id) AS said FROM postings GROUP BY transfer_id) s ON s.transfer_id = t.id "
    "WHERE hash <> encode(sha256(convert_to('[\"' || kind || '\", [' || said || ']]', 'UTF8')), 'hex')",
}
"""The transfers that their postings don't seal: none in these books."""


@dataclass(frozen=True, slots=True)
class Proven:
    """Seconds: `sums` of them plain SQL's without the hashes; `megabytes` is what the process took at most."""

    postings: int
    seconds: float
    plain_seconds: float
    sums: float
    megabytes: int


def measure(postings: int, database_url: str | None = None) -> Proven:
    """All proofs over so many postings, on SQLite unless another (empty) database is named."""
    return asyncio.run(_measure(postings // PER_CUSTOMER, database_url))


async def _measure(customers: int, database_url: str | None) -> Proven:
    with tempfile.TemporaryDirectory() as folder:
        url = database_url or f"sqlite+aiosqlite:///{Path(folder) / 'bench.db'}"
        store = open_store(url, SetClock(NOW))
        await open_books(store, customers, earns=4, spends=2)
        await store.close()
        # In a process of its own, as the command is: filling took memory that proving must not be given.
        found = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.proofs", "prove", url, stdout=asyncio.subprocess.PIPE
        )
        told, _ = await found.communicate()
        return Proven(customers * PER_CUSTOMER, *json.loads(told))


async def _prove(url: str) -> tuple[float, float, float, int]:
    store = open_store(url, SetClock(NOW))
    with took("plain SQL: sums") as sums:
        await store.read(_sums)
    with took("plain SQL: hashes") as hashes:
        assert await store.read(_hashes) == 0
    with took("check") as ours:
        faults = await asyncio.gather(*(store.read(part) for part in proof.PARTS))
    await store.close()
    if any(faults):
        raise RuntimeError(f"the books are not sound: {faults[:3]}")
    # Not getrusage: what forked this process counts there.
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))  # noqa: ASYNC240
    return ours.seconds, sums.seconds + hashes.seconds, sums.seconds, int(peak.split()[1]) // 1024


def _sums(session: Session) -> None:
    connection = session.connection()
    for statement in SUMS:
        connection.exec_driver_sql(statement).all()


def _hashes(session: Session) -> int:
    connection = session.connection()
    return int(connection.exec_driver_sql(HASHES[connection.dialect.name]).scalar_one())


if __name__ == "__main__":
    if sys.argv[1:2] == ["prove"]:
        print(json.dumps(asyncio.run(_prove(sys.argv[2]))))  # noqa: T201  # its output
    else:
        print(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000))  # noqa: T201  # its output
