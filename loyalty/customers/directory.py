"""The directory: a shop's customers as its manager leafs through them, by name, phone or code.

Points and tier belong to the person everywhere; orders, spend and the last visit are those at this shop.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Subquery, and_, case, cast, func, literal, or_, select
from sqlalchemy.orm import Session

from loyalty.customers import customers
from loyalty.customers.customers import CODE_SIGNS, Customer
from loyalty.orders.orders import orders
from loyalty.orders.real import REAL
from loyalty.points import ledger
from loyalty.points.lots import lots
from store import paging, shops
from store.base import EPOCH, UtcTime, like
from store.clock import now
from store.errors import NotFoundError
from store.paging import FIRST, By, Place
from store.text import fold

PAGE = 40
ASLEEP_DAYS = 60
ASLEEP_ORDERS = 3
"""A regular has at least so many orders; they sleep when the last is longer ago than `ASLEEP_DAYS`."""
EXPIRING_DAYS = 30
PHONE_DIGITS = 4
"""So many digits are looked for in phones."""


class Sort(StrEnum):
    NAME = "name"
    POINTS = "points"
    ORDERS = "orders"
    SPENT = "spent"
    LAST = "last"
    JOINED = "joined"


class Only(StrEnum):
    """Whom a list is narrowed down to."""

    ASLEEP = "asleep"
    EXPIRING = "expiring"


@dataclass(frozen=True, slots=True)
class Line:
    """`spent` in đồng."""

    id: int
    name: str
    phone: str | None
    code: str
    tier_id: int | None
    points: int
    orders: int
    spent: int
    last_at: datetime | None
    joined_at: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """`total` as `paging.count` counts; `before` and `after` are the marks of the pages beside this one."""

    lines: list[Line]
    total: int
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Bought:
    """What a customer bought at one shop, in đồng."""

    orders: int
    spent: int
    last_at: datetime | None


def page(
    session: Session,
    shop_id: int,
    *,
    search: str = "",
    sort: Sort = Sort.LAST,
    descending: bool = True,
    only: Only | None = None,
    place: Place = FIRST,
) -> Page:
    """A page of a shop's customers."""
    c, held, bought = customers.customers.c, ledger.accounts.c, facts(session, shop_id)
    wanted = [c.merged_into.is_(None), _of_shop(session, shop_id, bought)]
    if words := fold(search.replace("\x00", "")).strip():
        wanted.append(_found(words))
    if only is Only.ASLEEP:
        wanted.append(asleep(session, bought))
    elif only is Only.EXPIRING:
        wanted.append(c.id.in_(select(lots.c.customer_id).where(expiring(session, shop_id))))
    joined = customers.customers.outerjoin(bought, bought.c.customer_id == c.id)
    last_at = func.coalesce(bought.c.last_at, literal(EPOCH, UtcTime()))
    columns = {
        Sort.NAME: c.folded, Sort.POINTS: held.balance, Sort.ORDERS: func.coalesce(bought.c.orders, 0),
        Sort.SPENT: func.coalesce(bought.c.spent, 0), Sort.LAST: last_at, Sort.JOINED: c.joined_at,
    }  # fmt: skip
    # Who has no name, or never bought, comes last whichever way the list is sorted.
    lacks = {Sort.NAME: c.folded == "", Sort.LAST: bought.c.last_at.is_(None)}.get(sort)
    order = [] if lacks is None else [By(case((lacks, 1), else_=0))]
    order += [By(columns[sort], descending), By(c.id, descending=True)]
    shown: tuple[ColumnElement[Any], ...] = (
        c.id, c.name, c.phone, c.code, c.tier_id, held.balance, func.coalesce(bought.c.orders, 0),
        func.coalesce(bought.c.spent, 0), bought.c.last_at, c.joined_at,
    )  # fmt: skip
    query = (
        select(*shown)
        .select_from(joined)
        .join(ledger.accounts, and_(held.owner == "customer", held.owner_id == c.id, held.name == "available"))
        .where(*wanted)
    )
    cut = paging.cut(session, query, order, PAGE, place)
    total = paging.count(session, select(c.id).select_from(joined).where(*wanted))
    return Page([Line(*row[: len(shown)]) for row in cut.rows], total, cut.before, cut.after)


