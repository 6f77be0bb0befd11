"""The inbox: one row for each update that came in, so that a redelivered one is known and a failed one is kept.

The key is the messenger's own: Telegram's `update_id`, the web client's uuid, Zalo's `msg_id`. Rows live 3 days, for
Telegram picks its ids at random after a quiet week.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Index, Text, delete
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, UtcTime, from_micros, raw, to_micros
from store.clock import now
from store.errors import NotFoundError

KEPT = timedelta(days=3)
BODY_CHARS_MAX = 200_000


class InboxRow(Base):
    __tablename__ = "inbox"
    __table_args__ = (Index("ix_inbox_state_at", "state", "at"),)

    account: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    chat: Mapped[int | None] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(UtcTime)
    state: Mapped[str] = mapped_column(Text)
    """`done`, or `dead`: its handler raised, nothing of it stands but this row."""
    body: Mapped[str] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An update whose handler failed, with the raw body and the error, to be looked at and replayed."""

    account: str
    key: str
    chat: int | None
    at: datetime
    body: str
    error: str
    attempts: int


def state_of(session: Session, account: str, key: str) -> str | None:
    """`done`, `dead` or None where this update never came."""
    rows = raw(session, "SELECT state FROM inbox WHERE account = ? AND key = ?", (account, key))
    return rows[0][0] if rows else None


RECORD_DONE = (
    "INSERT INTO inbox (account, key, chat, at, state, body, attempts) VALUES (?, ?, ?, ?, 'done', ?, 1) "
    "ON CONFLICT (account, key) DO NOTHING RETURNING key"
)


def done_row(session: Session, account: str, key: str, chat: int | None, body: str) -> tuple[object, ...]:
    """What `RECORD_DONE` writes of an update that was handled."""
    return account, key, chat, to_micros(now(session)), body[:BODY_CHARS_MAX]


def record_done(session: Session, account: str, key: str, chat: int | None, body: str) -> bool:
    """Record an update as handled; False when another replica has done so, or had it die, in the meantime."""
    return bool(raw(session, RECORD_DONE, done_row(session, account, key, chat, body)))


def record_replayed(session: Session, account: str, key: str) -> bool:
    """Turn a dead letter into a handled update; False when somebody else has just replayed it."""
    rows = raw(
        session,
        "UPDATE inbox SET state = 'done', attempts = attempts + 1 WHERE account = ? AND key = ? AND state = 'dead' "
        "RETURNING key",
        (account, key),
    )
    return bool(rows)


def record_dead(session: Session, account: str, key: str, chat: int | None, body: str, error: str) -> bool:
    """Keep a failed update as a dead letter. True the first time, when the person is still to be told."""
    rows = raw(
        session,
        "INSERT INTO inbox (account, key, chat, at, state, body, error, attempts) VALUES (?, ?, ?, ?, 'dead', ?, ?, 1) "
        "ON CONFLICT (account, key) DO UPDATE SET error = excluded.error, attempts = inbox.attempts + 1 "
        "WHERE inbox.state = 'dead' RETURNING attempts",
        (account, key, chat, to_micros(now(session)), body, error),
    )
    return bool(rows) and rows[0][0] == 1


_LETTER = "SELECT account, key, chat, at, body, error, attempts FROM inbox WHERE state = 'dead' "


def dead_letters(session: Session, limit: int = 200) -> list[DeadLetter]:
    """The dead letters, newest first."""
    return [_letter(row) for row in raw(session, _LETTER + "ORDER BY at DESC LIMIT ?", (limit,))]


def dead_letter(session: Session, account: str, key: str) -> DeadLetter:
    """One dead letter; raises NotFoundError where there is none under this key (or it was replayed)."""
    rows = raw(session, _LETTER + "AND account = ? AND key = ?", (account, key))
    if not rows:
        raise NotFoundError("dead letter", f"{account} {key}")
    return _letter(rows[0])


def _letter(row: tuple[str, str, int | None, int, str, str | None, int]) -> DeadLetter:
    account, key, chat, at, body, error, attempts = row
    return DeadLetter(account, key, chat, from_micros(at), body, error or "", attempts)


def prune(session: Session) -> None:
    """Drop handled updates older than 3 days; dead letters stay until they are replayed."""
    session.execute(delete(InboxRow).where(InboxRow.state == "done", InboxRow.at < now(session) - KEPT))
