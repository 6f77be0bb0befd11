"""Badges in the console: their sign, words and rule, their picture, and giving one by hand."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import files, site, uploads
from handlers.web.shop import fields, frame
from handlers.web.shop.recognition import overview
from handlers.words import Words
from loyalty.attempts import TooManyError
from loyalty.customers import counter, customers
from loyalty.recognition import badges
from loyalty.recognition.badges import Badge, BadgeInput
from loyalty.recognition.visits import Measure
from store import audit, media
from store.errors import InvalidError, NotFoundError, RuleError

ICONS = ("☕", "🌱", "⭐", "🏅", "🔥", "💚", "🎂", "👑")


async def new(request: web.Request) -> web.StreamResponse:
    return await _form(request, None, {"icon": ICONS[0], "measure": Measure.ORDERS.value, "target": "10"}, {})


async def edit(request: web.Request) -> web.StreamResponse:
    badge = await _own(request)
    return await _form(request, badge, _filled(site.words_of(request), badge), {})


async def _own(request: web.Request) -> Badge:
    return await site.store_of(request).read(badges.get, frame.named(request), frame.frame_of(request).shop.id)


def _filled(said: Words, badge: Badge) -> dict[str, str]:
    return {
        "name": badge.name, "about": badge.about, "icon": badge.icon, "measure": badge.measure,
        "target": said.number(badge.target) if badge.target else "", "names": ", ".join(badge.names),
    }  # fmt: skip


async def _form(
    request: web.Request, badge: Badge | None, form: Mapping[str, str], errors: Mapping[str, str], status: int = 200
) -> web.Response:
    here, said = frame.frame_of(request), site.words_of(request)
    held = await site.store_of(request).read(badges.holders, here.shop.id) if badge else {}
    context = {
        "badge": badge, "form": form, "errors": errors, "icons": ICONS, "held": held.get(badge.id, 0) if badge else 0,
        "measures": [
            (Measure.ORDERS, said("Orders")), (Measure.SPEND, said("Spend")), (Measure.DISHES, said("Different items")),
            (Measure.DAYS, said("Days in a row")), (Measure.WEEKS, said("Weeks in a row")),
            (badges.HAND, said("Given by hand")),
        ],
    }  # fmt: skip
    return await frame.render(request, "shop/recognition/badge.html", context, page=overview.PAGE, status=status)


def _read(form: Mapping[str, str]) -> BadgeInput:
    """Raises InvalidError for what can't be read."""
    measure = form.get("measure", "")
    if measure not in {*badges.MEASURES, badges.HAND}:
        raise InvalidError("measure", "unknown", measure)
    by_hand = measure == badges.HAND
    return BadgeInput(
        form.get("name", ""), form.get("icon", ""), None if by_hand else Measure(measure),
        0 if by_hand else fields.needed(form, "target"), about=form.get("about", ""),
        names=[name for name in form.get("names", "").split(",") if name.strip()],
    )  # fmt: skip


async def create(request: web.Request) -> web.StreamResponse:
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)

    def write(session: Session) -> Badge:
        made = badges.add(session, here.shop.id, _read(form))
        audit.record(session, here.actor, "badge_added", here.shop.id, after=asdict(made))
        return made

    try:
        badge = await site.store_of(request).write(write)
    except InvalidError as error:
        return await _form(request, None, form, {error.field: _problem(said, error)}, status=422)
    return await frame.done(request, f"/shop/badges/{badge.id}", said("Saved. The badge can be earned."))


async def change(request: web.Request) -> web.StreamResponse:
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    badge = await _own(request)

    def write(session: Session) -> None:
        before = badges.get(session, badge.id, here.shop.id)
        _audit(session, here, before, badges.change(session, badge.id, here.shop.id, _read(form)))

    try:
        await site.store_of(request).write(write)
    except InvalidError as error:
        return await _form(request, badge, form, {error.field: _problem(said, error)}, status=422)
    return await frame.done(request, f"/shop/badges/{badge.id}", said("Saved."))


