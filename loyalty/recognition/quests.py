"""Quests: something to reach in a period (orders, different dishes, new ones, a spend, days or weeks in a row), for a prize.

Progress is what the customer's orders come to, worked out anew whenever one of them changes. So a returned order takes it
back; a quest that was finished and no longer is takes its prize back with it, and may be finished again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import JSON, ForeignKey, Index, Text, UniqueConstraint, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.recognition import prizes, streaks, visits, wins
from loyalty.recognition.prizes import Prize, PrizeInput
from loyalty.recognition.streaks import Run, Unit
from loyalty.recognition.visits import Measure, Visit
from loyalty.recognition.wins import Cause, Win, WinState
from store import events, notices
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import InvalidError, NotFoundError
from store.shops import Shop

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


class ProgressRow(Base):
    """How far a customer is in one occurrence of a quest."""

    __tablename__ = "quest_progress"
    __table_args__ = (
        UniqueConstraint("quest_id", "customer_id", "occurrence"),
        Index("ix_quest_progress_customer", "customer_id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    quest_id: Mapped[int] = mapped_column(ForeignKey("quests.id"))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    occurrence: Mapped[str] = mapped_column(Text)
    """The day its period, or its days or weeks in a row, begin with, as YYYY-MM-DD; empty for `once`."""
    reached: Mapped[int]
    done_at: Mapped[datetime | None] = mapped_column(UtcTime)
    times: Mapped[int]
    """How often it was finished, taken back ones among them: they are in the keys of its wins."""
    win_id: Mapped[int | None]


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


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a customer is in a quest now; `until` is the moment its period is over (None: no end)."""

    quest: Quest
    prize: Prize
    left: int | None
    reached: int
    done: bool
    until: datetime | None


quests = table(QuestRow)
progress = table(ProgressRow)
_FIELDS = tuple(quests.c[name] for name in Quest.__dataclass_fields__)


# ── What quests there are ───────────────────────────────────────────────────────────────────────────


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
    if values.get("ends_at") is not None and values["ends_at"] <= before.starts_at:
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


def tally(session: Session, quest_id: int) -> tuple[int, int]:
    """(how many customers are on their way, how often it was finished)."""
    row = session.execute(
        select(func.count(func.distinct(progress.c.customer_id)), func.count(progress.c.done_at)).where(
            progress.c.quest_id == quest_id, progress.c.reached > 0
        )
    ).one()
    return int(row[0]), int(row[1])


# ── How far somebody is ─────────────────────────────────────────────────────────────────────────────


def standings(session: Session, shop: Shop, customer_id: int, moment: datetime) -> list[Standing]:
    """How far a customer is in every quest that runs."""
    running = [quest for quest in of_shop(session, shop.id) if quest.runs(moment)]
    history = visits.of(session, shop, customer_id) if running else []
    found = []
    for quest in running:
        prize = prizes.get(session, quest.prize_id)
        occurrence, since, until = period(quest, moment, shop.timezone)
        reached = _reached(quest, history, since, until)
        unit = Measure(quest.measure).unit
        if unit is not None:
            run = _current(_runs(quest, history), unit, moment.astimezone(ZoneInfo(shop.timezone)).date())
            occurrence = streaks.first_day(run.first, unit).isoformat() if run else "-"
            reached = run.length if run else 0
        done = session.execute(
            select(progress.c.id).where(
                progress.c.quest_id == quest.id, progress.c.customer_id == customer_id,
                progress.c.occurrence == occurrence, progress.c.done_at.is_not(None),
            )
        ).first()  # fmt: skip
        left = prizes.left(session, prize)
        found.append(Standing(quest, prize, left, min(reached, quest.target), done is not None, until))
    return found


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
    since, until = (datetime.combine(one, time(), ZoneInfo(zone)) for one in (first, after))
    return (
        first.isoformat(), max(since, quest.starts_at),
        until if quest.ends_at is None else min(until, quest.ends_at),
    )  # fmt: skip


def _reached(quest: Quest, history: Sequence[Visit], since: datetime, until: datetime | None) -> int:
    return visits.count(
        history, Measure(quest.measure), since=since, until=until, names=visits.folded(quest.names), imported=False
    )


def _runs(quest: Quest, history: Sequence[Visit]) -> list[Run]:
    """The days or weeks in a row within the quest's own time."""
    unit = Measure(quest.measure).unit or Unit.DAY
    days = (
        visit.day for visit in history
        if not visit.imported and visit.at >= quest.starts_at and (quest.ends_at is None or visit.at < quest.ends_at)
    )  # fmt: skip
    return streaks.runs(days, unit)


def _current(runs: Iterable[Run], unit: Unit, day: date) -> Run | None:
    """The run that isn't broken on a day."""
    here = streaks.number(day, unit)
    return next((run for run in runs if run.first <= here and run.last >= here - 1), None)


# ── An order was settled ────────────────────────────────────────────────────────────────────────────


