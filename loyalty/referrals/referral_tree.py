"""The tree of who brought whom, as a shop sees it: depth, what was paid for it, what the brought have bought; and the queue of
what was refused.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Subquery, and_, exists, func, literal, or_, select, type_coerce
from sqlalchemy.orm import Session, aliased

from loyalty.customers import customers, directory
from loyalty.orders.orders import orders
from loyalty.orders.real import REAL
from loyalty.referrals.referral_rewards import rewards
from loyalty.referrals.referrals import FINAL, Reason, ReferralRow, State, referrals
from store import shops

ROOTS = 20
"""Roots of a page."""
DEPTH_MAX = 20
ROWS_MAX = 400
QUEUE = 30


@dataclass(frozen=True, slots=True)
class Paid:
    """What referrals paid that stands: points, and vouchers."""

    points: int = 0
    vouchers: int = 0


@dataclass(slots=True)
class Node:
    """A customer in the tree. `friends` they brought themselves, `below` in all; `paid` to both sides of the referrals by which
    those came, `revenue` in đồng that those have paid at this shop since. `state` and `reason` are of the referral by which
    they came themselves.
    """

    customer_id: int
    name: str
    depth: int
    state: str | None
    reason: str | None
    referral_id: int | None
    friends: int = 0
    below: int = 0
    paid: Paid = field(default_factory=Paid)
    revenue: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """Trees one after the other, each from its root down; `cut`: there are more rows than are shown."""

    nodes: list[Node]
    number: int
    pages: int
    roots: int
    cut: bool


@dataclass(frozen=True, slots=True)
class Doubt:
    """A refused referral in the queue."""

    id: int
    referrer_id: int
    referrer: str
    friend_id: int
    friend: str
    reason: str
    opened_at: datetime
    orders: int
    spent: int
    """đồng that the friend has paid at this shop."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """A reward that can't be given now, tried again by itself."""

    referral_id: int
    customer: str
    code: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Sums:
    """All that referrals came to at a shop: friends who count, those rewarded, what was paid, what the brought have paid."""

    friends: int
    rewarded: int
    paid: Paid
    revenue: int


r = referrals.c
_STANDS = and_(r.state != State.REFUSED, or_(r.reason.is_(None), r.reason != Reason.LOOP))
"""An edge of the tree; a loop that somebody allowed is none, for it has no root."""
_OPENED = type_coerce(r.opened_at, BigInteger)
_SINCE = type_coerce(orders.c.placed_at, BigInteger) >= _OPENED - _OPENED % 1_000_000
"""Orders since the link was opened, by the second."""


class Sort(StrEnum):
    """What trees are sorted by: their root's."""

    FRIENDS = "friends"
    SPENT = "spent"
    """What all below have paid at the shop."""
    NEWEST = "newest"
    """When the newest of them opened the link."""


