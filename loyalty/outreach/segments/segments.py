"""Segments: groups of customers by criteria, always current. Counted and sampled without being kept."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from loyalty.customers.customers import customers
from loyalty.outreach.segments import fields
from loyalty.outreach.segments.criteria import Criteria, CriteriaError, parse

SAMPLE = 20


@dataclass(frozen=True, slots=True)
class Preview:
    """How many fit, and some of them: the newest."""

    count: int
    sample: list[int]


@dataclass(frozen=True, slots=True)
class Person:
    """A customer in a sample."""

    id: int
    name: str
    phone: str | None
    orders: int
    spent: int
    last_order_at: datetime | None


def preview(session: Session, criteria: Criteria, zone: str, sample: int = SAMPLE) -> Preview:
    """How many customers fit criteria now, and the newest of them. Raises CriteriaError."""
    found = fitting(session, criteria, zone)
    if not sample:
        return Preview(session.execute(found.with_only_columns(func.count())).scalar_one(), [])
    # Worked out once, for both: what is named twice the databases keep.
    fit = found.cte("fit")
    count = select(func.count()).select_from(fit).scalar_subquery()
    rows = session.execute(select(fit.c.id, count).order_by(fit.c.id.desc()).limit(sample)).all()
    return Preview(rows[0][1], [row[0] for row in rows]) if rows else Preview(0, [])


def members(
    session: Session, criteria: Criteria, zone: str, at: datetime | None = None, *, after: int = 0
) -> Sequence[int]:
    """The numbers of all who fit (as of a moment), in rising order, 8 bytes each: found in one go, for what a group asks of
    orders is as dear for a page of people as for all. `after`: only those beyond this number. Raises CriteriaError.
    """
    c = customers.c
    return array(
        "q", session.execute(fitting(session, criteria, zone, at).where(c.id > after).order_by(c.id)).scalars()
    )


def among(session: Session, criteria: Criteria, zone: str, customer_ids: Sequence[int]) -> list[int]:
    """Those of some customers who fit. Raises CriteriaError."""
    found = fitting(session, criteria, zone, only=customer_ids).where(customers.c.id.in_(customer_ids))
    return list(session.execute(found.order_by(customers.c.id)).scalars())


def holds(session: Session, criteria: Any, zone: str, customer_ids: Sequence[int]) -> set[int]:
    """Those of some customers whom criteria fit as they are kept; nobody, where they ask for something that is no longer
    there (a tier that was taken out), until they are mended.
    """
    try:
        return set(among(session, parse(criteria), zone, customer_ids))
    except CriteriaError:
        return set()


def fitting(
    session: Session, criteria: Criteria, zone: str, at: datetime | None = None, only: Sequence[int] | None = None
) -> Select[int]:
    """The query for the numbers of those who fit (as of a moment, and `only` of these, where they are named), and were neither
    merged nor erased. Raises CriteriaError.
    """
    seen = fields.look(session, zone, at, only)
    fields.check(criteria, seen)
    fits = fields.where(criteria, seen)
    c = customers.c
    return select(c.id).select_from(seen.source).where(c.merged_into.is_(None), c.erased_at.is_(None), fits)


def shown(session: Session, numbers: Sequence[int]) -> list[Person]:
    """Some customers as a list shows them, in the order asked for."""
    c = customers.c
    rows = session.execute(
        select(c.id, c.name, c.phone, c.orders_count, c.spend_total, c.last_order_at).where(c.id.in_(numbers))
    )
    found = {row.id: Person(*row) for row in rows}
    return [found[number] for number in numbers if number in found]
