"""How the desk does, in the console: figures of a period beside those of the period before, by day, hour, topic, agent and
shop; and the rows they are counted over.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from babel.dates import get_day_names
from sqlalchemy import select
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.desk.shown import topics
from handlers.web.shop import chart, frame, sheets_out
from handlers.web.shop.deadlines.hours import weekdays
from handlers.web.shop.deadlines.policy import kinds
from handlers.web.shop.frame import Frame
from handlers.web.shop.reports import exports
from handlers.web.shop.reports.exports import Names
from handlers.words import Words
from loyalty.insights.today import Week as Bars
from store import staff
from store.base import table
from store.clock import today
from store.staff import Right, StaffRow
from support import topics as own_topics
from support.reports import figures, rows
from support.reports.figures import Figures, Share, Times
from support.reports.rows import Found, Of, Rows

PAGE = "support"
PERIODS = (7, 30, 90, 365)
DAYS_MAX = 731
LEVELS = 5
_staff = table(StaffRow)


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to see: days, both included, and of what (empty: all)."""

    first: date
    last: date
    topic: str
    agent: int | None

    def keeps(self, one: Of) -> bool:
        return self.topic in {"", one.topic} and self.agent in {None, one.agent_id}

    def query(self) -> dict[str, Any]:
        """As it stands in an address."""
        days = {"from": self.first.isoformat(), "to": self.last.isoformat()}
        return days | {"topic": self.topic, "agent": self.agent}


@dataclass(frozen=True, slots=True)
class Seen:
    """A look into the store."""

    found: Found
    names: Names
    own: dict[str, str]
    """The topics of the shop that is looked at."""
    desk: set[int]
    """Who has its desk."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of the page in words, that of the period before, and whether it became better (None: neither)."""

    name: str
    value: str
    note: str
    before: str
    better: bool | None


async def page(request: web.Request) -> web.StreamResponse:
    here, said = frame.frame_of(request), site.words_of(request)
    asked, now = await _asked(request)
    zone = ZoneInfo(here.shop.timezone)
    days = (asked.last - asked.first).days + 1
    begin = _midnight(asked.first - timedelta(days=days), zone)
    seen = await site.store_of(request).read(_look, here, said, begin, _midnight(asked.last + timedelta(days=1), zone))
    # Much arithmetic over a long period, in which others are to be answered.
    context = await asyncio.to_thread(_counted, said, here, asked, seen, zone)
    context |= {
        "asked": asked, "days": days, "periods": PERIODS, "now_day": now, "sheets": exports.NAMES, "topic_names": seen.own,
        "agent_names": sorted(
            ((number, name) for number, name in seen.names.agents.items() if number in seen.desk), key=lambda one: one[1]
        ),
    }  # fmt: skip
    return await frame.render(request, "shop/reports/page.html", context, page=PAGE)


async def export(request: web.Request) -> web.StreamResponse:
    """The rows of the period, of a shop as filtered: all four tables as XLSX, one of them as CSV."""
    here, said = frame.frame_of(request), site.words_of(request)
    asked, _ = await _asked(request)
    zone = ZoneInfo(here.shop.timezone)
    begin, end = _midnight(asked.first, zone), _midnight(asked.last + timedelta(days=1), zone)
    seen = await site.store_of(request).read(_look, here, said, begin, end)
    name = f"support-{asked.first}-{asked.last}"
    one = request.match_info.get("sheet")

    def made() -> web.Response:
        every = rows.made(seen.found)
        kept = every.only(lambda row: row.shop_id == here.shop.id and asked.keeps(row))
        wanted = [exports.sheet(said, key, kept, seen.names, zone) for key in ((one,) if one else exports.NAMES)]
        if one is None:
            return sheets_out.as_xlsx(name, wanted)
        return sheets_out.as_csv(f"{name}-{one}", wanted[0].head, wanted[0].rows)

    return await asyncio.to_thread(made)


async def _asked(request: web.Request) -> tuple[Asked, date]:
    """What the address asks for (the last 30 days, where it can't be), and the shop's today."""
    here, query = frame.frame_of(request), request.query
    now = await site.store_of(request).read(today, here.shop.timezone)
    agent = query.get("agent", "")
    number = frame.whole(agent) if agent else None
    days = next((one for one in PERIODS if query.get("days") == str(one)), 30)
    first, last = now - timedelta(days=days - 1), now
    try:
        from_, to = (date.fromisoformat(query[name]) for name in ("from", "to"))
        if from_ <= to <= now and (to - from_).days < DAYS_MAX and from_.year >= 2000:
            first, last = from_, to
    except (KeyError, ValueError):
        pass
    return Asked(first, last, query.get("topic", "")[:40], number), now


def _look(session: Session, here: Frame, said: Words, since: datetime, until: datetime) -> Seen:
    own = own_topics.of_shops(session, [shop.id for shop in here.shops])
    names = Names(
        topics(said, [one for each in own.values() for one in each]),
        {row.id: row.name for row in session.execute(select(_staff.c.id, _staff.c.name))},
        {shop.id: shop.name for shop in here.shops},
    )
    desk = {one.id for one in staff.every(session) if one.may(Right.DESK, here.shop.id)}
    return Seen(rows.look(session, here.shops, since, until), names, topics(said, own[here.shop.id]), desk)


