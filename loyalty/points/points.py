"""Points of a customer: earned, spent, given back, taken back, released, expired. What each does to the lots is in `lots`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import literal, select, update
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.points import holds, ledger, lots
from loyalty.points.drafts import Draft, post_many
from loyalty.points.ledger import Leg
from loyalty.points.lots import Expiring
from store.base import raw
from store.clock import now
from store.errors import InvalidError

POINTS_MAX = 1_000_000_000
BATCH = 700
"""Lots that fall due together: on SQLite nobody else writes for some 17 ms."""


@dataclass(frozen=True, slots=True)
class Wallet:
    """A customer's points. `expiring` is the whole schedule: its points add up to what is available (where that is
    above 0), `on` being the last day they can be used, None for those that never expire.
    """

    available: int
    pending: int
    tier_points: int
    expiring: list[Expiring]


def balances(session: Session, customer_id: int) -> tuple[int, int, int]:
    """(available, pending, tier points)."""
    return _balances(ledger.held(session, "customer", customer_id))


def _balances(held: ledger.Held) -> tuple[int, int, int]:
    available, pending, tier = (held.get(name, (0, 0))[1] for name in ("available", "pending", "tier"))
    return available, pending, tier


def wallet(session: Session, customer_id: int, zone: str, held: ledger.Held | None = None) -> Wallet:
    """A customer's balances and the schedule of what expires; days are the time zone's. `held`: their accounts, where
    the caller has looked at them.
    """
    available, pending, tier_points = _balances(held or ledger.held(session, "customer", customer_id))
    expiring = lots.schedule(session, customer_id, zone) if available > 0 else []
    return Wallet(available, pending, tier_points, expiring)


def earn(
    session: Session,
    key: str,
    kind: str,
    *,
    customer_id: int,
    shop_id: int,
    points: int,
    tier_points: int = 0,
    expires_at: datetime | None = None,
    earned_at: datetime | None = None,
    pending_until: datetime | None = None,
    order_id: int | None = None,
    actor: str | None = None,
    reason: str | None = None,
    inputs: Any = None,
) -> ledger.Posted | None:
    """Issue points from a shop's wallet, as a lot, and tier points with them; None where both are 0.

    Raises UncoveredError when the wallet is empty, KeyConflictError.
    """
    if points < 0 or tier_points < 0:
        raise ValueError("an earn is not below 0")
    if not points and not tier_points:
        return None
    into = ledger.account(session, "customer", customer_id, "pending" if pending_until else "available")
    legs = []
    if points:
        legs.append(Leg(ledger.account(session, "shop", shop_id, "wallet"), into, points))
    if tier_points:
        source = ledger.account(session, "shop", shop_id, "tier_source")
        legs.append(Leg(source, ledger.account(session, "customer", customer_id, "tier"), tier_points, covered=False))
    done = ledger.post(
        session, key, kind, legs, shop_id=shop_id, order_id=order_id, actor=actor, reason=reason, inputs=inputs
    )
    if points and done.new:
        lots.open_lot(
            session, customer_id, shop_id, done.transfer_id, points, expires_at=expires_at,
            earned_at=earned_at or now(session), pending_until=pending_until, order_id=order_id, into=into,
        )  # fmt: skip
    return done


def spend(
    session: Session,
    key: str,
    kind: str,
    *,
    customer_id: int,
    shop_id: int,
    points: int,
    into: str = "redeemed",
    order_id: int | None = None,
    actor: str | None = None,
    reason: str | None = None,
    inputs: Any = None,
    covered: bool = True,
) -> ledger.Posted:
    """Take available points, soonest-to-expire lots first, into an account of the shop. Raises UncoveredError when
    there are too few (`covered`; without, the balance may fall below 0), InvalidError("points") when none or absurdly many
    are wanted, KeyConflictError.
    """
    if not 0 < points <= POINTS_MAX:
        raise InvalidError("points", "range", points)
    source = ledger.account(session, "customer", customer_id, "available")
    target = ledger.account(session, "shop", shop_id, into)
    done = ledger.post(
        session, key, kind, [Leg(source, target, points, covered)], shop_id=shop_id, order_id=order_id, actor=actor,
        reason=reason, inputs=inputs,
    )  # fmt: skip
    if done.new:
        lots.take(session, customer_id, done.transfer_id, points)
    return done


def give_back(
    session: Session,
    key: str,
    kind: str,
    spent: int,
    *,
    customer_id: int,
    actor: str | None = None,
    points: int | None = None,
) -> ledger.Posted:
    """Undo a spend, whole or `points` of it: its posting turned round, its points back in the lots they came from. `spent`
    is the number of its transfer, `customer_id` who the spender is by now (a merge may have come between); the same key
    again does nothing.
    """
    back = ledger.account(session, "customer", customer_id, "available")
    was = session.execute(
        select(ledger.postings.c.target_id, ledger.postings.c.amount, ledger.transfers.c.shop_id, ledger.transfers.c.order_id)
        .join(ledger.transfers, ledger.transfers.c.id == ledger.postings.c.transfer_id)
        .where(ledger.transfers.c.id == spent)
    ).one()  # fmt: skip
    amount = was.amount if points is None else points
    done = ledger.post(
        session, key, kind, [Leg(was.target_id, back, amount, covered=False)], shop_id=was.shop_id,
        order_id=was.order_id, actor=actor, inputs=[spent] if points is None else [spent, points],
    )  # fmt: skip
    if done.new:
        lots.give_back(session, customer_id, spent, done.transfer_id, amount)
    return done


def claw_back(
    session: Session,
    key: str,
    kind: str,
    *,
    customer_id: int,
    shop_id: int,
    points: int,
    tier_points: int = 0,
    order_id: int | None = None,
    actor: str | None = None,
    reason: str | None = None,
) -> ledger.Posted | None:
    """Take back what an order gave, into the shop's wallet: from its own lot first (pending or not), then from others,
    soonest-to-expire first. What was spent already leaves the balance below 0, or is forgiven by a transfer of its own
    where the programme says so. None where both are 0.
    """
    if not points and not tier_points:
        return None
    wallet_id = ledger.account(session, "shop", shop_id, "wallet")
    pending = ledger.account(session, "customer", customer_id, "pending")
    available = ledger.account(session, "customer", customer_id, "available")
    # Before the look at the lots: else a spend or the clock takes the same points from them meanwhile.
    ledger.lock(session, [pending, available])
    legs: list[Leg] = []
    own = session.execute(
        select(lots.lots.c.id, lots.lots.c.remaining, lots.lots.c.pending_until)
        .where(lots.lots.c.order_id == order_id, lots.lots.c.customer_id == customer_id, lots.lots.c.remaining > 0)
        .order_by(lots.lots.c.pending_until.is_(None), lots.lots.c.id.desc())
        if order_id is not None
        else select(lots.lots.c.id, lots.lots.c.remaining, lots.lots.c.pending_until).where(literal(value=False))
    ).all()
    waiting = min(points, sum(lot.remaining for lot in own if lot.pending_until is not None))
    if waiting:
        legs.append(Leg(pending, wallet_id, waiting))
    if points - waiting:
        legs.append(Leg(available, wallet_id, points - waiting, covered=False))
    if tier_points:
        source = ledger.account(session, "customer", customer_id, "tier")
        legs.append(Leg(source, ledger.account(session, "shop", shop_id, "tier_source"), tier_points, covered=False))
    done = ledger.post(
        session, key, kind, legs, shop_id=shop_id, order_id=order_id, actor=actor, reason=reason,
        inputs=[customer_id, shop_id, points, tier_points, order_id],
    )  # fmt: skip
    if done.new:
        left = points
        for lot in own:
            taken = min(left, lot.remaining)
            if taken:
                lots.move(session, lot.id, done.transfer_id, -taken)
                left -= taken
        if left:
            lots.take(session, customer_id, done.transfer_id, left)
            if programme.get(session).refund_policy == programme.Refunds.CAP:
                _forgive(session, f"forgive:{key}", customer_id, shop_id, left, order_id)
    return done


def _forgive(session: Session, key: str, customer_id: int, shop_id: int, most: int, order_id: int | None) -> None:
    """Let a debt go, as far as it comes from `most` points: the shop's account of what it forgave pays it."""
    available = ledger.account(session, "customer", customer_id, "available")
    debt = min(most, -ledger.balance(session, available))
    if debt > 0:
        legs = [Leg(ledger.account(session, "shop", shop_id, "forgiven"), available, debt, covered=False)]
        ledger.post(session, key, "forgive", legs, shop_id=shop_id, order_id=order_id)


