"""RFM: how lately, how often and for how much a customer buys, each in five steps; and what recency and frequency together
make of them. The steps stand still, so nobody changes class because others did.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

RECENCY = (180, 90, 60, 30)
"""Days since the last order: above the first is step 1, at most the last is step 5."""
FREQUENCY = (2, 3, 5, 10)
"""Orders: below the first is step 1, from the last on is step 5."""
MONETARY = (200_000, 500_000, 1_000_000, 3_000_000)
"""đồng spent in all: below the first is step 1, from the last on is step 5."""


class Rfm(StrEnum):
    """What a customer who has ordered is, the best first."""

    CHAMPION = "champion"
    LOYAL = "loyal"
    PROMISING = "promising"
    NEW = "new"
    COOLING = "cooling"
    AT_RISK = "at_risk"
    SLEEPING = "sleeping"
    CANT_LOSE = "cant_lose"
    LOST = "lost"


_ROWS = (  # from step 5 of recency down to step 1; in each row from step 1 of frequency up to step 5
    (Rfm.NEW, Rfm.PROMISING, Rfm.LOYAL, Rfm.CHAMPION, Rfm.CHAMPION),
    (Rfm.NEW, Rfm.PROMISING, Rfm.LOYAL, Rfm.LOYAL, Rfm.LOYAL),
    (Rfm.COOLING, Rfm.COOLING, Rfm.LOYAL, Rfm.LOYAL, Rfm.LOYAL),
    (Rfm.SLEEPING, Rfm.SLEEPING, Rfm.AT_RISK, Rfm.AT_RISK, Rfm.AT_RISK),
    (Rfm.LOST, Rfm.LOST, Rfm.LOST, Rfm.CANT_LOSE, Rfm.CANT_LOSE),
)
GRID: Mapping[tuple[int, int], Rfm] = MappingProxyType(
    {(5 - row, column + 1): found for row, line in enumerate(_ROWS) for column, found in enumerate(line)}
)
"""By the steps of recency and frequency."""


def recency(days: int) -> int:
    """The step of so many days since the last order."""
    return 1 + sum(days <= bound for bound in RECENCY)


def frequency(orders: int) -> int:
    """The step of so many orders."""
    return 1 + sum(orders >= bound for bound in FREQUENCY)


def monetary(spent: int) -> int:
    """The step of so many đồng."""
    return 1 + sum(spent >= bound for bound in MONETARY)


def of(days: int, orders: int) -> Rfm:
    """The class of a customer with so many days since their last order and so many orders."""
    return GRID[recency(days), frequency(orders)]
