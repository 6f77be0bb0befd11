"""The one chart: bars of weeks as numbers to draw by. Widths are per cent of the picture, heights px, so that its letters keep
their size on every screen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from loyalty.insights.today import Week

TOP = 18
PLOT = 168
"""px from the highest value to the base line."""
BAR_SHARE = 0.56


@dataclass(frozen=True, slots=True)
class Bar:
    """Returning customers stand at the bottom, new ones on top of them or beside them. `left`, `wide` and `middle` in per cent."""

    week: Week
    left: float
    new_left: float
    wide: float
    middle: float
    returning_y: float
    returning_height: float
    new_y: float
    new_height: float


@dataclass(frozen=True, slots=True)
class Line:
    value: int
    y: float


@dataclass(frozen=True, slots=True)
class Chart:
    bars: list[Bar]
    lines: list[Line]
    base: float
    height: float


def draw(weeks: Sequence[Week], *, beside: bool = False) -> Chart:
    """The geometry of a chart of weeks, oldest left. `beside`: for two things that don't add up."""
    tallest = [max(week.new, week.returning) if beside else week.new + week.returning for week in weeks]
    top = ceiling(max(tallest, default=0))
    step = 100 / max(1, len(weeks))
    base, wide = TOP + PLOT, step * BAR_SHARE / (2 if beside else 1)
    bars = []
    for place, week in enumerate(weeks):
        returning, new = PLOT * week.returning / top, PLOT * week.new / top
        left = step * (place + (1 - BAR_SHARE) / 2)
        bars.append(
            Bar(
                week, round(left, 2), round(left + wide if beside else left, 2), round(wide, 2), round(step * (place + 0.5), 2),
                round(base - returning, 1), round(returning, 1), round(base - new - (0 if beside else returning), 1),
                round(new, 1),
            )
        )  # fmt: skip
    lines = [Line(top * part // 2, round(base - PLOT * part / 2, 1)) for part in (0, 1, 2)]
    return Chart(bars, lines, base, base + 26)


def ceiling(most: int) -> int:
    """An even round number that the highest bar fits under: 4, 8, 12, 16, 20, 30, 40, 60, 80, 100 …"""
    for small in (4, 8, 12, 16):
        if most <= small:
            return small
    size = 10
    while True:
        for step in (2, 3, 4, 6, 8, 10):
            if most <= step * size:
                return step * size
        size *= 10
