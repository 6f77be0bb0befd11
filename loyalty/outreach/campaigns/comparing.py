"""Comparing two shares: whether more of one group bought than of another, and how sure that is.

The 95 % interval of the difference is Newcombe's hybrid score interval without continuity correction (Statistics in Medicine
17, 1998, 873-890, method 10): Wilson's interval of each share, squared and added. It holds for small groups and for shares
near 0 and 1, where the textbook one says nonsense.
"""

from dataclasses import dataclass
from math import ceil, sqrt

Z = 1.959963984540054
"""Of the normal distribution: 95 % lie within."""
TIMES_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Difference:
    """The first share less the second and its 95 % interval, as fractions. `more`: about how many more people would make
    it sure, if shares stay as they are; None where it is sure, or where no number of people would.
    """

    first: float
    second: float
    low: float
    high: float
    more: int | None

    @property
    def sure(self) -> bool:
        """The interval excludes no difference at all."""
        return self.low > 0 or self.high < 0


def difference(hits: int, people: int, other_hits: int, other_people: int) -> Difference | None:
    """How the share hits/people stands to other_hits/other_people; None where one of the groups is empty."""
    if not people or not other_people:
        return None
    first, second = hits / people, other_hits / other_people
    low, high = _interval(first, people, second, other_people)
    return Difference(first, second, low, high, _more(first, people, second, other_people))


def _wilson(share: float, people: float) -> tuple[float, float]:
    middle = share + Z * Z / (2 * people)
    spread = Z * sqrt(share * (1 - share) / people + Z * Z / (4 * people * people))
    whole = 1 + Z * Z / people
    return max(0.0, (middle - spread) / whole), min(1.0, (middle + spread) / whole)


def _interval(first: float, people: float, second: float, other_people: float) -> tuple[float, float]:
    low, high = _wilson(first, people)
    other_low, other_high = _wilson(second, other_people)
    apart = first - second
    return (
        apart - sqrt((first - low) ** 2 + (other_high - second) ** 2),
        apart + sqrt((high - first) ** 2 + (second - other_low) ** 2),
    )


def _more(first: float, people: int, second: float, other_people: int) -> int | None:
    def sure(times: float) -> bool:
        low, high = _interval(first, people * times, second, other_people * times)
        return low > 0 or high < 0

    if first == second or sure(1) or not sure(TIMES_MAX):
        return None
    below, above = 1.0, float(TIMES_MAX)
    while above - below > 0.01 * below:
        between = (below + above) / 2
        below, above = (below, between) if sure(between) else (between, above)
    return ceil((above - 1) * (people + other_people))
