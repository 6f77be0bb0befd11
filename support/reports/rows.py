"""Rows: what reports are counted over. Four kinds: cases, the stints in which they were the shop's to solve, their deadlines, and
what was written, by quarter of an hour.

A stint begins when a case is opened, or opened again, and ends when it is solved or closed. So what is left undone at a moment
are the stints that run then, and a case that came back is one with a second stint. What was merged is a part of another case.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import BigInteger, ColumnElement, Select, case, func, or_, select, type_coerce
from sqlalchemy.orm import Session

from store.base import from_micros
from store.shops import Shop
from support.complaints.complaints import NONE, complaints
from support.deadlines import calendars
from support.deadlines.calculator import Hours
from support.deadlines.clocks import LATE, MET, clocks
from support.messages import AGENT, NOTE, ticket_messages
from support.ratings import ratings
from support.reports.worktime import Worktime
from support.tickets import ticket_events, tickets

QUARTER = 15 * 60 * 1_000_000
ENDS = ("resolved", "closed", "merged_into")
REOPENED = "reopened"
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Of:
    """Whose a row is: the case's shop and topic, and `agent_id`, who looks after it (None: nobody)."""

    shop_id: int
    topic: str
    agent_id: int | None


@dataclass(frozen=True, slots=True)
class Case:
    """A ticket. `first_seconds` are open seconds to the first answer, `answers` how often the shop answered (what is written
    in one go is one answer). `complained_at` is empty where it is no
    complaint, or proved to be none.
    """

    id: int
    of: Of
    opened_at: datetime
    first_at: datetime | None
    first_seconds: int | None
    answers: int
    complained_at: datetime | None
    repeats: bool
    stars: int | None
    rated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Stint:
    """`number` counts a case's stints from 1; `seconds` are the open ones from the case's opening to this stint's end, and
    `last` says that the case was never opened again. `answers` are the case's.
    """

    case_id: int
    of: Of
    number: int
    begins_at: datetime
    ends_at: datetime | None
    seconds: int | None
    last: bool
    answers: int


@dataclass(frozen=True, slots=True)
class Deadline:
    """A deadline that was met or missed, at the moment of which that is known; `kind` is first, next or resolution."""

    case_id: int
    of: Of
    kind: str
    at: datetime
    kept: bool


@dataclass(frozen=True, slots=True)
class Load:
    """How many messages were written in a quarter of an hour: by customers (`who` customer) in the cases of `of.agent_id`,
    or by that agent.
    """

    of: Of
    at: datetime
    who: str
    count: int


@dataclass(frozen=True, slots=True)
class Rows:
    """All that a report of some shops is counted over."""

    cases: list[Case]
    stints: list[Stint]
    deadlines: list[Deadline]
    loads: list[Load]

    def only(self, keep: Callable[[Of], bool]) -> "Rows":
        """The rows of some shops, topics or agents."""
        return Rows(
            [one for one in self.cases if keep(one.of)], [one for one in self.stints if keep(one.of)],
            [one for one in self.deadlines if keep(one.of)], [one for one in self.loads if keep(one.of)],
        )  # fmt: skip

    def by(self, key: Callable[[Of], K]) -> dict[K, "Rows"]:
        """The rows in groups."""
        groups: dict[K, Rows] = defaultdict(lambda: Rows([], [], [], []))
        for name in Rows.__slots__:
            for one in getattr(self, name):
                getattr(groups[key(one.of)], name).append(one)
        return dict(groups)


@dataclass(frozen=True, slots=True)
class Found:
    """What `look` found, still to be made into rows: tickets, their turns and answers, the hours of their shops."""

    tickets: Sequence[Any]
    turns: Sequence[Any]
    answers: Sequence[Any]
    deadlines: Sequence[Any]
    loads: Sequence[Any]
    hours: Mapping[int, Hours]
    since: datetime
    until: datetime


def look(session: Session, shops: Sequence[Shop], since: datetime, until: datetime) -> Found:
    """What a report of some shops from `since` to `until` is counted over. Six looks, whatever there is."""
    ids = [shop.id for shop in shops]
    t, r, c = tickets.c, ratings.c, complaints.c
    wanted = (
        select(
            t.id, t.shop_id, t.topic, t.assignee_id, t.created_at, t.first_response_at, r.stars, r.at.label("rated_at"),
            c.opened_at.label("complained_at"), c.repeats, c.outcome,
        )
        .outerjoin(ratings, r.ticket_id == t.id)
        .outerjoin(complaints, c.ticket_id == t.id)
        .where(
            t.shop_id.in_(ids), t.merged_into.is_(None), t.created_at < until,
            or_(t.resolved_at.is_(None), t.resolved_at >= since, r.at >= since, c.opened_at >= since),
        )
    )  # fmt: skip
    chosen = select(wanted.subquery().c.id)
    return Found(
        session.execute(wanted.order_by(t.id)).all(), session.execute(_turns(chosen)).all(),
        session.execute(_answers(chosen)).all(), session.execute(_deadlines(ids, since, until)).all(),
        session.execute(_loads(ids, since, until)).all(), calendars.of_shops(session, ids), since, until,
    )  # fmt: skip


