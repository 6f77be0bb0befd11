"""The rule that says on which tier somebody stands: a pure function, shared by orders, imports, the review and a dry run.

What counts is measured over a window on the calendar of the programme's time zone:

* `lifetime`: all there ever was.
* `rolling`: the last 12 months to today, by whole days. What was bought on 21 November counts until the end of the next
  20 November.
* `year`: the calendar year. What was reached in one year is kept to the end of the next: what counts is the better of
  this year and the last. (Else everybody would fall on 1 January.)

To enter takes a level's `threshold`, to stay its `keep`. Who no longer has that falls, after the grace period where there is
one: to the level that they keep (`reevaluated`), or by one level (`step`), which is then safe for 12 months (by the
calendar year: to its end).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from loyalty.tiers.tiers import Tier
from store.base import EPOCH, MICROSECOND
from store.clock import midnight
from store.errors import InvalidError


class Measure(StrEnum):
    TIER_POINTS = "tier_points"
    SPEND = "spend"
    """đồng paid, refunds taken off."""
    VISITS = "visits"
    """Days on which something was bought and not all of it given back."""
    ORDERS = "orders"
    """Orders of which something was paid and not given back."""


class Window(StrEnum):
    LIFETIME = "lifetime"
    ROLLING = "rolling"
    YEAR = "year"


class Falling(StrEnum):
    REEVALUATED = "reevaluated"
    STEP = "step"


DAYS_MAX = 366


@dataclass(frozen=True, slots=True)
class Policy:
    """How tiers are reached and kept. `grace_days`: from losing a tier's keep to falling. `notice_days`: how long before
    a fall it is announced; 0: never.
    """

    measure: Measure = Measure.TIER_POINTS
    window: Window = Window.LIFETIME
    falling: Falling = Falling.REEVALUATED
    grace_days: int = 0
    notice_days: int = 30
    zone: str = "Asia/Ho_Chi_Minh"

    @property
    def still(self) -> bool:
        """Whether nobody moves by the mere passing of time."""
        return self.window is Window.LIFETIME and not self.grace_days and self.falling is Falling.REEVALUATED

    @property
    def by_account(self) -> bool:
        """Whether a tier is nothing but what is in the account of tier points (a new shop's policy)."""
        return self.still and self.measure is Measure.TIER_POINTS


def checked(policy: Policy) -> Policy:
    """A policy as it may be saved. Raises InvalidError naming the field."""
    for field in ("grace_days", "notice_days"):
        if not 0 <= getattr(policy, field) <= DAYS_MAX:
            raise InvalidError(field, "range", getattr(policy, field))
    return policy


@dataclass(frozen=True, slots=True)
class Spans:
    """The two parts of what counts: early is [since, turn), late [turn, end). Over a rolling window early is what slides
    out until `turns_at`; by the calendar year it is the last one, and `turns_at` this one's end.
    """

    since: datetime
    turn: datetime
    end: datetime | None
    turns_at: datetime | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a customer: the tier they hold (None: none yet), what counts now, and what of it will still count
    at `ahead_at` if nothing is bought until then. `safe_until`: a grace, or a step's safety, that is running.
    """

    tier_id: int | None
    value: int
    ahead: int
    ahead_at: datetime | None = None
    safe_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where somebody stands: on `tier`, `to_next` from the `next` one (None at the top), all in the policy's `measure`.

    Where the tier is in danger `missing` says what it takes to keep it, before `keep_by`, on the `last_day` at the latest
    (of the programme's calendar). `safe_until`: the grace, or a
    step's safety, that runs from now on; what counts is below what the tier takes.
    """

    tier: Tier
    value: int
    growing: int
    """What counts towards the next tier: by the calendar year only this year's."""
    next: Tier | None
    to_next: int
    missing: int
    keep_by: datetime | None
    last_day: date | None
    safe_until: datetime | None
    measure: Measure

    @property
    def progress(self) -> int:
        """Per cent of the way from this tier to the next."""
        if self.next is None:
            return 100
        return max(0, 100 * (self.growing - self.tier.threshold) // (self.next.threshold - self.tier.threshold))


def spans(policy: Policy, now: datetime) -> Spans:
    """What counts at a moment, in two parts."""
    today = now.astimezone(ZoneInfo(policy.zone)).date()
    if policy.window is Window.ROLLING:
        horizon = today + timedelta(days=policy.notice_days)
        return Spans(
            _midnight(_year_before(today), policy.zone), _midnight(_year_before(horizon), policy.zone), None,
            _midnight(horizon, policy.zone),
        )  # fmt: skip
    if policy.window is Window.YEAR:
        last, this, following = (_midnight(date(today.year + step, 1, 1), policy.zone) for step in (-1, 0, 1))
        return Spans(last, this, following, following)
    return Spans(EPOCH, EPOCH, None, None)


def facts(
    policy: Policy, parts: Spans, tier_id: int | None, early: int, late: int, safe_until: datetime | None
) -> Facts:
    """Facts of what was counted in each part."""
    value = max(early, late) if policy.window is Window.YEAR else early + late
    return Facts(tier_id, value, late, parts.turns_at, safe_until)


def slides_out(policy: Policy, placed_at: datetime) -> datetime:
    """When what was bought at a moment no longer counts over a rolling window."""
    day = placed_at.astimezone(ZoneInfo(policy.zone)).date()
    leap = day.month == 2 and day.day == 29
    return _midnight(date(day.year + 1, 3, 1) if leap else day.replace(year=day.year + 1), policy.zone)


def slid(policy: Policy, known: Facts, keep: int, entries: Sequence[tuple[datetime, int]]) -> Facts:
    """Facts with the exact moment at which what counts over a rolling window falls below `keep`, and what is left then;
    `entries`: what slides out before `ahead_at`, with when it was bought.
    """
    out: dict[datetime, int] = {}
    for at, amount in entries:
        day = slides_out(policy, at)
        out[day] = 1 if policy.measure is Measure.VISITS else out.get(day, 0) + amount
    left = known.value
    for day in sorted(out):
        left -= out[day]
        if left < keep:
            return replace(known, ahead=left, ahead_at=day)
    return known


def qualify(ladder: Sequence[Tier], policy: Policy, facts: Facts, now: datetime) -> Standing:
    """Where these facts stand on the ladder (lowest tier first, from 0) at this moment."""
    held, known = 0, facts.tier_id is None
    reached = kept = 0
    for rank, tier in enumerate(ladder):
        if tier.id == facts.tier_id:
            held, known = rank, True
        if tier.threshold <= facts.value:
            reached = rank
        if tier.keep <= facts.value:
            kept = rank
    safe_until = None
    if not known:
        # Their level was taken out.
        rank = kept
    elif kept >= held:
        rank = max(reached, held)
    else:
        until = facts.safe_until
        if until is None and policy.grace_days:
            until = _after(policy, now, policy.grace_days)
        if until is not None and now < until:
            rank, safe_until = held, until
        elif policy.falling is Falling.STEP:
            rank = held - 1
            safe_until = _period_end(policy, now) if kept < rank else None
        else:
            rank = kept
    tier = ladder[rank]
    following = ladder[rank + 1] if rank + 1 < len(ladder) else None
    growing = facts.ahead if policy.window is Window.YEAR else facts.value
    missing, keep_by = 0, None
    if safe_until is not None:
        missing, keep_by = tier.keep - growing, safe_until
    elif facts.ahead < tier.keep and facts.ahead_at is not None:
        missing, keep_by = tier.keep - facts.ahead, _after(policy, facts.ahead_at, policy.grace_days)
    return Standing(
        tier, facts.value, growing, following, following.threshold - growing if following else 0, missing, keep_by,
        None if keep_by is None else (keep_by - MICROSECOND).astimezone(ZoneInfo(policy.zone)).date(), safe_until,
        policy.measure,
    )  # fmt: skip


def _after(policy: Policy, moment: datetime, days: int) -> datetime:
    """The moment a day begins, so many days after that of `moment`."""
    return _midnight(moment.astimezone(ZoneInfo(policy.zone)).date() + timedelta(days=days), policy.zone)


def _period_end(policy: Policy, now: datetime) -> datetime:
    if policy.window is Window.YEAR:
        return _midnight(date(now.astimezone(ZoneInfo(policy.zone)).year + 1, 1, 1), policy.zone)
    return slides_out(policy, now)


def _year_before(day: date) -> date:
    """The first day that counts over the 12 months to `day`."""
    leap = day.month == 2 and day.day == 29
    return (date(day.year - 1, 2, 28) if leap else day.replace(year=day.year - 1)) + timedelta(days=1)


def _midnight(day: date, zone: str) -> datetime:
    return midnight(day, ZoneInfo(zone)).astimezone(UTC)
