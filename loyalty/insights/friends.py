"""Friends: what became of the invitation links of a shop's customers that were opened in a period."""

from dataclasses import dataclass

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from loyalty.customers.customers import customers
from loyalty.insights.scope import Scope
from loyalty.orders.orders import orders
from loyalty.orders.real import REAL
from loyalty.referrals.referrals import State, referrals


@dataclass(frozen=True, slots=True)
class Funnel:
    """Of the links `opened` so far: friends who gave their number (`joined`), who bought since, for whom was `paid`; those
    `refused` are in none of these three.
    """

    opened: int
    joined: int
    bought: int
    paid: int
    refused: int


def of(session: Session, scope: Scope) -> Funnel:
    """The funnel of a shop's days."""
    r, c, o = referrals.c, customers.c, orders.c
    since = select(o.id).where(o.customer_id == r.friend_id, o.placed_at >= r.opened_at, *REAL).exists()
    stands, paid = r.state != State.REFUSED, r.state == State.REWARDED
    bought = or_(paid, since)
    row = session.execute(
        select(
            func.count(), *(
                func.coalesce(func.sum(case((holds, 1), else_=0)), 0)
                for holds in (stands & or_(c.phone.is_not(None), bought), stands & bought, paid, r.state == State.REFUSED)
            )
        )
        .select_from(referrals.join(customers, c.id == r.friend_id))
        .where(r.opened_at >= scope.begin, r.opened_at < scope.end, r.referrer_id.in_(scope.people()))
    ).one()  # fmt: skip
    return Funnel(*(int(part) for part in row))