def order_settled(
    session: Session,
    shop: Shop,
    customer_id: int,
    history: Sequence[Visit],
    *,
    order_id: int,
    placed_at: datetime,
    starts: bool,
    quiet: bool,
) -> None:
    """Bring a customer's progress in the quests that an order counts for to where their visits stand. Without `starts`
    nothing is finished by it, only undone.
    """
    for quest in of_shop(session, shop.id):
        if not quest.runs(placed_at):
            continue
        unit = Measure(quest.measure).unit
        if unit is None:
            occurrence, since, until = period(quest, placed_at, shop.timezone)
            wanted = {occurrence: _reached(quest, history, since, until)}
        else:
            wanted = _wanted(session, quest, customer_id, _runs(quest, history), unit)
        for occurrence, reached in wanted.items():
            _bring(session, quest, customer_id, occurrence, reached, order_id, starts=starts, quiet=quiet)


def _wanted(session: Session, quest: Quest, customer_id: int, runs: Sequence[Run], unit: Unit) -> dict[str, int]:
    """What every run comes to. One that began earlier after all, by an order that came late, keeps its row."""
    known = session.execute(
        select(progress.c.id, progress.c.occurrence).where(
            progress.c.quest_id == quest.id, progress.c.customer_id == customer_id
        )
    ).all()
    wanted = {row.occurrence: 0 for row in known}
    for run in runs:
        inside = [
            row.occurrence for row in known
            if run.first <= streaks.number(date.fromisoformat(row.occurrence), unit) <= run.last
        ]  # fmt: skip
        for occurrence in inside or [streaks.first_day(run.first, unit).isoformat()]:
            wanted[occurrence] = run.length
    return wanted


def _bring(
    session: Session,
    quest: Quest,
    customer_id: int,
    occurrence: str,
    reached: int,
    order_id: int,
    *,
    starts: bool,
    quiet: bool,
) -> None:
    row = _row(session, quest.id, customer_id, occurrence, make=reached > 0)
    if row is None:
        return
    values: dict[str, Any] = {"reached": reached}
    p = prizes.get(session, quest.prize_id)
    if reached >= quest.target and row.done_at is None and starts:
        times = row.times + 1
        win = wins.give(
            session, f"quest:{row.id}:{times}", p, customer_id, cause=Cause.QUEST, cause_id=quest.id, order_id=order_id
        )
        values |= {"done_at": now(session), "times": times, "win_id": win.id}
        events.happened(
            session, "quest_done", customer_id=customer_id, shop_id=quest.shop_id, quest=quest.id, win=win.id
        )
        if not quiet:
            _tell(session, quest, p, win)
    elif reached < quest.target and row.done_at is not None:
        values |= {"done_at": None, "win_id": None}
        events.happened(session, "quest_undone", customer_id=customer_id, shop_id=quest.shop_id, quest=quest.id)
        before = wins.get(session, row.win_id)
        after = wins.take_back(session, row.win_id, "order_returned")
        if before.state != WinState.MISSED and after.state == WinState.WITHDRAWN and not quiet:
            notices.tell(
                session, "prize_taken_back", customer_id=customer_id, shop_id=quest.shop_id, what=quest.name,
                prize=p.name, gives=p.kind, points=p.points,
            )  # fmt: skip
    session.execute(update(progress).where(progress.c.id == row.id).values(**values))


def _row(session: Session, quest_id: int, customer_id: int, occurrence: str, *, make: bool) -> Any:
    where = (
        progress.c.quest_id == quest_id, progress.c.customer_id == customer_id, progress.c.occurrence == occurrence,
    )  # fmt: skip
    query = select(progress).where(*where).with_for_update()
    found = session.execute(query).first()
    if found is not None or not make:
        return found
    try:
        with session.begin_nested():
            session.execute(
                insert(progress).values(
                    quest_id=quest_id, customer_id=customer_id, occurrence=occurrence, reached=0, times=0
                )
            )
    except IntegrityError:
        # Another order of theirs made it at this instant.
        pass
    return session.execute(query).one()


def _tell(session: Session, quest: Quest, prize: Prize, win: Win) -> None:
    notices.tell(
        session, "quest_done", customer_id=win.customer_id, shop_id=quest.shop_id, quest=quest.name, prize=prize.name,
        gives=prize.kind, points=prize.points, state=win.state, voucher=win.voucher_id,
    )  # fmt: skip


def move(session: Session, from_id: int, to_id: int) -> None:
    """Carry a customer's progress over in a merge. Where both are on the same quest, who got further goes on; the other's
    row stays with the number that is gone, its prize given.
    """
    theirs = session.execute(select(progress).where(progress.c.customer_id == from_id).with_for_update()).all()
    for row in theirs:
        own = session.execute(
            select(progress.c.id, progress.c.reached, progress.c.done_at).where(
                progress.c.quest_id == row.quest_id, progress.c.customer_id == to_id,
                progress.c.occurrence == row.occurrence,
            )
        ).first()  # fmt: skip
        if own is not None:
            if (row.done_at is not None, row.reached) <= (own.done_at is not None, own.reached):
                continue
            # The two change places; for a moment one needs another name.
            aside, back = {"occurrence": f"{row.occurrence}~"}, {"occurrence": row.occurrence}
            session.execute(update(progress).where(progress.c.id == row.id).values(**aside))
            session.execute(update(progress).where(progress.c.id == own.id).values(customer_id=from_id))
            session.execute(update(progress).where(progress.c.id == row.id).values(customer_id=to_id, **back))
            continue
        session.execute(update(progress).where(progress.c.id == row.id).values(customer_id=to_id))
