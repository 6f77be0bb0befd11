"""Referrals: a friend opens somebody's link, and at the friend's first completed order after that both get points."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, Text, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty import customers, points, programme
from store import events, notices, secret, shops
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import NotFoundError

CODE_SIGNS = 8


class ReferralLink(Base):
    """A customer's own link, made the first time they ask for it."""

    __tablename__ = "referral_links"

    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), primary_key=True, autoincrement=False)
    code: Mapped[str] = mapped_column(Text, unique=True)


class ReferralRow(Base):
    """A friend who came by a link; a friend comes once. `state`: waiting, rewarded, refused."""

    __tablename__ = "referrals"
    __table_args__ = (Index("ix_referrals_referrer_id", "referrer_id", "state"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    referrer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    friend_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), unique=True)
    opened_at: Mapped[datetime] = mapped_column(UtcTime)
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    order_id: Mapped[int | None]
    settled_at: Mapped[datetime | None] = mapped_column(UtcTime)


class Opened(StrEnum):
    """What opening a link came to."""

    WELCOME = "welcome"
    AGAIN = "again"
    OWN = "own"
    KNOWN = "known"
    """They are a customer already, so nobody brought them."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How a customer's link does: friends who came, of those rewarded, and the points they brought."""

    friends: int
    rewarded: int
    points: int


links = table(ReferralLink)
referrals = table(ReferralRow)


def code_of(session: Session, customer_id: int) -> str:
    """A customer's referral code, made at the first call."""
    known = session.execute(select(links.c.code).where(links.c.customer_id == customer_id)).scalar()
    if known is not None:
        return str(known)
    code = secret.code(CODE_SIGNS)
    try:
        with session.begin_nested():
            session.execute(insert(links).values(customer_id=customer_id, code=code))
    except IntegrityError:
        # Two taps at one instant on two replicas: the other one's code stands.
        return str(session.execute(select(links.c.code).where(links.c.customer_id == customer_id)).scalar_one())
    return code


def referrer_of(session: Session, code: str) -> int:
    """Whose link a code is; raises NotFoundError."""
    found = session.execute(select(links.c.customer_id).where(links.c.code == code.upper())).scalar()
    if found is None:
        raise NotFoundError("referral", code)
    return customers.resolve(session, found)


def open_link(session: Session, code: str, friend_id: int) -> Opened:
    """A person came by a link. Raises NotFoundError for an unknown code."""
    from loyalty import orders

    referrer_id = referrer_of(session, code)
    if referrer_id == friend_id:
        return Opened.OWN
    if session.execute(select(referrals.c.id).where(referrals.c.friend_id == friend_id)).first():
        return Opened.AGAIN
    bought = session.execute(
        select(orders.orders.c.id).where(orders.orders.c.customer_id == friend_id).limit(1)
    ).first()
    brought = session.execute(
        select(referrals.c.id).where(referrals.c.referrer_id == friend_id, referrals.c.friend_id == referrer_id)
    ).first()
    if bought or brought:
        return Opened.KNOWN
    session.execute(
        insert(referrals).values(referrer_id=referrer_id, friend_id=friend_id, opened_at=now(session), state="waiting")
    )
    events.happened(session, "referral_opened", customer_id=friend_id, referrer=referrer_id)
    return Opened.WELCOME


def order_settled(session: Session, friend_id: int, *, quiet: bool = False) -> None:
    """An order of this customer was completed or changed: reward the referral that waited for it, once.

    An order placed before the link was opened shows that nobody brought them: the referral is refused. Times are compared
    by the second, for an order's may have been cut to it.
    """
    from loyalty.orders import Status, orders

    waiting = session.execute(
        select(referrals.c.id, referrals.c.referrer_id, referrals.c.opened_at)
        .where(referrals.c.friend_id == friend_id, referrals.c.state == "waiting")
        .with_for_update()
    ).first()
    if waiting is None:
        return
    opened_at = waiting.opened_at.replace(microsecond=0)
    first = session.execute(
        select(orders.c.id, orders.c.shop_id, orders.c.placed_at)
        .where(orders.c.customer_id == friend_id, orders.c.status == Status.COMPLETED.value)
        .order_by(orders.c.placed_at, orders.c.id)
        .limit(1)
    ).first()
    if first is None:
        return
    referrer_id = customers.resolve(session, waiting.referrer_id)
    refusal = "ordered_before" if first.placed_at < opened_at else "self" if referrer_id == friend_id else None
    session.execute(
        update(referrals)
        .where(referrals.c.id == waiting.id)
        .values(state="refused" if refusal else "rewarded", reason=refusal, order_id=first.id, settled_at=now(session))
    )
    if refusal:
        return
    reward = programme.get(session).referral_points
    shop = shops.get(session, first.shop_id)
    expires_at = programme.expires_at(now(session), programme.get(session).expiry_months, shop.timezone)
    for side, customer_id in (("referrer", referrer_id), ("friend", friend_id)):
        if not reward:
            break
        points.earn(
            session, f"referral:{waiting.id}:{side}", "referral", customer_id=customer_id, shop_id=shop.id,
            points=reward, expires_at=expires_at,
        )  # fmt: skip
        if not quiet:
            notices.tell(
                session, f"referral_{side}", customer_id=customer_id, shop_id=shop.id, points=reward,
                friend=customers.get(session, friend_id).name, shop=shop.name,
            )  # fmt: skip
    events.happened(session, "referral_rewarded", customer_id=referrer_id, shop_id=shop.id, friend=friend_id)


def tally(session: Session, customer_id: int) -> Tally:
    """How a customer's link does."""
    counts = session.execute(
        select(referrals.c.state, func.count(referrals.c.id))
        .where(referrals.c.referrer_id == customer_id)
        .group_by(referrals.c.state)
    )
    rows = {str(state): int(count) for state, count in counts}
    rewarded = rows.get("rewarded", 0)
    earned = _earned(session, customer_id)
    return Tally(sum(rows.values()), rewarded, earned)


def _earned(session: Session, customer_id: int) -> int:
    from loyalty import ledger

    available = ledger.account(session, "customer", customer_id, "available")
    return int(
        session.execute(
            select(func.coalesce(func.sum(ledger.postings.c.amount), 0))
            .join(ledger.transfers, ledger.transfers.c.id == ledger.postings.c.transfer_id)
            .where(
                ledger.postings.c.target_id == available, ledger.transfers.c.kind == "referral",
                ledger.transfers.c.key.like("referral:%:referrer"),
            )
        ).scalar_one()
    )  # fmt: skip
