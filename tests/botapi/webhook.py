"""Delivery by webhook: each queue in order, queues side by side, again until it is accepted."""

import asyncio
import json
import random
import re
from collections import deque
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl, urlsplit

import aiohttp

from .errors import Json, bad
from .files import Upload
from .updates import Update, Updates

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"
LONGEST_WAIT = 60.0
_SECRET = re.compile(r"^[A-Za-z0-9_-]{1,256}$")
_SILENT = frozenset({"setwebhook", "deletewebhook", "close", "logout"})

Perform = Callable[[str, Json, dict[str, Upload]], Awaitable[object]]


class Webhook:
    """The webhook that is set, and the work of delivering to it.

    `patience` scales the waits between attempts: 1.0 is Telegram's own pace (1, 2, 4 … 60 s; `Retry-After` up to an
    hour), tests want far less.
    """

    def __init__(self, updates: Updates, perform: Perform, patience: float) -> None:
        self.url = ""
        self.secret = ""
        self.connections = 40
        self.patience = patience
        self.attempts: list[tuple[int, int]] = []
        self.waits: list[float] = []
        self._updates = updates
        self._perform = perform
        self._queues: dict[tuple[str, int], deque[Update]] = {}
        self._workers: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._slots = asyncio.Semaphore(40)
        self._error: tuple[int, str] | None = None

    def describe(self) -> Json:
        """The WebhookInfo object."""
        info: Json = {
            "url": self.url,
            "has_custom_certificate": False,
            "pending_update_count": len(self._updates.pending),
        }
        if self.url:
            info["max_connections"] = self.connections
        if self._error is not None:
            info["last_error_date"], info["last_error_message"] = self._error
        if self._updates.allowed:
            info["allowed_updates"] = self._updates.allowed
        return info

    async def set(self, params: Json) -> None:
        """setWebhook; an empty address removes it. http is taken too, as a local Bot API server does."""
        url = params.get("url", "")
        if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
            raise bad("bad webhook: An HTTPS URL must be provided for webhook")
        secret = params.get("secret_token", "")
        if secret and not _SECRET.match(secret):
            raise bad("secret token contains unallowed characters")
        connections = params.get("max_connections", 40)
        if not 1 <= connections <= 100:
            raise bad("max_connections must be between 1 and 100")
        await self.stop()
        if "allowed_updates" in params:
            self._updates.allowed = params["allowed_updates"]
        if params.get("drop_pending_updates"):
            self._updates.drop_all()
        self.url, self.secret, self.connections = url, secret, connections
        self._slots = asyncio.Semaphore(connections)
        self._updates.push = self._push if url else None
        self._updates.changed()
        if url:
            for update in list(self._updates.pending):
                self._push(update)

    async def stop(self) -> None:
        """End all delivery; what is pending stays pending."""
        self._updates.push = None
        for worker in list(self._workers):
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._queues.clear()
        self.url = ""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _push(self, update: Update) -> None:
        queue = self._queues.get(update.queue)
        if queue is not None:
            queue.append(update)
            return
        self._queues[update.queue] = deque([update])
        worker = asyncio.create_task(self._work(update.queue))  # noqa: TID251  kept and ended here
        self._workers.add(worker)
        worker.add_done_callback(self._workers.discard)

    async def _work(self, name: tuple[str, int]) -> None:
        queue = self._queues[name]
        while queue:
            await self._deliver(queue[0])
            queue.popleft()
        del self._queues[name]

    async def _deliver(self, update: Update) -> None:
        delay = 1.0
        while True:
            async with self._slots:
                accepted, retry_after = await self._attempt(update)
            if accepted:
                self._updates.confirm(update)
                return
            wait = min(retry_after, 3600.0) if retry_after is not None else delay
            self.waits.append(wait)
            await asyncio.sleep(wait * self.patience)
            delay = min(delay * 2, LONGEST_WAIT * random.uniform(1, 2))

    async def _attempt(self, update: Update) -> tuple[bool, float | None]:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self.connections), timeout=aiohttp.ClientTimeout(total=60)
            )
        headers = {"Content-Type": "application/json"}
        if self.secret:
            headers[SECRET_HEADER] = self.secret
        try:
            async with self._session.post(self.url, data=update.body, headers=headers) as response:
                self.attempts.append((update.id, response.status))
                if 200 <= response.status < 300:
                    await self._run_answer(response)
                    return True, None
                self._error = (0, f"Wrong response from the webhook: {response.status} {response.reason}")
                after = response.headers.get("Retry-After", "")
                return False, float(after) if after.isdigit() else None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self.attempts.append((update.id, 0))
            self._error = (0, f"Connection failed: {error}")
            return False, None
        finally:
            self._updates.changed()

    async def _run_answer(self, response: aiohttp.ClientResponse) -> None:
        """A method in the answer's body is run; its result is never told."""
        uploads: dict[str, Upload] = {}
        if response.content_type.startswith("multipart/"):
            params: Json = {}
            reader = aiohttp.MultipartReader.from_response(response)
            while (part := await reader.next()) is not None:
                if not isinstance(part, aiohttp.BodyPartReader) or part.name is None:
                    continue
                data = bytes(await part.read(decode=True))
                if part.filename:
                    uploads[part.name] = Upload(part.filename, data)
                else:
                    params[part.name] = data.decode()
        else:
            body = await response.read()
            if response.content_type == "application/x-www-form-urlencoded":
                params = dict(parse_qsl(body.decode(), keep_blank_values=True))
            else:
                try:
                    params = json.loads(body)
                except ValueError:
                    return
        method = params.pop("method", None) if isinstance(params, dict) else None
        if isinstance(method, str) and not method.lower().startswith("get") and method.lower() not in _SILENT:
            await self._perform(method, params, uploads)
