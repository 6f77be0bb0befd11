"""Tiers: named levels with their looks and what they bring. Who stands where is `loyalty.tiers.qualification`'s."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Text, insert, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, BigId, UtcTime, insert_rows, raw, table, to_micros
from store.clock import now
from store.errors import InvalidError, NotFoundError

NAME_CHARS_MAX = 40
DESCRIPTION_CHARS_MAX = 300
PRICE_LIST_CHARS_MAX = 200
LEVELS_MAX = 12
MEASURE_MAX = 1_000_000_000_000
STYLES = ("stone", "silver", "honey", "ink")
GRADIENT = re.compile(r"#[0-9A-Fa-f]{6},#[0-9A-Fa-f]{6}")


class TierRow(Base):
    __tablename__ = "tiers"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    threshold: Mapped[int] = mapped_column(unique=True)
    """What it takes to enter, in the unit that the programme's policy measures by (tier points, đồng, visits, orders).
    Below 0: the level was taken out, and stays only because the past names it."""
    style: Mapped[str] = mapped_column(Text)
    """The card's look: stone, silver, honey, ink, or the two colours of a gradient: `#7C3AED,#22D3EE`."""
    keep: Mapped[int | None]
    """What it takes to stay, at most `threshold`; empty: the same."""
    description: Mapped[str] = mapped_column(Text, server_default=text("''"))
    picture: Mapped[str | None] = mapped_column(Text)
    """Address of its picture in `media`."""
    multiplier: Mapped[int] = mapped_column(server_default="100")
    """Per cent of the points that an order gives others."""
    price_cut: Mapped[int] = mapped_column(server_default="0")
    """Per cent off the points price of vouchers."""
    price_list: Mapped[str] = mapped_column(Text, server_default=text("''"))
    """The name of a private price list, or a link to it; the till shows it."""
    gift_points: Mapped[int] = mapped_column(server_default="0")
    gift_program_id: Mapped[int | None]
    """What is given on reaching it, once: points, and a voucher of this programme."""
    priority: Mapped[int] = mapped_column(server_default="0")
    """In support: the higher, the sooner."""


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
    """A level: `threshold` to enter it and `keep` to stay, in the policy's unit; the rest as in TierRow."""

    id: int
    name: str
    threshold: int
    style: str
    keep: int
    description: str = ""
    picture: str | None = None
    multiplier: int = 100
    price_cut: int = 0
    price_list: str = ""
    gift_points: int = 0
    gift_program_id: int | None = None
    priority: int = 0

    @property
    def look(self) -> str | tuple[str, str]:
        """The style as the card's picture takes it: a name, or a gradient's two colours."""
        first, comma, second = self.style.partition(",")
        return (first, second) if comma else first


@dataclass(frozen=True, slots=True)
class Level:
    """A level as the rules form has it: `id` None for a new one, `keep` None for the same as `threshold`."""

    id: int | None
    name: str
    threshold: int
    keep: int | None = None


DEFAULTS = (("Thành viên", 0, "stone"), ("Bạc", 50, "silver"), ("Vàng", 250, "honey"), ("Bạch kim", 1_000, "ink"))
_FIELDS = (
    "id, name, threshold, style, coalesce(keep, threshold), description, picture, multiplier, price_cut, price_list, "
    "gift_points, gift_program_id, priority"
)
EVERY = f"SELECT {_FIELDS} FROM tiers WHERE threshold >= 0 ORDER BY threshold"  # noqa: S608

tier_table = table(TierRow)
tier_changes = table(TierChange)


def open_defaults(session: Session) -> None:
    """Write a new programme's tiers."""
    session.execute(
        insert(tier_table),
        [{"name": name, "threshold": threshold, "style": style} for name, threshold, style in DEFAULTS],
    )


def every(session: Session) -> list[Tier]:
    """The tiers, lowest first; there is always one at 0. On the way of every order and `/points`."""
    return [Tier(*row) for row in raw(session, EVERY)]


def get(session: Session, tier_id: int) -> Tier:
    """A level in use; raises NotFoundError."""
    found = next((tier for tier in every(session) if tier.id == tier_id), None)
    if found is None:
        raise NotFoundError("tier", tier_id)
    return found


def names(session: Session) -> dict[int, str]:
    """The name of every level by its number, of those taken out too."""
    return dict(raw(session, "SELECT id, name FROM tiers"))


# ── What a customer's tier brings ──────────────────────────────────────────────────────────────────


def _of_customer(session: Session, column: str, customer_id: int) -> Any:
    sql = f"SELECT t.{column} FROM customers c JOIN tiers t ON t.id = c.tier_id WHERE c.id = ?"  # noqa: S608
    rows = raw(session, sql, (customer_id,))
    return rows[0][0] if rows else None


def multiplier(session: Session, customer_id: int) -> int:
    """Per cent of the points that an order gives somebody without a tier; 100: no more than they."""
    found = _of_customer(session, "multiplier", customer_id)
    return 100 if found is None else int(found)


