"""Forecast: how many orders the customers of a day will place in the weeks after it, and how well that came true.

The model (see `bg_nbd`) learns from what was known on the day. Orders of one day count as one. Where the weeks have passed,
what happened stands beside it, and the naive forecast: as many as in as many weeks before the day.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, Subquery, case, func, select
from sqlalchemy.orm import Session

from loyalty.insights import bg_nbd
from loyalty.insights.bg_nbd import History, Model
from loyalty.insights.gamma_gamma import Spending
from loyalty.orders import real
from loyalty.orders.orders import orders
from loyalty.orders.real import PAID
from store import clock, local_time, shops
from store.clock import midnight
from store.errors import ConflictError

WEEKS_MAX = 260


class TooFewError(ConflictError):
    """There are too few orders to learn from: nobody has come twice."""

    code = "too_few_orders"


@dataclass(frozen=True, slots=True)
class Known:
    """What a forecast is made of: how many customers had which history on the last day of learning, and what they did in the
    `weeks` after it (None: these have not passed) and as many before it.
    """

    histories: Mapping[History, int]
    weeks: int
    after: int | None
    lately: int

    @property
    def customers(self) -> int:
        return sum(self.histories.values())


@dataclass(frozen=True, slots=True)
class Forecast:
    """`expected` orders of the `customers` that there were; `actual` and `naive` where the horizon has passed."""

    model: Model
    customers: int
    expected: float
    actual: int | None
    naive: int | None


def look(
    session: Session, shop_id: int | None, until: date, weeks: int, *, who: Select[int] | None = None, every: int = 1
) -> Known:
    """What is known of a shop's customers (None: of all shops' together) at the end of a day. `who`: of these only; `every`: of
    every so many-th only. Raises NotFoundError.
    """
    zone, moment = zone_of(session, shop_id), clock.now(session)
    last, end, begin = (
        day.toordinal() for day in (until, until + timedelta(weeks=weeks), until - timedelta(weeks=weeks))
    )
    bought = (
        select(orders.c.customer_id, local_time.day(orders.c.placed_at, zone, moment).label("day"))
        .where(
            *real.of(shop_id, who), orders.c.placed_at < midnight(until + timedelta(weeks=weeks, days=1), zone),
            *_every(every),
        )
        .distinct()
        .subquery()
    )  # fmt: skip
    day = bought.c.day
    each = (
        select(
            func.count().filter(day <= last).label("days"), func.min(day).label("first"),
            func.max(case((day <= last, day))).label("last"), func.count().filter(day > last).label("after"),
            func.count().filter(day <= last, day > begin).label("lately"),
        )
        .group_by(bought.c.customer_id)
        .having(func.min(day) <= last)
        .subquery()
    )  # fmt: skip
    alike = (each.c.days, each.c.first, each.c.last)
    rows = session.execute(
        select(*alike, func.count(), func.sum(each.c.after), func.sum(each.c.lately)).group_by(*alike)
    ).all()
    passed = date.fromordinal(end) < clock.today(session, zone.key)
    return Known(
        {history(days, first, latest, last): count for days, first, latest, count, _, _ in rows}, weeks,
        sum(int(row[4]) for row in rows) if passed else None, sum(int(row[5]) for row in rows),
    )  # fmt: skip


def make(known: Known, model: Model | None = None) -> Forecast:
    """The forecast: arithmetic alone, some seconds of it for many customers. `model`: one that was fitted already.

    Raises TooFewError.
    """
    if model is None:
        try:
            model = bg_nbd.fit(known.histories)
        except bg_nbd.NoHistoryError:
            raise TooFewError("nobody has come twice") from None
    expected = sum(model.expected(one, known.weeks) * count for one, count in known.histories.items())
    passed = known.after is not None
    return Forecast(model, known.customers, expected, known.after, known.lately if passed else None)


def history(days: int, first: int, latest: int, until: int) -> History:
    """What a model knows of somebody with orders on so many days, the first and the latest by number."""
    return History(days - 1, (latest - first) / 7, (until - first) / 7)


def spendings(session: Session, shop_id: int | None, every: int = 1) -> list[Spending]:
    """What the days with orders of each customer, or of every so many-th, brought a shop (None: all shops) so far."""
    each = days(session, shop_id, every=every).c
    return [Spending(count, int(spent) / count) for count, spent in session.execute(select(each.days, each.spent))]


def days(session: Session, shop_id: int | None, who: Select[int] | None = None, *, every: int = 1) -> Subquery:
    """(customer_id, days, first, latest, spent) of those who bought at a shop (None: at any): on how many days, the numbers of
    the first and of the latest, and the đồng.
    """
    day: Any = local_time.day(orders.c.placed_at, zone_of(session, shop_id), clock.now(session))
    return (
        select(
            orders.c.customer_id, func.count(day.distinct()).label("days"), func.min(day).label("first"),
            func.max(day).label("latest"), func.sum(PAID).label("spent"),
        )
        .where(*real.of(shop_id, who), *_every(every))
        .group_by(orders.c.customer_id)
        .subquery()
    )  # fmt: skip


def zone_of(session: Session, shop_id: int | None) -> ZoneInfo:
    """A shop's time zone; that of all together is the first one's. Raises NotFoundError."""
    return ZoneInfo((shops.get(session, shop_id) if shop_id is not None else shops.every(session)[0]).timezone)


def _every(nth: int) -> tuple[Any, ...]:
    return () if nth == 1 else (orders.c.customer_id % nth == 0,)
