"""Voucher programmes: what a shop offers, on which orders, how many there are of it and what they cost in points."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Text, insert, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty import points
from store import shops
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ConflictError, InvalidError, NotFoundError

NAME_CHARS_MAX = 100
MONEY_MAX = 1_000_000_000_000
"""đồng; more than this is a slip of the finger."""


class Kind(StrEnum):
    """What a voucher gives: đồng off, per cent off, or something at the counter."""

    AMOUNT = "amount"
    PERCENT = "percent"
    GIFT = "gift"


class VoucherProgram(Base):
    __tablename__ = "voucher_programs"
    __table_args__ = (CheckConstraint("stock IS NULL OR issued <= stock", name="within_stock"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int | None] = mapped_column(ForeignKey("shops.id"))
    """The shop that offers it and takes it; empty: every shop."""
    name: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    value: Mapped[int]
    """đồng off, per cent off; of a gift nothing is taken off."""
    cap: Mapped[int | None]
    """đồng that it takes off at most."""
    min_order: Mapped[int]
    """đồng that an order must come to."""
    stock: Mapped[int | None]
    """Vouchers there are to give; empty: no end of them."""
    issued: Mapped[int]
    per_customer: Mapped[int | None]
    """Vouchers that one customer may be given."""
    price_points: Mapped[int | None]
    """What one costs in the rewards catalogue; empty: not for points."""
    starts_at: Mapped[datetime | None] = mapped_column(UtcTime)
    ends_at: Mapped[datetime | None] = mapped_column(UtcTime)
    valid_days: Mapped[int | None]
    """Days after the day it was given that a voucher can be used, within `ends_at`."""
    hidden: Mapped[bool]
    """Not shown in the catalogue."""
    offer_code: Mapped[str | None] = mapped_column(Text, unique=True)
    """Whoever opens `v_CODE` is given one."""
    created_at: Mapped[datetime] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Program:
    """An offer as rules give it out; units as in VoucherProgram."""

    id: int
    shop_id: int | None
    name: str
    kind: str
    value: int
    cap: int | None
    min_order: int
    stock: int | None
    issued: int
    per_customer: int | None
    price_points: int | None
    starts_at: datetime | None
    ends_at: datetime | None
    valid_days: int | None
    hidden: bool
    offer_code: str | None


class MinOrderError(ConflictError):
    """The order is below what the voucher asks for, in đồng."""

    code = "min_order"

    def __init__(self, min_order: int) -> None:
        super().__init__(f"for orders of at least {min_order}")
        self.min_order = min_order


PROMISED = ("kind", "value", "cap", "min_order", "starts_at")
CHANGEABLE = {
    *PROMISED, "name", "stock", "per_customer", "price_points", "ends_at", "valid_days", "hidden",
}  # fmt: skip
programs = table(VoucherProgram)
FIELDS = tuple(programs.c[name] for name in Program.__dataclass_fields__)


def add(
    session: Session,
    *,
    name: str,
    kind: Kind,
    value: int = 0,
    cap: int | None = None,
    min_order: int = 0,
    stock: int | None = None,
    per_customer: int | None = None,
    price_points: int | None = None,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    valid_days: int | None = None,
    hidden: bool = False,
    shop_id: int | None = None,
) -> Program:
    """Offer something. `value` is đồng off, per cent off, or (of a gift) its worth in đồng; `cap` and `min_order` in đồng,
    `price_points` in points. Raises InvalidError naming the field that can't be right, NotFoundError (shop).
    """
    values = _checked({
        "name": name, "kind": kind.value, "value": value, "cap": cap, "min_order": min_order, "stock": stock,
        "per_customer": per_customer, "price_points": price_points, "starts_at": starts_at, "ends_at": ends_at,
        "valid_days": valid_days, "hidden": hidden,
    })  # fmt: skip
    if shop_id is not None:
        shops.get(session, shop_id)
    row = session.execute(
        insert(programs)
        .values(**values, shop_id=shop_id, issued=0, offer_code=None, created_at=now(session))
        .returning(*FIELDS)
    ).one()
    return Program(*row)


def change(session: Session, program_id: int, **values: Any) -> Program:
    """Change an offer. What its vouchers are worth (`PROMISED`) is fixed once one was given: who holds one was promised it.

    Raises InvalidError naming the field (problem `given` for what is fixed, `issued` for a stock below what is out),
    NotFoundError.
    """
    before = get(session, program_id, lock=True)
    if unknown := set(values) - CHANGEABLE:
        raise InvalidError(min(unknown), "unknown")
    was = {field: getattr(before, field) for field in CHANGEABLE}
    after = _checked(was | values)
    if before.issued:
        for field in PROMISED:
            if after[field] != was[field]:
                raise InvalidError(field, "given", after[field])
    if after["stock"] is not None and after["stock"] < before.issued:
        raise InvalidError("stock", "issued", before.issued)
    row = session.execute(update(programs).where(programs.c.id == program_id).values(**after).returning(*FIELDS)).one()
    return Program(*row)


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    """An offer's values as they may be written, or InvalidError naming the field."""
    name = re.sub(r"\s+", " ", values["name"]).strip()
    if not name or len(name) > NAME_CHARS_MAX:
        raise InvalidError("name", "length", name)
    limits = {
        "value": {Kind.AMOUNT: (1, MONEY_MAX), Kind.PERCENT: (1, 100), Kind.GIFT: (0, MONEY_MAX)}[Kind(values["kind"])],
        "cap": (1, MONEY_MAX), "min_order": (0, MONEY_MAX), "stock": (0, 1_000_000_000), "per_customer": (1, 1_000_000),
        "price_points": (1, points.POINTS_MAX), "valid_days": (0, 3_660),
    }  # fmt: skip
    for field, (low, high) in limits.items():
        if values[field] is not None and not low <= values[field] <= high:
            raise InvalidError(field, "range", values[field])
    starts_at, ends_at = values["starts_at"], values["ends_at"]
    for field, moment in (("starts_at", starts_at), ("ends_at", ends_at)):
        if moment is not None and moment.tzinfo is None:
            raise InvalidError(field, "zone", moment)
    if starts_at is not None and ends_at is not None and ends_at <= starts_at:
        raise InvalidError("ends_at", "range", ends_at)
    return values | {"name": name}


