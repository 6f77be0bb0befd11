"""Incidents: opened with its live reach, told to everybody it touched, closed with a last word."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers import care_words
from handlers.web import site
from handlers.web.shop import fields, frame
from handlers.web.shop.care.plans import context_day
from handlers.words import Words
from store.errors import InvalidError
from support.care import incidents
from support.care.incidents import Reach

PATH = "/shop/incidents"
TICKETS_MAX = 200


async def page(request: web.Request) -> web.StreamResponse:
    return await _page(request)


async def _page(
    request: web.Request, at: str = "", form: Mapping[str, str] | None = None, errors: Mapping[str, str] | None = None
) -> web.Response:
    here = frame.frame_of(request)

    def look(session: Session) -> dict[str, Any]:
        found = incidents.of_shop(session, here.shop.id)
        return {"found": [(one, incidents.tickets_of(session, one.id)[:20]) for one in found]}

    context = await site.store_of(request).read(look)
    context |= {
        "at": at,
        "form": dict(form or {}),
        "errors": dict(errors or {}),
        "today": context_day(request),
        "care": care_words,
    }
    return await frame.render(
        request, "shop/care/incidents.html", context, page="incidents", status=422 if errors else 200
    )


async def preview(request: web.Request) -> web.StreamResponse:
    """How many customers the form touches, while it is filled in."""
    here, said = frame.frame_of(request), site.words_of(request)
    try:
        found = await site.store_of(request).read(incidents.touched, here.shop.id, _reach(request.query))
        count, wrong = len(found), ""
    except InvalidError as error:
        count, wrong = 0, _refusal(said, error)
    return await frame.part(request, "shop/care/reach.html", {"count": count, "wrong": wrong, "care": care_words})


async def begin(request: web.Request) -> web.StreamResponse:
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)

    def write(session: Session) -> int:
        number = incidents.begin(
            session, here.member, here.shop.id, form.get("title", ""), form.get("words", ""), _reach(form)
        )
        return incidents.get(session, number, here.shop.id).people

    try:
        count = await site.store_of(request).write(write)
    except InvalidError as error:
        field = "first" if error.field == "people" else error.field
        return await _page(request, "new", form, {field: _refusal(said, error)})
    return await frame.done(
        request, PATH, said.plural("{n} customer is told now.", "{n} customers are told now.", count)
    )


async def close(request: web.Request) -> web.StreamResponse:
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    number = frame.named(request)
    try:
        await site.store_of(request).write(incidents.close, number, here.member, here.shop.id, form.get("over", ""))
    except InvalidError as error:
        return await _page(request, f"close-{number}", form, {error.field: _refusal(said, error)})
    return await frame.done(request, PATH, said("Closed: everybody who was told hears that it is over."))


def _reach(form: Mapping[str, str]) -> Reach:
    """Whom a form names. Raises InvalidError."""
    days = []
    for name in ("first", "last"):
        text = form.get(name, "")
        try:
            days.append(date.fromisoformat(text) if text else None)
        except ValueError:
            raise InvalidError(name, "day", text[:20]) from None
    first, last = days[0] or days[1], days[1] or days[0]
    numbers = [int(one) for one in re.findall(r"\d{1,15}", form.get("tickets", ""))[:TICKETS_MAX]]
    return Reach(first, last, form.get("item", "")[:100], tuple(numbers))


def _refusal(said: Words, error: InvalidError) -> str:
    return {
        "title": said("Give it a short name."), "words": said("Write what customers are to read."),
        "over": said("Write what customers are to read."), "people": said("It touches nobody: choose days or requests."),
        "first": said("Choose a day."), "last": said("At most 92 days, the last not before the first."),
        "tickets": said("There is no request #{n} at this shop.", n=str(error.value)),
    }.get(error.field) or site.say(said, error)  # fmt: skip
