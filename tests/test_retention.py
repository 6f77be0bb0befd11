"""Retention, CLV and the forecast: beside hand-computed tables, plain recounts, published figures and simulated shops."""

import math
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert
from sqlalchemy.orm import Session

from handlers.api import insights
from loyalty import programme
from loyalty.customers import customers
from loyalty.insights import bg_nbd, forecast, gamma_gamma, retention, scope
from loyalty.insights.bg_nbd import History, Model
from loyalty.insights.gamma_gamma import Spending
from loyalty.orders.orders import orders
from store.engine import Store
from tests.api import Api, serving

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
Order = tuple[int, datetime, int, int, str]
"""Customer, when, total, refunded, status."""


def at(day: str, hour: int = 12) -> datetime:
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), ZONE) + timedelta(hours=hour)


def put(session: Session, shop_id: int, people: int, placed: list[Order]) -> None:
    ids = [customers.create(session, name=f"Khách {n}", language="vi", home_shop_id=None) for n in range(people)]
    for number, (who, when, total, refunded, status) in enumerate(placed):
        session.execute(
            insert(orders).values(
                shop_id=shop_id, external_id=f"HD-{number}", customer_id=ids[who], total=total, refunded=refunded,
                currency="VND", status=status, items=[], source="import", placed_at=when.astimezone(UTC), changed_at=when,
                version=1, earned=0, standing=0, standing_tier=0, counted=total - refunded,
            )
        )  # fmt: skip


@pytest.fixture
async def api(store: Store) -> Any:
    async with serving(store) as found:
        yield found


async def test_a_quarter_counted_by_hand(api: Api) -> None:
    """July to September 2026. Lan stays, Huy leaves, Minh is new and comes twice, Thu sleeps and returns, Mai never counts."""
    placed = [
        (0, at("2026-05-10"), 100_000, 0, "completed"), (0, at("2026-08-20"), 50_000, 0, "completed"),
        (1, at("2026-06-30", 23), 80_000, 0, "completed"),
        (2, at("2026-07-01", 0), 40_000, 0, "completed"), (2, at("2026-09-30", 23), 60_000, 20_000, "refunded"),
        (3, at("2026-01-05"), 10_000, 0, "completed"), (3, at("2026-09-01"), 30_000, 0, "completed"),
        (4, at("2026-08-01"), 99_000, 99_000, "refunded"), (4, at("2026-08-02"), 99_000, 0, "cancelled"),
        (4, at("2026-08-03"), 99_000, 0, "pending"),
        (0, at("2026-10-01", 0), 70_000, 0, "completed"),
    ]  # fmt: skip
    await api.store.write(put, api.shop, 5, placed)
    answer = await api.get("/insights/retention?from=2026-07-01&to=2026-09-30")
    assert answer.status == 200
    assert answer.body == {
        "at_start": 2, "new": 1, "at_end": 3, "lost": 1, "retention_rate": 100.0, "churn_rate": 50.0,
        "repeat_purchase_rate": 33.3333, "orders": 4, "revenue": 160_000, "average_order": 40_000.0,
        "frequency": 1.3333, "lifespan": 2.0, "clv": 106666.6667,
    }  # fmt: skip
    empty = (await api.get("/insights/retention?from=2020-01-01&to=2020-01-31")).body
    assert (empty["at_start"], empty["retention_rate"], empty["clv"], empty["revenue"]) == (0, None, None, 0)
    refused = await api.get("/insights/retention?from=2026-07-01&to=2026-06-30")
    assert (refused.status, refused.body["errors"][0]["field"]) == (422, "to")


