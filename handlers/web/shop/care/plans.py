"""Care plans and what is to be done: who is to be met, what was learnt, who is in which plan."""

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy.orm import Session

from handlers import care_words
from handlers.web import site
from handlers.web.shop import fields, frame
from handlers.web.shop.needs import Ask, Need, Severity
from handlers.web.shop.segments import overview
from handlers.words import Words
from loyalty.customers import customers, phones
from loyalty.outreach.segments import criteria, saved, segments
from store.errors import InvalidError, NotFoundError
from support import handling
from support.care import plans

PATH = "/shop/care"
PEOPLE_MAX = 2_000
"""So many may come into a plan at once: people are to be met in person."""


async def page(request: web.Request) -> web.StreamResponse:
    return await _page(request)


async def _page(
    request: web.Request, at: str = "", form: Mapping[str, str] | None = None, errors: Mapping[str, str] | None = None
) -> web.Response:
    """`at` names the form that was refused, with what it held."""
    here, said = frame.frame_of(request), site.words_of(request)
    await overview.prepare(request)

    def look(session: Session) -> dict[str, Any]:
        return {
            "plans": plans.of_shop(session, here.shop.id), "tasks": plans.due(session, [here.shop.id]),
            "colleagues": handling.at_desk(session, here.shop.id), "choices": saved.of_shop(session, here.shop.id),
        }  # fmt: skip

    context = await site.store_of(request).read(look)
    context |= {
        "ways": care_words.ways(said), "icons": care_words.icons(), "care": care_words, "at": at, "form": dict(form or {}),
        "errors": dict(errors or {}), "local": phones.local,
        "today": context_day(request), "me": here.member.id,
    }  # fmt: skip
    return await frame.render(request, "shop/care/plans.html", context, page="care", status=422 if errors else 200)


def context_day(request: web.Request) -> date:
    """Today on the shop's clock."""
    zone = ZoneInfo(frame.frame_of(request).shop.timezone)
    return site.store_of(request).clock.now().astimezone(zone).date()


async def save(request: web.Request) -> web.StreamResponse:
    """A new plan, or one that is there."""
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    number = frame.named(request) if "id" in request.match_info else None

    def write(session: Session) -> None:
        values = (
            here.shop.id, form.get("name", ""), form.get("way", ""), fields.needed(form, "every_days"),
            fields.needed(form, "owner"),
        )  # fmt: skip
        if number is None:
            plans.add(session, here.member, *values)
        else:
            plans.change(session, number, here.member, *values, active="active" in form)

    try:
        await site.store_of(request).write(write)
    except InvalidError as error:
        return await _page(request, f"plan-{number or 'new'}", form, {error.field: _refusal(said, error)})
    return await frame.done(request, PATH, said("Saved"))


async def put_in(request: web.Request) -> web.StreamResponse:
    """Take a group of customers into a plan, or some by phone, a line each."""
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    number = frame.named(request)

    def write(session: Session) -> int:
        if all(plan.id != number for plan in plans.of_shop(session, here.shop.id)):
            raise NotFoundError("plan", number)
        zone = here.shop.timezone
        try:
            day = date.fromisoformat(form.get("first", ""))
        except ValueError:
            raise InvalidError("first", "day", form.get("first", "")[:20]) from None
        people: list[int] = []
        for line in form.get("phones", "").splitlines()[:PEOPLE_MAX]:
            if line.strip():
                found = customers.by_phone(session, _phone(line))
                if found is None:
                    raise InvalidError("phones", "unknown", line.strip()[:20])
                people.append(found)
        if form.get("group"):
            group = saved.get(session, frame.whole(form["group"]), here.shop.id)
            people += segments.members(session, criteria.parse(group.criteria), zone)
            if len(people) > PEOPLE_MAX:
                raise InvalidError("group", "range", len(people))
        first = datetime.combine(day, time(9), ZoneInfo(zone))
        return plans.put_in(session, number, here.member, here.shop.id, people, first)

    try:
        count = await site.store_of(request).write(write)
    except InvalidError as error:
        return await _page(request, f"people-{number}", form, {error.field: _refusal(said, error)})
    words = said.plural("{n} customer more is in the plan.", "{n} customers more are in the plan.", count)
    return await frame.done(request, PATH, words)


async def act(request: web.Request) -> web.StreamResponse:
    """A task: they were met, not this time, or out of the plan."""
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    number, wanted = frame.named(request), request.match_info["act"]
    if wanted == "out":
        await site.store_of(request).write(plans.take_out, number, here.member, here.shop.id)
        return await frame.done(request, PATH, said("Taken out of the plan."))
    try:
        following = await site.store_of(request).write(
            plans.end, number, here.member, done=wanted == "done", learnt=form.get("learnt", "")
        )
    except InvalidError as error:
        return await _page(request, f"task-{number}", form, {error.field: _refusal(said, error)})
    return await frame.done(request, PATH, ended(said, following, here.shop.timezone))


def ended(said: Words, following: datetime | None, zone: str) -> str:
    """What comes after a task."""
    if following is None:
        return said("Noted.")
    return said("Noted. Next time: {day}.", day=said.date(following.astimezone(ZoneInfo(zone)).date()))


def _phone(line: str) -> str:
    try:
        return phones.normal(line)
    except InvalidError:
        raise InvalidError("phones", "unknown", line.strip()[:20]) from None


def _refusal(said: Words, error: InvalidError) -> str:
    return {
        "name": said("Give it a short name."), "way": said("Please choose one of the list."),
        "every_days": said("Between 1 and 730 days."), "owner": said("Choose a colleague of this desk."),
        "first": said("Choose a day."), "phones": said("Nobody has the number {phone}.", phone=str(error.value)),
        "group": said("That is too many to meet in person: at most 2,000 at once."), "learnt": said("Write in a few words what you learnt."),
    }.get(error.field) or site.say(said, error)  # fmt: skip


def care_due(session: Session, ask: Ask) -> Need | None:
    """Customers whom somebody was to meet by now."""
    here, said = ask.here, ask.said
    count = plans.late(session, here.shop.id)
    if not count:
        return None
    return Need(
        Severity.SOON, "phone",
        said.plural("{n} customer is to be called or visited", "{n} customers are to be called or visited", count),
        said("Their day in a care plan has come."), said("Look at them"), here.url(PATH),
    )  # fmt: skip
