"""The store on PostgreSQL, for any number of web and worker replicas: asyncpg, READ COMMITTED, row locks in the rules.

Signals go by `NOTIFY`. A transaction that notifies holds a lock over its commit that every other one wants, in all
replicas: they would be flushed to disk one by one. So a process that listens gives its signals after the commit, many at a
time, over the connection on which it listens; one that doesn't (the command line) gives them in the transaction.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import asyncpg
import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from store.clock import Clock
from store.engine import Store, Work
from store.errors import MovedError, StoreUnreachableError
from store.sealed import Seal

T = TypeVar("T")
P = ParamSpec("P")

RACE_STATES = {"40001", "40P01", "55P03"}
"""SQLSTATE of a serialisation failure, a deadlock, a lock time-out: run the work again."""
GONE_CLASSES = {"08", "53", "57", "58"}
"""SQLSTATE classes of a connection that broke, a server without room, shut down, or whose disk failed."""
NO_ENTRY_CLASSES = {"28", "3D", "55"}
"""The same where it was a connection that was asked for: not let in, no such database, closed for now."""
CHANNEL = "regulars"
"""By which replicas hear of each other's signals: topics, each on a line."""
PAYLOAD_BYTES = 7000
RECONNECT_SECONDS = 0.5

log = structlog.get_logger()


