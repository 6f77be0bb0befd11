"""Steps: what a journey does, one after the other, as data. Pure: nothing here knows the database or the time of day.

    {kind: wait, days | hours, at?}   {kind: until, weekday | date, at}   {kind: message, messages, purpose?, pictures?}
    {kind: voucher, program}   {kind: points, points, reason}   {kind: tag, tag}   {kind: task, text}   {kind: webhook, name}
    {kind: condition, criteria, then: […], else: […]}   {kind: split, share, a: […], b: […]}   {kind: exit}

Each step has a number (`id`) of its own that stays when the list is changed, so that who stands at a step still finds it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from loyalty.outreach import templates
from loyalty.outreach.campaigns.contents import PICTURES_MAX
from loyalty.outreach.segments import criteria
from store.errors import InvalidError

STEPS_MAX = 60
DEPTH_MAX = 4
DAYS_MAX, HOURS_MAX = 730, 24 * 60
POINTS_MAX = 1_000_000
BRANCHES = {"condition": ("then", "else"), "split": ("a", "b")}
KINDS = ("wait", "until", "condition", "split", "message", "voucher", "points", "tag", "task", "webhook", "exit")
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Placed:
    """A step in its list: what comes after it, None at the end."""

    step: Json
    following: int | None


def check(given: Any, path: str = "steps") -> list[Json]:
    """Steps as they may be kept, each with a number. Raises InvalidError naming the place."""
    taken = {step["id"] for step in _each(given) if isinstance(step.get("id"), int) and step["id"] > 0}
    fresh = iter(number for number in range(1, 10 * STEPS_MAX) if number not in taken)
    seen: set[int] = set()
    found = _list(given, path, fresh, seen, DEPTH_MAX)
    if not found:
        raise InvalidError(path, "required")
    if len(seen) > STEPS_MAX:
        raise InvalidError(path, "length", STEPS_MAX)
    return found


def _each(given: Any) -> Iterator[Json]:
    for step in given if isinstance(given, list) else ():
        if isinstance(step, Mapping):
            yield dict(step)
            for name in BRANCHES.get(str(step.get("kind")), ()):
                yield from _each(step.get(name))


def _list(given: Any, path: str, fresh: Iterator[int], seen: set[int], depth: int) -> list[Json]:
    if not isinstance(given, list):
        raise InvalidError(path, "type")
    if depth == 0:
        raise InvalidError(path, "depth", DEPTH_MAX)
    return [_step(step, f"{path}.{at}", fresh, seen, depth) for at, step in enumerate(given)]


def _step(given: Any, path: str, fresh: Iterator[int], seen: set[int], depth: int) -> Json:
    if not isinstance(given, Mapping):
        raise InvalidError(path, "type")
    kind = given.get("kind")
    if kind not in KINDS:
        raise InvalidError(f"{path}.kind", "unknown", kind)
    number = given.get("id")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1 or number in seen:
        number = next(fresh)
    seen.add(number)
    kept: Json = {"id": number, "kind": kind}
    match kind:
        case "wait":
            unit = "hours" if "hours" in given else "days"
            kept[unit] = _number(given, unit, path, 0, HOURS_MAX if unit == "hours" else DAYS_MAX)
            if unit == "days" and given.get("at"):
                kept["at"] = _clock(given["at"], f"{path}.at")
        case "until":
            if "date" in given:
                kept["date"] = _day(given["date"], f"{path}.date")
            else:
                kept["weekday"] = _number(given, "weekday", path, 1, 7)
            kept["at"] = _clock(given.get("at") or "09:00", f"{path}.at")
        case "condition":
            kept["criteria"] = criteria.written(criteria.parse(given.get("criteria"), f"{path}.criteria"))
        case "split":
            kept["share"] = _number(given, "share", path, 1, 99)
        case "message":
            kept["messages"] = _messages(given.get("messages"), f"{path}.messages")
            kept["purpose"] = given.get("purpose") or "care"
            if kept["purpose"] not in {"care", "advertising"}:
                raise InvalidError(f"{path}.purpose", "unknown", kept["purpose"])
            if given.get("pictures"):
                kept["pictures"] = _addresses(given["pictures"], f"{path}.pictures")
        case "voucher":
            kept["program"] = _number(given, "program", path, 1, 2**62)
        case "points":
            kept["points"] = _number(given, "points", path, 1, POINTS_MAX)
            kept["reason"] = _words(given.get("reason") or "", f"{path}.reason", 200)
        case "tag":
            kept["tag"] = _words(given.get("tag"), f"{path}.tag", 60)
        case "task":
            kept["text"] = _words(given.get("text"), f"{path}.text", 500)
        case "webhook":
            kept["name"] = _words(given.get("name"), f"{path}.name", 60)
    for name in BRANCHES.get(kind, ()):
        kept[name] = _list(given.get(name) or [], f"{path}.{name}", fresh, seen, depth - 1)
    return kept


def _number(given: Mapping[str, Any], name: str, path: str, least: int, most: int) -> int:
    value = given.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidError(f"{path}.{name}", "type", value)
    if not least <= value <= most:
        raise InvalidError(f"{path}.{name}", "range", value)
    return value


def _words(value: Any, path: str, most: int) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidError(path, "required")
    if len(value) > most:
        raise InvalidError(path, "length", most)
    return value.strip()


def _clock(value: Any, path: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise InvalidError(path, "format", value)
    return value


def _day(value: Any, path: str) -> str:
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise InvalidError(path, "format", value) from None


def _addresses(given: Any, path: str) -> list[str]:
    """Of pictures, as media has them."""
    if not isinstance(given, list) or not all(
        isinstance(one, str) and re.fullmatch("[0-9a-f]{64}", one) for one in given
    ):
        raise InvalidError(path, "format")
    if len(given) > PICTURES_MAX:
        raise InvalidError(path, "count", PICTURES_MAX)
    return list(given)


def _messages(given: Any, path: str) -> dict[str, str]:
    if not isinstance(given, Mapping) or not given:
        raise InvalidError(path, "required")
    for language, words in given.items():
        if language not in {"vi", "en"}:
            raise InvalidError(f"{path}.{language}", "unknown", language)
        if not isinstance(words, str):
            raise InvalidError(f"{path}.{language}", "type")
        templates.check(words, f"{path}.{language}")
    return dict(given)


# ── Going through them ──────────────────────────────────────────────────────────────────────────────


def places(steps: list[Json]) -> dict[int, Placed]:
    """Every step by its number, with what follows it: after the last of a branch comes what follows the fork."""
    found: dict[int, Placed] = {}

    def link(listed: list[Json], after: int | None) -> None:
        for at, step in enumerate(listed):
            following = listed[at + 1]["id"] if at + 1 < len(listed) else after
            found[step["id"]] = Placed(step, following)
            for name in BRANCHES.get(step["kind"], ()):
                link(step[name], following)

    link(steps, None)
    return found


def branch(placed: Placed, name: str) -> int | None:
    """The first step of a fork's branch; what follows the fork where the branch is empty."""
    listed = placed.step[name]
    return listed[0]["id"] if listed else placed.following


