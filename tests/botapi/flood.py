"""Flood: many people write at once, and the bot's speed is measured, not this server's."""

import asyncio
import json
import time
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

from .errors import Json
from .people import Person
from .webhook import SECRET_HEADER
from .world import World

FIRST_ID = 2_000_000_000


@dataclass
class FloodReport:
    """How a flood went. Seconds count from the first update's departure."""

    updates: int = 0
    #: Updates the bot answered with 2xx, or took by polling.
    accepted: int = 0
    #: Attempts that were not answered with 2xx, by status (0: no answer).
    failures: dict[int, int] = field(default_factory=dict)
    replies: int = 0
    #: People who got as many replies as they wrote messages.
    served: int = 0
    accepted_after: float = 0.0
    seconds: float = 0.0
    #: Milliseconds from an update's departure to its first reply: median, 95th, 99th percentile, worst.
    latency: dict[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Replies a second."""
        return self.replies / self.seconds if self.seconds else 0.0

    def describe(self) -> Json:
        """As JSON."""
        return asdict(self) | {"rate": round(self.rate, 1)}


class _Pipe(asyncio.Protocol):
    """One keep-alive connection that posts ready-made requests, one after the other."""

    def __init__(self) -> None:
        self._buffer = b""
        self._waiting: asyncio.Future[int] | None = None
        self._transport: asyncio.Transport | None = None
        self.open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self.open = transport, True

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        self._finish(0)

    def _finish(self, status: int) -> None:
        waiting, self._waiting, self._buffer = self._waiting, None, b""
        if waiting is not None and not waiting.done():
            waiting.set_result(status)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lowered = head.lower()
        at = lowered.find(b"content-length:")
        if at >= 0:
            complete = len(body) >= int(lowered[at + 15 :].split(b"\r\n", 1)[0])
        elif b"chunked" in lowered:
            complete = body.endswith(b"0\r\n\r\n")
        else:
            complete = True
        if complete:
            status = int(head[9:12])
            if b"connection: close" in lowered:
                self.open = False
            self._finish(status)

    def post(self, request: bytes) -> "asyncio.Future[int]":
        """Send a request; its answer's status, 0 when the connection broke."""
        assert self._transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._waiting

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class _Count:
    """Counts what the bot sends to the flood's people."""

    def __init__(self, wanted: dict[int, int], report: FloodReport) -> None:
        self.left = wanted
        self.total = sum(wanted.values())
        self.report = report
        self.departed: dict[int, float] = {}
        self.latencies: list[float] = []
        self.last = 0.0
        self.done = asyncio.Event()
        if not self.total:
            self.done.set()

    def __call__(self, method: str, params: Json) -> None:
        chat = params.get("chat_id")
        if chat not in self.left or not method.startswith(("send", "copy")) or method == "sendChatAction":
            return
        self.last = time.perf_counter()
        self.report.replies += 1
        if (departed := self.departed.pop(chat, None)) is not None:
            self.latencies.append(self.last - departed)
        self.left[chat] -= 1
        if self.left[chat] == 0:
            self.report.served += 1
            if self.report.served == len(self.left):
                self.done.set()


def _requests(world: World, people: list[int], text: str) -> list[bytes]:
    """One ready HTTP request (by webhook) or update body (by polling) for each person."""
    url = urlsplit(world.webhook.url)
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    secret = f"{SECRET_HEADER}: {world.webhook.secret}\r\n" if world.webhook.secret else ""
    head = f"POST {path} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: application/json\r\n{secret}"
    updates = world.updates
    built = []
    for user in people:
        world.last_id += 1
        chat = world.chats[user]
        message: dict[str, Any] = {"message_id": world.last_id, "date": int(world.now()), "chat": chat.describe()}
        message |= {"from": world.users[user], "text": text}
        if text.startswith("/"):
            length = len(text.split(maxsplit=1)[0])
            message["entities"] = [{"type": "bot_command", "offset": 0, "length": length}]
        body = json.dumps({"update_id": updates.next_id, "message": message}, ensure_ascii=False).encode()
        updates.next_id += 1
        built.append(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body if url.netloc else body)
    return built


async def run_flood(
    world: World,
    users: int,
    text: str = "/points",
    *,
    connections: int = 40,
    each: int = 1,
    replies: int = 1,
    first_id: int = FIRST_ID,
    timeout: float = 120.0,
) -> FloodReport:
    """Each of `users` new people writes `text`, `each` times one after the other, through the webhook with bounded
    concurrency; a message is one whose answer is `replies` messages (0: nobody waits for one). Without a webhook the updates wait for the poller.

    Returns when everybody has their replies, or after `timeout` seconds with what there is.
    """
    people = list(range(first_id, first_id + users))
    for user in people:
        if user not in world.users:
            Person(
                world, {"id": user, "is_bot": False, "first_name": f"Khách {user - first_id}", "language_code": "vi"}
            )
    rounds = [_requests(world, people, text) for _ in range(each)]
    report = FloodReport(updates=users * each)
    count = _Count(dict.fromkeys(people, each * replies), report)
    world.on_call = count
    begin = time.perf_counter()
    try:
        async with asyncio.timeout(timeout):
            if world.webhook.url:
                await asyncio.gather(
                    *(_pour(world, people, rounds, lane, connections, count) for lane in range(min(connections, users)))
                )
            else:
                _enqueue(world, people, rounds, count)
            report.accepted_after = time.perf_counter() - begin
            await count.done.wait()
    except TimeoutError:
        pass
    finally:
        world.on_call = None
    report.seconds = max(count.last - begin, 0.0)
    times = sorted(count.latencies)
    if times:
        marks = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
        report.latency = {name: round(times[int(mark * (len(times) - 1))] * 1000, 1) for name, mark in marks.items()}
    return report


async def _pour(
    world: World, people: list[int], rounds: list[list[bytes]], lane: int, lanes: int, count: _Count
) -> None:
    """One connection's share: the same people in every round, so that a chat's messages stay in order."""
    url = urlsplit(world.webhook.url)
    loop, report, pipe = asyncio.get_running_loop(), count.report, _Pipe()
    for requests in rounds:
        for place in range(lane, len(people), lanes):
            count.departed.setdefault(people[place], time.perf_counter())
            wait = 0.01
            while True:
                status = 0
                if not pipe.open:
                    try:
                        _, pipe = await loop.create_connection(_Pipe, str(url.hostname), url.port or 80)
                    except OSError:
                        pipe = _Pipe()
                if pipe.open:
                    status = await pipe.post(requests[place])
                if 200 <= status < 300:
                    report.accepted += 1
                    break
                report.failures[status] = report.failures.get(status, 0) + 1
                await asyncio.sleep(wait)
                wait = min(wait * 2, 1.0)
    pipe.close()


def _enqueue(world: World, people: list[int], rounds: list[list[bytes]], count: _Count) -> None:
    begin = time.perf_counter()
    for requests in rounds:
        for user, body in zip(people, requests, strict=True):
            count.departed.setdefault(user, begin)
            world.updates.add_ready(body, ("chat", user))
            count.report.accepted += 1
