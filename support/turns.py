"""Turns: numbers given one after the other. Who takes one holds its row until their work ends, so all that is done under
one name (a shop's desk) stands one after the other.
"""

from sqlalchemy import Text, bindparam, insert, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, table
from store.prepared import Prepared


class CounterRow(Base):
    """Numbers given one after the other: `tickets` (ticket numbers), `desk:1` (changes at the desk of shop 1)."""

    __tablename__ = "desk_counters"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[int]


counters = table(CounterRow)
_STEP = Prepared(
    update(counters)
    .where(counters.c.name == bindparam("counted"))
    .values(value=counters.c.value + 1)
    .returning(counters.c.value)
)


def take(session: Session, name: str, first: int = 1) -> int:
    """The next number of a counter, whose row this work holds from now on."""
    given = _STEP(session, counted=name)
    if not given:
        try:
            with session.begin_nested():
                session.execute(insert(counters).values(name=name, value=first - 1))
        except IntegrityError:
            # Another replica has just begun the same count.
            pass
        given = _STEP(session, counted=name)
    return int(given[0][0])
