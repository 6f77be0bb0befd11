"""Calendars: a shop's opening hours, several shifts a day, with public holidays and its own days.

A change is a new row; the newest is what counts, the earlier ones say what counted then. A shop without one is taken as always
open, and its tickets have no deadlines.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import JSON, ForeignKey, Index, Text, bindparam, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import shops
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import InvalidError
from store.prepared import Prepared
from support.deadlines import calculator
from support.deadlines.calculator import DAY_MINUTES, Day, Hours, Shift

SHIFTS_MAX = 6
"""Shifts of one day."""
DAYS_MAX = 400
"""Days of its own that a shop may name."""


class CalendarRow(Base):
    __tablename__ = "calendars"
    __table_args__ = (Index("ix_calendars_shop", "shop_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    at: Mapped[datetime] = mapped_column(UtcTime)
    """Since when it counts."""
    week: Mapped[list[Any]] = mapped_column(JSON)
    """Seven days from Monday, each a list of [from, until] in minutes after midnight."""
    country: Mapped[str] = mapped_column(Text)
    """Whose public holidays are closed; empty: none's."""
    days: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The shop's own days: shifts by date (2026-02-16), none where it is closed."""


class RecountRow(Base):
    """A shop whose running deadlines are still to follow its new calendar (clocks.recount_due)."""

    __tablename__ = "calendar_recounts"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"), primary_key=True, autoincrement=False)


calendars, recounts = table(CalendarRow), table(RecountRow)
_HOURS = (shops.shops.c.timezone, calendars.c.week, calendars.c.country, calendars.c.days)
_HERS = shops.shops.c.id == calendars.c.shop_id
_LATEST = Prepared(
    select(calendars.c.id, *_HOURS)
    .where(_HERS, calendars.c.shop_id == bindparam("shop"))
    .order_by(calendars.c.id.desc())
    .limit(1)
)
_VERSION = Prepared(select(*_HOURS).where(_HERS, calendars.c.id == bindparam("which")))


def is_open(session: Session, shop_id: int, at: datetime) -> bool:
    """Whether a shop is open at a moment; one that has told no hours always is."""
    found = hours(session, shop_id)
    return found is None or calculator.is_open(found, at)


def opens_next(session: Session, shop_id: int, at: datetime) -> datetime | None:
    """The first moment from `at` on at which a shop is open: `at` itself while it is; None where it never is again."""
    found = hours(session, shop_id)
    return at if found is None else calculator.opens_next(found, at)


def hours(session: Session, shop_id: int) -> Hours | None:
    """A shop's opening hours as they are now, None where it has told none."""
    found = latest(session, shop_id)
    return found[1] if found else None


def latest(session: Session, shop_id: int) -> tuple[int, Hours] | None:
    """The number and the hours of a shop's newest calendar. On the way of a ticket's first message."""
    found = _LATEST(session, shop=shop_id)
    return (found[0][0], _hours(*found[0][1:])) if found else None


def of_shops(session: Session, shop_ids: Sequence[int]) -> dict[int, Hours]:
    """The hours of several shops as they are now; one that has told none is left out."""
    c = calendars.c
    newest = select(func.max(c.id)).where(c.shop_id.in_(shop_ids)).group_by(c.shop_id)
    rows = session.execute(select(c.shop_id, *_HOURS).where(_HERS, c.id.in_(newest)))
    return {row[0]: _hours(*row[1:]) for row in rows}


def version(session: Session, calendar_id: int) -> Hours:
    """The hours by one version of a calendar."""
    [found] = _VERSION(session, which=calendar_id)
    return _hours(*found)


def closing(hours: Hours, at: datetime) -> time:
    """The time at which the day of a moment closes; 17:00 on one that is closed."""
    shifts = hours.on(at.astimezone(ZoneInfo(hours.zone)).date())
    last = min(max((end for _, end in shifts), default=17 * 60), DAY_MINUTES - 1)
    return time(last // 60, last % 60)


def save(
    session: Session, shop_id: int, week: Sequence[Sequence[Shift]], country: str, days: Mapping[date, Sequence[Shift]]
) -> int | None:
    """Set a shop's opening hours from now on; the number of the new calendar, None where nothing changed.

    Raises InvalidError: `week` (empty, never open), `week:<day>` or `days:<date>` (shift: not a stretch of a day; overlap;
    count), `days` (count), `country` (unknown); NotFoundError (shop).
    """
    shop = shops.get(session, shop_id)
    if len(week) != 7 or not any(week):
        raise InvalidError("week", "empty")
    if country and country not in countries():
        raise InvalidError("country", "unknown", country)
    if len(days) > DAYS_MAX:
        raise InvalidError("days", "count", len(days))
    whole = tuple(_checked(f"week:{place}", shifts) for place, shifts in enumerate(week))
    own = {day: _checked(f"days:{day.isoformat()}", shifts) for day, shifts in sorted(days.items())}
    if hours(session, shop_id) == Hours(shop.timezone, whole, country, own):
        return None
    values = {
        "week": [[list(shift) for shift in day] for day in whole], "country": country,
        "days": {day.isoformat(): [list(shift) for shift in shifts] for day, shifts in own.items()},
    }  # fmt: skip
    number = session.execute(
        insert(calendars).values(shop_id=shop_id, at=now(session), **values).returning(calendars.c.id)
    ).scalar_one()
    asked = select(recounts.c.shop_id).where(recounts.c.shop_id == shop_id).with_for_update()
    if session.execute(asked).first() is None:
        with suppress(IntegrityError), session.begin_nested():
            session.execute(insert(recounts).values(shop_id=shop_id))
    return int(number)


def countries() -> frozenset[str]:
    """The countries (ISO 3166) whose public holidays are known."""
    import holidays

    return frozenset(holidays.list_supported_countries(include_aliases=False))


def _hours(zone: str, week: list[Any], country: str, days: dict[str, Any]) -> Hours:
    return Hours(
        zone, tuple(_day(shifts) for shifts in week), country,
        {date.fromisoformat(day): _day(shifts) for day, shifts in days.items()},
    )  # fmt: skip


def _day(shifts: Sequence[Sequence[int]]) -> Day:
    return tuple((begin, end) for begin, end in shifts)


def _checked(field: str, shifts: Sequence[Shift]) -> Day:
    if len(shifts) > SHIFTS_MAX:
        raise InvalidError(field, "count", len(shifts))
    ordered = tuple(sorted((int(begin), int(end)) for begin, end in shifts))
    last = 0
    for begin, end in ordered:
        if not (0 <= begin < DAY_MINUTES and begin < end <= begin + DAY_MINUTES):
            raise InvalidError(field, "shift", f"{begin}-{end}")
        if begin < last:
            raise InvalidError(field, "overlap", f"{begin}-{end}")
        last = end
    return ordered
