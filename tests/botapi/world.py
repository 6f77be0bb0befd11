"""The world behind the Bot API: people, chats, messages, what the bot did, and who waits for what."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeVar

from . import schema
from .chats import Chat, member
from .errors import Json, Refusal, bad
from .faults import Fault, Faults
from .files import Files, Upload
from .limits import METHOD_LIMITS, hold
from .pace import Pace
from .updates import Updates
from .webhook import Webhook

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """A call that was carried out. `at` is seconds of the monotonic clock."""

    at: float
    method: str
    params: Json
    chat: int | None
    result: Any

    @property
    def text(self) -> str:
        """What the call says in words, "" when nothing."""
        return str(self.params.get("text", self.params.get("caption", "")))


@dataclass(frozen=True)
class Refused:
    """A call that was not carried out, and why."""

    at: float
    method: str
    params: Json
    code: int
    reason: str


@dataclass
class Tap:
    """A person's tap on a button."""

    id: str
    at: float
    #: What the bot answered: text, show_alert, url, cache_time.
    answer: Json | None = None
    #: Where a link button leads; such a tap is no update.
    url: str | None = None
    #: The message that a reply keyboard's button sent.
    sent: Json | None = None


@dataclass
class World:
    """Everything one bot's Bot API server knows."""

    token: str
    patience: float = 0.01
    username: str = "regulars_test_bot"
    chats: dict[int, Chat] = field(default_factory=dict)
    users: dict[int, Json] = field(default_factory=dict)
    files: Files = field(default_factory=Files)
    faults: Faults = field(default_factory=Faults)
    taps: dict[str, Tap] = field(default_factory=dict)
    #: What set… methods stored, by name and language or scope.
    settings: dict[tuple[str, ...], Any] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    declined: list[Refused] = field(default_factory=list)
    faulted: list[Refused] = field(default_factory=list)
    tick: int = 0
    last_id: int = 0
    #: Seconds that this world's clock is ahead.
    ahead: float = 0.0
    thread_ignored: bool = False
    on_call: Callable[[str, Json], None] | None = None
    #: How fast messages may come; None: as fast as they like.
    pace: Pace | None = None

    def __post_init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()
        self.numbers = count(1)
        self.updates = Updates(self.changed)
        self.webhook = Webhook(self.updates, self.perform_quietly, self.patience)
        self.bot: Json = {
            "id": int(self.token.partition(":")[0]),
            "is_bot": True,
            "first_name": "Regulars",
            "username": self.username,
        }

    def now(self) -> float:
        """Unix seconds here."""
        return time.time() + self.ahead

    def changed(self) -> None:
        """Something happened: whoever waits looks again."""
        self.tick += 1
        if self._waiters:
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_result(None)
            self._waiters.clear()

    async def until(self, find: Callable[[], T | None], timeout: float, what: str | Callable[[], str]) -> T:
        """What `find` finds, looked for at each change.

        Raises:
            TimeoutError: it did not come in `timeout` seconds; says `what` was missing.
        """
        try:
            async with asyncio.timeout(timeout):
                while (found := find()) is None:
                    waiter = asyncio.get_running_loop().create_future()
                    self._waiters.add(waiter)
                    try:
                        await waiter
                    finally:
                        self._waiters.discard(waiter)
                return found
        except TimeoutError:
            raise TimeoutError(what if isinstance(what, str) else what()) from None

    def chat(self, chat_id: int | str) -> Chat:
        """A chat the bot can name.

        Raises:
            Refusal: there is none.
        """
        if isinstance(chat_id, str):
            for chat in self.chats.values():
                if f"@{chat.about.get('username')}" == chat_id and not chat.private:
                    return chat
        elif (found := self.chats.get(chat_id)) is not None:
            return found
        raise bad("chat not found")

    def post(self, chat: Chat, message: Json, sender: Json | None) -> Json:
        """Put a message into a chat. Private chats and basic groups share one count of ids, as with Telegram."""
        if chat.type in ("private", "group"):
            self.last_id += 1
            message_id = self.last_id
        else:
            chat.last_id += 1
            message_id = chat.last_id
        head: Json = {"message_id": message_id, "date": int(self.now()), "chat": chat.describe()}
        if sender is not None:
            head["from"] = sender
        message = head | message
        chat.messages[message_id] = message
        if sender is self.bot:
            chat.sent.append(message)
        self.touch(chat, message)
        return message

    def touch(self, chat: Chat, message: Json) -> None:
        """Note that a message is new or changed."""
        self.changed()
        chat.touched[message["message_id"]] = self.tick

    def tell(self, kind: str, content: Json, queue: tuple[str, int]) -> int | None:
        """Send the bot an update; its id, or None if it does not want the kind."""
        return self.updates.add(kind, content, queue)

    def join(self, chat: Chat, user: Json, status: str = "member") -> None:
        """Make somebody a member."""
        chat.members[user["id"]] = member(user, status)

    def _chat_of(self, params: Mapping[str, Any]) -> int | None:
        value = params.get("chat_id")
        try:
            return int(value) if value is not None else None
        except (TypeError, ValueError):
            return None

    async def perform(self, name: str, params: Json, uploads: dict[str, Upload]) -> tuple[object, Fault | None]:
        """Carry out a call. The fault that came with it, if any, is the caller's to finish (cut, hang, 502 …).

        Raises:
            Refusal: it was not carried out; noted already.
        """
        from .methods import HANDLERS, unmodelled  # the handlers themselves import the world

        at, chat = time.monotonic(), self._chat_of(params)
        fault = self.faults.strike(name, chat, body_read=True)
        if fault is not None:
            refusal = fault.refusal()
            if refusal is not None or fault.kind in ("502", "closed"):
                reason = refusal.description if refusal else fault.kind
                self.faulted.append(Refused(at, name, params, refusal.code if refusal else 0, reason))
                self.changed()
                if refusal is not None:
                    raise refusal
                return None, fault
        try:
            method = schema.find(name)
            if method is None:
                raise Refusal(404, "method not found")  # noqa: TRY301  noted below like every other
            checked = method.check(params)
            for field_name, limit in METHOD_LIMITS.get(method.name, {}).items():
                if field_name in checked and (
                    field_name not in ("text", "caption") or "parse_mode" not in method.fields
                ):
                    hold(field_name, checked[field_name], limit)
            if self.pace is not None and method.name.startswith("send"):
                self.pace.take(checked)
            if method.name == "getUpdates":
                return await self.updates.poll(checked), fault
            if method.name == "setWebhook":
                await self.webhook.set(checked)
                result: object = True
            elif method.name == "deleteWebhook":
                await self.webhook.set(checked | {"url": ""})
                result = True
            else:
                handler = HANDLERS.get(method.name)
                self.thread_ignored = fault is not None and fault.kind == "thread_ignored"
                result = handler(self, checked, uploads) if handler else unmodelled(self, method, checked)
        except Refusal as refusal:
            record = Refused(at, name, params, refusal.code, refusal.description)
            (self.declined if refusal.fated or refusal.code == 409 else self.refused).append(record)
            self.changed()
            raise
        self.calls.append(Call(at, method.name, checked, chat, result))
        if self.on_call is not None:
            self.on_call(method.name, checked)
        self.changed()
        return result, fault

    async def perform_quietly(self, name: str, params: Json, uploads: dict[str, Upload]) -> None:
        """A call in a webhook's answer: nobody hears how it went, but it is noted."""
        try:
            await self.perform(name, params, uploads)
        except Refusal:
            return
