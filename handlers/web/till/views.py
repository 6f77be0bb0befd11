"""The till: a cashier's phone at the counter. The page's protocol stands in till.js."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from aiohttp import web
from pydantic import Field
from sqlalchemy.orm import Session

from handlers.pictures.qr import draw_qr
from handlers.web import site
from handlers.web.till import shown
from handlers.web.till.calls import NUMBER_MAX, Asked, asked, till
from handlers.web.till.turns import setup_turns
from handlers.words import Words
from loyalty import programme
from loyalty.customers import counter
from loyalty.customers.counter import Found
from loyalty.orders import bills, sales
from loyalty.orders.sales import Sale
from loyalty.outreach.segments import treatment
from loyalty.vouchers.stacking import CODES_MAX
from store import clock, shops
from store.errors import NotFoundError
from store.staff import Member, Right
from support.duties import accesses

TEXT_CHARS_MAX = 200
LEFT_OUT_MAX = 200


class Query(Asked):
    query: str = Field(max_length=TEXT_CHARS_MAX)


Code = Annotated[str, Field(max_length=TEXT_CHARS_MAX)]


class Entry(Asked):
    customer: int | None = Field(default=None, ge=1, le=NUMBER_MAX)
    amount: int = Field(ge=-NUMBER_MAX, le=NUMBER_MAX)
    vouchers: list[Code] = Field(default_factory=list, max_length=CODES_MAX)
    part: int | None = Field(default=None, ge=0, le=bills.AMOUNT_MAX)
    points: int = Field(default=0, ge=-NUMBER_MAX, le=NUMBER_MAX)


class Drafted(Entry):
    without: list[Code] = Field(default_factory=list, max_length=LEFT_OUT_MAX)
    """The customer's own vouchers that the cashier left out."""


class Sold(Entry):
    key: str = Field(min_length=8, max_length=sales.KEY_CHARS_MAX)
    phone: str | None = Field(default=None, max_length=TEXT_CHARS_MAX)
    at: int | None = Field(default=None, ge=0, le=NUMBER_MAX)
    """When it was rung up without a connection, in milliseconds since 1970 UTC."""


class Undone(Asked):
    sale: int = Field(ge=1, le=NUMBER_MAX)


class Confirmed(Asked):
    customer: int = Field(ge=1, le=NUMBER_MAX)
    phone: str = Field(max_length=TEXT_CHARS_MAX)


def setup_till(app: web.Application) -> None:
    add = app.router
    add.add_get("/till", till(page))
    add.add_post("/till/find", till(find))
    add.add_post("/till/preview", till(preview))
    add.add_post("/till/sell", till(sell))
    add.add_post("/till/undo", till(undo))
    add.add_post("/till/confirm-phone", till(confirm_phone))
    add.add_get("/till/worker.js", worker)
    setup_turns(app)
    add.add_get("/till/today/{shop:\\d{1,15}}", till(today))
    add.add_get("/till/receipt/{shop:\\d{1,15}}/{sale:\\d{1,15}}.png", till(receipt))


async def page(request: web.Request) -> web.StreamResponse:
    """The page of one shop's till; `?shop=` chooses between several."""
    member = site.member_of(request)
    mine, value = await site.store_of(request).read(_tills, member)
    if not mine:
        raise web.HTTPNotFound
    chosen = next((shop for shop in mine if str(shop.id) == request.query.get("shop")), mine[0])
    boot = {
        "shop": chosen.id, "csrf": await site.csrf_token(request), "point_value": value,
        "amount_max": bills.AMOUNT_MAX, "member": member.id,
    }  # fmt: skip
    context = {"boot": boot, "shop": chosen, "shops": mine, "brand": chosen.brand}
    return await site.render(request, "till/till.html", context)


async def worker(_request: web.Request) -> web.FileResponse:
    """The page's service worker, allowed to serve the till itself without a connection."""
    headers = {"Cache-Control": "no-cache", "Service-Worker-Allowed": "/till"}
    return web.FileResponse(Path(__file__).parent / "worker.js", headers=headers)


def _tills(session: Session, member: Member) -> tuple[list[shops.Shop], int]:
    mine = [shop for shop in shops.every(session) if member.may(Right.TILL, shop.id)]
    return mine, programme.get(session).point_value


async def find(request: web.Request) -> web.Response:
    """Who a scan or a typed line means."""
    told, said = await asked(request, Query), site.words_of(request)

    def look(session: Session) -> dict[str, Any] | NotFoundError:
        cashier = site.member_of(request).id
        found = counter.find(session, told.query, shop_id=told.shop, staff_id=cashier)
        if isinstance(found, Found) and found.card is not None:
            accesses.note(session, f"staff:{cashier}", found.card.customer_id, told.shop, "till")
        return _found(session, said, found, told.shop) if isinstance(found, Found) else found

    answer = await site.store_of(request).write(look)
    if isinstance(answer, NotFoundError):
        return web.json_response({"error": shown.nobody(said), "code": answer.code}, status=404)
    return web.json_response(answer)


