"""Facts: how a customer's requests stand, kept on the customer for segments and manners, which may not look up here."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from loyalty.customers import facts
from support.complaints.complaints import complaints
from support.tickets import ACTIVE, Ticket, tickets


def opened(session: Session, ticket: Ticket) -> None:
    """A ticket was opened."""
    _count_tickets(session, ticket.customer_id)


def state_changed(session: Session, ticket: Ticket, before: str, by: int | None) -> None:  # noqa: ARG001  # as every hook is called
    """It went on, was solved, closed or opened again."""
    if (before in ACTIVE) != (ticket.state in ACTIVE):
        _count_tickets(session, ticket.customer_id)


def merged(session: Session, ticket: Ticket, gone: Ticket) -> None:
    """Two became one, with the complaint that either was."""
    for customer_id in {ticket.customer_id, gone.customer_id}:
        _count_tickets(session, customer_id)
        _count_complaints(session, customer_id)


def complaint_changed(session: Session, ticket: Ticket) -> None:
    """It became a complaint, or stopped being one that is open."""
    _count_complaints(session, ticket.customer_id)


def _count_tickets(session: Session, customer_id: int) -> None:
    t = tickets.c
    open_now = select(func.count()).where(t.customer_id == customer_id, t.state.in_(ACTIVE))
    facts.put(session, customer_id, facts.OPEN_TICKETS, session.execute(open_now).scalar_one())


def _count_complaints(session: Session, customer_id: int) -> None:
    t, c = tickets.c, complaints.c
    mine = select(t.id).where(t.customer_id == customer_id)
    open_now = select(func.count()).where(c.ticket_id.in_(mine), c.outcome.is_(None))
    facts.put(session, customer_id, facts.OPEN_COMPLAINTS, session.execute(open_now).scalar_one())
