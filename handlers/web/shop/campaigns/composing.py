"""Writing a campaign: the form left, what it would do right, and a test to oneself."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.chat import outreach
from handlers.chat.told import Told
from handlers.web import site
from handlers.web.bodies import parsed
from handlers.web.shop import fields, frame
from handlers.web.shop.campaigns import carrying
from handlers.web.shop.campaigns import said as facts
from handlers.web.shop.frame import Frame
from handlers.web.shop.offer_form import Filled
from handlers.web.shop.segments import overview
from handlers.words import Words
from loyalty.customers import customers
from loyalty.outreach import manners, templates
from loyalty.outreach.campaigns import campaigns, contents, costs, drafts, effects
from loyalty.outreach.campaigns.campaigns import Campaign, CampaignState
from loyalty.outreach.campaigns.contents import Button
from loyalty.outreach.campaigns.drafts import Draft
from loyalty.outreach.consents import PURPOSES
from loyalty.outreach.manners import Reach
from loyalty.outreach.segments import saved
from loyalty.outreach.segments.criteria import CriteriaError
from loyalty.outreach.templates import TemplateError
from loyalty.points import ledger
from loyalty.tiers import tiers
from loyalty.vouchers import voucher_programs
from store import audit, notices, staff
from store.clock import now
from store.errors import InvalidError, NotFoundError, RuleError
from store.outbox import Purpose

PAGE = "campaigns"
EVERYBODY: dict[str, Any] = {"all": []}
LANGUAGES = ("vi", "en")
CODE_SHOWN = "K7MP-2QXD"
CHARS_MAX = 20_000
"""Of a field: what is too long is refused in words, not cut."""


class NotBoundError(RuleError):
    """The reader has no messenger account here."""

    code = "not_bound"


# ── The form ────────────────────────────────────────────────────────────────────────────────────────


def filled(campaign: Campaign, zone: str) -> dict[str, str]:
    """A campaign as the form's fields."""
    form = {
        "campaign": str(campaign.id), "name": campaign.name, "who": "kept", "criteria": json.dumps(campaign.criteria, ensure_ascii=False),
        "purpose": next(key for key, value in PURPOSES.items() if value == campaign.purpose),
        "hold_out": str(campaign.hold_out) if campaign.hold_out else "", "when": "now",
        "program": str(campaign.program_id or ""), **carrying.filled(campaign),
    }  # fmt: skip
    for language in LANGUAGES:
        form[f"text_{language}"] = campaign.messages.get(language, "")
        form[f"text_b_{language}"] = (campaign.messages_b or {}).get(language, "")
    if campaign.best_hour:
        form["when"] = "best"
    elif campaign.send_at:
        here = campaign.send_at.astimezone(ZoneInfo(zone))
        form |= {"when": "at", "on": here.date().isoformat(), "at": here.strftime("%H:%M")}
    return form


def read(session: Session, form: Mapping[str, str], here: Frame) -> Draft:
    """The form as a draft. Raises InvalidError, by the form's fields."""
    texts = {
        half: {language: text for language in LANGUAGES if (text := form.get(f"text{half}_{language}", "").strip())}
        for half in ("", "_b")
    }
    when = form.get("when", "now")
    return Draft(
        form.get("name", ""), criteria_of(session, form, here), form.get("purpose", ""), texts[""], texts["_b"],
        fields.number(form, "hold_out") or 0, _moment(form, here.shop.timezone) if when == "at" else None, when == "best",
        int(form["program"]) if form.get("program", "").isdecimal() else None, carrying.read(form),
    )  # fmt: skip


def criteria_of(session: Session, form: Mapping[str, str], here: Frame) -> Any:
    """Who is meant: a saved segment's criteria as they are now, those that the draft holds, or everybody."""
    who = form.get("who", "")
    if who.isdecimal():
        return saved.get(session, int(who), here.shop.id).criteria
    if who == "kept":
        try:
            return parsed(form.get("criteria", ""))
        except ValueError:
            raise InvalidError("criteria", "format") from None
    return EVERYBODY


