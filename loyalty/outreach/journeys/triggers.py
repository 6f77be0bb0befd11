"""Triggers: what begins a journey. Something that happened (an event), or a day in somebody's calendar.

Each begins a run for a customer and an *occurrence*: what makes it the same one when it is met again. A birthday's is its
year, an order's its number; of what happens once in a life it is empty.
"""

from calendar import isleap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, ColumnElement, Select, String, and_, cast, func, literal, or_, select, type_coerce
from sqlalchemy.orm import Session

from loyalty.customers.customers import customers
from loyalty.orders.orders import Status, orders
from loyalty.points.lots import lots
from loyalty.tiers.qualification import watches
from loyalty.vouchers.voucher_programs import programs
from loyalty.vouchers.vouchers import VoucherState, vouchers
from store import shops
from store.clock import midnight
from store.errors import InvalidError
from store.events import Happened
from store.shops import Shop

BORN_FROM = 1900
DAYS_MAX = 365
CATCH_UP_DAYS = 7
"""How many days late somebody may still begin what their calendar says: a program that stood still, not a past life."""
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Trigger:
    """`event`: the kind of event it hears of, and the occurrence it makes of one (None: not this one). `day`: the customers
    of a day of a shop's calendar, as rows of (customer, occurrence). `enters`: it is for who came into a segment (see `entries`).
    `number`: the name and bounds of its one setting.
    """

    event: str | None = None
    occurs: Callable[[Session, Happened, Json], str | None] | None = None
    day: Callable[[Session, Json, date, Shop], Select[Any]] | None = None
    enters: bool = False
    number: tuple[str, int, int] | None = None


def check(given: Any) -> Json:
    """A trigger as it may be kept. Raises InvalidError."""
    if not isinstance(given, Mapping) or given.get("kind") not in TRIGGERS:
        raise InvalidError("trigger.kind", "unknown", given.get("kind") if isinstance(given, Mapping) else None)
    kind = str(given["kind"])
    kept: Json = {"kind": kind}
    known = TRIGGERS[kind]
    if known.number is not None:
        name, least, most = known.number
        value = given.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise InvalidError(f"trigger.{name}", "type", value)
        if not least <= value <= most:
            raise InvalidError(f"trigger.{name}", "range", value)
        kept[name] = value
    if kind == "date":
        try:
            kept["on"] = date.fromisoformat(str(given.get("on"))).isoformat()
        except ValueError:
            raise InvalidError("trigger.on", "format", given.get("on")) from None
    return kept


# ── What happens ────────────────────────────────────────────────────────────────────────────────────


def _each_order(_session: Session, event: Happened, _trigger: Json) -> str | None:
    return f"{event.shop_id}:{event.data.get('order')}"


def _nth_order(nth: int) -> Callable[[Session, Happened, Json], str | None]:
    def occurs(session: Session, event: Happened, _trigger: Json) -> str | None:
        """Counted by when orders were placed, so that one told late takes its place."""
        o = orders.c
        placed = session.execute(
            select(o.placed_at, o.id).where(o.shop_id == event.shop_id, o.external_id == event.data.get("order"))
        ).first()
        if placed is None:
            return None
        before = session.execute(
            select(func.count()).where(
                o.customer_id == event.customer_id, o.status.in_((Status.COMPLETED, Status.REFUNDED)),
                or_(o.placed_at < placed.placed_at, and_(o.placed_at == placed.placed_at, o.id <= placed.id)),
            )
        ).scalar_one()  # fmt: skip
        return "" if before == nth else None

    return occurs


def _once(_session: Session, _event: Happened, _trigger: Json) -> str | None:
    return ""


def _each_time(_session: Session, event: Happened, _trigger: Json) -> str | None:
    return str(event.id)


def _ticket(_session: Session, event: Happened, _trigger: Json) -> str | None:
    return str(event.data.get("ticket"))


def _low_rating(_session: Session, event: Happened, trigger: Json) -> str | None:
    return str(event.data.get("ticket")) if int(event.data.get("stars") or 5) <= trigger["stars"] else None


# ── What the calendar says ──────────────────────────────────────────────────────────────────────────


def at_home(session: Session, shop: Shop) -> ColumnElement[bool]:
    """Whose calendar is this shop's affair: those who are at home here, and who is nowhere at home is the first shop's. So of
    two shops one alone congratulates.
    """
    here, first = customers.c.home_shop_id == shop.id, shops.first(session)
    return or_(here, customers.c.home_shop_id.is_(None)) if first and first.id == shop.id else here


