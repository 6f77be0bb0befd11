"""Promises at the desk: the panel with what is still to be kept, and the sheet on which one is made or moved."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.desk.frame import Part, desk, ticket_of
from handlers.words import Words
from store import shops
from store.clock import now
from store.errors import InvalidError, RuleError
from store.staff import Member
from support import handling, tickets
from support.deadlines import promises
from support.deadlines.promises import PromiseStateError
from support.queue import Line
from support.thread import Happened

TICKET = "/desk/tickets/{ticket:\\d{1,15}}"
PROMISE = "/desk/promises/{promise:\\d{1,15}}"
HISTORY = 3
"""Promises that are over, in the panel."""
CHOICES = ("2 tiếng", "hôm nay", "mai", "thứ hai", "tuần sau")
"""Times that are offered, in words that promises.meant understands."""
QUICK = ("hôm nay", "mai")
"""Those that have a button in the panel."""


def setup_promises(app: web.Application) -> None:
    get, post = app.router.add_get, app.router.add_post
    get(TICKET + "/promises", desk(panel))
    get(TICKET + "/promise", desk(sheet))
    post(TICKET + "/promised", desk(make))
    get(PROMISE, desk(change_sheet))
    post(PROMISE + "/changed", desk(change))
    post(PROMISE + "/{what:kept|withdrawn}", desk(end))


async def panel(request: web.Request) -> web.Response:
    """A ticket's promises, and buttons for those that are made most."""
    member, ticket_id = site.member_of(request), ticket_of(request)

    def look(session: Session) -> dict[str, Any]:
        ticket = tickets.view(session, ticket_id, member)
        found = promises.of(session, [ticket_id])
        over = sorted((one for one in found if not one.standing), key=lambda one: one.ended_at or one.made_at)
        meant = zip(QUICK, promises.all_meant(session, ticket.shop_id, QUICK), strict=True)
        return {
            "ticket": ticket, "standing": [one for one in found if one.standing], "over": over[::-1][:HISTORY],
            "zone": shops.get(session, ticket.shop_id).timezone, "quick": {words: at for words, at in meant if at}, "now": now(session),
        }  # fmt: skip

    return await _part(request, "desk/promises.html", await site.store_of(request).read(look))


async def sheet(request: web.Request) -> web.Response:
    """The form for a new one."""
    context = await site.store_of(request).read(
        _form, site.words_of(request), ticket_of(request), site.member_of(request)
    )
    return await _part(request, "desk/promise.html", {**context, "promise": None})


async def change_sheet(request: web.Request) -> web.Response:
    """The form for another time or another owner."""
    said, member, number = site.words_of(request), site.member_of(request), int(request.match_info["promise"])

    def look(session: Session) -> dict[str, Any]:
        promise = promises.get(session, number)
        return {**_form(session, said, promise.ticket_id, member), "promise": promise}

    return await _part(request, "desk/promise.html", await site.store_of(request).read(look))


def _form(session: Session, said: Words, ticket_id: int, member: Member) -> dict[str, Any]:
    ticket = tickets.view(session, ticket_id, member)
    names = (said("In 2 hours"), said("Today"), said("Tomorrow"), said("On Monday"), said("In a week"))
    meant = list(zip(names, promises.all_meant(session, ticket.shop_id, CHOICES), strict=True))
    return {
        "ticket": ticket, "colleagues": handling.at_desk(session, ticket.shop_id), "me": member,
        "zone": shops.get(session, ticket.shop_id).timezone,
        "choices": sorted({at: (name, at) for name, at in reversed(meant) if at is not None}.values(), key=lambda one: one[1]),
    }  # fmt: skip


async def make(request: web.Request) -> web.Response:
    """`what`, and either `until` (a moment, of a button) or `when` (words); `shown`, `owner` and the page's `key`."""
    asked, member, said = await request.post(), site.member_of(request), site.words_of(request)
    ticket_id, store = ticket_of(request), site.store_of(request)

    def write(session: Session) -> promises.Promise:
        ticket = tickets.view(session, ticket_id, member)
        due_at = _due(session, ticket.shop_id, asked)
        number = promises.make(
            session, ticket_id, member, str(asked.get("what", "")), due_at, owner_id=_owner(asked), shown="shown" in asked,
            key=str(asked["key"])[:64] if asked.get("key") else None,
        )  # fmt: skip
        return promises.get(session, number)

    made = await store.write(write)
    zone = (await store.read(shops.get, made.shop_id)).timezone
    return web.json_response({"toast": said("Promised by {time}", time=said.moment(made.due_at, zone))})


