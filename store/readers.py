"""Readers: threads that read one SQLite file for pages and reports, off the writer's way.

A rule runs in one of them from its first statement to its last, over a read-only connection of the thread's own. Hopping to a
thread and back for each statement gives half as many pages a second (decision 0001).
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

T = TypeVar("T")

THREADS = 6
PRAGMAS = ("query_only = ON", "busy_timeout = 5000", "cache_size = -16384")


class Readers:
    """`connect` opens the file once more; `info` is what a rule's session tells it."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], info: Callable[[], dict[str, Any]]) -> None:
        self._connect = connect
        self._info = info
        self._threads = ThreadPoolExecutor(THREADS, "read")
        self._connections: list[sqlite3.Connection] = []
        self._looks: set[Future[Any]] = set()
        self._engine = sa.create_engine(
            "sqlite://", creator=self._connected, poolclass=sa.pool.SingletonThreadPool, pool_size=THREADS,
            isolation_level="AUTOCOMMIT",
        )  # fmt: skip

    async def read(self, rule: Callable[[Session], T]) -> T:
        """What a rule finds; its thread goes on to its end though the caller goes away."""
        context = copy_context()
        look: Future[T] = self._threads.submit(lambda: context.run(self._look, rule))
        self._looks.add(look)
        look.add_done_callback(self._looks.discard)
        return await asyncio.wrap_future(look)

    async def close(self) -> None:
        """End what is still read, at its next statement, and close the connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        while self._looks:
            for connection in self._connections:
                connection.interrupt()
            await asyncio.sleep(0.001)
        self._engine.dispose()

    def _look(self, rule: Callable[[Session], T]) -> T:
        with Session(self._engine, info=self._info()) as session:
            session.info["sqlite"] = session.connection().connection.dbapi_connection
            return rule(session)

    def _connected(self) -> sqlite3.Connection:
        connection = self._connect()
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        self._connections.append(connection)
        return connection
