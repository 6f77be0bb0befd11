"""Handed: who is given a ticket, by the router or by a colleague, hears of it on their own messenger, unless their desk is
open before them. The team's cap on interruptions holds here too (support.deadlines.alerts).
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from store import staff
from store.clock import now
from support.deadlines import alerts
from support.deadlines.alerts import About
from support.routing.presence import presences
from support.tickets import Ticket

CAUSE = "handed"


def tell(session: Session, ticket: Ticket, staff_id: int) -> None:
    """Tell somebody that a ticket is theirs now."""
    alerts.drop(session, CAUSE, ticket.id)
    if not _at_desk(session, staff_id) and staff.accounts_of(session, staff_id):
        alerts.alert(
            session, staff_id, "ticket_handed", ticket, CAUSE, ticket.id, due_at=now(session), about=About(what=ticket.subject)
        )  # fmt: skip


def assigned(session: Session, ticket: Ticket, before: int | None, by: int) -> None:  # noqa: ARG001  # a hook
    """A colleague gave it to another one (support.hooks.ASSIGNED)."""
    if ticket.assignee_id not in {None, by}:
        assert ticket.assignee_id is not None
        tell(session, ticket, ticket.assignee_id)


def agent_said(session: Session, ticket: Ticket, _message_id: int, _staff_id: int) -> None:
    """It is answered: who is to be told by a digest needs not be any more (support.hooks.AGENT_SAID)."""
    alerts.drop(session, CAUSE, ticket.id)


def _at_desk(session: Session, staff_id: int) -> bool:
    p = presences.c
    until: datetime | None = session.execute(select(p.desk_until).where(p.staff_id == staff_id)).scalar()
    return until is not None and until > now(session)
