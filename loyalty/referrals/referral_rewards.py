"""What referrals pay: a function of the friend's orders as they stand, brought up to date at every change of one of them.

Which orders count, and when, says `referral_orders`: one gives when its return window has passed. A fixed reward and a
voucher stand as long as one order that counts has passed its window; a percentage is given for each of the first n orders
that count:

    points = floor(paid × percent / 100 / point_value)

with `paid` in đồng after refunds and `point_value` the đồng that 1 point paid when the order was first seen. Whatever number
and order of refunds, what stands is what this gives for what stays paid. A voucher that was used stays used.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ForeignKey, Text, UniqueConstraint, func, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty import programme
from loyalty.customers import customers
from loyalty.points import ledger, points
from loyalty.referrals import referral_orders
from loyalty.referrals.referral_orders import Counted, Friendship
from loyalty.referrals.referral_terms import Reward, RewardKind, Terms
from loyalty.vouchers import voucher_programs, vouchers
from loyalty.vouchers.vouchers import VoucherState
from store import events, notices, shops
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import RuleError

SIDES = ("referrer", "friend")
WHOLE = 0
"""`of_order` of a reward that is given for the friend, not for one of their orders."""
RETRY = timedelta(hours=1)
"""When a reward that could not be given (no stock, an empty wallet), or not be withdrawn yet, is tried again."""


class ReferralReward(Base):
    """What one side was given, and what of it stands."""

    __tablename__ = "referral_rewards"
    __table_args__ = (UniqueConstraint("referral_id", "side", "of_order"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    referral_id: Mapped[int] = mapped_column(ForeignKey("referrals.id"))
    side: Mapped[str] = mapped_column(Text)
    of_order: Mapped[int]
    """The order it is a percentage of; 0: given once, for the friend."""
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    """Whose wallet gave it."""
    standing: Mapped[int]
    """Points that stand; of a voucher 1 or 0."""
    voucher_id: Mapped[int | None] = mapped_column(ForeignKey("vouchers.id"))
    version: Mapped[int]
    """Rises with every change; it is in the keys of its transfers and vouchers."""
    blocked: Mapped[str | None] = mapped_column(Text)
    """Why it could not be given yet: the code of the refusal."""
    changed_at: Mapped[datetime] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a referral stands. `given`: an order has passed its window; `order_id` the first that counts; `due_at`: when to
    look again.
    """

    given: bool
    order_id: int | None
    shop_id: int | None
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Want:
    """What should stand of one reward."""

    side: str
    of_order: int
    amount: int
    order: Counted | None


rewards = table(ReferralReward)


def share(paid: int, percent: int, point_value: int) -> int:
    """Points for a percentage of what was paid: floor(paid × percent / 100 / point_value)."""
    return paid * percent // (100 * point_value)


def bring_up(session: Session, found: Friendship, terms: Terms, *, stands: bool, quiet: bool) -> Outcome:
    """Bring both sides' rewards to what they should be now; nothing where the referral doesn't `stand`. The referral's row
    is locked by the caller. What can't be given now never fails the order that caused it: it is kept and tried again.
    """
    moment = now(session)
    first, every = referral_orders.counted(session, found, terms.orders) if stands else ([], [])
    passed = next((order for order in every if order.due_at <= moment), None)
    later = False
    for want in _wants(session, found, terms, first, passed, moment):
        reward = terms.of(want.side)
        silent = quiet or (want.order is not None and want.order.imported)
        later |= not _settle(session, found, reward, want, refused=not stands, quiet=silent)
    coming = [order.due_at for order in every if order.due_at > moment] + ([moment + RETRY] if later else [])
    begins = passed or (every[0] if every else None)
    return Outcome(
        passed is not None, begins.id if begins else None, begins.shop_id if begins else None, min(coming, default=None)
    )


def swap(session: Session, one: int, other: int) -> None:
    """Exchange what two referrals have given (a merge found that the other came first)."""
    r = rewards.c
    given = session.execute(select(r.id).where(r.referral_id == one)).scalars().all()
    # Both may have a reward of the same name: one side's stand below 0 while they pass.
    aside = {"of_order": -1 - r.of_order}
    session.execute(update(rewards).where(r.id.in_(given)).values(**aside))
    session.execute(update(rewards).where(r.referral_id == other).values(referral_id=one))
    session.execute(update(rewards).where(r.id.in_(given)).values(referral_id=other, **aside))


