"""Insights, service: whether an answer that solves the case at once brings people back."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from handlers.web.shop.frame import Frame
from handlers.web.shop.insights.asked import Place
from handlers.web.shop.insights.sections import Figure, Said, Section, Table, text
from handlers.words import Words
from support.reports import aftercare
from support.reports.aftercare import Aftercare, Side

FEW = 30


@dataclass(frozen=True, slots=True)
class Seen:
    now: Aftercare
    before: Aftercare


def look(session: Session, place: Place) -> Seen:
    return Seen(aftercare.of(session, place.scope), aftercare.of(session, place.scope.before()))


def sections(said: Words, here: Frame, seen: Seen) -> list[Section]:
    shown, now, was = Said(said), seen.now, seen.before

    def rate(of: Aftercare) -> float | None:
        every = of.first.cases + of.more.cases
        return 100 * of.first.cases / every if every else None

    def share(side: Side) -> float | None:
        return 100 * side.back.part / side.back.whole if side.back.whole else None

    if not now.first.cases + now.more.cases:
        return [Section(said("Service and loyalty"), empty=said("No case was solved in these days."))]
    rows = [
        [
            text(name), shown.number(side.cases), shown.number(side.back.whole), shown.share(share(side)),
            shown.decimal(side.stars / side.rated if side.rated else None), shown.share(share(before)),
        ]
        for name, side, before in (
            (said("Solved with one answer"), now.first, was.first), (said("Took more"), now.more, was.more),
        )
    ]  # fmt: skip
    head = (
        said("Case"), said("Number of cases"), said("Over {n} days ago", n=aftercare.WITHIN.days),
        said("Bought again within {n} days", n=aftercare.WITHIN.days), said("Stars"), said("Bought again, before"),
    )  # fmt: skip
    few = min(now.first.back.whole, now.more.back.whole) < FEW
    notes = [
        said(
            "A hard case takes more than one answer and makes people cross whoever answers. So the difference isn't all the answer's doing."
        )
    ]
    if few:
        notes.insert(0, said("Fewer than {n} cases on one side: too few to conclude anything from.", n=FEW))
    return [
        Section(
            said("Service and loyalty"), said("Do people come back more often when the first answer solved it?"),
            figures=[
                Figure(
                    said("Solved with one answer"), shown.rate(rate(now)), rate(now),
                    said("of cases solved for the first time, never opened again"), shown.rate(rate(was)), rate(was),
                )
            ],
            table=Table(head, rows), notes=notes, links=[(said("Support report"), here.url("/shop/support"))],
        )
    ]  # fmt: skip
