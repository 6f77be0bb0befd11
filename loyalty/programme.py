"""The programme all shops share: what a point is worth, when it expires, its settings; and opening a shop in it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlalchemy import Text, insert, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.orders import earning, earning_rules
from loyalty.points import ledger
from loyalty.tiers import tiers
from store import shops
from store.base import Base, BigId, table
from store.clock import now
from store.errors import InvalidError

WALLET_POINTS = 1_000_000_000
ONLY = 1
UNLIMITED = 1_000_000_000
"""A limit for adjustments by hand that no adjustment reaches."""


class Expiry(StrEnum):
    """At the end of what points expire, so many months after they were earned."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    NEVER = "never"


class Refunds(StrEnum):
    """What a refund does about points that were spent already: the balance falls below 0, or the rest is forgiven."""

    DEBT = "allow_debt"
    CAP = "cap"


class ProgrammeRow(Base):
    __tablename__ = "programme"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    point_value: Mapped[int] = mapped_column(default=20)
    """Đồng that 1 point pays."""
    expiry_months: Mapped[int] = mapped_column(default=12)
    """Points expire at the end of the n-th month after the one they were earned in, of its quarter or of its year, by
    `expiry_rule`. By the month 0 means never; else that of the quarter or year they were earned in.
    """
    referral_points: Mapped[int] = mapped_column(default=50)
    """Points to each side at the friend's first completed order."""
    undo_minutes: Mapped[int] = mapped_column(default=15)
    """How long the till may take its last entry back."""
    expiry_rule: Mapped[str] = mapped_column(Text, server_default=Expiry.MONTH.value)
    refund_policy: Mapped[str] = mapped_column(Text, server_default=Refunds.DEBT.value)
    gift_points: Mapped[int] = mapped_column(server_default="500")
    """The most points that a customer may give friends in a day; 0: none."""
    gift_count: Mapped[int] = mapped_column(server_default="5")
    """How many gifts in a day."""
    adjust_owner: Mapped[int] = mapped_column(server_default=str(UNLIMITED))
    """The most points that somebody may give or take by hand at once, by role."""
    adjust_manager: Mapped[int] = mapped_column(server_default=str(UNLIMITED))
    adjust_agent: Mapped[int] = mapped_column(server_default="0")
    adjust_cashier: Mapped[int] = mapped_column(server_default="0")
    second_approval: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether what is above the limit waits for a second person; without, it is refused."""


@dataclass(frozen=True, slots=True)
class Programme:
    """The settings of all shops; units as in ProgrammeRow."""

    point_value: int
    expiry_months: int
    referral_points: int
    undo_minutes: int
    expiry_rule: str = Expiry.MONTH.value
    refund_policy: str = Refunds.DEBT.value
    gift_points: int = 500
    gift_count: int = 5
    adjust_owner: int = UNLIMITED
    adjust_manager: int = UNLIMITED
    adjust_agent: int = 0
    adjust_cashier: int = 0
    second_approval: bool = False


programmes = table(ProgrammeRow)
_FIELDS = tuple(programmes.c[name] for name in Programme.__dataclass_fields__)


def get(session: Session) -> Programme:
    """The programme's settings, written with their defaults at the first shop."""
    row = session.execute(select(*_FIELDS).where(programmes.c.id == ONLY)).first()
    return Programme(*row) if row else Programme(20, 12, 50, 15)


def change(session: Session, /, **values: int | str) -> None:
    """Change settings; raises InvalidError naming the field. Points earned before keep the expiry they were given."""
    limits = {
        "point_value": (1, 1_000_000), "expiry_months": (0, 120), "referral_points": (0, 1_000_000),
        "undo_minutes": (0, 1_440), "gift_points": (0, 1_000_000), "gift_count": (0, 1_000), "second_approval": (0, 1),
        **dict.fromkeys(("adjust_owner", "adjust_manager", "adjust_agent", "adjust_cashier"), (0, UNLIMITED)),
    }  # fmt: skip
    choices: dict[str, type[StrEnum]] = {"expiry_rule": Expiry, "refund_policy": Refunds}
    for field, value in values.items():
        if field in choices:
            if value not in set(choices[field]):
                raise InvalidError(field, "unknown", value)
            continue
        low, high = limits[field]
        if not isinstance(value, int) or not low <= value <= high:
            raise InvalidError(field, "range", value)
    session.execute(update(ProgrammeRow).where(ProgrammeRow.id == ONLY).values(**values))


def open_shop(session: Session, name: str, *, timezone: str, language: str, brand: str = shops.DEFAULT_BRAND) -> int:
    """Add a shop with a new one's defaults: its settings, its funded wallet, and with the first one the programme."""
    if session.execute(select(programmes.c.id)).first() is None:
        session.execute(insert(programmes).values(id=ONLY))
        tiers.open_defaults(session)
    shop_id = shops.add(session, name, timezone=timezone, language=language, brand=brand)
    ledger.open_wallet(session, shop_id, WALLET_POINTS)
    earning.save(session, shop_id, earning_rules.document_of(earning_rules.Rules()), "programme")
    return shop_id


def expiry(session: Session, earned: datetime | None = None, *, zone: str) -> datetime | None:
    """When points earned at a moment (now, where none is given) expire by the programme's rule; None where never."""
    common = get(session)
    return expires_at(earned or now(session), common.expiry_months, zone, common.expiry_rule)


def expires_at(earned: datetime, months: int, zone: str, rule: str = Expiry.MONTH) -> datetime | None:
    """When points earned at a moment expire: at the end of the n-th month after it in the shop's time zone (or of that
    month's quarter or year), that is the first moment of what follows. None where they never do. (31 Jan 2026, 12 months:
    1 Feb 2027, 00:00; by the quarter 1 Apr 2027, by the year 1 Jan 2028.)
    """
    if rule == Expiry.NEVER or (rule == Expiry.MONTH and not months):
        return None
    local = earned.astimezone(ZoneInfo(zone))
    reached = local.year * 12 + local.month - 1 + months  # months since year 0
    step = {Expiry.MONTH: 1, Expiry.QUARTER: 3, Expiry.YEAR: 12}[Expiry(rule)]
    year, index = divmod(reached - reached % step + step, 12)
    return datetime(year, index + 1, 1, tzinfo=ZoneInfo(zone)).astimezone(ZoneInfo("UTC"))
