"""An offer's codes in batches: made by the million or taken in from a list, watched, stopped, resumed, handed out as CSV."""

import asyncio
import csv
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site, uploads
from handlers.web.shop import fields, frame
from handlers.web.shop.frame import Frame
from handlers.words import Words
from loyalty.orders.sheets import SheetError
from loyalty.vouchers import batches, voucher_programs, vouchers
from loyalty.vouchers.batches import Batch, BatchState
from loyalty.vouchers.voucher_programs import Program
from loyalty.vouchers.vouchers import SharedProgramError, SoldOutError
from store import audit
from store.errors import ForbiddenError, InvalidError

REJECTS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Shown:
    """A batch in the list, how it stands in words."""

    batch: Batch
    state: str
    per_cent: int


async def page(request: web.Request) -> web.StreamResponse:
    return await _page(request, {}, {})


async def _page(request: web.Request, form: dict[str, str], errors: dict[str, str], status: int = 200) -> web.Response:
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)
    offer, listed = await site.store_of(request).read(_look, said, number, here)
    context = {"offer": offer, "batches": listed, "form": form, "errors": errors, "may_change": _may(here, offer)}
    return await frame.render(request, "shop/codes.html", context, page="offers", status=status)


def _look(session: Session, said: Words, program_id: int, here: Frame) -> tuple[Program, list[Shown]]:
    offer = voucher_programs.get(session, program_id, here.shop.id)
    return offer, [_shown(said, batch) for batch in batches.of_program(session, offer.id)]


def _shown(said: Words, batch: Batch) -> Shown:
    words = {
        BatchState.RUNNING.value: said("Being made"), BatchState.STOPPED.value: said("Stopped"),
        BatchState.DONE.value: said("Done"), BatchState.SOLD_OUT.value: said("The offer's number is used up"),
    }[batch.state]  # fmt: skip
    return Shown(batch, words, 100 if not batch.wanted else batch.done * 100 // batch.wanted)


def _may(here: Frame, offer: Program) -> bool:
    return offer.shop_id == here.shop.id or here.rules_all


async def progress(request: web.Request) -> web.StreamResponse:
    """The list alone, for a page that watches it."""
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)
    offer, listed = await site.store_of(request).read(_look, said, number, here)
    context = {"offer": offer, "batches": listed, "may_change": _may(here, offer)}
    return await frame.part(request, "shop/codes_list.html", context)


async def begin(request: web.Request) -> web.StreamResponse:
    """Make so many codes, in the background."""
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)
    form = await fields.read(request)

    def write(session: Session) -> Batch:
        _own(session, here, number)
        batch = batches.start(
            session, number, fields.needed(form, "count"), name=form.get("batch_name", ""), actor=here.actor
        )
        _record(session, here, "codes_begun", batch)
        return batch

    try:
        await site.store_of(request).write(write)
    except (InvalidError, SoldOutError, SharedProgramError) as error:
        return await _page(request, form, _problem(said, error), status=422)
    return await frame.done(request, f"/shop/offers/{number}/codes", said("The codes are being made."))


async def upload(request: web.Request) -> web.StreamResponse:
    """Take in a list of codes that the shop has already (printed cards, another system's)."""
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)
    await site.store_of(request).read(_own, here, number)
    try:
        _, files = await uploads.read_form(request, 1)
        rows = await asyncio.to_thread(_rows, files[0].content) if files else 0
    except SheetError:
        rows = 0
    except InvalidError:
        return frame.told(web.Response(status=422), said("This file is larger than 20 MB. Please send a smaller one."))
    if not rows:
        return frame.told(web.Response(status=422), said("This isn't a list we can read. Choose a CSV or Excel file."))

    def write(session: Session) -> None:
        _own(session, here, number)
        batch = batches.keep_list(
            session, number, files[0].content, rows, name=files[0].name[: batches.NAME_CHARS_MAX], actor=here.actor
        )
        _record(session, here, "codes_uploaded", batch)

    await site.store_of(request).write(write)
    return web.Response(status=204, headers={"HX-Refresh": "true"})


