"""Prospects: how likely each customer still comes, and what they are expected to bring in a year, by the outlook of the night.

Written as facts of the customer (`facts.P_ALIVE`, `facts.WORTH`), some at a time, so that segments can ask for them. How far
it came stands on the outlook's row: whoever goes on after a crash, or beside another, does each part once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session

from loyalty.customers import facts
from loyalty.customers.customers import customers
from loyalty.insights import forecast
from loyalty.insights.gamma_gamma import Spending
from loyalty.insights.outlooks import TOGETHER, Outlook, outlooks, read
from loyalty.insights.scope import Scope

PAGE = 500
STALE = 1_000
BANDS = (80, 60, 40, 20)
LEAVING_ALIVE, LEAVING_WORTH = 50, 2_000_000
"""Who is likely to leave and worth much: so likely at most to come again, in per cent, and worth more than so many đồng."""
WEEKS = 365 / 7


@dataclass(frozen=True, slots=True)
class Buyer:
    """Somebody's orders so far: on how many days, the first and the latest of them by number, and the đồng of all."""

    customer_id: int
    days: int
    first: int
    latest: int
    spent: int


@dataclass(frozen=True, slots=True)
class Part:
    """The next of them, those with numbers above `after`; none: all had their turn. `outlook` None: nothing can be said."""

    day: date
    after: int
    buyers: Sequence[Buyer]
    outlook: Outlook | None


@dataclass(frozen=True, slots=True)
class Prospect:
    """`alive` in per cent, `worth` in đồng of the next 365 days."""

    customer_id: int
    alive: int
    worth: int


def part(session: Session) -> Part | None:
    """What is to be done next of tonight's; None when all is."""
    row = _row(session)
    if row is None or row.place is None:
        return None
    outlook = read(row.made) if row.made else None
    if outlook is None:
        return Part(row.day, row.place, (), None)
    c = customers.c
    page = (
        select(c.id)
        .where(c.id > row.place, c.orders_count > 0, c.merged_into.is_(None), c.erased_at.is_(None))
        .order_by(c.id)
        .limit(PAGE)
    )
    each = forecast.days(session, None, select(page.subquery().c.id)).c
    rows = session.execute(
        select(each.customer_id, each.days, each.first, each.latest, each.spent).order_by(each.customer_id)
    )
    buyers = [Buyer(row.customer_id, row.days, row.first, row.latest, int(row.spent)) for row in rows]
    return Part(row.day, row.place, buyers, outlook)


def judged(of: Part) -> list[Prospect]:
    """The prospects of a part: arithmetic alone."""
    outlook, until = of.outlook, of.day.toordinal() - 1
    if outlook is None:
        return []
    found = []
    for one in of.buyers:
        # Who first bought today is looked at as of today.
        known = forecast.history(one.days, one.first, one.latest, max(until, one.latest))
        spending = Spending(one.days, one.spent / one.days)
        brings = outlook.spending.expected(spending) if outlook.spending else spending.mean
        worth = round(outlook.model.expected(known, WEEKS) * brings)
        found.append(Prospect(one.customer_id, round(100 * outlook.model.alive(known)), worth))
    return found


def put(session: Session, of: Part, prospects: Sequence[Prospect]) -> None:
    """Write a part's prospects, unless somebody else has; in the end what was not written again this night goes."""
    row = _row(session, lock=True)
    if row is None or (row.day, row.place) != (of.day, of.after):
        return
    place = prospects[-1].customer_id if prospects else None
    if prospects:
        c = customers.c
        # Held, so that nobody is merged or erased meanwhile.
        alive = set(
            session.execute(
                select(c.id)
                .where(
                    c.id.in_([one.customer_id for one in prospects]), c.merged_into.is_(None), c.erased_at.is_(None),
                )
                .order_by(c.id)
                .with_for_update(read=True)
            ).scalars()
        )  # fmt: skip
        kept = [one for one in prospects if one.customer_id in alive]
        facts.put_many(session, facts.P_ALIVE, [(one.customer_id, one.alive) for one in kept])
        facts.put_many(session, facts.WORTH, [(one.customer_id, one.worth) for one in kept])
    elif facts.clear(session, (facts.P_ALIVE, facts.WORTH), row.begun_at, STALE):
        return
    session.execute(update(outlooks).where(outlooks.c.shop_id == TOGETHER).values(place=place))


@dataclass(frozen=True, slots=True)
class Band:
    """Customers who are so likely to come again, from `least` per cent on, and the đồng that a year is expected to bring of them."""

    least: int
    people: int
    worth: int


def bands(session: Session, scope: Scope) -> list[Band]:
    """A shop's customers by how likely they come again, the likeliest first; none before a night has told."""
    alive, worth = facts.facts.alias("alive"), facts.facts.alias("worth")
    step = case(*((alive.c.value >= least, least) for least in BANDS), else_=0).label("least")
    rows = session.execute(
        select(step, func.count(), func.sum(worth.c.value))
        .select_from(alive.join(worth, worth.c.customer_id == alive.c.customer_id))
        .where(alive.c.name == facts.P_ALIVE, worth.c.name == facts.WORTH, alive.c.customer_id.in_(scope.people()))
        .group_by(step)
    )
    found = {least: Band(least, people, int(worth_)) for least, people, worth_ in rows}
    return [found.get(least, Band(least, 0, 0)) for least in (*BANDS, 0)] if found else []


def leaving(session: Session, scope: Scope) -> int:
    """How many of a shop's customers are likely to leave and worth much: as the ready-made segment says."""
    alive, worth = facts.facts.alias("alive"), facts.facts.alias("worth")
    found = (
        select(func.count())
        .select_from(alive.join(worth, worth.c.customer_id == alive.c.customer_id))
        .where(
            alive.c.name == facts.P_ALIVE, alive.c.value <= LEAVING_ALIVE, worth.c.name == facts.WORTH,
            worth.c.value > LEAVING_WORTH, alive.c.customer_id.in_(scope.people()),
        )
    )  # fmt: skip
    return int(session.execute(found).scalar_one())


def _row(session: Session, *, lock: bool = False) -> Any:
    query = select(outlooks).where(outlooks.c.shop_id == TOGETHER)
    return session.execute(query.with_for_update() if lock else query).first()
