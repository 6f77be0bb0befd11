"""One offer: made and changed by a form with the voucher's words beside it."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.chat import gives
from handlers.web import site
from handlers.web.shop import fields, frame, offer_form, offer_words, offers
from handlers.web.shop.frame import Frame
from handlers.words import Words
from loyalty.points import lots
from loyalty.vouchers import redemptions, reservations, shared_codes, voucher_programs, vouchers
from loyalty.vouchers.voucher_programs import CHANGEABLE, PROMISED, Kind, Program, Returns, Stacks
from store import audit, shops
from store.errors import ForbiddenError, InvalidError


async def new(request: web.Request) -> web.StreamResponse:
    form = {"kind": Kind.PERCENT.value, "listed": "on", "stacks": Stacks.ALL.value, "returns": Returns.FULL.value}
    return await show_form(request, None, form, {})


async def edit(request: web.Request) -> web.StreamResponse:
    offer = await own(request)
    return await show_form(
        request, offer, offer_form.filled(site.words_of(request), offer, frame.frame_of(request).shop.timezone), {}
    )


async def own(request: web.Request) -> Program:
    """The offer that the address names, as this shop may see it."""
    here = frame.frame_of(request)
    return await site.store_of(request).read(voucher_programs.get, frame.named(request), here.shop.id)


async def show_form(
    request: web.Request,
    offer: Program | None,
    form: dict[str, str],
    errors: dict[str, str],
    status: int = 200,
    give: dict[str, str] | None = None,
) -> web.Response:
    """The page of an offer (of none yet: of a new one) with what a form holds and what is wrong with it."""
    here, said = frame.frame_of(request), site.words_of(request)

    def look(session: Session) -> tuple[Beside, Looked]:
        if offer is None:
            return _beside(session, here), Looked()
        used = redemptions.used(session, [offer.id]).get(offer.id, 0)
        codes = shared_codes.of_program(session, offer.id) if offer.shared else []
        return _beside(session, here), Looked(
            used, offers.left_of(session, offer), reservations.room(session, offer).budget, codes
        )

    beside, looked = await site.store_of(request).read(look)
    context: dict[str, Any] = {
        "offer": offer, "form": offer_form.Filled(form), "errors": errors, "preview": _preview(said, form, here.shop.timezone, beside),
        "beside": beside, "looked": looked, "days": gives.day_names(said),
        "shown": None, "links": [], "may_change": offer is None or may_change(here, offer),
        "give": {"key": secrets.token_urlsafe(18), "who": "", **(give or {})},
    }  # fmt: skip
    if offer is not None:
        moment = site.store_of(request).clock.now()
        context["shown"] = offers.shown(said, offer, looked.used, here.shop.timezone, moment, looked.left)
        opens = offer.offer_code or (looked.codes[0].code if looked.codes else None)
        if opens:
            context["links"] = request.config_dict[site.SITE].links(f"v_{opens}")
    return await frame.render(request, "shop/offer.html", context, page="offers", status=status)


def may_change(here: Frame, offer: Program) -> bool:
    """What every shop offers, only who owns all of them changes."""
    return offer.shop_id == here.shop.id or here.rules_all


async def preview(request: web.Request) -> web.StreamResponse:
    """The voucher's words for a form that is being filled in."""
    here, said = frame.frame_of(request), site.words_of(request)
    form = {name: value[: fields.TEXT_CHARS_MAX] for name, value in request.query.items()}
    beside = await site.store_of(request).read(_beside, here)
    shown = {"preview": _preview(said, form, here.shop.timezone, beside)}
    return await frame.part(request, "shop/offer_preview.html", shown)


@dataclass(frozen=True, slots=True)
class Looked:
    """How an offer stands: uses so far, what is left of its number and its budget (đồng), its codes for everybody."""

    used: int = 0
    left: int | None = None
    budget: int | None = None
    codes: list[vouchers.Voucher] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Beside:
    """What an offer's words name by number: shops, and other offers."""

    shops: dict[int, str]
    offers: dict[int, str]