def _birthday(session: Session, trigger: Json, day: date, shop: Shop) -> Select[Any]:
    """Whose birthday is in so many days; of 29 February on the 28th of a year that has none. Asked by the day of every year in
    which somebody may be born, for an index answers that.
    """
    the_day = day + timedelta(days=trigger["days_before"])
    born = customers.c.birthday
    days = [(the_day.month, the_day.day)]
    if (the_day.month, the_day.day) == (2, 28) and (the_day + timedelta(days=1)).month == 3:
        days.append((2, 29))
    dates = [
        date(year, month, number)
        for year in range(BORN_FROM, the_day.year + 1)
        for month, number in days if (month, number) != (2, 29) or isleap(year)
    ]  # fmt: skip
    # A number plus nothing is in no index: who pages through them by it would else have SQLite go through everybody.
    return select(customers.c.id + 0, literal(str(the_day.year))).where(
        born.is_not(None), born.in_(dates), at_home(session, shop)
    )  # fmt: skip


def _no_order(session: Session, trigger: Json, day: date, shop: Shop) -> Select[Any]:
    """Whose last order was so many days ago (or up to a week more), once for each last order."""
    last, zone = customers.c.last_order_at, ZoneInfo(shop.timezone)
    first, end = (midnight(day - timedelta(days=trigger["days"] + extra), zone) for extra in (CATCH_UP_DAYS - 1, -1))
    return select(customers.c.id, cast(type_coerce(last, BigInteger), String)).where(
        last >= first, last < end, at_home(session, shop)
    )


def _points_expiring(session: Session, trigger: Json, day: date, shop: Shop) -> Select[Any]:
    """Whose points expire in so many days, once for each day of expiry."""
    the_day = day + timedelta(days=trigger["days"])
    begins = midnight(the_day, ZoneInfo(shop.timezone))
    lot = lots.c
    # Points expire at the end of their last day: the first moment of the next.
    return select(lot.customer_id, literal(the_day.isoformat())).join(customers, customers.c.id == lot.customer_id).where(
        at_home(session, shop), lot.remaining > 0, lot.pending_until.is_(None), lot.expires_at > begins, lot.expires_at <= begins + timedelta(days=1)
    ).distinct()  # fmt: skip


def _voucher_unused(session: Session, trigger: Json, day: date, shop: Shop) -> Select[Any]:
    """Who was given a voucher so many days ago (or up to a week more) and hasn't used it, once for each voucher. One that
    is good at one shop alone is this shop's affair.
    """
    v, p, zone = vouchers.c, programs.c, ZoneInfo(shop.timezone)
    first, end = (midnight(day - timedelta(days=trigger["days"] + extra), zone) for extra in (CATCH_UP_DAYS - 1, -1))
    those = vouchers.join(programs, p.id == v.program_id).join(customers, customers.c.id == v.customer_id)
    return select(v.customer_id, cast(v.id, String)).select_from(those).where(
        or_(p.shop_id == shop.id, and_(p.shop_id.is_(None), at_home(session, shop))),
        v.customer_id.is_not(None), v.state == VoucherState.OPEN, v.issued_at >= first, v.issued_at < end,
        or_(v.expires_at.is_(None), v.expires_at > midnight(day, zone)),
    )  # fmt: skip


def _tier_at_risk(session: Session, trigger: Json, day: date, shop: Shop) -> Select[Any]:
    """Who was told that they lose their tier, from so many days before the fall on, once for each fall."""
    falls, zone = watches.c.told_for, ZoneInfo(shop.timezone)
    first, end = (
        midnight(day, zone),
        midnight(day + timedelta(days=trigger["days"] + 1), zone),
    )
    return (
        select(watches.c.customer_id, cast(type_coerce(falls, BigInteger), String))
        .join(customers, customers.c.id == watches.c.customer_id)
        .where(falls > first, falls <= end, at_home(session, shop))
    )


def _date(session: Session, trigger: Json, day: date, shop: Shop) -> Select[Any]:
    """Everybody, on one day."""
    chosen = select(customers.c.id, literal(trigger["on"])).where(at_home(session, shop))
    return chosen if day.isoformat() == trigger["on"] else chosen.where(literal(value=False))


TRIGGERS: Mapping[str, Trigger] = MappingProxyType({
    "order_completed": Trigger("order_completed", _each_order),
    "first_order": Trigger("order_completed", _nth_order(1)),
    "second_order": Trigger("order_completed", _nth_order(2)),
    "joined": Trigger("phone_proven", _once),
    "referred": Trigger("referral_opened", _once),
    "tier_up": Trigger("tier_up", _each_time),
    "ticket_resolved": Trigger("ticket_resolved", _ticket),
    "low_rating": Trigger("ticket_rated", _low_rating, number=("stars", 1, 4)),
    "birthday": Trigger(day=_birthday, number=("days_before", 0, 60)),
    "no_order": Trigger(day=_no_order, number=("days", 1, DAYS_MAX)),
    "points_expiring": Trigger(day=_points_expiring, number=("days", 0, 90)),
    "voucher_unused": Trigger(day=_voucher_unused, number=("days", 1, 90)),
    "tier_at_risk": Trigger(day=_tier_at_risk, number=("days", 1, 90)),
    "segment_entered": Trigger(enters=True, number=("segment", 1, 2**31 - 1)),
    "date": Trigger(day=_date),
})  # fmt: skip
"""By their names."""