def _counted(said: Words, here: Frame, asked: Asked, seen: Seen, zone: ZoneInfo) -> dict[str, Any]:
    since, until = _midnight(asked.first, zone), _midnight(asked.last + timedelta(days=1), zone)
    begin = _midnight(asked.first - (asked.last - asked.first) - timedelta(days=1), zone)
    every = rows.made(seen.found)
    kept = every.only(lambda row: row.shop_id == here.shop.id and asked.keeps(row))
    found = figures.of(kept, since, until)
    course = figures.course(kept, asked.first, asked.last, zone)
    hours = figures.clock_hours(kept, since, until, zone)

    def lines(group: Rows, key: Callable[[Of], Any], name: Callable[[Any], str]) -> list[tuple[str, Figures]]:
        each = [(name(one), figures.of(part, since, until)) for one, part in group.by(key).items()]
        busy = [one for one in each if one[1].opened or one[1].solved or one[1].backlog or one[1].answered]
        return sorted(busy, key=lambda one: (-one[1].opened - one[1].solved, one[0]))

    return {
        "found": found, "shown": _figures(said, found, figures.of(kept, begin, since)), "course": course,
        "opened": chart.draw([Bars(one.begins, one.complaints, one.opened - one.complaints) for one in course]),
        "left": chart.draw([Bars(one.begins, 0, one.backlog) for one in course]),
        "weekly": len(course) > 1 and (course[1].begins - course[0].begins).days == 7,
        "hours": _heat(hours), "weekdays": _weekdays(said), "lasted": lambda value: lasted(said, value), "share": percent,
        "tenths": lambda one: tenths(said, one), "kinds": dict(kinds(said)),
        "by_topic": lines(kept, lambda row: row.topic, lambda key: seen.names.topics.get(key, key)),
        "by_agent": lines(kept, lambda row: row.agent_id, lambda key: seen.names.agent(key) or said("Nobody yet")),
        "by_shop": lines(every, lambda row: row.shop_id, lambda key: seen.names.shops[key]) if len(here.shops) > 1 else [],
    }  # fmt: skip


def _figures(said: Words, found: Figures, before: Figures) -> list[Figure]:
    """The page's figures in its order; of most of them less is better."""

    def counted(name: str, now: int, then: int, note: str, *, less: bool | None = None) -> Figure:
        better = None if less is None or now == then else (now < then) == less
        return Figure(name, said.number(now), note, said.number(then), better)

    def timed(name: str, now: Times, then: Times) -> Figure:
        worse = now.median is not None and then.median is not None and now.median != then.median
        note = said("9 of 10 within {time}", time=lasted(said, now.p90)) if now.count else said("none in this time")
        better = now.median < then.median if worse and now.median is not None and then.median is not None else None
        return Figure(name, lasted(said, now.median), note, lasted(said, then.median), better)

    def shared(name: str, now: Share, then: Share, *, less: bool) -> Figure:
        better = None
        if now.percent is not None and then.percent is not None and now.percent != then.percent:
            better = (now.percent < then.percent) == less
        note = said("{part} of {whole}", part=said.number(now.part), whole=said.number(now.whole))
        return Figure(name, percent(now), note, percent(then), better)

    return [
        timed(said("First answer"), found.first, before.first),
        timed(said("Until solved"), found.resolution, before.resolution),
        shared(said("Deadlines kept"), found.sla, before.sla, less=False),
        shared(said("Content (CSAT)"), found.csat, before.csat, less=False),
        shared(said("Solved with one answer"), found.first_contact, before.first_contact, less=False),
        shared(said("Came back"), found.reopened, before.reopened, less=True),
        shared(said("Repeated complaints"), found.repeated, before.repeated, less=True),
        counted(said("Left to solve"), found.backlog, before.backlog, said("at the end of the period"), less=True),
        counted(said("Opened"), found.opened, before.opened, said("new cases")),
        counted(said("Solved"), found.solved, before.solved, said("each time it was solved")),
        counted(said("Customers' messages"), found.written, before.written, ""),
        counted(said("Our messages"), found.answered, before.answered, ""),
    ]  # fmt: skip


def lasted(said: Words, seconds: int | None) -> str:
    """Open time in words: 40 s, 12 min, 3 h 05 min."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return said("{n} s", n=seconds)
    hours, minutes = divmod((seconds + 30) // 60, 60)
    if not hours:
        return said("{n} min", n=minutes)
    return said("{h} h {m} min", h=said.number(hours), m=f"{minutes:02}")


def percent(one: Share) -> str:
    """72%, or a dash where there is nothing to be a part of."""
    return "–" if one.percent is None else f"{one.percent}%"


def tenths(said: Words, one: Figures) -> str:
    """The average of a period's stars: 4,6 in Vietnamese, 4.6 in English."""
    if not one.csat.whole:
        return "–"
    value = (20 * one.stars + one.csat.whole) // (2 * one.csat.whole)
    return f"{value // 10}{',' if said.language == 'vi' else '.'}{value % 10} ★"


def _heat(hours: list[list[int]]) -> list[tuple[int, list[tuple[int, int]]]]:
    """Hours from the first to the last in which anybody wrote, each with its weekdays' counts and how dark they are drawn."""
    most = max(max(day) for day in hours)
    busy = [hour for hour in range(24) if any(day[hour] for day in hours)]
    if not busy:
        return []
    return [
        (hour, [(day[hour], -(-day[hour] * LEVELS // most)) for day in hours]) for hour in range(busy[0], busy[-1] + 1)
    ]


def _weekdays(said: Words) -> list[tuple[str, str]]:
    """Monday to Sunday, each with its short name."""
    short = get_day_names("short", locale=said.language)
    return [(name, short[place]) for place, name in enumerate(weekdays(said))]


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)
