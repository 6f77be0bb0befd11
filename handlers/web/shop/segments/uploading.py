"""Uploading: a group from a file. Rows are matched by phone, card code or our number; what matches nobody is reported."""

import asyncio
import csv
import io
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site, uploads
from handlers.web.shop import frame
from handlers.web.shop.importing import harmless, problem_of_file
from handlers.web.shop.segments.builder import unmatched_words
from handlers.words import Words
from loyalty.orders.sheets import SheetError
from loyalty.outreach.segments import lists, matching, saved
from store.errors import InvalidError

PATH = "/shop/segments"


async def page(request: web.Request) -> web.StreamResponse:
    return await _page(request, {}, {}, "")


async def _page(
    request: web.Request, form: Mapping[str, str], errors: Mapping[str, str], error: str, status: int = 200
) -> web.Response:
    """The form, for the list that the address names or for a new one."""
    here, store = frame.frame_of(request), site.store_of(request)
    segment = await store.read(saved.get, frame.named(request), here.shop.id) if "id" in request.match_info else None
    context = {"form": {"name": "", **form}, "errors": errors, "error": error, "segment": segment}
    return await frame.render(request, "shop/segments/upload.html", context, page="segments", status=status)


async def upload(request: web.Request) -> web.StreamResponse:
    """Take a file in: as a new list, or on one that there is. A file that can't be read changes nothing."""
    here, said = frame.frame_of(request), site.words_of(request)
    segment_id = frame.named(request) if "id" in request.match_info else None
    try:
        form, files = await uploads.read_form(request, 1)
    except InvalidError as error:
        return await _page(request, {}, {}, problem_of_file(said, error.problem), status=422)
    if not files:
        return await _page(request, form, {}, said("Choose a file first."), status=422)
    try:
        sheet = await asyncio.to_thread(matching.peek, files[0].content, files[0].name)
    except SheetError as error:
        return await _page(request, form, {}, problem_of_file(said, error.problem), status=422)
    if not sheet.columns:
        words = said("There is no column with phones, card codes or customer numbers in this file.")
        return await _page(request, form, {}, words, status=422)

    def write(session: Session) -> int:
        number = segment_id or saved.add_list(session, here.shop.id, form.get("name", ""), here.actor).id
        saved.get(session, number, here.shop.id, lock=True)
        found, told = matching.match(session, sheet, files[0].name)
        lists.fill(session, number, found, told, here.actor, replace=bool(form.get("replace")))
        return number

    try:
        number = await site.store_of(request).write(write)
    except InvalidError as error:
        return await _page(request, form, {error.field: _problem(said, error)}, "", status=422)
    path = here.url(f"{PATH}/{number}")
    if frame.by_script(request):
        return web.Response(headers={"HX-Redirect": path})
    raise web.HTTPSeeOther(path)


def _problem(said: Words, error: InvalidError) -> str:
    return {"empty": said("Give the group a name."), "length": said("Make the name a little shorter.")}.get(
        error.problem, said("That's a lot of groups. Take one out first.")
    )


async def unmatched(request: web.Request) -> web.StreamResponse:
    """The rows that brought nobody, as a file to be mended and uploaded again."""
    here, said = frame.frame_of(request), site.words_of(request)

    def look(session: Session) -> tuple[saved.Segment, Any]:
        segment = saved.get(session, frame.named(request), here.shop.id)
        return segment, lists.last_upload(session, segment.id)

    segment, report = await site.store_of(request).read(look)
    if report is None:
        raise web.HTTPNotFound
    words, text = unmatched_words(said), io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*map(harmless, report.header), said("line"), said("reason")])
    for one in report.unmatched:
        padded = [*one.cells, *[""] * (len(report.header) - len(one.cells))]
        writer.writerow([*map(harmless, padded), one.line, words[one.why]])
    name = quote(f"{segment.name}.unmatched.csv", safe="")
    return web.Response(
        body=text.getvalue().encode("utf-8-sig"), content_type="text/csv", charset="utf-8",
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{name}"},
    )  # fmt: skip
