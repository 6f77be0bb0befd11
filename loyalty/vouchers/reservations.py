"""Reservations: what a code gives on an order, and holding it for one.

Two vouchers on an order take no more off it than it comes to; which may be together their programmes say. Each is worked
out as if it had come in its place (see discounts): those that apply before it have taken theirs. What was promised to an
earlier reservation stands.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from loyalty import attempts
from loyalty.customers import customers
from loyalty.orders.order_lines import spread
from loyalty.points import ledger
from loyalty.vouchers import discounts, voucher_limits, voucher_programs, vouchers
from loyalty.vouchers.discounts import Basket, HoursError, ItemsError, Line
from loyalty.vouchers.redemptions import (
    FIELDS,
    HOLDS_FOR,
    LIVE,
    Redemption,
    RedemptionState,
    is_over,
    live,
    of_order,
    put_back,
    redemptions,
    set_aside,
    settle,
)
from loyalty.vouchers.voucher_limits import BudgetSpentError
from loyalty.vouchers.voucher_programs import MONEY_MAX, MinOrderError, Program
from loyalty.vouchers.vouchers import (
    LimitError,
    SoldOutError,
    UnknownVoucherError,
    UnusableVoucherError,
    Voucher,
    VoucherState,
)
from store import shops
from store.clock import day_began, now
from store.errors import ConflictError, InvalidError

EXTERNAL_ID_CHARS_MAX = 100
NOBODY = 0
"""Stands for a customer who isn't known yet, and has used nothing."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a code comes to on an order: `discount` in đồng; `reason` is `invalid` whatever is wrong with the code, or what
    the order lacks for a right one: `min_order`, `items`, `hours`, `customer` (a code that is limited per customer).
    """

    valid: bool
    discount: int
    reason: str | None


class NotStackableError(ConflictError):
    """Another voucher on the order and this one can't be together."""

    code = "not_stackable"


class CustomerNeededError(ConflictError):
    """The code is limited per customer, and nobody was named."""

    code = "customer"


ORDER_LACKS = (MinOrderError, ItemsError, HoursError, CustomerNeededError)
"""What a right code is refused for, and the bearer can mend."""


# ── What a code gives ──────────────────────────────────────────────────────────────────────────────


def check(
    session: Session,
    code: str,
    order_total: int,
    *,
    shop_id: int,
    actor: str,
    customer_id: int | None = None,
    newcomer: bool = False,
    lines: Sequence[Line] = (),
) -> Checked:
    """What a code would give on an order. A writing rule, for it counts wrong codes of `actor` (`key:2`, `staff:4`).
    `newcomer`: a customer is meant who isn't known yet.

    Raises TooManyError, InvalidError("order_total", "items").
    """
    attempts.guard(session, actor)
    order = order_of(order_total, lines)
    try:
        _, offer = judge(session, vouchers.by_code(session, code), order, shop_id, customer_id, newcomer=newcomer)
    except ORDER_LACKS as error:
        return Checked(valid=False, discount=0, reason=error.code)
    except (UnknownVoucherError, ConflictError):
        attempts.wrong(session, actor)
        return Checked(valid=False, discount=0, reason="invalid")
    return Checked(valid=True, discount=discounts.alone(offer, order), reason=None)


def judge(
    session: Session,
    voucher: Voucher | None,
    order: Basket,
    shop_id: int,
    customer_id: int | None,
    *,
    newcomer: bool = False,
) -> tuple[Voucher, Program]:
    """A voucher that could be used on an order now, were it alone, and its programme.

    Raises UnknownVoucherError; UnusableVoucherError, LimitError, SoldOutError, BudgetSpentError (it can't be used now);
    MinOrderError, HoursError, ItemsError, CustomerNeededError (the order lacks something).
    """
    offer = vouchers.offer_for(session, voucher, shop_id, customer_id)
    assert voucher is not None
    held = live(session, voucher) if not voucher.shared else None
    if held is not None and not is_over(session, held):
        raise UnusableVoucherError("used or held by another order")
    owner = voucher.customer_id if customer_id is None else customers.resolve(session, customer_id)
    within(session, offer, NOBODY if newcomer else owner, shop_id)
    discounts.meets(offer, order, now(session), shops.get(session, shop_id).timezone)
    left = room(session, offer)
    if left.uses == 0:
        raise SoldOutError(f"program {offer.id}")
    if left.budget is not None and voucher_programs.cost(offer, discounts.alone(offer, order)) > left.budget:
        raise BudgetSpentError(f"program {offer.id}")
    return voucher, offer


