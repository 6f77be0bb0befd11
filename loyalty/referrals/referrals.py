"""Referrals: a friend opens somebody's link, buys, and both are rewarded once the return window has passed.

Who brings whom is checked when the link is opened, when an order comes and when two accounts become one. A referral that is
refused waits in a queue with the reason, and the shop may allow it after all. What is paid, and taken back, is in
`referral_rewards`; what is promised, in `referral_terms`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, Text, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.customers import customers
from loyalty.referrals import referral_orders, referral_rewards, referral_terms
from loyalty.referrals.referral_orders import Friendship, counts_from
from store import events, secret, shops
from store.base import Base, BigId, UtcTime, table
from store.clock import day_began, now
from store.errors import NotFoundError

CODE_SIGNS = 8
CHAIN_MAX = 1_000
"""So far up a chain of friends is looked for a loop."""
_DUE = text("due_at IS NOT NULL")


class State(StrEnum):
    WAITING = "waiting"
    """The friend hasn't paid an order yet."""
    DUE = "due"
    """They have, and its return window runs."""
    REWARDED = "rewarded"
    REVERSED = "reversed"
    """What was rewarded was returned; a later order counts again."""
    REFUSED = "refused"


class Reason(StrEnum):
    """Why a referral is refused."""

    LOOP = "loop"
    """The friend, or somebody above them, was brought by the one who was brought."""
    KNOWN_PHONE = "known_phone"
    """Their phone was known before the link was opened."""
    KNOWN_ACCOUNT = "known_account"
    """A messenger account of theirs was known before the link was opened."""
    ORDERED_BEFORE = "ordered_before"
    TOO_MANY = "too_many"
    """The link brought more friends in a day than it may."""
    SELF = "self"
    """Both turned out to be one person."""
    TWICE = "twice"
    """The friend had come by an earlier link under another account."""
    STAFF = "staff"
    """Somebody of the shop refused it."""


FINAL = {Reason.SELF, Reason.TWICE}
"""Nobody can allow these: they would pay one person twice."""


class ReferralLink(Base):
    """A customer's own link, made the first time they ask for it."""

    __tablename__ = "referral_links"

    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), primary_key=True, autoincrement=False)
    code: Mapped[str] = mapped_column(Text, unique=True)


class ReferralRow(Base):
    """A friend who came by a link; a friend comes once."""

    __tablename__ = "referrals"
    __table_args__ = (
        Index("ix_referrals_referrer_id", "referrer_id", "state"),
        Index("ix_referrals_due", "due_at", sqlite_where=_DUE, postgresql_where=_DUE),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    referrer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    friend_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), unique=True)
    opened_at: Mapped[datetime] = mapped_column(UtcTime)
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    """Why it is, or was before somebody allowed it, refused."""
    order_id: Mapped[int | None]
    """The first order that counts."""
    settled_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """When it was first rewarded, or refused."""
    terms_id: Mapped[int | None]
    """What was promised; empty on rows from before terms were kept."""
    shop_id: Mapped[int | None]
    """Where the first order that counts was placed."""
    due_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """When it is to be looked at next."""
    counting: Mapped[bool] = mapped_column(server_default=text("true"))
    """A further order of the friend can change what it gives."""
    decided_by: Mapped[str | None] = mapped_column(Text)
    """Who looked at the refusal: `staff:4`; empty while it waits in the queue."""
    decided_at: Mapped[datetime | None] = mapped_column(UtcTime)


class Opened(StrEnum):
    """What opening a link came to."""

    WELCOME = "welcome"
    AGAIN = "again"
    OWN = "own"
    KNOWN = "known"
    """They are a customer already, so nobody brought them (unless the shop says otherwise)."""
    REVIEW = "review"
    """The shop looks at it first."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How a customer's link does: friends who came, of those rewarded, the points and vouchers they brought; `pending` have
    bought, and their return window runs.
    """

    friends: int
    rewarded: int
    points: int
    vouchers: int = 0
    pending: int = 0


links = table(ReferralLink)
referrals = table(ReferralRow)


# ── The link ───────────────────────────────────────────────────────────────────────────────────────


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


