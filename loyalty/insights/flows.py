"""Flows: the points of a shop in a period, read from the ledger, and what it owes its customers at the end of it.

The redemption rate is redeemed / issued. Breakage is expired / (redeemed + expired): of the points whose time came, those that
nobody used. Rates are per cent.
"""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.insights.scope import Scope
from loyalty.points import ledger
from loyalty.points.lots import lot_moves, lots


@dataclass(frozen=True, slots=True)
class Flows:
    """In points; what was taken back or given back is taken off. `owed`: points of this shop that customers still have at the
    end, the pending ones among them; `worth` in đồng, by what a point pays today.
    """

    issued: int
    redeemed: int
    expired: int
    owed: int
    worth: int

    @property
    def redemption_rate(self) -> float | None:
        return 100 * self.redeemed / self.issued if self.issued > 0 else None

    @property
    def breakage(self) -> float | None:
        over = self.redeemed + self.expired
        return 100 * self.expired / over if over > 0 else None


def of(session: Session, scope: Scope) -> Flows:
    """The flows of a shop's days."""
    moved = _moved(session, scope)
    owed = _owed(session, scope)
    return Flows(
        -moved.get("wallet", 0), moved.get("redeemed", 0), moved.get("expired", 0), owed,
        owed * programme.get(session).point_value,
    )  # fmt: skip


def _moved(session: Session, scope: Scope) -> dict[str, int]:
    """What came from customers into each of the shop's accounts, less what went to them."""
    legs, done, held = ledger.postings.c, ledger.transfers.c, ledger.accounts
    own, other = held.alias("own"), held.alias("other")
    found: dict[str, int] = {}
    for mine, theirs, sign in ((legs.target_id, legs.source_id, 1), (legs.source_id, legs.target_id, -1)):
        rows = session.execute(
            select(own.c.name, func.sum(legs.amount))
            .join(ledger.transfers, done.id == legs.transfer_id)
            .join(own, own.c.id == mine)
            .join(other, other.c.id == theirs)
            .where(
                own.c.owner == "shop", own.c.owner_id == scope.shop_id, own.c.unit == "point", other.c.owner == "customer",
                done.at >= scope.begin, done.at < scope.end, *scope.among(other.c.owner_id),
            )
            .group_by(own.c.name)
        )  # fmt: skip
        for name, points in rows:
            found[name] = found.get(name, 0) + sign * int(points)
    return found


def _owed(session: Session, scope: Scope) -> int:
    """What the shop's lots held at the end: as they were opened, and what was taken from them and put back until then."""
    done, lot = ledger.transfers.c, lots.c
    mine = (lot.shop_id == scope.shop_id, done.at < scope.end, *scope.among(lot.customer_id))
    opened = (
        select(func.coalesce(func.sum(lot.amount), 0)).join(ledger.transfers, done.id == lot.transfer_id).where(*mine)
    )
    changed = (
        select(func.coalesce(func.sum(lot_moves.c.amount), 0))
        .join(lots, lot.id == lot_moves.c.lot_id)
        .join(ledger.transfers, done.id == lot_moves.c.transfer_id)
        .where(*mine)
    )
    return int(session.execute(opened).scalar_one()) + int(session.execute(changed).scalar_one())
