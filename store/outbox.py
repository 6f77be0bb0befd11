"""The outbox: one row for each call to a messenger, written in the transaction that caused it, ended by the sender.

    queued -> sending -> sent | failed | unknown        (and queued -> expired | dropped, which never left)

A row becomes `sending`, committed, when it leaves, not when it is claimed. `unknown` says that nobody can know whether
the messenger took it; it is never blindly sent again.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

import structlog
from sqlalchemy import BigInteger, Index, Text, delete, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, UtcTime, from_micros, one_of, raw, raw_many, to_micros
from store.clock import now
from store.signals import signal

log = structlog.get_logger()

KEPT = timedelta(days=30)
"""How long an ended row is kept."""


class Purpose(IntEnum):
    """Why something is sent, which decides what may hold it back. A smaller one overtakes a larger one."""

    REPLY = 0
    SERVICE = 1
    CARE = 2
    ADVERTISING = 3


class OutboxRow(Base):
    __tablename__ = "outbox"
    __table_args__ = (
        Index(
            "ix_outbox_queued", "account", "purpose", "id",
            sqlite_where=text("state = 'queued'"), postgresql_where=text("state = 'queued'"),
        ),
        Index(
            "ix_outbox_sending", "account", "epoch",
            sqlite_where=text("state = 'sending'"), postgresql_where=text("state = 'sending'"),
        ),
        Index("ix_outbox_done", "account", "done_at"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    account: Mapped[str] = mapped_column(Text)
    chat: Mapped[int | None] = mapped_column(BigInteger)
    method: Mapped[str] = mapped_column(Text)
    payload: Mapped[str] = mapped_column(Text)
    """The call's parameters as JSON, ready to post but for media and placeholders."""
    purpose: Mapped[int]
    state: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    not_before: Mapped[datetime] = mapped_column(UtcTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcTime)
    attempts: Mapped[int]
    epoch: Mapped[int | None]
    """The lease epoch under which it left."""
    done_at: Mapped[datetime | None] = mapped_column(UtcTime)
    error: Mapped[str | None] = mapped_column(Text)
    result: Mapped[str | None] = mapped_column(Text)
    """What the messenger answered, as JSON."""
    rule: Mapped[str | None] = mapped_column(Text)
    """Name of the rule that learns how the row ended, in the same transaction."""
    subject: Mapped[int | None] = mapped_column(BigInteger)
    """What that rule is about (a ticket message's number, say)."""


@dataclass(slots=True)
class Call:
    """A row of the outbox on its way out. Times in microseconds since 1970 UTC."""

    id: int
    account: str
    chat: int | None
    method: str
    payload: str
    purpose: int = Purpose.REPLY
    not_before: int = 0
    expires_at: int | None = None
    attempts: int = 0
    rule: str | None = None
    subject: int | None = None
    created_at: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call ended: `sent`, `failed`, `unknown`, `expired`, `dropped`, or `queued` again from `not_before` on."""

    call: Call
    state: str
    error: str | None = None
    result: Any = None
    not_before: int = 0
    facts: Mapping[str, Any] | None = None
    """What the messenger's refusal told beside: `unreachable`, `migrate_to`, `thread_gone`."""


EndRule = Callable[[Session, Ended], None]

_COLUMNS = "id, account, chat, method, payload, purpose, not_before, expires_at, attempts, rule, subject, created_at"


_ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued')"


def put(session: Session, calls: Sequence[Call]) -> None:
    """Queue calls; they leave after the commit."""
    raw_many(session, f"INSERT INTO outbox ({_COLUMNS}, state) VALUES {_ROW}", _values(session, calls))  # noqa: S608


def putting(session: Session, calls: Sequence[Call]) -> tuple[str, tuple[object, ...]]:
    """The one statement that queues some calls, as a part of a larger one, and its values."""
    marks = ", ".join([_ROW] * len(calls))
    values = tuple(value for row in _values(session, calls) for value in row)
    return f"INSERT INTO outbox ({_COLUMNS}, state) VALUES {marks}", values  # noqa: S608


