"""Promises: what somebody said they would do for a customer, and until when. Each reminds its owner, and climbs the shop's
ladder when it is missed; what became of it stands in the ticket's history.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint, insert, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import events, notices, shops
from store import staff as team
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ConflictError, InvalidError, NotFoundError
from store.staff import Member, StaffRow
from support import tickets
from support.deadlines import alerts, calendars, escalations, moments, policies
from support.deadlines.alerts import About
from support.deadlines.escalations import PROMISE
from support.tickets import Ticket

WHAT_CHARS_MAX = 300
REMIND = timedelta(minutes=30)
"""How long before it is due its owner is reminded; of one that is due sooner, halfway."""
BATCH = 50
OPEN, MISSED, KEPT, WITHDRAWN = "open", "missed", "kept", "withdrawn"
STANDING = (OPEN, MISSED)


class PromiseRow(Base):
    __tablename__ = "promises"
    __table_args__ = (
        Index(
            "ix_promises_rings", "rings_at",
            sqlite_where=text("rings_at IS NOT NULL"), postgresql_where=text("rings_at IS NOT NULL"),
        ),
        Index("ix_promises_ticket", "ticket_id", "id"),
        Index("ix_promises_shop", "shop_id", "state", "due_at"),
        UniqueConstraint("ticket_id", "key"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    what: Mapped[str] = mapped_column(Text)
    owner_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    due_at: Mapped[datetime] = mapped_column(UtcTime)
    shown: Mapped[bool]
    """Whether the customer is told of it."""
    state: Mapped[str] = mapped_column(Text)
    """open, missed (still to be kept), kept, withdrawn."""
    key: Mapped[str | None] = mapped_column(Text)
    """The page's own key: made once each."""
    made_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    made_at: Mapped[datetime] = mapped_column(UtcTime)
    reminded_at: Mapped[datetime | None] = mapped_column(UtcTime)
    missed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """The moment that passed; stays when it is kept late."""
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
    rings_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """When its owner is reminded, then when it is missed."""


@dataclass(frozen=True, slots=True)
class Promise:
    """A promise as rules give it out; see PromiseRow. `owner` is a name."""

    id: int
    ticket_id: int
    shop_id: int
    what: str
    owner_id: int
    owner: str
    due_at: datetime
    shown: bool
    state: str
    made_at: datetime
    missed_at: datetime | None
    ended_at: datetime | None

    @property
    def standing(self) -> bool:
        """Whether it is still to be kept."""
        return self.state in STANDING


class PromiseStateError(ConflictError):
    """The promise is kept or withdrawn already."""

    code = "promise_state"

    def __init__(self, promise_id: int, state: str) -> None:
        super().__init__(f"promise {promise_id} is {state}")
        self.promise_id = promise_id
        self.state = state


promises = table(PromiseRow)
_staff = table(StaffRow)
_COLUMNS = tuple(
    _staff.c.name if name == "owner" else promises.c[name] for name in Promise.__dataclass_fields__
)  # fmt: skip


# ── What members of staff do ───────────────────────────────────────────────────────────────────────


def make(
    session: Session,
    ticket_id: int,
    member: Member,
    what: str,
    due_at: datetime,
    *,
    owner_id: int | None = None,
    shown: bool = False,
    key: str | None = None,
) -> int:
    """Promise something; the promise's number. The page's `key` again makes no other. The owner is who promises it, or a
    colleague of the same desk. Raises as tickets.view, InvalidError (what, due_at, owner).
    """
    what = _what(what)
    ticket = tickets.hold(session, ticket_id, member)
    if key is not None:
        known = session.execute(
            select(promises.c.id).where(promises.c.ticket_id == ticket_id, promises.c.key == key)
        ).scalar()
        if known is not None:
            return int(known)
    owner = _owner(session, ticket, owner_id, member)
    at = now(session)
    number = session.execute(
        insert(promises)
        .values(
            ticket_id=ticket_id, shop_id=ticket.shop_id, what=what, owner_id=owner.id, shown=shown, state=OPEN, key=key,
            made_by=member.id, made_at=at, **_times(at, due_at),
        )
        .returning(promises.c.id)
    ).scalar_one()  # fmt: skip
    tickets.log(
        session,
        ticket,
        "promised",
        member.id,
        promise=number,
        promised=what,
        due_at=due_at.isoformat(),
        owner=owner.name,
    )
    _happened(session, "promise_made", ticket, number)
    if shown:
        _tell(session, ticket, number, "promise_made", what=what, due_at=due_at, agent=owner.name)
    return int(number)


def keep(session: Session, promise_id: int, member: Member) -> Promise:
    """It is done, late or not; a customer who knows of it is told. Repeatable. Raises PromiseStateError (withdrawn)."""
    ticket, promise = _held(session, promise_id, member)
    if promise.state == KEPT:
        return promise
    if not promise.standing:
        raise PromiseStateError(promise_id, promise.state)
    _end(session, ticket, promise, KEPT, "promise_kept", member)
    return get(session, promise_id)


