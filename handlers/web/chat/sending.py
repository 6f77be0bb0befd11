"""What a visitor sends: stored as a bubble under the page's own `ref` first, as a messenger's server would, then handled
as an update. The same `ref` again finds its bubble and its row in the inbox, so nothing is there twice.
"""

import re
from ipaddress import ip_address
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.bodies import body_of
from handlers.web.uploads import Upload, read_form
from handlers.words import Words, words
from store import media, webchat
from store.engine import Store
from store.errors import InvalidError, StoreUnreachableError
from store.webchat import Bubble

TEXT_CHARS_MAX = 4096
FILES_MAX = 10
REF = re.compile(r"[A-Za-z0-9-]{8,64}")
SENDS_A_MINUTE = 60


async def send(request: web.Request) -> web.Response:
    """What the visitor does. Stored as a bubble under its `ref` first, as a messenger's server would, then handled."""
    chat_id = await site.visitor_of(request)
    store = site.store_of(request)
    said = words(await store.read(webchat.current_language, chat_id))
    if not request.app[site.LIMITS].allow(f"chat:{chat_id}", SENDS_A_MINUTE, 60):
        return web.json_response(
            {"error": said("That was a lot at once. Please wait a moment."), "retry": True},
            status=429, headers={"Retry-After": "5"},
        )  # fmt: skip
    try:
        body, uploads = await _read(request, said)
    except _RefusedError as error:
        return web.json_response({"error": str(error), "retry": False}, status=422)
    ref = body.get("ref")
    if not isinstance(ref, str) or not REF.fullmatch(ref):
        return web.json_response({"error": None, "retry": False}, status=422)
    try:
        updates = await _updates(request, chat_id, ref, body, uploads, said)
        for key, update in updates:
            await request.config_dict[site.SITE].feed(key, update)
    except _RefusedError as error:
        return web.json_response({"error": str(error), "retry": False}, status=422)
    except StoreUnreachableError:
        return web.json_response({"error": None, "retry": True}, status=503)
    return web.json_response({"ok": True})


class _RefusedError(Exception):
    """Words for the visitor."""


async def _read(request: web.Request, said: Words) -> tuple[dict[str, Any], list[Upload]]:
    if request.content_type.startswith("multipart/"):
        try:
            fields, uploads = await read_form(request, FILES_MAX)
        except InvalidError as error:
            if error.problem == "size":
                raise _RefusedError(said("This file is larger than 20 MB. Please send a smaller one.")) from None
            raise _RefusedError(said("That's too many files for one message. Send ten at most.")) from None
        return dict(fields), uploads
    try:
        body = await body_of(request)
    except ValueError:
        raise _RefusedError(said("That didn't work. Please check and try again.")) from None
    return (body if isinstance(body, dict) else {}), []


