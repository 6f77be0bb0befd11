"""Manners in the console: in which hours and how often customers may be written to, told in plain words beside the law's own
limits, and the do-not-call list.
"""

import asyncio
import re
from collections.abc import Mapping
from datetime import time
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site, uploads
from handlers.web.shop import fields, frame
from handlers.web.shop.campaigns import composing
from handlers.web.shop.campaigns import said as facts
from handlers.web.shop.importing import problem_of_file
from handlers.words import Words
from loyalty.orders import sheets
from loyalty.orders.sheets import SheetError
from loyalty.outreach import do_not_call, manners
from loyalty.outreach.campaigns import costs
from loyalty.outreach.campaigns.costs import Costs
from loyalty.outreach.manners import Rules
from loyalty.outreach.segments import matching
from store.errors import ForbiddenError, InvalidError

PATH = "/shop/manners"
_PHONE = re.compile(r"(?:\+?84|0)(\d{9})")
_SIGNS = re.compile(r"[\s.()'’-]+")


async def page(request: web.Request) -> web.StreamResponse:
    return await _page(request, {}, {})


async def _page(
    request: web.Request, form: Mapping[str, str], errors: Mapping[str, str], status: int = 200
) -> web.Response:
    def look(session: Session) -> dict[str, Any]:
        kept, cost = manners.rules(session), costs.of(session, frame.frame_of(request).shop.id)
        return {
            "form": {**_filled(kept), **_priced(cost), **form}, "messengers": facts.messengers(site.words_of(request)), "kept": kept, "numbers": do_not_call.size(session),
            "brought": do_not_call.brought(session),
        }  # fmt: skip

    context = await site.store_of(request).read(look) | {"errors": errors}
    return await frame.render(request, "shop/campaigns/manners.html", context, page=composing.PAGE, status=status)


def _filled(kept: Rules) -> dict[str, str]:
    clocks = {
        name: getattr(kept, name).isoformat("minutes") for name in ("care_from", "care_until", "ads_from", "ads_until")
    }
    caps = {name: str(getattr(kept, name) or "") for name in ("care_cap", "ads_cap", "week_cap")}
    return clocks | caps


def _priced(cost: Costs) -> dict[str, str]:
    prices = {f"price_{name}": str(cost.prices.get(name, 0)) for name in costs.MESSENGERS}
    return prices | ({"paid": "on"} if cost.paid else {})


def _read(form: Mapping[str, str]) -> Rules:
    """Raises InvalidError, by the form's fields."""

    def clock(name: str) -> time:
        try:
            return time.fromisoformat(form.get(name, ""))
        except ValueError:
            raise InvalidError(name, "time") from None

    return Rules(
        clock("care_from"), clock("care_until"), fields.needed(form, "care_cap"), clock("ads_from"), clock("ads_until"),
        fields.needed(form, "ads_cap"), fields.number(form, "week_cap"),
    )  # fmt: skip


async def save(request: web.Request) -> web.StreamResponse:
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    _need_all(here)
    try:
        await site.store_of(request).write(
            lambda session: manners.change(session, _read(form), here.shop.id, here.actor)
        )
    except InvalidError as error:
        return await _page(request, form, {error.field: _problem(said, error)}, status=422)
    return await frame.done(request, PATH, said("Saved. It holds from the next message on."))


async def save_costs(request: web.Request) -> web.StreamResponse:
    """What sending costs at this shop, and whether Telegram is paid to be quicker."""
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    _need_all(here)

    def write(session: Session) -> None:
        prices = {name: fields.number(form, f"price_{name}") or 0 for name in costs.MESSENGERS}
        costs.change(session, here.shop.id, Costs(prices, "paid" in form), here.actor)

    try:
        await site.store_of(request).write(write)
    except InvalidError as error:
        words = said("A whole number of đồng, {n} at most.", n=said.number(costs.PRICE_MAX))
        return await _page(request, {"paid": "", **form}, {error.field: words}, status=422)
    return await frame.done(request, PATH, said("Saved. It holds for campaigns that are approved from now on."))


def _problem(said: Words, error: InvalidError) -> str:
    known = {
        "ads_from": said("The law allows 07:00 to 22:00: choose hours within it, the earlier one first."),
        "ads_cap": said("Between 1 and 3: the law allows no more."),
        "care_cap": said("Between 1 and {n}.", n=said.number(manners.CAP_MAX)),
        "week_cap": said("Between 1 and {n}, or nothing.", n=said.number(manners.WEEK_CAP_MAX)),
    }
    return (
        said("Give the hour, for example 09:00.")
        if error.problem == "time"
        else known.get(error.field, site.say(said, error))
    )


async def upload(request: web.Request) -> web.StreamResponse:
    """Take a do-not-call list in the place of the one before; a file without a number changes nothing."""
    here, said = frame.frame_of(request), site.words_of(request)
    _need_all(here)
    try:
        _, sent = await uploads.read_form(request, 1)
        found = await asyncio.to_thread(_numbers, sent[0].content, sent[0].name) if sent else []
    except (InvalidError, SheetError) as error:
        return await _page(request, {}, {"file": problem_of_file(said, error.problem)}, status=422)
    if not found:
        return await _page(request, {}, {"file": said("There is no phone number in this file.")}, status=422)
    async for _ in site.store_of(request).stream(do_not_call.replace, found, here.shop.id, here.actor):
        pass
    words = said.plural("{n} number is on the list now.", "{n} numbers are on the list now.", len(found))
    return await frame.done(request, PATH, words)


def _numbers(content: bytes, name: str) -> list[str]:
    """Every Vietnamese number in a file, wherever it stands, each once. Raises SheetError."""
    sheet = matching.peek(content, name)
    cells = [*sheet.header, *(cell for _, row in sheet.rows for cell in row)]
    matches = (_PHONE.fullmatch(_SIGNS.sub("", sheets.text(cell))) for cell in cells)
    return list(dict.fromkeys(f"+84{one[1]}" for one in matches if one))


def _need_all(here: frame.Frame) -> None:
    """They hold for every shop: who changes them has a say in all of them."""
    if not here.rules_all:
        raise ForbiddenError(here.shop.id)
