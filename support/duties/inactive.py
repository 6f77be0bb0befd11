"""Inactive: customers who haven't come for as long as the shops say are told, and forgotten 30 days later unless they come.

Coming is an order, a message or a tap, a ticket that is spoken in. Nobody is looked for until an owner sets the months.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Index, delete, exists, func, insert, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.customers import claims
from loyalty.customers.customers import customers, identities
from loyalty.orders.orders import Status, orders
from loyalty.points import points
from loyalty.vouchers import vouchers
from store import audit, notices, options, shops
from store.base import Base, UtcTime, table
from store.clock import now
from store.errors import InvalidError
from store.staff import Member, Right
from support import privacy
from support.duties.erasures import ErasureRow
from support.duties.retention import MONTH
from support.tickets import ACTIVE, tickets

OPTION = "inactive"
"""{months}: after how many somebody is inactive."""
NIGHT = "inactive_night"
"""{at, after}: when all were last looked at, and how far a look that isn't over has come."""
MONTHS = (12, 240)
WARNING = timedelta(days=30)
DAY = timedelta(days=1)
LOOKED_AT = 500


class InactiveRow(Base):
    """A customer who is to be forgotten."""

    __tablename__ = "inactive_customers"
    __table_args__ = (Index("ix_inactive_customers_due", "due_at"),)

    customer_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    told_at: Mapped[datetime] = mapped_column(UtcTime)
    due_at: Mapped[datetime] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many are to be forgotten, and when the first of them is."""

    count: int
    first: datetime | None


inactives = table(InactiveRow)
erasures = table(ErasureRow)


def months(session: Session) -> int:
    """After how many months without a sign somebody is forgotten; 0: never."""
    return int((options.get(session, OPTION) or {}).get("months", 0))


def change(session: Session, member: Member, wanted: int) -> None:
    """Forget customers after another number of months, 0 for never: who was told already is told in vain and stays. Raises
    InvalidError("inactive"), ForbiddenError (an owner of all shops only).
    """
    if not member.everywhere(Right.STAFF):
        member.need(Right.STAFF, -1)
    check(wanted)
    before = months(session)
    if wanted != before:
        options.put(session, OPTION, {"months": wanted})
        if not wanted or wanted > before > 0:
            session.execute(delete(inactives))
        audit.record(
            session, f"staff:{member.id}", "retention_changed", before={"inactive": before}, after={"inactive": wanted}
        )


def check(wanted: int) -> None:
    """Raises InvalidError("inactive") for months that can't be."""
    low, high = MONTHS
    if wanted and not low <= wanted <= high:
        raise InvalidError("inactive", "range", wanted)


def count(session: Session, wanted: int) -> int:
    """How many customers have been inactive for so many months, as of now."""
    query = select(func.count()).select_from(customers).where(*_gone_since(now(session) - MONTH * wanted))
    return int(session.execute(query).scalar_one())


def waiting(session: Session) -> Waiting:
    """Who has been told and is not forgotten yet."""
    return Waiting(*session.execute(select(func.count(), func.min(inactives.c.due_at))).one())


def look(session: Session) -> int:
    """Tell the next of those who became inactive, each customer looked at once a night; how many were looked at. For the
    clock's sweeps.
    """
    at, last_time, after_months = now(session), options.get(session, NIGHT) or {}, months(session)
    if not after_months:
        return 0
    begun, after = last_time.get("at"), int(last_time.get("after") or 0)
    if not after:
        if begun and at - datetime.fromisoformat(begun) < DAY:
            return 0
        begun = at.isoformat()
    c = customers.c
    last = session.execute(select(c.id).where(c.id > after).order_by(c.id).limit(1).offset(LOOKED_AT - 1)).scalar()
    part = (c.id > after,) if last is None else (c.id > after, c.id <= last)
    found = session.execute(
        select(c.id, c.home_shop_id).where(*part, *_gone_since(at - MONTH * after_months)).order_by(c.id)
    ).all()  # fmt: skip
    for row in found:
        _tell(session, row.id, row.home_shop_id, after_months)
    options.put(session, NIGHT, {"at": begun, "after": last or 0})
    return LOOKED_AT if last is not None else 0


def _gone_since(before: datetime) -> Sequence[ColumnElement[bool]]:
    """That a customer has given no sign since a time, has nothing open, and isn't told or forgotten already."""
    c, i, t, o, e, told = customers.c, identities.c, tickets.c, orders.c, erasures.c, inactives.c
    return (
        c.merged_into.is_(None),
        c.erased_at.is_(None),
        c.joined_at < before,
        or_(c.last_order_at.is_(None), c.last_order_at < before),
        ~exists().where(i.customer_id == c.id, i.last_seen_at >= before),
        ~exists().where(t.customer_id == c.id, or_(t.updated_at >= before, t.state.in_(ACTIVE))),
        ~exists().where(o.customer_id == c.id, o.status == Status.PENDING.value),
        ~exists().where(e.customer_id == c.id, e.state == "waiting"),
        ~exists().where(told.customer_id == c.id),
    )


def _tell(session: Session, customer_id: int, shop_id: int | None, after: int) -> None:
    at = now(session)
    session.execute(insert(inactives).values(customer_id=customer_id, told_at=at, due_at=at + WARNING))
    shop = shops.get(session, shop_id) if shop_id else shops.every(session)[0]
    available, pending, _ = points.balances(session, customer_id)
    notices.tell(
        session, "inactive_warning", customer_id=customer_id, shop_id=shop.id, replaces=f"inactive:{customer_id}",
        shop=shop.name, months=after, done_by=(at + WARNING).isoformat(), zone=shop.timezone,
        points=available + pending, vouchers=len(vouchers.wallet(session, customer_id)),
    )  # fmt: skip


def forget_due(session: Session, limit: int = 5) -> int:
    """Forget whose time has come, unless they gave a sign since they were told; how many rows that were. For the clock."""
    rows = session.execute(
        select(inactives.c.customer_id, inactives.c.told_at)
        .where(inactives.c.due_at <= now(session))
        .order_by(inactives.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    on = months(session) > 0
    for row in rows:
        session.execute(delete(inactives).where(inactives.c.customer_id == row.customer_id))
        still = select(customers.c.id).where(customers.c.id == row.customer_id, *_gone_since(row.told_at))
        if on and session.execute(still).first() is not None:
            privacy.erase(session, row.customer_id, "clock")
    return len(rows)


def move(session: Session, from_id: int, to_id: int) -> None:
    """Who turns out to be somebody else has just come."""
    session.execute(delete(inactives).where(inactives.c.customer_id.in_((from_id, to_id))))


claims.MOVES.append(move)
