"""The migrations: up, down and up again on both databases, and the tables they make are the models' own."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from store import schema
from store.engine import Store, open_store


@pytest.fixture
async def migrated(database_url: str) -> AsyncIterator[Store]:
    store = open_store(database_url)
    yield store
    await store.close()


def _made(connection: sa.Connection) -> tuple[set[str], set[str]]:
    """The tables, and what else was made beside them: triggers and functions."""
    tables = set(sa.inspect(connection).get_table_names()) - {"alembic_version", "sqlite_sequence"}
    if connection.dialect.name == "sqlite":
        beside = connection.execute(sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
    else:
        beside = connection.execute(
            sa.text(
                "SELECT tgname || ' on ' || tgrelid::regclass FROM pg_trigger WHERE NOT tgisinternal UNION ALL "
                "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            )
        )
    return tables, set(beside.scalars())


async def test_down_and_up_again_leaves_the_same_schema(migrated: Store) -> None:
    tables, beside = await migrated.run_on_connection(_made)
    assert {name for name in tables if not name.startswith(schema.SEARCH)} == set(schema.metadata().tables)
    assert beside
    await schema.migrate(migrated, "base")
    assert await schema.revision(migrated) is None
    assert await migrated.run_on_connection(_made) == (set(), set())
    await schema.migrate(migrated)
    assert await schema.is_current(migrated)
    assert await migrated.run_on_connection(_made) == (tables, beside)


def _same_default(_context: object, _reflected: object, column: sa.Column[object], *_: object) -> bool | None:
    """PostgreSQL can't compare JSON with `=`, by which defaults are held against each other; they are all `{}`."""
    return False if isinstance(column.type, sa.JSON) else None


async def test_the_models_are_what_the_migrations_make(migrated: Store) -> None:
    def differences(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True, "compare_server_default": _same_default, "target_metadata": schema.metadata(),
                "include_name": lambda name, kind, _: kind != "table" or not str(name).startswith(schema.SEARCH),
            },
        )  # fmt: skip
        return list(compare_metadata(context, schema.metadata()))

    assert await migrated.run_on_connection(differences) == []


async def test_a_database_that_is_current_is_left_alone(migrated: Store) -> None:
    assert not await schema.migrate_if_needed(migrated)
    await schema.migrate(migrated, "base")
    assert await schema.migrate_if_needed(migrated)


async def test_two_replicas_that_start_at_once_migrate_once(postgres_url: str) -> None:
    first, second = open_store(postgres_url), open_store(postgres_url)
    try:
        await schema.migrate(first, "base")
        await asyncio.gather(schema.migrate_if_needed(first), schema.migrate_if_needed(second))
        assert await schema.is_current(second)
    finally:
        await first.close()
        await second.close()
