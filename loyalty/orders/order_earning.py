"""By which rules an order earns, what stands of it, and bringing the books there: the part of `orders.settle` about points."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.orders import earning, earning_rules, order_points
from loyalty.orders.earning_rules import Basket, Context, Gives, Rules
from loyalty.orders.order_points import Mover
from store import shops
from store.clock import now

if TYPE_CHECKING:
    from loyalty.orders.orders import Order

PENDING, CANCELLED, REFUNDED = "pending", "cancelled", "refunded"
BOUGHT = ("completed", REFUNDED)
"""The states in which an order counts as bought."""


def by_which(session: Session, order: "Order", shop: shops.Shop) -> tuple[Rules, Context, dict[str, Any]]:
    """The rules and circumstances an order earns by, and what of them is to be kept with it now for good."""
    if order.earn_per is not None and (order.plan_id is None or order.context is not None or order.customer_id is None):
        return *frozen(session, order), {}
    plan = earning.current(session, shop.id) if order.plan_id is None else earning.get(session, order.plan_id)
    who = earning_rules.Who() if order.customer_id is None else earning.buyer(session, order.customer_id)
    found = earning_rules.context(plan.rules, who, order.placed_at, shop.timezone, shop.id)
    if order.status not in BOUGHT:
        return plan.rules, found, {}
    values: dict[str, Any] = {
        "plan_id": plan.id, "earn_per": plan.rules.earn_per, "tier_per": plan.rules.tier_per,
        "context": None if order.customer_id is None else earning_rules.kept(plan.rules, found, basket(order)),
    }  # fmt: skip
    return plan.rules, found, values


def frozen(session: Session, order: "Order") -> tuple[Rules, Context]:
    """What an order earned by before."""
    assert order.earn_per is not None
    assert order.tier_per is not None
    found = earning_rules.context_of(order.context)
    if order.plan_id is None:
        return Rules(order.earn_per, order.tier_per), found
    rules = earning.get(session, order.plan_id).rules
    if order.context is None and order.customer_id is None:
        shop = shops.get(session, order.shop_id)
        found = earning_rules.context(rules, earning_rules.Who(), order.placed_at, shop.timezone, shop.id)
    return rules, found


def basket(order: "Order") -> Basket:
    listed = order.total if order.listed is None else order.listed
    return Basket(order.total, listed, order.refunded, order.items)


def stands(order: "Order", rules: Rules, found: Context) -> Gives:
    """What the rule gives for what stays of an order."""
    over = order.refunded >= order.total and (order.total > 0 or order.status == REFUNDED)
    return earning_rules.gives(rules, found, basket(order), nothing_stays=over or order.status not in BOUGHT)


def held_until(placed_at: datetime, return_days: int, moment: datetime) -> datetime | None:
    """When the return window of an order ends; None where there is none or it is over."""
    until = placed_at + timedelta(days=return_days)
    return until if return_days and until > moment else None


def move(session: Session, order: "Order", shop: shops.Shop, want: Gives) -> int:
    """Bring the books to where the order stands; how many of the points that paid for it came back."""
    assert order.customer_id is not None
    change, tier_change = want.points - order.standing, want.tier_points - order.standing_tier
    of = Mover(order.id, order.version, order.customer_id, shop.id)
    if change > 0 or tier_change > 0:
        order_points.rise(
            session, of, points_up=max(0, change), tier_up=max(0, tier_change), earned_at=order.placed_at,
            expires_at=programme.expiry(session, order.placed_at, zone=shop.timezone),
            pending_until=held_until(order.placed_at, shop.return_days, now(session)),
        )  # fmt: skip
    returned = 0
    if order.version > 1 and order.status != PENDING:
        # Before points are taken: those that come back pay what the refund takes.
        whole = order.total if order.total and order.status in BOUGHT else 1
        undone = order.status == CANCELLED or (not order.total and order.status == REFUNDED)
        gone = whole if undone else order.refunded
        returned = order_points.paid_with(session, of, gone=gone, whole=whole)
    if change < 0 or tier_change < 0:
        order_points.fall(session, of, points_down=max(0, -change), tier_down=max(0, -tier_change))
    return returned
