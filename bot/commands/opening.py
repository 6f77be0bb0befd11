"""What every command begins with: the settings, the store brought up to date, the shop that is meant."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NoReturn, TypeVar

from bot.settings import Settings, load
from store.engine import Store
from store.errors import NotFoundError

T = TypeVar("T")


class CommandError(Exception):
    """The command can't be done; the message is one line that says what to do. `status` 1: it failed, 2: wrong input."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


def refuse(message: str) -> NoReturn:
    """End the command for wrong input."""
    raise CommandError(message, 2)


def say(message: str) -> None:
    """Tell the person at the terminal what is going on; stdout is kept for what was asked for."""
    print(message, file=sys.stderr)  # noqa: T201  # the command line's own voice


def show(line: object = "") -> None:
    """Print what was asked for."""
    print(line, flush=True)  # noqa: T201  # the command line's own voice; who reads a pipe reads it at once


@asynccontextmanager
async def opened(settings: Settings, *, as_it_is: bool = False) -> AsyncIterator[Store]:
    """The store, migrated: a new database is set up, an older one brought up to date, and both are said."""
    from store.engine import open_store
    from store.sealed import Seal

    _log_to_stderr()
    store = open_store(settings.database_url, seal=Seal(settings.secret_key))
    try:
        if not as_it_is:
            await bring_up_to_date(store)
        yield store
    finally:
        await store.close()


async def bring_up_to_date(store: Store) -> None:
    """Migrate where it is needed. Raises CommandError when the database is newer than the program."""
    from store import schema

    at = await schema.revision(store)
    newest = schema.head()
    if at == newest:
        return
    if at is not None and at > newest:
        raise CommandError(f"the database is at revision {at}, newer than this program knows: install a newer version")
    say("setting up a new database" if at is None else f"bringing the database from revision {at} to {newest}")
    await schema.migrate(store)


def with_store(work: Callable[[Settings, Store], Awaitable[T]], *, as_it_is: bool = False) -> T:
    """Run a command's work on the store that the settings name, brought up to date unless it is taken `as_it_is`."""
    settings = load()

    async def run() -> T:
        async with opened(settings, as_it_is=as_it_is) as store:
            return await work(settings, store)

    return asyncio.run(run())


async def shop_named(store: Store, name: str | None) -> int:
    """The shop of a name, slug or number; without one the only shop there is. Ends the command where that fails."""
    from store import shops

    every = await store.read(shops.every)
    if not every:
        refuse("there is no shop yet: add one with `regulars shop add NAME`")
    listed = ", ".join(shop.name for shop in every)
    if name is None:
        if len(every) > 1:
            refuse(f"say which shop is meant with --shop: {listed}")
        return every[0].id
    try:
        return (await store.read(shops.find, name)).id
    except NotFoundError:
        refuse(f"there is no shop {name!r}: take one of {listed}")


def _log_to_stderr() -> None:
    import logging

    import structlog

    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
