"""Matching: the rows of an uploaded file, each found among the customers by a phone, a card code or our number."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty.customers import phones
from loyalty.customers.customers import customers, resolve
from loyalty.orders import sheets
from loyalty.orders.imports import CUSTOMER_COLUMNS
from loyalty.outreach.segments.lists import UNMATCHED_MAX, Unmatched, Upload
from store import clock
from store.errors import InvalidError, NotFoundError

ROWS_MAX = 200_000
COLUMNS = {
    "phone": CUSTOMER_COLUMNS["phone"],
    "code": ("card", "card code", "ma the", "so the", "ma khach hang", "ma khach", "ma kh"),
    "customer": ("id", "customer id", "customer number", "number", "so khach hang"),
}
BATCH = 500


@dataclass(frozen=True, slots=True)
class Rows:
    """A file that was read: which of COLUMNS stand where, and its rows (line, cells)."""

    header: list[str]
    columns: dict[str, int]
    rows: list[tuple[int, list[Any]]]


def peek(content: bytes, name: str) -> Rows:
    """Read a file. Raises SheetError."""
    with tempfile.NamedTemporaryFile(suffix=Path(name).suffix) as file:
        file.write(content)
        file.flush()
        sheet = sheets.peek(Path(file.name), COLUMNS)
        rows = [(row.line, list(row.cells)) for row in islice(sheet.rows, ROWS_MAX)]
    return Rows(list(sheet.header), dict(sheet.columns), rows)


def match(session: Session, sheet: Rows, file: str) -> tuple[list[int], Upload]:
    """The customers that the rows mean, in the file's order, and the report."""
    keys = [(line, cells, _key(sheet, cells)) for line, cells in sheet.rows]
    known: dict[tuple[str, str], int] = {}
    for field in ("phone", "code", "customer"):
        wanted = sorted({value for _, _, (kind, value) in keys if kind == field})
        known |= {(field, key): number for key, number in _known(session, field, wanted).items()}
    found: dict[int, None] = {}
    unmatched = []
    for line, cells, key in keys:
        number = known.get(key)
        why = key[1] if key[0] == "" else "customer" if number is None else "twice" if number in found else ""
        if why:
            unmatched.append(Unmatched(line, why, [sheets.text(cell)[:100] for cell in cells]))
        elif number is not None:
            found[number] = None
    report = Upload(clock.now(session), file, len(keys), len(found), sheet.header, unmatched[:UNMATCHED_MAX])
    return list(found), report


def _key(sheet: Rows, cells: Sequence[Any]) -> tuple[str, str]:
    """What a row is found by: the first of phone, card code and number that it has; ("", why) where it has none."""
    why = "missing"
    for field in ("phone", "code", "customer"):
        at = sheet.columns.get(field)
        said = sheets.text(cells[at]).lstrip("'") if at is not None and at < len(cells) else ""
        if not said:
            continue
        if field == "phone":
            try:
                return field, phones.normal(said)
            except InvalidError:
                why = "phone"
        elif field == "code":
            return field, said.upper().replace(" ", "").replace("-", "")
        elif said.isascii() and said.isdecimal() and len(said) < 16:
            return field, str(int(said))
        else:
            why = "customer"
    return "", why


def _known(session: Session, field: str, wanted: Sequence[str]) -> dict[str, int]:
    """The customers of some keys, the ones who live on after merges."""
    c = customers.c
    column = {"phone": c.phone, "code": c.code, "customer": c.id}[field]
    found: dict[str, int] = {}
    for start in range(0, len(wanted), BATCH):
        some: list[Any] = list(wanted[start : start + BATCH])
        keys = [int(one) for one in some] if field == "customer" else some
        rows = session.execute(
            select(column.label("key"), c.id, c.merged_into).where(column.in_(keys), c.erased_at.is_(None))
        )
        for row in rows:
            try:
                found[str(row.key)] = row.id if row.merged_into is None else resolve(session, row.id)
            except NotFoundError:
                continue
    return found
