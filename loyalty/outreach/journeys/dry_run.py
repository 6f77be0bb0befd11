"""Dry run: whom a journey would have reached in the last 90 days. Reads what happened, writes nothing, sends nothing.

Whom its criteria fit, and who can be written to, is looked at as of today: what was true of them then is not kept.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, or_, select, type_coerce
from sqlalchemy.orm import Session

from loyalty.customers.customers import customers, identities
from loyalty.orders.orders import Status, orders
from loyalty.outreach import manners
from loyalty.outreach.consents import PURPOSES
from loyalty.outreach.journeys import journeys, steps, triggers
from loyalty.outreach.segments import criteria, fields, saved, segments
from store import events, shops
from store.clock import now
from store.events import Happened

DAYS = 90
EVENTS_MAX = 50_000
"""Of what happened, the newest so many are looked at."""
PAGE = 1_000
TODAY_ONLY = frozenset({"points_expiring", "tier_at_risk", "segment_entered"})
"""Triggers whose past is not kept: whom they would meet today is said."""


@dataclass(frozen=True, slots=True)
class DryRun:
    """What would have been: how often it would have begun, for how many people, and how many of those could be written to
    today. `today`: looked at today alone, not at the last 90 days.
    """

    begun: int
    people: int
    reached: int
    today: bool


def look(session: Session, shop_id: int, trigger: Any, who: Any, listed: Any) -> DryRun:
    """Try a journey as it would be added. Raises InvalidError."""
    shop = shops.get(session, shop_id)
    kept, wanted = journeys.trigger_of(session, shop_id, trigger), criteria.parse(who or {"all": []}, "who")
    fields.check(wanted, fields.look(session, shop.timezone))
    checked = steps.check(listed)
    met = _met(session, shop, kept)
    fits: set[int] = set()
    for some in _pages(sorted({customer for customer, _ in met})):
        fits.update(segments.among(session, wanted, shop.timezone, some))
    said = [placed.step for placed in steps.places(checked).values() if placed.step["kind"] == "message"]
    reached = _reachable(session, sorted(fits), said[0]["purpose"]) if said else len(fits)
    return DryRun(sum(customer in fits for customer, _ in met), len(fits), reached, kept["kind"] in TODAY_ONLY)


def _pages(people: Sequence[int]) -> Iterator[Sequence[int]]:
    return (people[at : at + PAGE] for at in range(0, len(people), PAGE))


def _met(session: Session, shop: shops.Shop, trigger: dict[str, Any]) -> set[tuple[int, str]]:
    """Customer and occurrence of each beginning."""
    kind, zone, moment = trigger["kind"], ZoneInfo(shop.timezone), now(session)
    since, today = moment - timedelta(days=DAYS), moment.astimezone(zone).date()
    known = triggers.TRIGGERS[kind]
    if known.enters:
        wanted = criteria.parse(saved.get(session, trigger["segment"], shop.id).criteria)
        return {(who, "") for who in segments.members(session, wanted, shop.timezone)}
    if kind in {"first_order", "second_order"}:
        return _nth(session, shop.id, 1 if kind == "first_order" else 2, since)
    if kind == "no_order":
        return _stayed_away(session, shop, trigger["days"], since, moment)
    if known.event is not None:
        return _happened(session, shop.id, trigger, since)
    assert known.day is not None
    days = [today] if kind in TODAY_ONLY else [today - timedelta(days=ago) for ago in range(DAYS)]
    found: set[tuple[int, str]] = set()
    for day in days:
        found |= {(row[0], str(row[1])) for row in session.execute(known.day(session, trigger, day, shop))}
    return found


def _happened(session: Session, shop_id: int, trigger: dict[str, Any], since: datetime) -> set[tuple[int, str]]:
    known, e = triggers.TRIGGERS[trigger["kind"]], events.events.c
    assert known.occurs is not None
    place = func.coalesce(e.shop_id, customers.c.home_shop_id)
    rows = session.execute(
        select(e.id, e.at, e.kind, e.customer_id, e.shop_id, e.data)
        .join(customers, customers.c.id == e.customer_id)
        .where(e.kind == known.event, e.at > since, or_(place.is_(None), place == shop_id))
        .order_by(e.id.desc())
        .limit(EVENTS_MAX)
    )  # fmt: skip
    found = set()
    for row in rows:
        occurrence = known.occurs(session, Happened(*row, seq=0), trigger)
        if occurrence is not None:
            found.add((row.customer_id, occurrence))
    return found


def _counted() -> Sequence[Any]:
    o = orders.c
    return (o.customer_id.is_not(None), o.status.in_((Status.COMPLETED, Status.REFUNDED)))


def _nth(session: Session, shop_id: int, nth: int, since: datetime) -> set[tuple[int, str]]:
    o = orders.c
    place = func.row_number().over(partition_by=o.customer_id, order_by=(o.placed_at, o.id)).label("place")
    each = select(o.customer_id, o.placed_at, o.shop_id, place).where(*_counted()).subquery()
    rows = session.execute(
        select(each.c.customer_id).where(each.c.place == nth, each.c.placed_at > since, each.c.shop_id == shop_id)
    )
    return {(who, "") for who in rows.scalars()}


def _stayed_away(
    session: Session, shop: shops.Shop, days: int, since: datetime, moment: datetime
) -> set[tuple[int, str]]:
    """Orders that no other followed for so many days, where those were over within the time."""
    o = orders.c
    later = func.lead(o.placed_at).over(partition_by=o.customer_id, order_by=(o.placed_at, o.id))
    following = type_coerce(later, o.placed_at.type).label("following")
    away = timedelta(days=days)
    each = select(o.customer_id, o.placed_at, following).where(*_counted(), o.placed_at <= moment).subquery()
    rows = session.execute(
        select(each.c.customer_id, each.c.placed_at, each.c.following)
        .join(customers, customers.c.id == each.c.customer_id)
        .where(each.c.placed_at > since - away, each.c.placed_at <= moment - away, triggers.at_home(session, shop))
    )  # fmt: skip
    return {(who, str(placed)) for who, placed, following in rows if following is None or following - placed >= away}


def _reachable(session: Session, people: Sequence[int], purpose: str) -> int:
    """How many of these the first message would reach today."""
    accounts = list(session.execute(select(identities.c.account).distinct()).scalars())
    kept, found = manners.rules(session), 0
    for some in _pages(people):
        judged = manners.judge(session, some, PURPOSES[purpose], accounts, kept)
        found += sum(isinstance(one, manners.Reach) for one in judged.values())
    return found
