"""Cohorts and the RFM grid beside plain recounts over seeded orders."""

from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from loyalty import programme
from loyalty.customers import rfm as steps
from loyalty.insights import cohorts, rfm, scope
from store.engine import Store
from store.errors import InvalidError
from tests.test_retention import Order, put

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
LAST = date(2026, 11, 21)


async def seeded(store: Store, seed: int) -> tuple[int, list[Order]]:
    """A shop with two years of orders, many of them near midnight or a month's edge; orders that count for nothing too."""
    r = Random(seed)
    shop = await store.write(programme.open_shop, "Phố Cafe", timezone=ZONE.key, language="vi")
    placed: list[Order] = []
    for _ in range(500):
        day = LAST - timedelta(days=r.choice([r.randrange(730), 29, 30, 31, 60, 61, 90, 91, 180, 181]))
        day = day.replace(day=1) if r.random() < 0.2 else day
        at = datetime.combine(day, time(r.choice([0, 3, 6, 7, 12, 23]), r.randrange(60)), ZONE)
        total = r.randrange(10_000, 900_000)
        status = r.choice(["completed"] * 5 + ["refunded", "cancelled", "pending"])
        refunded = r.choice([total, total // 2]) if status == "refunded" else 0
        placed.append((min(r.randrange(90), r.randrange(90)), at, total, refunded, status))
    await store.write(put, shop, 90, placed)
    return shop, [one for one in placed if one[4] in {"completed", "refunded"} and one[2] > one[3]]


def month(at: datetime) -> int:
    local = at.astimezone(ZONE)
    return local.year * 12 + local.month - 1


@pytest.mark.parametrize("months", [1, 6, 12])
async def test_cohorts_agree_with_a_plain_recount(store: Store, months: int) -> None:
    shop, placed = await seeded(store, 4)
    found = await store.read(cohorts.of, await store.read(scope.of, shop, LAST, LAST), months)
    newest = LAST.year * 12 + LAST.month - 1
    came: dict[int, set[int]] = {}
    for who, at, *_ in placed:
        came.setdefault(who, set()).add(month(at))
    for place, cohort in enumerate(found):
        begun = newest - months + 1 + place
        assert cohort.begins == date(begun // 12, begun % 12 + 1, 1)
        mine = [each for each in came.values() if min(each) == begun]
        assert cohort.came == tuple(sum(later in each for each in mine) for later in range(begun, newest + 1))
        assert cohort.size == len(mine)
    assert len(found) == months
    assert months == 1 or any(cohort.size for cohort in found)


async def test_what_cant_be_a_number_of_months_is_refused(store: Store) -> None:
    shop, _ = await seeded(store, 1)
    for months in (0, cohorts.MONTHS_MAX + 1):
        with pytest.raises(InvalidError):
            await store.read(cohorts.of, await store.read(scope.of, shop, LAST, LAST), months)
    assert cohorts.Cohort(LAST, (0, 0)).percent(1) is None
    assert cohorts.Cohort(LAST, (8, 1)).percent(1) == 13


async def test_the_grid_agrees_with_a_plain_recount(store: Store) -> None:
    shop, placed = await seeded(store, 9)
    for day in (LAST, LAST - timedelta(days=200)):
        end = datetime.combine(day + timedelta(days=1), time(), ZONE).astimezone(UTC)
        counted: dict[tuple[int, int], list[int]] = {}
        for who in {one[0] for one in placed}:
            mine = [one for one in placed if one[0] == who and one[1] < end]
            if not mine:
                continue
            days = (day - max(one[1] for one in mine).astimezone(ZONE).date()).days
            cell = counted.setdefault((steps.recency(days), steps.frequency(len(mine))), [0, 0])
            cell[0] += 1
            cell[1] += sum(one[2] - one[3] for one in mine)
        found = await store.read(rfm.grid, await store.read(scope.of, shop, day, day))
        assert len(found) == 25
        assert {(one.recency, one.frequency): [one.customers, one.spent] for one in found if one.customers} == counted
        assert all(one.rfm == steps.GRID[one.recency, one.frequency] for one in found)