def room(session: Session, offer: Program) -> voucher_limits.Room:
    """What is left of an offer's limits, what reservations held whose time is over counted in."""
    left = voucher_limits.room(
        session, offer.id, budget=offer.budget is not None, uses=offer.shared and offer.stock is not None
    )
    if left.budget is None and left.uses is None:
        return left
    r = redemptions.c
    over = session.execute(
        select(r.discount, r.budget_hold, r.stock_hold)
        .join(vouchers.vouchers, vouchers.vouchers.c.id == r.voucher_id)
        .where(
            vouchers.vouchers.c.program_id == offer.id, r.state == RedemptionState.RESERVED.value,
            r.expires_at <= now(session),
        )
    ).all()  # fmt: skip
    budget = sum(voucher_programs.cost(offer, row.discount) for row in over if row.budget_hold is not None)
    uses = sum(row.stock_hold is not None for row in over)
    return voucher_limits.Room(
        None if left.budget is None else left.budget + budget, None if left.uses is None else left.uses + uses
    )


def within(session: Session, offer: Program, customer_id: int | None, shop_id: int, but: int | None = None) -> None:
    """Whether one more use keeps within the programme's limits of a day and of a customer, redemption `but` not counted.

    True until the end of the work where the programme's row is locked. Raises LimitError, CustomerNeededError.
    """
    each = offer.per_customer if offer.shared else None
    if each is None and offer.per_day is None and offer.per_customer_day is None:
        return
    if customer_id is None and (each is not None or offer.per_customer_day is not None):
        raise CustomerNeededError(f"program {offer.id}")
    midnight = day_began(session, shops.get(session, shop_id).timezone)
    r = redemptions.c
    counted = (
        select(func.count())
        .select_from(redemptions.join(vouchers.vouchers, vouchers.vouchers.c.id == r.voucher_id))
        .where(
            vouchers.vouchers.c.program_id == offer.id, r.state.in_(LIVE),
            (r.state == RedemptionState.CONFIRMED.value) | (r.expires_at > now(session)),
        )
    )  # fmt: skip
    if but is not None:
        counted = counted.where(r.id != but)
    own = counted.where(r.customer_id == customer_id)
    for most, uses in (
        (each, own),
        (offer.per_customer_day, own.where(r.at >= midnight)),
        (offer.per_day, counted.where(r.at >= midnight)),
    ):
        if most is not None and session.execute(uses).scalar_one() >= most:
            raise LimitError(f"program {offer.id}")


# ── Reserve ────────────────────────────────────────────────────────────────────────────────────────


def reserve(
    session: Session,
    code: str,
    *,
    shop_id: int,
    order: str,
    order_total: int,
    actor: str,
    customer_id: int | None = None,
    lines: Sequence[Line] = (),
) -> Redemption | UnknownVoucherError:
    """Hold a voucher for an order, 15 minutes long. The same order again gets the same reservation, its discount worked
    out anew where the total or the lines have changed.

    A code that isn't there is returned, not raised, for it was counted and the count must stay. Raises what `judge` does,
    NotStackableError, TooManyError, InvalidError("order", "order_total", "items").
    """
    attempts.guard(session, actor)
    try:
        return hold(
            session, code, shop_id=shop_id, order=order, order_total=order_total, customer_id=customer_id, lines=lines
        )
    except UnknownVoucherError as refused:
        attempts.wrong(session, actor)
        return refused