def find(session: Session, shop_id: int, customer_id: int) -> Customer:
    """A customer of this shop, followed through merges; raises NotFoundError for another shop's too."""
    found = customers.get(session, customer_id)
    if _is_only(session) or found.home_shop_id == shop_id or bought_by(session, shop_id, found.id).orders:
        return found
    raise NotFoundError("customer", customer_id)


def among(session: Session, shop_id: int, numbers: Sequence[int]) -> list[int]:
    """Those of some customers who are this shop's, in the order asked for."""
    if _is_only(session):
        return list(numbers)
    c, o = customers.customers.c, orders.c
    bought = select(o.customer_id).where(o.shop_id == shop_id, o.customer_id.in_(numbers), *REAL)
    query = select(c.id).where(c.id.in_(numbers), or_(c.home_shop_id == shop_id, c.id.in_(bought)))
    own = set(session.execute(query).scalars())
    return [number for number in numbers if number in own]


def bought_by(session: Session, shop_id: int, customer_id: int) -> Bought:
    """What a customer bought at a shop so far."""
    row = session.execute(
        select(
            func.count(), func.coalesce(func.sum(orders.c.counted), 0), func.max(orders.c.placed_at)
        ).where(orders.c.customer_id == customer_id, orders.c.shop_id == shop_id, *REAL)
    ).one()  # fmt: skip
    return Bought(row[0], int(row[1]), row[2])


def facts(session: Session, shop_id: int) -> Subquery:
    """(customer_id, orders, spent, last_at) of everybody who ordered at a shop. Where there is but one shop these are the
    facts that stand on the customer, else they are added up.
    """
    c = customers.customers.c
    if _is_only(session):
        query = select(
            c.id.label("customer_id"), c.orders_count.label("orders"), c.spend_total.label("spent"),
            c.last_order_at.label("last_at"),
        ).where(c.orders_count > 0)  # fmt: skip
    else:
        query = (
            select(
                orders.c.customer_id, func.count().label("orders"),
                cast(func.sum(orders.c.counted), BigInteger).label("spent"),
                func.max(orders.c.placed_at).label("last_at"),
            )
            .where(orders.c.shop_id == shop_id, orders.c.customer_id.is_not(None), *REAL)
            .group_by(orders.c.customer_id)
        )  # fmt: skip
    return query.subquery("bought")


def asleep(session: Session, bought: Subquery) -> ColumnElement[bool]:
    """Regulars, by `facts`, who haven't come for long."""
    return and_(bought.c.orders >= ASLEEP_ORDERS, bought.c.last_at < now(session) - timedelta(days=ASLEEP_DAYS))


def expiring(session: Session, shop_id: int) -> ColumnElement[bool]:
    """Lots of points that a shop gave and that expire soon."""
    moment = now(session)
    return and_(
        lots.c.shop_id == shop_id, lots.c.remaining > 0, lots.c.pending_until.is_(None), lots.c.expires_at > moment,
        lots.c.expires_at <= moment + timedelta(days=EXPIRING_DAYS),
    )  # fmt: skip


def _is_only(session: Session) -> bool:
    return len(session.execute(select(shops.shops.c.id).limit(2)).all()) == 1


def _of_shop(session: Session, shop_id: int, bought: Subquery) -> ColumnElement[bool]:
    """Whose home it is, or who bought there; with one shop everybody."""
    c = customers.customers.c
    return c.id.is_not(None) if _is_only(session) else or_(c.home_shop_id == shop_id, bought.c.customer_id.is_not(None))


def _found(words: str) -> ColumnElement[bool]:
    c = customers.customers.c
    ways = [and_(*(c.folded.like(like(word), escape="\\") for word in words.split()))]
    signs = re.sub(r"[\s-]", "", words.removeprefix("regulars:")).upper()
    if len(signs) == CODE_SIGNS:
        ways.append(c.code == signs)
    # A phone is kept as +84903…, and looked for as 0903 …
    digits = re.sub(r"[\s.+()-]", "", words)
    if digits.isdecimal() and len(digits) >= PHONE_DIGITS:
        ways.append(c.phone.like(like(digits.removeprefix("0")), escape="\\"))
    return or_(*ways)
