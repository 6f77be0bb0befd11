"""Conversations: where a person stands in a dialogue, keyed on all six fields of aiogram's `StorageKey`.

The state is loaded once for an update, changed in memory and written at the close of its work. The version makes two
replicas that handle one conversation at the same instant run as if one came after the other.
"""

import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Text
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, raw
from store.errors import MovedError


class ConversationRow(Base):
    __tablename__ = "conversations"

    bot_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    chat_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    thread_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    business: Mapped[str] = mapped_column(Text, primary_key=True)
    destiny: Mapped[str] = mapped_column(Text, primary_key=True)
    state: Mapped[str | None] = mapped_column(Text)
    data: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(BigInteger)


class ConversationKey(NamedTuple):
    """What aiogram's StorageKey holds; what it leaves None is 0 or empty here."""

    bot_id: int
    chat_id: int
    user_id: int
    thread_id: int = 0
    business: str = ""
    destiny: str = "default"


@dataclass(slots=True)
class Conversation:
    key: ConversationKey
    state: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
    version: int = 0
    """0: not yet in the store."""


_WHERE = "bot_id = ? AND chat_id = ? AND user_id = ? AND thread_id = ? AND business = ? AND destiny = ?"


_UPDATE = (
    f"UPDATE conversations SET state = ?, data = ?, version = version + 1 WHERE {_WHERE} AND version = ? "  # noqa: S608
    "RETURNING version"
)
_INSERT = (
    "INSERT INTO conversations (bot_id, chat_id, user_id, thread_id, business, destiny, state, data, version) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1) ON CONFLICT DO NOTHING RETURNING version"
)
COLUMNS = "v.state, v.data, v.version"
JOIN = (
    "LEFT JOIN conversations v ON v.bot_id = ? AND v.chat_id = ? AND v.user_id = ? AND v.thread_id = ? "
    "AND v.business = ? AND v.destiny = ?"
)
"""A conversation as a part of a larger look, its key for the marks."""


def of(key: ConversationKey, state: str | None, data: str | None, version: int | None) -> Conversation:
    """The conversation that a row's `COLUMNS` hold, or a new one where they are empty."""
    if version is None:
        return Conversation(key)
    return Conversation(key, state, json.loads(data) if data and data != "{}" else {}, version)


def load(session: Session, key: ConversationKey) -> Conversation:
    """The conversation as it stands, or a new one."""
    rows = raw(session, f"SELECT state, data, version FROM conversations WHERE {_WHERE}", key)  # noqa: S608
    return of(key, *rows[0]) if rows else Conversation(key)


def saving(conversation: Conversation) -> tuple[str, tuple[object, ...]]:
    """The statement that writes a conversation one version on, and its values: it returns the version, or no row where the
    conversation is no longer at the one it was loaded at.
    """
    data = json.dumps(conversation.data, ensure_ascii=False) if conversation.data else "{}"
    if conversation.version:
        return _UPDATE, (conversation.state, data, *conversation.key, conversation.version)
    return _INSERT, (*conversation.key, conversation.state, data)


def save(session: Session, conversation: Conversation) -> None:
    """Write the conversation one version on; raises MovedError when it is no longer at the version it was loaded at."""
    rows = raw(session, *saving(conversation))
    if not rows:
        raise MovedError("conversation")
    conversation.version = rows[0][0]
