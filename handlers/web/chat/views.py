"""The customer's web chat: the page, what the visitor sends, and the stream of bubbles. The protocol stands in chat.js."""

import asyncio
import json
import re
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

from aiohttp import web
from aiohttp_session import get_session
from aiohttp_sse import EventSourceResponse, sse_response
from PIL import Image, UnidentifiedImageError
from sqlalchemy.orm import Session

from handlers.chat.commands import COMMANDS
from handlers.web import site
from handlers.words import Words, words
from store import media, shops, webchat
from store.errors import NotFoundError, StoreUnreachableError
from store.media import BYTES_MAX
from store.webchat import Bubble

TEXT_CHARS_MAX = 4096
FILES_MAX = 10
REF = re.compile(r"[A-Za-z0-9-]{8,64}")
PAYLOAD = re.compile(r"[A-Za-z0-9_-]{1,64}")
PING_SECONDS = 15
TOAST_LIVES = timedelta(seconds=20)
SENDS_A_MINUTE = 60
SHOWN_IN_PLACE = ("image/jpeg", "image/png", "image/gif", "image/webp", "audio/", "video/")


def setup_chat(app: web.Application) -> None:
    app.router.add_get("/chat", page)
    app.router.add_post("/chat/send", send)
    app.router.add_get("/chat/events", events)
    app.router.add_get("/chat/history", history)
    app.router.add_post("/chat/seen", seen)
    app.router.add_get("/chat/media/{number:\\d+}/{index:\\d+}", medium)


async def _visitor(request: web.Request) -> int:
    """The chat of this browser; raises 401 where it has none (cookies lost: the page reloads)."""
    session = await get_session(request)
    chat_id = session.get("chat")
    if not isinstance(chat_id, int) or not await site.store_of(request).read(webchat.exists, chat_id):
        raise web.HTTPUnauthorized
    return chat_id


async def page(request: web.Request) -> web.Response:
    store = site.store_of(request)
    session = await get_session(request)
    chat_id = session.get("chat")
    if not isinstance(chat_id, int) or not await store.read(webchat.exists, chat_id):
        chat_id = await store.write(webchat.open_chat, site.accepted_language(request))
        session["chat"] = chat_id
    shop, language, bubbles, (seq, seen_number, _), quick = await store.read(_first_look, chat_id)
    request[site.WORDS] = said = words(language)
    start = request.query.get("start")
    boot = {
        "cursor": seq, "seen": seen_number, "more": bool(bubbles) and bubbles[0].number > 1,
        "bubbles": [_shown(bubble, bubbles) for bubble in bubbles], "quick": quick,
        "start": start if start and PAYLOAD.fullmatch(start) else None, "csrf": await site.csrf_token(request),
        "visitor": str(chat_id), "shop_seen": 0, "shop": {"name": shop.name if shop else "Regulars"},
        "commands": [{"command": name, "description": said(text)} for name, text in COMMANDS],
        "limits": {"bytes": BYTES_MAX, "files": FILES_MAX},
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


def _shown(bubble: Bubble, around: list[Bubble] = []) -> dict[str, Any]:  # noqa: B006
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
        "edited": bubble.edited, "deleted": bubble.deleted,
        "ref": None if bubble.ref is None or bubble.ref.startswith("out:") else bubble.ref,
    }  # fmt: skip


async def send(request: web.Request) -> web.Response:
    """What the visitor does. Stored as a bubble under its `ref` first, as a messenger's server would, then handled."""
    chat_id = await _visitor(request)
    store = site.store_of(request)
    said = words(await store.read(webchat.current_language, chat_id))
    if not request.app[site.LIMITS].allow(f"chat:{chat_id}", SENDS_A_MINUTE, 60):
        return web.json_response(
            {"error": said("That was a lot at once. Please wait a moment."), "retry": True},
            status=429, headers={"Retry-After": "5"},
        )  # fmt: skip
    try:
        body, files = await _read(request, said)
    except _RefusedError as error:
        return web.json_response({"error": str(error), "retry": False}, status=422)
    ref = body.get("ref")
    if not isinstance(ref, str) or not REF.fullmatch(ref):
        return web.json_response({"error": None, "retry": False}, status=422)
    try:
        updates = await _updates(request, chat_id, ref, body, files, said)
        for key, update in updates:
            await request.config_dict[site.SITE].feed(key, update)
    except _RefusedError as error:
        return web.json_response({"error": str(error), "retry": False}, status=422)
    except StoreUnreachableError:
        return web.json_response({"error": None, "retry": True}, status=503)
    return web.json_response({"ok": True})


