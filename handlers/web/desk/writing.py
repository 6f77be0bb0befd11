"""What agents do at the desk: answer, write notes, and the buttons of the thread."""

import re
from collections.abc import Callable
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site, uploads
from handlers.web.desk.frame import desk, ticket_of
from store import media
from store.errors import InvalidError
from support import delivery, handling, messages, queue, seen
from support.messages import FILES_MAX

KEY = re.compile(r"[A-Za-z0-9-]{8,64}")


def setup_writing(app: web.Application) -> None:
    add = app.router.add_post
    add("/desk/tickets/{ticket:\\d{1,15}}/{kind:reply|note}", desk(say))
    add("/desk/tickets/{ticket:\\d{1,15}}/{action:[a-z]+}", desk(act))
    add("/desk/messages/{message:\\d{1,15}}/retry", desk(retry))


async def say(request: web.Request) -> web.Response:
    """An answer or a note: a form with `text`, `key` (the page's own, so that a second try adds nothing) and files."""
    if not request.content_type.startswith("multipart/"):
        raise web.HTTPUnsupportedMediaType
    fields, sent = await uploads.read_form(request, FILES_MAX)
    key = fields.get("key", "")
    if not KEY.fullmatch(key):
        raise InvalidError("key", "shape")
    rule = messages.agent_says if request.match_info["kind"] == "reply" else messages.note
    member, ticket_id = site.member_of(request), ticket_of(request)

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
    await site.store_of(request).write(rule, ticket_of(request), site.member_of(request), *values)
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
    await site.store_of(request).write(delivery.retry, int(request.match_info["message"]), site.member_of(request))
    return web.json_response({"ok": True})
