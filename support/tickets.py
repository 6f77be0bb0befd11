"""Tickets: what a customer asks for help with, who looks after it and how it stands.

Every change of a ticket takes the next number of its shop's desk counter, under that row's lock, and writes it to what it
changed (`changed`). So desk writes of one shop stand one after the other, and a page that saw everything up to number n
asks for what came after n and misses nothing. Locks are taken in this order: customer, desk counter, ticket numbers.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Text, bindparam, insert, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.customers import claims, customers
from store import events, shops
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ConflictError, NotFoundError
from store.prepared import Prepared
from store.signals import signal
from store.staff import Member, Right
from store.text import fold
from support import hooks, links, topics, turns

FIRST_NUMBER = 1001
SUBJECT_CHARS_MAX = 60


class State(StrEnum):
    NEW = "new"
    """Nobody has answered yet."""
    OPEN = "open"
    """The shop's turn."""
    WAITING = "waiting_customer"
    """The customer's turn."""
    SNOOZED = "snoozed"
    """The shop's turn, but not before `snoozed_until`, or the customer's next word."""
    RESOLVED = "resolved"
    """Solved, as the shop sees it: for the shop's days to reopen it, the customer's next word opens it again."""
    CLOSED = "closed"
    """Over: what the customer writes next opens another one."""


AWAKE = (State.NEW, State.OPEN, State.WAITING)
ACTIVE = (*AWAKE, State.SNOOZED)
"""Not yet solved."""


