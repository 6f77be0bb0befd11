"""An offer's form: an offer as its fields, its fields as an offer, and what can't be read of them in words."""

import re
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from handlers.chat import gives
from handlers.web import site
from handlers.web.shop import fields
from handlers.words import Words
from loyalty.points import lots
from loyalty.vouchers import voucher_programs
from loyalty.vouchers.voucher_programs import Kind, Program, Returns, Stacks
from store.errors import InvalidError

NUMBERS = (
    "value", "cap", "min_order", "stock", "per_customer", "price_points", "valid_days", "times", "per_day",
    "per_customer_day", "budget",
)  # fmt: skip
FIXED = {
    "kind", "value", "cap", "min_order", "starts_on", "items", "categories", "times", "from_time", "until_time", "stacks",
    *(f"day{day}" for day in range(1, 8)),
}  # fmt: skip
"""What was promised to who has a voucher; branches and offers by number are fixed with them."""
_KEPT = ("items", "categories", "branches", "weekdays", "stacks_with", "ends_at")
_MONEY_KINDS = {Kind.AMOUNT, Kind.PERCENT}
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::\d\d)?", re.ASCII)


class Filled(dict[str, str]):
    """A form for its template: a field that isn't there is empty."""

    def __missing__(self, name: str) -> str:
        return ""


def filled(said: Words, offer: Program, zone: str) -> dict[str, str]:
    """An offer as the form's fields, numbers grouped as people read them."""
    form = {"name": offer.name, "kind": offer.kind, "stacks": offer.stacks, "returns": offer.returns}
    for name in NUMBERS:
        value = getattr(offer, name)
        zero = value == 0 and name in {"value", "min_order"}
        form[name] = "" if value is None or zero else said.number(value)
    if offer.starts_at:
        form["starts_on"] = offer.starts_at.astimezone(ZoneInfo(zone)).date().isoformat()
    if offer.ends_at:
        form["ends_on"] = lots.last_day(offer.ends_at, zone).isoformat()
    form["items"], form["categories"] = "\n".join(offer.items or ()), "\n".join(offer.categories or ())
    for name, minutes in (("from_time", offer.from_minute), ("until_time", offer.until_minute)):
        if minutes is not None:
            form[name] = "00:00" if minutes == voucher_programs.DAY_MINUTES else gives.clock(minutes)
    ticked = {
        **{f"day{day}": True for day in offer.weekdays or ()}, **{f"branch{one}": True for one in offer.branches or ()},
        **{f"with{one}": True for one in offer.stacks_with or ()}, "listed": not offer.hidden,
        "everywhere": offer.shop_id is None, "shared": offer.shared,
    }  # fmt: skip
    return form | {name: "on" for name, on in ticked.items() if on}


def read(form: Mapping[str, str], zone: str) -> tuple[dict[str, Any], dict[str, InvalidError]]:
    """The form as an offer's values, and what can't be read of it by field."""
    values: dict[str, Any] = {"name": form.get("name", ""), "hidden": "listed" not in form}
    wrong: dict[str, InvalidError] = {}
    for name in NUMBERS:
        try:
            values[name] = fields.number(form, name)
        except InvalidError as error:
            wrong[name] = error
    for name, last in (("starts", False), ("ends", True)):
        try:
            values[f"{name}_at"] = fields.day(form, f"{name}_on", zone, last=last)
        except InvalidError as error:
            wrong[f"{name}_on"] = error
    for name in ("from", "until"):
        try:
            values[f"{name}_minute"] = _minutes(form, f"{name}_time")
        except InvalidError as error:
            wrong[f"{name}_time"] = error
    if values.get("until_minute") == 0:
        values["until_minute"] = voucher_programs.DAY_MINUTES
    for name in ("items", "categories"):
        values[name] = [one for line in form.get(name, "").splitlines() if (one := line.strip(" ,;"))]
    values["weekdays"] = _numbered(form, "day")
    values["branches"], values["stacks_with"] = _numbered(form, "branch"), _numbered(form, "with")
    values["stacks"] = form.get("stacks") or Stacks.ALL.value
    values["returns"] = form.get("returns") or Returns.FULL.value
    kind = form.get("kind", "")
    if kind not in set(Kind):
        wrong["kind"] = InvalidError("kind", "unknown", kind)
        return values, wrong
    values["kind"] = kind
    _by_kind(Kind(kind), values, wrong)
    if "shared" in form:
        values["price_points"] = None
        wrong.pop("price_points", None)
    if "min_order" in values:
        values["min_order"] = values["min_order"] or 0
    return values, wrong


def _by_kind(kind: Kind, values: dict[str, Any], wrong: dict[str, InvalidError]) -> None:
    """Leave out what this kind doesn't ask for, and miss what it needs."""
    unasked = {
        Kind.AMOUNT: ("cap", "times"), Kind.PERCENT: ("times",), Kind.ITEM: ("value",),
        Kind.GIFT: ("value", "cap", "times"),
    }[kind]  # fmt: skip
    for name in unasked:
        values[name] = None
        wrong.pop(name, None)
    if kind is Kind.GIFT:
        values["items"] = values["categories"] = []
    if kind in _MONEY_KINDS:
        if values.get("value") is None and "value" not in wrong:
            wrong["value"] = InvalidError("value", "empty")
    else:
        values["value"] = 0


