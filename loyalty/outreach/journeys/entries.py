"""Entries: who came into a segment since it was last looked at, once a day. A row says that somebody was in it then."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.customers.customers import customers
from loyalty.outreach.segments import saved, segments
from store.base import Base, BigId, table
from store.errors import NotFoundError

PAGE = 1_000
"""Customers looked at in one go."""


class EntryRow(Base):
    """Somebody who was in a journey's segment when it was last looked at."""

    __tablename__ = "journey_entries"

    journey_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    customer_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)


entries = table(EntryRow)


def look(
    session: Session, journey_id: int, segment: tuple[int, int], zone: str, day: date, after: int
) -> tuple[list[tuple[int, str]], int | None]:
    """Look at the customers after a number: who came in (customer, occurrence), and where to go on, None at the end.

    `segment` is (segment, shop). Who was in it when the journey first looked did not come in: say so by not beginning them.
    A segment that was taken out has nobody.
    """
    c, e = customers.c, entries.c
    ids = session.execute(select(c.id).where(c.id > after).order_by(c.id).limit(PAGE)).scalars().all()
    try:
        wanted = saved.get(session, *segment).criteria
    except NotFoundError:
        return [], None
    inside = segments.holds(session, wanted, zone, ids) if ids else set()
    span = (
        e.journey_id == journey_id,
        e.customer_id > after,
        *([e.customer_id <= ids[-1]] if len(ids) == PAGE else []),
    )
    were = set(session.execute(select(e.customer_id).where(*span)).scalars())
    fresh = sorted(inside - were)
    if fresh:
        session.execute(insert(entries), [{"journey_id": journey_id, "customer_id": who} for who in fresh])
    if gone := were - inside:
        session.execute(delete(entries).where(e.journey_id == journey_id, e.customer_id.in_(gone)))
    return [(who, day.isoformat()) for who in fresh], ids[-1] if len(ids) == PAGE else None


def forget_journey(session: Session, journey_id: int) -> None:
    """Begin anew: whoever is in the segment at the next look was there before."""
    session.execute(delete(entries).where(entries.c.journey_id == journey_id))


def forget(session: Session, numbers: Sequence[int]) -> None:
    """Take out what is kept of customers; they come in anew where they still belong."""
    session.execute(delete(entries).where(entries.c.customer_id.in_(numbers)))


def move(session: Session, from_id: int, to_id: int) -> None:
    """In a merge: whoever either of them was."""
    e = entries.c
    there = set(session.execute(select(e.journey_id).where(e.customer_id == to_id)).scalars())
    for number in session.execute(select(e.journey_id).where(e.customer_id == from_id)).scalars().all():
        if number not in there:
            session.execute(insert(entries).values(journey_id=number, customer_id=to_id))
    forget(session, [from_id])
