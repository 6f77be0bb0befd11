"""A shop's wallet: the points it was funded with, what became of them, and topping it up."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from loyalty.points import holds, ledger, lots
from loyalty.points.ledger import Leg
from loyalty.points.points import POINTS_MAX
from store import audit
from store.errors import InvalidError

REASON_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Figures:
    """All in points. `funded` less `left` is what went out: `issued` to customers less what came back into the wallet
    (`taken_back`). `redeemed` with this shop, less what was given back, and `expired` may be of another shop's issuing.
    `owed`: what customers hold now of what this shop issued, pending and set aside among it. `forgiven`: debts let go.
    """

    funded: int
    left: int
    issued: int
    taken_back: int
    redeemed: int
    expired: int
    forgiven: int
    owed: int


def figures(session: Session, shop_id: int) -> Figures:
    """How a shop's wallet stands."""
    held = ledger.held(session, "shop", shop_id)
    balance = {name: amount for name, (_, amount) in held.items()}
    funded, left = -balance.get("mint", 0), balance.get("wallet", 0)
    back = 0
    if "wallet" in held:
        legs = ledger.postings.c
        into = select(func.coalesce(func.sum(legs.amount), 0)).where(legs.target_id == held["wallet"][0])
        back = int(session.execute(into).scalar_one()) - funded
    # What is forgiven leaves the shop's own account, which stands below 0 by it.
    forgiven = -balance.get("forgiven", 0)
    return Figures(
        funded, left, funded + back - left, back, balance.get("redeemed", 0), balance.get("expired", 0), forgiven,
        _owed(session, shop_id),
    )  # fmt: skip


def _owed(session: Session, shop_id: int) -> int:
    """What is left in the shop's lots, and what holds have taken out of them for a while."""
    l, m, h = lots.lots.c, lots.lot_moves.c, holds.holds.c  # noqa: E741  # as the tables are called here
    open_ = session.execute(
        select(func.coalesce(func.sum(l.remaining), 0)).where(l.shop_id == shop_id, l.remaining > 0)
    ).scalar_one()
    held = session.execute(
        select(func.coalesce(func.sum(-m.amount), 0))
        .join(lots.lots, l.id == m.lot_id)
        .join(holds.holds, h.transfer_id == m.transfer_id)
        .where(l.shop_id == shop_id, h.state == holds.HoldState.PLACED.value)
    ).scalar_one()
    return int(open_) + int(held)


def top_up(session: Session, key: str, *, shop_id: int, points: int, reason: str, actor: str) -> ledger.Posted:
    """Fund a shop's wallet with more points; the same key funds once. Raises InvalidError("points", "reason"),
    KeyConflictError.
    """
    reason = reason.strip()
    if not 0 < points <= POINTS_MAX:
        raise InvalidError("points", "range", points)
    if not reason or len(reason) > REASON_CHARS_MAX:
        raise InvalidError("reason", "length", reason)
    mint, wallet = (ledger.account(session, "shop", shop_id, name) for name in ("mint", "wallet"))
    # Two taps at one instant: the second waits here and then finds what the first one posted.
    ledger.lock(session, [mint, wallet])
    done = ledger.post(
        session, f"fund:{key}", "fund", [Leg(mint, wallet, points, covered=False)], shop_id=shop_id, actor=actor,
        reason=reason, inputs=[shop_id, points, reason],
    )  # fmt: skip
    if done.new:
        audit.record(session, actor, "wallet_topped_up", shop_id, points=points, reason=reason)
    return done
