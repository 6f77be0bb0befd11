"""How one colleague works: how much at once, what, and when."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.shop import fields, frame
from handlers.web.shop.deadlines import spans
from handlers.web.shop.deadlines.hours import weekdays
from handlers.web.shop.frame import Frame
from handlers.web.shop.routing import names
from handlers.web.shop.routing.teams import PATH
from store.errors import InvalidError, NotFoundError
from support.routing import agents, teams
from support.routing.agents import Settings


async def page(request: web.Request) -> web.StreamResponse:
    """How much a colleague takes, what, and when."""
    said, number = site.words_of(request), frame.named(request)
    found = (await site.store_of(request).read(lambda session: agents.of(session, [number])))[number]
    week = found.hours.week if found.hours else ((),) * 7
    form = {"cap": said.number(found.cap)} | {f"day_{day}": spans.shown_shifts(week[day]) for day in range(7)}
    chosen = {"topic": set(found.topics), "language": set(found.languages), "tier": {str(one) for one in found.tiers}}
    return await _page(request, number, form, chosen, {})


async def save(request: web.Request) -> web.StreamResponse:
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)
    form, sent, store = await fields.read(request), await request.post(), site.store_of(request)
    chosen = {name: {str(one) for one in sent.getall(name, [])} for name in ("topic", "language", "tier")}

    def write(session: Session) -> str:
        member = _colleague(session, here, number)
        known = names.of(session, said, here.shop.id)
        week = [spans.shifts(form, f"day_{day}") for day in range(7)]
        asked = Settings(
            fields.needed(form, "cap"), [one for one in known.topics if one in chosen["topic"]],
            [one for one in known.languages if one in chosen["language"]],
            [one for one in known.tiers if str(one) in chosen["tier"]], here.shop.timezone, week,
        )  # fmt: skip
        agents.change(session, here.member, here.shop.id, number, asked)
        return member

    try:
        name = await store.write(write)
    except InvalidError as error:
        field = error.field.replace("week:", "day_")
        words = (
            said("Between 0 and {most}.", most=said.number(agents.CAP_MAX)) if field == "cap"
            else said("Two of these hours overlap.") if error.problem == "overlap"
            else said("Write hours as 8:00-12:00, 13:00-17:00.")
        )  # fmt: skip
        return await _page(request, number, form, chosen, {field: words}, status=422)
    return await frame.done(request, PATH, said("Saved for {name}.", name=name))


async def _page(
    request: web.Request, number: int, form: Mapping[str, str], chosen: Mapping[str, set[str]],
    errors: Mapping[str, str], status: int = 200,
) -> web.Response:  # fmt: skip
    here, said = frame.frame_of(request), site.words_of(request)

    def look(session: Session) -> dict[str, Any]:
        return {"name": _colleague(session, here, number), "names": names.of(session, said, here.shop.id)}

    context = {
        **await site.store_of(request).read(look), "number": number, "form": form, "chosen": chosen, "errors": errors,
        "days": weekdays(said),
    }  # fmt: skip
    return await frame.render(request, "shop/routing/agent.html", context, page="routing", status=status)


def _colleague(session: Session, here: Frame, number: int) -> str:
    """The name of somebody with this desk; raises NotFoundError."""
    for one in teams.desk_of(session, here.shop.id):
        if one.id == number:
            return one.name
    raise NotFoundError("staff", number)
