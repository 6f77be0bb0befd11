"""The editor of a journey: its steps as a list, the flow drawn beside it, a dry run. Nothing is kept until it is saved."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import files, site, uploads
from handlers.web.shop import fields, frame
from handlers.web.shop.campaigns.composing import variables
from handlers.web.shop.campaigns.said import reasons
from handlers.web.shop.journeys import composing, said
from handlers.web.shop.journeys.composing import Node
from handlers.web.shop.segments import overview
from handlers.words import Words
from loyalty.outreach import templates
from loyalty.outreach.campaigns import contents
from loyalty.outreach.journeys import dry_run, journeys, standings, triggers
from loyalty.outreach.journeys.journeys import Journey
from loyalty.outreach.segments import saved
from loyalty.vouchers import voucher_programs
from store import media
from store.errors import InvalidError, NotFoundError

PLACE = "/shop/journeys"
PAGE = "journeys"
FIELDS_MAX = 1_000


@dataclass
class Draft:
    """A journey as the form holds it."""

    number: int | None
    form: dict[str, str]
    nodes: list[Node]
    was: Journey | None = None

    @property
    def action(self) -> str:
        return f"{PLACE}/{self.number}" if self.number else PLACE


async def new(request: web.Request) -> web.StreamResponse:
    form = {"name": "", "trigger": "order_completed", "ask": composing.EVERYBODY, "n": ""}
    segment = request.query.get("segment", "")
    if segment.isdecimal():
        form |= {"trigger": "segment_entered", "segment": segment}
    return await _page(request, Draft(None, form, [Node(1, "message", {"purpose": "care"})]))


async def edit(request: web.Request) -> web.StreamResponse:
    number, here = frame.named(request), frame.frame_of(request)

    def look(session: Session) -> Draft:
        found = journeys.get(session, number, here.shop.id)
        return filled(found, saved.of_shop(session, here.shop.id))

    return await _page(request, await site.store_of(request).read(look))


def filled(found: Journey, segments: list[saved.Segment]) -> Draft:
    """A kept journey as the form's fields."""
    trigger = found.trigger
    number = triggers.TRIGGERS[trigger["kind"]].number
    form = {"name": found.name, "trigger": trigger["kind"], "on": trigger.get("on", "")}
    if number is not None:
        form["segment" if number[0] == "segment" else "number"] = str(trigger[number[0]])
    return Draft(
        found.id, form | composing.asked_of(found.criteria, segments), composing.nodes(found.steps, segments), found
    )


async def _page(
    request: web.Request, draft: Draft, errors: Mapping[str, str] | None = None, status: int = 200
) -> web.Response:
    await overview.prepare(request)
    context = await _context(request, draft) | {"errors": errors or {}}
    return await frame.render(request, "shop/journeys/editor.html", context, page=PAGE, status=status)


async def _context(request: web.Request, draft: Draft) -> dict[str, Any]:
    here, words = frame.frame_of(request), site.words_of(request)

    def look(session: Session) -> dict[str, Any]:
        every = voucher_programs.every(session)
        offers = {
            str(one.id): one.name for one in every if one.shop_id in {None, here.shop.id} and not one.shared
        }  # fmt: skip
        stands = standings.standing(session, draft.number) if draft.number else {}
        found = journeys.get(session, draft.number, here.shop.id) if draft.number else None
        return {
            "segments": saved.of_shop(session, here.shop.id), "offers": offers, "journey": found, "shop_name": here.shop.name,
            "here": {step: count for (state, step), count in stands.items() if state == "active"},
            "ended": {state: count for (state, _), count in stands.items() if state != "active"},
            "heard": standings.heard(session, draft.number) if draft.number else {},
        }  # fmt: skip

    known = await site.store_of(request).read(look)
    missed: Counter[str] = Counter()
    for step in known["heard"].values():
        missed.update(step.missed)
    names = {segment.id: segment.name for segment in known["segments"]}
    return known | {
        "draft": draft, "form": draft.form | {
            f"{node.id}.{name}": value for node in composing.every(draft.nodes) for name, value in node.said.items()
        }, "nodes": draft.nodes, "kinds": said.kinds(words), "branch_names": said.branches(words),
        "trigger_names": said.triggers_said(words), "questions": said.questions(words), "weekdays": said.weekdays(words),
        "line": lambda node: said.line(words, node, known), "OWN": composing.OWN, "begins": _begins(words, draft, names),
        "asked": said.asked(words, draft.form, known["segments"]), "errors": {}, "why": reasons(words), "missed": missed, "variables": variables(words),
        "calendar": {kind for kind, one in triggers.TRIGGERS.items() if one.day},
        "numbered": {kind: one.number[0] for kind, one in triggers.TRIGGERS.items() if one.number and one.number[0] != "segment"},
    }  # fmt: skip


def _begins(words: Words, draft: Draft, segments: Mapping[int, str]) -> str:
    try:
        trigger = triggers.check(_trigger(draft))
    except InvalidError:
        trigger = {"kind": draft.form.get("trigger", "")}
    return said.begins(words, trigger, segments)


async def read(request: web.Request) -> Draft:
    """The form as it was sent. Raises NotFoundError."""
    here, posted = frame.frame_of(request), await request.post()
    form = {
        name: value.replace("\x00", "").replace("\r\n", "\n").strip()[: templates.CHARS_MAX + 1]
        for name, value in list(posted.items())[:FIELDS_MAX]
        if isinstance(value, str)
    }
    number = frame.named(request) if "id" in request.match_info else None
    if number is None and form.get("journey"):
        number = frame.whole(form["journey"])
    before = await site.store_of(request).read(journeys.get, number, here.shop.id) if number else None
    places = [place for place in posted.getall("at", []) if isinstance(place, str)]
    return Draft(number, form, composing.read(places, form, before.steps if before else []), before)


