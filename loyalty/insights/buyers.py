"""Buyers: the best of a period, how many people ever bought, and how long it takes until they come again."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from loyalty.customers.customers import customers
from loyalty.insights.scope import Scope
from loyalty.orders.orders import orders
from loyalty.orders.real import PAID
from store import clock, local_time

TOP = 10


@dataclass(frozen=True, slots=True)
class Buyer:
    """`spent` in đồng."""

    customer_id: int
    name: str
    orders: int
    spent: int


@dataclass(frozen=True, slots=True)
class Buyers:
    """`ever`: who had bought by the end of the period. `gaps`: how often somebody bought again in it on a later day, `days` how
    many days these had passed since the day before that they bought on.
    """

    ever: int
    gaps: int
    days: int

    @property
    def between(self) -> float | None:
        """Days between orders, in the mean."""
        return self.days / self.gaps if self.gaps else None


def of(session: Session, scope: Scope) -> Buyers:
    """The buyers of a shop's days."""
    day = local_time.day(orders.c.placed_at, scope.zone, clock.now(session))
    bought = select(orders.c.customer_id, day.label("day")).where(*scope.orders()).distinct().subquery()
    before = func.lag(bought.c.day).over(partition_by=bought.c.customer_id, order_by=bought.c.day).label("before")
    each = select(bought.c.customer_id, bought.c.day, before).subquery()
    again = (each.c.before.is_not(None)) & (each.c.day >= scope.first.toordinal())
    row = session.execute(
        select(
            func.count(each.c.customer_id.distinct()), func.count().filter(again),
            func.coalesce(func.sum(each.c.day - each.c.before).filter(again), 0),
        )
    ).one()  # fmt: skip
    return Buyers(*(int(part) for part in row))


def best(session: Session, scope: Scope, *, by_orders: bool = False) -> list[Buyer]:
    """The ten who spent the most in a shop's days, or came most often."""
    o, c = orders.c, customers.c
    count, spent = func.count().label("orders"), func.sum(PAID).label("spent")
    first = (count.desc(), spent.desc()) if by_orders else (spent.desc(), count.desc())
    rows = session.execute(
        select(c.id, c.name, count, spent)
        .join(customers, c.id == o.customer_id)
        .where(*scope.orders(scope.begin))
        .group_by(c.id, c.name)
        .order_by(*first, c.id)
        .limit(TOP)
    )
    return [Buyer(row.id, row.name, row.orders, int(row.spent)) for row in rows]


def total(session: Session, scope: Scope) -> tuple[int, int]:
    """How many orders of known customers a shop's days had, and the đồng of them."""
    query = select(func.count(), func.coalesce(func.sum(PAID), 0)).where(*scope.orders(scope.begin))
    count, spent = session.execute(query).one()
    return count, int(spent)
