"""The builder: a segment composed on the left; how many that are, some of them and why, on the right, as it is composed."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from aiohttp import web
from multidict import MultiMapping
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.shop import fields, frame
from handlers.web.shop.frame import Frame
from handlers.web.shop.segments import composing, naming
from handlers.web.shop.segments.composing import Part
from handlers.words import Words
from loyalty.customers import directory, phones
from loyalty.orders import bought
from loyalty.outreach.segments import criteria, lists, saved, segments, whys
from loyalty.outreach.segments import fields as known_fields
from loyalty.outreach.segments.criteria import CriteriaError
from loyalty.outreach.segments.fields import FIELDS
from loyalty.outreach.segments.saved import Policy, Segment
from store.errors import InvalidError

PATH = "/shop/segments"
SAMPLE = 8
LOOKED_AT = 500
"""The newest who fit, of whom the shop's own are named."""
MATCHES = 5


async def new(request: web.Request) -> web.StreamResponse:
    """An empty one."""
    return await _page(request, None, Part("all", [Part("test", values=["1"])]), {}, {})


async def edit(request: web.Request) -> web.StreamResponse:
    """A saved one."""
    here = frame.frame_of(request)
    segment = await site.store_of(request).read(saved.get, frame.named(request), here.shop.id)
    part = composing.of(criteria.parse(segment.criteria))
    form = {"name": segment.name, **{name: str(value or "") for name, value in asdict(segment.policy).items()}}
    return await _page(request, segment, part, form, {})


async def _page(
    request: web.Request, segment: Segment | None, part: Part, form: Mapping[str, str], errors: Mapping[str, str], status: int = 200
) -> web.Response:  # fmt: skip
    here, said = frame.frame_of(request), site.words_of(request)

    def look(session: Session) -> dict[str, Any]:
        report = lists.last_upload(session, segment.id) if segment and segment.listed else None
        return {
            **_composer(session, here, said, part), **_effect(session, here, part), "report": report,
            "size": lists.size(session, segment.id) if report and segment else 0,
        }  # fmt: skip

    empty = dict.fromkeys(("name", "discount", "price_list", "payment_terms", "notes"), "")
    context = {
        **await site.store_of(request).read(look), "segment": segment, "form": {**empty, **form}, "errors": errors, "error": "",
        "why_words": unmatched_words(said),
    }  # fmt: skip
    return await frame.render(request, "shop/segments/segment.html", context, page="segments", status=status)


def unmatched_words(said: Words) -> dict[str, str]:
    """Why a row of an uploaded file brought nobody."""
    return {
        "missing": said("No phone, card code or customer number in this row."),
        "phone": said("This can't be a phone number."), "customer": said("No customer has this."),
        "twice": said("This customer is in the file already."),
    }  # fmt: skip


async def compose(request: web.Request) -> web.StreamResponse:
    """The composed part anew, after a button or another field changed it."""
    here, said, form = frame.frame_of(request), site.words_of(request), await request.post()
    part = composing.read(form)

    def look(session: Session) -> dict[str, Any]:
        composing.settle(part, known_fields.look(session, here.shop.timezone))
        return {**_composer(session, here, said, part), **_effect(session, here, part)}

    context = await site.store_of(request).read(look)
    return await frame.part(request, "shop/segments/composed.html", context)


async def effect(request: web.Request) -> web.StreamResponse:
    """How many are meant, and some of them."""
    here, form = frame.frame_of(request), await request.post()
    part = composing.read(form)
    context = await site.store_of(request).read(lambda session: _effect(session, here, part))
    return await frame.part(request, "shop/segments/effect_alone.html", context)


async def why(request: web.Request) -> web.StreamResponse:
    """Why somebody is in or out, or who is meant by what was typed."""
    here, said, form = frame.frame_of(request), site.words_of(request), await request.post()
    part, who, typed = composing.read(form), str(form.get("who", "")), str(form.get("sought", "")).strip()[:100]

    def look(session: Session) -> dict[str, Any]:
        found = directory.page(session, here.shop.id, search=typed).lines[:MATCHES] if typed and not who else []
        number = frame.whole(who) if who else found[0].id if len(found) == 1 else None
        if number is None:
            return {"verdict": None, "found": found, "sought": typed}
        directory.find(session, here.shop.id, number)
        asked = composing.written(part)
        if asked is None:
            return {"verdict": None, "found": [], "sought": "", "unfinished": True}
        read = criteria.parse(asked)
        seen = known_fields.look(session, here.shop.timezone, only=[number])
        told = whys.why(session, number, read, here.shop.timezone)
        person = segments.shown(session, [number])
        return {
            "verdict": naming.verdict(said, told, seen), "person": person[0] if person else None, "found": [], "sought": "",
        }  # fmt: skip

    try:
        context = await site.store_of(request).read(look)
    except CriteriaError:
        context = {"verdict": None, "found": [], "sought": "", "unfinished": True}
    return await frame.part(
        request, "shop/segments/why.html", {"unfinished": False, "person": None, **context, "local": phones.local}
    )


