"""Erasures: customers who ask to be forgotten. With nothing open it happens at once; else it waits for what is open, and
for the law's days at the longest (Law 91/2025: an answer in 2 working days, done in 20 days).

What a request waits for is looked at when it may have changed: a row with a time, for the clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Index, Text, insert, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.customers import claims, customers
from loyalty.orders import orders
from loyalty.points import points
from loyalty.vouchers import vouchers
from store import audit, notices, shops
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ConflictError, NotFoundError
from store.staff import Member
from support import privacy, tickets
from support.deadlines.calculator import public_holidays
from support.tickets import Ticket

ANSWER_WORKING_DAYS = 2
DONE_DAYS = 20
GRACE = timedelta(minutes=1)
"""Between the yes and the end: the farewell leaves, and a slip of the thumb can be taken back."""
COUNTRY = "VN"
WAITING, DONE, WITHDRAWN = "waiting", "done", "withdrawn"
_OPEN = text("state = 'waiting'")


class ErasureRow(Base):
    __tablename__ = "erasures"
    __table_args__ = (
        Index("ix_erasures_due", "due_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("ix_erasures_customer", "customer_id", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("ix_erasures_shop", "shop_id", "state", "done_by"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    customer_id: Mapped[int]
    shop_id: Mapped[int]
    """Whose people see to it: the shop that the customer was talking to."""
    asked_at: Mapped[datetime] = mapped_column(UtcTime)
    answer_by: Mapped[datetime] = mapped_column(UtcTime)
    """The end of the second working day: until then somebody tells the customer what it waits for."""
    done_by: Mapped[datetime] = mapped_column(UtcTime)
    due_at: Mapped[datetime] = mapped_column(UtcTime)
    """When the clock erases: `done_by`, or sooner once nothing is open."""
    answered_at: Mapped[datetime | None] = mapped_column(UtcTime)
    state: Mapped[str] = mapped_column(Text)
    """waiting, done, withdrawn."""
    asked_by: Mapped[str] = mapped_column(Text)
    """`customer`, or who wrote it down for them: `staff:4`."""
    ended_by: Mapped[str | None] = mapped_column(Text)
    """`clock`, `customer`, `staff:4`."""
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Erasure:
    """A request as rules give it out; see ErasureRow."""

    id: int
    customer_id: int
    shop_id: int
    asked_at: datetime
    answer_by: datetime
    done_by: datetime
    due_at: datetime
    answered_at: datetime | None
    state: str
    asked_by: str
    ended_at: datetime | None

    @property
    def held_up(self) -> bool:
        """Whether it waits for something that is open."""
        return self.due_at == self.done_by


@dataclass(frozen=True, slots=True)
class Open:
    """What keeps a customer from being forgotten at once: requests (by number) and orders that are not over."""

    tickets: tuple[int, ...]
    orders: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.tickets or self.orders)


@dataclass(frozen=True, slots=True)
class Lost:
    """What a customer gives up: `points` available and on their way, vouchers to use, and what is open."""

    points: int
    vouchers: int
    open: Open


class ErasureStateError(ConflictError):
    """The request is done or withdrawn already."""

    code = "erasure_state"


erasures = table(ErasureRow)
_FIELDS = tuple(erasures.c[name] for name in Erasure.__dataclass_fields__)


def consequences(session: Session, customer_id: int) -> Lost:
    """What being forgotten would cost a customer. Raises NotFoundError."""
    number = customers.resolve(session, customer_id)
    available, pending, _ = points.balances(session, number)
    return Lost(available + pending, len(vouchers.wallet(session, number)), still_open(session, number))


def still_open(session: Session, customer_id: int) -> Open:
    """What of a customer's is not over."""
    t, o = tickets.tickets.c, orders.orders.c
    requests = session.execute(
        select(t.id).where(t.customer_id == customer_id, t.state.in_(tickets.ACTIVE)).order_by(t.id)
    ).scalars()
    bought = session.execute(
        select(o.external_id)
        .where(o.customer_id == customer_id, o.status == orders.Status.PENDING.value)
        .order_by(o.id)
        .limit(20)
    ).scalars()
    return Open(tuple(requests), tuple(bought))


def ask(session: Session, customer_id: int, shop_id: int, by: str = "customer") -> Erasure:
    """Ask to be forgotten; asking again changes nothing. Raises NotFoundError."""
    number = customers.lock(session, customer_id)
    known = of_customer(session, number)
    if known is not None:
        return known
    at = now(session)
    done_by = at + timedelta(days=DONE_DAYS)
    made = session.execute(
        insert(erasures)
        .values(
            customer_id=number, shop_id=shop_id, asked_at=at,
            answer_by=working_days(at, ANSWER_WORKING_DAYS, shops.get(session, shop_id).timezone), done_by=done_by,
            due_at=done_by if still_open(session, number) else at + GRACE, state=WAITING, asked_by=by,
        )
        .returning(*_FIELDS)
    ).one()  # fmt: skip
    audit.record(session, by, "erasure_asked", shop_id, customer=number)
    return Erasure(*made)


def withdraw(session: Session, customer_id: int, by: str = "customer") -> bool:
    """The customer stays after all; False where nothing was asked (any more)."""
    number = customers.lock(session, customer_id)
    ended = session.execute(
        update(erasures)
        .where(erasures.c.customer_id == number, erasures.c.state == WAITING)
        .values(state=WITHDRAWN, ended_by=by, ended_at=now(session))
        .returning(erasures.c.shop_id)
    ).scalar()
    if ended is not None:
        audit.record(session, by, "erasure_withdrawn", ended, customer=number)
    return ended is not None


