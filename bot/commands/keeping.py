"""The database as a whole: brought up to date, proven, saved and brought back."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bot.commands.opening import CommandError, refuse, say, show, with_store
from bot.settings import Settings
from store.engine import Store


def migrate() -> None:
    """Bring the database to the newest revision."""
    from store import schema

    async def work(_settings: Settings, store: Store) -> None:
        await schema.migrate(store)
        show(f"the database is at revision {schema.head()}")

    with_store(work, as_it_is=True)


def check() -> None:
    """Prove every balance from its postings and every lot and voucher from the ledger. Raises CommandError (1) with the
    first fault; all of them are printed.
    """
    from loyalty.points import proof
    from support.complaints import goodwill_book

    async def work(_settings: Settings, store: Store) -> None:
        parts = await asyncio.gather(*(store.read(part) for part in (*proof.PARTS, goodwill_book.check)))
        faults = [fault for part in parts for fault in part]
        for fault in faults:
            show(f"{fault.what} {fault.subject}: expected {fault.expected}, found {fault.found}")
        if faults:
            raise CommandError(
                f"{len(faults)} faults in the books: bring back a backup from before them, or ask for help"
            )
        show("every balance is proven by its postings")

    with_store(work)


def backup(path: Path) -> None:
    """Save the whole database to one file, while the program runs or not."""
    from store import backup as backups

    async def work(_settings: Settings, store: Store) -> None:
        with _bar() as told:
            counts = await backups.save(store, path, datetime.now(UTC), told)
        show(f"{path}: {sum(counts.values()):,} rows of {len(counts)} tables")

    if not path.parent.is_dir():
        refuse(f"there is no folder {path.parent}")
    with_store(work)


def restore(path: Path) -> None:
    """Bring a backup back into an empty database, of either kind."""
    from store import audit
    from store import backup as backups
    from store.backup import BackupError

    async def work(_settings: Settings, store: Store) -> None:
        try:
            with _bar() as told:
                counts = await backups.load(store, path, told)
        except BackupError as error:
            raise _told(error, path) from error
        await store.write(lambda session: audit.record(session, "cli", "restore"))
        show(f"brought back {sum(counts.values()):,} rows of {len(counts)} tables")

    if not path.is_file():
        refuse(f"there is no file {path}")
    with_store(work, as_it_is=True)


def _told(error: Exception, path: Path) -> CommandError:
    from store.backup import BackupError

    assert isinstance(error, BackupError)
    if error.problem == "not_empty":
        return CommandError(
            f"the database is not empty (see the table {error.fact}): name a new one in REGULARS_DATABASE_URL and restore there"
        )
    if error.problem in {"newer", "format"}:
        return CommandError(f"{path} was made by a newer version of this program: install that one", 2)
    if error.problem == "damaged":
        return CommandError(f"{path} is damaged ({error.fact}): take another backup", 2)
    return CommandError(f"{path} is not a backup made by `regulars backup`", 2)


@contextmanager
def _bar() -> Iterator[Callable[[str, int], None]]:
    """A line on the terminal that says which table is being worked on."""
    from rich.console import Console
    from rich.status import Status

    with Status("", console=Console(stderr=True)) as line:
        yield lambda table, rows: line.update(f"{table} {rows:,}")


def erased_file(settings: Settings) -> None:
    """Leave nothing of what was erased in the free space of an SQLite file; said where it has to wait."""
    import sqlite3

    import sqlalchemy as sa

    from store import erasure

    url = sa.make_url(settings.database_url)
    if url.get_backend_name() != "sqlite" or not url.database:
        return
    try:
        erasure.scrub(url.database)
    except sqlite3.OperationalError:
        say("the file is in use: run `regulars erase` again later, to clear what was erased from its free space too")