@pytest.mark.parametrize("seed", [1, 2])
async def test_any_period_agrees_with_a_plain_recount(api: Api, seed: int) -> None:
    dice = Random(seed)
    placed: list[Order] = [
        (
            dice.randrange(25), at("2026-01-01", 0) + timedelta(hours=dice.randrange(24 * 300)),
            dice.randrange(1, 9) * 10_000, dice.choice((0, 0, 10_000)),
            dice.choice(("completed", "completed", "completed", "refunded", "pending", "cancelled")),
        )
        for _ in range(150)
    ]  # fmt: skip
    await api.store.write(put, api.shop, 25, placed)
    real = [
        (who, when, total - back)
        for who, when, total, back, status in placed
        if status in {"completed", "refunded"} and total > back
    ]
    for _ in range(6):
        first = date(2026, 1, 1) + timedelta(days=dice.randrange(200))
        last = first + timedelta(days=dice.randrange(120))
        begin, end = (datetime.combine(day, datetime.min.time(), ZONE) for day in (first, last + timedelta(days=1)))
        start = {who for who, when, _ in real if begin - timedelta(days=90) <= when < begin}
        close = {who for who, when, _ in real if end - timedelta(days=90) <= when < end}
        ever = {who: min(when for other, when, _ in real if other == who) for who, _, _ in real}
        inside = [(who, paid) for who, when, paid in real if begin <= when < end]
        these = await api.store.read(scope.of, api.shop, first, last)
        found = await api.store.read(retention.of, these)
        assert (found.at_start, found.at_end, found.lost) == (len(start), len(close), len(start - close))
        assert found.new == sum(begin <= when < end for when in ever.values())
        assert (found.orders, found.revenue) == (len(inside), sum(paid for _, paid in inside))
        buyers = {who for who, _ in inside}
        again = sum(sum(other == who for other, _ in inside) > 1 for who in buyers)
        assert found.repeat_purchase_rate == (pytest.approx(100 * again / len(buyers)) if buyers else None)


# ── The models ──────────────────────────────────────────────────────────────────────────────────────

CDNOW = Model(0.2425945, 4.4136019, 0.7929199, 2.4258881, -9582.43)
"""The parameters that Fader, Hardie and Lee (2005) give for the CDNOW customers, in weeks."""


def test_the_papers_own_example() -> None:
    """Customer 1 of the note on P(alive) and of the spreadsheet: 2 repeat orders, the last at 30.43 of 38.86 weeks."""
    one = History(2, 30.43, 38.86)
    assert CDNOW.alive(one) == pytest.approx(0.7266, abs=5e-5)
    assert CDNOW.expected(one, 39) == pytest.approx(1.226, abs=5e-4)
    assert CDNOW.alive(History(0, 0, 38.86)) == 1
    # Published with the Gamma-Gamma note: of somebody unknown, p gamma / (q - 1).
    assert gamma_gamma.Model(6.25, 3.74, 15.44).expected(None) == pytest.approx(35.22, abs=0.01)


def simulated(count: int, model: Model, weeks: float, horizon: float, seed: int) -> tuple[list[History], int]:
    """Histories of people who behave as the model says, and how many orders they placed in the weeks after."""
    dice, known, after = Random(seed), [], 0
    for _ in range(count):
        age = weeks - dice.uniform(0, 12)
        rate, leaves = dice.gammavariate(model.r, 1 / model.alpha), dice.betavariate(model.a, model.b)
        now = last = 0.0
        repeats = 0
        while (now := now + dice.expovariate(rate)) < age + horizon:
            if now <= age:
                repeats, last = repeats + 1, now
            else:
                after += 1
            if dice.random() < leaves:
                break
        known.append(History(repeats, last, age))
    return known, after


def test_a_simulated_shop_gives_its_parameters_back_and_its_future() -> None:
    known, after = simulated(6_000, CDNOW, 39, 26, seed=5)
    found = bg_nbd.fit(known)
    assert found.r == pytest.approx(CDNOW.r, rel=0.12)
    assert found.alpha == pytest.approx(CDNOW.alpha, rel=0.15)
    assert found.a / (found.a + found.b) == pytest.approx(CDNOW.a / (CDNOW.a + CDNOW.b), rel=0.15)
    assert sum(found.expected(one, 26) for one in known) == pytest.approx(after, rel=0.1)
    # No neighbour is likelier.
    for field in ("r", "alpha", "a", "b"):
        for factor in (0.97, 1.03):
            beside = {name: getattr(found, name) for name in ("r", "alpha", "a", "b")} | {
                field: getattr(found, field) * factor
            }
            assert likelihood(known, **beside) < found.log_likelihood
    assert likelihood(known, found.r, found.alpha, found.a, found.b) == pytest.approx(found.log_likelihood, rel=1e-9)


def likelihood(known: list[History], r: float, alpha: float, a: float, b: float) -> float:
    """Equation 6 of the paper, written down once more and not for speed."""
    total = 0.0
    for one in known:
        x = one.repeats
        beta = math.exp(math.lgamma(b + x) + math.lgamma(a + b) - math.lgamma(b) - math.lgamma(a + b + x))
        gamma = math.exp(math.lgamma(r + x) - math.lgamma(r) + r * math.log(alpha))
        stays = (alpha + one.age) ** -(r + x)
        left = a / (b + x - 1) * (alpha + one.recency) ** -(r + x) if x else 0.0
        total += math.log(beta * gamma * (stays + left))
    return total


