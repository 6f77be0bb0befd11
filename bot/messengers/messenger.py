"""What a messenger is to the sender and to the handlers. Each stands in one file of this folder."""

import json
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiogram.client.session.base import BaseSession
from aiogram.types import User

from handlers.chat.talk import Can
from store.outbox import Call, Ended

REPEATABLE = frozenset(
    {
        "editMessageText", "editMessageCaption", "editMessageReplyMarkup", "editMessageMedia", "deleteMessage",
        "deleteMessages", "setMessageReaction", "answerCallbackQuery", "sendChatAction", "pinChatMessage",
        "unpinChatMessage", "setMyCommands", "editForumTopic", "closeForumTopic", "reopenForumTopic", "deleteForumTopic",
    }
)  # fmt: skip
"""Calls whose repetition does no harm: where it is unknown whether one arrived, it is sent again."""

PAID = "allow_paid_broadcast"
"""The parameter by which a message may leave faster than is free (`Messenger.paid_rate`)."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A row with everything filled in that only the moment of sending knows."""

    call: Call
    filled: dict[str, Any] | None = None
    """The parameters, where the row's payload was not ready as it stood."""
    files: Mapping[str, tuple[str, bytes, str]] = field(default_factory=dict)
    """Field of the parameters (as `attach://…` names it) to name, bytes and MIME type."""
    uploads: Mapping[str, str] = field(default_factory=dict)
    """The same fields to content addresses, to remember the messenger's file id by."""
    makes: int | None = None
    """The ticket whose topic has to be made before the row can leave: this call does that, in its place."""
    topic: tuple[int, int] | None = None
    """The ticket that the row names, and the thread that was filled in for it."""

    @property
    def method(self) -> str:
        """What is called."""
        return self.call.method if self.makes is None else "createForumTopic"

    @property
    def params(self) -> dict[str, Any]:
        """The call's parameters."""
        return json.loads(self.call.payload) if self.filled is None else self.filled

    @property
    def body(self) -> bytes:
        """The parameters as JSON."""
        text = self.call.payload if self.filled is None else json.dumps(self.filled, ensure_ascii=False)
        return text.encode()


class Messenger(BaseSession):
    """An aiogram session for one account of ours: typed calls for who holds a Bot, `post` for the outbox's rows."""

    account: str
    token: str
    """`<bot id>:…`, what aiogram's Bot wants; the id is the conversations' bot_id."""
    name: str
    """For people: Telegram, Web."""
    can: Can
    repeatable: frozenset[str] = REPEATABLE
    rate: int = 30
    """Messages a second that are no replies."""
    paid_rate: int | None = None
    """The same of those that are paid for; None: there is no such thing."""
    chat_gap: float = 1.0
    """Seconds between two messages to one chat that are no replies."""
    albums: bool = False
    """Whether it shows several pictures as one message."""
    group_rate: int | None = None
    """Calls a minute to one group, whatever they are; None: as many as one likes."""

    @property
    def bot_id(self) -> int:
        """The number before the token's colon."""
        return int(self.token.split(":")[0])

    @abstractmethod
    def me(self) -> User:
        """Our own account."""

    @abstractmethod
    def link(self, payload: str) -> str:
        """The link that opens a chat with a start payload."""

    @abstractmethod
    async def post(self, ready: Ready) -> Ended:
        """Make one call; never raises, save when it is cancelled."""

    @abstractmethod
    def takes_media(self) -> bool:
        """Whether bytes have to be handed over (or the store's own address is enough)."""
