"""Foretelling: every night what customers are expected to do, and of each how likely they still come and what they will bring."""

import asyncio

import structlog

from bot.held import Held
from loyalty.insights import outlooks, prospects
from store import apart
from store.engine import Store
from store.errors import MovedError, StoreUnreachableError

LEASE = "outlook"
LOOK_SECONDS = 60.0
ALONE_FROM = 5_000
"""From so many different histories on a model is fitted in a process of its own."""

log = structlog.get_logger()


async def outlook_loop(store: Store, owner: str) -> None:
    """Make what outlooks are due, in one process at a time."""
    async with store.hub.listen() as heard:
        while True:
            try:
                if await store.read(outlooks.waiting):
                    await foretell(store, owner)
            except (MovedError, StoreUnreachableError) as error:
                log.warning("the outlook waits a moment", error=str(error))
            await heard.within(LOOK_SECONDS)


async def foretell(store: Store, owner: str) -> None:
    """Make what outlooks are due, and write down everybody's prospects, from where it stopped; nothing while another process
    does.
    """
    held = Held(store, LEASE, owner)
    if not await held.mine():
        return
    for shop_id in await store.read(outlooks.due):
        day, material = await held.during(store.read(outlooks.look, shop_id))
        run = apart.run if len(material.ahead.histories) >= ALONE_FROM else asyncio.to_thread
        made = await held.during(run(outlooks.make, material))
        await store.write(outlooks.keep, shop_id, day, made)
    while await held.mine() and (part := await store.read(prospects.part)) is not None:
        await store.write(prospects.put, part, await asyncio.to_thread(prospects.judged, part))
