"""Presence: who of the team is there for customers. An open desk says so by its heartbeat, a person by being here or away.

It stands in the store, so every replica sees the same; and it ends by itself, with a due row that the clock takes.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ForeignKey, Index, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, UtcTime, table
from store.clock import now
from store.staff import Member
from support import turns
from support.routing import agents, teams, wakes
from support.routing.agents import Agent
from support.routing.decision import Status
from support.tickets import Ticket

LASTS = timedelta(seconds=60)
"""How long a heartbeat holds; an open desk gives one every 20 s."""
GRACE = timedelta(minutes=5)
"""How long the work of somebody who has gone offline stays with them: a closed lid or a lost network isn't an end."""
ANSWER_LASTS = timedelta(minutes=15)
"""How long an answer from elsewhere than an open desk shows that somebody is there."""
SAID_LASTS = timedelta(hours=4)
"""How long the word "here" holds without an open desk."""
AWAY_ENDS = timedelta(minutes=30)
"""Who was away and offline for longer is here again when they open the desk."""
TURN = "routing"
"""Under this name (support.turns) decisions stand one after the other, whichever desk they are for: colleagues work at several.
Taken after the desk's turn."""


class PresenceRow(Base):
    __tablename__ = "desk_presence"
    __table_args__ = (
        Index(
            "ix_desk_presence_leave_at", "leave_at",
            sqlite_where=text("leave_at IS NOT NULL"), postgresql_where=text("leave_at IS NOT NULL"),
        ),
    )  # fmt: skip

    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), primary_key=True, autoincrement=False)
    until: Mapped[datetime] = mapped_column(UtcTime)
    """How long they are known to be there."""
    desk_until: Mapped[datetime | None] = mapped_column(UtcTime)
    """How long their desk is known to be open before them."""
    away: Mapped[bool]
    here: Mapped[bool]
    """Whether they took work at the last look."""
    leave_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """When their unanswered work moves on, unless they are there then."""
    given_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """When the router last gave them something."""


@dataclass(frozen=True, slots=True)
class Presence:
    """How it stands with somebody; see PresenceRow."""

    until: datetime
    away: bool
    here: bool
    leave_at: datetime | None
    given_at: datetime | None

    def status(self, agent: Agent, at: datetime) -> Status:
        if self.until <= at:
            return Status.OFFLINE
        if self.away:
            return Status.AWAY
        return Status.HERE if agent.in_shift(at) else Status.OFF_SHIFT


presences = table(PresenceRow)
_FIELDS = tuple(presences.c[name] for name in Presence.__dataclass_fields__)


def of(session: Session, staff_ids: Collection[int]) -> dict[int, Presence]:
    """How it stands with colleagues, by their number; nothing of those who were never there."""
    rows = session.execute(select(presences.c.staff_id, *_FIELDS).where(presences.c.staff_id.in_(staff_ids)))
    return {row[0]: Presence(*row[1:]) for row in rows}


def status(session: Session, staff_id: int) -> Status:
    """Whether a colleague is there."""
    found = of(session, [staff_id]).get(staff_id)
    return found.status(agents.of(session, [staff_id])[staff_id], now(session)) if found else Status.OFFLINE


# ── What tells it ──────────────────────────────────────────────────────────────────────────────────


def alive(session: Session, member: Member) -> None:
    """The heartbeat of an open desk. Nothing where no shop has a team."""
    if teams.anywhere(session):
        _renew(session, member.id, LASTS)
        _write(session, member.id, desk_until=now(session) + LASTS)


def come(session: Session, member: Member, lasts: timedelta = LASTS) -> None:
    """The member says they are here, for so long without another sign: an open desk's heartbeat goes on from there, a
    messenger's /here holds for SAID_LASTS.
    """
    _renew(session, member.id, lasts, away=False)


def go(session: Session, member: Member) -> None:
    """The member says they are away: no new work, and what waits for an answer moves on (not what they are writing)."""
    turns.take(session, TURN)
    at, before = now(session), _held(session, member.id)
    if before is None:
        _insert(session, member.id, Presence(at, away=True, here=False, leave_at=at, given_at=None))
    elif not before.away:
        _write(session, member.id, until=max(before.until, at + LASTS), away=True, here=False, leave_at=at)


