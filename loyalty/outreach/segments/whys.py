"""Why: whether one customer is in or out, condition by condition, with what is so of them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, literal, select
from sqlalchemy.orm import Session

from loyalty.customers import customers
from loyalty.outreach.segments import fields
from loyalty.outreach.segments.criteria import All, Any_, Criteria, Not, Test, tests
from loyalty.outreach.segments.fields import FIELDS


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a part of criteria holds of a customer. A condition's `found` is what is so of them: a number, text, moment,
    list, or None where there is nothing or it can't be shown.
    """

    part: Criteria
    holds: bool
    found: Any = None
    parts: tuple["Verdict", ...] = ()


def why(session: Session, customer_id: int, criteria: Criteria, zone: str) -> Verdict:
    """Why a customer is in or out. Raises CriteriaError, NotFoundError (customer)."""
    number = customers.resolve(session, customer_id)
    seen = fields.look(session, zone, only=[number])
    fields.check(criteria, seen)
    each = list(tests(criteria))
    columns: list[Any] = [literal(1)]
    for test in each:
        known = FIELDS[test.field]
        columns.append(case((known.where(seen, test), 1), else_=0))
        columns.append(known.value(seen, test) if known.value else literal(None))
    row = session.execute(
        select(*(column.label(f"c{at}") for at, column in enumerate(columns)))
        .select_from(seen.source)
        .where(customers.customers.c.id == number)
    ).one()
    found = iter([(bool(row[at]), row[at + 1]) for at in range(1, len(columns), 2)])
    return _verdict(criteria, found)


def _verdict(part: Criteria, found: Any) -> Verdict:
    """The conditions' verdicts are taken in the order in which `tests` names them."""
    match part:
        case Test():
            holds, value = next(found)
            return Verdict(part, holds, value)
        case Not(below):
            inner = _verdict(below, found)
            return Verdict(part, not inner.holds, parts=(inner,))
        case All(parts) | Any_(parts):
            each = tuple(_verdict(one, found) for one in parts)
            holds = all(one.holds for one in each) if isinstance(part, All) else any(one.holds for one in each)
            return Verdict(part, holds, parts=each)
