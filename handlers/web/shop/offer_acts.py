"""What is done with an offer beside its form: shown, hidden, ended, given, its codes and its picture."""

import asyncio
import secrets
from io import BytesIO
from typing import Any

from aiohttp import web
from PIL import Image, ImageOps, UnidentifiedImageError
from sqlalchemy.orm import Session

from handlers.web import files, site, uploads
from handlers.web.shop import fields, frame, offer_form
from handlers.web.shop.frame import Frame
from handlers.web.shop.offer_page import change_offer, may_change, own, show_form
from handlers.words import Words
from loyalty.attempts import TooManyError
from loyalty.customers import counter, customers
from loyalty.vouchers import rewards, shared_codes, voucher_programs, vouchers
from loyalty.vouchers.vouchers import LimitError, SoldOutError
from store import audit, media
from store.clock import now
from store.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, RuleError

IMAGE_SIDE = 640
KEY_CHARS_MAX = 64


async def act(request: web.Request) -> web.StreamResponse:
    """Hide, show, end or reopen an offer, or make its public link."""
    here, said = frame.frame_of(request), site.words_of(request)
    action, program_id = request.match_info["action"], frame.named(request)

    def write(session: Session) -> None:
        if action == "link":
            offer = voucher_programs.get(session, program_id, here.shop.id)
            if not may_change(here, offer):
                raise ForbiddenError(program_id)
            rewards.offer_code(session, program_id)
            audit.record(session, here.actor, "offer_link", here.shop.id, program=program_id)
            return
        changes: dict[str, dict[str, Any]] = {
            "hide": {"hidden": True}, "show": {"hidden": False}, "end": {"ends_at": now(session)},
            "reopen": {"ends_at": None},
        }  # fmt: skip
        change_offer(session, here, program_id, f"offer_{action}", **changes[action])

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
        if not may_change(here, offer):
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
        offer = await own(request)
        shown = offer_form.filled(said, offer, here.shop.timezone) | {"shared_code": typed}
        return await show_form(request, offer, shown, offer_form.errors(said, {}, error), status=422)
    words = said("The code can't be used any more.") if "stop" in form else said("The code can be used now.")
    return await frame.done(request, f"/shop/offers/{program_id}", words)


async def image(request: web.Request) -> web.StreamResponse:
    """A picture of what is offered, on the voucher and in the chat; none takes it away."""
    here, number = frame.frame_of(request), frame.named(request)
    _, sent = await uploads.read_form(request, 1)
    content = await asyncio.to_thread(_square, sent[0].content) if sent else None

    def write(session: Session) -> None:
        sha = media.keep(session, content, "image/jpeg", IMAGE_SIDE, IMAGE_SIDE, ours=True) if content else None
        change_offer(session, here, number, "offer_image", image=sha)

    await site.store_of(request).write(write)
    return web.Response(status=204, headers={"HX-Refresh": "true"})


async def shown_image(request: web.Request) -> web.StreamResponse:
    """The picture itself."""
    offer = await own(request)
    if offer.image is None:
        raise NotFoundError("picture", offer.id)
    return files.media_response(await site.store_of(request).read(media.load, offer.image), "offer.jpg")


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
    offer, who, key = await own(request), form.get("who", ""), form.get("key", "")
    key = key[:KEY_CHARS_MAX] or secrets.token_urlsafe(18)
    try:
        found = await site.store_of(request).write(_give, here, offer.id, who, f"console:{key}")
        if isinstance(found, RuleError):
            raise found
    except (NotFoundError, ConflictError, TooManyError, SoldOutError) as error:
        filled = offer_form.filled(said, offer, here.shop.timezone)
        return await show_form(
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
