"""Scope: what figures are counted over. Days of a shop, both included, in its time zone; of everybody or of a group of people."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session

from loyalty.customers.customers import customers
from loyalty.orders import real
from loyalty.orders.orders import orders
from store import shops
from store.clock import midnight
from store.errors import InvalidError


@dataclass(frozen=True, slots=True)
class Scope:
    """`who`: a query for the customers looked at, None for everybody."""

    shop_id: int
    zone: ZoneInfo
    first: date
    last: date
    who: Select[int] | None = None

    @property
    def begin(self) -> datetime:
        return midnight(self.first, self.zone)

    @property
    def end(self) -> datetime:
        """When the last day is over."""
        return midnight(self.last + timedelta(days=1), self.zone)

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def before(self) -> "Scope":
        """As many days just before these."""
        return replace(self, first=self.first - timedelta(days=self.days), last=self.first - timedelta(days=1))

    def orders(self, since: datetime | None = None, until: datetime | None = None) -> tuple[ColumnElement[bool], ...]:
        """The real orders of these people at the shop, from one moment until before another, the end of the days at most."""
        parts = (*real.of(self.shop_id, self.who), orders.c.placed_at < (until or self.end))
        return parts if since is None else (*parts, orders.c.placed_at >= since)

    def among(self, column: ColumnElement[int]) -> tuple[ColumnElement[bool], ...]:
        """Narrows any table down to these people, by its column of the customer's number."""
        return () if self.who is None else (column.in_(self.who),)

    def people(self) -> Select[int]:
        """The numbers of the shop's customers: it is their home, or they bought there."""
        c, bought = customers.c, select(orders.c.customer_id).where(*real.of(self.shop_id))
        own = or_(c.home_shop_id == self.shop_id, c.id.in_(bought))
        return select(c.id).where(c.merged_into.is_(None), c.erased_at.is_(None), own, *self.among(c.id))


def of(session: Session, shop_id: int, first: date, last: date, who: Select[int] | None = None) -> Scope:
    """The scope of a shop's days. Raises InvalidError (to), NotFoundError."""
    if last < first:
        raise InvalidError("to", "range", last)
    return Scope(shop_id, ZoneInfo(shops.get(session, shop_id).timezone), first, last, who)
