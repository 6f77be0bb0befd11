"""The bot that handlers hold: nothing is sent. Each call becomes a row of the outbox in the handler's own transaction.

What a handler gets back is a placeholder: a message whose number is the row's, below 0. A later call that names it (edit,
delete, reply) is filled in by the sender, once the row has its real number.
"""

import json
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from aiogram import Bot
from aiogram.client.default import Default, DefaultBotProperties
from aiogram.client.session.base import BaseSession
from aiogram.methods import (
    CopyMessage,
    EditMessageCaption,
    EditMessageMedia,
    EditMessageReplyMarkup,
    EditMessageText,
    GetMe,
    SendMediaGroup,
    TelegramMethod,
)
from aiogram.types import Chat, InputFile, Message, MessageId, User
from pydantic import BaseModel

from handlers.chat.talk import Kept
from store import media
from store.base import EPOCH, to_micros
from store.engine import Store
from store.outbox import Call, Purpose

FLEETING = {"answerCallbackQuery", "sendChatAction", "answerInlineQuery"}
"""Worth nothing later: they expire after 10 s and keep no order."""
FLEETING_LIVES = timedelta(seconds=10)
_RETURN_MESSAGE = (EditMessageText, EditMessageCaption, EditMessageMedia, EditMessageReplyMarkup)


_PLAIN = frozenset({str, int, float, bool})
_CHAT = Chat.model_construct(id=0, type="private")
_MESSAGE = Message.model_construct(message_id=0, date=EPOCH, chat=_CHAT)
"""What a placeholder is copied from: a message of 90 fields is slow to make and quick to copy."""


class OutboxSession(BaseSession):
    """Collects the calls of one work. `bot.me()` answers from memory; other `get…` calls raise."""

    def __init__(self, store: Store, account: str, me: User, purpose: Purpose = Purpose.REPLY) -> None:
        self.account = account
        self.me = me
        self.purpose = purpose
        self.calls: list[Call] = []
        self.kept: list[tuple[bytes, str, int | None, int | None]] = []
        self._store = store

    async def __call__(self, bot: Bot, method: TelegramMethod[Any], timeout: int | None = None) -> Any:  # noqa: ASYNC109
        """A call of the bot's: no middleware stands between it and its row."""
        return await self.make_request(bot, method, timeout)

    async def make_request(self, bot: Bot, method: TelegramMethod[Any], timeout: int | None = None) -> Any:  # noqa: ARG002, ASYNC109
        name = method.__api_method__
        if isinstance(method, GetMe):
            return self.me
        if name.startswith("get"):
            raise RuntimeError(f"{name} inside a handler: what the messenger knows is fetched by the worker")
        payload = self._object(method, bot)
        chat = payload.get("chat_id")
        call = Call(
            id=self._store.ids.new(), account=self.account, chat=chat if isinstance(chat, int) else None, method=name,
            payload=json.dumps(payload, ensure_ascii=False), purpose=int(self.purpose),
        )  # fmt: skip
        if name in FLEETING:
            call.expires_at = to_micros(self._store.clock.now() + FLEETING_LIVES)
        self.calls.append(call)
        return self._placeholder(bot, method, call)

    def _placeholder(self, bot: Bot, method: TelegramMethod[Any], call: Call) -> Any:
        returning = method.__returning__
        if returning is Message or isinstance(method, _RETURN_MESSAGE):
            named = getattr(method, "message_id", None)
            return self._message(bot, call, named if named is not None else -call.id)
        if isinstance(method, SendMediaGroup):
            return [self._message(bot, call, -call.id)]
        if isinstance(method, CopyMessage):
            return MessageId(message_id=-call.id)
        return True

    def _message(self, bot: Bot, call: Call, number: int) -> Message:
        chat = _CHAT.model_copy(update={"id": call.chat or 0})
        made = _MESSAGE.model_copy(update={"message_id": number, "date": self._store.clock.now(), "chat": chat})
        return made.as_(bot)

    def _object(self, model: BaseModel, bot: Bot) -> dict[str, Any]:
        """A method's or a nested object's parameters, those that say something."""
        found = {}
        for key, value in model.__dict__.items():
            if value is None:
                continue
            plain = value if type(value) in _PLAIN else self._plain(value, bot)
            if plain is not None:
                found[key] = plain
        return found

    def _plain(self, value: Any, bot: Bot) -> Any:
        """A parameter as JSON holds it: sentinels resolved, models as objects, files by their content address."""
        if value is None or type(value) in _PLAIN:
            return value
        if isinstance(value, Default):
            return self._plain(bot.default[value.name], bot)
        if isinstance(value, Kept):
            self.kept.append((value.data, value.mime, value.width, value.height))
            return {"$media": media.address(value.data), "name": value.filename}
        if isinstance(value, InputFile):
            raise TypeError("send a Kept file: a row of the outbox holds no open file")
        if isinstance(value, Enum):
            return value.value
        if isinstance(value, BaseModel):
            return self._object(value, bot)
        if isinstance(value, dict):
            return {key: item for key, part in value.items() if (item := self._plain(part, bot)) is not None}
        if isinstance(value, (list, tuple)):
            return [self._plain(part, bot) for part in value]
        if isinstance(value, timedelta):
            return int((self._store.clock.now() + value).timestamp())
        if isinstance(value, datetime):
            return round(value.timestamp())
        raise TypeError(f"a {type(value).__name__} can't be a parameter")

    async def close(self) -> None:
        return

    def stream_content(
        self, url: str, headers: dict[str, Any] | None = None, timeout: int = 30,  # noqa: ARG002
        chunk_size: int = 65536, raise_for_status: bool = True,  # noqa: ARG002
    ) -> AsyncGenerator[bytes, None]:  # fmt: skip
        raise RuntimeError("files are fetched by the worker")


def outbox_bot(token: str, session: OutboxSession) -> Bot:
    """A bot over an outbox session; texts are HTML unless they say otherwise."""
    return Bot(token, session=session, default=DefaultBotProperties(parse_mode="HTML", link_preview_is_disabled=True))
