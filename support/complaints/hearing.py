"""What complaints hear of tickets; `support/__init__.py` lists it among the hooks."""

from sqlalchemy import update
from sqlalchemy.orm import Session

from store.clock import now
from support import tickets
from support.complaints import complaints, findings, grading, opening, replies, severity
from support.complaints.complaints import Complaint, Origin, Outcome, Stage
from support.complaints.goodwill_book import goodwill
from support.complaints.loop import tries
from support.complaints.severity import Case, Level, Why
from support.tickets import Ticket

TOPIC = "complaint"


def said(session: Session, ticket: Ticket, message_id: int, text: str) -> None:  # noqa: ARG001  # as every hook is called
    """The customer wrote: a ticket of that topic is a complaint from their first word on, another when what they write
    is grave. More words may raise it, tell what they ask for, or begin a closed one anew.
    """
    known = complaints.find(session, ticket.id)
    if known is None:
        if ticket.topic != TOPIC and not severity.alarming(text):
            return
        known = opening.begin(session, ticket, Origin.CUSTOMER if ticket.topic == TOPIC else Origin.WORDS)
    elif known.outcome in complaints.NONE:
        return
    elif known.outcome is not None:
        known = _anew(session, ticket, known, text)
    else:
        grading.hear(session, ticket, known)
    if known.outcome is None and known.remedy is None and (wanted := replies.remedy(text)) is not None:
        findings.seeks(session, ticket.id, ticket.customer_id, wanted)


def _anew(session: Session, ticket: Ticket, known: Complaint, text: str) -> Complaint:
    if severity.judge(Case(text)).level == Level.S4:
        return known
    complaints.put(session, ticket, outcome=None, closed_at=None, tries=0)
    complaints.stage(session, ticket, Stage.ASSESSED, None)
    fresh = tickets.get(session, ticket.id)
    return grading.raise_for(session, fresh, complaints.get(session, ticket.id), Why.STILL, text[:80])


def merged(session: Session, ticket: Ticket, gone: Ticket) -> None:
    """Two tickets became one: what was given in either counts in one case, and there is one complaint, the graver level's."""
    session.execute(update(goodwill).where(goodwill.c.ticket_id == gone.id).values(ticket_id=ticket.id))
    other, mine = complaints.find(session, gone.id), complaints.find(session, ticket.id)
    if other is None or other.outcome in complaints.NONE:
        return
    if mine is None:
        table = complaints.complaints
        session.execute(update(table).where(table.c.ticket_id == gone.id).values(ticket_id=ticket.id))
        session.execute(update(tries).where(tries.c.ticket_id == gone.id).values(ticket_id=ticket.id))
        grading.write_severity(session, ticket, other.level)
        return
    complaints.put(
        session, gone, outcome=Outcome.MERGED.value, closed_at=now(session), asked_at=None, check_at=None,
        stage=Stage.CLOSED.value,
    )  # fmt: skip
    if mine.outcome is None and other.outcome is None and other.level < mine.level:
        complaints.put(session, ticket, level=int(other.level))
        grading.leveled(session, ticket, mine.level, other.level, None, Why.REPEAT.value)
