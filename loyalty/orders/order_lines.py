"""An order's lines as the arithmetic needs them: what of the order was paid for each, and what of that stays after refunds.

Items are kept in whatever fields a shop sends. Read of them are: `name`, `sku` (or `code`), `category` (or `group`), the
line's amount (`paid`, else `total` or `amount`, else `price` times `quantity`), and what of the line went back: `refunded`
(đồng, the total so far) or `refunded_quantity`. A line whose amount can't be read counts to what isn't itemised.

All amounts are đồng, all arithmetic is on whole numbers, and everything is a function of how the order stands now: which
refunds led there, how many and in which order, makes no difference.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from store.text import fold

AMOUNT_MAX = 1_000_000_000_000
QUANTITY_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Item:
    """An item as it was read. `names`: what it may be called by, folded; `amount` and `back` (what of it went back)."""

    names: frozenset[str]
    category: str
    amount: int
    back: int


@dataclass(frozen=True, slots=True)
class Part:
    """A line, or (`item` None) all that isn't itemised. `listed` before vouchers and points, `paid` in money, `stays` of
    what was paid after refunds.
    """

    item: Item | None
    listed: int
    paid: int
    stays: int


def read(items: Iterable[Mapping[str, Any]]) -> list[Item]:
    """The lines whose amount can be read."""
    return [found for item in items if (found := _item(item)) is not None]


def _item(item: Mapping[str, Any]) -> Item | None:
    amount = next((got for name in ("paid", "total", "amount") if (got := _whole(item.get(name))) is not None), None)
    quantity = _whole(item.get("quantity"), QUANTITY_MAX)
    if amount is None:
        price = _whole(item.get("price"))
        if price is None:
            return None
        amount = price * (1 if quantity is None else quantity)
    back = _whole(item.get("refunded"))
    if back is None:
        gone = _whole(item.get("refunded_quantity"), QUANTITY_MAX) or 0
        back = amount * min(gone, quantity or 1) // (quantity or 1)
    names = {fold(str(item[name])).strip() for name in ("name", "sku", "code") if item.get(name)}
    category = fold(str(item.get("category") or item.get("group") or "")).strip()
    return Item(frozenset(names), category, min(amount, AMOUNT_MAX), min(back, amount))


def _whole(value: Any, most: int = AMOUNT_MAX) -> int | None:
    """A whole number that may be an amount; a shop's JSON may write it as 42500.0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not value.is_integer():
        return None
    return int(value) if 0 <= value <= most else None


def spread(amount: int, weights: Sequence[int]) -> list[int]:
    """`amount` over `weights` in proportion, to the last đồng: each gets floor(amount × (weights up to and with it) ÷ all)
    less what those before it got. The parts add up to `amount`; none is above its weight where `amount` isn't above all.
    """
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    parts, reached, given = [], 0, 0
    for weight in weights:
        reached += weight
        upto = amount * reached // whole
        parts.append(upto - given)
        given = upto
    return parts


def returned(items: Iterable[Mapping[str, Any]], total: int) -> int:
    """What went back of an order by its items alone, of `total` paid."""
    return sum(_back(read(items), total))


def _paid(items: Sequence[Item], total: int) -> list[int]:
    """What was paid for each item: its amount; where these come to more than was paid (a discount on the whole order), the
    amount paid spread over them.
    """
    amounts = [item.amount for item in items]
    return spread(total, amounts) if sum(amounts) > total else amounts


def _back(items: Sequence[Item], total: int) -> list[int]:
    """What of each item's paid amount went back: no more than was paid; by quantity, in proportion."""
    return [min(item.back, paid) if item.back < item.amount else paid
            for item, paid in zip(items, _paid(items, total), strict=True)]  # fmt: skip


def parts(given: Iterable[Mapping[str, Any]], *, total: int, listed: int, refunded: int) -> list[Part]:
    """An order's parts, what isn't itemised as the last one.

    A refund that the items name counts on their lines (spread down where they name more than `refunded`). What is left of
    it, U, is spread over what still stands: with S the sum of what stands before it, part k keeps
    floor((S − U) × (s₁ + … + sₖ) ÷ S) less what the parts before it keep. Together they keep `total` − `refunded` exactly.
    """
    items = read(given)
    paid = _paid(items, total)
    paid.append(total - sum(paid))
    back = [*_back(items, total), 0]
    if sum(back) > refunded:
        back = spread(refunded, back)
    left = [one - gone for one, gone in zip(paid, back, strict=True)]
    stays = spread(total - refunded, left) if sum(left) else left
    amounts = [item.amount for item in items]
    if sum(amounts) > listed:
        amounts = spread(listed, amounts)
    amounts.append(listed - sum(amounts))
    return [Part(*row) for row in zip([*items, None], amounts, paid, stays, strict=True)]
