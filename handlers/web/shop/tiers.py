"""Tiers in the console: the ladder with its cards and who stands where, and each level's looks and benefits."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, replace
from io import BytesIO
from typing import Any

from aiohttp import web
from PIL import Image, ImageOps, UnidentifiedImageError
from sqlalchemy.orm import Session

from handlers import tier_words
from handlers.measures import measured
from handlers.pictures.card import Card, draw_card
from handlers.web import site, uploads
from handlers.web.shop import fields, frame
from handlers.web.shop.frame import Frame
from handlers.words import Words
from loyalty.tiers import qualification, tiers
from loyalty.tiers.tier_rule import Policy
from loyalty.tiers.tiers import Tier
from loyalty.vouchers import voucher_programs
from store import audit, media, shops
from store.base import raw
from store.errors import ForbiddenError, InvalidError, NotFoundError
from store.staff import Member, Right

NUMBERS = ("multiplier", "price_cut", "gift_points", "priority")
TEXTS = ("name", "description", "price_list")
OWN = "own"
"""The style of two colours of one's own."""
PICTURE_SIDE = 512
SAMPLE_POINTS, SAMPLE_CODE = 1_234, "7K3M-9QPT"


def may_change(session: Session, member: Member) -> bool:
    """All shops share the tiers: who runs every one of them changes what they are."""
    return all(member.may(Right.CONSOLE, shop.id) for shop in shops.every(session))


def need(session: Session, member: Member) -> None:
    """Raises ForbiddenError unless `may_change`."""
    if not may_change(session, member):
        raise ForbiddenError("tiers")


# ── The ladder ─────────────────────────────────────────────────────────────────────────────────────


async def page(request: web.Request) -> web.StreamResponse:
    here, said = frame.frame_of(request), site.words_of(request)

    def look(session: Session) -> dict[str, Any]:
        ladder, rule = tiers.every(session), qualification.policy(session)
        rows = raw(session, "SELECT tier_id, count(*) FROM customers WHERE merged_into IS NULL GROUP BY tier_id")
        held = {number or ladder[0].id: 0 for number, _ in rows}
        for number, count in rows:
            held[number or ladder[0].id] += count
        return {
            "rule": rule, "may_change": may_change(session, here.member),
            "levels": [
                {
                    "tier": tier, "held": held.get(tier.id, 0), "brings": benefits(session, said, tier),
                    "enter": measured(said, rule.measure, tier.threshold) if tier.threshold else "",
                    "keep": measured(said, rule.measure, tier.keep) if tier.keep != tier.threshold else "",
                }
                for tier in ladder
            ],
        }  # fmt: skip

    context = await site.store_of(request).read(look)
    context["policy"] = policy_words(said, context["rule"])
    return await frame.render(request, "shop/tiers.html", context, page="tiers")


def benefits(session: Session, said: Words, tier: Tier) -> list[str]:
    """What a level brings, its gifts among it."""
    found = qualification.brings(tier) | {"gift_points": tier.gift_points}
    if tier.gift_program_id is not None:
        found["gift_voucher"] = voucher_programs.get(session, tier.gift_program_id).name
    return tier_words.brings(said, said, found)


def policy_words(said: Words, rule: Policy) -> list[str]:
    """The policy in plain sentences."""
    window = {
        "lifetime": said("Everything since they joined counts."), "rolling": said("The last 12 months count."),
        "year": said("The calendar year counts; what was reached is kept to the end of the next."),
    }[rule.window]  # fmt: skip
    if rule.window == "lifetime":
        return [window]
    lines = [window]
    if rule.grace_days:
        lines.append(
            said.plural(
                "Before falling there is {n} day of grace.",
                "Before falling there are {n} days of grace.",
                rule.grace_days,
            )
        )
    lines.append(
        said("Who falls goes down one level.") if rule.falling == "step"
        else said("Who falls goes to the level that fits.")
    )  # fmt: skip
    return lines


# ── A level ────────────────────────────────────────────────────────────────────────────────────────


async def edit(request: web.Request) -> web.StreamResponse:
    tier = await site.store_of(request).read(tiers.get, frame.named(request))
    return await _form(request, tier, filled(site.words_of(request), tier), {})


def filled(said: Words, tier: Tier) -> dict[str, str]:
    """A level as the form's fields."""
    form = {name: str(getattr(tier, name)) for name in TEXTS}
    form |= {name: said.number(getattr(tier, name)) for name in NUMBERS}
    first, comma, second = tier.style.partition(",")
    form |= {"style": OWN if comma else first, "first": first if comma else "#7C3AED", "second": second or "#22D3EE"}
    return form | {"gift_program_id": str(tier.gift_program_id or "")}


async def _form(
    request: web.Request, tier: Tier, form: Mapping[str, str], errors: Mapping[str, str], status: int = 200
) -> web.Response:
    here, said = frame.frame_of(request), site.words_of(request)

    def look(session: Session) -> dict[str, Any]:
        return {
            "offers": [offer for offer in voucher_programs.of_shop(session, here.shop.id)
                       if offer.ends_at is None or str(offer.id) == form.get("gift_program_id")],
            "may_change": may_change(session, here.member),
        }  # fmt: skip

    context = {
        **await site.store_of(request).read(look), "tier": tier, "form": form, "errors": errors,
        "styles": [
            ("stone", said("Stone")), ("silver", said("Silver")), ("honey", said("Honey")), ("ink", said("Ink")),
            (OWN, said("Two colours of your own")),
        ],
        "card": _card_address(here, tier, form),
    }  # fmt: skip
    return await frame.render(request, "shop/tier.html", context, page="tiers", status=status)