def withdraw(session: Session, promise_id: int, member: Member) -> Promise:
    """It needs not be done any more; a customer who knows of it is told. Repeatable. Raises PromiseStateError (kept)."""
    ticket, promise = _held(session, promise_id, member)
    if promise.state == WITHDRAWN:
        return promise
    if not promise.standing:
        raise PromiseStateError(promise_id, promise.state)
    _end(session, ticket, promise, WITHDRAWN, "promise_withdrawn", member)
    return get(session, promise_id)


def change(
    session: Session, promise_id: int, member: Member, *, due_at: datetime | None = None, owner_id: int | None = None
) -> Promise:
    """Another time, or another owner. A customer who knows of it hears of the new time. One that was missed is open again
    with a time that lies ahead. Raises PromiseStateError, InvalidError (due_at, owner).
    """
    ticket, promise = _held(session, promise_id, member)
    if not promise.standing:
        raise PromiseStateError(promise_id, promise.state)
    at = now(session)
    values: dict[str, Any] = {}
    if owner_id is not None and owner_id != promise.owner_id:
        values["owner_id"] = _owner(session, ticket, owner_id, member).id
    moved = due_at if due_at is not None and due_at != promise.due_at else None
    if moved is not None:
        values |= {**_times(at, moved), "state": OPEN, "reminded_at": None}
        escalations.end(session, PROMISE, promise_id)
        alerts.drop(session, PROMISE, promise_id)
    if not values:
        return promise
    session.execute(update(promises).where(promises.c.id == promise_id).values(**values))
    changed = get(session, promise_id)
    tickets.log(
        session, ticket, "promise_changed", member.id, promise=promise_id, promised=promise.what,
        due_at=changed.due_at.isoformat(), owner=changed.owner,
    )  # fmt: skip
    if moved is not None and promise.shown:
        _tell(session, ticket, promise_id, "promise_changed", what=promise.what, due_at=moved, agent=changed.owner)
    return changed


# ── Looks ──────────────────────────────────────────────────────────────────────────────────────────


def get(session: Session, promise_id: int) -> Promise:
    """One; raises NotFoundError."""
    row = session.execute(
        select(*_COLUMNS).join(_staff, _staff.c.id == promises.c.owner_id).where(promises.c.id == promise_id)
    ).first()
    if row is None:
        raise NotFoundError("promise", promise_id)
    return Promise(*row)


def of(session: Session, ticket_ids: Sequence[int], *, standing: bool = False) -> list[Promise]:
    """The promises of some tickets, those due first at the top; with `standing` only those still to be kept."""
    wanted = [promises.c.ticket_id.in_(ticket_ids)]
    if standing:
        wanted.append(promises.c.state.in_(STANDING))
    rows = session.execute(
        select(*_COLUMNS)
        .join(_staff, _staff.c.id == promises.c.owner_id)
        .where(*wanted)
        .order_by(promises.c.due_at, promises.c.id)
    )
    return [Promise(*row) for row in rows]


def shown_of(session: Session, ticket_ids: Sequence[int]) -> list[Promise]:
    """What the customer of some tickets knows of and is still to be kept."""
    return [one for one in of(session, ticket_ids, standing=True) if one.shown]


def missed(session: Session, shop_id: int, limit: int = 20) -> list[Promise]:
    """A shop's promises whose time has passed and that are still to be kept, the oldest first."""
    rows = session.execute(
        select(*_COLUMNS)
        .join(_staff, _staff.c.id == promises.c.owner_id)
        .where(promises.c.shop_id == shop_id, promises.c.state == MISSED)
        .order_by(promises.c.due_at, promises.c.id)
        .limit(limit)
    )
    return [Promise(*row) for row in rows]


def meant(session: Session, shop_id: int, words: str) -> datetime | None:
    """The moment that somebody means by words (`thứ hai`, `mai 9h`, `2d`): a day alone means until the shop closes."""
    return all_meant(session, shop_id, [words])[0]


def all_meant(session: Session, shop_id: int, said: Sequence[str]) -> list[datetime | None]:
    """The same of several, in one look at the shop's hours."""
    zone, at, hours = shops.get(session, shop_id).timezone, now(session), calendars.hours(session, shop_id)

    def one(words: str) -> datetime | None:
        latest = moments.parse(words, at, zone, time(23, 59))
        if latest is None:
            return None
        return moments.parse(words, at, zone, calendars.closing(hours, latest) if hours else time(17)) or latest

    return [one(words) for words in said]


# ── What is due ────────────────────────────────────────────────────────────────────────────────────


