"""Progress: how far customers are in quests.

It is what their orders come to, worked out anew whenever one of them changes. So a returned order takes it back; a quest that
was finished and no longer is takes its prize back with it, and may be finished again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.recognition import prizes, quests, streaks, visits, wins
from loyalty.recognition.prizes import Prize
from loyalty.recognition.quests import Quest
from loyalty.recognition.streaks import Run, Unit
from loyalty.recognition.visits import Measure, Visit
from loyalty.recognition.wins import Cause, Win, WinState
from store import events, notices
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.shops import Shop


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
class Standing:
    """How far a customer is in a quest now; `until` is the moment its period is over (None: no end)."""

    quest: Quest
    prize: Prize
    left: int | None
    reached: int
    done: bool
    until: datetime | None


progress = table(ProgressRow)


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
    running = [quest for quest in quests.of_shop(session, shop.id) if quest.runs(moment)]
    history = visits.of(session, shop, customer_id) if running else []
    found = []
    for quest in running:
        prize = prizes.get(session, quest.prize_id)
        occurrence, since, until = quests.period(quest, moment, shop.timezone)
        finished = _finished(session, quest.id, customer_id)
        unit = Measure(quest.measure).unit
        if unit is None:
            reached, done = _reached(quest, history, since, until), occurrence in finished
        else:
            run = _current(_runs(quest, history), unit, moment.astimezone(ZoneInfo(shop.timezone)).date())
            reached = run.length if run else 0
            done = run is not None and any(_within(one, run, unit) for one in finished)
        left = prizes.left(session, prize)
        found.append(Standing(quest, prize, left, min(reached, quest.target), done, until))
    return found


def _finished(session: Session, quest_id: int, customer_id: int) -> list[str]:
    """The occurrences that a customer has finished."""
    return list(
        session.execute(
            select(progress.c.occurrence).where(
                progress.c.quest_id == quest_id, progress.c.customer_id == customer_id, progress.c.done_at.is_not(None)
            )
        ).scalars()
    )


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
    for quest in quests.of_shop(session, shop.id):
        if not quest.runs(placed_at):
            continue
        unit = Measure(quest.measure).unit
        if unit is None:
            occurrence, since, until = quests.period(quest, placed_at, shop.timezone)
            wanted = {occurrence: _reached(quest, history, since, until)}
        else:
            wanted = _wanted(session, quest, customer_id, _runs(quest, history), unit)
        for occurrence, reached in wanted.items():
            _bring(session, quest, customer_id, occurrence, reached, order_id, starts=starts, quiet=quiet)


def _wanted(session: Session, quest: Quest, customer_id: int, runs: Sequence[Run], unit: Unit) -> dict[str, int]:
    """What every run comes to. One that began earlier after all, by an order that came late, keeps its row; where two have
    grown together, what was finished stands, and nothing is finished twice.
    """
    known = session.execute(
        select(progress.c.occurrence, progress.c.done_at)
        .where(progress.c.quest_id == quest.id, progress.c.customer_id == customer_id)
        .order_by(progress.c.occurrence)
    ).all()
    wanted = {row.occurrence: 0 for row in known}
    for run in runs:
        inside = [row for row in known if _within(row.occurrence, run, unit)]
        done = [row.occurrence for row in inside if row.done_at is not None]
        first = inside[0].occurrence if inside else streaks.first_day(run.first, unit).isoformat()
        for occurrence in done or [first]:
            wanted[occurrence] = run.length
    return wanted


def _within(occurrence: str, run: Run, unit: Unit) -> bool:
    return run.first <= streaks.number(date.fromisoformat(occurrence), unit) <= run.last


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
            session, "quest_done", customer_id=customer_id, shop_id=quest.shop_id, quest=quest.id, win=win.id,
            name=quest.name,
        )  # fmt: skip
        if not quiet:
            _tell(session, quest, p, win)
    elif reached < quest.target and row.done_at is not None:
        values |= {"done_at": None, "win_id": None}
        events.happened(
            session, "quest_undone", customer_id=customer_id, shop_id=quest.shop_id, quest=quest.id, name=quest.name
        )
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
