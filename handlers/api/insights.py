"""Insights over the API: who stays, and what is to be expected."""

import asyncio
from datetime import date, timedelta

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from handlers.api.bodies import Body, Day, example
from handlers.api.calls import Answer, Ask, Call
from handlers.api.problems import FieldError, invalid
from handlers.api.settlement import Period
from loyalty.insights import forecast, retention, scope
from loyalty.insights.forecast import WEEKS_MAX
from store import apart

GROUP = "Insights"
ALONE_FROM = 5_000
"""From so many different histories on a forecast is computed in a process of its own."""
RETENTION_WORDS = (
    f"A customer of a day has ordered in the {retention.ACTIVE_DAYS} days before it. Rates are per cent. retention_rate = "
    "(at_end - new) / at_start; churn_rate = lost / at_start; repeat_purchase_rate = buyers with two orders or more / buyers; "
    "frequency = orders / buyers; lifespan = 1 / churn_rate, in periods of this length; clv = average_order x frequency x "
    "lifespan. What can't be divided is null."
)


class Retention(BaseModel):
    model_config = example({
        "at_start": 812, "new": 64, "at_end": 820, "lost": 56, "retention_rate": 93.1, "churn_rate": 6.9,
        "repeat_purchase_rate": 41.2, "orders": 1_930, "revenue": 164_050_000, "average_order": 85_000.0,
        "frequency": 2.4, "lifespan": 14.5, "clv": 2_958_000.0,
    })  # fmt: skip

    at_start: int
    new: int
    at_end: int
    lost: int
    retention_rate: float | None
    churn_rate: float | None
    repeat_purchase_rate: float | None
    orders: int
    revenue: int = Field(description="đồng, refunds taken off.")
    average_order: float | None = Field(description="đồng.")
    frequency: float | None
    lifespan: float | None
    clv: float | None = Field(description="đồng.")


class Horizon(Body):
    calibrate_until: Day = Field(description="The last day that the model learns from.", examples=["2026-08-31"])
    horizon_weeks: int = Field(ge=1, le=WEEKS_MAX, description="So many weeks after it are foretold.", examples=[12])


class Model(BaseModel):
    name: str = Field(description="bg_nbd: Fader, Hardie and Lee (2005).")
    unit: str = Field(description="The unit of time that the parameters are in.")
    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float


class Forecast(BaseModel):
    model_config = example({
        "model": {
            "name": "bg_nbd", "unit": "week", "r": 0.24, "alpha": 4.41, "a": 0.79, "b": 2.43, "log_likelihood": -9582.4,
        },
        "customers": 2_357, "expected_orders": 1_612.4, "actual_orders": 1_588, "naive_orders": 2_032,
    })  # fmt: skip

    model: Model
    customers: int = Field(description="Who had ordered by the last day of learning.")
    expected_orders: float = Field(
        description="That these will place within the horizon; orders of a day count as one."
    )
    actual_orders: int | None = Field(default=None, description="What they did place, where the horizon has passed.")
    naive_orders: int | None = Field(default=None, description="As many as in as many weeks before.")


async def retained(ask: Ask, query: Period) -> Answer:
    def look(session: Session) -> retention.Retention:
        return retention.of(session, scope.of(session, ask.shop_id, query.from_, query.to))

    found = await ask.report(look)
    rounded = {
        name: round(value, 4) if isinstance(value, float) else value
        for name in Retention.model_fields
        for value in (getattr(found, name),)
    }
    return 200, Retention.model_validate(rounded)


async def foretold(ask: Ask, query: Horizon) -> Answer:
    if query.calibrate_until > date.max - timedelta(weeks=WEEKS_MAX + 1):
        raise invalid(FieldError(field="calibrate_until", problem="range", detail="This day can't be right"))
    known = await ask.report(forecast.look, ask.shop_id, query.calibrate_until, query.horizon_weeks)
    # So much arithmetic in this process would hold up everybody's answers.
    run = apart.run if len(known.histories) >= ALONE_FROM else asyncio.to_thread
    made = await run(forecast.make, known)
    model = made.model
    return 200, Forecast(
        model=Model(
            name="bg_nbd", unit="week", r=model.r, alpha=model.alpha, a=model.a, b=model.b,
            log_likelihood=model.log_likelihood,
        ),
        customers=made.customers, expected_orders=made.expected, actual_orders=made.actual, naive_orders=made.naive,
    )  # fmt: skip


CALLS = (
    Call(
        "GET", "/insights/retention", GROUP, "Read who stays and what a customer is worth", retained, {200: Retention},
        query=Period, words=RETENTION_WORDS,
    ),
    Call(
        "GET", "/insights/forecast", GROUP, "Foretell the customers' orders", foretold, {200: Forecast}, query=Horizon,
        refusals=["too_few_orders"],
        words="BG/NBD, fitted by maximum likelihood. actual_orders and naive_orders come where the horizon has passed.",
    ),
)  # fmt: skip
