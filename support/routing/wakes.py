"""Wakes: a look at a desk's queue that is due: somebody came, somebody has room again, a ticket lies there anew.

They are only ever added, so who writes one waits for nobody; the clock takes them, desk by desk.
"""

from datetime import datetime

from sqlalchemy import Index, delete, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import shops, staff
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import NotFoundError
from store.staff import Right
from support.routing import teams


class WakeRow(Base):
    """A desk to look at, or a colleague at whose desks to look."""

    __tablename__ = "routing_wakes"
    __table_args__ = (Index("ix_routing_wakes_at", "at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime)
    shop_id: Mapped[int | None]
    staff_id: Mapped[int | None]


wakes = table(WakeRow)


def desk(session: Session, shop_id: int, at: datetime | None = None) -> None:
    """Have a desk's queue looked at, now or at a later moment; nothing where it has no team."""
    if teams.on(session, shop_id):
        session.execute(insert(wakes).values(at=at or now(session), shop_id=shop_id))


def desks_of(session: Session, staff_id: int) -> None:
    """Have the queues looked at where a colleague works: they have time."""
    if teams.anywhere(session):
        session.execute(insert(wakes).values(at=now(session), staff_id=staff_id))


def first_due(session: Session) -> int | None:
    """The shop whose desk is to be looked at next. A colleague's wake becomes one of each of their desks here."""
    w = wakes.c
    while True:
        row = session.execute(
            select(w.id, w.shop_id, w.staff_id).where(w.at <= now(session)).order_by(w.at, w.id).limit(1)
        ).first()
        if row is None or row.shop_id is not None:
            return row.shop_id if row else None
        session.execute(delete(wakes).where(w.id == row.id))
        try:
            member = staff.get(session, row.staff_id)
        except NotFoundError:
            continue
        for shop_id in member.shops(Right.DESK, [shop.id for shop in shops.every(session)]):
            desk(session, shop_id)


def take(session: Session, shop_id: int) -> None:
    """Take the due wakes of a desk away; for who looks at it now and holds its turn."""
    session.execute(delete(wakes).where(wakes.c.shop_id == shop_id, wakes.c.at <= now(session)))
