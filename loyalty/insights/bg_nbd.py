"""BG/NBD: how many more orders customers will place, from how often and how lately they have ordered.

Fader, Hardie and Lee, “Counting Your Customers” the Easy Way (Marketing Science 24, 2005): while alive somebody orders at
their own rate, rates being gamma(r, alpha) among people; after each order they may leave for good with a probability of
their own, those being beta(a, b). Time is in weeks. Plain Python: people alike are counted once.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from loyalty.insights.likelihood import digamma, minimum

SERIES_MAX = 100_000
SAMPLE = 4_000
"""Where more people differ, a sample of so many of them shows the way first."""


@dataclass(frozen=True, slots=True, order=True)
class History:
    """What the model knows of a customer: `repeats` orders after the first, the last of them `recency` weeks after the first,
    `age` weeks from the first to the end of what was looked at.
    """

    repeats: int
    recency: float
    age: float


@dataclass(frozen=True, slots=True)
class Model:
    """A fitted model. `log_likelihood` of all the histories that it was fitted to."""

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float

    def alive(self, one: History) -> float:
        """The probability that somebody still is a customer."""
        if one.repeats == 0:
            return 1.0
        r, alpha, a, b, x = self.r, self.alpha, self.a, self.b, one.repeats
        ratio = (r + x) * math.log((alpha + one.age) / (alpha + one.recency)) + math.log(a / (b + x - 1))
        return 1 / (1 + math.exp(ratio)) if ratio < 700 else 0.0

    def expected(self, one: History, weeks: float) -> float:
        """The orders that somebody is expected to place in the next `weeks`."""
        if weeks <= 0:
            return 0.0
        r, alpha, a, b, x = self.r, self.alpha, self.a, self.b, one.repeats
        z = weeks / (alpha + one.age + weeks)
        # For a = 1 the formula has a gap that its limit fills: a hair beside it is near enough.
        a_ = a if abs(a - 1) > 1e-7 else 1 + 1e-7
        shrink = math.exp((r + x) * math.log((alpha + one.age) / (alpha + one.age + weeks)))
        raised = (a_ + b + x - 1) / (a_ - 1) * (1 - shrink * _hypergeometric(r + x, b + x, a_ + b + x - 1, z))
        return raised * self.alive(one)


class NoHistoryError(ValueError):
    """There are too few orders to learn from: at least one customer must have come again."""


def fit(histories: Iterable[History] | Mapping[History, int]) -> Model:
    """The model under which these histories (or so many people of each) are most likely. Raises NoHistoryError."""
    counted = Counter(histories)
    if not any(one.repeats for one in counted):
        raise NoHistoryError
    groups = [(one.repeats, one.recency, one.age, count) for one, count in sorted(counted.items())]
    # The scale of time is the best first guess for alpha; a unit for the rest.
    age = sum(age * count for _, _, age, count in groups) / sum(counted.values())
    starts = [[0.0, math.log(max(age / 4, 0.1)), 0.0, 0.0], [-1.0, math.log(max(age / 10, 0.1)), -1.0, 1.0]]
    if len(groups) > SAMPLE:
        few = groups[:: len(groups) // SAMPLE]
        starts = [min((_likeliest(few, start) for start in starts), key=lambda found: found[0])[1]]
    cost, at = min((_likeliest(groups, start) for start in starts), key=lambda found: found[0])
    r, alpha, a, b = (math.exp(part) for part in at)
    return Model(r, alpha, a, b, -cost * sum(counted.values()))


def _likeliest(groups: Sequence[tuple[int, float, float, int]], start: Sequence[float]) -> tuple[float, list[float]]:
    """The least cost from a start on, and where it is: minus the mean log-likelihood, by the parameters' logarithms."""
    size = sum(group[3] for group in groups)

    def cost(point: Sequence[float]) -> tuple[float, list[float]]:
        value, slope = _likelihood(groups, *(math.exp(part) for part in point))
        return -value / size, [-part / size for part in slope]

    return minimum(cost, start)


def _likelihood(
    groups: Sequence[tuple[int, float, float, int]], r: float, alpha: float, a: float, b: float
) -> tuple[float, list[float]]:
    """The log-likelihood, and its slope by the logarithms of r, alpha, a and b."""
    log_alpha = math.log(alpha)
    by_repeats: dict[int, tuple[float, float, float, float, float]] = {}
    for x in {group[0] for group in groups}:
        by_repeats[x] = (
            math.lgamma(r + x) - math.lgamma(r) + r * log_alpha
            + math.lgamma(a + b) + math.lgamma(b + x) - math.lgamma(b) - math.lgamma(a + b + x),
            digamma(r + x) - digamma(r) + log_alpha,
            digamma(a + b) - digamma(a + b + x),
            digamma(a + b) + digamma(b + x) - digamma(b) - digamma(a + b + x),
            math.log(a / (b + x - 1)) if x else 0.0,
        )  # fmt: skip
    total = by_r = by_alpha = by_a = by_b = 0.0
    log, exp = math.log, math.exp
    for x, recency, age, count in groups:
        fixed, d_r, d_a, d_b, odds = by_repeats[x]
        log_age = log(alpha + age)
        stays = -(r + x) * log_age
        if x:
            log_recency = log(alpha + recency)
            leaves = odds - (r + x) * log_recency
            top = max(leaves, stays)
            e_stays, e_leaves = exp(stays - top), exp(leaves - top)
            both = e_stays + e_leaves
            p, q = e_stays / both, e_leaves / both
            total += count * (fixed + top + log(both))
            by_r += count * (d_r - p * log_age - q * log_recency)
            by_alpha += count * (r / alpha - (r + x) * (p / (alpha + age) + q / (alpha + recency)))
            by_a += count * (d_a + q / a)
            by_b += count * (d_b - q / (b + x - 1))
        else:
            total += count * (fixed + stays)
            by_r += count * (d_r - log_age)
            by_alpha += count * (r / alpha - r / (alpha + age))
            by_a += count * d_a
            by_b += count * d_b
    return total, [by_r * r, by_alpha * alpha, by_a * a, by_b * b]


def _hypergeometric(a: float, b: float, c: float, z: float) -> float:
    """Gauss's 2F1 for 0 <= z < 1, by its series (Abramowitz and Stegun, 15.1.1)."""
    term = total = 1.0
    for n in range(SERIES_MAX):
        term *= (a + n) * (b + n) / ((c + n) * (n + 1)) * z
        total += term
        if abs(term) < 1e-12 * abs(total):
            break
    return total
