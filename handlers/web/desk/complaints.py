"""Complaints at the desk: the panel with level, reasons, remedy, cause and the way to its end, and the sheets behind it."""

from collections.abc import Sequence
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers import complaint_words
from handlers.web import site
from handlers.web.desk import goodwill
from handlers.web.desk.frame import Part, desk, ticket_of
from handlers.words import Words
from store import shops
from store.errors import InvalidError, RuleError
from store.staff import Member
from support import tickets
from support.complaints import complaints, findings, goodwill_book, grading, loop, opening, terms
from support.complaints.complaints import ComplaintOverError
from support.complaints.severity import Fact, Why
from support.queue import Line
from support.thread import Happened

TICKET = "/desk/tickets/{ticket:\\d{1,15}}"
LISTED = 5
"""Tries in the panel."""


def setup_complaints(app: web.Application) -> None:
    get, post = app.router.add_get, app.router.add_post
    get(TICKET + "/complaint", desk(panel))
    get(TICKET + "/complaint/{sheet:level|tried|unmark}", desk(sheet))
    post(TICKET + "/complaint/{act:mark|unmark|level|remedy|cause|tried}", desk(act))
    goodwill.setup_goodwill(app)


async def panel(request: web.Request) -> web.Response:
    """The ticket's complaint; nothing where it is none."""
    said = site.words_of(request)
    context = await site.store_of(request).read(_look, said, ticket_of(request), site.member_of(request))
    return await part(request, "desk/complaint.html", context)


async def sheet(request: web.Request) -> web.Response:
    """The form for another level, a try of one's own, or that it was none."""
    said = site.words_of(request)
    context = await site.store_of(request).read(_look, said, ticket_of(request), site.member_of(request))
    return await part(request, "desk/complaint_sheet.html", {**context, "sheet": request.match_info["sheet"]})


def _look(session: Session, said: Words, ticket_id: int, member: Member) -> dict[str, Any]:
    ticket = tickets.view(session, ticket_id, member)
    known = complaints.find(session, ticket_id)
    rules = terms.of(session, ticket.shop_id)
    every = loop.tries_of(session, ticket_id) if known else []
    return {
        "ticket": ticket, "known": known, "levels": complaint_words.levels(said), "stages": complaint_words.stages(said),
        "remedies": complaint_words.remedies(said), "outcomes": complaint_words.outcomes(said),
        "causes": list(rules.causes) or complaint_words.causes(said), "most": rules.tries,
        "facts": [complaint_words.fact(said, one) for one in known.facts] if known else [],
        "tries": [(one, _tried(said, one.way, one.said)) for one in every[-LISTED:]],
        "zone": shops.get(session, ticket.shop_id).timezone, "set_by": goodwill_book.staff_name(session, known.set_by or 0) if known else "",
    }  # fmt: skip


async def act(request: web.Request) -> web.Response:
    """One of the panel's forms."""
    asked, said = await request.post(), site.words_of(request)
    ticket_id, member, name = ticket_of(request), site.member_of(request), request.match_info["act"]
    text = {key: str(value) for key, value in asked.items() if isinstance(value, str)}

    def write(session: Session) -> None:
        match name:
            case "mark":
                opening.mark(session, ticket_id, member)
            case "unmark":
                opening.unmark(session, ticket_id, member, text.get("reason", ""))
            case "level":
                level = int(text["level"]) if text.get("level", "") in {"1", "2", "3", "4"} else 0
                grading.relevel(session, ticket_id, member, level, text.get("reason", ""))
            case "remedy":
                findings.seek(session, ticket_id, text.get("remedy", ""), text.get("words", ""), member=member)
            case "cause":
                findings.explain(session, ticket_id, member, text.get("cause", ""))
            case _:
                loop.tried(session, ticket_id, member, text.get("way", ""), text.get("said", ""), text.get("words", ""))

    await site.store_of(request).write(write)
    done = {
        "mark": said("It is a complaint now; the customer is told that we have it."), "unmark": said("It is no complaint any more."),
        "level": said("The level is changed."), "tried": said("Written down."),
    }.get(name, said("Saved."))  # fmt: skip
    return web.json_response({"toast": done})


async def part(request: web.Request, template: str, context: dict[str, Any]) -> web.Response:
    """A piece of HTML for the page to put in."""
    return web.Response(text=await site.render_part(request, template, context), content_type="text/html")


# ── Words ──────────────────────────────────────────────────────────────────────────────────────────


def _facts(session: Session, member: Member, found: Sequence[Line]) -> dict[int, dict[str, Any]]:  # noqa: ARG001
    """The levels that lines show."""
    return {one.ticket.id: {"level": one.ticket.severity} for one in found if one.ticket.severity}


