"""The schema: every table of the house in one metadata, and the migrations that make it."""

import importlib
import pkgutil
from pathlib import Path

import sqlalchemy as sa

from store.base import Base
from store.engine import Store

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_KEY = 5_260_621
SEARCH = "search_"
"""With this begin the tables that triggers keep for searching: made by migrations, different on each database, in no model
and in no backup.
"""


def metadata() -> sa.MetaData:
    """All tables. The floors above hang theirs on the same metadata when they are imported; found by name, so that the
    ground imports nothing that stands on it.
    """
    for package in ("store", "loyalty", "support"):
        found = importlib.import_module(package)
        for module in pkgutil.walk_packages(found.__path__, f"{package}."):
            if ".migrations" not in module.name:
                importlib.import_module(module.name)
    return Base.metadata


async def migrate(store: Store, revision: str = "head") -> None:
    """Bring the database to a revision (`head`, `base` or a number), up or down. Two replicas that start at once wait
    for each other.
    """
    await store.run_on_connection(lambda connection: _run(connection, revision))


async def migrate_if_needed(store: Store) -> bool:
    """Bring a new database, or one that is behind, to the newest revision; whether there was anything to do."""
    if await is_current(store):
        return False
    await migrate(store)
    return True


async def is_current(store: Store) -> bool:
    """Whether the database stands at the newest revision."""
    return await revision(store) == head()


async def revision(store: Store) -> str | None:
    """The revision that the database stands at; None for a new one."""

    def stands(session: sa.orm.Session) -> str | None:
        try:
            return session.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
        except (sa.exc.OperationalError, sa.exc.ProgrammingError) as error:
            if "no such table" in str(error) or "does not exist" in str(error):
                return None
            raise

    return await store.read(stands)


def head() -> str:
    """The newest revision: migrations are numbered files, `0001_spine.py`."""
    return max(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _run(connection: sa.Connection, revision: str) -> None:
    from alembic import command
    from alembic.config import Config

    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    at = (
        connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
        if _migrated(connection)
        else None
    )
    down = revision == "base" or (revision != "head" and at is not None and revision < at)
    (command.downgrade if down else command.upgrade)(config, revision)


def _migrated(connection: sa.Connection) -> bool:
    return sa.inspect(connection).has_table("alembic_version")