def tolerant(form: Mapping[str, str], zone: str) -> Program:
    """An offer of a form that is being filled in; what can't be read yet is left out."""
    values, _ = read(form, zone)
    numbers = {name: values.get(name) for name in NUMBERS if values.get(name) is not None}
    kept = {name: values.get(name) for name in _KEPT}
    hours = {name: values.get(name) for name in ("from_minute", "until_minute")}
    if None in hours.values():
        hours = dict.fromkeys(hours)
    empty = dict.fromkeys(("cap", "stock", "per_customer", "price_points", "ends_at", "valid_days"))
    return Program(**{
        **empty, "id": 0, "shop_id": None, "kind": values.get("kind", Kind.PERCENT.value), "value": 0, "min_order": 0,
        "issued": 0, "starts_at": None, "hidden": False, "offer_code": None, **numbers, **kept, **hours,
        "name": " ".join(form.get("name", "").split())[: voucher_programs.NAME_CHARS_MAX],
        "stacks": values["stacks"], "returns": values["returns"], "shared": "shared" in form,
    })  # fmt: skip


def _minutes(form: Mapping[str, str], name: str) -> int | None:
    text = form.get(name, "")
    if not text:
        return None
    found = _CLOCK.fullmatch(text)
    if not found:
        raise InvalidError(name, "time", text[:40])
    return int(found[1]) * 60 + int(found[2])


def _numbered(form: Mapping[str, str], prefix: str) -> list[int]:
    """The numbers of ticked boxes: `day1` and `day5` are 1 and 5."""
    found = (re.fullmatch(rf"{prefix}([1-9]\d{{0,14}})", name, re.ASCII) for name in form)
    return sorted(int(one[1]) for one in found if one)


def errors(said: Words, wrong: Mapping[str, InvalidError], raised: InvalidError) -> dict[str, str]:
    """What is wrong, in words by field."""
    names = {
        "starts_at": "starts_on", "ends_at": "ends_on", "from_minute": "from_time", "until_minute": "until_time",
        "code": "shared_code",
    }  # fmt: skip
    field = names.get(raised.field, raised.field)
    return {name: _problem(said, name, error) for name, error in {**wrong, field: raised}.items()}


def _problem(said: Words, field: str, error: InvalidError) -> str:
    if error.problem == "number":
        return said("Write a whole number, for example 30,000.")
    if error.problem == "date":
        return said("Choose a day from the calendar.")
    if error.problem in {"time", "pair"}:
        return said("Give both hours, for example 14:00 and 17:00.")
    spent = said.money(error.value) if field == "budget" and isinstance(error.value, int) else ""
    known = {
        ("name", "length"): said("Give it a name of 1 to 100 letters, for example “Free iced tea”."),
        ("kind", "unknown"): said("Choose what the voucher gives."),
        ("value", "empty"): said("How much is taken off?"),
        ("value", "range"): said("A percentage is between 1 and 100, an amount above 0 ₫."),
        ("cap", "range"): said("The most that is taken off must be above 0 ₫. Leave it empty for no limit."),
        ("min_order", "range"): said("The smallest order can't be below 0 ₫."),
        ("stock", "range"): said("How many there are must be 0 or more. Leave it empty for no limit."),
        ("stock", "issued"): said("{n} were given out already, so there can't be fewer.", n=error.value),
        ("stock", "spent"): said("{n} were used already, so there can't be fewer.", n=error.value),
        ("per_customer", "range"): said("At least 1 for each customer. Leave it empty for no limit."),
        ("per_day", "range"): said("At least 1. Leave it empty for no limit."),
        ("per_customer_day", "range"): said("At least 1. Leave it empty for no limit."),
        ("times", "range"): said("Between 1 and 1,000."),
        ("price_points", "range"): said("The price is at least 1 point. Leave it empty if points can't buy it."),
        ("valid_days", "range"): said("Between 0 and 3,660 days. Leave it empty if it lasts until the offer ends."),
        ("ends_on", "range"): said("The last day can't be before the first."),
        ("until_time", "range"): said("The hours must differ."),
        ("items", "empty"): said("Which item is free? Name it as it stands on the bill, or name a category."),
        ("items", "length"): said("At most 200 lines of up to 100 letters."),
        ("categories", "length"): said("At most 200 lines of up to 100 letters."),
        ("budget", "range"): said("A budget is 0 ₫ or more. Leave it empty for no limit."),
        ("budget", "spent"): said("{amount} are spent or set aside already, so it can't be less.", amount=spent),
        ("shared_code", "format"): said("A code has 4 to 40 letters (without marks) or digits, for example TET2027."),
        ("shared_code", "taken"): said("Another offer has this code already."),
        ("shared_code", "empty"): said("Which code shall everybody use? For example TET2027."),
    }  # fmt: skip
    return known.get((field, error.problem)) or site.say(said, error)
