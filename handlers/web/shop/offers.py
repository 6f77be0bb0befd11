"""Offers: what vouchers the shop has, made and changed by a form with the voucher's words beside it, handed out."""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from PIL import Image, ImageOps, UnidentifiedImageError
from sqlalchemy.orm import Session

from handlers.chat import gives
from handlers.web import site, uploads
from handlers.web.shop import fields, frame, lists, offer_form, offer_words
from handlers.web.shop.frame import Frame
from handlers.words import Words
from loyalty.attempts import TooManyError
from loyalty.customers import counter, customers
from loyalty.points import lots
from loyalty.vouchers import redemptions, reservations, rewards, shared_codes, voucher_programs, vouchers
from loyalty.vouchers.voucher_programs import CHANGEABLE, PROMISED, Kind, Program, Returns, Stacks
from loyalty.vouchers.vouchers import LimitError, SoldOutError
from store import audit, media, shops
from store.clock import now
from store.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, RuleError
from store.text import fold

IMAGE_SIDE = 640
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
        return [
            _shown(said, offer, used.get(offer.id, 0), here.shop.timezone, now(session), _left(session, offer))
            for offer in every
        ]

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


def _left(session: Session, offer: Program) -> int | None:
    """Vouchers there are to give, or uses of a shared code; None where nothing bounds them."""
    if offer.stock is None:
        return None
    return reservations.room(session, offer).uses if offer.shared else offer.stock - offer.issued


def _shown(said: Words, offer: Program, used: int, zone: str, moment: datetime, left: int | None) -> Shown:
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
    form = {"kind": Kind.PERCENT.value, "listed": "on", "stacks": Stacks.ALL.value, "returns": Returns.FULL.value}
    return await _form(request, None, form, {})


async def edit(request: web.Request) -> web.StreamResponse:
    offer = await _own(request)
    return await _form(
        request, offer, offer_form.filled(site.words_of(request), offer, frame.frame_of(request).shop.timezone), {}
    )


async def _own(request: web.Request) -> Program:
    here = frame.frame_of(request)
    return await site.store_of(request).read(voucher_programs.get, frame.named(request), here.shop.id)


async def _form(
    request: web.Request,
    offer: Program | None,
    form: dict[str, str],
    errors: dict[str, str],
    status: int = 200,
    give: dict[str, str] | None = None,
) -> web.Response:
    here, said = frame.frame_of(request), site.words_of(request)

    def look(session: Session) -> tuple[Beside, Looked]:
        if offer is None:
            return _beside(session, here), Looked()
        used = redemptions.used(session, [offer.id]).get(offer.id, 0)
        codes = shared_codes.of_program(session, offer.id) if offer.shared else []
        return _beside(session, here), Looked(
            used, _left(session, offer), reservations.room(session, offer).budget, codes
        )

    beside, looked = await site.store_of(request).read(look)
    context: dict[str, Any] = {
        "offer": offer, "form": offer_form.Filled(form), "errors": errors, "preview": _preview(said, form, here.shop.timezone, beside),
        "beside": beside, "looked": looked, "days": gives.day_names(said),
        "shown": None, "links": [], "may_change": offer is None or _may_change(here, offer),
        "give": {"key": secrets.token_urlsafe(18), "who": "", **(give or {})},
    }  # fmt: skip
    if offer is not None:
        moment = site.store_of(request).clock.now()
        context["shown"] = _shown(said, offer, looked.used, here.shop.timezone, moment, looked.left)
        opens = offer.offer_code or (looked.codes[0].code if looked.codes else None)
        if opens:
            context["links"] = request.config_dict[site.SITE].links(f"v_{opens}")
    return await frame.render(request, "shop/offer.html", context, page="offers", status=status)


def _may_change(here: Frame, offer: Program) -> bool:
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
        return await _form(request, None, form, offer_form.errors(said, wrong, error), status=422)
    return await frame.done(request, f"/shop/offers/{offer.id}", said("Saved. The offer is ready."))


async def change(request: web.Request) -> web.StreamResponse:
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    offer = await _own(request)
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
        _change(session, here, offer.id, "offer_changed", **values)

    try:
        if wrong:
            raise next(iter(wrong.values()))
        await site.store_of(request).write(write)
    except InvalidError as error:
        return await _form(request, offer, form, offer_form.errors(said, wrong, error), status=422)
    return await frame.done(request, f"/shop/offers/{offer.id}", said("Saved."))


def _change(session: Session, here: Frame, program_id: int, action: str, **values: Any) -> None:
    before = voucher_programs.get(session, program_id, here.shop.id, lock=True)
    if not _may_change(here, before):
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


async def code(request: web.Request) -> web.StreamResponse:
    """Add a code for everybody to an offer of that kind, or stop one."""
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    program_id, typed = frame.named(request), form.get("shared_code", "")

    def write(session: Session) -> None:
        offer = voucher_programs.get(session, program_id, here.shop.id)
        if not _may_change(here, offer):
            raise ForbiddenError(program_id)
        if "stop" in form:
            found = next(
                (one for one in shared_codes.of_program(session, program_id) if one.code == form["stop"]), None
            )
            if found is not None:
                vouchers.withdraw(session, found.id)
                audit.record(session, here.actor, "code_stopped", here.shop.id, program=program_id, code=found.code)
            return
        made = shared_codes.add(session, program_id, typed)
        audit.record(session, here.actor, "code_added", here.shop.id, program=program_id, code=made.code)

    try:
        await site.store_of(request).write(write)
    except InvalidError as error:
        offer = await _own(request)
        shown = offer_form.filled(said, offer, here.shop.timezone) | {"shared_code": typed}
        return await _form(request, offer, shown, offer_form.errors(said, {}, error), status=422)
    words = said("The code can't be used any more.") if "stop" in form else said("The code can be used now.")
    return await frame.done(request, f"/shop/offers/{program_id}", words)


async def image(request: web.Request) -> web.StreamResponse:
    """A picture of what is offered, on the voucher and in the chat; none takes it away."""
    here, number = frame.frame_of(request), frame.named(request)
    _, sent = await uploads.read_form(request, 1)
    content = await asyncio.to_thread(_square, sent[0].content) if sent else None

    def write(session: Session) -> None:
        sha = media.keep(session, content, "image/jpeg", IMAGE_SIDE, IMAGE_SIDE) if content else None
        _change(session, here, number, "offer_image", image=sha)

    await site.store_of(request).write(write)
    return web.Response(status=204, headers={"HX-Refresh": "true"})


async def shown_image(request: web.Request) -> web.StreamResponse:
    """The picture itself."""
    offer = await _own(request)
    if offer.image is None:
        raise NotFoundError("picture", offer.id)
    return site.media_response(await site.store_of(request).read(media.load, offer.image), "offer.jpg")


def _square(content: bytes) -> bytes:
    try:
        with Image.open(BytesIO(content)) as opened:
            picture = ImageOps.fit(ImageOps.exif_transpose(opened).convert("RGB"), (IMAGE_SIDE, IMAGE_SIDE))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise InvalidError("picture", "format") from None
    kept = BytesIO()
    picture.save(kept, "JPEG", quality=85)
    return kept.getvalue()


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
        filled = offer_form.filled(said, offer, here.shop.timezone)
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
