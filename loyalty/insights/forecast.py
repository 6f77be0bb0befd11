"""Forecast: how many orders the customers of a day will place in the weeks after it, and how well that came true.

The model (see `bg_nbd`) learns from what was known on the day. Orders of one day count as one. Where the weeks have passed,
what happened stands beside it, and the naive forecast: as many as in as many weeks before the day.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty.insights import bg_nbd
from loyalty.insights.bg_nbd import History, Model
from loyalty.orders.orders import Status, orders
from store import clock, shops
from store.errors import ConflictError

WEEKS_MAX = 260


class TooFewError(ConflictError):
    """There are too few orders to learn from: nobody has come twice."""

    code = "too_few_orders"


@dataclass(frozen=True, slots=True)
class Days:
    """What a forecast is made of: each customer's days with an order, by day number from the first day looked at; `until`
    and `end` are the last days of learning and of the horizon, `known` whether the latter has passed.
    """

    each: Sequence[tuple[int, ...]]
    until: int
    end: int
    known: bool

    def earlier(self, by: int) -> "Days":
        """What a forecast of so many days before would have been made of: its horizon has passed."""
        return replace(self, until=self.until - by, end=self.end - by, known=True)


@dataclass(frozen=True, slots=True)
class Forecast:
    """`expected` orders of the `customers` that there were; `actual` and `naive` where the horizon has passed."""

    model: Model
    customers: int
    expected: float
    actual: int | None
    naive: int | None


def days(session: Session, shop_id: int, until: date, weeks: int) -> Days:
    """A shop's days with orders, customer by customer, up to the end of the horizon. Raises NotFoundError."""
    zone = ZoneInfo(shops.get(session, shop_id).timezone)
    end = until + timedelta(weeks=weeks)
    o = orders.c
    rows = session.execute(
        select(o.customer_id, o.placed_at)
        .where(
            o.shop_id == shop_id, o.customer_id.is_not(None), o.status.in_((Status.COMPLETED, Status.REFUNDED)),
            o.total > o.refunded, o.placed_at < datetime.combine(end + timedelta(days=1), time(), zone),
        )
        .order_by(o.customer_id)
    )  # fmt: skip
    found: dict[int, set[int]] = {}
    for customer_id, placed_at in rows:
        found.setdefault(customer_id, set()).add(placed_at.astimezone(zone).date().toordinal())
    each = [tuple(sorted(ordered)) for ordered in found.values()]
    return Days(each, until.toordinal(), end.toordinal(), end < clock.today(session, zone.key))


def histories(seen: Days) -> list[History]:
    """What was known of each customer on the last day of learning."""
    return [history for one in seen.each if (history := _history(one, seen.until)) is not None]


def _history(ordered: Sequence[int], until: int) -> History | None:
    known = [day for day in ordered if day <= until]
    if not known:
        return None
    return History(len(known) - 1, (known[-1] - known[0]) / 7, (until - known[0]) / 7)


def make(seen: Days) -> Forecast:
    """The forecast: arithmetic alone, some seconds of it for many customers. Raises TooFewError."""
    known = histories(seen)
    try:
        model = bg_nbd.fit(known)
    except bg_nbd.NoHistoryError:
        raise TooFewError("nobody has come twice") from None
    weeks = (seen.end - seen.until) / 7
    expected = sum(model.expected(one, weeks) * count for one, count in Counter(known).items())
    actual = naive = None
    if seen.known:
        mine = [one for one in seen.each if one[0] <= seen.until]
        actual = sum(seen.until < day <= seen.end for one in mine for day in one)
        begin = seen.until - (seen.end - seen.until)
        naive = sum(begin < day <= seen.until for one in mine for day in one)
    return Forecast(model, len(known), expected, actual, naive)
