"""Voucher programmes: what a shop offers, on which orders, how many there are of it and what they cost in points.

A programme gives vouchers with a code each, or it is `shared`: one code for everybody, used as often as its stock says.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Text, func, insert, or_, select, text, true, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.points import ledger, points
from loyalty.vouchers import voucher_limits
from store import shops
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ConflictError, InvalidError, NotFoundError

NAME_CHARS_MAX = 100
MONEY_MAX = 1_000_000_000_000
"""đồng; more than this is a slip of the finger."""
LISTED_MAX = 200
LISTED_CHARS_MAX = 100
DAY_MINUTES = 24 * 60


class Kind(StrEnum):
    """What a voucher gives: đồng off, per cent off, items of the order for nothing, or something at the counter."""

    AMOUNT = "amount"
    PERCENT = "percent"
    ITEM = "item"
    GIFT = "gift"


class Stacks(StrEnum):
    """Which other vouchers may be on the same order; two are together where each allows the other."""

    ALL = "all"
    NONE = "none"
    NAMED = "named"


class Returns(StrEnum):
    """When an order that used a voucher gives it back: undone as a whole, by any refund, or never."""

    FULL = "full"
    ANY = "any"
    NEVER = "never"


_LIST = JSON(none_as_null=True)


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
    """Vouchers there are to give (of a shared code: uses); empty: no end of them."""
    issued: Mapped[int]
    per_customer: Mapped[int | None]
    """Vouchers that one customer may be given (of a shared code: uses)."""
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
    items: Mapped[list[str] | None] = mapped_column(_LIST)
    """Names or SKUs that it is for; with `categories` both empty: the whole order."""
    categories: Mapped[list[str] | None] = mapped_column(_LIST)
    times: Mapped[int | None]
    """Of free items: how many of them; empty: one."""
    branches: Mapped[list[int] | None] = mapped_column(_LIST)
    """Of an offer of every shop: those that take it; empty: all."""
    weekdays: Mapped[list[int] | None] = mapped_column(_LIST)
    """1 Monday to 7 Sunday, in the shop's time zone; empty: every day."""
    from_minute: Mapped[int | None]
    """Minutes after the shop's midnight: from `from_minute` until before `until_minute`, over midnight where it is less."""
    until_minute: Mapped[int | None]
    per_day: Mapped[int | None]
    """Uses on one day (the shop's) by everybody."""
    per_customer_day: Mapped[int | None]
    """Uses on one day by one customer."""
    budget: Mapped[int | None]
    """đồng that its discounts may come to; the account `program/budget` holds what is left."""
    stacks: Mapped[str] = mapped_column(Text, server_default=text("'all'"))
    stacks_with: Mapped[list[int] | None] = mapped_column(_LIST)
    """Programmes, of an offer that stacks with named ones only."""
    shared: Mapped[bool] = mapped_column(server_default=text("false"))
    """One code for everybody; its stock is then of uses, in the account `program/stock`."""
    returns: Mapped[str] = mapped_column(Text, server_default=text("'full'"))
    image: Mapped[str | None] = mapped_column(Text)
    """The content address of its picture."""


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
    items: Sequence[str] | None = None
    categories: Sequence[str] | None = None
    times: int | None = None
    branches: Sequence[int] | None = None
    weekdays: Sequence[int] | None = None
    from_minute: int | None = None
    until_minute: int | None = None
    per_day: int | None = None
    per_customer_day: int | None = None
    budget: int | None = None
    stacks: str = Stacks.ALL.value
    stacks_with: Sequence[int] | None = None
    shared: bool = False
    returns: str = Returns.FULL.value
    image: str | None = None

    def at(self, shop_id: int) -> bool:
        """Whether a shop takes its vouchers."""
        return self.shop_id == shop_id or (self.shop_id is None and (not self.branches or shop_id in self.branches))


class MinOrderError(ConflictError):
    """The order is below what the voucher asks for, in đồng."""

    code = "min_order"

    def __init__(self, min_order: int) -> None:
        super().__init__(f"for orders of at least {min_order}")
        self.min_order = min_order


PROMISED = (
    "kind", "value", "cap", "min_order", "starts_at", "items", "categories", "times", "branches", "weekdays", "from_minute",
    "until_minute", "stacks", "stacks_with",
)  # fmt: skip
"""What a voucher is worth and where: who holds one was promised it."""
CHANGEABLE = {
    *PROMISED, "name", "stock", "per_customer", "price_points", "ends_at", "valid_days", "hidden", "per_day",
    "per_customer_day", "budget", "returns", "image",
}  # fmt: skip
programs = table(VoucherProgram)
FIELDS = tuple(programs.c[name] for name in Program.__dataclass_fields__)


