"""A ticket's deadlines at the desk: the mark in the list, the panel, and saying that one sees to what is late."""

from collections.abc import Sequence
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.desk.frame import Part, desk, ticket_of
from handlers.words import Words
from store import shops
from store.staff import Member
from support import tickets
from support.deadlines import clocks, escalations
from support.queue import Line
from support.thread import Happened

TICKET = "/desk/tickets/{ticket:\\d{1,15}}"


def setup_deadlines(app: web.Application) -> None:
    app.router.add_get(TICKET + "/deadlines", desk(panel))
    app.router.add_post("/desk/escalations/{escalation:\\d{1,15}}/mine", desk(mine))


async def panel(request: web.Request) -> web.Response:
    """What is waited for in a ticket and until when, and what is late; nothing where there is nothing to say."""
    member, ticket_id, said = site.member_of(request), ticket_of(request), site.words_of(request)

    def look(session: Session) -> dict[str, Any]:
        ticket = tickets.view(session, ticket_id, member)
        going = [
            one for one in clocks.of(session, [ticket_id])
            if one.state in {clocks.RUNNING, clocks.PAUSED} and one.allowance is not None
        ]  # fmt: skip
        return {
            "going": going, "late": escalations.open_of(session, [ticket_id]), "names": kinds(said),
            "zone": shops.get(session, ticket.shop_id).timezone, "now": site.store_of(request).clock.now(),
        }  # fmt: skip

    context = await site.store_of(request).read(look)
    if not context["going"] and not context["late"]:
        return web.Response(text="", content_type="text/html")
    return web.Response(text=await site.render_part(request, "desk/deadlines.html", context), content_type="text/html")


async def mine(request: web.Request) -> web.Response:
    """See to what is late: nobody above is told any more."""
    said = site.words_of(request)
    found = await site.store_of(request).write(
        escalations.acknowledge, int(request.match_info["escalation"]), site.member_of(request)
    )
    if found.by is None:
        words = said("It is done already.")
    else:
        words = said("You see to it. Nobody else is told.") if found.new else said("{name} sees to it.", name=found.by)
    return web.json_response({"toast": words})


def kinds(said: Words) -> dict[str, str]:
    """What can be late."""
    return {
        "first": said("First answer"), "next": said("Answer"), "resolution": said("Solution"), "promise": said("Promise"),
    }  # fmt: skip


def _facts(session: Session, member: Member, found: Sequence[Line]) -> dict[int, dict[str, Any]]:  # noqa: ARG001
    return {
        ticket_id: {
            "deadline": {
                "kind": one.kind, "at": one.due_at.isoformat(), "missed": one.missed, "warned": one.warned,
                "escalation": one.escalation_id, "by": one.acked_by,
            }
        }
        for ticket_id, one in clocks.pressing(session, [line.ticket.id for line in found]).items()
    }  # fmt: skip


def _happened(said: Words, event: Happened) -> str | None:
    what = kinds(said).get(str(event.data.get("cause")), "")
    match event.kind:
        case "deadline_missed":
            return said("The deadline passed: {what}", what=what)
        case "escalated":
            told = ", ".join(event.data.get("told") or ())
            if not told:
                return said("Step {level}: there was nobody to tell", level=event.data["level"])
            return said("Step {level}: {people} were told ({what})", level=event.data["level"], people=told, what=what)
        case "acknowledged":
            return said("{name} sees to it ({what})", name=event.staff or "", what=what)
    return None


def _words(said: Words) -> dict[str, str]:
    return {
        "deadlines": said("Deadlines"), "see_to_it": said("I'll see to it"), "late_by": said("{time} late"),
        "due_first": said("First answer due at {time}"), "due_next": said("Answer due at {time}"),
        "due_resolution": said("Solution due at {time}"), "seen_to": said("{name} sees to it"),
        "tomorrow_at": said("tomorrow {time}"), "days_short": said("{n} d"), "hours_short": said("{n} h"),
        "minutes_short": said("{n}'"),
    }  # fmt: skip


PART = Part(setup=setup_deadlines, words=_words, facts=_facts, happened=_happened, style="/static/desk/deadlines.css")
