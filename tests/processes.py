"""The product as processes: started, killed and cut off as machines do it, several replicas behind a balancer.

Each process calls Telegram under an address of its own (`…/worker-1/bot42:TEST/…`), so that a test sees who sent what.
"""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.botapi import BotApiServer
from tests.forked import Forked
from tests.running import SECRET, free_port, until

HOUSE = Path(__file__).resolve().parents[1]
START_SECONDS = 90.0
TOKEN = "42:TEST"


@dataclass(frozen=True)
class Post:
    """A call as it arrived, answered or not."""

    at: float
    process: str
    method: str
    chat: int | None
    overlapping: bool
    """Another process's call to the same chat was still unanswered."""


class WatchedApi(BotApiServer):
    """The Bot API server that also knows which process calls, and whether two call for one chat at once."""

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self.posts: list[Post] = []
        self._open: list[tuple[str, int | None]] = []

    def url_for(self, process: str) -> str:
        return f"{self.url}/{process}"

    @property
    def unanswered(self) -> int:
        """How many messages were taken and not yet answered."""
        return sum(chat is not None for _, chat in self._open)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        _, process, rest = request.rel_url.raw_path.split("/", 2)
        if process.startswith(("bot", "file", "sim")):
            return await super()._handle(request)
        request = request.clone(rel_url=request.rel_url.with_path(f"/{rest}", encoded=True))
        chat = None
        if request.content_type == "application/json":
            with contextlib.suppress(ValueError, AttributeError):
                chat = json.loads(await request.read()).get("chat_id")
        method = rest.rpartition("/")[2]
        one = (process, chat)
        overlapping = chat is not None and any(who != process and where == chat for who, where in self._open)
        self.posts.append(Post(time.monotonic(), process, method, chat, overlapping))
        self._open.append(one)
        try:
            return await super()._handle(request)
        finally:
            self._open.remove(one)


@dataclass
class Process:
    """One process of the product. `log` holds what it said."""

    name: str
    environment: dict[str, str]
    log: Path
    only: str | None = None
    port: int = 0
    running: Forked | None = None

    async def start(self) -> None:
        """Start it, and return once it serves (a worker alone: once it is on its way)."""
        await self.launch()
        if self.only != "worker":
            await self.serving()

    async def launch(self) -> None:
        self.running = Forked(["run", *(["--only", self.only] if self.only else [])], self.environment, self.log)

    async def serving(self) -> None:
        """Wait until it takes connections.

        Raises AssertionError with its log when it ended instead.
        """
        assert self.running is not None
        async with asyncio.timeout(START_SECONDS):
            while True:
                assert self.running.returncode is None, f"{self.name} ended: {self.said()[-3000:]}"
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    return

    async def visit(self, *command: str) -> int:
        """Run another command of the command line on the same database; its exit status."""
        async with asyncio.timeout(START_SECONDS):
            return await Forked(command, self.environment, self.log).wait()

    @property
    def pid(self) -> int:
        assert self.running is not None
        return self.running.pid

    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    async def kill(self) -> None:
        """`kill -9`."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> float:
        """SIGTERM; the seconds it took to end."""
        began = time.monotonic()
        await self._end(signal.SIGTERM)
        return time.monotonic() - began

    async def _end(self, sign: signal.Signals) -> None:
        if self.running is None:
            return
        if self.running.returncode is None:
            self.running.send_signal(sign)
        async with asyncio.timeout(30):
            await self.running.wait()


def process(
    name: str,
    folder: Path,
    database_url: str,
    api: WatchedApi,
    *,
    public_url: str = "",
    webhook: bool = False,
    only: str | None = None,
) -> Process:
    """A process yet to be started; `webhook`: Telegram posts to it directly. Nothing of the tests' own environment reaches
    its settings.
    """
    port = free_port()
    public_url = f"http://127.0.0.1:{port}" if webhook else public_url
    environment = {key: value for key, value in os.environ.items() if not key.startswith("REGULARS_")}
    environment |= {
        "PYTHONPATH": str(HOUSE), "REGULARS_DATABASE_URL": database_url, "REGULARS_SECRET_KEY": SECRET,
        "REGULARS_PORT": str(port), "REGULARS_PUBLIC_URL": public_url, "REGULARS_TELEGRAM_TOKEN": TOKEN,
        "REGULARS_TELEGRAM_API_URL": api.url_for(name),
    }  # fmt: skip
    return Process(name, environment, folder / f"{name}.log", only, port)


@dataclass
class Balancer:
    """Stands where Telegram's webhook points and passes each post on to one web replica, as `route` says."""

    ports: list[int] = field(default_factory=list)
    route: Callable[[dict[str, Any]], Sequence[int]] | None = None
    """Which of the ports get an update (several: at once); None: one after the other."""
    meet: Callable[[dict[str, Any]], object] | None = None
    """Updates with the same key wait for each other, then leave at one instant, each to the next port."""
    port: int = 0
    statuses: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._turn = 0
        self._waiting: dict[object, asyncio.Future[None]] = {}
        self._met: set[object] = set()
        self._http: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Balancer"]:
        runner = web.ServerRunner(web.Server(self._pass_on, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        self.port = free_port()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as self._http:
            yield self
        await runner.cleanup()

    def part(self) -> None:
        """No more meetings; who still waits for the other goes alone."""
        self.meet = None
        for waiting in self._waiting.values():
            waiting.set_result(None)
        self._waiting.clear()

    async def _ports_for(self, update: dict[str, Any]) -> list[int]:
        if self.meet is not None and (key := self.meet(update)) is not None and key not in self._met:
            other = self._waiting.pop(key, None)
            if other is not None:
                self._met.add(key)
                other.set_result(None)
                return [self.ports[1]]
            self._waiting[key] = asyncio.get_running_loop().create_future()
            await self._waiting[key]
            return [self.ports[0]]
        if self.route is not None:
            return [self.ports[index] for index in self.route(update)]
        self._turn += 1
        return [self.ports[self._turn % len(self.ports)]]

    async def _pass_on(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        ports = await self._ports_for(json.loads(body))
        answers = await asyncio.gather(*(self._post(port, request, body) for port in ports))
        self.statuses.extend(answers)
        return web.Response(status=max(answers))

    async def _post(self, port: int, request: web.BaseRequest, body: bytes) -> int:
        assert self._http is not None
        try:
            async with self._http.post(
                f"http://127.0.0.1:{port}{request.path}", data=body, headers=request.headers
            ) as got:
                return got.status
        except (aiohttp.ClientError, OSError):
            return 502


@asynccontextmanager
async def watched_api() -> AsyncIterator[WatchedApi]:
    """The Bot API server, as patient as a test wants it."""
    async with await WatchedApi.start(token=TOKEN, port=0, patience=0.05) as api:
        yield api


__all__ = ["Balancer", "Post", "Process", "WatchedApi", "process", "until", "watched_api"]
