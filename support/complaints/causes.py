"""Causes: what made customers complain, of a period, with how many came back and how many went away content."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from support.complaints.complaints import Outcome, complaints


@dataclass(frozen=True, slots=True)
class Summary:
    """Complaints of a period that were no mistake: by level and by cause (empty: not known yet), how many repeated an
    earlier one, how many ended on the customer's good word and how many without any.
    """

    count: int
    levels: dict[int, int]
    causes: Sequence[tuple[str, int]]
    repeated: int
    satisfied: int
    unanswered: int


def summary(session: Session, shop_id: int, since: datetime, until: datetime) -> Summary:
    """What a shop's complaints of a period have in common, the commonest cause first."""
    c = complaints.c
    rows = session.execute(
        select(c.level, c.cause, c.repeats, c.outcome).where(
            c.shop_id == shop_id, c.opened_at >= since, c.opened_at < until,
            c.outcome.is_distinct_from(Outcome.MISTAKE.value), c.outcome.is_distinct_from(Outcome.MERGED.value),
        )
    ).all()  # fmt: skip
    levels, causes = Counter(row.level for row in rows), Counter(row.cause for row in rows)
    return Summary(
        count=len(rows), levels={level: levels.get(level, 0) for level in (1, 2, 3, 4)},
        causes=sorted(causes.items(), key=lambda one: (not one[0], -one[1], one[0])),
        repeated=sum(row.repeats is not None for row in rows),
        satisfied=sum(row.outcome == Outcome.SATISFIED for row in rows),
        unanswered=sum(row.outcome == Outcome.UNANSWERED for row in rows),
    )  # fmt: skip
