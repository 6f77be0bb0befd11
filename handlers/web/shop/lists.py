"""How a list of the console is asked for: what it is sorted by, which page, which filters; all of it in the address."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from aiohttp import web

from store.paging import Place

SEARCH_CHARS_MAX = 100
Choice = TypeVar("Choice", bound=StrEnum)


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
    request: web.Request, sorts: type[StrEnum], first: StrEnum, upwards: Collection[str], kept: Mapping[str, str]
) -> Asked:
    """Read the address: `sort=spent.desc`, `after=…` or `before=…`. What it can't mean is the list's usual."""
    name, _, way = request.query.get("sort", "").partition(".")
    sort = choice(sorts, name) or first
    descending = way == "desc" if way in {"asc", "desc"} and sort == name else sort not in upwards
    place = Place(request.query.get("after", ""), request.query.get("before", ""))
    return Asked(request.path, sort.value, descending, place, kept, upwards)


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
