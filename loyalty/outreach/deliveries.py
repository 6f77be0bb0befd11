"""Deliveries: one row for each person that a campaign or a journey writes to, and what became of it.

    planned -> queued -> sent | failed | unknown          planned -> skipped          held_out (never written to)

A row is claimed, its message written into the outbox and its voucher issued in one transaction: it is unique on where it
comes from, step, occurrence and customer, so no crash, second replica or double click sends twice or leaves anybody out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Index, Text, UniqueConstraint, and_, delete, func, insert, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, BigId, UtcTime, insert_rows, raw, raw_many, table, to_micros
from store.clock import now
from store.outbox import Ended, Purpose
from store.signals import signal

TOPIC = "deliveries"
"""Signalled when rows are planned."""
RULE = "delivery"
"""Under this name the sender tells `ended` how a message's sending ended."""
PART = "delivery_part"
"""The same for what goes before its words: it is called back with them, and its end isn't the delivery's."""
CAMPAIGN, JOURNEY = "campaign", "journey"
HELD_OUT, PLANNED, QUEUED, SENT, FAILED, UNKNOWN, SKIPPED = (
    "held_out", "planned", "queued", "sent", "failed", "unknown", "skipped",
)  # fmt: skip
_ENDS = {"sent": SENT, "unknown": UNKNOWN}