def told(listed: Mapping[int, Placed], number: int) -> bool:
    """Whether a message follows on a voucher's step at once, and so tells of it."""
    at = listed[number].following
    while at is not None and listed[at].step["kind"] in {"points", "tag", "task", "webhook"}:
        at = listed[at].following
    return at is not None and listed[at].step["kind"] == "message"


def waits_until(step: Json, since: datetime, zone: str) -> datetime:
    """When somebody who came to a `wait` or `until` at a moment goes on. Days and clocks are those of the zone: a day is
    from one midday to the next, be it of 23 or 25 hours.
    """
    if "hours" in step:
        return since + timedelta(hours=step["hours"])
    here = since.astimezone(ZoneInfo(zone))
    clock = time.fromisoformat(step["at"]) if "at" in step else here.timetz().replace(tzinfo=None)
    if "date" in step:
        day = date.fromisoformat(step["date"])
    elif "weekday" in step:
        day = here.date() + timedelta(days=(step["weekday"] - here.isoweekday()) % 7)
        if datetime.combine(day, clock) < here.replace(tzinfo=None):
            day += timedelta(weeks=1)
    else:
        day = here.date() + timedelta(days=step["days"])
    local = datetime.combine(day, clock, ZoneInfo(zone))
    # An hour that a change of clocks leaves out is taken as it would have been.
    return max(since, local.astimezone(since.tzinfo))
