"""`regulars import`: a file of customers or orders, row by row judged, batch by batch taken in.

What can't be taken goes to `FILE.rejected.csv` with its reason. A cut-off import is run again: what is there is passed over.
"""

import csv
import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any

from bot.commands.opening import CommandError, refuse, shop_named, show, with_store
from bot.settings import Settings
from handlers import rejections
from handlers.words import Words, words
from loyalty.orders import bulk, import_lines, imports, sheets
from loyalty.orders.imports import Taken
from loyalty.orders.sheets import Row, SheetError
from store import audit, shops
from store.engine import Store
from store.errors import MovedError, RuleError

BATCH = 500
"""Rows of one transaction: few enough that a running bot waits for none of them noticeably."""
WINDOW = 20_000
"""Rows that are read and put in order before the first of them is taken in."""
TRIES = 5


@dataclass(slots=True)
class Rejected:
    """The file of refused rows, opened with the first one."""

    path: Path
    header: Sequence[str]
    words: Words
    count: int = 0
    _file: IO[str] | None = field(default=None, repr=False)

    def add(self, row: Row, error: RuleError) -> None:
        if self._file is None:
            # With a byte order mark, so that a spreadsheet takes it for UTF-8.
            self._file = self.path.open("w", encoding="utf-8-sig", newline="")
            csv.writer(self._file).writerow([*self.header, "line", "reason"])
        cells = [rejections.shown(cell) for cell in row.cells][: len(self.header)]
        cells += [""] * (len(self.header) - len(cells))
        csv.writer(self._file).writerow([*cells, row.line, rejections.reason(self.words, error)])
        self.count += 1

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        else:
            # What an earlier run had to refuse is in now.
            self.path.unlink(missing_ok=True)


def run(what: str, path: Path, shop: str | None) -> None:
    """Import a file, with a progress bar on a terminal. Raises CommandError for a file that can't be read."""

    async def work(settings: Settings, store: Store) -> None:
        shop_id = await shop_named(store, shop)
        said = words(settings.language)
        rejected_path = path.with_name(f"{path.name}.rejected.csv")
        try:
            taken = await _with_bar(store, what, path, shop_id, said)
        except SheetError as error:
            refuse(_unreadable(path, what, error))
        counts = {"new": taken.new, "changed": taken.changed, "refused": len(taken.refused)}
        await store.write(lambda session: audit.record(session, "cli", f"import.{what}", shop_id, **counts))
        show(_summary(said, taken, rejected_path))

    with_store(work)


async def take_file(
    store: Store,
    what: str,
    path: Path,
    shop_id: int,
    said: Words | None = None,
    on_rows: Callable[[int, int], None] | None = None,
) -> Taken:
    """Take a file of `customers` or `orders` in. `on_rows` hears how many rows are done, and of about how many.

    Raises SheetError. Refused rows are written beside the file in the language of `said`.
    """
    shop = await store.read(shops.get, shop_id)
    if what == "orders":
        sheet = sheets.read(path, imports.ORDER_COLUMNS, imports.ORDER_NEEDS)
    else:
        sheet = sheets.read(path, imports.CUSTOMER_COLUMNS, imports.CUSTOMER_NEEDS)
    rejected = Rejected(path.with_name(f"{path.name}.rejected.csv"), sheet.header, said or words(shop.language))
    total, done = Taken(), 0
    rule = bulk.take_orders if what == "orders" else imports.take_customers
    # A window's rows are a million objects that live as long as it does: collecting among them only costs time.
    gc.disable()
    try:
        while rows := list(islice(sheet.rows, WINDOW)):
            lines, refused = import_lines.judge(what, rows, sheet.columns, shop)
            total.refused += refused
            for start in range(0, len(lines), BATCH):
                batch = lines[start : start + BATCH]
                taken = await _write(store, rule, shop.id, batch)
                total.add(taken)
                refused += taken.refused
                if on_rows is not None:
                    on_rows(done + start + len(batch), max(done + len(rows), sheet.size))
            by_line = {row.line: row for row in rows} if refused else {}
            for line, error in sorted(refused, key=lambda each: each[0]):
                rejected.add(by_line[line], error)
            done += len(rows)
            if on_rows is not None:
                on_rows(done, max(done, sheet.size))
            gc.collect()
    finally:
        gc.enable()
        rejected.close()
    return total


async def _write(store: Store, rule: Callable[..., Taken], shop_id: int, lines: Sequence[Any]) -> Taken:
    """Take in one batch, again where another process won a race."""
    for _ in range(TRIES):
        try:
            return await store.write(rule, shop_id, lines)
        except MovedError:
            continue
    raise CommandError("other work on the same customers kept coming between: run the import again, it goes on")


async def _with_bar(store: Store, what: str, path: Path, shop_id: int, said: Words) -> Taken:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True))
    task = bar.add_task(path.name, total=None)

    def on_rows(done: int, of: int) -> None:
        # Only now is it sure that the file can be read at all.
        bar.start()
        bar.update(task, completed=done, total=of)

    try:
        return await take_file(store, what, path, shop_id, said, on_rows)
    finally:
        if bar.live.is_started:
            bar.stop()


def _unreadable(path: Path, what: str, error: SheetError) -> str:
    if error.problem == "missing":
        return f"there is no file {path}"
    if error.problem == "empty":
        return f"{path} is empty: give a CSV or XLSX file with a header row"
    if error.problem == "columns":
        needed = imports.ORDER_NEEDS if what == "orders" else imports.CUSTOMER_NEEDS
        lacking = ", ".join(error.columns)
        return f"{path} lacks the column {lacking}: {what} need a header row with {', '.join(needed)}"
    return f"{path} can't be read: save it as CSV (UTF-8) or XLSX and try again"


def _summary(said: Words, taken: Taken, rejected: Path) -> str:
    parts = [
        said("new: {n}", n=said.number(taken.new)),
        said("changed: {n}", n=said.number(taken.changed)),
        said("already there: {n}", n=said.number(taken.same)),
        said("rejected: {n}", n=said.number(len(taken.refused))),
    ]
    line = " · ".join(parts)
    return f"{line} → {rejected}" if taken.refused else line
