"""Complaints: a ticket that is one has a level with its reasons, a remedy that is sought, a cause, and an end.

A complaint goes through the stages of ISO 10002, and each is a line in the ticket's history: received, acknowledged,
assessed, investigated (its cause is known), responded (the ticket is solved), closed. It is closed by the customer's word
alone, or after the shop asked in vain as often as it wants to (see `loop`). Its row is written with the ticket held. It
begins in `opening`, its level is in `grading`, what is found out in `findings`, what makes it good in `goodwill`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Text, bindparam, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.customers import customers
from store import events
from store.base import Base, UtcTime, table
from store.clock import now
from store.errors import ConflictError, InvalidError, NotFoundError
from store.prepared import Prepared
from store.staff import Member
from support import hooks, tickets
from support.complaints.severity import Fact, Level, Why
from support.tickets import Ticket

REASON_CHARS_MAX = 200


class Stage(StrEnum):
    RECEIVED = "received"
    ACKNOWLEDGED = "acknowledged"
    ASSESSED = "assessed"
    INVESTIGATED = "investigated"
    RESPONDED = "responded"
    CLOSED = "closed"


class Remedy(StrEnum):
    """What the customer asks for to make it good."""

    REPLACE = "replace"
    REFUND = "refund"
    GOODWILL = "goodwill"
    APOLOGY = "apology"
    OTHER = "other"


class Outcome(StrEnum):
    SATISFIED = "satisfied"
    """The customer said that all is well."""
    UNANSWERED = "unanswered"
    """They were asked as often as the shop asks."""
    MISTAKE = "mistake"
    """It was none."""
    MERGED = "merged"
    """Its ticket became a part of another that is one too."""


NONE = (Outcome.MISTAKE.value, Outcome.MERGED.value)
"""Complaints that count for nothing."""


class Origin(StrEnum):
    CUSTOMER = "customer"
    """They chose the topic, or what they wrote was understood as one."""
    WORDS = "words"
    """It was opened as something else, and what they wrote is grave."""
    STAFF = "staff"
    RATING = "rating"
    ORDER = "order"
    """Asked about an order, they said that it was not all right."""


_DUE = text("check_at IS NOT NULL")


class ComplaintRow(Base):
    __tablename__ = "complaints"
    __table_args__ = (
        Index("ix_complaints_due", "check_at", sqlite_where=_DUE, postgresql_where=_DUE),
        Index("ix_complaints_shop", "shop_id", "opened_at"),
    )

    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), primary_key=True, autoincrement=False)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    level: Mapped[int]
    judged: Mapped[int]
    """The level that `severity` gives."""
    facts: Mapped[list[dict[str, str]]] = mapped_column(JSON)
    """Why it does: {why, said}."""
    set_by: Mapped[int | None]
    """Who set another level."""
    set_reason: Mapped[str] = mapped_column(Text)
    origin: Mapped[str] = mapped_column(Text)
    stage: Mapped[str] = mapped_column(Text)
    remedy: Mapped[str | None] = mapped_column(Text)
    remedy_words: Mapped[str] = mapped_column(Text)
    cause: Mapped[str] = mapped_column(Text)
    repeats: Mapped[int | None]
    """The ticket of the complaint that it repeats."""
    rated_ticket: Mapped[int | None] = mapped_column(unique=True)
    """Of a recovery case: the ticket that was rated low."""
    opened_at: Mapped[datetime] = mapped_column(UtcTime)
    responded_at: Mapped[datetime | None] = mapped_column(UtcTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    outcome: Mapped[str | None] = mapped_column(Text)
    tries: Mapped[int]
    """How often the customer was asked whether all is well, since it was last answered."""
    asked_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """Since when an answer to that is awaited."""
    check_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """When they are asked next, or given up."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """A complaint as rules give it out; see ComplaintRow."""

    ticket_id: int
    shop_id: int
    level: Level
    judged: Level
    facts: tuple[Fact, ...]
    set_by: int | None
    set_reason: str
    origin: str
    stage: str
    remedy: str | None
    remedy_words: str
    cause: str
    repeats: int | None
    rated_ticket: int | None
    opened_at: datetime
    responded_at: datetime | None
    closed_at: datetime | None
    outcome: str | None
    tries: int
    asked_at: datetime | None
    check_at: datetime | None


class ComplaintOverError(ConflictError):
    """The complaint is closed; `outcome` says how."""

    code = "complaint_over"

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


complaints = table(ComplaintRow)
_FIELDS = tuple(complaints.c[name] for name in Complaint.__dataclass_fields__)
_FACTS = list(Complaint.__dataclass_fields__).index("facts")
_FIND = Prepared(select(*_FIELDS).where(complaints.c.ticket_id == bindparam("ticket")))
_PUT = Prepared(update(complaints).where(complaints.c.ticket_id == bindparam("ticket")))


def find(session: Session, ticket_id: int) -> Complaint | None:
    """The complaint that a ticket is; None where it is none."""
    found = _FIND(session, ticket=ticket_id)
    return read(found[0]) if found else None


def get(session: Session, ticket_id: int) -> Complaint:
    """The complaint that a ticket is; raises NotFoundError."""
    known = find(session, ticket_id)
    if known is None:
        raise NotFoundError("complaint", ticket_id)
    return known


def read(row: Any) -> Complaint:
    """A row of `complaints` as a value."""
    raw = Complaint(*row)
    facts = tuple(Fact(Why(one["why"]), one["said"]) for one in row[_FACTS])
    return replace(raw, level=Level(raw.level), judged=Level(raw.judged), facts=facts)


def put(session: Session, ticket: Ticket, **values: Any) -> Complaint:
    """Change fields of a complaint whose ticket is held."""
    _PUT(session, ticket=ticket.id, **values)
    if "outcome" in values:
        changed(session, ticket)
    return get(session, ticket.id)


def changed(session: Session, ticket: Ticket) -> None:
    """Tell who listens that a ticket's complaint began, ended or began anew."""
    for told in hooks.COMPLAINT_CHANGED:
        told(session, ticket)


