"""The shop's opening hours: the week, public holidays, and days of its own; with what they come to in the days ahead."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from babel import Locale
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.shop import fields, frame
from handlers.web.shop.deadlines import spans
from handlers.web.shop.frame import Frame
from handlers.words import Words
from store import audit
from store.errors import InvalidError
from support.deadlines import calculator, calendars
from support.deadlines.calculator import Day, Hours

PAGE = "hours"
WEEK = (((8 * 60, 21 * 60),),) * 7
"""What the form offers a shop that has told no hours yet."""
BLANK = 3
"""Empty rows for days of its own."""
AHEAD = 8
"""Days ahead that are shown."""
HOLIDAYS_AHEAD = timedelta(days=366)


async def page(request: web.Request) -> web.StreamResponse:
    here = frame.frame_of(request)
    saved = await site.store_of(request).read(calendars.hours, here.shop.id)
    return await _page(request, _filled(saved, here), {}, known=saved is not None)


def _filled(saved: Hours | None, here: Frame) -> dict[str, str]:
    """The hours as they are, as the form's fields. What is over is left out."""
    shown = saved or Hours(here.shop.timezone, WEEK, "VN" if here.shop.timezone == "Asia/Ho_Chi_Minh" else "")
    form = {f"week_{place}": spans.shown_shifts(day) for place, day in enumerate(shown.week)} | {
        "country": shown.country
    }
    for place, (day, shifts) in enumerate(sorted(shown.days.items())):
        form |= {f"day_{place}": day.isoformat(), f"hours_{place}": spans.shown_shifts(shifts)}
    return form


def _read(form: Mapping[str, str], zone: str) -> Hours:
    """The hours that a form asks for. Raises InvalidError naming the field."""
    week = tuple(spans.shifts(form, f"week_{place}") for place in range(7))
    days: dict[date, Day] = {}
    for place in range(calendars.DAYS_MAX):
        text = form.get(f"day_{place}", "")
        if not text:
            continue
        try:
            day = date.fromisoformat(text)
        except ValueError:
            raise InvalidError(f"day_{place}", "date", text[:40]) from None
        if day in days:
            raise InvalidError(f"day_{place}", "twice", text)
        days[day] = spans.shifts(form, f"hours_{place}")
    country = form.get("country", "")
    if country and country not in calendars.countries():
        raise InvalidError("country", "unknown", country)
    return Hours(zone, week, country, days)


async def preview(request: web.Request) -> web.StreamResponse:
    """What hours that are being typed come to."""
    here, said = frame.frame_of(request), site.words_of(request)
    form = {name: value[: fields.TEXT_CHARS_MAX] for name, value in request.query.items()}
    context: dict[str, Any]
    try:
        context = {
            "ahead": _ahead(said, _read(form, here.shop.timezone), site.store_of(request).clock.now()),
            "wrong": "",
        }
    except InvalidError as error:
        context = {"ahead": None, "wrong": _problem(said, error)}
    return await frame.part(request, "shop/deadlines/hours_preview.html", context)


async def save(request: web.Request) -> web.StreamResponse:
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    try:
        asked = _read(form, here.shop.timezone)
        await site.store_of(request).write(_save, here, asked)
    except InvalidError as error:
        return await _page(request, form, {_field(error, form): _problem(said, error)}, known=True, status=422)
    return await frame.done(request, "/shop/hours", said("Saved. Running deadlines follow the new hours."))


def _save(session: Session, here: Frame, asked: Hours) -> None:
    before = calendars.hours(session, here.shop.id)
    if calendars.save(session, here.shop.id, asked.week, asked.country, asked.days) is not None:
        changed = [_told(before), _told(asked)]
        audit.record(session, here.actor, "hours_changed", here.shop.id, changed={"hours": changed})


def _told(hours: Hours | None) -> dict[str, Any] | None:
    if hours is None:
        return None
    return {
        "week": [spans.shown_shifts(day) for day in hours.week], "country": hours.country,
        "days": {day.isoformat(): spans.shown_shifts(shifts) for day, shifts in sorted(hours.days.items())},
    }  # fmt: skip


