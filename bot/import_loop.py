"""The import loop: takes uploaded files in, a batch a transaction, in one process at a time; a restart goes on where the
last batch ended.
"""

import asyncio
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import structlog

from bot.held import Held
from handlers import rejections
from loyalty.orders import import_jobs, import_lines, sheets
from loyalty.orders.import_jobs import WHATS, Batch, Job
from loyalty.orders.sheets import Row, SheetError
from store import shops
from store.engine import Store
from store.errors import MovedError, NotFoundError, StoreUnreachableError
from store.shops import Shop

LEASE = "imports"
BATCH = 200
"""Rows of one transaction: few enough that nobody in a chat waits for them."""
LOOK_SECONDS = 2.0
TRIES = 5

log = structlog.get_logger()


async def import_loop(store: Store, owner: str) -> None:
    """Take in what was started, one file after the other, for ever."""
    held = Held(store, LEASE, owner)
    async with store.hub.listen(import_jobs.TOPIC) as heard:
        while True:
            try:
                job = await store.read(import_jobs.next_running)
                if job is not None and await held.mine():
                    await take(store, held, job)
                    continue
            except (MovedError, StoreUnreachableError) as error:
                log.warning("an import waits a moment", error=str(error))
            await heard.within(LOOK_SECONDS)


async def take(store: Store, held: Held, job: Job) -> None:
    """Take one file in from where it stands, until it is through or stopped, or another process has the lease."""
    try:
        found = await store.read(import_jobs.content, job.id)
    except NotFoundError:
        await store.write(import_jobs.finish, job.id, "file")
        return
    with tempfile.NamedTemporaryFile(suffix=Path(job.name).suffix) as file:
        file.write(found)
        file.flush()
        try:
            await _through(store, held, job, Path(file.name))
        except SheetError as error:
            await store.write(import_jobs.finish, job.id, error.problem)
        except (MovedError, StoreUnreachableError):
            raise
        except Exception:
            log.exception("an import failed", job=job.id)
            await store.write(import_jobs.finish, job.id, "internal")


async def _through(store: Store, held: Held, job: Job, path: Path) -> None:
    sheet = await asyncio.to_thread(sheets.peek, path, WHATS[job.what][0])
    shop = await store.read(shops.get, job.shop_id)
    at = job.done
    for batch in _batches(sheet.rows, job, shop):
        if not await _step(store, job.id, at, batch) or not await held.mine():
            return
        at += batch.rows
        await asyncio.sleep(0)
    await store.write(import_jobs.finish, job.id)


def _batches(rows: Iterator[Row], job: Job, shop: Shop) -> Iterator[Batch]:
    """What comes after the rows that are in already."""
    rest = islice(rows, job.done, None)
    while part := list(islice(rest, BATCH)):
        lines, refused = import_lines.judge(job.what, part, job.columns, shop)
        cells = {row.line: [rejections.shown(cell) for cell in row.cells][: len(job.header)] for row in part}
        yield Batch(lines, [(line, error, cells[line]) for line, error in refused], len(part), cells)


async def _step(store: Store, job_id: int, at: int, batch: Batch) -> bool:
    for left in reversed(range(TRIES)):
        try:
            return await store.write(import_jobs.step, job_id, at, batch)
        except MovedError:
            if not left:
                raise
    raise AssertionError