class Priority(StrEnum):
    """How much a ticket hurries."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


def _there(column: str) -> dict[str, Any]:
    """For an index over the few rows where a column is filled."""
    only = text(f"{column} IS NOT NULL")
    return {"sqlite_where": only, "postgresql_where": only}


class TicketRow(Base):
    __tablename__ = "tickets"
    __table_args__ = (
        Index("ix_tickets_changed", "shop_id", "changed"),
        Index("ix_tickets_state", "shop_id", "state", "updated_at"),
        Index("ix_tickets_assignee", "assignee_id", "state"),
        Index("ix_tickets_customer", "customer_id", "id"),
        Index("ix_tickets_snoozed", "snoozed_until", **_there("snoozed_until")),
        Index("ix_tickets_closes", "closes_at", **_there("closes_at")),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    """The number people see (#1042), from 1001 on."""
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    subject: Mapped[str] = mapped_column(Text)
    """The customer's first words; empty until there are some."""
    topic: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    priority: Mapped[str] = mapped_column(Text)
    assignee_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    updated_at: Mapped[datetime] = mapped_column(UtcTime)
    """When something was last said."""
    first_response_at: Mapped[datetime | None] = mapped_column(UtcTime)
    resolved_at: Mapped[datetime | None] = mapped_column(UtcTime)
    last_seq: Mapped[int]
    """Number of the last line of its thread: messages and events count together."""
    changed: Mapped[int]
    preview: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The last message, for lists: seq, who, text, kind (of its first file), state (of its delivery)."""
    folded: Mapped[str] = mapped_column(Text)
    """Subject, customer's name and phone in the form that is searched."""
    language: Mapped[str] = mapped_column(Text, server_default="vi")
    """In which the customer is to be answered."""
    snoozed_until: Mapped[datetime | None] = mapped_column(UtcTime)
    """When a snoozed one wakes."""
    closes_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """When a resolved one closes by itself."""
    merged_into: Mapped[int | None]
    """The ticket that it became a part of."""
    team_id: Mapped[int | None]
    """The team that it was routed to (support.routing)."""
    severity: Mapped[int | None]
    """Of a complaint, 1 the worst to 4 (support.complaints); empty where it is none."""


class TicketEventRow(Base):
    """What happened to a ticket besides words: opened, assigned, resolved … Shown in the thread between the messages."""

    __tablename__ = "ticket_events"

    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    changed: Mapped[int]
    at: Mapped[datetime] = mapped_column(UtcTime)
    kind: Mapped[str] = mapped_column(Text)
    """opened, assigned, resolved, reopened, closed, priority, rated, commented."""
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    """Who did it; empty for the customer."""
    data: Mapped[dict[str, Any]] = mapped_column(JSON)


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as rules give it out; see TicketRow."""

    id: int
    shop_id: int
    customer_id: int
    subject: str
    topic: str
    state: str
    priority: str
    assignee_id: int | None
    created_at: datetime
    updated_at: datetime
    first_response_at: datetime | None
    resolved_at: datetime | None
    last_seq: int
    changed: int
    preview: dict[str, Any]
    language: str
    snoozed_until: datetime | None
    closes_at: datetime | None
    merged_into: int | None
    team_id: int | None
    severity: int | None


@dataclass(frozen=True, slots=True)
class Joined:
    """The ticket that a customer's message goes to, and whether it was opened or reopened for it."""

    ticket: Ticket
    opened: bool
    reopened: bool


class TicketStateError(ConflictError):
    """The ticket's state forbids it."""

    code = "ticket_state"

    def __init__(self, ticket_id: int, state: str) -> None:
        super().__init__(f"ticket {ticket_id} is {state}")
        self.ticket_id = ticket_id
        self.state = state


tickets = table(TicketRow)
ticket_events = table(TicketEventRow)
_FIELDS = tuple(tickets.c[name] for name in Ticket.__dataclass_fields__)
_one = tickets.c.id == bindparam("which")
_of_customer = tickets.c.customer_id == bindparam("customer")
_by_newest = tickets.c.id.desc()
_GET = Prepared(select(*_FIELDS).where(_one))
_CURRENT = Prepared(
    select(*_FIELDS)
    .where(_of_customer, tickets.c.state.in_(ACTIVE))
    .order_by(tickets.c.updated_at.desc(), _by_newest)
    .limit(1)
)
_MEANT = Prepared(select(*_FIELDS).where(_one, _of_customer, tickets.c.state.in_(ACTIVE)))
_REOPENS = Prepared(
    select(tickets.c.id)
    .where(_of_customer, tickets.c.state == State.RESOLVED, tickets.c.closes_at > bindparam("at"))
    .order_by(tickets.c.resolved_at.desc(), _by_newest)
    .limit(1)
)
_BEFORE = Prepared(
    select(tickets.c.id)
    .where(_of_customer, tickets.c.shop_id == bindparam("shop"), tickets.c.merged_into.is_(None))
    .order_by(_by_newest)
    .limit(1)
)
_HOLD = Prepared(update(tickets).where(_one).returning(*_FIELDS))
_WRITE = Prepared(update(tickets).where(_one))
_STEP = Prepared(
    update(tickets).where(_one).values(last_seq=tickets.c.last_seq + bindparam("count")).returning(tickets.c.last_seq)
)
_OPEN, _LOG = Prepared(insert(tickets)), Prepared(insert(ticket_events))


# ── What a customer does ───────────────────────────────────────────────────────────────────────────


def current(session: Session, customer_id: int) -> Ticket | None:
    """The customer's ticket that is not yet resolved (the one they wrote to last, where a merge left two)."""
    found = _CURRENT(session, customer=customer_id)
    return Ticket(*found[0]) if found else None


def open_or_join(
    session: Session, customer_id: int, shop_id: int, *, topic: str = topics.OTHER, answered: int | None = None
) -> Joined:
    """The ticket that a customer's next message goes to: the open one that it answers (`answered`), else the open one they
    wrote in last, else one that was resolved a short while ago (it is open again), else a new one at `shop_id`, linked to
    the one before. Two messages at the same instant get the same ticket.

    Raises NotFoundError (customer, shop), InvalidError (topic).
    """
    topics.check(session, shop_id, topic)
    customer_id = customers.lock(session, customer_id)
    ticket = current(session, customer_id)
    if ticket is not None and answered not in {None, ticket.id}:
        meant = _MEANT(session, which=answered, customer=customer_id)
        ticket = Ticket(*meant[0]) if meant else ticket
    if ticket is not None:
        return Joined(ticket, opened=False, reopened=False)
    for (resolved,) in _REOPENS(session, customer=customer_id, at=now(session)):
        return Joined(reopen(session, hold(session, resolved), None), opened=False, reopened=True)
    before = next((one for (one,) in _BEFORE(session, customer=customer_id, shop=shop_id)), None)
    ticket = begin(session, customer_id, shop_id, topic=topic, follows=before)
    return Joined(ticket, opened=True, reopened=False)


def tickets_of(session: Session, customer_id: int, limit: int = 20) -> list[Ticket]:
    """A customer's tickets, newest first; what was merged is a part of another."""
    rows = session.execute(
        select(*_FIELDS)
        .where(tickets.c.customer_id == customer_id, tickets.c.merged_into.is_(None))
        .order_by(tickets.c.id.desc())
        .limit(limit)
    )
    return [Ticket(*row) for row in rows]


# ── What staff may see ──────────────────────────────────────────────────────────────────────────────


def view(session: Session, ticket_id: int, member: Member) -> Ticket:
    """A ticket as a member of staff may see it; raises NotFoundError where it is another shop's, ForbiddenError where
    they have no desk at all.
    """
    member.need(Right.DESK)
    ticket = get(session, ticket_id)
    if not member.may(Right.DESK, ticket.shop_id):
        raise NotFoundError("ticket", ticket_id)
    return ticket


# ── The ground that messages and ratings stand on ──────────────────────────────────────────────────


def get(session: Session, ticket_id: int) -> Ticket:
    """A ticket; raises NotFoundError."""
    found = _GET(session, which=ticket_id)
    if not found:
        raise NotFoundError("ticket", ticket_id)
    return Ticket(*found[0])


def hold(session: Session, ticket_id: int, member: Member | None = None) -> Ticket:
    """A ticket about to be changed: this work has its desk's turn until it ends, and `changed` is the turn's number.

    A member of staff sees what `view` lets them see. Raises NotFoundError, ForbiddenError.
    """
    ticket = get(session, ticket_id) if member is None else view(session, ticket_id, member)
    changed = turns.take(session, f"desk:{ticket.shop_id}")
    [fresh] = _HOLD(session, which=ticket_id, changed=changed)
    signal(session, f"desk:{ticket.shop_id}")
    signal(session, f"ticket:{ticket_id}")
    return Ticket(*fresh)


def write(session: Session, ticket: Ticket, **values: Any) -> None:
    """Change fields of a ticket that is held."""
    _WRITE(session, which=ticket.id, **values)


def next_seq(session: Session, ticket: Ticket, count: int = 1) -> int:
    """The number of the next line of a held ticket's thread, of the next lines' last one where there are more."""
    return int(_STEP(session, which=ticket.id, count=count)[0][0])


def log(session: Session, ticket: Ticket, kind: str, staff_id: int | None, /, **data: Any) -> None:
    """Write into a held ticket's thread what happened to it."""
    _LOG(
        session, ticket_id=ticket.id, seq=next_seq(session, ticket), changed=ticket.changed, at=now(session), kind=kind,
        staff_id=staff_id, data=data,
    )  # fmt: skip


def give(session: Session, ticket: Ticket, staff_id: int | None, by: int) -> None:
    """Put a held ticket into somebody's hands, and tell who listens."""
    write(session, ticket, assignee_id=staff_id)
    log(session, ticket, "assigned", by, to=staff_id)
    for told in hooks.ASSIGNED:
        told(session, get(session, ticket.id), ticket.assignee_id, by)


def prioritise(session: Session, ticket: Ticket, priority: str, by: int | None) -> Ticket:
    """Give a held ticket another priority, and tell who listens; as it is then."""
    before = ticket.priority
    write(session, ticket, priority=priority)
    ticket = get(session, ticket.id)
    for told in hooks.PRIORITY_CHANGED:
        told(session, ticket, before, by)
    return ticket


def folded(session: Session, customer_id: int, subject: str) -> str:
    """What a ticket is found by."""
    person = customers.get(session, customer_id)
    return fold(f"{subject} {person.name} {person.phone or ''}")


def begin(
    session: Session,
    customer_id: int,
    shop_id: int,
    *,
    topic: str = topics.OTHER,
    by: int | None = None,
    follows: int | None = None,
    assignee_id: int | None = None,
) -> Ticket:
    """Open a ticket, by the customer or (`by`) for them; `follows` is the one they had before. Raises NotFoundError."""
    shop, person = shops.get(session, shop_id), customers.get(session, customer_id)
    changed = turns.take(session, f"desk:{shop.id}")
    number = turns.take(session, "tickets", FIRST_NUMBER)
    at = now(session)
    _OPEN(
        session, id=number, shop_id=shop.id, customer_id=customer_id, subject="", topic=topic, state=State.NEW,
        priority=Priority.NORMAL, assignee_id=assignee_id, created_at=at, updated_at=at, last_seq=0, changed=changed,
        preview={}, language=person.language, folded=folded(session, customer_id, ""),
    )  # fmt: skip
    ticket = get(session, number)
    if follows is not None:
        links.put(session, number, follows, links.Kind.FOLLOWS)
    log(session, ticket, "opened", by, topic=topic, **({"follows": follows} if follows is not None else {}))
    events.happened(session, "ticket_opened", customer_id=customer_id, shop_id=shop.id, ticket=number, topic=topic)
    signal(session, f"desk:{shop.id}")
    for told in hooks.OPENED:
        told(session, get(session, number))
    return get(session, number)


def reopen(session: Session, ticket: Ticket, by: int | None) -> Ticket:
    """Put a held ticket back among the open ones."""
    log(session, ticket, "reopened", by)
    return enter(session, ticket, State.OPEN, by, resolved_at=None)


def enter(session: Session, ticket: Ticket, state: State, by: int | None, **values: Any) -> Ticket:
    """Bring a held ticket into another state, and tell who listens; as it is then. What only the state before it needed
    (when it wakes, when it closes) is emptied.
    """
    before = ticket.state
    write(session, ticket, **{"snoozed_until": None, "closes_at": None, **values, "state": state})
    ticket = get(session, ticket.id)
    if ticket.state != before:
        for told in hooks.STATE_CHANGED:
            told(session, ticket, before, by)
    return ticket


def _move(session: Session, from_id: int, to_id: int) -> None:
    """Tickets go along when two customers become one."""
    if session.execute(select(tickets.c.id).where(tickets.c.customer_id == from_id).limit(1)).first() is None:
        return
    for customer_id in sorted((from_id, to_id)):
        customers.lock(session, customer_id)
    rows = session.execute(
        select(tickets.c.id, tickets.c.subject).where(tickets.c.customer_id == from_id).order_by(tickets.c.shop_id)
    ).all()
    for row in rows:
        ticket = hold(session, row.id)
        write(session, ticket, customer_id=to_id, folded=folded(session, to_id, row.subject))


claims.MOVES.append(_move)
