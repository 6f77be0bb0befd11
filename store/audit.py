"""The audit: which member of staff, key or command did what, append-only."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Text
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, BigId, UtcTime
from store.clock import now


class AuditRow(Base):
    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime)
    actor: Mapped[str] = mapped_column(Text)
    """`staff:4`, `key:2` or `cli`."""
    action: Mapped[str] = mapped_column(Text)
    shop_id: Mapped[int | None]
    data: Mapped[dict[str, Any]] = mapped_column(JSON)


def record(session: Session, actor: str, action: str, shop_id: int | None = None, **data: Any) -> None:
    """Write down who did what. No secrets, no full phone numbers in `data`."""
    session.add(AuditRow(at=now(session), actor=actor, action=action, shop_id=shop_id, data=data))
