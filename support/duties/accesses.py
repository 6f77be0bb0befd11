"""Accesses: which colleague looked at a customer's data, in the audit once for each person, customer and hour."""

from datetime import timedelta

from sqlalchemy import ColumnElement, delete, exists, literal, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import audit
from store.base import Base, table, upsert
from store.clock import now

HOUR = timedelta(hours=1)
KEPT_HOURS = 48


class AccessRow(Base):
    """Somebody looked at a customer in an hour: so much is known of it that the audit gets one line."""

    __tablename__ = "accesses"

    staff_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    customer_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hour: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Hours since 1970."""


accesses = table(AccessRow)


def noted(session: Session, staff_id: int, customer_id: int) -> bool:
    """Whether this hour's look is in the audit already: a look that costs nothing, before `note`."""
    return bool(session.execute(select(looked(session, staff_id, literal(customer_id)))).scalar())


def looked(session: Session, staff_id: int, customer_id: ColumnElement[int]) -> ColumnElement[bool]:
    """The same of a customer that another question asks about, as a part of it."""
    a = accesses.c
    return exists().where(a.staff_id == staff_id, a.customer_id == customer_id, a.hour == _hour(session))


def note(session: Session, staff_id: int, customer_id: int, shop_id: int, place: str) -> bool:
    """Write down that a colleague looked at a customer in a place (`desk`, `console`); False where it stands there."""
    new = session.execute(
        upsert(session, accesses)
        .values(staff_id=staff_id, customer_id=customer_id, hour=_hour(session))
        .on_conflict_do_nothing()
        .returning(accesses.c.hour)
    ).first()
    if new is not None:
        audit.record(session, f"staff:{staff_id}", "customer_seen", shop_id, customer=customer_id, place=place)
    return new is not None


def prune(session: Session) -> None:
    """Drop what no look can meet any more; the audit keeps it."""
    session.execute(delete(accesses).where(accesses.c.hour < _hour(session) - KEPT_HOURS))


def _hour(session: Session) -> int:
    return int(now(session).timestamp()) // 3600
