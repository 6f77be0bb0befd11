"""Arrivals: when an order reached its buyer, as the shop's own system tells it. The first word on it stands."""

from datetime import datetime

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.orders import orders
from store import events
from store.base import Base, UtcTime, table, upsert
from store.clock import now
from store.errors import InvalidError


class ArrivalRow(Base):
    __tablename__ = "arrivals"

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcTime)


arrivals = table(ArrivalRow)


def report(session: Session, order_id: int, at: datetime) -> None:
    """Say when an order was delivered; said again changes nothing. Raises NotFoundError, InvalidError("delivered_at")."""
    order = orders.get(session, order_id)
    if at > now(session) + orders.FUTURE_MAX or at.year < 2000:
        raise InvalidError("delivered_at", "range", at)
    new = session.execute(
        upsert(session, arrivals)
        .values(order_id=order_id, at=at)
        .on_conflict_do_nothing()
        .returning(arrivals.c.order_id)
    ).first()
    if new is not None:
        events.happened(
            session, "order_delivered", customer_id=order.customer_id, shop_id=order.shop_id, order=order.external_id,
            at=at.isoformat(),
        )  # fmt: skip


def of(session: Session, order_id: int) -> datetime | None:
    """When an order was delivered; None where nobody has said."""
    return session.execute(select(arrivals.c.at).where(arrivals.c.order_id == order_id)).scalar()
