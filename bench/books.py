"""Large books for the set-based jobs: customers, their orders, lots and ledger, written by a few statements each.

They are sound (`regulars check` finds nothing), and of a shop's kind: what one customer did lies far apart, for others came
between.
"""

import hashlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from loyalty import programme
from loyalty.points import ledger
from store import schema
from store.base import to_micros
from store.engine import Store

NOW = datetime(2026, 6, 15, 20, tzinfo=UTC)
"""The small hours of 16 June at the shop: the books' lots and orders are dated around it."""
_TABLES = ("customers", "accounts", "orders", "transfers", "postings", "lots", "lot_moves")
_SPREAD = 1_000_003
"""A prime: number n's customer is n * this, modulo the customers."""
_PAID = "CASE WHEN who % 1000 = 2 OR who % 10 = 1 THEN 600000 ELSE 300000 END"
"""đồng of each order."""


def say(what: str) -> None:
    """Show how far a long run is."""
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)  # noqa: T201  # its progress


@dataclass
class Took:
    seconds: float = 0.0


@contextmanager
def took(what: str) -> Iterator[Took]:
    """Measure what is done within, and show it: its seconds, and this process's seconds of CPU, which another's load leaves
    alone.
    """
    found, began, cpu = Took(), time.perf_counter(), time.process_time()
    yield found
    found.seconds = time.perf_counter() - began
    say(f"{what}: {found.seconds:.1f} s, {time.process_time() - cpu:.2f} s of CPU")


async def open_books(store: Store, customers: int, *, earns: int, spends: int = 0, orders: bool = False) -> None:
    """Fill a new database: each customer has earned 10 points (and a tier point) so often, spent 3 so often.

    The first earns' lots expire in the night before NOW, all at one moment as by a new shop's rule, the others years later.
    With `orders`, they are there too: one customer in ten is on the second tier.
    """
    await schema.migrate(store)
    shop_id = await store.write(programme.open_shop, "Bench", timezone="Asia/Ho_Chi_Minh", language="vi")
    names = ("wallet", "tier_source", "redeemed", "expired")
    held = {name: await store.write(ledger.account, "shop", shop_id, name) for name in names}
    await store.run_on_connection(lambda connection: _fill(connection, customers, earns, spends, orders, held))


