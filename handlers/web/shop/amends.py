"""What is put right on a customer: two become one, a number is changed, a missing order is attached."""

from collections.abc import Mapping
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.shop import fields, frame, person
from handlers.words import Words
from loyalty.customers import corrections, directory, phones
from loyalty.customers.corrections import OrderExistsError, OrderTakenError, PhoneTakenError
from loyalty.orders import orders
from loyalty.points import adjustments
from store.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, RuleError
from support import tickets

YES = "on"


def _home(request: web.Request) -> str:
    return f"/shop/customers/{frame.named(request)}"


# ── Two who are one ────────────────────────────────────────────────────────────────────────────────


async def merging(request: web.Request) -> web.StreamResponse:
    """Whom to merge with, looked for; and what it would do, before it is done."""
    return await _merging(request, request.query.get("who", "")[:64], {})


async def _merging(
    request: web.Request, who: str, errors: Mapping[str, str], *, keep: str = "into", status: int = 200
) -> web.Response:
    here, said = frame.frame_of(request), site.words_of(request)
    known: Mapping[str, str] = errors

    def look(session: Session) -> dict[str, Any]:
        owner = directory.find(session, here.shop.id, frame.named(request))
        if not who:
            return {"person": owner, "found": None, "tickets": 0}
        other = corrections.find(session, here.shop.id, who)
        found = corrections.merging(session, here.shop.id, owner.id, other.id)
        return {"person": owner, "found": found, "tickets": len(tickets.tickets_of(session, other.id))}

    try:
        context = await site.store_of(request).read(look)
    except InvalidError as error:
        known = {"who": refusal(said, error), **errors}
        owner = await site.store_of(request).read(directory.find, here.shop.id, frame.named(request))
        context, status = {"person": owner, "found": None, "tickets": 0}, 422
    context |= {"form": {"who": who}, "errors": known, "keep": keep, "local": phones.local}
    return await frame.render(request, "shop/merge.html", context, page="customers", status=status)


async def merge(request: web.Request) -> web.StreamResponse:
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    keep = form.get("keep_phone", "into")
    if form.get("sure") != YES:
        wrong = {"sure": said("Tick this first: two customers who became one can't be parted again.")}
        return await _merging(request, form.get("who", ""), wrong, keep=keep, status=422)

    def write(session: Session) -> None:
        corrections.merge(
            session, frame.named(request), frame.whole(form.get("other", "")), shop_id=here.shop.id,
            allowed=[shop.id for shop in here.shops], actor=here.actor, keep_phone=keep,
        )  # fmt: skip

    try:
        await site.store_of(request).write(write)
    except ForbiddenError:
        wrong = {"sure": said("One of them also bought at a shop that isn't yours: its owner has to do this.")}
        return await _merging(request, form.get("who", ""), wrong, keep=keep, status=403)
    except InvalidError as error:
        return await _merging(request, form.get("who", ""), {"who": refusal(said, error)}, status=422)
    return await frame.done(request, _home(request), said("They are one customer now."))


# ── The number ─────────────────────────────────────────────────────────────────────────────────────


async def phone(request: web.Request) -> web.StreamResponse:
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)

    def write(session: Session) -> str:
        return corrections.change_phone(
            session, frame.named(request), form.get("phone", ""), shop_id=here.shop.id, actor=here.actor,
            sure=form.get("sure") == YES,
        )  # fmt: skip

    try:
        number = await site.store_of(request).write(write)
    except (InvalidError, PhoneTakenError) as error:
        field = error.field if isinstance(error, InvalidError) else "phone"
        taken = form.get("phone", "") if isinstance(error, PhoneTakenError) and error.holder else ""
        return await person.shown(
            request, {**form, "taken": taken}, {field: refusal(said, error)}, act="phone", status=422
        )
    words = said("The number is {phone} now. It counts as confirmed once they prove it.", phone=phones.local(number))
    return await frame.done(request, _home(request), words)


# ── A missing order ────────────────────────────────────────────────────────────────────────────────


