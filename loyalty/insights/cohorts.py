"""Cohorts: of those who first bought in a month, how many bought again in each month after it."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from loyalty.insights.scope import Scope
from loyalty.orders.orders import orders
from store.clock import midnight
from store.errors import InvalidError

MONTHS_MAX = 36


@dataclass(frozen=True, slots=True)
class Cohort:
    """The customers whose first order at the shop lies in the month from `begins` on. `came` says how many of them bought in that
    month (all of them), in the next one, and so on to the last month looked at.
    """

    begins: date
    came: tuple[int, ...]

    @property
    def size(self) -> int:
        return self.came[0]

    def percent(self, month: int) -> int | None:
        """Who came in a month, in per cent of all, rounded half up; None where nobody began."""
        return (200 * self.came[month] + self.size) // (2 * self.size) if self.size else None


def of(session: Session, scope: Scope, months: int = 12) -> list[Cohort]:
    """The cohorts of so many months up to that of the scope's last day, the oldest first. Raises InvalidError (months)."""
    if not 1 <= months <= MONTHS_MAX:
        raise InvalidError("months", "range", months)
    begins = [_month(scope.last, place - months + 1) for place in range(months + 1)]
    edges = [midnight(day, scope.zone) for day in begins]
    o = orders.c
    # The number of the month that an order is in; what came before all of them is in month -1.
    number = case(*((o.placed_at < edge, place - 1) for place, edge in enumerate(edges[:-1])), else_=months - 1)
    bought = select(o.customer_id, number.label("month")).where(*scope.orders(until=edges[-1])).distinct().subquery()
    first = (
        select(bought.c.customer_id, func.min(bought.c.month).label("first")).group_by(bought.c.customer_id).subquery()
    )
    rows = session.execute(
        select(first.c.first, bought.c.month, func.count())
        .join(first, first.c.customer_id == bought.c.customer_id)
        .where(first.c.first >= 0)
        .group_by(first.c.first, bought.c.month)
    )
    counts = {(begun, month): int(count) for begun, month, count in rows}
    return [
        Cohort(begins[begun], tuple(counts.get((begun, month), 0) for month in range(begun, months)))
        for begun in range(months)
    ]


def _month(day: date, shift: int) -> date:
    """The first day of a month so many months away."""
    years, month = divmod(day.year * 12 + day.month - 1 + shift, 12)
    return date(years, month + 1, 1)
