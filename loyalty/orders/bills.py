"""Bills: what an entry at the till would come to, before it is sold. The vouchers that are best together are found by
themselves, the customer's own and those that were shown; the cashier may leave any of them out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.customers import customers
from loyalty.orders import earning
from loyalty.orders.earning_rules import Basket
from loyalty.points import points
from loyalty.vouchers import stacking
from loyalty.vouchers.discounts import Line
from loyalty.vouchers.stacking import Best
from store.errors import InvalidError

AMOUNT_MAX = 1_000_000_000
"""đồng in one sale; more is a slip of the finger."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What a sale would come to, money in đồng. `vouchers`: those used, and why the others are not; `points_max`: how many
    points could pay.
    """

    amount: int
    vouchers: Best
    points_max: int
    points_used: int
    points_paid: int
    paid: int
    earns: int


def preview(
    session: Session,
    *,
    shop_id: int,
    staff_id: int,
    customer_id: int | None,
    amount: int,
    voucher_codes: Sequence[str] = (),
    without: Sequence[str] = (),
    voucher_part: int | None = None,
    points_to_use: int = 0,
) -> Bill:
    """What a sale would come to with the best of `voucher_codes` and the customer's own vouchers, but `without` some of
    theirs; more points than could pay are cut to those that can. A writing rule, for it counts wrong codes.
    `voucher_part`: đồng of the bill that are what the vouchers for certain items are for.

    Raises InvalidError("amount", "items", "codes"), NotFoundError, TooManyError.
    """
    checked(amount)
    owner = customers.resolve(session, customer_id) if customer_id is not None else None
    best = stacking.check_many(
        session, amount, shop_id=shop_id, actor=f"staff:{staff_id}", codes=voucher_codes, customer_id=owner,
        wallet=True, without=without, lines=lines(voucher_part),
    )  # fmt: skip
    value = programme.get(session).point_value
    available = points.balances(session, owner)[0] if owner is not None else 0
    most = max(0, min(available, (amount - best.discount) // value))
    used = max(0, min(points_to_use, most))
    paid = amount - best.discount - used * value
    earns = earning.quote(session, shop_id, owner, Basket(paid, amount, 0)).points
    return Bill(amount, best, most, used, used * value, paid, earns)


def checked(amount: int) -> None:
    """Raises InvalidError("amount") for one that no bill comes to."""
    if not 0 < amount <= AMOUNT_MAX:
        raise InvalidError("amount", "range", amount)


def lines(voucher_part: int | None) -> list[Line]:
    """What the cashier says is the vouchers' part of the bill, as a line of it."""
    return [] if voucher_part is None else [Line(voucher_part, vouched=True)]
