"""Looks: one asking of the database about customers, with the tables that joined them for it; and the shapes of fields."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, FromClause, Select, and_, case, false, func, not_, or_, true
from sqlalchemy.orm import Session

from loyalty.customers.customers import customers
from loyalty.customers.facts import facts
from loyalty.outreach.segments.criteria import Op, Test
from loyalty.points import ledger
from loyalty.tiers import tiers
from loyalty.tiers.tiers import Tier
from store import clock, shops

EQUAL = frozenset({Op.IS, Op.IS_NOT, Op.IN})


class Kind(StrEnum):
    """What values a field takes."""

    NUMBER = "number"
    MONEY = "money"
    """đồng."""
    DAYS = "days"
    """Whole days ago."""
    MONTH = "month"
    CHOICE = "choice"
    """One of some words."""
    RECORD = "record"
    """The number of a shop, a campaign, a list …"""
    TEXT = "text"


NUMBERS = frozenset({Kind.NUMBER, Kind.MONEY, Kind.DAYS, Kind.MONTH, Kind.RECORD})


@dataclass
class Look:
    """One asking: whose calendar, which tiers, of which customers only (None: all), and the tables that joined for it."""

    session: Session
    zone: str
    moment: datetime
    ladder: list[Tier]
    only: Sequence[int] | None = None
    source: FromClause = customers
    _joined: dict[str, ColumnElement[Any]] = field(default_factory=dict)

    @property
    def today(self) -> date:
        return self.moment.astimezone(ZoneInfo(self.zone)).date()

    def midnight(self, days_ago: int) -> datetime:
        """The beginning of the day that many days ago."""
        return clock.midnight(self.today - timedelta(days=days_ago), ZoneInfo(self.zone))

    def mine(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Narrows a table to the customers who are looked at, so that a look at one of them is a look into an index."""
        return true() if self.only is None else column.in_(self.only)

    def shops(self) -> list[shops.Shop]:
        return shops.every(self.session)

    def balance(self, name: str) -> ColumnElement[int]:
        """The balance of a customer's account, 0 where they have none."""

        def join() -> ColumnElement[int]:
            held = ledger.accounts.alias(f"held_{name}")
            on = and_(held.c.owner == "customer", held.c.owner_id == customers.c.id, held.c.name == name)
            self.source = self.source.outerjoin(held, on)
            return func.coalesce(held.c.balance, 0)

        return self._once(f"balance {name}", join)

    def fact(self, name: str) -> ColumnElement[int]:
        """A customer's fact; NULL where it was never set."""

        def join() -> ColumnElement[int]:
            kept = facts.alias(f"fact_{name}")
            self.source = self.source.outerjoin(kept, and_(kept.c.name == name, kept.c.customer_id == customers.c.id))
            return kept.c.value

        return self._once(f"fact {name}", join)

    def each(self, key: str, query: Callable[[], Select[Any]]) -> ColumnElement[Any]:
        """What a query that is grouped by customer says of each (its columns: the customer, the value); NULL of the others."""

        def join() -> ColumnElement[Any]:
            found = query().subquery(f"each_{len(self._joined)}")
            customer_id, value = found.c
            self.source = self.source.outerjoin(found, customer_id == customers.c.id)
            return value

        return self._once(key, join)

    def _once(self, key: str, join: Callable[[], ColumnElement[Any]]) -> ColumnElement[Any]:
        if key not in self._joined:
            self._joined[key] = join()
        return self._joined[key]


def look(session: Session, zone: str, at: datetime | None = None, only: Sequence[int] | None = None) -> Look:
    """A look at the customers (`only` these, where they are named) by the calendar of a time zone, as of today or of the
    day of a moment.
    """
    return Look(session, zone, at or clock.now(session), tiers.every(session), only)


Clause = Callable[[Look, Test], ColumnElement[bool]]
Choices = Mapping[int | str, str]
"""Values with their names; an empty name is said by the words of the page."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its `kind`, what it may be compared by, the values of a choice, and the condition of one test, never NULL.

    `spans`: a test may say within how many `days`. `value`: what is so of a customer, NULL for nothing, where that can be
    shown; a moment for DAYS.
    """

    name: str
    kind: Kind
    clause: Clause
    choices: Callable[[Look], Choices] | None = None
    ordered: bool = True
    spans: bool = False
    value: Callable[[Look, Test], ColumnElement[Any]] | None = None

    @property
    def ops(self) -> tuple[Op, ...]:
        return tuple(op for op in Op if self.ordered or op in EQUAL)

    def where(self, seen: Look, test: Test) -> ColumnElement[bool]:
        """The condition of a test by any operator."""
        if isinstance(test.value, tuple):
            return or_(
                false(),
                *(self.clause(seen, replace(test, op=Op.IS, value=one)) for one in dict.fromkeys(test.value)),
            )
        if test.op is Op.IS_NOT:
            return not_(self.clause(seen, replace(test, op=Op.IS)))
        return self.clause(seen, test)


def compared(column: ColumnElement[int], test: Test) -> ColumnElement[bool]:
    """A column that is never NULL beside the test's number."""
    value = plain(test)
    match test.op:
        case Op.LESS:
            return column < value
        case Op.AT_MOST:
            return column <= value
        case Op.MORE:
            return column > value
        case Op.AT_LEAST:
            return column >= value
    return column == value


def plain(test: Test) -> int:
    """The number of a test that has one."""
    assert isinstance(test.value, int)
    return test.value


def number(
    name: str,
    column: Callable[[Look, Test], ColumnElement[int]],
    kind: Kind = Kind.NUMBER,
    *,
    sparse: bool = False,
    spans: bool = False,
) -> Field:
    """A field that is a number of each customer; `sparse`: of some there is none."""

    def clause(seen: Look, test: Test) -> ColumnElement[bool]:
        found = column(seen, test)
        return and_(found.is_not(None), compared(found, test)) if sparse else compared(found, test)

    return Field(name, kind, clause, spans=spans, value=column)


def days(name: str, column: Callable[[Look, Test], ColumnElement[datetime | None]]) -> Field:
    """A field that is a moment, asked for by whole days ago. As a span of moments: an index of the column serves it."""

    def clause(seen: Look, test: Test) -> ColumnElement[bool]:
        at, ago = column(seen, test), plain(test)
        parts: list[ColumnElement[bool]] = [at.is_not(None)]
        if test.op in {Op.IS, Op.AT_LEAST, Op.MORE}:
            parts.append(at < seen.midnight(ago - 1 + (test.op is Op.MORE)))
        if test.op in {Op.IS, Op.AT_MOST, Op.LESS}:
            parts.append(at >= seen.midnight(ago - (test.op is Op.LESS)))
        return and_(*parts)

    return Field(name, Kind.DAYS, clause, value=column)


def within(name: str, query: Callable[[Look, Test], Select[Any]], **more: Any) -> Field:
    """A field of which a customer has a value or not, by a query for the customers who do; equal or not, no more."""

    def clause(seen: Look, test: Test) -> ColumnElement[bool]:
        # Not tied to the row: the database runs through the other table once.
        return customers.c.id.in_(query(seen, test))

    return Field(name, clause=clause, ordered=False, **more)


def yes_no(name: str, holds: Callable[[Look], ColumnElement[bool]]) -> Field:
    """A field that is so or not: the values are `yes` and `no`."""
    return Field(
        name, Kind.CHOICE, lambda seen, test: holds(seen) if test.value == "yes" else not_(holds(seen)),
        lambda _: {"yes": "", "no": ""}, ordered=False, value=lambda seen, _: case((holds(seen), "yes"), else_="no"),
    )  # fmt: skip
