"""Earning rules: what a plan's document may say, and what an order gives by it. Nothing here asks the store.

Points of an order = floor(sum over its lines of (what of the line stays paid × per cent) ÷ (100 × `earn_per`)), one floor
division for the whole order. Tier points = floor(all that stays ÷ `tier_per`): multipliers don't touch them. Earned `on`
"paid", the line counts what was paid for it; on "listed", what it cost before vouchers and points paid a part.

Per cent of a line: the best for the customer of the multipliers that match it and the customer's tier's own, never one upon
another; 100 where nothing matches; and one of 0 % shuts out what it matches, whatever else does. What isn't itemised has the
best of those that ask for no item.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from loyalty.orders import order_lines
from loyalty.orders.order_lines import Item
from store.errors import InvalidError
from store.text import fold

PER_MAX = 1_000_000_000
PERCENT_MAX = 1_000
BONUS_MAX = 1_000_000
MULTIPLIERS_MAX = 50
LISTED_MAX = 200
NAME_CHARS_MAX = 60
DAY_MINUTES = 1_440
ON = ("paid", "listed")


@dataclass(frozen=True, slots=True)
class Multiplier:
    """`percent` of the usual points where all that is asked for holds; what is empty asks for nothing."""

    name: str
    percent: int
    tiers: tuple[int, ...] = ()
    shops: tuple[int, ...] = ()
    items: tuple[str, ...] = ()
    """Names or article numbers of items; marks and case aside."""
    categories: tuple[str, ...] = ()
    weekdays: tuple[int, ...] = ()
    """1 Monday … 7 Sunday."""
    hours: tuple[str, ...] = ()
    """From and until (`14:00`, `16:00`: not included) on the shop's clock; over midnight where the second comes first."""
    orders: tuple[int, ...] = ()
    """Which order of the customer it is: 1 the first, 2 the second …"""
    first_day: str = ""
    last_day: str = ""
    """Days (`2026-12-31`) of the shop, both included."""

    @property
    def by_line(self) -> bool:
        return bool(self.items or self.categories)


@dataclass(frozen=True, slots=True)
class Bonuses:
    """Points given once for a cause; 0: none. A streak: `streak_visits` days with an order within `streak_days` days."""

    join: int = 0
    profile: int = 0
    birthday: int = 0
    review: int = 0
    streak: int = 0
    streak_visits: int = 5
    streak_days: int = 30


@dataclass(frozen=True, slots=True)
class Rules:
    """A plan's document, checked. `earn_per` and `tier_per`: đồng for a point and for a tier point."""

    earn_per: int = 1_000
    tier_per: int = 20_000
    on: str = "paid"
    multipliers: tuple[Multiplier, ...] = ()
    bonuses: Bonuses = field(default_factory=Bonuses)


@dataclass(frozen=True, slots=True)
class Who:
    """What the rules ask of a buyer. `percent` is the tier's own multiplier; `ordinal` the number this order has among
    theirs; both of a buyer nobody knows ask nothing.
    """

    tier_id: int | None = None
    tier: str = ""
    percent: int = 100
    ordinal: int | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """The circumstances an order first earned by, kept with it. `percent` for all of it (None: nothing matches), `why` the
    name of what gives that (a multiplier's own, or `tier:` and the tier's); `lines`: places in the plan of the multipliers
    that hold but for the item; `matched`: the names of all that raised or lowered something.
    """

    percent: int | None = None
    why: str = ""
    lines: tuple[int, ...] = ()
    matched: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Basket:
    """An order as the rules see it, money in đồng; `listed` before vouchers and points."""

    total: int
    listed: int
    refunded: int
    items: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Gives:
    """What an order gives as it stands. `matched`: (name, per cent) of what won somewhere in it."""

    points: int
    tier_points: int
    matched: tuple[tuple[str, int], ...] = ()


PLAIN = Context()


# ── The document ────────────────────────────────────────────────────────────────────────────────────


