"""A backup is the whole database in one file, and comes back into either kind of database, empty ones only."""

import sqlite3
import stat
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from loyalty import programme
from loyalty.customers import claims, customers
from loyalty.orders import orders
from loyalty.orders.orders import OrderInput, Status
from loyalty.points import ledger, points
from store import backup, media, schema, shops, staff
from store.backup import BackupError
from store.clock import SetClock
from store.engine import Store, open_store
from store.outbox import Call, put
from support import messages, tickets

AT = datetime(2026, 11, 20, 3, tzinfo=UTC)
PICTURE = bytes(range(256)) * 9
SECOND = "regulars_second"


@pytest.fixture(params=["sqlite", "postgres"])
async def other(
    request: pytest.FixtureRequest, postgres_template: str, clock: SetClock, tmp_path: Path
) -> AsyncIterator[Store]:
    """A second, new database, of each kind: not even migrated on SQLite."""
    if request.param == "sqlite":
        opened = open_store(f"sqlite+aiosqlite:///{tmp_path / 'other.db'}", clock)
    else:
        from tests.conftest import _admin, _dsn

        server: sa.URL = request.getfixturevalue("postgres_server")
        await _admin(server, f'CREATE DATABASE "{SECOND}" TEMPLATE "{postgres_template}"')
        opened = open_store(_dsn(server.set(database=SECOND)), clock)
    yield opened
    await opened.close()
    if request.param == "postgres":
        await _admin(server, f'DROP DATABASE "{SECOND}" WITH (FORCE)')


async def fill(store: Store) -> None:
    shop = await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")
    await store.write(staff.add, "Hà", staff.Role.OWNER, None)
    order = OrderInput(85_000, "VND", AT, Status.COMPLETED, phone="+84903123456", items=[{"name": "Cà phê 🐉"}])
    guest = await store.write(orders.put, shop, "A1", order)
    assert guest.customer_id is not None
    # The later customer goes into the earlier one's place in the file: a reference forward and one back.
    person = await store.write(customers.create, name="Lan <b>")
    await store.write(claims.merge, person, guest.customer_id)
    await store.write(media.keep, PICTURE, "image/png")
    joined = await store.write(tickets.open_or_join, person, shop)
    await store.write(messages.customer_says, joined.ticket.id, text="Chào quán\n\tạ")
    await store.write(lambda session: put(session, [Call(7, "web", 1, "sendMessage", '{"text": "ờ"}')]))


async def picture(store: Store) -> dict[str, list[Any]]:
    """All rows of all tables, JSON read as JSON; leases and the outbox's fate aside."""
    tables = [table for table in schema.metadata().sorted_tables if table.name not in backup.LEFT_OUT | {"outbox"}]

    def read(session: Any) -> dict[str, list[Any]]:
        return {
            table.name: sorted((tuple(row) for row in session.execute(sa.select(table))), key=repr) for table in tables
        }

    return await store.read(read)


async def test_everything_comes_back_in_either_kind_of_database(store: Store, other: Store, tmp_path: Path) -> None:
    await fill(store)
    path = tmp_path / "regulars.backup"
    counts = await backup.save(store, path, AT)
    assert counts["customers"] == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.glob("*.partial")) == []
    assert await backup.load(other, path) == counts
    assert await picture(other) == await picture(store)
    assert await other.read(ledger.check) == []
    assert await other.read(points.check) == []
    # New rows are numbered after the old ones, and the ledger is still append-only.
    order = OrderInput(20_000, "VND", AT, Status.COMPLETED, phone="+84903999999")
    state = await other.write(orders.put, 1, "A2", order)
    assert state.earned == 20
    with pytest.raises(sa.exc.DBAPIError):
        await other.write(lambda session: session.execute(sa.text("DELETE FROM postings")))
    with pytest.raises(sa.exc.IntegrityError):
        await other.write(lambda session: session.execute(sa.text("UPDATE orders SET customer_id = 999")))


async def test_what_was_waiting_to_be_sent_is_not_sent_again(sqlite_url: str, tmp_path: Path, clock: SetClock) -> None:
    store = open_store(sqlite_url, clock)
    await fill(store)
    path = tmp_path / "b.zip"
    await backup.save(store, path, AT)
    again = open_store(f"sqlite+aiosqlite:///{tmp_path / 'again.db'}", clock)
    await backup.load(again, path)
    state = await again.read(lambda session: session.execute(sa.text("SELECT state FROM outbox")).scalar())
    assert state == "unknown"
    await again.close()
    await store.close()


async def test_a_database_with_anything_in_it_is_left_alone(store: Store, tmp_path: Path) -> None:
    await fill(store)
    path = tmp_path / "b.zip"
    await backup.save(store, path, AT)
    before = await picture(store)
    with pytest.raises(BackupError) as refused:
        await backup.load(store, path)
    assert refused.value.problem == "not_empty"
    assert await picture(store) == before


async def test_what_is_no_sound_backup_is_refused(sqlite_url: str, tmp_path: Path, clock: SetClock) -> None:
    store = open_store(sqlite_url, clock)
    await fill(store)
    whole, bad = tmp_path / "b.zip", tmp_path / "bad.zip"
    await backup.save(store, whole, AT)
    for number, (change, problem) in enumerate({
        "garbage": "unreadable", "newer": "newer", "format": "format", "short": "damaged", "lost": "unreadable",
    }.items()):  # fmt: skip
        with zipfile.ZipFile(whole) as source, zipfile.ZipFile(bad, "w") as target:
            for name in source.namelist():
                content = source.read(name)
                if name == "manifest.json" and change == "newer":
                    content = content.replace(b'"revision": "', b'"revision": "9')
                if name == "manifest.json" and change == "format":
                    content = content.replace(b'"format": 1', b'"format": 2')
                if name == "customers.jsonl" and change == "short":
                    content = content.splitlines(keepends=True)[0]
                if name == "postings.jsonl" and change == "lost":
                    continue
                target.writestr(name, content)
        if change == "garbage":
            bad.write_bytes(b"PK nothing of the kind")
        fresh = open_store(f"sqlite+aiosqlite:///{tmp_path / f'fresh{number}.db'}", clock)
        with pytest.raises(BackupError) as refused:
            await backup.load(fresh, bad)
        assert refused.value.problem == problem, change
        if await schema.revision(fresh) is not None:
            assert await fresh.read(shops.every) == []
        await fresh.close()
    await store.close()


async def test_a_backup_is_of_one_instant(sqlite_url: str, tmp_path: Path, clock: SetClock) -> None:
    """Written to while it is taken: what came later is not in it, whichever table it is in."""
    store = open_store(sqlite_url, clock)
    await fill(store)
    file = sqlite_url.partition("///")[2]
    done: list[str] = []

    def write_between(table: str, _rows: int) -> None:
        if not done:
            with sqlite3.connect(file) as connection:
                connection.execute("INSERT INTO tiers (name, threshold, style) VALUES ('Kim cương', 9000, 'ink')")
            connection.close()
        done.append(table)

    path = tmp_path / "b.zip"
    counts = await backup.save(store, path, AT, write_between)
    assert done.index("tiers") > 0
    assert counts["tiers"] == 4
    assert await store.read(lambda session: session.execute(sa.text("SELECT count(*) FROM tiers")).scalar()) == 5
    await store.close()
