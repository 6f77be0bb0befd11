"""Survival: what share of customers still is one, so many days after their first order (Kaplan and Meier, 1958).

Somebody has lapsed when they haven't bought for 90 days: 90 days after that last order. They may come back; the first time
counts. Whoever hasn't lapsed by the end is known to have stayed so long, and no longer.

S(t) = the product over the days d <= t on which somebody lapsed of (1 - lapsed on d / still looked at on d).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from loyalty.insights.retention import ACTIVE_DAYS
from loyalty.insights.scope import Scope
from loyalty.orders.orders import orders
from store import clock, local_time


@dataclass(frozen=True, slots=True)
class Step:
    """On a day after the first order: how many were still looked at, how many of them lapsed, and the share (0 to 1) that stayed
    beyond it.
    """

    day: int
    at_risk: int
    lapsed: int
    stays: float


def of(session: Session, scope: Scope, active_days: int = ACTIVE_DAYS) -> list[Step]:
    """The curve of a shop's customers as it is known at the end of the scope's days, one step for each day with a lapse."""
    end = scope.last.toordinal()
    day = local_time.day(orders.c.placed_at, scope.zone, clock.now(session))
    bought = select(orders.c.customer_id, day.label("day")).where(*scope.orders()).distinct().subquery()
    following = func.lead(bought.c.day).over(partition_by=bought.c.customer_id, order_by=bought.c.day)
    each = select(bought.c.customer_id, bought.c.day, func.coalesce(following, end).label("following")).subquery()
    sleeps = each.c.following - each.c.day > active_days
    person = (
        select(func.min(each.c.day).label("first"), func.min(case((sleeps, each.c.day))).label("slept"))
        .group_by(each.c.customer_id)
        .subquery()
    )
    lasted = func.coalesce(person.c.slept + active_days, end) - person.c.first
    lapsed = person.c.slept.is_not(None)
    rows = session.execute(select(lasted, case((lapsed, 1), else_=0), func.count()).group_by(lasted, lapsed))
    return curve((int(days), bool(over), int(count)) for days, over, count in rows)


def curve(lasted: Iterable[tuple[int, bool, int]]) -> list[Step]:
    """The curve of so many people who each lasted so many days: until they lapsed, or (False) until nobody looked any more."""
    days: dict[int, list[int]] = {}
    for day, over, count in lasted:
        days.setdefault(day, [0, 0])[over] += count
    left, stays, steps = sum(map(sum, days.values())), 1.0, []
    for day, (unseen, gone) in sorted(days.items()):
        if gone:
            stays *= 1 - gone / left
            steps.append(Step(day, left, gone, stays))
        left -= unseen + gone
    return steps


def stayed(steps: list[Step], day: int) -> float:
    """The share that stayed beyond a day."""
    return next((step.stays for step in reversed(steps) if step.day <= day), 1.0)