def hold(
    session: Session,
    code: str,
    *,
    shop_id: int,
    order: str,
    order_total: int,
    customer_id: int | None = None,
    lines: Sequence[Line] = (),
) -> Redemption:
    """`reserve` without counting wrong codes, which it raises as UnknownVoucherError: for a rule that counts itself."""
    bill = order_of(order_total, lines)
    if not order.strip() or len(order) > EXTERNAL_ID_CHARS_MAX:
        raise InvalidError("order", "length", order)
    voucher = vouchers.by_code(session, code, lock=True)
    known = live(session, voucher, shop_id, order) if voucher is not None else None
    if known is not None and is_over(session, known):
        settle(session, known, RedemptionState.LAPSED)
        known = None
    mine = known is not None and (known.shop_id, known.order) == (shop_id, order)
    if known is not None and mine and (known.order_total, known.lines) == (order_total, _hash(lines)):
        return known
    offer = vouchers.offer_for(session, voucher, shop_id, customer_id)
    assert voucher is not None
    if known is not None and (not mine or known.state == RedemptionState.CONFIRMED):
        raise UnusableVoucherError("used or held by another order")
    _lock_order(session, shop_id, order)
    owner = voucher.customer_id if customer_id is None else customers.resolve(session, customer_id)
    if offer.per_day is not None or offer.per_customer_day is not None or offer.shared:
        voucher_programs.get(session, offer.id, lock=True)
    within(session, offer, owner, shop_id, known.id if known else None)
    discounts.meets(offer, bill, now(session), shops.get(session, shop_id).timezone)
    off = _beside_others(session, offer, bill, shop_id, order, known)
    if known is None:
        row = session.execute(
            insert(redemptions)
            .values(
                voucher_id=voucher.id, shop_id=shop_id, order=order, customer_id=owner, order_total=order_total,
                discount=off, state=RedemptionState.RESERVED.value, at=now(session), shared=voucher.shared,
                expires_at=now(session) + HOLDS_FOR, lines=_hash(lines), turn=1,
            )
            .returning(*FIELDS)
        ).one()  # fmt: skip
        if not voucher.shared:
            vouchers.mark(session, voucher.id, VoucherState.HELD)
        return set_aside(session, offer, Redemption(*row))
    put_back(session, known)
    row = session.execute(
        update(redemptions)
        .where(redemptions.c.id == known.id)
        .values(
            order_total=order_total, discount=off, lines=_hash(lines), turn=known.turn + 1, budget_hold=None,
            stock_hold=None,
        )
        .returning(*FIELDS)
    ).one()  # fmt: skip
    return set_aside(session, offer, Redemption(*row))


def order_of(order_total: int, lines: Sequence[Line] = ()) -> Basket:
    """An order to be judged; raises InvalidError("order_total", "items")."""
    if not 0 <= order_total <= MONEY_MAX:
        raise InvalidError("order_total", "range", order_total)
    return discounts.basket(order_total, lines)


def _hash(lines: Sequence[Line]) -> str | None:
    return ledger.seal("lines", [asdict(line) for line in lines]) if lines else None


def _beside_others(
    session: Session, offer: Program, bill: Basket, shop_id: int, order: str, known: Redemption | None
) -> int:
    """What a voucher takes off an order beside those that it has already. Raises NotStackableError."""
    others = [
        (voucher_programs.get(session, vouchers.get(session, other.voucher_id).program_id), other)
        for other in of_order(session, shop_id, order)
        if known is None or other.id != known.id
    ]
    left = bill.amounts
    for beside, other in sorted(others, key=lambda pair: discounts.place(pair[0])):
        if not voucher_programs.together(offer, beside):
            raise NotStackableError(f"programs {offer.id} and {beside.id}")
        if discounts.place(beside) > discounts.place(offer):
            continue
        # What it took stands; from which lines, as nearly as it can be told.
        weights = discounts.takes(beside, bill, left) if beside.items or beside.categories else left
        left = discounts.less(left, spread(min(other.discount, sum(weights)), weights))
    total = bill.total - sum(other.discount for _, other in others)
    return max(0, min(sum(discounts.takes(offer, bill, left)), total))


def _lock_order(session: Session, shop_id: int, order: str) -> None:
    """Let one work at a time reserve for an order: two vouchers together take no more off it than it comes to."""
    if session.get_bind().dialect.name == "postgresql":
        number = int.from_bytes(hashlib.sha256(f"{shop_id}:{order}".encode()).digest()[:8], "big", signed=True)
        session.execute(select(func.pg_advisory_xact_lock(number)))
