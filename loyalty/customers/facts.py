"""Facts: numbers on a customer that other floors keep and segments and manners read, so that no import points up."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Text, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, BigId, UtcTime, table
from store.clock import now

OPEN_COMPLAINTS = "open_complaints"
OPEN_TICKETS = "open_tickets"
LAST_RATING = "last_rating"
"""Stars of the last rating, 1 to 5."""
DEBT = "debt"
"""đồng they owe the shop, as its own books say (an import brings it)."""
P_ALIVE = "p_alive"
"""Per cent: how likely they still come, by the forecast."""
WORTH = "worth"
"""đồng they are expected to bring in the next 365 days, by the forecast."""


class FactRow(Base):
    __tablename__ = "facts"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    customer_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    value: Mapped[int]
    at: Mapped[datetime] = mapped_column(UtcTime)


facts = table(FactRow)


def put(session: Session, customer_id: int, name: str, value: int) -> None:
    """Set a customer's fact."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    values = {"value": value, "at": now(session)}
    session.execute(
        insert(facts)
        .values(name=name, customer_id=customer_id, **values)
        .on_conflict_do_update(index_elements=["name", "customer_id"], set_=values)
    )


def get(session: Session, customer_id: int, name: str) -> int | None:
    """A customer's fact; None where it was never set."""
    f = facts.c
    return session.execute(select(f.value).where(f.name == name, f.customer_id == customer_id)).scalar()


def above(session: Session, customer_ids: Sequence[int], name: str, least: int) -> set[int]:
    """Those whose fact is above a number."""
    f = facts.c
    return set(
        session.execute(
            select(f.customer_id).where(f.name == name, f.customer_id.in_(customer_ids), f.value > least)
        ).scalars()
    )


def forget(session: Session, numbers: Sequence[int]) -> None:
    """Take out all that is kept of customers."""
    session.execute(delete(facts).where(facts.c.customer_id.in_(numbers)))


def move(session: Session, from_id: int, to_id: int) -> None:
    """In a merge what is open adds up; of the rest the last word stands."""
    f = facts.c
    rows = session.execute(select(f.name, f.value, f.at).where(f.customer_id == from_id)).all()
    for row in rows:
        there = session.execute(select(f.value, f.at).where(f.customer_id == to_id, f.name == row.name)).first()
        if row.name in {OPEN_COMPLAINTS, OPEN_TICKETS, DEBT}:
            put(session, to_id, row.name, row.value + (there.value if there else 0))
        elif there is None or row.at > there.at:
            put(session, to_id, row.name, row.value)
    session.execute(delete(facts).where(f.customer_id == from_id))
