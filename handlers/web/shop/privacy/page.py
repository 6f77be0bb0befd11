"""Privacy: customers who asked to be forgotten, with the law's days, and how long each kind of data is kept."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.shop import fields, frame
from handlers.web.shop.needs import Ask, Need, Severity
from handlers.words import Words
from loyalty.customers import customers
from store.clock import now
from store.errors import ForbiddenError, InvalidError
from store.staff import Right
from support.duties import erasures, inactive, retention

PATH = "/shop/privacy"


async def page(request: web.Request) -> web.StreamResponse:
    return await _page(request, {}, {})


async def _page(
    request: web.Request, form: Mapping[str, str], errors: Mapping[str, str], counted: int | None = None
) -> web.Response:
    """`counted`: how many customers the months in the form would take; they are to be confirmed."""
    here, said = frame.frame_of(request), site.words_of(request)

    def look(session: Session) -> dict[str, Any]:
        return {
            "waiting": [
                (one, customers.get(session, one.customer_id), erasures.still_open(session, one.customer_id))
                for one in erasures.waiting(session, here.shop.id)
            ],
            "periods": retention.periods(session), "inactive": inactive.months(session),
            "told": inactive.waiting(session),
        }  # fmt: skip

    context = await site.store_of(request).read(look)
    kept = {kind: str(months) for kind, months in context["periods"].items()}
    kept["inactive"] = said.number(context["inactive"]) if context["inactive"] else ""
    context |= {
        "kinds": kinds(said), "form": kept | dict(form), "errors": errors,
        "told": _told(said, context["told"], here.shop.timezone),
        "counted": "" if counted is None else said.plural(
            "{n} customer has given no sign for so long. They are told in the nights to come.",
            "{n} customers have given no sign for so long. They are told in the nights to come.", counted,
        ), "may_periods": here.member.everywhere(Right.STAFF),
    }  # fmt: skip
    return await frame.render(request, "shop/privacy/page.html", context, page="privacy", status=422 if errors else 200)


def _told(said: Words, told: inactive.Waiting, zone: str) -> str:
    if told.first is None:
        return ""
    return said.plural(
        "{n} customer has been told; the first is forgotten on {day}.",
        "{n} customers have been told; the first is forgotten on {day}.", told.count,
        day=said.date(told.first.astimezone(ZoneInfo(zone)).date()),
    )  # fmt: skip


async def save(request: web.Request) -> web.StreamResponse:
    """How long each kind is kept, in months."""
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    if not here.member.everywhere(Right.STAFF):
        raise ForbiddenError("the periods are every shop's")
    try:
        wanted = {kind: fields.needed(form, kind) for kind in retention.DEFAULTS}
        await site.store_of(request).write(retention.change, here.member, wanted)
    except InvalidError as error:
        words = said("Between {low} and {high} months.", low=str(retention.MONTHS_MIN), high=str(retention.MONTHS_MAX))
        return await _page(request, form, {error.field: words})
    return await frame.done(request, PATH, said("Saved"))


async def save_inactive(request: web.Request) -> web.StreamResponse:
    """After how many months without a sign customers are forgotten; whom that takes is said first."""
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    if not here.member.everywhere(Right.STAFF):
        raise ForbiddenError("the periods are every shop's")
    store = site.store_of(request)
    try:
        wanted = fields.number(form, "inactive") or 0
        inactive.check(wanted)
    except InvalidError:
        low, high = (str(limit) for limit in inactive.MONTHS)
        words = said("Between {low} and {high} months, or empty: nobody is forgotten.", low=low, high=high)
        return await _page(request, form, {"inactive": words})
    if wanted and "sure" not in form:
        return await _page(request, form, {}, await store.read(inactive.count, wanted))
    await store.write(inactive.change, here.member, wanted)
    return await frame.done(request, PATH, said("Saved"))


async def act(request: web.Request) -> web.StreamResponse:
    """Tell the customer when it will be done, or do it now."""
    here, said = frame.frame_of(request), site.words_of(request)
    if request.match_info["act"] == "answer":
        rule, words = erasures.answer, said("The customer is told.")
        await site.store_of(request).write(rule, frame.named(request), here.member, here.shop.id)
    else:
        form = await fields.read(request)
        if "sure" not in form:
            return await frame.done(request, PATH, said("Nothing was erased: please tick that you are sure."))
        words = said("Erased. Their orders and points stay in the books without a name.")
        await site.store_of(request).write(erasures.carry_out, frame.named(request), here.member, here.shop.id)
    return await frame.done(request, PATH, words)


def kinds(said: Words) -> dict[str, tuple[str, str]]:
    """What is kept, and what its end means."""
    return {
        "words": (said("Words of closed requests"), said("Afterwards a request shows only what became of it.")),
        "files": (said("Photos and recordings"), said("In closed requests; often the first thing nobody needs any more.")),
        "chats": (said("Web chats"), said("What stands in the chat on the web page.")),
    }  # fmt: skip


def erasure_waits(session: Session, ask: Ask) -> Need | None:
    """What of erasures needs the owner: one to be answered, or soon to be done."""
    here, said = ask.here, ask.said
    found = erasures.waiting(session, here.shop.id)
    if not found:
        return None
    first = found[0]
    late = any(one.answered_at is None and one.answer_by <= now(session) for one in found)
    return Need(
        Severity.HARM if late else Severity.SOON, "user",
        said.plural("{n} customer asks to be forgotten", "{n} customers ask to be forgotten", len(found)),
        said("The law gives two working days to answer, and until {day} to do it.",
             day=said.moment(first.done_by, here.shop.timezone)),
        said("See to it"), here.url(PATH),
    )  # fmt: skip
