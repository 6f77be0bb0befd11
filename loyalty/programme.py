"""The programme all shops share: what a point is worth, when it expires, its settings; and opening a shop in it."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty import ledger, tiers
from store import shops
from store.base import Base, BigId, table
from store.errors import InvalidError

WALLET_POINTS = 1_000_000_000
ONLY = 1


class ProgrammeRow(Base):
    __tablename__ = "programme"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    point_value: Mapped[int] = mapped_column(default=20)
    """Đồng that 1 point pays."""
    expiry_months: Mapped[int] = mapped_column(default=12)
    """Points expire at the end of the n-th month after the one they were earned in; 0: never."""
    referral_points: Mapped[int] = mapped_column(default=50)
    """Points to each side at the friend's first completed order."""
    undo_minutes: Mapped[int] = mapped_column(default=15)
    """How long the till may take its last entry back."""


@dataclass(frozen=True, slots=True)
class Programme:
    """The settings of all shops; units as in ProgrammeRow."""

    point_value: int
    expiry_months: int
    referral_points: int
    undo_minutes: int


programmes = table(ProgrammeRow)
_FIELDS = tuple(programmes.c[name] for name in Programme.__dataclass_fields__)


def get(session: Session) -> Programme:
    """The programme's settings, written with their defaults at the first shop."""
    row = session.execute(select(*_FIELDS).where(programmes.c.id == ONLY)).first()
    return Programme(*row) if row else Programme(20, 12, 50, 15)


def change(session: Session, **values: int) -> None:
    """Change settings; raises InvalidError naming the field. Points earned before keep the expiry they were given."""
    limits = {
        "point_value": (1, 1_000_000), "expiry_months": (0, 120),
        "referral_points": (0, 1_000_000), "undo_minutes": (0, 1_440),
    }  # fmt: skip
    for field, value in values.items():
        low, high = limits[field]
        if not low <= value <= high:
            raise InvalidError(field, "range", value)
    session.execute(update(ProgrammeRow).where(ProgrammeRow.id == ONLY).values(**values))


def open_shop(session: Session, name: str, *, timezone: str, language: str, brand: str = shops.DEFAULT_BRAND) -> int:
    """Add a shop with a new one's defaults: its settings, its funded wallet, and with the first one the programme."""
    if session.execute(select(programmes.c.id)).first() is None:
        session.execute(insert(programmes).values(id=ONLY))
        tiers.open_defaults(session)
    shop_id = shops.add(session, name, timezone=timezone, language=language, brand=brand)
    ledger.open_wallet(session, shop_id, WALLET_POINTS)
    return shop_id


def expires_at(earned: datetime, months: int, zone: str) -> datetime | None:
    """When points earned at a moment expire: the end of the n-th month after it in the shop's time zone, that is the
    first moment of the month that follows. None where they never do. (31 Jan 2026, 12 months: 1 Feb 2027, 00:00.)
    """
    if not months:
        return None
    local = earned.astimezone(ZoneInfo(zone))
    month = local.month + months  # 1-based month after `months`, end of it = first of the next
    year, index = divmod(local.year * 12 + month, 12)
    return datetime(year, index + 1, 1, tzinfo=ZoneInfo(zone)).astimezone(ZoneInfo("UTC"))
