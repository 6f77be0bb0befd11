"""Events: what happened, append-only. They feed the customer's timeline, journeys and outgoing webhooks."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, Text, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, BigId, UtcTime, table
from store.clock import now


class Event(Base):
    __tablename__ = "events"
    __table_args__ = (Index("ix_events_customer", "customer_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime)
    kind: Mapped[str] = mapped_column(Text)
    customer_id: Mapped[int | None]
    shop_id: Mapped[int | None]
    data: Mapped[dict[str, Any]] = mapped_column(JSON)


def happened(
    session: Session, kind: str, *, customer_id: int | None = None, shop_id: int | None = None, **data: Any
) -> None:
    """Write down that something happened now."""
    session.execute(
        insert(table(Event)).values(at=now(session), kind=kind, customer_id=customer_id, shop_id=shop_id, data=data)
    )
