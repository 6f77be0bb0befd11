"""Best hours: when in the week somebody is most likely to look, by when they ordered and opened what they were sent.

The hour with most of their orders and opened links in 180 days, smoothed by the shop's own week; with fewer than 5 of those
it is the shop's hour. Only hours count in which such a message may come.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, ColumnElement, func, select, type_coerce
from sqlalchemy.orm import Session

from loyalty.orders.orders import orders
from loyalty.outreach import manners
from loyalty.outreach.deliveries import deliveries
from loyalty.outreach.links import links
from store.clock import now
from store.outbox import Purpose
from store.shops import Shop

LOOKS_BACK = timedelta(days=180)
ENOUGH = 5
"""Orders and opened links below which somebody's own hours say nothing."""
WEEK = 168
_HOUR = 3_600_000_000
_EPOCH = 3 * 24
"""1970 began on a Thursday: hours of the week are counted from Monday 00:00."""


def best(own: Mapping[int, int], shops: Mapping[int, int], allowed: Sequence[int]) -> int:
    """The best of the allowed hours (0 is Monday 00:00), the first allowed one where nothing says otherwise.

    `own` and `shops` count what happened by hour; the shop's week weighs as much as one event of the person's.
    """
    whole = sum(shops.values()) or 1
    heard = own if sum(own.values()) >= ENOUGH else {}
    return max(allowed, key=lambda hour: (heard.get(hour, 0) + shops.get(hour, 0) / whole, -allowed.index(hour)))


@dataclass(frozen=True, slots=True)
class BestHours:
    """The week that follows a moment: when each hour of it begins, and what the shop's people did by hour."""

    shop: Shop
    begins: Mapping[int, datetime]
    """Of the hours in which a message may come, in the order in which they come."""
    week: Mapping[int, int]

    @classmethod
    def of(cls, session: Session, shop: Shop, purpose: Purpose, start: datetime) -> "BestHours":
        zone, kept = ZoneInfo(shop.timezone), manners.rules(session)
        full = start.replace(minute=0, second=0, microsecond=0)
        begins: dict[int, datetime] = {}
        for ahead in range(WEEK):
            at = max(start, full + timedelta(hours=ahead))
            here = at.astimezone(zone)
            if manners.opens(purpose, at, shop.timezone, kept) is None:
                begins.setdefault(here.weekday() * 24 + here.hour, at)
        week: Counter[int] = Counter()
        since, shift = now(session) - LOOKS_BACK, _shift(session, shop)
        placed = _slot(orders.c.placed_at)
        for hour, count in session.execute(
            select(placed, func.count()).where(orders.c.shop_id == shop.id, orders.c.placed_at > since).group_by(placed)
        ):
            week[(hour + shift) % WEEK] += count
        return cls(shop, begins or {0: start}, week)

    def each(self, session: Session, customer_ids: Sequence[int]) -> dict[int, datetime]:
        """When each of these is to hear it."""
        since, shift = now(session) - LOOKS_BACK, _shift(session, self.shop)
        own: dict[int, Counter[int]] = {}
        placed, opened = _slot(orders.c.placed_at), _slot(links.c.clicked_at)
        d = deliveries.c
        for query in (
            select(orders.c.customer_id, placed, func.count())
            .where(orders.c.customer_id.in_(customer_ids), orders.c.placed_at > since)
            .group_by(orders.c.customer_id, placed),
            select(d.customer_id, opened, func.count())
            .select_from(deliveries.join(links, links.c.delivery_id == d.id))
            .where(d.customer_id.in_(customer_ids), links.c.clicked_at > since)
            .group_by(d.customer_id, opened),
        ):
            for customer_id, hour, count in session.execute(query):
                own.setdefault(customer_id, Counter())[(hour + shift) % WEEK] += count
        allowed = list(self.begins)
        general = best({}, self.week, allowed)
        return {
            number: self.begins[best(own[number], self.week, allowed) if number in own else general]
            for number in customer_ids
        }


def _slot(at: ColumnElement[datetime] | ColumnElement[datetime | None]) -> ColumnElement[int]:
    """Hours since 1970, of the week, UTC."""
    return type_coerce(at, BigInteger) // _HOUR % WEEK


def _shift(session: Session, shop: Shop) -> int:
    offset = now(session).astimezone(ZoneInfo(shop.timezone)).utcoffset() or timedelta()
    return _EPOCH + round(offset / timedelta(hours=1))
