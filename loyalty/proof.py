"""The proof of the whole store: every floor's `check`, in the order in which a fault is best looked for."""

from collections.abc import Callable

from sqlalchemy.orm import Session

from loyalty import batches, holds, ledger, points, recognition, redemptions, referral_rewards, voucher_gifts, vouchers
from loyalty.ledger import Fault

PROOFS: tuple[Callable[[Session], list[Fault]], ...] = (
    ledger.check,
    points.check,
    holds.check,
    vouchers.check,
    redemptions.check_states,
    redemptions.check_limits,
    voucher_gifts.check,
    batches.check,
    referral_rewards.check,
    *recognition.PROOFS,
)


def faults(session: Session) -> list[Fault]:
    """What is wrong in the books, by all proofs; none when all is sound."""
    return [fault for proof in PROOFS for fault in proof(session)]
