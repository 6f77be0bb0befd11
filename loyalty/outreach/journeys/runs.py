"""Runs: where each customer stands in a journey. One row for each journey, occurrence and customer, so nobody begins twice.

What is due is a row with a time. They are begun in `beginnings`, taken on in `progress` and looked at in `standings`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, Text, UniqueConstraint, and_, delete, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.outreach import deliveries
from loyalty.outreach.journeys import entries, journeys, tasks
from loyalty.outreach.journeys.journeys import Journey
from loyalty.outreach.segments import segments
from store import shops
from store.base import Base, BigId, UtcTime, insert_rows, table, to_micros
from store.clock import now

ACTIVE, DONE, LEFT = "active", "done", "left"


class RunRow(Base):
    __tablename__ = "journey_runs"
    __table_args__ = (
        UniqueConstraint("journey_id", "occurrence", "customer_id"),
        Index(
            "ix_journey_runs_due", "due_at", "id",
            sqlite_where=text("state = 'active'"), postgresql_where=text("state = 'active'"),
        ),
        Index("ix_journey_runs_customer", "customer_id"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    journey_id: Mapped[int]
    occurrence: Mapped[str] = mapped_column(Text)
    customer_id: Mapped[int] = mapped_column(BigId, autoincrement=False)
    step: Mapped[int | None]
    """The number of the step that is next."""
    due_at: Mapped[datetime] = mapped_column(UtcTime)
    state: Mapped[str] = mapped_column(Text)
    """active, done (came to the end), left (by an exit, or because the person or the step is gone)."""
    begun_at: Mapped[datetime] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
    missed: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON(none_as_null=True))
    """Steps that couldn't be done, in their order: {step, what (its kind), reason}."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run that is due; see RunRow."""

    id: int
    journey_id: int
    occurrence: str
    customer_id: int
    step: int | None
    due_at: datetime
    missed: list[dict[str, Any]] | None


runs = table(RunRow)


def begin(session: Session, journey: Journey, people: Sequence[tuple[int, str, datetime]]) -> None:
    """Begin a journey for people, (customer, occurrence, moment) each, where its criteria fit them; who began it for an
    occurrence before is left alone.
    """
    if not people or not journey.steps:
        return
    zone = shops.get(session, journey.shop_id).timezone
    fits = segments.holds(session, journey.criteria, zone, sorted({who for who, *_ in people}))
    first = journey.steps[0]["id"]
    insert_rows(
        session, "journey_runs", "journey_id, occurrence, customer_id, step, due_at, state, begun_at",
        [
            (journey.id, occurrence, who, first, to_micros(at), ACTIVE, to_micros(at))
            for who, occurrence, at in people if who in fits
        ],
        once=True,
    )  # fmt: skip


def miss(session: Session, run: Run, missed: list[dict[str, Any]]) -> None:
    """Note what couldn't be done for somebody so far."""
    session.execute(update(runs).where(runs.c.id == run.id).values(missed=missed))


def end(session: Session, run: Run, state: str) -> None:
    """A run is through (`DONE`), or came out of it early (`LEFT`)."""
    session.execute(update(runs).where(runs.c.id == run.id).values(state=state, step=None, ended_at=now(session)))


# ── When two customers become one, and when one is forgotten ────────────────────────────────────────


def move(session: Session, from_id: int, to_id: int) -> None:
    """In a merge runs go along; of two for the same occurrence, the one of who stays goes on."""
    r = runs.c
    mine = select(r.journey_id, r.occurrence).where(r.customer_id == to_id).subquery()
    both = session.execute(
        select(r.id)
        .join(mine, and_(mine.c.journey_id == r.journey_id, mine.c.occurrence == r.occurrence))
        .where(r.customer_id == from_id)
    ).scalars().all()  # fmt: skip
    session.execute(delete(runs).where(r.id.in_(both)))
    session.execute(update(runs).where(r.customer_id == from_id).values(customer_id=to_id))
    deliveries.move(session, deliveries.JOURNEY, from_id, to_id)
    entries.move(session, from_id, to_id)
    tasks.move(session, from_id, to_id)


def forget(session: Session, numbers: Sequence[int]) -> None:
    """Take customers out of every journey."""
    session.execute(delete(runs).where(runs.c.customer_id.in_(numbers)))
    entries.forget(session, numbers)
    tasks.forget(session, numbers)


def record(session: Session, numbers: Sequence[int]) -> list[dict[str, Any]]:
    """The journeys of a customer, for their own copy; times as ISO 8601."""
    r, j = runs.c, journeys.journeys.c
    rows = session.execute(
        select(j.name, r.state, r.begun_at, r.ended_at)
        .join(journeys.journeys, j.id == r.journey_id)
        .where(r.customer_id.in_(numbers))
        .order_by(r.id)
    )
    return [
        {
            "journey": row.name, "state": row.state, "begun_at": row.begun_at.isoformat(),
            "ended_at": row.ended_at and row.ended_at.isoformat(),
        }
        for row in rows
    ]  # fmt: skip
