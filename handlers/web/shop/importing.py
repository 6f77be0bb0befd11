"""Import: upload a file of customers or orders, say which column is what, see what would be read, take it in, stop it,
go on, and fetch the rows that were refused.
"""

import asyncio
import csv
import io
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import web
from sqlalchemy.orm import Session

from handlers import rejections
from handlers.web import site, uploads
from handlers.web.shop import fields, frame
from handlers.words import Words
from loyalty.customers import phones
from loyalty.orders import import_jobs, import_lines, sheets
from loyalty.orders.import_jobs import WHATS, Job, State
from loyalty.orders.imports import CustomerLine, OrderLine
from loyalty.orders.sheets import SheetError
from store import audit
from store.errors import ForbiddenError, InvalidError, RuleError
from store.shops import Shop
from store.staff import Right

PLACE = "/shop/import"
SHOWN = 10
JUDGED_MAX = 50_000
"""Rows that a preview looks at; what comes after them is judged when it is taken in."""
REASONS = 6
OPENING = {"points", "tier_points"}
"""Columns that give points away: only who may hand out rights takes them in."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a file would become with some columns: the first rows (line, cells as read or None, why not), how many rows
    were looked at, how many of them would be refused, and the commonest reasons.
    """

    rows: list[tuple[int, list[str], str | None]]
    looked: int
    refused: int
    reasons: list[tuple[str, int]]
    missing: list[str]


async def page(request: web.Request) -> web.StreamResponse:
    """Upload, and the last imports."""
    return await _page(request, "")


async def _page(request: web.Request, error: str, what: str = "orders", status: int = 200) -> web.Response:
    here = frame.frame_of(request)
    jobs = await site.store_of(request).read(import_jobs.of_shop, here.shop.id)
    context = {"jobs": jobs, "error": error, "what": what, "states": _states(site.words_of(request))}
    return await frame.render(request, "shop/import.html", context, page="setup", status=status)


async def upload(request: web.Request) -> web.StreamResponse:
    """Keep a file whose columns are then looked over. One that can't be read changes nothing."""
    here, said = frame.frame_of(request), site.words_of(request)
    try:
        form, files = await uploads.read_form(request, 1)
    except InvalidError as error:
        return await _page(request, problem_of_file(said, "size" if error.problem == "size" else "count"), status=422)
    what = form.get("what", "")
    if what not in WHATS or not files:
        return await _page(request, said("Choose a file first."), status=422)
    try:
        sheet = await asyncio.to_thread(_peeked, files[0].content, files[0].name, what)
    except SheetError as error:
        return await _page(request, problem_of_file(said, error.problem), what, status=422)
    job = await site.store_of(request).write(
        import_jobs.add, here.shop.id, here.actor, what, files[0].name, files[0].content, sheet.header, sheet.columns,
        sheet.size,
    )  # fmt: skip
    return _onward(request, here.url(f"{PLACE}/{job.id}"))


def _onward(request: web.Request, path: str) -> web.Response:
    """On to a page: a script is told so, a form without one is led there."""
    if frame.by_script(request):
        return web.Response(headers={"HX-Redirect": path})
    raise web.HTTPSeeOther(path)


def _peeked(content: bytes, name: str, what: str) -> sheets.Sheet:
    with tempfile.NamedTemporaryFile(suffix=Path(name).suffix) as file:
        file.write(content)
        file.flush()
        return sheets.peek(Path(file.name), WHATS[what][0])


async def one(request: web.Request) -> web.StreamResponse:
    """A draft with its preview, or how far an import has come."""
    here, said = frame.frame_of(request), site.words_of(request)
    job = await site.store_of(request).read(import_jobs.get, frame.named(request), here.shop.id)
    context: dict[str, Any] = {"job": job, "states": _states(said), "problem": problem_of_file(said, job.problem or "")}
    if job.state == State.DRAFT:
        context |= await _looked(request, job, job.columns)
    return await frame.render(request, "shop/import_one.html", context, page="setup")


async def preview(request: web.Request) -> web.StreamResponse:
    """The preview with other columns."""
    job = await site.store_of(request).read(import_jobs.get, frame.named(request), frame.frame_of(request).shop.id)
    return await frame.part(request, "shop/import_look.html", await _looked(request, job, _chosen(request.query, job)))


async def progress(request: web.Request) -> web.StreamResponse:
    """How far it has come, again and again while it runs."""
    here, said = frame.frame_of(request), site.words_of(request)
    job = await site.store_of(request).read(import_jobs.get, frame.named(request), here.shop.id)
    context = {"job": job, "states": _states(said), "problem": problem_of_file(said, job.problem or "")}
    return await frame.part(request, "shop/import_progress.html", context)


