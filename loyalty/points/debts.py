"""Debts between shops: points that one shop issued and another took. The issuer owes the taker what they are worth."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.points import ledger
from loyalty.points.lots import lot_moves, lots
from loyalty.points.settlement import bounds
from store import shops
from store.shops import Shop


@dataclass(frozen=True, slots=True)
class Debt:
    """What one shop owes another for a period. `spent`: the debtor's points that the creditor took, `back`: the creditor's
    that the debtor took; `points`: the difference, above 0; `worth` of it in đồng, at what a point pays today.
    """

    debtor: Shop
    creditor: Shop
    spent: int
    back: int
    points: int
    worth: int


def report(session: Session, first: date, last: date) -> list[Debt]:
    """Who owes whom for the days `first` to `last`, both included, each shop's days being those of its own time zone; the
    greatest first. The lots that paid say who issued them; what a debt of the customer's has swallowed is nobody's.
    """
    every = {shop.id: shop for shop in shops.every(session)}
    taken = Counter[tuple[int, int]]()
    for shop in every.values():
        for issuer, points in _taken(session, shop.id, *bounds(shop, first, last)).items():
            taken[issuer, shop.id] = points
    value = programme.get(session).point_value
    found = []
    for (issuer, taker), spent in taken.items():
        back = taken[taker, issuer]
        if issuer != taker and spent > back:
            found.append(Debt(every[issuer], every[taker], spent, back, spent - back, (spent - back) * value))
    return sorted(found, key=lambda debt: (-debt.points, debt.debtor.id, debt.creditor.id))


def _taken(session: Session, shop_id: int, begin: datetime, end: datetime) -> dict[int, int]:
    """The points that a shop took from `begin` until before `end`, less what it gave back, by the shop that issued them."""
    p, t, a = ledger.postings.c, ledger.transfers.c, ledger.accounts.c
    redeemed = select(a.id).where(a.owner == "shop", a.owner_id == shop_id, a.name == "redeemed").scalar_subquery()
    these = (
        select(t.id)
        .join(ledger.postings, p.transfer_id == t.id)
        .where((p.target_id == redeemed) | (p.source_id == redeemed), t.at >= begin, t.at < end)
    )
    rows = session.execute(
        select(lots.c.shop_id, -func.sum(lot_moves.c.amount))
        .join(lots, lots.c.id == lot_moves.c.lot_id)
        .where(lot_moves.c.transfer_id.in_(these))
        .group_by(lots.c.shop_id)
    )
    return {issuer: int(points) for issuer, points in rows.all()}