def answer(session: Session, erasure_id: int, member: Member, shop_id: int) -> Erasure:
    """Tell the customer that it will be done, by when and what it waits for. Repeatable. Raises NotFoundError,
    ErasureStateError.
    """
    found = _held(session, erasure_id, shop_id)
    if found.answered_at is None:
        session.execute(update(erasures).where(erasures.c.id == erasure_id).values(answered_at=now(session)))
        waits = still_open(session, found.customer_id)
        notices.tell(
            session, "erasure_answered", customer_id=found.customer_id, shop_id=shop_id,
            done_by=found.done_by.isoformat(), zone=shops.get(session, shop_id).timezone,
            tickets=list(waits.tickets), orders=list(waits.orders),
        )  # fmt: skip
        audit.record(session, f"staff:{member.id}", "erasure_answered", shop_id, customer=found.customer_id)
    return get(session, erasure_id)


def carry_out(session: Session, erasure_id: int, member: Member, shop_id: int) -> None:
    """Forget the customer now, whatever is open. Raises NotFoundError, ErasureStateError."""
    found = _held(session, erasure_id, shop_id)
    _erase(session, found, f"staff:{member.id}")


def erase_due(session: Session, limit: int = 5) -> int:
    """Forget whose time has come; how many. For the clock."""
    rows = session.execute(
        select(*_FIELDS)
        .where(erasures.c.state == WAITING, erasures.c.due_at <= now(session))
        .order_by(erasures.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        found = Erasure(*row)
        if not found.held_up and still_open(session, found.customer_id):
            # Something was begun after the yes: it goes first, as it would have.
            session.execute(update(erasures).where(erasures.c.id == found.id).values(due_at=found.done_by))
        else:
            _erase(session, found, "clock")
    return len(rows)


def state_changed(session: Session, ticket: Ticket, before: str, by: int | None) -> None:  # noqa: ARG001
    """A request was solved: who waits for that to be forgotten need not wait longer."""
    if ticket.state in tickets.ACTIVE:
        return
    waiting = of_customer(session, ticket.customer_id)
    if waiting is not None and waiting.held_up and not still_open(session, ticket.customer_id):
        due_at = min(waiting.done_by, now(session) + GRACE)
        session.execute(update(erasures).where(erasures.c.id == waiting.id).values(due_at=due_at))


def of_customer(session: Session, customer_id: int) -> Erasure | None:
    """What a customer asked for and waits for."""
    row = session.execute(
        select(*_FIELDS).where(erasures.c.customer_id == customer_id, erasures.c.state == WAITING)
    ).first()
    return Erasure(*row) if row else None


def of_customers(session: Session, customer_ids: Sequence[int]) -> dict[int, Erasure]:
    """The same of several, by customer."""
    rows = session.execute(
        select(*_FIELDS).where(erasures.c.customer_id.in_(customer_ids), erasures.c.state == WAITING)
    )
    return {row.customer_id: Erasure(*row) for row in rows}


def waiting(session: Session, shop_id: int) -> list[Erasure]:
    """A shop's requests that wait, the most urgent first."""
    rows = session.execute(
        select(*_FIELDS)
        .where(erasures.c.shop_id == shop_id, erasures.c.state == WAITING)
        .order_by(erasures.c.done_by, erasures.c.id)
        .limit(200)
    )
    return [Erasure(*row) for row in rows]


def get(session: Session, erasure_id: int) -> Erasure:
    """A request; raises NotFoundError."""
    row = session.execute(select(*_FIELDS).where(erasures.c.id == erasure_id)).first()
    if row is None:
        raise NotFoundError("erasure", erasure_id)
    return Erasure(*row)


def working_days(at: datetime, count: int, zone: str) -> datetime:
    """The end of the `count`th working day after a moment, on the zone's clock: Saturdays, Sundays and public holidays
    don't count.
    """
    here = at.astimezone(ZoneInfo(zone))
    day = here.date()
    while count:
        day += timedelta(days=1)
        if day.weekday() < 5 and day not in public_holidays(COUNTRY, day.year):  # Monday to Friday
            count -= 1
    midnight = datetime(day.year, day.month, day.day, tzinfo=here.tzinfo) + timedelta(days=1)
    return midnight.astimezone(UTC)


def _held(session: Session, erasure_id: int, shop_id: int) -> Erasure:
    row = session.execute(
        select(*_FIELDS).where(erasures.c.id == erasure_id, erasures.c.shop_id == shop_id).with_for_update()
    ).first()
    if row is None:
        raise NotFoundError("erasure", erasure_id)
    if row.state != WAITING:
        raise ErasureStateError(row.state)
    return Erasure(*row)


def _erase(session: Session, found: Erasure, by: str) -> None:
    privacy.erase(session, found.customer_id, by)
    session.execute(
        update(erasures).where(erasures.c.id == found.id).values(state=DONE, ended_by=by, ended_at=now(session))
    )


def move(session: Session, from_id: int, to_id: int) -> None:
    """In a merge what either asked for stands, once."""
    e = erasures.c
    mine = (e.customer_id == from_id) & (e.state == WAITING)
    if of_customer(session, to_id) is not None:
        session.execute(update(erasures).where(mine).values(state=WITHDRAWN, ended_by="merge", ended_at=now(session)))
    session.execute(update(erasures).where(e.customer_id == from_id).values(customer_id=to_id))


claims.MOVES.append(move)