def _values(session: Session, calls: Sequence[Call]) -> list[tuple[object, ...]]:
    at = to_micros(now(session))
    for call in calls:
        call.created_at = at
    for account in {call.account for call in calls}:
        signal(session, f"outbox:{account}")
    return [
        (
            call.id, call.account, call.chat, call.method, call.payload, int(call.purpose), call.not_before,
            call.expires_at, call.attempts, call.rule, call.subject, at,
        )
        for call in calls
    ]  # fmt: skip


def withdraw(session: Session, rule: str, subject: int) -> bool:
    """Drop what has not left yet of a rule's subject; False where some of it is leaving at this moment."""
    raw(
        session,
        "UPDATE outbox SET state = 'dropped', done_at = ? WHERE state = 'queued' AND rule = ? AND subject = ?",
        (to_micros(now(session)), rule, subject),
    )
    leaving = "SELECT 1 FROM outbox WHERE state = 'sending' AND rule = ? AND subject = ? LIMIT 1"
    return not raw(session, leaving, (rule, subject))


def again(session: Session, ids: Sequence[int]) -> list[int]:
    """Queue rows once more that failed, or of which nobody knows the end, as if they were new; those that were."""
    if not ids:
        return []
    marks = ", ".join("?" * len(ids))
    rows = raw(
        session,
        "UPDATE outbox SET state = 'queued', not_before = 0, created_at = ?, done_at = NULL, error = NULL "  # noqa: S608
        f"WHERE id IN ({marks}) AND state IN ('failed', 'unknown', 'expired', 'dropped') RETURNING id, account",
        (to_micros(now(session)), *ids),
    )
    for account in {row[1] for row in rows}:
        signal(session, f"outbox:{account}")
    return [row[0] for row in rows]


def queued(session: Session, account: str, limit: int, purpose_max: int = Purpose.ADVERTISING) -> list[Call]:
    """What waits to leave for an account now, replies first, oldest first."""
    rows = raw(
        session,
        f"SELECT {_COLUMNS} FROM outbox WHERE state = 'queued' AND account = ? AND purpose <= ? "  # noqa: S608
        "ORDER BY purpose, id LIMIT ?",
        (account, purpose_max, limit),
    )
    return [Call(*row) for row in rows]


def waiting(session: Session, purpose: Purpose) -> int:
    """How many rows of a purpose, or a less urgent one, wait to leave by any account."""
    rows = raw(session, "SELECT count(*) FROM outbox WHERE state = 'queued' AND purpose >= ?", (int(purpose),))
    return int(rows[0][0])


def leave(session: Session, lease: str, owner: str, epoch: int, calls: Sequence[Call]) -> set[int]:
    """Mark calls as leaving now; the ids of those that may. None may when the lease is no longer this owner's."""
    among, ids = one_of(session, [call.id for call in calls])
    rows = raw(
        session,
        f"UPDATE outbox SET state = 'sending', epoch = ?, attempts = attempts + 1 "  # noqa: S608
        f"WHERE state = 'queued' AND id {among} AND EXISTS "
        f"(SELECT 1 FROM leases WHERE name = ? AND owner = ? AND epoch = ? AND until > ?{_share(session)}) RETURNING id",
        (epoch, *ids, lease, owner, epoch, to_micros(now(session))),
    )
    return {row[0] for row in rows}


def take_back(session: Session, epoch: int, ids: Sequence[int]) -> None:
    """Queue rows again that were marked as leaving in a commit of which nobody heard, and did not leave."""
    raw_many(
        session,
        "UPDATE outbox SET state = 'queued', attempts = attempts - 1 WHERE id = ? AND state = 'sending' AND epoch = ?",
        [(number, epoch) for number in ids],
    )


