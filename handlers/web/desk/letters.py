"""Dead letters at the desk: updates whose handling failed, to be read and run again."""

import json

from aiohttp import web

from handlers.web import site
from handlers.web.bodies import body_of
from handlers.web.desk.frame import desk
from store import inbox, shops
from store.errors import ForbiddenError
from store.staff import Member, Right


def setup_letters(app: web.Application) -> None:
    app.router.add_get("/desk/dead-letters", desk(dead_letters))
    app.router.add_post("/desk/dead-letters/replay", desk(replay))


def supervises_all(member: Member, every: list[shops.Shop]) -> bool:
    return bool(every) and all(member.may(Right.SUPERVISE, shop.id) for shop in every)


async def _need_letters(request: web.Request) -> None:
    """A dead letter may be any shop's customer: only who supervises all of them reads it."""
    if not supervises_all(site.member_of(request), await site.store_of(request).read(shops.every)):
        raise ForbiddenError(Right.SUPERVISE)


async def dead_letters(request: web.Request) -> web.StreamResponse:
    await _need_letters(request)
    letters = await site.store_of(request).read(inbox.dead_letters)
    shown_letters = [{"letter": letter, "body": _pretty(letter.body)} for letter in letters]
    return await site.render(
        request,
        "desk/letters.html",
        {"letters": shown_letters, "zone": await _zone(request), "now": site.store_of(request).clock.now()},
    )


async def replay(request: web.Request) -> web.Response:
    """Run one again; the person gets its answer if it goes through now."""
    await _need_letters(request)
    try:
        asked = await body_of(request)
        account, key = str(asked["account"]), str(asked["key"])
        (account + key).encode()  # half a surrogate pair is no text
    except (ValueError, KeyError, TypeError):
        raise web.HTTPBadRequest from None
    return web.json_response({"done": await request.config_dict[site.SITE].replay(account, key)})


async def _zone(request: web.Request) -> str:
    every = await site.store_of(request).read(shops.every)
    return every[0].timezone


def _pretty(body: str) -> str:
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, indent=2)
    except ValueError:
        return body