def _moment(form: Mapping[str, str], zone: str) -> datetime:
    day = fields.day(form, "on", zone)
    if day is None:
        raise InvalidError("on", "empty")
    try:
        clock = time.fromisoformat(form.get("at", ""))
    except ValueError:
        raise InvalidError("at", "time") from None
    return datetime.combine(day.date(), clock, ZoneInfo(zone))


async def new(request: web.Request) -> web.StreamResponse:
    form = {"purpose": "care", "when": "now", "who": request.query.get("segment", "")}
    return await shown(request, None, form, {})


async def shown(
    request: web.Request,
    campaign: Campaign | None,
    form: Mapping[str, str],
    errors: Mapping[str, str],
    status: int = 200,
) -> web.Response:
    here = frame.frame_of(request)
    await overview.prepare(request)

    def look(session: Session) -> dict[str, Any]:
        offers = [one for one in voucher_programs.of_shop(session, here.shop.id) if not one.shared]
        return {
            "segments": saved.of_shop(session, here.shop.id), "offers": offers, "effect": effect_of(session, request, form),
            "bound": _bound(session, here), "refuser": name_of(session, campaign.refused_by) if campaign and campaign.refused_by else "",
        }  # fmt: skip

    context = await site.store_of(request).read(look)
    context |= {
        "campaign": campaign,
        "form": Filled(form),
        "errors": errors,
        "variables": variables(site.words_of(request)),
        "kinds": carrying.kinds(site.words_of(request)),
        "places": carrying.places(site.words_of(request)),
    }
    return await frame.render(request, "shop/campaigns/compose.html", context, page=PAGE, status=status)


def name_of(session: Session, actor: str) -> str:
    """Who of the team did something, as the audit names them."""
    kind, _, number = actor.partition(":")
    if kind != "staff" or not number.isdecimal():
        return "API"
    try:
        return staff.get(session, int(number)).name
    except NotFoundError:
        return "–"


def variables(said: Words) -> list[tuple[str, str]]:
    """What can be put into the words by a click."""
    return [
        ("name", said("Name")), ("you", said("bạn/anh/chị")), ("we", said("mình/em")), ("points", said("Points")),
        ("tier", said("Tier")), ("shop", said("Shop")), ("code", said("Voucher code")),
    ]  # fmt: skip


async def create(request: web.Request) -> web.StreamResponse:
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request, CHARS_MAX)

    def write(session: Session) -> Campaign:
        return drafts.add(session, here.shop.id, read(session, form, here), here.actor)

    try:
        made = await site.store_of(request).write(write)
    except InvalidError as error:
        return await shown(request, None, form, refusals(said, form, error), status=422)
    return await frame.done(
        request, f"/shop/campaigns/{made.id}", said("Saved as a draft. Nobody has been written to.")
    )


async def save(request: web.Request) -> web.StreamResponse:
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request, CHARS_MAX)
    number = frame.named(request)

    def write(session: Session) -> Campaign:
        return drafts.change(session, number, here.shop.id, read(session, form, here), here.actor)

    try:
        await site.store_of(request).write(write)
    except InvalidError as error:
        campaign = await site.store_of(request).read(campaigns.get, number, here.shop.id)
        return await shown(request, campaign, form, refusals(said, form, error), status=422)
    return await frame.done(request, f"/shop/campaigns/{number}", said("Saved."))