def open_link(session: Session, code: str, friend_id: int, *, known: bool = False) -> Opened:
    """A person came by a link; `known`: their messenger account had written to us before. Raises NotFoundError for an
    unknown code.
    """
    referrer_id = referrer_of(session, code)
    if referrer_id == friend_id:
        return Opened.OWN
    before = session.execute(
        select(referrals.c.state, referrals.c.reason).where(referrals.c.friend_id == friend_id)
    ).first()
    if before is not None:
        return _refused(before.reason) if before.state == State.REFUSED else Opened.AGAIN
    terms_id, terms = referral_terms.promised(session)
    # The link's row is held, so that two friends at one instant don't both come as the last of the day.
    session.execute(select(links.c.code).where(links.c.code == code.upper()).with_for_update())
    reason = _reason(session, referrer_id, friend_id, known=known)
    if reason is None and terms.daily_limit and _today(session, referrer_id) >= terms.daily_limit:
        reason = Reason.TOO_MANY
    values: dict[str, Any] = {"state": State.WAITING.value, "counting": True}
    if reason is not None:
        values = {"state": State.REFUSED.value, "counting": False, "reason": reason.value, "settled_at": now(session)}
    try:
        with session.begin_nested():
            session.execute(
                insert(referrals).values(
                    referrer_id=referrer_id, friend_id=friend_id, opened_at=now(session), terms_id=terms_id, **values
                )
            )
    except IntegrityError:
        return Opened.AGAIN
    if reason is not None:
        events.happened(session, "referral_refused", customer_id=friend_id, referrer=referrer_id, reason=reason.value)
        return _refused(reason)
    events.happened(session, "referral_opened", customer_id=friend_id, referrer=referrer_id)
    return Opened.WELCOME


def _refused(reason: str | None) -> Opened:
    return Opened.REVIEW if reason == Reason.TOO_MANY else Opened.KNOWN


def _reason(session: Session, referrer_id: int, friend_id: int, *, known: bool) -> Reason | None:
    """Why nobody brought this person, where that can be seen already."""
    from loyalty.orders.orders import orders

    if friend_id in _chain(session, referrer_id):
        return Reason.LOOP
    if session.execute(select(orders.c.id).where(orders.c.customer_id == friend_id).limit(1)).first():
        return Reason.ORDERED_BEFORE
    if known:
        return Reason.KNOWN_PHONE if customers.get(session, friend_id).phone else Reason.KNOWN_ACCOUNT
    return None


def _chain(session: Session, customer_id: int) -> Iterator[int]:
    """Who brought a customer, who brought those, and so on."""
    seen: set[int] = set()
    above: int | None = customer_id
    while len(seen) < CHAIN_MAX:
        above = session.execute(
            select(referrals.c.referrer_id).where(referrals.c.friend_id == above, referrals.c.state != State.REFUSED)
        ).scalar()
        if above is None or above in seen:
            return
        seen.add(above)
        yield above


def _today(session: Session, referrer_id: int) -> int:
    """Friends whom a link has brought on this day of the first shop's."""
    midnight = day_began(session, shops.every(session)[0].timezone)
    return int(
        session.execute(
            select(func.count()).where(
                referrals.c.referrer_id == referrer_id, referrals.c.opened_at >= midnight,
                referrals.c.state != State.REFUSED,
            )
        ).scalar_one()
    )  # fmt: skip


# ── Orders ─────────────────────────────────────────────────────────────────────────────────────────


def order_settled(session: Session, order_id: int, *, quiet: bool = False) -> None:
    """An order was completed, changed, refunded or cancelled: bring what its buyer's referral gives up to date.

    `quiet`: an import, of which nobody is told. Repeatable.
    """
    from loyalty.orders.orders import orders

    found = session.execute(
        select(referrals.c.id, referrals.c.counting)
        .join(orders, orders.c.customer_id == referrals.c.friend_id)
        .where(orders.c.id == order_id, referrals.c.state != State.REFUSED)
    ).first()
    if found is not None and (found.counting or referral_orders.tracked(session, found.id, order_id)):
        bring_up(session, found.id, quiet=quiet)


def settle_friend(session: Session, customer_id: int) -> None:
    """Bring a friend's referral up to date with all their orders (two accounts became one)."""
    found = session.execute(select(referrals.c.id).where(referrals.c.friend_id == customer_id)).scalar()
    if found is not None:
        bring_up(session, found, quiet=False)


