"""Offers: what vouchers the shop has, made and changed by a form with the voucher's words beside it, handed out."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.chat import gives
from handlers.web import site
from handlers.web.shop import fields, frame, lists
from handlers.web.shop.frame import Frame
from handlers.words import Words
from loyalty import counter, customers, lots, redemptions, rewards, voucher_programs, vouchers
from loyalty.attempts import TooManyError
from loyalty.voucher_programs import CHANGEABLE, PROMISED, Kind, Program
from loyalty.vouchers import LimitError, SoldOutError
from store import audit
from store.clock import now
from store.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, RuleError
from store.text import fold

NUMBERS = ("value", "cap", "min_order", "stock", "per_customer", "price_points", "valid_days")
KEY_CHARS_MAX = 64


NEVER = 2**62
"""Beyond every price and stock: an offer that isn't sold for points, or never runs out."""


class Sort(StrEnum):
    NEWEST = "newest"
    NAME = "name"
    PRICE = "price"
    LEFT = "left"
    GIVEN = "given"
    USED = "used"


@dataclass(frozen=True, slots=True)
class Shown:
    """An offer in the list: how it stands (`state`: running, soon, over, out, hidden) in words."""

    offer: Program
    gives: str
    left: int | None
    used: int
    state: str
    state_words: str
    period: str


# ── The list ───────────────────────────────────────────────────────────────────────────────────────


async def page(request: web.Request) -> web.StreamResponse:
    here, said = frame.frame_of(request), site.words_of(request)

    def look(session: Session) -> list[Shown]:
        every = voucher_programs.of_shop(session, here.shop.id)
        used = redemptions.used(session, [offer.id for offer in every])
        return [_shown(said, offer, used.get(offer.id, 0), here.shop.timezone, now(session)) for offer in every]

    every, search = await site.store_of(request).read(look), lists.search(request)
    asked = lists.asked(request, "/shop/offers", Sort, Sort.NEWEST, {Sort.NAME, Sort.PRICE, Sort.LEFT}, {"q": search})
    found = [line for line in every if fold(search) in fold(line.offer.name)]
    context = {
        "found": lists.arrange(found, asked, SORTED[Sort(asked.sort)], lambda line: line.offer.id), "asked": asked,
        "any": bool(every),
    }  # fmt: skip
    return await frame.render(request, "shop/offers.html", context, page="offers")


SORTED: dict[Sort, Callable[[Shown], Any]] = {
    Sort.NEWEST: lambda _: 0,
    Sort.NAME: lambda line: fold(line.offer.name),
    Sort.PRICE: lambda line: line.offer.price_points or NEVER,
    Sort.LEFT: lambda line: NEVER if line.left is None else line.left,
    Sort.GIVEN: lambda line: line.offer.issued,
    Sort.USED: lambda line: line.used,
}


def _shown(said: Words, offer: Program, used: int, zone: str, moment: datetime) -> Shown:
    left = None if offer.stock is None else offer.stock - offer.issued
    state = (
        "over" if offer.ends_at is not None and offer.ends_at <= moment
        else "hidden" if offer.hidden
        else "soon" if offer.starts_at is not None and offer.starts_at > moment
        else "out" if left == 0
        else "running"
    )  # fmt: skip
    words = {
        "over": said("Ended"), "hidden": said("Hidden"), "soon": said("Not begun"), "out": said("Run out"),
        "running": said("Running"),
    }[state]  # fmt: skip
    return Shown(offer, gives.terms(said, offer), left, used, state, words, _period(said, offer, zone))


def _period(said: Words, offer: Program, zone: str) -> str:
    begins = said.date(offer.starts_at.astimezone(ZoneInfo(zone)).date()) if offer.starts_at else None
    ends = said.date(lots.last_day(offer.ends_at, zone)) if offer.ends_at else None
    if begins and ends:
        return f"{begins} – {ends}"
    if ends:
        return said("until {day}", day=ends)
    return said("from {day}", day=begins) if begins else said("always")


# ── The form ───────────────────────────────────────────────────────────────────────────────────────


async def new(request: web.Request) -> web.StreamResponse:
    form = {"kind": Kind.PERCENT.value, "listed": "on"}
    return await _form(request, None, form, {})


