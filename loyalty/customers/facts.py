"""Facts: numbers on a customer that other floors keep and segments and manners read, so that no import points up."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Text, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import ROWS, Base, BigId, UtcTime, raw, table, to_micros
from store.clock import now

OPEN_COMPLAINTS = "open_complaints"
OPEN_TICKETS = "open_tickets"
LAST_RATING = "last_rating"
"""Stars of the last rating, 1 to 5."""
DEBT = "debt"
"""đồng they owe the shop, as its own books say (an import brings it)."""
LAST_BOUGHT = "last_bought"
"""When they last bought by the shop's own books (an import brings it), as microseconds since 1970."""
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
    put_many(session, name, [(customer_id, value)])


def put_many(session: Session, name: str, values: Sequence[tuple[int, int]]) -> None:
    """Set the same fact of many customers, by their numbers."""
    moment = to_micros(now(session))
    for start in range(0, len(values), ROWS):
        part = values[start : start + ROWS]
        marks = ", ".join(["(?, ?, ?, ?)"] * len(part))
        raw(
            session,
            f"INSERT INTO facts (name, customer_id, value, at) VALUES {marks} "  # noqa: S608  # marks alone
            "ON CONFLICT (name, customer_id) DO UPDATE SET value = excluded.value, at = excluded.at",
            [cell for customer_id, value in part for cell in (name, customer_id, value, moment)],
        )


def clear(session: Session, names: Sequence[str], before: datetime, limit: int) -> int:
    """Take out facts that were last set before a moment, so many of them; how many that were."""
    f = facts.c
    old = select(f.customer_id).where(f.name.in_(names), f.at < before).distinct().limit(limit)
    found = session.execute(old).scalars().all()
    session.execute(delete(facts).where(f.name.in_(names), f.customer_id.in_(found), f.at < before))
    return len(found)


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
        elif row.name == LAST_BOUGHT:
            put(session, to_id, row.name, max(row.value, there.value if there else 0))
        elif there is None or row.at > there.at:
            put(session, to_id, row.name, row.value)
    session.execute(delete(facts).where(f.customer_id == from_id))