def _fill(
    connection: sa.Connection, customers: int, earns: int, spends: int, orders: bool, held: dict[str, int]
) -> None:
    run = connection.exec_driver_sql
    say(f"books of {customers:,} customers are written")
    later = _without_indices(connection)
    sealed = _sealing(connection)
    at = to_micros(NOW - timedelta(days=200))
    first = 100  # above the shop's own accounts, three to a customer: available, pending, tier
    mine, ranked = f"({first} + 3 * who)", f"({first} + 3 * who + 2)"
    earned = f"'[[{held['wallet']}, ' || {mine} || ', 10], [{held['tier_source']}, ' || {ranked} || ', 1]]'"
    paid = f"'[[' || {mine} || ', {held['redeemed']}, 3]]'"
    run("CREATE TEMP TABLE n (i INTEGER PRIMARY KEY, who INTEGER)")
    run(
        "INSERT INTO n WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c "
        f"WHERE i < {customers}) SELECT i, CAST(i * CAST({_SPREAD} AS BIGINT) % {customers} + 1 AS INTEGER) FROM c"
    )
    run(
        "INSERT INTO customers (id, name, folded, language, code, tags, tier_id, advertising, joined_at, spend_total, "
        "orders_count) SELECT i, 'Khách ' || i, 'khach ' || i, 'vi', 'B' || i, '[]', "
        f"CASE WHEN i % 10 = 1 THEN {2 if orders else 1} ELSE 1 END, false, {at}, {earns * orders} * {_PAID.replace('who', 'i')}, "
        f"{earns * orders} FROM n ORDER BY i"
    )
    for place, (name, balance) in enumerate((
        ("available", 10 * earns - 3 * spends), ("pending", 0), ("tier", earns),
    )):  # fmt: skip
        run(
            "INSERT INTO accounts (id, owner, owner_id, name, unit, balance, hot) "
            f"SELECT {first} + 3 * i + {place}, 'customer', i, '{name}', '{ledger.unit_of(name)}', {balance}, 0 FROM n"
        )
    for turn in range(earns):
        base = 1_000 + turn * customers
        # Of a hundred one bought too long ago by now (and falls), one nearly; of a thousand one enough to rise.
        placed = (
            f"CASE WHEN who % 100 = 11 THEN {to_micros(NOW - timedelta(days=400))} "
            f"WHEN who % 100 = 21 THEN {to_micros(NOW - timedelta(days=350))} ELSE {at} END" if turn == 0 else str(at)
        )  # fmt: skip
        expires_at = to_micros(NOW - timedelta(hours=3) if turn == 0 else NOW + timedelta(days=900 + turn))
        if orders:
            run(
                "INSERT INTO orders (id, shop_id, external_id, customer_id, total, refunded, currency, status, items, "
                "source, placed_at, changed_at, version, earn_per, tier_per, earned, standing, standing_tier, counted) "
                f"SELECT {base} + i, 1, 'B' || ({base} + i), who, {_PAID}, 0, 'VND', 'completed', '[]', 'api', {placed}, "
                f"{at}, 1, 60000, 600000, 10, 10, 1, {_PAID} FROM n ORDER BY i"
            )
        run(
            "INSERT INTO transfers (id, key, hash, kind, at, legs, shop_id, order_id) "
            f"SELECT {base} + i, 'earn:order:' || ({base} + i) || ':1', {sealed('earn', earned)}, 'earn', {at}, 2, 1, "
            f"{base} + i FROM n ORDER BY i"
        )
        for source, place, amount in ((held["wallet"], 0, 10), (held["tier_source"], 2, 1)):
            run(
                "INSERT INTO postings (transfer_id, source_id, target_id, amount) "
                f"SELECT {base} + i, {source}, {first} + 3 * who + {place}, {amount} FROM n ORDER BY i"
            )
        left = f"CASE WHEN {turn} = 0 THEN {10 - 3 * spends} ELSE 10 END"
        run(
            "INSERT INTO lots (id, customer_id, shop_id, transfer_id, order_id, amount, remaining, earned_at, expires_at) "
            f"SELECT {turn * customers} + i, who, 1, {base} + i, {base} + i, 10, {left}, {at}, {expires_at} "
            "FROM n ORDER BY i"
        )
        say(f"earn {turn + 1} of {earns} stands")
    for turn in range(spends):
        base = 1_000 + (earns + turn) * customers
        run(
            "INSERT INTO transfers (id, key, hash, kind, at, legs, shop_id) "
            f"SELECT {base} + i, 'till:' || ({base} + i), {sealed('pay', paid)}, 'pay', {at}, 1, 1 FROM n ORDER BY i"
        )
        run(
            "INSERT INTO postings (transfer_id, source_id, target_id, amount) "
            f"SELECT {base} + i, {first} + 3 * who, {held['redeemed']}, 3 FROM n ORDER BY i"
        )
        run(
            "INSERT INTO lot_moves (lot_id, transfer_id, amount) "
            f"SELECT i, {base} + i, -3 FROM n ORDER BY i"
        )  # fmt: skip
        say(f"payment {turn + 1} of {spends} stands")
    for name, change in (
        ("wallet", -10 * earns), ("tier_source", -earns), ("redeemed", 3 * spends),
    ):  # fmt: skip
        run(f"UPDATE accounts SET balance = balance + {change * customers} WHERE id = {held[name]}")
    run("DROP TABLE n")
    for statement in later:
        run(statement)
    if connection.dialect.name == "postgresql":
        for name in _TABLES:
            run(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), (SELECT max(id) + 1 FROM {name}))")
    run("ANALYZE")
    say("the books are whole")


def _sealing(connection: sa.Connection) -> Callable[[str, str], str]:
    """What writes SQL for the seal of a kind and of legs, which are SQL for their JSON."""
    if connection.dialect.name == "postgresql":
        return lambda kind, legs: f"encode(sha256(convert_to('[\"{kind}\", ' || {legs} || ']', 'UTF8')), 'hex')"
    raw = connection.connection.driver_connection
    assert raw is not None  # run_on_connection's own, without the store's functions
    raw.create_function("sha256_hex", 1, lambda text: hashlib.sha256(text.encode()).hexdigest(), deterministic=True)
    return lambda kind, legs: f"sha256_hex('[\"{kind}\", ' || {legs} || ']')"


def _without_indices(connection: sa.Connection) -> list[str]:
    """Take the filled tables' indices and triggers off (PostgreSQL lets triggers and foreign keys rest); what brings them
    back.
    """
    run = connection.exec_driver_sql
    if connection.dialect.name == "postgresql":
        run("SET LOCAL session_replication_role = replica")
        run("SET LOCAL maintenance_work_mem = '256MB'")
        names = ", ".join(f"'{name}'" for name in _TABLES)
        indices = run(
            f"SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ({names}) "
            "AND indexname NOT IN (SELECT conname FROM pg_constraint)"
        ).all()
        for name, _ in indices:
            run(f"DROP INDEX {name}")
        return [*(sql for _, sql in indices), "SET LOCAL session_replication_role = origin"]
    run("PRAGMA cache_size = -1000000")
    marks = ", ".join("?" * len(_TABLES))
    found = run(
        f"SELECT type, name, sql FROM sqlite_master WHERE tbl_name IN ({marks}) AND type IN ('index', 'trigger') "
        "AND sql IS NOT NULL",
        _TABLES,
    ).all()
    for kind, name, _ in found:
        run(f"DROP {kind} {name}")
    return [sql for _, _, sql in found]
