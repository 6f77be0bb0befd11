"""The proof of the whole store: every noun's `check`, in the order in which a fault is best looked for."""

from collections.abc import Callable

from sqlalchemy.orm import Session

from loyalty import recognition, shifts
from loyalty.orders import order_book
from loyalty.points import adjustments, gifts, holds, ledger, lots, points, seals
from loyalty.points.ledger import Fault
from loyalty.referrals import referral_rewards
from loyalty.tiers import tier_review
from loyalty.vouchers import batches, redemptions, rewards, voucher_gifts, voucher_programs, vouchers

PROOFS: tuple[Callable[[Session], list[Fault]], ...] = (
    ledger.check,
    ledger.check_accounts,
    points.check,
    lots.check,
    holds.check,
    order_book.check,
    gifts.check,
    adjustments.check,
    tier_review.check,
    vouchers.check,
    rewards.check,
    redemptions.check_states,
    redemptions.check_limits,
    voucher_programs.check,
    voucher_gifts.check,
    batches.check,
    shifts.check,
    referral_rewards.check,
    *recognition.PROOFS,
)


def books(session: Session) -> list[Fault]:
    """What is wrong in the books but for their hashes."""
    return [fault for proof in PROOFS for fault in proof(session)]


PARTS: tuple[Callable[[Session], list[Fault]], ...] = (books, seals.check)
"""The whole proof in two parts that take about as long. Each proves the state it finds by itself, so both may be read at once."""


def faults(session: Session) -> list[Fault]:
    """What is wrong in the books, by all proofs; none when all is sound."""
    return [fault for part in PARTS for fault in part(session)]
