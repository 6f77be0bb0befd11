"""Requests: what the shop's desk asks of each, its tags, and how long a solved one can be opened again."""

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.desk import shown
from handlers.web.shop import fields as typed
from handlers.web.shop import frame
from handlers.words import Words
from store.errors import InvalidError
from support import desks, fields, tagging, tags, topics
from support.desks import Desk
from support.fields import Kind

PATH = "/shop/requests"


def add_requests(app: web.Application) -> None:
    add, shop = app.router, frame.console()
    add.add_get(PATH, shop(page))
    add.add_post(PATH, shop(save))
    add.add_post(PATH + "/topics", shop(save_topic))
    add.add_post(PATH + "/topics/{id:\\d{1,15}}", shop(save_topic))
    add.add_post(PATH + "/tags/{id:\\d{1,15}}", shop(save_tag))
    add.add_post(PATH + "/tags/{id:\\d{1,15}}/remove", shop(remove_tag))
    add.add_post(PATH + "/fields", shop(save_field))
    add.add_post(PATH + "/fields/{id:\\d{1,15}}", shop(save_field))


async def save_tag(request: web.Request) -> web.StreamResponse:
    """A tag under another name; that of another one makes them one."""
    here, form, number = frame.frame_of(request), await typed.read(request), frame.named(request)

    def write(session: Session) -> None:
        tagging.rename(session, here.shop.id, here.member, number, form.get("tag", ""))

    return await _save(request, f"tag-{number}", form, write)


async def remove_tag(request: web.Request) -> web.StreamResponse:
    """A tag off all requests."""
    here, number = frame.frame_of(request), frame.named(request)
    await site.store_of(request).write(tagging.remove, here.shop.id, here.member, number)
    return await frame.done(request, PATH, site.words_of(request)("Taken off."))


async def page(request: web.Request) -> web.StreamResponse:
    return await _page(request)


async def _page(
    request: web.Request, at: str = "", form: Mapping[str, str] | None = None, error: str = "", name: str = ""
) -> web.Response:
    """`at` names the form that was refused, with what it held, and `error` at its field `name`."""
    here, said = frame.frame_of(request), site.words_of(request)

    def look(session: Session) -> dict[str, Any]:
        return {
            "desk": desks.of(session, here.shop.id), "topics": topics.own(session, here.shop.id),
            "fields": fields.of_shop(session, here.shop.id), "tags": tags.every(session, [here.shop.id]),
        }  # fmt: skip

    context = {
        **await site.store_of(request).read(look), "shipped": shown.topics(said), "kinds": kinds(said), "at": at,
        "used": lambda count: said.plural("on {n} request", "on {n} requests", count),
        "form": dict(form or {}), "errors": {name: error} if error else {},
    }  # fmt: skip
    return await frame.render(request, "shop/requests.html", context, page="requests", status=422 if error else 200)


async def save(request: web.Request) -> web.StreamResponse:
    """How long a solved request can be opened again."""
    here, form = frame.frame_of(request), await typed.read(request)

    def write(session: Session) -> None:
        desks.change(session, here.shop.id, here.member, Desk(typed.needed(form, "reopen_days")))

    return await _save(request, "desk", form, write)


async def save_topic(request: web.Request) -> web.StreamResponse:
    """A new topic, or one that is there."""
    here, form, number = frame.frame_of(request), await typed.read(request), _number(request)
    name, english, offered = form.get("name", ""), form.get("english", ""), "offered" in form

    def write(session: Session) -> None:
        if number is None:
            topics.add(session, here.shop.id, here.member, name, english)
        else:
            topics.change(session, number, here.member, name, english, offered=offered)

    return await _save(request, f"topic-{number or 'new'}", form, write)


async def save_field(request: web.Request) -> web.StreamResponse:
    """A new field, or one that is there; its choices stand in lines."""
    here, form, number = frame.frame_of(request), await typed.read(request), _number(request)
    name, choices = form.get("name", ""), form.get("choices", "").splitlines()

    def write(session: Session) -> None:
        if number is None:
            fields.add(session, here.shop.id, here.member, name, form.get("kind", ""), choices)
        else:
            fields.change(session, number, here.member, name, choices, asked="asked" in form)

    return await _save(request, f"field-{number or 'new'}", form, write)


async def _save(
    request: web.Request, at: str, form: Mapping[str, str], write: Callable[[Session], None]
) -> web.StreamResponse:  # fmt: skip
    said = site.words_of(request)
    try:
        await site.store_of(request).write(write)
    except InvalidError as error:
        return await _page(request, at, form, _problem(said, error), error.field)
    return await frame.done(request, PATH, said("Saved."))


def kinds(said: Words) -> dict[str, str]:
    """What may stand in a field."""
    return {
        Kind.TEXT: said("Words"), Kind.NUMBER: said("A number"), Kind.CHOICE: said("One of several"), Kind.DATE: said("A date"),
    }  # fmt: skip


def _problem(said: Words, error: InvalidError) -> str:
    if error.problem in {"number", "empty", "range"}:
        return said("Between 0 and 90 days.")
    return {
        ("name", "length"): said("Give it a short name."), ("name", "taken"): said("There is one of this name already."),
        ("name", "count"): said("These are as many as there can be."), ("english", "length"): said("Give it a short name."),
        ("tag", "length"): said("Give it a name of up to 40 letters."),
        ("kind", "unknown"): said("Please choose one of the list."),
        ("choices", "count"): said("Write 2 to 30 choices, one a line."), ("choices", "length"): said("A choice has up to 40 letters."),
    }.get((error.field, error.problem)) or site.say(said, error)  # fmt: skip


def _number(request: web.Request) -> int | None:
    return frame.named(request) if "id" in request.match_info else None
