"""The shop's deadlines: how soon by priority and tier, who is told when they pass, and what that means for a ticket now."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.shop import fields, frame
from handlers.web.shop.deadlines import spans
from handlers.web.shop.deadlines.hours import PAGE, weekdays
from handlers.web.shop.frame import Frame
from handlers.words import Words
from loyalty.tiers import tiers
from loyalty.tiers.tiers import Tier
from store import audit
from store.errors import InvalidError
from support.deadlines import calculator, calendars, policies
from support.deadlines.calculator import Hours
from support.deadlines.policies import (
    ASSIGNEE,
    FIRST,
    KINDS,
    LEVELS_MAX,
    MANAGERS,
    NEXT,
    OWNERS,
    RESOLUTION,
    SUPERVISORS,
    Level,
    Minutes,
    Policy,
)
from support.tickets import Priority

PRIORITIES = (Priority.URGENT, Priority.HIGH, Priority.NORMAL, Priority.LOW)
SAMPLED = (FIRST, RESOLUTION)
"""What a ticket that has just come in has deadlines for."""


async def page(request: web.Request) -> web.StreamResponse:
    here = frame.frame_of(request)
    return await _page(request, _filled(await site.store_of(request).read(policies.current, here.shop.id)), {})


def _filled(policy: Policy) -> dict[str, str]:
    """The policy as it is, as the form's fields."""
    form = {"warn_percent": str(policy.warn_percent)}
    form |= {name: "1" for name in ("on", "told") if getattr(policy, name)}
    for tier_id, targets in [("", policy.targets), *((f"_{number}", of) for number, of in policy.tiers.items())]:
        for priority, minutes in targets.items():
            form |= {f"{kind}_{priority}{tier_id}": spans.shown_minutes(value) for kind, value in minutes.items()}
    for place, level in enumerate(policy.ladder):
        form |= {f"who_{place}": level.who, f"after_{place}": spans.shown_minutes(level.after or None)}
    return form


def _read(form: Mapping[str, str], levels: list[Tier]) -> Policy:
    """The policy that a form asks for. Raises InvalidError naming the field."""

    def targets(suffix: str) -> dict[str, Minutes]:
        return {
            priority.value: {kind: spans.minutes(form, f"{kind}_{priority}{suffix}") for kind in KINDS}
            for priority in PRIORITIES
        }

    own = {
        tier.id: {
            priority: {kind: value for kind, value in minutes.items() if value is not None}
            for priority, minutes in targets(f"_{tier.id}").items()
        }
        for tier in levels
    }
    ladder = [
        Level(form[f"who_{place}"], spans.minutes(form, f"after_{place}") or 0)
        for place in range(LEVELS_MAX) if form.get(f"who_{place}")
    ]  # fmt: skip
    return Policy(
        None, "on" in form, targets(""), own, fields.needed(form, "warn_percent"), tuple(ladder), "told" in form
    )


async def preview(request: web.Request) -> web.StreamResponse:
    """When a ticket that came in now would be due by what is being typed."""
    here, said, store = frame.frame_of(request), site.words_of(request), site.store_of(request)
    form = {name: value[: fields.TEXT_CHARS_MAX] for name, value in request.query.items()}
    levels, hours = await store.read(_known, here)
    context: dict[str, Any]
    try:
        context = {"sample": _sample(said, _read(form, levels), levels, hours, store.clock.now()), "wrong": ""}
    except InvalidError as error:
        context = {"sample": None, "wrong": _problem(said, error)}
    return await frame.part(request, "shop/deadlines/policy_preview.html", {**context, "known": hours is not None})


async def save(request: web.Request) -> web.StreamResponse:
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    store = site.store_of(request)
    try:
        asked = _read(form, (await store.read(_known, here))[0])
        await store.write(_save, here, asked)
    except InvalidError as error:
        return await _page(request, form, {_field(error, form): _problem(said, error)}, status=422)
    return await frame.done(request, "/shop/deadlines", said("Saved. It counts for tickets that come in from now on."))


def _save(session: Session, here: Frame, asked: Policy) -> None:
    before = policies.current(session, here.shop.id)
    if policies.save(session, here.shop.id, asked) is not None:
        after = policies.current(session, here.shop.id)
        told = {
            name: [_told(before)[name], value] for name, value in _told(after).items() if value != _told(before)[name]
        }
        audit.record(session, here.actor, "deadlines_changed", here.shop.id, changed=told)


