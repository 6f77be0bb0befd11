"""Qualification: the policy by which tiers are reached, where customers stand by it (`tier_rule.qualify` of `tier_facts`), and
the moves that follow.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Text, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.tiers import tier_facts, tier_gifts, tier_rule, tiers
from loyalty.tiers.tier_facts import Looked
from loyalty.tiers.tier_rule import Facts, Falling, Measure, Policy, Standing, Window, qualify
from loyalty.tiers.tiers import Tier
from store import events, notices
from store.base import Base, BigId, UtcTime, insert_rows, raw, raw_many, table, to_micros
from store.clock import now

ONLY = 1


class PolicyRow(Base):
    """How tiers are reached and kept; not there while it is a new shop's. The review's place is with it."""

    __tablename__ = "tier_policy"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    measure: Mapped[str] = mapped_column(Text)
    period: Mapped[str] = mapped_column(Text)
    """The policy's window; that word is SQL's own."""
    falling: Mapped[str] = mapped_column(Text)
    grace_days: Mapped[int]
    notice_days: Mapped[int]
    review_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """When the next review is due."""
    review_after: Mapped[int]
    """The customer up to whom the one that is going on has come."""


class WatchRow(Base):
    """A customer whose tier is in danger."""

    __tablename__ = "tier_watches"

    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), primary_key=True, autoincrement=False)
    safe_until: Mapped[datetime | None] = mapped_column(UtcTime)
    """The end of a grace or of a step's safety."""
    told_for: Mapped[datetime | None] = mapped_column(UtcTime)
    """The moment of the fall that was announced to them."""


@dataclass(frozen=True, slots=True)
class Move:
    """What the rule says of a customer: from tier `was` (None: none yet) to where they stand."""

    looked: Looked
    standing: Standing
    told_for: datetime | None = None

    @property
    def was(self) -> int | None:
        return self.looked.facts.tier_id


NEW = Policy()
policies, watches = table(PolicyRow), table(WatchRow)
_FIELDS = (
    "p.measure, p.period, p.falling, p.grace_days, p.notice_days, (SELECT timezone FROM shops ORDER BY id LIMIT 1)"
)
_POLICY = f"SELECT {_FIELDS} FROM tier_policy p WHERE p.id = 1"  # noqa: S608
_RULES = f"SELECT t.*, {_FIELDS} FROM ({tiers.EVERY}) t LEFT JOIN tier_policy p ON p.id = 1 ORDER BY t.threshold"  # noqa: S608


def policy(session: Session) -> Policy:
    """The programme's policy; a new shop's, where none was saved. Its calendar is the first shop's."""
    rows = raw(session, _POLICY)
    return _policy(rows[0]) if rows else NEW


def rules(session: Session) -> tuple[list[Tier], Policy]:
    """The tiers in use, lowest first, and the policy, in one look: it stands on the way of every `/points` and order."""
    rows = raw(session, _RULES)
    width = len(fields(Tier))
    return [Tier(*row[:width]) for row in rows], _policy(rows[0][width:])


def _policy(row: Sequence[Any]) -> Policy:
    measure, window, falling, grace_days, notice_days, zone = row
    if measure is None:
        return NEW
    return Policy(Measure(measure), Window(window), Falling(falling), grace_days, notice_days, zone)


def of(session: Session, customer_id: int) -> Standing:
    """Where a customer stands now. On the way of every `/points`."""
    return among(session, customer_id, *rules(session))


def among(session: Session, customer_id: int, ladder: list[Tier], rule: Policy) -> Standing:
    """The same, where the tiers and the policy have been looked at."""
    moment = now(session)
    found = tier_facts.of_many(session, rule, moment, [customer_id])
    if not found:
        return qualify(ladder, rule, Facts(None, 0, 0), moment)
    return standing_of(session, ladder, rule, found[0], moment)


def together(session: Session, into_id: int, gone_id: int) -> Tier:
    """On which tier two customers would stand if they were one, who keeps the first one's."""
    (ladder, rule), moment = rules(session), now(session)
    found = {one.customer_id: one.facts for one in tier_facts.of_many(session, rule, moment, [into_id, gone_id])}
    into, gone = found[into_id], found[gone_id]
    return qualify(ladder, rule, replace(into, value=into.value + gone.value), moment).tier


def retier(
    session: Session, customer_id: int, shop_id: int | None, *, quiet: bool = False, eventful: bool = True
) -> None:
    """Put a customer on the tier that is theirs by the rule; tell them (not if `quiet`), and give what reaching it brings
    (only if `eventful`).
    """
    retier_many(session, [customer_id], shop_id, quiet=quiet, eventful=eventful)


def retier_many(
    session: Session, ids: Sequence[int], shop_id: int | None, *, quiet: bool = False, eventful: bool = True
) -> None:
    """The same for many customers, by their numbers in order."""
    (ladder, rule), moment = rules(session), now(session)
    hold(session, ids)
    moves = [
        Move(one, qualify(ladder, rule, one.facts, moment), one.told_for)
        for one in tier_facts.of_many(session, rule, moment, ids)
    ]
    apply(session, ladder, moves, shop_id=shop_id, quiet=quiet, eventful=eventful)


def hold(session: Session, ids: Sequence[int]) -> None:
    """Lock customers: what is read of them from here on holds until this work's end; who changes it judges after us."""
    if ids and session.get_bind().dialect.name == "postgresql":
        marks = ", ".join("?" * len(ids))
        # NO KEY: what refers to a customer (a new order) holds their key, and two orders at once would wait for each other.
        raw(session, f"SELECT 1 FROM customers WHERE id IN ({marks}) ORDER BY id FOR NO KEY UPDATE", ids)  # noqa: S608