async def change(request: web.Request) -> web.Response:
    """Another time (`until` or `when`), another `owner`, or both."""
    asked, member, said = await request.post(), site.member_of(request), site.words_of(request)
    number = int(request.match_info["promise"])

    def write(session: Session) -> None:
        promise = promises.get(session, number)
        tickets.view(session, promise.ticket_id, member)
        due_at = _due(session, promise.shop_id, asked) if asked.get("until") or asked.get("when") else None
        promises.change(session, number, member, due_at=due_at, owner_id=_owner(asked))

    await site.store_of(request).write(write)
    return web.json_response({"toast": said("Changed")})


async def end(request: web.Request) -> web.Response:
    said, kept = site.words_of(request), request.match_info["what"] == "kept"
    rule = promises.keep if kept else promises.withdraw
    await site.store_of(request).write(rule, int(request.match_info["promise"]), site.member_of(request))
    return web.json_response({"toast": said("Kept. Thank you!") if kept else said("Withdrawn")})


def _due(session: Session, shop_id: int, asked: Any) -> datetime:
    """The moment that a form names; what is typed comes before a button, which Enter may have chosen. Raises
    InvalidError("when").
    """
    until, when = str(asked.get("until") or ""), str(asked.get("when") or "")
    try:
        found = promises.meant(session, shop_id, when) if when else datetime.fromisoformat(until)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise InvalidError("when", "moment", (when or until)[:40])
    return found


def _owner(asked: Any) -> int | None:
    text = str(asked.get("owner") or "")
    if text and not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise InvalidError("owner", "unknown", text[:20])
    return int(text) if text else None


async def _part(request: web.Request, template: str, context: dict[str, Any]) -> web.Response:
    return web.Response(text=await site.render_part(request, template, context), content_type="text/html")


# ── Words ──────────────────────────────────────────────────────────────────────────────────────────


def _facts(session: Session, member: Member, found: Sequence[Line]) -> dict[int, dict[str, Any]]:  # noqa: ARG001
    """The promise of each ticket that is due first."""
    standing = promises.of(session, [line.ticket.id for line in found], standing=True)
    return {
        one.ticket_id: {
            "promise": {
                "what": one.what, "at": one.due_at.isoformat(), "owner": one.owner, "missed": one.state == promises.MISSED
            }
        }
        for one in reversed(standing)
    }  # fmt: skip


def _happened(said: Words, event: Happened) -> str | None:
    name, what = event.staff or "", str(event.data.get("promised") or "…")
    match event.kind:
        case "promised":
            return said("{name} promised: “{what}”", name=str(event.data.get("owner") or name), what=what)
        case "promise_changed":
            return said("{name} moved the promise “{what}”", name=name, what=what)
        case "promise_kept":
            return (
                said("{name} kept the promise “{what}”, late", name=name, what=what) if event.data.get("late")
                else said("{name} kept the promise “{what}”", name=name, what=what)
            )  # fmt: skip
        case "promise_withdrawn":
            return said("{name} withdrew the promise “{what}”", name=name, what=what)
        case "promise_missed":
            return said("The promise “{what}” was missed", what=what)
    return None


def _refusal(said: Words, error: RuleError) -> str | None:
    if isinstance(error, PromiseStateError):
        return said("This promise is over already.")
    if isinstance(error, InvalidError):
        return {
            "what": said("Say in a few words what you promise."), "owner": said("Choose a colleague of this desk."),
            "due_at": said("Choose a time that lies ahead, within a year."),
            "when": said("Write a time like 14:30, tomorrow 9h, Monday or 2d."),
        }.get(error.field)  # fmt: skip
    return None


def _words(said: Words) -> dict[str, str]:
    return {
        "promises": said("Promises"), "promise": said("Promise something"), "promised_until": said("Promised by {name}: {what}"),
    }  # fmt: skip


PART = Part(setup=setup_promises, words=_words, facts=_facts, happened=_happened, refusal=_refusal)