def get(session: Session, program_id: int, shop_id: int | None = None, *, lock: bool = False) -> Program:
    """A programme; raises NotFoundError, also where it is not this shop's (`shop_id`) nor every shop's."""
    query = select(*FIELDS).where(programs.c.id == program_id)
    row = session.execute(query.with_for_update() if lock else query).first()
    if row is None or (shop_id is not None and row.shop_id not in {None, shop_id}):
        raise NotFoundError("voucher program", program_id)
    return Program(*row)


def of_shop(session: Session, shop_id: int) -> list[Program]:
    """What a shop offers, the newest first."""
    rows = session.execute(
        select(*FIELDS)
        .where(or_(programs.c.shop_id.is_(None), programs.c.shop_id == shop_id))
        .order_by(programs.c.id.desc())
    )
    return [Program(*row) for row in rows]


def in_period(offer: Program, moment: datetime) -> bool:
    """Whether an offer runs at a moment: from `starts_at` on, until before `ends_at`."""
    return (offer.starts_at is None or offer.starts_at <= moment) and (offer.ends_at is None or moment < offer.ends_at)


def discount(offer: Program, order_total: int) -> int:
    """đồng that it takes off an order of `order_total`: rounded down, capped, never more than the order.

    Raises MinOrderError.
    """
    if order_total < offer.min_order:
        raise MinOrderError(offer.min_order)
    if offer.kind == Kind.AMOUNT:
        off = offer.value
    elif offer.kind == Kind.PERCENT:
        off = order_total * offer.value // 100
    else:
        off = 0
    return min(off, order_total, *([offer.cap] if offer.cap is not None else []))