async def edit(request: web.Request) -> web.StreamResponse:
    offer = await _own(request)
    return await _form(
        request, offer, _filled(site.words_of(request), offer, frame.frame_of(request).shop.timezone), {}
    )


async def _own(request: web.Request) -> Program:
    here = frame.frame_of(request)
    return await site.store_of(request).read(voucher_programs.get, frame.named(request), here.shop.id)


def _filled(said: Words, offer: Program, zone: str) -> dict[str, str]:
    """An offer as the form's fields, numbers grouped as people read them."""
    form = {"name": offer.name, "kind": offer.kind}
    for name in NUMBERS:
        value = getattr(offer, name)
        zero = value == 0 and name in {"value", "min_order"}
        form[name] = "" if value is None or zero else said.number(value)
    if offer.starts_at:
        form["starts_on"] = offer.starts_at.astimezone(ZoneInfo(zone)).date().isoformat()
    if offer.ends_at:
        form["ends_on"] = lots.last_day(offer.ends_at, zone).isoformat()
    if not offer.hidden:
        form["listed"] = "on"
    if offer.shop_id is None:
        form["everywhere"] = "on"
    return form


async def _form(
    request: web.Request,
    offer: Program | None,
    form: dict[str, str],
    errors: dict[str, str],
    status: int = 200,
    give: dict[str, str] | None = None,
) -> web.Response:
    here, said = frame.frame_of(request), site.words_of(request)
    used = await site.store_of(request).read(redemptions.used, [offer.id]) if offer else {}
    context: dict[str, Any] = {
        "offer": offer, "form": form, "errors": errors, "preview": _preview(said, form, here.shop.timezone),
        "shown": None, "links": [], "may_change": offer is None or _may_change(here, offer),
        "give": {"key": secrets.token_urlsafe(18), "who": "", **(give or {})},
    }  # fmt: skip
    if offer is not None:
        moment = site.store_of(request).clock.now()
        context["shown"] = _shown(said, offer, used.get(offer.id, 0), here.shop.timezone, moment)
        if offer.offer_code:
            context["links"] = request.config_dict[site.SITE].links(f"v_{offer.offer_code}")
    return await frame.render(request, "shop/offer.html", context, page="offers", status=status)


def _may_change(here: Frame, offer: Program) -> bool:
    """What every shop offers, only who owns all of them changes."""
    return offer.shop_id == here.shop.id or here.rules_all


async def preview(request: web.Request) -> web.StreamResponse:
    """The voucher's words for a form that is being filled in."""
    here, said = frame.frame_of(request), site.words_of(request)
    form = {name: value[: fields.TEXT_CHARS_MAX] for name, value in request.query.items()}
    return await frame.part(request, "shop/voucher.html", {"preview": _preview(said, form, here.shop.timezone)})


def _preview(said: Words, form: Mapping[str, str], zone: str) -> dict[str, str]:
    """Title, terms and price as a customer reads them; what can't be read yet is left out."""

    def tolerant(name: str) -> int | None:
        try:
            return fields.number(form, name)
        except InvalidError:
            return None

    try:
        ends_at = fields.day(form, "ends_on", zone, last=True)
    except InvalidError:
        ends_at = None
    kind = form.get("kind") if form.get("kind") in set(Kind) else Kind.PERCENT.value
    price = tolerant("price_points")
    offer = Program(
        0, None, form.get("name", ""), kind or "", tolerant("value") or 0, tolerant("cap") if kind == Kind.PERCENT else None,
        tolerant("min_order") or 0, None, 0, None, price, None, ends_at, None, False, None,
    )  # fmt: skip
    last = lots.last_day(ends_at, zone).isoformat() if ends_at else None
    bare = kind != Kind.GIFT and offer.value <= 0
    return {
        "title": offer.name.strip()[:voucher_programs.NAME_CHARS_MAX] or said("Your voucher's name"),
        "terms": "" if bare else gives.terms(said, offer, last),
        "price": said.plural("{n} point", "{n} points", price) if price and price > 0 else "",
    }  # fmt: skip


