"""Runs: where each customer stands in a journey. One row for each journey, occurrence and customer, so nobody begins twice.

What is due is a row with a time. A run is taken in hand, its step done and its next time written in one transaction: whatever
stops the program, the step was done once or not at all. Times follow from when a run should have gone on, not from when the
program got round to it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Index, Select, Text, UniqueConstraint, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty import programme, rounds
from loyalty.customers import customers
from loyalty.outreach import deliveries
from loyalty.outreach.journeys import journeys, steps, triggers
from loyalty.outreach.journeys.journeys import Journey
from loyalty.outreach.segments import criteria, segments
from loyalty.points import points
from loyalty.rounds import Round
from loyalty.vouchers import vouchers
from store import events, shops
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ConflictError, NotFoundError
from store.outbox import Purpose

FOLLOWER = "journeys"
BATCH = 40
STEPS_AT_ONCE = 100
HOUR = 8
"""Of the shop's morning, when the calendar begins journeys."""
PAGE = 200
PURPOSES = {"care": Purpose.CARE, "advertising": Purpose.ADVERTISING}


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
    journey_id, after = (int(part) for part in at.place.split(":")) if at.place else (0, 0)
    zone = ZoneInfo(at.shop.timezone)
    moment = datetime.combine(at.day, time(HOUR), zone).astimezone(now(session).tzinfo)
    for journey in journeys.switched_on(session, at.shop.id):
        known = triggers.TRIGGERS[journey.trigger["kind"]]
        if journey.id < journey_id or known.day is None:
            continue
        found = known.day(session, journey.trigger, at.day, zone)
        page = _page(session, found, after if journey.id == journey_id else 0)
        begin(session, journey, page, moment)
        if page:
            return f"{journey.id}:{page[-1][0]}"
        journey_id, after = journey.id + 1, 0
    return None


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
            events.happened(
                session, "journey_task", customer_id=who, shop_id=journey.shop_id, journey=journey.id, text=step["text"]
            )
    return placed.following


def _end(session: Session, run: Run, state: str) -> None:
    session.execute(update(runs).where(runs.c.id == run.id).values(state=state, step=None, ended_at=now(session)))


def _zone(session: Session, journey: Journey) -> str:
    return shops.get(session, journey.shop_id).timezone


# ── Looking ─────────────────────────────────────────────────────────────────────────────────────────


def standing(session: Session, journey_id: int) -> dict[tuple[str, int | None], int]:
    """How many people stand where: by state and, of those under way, the step that is next."""
    r = runs.c
    rows = session.execute(
        select(r.state, r.step, func.count()).where(r.journey_id == journey_id).group_by(r.state, r.step)
    )
    return {(state, step): count for state, step, count in rows}
