"""A lucky draw for everybody: its odds and prizes, the seal of its seed, every draw, and how to check them. No sign-in."""

import json

from aiohttp import web
from sqlalchemy.orm import Session

from handlers import recognition_words
from handlers.web import site
from handlers.words import LANGUAGES, words
from loyalty.recognition import drawlog, draws
from loyalty.recognition.drawlog import Line
from loyalty.recognition.draws import Draw, DrawState, Placed
from store import shops
from store.errors import NotFoundError
from store.shops import Shop

LINES = 100


def setup_lucky(app: web.Application) -> None:
    app.router.add_get(r"/lucky/{id:\d{1,15}}", page)
    app.router.add_get(r"/lucky/{id:\d{1,15}}.json", document)


async def page(request: web.Request) -> web.StreamResponse:
    number = int(request.match_info["id"])

    def look(session: Session) -> tuple[Draw, Shop, list[Placed], list[Line], str | None]:
        draw = _public(session, number)
        lines = list(drawlog.lines(session, number, limit=LINES, newest=True))
        return (
            draw,
            shops.get(session, draw.shop_id),
            draws.placed(session, number),
            lines,
            draws.seed_of(session, draw),
        )

    draw, shop, prizes, lines, seed = await site.store_of(request).read(look)
    wanted = request.query.get("lang", "")
    said = words(wanted if wanted in LANGUAGES else site.accepted_language(request))
    request[site.WORDS] = said
    context = {
        "draw": draw, "shop": shop, "prizes": prizes, "lines": lines, "seed": seed, "brand": shop.brand,
        "chance": recognition_words.chance, "way_in": recognition_words.way_in(said, draw),
        "until": recognition_words.until(said, draw.ends_at, shop.timezone),
        "names": {one.place: one.prize.name for one in prizes},
        "other": next(language for language in LANGUAGES if language != said.language),
    }  # fmt: skip
    return await site.render(request, "lucky/lucky.html", context)


async def document(request: web.Request) -> web.StreamResponse:
    """The whole log with its terms, as `regulars draw verify` and anybody's own script take it."""
    number = int(request.match_info["id"])

    def look(session: Session) -> dict[str, object]:
        _public(session, number)
        return drawlog.document(session, number)

    found = await site.store_of(request).read(look)
    headers = {"Content-Disposition": f'attachment; filename="draw-{number}.json"', "Access-Control-Allow-Origin": "*"}
    return web.Response(
        text=json.dumps(found, ensure_ascii=False, indent=1), content_type="application/json", headers=headers
    )


def _public(session: Session, number: int) -> Draw:
    draw = draws.get(session, number)
    if draw.state == DrawState.DRAFT:
        raise NotFoundError("draw", number)
    return draw
