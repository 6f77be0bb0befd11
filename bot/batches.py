"""Batches at work: the loop that makes codes in the background, and one batch from beginning to end."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import structlog

from bot.held import Held
from loyalty.orders.sheets import Row, SheetError
from loyalty.vouchers import batches
from loyalty.vouchers.batches import Batch
from store import media
from store.engine import Store
from store.errors import MovedError, StoreUnreachableError

TICK_SECONDS = 2.0
LEASE = "batches"

log = structlog.get_logger()


async def batch_loop(store: Store, owner: str) -> None:
    """Work on the batches that are to be made, the oldest first, in one process at a time."""
    held = Held(store, LEASE, owner)
    async with store.hub.listen(batches.TOPIC) as heard:
        while True:
            try:
                if await held.mine():
                    for batch in await store.read(batches.running):
                        await _through(store, batch, held)
            except (MovedError, StoreUnreachableError) as error:
                log.warning("codes wait a moment", error=str(error))
            await heard.within(TICK_SECONDS)


async def _through(store: Store, batch: Batch, held: Held) -> None:
    """One batch, as long as this process is the one that works; one that can't be read holds up no other."""
    try:
        async for _ in work(store, batch):
            if not await held.mine():
                return
            # A thousand codes are a moment of the writer's time: the others come between.
            await asyncio.sleep(0)
    except SheetError:
        log.exception("a list of codes could not be read", batch=batch.id)
        await store.write(batches.stop, batch.id)


async def work(store: Store, batch: Batch) -> AsyncIterator[Batch]:
    """Make a batch's codes to the end, or until it is stopped; how it stands after each thousand. Raises SheetError."""
    if batch.file is None:
        async for stands in store.stream(batches.work, batch.id):
            yield stands
        return
    content = (await store.read(media.load, batch.file)).content
    rows, column = await asyncio.to_thread(_rows, content)
    async for stands in store.stream(batches.take, batch.id, rows, column):
        yield stands


def _rows(content: bytes) -> tuple[list[Row], int]:
    with tempfile.TemporaryDirectory(prefix="regulars-") as folder:
        path = Path(folder) / "codes"
        path.write_bytes(content)
        return batches.read_list(path)


async def begin_list(store: Store, program_id: int, content: bytes, *, name: str, actor: str) -> Batch:
    """Begin to take a list of codes in. Raises SheetError, and what `batches.start_list` does."""
    rows, _ = await asyncio.to_thread(_rows, content)
    return await store.write(batches.keep_list, program_id, content, len(rows), name=name, actor=actor)
