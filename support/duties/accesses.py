"""Accesses: who looked at a customer's data, in the audit once a day for each person (or API key, or the team's forum) and
customer.
"""

from datetime import timedelta

from sqlalchemy import ColumnElement, Text, delete, exists, literal, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import audit
from store.base import Base, table, upsert
from store.clock import now

DAY = timedelta(days=1)
KEPT_DAYS = 2
FORUM = "forum"
"""The actor of what the team's forum shows to all who are in it."""


class AccessRow(Base):
    """Somebody looked at a customer on a day: so much is known of it that the audit gets one line."""

    __tablename__ = "accesses"

    actor: Mapped[str] = mapped_column(Text, primary_key=True)
    """`staff:4`, `key:2`, `forum`: as the audit has it."""
    customer_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Days since 1970, UTC."""


accesses = table(AccessRow)


def noted(session: Session, actor: str, customer_id: int) -> bool:
    """Whether this day's look is in the audit already: a look that costs nothing, before `note`."""
    return bool(session.execute(select(looked(session, actor, literal(customer_id)))).scalar())


def looked(session: Session, actor: str, customer_id: ColumnElement[int]) -> ColumnElement[bool]:
    """The same of a customer that another question asks about, as a part of it."""
    a = accesses.c
    return exists().where(a.actor == actor, a.customer_id == customer_id, a.day == _day(session))


def note(session: Session, actor: str, customer_id: int, shop_id: int, place: str) -> bool:
    """Write down that somebody looked at a customer in a place (`desk`, `console`, `till`, `api`, `forum`); False where it
    stands there.
    """
    new = session.execute(
        upsert(session, accesses)
        .values(actor=actor, customer_id=customer_id, day=_day(session))
        .on_conflict_do_nothing()
        .returning(accesses.c.day)
    ).first()
    if new is not None:
        audit.record(session, actor, "customer_seen", shop_id, customer=customer_id, place=place)
    return new is not None


def prune(session: Session) -> None:
    """Drop what no look can meet any more; the audit keeps it."""
    session.execute(delete(accesses).where(accesses.c.day < _day(session) - KEPT_DAYS))


def _day(session: Session) -> int:
    return int(now(session).timestamp()) // int(DAY.total_seconds())