def _found(session: Session, said: Words, found: Found, shop_id: int) -> dict[str, Any]:
    """Who or what a line meant, and how the customer is to be served here."""
    answer = shown.found(said, found, shown.ranks(session))
    if found.card is not None:
        zone = shops.get(session, shop_id).timezone
        treated = treatment.of(session, found.card.customer_id, shop_id)
        answer["card"]["treat"] = shown.treatment(said, treated, clock.today(session, zone), ZoneInfo(zone))
    return answer


async def preview(request: web.Request) -> web.Response:
    """What an entry would come to."""
    told, said = await asked(request, Drafted), site.words_of(request)
    seen = await site.store_of(request).write(
        bills.preview, shop_id=told.shop, staff_id=site.member_of(request).id, customer_id=told.customer,
        amount=told.amount, voucher_codes=told.vouchers, without=told.without, points_to_use=told.points,
        voucher_part=told.part,
    )  # fmt: skip
    return web.json_response(shown.preview(said, seen))


async def sell(request: web.Request) -> web.Response:
    """Enter a sale; the page's `key` makes a second try the same sale."""
    told, said = await asked(request, Sold), site.words_of(request)
    sold = await site.store_of(request).write(
        sales.sell, shop_id=told.shop, staff_id=site.member_of(request).id, key=told.key, amount=told.amount,
        customer_id=told.customer, phone=told.phone, voucher_codes=told.vouchers, points_to_use=told.points,
        voucher_part=told.part,
        at=None if told.at is None else datetime.fromtimestamp(told.at / 1000, UTC),
    )  # fmt: skip
    if not isinstance(sold, Sale):
        return web.json_response({"error": shown.wrong_code(said), "code": "wrong_code"}, status=404)
    return web.json_response(await _shown(request, sold))


async def undo(request: web.Request) -> web.Response:
    """Take the last sale back."""
    told = await asked(request, Undone)
    undone = await site.store_of(request).write(
        sales.undo, shop_id=told.shop, staff_id=site.member_of(request).id, sale_id=told.sale
    )
    return web.json_response(await _shown(request, undone))


async def _shown(request: web.Request, sale: Sale) -> dict[str, Any]:
    store = site.store_of(request)
    ranks, zone = await store.read(lambda session: (shown.ranks(session), shops.get(session, sale.shop_id).timezone))
    return shown.sale(sale, ranks, ZoneInfo(zone), store.clock.now())


async def today(request: web.Request) -> web.Response:
    """What this cashier entered today, and what it came to."""
    shop_id, store = int(request.match_info["shop"]), site.store_of(request)
    member = site.member_of(request)
    member.need(Right.TILL, shop_id)

    def look(session: Session) -> tuple[list[Sale], dict[str, int], str]:
        done = sales.today(session, shop_id, member.id)
        return done, shown.ranks(session), shops.get(session, shop_id).timezone

    done, ranks, zone = await store.read(look)
    moment = store.clock.now()
    stands = [sale for sale in done if not sale.undone]
    return web.json_response({
        "sales": [shown.sale(sale, ranks, ZoneInfo(zone), moment) for sale in done],
        "paid": sum(sale.paid for sale in stands), "count": len(stands),
    })  # fmt: skip


async def confirm_phone(request: web.Request) -> web.Response:
    """The cashier vouches for a phone of the customer before them."""
    told, said = await asked(request, Confirmed), site.words_of(request)

    def confirm(session: Session) -> dict[str, Any]:
        claimed = counter.confirm_phone(
            session, told.customer, told.phone, shop_id=told.shop, staff_id=site.member_of(request).id
        )
        card = counter.card(session, claimed.customer_id, told.shop)
        return {"card": shown.card(said, card, shown.ranks(session)), "points": claimed.points}

    return web.json_response(await site.store_of(request).write(confirm))


async def receipt(request: web.Request) -> web.Response:
    """The QR of a sale to somebody unknown: whoever scans it gets the order's points."""
    shop_id, sale_id = int(request.match_info["shop"]), int(request.match_info["sale"])
    site.member_of(request).need(Right.TILL, shop_id)

    def look(session: Session) -> tuple[str, str]:
        sale = sales.get(session, sale_id)
        # A guest's receipt would bring all of their points to whoever scans it first: the counter shows none.
        known = sale.customer_id is not None or sale.claim_token is None
        if sale.shop_id != shop_id or known or sale.undone:
            raise NotFoundError("receipt", sale_id)
        return sale.claim_token or "", shops.get(session, shop_id).brand

    token, brand = await site.store_of(request).read(look)
    # The web chat opens on any phone; the messengers' own links are offered there.
    _, link = request.config_dict[site.SITE].links(f"c_{token}")[-1]
    picture = await asyncio.to_thread(draw_qr, link, brand=brand)
    return web.Response(body=picture, content_type="image/png")