def release_due(session: Session, limit: int = BATCH) -> int:
    """Make points available whose return window has ended; how many lots that were."""
    due, held = lots.due(session, "pending_until <= ?", "pending_until, id", limit, ("pending", "available"))
    drafts: list[Draft] = []
    left = []
    waiting, balances = dict(held["pending"].values()), dict(held["available"].values())
    for number, customer_id, shop_id, order_id, remaining, _ in due:
        stays = 0
        if remaining:
            source, target = held["pending"][customer_id][0], held["available"][customer_id][0]
            drafts.append((f"release:lot:{number}", source, target, remaining, shop_id, order_id))
            balances[target] += remaining
            stays = lots.after_debt(balances[target], remaining)
        left.append((number, stays))
    post_many(session, "release", drafts, covering=waiting)
    lots.leave(session, left)
    return len(due)


def expire_due(session: Session, limit: int = BATCH) -> int:
    """Let lots go whose time is over; how many."""
    due, held = lots.due(
        session, "remaining > 0 AND expires_at <= ? AND pending_until IS NULL", "expires_at, id", limit, ("available",)
    )
    gone = {shop_id: ledger.account(session, "shop", shop_id, "expired") for shop_id in {lot[2] for lot in due}}
    sources = held["available"]
    drafts: list[Draft] = [
        (f"expire:lot:{number}:{moves}", sources[customer_id][0], gone[shop_id], remaining, shop_id, None)
        for number, customer_id, shop_id, _, remaining, moves in due
    ]
    numbers = post_many(session, "expire", drafts, covering={})
    lots.move_many(session, [(lot[0], number, -lot[4]) for lot, number in zip(due, numbers, strict=True)])
    lots.leave(session, [(lot[0], 0) for lot in due])
    return len(due)


