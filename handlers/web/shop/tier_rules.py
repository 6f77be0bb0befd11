"""The rules of the tiers in the console: levels, what they are measured by, and who would move, said before it is saved."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.shop import fields, frame, tiers
from handlers.words import Words
from loyalty.tiers import qualification, tier_review
from loyalty.tiers import tiers as ladder_of
from loyalty.tiers.tier_review import Outlook, Way
from loyalty.tiers.tier_rule import Falling, Measure, Policy, Window
from loyalty.tiers.tiers import LEVELS_MAX, Level
from store import audit
from store.errors import InvalidError

NUMBERS = ("grace_days", "notice_days")


@dataclass(frozen=True, slots=True)
class Asked:
    """Rules as the form asks for them; `seen` marks exactly these, for what is saved must have been looked at."""

    levels: list[Level]
    rule: Policy

    @property
    def seen(self) -> str:
        said = json.dumps([[asdict(level) for level in self.levels], asdict(self.rule)], ensure_ascii=False)
        return hashlib.sha256(said.encode()).hexdigest()[:16]


async def page(request: web.Request) -> web.StreamResponse:
    said = site.words_of(request)
    return await _page(request, await site.store_of(request).read(lambda session: _filled(said, session)), {})


def _filled(said: Words, session: Session) -> dict[str, str]:
    """The rules as they are, as the form's fields."""
    rule = qualification.policy(session)
    form = {"measure": rule.measure.value, "window": rule.window.value, "falling": rule.falling.value}
    form |= {name: str(getattr(rule, name)) for name in NUMBERS}
    for place, tier in enumerate(ladder_of.every(session)):
        form |= {
            f"id_{place}": str(tier.id), f"name_{place}": tier.name, f"threshold_{place}": said.number(tier.threshold),
            f"keep_{place}": said.number(tier.keep) if tier.keep != tier.threshold else "",
        }  # fmt: skip
    return form


def _read(form: Mapping[str, str]) -> Asked:
    """The rules that a form asks for. Raises InvalidError naming the field."""
    levels = []
    for place in range(LEVELS_MAX):
        name, number = form.get(f"name_{place}", ""), form.get(f"id_{place}", "")
        if f"out_{place}" in form or not (name or form.get(f"threshold_{place}")):
            continue
        threshold = fields.needed(form, f"threshold_{place}")
        levels.append(
            (
                place,
                Level(frame.whole(number) if number else None, name, threshold, fields.number(form, f"keep_{place}")),
            )
        )
    try:
        measure, window, falling = Measure(form["measure"]), Window(form["window"]), Falling(form["falling"])
    except (KeyError, ValueError):
        raise InvalidError("measure", "unknown") from None
    grace_days, notice_days = (fields.needed(form, name) for name in NUMBERS)
    try:
        found = ladder_of.checked([level for _, level in levels])
    except InvalidError as error:
        field, colon, nth = error.field.partition(":")
        raise InvalidError(f"{field}_{levels[int(nth)][0]}" if colon else field, error.problem, error.value) from None
    return Asked(found, Policy(measure, window, falling, grace_days, notice_days))


async def _page(
    request: web.Request, form: Mapping[str, str], errors: Mapping[str, str], *, shown: dict[str, Any] | None = None,
    status: int = 200,
) -> web.Response:  # fmt: skip
    here, said = frame.frame_of(request), site.words_of(request)
    used = [place for place in range(LEVELS_MAX) if form.get(f"name_{place}") or form.get(f"threshold_{place}")]
    context = {
        "form": form, "errors": errors, "places": [*used, *[place for place in range(LEVELS_MAX) if place not in used][:1]],
        "may_change": await site.store_of(request).read(tiers.may_change, here.member), "shown": shown,
        "measures": [
            (Measure.TIER_POINTS, said("Tier points")), (Measure.SPEND, said("What they spend, in đồng")),
            (Measure.VISITS, said("Visits: days on which they bought")), (Measure.ORDERS, said("Orders paid")),
        ],
        "windows": [
            (Window.LIFETIME, said("Since they joined")), (Window.ROLLING, said("The last 12 months")),
            (Window.YEAR, said("The calendar year")),
        ],
        "fallings": [
            (Falling.REEVALUATED, said("To the level that fits")), (Falling.STEP, said("Down one level")),
        ],
    }  # fmt: skip
    return await frame.render(request, "shop/tier_rules.html", context, page="tiers", status=status)


