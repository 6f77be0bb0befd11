"""Composing: criteria as a form of nested groups and conditions, and back. Any page may include `composer.html`.

The form's fields carry the place of a part: `k.0-1` is the second group's kind, `f.0-1-0`, `o.…`, `v.…` and `d.…` the field,
operator, values and days of its first condition. Buttons send `act`: add, group or drop and a place.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as fresh
from typing import Any

from multidict import MultiMapping

from handlers.web.shop import fields as typed
from loyalty.outreach.segments import criteria
from loyalty.outreach.segments.criteria import All, Any_, Criteria, Not, Op, Test
from loyalty.outreach.segments.fields import FIELDS, Look
from loyalty.outreach.segments.looks import NUMBERS, Field, Kind
from store.errors import InvalidError

ROOT = "0"
DEPTH_MAX = 4
"""Groups in groups that the form offers; deeper ones, from the API, are shown all the same."""
GROUPS = ("all", "any", "none", "not_all")


@dataclass
class Part:
    """A group (`kind` one of GROUPS) or a condition (`kind` test) as it stands in the form, sound or not."""

    kind: str
    parts: list["Part"] = fresh(default_factory=list)
    field: str = "orders_count"
    op: str = ">="
    values: list[str] = fresh(default_factory=list)
    days: str = ""
    error: str = ""
    """What is wrong with its values: empty, number, unknown …"""

    @property
    def known(self) -> Field | None:
        return FIELDS.get(self.field)


def of(asked: Criteria) -> Part:
    """Criteria as a form; what stands alone is put into a group."""
    part = _part(asked)
    return part if part.kind != "test" else Part("all", [part])


def _part(asked: Criteria) -> Part:
    match asked:
        case Test(name, op, value, _, days):
            values = [str(one) for one in (value if isinstance(value, tuple) else (value,))]
            return Part("test", field=name, op=op.value, values=values, days="" if days is None else str(days))
        case All(parts):
            return Part("all", [_part(one) for one in parts])
        case Any_(parts):
            return Part("any", [_part(one) for one in parts])
        case Not(All(parts)):
            return Part("not_all", [_part(one) for one in parts])
        case Not(Any_(parts)):
            return Part("none", [_part(one) for one in parts])
        case Not(below):
            return Part("none", [_part(below)])


def read(form: MultiMapping[Any]) -> Part:
    """The form as it came, with what a button of it did."""
    places = sorted(
        {name.partition(".")[2] for name in form if name[:2] in {"k.", "f."}}, key=lambda place: _steps(place)
    )
    root = Part("all")
    by_place = {ROOT: root}
    for place in places[: criteria.TESTS_MAX * 2]:
        above, _, last = place.rpartition("-")
        kind = str(form.get(f"k.{place}", "test"))
        if place == ROOT:
            root.kind = kind if kind in GROUPS else "all"
            continue
        if above not in by_place or not last.isdecimal() or place.count("-") > criteria.DEPTH_MAX:
            continue
        if f"k.{place}" in form:
            part = Part(kind if kind in GROUPS else "all")
            by_place[place] = part
        else:
            part = Part(
                "test", field=str(form.get(f"f.{place}", "")), op=str(form.get(f"o.{place}", "")),
                values=[str(one).strip()[:200] for one in form.getall(f"v.{place}", [])], days=str(form.get(f"d.{place}", "")).strip(),
            )  # fmt: skip
        by_place[above].parts.append(part)
        by_place.setdefault(place, part)
    _act(str(form.get("act", "")), by_place, root)
    return root


def _steps(place: str) -> tuple[int, ...]:
    return tuple(int(step) if step.isdecimal() and len(step) < 6 else 0 for step in place.split("-"))


def _act(act: str, by_place: Mapping[str, Part], root: Part) -> None:
    what, _, place = act.partition(":")
    part = by_place.get(place)
    if part is None:
        return
    if what == "drop":
        above = by_place.get(place.rpartition("-")[0], root)
        above.parts = [one for one in above.parts if one is not part]
    elif what == "add" and part.kind != "test":
        part.parts.append(Part("test", values=["1"]))
    elif what == "group" and part.kind != "test":
        part.parts.append(Part("any" if part.kind == "all" else "all", [Part("test", values=["1"])]))


def settle(part: Part, seen: Look) -> None:
    """Make every condition ask for something that there is: after another field was chosen, its own operator and values."""
    for one in _tests(part):
        known = one.known
        if known is None:
            one.field, one.op, one.values, one.days = "orders_count", ">=", ["1"], ""
            continue
        if one.op not in {op.value for op in known.ops}:
            one.op = Op.IS.value if not known.ordered else Op.AT_LEAST.value
        if not known.spans:
            one.days = ""
        if one.op != Op.IN.value:
            one.values = one.values[:1]
        choices = {str(key) for key in known.choices(seen)} if known.choices else None
        if choices is not None:
            one.values = [value for value in one.values if value in choices] or sorted(
                choices, key=_first(known, seen)
            )[:1]
        elif known.kind is Kind.MONTH:
            one.values = [value for value in one.values if value in {str(month) for month in range(1, 13)}] or ["1"]
        elif known.kind in NUMBERS and not all(_number_like(value) for value in one.values):
            one.values = []


def _first(known: Field, seen: Look) -> Any:
    assert known.choices is not None
    order = [str(key) for key in known.choices(seen)]
    return order.index


def _number_like(value: str) -> bool:
    return all(sign.isdecimal() or sign in " .,;-−₫đ\u00a0" for sign in value)


def written(part: Part) -> dict[str, Any] | None:
    """The criteria that the form asks for; None where a condition can't be read: its `error` says why."""
    made = _written(part)
    return None if any(one.error for one in _tests(part)) else made