def adjust(
    session: Session,
    key: str,
    *,
    customer_id: int,
    shop_id: int,
    points: int,
    reason: str,
    expires_at: datetime | None,
    actor: str,
) -> ledger.Posted:
    """Add (above 0) or take (below 0) points by hand, with the reason. Raises InvalidError for 0 or too many,
    UncoveredError when more is taken than there is, KeyConflictError.
    """
    if not 0 < abs(points) <= POINTS_MAX:
        raise InvalidError("points", "range", points)
    if not reason.strip() or len(reason) > 200:
        raise InvalidError("reason", "length", reason)
    inputs = [customer_id, shop_id, points, reason]
    if points < 0:
        return spend(
            session, key, "adjust", customer_id=customer_id, shop_id=shop_id, points=-points, into="wallet",
            actor=actor, reason=reason, inputs=inputs,
        )  # fmt: skip
    done = earn(
        session, key, "adjust", customer_id=customer_id, shop_id=shop_id, points=points, expires_at=expires_at,
        actor=actor, reason=reason, inputs=inputs,
    )  # fmt: skip
    assert done is not None
    return done


def move_to(session: Session, from_id: int, to_id: int, shop_id: int) -> None:
    """Carry everything one customer holds over to another: balances by postings, lots as they are (used by a merge)."""
    legs = []
    for name in ("available", "held", "pending", "tier"):
        source = ledger.account(session, "customer", from_id, name)
        target = ledger.account(session, "customer", to_id, name)
        amount = ledger.balance(session, source)
        if amount > 0:
            legs.append(Leg(source, target, amount))
        elif amount < 0:
            legs.append(Leg(target, source, -amount, covered=False))
    if legs:
        ledger.post(session, f"merge:customer:{from_id}", "merge", legs, shop_id=shop_id)
    holds.carry(session, from_id, to_id)
    session.execute(update(lots.lots).where(lots.lots.c.customer_id == from_id).values(customer_id=to_id))
    # One side's debt is paid from the other side's lots, soonest-to-expire first.
    surplus = lots.open_total(session, to_id) - max(0, balances(session, to_id)[0])
    transfer_id = ledger.posted(session, f"merge:customer:{from_id}")
    if surplus > 0 and transfer_id is not None:
        lots.take(session, to_id, transfer_id, surplus)


_WITHIN = "SELECT id, amount, remaining FROM lots WHERE remaining < 0 OR remaining > amount ORDER BY id LIMIT ?"
_HELD = """
WITH sides (who, said, held) AS (
    SELECT owner_id, CASE WHEN balance > 0 THEN balance ELSE 0 END, 0 FROM accounts WHERE owner = 'customer' AND name = ?
    UNION ALL SELECT customer_id, 0, remaining FROM lots WHERE remaining > 0 AND pending_until {pending}
)
SELECT who, sum(said), sum(held) FROM sides GROUP BY who HAVING sum(said) <> sum(held) ORDER BY who LIMIT ?
"""


def check(session: Session) -> list[ledger.Fault]:
    """Prove that every customer's open lots add up to what is available, pending ones to what is pending, and that no lot
    holds less than nothing or more than it was opened with.
    """
    proofs: list[tuple[str, str, tuple[str | int, ...]]] = [
        (f"{name} lots", _HELD.format(pending=pending), (name, ledger.FAULTS_MAX))
        for name, pending in (("available", "IS NULL"), ("pending", "IS NOT NULL"))
    ]
    return [
        ledger.Fault(what, number, int(expected), int(found))
        for what, proof, values in [*proofs, ("lot", _WITHIN, (ledger.FAULTS_MAX,))]
        for number, expected, found in raw(session, proof, values)
    ]
