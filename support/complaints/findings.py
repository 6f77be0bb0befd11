"""Findings: what the customer asks for, and what caused it."""

from sqlalchemy.orm import Session

from store.errors import InvalidError
from store.staff import Member
from support import tickets
from support.complaints import complaints
from support.complaints.complaints import Complaint, Remedy, Stage
from support.tickets import Ticket

REMEDY_CHARS_MAX = 300
CAUSE_CHARS_MAX = 120


def seek(session: Session, ticket_id: int, remedy: str, words: str = "", *, member: Member) -> Complaint:
    """Write down what the customer asks for. Raises InvalidError, ComplaintOverError, NotFoundError."""
    ticket, known = complaints.held(session, ticket_id, member)
    return _seek(session, ticket, known, remedy, words, member.id)


def seeks(session: Session, ticket_id: int, customer_id: int, remedy: str, words: str = "") -> Complaint:
    """The customer says themselves what they ask for. Raises InvalidError, ComplaintOverError, NotFoundError."""
    ticket, known = complaints.own(session, ticket_id, customer_id)
    return _seek(session, ticket, known, remedy, words, None)


def _seek(session: Session, ticket: Ticket, known: Complaint, remedy: str, words: str, by: int | None) -> Complaint:
    if remedy not in set(Remedy):
        raise InvalidError("remedy", "unknown", remedy)
    words = words.replace("\x00", "").strip()[:REMEDY_CHARS_MAX]
    if (remedy, words) != (known.remedy, known.remedy_words):
        tickets.log(session, ticket, "complaint_remedy", by, remedy=remedy, words=words)
    return complaints.put(session, ticket, remedy=remedy, remedy_words=words)


def explain(session: Session, ticket_id: int, member: Member, cause: str) -> Complaint:
    """Say what caused it, of the shop's list or in free words: it is investigated. Raises as `relevel`."""
    ticket, known = complaints.held(session, ticket_id, member)
    cause = complaints.words_of("cause", cause, CAUSE_CHARS_MAX)
    if cause == known.cause:
        return known
    complaints.put(session, ticket, cause=cause)
    tickets.log(session, ticket, "complaint_cause", member.id, cause=cause)
    if known.stage in {Stage.RECEIVED, Stage.ACKNOWLEDGED, Stage.ASSESSED}:
        complaints.stage(session, ticket, Stage.INVESTIGATED, member.id)
    return complaints.get(session, ticket_id)