def price(session: Session, customer_id: int, program_price: int) -> int:
    """What a voucher costs this customer, in points, of a price in points: the cut is rounded down, 1 at least stays."""
    cut = _of_customer(session, "price_cut", customer_id) or 0
    return max(min(1, program_price), program_price - program_price * int(cut) // 100)


def priorities(session: Session) -> dict[int, int]:
    """Each tier's priority in support by its number; the higher, the sooner."""
    return {number: int(priority) for number, priority in raw(session, "SELECT id, priority FROM tiers")}


# ── Changing them ──────────────────────────────────────────────────────────────────────────────────

_LIMITS = {"multiplier": (1, 1_000), "price_cut": (0, 90), "gift_points": (0, 1_000_000), "priority": (0, 9)}
_TEXTS = {
    "name": NAME_CHARS_MAX, "description": DESCRIPTION_CHARS_MAX, "price_list": PRICE_LIST_CHARS_MAX,
}  # fmt: skip
CHANGEABLE = {*_LIMITS, *_TEXTS, "style", "picture", "gift_program_id"}


def change(session: Session, tier_id: int, /, **values: Any) -> Tier:
    """Change a level's looks and benefits, none of which moves anybody. Raises InvalidError naming the field,
    NotFoundError. That the voucher programme is there is the caller's to see.
    """
    get(session, tier_id)
    if unknown := set(values) - CHANGEABLE:
        raise InvalidError(min(unknown), "unknown")
    for field, most in _TEXTS.items():
        if field in values:
            values[field] = re.sub(r"\s+", " ", values[field]).strip()
            if len(values[field]) > most or (field == "name" and not values[field]):
                raise InvalidError(field, "length", values[field])
    for field, (low, high) in _LIMITS.items():
        if field in values and not low <= values[field] <= high:
            raise InvalidError(field, "range", values[field])
    if "style" in values and values["style"] not in STYLES and not GRADIENT.fullmatch(values["style"]):
        raise InvalidError("style", "unknown", values["style"])
    session.execute(update(tier_table).where(tier_table.c.id == tier_id).values(**values))
    return get(session, tier_id)


def checked(levels: Sequence[Level]) -> list[Level]:
    """Levels as they may be saved, lowest first. Raises InvalidError: `levels` (count, base: none at 0), or
    `<field>:<place>` where one can't be right (name length; threshold range, twice; keep range, order).
    """
    if not 1 <= len(levels) <= LEVELS_MAX:
        raise InvalidError("levels", "count", len(levels))
    places = {id(level): place for place, level in enumerate(levels)}
    ordered = sorted(levels, key=lambda level: level.threshold)
    below: Level | None = None
    found = []
    for level in ordered:
        place = places[id(level)]
        name = re.sub(r"\s+", " ", level.name).strip()
        if not 1 <= len(name) <= NAME_CHARS_MAX:
            raise InvalidError(f"name:{place}", "length", level.name)
        if not 0 <= level.threshold <= MEASURE_MAX:
            raise InvalidError(f"threshold:{place}", "range", level.threshold)
        if below is not None and level.threshold == below.threshold:
            raise InvalidError(f"threshold:{place}", "twice", level.threshold)
        keep = None if level.keep == level.threshold else level.keep
        if keep is not None and not 0 <= keep <= level.threshold:
            raise InvalidError(f"keep:{place}", "range", keep)
        if below is not None and (level.threshold if keep is None else keep) < _keep(below):
            raise InvalidError(f"keep:{place}", "order", keep)
        below = Level(level.id, name, level.threshold, keep)
        found.append(below)
    if found[0].threshold != 0:
        raise InvalidError("levels", "base", found[0].threshold)
    return found


def _keep(level: Level) -> int:
    return level.threshold if level.keep is None else level.keep


def draft(session: Session, levels: Sequence[Level]) -> list[Tier]:
    """The ladder that levels would make; new ones have numbers below 0. Raises InvalidError as `checked`."""
    known = {tier.id: tier for tier in every(session)}
    ladder = []
    for place, level in enumerate(checked(levels)):
        was = known.get(level.id or 0)
        extra = {name: getattr(was, name) for name in CHANGEABLE - {"name", "style"}} if was else {}
        style = was.style if was else STYLES[min(place, len(STYLES) - 1)]
        ladder.append(Tier(was.id if was else -1 - place, level.name, level.threshold, style, _keep(level), **extra))
    return ladder


def save(session: Session, levels: Sequence[Level]) -> None:
    """Make these the levels. Those that are no longer among them are taken out; their customers are moved by the next
    review. Raises InvalidError as `checked`.
    """
    ladder, before = draft(session, levels), every(session)
    # Out of each other's way first: no two may have the same threshold, not even for a moment.
    for tier in before:
        session.execute(update(tier_table).where(tier_table.c.id == tier.id).values(threshold=-tier.id))
    for tier in ladder:
        values: Mapping[str, Any] = {
            "name": tier.name, "threshold": tier.threshold, "keep": None if tier.keep == tier.threshold else tier.keep,
        }  # fmt: skip
        if tier.id > 0:
            session.execute(update(tier_table).where(tier_table.c.id == tier.id).values(**values))
        else:
            session.execute(insert(tier_table).values(**values, style=tier.style))


def changed(session: Session, rows: Sequence[tuple[int, int | None, int]]) -> None:
    """Write down that customers changed tier: (customer, from, to) each."""
    at = to_micros(now(session))
    insert_rows(session, "tier_changes", "customer_id, from_id, to_id, at", [(*row, at) for row in rows])
