"""The rule of the tiers by itself: a table of facts and where they stand, and the edges of its calendar."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest

from loyalty.tiers import tier_rule
from loyalty.tiers.tier_rule import Facts, Falling, Policy, Window, qualify, slides_out, spans
from loyalty.tiers.tiers import Tier
from store.errors import InvalidError

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
NOW = datetime(2026, 11, 21, 12, tzinfo=ZONE)
LADDER = [
    Tier(1, "Thành viên", 0, "stone", 0),
    Tier(2, "Bạc", 50, "silver", 40),
    Tier(3, "Vàng", 250, "honey", 200),
    Tier(4, "Bạch kim", 1_000, "ink", 1_000),
]
ROLLING = Policy(window=Window.ROLLING)
YEAR = Policy(window=Window.YEAR)


def at(*when: int) -> datetime:
    return datetime(*when, tzinfo=ZONE)  # type: ignore[misc, arg-type]


def told(policy: Policy, tier_id: int | None, value: int, safe_until: datetime | None = None) -> tier_rule.Standing:
    return qualify(LADDER, policy, Facts(tier_id, value, value, None, safe_until), NOW)


@pytest.mark.parametrize(
    ("held", "value", "stands", "to_next"),
    [
        (None, 0, "Thành viên", 50), (None, 49, "Thành viên", 1), (None, 50, "Bạc", 200), (None, 45, "Thành viên", 5),
        (1, 45, "Thành viên", 5), (2, 45, "Bạc", 205), (2, 40, "Bạc", 210), (2, 39, "Thành viên", 11),
        (1, 5_000, "Bạch kim", 0), (3, 200, "Vàng", 800), (3, 199, "Bạc", 51), (4, 999, "Vàng", 1), (4, 45, "Bạc", 205),
        (4, 39, "Thành viên", 11), (4, 1_000, "Bạch kim", 0), (1, -20, "Thành viên", 70),
        # Their level was taken out of the ladder: they keep the one below that they would have kept.
        (9, 45, "Bạc", 205), (9, 0, "Thành viên", 50),
    ],
)  # fmt: skip
def test_enter_and_keep(held: int | None, value: int, stands: str, to_next: int) -> None:
    standing = told(Policy(), held, value)
    assert (standing.tier.name, standing.to_next, standing.safe_until) == (stands, to_next, None)
    assert (standing.next is None) == (stands == "Bạch kim")


def test_a_grace_begins_runs_and_ends() -> None:
    policy = Policy(grace_days=30)
    begun = told(policy, 3, 150)
    end = at(2026, 12, 21)
    assert (begun.tier.name, begun.safe_until, begun.missing, begun.keep_by) == ("Vàng", end, 50, end)
    running = qualify(LADDER, policy, Facts(3, 150, 150, None, end), at(2026, 12, 20, 23, 59))
    assert (running.tier.name, running.safe_until) == ("Vàng", end)
    assert qualify(LADDER, policy, Facts(3, 150, 150, None, end), end).tier.name == "Bạc"
    saved = told(policy, 3, 200, end)
    assert (saved.tier.name, saved.safe_until, saved.missing) == ("Vàng", None, 0)
    # Who rises during a grace leaves it behind.
    assert told(policy, 2, 250, end).safe_until is None


@pytest.mark.parametrize(
    ("window", "safe_until"),
    [(Window.ROLLING, at(2027, 11, 21)), (Window.LIFETIME, at(2027, 11, 21)), (Window.YEAR, at(2027, 1, 1))],
)
def test_a_step_is_one_level_and_then_safe_for_a_period(window: Window, safe_until: datetime) -> None:
    policy = Policy(window=window, falling=Falling.STEP)
    fallen = told(policy, 4, 10)
    assert (fallen.tier.name, fallen.safe_until) == ("Vàng", safe_until)
    again = told(policy, 3, 10, safe_until)
    assert (again.tier.name, again.safe_until) == ("Vàng", safe_until)
    assert qualify(LADDER, policy, Facts(3, 10, 10, None, safe_until), safe_until).tier.name == "Bạc"
    # What the level below takes is there: nothing needs to be safe.
    assert told(policy, 4, 200).safe_until is None
    assert told(policy, 4, 10).tier.name != told(replace(policy, falling=Falling.REEVALUATED), 4, 10).tier.name


@pytest.mark.parametrize(
    ("now", "since"),
    [
        (at(2026, 11, 21, 0, 0), at(2025, 11, 22)), (at(2026, 11, 21, 23, 59, 59), at(2025, 11, 22)),
        (datetime(2026, 11, 20, 16, 59, tzinfo=UTC), at(2025, 11, 21)),
        (datetime(2026, 11, 20, 17, 0, tzinfo=UTC), at(2025, 11, 22)),
        (at(2028, 2, 29, 9), at(2027, 3, 1)), (at(2029, 2, 28, 9), at(2028, 2, 29)), (at(2029, 3, 1), at(2028, 3, 2)),
        (at(2026, 12, 31, 23), at(2026, 1, 1)), (at(2026, 1, 29), at(2025, 1, 30)),
    ],
)  # fmt: skip
def test_twelve_months_are_whole_days_of_the_zone(now: datetime, since: datetime) -> None:
    assert spans(ROLLING, now).since == since


@pytest.mark.parametrize(
    ("bought", "until"),
    [
        (at(2025, 11, 21, 10), at(2026, 11, 21)), (at(2025, 11, 21), at(2026, 11, 21)),
        (datetime(2025, 11, 21, 17, tzinfo=UTC), at(2026, 11, 22)), (at(2028, 2, 29, 9), at(2029, 3, 1)),
        (at(2028, 3, 1), at(2029, 3, 1)), (at(2027, 2, 28), at(2028, 2, 28)),
    ],
)  # fmt: skip
def test_what_slides_out_on_a_day_counts_to_the_moment_before(bought: datetime, until: datetime) -> None:
    assert slides_out(ROLLING, bought) == until
    assert spans(ROLLING, until).since > bought
    assert spans(ROLLING, until - timedelta(microseconds=1)).since <= bought


@pytest.mark.parametrize(
    ("now", "turn"),
    [
        (datetime(2026, 12, 31, 16, 59, 59, tzinfo=UTC), 2026), (datetime(2026, 12, 31, 17, 0, tzinfo=UTC), 2027),
        (at(2026, 1, 1), 2026), (at(2026, 12, 31, 23, 59), 2026),
    ],
)  # fmt: skip
def test_a_calendar_year_is_the_zones(now: datetime, turn: int) -> None:
    parts = spans(YEAR, now)
    assert (parts.since, parts.turn, parts.end) == (at(turn - 1, 1, 1), at(turn, 1, 1), at(turn + 1, 1, 1))


@pytest.mark.parametrize(
    ("last", "this", "stands", "to_next", "missing"),
    [
        (300, 0, "Vàng", 1_000, 200), (300, 150, "Vàng", 850, 50), (300, 200, "Vàng", 800, 0), (0, 300, "Vàng", 700, 0),
        (199, 199, "Bạc", 51, 0), (1_000, 40, "Bạch kim", 0, 960), (0, 0, "Thành viên", 50, 0),
    ],
)  # fmt: skip
def test_last_years_tier_is_kept_through_this_one(
    last: int, this: int, stands: str, to_next: int, missing: int
) -> None:
    facts = tier_rule.facts(YEAR, spans(YEAR, NOW), 3, last, this, None)
    standing = qualify(LADDER, YEAR, facts, NOW)
    assert (standing.tier.name, standing.to_next, standing.missing) == (stands, to_next, missing)
    assert standing.keep_by == (at(2027, 1, 1) if missing else None)


def test_what_slides_out_soon_is_missing_and_a_grace_puts_it_off() -> None:
    facts = tier_rule.facts(ROLLING, spans(ROLLING, NOW), 3, 60, 190, None)
    standing = qualify(LADDER, ROLLING, facts, NOW)
    assert (standing.tier.name, standing.missing, standing.keep_by) == ("Vàng", 10, at(2026, 12, 21))
    late = qualify(LADDER, replace(ROLLING, grace_days=10), facts, NOW)
    assert late.keep_by == at(2026, 12, 31)


def test_more_never_stands_lower() -> None:
    for held, window, falling in product((None, 1, 2, 3, 4), Window, Falling):
        policy = Policy(window=window, falling=falling)
        ranks = [LADDER.index(told(policy, held, value).tier) for value in range(0, 1_100, 5)]
        assert ranks == sorted(ranks)


def test_a_second_look_changes_nothing() -> None:
    """What the rule said holds when it is asked again at once."""
    for held, value, grace, falling in product((None, 1, 2, 3, 4), range(0, 1_100, 10), (0, 30), Falling):
        policy = Policy(window=Window.ROLLING, grace_days=grace, falling=falling)
        first = told(policy, held, value)
        second = told(policy, first.tier.id, value, first.safe_until)
        assert (second.tier, second.safe_until) == (first.tier, first.safe_until)


@pytest.mark.parametrize("field", ["grace_days", "notice_days"])
@pytest.mark.parametrize("days", [-1, 367])
def test_days_that_cannot_be_are_refused(field: str, days: int) -> None:
    with pytest.raises(InvalidError) as refused:
        tier_rule.checked(Policy(grace_days=days) if field == "grace_days" else Policy(notice_days=days))
    assert refused.value.field == field
