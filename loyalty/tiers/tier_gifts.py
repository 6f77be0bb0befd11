"""What is given on reaching a tier: points and a voucher, each once for a customer and tier, however often they rise."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, Text, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty import programme
from loyalty.customers import customers
from loyalty.points import points
from loyalty.tiers.tiers import Tier
from loyalty.vouchers import voucher_programs, vouchers
from store import events, shops
from store.base import Base, UtcTime, table
from store.clock import now
from store.errors import RuleError


class TierGift(Base):
    """A gift that was given; `part` is `points` or `voucher`."""

    __tablename__ = "tier_gifts"

    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), primary_key=True, autoincrement=False)
    tier_id: Mapped[int] = mapped_column(ForeignKey("tiers.id"), primary_key=True, autoincrement=False)
    part: Mapped[str] = mapped_column(Text, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Given:
    """What was given now: points, and the name of the voucher."""

    points: int = 0
    voucher: str = ""


gifts = table(TierGift)


def give(session: Session, customer_id: int, tier: Tier, shop_id: int | None, *, tell: bool) -> Given:
    """Give what reaching a tier brings, as far as it wasn't given before. `tell`: of the voucher, by its own notice.

    What can't be had (sold out, an empty wallet) holds up nothing: the event `tier_gift_missed` says why.
    """
    amount, voucher = 0, ""
    if tier.gift_points and _first(session, customer_id, tier.id, "points"):
        home = shop_id or customers.get(session, customer_id).home_shop_id
        shop = shops.get(session, home) if home is not None else shops.every(session)[0]
        expires_at = programme.expiry(session, zone=shop.timezone)
        try:
            with session.begin_nested():
                points.earn(
                    session, f"tier:{tier.id}:{customer_id}", "tier_gift", customer_id=customer_id, shop_id=shop.id,
                    points=tier.gift_points, expires_at=expires_at, reason=tier.name,
                )  # fmt: skip
            amount = tier.gift_points
        except RuleError as error:
            _missed(session, customer_id, tier, "points", error)
    if tier.gift_program_id is not None and _first(session, customer_id, tier.id, "voucher"):
        try:
            with session.begin_nested():
                given = vouchers.issue(
                    session, tier.gift_program_id, customer_id, key=f"tier:{tier.id}:{customer_id}", tell=tell
                )
            voucher = voucher_programs.get(session, given.program_id).name
        except RuleError as error:
            _missed(session, customer_id, tier, "voucher", error)
    return Given(amount, voucher)


def _first(session: Session, customer_id: int, tier_id: int, part: str) -> bool:
    """Whether nobody gave it before; from now on somebody has."""
    try:
        with session.begin_nested():
            session.execute(insert(gifts).values(customer_id=customer_id, tier_id=tier_id, part=part, at=now(session)))
    except IntegrityError:
        return False
    return True


def _missed(session: Session, customer_id: int, tier: Tier, part: str, error: RuleError) -> None:
    # Not given after all: whoever rises again after the shop has mended it gets it.
    session.execute(
        delete(gifts).where(gifts.c.customer_id == customer_id, gifts.c.tier_id == tier.id, gifts.c.part == part)
    )
    events.happened(
        session, "tier_gift_missed", customer_id=customer_id, tier=tier.name, part=part, reason=error.code
    )  # fmt: skip


def move(session: Session, from_id: int, to_id: int) -> None:
    """Carry over in a merge what was given, so that the one who lives on isn't given it again."""
    had = _given(session, to_id)
    for tier_id, part in _given(session, from_id):
        one = (gifts.c.customer_id == from_id, gifts.c.tier_id == tier_id, gifts.c.part == part)
        if (tier_id, part) in had:
            session.execute(delete(gifts).where(*one))
        else:
            session.execute(update(gifts).where(*one).values(customer_id=to_id))


def _given(session: Session, customer_id: int) -> set[tuple[int, str]]:
    rows = session.execute(select(gifts.c.tier_id, gifts.c.part).where(gifts.c.customer_id == customer_id))
    return {(row.tier_id, row.part) for row in rows}