def _written(part: Part) -> dict[str, Any]:
    if part.kind == "test":
        return _test(part)
    parts = [_written(one) for one in part.parts]
    match part.kind:
        case "any":
            return {"any": parts}
        case "none":
            return {"not": {"any": parts}}
        case "not_all":
            return {"not": {"all": parts}}
    return {"all": parts}


def _test(part: Part) -> dict[str, Any]:
    known = part.known
    made: dict[str, Any] = {"field": part.field, "op": part.op}
    if known is None:
        part.error = "unknown"
        return made
    values: list[int | str] = []
    listed = [
        value for one in part.values for value in (_split(one) if part.op == "in" and not known.choices else [one])
    ]
    for value in listed:
        try:
            values.append(typed.needed({"v": value}, "v") if known.kind in NUMBERS else _words(value))
        except InvalidError as error:
            part.error = error.problem
    if not listed:
        part.error = "empty"
    if values:
        made["value"] = values if part.op == "in" else values[0]
    if part.days and known.spans:
        try:
            made["days"] = typed.needed({"d": part.days}, "d")
        except InvalidError as error:
            part.error = error.problem
    return made


def _split(value: str) -> list[str]:
    return [one.strip() for one in value.replace(",", ";").split(";") if one.strip()]


def _words(value: str) -> str:
    if not value:
        raise InvalidError("v", "empty")
    return value


def blame(part: Part, path: str, problem: str) -> None:
    """Mark the condition at a path that criteria were refused for (criteria.all.0.value)."""
    steps = [int(step) for step in path.split(".") if step.isdecimal()]
    at = part
    for step in steps:
        if step < len(at.parts):
            at = at.parts[step]
    # A `none` of one thing may stand for a bare `not`: its only part is meant.
    while at.kind != "test" and at.parts:
        at = at.parts[0]
    at.error = problem


def _tests(part: Part) -> Iterator[Part]:
    if part.kind == "test":
        yield part
    for one in part.parts:
        yield from _tests(one)
