"""What every page of the desk stands on: who may, refusals in the desk's words, and the parts that hang into it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.desk import shown
from handlers.web.site import Handler
from handlers.words import Words
from store.errors import InvalidError, RuleError
from store.staff import Member, Right
from support.queue import Line
from support.thread import Happened

Setup = Callable[[web.Application], None]
Facts = Callable[[Session, Member, Sequence[Line]], dict[int, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Part:
    """What a view module hangs into the desk; views.PARTS lists them, panels.js says how its script does.

    `setup` adds routes (handlers behind `desk`). `words` gives the script its strings. `facts` adds to lines of the list, by
    ticket number, what the script's badges draw (`ticket.facts`): one query for all of them. `happened` says the part's own
    event kinds in the thread, `refusal` its errors. `alive` runs while a member's desk is open, at its opening and every 20
    seconds, inside the transaction that notes who looks at what.
    """

    setup: Setup | None = None
    words: Callable[[Words], dict[str, str]] | None = None
    facts: Facts | None = None
    happened: Callable[[Words, Happened], str | None] | None = None
    refusal: Callable[[Words, RuleError], str | None] | None = None
    alive: Callable[[Session, Member], None] | None = None
    style: str | None = None
    """The address of a style sheet of its own ("/static/desk/promises.css")."""


PARTS = web.AppKey("desk_parts", tuple[Part, ...])


def parts_of(request: web.Request) -> tuple[Part, ...]:
    return request.config_dict[PARTS]


def desk(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A route of the desk: staff with a desk only, refusals in the desk's words."""

    async def told(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except RuleError as error:
            words = refusal(request, error)
            if words is None:
                raise
            status = 422 if isinstance(error, InvalidError) else 409
            field = error.field if isinstance(error, InvalidError) else None
            return web.json_response({"error": words, "code": error.code, "field": field}, status=status)

    return site.need(Right.DESK)(told)


def refusal(request: web.Request, error: RuleError) -> str | None:
    said = site.words_of(request)
    own = (part.refusal(said, error) for part in parts_of(request) if part.refusal)
    return shown.refusal(said, error) or next((words for words in own if words), None)


ID_DIGITS, PLACE_DIGITS = 15, 9
"""How long a written number may be: one that names a row, and one of a place in a thread or of a change at a desk."""


def number(written: object, digits: int = ID_DIGITS) -> int | None:
    """A number as a page or a form writes it; None where it is none, or longer than what can be meant."""
    text = str(written or "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= digits else None


def ticket_of(request: web.Request) -> int:
    """The number of the ticket in the address."""
    return int(request.match_info["ticket"])


def lines(session: Session, parts: Sequence[Part], member: Member, found: Sequence[Line]) -> list[dict[str, Any]]:
    """Tickets as the list shows them, each with what the parts know of it."""
    known: dict[int, dict[str, Any]] = {
        one.ticket.id: {"mentioned": one.mentioned, "draft": one.draft, "tags": one.tags} for one in found
    }
    for part in parts:
        if part.facts and found:
            for ticket_id, facts in part.facts(session, member, found).items():
                known.setdefault(ticket_id, {}).update(facts)
    return [{**shown.line(one), "facts": known.get(one.ticket.id, {})} for one in found]


def thread_line(request: web.Request, line: Any) -> dict[str, Any]:
    """A message or an event of a thread; events of a part in that part's words."""
    said, member = site.words_of(request), site.member_of(request)
    if isinstance(line, Happened):
        for part in parts_of(request):
            words = part.happened(said, line) if part.happened else None
            if words is not None:
                return {**shown.thread_line(said, member, line), "words": words}
    return shown.thread_line(said, member, line)