def end(session: Session, epoch: int, ended: Sequence[Ended], rules: Mapping[str, EndRule]) -> None:
    """Write how calls ended, each with the rule it names. A row that somebody else took over by now keeps their word,
    save that `unknown` gives way to what its own sender learnt.
    """
    at = to_micros(now(session))
    raw_many(
        session,
        "UPDATE outbox SET state = ?, done_at = ?, error = ?, result = ?, not_before = ? "
        "WHERE id = ? AND (state IN ('sending', 'unknown') AND epoch = ? OR state = 'queued')",
        [
            (
                item.state,
                None if item.state == "queued" else at,
                item.error,
                None if item.result is None else json.dumps(item.result, ensure_ascii=False),
                item.not_before,
                item.call.id,
                epoch,
            )
            for item in ended
        ],
    )
    for item in ended:
        if item.facts:
            _hear(session, rules, "*", item)
        if item.call.rule is not None and item.state != "queued":
            _hear(session, rules, item.call.rule, item)


def adopt(session: Session, account: str, epoch: int, again: frozenset[str], rules: Mapping[str, EndRule]) -> int:
    """A new owner finds what the last one left in flight: a call that may safely be repeated (`again`: methods) is
    queued once more, any other is `unknown`. Gives the number of the latter. The last owner may live, and write at this
    very moment how its calls ended: that is waited for, and stands.
    """
    lock = "" if "sqlite" in session.info else " FOR UPDATE"
    rows = raw(
        session,
        f"SELECT {_COLUMNS} FROM outbox WHERE state = 'sending' AND account = ? AND epoch < ? ORDER BY id{lock}",  # noqa: S608
        (account, epoch),
    )
    lost = [Call(*row) for row in rows]
    at = to_micros(now(session))
    unknown = [call for call in lost if call.method not in again]
    raw_many(
        session,
        "UPDATE outbox SET state = 'queued' WHERE id = ?",
        [(call.id,) for call in lost if call.method in again],
    )
    raw_many(
        session,
        "UPDATE outbox SET state = 'unknown', done_at = ?, error = 'the sender stopped while it was in flight' "
        "WHERE id = ?",
        [(at, call.id) for call in unknown],
    )
    for call in unknown:
        if call.rule is not None:
            _hear(session, rules, call.rule, Ended(call, "unknown", "the sender stopped while it was in flight"))
    return len(unknown)


def _hear(session: Session, rules: Mapping[str, EndRule], name: str, ended: Ended) -> None:
    """Tell a rule how a row ended. One that fails is noted and leaves nothing: the row's end stands all the same, and no
    sender stops for it. A race or a database that is gone is no failure of the rule's: it is raised.
    """
    rule = rules.get(name)
    if rule is None:
        return
    try:
        with session.begin_nested():
            rule(session, ended)
    except DBAPIError as error:
        if not isinstance(error, (IntegrityError, DataError)):
            raise
        log.exception("a rule failed on how a call ended", rule=name, call=ended.call.id, state=ended.state)
    except Exception:
        log.exception("a rule failed on how a call ended", rule=name, call=ended.call.id, state=ended.state)


def left_since(session: Session, account: str, since: datetime) -> list[tuple[int | None, datetime]]:
    """Chat and time of what left in the last moments, so that a new owner keeps the messenger's rate."""
    rows = raw(
        session,
        "SELECT chat, done_at FROM outbox WHERE account = ? AND done_at > ? AND state <> 'expired'",
        (account, to_micros(since)),
    )
    return [(chat, from_micros(at)) for chat, at in rows]


def result_of(session: Session, call_id: int) -> tuple[str, Any] | None:
    """State and answer of an earlier row, for a later one that names it; None when there is no such row."""
    rows = raw(session, "SELECT state, result FROM outbox WHERE id = ?", (call_id,))
    if not rows:
        return None
    state, result = rows[0]
    return state, None if result is None else json.loads(result)


def prune(session: Session) -> None:
    """Drop rows that ended more than 30 days ago."""
    session.execute(delete(OutboxRow).where(OutboxRow.done_at < now(session) - KEPT))


def _share(session: Session) -> str:
    """Between replicas the lease row is held still until the rows have left."""
    return "" if "sqlite" in session.info else " FOR SHARE"
