"""Redemptions: a voucher used on an order. Reserve, then confirm or cancel; a reservation nobody settles lapses.

A voucher has at most one live redemption (reserved or confirmed), which the database holds it to; a shared code has as many
as its programme's limits allow. What a use takes of a budget or a stock is held with the reservation, spent with its
confirmation and given back with every other end. Every step may be repeated without a second effect. The order is one of
the shop's by its external id, which need not be known here yet; what orders do to their vouchers stands in
`order_vouchers`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, Text, case, func, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.points import holds, ledger
from loyalty.points.ledger import UncoveredError
from loyalty.vouchers import voucher_limits, voucher_programs, vouchers
from loyalty.vouchers.voucher_limits import BudgetSpentError
from loyalty.vouchers.voucher_programs import Program, cost, programs
from loyalty.vouchers.vouchers import SoldOutError, Voucher, VoucherState
from store import events
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ConflictError, NotFoundError

HOLDS_FOR = timedelta(minutes=15)
LAPSES_AT_ONCE = 200


class RedemptionState(StrEnum):
    RESERVED = "reserved"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"
    LAPSED = "lapsed"
    ROLLED_BACK = "rolled_back"
    """It was confirmed, and the order was undone."""


LIVE = (RedemptionState.RESERVED.value, RedemptionState.CONFIRMED.value)
_LIVE_SINGLE = text("state IN ('reserved', 'confirmed') AND NOT shared")
_RESERVED = text("state = 'reserved'")


class RedemptionRow(Base):
    __tablename__ = "redemptions"
    __table_args__ = (
        Index("uq_redemptions_holder", "voucher_id", unique=True, sqlite_where=_LIVE_SINGLE, postgresql_where=_LIVE_SINGLE),
        Index("ix_redemptions_due", "expires_at", sqlite_where=_RESERVED, postgresql_where=_RESERVED),
        Index("ix_redemptions_order", "shop_id", "order"),
    )  # fmt: skip

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
    shared: Mapped[bool] = mapped_column(server_default=text("false"))
    """Of a code for everybody."""
    lines: Mapped[str | None] = mapped_column(Text)
    """The hash of the order's lines, where they were told: others are a changed basket."""
    budget_hold: Mapped[int | None]
    stock_hold: Mapped[int | None]
    """The holds of what it takes from its programme's limits."""
    turn: Mapped[int] = mapped_column(server_default=text("1"))
    """Rises when its discount is worked out anew; it is in the keys of its holds."""


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
    shared: bool = False
    lines: str | None = None
    budget_hold: int | None = None
    stock_hold: int | None = None
    turn: int = 1


class SettledError(ConflictError):
    """The redemption ended otherwise; `state` says how."""

    code = "redemption_settled"

    def __init__(self, state: str) -> None:
        super().__init__(f"redemption is {state}")
        self.state = state


redemptions = table(RedemptionRow)
FIELDS = tuple(redemptions.c[name] for name in Redemption.__dataclass_fields__)


# ── Looking ────────────────────────────────────────────────────────────────────────────────────────


def live(session: Session, voucher: Voucher, shop_id: int | None = None, order: str | None = None) -> Redemption | None:
    """What holds a voucher, be its time over, or has used it; of a shared code, for an order."""
    query = select(*FIELDS).where(redemptions.c.voucher_id == voucher.id, redemptions.c.state.in_(LIVE))
    if voucher.shared:
        query = query.where(redemptions.c.shop_id == shop_id, redemptions.c.order == order)
    row = session.execute(query.limit(1)).first()
    return Redemption(*row) if row else None


def is_over(session: Session, redemption: Redemption) -> bool:
    """Whether a reservation's time is over, be it let go yet or not."""
    return redemption.state == RedemptionState.RESERVED and redemption.expires_at <= now(session)


def get(session: Session, redemption_id: int, shop_id: int) -> Redemption:
    """A redemption at a shop; raises NotFoundError."""
    row = session.execute(
        select(*FIELDS).where(redemptions.c.id == redemption_id, redemptions.c.shop_id == shop_id)
    ).first()
    if row is None:
        raise NotFoundError("redemption", redemption_id)
    return Redemption(*row)


def of_order(session: Session, shop_id: int, order: str) -> list[Redemption]:
    """The live redemptions of an order, oldest first."""
    rows = session.execute(
        select(*FIELDS)
        .where(redemptions.c.shop_id == shop_id, redemptions.c.order == order, redemptions.c.state.in_(LIVE))
        .order_by(redemptions.c.id)
    )
    return [found for found in (Redemption(*row) for row in rows.all()) if not is_over(session, found)]


