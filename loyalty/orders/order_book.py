"""The order book: a shop's orders, sorted as asked, found by the number its till or web shop gave them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session

from loyalty.customers.customers import customers
from loyalty.orders.orders import Status, orders
from loyalty.orders.real import REAL
from loyalty.points import ledger
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


def check(session: Session) -> list[ledger.Fault]:
    """Prove what stands of every order from its transfers, and what customers spent from their orders."""
    t, p = ledger.transfers.c, ledger.postings.c
    faults = []
    for account, column in (("wallet", orders.c.standing), ("tier_source", orders.c.standing_tier)):
        a = ledger.accounts.c
        ours = session.execute(select(a.id).where(a.owner == "shop", a.name == account)).scalars().all()
        given = (
            select(
                t.order_id,
                func.sum(
                    case((p.source_id.in_(ours), p.amount), else_=0) - case((p.target_id.in_(ours), p.amount), else_=0)
                ).label("amount"),
            )
            .join(ledger.postings, p.transfer_id == t.id)
            .where(t.order_id.is_not(None), t.kind.in_(("earn", "refund", "recover")))
            .group_by(t.order_id)
            .subquery()
        )  # fmt: skip
        stands = func.coalesce(given.c.amount, 0)
        rows = session.execute(
            select(orders.c.id, column, stands)
            .outerjoin(given, given.c.order_id == orders.c.id)
            .where(column != stands)
            .order_by(orders.c.id)
            .limit(ledger.FAULTS_MAX)
        )
        faults += [
            ledger.Fault(f"order's {column.name}", number, int(amount), said) for number, said, amount in rows
        ]  # fmt: skip
    return faults + _counted(session)


def _counted(session: Session) -> list[ledger.Fault]:
    own = (
        select(
            orders.c.customer_id, func.sum(orders.c.counted).label("spent"),
            func.sum(case((and_(*REAL), 1), else_=0)).label("bought"),
        )
        .group_by(orders.c.customer_id)
        .subquery()
    )  # fmt: skip
    spent, bought = func.coalesce(own.c.spent, 0), func.coalesce(own.c.bought, 0)
    c = customers.c
    rows = session.execute(
        select(c.id, c.spend_total, spent, c.orders_count, bought)
        .outerjoin(own, own.c.customer_id == c.id)
        .where(c.merged_into.is_(None), (c.spend_total != spent) | (c.orders_count != bought))
        .order_by(c.id)
        .limit(ledger.FAULTS_MAX)
    )
    return [
        ledger.Fault("spent", number, int(money), said)
        if said != money
        else ledger.Fault("orders counted", number, int(count), counted)
        for number, said, money, counted, count in rows
    ]
