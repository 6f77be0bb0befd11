"""What an order does to its vouchers: those it names are used with it, and come back when it is undone."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from loyalty.vouchers import redemptions, voucher_programs, vouchers
from loyalty.vouchers.redemptions import Redemption, RedemptionState, SettledError
from loyalty.vouchers.voucher_programs import Returns
from loyalty.vouchers.vouchers import VoucherState
from store import notices
from store.clock import now
from store.errors import InvalidError, NotFoundError


def confirm(session: Session, shop_id: int, order: str, redemption_ids: Sequence[int], *, undone: bool = False) -> None:
    """Confirm the redemptions that an order names; of an order that is `undone` (in part or as a whole), those that were
    rolled back with it stay so. Raises InvalidError("redemptions") for one that isn't this order's, SettledError.
    """
    for redemption_id in sorted(set(redemption_ids)):
        try:
            found = redemptions.get(session, redemption_id, shop_id)
        except NotFoundError as error:
            raise InvalidError("redemptions", "unknown", redemption_id) from error
        if found.order != order:
            raise InvalidError("redemptions", "other_order", redemption_id)
        if found.state != RedemptionState.ROLLED_BACK:
            redemptions.confirm(session, redemption_id, shop_id=shop_id)
        elif not undone:
            _again(session, found)


def _again(session: Session, rolled_back: Redemption) -> None:
    """An order was undone by mistake and stands again: so does the use of its voucher, if nobody used it meanwhile.
    Raises SettledError, BudgetSpentError, SoldOutError.
    """
    voucher = vouchers.get(session, rolled_back.voucher_id, lock=True)
    found = redemptions.get(session, rolled_back.id, rolled_back.shop_id)
    if found.state == RedemptionState.CONFIRMED:
        return
    if not voucher.shared and voucher.state != VoucherState.OPEN:
        raise SettledError(found.state)
    held = redemptions.set_aside_anew(session, voucher_programs.get(session, voucher.program_id), found)
    redemptions.settle(session, held, RedemptionState.CONFIRMED)


def give_back(session: Session, shop_id: int, order: str, *, whole: bool, quiet: bool) -> None:
    """An order was cancelled or refunded, as a `whole` or in part: what it had reserved is free, what it used comes back
    as its programme says (`returns`). Repeatable. Who gets a voucher back is told, unless `quiet`.
    """
    for found in redemptions.of_order(session, shop_id, order):
        if found.state == RedemptionState.RESERVED:
            if whole:
                redemptions.cancel(session, found.id, shop_id=shop_id)
            continue
        voucher = vouchers.get(session, found.voucher_id)
        offer = voucher_programs.get(session, voucher.program_id)
        if offer.returns == Returns.NEVER or (not whole and offer.returns != Returns.ANY):
            continue
        redemptions.roll_back(session, found.id, shop_id=shop_id)
        ends_at = vouchers.ends(voucher, offer)
        usable = ends_at is None or ends_at > now(session)
        if usable and not quiet and voucher.customer_id is not None:
            notices.tell(
                session, "voucher_returned", customer_id=voucher.customer_id, shop_id=shop_id, program=offer.name,
                order=order, last_day=vouchers.last_day(session, voucher, offer),
            )  # fmt: skip
