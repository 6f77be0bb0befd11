"""Pace: how many messages a second the server takes, those for nothing and those that are paid for in Stars."""

import time
from collections import deque
from dataclasses import dataclass, field

from .errors import Json, Refusal


@dataclass
class Pace:
    """`free` messages a second cost nothing, up to `paid` go in all with `allow_paid_broadcast`, each beyond the free ones for a
    tenth of a Star of `tenths`. What isn't paid for has the free ones to itself.
    """

    free: int = 30
    paid: int = 1_000
    tenths: int = 100_000
    #: Tenths of Stars that were taken.
    charged: int = 0
    _free: deque[float] = field(default_factory=deque)
    _paid: deque[float] = field(default_factory=deque)

    def take(self, params: Json) -> None:
        """Count a message.

        Raises:
            Refusal: 429, it is one too many in this second, or there are no Stars for it.
        """
        at = time.monotonic()
        for times in (self._free, self._paid):
            while times and times[0] <= at - 1.0:
                times.popleft()
        together = len(self._free) + len(self._paid)
        if not params.get("allow_paid_broadcast"):
            if len(self._free) >= self.free:
                raise Refusal(429, "Too Many Requests: retry after 1", retry_after=1)
            self._free.append(at)
            return
        beyond = together >= self.free
        if together >= self.paid or (beyond and self.charged >= self.tenths):
            raise Refusal(429, "Too Many Requests: retry after 1", retry_after=1)
        self.charged += beyond
        self._paid.append(at)
