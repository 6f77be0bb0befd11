"""The desk's reports: every figure beside a plain recount, over the exported rows of a seeded year and over what was seeded."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from python_calamine import CalamineWorkbook
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from handlers import words
from handlers.web.shop.reports import exports
from handlers.web.shop.reports.exports import Names
from loyalty import programme
from loyalty.customers import customers
from store import shops, staff
from store.clock import SetClock
from store.engine import Store
from store.shops import Shop
from store.staff import Role
from support import messages, tickets
from support.complaints.complaints import complaints
from support.deadlines import calculator, calendars
from support.deadlines.calculator import Hours
from support.deadlines.clocks import clocks
from support.ratings import ratings
from support.reports import figures, kept, rows
from support.reports.report import Asked, Report
from support.reports.worktime import Worktime
from tests.test_console import Console, console
from tests.test_desk_cost import QUERIES_MAX, heard

__all__ = ["console"]
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
WEEK = (*[((8 * 60, 12 * 60), (13 * 60 + 30, 22 * 60))] * 5, ((9 * 60, 26 * 60),), ())
"""A lunch gap, Saturday until two at night, Sunday closed."""
HOURS = Hours("Asia/Ho_Chi_Minh", WEEK, "VN", {})
YEAR = date(2025, 11, 22), date(2026, 11, 21)
TOPICS = ("order", "product", "complaint", "other")
WORDS = words.words("en")


@dataclass
class Told:
    """A case as it was seeded: what a person with a notebook would know of it."""

    shop: int
    topic: str
    agent: int | None
    opened: datetime
    first: datetime | None = None
    spans: list[tuple[datetime, datetime | None]] = field(default_factory=list)
    said: list[tuple[datetime, str, int | None]] = field(default_factory=list)
    complaint: datetime | None = None
    repeats: bool = False
    counts: bool = True
    rated: tuple[datetime, int] | None = None
    deadlines: list[tuple[datetime, str, bool]] = field(default_factory=list)
    merged: bool = False


def seed(session: Session, shop_ids: Sequence[int], agents: Sequence[int], count: int, number: int) -> list[Told]:
    """Cases over somewhat more than a year, row by row; what was told of each."""
    r, told = Random(number), []
    begin = datetime.combine(YEAR[0] - timedelta(days=40), time(), ZONE).astimezone(UTC)
    who = customers.create(session, name="Lan", language="vi", home_shop_id=None)
    calendar = {
        shop_id: session.execute(
            insert(calendars.calendars)
            .values(
                shop_id=shop_id, at=begin, week=[[list(shift) for shift in day] for day in WEEK], country="VN", days={}
            )
            .returning(calendars.calendars.c.id)
        ).scalar_one()
        for shop_id in shop_ids[:1]
    }  # fmt: skip
    lines: dict[Any, list[dict[str, Any]]] = {
        table: [] for table in
        (tickets.tickets, tickets.ticket_events, messages.ticket_messages, complaints, ratings, clocks)
    }  # fmt: skip
    for case in range(count):
        at = begin + timedelta(seconds=r.randrange(400 * 86_400))
        one = Told(r.choice(shop_ids), r.choice(TOPICS), r.choice([*agents, None]), at)
        ticket, seq, kinds = 2_000 + case, 0, []
        one.said.append((at, "customer", None))
        later = at
        if one.agent is not None and r.random() < 0.9:
            for turn in range(r.choice([1, 1, 2, 3])):
                if turn:
                    later += timedelta(seconds=r.randrange(60, 30_000))
                    one.said.append((later, "customer", None))
                for _ in range(r.choice([1, 1, 2])):
                    later += timedelta(seconds=r.randrange(60, 90_000))
                    one.first = one.first or later
                    one.said.append((later, "agent", one.agent))
                if r.random() < 0.2:
                    one.said.append((later, "note", one.agent))
        stint: datetime | None = at
        for _ in range(r.choice([0, 1, 1, 1, 2, 3])):
            if stint is not None:
                later += timedelta(seconds=r.randrange(60, 600_000))
                kinds.append((r.choice(["resolved", "resolved", "closed"]), later))
                one.spans.append((stint, later))
                if kinds[-1][0] == "resolved" and r.random() < 0.5:
                    kinds.append(("closed", later + timedelta(seconds=30)))
                stint = None
            if r.random() < 0.4:
                later += timedelta(seconds=r.randrange(60, 300_000))
                kinds.append(("reopened", later))
                stint = later
        if stint is not None:
            one.spans.append((stint, None))
            # Woken by hand from sleep, which opens nothing that was closed.
            if r.random() < 0.5:
                kinds.append(("reopened", later + timedelta(seconds=r.randrange(8_000_000))))
        ended = one.spans[-1][1]
        one.merged = ended is not None and r.random() < 0.05
        if r.random() < 0.3:
            one.complaint, one.repeats, one.counts = at + timedelta(minutes=1), r.random() < 0.3, r.random() < 0.9
            lines[complaints].append({
                "ticket_id": ticket, "shop_id": one.shop, "level": 3, "judged": 3, "facts": [], "set_reason": "",
                "origin": "words", "stage": "received", "remedy_words": "", "cause": "", "opened_at": one.complaint,
                "repeats": 1 if one.repeats else None, "outcome": None if one.counts else "mistake", "tries": 0,
            })  # fmt: skip
        if ended is not None and r.random() < 0.6:
            one.rated = (ended + timedelta(seconds=r.randrange(5_000_000)), r.randint(1, 5))
            lines[ratings].append(
                {"ticket_id": ticket, "staff_id": one.agent, "stars": one.rated[1], "comment": "", "at": one.rated[0]}
            )
        if one.shop in calendar:
            for place, kind in enumerate(("first", "next", "resolution")):
                state = r.choice(["met", "late", "running", "stopped", "paused", "free"])
                due, end = at + timedelta(days=place, hours=1), at + timedelta(days=place, hours=2)
                missed = state == "late" or (state in {"running", "stopped"} and r.random() < 0.5)
                if state in {"met", "late"} or missed:
                    one.deadlines.append((due if missed else end, kind, not missed))
                lines[clocks].append({
                    "ticket_id": ticket, "shop_id": one.shop, "kind": kind, "number": 1,
                    "state": "met" if state == "free" else state, "calendar_id": calendar[one.shop],
                    "allowance": None if state == "free" else 3_600_000_000, "spent": 0, "started_at": at,
                    "breached_at": due if missed else None,
                    "ended_at": end if state in {"met", "late", "stopped", "free"} else None,
                })  # fmt: skip
        for kind, when in kinds:
            seq += 1
            lines[tickets.ticket_events].append(
                {"ticket_id": ticket, "seq": seq, "changed": 1, "at": when, "kind": kind, "staff_id": None, "data": {}}
            )
        for when, speaker, agent in one.said:
            seq += 1
            lines[messages.ticket_messages].append({
                "ticket_id": ticket, "seq": seq, "changed": 1, "who": speaker, "staff_id": agent, "at": when, "text": "x",
                "folded": "x", "history": [], "calls": {},
            })  # fmt: skip
        lines[tickets.tickets].append({
            "id": ticket, "shop_id": one.shop, "customer_id": who, "subject": "", "topic": one.topic,
            "state": "open" if ended is None else "resolved", "priority": "normal", "assignee_id": one.agent,
            "created_at": at, "updated_at": max(when for when, _, _ in one.said), "first_response_at": one.first,
            "resolved_at": ended, "last_seq": seq, "changed": 1, "preview": {}, "folded": "",
            "merged_into": 2_000 if one.merged and case else None,
        })  # fmt: skip
        one.merged = one.merged and case > 0
        told.append(one)
    for table, values in lines.items():
        for first in range(0, len(values), 500):
            session.execute(insert(table), values[first : first + 500])
    return told


@pytest.fixture
async def places(store: Store) -> tuple[list[int], list[int]]:
    opened = [
        await store.write(programme.open_shop, name, timezone="Asia/Ho_Chi_Minh", language="vi")
        for name in ("Phố Cafe", "Cafe Hoa")
    ]
    hired = [await store.write(staff.add, name, Role.AGENT, None) for name in ("Minh", "Hoa")]
    return opened, hired


def percent(part: int, whole: int) -> int | None:
    return None if whole == 0 else int(100 * part / whole + 0.5)


def rank(values: Sequence[int], share: int) -> int | None:
    """The smallest value that at least `share` per cent of all do not exceed."""
    return next((one for one in sorted(values) if sum(v <= one for v in values) * 100 >= share * len(values)), None)


def minutes_open(start: datetime, stop: datetime, hours: Hours | None) -> int:
    """Open seconds, the slow way."""
    return int((calculator.worked(hours, start, stop) if hours else stop - start).total_seconds())


def recount(told: Sequence[Told], since: datetime, until: datetime, open_at: dict[int, Hours | None]) -> dict[str, Any]:
    """A period's figures out of the notebook."""

    def within(at: datetime | None) -> bool:
        return at is not None and since <= at < until

    real = [one for one in told if not one.merged]
    ends = [(one, place, end) for one in real for place, (_, end) in enumerate(one.spans) if end and within(end)]

    def answers(one: Told) -> int:
        said = [who for _, who, _ in one.said if who != "note"]
        return sum(who == "agent" and said[place - 1] != "agent" for place, who in enumerate(said))

    firsts = [one for one, place, _ in ends if place == 0 and answers(one)]
    first = [minutes_open(one.opened, one.first, open_at[one.shop]) for one in real if one.first and within(one.first)]
    solved = [minutes_open(one.opened, end, open_at[one.shop]) for one, _, end in ends]
    due = [kept for one in real for at, _, kept in one.deadlines if within(at)]
    stars = [one.rated[1] for one in real if one.rated and within(one.rated[0])]
    grave = [one for one in real if one.counts and within(one.complaint)]
    return {
        "opened": sum(within(one.opened) for one in real), "solved": len(ends),
        "backlog": sum(a < until and (b is None or b >= until) for one in real for a, b in one.spans),
        "first": (len(first), rank(first, 50), rank(first, 90)), "until": (len(solved), rank(solved, 50), rank(solved, 90)),
        "sla": percent(sum(due), len(due)), "csat": percent(sum(one >= 4 for one in stars), len(stars)), "stars": sum(stars),
        "reopened": percent(sum(place + 1 < len(one.spans) for one, place, _ in ends), len(ends)),
        "repeated": percent(sum(one.repeats for one in grave), len(grave)),
        "one_answer": percent(sum(answers(one) == 1 and len(one.spans) == 1 for one in firsts), len(firsts)),
        "written": sum(within(at) for one in told for at, who, _ in one.said if who == "customer"),
        "answered": sum(within(at) for one in told for at, who, _ in one.said if who == "agent"),
    }  # fmt: skip