def test_what_an_order_is_worth_is_found_again() -> None:
    dice, p, q, gamma = Random(3), 6.0, 4.0, 15.0
    known = []
    for _ in range(4_000):
        orders_, own = dice.randint(1, 8), dice.gammavariate(q, 1 / gamma)
        known.append(Spending(orders_, sum(dice.gammavariate(p, 1 / own) for _ in range(orders_)) / orders_))
    found = gamma_gamma.fit(known)
    assert found is not None
    assert found.expected(None) == pytest.approx(p * gamma / (q - 1), rel=0.05)
    assert found.expected(Spending(5, 60.0)) == pytest.approx(p * (gamma + 300) / (p * 5 + q - 1), rel=0.05)
    assert gamma_gamma.fit(known[:2]) is None


async def test_a_forecast_says_how_it_came_true(api: Api) -> None:
    dice = Random(9)
    placed: list[Order] = []
    for who in range(60):
        day = dice.randrange(100)
        for _ in range(dice.choice((1, 1, 2, 4, 8))):
            moment = at("2026-01-01", dice.randrange(24)) + timedelta(days=day)
            placed += [(who, moment, 50_000, 0, "completed")] * dice.choice((1, 1, 2))
            day += dice.randint(1, 40)
    placed = [order for order in placed if order[1] < at("2026-11-20")]
    await api.store.write(put, api.shop, 60, placed)
    answer = await api.get("/insights/forecast?calibrate_until=2026-05-31&horizon_weeks=10")
    assert answer.status == 200, answer.body
    until, end = date(2026, 5, 31), date(2026, 8, 9)
    days = {(who, moment.date()) for who, moment, *_ in placed}
    known = {who for who, day in days if day <= until}
    told = answer.body
    assert told["customers"] == len(known)
    assert told["actual_orders"] == sum(who in known and until < day <= end for who, day in days)
    assert told["naive_orders"] == sum(who in known and date(2026, 3, 22) < day <= until for who, day in days)
    assert told["model"]["name"] == "bg_nbd"
    histories = []
    for who in known:
        mine = sorted(day for other, day in days if other == who and day <= until)
        histories.append(History(len(mine) - 1, (mine[-1] - mine[0]).days / 7, (until - mine[0]).days / 7))
    model = {name: told["model"][name] for name in ("r", "alpha", "a", "b")}
    assert likelihood(histories, **model) == pytest.approx(told["model"]["log_likelihood"])
    assert 0 < told["expected_orders"] < 10 * len(known)
    ahead = (await api.get("/insights/forecast?calibrate_until=2026-11-20&horizon_weeks=4")).body
    assert (ahead["actual_orders"], ahead["naive_orders"]) == (None, None)
    none = await api.get("/insights/forecast?calibrate_until=2020-01-01&horizon_weeks=4")
    assert (none.status, none.body["code"]) == (409, "too_few_orders")
    for wrong in ("calibrate_until=2026-05-31", "calibrate_until=2026-05-31&horizon_weeks=0", "horizon_weeks=4"):
        assert (await api.get(f"/insights/forecast?{wrong}")).status == 422


async def test_many_are_computed_apart(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    if api.store.shared:
        pytest.skip("arithmetic alone: the same whatever the database")
    placed = [
        (who, at("2026-01-01") + timedelta(days=7 * n), 50_000, 0, "completed") for who in range(4) for n in range(who)
    ]
    await api.store.write(put, api.shop, 4, placed)
    path = "/insights/forecast?calibrate_until=2026-02-28&horizon_weeks=4"
    here = (await api.get(path)).body
    monkeypatch.setattr(insights, "ALONE_FROM", 1)
    assert (await api.get(path)).body == here


async def test_a_day_with_two_orders_counts_once(store: Store) -> None:
    shop = await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")
    await store.write(put, shop, 1, [
        (0, at("2026-01-01", 8), 1, 0, "completed"), (0, at("2026-01-01", 23), 1, 0, "completed"),
        (0, at("2026-01-15", 0), 1, 0, "completed"),
    ])  # fmt: skip
    seen = await store.read(forecast.look, shop, date(2026, 1, 29), 1)
    assert seen.histories == {History(1, 2.0, 4.0): 1}