def _read(form: Mapping[str, str], zone: str) -> tuple[dict[str, Any], dict[str, InvalidError]]:
    """The form as an offer's values, and what can't be read of it by field."""
    values: dict[str, Any] = {"name": form.get("name", ""), "hidden": "listed" not in form}
    wrong: dict[str, InvalidError] = {}
    for name in NUMBERS:
        try:
            values[name] = fields.number(form, name)
        except InvalidError as error:
            wrong[name] = error
    for name, last in (("starts", False), ("ends", True)):
        try:
            values[f"{name}_at"] = fields.day(form, f"{name}_on", zone, last=last)
        except InvalidError as error:
            wrong[f"{name}_on"] = error
    kind = form.get("kind", "")
    if kind not in set(Kind):
        wrong["kind"] = InvalidError("kind", "unknown", kind)
        return values, wrong
    values["kind"] = kind
    if kind != Kind.PERCENT:
        values["cap"] = None
        wrong.pop("cap", None)
    if kind == Kind.GIFT:
        values["value"] = 0
        wrong.pop("value", None)
    elif values.get("value") is None and "value" not in wrong:
        wrong["value"] = InvalidError("value", "empty")
    if "min_order" in values:
        values["min_order"] = values["min_order"] or 0
    return values, wrong


async def create(request: web.Request) -> web.StreamResponse:
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    values, wrong = _read(form, here.shop.timezone)

    def write(session: Session) -> Program:
        shop_id = None if "everywhere" in form and here.rules_all else here.shop.id
        offer = voucher_programs.add(session, **{**values, "kind": Kind(values["kind"])}, shop_id=shop_id)
        audit.record(session, here.actor, "offer_added", here.shop.id, program=offer.id, **_written(values))
        return offer

    try:
        if wrong:
            raise next(iter(wrong.values()))
        offer = await site.store_of(request).write(write)
    except InvalidError as error:
        return await _form(request, None, form, _errors(said, wrong, error), status=422)
    return await frame.done(request, f"/shop/offers/{offer.id}", said("Saved. The offer is ready."))


async def change(request: web.Request) -> web.StreamResponse:
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    offer = await _own(request)
    if offer.issued:
        # What was promised to people isn't in the form any more.
        form |= {
            name: value for name, value in _filled(said, offer, here.shop.timezone).items() if name in _FIXED_FIELDS
        }
    values, wrong = _read(form, here.shop.timezone)
    if offer.issued:
        values |= {name: getattr(offer, name) for name in PROMISED}

    def write(session: Session) -> None:
        _change(session, here, offer.id, "offer_changed", **values)

    try:
        if wrong:
            raise next(iter(wrong.values()))
        await site.store_of(request).write(write)
    except InvalidError as error:
        return await _form(request, offer, form, _errors(said, wrong, error), status=422)
    return await frame.done(request, f"/shop/offers/{offer.id}", said("Saved."))


_FIXED_FIELDS = {"kind", "value", "cap", "min_order", "starts_on"}


def _change(session: Session, here: Frame, program_id: int, action: str, **values: Any) -> None:
    before = voucher_programs.get(session, program_id, here.shop.id, lock=True)
    if not _may_change(here, before):
        raise ForbiddenError(program_id)
    after = voucher_programs.change(session, program_id, **values)
    changed = {name: getattr(after, name) for name in CHANGEABLE if getattr(after, name) != getattr(before, name)}
    if changed:
        audit.record(session, here.actor, action, here.shop.id, program=program_id, **_written(changed))