def written(session: Session, shop_id: int, draft: Draft) -> dict[str, Any]:
    """What `journeys.add` takes. Raises InvalidError naming the form's field."""
    segments = saved.of_shop(session, shop_id)
    trigger = _trigger(draft)
    who = composing.criteria_of(draft.form, segments, draft.was.criteria if draft.was else None)
    return {"trigger": trigger, "who": who, "steps": composing.steps(draft.nodes, segments)}


def _trigger(draft: Draft) -> dict[str, Any]:
    """What begins it, as the form says. Raises InvalidError."""
    kind = draft.form.get("trigger", "")
    trigger: dict[str, Any] = {"kind": kind}
    known = triggers.TRIGGERS.get(kind)
    if kind == "segment_entered":
        trigger["segment"] = fields.needed(draft.form, "segment")
    elif kind == "date":
        trigger["on"] = draft.form.get("on", "")
    elif known is not None and known.number is not None:
        trigger[known.number[0]] = fields.needed(draft.form, "number")
    return trigger


def _place(error: InvalidError, draft: Draft) -> str:
    """The form's field of what is wrong."""
    path = composing.place_of(error.field, draft.nodes)
    if path.startswith("trigger."):
        name = path.removeprefix("trigger.")
        return {"kind": "trigger", "segment": "segment", "on": "on"}.get(name, "number")
    if path == "program":
        node = next((one for one in composing.every(draft.nodes) if one.said.get("program") == str(error.value)), None)
        return f"{node.id}.program" if node else path
    return "ask" if path.startswith("who") else path


async def save(request: web.Request) -> web.StreamResponse:
    """Keep it: a new one is off, one that is on goes on as it is now."""
    here, words, draft = frame.frame_of(request), site.words_of(request), await read(request)

    def write(session: Session) -> Journey:
        values = written(session, here.shop.id, draft)
        name = draft.form.get("name", "")
        if draft.number is None:
            return journeys.add(session, here.shop.id, here.actor, name=name, **values)
        return journeys.change(session, draft.number, here.shop.id, here.actor, name=name, **values)

    try:
        kept = await site.store_of(request).write(write)
    except InvalidError as error:
        place = _place(error, draft)
        said_ = said.problem(words, InvalidError(place, error.problem, error.value))
        return await _page(request, draft, {place: said_}, status=422)
    done = words("Saved. It goes on as it is now.") if kept.on else words("Saved. It begins once you switch it on.")
    return await frame.done(request, f"{PLACE}/{kept.id}", done)


async def shape(request: web.Request) -> web.StreamResponse:
    """A step added, moved or removed in the form, pictures put to one; no more than those is kept. A script gets the piece, else
    it is the page.
    """
    draft = await read(request)
    composing.act(draft.nodes, draft.form.get("do", ""))
    try:
        for number, shas in (await _pictures(request)).items():
            composing.illustrate(draft.nodes, number, shas)
    except InvalidError:
        words = site.words_of(request)("This file is no picture we can read.")
        return frame.told(web.Response(status=422), words)
    if not frame.by_script(request):
        return await _page(request, draft)
    return await frame.part(request, "shop/journeys/steps.html", await _context(request, draft) | {"swapped": True})


async def _pictures(request: web.Request) -> dict[int, list[str]]:
    """The addresses of the pictures that a form brings along, by the step's number. Raises InvalidError."""
    found: dict[int, list[str]] = {}
    for name, sent in (await request.post()).items():
        number = name.removesuffix(".upload")
        if isinstance(sent, web.FileField) and sent.filename and number.isdecimal():
            content, size = await asyncio.to_thread(uploads.to_send, sent.file.read())
            made = await site.store_of(request).write(contents.keep, content, size)
            found.setdefault(int(number), []).append(made.sha)
    return found


async def picture(request: web.Request) -> web.StreamResponse:
    """One of the shop's own pictures, by its address."""
    sha = request.match_info["sha"]

    def look(session: Session) -> media.Content:
        contents.check_pictures(session, [sha], "picture")
        return media.load(session, sha)

    try:
        return files.media_response(await site.store_of(request).read(look), "picture.jpg")
    except InvalidError:
        raise NotFoundError("picture", sha) from None


async def flow(request: web.Request) -> web.StreamResponse:
    """The drawn flow of what is being composed."""
    return await frame.part(request, "shop/journeys/flow.html", await _context(request, await read(request)))


async def trial(request: web.Request) -> web.StreamResponse:
    """Whom it would have reached in the last 90 days; only looks."""
    here, words, draft = frame.frame_of(request), site.words_of(request), await read(request)

    def look(session: Session) -> dry_run.DryRun:
        values = written(session, here.shop.id, draft)
        return dry_run.look(session, here.shop.id, values["trigger"], values["who"], values["steps"])

    try:
        found = await site.store_of(request).read(look)
    except InvalidError as error:
        place = _place(error, draft)
        told = said.problem(words, InvalidError(place, error.problem, error.value))
        return await frame.part(
            request, "shop/journeys/trial.html", {"found": None, "wrong": told, "days": dry_run.DAYS}
        )
    return await frame.part(request, "shop/journeys/trial.html", {"found": found, "wrong": "", "days": dry_run.DAYS})
