"""Keys: who calls. A key belongs to one shop and may call so often."""

import math
import time
from collections import deque
from collections.abc import Callable

from aiohttp import hdrs, web

from handlers.api.problems import ProblemError
from store import staff
from store.engine import Store
from store.errors import NotFoundError

CALLS_MAX = 2_000
WINDOW_SECONDS = 10.0
KEY_CHARS_MAX = 200


class Limiter:
    """At most so many calls of one key within any window, counted in this process's memory."""

    def __init__(
        self,
        calls: int = CALLS_MAX,
        seconds: float = WINDOW_SECONDS,
        moment: Callable[[], float] = time.monotonic,
    ) -> None:
        self._calls = calls
        self._seconds = seconds
        self._moment = moment
        self._seen: dict[int, deque[float]] = {}

    def wait(self, key_id: int) -> int:
        """Count a call; 0 when it may go on, else the whole seconds after which one may. A refused call isn't counted."""
        moment = self._moment()
        seen = self._seen.setdefault(key_id, deque())
        while seen and seen[0] <= moment - self._seconds:
            seen.popleft()
        if len(seen) >= self._calls:
            return max(1, math.ceil(seen[0] + self._seconds - moment))
        seen.append(moment)
        return 0


async def caller(request: web.Request, store: Store, limiter: Limiter) -> tuple[int, int]:
    """(key number, shop number) of who calls. Raises ProblemError `unauthorized`, `rate_limited`."""
    scheme, _, key = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key or not key.isascii() or len(key) > KEY_CHARS_MAX:
        raise _unknown()
    try:
        async with store.work() as work:
            key_id, shop_id = await work.read(staff.api_key, key)
    except NotFoundError as error:
        raise _unknown() from error
    if seconds := limiter.wait(key_id):
        raise ProblemError("rate_limited", headers={hdrs.RETRY_AFTER: str(seconds)})
    return key_id, shop_id


def _unknown() -> ProblemError:
    return ProblemError("unauthorized", headers={hdrs.WWW_AUTHENTICATE: 'Bearer realm="regulars"'})
