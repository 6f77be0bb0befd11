"""Sales: what a cashier enters at the till. An order of the shop's own, paid by money, vouchers and points together.

A sale is one transaction under the key of the page's form, so that a double tap sells once. The last one can be taken back
for some minutes: the order is cancelled, the points go back to the lots they came from, the vouchers are free again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ForeignKey, Index, Text, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty import attempts, programme
from loyalty.customers import customers, phones
from loyalty.orders import bills, orders
from loyalty.orders.orders import OrderInput, Status
from loyalty.points import ledger, points
from loyalty.points.ledger import KeyConflictError
from loyalty.tiers import tiers
from loyalty.vouchers import redemptions, stacking, vouchers
from loyalty.vouchers.redemptions import Redemption
from loyalty.vouchers.vouchers import UnknownVoucherError
from store import audit, notices, secret, shops
from store.base import Base, BigId, UtcTime, table
from store.clock import day_began, now
from store.errors import ConflictError, InvalidError, NotFoundError

KEY_CHARS_MAX = 64
LATE_MAX = timedelta(days=3)
"""How long a sale may wait in a till without a connection."""
EARLY_MAX = timedelta(minutes=5)
"""How far a till's own clock may run ahead."""
ORDER_PREFIX = "T-"
ORDER_SIGNS = 8


