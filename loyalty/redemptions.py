"""Redemptions: a voucher used on an order. Reserve, then confirm or cancel; a reservation nobody settles lapses.

A voucher has at most one live redemption (reserved or confirmed), which the database holds it to. Every step may be
repeated without a second effect. The order is one of the shop's by its external id, which need not be known here yet.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, Text, func, insert, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty import attempts, customers, ledger, voucher_programs, vouchers
from loyalty.voucher_programs import MONEY_MAX, MinOrderError
from loyalty.vouchers import UnknownVoucherError, UnusableVoucherError, VoucherState
from store import events
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ConflictError, InvalidError, NotFoundError

HOLDS_FOR = timedelta(minutes=15)
EXTERNAL_ID_CHARS_MAX = 100


class RedemptionState(StrEnum):
    RESERVED = "reserved"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"
    LAPSED = "lapsed"
    ROLLED_BACK = "rolled_back"
    """It was confirmed, and the order was undone."""


LIVE = (RedemptionState.RESERVED.value, RedemptionState.CONFIRMED.value)
_LIVE = text("state IN ('reserved', 'confirmed')")
_RESERVED = text("state = 'reserved'")


class RedemptionRow(Base):
    __tablename__ = "redemptions"
    __table_args__ = (
        Index("uq_redemptions_live", "voucher_id", unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE),
        Index("ix_redemptions_due", "expires_at", sqlite_where=_RESERVED, postgresql_where=_RESERVED),
        Index("ix_redemptions_order", "shop_id", "order"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    voucher_id: Mapped[int] = mapped_column(ForeignKey("vouchers.id"), index=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    order: Mapped[str] = mapped_column(Text)
    """The order's external id at the shop."""
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"), index=True)
    order_total: Mapped[int]
    """đồng before the discount."""
    discount: Mapped[int]
    """đồng that it takes off."""
    state: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcTime)
    expires_at: Mapped[datetime] = mapped_column(UtcTime)
    settled_at: Mapped[datetime | None] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Redemption:
    """A use of a voucher on an order; `order_total` (before it) and `discount` in đồng, `expires_at` of a reservation."""

    id: int
    voucher_id: int
    shop_id: int
    order: str
    customer_id: int | None
    order_total: int
    discount: int
    state: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Checked:
    """What a code comes to on an order: `discount` in đồng; `reason` is `invalid` whatever is wrong with the code, or
    `min_order` for a right one.
    """

    valid: bool
    discount: int
    reason: str | None


class SettledError(ConflictError):
    """The redemption ended otherwise; `state` says how."""

    code = "redemption_settled"

    def __init__(self, state: str) -> None:
        super().__init__(f"redemption is {state}")
        self.state = state


redemptions = table(RedemptionRow)
_FIELDS = tuple(redemptions.c[name] for name in Redemption.__dataclass_fields__)


def check(
    session: Session, code: str, order_total: int, *, shop_id: int, actor: str, customer_id: int | None = None
) -> Checked:
    """What a code would give on an order. A writing rule, for it counts wrong codes of `actor` (`key:2`, `staff:4`).

    Raises TooManyError, InvalidError("order_total").
    """
    attempts.guard(session, actor)
    _checked_total(order_total)
    voucher = vouchers.by_code(session, code)
    held = _live(session, voucher.id) if voucher is not None else None
    offer = None
    if held is None or _is_over(session, held):
        with suppress(UnknownVoucherError, UnusableVoucherError):
            offer = vouchers.offer_for(session, voucher, shop_id, customer_id)
    if offer is None:
        attempts.wrong(session, actor)
        return Checked(valid=False, discount=0, reason="invalid")
    try:
        return Checked(valid=True, discount=voucher_programs.discount(offer, order_total), reason=None)
    except MinOrderError:
        return Checked(valid=False, discount=0, reason="min_order")


def reserve(
    session: Session,
    code: str,
    *,
    shop_id: int,
    order: str,
    order_total: int,
    actor: str,
    customer_id: int | None = None,
) -> Redemption | UnknownVoucherError:
    """Hold a voucher for an order, 15 minutes long. The same order again gets the same reservation, its discount worked
    out anew where the total has changed.

    A code that isn't there is returned, not raised, for it was counted and the count must stay. Raises
    UnusableVoucherError, MinOrderError, TooManyError, InvalidError("order", "order_total").
    """
    attempts.guard(session, actor)
    try:
        return hold(session, code, shop_id=shop_id, order=order, order_total=order_total, customer_id=customer_id)
    except UnknownVoucherError as refused:
        attempts.wrong(session, actor)
        return refused


