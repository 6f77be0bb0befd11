"""Telegram: the Bot API over HTTP, rows posted as the JSON they hold; updates by our own polling loop or by webhook."""

import asyncio
import hmac
import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import aiohttp
import structlog
from aiogram import Bot
from aiogram.methods import TelegramMethod
from aiogram.types import Message, User
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from bot.held import Held
from bot.messengers.messenger import Messenger, Ready
from bot.topics import judged
from handlers.chat.talk import Can
from loyalty.outreach.campaigns import costs
from store.engine import Store
from store.errors import MovedError, StoreUnreachableError
from store.media import File
from store.outbox import Ended

ALLOWED_UPDATES = [
    "message", "edited_message", "callback_query", "my_chat_member", "message_reaction", "chat_member",
]  # fmt: skip
CALL_SECONDS = 20.0
CONNECT_SECONDS = 8.0
"""Where nobody answers the knock by then there is no connection, and nothing has left."""
POLL_SECONDS = 25
POLL_LIMIT = 100
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105  # a header's name
UPDATE_BYTES_MAX = 1024 * 1024
"""No update of Telegram's comes near it; a larger one is kept as a dead letter, unread."""
AGAIN_SECONDS = 1.0

_NUMBER = re.compile(rb'"result"\s*:\s*\{\s*"message_id"\s*:\s*(\d+)\s*[,}]')
_JSON = CIMultiDict({"Content-Type": "application/json"})

Take = Callable[[str, dict[str, Any], str], Awaitable[bool]]
"""Give one update (key, as JSON, as it came) to the intake."""

log = structlog.get_logger()


