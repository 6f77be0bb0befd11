"""Updates: their ids, who wants them, and taking them by polling."""

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .errors import Json, Refusal
from .limits import POLL_LIMIT, POLL_SECONDS, SHY_UPDATES


@dataclass(eq=False)
class Update:
    """One update on its way. `queue` names the line it stands in when it goes by webhook."""

    id: int
    kind: str
    body: bytes
    queue: tuple[str, int]
    #: A second delivery of an update that was confirmed already.
    again: bool = False
    #: It was overtaken by a later one: an offset confirms it only once it was handed out.
    late: bool = False
    handed: bool = False


@dataclass
class Updates:
    """What the bot is still to be told."""

    changed: Callable[[], None]
    next_id: int = field(default_factory=lambda: random.randrange(10**8, 5 * 10**8))
    allowed: list[str] = field(default_factory=list)
    pending: list[Update] = field(default_factory=list)
    #: Set while a webhook is: takes every new update.
    push: Callable[[Update], None] | None = None
    poller: "asyncio.Future[None] | None" = None
    redeliver: int = 0
    reorder: int = 0
    _held: Update | None = None
    delivered: list[int] = field(default_factory=list)

    def wants(self, kind: str) -> bool:
        """Whether the bot asked for updates of this kind."""
        return kind in self.allowed if self.allowed else kind not in SHY_UPDATES

    def add(self, kind: str, content: Any, queue: tuple[str, int]) -> int | None:
        """Queue an update; its id, or None when the bot does not want its kind."""
        if not self.wants(kind) and kind != "hologram":
            return None
        update_id, self.next_id = self.next_id, self.next_id + 1
        body = json.dumps({"update_id": update_id, kind: content}, ensure_ascii=False).encode()
        update = Update(update_id, kind, body, queue)
        if self.reorder and self._held is None:
            self.reorder, self._held = self.reorder - 1, update
            return update_id
        self._enqueue(update)
        if self._held is not None:
            held, self._held = self._held, None
            held.late = True
            self._enqueue(held)
        return update_id

    def add_ready(self, body: bytes, queue: tuple[str, int]) -> None:
        """Queue a message update whose JSON is built already, for the poller."""
        update_id = int(body[body.index(b":") + 1 : body.index(b",")])
        self.pending.append(Update(update_id, "message", body, queue))
        self._wake()

    def _enqueue(self, update: Update) -> None:
        copies = [update]
        if self.redeliver:
            self.redeliver -= 1
            copies.append(Update(update.id, update.kind, update.body, update.queue, again=True))
        for copy in copies:
            self.pending.append(copy)
            if self.push is not None:
                self.push(copy)
        self._wake()

    def _wake(self) -> None:
        if self.poller is not None and not self.poller.done():
            self.poller.set_result(None)

    def confirm(self, update: Update) -> None:
        """An update arrived."""
        if update in self.pending:
            self.pending.remove(update)
        self.delivered.append(update.id)
        self.changed()

    def drop_all(self) -> None:
        """Forget what is pending."""
        self.pending.clear()
        self.changed()

    def _take(self, offset: int, limit: int) -> list[Update]:
        if offset < 0:
            for update in self.pending[:offset]:
                self.confirm(update)
        elif offset > 0:
            for update in [u for u in self.pending if u.id < offset and not u.again and (u.handed or not u.late)]:
                self.confirm(update)
        batch = []
        for update in list(self.pending):
            if update.again and any(first.id == update.id for first in self.pending if not first.again):
                continue  # its first delivery is not confirmed yet
            batch.append(update)
            if len(batch) == limit:
                break
        for update in batch:
            update.handed = True
            if update.again:
                self.confirm(update)
        return batch

    async def poll(self, params: Json) -> bytes:
        """getUpdates: the JSON array of what is pending.

        Raises:
            Refusal: 409 while a webhook is set, or to a poller that another one ends.
        """
        if self.push is not None:
            raise Refusal(
                409,
                "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
            )
        if self.poller is not None and not self.poller.done():
            self.poller.set_exception(
                Refusal(409, "terminated by other getUpdates request; make sure that only one bot instance is running")
            )
        if "allowed_updates" in params:
            self.allowed = params["allowed_updates"]
        offset, limit = params.get("offset", 0), max(1, min(params.get("limit", POLL_LIMIT), POLL_LIMIT))
        batch = self._take(offset, limit)
        timeout = min(params.get("timeout", 0), POLL_SECONDS)
        if not batch and timeout > 0:
            waiting = self.poller = asyncio.get_running_loop().create_future()
            self.changed()
            try:
                async with asyncio.timeout(timeout):
                    await waiting
            except TimeoutError:
                pass
            finally:
                if self.poller is waiting:
                    self.poller = None
            batch = self._take(offset, limit)
        return b"[" + b",".join(update.body for update in batch) + b"]"
