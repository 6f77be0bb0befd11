"""Settings: the shop's and, for who owns all shops, the programme's; each with a sample of what it does."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.pictures.colour import contrast, readable_on
from handlers.web import site
from handlers.web.shop import fields, frame
from handlers.web.shop.frame import Frame
from handlers.words import Words
from loyalty import programme
from loyalty.points import lots
from store import audit, shops
from store.errors import ForbiddenError, InvalidError

SHOP_TEXTS = ("name", "brand", "address", "phone")
SHOP_NUMBERS = ("return_days",)
PROGRAMME_NUMBERS = ("point_value", "undo_minutes")
SAMPLE_POINTS = 50


async def page(request: web.Request) -> web.StreamResponse:
    return await _form(request, {}, {})


async def _form(
    request: web.Request, typed: Mapping[str, str], errors: Mapping[str, str], status: int = 200
) -> web.Response:
    here, said = frame.frame_of(request), site.words_of(request)
    common = await site.store_of(request).read(programme.get)
    form = _saved(said, here, common) | dict(typed)
    context = {
        "form": form, "errors": errors, "sample": _sample(said, here, form, common, site.store_of(request).clock.now()),
    }  # fmt: skip
    return await frame.render(request, "shop/settings.html", context, page="settings", status=status)


def _saved(said: Words, here: Frame, common: programme.Programme) -> dict[str, str]:
    """What is set, as the form's fields, numbers grouped as people read them."""
    texts = {name: str(getattr(here.shop, name)) for name in SHOP_TEXTS}
    numbers = {name: getattr(here.shop, name) for name in SHOP_NUMBERS}
    numbers |= {name: getattr(common, name) for name in PROGRAMME_NUMBERS}
    return texts | {name: said.number(value) for name, value in numbers.items()}


async def preview(request: web.Request) -> web.StreamResponse:
    """What settings that are being typed would do."""
    here, said, store = frame.frame_of(request), site.words_of(request), site.store_of(request)
    common = await store.read(programme.get)
    form = _saved(said, here, common)
    form |= {name: value[: fields.TEXT_CHARS_MAX] for name, value in request.query.items() if name in form}
    return await frame.part(
        request, "shop/sample.html", {"sample": _sample(said, here, form, common, store.clock.now())}
    )


def _sample(
    said: Words, here: Frame, form: Mapping[str, str], common: programme.Programme, moment: datetime
) -> dict[str, Any]:
    """What the settings do; what can't be read yet counts as it is saved."""

    def usable(name: str, least: int, most: int, saved: int) -> int:
        try:
            found = fields.number(form, name)
        except InvalidError:
            return saved
        return found if found is not None and least <= found <= most else saved

    shop = here.shop
    brand = form["brand"] if shops.COLOUR.fullmatch(form["brand"]) else shop.brand
    words = readable_on(brand)
    ratio = round(contrast(brand, words) * 10)
    wait = usable("return_days", 0, 365, shop.return_days)
    ends = programme.expires_at(moment, common.expiry_months, shop.timezone, common.expiry_rule)
    worth = SAMPLE_POINTS * usable("point_value", 1, 10**6, 20)
    return {
        "name": form["name"].strip() or shop.name, "brand": brand, "on_brand": words,
        "contrast": f"{ratio // 10}{',' if said.language == 'vi' else '.'}{ratio % 10}",
        "when": said.plural("after {n} day", "after {n} days", wait) if wait else said("at once"),
        "expires": said.date(lots.last_day(ends, shop.timezone)) if ends else None,
        "points": said.number(SAMPLE_POINTS), "worth": said.money(worth),
    }  # fmt: skip


async def save_shop(request: web.Request) -> web.StreamResponse:
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    values: dict[str, Any] = {name: form.get(name, "") for name in SHOP_TEXTS}
    values["brand"] = values["brand"].upper()
    wrong = _numbers(form, SHOP_NUMBERS, values)

    def write(session: Session) -> None:
        before = shops.get(session, here.shop.id)
        shops.change(session, here.shop.id, **values)
        after = shops.get(session, here.shop.id)
        _audit(session, here, "shop_changed", asdict(before), asdict(after))

    try:
        if wrong:
            raise next(iter(wrong.values()))
        await site.store_of(request).write(write)
    except InvalidError as error:
        return await _form(request, form, _errors(said, wrong, error), status=422)
    return await frame.done(request, "/shop/settings", said("Saved. It counts from the next order on."))


async def save_programme(request: web.Request) -> web.StreamResponse:
    """What all shops share; only for who owns all of them."""
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    if not here.rules_all:
        raise ForbiddenError("programme")
    values: dict[str, Any] = {}
    wrong = _numbers(form, PROGRAMME_NUMBERS, values)

    def write(session: Session) -> None:
        before = programme.get(session)
        programme.change(session, **values)
        _audit(session, here, "programme_changed", asdict(before), asdict(programme.get(session)))

    try:
        if wrong:
            raise next(iter(wrong.values()))
        await site.store_of(request).write(write)
    except InvalidError as error:
        return await _form(request, form, _errors(said, wrong, error), status=422)
    return await frame.done(request, "/shop/settings", said("Saved."))


def _numbers(form: Mapping[str, str], names: tuple[str, ...], into: dict[str, Any]) -> dict[str, InvalidError]:
    wrong = {}
    for name in names:
        try:
            into[name] = fields.needed(form, name)
        except InvalidError as error:
            wrong[name] = error
    return wrong


def _audit(session: Session, here: Frame, action: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    changed = {name: [before[name], value] for name, value in after.items() if value != before[name]}
    if changed:
        audit.record(session, here.actor, action, here.shop.id, changed=changed)


def _errors(said: Words, wrong: Mapping[str, InvalidError], raised: InvalidError) -> dict[str, str]:
    return {name: _problem(said, name, error) for name, error in {**wrong, raised.field: raised}.items()}


def _problem(said: Words, field: str, error: InvalidError) -> str:
    if error.problem in {"number", "empty"}:
        return said("Write a whole number, for example 30,000.")
    known = {
        "name": said("A shop's name has between 1 and 60 letters."),
        "brand": said("Choose a colour, or write it like #0F766E."),
        "address": said("Please keep the address below 200 letters."),
        "phone": said("This phone number doesn't look right. Example: 0903 123 456."),
        "return_days": said("Between 0 and 365 days."), "point_value": said("Between 1 ₫ and 1,000,000 ₫."),
        "undo_minutes": said("Between 0 and 1,440 minutes."),
    }  # fmt: skip
    return known.get(field) or site.say(said, error)
