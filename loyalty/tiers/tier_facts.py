"""Tier facts: what the store knows of each customer for `tier_rule.qualify`.

The facts of one customer or of thousands come by the same statement. Tier points that no order gave (brought along from
before, see `imports`) count from the day they were written; what a merged customer had counts as it did for them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from loyalty.tiers import tier_rule
from loyalty.tiers.tier_rule import Facts, Measure, Policy, Window
from store.base import from_micros, raw, to_micros

_DAY_MICROS = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Looked:
    """A customer as the rule sees them."""

    customer_id: int
    facts: Facts
    told_for: datetime | None


_COUNTED = {Measure.TIER_POINTS: "standing_tier", Measure.SPEND: "counted", Measure.ORDERS: "1"}
_AT_HAND = {Measure.SPEND: "c.spend_total", Measure.ORDERS: "c.orders_count"}
"""What lifetime values are kept on the customer."""
_AT_MOST = _AT_HAND | {Measure.VISITS: "c.orders_count"}
"""What is kept there and no window's value is above: a day of visits has an order."""
_TIER_ACCOUNT = "LEFT JOIN accounts a ON a.owner = 'customer' AND a.owner_id = c.id AND a.name = 'tier' "


def statement(rule: Policy, moment: datetime, of_customers: str, of_orders: str) -> str:
    """SQL for: customer, tier, safe_until, told_for, early, late, and tier points that no order gave.

    All that is put into it are numbers and names of this file; `of_orders` says which orders can matter.
    """
    head = "SELECT c.id AS id, c.tier_id AS tier_id, w.safe_until AS safe_until, w.told_for AS told_for, "
    source = "FROM customers c LEFT JOIN tier_watches w ON w.customer_id = c.id "
    where = f"WHERE c.merged_into IS NULL AND {of_customers}"
    lifetime = rule.window is Window.LIFETIME
    if lifetime and rule.measure is Measure.TIER_POINTS:
        return f"{head}0 AS early, coalesce(a.balance, 0) AS late, 0 AS rest {source}{_TIER_ACCOUNT}{where}"
    if lifetime and rule.measure in _AT_HAND:
        return f"{head}0 AS early, {_AT_HAND[rule.measure]} AS late, 0 AS rest {source}{where}"
    parts = tier_rule.spans(rule, moment)
    since, turn = to_micros(parts.since), to_micros(parts.turn)
    early = f"placed_at >= {since} AND placed_at < {turn}"
    late = f"placed_at >= {turn}" + (f" AND placed_at < {to_micros(parts.end)}" if parts.end else "")
    if rule.measure is Measure.TIER_POINTS:
        # All of them, to know what none of them gave.
        only, rest = "standing_tier <> 0", "coalesce(a.balance, 0) - coalesce(f.every, 0)"
        every, source = ", CAST(sum(standing_tier) AS BIGINT) AS every", source + _TIER_ACCOUNT
    else:
        only, rest, every = f"counted > 0 AND placed_at >= {since}", "0", ""
    counted = (
        f"SELECT customer_id, {_sum(rule, early)} AS early, {_sum(rule, late)} AS late{every} "  # noqa: S608
        f"FROM orders WHERE {of_orders} AND {only} GROUP BY customer_id"
    )
    return (
        f"{head}coalesce(f.early, 0) AS early, coalesce(f.late, 0) AS late, {rest} AS rest "
        f"{source}LEFT JOIN ({counted}) f ON f.customer_id = c.id {where}"
    )


def may_rise(rule: Policy, threshold: int) -> str:
    """SQL for: whether a customer `c` can have reached a threshold; where nothing at hand says so, anybody can."""
    return f"{_AT_MOST[rule.measure]} >= {threshold}" if rule.measure in _AT_MOST else "1 = 1"


def _sum(rule: Policy, within: str) -> str:
    if rule.measure is Measure.VISITS:
        return f"count(DISTINCT CASE WHEN {within} THEN {_day(rule.zone)} END)"
    return f"CAST(sum(CASE WHEN {within} THEN {_COUNTED[rule.measure]} ELSE 0 END) AS BIGINT)"


@lru_cache(maxsize=8)
def _day(zone: str) -> str:
    """SQL for the day an order was placed on, on the zone's calendar, whatever it did with its clocks since 2000."""
    at = to_micros(datetime(2000, 1, 1, tzinfo=ZoneInfo(zone)))
    end = to_micros(datetime(2100, 1, 1, tzinfo=ZoneInfo(zone)))
    offset, whens = _offset(zone, at), []
    while at < end:
        following = min(at + 7 * _DAY_MICROS, end)
        if (turned := _offset(zone, following)) != offset:
            low, high = at, following
            while high - low > 1_000_000:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(zone, middle) == offset else (low, middle)
            whens.append(f"WHEN placed_at < {round(high, -6)} THEN {offset} ")
            offset = turned
        at = following
    shift = f"CASE {''.join(whens)}ELSE {offset} END" if whens else str(offset)
    return f"(placed_at + {shift}) / {_DAY_MICROS}"


