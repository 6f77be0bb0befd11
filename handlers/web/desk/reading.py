"""What the desk's page asks for: its list, a ticket with its thread, the customer beside it, files."""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy.orm import Session

from handlers import tier_words
from handlers.web import files, site
from handlers.web.desk import filters, frame, shown
from handlers.web.desk.frame import PLACE_DIGITS, Part, desk, number, ticket_of
from loyalty.customers import phones
from loyalty.customers.addressing import Address, given_name, vocative
from loyalty.points.lots import last_day
from store.staff import Member, Right
from support import beside, drafts, handling, messages, queue, thread, topics
from support.duties import accesses
from support.queue import View
from support.views import Filters


def setup_reading(app: web.Application) -> None:
    add = app.router.add_get
    add("/desk/tickets", desk(listed))
    add("/desk/tickets/{ticket:\\d{1,15}}", desk(opened))
    add("/desk/tickets/{ticket:\\d{1,15}}/older", desk(older))
    add("/desk/tickets/{ticket:\\d{1,15}}/customer", desk(customer))
    add("/desk/media/{attachment:\\d{1,15}}", desk(medium))


async def listed(request: web.Request) -> web.Response:
    """A page of a view or of a search, with the views' counts and the cursor that its events go on from."""
    asked = request.query
    try:
        view = filters.asked(request) or View(asked.get("view", View.MINE))
    except ValueError:
        raise web.HTTPBadRequest from None
    shop_id, before = (number(asked.get(name)) for name in ("shop", "before"))
    if any(asked.get(name) and number(asked[name]) is None for name in ("shop", "before")):
        raise web.HTTPBadRequest
    answer = await site.store_of(request).read(
        _list,
        frame.parts_of(request),
        site.member_of(request),
        view,
        asked.get("search", "")[:200],
        shop_id,
        before,
    )
    return web.json_response(answer)


def _list(
    session: Session,
    parts: Sequence[Part],
    member: Member,
    view: View | Filters,
    search: str,
    shop_id: int | None,
    before: int | None,
) -> dict[str, Any]:
    # The cursor comes first: what changes while the rest is read is told again by the events, not missed.
    cursor = queue.cursor(session, member)
    found = queue.page(session, member, view, search=search, shop_id=shop_id, before=before)
    return {
        "lines": frame.lines(session, parts, member, found), "more": len(found) == queue.PAGE,
        "counts": queue.counts(session, member, shop_id), "saved": filters.saved(session, member, shop_id), "cursor": cursor,
    }  # fmt: skip


async def opened(request: web.Request) -> web.Response:
    """A ticket with the end of its thread, and who may look after it."""
    member, ticket_id, parts = site.member_of(request), ticket_of(request), frame.parts_of(request)

    def look(session: Session) -> dict[str, Any]:
        line = queue.line(session, ticket_id, member)
        lines = thread.tail(session, ticket_id)
        colleagues = handling.at_desk(session, line.ticket.shop_id)
        own = line.ticket.assignee_id in {None, member.id}
        return {
            "line": frame.lines(session, parts, member, [line])[0],
            "lines": [frame.thread_line(request, one) for one in lines],
            "more": len(lines) == thread.PAGE, "colleagues": [{"id": one.id, "name": one.name} for one in colleagues],
            "drafts": [{"kind": one.kind, "text": one.text, "reply_to": one.reply_to} for one in drafts.of(session, ticket_id, member)],
            "may_assign": own or member.may(Right.SUPERVISE, line.ticket.shop_id),
        }  # fmt: skip

    return web.json_response(await site.store_of(request).read(look))


async def older(request: web.Request) -> web.Response:
    before = number(request.query.get("before"), PLACE_DIGITS)
    if before is None:
        raise web.HTTPBadRequest
    lines = await site.store_of(request).read(thread.page, ticket_of(request), site.member_of(request), before)
    return web.json_response(
        {"lines": [frame.thread_line(request, one) for one in lines], "more": len(lines) == thread.PAGE}
    )


async def customer(request: web.Request) -> web.Response:
    """The panel beside the thread, as a piece of the page."""
    store, said = site.store_of(request), site.words_of(request)
    found = await store.read(beside.of, ticket_of(request), site.member_of(request))
    person, zone = found.customer, found.shop.timezone
    if not found.noted:
        await store.write(accesses.note, f"staff:{site.member_of(request).id}", person.id, found.shop.id, "desk")
    by_shop = await store.read(topics.of_shops, sorted({one.shop_id for one in found.tickets}))
    own = [one for each in by_shop.values() for one in each]
    name = given_name(person.name, person.language)
    context = {
        "beside": found, "topics": shown.topics(said, own), "states": shown.states(said),
        "called": vocative(Address(person.address), name) if person.address and person.language == "vi" else name,
        "phone": phones.local(person.phone) if person.phone else "",
        "day": lambda at: at.astimezone(ZoneInfo(zone)).date(), "last_day": lambda at: last_day(at, zone),
        "progress": found.standing.progress, "way_up": tier_words.way_up(said, found.standing),
    }  # fmt: skip
    return web.Response(text=await site.render_part(request, "desk/customer.html", context), content_type="text/html")


async def medium(request: web.Request) -> web.Response:
    """A file of a ticket, for those who may read the ticket."""
    content, name = await site.store_of(request).read(
        messages.content_of, int(request.match_info["attachment"]), site.member_of(request)
    )
    return files.media_response(content, name)
