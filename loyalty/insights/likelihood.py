"""Likelihood: what fitting a model takes, in plain Python: the least of a smooth function, the slope of lgamma."""

import math
from collections.abc import Callable, Sequence

STEPS_MAX = 200
TOLERANCE = 1e-6


def minimum(
    cost: Callable[[Sequence[float]], tuple[float, list[float]]], start: Sequence[float]
) -> tuple[float, list[float]]:
    """The least cost and where it is, by BFGS with a line that is halved until it pays (Nocedal and Wright, 6.1)."""
    size = len(start)
    point = list(start)
    value, slope = cost(point)
    inverse = [[float(row == column) for column in range(size)] for row in range(size)]
    for _ in range(STEPS_MAX):
        if max(map(abs, slope)) < TOLERANCE:
            break
        way = [-sum(inverse[row][at] * slope[at] for at in range(size)) for row in range(size)]
        falls = sum(part * rise for part, rise in zip(way, slope, strict=True))
        if falls >= 0:
            inverse = [[float(row == column) for column in range(size)] for row in range(size)]
            way, falls = [-part for part in slope], -sum(part * part for part in slope)
        # No step leaves what a logarithm of a sensible parameter can be.
        step = min(1.0, 2.0 / max(map(abs, way)))
        while True:
            following = [max(-12.0, min(12.0, at + step * part)) for at, part in zip(point, way, strict=True)]
            next_value, next_slope = cost(following)
            if next_value <= value + 1e-4 * step * falls or step < 1e-10:
                break
            step /= 2
        if step < 1e-10:
            break
        moved = [new - old for new, old in zip(following, point, strict=True)]
        turned = [new - old for new, old in zip(next_slope, slope, strict=True)]
        along = sum(m * t for m, t in zip(moved, turned, strict=True))
        point, value, slope = following, next_value, next_slope
        if along > 1e-12:
            through = [sum(inverse[row][at] * turned[at] for at in range(size)) for row in range(size)]
            scale = (along + sum(t * h for t, h in zip(turned, through, strict=True))) / along**2
            for row in range(size):
                for at in range(size):
                    inverse[row][at] += (
                        scale * moved[row] * moved[at] - (through[row] * moved[at] + moved[row] * through[at]) / along
                    )
    return value, point


def digamma(x: float) -> float:
    """The slope of lgamma: raised to where its asymptotic series is exact to 1e-12 (Abramowitz and Stegun, 6.3.18)."""
    below = 0.0
    while x < 10:
        below -= 1 / x
        x += 1
    y = 1 / (x * x)
    return below + math.log(x) - 0.5 / x - y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y / 132))))