def read_again(
    sheets: dict[str, tuple[Sequence[str], list[Sequence[Any]]]], since: datetime, until: datetime
) -> dict[str, Any]:
    """The same out of the tables that anybody can take along."""

    def at(cell: Any) -> datetime | None:
        return datetime.strptime(cell, "%Y-%m-%d %H:%M:%S").replace(tzinfo=ZONE) if cell else None

    def within(cell: Any) -> bool:
        moment = at(cell)
        return moment is not None and since <= moment < until

    def each(name: str) -> list[dict[str, Any]]:
        head, lines = sheets[name]
        return [dict(zip(head, line, strict=True)) for line in lines]

    cases, stints, deadlines, written = (each(name) for name in exports.NAMES)
    ends = [one for one in stints if within(one["Solved"])]
    first = [int(one["Open seconds until then"]) for one in cases if within(one["First answer"])]
    solved = [int(one["Open seconds since it was opened"]) for one in ends]
    due = [one["Kept"] == "yes" for one in deadlines if within(one["Known"])]
    stars = [int(one["Stars"]) for one in cases if within(one["Rated"])]
    grave = [one for one in cases if within(one["Complaint since"])]
    firsts = [one for one in ends if int(one["Time around"]) == 1 and int(one["Answers"])]
    loads = [one for one in written if within(one["Quarter of an hour"])]
    return {
        "opened": sum(within(one["Opened"]) for one in cases), "solved": len(ends),
        "backlog": sum(
            (at(one["Begun"]) or until) < until and (not one["Solved"] or (at(one["Solved"]) or since) >= until)
            for one in stints
        ),
        "first": (len(first), rank(first, 50), rank(first, 90)), "until": (len(solved), rank(solved, 50), rank(solved, 90)),
        "sla": percent(sum(due), len(due)), "csat": percent(sum(one >= 4 for one in stars), len(stars)), "stars": sum(stars),
        "reopened": percent(sum(one["Came back"] == "yes" for one in ends), len(ends)),
        "repeated": percent(sum(one["Repeats another"] == "yes" for one in grave), len(grave)),
        "one_answer": percent(
            sum(int(one["Answers"]) == 1 and one["Came back"] == "no" for one in firsts), len(firsts)
        ),
        "written": sum(int(one["Messages"]) for one in loads if one["Written by"] == "Customer"),
        "answered": sum(int(one["Messages"]) for one in loads if one["Written by"] == "Agent"),
    }  # fmt: skip