def ring_due(session: Session) -> int:
    """Remind owners, and say which promises were missed; how many rang."""
    p = promises.c
    rows = session.execute(
        select(p.id, p.ticket_id, p.shop_id).where(p.rings_at <= now(session)).order_by(p.rings_at).limit(BATCH)
    ).all()
    for row in sorted(rows, key=lambda row: (row.shop_id, row.ticket_id, row.id)):
        ticket = tickets.hold(session, row.ticket_id)
        promise = get(session, row.id)
        rings_at = session.execute(select(p.rings_at).where(p.id == row.id)).scalar()
        if rings_at is not None and rings_at <= now(session):
            _ring(session, ticket, promise)
    return len(rows)


def _ring(session: Session, ticket: Ticket, promise: Promise) -> None:
    at, where = now(session), promises.c.id == promise.id
    if at < promise.due_at:
        session.execute(update(promises).where(where).values(reminded_at=at, rings_at=promise.due_at))
        for staff_id in alerts.people(session, ticket, policies.ASSIGNEE, promise.owner_id):
            alerts.alert(
                session, staff_id, "promise_due", ticket, PROMISE, promise.id, due_at=promise.due_at,
                about=About(what=promise.what),
            )  # fmt: skip
        return
    session.execute(update(promises).where(where).values(state=MISSED, missed_at=promise.due_at, rings_at=None))
    tickets.log(session, ticket, "promise_missed", None, promise=promise.id, promised=promise.what, owner=promise.owner)
    _happened(session, "promise_missed", ticket, promise.id)
    policy = policies.current(session, ticket.shop_id)
    escalations.begin(session, ticket, PROMISE, promise.id, promise.due_at, policy, promise.what, promise.owner_id)


def merged(session: Session, ticket: Ticket, gone: Ticket) -> None:
    """What was promised in `gone` is promised in `ticket`."""
    session.execute(update(promises).where(promises.c.ticket_id == gone.id).values(ticket_id=ticket.id, key=None))
    escalations.moved(session, PROMISE, gone.id, ticket.id)


def forget(session: Session, ticket_ids: Sequence[int]) -> None:
    """Take the words out of some tickets' promises, for a customer who is erased; nobody is reminded any more."""
    session.execute(
        update(promises)
        .where(promises.c.ticket_id.in_(ticket_ids), promises.c.state.in_(STANDING))
        .values(state=WITHDRAWN, ended_at=now(session), rings_at=None)
    )
    session.execute(update(promises).where(promises.c.ticket_id.in_(ticket_ids)).values(what=""))
    escalations.forget(session, ticket_ids)


# ── Inside ─────────────────────────────────────────────────────────────────────────────────────────


def _held(session: Session, promise_id: int, member: Member) -> tuple[Ticket, Promise]:
    """A promise about to be changed, with its ticket's turn held."""
    ticket = tickets.hold(session, get(session, promise_id).ticket_id, member)
    return ticket, get(session, promise_id)


def _end(session: Session, ticket: Ticket, promise: Promise, state: str, kind: str, member: Member) -> None:
    session.execute(
        update(promises).where(promises.c.id == promise.id).values(state=state, ended_at=now(session), rings_at=None)
    )
    escalations.end(session, PROMISE, promise.id)
    late = promise.state == MISSED
    tickets.log(session, ticket, kind, member.id, promise=promise.id, promised=promise.what, late=late)
    _happened(session, kind, ticket, promise.id)
    if promise.shown:
        _tell(session, ticket, promise.id, kind, what=promise.what, due_at=promise.due_at, agent=promise.owner)


def _tell(session: Session, ticket: Ticket, number: int, kind: str, *, what: str, due_at: datetime, agent: str) -> None:
    """Tell the customer."""
    notices.tell(
        session, kind, customer_id=ticket.customer_id, shop_id=ticket.shop_id, replaces=f"promise:{number}",
        ticket=ticket.id, promise=number, what=what, deadline=due_at.isoformat(),
        zone=shops.get(session, ticket.shop_id).timezone, agent=agent,
    )  # fmt: skip


def _happened(session: Session, kind: str, ticket: Ticket, number: int) -> None:
    events.happened(
        session, kind, customer_id=ticket.customer_id, shop_id=ticket.shop_id, ticket=ticket.id, promise=number
    )


def _owner(session: Session, ticket: Ticket, owner_id: int | None, member: Member) -> Member:
    if owner_id is None or owner_id == member.id:
        return member
    if not alerts.works_here(session, owner_id, ticket.shop_id):
        raise InvalidError("owner", "unknown", owner_id)
    return team.get(session, owner_id)


def _times(at: datetime, due_at: datetime) -> dict[str, datetime]:
    """When it is due and when it rings first. Raises InvalidError: a moment that is over, or years away."""
    if not at < due_at <= at + moments.SPAN_MAX:
        raise InvalidError("due_at", "range", due_at.isoformat())
    return {"due_at": due_at, "rings_at": max(due_at - REMIND, at + (due_at - at) / 2)}


def _what(text_: str) -> str:
    what = re.sub(r"\s+", " ", text_.replace("\x00", "")).strip()
    if not what:
        raise InvalidError("what", "empty")
    if len(what) > WHAT_CHARS_MAX:
        raise InvalidError("what", "length", len(what))
    return what
