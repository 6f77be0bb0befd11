"""Today: what in a shop needs its owner, and who came back, week by week. Plain looks over what stands in the store."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import Session

from loyalty.customers import directory
from loyalty.orders import real
from loyalty.orders.orders import orders
from loyalty.points.lots import lots
from loyalty.vouchers.voucher_programs import FIELDS, Program, programs
from store import clock, shops
from store.clock import midnight

WEEKS = 12
ENDING_DAYS = 7
LOW_SHARE = 10
"""An offer is low when no more than a tenth of it is left."""


@dataclass(frozen=True, slots=True)
class Expiring:
    """Points that expire within `directory.EXPIRING_DAYS` and of how many people."""

    points: int
    people: int


@dataclass(frozen=True, slots=True)
class Week:
    """A week from its Monday on: people who bought for the first time, and people who had bought before it."""

    begins: date
    new: int
    returning: int


def expiring(session: Session, shop_id: int) -> Expiring | None:
    """Points of a shop that expire soon; None where there are none."""
    row = session.execute(
        select(func.coalesce(func.sum(lots.c.remaining), 0), func.count(lots.c.customer_id.distinct())).where(
            directory.expiring(session, shop_id)
        )
    ).one()
    return Expiring(int(row[0]), row[1]) if row[0] else None


def offers(session: Session, shop_id: int) -> list[Program]:
    """Offers that run out or end soon, the most urgent first."""
    p, moment = programs.c, clock.now(session)
    left = p.stock - p.issued
    rows = session.execute(
        select(*FIELDS)
        .where(
            or_(p.shop_id.is_(None), p.shop_id == shop_id), p.hidden.is_(False),
            or_(p.starts_at.is_(None), p.starts_at <= moment), or_(p.ends_at.is_(None), p.ends_at > moment),
            or_(left * LOW_SHARE <= p.stock, p.ends_at <= moment + timedelta(days=ENDING_DAYS)),
        )
        .order_by(p.ends_at.is_(None), p.ends_at, left, p.id)
    )  # fmt: skip
    return [Program(*row) for row in rows]


def asleep(session: Session, shop_id: int) -> int:
    """How many regulars haven't come for long."""
    bought = directory.facts(session, shop_id)
    found = select(func.count()).select_from(bought).where(directory.asleep(session, bought))
    return int(session.execute(found).scalar_one())


def weeks(session: Session, shop: shops.Shop, count: int = WEEKS) -> list[Week]:
    """New and returning customers of each of the last weeks, in the shop's time zone, oldest first. Somebody whose first
    order is in a week is new in it, however often they came that week.
    """
    zone = ZoneInfo(shop.timezone)
    today = clock.today(session, shop.timezone)
    monday = today - timedelta(days=today.weekday())
    begins = [monday - timedelta(weeks=back) for back in reversed(range(count))]
    edges = [midnight(day, zone) for day in (*begins, monday + timedelta(weeks=1))]
    came = dict.fromkeys(range(count), 0)
    in_week = _week_of(orders.c.placed_at, edges).label("week")
    for row in session.execute(
        select(in_week, func.count(orders.c.customer_id.distinct()).label("people"))
        .where(*real.of(shop.id), orders.c.placed_at >= edges[0], orders.c.placed_at < edges[-1])
        .group_by(in_week)
    ):
        came[row.week] = row.people
    # One pass over what was bought before, not one look for each customer.
    known = select(orders.c.customer_id).where(*real.of(shop.id), orders.c.placed_at < edges[0])
    first = (
        select(orders.c.customer_id, func.min(orders.c.placed_at).label("at"))
        .where(
            *real.of(shop.id), orders.c.placed_at >= edges[0], orders.c.placed_at < edges[-1],
            orders.c.customer_id.not_in(known),
        )
        .group_by(orders.c.customer_id)
        .subquery()
    )  # fmt: skip
    new_in = _week_of(first.c.at, edges).label("week")
    new = {
        row.week: row.people for row in session.execute(select(new_in, func.count().label("people")).group_by(new_in))
    }
    return [Week(day, new.get(week, 0), came[week] - new.get(week, 0)) for week, day in enumerate(begins)]


def _week_of(at: ColumnElement[datetime], edges: list[datetime]) -> ColumnElement[int]:
    """The number of the week that a moment is in, by where the weeks begin and the last one ends."""
    return case(*((at < edge, week) for week, edge in enumerate(edges[1:])), else_=len(edges) - 2)
