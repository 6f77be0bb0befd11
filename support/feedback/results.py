"""Results: what customers think of the help, of a period: stars by agent, topic, shop and week, NPS, orders,
effort, their words.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from store.base import table
from store.clock import midnight
from store.shops import Shop
from store.staff import StaffRow
from support.feedback.asking import requests
from support.feedback.compliments import compliments
from support.feedback.surveys import Kind, surveys
from support.ratings import ratings
from support.tickets import tickets

GOOD_STARS = 4
PROMOTERS, DETRACTORS = 9, 6
COMMENTS = 30
_staff = table(StaffRow)


@dataclass(frozen=True, slots=True)
class Stars:
    """Ratings taken together: how many, their sum, how many of them are good (4 and 5 stars)."""

    count: int = 0
    total: int = 0
    good: int = 0

    @property
    def tenths(self) -> int | None:
        """The average in tenths of a star, rounded half up; None where there is none."""
        return (20 * self.total + self.count) // (2 * self.count) if self.count else None

    @property
    def satisfied(self) -> int | None:
        """CSAT: good ratings in per cent of all, rounded half up."""
        return _share(self.good, self.count)


@dataclass(frozen=True, slots=True)
class Nps:
    """Answers to whether somebody would recommend the shop, out of `asked`."""

    asked: int
    promoters: int
    passives: int
    detractors: int

    @property
    def count(self) -> int:
        return self.promoters + self.passives + self.detractors

    @property
    def score(self) -> int | None:
        """Promoters less detractors in per cent of all answers, from −100 to 100, rounded away from zero at a half."""
        if not self.count:
            return None
        part = self.promoters - self.detractors
        return (1 if part >= 0 else -1) * ((200 * abs(part) + self.count) // (2 * self.count))


@dataclass(frozen=True, slots=True)
class OrderWord:
    """Whether orders were all right, out of `asked`."""

    asked: int
    good: int
    bad: int

    @property
    def satisfied(self) -> int | None:
        """Good answers in per cent of all, rounded half up."""
        return _share(self.good, self.good + self.bad)


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody wrote beside their stars."""

    ticket_id: int
    at: datetime
    stars: int
    words: str
    topic: str
    agent: str


@dataclass(frozen=True, slots=True)
class Week:
    """Ratings of a week that begins on a Monday, `low` ones being those below 4 stars."""

    begins: date
    good: int
    low: int


@dataclass(frozen=True, slots=True)
class Results:
    """`asked`: cases of the period whose rating was asked for; `effort` in tenths of 5 with its number of answers."""

    stars: Stars
    asked: int
    by_agent: list[tuple[str, Stars, int]]
    """Name, stars, compliments."""
    by_topic: list[tuple[str, Stars]]
    by_shop: list[tuple[str, Stars]]
    weeks: list[Week]
    nps: Nps
    orders: OrderWord
    effort: int | None
    effort_count: int
    comments: list[Comment]
    recommended: list[tuple[int, str]]
    """Score and words of the latest NPS answers that have words."""

    @property
    def answered(self) -> int | None:
        """Ratings in per cent of what was asked for."""
        return min(100, _share(self.stars.count, self.asked) or 0) if self.asked else None


def of(session: Session, shop: Shop, every: Sequence[Shop], first: date, last: date) -> Results:
    """The results of a shop from one of its days to another, both inclusive; `every` are the shops to compare it with."""
    zone = ZoneInfo(shop.timezone)
    since, until = midnight(first, zone), midnight(last + timedelta(days=1), zone)
    r, t = ratings.c, tickets.c
    within = (r.at >= since, r.at < until)
    rows = session.execute(
        select(r.ticket_id, r.stars, r.comment, r.at, t.topic, t.shop_id, r.staff_id, _staff.c.name)
        .join(tickets, t.id == r.ticket_id)
        .outerjoin(_staff, _staff.c.id == r.staff_id)
        .where(t.shop_id.in_([one.id for one in every]), *within)
        .order_by(r.at.desc(), r.ticket_id.desc())
    ).all()
    own = [row for row in rows if row.shop_id == shop.id]
    names = {one.id: one.name for one in every}
    praised = _praised(session, shop.id, since, until)
    agents = _by(own, lambda row: (row.staff_id, row.name or ""))
    return Results(
        stars=_taken(own), asked=_asked(session, shop.id, since, until),
        by_agent=[(name, stars, praised.get(number, 0)) for (number, name), stars in agents if number is not None],
        by_topic=_by(own, lambda row: row.topic), by_shop=_by(rows, lambda row: names[row.shop_id]),
        weeks=_weeks(own, first, last, zone), nps=_nps(session, shop.id, since, until),
        orders=_orders(session, shop.id, since, until),
        **_effort(session, shop.id, since, until),
        comments=[
            Comment(row.ticket_id, row.at, row.stars, row.comment, row.topic, row.name or "") for row in own if row.comment
        ][:COMMENTS],
        recommended=_recommended(session, shop.id, since, until),
    )  # fmt: skip


