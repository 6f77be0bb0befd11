"""Insights, ahead: what the night's forecast expects, how the one before came true, and who is likely to leave."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from handlers.web.shop.frame import Frame
from handlers.web.shop.insights.asked import Place
from handlers.web.shop.insights.sections import Figure, Said, Section, Table, percent, text
from handlers.words import Words
from loyalty.insights import outlooks, prospects
from loyalty.insights.outlooks import ENOUGH_AGAIN, ENOUGH_WEEKS, WEEKS, Outlook
from loyalty.insights.prospects import Band


@dataclass(frozen=True, slots=True)
class Seen:
    """`leaving`: the number of the ready-made group of those likely to leave."""

    outlook: Outlook | None
    bands: list[Band]
    leaving: int | None


def look(session: Session, place: Place) -> Seen:
    leaving = next((one.id for one in place.segments if one.key == "leaving"), None)
    return Seen(outlooks.of(session, place.scope.shop_id), prospects.bands(session, place.scope), leaving)


def sections(said: Words, here: Frame, seen: Seen) -> list[Section]:
    how = (
        said("BG/NBD (Fader, Hardie and Lee 2005): while they stay, people buy at a pace of their own; after each order they may leave for good. From how often and how lately each bought follows how likely they still come, P(alive), and how many orders to expect. Orders of one day count as one."),
        said("Gamma-Gamma (Fader and Hardie 2013): what an order of theirs brings, from the mean of their orders; who has few is taken to be nearer to everybody's mean."),
        said("Fitted by maximum likelihood every night, from what happened until the day before."),
    )  # fmt: skip
    if seen.outlook is None:
        return [Section(said("What to expect"), how=how, empty=said(
            "Too little to learn from yet: it takes {n} customers who came again, and {weeks} weeks since the first order. It is worked out every night.",
            n=ENOUGH_AGAIN, weeks=ENOUGH_WEEKS,
        ))]  # fmt: skip
    found = [_orders(said, seen.outlook, how)]
    if seen.bands:
        found.append(_bands(said, here, seen))
    return found


def _orders(said: Words, found: Outlook, how: tuple[str, ...]) -> Section:
    shown, back = Said(said), found.back
    figures = [
        Figure(
            said("Orders in the next {n} weeks", n=WEEKS), shown.count(round(found.expected)), round(found.expected, 1),
            said("of {n} customers of yesterday", n=shown.count(found.customers)),
        )
    ]  # fmt: skip
    rows, notes = [], []
    if back:
        rows = [
            [text(name), shown.number(round(value)), text(_off(said, value, back.actual))]
            for name, value in (
                (said("It became"), back.actual), (said("The forecast had said"), back.expected),
                (said("“As in the {n} weeks before” would have said", n=WEEKS), back.naive),
            )
        ]  # fmt: skip
        better = abs(back.expected - back.actual) < abs(back.naive - back.actual)
        notes.append(
            said("{n} weeks ago the forecast would have been nearer than “as before”.", n=WEEKS)
            if better
            else said("{n} weeks ago “as before” would have been nearer than the forecast: don't lean on it.", n=WEEKS)
        )
    else:
        notes.append(
            said("{n} weeks ago there was too little to learn from: how well it foretells, nobody knows yet.", n=WEEKS)
        )
    if found.every > 1:
        notes.append(said("Worked out from every {n}th customer.", n=found.every))
    fitted = said(
        "Fitted, in weeks: r = {r}, α = {alpha}, a = {a}, b = {b}.",
        **{name: f"{getattr(found.model, name):.3f}" for name in ("r", "alpha", "a", "b")},
    )
    head = (said("{n} weeks ago, of the customers of then", n=WEEKS), said("Orders"), said("Off by"))
    return Section(
        said("What to expect"), said("Of the whole shop, whatever group is chosen."), figures, Table(head, rows) if rows else None,
        how=(*how, fitted), notes=notes,
    )  # fmt: skip


def _off(said: Words, value: float, actual: int) -> str:
    """How far from what it became: +8 %; nothing for that itself."""
    return f"{said.signed(round(100 * (value - actual) / actual))} %" if actual and value != actual else ""


def _bands(said: Words, here: Frame, seen: Seen) -> Section:
    shown, people = Said(said), sum(band.people for band in seen.bands)
    rows, most = [], 100
    for band in seen.bands:
        name = said("{low}–{high} %", low=band.least, high=most) if band.least else said("under {high} %", high=most)
        rows.append([text(name), shown.number(band.people, percent(band.people, people)), shown.sum(band.worth)])
        most = band.least
    links = [] if seen.leaving is None else [
        (said("Worth much, likely to leave"), here.url(f"/shop/segments/{seen.leaving}"))
    ]  # fmt: skip
    return Section(
        said("How likely they come again"), said("With what each group is expected to bring in the next 12 months."),
        table=Table((said("Likely to come again"), said("Customers"), said("Expected in a year")), rows), links=links,
        notes=[said("Who bought only once counts as sure to come again: the model can't tell them apart. Groups can ask for both numbers.")],
    )  # fmt: skip
