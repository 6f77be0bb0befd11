"""Visits: a customer's orders at one shop that count: bought, and not given back whole. What a refund takes back is no visit
any more, so whatever is worked out from visits undoes itself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty.orders import order_lines
from loyalty.recognition import streaks
from loyalty.recognition.streaks import Unit
from store.shops import Shop
from store.text import fold


class Measure(StrEnum):
    """What is counted of somebody's visits."""

    ORDERS = "orders"
    SPEND = "spend"
    """Đồng paid, refunds taken off."""
    DISHES = "dishes"
    """Different items, by their names."""
    NEW_DISHES = "new_dishes"
    """Different items that they never had before the period."""
    DAYS = "days"
    WEEKS = "weeks"
    """In a row with a visit."""

    @property
    def unit(self) -> Unit | None:
        """The unit of those in a row."""
        return {Measure.DAYS: Unit.DAY, Measure.WEEKS: Unit.WEEK}.get(self)


@dataclass(frozen=True, slots=True)
class Dish:
    """A line of an order: its name and category, folded, and the đồng that stay paid for it where the order says so."""

    folded: str
    category: str
    amount: int


@dataclass(frozen=True, slots=True)
class Visit:
    """An order that counts. `day` is the shop's, `paid` in đồng after refunds; `imported` ones are history only."""

    order_id: int
    at: datetime
    day: date
    paid: int
    dishes: tuple[Dish, ...]
    imported: bool


def of(session: Session, shop: Shop, customer_id: int) -> list[Visit]:
    """A customer's visits at a shop, oldest first."""
    from loyalty.orders.orders import IMPORT, orders
    from loyalty.orders.real import REAL

    zone = ZoneInfo(shop.timezone)
    rows = session.execute(
        select(
            orders.c.id, orders.c.placed_at, orders.c.total, orders.c.refunded, orders.c["items"].label("bought"), orders.c.source
        )
        .where(
            orders.c.customer_id == customer_id, orders.c.shop_id == shop.id, *REAL,
        )
        .order_by(orders.c.placed_at, orders.c.id)
    )  # fmt: skip
    return [
        Visit(
            row.id, row.placed_at, row.placed_at.astimezone(zone).date(), row.total - row.refunded,
            _dishes([item for item in row.bought or () if isinstance(item, dict)], row.total, row.refunded),
            row.source == IMPORT,
        )
        for row in rows
    ]  # fmt: skip


def _dishes(items: Sequence[dict[str, Any]], total: int, refunded: int) -> tuple[Dish, ...]:
    """The items that weren't given back, in whatever fields a shop sends them (see loyalty.orders.order_lines)."""
    parts = iter(order_lines.parts(items, total=total, listed=total, refunded=refunded))
    found = []
    for item in items:
        read = order_lines.read([item])
        part = next(parts) if read else None
        if part is not None and read[0].back and not part.stays:
            continue
        named = str(item.get("name") or item.get("sku") or item.get("code") or "")
        group = str(item.get("category") or item.get("group") or "")
        found.append(Dish(fold(named).strip(), fold(group).strip(), part.stays if part else 0))
    return tuple(found)


def folded(names: Iterable[str]) -> frozenset[str]:
    """Names of items or categories as they are compared."""
    return frozenset(name for name in (fold(name).strip() for name in names) if name)


def count(
    visits: Sequence[Visit],
    measure: Measure,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    names: frozenset[str] = frozenset(),
    imported: bool = True,
) -> int:
    """What visits from `since` to before `until` come to; with `names` only what of them is such an item or category.

    Without `imported` what came in files counts only as what was had before. Days and weeks in a row: the longest run.
    """
    within = [
        visit for visit in visits
        if (since is None or visit.at >= since) and (until is None or visit.at < until)
        and (imported or not visit.imported)
    ]  # fmt: skip
    if names:
        within = [visit for visit in within if any(_named(dish, names) for dish in visit.dishes)]
    if measure is Measure.ORDERS:
        return len(within)
    if measure is Measure.SPEND:
        return sum(min(visit.paid, _worth(visit, names)) for visit in within)
    if measure.unit is not None:
        runs = streaks.runs((visit.day for visit in within), measure.unit)
        return max((run.length for run in runs), default=0)
    had = {dish.folded for visit in within for dish in visit.dishes if dish.folded and _named(dish, names)}
    if measure is Measure.NEW_DISHES and since is not None:
        had -= {dish.folded for visit in visits if visit.at < since for dish in visit.dishes}
    return len(had)


def _named(dish: Dish, names: frozenset[str]) -> bool:
    return not names or dish.folded in names or dish.category in names


def _worth(visit: Visit, names: frozenset[str]) -> int:
    """Đồng of a visit that go to named items: never more than what stays paid of it."""
    return sum(dish.amount for dish in visit.dishes if _named(dish, names)) if names else visit.paid
