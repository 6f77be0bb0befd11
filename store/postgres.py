"""The store on PostgreSQL, for any number of web and worker replicas: asyncpg, READ COMMITTED, row locks in the rules.

Signals go by `NOTIFY`. A transaction that notifies holds a lock over its commit that every other one wants, in all
replicas: they would be flushed to disk one by one. So a process that listens gives its signals after the commit, many at a
time, over the connection on which it listens; one that doesn't (the command line) gives them in the transaction.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from functools import partial
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import asyncpg
import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.util import greenlet_spawn

from store.base import raw
from store.clock import Clock
from store.engine import Store, Work
from store.errors import MovedError, StoreUnreachableError
from store.lines import Lines
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
GATHER_SECONDS = 0.01
RECONNECT_SECONDS = 0.5

log = structlog.get_logger()


class PostgresWork(Work):
    """A transaction on one connection, begun and ended by statements of its own: between them `raw` speaks to the driver."""

    def __init__(self, store: "PostgresStore") -> None:
        super().__init__()
        self._store = store
        self._session: Session | None = None
        self._signals: list[str] = []
        self._whole = False
        """What is written is one statement, committed by itself."""

    async def read(self, rule: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._session is None:
            return await self._store.read(rule, *args, **kwargs)
        try:
            return await greenlet_spawn(partial(rule, self._session, *args, **kwargs))
        except (DBAPIError, OSError) as error:
            raise _told(error) from error

    async def write(self, rule: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        heard = len(self._signals)
        try:
            if self._session is None:
                return await self._first(_begun, rule, args, kwargs)
            return await greenlet_spawn(partial(_saved, self._session, rule, *args, **kwargs))
        except BaseException as error:
            del self._signals[heard:]
            if isinstance(error, (DBAPIError, OSError)):
                raise _told(error) from error
            raise

    async def last(self, rule: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._session is not None or not self._store.listening:
            return await self.write(rule, *args, **kwargs)
        try:
            result: T = await self._first(_flushed, rule, args, kwargs)
        except (DBAPIError, OSError) as error:
            raise _told(error) from error
        self._whole = True
        return result

    async def _first(self, how: Callable[..., T], rule: Callable[..., T], args: Any, kwargs: Any) -> T:
        """The first write has nothing before it to save: its roll-back is the transaction's own."""
        session = await self._store.lines.take()
        session.info["signals"] = self._signals
        try:
            result = await greenlet_spawn(partial(how, session, rule, *args, **kwargs))
        except BaseException:
            await self._store.lines.give_back(session, failed=True)
            raise
        self._session = session
        return result

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        session, self._session = self._session, None
        if session is None:
            return
        topics = list(dict.fromkeys(self._signals))
        later = self._whole or self._store.listening
        try:
            if error is None and not self._whole:
                await greenlet_spawn(_commit, session, [] if later else topics)
        except (DBAPIError, OSError) as failure:
            raise _told(failure) from failure
        finally:
            await self._store.lines.give_back(session, failed=error is not None)
        if error is not None:
            return
        for callback in self.after_commit:
            callback()
        if topics and later:
            self._store.tell(topics)


SETTINGS = {"work_mem": "32MB", "jit": "off", "max_parallel_workers_per_gather": "1"}
"""Looks over whole tables (groups, reports) hash and sort in memory, where the server's own 4 MB would send them to its disk.
To compile such a query takes about as long as to run it. It takes two of the server's cores at most: with more, each adds up the
same orders once again.
"""


class PostgresStore(Store):
    """See the module."""

    shared = True

    def __init__(self, url: sa.URL, clock: Clock | None = None, seal: Seal | None = None) -> None:
        super().__init__(clock, seal)
        self._url = url.set(drivername="postgresql+asyncpg")
        self._engine = create_async_engine(
            self._url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT", connect_args={"server_settings": SETTINGS}
        )
        self.lines = Lines(self._engine, self._info)
        self.listening = False
        self._untold: dict[str, None] = {}
        self._stir = asyncio.Event()

    def work(self) -> PostgresWork:
        return PostgresWork(self)

    async def read(self, rule: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            async with self.lines.lent() as session:
                return await greenlet_spawn(partial(rule, session, *args, **kwargs))
        except (DBAPIError, OSError) as error:
            raise _told(error) from error

    async def stream(
        self, rule: Callable[Concatenate[Session, P], Generator[T, None, None]], *args: P.args, **kwargs: P.kwargs
    ) -> AsyncIterator[T]:
        try:
            async with self.lines.lent() as session:
                steps: Generator[T, None, None] | None = None
                done = False
                while not done:
                    step = steps or (lambda: rule(session, *args, **kwargs))
                    steps, given, done = await greenlet_spawn(_step, session, step)
                    if not done:
                        yield given
        except (DBAPIError, OSError) as error:
            raise _told(error) from error

    async def run_on_connection(self, action: Callable[[sa.Connection], T]) -> T:
        try:
            async with self._engine.execution_options(isolation_level="READ COMMITTED").begin() as connection:
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
            # What comes within a moment is told together.
            await asyncio.sleep(GATHER_SECONDS)
            if not self._untold:
                self._stir.clear()
                await self._stir.wait()

    async def close(self) -> None:
        await self.lines.close()
        await self._engine.dispose()


def _flushed(session: Session, rule: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    result = rule(session, *args, **kwargs)
    session.flush()
    return result


def _step(session: Session, steps: Any) -> tuple[Any, Any, bool]:
    """Run a generator rule to its next yield, in a transaction of its own; the first time `steps` is the call that makes the
    generator. Gives it, what it yielded, and whether that was its end.
    """
    raw(session, "BEGIN")
    generator = steps() if callable(steps) else steps
    step, done = None, False
    try:
        step = next(generator)
    except StopIteration:
        done = True
    session.flush()
    topics = list(dict.fromkeys(session.info["signals"]))
    session.info["signals"].clear()
    _notify(session, topics)
    raw(session, "COMMIT")
    return generator, step, done


def _begun(session: Session, rule: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    raw(session, "BEGIN")
    return _flushed(session, rule, *args, **kwargs)


def _saved(session: Session, rule: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    with session.begin_nested():
        return _flushed(session, rule, *args, **kwargs)


def _commit(session: Session, topics: list[str]) -> None:
    _notify(session, topics)
    raw(session, "COMMIT")


def _notify(session: Session, topics: list[str]) -> None:
    for payload in _payloads(topics):
        raw(session, "SELECT pg_notify(?, ?)", (CHANNEL, payload))


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
    if isinstance(error, OSError):
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
