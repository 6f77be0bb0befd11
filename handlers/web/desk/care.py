"""Care at the desk: who is to be met, what was learnt of the customer, the incident behind a ticket, and who asked to be
forgotten.
"""

from collections.abc import Sequence
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers import care_words
from handlers.web import site
from handlers.web.desk.frame import Part, desk, ticket_of
from handlers.words import Words
from loyalty.customers import phones
from store import shops
from store.clock import now
from store.errors import InvalidError, RuleError
from store.staff import Member, Right
from support import queue, tickets
from support.care import incidents, plans
from support.duties import erasures
from support.queue import Line
from support.thread import Happened

TICKET = "/desk/tickets/{ticket:\\d{1,15}}"


def setup_care(app: web.Application) -> None:
    get, post = app.router.add_get, app.router.add_post
    get(TICKET + "/care", desk(panel))
    get("/desk/care", desk(sheet))
    post("/desk/care/{task:\\d{1,15}}/{act:done|skip}", desk(act))


async def panel(request: web.Request) -> web.Response:
    """The customer's care at the shops of this desk; nothing where there is none."""
    member, ticket_id = site.member_of(request), ticket_of(request)

    def look(session: Session) -> dict[str, Any]:
        ticket = tickets.view(session, ticket_id, member)
        return {
            "tasks": plans.of_customer(session, ticket.customer_id, [ticket.shop_id]),
            "incident": incidents.of_tickets(session, [ticket_id]).get(ticket_id),
            "asked": erasures.of_customer(session, ticket.customer_id),
            "console": member.may(Right.CONSOLE, ticket.shop_id), "shop_id": ticket.shop_id,
            "zone": shops.get(session, ticket.shop_id).timezone, "now": now(session),
        }  # fmt: skip

    return await _part(request, "desk/care.html", await site.store_of(request).read(look))


async def sheet(request: web.Request) -> web.Response:
    """Everybody who is to be met now or soon, at the member's desks."""
    member = site.member_of(request)

    def look(session: Session) -> dict[str, Any]:
        found = plans.due(session, queue.desks_of(session, member))
        zones = {shop.id: shop.timezone for shop in shops.every(session)}
        return {"tasks": found, "zones": zones, "me": member.id, "now": now(session), "local": phones.local}

    return await _part(request, "desk/care_sheet.html", await site.store_of(request).read(look))


async def act(request: web.Request) -> web.Response:
    """They were met, with what was `learnt`, or not this time."""
    asked, said, member = await request.post(), site.words_of(request), site.member_of(request)
    done = request.match_info["act"] == "done"
    await site.store_of(request).write(
        plans.end, int(request.match_info["task"]), member, done=done, learnt=str(asked.get("learnt", ""))
    )
    return web.json_response({"toast": said("Noted.")})


async def _part(request: web.Request, template: str, context: dict[str, Any]) -> web.Response:
    said = site.words_of(request)
    context |= {"ways": care_words.ways(said), "icons": care_words.icons()}
    return web.Response(text=await site.render_part(request, template, context), content_type="text/html")


# ── Words ──────────────────────────────────────────────────────────────────────────────────────────


def _facts(session: Session, member: Member, found: Sequence[Line]) -> dict[int, dict[str, Any]]:  # noqa: ARG001
    """The tickets whose customers asked to be forgotten, with the day."""
    asked = erasures.of_customers(session, sorted({line.ticket.customer_id for line in found}))
    return {
        line.ticket.id: {"forget_by": asked[line.ticket.customer_id].done_by.isoformat()}
        for line in found if line.ticket.customer_id in asked
    }  # fmt: skip


def _happened(said: Words, event: Happened) -> str | None:
    if event.kind == "incident":
        return said("This is about the incident “{title}”", title=str(event.data.get("title") or "…"))
    return None


def _refusal(said: Words, error: RuleError) -> str | None:
    if isinstance(error, plans.TaskEndedError):
        return said("Somebody noted this before you.")
    if isinstance(error, InvalidError) and error.field == "learnt":
        return said("Write in a few words what you learnt.")
    return None


def _words(said: Words) -> dict[str, str]:
    return {
        "care": said("Care"), "care_tasks": said("Calls and visits"), "forget_by": said("Forget by {day}"),
        "forget_title": said("The customer asked to be forgotten; this is seen to first."),
    }  # fmt: skip


PART = Part(setup=setup_care, words=_words, facts=_facts, happened=_happened, refusal=_refusal)
