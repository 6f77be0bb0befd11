"""The order book: a shop's orders, the latest first, found by the number its till or web shop gave them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from loyalty.customers import customers
from loyalty.orders import Status, orders
from store.base import like
from store.text import fold

PAGE = 40


@dataclass(frozen=True, slots=True)
class Line:
    """`total` and `refunded` in đồng; `points` is what stands of what it earned, after refunds."""

    id: int
    external_id: str
    placed_at: datetime
    status: str
    total: int
    refunded: int
    currency: str
    source: str
    points: int
    customer_id: int | None
    name: str | None


@dataclass(frozen=True, slots=True)
class Page:
    lines: list[Line]
    number: int
    """From 1 on."""
    pages: int
    total: int


_FIELDS = (
    orders.c.id, orders.c.external_id, orders.c.placed_at, orders.c.status, orders.c.total, orders.c.refunded,
    orders.c.currency, orders.c.source, orders.c.standing, customers.c.id, customers.c.name,
)  # fmt: skip


def page(session: Session, shop_id: int, *, search: str = "", status: Status | None = None, number: int = 1) -> Page:
    """A page of a shop's orders, latest first; one past the end is the last one. A search looks at the order's number
    and the buyer's name, marks and case aside.
    """
    wanted = [orders.c.shop_id == shop_id]
    if words := search.replace("\x00", "").strip():
        wanted.append(
            or_(
                func.lower(orders.c.external_id).like(like(words.lower()), escape="\\"),
                orders.c.customer_id.in_(
                    select(customers.c.id).where(customers.c.folded.like(like(fold(words)), escape="\\"))
                ),
            )
        )
    if status is not None:
        wanted.append(orders.c.status == status.value)
    total = int(session.execute(select(func.count()).select_from(orders).where(*wanted)).scalar_one())
    pages = max(1, -(-total // PAGE))
    number = min(max(1, number), pages)
    rows = session.execute(
        select(*_FIELDS)
        .select_from(orders.outerjoin(customers, customers.c.id == orders.c.customer_id))
        .where(*wanted)
        .order_by(orders.c.placed_at.desc(), orders.c.id.desc())
        .limit(PAGE)
        .offset((number - 1) * PAGE)
    )
    return Page([Line(*row) for row in rows], number, pages, total)


def of_customer(session: Session, shop_id: int, customer_id: int, limit: int = 10) -> list[Line]:
    """A customer's orders at one shop, latest first."""
    rows = session.execute(
        select(*_FIELDS)
        .select_from(orders.join(customers, customers.c.id == orders.c.customer_id))
        .where(orders.c.shop_id == shop_id, orders.c.customer_id == customer_id)
        .order_by(orders.c.placed_at.desc(), orders.c.id.desc())
        .limit(limit)
    )
    return [Line(*row) for row in rows]
