"""Standings: who stands where in a journey, and how it ended for whom. Only looks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from loyalty.customers import customers
from loyalty.outreach import deliveries
from loyalty.outreach.journeys import journeys
from loyalty.outreach.journeys.journeys import Journey
from loyalty.outreach.journeys.runs import ACTIVE, runs

PAGE = 200


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
    missed: list[dict[str, Any]] | None
    """What couldn't be done for them (RunRow.missed)."""


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
        wanted += [r.state == ACTIVE, r.step == step]
    if state is not None:
        wanted.append(r.state == state)
    if after:
        wanted.append(r.id < after)
    rows = session.execute(
        select(
            r.id, r.customer_id, c.name, c.phone, r.occurrence, r.state, r.step, r.due_at, r.begun_at, r.ended_at, r.missed
        )
        .join(customers.customers, c.id == r.customer_id)
        .where(*wanted)
        .order_by(r.id.desc())
        .limit(limit)
    )  # fmt: skip
    return [Stand(*tuple(row)) for row in rows]


def unheard(session: Session, journey: Journey, those: Sequence[Stand]) -> dict[int, list[tuple[int, str]]]:
    """Which of a journey's messages these people didn't hear, by run: the step's number, and why (`failed`: it wouldn't go)."""
    d = deliveries.deliveries.c
    rows = session.execute(
        select(d.customer_id, d.occurrence, d.step, d.state, d.reason)
        .where(
            deliveries.of(deliveries.JOURNEY, journey.id), d.step.in_(list(journeys.messages(journey))),
            d.occurrence.in_({one.occurrence for one in those}), d.customer_id.in_([one.customer_id for one in those]),
            d.state.in_((deliveries.SKIPPED, deliveries.FAILED, deliveries.UNKNOWN)),
        )
        .order_by(d.step)
    )  # fmt: skip
    run_of = {(one.customer_id, one.occurrence): one.run_id for one in those}
    found: dict[int, list[tuple[int, str]]] = {}
    for who, occurrence, step, state, reason in rows:
        if (who, occurrence) in run_of:
            found.setdefault(run_of[who, occurrence], []).append((step, _why(state, reason)))
    return found


def _why(state: str, reason: str | None) -> str:
    return reason or "" if state == deliveries.SKIPPED or reason == "blocked" else deliveries.FAILED


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


@dataclass(slots=True)
class Heard:
    """What became of a message step: how many heard it, wait for it, or don't hear it, by reason (`failed`: it wouldn't go)."""

    sent: int = 0
    waiting: int = 0
    missed: dict[str, int] = field(default_factory=dict)


def heard(session: Session, journey_id: int) -> dict[int, Heard]:
    """What became of a journey's messages, by the number of their step."""
    d = deliveries.deliveries.c
    why = func.coalesce(d.reason, "").label("why")
    rows = session.execute(
        select(d.step, d.state, why, func.count())
        .where(deliveries.of(deliveries.JOURNEY, journey_id))
        .group_by(d.step, d.state, why)
    )
    found: dict[int, Heard] = {}
    for step, state, reason, count in rows:
        one = found.setdefault(step, Heard())
        if state == deliveries.SENT:
            one.sent += count
        elif state in {deliveries.PLANNED, deliveries.QUEUED}:
            one.waiting += count
        else:
            missed = _why(state, reason)
            one.missed[missed] = one.missed.get(missed, 0) + count
    return found
