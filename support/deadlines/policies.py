"""Policies: how soon a shop wants to answer and to solve, by priority and tier, and who hears of it when it doesn't.

A change is a new version. A running clock keeps the version it was started by, until its ticket's priority changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, bindparam, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import InvalidError
from store.prepared import Prepared
from support.tickets import Priority

FIRST, NEXT, RESOLUTION = KINDS = ("first", "next", "resolution")
"""What a deadline is for: the first answer, each next one, the solution."""
MINUTES_MAX = 60 * 24 * 60
LEVELS_MAX = 5
WARN_PERCENT = 75

ASSIGNEE, SUPERVISORS, MANAGERS, OWNERS = AUDIENCES = ("assignee", "supervisors", "managers", "owners")
"""Whom a level tells; where there is nobody of a kind the next one is told."""

Minutes = Mapping[str, int | None]
"""Open minutes by kind; None: no deadline."""


@dataclass(frozen=True, slots=True)
class Level:
    """A rung of the ladder: who is told, and after how many open minutes past the deadline."""

    who: str
    after: int


LADDER = (Level(ASSIGNEE, 0), Level(SUPERVISORS, 30), Level(OWNERS, 120))
TARGETS: Mapping[str, Minutes] = {
    Priority.URGENT: {FIRST: 15, NEXT: 30, RESOLUTION: 4 * 60},
    Priority.HIGH: {FIRST: 30, NEXT: 60, RESOLUTION: 8 * 60},
    Priority.NORMAL: {FIRST: 60, NEXT: 120, RESOLUTION: 24 * 60},
    Priority.LOW: {FIRST: 4 * 60, NEXT: 8 * 60, RESOLUTION: 48 * 60},
}


@dataclass(frozen=True, slots=True)
class Policy:
    """A version of a shop's policy; the one that a new shop has is None's. `targets` are for everybody, `tiers` what is
    different for customers of a tier (by its number). `warn_percent`: the share of the time after which who looks after
    the ticket is warned; `told`: customers hear by when their first answer is due. Nothing of it counts where it is not `on`.
    """

    id: int | None = None
    on: bool = True
    targets: Mapping[str, Minutes] = field(default_factory=lambda: TARGETS)
    tiers: Mapping[int, Mapping[str, Minutes]] = field(default_factory=dict)
    warn_percent: int = WARN_PERCENT
    ladder: Sequence[Level] = LADDER
    told: bool = False

    def allowance(self, kind: str, priority: str, tier_id: int | None) -> timedelta | None:
        """The open time for a kind; None where there is no deadline."""
        minutes = self.targets.get(priority, {}).get(kind)
        if tier_id is not None:
            minutes = self.tiers.get(tier_id, {}).get(priority, {}).get(kind, minutes)
        return timedelta(minutes=minutes) if self.on and minutes is not None else None


class PolicyRow(Base):
    __tablename__ = "sla_policies"
    __table_args__ = (Index("ix_sla_policies_shop", "shop_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    at: Mapped[datetime] = mapped_column(UtcTime)
    """Since when it counts for new tickets."""
    is_on: Mapped[bool]
    targets: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Minutes by priority and kind."""
    tiers: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The same by tier."""
    warn_percent: Mapped[int]
    ladder: Mapped[list[Any]] = mapped_column(JSON)
    """[who, minutes] from the first level on."""
    told: Mapped[bool]


policies = table(PolicyRow)
_FIELDS = tuple(policies.c[name] for name in ("id", "is_on", "targets", "tiers", "warn_percent", "ladder", "told"))
_CURRENT = Prepared(
    select(*_FIELDS).where(policies.c.shop_id == bindparam("shop")).order_by(policies.c.id.desc()).limit(1)
)
_VERSION = Prepared(select(*_FIELDS).where(policies.c.id == bindparam("which")))


def current(session: Session, shop_id: int) -> Policy:
    """A shop's newest version."""
    found = _CURRENT(session, shop=shop_id)
    return _policy(*found[0]) if found else Policy()


def version(session: Session, policy_id: int | None) -> Policy:
    """One version, None for the one that new shops have."""
    if policy_id is None:
        return Policy()
    [found] = _VERSION(session, which=policy_id)
    return _policy(*found)


def save(session: Session, shop_id: int, policy: Policy) -> int | None:
    """Set a shop's policy for tickets to come; the number of the new version, None where nothing changed.

    Raises InvalidError: `<kind>:<priority>` or `<kind>:<priority>:<tier>` (range), `warn_percent` (range), `ladder`
    (empty, count), `ladder:<place>` (unknown, range, order).
    """
    for priority, minutes in policy.targets.items():
        _check(priority, minutes, "")
    for tier_id, targets in policy.tiers.items():
        for priority, minutes in targets.items():
            _check(priority, minutes, f":{tier_id}")
    if not 10 <= policy.warn_percent <= 100:
        raise InvalidError("warn_percent", "range", policy.warn_percent)
    if not 1 <= len(policy.ladder) <= LEVELS_MAX:
        raise InvalidError("ladder", "count", len(policy.ladder))
    last = 0
    for place, level in enumerate(policy.ladder):
        if level.who not in AUDIENCES:
            raise InvalidError(f"ladder:{place}", "unknown", level.who)
        if not 0 <= level.after <= MINUTES_MAX:
            raise InvalidError(f"ladder:{place}", "range", level.after)
        if level.after < last:
            raise InvalidError(f"ladder:{place}", "order", level.after)
        last = level.after
    before = current(session, shop_id)
    values: dict[str, Any] = {
        "on": policy.on, "warn_percent": policy.warn_percent,
        "targets": {priority: dict(minutes) for priority, minutes in policy.targets.items()},
        "tiers": {
            str(tier_id): {priority: dict(minutes) for priority, minutes in targets.items() if minutes}
            for tier_id, targets in policy.tiers.items() if any(targets.values())
        },
        "ladder": [[level.who, level.after] for level in policy.ladder], "told": policy.told,
    }  # fmt: skip
    if before.id is not None and values == _values(session, before.id):
        return None
    return int(
        session.execute(
            insert(policies)
            .values(shop_id=shop_id, at=now(session), is_on=values.pop("on"), **values)
            .returning(policies.c.id)
        ).scalar_one()
    )


def _check(priority: str, minutes: Minutes, of_tier: str) -> None:
    for kind, value in minutes.items():
        field_name = f"{kind}:{priority}{of_tier}"
        if priority not in set(Priority) or kind not in KINDS:
            raise InvalidError(field_name, "unknown")
        if value is not None and not 1 <= value <= MINUTES_MAX:
            raise InvalidError(field_name, "range", value)


def _values(session: Session, policy_id: int) -> dict[str, Any]:
    row = session.execute(select(policies).where(policies.c.id == policy_id)).one()
    return {
        "on": row.is_on, "warn_percent": row.warn_percent, "targets": row.targets, "tiers": row.tiers,
        "ladder": row.ladder, "told": row.told,
    }  # fmt: skip


def _policy(number: int, on: bool, targets: Any, tiers: Any, warn_percent: int, ladder: Any, told: bool) -> Policy:
    return Policy(
        number, on, targets, {int(tier_id): own for tier_id, own in tiers.items()}, warn_percent,
        tuple(Level(who, after) for who, after in ladder), told,
    )  # fmt: skip