def add(
    session: Session, *, name: str, kind: Kind, shop_id: int | None = None, shared: bool = False, **values: Any
) -> Program:
    """Offer something; what is left out is as in EMPTY. Units as in VoucherProgram: `value` is đồng off, per cent off, or
    (of a gift) its worth in đồng.

    Raises InvalidError naming the field that can't be right, NotFoundError (shop).
    """
    if unknown := set(values) - CHANGEABLE:
        raise InvalidError(min(unknown), "unknown")
    checked = _checked(EMPTY | values | {"name": name, "kind": Kind(kind).value}, shared=shared)
    if shop_id is not None:
        shops.get(session, shop_id)
        if checked["branches"]:
            raise InvalidError("branches", "one_shop", shop_id)
    for branch in checked["branches"] or ():
        shops.get(session, branch)
    row = session.execute(
        insert(programs)
        .values(**checked, shop_id=shop_id, shared=shared, issued=0, offer_code=None, created_at=now(session))
        .returning(*FIELDS)
    ).one()
    made = Program(*row)
    _fund(session, made)
    return made


def change(session: Session, program_id: int, **values: Any) -> Program:
    """Change an offer. What its vouchers are worth (`PROMISED`) is fixed once one was given: who holds one was promised it.

    Raises InvalidError naming the field (problem `given` for what is fixed, `issued` for a stock below what is out, `spent`
    for a budget below what is spent or set aside), NotFoundError.
    """
    before = get(session, program_id, lock=True)
    if unknown := set(values) - CHANGEABLE:
        raise InvalidError(min(unknown), "unknown")
    was = {field: getattr(before, field) for field in CHANGEABLE}
    after = _checked(was | values, shared=before.shared)
    if before.issued:
        for field in PROMISED:
            if after[field] != was[field]:
                raise InvalidError(field, "given", after[field])
    if after["stock"] is not None and after["stock"] < before.issued:
        raise InvalidError("stock", "issued", before.issued)
    for branch in set(after["branches"] or ()) - set(was["branches"] or ()):
        shops.get(session, branch)
    row = session.execute(update(programs).where(programs.c.id == program_id).values(**after).returning(*FIELDS)).one()
    made = Program(*row)
    _fund(session, made)
    return made


EMPTY: dict[str, Any] = {
    "value": 0, "cap": None, "min_order": 0, "stock": None, "per_customer": None, "price_points": None,
    "starts_at": None, "ends_at": None, "valid_days": None, "hidden": False, "items": None, "categories": None,
    "times": None, "branches": None, "weekdays": None, "from_minute": None, "until_minute": None, "per_day": None,
    "per_customer_day": None, "budget": None, "stacks": Stacks.ALL.value, "stacks_with": None,
    "returns": Returns.FULL.value, "image": None,
}  # fmt: skip


def _fund(session: Session, offer: Program) -> None:
    """Bring the accounts that bound an offer to what it says."""
    voucher_limits.level(session, offer.id, "budget", offer.budget)
    if offer.shared:
        voucher_limits.level(session, offer.id, "stock", offer.stock)