def checked(document: Mapping[str, Any]) -> Rules:
    """A plan's document as rules; raises InvalidError naming the field (`multipliers.0.percent`)."""
    _known(document, ("earn_per", "tier_per", "on", "multipliers", "bonuses"), "")
    if document.get("on", "paid") not in ON:
        raise InvalidError("on", "unknown", document["on"])
    listed = document.get("multipliers", [])
    if not isinstance(listed, list | tuple) or len(listed) > MULTIPLIERS_MAX:
        raise InvalidError("multipliers", "length", listed)
    given = document.get("bonuses", {})
    if not isinstance(given, Mapping):
        raise InvalidError("bonuses", "type", given)
    _known(given, Bonuses.__dataclass_fields__, "bonuses.")
    counts = {"streak_visits": (2, 100), "streak_days": (2, 366)}
    bonuses = Bonuses(**{
        name: _number(given, name, *counts.get(name, (0, BONUS_MAX)), f"bonuses.{name}") for name in given
    })  # fmt: skip
    if bonuses.streak and bonuses.streak_visits > bonuses.streak_days:
        raise InvalidError("bonuses.streak_visits", "range", bonuses.streak_visits)
    return Rules(
        _number(document, "earn_per", 1, PER_MAX, "earn_per"),
        _number(document, "tier_per", 1, PER_MAX, "tier_per"),
        document.get("on", "paid"),
        tuple(_multiplier(one, f"multipliers.{place}.") for place, one in enumerate(listed)),
        bonuses,
    )


def _multiplier(given: Any, path: str) -> Multiplier:
    if not isinstance(given, Mapping):
        raise InvalidError(path.rstrip("."), "type", given)
    _known(given, Multiplier.__dataclass_fields__, path)
    name = given.get("name", "")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= NAME_CHARS_MAX:
        raise InvalidError(f"{path}name", "length", name)
    days = {side: _day(given.get(side, ""), path + side) for side in ("first_day", "last_day")}
    if all(days.values()) and days["last_day"] < days["first_day"]:
        raise InvalidError(f"{path}last_day", "range", days["last_day"])
    hours = _texts(given, "hours", path)
    if hours and (len(hours) != 2 or None in (spans := [_minute(one) for one in hours]) or spans[0] == spans[1]):
        raise InvalidError(f"{path}hours", "format", list(hours))
    return Multiplier(
        name.strip(),
        _number(given, "percent", 0, PERCENT_MAX, f"{path}percent"),
        tiers=_numbers(given, "tiers", 1, 2**62, path),
        shops=_numbers(given, "shops", 1, 2**62, path),
        items=_texts(given, "items", path),
        categories=_texts(given, "categories", path),
        weekdays=_numbers(given, "weekdays", 1, 7, path),
        hours=hours,
        orders=_numbers(given, "orders", 1, 1_000, path),
        **days,
    )


def _known(given: Mapping[str, Any], names: Any, path: str) -> None:
    if unknown := {str(name) for name in given} - set(names):
        raise InvalidError(f"{path}{min(unknown)}", "unknown")


def _number(given: Mapping[str, Any], name: str, least: int, most: int, field_name: str) -> int:
    value = given.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InvalidError(field_name, "range", value)
    return value


def _numbers(given: Mapping[str, Any], name: str, least: int, most: int, path: str) -> tuple[int, ...]:
    values = given.get(name, ())
    if not isinstance(values, list | tuple) or len(values) > LISTED_MAX:
        raise InvalidError(path + name, "length", values)
    return tuple(sorted({_number({name: value}, name, least, most, path + name) for value in values}))


def _texts(given: Mapping[str, Any], name: str, path: str) -> tuple[str, ...]:
    values = given.get(name, ())
    if not isinstance(values, list | tuple) or len(values) > LISTED_MAX:
        raise InvalidError(path + name, "length", values)
    for value in values:
        if not isinstance(value, str) or not 0 < len(value.strip()) <= NAME_CHARS_MAX:
            raise InvalidError(path + name, "length", value)
    return tuple(value.strip() for value in values)


def _day(value: Any, field_name: str) -> str:
    try:
        return date.fromisoformat(value).isoformat() if value else ""
    except (TypeError, ValueError):
        raise InvalidError(field_name, "date", value) from None


def _minute(text: str) -> int | None:
    """`14:30` in minutes after midnight; None for what is no time of day."""
    hour, colon, minute = text.partition(":")
    if not (
        colon and hour.isascii() and hour.isdecimal() and minute.isascii() and minute.isdecimal() and len(minute) == 2
    ):
        return None
    found = int(hour) * 60 + int(minute)
    return found if int(minute) < 60 and found < DAY_MINUTES else None


def document_of(rules: Rules) -> dict[str, Any]:
    """Rules as the plan's JSON document; of a multiplier only what it asks for."""
    multipliers = [
        {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(one).items()
         if name in {"name", "percent"} or value}
        for one in rules.multipliers
    ]  # fmt: skip
    return {
        "earn_per": rules.earn_per, "tier_per": rules.tier_per, "on": rules.on, "multipliers": multipliers,
        "bonuses": asdict(rules.bonuses),
    }  # fmt: skip


