"""Sheets: the lists that a shop brings along, as CSV (any delimiter and encoding that Excel writes) or as a workbook.

Their headers are found under the names people give them, Vietnamese ones among them; their cells are read as people write
money, days and moments in Việt Nam.
"""

import csv
import io
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import chain, islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from store.errors import InvalidError
from store.text import fold

DELIMITERS = ",;\t|"
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How an XLSX (or ODS) and an old XLS begin."""
HEADER_ROWS_MAX = 10
"""Above the header there may stand a title or two."""

_GROUPED = re.compile(r"[+-]?\d{1,3}(?:([.,' ])\d{3})(?:\1\d{3})*(?:(?!\1)[.,]0{1,2})?")
_PLAIN = re.compile(r"([+-]?\d+)(?:[.,]0{1,2})?")
_CURRENCY = re.compile(r"(?:vnd|vnđ|đồng|dong|đ|₫|d)\.?$", re.IGNORECASE)
_DAY = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})")
_CLOCK = re.compile(r"(\d{1,2})(?::|h)(\d{2})(?::(\d{2})(?:\.\d+)?)?")


class SheetError(Exception):
    """The file can't be read as a list. `problem`: missing, unreadable, empty, columns; `columns`: those it lacks."""

    def __init__(self, problem: str, columns: Sequence[str] = ()) -> None:
        super().__init__(problem)
        self.problem = problem
        self.columns = tuple(columns)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a sheet: its number in the file (the header's is usually 1) and its cells in the header's order."""

    line: int
    cells: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Sheet:
    """An open list: the header as it is written, where each known column stands, about how many rows there are, and the
    rows themselves, to be gone through once.
    """

    header: Sequence[str]
    columns: Mapping[str, int]
    size: int
    rows: Iterator[Row]


def read(path: Path, aliases: Mapping[str, Sequence[str]], needed: Sequence[str]) -> Sheet:
    """Open a list. `aliases` gives each column's other names, folded. Raises SheetError."""
    if not path.is_file():
        raise SheetError("missing")
    names = _names(aliases)
    try:
        raws, size = _opened(path, names)
        header_at, header, columns = _header(raws, names, needed)
    except (OSError, UnicodeError, csv.Error) as error:
        raise SheetError("unreadable") from error
    return Sheet(header, columns, max(0, size - header_at), _rows(raws, header_at))


def peek(path: Path, aliases: Mapping[str, Sequence[str]]) -> Sheet:
    """Open a list whose columns may be called anything: the header is the line among the first that names most of the
    columns we know, else the first of the fullest; `columns` are those it names. Raises SheetError, never for columns.
    """
    if not path.is_file():
        raise SheetError("missing")
    names = _names(aliases)
    try:
        raws, size = _opened(path, names)
        first = list(islice(raws, HEADER_ROWS_MAX))
    except (OSError, UnicodeError, csv.Error) as error:
        raise SheetError("unreadable") from error
    found = [_guessed(raw, names) for raw in first]
    ranks = [(len(columns), sum(bool(text(cell)) for cell in raw)) for raw, columns in zip(first, found, strict=True)]
    if not any(filled for _, filled in ranks):
        raise SheetError("empty")
    at = ranks.index(max(ranks))
    header = [text(cell) for cell in first[at]]
    return Sheet(header, found[at], max(0, size - at - 1), _rows(chain(first[at + 1 :], raws), at + 1))


def _names(aliases: Mapping[str, Sequence[str]]) -> Mapping[str, str]:
    return {name: column for column, others in aliases.items() for name in (column.replace("_", " "), *others)}


def _opened(path: Path, names: Mapping[str, str]) -> tuple[Iterator[Sequence[Any]], int]:
    with path.open("rb") as file:
        head = file.read(4)
    return _workbook(path) if head.startswith(WORKBOOKS) else _text(path, names)


def text(cell: Any) -> str:
    """A cell as text: a whole number without the workbook's `.0`, everything else trimmed and NFC."""
    if isinstance(cell, str):
        return (cell if cell.isascii() else unicodedata.normalize("NFC", cell)).strip()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else str(cell)


def integer(cell: Any, field: str) -> int:
    """Money or points: `85.000`, `85,000đ`, `85 000 ₫`, 85000.0. Raises InvalidError(field, "number")."""
    if isinstance(cell, str) and cell.isascii() and cell.isdecimal() and len(cell) < 16:
        return int(cell)
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        if not math.isfinite(cell) or int(cell) != cell:
            raise InvalidError(field, "number", cell)
        return int(cell)
    said = text(cell)
    bare = re.sub(r"[\s\u00a0\u202f]+", " ", _CURRENCY.sub("", said)).strip()
    if len(bare) <= 30 and bare.isascii():
        if plain := _PLAIN.fullmatch(bare):
            return int(plain[1])
        if grouped := _GROUPED.fullmatch(bare):
            whole = re.sub(r"[.,]0{1,2}$", "", bare)
            return int(whole.replace(grouped[1], ""))
    raise InvalidError(field, "number", said)


def moment(cell: Any, field: str, zone: ZoneInfo) -> datetime:
    """A moment in UTC: ISO, `dd/mm/yyyy [hh:mm[:ss]]`, a workbook's own; without an offset it is the zone's, a day alone
    its first moment. Raises InvalidError(field, "date").
    """
    try:
        if isinstance(cell, str):
            at = _moment(cell.strip())
        elif isinstance(cell, datetime):
            at = cell
        elif isinstance(cell, date):
            at = datetime.combine(cell, time())
        else:
            at = _moment(text(cell))
        return (at.replace(tzinfo=zone) if at.tzinfo is None else at).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidError(field, "date", text(cell)) from error


def day(cell: Any, field: str) -> date:
    """A calendar day, written as a moment may be. Raises InvalidError(field, "date")."""
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    try:
        return _moment(text(cell)).date()
    except ValueError as error:
        raise InvalidError(field, "date", text(cell)) from error


def _moment(said: str) -> datetime:
    try:
        return datetime.fromisoformat(said)
    except ValueError:
        pass
    found = _DAY.search(said)
    if found is None:
        raise ValueError(said)
    clock = (said[: found.start()] + said[found.end() :]).strip(" ,-T")
    hours = _CLOCK.fullmatch(clock)
    if clock and hours is None:
        raise ValueError(said)
    hour, minute, second = (int(part or 0) for part in hours.groups()) if hours else (0, 0, 0)
    return datetime(int(found[3]), int(found[2]), int(found[1]), hour, minute, second)  # noqa: DTZ001  # the caller's


def _text(path: Path, names: Mapping[str, str]) -> tuple[Iterator[Sequence[Any]], int]:
    encoding = _encoding(path)
    with path.open("rb") as file:
        size = sum(part.count(b"\n") for part in iter(lambda: file.read(1 << 20), b"")) + 1
    with path.open(encoding=encoding, errors="replace", newline="") as opened:
        first = "".join(line for _, line in zip(range(HEADER_ROWS_MAX), opened, strict=False))
    if "\0" in first:
        raise SheetError("unreadable")
    # Excel's own note on the delimiter is no row of the list.
    told = re.match(r"sep=(.)\r?\n", first)
    delimiter = told[1] if told else max(DELIMITERS, key=lambda mark: _known(first, mark, names))
    return _lines(path, encoding, delimiter, skip_first=told is not None), size


def _known(first: str, delimiter: str, names: Mapping[str, str]) -> tuple[int, int]:
    """How many columns we know, and how many there are, if the delimiter is this."""
    rows = list(csv.reader(io.StringIO(first), delimiter=delimiter))
    return max(((sum(_folded(cell) in names for cell in row), len(row)) for row in rows), default=(0, 0))


def _lines(path: Path, encoding: str, delimiter: str, *, skip_first: bool) -> Iterator[Sequence[Any]]:
    with path.open(encoding=encoding, errors="replace", newline="") as opened:
        if skip_first:
            next(opened)
            yield []
        yield from csv.reader(opened, delimiter=delimiter)


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        if file.read(2) in {b"\xff\xfe", b"\xfe\xff"}:
            return "utf-16"
    try:
        with path.open(encoding="utf-8") as opened:
            while opened.read(1 << 20):
                pass
    except UnicodeDecodeError:
        return "cp1258"
    return "utf-8-sig"


def _workbook(path: Path) -> tuple[Iterator[Sequence[Any]], int]:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(path)
        sheets = [book.get_sheet_by_name(name) for name in book.sheet_names]
        filled = next((sheet for sheet in sheets if sheet.height), None)
    except CalamineError as error:
        raise SheetError("unreadable") from error
    if filled is None:
        raise SheetError("empty")
    # Empty rows above the first filled one are not given: the numbers of lines would be off by them.
    above = filled.start[0] if filled.start else 0
    return iter([*([[]] * above), *filled.to_python(skip_empty_area=True)]), filled.height + above


def _header(
    raws: Iterator[Sequence[Any]], names: Mapping[str, str], needed: Sequence[str]
) -> tuple[int, Sequence[str], Mapping[str, int]]:
    """The header's line, its cells and where the columns we know stand in it."""
    best: tuple[int, Sequence[str], dict[str, int]] | None = None
    number = 0
    for number, raw in zip(range(1, HEADER_ROWS_MAX + 1), raws, strict=False):
        columns = _columns(raw, names)
        if all(column in columns for column in needed):
            return number, [text(cell) for cell in raw], columns
        if best is None or len(columns) > len(best[2]):
            best = (number, [text(cell) for cell in raw], columns)
    if best is None or number == 0 or not any(best[1]):
        raise SheetError("empty")
    raise SheetError("columns", [column for column in needed if column not in best[2]])


def _columns(raw: Sequence[Any], names: Mapping[str, str]) -> dict[str, int]:
    """Where the columns we know stand in a line, each the first time it is named."""
    columns: dict[str, int] = {}
    for at, cell in enumerate(raw):
        column = names.get(_folded(text(cell)))
        if column is not None:
            columns.setdefault(column, at)
    return columns


def _guessed(raw: Sequence[Any], names: Mapping[str, str]) -> dict[str, int]:
    """The columns we know, and those whose heading begins as one that we know ("SĐT khách" as "SĐT"): a person looks it over."""
    columns = _columns(raw, names)
    taken = set(columns.values())
    for at, cell in enumerate(raw):
        said = _folded(text(cell))
        near = max((name for name in names if said.startswith(f"{name} ")), key=len, default=None)
        if at not in taken and near is not None:
            columns.setdefault(names[near], at)
    return columns


def _folded(header: str) -> str:
    """A header to look up: without marks, case and punctuation, "Mã đơn (*)" as "ma don"."""
    return re.sub(r"[^a-z0-9]+", " ", fold(header)).strip()


def _rows(raws: Iterator[Sequence[Any]], header_at: int) -> Iterator[Row]:
    try:
        for line, cells in enumerate(raws, start=header_at + 1):
            if any(cells):
                yield Row(line, cells)
    except csv.Error as error:
        raise SheetError("unreadable") from error
