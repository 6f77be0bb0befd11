"""Tiers: named levels reached by tier points."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, Text, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, BigId, UtcTime, raw, table
from store.clock import now


class TierRow(Base):
    __tablename__ = "tiers"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    threshold: Mapped[int] = mapped_column(unique=True)
    """Tier points it takes."""
    style: Mapped[str] = mapped_column(Text)
    """The card's look: stone, silver, honey, ink."""


class TierChange(Base):
    """A customer's way through the tiers."""

    __tablename__ = "tier_changes"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    from_id: Mapped[int | None] = mapped_column(ForeignKey("tiers.id"))
    to_id: Mapped[int] = mapped_column(ForeignKey("tiers.id"))
    at: Mapped[datetime] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Tier:
    """A level: `threshold` is the tier points it takes, `style` the card's look."""

    id: int
    name: str
    threshold: int
    style: str


@dataclass(frozen=True, slots=True)
class Standing:
    """A customer's tier, the next one (None at the top) and the tier points still missing to it."""

    tier: Tier
    tier_points: int
    next: Tier | None
    to_next: int


DEFAULTS = (("Thành viên", 0, "stone"), ("Bạc", 50, "silver"), ("Vàng", 250, "honey"), ("Bạch kim", 1_000, "ink"))

tier_table = table(TierRow)


def open_defaults(session: Session) -> None:
    """Write a new programme's tiers."""
    session.execute(
        insert(tier_table),
        [{"name": name, "threshold": threshold, "style": style} for name, threshold, style in DEFAULTS],
    )


def every(session: Session) -> list[Tier]:
    """The tiers, lowest first; there is always one at 0."""
    return [Tier(*row) for row in raw(session, "SELECT id, name, threshold, style FROM tiers ORDER BY threshold")]


def standing(ladder: list[Tier], tier_points: int) -> Standing:
    """Where so many tier points stand on the ladder (lowest tier first, from 0)."""
    tier, following = ladder[0], None
    for step in ladder:
        if step.threshold <= tier_points:
            tier = step
        else:
            following = step
            break
    return Standing(tier, tier_points, following, following.threshold - tier_points if following else 0)


def changed(session: Session, customer_id: int, from_id: int | None, to_id: int) -> None:
    """Write down that a customer changed tier."""
    session.add(TierChange(customer_id=customer_id, from_id=from_id, to_id=to_id, at=now(session)))
