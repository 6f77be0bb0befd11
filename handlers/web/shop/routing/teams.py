"""A team in the console: its name, who is in it, whose requests it looks after."""

from collections.abc import Mapping

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.shop import fields, frame
from handlers.web.shop.frame import Frame
from store.errors import InvalidError, NotFoundError
from store.staff import Right
from support.routing import teams
from support.routing.teams import Team

PATH = "/shop/routing"


async def new(request: web.Request) -> web.StreamResponse:
    return await _team(request, None, {"name": "", "who": "everyone", "at": "shop"}, set(), {})


async def edit(request: web.Request) -> web.StreamResponse:
    here = frame.frame_of(request)
    team = await site.store_of(request).read(_own_team, here, frame.named(request))
    form = {
        "name": team.name,
        "who": "everyone" if team.everyone else "listed",
        "at": "shop" if team.shop_id else "all",
    }
    return await _team(request, team, form, set(team.listed), {})


async def save(request: web.Request) -> web.StreamResponse:
    """Make a team or change one."""
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)
    number = frame.named(request) if "id" in request.match_info else None
    listed = {frame.whole(one) for one in (await request.post()).getall("member", []) if isinstance(one, str)}
    store = site.store_of(request)
    try:
        await store.write(
            teams.save, here.member, here.shop.id, number, name=form.get("name", ""),
            everyone=form.get("who") != "listed", listed=sorted(listed), all_shops=form.get("at") == "all",
        )  # fmt: skip
    except InvalidError as error:
        words = {
            ("name", "length"): said("A name has between 1 and 40 letters."),
            ("name", "taken"): said("There is a team of this name already."),
            ("name", "count"): said("That's enough teams. Dissolve one first."),
            ("listed", "empty"): said("Choose at least one colleague."),
            ("listed", "unknown"): said("One of them doesn't work at this desk."),
        }  # fmt: skip
        told = words.get((error.field, error.problem)) or site.say(said, error)
        team = None if number is None else await store.read(_own_team, here, number)
        return await _team(request, team, form, listed, {error.field: told}, status=422)
    return await frame.done(request, PATH, said("The team {name} is saved.", name=form["name"]))


async def remove(request: web.Request) -> web.StreamResponse:
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)
    store = site.store_of(request)
    team = await store.read(_own_team, here, number)
    await store.write(teams.remove, here.member, here.shop.id, number)
    return await frame.done(request, PATH, said("The team {name} is dissolved.", name=team.name))


async def _team(
    request: web.Request, team: Team | None, form: Mapping[str, str], listed: set[int], errors: Mapping[str, str],
    status: int = 200,
) -> web.Response:  # fmt: skip
    here = frame.frame_of(request)
    desk = await site.store_of(request).read(teams.desk_of, here.shop.id)
    context = {
        "team": team, "form": form, "listed": listed, "errors": errors, "desk": desk,
        "everywhere": here.member.everywhere(Right.CONSOLE) and len(here.shops) > 1,
    }  # fmt: skip
    return await frame.render(request, "shop/routing/team.html", context, page="routing", status=status)


def _own_team(session: Session, here: Frame, number: int) -> Team:
    team = teams.get(session, here.shop.id, number)
    if not may_change(here, team):
        raise NotFoundError("team", number)
    return team


def may_change(here: Frame, team: Team) -> bool:
    """Whether a team is the reader's to change: one of every shop is not a single shop's."""
    return team.shop_id is not None or here.member.everywhere(Right.CONSOLE)
