"""The order book: a shop's orders, sorted as asked, found by the number its till or web shop gave them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import Session

from loyalty.customers import customers
from loyalty.orders import Status, orders
from store import paging
from store.base import like
from store.paging import FIRST, By, Place
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


class Sort(StrEnum):
    PLACED = "placed"
    TOTAL = "total"
    POINTS = "points"
    CUSTOMER = "customer"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Page:
    """`total` as `paging.count` counts; `before` and `after` are the marks of the pages beside this one."""

    lines: list[Line]
    total: int
    before: str | None
    after: str | None


_FIELDS = (
    orders.c.id, orders.c.external_id, orders.c.placed_at, orders.c.status, orders.c.total, orders.c.refunded,
    orders.c.currency, orders.c.source, orders.c.standing, customers.c.id, customers.c.name,
)  # fmt: skip


def page(
    session: Session,
    shop_id: int,
    *,
    search: str = "",
    status: Status | None = None,
    sort: Sort = Sort.PLACED,
    descending: bool = True,
    place: Place = FIRST,
) -> Page:
    """A page of a shop's orders. A search looks at the order's number and the buyer's name, marks and case aside."""
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
    name = func.coalesce(customers.c.folded, "")
    columns: dict[Sort, ColumnElement[Any]] = {
        Sort.PLACED: orders.c.placed_at, Sort.TOTAL: orders.c.total, Sort.POINTS: orders.c.standing,
        Sort.CUSTOMER: name, Sort.NUMBER: func.lower(orders.c.external_id),
    }  # fmt: skip
    # An order of nobody known comes last whichever way the list is sorted.
    order = [By(case((name == "", 1), else_=0))] if sort is Sort.CUSTOMER else []
    order += [By(columns[sort], descending), By(orders.c.id, descending)]
    joined = orders.outerjoin(customers, customers.c.id == orders.c.customer_id)
    cut = paging.cut(session, select(*_FIELDS).select_from(joined).where(*wanted), order, PAGE, place)
    total = paging.count(session, select(orders.c.id).where(*wanted))
    return Page([Line(*row[: len(_FIELDS)]) for row in cut.rows], total, cut.before, cut.after)


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
