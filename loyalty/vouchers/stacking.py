"""Stacking: of several vouchers, those that are best together on an order.

Every subset whose members allow each other (`voucher_programs.together`) and whose programmes' limits suffice is tried, up
to CANDIDATES of them: the answer is exact. Of more, those that take off most by themselves are tried. Best is the greatest
discount; then more gifts; then fewer vouchers; then those that expire first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from loyalty import attempts
from loyalty.vouchers import discounts, reservations, voucher_programs, vouchers
from loyalty.vouchers.discounts import Basket, Line
from loyalty.vouchers.redemptions import Redemption
from loyalty.vouchers.voucher_limits import Room
from loyalty.vouchers.voucher_programs import Kind, Program, together
from loyalty.vouchers.vouchers import UnknownVoucherError, Voucher, VoucherState
from store.errors import ConflictError, InvalidError

CANDIDATES = 12
CODES_MAX = 30
FAR = 2**62


@dataclass(frozen=True, slots=True)
class Candidate:
    """A voucher that could be used on the order, were it alone; `room`: what its programme's limits have left."""

    code: str
    voucher: Voucher
    program: Program
    room: Room


@dataclass(frozen=True, slots=True)
class Use:
    """A voucher of the answer and what it takes off, in đồng."""

    code: str
    program: Program
    discount: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A voucher that is not in the answer. `reason`: as of a check (`invalid`, `min_order`, `items`, `hours`, `customer`), or
    `not_stackable` (with those in the answer), or `no_gain` (it would take nothing more off); of the customer's own also
    what else is in its way (`limit_reached`, `sold_out`, `budget_spent`, `voucher_unusable`), for there is nothing to guess.
    """

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Best:
    """The best combination, in the order in which it applies. `lines`: what comes off each line of the order; `rest`: off
    what isn't listed. All are đồng; together they are `discount`. `exact`: every combination was tried.
    """

    uses: list[Use]
    refused: list[Refused]
    discount: int
    lines: list[int]
    rest: int
    exact: bool


def check_many(
    session: Session,
    order_total: int,
    *,
    shop_id: int,
    actor: str,
    codes: Sequence[str] = (),
    customer_id: int | None = None,
    newcomer: bool = False,
    wallet: bool = False,
    without: Sequence[str] = (),
    lines: Sequence[Line] = (),
) -> Best:
    """The best that some codes, and the customer's own vouchers (`wallet`, but those `without`), give together. Nothing is
    held. A writing rule, for it counts wrong codes of `actor`.

    Raises TooManyError, InvalidError("codes", "order_total", "items").
    """
    if codes:
        attempts.guard(session, actor)
    order = reservations.order_of(order_total, lines)
    given = list(dict.fromkeys(vouchers.folded(code) for code in codes))
    if len(given) > CODES_MAX:
        raise InvalidError("codes", "length", len(given))
    named = set(given)
    if wallet and customer_id is not None:
        own = vouchers.wallet(session, customer_id, shop_id=shop_id)
        left_out = {vouchers.folded(code) for code in without}
        open_ones = [kept.voucher.code for kept in own if kept.voucher.state == VoucherState.OPEN]
        given += [code for code in open_ones if code not in left_out]
    candidates, refused = [], []
    for code in dict.fromkeys(given):
        try:
            voucher, offer = reservations.judge(
                session, vouchers.by_code(session, code), order, shop_id, customer_id, newcomer=newcomer
            )  # fmt: skip
        except reservations.ORDER_LACKS as error:
            refused.append(Refused(code, error.code))
        except (UnknownVoucherError, ConflictError) as error:
            if code in named:
                attempts.wrong(session, actor)
            refused.append(Refused(code, "invalid" if code in named else error.code))
        else:
            candidates.append(Candidate(code, voucher, offer, reservations.room(session, offer)))
    return best(candidates, order, refused)


def best(candidates: Sequence[Candidate], order: Basket, refused: Sequence[Refused] = ()) -> Best:
    """The best combination of some vouchers, each of which could be used by itself. Pure arithmetic."""
    exact = len(candidates) <= CANDIDATES
    by_worth = sorted(candidates, key=lambda one: (-discounts.alone(one.program, order), _until(one)))
    tried = sorted(by_worth[:CANDIDATES], key=lambda one: (discounts.place(one.program), _until(one)))
    found = _search(tried, order)
    off, left = discounts.stack([one.program for one in found], order)
    uses = [Use(one.code, one.program, taken) for one, taken in zip(found, off, strict=True)]
    others = [
        Refused(one.code, "no_gain" if all(together(one.program, used.program) for used in found) else "not_stackable")
        for one in candidates
        if one not in found
    ]
    by_line = discounts.less(order.amounts, left)
    return Best(uses, [*refused, *others], sum(off), by_line[:-1], by_line[-1], exact)


def _until(one: Candidate) -> int:
    ends_at = vouchers.ends(one.voucher, one.program)
    return FAR if ends_at is None else int(ends_at.timestamp())


def _search(tried: Sequence[Candidate], order: Basket) -> list[Candidate]:
    """The best subset, found by going through all of them in the order in which vouchers apply."""
    top: tuple[tuple[int, int, int, list[int]], list[Candidate]] = ((0, 0, 0, []), [])

    def go(at: int, chosen: list[Candidate], left: Sequence[int], off: int, gifts: int, spent: dict[int, int]) -> None:
        nonlocal top
        if at == len(tried):
            worth = (off, gifts, -len(chosen), [-_until(one) for one in chosen])
            if worth > top[0]:
                top = (worth, list(chosen))
            return
        one = tried[at]
        if all(together(one.program, other.program) for other in chosen):
            taken = discounts.takes(one.program, order, left)
            mine = sum(taken)
            cost = spent.get(one.program.id, 0) + voucher_programs.cost(one.program, mine)
            if one.room.budget is None or cost <= one.room.budget:
                gift = one.program.kind == Kind.GIFT
                go(
                    at + 1, [*chosen, one], discounts.less(left, taken), off + mine, gifts + gift,
                    {**spent, one.program.id: cost},
                )  # fmt: skip
        go(at + 1, chosen, left, off, gifts, spent)

    go(0, [], order.amounts, 0, 0, {})
    return top[1]


def reserve_many(
    session: Session,
    codes: Sequence[str],
    *,
    shop_id: int,
    order: str,
    order_total: int,
    actor: str,
    customer_id: int | None = None,
    lines: Sequence[Line] = (),
) -> list[Redemption] | UnknownVoucherError:
    """Hold several vouchers for an order, all or none, in the order in which they apply. As `reservations.reserve`: a code
    that isn't there is returned, for it was counted; then none is held.
    """
    attempts.guard(session, actor)
    try:
        # A savepoint: one of them that isn't there any more leaves none held.
        with session.begin_nested():
            return hold_many(
                session,
                codes,
                shop_id=shop_id,
                order=order,
                order_total=order_total,
                customer_id=customer_id,
                lines=lines,
            )
    except UnknownVoucherError as refused:
        attempts.wrong(session, actor)
        return refused


def hold_many(
    session: Session,
    codes: Sequence[str],
    *,
    shop_id: int,
    order: str,
    order_total: int,
    customer_id: int | None = None,
    lines: Sequence[Line] = (),
) -> list[Redemption]:
    """`reserve_many` without counting wrong codes, which it raises as UnknownVoucherError: for a rule that counts itself."""
    given = list(dict.fromkeys(vouchers.folded(code) for code in codes))
    if not 1 <= len(given) <= CODES_MAX:
        raise InvalidError("codes", "length", len(given))
    places: dict[str, tuple[tuple[int, int], int]] = {}
    for code in given:
        voucher = vouchers.by_code(session, code)
        offer = vouchers.offer_for(session, voucher, shop_id, customer_id)
        assert voucher is not None
        places[code] = discounts.place(offer), _until(Candidate(code, voucher, offer, Room()))
    # Rows are locked in one order whichever way two tills name the same codes.
    for code in sorted(given):
        vouchers.by_code(session, code, lock=True)
    return [
        reservations.hold(
            session, code, shop_id=shop_id, order=order, order_total=order_total, customer_id=customer_id, lines=lines
        )
        for code in sorted(given, key=places.__getitem__)
    ]
