"""The earning plan in the console: its editor with a sample order, its versions, and the rules of points all shops share."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.shop import fields, frame, plan_form
from handlers.words import Words
from loyalty import programme
from loyalty.orders import earning, earning_rules
from loyalty.programme import Expiry, Refunds
from loyalty.tiers import tiers
from store import audit
from store.errors import ForbiddenError, InvalidError

VERSIONS = 8
COMMON_NUMBERS = (
    "expiry_months",
    "gift_points",
    "gift_count",
    "adjust_owner",
    "adjust_manager",
    "adjust_agent",
    "adjust_cashier",
)
COMMON_CHOICES = ("expiry_rule", "refund_policy")
SAMPLE = {"sample_total": "85.000", "sample_order": "", "sample_items": "", "sample_tier": "", "sample_time": "15:00"}


async def page(request: web.Request) -> web.StreamResponse:
    return await _form(request, None, {})


async def _form(
    request: web.Request, typed: Mapping[str, str] | None, errors: Mapping[str, str], status: int = 200
) -> web.Response:
    here, said, store = frame.frame_of(request), site.words_of(request), site.store_of(request)

    def look(session: Session) -> dict[str, Any]:
        return {
            "plan": earning.current(session, here.shop.id), "versions": earning.history(session, here.shop.id, VERSIONS),
            "ladder": tiers.every(session), "common": programme.get(session),
        }  # fmt: skip

    context = await store.read(look)
    form = plan_form.filled(said, context["plan"].rules) if typed is None else dict(typed)
    common = {name: said.number(getattr(context["common"], name)) for name in COMMON_NUMBERS}
    common |= {name: getattr(context["common"], name) for name in COMMON_CHOICES}
    common["second_approval"] = "on" if context["common"].second_approval else ""
    form = SAMPLE | common | form
    context |= {
        "form": form, "errors": errors, "places": plan_form.places(form), "days": _days(said),
        "result": await _result(request, form), "orders": _orders(said), "unlimited": programme.UNLIMITED,
        "expiries": [
            (Expiry.MONTH, said("at the end of the month")), (Expiry.QUARTER, said("at the end of the quarter")),
            (Expiry.YEAR, said("at the end of the year")), (Expiry.NEVER, said("never")),
        ],
        "refunds": [
            (Refunds.DEBT, said("The balance falls below 0; the next points pay it.")),
            (Refunds.CAP, said("What is there is taken, the rest is let off.")),
        ],
    }  # fmt: skip
    return await frame.render(request, "shop/plan.html", context, page="points", status=status)


def _days(said: Words) -> list[tuple[int, str]]:
    names = (said("Mon"), said("Tue"), said("Wed"), said("Thu"), said("Fri"), said("Sat"), said("Sun"))
    return list(enumerate(names, start=1))


def _orders(said: Words) -> list[tuple[str, str]]:
    return [("", said("any")), ("1", said("the first")), ("2", said("the second")), ("1,2", said("the first two"))]


async def preview(request: web.Request) -> web.StreamResponse:
    """What rules that are being typed would give on the sample order."""
    form = await fields.read(request)
    return await frame.part(request, "shop/plan_preview.html", {"result": await _result(request, form)})


async def _result(request: web.Request, form: Mapping[str, str]) -> dict[str, Any]:
    here, said, store = frame.frame_of(request), site.words_of(request), site.store_of(request)
    try:
        document, _ = plan_form.document(form)
        sample = plan_form.sample(form, store.clock.now(), here.shop.timezone)
        gives = await store.read(earning.preview, here.shop.id, document, sample)
    except (InvalidError, ValueError):
        return {"points": None}
    return {
        "total": said.money(sample.total, here.shop.currency), "points": said.number(gives.points),
        "tier_points": said.number(gives.tier_points),
        "matched": [plan_form.in_words(said, name, percent) for name, percent in gives.matched],
        "items": len(sample.items),
    }  # fmt: skip


async def save(request: web.Request) -> web.StreamResponse:
    """A new version of the plan, of this shop or of all."""
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    wide = bool(form.get("everywhere")) and here.rules_all
    rows: list[int] = []

    def write(session: Session, document: Mapping[str, Any]) -> None:
        for shop in here.shops if wide else [here.shop]:
            before = earning.current(session, shop.id)
            after = earning.save(session, shop.id, document, here.actor)
            if after.version != before.version:
                was, now = earning_rules.document_of(before.rules), earning_rules.document_of(after.rules)
                changed = {name: [was[name], value] for name, value in now.items() if value != was[name]}
                audit.record(
                    session, here.actor, "plan_changed", shop.id, version=after.version, changed=changed
                )  # fmt: skip

    try:
        document, rows = plan_form.document(form)
        await site.store_of(request).write(write, document)
    except InvalidError as error:
        wrong = {plan_form.field_of(error, rows): _problem(said, error)}
        return await _form(request, form, wrong, status=422)
    return await frame.done(request, "/shop/plan", said("Saved. It counts from the next order on."))


async def save_common(request: web.Request) -> web.StreamResponse:
    """The rules of points that all shops share; only for who owns all of them."""
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    if not here.rules_all:
        raise ForbiddenError("programme")

    def write(session: Session, values: Mapping[str, Any]) -> None:
        before = asdict(programme.get(session))
        programme.change(session, **values)
        after = asdict(programme.get(session))
        changed = {name: [before[name], value] for name, value in after.items() if value != before[name]}
        if changed:
            audit.record(session, here.actor, "programme_changed", here.shop.id, changed=changed)

    try:
        values: dict[str, Any] = {name: fields.needed(form, name) for name in COMMON_NUMBERS}
        values |= {name: form.get(name, "") for name in COMMON_CHOICES}
        values["second_approval"] = bool(form.get("second_approval"))
        await site.store_of(request).write(write, values)
    except InvalidError as error:
        return await _form(request, None, {error.field: _problem(said, error)}, status=422)
    return await frame.done(request, "/shop/plan", said("Saved."))


def _problem(said: Words, error: InvalidError) -> str:
    if error.problem in {"number", "empty"}:
        return said("Write a whole number, for example 30,000.")
    name = error.field.rpartition(".")[2]
    known = {
        "earn_per": said("Write an amount of at least 1 ₫."), "tier_per": said("Write an amount of at least 1 ₫."),
        "name": said("A name of up to 60 letters: customers see it beside their points."),
        "percent": said("Between 0 and 1,000 per cent."), "hours": said("Two different times, like 14:00 and 16:00."),
        "first_day": said("This isn't a day."), "last_day": said("It ends before it begins."),
        "items": said("Names of up to 60 letters, with commas between."),
        "categories": said("Names of up to 60 letters, with commas between."),
        "streak_visits": said("2 to 100 days, no more than the days they lie in."),
        "streak_days": said("Between 2 and 366 days."),
        "expiry_months": said("Between 0 and 120 months; 0 means never."),
        "gift_count": said("Between 0 and 1,000."),
    }  # fmt: skip
    return known.get(name) or said("Between 0 and 1,000,000 points.")
