"""The desk's stream: what changes in the list and in the open thread, as it happens. Its protocol stands in desk.js."""

import asyncio
import json
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
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
BREATH_SECONDS = 0.5
"""After news of the list a page hears no more for so long: when a thousand write at once, each look brings many."""
LINES = 100
"""Of the list in one look."""
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
    page = _Page(member, frame.parts_of(request), filters.asked(request), number(request.query.get("shop")), ticket_id)
    topics = [f"{name}:{shop_id}" for shop_id in desks for name in ("desk", "looks")]
    if ticket_id is not None:
        topics.append(f"ticket:{ticket_id}")
    async with open_line(request, store.hub, *topics) as (stream, heard):
        # The page has gone away while something was on its way to it.
        with suppress(ConnectionResetError):
            await _stream(request, stream, heard, page, after, at, waiting)
    return stream


async def _stream(
    request: web.Request,
    stream: EventSourceResponse,
    heard: Heard,
    page: "_Page",
    after: dict[int, int],
    at: int,
    waiting: set[int],
) -> None:
    beat, quiet, told = 0.0, time.monotonic(), dict[str, Any]()
    while stream.is_connected() and request.transport is not None:
        if time.monotonic() - beat >= BEAT_SECONDS:
            beat = time.monotonic()
            await _beat(request)
        # On SQLite a work reads on the loop itself, in one go: a look through another thread has to wait for its turn at each
        # of its queries, and in a burst would see nothing before all is over.
        async with site.store_of(request).work() as work:
            news = await work.read(_look, page, dict(after), at, sorted(waiting))
        if news is None:
            await stream.send("{}", event="gone")
            return
        for ticket in news.lines:
            after[ticket["shop"]] = ticket["changed"]
            await _send(stream, "ticket", ticket)
        if news.counts is not None:
            await _send(stream, "counts", news.counts)
        waiting -= {line.seq for line in news.said}
        for line in news.said:
            at = max(at, line.changed)
            if _is_waiting(line):
                waiting.add(line.seq)
            await _send(stream, "line", frame.thread_line(request, line))
        if news.looking != told:
            told = news.looking
            await _send(stream, "looks", told)
        if len(news.lines) == LINES:
            continue
        if news.lines:
            await asyncio.sleep(BREATH_SECONDS)
        await heard.within(LOOK_SECONDS)
        if time.monotonic() - quiet >= PING_SECONDS:
            quiet = time.monotonic()
            await stream.send("{}", event="ping")


@dataclass(frozen=True, slots=True)
class _Page:
    """What an open page shows: the list by its filters and shop, and a ticket."""

    member: Member
    parts: Sequence[frame.Part]
    wanted: views.Filters | None
    shop_id: int | None
    ticket_id: int | None


@dataclass(frozen=True, slots=True)
class _News:
    """What a page has not seen yet: lines of the list as it draws them with the counts beside them, what is new in the
    open thread or has its files by now, and which colleagues look at what.
    """

    lines: list[dict[str, Any]]
    counts: dict[str, Any] | None
    said: list[thread.Message | thread.Happened]
    looking: dict[str, Any]


def _look(session: Session, page: _Page, after: Mapping[int, int], at: int, waiting: Sequence[int]) -> _News | None:
    """The news of a page; None where its member doesn't work here any more as they did when it was opened."""
    member = page.member
    try:
        fresh = staff.get(session, member.id)
    except NotFoundError:
        return None
    if (fresh.session_epoch, fresh.roles) != (member.session_epoch, member.roles):
        return None
    found = queue.changes(session, member, after, LINES)
    fits = views.fitting(session, member, page.wanted, [one.ticket.id for one in found]) if page.wanted else set()
    lines = [{**drawn, "fits": drawn["id"] in fits} for drawn in frame.lines(session, page.parts, member, found)]
    counts = None
    if found:
        counts = {
            "views": queue.counts(session, member, page.shop_id), "saved": filters.saved(session, member, page.shop_id)
        }  # fmt: skip
    said: list[thread.Message | thread.Happened] = []
    if page.ticket_id is not None:
        said += thread.changed(session, page.ticket_id, member, at)
        if waiting:
            come = thread.some(session, page.ticket_id, member, waiting)
            said += [one for one in come if not _is_waiting(one)]
    return _News(lines, counts, said, together.company(session, member))


async def _beat(request: web.Request) -> None:
    """The desk of the member is open: those who want to know are told."""
    hooks = [part.alive for part in frame.parts_of(request) if part.alive]
    if not hooks:
        return

    def write(session: Session) -> None:
        for hook in hooks:
            hook(session, site.member_of(request))

    await site.store_of(request).write(write)


def _is_waiting(line: thread.Message | thread.Happened) -> bool:
    return isinstance(line, thread.Message) and any(file.state == "waiting" for file in line.files)


async def _send(stream: EventSourceResponse, event: str, data: Any) -> None:
    await stream.send(json.dumps(data, ensure_ascii=False), event=event)
