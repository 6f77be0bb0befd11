"""Real orders: completed, and not all of it given back. What counts as having bought, wherever customers are counted."""

from sqlalchemy import ColumnElement, Select

from loyalty.orders.orders import Status, orders

REAL: tuple[ColumnElement[bool], ...] = (
    orders.c.status.in_((Status.COMPLETED.value, Status.REFUNDED.value)),
    orders.c.total > orders.c.refunded,
)
PAID = orders.c.total - orders.c.refunded
"""đồng of an order that stayed."""


def of(shop_id: int | None, who: Select[int] | None = None) -> tuple[ColumnElement[bool], ...]:
    """The real orders of known people at a shop (None: at every shop); `who`: of these customers only."""
    o = orders.c
    parts: list[ColumnElement[bool]] = [*REAL, o.customer_id.is_not(None)]
    if shop_id is not None:
        parts.append(o.shop_id == shop_id)
    if who is not None:
        parts.append(o.customer_id.in_(who))
    return tuple(parts)
