"""What bringing a friend gives: both sides' rewards, each of its own kind, as data of the programme.

Every change is a new row, and a referral keeps the row it was opened under: what the two were told is what they get.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Text, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty import programme
from loyalty.vouchers import voucher_programs
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import InvalidError, NotFoundError

POINTS_MAX = 1_000_000
ORDERS_MAX = 100
DAILY_LIMIT = 20
DAILY_LIMIT_MAX = 10_000


class RewardKind(StrEnum):
    POINTS = "points"
    """So many points, once."""
    PERCENT = "percent"
    """Points worth a percentage of what the friend paid, for each of their first orders."""
    VOUCHER = "voucher"
    """One voucher of a programme."""


class TermsRow(Base):
    __tablename__ = "referral_terms"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime)
    actor: Mapped[str] = mapped_column(Text)
    referrer: Mapped[dict[str, Any]] = mapped_column(JSON)
    friend: Mapped[dict[str, Any]] = mapped_column(JSON)
    daily_limit: Mapped[int]
    """Friends that one link may bring in a day; 0: any number."""


@dataclass(frozen=True, slots=True)
class Reward:
    """What one side gets. `points` of POINTS (0: nothing); `percent` of each of the friend's first `orders` paid orders;
    `program_id` of VOUCHER.
    """

    kind: RewardKind
    points: int = 0
    percent: int = 0
    orders: int = 1
    program_id: int | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """Both sides' rewards and the limit a day; `id` is empty until the programme's default was written down."""

    id: int | None
    referrer: Reward
    friend: Reward
    daily_limit: int

    def of(self, side: str) -> Reward:
        """The reward of a side, `referrer` or `friend`."""
        return self.referrer if side == "referrer" else self.friend

    @property
    def orders(self) -> int:
        """How many of the friend's orders can count."""
        return max(self.referrer.orders, self.friend.orders)

    @property
    def percents(self) -> bool:
        """Whether a side gets a percentage, so that later orders count too."""
        return RewardKind.PERCENT in {self.referrer.kind, self.friend.kind}


terms = table(TermsRow)


def current(session: Session) -> Terms:
    """What a link that is opened now promises; by default the programme's `referral_points` to each side."""
    row = session.execute(select(terms).order_by(terms.c.id.desc()).limit(1)).first()
    if row is not None:
        return _terms(row)
    both = Reward(RewardKind.POINTS, points=programme.get(session).referral_points)
    return Terms(None, both, both, DAILY_LIMIT)


def promised(session: Session) -> tuple[int, Terms]:
    """The row of the current terms, written now if nobody changed the default yet, for a referral to keep."""
    found = current(session)
    if found.id is not None:
        return found.id, found
    return _write(session, found, "default"), found


def get(session: Session, terms_id: int) -> Terms:
    """Terms as they were promised; raises NotFoundError."""
    row = session.execute(select(terms).where(terms.c.id == terms_id)).first()
    if row is None:
        raise NotFoundError("referral terms", terms_id)
    return _terms(row)


def change(session: Session, *, referrer: Reward, friend: Reward, daily_limit: int, actor: str) -> Terms:
    """Set what links opened from now on promise. Raises InvalidError naming `referrer_points`, `friend_percent`,
    `referrer_orders`, `friend_program`, `daily_limit` …
    """
    for side, reward in (("referrer", referrer), ("friend", friend)):
        _check(session, side, reward)
    if not 0 <= daily_limit <= DAILY_LIMIT_MAX:
        raise InvalidError("daily_limit", "range", daily_limit)
    wanted = Terms(None, referrer, friend, daily_limit)
    if plain(wanted) != plain(current(session)):
        _write(session, wanted, actor)
    return current(session)


def plain(found: Terms) -> dict[str, Any]:
    """Terms as plain values, for the audit."""
    return {"referrer": asdict(found.referrer), "friend": asdict(found.friend), "daily_limit": found.daily_limit}


def _check(session: Session, side: str, reward: Reward) -> None:
    limits = {
        RewardKind.POINTS: (("points", reward.points, 0, POINTS_MAX),),
        RewardKind.PERCENT: (("percent", reward.percent, 1, 100), ("orders", reward.orders, 1, ORDERS_MAX)),
        RewardKind.VOUCHER: (),
    }[reward.kind]
    for field, value, low, high in limits:
        if not low <= value <= high:
            raise InvalidError(f"{side}_{field}", "range", value)
    if reward.kind is RewardKind.VOUCHER:
        try:
            offer = voucher_programs.get(session, reward.program_id or 0)
        except NotFoundError:
            raise InvalidError(f"{side}_program", "unknown", reward.program_id) from None
        if offer.shared:
            raise InvalidError(f"{side}_program", "shared", reward.program_id)
        if offer.ends_at is not None and offer.ends_at <= now(session):
            raise InvalidError(f"{side}_program", "ended", reward.program_id)


def _write(session: Session, found: Terms, actor: str) -> int:
    return int(
        session.execute(
            insert(terms).values(at=now(session), actor=actor, **plain(found)).returning(terms.c.id)
        ).scalar_one()
    )


def _terms(row: Any) -> Terms:
    def reward(kept: dict[str, Any]) -> Reward:
        return Reward(**{**kept, "kind": RewardKind(kept["kind"])})

    return Terms(row.id, reward(row.referrer), reward(row.friend), row.daily_limit)
