"""All pages, joined: one folder each beside this file."""

from aiohttp import web

from handlers.web import site
from handlers.web.chat.views import setup_chat
from handlers.web.desk.views import setup_desk
from handlers.web.login.views import setup_login
from handlers.web.lucky.views import setup_lucky
from handlers.web.public.views import setup_public
from handlers.web.shop.views import setup_shop
from handlers.web.till.views import setup_till
from loyalty.outreach import links
from store import shops


def setup_pages(app: web.Application, *, demo: bool) -> None:
    setup_login(app)
    setup_chat(app)
    setup_desk(app)
    setup_till(app)
    setup_shop(app)
    setup_lucky(app)
    setup_public(app)
    app.router.add_get(links.PATH + r"{token:[0-9A-Za-z]{10}}", follow)
    app.router.add_get("/", demo_page if demo else home)


async def home(_request: web.Request) -> web.Response:
    raise web.HTTPFound("/chat")


async def follow(request: web.Request) -> web.StreamResponse:
    """A short link of a campaign: counted, then on to where it leads."""
    raise web.HTTPFound(await site.store_of(request).write(links.follow, request.match_info["token"]))


async def demo_page(request: web.Request) -> web.Response:
    """A demo's first page: where everything is."""
    shop = await site.store_of(request).read(shops.first)
    links = {"chat": "/chat", "desk": "/desk", "console": "/shop", "till": "/till", "docs": "/api/docs"}
    if shop is not None:
        links["programme"] = f"/p/{shop.slug}"
    return await site.render(request, "templates/demo.html", {"shop": shop, "links": links})
