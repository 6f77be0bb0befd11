"""Segments: every group of customers with how many are in it now, and the way to a campaign."""

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.shop import frame
from handlers.web.shop.segments import naming
from handlers.words import words
from loyalty.outreach.segments import criteria, fields, saved, segments
from loyalty.outreach.segments.criteria import CriteriaError
from loyalty.outreach.segments.ready import READY
from loyalty.outreach.segments.saved import Segment

PATH = "/shop/segments"


async def page(request: web.Request) -> web.StreamResponse:
    """The list; counts are fetched one by one, for a large shop's take a moment."""
    here, store, said = frame.frame_of(request), site.store_of(request), site.words_of(request)
    await prepare(request)
    known = await store.read(saved.of_shop, here.shop.id)

    def sentences(session: Session) -> dict[int, str]:
        seen = fields.look(session, here.shop.timezone)
        return {one.id: naming.summary(said, one.criteria, seen) for one in known if not one.listed}

    context = {
        "ready": [one for one in known if one.key], "own": [one for one in known if not one.key and not one.listed],
        "lists": [one for one in known if one.listed], "sentences": await store.read(sentences),
    }  # fmt: skip
    return await frame.render(request, "shop/segments/segments.html", context, page="segments")


async def prepare(request: web.Request) -> None:
    """Make the shop's ready-made groups, in its language, where they aren't there yet: for every page that offers groups."""
    here, store = frame.frame_of(request), site.store_of(request)
    if await store.read(saved.missing, here.shop.id, READY.keys()):
        names = naming.ready(words(here.shop.language))
        await store.write(saved.prepare, here.shop.id, {key: (names[key], READY[key]) for key in READY})


async def count(request: web.Request) -> web.StreamResponse:
    """How many are in a segment now, as a piece of the list."""
    here, number = frame.frame_of(request), frame.named(request)

    def look(session: Session) -> tuple[Segment, int | None]:
        segment = saved.get(session, number, here.shop.id)
        try:
            asked = criteria.parse(segment.criteria)
            return segment, segments.preview(session, asked, here.shop.timezone, sample=0).count
        except CriteriaError:
            return segment, None

    segment, found = await site.store_of(request).read(look)
    return await frame.part(request, "shop/segments/count.html", {"segment": segment, "count": found})


async def remove(request: web.Request) -> web.StreamResponse:
    here, said = frame.frame_of(request), site.words_of(request)
    await site.store_of(request).write(saved.remove, frame.named(request), here.shop.id, here.actor)
    return await frame.done(request, PATH, said("The group is taken out. What was sent to it stays in its reports."))
