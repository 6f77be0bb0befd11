"""Fields: what criteria may ask of a customer, each with its values and its SQL.

A customer who has no value (never ordered, no birthday) fits no condition on the field except `!=`, which is always the
opposite of `=`. Days are whole days of the shop's calendar: an order of yesterday 23:59 is 1 day ago.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from types import MappingProxyType
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    FromClause,
    String,
    and_,
    cast,
    exists,
    extract,
    false,
    func,
    not_,
    or_,
    select,
    true,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from loyalty.customers.customers import LANGUAGES, customers, identities
from loyalty.outreach.segments.criteria import All, Any_, Criteria, CriteriaError, Not, Op, Test, tests
from loyalty.points import ledger
from loyalty.tiers import tiers
from loyalty.tiers.tiers import Tier
from store import clock

DAYS_MAX = 36_500
NUMBER_MAX = 10**15
MESSENGERS = ("telegram", "zalo", "web")
_EQUAL = frozenset({Op.IS, Op.IS_NOT, Op.IN})


class Kind(StrEnum):
    """What values a field takes."""

    NUMBER = "number"
    DAYS = "days"
    MONTH = "month"
    CHOICE = "choice"
    TEXT = "text"


@dataclass
class Look:
    """One asking of the database: whose calendar, which tiers, and the tables that joined the customers for it."""

    session: Session
    zone: str
    today: date
    ladder: list[Tier]
    source: FromClause = customers
    _joined: dict[str, ColumnElement[int]] = field(default_factory=dict)

    def balance(self, name: str) -> ColumnElement[int]:
        """The balance of a customer's account, 0 where they have none."""
        if name not in self._joined:
            held = ledger.accounts.alias(f"held_{name}")
            on = and_(held.c.owner == "customer", held.c.owner_id == customers.c.id, held.c.name == name)
            self.source = self.source.outerjoin(held, on)
            self._joined[name] = func.coalesce(held.c.balance, 0)
        return self._joined[name]

    def midnight(self, days_ago: int) -> datetime:
        """The beginning of the day that many days ago."""
        return datetime.combine(self.today - timedelta(days=days_ago), time(), ZoneInfo(self.zone))


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its `kind`, what it may be compared by, the values of a choice, and the condition of one `=`-like test."""

    name: str
    kind: Kind
    clause: Callable[[Look, Op, int | str], ColumnElement[bool]]
    choices: Callable[[Look], tuple[str, ...]] | None = None
    ordered: bool = True

    @property
    def ops(self) -> tuple[Op, ...]:
        return tuple(op for op in Op if self.ordered or op in _EQUAL)


def look(session: Session, zone: str, at: datetime | None = None) -> Look:
    """A look at the customers by the calendar of a time zone, as of today or of the day of a moment."""
    today = at.astimezone(ZoneInfo(zone)).date() if at else clock.today(session, zone)
    return Look(session, zone, today, tiers.every(session))


def check(criteria: Criteria, seen: Look) -> None:
    """Whether criteria ask for fields that there are and values that they take. Raises CriteriaError."""
    for test in tests(criteria):
        known = FIELDS.get(test.field)
        if known is None:
            raise CriteriaError(f"{test.path}.field", "unknown", test.field)
        if test.op not in known.ops:
            raise CriteriaError(f"{test.path}.op", "unsupported", test.op.value)
        for value in test.value if isinstance(test.value, tuple) else (test.value,):
            _check_value(known, value, f"{test.path}.value", seen)


def _check_value(known: Field, value: int | str, path: str, seen: Look) -> None:
    if isinstance(value, int) != (known.kind in {Kind.NUMBER, Kind.DAYS, Kind.MONTH}):
        raise CriteriaError(path, "type")
    if isinstance(value, int):
        most = {Kind.DAYS: DAYS_MAX, Kind.MONTH: 12}.get(known.kind, NUMBER_MAX)
        if not -most <= value <= most:
            raise CriteriaError(path, "range", value)
    elif known.choices is not None and value not in known.choices(seen):
        raise CriteriaError(path, "unknown", value)


def where(criteria: Criteria, seen: Look) -> ColumnElement[bool]:
    """The condition that `criteria`, which passed `check`, are to the rows of `seen.source` (read it afterwards)."""
    match criteria:
        case Test(name, op, value):
            return _tested(FIELDS[name], seen, op, value)
        case Not(part):
            return not_(where(part, seen))
        case All(parts):
            return and_(true(), *(where(part, seen) for part in parts))
        case Any_(parts):
            return or_(false(), *(where(part, seen) for part in parts))


def _tested(known: Field, seen: Look, op: Op, value: int | str | tuple[int | str, ...]) -> ColumnElement[bool]:
    if isinstance(value, tuple):
        return or_(false(), *(known.clause(seen, Op.IS, one) for one in dict.fromkeys(value)))
    if op is Op.IS_NOT:
        return not_(known.clause(seen, Op.IS, value))
    return known.clause(seen, op, value)


def _compared(column: ColumnElement[int], op: Op, value: int) -> ColumnElement[bool]:
    match op:
        case Op.LESS:
            return column < value
        case Op.AT_MOST:
            return column <= value
        case Op.MORE:
            return column > value
        case Op.AT_LEAST:
            return column >= value
    return column == value


def _number(column: Callable[[Look], ColumnElement[int]]) -> Callable[[Look, Op, int | str], ColumnElement[bool]]:
    return lambda seen, op, value: _compared(column(seen), op, int(value))


def _days(column: ColumnElement[datetime | None]) -> Callable[[Look, Op, int | str], ColumnElement[bool]]:
    """So many days ago, as a span of moments: an index of the column serves it."""

    def clause(seen: Look, op: Op, value: int | str) -> ColumnElement[bool]:
        days = int(value)
        parts: list[ColumnElement[bool]] = [column.is_not(None)]
        if op in {Op.IS, Op.AT_LEAST, Op.MORE}:
            parts.append(column < seen.midnight(days - 1 + (op is Op.MORE)))
        if op in {Op.IS, Op.AT_MOST, Op.LESS}:
            parts.append(column >= seen.midnight(days - (op is Op.LESS)))
        return and_(*parts)

    return clause


def _birthday_month(_seen: Look, op: Op, value: int | str) -> ColumnElement[bool]:
    born = customers.c.birthday
    return and_(born.is_not(None), _compared(extract("month", born), op, int(value)))


def _tier(seen: Look, op: Op, value: int | str) -> ColumnElement[bool]:
    """Compared by rank: `>=` Vàng is Vàng and all above it. Who was never judged stands on the lowest."""
    rank = next(at for at, tier in enumerate(seen.ladder) if tier.name == value)
    fits = {
        Op.LESS: seen.ladder[:rank], Op.AT_MOST: seen.ladder[: rank + 1], Op.MORE: seen.ladder[rank + 1 :],
        Op.AT_LEAST: seen.ladder[rank:],
    }.get(op, [seen.ladder[rank]])  # fmt: skip
    return func.coalesce(customers.c.tier_id, seen.ladder[0].id).in_([tier.id for tier in fits])


def _language(_seen: Look, _op: Op, value: int | str) -> ColumnElement[bool]:
    return customers.c.language == value


def _tag(seen: Look, _op: Op, value: int | str) -> ColumnElement[bool]:
    if seen.session.get_bind().dialect.name == "postgresql":
        return cast(customers.c.tags, JSONB).contains([value])
    each = func.json_each(customers.c.tags).table_valued("value")
    return exists(select(1).select_from(each).where(type_coerce(each.c.value, String) == value))


def _messenger(_seen: Look, _op: Op, value: int | str) -> ColumnElement[bool]:
    account = identities.c.account
    on = or_(account == value, account.like(f"{value}:%"))
    # Not tied to the row: the database looks through the identities once.
    return customers.c.id.in_(select(identities.c.customer_id).where(on))


FIELDS: Mapping[str, Field] = MappingProxyType({
    one.name: one
    for one in (
        Field("points", Kind.NUMBER, _number(lambda seen: seen.balance("available"))),
        Field("tier", Kind.CHOICE, _tier, lambda seen: tuple(tier.name for tier in seen.ladder)),
        Field("spend_total", Kind.NUMBER, _number(lambda _: customers.c.spend_total)),
        Field("orders_count", Kind.NUMBER, _number(lambda _: customers.c.orders_count)),
        Field("days_since_last_order", Kind.DAYS, _days(customers.c.last_order_at)),
        Field("joined_days_ago", Kind.DAYS, _days(customers.c.joined_at)),
        Field("birthday_month", Kind.MONTH, _birthday_month),
        Field("language", Kind.CHOICE, _language, lambda _: LANGUAGES, ordered=False),
        Field("tag", Kind.TEXT, _tag, ordered=False),
        Field("messenger", Kind.CHOICE, _messenger, lambda _: MESSENGERS, ordered=False),
    )
})  # fmt: skip
"""By the name criteria give them."""