def _composer(session: Session, here: Frame, said: Words, part: Part) -> dict[str, Any]:
    """What the composer needs to be shown."""
    seen = known_fields.look(session, here.shop.timezone)
    problems = {
        "empty": said("Fill this in."), "number": said("Write a whole number."), "range": said("This number is too large."),
        "unknown": said("This is no longer there. Choose another."), "length": said("That's too many. Leave some out."),
    }  # fmt: skip
    return {
        "root": part, "fields": FIELDS, "themes": naming.groups(said), "ops_of": lambda known: naming.ops(said, known),
        "choices_of": lambda known: naming.choices(said, known, seen), "problems": problems, "depth_max": composing.DEPTH_MAX,
        "kinds": {
            "all": said("all of these hold"), "any": said("at least one of these holds"), "none": said("none of these holds"),
            "not_all": said("not all of these hold"),
        },
        "hints": {"item": bought.common(session, bought.ITEM), "category": bought.common(session, bought.CATEGORY)},
    }  # fmt: skip


def _effect(session: Session, here: Frame, part: Part) -> dict[str, Any]:
    """How many fit what is composed, and some of them; `count` None where it isn't sound yet, and where it isn't."""
    asked = composing.written(part)
    if asked is None:
        return {"count": None, "sample": [], "local": phones.local}
    try:
        found = segments.preview(session, criteria.parse(asked), here.shop.timezone, sample=LOOKED_AT)
    except CriteriaError as error:
        composing.blame(part, error.field, error.problem)
        return {"count": None, "sample": [], "local": phones.local}
    own = directory.among(session, here.shop.id, found.sample)
    return {"count": found.count, "sample": segments.shown(session, own[:SAMPLE]), "local": phones.local}


async def save(request: web.Request) -> web.StreamResponse:
    """Save what is composed, as a new one or in its place."""
    here, said, form = frame.frame_of(request), site.words_of(request), await request.post()
    store = site.store_of(request)
    segment_id = frame.named(request) if "id" in request.match_info else None
    segment = await store.read(saved.get, segment_id, here.shop.id) if segment_id is not None else None
    part = composing.of(criteria.parse(segment.criteria)) if segment and segment.listed else composing.read(form)
    written = {name: value.strip() for name, value in form.items() if isinstance(value, str)}
    asked = composing.written(part)
    if asked is None:
        return await _page(request, segment, part, written, {}, status=422)
    try:
        policy = _policy(form)
        if segment is None:
            await store.write(saved.add, here.shop.id, written.get("name", ""), asked, policy, here.actor)
        else:
            await store.write(
                saved.change, segment.id, here.shop.id, written.get("name", ""), asked, policy, here.actor
            )
    except CriteriaError as error:
        composing.blame(part, error.field, error.problem)
        return await _page(request, segment, part, written, {}, status=422)
    except InvalidError as error:
        return await _page(request, segment, part, written, {error.field: _problem(said, error)}, status=422)
    return await frame.done(request, PATH, said("The group is saved."))


def _policy(form: MultiMapping[Any]) -> Policy:
    typed = {name: str(form.get(name, "")).replace("\x00", "").strip() for name in Policy.__dataclass_fields__}
    return Policy(fields.number(typed, "discount") or 0, typed["price_list"], typed["payment_terms"], typed["notes"])


def _problem(said: Words, error: InvalidError) -> str:
    return {
        ("name", "empty"): said("Give the group a name."),
        ("name", "length"): said("Make the name a little shorter."),
        ("name", "count"): said("That's a lot of groups. Take one out first."),
        ("discount", "range"): said("A discount is 0 to 100 per cent."),
        ("discount", "number"): said("Write a whole number."),
    }.get((error.field, error.problem)) or said("This is too long. Make it shorter.")