class Telegram(Messenger):
    """One bot account; its connections are opened at the first use."""

    name = "Telegram"
    can = Can(share_phone=True, own_page=False)
    albums = True
    group_rate = 18
    paid_rate = costs.PAID_RATE

    def __init__(self, token: str, api_url: str, rate: int) -> None:
        super().__init__()
        self.token = token
        self.account = f"telegram:{self.bot_id}"
        self.rate = rate
        self._api = f"{api_url}/bot{token}"
        self._files = f"{api_url}/file/bot{token}"
        self._http: aiohttp.ClientSession | None = None
        self._urls: dict[str, URL] = {}
        self._me = User(id=self.bot_id, is_bot=True, first_name="", username=None)

    @property
    def http(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=200, keepalive_timeout=30),
                timeout=aiohttp.ClientTimeout(total=CALL_SECONDS, sock_connect=CONNECT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._http

    def me(self) -> User:
        return self._me

    def named(self, username: str) -> None:
        """What our account is called, as the messenger or the store told."""
        self._me = User(id=self.bot_id, is_bot=True, first_name=username, username=username)

    def link(self, payload: str) -> str:
        return f"https://t.me/{self._me.username}?start={payload}" if payload else f"https://t.me/{self._me.username}"

    def takes_media(self) -> bool:
        return True

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def call(self, method: str, **params: Any) -> Any:
        """One call made at once, not through the outbox: for what the bot itself needs (getMe, getFile, setWebhook).
        Raises ConnectionError with the description when it did not work.
        """
        try:
            async with self.http.post(f"{self._api}/{method}", json=params) as response:
                answer = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ConnectionError(f"{method}: {type(error).__name__}") from None
        if not isinstance(answer, dict) or not answer.get("ok"):
            description = answer.get("description", "") if isinstance(answer, dict) else ""
            raise ConnectionError(f"{method}: {description}")
        return answer["result"]

    async def make_request(self, bot: Bot, method: TelegramMethod[Any], timeout: int | None = None) -> Any:  # noqa: ARG002, ASYNC109
        params = json.loads(
            json.dumps(method.model_dump(exclude_none=True, warnings=False), default=lambda _value: None)
        )
        result = await self.call(
            method.__api_method__, **{key: value for key, value in params.items() if value is not None}
        )
        return self.check_response(bot, method, 200, json.dumps({"ok": True, "result": result})).result

    async def stream_content(
        self, url: str, headers: dict[str, Any] | None = None, timeout: int = 30,  # noqa: ASYNC109
        chunk_size: int = 65536, raise_for_status: bool = True,
    ) -> AsyncGenerator[bytes, None]:  # fmt: skip
        async with self.http.get(
            url, headers=headers, timeout=aiohttp.ClientTimeout(total=timeout), raise_for_status=raise_for_status
        ) as response:
            async for chunk in response.content.iter_chunked(chunk_size):
                yield chunk

    async def download(self, file_id: str, bytes_max: int) -> bytes:
        """The bytes of a file. Raises ConnectionError, ValueError when it is too big."""
        try:
            found = await self.call("getFile", file_id=file_id)
        except ConnectionError as error:
            if "too big" in str(error):
                raise ValueError("too big") from None
            raise
        if "file_path" not in found:
            raise ConnectionError("getFile: no path yet")
        content = bytearray()
        try:
            async for chunk in self.stream_content(f"{self._files}/{found['file_path']}"):
                content += chunk
                if len(content) > bytes_max:
                    raise ValueError("too big")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ConnectionError(f"download: {type(error).__name__}") from None
        return bytes(content)

    def _url(self, method: str) -> URL:
        known = self._urls.get(method)
        if known is None:
            known = self._urls[method] = URL(f"{self._api}/{method}")
        return known

    async def post(self, ready: Ready) -> Ended:
        """Post one row. What can't have reached Telegram is queued again, what may have is unknown (design, 1.5)."""
        call = ready.call
        url = self._url(ready.method)
        try:
            if ready.files:
                request = self.http.post(url, data=_form(ready))
            else:
                request = self.http.post(url, data=ready.body, headers=_JSON)
            async with request as response:
                status = response.status
                body = await _read(response)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            return Ended(call, "queued", f"no connection: {type(error).__name__}")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            ended = Ended(call, "unknown", f"cut off: {type(error).__name__}")
            return judged(ready, ended) if ready.makes is not None else ended
        ended = self._ended(ready, status, body)
        return judged(ready, ended) if ready.topic is not None or ready.makes is not None else ended

    def _ended(self, ready: Ready, status: int, body: bytes) -> Ended:
        call = ready.call
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            if 200 <= status < 300 and re.match(rb'\s*\{\s*"ok"\s*:\s*true', body):
                number = _NUMBER.search(body)
                result = {"message_id": int(number[1])} if number else None
                return Ended(call, "sent", "the answer could not be read to its end", result)
            return Ended(call, "unknown", f"HTTP {status} without an answer")
        if answer.get("ok") is True:
            result = answer.get("result")
            handles = _handles(ready, ready.method, result)
            return Ended(call, "sent", None, _kept(result), facts={"handles": handles} if handles else None)
        description = str(answer.get("description", ""))[:500]
        parameters = answer.get("parameters") or {}
        retry_after = parameters.get("retry_after")
        if status == 429 or retry_after is not None:
            return Ended(call, "queued", description, facts={"retry_after": float(retry_after or 1)})
        if status in {502, 504}:
            return Ended(call, "unknown", f"HTTP {status}: {description}")
        if status >= 500:
            return Ended(call, "queued", f"HTTP {status}: {description}")
        if "message is not modified" in description:
            return Ended(call, "sent", description)
        facts: dict[str, Any] = {}
        if isinstance(parameters.get("migrate_to_chat_id"), int):
            # The group has another number from now on; the row goes there.
            return Ended(
                call, "queued", description, facts={"migrate_to": parameters["migrate_to_chat_id"], "anew": True}
            )
        if status == 403:
            facts["unreachable"] = call.chat
        return Ended(call, "failed", description or f"HTTP {status}", facts=facts or None)

    async def poll(self, store: Store, take: Take, owner: str) -> None:
        """Ask for updates for ever, in the one process that holds the lease; the offset moves after a batch is stored."""
        offset = 0
        held = Held(store, f"poller:{self.account}", owner)
        deleted = False
        while True:
            try:
                if not await held.mine():
                    await asyncio.sleep(AGAIN_SECONDS)
                    continue
                if not deleted:
                    await self.call("deleteWebhook")
                    deleted = True
                batch = await held.during(self._get_updates(offset))
                if batch:
                    await self._take_batch(batch, take)
                    offset = max(int(update["update_id"]) for update in batch) + 1
            except (ConnectionError, StoreUnreachableError, MovedError) as error:
                log.warning("polling goes on in a moment", account=self.account, error=str(error))
                await asyncio.sleep(AGAIN_SECONDS)

    async def _get_updates(self, offset: int) -> list[dict[str, Any]]:
        params = {"offset": offset, "limit": POLL_LIMIT, "timeout": POLL_SECONDS, "allowed_updates": ALLOWED_UPDATES}
        try:
            async with self.http.post(
                f"{self._api}/getUpdates", json=params, timeout=aiohttp.ClientTimeout(total=POLL_SECONDS + 15)
            ) as response:
                answer = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ConnectionError(f"getUpdates: {type(error).__name__}") from None
        if not isinstance(answer, dict) or not answer.get("ok"):
            raise ConnectionError(f"getUpdates: {answer.get('description') if isinstance(answer, dict) else ''}")
        return [update for update in answer["result"] if isinstance(update, dict) and "update_id" in update]

    @staticmethod
    async def _take_batch(batch: list[dict[str, Any]], take: Take) -> None:
        """Each chat's updates one after the other (the intake's lock keeps their order), the chats side by side."""
        results = await asyncio.gather(
            *(take(str(update["update_id"]), update, json.dumps(update, ensure_ascii=False)) for update in batch),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def webhook(self, secret: str, take: Take) -> Callable[[web.Request], Awaitable[web.Response]]:
        """The webhook's view: the secret is checked, 200 says that the update's work has committed."""

        async def view(request: web.Request) -> web.Response:
            given = request.headers.get(SECRET_HEADER, "")
            if not hmac.compare_digest(given.encode(), secret.encode()):
                return web.Response(status=401)
            body = await request.read()
            text = body.decode("utf-8", "replace").replace("\x00", "")
            try:
                return await taken(text, len(body))
            except (StoreUnreachableError, MovedError):
                return web.Response(status=503, headers={"Retry-After": "1"})

        async def taken(text: str, size: int) -> web.Response:
            if size > UPDATE_BYTES_MAX:
                # Never an honest update: noted by its number alone, so that it doesn't come again and again.
                found = re.search(r'"update_id"\s*:\s*(\d{1,18})', text[:1000])
                log.warning("an update of absurd size", size=size)
                if found:
                    await take(found[1], {"update_id": int(found[1])}, text[:1000])
                return web.Response()
            try:
                update = json.loads(text)
                key = str(int(update["update_id"]))
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
                return web.Response(status=400)
            await take(key, update, text)
            return web.Response()

        return view


def _form(ready: Ready) -> aiohttp.FormData:
    form = aiohttp.FormData()
    for key, value in ready.params.items():
        plain = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        form.add_field(key, plain)
    for field, (name, content, mime) in ready.files.items():
        form.add_field(field, content, filename=name, content_type=mime)
    return form


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body, as far as it came: an answer that says ok is one, though its end may be missing."""
    parts = bytearray()
    try:
        async for chunk in response.content.iter_any():
            parts += chunk
    except (aiohttp.ClientError, TimeoutError, OSError):
        if not parts:
            raise
    return bytes(parts)


def _kept(result: Any) -> Any:
    """Of an answer, what later rows and rules may ask for: a whole message is not kept."""
    if isinstance(result, dict):
        return {key: result[key] for key in ("message_id", "message_thread_id", "id") if key in result}
    if isinstance(result, list):
        return [_kept(item) for item in result]
    return result


_FILE_FIELDS = ("document", "voice", "audio", "video", "animation", "sticker")


def _handles(ready: Ready, method: str, result: Any) -> list[tuple[str, str, str]]:
    """(content address, method, file id) of what was uploaded with this call."""
    if not ready.uploads or not isinstance(result, dict):
        return []
    sizes = result.get("photo")
    found = sizes[-1] if isinstance(sizes, list) and sizes else next(
        (result[field] for field in _FILE_FIELDS if isinstance(result.get(field), dict)), None
    )  # fmt: skip
    if found is None or len(ready.uploads) != 1:
        return []
    return [(next(iter(ready.uploads.values())), method, found["file_id"])]


def files_of(account: str, message: Message) -> list[File]:
    """The files that a Telegram message carries, to be fetched by the worker."""
    if message.photo:
        largest = message.photo[-1]
        return [
            File("photo", "image/jpeg", size=largest.file_size, width=largest.width, height=largest.height,
                 account=account, file_id=largest.file_id)
        ]  # fmt: skip
    if message.voice:
        return [
            File("voice", message.voice.mime_type or "audio/ogg", size=message.voice.file_size,
                 seconds=message.voice.duration, account=account, file_id=message.voice.file_id)
        ]  # fmt: skip
    for kind in ("audio", "video", "animation", "document", "video_note"):
        media = getattr(message, kind)
        if media is not None:
            return [
                File(
                    "video" if kind in {"animation", "video_note"} else kind,
                    getattr(media, "mime_type", None) or ("video/mp4" if kind != "document" else "application/octet-stream"),
                    name=getattr(media, "file_name", None) or "", size=media.file_size,
                    width=getattr(media, "width", None), height=getattr(media, "height", None),
                    seconds=int(media.duration) if getattr(media, "duration", None) is not None else None,
                    account=account, file_id=media.file_id,
                )
            ]  # fmt: skip
    if message.sticker:
        sticker = message.sticker
        mime = "video/webm" if sticker.is_video else "application/x-tgsticker" if sticker.is_animated else "image/webp"
        return [
            File("sticker", mime, name=sticker.emoji or "", size=sticker.file_size, width=sticker.width,
                 height=sticker.height, account=account, file_id=sticker.file_id)
        ]  # fmt: skip
    return []
