"""Thank-you cards in the console: the team's tasks, the rules they come by, and writing one with the card beside it."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import asdict
from io import BytesIO
from typing import Any

from aiohttp import web
from aiohttp_session import get_session
from PIL import Image, ImageOps, UnidentifiedImageError
from sqlalchemy.orm import Session

from handlers.pictures.thanks import HEIGHT, WIDTH, ThankCard, draw_thanks
from handlers.web import site, uploads
from handlers.web.shop import fields, frame
from handlers.web.shop.recognition import overview
from handlers.words import Words, words
from loyalty.customers import addressing, customers, directory
from loyalty.customers.customers import Customer
from loyalty.recognition import thanks
from loyalty.recognition.thanks import Task, TaskState, Why
from loyalty.tiers import tiers
from store import audit, media
from store.clock import today
from store.errors import InvalidError, NotFoundError

DONE_SHOWN = 20
PHOTO_SIDE = 1600
KEY_CHARS_MAX = 64


async def page(request: web.Request) -> web.StreamResponse:
    return await _list(request, {}, {})


async def _list(
    request: web.Request, form: Mapping[str, str], errors: Mapping[str, str], status: int = 200
) -> web.Response:
    here, said = frame.frame_of(request), site.words_of(request)

    def look(session: Session) -> dict[str, Any]:
        ladder = tiers.every(session)
        names = {tier.id: tier.name for tier in ladder}

        def shown(task: Task) -> dict[str, Any]:
            person = customers.get(session, task.customer_id)
            return {"task": task, "name": person.name, "why": why(said, task.why, task.n, names)}

        every = [
            {"rule": rule, "words": why(said, rule.why, rule.n, names)}
            for rule in thanks.rules_of(session, here.shop.id)
        ]
        return {
            "tasks": [shown(task) for task in thanks.of_shop(session, here.shop.id, open_only=True)],
            "ended": [shown(task) for task in thanks.of_shop(session, here.shop.id, open_only=False, limit=DONE_SHOWN)],
            "rules": every, "levels": ladder[1:],
        }  # fmt: skip

    context = {**await site.store_of(request).read(look), "form": form, "errors": errors, "sent": _sent}
    return await frame.render(request, "shop/recognition/thanks.html", context, page=overview.PAGE, status=status)


def why(said: Words, reason: str, n: int, tier_names: Mapping[int, str]) -> str:
    """Why a card is due."""
    if reason == Why.TIER:
        return said("Reached {tier}", tier=tier_names.get(n, "?"))
    if reason == Why.ORDERS:
        return said("{n}th order", n=said.number(n))
    return said("Somebody of the team asked for it")


def _sent(said: Words, task: Task) -> tuple[str, str]:
    """(badge's kind, words) of how a card's sending stands."""
    if task.state == TaskState.SKIPPED:
        return "", said("Skipped")
    if task.sent == "sent":
        return "good", said("Delivered")
    if task.sent in {"failed", "unknown"}:
        return "warn", said("Perhaps not delivered")
    if task.sent is not None:
        return "warn", said("On no messenger we reach")
    return "brand", said("On its way")


async def task(request: web.Request) -> web.StreamResponse:
    return await _task(request, {}, {})


async def _task(
    request: web.Request, form: Mapping[str, str], errors: Mapping[str, str], status: int = 200
) -> web.Response:
    here, said = frame.frame_of(request), site.words_of(request)

    def look(session: Session) -> dict[str, Any]:
        found = thanks.get(session, frame.named(request), here.shop.id)
        person = customers.get(session, found.customer_id)
        names = {tier.id: tier.name for tier in tiers.every(session)}
        return {
            "task": found, "person": person, "why": why(said, found.why, found.n, names),
            "reached": any(one.reachable for one in customers.identities_of(session, person.id)),
        }  # fmt: skip

    context = {**await site.store_of(request).read(look), "form": form, "errors": errors, "sent": _sent}
    context["card"] = here.url(f"/shop/thanks/{frame.named(request)}/card.png", note=form.get("note", ""))
    return await frame.render(request, "shop/recognition/thank.html", context, page=overview.PAGE, status=status)


async def preview(request: web.Request) -> web.StreamResponse:
    """The card's address for a note that is being written."""
    here, number = frame.frame_of(request), frame.named(request)
    await site.store_of(request).read(thanks.get, number, here.shop.id)
    note = request.query.get("note", "")[: thanks.NOTE_CHARS_MAX]
    card = here.url(f"/shop/thanks/{number}/card.png", note=note)
    return await frame.part(request, "shop/recognition/thank_card.html", {"card": card})


async def card(request: web.Request) -> web.StreamResponse:
    """The card as it will be sent, or as it was."""
    here, number = frame.frame_of(request), frame.named(request)

    def look(session: Session) -> tuple[Task, Customer, str, bytes | None]:
        found = thanks.get(session, number, here.shop.id)
        kept = media.load(session, found.picture).content if found.picture else None
        person = customers.get(session, found.customer_id)
        return found, person, words(person.language).date(today(session, here.shop.timezone)), kept

    _, person, day, kept = await site.store_of(request).read(look)
    note = request.query.get("note", "")[: thanks.NOTE_CHARS_MAX]
    content = kept or await asyncio.to_thread(draw_thanks, _card(here, person, day, note))
    return web.Response(body=content, content_type="image/png", headers={"Cache-Control": "private, no-cache"})


def _card(here: frame.Frame, person: Customer, day: str, note: str) -> ThankCard:
    """The card in the customer's own language."""
    said = words(person.language)
    name = addressing.given_name(person.name, person.language)
    return ThankCard(
        shop_name=here.shop.name, brand=here.shop.brand,
        greeting=said("For {name},", name=name) if name else said("For you,"),
        note=note or said("Write a few words of your own…"), signed=f"{here.shop.name}, {day}",
    )  # fmt: skip


async def send(request: web.Request) -> web.StreamResponse:
    """Send the card with the note that was written, drawn."""
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)
    note = (await fields.read(request)).get("note", "")
    if not note or len(note) > thanks.NOTE_CHARS_MAX:
        errors = {"note": said("Write a few words, at most 400 letters, or send a photo.")}
        return await _task(request, {"note": note}, errors, status=422)

    def look(session: Session) -> tuple[Customer, str]:
        person = customers.get(session, thanks.get(session, number, here.shop.id).customer_id)
        return person, words(person.language).date(today(session, here.shop.timezone))

    drawn = _card(here, *await site.store_of(request).read(look), note)
    content = await asyncio.to_thread(draw_thanks, drawn)
    await _done(request, note, content, "image/png", (WIDTH, HEIGHT))
    return await frame.done(request, "/shop/thanks", said("The card is on its way."))