def _beside(session: Session, here: Frame) -> Beside:
    names = {shop.id: shop.name for shop in shops.every(session)}
    return Beside(names, {offer.id: offer.name for offer in voucher_programs.of_shop(session, here.shop.id)})


def _preview(said: Words, form: Mapping[str, str], zone: str, beside: Beside) -> dict[str, Any]:
    """Title, terms and price as a customer reads them, and the offer explained; what can't be read yet is left out."""
    offer = offer_form.tolerant(form, zone)
    last = lots.last_day(offer.ends_at, zone).isoformat() if offer.ends_at else None
    bare = offer.kind in {Kind.AMOUNT, Kind.PERCENT} and offer.value <= 0
    bare = bare or (offer.kind == Kind.ITEM and not offer.items and not offer.categories)
    price = offer.price_points if (offer.price_points or 0) > 0 else None
    until = said("until {day}", day=said.date(date.fromisoformat(last))) if last else ""
    places = [beside.shops[one] for one in offer.branches or () if one in beside.shops]
    return {
        "title": offer.name or said("Your voucher's name"),
        "terms": "" if bare else gives.terms(said, offer, last, places),
        "price": said.plural("{n} point", "{n} points", price) if price else "",
        "explained": [] if bare else offer_words.explained(said, offer, beside.shops, beside.offers, until),
    }


async def create(request: web.Request) -> web.StreamResponse:
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    values, wrong = offer_form.read(form, here.shop.timezone)

    def write(session: Session) -> Program:
        shop_id = None if "everywhere" in form and here.rules_all else here.shop.id
        given = {**values, "kind": Kind(values["kind"]), "branches": values["branches"] if shop_id is None else None}
        offer = voucher_programs.add(session, **given, shop_id=shop_id, shared="shared" in form)
        if offer.shared:
            if not form.get("shared_code"):
                raise InvalidError("code", "empty")
            shared_codes.add(session, offer.id, form["shared_code"])
        audit.record(session, here.actor, "offer_added", here.shop.id, program=offer.id, **_written(values))
        return offer

    try:
        if wrong:
            raise next(iter(wrong.values()))
        offer = await site.store_of(request).write(write)
    except InvalidError as error:
        return await show_form(request, None, form, offer_form.errors(said, wrong, error), status=422)
    return await frame.done(request, f"/shop/offers/{offer.id}", said("Saved. The offer is ready."))


async def change(request: web.Request) -> web.StreamResponse:
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    offer = await own(request)
    if offer.issued:
        # What was promised to people isn't in the form any more.
        kept = offer_form.filled(said, offer, here.shop.timezone)
        form |= {name: value for name, value in kept.items() if name in offer_form.FIXED}
    if offer.shared:
        form["shared"] = "on"
    values, wrong = offer_form.read(form, here.shop.timezone)
    if offer.shop_id is not None:
        values["branches"] = None
    if offer.issued:
        values |= {name: getattr(offer, name) for name in PROMISED}

    def write(session: Session) -> None:
        change_offer(session, here, offer.id, "offer_changed", **values)

    try:
        if wrong:
            raise next(iter(wrong.values()))
        await site.store_of(request).write(write)
    except InvalidError as error:
        return await show_form(request, offer, form, offer_form.errors(said, wrong, error), status=422)
    return await frame.done(request, f"/shop/offers/{offer.id}", said("Saved."))


def change_offer(session: Session, here: Frame, program_id: int, action: str, **values: Any) -> None:
    """Change an offer and write down what it was and is. Raises ForbiddenError, InvalidError."""
    before = voucher_programs.get(session, program_id, here.shop.id, lock=True)
    if not may_change(here, before):
        raise ForbiddenError(program_id)
    after = voucher_programs.change(session, program_id, **values)
    names = [name for name in CHANGEABLE if getattr(after, name) != getattr(before, name)]
    if names:
        was, now = (_written({name: getattr(offer, name) for name in names}) for offer in (before, after))
        changed = {name: [was[name], now[name]] for name in names}
        audit.record(session, here.actor, action, here.shop.id, program=program_id, changed=changed)


def _written(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as the audit keeps them."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in sorted(values.items())}
