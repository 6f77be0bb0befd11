"""Sharing the programme: the public page's link, and a poster and a table card to print, with the code that leads there."""

import asyncio
from functools import lru_cache
from urllib.parse import quote, urlsplit

from aiohttp import web

from handlers.pictures.poster import Paper, Poster, draw_poster
from handlers.web import site
from handlers.web.public import said as telling
from handlers.web.public import views as public
from handlers.web.shop import frame
from handlers.words import LANGUAGES, Words, words
from loyalty import showcase
from loyalty.showcase import Showcase

HEADLINE_CHARS_MAX = 60
PAGE = "page"
_AT_HOME = ("localhost", "127.", "0.0.0.0", "[::1]", "10.", "192.168.")  # noqa: S104  # named, not bound to
_CUT = {Paper.A4: "poster", Paper.A6: "table-card"}


async def page(request: web.Request) -> web.StreamResponse:
    here, said = frame.frame_of(request), site.words_of(request)
    language, to, headline = _asked(request)
    link = public.address(request, here.shop)
    kept = {"lang": language, "to": to, "headline": headline}
    context = {
        "link": link, "short": _short(link), "languages": LANGUAGES, "form": kept,
        "targets": _targets(said, request),
        "at_home": (urlsplit(link).hostname or "").startswith(_AT_HOME),
        "preview": here.url("/shop/share/a6.png", **kept),
        "files": {f"{paper.value}_{kind}": here.url(f"/shop/share/{paper.value}.{kind}", save="1", **kept)
                  for paper in Paper for kind in ("pdf", "png")},
        "usual": telling.headline(words(language)),
    }  # fmt: skip
    if frame.by_script(request):
        return await frame.part(request, "shop/share_sheets.html", context)
    return await frame.render(request, "shop/share.html", context, page="share")


async def sheet(request: web.Request) -> web.StreamResponse:
    """A poster or a table card, to look at or to save."""
    here = frame.frame_of(request)
    paper, kind = Paper(request.match_info["paper"]), request.match_info["kind"]
    language, to, headline = _asked(request)
    found = await site.store_of(request).read(showcase.of, here.shop.id)
    link = dict(_links(request)).get(to) or public.address(request, here.shop)
    content = await asyncio.to_thread(_drawn, _poster(words(language), found, headline, link), paper, kind == "pdf")
    headers = {"Cache-Control": "private, max-age=60"}
    if request.query.get("save"):
        name = quote(f"{_CUT[paper]}-{here.shop.slug}.{kind}", safe="")
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
    mime = "application/pdf" if kind == "pdf" else "image/png"
    return web.Response(body=content, content_type=mime, headers=headers)


def _asked(request: web.Request) -> tuple[str, str, str]:
    """Language, where the code leads, and a headline of the shop's own."""
    shop = frame.frame_of(request).shop
    language = request.query.get("lang", shop.language)
    to = request.query.get("to", PAGE)
    return (
        language if language in LANGUAGES else shop.language,
        to if to in dict(_links(request)) else PAGE,
        " ".join(request.query.get("headline", "").split())[:HEADLINE_CHARS_MAX],
    )


def _links(request: web.Request) -> list[tuple[str, str]]:
    shop = frame.frame_of(request).shop
    links = request.config_dict[site.SITE].links(public.payload(shop))
    return [(PAGE, public.address(request, shop)), *((name.lower(), link) for name, link in links)]


def _targets(said: Words, request: web.Request) -> list[tuple[str, str]]:
    """Where the code may lead."""
    names = {PAGE: said("The programme's page (every messenger)"), "telegram": "Telegram", "zalo": "Zalo",
             "web": said("The chat on the web")}  # fmt: skip
    return [(name, names.get(name, name.capitalize())) for name, _ in _links(request)]


def _poster(said: Words, found: Showcase, headline: str, link: str) -> Poster:
    shop = found.shop
    return Poster(
        shop.name, shop.brand, headline or telling.headline(said), telling.in_short(said, found),
        (said("Scan the code and say hello"), said("Say your phone number when you pay"), said("Swap points for rewards")),
        said("Scan to join"), _short(link), " · ".join(part for part in (shop.address, shop.phone) if part), link,
    )  # fmt: skip


def _short(link: str) -> str:
    """A link as people type it."""
    return link.partition("://")[2] or link


@lru_cache(maxsize=4)
def _drawn(poster: Poster, paper: Paper, pdf: bool) -> bytes:
    return draw_poster(poster, paper, pdf=pdf)