def held(session: Session, ticket_id: int, member: Member) -> tuple[Ticket, Complaint]:
    """A complaint that a member of staff is about to change, with its ticket held. Raises NotFoundError, ForbiddenError,
    ComplaintOverError.
    """
    ticket = tickets.hold(session, ticket_id, member)
    return ticket, _open(get(session, ticket_id))


def own(session: Session, ticket_id: int, customer_id: int) -> tuple[Ticket, Complaint]:
    """The same by the customer whose it is. Raises NotFoundError (another's too), ComplaintOverError."""
    ticket = tickets.hold(session, ticket_id)
    if ticket.customer_id != customers.resolve(session, customer_id):
        raise NotFoundError("complaint", ticket_id)
    return ticket, _open(get(session, ticket_id))


def _open(known: Complaint) -> Complaint:
    if known.outcome is not None:
        raise ComplaintOverError(known.outcome)
    return known


def stage(session: Session, ticket: Ticket, reached: Stage, by: int | None, **data: Any) -> None:
    """Bring a held ticket's complaint to a stage, as a line in its history."""
    tickets.log(session, ticket, "complaint_stage", by, stage=reached.value, **data)
    put(session, ticket, stage=reached.value)


def end(session: Session, ticket: Ticket, known: Complaint, outcome: Outcome, by: int | None) -> None:
    """Close a complaint whose ticket is held."""
    stage(session, ticket, Stage.CLOSED, by, outcome=outcome.value)
    put(session, ticket, closed_at=now(session), outcome=outcome.value, asked_at=None, check_at=None)
    events.happened(
        session, "complaint_closed", customer_id=ticket.customer_id, shop_id=ticket.shop_id, ticket=ticket.id,
        level=int(known.level), state=outcome.value,
    )  # fmt: skip


def words_of(field: str, said: str, most: int) -> str:
    """Words that have to be there; raises InvalidError(field, "empty" or "length")."""
    said = " ".join(said.replace("\x00", "").split())
    if not said:
        raise InvalidError(field, "empty")
    if len(said) > most:
        raise InvalidError(field, "length", len(said))
    return said


def of_shop(session: Session, shop_id: int, *, closed: bool = False, limit: int = 100) -> Sequence[Complaint]:
    """A shop's complaints that are not closed, the gravest and oldest first; or those that are, the latest first."""
    c = complaints.c
    query = select(*_FIELDS).where(c.shop_id == shop_id)
    if closed:
        query = query.where(c.outcome.is_not(None)).order_by(c.closed_at.desc(), c.ticket_id.desc())
    else:
        query = query.where(c.outcome.is_(None)).order_by(c.level, c.opened_at, c.ticket_id)
    return [read(row) for row in session.execute(query.limit(limit))]
