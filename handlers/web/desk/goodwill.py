"""Goodwill at the desk: what a case was given, the sheet to give more, and what waits for one's yes."""

import secrets
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.chat.gives import worth
from handlers.web import site
from handlers.web.desk.frame import desk, ticket_of
from handlers.words import Words
from loyalty.points.ledger import KeyConflictError, UncoveredError
from loyalty.vouchers import voucher_programs
from loyalty.vouchers.vouchers import LimitError, SoldOutError
from store import shops
from store.clock import now
from store.errors import InvalidError, RuleError
from store.staff import Member, Right
from support import tickets
from support.complaints import goodwill, goodwill_book
from support.complaints.goodwill_book import DecidedError, Goodwill, MeanwhileError, OverLimitError, SpentError, State
from support.thread import Happened

TICKET = "/desk/tickets/{ticket:\\d{1,15}}"
POINTS = (20, 50, 100, 200)
"""Offered to tap."""


def setup_goodwill(app: web.Application) -> None:
    get, post = app.router.add_get, app.router.add_post
    get(TICKET + "/goodwill", desk(panel))
    get(TICKET + "/goodwill/give", desk(sheet))
    post(TICKET + "/goodwill/give", desk(give))
    post("/desk/goodwill/{goodwill:\\d{1,15}}/{act:approve|refuse|back}", desk(act))


async def panel(request: web.Request) -> web.Response:
    """What was given or asked for in the case."""
    said, member, ticket_id = site.words_of(request), site.member_of(request), ticket_of(request)

    def look(session: Session) -> dict[str, Any]:
        ticket = tickets.view(session, ticket_id, member)
        found = goodwill_book.of_ticket(session, ticket_id)
        return {
            "ticket": ticket, "lines": [_line(session, said, one, member) for one in reversed(found)],
            "zone": shops.get(session, ticket.shop_id).timezone,
        }  # fmt: skip

    return await _part(request, "desk/goodwill.html", await site.store_of(request).read(look))


def _line(session: Session, said: Words, one: Goodwill, member: Member) -> dict[str, Any]:
    own = member.id in {one.asked_by, one.decided_by}
    return {
        "one": one, "what": what(session, said, one), "by": goodwill_book.staff_name(session, one.asked_by),
        "decided_by": goodwill_book.staff_name(session, one.decided_by) if one.decided_by else "",
        "may_decide": one.state == State.WAITING and any(able.id == member.id for able in goodwill_book.approvers(session, one)),
        "may_refuse": one.state == State.WAITING and one.asked_by == member.id,
        "may_back": one.state == State.DONE and (own or member.may(Right.SUPERVISE, one.shop_id)),
    }  # fmt: skip


def what(session: Session, said: Words, one: Goodwill) -> str:
    """“50 points”, or the voucher's name."""
    if one.program_id is not None:
        return voucher_programs.get(session, one.program_id).name
    return said.plural("{n} point", "{n} points", one.points)


async def sheet(request: web.Request) -> web.Response:
    """The form: points or a voucher, with what the member may still give by themselves."""
    said, member, ticket_id = site.words_of(request), site.member_of(request), ticket_of(request)

    def look(session: Session) -> dict[str, Any]:
        ticket = tickets.view(session, ticket_id, member)
        left = goodwill_book.room(session, ticket, member)
        last = goodwill_book.last(session, ticket_id)
        return {
            "ticket": ticket, "left": left, "most": None if left.most is None else left.most // left.point,
            "last": last, "last_what": what(session, said, last) if last else "",
            "last_by": goodwill_book.staff_name(session, last.asked_by) if last else "",
            "offers": [
                (offer, worth(said, offer), goodwill_book.worth_of(offer)) for offer in voucher_programs.every(session)
                if offer.at(ticket.shop_id) and not offer.shared and voucher_programs.in_period(offer, now(session))
                and (offer.stock is None or offer.issued < offer.stock)
            ],
            "points": POINTS, "key": secrets.token_urlsafe(12),
        }  # fmt: skip

    return await _part(request, "desk/goodwill_sheet.html", await site.store_of(request).read(look))


