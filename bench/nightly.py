"""The nightly jobs over many customers, against plain SQL that does the least of it: one lot of each expires, tiers are
reviewed over rolling twelve months.
"""

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bench.books import NOW, open_books, took
from loyalty.points import points, proof
from loyalty.tiers import tier_review, tier_rule
from loyalty.tiers.tier_rule import Measure, Policy, Window
from loyalty.tiers.tiers import Level
from store.base import to_micros
from store.clock import SetClock
from store.engine import Store, open_store

LEVELS = (Level(1, "Thành viên", 0), Level(2, "Bạc", 1_200_000, 1_000_000), Level(3, "Vàng", 5_000_000, 4_000_000))
RULE = Policy(Measure.SPEND, Window.ROLLING)


@dataclass(frozen=True, slots=True)
class Job:
    """A job: lots or customers a second, ours and by plain SQL, and how long a batch of ours took (99 of 100)."""

    per_second: float
    plain_per_second: float
    batch_ms: float


@dataclass(frozen=True, slots=True)
class Nights:
    expiry: Job
    review: Job


def measure(customers: int, database_url: str | None = None) -> Nights:
    """One night over so many customers, on SQLite unless another (empty) database is named: there only ours is run."""
    return asyncio.run(_measure(customers, database_url))


async def _measure(customers: int, database_url: str | None) -> Nights:
    with tempfile.TemporaryDirectory() as folder:
        file, twin = Path(folder) / "bench.db", Path(folder) / "plain.db"
        store = open_store(database_url or f"sqlite+aiosqlite:///{file}", SetClock(NOW))
        await open_books(store, customers, earns=2, orders=True)
        await store.write(tier_review.save, LEVELS, RULE)
        if database_url is None:
            await store.close()
            shutil.copy(file, twin)
            store = open_store(f"sqlite+aiosqlite:///{file}", SetClock(NOW))
        expiry = await _ours(store, points.expire_due, customers)
        review = await _ours(store, tier_review.review_due, customers)
        if faults := await store.read(proof.faults):
            raise RuntimeError(f"the night left faults: {faults[:3]}")
        written = await store.read(_written)
        await store.close()
        if database_url is not None:
            return Nights(Job(expiry[0], float("nan"), expiry[1]), Job(review[0], float("nan"), review[1]))
        plain = open_store(f"sqlite+aiosqlite:///{twin}", SetClock(NOW))
        plain_expiry = await _plain(plain, _expire, customers)
        plain_review = await _plain(plain, _review, customers)
        beside = await plain.read(_written)
        if beside != written:
            raise RuntimeError(f"plain SQL did something else: {beside} for {written}")
        await plain.close()
        return Nights(Job(expiry[0], plain_expiry, expiry[1]), Job(review[0], plain_review, review[1]))


_WRITTEN = (
    "SELECT (SELECT sum(tier_id * (id % 1000)) FROM customers), (SELECT count(*) FROM tier_changes), (SELECT count(*) FROM events), "
    "(SELECT count(*) FROM notices), (SELECT count(*) FROM tier_watches), (SELECT sum(balance * (id % 1000)) FROM accounts)"
)
_DATA = '{"tier": "Hạng", "before": "Hạng", "missing": 600000}'


def _written(session: Session) -> Sequence[int]:
    return tuple(session.execute(sa.text(_WRITTEN)).one())


async def _ours(store: Store, rule: Callable[[Session], int], rows: int) -> tuple[float, float]:
    """Rows a second and the milliseconds of a batch, run as the clock does: to the end, others between any two."""
    batches: list[float] = []

    def timed(session: Session) -> int:
        began = time.perf_counter()
        done = rule(session)
        batches.append(time.perf_counter() - began)
        return done

    with took(f"ours: {rule.__name__}") as whole:
        while await store.write(timed):  # noqa: ASYNC110  # as the clock does
            await asyncio.sleep(0)
    return rows / whole.seconds, 1_000 * quantiles(batches, n=100)[-1]


async def _plain(store: Store, work: Callable[[sa.Connection], None], rows: int) -> float:
    with took(f"plain SQL: {work.__name__}") as whole:
        await store.run_on_connection(work)
    return rows / whole.seconds


