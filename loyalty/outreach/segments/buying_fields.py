"""Fields of what a customer buys: how much, how often, when, where and what. Orders count that are completed and of which
something stays paid.
"""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, and_, case, column, func, literal, or_, select

from loyalty.customers import facts, rfm
from loyalty.customers.customers import customers
from loyalty.customers.rfm import Rfm
from loyalty.orders import bought
from loyalty.orders.orders import orders
from loyalty.orders.real import PAID, REAL
from loyalty.outreach.segments.criteria import Test
from loyalty.outreach.segments.looks import Choices, Field, Kind, Look, days, number, within

_o = orders.c


def _real(seen: Look, test: Test) -> list[ColumnElement[bool]]:
    """The orders that count, of the last so many days where the test says so."""
    parts = [*REAL, _o.customer_id.is_not(None), seen.mine(_o.customer_id)]
    if test.days is not None:
        # All shops named: the index over shop and time serves it.
        parts += [_o.placed_at >= seen.midnight(test.days), _o.shop_id.in_([shop.id for shop in seen.shops()])]
    return parts


def _summed(key: str, what: ColumnElement[int], *of: ColumnElement[int]) -> Any:
    """`what`: a sum over the orders that count, of columns `of` theirs."""

    def query(seen: Look, test: Test) -> Select[Any]:
        # In the order of customers: PostgreSQL adds up what is sorted in less time than it takes to hash what is scattered.
        each = select(_o.customer_id, *of).where(*_real(seen, test)).order_by(_o.customer_id).subquery()
        return select(each.c.customer_id, what).select_from(each).group_by(each.c.customer_id)

    def value(seen: Look, test: Test) -> ColumnElement[int]:
        return func.coalesce(seen.each(f"{key} {test.days}", lambda: query(seen, test)), 0)

    return value


def _average(_seen: Look, _test: Test) -> ColumnElement[int]:
    return customers.c.spend_total // func.nullif(customers.c.orders_count, 0, type_=BigInteger)


def _in_orders(kind: int) -> Any:
    def query(seen: Look, test: Test) -> Select[Any]:
        b = bought.bought
        named = and_(b.c.kind == kind, b.c.name == bought.folded(str(test.value)))
        return select(_o.customer_id).join(b, b.c.order_id == _o.id).where(named, *_real(seen, test))

    return query


def _at_shop(seen: Look, test: Test) -> Select[Any]:
    return select(_o.customer_id).where(_o.shop_id == test.value, *_real(seen, test))


def _shops(seen: Look) -> Choices:
    return {shop.id: shop.name for shop in seen.shops()}


def _is_class(seen: Look, wanted: Rfm) -> ColumnElement[bool]:
    """A class is some squares of the grid: bounds on the last order's time and on the number of orders."""
    last, count = customers.c.last_order_at, customers.c.orders_count
    squares = []
    for (recent, often), found in rfm.GRID.items():
        if found is not wanted:
            continue
        parts: list[ColumnElement[bool]] = [last.is_not(None)]
        if recent > 1:
            parts.append(last >= seen.midnight(rfm.RECENCY[recent - 2]))
        if recent < 5:
            parts.append(last < seen.midnight(rfm.RECENCY[recent - 1]))
        if often > 1:
            parts.append(count >= rfm.FREQUENCY[often - 2])
        if often < 5:
            parts.append(count < rfm.FREQUENCY[often - 1])
        squares.append(and_(*parts))
    return or_(*squares)


def _class(seen: Look, _test: Test) -> ColumnElement[Any]:
    return case(*((_is_class(seen, one), literal(one.value)) for one in Rfm))


FIELDS = (
    number("spend_total", lambda _seen, _test: customers.c.spend_total, Kind.MONEY),
    number("orders_count", lambda _seen, _test: customers.c.orders_count),
    number("average_order", _average, Kind.MONEY, sparse=True),
    days("days_since_last_order", lambda _seen, _test: customers.c.last_order_at),
    days("days_since_first_order", lambda _seen, _test: customers.c.first_order_at),
    number("orders", _summed("orders", func.count()), spans=True),
    number("spend", _summed("spend", func.sum(column("paid", BigInteger)), PAID.label("paid")), Kind.MONEY, spans=True),
    within("item", _in_orders(bought.ITEM), kind=Kind.TEXT, spans=True),
    within("category", _in_orders(bought.CATEGORY), kind=Kind.TEXT, spans=True),
    within("ordered_at", _at_shop, kind=Kind.RECORD, choices=_shops, spans=True),
    Field(
        "rfm", Kind.CHOICE, lambda seen, test: _is_class(seen, Rfm(str(test.value))),
        lambda _: dict.fromkeys((one.value for one in Rfm), ""), ordered=False, value=_class,
    ),
    number("debt", lambda seen, _test: func.coalesce(seen.fact(facts.DEBT), 0), Kind.MONEY),
    number("p_alive", lambda seen, _test: seen.fact(facts.P_ALIVE), sparse=True),
    number("worth", lambda seen, _test: seen.fact(facts.WORTH), Kind.MONEY, sparse=True),
)  # fmt: skip
