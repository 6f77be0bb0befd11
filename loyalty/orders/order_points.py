"""What an order moves in the ledger: the points it gives, takes back, forgives, and those that paid for it.

The order says what should stand; these bring the books there, whatever stood before. Keys hold the order's version, so that
each change of it counts once.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty.points import ledger, points
from loyalty.points.ledger import Leg

_PAID, _BACK = "pay", "pay_back"


@dataclass(frozen=True, slots=True)
class Mover:
    """An order whose points move: whose they are, and under which version of the order."""

    order_id: int
    version: int
    customer_id: int
    shop_id: int

    @property
    def key(self) -> str:
        return f"order:{self.order_id}:{self.version}"


def rise(
    session: Session,
    of: Mover,
    *,
    points_up: int,
    tier_up: int,
    expires_at: datetime | None,
    earned_at: datetime,
    pending_until: datetime | None,
) -> None:
    """Give points (0 or more). What was forgiven of this order when it was returned is not given a second time."""
    again = min(points_up, _forgiven(session, of)) if of.version > 1 and points_up else 0
    points.earn(
        session, f"earn:{of.key}", "earn", customer_id=of.customer_id, shop_id=of.shop_id, points=points_up - again,
        tier_points=tier_up, expires_at=expires_at, earned_at=earned_at, pending_until=pending_until,
        order_id=of.order_id,
    )  # fmt: skip
    if again:
        legs = [Leg(_shop(session, of, "wallet"), _shop(session, of, "forgiven"), again)]
        ledger.post(session, f"recover:{of.key}", "recover", legs, shop_id=of.shop_id, order_id=of.order_id)


def fall(session: Session, of: Mover, *, points_down: int, tier_down: int) -> None:
    """Take points back (0 or more of each)."""
    points.claw_back(
        session, f"refund:{of.key}", "refund", customer_id=of.customer_id, shop_id=of.shop_id, points=points_down,
        tier_points=tier_down, order_id=of.order_id,
    )  # fmt: skip


def _shop(session: Session, of: Mover, name: str) -> int:
    return ledger.account(session, "shop", of.shop_id, name)


def _forgiven(session: Session, of: Mover) -> int:
    """What of this order's points was forgiven and not yet made good."""
    moved = _moved(session, of.order_id, ("forgive", "recover"))
    return sum(amount if kind == "forgive" else -amount for _, kind, amount in moved)


def _moved(session: Session, order_id: int, kinds: tuple[str, ...]) -> list[tuple[int, str, int]]:
    """The order's transfers of some kinds, the oldest first: number, kind, amount of points."""
    t, legs = ledger.transfers.c, ledger.postings.c
    rows = session.execute(
        select(t.id, t.kind, legs.amount)
        .join(ledger.postings, legs.transfer_id == t.id)
        .where(t.order_id == order_id, t.kind.in_(kinds))
        .order_by(t.id)
    )
    return [(row.id, row.kind, row.amount) for row in rows]


def paid_with(session: Session, of: Mover, *, gone: int, whole: int) -> int:
    """Give back, of the points that paid for an order, the share of the money that went back: floor(points × `gone` ÷
    `whole`), to the lots they came from. Where less has gone back than before, they pay again. How many came back.
    """
    open_: list[tuple[int, int]] = []
    for number, kind, amount in _moved(session, of.order_id, (_PAID, _BACK)):
        left = amount
        if kind == _PAID:
            open_.append((number, amount))
            continue
        while left and open_:
            paid, standing = open_.pop()
            back = min(left, standing)
            left -= back
            if standing > back:
                open_.append((paid, standing - back))
    standing = sum(amount for _, amount in open_)
    spent = _spent(session, of)
    change = spent * gone // whole - (spent - standing) if spent else 0
    if change < 0:
        points.spend(
            session, f"pay:{of.key}", _PAID, customer_id=of.customer_id, shop_id=of.shop_id, points=-change,
            order_id=of.order_id, covered=False,
        )  # fmt: skip
    left = change
    while left > 0:
        number, amount = open_.pop()
        part = min(left, amount)
        points.give_back(session, f"pay_back:{number}:{of.key}", _BACK, number, customer_id=of.customer_id, points=part)
        left -= part
    return change


def _spent(session: Session, of: Mover) -> int:
    """The points that paid for the order when it was bought: what paid again later paid for the same."""
    again = select(ledger.transfers.c.id).where(
        ledger.transfers.c.order_id == of.order_id, ledger.transfers.c.key.like(f"pay:order:{of.order_id}:%")
    )
    repeated = set(session.execute(again).scalars())
    return sum(amount for number, _, amount in _moved(session, of.order_id, (_PAID,)) if number not in repeated)
