"""How the desk does, in the console: figures of a period beside those of the period before, by day, hour, topic, agent and
shop; and the rows they are counted over. What takes seconds to count is shown as it was counted last, and counted again
meanwhile.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

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
from store.clock import now, today
from store.staff import Right, StaffRow
from support import topics as own_topics
from support.reports import kept, rows
from support.reports.figures import Figures, Share, Times
from support.reports.report import Asked, Report
from support.reports.rows import Found

PAGE = "support"
PERIODS = (7, 30, 90, 365)
DAYS_MAX = 731
LEVELS = 5
_staff = table(StaffRow)
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Known:
    """What rows are called, and the topics of the shop that is looked at."""

    names: Names
    own: dict[str, str]


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of the page in words, that of the period before, and whether it became better (None: neither)."""

    name: str
    value: str
    note: str
    before: str
    better: bool | None


async def page(request: web.Request) -> web.StreamResponse:
    here, said, store = frame.frame_of(request), site.words_of(request), site.store_of(request)
    asked, now_day = await _asked(request)

    def look(session: Session) -> tuple[Known, set[int], bool, kept.Kept | None]:
        large = kept.large(session, asked.shops)
        desk = {one.id for one in staff.every(session) if one.may(Right.DESK, here.shop.id)}
        return _known(session, here, said), desk, large, kept.find(session, asked.key) if large else None

    known, desk, large, last = await store.read(look)
    report = last.report if last else None if large else (await _count(request, asked))[0]
    context = {
        "asked": asked, "query": _query(asked), "days": (asked.last - asked.first).days + 1, "periods": PERIODS,
        "now_day": now_day, "topic_names": known.own, "agent_names": sorted(
            ((number, name) for number, name in known.names.agents.items() if number in desk), key=lambda one: one[1]
        ),
        **_shown(said, here, known, report), "counted_at": last.at if last else None,
        "again": large and not (last and last.fresh),
    }  # fmt: skip
    return await frame.render(request, "shop/reports/page.html", context, page=PAGE)


async def counted(request: web.Request) -> web.StreamResponse:
    """The page's figures counted now, as a piece that takes the place of those counted before; kept for who comes next."""
    here, said, store = frame.frame_of(request), site.words_of(request), site.store_of(request)
    asked, _ = await _asked(request)
    known = await store.read(_known, here, said)
    report, at = await _count(request, asked)
    await store.write(kept.keep, asked.key, report, at)
    context = {"query": _query(asked), "counted_at": at, "again": False, **_shown(said, here, known, report)}
    return await frame.part(request, "shop/reports/figures.html", context)


async def export(request: web.Request) -> web.StreamResponse:
    """The rows of the period, of a shop as filtered: all four tables as XLSX, one of them as CSV."""
    here, said, store = frame.frame_of(request), site.words_of(request), site.store_of(request)
    asked, _ = await _asked(request)
    known = await store.read(_known, here, said)
    found = await store.read(rows.look, [here.shop], asked.since, asked.until)
    name = f"support-{asked.first}-{asked.last}"
    one = request.match_info.get("sheet")

    def made() -> web.Response:
        mine = rows.made(found).only(asked.keeps)
        wanted = [
            exports.sheet(said, key, mine, known.names, asked.clock) for key in ((one,) if one else exports.NAMES)
        ]
        if one is None:
            return sheets_out.as_xlsx(name, wanted)
        return sheets_out.as_csv(f"{name}-{one}", wanted[0].head, wanted[0].rows)

    return await asyncio.to_thread(made)


async def _asked(request: web.Request) -> tuple[Asked, date]:
    """What the address asks for (the last 30 days, where it can't be), and the shop's today."""
    here, query = frame.frame_of(request), request.query
    day = await site.store_of(request).read(today, here.shop.timezone)
    agent = query.get("agent", "")
    number = frame.whole(agent) if agent else None
    days = next((one for one in PERIODS if query.get("days") == str(one)), 30)
    first, last, recent = day - timedelta(days=days - 1), day, True
    try:
        from_, to = (date.fromisoformat(query[name]) for name in ("from", "to"))
        if from_ <= to <= day and (to - from_).days < DAYS_MAX and from_.year >= 2000:
            first, last, recent = from_, to, False
    except (KeyError, ValueError):
        pass
    shops = tuple(shop.id for shop in here.shops)
    return Asked(
        here.shop.id, shops, here.shop.timezone, first, last, query.get("topic", "").replace("\x00", "")[:40], number, recent
    ), day  # fmt: skip


def _query(asked: Asked) -> dict[str, Any]:
    """What is asked as it stands in an address."""
    days = (asked.last - asked.first).days + 1
    period = {"days": days} if asked.recent else {"from": asked.first.isoformat(), "to": asked.last.isoformat()}
    return period | {"topic": asked.topic, "agent": asked.agent}


def _known(session: Session, here: Frame, said: Words) -> Known:
    own = own_topics.of_shops(session, [shop.id for shop in here.shops])
    names = Names(
        topics(said, [one for each in own.values() for one in each]),
        {row.id: row.name for row in session.execute(select(_staff.c.id, _staff.c.name))},
        {shop.id: shop.name for shop in here.shops},
    )
    return Known(names, topics(said, own[here.shop.id]))


async def _count(request: web.Request, asked: Asked) -> tuple[Report, datetime]:
    """The report as of now, and when that is."""
    here = frame.frame_of(request)

    def look(session: Session) -> tuple[datetime, Found]:
        return now(session), rows.look(session, here.shops, asked.before, asked.until)

    at, found = await site.store_of(request).read(look)
    # Much arithmetic over a long period, in which others are to be answered.
    return await asyncio.to_thread(lambda: Report.of(rows.made(found), asked)), at


def _shown(said: Words, here: Frame, known: Known, report: Report | None) -> dict[str, Any]:
    """A report in words; without one, that there is none yet."""
    if report is None:
        return {"report": None}

    def lines(parts: Sequence[tuple[K, Figures]], name: Callable[[K], str]) -> list[tuple[str, Figures]]:
        each = [(name(one), figures) for one, figures in parts]
        return sorted(each, key=lambda one: (-one[1].opened - one[1].solved, one[0]))

    course = report.course
    return {
        "report": report, "found": report.now, "shown": _figures(said, report.now, report.before), "course": course,
        "opened": chart.draw([Bars(one.begins, one.complaints, one.opened - one.complaints) for one in course]),
        "left": chart.draw([Bars(one.begins, 0, one.backlog) for one in course]),
        "weekly": len(course) > 1 and (course[1].begins - course[0].begins).days == 7,
        "hours": _heat(report.hours), "weekdays": _weekdays(said), "lasted": lambda value: lasted(said, value),
        "share": percent, "tenths": lambda one: tenths(said, one), "kinds": dict(kinds(said)), "sheets": exports.NAMES,
        "by_topic": lines(report.topics, lambda key: known.names.topics.get(key, key)),
        "by_agent": lines(report.agents, lambda key: known.names.agent(key) or said("Nobody yet")),
        "by_shop": lines(report.shops, lambda key: known.names.shops[key]) if len(here.shops) > 1 else [],
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
