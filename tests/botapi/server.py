"""The Bot API server itself: HTTP in front of the world."""

import asyncio
import contextlib
import json
import time
from typing import Any, Self
from urllib.parse import parse_qsl, unquote

from aiohttp import web
from aiohttp.multipart import BodyPartReader

from .chats import Chat
from .errors import Json, Refusal, bad
from .faults import OF_UPDATES, Fault, Kind
from .files import Upload
from .flood import FloodReport, run_flood
from .groups import Group
from .limits import UPLOAD_BYTES
from .people import PATIENCE, Person
from .schema import find
from .sim import Sim
from .world import Call, Refused, World

_HTML_502 = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_OK = b'{"ok":true,"result":'


class BotApiServer:
    """One bot's Bot API server, with the people and groups it talks to."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.port = 0
        self.host = "127.0.0.1"
        self.people: dict[int, Person] = {}
        self.groups: dict[int, Group] = {}
        self._runner: web.ServerRunner | None = None
        self._site: web.TCPSite | None = None
        self._server: web.Server | None = None
        self._sim = Sim(self)
        self._stopped = asyncio.Event()

    @classmethod
    async def start(
        cls, token: str = "42:TEST", port: int = 0, host: str = "127.0.0.1", patience: float = 0.01
    ) -> Self:
        """A listening server. `port` 0 takes any free one; `patience` scales the waits between webhook attempts."""
        server = cls(World(token, patience))
        server.host, server.port = host, port
        server._server = web.Server(
            server._handle, request_factory=_make_request, handler_cancellation=True, access_log=None
        )
        server._runner = web.ServerRunner(server._server, shutdown_timeout=0.1)
        await server._runner.setup()
        await server._listen()
        return server

    async def _listen(self) -> None:
        assert self._runner is not None
        self._site = web.TCPSite(self._runner, self.host, self.port, reuse_address=True)
        await self._site.start()
        sockets = self._site._server.sockets if isinstance(self._site._server, asyncio.Server) else ()
        self.port = sockets[0].getsockname()[1] if sockets else self.port

    async def stop(self) -> None:
        """Close everything."""
        self._stopped.set()
        await self.world.webhook.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @contextlib.asynccontextmanager
    async def down(self) -> Any:
        """While inside, connections are refused and those that stood are cut."""
        assert self._site is not None
        assert self._server is not None
        await self._site.stop()
        for connection in list(self._server.connections):
            if connection.transport is not None:
                connection.transport.abort()
        try:
            yield
        finally:
            await self._listen()

    @property
    def url(self) -> str:
        """The base address, for `TelegramAPIServer.from_base`."""
        return f"http://{self.host}:{self.port}"

    @property
    def token(self) -> str:
        """The bot's token."""
        return self.world.token

    @property
    def calls(self) -> list[Call]:
        """Every call carried out, polling left out."""
        return self.world.calls

    @property
    def refused(self) -> list[Refused]:
        """Every call refused for a mistake of the bot's. Tests assert that it is empty."""
        return self.world.refused

    @property
    def declined(self) -> list[Refused]:
        """Refused because of what people did (blocked, deleted topic, moved group, late answer), or a conflict (409)."""
        return self.world.declined

    @property
    def faulted(self) -> list[Refused]:
        """Calls that a fault on demand turned away."""
        return self.world.faulted

    def calls_of(self, *methods: str, chat: int | None = None) -> list[Call]:
        """The calls of some methods (none named: of all), to one chat if given."""
        return [c for c in self.calls if (not methods or c.method in methods) and chat in (None, c.chat)]

    def user(
        self,
        id: int | None = None,  # noqa: A002  Telegram's own name for it
        first_name: str = "Anna",
        last_name: str | None = None,
        username: str | None = None,
        language_code: str | None = "vi",
        *,
        started: bool = True,
    ) -> Person:
        """Somebody new. `started` false: the bot may not write to them before they do."""
        about: Json = {"id": id or 10**9 + next(self.world.numbers), "is_bot": False, "first_name": first_name}
        extra = {"last_name": last_name, "username": username, "language_code": language_code}
        about |= {name: value for name, value in extra.items() if value is not None}
        person = self.people[about["id"]] = Person(self.world, about, started=started)
        return person

    def _place(self, chat: Chat) -> Group:
        group = self.groups[chat.id] = Group(self.world, chat)
        return group

    def forum(self, title: str = "Chăm sóc khách hàng", id: int | None = None) -> Group:  # noqa: A002
        """A supergroup with topics, the bot its administrator."""
        number = id or -(10**12) - next(self.world.numbers)
        return self._place(Chat(number, "supergroup", {"title": title}, is_forum=True, last_id=1))

    def group(self, title: str = "Nhóm", id: int | None = None) -> Group:  # noqa: A002
        """A basic group."""
        return self._place(Chat(id or -1000 - next(self.world.numbers), "group", {"title": title}))

    def fault(
        self, method: str | None = None, chat: int | None = None, times: int | None = 1, kind: Kind = "500", **more: Any
    ) -> Fault:
        """Lay a fault in wait for the next calls of a method or to a chat (`times` None: for all). See `faults.Kind`;
        `more`: retry_after, seconds, code, text."""
        fault = Fault(kind, method, chat, times, **more)
        if kind not in OF_UPDATES:
            return self.world.faults.add(fault)
        updates, count = self.world.updates, times or 1
        if kind == "redelivered":
            updates.redeliver += count
        elif kind == "reordered":
            updates.reorder += count
        else:
            for _ in range(count):
                updates.add("hologram", {"depth": 3, "light": "blue"}, ("hologram", 0))
        return fault

    async def wait_calls(
        self, n: int, method: str | None = None, chat: int | None = None, timeout: float = PATIENCE
    ) -> list[Call]:
        """The calls (of a method, to a chat), once there are at least `n` since the start.

        Raises:
            TimeoutError: there were fewer.
        """
        names = (method,) if method else ()

        def find() -> list[Call] | None:
            found = self.calls_of(*names, chat=chat)
            return found if len(found) >= n else None

        def missing() -> str:
            return f"{len(self.calls_of(*names, chat=chat))} calls of {method or 'any method'} instead of {n}"

        return await self.world.until(find, timeout, missing)

    async def wait_delivered(self, timeout: float = PATIENCE) -> None:
        """Wait until the bot accepted every update (by 200 or by its offset).

        Raises:
            TimeoutError: some are pending.
        """
        updates = self.world.updates
        await self.world.until(
            lambda: True if not updates.pending else None, timeout, lambda: f"{len(updates.pending)} updates pending"
        )

    async def flood(self, users: int, text: str = "/points", **more: Any) -> FloodReport:
        """Send one message from each of many users as fast as the bot accepts; see `flood.run_flood`."""
        return await run_flood(self.world, users, text, **more)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        parts = request.rel_url.raw_path.split("/", 3)
        if parts[1] == "sim":
            return await self._sim.handle(request)
        if parts[1] == "file" and len(parts) == 4:
            return self._download(unquote(parts[2]), unquote(parts[3]))
        token, name = unquote(parts[1]), parts[2] if len(parts) == 3 else ""
        if token != f"bot{self.token}":
            return self._refuse(Refusal(401, "Unauthorized"), name)
        if (fault := self.world.faults.strike(name, None, body_read=False)) is not None:
            return _cut(request)
        try:
            params, uploads = await _read(request, name)
        except Refusal as refusal:
            return self._refuse(refusal, name)
        try:
            result, fault = await self.world.perform(name, params, uploads)
        except Refusal as refusal:
            return _answer(refusal.body(), refusal.code)
        if fault is not None:
            if fault.kind == "502":
                return web.Response(status=502, text=_HTML_502, content_type="text/html")
            if fault.kind in ("hang", "slow"):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopped.wait(), fault.seconds)
            if fault.kind in ("cut", "hang", "closed"):
                return _cut(request)
        data = result if isinstance(result, bytes) else json.dumps(result, ensure_ascii=False).encode()
        return web.Response(body=_OK + data + b"}", content_type="application/json")

    def _refuse(self, refusal: Refusal, name: str) -> web.Response:
        self.world.refused.append(Refused(time.monotonic(), name, {}, refusal.code, refusal.description))
        self.world.changed()
        return _answer(refusal.body(), refusal.code)

    def _download(self, token: str, path: str) -> web.Response:
        stored = self.world.files.by_path.get(path)
        if token != f"bot{self.token}" or stored is None or stored.data is None:
            return _answer(Refusal(404, "file not found").body(), 404)
        return web.Response(body=stored.data, content_type=stored.mime)