def used(session: Session, program_ids: Sequence[int]) -> dict[int, int]:
    """How often each programme's vouchers were used; a programme without any use is not in it."""
    v = vouchers.vouchers.c
    rows = session.execute(
        select(v.program_id, func.count().label("used"))
        .join(redemptions, redemptions.c.voucher_id == v.id)
        .where(v.program_id.in_(program_ids), redemptions.c.state == RedemptionState.CONFIRMED.value)
        .group_by(v.program_id)
    )
    return {row.program_id: row.used for row in rows}


# ── How one ends ───────────────────────────────────────────────────────────────────────────────────


def settle(session: Session, redemption: Redemption, state: RedemptionState) -> Redemption:
    """End a redemption (or confirm it), and say what its voucher and its programme's limits now are. For the rules of
    redemptions and reservations, which hold the voucher's row.
    """
    row = session.execute(
        update(redemptions)
        .where(redemptions.c.id == redemption.id)
        .values(state=state.value, settled_at=now(session))
        .returning(*FIELDS)
    ).one()
    confirmed = state is RedemptionState.CONFIRMED
    if confirmed:
        for number in _holds(redemption):
            holds.post(session, number)
    else:
        put_back(session, redemption)
    if not redemption.shared:
        vouchers.mark(session, redemption.voucher_id, VoucherState.USED if confirmed else VoucherState.OPEN)
    return Redemption(*row)


def set_aside(session: Session, offer: Program, held: Redemption) -> Redemption:
    """Hold what a reservation takes from its programme's limits. Raises BudgetSpentError, SoldOutError."""
    bounds: list[tuple[str, int, Callable[[str], ConflictError]]] = []
    if offer.shared and offer.stock is not None:
        bounds.append(("stock", 1, SoldOutError))
    if offer.budget is not None:
        bounds.append(("budget", cost(offer, held.discount), BudgetSpentError))
    taken: dict[str, int | None] = {}
    for name, amount, refusal in bounds:
        key = f"redemption:{held.id}:{name}:{held.turn}"
        try:
            taken[f"{name}_hold"] = voucher_limits.take(session, key, offer.id, name, amount)
        except UncoveredError:
            # What lapsed reservations still hold is free.
            lapse_due(session, LAPSES_AT_ONCE, program_id=offer.id, wait=True)
            try:
                taken[f"{name}_hold"] = voucher_limits.take(session, key, offer.id, name, amount)
            except UncoveredError as error:
                raise refusal(f"program {offer.id}") from error
    if not taken:
        return held
    row = session.execute(
        update(redemptions).where(redemptions.c.id == held.id).values(**taken).returning(*FIELDS)
    ).one()
    return Redemption(*row)


def set_aside_anew(session: Session, offer: Program, held: Redemption) -> Redemption:
    """Hold what one whose holds were given back takes, once more. Raises BudgetSpentError, SoldOutError."""
    row = session.execute(
        update(redemptions)
        .where(redemptions.c.id == held.id)
        .values(turn=held.turn + 1, budget_hold=None, stock_hold=None)
        .returning(*FIELDS)
    ).one()
    return set_aside(session, offer, Redemption(*row))


def put_back(session: Session, redemption: Redemption) -> None:
    """Give back what a redemption took of its programme's limits."""
    for number in _holds(redemption):
        voucher_limits.give_back(session, number)


def _holds(redemption: Redemption) -> list[int]:
    """Its holds, in the order in which every rule takes them."""
    return [number for number in (redemption.stock_hold, redemption.budget_hold) if number is not None]


def _locked(session: Session, redemption_id: int, shop_id: int) -> Redemption:
    """A redemption with its voucher's row locked, so that it stands still until the work ends."""
    vouchers.get(session, get(session, redemption_id, shop_id).voucher_id, lock=True)
    found = get(session, redemption_id, shop_id)
    return settle(session, found, RedemptionState.LAPSED) if is_over(session, found) else found


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
    return settle(session, found, RedemptionState.CONFIRMED)


def cancel(session: Session, redemption_id: int, *, shop_id: int) -> Redemption:
    """The order came to nothing: its voucher is free again. Raises NotFoundError, SettledError (confirmed)."""
    found = _locked(session, redemption_id, shop_id)
    if found.state in {RedemptionState.CANCELLED, RedemptionState.LAPSED}:
        return found
    if found.state != RedemptionState.RESERVED:
        raise SettledError(found.state)
    return settle(session, found, RedemptionState.CANCELLED)


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
    return settle(session, found, RedemptionState.ROLLED_BACK)