class DeliveryRow(Base):
    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("source", "source_id", "step", "occurrence", "customer_id"),
        Index(
            "ix_deliveries_planned", "source", "source_id", "due_at", "id",
            sqlite_where=text("state = 'planned'"), postgresql_where=text("state = 'planned'"),
        ),
        Index(
            "ix_deliveries_queued", "source", "source_id",
            sqlite_where=text("state = 'queued'"), postgresql_where=text("state = 'queued'"),
        ),
        Index(
            "ix_deliveries_left", "customer_id", "left_at",
            sqlite_where=text("left_at IS NOT NULL"), postgresql_where=text("left_at IS NOT NULL"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source: Mapped[str] = mapped_column(Text)
    """campaign or journey."""
    source_id: Mapped[int]
    step: Mapped[int]
    occurrence: Mapped[str] = mapped_column(Text)
    """Which time it is, for what comes again: a birthday's year. Empty for a campaign."""
    customer_id: Mapped[int] = mapped_column(BigId, autoincrement=False)
    purpose: Mapped[int]
    variant: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    """Why skipped (manners.Reason) or failed (the messenger's words)."""
    due_at: Mapped[datetime] = mapped_column(UtcTime)
    account: Mapped[str | None] = mapped_column(Text)
    """The messenger account that it left by."""
    left_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """When its message was written into the outbox."""
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
    voucher_id: Mapped[int | None]
    calls: Mapped[int | None]
    """How many calls its message was written as: pictures may go before the words."""
    chat: Mapped[int | None]
    message: Mapped[int | None]
    """The number of its words in that chat."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row to be sent; see DeliveryRow."""

    id: int
    step: int
    occurrence: str
    customer_id: int
    variant: str
    voucher_id: int | None


deliveries = table(DeliveryRow)
_FIELDS = tuple(deliveries.c[name] for name in Delivery.__dataclass_fields__)


def plan(
    session: Session,
    campaign_id: int,
    purpose: Purpose,
    people: Sequence[tuple[int, str]],
    *,
    due_at: datetime,
    own: Mapping[int, datetime] | None = None,
) -> None:
    """Write a campaign's rows for people, (customer, variant) each; a variant `held_out` is never written to. `own`: whose
    time isn't `due_at`.
    """
    due, others = to_micros(due_at), {number: to_micros(at) for number, at in (own or {}).items()}
    insert_rows(
        session, "deliveries", "source, source_id, step, occurrence, customer_id, purpose, variant, state, due_at",
        [
            (
                CAMPAIGN, campaign_id, 0, "", customer_id, int(purpose), variant,
                HELD_OUT if variant == HELD_OUT else PLANNED, others.get(customer_id, due),
            )
            for customer_id, variant in people
        ],
    )  # fmt: skip
    signal(session, TOPIC)


def plan_step(
    session: Session,
    journey_id: int,
    step: int,
    occurrence: str,
    customer_id: int,
    purpose: Purpose,
    *,
    due_at: datetime,
    voucher_id: int | None = None,
    skipped: str | None = None,
) -> None:
    """Write the row of who came to a journey's message; `voucher_id`: what it tells of. `skipped`: why it isn't sent."""
    session.execute(
        insert(deliveries).values(
            source=JOURNEY, source_id=journey_id, step=step, occurrence=occurrence, customer_id=customer_id,
            purpose=int(purpose), variant="", state=SKIPPED if skipped else PLANNED, reason=skipped, due_at=due_at,
            ended_at=now(session) if skipped else None, voucher_id=voucher_id,
        )
    )  # fmt: skip
    signal(session, TOPIC)


def due(session: Session, source: str, source_id: int, purpose: Purpose, limit: int) -> list[Delivery]:
    """The next rows of a purpose whose time has come, the earliest first; nobody else has them until this work ends."""
    d = deliveries.c
    rows = session.execute(
        select(*_FIELDS)
        .where(
            d.source == source,
            d.source_id == source_id,
            d.purpose == int(purpose),
            d.state == PLANNED,
            d.due_at <= now(session),
        )
        .order_by(d.due_at, d.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [Delivery(*row) for row in rows]


def waiting(session: Session, source: str) -> list[tuple[int, Purpose]]:
    """Of which journeys (or campaigns), and for which purpose, rows are due."""
    d = deliveries.c
    rows = session.execute(
        select(d.source_id, d.purpose)
        .where(d.source == source, d.state == PLANNED, d.due_at <= now(session))
        .distinct()
        .order_by(d.source_id)
    )
    return [(row.source_id, Purpose(row.purpose)) for row in rows]


def queue(session: Session, sent_by: Sequence[tuple[int, str, int, int | None, int]]) -> None:
    """Their messages are in the outbox now: (delivery, account, chat, voucher, calls) each."""
    at = to_micros(now(session))
    raw_many(
        session,
        "UPDATE deliveries SET state = 'queued', account = ?, chat = ?, voucher_id = ?, calls = ?, left_at = ? WHERE id = ?",
        [(account, chat, voucher, calls, at, number) for number, account, chat, voucher, calls in sent_by],
    )


def attach(session: Session, delivery_id: int, voucher_id: int) -> None:
    """A voucher came to somebody by a message."""
    session.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(voucher_id=voucher_id))


def skip(session: Session, reasons: Mapping[int, str]) -> None:
    """These are not written to, each for its reason."""
    at = to_micros(now(session))
    raw_many(
        session,
        "UPDATE deliveries SET state = 'skipped', reason = ?, ended_at = ? WHERE id = ? AND state = 'planned'",
        [(reason, at, number) for number, reason in reasons.items()],
    )


def take_back(session: Session, source: str, source_id: int) -> int:
    """Call back what waits in the outbox and hasn't left: those rows are planned again. How many that were. Whom a picture
    has reached already gets the words that belong to it.
    """
    lock = "" if "sqlite" in session.info else " FOR UPDATE OF o"
    rows = raw(
        session,
        "SELECT o.id, d.id, d.calls FROM outbox o JOIN deliveries d ON d.id = o.subject WHERE o.state = 'queued' "  # noqa: S608
        f"AND o.rule IN (?, ?) AND d.source = ? AND d.source_id = ? AND d.state = 'queued'{lock}",
        (RULE, PART, source, source_id),
    )
    waiting: dict[int, list[int]] = {}
    for call, number, _ in rows:
        waiting.setdefault(number, []).append(call)
    whole = {number for _, number, calls in rows if len(waiting[number]) == calls}
    at = to_micros(now(session))
    raw_many(
        session,
        "UPDATE outbox SET state = 'dropped', done_at = ?, error = 'called back' WHERE id = ?",
        [(at, call) for number in whole for call in waiting[number]],
    )
    raw_many(
        session,
        "UPDATE deliveries SET state = 'planned', account = NULL, left_at = NULL WHERE id = ? AND state = 'queued'",
        [(number,) for number in whole],
    )
    return len(whole)


def retry(session: Session, source: str, source_id: int) -> int:
    """Plan again those with whom it failed for another reason than that they don't want to hear; how many that were."""
    rows = raw(
        session,
        "UPDATE deliveries SET state = 'planned', reason = NULL, account = NULL, left_at = NULL, ended_at = NULL, due_at = ? "
        "WHERE source = ? AND source_id = ? AND state = 'failed' AND coalesce(reason, '') <> 'blocked' RETURNING id",
        (to_micros(now(session)), source, source_id),
    )
    return len(rows)


def abandon(session: Session, source: str, source_id: int, reason: str, limit: int = 1_000) -> int:
    """Give up some rows that are still planned; how many that were."""
    rows = raw(
        session,
        "UPDATE deliveries SET state = 'skipped', reason = ?, ended_at = ? WHERE id IN (SELECT id FROM deliveries "
        "WHERE source = ? AND source_id = ? AND state = 'planned' ORDER BY due_at, id LIMIT ?) RETURNING id",
        (reason, to_micros(now(session)), source, source_id, limit),
    )
    return len(rows)


def ended(session: Session, how: Ended) -> None:
    """What became of a message; an end rule of the outbox."""
    state = _ENDS.get(how.state, FAILED)
    reason = None if state == SENT else ("blocked" if "unreachable" in (how.facts or {}) else how.error or how.state)
    d = deliveries.c
    session.execute(
        update(deliveries)
        .where(d.id == how.call.subject, d.state.in_((QUEUED, UNKNOWN)))
        .values(
            state=state, reason=reason, ended_at=now(session),
            message=how.result.get("message_id") if isinstance(how.result, dict) else None,
        )
    )  # fmt: skip


def of(source: str, source_id: int) -> ColumnElement[bool]:
    """The rows of one campaign or journey."""
    return and_(deliveries.c.source == source, deliveries.c.source_id == source_id)


def counts(session: Session, source: str, source_id: int) -> dict[tuple[str, str | None], int]:
    """How many rows stand how, with the reason of those skipped."""
    d = deliveries.c
    reason = func.coalesce(d.reason, "").label("reason")
    rows = session.execute(select(d.state, reason, func.count()).where(of(source, source_id)).group_by(d.state, reason))
    found: dict[tuple[str, str | None], int] = {}
    for state, why, count in rows:
        key = (state, why if state == SKIPPED else None)
        found[key] = found.get(key, 0) + count
    return found


def move(session: Session, source: str, from_id: int, to_id: int) -> None:
    """In a merge what was not yet written goes along, save what the other is or was written too."""
    d = deliveries.c
    mine = select(d.source_id, d.step, d.occurrence).where(d.source == source, d.customer_id == to_id).subquery()
    same = and_(mine.c.source_id == d.source_id, mine.c.step == d.step, mine.c.occurrence == d.occurrence)
    planned = (d.source == source, d.customer_id == from_id, d.state == PLANNED)
    both = select(d.id).join(mine, same).where(*planned)
    session.execute(delete(deliveries).where(d.id.in_(both)))
    session.execute(update(deliveries).where(*planned).values(customer_id=to_id))


def record(session: Session, numbers: Sequence[int]) -> list[dict[str, Any]]:
    """What a customer was sent, for their own copy; times as ISO 8601."""
    d = deliveries.c
    rows = session.execute(
        select(d.source, d.source_id, d.step, d.state, d.reason, d.left_at)
        .where(d.customer_id.in_(numbers))
        .order_by(d.id)
    )
    return [
        {
            "source": row.source, "number": row.source_id, "step": row.step, "state": row.state, "reason": row.reason,
            "at": row.left_at and row.left_at.isoformat(),
        }
        for row in rows
    ]  # fmt: skip