def hold(
    session: Session, code: str, *, shop_id: int, order: str, order_total: int, customer_id: int | None = None
) -> Redemption:
    """`reserve` without counting wrong codes, which it raises as UnknownVoucherError: for a rule that counts itself."""
    _checked_total(order_total)
    if not order.strip() or len(order) > EXTERNAL_ID_CHARS_MAX:
        raise InvalidError("order", "length", order)
    voucher = vouchers.by_code(session, code, lock=True)
    known = _live(session, voucher.id) if voucher is not None else None
    if known is not None and _is_over(session, known):
        _settle(session, known, RedemptionState.LAPSED)
        known = None
    mine = known is not None and (known.shop_id, known.order) == (shop_id, order)
    if known is not None and mine and known.order_total == order_total:
        return known
    offer = vouchers.offer_for(session, voucher, shop_id, customer_id)
    assert voucher is not None
    if known is not None and (not mine or known.state == RedemptionState.CONFIRMED):
        raise UnusableVoucherError("used or held by another order")
    _lock_order(session, shop_id, order)
    off = min(
        voucher_programs.discount(offer, order_total), order_total - _other_discounts(session, shop_id, order, known)
    )
    if known is not None:
        session.execute(
            update(redemptions)
            .where(redemptions.c.id == known.id)
            .values(order_total=order_total, discount=max(0, off))
        )
        return get(session, known.id, shop_id)
    owner = voucher.customer_id if customer_id is None else customers.resolve(session, customer_id)
    row = session.execute(
        insert(redemptions)
        .values(
            voucher_id=voucher.id, shop_id=shop_id, order=order, customer_id=owner, order_total=order_total,
            discount=max(0, off), state=RedemptionState.RESERVED.value, at=now(session),
            expires_at=now(session) + HOLDS_FOR,
        )
        .returning(*_FIELDS)
    ).one()  # fmt: skip
    vouchers.mark(session, voucher.id, VoucherState.HELD)
    return Redemption(*row)


def _checked_total(order_total: int) -> None:
    if not 0 <= order_total <= MONEY_MAX:
        raise InvalidError("order_total", "range", order_total)


def _lock_order(session: Session, shop_id: int, order: str) -> None:
    """Let one work at a time reserve for an order: two vouchers together take no more off it than it comes to."""
    if session.get_bind().dialect.name == "postgresql":
        number = int.from_bytes(hashlib.sha256(f"{shop_id}:{order}".encode()).digest()[:8], "big", signed=True)
        session.execute(select(func.pg_advisory_xact_lock(number)))


def _other_discounts(session: Session, shop_id: int, order: str, known: Redemption | None) -> int:
    return sum(other.discount for other in of_order(session, shop_id, order) if known is None or other.id != known.id)


def _live(session: Session, voucher_id: int) -> Redemption | None:
    """What holds a voucher, be its time over, or has used it."""
    row = session.execute(
        select(*_FIELDS).where(redemptions.c.voucher_id == voucher_id, redemptions.c.state.in_(LIVE))
    ).first()
    return Redemption(*row) if row else None


def _is_over(session: Session, redemption: Redemption) -> bool:
    return redemption.state == RedemptionState.RESERVED and redemption.expires_at <= now(session)


def _settle(session: Session, redemption: Redemption, state: RedemptionState) -> Redemption:
    """End a redemption (or confirm it), and say what its voucher now is."""
    row = session.execute(
        update(redemptions)
        .where(redemptions.c.id == redemption.id)
        .values(state=state.value, settled_at=now(session))
        .returning(*_FIELDS)
    ).one()
    used = state is RedemptionState.CONFIRMED
    vouchers.mark(session, redemption.voucher_id, VoucherState.USED if used else VoucherState.OPEN)
    return Redemption(*row)


def get(session: Session, redemption_id: int, shop_id: int) -> Redemption:
    """A redemption at a shop; raises NotFoundError."""
    row = session.execute(
        select(*_FIELDS).where(redemptions.c.id == redemption_id, redemptions.c.shop_id == shop_id)
    ).first()
    if row is None:
        raise NotFoundError("redemption", redemption_id)
    return Redemption(*row)


def of_order(session: Session, shop_id: int, order: str) -> list[Redemption]:
    """The live redemptions of an order, oldest first."""
    rows = session.execute(
        select(*_FIELDS)
        .where(redemptions.c.shop_id == shop_id, redemptions.c.order == order, redemptions.c.state.in_(LIVE))
        .order_by(redemptions.c.id)
    )
    return [found for found in (Redemption(*row) for row in rows.all()) if not _is_over(session, found)]


def _locked(session: Session, redemption_id: int, shop_id: int) -> Redemption:
    """A redemption with its voucher's row locked, so that it stands still until the work ends."""
    vouchers.get(session, get(session, redemption_id, shop_id).voucher_id, lock=True)
    found = get(session, redemption_id, shop_id)
    return _settle(session, found, RedemptionState.LAPSED) if _is_over(session, found) else found


