"""Macros in the console: those of the shop and its teams, each with what it says and does. Agents make their own at the desk."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.shop import fields, frame
from handlers.words import Words
from store import staff
from store.errors import InvalidError
from store.staff import Right
from support import topics
from support.answers import macros
from support.answers.macros import ME, PLACES, Action, Do, Draft, For, Macro
from support.routing import teams
from support.tickets import Priority

PLACE = "/shop/macros"
TAGS_MAX = 5


async def page(request: web.Request) -> web.StreamResponse:
    here, said = frame.frame_of(request), site.words_of(request)

    def look(session: Session) -> dict[str, Any]:
        return {
            "every": macros.kept(session, here.shop.id, here.member),
            "teams": {team.id: team.name for team in teams.of(session, here.shop.id)},
            **choices(session, said, here.shop.id),
        }

    context = await site.store_of(request).read(look)
    context |= {"tab": "macros", "told": lambda action: in_words(said, context, action), "For": For}
    return await frame.render(request, "shop/answers/macros.html", context, page="answers")


def choices(session: Session, said: Words, shop_id: int) -> dict[str, Any]:
    """What actions can be about, by what they are kept as."""
    shipped = {
        "order": said("Order"), "product": said("Product"), "points": said("Points and vouchers"),
        "complaint": said("Complaint"), "other": said("Something else"),
    }  # fmt: skip
    own = {one.key: one.called(said.language) for one in topics.own(session, shop_id) if one.offered}
    desk = {str(one.id): one.name for one in staff.every(session) if one.may(Right.DESK, shop_id)}
    return {
        "topics": shipped | own, "priorities": {
            Priority.LOW.value: said("Low"), Priority.NORMAL.value: said("Normal"), Priority.HIGH.value: said("High"),
            Priority.URGENT.value: said("Urgent"),
        },
        "people": {ME: said("Who uses it")} | desk,
    }  # fmt: skip


def in_words(said: Words, known: Mapping[str, Any], action: Action) -> str:
    """An action as a short phrase; `known` as `choices` gives it."""
    match action.do:
        case Do.TAG:
            return said("tag “{tag}”", tag=action.value)
        case Do.TOPIC:
            return said("topic {topic}", topic=known["topics"].get(action.value, action.value))
        case Do.PRIORITY:
            return said("priority {priority}", priority=known["priorities"].get(action.value, action.value))
        case Do.ASSIGN:
            return said("hand to {name}", name=known["people"].get(action.value, "–"))
        case Do.SNOOZE:
            return said("put aside: {when}", when=action.value)
        case Do.RESOLVE:
            return said("solved")


async def new(request: web.Request) -> web.StreamResponse:
    return await _form(request, None, {"seen_by": For.ALL.value}, {})


async def edit(request: web.Request) -> web.StreamResponse:
    number = frame.named(request)
    found = await site.store_of(request).read(macros.changeable, number, site.member_of(request))
    return await _form(request, number, filled(found), {})


def filled(macro: Macro) -> dict[str, str]:
    """A macro as the form's fields."""
    form = {"name": macro.name, "seen_by": macro.seen_by.value, "team": str(macro.team_id or "")}
    form |= {f"text_{tongue}": macro.texts.get(tongue, "") for tongue in macros.LANGUAGES}
    form["tag"] = ", ".join(action.value for action in macro.actions if action.do is Do.TAG)
    return form | {action.do.value: action.value or "on" for action in macro.actions if action.do is not Do.TAG}


async def _form(
    request: web.Request, number: int | None, form: Mapping[str, str], errors: Mapping[str, str], status: int = 200
) -> web.Response:
    here, said = frame.frame_of(request), site.words_of(request)

    def look(session: Session) -> dict[str, Any]:
        found = choices(session, said, here.shop.id)
        return found | {"teams": {team.id: team.name for team in teams.of(session, here.shop.id)}}

    context = await site.store_of(request).read(look)
    names = {
        "name": said("how the customer is called"), "points": said("their points"), "ticket": said("the request's number"),
        "agent": said("who answers"), "shop": said("the shop"),
    }  # fmt: skip
    context |= {
        "number": number, "form": dict(form), "errors": errors, "limit": macros.TEXT_CHARS_MAX,
        "places": [(f"{{{place}}}", names[place]) for place in PLACES],
    }  # fmt: skip
    return await frame.render(request, "shop/answers/macro.html", context, page="answers", status=status)


def draft(form: Mapping[str, str]) -> Draft:
    """What the form's fields make. Raises InvalidError."""
    seen_by = form.get("seen_by", "")
    if seen_by not in set(For):
        raise InvalidError("seen_by", "unknown", seen_by)
    actions = [Action(Do.TAG, tag.strip()) for tag in form.get("tag", "").split(",")[:TAGS_MAX] if tag.strip()]
    chosen = (Do.TOPIC, Do.PRIORITY, Do.ASSIGN, Do.SNOOZE)
    actions += [Action(do, form[do.value]) for do in chosen if form.get(do.value)]
    if form.get(Do.RESOLVE.value):
        actions.append(Action(Do.RESOLVE))
    team = form.get("team", "")
    texts = {tongue: form.get(f"text_{tongue}", "") for tongue in macros.LANGUAGES}
    return Draft(
        form.get("name", ""), texts, tuple(actions), For(seen_by), int(team) if team.isdecimal() and len(team) < 16 else None
    )  # fmt: skip


async def create(request: web.Request) -> web.StreamResponse:
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    try:
        await site.store_of(request).write(macros.create, here.shop.id, draft(form), here.member)
    except InvalidError as error:
        return await _form(request, None, form, {error.field: problem(said, error)}, status=422)
    return await frame.done(request, PLACE, said("The macro is at the desk now."))


async def save(request: web.Request) -> web.StreamResponse:
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)
    form = await fields.read(request)
    try:
        await site.store_of(request).write(macros.change, number, draft(form), here.member)
    except InvalidError as error:
        return await _form(request, number, form, {error.field: problem(said, error)}, status=422)
    return await frame.done(request, PLACE, said("Saved."))


async def remove(request: web.Request) -> web.StreamResponse:
    said = site.words_of(request)
    await site.store_of(request).write(macros.remove, frame.named(request), site.member_of(request))
    return await frame.done(request, PLACE, said("The macro is gone. What it said and did stays."))


def problem(said: Words, error: InvalidError) -> str:
    """What is wrong with a macro, in words."""
    known = {
        "name": said("A name of 1 to {n} letters.", n=macros.NAME_CHARS_MAX),
        "tag": said("A tag has up to 40 letters."),
        "snooze": said("Say when: 2d, 4h, mai 9h."),
        "topic": said("This topic is no longer offered."),
        "assign": said("This colleague doesn't work at this desk."),
        "team": said("Choose the team."),
        "resolve": said("A request is put aside or solved, not both."),
    }
    if error.problem == "place":
        return said("{place} isn't known. Use the places named below.", place=f"{{{error.value}}}")
    if error.problem == "empty":
        return said("Write what it says, or choose what it does.")
    return known.get(error.field) or said("Up to {n} letters.", n=said.number(macros.TEXT_CHARS_MAX))
