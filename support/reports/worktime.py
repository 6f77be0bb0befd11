"""Worktime: the open time between any two moments of a stretch, for very many pairs of them.

The same as calculator.worked, which walks through the days for each pair: here they are walked through once.
"""

from bisect import bisect_left, bisect_right
from datetime import datetime, timedelta
from itertools import accumulate

from support.deadlines.calculator import Hours, open_spans

STEP = timedelta(days=1_000)
"""open_spans looks no further than its horizon, so a long stretch is looked through in steps."""


class Worktime:
    """A shop's open time from `since` until `until`; all of it where it has told no hours."""

    def __init__(self, hours: Hours | None, since: datetime, until: datetime) -> None:
        self._begins: list[datetime] = []
        self._ends: list[datetime] = []
        while since < until:
            stop = min(until, since + STEP)
            if hours is None:
                self._add(since, stop)
            else:
                for begin, end in open_spans(hours, since):
                    if begin >= stop:
                        break
                    self._add(begin, min(end, stop))
            since = stop
        lengths = (end - begin for begin, end in zip(self._begins, self._ends, strict=True))
        self._before = list(accumulate(lengths, initial=timedelta()))

    def between(self, start: datetime, stop: datetime) -> int:
        """Whole seconds of open time between two moments of the stretch, rounded down; 0 where they are the wrong way round."""
        return max(0, (self._until(stop) - self._until(start)) // timedelta(seconds=1))

    def _add(self, begin: datetime, end: datetime) -> None:
        self._begins.append(begin)
        self._ends.append(end)

    def _until(self, at: datetime) -> timedelta:
        """The open time from the stretch's beginning to a moment."""
        begun, ended = bisect_right(self._begins, at), bisect_left(self._ends, at)
        running = at - self._begins[begun - 1] if begun > ended else timedelta()
        return self._before[ended] + running
