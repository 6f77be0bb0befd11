"""Figures: a period's numbers, counted over `rows`. Pure. Shares are whole per cent, rounded half up; times are open seconds.

Each figure counts what happened in the period: the first answers given in it, the cases solved in it. A case that was solved
twice counts twice, each time from its opening, so figures of a month that is over stay as they are. Median and p90 are values
of real cases: the smallest that half, or nine tenths, of all do not exceed.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from store.clock import midnight
from support.messages import CUSTOMER
from support.reports.rows import Rows

GOOD_STARS = 4
DAYS_MAX = 31
"""A longer period is drawn by weeks."""


@dataclass(frozen=True, slots=True)
class Share:
    """Some of all."""

    part: int
    whole: int

    @property
    def percent(self) -> int | None:
        """None where there is nothing to be a part of."""
        return (200 * self.part + self.whole) // (2 * self.whole) if self.whole else None


@dataclass(frozen=True, slots=True)
class Times:
    """How long something took, in open seconds; None where it never happened."""

    count: int
    median: int | None
    p90: int | None


@dataclass(frozen=True, slots=True)
class Figures:
    """A period. `backlog` is what was still to be solved at its end, `first_contact` what was solved with one answer and never
    came back, out of what was solved for the first time and had an answer; `reopened` what came back (so far) out of what was
    solved; `repeated` complaints that follow another within the shop's days; `csat` ratings of 4 and 5 stars.
    """

    opened: int
    solved: int
    backlog: int
    first: Times
    resolution: Times
    sla: Share
    sla_by: dict[str, Share]
    csat: Share
    stars: int
    """The sum of all stars."""
    reopened: Share
    repeated: Share
    first_contact: Share
    written: int
    """Customers' messages."""
    answered: int
    """The shop's messages."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A day or a week from its Monday on: cases opened, complaints among them, solved, and left at its end."""

    begins: date
    opened: int
    complaints: int
    solved: int
    backlog: int


def of(rows: Rows, since: datetime, until: datetime) -> Figures:
    """The figures from a moment on until before another."""

    def within(at: datetime | None) -> bool:
        return at is not None and since <= at < until

    ended = [one for one in rows.stints if within(one.ends_at)]
    firsts = [one for one in ended if one.number == 1 and one.answers]
    rated = [one.stars for one in rows.cases if one.stars is not None and within(one.rated_at)]
    complained = [one for one in rows.cases if within(one.complained_at)]
    deadlines = [one for one in rows.deadlines if within(one.at)]
    kinds = sorted({one.kind for one in deadlines})
    loads = [one for one in rows.loads if within(one.at)]
    return Figures(
        opened=sum(within(one.opened_at) for one in rows.cases), solved=len(ended), backlog=backlog(rows, until),
        first=times([one.first_seconds for one in rows.cases if one.first_seconds is not None and within(one.first_at)]),
        resolution=times([one.seconds for one in ended if one.seconds is not None]),
        sla=Share(sum(one.kept for one in deadlines), len(deadlines)),
        sla_by={
            kind: Share(
                sum(one.kept for one in deadlines if one.kind == kind), sum(one.kind == kind for one in deadlines)
            )
            for kind in kinds
        },
        csat=Share(sum(stars >= GOOD_STARS for stars in rated), len(rated)), stars=sum(rated),
        reopened=Share(sum(not one.last for one in ended), len(ended)),
        repeated=Share(sum(one.repeats for one in complained), len(complained)),
        first_contact=Share(sum(one.answers == 1 and one.last for one in firsts), len(firsts)),
        written=sum(one.count for one in loads if one.who == CUSTOMER),
        answered=sum(one.count for one in loads if one.who != CUSTOMER),
    )  # fmt: skip


def backlog(rows: Rows, at: datetime) -> int:
    """Cases that were the shop's to solve at a moment."""
    return sum(one.begins_at < at and (one.ends_at is None or one.ends_at >= at) for one in rows.stints)


def times(seconds: Sequence[int]) -> Times:
    """Median and p90 of some durations."""
    ordered = sorted(seconds)
    if not ordered:
        return Times(0, None, None)
    return Times(len(ordered), ordered[_rank(50, len(ordered))], ordered[_rank(90, len(ordered))])


def _rank(percent: int, count: int) -> int:
    return (percent * count + 99) // 100 - 1


def course(rows: Rows, first: date, last: date, zone: ZoneInfo) -> list[Bucket]:
    """The period day by day, or week by week where it is long; the first and the last week are cut by it."""
    step = 1 if (last - first).days < DAYS_MAX else 7
    begins = first if step == 1 else first - timedelta(days=first.weekday())
    count = (last - begins).days // step + 1
    edges = [midnight(max(first, begins + timedelta(days=step * place)), zone) for place in range(count)]
    edges.append(midnight(last + timedelta(days=1), zone))

    def counted(moments: Sequence[datetime | None]) -> Counter[int]:
        inside = [at.astimezone(zone).date() for at in moments if at is not None and edges[0] <= at < edges[-1]]
        return Counter((day - begins).days // step for day in inside)

    opened = counted([one.opened_at for one in rows.cases])
    grave = counted([one.opened_at for one in rows.cases if one.complained_at is not None])
    solved = counted([one.ends_at for one in rows.stints])
    # What begins or ends at an edge belongs to what follows, so what was left there is what came before it.
    came, went = counted([one.begins_at for one in rows.stints]), solved
    left = backlog(rows, edges[0])
    buckets = []
    for place in range(count):
        left += came[place] - went[place]
        day = begins + timedelta(days=step * place)
        buckets.append(Bucket(day, opened[place], grave[place], solved[place], left))
    return buckets


def clock_hours(rows: Rows, since: datetime, until: datetime, zone: ZoneInfo) -> list[list[int]]:
    """Customers' messages by weekday (Monday first) and hour of the shop's day."""
    found = [[0] * 24 for _ in range(7)]
    for one in rows.loads:
        if one.who == CUSTOMER and since <= one.at < until:
            local = one.at.astimezone(zone)
            found[local.weekday()][local.hour] += one.count
    return found
