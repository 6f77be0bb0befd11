"""Members beside the others: whether those who joined the programme buy otherwise, and whether they do since they joined.

A member has a messenger account here or proved their number; they joined with the first of these. The others are known by a
number that the till wrote down. Nothing here says why: who joins was often a regular before.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import BigInteger, ColumnElement, Subquery, case, func, select, type_coerce, union_all
from sqlalchemy.orm import Session

from loyalty.customers.customers import customers, identities
from loyalty.insights.scope import Scope
from loyalty.orders.orders import orders
from loyalty.orders.real import PAID, REAL

SPAN = timedelta(days=90)
"""Before and after joining."""
LOOKED_BACK = timedelta(days=365)
"""Who joined longer ago than this before the end is not asked."""
FEW = 30
"""Of fewer people nothing is said."""


@dataclass(frozen=True, slots=True)
class Group:
    """Who bought in the period, their orders, the đồng of these, and how many of them bought more than once."""

    people: int
    orders: int
    revenue: int
    again: int


@dataclass(frozen=True, slots=True)
class Joined:
    """The same `people` in the 90 days before and after they joined: orders and đồng. Only those who had bought before these
    180 days began, or on their first day, and for whom these are over.
    """

    people: int
    orders_before: int
    orders_after: int
    revenue_before: int
    revenue_after: int


@dataclass(frozen=True, slots=True)
class Members:
    """`unknown`: orders of nobody known, of how many people is not known."""

    members: Group
    others: Group
    unknown: Group
    joined: Joined


def of(session: Session, scope: Scope) -> Members:
    """Members and others in a shop's days."""
    members, others = (_group(session, scope, member=member) for member in (True, False))
    o = orders.c
    unknown = Group(0, 0, 0, 0)
    if scope.who is None:
        count, revenue = session.execute(
            select(func.count(), func.coalesce(func.sum(PAID), 0)).where(
                *REAL, o.shop_id == scope.shop_id, o.customer_id.is_(None), o.placed_at >= scope.begin, o.placed_at < scope.end
            )
        ).one()  # fmt: skip
        unknown = Group(0, count, int(revenue), 0)
    return Members(members, others, unknown, _joined(session, scope))


def joined() -> Subquery:
    """(customer_id, at) of every member: when they joined."""
    i, c = identities.c, customers.c
    each = union_all(
        select(i.customer_id.label("customer_id"), i.joined_at.label("at")),
        select(c.id, c.phone_verified_at).where(c.phone_verified_at.is_not(None)),
    ).subquery()
    return select(each.c.customer_id, func.min(each.c.at).label("at")).group_by(each.c.customer_id).subquery()


def _group(session: Session, scope: Scope, *, member: bool) -> Group:
    o, known = orders.c, joined()
    theirs = o.customer_id.in_(select(known.c.customer_id).where(known.c.at < scope.end))
    each = (
        select(func.count().label("orders"), func.sum(PAID).label("revenue"))
        .where(*scope.orders(scope.begin), theirs if member else ~theirs)
        .group_by(o.customer_id)
        .subquery()
    )
    row = session.execute(
        select(
            func.count(), func.coalesce(func.sum(each.c.orders), 0), func.coalesce(func.sum(each.c.revenue), 0),
            func.count().filter(each.c.orders > 1),
        ).select_from(each)
    ).one()  # fmt: skip
    return Group(*(int(part) for part in row))


def _joined(session: Session, scope: Scope) -> Joined:
    o, known = orders.c, joined()
    span = SPAN // timedelta(microseconds=1)
    placed, at = type_coerce(o.placed_at, BigInteger), type_coerce(known.c.at, BigInteger)
    before, after = (placed >= at - span) & (placed < at), (placed >= at) & (placed < at + span)

    def total(holds: ColumnElement[bool], what: ColumnElement[int] | int) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((holds, what), else_=0)), 0)

    each = (
        select(
            total(before, 1).label("orders_before"), total(after, 1).label("orders_after"),
            total(before, PAID).label("revenue_before"), total(after, PAID).label("revenue_after"),
        )
        .join(known, known.c.customer_id == o.customer_id)
        .where(
            *scope.orders(), known.c.at >= scope.end - LOOKED_BACK, known.c.at < scope.end - SPAN,
        )
        .group_by(o.customer_id, known.c.at)
        .having(func.min(placed) <= at - span)
        .subquery()
    )  # fmt: skip
    row = session.execute(select(func.count(), *(func.coalesce(func.sum(column), 0) for column in each.c))).one()
    return Joined(*(int(part) for part in row))