def _rows(content: bytes) -> int:
    with tempfile.TemporaryDirectory(prefix="regulars-") as folder:
        path = Path(folder) / "codes"
        path.write_bytes(content)
        return len(batches.read_list(path)[0])


def _own(session: Session, here: Frame, program_id: int) -> None:
    if not _may(here, voucher_programs.get(session, program_id, here.shop.id)):
        raise ForbiddenError(program_id)


def _record(session: Session, here: Frame, action: str, batch: Batch) -> None:
    audit.record(
        session, here.actor, action, here.shop.id, program=batch.program_id, batch=batch.id, wanted=batch.wanted
    )


async def act(request: web.Request) -> web.StreamResponse:
    """Stop a batch, or let it go on."""
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)
    action = request.match_info["action"]

    def write(session: Session) -> Batch:
        found = batches.get(session, number, lock=True)
        _own(session, here, found.program_id)
        batch = batches.stop(session, number) if action == "stop" else batches.go_on(session, number)
        if batch.state != found.state:
            audit.record(
                session, here.actor, f"codes_{action}", here.shop.id, program=batch.program_id, batch=batch.id,
                changed={"state": [found.state, batch.state]},
            )  # fmt: skip
        return batch

    batch = await site.store_of(request).write(write)
    words = said("Stopped. What is made stays; it can go on at any time.") if action == "stop" else said("It goes on.")
    return await frame.done(request, f"/shop/offers/{batch.program_id}/codes", words)


async def export(request: web.Request) -> web.StreamResponse:
    """A batch's codes as CSV, however many, as they are read."""
    batch = await site.store_of(request).read(_of_shop, frame.named(request), frame.frame_of(request))
    response = _csv(f"codes-{batch.id}.csv")
    await response.prepare(request)
    after, head = 0, "\ufeffcode,state\r\n"
    await response.write(head.encode())
    while rows := await site.store_of(request).read(batches.page, batch.id, after):
        text = "".join(f"{vouchers.shown(code)},{state}\r\n" for _, code, state in rows)
        await response.write(text.encode())
        after = rows[-1][0]
    await response.write_eof()
    return response


async def rejected(request: web.Request) -> web.StreamResponse:
    """The rows of a list that were not taken, each with its reason."""
    said = site.words_of(request)

    def look(session: Session) -> tuple[Batch, list[batches.Reject]]:
        batch = _of_shop(session, frame.named(request), frame.frame_of(request))
        return batch, batches.refused(session, batch.id)

    batch, rows = await site.store_of(request).read(look)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([said("line"), "code", said("reason")])
    for row in rows:
        # A quote keeps a spreadsheet from taking somebody's cell for a formula.
        code = f"'{row.code}" if row.code.startswith(("=", "+", "-", "@")) else row.code
        writer.writerow([row.line, code, _reason(said, row.reason)])
    response = _csv(f"rejected-{batch.id}.csv")
    await response.prepare(request)
    await response.write(text.getvalue().encode("utf-8-sig"))
    await response.write_eof()
    return response


def _of_shop(session: Session, number: int, here: Frame) -> Batch:
    batch = batches.get(session, number)
    voucher_programs.get(session, batch.program_id, here.shop.id)
    return batch


def _csv(name: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Disposition": f'attachment; filename="{name}"'})
    response.content_type, response.charset = "text/csv", "utf-8"
    return response


def _reason(said: Words, reason: str) -> str:
    return {
        "empty": said("no code in this row"), "format": said("a code has 4 to 40 letters without marks, or digits"),
        "repeated": said("stands in the list twice"), "taken": said("another voucher has this code"),
    }.get(reason, reason)  # fmt: skip


def _problem(said: Words, error: Exception) -> dict[str, str]:
    if isinstance(error, SoldOutError):
        return {"count": said("That is more than the offer has left. Raise its number first.")}
    if isinstance(error, InvalidError) and error.field == "name":
        return {"batch_name": said("Please keep it below 100 letters.")}
    if isinstance(error, InvalidError):
        return {"count": said("A whole number between 1 and 10,000,000.")}
    return {"count": said("This offer has one code for everybody.")}