def standing_of(session: Session, ladder: Sequence[Tier], rule: Policy, looked: Looked, moment: datetime) -> Standing:
    """A customer's standing with the exact day on which a tier in danger is lost."""
    return standings_of(session, ladder, rule, [looked], moment)[0]


def standings_of(
    session: Session, ladder: Sequence[Tier], rule: Policy, found: Sequence[Looked], moment: datetime
) -> list[Standing]:
    """The same of many customers, in their order."""
    standings = [qualify(ladder, rule, looked.facts, moment) for looked in found]
    if rule.window is not Window.ROLLING:
        return standings
    keeps = {
        looked.customer_id: (looked.facts, standing.tier.keep)
        for looked, standing in zip(found, standings, strict=True)
        if standing.missing and standing.safe_until is None
    }
    exact = tier_facts.sliding(session, rule, keeps, moment)
    return [
        qualify(ladder, rule, exact[looked.customer_id], moment) if looked.customer_id in exact else standing
        for looked, standing in zip(found, standings, strict=True)
    ]


# ── Moves ──────────────────────────────────────────────────────────────────────────────────────────


def apply(
    session: Session,
    ladder: Sequence[Tier],
    moves: Sequence[Move],
    *,
    shop_id: int | None = None,
    quiet: bool = False,
    eventful: bool = True,
    told_at: datetime | None = None,
) -> None:
    """Write what the rule says: tiers, their history, who is watched; tell people (from `told_at` on), give gifts."""
    places = {tier.id: rank for rank, tier in enumerate(ladder)}
    shifted = [move for move in moves if move.was != move.standing.tier.id]
    raw_many(
        session,
        "UPDATE customers SET tier_id = ? WHERE id = ?",
        [(move.standing.tier.id, move.looked.customer_id) for move in shifted],
    )
    _watch(session, moves)
    # A first tier that is the lowest is none reached.
    shifted = [move for move in shifted if (move.was or ladder[0].id) != move.standing.tier.id]
    tiers.changed(session, [(move.looked.customer_id, move.was, move.standing.tier.id) for move in shifted])
    names = tiers.names(session) if shifted else {}
    happenings: list[tuple[str, int, dict[str, Any]]] = []
    told: list[tuple[str, int, dict[str, Any]]] = []
    for move in shifted:
        customer_id, tier = move.looked.customer_id, move.standing.tier
        was = move.was or ladder[0].id
        # From a level that was taken out nobody rises.
        rose = places[tier.id] > places.get(was, len(ladder))
        kind, given = "tier_up" if rose else "tier_down", tier_gifts.Given()
        if eventful:
            happenings.append((kind, customer_id, {"tier": tier.name, "before": names.get(was, "")}))
            if rose:
                given = tier_gifts.give(session, customer_id, tier, shop_id, tell=quiet)
        if not quiet and (rose or was in places):
            said = brings(tier) | {"gift_points": given.points, "gift_voucher": given.voucher} if rose else _fell(move)
            told.append((kind, customer_id, {"tier": tier.name, **said}))
    events.happened_many(session, happenings, shop_id=shop_id)
    notices.tell_many(session, told, about="tier", shop_id=shop_id, due_at=told_at)


def _watch(session: Session, moves: Sequence[Move]) -> None:
    ended, watched = [], []
    for move in moves:
        safe_until, told_for = move.standing.safe_until, move.told_for
        if told_for is not None and move.standing.keep_by is None:
            told_for = None  # out of danger
        if (safe_until, told_for) == (move.looked.facts.safe_until, move.looked.told_for):
            continue
        ended.append((move.looked.customer_id,))
        if safe_until is not None or told_for is not None:
            times = [None if at is None else to_micros(at) for at in (safe_until, told_for)]
            watched.append((move.looked.customer_id, *times))
    raw_many(session, "DELETE FROM tier_watches WHERE customer_id = ?", ended)
    insert_rows(session, "tier_watches", "customer_id, safe_until, told_for", watched)


def brings(tier: Tier) -> dict[str, Any]:
    """What a tier brings, as a notice holds it: only what it does bring."""
    found = {
        "multiplier": tier.multiplier if tier.multiplier != 100 else 0, "price_cut": tier.price_cut,
        "price_list": tier.price_list, "priority": tier.priority, "description": tier.description,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value}


def _fell(move: Move) -> dict[str, Any]:
    standing = move.standing
    following = standing.next
    return {"measure": standing.measure.value, "missing": standing.to_next, "next": following.name if following else ""}


def save_policy(session: Session, rule: Policy) -> None:
    """Make this the policy, and have everybody reviewed by it at once. Raises InvalidError naming the field."""
    tier_rule.checked(rule)
    values = {
        "measure": rule.measure.value, "period": rule.window.value, "falling": rule.falling.value,
        "grace_days": rule.grace_days, "notice_days": rule.notice_days, "review_at": now(session), "review_after": 0,
    }  # fmt: skip
    known = session.execute(select(policies.c.id).where(policies.c.id == ONLY).with_for_update()).scalar()
    if known is None:
        session.execute(insert(policies).values(id=ONLY, **values))
    else:
        session.execute(update(policies).where(policies.c.id == ONLY).values(**values))


def forget(session: Session, from_id: int, to_id: int) -> None:  # noqa: ARG001  # called as every move of a merge
    """In a merge: the one who is gone is watched no longer; the one who lives on is judged anew."""
    raw(session, "DELETE FROM tier_watches WHERE customer_id = ?", (from_id,))