def pay_due(session: Session, limit: int = 200) -> int:
    """Look at referrals whose time has come: a return window has ended, or something could not be given before; how many.
    For the clock.
    """
    due = session.execute(
        select(referrals.c.id)
        .where(referrals.c.due_at <= now(session))
        .order_by(referrals.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).scalars()
    numbers = due.all()
    for number in numbers:
        bring_up(session, number, quiet=False)
    return len(numbers)


def bring_up(session: Session, referral_id: int, *, quiet: bool) -> None:
    """Look at a referral again: whether it stands, and what it gives. Repeatable."""
    row = session.execute(select(referrals).where(referrals.c.id == referral_id).with_for_update()).one()
    if row.terms_id is None and row.state == State.REWARDED:
        # Paid before rewards had rows of their own.
        session.execute(update(referrals).where(referrals.c.id == row.id).values(counting=False, due_at=None))
        return
    terms_id = row.terms_id or referral_terms.promised(session)[0]
    terms = referral_terms.get(session, terms_id)
    found = Friendship(
        row.id, customers.resolve(session, row.referrer_id), customers.resolve(session, row.friend_id), row.opened_at
    )
    if row.state != State.REFUSED and found.referrer_id == found.friend_id:
        row = refuse(session, row.id, Reason.SELF)
    elif row.state in {State.WAITING, State.DUE} and not row.decided_by and _ordered_before(session, found):
        row = refuse(session, row.id, Reason.ORDERED_BEFORE)
    stands = row.state != State.REFUSED
    came = referral_rewards.bring_up(session, found, terms, stands=stands, quiet=quiet)
    values: dict[str, Any] = {"terms_id": terms_id, "due_at": came.due_at, "counting": False}
    if stands:
        state = State.REWARDED if came.given else State.DUE if came.order_id else State.WAITING
        if state is State.WAITING and row.state in {State.REWARDED, State.REVERSED}:
            state = State.REVERSED
        settled_at = row.settled_at or (now(session) if came.given else None)
        values |= {
            "state": state.value, "order_id": came.order_id or row.order_id, "shop_id": came.shop_id or row.shop_id,
            "settled_at": settled_at, "counting": state is not State.REWARDED or terms.percents,
        }  # fmt: skip
    session.execute(update(referrals).where(referrals.c.id == row.id).values(**values))


def _ordered_before(session: Session, found: Friendship) -> bool:
    from loyalty.orders.orders import Status, orders

    query = select(orders.c.id).where(
        orders.c.customer_id == found.friend_id, orders.c.placed_at < counts_from(found.opened_at),
        orders.c.status.in_((Status.COMPLETED.value, Status.REFUNDED.value)),
    )  # fmt: skip
    return session.execute(query.limit(1)).first() is not None


def refuse(session: Session, referral_id: int, reason: Reason) -> Any:
    """Refuse a referral; the reasons that nobody can lift don't wait in the queue. Its row."""
    session.execute(
        update(referrals)
        .where(referrals.c.id == referral_id)
        .values(
            state=State.REFUSED.value, reason=reason.value, settled_at=now(session), counting=False,
            decided_by="rule" if reason in FINAL else None, decided_at=now(session) if reason in FINAL else None,
        )
    )  # fmt: skip
    row = session.execute(select(referrals).where(referrals.c.id == referral_id)).one()
    events.happened(
        session, "referral_refused", customer_id=row.friend_id, referrer=row.referrer_id, reason=reason.value
    )  # fmt: skip
    return row


# ── What it came to ────────────────────────────────────────────────────────────────────────────────


def tally(session: Session, customer_id: int) -> Tally:
    """How a customer's link does; refused friends don't count."""
    counts = session.execute(
        select(referrals.c.state, func.count(referrals.c.id).label("friends"))
        .where(referrals.c.referrer_id == customer_id, referrals.c.state != State.REFUSED)
        .group_by(referrals.c.state)
    )
    rows = {row.state: row.friends for row in counts}
    w = referral_rewards.rewards.c
    points, given = session.execute(
        select(
            func.coalesce(func.sum(w.standing).filter(w.voucher_id.is_(None)), 0),
            func.coalesce(func.sum(w.standing).filter(w.voucher_id.is_not(None)), 0),
        )
        .join(referrals, referrals.c.id == w.referral_id)
        .where(referrals.c.referrer_id == customer_id, w.side == "referrer")
    ).one()
    return Tally(
        sum(rows.values()), rows.get(State.REWARDED, 0), int(points), int(given), rows.get(State.DUE, 0)
    )  # fmt: skip
