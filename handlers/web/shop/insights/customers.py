"""Insights, customers: who stays and what they are worth, the best of them, cohorts, the RFM grid, how long they stay."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from handlers.web.shop.frame import Frame
from handlers.web.shop.insights.asked import Place
from handlers.web.shop.insights.sections import Cell, Figure, Said, Section, Table, curve, level, text
from handlers.words import Words
from loyalty.customers.rfm import Rfm
from loyalty.insights import buyers, cohorts, retention, rfm, survival
from loyalty.insights.buyers import Buyer, Buyers
from loyalty.insights.cohorts import Cohort
from loyalty.insights.retention import Retention
from loyalty.insights.rfm import Cell as Square
from loyalty.insights.survival import Step

STAYED = (90, 120, 180, 270, 365, 545, 730)
"""Days after the first order that are told."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A look into the store: the period and the one before it, and the pictures as they stand at its end."""

    now: Retention
    before: Retention
    buyers: Buyers
    were: Buyers
    best: list[Buyer]
    often: list[Buyer]
    cohorts: list[Cohort]
    grid: list[Square]
    steps: list[Step]


def look(session: Session, place: Place) -> Seen:
    these = place.scope
    was = these.before()
    return Seen(
        retention.of(session, these), retention.of(session, was), buyers.of(session, these), buyers.of(session, was),
        buyers.best(session, these), buyers.best(session, these, by_orders=True), cohorts.of(session, these),
        rfm.grid(session, these), survival.of(session, these),
    )  # fmt: skip


def sections(said: Words, here: Frame, seen: Seen) -> list[Section]:
    return [
        Section(
            said("Who stays"),
            said("Somebody is a customer on a day when they bought in the {n} days before it.", n=retention.ACTIVE_DAYS),
            figures=_figures(said, seen),
        ),
        _best(said, here, said("The best by what they spent"), seen.best),
        _best(said, here, said("The best by how often they came"), seen.often),
        _cohorts(said, seen.cohorts),
        _grid(said, seen.grid),
        _survival(said, seen.steps),
    ]  # fmt: skip


def _figures(said: Words, seen: Seen) -> list[Figure]:
    shown = Said(said)

    def figure(name: str, field: str, say: Any, how: str) -> Figure:
        now, was = getattr(seen.now, field), getattr(seen.before, field)
        return Figure(name, say(now), now, how, say(was), was)

    sleeping, slept = seen.buyers.ever - seen.now.at_end, seen.were.ever - seen.before.at_end
    between = (seen.buyers.between, seen.were.between)
    return [
        figure(said("Active customers"), "at_end", shown.count, said("Bought in the {n} days before the end", n=retention.ACTIVE_DAYS)),
        Figure(said("Sleeping"), shown.count(sleeping), sleeping, said("Bought before, but not in those days"), shown.count(slept), slept),
        figure(said("New customers"), "new", shown.count, said("First order ever in these days")),
        figure(said("Lost customers"), "lost", shown.count, said("There at the start, not at the end")),
        figure(said("Retention rate"), "retention_rate", shown.rate, said("(at the end − new) ÷ at the start")),
        figure(said("Churn rate"), "churn_rate", shown.rate, said("lost ÷ at the start")),
        figure(said("Bought again"), "repeat_purchase_rate", shown.rate, said("buyers with two orders or more ÷ buyers")),
        figure(said("Orders"), "orders", shown.count, said("of known customers")),
        figure(said("Revenue"), "revenue", shown.money, said("Refunds taken off")),
        figure(said("Average order"), "average_order", shown.money, said("revenue ÷ orders")),
        figure(said("Orders per buyer"), "frequency", shown.tenths, said("orders ÷ buyers")),
        Figure(
            said("Days between orders"), shown.tenths(between[0]), between[0], said("In the mean, of those who came again"),
            shown.tenths(between[1]), between[1],
        ),
        figure(said("Worth of a customer"), "clv", shown.money, said("average order × orders per buyer × lifespan (1 ÷ churn)")),
    ]  # fmt: skip


