"""The console's frame: at which shop somebody looks, where its pages are, and what it just did, said once."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from aiohttp import web
from aiohttp_session import get_session
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.site import Handler
from store import shops
from store.errors import NotFoundError, RuleError
from store.shops import Shop
from store.staff import Member, Right

FLASH = "console_flash"
NUMBER_DIGITS_MAX = 15
_TOOLS = {"zone": ZoneInfo, "day_of": date.fromisoformat}
"""What templates need beside words: a time zone by its name, a day from its text."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a page of the console stands. `shops` are those whose console the member may open, or this page alone."""

    member: Member
    shop: Shop
    shops: list[Shop]
    rules_all: bool
    """They own every shop there is: what all shops share is theirs to change."""

    def url(self, path: str, /, **query: Any) -> str:
        """A page's address at this shop; with one shop the address needs not say which. Empty values are left out."""
        kept = {name: value for name, value in query.items() if value not in {None, "", False}}
        if len(self.shops) > 1:
            kept["shop"] = self.shop.id
        return f"{path}?{urlencode(kept)}" if kept else path

    @property
    def actor(self) -> str:
        """As the audit and the ledger name them."""
        return f"staff:{self.member.id}"


FRAME = web.RequestKey("frame", Frame)


def frame_of(request: web.Request) -> Frame:
    return request[FRAME]


def console(right: Right = Right.CONSOLE) -> Callable[[Handler], Handler]:
    """A route of the console: who has the right at the shop that the address names (or at one, where it names none)."""

    def wrap(handler: Handler) -> Handler:
        async def framed(request: web.Request) -> web.StreamResponse:
            wanted = whole(request.query.get("shop", "")) if "shop" in request.query else None
            request[FRAME] = await site.store_of(request).read(_frame, site.member_of(request), wanted, right)
            try:
                return await handler(request)
            except RuleError as error:
                if request.method in site.SAFE_METHODS:
                    raise
                return await _refused(request, error)

        framed.__name__ = handler.__name__
        return site.need(right)(framed)

    return wrap


def _frame(session: Session, member: Member, wanted: int | None, right: Right) -> Frame:
    every = shops.every(session)
    own = [shop for shop in every if member.may(Right.CONSOLE, shop.id) or member.may(right, shop.id)]
    able = [shop for shop in own if member.may(right, shop.id)]
    found = next((shop for shop in able if wanted in {None, shop.id}), None)
    if found is None:
        if any(shop.id == wanted for shop in own):
            member.need(right, wanted)
        raise NotFoundError("shop", wanted)
    return Frame(member, found, own, all(member.may(Right.STAFF, shop.id) for shop in every))


async def _refused(request: web.Request, error: RuleError) -> web.StreamResponse:
    """A form's refusal in words: beside what is shown for a script, as a page without one."""
    said = site.words_of(request)
    status = 404 if isinstance(error, NotFoundError) else 403 if error.code == "forbidden" else 409
    if by_script(request):
        return told(web.Response(status=status), site.say(said, error))
    context = {"status": status, "message": site.say(said, error), "home": frame_of(request).url("/shop")}
    return await site.render(request, "templates/error.html", context, status=status)


def whole(text: str) -> int:
    """A number in an address; raises NotFoundError for anything else."""
    if not (text.isascii() and text.isdecimal() and len(text) <= NUMBER_DIGITS_MAX):
        raise NotFoundError("page", text[:20])
    return int(text)


def named(request: web.Request, name: str = "id") -> int:
    """The number in the path."""
    return whole(request.match_info[name])


def by_script(request: web.Request) -> bool:
    """Whether htmx asks for a piece of the page; going back in the history it wants the whole."""
    return "HX-Request" in request.headers and "HX-History-Restore-Request" not in request.headers


async def render(
    request: web.Request, template: str, context: dict[str, Any], *, page: str, status: int = 200
) -> web.Response:
    """A page of the console; `page` is its place in the navigation."""
    frame = frame_of(request)
    session = await get_session(request)
    flash = session.pop(FLASH, None)
    full = {
        "frame": frame, "url": frame.url, "shop": frame.shop, "page": page, "flash": flash, "brand": frame.shop.brand,
        "may_staff": frame.member.may(Right.STAFF, frame.shop.id), "now": site.store_of(request).clock.now(), **_TOOLS, **context,
    }  # fmt: skip
    return await site.render(request, template, full, status=status)


async def part(request: web.Request, template: str, context: dict[str, Any], *, status: int = 200) -> web.Response:
    """A piece of a page, for htmx to put in."""
    frame = frame_of(request)
    full = {
        "frame": frame, "url": frame.url, "shop": frame.shop, "may_staff": frame.member.may(Right.STAFF, frame.shop.id),
        "now": site.store_of(request).clock.now(), **_TOOLS, **context,
    }  # fmt: skip
    text = await site.render_part(request, template, full)
    return web.Response(text=text, content_type="text/html", status=status, headers={"Vary": "HX-Request"})


def told(response: web.Response, words: str) -> web.Response:
    """Have htmx's page say one short sentence with this answer."""
    response.headers["HX-Trigger"] = json.dumps({"toast": words})
    return response


async def done(request: web.Request, path: str, words: str, /, shown: dict[str, str] | None = None) -> web.Response:
    """What was asked is done: on to a page that says so, and shows once what may be shown once (`shown`)."""
    session = await get_session(request)
    session[FLASH] = {"words": words, "shown": shown or {}}
    raise web.HTTPSeeOther(frame_of(request).url(path))
