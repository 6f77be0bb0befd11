"""The tests' own ground: a PostgreSQL database serves many tests, and each finds it as the first did."""

import asyncpg
import pytest
import sqlalchemy as sa

from loyalty import programme
from store import schema
from store.engine import Store
from tests.conftest import _dsn, _emptied


async def rows(server: sa.URL, name: str) -> dict[str, list[object]]:
    connection = await asyncpg.connect(_dsn(server.set(database=name)))
    try:
        return {
            table: sorted(map(repr, await connection.fetch(f'SELECT * FROM "{table}"')))
            for table in [*schema.metadata().tables, "alembic_version"]
        }
    finally:
        await connection.close()


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_database_is_lent_on_as_it_came(store: Store, postgres_server: sa.URL, postgres_url: str) -> None:
    name = sa.make_url(postgres_url).database or ""
    before = await rows(postgres_server, name)
    await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")
    assert await rows(postgres_server, name) != before
    await store.close()
    assert await _emptied(postgres_server, name)
    assert await rows(postgres_server, name) == before


async def test_whose_tables_were_changed_is_lent_to_nobody_else(postgres_server: sa.URL, postgres_url: str) -> None:
    name = sa.make_url(postgres_url).database or ""
    connection = await asyncpg.connect(_dsn(postgres_server.set(database=name)))
    await connection.execute("ALTER TABLE postings DISABLE TRIGGER ALL")
    await connection.close()
    assert not await _emptied(postgres_server, name)
