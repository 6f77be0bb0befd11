"""Membership: the groups one customer is in, what each brings them, and why they are in it or not, for their page."""

from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.shop import frame
from handlers.web.shop.segments import naming
from loyalty.customers import directory
from loyalty.outreach.segments import criteria, fields, saved, whys
from loyalty.outreach.segments.criteria import CriteriaError


async def groups(request: web.Request) -> web.StreamResponse:
    """Every group of the shop with its verdict, those they are in first. Raises NotFoundError."""
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)

    def look(session: Session) -> list[dict[str, Any]]:
        who = directory.find(session, here.shop.id, number).id
        seen = fields.look(session, here.shop.timezone, only=[who])
        found = []
        for group in saved.of_shop(session, here.shop.id):
            try:
                verdict = whys.why(session, who, criteria.parse(group.criteria), here.shop.timezone)
            except CriteriaError:
                # It asks for what is no longer there: nobody is in it until it is mended.
                continue
            found.append({"group": group, "verdict": naming.verdict(said, verdict, seen)})
        return sorted(found, key=lambda one: not one["verdict"]["holds"])

    found = await site.store_of(request).read(look)
    inside = [one for one in found if one["verdict"]["holds"]]
    context = {"inside": inside, "outside": found[len(inside) :]}
    return await frame.part(request, "shop/segments/membership.html", context)
