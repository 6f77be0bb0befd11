"""Connections to PostgreSQL: each serves on after whatever became of its work, and one statement is a whole transaction."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.orm import Session

from store import accounts, closing, lines
from store.base import one_of, raw
from store.clock import SetClock
from store.conversations import Conversation, ConversationKey
from store.engine import open_store
from store.errors import MovedError
from store.outbox import Call
from store.postgres import PostgresStore

KEY = ConversationKey(42, 5, 5)


@pytest.fixture
async def store(postgres_url: str, clock: SetClock) -> AsyncIterator[PostgresStore]:
    opened = open_store(postgres_url, clock)
    assert isinstance(opened, PostgresStore)
    hearing = asyncio.ensure_future(opened.hear())
    async with asyncio.timeout(10):
        while not opened.listening:
            await asyncio.sleep(0.01)
    yield opened
    hearing.cancel()
    await asyncio.gather(hearing, return_exceptions=True)
    await opened.close()


def count(session: Session, table: str) -> int:
    return int(raw(session, f"SELECT count(*) FROM {table}")[0][0])


async def test_a_work_that_is_broken_off_leaves_nothing_and_its_line_serves_on(store: PostgresStore) -> None:
    written = asyncio.Event()

    async def long() -> None:
        async with store.work() as work:
            await work.write(accounts.remember, "telegram:1", "lost")
            written.set()
            await asyncio.Event().wait()

    for _ in range(2 * lines.LINES):
        written.clear()
        work = asyncio.ensure_future(long())
        await written.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
    assert await store.read(count, "messenger_accounts") == 0
    await store.write(accounts.remember, "telegram:1", "kept")
    assert await store.read(count, "messenger_accounts") == 1


async def test_more_than_there_are_connections_wait_for_their_turn(store: PostgresStore) -> None:
    async def one(number: int) -> None:
        await store.write(accounts.remember, f"telegram:{number}", "a")

    await asyncio.gather(*(one(number) for number in range(3 * lines.LINES)))
    assert await store.read(count, "messenger_accounts") == 3 * lines.LINES
    assert await store.read(lambda session: count(session, "pg_stat_activity WHERE datname = current_database()")) <= (
        lines.LINES + 1
    )


async def test_a_close_that_comes_too_late_leaves_nothing(store: PostgresStore) -> None:
    async def close(key: str, conversation: Conversation) -> None:
        call = Call(store.ids.new(), "telegram:42", 5, "sendMessage", "{}")
        async with store.work() as work:
            await work.last(closing.close, "telegram:42", key, 5, "{}", conversation, [call])

    async def stands() -> tuple[int, int]:
        return await store.read(count, "inbox"), await store.read(count, "outbox")

    await close("1", Conversation(KEY))
    assert await stands() == (1, 1)
    with pytest.raises(MovedError):
        await close("1", Conversation(KEY, "other", {}, 1))
    with pytest.raises(MovedError):
        await close("2", Conversation(KEY))
    assert await stands() == (1, 1)
    await close("2", Conversation(KEY, "other", {}, 1))
    assert await stands() == (2, 2)
    assert await store.read(lambda session: raw(session, "SELECT state, version FROM conversations")) == [("other", 2)]


async def test_a_list_of_any_length_is_one_statement(store: PostgresStore) -> None:
    def found(session: Session, wanted: list[int]) -> tuple[str, list[int]]:
        among, values = one_of(session, wanted)
        rows = raw(session, f"SELECT n FROM generate_series(1, 9) n WHERE n {among} ORDER BY n", values)
        return among, [row[0] for row in rows]

    assert await store.read(found, [3, 4, 77]) == ("= ANY(?)", [3, 4])
    assert await store.read(found, [9]) == ("= ANY(?)", [9])
