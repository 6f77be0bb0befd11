"""Colleagues at the same desk: who looks at which ticket and writes in it."""

import re
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.desk.frame import Part, desk
from store.staff import Member
from support import looks, queue

WINDOW = re.compile(r"[a-z0-9]{8,32}")


def setup_together(app: web.Application) -> None:
    app.router.add_post("/desk/here", desk(here))


async def here(request: web.Request) -> web.Response:
    """What a window of the member's shows: `window` its own name, `ticket` (left out: none), `typing`. A form, for that is
    all a page can send as it goes.
    """
    asked = await request.post()
    window, ticket = str(asked.get("window", "")), str(asked.get("ticket", ""))
    if not WINDOW.fullmatch(window) or not re.fullmatch(r"\d{0,15}", ticket):
        raise web.HTTPBadRequest
    await site.store_of(request).write(
        looks.look,
        site.member_of(request),
        window,
        int(ticket) if ticket else None,
        typing=asked.get("typing") == "yes",
    )
    return web.Response(status=204)


def company(session: Session, member: Member) -> dict[str, list[dict[str, Any]]]:
    """The colleagues by the ticket they look at, as the page draws them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in looks.at(session, queue.desks_of(session, member), member.id):
        found.setdefault(str(one.ticket_id), []).append({"id": one.staff_id, "name": one.name, "typing": one.typing})
    return found


PART = Part(setup=setup_together)
