"""Standings: who stands where in a journey, and how it ended for whom. Only looks."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from loyalty.customers import customers
from loyalty.outreach import deliveries
from loyalty.outreach.journeys import journeys
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
            missed = reason if state == deliveries.SKIPPED or reason == "blocked" else deliveries.FAILED
            one.missed[missed] = one.missed.get(missed, 0) + count
    return found
