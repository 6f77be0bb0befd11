"""Waking: what becomes of tickets by time alone. Both are due rows, taken by the clock on their second."""

from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from store.clock import now
from support import tickets
from support.tickets import State

BATCH = 50


def wake_due(session: Session) -> int:
    """Wake snoozed tickets whose time has come; how many woke."""
    woken = 0
    for ticket_id in _due(session, tickets.tickets.c.snoozed_until):
        ticket = tickets.hold(session, ticket_id)
        # The customer's word, or a colleague's, may have woken it a moment ago.
        if ticket.state == State.SNOOZED and _over(session, ticket.snoozed_until):
            tickets.log(session, ticket, "woke", None)
            tickets.enter(session, ticket, State.OPEN, None)
            woken += 1
    return woken


def close_due(session: Session) -> int:
    """Close resolved tickets that the customer has not come back to; how many closed."""
    closed = 0
    for ticket_id in _due(session, tickets.tickets.c.closes_at):
        ticket = tickets.hold(session, ticket_id)
        if ticket.state == State.RESOLVED and _over(session, ticket.closes_at):
            tickets.log(session, ticket, "closed", None)
            tickets.enter(session, ticket, State.CLOSED, None)
            closed += 1
    return closed


def _due(session: Session, when: ColumnElement[datetime | None]) -> list[int]:
    """A batch of tickets by a due time, in the order of their desks, so that two batches never wait for each other."""
    t = tickets.tickets.c
    first = select(t.id, t.shop_id).where(when <= now(session)).order_by(when).limit(BATCH).subquery()
    return list(session.execute(select(first.c.id).order_by(first.c.shop_id, first.c.id)).scalars())


def _over(session: Session, when: datetime | None) -> bool:
    return when is not None and when <= now(session)