class _RefusedError(Exception):
    """Words for the visitor."""


async def _read(request: web.Request, said: Words) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    if not request.content_type.startswith("multipart/"):
        try:
            body = json.loads((await request.text()).replace("\\u0000", ""))
        except ValueError:
            raise _RefusedError(said("That didn't work. Please check and try again.")) from None
        return (body if isinstance(body, dict) else {}), []
    body, files = {}, []
    async for part in await request.multipart():
        if part.filename is None:
            body[part.name] = (await part.text())[: TEXT_CHARS_MAX * 2]
            continue
        content = bytes(await part.read(decode=False))
        if len(content) > BYTES_MAX:
            raise _RefusedError(said("This file is larger than 20 MB. Please send a smaller one."))
        if content and len(files) < FILES_MAX:
            mime = (part.headers.get("Content-Type") or "application/octet-stream").split(";")[0].strip()
            files.append(await asyncio.to_thread(_examine, content, mime, part.filename))
    return body, files


def _examine(content: bytes, mime: str, name: str) -> dict[str, Any]:
    """What a file is, by its bytes where it says it is a picture."""
    kind = "document"
    width = height = None
    if mime.startswith("image/"):
        try:
            with Image.open(BytesIO(content)) as picture:
                turned = picture.getexif().get(0x0112) in {5, 6, 7, 8}
                width, height = (picture.height, picture.width) if turned else picture.size
                mime = Image.MIME.get(picture.format or "", mime)
                kind = "photo" if mime in SHOWN_IN_PLACE else "document"
        except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
            mime = "application/octet-stream"
    elif mime.startswith("audio/"):
        kind = "voice" if "webm" in mime or "ogg" in mime else "audio"
    elif mime.startswith("video/"):
        kind = "video"
    return {"content": content, "mime": mime, "name": name[:200], "kind": kind, "width": width, "height": height}


async def _updates(
    request: web.Request, chat_id: int, ref: str, body: dict[str, Any], files: list[dict[str, Any]], said: Words
) -> list[tuple[str, dict[str, Any]]]:
    """The updates that this makes, each with the key under which the inbox knows it."""
    store = site.store_of(request)
    user = {"id": chat_id, "is_bot": False, "first_name": "", "language_code": said.language}
    base: dict[str, Any] = {
        "from": user, "chat": {"id": chat_id, "type": "private", "first_name": ""},
        "date": int(store.clock.now().timestamp()),
    }  # fmt: skip
    if isinstance(tap := body.get("tap"), dict):
        number, data = str(tap.get("bubble", "")), tap.get("data")
        bubble = await store.read(webchat.get, chat_id, int(number)) if number.isdigit() and len(number) < 15 else None
        if bubble is None or not isinstance(data, str) or not _offered(bubble, data):
            raise _RefusedError(said("This button no longer works. Type /menu to start again."))
        message = {**base, "from": {"id": 1, "is_bot": True, "first_name": "Regulars"}, "message_id": bubble.number}
        message["text"] = bubble.text or " "
        query = {"id": f"{chat_id}:{ref}", "from": user, "chat_instance": str(chat_id), "data": data, "message": message}
        return [(f"{chat_id}:{ref}", {"update_id": 0, "callback_query": query})]
    if isinstance(edit := body.get("edit"), dict):
        number, text = str(edit.get("bubble", "")), _text(edit.get("text"), said)
        bubble = await store.read(webchat.get, chat_id, int(number)) if number.isdigit() and len(number) < 15 else None
        if bubble is None or bubble.who != "me" or not text:
            raise _RefusedError(said("This message can't be changed any more."))
        await store.write(webchat.change, chat_id, bubble.number, text=text, edited=True)
        message = {**base, "message_id": bubble.number, "edit_date": base["date"], "text": text}
        return [(f"{chat_id}:{ref}", {"update_id": 0, "edited_message": message})]
    text = _text(body.get("caption") if files else body.get("text"), said)
    if not text and not files:
        raise _RefusedError(said("Write something first."))
    reply = str(body.get("reply_to") or "")
    reply_to = int(reply) if reply.isdigit() and len(reply) < 15 else None
    shas = [await store.write(media.keep, f["content"], f["mime"], f["width"], f["height"]) for f in files]
    extra: dict[str, Any] = {"reply_to": reply_to} if reply_to else {}
    if files:
        extra["media"] = [
            {"kind": f["kind"], "sha": sha, "name": f["name"], "mime": f["mime"], "size": len(f["content"]),
             "width": f["width"], "height": f["height"]}
            for f, sha in zip(files, shas, strict=True)
        ]  # fmt: skip
    number_of = await store.write(
        webchat.add, chat_id, webchat.UNSHOWN if body.get("auto") is True else "me", text=text, ref=ref,
        numbers=max(1, len(files)), **extra,
    )  # fmt: skip
    if reply_to:
        base["reply_to_message"] = {**base, "message_id": reply_to, "text": " "}
    if not files:
        return [(f"{chat_id}:{ref}", {"update_id": 0, "message": {**base, "message_id": number_of, "text": text}})]
    updates = []
    for index, (file, sha) in enumerate(zip(files, shas, strict=True)):
        message = {**base, "message_id": number_of + index, **_carried(file, sha)}
        if len(files) > 1:
            message["media_group_id"] = ref
        if index == 0 and text:
            message["caption"] = text
        updates.append((f"{chat_id}:{ref}:{index}", {"update_id": 0, "message": message}))
    return updates


