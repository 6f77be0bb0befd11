"""Earning plans: a shop's rules in versions. Each change writes a new one, and no version is ever changed; an order keeps the
version and the circumstances it first earned by, so that a changed plan never changes an old order.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Text, UniqueConstraint, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.orders.earning_rules import Basket, Gives, Rules, Who, checked, context, document_of, gives
from loyalty.tiers import tiers
from store import shops
from store.base import Base, BigId, UtcTime, from_micros, raw, table
from store.clock import now
from store.errors import NotFoundError


class PlanRow(Base):
    """A version of a shop's plan; append-only, and held to it by triggers."""

    __tablename__ = "earning_plans"
    __table_args__ = (UniqueConstraint("shop_id", "version"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    version: Mapped[int]
    at: Mapped[datetime] = mapped_column(UtcTime)
    by: Mapped[str] = mapped_column(Text)
    """Who wrote it, as the audit names them."""
    rules: Mapped[dict[str, Any]] = mapped_column(JSON)


@dataclass(frozen=True, slots=True)
class Plan:
    """A version of a shop's rules; `id` None: a shop of before there were plans, which goes on by its opening rates."""

    id: int | None
    shop_id: int
    version: int
    at: datetime | None
    by: str
    rules: Rules


@dataclass(frozen=True, slots=True)
class Sample:
    """An order to try rules on: `total` paid of `listed` đồng, `ordinal` as in Who."""

    total: int
    listed: int
    at: datetime
    tier_id: int | None = None
    ordinal: int | None = None
    items: Sequence[Mapping[str, Any]] = ()


plans = table(PlanRow)
_shops = shops.shops
_PLAN = "SELECT id, shop_id, version, at, by, rules FROM earning_plans WHERE "
_CURRENT = _PLAN + "shop_id = ? ORDER BY version DESC LIMIT 1"
_ONE = _PLAN + "id = ?"
_BUYER = (
    "SELECT t.id, t.name, t.multiplier, c.orders_count FROM customers c LEFT JOIN tiers t ON t.id = coalesce(c.tier_id, "
    "(SELECT id FROM tiers WHERE threshold >= 0 ORDER BY threshold LIMIT 1)) WHERE c.id = ?"
)


def current(session: Session, shop_id: int) -> Plan:
    """The plan that a shop goes by now; raises NotFoundError (shop)."""
    rows = raw(session, _CURRENT, (shop_id,))
    return _plan(rows[0]) if rows else _opening(session, shop_id)


def get(session: Session, plan_id: int) -> Plan:
    """A version by its number; raises NotFoundError."""
    rows = raw(session, _ONE, (plan_id,))
    if not rows:
        raise NotFoundError("plan", plan_id)
    return _plan(rows[0])


def history(session: Session, shop_id: int, limit: int = 20) -> list[Plan]:
    """A shop's versions, the newest first."""
    rows = raw(session, _PLAN + "shop_id = ? ORDER BY version DESC LIMIT ?", (shop_id, limit))
    return [_plan(row) for row in rows]


def in_force(session: Session, shop_id: int, at: datetime) -> Rules | None:
    """The rules that a shop went by at a moment; None before its first version."""
    found = session.execute(
        select(plans.c.rules)
        .where(plans.c.shop_id == shop_id, plans.c.at <= at)
        .order_by(plans.c.version.desc())
        .limit(1)
    ).scalar()
    return None if found is None else checked(found)


def save(session: Session, shop_id: int, document: Mapping[str, Any], by: str) -> Plan:
    """Write a new version, which counts from the next order on; the same rules again write none. Raises InvalidError
    naming the field, NotFoundError (shop).
    """
    rules = checked(document)
    session.execute(select(_shops.c.id).where(_shops.c.id == shop_id).with_for_update())
    before = current(session, shop_id)
    if before.id is not None and before.rules == rules:
        return before
    session.execute(
        insert(plans).values(
            shop_id=shop_id, version=before.version + 1, at=now(session), by=by, rules=document_of(rules)
        )
    )
    return current(session, shop_id)


def _plan(row: Sequence[Any]) -> Plan:
    plan_id, shop_id, version, at, by, rules = row
    # PostgreSQL's driver has read the JSON already.
    document = json.loads(rules) if isinstance(rules, str) else rules
    return Plan(plan_id, shop_id, version, from_micros(at), by, checked(document))


def _opening(session: Session, shop_id: int) -> Plan:
    rates = session.execute(select(_shops.c.earn_per, _shops.c.tier_per).where(_shops.c.id == shop_id)).first()
    if rates is None:
        raise NotFoundError("shop", shop_id)
    return Plan(None, shop_id, 0, None, "", Rules(*rates))


def preview(session: Session, shop_id: int, document: Mapping[str, Any], sample: Sample) -> Gives:
    """What an order would give by rules that aren't saved; raises InvalidError naming the field."""
    rules, zone = checked(document), shops.get(session, shop_id).timezone
    tier = next((tier for tier in tiers.every(session) if tier.id == sample.tier_id), None)
    who = Who(tier.id, tier.name, tier.multiplier, sample.ordinal) if tier else Who(ordinal=sample.ordinal)
    found = context(rules, who, sample.at, zone, shop_id)
    return gives(rules, found, Basket(sample.total, max(sample.listed, sample.total), 0, sample.items))


def quote(session: Session, shop_id: int, customer_id: int | None, basket: Basket) -> Gives:
    """What an order of this customer (None: of nobody known) would give now."""
    plan = current(session, shop_id)
    who = Who() if customer_id is None else buyer(session, customer_id)
    found = context(plan.rules, who, now(session), shops.get(session, shop_id).timezone, shop_id)
    return gives(plan.rules, found, basket)


def buyer(session: Session, customer_id: int) -> Who:
    """What the rules ask of a customer whose next order is to be counted."""
    rows = raw(session, _BUYER, (customer_id,))
    if not rows:
        raise NotFoundError("customer", customer_id)
    tier_id, tier, percent, orders = rows[0]
    return Who(tier_id, tier or "", 100 if percent is None else percent, orders + 1)
