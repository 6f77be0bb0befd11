"""Sections: what a page of insights is made of. Each says in words what it shows; figures with those of the period before,
tables, curves. The page draws them, a sheet takes them along.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from handlers.words import Words
from loyalty.insights.survival import Step

LEVELS = 5
CURVE_WIDTH, CURVE_HEIGHT = 1_000, 200
Value = int | float | str | None
"""A number as it is computed, for a sheet; None where there is nothing to divide by."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number in words, that of the period before (empty: there is none), and how it is counted."""

    name: str
    shown: str
    value: Value
    how: str
    before: str = ""
    was: Value = None


@dataclass(frozen=True, slots=True)
class Cell:
    """A place of a table: in words, as a value, how dark it is drawn (0 to 5; None: not at all), how long its bar is in per cent,
    what stands small beneath it, where it leads.
    """

    shown: str
    value: Value
    level: int | None = None
    bar: int | None = None
    note: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """The first cell of each row names it. `heat`: cells are drawn as a map."""

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    heat: bool = False


@dataclass(frozen=True, slots=True)
class Curve:
    """A falling line from 100 per cent on: `points` as SVG takes them, and marks of the days beneath, by per cent of the width."""

    points: str
    marks: Sequence[tuple[float, str]]


@dataclass(frozen=True, slots=True)
class Section:
    """`lead` is small beneath the title, `how` folded away, `notes` are said at the end; `empty` instead of everything."""

    title: str
    lead: str = ""
    figures: Sequence[Figure] = ()
    table: Table | None = None
    curve: Curve | None = None
    how: Sequence[str] = ()
    notes: Sequence[str] = ()
    empty: str = ""
    links: Sequence[tuple[str, str]] = field(default=())
    """(words, path) of what to do about it."""


class Said:
    """Numbers of insights in words, and as cells."""

    def __init__(self, words: Words) -> None:
        self.words = words

    def count(self, value: int | None) -> str:
        return "–" if value is None else self.words.number(value)

    def money(self, value: float | None) -> str:
        return "–" if value is None else self.words.money(round(value))

    def rate(self, value: float | None) -> str:
        return "–" if value is None else f"{self.words.number(round(value))} %"

    def tenths(self, value: float | None) -> str:
        if value is None:
            return "–"
        return f"{value:,.1f}".translate(str.maketrans(",.", ".,")) if self.words.language == "vi" else f"{value:,.1f}"

    def of(self, part: int, whole: int) -> str:
        """12 % of 50, or a dash."""
        return self.rate(100 * part / whole) if whole else "–"

    def number(self, value: int, bar: int | None = None, note: str = "") -> Cell:
        return Cell(self.count(value), value, bar=bar, note=note)

    def sum(self, value: float | None) -> Cell:
        return Cell(self.money(value), None if value is None else round(value))

    def share(self, value: float | None) -> Cell:
        return Cell(self.rate(value), None if value is None else round(value, 2))

    def decimal(self, value: float | None) -> Cell:
        return Cell(self.tenths(value), None if value is None else round(value, 2))


def text(words: str, path: str = "", note: str = "") -> Cell:
    """A cell of words."""
    return Cell(words, words, path=path, note=note)


def level(value: int, most: int) -> int:
    """How dark a value is drawn: 0 for none, 5 for the most."""
    return -(-LEVELS * value // most) if most and value > 0 else 0


def percent(part: int, whole: int) -> int:
    """How long a bar is."""
    return round(100 * part / whole) if whole else 0


def curve(steps: Sequence[Step], until: int, mark: str, every: int = 90) -> Curve:
    """The survival curve from day 0 to `until`, with a mark (`{n}` days) at every so many."""
    points, height = [(0.0, 1.0)], 1.0
    for step in steps:
        if step.day > until:
            break
        points += [(float(step.day), height), (float(step.day), step.stays)]
        height = step.stays
    points.append((float(until), height))
    drawn = " ".join(f"{CURVE_WIDTH * day / until:.1f},{CURVE_HEIGHT * (1 - share):.1f}" for day, share in points)
    marks = [(round(100 * day / until, 1), mark.format(n=day)) for day in range(0, until + 1, every)]
    return Curve(drawn, marks)