def _card_address(here: Frame, tier: Tier, form: Mapping[str, str]) -> str:
    picture = (tier.picture or "")[:8]
    return here.url(
        f"/shop/tiers/{tier.id}/card.png", style=_style(form), name=form.get("name", ""), picture=picture
    )  # fmt: skip


def _style(form: Mapping[str, str]) -> str:
    if form.get("style") == OWN:
        return f"{form.get('first', '')},{form.get('second', '')}".upper()
    return form.get("style", "")


async def preview(request: web.Request) -> web.StreamResponse:
    """The card of a level that is being changed."""
    tier = await site.store_of(request).read(tiers.get, frame.named(request))
    form = filled(site.words_of(request), tier) | dict(request.query)
    return await frame.part(
        request, "shop/tier_card.html", {"card": _card_address(frame.frame_of(request), tier, form)}
    )


async def card(request: web.Request) -> web.StreamResponse:
    """A sample of a level's card, with the looks that the address says or the level's own."""
    here, said = frame.frame_of(request), site.words_of(request)

    def look(session: Session) -> tuple[Tier, bytes | None]:
        tier = tiers.get(session, frame.named(request))
        return tier, media.load(session, tier.picture).content if tier.picture else None

    tier, picture = await site.store_of(request).read(look)
    style = request.query.get("style", "")
    if style in tiers.STYLES or tiers.GRADIENT.fullmatch(style):
        tier = replace(tier, style=style)
    sample = Card(
        shop_name=here.shop.name, brand=here.shop.brand, tier_name=request.query.get("name", tier.name)[:40],
        tier_style=tier.look, holder=said("Your customer"), points=SAMPLE_POINTS, points_label=said("points"), to_next="",
        code=SAMPLE_CODE, qr_payload="regulars:sample", language=said.language, tier_picture=picture,
    )  # fmt: skip
    content = await asyncio.to_thread(draw_card, sample)
    return web.Response(body=content, content_type="image/png", headers={"Cache-Control": "private, no-cache"})


async def save(request: web.Request) -> web.StreamResponse:
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    await site.store_of(request).read(need, here.member)
    tier = await site.store_of(request).read(tiers.get, frame.named(request))
    values: dict[str, Any] = {name: form.get(name, "") for name in TEXTS} | {"style": _style(form)}
    wrong: dict[str, InvalidError] = {}
    for name in NUMBERS:
        try:
            values[name] = fields.needed(form, name)
        except InvalidError as error:
            wrong[name] = error
    chosen = form.get("gift_program_id", "")

    def write(session: Session) -> None:
        need(session, here.member)
        try:
            values["gift_program_id"] = (
                voucher_programs.get(session, frame.whole(chosen), here.shop.id).id if chosen else None
            )
        except NotFoundError:
            raise InvalidError("gift_program_id", "unknown", chosen) from None
        before = tiers.get(session, tier.id)
        _audit(session, here, before, tiers.change(session, tier.id, **values))

    try:
        if wrong:
            raise next(iter(wrong.values()))
        await site.store_of(request).write(write)
    except InvalidError as error:
        errors = {name: _problem(said, name, one) for name, one in {**wrong, error.field: error}.items()}
        return await _form(request, tier, filled(said, tier) | form, errors, status=422)
    return await frame.done(request, f"/shop/tiers/{tier.id}", said("Saved. It counts from now on."))


def _audit(session: Session, here: Frame, before: Tier, after: Tier) -> None:
    was, now = asdict(before), asdict(after)
    changed = {name: [was[name], now[name]] for name in now if was[name] != now[name]}
    if changed:
        audit.record(session, here.actor, "tier_changed", here.shop.id, tier=after.id, changed=changed)


def _problem(said: Words, field: str, error: InvalidError) -> str:
    if error.problem in {"number", "empty"}:
        return said("Write a whole number, for example 30,000.")
    known = {
        "name": said("A tier's name has between 1 and 40 letters."),
        "description": said("Please keep it below 300 letters."),
        "price_list": said("Please keep it below 200 letters."),
        "style": said("Choose two colours, written like #7C3AED."),
        "multiplier": said("Between 1 and 1,000 per cent; 100 is as everybody else."),
        "price_cut": said("Between 0 and 90 per cent."),
        "gift_points": said("Between 0 and 1,000,000 points."), "priority": said("Between 0 and 9."),
        "gift_program_id": said("Choose one of your offers."),
    }  # fmt: skip
    return known.get(field) or site.say(said, error)


# ── Its picture ────────────────────────────────────────────────────────────────────────────────────


async def upload(request: web.Request) -> web.StreamResponse:
    """A picture of the level, cut to a square; none takes it away."""
    here, number = frame.frame_of(request), frame.named(request)
    _, sent = await uploads.read_form(request, 1)
    content = await asyncio.to_thread(_square, sent[0].content) if sent else None

    def write(session: Session) -> None:
        need(session, here.member)
        before = tiers.get(session, number)
        sha = media.keep(session, content, "image/png", PICTURE_SIDE, PICTURE_SIDE, ours=True) if content else None
        _audit(session, here, before, tiers.change(session, number, picture=sha))

    await site.store_of(request).write(write)
    return web.Response(status=204, headers={"HX-Refresh": "true"})


def _square(content: bytes) -> bytes:
    try:
        with Image.open(BytesIO(content)) as opened:
            picture = ImageOps.fit(ImageOps.exif_transpose(opened).convert("RGBA"), (PICTURE_SIDE, PICTURE_SIDE))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise InvalidError("picture", "format") from None
    kept = BytesIO()
    picture.save(kept, "PNG")
    return kept.getvalue()
