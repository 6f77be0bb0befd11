"""Criteria: who belongs to a segment, as data. `{all: […]}`, `{any: […]}`, `{not: …}` or `{field, op, value, days?}`, nested.

What a field means and which values it takes stands in `fields`. Nothing here knows the database.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from store.errors import InvalidError

DEPTH_MAX = 8
TESTS_MAX = 60
LISTED_MAX = 1_000
"""Values of one `in`."""


class Op(StrEnum):
    IS = "="
    IS_NOT = "!="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    IN = "in"


Value = int | str | tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Test:
    """One condition on one field; `value` a tuple for `in`. `days`: of a field that looks back (or ahead), so many days,
    None for all time. `path` says where it stands, for errors.
    """

    field: str
    op: Op
    value: Value
    path: str = ""
    days: int | None = None


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; everybody where there is none."""

    parts: tuple["Criteria", ...]


@dataclass(frozen=True, slots=True)
class Any_:  # noqa: N801  # `Any` is typing's
    """At least one part holds; nobody where there is none."""

    parts: tuple["Criteria", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: "Criteria"


Criteria = All | Any_ | Not | Test


class CriteriaError(InvalidError):
    """Criteria that can't be read; `field` is the path to the place, `criteria.all.0.value`."""


def parse(given: Any, path: str = "criteria") -> Criteria:
    """Criteria from JSON. What the fields are is not checked here; see `fields.check`. Raises CriteriaError."""
    read = _read(given, path, DEPTH_MAX)
    if sum(1 for _ in tests(read)) > TESTS_MAX:
        raise CriteriaError(path, "length", TESTS_MAX)
    return read


def _read(given: Any, path: str, depth: int) -> Criteria:
    if not isinstance(given, Mapping):
        raise CriteriaError(path, "type")
    if depth == 0:
        raise CriteriaError(path, "depth", DEPTH_MAX)
    kinds = [name for name in ("all", "any", "not", "field") if name in given]
    if len(kinds) != 1:
        raise CriteriaError(path, "format")
    kind = kinds[0]
    below = f"{path}.{kind}"
    if kind == "not":
        return Not(_read(given["not"], below, depth - 1))
    if kind == "field":
        return _test(given, path)
    if not isinstance(given[kind], list):
        raise CriteriaError(below, "type")
    if len(given[kind]) > TESTS_MAX:
        raise CriteriaError(below, "length", TESTS_MAX)
    parts = tuple(_read(part, f"{below}.{at}", depth - 1) for at, part in enumerate(given[kind]))
    return All(parts) if kind == "all" else Any_(parts)


def _test(given: Mapping[str, Any], path: str) -> Test:
    field, sign = given["field"], given.get("op")
    if not isinstance(field, str):
        raise CriteriaError(f"{path}.field", "type")
    try:
        op = Op(str(sign))
    except ValueError:
        raise CriteriaError(f"{path}.op", "unknown", sign) from None
    if "value" not in given:
        raise CriteriaError(f"{path}.value", "required")
    value, days = given["value"], given.get("days")
    if days is not None and (isinstance(days, bool) or not isinstance(days, int)):
        raise CriteriaError(f"{path}.days", "type")
    if op is not Op.IN:
        return Test(field, op, _value(value, f"{path}.value"), path, days)
    if not isinstance(value, list):
        raise CriteriaError(f"{path}.value", "type")
    if not 1 <= len(value) <= LISTED_MAX:
        raise CriteriaError(f"{path}.value", "length", LISTED_MAX)
    return Test(field, op, tuple(_value(one, f"{path}.value.{at}") for at, one in enumerate(value)), path, days)


def _value(value: Any, path: str) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise CriteriaError(path, "type")
    return value


def tests(criteria: Criteria) -> Iterator[Test]:
    """Every condition, as written."""
    match criteria:
        case Test():
            yield criteria
        case Not(part):
            yield from tests(part)
        case All(parts) | Any_(parts):
            for part in parts:
                yield from tests(part)


def written(criteria: Criteria) -> dict[str, Any]:
    """The JSON of criteria: what `parse` reads."""
    match criteria:
        case Test(field, op, value, _, days):
            said = {"field": field, "op": op.value, "value": list(value) if isinstance(value, tuple) else value}
            return said if days is None else {**said, "days": days}
        case Not(part):
            return {"not": written(part)}
        case All(parts):
            return {"all": [written(part) for part in parts]}
        case Any_(parts):
            return {"any": [written(part) for part in parts]}