def _taken(rows: Sequence[Any]) -> Stars:
    return Stars(len(rows), sum(row.stars for row in rows), sum(row.stars >= GOOD_STARS for row in rows))


def _by(rows: Sequence[Any], key: Callable[[Any], Any]) -> list[tuple[Any, Stars]]:
    """The most rated first."""
    groups: dict[Any, list[Any]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return sorted(
        ((name, _taken(group)) for name, group in groups.items()), key=lambda one: (-one[1].count, str(one[0]))
    )


def _weeks(rows: Sequence[Any], first: date, last: date, zone: ZoneInfo) -> list[Week]:
    begins = first - timedelta(days=first.weekday())
    count = (last - begins).days // 7 + 1
    found = [[0, 0] for _ in range(count)]
    for row in rows:
        found[(row.at.astimezone(zone).date() - begins).days // 7][row.stars < GOOD_STARS] += 1
    return [Week(begins + timedelta(weeks=place), good, low) for place, (good, low) in enumerate(found)]


def _asked(session: Session, shop_id: int, since: datetime, until: datetime) -> int:
    t = tickets.c
    return _count(
        session, select(func.count()).select_from(requests).join(tickets, t.id == requests.c.ticket_id).where(
            t.shop_id == shop_id, requests.c.asked_at >= since, requests.c.asked_at < until
        )
    )  # fmt: skip


def _praised(session: Session, shop_id: int, since: datetime, until: datetime) -> dict[int, int]:
    c = compliments.c
    rows = session.execute(
        select(c.staff_id, func.count()).where(c.shop_id == shop_id, c.at >= since, c.at < until).group_by(c.staff_id)
    )
    return {number: int(count) for number, count in rows}


def _nps(session: Session, shop_id: int, since: datetime, until: datetime) -> Nps:
    s = surveys.c
    rows = session.execute(
        select(s.score, func.count()).where(*_surveyed(Kind.NPS, shop_id, since, until)).group_by(s.score)
    ).all()
    by = {score: int(count) for score, count in rows}
    asked = sum(by.values())
    answers = {score: count for score, count in by.items() if score is not None}
    promoters = sum(count for score, count in answers.items() if score >= PROMOTERS)
    detractors = sum(count for score, count in answers.items() if score <= DETRACTORS)
    return Nps(asked, promoters, sum(answers.values()) - promoters - detractors, detractors)


def _orders(session: Session, shop_id: int, since: datetime, until: datetime) -> OrderWord:
    s = surveys.c
    rows = session.execute(
        select(s.score, func.count()).where(*_surveyed(Kind.ORDER, shop_id, since, until)).group_by(s.score)
    )
    by = {score: int(count) for score, count in rows}
    return OrderWord(sum(by.values()), by.get(1, 0), by.get(0, 0))


def _effort(session: Session, shop_id: int, since: datetime, until: datetime) -> dict[str, Any]:
    s = surveys.c
    where = (*_surveyed(Kind.EFFORT, shop_id, since, until), s.score.is_not(None))
    count, total = session.execute(select(func.count(), func.coalesce(func.sum(s.score), 0)).where(*where)).one()
    return {"effort": (20 * int(total) + count) // (2 * count) if count else None, "effort_count": int(count)}


def _recommended(session: Session, shop_id: int, since: datetime, until: datetime) -> list[tuple[int, str]]:
    s = surveys.c
    rows = session.execute(
        select(s.score, s.comment)
        .where(*_surveyed(Kind.NPS, shop_id, since, until), s.comment != "", s.score.is_not(None))
        .order_by(s.id.desc())
        .limit(COMMENTS)
    )
    return [(score, words) for score, words in rows]


def _surveyed(kind: Kind, shop_id: int, since: datetime, until: datetime) -> tuple[ColumnElement[bool], ...]:
    s = surveys.c
    return (s.kind == kind.value, s.shop_id == shop_id, s.asked_at >= since, s.asked_at < until)


def _count(session: Session, query: Any) -> int:
    return int(session.execute(query).scalar_one())


def _share(part: int, whole: int) -> int | None:
    return (200 * part + whole) // (2 * whole) if whole else None
