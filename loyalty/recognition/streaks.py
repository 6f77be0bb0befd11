"""Streaks: days or weeks in a row with a visit, by the shop's calendar. Nothing of it is kept: it is read off the orders."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sqlalchemy import ForeignKey, Text, delete, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, table


class Unit(StrEnum):
    DAY = "day"
    WEEK = "week"
    """From Monday."""


class StreakRow(Base):
    """A shop that counts streaks; one that isn't here doesn't."""

    __tablename__ = "streaks"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"), primary_key=True, autoincrement=False)
    unit: Mapped[str] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class Run:
    """So many units in a row, the first being number `first` since the year 1."""

    first: int
    length: int

    @property
    def last(self) -> int:
        return self.first + self.length - 1


@dataclass(frozen=True, slots=True)
class Streak:
    """How a customer's streak stands: `length` now (0: broken or none), `best` ever, `today` whether the unit that runs has
    its visit already, `keep_by` the last day for a visit that carries it on.
    """

    unit: Unit
    length: int
    best: int
    today: bool
    keep_by: date | None


streaks = table(StreakRow)


def unit_of(session: Session, shop_id: int) -> Unit | None:
    """What a shop counts streaks in; None where it doesn't."""
    found = session.execute(select(streaks.c.unit).where(streaks.c.shop_id == shop_id)).scalar()
    return Unit(found) if found else None


def set_unit(session: Session, shop_id: int, unit: Unit | None) -> None:
    """Have a shop count streaks, or not."""
    session.execute(delete(streaks).where(streaks.c.shop_id == shop_id))
    if unit is not None:
        session.execute(insert(streaks).values(shop_id=shop_id, unit=unit.value))


def number(day: date, unit: Unit) -> int:
    """The number of the day, or of its week, since the year 1."""
    return day.toordinal() if unit is Unit.DAY else (day.toordinal() - 1) // 7


def first_day(number: int, unit: Unit) -> date:
    """The day that a unit begins with."""
    return date.fromordinal(number if unit is Unit.DAY else number * 7 + 1)


def runs(days: Iterable[date], unit: Unit) -> list[Run]:
    """The runs of units in a row, oldest first."""
    found: list[Run] = []
    for one in sorted({number(day, unit) for day in days}):
        if found and one == found[-1].last + 1:
            found[-1] = Run(found[-1].first, found[-1].length + 1)
        else:
            found.append(Run(one, 1))
    return found


def standing(days: Iterable[date], unit: Unit, today: date) -> Streak:
    """How a streak stands on a day; days after it (a clock that ran ahead) don't count yet."""
    found = runs((day for day in days if day <= today), unit)
    best = max((run.length for run in found), default=0)
    now = number(today, unit)
    if not found or found[-1].last < now - 1:
        return Streak(unit, 0, best, today=False, keep_by=None)
    done = found[-1].last == now
    # The run goes on with a visit in the unit after its last one: its last day.
    keep_by = date.fromordinal(first_day(found[-1].last + 2, unit).toordinal() - 1)
    return Streak(unit, found[-1].length, best, today=done, keep_by=keep_by)
