"""Escalations: what became late goes up the shop's ladder, level by level, until somebody says it is theirs or it is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint, insert, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import NotFoundError
from store.staff import Member, StaffRow
from support import tickets
from support.deadlines import alerts, calculator, calendars, policies
from support.deadlines.alerts import About
from support.deadlines.policies import Policy
from support.tickets import Ticket

PROMISE = "promise"
BATCH = 50


class EscalationRow(Base):
    __tablename__ = "escalations"
    __table_args__ = (
        UniqueConstraint("cause", "subject_id"),
        Index(
            "ix_escalations_rings", "rings_at",
            sqlite_where=text("rings_at IS NOT NULL"), postgresql_where=text("rings_at IS NOT NULL"),
        ),
        Index("ix_escalations_ticket", "ticket_id", "id"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    cause: Mapped[str] = mapped_column(Text)
    """What is late: first, next, resolution, promise."""
    subject_id: Mapped[int]
    """Which clock, or which promise."""
    policy_id: Mapped[int | None] = mapped_column(ForeignKey("sla_policies.id"))
    """Whose ladder it climbs."""
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    """Whose it is; empty: whoever looks after the ticket."""
    what: Mapped[str] = mapped_column(Text)
    """What was promised."""
    due_at: Mapped[datetime] = mapped_column(UtcTime)
    """The moment that passed."""
    level: Mapped[int]
    """How many levels were told."""
    rings_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """When the next level is told."""
    acked_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    acked_at: Mapped[datetime | None] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Escalation:
    """One that is not over. `acked_by`: the name of who said it is theirs."""

    id: int
    ticket_id: int
    cause: str
    level: int
    due_at: datetime
    acked_by: str | None
    acked_by_id: int | None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """How an acknowledgement went. `by`: who has it now, None where it is over; `new`: it was this one."""

    ticket_id: int
    by: str | None
    new: bool


escalations = table(EscalationRow)
_staff = table(StaffRow)


def begin(
    session: Session, ticket: Ticket, cause: str, subject_id: int, due_at: datetime, policy: Policy, what: str = "",
    owner_id: int | None = None,
) -> None:  # fmt: skip
    """Something of a held ticket became late at `due_at`: tell the first level, and the next ones in their time. Whose it
    is (`owner_id`) is told for the ticket's assignee. What was missed, came right and is missed again starts from below.
    """
    e = escalations.c
    values = {
        "ticket_id": ticket.id, "policy_id": policy.id, "owner_id": owner_id, "what": what, "due_at": due_at, "level": 0, "acked_by": None,
        "acked_at": None, "ended_at": None, "rings_at": _moment(session, ticket.shop_id, due_at, policy, 0),
    }  # fmt: skip
    number = session.execute(select(e.id).where(e.cause == cause, e.subject_id == subject_id)).scalar()
    if number is None:
        session.execute(insert(escalations).values(cause=cause, subject_id=subject_id, **values))
    else:
        session.execute(update(escalations).where(e.id == number).values(**values))
    _climb(
        session, ticket, session.execute(select(e.id).where(e.cause == cause, e.subject_id == subject_id)).scalar_one()
    )


def end(session: Session, cause: str, subject_id: int) -> None:
    """What was late is done, or doesn't matter any more: nobody else is told."""
    e = escalations.c
    session.execute(
        update(escalations)
        .where(e.cause == cause, e.subject_id == subject_id, e.ended_at.is_(None))
        .values(ended_at=now(session), rings_at=None)
    )
    alerts.drop(session, cause, subject_id)


def moved(session: Session, cause: str, from_ticket: int, to_ticket: int) -> None:
    """What is late goes along into another ticket."""
    e = escalations.c
    session.execute(update(escalations).where(e.cause == cause, e.ticket_id == from_ticket).values(ticket_id=to_ticket))


def forget(session: Session, ticket_ids: Sequence[int]) -> None:
    """Take what was promised out of some tickets' escalations, for a customer who is erased, and end them."""
    e = escalations.c
    mine = e.ticket_id.in_(ticket_ids)
    session.execute(update(escalations).where(mine, e.ended_at.is_(None)).values(ended_at=now(session), rings_at=None))
    session.execute(update(escalations).where(mine).values(what=""))