async def photo(request: web.Request) -> web.StreamResponse:
    """Send a photo of a note, by the page's script."""
    said = site.words_of(request)
    _, sent = await uploads.read_form(request, 1)
    if not sent:
        raise InvalidError("photo", "empty")
    try:
        content, size = await asyncio.to_thread(_photo, sent[0].content)
    except InvalidError:
        return frame.told(web.Response(status=422), said("This picture can't be read. Please choose another one."))
    await _done(request, "", content, "image/jpeg", size)
    (await get_session(request))[frame.FLASH] = {"words": said("The card is on its way."), "shown": {}}
    return web.Response(status=204, headers={"HX-Redirect": frame.frame_of(request).url("/shop/thanks")})


async def _done(request: web.Request, note: str, content: bytes, mime: str, size: tuple[int, int]) -> None:
    here, number = frame.frame_of(request), frame.named(request)

    def write(session: Session) -> None:
        sha = media.keep(session, content, mime, *size)
        done = thanks.done(
            session, number, here.shop.id, note=note, picture=sha, actor=here.actor, width=size[0], height=size[1]
        )
        audit.record(session, here.actor, "thank_card_sent", here.shop.id, task=number, customer=done.customer_id)

    await site.store_of(request).write(write)


def _photo(content: bytes) -> tuple[bytes, tuple[int, int]]:
    """A photo upright and no larger than a phone shows, as JPEG: nothing of where it was taken stays in it."""
    try:
        with Image.open(BytesIO(content)) as opened:
            picture = ImageOps.exif_transpose(opened).convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise InvalidError("photo", "format") from None
    picture.thumbnail((PHOTO_SIDE, PHOTO_SIDE))
    kept = BytesIO()
    picture.save(kept, "JPEG", quality=86)
    return kept.getvalue(), picture.size


async def skip(request: web.Request) -> web.StreamResponse:
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)

    def write(session: Session) -> None:
        thanks.skip(session, number, here.shop.id, here.actor)
        audit.record(session, here.actor, "thank_card_skipped", here.shop.id, task=number)

    await site.store_of(request).write(write)
    return await frame.done(request, "/shop/thanks", said("Skipped."))


async def add_rule(request: web.Request) -> web.StreamResponse:
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    by_tier = form.get("why") == Why.TIER

    def write(session: Session) -> None:
        n = (
            int(form["tier"])
            if by_tier and form.get("tier", "").isdecimal()
            else 0
            if by_tier
            else fields.needed(form, "n")
        )
        rule = thanks.add_rule(session, here.shop.id, Why.TIER if by_tier else Why.ORDERS, n, form.get("hint", ""))
        audit.record(session, here.actor, "thank_rule_added", here.shop.id, after=_written(rule))

    try:
        await site.store_of(request).write(write)
    except InvalidError as error:
        return await _list(request, form, {error.field: _problem(said, error)}, status=422)
    return await frame.done(request, "/shop/thanks", said("Saved. Tasks come by it from now on."))


async def remove_rule(request: web.Request) -> web.StreamResponse:
    here, said = frame.frame_of(request), site.words_of(request)

    def write(session: Session) -> None:
        rule = thanks.remove_rule(session, frame.named(request), here.shop.id)
        audit.record(session, here.actor, "thank_rule_removed", here.shop.id, before=_written(rule))

    await site.store_of(request).write(write)
    return await frame.done(request, "/shop/thanks", said("The rule is gone. Its tasks stay."))


def _written(rule: thanks.ThankRule) -> dict[str, Any]:
    return {**asdict(rule), "created_at": rule.created_at.isoformat()}


async def by_hand(request: web.Request) -> web.StreamResponse:
    """A task from the customer's page."""
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    key = form.get("key", "")[:KEY_CHARS_MAX] or secrets.token_urlsafe(18)

    def write(session: Session) -> Task:
        person = directory.find(session, here.shop.id, frame.named(request))
        made = thanks.add(session, here.shop.id, person.id, form.get("hint", ""), key=f"{here.shop.id}:{key}")
        audit.record(session, here.actor, "thank_task_added", here.shop.id, task=made.id, customer=person.id)
        return made

    made = await site.store_of(request).write(write)
    if made.shop_id != here.shop.id:
        raise NotFoundError("task", made.id)
    return await frame.done(request, f"/shop/thanks/{made.id}", said("Write a few words, or take a photo of a note."))


def _problem(said: Words, error: InvalidError) -> str:
    return overview.problem(
        said, error.field, error,
        {
            "hint": said("Please keep it below 200 letters."), "why": said("Choose when the task comes."),
            "n": said("Choose a tier, or write which order."),
        },
    )  # fmt: skip
