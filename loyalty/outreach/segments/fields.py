"""Fields: what criteria may ask of a customer. Each stands, with its SQL, in the file of its theme.

A customer who has no value (never ordered, no birthday) fits no condition on the field except `!=`, which is always the
opposite of `=`. Days are whole days of the shop's calendar: an order of yesterday 23:59 is 1 day ago.
"""

from collections.abc import Mapping
from types import MappingProxyType

from sqlalchemy import ColumnElement, and_, false, not_, or_, true

from loyalty.outreach.segments import buying_fields, contact_fields, loyalty_fields, personal_fields
from loyalty.outreach.segments.criteria import All, Any_, Criteria, CriteriaError, Not, Test, tests
from loyalty.outreach.segments.looks import NUMBERS, Field, Kind, Look, look

__all__ = ["FIELDS", "Field", "Kind", "Look", "check", "look", "where"]

DAYS_MAX = 36_500
NUMBER_MAX = 10**15

FIELDS: Mapping[str, Field] = MappingProxyType({
    one.name: one
    for one in (*buying_fields.FIELDS, *loyalty_fields.FIELDS, *personal_fields.FIELDS, *contact_fields.FIELDS)
})  # fmt: skip
"""By the name criteria give them."""


def check(criteria: Criteria, seen: Look) -> None:
    """Whether criteria ask for fields that there are and values that they take. Raises CriteriaError."""
    for test in tests(criteria):
        known = FIELDS.get(test.field)
        if known is None:
            raise CriteriaError(f"{test.path}.field", "unknown", test.field)
        if test.op not in known.ops:
            raise CriteriaError(f"{test.path}.op", "unsupported", test.op.value)
        if test.days is not None and not known.spans:
            raise CriteriaError(f"{test.path}.days", "unsupported", test.days)
        if test.days is not None and not 0 <= test.days <= DAYS_MAX:
            raise CriteriaError(f"{test.path}.days", "range", test.days)
        for value in test.value if isinstance(test.value, tuple) else (test.value,):
            _check_value(known, value, f"{test.path}.value", seen)


def _check_value(known: Field, value: int | str, path: str, seen: Look) -> None:
    if isinstance(value, int) != (known.kind in NUMBERS):
        raise CriteriaError(path, "type")
    if isinstance(value, int):
        most = {Kind.DAYS: DAYS_MAX, Kind.MONTH: 12}.get(known.kind, NUMBER_MAX)
        if not -most <= value <= most:
            raise CriteriaError(path, "range", value)
    if known.choices is not None and value not in known.choices(seen):
        raise CriteriaError(path, "unknown", value)


def where(criteria: Criteria, seen: Look) -> ColumnElement[bool]:
    """The condition that `criteria`, which passed `check`, are to the rows of `seen.source` (read it afterwards)."""
    match criteria:
        case Test():
            return FIELDS[criteria.field].where(seen, criteria)
        case Not(part):
            return not_(where(part, seen))
        case All(parts):
            return and_(true(), *(where(part, seen) for part in parts))
        case Any_(parts):
            return or_(false(), *(where(part, seen) for part in parts))
