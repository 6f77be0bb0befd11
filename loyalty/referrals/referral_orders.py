"""A friend's orders that count for a referral: placed after the link was opened, while something of them is paid. When the
return window of one ends, and what a point paid then, is fixed when it is first seen.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, and_, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty import programme
from store import shops
from store.base import Base, BigId, UtcTime, table
from store.clock import now


class ReferralOrder(Base):
    """A friend's order that counted, and when its return window ends."""

    __tablename__ = "referral_orders"
    __table_args__ = (UniqueConstraint("referral_id", "order_id"), Index("ix_referral_orders_order_id", "order_id"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    referral_id: Mapped[int] = mapped_column(ForeignKey("referrals.id"))
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    due_at: Mapped[datetime] = mapped_column(UtcTime)
    point_value: Mapped[int]
    """đồng that 1 point paid when the order was first seen."""


@dataclass(frozen=True, slots=True)
class Friendship:
    """A referral as its rewards need it; both sides followed through merges."""

    id: int
    referrer_id: int
    friend_id: int
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Counted:
    """An order that counts; `paid` in đồng after refunds."""

    id: int
    shop_id: int
    paid: int
    due_at: datetime
    point_value: int
    imported: bool


windows = table(ReferralOrder)


def counts_from(opened_at: datetime) -> datetime:
    """From when on orders are placed after a link was opened: by the second, for an order's time may have been cut to it."""
    return opened_at.replace(microsecond=0)


def counted(session: Session, found: Friendship, most: int) -> tuple[list[Counted], list[Counted]]:
    """The first orders that count, and with them those that counted once and still do; both in the order they were placed.
    What is seen for the first time gets its window.
    """
    from loyalty.orders.orders import IMPORT, orders
    from loyalty.orders.real import PAID, REAL

    o, w = orders.c, windows.c
    query = (
        select(o.id, o.shop_id, PAID.label("paid"), o.placed_at, o.source, w.due_at, w.point_value)
        .outerjoin(windows, and_(w.order_id == o.id, w.referral_id == found.id))
        .where(o.customer_id == found.friend_id, *REAL, o.placed_at >= counts_from(found.opened_at))
        .order_by(o.placed_at, o.id)
    )
    rows = session.execute(query.limit(most)).all()
    first = [_seen(session, found, row, imported=row.source == IMPORT) for row in rows]
    known = {order.id for order in first}
    more = [row for row in session.execute(query.where(w.id.is_not(None))).all() if row.id not in known]
    return first, first + [_seen(session, found, row, imported=row.source == IMPORT) for row in more]


def _seen(session: Session, found: Friendship, row: Any, *, imported: bool) -> Counted:
    from loyalty.orders.order_earning import held_until

    due_at, point_value = row.due_at, row.point_value
    if due_at is None:
        moment, shop = now(session), shops.get(session, row.shop_id)
        due_at = held_until(row.placed_at, shop.return_days, moment) or moment
        point_value = programme.get(session).point_value
        session.execute(
            insert(windows).values(
                referral_id=found.id, order_id=row.id, due_at=due_at, point_value=point_value
            )
        )  # fmt: skip
    return Counted(row.id, row.shop_id, int(row.paid), due_at, point_value, imported)


def tracked(session: Session, referral_id: int, order_id: int) -> bool:
    """Whether an order has counted for a referral."""
    query = select(windows.c.id).where(windows.c.referral_id == referral_id, windows.c.order_id == order_id)
    return session.execute(query).first() is not None


def take_over(session: Session, from_id: int, to_id: int) -> None:
    """Let the orders that counted for one referral count for another, with the windows they have."""
    session.execute(update(windows).where(windows.c.referral_id == from_id).values(referral_id=to_id))