async def give(request: web.Request) -> web.Response:
    """`points` or `program`, `reason`, the page's `key` and `after`: the last goodwill it showed."""
    asked, said = await request.post(), site.words_of(request)
    text = {key: value.strip() for key, value in asked.items() if isinstance(value, str)}
    key = text.get("key", "")
    if not 8 <= len(key) <= 64:
        raise InvalidError("key", "shape")
    program = _whole(text, "program") if text.get("program") else None
    done = await site.store_of(request).write(
        goodwill.give, f"desk:{key}", ticket_of(request), site.member_of(request), program_id=program,
        amount=0 if program else _whole(text, "points"), reason=text.get("reason", ""), after=_whole(text, "after"),
    )  # fmt: skip
    if done.state == State.WAITING:
        return web.json_response(
            {"toast": said("It is above your limit: a supervisor is asked, and you hear what they say.")}
        )
    return web.json_response({"toast": said("Given. The customer is told.")})


def _whole(text: dict[str, str], name: str) -> int:
    bare = text.get(name, "").replace(".", "").replace(",", "").replace(" ", "")
    if not (bare.isascii() and bare.isdecimal() and len(bare) < 13):
        raise InvalidError(name, "number", bare[:20])
    return int(bare)


async def act(request: web.Request) -> web.Response:
    """Approve, refuse or take back."""
    said, name = site.words_of(request), request.match_info["act"]
    rule = {"approve": goodwill.approve, "refuse": goodwill.refuse, "back": goodwill.take_back}[name]
    await site.store_of(request).write(rule, int(request.match_info["goodwill"]), site.member_of(request))
    done = {
        "approve": said("Approved."),
        "refuse": said("Refused."),
        "back": said("Taken back. The customer is told."),
    }[name]
    return web.json_response({"toast": done})


async def _part(request: web.Request, template: str, context: dict[str, Any]) -> web.Response:
    return web.Response(text=await site.render_part(request, template, context), content_type="text/html")


# ── Words ──────────────────────────────────────────────────────────────────────────────────────────


def happened(said: Words, event: Happened) -> str | None:
    """Goodwill in a ticket's history."""
    if not event.kind.startswith("goodwill_"):
        return None
    data = event.data
    named = str(data.get("program") or "") or said.plural("{n} point", "{n} points", int(data.get("points") or 0))
    facts = {"name": event.staff or "", "what": named, "reason": str(data.get("reason") or "…")}
    return {
        "goodwill_given": said("{name} gave {what}: {reason}", **facts),
        "goodwill_asked": said("{name} would like to give {what}: {reason}", **facts),
        "goodwill_approved": said("{name} approved {what}", **facts),
        "goodwill_refused": said("{name} refused {what}", **facts),
        "goodwill_taken_back": said("{name} took {what} back", **facts),
    }.get(event.kind)


def refusal(said: Words, error: RuleError) -> str | None:
    """Why goodwill was refused, with the way on."""
    if isinstance(error, MeanwhileError):
        return said("{name} has just given something in this case. Look at it first, then decide.", name=error.by)
    if isinstance(error, InvalidError):
        return {
            "points": said("How many points? A number above 0."), "program": said("Choose one of the offers."),
            "reason": said("Say why in a few words, at most 200 letters."), "key": said("Please reload the page and try again."),
        }.get(error.field)  # fmt: skip
    known = {
        DecidedError: said("Somebody has decided this already."),
        OverLimitError: said("This is above what your role may approve."),
        SpentError: said("It can't be taken back: it has been used already."),
        SoldOutError: said("This offer has just run out."), LimitError: said("The customer has as many of these as one may have."),
        UncoveredError: said("The wallet is empty. Top it up first."), KeyConflictError: said("Please check once more and send it again."),
    }  # fmt: skip
    return known.get(type(error))