async def preview(request: web.Request) -> web.StreamResponse:
    """Who would move by these rules, in plain words; nothing is saved."""
    said, form = site.words_of(request), await fields.read(request)
    script = frame.by_script(request)
    try:
        asked = _read(form)
        shown = await _shown(request, asked)
    except InvalidError as error:
        errors = {error.field: _problem(said, error)}
        if script:
            return await frame.part(request, "shop/tier_preview.html", {"shown": None, "errors": errors})
        return await _page(request, form, errors, status=422)
    if script:
        return await frame.part(request, "shop/tier_preview.html", {"shown": shown, "errors": {}})
    return await _page(request, form, {}, shown=shown)


async def save(request: web.Request) -> web.StreamResponse:
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    await site.store_of(request).read(tiers.need, here.member)
    try:
        asked = _read(form)
        if form.get("seen") != asked.seen:
            # Changed since it was looked at, or not looked at at all.
            return await _page(request, form, {}, shown=await _shown(request, asked))

        def write(session: Session) -> None:
            tiers.need(session, here.member)
            before = _told(session)
            tier_review.save(session, asked.levels, asked.rule)
            audit.record(session, here.actor, "tier_rules_changed", here.shop.id, before=before, after=_told(session))

        await site.store_of(request).write(write)
    except InvalidError as error:
        return await _page(request, form, {error.field: _problem(said, error)}, status=422)
    return await frame.done(request, "/shop/tiers", said("Saved. Customers are being moved now."))


def _told(session: Session) -> dict[str, Any]:
    rule = asdict(qualification.policy(session))
    levels = [[tier.id, tier.name, tier.threshold, tier.keep] for tier in ladder_of.every(session)]
    return {**rule, "levels": levels}


async def _shown(request: web.Request, asked: Asked) -> dict[str, Any]:
    """The outcome in words. A batch at a time: others go on in between."""
    said, store, outlook = site.words_of(request), site.store_of(request), Outlook()
    while outlook.after is not None:
        outlook = await store.read(tier_review.look_ahead, asked.levels, asked.rule, outlook)
    return {"lines": _lines(said, asked.rule, outlook), "customers": outlook.seen, "seen": asked.seen}


def _lines(said: Words, rule: Policy, outlook: Outlook) -> list[dict[str, Any]]:
    """A line for each tier that customers would come to, rises first."""
    counts: defaultdict[Way, int] = defaultdict(int)
    names: defaultdict[Way, list[str]] = defaultdict(list)
    for way, count in outlook.ways.items():
        together = way._replace(before="")
        counts[together] += count
        names[together] += [name for name in outlook.names.get(way, ()) if name]
    lines = []
    for way, count in sorted(counts.items(), key=lambda one: (not one[0].rises, one[0].grace, -one[1])):
        if way.grace:
            words = said.plural(
                "{n} customer would have {days} days of grace to keep {tier}",
                "{n} customers would have {days} days of grace to keep {tier}", count, tier=way.after,
                days=rule.grace_days,
            )  # fmt: skip
        elif way.rises:
            words = said.plural(
                "{n} customer will rise to {tier}", "{n} customers will rise to {tier}", count, tier=way.after
            )  # fmt: skip
        else:
            words = said.plural(
                "{n} customer will go back to {tier}", "{n} customers will go back to {tier}", count, tier=way.after
            )  # fmt: skip
        some = names[way][: tier_review.SAMPLE]
        more = said("and others") if some and len(some) < count else ""
        lines.append({"words": words, "rises": way.rises, "grace": way.grace, "names": some, "more": more})
    return lines


def _problem(said: Words, error: InvalidError) -> str:
    if error.problem in {"number", "empty"}:
        return said("Write a whole number, for example 30,000.")
    field = error.field.partition("_")[0]
    known = {
        ("levels", "count"): said("There are between 1 and {n} tiers.", n=LEVELS_MAX),
        ("levels", "base"): said("The lowest tier begins at 0: everybody stands on it."),
        ("name", "length"): said("A tier's name has between 1 and 40 letters."),
        ("threshold", "range"): said("What it takes is 0 or more."),
        ("threshold", "twice"): said("Another tier takes just as much."),
        ("keep", "range"): said("Keeping a tier can't take more than reaching it."),
        ("keep", "order"): said("Keeping a tier can't take less than keeping the one below."),
    }  # fmt: skip
    if error.field in NUMBERS:
        return said("Between 0 and 366 days.")
    return known.get((field, error.problem)) or site.say(said, error)