def confirm(session: Session, redemption_id: int, *, shop_id: int) -> Redemption:
    """The order was paid: its voucher is used. Raises NotFoundError, SettledError (cancelled, lapsed, rolled back)."""
    found = _locked(session, redemption_id, shop_id)
    if found.state == RedemptionState.CONFIRMED:
        return found
    if found.state != RedemptionState.RESERVED:
        raise SettledError(found.state)
    voucher = vouchers.get(session, found.voucher_id)
    events.happened(
        session, "voucher_redeemed", customer_id=found.customer_id, shop_id=shop_id, program=voucher.program_id,
        voucher=voucher.id, order=found.order, discount=found.discount,
    )  # fmt: skip
    return _settle(session, found, RedemptionState.CONFIRMED)


def cancel(session: Session, redemption_id: int, *, shop_id: int) -> Redemption:
    """The order came to nothing: its voucher is free again. Raises NotFoundError, SettledError (confirmed)."""
    found = _locked(session, redemption_id, shop_id)
    if found.state in {RedemptionState.CANCELLED, RedemptionState.LAPSED}:
        return found
    if found.state != RedemptionState.RESERVED:
        raise SettledError(found.state)
    return _settle(session, found, RedemptionState.CANCELLED)


def roll_back(session: Session, redemption_id: int, *, shop_id: int) -> Redemption:
    """An order that used a voucher was undone: the voucher can be used again, in its period. Raises NotFoundError,
    SettledError (it was never confirmed).
    """
    found = _locked(session, redemption_id, shop_id)
    if found.state == RedemptionState.ROLLED_BACK:
        return found
    if found.state != RedemptionState.CONFIRMED:
        raise SettledError(found.state)
    events.happened(
        session, "voucher_returned", customer_id=found.customer_id, shop_id=shop_id, voucher=found.voucher_id,
        order=found.order,
    )  # fmt: skip
    return _settle(session, found, RedemptionState.ROLLED_BACK)


def confirm_for_order(session: Session, shop_id: int, order: str, redemption_ids: Sequence[int]) -> None:
    """Confirm the redemptions that an order names. Raises InvalidError("redemptions") for one that isn't this order's,
    SettledError.
    """
    for redemption_id in sorted(set(redemption_ids)):
        try:
            found = get(session, redemption_id, shop_id)
        except NotFoundError as error:
            raise InvalidError("redemptions", "unknown", redemption_id) from error
        if found.order != order:
            raise InvalidError("redemptions", "other_order", redemption_id)
        confirm(session, redemption_id, shop_id=shop_id)


def lapse_due(session: Session, limit: int = 500) -> int:
    """Let reservations go whose time is over; how many. For the clock."""
    due = session.execute(
        select(redemptions.c.id, redemptions.c.shop_id, redemptions.c.voucher_id)
        .where(redemptions.c.state == RedemptionState.RESERVED.value, redemptions.c.expires_at <= now(session))
        .order_by(redemptions.c.expires_at)
        .limit(limit)
    ).all()
    # Vouchers are locked first here as everywhere, those that somebody settles at this moment left out.
    free = session.execute(
        select(vouchers.vouchers.c.id)
        .where(vouchers.vouchers.c.id.in_([row.voucher_id for row in due]))
        .with_for_update(skip_locked=True)
    ).scalars()
    mine = set(free.all())
    for row in due:
        if row.voucher_id in mine:
            _locked(session, row.id, row.shop_id)
    return len(mine)


def move(session: Session, from_id: int, to_id: int) -> None:
    """Carry a customer's redemptions over in a merge."""
    session.execute(update(redemptions).where(redemptions.c.customer_id == from_id).values(customer_id=to_id))


def check_states(session: Session) -> list[ledger.Fault]:
    """Prove each voucher's state from its redemptions."""
    stands = {RedemptionState.RESERVED.value: VoucherState.HELD, RedemptionState.CONFIRMED.value: VoucherState.USED}
    live = select(redemptions.c.voucher_id, redemptions.c.state).where(redemptions.c.state.in_(LIVE)).subquery()
    rows = session.execute(
        select(vouchers.vouchers.c.id, vouchers.vouchers.c.state, live.c.state.label("redemption")).outerjoin(
            live, live.c.voucher_id == vouchers.vouchers.c.id
        ).where(live.c.state.is_not(None) | (vouchers.vouchers.c.state != VoucherState.OPEN.value))
    )  # fmt: skip
    return [
        ledger.Fault(f"voucher {row.state}, redemption {row.redemption}", row.id, 0, 1)
        for row in rows
        if row.state != stands.get(row.redemption or "", VoucherState.OPEN)
    ]