# ── The arithmetic ──────────────────────────────────────────────────────────────────────────────────


def context(rules: Rules, who: Who, at: datetime, zone: str, shop_id: int) -> Context:
    """The circumstances of an order placed at a moment: which multipliers hold for all of it, which for some items."""
    if not rules.multipliers and who.percent == 100:
        return PLAIN
    local = at.astimezone(ZoneInfo(zone))
    open_ = [(place, one) for place, one in enumerate(rules.multipliers) if _holds(one, who, local, shop_id)]
    best = _best([(one.percent, one.name) for _, one in open_ if not one.by_line], who)
    return Context(
        best[0] if best else None, best[1] if best else "", tuple(place for place, one in open_ if one.by_line)
    )


def _holds(one: Multiplier, who: Who, local: datetime, shop_id: int) -> bool:
    if (one.tiers and who.tier_id not in one.tiers) or (one.shops and shop_id not in one.shops):
        return False
    if one.orders and who.ordinal not in one.orders:
        return False
    day = local.date().isoformat()
    if (one.first_day and day < one.first_day) or (one.last_day and day > one.last_day):
        return False
    if one.weekdays and local.isoweekday() not in one.weekdays:
        return False
    if not one.hours:
        return True
    begins, ends = (_minute(text) or 0 for text in one.hours)
    minute = local.hour * 60 + local.minute
    return begins <= minute < ends if begins < ends else minute >= begins or minute < ends


def _best(candidates: Sequence[tuple[int, str]], who: Who | None = None) -> tuple[int, str] | None:
    """The one that counts: 0 shuts out, else the most; the first of equals."""
    own = [(who.percent, f"tier:{who.tier}")] if who is not None and who.percent != 100 else []
    every = [*candidates, *own]
    return min(every, key=lambda one: (one[0] != 0, -one[0])) if every else None


def gives(rules: Rules, found: Context, basket: Basket, *, nothing_stays: bool = False) -> Gives:
    """What an order gives as it stands. `nothing_stays`: it was cancelled, or refunded whole."""
    if nothing_stays:
        return Gives(0, 0)
    if rules.on == "paid" and not found.lines:
        stays = basket.total - basket.refunded
        percent = 100 if found.percent is None else found.percent
        won = ((found.why, percent),) if found.percent is not None and stays else ()
        return Gives(stays * percent // (100 * rules.earn_per), stays // rules.tier_per, won)
    weighed, counted, matched = 0, 0, {}
    for part in order_lines.parts(
        basket.items, total=basket.total, listed=basket.listed, refunded=basket.refunded
    ):  # fmt: skip
        amount = part.stays
        if rules.on == "listed":
            amount = part.listed * part.stays // part.paid if part.paid else part.listed
        percent, why = _of_line(rules, found, part.item)
        weighed += amount * percent
        counted += amount
        if why and amount:
            matched[why] = percent
    return Gives(weighed // (100 * rules.earn_per), counted // rules.tier_per, tuple(matched.items()))


def _of_line(rules: Rules, found: Context, item: Item | None) -> tuple[int, str]:
    candidates = [(found.percent, found.why)] if found.percent is not None else []
    if item is not None:
        candidates += [
            (one.percent, one.name)
            for one in (rules.multipliers[place] for place in found.lines)
            if _asks_for(one, item)
        ]
    return _best(candidates) or (100, "")


def _asks_for(one: Multiplier, item: Item) -> bool:
    named = not one.items or any(fold(name).strip() in item.names for name in one.items)
    return named and (not one.categories or any(fold(name).strip() == item.category for name in one.categories))


def kept(rules: Rules, found: Context, basket: Basket) -> dict[str, Any]:
    """A context as an order's row keeps it, with what matched in the order as it first came: {} where nothing did."""
    if found == PLAIN:
        return {}
    return asdict(replace(found, matched=gives(rules, found, replace(basket, refunded=0)).matched))


def context_of(kept_: Mapping[str, Any] | None) -> Context:
    """The context that an order's row holds."""
    if not kept_:
        return PLAIN
    matched = tuple((str(name), int(percent)) for name, percent in kept_["matched"])
    return Context(kept_["percent"], kept_["why"], tuple(kept_["lines"]), matched)
