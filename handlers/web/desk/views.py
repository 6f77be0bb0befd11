"""The desk: where agents read and answer what customers ask. The page's protocol stands in desk.js."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from aiohttp_sse import EventSourceResponse
from sqlalchemy.orm import Session

from handlers import tier_words
from handlers.web import site, uploads
from handlers.web.desk import shown
from handlers.web.lines import open_line
from handlers.web.site import Handler
from loyalty.customers import phones
from loyalty.customers.addressing import Address, given_name, vocative
from loyalty.points.lots import last_day
from loyalty.tiers import tiers
from store import inbox, media, shops, staff
from store.errors import ForbiddenError, InvalidError, NotFoundError, RuleError
from store.staff import Member, Right
from support import beside, handling, messages, queue, seen, thread
from support.messages import FILES_MAX, TEXT_CHARS_MAX
from support.queue import View

PING_SECONDS = 15
LOOK_SECONDS = 5
"""How often the desk is looked at without a signal, which may get lost between replicas."""
CURSOR = re.compile(r"\d{1,9}:\d{1,15}")
KEY = re.compile(r"[A-Za-z0-9-]{8,64}")


def setup_desk(app: web.Application) -> None:
    add = app.router
    add.add_get("/desk", _desk(page))
    add.add_get("/desk/{ticket:\\d{1,15}}", _desk(page))
    add.add_get("/desk/tickets", _desk(listed))
    add.add_get("/desk/tickets/{ticket:\\d{1,15}}", _desk(opened))
    add.add_get("/desk/tickets/{ticket:\\d{1,15}}/older", _desk(older))
    add.add_get("/desk/tickets/{ticket:\\d{1,15}}/customer", _desk(customer))
    add.add_post("/desk/tickets/{ticket:\\d{1,15}}/{kind:reply|note}", _desk(say))
    add.add_post("/desk/tickets/{ticket:\\d{1,15}}/{action:[a-z]+}", _desk(act))
    add.add_post("/desk/messages/{message:\\d{1,15}}/retry", _desk(retry))
    add.add_get("/desk/media/{attachment:\\d{1,15}}", _desk(medium))
    add.add_get("/desk/events", _desk(events))
    add.add_get("/desk/dead-letters", _desk(dead_letters))
    add.add_post("/desk/dead-letters/replay", _desk(replay))


def _desk(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A route of the desk: staff with a desk only, refusals in the desk's words."""

    async def told(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except RuleError as error:
            words = shown.refusal(site.words_of(request), error)
            if words is None:
                raise
            status = 422 if isinstance(error, InvalidError) else 409
            return web.json_response({"error": words, "code": error.code}, status=status)

    return site.need(Right.DESK)(told)


def _ticket(request: web.Request) -> int:
    return int(request.match_info["ticket"])


# ── Reading ────────────────────────────────────────────────────────────────────────────────────────


async def page(request: web.Request) -> web.StreamResponse:
    """The page; what it shows it asks for itself. At the address of a ticket that isn't theirs it is a 404 that says so."""
    member, said = site.member_of(request), site.words_of(request)
    store, status = site.store_of(request), 200
    mine = await store.read(_desks, member)
    if "ticket" in request.match_info:
        try:
            await store.read(queue.line, _ticket(request), member)
        except NotFoundError:
            status = 404
    boot = {
        "me": {"id": member.id, "name": member.name}, "shops": {shop.id: shop.name for shop in mine},
        "csrf": await site.csrf_token(request), "topics": shown.topics(said),
        "limits": {"bytes": media.BYTES_MAX, "files": FILES_MAX, "chars": TEXT_CHARS_MAX},
    }  # fmt: skip
    context = {
        "boot": boot, "shops": mine, "brand": mine[0].brand if len(mine) == 1 else None,
        "letters": _supervises_all(member, mine), "doors": [
            (path, name) for right, path, name in (
                (Right.CONSOLE, "/shop", said("Shop console")), (Right.TILL, "/till", said("Till")),
            ) if member.may(right)
        ],
    }  # fmt: skip
    return await site.render(request, "desk/desk.html", context, status=status)


def _desks(session: Session, member: Member) -> list[shops.Shop]:
    ids = set(queue.desks_of(session, member))
    return [shop for shop in shops.every(session) if shop.id in ids]


async def listed(request: web.Request) -> web.Response:
    """A page of a view or of a search, with the views' counts and the cursor that its events go on from."""
    asked = request.query
    try:
        view = View(asked.get("view", View.MINE))
        shop_id, before = (int(asked[name]) if asked.get(name) else None for name in ("shop", "before"))
    except ValueError:
        raise web.HTTPBadRequest from None
    answer = await site.store_of(request).read(
        _list, site.member_of(request), view, asked.get("search", "")[:200], shop_id, before
    )
    return web.json_response(answer)


def _list(
    session: Session, member: Member, view: View, search: str, shop_id: int | None, before: int | None
) -> dict[str, Any]:
    # The cursor comes first: what changes while the rest is read is told again by the events, not missed.
    cursor = queue.cursor(session, member)
    ranks = _ranks(session)
    found = queue.page(session, member, view, search=search, shop_id=shop_id, before=before)
    return {
        "lines": [shown.line(one, ranks) for one in found], "more": len(found) == queue.PAGE,
        "counts": queue.counts(session, member, shop_id), "cursor": cursor,
    }  # fmt: skip


def _ranks(session: Session) -> dict[int, int]:
    return {tier.id: rank for rank, tier in enumerate(tiers.every(session))}


async def opened(request: web.Request) -> web.Response:
    """A ticket with the end of its thread, and who may look after it."""
    said, member = site.words_of(request), site.member_of(request)

    def look(session: Session) -> dict[str, Any]:
        line = queue.line(session, _ticket(request), member)
        lines = thread.page(session, line.ticket.id, member)
        colleagues = handling.colleagues(session, line.ticket.id, member)
        own = line.ticket.assignee_id in {None, member.id}
        return {
            "line": shown.line(line, _ranks(session)), "lines": [shown.thread_line(said, one) for one in lines],
            "more": len(lines) == thread.PAGE, "colleagues": [{"id": one.id, "name": one.name} for one in colleagues],
            "may_assign": own or member.may(Right.SUPERVISE, line.ticket.shop_id),
        }  # fmt: skip

    return web.json_response(await site.store_of(request).read(look))


async def older(request: web.Request) -> web.Response:
    before = request.query.get("before", "")
    if not before.isdigit() or len(before) > 15:
        raise web.HTTPBadRequest
    said = site.words_of(request)
    lines = await site.store_of(request).read(thread.page, _ticket(request), site.member_of(request), int(before))
    return web.json_response(
        {"lines": [shown.thread_line(said, one) for one in lines], "more": len(lines) == thread.PAGE}
    )


async def customer(request: web.Request) -> web.Response:
    """The panel beside the thread, as a piece of the page."""
    store, said = site.store_of(request), site.words_of(request)
    found = await store.read(beside.of, _ticket(request), site.member_of(request))
    person, zone = found.customer, found.shop.timezone
    name = given_name(person.name, person.language)
    context = {
        "beside": found, "topics": shown.topics(said),
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
    return site.media_response(content, name)


# ── Writing ────────────────────────────────────────────────────────────────────────────────────────


async def say(request: web.Request) -> web.Response:
    """An answer or a note: a form with `text`, `key` (the page's own, so that a second try adds nothing) and files."""
    if not request.content_type.startswith("multipart/"):
        raise web.HTTPUnsupportedMediaType
    fields, sent = await uploads.read_form(request, FILES_MAX)
    key = fields.get("key", "")
    if not KEY.fullmatch(key):
        raise InvalidError("key", "shape")
    rule = messages.agent_says if request.match_info["kind"] == "reply" else messages.note
    member, ticket_id = site.member_of(request), _ticket(request)

    def write(session: Session) -> int:
        files = [one.file(media.keep(session, one.content, one.mime, one.width, one.height)) for one in sent]
        return rule(session, ticket_id, member, fields.get("text", ""), files, key=key)

    return web.json_response({"id": await site.store_of(request).write(write)}, status=201)


async def act(request: web.Request) -> web.Response:
    """One of the desk's buttons, by name; what it needs comes as JSON."""
    try:
        asked = await request.json() if request.can_read_body else {}
        rule, values = _ACTIONS[request.match_info["action"]](asked)
    except KeyError:
        raise web.HTTPNotFound from None
    except (ValueError, TypeError):
        raise web.HTTPBadRequest from None
    await site.store_of(request).write(rule, _ticket(request), site.member_of(request), *values)
    return web.json_response({"ok": True})


def _whole(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < 2**53:
        raise ValueError
    return value


_ACTIONS: dict[str, Callable[[dict[str, Any]], tuple[Callable[..., None], tuple[Any, ...]]]] = {
    "claim": lambda _: (handling.claim, ()),
    "assign": lambda asked: (handling.assign, (None if asked.get("to") is None else _whole(asked["to"]),)),
    "resolve": lambda _: (handling.resolve, ()),
    "reopen": lambda _: (handling.reopen, ()),
    "close": lambda _: (handling.close, ()),
    "priority": lambda asked: (handling.prioritise, ("urgent" if asked.get("urgent") is True else "normal",)),
    "seen": lambda asked: (seen.saw, (_whole(asked.get("seq")),)),
    "unread": lambda _: (queue.unsee, ()),
}


async def retry(request: web.Request) -> web.Response:
    await site.store_of(request).write(messages.retry, int(request.match_info["message"]), site.member_of(request))
    return web.json_response({"ok": True})


# ── What happens ───────────────────────────────────────────────────────────────────────────────────


async def events(request: web.Request) -> web.StreamResponse:
    """Tickets that changed after a cursor, and lines of the open thread, then all as it happens.

    `after` is the list's cursor ("1:45,2:17": shop and number), `ticket` the open one with `thread` its cursor, `waiting`
    the messages whose files were still being fetched when the page last looked.
    """
    member, store = site.member_of(request), site.store_of(request)
    after = {
        int(shop): int(at) for shop, at in (one.split(":") for one in CURSOR.findall(request.query.get("after", "")))
    }
    ticket_id, at = _number(request, "ticket"), _number(request, "thread") or 0
    waiting = {int(seq) for seq in re.findall(r"\d{1,9}", request.query.get("waiting", ""))[:200]}
    if ticket_id is not None:
        await store.read(queue.line, ticket_id, member)
    topics = [f"desk:{shop_id}" for shop_id in await store.read(queue.desks_of, member)]
    if ticket_id is not None:
        topics.append(f"ticket:{ticket_id}")
    async with open_line(request, store.hub, *topics) as (stream, heard):
        # The page has gone away while something was on its way to it.
        with suppress(ConnectionResetError):
            await _stream(request, stream, heard, after, ticket_id, at, waiting)
    return stream


async def _stream(
    request: web.Request,
    stream: EventSourceResponse,
    heard: asyncio.Event,
    after: dict[int, int],
    ticket_id: int | None,
    at: int,
    waiting: set[int],
) -> None:
    quiet = 0
    while stream.is_connected():
        heard.clear()
        if not await _still(request, site.member_of(request)):
            await stream.send("{}", event="gone")
            return
        await _tell_list(request, stream, after)
        if ticket_id is not None:
            at = await _tell_thread(request, stream, ticket_id, at, waiting)
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await heard.wait()
        except TimeoutError:
            quiet += LOOK_SECONDS
            if quiet >= PING_SECONDS:
                quiet = 0
                await stream.send("{}", event="ping")


async def _still(request: web.Request, member: Member) -> bool:
    """Whether the member works here as they did when the stream began: who was let go hears no more."""
    try:
        fresh = await site.store_of(request).read(staff.get, member.id)
    except NotFoundError:
        return False
    return (fresh.session_epoch, fresh.roles) == (member.session_epoch, member.roles)


async def _tell_list(request: web.Request, stream: EventSourceResponse, after: dict[int, int]) -> None:
    store, member = site.store_of(request), site.member_of(request)
    told = False
    while found := await store.read(queue.changes, member, after):
        ranks = await store.read(_ranks)
        for line in found:
            after[line.ticket.shop_id] = line.ticket.changed
            await _send(stream, "ticket", shown.line(line, ranks))
        told = True
    if told:
        await _send(stream, "counts", await store.read(queue.counts, member, _number(request, "shop")))


async def _tell_thread(
    request: web.Request, stream: EventSourceResponse, ticket_id: int, at: int, waiting: set[int]
) -> int:
    """Send what is new in a thread and whose files have come meanwhile; the cursor after it."""
    store, said, member = site.store_of(request), site.words_of(request), site.member_of(request)
    lines = await store.read(thread.changed, ticket_id, member, at)
    if waiting:
        come = await store.read(thread.some, ticket_id, member, sorted(waiting))
        lines += [one for one in come if not _is_waiting(one)]
        waiting -= {one.seq for one in come if not _is_waiting(one)}
    for line in lines:
        at = max(at, line.changed)
        if isinstance(line, thread.Message) and _is_waiting(line):
            waiting.add(line.seq)
        await _send(stream, "line", shown.thread_line(said, line))
    return at


def _is_waiting(message: thread.Message) -> bool:
    return any(file.state == "waiting" for file in message.files)


async def _send(stream: EventSourceResponse, event: str, data: Any) -> None:
    await stream.send(json.dumps(data, ensure_ascii=False), event=event)


def _number(request: web.Request, name: str) -> int | None:
    value = request.query.get(name, "")
    return int(value) if value.isdigit() and len(value) <= 15 else None


# ── Dead letters ───────────────────────────────────────────────────────────────────────────────────


def _supervises_all(member: Member, every: list[shops.Shop]) -> bool:
    return bool(every) and all(member.may(Right.SUPERVISE, shop.id) for shop in every)


async def _need_letters(request: web.Request) -> None:
    """A dead letter may be any shop's customer: only who supervises all of them reads it."""
    if not _supervises_all(site.member_of(request), await site.store_of(request).read(shops.every)):
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
        asked = await request.json()
        account, key = str(asked["account"]), str(asked["key"])
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