def _offset(zone: str, micros: int) -> int:
    offset = from_micros(micros).astimezone(ZoneInfo(zone)).utcoffset()
    return 0 if offset is None else int(offset.total_seconds()) * 1_000_000


def looked(session: Session, rule: Policy, moment: datetime, rows: Sequence[Sequence[int]]) -> list[Looked]:
    """What rows of the statement say."""
    parts = tier_rule.spans(rule, moment)
    brought = _brought(session, [row[0] for row in rows if row[6]])
    found = []
    for number, tier_id, safe_until, told_for, early, late, _ in rows:
        more = brought.get(number, ())
        early_too = sum(amount for at, amount in more if parts.since <= at < parts.turn)
        late_too = sum(amount for at, amount in more if parts.turn <= at and (parts.end is None or at < parts.end))
        known = tier_rule.facts(rule, parts, tier_id, early + early_too, late + late_too, _moment(safe_until))
        found.append(Looked(number, known, _moment(told_for)))
    return found


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def of_many(session: Session, rule: Policy, moment: datetime, ids: Sequence[int]) -> list[Looked]:
    """The facts of these customers, merged ones aside."""
    if not ids:
        return []
    marks = ", ".join("?" * len(ids))
    sql = statement(rule, moment, f"c.id IN ({marks})", f"customer_id IN ({marks})")
    return looked(session, rule, moment, raw(session, sql, [*ids, *ids] if "FROM orders" in sql else ids))


def _brought(session: Session, ids: Sequence[int]) -> Mapping[int, list[tuple[datetime, int]]]:
    """When, and how many, tier points customers were given otherwise than by an order; what they had before a merge too."""
    found: dict[int, list[tuple[datetime, int]]] = {}
    owners = {number: number for number in ids}
    layer = list(ids)
    while layer:
        marks = ", ".join("?" * len(layer))
        kin = raw(session, f"SELECT id, merged_into FROM customers WHERE merged_into IN ({marks})", layer)  # noqa: S608
        owners |= {number: owners[into] for number, into in kin}
        layer = [number for number, _ in kin]
    everyone = list(owners)
    marks = ", ".join("?" * len(everyone))
    for side, sign in (("target_id", 1), ("source_id", -1)):
        if not everyone:
            break
        rows = raw(
            session,
            f"SELECT a.owner_id, t.at, p.amount FROM accounts a JOIN postings p ON p.{side} = a.id "  # noqa: S608
            "JOIN transfers t ON t.id = p.transfer_id WHERE a.owner = 'customer' AND a.name = 'tier' "
            f"AND a.owner_id IN ({marks}) AND t.order_id IS NULL AND t.kind <> 'merge'",
            everyone,
        )
        for owner, at, amount in rows:
            found.setdefault(owners[owner], []).append((from_micros(at), sign * amount))
    return found


def sliding(
    session: Session, rule: Policy, keeps: Mapping[int, tuple[Facts, int]], moment: datetime
) -> dict[int, Facts]:
    """Facts with the exact moment at which what counts over a rolling window falls below what their tier's keep is (with
    the facts in `keeps`, by customer), and what is left then.
    """
    if not keeps:
        return {}
    parts = tier_rule.spans(rule, moment)
    counted = "placed_at" if rule.measure is Measure.VISITS else _COUNTED[rule.measure]
    marks = ", ".join("?" * len(keeps))
    rows = raw(
        session,
        f"SELECT customer_id, placed_at, {counted} FROM orders WHERE customer_id IN ({marks}) AND counted > 0 "  # noqa: S608
        "AND placed_at >= ? AND placed_at < ?",
        (*keeps, to_micros(parts.since), to_micros(parts.turn)),
    )
    entries: dict[int, list[tuple[datetime, int]]] = {customer_id: [] for customer_id in keeps}
    for customer_id, at, amount in rows:
        entries[customer_id].append((from_micros(at), amount))
    if rule.measure is Measure.TIER_POINTS:
        for customer_id, brought in _brought(session, list(keeps)).items():
            entries[customer_id] += [one for one in brought if one[0] >= parts.since]
    return {
        customer_id: tier_rule.slid(rule, known, keep, entries[customer_id])
        for customer_id, (known, keep) in keeps.items()
    }
