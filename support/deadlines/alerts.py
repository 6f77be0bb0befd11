"""Alerts: telling members of staff what is late, so many an hour at most each; the rest comes as one digest."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, Text, func, insert, or_, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.customers import customers
from store import notices, shops
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import NotFoundError
from store.staff import Right, Role, StaffRole, StaffRow
from store.staff import get as staff_of
from support.deadlines.policies import ASSIGNEE, MANAGERS, OWNERS, SUPERVISORS
from support.tickets import Ticket, tickets

PER_HOUR = 6
"""How often a person is interrupted in an hour, digests among them."""
HOUR = timedelta(hours=1)
NAMED = 8
"""Tickets that a digest names; it counts the rest."""
TOLD, HELD, SUMMED, GONE = "told", "held", "summed", "gone"
_UP = {
    SUPERVISORS: (Role.SUPERVISOR, Role.MANAGER, Role.OWNER), MANAGERS: (Role.MANAGER, Role.OWNER), OWNERS: (Role.OWNER,),
}  # fmt: skip


class AlertRow(Base):
    __tablename__ = "alerts"
    __table_args__ = (
        Index(
            "ix_alerts_rings", "rings_at",
            sqlite_where=text("rings_at IS NOT NULL"), postgresql_where=text("rings_at IS NOT NULL"),
        ),
        Index("ix_alerts_staff", "staff_id", "at"),
        Index("ix_alerts_subject", "cause", "subject_id"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime)
    """When it was told, or would have been."""
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    kind: Mapped[str] = mapped_column(Text)
    """The notice that tells it: sla_warning, sla_missed, promise_due, promise_missed."""
    cause: Mapped[str] = mapped_column(Text)
    """What is late: first, next, resolution, promise."""
    subject_id: Mapped[int]
    """Which clock, or which promise."""
    due_at: Mapped[datetime] = mapped_column(UtcTime)
    state: Mapped[str] = mapped_column(Text)
    """told, held (for the digest), summed (told by a digest), gone (nothing to tell any more)."""
    rings_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """When a held one's digest is due."""


@dataclass(frozen=True, slots=True)
class About:
    """What an alert is about, beside its ticket: `escalation_id` can be acknowledged, `what` was promised."""

    escalation_id: int | None = None
    level: int = 0
    what: str = ""


alerts = table(AlertRow)
_staff = table(StaffRow)


def people(session: Session, ticket: Ticket, who: str, owner_id: int | None = None) -> list[int]:
    """Whom a level of the ladder tells: whose it is (the assignee, where no owner is named), or all who are so at the
    ticket's shop; where there is nobody those above them.
    """
    if who == ASSIGNEE:
        for staff_id in (owner_id, ticket.assignee_id):
            if staff_id is not None and works_here(session, staff_id, ticket.shop_id):
                return [staff_id]
        who = SUPERVISORS
    for role in _UP[who]:
        found = session.execute(
            select(StaffRole.staff_id)
            .join(StaffRow, StaffRow.id == StaffRole.staff_id)
            .where(
                StaffRow.active, StaffRole.role == role.value,
                or_(StaffRole.shop_id.is_(None), StaffRole.shop_id == ticket.shop_id),
            )
            .distinct()
            .order_by(StaffRole.staff_id)
        ).scalars().all()  # fmt: skip
        if found:
            return list(found)
    return []


def works_here(session: Session, staff_id: int, shop_id: int) -> bool:
    """Whether somebody still answers at a shop's desk."""
    try:
        return staff_of(session, staff_id).may(Right.DESK, shop_id)
    except NotFoundError:
        return False


def alert(
    session: Session, staff_id: int, kind: str, ticket: Ticket, cause: str, subject_id: int, *, due_at: datetime,
    about: About = About(),
) -> None:  # fmt: skip
    """Tell somebody now, or hold it for their digest where they were told PER_HOUR things in the last hour."""
    at = now(session)
    session.execute(select(_staff.c.id).where(_staff.c.id == staff_id).with_for_update(key_share=True))
    a = alerts.c
    told = session.execute(
        select(a.at).where(a.staff_id == staff_id, a.state == TOLD, a.at > at - HOUR).order_by(a.at.desc()).limit(PER_HOUR)
    ).scalars().all()  # fmt: skip
    full = len(told) >= PER_HOUR
    session.execute(
        insert(alerts).values(
            at=at, staff_id=staff_id, ticket_id=ticket.id, kind=kind, cause=cause, subject_id=subject_id, due_at=due_at,
            state=HELD if full else TOLD, rings_at=told[-1] + HOUR if full else None,
        )
    )  # fmt: skip
    if full:
        return
    shop = shops.get(session, ticket.shop_id)
    notices.tell(
        session, kind, staff_id=staff_id, shop_id=ticket.shop_id, ticket=ticket.id, late=cause, promise=subject_id if cause == "promise" else None,
        deadline=due_at.isoformat(), zone=shop.timezone, customer=customers.get(session, ticket.customer_id).name,
        escalation=about.escalation_id, level=about.level, what=about.what,
    )  # fmt: skip


def drop(session: Session, cause: str, subject_id: int) -> None:
    """Nobody needs to hear of it any more: what is held is not told."""
    a = alerts.c
    session.execute(
        update(alerts)
        .where(a.cause == cause, a.subject_id == subject_id, a.state == HELD)
        .values(state=GONE, rings_at=None)
    )


def digest_due(session: Session) -> int:
    """Send the digests that are due; how many."""
    a = alerts.c
    waiting = session.execute(
        select(a.staff_id).where(a.rings_at <= now(session)).distinct().order_by(a.staff_id).limit(20)
    ).scalars().all()  # fmt: skip
    for staff_id in waiting:
        session.execute(select(_staff.c.id).where(_staff.c.id == staff_id).with_for_update(key_share=True))
        _digest(session, staff_id)
    return len(waiting)


def _digest(session: Session, staff_id: int) -> None:
    a = alerts.c
    held = session.execute(
        select(a.id, a.kind, a.cause, a.ticket_id, a.due_at, tickets.c.shop_id)
        .join(tickets, tickets.c.id == a.ticket_id)
        .where(a.staff_id == staff_id, a.state == HELD)
        .order_by(a.due_at, a.id)
    ).all()
    if not held:
        return
    ids: Sequence[int] = [row.id for row in held]
    session.execute(update(alerts).where(a.id.in_(ids)).values(state=SUMMED, rings_at=None))
    # The digest counts as one interruption.
    session.execute(update(alerts).where(a.id == ids[-1]).values(state=TOLD, at=now(session)))
    by_ticket = {row.ticket_id: row for row in held}
    zones = {shop.id: shop.timezone for shop in shops.every(session)}
    notices.tell(
        session, "alerts_digest", staff_id=staff_id, shop_id=held[0].shop_id, count=len(by_ticket),
        items=[
            {"kind": row.kind, "late": row.cause, "ticket": row.ticket_id, "deadline": row.due_at.isoformat(),
             "zone": zones[row.shop_id]}
            for row in list(by_ticket.values())[:NAMED]
        ],
    )  # fmt: skip


def interruptions(session: Session, staff_id: int) -> int:
    """How often somebody was told something in the last hour."""
    a = alerts.c
    return int(
        session.execute(
            select(func.count()).where(a.staff_id == staff_id, a.state == TOLD, a.at > now(session) - HOUR)
        ).scalar_one()
    )
