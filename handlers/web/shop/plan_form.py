"""An earning plan as a form: its fields from the rules, the rules' document from its fields, and what is wrong by field."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from handlers.web.shop import fields
from handlers.words import Words
from loyalty.orders.earning import Sample
from loyalty.orders.earning_rules import MULTIPLIERS_MAX, Bonuses, Multiplier, Rules
from store.errors import InvalidError

BONUSES = ("join", "profile", "birthday", "review", "streak", "streak_visits", "streak_days")
_ITEM = re.compile(r"\s*(.+?)\s*[:=]?\s+([\d.,]+)\s*[₫đ]?\s*")


def filled(said: Words, rules: Rules) -> dict[str, str]:
    """Rules as the form's fields."""
    form = {"earn_per": said.number(rules.earn_per), "tier_per": said.number(rules.tier_per), "on": rules.on}
    form |= {f"bonus_{name}": said.number(getattr(rules.bonuses, name)) for name in BONUSES}
    for place, one in enumerate(rules.multipliers):
        form |= {f"{name}_{place}": value for name, value in _row(said, one).items()}
    return form


def _row(said: Words, one: Multiplier) -> dict[str, str]:
    row = {
        "name": one.name, "percent": said.number(one.percent), "items": ", ".join(one.items),
        "categories": ", ".join(one.categories), "first": one.first_day, "last": one.last_day,
        "begins": one.hours[0] if one.hours else "", "ends": one.hours[1] if one.hours else "",
        "orders": ",".join(map(str, one.orders)),
    }  # fmt: skip
    for name, numbers in (("day", one.weekdays), ("tier", one.tiers), ("shop", one.shops)):
        row |= {f"{name}{number}": "on" for number in numbers}
    return row


def places(form: Mapping[str, str]) -> list[int]:
    """The rows that are shown: those that hold something, and an empty one."""
    used = {int(found[1]) for name, value in form.items() if value and (found := re.fullmatch(r"name_(\d{1,3})", name))}
    spare = next((place for place in range(MULTIPLIERS_MAX) if place not in used), None)
    return [*sorted(used), *([] if spare is None else [spare])]


def document(form: Mapping[str, str]) -> tuple[dict[str, Any], list[int]]:
    """The plan's document and, for its multipliers, the rows they stand in. Raises InvalidError naming a field that isn't
    even a number.
    """
    rows = [place for place in places(form) if form.get(f"name_{place}") or form.get(f"percent_{place}")]
    values: dict[str, Any] = {
        "earn_per": fields.needed(form, "earn_per"), "tier_per": fields.needed(form, "tier_per"),
        "on": form.get("on", "paid"), "multipliers": [_multiplier(form, place) for place in rows],
        "bonuses": {
            name: getattr(Bonuses(), name) if (given := fields.number(form, f"bonus_{name}")) is None else given
            for name in BONUSES
        },
    }  # fmt: skip
    return values, rows


def _multiplier(form: Mapping[str, str], place: int) -> dict[str, Any]:
    def text(name: str) -> str:
        return form.get(f"{name}_{place}", "")

    found: dict[str, Any] = {"name": text("name"), "percent": fields.needed(form, f"percent_{place}")}
    for name in ("items", "categories"):
        if listed := [part.strip() for part in text(name).split(",") if part.strip()]:
            found[name] = listed
    if text("begins") or text("ends"):
        found["hours"] = [text("begins"), text("ends")]
    found |= {name: day for name, day in (("first_day", text("first")), ("last_day", text("last"))) if day}
    if text("orders"):
        found["orders"] = [int(part) for part in text("orders").split(",") if part.strip().isdecimal()]
    for name, kind in (("weekdays", "day"), ("tiers", "tier"), ("shops", "shop")):
        if chosen := _chosen(form, kind, place):
            found[name] = chosen
    return found


def _chosen(form: Mapping[str, str], kind: str, place: int) -> list[int]:
    wanted = re.compile(rf"{kind}(\d{{1,15}})_{place}")
    return [int(found[1]) for name, value in form.items() if value and (found := wanted.fullmatch(name))]


def field_of(error: InvalidError, rows: Sequence[int]) -> str:
    """The form's field that a refused field of the document stands in."""
    parts = error.field.split(".")
    if parts[0] == "bonuses" and len(parts) > 1:
        return f"bonus_{parts[1]}"
    if parts[0] == "multipliers" and len(parts) > 2:  # multipliers.PLACE.FIELD
        name = {"hours": "begins", "first_day": "first", "last_day": "last"}.get(parts[2], parts[2])
        return f"{name}_{rows[int(parts[1])]}"
    return error.field


def sample(form: Mapping[str, str], now: datetime, zone: str) -> Sample:
    """The sample order; what can't be read yet counts as nothing said."""

    def number(name: str, usual: int) -> int:
        try:
            found = fields.number(form, name)
        except InvalidError:
            return usual
        return usual if found is None or not 0 <= found <= 10**12 else found

    total = number("sample_total", 85_000)
    local = now.astimezone(ZoneInfo(zone))
    wanted = number("sample_day", local.isoweekday())
    hour, _, minute = form.get("sample_time", "").partition(":")
    clock = (
        (int(hour) % 24, int(minute) % 60) if hour.isdecimal() and minute.isdecimal() else (local.hour, local.minute)
    )
    ahead = timedelta(days=(wanted - local.isoweekday()) % 7)
    at = (local + ahead).replace(hour=clock[0], minute=clock[1], second=0, microsecond=0)
    return Sample(
        total, max(total, number("sample_listed", total)), at, number("sample_tier", 0) or None,
        number("sample_order", 0) or None, items(form.get("sample_items", "")),
    )  # fmt: skip


def items(text: str) -> list[dict[str, Any]]:
    """“Bánh flan 35.000; Đồ uống: 60.000”: an item by name or category and its amount, set apart by semicolons or lines."""
    found = []
    for part in re.split(r"[;\n]", text[:2_000]):
        match = _ITEM.fullmatch(part)
        digits = re.sub(r"\D", "", match[2]) if match else ""
        if match and digits:
            found.append({"name": match[1], "category": match[1], "total": int(digits[:12])})
    return found


def in_words(said: Words, name: str, percent: int) -> str:
    """“Happy hour ×1.5”."""
    rest = f"{percent % 100:02d}".rstrip("0")
    times = f"×{percent // 100}{',' if said.language == 'vi' else '.'}{rest}" if rest else f"×{percent // 100}"
    _, tier, own = name.partition("tier:")
    named = said("tier {tier}", tier=own) if tier else name
    return f"{named} {times}"