def plain(found: figures.Figures) -> dict[str, Any]:
    return {
        "opened": found.opened, "solved": found.solved, "backlog": found.backlog,
        "first": (found.first.count, found.first.median, found.first.p90),
        "until": (found.resolution.count, found.resolution.median, found.resolution.p90),
        "sla": found.sla.percent, "csat": found.csat.percent, "stars": found.stars, "reopened": found.reopened.percent,
        "repeated": found.repeated.percent, "one_answer": found.first_contact.percent, "written": found.written,
        "answered": found.answered,
    }  # fmt: skip


async def read(store: Store, every: Sequence[Shop], since: datetime, until: datetime) -> rows.Rows:
    return rows.made(await store.read(rows.look, every, since, until))


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), ZONE).astimezone(UTC)


def taken(every: rows.Rows) -> dict[str, tuple[Sequence[str], list[Sequence[Any]]]]:
    names = Names({}, {}, dict.fromkeys({one.of.shop_id for one in every.cases} | {1, 2}, "a shop"))
    sheets = {name: exports.sheet(WORDS, name, every, names, ZONE) for name in exports.NAMES}
    return {name: (sheet.head, list(sheet.rows)) for name, sheet in sheets.items()}


async def test_a_years_figures_are_those_of_a_plain_recount(store: Store, places: tuple[list[int], list[int]]) -> None:
    shop_ids, agents = places
    told = await store.write(seed, shop_ids, agents, 700, 11)
    every = [await store.read(shops.get, shop_id) for shop_id in shop_ids]
    open_at = {shop_ids[0]: HOURS, shop_ids[1]: None}
    periods = [YEAR, (date(2026, 2, 1), date(2026, 2, 28)), (date(2026, 6, 29), date(2026, 7, 5))]
    for first, last in periods:
        since, until = midnight(first), midnight(last + timedelta(days=1))
        found = await read(store, every, since, until)
        assert plain(figures.of(found, since, until)) == recount(told, since, until, open_at), first
        assert plain(figures.of(found, since, until)) == read_again(taken(found), since, until), first
        for key, part in found.by(lambda of: (of.shop_id, of.topic, of.agent_id)).items():
            mine = [one for one in told if (one.shop, one.topic, one.agent) == key]
            assert plain(figures.of(part, since, until)) == recount(mine, since, until, open_at), key
    first, last = periods[0]
    found = await read(store, every[:1], midnight(first), midnight(last + timedelta(days=1)))
    assert set(found.by(lambda of: of.shop_id)) == {shop_ids[0]}


