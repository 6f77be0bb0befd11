"""The mirror's loop: keeps the team's forum showing what stands in the tickets, in one process at a time.

Only a few calls wait for the group at once. So what is said there is as fresh as the group's limit allows, and what changed
several times meanwhile is shown once, as it is then.
"""

import asyncio
from collections.abc import Callable

import structlog

from bot.held import Held
from handlers.chat import forum_follow
from store import forum, shops
from store.engine import Store
from store.errors import MovedError, StoreUnreachableError
from store.outbox import Call

ROOM = 6
"""How many calls may wait for the group."""
LOOK_SECONDS = 1.0
REST_SECONDS = 0.05
SHOPS_LOOKS = 30
"""After so many looks without a signal it is seen whether a shop was added."""
ALBUM_SECONDS = 1.2
"""How long after its last part an album is taken to be whole."""

log = structlog.get_logger()


class Mirror:
    """Follows the desks for one account's group."""

    def __init__(self, store: Store, account: str, owner: str, pushed: Callable[[list[Call]], None]) -> None:
        self._store = store
        self._account = account
        self._pushed = pushed
        self._held = Held(store, f"forum:{account}", owner)
        self._leads = False
        self._event: int | None = None
        self._albums: dict[int, tuple[int, float]] = {}
        """By ticket: the last part that came of an album, and when it was seen."""

    async def run(self) -> None:
        """Show what there is to show, for ever."""
        while True:
            every = await self._store.read(shops.every)
            if self._leads:
                self._event = await self._store.write(forum_follow.look_again, self._event)
            desks = [f"desk:{shop.id}" for shop in every]
            async with self._store.hub.listen(forum.TOPIC, *desks) as heard:
                for _ in range(SHOPS_LOOKS):
                    # What comes in a crowd is looked at together.
                    await asyncio.sleep(REST_SECONDS)
                    heard.clear()
                    try:
                        await self.turn()
                    except (MovedError, StoreUnreachableError) as error:
                        log.warning("the forum waits a moment", error=str(error))
                        await asyncio.sleep(LOOK_SECONDS)
                    await heard.within(ALBUM_SECONDS / 4 if self._albums else LOOK_SECONDS)

    async def turn(self) -> None:
        """Note what changed, then queue as much as there is room for."""
        chosen = await self._store.read(forum.chosen)
        if chosen is None or chosen.account != self._account:
            return
        self._leads = await self._held.mine()
        if not self._leads:
            return
        if await self._store.read(forum_follow.any_changed):
            while await self._store.write(forum_follow.notice):  # noqa: ASYNC110  # a turn for the others between batches
                await asyncio.sleep(0)
        while (
            await self._store.read(forum_follow.any_due) and (room := ROOM - await self._store.read(forum.waiting)) > 0
        ):
            async with self._store.work() as work:
                calls = await work.write(forum_follow.show, room, self._settled)
                if calls:
                    work.after_commit.append(lambda calls=calls: self._pushed(calls))  # type: ignore[misc]
            if not calls:
                return

    def _settled(self, ticket_id: int, last: int) -> bool:
        """Whether an album's last part came long enough ago; 0: there is none to wait for."""
        now = asyncio.get_running_loop().time()
        known = self._albums.get(ticket_id)
        if not last:
            self._albums.pop(ticket_id, None)
            return True
        if known is None or known[0] != last:
            self._albums[ticket_id] = (last, now)
            return False
        if now - known[1] < ALBUM_SECONDS:
            return False
        del self._albums[ticket_id]
        return True
