"""The store on one SQLite file: rules run on the event loop's own thread, many works share a commit.

One connection holds the pen. A work takes it at its first write, and a work that awaits nothing foreign between that and
its end is atomic by construction: nobody else runs. What several works did in one turn of the loop is committed together;
each of them goes on only after that. While the disk takes a commit, in a thread of its own, the loop serves on, and who
wants the pen waits: the next commit is theirs together. Pages and reports are read by `Readers`.
"""

import asyncio
import hashlib
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from store.clock import Clock
from store.engine import Store, Work
from store.errors import StoreUnreachableError
from store.readers import Readers
from store.sealed import Seal

T = TypeVar("T")
P = ParamSpec("P")

BUSY_SECONDS = 30
"""How long another process (an import on the command line) may hold the file before a work gives up."""
BUSY_STEP_SECONDS = 0.003
GONE = {
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB,
}  # fmt: skip

log = structlog.get_logger()


class _Connection(sqlite3.Connection):
    """A connection whose transactions only this file begins and ends; SQLAlchemy's own commit and rollback do nothing."""

    def commit(self) -> None:
        return

    def rollback(self) -> None:
        return


class SqliteWork(Work):
    def __init__(self, store: "SqliteStore") -> None:
        super().__init__()
        self._store = store
        self.holds = False
        self.written = False
        self.lost = False
        """SQLite rolled everything back by itself: nothing of this work can stand."""
        self.waited = False
        self.signals: list[str] = []

    async def read(self, rule: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        session = self._store.writer if self.holds else self._store.reader
        try:
            return rule(session, *args, **kwargs)
        finally:
            if not self.holds and session.identity_map:
                session.expunge_all()

    async def write(self, rule: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        if not self.holds:
            await self._store.take_pen(self)
        if self.lost:
            raise StoreUnreachableError("SQLite rolled this work back")
        session, connection = self._store.writer, self._store.connection
        heard = len(self.signals)
        # The first write has nothing before it to save: the work's own savepoint is its.
        point = "rule" if self.written else "work"
        if self.written:
            connection.execute("SAVEPOINT rule")
        try:
            result = rule(session, *args, **kwargs)
            if session.new or session.identity_map:
                session.flush()
            if self.written:
                connection.execute("RELEASE rule")
        except BaseException as error:
            session.rollback()
            del self.signals[heard:]
            if not connection.in_transaction:
                self._store.lose(self)
                raise StoreUnreachableError(str(error)) from error
            connection.execute(f"ROLLBACK TO {point}")
            if self.written:
                connection.execute("RELEASE rule")
            if _is_gone(error):
                raise StoreUnreachableError(str(error)) from error
            raise
        self.written = True
        return result

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.holds:
            await self._store.end(self, failed=error is not None)


class SqliteStore(Store):
    """See the module; `url` names a file, never `:memory:` (readers open it a second time)."""

    shared = False

    def __init__(
        self, url: sa.URL, clock: Clock | None = None, seal: Seal | None = None, *, strict: bool = False
    ) -> None:
        super().__init__(clock, seal)
        if not url.database or url.database == ":memory:":
            raise ValueError("the SQLite store wants a file, for example sqlite+aiosqlite:///regulars.db")
        self.strict = strict
        self.path = url.database
        self.connection = self._connect()
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.writer, self._writer_engine = self._session(self.connection)
        self.reader_connection = self._connect()
        self.reader_connection.execute("PRAGMA query_only = ON")
        self.reader, self._reader_engine = self._session(self.reader_connection)
        self._readers = Readers(self._connect, self._info)
        self._holder: SqliteWork | None = None
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._begun = False
        self._commit_due = False
        self._committing = False
        self._group: list[tuple[SqliteWork, asyncio.Future[None]]] = []
        self._disk = ThreadPoolExecutor(1, "commit")

    def _connect(self) -> _Connection:
        connection = sqlite3.connect(
            self.path, timeout=0, isolation_level=None, cached_statements=512, factory=_Connection,
            check_same_thread=False,
        )  # fmt: skip
        # recursive_triggers: a REPLACE asks the triggers that forbid a deletion, too.
        for pragma in (
            "foreign_keys = ON", "recursive_triggers = ON", "synchronous = FULL", "cache_size = -65536",
            "temp_store = MEMORY",
        ):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}")
        connection.create_function("sha256_hex", 1, _sha256_hex, deterministic=True)
        return connection

    def _session(self, connection: sqlite3.Connection) -> tuple[Session, sa.Engine]:
        engine = sa.create_engine(
            "sqlite://", creator=lambda: connection, poolclass=sa.pool.StaticPool, isolation_level="AUTOCOMMIT"
        )
        session = Session(bind=engine.connect(), expire_on_commit=False)
        session.info.update(self._info(), sqlite=connection)
        return session, engine

    def work(self) -> SqliteWork:
        return SqliteWork(self)

    async def read(self, rule: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._readers.read(lambda session: rule(session, *args, **kwargs))

    async def stream(
        self, rule: Callable[Concatenate[Session, P], Generator[T, None, None]], *args: P.args, **kwargs: P.kwargs
    ) -> AsyncIterator[T]:
        steps: Generator[T, None, None] | None = None
        while True:
            async with self.work() as work:
                step, done = await work.write(_step, steps or (lambda session: rule(session, *args, **kwargs)))
                steps = step[0]
            if done:
                return
            yield step[1]
            await asyncio.sleep(0)

    async def run_on_connection(self, action: Callable[[sa.Connection], T]) -> T:
        engine = sa.create_engine(f"sqlite:///{self.path}", connect_args={"timeout": BUSY_SECONDS})
        try:
            with engine.begin() as connection:
                return action(connection)
        finally:
            engine.dispose()

    async def hear(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        while self._holder is not None or self._commit_due or self._committing:  # noqa: ASYNC110  # milliseconds
            await asyncio.sleep(0.001)
        await self._readers.close()
        self._disk.shutdown()
        for session, engine, connection in (
            (self.writer, self._writer_engine, self.connection),
            (self.reader, self._reader_engine, self.reader_connection),
        ):
            session.close()
            engine.dispose()
            connection.close()

    async def take_pen(self, work: SqliteWork) -> None:
        loop = asyncio.get_running_loop()
        while self._holder is not None or self._committing:
            turn = loop.create_future()
            self._waiters.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if not turn.cancelled():
                    self._pass_on()
                raise
        self._holder = work
        try:
            if not self._begun:
                await self._begin()
        except BaseException:
            self._let_go()
            raise
        work.holds = True
        self.writer.info["signals"] = work.signals
        loop.call_soon(_mark_waited, work)

    def _pass_on(self) -> None:
        """A turn was given to somebody who no longer wants it."""
        if self._holder is None and not self._committing:
            self._wake_next()

    async def _begin(self) -> None:
        for _ in range(int(BUSY_SECONDS / BUSY_STEP_SECONDS)):
            try:
                self.connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) and "busy" not in str(error):
                    raise StoreUnreachableError(str(error)) from error
                await asyncio.sleep(BUSY_STEP_SECONDS)
            else:
                self._begun = True
                self.connection.execute("SAVEPOINT work")
                return
        raise StoreUnreachableError("the SQLite file is held by another process")

    async def end(self, work: SqliteWork, *, failed: bool) -> None:
        """Give the pen back; return when the work is committed, or at once when it failed and was rolled back."""
        session = self.writer
        if session.identity_map or session.new:
            session.expunge_all()
        foreign = work.waited and self.strict and not failed
        failed = failed or foreign
        if not work.lost and not self.connection.in_transaction:
            self.lose(work)
        if not work.lost:
            if failed:
                self.connection.execute("ROLLBACK TO work")
            self.connection.execute("RELEASE work")
            self.connection.execute("SAVEPOINT work")
        work.holds = False
        self._let_go()
        if work.lost:
            if failed:
                return
            raise StoreUnreachableError("SQLite rolled this work back")
        loop = asyncio.get_running_loop()
        committed = loop.create_future()
        if not failed:
            self._group.append((work, committed))
        if not self._commit_due:
            self._commit_due = True
            loop.call_soon(self._commit)
        if work.waited:
            if foreign:
                raise RuntimeError("a work waited for something foreign while it held the pen")
            log.warning("a work waited for something foreign while it held the pen")
        if not failed:
            await asyncio.shield(committed)

    def lose(self, work: SqliteWork) -> None:
        """SQLite ended the transaction by itself (a full disk, an I/O error): nothing since the last commit stands."""
        work.lost = True
        self._begun = False
        group, self._group = self._group, []
        _fail(group, "SQLite rolled back everything since the last commit")

    def _let_go(self) -> None:
        self._holder = None
        self._wake_next()

    def _wake_next(self) -> None:
        while self._waiters:
            turn = self._waiters.popleft()
            if not turn.done():
                turn.set_result(None)
                break

    def _commit(self) -> None:
        if self._holder is not None:
            # Someone stopped to wait with the pen in hand: the commit follows when the pen is back.
            asyncio.get_running_loop().call_later(BUSY_STEP_SECONDS, self._commit)
            return
        self._commit_due = False
        if not self._begun:
            return
        self._committing = True
        committed = asyncio.get_running_loop().run_in_executor(self._disk, self.connection.execute, "COMMIT")
        committed.add_done_callback(self._committed)

    def _committed(self, commit: "asyncio.Future[sqlite3.Cursor]") -> None:
        """The disk has it, or could not take it. Everybody who waited for the pen writes in this turn of the loop."""
        group, self._group = self._group, []
        self._begun = self._committing = False
        waiters, self._waiters = self._waiters, deque()
        for turn in waiters:
            if not turn.done():
                turn.set_result(None)
        error = commit.exception()
        if error is not None:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            _fail(group, str(error))
            return
        for _, committed in group:
            if not committed.done():
                committed.set_result(None)
        for work, _ in group:
            try:
                for callback in work.after_commit:
                    callback()
                self.hub.publish(work.signals)
            except Exception:
                log.exception("what follows a commit failed")


def _fail(group: list[tuple[SqliteWork, asyncio.Future[None]]], reason: str) -> None:
    for _, committed in group:
        if not committed.done():
            committed.set_exception(StoreUnreachableError(reason))


def _is_gone(error: BaseException) -> bool:
    """Whether SQLite could not do its work (no room, no file, a broken one), whatever the rule had asked for."""
    cause = getattr(error, "orig", error)
    return isinstance(cause, sqlite3.Error) and getattr(cause, "sqlite_errorcode", 0) & 0xFF in GONE


def _mark_waited(work: SqliteWork) -> None:
    work.waited = work.holds


def _sha256_hex(said: str | None) -> str | None:
    """The SQL function `sha256_hex(text)`: what `encode(sha256(…), 'hex')` is on PostgreSQL."""
    return None if said is None else hashlib.sha256(said.encode()).hexdigest()


def _step(session: Session, steps: Any) -> tuple[tuple[Any, Any], bool]:
    """Advance a generator rule by one yield; the first time `steps` is the call that makes the generator."""
    generator = steps(session) if callable(steps) else steps
    try:
        return (generator, next(generator)), False
    except StopIteration:
        return (generator, None), True
