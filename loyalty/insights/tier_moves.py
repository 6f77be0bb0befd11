"""Tier moves: how many of a shop's customers went from which tier to which in a period."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from loyalty.insights.scope import Scope
from loyalty.tiers import tiers
from loyalty.tiers.tiers import tier_changes


@dataclass(frozen=True, slots=True)
class Moves:
    """`names` of the tiers, lowest first; `counts` by the places of the tier left (-1: none yet) and of the tier reached. Each
    move counts, so somebody who rose twice counts twice.
    """

    names: list[str]
    counts: dict[tuple[int, int], int]

    @property
    def up(self) -> int:
        return sum(count for (left, reached), count in self.counts.items() if 0 <= left < reached)

    @property
    def down(self) -> int:
        return sum(count for (left, reached), count in self.counts.items() if left > reached)


def of(session: Session, scope: Scope) -> Moves:
    """The moves of a shop's days."""
    ladder = tiers.every(session)
    place = {tier.id: at for at, tier in enumerate(ladder)}
    t = tier_changes.c
    rows = session.execute(
        select(t.from_id, t.to_id, func.count())
        .where(t.at >= scope.begin, t.at < scope.end, t.customer_id.in_(scope.people()))
        .group_by(t.from_id, t.to_id)
    )
    counts: dict[tuple[int, int], int] = {}
    for left, reached, count in rows:
        if reached in place:
            key = (place.get(left, -1), place[reached])
            counts[key] = counts.get(key, 0) + count
    return Moves([tier.name for tier in ladder], counts)