def page(
    session: Session,
    shop_id: int,
    *,
    number: int = 1,
    of: int | None = None,
    sort: Sort = Sort.FRIENDS,
    descending: bool = True,
) -> Page:
    """A page of the trees whose root or whose root's friends are this shop's, in the order of `sort`; with `of` the tree
    around one customer: whoever brought them, and all below.
    """
    if of is not None:
        roots, total, pages = [_top(session, of)], 1, 1
    else:
        above = aliased(ReferralRow)
        brought = exists().where(
            above.friend_id == r.referrer_id, above.state != State.REFUSED,
            or_(above.reason.is_(None), above.reason != Reason.LOOP),
        )  # fmt: skip
        query = (
            select(r.referrer_id, func.count().label("friends"))
            .where(_STANDS, ~brought, _seen(session, shop_id))
            .group_by(r.referrer_id)
        )
        total = session.execute(select(func.count()).select_from(query.subquery())).scalar_one()
        pages = max(1, -(-total // ROOTS))
        number = min(max(1, number), pages)
        worth = func.count() if sort is Sort.FRIENDS else _worth(query.subquery(), shop_id, sort)
        query = query.order_by(worth.desc() if descending else worth, r.referrer_id)
        rows = session.execute(query.limit(ROOTS).offset((number - 1) * ROOTS))
        roots = [row.referrer_id for row in rows]
    edges = _below(session, roots)
    nodes = _nodes(session, shop_id, roots, edges)
    return Page(nodes[:ROWS_MAX], number, pages, total, len(nodes) > ROWS_MAX)


def _worth(roots: Subquery, shop_id: int, sort: Sort) -> ColumnElement[int]:
    """What the tree below a root of the query around is sorted by."""
    columns = (r.id, r.friend_id, r.opened_at)
    tree = (
        select(r.referrer_id.label("root"), *columns, literal(1).label("depth"))
        .where(r.referrer_id.in_(select(roots.c.referrer_id)), _STANDS)
        .cte("below", recursive=True)
    )
    tree = tree.union_all(
        select(tree.c.root, *columns, tree.c.depth + 1)
        .join(tree, tree.c.friend_id == r.referrer_id)
        .where(_STANDS, tree.c.depth < DEPTH_MAX)
    )
    if sort is Sort.NEWEST:
        newest = func.max(type_coerce(tree.c.opened_at, BigInteger))
        return select(newest).where(tree.c.root == r.referrer_id).correlate(referrals).scalar_subquery()
    opened = type_coerce(tree.c.opened_at, BigInteger)
    since = type_coerce(orders.c.placed_at, BigInteger) >= opened - opened % 1_000_000
    return (
        select(func.coalesce(func.sum(orders.c.total - orders.c.refunded), 0))
        .join(tree, tree.c.friend_id == orders.c.customer_id)
        .where(tree.c.root == r.referrer_id, orders.c.shop_id == shop_id, since, *REAL)
        .correlate(referrals)
        .scalar_subquery()
    )


def sums(session: Session, shop_id: int) -> Sums:
    """What referrals came to at a shop."""
    counts = session.execute(
        select(r.state, func.count().label("friends"))
        .where(r.state != State.REFUSED, _seen(session, shop_id))
        .group_by(r.state)
    ).all()
    paid = session.execute(
        select(
            func.coalesce(func.sum(rewards.c.standing).filter(rewards.c.voucher_id.is_(None)), 0),
            func.coalesce(func.sum(rewards.c.standing).filter(rewards.c.voucher_id.is_not(None)), 0),
        ).where(rewards.c.shop_id == shop_id)
    ).one()
    revenue = session.execute(
        select(func.coalesce(func.sum(orders.c.total - orders.c.refunded), 0))
        .join(referrals, and_(r.friend_id == orders.c.customer_id, r.state != State.REFUSED))
        .where(orders.c.shop_id == shop_id, _SINCE, *REAL)
    ).scalar_one()
    return Sums(
        sum(row.friends for row in counts), sum(row.friends for row in counts if row.state == State.REWARDED),
        Paid(int(paid[0]), int(paid[1])), int(revenue),
    )  # fmt: skip


def queue(session: Session, shop_id: int) -> tuple[list[Doubt], int]:
    """Refused referrals that nobody has looked at, the newest first, and how many there are."""
    waits = and_(
        r.state == State.REFUSED, r.decided_at.is_(None), r.terms_id.is_not(None),
        r.reason.not_in([str(reason) for reason in FINAL]), _seen(session, shop_id),
    )  # fmt: skip
    total = session.execute(select(func.count()).select_from(referrals).where(waits)).scalar_one()
    host, friend = customers.customers.alias("host"), customers.customers.alias("friend")
    rows = session.execute(
        select(r.id, r.referrer_id, host.c.name, r.friend_id, friend.c.name, r.reason, r.opened_at)
        .join(host, host.c.id == r.referrer_id)
        .join(friend, friend.c.id == r.friend_id)
        .where(waits)
        .order_by(r.id.desc())
        .limit(QUEUE)
    ).all()
    doubts = []
    for row in rows:
        bought = directory.bought_by(session, shop_id, row.friend_id)
        doubts.append(Doubt(*row, bought.orders, bought.spent))
    return doubts, total


def blocked(session: Session, shop_id: int) -> list[Blocked]:
    """Rewards of a shop's that can't be given now."""
    person = func.coalesce(customers.customers.c.name, "")
    who = and_(
        customers.customers.c.id == r.referrer_id, rewards.c.side == "referrer"
    ) | and_(customers.customers.c.id == r.friend_id, rewards.c.side == "friend")  # fmt: skip
    rows = session.execute(
        select(rewards.c.referral_id, person, rewards.c.blocked, rewards.c.changed_at)
        .join(referrals, r.id == rewards.c.referral_id)
        .join(customers.customers, who)
        .where(rewards.c.blocked.is_not(None), rewards.c.shop_id == shop_id)
        .order_by(rewards.c.id.desc())
        .limit(QUEUE)
    )
    return [Blocked(*row) for row in rows]


def may_see(session: Session, shop_id: int, referral_id: int) -> bool:
    """Whether a referral is one of this shop's."""
    query = select(r.id).where(r.id == referral_id, _seen(session, shop_id))
    return session.execute(query).first() is not None


def _seen(session: Session, shop_id: int) -> ColumnElement[bool]:
    """Referrals of a shop's: one of the two is its customer (home, or has bought there)."""
    if len(shops.every(session)) == 1:
        return r.id.is_not(None)
    c = customers.customers.c
    at_home = exists().where(c.id.in_([r.referrer_id, r.friend_id]), c.home_shop_id == shop_id)
    bought = exists().where(orders.c.customer_id.in_([r.referrer_id, r.friend_id]), orders.c.shop_id == shop_id)
    return or_(at_home, bought, r.shop_id == shop_id)


def _top(session: Session, customer_id: int) -> int:
    """Whoever brought a customer, or themselves."""
    above = session.execute(select(r.referrer_id).where(r.friend_id == customer_id, _STANDS)).scalar()
    return int(above) if above is not None else customer_id


def _below(session: Session, roots: Sequence[int]) -> dict[int, list[Any]]:
    """The edges below some customers, by who brought."""
    if not roots:
        return {}
    columns = (r.id, r.referrer_id, r.friend_id, r.state, r.reason)
    tree = (
        select(*columns, literal(1).label("depth")).where(r.referrer_id.in_(roots), _STANDS).cte("tree", recursive=True)
    )
    tree = tree.union_all(
        select(*columns, tree.c.depth + 1)
        .join(tree, tree.c.friend_id == r.referrer_id)
        .where(_STANDS, tree.c.depth < DEPTH_MAX)
    )
    edges: defaultdict[int, dict[int, Any]] = defaultdict(dict)
    for row in session.execute(select(tree).order_by(tree.c.id).limit(50 * ROWS_MAX)):
        edges[row.referrer_id][row.friend_id] = row
    return {above: list(rows.values()) for above, rows in edges.items()}


def _nodes(session: Session, shop_id: int, roots: Iterable[int], edges: dict[int, list[Any]]) -> list[Node]:
    """The trees as rows, each parent before its friends."""
    everybody = {*roots, *(row.friend_id for rows in edges.values() for row in rows)}
    c = customers.customers.c
    found = session.execute(select(c.id, c.name).where(c.id.in_(everybody)))
    names: dict[int, str] = {row.id: row.name for row in found}
    numbers = [row.id for rows in edges.values() for row in rows]
    paid, revenue = _paid(session, shop_id, numbers), _revenue(session, shop_id, numbers)
    nodes: list[Node] = []
    seen: set[int] = set()

    def walk(customer_id: int, depth: int, by: Any) -> Node:
        seen.add(customer_id)
        state, reason, number = (by.state, by.reason, by.id) if by is not None else (None, None, None)
        node = Node(customer_id, names.get(customer_id, ""), depth, state, reason, number)
        nodes.append(node)
        points = given = 0
        for row in edges.get(customer_id, []):
            if row.friend_id in seen:
                continue
            friend = walk(row.friend_id, depth + 1, row)
            own = paid.get(row.id, Paid())
            node.friends += 1
            node.below += 1 + friend.below
            points += own.points + friend.paid.points
            given += own.vouchers + friend.paid.vouchers
            node.revenue += revenue.get(row.id, 0) + friend.revenue
        node.paid = Paid(points, given)
        return node

    for root in roots:
        walk(root, 0, None)
    return nodes


def _paid(session: Session, shop_id: int, numbers: list[int]) -> dict[int, Paid]:
    rows = session.execute(
        select(
            rewards.c.referral_id,
            func.coalesce(func.sum(rewards.c.standing).filter(rewards.c.voucher_id.is_(None)), 0).label("points"),
            func.coalesce(func.sum(rewards.c.standing).filter(rewards.c.voucher_id.is_not(None)), 0).label("given"),
        )
        .where(rewards.c.referral_id.in_(numbers), rewards.c.shop_id == shop_id)
        .group_by(rewards.c.referral_id)
    )
    return {row.referral_id: Paid(int(row.points), int(row.given)) for row in rows}


def _revenue(session: Session, shop_id: int, numbers: list[int]) -> dict[int, int]:
    rows = session.execute(
        select(r.id, func.sum(orders.c.total - orders.c.refunded).label("paid"))
        .join(orders, orders.c.customer_id == r.friend_id)
        .where(r.id.in_(numbers), orders.c.shop_id == shop_id, _SINCE, *REAL)
        .group_by(r.id)
    )
    return {row.id: int(row.paid) for row in rows}
