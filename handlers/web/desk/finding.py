"""A search over everything at the desk: requests, what was said and noted in them, customers and articles."""

from typing import Any

from aiohttp import web

from handlers.web import site
from handlers.web.desk import shown
from handlers.web.desk.frame import Part, desk
from handlers.words import Words
from support.answers import finding

SEARCH_CHARS_MAX = 200


def setup_finding(app: web.Application) -> None:
    app.router.add_get("/desk/find", desk(sheet))
    app.router.add_get("/desk/find/list", desk(found))


async def sheet(request: web.Request) -> web.Response:
    return await _part(request, "desk/find.html", {})


async def found(request: web.Request) -> web.Response:
    """What the words find, as a piece of the sheet."""
    asked = request.query.get("q", "")[:SEARCH_CHARS_MAX].strip()
    everything = await site.store_of(request).read(finding.everything, site.member_of(request), asked)
    context = {"asked": asked, "found": everything, "states": shown.states(site.words_of(request))}
    return await _part(request, "desk/found.html", context)


async def _part(request: web.Request, template: str, context: dict[str, Any]) -> web.Response:
    return web.Response(text=await site.render_part(request, template, context), content_type="text/html")


def _words(said: Words) -> dict[str, str]:
    return {"find": said("Search everything")}


PART = Part(setup=setup_finding, words=_words, style="/static/desk/finding.css")
