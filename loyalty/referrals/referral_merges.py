"""What becomes of referrals when two accounts become one: who brought whom is looked at again."""

from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from loyalty.customers import customers
from loyalty.referrals import referral_orders, referral_rewards
from loyalty.referrals.referral_orders import counts_from
from loyalty.referrals.referrals import Reason, State, links, referrals, refuse
from store.clock import now


def move(session: Session, from_id: int, to_id: int) -> None:
    """Carry links and referrals over in a merge. The link opened first is the one that counts; a friend whom the shop knew
    before they opened it, under the other account, was not brought. What that takes back is taken back by the clock.
    """
    r = referrals.c
    session.execute(update(referrals).where(r.referrer_id == from_id).values(referrer_id=to_id))
    own = session.execute(select(links.c.code).where(links.c.customer_id == to_id)).first()
    if own is None:
        session.execute(update(links).where(links.c.customer_id == from_id).values(customer_id=to_id))
    gone = session.execute(select(referrals).where(r.friend_id == from_id).with_for_update()).first()
    kept = session.execute(select(referrals).where(r.friend_id == to_id).with_for_update()).first()
    other = from_id
    if gone is not None and kept is None:
        session.execute(update(referrals).where(r.id == gone.id).values(friend_id=to_id))
        kept, other = gone, to_id
    elif gone is not None and kept is not None:
        if _before(gone, kept):
            _swap(session, gone, kept)
            other = to_id
        referral_orders.take_over(session, gone.id, kept.id)
        refuse(session, gone.id, Reason.TWICE)
        session.execute(update(referrals).where(r.id == gone.id).values(due_at=now(session)))
    if kept is None:
        return
    kept = session.execute(select(referrals).where(r.id == kept.id)).one()
    if kept.state == State.REFUSED or kept.decided_by:
        return
    reason = Reason.SELF if kept.referrer_id == to_id else _was_known(session, other, kept.opened_at)
    if reason is not None:
        refuse(session, kept.id, reason)
        session.execute(update(referrals).where(r.id == kept.id).values(due_at=now(session)))


def _before(one: Any, other: Any) -> bool:
    """Whether a referral counts rather than another: it was opened first, and isn't refused unless both are."""
    return (one.state == State.REFUSED, one.opened_at) < (other.state == State.REFUSED, other.opened_at)


def _was_known(session: Session, customer_id: int, opened_at: datetime) -> Reason | None:
    """Whether an account was there before a link was opened: by its phone, else by its messenger."""
    person = customers.get(session, customer_id)
    if person.joined_at >= counts_from(opened_at):
        return None
    return Reason.KNOWN_PHONE if person.phone else Reason.KNOWN_ACCOUNT


def _swap(session: Session, one: Any, other: Any) -> None:
    """Exchange all that two referrals hold but the friend, who comes once."""
    for target, source in ((one, other), (other, one)):
        values = {
            column.name: getattr(source, column.name)
            for column in referrals.c
            if column.name not in {"id", "friend_id"}
        }  # fmt: skip
        session.execute(update(referrals).where(referrals.c.id == target.id).values(**values))
    referral_rewards.swap(session, one.id, other.id)
