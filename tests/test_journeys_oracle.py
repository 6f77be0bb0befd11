"""Two years of a shop in Berlin against an oracle: exactly the messages, at exactly the moments, whatever the clock does.

The program stands still for days, or for weeks, longer than what it makes up for; its clock goes back an hour; it is started
anew on the same database. The oracle below is plain Python over dates; it shares no code with the engine, not even the time
zone's rules.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import select

from loyalty import programme
from loyalty.customers import customers
from loyalty.orders import orders
from loyalty.orders.orders import OrderInput, Status
from loyalty.outreach import deliveries
from loyalty.outreach.journeys import beginnings, journeys, progress
from store.clock import SetClock
from store.engine import Store, open_store
from store.sealed import Seal
from tests.conftest import SECRET_KEY

FIRST, LAST = date(2027, 1, 4), date(2029, 1, 6)
DAY = timedelta(days=1)
SEED = 37
MADE_UP_FOR = 7
"""Days of the calendar, today among them, that are begun late where nothing ran."""


@dataclass(frozen=True)
class Bought:
    who: int
    at: datetime
    number: str


@dataclass(frozen=True)
class Life:
    """What happens in the two years: birthdays, orders, and when the clock loop runs (in the order in which it does)."""

    births: list[date | None]
    orders: list[Bought]
    ticks: list[datetime]
    restarts: set[int]


# ── The zone's clock, by the law of the European Union ──────────────────────────────────────────────


def last_sunday(year: int, month: int) -> date:
    day = date(year, month, 31)
    return day - timedelta(days=(day.weekday() + 1) % 7)


def to_utc(local: datetime) -> datetime:
    """A naive Berlin time. The hour that spring leaves out is as if it were still winter; of autumn's two the first."""
    summer = datetime.combine(last_sunday(local.year, 3), time(3)) <= local
    summer = summer and local < datetime.combine(last_sunday(local.year, 10), time(3))
    return (local - timedelta(hours=2 if summer else 1)).replace(tzinfo=UTC)


def to_local(at: datetime) -> datetime:
    begins, ends = (datetime.combine(last_sunday(at.year, month), time(1), UTC) for month in (3, 10))
    return (at + timedelta(hours=2 if begins <= at < ends else 1)).replace(tzinfo=None)


# ── The oracle ──────────────────────────────────────────────────────────────────────────────────────

Said = tuple[str, int, str, int, datetime]
"""Journey, customer, occurrence, number of the step, moment."""


def after_days(since: datetime, days: int, clock: time | None = None) -> datetime:
    here = to_local(since)
    return max(since, to_utc(datetime.combine(here.date() + days * DAY, clock or here.time())))


def begun_on(day: date, latest: date, ticks: list[datetime]) -> tuple[date, int] | None:
    """The day of the calendar, from one to the latest that will do, that is begun first, and at which tick."""
    for number, tick in enumerate(ticks):
        today = to_local(tick).date()
        first = max(day, today - (MADE_UP_FOR - 1) * DAY)
        if day <= today and first <= latest:
            return first, number
        if first > latest:
            return None
    return None


