"""The statement: what happened to a customer's points, newest first, available and pending together."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, union_all
from sqlalchemy.orm import Session

from loyalty import ledger, points
from loyalty.orders import orders
from store.errors import NotFoundError
from store.shops import shops


@dataclass(frozen=True, slots=True)
class Entry:
    """One transfer's line: `points` is what it changed, `balance` what there was after it."""

    id: int
    at: datetime
    kind: str
    points: int
    balance: int
    order: str | None
    """The order's external id."""
    shop: str | None
    reason: str | None
    expires_at: datetime | None


def entries(
    session: Session, customer_id: int, limit: int = 50, before: tuple[int, int] | None = None
) -> tuple[list[Entry], tuple[int, int] | None]:
    """A page of the statement and where the next one starts (the `before` to ask for), or None at the end.

    `before` is (transfer number, balance before it): carrying the balance makes every page cost the same.
    """
    held, legs, moved = ledger.accounts, ledger.postings, ledger.transfers
    own = [
        int(number)
        for number in session.execute(
            select(held.c.id).where(
                held.c.owner == "customer", held.c.owner_id == customer_id, held.c.name.in_(("available", "pending"))
            )
        ).scalars()
    ]
    if not own:
        return [], None
    older = [legs.c.transfer_id < before[0]] if before else []
    # Each account's newest legs come off an index of their own; a transfer has at most 4 legs on one account.
    newest = union_all(
        *(
            select(legs.c.transfer_id, (legs.c.amount * sign).label("points"))
            .where(column == number, *older)
            .order_by(legs.c.id.desc())
            .limit(4 * (limit + 1))
            .subquery()
            .select()
            for number in own
            for column, sign in ((legs.c.source_id, -1), (legs.c.target_id, 1))
        )
    ).subquery()
    lines = (
        select(newest.c.transfer_id, func.sum(newest.c.points).label("points"))
        .group_by(newest.c.transfer_id)
        .having(func.sum(newest.c.points) != 0)
        .order_by(newest.c.transfer_id.desc())
        .limit(limit + 1)
        .subquery()
    )
    rows = session.execute(
        select(
            moved.c.id, moved.c.at, moved.c.kind, lines.c.points, orders.c.external_id, shops.c.name.label("shop"),
            moved.c.reason, points.lots.c.expires_at,
        )
        .join(lines, lines.c.transfer_id == moved.c.id)
        .outerjoin(orders, orders.c.id == moved.c.order_id)
        .outerjoin(shops, shops.c.id == moved.c.shop_id)
        .outerjoin(points.lots, points.lots.c.transfer_id == moved.c.id)
        .order_by(moved.c.id.desc())
    ).all()  # fmt: skip
    balance = before[1] if before else sum(points.balances(session, customer_id)[:2])
    page: list[Entry] = []
    for row in rows[:limit]:
        change = int(row.points)
        page.append(
            Entry(row.id, row.at, row.kind, change, balance, row.external_id, row.shop, row.reason, row.expires_at)
        )
        balance -= change
    return page, (page[-1].id, balance) if len(rows) > limit else None


def entry(session: Session, customer_id: int, transfer_id: int) -> Entry:
    """The line of one transfer, with the balance there was after it then; raises NotFoundError where it left the
    customer's points as they were.
    """
    held, legs = ledger.accounts, ledger.postings
    own = select(held.c.id).where(
        held.c.owner == "customer", held.c.owner_id == customer_id, held.c.name.in_(("available", "pending"))
    )
    last = select(func.max(legs.c.id)).where(legs.c.transfer_id == transfer_id).scalar_subquery()
    since = 0
    for column, sign in ((legs.c.source_id, -1), (legs.c.target_id, 1)):
        moved = select(func.coalesce(func.sum(legs.c.amount), 0)).where(column.in_(own), legs.c.id > last)
        since += sign * int(session.execute(moved).scalar_one())
    balance = sum(points.balances(session, customer_id)[:2]) - since
    found, _ = entries(session, customer_id, 1, (transfer_id + 1, balance))
    if not found or found[0].id != transfer_id:
        raise NotFoundError("entry", transfer_id)
    return found[0]
