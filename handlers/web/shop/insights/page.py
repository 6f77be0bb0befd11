"""Insights in the console: who stays, what a customer is worth, who comes back in which month, and what is to be expected."""

import asyncio
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.shop import frame
from handlers.web.shop.frame import console
from handlers.words import Words
from loyalty.customers.rfm import Rfm
from loyalty.insights import cohorts, forecast, retention, rfm, scope
from loyalty.insights.cohorts import Cohort
from loyalty.insights.forecast import Forecast, Known
from loyalty.insights.retention import Retention
from loyalty.insights.rfm import Cell
from store.clock import today

PERIODS = (30, 90, 365)
WEEKS = 12
LEVELS = 5


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of the page in words, that of the period before, and how it is counted."""

    name: str
    value: str
    before: str
    how: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A look into the store: the period, the one before, and what the charts show. `past`: what a forecast of so many weeks
    ago would have learnt from, `ahead` one of today.
    """

    now: Retention
    before: Retention
    cohorts: list[Cohort]
    grid: list[Cell]
    past: Known
    ahead: Known
    first: date
    last: date


def add_insights(app: web.Application) -> None:
    app.router.add_get("/shop/insights", console()(page))


async def page(request: web.Request) -> web.StreamResponse:
    """The figures of the last 30, 90 or 365 days."""
    shop, said = frame.frame_of(request).shop, site.words_of(request)
    given = request.query.get("days", "")
    days = int(given) if given in {str(one) for one in PERIODS} else PERIODS[1]
    seen = await site.store_of(request).read(_look, shop.id, shop.timezone, days)
    back, ahead = await asyncio.to_thread(_foretell, seen)
    context = {
        "days": days, "periods": PERIODS, "first": seen.first, "last": seen.last, "shown": _figures(said, seen),
        "cohorts": [(one, _heat(one)) for one in seen.cohorts], "months": range(len(seen.cohorts)),
        "grid": _rows(seen.grid), "classes": _classes(said), "back": back, "ahead": ahead, "weeks": WEEKS,
        "active_days": retention.ACTIVE_DAYS,
    }  # fmt: skip
    return await frame.render(request, "shop/insights/page.html", context, page="insights")


def _look(session: Session, shop_id: int, zone: str, days: int) -> Seen:
    last = today(session, zone)
    these = scope.of(session, shop_id, last - timedelta(days=days - 1), last)
    return Seen(
        now=retention.of(session, these), before=retention.of(session, these.before()),
        cohorts=cohorts.of(session, these), grid=rfm.grid(session, these),
        past=forecast.look(session, shop_id, last - timedelta(weeks=WEEKS, days=1), WEEKS),
        ahead=forecast.look(session, shop_id, last, WEEKS), first=these.first, last=these.last,
    )  # fmt: skip


def _foretell(seen: Seen) -> tuple[Forecast | None, Forecast | None]:
    """How the forecast of so many weeks ago came true, and that of today; None where there is too little to learn from."""

    def one(known: Known) -> Forecast | None:
        try:
            return forecast.make(known)
        except forecast.TooFewError:
            return None

    return one(seen.past), one(seen.ahead)


def _figures(said: Words, seen: Seen) -> list[Figure]:
    def rate(value: float | None) -> str:
        return "–" if value is None else f"{said.number(round(value))} %"

    def money(value: float | None) -> str:
        return "–" if value is None else said.money(round(value))

    def times(value: float | None) -> str:
        return "–" if value is None else f"{value:.1f}".replace(".", "," if said.language == "vi" else ".")

    def figure(name: str, field: str, shown: Any, how: str) -> Figure:
        return Figure(name, shown(getattr(seen.now, field)), shown(getattr(seen.before, field)), how)

    count = said.number
    return [
        figure(said("Customers at the end"), "at_end", count, said("Bought in the {n} days before", n=retention.ACTIVE_DAYS)),
        figure(said("New customers"), "new", count, said("First order ever in these days")),
        figure(said("Lost customers"), "lost", count, said("There at the start, not at the end")),
        figure(said("Retention rate"), "retention_rate", rate, said("(at the end − new) ÷ at the start")),
        figure(said("Churn rate"), "churn_rate", rate, said("lost ÷ at the start")),
        figure(said("Bought again"), "repeat_purchase_rate", rate, said("buyers with two orders or more ÷ buyers")),
        figure(said("Revenue"), "revenue", money, said("Refunds taken off")),
        figure(said("Average order"), "average_order", money, said("revenue ÷ orders")),
        figure(said("Orders per buyer"), "frequency", times, said("orders ÷ buyers")),
        figure(said("Worth of a customer"), "clv", money, said("average order × orders per buyer × lifespan (1 ÷ churn)")),
    ]  # fmt: skip


def _heat(one: Cohort) -> list[tuple[int, int, int]]:
    """For each month: how many came, their share in per cent and how dark that is."""
    size = one.size or 1
    return [
        (came, one.percent(month) or 0, min(LEVELS, -(-LEVELS * came // size))) for month, came in enumerate(one.came)
    ]


def _rows(grid: list[Cell]) -> list[tuple[int, list[tuple[Cell, int]]]]:
    """The grid by recency, latest first, each cell with how dark it is."""
    most = max((cell.customers for cell in grid), default=0) or 1
    return [
        (step, [(cell, -(-LEVELS * cell.customers // most)) for cell in grid if cell.recency == step])
        for step in sorted({cell.recency for cell in grid}, reverse=True)
    ]


def _classes(said: Words) -> dict[str, str]:
    return {
        Rfm.CHAMPION: said("Champions"), Rfm.LOYAL: said("Regulars"), Rfm.PROMISING: said("Promising"), Rfm.NEW: said("New"),
        Rfm.COOLING: said("Cooling off"), Rfm.AT_RISK: said("At risk"), Rfm.SLEEPING: said("Sleeping"),
        Rfm.CANT_LOSE: said("Not to be lost"), Rfm.LOST: said("Gone"),
    }  # fmt: skip