def _audit(session: Session, here: frame.Frame, before: Badge, after: Badge) -> None:
    was, now_is = asdict(before), asdict(after)
    changed = {name: [was[name], value] for name, value in now_is.items() if was[name] != value}
    if changed:
        audit.record(session, here.actor, "badge_changed", here.shop.id, badge=after.id, changed=changed)


async def act(request: web.Request) -> web.StreamResponse:
    """Let a badge be earned no longer, or again."""
    here, said, badge = frame.frame_of(request), site.words_of(request), await _own(request)
    active = request.match_info["action"] == "resume"

    def write(session: Session) -> None:
        _audit(session, here, badge, badges.activate(session, badge.id, here.shop.id, active=active))

    await site.store_of(request).write(write)
    words = said("The badge can be earned again.") if active else said("Nobody new gets it. Who has it keeps it.")
    return await frame.done(request, f"/shop/badges/{badge.id}", words)


async def give(request: web.Request) -> web.StreamResponse:
    """Give a badge by hand, by phone or card code; the customer is told."""
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    badge, who = await _own(request), form.get("who", "")

    def write(session: Session) -> tuple[str, bool] | RuleError:
        found = counter.find(session, who, shop_id=here.shop.id, staff_id=here.member.id)
        # Who can't be found is counted as a wrong code: given back, so that the count stays.
        if isinstance(found, NotFoundError) or found.card is None:
            return NotFoundError("customer", "")
        new = badges.give(session, badge.id, here.shop.id, found.card.customer_id, here.actor)
        if new:
            audit.record(
                session, here.actor, "badge_given", here.shop.id, badge=badge.id, customer=found.card.customer_id
            )
        return customers.get(session, found.card.customer_id).name, new

    try:
        given = await site.store_of(request).write(write)
        if isinstance(given, RuleError):
            raise given
    except (NotFoundError, TooManyError) as error:
        words = (
            said("No customer has this phone or card code. Please check it.") if isinstance(error, NotFoundError)
            else site.say(said, error)
        )  # fmt: skip
        return await _form(request, badge, _filled(said, badge) | {"who": who}, {"who": words}, status=422)
    name, new = given
    words = (
        said("Given to {name}.", name=name or said("the customer")) if new
        else said("{name} has this badge already.", name=name or said("The customer"))
    )  # fmt: skip
    return await frame.done(request, f"/shop/badges/{badge.id}", words)


async def upload(request: web.Request) -> web.StreamResponse:
    """The picture that is sent with the badge."""
    here, badge = frame.frame_of(request), await _own(request)
    _, sent = await uploads.read_form(request, 1)
    if not sent or sent[0].kind != "photo":
        raise InvalidError("picture", "format")

    def write(session: Session) -> None:
        sha = media.keep(session, sent[0].content, sent[0].mime, sent[0].width, sent[0].height, ours=True)
        said = _filled_input(badge)
        _audit(session, here, badge, badges.change(session, badge.id, here.shop.id, BadgeInput(**said, picture=sha)))

    await site.store_of(request).write(write)
    return web.Response(status=204, headers={"HX-Refresh": "true"})


def _filled_input(badge: Badge) -> dict[str, Any]:
    measure = None if badge.measure == badges.HAND else Measure(badge.measure)
    return {
        "name": badge.name, "icon": badge.icon, "measure": measure, "target": badge.target, "about": badge.about,
        "names": badge.names,
    }  # fmt: skip


async def picture(request: web.Request) -> web.StreamResponse:
    badge = await _own(request)
    if badge.picture is None:
        raise NotFoundError("picture", badge.id)
    content = await site.store_of(request).read(media.load, badge.picture)
    return files.media_response(content, "badge")


def _problem(said: Words, error: InvalidError) -> str:
    return overview.problem(
        said, error.field, error,
        {
            "name": said("Give it a name of 1 to 60 letters."), "about": said("Please keep it below 200 letters."),
            "icon": said("Choose one sign."), "measure": said("Choose what it is earned by."),
            "target": said("Write a whole number of at least 1."),
        },
    )  # fmt: skip