def _expire(connection: sa.Connection) -> None:
    """The same rows by five statements in one transaction, the new numbers worked out from the lots'."""
    run = connection.exec_driver_sql
    run("PRAGMA foreign_keys = ON")
    at = to_micros(NOW)
    due = f"remaining > 0 AND expires_at <= {at} AND pending_until IS NULL"
    first = run("SELECT max(id) FROM transfers").scalar_one()
    gone = run("SELECT id FROM accounts WHERE owner = 'shop' AND name = 'expired'").scalar_one()
    run(
        "INSERT INTO transfers (id, key, hash, kind, at, legs, shop_id) "
        f"SELECT {first} + id, 'expire:lot:' || id || ':0', '{'0' * 64}', 'expire', {at}, 1, shop_id FROM lots WHERE {due} "
        "ORDER BY id"
    )
    run(
        "INSERT INTO postings (transfer_id, source_id, target_id, amount) "
        f"SELECT {first} + l.id, a.id, {gone}, l.remaining FROM lots l JOIN accounts a ON a.owner = 'customer' "
        f"AND a.owner_id = l.customer_id AND a.name = 'available' WHERE {due} ORDER BY l.id"
    )
    run(
        "INSERT INTO lot_moves (lot_id, transfer_id, amount) "
        f"SELECT id, {first} + id, -remaining FROM lots WHERE {due} ORDER BY id"
    )
    run(
        f"UPDATE accounts SET balance = balance - v.amount FROM (SELECT customer_id, sum(remaining) AS amount FROM lots "
        f"WHERE {due} GROUP BY customer_id) v WHERE owner = 'customer' AND owner_id = v.customer_id AND name = 'available'"
    )
    run(f"UPDATE accounts SET balance = balance + (SELECT sum(remaining) FROM lots WHERE {due}) WHERE id = {gone}")
    run(f"UPDATE lots SET remaining = 0 WHERE {due}")


def _review(connection: sa.Connection) -> None:
    """The same rows by seven statements in one transaction; which day one in danger falls on, and the words for people,
    are not worked out.
    """
    run = connection.exec_driver_sql
    run("PRAGMA foreign_keys = ON")
    parts = tier_rule.spans(RULE, NOW)
    at, since, turn = to_micros(NOW), to_micros(parts.since), to_micros(parts.turn)
    run(
        "CREATE TEMP TABLE moved AS SELECT id, was, tier FROM (SELECT c.id, c.tier_id AS was, coalesce(f.late, 0) AS late, "
        "CASE WHEN coalesce(f.total, 0) >= 5000000 THEN 3 "
        "WHEN coalesce(f.total, 0) >= CASE c.tier_id WHEN 2 THEN 1000000 ELSE 1200000 END THEN 2 ELSE 1 END AS tier "
        "FROM customers c LEFT JOIN (SELECT customer_id, sum(counted) AS total, "
        f"sum(CASE WHEN placed_at >= {turn} THEN counted ELSE 0 END) AS late FROM orders "
        f"WHERE placed_at >= {since} AND counted > 0 GROUP BY customer_id) f ON f.customer_id = c.id) s "
        "WHERE tier <> was OR (was = 2 AND late < 1000000)"
    )
    run("UPDATE customers SET tier_id = m.tier FROM moved m WHERE customers.id = m.id AND m.tier <> m.was")
    run(
        "INSERT INTO tier_changes (customer_id, from_id, to_id, at) "
        f"SELECT id, was, tier, {at} FROM moved WHERE tier <> was ORDER BY id"
    )
    kind = "CASE WHEN tier > was THEN 'tier_up' WHEN tier < was THEN 'tier_down' ELSE 'tier_at_risk' END"
    run(
        "INSERT INTO events (at, kind, customer_id, data) "
        f"SELECT {at}, {kind}, id, '{_DATA}' FROM moved WHERE tier <> was ORDER BY id"
    )
    run(
        "INSERT INTO notices (at, due_at, kind, customer_id, params, purpose, replaces, state) "
        f"SELECT {at}, {at}, {kind}, id, '{_DATA}', 1, 'tier:' || id, 'waiting' FROM moved ORDER BY id"
    )
    run(f"INSERT INTO tier_watches (customer_id, told_for) SELECT id, {at} FROM moved WHERE tier = was ORDER BY id")
    run("DROP TABLE moved")


if __name__ == "__main__":
    found = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
    for name, job in (("expiry", found.expiry), ("review", found.review)):
        print(  # noqa: T201  # its output
            f"{name}: {job.per_second:,.0f}/s, plain {job.plain_per_second:,.0f}/s, "
            f"ratio {job.per_second / job.plain_per_second:.2f}, a batch {job.batch_ms:.1f} ms"
        )
