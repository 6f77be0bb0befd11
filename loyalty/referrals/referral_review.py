"""The shop's say on referrals: what the rules refused can be allowed, and what they took can be refused."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from loyalty.customers import customers
from loyalty.referrals.referrals import FINAL, Reason, State, bring_up, referrals
from store import notices
from store.clock import now
from store.errors import ConflictError, NotFoundError


class UndecidableError(ConflictError):
    """Nobody can allow this referral."""

    code = "referral_final"


@dataclass(frozen=True, slots=True)
class Referral:
    """A referral as a page needs it."""

    id: int
    referrer_id: int
    friend_id: int
    state: str
    reason: str | None


def get(session: Session, referral_id: int) -> Referral:
    """A referral; raises NotFoundError."""
    c = referrals.c
    row = session.execute(
        select(c.id, c.referrer_id, c.friend_id, c.state, c.reason).where(c.id == referral_id)
    ).first()
    if row is None:
        raise NotFoundError("referral", referral_id)
    return Referral(*row)


def decide(session: Session, referral_id: int, *, allow: bool, actor: str) -> bool:
    """Somebody of the shop allows a refused referral, or refuses one for good (taking back what it gave); whether that
    changed anything. Raises NotFoundError, UndecidableError.
    """
    row = session.execute(select(referrals).where(referrals.c.id == referral_id).with_for_update()).first()
    if row is None:
        raise NotFoundError("referral", referral_id)
    if allow == (row.state != State.REFUSED) and (allow or row.decided_by):
        return False
    if allow and row.reason in FINAL:
        raise UndecidableError(row.reason)
    values: dict[str, Any] = {"decided_by": actor, "decided_at": now(session)}
    if allow:
        values |= {"state": State.WAITING.value, "settled_at": None}
    elif row.state != State.REFUSED:
        values |= {"state": State.REFUSED.value, "reason": Reason.STAFF.value, "settled_at": now(session)}
    session.execute(update(referrals).where(referrals.c.id == referral_id).values(**values))
    bring_up(session, referral_id, quiet=False)
    if allow and row.reason != Reason.STAFF:
        notices.tell(session, "referral_allowed", customer_id=customers.resolve(session, row.friend_id))
    return True
