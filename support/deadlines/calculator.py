"""The calculator: which moments are open hours, how much of a stretch of time they are, and when so much of them is over.

Pure: a calendar and moments in, moments out. All moments are aware UTC; hours are wall-clock times of the calendar's zone, so a
day on which clocks are put forward or back has an hour less or more of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

DAY_MINUTES = 24 * 60
HORIZON_DAYS = 1_500
"""A calendar that opens no more within so many days never does."""

Shift = tuple[int, int]
"""From and until, in minutes after midnight of its day; until may lie beyond 24:00, in the next morning."""
Day = tuple[Shift, ...]
Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Hours:
    """When a shop is open. `zone` is an IANA name, `week` Monday first, `country` (ISO 3166) whose public holidays are
    closed, or "" for none. `days` are the shop's own: on these days these hours count instead of week and holidays; no
    shift means closed.
    """

    zone: str
    week: tuple[Day, ...]
    country: str = ""
    days: Mapping[date, Day] = field(default_factory=dict)

    def on(self, day: date) -> Day:
        """The shifts that begin on a day."""
        own = self.days.get(day)
        if own is not None:
            return own
        return () if day in public_holidays(self.country, day.year) else self.week[day.weekday()]


@cache
def public_holidays(country: str, year: int, language: str = "") -> Mapping[date, str]:
    """The days off of a country in a year, with their names; Tết among Vietnam's."""
    if not country:
        return {}
    import holidays  # a fifth of a second, which the command line should not wait for

    known = holidays.country_holidays(country, years=year, language=language or None)
    return {day: name for day, name in sorted(known.items()) if day.year == year}


def open_spans(hours: Hours, at: datetime) -> Iterator[Span]:
    """The stretches of open time from `at` on, in order and never overlapping; the first may have begun and is cut at `at`."""
    zone = ZoneInfo(hours.zone)
    first = at.astimezone(zone).date() - timedelta(days=1)
    after = at
    for number in range(HORIZON_DAYS):
        day = first + timedelta(days=number)
        for begin, end in hours.on(day):
            start, stop = max(_moment(zone, day, begin, 0), after), _moment(zone, day, end, 1)
            if start < stop:
                yield start, stop
                after = stop


def is_open(hours: Hours, at: datetime) -> bool:
    """Whether a moment lies in open hours; the moment of closing does not."""
    return opens_next(hours, at) == at


def opens_next(hours: Hours, at: datetime) -> datetime | None:
    """The first open moment from `at` on: `at` itself while it is open, None where it never is again."""
    return next((start for start, _ in open_spans(hours, at)), None)


def worked(hours: Hours, start: datetime, stop: datetime) -> timedelta:
    """How much open time lies between two moments."""
    total = timedelta()
    for begin, end in open_spans(hours, start):
        if begin >= stop:
            break
        total += min(end, stop) - begin
    return total


def due(hours: Hours, start: datetime, allowance: timedelta) -> datetime:
    """The moment at which `allowance` of open time has passed since `start`: at the latest the moment of closing, never
    the next opening. Nothing left to pass: `start`. Raises ValueError for a calendar that is never open again.
    """
    left = allowance
    if left <= timedelta():
        return start
    for begin, end in open_spans(hours, start):
        if left <= end - begin:
            return begin + left
        left -= end - begin
    raise ValueError("a calendar that is never open")


def _moment(zone: ZoneInfo, day: date, minutes: int, fold: int) -> datetime:
    """A wall-clock time of a day as a moment. One that a clock put back shows twice: a shift begins with the first and
    ends with the second (`fold`).
    """
    over, minute = divmod(minutes, DAY_MINUTES)
    wall = datetime.combine(day + timedelta(days=over), time(minute // 60, minute % 60), zone)
    return wall.replace(fold=fold).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Timer:
    """A deadline's arithmetic. `allowance` is the open time it may take (None: as much as it takes), `spent` what it had
    taken when it was last set going, at `since`; it stands still where that is None. A pause, a day off or a reopened ticket
    are all the same to it: a stop and a start.
    """

    allowance: timedelta | None
    spent: timedelta = timedelta()
    since: datetime | None = None

    def start(self, at: datetime) -> "Timer":
        """Set it going; one that goes already goes on."""
        return self if self.since is not None else replace(self, since=at)

    def stop(self, hours: Hours, at: datetime) -> "Timer":
        """Let it stand still, having taken what was open meanwhile."""
        return replace(self, spent=self.taken(hours, at), since=None)

    def allow(self, allowance: timedelta | None) -> "Timer":
        """Another allowance, for all the time it has taken too: a new priority, another version of the policy."""
        return replace(self, allowance=allowance)

    def move(self, old: Hours, new: Hours, at: datetime) -> "Timer":
        """Other opening hours from `at` on; what was taken before was taken by the old ones."""
        return self.stop(old, at).start(at) if self.since is not None and old != new else self

    def taken(self, hours: Hours, at: datetime) -> timedelta:
        """The open time it has taken by a moment."""
        return self.spent + (worked(hours, self.since, at) if self.since is not None else timedelta())

    def due(self, hours: Hours, percent: int = 100) -> datetime | None:
        """When so many per cent of its allowance are taken; None while it stands still, or may take as long as it takes.
        One that has taken more already was due when it was last set going, at the latest.
        """
        if self.since is None or self.allowance is None:
            return None
        return due(hours, self.since, self.allowance * percent // 100 - self.spent)