def _carried(file: dict[str, Any], sha: str) -> dict[str, Any]:
    """A file as an aiogram message carries it."""
    one: dict[str, Any] = {"file_id": f"media:{sha}", "file_unique_id": sha[:32], "file_size": len(file["content"])}
    if file["kind"] == "photo":
        return {"photo": [{**one, "width": file["width"], "height": file["height"]}]}
    one["mime_type"] = file["mime"]
    if file["kind"] in {"voice", "audio"}:
        return {file["kind"]: {**one, "duration": 0, **({"file_name": file["name"]} if file["kind"] == "audio" else {})}}
    if file["kind"] == "video":
        return {"video": {**one, "duration": 0, "width": 0, "height": 0, "file_name": file["name"]}}
    return {"document": {**one, "file_name": file["name"]}}


def _text(value: Any, said: Words) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _RefusedError(said("That didn't work. Please check and try again."))
    text = value.replace("\x00", "").strip()
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if len(text) > TEXT_CHARS_MAX:
        raise _RefusedError(said("This message is too long. Please send it in two parts."))
    return text


def _offered(bubble: Bubble, data: str) -> bool:
    """A tap counts only on a button that the shop put there."""
    return any(button.get("data") == data for row in bubble.extra.get("buttons", []) for button in row)


async def events(request: web.Request) -> EventSourceResponse:
    """Everything after a cursor, then as it happens."""
    chat_id = await _visitor(request)
    store = site.store_of(request)
    after = request.headers.get("Last-Event-ID") or request.query.get("after", "0")
    cursor = int(after) if after.isdigit() and len(after) < 18 else 0
    if request.transport is None:
        raise web.HTTPServiceUnavailable  # the page has gone already
    try:
        async with sse_response(request, headers={"X-Accel-Buffering": "no"}) as stream, store.hub.listen(f"chat:{chat_id}") as heard:
            stream.ping_interval = PING_SECONDS
            typing: datetime | None = None
            while stream.is_connected():
                heard.clear()
                for bubble in await store.read(webchat.after, chat_id, cursor):
                    cursor = bubble.seq
                    await _tell(stream, bubble, store.clock.now())
                _, _, until = await store.read(webchat.cursor, chat_id)
                if until is not None and until != typing and until > store.clock.now():
                    ms = int((until - store.clock.now()).total_seconds() * 1000)
                    await stream.send(json.dumps({"ms": ms}), event="typing")
                typing = until
                try:
                    async with asyncio.timeout(PING_SECONDS):
                        await heard.wait()
                except TimeoutError:
                    await stream.send("{}", event="ping")
    except ConnectionResetError:
        # The page has gone; it asks again from its cursor when it is back.
        pass
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
    chat_id = await _visitor(request)
    before = request.query.get("before", "")
    if not before.isdigit() or len(before) > 15:
        raise web.HTTPBadRequest
    bubbles = await site.store_of(request).read(webchat.before, chat_id, int(before))
    more = bool(bubbles) and bubbles[0].number > 1
    return web.json_response({"bubbles": [_shown(bubble, bubbles) for bubble in bubbles], "more": more})


async def seen(request: web.Request) -> web.Response:
    chat_id = await _visitor(request)
    try:
        number = int((await request.json())["number"])
    except (ValueError, KeyError, TypeError):
        raise web.HTTPBadRequest from None
    await site.store_of(request).write(webchat.seen, chat_id, min(max(number, 0), 2**53))
    return web.Response(status=204)


async def medium(request: web.Request) -> web.Response:
    """A file of the visitor's own chat."""
    chat_id = await _visitor(request)
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
    return site.media_response(content, items[index].get("name", ""))
