"""`regulars vouchers`: codes by the million, lists of codes, and a batch as a file; with a progress bar, stopped by Ctrl-C
and resumed where it was.
"""

import csv
import sys
from pathlib import Path

from bot.commands.opening import CommandError, refuse, say, show, with_store
from bot.settings import Settings
from loyalty.orders import sheets
from loyalty.vouchers import batches, voucher_programs, vouchers
from loyalty.vouchers.batches import Batch, BatchState
from store.engine import Store
from store.errors import MovedError

ACTOR = "cli"


def list_programs() -> None:
    """Print every programme with its number, and its batches below it."""

    async def work(_: Settings, store: Store) -> None:
        for offer in await store.read(voucher_programs.every):
            show(f"{offer.id}\t{offer.name}")
            for batch in await store.read(batches.of_program, offer.id):
                show(f"\tbatch {batch.id}\t{batch.state}\t{batch.made} of {batch.wanted}\t{batch.name}".rstrip())

    with_store(work)


def generate(program: int, count: int, name: str) -> None:
    """Make codes of a programme and print the batch's number."""

    async def work(_: Settings, store: Store) -> None:
        batch = await store.write(batches.start, program, count, name=name, actor=ACTOR)
        await _through(store, batch)

    with_store(work)


def take(program: int, path: Path, name: str) -> None:
    """Take a list of codes in and print the batch's number."""
    content = path.read_bytes()

    async def work(_: Settings, store: Store) -> None:
        from bot.batches import begin_list

        try:
            batch = await begin_list(store, program, content, name=name or path.name, actor=ACTOR)
            await _through(store, batch)
        except sheets.SheetError as error:
            refuse(
                f"{path} can't be read as a list of codes ({error.problem}): give a CSV or XLSX with a column `code`"
            )

    with_store(work)


def resume(batch_id: int) -> None:
    """Let a batch that was stopped or cut off go on."""

    async def work(_: Settings, store: Store) -> None:
        await _through(store, await store.write(batches.go_on, batch_id))

    with_store(work)


def export(batch_id: int, path: Path) -> None:
    """Write a batch's codes to a CSV file, `-` for stdout."""

    async def work(_: Settings, store: Store) -> None:
        await store.read(batches.get, batch_id)
        # With a byte order mark, so that a spreadsheet takes it for UTF-8.
        file = sys.stdout if str(path) == "-" else path.open("w", encoding="utf-8-sig", newline="")
        try:
            writer = csv.writer(file)
            writer.writerow(["code", "state"])
            after = 0
            while page := await store.read(batches.page, batch_id, after):
                writer.writerows((vouchers.shown(code), state) for _, code, state in page)
                after = page[-1][0]
        finally:
            if file is not sys.stdout:
                file.close()

    with_store(work)


async def _through(store: Store, batch: Batch) -> None:
    """Work on a batch under a bar; Ctrl-C stops it, and says how it goes on."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from bot.batches import work

    offer = await store.read(voucher_programs.get, batch.program_id)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    stands, ended = batch, False
    try:
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(offer.name, total=batch.wanted, completed=batch.done)
            while stands.state == BatchState.RUNNING:
                try:
                    async for after in work(store, stands):
                        stands = after
                        bar.update(task, completed=stands.done)
                except MovedError:
                    # Another process worked on the same thousand: the next look goes on after it.
                    stands = await store.read(batches.get, batch.id)
        ended = True
    finally:
        if not ended:
            stands = await store.write(batches.stop, batch.id)
            say(f"stopped after {stands.done}: go on with `regulars vouchers resume {batch.id}`")
    if stands.state == BatchState.SOLD_OUT:
        raise CommandError(f"the programme's stock is used up: raise it, then `regulars vouchers resume {batch.id}`")
    if stands.rejected:
        for one in await store.read(batches.refused, batch.id, 20):
            say(f"line {one.line}: {one.code!r} {one.reason}")
        say(f"{stands.rejected} rows were not taken")
    show(batch.id)
