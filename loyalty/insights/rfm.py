"""The RFM grid: how many customers of a shop stand on each step of recency and frequency, and what they spent there."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from loyalty.customers import rfm
from loyalty.customers.rfm import Rfm
from loyalty.insights.scope import Scope
from loyalty.orders.orders import orders
from loyalty.orders.real import PAID
from store.clock import midnight


@dataclass(frozen=True, slots=True)
class Cell:
    """A field of the grid: its steps (1 to 5), its class, its customers, and the đồng they spent in all."""

    recency: int
    frequency: int
    rfm: Rfm
    customers: int
    spent: int


def grid(session: Session, scope: Scope) -> list[Cell]:
    """All 25 cells as they stand at the end of the scope's last day, the latest and the most frequent buyers first."""
    o = orders.c
    each = (
        select(func.max(o.placed_at).label("last"), func.count().label("orders"), func.sum(PAID).label("spent"))
        .where(*scope.orders())
        .group_by(o.customer_id)
        .subquery()
    )  # fmt: skip
    since = [midnight(scope.last - timedelta(days=bound), scope.zone) for bound in reversed(rfm.RECENCY)]
    lately = case(*((each.c.last >= at, 5 - place) for place, at in enumerate(since)), else_=1)
    often = case(*((each.c.orders < bound, step) for step, bound in enumerate(rfm.FREQUENCY, start=1)), else_=5)
    steps = select(lately.label("recency"), often.label("frequency"), each.c.spent).subquery()
    rows = session.execute(
        select(steps.c.recency, steps.c.frequency, func.count(), func.sum(steps.c.spent)).group_by(
            steps.c.recency, steps.c.frequency
        )
    )
    found = {(recency, frequency): (int(count), int(spent)) for recency, frequency, count, spent in rows}
    return [
        Cell(recency, frequency, rfm.GRID[recency, frequency], *found.get((recency, frequency), (0, 0)))
        for recency in range(5, 0, -1) for frequency in range(5, 0, -1)
    ]  # fmt: skip
