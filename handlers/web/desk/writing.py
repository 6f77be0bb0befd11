"""What agents do at the desk: answer, write notes, and the buttons of the thread."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site, uploads
from handlers.web.bodies import body_of
from handlers.web.desk.frame import desk, ticket_of
from store import media
from store.errors import InvalidError
from support import changes, delivery, drafts, handling, messages, queue, seen
from support.messages import FILES_MAX

KEY = re.compile(r"[A-Za-z0-9-]{8,64}")


def setup_writing(app: web.Application) -> None:
    add = app.router.add_post
    add("/desk/tickets/{ticket:\\d{1,15}}/{kind:reply|note}", desk(say))
    add("/desk/tickets/{ticket:\\d{1,15}}/{action:[a-z]+}", desk(act))
    add("/desk/messages/{message:\\d{1,15}}/{action:[a-z]+}", desk(change))


async def say(request: web.Request) -> web.Response:
    """An answer or a note: a form with `text`, `key` (the page's own, so that a second try adds nothing) and files."""
    if not request.content_type.startswith("multipart/"):
        raise web.HTTPUnsupportedMediaType
    fields, sent = await uploads.read_form(request, FILES_MAX)
    key = fields.get("key", "")
    if not KEY.fullmatch(key):
        raise InvalidError("key", "shape")
    rule = messages.agent_says if request.match_info["kind"] == "reply" else messages.note
    member, ticket_id, quoted = site.member_of(request), ticket_of(request), fields.get("reply_to", "")
    if not re.fullmatch(r"\d{0,9}", quoted):
        raise web.HTTPBadRequest
    reply_to = int(quoted) if quoted else None

    def write(session: Session) -> int:
        files = [one.file(media.keep(session, one.content, one.mime, one.width, one.height)) for one in sent]
        return rule(session, ticket_id, member, fields.get("text", ""), files, key=key, reply_to=reply_to)

    return web.json_response({"id": await site.store_of(request).write(write)}, status=201)


async def act(request: web.Request) -> web.Response:
    """One of the desk's buttons, by name; what it needs comes as JSON."""
    return await _run(request, _ACTIONS, ticket_of(request))


async def change(request: web.Request) -> web.Response:
    """What becomes of one message: sent again, reworded, taken away, reacted to."""
    return await _run(request, _CHANGES, int(request.match_info["message"]))


Asked = dict[str, Any]
Rule = tuple[Callable[..., None], tuple[Any, ...]]


async def _run(request: web.Request, actions: dict[str, Callable[[Asked], Rule]], number: int) -> web.Response:
    try:
        asked = await body_of(request) if request.can_read_body else {}
        rule, values = actions[request.match_info["action"]](asked)
    except KeyError:
        raise web.HTTPNotFound from None
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise web.HTTPBadRequest from None
    await site.store_of(request).write(rule, number, site.member_of(request), *values)
    return web.json_response({"ok": True})


def _whole(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < 2**31:
        raise ValueError
    return value


def _moment(value: Any) -> datetime:
    at = datetime.fromisoformat(_text(value))
    if at.tzinfo is None:
        raise ValueError
    return at.astimezone(UTC)


def _maybe(value: Any) -> int | None:
    return None if value is None else _whole(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    value.encode()  # half a surrogate pair is no text
    return value


_ACTIONS: dict[str, Callable[[Asked], Rule]] = {
    "claim": lambda _: (handling.claim, ()),
    "assign": lambda asked: (handling.assign, (_maybe(asked.get("to")),)),
    "resolve": lambda _: (handling.resolve, ()),
    "reopen": lambda _: (handling.reopen, ()),
    "close": lambda _: (handling.close, ()),
    "priority": lambda asked: (handling.prioritise, (_text(asked.get("priority")),)),
    "snooze": lambda asked: (handling.snooze, (_moment(asked.get("until")),)),
    "seen": lambda asked: (seen.saw, (_whole(asked.get("seq")),)),
    "unread": lambda _: (queue.unsee, ()),
    "draft": lambda asked: (
        drafts.keep,
        (_text(asked.get("kind")), _text(asked.get("text")), _maybe(asked.get("reply_to"))),
    ),
}
_CHANGES: dict[str, Callable[[Asked], Rule]] = {
    "retry": lambda _: (delivery.retry, ()),
    "edit": lambda asked: (changes.agent_edits, (_text(asked.get("text")),)),
    "delete": lambda _: (changes.agent_deletes, ()),
    "react": lambda asked: (changes.agent_reacts, (None if asked.get("emoji") is None else _text(asked["emoji"]),)),
}
