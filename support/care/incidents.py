"""Incidents: one mishap behind many customers. Everybody it touched hears of it once, what they answer hangs on it, and its
end tells them all. Who is still to be told is a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ForeignKey, Index, Text, bindparam, delete, func, insert, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.customers import claims
from loyalty.orders import bought
from loyalty.orders.orders import Status, orders
from store import audit, notices, shops
from store.base import Base, BigId, UtcTime, table
from store.clock import midnight, now
from store.errors import ConflictError, InvalidError, NotFoundError
from store.prepared import Prepared
from store.staff import Member, Right
from support import tickets
from support.tickets import Ticket

TITLE_CHARS_MAX, WORDS_CHARS_MAX = 100, 2_000
DAYS_MAX = 92
PEOPLE_MAX = 20_000
BATCH = 50
_TO_TELL = text("tell IS NOT NULL")


class IncidentRow(Base):
    __tablename__ = "incidents"
    __table_args__ = (Index("ix_incidents_shop", "shop_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    title: Mapped[str] = mapped_column(Text)
    """For the team."""
    words: Mapped[str] = mapped_column(Text)
    """What customers are told at its beginning."""
    over: Mapped[str] = mapped_column(Text)
    """And at its end; empty until then."""
    opened_by: Mapped[int]
    opened_at: Mapped[datetime] = mapped_column(UtcTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcTime)


class TouchedRow(Base):
    """A customer whom an incident touched, and the ticket in which they answered."""

    __tablename__ = "incident_people"
    __table_args__ = (
        Index("ix_incident_people_tell", "tell", sqlite_where=_TO_TELL, postgresql_where=_TO_TELL),
        Index("ix_incident_people_customer", "customer_id"),
        Index("ix_incident_people_ticket", "ticket_id"),
    )

    incident_id: Mapped[int] = mapped_column(ForeignKey("incidents.id"), primary_key=True)
    customer_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    tell: Mapped[str | None] = mapped_column(Text)
    """words or over: what they are still to be told."""
    told_at: Mapped[datetime | None] = mapped_column(UtcTime)
    ticket_id: Mapped[int | None]


@dataclass(frozen=True, slots=True)
class Incident:
    """See IncidentRow; `people` it touched, `told` of them have heard of it, `tickets` hang on it."""

    id: int
    shop_id: int
    title: str
    words: str
    over: str
    opened_at: datetime
    closed_at: datetime | None
    people: int = 0
    told: int = 0
    tickets: int = 0


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom an incident touches: who bought at the shop from one of its days to another (an item of a name among it, where
    one is given), and the customers of chosen tickets.
    """

    first: date | None = None
    last: date | None = None
    item: str = ""
    tickets: tuple[int, ...] = ()


class IncidentOverError(ConflictError):
    """It was closed before."""

    code = "incident_over"


incidents, touched_people = table(IncidentRow), table(TouchedRow)
_ANSWERED = Prepared(
    select(touched_people.c.incident_id, incidents.c.title)
    .join(incidents, incidents.c.id == touched_people.c.incident_id)
    .where(
        touched_people.c.customer_id == bindparam("customer"), touched_people.c.ticket_id.is_(None),
        touched_people.c.told_at.is_not(None), incidents.c.shop_id == bindparam("shop"), incidents.c.closed_at.is_(None),
    )
    .order_by(touched_people.c.incident_id.desc())
    .limit(1)
)  # fmt: skip
_FIELDS = tuple(
    incidents.c[name] for name in ("id", "shop_id", "title", "words", "over", "opened_at", "closed_at")
)  # fmt: skip