def _checked(values: dict[str, Any], *, shared: bool) -> dict[str, Any]:
    """An offer's values as they may be written, or InvalidError naming the field."""
    name = re.sub(r"\s+", " ", values["name"]).strip()
    if not name or len(name) > NAME_CHARS_MAX:
        raise InvalidError("name", "length", name)
    money, many = (1, MONEY_MAX), (1, 1_000_000_000)
    limits = {
        "value": {
            Kind.AMOUNT: money, Kind.PERCENT: (1, 100), Kind.ITEM: (0, MONEY_MAX), Kind.GIFT: (0, MONEY_MAX),
        }[Kind(values["kind"])],
        "cap": money, "min_order": (0, MONEY_MAX), "stock": (0, 1_000_000_000), "per_customer": (1, 1_000_000),
        "price_points": (1, points.POINTS_MAX), "valid_days": (0, 3_660), "times": (1, 1_000), "per_day": many,
        "per_customer_day": (1, 1_000), "budget": (0, MONEY_MAX), "from_minute": (0, DAY_MINUTES - 1),
        "until_minute": (1, DAY_MINUTES),
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
    if shared and values["price_points"] is not None:
        raise InvalidError("price_points", "shared", values["price_points"])
    return values | {"name": name, **_lists(values)}


def _lists(values: dict[str, Any]) -> dict[str, Any]:
    """What an offer lists, in order and each once, nothing as None; and what must go together."""
    lists: dict[str, Any] = {}
    for field in ("items", "categories"):
        named = list(dict.fromkeys(said for one in values[field] or () if (said := " ".join(one.split()))))
        if len(named) > LISTED_MAX or any(len(one) > LISTED_CHARS_MAX for one in named):
            raise InvalidError(field, "length", len(named))
        lists[field] = named or None
    for field in ("branches", "stacks_with", "weekdays"):
        lists[field] = sorted(set(values[field] or ())) or None
    if lists["weekdays"] and not set(lists["weekdays"]) <= set(range(1, 8)):
        raise InvalidError("weekdays", "range", values["weekdays"])
    if values["kind"] == Kind.ITEM and not lists["items"] and not lists["categories"]:
        raise InvalidError("items", "empty")
    if (values["from_minute"] is None) != (values["until_minute"] is None):
        raise InvalidError("until_minute" if values["until_minute"] is None else "from_minute", "pair")
    if values["from_minute"] is not None and values["from_minute"] == values["until_minute"]:
        raise InvalidError("until_minute", "range", values["until_minute"])
    stacks, returns = values["stacks"], values["returns"]
    if stacks not in set(Stacks):
        raise InvalidError("stacks", "unknown", stacks)
    if returns not in set(Returns):
        raise InvalidError("returns", "unknown", returns)
    if stacks != Stacks.NAMED:
        lists["stacks_with"] = None
    return lists


def get(session: Session, program_id: int, shop_id: int | None = None, *, lock: bool = False) -> Program:
    """A programme; raises NotFoundError, also where it is not this shop's (`shop_id`) nor every shop's.

    `lock` holds its row until the work ends: its limits stand still.
    """
    query = select(*FIELDS).where(programs.c.id == program_id)
    row = session.execute(query.with_for_update() if lock else query).first()
    if row is None or (shop_id is not None and row.shop_id not in {None, shop_id}):
        raise NotFoundError("voucher program", program_id)
    return Program(*row)


def of_shop(session: Session, shop_id: int, *, before: int | None = None, limit: int | None = None) -> list[Program]:
    """What a shop offers, the newest first; those older than number `before`, `limit` at most."""
    query = select(*FIELDS).where(or_(programs.c.shop_id.is_(None), programs.c.shop_id == shop_id))
    if before is not None:
        query = query.where(programs.c.id < before)
    return [Program(*row) for row in session.execute(query.order_by(programs.c.id.desc()).limit(limit))]


def every(session: Session) -> list[Program]:
    """What all shops offer, the oldest first."""
    return [Program(*row) for row in session.execute(select(*FIELDS).order_by(programs.c.id))]


def in_period(offer: Program, moment: datetime) -> bool:
    """Whether an offer runs at a moment: from `starts_at` on, until before `ends_at`."""
    return (offer.starts_at is None or offer.starts_at <= moment) and (offer.ends_at is None or moment < offer.ends_at)


def cost(offer: Program, off: int) -> int:
    """đồng that a use takes from the offer's budget: the discount, or what the gift is worth."""
    return offer.value if offer.kind == Kind.GIFT else off


def together(one: Program, other: Program) -> bool:
    """Whether vouchers of two programmes may be on the same order: where each allows the other."""
    return _allows(one, other) and _allows(other, one)


def _allows(one: Program, other: Program) -> bool:
    return one.stacks == Stacks.ALL or (one.stacks == Stacks.NAMED and other.id in (one.stacks_with or ()))


def check(session: Session) -> list[ledger.Fault]:
    """Prove that the accounts which bound an offer were filled with what it says."""
    a, faults = ledger.accounts.c, []
    for name, bound, which in (("budget", programs.c.budget, true()), ("stock", programs.c.stock, programs.c.shared)):
        had = func.coalesce(-a.balance, 0)
        rows = session.execute(
            select(programs.c.id, bound, had)
            .outerjoin(
                ledger.accounts, (a.owner == "program") & (a.owner_id == programs.c.id) & (a.name == f"{name}_source")
            )
            .where(bound.is_not(None), bound != had, which)
            .order_by(programs.c.id)
        )
        faults += [ledger.Fault(f"offer's {name}", number, int(amount), said) for number, said, amount in rows]
    return faults
