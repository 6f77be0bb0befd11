"""Agents: how much work each colleague takes at once, what they can take on, and when they work."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Text, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import audit
from store.base import Base, table
from store.errors import InvalidError
from store.staff import Member, Right
from support import tickets
from support.deadlines import calculator
from support.deadlines.calculator import DAY_MINUTES, Hours, Shift

CAP = 10
"""Open tickets that the router gives somebody at most, unless it was set."""
CAP_MAX = 200


class AgentRow(Base):
    """Of a colleague for whom something was set; others go by the defaults."""

    __tablename__ = "desk_agents"

    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), primary_key=True, autoincrement=False)
    cap: Mapped[int]
    topics: Mapped[list[str]] = mapped_column(JSON)
    languages: Mapped[list[str]] = mapped_column(JSON)
    tiers: Mapped[list[int]] = mapped_column(JSON)
    zone: Mapped[str] = mapped_column(Text)
    """Whose clock the shifts go by."""
    week: Mapped[list[list[list[int]]]] = mapped_column(JSON)
    """Seven days from Monday, each a list of [from, until] in minutes after midnight; all empty: whenever they are there."""


@dataclass(frozen=True, slots=True)
class Agent:
    """`cap`: open tickets at once (0: the router gives them none). Skills left empty mean all. `hours`: their shifts, if any."""

    cap: int = CAP
    topics: Collection[str] = ()
    languages: Collection[str] = ()
    tiers: Collection[int] = ()
    hours: Hours | None = None

    def shift_ends(self, at: datetime) -> datetime | None:
        """When the shift ends that `at` lies in; None without shifts. Raises ValueError outside of them."""
        if self.hours is None:
            return None
        start, end = next(calculator.open_spans(self.hours, at))
        if start > at:
            raise ValueError("not in a shift")
        return end

    def in_shift(self, at: datetime) -> bool:
        """Whether they work at a moment: always, where no shifts were set."""
        return self.hours is None or calculator.is_open(self.hours, at)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a form says of an agent; see AgentRow."""

    cap: int = CAP
    topics: Sequence[str] = ()
    languages: Sequence[str] = ()
    tiers: Sequence[int] = ()
    zone: str = "UTC"
    week: Sequence[Sequence[Shift]] = field(default=((),) * 7)


agents = table(AgentRow)


def of(session: Session, staff_ids: Collection[int]) -> dict[int, Agent]:
    """How colleagues work, by their number."""
    rows = session.execute(select(agents).where(agents.c.staff_id.in_(staff_ids)))
    return dict.fromkeys(staff_ids, Agent()) | {row.staff_id: _agent(row) for row in rows}


def loads(session: Session, staff_ids: Collection[int]) -> dict[int, int]:
    """How many open tickets each looks after, at every shop. What sleeps or is solved takes nobody's time."""
    t = tickets.tickets.c
    rows = session.execute(
        select(t.assignee_id, func.count())
        .where(t.assignee_id.in_(staff_ids), t.state.in_(tickets.AWAKE))
        .group_by(t.assignee_id)
    )
    return dict.fromkeys(staff_ids, 0) | {staff_id: int(count) for staff_id, count in rows}


def change(session: Session, member: Member, shop_id: int, staff_id: int, asked: Settings) -> None:
    """Set how a colleague works. Raises ForbiddenError, InvalidError (`cap`, `week:<day>`: shift, overlap)."""
    member.need(Right.CONSOLE, shop_id)
    if not 0 <= asked.cap <= CAP_MAX:
        raise InvalidError("cap", "range", asked.cap)
    week = [_checked(f"week:{day}", shifts) for day, shifts in enumerate(asked.week)]
    values = {
        "cap": asked.cap, "topics": sorted(set(asked.topics)), "languages": sorted(set(asked.languages)),
        "tiers": sorted(set(asked.tiers)), "zone": asked.zone, "week": week,
    }  # fmt: skip
    before = session.execute(select(agents).where(agents.c.staff_id == staff_id).with_for_update()).mappings().first()
    if before is None:
        try:
            with session.begin_nested():
                session.execute(insert(agents).values(staff_id=staff_id, **values))
        except IntegrityError:
            session.execute(update(agents).where(agents.c.staff_id == staff_id).values(**values))
    else:
        session.execute(update(agents).where(agents.c.staff_id == staff_id).values(**values))
    old: dict[str, Any] = dict(before) if before else {**dict.fromkeys(values), "cap": CAP}
    changed = {name: [old[name], value] for name, value in values.items() if old[name] != value}
    if changed:
        audit.record(session, f"staff:{member.id}", "agent_changed", shop_id, staff=staff_id, changed=changed)


def _agent(row: Any) -> Agent:
    week = tuple(tuple((begin, end) for begin, end in day) for day in row.week)
    hours = Hours(row.zone, week) if any(week) else None
    return Agent(row.cap, frozenset(row.topics), frozenset(row.languages), frozenset(row.tiers), hours)


def _checked(name: str, shifts: Sequence[Shift]) -> list[list[int]]:
    last, found = 0, sorted(shifts)
    for begin, end in found:
        if not (0 <= begin < DAY_MINUTES and begin < end <= begin + DAY_MINUTES):
            raise InvalidError(name, "shift", f"{begin}-{end}")
        if begin < last:
            raise InvalidError(name, "overlap", f"{begin}-{end}")
        last = end
    return [list(shift) for shift in found]
