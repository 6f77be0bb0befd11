"""The desk's stream: what changes in the list and in the open thread, as it happens. Its protocol stands in desk.js."""

import asyncio
import json
import re
import time
from contextlib import suppress
from typing import Any

from aiohttp import web
from aiohttp_sse import EventSourceResponse
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.desk import filters, frame, together
from handlers.web.desk.frame import PLACE_DIGITS, desk, number
from handlers.web.lines import open_line
from store import staff
from store.errors import NotFoundError
from store.signals import Heard
from store.staff import Member
from support import queue, thread, views

PING_SECONDS = 15
BEAT_SECONDS = 20
BREATH_SECONDS = 0.2
"""After news of the list a page hears no more for so long: when a thousand write at once, each look brings many."""
LOOK_SECONDS = 5
"""How often the desk is looked at without a signal, which may get lost between replicas."""
CURSOR = re.compile(r"[0-9]{1,9}:[0-9]{1,9}")


def setup_stream(app: web.Application) -> None:
    app.router.add_get("/desk/events", desk(events))


async def events(request: web.Request) -> web.StreamResponse:
    """Tickets that changed after a cursor, and lines of the open thread, then all as it happens.

    `after` is the list's cursor ("1:45,2:17": shop and number), `ticket` the open one with `thread` its cursor, `waiting`
    the messages whose files were still being fetched when the page last looked.
    """
    member, store = site.member_of(request), site.store_of(request)
    after = {
        int(shop): int(at) for shop, at in (one.split(":") for one in CURSOR.findall(request.query.get("after", "")))
    }
    ticket_id, at = number(request.query.get("ticket")), number(request.query.get("thread"), PLACE_DIGITS) or 0
    waiting = {int(seq) for seq in re.findall(r"[0-9]{1,9}", request.query.get("waiting", ""))[:200]}
    if ticket_id is not None:
        await store.read(queue.line, ticket_id, member)
    desks = await store.read(queue.desks_of, member)
    topics = [f"{name}:{shop_id}" for shop_id in desks for name in ("desk", "looks")]
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
    heard: Heard,
    after: dict[int, int],
    ticket_id: int | None,
    at: int,
    waiting: set[int],
) -> None:
    beat, quiet, told = 0.0, time.monotonic(), dict[str, Any]()
    while stream.is_connected() and request.transport is not None:
        if not await _still(request, site.member_of(request)):
            await stream.send("{}", event="gone")
            return
        if time.monotonic() - beat >= BEAT_SECONDS:
            beat = time.monotonic()
            await _beat(request)
        breath = await _tell_list(request, stream, after)
        if ticket_id is not None:
            at = await _tell_thread(request, stream, ticket_id, at, waiting)
        looking = await site.store_of(request).read(together.company, site.member_of(request))
        if looking != told:
            told = looking
            await _send(stream, "looks", looking)
        if breath:
            await asyncio.sleep(BREATH_SECONDS)
        await heard.within(LOOK_SECONDS)
        if time.monotonic() - quiet >= PING_SECONDS:
            quiet = time.monotonic()
            await stream.send("{}", event="ping")


async def _beat(request: web.Request) -> None:
    """The desk of the member is open: those who want to know are told."""
    hooks = [part.alive for part in frame.parts_of(request) if part.alive]
    if not hooks:
        return

    def write(session: Session) -> None:
        for hook in hooks:
            hook(session, site.member_of(request))

    await site.store_of(request).write(write)


async def _still(request: web.Request, member: Member) -> bool:
    """Whether the member works here as they did when the stream began: who was let go hears no more."""
    try:
        fresh = await site.store_of(request).read(staff.get, member.id)
    except NotFoundError:
        return False
    return (fresh.session_epoch, fresh.roles) == (member.session_epoch, member.roles)


async def _tell_list(request: web.Request, stream: EventSourceResponse, after: dict[int, int]) -> bool:
    """Send what is new in the list; whether there was anything."""
    store, member, parts = site.store_of(request), site.member_of(request), frame.parts_of(request)
    told, wanted = False, filters.asked(request)
    while found := await store.read(queue.changes, member, after):
        fits = await store.read(views.fitting, member, wanted, [one.ticket.id for one in found]) if wanted else set()
        for line, drawn in zip(found, await store.read(frame.lines, parts, member, found), strict=True):
            after[line.ticket.shop_id] = line.ticket.changed
            await _send(stream, "ticket", {**drawn, "fits": line.ticket.id in fits})
        told = True
    if told:
        shop_id = number(request.query.get("shop"))
        counts = await store.read(queue.counts, member, shop_id)
        await _send(stream, "counts", {"views": counts, "saved": await store.read(filters.saved, member, shop_id)})
    return told


async def _tell_thread(
    request: web.Request, stream: EventSourceResponse, ticket_id: int, at: int, waiting: set[int]
) -> int:
    """Send what is new in a thread and whose files have come meanwhile; the cursor after it."""
    store, member = site.store_of(request), site.member_of(request)
    lines = await store.read(thread.changed, ticket_id, member, at)
    if waiting:
        come = await store.read(thread.some, ticket_id, member, sorted(waiting))
        lines += [one for one in come if not _is_waiting(one)]
        waiting -= {one.seq for one in come if not _is_waiting(one)}
    for line in lines:
        at = max(at, line.changed)
        if isinstance(line, thread.Message) and _is_waiting(line):
            waiting.add(line.seq)
        await _send(stream, "line", frame.thread_line(request, line))
    return at


def _is_waiting(message: thread.Message) -> bool:
    return any(file.state == "waiting" for file in message.files)


async def _send(stream: EventSourceResponse, event: str, data: Any) -> None:
    await stream.send(json.dumps(data, ensure_ascii=False), event=event)