class PostgresWork(Work):
    def __init__(self, store: "PostgresStore") -> None:
        super().__init__()
        self._store = store
        self._session: AsyncSession | None = None
        self._fresh = True

    async def read(self, rule: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._session is None:
            return await self._store.read(rule, *args, **kwargs)
        try:
            return await self._session.run_sync(rule, *args, **kwargs)
        except (DBAPIError, OSError) as error:
            raise _told(error) from error

    async def write(self, rule: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._session is None:
            self._session = self._store.session()
        session = self._session
        heard = len(session.info["signals"])
        try:
            if self._fresh:
                # The first write has nothing before it to save: its roll-back is the transaction's own.
                result = await session.run_sync(lambda sync: _flushed(sync, rule, *args, **kwargs))
            else:
                async with session.begin_nested():
                    result = await session.run_sync(lambda sync: _flushed(sync, rule, *args, **kwargs))
        except BaseException as error:
            del session.info["signals"][heard:]
            if self._fresh and not isinstance(error, asyncio.CancelledError):
                await _quietly(session.rollback())
            if isinstance(error, (DBAPIError, OSError, PoolTimeoutError)):
                raise _told(error) from error
            raise
        self._fresh = False
        return result

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        session = self._session
        if session is None:
            return
        try:
            if error is not None:
                await _quietly(session.rollback())
                return
            try:
                topics = list(dict.fromkeys(session.info["signals"]))
                later = self._store.listening
                if topics and not later:
                    await session.run_sync(_notify, topics)
                await session.commit()
            except (DBAPIError, OSError) as failure:
                await _quietly(session.rollback())
                raise _told(failure) from failure
        finally:
            await _quietly(session.close())
            self._session = None
        for callback in self.after_commit:
            callback()
        if topics and later:
            self._store.tell(topics)


SETTINGS = {"work_mem": "32MB", "jit": "off"}
"""Looks over whole tables (groups, reports) hash and sort in memory, where the server's own 4 MB would send them to its disk.
To compile such a query takes about as long as to run it.
"""


class PostgresStore(Store):
    """See the module."""

    shared = True

    def __init__(self, url: sa.URL, clock: Clock | None = None, seal: Seal | None = None) -> None:
        super().__init__(clock, seal)
        self._url = url.set(drivername="postgresql+asyncpg")
        self._engine = create_async_engine(
            self._url, pool_size=10, max_overflow=10, pool_timeout=10, connect_args={"server_settings": SETTINGS}
        )
        self._reading = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self.listening = False
        self._untold: dict[str, None] = {}
        self._stir = asyncio.Event()

    def session(self) -> AsyncSession:
        """A session whose transaction is its user's to end."""
        return AsyncSession(self._engine, expire_on_commit=False, info=self._info())

    def work(self) -> PostgresWork:
        return PostgresWork(self)

    async def read(self, rule: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            async with AsyncSession(self._reading, expire_on_commit=False, info=self._info()) as session:
                return await session.run_sync(rule, *args, **kwargs)
        except (DBAPIError, OSError, PoolTimeoutError) as error:
            raise _told(error) from error

    async def stream(
        self, rule: Callable[Concatenate[Session, P], Generator[T, None, None]], *args: P.args, **kwargs: P.kwargs
    ) -> AsyncIterator[T]:
        async with self.session() as session:
            generator: Generator[T, None, None] | None = None
            while True:
                try:
                    if generator is None:
                        generator = await session.run_sync(lambda sync: rule(sync, *args, **kwargs))
                    step, done = await session.run_sync(_step, generator)
                    topics = list(dict.fromkeys(session.info["signals"]))
                    session.info["signals"].clear()
                    if topics:
                        await session.run_sync(_notify, topics)
                    await session.commit()
                except (DBAPIError, OSError, PoolTimeoutError) as error:
                    raise _told(error) from error
                if done:
                    return
                yield step  # type: ignore[misc]  # None comes with `done` alone

    async def run_on_connection(self, action: Callable[[sa.Connection], T]) -> T:
        try:
            async with self._engine.begin() as connection:
                return await connection.run_sync(action)
        except OSError as error:
            raise StoreUnreachableError(str(error)) from error

    def tell(self, topics: list[str]) -> None:
        """Signal what has been committed: to this process at once, to the others by the next NOTIFY."""
        self._untold.update(dict.fromkeys(topics))
        self._stir.set()
        self.hub.publish(topics)

    async def hear(self) -> None:
        dsn = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        while True:
            try:
                # What it writes is signals alone: nothing to wait for the disk for.
                connection = await asyncpg.connect(dsn, server_settings={"synchronous_commit": "off"})
            except (OSError, asyncpg.PostgresError) as error:
                log.warning("not listening to the database", error=type(error).__name__)
                await asyncio.sleep(RECONNECT_SECONDS)
                continue
            try:
                await self._listen(connection)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await asyncio.sleep(RECONNECT_SECONDS)
            finally:
                self.listening = False
                if not connection.is_closed():
                    await _quietly(connection.close(timeout=1))

    async def _listen(self, connection: asyncpg.Connection) -> None:
        """Hear and tell until the connection ends. What could not be told is told over the next one."""
        own = connection.get_server_pid()

        def heard(_connection: object, pid: int, _channel: str, payload: object) -> None:
            if pid != own:
                self.hub.publish(str(payload).split("\n"))

        connection.add_termination_listener(lambda _connection: self._stir.set())
        await connection.add_listener(CHANNEL, heard)
        self.listening = True
        while not connection.is_closed():
            topics, self._untold = list(self._untold), {}
            try:
                for payload in _payloads(topics):
                    await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, payload)
            except BaseException:
                self._untold = dict.fromkeys(topics) | self._untold
                raise
            if not self._untold:
                self._stir.clear()
                await self._stir.wait()

    async def close(self) -> None:
        await self._engine.dispose()


def _flushed(session: Session, rule: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    result = rule(session, *args, **kwargs)
    session.flush()
    return result


def _step(session: Session, generator: Generator[T, None, None]) -> tuple[T | None, bool]:
    try:
        step = next(generator)
    except StopIteration:
        session.flush()
        return None, True
    session.flush()
    return step, False


def _notify(session: Session, topics: list[str]) -> None:
    for payload in _payloads(topics):
        session.connection().exec_driver_sql("SELECT pg_notify($1, $2)", (CHANNEL, payload))


def _payloads(topics: list[str]) -> Iterator[str]:
    """The topics, as many together as one NOTIFY carries."""
    payload: list[str] = []
    size = 0
    for topic in topics:
        if payload and size + len(topic) > PAYLOAD_BYTES:
            yield "\n".join(payload)
            payload, size = [], 0
        payload.append(topic)
        size += len(topic) + 1
    if payload:
        yield "\n".join(payload)


def _told(error: BaseException) -> Exception:
    """The store's own word for what the driver raised: a race, a database that is gone, or the error itself; OverflowError as
    SQLite raises it for a number that no column holds.
    """
    if isinstance(error, (OSError, PoolTimeoutError)):
        return StoreUnreachableError(str(error))
    if isinstance(error, DBAPIError):
        if "out of int" in str(error.orig):
            return OverflowError(str(error.orig))
        state = getattr(error.orig, "sqlstate", None) or ""
        if state in RACE_STATES:
            return MovedError(state)
        gone = GONE_CLASSES | NO_ENTRY_CLASSES if error.statement is None else GONE_CLASSES
        if error.connection_invalidated or isinstance(error, InterfaceError) or state[:2] in gone:
            return StoreUnreachableError(str(error.orig))
        return error
    return error if isinstance(error, Exception) else RuntimeError(str(error))


async def _quietly(closing: Any) -> None:
    """Await a clean-up whose failure adds nothing: the connection is gone either way."""
    try:
        await closing
    except (DBAPIError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
        log.debug("clean-up failed", error=type(error).__name__)