def lapse_due(session: Session, limit: int = 500, *, program_id: int | None = None, wait: bool = False) -> int:
    """Let reservations go whose time is over, of one programme or of all; how many. For the clock, which leaves out those
    that somebody settles at this moment, unless it is to `wait`.
    """
    query = (
        select(redemptions.c.id, redemptions.c.shop_id, redemptions.c.voucher_id)
        .where(redemptions.c.state == RedemptionState.RESERVED.value, redemptions.c.expires_at <= now(session))
        .order_by(redemptions.c.expires_at)
        .limit(limit)
    )
    v = vouchers.vouchers.c
    if program_id is not None:
        query = query.join(vouchers.vouchers, v.id == redemptions.c.voucher_id).where(v.program_id == program_id)
    due = session.execute(query).all()
    if not due:
        return 0
    # Vouchers are locked first here as everywhere.
    free = session.execute(
        select(v.id)
        .where(v.id.in_({row.voucher_id for row in due}))
        .order_by(v.id)
        .with_for_update(skip_locked=not wait)
    ).scalars()
    mine = set(free.all())
    lapsed = [row for row in due if row.voucher_id in mine]
    for row in lapsed:
        _locked(session, row.id, row.shop_id)
    return len(lapsed)


def move(session: Session, from_id: int, to_id: int) -> None:
    """Carry a customer's redemptions over in a merge."""
    session.execute(update(redemptions).where(redemptions.c.customer_id == from_id).values(customer_id=to_id))


# ── Proof ──────────────────────────────────────────────────────────────────────────────────────────


def check_states(session: Session) -> list[ledger.Fault]:
    """Prove each voucher's state from its redemptions."""
    v = vouchers.vouchers.c
    free = (VoucherState.OPEN.value, VoucherState.GIFT.value, VoucherState.WITHDRAWN.value)
    live = select(redemptions.c.voucher_id, redemptions.c.state).where(redemptions.c.state.in_(LIVE)).subquery()
    wrong = case(
        (live.c.state == RedemptionState.RESERVED.value, v.state != VoucherState.HELD.value),
        (live.c.state == RedemptionState.CONFIRMED.value, v.state != VoucherState.USED.value),
        else_=v.state.not_in(free),
    )
    rows = session.execute(
        select(v.id, v.state, live.c.state.label("redemption"))
        .outerjoin(live, live.c.voucher_id == v.id)
        .where(v.shared.is_(False), live.c.state.is_not(None) | (v.state != VoucherState.OPEN.value), wrong)
        .order_by(v.id)
        .limit(ledger.FAULTS_MAX)
    )
    return [ledger.Fault(f"voucher {row.state}, redemption {row.redemption}", row.id, 0, 1) for row in rows]


def check_limits(session: Session) -> list[ledger.Fault]:
    """Prove of each redemption what it holds of its programme's limits, and what each of them says is spent from those."""
    r, v, a, h = redemptions.c, vouchers.vouchers.c, ledger.accounts.c, holds.holds.c
    faults: list[ledger.Fault] = []
    spent: dict[tuple[int, str], int] = {}
    ends = {RedemptionState.RESERVED: "placed", RedemptionState.CONFIRMED: "posted"}
    for name, column in (("budget", r.budget_hold), ("stock", r.stock_hold)):
        rows = session.execute(
            select(
                r.id,
                r.state,
                r.discount,
                programs.c.id.label("program"),
                programs.c.kind,
                h.amount,
                h.state.label("hold"),
            )
            .join(vouchers.vouchers, v.id == r.voucher_id)
            .join(programs, programs.c.id == v.program_id)
            .join(holds.holds, h.id == column)
            .where(r.state.in_(LIVE))
            .order_by(r.id)
        )
        for row in rows:
            if row.hold != ends[RedemptionState(row.state)]:
                faults.append(ledger.Fault(f"redemption {row.state}, {name} {row.hold}", row.id, 0, 1))
            elif name == "budget" and row.kind != voucher_programs.Kind.GIFT and row.discount != row.amount:
                faults.append(ledger.Fault("redemption's discount", row.id, row.amount, row.discount))
            if row.state == RedemptionState.CONFIRMED:
                key = (row.program, f"{name}_used")
                spent[key] = spent.get(key, 0) + row.amount
    said = session.execute(
        select(a.owner_id, a.name, a.balance).where(a.owner == "program", a.name.in_(("budget_used", "stock_used")))
    )
    found = {(row.owner_id, row.name): int(row.balance) for row in said}
    return faults + [
        ledger.Fault(f"programme's {name}", number, spent.get((number, name), 0), found.get((number, name), 0))
        for number, name in sorted(spent.keys() | found.keys())
        if spent.get((number, name), 0) != found.get((number, name), 0)
    ]
