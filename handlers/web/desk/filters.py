"""What the list shows beside the views of everybody: filters, and views that were saved of them."""

from dataclasses import asdict
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.bodies import parsed
from handlers.web.desk import filing, shown
from handlers.web.desk.frame import Part, desk, number
from handlers.words import Words
from store import shops, staff
from store.errors import InvalidError, RuleError
from store.staff import Member, Right
from support import queue, tags, topics, views
from support.routing import teams
from support.views import Filters, SavedView

MANY = ("states", "topics", "priorities", "assignees", "teams", "tags", "languages", "shops")
EVERYWHERE = "all"
TAGS_SHOWN = 24


def setup_filters(app: web.Application) -> None:
    app.router.add_get("/desk/filters", desk(sheet))
    app.router.add_post("/desk/filters", desk(choose))
    app.router.add_post("/desk/filters/{view:\\d{1,15}}/remove", desk(remove))


def asked(request: web.Request) -> Filters | None:
    """The filters that a page of the list, or its stream, is asked for with; None where it shows a view of everybody's."""
    written = request.query.get("filters", "")
    if not written:
        return None
    try:
        return views.parse(parsed(written[:4000]))
    except (ValueError, InvalidError):
        raise web.HTTPBadRequest from None


async def sheet(request: web.Request) -> web.Response:
    """The form: filters as they are now, to be applied or saved; `view` is the saved one that they are."""
    member, said, chosen = site.member_of(request), site.words_of(request), asked(request) or Filters()
    view = number(request.query.get("view"))

    def look(session: Session) -> dict[str, Any]:
        desks = queue.desks_of(session, member)
        known = views.get(session, member, view) if view is not None else None
        people = [one for one in staff.every(session) if any(one.may(Right.DESK, shop) for shop in desks)]
        every_team = {team.id: team for shop in desks for team in teams.of(session, shop)}
        own = [one for each in topics.of_shops(session, desks).values() for one in each]
        mine = [one for one in shops.every(session) if one.id in desks]
        return {
            "chosen": known.filters if known else chosen, "view": known, "states": shown.states(said),
            "topics": shown.topics(said, own), "priorities": filing.priorities(said),
            "tags": [one.name for one in tags.every(session, desks)[:TAGS_SHOWN]],
            "people": {"me": said("Me"), "nobody": said("Nobody"), **{one.id: one.name for one in people if one.id != member.id}},
            "teams": {"mine": said("My teams"), **{one.id: one.name for one in every_team.values()}} if every_team else {},
            "languages": {"vi": "Tiếng Việt", "en": "English"}, "shops": {one.id: one.name for one in mine} if len(mine) > 1 else {},
            "leads": [
                *((str(one.id), one.name) for one in mine if member.may(Right.SUPERVISE, one.id)),
                *([(EVERYWHERE, "")] if len(mine) > 1 and member.everywhere(Right.SUPERVISE) else []),
            ],
        }  # fmt: skip

    context = await site.store_of(request).read(look)
    page = await site.render_part(request, "desk/filters.html", context)
    return web.Response(text=page, content_type="text/html")


async def choose(request: web.Request) -> web.Response:
    """Apply filters, and with a `name` save them as a view (or change the one that `view` names)."""
    form, member, said = await request.post(), site.member_of(request), site.words_of(request)
    given: dict[str, Any] = {name: [_value(str(one)) for one in form.getall(name, [])] for name in MANY}
    about = str(form.get("complaint", ""))
    filters = views.parse({**given, "complaint": {"yes": True, "no": False}.get(about)})
    name, known, shop = str(form.get("name", "")).strip(), number(form.get("view")), str(form.get("shop", ""))
    if not name:
        return web.json_response({"show": _shown(None, filters, "")})

    def write(session: Session) -> SavedView:
        if known is not None:
            views.change(session, known, member, name, filters)
            return views.get(session, member, known)
        if shop not in {"", EVERYWHERE} and number(shop) is None:
            raise InvalidError("shop", "unknown", shop)
        added = views.add(session, member, name, filters, shared=bool(shop), shop_id=number(shop))
        return views.get(session, member, added)

    saved = await site.store_of(request).write(write)
    return web.json_response(
        {"show": _shown(saved.id, filters, saved.name), "toast": said("“{name}” is saved", name=saved.name)}
    )


async def remove(request: web.Request) -> web.Response:
    await site.store_of(request).write(views.remove, int(request.match_info["view"]), site.member_of(request))
    return web.json_response({"show": None})


def saved(session: Session, member: Member, shop_id: int | None = None) -> list[dict[str, Any]]:
    """The member's saved views as the list draws them, each with how many tickets are in it."""
    found = views.listed(session, member)
    counts = queue.counts_of(session, member, [one.filters for one in found], shop_id)
    return [
        {**_shown(one.id, one.filters, one.name), "own": one.own, "shared": one.shared, "count": count}
        for one, count in zip(found, counts, strict=True)
    ]


def _shown(view_id: int | None, filters: Filters, name: str) -> dict[str, Any]:
    return {
        "id": view_id,
        "name": name,
        "filters": {key: value for key, value in asdict(filters).items() if value not in ((), None)},
    }


def _value(written: str) -> str | int:
    found = number(written)
    return written if found is None else found


def _words(said: Words) -> dict[str, str]:
    return {
        "filters": said("Filter"), "filtered": said("Filtered"), "filters_change": said("Change the filter"),
        "filters_off": said("Show everything again"), "view_snoozed": said("Snoozed"), "empty_filtered": said("Nothing fits"),
        "empty_filtered_words": said("Change the filter, or show everything again."),
        "empty_snoozed": said("Nothing is put aside"),
        "empty_snoozed_words": said("What can wait is put aside with Z and comes back by itself."),
    }  # fmt: skip


def _refusal(said: Words, error: RuleError) -> str | None:
    if isinstance(error, InvalidError):
        return {
            ("name", "length"): said("A name has up to 40 letters."),
            ("name", "count"): said("30 saved views are enough. Remove one first."),
        }.get((error.field, error.problem))  # fmt: skip
    return None


PART = Part(setup=setup_filters, words=_words, refusal=_refusal)