async def attach(request: web.Request) -> web.StreamResponse:
    """An order that is in the system, but nobody's."""
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)

    def write(session: Session) -> orders.OrderState:
        return corrections.attach_order(
            session, frame.named(request), form.get("external_id", ""), shop_id=here.shop.id, actor=here.actor
        )

    try:
        state = await site.store_of(request).write(write)
    except (InvalidError, OrderTakenError) as error:
        return await person.shown(
            request, form, {"external_id": refusal(said, error)}, act="order", status=422
        )  # fmt: skip
    return await _attached(request, said, state)


async def enter(request: web.Request) -> web.StreamResponse:
    """An order that never came in."""
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)

    def write(session: Session) -> orders.OrderState:
        return corrections.add_order(
            session, frame.named(request), shop_id=here.shop.id, actor=here.actor, key=person.key_of(form),
            total=fields.needed(form, "total"), placed_at=_moment(form, here.shop.timezone),
            limit=adjustments.limit_of(session, here.member, here.shop.id), external_id=form.get("new_id", ""),
        )  # fmt: skip

    try:
        state = await site.store_of(request).write(write)
    except (InvalidError, OrderExistsError) as error:
        field = error.field if isinstance(error, InvalidError) else "new_id"
        field = {"external_id": "new_id"}.get(field, field)
        return await person.shown(request, form, {field: refusal(said, error)}, act="order", status=422)
    return await _attached(request, said, state)


async def _attached(request: web.Request, said: Words, state: orders.OrderState) -> web.StreamResponse:
    stands = state.earned - state.reversed
    words = said("Order {order} is theirs now: {n} points.", order=state.external_id, n=said.signed(stands))
    return await frame.done(request, _home(request), words)


def _moment(form: Mapping[str, str], zone: str) -> datetime:
    """The day and hour of an order, on the shop's clock; noon where no hour is given."""
    day = fields.day(form, "placed_at", zone)
    if day is None:
        raise InvalidError("placed_at", "empty")
    try:
        at = time.fromisoformat(form.get("hour", "") or "12:00")
    except ValueError:
        raise InvalidError("hour", "time", form.get("hour", "")[:20]) from None
    return datetime.combine(day.date(), at.replace(tzinfo=None), ZoneInfo(zone))


def refusal(said: Words, error: RuleError) -> str:
    """Why it can't be done, with the way on."""
    if isinstance(error, PhoneTakenError):
        if error.holder is not None:
            return said("Another customer has this number. Are they the same person? Then merge the two.")
        return said("Somebody else has this number. Ask the customer to confirm it in the chat.")
    if isinstance(error, OrderTakenError):
        if error.own:
            return said("This order is theirs already.")
        return said("This order is another customer's. Are they the same person? Then merge the two.")
    if isinstance(error, OrderExistsError):
        return said("There is an order of this number already. Attach it with the form above.")
    if isinstance(error, (NotFoundError, ConflictError)) or not isinstance(error, InvalidError):
        return site.say(said, error)
    if (error.field, error.problem) == ("total", "limit") and isinstance(error.value, int):
        most = said.number(error.value)
        return said("This would give more points than you may give by hand ({n}). Ask the owner.", n=most)
    return {
        ("who", "empty"): said("Write a phone number or the code on the card."),
        ("who", "unknown"): said("No customer of this shop has this phone number or code."),
        ("who", "same"): said("This is the same customer. Write the number or code of the other one."),
        ("phone", "same"): said("This is the number they have already."),
        ("sure", "needed"): said("Tick this: they have confirmed the old number, and lose that."),
        ("external_id", "empty"): said("Write the number on the receipt."),
        ("external_id", "unknown"): said("No order has this number. Check the receipt, or enter the order below."),
        ("external_id", "cancelled"): said("This order was cancelled."),
        ("external_id", "length"): said("An order's number has at most 100 signs."),
        ("total", "empty"): said("How much was paid?"),
        ("total", "number"): said("Write a whole number, for example 30,000."),
        ("placed_at", "empty"): said("On which day was it?"),
        ("placed_at", "date"): said("Choose a day."),
        ("placed_at", "range"): said("A day within the last year, not in the future."),
        ("hour", "time"): said("Write the hour like 14:30, or leave it empty."),
    }.get((error.field, error.problem)) or site.say(said, error)
