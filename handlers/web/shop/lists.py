"""How a list of the console is asked for: what it is sorted by, which page, which filters; all of it in the address."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from aiohttp import web

from store.paging import Place

SEARCH_CHARS_MAX = 100
PAGE = 40
Choice = TypeVar("Choice", bound=StrEnum)
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Asked:
    """A list as the address asks for it. `kept` are its filters, `upwards` the columns that sort from the least on first."""

    path: str
    sort: str
    descending: bool
    place: Place
    kept: Mapping[str, str]
    upwards: Collection[str]

    @property
    def order(self) -> str:
        """As it stands in the address: `spent.desc`."""
        return named(self.sort, self.descending)

    def turned(self, sort: str) -> str:
        """What a column's head asks for: that column, and the other way round where the list is sorted by it."""
        return named(sort, not self.descending if sort == self.sort else self.down(sort))

    def down(self, sort: str) -> bool:
        """Whether a column shows the greatest first when it is chosen."""
        return sort not in self.upwards


def asked(
    request: web.Request,
    path: str,
    sorts: type[StrEnum],
    first: StrEnum,
    upwards: Collection[str],
    kept: Mapping[str, str],
) -> Asked:
    """Read the address of the list at `path`: `sort=spent.desc`, `after=…` or `before=…`. What it can't mean is the list's
    usual.
    """
    name, _, way = request.query.get("sort", "").partition(".")
    sort = choice(sorts, name) or first
    descending = way == "desc" if way in {"asc", "desc"} and sort == name else sort not in upwards
    place = Place(request.query.get("after", ""), request.query.get("before", ""))
    return Asked(path, sort.value, descending, place, kept, upwards)


def named(sort: str, descending: bool) -> str:
    return f"{sort}.{'desc' if descending else 'asc'}"


def search(request: web.Request) -> str:
    """What is looked for."""
    return request.query.get("q", "")[:SEARCH_CHARS_MAX]


def choice(kind: type[Choice], value: str | None) -> Choice | None:
    """The one that a text names; None for any other text."""
    try:
        return kind(value or "")
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Listed(Generic[Item]):
    """A page of a list that was read as a whole; `before` and `after` are the marks of the pages beside it."""

    lines: list[Item]
    total: int
    before: str | None
    after: str | None


def arrange(
    items: Sequence[Item], asked: Asked, key: Callable[[Item], Any], number: Callable[[Item], int]
) -> Listed[Item]:
    """Sort a short list (offers, colleagues) that was read as a whole, and cut out the page; a mark is an item's number."""
    found = sorted(items, key=lambda item: (key(item), number(item)), reverse=asked.descending)
    places = {str(number(item)): place for place, item in enumerate(found)}
    start = places.get(asked.place.after, -1) + 1
    if asked.place.before in places:
        start = max(0, places[asked.place.before] - PAGE)
    lines = found[start : start + PAGE]
    before = str(number(lines[0])) if start and lines else None
    after = str(number(lines[-1])) if start + PAGE < len(found) else None
    return Listed(lines, len(found), before, after)
