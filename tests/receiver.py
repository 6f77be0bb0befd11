"""A server that webhooks are posted to: it keeps what it was sent and fails on demand."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass(frozen=True)
class Got:
    """One post as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def name(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    url: str = ""
    got: list[Got] = field(default_factory=list)
    faults: deque[int | str] = field(default_factory=deque)
    """What the next posts are answered with: a status, `hang` (accepted, never answered), `drip`, `redirect`; then 200."""
    slow: set[str] = field(default_factory=set)
    """Paths where nothing is answered until `let_go`."""
    retry_after: str = ""

    def __post_init__(self) -> None:
        self.let_go = asyncio.Event()
        self._came = asyncio.Condition()

    async def take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.got.append(Got(request.path, {key.lower(): value for key, value in request.headers.items()}, body))
        async with self._came:
            self._came.notify_all()
        if request.path in self.slow:
            await self.let_go.wait()
        fault = self.faults.popleft() if self.faults else 200
        if fault == "hang":
            await self.let_go.wait()
        if fault == "redirect":
            raise web.HTTPTemporaryRedirect("/elsewhere")
        if fault == "huge":
            return web.Response(body=b"x" * 5_000_000)
        status = fault if isinstance(fault, int) else 200
        headers = {"Retry-After": self.retry_after} if self.retry_after else {}
        return web.Response(status=status, text="thank you" if status == 200 else "ouch", headers=headers)

    async def wait(self, count: int, seconds: float = 20.0) -> list[Got]:
        """What came, once there are so many."""
        async with asyncio.timeout(seconds), self._came:
            await self._came.wait_for(lambda: len(self.got) >= count)
        return self.got


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", receiver.take)
    async with TestServer(app) as server:
        receiver.url = str(server.make_url("")).rstrip("/")
        yield receiver
        receiver.let_go.set()
