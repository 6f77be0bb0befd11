"""Leases as loops keep them (store.leases): renewed every 3 s, neither at each look nor too late while something takes long."""

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

from store import leases
from store.engine import Store
from store.errors import MovedError

T = TypeVar("T")


class Held:
    """One lease, as one owner tries to hold it."""

    def __init__(self, store: Store, name: str, owner: str) -> None:
        self._store = store
        self._name = name
        self._owner = owner
        self._renew_at = 0.0

    async def mine(self) -> bool:
        """Whether it is this process's turn; the store is asked every 3 s, or at once where it was not."""
        moment = time.monotonic()
        if moment >= self._renew_at:
            if await self._store.write(leases.hold, self._name, self._owner) is None:
                return False
            self._renew_at = moment + leases.RENEW_SECONDS
        return True

    async def during(self, work: Awaitable[T]) -> T:
        """Await what takes long while the lease is kept. Raises MovedError, the work broken off, once another has it: two
        who do the same at the same time is what a lease is against.
        """
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=leases.RENEW_SECONDS)
                if not task.done() and not await self.mine():
                    raise MovedError(f"another process has {self._name!r} now")
            return task.result()
        finally:
            task.cancel()