def _make_request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=2 * UPLOAD_BYTES)


def _answer(body: Json, status: int) -> web.Response:
    data = json.dumps(body, ensure_ascii=False).encode()
    wait = body.get("parameters", {}).get("retry_after")
    headers = {"Retry-After": str(wait)} if wait is not None else None
    return web.Response(body=data, status=status, content_type="application/json", headers=headers)


def _cut(request: web.BaseRequest) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _read(request: web.BaseRequest, name: str) -> tuple[Json, dict[str, Upload]]:
    """The parameters of a call: query, then body; files apart."""
    params: Json = dict(request.rel_url.query)
    uploads: dict[str, Upload] = {}
    kind = request.content_type
    if kind.startswith("multipart/"):
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or part.name is None:
                continue
            data = bytes(await part.read(decode=True))
            if part.filename is None:
                params[part.name] = data.decode(errors="replace")
            else:
                mime = part.headers.get("Content-Type", "application/octet-stream").partition(";")[0]
                uploads[part.name] = Upload(part.filename, data, mime)
        method = find(name)
        for field in uploads:
            if method is not None and field in method.fields:
                params.setdefault(field, "")
    elif body := await request.read():
        if kind == "application/json":
            try:
                given = json.loads(body)
            except ValueError:
                raise bad("can't parse JSON object") from None
            if not isinstance(given, dict):
                raise bad("object expected as JSON body")
            params |= given
        else:
            params |= dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    return params, uploads