async def _looked(request: web.Request, job: Job, columns: Mapping[str, int]) -> dict[str, Any]:
    here, said, store = frame.frame_of(request), site.words_of(request), site.store_of(request)
    content = await store.read(import_jobs.content, job.id)
    look = await asyncio.to_thread(_look, said, job, here.shop, content, dict(columns))
    return {
        "job": job, "look": look, "chosen": columns, "labels": _labels(said), "columns": list(WHATS[job.what][0]),
        "read": [name for name in _read_columns(job.what) if name in columns], "letters": _letters(len(job.header)),
        "may_open": here.member.may(Right.STAFF, here.shop.id),
    }  # fmt: skip


def _look(said: Words, job: Job, shop: Shop, content: bytes, columns: dict[str, int]) -> Look:
    """Judge the file with these columns (off the loop: a file may be long)."""
    labels = _labels(said)
    missing = [labels[name] for name in job.needs if name not in columns]
    if missing:
        return Look([], 0, 0, [], missing)
    sheet = _peeked(content, job.name, job.what)
    rows = list(islice(sheet.rows, JUDGED_MAX))
    lines, refused = import_lines.judge(job.what, rows, columns, shop)
    good = {line.line: line for line in lines}
    why = {line: rejections.reason(said, error, labels) for line, error in refused}
    kinds = Counter(_kind(error) for _, error in refused)
    first = {_kind(error): rejections.reason(said, error, labels) for _, error in reversed(refused)}
    shown = []
    for row in rows[:SHOWN]:
        cells = (
            _as_read(said, job.what, good[row.line], columns, shop) if row.line in good
            else [rejections.shown(row.cells[columns[name]]) if columns[name] < len(row.cells) else ""
                  for name in _read_columns(job.what) if name in columns]
        )  # fmt: skip
        shown.append((row.line, cells, why.get(row.line)))
    return Look(
        shown, len(rows), len(refused), [(first[kind], count) for kind, count in kinds.most_common(REASONS)], []
    )


def _kind(error: RuleError) -> tuple[str, str]:
    return (error.field, error.problem) if isinstance(error, InvalidError) else (error.code, "")


def _read_columns(what: str) -> Sequence[str]:
    """Columns in the order in which they are shown."""
    if what == "orders":
        return ("external_id", "phone", "name", "total", "placed_at", "status", "refunded", "currency", "items")
    return (
        "phone",
        "name",
        "birthday",
        "points",
        "tier_points",
        "debt",
        "last_bought",
        "joined_at",
        "tags",
        "language",
    )


def _as_read(
    said: Words, what: str, line: OrderLine | CustomerLine, columns: Mapping[str, int], shop: Shop
) -> list[str]:
    """A row's values, as they would be taken in."""
    values: dict[str, str]
    if isinstance(line, OrderLine):
        order = line.order
        statuses = {
            "completed": said("Completed"), "pending": said("Not completed yet"), "cancelled": said("Cancelled"),
            "refunded": said("Refunded"),
        }  # fmt: skip
        values = {
            "external_id": line.external_id, "phone": phones.local(order.phone or ""), "name": order.name,
            "total": said.money(order.total, order.currency), "placed_at": said.moment(order.placed_at, shop.timezone),
            "status": statuses[order.status.value], "currency": order.currency,
            "refunded": "" if order.refunded is None else said.money(order.refunded, order.currency),
            "items": ", ".join(str(item.get("name", "")) for item in order.items)[:80],
        }  # fmt: skip
    else:
        values = {
            "phone": phones.local(line.phone), "name": line.name, "language": line.language or "",
            "birthday": said.date(line.birthday) if line.birthday else "", "tags": ", ".join(line.tags),
            "points": said.number(line.points), "tier_points": said.number(line.tier_points),
            "joined_at": said.moment(line.joined_at, shop.timezone) if line.joined_at else "",
            "debt": "" if line.debt is None else said.money(line.debt, shop.currency),
            "last_bought": said.moment(line.last_bought, shop.timezone) if line.last_bought else "",
        }  # fmt: skip
    return [values[name] for name in _read_columns(what) if name in columns]


def _chosen(given: Mapping[str, str], job: Job) -> dict[str, int]:
    """The columns of a form: `col_phone=2`; an empty one is not in the file."""
    found = {}
    for name in WHATS[job.what][0]:
        place = given.get(f"col_{name}", "")
        if place.isascii() and place.isdecimal() and len(place) < 5 and int(place) < len(job.header):
            found[name] = int(place)
    return found