def _best(said: Words, here: Frame, title: str, found: list[Buyer]) -> Section:
    shown = Said(said)
    rows = [
        [
            text(one.name or said("No name"), here.url(f"/shop/customers/{one.customer_id}")), shown.number(one.orders),
            shown.sum(one.spent), shown.sum(one.spent / one.orders),
        ]
        for one in found
    ]  # fmt: skip
    head = (said("Customer"), said("Orders"), said("Spent"), said("Average order"))
    return Section(
        title, table=Table(head, rows) if rows else None, empty="" if rows else said("Nobody bought in these days.")
    )


def _cohorts(said: Words, found: list[Cohort]) -> Section:
    rows = []
    for one in found:
        size = one.size
        cells = [
            Cell(str(one.percent(month)), one.percent(month), level(came, size), note="") if size else Cell("", "")
            for month, came in enumerate(one.came)
        ]
        cells += [Cell("", "")] * (len(found) - len(cells))
        rows.append([text(f"{one.begins:%m/%Y}"), Cell(Said(said).count(size), size), *cells])
    head = (said("First order"), said("People"), *(f"+{n}" for n in range(len(found))))
    return Section(
        said("Who comes back, month by month"),
        said("Customers by the month of their first order, and how many in a hundred of them bought in each month since; the darker, the more."),
        table=Table(head, rows, heat=True),
    )  # fmt: skip


def _grid(said: Words, found: list[Square]) -> Section:
    classes = rfm_names(said)
    most = max((one.customers for one in found), default=0)
    lately = (
        said("over 180 days"), said("91–180 days"), said("61–90 days"), said("31–60 days"), said("up to 30 days"),
    )  # fmt: skip
    rows = [
        [text(lately[step - 1])] + [
            Cell(Said(said).count(one.customers) if one.customers else "", one.customers, level(one.customers, most), note=classes[one.rfm])
            for one in reversed(found) if one.recency == step
        ]
        for step in range(5, 0, -1)
    ]  # fmt: skip
    head = (said("Last order"), said("1 order"), "2", "3–4", "5–9", said("10 and more"))
    return Section(
        said("How lately and how often"),
        said("Customers by their last order (rows) and how many orders they placed (columns)."),
        table=Table(head, rows, heat=True),
    )


def _survival(said: Words, steps: list[Step]) -> Section:
    title = said("How long customers stay")
    if not steps:
        return Section(title, empty=said("Nobody has left yet, as far as can be seen."))
    shown = Said(said)
    rows = [
        [
            text(said("{n} days", n=day)), shown.share(100 * survival.stayed(steps, day)),
            shown.number(next((step.at_risk for step in steps if step.day >= day), 0)),
        ]
        for day in STAYED if day <= max(90, steps[-1].day)
    ]  # fmt: skip
    half = next((step.day for step in steps if step.stays <= 0.5), None)
    longest = max(180, min(STAYED[-1], steps[-1].day))
    return Section(
        title, said("How many in a hundred still are customers, so long after their first order (Kaplan–Meier)."),
        figures=[
            Figure(
                said("Half have left after"), said("{n} days", n=half) if half else "–", half,
                said("counted from the first order") if half else said("More than half are still there"),
            )
        ],
        curve=curve(steps, longest, said("{n} days")),
        table=Table((said("After the first order"), said("Still customers"), said("People still looked at")), rows),
        how=(
            said("Somebody has left when they haven't bought for {n} days: {n} days after that last order. The first time counts, even if they came back later.", n=retention.ACTIVE_DAYS),
            said("S(t) = the product, over each day d up to t on which somebody left, of (1 − left on d ÷ still looked at on d). Whoever is still a customer counts for as long as they were seen, and no longer: so new customers don't make it look better than it is."),
            said("Far to the right few people are left to look at, and the line says little."),
        ),
    )  # fmt: skip


def rfm_names(said: Words) -> dict[Rfm, str]:
    """What each class is called."""
    return {
        Rfm.CHAMPION: said("Champions"), Rfm.LOYAL: said("Regulars"), Rfm.PROMISING: said("Promising"), Rfm.NEW: said("New"),
        Rfm.COOLING: said("Cooling off"), Rfm.AT_RISK: said("At risk"), Rfm.SLEEPING: said("Sleeping"),
        Rfm.CANT_LOSE: said("Not to be lost"), Rfm.LOST: said("Gone"),
    }  # fmt: skip