def _wants(
    session: Session,
    found: Friendship,
    terms: Terms,
    first: list[Counted],
    passed: Counted | None,
    moment: datetime,
) -> Iterator[_Want]:
    """What should stand of every reward that was given or is to be."""
    known = session.execute(select(rewards.c.side, rewards.c.of_order).where(rewards.c.referral_id == found.id)).all()
    for side in SIDES:
        reward = terms.of(side)
        orders = first[: reward.orders] if reward.kind is RewardKind.PERCENT else []
        named = {order.id: order for order in orders}
        if reward.kind is not RewardKind.PERCENT:
            amount = reward.points if reward.kind is RewardKind.POINTS else 1
            yield _Want(side, WHOLE, amount if passed else 0, passed)
        for order in orders:
            ripe = order.due_at <= moment
            yield _Want(
                side, order.id, share(order.paid, reward.percent, order.point_value) if ripe else 0, order
            )  # fmt: skip
        for row in known:
            if row.side == side and row.of_order != WHOLE and row.of_order not in named:
                yield _Want(side, row.of_order, 0, None)


def _settle(session: Session, found: Friendship, reward: Reward, want: _Want, *, refused: bool, quiet: bool) -> bool:
    """Give or take back the difference; False where it is to be tried again."""
    r = rewards.c
    where = (r.referral_id == found.id, r.side == want.side, r.of_order == want.of_order)
    row = session.execute(select(rewards).where(*where)).first()
    if (row.standing if row else 0) == want.amount:
        return True
    if row is None:
        assert want.order is not None
        session.execute(
            insert(rewards).values(
                referral_id=found.id, side=want.side, of_order=want.of_order, shop_id=want.order.shop_id, standing=0,
                voucher_id=None, version=0, blocked=None, changed_at=now(session),
            )
        )  # fmt: skip
        row = session.execute(select(rewards).where(*where)).one()
    customer_id = found.referrer_id if want.side == "referrer" else found.friend_id
    change = _Change(session, found, row, customer_id, want, refused=refused, quiet=quiet)
    if reward.kind is RewardKind.VOUCHER:
        return change.give_voucher(reward) if want.amount else change.withdraw()
    return change.give_points() if want.amount > row.standing else change.take_points()