def touched(session: Session, shop_id: int, reach: Reach) -> dict[int, int | None]:
    """The customers that are touched, with the chosen ticket of each where there is one. Raises InvalidError."""
    found: dict[int, int | None] = {}
    t, o = tickets.tickets.c, orders.c
    chosen = session.execute(select(t.id, t.customer_id).where(t.shop_id == shop_id, t.id.in_(reach.tickets))).all()
    if len(chosen) < len(set(reach.tickets)):
        raise InvalidError("tickets", "unknown", min(set(reach.tickets) - {row.id for row in chosen}))
    found |= {row.customer_id: row.id for row in chosen}
    if reach.first is not None and reach.last is not None:
        if not timedelta(0) <= reach.last - reach.first <= timedelta(days=DAYS_MAX):
            raise InvalidError("last", "range", reach.last.isoformat())
        zone = ZoneInfo(shops.get(session, shop_id).timezone)
        begin = midnight(reach.first, zone)
        end = midnight(reach.last + timedelta(days=1), zone)
        query = select(o.customer_id).distinct().where(
            o.shop_id == shop_id, o.placed_at >= begin, o.placed_at < end, o.customer_id.is_not(None),
            o.status != Status.CANCELLED.value,
        )  # fmt: skip
        if reach.item.strip():
            b = bought.bought.c
            query = query.where(
                o.id.in_(select(b.order_id).where(b.kind == bought.ITEM, b.name == bought.folded(reach.item)))
            )
        for number in session.execute(query.limit(PEOPLE_MAX)).scalars():
            found.setdefault(number, None)
    return found


def begin(session: Session, member: Member, shop_id: int, title: str, words: str, reach: Reach) -> int:
    """Open an incident and tell everybody it touches; its number. Raises InvalidError (`people`: nobody), ForbiddenError."""
    member.need(Right.CONSOLE, shop_id)
    said, called = _said("words", words, WORDS_CHARS_MAX), _said("title", title, TITLE_CHARS_MAX)
    people = touched(session, shop_id, reach)
    if not people:
        raise InvalidError("people", "empty")
    number = int(
        session.execute(
            insert(incidents)
            .values(shop_id=shop_id, title=called, words=said, over="", opened_by=member.id, opened_at=now(session))
            .returning(incidents.c.id)
        ).scalar_one()
    )
    session.execute(
        insert(touched_people),
        [
            {"incident_id": number, "customer_id": customer, "tell": "words", "ticket_id": ticket}
            for customer, ticket in people.items()
        ],
    )
    for ticket in people.values():
        if ticket is not None:
            _noted(session, tickets.hold(session, ticket, member), number, called, member.id)
    audit.record(session, f"staff:{member.id}", "incident_opened", shop_id, incident=number, n=len(people))
    return number


def close(session: Session, incident_id: int, member: Member, shop_id: int, words: str) -> None:
    """It is over: everybody who was told of it hears so. Raises NotFoundError, InvalidError, IncidentOverError."""
    member.need(Right.CONSOLE, shop_id)
    row = session.execute(
        select(incidents.c.closed_at)
        .where(incidents.c.id == incident_id, incidents.c.shop_id == shop_id)
        .with_for_update()
    ).first()
    if row is None:
        raise NotFoundError("incident", incident_id)
    if row.closed_at is not None:
        raise IncidentOverError("incident")
    said = _said("over", words, WORDS_CHARS_MAX)
    session.execute(update(incidents).where(incidents.c.id == incident_id).values(over=said, closed_at=now(session)))
    # Who has not even heard of its beginning is spared the end.
    t = touched_people.c
    session.execute(update(touched_people).where(t.incident_id == incident_id, t.tell == "words").values(tell=None))
    session.execute(
        update(touched_people).where(t.incident_id == incident_id, t.told_at.is_not(None)).values(tell="over")
    )
    audit.record(session, f"staff:{member.id}", "incident_closed", shop_id, incident=incident_id)


def tell_due(session: Session) -> int:
    """Tell a batch of those who are still to hear of a beginning or an end; how many. For the clock."""
    t, i = touched_people.c, incidents.c
    rows = session.execute(
        select(t.incident_id, t.customer_id, t.tell, i.shop_id, i.words, i.over)
        .join(incidents, i.id == t.incident_id)
        .where(t.tell.is_not(None))
        .order_by(t.incident_id, t.customer_id)
        .limit(BATCH)
        .with_for_update(of=touched_people, skip_locked=True)
    ).all()
    for row in rows:
        kind = "incident" if row.tell == "words" else "incident_over"
        notices.tell(
            session, kind, customer_id=row.customer_id, shop_id=row.shop_id,
            words=row.words if row.tell == "words" else row.over, incident=row.incident_id,
        )  # fmt: skip
        session.execute(
            update(touched_people)
            .where(t.incident_id == row.incident_id, t.customer_id == row.customer_id)
            .values(tell=None, told_at=now(session))
        )
    return len(rows)


