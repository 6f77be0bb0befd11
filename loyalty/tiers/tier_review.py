"""The nightly review of tiers, and the same look without any doing: who would move if the rules were others.

A statement finds those of some thousand customers of whom the rule may have something to say; the rule itself says what. A
review that is stopped goes on where it was: its place is in the policy's row.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from loyalty.customers.customers import customers
from loyalty.points import ledger
from loyalty.tiers import qualification, tier_facts, tier_rule, tiers
from loyalty.tiers.qualification import Move, policies
from loyalty.tiers.tier_facts import Looked
from loyalty.tiers.tier_rule import Policy, Window
from loyalty.tiers.tiers import Level, Tier
from store import notices
from store.base import MICROSECOND, raw
from store.clock import day_began, midnight, now

BATCH = 3_000
"""Customers looked at before a commit: a look costs little, a commit the disk's time."""
MOVES = 200
"""Of those, moved before a commit: nobody else writes meanwhile."""
SAMPLE = 5
TELL_FROM = time(9)
"""What the night found out is told in the morning."""


class Way(NamedTuple):
    """From one tier to another, by their names; `rises`, or into the `grace` before a fall."""

    rises: bool
    grace: bool
    before: str
    after: str


@dataclass
class Outlook:
    """Who would move: how many on each way, with some of their names; `after` is how far the look has come."""

    seen: int = 0
    ways: Counter[Way] = field(default_factory=Counter)
    names: dict[Way, list[str]] = field(default_factory=dict)
    after: int | None = 0


def review_due(session: Session) -> int:
    """Do a batch of the review that is due; 0 where none is due or it is done."""
    row = session.execute(
        select(policies.c.review_after)
        .where(policies.c.id == qualification.ONLY, policies.c.review_at <= now(session))
        .with_for_update()
    ).first()
    if row is None:
        return 0
    moment, rule, ladder = now(session), qualification.policy(session), tiers.every(session)
    last = _last(session, row.review_after)
    values: dict[str, datetime | int | None]
    if last is None:
        goes_on = not rule.still or raw(session, "SELECT 1 FROM tier_watches LIMIT 1")
        values = {"review_at": _next_night(rule, moment) if goes_on else None, "review_after": 0}
    else:
        found = _may_move(session, ladder, rule, moment, row.review_after, last)
        if len(found) > MOVES:
            found, last = found[:MOVES], found[MOVES - 1].customer_id
        ids = sorted(one.customer_id for one in found)
        qualification.hold(session, ids)
        if ids and session.get_bind().dialect.name == "postgresql":
            found = tier_facts.of_many(session, rule, moment, ids)
        _move(session, ladder, rule, found, moment)
        values = {"review_after": last}
    session.execute(update(policies).where(policies.c.id == qualification.ONLY).values(**values))
    return 0 if last is None else 1


def _move(session: Session, ladder: Sequence[Tier], rule: Policy, found: Sequence[Looked], moment: datetime) -> None:
    morning = _morning(rule, moment)
    moves, told = [], []
    standings = qualification.standings_of(session, ladder, rule, found, moment)
    for looked, standing in zip(found, standings, strict=True):
        told_for = looked.told_for
        at_risk = (
            standing.tier.id == looked.facts.tier_id and standing.keep_by is not None
            and standing.keep_by - moment <= timedelta(days=rule.notice_days) and standing.keep_by != told_for
        )  # fmt: skip
        if at_risk and standing.last_day is not None:
            told_for = standing.keep_by
            params = {
                "tier": standing.tier.name, "measure": standing.measure.value, "missing": standing.missing,
                "last_day": standing.last_day.isoformat(),
            }  # fmt: skip
            told.append(("tier_at_risk", looked.customer_id, params))
        moves.append(Move(looked, standing, told_for))
    notices.tell_many(session, told, about="tier", due_at=morning)
    qualification.apply(session, ladder, moves, told_at=morning)


def _may_move(
    session: Session, ladder: Sequence[Tier], rule: Policy, moment: datetime, after: int, last: int
) -> list[Looked]:
    """Those of a stretch of customers that the rule may move or have to warn; of the others it says: as they are."""
    first = ladder[1].threshold if len(ladder) > 1 else tiers.MEASURE_MAX * 2
    # Most are on the lowest tier and have never reached the next: their orders need no look.
    some = (
        f"c.id > ? AND c.id <= ? AND (c.tier_id <> {ladder[0].id} OR {tier_facts.may_rise(rule, first)} "  # noqa: S608
        "OR EXISTS (SELECT 1 FROM tier_watches WHERE customer_id = c.id))"
    )
    theirs = f"customer_id IN (SELECT c.id FROM customers c WHERE {some})"  # noqa: S608
    statement = tier_facts.statement(rule, moment, some, theirs)
    params = [after, last] * (2 if "FROM orders" in statement else 1)
    value = "CASE WHEN early > late THEN early ELSE late END" if rule.window is Window.YEAR else "early + late"
    known = ", ".join(str(tier.id) for tier in ladder)
    up = "".join(f"WHEN {tier.id} THEN {following.threshold} " for tier, following in pairwise(ladder))
    top = f"WHEN {ladder[-1].id} THEN {tiers.MEASURE_MAX * 2} "
    keep = "".join(f"WHEN {tier.id} THEN {tier.keep} " for tier in ladder)
    least = f"CASE tier_id {keep}ELSE 0 END"
    turns_at = tier_rule.spans(rule, moment).turns_at
    near = turns_at is not None and turns_at - moment <= timedelta(days=rule.notice_days)
    rows = raw(
        session,
        f"SELECT id, tier_id, safe_until, told_for, early, late, rest FROM ({statement}) s WHERE "  # noqa: S608
        f"{value} >= CASE tier_id {up}{top}ELSE {first} END OR {value} < {least} OR rest <> 0 "
        f"OR safe_until IS NOT NULL OR told_for IS NOT NULL OR tier_id NOT IN ({known})"
        + (f" OR late < {least}" if near else "")
        + " ORDER BY id",
        params,
    )
    return tier_facts.looked(session, rule, moment, rows)