def refusals(said: Words, form: Mapping[str, str], error: InvalidError) -> dict[str, str]:
    """What is wrong, in words at the form's field."""
    if found := carrying.refusals(said, form, error):
        return found
    place, _, language = error.field.partition(".")
    field = {
        "messages": f"text_{language or 'vi'}", "messages_b": f"text_b_{language or 'vi'}", "send_at": "on",
        "voucher_program": "program", "criteria": "who",
    }.get(place, place)  # fmt: skip
    value = str(error.value or "")
    known = {
        ("name", "length"): said("Give it a name of 1 to 120 letters. Only you and your colleagues see it."),
        ("hold_out", "range"): said("Between 0 and 90 per cent."),
        ("hold_out", "number"): said("Write a whole number, for example 10."),
        ("send_at", "range"): said("Choose a time from now on, within a year."),
        ("on", "empty"): said("Choose a day."), ("on", "date"): said("Choose a day from the calendar."),
        ("at", "time"): said("Give the hour, for example 09:00."),
        ("messages", "required"): said("Write what your customers are to read."),
        ("messages", "length"): said("That is too long for one message: 3,500 letters at most."),
        ("messages", "syntax"): said("Something is wrong with the brackets in line {line}. Write {{{{ name }}}} with two on each side.", line=value),
        ("messages", "unknown"): said("“{name}” isn't known. Click one of the buttons above the words.", name=value),
        ("messages", "unsupported"): said("Loops and sums aren't possible here, only what the buttons put in and {{% if … %}}."),
        ("voucher_program", "required"): said("The words or a button name a voucher: choose which one."),
        ("voucher_program", "unsupported"): said("A code for everybody can't go along; choose an offer with a code each."),
    }  # fmt: skip
    known |= {("messages_b", problem): words for (where, problem), words in known.items() if where == "messages"}
    return {field: known.get((place, error.problem)) or site.say(said, error)}


# ── What it would do ────────────────────────────────────────────────────────────────────────────────


async def effect(request: web.Request) -> web.StreamResponse:
    """The piece beside a form that is being filled in."""
    form = await fields.read(request, CHARS_MAX)
    found = await site.store_of(request).read(effect_of, request, form)
    return await frame.part(request, "shop/campaigns/effect_alone.html", {"effect": found, "form": Filled(form)})