def oracle(life: Life) -> Iterator[Said]:
    def tick_from(at: datetime, not_before: int = 0) -> int | None:
        """The first time from one on that the loop runs when something is due."""
        return next((n for n in range(not_before, len(life.ticks)) if life.ticks[n] >= at), None)

    def said(journey: str, who: int, occurrence: str, step: int, at: datetime, known: int) -> Iterator[Said]:
        if tick_from(at, known) is not None:
            yield journey, who, occurrence, step, at

    each: dict[int, list[Bought]] = {}
    for one in life.orders:
        each.setdefault(one.who, []).append(one)
    for who, bought in each.items():
        for place, one in enumerate(bought, 1):
            heard = next((n for n, at in enumerate(life.ticks) if at > one.at), None)
            if heard is None:
                continue
            yield from said("thanks", who, f"1:{one.number}", 2, after_days(one.at, 2, time(9)), heard)
            if place == 1:
                yield from said("first", who, "", 2, one.at + timedelta(hours=30), heard)
            if place == 2:
                # The next Sunday at half past two, a time that one Sunday a year hasn't got.
                here = to_local(one.at)
                sunday = here.date() + timedelta(days=(6 - here.weekday()) % 7)
                if datetime.combine(sunday, time(2, 30)) < here:
                    sunday += 7 * DAY
                yield from said("second", who, "", 2, to_utc(datetime.combine(sunday, time(2, 30))), heard)
            yield from away(life, bought, place, said, tick_from)
    for who, born in enumerate(life.births, 1):
        for year in range(FIRST.year, LAST.year + 2) if born else ():
            assert born is not None
            leap = year % 4 == 0
            the_day = date(year, 2, 28) if (born.month, born.day) == (2, 29) and not leap else born.replace(year=year)
            begins = the_day - 3 * DAY
            if begins < FIRST:
                continue
            moment = to_utc(datetime.combine(begins, time(8)))
            found = begun_on(begins, begins, life.ticks)
            if found is not None:
                known = found[1]
                yield from said("birthday", who, str(year), 1, moment, known)
                yield from said("birthday", who, str(year), 3, after_days(moment, 3, time(2, 30)), known)


def away(life: Life, bought: list[Bought], place: int, said: Any, tick_from: Any) -> Iterator[Said]:
    """45 days without an order, or up to 51 where nothing ran; ten days later once more, unless they came in the last ten."""
    one = bought[place - 1]
    due = to_local(one.at).date() + 45 * DAY
    found = begun_on(due, due + (MADE_UP_FOR - 1) * DAY, life.ticks)
    if found is None or (place < len(bought) and bought[place].at < life.ticks[found[1]]):
        return
    moment, known = to_utc(datetime.combine(found[0], time(8))), found[1]
    occurrence = str(round(one.at.timestamp()) * 1_000_000)
    yield from said("away", one.who, occurrence, 1, moment, known)
    again = after_days(moment, 10, time(10))
    then = tick_from(again, known)
    if then is None:
        return
    last = max(other.at for other in bought if other.at < life.ticks[then])
    if (to_local(life.ticks[then]).date() - to_local(last).date()).days > 10:
        yield "away", one.who, occurrence, 5, again


# ── The shop ────────────────────────────────────────────────────────────────────────────────────────


def say(number: int) -> dict[str, Any]:
    return {"id": number, "kind": "message", "messages": {"vi": "Chào"}}


JOURNEYS: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "thanks": ({"kind": "order_completed"}, [{"id": 1, "kind": "wait", "days": 2, "at": "09:00"}, say(2)]),
    "first": ({"kind": "first_order"}, [{"id": 1, "kind": "wait", "hours": 30}, say(2)]),
    "second": ({"kind": "second_order"}, [{"id": 1, "kind": "until", "weekday": 7, "at": "02:30"}, say(2)]),
    "birthday": (
        {"kind": "birthday", "days_before": 3}, [say(1), {"id": 2, "kind": "wait", "days": 3, "at": "02:30"}, say(3)],
    ),
    "away": ({"kind": "no_order", "days": 45}, [
        say(1), {"id": 2, "kind": "wait", "days": 10, "at": "10:00"},
        {
            "id": 3, "kind": "condition", "criteria": {"field": "days_since_last_order", "op": "<=", "value": 10},
            "then": [{"id": 4, "kind": "exit"}], "else": [],
        },
        say(5),
    ]),
}  # fmt: skip