def _written(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as the audit keeps them."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in sorted(values.items())}


def _errors(said: Words, wrong: Mapping[str, InvalidError], raised: InvalidError) -> dict[str, str]:
    field = {"starts_at": "starts_on", "ends_at": "ends_on"}.get(raised.field, raised.field)
    return {name: _problem(said, name, error) for name, error in {**wrong, field: raised}.items()}


def _problem(said: Words, field: str, error: InvalidError) -> str:
    if error.problem == "number":
        return said("Write a whole number, for example 30,000.")
    if error.problem == "date":
        return said("Choose a day from the calendar.")
    known = {
        ("name", "length"): said("Give it a name of 1 to 100 letters, for example “Free iced tea”."),
        ("kind", "unknown"): said("Choose what the voucher gives."),
        ("value", "empty"): said("How much is taken off?"),
        ("value", "range"): said("A percentage is between 1 and 100, an amount above 0 ₫."),
        ("cap", "range"): said("The most that is taken off must be above 0 ₫. Leave it empty for no limit."),
        ("min_order", "range"): said("The smallest order can't be below 0 ₫."),
        ("stock", "range"): said("How many there are must be 0 or more. Leave it empty for no limit."),
        ("stock", "issued"): said("{n} were given out already, so there can't be fewer.", n=error.value),
        ("per_customer", "range"): said("At least 1 for each customer. Leave it empty for no limit."),
        ("price_points", "range"): said("The price is at least 1 point. Leave it empty if points can't buy it."),
        ("valid_days", "range"): said("Between 0 and 3,660 days. Leave it empty if it lasts until the offer ends."),
        ("ends_on", "range"): said("The last day can't be before the first."),
    }  # fmt: skip
    return known.get((field, error.problem)) or site.say(said, error)


# ── Its buttons ────────────────────────────────────────────────────────────────────────────────────


async def act(request: web.Request) -> web.StreamResponse:
    """Hide, show, end or reopen an offer, or make its public link."""
    here, said = frame.frame_of(request), site.words_of(request)
    action, program_id = request.match_info["action"], frame.named(request)

    def write(session: Session) -> None:
        if action == "link":
            offer = voucher_programs.get(session, program_id, here.shop.id)
            if not _may_change(here, offer):
                raise ForbiddenError(program_id)
            rewards.offer_code(session, program_id)
            audit.record(session, here.actor, "offer_link", here.shop.id, program=program_id)
            return
        changes: dict[str, dict[str, Any]] = {
            "hide": {"hidden": True}, "show": {"hidden": False}, "end": {"ends_at": now(session)},
            "reopen": {"ends_at": None},
        }  # fmt: skip
        _change(session, here, program_id, f"offer_{action}", **changes[action])

    await site.store_of(request).write(write)
    words = {
        "hide": said("Hidden from the rewards catalogue."), "show": said("Shown in the rewards catalogue."),
        "end": said("The offer has ended. Vouchers given out before keep their last day."),
        "reopen": said("The offer runs again, without a last day."), "link": said("The link is ready to share."),
    }[action]  # fmt: skip
    return await frame.done(request, f"/shop/offers/{program_id}", words)


async def give(request: web.Request) -> web.StreamResponse:
    """Give one to a customer, by phone or card code; they are told on their messenger."""
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    offer, who, key = await _own(request), form.get("who", ""), form.get("key", "")
    key = key[:KEY_CHARS_MAX] or secrets.token_urlsafe(18)
    try:
        found = await site.store_of(request).write(_give, here, offer.id, who, f"console:{key}")
        if isinstance(found, RuleError):
            raise found
    except (NotFoundError, ConflictError, TooManyError, SoldOutError) as error:
        filled = _filled(said, offer, here.shop.timezone)
        return await _form(
            request, offer, filled, {"who": _give_problem(said, error)}, status=422, give={"who": who, "key": key}
        )
    return await frame.done(
        request, f"/shop/offers/{offer.id}", said("Given to {name}.", name=found or said("the customer"))
    )


def _give(session: Session, here: Frame, program_id: int, who: str, key: str) -> str | NotFoundError:
    """The name of who got it; who can't be found is returned, not raised, for it was counted as a wrong code."""
    offer = voucher_programs.get(session, program_id, here.shop.id, lock=True)
    if offer.ends_at is not None and offer.ends_at <= now(session):
        raise SoldOutError(f"program {program_id}")
    found = counter.find(session, who, shop_id=here.shop.id, staff_id=here.member.id)
    if isinstance(found, NotFoundError):
        return found
    if found.card is None:
        return NotFoundError("customer", "")
    known = vouchers.by_key(session, key)
    voucher = vouchers.issue(session, program_id, found.card.customer_id, key=key, tell=True)
    if known is None:
        audit.record(
            session, here.actor, "voucher_given", here.shop.id, program=program_id, voucher=voucher.id,
            customer=found.card.customer_id,
        )  # fmt: skip
    return customers.get(session, found.card.customer_id).name


def _give_problem(said: Words, error: RuleError) -> str:
    if isinstance(error, SoldOutError):
        return said("This offer has run out or has ended. Add some or let it run again first.")
    if isinstance(error, LimitError):
        return said("This customer already has as many as one customer may have.")
    if isinstance(error, NotFoundError):
        return said("No customer has this phone or card code. Please check it.")
    return site.say(said, error)