def _last(session: Session, after: int) -> int | None:
    """The last customer of the next batch; None at the end."""
    rows = raw(
        session,
        "SELECT max(id) FROM (SELECT id FROM customers WHERE id > ? ORDER BY id LIMIT ?) batch",
        (after, BATCH),
    )
    return None if rows[0][0] is None else int(rows[0][0])


def _morning(rule: Policy, moment: datetime) -> datetime:
    local = moment.astimezone(ZoneInfo(rule.zone))
    return max(moment, datetime.combine(local.date(), TELL_FROM, ZoneInfo(rule.zone)))


def _next_night(rule: Policy, moment: datetime) -> datetime:
    tomorrow = moment.astimezone(ZoneInfo(rule.zone)).date() + timedelta(days=1)
    return midnight(tomorrow, ZoneInfo(rule.zone))


def check(session: Session) -> list[ledger.Fault]:
    """Prove that everybody is on the tier that the rule gives them; a fault names the tier's number by the rule, and the one
    found. What only time has brought since midnight the night's review will do, and while one is due for new rules nothing
    can be said.
    """
    moment, rule, ladder = now(session), qualification.policy(session), tiers.every(session)
    due = session.execute(select(policies.c.review_at).where(policies.c.id == qualification.ONLY)).scalar()
    if due is not None and due <= moment:
        return []
    before = day_began(session, rule.zone).astimezone(UTC) - MICROSECOND
    faults: list[ledger.Fault] = []
    after = 0
    while (last := _last(session, after)) is not None and len(faults) < ledger.FAULTS_MAX:
        odd = _misplaced(session, ladder, rule, moment, _may_move(session, ladder, rule, moment, after, last))
        if odd and not rule.still:
            then = tier_facts.of_many(session, rule, before, sorted(odd))
            odd = _misplaced(session, ladder, rule, before, then)
        faults += [ledger.Fault("tier", number, ought, found) for number, (ought, found) in sorted(odd.items())]
        after = last
    return faults


def _misplaced(
    session: Session, ladder: Sequence[Tier], rule: Policy, moment: datetime, found: Sequence[Looked]
) -> dict[int, tuple[int, int]]:
    """By customer: the tier by the rule and the one they have, where they differ. Without one they are on the lowest."""
    standings = qualification.standings_of(session, ladder, rule, found, moment)
    pairs = {
        looked.customer_id: (standing.tier.id, looked.facts.tier_id or ladder[0].id)
        for looked, standing in zip(found, standings, strict=True)
    }
    return {number: pair for number, pair in pairs.items() if pair[0] != pair[1]}


# ── Other rules ────────────────────────────────────────────────────────────────────────────────────


def look_ahead(session: Session, levels: Sequence[Level], rule: Policy, outlook: Outlook) -> Outlook:
    """One batch of a dry run: what `save` and the review after it would do, on all that there is. Goes on from
    `outlook.after`, which is None once everybody was seen. Raises InvalidError as tiers.checked and tier_rule.checked.
    """
    tier_rule.checked(rule)
    ladder, moment, names = tiers.draft(session, levels), now(session), tiers.names(session)
    rule = replace(rule, zone=qualification.policy(session).zone)
    if outlook.after is None:
        return outlook
    last = _last(session, outlook.after)
    if last is None:
        return replace(outlook, after=None)
    ways, sample = Counter(outlook.ways), {way: list(some) for way, some in outlook.names.items()}
    places = {tier.id: rank for rank, tier in enumerate(ladder)}
    now_lowest = tiers.every(session)[0].id
    named: dict[int, Way] = {}
    for looked in _may_move(session, ladder, rule, moment, outlook.after, last):
        was = looked.facts.tier_id or now_lowest
        standing = tier_rule.qualify(ladder, rule, looked.facts, moment)
        grace = standing.safe_until is not None and looked.facts.safe_until is None and standing.tier.id == was
        if standing.tier.id == was and not grace:
            continue
        rises = not grace and places[standing.tier.id] > places.get(was, len(ladder))
        way = Way(rises, grace, names.get(was, ""), standing.tier.name)
        ways[way] += 1
        if len(sample.setdefault(way, [])) + sum(one == way for one in named.values()) < SAMPLE:
            named[looked.customer_id] = way
    if named:
        rows = session.execute(
            select(customers.c.id, customers.c.name).where(customers.c.id.in_(named)).order_by(customers.c.id)
        )
        for row in rows:
            sample[named[row.id]].append(row.name)
    return Outlook(outlook.seen + _count(session, outlook.after, last), ways, sample, last)


def _count(session: Session, after: int, last: int) -> int:
    rows = raw(
        session, "SELECT count(*) FROM customers WHERE id > ? AND id <= ? AND merged_into IS NULL", (after, last)
    )
    return int(rows[0][0])


def save(session: Session, levels: Sequence[Level], rule: Policy) -> None:
    """Make these the rules; the review that follows at once moves whom they move. Raises InvalidError as `look_ahead`."""
    tiers.save(session, levels)
    qualification.save_policy(session, rule)
