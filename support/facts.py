"""Facts: how a customer's requests stand, kept on the customer for segments and manners, which may not look up here."""

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from loyalty.customers import facts
from store.prepared import Prepared
from support.complaints.complaints import complaints
from support.tickets import ACTIVE, Ticket, tickets

_HERS = tickets.c.customer_id == bindparam("customer")
_TICKETS = Prepared(select(func.count()).where(_HERS, tickets.c.state.in_(ACTIVE)))
_COMPLAINTS = Prepared(
    select(func.count()).where(
        complaints.c.ticket_id.in_(select(tickets.c.id).where(_HERS)), complaints.c.outcome.is_(None)
    )
)


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
    facts.put(session, customer_id, facts.OPEN_TICKETS, _TICKETS(session, customer=customer_id)[0][0])


def _count_complaints(session: Session, customer_id: int) -> None:
    facts.put(session, customer_id, facts.OPEN_COMPLAINTS, _COMPLAINTS(session, customer=customer_id)[0][0])