def effect_of(session: Session, request: web.Request, form: Mapping[str, str]) -> dict[str, Any] | None:
    """What it would do; None where the form can't be read yet."""
    here, said = frame.frame_of(request), site.words_of(request)
    purpose = PURPOSES.get(form.get("purpose", ""), Purpose.CARE)
    try:
        found = effects.of(session, criteria_of(session, form, here), purpose, here.shop.timezone, here.shop.id)
        hold_out = min(90, max(0, fields.number(form, "hold_out") or 0))
    except (CriteriaError, InvalidError, NotFoundError):
        return None
    people = found.reached * (100 - hold_out) // 100
    cost = costs.of(session, here.shop.id)
    heard = {name: number * (100 - hold_out) // 100 for name, number in found.by_messenger.items()}
    rate = costs.PAID_PACE if cost.paid else request.config_dict[site.SITE].rate
    pictures = _pictures(session, form, here)
    # How many of them are beyond the free ones only the sending tells: said is the most that it may come to.
    beyond = max(0, heard.get("telegram", 0) * contents.messages(pictures) - costs.FREE_RATE) if cost.paid else 0
    price = sum(number * cost.prices.get(name, 0) for name, number in heard.items())
    reader = found.reader or _nobody(said)
    halves = [("", said("What they read"))] + (
        [("_b", said("What the other half reads"))] if _written(form, "_b") else []
    )
    return {
        "opens": manners.opens(purpose, now(session), here.shop.timezone, manners.rules(session)),
        "pictures": pictures, "found": found, "held_out": found.reached - people, "people": people, "reader": reader,
        "line": facts.sending(said, people, people / rate, price, costs.stars(beyond)), "reasons": facts.reasons(said),
        "readers": [(label, *_read_as(session, form, half, reader, purpose, here)) for half, label in halves],
    }  # fmt: skip


def _pictures(session: Session, form: Mapping[str, str], here: Frame) -> list[str]:
    """Where the pictures of a saved draft are shown."""
    number = form.get("campaign", "")
    if not number.isdecimal():
        return []
    count = len(campaigns.get(session, frame.whole(number), here.shop.id).pictures or ())
    return [f"/shop/campaigns/{number}/pictures/{place}" for place in range(count)]


def _written(form: Mapping[str, str], half: str) -> bool:
    return any(form.get(f"text{half}_{language}", "").strip() for language in LANGUAGES)


def _nobody(said: Words) -> Reach:
    """Whom a message is shown to where nobody would hear it."""
    return Reach(0, "", 0, "Lan", said.language, None)


def _read_as(
    session: Session, form: Mapping[str, str], half: str, reader: Reach, purpose: Purpose, here: Frame
) -> tuple[str, list[str], bool]:
    """What one customer would read, its buttons, and whether it can't be sent as it is."""
    template = form.get(f"text{half}_{reader.language}", "").strip() or next(
        (text for language in LANGUAGES if (text := form.get(f"text{half}_{language}", "").strip())), ""
    )
    try:
        told = _told(
            session, template, reader, purpose, here.shop.name, carrying.read(form), voucher=bool(form.get("program"))
        )
    except TemplateError:
        return template, [], True
    rows = told.buttons.inline_keyboard if told.buttons else []
    return told.text, [button.text for row in rows for button in row], False


def _told(
    session: Session,
    template: str,
    reader: Reach,
    purpose: Purpose,
    shop: str,
    buttons: Sequence[Button],
    *,
    voucher: bool,
) -> Told:
    templates.check(template)
    points = ledger.balances_of_many(session, [reader.customer_id], "available").get(reader.customer_id, 0)
    ladder = tiers.every(session)
    tier = ladder[0].name
    if reader.customer_id:
        level = customers.get(session, reader.customer_id).tier_id
        tier = next((one.name for one in ladder if one.id == level), tier)
    values = outreach.values_of(reader, points=points, tier=tier, shop=shop)
    if voucher and not contents.claimed(buttons):
        values["code"] = CODE_SHOWN
    whole = [button for button in buttons if button.words]
    return outreach.told(template, values, purpose, reader.language, shorten=str, buttons=whole)


# ── A test to oneself ───────────────────────────────────────────────────────────────────────────────


def _bound(session: Session, here: Frame) -> bool:
    """Whether the reader's own Telegram is known."""
    return any(account.startswith("telegram:") for account, _ in staff.accounts_of(session, here.member.id))


async def send_test(request: web.Request) -> web.StreamResponse:
    """Send a draft to the reader's own Telegram, as the customer beside it would read it; nothing else happens."""
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)

    def write(session: Session) -> None:
        campaign = campaigns.get(session, number, here.shop.id)
        if campaign.state not in {CampaignState.DRAFT, CampaignState.PROPOSED}:
            raise campaigns.CampaignStateError(number, campaign.state)
        if not _bound(session, here):
            raise NotBoundError(number)
        purpose = Purpose(campaign.purpose)
        found = effects.of(session, campaign.criteria, purpose, here.shop.timezone, here.shop.id)
        reader = found.reader or _nobody(said)
        for messages in filter(None, (campaign.messages, campaign.messages_b)):
            template = messages.get(reader.language) or next(iter(messages.values()))
            told = _told(
                session, template, reader, purpose, here.shop.name, contents.buttons_of(campaign.buttons),
                voucher=campaign.program_id is not None,
            )  # fmt: skip
            # Its buttons would act on the reader's own account: they are left out.
            head = said("A test, to you alone:")
            test = Told(f"{head}\n\n{told.text}", plain=True)
            for part in outreach.with_pictures(test, contents.pictures_of(campaign.pictures)):
                notices.tell(
                    session, "campaign_test", staff_id=here.member.id, purpose=Purpose.REPLY, text=part.text, files=part.files,
                )  # fmt: skip
        audit.record(session, here.actor, "campaign_tested", here.shop.id, campaign=number)

    try:
        await site.store_of(request).write(write)
    except NotBoundError:
        words = said("Your Telegram isn't linked yet: do it under Set-up first.")
        return await frame.done(request, f"/shop/campaigns/{number}", words)
    return await frame.done(request, f"/shop/campaigns/{number}", said("The test is on its way to your Telegram."))