class _Change:
    """One change of one reward: its transfer or voucher, what is written of it and who is told."""

    def __init__(
        self,
        session: Session,
        found: Friendship,
        row: Any,
        customer_id: int,
        want: _Want,
        *,
        refused: bool,
        quiet: bool,
    ) -> None:
        self.session, self.found, self.row, self.want = session, found, row, want
        self.refused, self.quiet = refused, quiet
        self.customer_id = customer_id
        self.key = f"referral:{row.id}:{row.version + 1}"

    def give_points(self) -> bool:
        # A voucher or a shop's wallet may have changed in between: the shop that gave first goes on giving.
        shop = shops.get(self.session, self.row.shop_id)
        gained = self.want.amount - self.row.standing
        try:
            with self.session.begin_nested():
                points.earn(
                    self.session, self.key, "referral", customer_id=self.customer_id, shop_id=shop.id, points=gained,
                    expires_at=programme.expiry(self.session, zone=shop.timezone),
                )  # fmt: skip
        except ledger.UncoveredError as error:
            return self._blocked(error)
        self._write()
        self._tell(f"referral_{self.want.side}", "referral_rewarded", points=gained)
        return True

    def take_points(self) -> bool:
        lost = self.row.standing - self.want.amount
        points.claw_back(
            self.session, self.key, "referral_back", customer_id=self.customer_id, shop_id=self.row.shop_id, points=lost
        )
        self._write()
        self._tell("referral_taken_back", "referral_reversed", points=lost)
        return True

    def give_voucher(self, reward: Reward) -> bool:
        assert reward.program_id is not None
        try:
            with self.session.begin_nested():
                offer = voucher_programs.get(self.session, reward.program_id, lock=True)
                if offer.ends_at is not None and offer.ends_at <= now(self.session):
                    raise vouchers.SoldOutError(f"program {offer.id}")
                voucher = vouchers.issue(self.session, offer.id, self.customer_id, key=self.key)
        except RuleError as error:
            return self._blocked(error)
        self._write(voucher_id=voucher.id)
        self._tell(
            f"referral_{self.want.side}", "referral_rewarded", points=0, voucher=offer.name,
            code=vouchers.shown(voucher.code), last_day=vouchers.last_day(self.session, voucher, offer),
        )  # fmt: skip
        return True

    def withdraw(self) -> bool:
        state = vouchers.withdraw(self.session, self.row.voucher_id)
        if state in {VoucherState.OPEN, VoucherState.WITHDRAWN}:
            self._write()
        if state == VoucherState.OPEN:
            given = vouchers.get(self.session, self.row.voucher_id)
            offer = voucher_programs.get(self.session, given.program_id)
            self._tell("referral_taken_back", "referral_reversed", points=0, voucher=offer.name)
        # One that an order holds, or a friend is offered, is looked at again; one that was used stays.
        return state in {VoucherState.OPEN, VoucherState.WITHDRAWN, VoucherState.USED}

    def _blocked(self, error: RuleError) -> bool:
        session, where = self.session, rewards.c.id == self.row.id
        session.execute(update(rewards).where(where).values(blocked=error.code, changed_at=now(session)))
        return False

    def _write(self, **values: Any) -> None:
        self.session.execute(
            update(rewards)
            .where(rewards.c.id == self.row.id)
            .values(
                standing=self.want.amount, version=self.row.version + 1, blocked=None, changed_at=now(self.session),
                **values,
            )
        )  # fmt: skip

    def _tell(self, kind: str, event: str, **facts: Any) -> None:
        """Nobody is told, and no journey starts, of what an import caused."""
        if self.quiet:
            return
        shop = shops.get(self.session, self.row.shop_id)
        events.happened(
            self.session, event, customer_id=self.customer_id, shop_id=shop.id, side=self.want.side,
            friend=self.found.friend_id, referrer=self.found.referrer_id, points=facts["points"],
            voucher=facts.get("voucher"),
        )  # fmt: skip
        if not facts["points"] and "voucher" not in facts:
            return
        earlier = select(func.count()).where(
            rewards.c.referral_id == self.found.id, rewards.c.side == self.want.side, rewards.c.id < self.row.id
        )
        notices.tell(
            self.session, kind, customer_id=self.customer_id, shop_id=shop.id, side=self.want.side, shop=shop.name,
            friend=customers.get(self.session, self.found.friend_id).name,
            again=bool(self.session.execute(earlier).scalar_one()), refused=self.refused, **facts,
        )  # fmt: skip


def check(session: Session) -> list[ledger.Fault]:
    """Prove what stands of every reward: points from its transfers, a voucher from what became of it."""
    signs = {"referral": 1, "referral_back": -1}
    moved: dict[int, int] = {}
    t, p = ledger.transfers.c, ledger.postings.c
    rows = session.execute(
        select(t.key, t.kind, func.sum(p.amount).label("amount"))
        .join(ledger.postings, p.transfer_id == t.id)
        .where(t.kind.in_(signs))
        .group_by(t.key, t.kind)
    )
    for row in rows:
        _, number, version = row.key.split(":")
        # Before rewards had rows of their own the keys named the side.
        if version.isdecimal():
            moved[int(number)] = moved.get(int(number), 0) + signs[row.kind] * int(row.amount)
    v = vouchers.vouchers.c
    kept = session.execute(
        select(rewards.c.id, rewards.c.standing, rewards.c.version, rewards.c.voucher_id, v.key, v.state)
        .outerjoin(vouchers.vouchers, v.id == rewards.c.voucher_id)
        .order_by(rewards.c.id)
    )
    faults = []
    for one in kept:
        stands = moved.get(one.id, 0)
        if one.voucher_id is not None:
            given, gone = one.key == f"referral:{one.id}:{one.version}", one.state == VoucherState.WITHDRAWN
            stands = int(given if one.standing else not gone)
        if one.standing != stands:
            faults.append(ledger.Fault("referral reward", one.id, stands, one.standing))
    return faults
