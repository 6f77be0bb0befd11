"""Habits: what customers buy, when in the week, by which way the order came, and where they can be written to."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from loyalty.customers.customers import identities
from loyalty.insights.scope import Scope
from loyalty.orders.bought import bought
from loyalty.orders.orders import orders
from loyalty.orders.real import PAID
from store import clock, local_time

TOP = 10


@dataclass(frozen=True, slots=True)
class Liked:
    """An item or a category: its `name` as it is kept, as the shop writes it, in how many orders it was, of how many people."""

    name: str
    said: str
    orders: int
    people: int


@dataclass(frozen=True, slots=True)
class Way:
    """Where orders came from (till, api, import): how many, and the đồng of them."""

    source: str
    orders: int
    revenue: int


def liked(session: Session, scope: Scope, kind: int, only: Sequence[str] | None = None) -> list[Liked]:
    """What most orders of a shop's days had, `bought.ITEM` or `bought.CATEGORY`; `only` of these names."""
    o, b = orders.c, bought.c
    count = func.count()
    query = (
        select(b.name, func.max(b.said), count, func.count(o.customer_id.distinct()))
        .join(orders, o.id == b.order_id)
        .where(*scope.orders(scope.begin), b.kind == kind)
        .group_by(b.name)
        .order_by(count.desc(), b.name)
    )
    query = query.limit(TOP) if only is None else query.where(b.name.in_(only))
    return [Liked(*row) for row in session.execute(query)]


def hours(session: Session, scope: Scope) -> list[list[int]]:
    """Orders of a shop's days by weekday from Monday on, and by hour."""
    moment, at = clock.now(session), orders.c.placed_at
    weekday, hour = local_time.weekday(at, scope.zone, moment), local_time.hour(at, scope.zone, moment)
    found = [[0] * 24 for _ in range(7)]
    for day, of_day, count in session.execute(
        select(weekday, hour, func.count()).where(*scope.orders(scope.begin)).group_by(weekday, hour)
    ):
        found[day][of_day] = count
    return found


def ways(session: Session, scope: Scope) -> list[Way]:
    """Where the orders of a shop's days came from, most first."""
    o, count = orders.c, func.count()
    rows = session.execute(
        select(o.source, count, func.sum(PAID))
        .where(*scope.orders(scope.begin))
        .group_by(o.source)
        .order_by(count.desc(), o.source)
    )
    return [Way(source, orders_, int(revenue)) for source, orders_, revenue in rows]


def messengers(session: Session, scope: Scope) -> dict[str, int]:
    """On which messengers those who bought in a shop's days can be written to, by how many; somebody may be on several. Under ""
    all of them together.
    """
    i = identities.c
    buyers = select(orders.c.customer_id).where(*scope.orders(scope.begin)).distinct().subquery()
    total = session.execute(select(func.count()).select_from(buyers)).scalar_one()
    rows = session.execute(
        select(i.account, func.count(i.customer_id.distinct()))
        .join(buyers, buyers.c.customer_id == i.customer_id)
        .where(i.unreachable_since.is_(None))
        .group_by(i.account)
    )
    counts: dict[str, int] = {"": total}
    for account, count in rows:
        name = account.split(":", 1)[0]
        counts[name] = counts.get(name, 0) + count
    return counts
