"""Signing in: a one-time link shows a plain form, its button opens the session (a messenger's preview only looks)."""

from aiohttp import web

from handlers.web import site
from handlers.words import words
from store import staff
from store.errors import NotFoundError
from store.staff import Member, Right

HOME = ((Right.DESK, "/desk"), (Right.CONSOLE, "/shop"), (Right.TILL, "/till"))
TRIES_A_MINUTE = 30


def setup_login(app: web.Application) -> None:
    app.router.add_get("/login", missing)
    app.router.add_get("/login/{token}", ask)
    app.router.add_post("/login/{token}", enter)
    app.router.add_post("/logout", leave)


async def missing(request: web.Request) -> web.Response:
    """Somebody opens a staff page without a session."""
    member = await site.signed_in(request)
    if member is not None:
        raise web.HTTPFound(home_of(member))
    return await site.render(request, "login/login.html", {"state": "wrong"}, status=200)


async def ask(request: web.Request) -> web.Response:
    token = request.match_info["token"]
    _slow_down(request)
    member = await site.store_of(request).read(staff.link_owner, "login", token)
    if member is None:
        return await site.render(request, "login/login.html", {"state": "expired"}, status=410)
    role, _ = member.roles[0]
    said = words(site.accepted_language(request))
    whose = {"name": member.name, "role": site.role_name(said, role)}
    context = {"state": "confirm", "action": f"/login/{token}", "staff": whose, "shop": None}
    response = await site.render(request, "login/login.html", context)
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


async def enter(request: web.Request) -> web.Response:
    _slow_down(request)
    try:
        member, path = await site.store_of(request).write(staff.use_link, "login", request.match_info["token"])
    except NotFoundError:
        return await site.render(request, "login/login.html", {"state": "expired"}, status=410)
    await site.sign_in(request, member)
    raise web.HTTPSeeOther(path or home_of(member))


async def leave(request: web.Request) -> web.Response:
    await site.sign_out(request)
    raise web.HTTPSeeOther("/login")


def home_of(member: Member) -> str:
    """The page a member of staff works on."""
    return next((path for right, path in HOME if member.may(right)), "/login")


def _slow_down(request: web.Request) -> None:
    if not request.app[site.LIMITS].allow(f"login:{request.remote}", TRIES_A_MINUTE, 60):
        raise web.HTTPTooManyRequests
