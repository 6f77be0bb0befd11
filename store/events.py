"""Events: what happened, append-only. They feed the customer's timeline, journeys and outgoing webhooks.

Who follows them goes by `seq`, never by `id`: PostgreSQL commits ids out of order, and who remembers the highest one seen
misses what a slower work commits below it. `seq` is given to events that are already committed, by one work at a time,
under a row lock held to its commit: whoever sees a number sees every smaller one, and none comes later (decision 0010).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, Text, insert, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, BigId, UtcTime, insert_rows, raw, raw_many, table, to_micros
from store.clock import now
from store.prepared import Prepared
from store.signals import signal

NUMBERED = "numbered"
"""The cursor that holds the last `seq` given."""
BATCH = 200
TOPIC = "events"


class Event(Base):
    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_customer", "customer_id", "id"),
        Index("ix_events_seq", "seq", unique=True),
        Index(
            "ix_events_unnumbered", "id", sqlite_where=text("seq IS NULL"), postgresql_where=text("seq IS NULL")
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime)
    kind: Mapped[str] = mapped_column(Text)
    customer_id: Mapped[int | None]
    shop_id: Mapped[int | None]
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    seq: Mapped[int | None]
    """Its place among all events, in the order in which followers see them; given a moment after the commit."""


class EventCursor(Base):
    """How far a follower has come."""

    __tablename__ = "event_cursors"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    seq: Mapped[int]


@dataclass(frozen=True, slots=True)
class Happened:
    """An event as followers see it."""

    id: int
    at: datetime
    kind: str
    customer_id: int | None
    shop_id: int | None
    data: dict[str, Any]
    seq: int


events, cursors = table(Event), table(EventCursor)
_ADD = Prepared(insert(events))


def happened(
    session: Session, kind: str, *, customer_id: int | None = None, shop_id: int | None = None, **data: Any
) -> None:
    """Write down that something happened now."""
    _ADD(session, at=now(session), kind=kind, customer_id=customer_id, shop_id=shop_id, data=data)
    signal(session, TOPIC)


def happened_many(
    session: Session, happenings: Sequence[tuple[str, int, dict[str, Any]]], *, shop_id: int | None = None
) -> None:
    """Write down what happened to customers now: kind, customer and data each."""
    if not happenings:
        return
    at = to_micros(now(session))
    insert_rows(
        session, "events", "at, kind, customer_id, shop_id, data",
        [(at, kind, customer_id, shop_id, json.dumps(data)) for kind, customer_id, data in happenings],
    )  # fmt: skip
    signal(session, TOPIC)


def any_new(session: Session, name: str) -> bool:
    """Whether there is something that the follower `name` hasn't seen: a look that costs nothing."""
    return bool(
        raw(session, "SELECT 1 FROM events WHERE seq IS NULL LIMIT 1")
        or raw(
            session,
            "SELECT 1 FROM event_cursors n LEFT JOIN event_cursors f ON f.name = ? "
            "WHERE n.name = ? AND n.seq > coalesce(f.seq, 0)",
            (name, NUMBERED),
        )
    )


def number(session: Session, limit: int = BATCH) -> int:
    """Give committed events their place; how many there were. One work at a time, the others wait here."""
    last = _held(session, NUMBERED)
    rows = raw(session, "SELECT id FROM events WHERE seq IS NULL ORDER BY id LIMIT ?", (limit,))
    if rows:
        places = [(last + place, row[0]) for place, row in enumerate(rows, start=1)]
        raw_many(session, "UPDATE events SET seq = ? WHERE id = ?", places)
        _move(session, NUMBERED, places[-1][0])
    return len(rows)


def follow(session: Session, name: str, limit: int = BATCH) -> Sequence[Happened]:
    """The next events for the follower `name`, whose cursor moves on with this work's commit: each is seen once by what
    the work writes. A new follower begins with the first event there is.
    """
    position = _held(session, name)
    found = session.execute(
        select(events.c.id, events.c.at, events.c.kind, events.c.customer_id, events.c.shop_id, events.c.data, events.c.seq)
        .where(events.c.seq > position)
        .order_by(events.c.seq)
        .limit(limit)
    ).all()  # fmt: skip
    if found:
        _move(session, name, found[-1].seq)
    return [Happened(*row) for row in found]


def _held(session: Session, name: str) -> int:
    """Where a cursor stands, its row locked to the end of this work."""
    raw(session, "INSERT INTO event_cursors (name, seq) VALUES (?, 0) ON CONFLICT (name) DO NOTHING", (name,))
    return int(session.execute(select(cursors.c.seq).where(cursors.c.name == name).with_for_update()).scalar_one())


def _move(session: Session, name: str, seq: int) -> None:
    session.execute(update(cursors).where(cursors.c.name == name).values(seq=seq))