async def _page(
    request: web.Request, form: Mapping[str, str], errors: Mapping[str, str], *, known: bool, status: int = 200
) -> web.Response:
    here, said = frame.frame_of(request), site.words_of(request)
    try:
        ahead = _ahead(said, _read(form, here.shop.timezone), site.store_of(request).clock.now())
    except InvalidError:
        ahead = None
    places = sorted(
        int(name.removeprefix("day_"))
        for name in form
        if name.startswith("day_") and name[4:].isdecimal() and form[name]
    )
    first = places[-1] + 1 if places else 0
    context = {
        "form": form, "errors": errors, "tab": "hours", "known": known, "weekdays": weekdays(said),
        "places": [*places, *range(first, first + BLANK)], "countries": _countries(said), "ahead": ahead, "wrong": "",
    }  # fmt: skip
    return await frame.render(request, "shop/deadlines/hours.html", context, page=PAGE, status=status)


def weekdays(said: Words) -> list[str]:
    """Monday to Sunday."""
    return [
        said("Monday"), said("Tuesday"), said("Wednesday"), said("Thursday"), said("Friday"), said("Saturday"),
        said("Sunday"),
    ]  # fmt: skip


def _countries(said: Words) -> list[tuple[str, str]]:
    """Whose holidays can be kept, by name; Vietnam before the others."""
    names = Locale(said.language).territories
    found = sorted((str(names.get(code, code)), code) for code in calendars.countries())
    return [("VN", str(names["VN"])), *((code, name) for name, code in found if code != "VN")]


def _ahead(said: Words, hours: Hours, at: datetime) -> dict[str, Any]:
    """Whether it is open now, the days ahead, and the public holidays of the year ahead."""
    zone = ZoneInfo(hours.zone)
    today = at.astimezone(zone).date()
    opens = calculator.opens_next(hours, at)
    until = next((end for _, end in calculator.open_spans(hours, at)), None)
    names = weekdays(said)
    days = [today + timedelta(days=number) for number in range(AHEAD)]
    language = "vi" if said.language == "vi" else "en_US"
    off = {
        day: name for year in (today.year, today.year + 1)
        for day, name in calculator.public_holidays(hours.country, year, language).items()
        if today <= day < today + HOLIDAYS_AHEAD
    }  # fmt: skip
    return {
        "open": opens == at, "until": said.moment(until, hours.zone) if until else "",
        "opens": f"{names[opens.astimezone(zone).weekday()]} {said.moment(opens, hours.zone)}" if opens else "",
        "days": [
            {"name": names[day.weekday()], "date": said.day(day), "hours": spans.shown_shifts(hours.on(day)),
             "why": off.get(day, "") if day not in hours.days else ""}
            for day in days
        ],
        "holidays": [
            {"date": said.date(day), "name": name, "day": names[day.weekday()],
             "hours": spans.shown_shifts(hours.days[day]) if hours.days.get(day) else ""}
            for day, name in off.items()
        ],
    }  # fmt: skip


def _field(error: InvalidError, form: Mapping[str, str]) -> str:
    """The form's field that a rule's field is."""
    name, colon, rest = error.field.partition(":")
    if name == "week":
        return f"week_{rest}" if colon else "week_0"
    if name == "days" and colon:
        return next(
            (f"hours_{key[4:]}" for key, value in form.items() if key.startswith("day_") and value == rest), "day_0"
        )
    return error.field


def _problem(said: Words, error: InvalidError) -> str:
    if error.problem in {"shift", "count"} and error.field != "days":
        return said("Write it like 8:00–12:00, 13:00–17:30; leave it empty when you are closed.")
    known = {
        "overlap": said("Two of these times overlap."), "empty": said("Tell at least one day on which you are open."),
        "date": said("This date doesn't look right."), "twice": said("This day is in the list twice."),
        "unknown": said("Choose a country from the list."), "count": said("These are too many days."),
    }  # fmt: skip
    return known.get(error.problem) or site.say(said, error)
