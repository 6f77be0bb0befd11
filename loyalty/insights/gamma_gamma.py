"""Gamma-Gamma: what an order of a customer is worth, from the mean of their orders and how many these were.

Fader and Hardie, The Gamma-Gamma Model of Monetary Value (2013): amounts vary around each person's own mean, and the means
vary among people. Somebody with few orders is taken to be nearer to everybody's mean than theirs says.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loyalty.insights.likelihood import digamma, minimum


@dataclass(frozen=True, slots=True)
class Spending:
    """Somebody's orders: how many, and their mean in đồng (above 0)."""

    orders: int
    mean: float


@dataclass(frozen=True, slots=True)
class Model:
    """A fitted model; `gamma` in đồng."""

    p: float
    q: float
    gamma: float

    def expected(self, one: Spending | None) -> float:
        """The đồng that an order of theirs is expected to be; of somebody unknown, everybody's mean."""
        x, m = (one.orders, one.mean) if one else (0, 0.0)
        return self.p * (self.gamma + x * m) / (self.p * x + self.q - 1)


def fit(spendings: Iterable[Spending]) -> Model | None:
    """The model under which these means are most likely; None where there are too few, or no mean can be told of it."""
    known = [one for one in spendings if one.orders > 0 and one.mean > 0]
    if len(known) < 3:
        return None
    scale = sum(one.mean for one in known) / len(known)
    rows = [(one.orders, one.mean / scale) for one in known]

    def cost(point: Sequence[float]) -> tuple[float, list[float]]:
        value, slope = _likelihood(rows, *(math.exp(part) for part in point))
        return -value / len(rows), [-part / len(rows) for part in slope]

    _, at = minimum(cost, [1.0, 1.0, 1.0])
    p, q, gamma = (math.exp(part) for part in at)
    return Model(p, q, gamma * scale) if q > 1 else None


def _likelihood(rows: Sequence[tuple[int, float]], p: float, q: float, gamma: float) -> tuple[float, list[float]]:
    """The log-likelihood, and its slope by the logarithms of p, q and gamma."""
    fixed = {
        x: (
            math.lgamma(p * x + q) - math.lgamma(p * x) - math.lgamma(q) + q * math.log(gamma) + p * x * math.log(x),
            digamma(p * x + q) - digamma(p * x) + math.log(x),
            digamma(p * x + q) - digamma(q) + math.log(gamma),
        )
        for x in {x for x, _ in rows}
    }
    total = by_p = by_q = by_gamma = 0.0
    for x, m in rows:
        same, d_p, d_q = fixed[x]
        spread, log_m = math.log(gamma + m * x), math.log(m)
        total += same + (p * x - 1) * log_m - (p * x + q) * spread
        by_p += x * (d_p + log_m - spread)
        by_q += d_q - spread
        by_gamma += q / gamma - (p * x + q) / (gamma + m * x)
    return total, [by_p * p, by_q * q, by_gamma * gamma]
