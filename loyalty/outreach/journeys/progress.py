"""Progress: runs whose time has come are taken on, step by step, up to the next wait.

A run is taken in hand, its steps done and its next time written in one transaction: whatever stops the program, a step was
done once or not at all. Times follow from when a run should have gone on, not from when the program got round to it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.customers import customers
from loyalty.outreach import deliveries
from loyalty.outreach.consents import PURPOSES
from loyalty.outreach.journeys import journeys, steps, tasks
from loyalty.outreach.journeys import runs as runs_of
from loyalty.outreach.journeys.journeys import Journey
from loyalty.outreach.journeys.runs import ACTIVE, DONE, LEFT, Run, end, runs
from loyalty.outreach.manners import Reason
from loyalty.outreach.segments import segments
from loyalty.points import points
from loyalty.vouchers import vouchers
from store import events, shops
from store.clock import now
from store.errors import RuleError

BATCH = 40
STEPS_AT_ONCE = 100
_FIELDS = tuple(runs.c[name] for name in Run.__dataclass_fields__)


@dataclass
class _Turn:
    """A run in hand: for whom, and the moment it has come to. `voucher_id`: what was given and the next message tells of;
    `missed`: it couldn't be given, so there is nothing to tell.
    """

    journey: Journey
    run: Run
    who: int
    zone: str
    at: datetime
    listed: Mapping[int, steps.Placed]
    voucher_id: int | None = None
    missed: bool = False
    misses: list[dict[str, Any]] = field(default_factory=list)
    """What couldn't be done on this run's way (RunRow.missed)."""


def advance_due(session: Session) -> int:
    """Take some runs on whose time has come; how many. For the clock."""
    r, j = runs.c, journeys.journeys.c
    rows = session.execute(
        select(*_FIELDS)
        .join(journeys.journeys, j.id == r.journey_id)
        .where(r.state == ACTIVE, r.due_at <= now(session), j.on, j.removed_at.is_(None))
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
    zone = shops.get(session, journey.shop_id).timezone
    who = customers.resolve(session, run.customer_id)
    person = customers.customers.c
    if session.execute(select(person.erased_at).where(person.id == who)).scalar() is not None:
        return end(session, run, LEFT)
    # After a pause time counts from its end: what would have come in between does not come all at once.
    at = max(run.due_at, journey.on_since or run.due_at)
    turn = _Turn(journey, run, who, zone, at, steps.places(journey.steps), misses=list(run.missed or ()))
    number = run.step
    for _ in range(STEPS_AT_ONCE):
        if number is None:
            return end(session, run, DONE)
        placed = turn.listed.get(number)
        if placed is None or placed.step["kind"] == "exit":
            return end(session, run, LEFT)
        if placed.step["kind"] in {"wait", "until"}:
            turn.at, number = steps.waits_until(placed.step, turn.at, zone), placed.following
            if turn.at > now(session):
                break
            continue
        try:
            with session.begin_nested():
                number = _do(session, turn, placed)
        except RuleError as error:
            # Sold out, an empty wallet, an offer that is gone: the journey goes on without it.
            miss = {"step": number, "what": placed.step["kind"], "reason": error.code}
            turn.misses.append(miss)
            runs_of.miss(session, run, turn.misses)
            events.happened(
                session, "journey_step_missed", customer_id=who, shop_id=journey.shop_id, journey=journey.id, **miss
            )  # fmt: skip
            turn.missed = placed.step["kind"] == "voucher"
            number = placed.following
    session.execute(update(runs).where(runs.c.id == run.id).values(step=number, due_at=turn.at))
    return None


def _do(session: Session, turn: _Turn, placed: steps.Placed) -> int | None:
    """One step that is no wait; the number of the next one. Raises RuleError where it can't be done."""
    journey, run, step = turn.journey, turn.run, placed.step
    key = f"journey:{journey.id}:{step['id']}:{run.occurrence}:{run.customer_id}"
    match step["kind"]:
        case "condition":
            fits = segments.holds(session, step["criteria"], turn.zone, [turn.who])
            return steps.branch(placed, "then" if fits else "else")
        case "split":
            drawn = hashlib.blake2b(key.encode(), digest_size=8).digest()
            return steps.branch(placed, "a" if int.from_bytes(drawn) % 100 < step["share"] else "b")
        case "message":
            deliveries.plan_step(
                session, journey.id, step["id"], run.occurrence, turn.who, PURPOSES[step["purpose"]], due_at=turn.at,
                voucher_id=turn.voucher_id, skipped=Reason.NO_VOUCHER if turn.missed else None,
            )  # fmt: skip
            turn.voucher_id, turn.missed = None, False
        case "voucher":
            told = steps.told(turn.listed, step["id"])
            given = vouchers.issue(session, step["program"], turn.who, key=key, tell=not told)
            turn.voucher_id = given.id if told else None
        case "points":
            points.earn(
                session, key, "journey", customer_id=turn.who, shop_id=journey.shop_id, points=step["points"],
                expires_at=programme.expiry(session, zone=turn.zone), actor="journey", reason=step["reason"],
            )  # fmt: skip
        case "tag":
            person = customers.get(session, turn.who)
            if step["tag"] not in person.tags:
                customers.change(session, turn.who, tags=[*person.tags, step["tag"]])
        case "task":
            tasks.add(session, journey.shop_id, journey.id, turn.who, step["text"], key)
        case "webhook":
            events.happened(
                session, "journey_reached", customer_id=turn.who, shop_id=journey.shop_id, journey=journey.id,
                name=step["name"],
            )  # fmt: skip
    return placed.following
