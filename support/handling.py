"""Handling: what members of staff do with a ticket besides writing in it: take it, hand it on, solve it, close it.

Each raises as `tickets.view` does where the ticket is not theirs to see (NotFoundError, ForbiddenError).
"""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty.customers.customers import LANGUAGES
from store import events, notices, staff
from store.clock import now
from store.errors import ConflictError, InvalidError, NotFoundError
from store.staff import Member, Right
from support import desks, tickets, topics
from support.tickets import Priority, State, Ticket, TicketStateError

SNOOZE_MAX = timedelta(days=366)


class TakenError(ConflictError):
    """Somebody else looks after the ticket."""

    code = "ticket_taken"

    def __init__(self, ticket_id: int, staff_id: int, name: str) -> None:
        super().__init__(f"ticket {ticket_id}")
        self.ticket_id = ticket_id
        self.staff_id = staff_id
        self.name = name


def claim(session: Session, ticket_id: int, member: Member) -> None:
    """Take a ticket that nobody looks after. Of any number who try at once one gets it; raises TakenError for the rest."""
    ticket = tickets.hold(session, ticket_id, member)
    if ticket.assignee_id == member.id:
        return
    if ticket.assignee_id is not None:
        raise _taken(session, ticket)
    tickets.give(session, ticket, member.id, member.id)


def assign(session: Session, ticket_id: int, member: Member, staff_id: int | None) -> None:
    """Hand a ticket to a colleague of the same desk, or back to all (None). One's own and unassigned ones anybody may
    hand on, others' only a supervisor. Raises TakenError, InvalidError (a colleague without this desk).
    """
    ticket = tickets.hold(session, ticket_id, member)
    if ticket.assignee_id == staff_id:
        return
    if ticket.assignee_id not in {None, member.id} and not member.may(Right.SUPERVISE, ticket.shop_id):
        raise _taken(session, ticket)
    if staff_id is not None:
        try:
            colleague = staff.get(session, staff_id)
        except NotFoundError as error:
            raise InvalidError("assignee", "unknown", staff_id) from error
        if not colleague.may(Right.DESK, ticket.shop_id):
            raise InvalidError("assignee", "unknown", staff_id)
    tickets.give(session, ticket, staff_id, member.id)


def resolve(session: Session, ticket_id: int, member: Member) -> None:
    """Say that a ticket is solved; the customer is told, and asked to rate it if they never did. Repeatable. Raises
    TicketStateError (closed).
    """
    ticket = tickets.hold(session, ticket_id, member)
    if ticket.state == State.RESOLVED:
        return
    if ticket.state == State.CLOSED:
        raise TicketStateError(ticket_id, ticket.state)
    if ticket.assignee_id is None:
        tickets.give(session, ticket, member.id, member.id)
    tickets.log(session, ticket, "resolved", member.id)
    at = now(session)
    closes_at = at + desks.of(session, ticket.shop_id).reopens_for
    tickets.enter(session, ticket, State.RESOLVED, member.id, resolved_at=at, closes_at=closes_at)
    notices.tell(
        session, "ticket_resolved", customer_id=ticket.customer_id, shop_id=ticket.shop_id,
        replaces=f"ticket_resolved:{ticket_id}", ticket=ticket_id, agent=member.name,
        ask_rating=not _was(session, ticket_id, "rated"),
    )  # fmt: skip
    events.happened(
        session, "ticket_resolved", customer_id=ticket.customer_id, shop_id=ticket.shop_id, ticket=ticket_id
    )


def reopen(session: Session, ticket_id: int, member: Member) -> None:
    """Open a resolved or closed ticket again, wake a snoozed one. Repeatable. Raises TicketStateError (merged)."""
    ticket = tickets.hold(session, ticket_id, member)
    if ticket.merged_into is not None:
        raise TicketStateError(ticket_id, "merged")
    if ticket.state not in tickets.AWAKE:
        tickets.reopen(session, ticket, member.id)


def close(session: Session, ticket_id: int, member: Member) -> None:
    """End a ticket without a word to the customer (spam, a double): what they write next opens a new one. Repeatable."""
    ticket = tickets.hold(session, ticket_id, member)
    if ticket.state != State.CLOSED:
        tickets.log(session, ticket, "closed", member.id)
        tickets.enter(session, ticket, State.CLOSED, member.id, resolved_at=ticket.resolved_at or now(session))


def prioritise(session: Session, ticket_id: int, member: Member, priority: str) -> None:
    """Say how much a ticket hurries. Raises InvalidError."""
    if priority not in set(Priority):
        raise InvalidError("priority", "unknown", priority)
    ticket = tickets.hold(session, ticket_id, member)
    if ticket.priority != priority:
        tickets.log(session, ticket, "priority", member.id, priority=priority, before=ticket.priority)
        tickets.prioritise(session, ticket, priority, member.id)


def snooze(session: Session, ticket_id: int, member: Member, until: datetime) -> None:
    """Put an unsolved ticket aside until a time, or until the customer writes; who does it looks after it unless somebody
    does. Raises InvalidError("until"), TicketStateError (solved, closed).
    """
    at = now(session)
    if not at < until <= at + SNOOZE_MAX:
        raise InvalidError("until", "range", until.isoformat())
    ticket = tickets.hold(session, ticket_id, member)
    if ticket.state not in tickets.ACTIVE:
        raise TicketStateError(ticket_id, ticket.state)
    if ticket.assignee_id is None:
        tickets.give(session, ticket, member.id, member.id)
    tickets.log(session, ticket, "snoozed", member.id, until=until.isoformat())
    tickets.enter(session, ticket, State.SNOOZED, member.id, snoozed_until=until)


def retopic(session: Session, ticket_id: int, member: Member, topic: str) -> None:
    """Say what a ticket is about. Raises InvalidError("topic")."""
    ticket = tickets.hold(session, ticket_id, member)
    if ticket.topic != topic:
        topics.check(session, ticket.shop_id, topic)
        tickets.write(session, ticket, topic=topic)
        tickets.log(session, ticket, "topic", member.id, topic=topic, before=ticket.topic)


def speak(session: Session, ticket_id: int, member: Member, language: str) -> None:
    """Say in which language the customer is answered here. Raises InvalidError("language")."""
    if language not in LANGUAGES:
        raise InvalidError("language", "unknown", language)
    ticket = tickets.hold(session, ticket_id, member)
    if ticket.language != language:
        tickets.write(session, ticket, language=language)
        tickets.log(session, ticket, "language", member.id, language=language, before=ticket.language)


def colleagues(session: Session, ticket_id: int, member: Member) -> list[Member]:
    """Who may look after a ticket, by name."""
    return at_desk(session, tickets.view(session, ticket_id, member).shop_id)


def at_desk(session: Session, shop_id: int) -> list[Member]:
    """Who works at a shop's desk, by name."""
    return [one for one in staff.every(session) if one.may(Right.DESK, shop_id)]


def _taken(session: Session, ticket: Ticket) -> TakenError:
    assert ticket.assignee_id is not None
    name = session.execute(select(staff.StaffRow.name).where(staff.StaffRow.id == ticket.assignee_id)).scalar()
    return TakenError(ticket.id, ticket.assignee_id, name or "")


def _was(session: Session, ticket_id: int, kind: str) -> bool:
    return (
        session.execute(
            select(tickets.ticket_events.c.seq).where(
                tickets.ticket_events.c.ticket_id == ticket_id, tickets.ticket_events.c.kind == kind
            )
        ).first()
        is not None
    )