def acknowledge(session: Session, escalation_id: int, member: Member) -> Acknowledged:
    """Say that one sees to it: no further level is told. The first one has it. Raises NotFoundError, ForbiddenError."""
    e = escalations.c
    ticket_id = session.execute(select(e.ticket_id).where(e.id == escalation_id)).scalar()
    if ticket_id is None:
        raise NotFoundError("escalation", escalation_id)
    ticket = tickets.hold(session, ticket_id, member)
    row = session.execute(select(e.cause, e.subject_id, e.acked_by, e.ended_at).where(e.id == escalation_id)).one()
    if row.ended_at is not None:
        return Acknowledged(ticket_id, None, new=False)
    if row.acked_by is not None:
        name = session.execute(select(_staff.c.name).where(_staff.c.id == row.acked_by)).scalar_one()
        return Acknowledged(ticket_id, name, new=False)
    session.execute(
        update(escalations)
        .where(e.id == escalation_id)
        .values(acked_by=member.id, acked_at=now(session), rings_at=None)
    )
    tickets.log(session, ticket, "acknowledged", member.id, cause=row.cause)
    alerts.drop(session, row.cause, row.subject_id)
    return Acknowledged(ticket_id, member.name, new=True)


def open_of(session: Session, ticket_ids: Sequence[int]) -> list[Escalation]:
    """What is late in some tickets, the oldest first."""
    e = escalations.c
    rows = session.execute(
        select(e.id, e.ticket_id, e.cause, e.level, e.due_at, _staff.c.name, e.acked_by)
        .outerjoin(_staff, _staff.c.id == e.acked_by)
        .where(e.ticket_id.in_(ticket_ids), e.ended_at.is_(None))
        .order_by(e.due_at, e.id)
    )
    return [Escalation(*row) for row in rows]


def climb_due(session: Session) -> int:
    """Tell the levels whose time has come; how many."""
    e = escalations.c
    rows = session.execute(
        select(e.id, e.ticket_id, tickets.tickets.c.shop_id)
        .join(tickets.tickets, tickets.tickets.c.id == e.ticket_id)
        .where(e.rings_at <= now(session))
        .order_by(e.rings_at)
        .limit(BATCH)
    ).all()
    for row in sorted(rows, key=lambda row: (row.shop_id, row.ticket_id, row.id)):
        _climb(session, tickets.hold(session, row.ticket_id), row.id)
    return len(rows)


def _climb(session: Session, ticket: Ticket, escalation_id: int) -> None:
    """Tell every level whose time has come, of one that is still going up."""
    e = escalations.c
    row = session.execute(select(escalations).where(e.id == escalation_id)).one()
    policy = policies.version(session, row.policy_id)
    level, rings_at = row.level, row.rings_at
    told: dict[int, None] = {}
    while rings_at is not None and rings_at <= now(session):
        told |= dict.fromkeys(alerts.people(session, ticket, policy.ladder[level].who, row.owner_id))
        level += 1
        rings_at = _moment(session, ticket.shop_id, row.due_at, policy, level)
    if level == row.level:
        return
    kind, about = "promise_missed" if row.cause == PROMISE else "sla_missed", About(escalation_id, level, row.what)
    for staff_id in told:
        alerts.alert(session, staff_id, kind, ticket, row.cause, row.subject_id, due_at=row.due_at, about=about)
    names = session.execute(select(_staff.c.name).where(_staff.c.id.in_(told)).order_by(_staff.c.id)).scalars().all()
    tickets.log(session, ticket, "escalated", None, cause=row.cause, level=level, told=list(names))
    session.execute(update(escalations).where(e.id == escalation_id).values(level=level, rings_at=rings_at))


def _moment(session: Session, shop_id: int, due_at: datetime, policy: Policy, level: int) -> datetime | None:
    """When a level is told: so many open minutes after the deadline; None above the last."""
    if level >= len(policy.ladder):
        return None
    after = timedelta(minutes=policy.ladder[level].after)
    hours = calendars.hours(session, shop_id)
    return due_at + after if hours is None else calculator.due(hours, due_at, after)
