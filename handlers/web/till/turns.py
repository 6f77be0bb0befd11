"""Turns at a shared till: who may take one by PIN, choosing one's own PIN, and the totals of a shift."""

from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from pydantic import Field
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.till import shown
from handlers.web.till.calls import NUMBER_MAX, Asked, asked, till
from loyalty import shifts
from loyalty.shifts import Shift
from store import pins, shops
from store.errors import ForbiddenError
from store.staff import Member, Right

PIN_CHARS_MAX = 12


class Chosen(Asked):
    pin: str = Field(max_length=PIN_CHARS_MAX)


class Entered(Chosen):
    staff: int = Field(ge=1, le=NUMBER_MAX)


class Closed(Asked):
    last: int = Field(ge=1, le=NUMBER_MAX)
    counted: int | None = Field(default=None, ge=-NUMBER_MAX, le=NUMBER_MAX)


def setup_turns(app: web.Application) -> None:
    add = app.router
    add.add_get("/till/cashiers/{shop:\\d{1,15}}", till(cashiers))
    add.add_post("/till/pin", till(choose))
    add.add_post("/till/switch", till(switch))
    add.add_get("/till/shift/{shop:\\d{1,15}}", till(current))
    add.add_post("/till/shift", till(close))


async def cashiers(request: web.Request) -> web.Response:
    """Who may take a turn, and whether the one who is here has a PIN and may choose one."""
    shop_id, member = int(request.match_info["shop"]), site.member_of(request)
    member.need(Right.TILL, shop_id)
    can = await site.store_of(request).read(pins.cashiers, shop_id)
    return web.json_response({
        "cashiers": [{"id": one.id, "name": one.name, "here": one.id == member.id} for one in can],
        "has_pin": any(one.id == member.id for one in can), "may_choose": not await site.by_pin(request),
    })  # fmt: skip


async def choose(request: web.Request) -> web.Response:
    """Set one's own PIN; only who came by a link may, so that nobody locks another out at the counter."""
    said = await asked(request, Chosen)
    if await site.by_pin(request):
        raise ForbiddenError(Right.TILL)
    await site.store_of(request).write(
        pins.choose, site.member_of(request).id, said.pin, request.config_dict[site.SITE].secret_key
    )
    return web.json_response({})


async def switch(request: web.Request) -> web.Response:
    """Another cashier takes a turn; the page loads anew, for its token is the new session's."""
    said = await asked(request, Entered)
    member = await site.store_of(request).write(
        pins.enter, said.staff, said.pin, said.shop, request.config_dict[site.SITE].secret_key
    )
    if not isinstance(member, Member):
        words = shown.refusal(site.words_of(request), member)
        return web.json_response({"error": words, "code": member.code}, status=404)
    await site.sign_in(request, member, till=said.shop)
    return web.json_response({"name": member.name})


async def current(request: web.Request) -> web.Response:
    """The totals of the cashier's open shift."""
    shop_id, member = int(request.match_info["shop"]), site.member_of(request)
    member.need(Right.TILL, shop_id)

    def look(session: Session) -> dict[str, Any]:
        return totals(shifts.current(session, shop_id, member.id), ZoneInfo(shops.get(session, shop_id).timezone))

    return web.json_response(await site.store_of(request).read(look))


async def close(request: web.Request) -> web.Response:
    """Close the shift up to the newest sale that the cashier was shown."""
    said, member = await asked(request, Closed), site.member_of(request)

    def shut(session: Session) -> dict[str, Any]:
        shift = shifts.close(session, said.shop, member.id, last_sale_id=said.last, counted=said.counted)
        return totals(shift, ZoneInfo(shops.get(session, said.shop).timezone))

    return web.json_response(await site.store_of(request).write(shut))


def totals(shift: Shift, zone: ZoneInfo) -> dict[str, Any]:
    """A shift with its totals, money in đồng; `difference` is what was counted less what was taken in."""
    sums = shift.sums
    return {
        "last": shift.last_sale_id, "since": f"{shift.opened_at.astimezone(zone):%H:%M}" if shift.opened_at else None,
        "closed": shift.closed_at is not None, "count": sums.count, "undone": sums.undone, "amount": sums.amount,
        "discount": sums.discount, "points": sums.points_used, "points_paid": sums.points_paid, "paid": sums.paid,
        "earned": sums.earned, "counted": shift.counted,
        "difference": None if shift.counted is None else shift.counted - sums.paid,
    }  # fmt: skip
