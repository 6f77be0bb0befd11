"""A search over everything at the desk: requests, what was said and noted in them, customers, macros and articles; as a sheet
and as what the palette lists.
"""

from dataclasses import replace
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.desk import shown
from handlers.web.desk.frame import Part, desk
from handlers.words import Words
from loyalty.customers import phones
from store.text import fold
from support import tickets
from support.answers import finding, macros
from support.answers.finding import Everything
from support.answers.macros import Macro
from support.messages import NOTE
from support.tickets import Ticket

SEARCH_CHARS_MAX = 200
NUMBER_DIGITS_MAX = 15
EACH = 4
"""Of each kind in the palette."""


def setup_finding(app: web.Application) -> None:
    app.router.add_get("/desk/find", desk(sheet))
    app.router.add_get("/desk/find/list", desk(found))
    app.router.add_get("/desk/find/palette", desk(palette))


async def sheet(request: web.Request) -> web.Response:
    return await _part(request, "desk/find.html", {})


async def found(request: web.Request) -> web.Response:
    """What the words find, as a piece of the sheet."""
    asked = request.query.get("q", "")[:SEARCH_CHARS_MAX].strip()
    everything = await site.store_of(request).read(finding.everything, site.member_of(request), asked)
    context = {"asked": asked, "found": everything, "states": shown.states(site.words_of(request))}
    return await _part(request, "desk/found.html", context)


async def palette(request: web.Request) -> web.Response:
    """What the words find, by kind, the first few of each; with a ticket open what can be answered in it, too."""
    said, member = site.words_of(request), site.member_of(request)
    asked = request.query.get("q", "")[:SEARCH_CHARS_MAX].strip()
    open_one = request.query.get("ticket", "")
    number = (
        int(open_one) if open_one.isascii() and open_one.isdecimal() and len(open_one) <= NUMBER_DIGITS_MAX else None
    )

    def look(session: Session) -> tuple[Everything, list[Macro]]:
        found, words = finding.everything(session, member, asked, EACH), fold(asked).split()
        if number is None or not words:
            return replace(found, articles=[]), []
        ticket = tickets.view(session, number, member)
        mine = macros.visible(session, ticket.shop_id, member)
        return found, [one for one in mine if all(word in fold(_told(one, ticket)) for word in words)][:EACH]

    found, fitting = await site.store_of(request).read(look)
    return web.json_response({"groups": [group for group in _groups(said, found, fitting) if group["items"]]})


def _told(macro: Macro, ticket: Ticket) -> str:
    return f"{macro.name} {macro.told(ticket.language)}"


def _groups(said: Words, found: Everything, fitting: list[Macro]) -> list[dict[str, Any]]:
    """`ticket` is opened, `macro` looked at, `words` go into the answer."""
    nobody, states = said("Customer without a name"), shown.states(said)
    return [
        {"title": said("Requests"), "icon": "ticket", "items": [
            {"title": one.customer or nobody, "aside": " · ".join(filter(None, (f"#{one.ticket_id}", one.subject, states.get(one.state)))),
             "ticket": one.ticket_id} for one in found.tickets
        ]},
        {"title": said("Customers"), "icon": "user", "items": [
            {"title": one.name or nobody, "aside": " · ".join(filter(None, (phones.local(one.phone) if one.phone else "", f"#{one.ticket_id}"))),
             "ticket": one.ticket_id} for one in found.people
        ]},
        {"title": said("Messages and notes"), "icon": "chat", "items": [
            {"title": one.customer or nobody, "aside": f"#{one.ticket_id} · {one.excerpt}", "ticket": one.ticket_id,
             **({"icon": "note"} if one.who == NOTE else {})} for one in found.said
        ]},
        {"title": said("Macros"), "icon": "bolt", "items": [{"title": one.name, "macro": one.id} for one in fitting]},
        {"title": said("Articles"), "icon": "help", "items": [
            {"title": one.title, "aside": one.excerpt, "words": one.text} for one in found.articles
        ]},
    ]  # fmt: skip


async def _part(request: web.Request, template: str, context: dict[str, Any]) -> web.Response:
    return web.Response(text=await site.render_part(request, template, context), content_type="text/html")


def _words(said: Words) -> dict[str, str]:
    return {"find": said("Search everything")}


PART = Part(setup=setup_finding, words=_words, style="/static/desk/finding.css")
