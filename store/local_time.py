"""The calendar in SQL: on which day and at which hour of a time zone a kept moment lies.

Moments are kept as microseconds of UTC, which no database can turn into a zone's day by itself. A zone's offsets are few, so
they are written into the statement.
"""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, ColumnElement, case, literal, type_coerce

from store.base import to_micros

HOUR = 3_600_000_000
DAY = 24 * HOUR
FIRST = datetime(2015, 1, 1, tzinfo=UTC)
"""What lies before it is read on the clock of this day."""
AHEAD = timedelta(days=366)
UNIX_DAY = date(1970, 1, 1).toordinal()


def day(column: ColumnElement[Any], zone: ZoneInfo, now: datetime) -> ColumnElement[int]:
    """The day of a moment, numbered as `date.toordinal` does. `now`: no moment lies more than a year after it."""
    return _local(column, zone, now) // DAY + UNIX_DAY


def weekday(column: ColumnElement[Any], zone: ZoneInfo, now: datetime) -> ColumnElement[int]:
    """0 for Monday to 6 for Sunday."""
    return (_local(column, zone, now) // DAY + 3) % 7


def hour(column: ColumnElement[Any], zone: ZoneInfo, now: datetime) -> ColumnElement[int]:
    """0 to 23."""
    return _local(column, zone, now) // HOUR % 24


def _local(column: ColumnElement[Any], zone: ZoneInfo, now: datetime) -> ColumnElement[int]:
    at = type_coerce(column, BigInteger)
    *earlier, last = _offsets(zone, now.year)
    if not earlier:
        return at + literal(last[1], BigInteger)
    return at + case(*((at < until, offset) for until, offset in earlier), else_=last[1])


@cache
def _offsets(zone: ZoneInfo, year: int) -> list[tuple[int, int]]:
    """(until when, offset) in microseconds, in rising order; the last one stays."""
    found, begin = [], FIRST
    last = datetime(year, 12, 31, tzinfo=UTC) + AHEAD
    while begin < last:
        end, offset = begin + timedelta(days=1), begin.astimezone(zone).utcoffset()
        if end.astimezone(zone).utcoffset() != offset:
            low, high = begin, end
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // 2
                low, high = (middle, high) if middle.astimezone(zone).utcoffset() == offset else (low, middle)
            found.append((to_micros(high.replace(microsecond=0)), _micros(offset)))
        begin = end
    return [*found, (to_micros(last), _micros(last.astimezone(zone).utcoffset()))]


def _micros(span: timedelta | None) -> int:
    return (span or timedelta()) // timedelta(microseconds=1)
