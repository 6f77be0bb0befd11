"""The customer's web chat: the page, what the visitor sends, and the stream of bubbles. The protocol stands in chat.js."""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web
from aiohttp_session import get_session
from aiohttp_sse import EventSourceResponse
from sqlalchemy.orm import Session

from handlers.chat.commands import COMMANDS
from handlers.web import files, site
from handlers.web.bodies import body_of
from handlers.web.chat.sending import FILES_MAX, send
from handlers.web.lines import open_line
from handlers.words import words
from store import media, shops, webchat
from store.errors import NotFoundError
from store.media import BYTES_MAX
from store.webchat import Bubble

PAYLOAD = re.compile(r"[A-Za-z0-9_-]{1,64}")
PING_SECONDS = 15
TOAST_LIVES = timedelta(seconds=20)


def setup_chat(app: web.Application) -> None:
    app.router.add_get("/chat", page)
    app.router.add_post("/chat/send", send)
    app.router.add_get("/chat/events", events)
    app.router.add_get("/chat/history", history)
    app.router.add_post("/chat/seen", seen)
    app.router.add_get("/chat/media/{number:\\d+}/{index:\\d+}", medium)


async def page(request: web.Request) -> web.Response:
    store = site.store_of(request)
    try:
        chat_id = await site.visitor_of(request)
    except web.HTTPUnauthorized:
        chat_id = await store.write(webchat.open_chat, site.accepted_language(request))
        (await get_session(request))["chat"] = chat_id
    shop, language, bubbles, (seq, seen_number, _), quick = await store.read(_first_look, chat_id)
    request[site.WORDS] = said = words(language)
    start = request.query.get("start")
    boot = {
        "cursor": seq, "seen": seen_number, "more": bool(bubbles) and bubbles[0].number > 1,
        "bubbles": [_shown(bubble, bubbles) for bubble in bubbles], "quick": quick,
        "start": start if start and PAYLOAD.fullmatch(start) else None, "csrf": await site.csrf_token(request),
        "visitor": str(chat_id), "shop_seen": 0, "shop": {"name": shop.name if shop else "Regulars"},
        "commands": [{"command": name, "description": said(text)} for name, text in COMMANDS],
        "limits": {"bytes": BYTES_MAX, "files": FILES_MAX}, "reactions": webchat.REACTIONS,
    }  # fmt: skip
    brand = shop.brand if shop else shops.DEFAULT_BRAND
    return await site.render(request, "chat/chat.html", {"shop": shop or boot["shop"], "boot": boot, "brand": brand})


def _first_look(session: Session, chat_id: int) -> Any:
    bubbles = webchat.before(session, chat_id, None)
    quick = next((bubble.extra["quick"] for bubble in reversed(bubbles) if "quick" in bubble.extra), None)
    if quick is None:
        quick = webchat.last_quick(session, chat_id)
    return (
        shops.first(session), webchat.current_language(session, chat_id), bubbles, webchat.cursor(session, chat_id), quick
    )  # fmt: skip


def _shown(bubble: Bubble, around: Sequence[Bubble] = ()) -> dict[str, Any]:
    """A bubble as the page takes it."""
    extra = bubble.extra
    quoted = next((other for other in around if other.number == extra.get("reply_to")), None)
    shown_media = [
        {
            **{key: value for key, value in item.items() if key not in {"sha", "mime"}},
            "url": f"/chat/media/{bubble.number}/{index}" if "sha" in item else None,
        }
        for index, item in enumerate(extra.get("media", []))
    ]
    return {
        "id": str(bubble.number), "number": bubble.number, "seq": bubble.seq, "from": bubble.who,
        "name": extra.get("name"), "text": bubble.text, "html": bubble.html, "at": bubble.at.isoformat(),
        "media": shown_media, "buttons": extra.get("buttons", []), "quick": extra.get("quick"),
        "reply_to": {"id": str(extra["reply_to"]), "excerpt": quoted.text[:80] if quoted else ""}
        if extra.get("reply_to") else None,
        "edited": bubble.edited, "deleted": bubble.deleted, "reactions": extra.get("reactions", {}),
        "ref": None if bubble.ref is None or bubble.ref.startswith("out:") else bubble.ref,
    }  # fmt: skip


async def events(request: web.Request) -> EventSourceResponse:
    """Everything after a cursor, then as it happens."""
    chat_id = await site.visitor_of(request)
    store = site.store_of(request)
    after = request.headers.get("Last-Event-ID") or request.query.get("after", "0")
    cursor = int(after) if after.isdecimal() and len(after) < 18 else 0
    async with open_line(request, store.hub, f"chat:{chat_id}") as (stream, heard):
        # The page may go at any moment; it asks again from its cursor when it is back.
        with suppress(ConnectionResetError):
            typing: datetime | None = None
            while stream.is_connected():
                for bubble in await store.read(webchat.after, chat_id, cursor):
                    cursor = bubble.seq
                    await _tell(stream, bubble, store.clock.now())
                _, _, until = await store.read(webchat.cursor, chat_id)
                if until is not None and until != typing and until > store.clock.now():
                    ms = int((until - store.clock.now()).total_seconds() * 1000)
                    await stream.send(json.dumps({"ms": ms}), event="typing")
                typing = until
                if not await heard.within(PING_SECONDS):
                    await stream.send("{}", event="ping")
    return stream


async def _tell(stream: EventSourceResponse, bubble: Bubble, now: datetime) -> None:
    if bubble.who == webchat.TOAST:
        if now - bubble.at < TOAST_LIVES:
            toast = {"ref": bubble.extra.get("tap"), "text": bubble.text, "alert": bubble.extra.get("alert", False)}
            await stream.send(json.dumps(toast, ensure_ascii=False), event="toast", id=str(bubble.seq))
        return
    if bubble.who != webchat.UNSHOWN:
        await stream.send(json.dumps(_shown(bubble), ensure_ascii=False), event="bubble", id=str(bubble.seq))


async def history(request: web.Request) -> web.Response:
    chat_id = await site.visitor_of(request)
    before = request.query.get("before", "")
    if not before.isdecimal() or len(before) > 15:
        raise web.HTTPBadRequest
    bubbles = await site.store_of(request).read(webchat.before, chat_id, int(before))
    more = bool(bubbles) and bubbles[0].number > 1
    return web.json_response({"bubbles": [_shown(bubble, bubbles) for bubble in bubbles], "more": more})


async def seen(request: web.Request) -> web.Response:
    chat_id = await site.visitor_of(request)
    try:
        number = int((await body_of(request))["number"])
    except (ValueError, KeyError, TypeError):
        raise web.HTTPBadRequest from None
    await site.store_of(request).write(webchat.seen, chat_id, min(max(number, 0), 2**53))
    return web.Response(status=204)


async def medium(request: web.Request) -> web.Response:
    """A file of the visitor's own chat."""
    chat_id = await site.visitor_of(request)
    store = site.store_of(request)
    number = request.match_info["number"]
    bubble = await store.read(webchat.get, chat_id, int(number)) if len(number) < 15 else None
    items = bubble.extra.get("media", []) if bubble and not bubble.deleted else []
    index = int(request.match_info["index"][:4])
    if index >= len(items) or "sha" not in items[index]:
        raise web.HTTPNotFound
    try:
        content = await store.read(media.load, items[index]["sha"])
    except NotFoundError:
        raise web.HTTPNotFound from None
    return files.media_response(content, items[index].get("name", ""))
