"""Runs: where each customer stands in a journey. One row for each journey, occurrence and customer, so nobody begins twice.

What is due is a row with a time. A run is taken in hand, its step done and its next time written in one transaction: whatever
stops the program, the step was done once or not at all. Times follow from when a run should have gone on, not from when the
program got round to it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Index, Select, Text, UniqueConstraint, and_, delete, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty import programme, rounds
from loyalty.customers import customers
from loyalty.outreach import deliveries
from loyalty.outreach.consents import PURPOSES
from loyalty.outreach.journeys import entries, journeys, steps, tasks, triggers
from loyalty.outreach.journeys.journeys import Journey
from loyalty.outreach.segments import criteria, segments
from loyalty.points import points
from loyalty.rounds import Round
from loyalty.vouchers import vouchers
from store import events, shops
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ConflictError, NotFoundError

FOLLOWER = "journeys"
BATCH = 40
STEPS_AT_ONCE = 100
HOUR = 8
"""Of the shop's morning, when the calendar begins journeys."""
PAGE = 200


class RunRow(Base):
    __tablename__ = "journey_runs"
    __table_args__ = (
        UniqueConstraint("journey_id", "occurrence", "customer_id"),
        Index(
            "ix_journey_runs_due", "due_at", "id",
            sqlite_where=text("state = 'active'"), postgresql_where=text("state = 'active'"),
        ),
        Index("ix_journey_runs_customer", "customer_id"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    journey_id: Mapped[int]
    occurrence: Mapped[str] = mapped_column(Text)
    customer_id: Mapped[int] = mapped_column(BigId, autoincrement=False)
    step: Mapped[int | None]
    """The number of the step that is next."""
    due_at: Mapped[datetime] = mapped_column(UtcTime)
    state: Mapped[str] = mapped_column(Text)
    """active, done (came to the end), left (by an exit, or because the person or the step is gone)."""
    begun_at: Mapped[datetime] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Run:
    """A run that is due; see RunRow."""

    id: int
    journey_id: int
    occurrence: str
    customer_id: int
    step: int | None
    due_at: datetime


runs = table(RunRow)
_FIELDS = tuple(runs.c[name] for name in Run.__dataclass_fields__)


# ── Beginning ───────────────────────────────────────────────────────────────────────────────────────


def begin(session: Session, journey: Journey, people: Sequence[tuple[int, str]], at: datetime) -> int:
    """Begin a journey for people, (customer, occurrence) each; who began it before is left alone. How many began."""
    if not people or not journey.steps:
        return 0
    fits = set(
        segments.among(session, criteria.parse(journey.criteria), _zone(session, journey), [who for who, _ in people])
    )
    add = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    rows = [
        {
            "journey_id": journey.id, "occurrence": occurrence, "customer_id": who, "step": journey.steps[0]["id"],
            "due_at": at, "state": "active", "begun_at": at,
        }
        for who, occurrence in dict.fromkeys(people) if who in fits
    ]  # fmt: skip
    begun = 0
    for row in rows:
        begun += len(session.execute(add(runs).values(**row).on_conflict_do_nothing().returning(runs.c.id)).all())
    return begun


def hear_due(session: Session) -> int:
    """Begin the journeys that some new events begin; how many events that were. For the clock."""
    if not events.any_new(session, FOLLOWER):
        return 0
    events.number(session)
    heard = events.follow(session, FOLLOWER)
    on = journeys.switched_on(session) if heard else []
    for event in heard:
        if event.customer_id is None:
            continue
        for journey in on:
            known = triggers.TRIGGERS[journey.trigger["kind"]]
            if known.event != event.kind or known.occurs is None or (journey.on_since and event.at < journey.on_since):
                continue
            if event.shop_id not in {None, journey.shop_id}:
                continue
            occurrence = known.occurs(session, event, journey.trigger)
            if occurrence is not None:
                begin(session, journey, [(customers.resolve(session, event.customer_id), occurrence)], event.at)
    return len(heard)


def calendar_due(session: Session) -> int:
    """Begin some of the journeys that today begins; 0 when all are begun. For the clock."""
    return rounds.go_on(session, "journeys", HOUR, _calendar)


def _calendar(session: Session, at: Round) -> str | None:
    """A page of a journey's next day that wasn't begun yet. The days that the program missed are begun too, each as of its
    own morning, up to `CATCH_UP_DAYS`.
    """
    journey_id, after = (int(part) for part in at.place.split(":")) if at.place else (0, 0)
    zone = ZoneInfo(at.shop.timezone)
    for journey in journeys.switched_on(session, at.shop.id):
        known = triggers.TRIGGERS[journey.trigger["kind"]]
        day = _next_day(journey, at.day, zone)
        if known.event is not None or day > at.day:
            continue
        if journey.id != journey_id:
            after = 0
        if known.enters:
            # Who was in a segment on a day that is over is not known.
            day = at.day
        moment = datetime.combine(day, time(HOUR), zone).astimezone(now(session).tzinfo)
        if known.day is not None:
            page = _page(session, known.day(session, journey.trigger, day, zone), after)
            following = page[-1][0] if page else None
        else:
            segment = (journey.trigger["segment"], at.shop.id)
            page, following = entries.look(session, journey.id, segment, zone.key, day, after)
            if journey.calendar_day is None:
                # The first look: they were in it before.
                page = []
        begin(session, journey, page, moment)
        if following is None:
            journeys.calendar_begun(session, journey.id, day)
        return f"{journey.id}:{following or 0}"
    return None


def _next_day(journey: Journey, today: date, zone: ZoneInfo) -> date:
    """The day of the calendar that a journey begins next: none from before it was on, nor long past ones."""
    days = [today - timedelta(days=triggers.CATCH_UP_DAYS - 1)]
    if journey.calendar_day is not None:
        days.append(date.fromisoformat(journey.calendar_day) + timedelta(days=1))
    if journey.on_since is not None:
        since = journey.on_since.astimezone(zone)
        days.append(since.date() + timedelta(days=since.hour >= HOUR))
    return max(days)


def _page(session: Session, found: Select[Any], after: int) -> list[tuple[int, str]]:
    """All occurrences of the next customers."""
    those = found.subquery()
    who, occurrence = those.c[0], those.c[1]
    ids = session.execute(select(who).where(who > after).distinct().order_by(who).limit(PAGE)).scalars().all()
    if not ids:
        return []
    rows = session.execute(select(who, occurrence).where(who > after, who <= ids[-1]).order_by(who))
    return [(row[0], str(row[1])) for row in rows]


# ── Going on ────────────────────────────────────────────────────────────────────────────────────────


def advance_due(session: Session) -> int:
    """Take some runs on whose time has come; how many. For the clock."""
    r, j = runs.c, journeys.journeys.c
    rows = session.execute(
        select(*_FIELDS)
        .join(journeys.journeys, j.id == r.journey_id)
        .where(r.state == "active", r.due_at <= now(session), j.on, j.removed_at.is_(None))
        .order_by(r.due_at, r.id)
        .limit(BATCH)
        .with_for_update(of=runs, skip_locked=True)
    ).all()  # fmt: skip
    known: dict[int, Journey] = {}
    for row in rows:
        run = Run(*row)
        journey = known.get(run.journey_id) or journeys.get(session, run.journey_id)
        known[run.journey_id] = journey
        _advance(session, journey, run)
    return len(rows)


def _advance(session: Session, journey: Journey, run: Run) -> None:
    """Do a run's steps up to the next wait."""
    listed = steps.places(journey.steps)
    zone = _zone(session, journey)
    who = customers.resolve(session, run.customer_id)
    person = customers.customers.c
    if session.execute(select(person.erased_at).where(person.id == who)).scalar() is not None:
        return _end(session, run, "left")
    at, number = run.due_at, run.step
    for _ in range(STEPS_AT_ONCE):
        if number is None:
            return _end(session, run, "done")
        placed = listed.get(number)
        if placed is None or placed.step["kind"] == "exit":
            return _end(session, run, "left")
        step = placed.step
        if step["kind"] in {"wait", "until"}:
            at, number = steps.waits_until(step, at, zone), placed.following
            if at > now(session):
                break
            continue
        number = _do(session, journey, run, who, step, placed, at)
    session.execute(update(runs).where(runs.c.id == run.id).values(step=number, due_at=at))
    return None


def _do(
    session: Session, journey: Journey, run: Run, who: int, step: steps.Json, placed: steps.Placed, at: datetime
) -> int | None:
    """One step that is no wait; the number of the next one."""
    key = f"journey:{journey.id}:{step['id']}:{run.occurrence}:{run.customer_id}"
    match step["kind"]:
        case "condition":
            fits = segments.among(session, criteria.parse(step["criteria"]), _zone(session, journey), [who])
            return steps.branch(placed, "then" if fits else "else")
        case "split":
            drawn = hashlib.blake2b(key.encode(), digest_size=8).digest()
            return steps.branch(placed, "a" if int.from_bytes(drawn) % 100 < step["share"] else "b")
        case "message":
            deliveries.plan(
                session, deliveries.JOURNEY, journey.id, PURPOSES[step["purpose"]], [(who, "A")], due_at=at,
                step=step["id"], occurrence=run.occurrence,
            )  # fmt: skip
        case "voucher":
            try:
                with session.begin_nested():
                    vouchers.issue(session, step["program"], who, key=key, tell=True)
            except (ConflictError, NotFoundError):
                # Sold out, or as many as one may have: the journey goes on without it.
                events.happened(
                    session, "journey_voucher_missed", customer_id=who, shop_id=journey.shop_id, journey=journey.id
                )
        case "points":
            shop = shops.get(session, journey.shop_id)
            try:
                with session.begin_nested():
                    points.earn(
                        session, key, "journey", customer_id=who, shop_id=shop.id, points=step["points"],
                        expires_at=programme.expiry(session, zone=shop.timezone), actor="journey", reason=step["reason"],
                    )  # fmt: skip
            except ConflictError:
                events.happened(session, "journey_points_missed", customer_id=who, shop_id=shop.id, journey=journey.id)
        case "tag":
            person = customers.get(session, who)
            if step["tag"] not in person.tags:
                customers.change(session, who, tags=[*person.tags, step["tag"]])
        case "task":
            tasks.add(session, journey.shop_id, journey.id, who, step["text"], key)
        case "webhook":
            events.happened(
                session,
                "journey_reached",
                customer_id=who,
                shop_id=journey.shop_id,
                journey=journey.id,
                name=step["name"],
            )
    return placed.following


def _end(session: Session, run: Run, state: str) -> None:
    session.execute(update(runs).where(runs.c.id == run.id).values(state=state, step=None, ended_at=now(session)))


def _zone(session: Session, journey: Journey) -> str:
    return shops.get(session, journey.shop_id).timezone


# ── Looking ─────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a person stands in a journey: at the step that is next, or how it ended."""

    run_id: int
    customer_id: int
    name: str
    phone: str | None
    occurrence: str
    state: str
    step: int | None
    due_at: datetime
    begun_at: datetime
    ended_at: datetime | None


def people(
    session: Session,
    journey_id: int,
    *,
    step: int | None = None,
    state: str | None = None,
    after: int = 0,
    limit: int = PAGE,
) -> list[Stand]:
    """Who is in a journey, the newest first: at a step, in a state, or all. `after`: the run that the last page ended with."""
    r, c = runs.c, customers.customers.c
    wanted = [r.journey_id == journey_id]
    if step is not None:
        wanted += [r.state == "active", r.step == step]
    if state is not None:
        wanted.append(r.state == state)
    if after:
        wanted.append(r.id < after)
    rows = session.execute(
        select(r.id, r.customer_id, c.name, c.phone, r.occurrence, r.state, r.step, r.due_at, r.begun_at, r.ended_at)
        .join(customers.customers, c.id == r.customer_id)
        .where(*wanted)
        .order_by(r.id.desc())
        .limit(limit)
    )
    return [Stand(*tuple(row)) for row in rows]


def standing(session: Session, journey_id: int) -> dict[tuple[str, int | None], int]:
    """How many people stand where: by state and, of those under way, the step that is next."""
    r = runs.c
    rows = session.execute(
        select(r.state, r.step, func.count()).where(r.journey_id == journey_id).group_by(r.state, r.step)
    )
    return {(state, step): count for state, step, count in rows}


def of_shop(session: Session, shop_id: int) -> dict[int, dict[str, int]]:
    """How many runs of each of a shop's journeys are in which state."""
    r, j = runs.c, journeys.journeys.c
    rows = session.execute(
        select(r.journey_id, r.state, func.count())
        .join(journeys.journeys, j.id == r.journey_id)
        .where(j.shop_id == shop_id)
        .group_by(r.journey_id, r.state)
    )
    found: dict[int, dict[str, int]] = {}
    for number, state, count in rows:
        found.setdefault(number, {})[state] = count
    return found


# ── When two customers become one, and when one is forgotten ────────────────────────────────────────


def move(session: Session, from_id: int, to_id: int) -> None:
    """In a merge runs go along; of two for the same occurrence, the one of who stays goes on."""
    r = runs.c
    mine = select(r.journey_id, r.occurrence).where(r.customer_id == to_id).subquery()
    both = session.execute(
        select(r.id)
        .join(mine, and_(mine.c.journey_id == r.journey_id, mine.c.occurrence == r.occurrence))
        .where(r.customer_id == from_id)
    ).scalars().all()  # fmt: skip
    session.execute(delete(runs).where(r.id.in_(both)))
    session.execute(update(runs).where(r.customer_id == from_id).values(customer_id=to_id))
    deliveries.move(session, deliveries.JOURNEY, from_id, to_id)
    entries.move(session, from_id, to_id)
    tasks.move(session, from_id, to_id)


def forget(session: Session, numbers: Sequence[int]) -> None:
    """Take customers out of every journey."""
    session.execute(delete(runs).where(runs.c.customer_id.in_(numbers)))
    entries.forget(session, numbers)
    tasks.forget(session, numbers)


def record(session: Session, numbers: Sequence[int]) -> list[dict[str, Any]]:
    """The journeys of a customer, for their own copy; times as ISO 8601."""
    r, j = runs.c, journeys.journeys.c
    rows = session.execute(
        select(j.name, r.state, r.begun_at, r.ended_at)
        .join(journeys.journeys, j.id == r.journey_id)
        .where(r.customer_id.in_(numbers))
        .order_by(r.id)
    )
    return [
        {
            "journey": row.name, "state": row.state, "begun_at": row.begun_at.isoformat(),
            "ended_at": row.ended_at and row.ended_at.isoformat(),
        }
        for row in rows
    ]  # fmt: skip