async def start(request: web.Request) -> web.StreamResponse:
    """Take it in with the chosen columns, or go on."""
    here, store = frame.frame_of(request), site.store_of(request)
    job_id, form = frame.named(request), await fields.read(request)

    def write(session: Session) -> None:
        job = import_jobs.get(session, job_id, here.shop.id)
        columns = _chosen(form, job) if job.state == State.DRAFT else job.columns
        if OPENING & set(columns) and not here.member.may(Right.STAFF, here.shop.id):
            raise ForbiddenError("points")
        import_jobs.start(session, job_id, here.shop.id, columns)
        audit.record(session, here.actor, "import_started", here.shop.id, job=job_id, what=job.what, rows=job.size)

    try:
        await store.write(write)
    except InvalidError:
        # The page says which columns are missing.
        return await one(request)
    raise web.HTTPSeeOther(here.url(f"{PLACE}/{job_id}"))


async def act(request: web.Request) -> web.StreamResponse:
    """Stop it, or throw the file away."""
    here, said, job_id = frame.frame_of(request), site.words_of(request), frame.named(request)
    action = request.match_info["action"]

    def write(session: Session) -> None:
        if action == "stop":
            import_jobs.stop(session, job_id, here.shop.id)
        else:
            import_jobs.discard(session, job_id, here.shop.id)
        audit.record(session, here.actor, f"import_{action}", here.shop.id, job=job_id)

    await site.store_of(request).write(write)
    if action == "stop":
        return await frame.done(
            request, f"{PLACE}/{job_id}", said("Stopped. What is in stays; you can go on at any time.")
        )
    return await frame.done(request, PLACE, said("The file is thrown away."))


async def rejected(request: web.Request) -> web.StreamResponse:
    """The rows that were refused, as a file to be mended and uploaded again."""
    here, said, job_id = frame.frame_of(request), site.words_of(request), frame.named(request)

    def look(session: Session) -> tuple[Job, list[tuple[int, list[str], RuleError]]]:
        job = import_jobs.get(session, job_id, here.shop.id)
        return job, import_jobs.refused_rows(session, job_id)

    job, rows = await site.store_of(request).read(look)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*job.header, said("line"), said("reason")])
    for line, cells, error in rows:
        padded = [*cells, *[""] * (len(job.header) - len(cells))]
        writer.writerow([*map(harmless, padded), line, rejections.reason(said, error, _labels(said))])
    name = quote(f"{Path(job.name).stem}.rejected.csv", safe="")
    # With a byte order mark, so that a spreadsheet takes it for UTF-8.
    return web.Response(
        body=text.getvalue().encode("utf-8-sig"), content_type="text/csv", charset="utf-8",
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{name}"},
    )  # fmt: skip


def harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    starts = cell[:1] in {"=", "@", "\t", "\r"} or (cell[:1] in {"+", "-"} and not cell[1:2].isdecimal())
    return f"'{cell}" if starts else cell


def _letters(count: int) -> list[str]:
    """Columns as spreadsheets name them: A … Z, AA …"""
    return [(chr(64 + at // 26) if at >= 26 else "") + chr(65 + at % 26) for at in range(count)]


def _labels(said: Words) -> dict[str, str]:
    return {
        "external_id": said("Order number"), "phone": said("Phone"), "name": said("Name"), "total": said("Total"),
        "placed_at": said("Date"), "status": said("Status"), "refunded": said("Refunded"), "currency": said("Currency"),
        "items": said("What was bought"), "birthday": said("Birthday"), "points": said("Opening points"),
        "tier_points": said("Opening tier points"), "joined_at": said("Member since"), "tags": said("Tags"),
        "language": said("Language"), "debt": said("Debt"), "last_bought": said("Last bought"), "branch": said("Branch"),
    }  # fmt: skip


def _states(said: Words) -> dict[str, str]:
    return {
        State.DRAFT: said("Not begun"), State.RUNNING: said("Running"), State.STOPPED: said("Stopped"),
        State.DONE: said("Done"), State.FAILED: said("Failed"),
    }  # fmt: skip


def problem_of_file(said: Words, problem: str) -> str:
    """Why a file can't be taken in, in words."""
    return {
        "unreadable": said(
            "This file can't be read. Save it as CSV (UTF-8) or XLSX and try again; nothing was changed."
        ),
        "empty": said("There is nothing in this file. Give one with a row of headings and rows beneath it."),
        "size": said("The file is larger than 20 MB. Split it, or use the command line: regulars import."),
        "count": said("Choose one file at a time."),
        "file": said("The file is gone. Upload it again; rows that are in already are passed over."),
        "internal": said("It broke off. Upload the file again; rows that are in already are passed over."),
    }.get(problem, said("It broke off. Upload the file again; rows that are in already are passed over."))
