"""Quests: something to reach in a period (orders, different dishes, new ones, a spend, days or weeks in a row), for a prize.

How far somebody is stands in `progress`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import JSON, ForeignKey, Text, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.recognition import prizes
from loyalty.recognition.prizes import PrizeInput
from loyalty.recognition.visits import Measure
from store.base import Base, BigId, UtcTime, table
from store.clock import midnight, now
from store.errors import InvalidError, NotFoundError

NAME_CHARS_MAX = 80
ABOUT_CHARS_MAX = 300
TARGET_MAX = 1_000_000_000
NAMES_MAX = 50


class Every(StrEnum):
    """How often it can be finished."""

    ONCE = "once"
    WEEK = "week"
    MONTH = "month"


class QuestRow(Base):
    __tablename__ = "quests"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"), index=True)
    name: Mapped[str] = mapped_column(Text)
    about: Mapped[str] = mapped_column(Text)
    measure: Mapped[str] = mapped_column(Text)
    target: Mapped[int]
    """So many of what is measured; đồng for a spend."""
    names: Mapped[list[str]] = mapped_column(JSON)
    """Items or categories that count; none: all."""
    every: Mapped[str] = mapped_column(Text)
    starts_at: Mapped[datetime] = mapped_column(UtcTime)
    ends_at: Mapped[datetime | None] = mapped_column(UtcTime)
    prize_id: Mapped[int] = mapped_column(ForeignKey("prizes.id"))
    created_at: Mapped[datetime] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class QuestInput:
    """A quest as a form has it; fields as in QuestRow."""

    name: str
    measure: Measure
    target: int
    prize: PrizeInput
    about: str = ""
    names: Sequence[str] = ()
    every: Every = Every.ONCE
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Quest:
    """A quest as rules give it out; see QuestRow."""

    id: int
    shop_id: int
    name: str
    about: str
    measure: str
    target: int
    names: list[str]
    every: str
    starts_at: datetime
    ends_at: datetime | None
    prize_id: int

    def runs(self, moment: datetime) -> bool:
        return self.starts_at <= moment and (self.ends_at is None or moment < self.ends_at)


quests = table(QuestRow)
_FIELDS = tuple(quests.c[name] for name in Quest.__dataclass_fields__)


def add(session: Session, shop_id: int, quest: QuestInput) -> Quest:
    """Set a quest; from now on where it doesn't say when. Raises InvalidError naming the field: name, about, target, names,
    ends_at, or one of the prize's.
    """
    _checked(quest.name, quest.about)
    if not 1 <= quest.target <= TARGET_MAX:
        raise InvalidError("target", "range", quest.target)
    names = [" ".join(name.split()) for name in quest.names if name.strip()]
    if len(names) > NAMES_MAX or any(len(name) > NAME_CHARS_MAX for name in names):
        raise InvalidError("names", "length", names)
    starts_at = quest.starts_at or now(session)
    if quest.ends_at is not None and quest.ends_at <= starts_at:
        raise InvalidError("ends_at", "range", quest.ends_at)
    prize = prizes.add(session, shop_id, quest.prize)
    every = Every.ONCE if quest.measure.unit is not None else quest.every
    row = session.execute(
        insert(quests)
        .values(
            shop_id=shop_id, name=" ".join(quest.name.split()), about=quest.about.strip(), measure=quest.measure.value,
            target=quest.target, names=names, every=every.value, starts_at=starts_at, ends_at=quest.ends_at,
            prize_id=prize.id, created_at=now(session),
        )
        .returning(*_FIELDS)
    ).one()  # fmt: skip
    return Quest(*row)


def change(session: Session, quest_id: int, shop_id: int, **values: Any) -> Quest:
    """Change name, about or ends_at: what must be reached and what it brings was promised. Raises InvalidError,
    NotFoundError.
    """
    before = get(session, quest_id, shop_id, lock=True)
    if unknown := set(values) - {"name", "about", "ends_at"}:
        raise InvalidError(min(unknown), "unknown")
    _checked(values.get("name", before.name), values.get("about", before.about))
    if values.get("ends_at") is not None and values["ends_at"] < before.starts_at:
        raise InvalidError("ends_at", "range", values["ends_at"])
    if "name" in values:
        values["name"] = " ".join(values["name"].split())
    session.execute(update(quests).where(quests.c.id == quest_id).values(**values))
    return get(session, quest_id)


def _checked(name: str, about: str) -> None:
    if not name.strip() or len(name) > NAME_CHARS_MAX:
        raise InvalidError("name", "length", name)
    if len(about) > ABOUT_CHARS_MAX:
        raise InvalidError("about", "length", about)


def get(session: Session, quest_id: int, shop_id: int | None = None, *, lock: bool = False) -> Quest:
    """A quest (of a shop); raises NotFoundError."""
    query = select(*_FIELDS).where(quests.c.id == quest_id)
    row = session.execute(query.with_for_update(key_share=True) if lock else query).first()
    if row is None or shop_id not in {None, row.shop_id}:
        raise NotFoundError("quest", quest_id)
    return Quest(*row)


def of_shop(session: Session, shop_id: int) -> list[Quest]:
    """A shop's quests, newest first."""
    rows = session.execute(select(*_FIELDS).where(quests.c.shop_id == shop_id).order_by(quests.c.id.desc()))
    return [Quest(*row) for row in rows]


def period(quest: Quest, moment: datetime, zone: str) -> tuple[str, datetime, datetime | None]:
    """The occurrence that a moment falls into: its name, when it begins and when it is over."""
    if quest.every == Every.ONCE:
        return "", quest.starts_at, quest.ends_at
    day = moment.astimezone(ZoneInfo(zone)).date()
    if quest.every == Every.WEEK:
        first = day - timedelta(days=day.weekday())
        after = first + timedelta(days=7)
    else:
        first = day.replace(day=1)
        after = (first + timedelta(days=32)).replace(day=1)
    since, until = (midnight(one, ZoneInfo(zone)) for one in (first, after))
    return (
        first.isoformat(), max(since, quest.starts_at),
        until if quest.ends_at is None else min(until, quest.ends_at),
    )  # fmt: skip