def lived(seed: int, first: date = FIRST, last: date = LAST) -> Life:
    """Days drawn from a seed: for two weeks or so the program runs every few days, then it stands still for some weeks, while
    people go on buying.
    """
    draw = random.Random(seed)
    births: list[date | None] = [date(1996, 2, 29), date(1980, 3, 28), date(1990, 10, 31), None]
    births += [date(1990, 1, 1) + draw.randrange(365) * DAY for _ in range(4)]
    pace = [draw.choice((20, 40, 70)) for _ in births]
    runs: dict[date, bool] = {}
    day, until = first, first
    while day <= last:
        if day >= until and day > first:
            day += draw.randrange(10, 40) * DAY
        if day >= until:
            until = day + draw.randrange(8, 20) * DAY
            runs[day] = True
        runs.setdefault(day, False)
        day += draw.choice((1, 2, 3, 6)) * DAY
    bought: list[Bought] = []
    ticks: list[datetime] = []
    restarts: set[int] = set()
    for day in (first + number * DAY for number in range((last - first).days + 1)):
        minutes = sorted(draw.sample(range(8 * 60 + 1, 21 * 60), len(births)))
        for who, minute in enumerate(minutes, 1):
            if draw.random() < 1 / pace[who - 1]:
                at = to_utc(datetime.combine(day, time(minute // 60, minute % 60)))
                bought.append(Bought(who, at, f"HD-{len(bought) + 1}"))
        if day not in runs:
            continue
        restarts |= {len(ticks)} if runs[day] else set()
        ticks.append(to_utc(datetime.combine(day, time(21, 30)) + draw.randrange(120) * timedelta(minutes=1)))
        if draw.random() < 0.1:
            ticks.append(ticks[-1] - timedelta(hours=1))
    return Life(births, bought, ticks, restarts)


async def messages(store: Store) -> list[Said]:
    d, j = deliveries.deliveries.c, journeys.journeys.c
    query = select(j.name, d.customer_id, d.occurrence, d.step, d.due_at).join(journeys.journeys, j.id == d.source_id)
    rows = await store.read(lambda session: session.execute(query.where(d.source == "journey")).all())
    return [(row[0], row[1], row[2], row[3], row[4]) for row in rows]


async def live(url: str, life: Life) -> list[Said]:
    """Have it all happen to the engine; what was said in the end."""
    clock = SetClock(to_utc(datetime.combine(FIRST, time(7))))

    def opened() -> Store:
        return open_store(url, clock, seal=Seal(SECRET_KEY), strict=True)

    store = opened()
    shop = await store.write(programme.open_shop, "Eckladen", timezone="Europe/Berlin", language="vi")
    for born in life.births:
        who = await store.write(customers.create, name="Lan", language="vi", home_shop_id=None)
        if born:
            await store.write(customers.change, who, birthday=born)
    for name, (trigger, listed) in JOURNEYS.items():
        made = await store.write(journeys.add, shop, "staff:1", name=name, trigger=trigger, steps=listed)
        await store.write(journeys.switch, made.id, shop, "staff:1", on=True)
    waiting = iter(life.orders)
    following = next(waiting, None)
    for number, tick in enumerate(life.ticks):
        if number in life.restarts:
            await store.close()
            store = opened()
        while following is not None and following.at < tick:
            clock.set(following.at)
            told = OrderInput(
                total=85_000, currency="VND", placed_at=following.at, status=Status.COMPLETED, customer_id=following.who
            )
            await store.write(orders.put, shop, following.number, told)
            following = next(waiting, None)
        clock.set(tick)
        for rule in (beginnings.hear_due, beginnings.calendar_due, progress.advance_due):
            while await store.write(rule):
                pass
    found = await messages(store)
    await store.close()
    return found


def agree(found: list[Said], expected: list[Said]) -> None:
    assert len(found) == len(set(found))
    assert sorted(set(found) - set(expected)) == []
    assert sorted(set(expected) - set(found)) == []


async def test_two_years_bring_exactly_what_the_oracle_says(sqlite_url: str) -> None:
    life = lived(SEED)
    expected = list(oracle(life))
    # Both kinds of the calendar's days are among them: made up for, and gone by; and a birthday of 29 February.
    never_still = replace(life, ticks=[to_utc(datetime.combine(FIRST + n * DAY, time(21))) for n in range(733)])
    assert len(life.restarts) >= 10
    assert {name for name, *_ in expected} == set(JOURNEYS)
    assert any((name, who) == ("birthday", 1) for name, who, *_ in expected)
    assert {"birthday", "away"} <= {name for name, *_ in set(oracle(never_still)) - set(expected)}
    agree(await live(sqlite_url, life), expected)


async def test_a_spring_on_postgresql_brings_the_same(postgres_url: str) -> None:
    life = lived(SEED, FIRST, date(2027, 4, 20))
    expected = list(oracle(life))
    assert len({name for name, *_ in expected}) >= 4
    agree(await live(postgres_url, life), expected)
