"""The RFM grid: how many customers of a shop stand on each step of recency and frequency, and what they spent there."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from loyalty.customers import rfm
from loyalty.customers.rfm import Rfm
from loyalty.insights.retention import real
from loyalty.orders.orders import orders
from store import shops


@dataclass(frozen=True, slots=True)
class Cell:
    """A field of the grid: its steps (1 to 5), its class, its customers, and the đồng they spent in all."""

    recency: int
    frequency: int
    rfm: Rfm
    customers: int
    spent: int


def grid(session: Session, shop_id: int, day: date) -> list[Cell]:
    """All 25 cells as they stand at the end of a day of the shop's, the latest and the most frequent buyers first.

    Raises NotFoundError.
    """
    zone = ZoneInfo(shops.get(session, shop_id).timezone)
    o = orders.c
    each = (
        select(func.max(o.placed_at).label("last"), func.count().label("orders"), func.sum(o.total - o.refunded).label("spent"))
        .where(*real(shop_id), o.placed_at < datetime.combine(day + timedelta(days=1), time(), zone))
        .group_by(o.customer_id)
        .subquery()
    )  # fmt: skip
    since = [datetime.combine(day - timedelta(days=bound), time(), zone) for bound in reversed(rfm.RECENCY)]
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