async def test_days_weeks_and_hours_add_up_to_the_period(store: Store, places: tuple[list[int], list[int]]) -> None:
    shop_ids, agents = places
    told = [one for one in await store.write(seed, shop_ids[:1], agents, 300, 5) if not one.merged]
    shop = await store.read(shops.get, shop_ids[0])
    for first, last in (YEAR, (date(2026, 3, 4), date(2026, 4, 3)), (date(2026, 3, 4), date(2026, 4, 4))):
        since, until = midnight(first), midnight(last + timedelta(days=1))
        found = await read(store, [shop], since, until)
        course = figures.course(found, first, last, ZONE)
        step = 1 if (last - first).days < 31 else 7
        assert [one.begins for one in course[1:]] == [
            course[0].begins + timedelta(days=step * n) for n in range(1, len(course))
        ]
        assert sum(one.opened for one in course) == figures.of(found, since, until).opened
        assert sum(one.solved for one in course) == figures.of(found, since, until).solved
        for one in course:
            end = min(until, midnight(one.begins + timedelta(days=step)))
            assert one.backlog == sum(a < end and (b is None or b >= end) for case in told for a, b in case.spans)
        heat = figures.clock_hours(found, since, until, ZONE)
        for place, hour in ((0, 9), (5, 23), (6, 0)):
            assert heat[place][hour] == sum(
                (local := at.astimezone(ZONE)).weekday() == place and local.hour == hour
                for case in told for at, who, _ in case.said if who == "customer" and since <= at < until
            ), (place, hour)  # fmt: skip


