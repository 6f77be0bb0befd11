"""Retention: who stays, who comes new and who leaves, and what a customer is worth, over a period and a shop.

A customer of a moment has ordered in the 90 days before it (`active_days`). Rates are per cent.
    retention rate = (customers at the end - new) / customers at the start
    churn rate     = lost / customers at the start
    CLV            = average order x frequency x lifespan
New: the first order ever lies in the period. Lost: a customer at the start who is none at the end. Frequency: orders for each
buyer in the period. Lifespan: 1 / churn rate, in periods of this length.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from loyalty.insights.scope import Scope
from loyalty.orders.orders import orders
from loyalty.orders.real import PAID

ACTIVE_DAYS = 90


@dataclass(frozen=True, slots=True)
class Retention:
    """A period's figures: people, rates in per cent, money in đồng. None where there is nothing to divide by."""

    at_start: int
    new: int
    at_end: int
    lost: int
    retention_rate: float | None
    churn_rate: float | None
    repeat_purchase_rate: float | None
    orders: int
    revenue: int
    average_order: float | None
    frequency: float | None
    lifespan: float | None
    clv: float | None


def of(session: Session, scope: Scope, active_days: int = ACTIVE_DAYS) -> Retention:
    """The figures of a shop's days."""
    begin, end = scope.begin, scope.end
    active = timedelta(days=active_days)
    before = _buyers(scope, begin - active, begin).subquery()
    after = _buyers(scope, end - active, end).subquery()
    o = orders.c

    def count(query: Select[Any]) -> int:
        return int(session.execute(select(func.count()).select_from(query.subquery())).scalar_one())

    at_start, at_end = count(select(before)), count(select(after))
    lost = count(select(before).where(before.c.customer_id.not_in(select(after.c.customer_id))))
    firsts = (
        select(o.customer_id).where(*scope.orders()).group_by(o.customer_id)
        .having(func.min(o.placed_at) >= begin)
    )  # fmt: skip
    new = count(firsts)
    each = (
        select(
            o.customer_id, func.count().label("orders"), func.sum(PAID).label("revenue")
        )
        .where(*scope.orders(begin))
        .group_by(o.customer_id)
        .subquery()
    )  # fmt: skip
    row = session.execute(
        select(
            func.count(), func.coalesce(func.sum(each.c.orders), 0), func.coalesce(func.sum(each.c.revenue), 0),
            func.count().filter(each.c.orders > 1),
        ).select_from(each)
    ).one()  # fmt: skip
    people, count_orders, revenue, again = (int(part) for part in row)
    churn = _share(lost, at_start)
    average = revenue / count_orders if count_orders else None
    frequency = count_orders / people if people else None
    lifespan = 100 / churn if churn else None
    worth = average * frequency * lifespan if average is not None and frequency is not None and lifespan else None
    return Retention(
        at_start=at_start, new=new, at_end=at_end, lost=lost, retention_rate=_share(at_end - new, at_start),
        churn_rate=churn, repeat_purchase_rate=_share(again, people), orders=count_orders, revenue=revenue,
        average_order=average, frequency=frequency, lifespan=lifespan, clv=worth,
    )  # fmt: skip


def _buyers(scope: Scope, since: datetime, until: datetime) -> Select[tuple[int]]:
    return select(orders.c.customer_id).where(*scope.orders(since, until)).distinct()


def _share(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None
