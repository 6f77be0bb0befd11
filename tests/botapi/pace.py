"""Pace: how many messages a second the server takes, those for nothing and those that are paid for in Stars."""

import time
from collections import deque
from dataclasses import dataclass, field

from .errors import Json, Refusal


@dataclass
class Pace:
    """`free` messages a second cost nothing, up to `paid` go in all with `allow_paid_broadcast`, each beyond the free ones for a
    tenth of a Star of `tenths`. What isn't paid for is held to the free ones alone.
    """

    free: int = 30
    paid: int = 1_000
    tenths: int = 100_000
    #: Tenths of Stars that were taken.
    charged: int = 0
    _unasked: deque[float] = field(default_factory=deque)
    _gratis: deque[float] = field(default_factory=deque)
    _charged: deque[float] = field(default_factory=deque)

    def take(self, params: Json) -> None:
        """Count a message.

        Raises:
            Refusal: 429, it is one too many in this second, or there are no Stars for it.
        """
        at = time.monotonic()
        for times in (self._unasked, self._gratis, self._charged):
            while times and times[0] <= at - 1.0:
                times.popleft()
        free = len(self._unasked) + len(self._gratis)
        if not params.get("allow_paid_broadcast"):
            if len(self._unasked) >= self.free:
                raise Refusal(429, "Too Many Requests: retry after 1", retry_after=1)
            self._unasked.append(at)
            return
        beyond = free >= self.free
        if free + len(self._charged) >= self.paid or (beyond and self.charged >= self.tenths):
            raise Refusal(429, "Too Many Requests: retry after 1", retry_after=1)
        self.charged += beyond
        (self._charged if beyond else self._gratis).append(at)