@pytest.mark.parametrize("hours", [HOURS, None, Hours("Europe/Berlin", WEEK, "DE")], ids=["Vietnam", "none", "Berlin"])
def test_open_time_is_that_of_the_calculator(hours: Hours | None) -> None:
    r, begin = Random(3), datetime(2022, 1, 1, tzinfo=UTC)
    work = Worktime(hours, begin, begin + timedelta(days=1_900))
    for _ in range(60):
        a = begin + timedelta(seconds=r.randrange(1_880 * 86_400))
        b = a + timedelta(seconds=r.randrange(20 * 86_400))
        assert work.between(a, b) == minutes_open(a, b, hours), (a, b)
        assert work.between(b, a) == 0


def test_median_and_p90_are_values_of_real_cases() -> None:
    assert figures.times([]) == figures.Times(0, None, None)
    assert figures.times([7]) == figures.Times(1, 7, 7)
    assert figures.times([40, 10, 30, 20]) == figures.Times(4, 20, 40)
    assert figures.times(range(1, 11)) == figures.Times(10, 5, 9)


# ── The page ────────────────────────────────────────────────────────────────────────────────────────


async def test_the_page_shows_the_figures_and_gives_their_rows(console: Console) -> None:
    agents = [await console.store.write(staff.add, name, Role.AGENT, None) for name in ("Minh", "Hoa")]
    told = await console.store.write(seed, [console.shop], agents, 400, 8)
    owner = await console.as_(Role.OWNER)
    first, last = date(2026, 3, 1), date(2026, 3, 31)
    since, until = midnight(first), midnight(last + timedelta(days=1))
    with heard() as statements:
        page = await owner.get(f"/shop/support?from={first}&to={last}")
    assert page.status == 200
    assert len([one for one in statements if one[0].lstrip().startswith(("SELECT", "WITH"))]) <= QUERIES_MAX
    open_at: dict[int, Hours | None] = {console.shop: HOURS}
    now, before = recount(told, since, until, open_at), recount(told, midnight(date(2026, 1, 29)), since, open_at)
    for name, key in (("Opened", "opened"), ("Left to solve", "backlog"), ("Our messages", "answered")):
        assert re.search(rf"{name} {now[key]} .{{0,60}}before: {before[key]} ", page.text), (
            name,
            now[key],
            before[key],
        )
    for name, key in (
        ("Deadlines kept", "sla"),
        ("Content \\(CSAT\\)", "csat"),
        ("Solved with one answer", "one_answer"),
    ):
        assert re.search(rf"{name} {now[key]}% .{{0,60}}before: {before[key]}%", page.text), (
            name,
            now[key],
            before[key],
        )

    mine = [one for one in told if one.agent == agents[0] and one.topic == "order"]
    query = f"from={first}&to={last}&topic=order&agent={agents[0]}"
    narrow = await owner.get(f"/shop/support?{query}")
    assert f"Opened {recount(mine, since, until, open_at)['opened']} new cases" in narrow.text
    sheets: dict[str, tuple[Sequence[str], list[Sequence[Any]]]] = {}
    for name in exports.NAMES:
        text = (await owner.get(f"/shop/support/{name}.csv?{query}")).html
        head, *lines = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
        sheets[name] = (head, list(lines))
    assert read_again(sheets, since, until) == recount(mine, since, until, open_at)
    async with owner.http.get(f"{console.root}/shop/support/rows.xlsx?{query}") as answer:
        book = CalamineWorkbook.from_filelike(io.BytesIO(await answer.read()))
    again: dict[str, tuple[Sequence[str], list[Sequence[Any]]]] = {
        name: ([str(cell) for cell in content[0]], list(content[1:]))
        for name, content in zip(exports.NAMES, (book.get_sheet_by_index(n).to_python() for n in range(4)), strict=True)
    }
    assert read_again(again, since, until) == recount(mine, since, until, open_at)


