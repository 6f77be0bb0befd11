"""Offers: what vouchers the shop has, as a list that is searched and sorted."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.chat import gives
from handlers.web import site
from handlers.web.shop import frame, lists
from handlers.words import Words
from loyalty.points import lots
from loyalty.vouchers import redemptions, reservations, voucher_programs
from loyalty.vouchers.voucher_programs import Program
from store.clock import now
from store.text import fold

NEVER = 2**62
"""Beyond every price and stock: an offer that isn't sold for points, or never runs out."""


class Sort(StrEnum):
    NEWEST = "newest"
    NAME = "name"
    PRICE = "price"
    LEFT = "left"
    GIVEN = "given"
    USED = "used"


@dataclass(frozen=True, slots=True)
class Shown:
    """An offer in the list: how it stands (`state`: running, soon, over, out, hidden) in words."""

    offer: Program
    gives: str
    left: int | None
    used: int
    state: str
    state_words: str
    period: str


async def page(request: web.Request) -> web.StreamResponse:
    here, said = frame.frame_of(request), site.words_of(request)

    def look(session: Session) -> list[Shown]:
        every = voucher_programs.of_shop(session, here.shop.id)
        used = redemptions.used(session, [offer.id for offer in every])
        return [
            shown(said, offer, used.get(offer.id, 0), here.shop.timezone, now(session), left_of(session, offer))
            for offer in every
        ]

    every, search = await site.store_of(request).read(look), lists.search(request)
    asked = lists.asked(request, "/shop/offers", Sort, Sort.NEWEST, {Sort.NAME, Sort.PRICE, Sort.LEFT}, {"q": search})
    found = [line for line in every if fold(search) in fold(line.offer.name)]
    context = {
        "found": lists.arrange(found, asked, SORTED[Sort(asked.sort)], lambda line: line.offer.id), "asked": asked,
        "any": bool(every),
    }  # fmt: skip
    return await frame.render(request, "shop/offers.html", context, page="offers")


SORTED: dict[Sort, Callable[[Shown], Any]] = {
    Sort.NEWEST: lambda _: 0,
    Sort.NAME: lambda line: fold(line.offer.name),
    Sort.PRICE: lambda line: line.offer.price_points or NEVER,
    Sort.LEFT: lambda line: NEVER if line.left is None else line.left,
    Sort.GIVEN: lambda line: line.offer.issued,
    Sort.USED: lambda line: line.used,
}


def left_of(session: Session, offer: Program) -> int | None:
    """Vouchers there are to give, or uses of a shared code; None where nothing bounds them."""
    if offer.stock is None:
        return None
    return reservations.room(session, offer).uses if offer.shared else offer.stock - offer.issued


def shown(said: Words, offer: Program, used: int, zone: str, moment: datetime, left: int | None) -> Shown:
    """How an offer stands at a moment, in words."""
    state = (
        "over" if offer.ends_at is not None and offer.ends_at <= moment
        else "hidden" if offer.hidden
        else "soon" if offer.starts_at is not None and offer.starts_at > moment
        else "out" if left == 0
        else "running"
    )  # fmt: skip
    words = {
        "over": said("Ended"), "hidden": said("Hidden"), "soon": said("Not begun"), "out": said("Run out"),
        "running": said("Running"),
    }[state]  # fmt: skip
    return Shown(offer, gives.terms(said, offer), left, used, state, words, _period(said, offer, zone))


def _period(said: Words, offer: Program, zone: str) -> str:
    begins = said.date(offer.starts_at.astimezone(ZoneInfo(zone)).date()) if offer.starts_at else None
    ends = said.date(lots.last_day(offer.ends_at, zone)) if offer.ends_at else None
    if begins and ends:
        return f"{begins} – {ends}"
    if ends:
        return said("until {day}", day=ends)
    return said("from {day}", day=begins) if begins else said("always")
