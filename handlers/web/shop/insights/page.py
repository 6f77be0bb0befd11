"""Insights in the console: one page in five parts, over the days and of the group of people that are asked for; as XLSX too, and
clean on paper.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.shop import frame, sheets_out
from handlers.web.shop.frame import Frame, console
from handlers.web.shop.insights import ahead, asked, customers, habits, programme, service
from handlers.web.shop.insights.asked import PERIODS, Asked, Place
from handlers.web.shop.insights.sections import Section
from handlers.web.shop.segments import overview
from handlers.web.shop.sheets_out import Cell, Sheet
from handlers.words import Words
from loyalty.insights import digests
from store.staff import Right

SHEET_NAME_MAX = 31


@dataclass(frozen=True, slots=True)
class Part:
    """A part: what it reads, in one look into the store, and the sections that this makes."""

    look: Callable[[Session, Place], Any]
    sections: Callable[[Words, Frame, Any], list[Section]]


PARTS = {
    "customers": Part(customers.look, customers.sections), "programme": Part(programme.look, programme.sections),
    "habits": Part(habits.look, habits.sections), "service": Part(service.look, service.sections),
    "ahead": Part(ahead.look, ahead.sections),
}  # fmt: skip


def add_insights(app: web.Application) -> None:
    add, shop = app.router, console()
    add.add_get("/shop/insights", shop(page))
    add.add_get("/shop/insights.xlsx", shop(export))
    add.add_post("/shop/insights/digest", console(Right.STAFF)(choose))


async def page(request: web.Request) -> web.StreamResponse:
    """A part of insights, `?part=`; the first one where it names none of them."""
    name, place, sections = await _made(request)
    here = frame.frame_of(request)
    mine = here.member.may(Right.STAFF, here.shop.id)
    context = {
        "digest": await site.store_of(request).read(digests.wanted, here.shop.id, here.member.id) if mine else None,
        "part": name, "parts": _parts(site.words_of(request)), "scope": place.scope, "chosen": place.segment,
        "choices": place.segments, "now_day": place.today, "periods": PERIODS, "sections": sections, "query": place.query(),
    }  # fmt: skip
    return await frame.render(request, "shop/insights/page.html", context, page="insights")


async def export(request: web.Request) -> web.StreamResponse:
    """The same as XLSX: the figures of all sections on one sheet, each table on its own."""
    said = site.words_of(request)
    name, place, sections = await _made(request)
    sheets = await asyncio.to_thread(_sheets, said, place, sections)
    return sheets_out.as_xlsx(f"insights-{name}-{place.scope.first}-{place.scope.last}", sheets)


async def choose(request: web.Request) -> web.StreamResponse:
    """Whether the owner who asks wants the weekly digest of this shop."""
    here, said = frame.frame_of(request), site.words_of(request)
    on = (await request.post()).get("on") == "1"
    await site.store_of(request).write(digests.choose, here.shop.id, here.member.id, on=on)
    words = (
        said("You get the week in your chat, on Monday mornings.")
        if on
        else said("You get the week in your chat no more.")
    )
    return await frame.done(request, "/shop/insights", words)


async def _made(request: web.Request) -> tuple[str, Place, list[Section]]:
    here, wanted = frame.frame_of(request), asked.read(request)
    await overview.prepare(request)
    name = request.query.get("part", "")
    name = name if name in PARTS else next(iter(PARTS))

    def look(session: Session, here: Frame, wanted: Asked) -> tuple[Place, Any]:
        place = asked.place(session, here, wanted)
        return place, PARTS[name].look(session, place)

    place, seen = await site.store_of(request).read(look, here, wanted)
    return name, place, PARTS[name].sections(site.words_of(request), here, seen)


def _parts(said: Words) -> dict[str, str]:
    return {
        "customers": said("Customers"), "programme": said("Programme"), "habits": said("Habits"), "service": said("Service"),
        "ahead": said("Forecast"),
    }  # fmt: skip


def _sheets(said: Words, place: Place, sections: list[Section]) -> list[Sheet]:
    rows: list[list[Cell]] = [
        [section.title, one.name, _cell(one.value), _cell(one.was), one.how] for section in sections for one in section.figures
    ]  # fmt: skip
    rows.append([said("Period"), f"{place.scope.first} – {place.scope.last}", "", "", ""])
    if place.segment:
        rows.append([said("Group of customers"), place.segment.name, "", "", ""])
    head = (said("Section"), said("Figure"), said("Value"), said("Before"), said("How it is counted"))
    found = [Sheet(said("Figures"), head, rows)]
    for number, section in enumerate((one for one in sections if one.table), start=1):
        assert section.table is not None
        lines = [[_cell(cell.value) for cell in row] for row in section.table.rows]
        title = f"{number} {section.title}".translate(dict.fromkeys(map(ord, "[]:*?/\\'")))
        found.append(Sheet(title[:SHEET_NAME_MAX], section.table.head, lines))
    return found


def _cell(value: float | str | None) -> Cell:
    return "" if value is None else value
