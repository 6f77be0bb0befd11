"""Treatment: how one customer is to be served here, by the policies of the segments they are in, for the till and the API."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from loyalty.customers import customers, facts
from loyalty.outreach.segments import saved, segments
from loyalty.outreach.segments.saved import Segment
from store import shops
from store.base import from_micros


@dataclass(frozen=True, slots=True)
class Treatment:
    """`groups`: the segments with a policy that a customer is in, the best discount first; `debt` in đồng as the shop's books
    say, None where they never did; `last_order_at`: their last purchase, by the orders here or by those books.
    """

    groups: Sequence[Segment]
    debt: int | None
    last_order_at: datetime | None


def of(session: Session, customer_id: int, shop_id: int) -> Treatment:
    """How a customer is to be served at a shop. Raises NotFoundError."""
    person, zone = customers.get(session, customer_id), shops.get(session, shop_id).timezone
    groups = [
        one for one in saved.with_policy(session, shop_id) if segments.holds(session, one.criteria, zone, [person.id])
    ]
    known = facts.get(session, person.id, facts.LAST_BOUGHT)
    bought = [at for at in (person.last_order_at, None if known is None else from_micros(known)) if at is not None]
    return Treatment(groups, facts.get(session, person.id, facts.DEBT), max(bought, default=None))
