"""One customer's privacy: their copy, what they agreed to, with its proof, and being forgotten."""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers import parcel
from handlers.web import seen, site
from handlers.web.shop import fields, frame
from handlers.words import Words, words
from loyalty.customers import customers, directory
from loyalty.customers.customers import Customer
from loyalty.outreach import consents
from store import audit
from store.errors import InvalidError
from store.outbox import Purpose
from support import privacy
from support.duties import copies, erasures, parcels
from support.duties.parcels import Parcel

WAY_CHARS_MAX = 200
MIME = {"zip": "application/zip", "json": "application/json"}


async def page(request: web.Request) -> web.StreamResponse:
    return await _page(request, {}, {})


async def _page(request: web.Request, form: Mapping[str, str], errors: Mapping[str, str]) -> web.Response:
    here, number, said = frame.frame_of(request), frame.named(request), site.words_of(request)

    def look(session: Session) -> dict[str, Any]:
        person = _theirs(session, here, number)
        return {
            "person": person, "asked": erasures.of_customer(session, person.id),
            "lost": erasures.consequences(session, person.id),
            "stands": {
                one: consents.allows(session, [person.id], one)[person.id].general for one in reversed(consents.ASKED)
            },
            "history": consents.of(session, person.id)[::-1],
        }  # fmt: skip

    context = await site.store_of(request).read(look)
    await seen.note(request, context["person"].id, here.shop.id, "console")
    context |= {"form": dict(form), "errors": errors, "purposes": purposes(said), "ways": ways(said)}
    return await frame.render(
        request, "shop/privacy/customer.html", context, page="customers", status=422 if errors else 200
    )


async def consent(request: web.Request) -> web.StreamResponse:
    """Write down a yes or no that the customer gave to a colleague, and how they gave it."""
    here, number, said = frame.frame_of(request), frame.named(request), site.words_of(request)
    form = await fields.read(request)
    await site.store_of(request).read(_theirs, here, number)
    purpose = next((one for one in consents.ASKED if one.name.lower() == form.get("purpose")), None)
    if purpose is None:
        raise InvalidError("purpose", "unknown", form.get("purpose", "")[:20])
    way, agreed = form.get("way", "").strip(), form.get("agree") == "yes"
    if not 0 < len(way) <= WAY_CHARS_MAX:
        return await _page(
            request, form, {"way": said("How did they say so? “on the phone, 14:00”, “on paper at the till”.")}
        )

    def write(session: Session) -> bool:
        person = _theirs(session, here, number)
        proof = {"way": "staff", "actor": here.actor, "words": way}
        changed = consents.record(session, person.id, purpose, agreed=agreed, proof=proof)
        if changed:
            audit.record(
                session, here.actor, "consent_recorded", here.shop.id, customer=person.id, purpose=purpose.name.lower(),
                before=not agreed, after=agreed,
            )  # fmt: skip
        return changed

    changed = await site.store_of(request).write(write)
    return await frame.done(request, _home(number), said("Noted.") if changed else said("That is how it was already."))


async def copy(request: web.Request) -> web.StreamResponse:
    """The customer's copy, for them: an archive to read, or its JSON alone. In the audit before it leaves."""
    here, number = frame.frame_of(request), frame.named(request)
    store, kind = site.store_of(request), request.match_info["kind"]

    def look(session: Session) -> tuple[Customer, Parcel]:
        person = _theirs(session, here, number)
        return person, parcels.of(session, person.id)

    person, found = await store.read(look)
    said = words(person.language)
    content = (
        await asyncio.to_thread(parcel.pack, said, found, here.shop.timezone, store.clock.now())
        if kind == "zip"
        else parcel.data(found).encode()
    )
    await store.write(copies.hand_out, person.id, here.actor, content, here.shop.id)
    name = parcel.NAME.format(number=person.id).removesuffix("zip") + kind
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return web.Response(body=content, content_type=MIME[kind], headers=headers)


async def erase(request: web.Request) -> web.StreamResponse:
    """Ask for it in the customer's name; `now`: at once. What has to be typed is their card's code."""
    here, number, said = frame.frame_of(request), frame.named(request), site.words_of(request)
    form = await fields.read(request)
    person = await site.store_of(request).read(_theirs, here, number)
    if form.get("code", "").replace(" ", "").upper() != person.code.upper():
        return await _page(request, form, {"code": said("Type the card's code {code}.", code=person.code)})

    def write(session: Session) -> None:
        _theirs(session, here, number)
        if "now" in form:
            asked = erasures.of_customer(session, person.id)
            if asked is not None and asked.shop_id == here.shop.id:
                erasures.carry_out(session, asked.id, here.member, here.shop.id)
            else:
                erasures.withdraw(session, person.id, here.actor)
                privacy.erase(session, person.id, here.actor)
        else:
            erasures.ask(session, person.id, here.shop.id, here.actor)

    await site.store_of(request).write(write)
    if "now" in form:
        words = said("Erased. Their orders and points stay in the books without a name.")
        return await frame.done(request, "/shop/customers", words)
    return await frame.done(request, _home(number), said("Noted: they will be forgotten."))


async def stay(request: web.Request) -> web.StreamResponse:
    """The customer takes it back."""
    here, number, said = frame.frame_of(request), frame.named(request), site.words_of(request)

    def write(session: Session) -> None:
        erasures.withdraw(session, _theirs(session, here, number).id, here.actor)

    await site.store_of(request).write(write)
    return await frame.done(request, _home(number), said("Nothing will be erased."))


def _theirs(session: Session, here: frame.Frame, number: int) -> Customer:
    return customers.get(session, directory.find(session, here.shop.id, number).id)


def _home(number: int) -> str:
    return f"/shop/customers/{number}/privacy"


def purposes(said: Words) -> dict[Purpose, tuple[str, str]]:
    """What customers are asked about, and what comes by it."""
    return {
        Purpose.ADVERTISING: (said("Offers"), said("News and offers, at most 3 a day, never at night.")),
        Purpose.CARE: (said("Care and questions"), said("Birthday, expiring points, how it was.")),
    }


def ways(said: Words) -> dict[str, str]:
    """How a yes or no was given."""
    return {
        "privacy": said("in the chat, /privacy"), "stop": said("by a message's stop button"), "staff": said("to a colleague"),
        "merge": said("two customers became one"),
    }  # fmt: skip