def _told(policy: Policy) -> dict[str, Any]:
    return {name: value for name, value in asdict(policy).items() if name != "id"} | {
        "tiers": {str(number): of for number, of in policy.tiers.items()},
        "ladder": [[level.who, level.after] for level in policy.ladder],
    }


def _known(session: Session, here: Frame) -> tuple[list[Tier], Hours | None]:
    """The tiers above the lowest, whose customers may be answered sooner, and the shop's hours."""
    return tiers.every(session)[1:], calendars.hours(session, here.shop.id)


async def _page(
    request: web.Request, form: Mapping[str, str], errors: Mapping[str, str], status: int = 200
) -> web.Response:
    here, said, store = frame.frame_of(request), site.words_of(request), site.store_of(request)
    levels, hours = await store.read(_known, here)
    try:
        sample = _sample(said, _read(form, levels), levels, hours, store.clock.now())
    except InvalidError:
        sample = None
    context = {
        "tab": "deadlines", "form": form, "errors": errors, "known": hours is not None, "tiers": levels, "sample": sample,
        "wrong": "", "priorities": priorities(said), "kinds": kinds(said), "places": range(LEVELS_MAX),
        "audiences": [
            (ASSIGNEE, said("who looks after it")), (SUPERVISORS, said("the supervisors")),
            (MANAGERS, said("the managers")), (OWNERS, said("the owners")),
        ],
    }  # fmt: skip
    return await frame.render(request, "shop/deadlines/policy.html", context, page=PAGE, status=status)


def priorities(said: Words) -> list[tuple[str, str]]:
    """The priorities by name, the highest first."""
    names = {
        Priority.URGENT: said("Urgent"), Priority.HIGH: said("High"), Priority.NORMAL: said("Normal"),
        Priority.LOW: said("Low"),
    }  # fmt: skip
    return [(priority.value, names[priority]) for priority in PRIORITIES]


def kinds(said: Words) -> list[tuple[str, str]]:
    """What deadlines are for."""
    return [(FIRST, said("First answer")), (NEXT, said("Each next answer")), (RESOLUTION, said("Solution"))]


def _sample(said: Words, policy: Policy, levels: list[Tier], hours: Hours | None, at: datetime) -> list[dict[str, Any]]:
    """When a ticket that came in now would be due: for everybody, and for tiers that differ."""
    if hours is None or not policy.on:
        return []
    names = dict(kinds(said))
    groups: list[tuple[str, int | None]] = [(said("Everybody"), None)]
    groups += [(tier.name, tier.id) for tier in levels if any(policy.tiers.get(tier.id, {}).values())]
    found = []
    for group, tier_id in groups:
        lines = []
        for priority, name in priorities(said):
            allowed = [(kind, policy.allowance(kind, priority, tier_id)) for kind in SAMPLED]
            moments = [
                (names[kind], _moment(said, calculator.due(hours, at, allowance), hours.zone))
                for kind, allowance in allowed if allowance is not None
            ]  # fmt: skip
            lines.append({"priority": name, "moments": moments})
        found.append({"group": group if len(groups) > 1 else "", "lines": lines})
    return found


def _moment(said: Words, at: datetime, zone: str) -> str:
    day = at.astimezone(ZoneInfo(zone)).date()
    return f"{said.time(at, zone)} {weekdays(said)[day.weekday()]} {said.day(day)}"


def _field(error: InvalidError, form: Mapping[str, str]) -> str:
    """The form's field that a rule's field is."""
    name, _, place = error.field.partition(":")
    if name == "ladder" and place:
        used = [number for number in range(LEVELS_MAX) if form.get(f"who_{number}")]
        return f"after_{used[int(place)]}"
    return error.field.replace(":", "_")


def _problem(said: Words, error: InvalidError) -> str:
    if error.problem == "duration":
        return said("Write it like 30m, 2h or 2h30.")
    if error.field == "warn_percent":
        return said("Between 10 and 100 per cent.")
    known = {
        "range": said("Between 1 minute and 1,440 hours."), "order": said("A later step can't come sooner than the one before."),
        "count": said("Choose at least one person to tell."),
    }  # fmt: skip
    return known.get(error.problem) or site.say(said, error)
