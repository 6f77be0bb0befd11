"""Points in the console: the wallet, what waits for a second person, the settlement between shops."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.shop import fields, frame, sheets_out
from handlers.web.shop.frame import Frame
from handlers.web.shop.person import key_of
from loyalty.customers import customers
from loyalty.points import adjustments, debts, ledger, settlement, wallets
from loyalty.points.adjustments import Adjustment, DecidedError
from loyalty.points.debts import Debt
from loyalty.points.settlement import Line
from store import staff
from store.clock import today
from store.errors import ForbiddenError, InvalidError, NotFoundError
from store.staff import Right


async def page(request: web.Request) -> web.StreamResponse:
    return await _shown(request, {}, {})


async def _shown(
    request: web.Request, form: Mapping[str, str], errors: Mapping[str, str], status: int = 200
) -> web.Response:
    here = frame.frame_of(request)
    first, last = await _period(request)

    def look(session: Session) -> dict[str, Any]:
        return {
            "figures": wallets.figures(session, here.shop.id), "waiting": _named(session, here, adjustments.waiting(session, here.shop.id)),
            "refused": _named(session, here, adjustments.refused(session, here.shop.id)),
            "lines": _lines(session, here, first, last), "debts": _debts(session, here, first, last),
        }  # fmt: skip

    context = await site.store_of(request).read(look)
    context |= {
        "first": first, "last": last, "form": {"key": secrets.token_urlsafe(18), **form}, "errors": errors,
    }  # fmt: skip
    return await frame.render(request, "shop/points.html", context, page="points", status=status)


async def _period(request: web.Request) -> tuple[date, date]:
    """The days asked for; this month so far, where they aren't said or can't be."""
    here = frame.frame_of(request)
    now = await site.store_of(request).read(today, here.shop.timezone)
    try:
        first, last = (date.fromisoformat(request.query[name]) for name in ("from", "to"))
    except (KeyError, ValueError):
        return now.replace(day=1), now
    sound = first <= last and last - first <= timedelta(days=3_660) and first.year >= 2000 and last.year < 2200
    return (first, last) if sound else (now.replace(day=1), now)


def _lines(session: Session, here: Frame, first: date, last: date) -> list[Line]:
    """The settlement of the shops whose console they may open."""
    mine = {shop.id for shop in here.shops}
    return [line for line in settlement.report(session, first, last) if line.shop_id in mine]


def _debts(session: Session, here: Frame, first: date, last: date) -> list[Debt]:
    """What those shops owe and are owed."""
    mine = {shop.id for shop in here.shops}
    return [debt for debt in debts.report(session, first, last) if {debt.debtor.id, debt.creditor.id} & mine]


def _named(session: Session, here: Frame, some: Sequence[Adjustment]) -> list[dict[str, Any]]:
    """Adjustments with the people whom they name."""
    return [
        {
            "adjustment": one, "person": customers.get(session, one.customer_id), "asker": _name(session, one.asked_by),
            "decider": _name(session, one.decided_by), "own": one.asked_by == here.member.id,
        }
        for one in some
    ]  # fmt: skip


def _name(session: Session, staff_id: int | None) -> str:
    try:
        return staff.get(session, staff_id).name if staff_id else ""
    except NotFoundError:
        return ""


async def top_up(request: web.Request) -> web.StreamResponse:
    """More points into the wallet; the form's key makes a second tap fund nothing."""
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    try:
        here.member.need(Right.STAFF, here.shop.id)
        amount = fields.needed(form, "points")
        await site.store_of(request).write(
            wallets.top_up, key_of(form), shop_id=here.shop.id, points=amount, reason=form.get("reason", ""),
            actor=here.actor,
        )  # fmt: skip
    except InvalidError as error:
        wrong = {
            "points": said("How many points? A number above 0."), "reason": said("Write the reason in a few words."),
        }.get(error.field) or site.say(said, error)  # fmt: skip
        return await _shown(request, form, {error.field: wrong}, status=422)
    except ledger.KeyConflictError:
        kept = {name: form.get(name, "") for name in ("points", "reason")}
        return await _shown(request, kept, {"points": said("Please check once more and send it again.")}, status=422)
    return await frame.done(request, "/shop/points", said("{points} points, done.", points=said.signed(amount)))


async def decide(request: web.Request) -> web.StreamResponse:
    """Approve or refuse what waits for a second person."""
    said, number, form = site.words_of(request), frame.named(request), await fields.read(request)
    approve = request.match_info["action"] == "approve"
    try:
        await site.store_of(request).write(_decide, frame.frame_of(request), number, approve, form.get("refusal", ""))
    except InvalidError:
        return await frame.done(request, "/shop/points", said("Say in a few words why not."))
    except DecidedError:
        return await frame.done(request, "/shop/points", said("Somebody has decided this already."))
    except ledger.UncoveredError:
        return await frame.done(request, "/shop/points", said("The wallet is empty. Top it up first."))
    except ForbiddenError:
        return await frame.done(request, "/shop/points", said("This needs a second person: an owner or a manager."))
    return await frame.done(request, "/shop/points", said("Approved.") if approve else said("Refused."))


def _decide(session: Session, here: Frame, number: int, approve: bool, why: str) -> None:
    if adjustments.get(session, number).shop_id != here.shop.id:
        raise NotFoundError("adjustment", number)
    if approve:
        adjustments.approve(session, number, staff_id=here.member.id)
    else:
        adjustments.refuse(session, number, staff_id=here.member.id, why=why)


async def export(request: web.Request) -> web.StreamResponse:
    """The settlement of a period as a file."""
    here, said = frame.frame_of(request), site.words_of(request)
    first, last = await _period(request)
    lines = await site.store_of(request).read(_lines, here, first, last)
    name = f"settlement-{first.isoformat()}-{last.isoformat()}"
    head = [said("Shop"), said("Issued"), said("Redeemed"), said("Net")]
    rows: list[list[sheets_out.Cell]] = [[line.name, line.issued, line.redeemed, line.net] for line in lines]
    if request.match_info["kind"] == "csv":
        return sheets_out.as_csv(name, head, rows)
    owed = await site.store_of(request).read(_debts, here, first, last)
    owing: list[list[sheets_out.Cell]] = [
        [debt.debtor.name, debt.creditor.name, debt.spent, debt.back, debt.points, debt.worth] for debt in owed
    ]
    names = [
        said("Owes"), said("Is owed"), said("Its points spent there"), said("The other way round"), said("Points"),
        said("Worth"),
    ]  # fmt: skip
    book = [sheets_out.Sheet(said("Settlement"), head, rows), sheets_out.Sheet(said("Who owes whom"), names, owing)]
    return sheets_out.as_xlsx(name, book)
