"""Complaints in the console: what is open, what caused them, and the goodwill that was given or waits for a yes."""

from datetime import timedelta
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers import complaint_words
from handlers.web import site
from handlers.web.desk.goodwill import refusal, what
from handlers.web.shop import frame
from handlers.words import Words
from loyalty.customers import customers
from store.clock import now
from store.errors import NotFoundError, RuleError
from store.staff import Member, Right
from support import tickets
from support.complaints import causes, complaints, goodwill, goodwill_book, terms
from support.complaints.complaints import Complaint
from support.complaints.goodwill_book import Goodwill, State

PAGE = "complaints"
PERIOD = timedelta(days=90)
GOODWILL = 30


async def page(request: web.Request) -> web.StreamResponse:
    here, said = frame.frame_of(request), site.words_of(request)

    def look(session: Session) -> dict[str, Any]:
        at = now(session)
        return {
            "open": [_line(session, one) for one in complaints.of_shop(session, here.shop.id)],
            "summary": causes.summary(session, here.shop.id, at - PERIOD, at + timedelta(seconds=1)),
            "given": [_given(session, said, one, here.member) for one in goodwill_book.of_shop(session, here.shop.id, GOODWILL)],
            "terms": terms.of(session, here.shop.id),
        }  # fmt: skip

    context = await site.store_of(request).read(look)
    context |= {
        "levels": complaint_words.levels(said), "stages": complaint_words.stages(said), "days": PERIOD.days,
        "desk": here.member.may(Right.DESK, here.shop.id),
    }  # fmt: skip
    return await frame.render(request, "shop/feedback/complaints.html", context, page=PAGE)


def _line(session: Session, one: Complaint) -> dict[str, Any]:
    ticket = tickets.get(session, one.ticket_id)
    return {
        "one": one, "ticket": ticket, "name": customers.get(session, ticket.customer_id).name,
        "owner": goodwill_book.staff_name(session, ticket.assignee_id) if ticket.assignee_id else "",
    }  # fmt: skip


def _given(session: Session, said: Words, one: Goodwill, member: Member) -> dict[str, Any]:
    able = goodwill_book.approvers(session, one) if one.state == State.WAITING else []
    own = member.id in {one.asked_by, one.decided_by}
    return {
        "one": one, "what": what(session, said, one), "by": goodwill_book.staff_name(session, one.asked_by),
        "decided_by": goodwill_book.staff_name(session, one.decided_by) if one.decided_by else "",
        "name": customers.get(session, customers.resolve(session, one.customer_id)).name,
        "may_decide": any(person.id == member.id for person in able),
        "may_back": one.state == State.DONE and (own or member.may(Right.SUPERVISE, one.shop_id)),
    }  # fmt: skip


async def decide(request: web.Request) -> web.StreamResponse:
    """Approve, refuse or take back goodwill."""
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)
    act = request.match_info["act"]
    rule = {"approve": goodwill.approve, "refuse": goodwill.refuse, "back": goodwill.take_back}[act]

    def write(session: Session) -> Goodwill:
        if goodwill_book.get(session, number).shop_id != here.shop.id:
            raise NotFoundError("goodwill", number)
        return rule(session, number, here.member)

    try:
        await site.store_of(request).write(write)
    except RuleError as error:
        words = refusal(said, error)
        if words is None:
            raise
        return await frame.done(request, "/shop/complaints", words)
    done = {
        "approve": said("Approved."),
        "refuse": said("Refused."),
        "back": said("Taken back. The customer is told."),
    }[act]
    return await frame.done(request, "/shop/complaints", done)
