"""Paging by key: a page starts after the last row of the one before it, so that no page costs more than the first one and
none skips or repeats a row when others are written meanwhile.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Integer, Row, Select, and_, func, or_, select, true
from sqlalchemy.orm import Session

from store.base import UtcTime, from_micros, to_micros

COUNTED_MAX = 10_000
"""Rows are counted up to here; what is more is said to be more."""
MARK_CHARS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class By:
    """One column (a number, a text or a time) that a list is ordered by. It is never NULL, else rows would be lost between
    pages: coalesce it.
    """

    column: ColumnElement[Any]
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page stands in its list: `after` or `before` a mark that an earlier page gave; neither: the first page."""

    after: str = ""
    before: str = ""


FIRST = Place()


@dataclass(frozen=True, slots=True)
class Slice:
    """A page's rows, and the marks of the pages beside it: ask for what is `before` the one, `after` the other."""

    rows: list[Row[Any]]
    before: str | None
    after: str | None


def cut(session: Session, query: Select[Any], order: Sequence[By], size: int, place: Place = FIRST) -> Slice:
    """A page of a query by keys, the last of which is unique. The keys stand at the end of each row. A mark that says
    nothing here (of another order, or made up) leads to the first page.
    """
    keyed = query.add_columns(*(by.column.label(f"key_{number}") for number, by in enumerate(order)))
    backwards = bool(place.before)
    mark = _read(place.before or place.after, order)
    if mark is None:
        backwards = False
    else:
        keyed = keyed.where(_beyond(order, mark, backwards=backwards))
    keyed = keyed.order_by(*(by.column.desc() if by.descending is not backwards else by.column.asc() for by in order))
    rows = list(session.execute(keyed.limit(size + 1)).all())
    more = len(rows) > size
    rows = rows[:size]
    if backwards:
        rows.reverse()
        if not more and len(rows) < size:
            # The way back ended in the middle of a page: begin at the beginning.
            return cut(session, query, order, size)
    if not rows:
        return Slice([], None, None)
    first, last = _write(rows[0][-len(order) :]), _write(rows[-1][-len(order) :])
    return Slice(
        rows,
        first if (more if backwards else mark is not None) else None,
        last if (True if backwards else more) else None,
    )


def count(session: Session, query: Select[Any]) -> int:
    """How many rows a query has; `COUNTED_MAX` + 1 where it has more than that."""
    some = query.order_by(None).limit(COUNTED_MAX + 1).subquery()
    return int(session.execute(select(func.count()).select_from(some)).scalar_one())


def _beyond(order: Sequence[By], mark: Sequence[Any], *, backwards: bool) -> ColumnElement[bool]:
    """Rows behind a mark: the first key is further on, or it is the same and the second is, and so on."""
    ways: list[ColumnElement[bool]] = []
    same: ColumnElement[bool] = true()
    for by, value in zip(order, mark, strict=True):
        further = by.column < value if by.descending is not backwards else by.column > value
        ways.append(and_(same, further))
        same = and_(same, by.column == value)
    return or_(*ways)


def _write(values: Sequence[Any]) -> str:
    plain = [{"at": to_micros(value)} if isinstance(value, datetime) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps(plain, separators=(",", ":")).encode()).decode().rstrip("=")


def _read(mark: str, order: Sequence[By]) -> list[Any] | None:
    if not mark or len(mark) > MARK_CHARS_MAX:
        return None
    try:
        values = json.loads(base64.urlsafe_b64decode(mark + "=" * (-len(mark) % 4)))
        return [_value(by.column, value) for by, value in zip(order, values, strict=True)]
    except (ValueError, KeyError, TypeError, OverflowError, binascii.Error):
        return None


def _value(column: ColumnElement[Any], value: Any) -> Any:
    """A value of a mark as its column holds them; raises ValueError or TypeError for what can't be one of them."""
    if isinstance(column.type, UtcTime):
        return from_micros(int(value["at"]))
    if isinstance(column.type, Integer):
        if type(value) is not int or not -(2**63) <= value < 2**63:
            raise ValueError(value)
        return value
    if not isinstance(value, str) or "\x00" in value:
        raise TypeError(value)
    return value