def gone(session: Session, staff_id: int) -> None:
    """Somebody was let go: all that waits for an answer of theirs moves on."""
    turns.take(session, TURN)
    at = now(session)
    if _held(session, staff_id) is None:
        _insert(session, staff_id, Presence(at, away=True, here=False, leave_at=at, given_at=None))
    else:
        _write(session, staff_id, until=at, here=False, leave_at=at)


def acted(session: Session, staff_id: int) -> None:
    """Who takes or answers a ticket is at it, from wherever they do it: without an open desk they are here for a while, and
    who is away or off their shift keeps their tickets for that long.
    """
    if not teams.anywhere(session):
        return
    at, agent = now(session), agents.of(session, [staff_id])[staff_id]
    known = of(session, [staff_id]).get(staff_id)
    if known is None or known.until <= at:
        _renew(session, staff_id, ANSWER_LASTS)
        known = of(session, [staff_id])[staff_id]
    if known.status(agent, at) is not Status.HERE:
        _write(session, staff_id, leave_at=at + ANSWER_LASTS)


def agent_said(session: Session, _ticket: Ticket, _message_id: int, staff_id: int) -> None:
    """An agent answered (support.hooks.AGENT_SAID)."""
    acted(session, staff_id)


# ── What the router asks and tells ─────────────────────────────────────────────────────────────────


def given(session: Session, staff_id: int) -> None:
    """The router gave somebody work."""
    _write(session, staff_id, given_at=now(session))


def first_to_leave(session: Session) -> tuple[int, datetime] | None:
    """Whose time to leave has come first, and which time that is. Who is there after all (a shift or the heartbeat went on)
    is put down anew.
    """
    at, p = now(session), presences.c
    while True:
        row = session.execute(
            select(p.staff_id, *_FIELDS).where(p.leave_at <= at).order_by(p.leave_at, p.staff_id).limit(1)
        ).first()
        if row is None:
            return None
        found, agent = Presence(*row[1:]), agents.of(session, [row.staff_id])[row.staff_id]
        if found.status(agent, at) is not Status.HERE:
            return row.staff_id, row.leave_at
        left(session, row.staff_id, row.leave_at, _leaves(found.until, agent, at), here=True)


def left(
    session: Session, staff_id: int, leave_at: datetime, again_at: datetime | None = None, *, here: bool = False
) -> None:
    """Nothing of theirs is to be moved any more, or not before `again_at`; unless another time has been set meanwhile."""
    session.execute(
        update(presences)
        .where(presences.c.staff_id == staff_id, presences.c.leave_at == leave_at)
        .values(here=here, leave_at=again_at)
    )


# ── Inside ─────────────────────────────────────────────────────────────────────────────────────────


def _renew(session: Session, staff_id: int, lasts: timedelta, *, away: bool | None = None) -> None:
    at = now(session)
    before, agent = _held(session, staff_id), agents.of(session, [staff_id])[staff_id]
    if before is None:
        fresh = Presence(at + lasts, away=False, here=False, leave_at=None, given_at=None)
        if not _insert(session, staff_id, fresh):
            return
        before = Presence(at, away=False, here=False, leave_at=None, given_at=None)
    if away is None:
        away = before.away and before.until > at - AWAY_ENDS
    until = max(before.until, at + lasts)
    here = not away and agent.in_shift(at)
    values: dict[str, Any] = {"until": until, "away": away, "here": here}
    if here:
        values["leave_at"] = _leaves(until, agent, at)
    _write(session, staff_id, **values)
    if here and (not before.here or before.status(agent, at) is not Status.HERE):
        wakes.desks_of(session, staff_id)


def _leaves(until: datetime, agent: Agent, at: datetime) -> datetime:
    """When the work of somebody who is here moves on: their time is over, or they are gone for long enough."""
    ends = agent.shift_ends(at)
    return min(until + GRACE, ends) if ends else until + GRACE


def _held(session: Session, staff_id: int) -> Presence | None:
    row = session.execute(select(*_FIELDS).where(presences.c.staff_id == staff_id).with_for_update()).first()
    return Presence(*row) if row else None


def _insert(session: Session, staff_id: int, found: Presence) -> bool:
    """Whether it is the first row of theirs; another window may have been quicker."""
    values = {name: getattr(found, name) for name in Presence.__dataclass_fields__}
    try:
        with session.begin_nested():
            session.execute(insert(presences).values(staff_id=staff_id, **values))
    except IntegrityError:
        return False
    return True


def _write(session: Session, staff_id: int, **values: Any) -> None:
    session.execute(update(presences).where(presences.c.staff_id == staff_id).values(**values))
