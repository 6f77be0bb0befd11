"""Tables to take along: as CSV that a Vietnamese Excel opens right, and as XLSX."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO, StringIO

import xlsxwriter
from aiohttp import web

Cell = str | int | float
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def as_csv(name: str, head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> web.Response:
    """A table as CSV: UTF-8 with its mark, without which Excel reads marks as noise. No cell begins a formula."""
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(head)
    writer.writerows([[_plain(cell) for cell in row] for row in rows])
    return _file(text.getvalue().encode("utf-8-sig"), "text/csv", f"{name}.csv")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet of a book: the name on its tab, its head, its rows."""

    name: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def as_xlsx(name: str, sheets: Sequence[Sheet]) -> web.Response:
    """Tables as XLSX: numbers are numbers, the heads stay in sight."""
    content = BytesIO()
    book = xlsxwriter.Workbook(content, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    bold, grouped = book.add_format({"bold": True, "bottom": 1}), book.add_format({"num_format": "#,##0"})
    for one in sheets:
        sheet = book.add_worksheet(one.name)
        sheet.write_row(0, 0, one.head, bold)
        for line, row in enumerate(one.rows, start=1):
            for place, cell in enumerate(row):
                sheet.write(line, place, cell, grouped if isinstance(cell, int) else None)
        sheet.freeze_panes(1, 0)
        sheet.autofit()
    book.close()
    return _file(content.getvalue(), XLSX, f"{name}.xlsx")


def _plain(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell


def _file(content: bytes, mime: str, name: str) -> web.Response:
    return web.Response(
        body=content, content_type=mime, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