def made(found: Found) -> Rows:
    """The rows: arithmetic alone, a second of it for a large shop's year."""
    turns: dict[int, list[tuple[str, datetime]]] = defaultdict(list)
    for ticket_id, kind, at in found.turns:
        turns[ticket_id].append((kind, at))
    answers = {ticket_id: int(count) for ticket_id, count in found.answers}
    oldest = min((row.created_at for row in found.tickets), default=found.since)
    latest = max((row.first_response_at or found.until for row in found.tickets), default=found.until)
    latest = max(latest, found.until, *(row.at for row in found.turns))
    work = {
        shop_id: Worktime(found.hours.get(shop_id), oldest, latest)
        for shop_id in {row.shop_id for row in found.tickets}
    }
    rows = Rows([], [], [], [])
    for row in found.tickets:
        of, between = Of(row.shop_id, row.topic, row.assignee_id), work[row.shop_id].between
        rows.cases.append(_case(row, of, between, answers.get(row.id, 0)))
        rows.stints.extend(_stints(row, of, between, answers.get(row.id, 0), turns.get(row.id, ())))
    for row in found.deadlines:
        of = Of(row.shop_id, row.topic, row.assignee_id)
        rows.deadlines.append(Deadline(row.id, of, row.kind, row.known_at, row.breached_at is None))
    for row in found.loads:
        of = Of(row.shop_id, row.topic, row.agent_id)
        rows.loads.append(Load(of, from_micros(row.quarter * QUARTER), row.who, int(row.messages)))
    return rows


Between = Callable[[datetime, datetime], int]


def _case(row: Any, of: Of, between: Between, answers: int) -> Case:
    real = row.complained_at is not None and row.outcome not in NONE
    return Case(
        row.id, of, row.created_at, row.first_response_at,
        None if row.first_response_at is None else between(row.created_at, row.first_response_at), answers,
        row.complained_at if real else None, real and row.repeats is not None, row.stars, row.rated_at,
    )  # fmt: skip


def _stints(row: Any, of: Of, between: Between, answers: int, turns: Sequence[tuple[str, datetime]]) -> list[Stint]:
    """What happened to a case as stints: an end of what has ended, or a reopening of what is open (asleep), says nothing."""
    spans: list[tuple[datetime, datetime | None]] = []
    begins: datetime | None = row.created_at
    for kind, at in turns:
        if kind == REOPENED:
            begins = begins or at
        elif begins is not None:
            spans.append((begins, at))
            begins = None
    if begins is not None:
        spans.append((begins, None))
    return [
        Stint(
            row.id, of, number, begin, end, None if end is None else between(row.created_at, end),
            number == len(spans), answers,
        )
        for number, (begin, end) in enumerate(spans, start=1)
    ]  # fmt: skip


def _turns(chosen: Select[tuple[int]]) -> Select[Any]:
    """When cases were solved, closed and opened again."""
    e = ticket_events.c
    return (
        select(e.ticket_id, e.kind, e.at)
        .where(e.ticket_id.in_(chosen), e.kind.in_((*ENDS, REOPENED)))
        .order_by(e.ticket_id, e.seq)
    )


def _answers(chosen: Select[tuple[int]]) -> Select[Any]:
    """How often the shop answered in each case: an answer is what is written before the customer's next word."""
    m = ticket_messages.c
    before = func.lag(m.who).over(partition_by=m.ticket_id, order_by=m.seq).label("before")
    lines = select(m.ticket_id, m.who, before).where(m.ticket_id.in_(chosen), m.who != NOTE).subquery()
    begun = or_(lines.c.before.is_(None), lines.c.before != AGENT)
    return select(lines.c.ticket_id, func.count()).where(lines.c.who == AGENT, begun).group_by(lines.c.ticket_id)


def _deadlines(ids: Sequence[int], since: datetime, until: datetime) -> Select[Any]:
    k, t = clocks.c, tickets.c
    known = func.coalesce(k.breached_at, k.ended_at, type_=k.ended_at.type)
    return (
        select(t.id, t.shop_id, t.topic, t.assignee_id, k.kind, known.label("known_at"), k.breached_at)
        .join(tickets, t.id == k.ticket_id)
        .where(
            k.shop_id.in_(ids), k.allowance.is_not(None), t.merged_into.is_(None), known >= since, known < until,
            or_(k.breached_at.is_not(None), k.state.in_((MET, LATE))),
        )
        .order_by(k.id)
    )  # fmt: skip


def _loads(ids: Sequence[int], since: datetime, until: datetime) -> Select[Any]:
    m, t = ticket_messages.c, tickets.c
    quarter: ColumnElement[int] = type_coerce(m.at, BigInteger) // QUARTER
    agent = case((m.who == AGENT, m.staff_id), else_=t.assignee_id)
    lines = (
        select(t.shop_id, t.topic, agent.label("agent_id"), quarter.label("quarter"), m.who)
        .join(tickets, t.id == m.ticket_id)
        # What was said in the period moved its ticket's `updated_at` into it, or beyond.
        .where(t.shop_id.in_(ids), t.updated_at >= since, m.who != NOTE, m.at >= since, m.at < until)
        .subquery()
    )
    f = lines.c
    whose = (f.shop_id, f.topic, f.agent_id, f.quarter, f.who)
    return select(*whose, func.count().label("messages")).group_by(*whose).order_by(f.quarter, *whose)
