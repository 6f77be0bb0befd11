"""The store and its two verbs. `read(rule, …)` runs a rule over what is committed, `write(rule, …)` inside a transaction.

A rule is a plain function over a SQLAlchemy `Session`, which comes first and which it never commits. A `Work` is one
transaction: its first write opens it, leaving the `async with` commits it, an exception rolls it back. Each write is a
savepoint, so a refused rule leaves nothing behind. Before the first write of a work, `read` sees what is committed; from
then on it sees the work's own transaction.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Generator
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from store.clock import Clock, SetClock, SystemClock
from store.ids import Ids
from store.sealed import Seal
from store.signals import CLOCK, Hub

T = TypeVar("T")
P = ParamSpec("P")


class Work(ABC):
    """One transaction over the store; use as `async with store.work() as work`."""

    def __init__(self) -> None:
        self.after_commit: list[Callable[[], None]] = []
        """Called in order once the work stands in the database; never after a roll-back."""

    @abstractmethod
    async def read(self, rule: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a rule that only looks; it returns values, never live rows."""

    @abstractmethod
    async def write(self, rule: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a rule that changes something. What it raises is raised here, and nothing of it stays.

        Raises MovedError when the database chose this transaction as the victim of a race (the work is to run again),
        StoreUnreachableError when the database is not there.
        """

    async def last(self, rule: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Write the last of a work, by a rule that is one statement on PostgreSQL and raises only where that one fails: where
        it is the first as well it is the whole transaction, which need not be begun and ended. Raises as `write` does.
        """
        return await self.write(rule, *args, **kwargs)

    @abstractmethod
    async def __aenter__(self) -> Self: ...

    @abstractmethod
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Store(ABC):
    """One database. Built by `open_store`, closed by `close`."""

    shared: bool
    """Whether other processes work on it at the same time (the command line's short visits aside)."""

    def __init__(self, clock: Clock | None = None, seal: Seal | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        self.seal = seal
        self.ids = Ids()
        self.hub = Hub()
        if isinstance(self.clock, SetClock):
            self.clock.ears.append(lambda: self.hub.publish([CLOCK]))

    @abstractmethod
    def work(self) -> Work:
        """A new transaction, not yet open."""

    @abstractmethod
    async def read(self, rule: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a rule that only looks, for pages and reports: off the writer's way, over what is committed.

        Raises StoreUnreachableError when a PostgreSQL is not there.
        """

    async def write(self, rule: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one writing rule as a work of its own; committed when this returns. Raises as `Work.write` does."""
        async with self.work() as work:
            return await work.write(rule, *args, **kwargs)

    @abstractmethod
    def stream(
        self, rule: Callable[Concatenate[Session, P], Generator[T, None, None]], *args: P.args, **kwargs: P.kwargs
    ) -> AsyncIterator[T]:
        """Run a rule over many rows: a generator, committed at each of its yields, giving what it yields (progress).

        Others write between two yields. Stop it by leaving the loop; what was yielded stays. Raises as `Work.write` does.
        """

    @abstractmethod
    async def run_on_connection(self, action: Callable[[sa.Connection], T]) -> T:
        """Run `action` on one bare connection in one transaction: migrations, backup and restore.

        Raises StoreUnreachableError when a PostgreSQL is not there.
        """

    @abstractmethod
    async def hear(self) -> None:
        """Pass on what other processes signal until cancelled (nothing to do where one process is all there is)."""

    @abstractmethod
    async def close(self) -> None:
        """Let the works that have ended be committed, and give the connections back."""

    def _info(self) -> dict[str, Any]:
        return {"clock": self.clock, "ids": self.ids, "seal": self.seal, "signals": []}


def open_store(url: str, clock: Clock | None = None, *, seal: Seal | None = None, strict: bool = False) -> Store:
    """The store at a database URL: `sqlite+aiosqlite:///file.db` or `postgresql+asyncpg://…`.

    `seal`: what rules keep sealed is sealed by it (see `sealed.of`).
    `strict` (tests): a work that waits for something foreign while it holds SQLite's pen is an error, not a slow spot.
    Raises ValueError for any other kind of URL.
    """
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        from store.sqlite import SqliteStore

        return SqliteStore(parsed, clock, seal, strict=strict)
    if parsed.get_backend_name() == "postgresql":
        from store.postgres import PostgresStore

        return PostgresStore(parsed, clock, seal)
    raise ValueError(f"no store for {parsed.get_backend_name()}: use sqlite+aiosqlite:///… or postgresql+asyncpg://…")