def customer_said(session: Session, ticket: Ticket, message_id: int, said: str) -> None:  # noqa: ARG001
    """What a customer writes after they heard of an incident hangs their ticket on it, once."""
    t = touched_people.c
    for incident_id, title in _ANSWERED(session, customer=ticket.customer_id, shop=ticket.shop_id):
        session.execute(
            update(touched_people)
            .where(t.incident_id == incident_id, t.customer_id == ticket.customer_id)
            .values(ticket_id=ticket.id)
        )
        _noted(session, ticket, incident_id, title, None)


def of_shop(session: Session, shop_id: int) -> list[Incident]:
    """A shop's incidents, the newest first."""
    rows = session.execute(
        select(*_FIELDS).where(incidents.c.shop_id == shop_id).order_by(incidents.c.id.desc()).limit(100)
    ).all()
    return _counted(session, rows)


def get(session: Session, incident_id: int, shop_id: int) -> Incident:
    """An incident; raises NotFoundError."""
    rows = session.execute(
        select(*_FIELDS).where(incidents.c.id == incident_id, incidents.c.shop_id == shop_id)
    ).all()  # fmt: skip
    if not rows:
        raise NotFoundError("incident", incident_id)
    return _counted(session, rows)[0]


def tickets_of(session: Session, incident_id: int) -> list[int]:
    """The tickets that hang on it."""
    t = touched_people.c
    rows = session.execute(
        select(t.ticket_id).where(t.incident_id == incident_id, t.ticket_id.is_not(None)).order_by(t.ticket_id)
    )
    return list(rows.scalars())


def of_tickets(session: Session, ticket_ids: Sequence[int]) -> dict[int, Incident]:
    """The incident of each ticket that hangs on one."""
    t = touched_people.c
    rows = session.execute(
        select(t.ticket_id, *_FIELDS)
        .join(incidents, incidents.c.id == t.incident_id)
        .where(t.ticket_id.in_(ticket_ids))
        .order_by(t.incident_id)
    )
    return {row.ticket_id: Incident(*list(row)[1:]) for row in rows}


def merged(session: Session, ticket: Ticket, gone: Ticket) -> None:
    """What hung on a ticket that became a part of another hangs on that one."""
    t = touched_people.c
    session.execute(update(touched_people).where(t.ticket_id == gone.id).values(ticket_id=ticket.id))


def forget(session: Session, customer_ids: Sequence[int]) -> None:
    """Tell them nothing more."""
    t = touched_people.c
    session.execute(update(touched_people).where(t.customer_id.in_(customer_ids)).values(tell=None))


def move(session: Session, from_id: int, to_id: int) -> None:
    """In a merge both are one: of two rows of one incident the account's own stays."""
    t = touched_people.c
    own = set(session.execute(select(t.incident_id).where(t.customer_id == to_id)).scalars())
    session.execute(delete(touched_people).where(t.customer_id == from_id, t.incident_id.in_(own)))
    session.execute(update(touched_people).where(t.customer_id == from_id).values(customer_id=to_id))


def _counted(session: Session, rows: Sequence[Any]) -> list[Incident]:
    t = touched_people.c
    counts = {
        row.incident_id: (row.people, row.told, row.tickets)
        for row in session.execute(
            select(
                t.incident_id, func.count().label("people"), func.count(t.told_at).label("told"),
                func.count(t.ticket_id.distinct()).label("tickets"),
            )
            .where(t.incident_id.in_([row.id for row in rows]))
            .group_by(t.incident_id)
        )
    }  # fmt: skip
    return [Incident(*(*row, *counts.get(row.id, (0, 0, 0)))) for row in rows]


def _noted(session: Session, ticket: Ticket, incident_id: int, title: str, by: int | None) -> None:
    tickets.log(session, ticket, "incident", by, incident=incident_id, title=title)


def _said(field: str, words: str, most: int) -> str:
    said = words.replace("\x00", "").strip()
    if not 0 < len(said) <= most:
        raise InvalidError(field, "length", len(said))
    return said


claims.MOVES.append(move)
