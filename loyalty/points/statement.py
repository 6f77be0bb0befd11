"""The statement: what happened to a customer's points, newest first, available and pending together."""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from loyalty.orders.earning_rules import context_of
from loyalty.points import ledger, points
from store.base import from_micros, raw
from store.errors import NotFoundError


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
    why: tuple[tuple[str, int], ...] = ()
    """What raised or lowered the points of an order: the multiplier's name (of a tier's own `tier:` and its name) and its
    per cent.
    """


LAST = 2**62
"""Above every transfer's number."""
LEGS_MAX = 4
"""The most legs that a transfer has on one account."""
_SIDES = (("source_id", "-amount"), ("target_id", "amount"))


@cache
def _lines(accounts: int) -> str:
    """The newest lines over so many accounts: each account's legs come off an index of their own."""
    legs = " UNION ALL ".join(
        f"SELECT * FROM (SELECT transfer_id, {amount} AS points FROM postings WHERE {side} = ? AND transfer_id < ? "  # noqa: S608
        f"ORDER BY id DESC LIMIT ?) AS {side}_{number}"
        for number in range(accounts)
        for side, amount in _SIDES
    )
    return (
        "SELECT t.id, t.at, t.kind, line.points, o.external_id, s.name, t.reason, "  # noqa: S608
        "(SELECT min(l.expires_at) FROM lots l WHERE l.transfer_id = t.id "
        # A gift's lots are the friend's, not the giver's; all others are of whom the entry is, by whatever number.
        "AND (t.kind <> 'gift' OR l.customer_id = ?)), "
        "CASE WHEN t.kind = 'earn' THEN o.context END FROM "
        f"(SELECT transfer_id, sum(points) AS points FROM ({legs}) AS leg GROUP BY transfer_id "
        "HAVING sum(points) <> 0 ORDER BY transfer_id DESC LIMIT ?) AS line "
        "JOIN transfers t ON t.id = line.transfer_id LEFT JOIN orders o ON o.id = t.order_id "
        "LEFT JOIN shops s ON s.id = t.shop_id ORDER BY t.id DESC"
    )


def entries(
    session: Session,
    customer_id: int,
    limit: int = 50,
    before: tuple[int, int] | None = None,
    held: ledger.Held | None = None,
) -> tuple[list[Entry], tuple[int, int] | None]:
    """A page of the statement and where the next one starts (the `before` to ask for), or None at the end.

    `before` is (transfer number, balance before it): carrying the balance makes every page cost the same.
    `held`: the customer's accounts, where the caller has looked at them.
    """
    held = held or ledger.held(session, "customer", customer_id)
    own = [held[name] for name in ("available", "pending") if name in held]
    if not own:
        return [], None
    below = before[0] if before else LAST
    each = (below, LEGS_MAX * (limit + 1))
    parameters = [value for number, _ in own for _side in _SIDES for value in (number, *each)]
    rows = raw(session, _lines(len(own)), (customer_id, *parameters, limit + 1))
    balance = before[1] if before else sum(amount for _, amount in own)
    page: list[Entry] = []
    for row in rows[:limit]:
        number, at, kind, change, order, shop, reason, expires_at, context = row
        expires = None if expires_at is None else from_micros(expires_at)
        page.append(
            Entry(number, from_micros(at), kind, int(change), balance, order, shop, reason, expires, _why(context))
        )
        balance -= int(change)
    return page, (page[-1].id, balance) if len(rows) > limit else None


def _why(context: Any) -> tuple[tuple[str, int], ...]:
    # PostgreSQL's driver has read the JSON already.
    kept = json.loads(context) if isinstance(context, str) else context
    return context_of(kept).matched if kept else ()


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
