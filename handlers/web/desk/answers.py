"""Ready answers at the desk: macros, looked at before they are applied, articles, and what fits the customer's last words."""

import secrets
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.desk.frame import Part, desk, ticket_of
from handlers.web.shop.answers.macros import choices, in_words
from handlers.words import Words
from store import shops
from store.errors import InvalidError, RuleError
from support import tickets
from support.answers import applying, articles, macros, rendering, suggesting
from support.answers.macros import LANGUAGES, Do, Draft, For
from support.messages import TEXT_CHARS_MAX
from support.thread import Happened

TICKET = "/desk/tickets/{ticket:\\d{1,15}}"
MACRO = TICKET + "/macros/{macro:\\d{1,15}}"


def setup_answers(app: web.Application) -> None:
    get, post = app.router.add_get, app.router.add_post
    get(TICKET + "/suggestions", desk(suggestions))
    get(TICKET + "/macros", desk(listed))
    post(TICKET + "/macros", desk(keep))
    get(MACRO, desk(preview))
    post(MACRO, desk(apply))
    post("/desk/macros/{macro:\\d{1,15}}/remove", desk(remove))


async def suggestions(request: web.Request) -> web.Response:
    """What fits the customer's last words: macros by name, articles with the words that would go into the composer."""
    found = await site.store_of(request).read(suggesting.suggest, ticket_of(request), site.member_of(request))
    return web.json_response(
        {
            "macros": [{"id": one.id, "name": one.name} for one in found.macros],
            "articles": [{"title": one.title, "text": one.text} for one in found.articles],
        }
    )  # fmt: skip


async def listed(request: web.Request) -> web.Response:
    """The sheet with all macros and articles that the member may use here, to be narrowed by typing."""
    member, ticket_id = site.member_of(request), ticket_of(request)

    def look(session: Session) -> dict[str, Any]:
        ticket = tickets.view(session, ticket_id, member)
        shelf = [one.wording.told(ticket.language) for one in articles.published(session, ticket.shop_id)]
        return {
            "ticket": ticket, "articles": [(title, rendering.plain(body)) for title, body in shelf],
            "macros": [(one, one.told(ticket.language)) for one in macros.visible(session, ticket.shop_id, member)],
            "own": For.OWN, "limit": macros.TEXT_CHARS_MAX, "name_limit": macros.NAME_CHARS_MAX,
        }  # fmt: skip

    return await _part(request, "desk/macros.html", await site.store_of(request).read(look))


async def preview(request: web.Request) -> web.Response:
    """What a macro would say and do here, before it does."""
    member, ticket_id, said = site.member_of(request), ticket_of(request), site.words_of(request)
    macro_id = int(request.match_info["macro"])

    def look(session: Session) -> dict[str, Any]:
        found = applying.preview(session, macro_id, ticket_id, member)
        shop_id = found.macro.shop_id
        known, zone = choices(session, said, shop_id), shops.get(session, shop_id).timezone
        does = [
            said("put aside until {time}", time=said.moment(shown, zone)) if action.do is Do.SNOOZE and shown
            else said("hand to {name}", name=shown) if action.do is Do.ASSIGN and shown
            else in_words(said, known, action)
            for action, shown in found.actions
        ]  # fmt: skip
        own = found.macro.seen_by is For.OWN
        return {"ticket": ticket_id, "macro": found.macro, "text": found.text, "does": does, "own": own}

    context = await site.store_of(request).read(look)
    context |= {"key": secrets.token_hex(12), "limit": TEXT_CHARS_MAX}
    return await _part(request, "desk/macro.html", context)


async def apply(request: web.Request) -> web.Response:
    """Say and do it; the form's own `key` sees to it that a second try adds nothing."""
    asked, member, ticket_id = await request.post(), site.member_of(request), ticket_of(request)
    key, text = str(asked.get("key", "")), str(asked.get("text", ""))
    if not 8 <= len(key) <= 64 or not key.isascii() or not key.isalnum():
        raise InvalidError("key", "shape")
    macro_id = int(request.match_info["macro"])
    await site.store_of(request).write(applying.apply, macro_id, ticket_id, member, key=key, text=text)
    return web.json_response({})


async def keep(request: web.Request) -> web.Response:
    """Keep words as a macro of the member's own."""
    asked, member, ticket_id = await request.post(), site.member_of(request), ticket_of(request)
    name, text = str(asked.get("name", "")), str(asked.get("text", ""))

    def write(session: Session) -> None:
        ticket = tickets.view(session, ticket_id, member)
        texts = {ticket.language if ticket.language in LANGUAGES else "vi": text}
        macros.create(session, ticket.shop_id, Draft(name, texts, seen_by=For.OWN), member)

    await site.store_of(request).write(write)
    return web.json_response({"toast": site.words_of(request)("“{name}” is saved", name=name)})


async def remove(request: web.Request) -> web.Response:
    await site.store_of(request).write(macros.remove, int(request.match_info["macro"]), site.member_of(request))
    return web.json_response({"toast": site.words_of(request)("It is gone. What it said and did stays.")})


def _words(said: Words) -> dict[str, str]:
    return {
        "macros": said("Ready answers"),
        "fitting": said("Fits what the customer wrote"),
        "article": said("From the help pages"),
    }


def _happened(said: Words, event: Happened) -> str | None:
    if event.kind != "macro":
        return None
    return said("{name} used “{macro}”", name=event.staff or "", macro=event.data["name"])


def _refusal(said: Words, error: RuleError) -> str | None:
    if isinstance(error, InvalidError):
        if error.problem == "place":
            return said("Only {places} may stand in braces.", places=", ".join(f"{{{one}}}" for one in macros.PLACES))
        return {
            ("name", "length"): said("Give it a name of up to 60 letters."), ("text_vi", "empty"): said("Write something first."),
            ("text_vi", "length"): said("That is too long."), ("text_en", "length"): said("That is too long."),
        }.get((error.field, error.problem))  # fmt: skip
    return None


async def _part(request: web.Request, template: str, context: dict[str, Any]) -> web.Response:
    return web.Response(text=await site.render_part(request, template, context), content_type="text/html")


PART = Part(setup=setup_answers, words=_words, happened=_happened, refusal=_refusal)