async def test_a_large_desks_report_is_shown_as_it_was_counted_last_and_counted_again(
    console: Console, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "SMALL", 100)
    told = await console.store.write(seed, [console.shop], [], 200, 8)
    first, last = date(2026, 3, 1), date(2026, 3, 31)
    since, until = midnight(first), midnight(last + timedelta(days=1))
    figures_then = recount(told, since, until, {console.shop: HOURS})
    owner = await console.as_(Role.OWNER)
    path = f"/shop/support?from={first}&to={last}"
    again = f"/shop/support/figures?from={first}&to={last}"

    with heard() as statements:
        page = await owner.get(path)
    assert "Counting. With this many cases" in page.text
    assert "Opened" not in page.text
    assert not [one for one, _ in statements if "ticket_messages" in one]
    assert f'hx-get="{again.replace("&", "&amp;")}"' in page.html
    then = f"Opened {figures_then['opened']} new cases"
    with heard() as statements:
        assert then in (await owner.get(again)).text
    assert len(statements) <= QUERIES_MAX
    page = await owner.get(path)
    assert then in page.text
    assert "As of" in page.text
    assert "hx-get" not in page.html.partition('id="report"')[2].partition(">")[0]

    def one_more(session: Session) -> None:
        values = dict(session.execute(select(tickets.tickets).limit(1)).mappings().one())
        session.execute(
            insert(tickets.tickets).values({**values, "id": 1_999, "created_at": since, "merged_into": None})
        )

    await console.store.write(one_more)
    clock.advance(kept.FRESH)
    page = await owner.get(path)
    assert then in page.text
    assert "Counting again" in page.text
    assert f"Opened {figures_then['opened'] + 1} new cases" in (await owner.get(again)).text
    assert f"Opened {figures_then['opened'] + 1} new cases" in (await owner.get(path)).text


async def test_what_is_kept_of_a_report_is_all_of_it(store: Store, places: tuple[list[int], list[int]]) -> None:
    shop_ids, agents = places
    await store.write(seed, shop_ids, agents, 200, 3)
    every = [await store.read(shops.get, shop_id) for shop_id in shop_ids]
    asked = Asked(shop_ids[0], tuple(shop_ids), "Asia/Ho_Chi_Minh", date(2026, 1, 1), date(2026, 3, 31), recent=True)
    made = Report.of(await read(store, every, asked.before, asked.until), asked)
    assert {name for name, _ in made.shops} == set(shop_ids)
    assert {name for name, _ in made.agents} == {*agents, None}
    at = datetime(2026, 4, 1, tzinfo=UTC)
    await store.write(kept.keep, asked.key, made, at)
    await store.write(kept.keep, asked.key, replace(made, hours=[]), at - timedelta(seconds=1))
    found = await store.read(kept.find, asked.key)
    assert found is not None
    assert (found.report, found.at) == (made, at)
    for other in (replace(asked, topic="order"), replace(asked, recent=False), replace(asked, shops=(shop_ids[0],))):
        assert await store.read(kept.find, other.key) is None


async def test_who_leads_the_desk_sees_its_report_and_nothing_else_of_the_console(console: Console) -> None:
    other = await console.store.write(programme.open_shop, "Cafe Hoa", timezone="Asia/Ho_Chi_Minh", language="vi")
    lead = await console.sign_in(await console.hire(Role.SUPERVISOR, console.shop))
    page = await lead.get("/shop/support")
    assert page.status == 200
    assert set(re.findall(r'class="place" href="([^"]+)"', page.html)) == {"/shop/support", "/desk"}
    assert (await lead.get("/shop/support/cases.csv")).status == 200
    for path in (f"/shop/support?shop={other}", f"/shop/support/figures?shop={other}"):
        assert (await lead.get(path)).status == 404
    assert (await lead.get("/shop")).status == 403


async def test_who_has_no_console_sees_no_report_and_what_cant_be_is_the_last_month(console: Console) -> None:
    other = await console.store.write(programme.open_shop, "Cafe Hoa", timezone="Asia/Ho_Chi_Minh", language="vi")
    for role in (Role.AGENT, Role.CASHIER):
        http = await console.sign_in(await console.hire(role, console.shop))
        for path in ("/shop/support", "/shop/support/figures", "/shop/support/rows.xlsx", "/shop/support/cases.csv"):
            assert (await http.get(path)).status == 403
    manager = await console.as_(Role.MANAGER, console.shop)
    assert (await manager.get(f"/shop/support?shop={other}")).status == 404
    assert (await manager.get(f"/shop/support/cases.csv?shop={other}")).status == 404
    assert (await manager.get("/shop/support/customers.csv")).status == 404
    for query in (
        "from=2026-13-01&to=x",
        "from=2026-03-02&to=2026-03-01",
        "from=1066-01-01&to=1066-02-01",
        "days=5",
        "topic=%00",
    ):
        page = await manager.get(f"/shop/support?{query}")
        assert page.status == 200, query
        assert "Nothing happened at the desk in these days" in page.text
    assert (await manager.get("/shop/support?agent=x")).status == 404