def _tried(said: Words, way: str, outcome: str) -> str:
    ways = {"message": said("Message"), "call": said("Call"), "visit": said("Visit")}
    ends = {
        "asked": said("asked whether all is well"), "nobody": said("nobody reached"), "good": said("all is well"),
        "bad": said("still not right"),
    }  # fmt: skip
    return f"{ways.get(way, way)}: {ends.get(outcome, outcome)}"


def _happened(said: Words, event: Happened) -> str | None:
    name, data = event.staff or "", event.data
    match event.kind:
        case "complaint_stage":
            return _stage(said, name, data)
        case "complaint_level":
            levels = {"before": f"S{data.get('before')}", "after": f"S{data.get('level')}"}
            reason = str(data.get("reason") or "")
            if name:
                return said(
                    "{name} changed the complaint from {before} to {after}: {reason}",
                    name=name,
                    reason=reason,
                    **levels,
                )
            why = complaint_words.fact(said, Fact(Why(reason), "")) if reason in set(Why) - _NUMBERED else reason
            return said("The complaint went from {before} to {after}: {reason}", reason=why, **levels)
        case "assigned" if not name and data.get("to"):
            return said("Given to {other}, to see to it in person", other=str(data["to"]))
        case "complaint_remedy":
            wish = complaint_words.remedies(said).get(str(data.get("remedy")), "")
            return said("{name} noted what the customer asks for: {wish}", name=name, wish=wish) if name else said(
                "The customer asks for: {wish}", wish=wish
            )  # fmt: skip
        case "complaint_cause":
            return said("{name} found the cause: {cause}", name=name, cause=str(data.get("cause") or "…"))
        case "complaint_tried":
            line = _tried(said, str(data.get("way")), str(data.get("state")))
            line = f"{line} ({data['number']}/{data['of']})" if data.get("number") else line
            words = f" “{data['words']}”" if data.get("words") else ""
            who = name or said("After the complaint")
            return f"{who} · {line}{words}"
        case "order_wrong":
            facts = [said.money(int(data.get("total") or 0)), *map(str, data.get("items") or ())]
            return said("Order {order}: {facts}", order=str(data.get("order") or "…"), facts=" · ".join(facts))
        case "complaint_recovery":
            return said("Rated low: a recovery case is open, #{number}", number=str(data.get("case")))
    return goodwill.happened(said, event)


_NUMBERED = {Why.ORDER, Why.TIER, Why.REPEAT, Why.RATING}


def _stage(said: Words, name: str, data: dict[str, Any]) -> str:
    stage = str(data.get("stage") or "")
    if stage == "received":
        return {
            "words": said("What the customer writes makes this a complaint"), "staff": said("{name} made this a complaint", name=name),
            "rating": said("Recovery case after a low rating"),
            "order": said("Asked about an order, the customer said that it was not all right"),
        }.get(str(data.get("origin")), said("The customer complains"))  # fmt: skip
    if stage == "assessed" and data.get("level"):
        why = "; ".join(
            complaint_words.fact(said, Fact(Why(one["why"]), one["said"])) for one in data.get("facts") or ()
        )
        return said("Complaint S{level}: {why}", level=data["level"], why=why or said("nothing that raises it"))
    if stage == "closed":
        end = complaint_words.outcomes(said).get(str(data.get("outcome") or ""), "")
        return said("The complaint is closed: {end}", end=end)
    return said("Complaint: {stage}", stage=complaint_words.stages(said).get(stage, stage))


def _refusal(said: Words, error: RuleError) -> str | None:
    if isinstance(error, ComplaintOverError):
        return said("This complaint is closed.")
    if isinstance(error, InvalidError):
        own = {
            "reason": said("Say why in a few words, at most 200 letters."), "cause": said("Say in a few words what caused it."),
            "level": said("Choose a level."), "remedy": said("Choose what the customer asks for."),
            "said": said("Say how you tried and what came of it."),
        }.get(error.field)  # fmt: skip
        if own is not None:
            return own
    return goodwill.refusal(said, error)


def _words(said: Words) -> dict[str, str]:
    return {
        "complaint": said("Complaint"), "goodwill": said("Goodwill"), "mark_complaint": said("It is a complaint"),
        "give_goodwill": said("Make good: points or a voucher"), "level_title": said("Complaint, level S{n}"),
    }  # fmt: skip


PART = Part(
    setup=setup_complaints, words=_words, facts=_facts, happened=_happened, refusal=_refusal,
    style="/static/desk/complaints.css",
)  # fmt: skip