async def _updates(
    request: web.Request, chat_id: int, ref: str, body: dict[str, Any], uploads: list[Upload], said: Words
) -> list[tuple[str, dict[str, Any]]]:
    """The updates that this makes, each with the key under which the inbox knows it."""
    store = site.store_of(request)
    user = {"id": chat_id, "is_bot": False, "first_name": "", "language_code": said.language}
    base: dict[str, Any] = {
        "from": user, "chat": {"id": chat_id, "type": "private", "first_name": ""},
        "date": int(store.clock.now().timestamp()),
    }  # fmt: skip
    if isinstance(tap := body.get("tap"), dict):
        bubble = await _bubble(store, chat_id, tap.get("bubble"))
        data = tap.get("data")
        if bubble is None or not isinstance(data, str) or not _offered(bubble, data):
            raise _RefusedError(said("This button no longer works. Type /menu to start again."))
        message = {**base, "from": {"id": 1, "is_bot": True, "first_name": "Regulars"}, "message_id": bubble.number}
        message["text"] = bubble.text or " "
        query = {
            "id": f"{chat_id}:{ref}",
            "from": user,
            "chat_instance": str(chat_id),
            "data": data,
            "message": message,
        }
        return [(f"{chat_id}:{ref}", {"update_id": 0, "callback_query": query})]
    if isinstance(edit := body.get("edit"), dict):
        bubble, text = await _bubble(store, chat_id, edit.get("bubble")), _text(edit.get("text"), said)
        if bubble is None or bubble.who != "me" or not text:
            raise _RefusedError(said("This message can't be changed any more."))
        await store.write(_edit, chat_id, bubble.number, text)
        message = {**base, "message_id": bubble.number, "edit_date": base["date"], "text": text}
        return [(f"{chat_id}:{ref}", {"update_id": 0, "edited_message": message})]
    if isinstance(react := body.get("react"), dict):
        bubble, emoji = await _bubble(store, chat_id, react.get("bubble")), react.get("emoji")
        if bubble is None or bubble.who != "shop" or not (emoji is None or emoji in webchat.REACTIONS):
            raise _RefusedError(said("That didn't work. Please check and try again."))
        await store.write(webchat.react, chat_id, bubble.number, "me", emoji)
        reaction = {
            "chat": base["chat"], "message_id": bubble.number, "user": user, "date": base["date"], "old_reaction": [],
            "new_reaction": [{"type": "emoji", "emoji": emoji}] if emoji else [],
        }  # fmt: skip
        return [(f"{chat_id}:{ref}", {"update_id": 0, "message_reaction": reaction})]
    text = _text(body.get("caption") if uploads else body.get("text"), said)
    if not text and not uploads:
        raise _RefusedError(said("Write something first."))
    quoted = await _bubble(store, chat_id, body.get("reply_to"))
    number = await store.write(
        _say, chat_id, ref, text, uploads, quoted.number if quoted else None, shown=body.get("auto") is not True,
        address=_address(request),
    )  # fmt: skip
    if quoted:
        base["reply_to_message"] = {**base, "message_id": quoted.number, "text": " "}
    if not uploads:
        return [(f"{chat_id}:{ref}", {"update_id": 0, "message": {**base, "message_id": number, "text": text}})]
    updates = []
    for index, upload in enumerate(uploads):
        message = {**base, "message_id": number + index, **_carried(upload)}
        if len(uploads) > 1:
            message["media_group_id"] = ref
        if index == 0 and text:
            message["caption"] = text
        updates.append((f"{chat_id}:{ref}:{index}", {"update_id": 0, "message": message}))
    return updates


def _address(request: web.Request) -> str:
    """Where the visitor is: what the proxy before us says, where one of our own network is before us."""
    remote = request.remote or ""
    try:
        inside = ip_address(remote).is_private
    except ValueError:
        inside = True
    said = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return said[:64] if inside and said else remote


async def _bubble(store: Store, chat_id: int, number: object) -> Bubble | None:
    """The bubble a page names, if it is one of this chat."""
    text = str(number or "")
    return await store.read(webchat.get, chat_id, int(text)) if text.isdecimal() and len(text) < 15 else None


def _edit(session: Session, chat_id: int, number: int, text: str) -> None:
    webchat.change(session, chat_id, number, text=text, edited=True)


def _say(
    session: Session,
    chat_id: int,
    ref: str,
    text: str,
    uploads: list[Upload],
    reply_to: int | None,
    *,
    shown: bool,
    address: str,
) -> int:
    """The visitor's bubble with its files; its number. The same `ref` again is the same bubble."""
    extra: dict[str, Any] = {"reply_to": reply_to} if reply_to else {}
    if uploads:
        extra["media"] = [
            {"kind": upload.kind, "sha": media.keep(session, upload.content, upload.mime, upload.width, upload.height),
             "name": upload.name, "mime": upload.mime, "size": len(upload.content), "width": upload.width,
             "height": upload.height}
            for upload in uploads
        ]  # fmt: skip
    who = "me" if shown else webchat.UNSHOWN
    if text.startswith("/"):
        webchat.came_from(session, chat_id, address)
    return webchat.add(session, chat_id, who, text=text, ref=ref, numbers=max(1, len(uploads)), **extra)


def _carried(upload: Upload) -> dict[str, Any]:
    """A file as an aiogram message carries it."""
    sha = media.address(upload.content)
    one: dict[str, Any] = {"file_id": f"media:{sha}", "file_unique_id": sha[:32], "file_size": len(upload.content)}
    if upload.kind == "photo":
        return {"photo": [{**one, "width": upload.width, "height": upload.height}]}
    one |= {"mime_type": upload.mime, "file_name": upload.name}
    if upload.kind == "audio":
        return {"audio": {**one, "duration": 0}}
    if upload.kind == "video":
        return {"video": {**one, "duration": 0, "width": 0, "height": 0}}
    return {"document": one}


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
