"""What may need a shop's owner: plain looks over what stands in the store, each a number or two. The console says them."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.customers import customers, directory
from loyalty.points import ledger
from loyalty.points.lots import lots
from loyalty.tiers.qualification import watches
from loyalty.vouchers.voucher_programs import programs
from store.clock import now

LOW_SHARE = 20
"""A wallet is low when no more than a twentieth of what it was funded with is left."""
WEEK = timedelta(days=7)
BIG_WORTH = 50_000
"""đồng: points worth so much are missed when they expire."""
FALL_DAYS = 30


@dataclass(frozen=True, slots=True)
class Wallet:
    """Points that a shop can still give, of those it was funded with."""

    left: int
    funded: int

    @property
    def low(self) -> bool:
        return self.left * LOW_SHARE <= self.funded


@dataclass(frozen=True, slots=True)
class Big:
    """People who lose many points within a week, and how many together."""

    people: int
    points: int


def wallet(session: Session, shop_id: int) -> Wallet:
    """A shop's wallet."""
    held = ledger.balances(session, "shop", shop_id)
    return Wallet(held.get("wallet", 0), -held.get("mint", 0))


def big_expiring(session: Session, shop_id: int) -> Big | None:
    """Those who lose points of this shop worth `BIG_WORTH` or more within a week; None where nobody does."""
    least = max(1, BIG_WORTH // programme.get(session).point_value)
    moment = now(session)
    each = (
        select(func.sum(lots.c.remaining).label("points"))
        .where(
            lots.c.shop_id == shop_id, lots.c.remaining > 0, lots.c.pending_until.is_(None),
            lots.c.expires_at > moment, lots.c.expires_at <= moment + WEEK,
        )
        .group_by(lots.c.customer_id)
        .having(func.sum(lots.c.remaining) >= least)
        .subquery()
    )  # fmt: skip
    people, points = session.execute(select(func.count(), func.coalesce(func.sum(each.c.points), 0))).one()
    return Big(people, int(points)) if people else None


def falling(session: Session, shop_id: int) -> int:
    """How many of a shop's customers lose their tier within `FALL_DAYS`, and were told so."""
    c, w, moment = customers.customers.c, watches.c, now(session)
    bought = directory.facts(session, shop_id)
    found = (
        select(func.count())
        .select_from(watches.join(customers.customers, c.id == w.customer_id))
        .outerjoin(bought, bought.c.customer_id == c.id)
        .where(
            w.told_for > moment, w.told_for <= moment + timedelta(days=FALL_DAYS), c.merged_into.is_(None),
            or_(c.home_shop_id == shop_id, bought.c.customer_id.is_not(None)),
        )
    )  # fmt: skip
    return int(session.execute(found).scalar_one())


def joined(session: Session, shop_id: int) -> int:
    """Customers whose home this shop became within a week."""
    c = customers.customers.c
    found = select(func.count()).where(
        c.home_shop_id == shop_id, c.merged_into.is_(None), c.joined_at > now(session) - WEEK
    )
    return int(session.execute(found).scalar_one())


def offers(session: Session, shop_id: int) -> int:
    """How many offers a shop has ever made, those of every shop among them."""
    p = programs.c
    return int(session.execute(select(func.count()).where(or_(p.shop_id.is_(None), p.shop_id == shop_id))).scalar_one())
