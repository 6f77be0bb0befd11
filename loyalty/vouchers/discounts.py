"""Discounts: what an offer takes off an order, line by line.

Vouchers on one order apply in a fixed order, whichever came first: free items, then per cent, then amounts, gifts last
(they take nothing off). Each sees what those before it left. So a per cent is taken of what is still to pay after free
items, and an amount comes off last and whole. What an order must come to (`min_order`) is always the bill before any
voucher. A discount is shared over the lines it is for in proportion to them, to the đồng: the lines' shares add up to it,
no line falls below 0, and all together are never more than the order.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from loyalty.orders.order_lines import spread
from loyalty.vouchers.voucher_programs import Kind, MinOrderError, Program
from store.errors import ConflictError, InvalidError
from store.text import fold

LINES_MAX = 1_000
QUANTITY_MAX = 1_000_000
APPLIES = {Kind.ITEM: 0, Kind.PERCENT: 1, Kind.AMOUNT: 2, Kind.GIFT: 3}
"""Which kind comes first on an order."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an order: `quantity` of something at `price` đồng each. `vouched`: somebody at the counter says that it is
    what the voucher is for.
    """

    price: int
    quantity: int = 1
    name: str = ""
    sku: str = ""
    category: str = ""
    vouched: bool = False


@dataclass(frozen=True, slots=True)
class Basket:
    """An order before any voucher: `total` đồng, and its lines where they are known. What the lines leave of the total
    (delivery, what isn't listed) is a part that only an offer for everything takes from.
    """

    total: int
    lines: tuple[Line, ...] = ()

    @property
    def amounts(self) -> list[int]:
        """đồng of each line, the unlisted rest last."""
        amounts = [line.price * line.quantity for line in self.lines]
        return [*amounts, self.total - sum(amounts)]


class ItemsError(ConflictError):
    """The voucher is for certain items, and none of them is on the order (or the order doesn't say what is on it)."""

    code = "items"

    def __init__(self, offer: Program) -> None:
        super().__init__(f"for {', '.join([*(offer.items or []), *(offer.categories or [])])}")
        self.items = tuple(offer.items or ())
        self.categories = tuple(offer.categories or ())


class HoursError(ConflictError):
    """The voucher is not for this hour or day of the week."""

    code = "hours"

    def __init__(self, offer: Program) -> None:
        super().__init__("not at this time")
        self.offer = offer


def basket(total: int, lines: Iterable[Line] = ()) -> Basket:
    """An order, or InvalidError("items"): lines that can't be, or that come to more than the order."""
    made = Basket(total, tuple(lines))
    sound = len(made.lines) <= LINES_MAX and all(
        line.price >= 0 and 1 <= line.quantity <= QUANTITY_MAX for line in made.lines
    )
    if not sound or made.amounts[-1] < 0:
        raise InvalidError("items", "range", total)
    return made


def read(items: Iterable[Mapping[str, Any]]) -> list[Line]:
    """The lines of an order as a shop sends them (see order_lines for the fields); one whose amount can't be read is left
    to the rest.
    """
    lines = []
    for item in items:
        quantity = item.get("quantity", 1)
        if not _whole(quantity) or not quantity:
            quantity = 1
        price: Any = item.get("price")
        if not _whole(price):
            amount = next((item[name] for name in ("paid", "total", "amount") if _whole(item.get(name))), None)
            if amount is None:
                continue
            price, quantity = (amount // quantity, quantity) if amount % quantity == 0 else (amount, 1)
        sku, category = item.get("sku") or item.get("code"), item.get("category") or item.get("group")
        lines.append(Line(int(price), int(quantity), str(item.get("name") or ""), str(sku or ""), str(category or "")))
    return lines


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def suits(offer: Program, line: Line) -> bool:
    """Whether a line is of what an offer is for: by its sku or name, or by its category, marks and case aside."""
    if not offer.items and not offer.categories:
        return True
    if line.vouched:
        return True
    named = {fold(name) for name in offer.items or ()}
    grouped = {fold(name) for name in offer.categories or ()}
    return bool({fold(line.sku), fold(line.name)} - {""} & named or {fold(line.category)} - {""} & grouped)


def meets(offer: Program, order: Basket, moment: datetime, timezone: str) -> None:
    """Whether an order meets an offer's conditions, in the shop's time zone. Raises MinOrderError, HoursError, ItemsError."""
    if order.total < offer.min_order:
        raise MinOrderError(offer.min_order)
    if not open_at(offer, moment, timezone):
        raise HoursError(offer)
    limited = offer.items or offer.categories
    if limited and not any(suits(offer, line) for line in order.lines):
        raise ItemsError(offer)


def open_at(offer: Program, moment: datetime, timezone: str) -> bool:
    """Whether an offer's weekdays and hours (the shop's) include a moment. Hours that pass midnight belong to the day on
    which they began.
    """
    local = moment.astimezone(ZoneInfo(timezone))
    minute, day = local.hour * 60 + local.minute, local.isoweekday()
    if offer.from_minute is not None and offer.until_minute is not None:
        if offer.from_minute < offer.until_minute:
            if not offer.from_minute <= minute < offer.until_minute:
                return False
        elif minute < offer.until_minute:
            day = (local - timedelta(days=1)).isoweekday()
        elif minute < offer.from_minute:
            return False
    return not offer.weekdays or day in offer.weekdays


def takes(offer: Program, order: Basket, left: Sequence[int]) -> list[int]:
    """What an offer takes off each line (the rest last), of what earlier vouchers `left` of them, in đồng."""
    limited = bool(offer.items or offer.categories)
    for_it = [suits(offer, line) for line in order.lines] + [not limited]
    weights = [amount if suiting else 0 for amount, suiting in zip(left, for_it, strict=True)]
    if offer.kind == Kind.ITEM:
        return _free_items(offer, order, weights)
    off = 0
    if offer.kind == Kind.PERCENT:
        off = sum(weights) * offer.value // 100
    elif offer.kind == Kind.AMOUNT:
        off = offer.value
    if offer.cap is not None:
        off = min(off, offer.cap)
    return spread(min(off, sum(weights)), weights)


def _free_items(offer: Program, order: Basket, weights: Sequence[int]) -> list[int]:
    """The dearest units of what it is for, as many as it gives, together no more than its cap."""
    taken = [0] * len(weights)
    units, cap = offer.times or 1, offer.cap
    for at in sorted(range(len(order.lines)), key=lambda at: -order.lines[at].price):
        line = order.lines[at]
        if not units or not weights[at]:
            continue
        count = min(units, line.quantity)
        units -= count
        off = min(weights[at], line.price * count)
        if cap is not None:
            off = min(off, cap)
            cap -= off
        taken[at] = off
    return taken


def less(left: Sequence[int], taken: Sequence[int]) -> list[int]:
    """What is left of each line."""
    return [amount - off for amount, off in zip(left, taken, strict=True)]


def place(offer: Program) -> tuple[int, int]:
    """When an offer applies on an order, among others."""
    return APPLIES[Kind(offer.kind)], offer.id


def alone(offer: Program, order: Basket) -> int:
    """đồng that it takes off an order on which nothing else was taken off."""
    return sum(takes(offer, order, order.amounts))


def stack(offers: Sequence[Program], order: Basket) -> tuple[list[int], list[int]]:
    """What each of some offers (as they are given) takes off an order together, and what that leaves of its lines."""
    left, off = order.amounts, [0] * len(offers)
    for at in sorted(range(len(offers)), key=lambda at: place(offers[at])):
        taken = takes(offers[at], order, left)
        left, off[at] = less(left, taken), sum(taken)
    return off, left
