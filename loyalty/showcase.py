"""The showcase: what a shop promises everybody, read from its settings: how points come and go, tiers, rewards."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.orders import earning
from loyalty.orders.earning_rules import Rules
from loyalty.points import lots
from loyalty.referrals import referral_terms
from loyalty.referrals.referral_terms import Terms
from loyalty.tiers import qualification, tiers
from loyalty.tiers.tier_rule import Policy
from loyalty.tiers.tiers import Tier
from loyalty.vouchers import voucher_programs
from loyalty.vouchers.voucher_programs import Program, programs
from store import shops
from store.clock import now
from store.errors import NotFoundError
from store.shops import Shop

REWARDS_MAX = 60


@dataclass(frozen=True, slots=True)
class Showcase:
    """`point_value`: đồng that a point pays. `expires_on`: the last day of points earned now; None where they stay for ever.
    `rewards` are what points buy here, the cheapest first.
    """

    shop: Shop
    rules: Rules
    point_value: int
    expires_on: date | None
    ladder: list[Tier]
    policy: Policy
    rewards: list[Program]
    referral: Terms


def find(session: Session, slug: str) -> Shop:
    """The shop whose page has this name in its address; raises NotFoundError."""
    found = session.execute(select(shops.shops.c.id).where(shops.shops.c.slug == slug)).scalar()
    if found is None:
        raise NotFoundError("shop", slug)
    return shops.get(session, found)


def of(session: Session, shop_id: int) -> Showcase:
    """What a shop shows; raises NotFoundError."""
    shop, common = shops.get(session, shop_id), programme.get(session)
    ends = programme.expiry(session, zone=shop.timezone)
    return Showcase(
        shop, earning.current(session, shop.id).rules, common.point_value,
        lots.last_day(ends, shop.timezone) if ends else None, tiers.every(session), qualification.policy(session),
        rewards(session, shop.id), referral_terms.current(session),
    )  # fmt: skip


def rewards(session: Session, shop_id: int) -> list[Program]:
    """What points buy at a shop today: listed, in its period, in stock."""
    p, moment = programs.c, now(session)
    rows = session.execute(
        select(*voucher_programs.FIELDS)
        .where(
            or_(p.shop_id.is_(None), p.shop_id == shop_id), p.price_points.is_not(None), p.hidden.is_(False),
            or_(p.starts_at.is_(None), p.starts_at <= moment), or_(p.ends_at.is_(None), p.ends_at > moment),
            or_(p.stock.is_(None), p.issued < p.stock),
        )
        .order_by(p.price_points, p.id)
    )  # fmt: skip
    return [program for program in (Program(*row) for row in rows) if program.at(shop_id)][:REWARDS_MAX]
