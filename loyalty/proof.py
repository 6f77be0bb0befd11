"""The proof of the whole store: every floor's `check`, in the order in which a fault is best looked for."""

from collections.abc import Callable

from sqlalchemy.orm import Session

from loyalty import holds, ledger, points, redemptions, referral_rewards, vouchers
from loyalty.ledger import Fault

PROOFS: tuple[Callable[[Session], list[Fault]], ...] = (
    ledger.check,
    points.check,
    holds.check,
    vouchers.check,
    redemptions.check_states,
    redemptions.check_limits,
    referral_rewards.check,
)


def faults(session: Session) -> list[Fault]:
    """What is wrong in the books, by all proofs; none when all is sound."""
    return [fault for proof in PROOFS for fault in proof(session)]