class SaleRow(Base):
    __tablename__ = "sales"
    __table_args__ = (Index("ix_sales_cashier", "shop_id", "staff_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    hash: Mapped[str] = mapped_column(Text)
    """Of what was entered: the same key with another entry is a conflict."""
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"))
    redemption_id: Mapped[int | None] = mapped_column(ForeignKey("redemptions.id"))
    """The first voucher's; all that were used stand under the order (see redemptions)."""
    spent_id: Mapped[int | None] = mapped_column(ForeignKey("transfers.id"))
    """The transfer of the points that paid."""
    amount: Mapped[int]
    """đồng on the bill."""
    discount: Mapped[int]
    points_used: Mapped[int]
    points_paid: Mapped[int]
    """đồng that those points paid."""
    earned: Mapped[int]
    at: Mapped[datetime] = mapped_column(UtcTime)
    undone_at: Mapped[datetime | None] = mapped_column(UtcTime)
    shift_id: Mapped[int | None]
    """The closed shift it stands in (see shifts); it can't be taken back any more."""


@dataclass(frozen=True, slots=True)
class Sale:
    """What a sale came to. Money in đồng; `paid` is amount − discount − what points paid."""

    id: int
    shop_id: int
    staff_id: int
    order_id: int
    order: str
    customer_id: int | None
    amount: int
    discount: int
    points_used: int
    points_paid: int
    paid: int
    earned: int
    at: datetime
    undo_until: datetime
    undone: bool
    name: str
    """The buyer's, as the till shows it; empty for an unknown one."""
    phone: str | None
    balance: int
    """The buyer's available points now."""
    tier: str | None
    claim_token: str | None
    """For the receipt of a buyer who has no account yet: whoever opens `c_TOKEN` gets the order."""


class UndoOverError(ConflictError):
    """It is too late to take the sale back, or a later one stands on it."""

    code = "undo_over"


sales = table(SaleRow)


def sell(
    session: Session,
    *,
    shop_id: int,
    staff_id: int,
    key: str,
    amount: int,
    customer_id: int | None = None,
    phone: str | None = None,
    voucher_codes: Sequence[str] = (),
    voucher_part: int | None = None,
    points_to_use: int = 0,
    at: datetime | None = None,
) -> Sale | UnknownVoucherError:
    """Sell for `amount` đồng to a customer, to a phone (in any form; a new one makes a guest) or to somebody unknown.

    `voucher_codes`: all of them or nothing is sold; `voucher_part`: as in `bills.preview`. `at`: when it was rung up, where
    the till had no connection then (at most LATE_MAX ago).

    The same `key` with the same entry is the same sale. A voucher code that isn't there is returned, not raised, for it was
    counted; nothing was sold then. Raises InvalidError("amount", "points", "phone", "key", "at", "codes"),
    UnusableVoucherError, NotStackableError, MinOrderError, UncoveredError, TooManyError, NotFoundError, KeyConflictError.
    """
    bills.checked(amount)
    if not 0 < len(key) <= KEY_CHARS_MAX:
        raise InvalidError("key", "length", key)
    if points_to_use < 0 or (points_to_use and customer_id is None):
        raise InvalidError("points", "range", points_to_use)
    moment = now(session)
    if at is not None and not moment - LATE_MAX <= at <= moment + EARLY_MAX:
        raise InvalidError("at", "range", at)
    rung = min(at or moment, moment)
    codes = sorted({vouchers.folded(code) for code in voucher_codes})
    told: list[Any] = [shop_id, staff_id, amount, customer_id, phone, codes, points_to_use]
    sealed = ledger.seal("sale", told if voucher_part is None else [*told, voucher_part])
    known = _by_key(session, key, sealed)
    if known is not None:
        return known
    if codes:
        attempts.guard(session, f"staff:{staff_id}")
    entry = OrderInput(
        total=amount, currency=shops.get(session, shop_id).currency, placed_at=rung, status=Status.COMPLETED,
        customer_id=customer_id, phone=phones.normal(phone) if phone and customer_id is None else None,
    )  # fmt: skip
    try:
        # A savepoint: a refused voucher or a lost race leaves nothing of the sale.
        with session.begin_nested():
            sale_id = int(
                session.execute(
                    insert(sales)
                    .values(
                        key=key, hash=sealed, shop_id=shop_id, staff_id=staff_id, amount=amount, discount=0,
                        points_used=0, points_paid=0, earned=0, at=rung,
                    )
                    .returning(sales.c.id)
                ).scalar_one()
            )  # fmt: skip
            _settle(session, sale_id, shop_id, entry, codes, points_to_use, voucher_part)
    except UnknownVoucherError as refused:
        attempts.wrong(session, f"staff:{staff_id}")
        return refused
    except IntegrityError:
        # The other tap of a double one came first, on another replica.
        known = _by_key(session, key, sealed)
        if known is None:
            raise
        return known
    return get(session, sale_id)


def _settle(
    session: Session,
    sale_id: int,
    shop_id: int,
    entry: OrderInput,
    codes: Sequence[str],
    points_to_use: int,
    voucher_part: int | None,
) -> None:
    """Vouchers, order, points: what makes an entry a sale."""
    staff_id = session.execute(select(sales.c.staff_id).where(sales.c.id == sale_id)).scalar_one()
    order = f"{ORDER_PREFIX}{secret.code(ORDER_SIGNS)}"
    used: list[Redemption] = []
    if codes:
        used = stacking.hold_many(
            session, codes, shop_id=shop_id, order=order, order_total=entry.total, customer_id=entry.customer_id,
            lines=bills.lines(voucher_part),
        )  # fmt: skip
    for redemption in used:
        redemptions.confirm(session, redemption.id, shop_id=shop_id)
    off = sum(redemption.discount for redemption in used)
    points_paid = points_to_use * programme.get(session).point_value
    if points_paid > entry.total - off:
        raise InvalidError("points", "range", points_to_use)
    told = OrderInput(
        total=entry.total - off - points_paid, currency=entry.currency, placed_at=entry.placed_at, status=entry.status,
        customer_id=entry.customer_id, phone=entry.phone, listed=entry.total,
    )  # fmt: skip
    spent = None
    if points_to_use:
        # Points are spent before the order earns new ones, so the order is there first and completed after.
        waiting = OrderInput(
            total=told.total, currency=told.currency, placed_at=told.placed_at, status=Status.PENDING,
            customer_id=told.customer_id, listed=told.listed,
        )  # fmt: skip
        opened = orders.put(session, shop_id, order, waiting, source="till", quiet=True)
        assert opened.customer_id is not None
        spent = points.spend(
            session, f"pay:sale:{sale_id}", "pay", customer_id=opened.customer_id, shop_id=shop_id,
            points=points_to_use, order_id=opened.id, actor=f"staff:{staff_id}",
        )  # fmt: skip
        notices.tell(
            session, "points_spent", customer_id=opened.customer_id, shop_id=shop_id, points=points_to_use,
            value=points_paid, order=order, shop=shops.get(session, shop_id).name,
            balance=points.balances(session, opened.customer_id)[0],
        )  # fmt: skip
    done = orders.put(session, shop_id, order, told, source="till")
    session.execute(
        update(sales)
        .where(sales.c.id == sale_id)
        .values(
            order_id=done.id, redemption_id=used[0].id if used else None,
            spent_id=spent.transfer_id if spent else None, discount=off, points_used=points_to_use,
            points_paid=points_paid, earned=done.earned,
        )
    )  # fmt: skip


def _by_key(session: Session, key: str, sealed: str) -> Sale | None:
    row = session.execute(select(sales.c.id, sales.c.hash).where(sales.c.key == key)).first()
    if row is None:
        return None
    if row.hash != sealed:
        raise KeyConflictError(key)
    return get(session, row.id)


def get(session: Session, sale_id: int) -> Sale:
    """A sale; raises NotFoundError."""
    found = _rows(session, sales.c.id == sale_id)
    if not found:
        raise NotFoundError("sale", sale_id)
    return found[0]


def _rows(session: Session, *where: object) -> list[Sale]:
    s, o, c = sales.c, orders.orders.c, customers.customers.c
    rows = session.execute(
        select(sales, o.external_id, o.customer_id, o.total, o.claim_token, c.name, c.phone, c.tier_id)
        .join(orders.orders, o.id == s.order_id)
        .outerjoin(customers.customers, c.id == o.customer_id)
        .where(*where)  # type: ignore[arg-type]  # conditions of this file
        .order_by(s.id.desc())
    ).all()
    ladder = tiers.every(session)
    levels = {tier.id: tier.name for tier in ladder}
    undo = timedelta(minutes=programme.get(session).undo_minutes)
    found = []
    for row in rows:
        balance, tier = 0, None
        if row.customer_id is not None:
            balance = points.balances(session, row.customer_id)[0]
            tier = levels.get(row.tier_id or 0, ladder[0].name)
        found.append(
            Sale(
                row.id, row.shop_id, row.staff_id, row.order_id, row.external_id, row.customer_id, row.amount,
                row.discount, row.points_used, row.points_paid, row.total, row.earned, row.at, row.at + undo,
                row.undone_at is not None, row.name or "", phones.masked(row.phone) if row.phone else None, balance,
                tier, row.claim_token,
            )
        )  # fmt: skip
    return found


def today(session: Session, shop_id: int, staff_id: int) -> list[Sale]:
    """A cashier's sales of this day (the shop's), newest first."""
    midnight = day_began(session, shops.get(session, shop_id).timezone)
    return _rows(session, sales.c.shop_id == shop_id, sales.c.staff_id == staff_id, sales.c.at >= midnight)


def undo(session: Session, *, shop_id: int, staff_id: int, sale_id: int) -> Sale:
    """Take the cashier's last sale at this shop back, once. Raises NotFoundError, UndoOverError (too late, a later sale
    stands on it, or its shift is closed).
    """
    row = session.execute(
        select(sales)
        .where(sales.c.id == sale_id, sales.c.shop_id == shop_id, sales.c.staff_id == staff_id)
        .with_for_update()
    ).first()
    if row is None:
        raise NotFoundError("sale", sale_id)
    sale = get(session, sale_id)
    if sale.undone:
        return sale
    last = session.execute(
        select(func.max(sales.c.id)).where(sales.c.shop_id == shop_id, sales.c.staff_id == staff_id)
    ).scalar_one()
    if last != sale_id or row.shift_id is not None or now(session) >= sale.undo_until:
        raise UndoOverError(f"sale {sale_id}")
    order = orders.get(session, sale.order_id)
    used = redemptions.of_order(session, shop_id, order.external_id)
    for redemption in used:
        redemptions.roll_back(session, redemption.id, shop_id=shop_id)
    cancelled = OrderInput(
        total=order.total, currency=order.currency, placed_at=order.placed_at, status=Status.CANCELLED,
        customer_id=order.customer_id,
    )  # fmt: skip
    if row.spent_id is not None and order.customer_id is not None:
        points.give_back(
            session, f"pay:sale:{sale_id}:back", "pay_back", row.spent_id, customer_id=order.customer_id,
            actor=f"staff:{staff_id}",
        )  # fmt: skip
    orders.put(session, shop_id, order.external_id, cancelled, source="till", quiet=True)
    if order.customer_id is not None:
        notices.tell(
            session, "sale_undone", customer_id=order.customer_id, shop_id=shop_id, order=order.external_id,
            amount=sale.amount, points_back=sale.points_used, points_taken=sale.earned,
            vouchers_back=len(used), shop=shops.get(session, shop_id).name,
        )  # fmt: skip
    session.execute(update(sales).where(sales.c.id == sale_id).values(undone_at=now(session)))
    audit.record(session, f"staff:{staff_id}", "sale_undone", shop_id, order=order.external_id, amount=sale.amount)
    return get(session, sale_id)
