"""Lines: the connections to PostgreSQL, each with a session over it that stays, as SQLite's own do.

To make a session, have it take a connection and give both back would cost more than the statement it is for. Transactions
are begun and ended by statements of the store's; SQLAlchemy's own commit and rollback do nothing. What `raw` is given goes
straight to the driver.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import Session
from sqlalchemy.util import await_, greenlet_spawn

from store.errors import StoreUnreachableError

LINES = 16
"""The most connections of one process, the one it listens on aside."""
WAIT_SECONDS = 10.0
"""How long somebody waits until one is free."""
DRIVERS_OWN = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What the driver raises; the last where a connection breaks in the very moment in which it is used."""

log = structlog.get_logger()


class Lines:
    """Built over an engine that pools nothing and commits by itself; `info` is what each session is to carry."""

    def __init__(self, engine: AsyncEngine, info: Callable[[], dict[str, Any]]) -> None:
        self._engine = engine
        self._info = info
        self._free: list[Session] = []
        self._room = asyncio.Semaphore(LINES)

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Session]:
        """A session for rules in a greenlet. Raises StoreUnreachableError, and what the driver raises."""
        session = await self.take()
        failed = True
        try:
            yield session
            failed = False
        finally:
            await self.give_back(session, failed=failed)

    async def take(self) -> Session:
        """The same, to be given back."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._room.acquire()
        except TimeoutError:
            raise StoreUnreachableError("every connection is in use") from None
        try:
            while self._free:
                session = self._free.pop()
                if not session.info["driver"].is_closed():
                    return session
                _drop(session)
            return await greenlet_spawn(self._open)
        except BaseException:
            self._room.release()
            raise

    def _open(self) -> Session:
        connection = self._engine.sync_engine.connect()
        session = Session(connection, expire_on_commit=False)
        session.info.update(self._info(), driver=connection.connection.driver_connection, speak=_speak)
        return session

    async def give_back(self, session: Session, *, failed: bool = False) -> None:
        """What was begun and not committed is rolled back."""
        driver = session.info["driver"]
        whole = False
        try:
            if failed:
                session.rollback()
            if session.identity_map or session.new:
                session.expunge_all()
            session.info["signals"] = []
            if driver.is_in_transaction() and not driver.is_closed():
                await driver.execute("ROLLBACK")
            whole = not driver.is_closed()
        except (OSError, *DRIVERS_OWN, DBAPIError) as error:
            log.debug("a connection broke", error=type(error).__name__)
        finally:
            if whole:
                self._free.append(session)
            else:
                _drop(session)
            self._room.release()

    async def close(self) -> None:
        """Close what nobody uses."""
        while self._free:
            await greenlet_spawn(_hang_up, self._free.pop())


def _hang_up(session: Session) -> None:
    connection = session.get_bind()
    assert isinstance(connection, sa.Connection)
    session.close()
    connection.close()


def _drop(session: Session) -> None:
    """Forget a line that broke."""
    connection = session.get_bind()
    assert isinstance(connection, sa.Connection)
    if not connection.invalidated:
        connection.invalidate()
    session.close()
    connection.close()


def _speak(session: Session, sql: str, rows: Sequence[Sequence[Any]], *, many: bool = False) -> Sequence[Any]:
    """Run a statement on the driver's own connection, once or (`many`) once for each row of values. Raises as SQLAlchemy does."""
    driver = session.info["driver"]
    try:
        if many:
            await_(driver.executemany(sql, rows))
            return ()
        return [tuple(row) for row in await_(driver.fetch(sql, *rows))]
    except DRIVERS_OWN as error:
        kind = next((made for cause, made in _RAISED if isinstance(error, cause)), DBAPIError)
        raise kind(sql, None, error) from error


_RAISED = (
    (asyncpg.IntegrityConstraintViolationError, IntegrityError),
    (asyncpg.DataError, DataError),
    (asyncpg.InterfaceError, InterfaceError),
    (asyncpg.InternalClientError, InterfaceError),
)
