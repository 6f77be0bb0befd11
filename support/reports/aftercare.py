"""Aftercare: whether people whose case was solved with one answer buy again more often than those who had to write again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty.insights.scope import Scope
from loyalty.orders import real
from loyalty.orders.orders import orders
from store import shops
from store.clock import now
from support.reports import rows
from support.reports.figures import Share
from support.reports.rows import Stint
from support.tickets import tickets

WITHIN = timedelta(days=30)
"""After it was solved."""


@dataclass(frozen=True, slots=True)
class Side:
    """`cases` solved in the period; of those for which 30 days have passed since, after how many the customer bought again in
    these; the stars they gave, and how many did.
    """

    cases: int
    back: Share
    stars: int
    rated: int


@dataclass(frozen=True, slots=True)
class Aftercare:
    """`first`: solved for the first time with one answer, and never opened again. `more`: the other answered cases."""

    first: Side
    more: Side


def of(session: Session, scope: Scope) -> Aftercare:
    """The cases of a shop's days; of a group of people, theirs."""
    made = rows.made(rows.look(session, [shops.get(session, scope.shop_id)], scope.begin, scope.end))
    solved = [
        one for one in made.stints
        if one.number == 1 and one.answers and one.ends_at is not None and scope.begin <= one.ends_at < scope.end
    ]  # fmt: skip
    t = tickets.c
    whose = {
        row.id: row.customer_id
        for row in session.execute(
            select(t.id, t.customer_id).where(
                t.shop_id == scope.shop_id, t.created_at < scope.end, *scope.among(t.customer_id)
            )
        )
    }
    solved = [one for one in solved if one.case_id in whose]
    bought: dict[int, list[datetime]] = {}
    o = orders.c
    people = select(t.customer_id).where(t.shop_id == scope.shop_id, t.resolved_at >= scope.begin)
    for customer_id, at in session.execute(
        select(o.customer_id, o.placed_at).where(
            *real.of(scope.shop_id, people), o.placed_at >= scope.begin, o.placed_at < scope.end + WITHIN
        )
    ):
        bought.setdefault(customer_id, []).append(at)
    stars = {one.id: one.stars for one in made.cases if one.stars is not None}
    over = now(session) - WITHIN

    def side(cases: Sequence[Stint]) -> Side:
        asked = [(whose[one.case_id], one.ends_at) for one in cases if one.ends_at is not None and one.ends_at <= over]
        back = sum(any(end < at <= end + WITHIN for at in bought.get(who, ())) for who, end in asked)
        given = [stars[one.case_id] for one in cases if one.case_id in stars]
        return Side(len(cases), Share(back, len(asked)), sum(given), len(given))

    alone = [one for one in solved if one.answers == 1 and one.last]
    return Aftercare(side(alone), side([one for one in solved if not (one.answers == 1 and one.last)]))
