"""A shop's programme for everybody: what points are, what they bring, how to join. No sign-in, nothing to fill in."""

import asyncio
from functools import lru_cache

from aiohttp import web

from handlers.pictures.poster import draw_cover
from handlers.pictures.qr import draw_qr
from handlers.web import site
from handlers.web.public import said as telling
from handlers.words import LANGUAGES, Words, words
from loyalty import showcase
from store.shops import Shop

SLUG = r"{slug:[a-z0-9][a-z0-9-]{0,79}}"
PICTURE_HEADERS = {"Cache-Control": "public, max-age=600"}


def setup_public(app: web.Application) -> None:
    app.router.add_get(f"/p/{SLUG}", page)
    app.router.add_get(f"/p/{SLUG}/cover.png", cover)
    app.router.add_get(f"/p/{SLUG}/qr.png", code)


def address(request: web.Request, shop: Shop) -> str:
    """Where a shop's page is, for people and for pictures."""
    return f"{request.config_dict[site.SITE].public_url}/p/{shop.slug}"


def payload(shop: Shop) -> str:
    """With what a chat begins that was opened from a shop's page or poster."""
    return f"p_{shop.id}"


async def page(request: web.Request) -> web.StreamResponse:
    store = site.store_of(request)
    shop = await store.read(showcase.find, request.match_info["slug"])
    request[site.WORDS] = said = _language(request, shop)
    found = await store.read(showcase.of, shop.id)
    here = address(request, shop)
    links = [(name.lower(), link) for name, link in request.config_dict[site.SITE].links(payload(shop))]
    context = {
        "shop": shop, "brand": shop.brand, "told": telling.tell(said, found), "links": links, "here": here,
        "other": next(language for language in LANGUAGES if language != said.language),
        "cover": f"{here}/cover.png?lang={said.language}",
    }  # fmt: skip
    return await site.render(request, "public/programme.html", context)


async def cover(request: web.Request) -> web.StreamResponse:
    """The picture beside a shared link."""
    store = site.store_of(request)
    shop = await store.read(showcase.find, request.match_info["slug"])
    said = _language(request, shop)
    found = await store.read(showcase.of, shop.id)
    drawn = await asyncio.to_thread(
        _cover, shop.name, shop.brand, telling.headline(said), telling.in_short(said, found)
    )
    return web.Response(body=drawn, content_type="image/png", headers=PICTURE_HEADERS)


async def code(request: web.Request) -> web.StreamResponse:
    """The page's own address as a QR code, from a screen to a phone."""
    shop = await site.store_of(request).read(showcase.find, request.match_info["slug"])
    drawn = await asyncio.to_thread(_code, address(request, shop), shop.brand)
    return web.Response(body=drawn, content_type="image/png", headers=PICTURE_HEADERS)


def _language(request: web.Request, shop: Shop) -> Words:
    """The language that the address asks for, else the reader's, else the shop's."""
    wanted = request.query.get("lang", "")
    if wanted in LANGUAGES:
        return words(wanted)
    asked = "Accept-Language" in request.headers
    return words(site.accepted_language(request) if asked else shop.language)


@lru_cache(maxsize=16)
def _cover(name: str, brand: str, headline: str, line: str) -> bytes:
    return draw_cover(name, brand, headline, line)


@lru_cache(maxsize=16)
def _code(link: str, brand: str) -> bytes:
    return draw_qr(link, brand=brand)
