"""Clocks: a ticket's deadlines, one row each for the first answer, the next one and the solution.

A clock stands still while the customer is waited for and goes on when the ticket is the shop's again, reopened ones too. When
it rings is a column (`rings_at`): first the warning, then the deadline itself. It keeps the version of the policy and the
calendar it was started by; a new priority takes the newest policy, a new calendar is followed by `recount_due`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    Text,
    UniqueConstraint,
    and_,
    bindparam,
    delete,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.customers.customers import customers
from store import events
from store.base import MICROSECOND, Base, BigId, UtcTime, table
from store.clock import now
from store.prepared import Prepared
from store.staff import StaffRow
from support import tickets
from support.deadlines import alerts, calendars, escalations, policies
from support.deadlines.calculator import Hours, Timer
from support.deadlines.policies import FIRST, NEXT, RESOLUTION
from support.tickets import State, Ticket

BATCH = 50
RUNNING, PAUSED, MET, LATE, STOPPED = "running", "paused", "met", "late", "stopped"
ENDED = (State.RESOLVED, State.CLOSED)


class ClockRow(Base):
    __tablename__ = "sla_clocks"
    __table_args__ = (
        Index(
            "ix_sla_clocks_rings", "rings_at",
            sqlite_where=text("rings_at IS NOT NULL"), postgresql_where=text("rings_at IS NOT NULL"),
        ),
        Index("ix_sla_clocks_ticket", "ticket_id", "id"),
        Index("ix_sla_clocks_shop", "shop_id", "state", "calendar_id"),
        UniqueConstraint("ticket_id", "kind", "number"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    kind: Mapped[str] = mapped_column(Text)
    """first, next, resolution."""
    number: Mapped[int]
    """Which of its kind: there are many next answers."""
    state: Mapped[str] = mapped_column(Text)
    """running, paused, met, late, stopped (it doesn't matter any more: closed without an answer, merged)."""
    policy_id: Mapped[int | None] = mapped_column(ForeignKey("sla_policies.id"))
    calendar_id: Mapped[int] = mapped_column(ForeignKey("calendars.id"))
    tier_id: Mapped[int | None]
    """The customer's when the ticket came in."""
    allowance: Mapped[int | None] = mapped_column(BigInteger)
    """Open microseconds it may take; empty: no deadline, only a measure."""
    spent: Mapped[int] = mapped_column(BigInteger)
    """Open microseconds it had taken by `since`, or all it took."""
    started_at: Mapped[datetime] = mapped_column(UtcTime)
    since: Mapped[datetime | None] = mapped_column(UtcTime)
    due_at: Mapped[datetime | None] = mapped_column(UtcTime)
    rings_at: Mapped[datetime | None] = mapped_column(UtcTime)
    warned_at: Mapped[datetime | None] = mapped_column(UtcTime)
    breached_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """The deadline that passed."""
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock as rules give it out; see ClockRow."""

    id: int
    ticket_id: int
    shop_id: int
    kind: str
    number: int
    state: str
    policy_id: int | None
    calendar_id: int
    tier_id: int | None
    allowance: int | None
    spent: int
    started_at: datetime
    since: datetime | None
    due_at: datetime | None
    rings_at: datetime | None
    warned_at: datetime | None
    breached_at: datetime | None
    ended_at: datetime | None

    @property
    def timer(self) -> Timer:
        """Its arithmetic."""
        allowance = None if self.allowance is None else self.allowance * MICROSECOND
        return Timer(allowance, self.spent * MICROSECOND, self.since)


@dataclass(frozen=True, slots=True)
class Pressing:
    """What a ticket hurries for: `missed` once it has passed, `warned` when most of its time was gone. `escalation_id` can
    be acknowledged, `acked_by` (a name) sees to it.
    """

    kind: str
    due_at: datetime
    missed: bool
    warned: bool
    escalation_id: int | None
    level: int
    acked_by: str | None


clocks = table(ClockRow)
_staff = table(StaffRow)
_FIELDS = tuple(clocks.c[name] for name in Clock.__dataclass_fields__)
_of_ticket = clocks.c.ticket_id == bindparam("ticket")
_ANSWER_BY = Prepared(
    select(clocks.c.due_at)
    .join(policies.policies, policies.policies.c.id == clocks.c.policy_id)
    .where(_of_ticket, clocks.c.kind == FIRST, clocks.c.state == RUNNING, policies.policies.c.told)
)
_BEGIN = Prepared(insert(clocks))
_TIER = Prepared(select(customers.c.tier_id).where(customers.c.id == bindparam("customer")))


def of(session: Session, ticket_ids: Sequence[int]) -> list[Clock]:
    """The clocks of some tickets, the oldest first."""
    rows = session.execute(select(*_FIELDS).where(clocks.c.ticket_id.in_(ticket_ids)).order_by(clocks.c.id))
    return [Clock(*row) for row in rows]


def pressing(session: Session, ticket_ids: Sequence[int]) -> dict[int, Pressing]:
    """The deadline of each ticket that comes first, or passed first."""
    c, e = clocks.c, escalations.escalations.c
    rows = session.execute(
        select(c.ticket_id, c.kind, c.due_at, c.breached_at, c.warned_at, e.id, e.level, _staff.c.name)
        .outerjoin(
            escalations.escalations, and_(e.cause == c.kind, e.subject_id == c.id, e.ended_at.is_(None))
        )
        .outerjoin(_staff, _staff.c.id == e.acked_by)
        .where(c.ticket_id.in_(ticket_ids), c.state == RUNNING, c.due_at.is_not(None))
        .order_by(c.due_at.desc())
    )  # fmt: skip
    return {
        row[0]: Pressing(row[1], row[3] or row[2], row[3] is not None, row[4] is not None, row[5], row[6] or 0, row[7])
        for row in rows
    }


def answer_by(session: Session, ticket_id: int) -> datetime | None:
    """By when its customer may be told that they have a first answer; None where the shop doesn't say so."""
    return next((due_at for (due_at,) in _ANSWER_BY(session, ticket=ticket_id)), None)


# ── What happens to a ticket ───────────────────────────────────────────────────────────────────────


def opened(session: Session, ticket: Ticket) -> None:
    """A ticket came in: its first answer and its solution are waited for from now on."""
    _begin(session, ticket, (FIRST, RESOLUTION))


def customer_said(session: Session, ticket: Ticket, message_id: int, text: str) -> None:  # noqa: ARG001  # a hook
    """The customer wrote again after an answer: the next one is waited for, since the first word that has none."""
    if ticket.first_response_at is None:
        return
    known = [clock for clock in of(session, [ticket.id]) if clock.kind == NEXT]
    if not any(clock.state in {RUNNING, PAUSED} for clock in known):
        _begin(session, ticket, (NEXT,), number=len(known) + 1)


def agent_said(session: Session, ticket: Ticket, message_id: int, staff_id: int) -> None:  # noqa: ARG001  # a hook
    """The customer was answered."""
    for clock in of(session, [ticket.id]):
        if clock.kind in {FIRST, NEXT} and clock.state in {RUNNING, PAUSED}:
            _end(session, clock)


def state_changed(session: Session, ticket: Ticket, before: str, by: int | None) -> None:  # noqa: ARG001  # a hook
    """Stand still while the customer is waited for, end with the ticket, go on when it is reopened."""
    for clock in of(session, [ticket.id]):
        if ticket.state in ENDED:
            if clock.state in {RUNNING, PAUSED}:
                _end(session, clock, stopped=clock.kind != RESOLUTION or ticket.merged_into is not None)
        elif ticket.state == State.WAITING:
            if clock.state == RUNNING:
                timer = clock.timer.stop(_hours(session, clock), now(session))
                _write(session, clock, PAUSED, timer, breached_at=_breached(session, clock))
        elif clock.state == PAUSED or (before in ENDED and _goes_on(clock)):
            _write(session, clock, RUNNING, clock.timer.start(now(session)), ended_at=None)


def priority_changed(session: Session, ticket: Ticket, before: str, by: int | None) -> None:  # noqa: ARG001  # a hook
    """Another priority: what the newest policy allows it, for the time already taken too. A deadline that passed and
    lies ahead again was not missed.
    """
    policy = policies.current(session, ticket.shop_id)
    at = now(session)
    for each in of(session, [ticket.id]):
        clock = each
        if clock.state not in {RUNNING, PAUSED}:
            continue
        timer = clock.timer.allow(policy.allowance(clock.kind, ticket.priority, clock.tier_id))
        taken = timer.taken(_hours(session, clock), at)
        again = timer.allowance is None or taken < timer.allowance
        if again and clock.breached_at is not None:
            escalations.end(session, clock.kind, clock.id)
        if again:
            clock = replace(clock, breached_at=None, warned_at=None)
        _write(
            session, replace(clock, policy_id=policy.id), clock.state, timer, policy_id=policy.id,
            breached_at=clock.breached_at, warned_at=clock.warned_at,
        )  # fmt: skip


def merged(session: Session, ticket: Ticket, gone: Ticket) -> None:
    """`gone` is a part of `ticket`, and closed: its clocks never ring again. Where an answer was waited for in it, it is
    waited for in `ticket`, with the time already taken.
    """
    unanswered = [clock for clock in of(session, [gone.id]) if clock.kind in {FIRST, NEXT} and clock.state == STOPPED]
    own = of(session, [ticket.id])
    waits = any(clock.kind in {FIRST, NEXT} and clock.state in {RUNNING, PAUSED} for clock in own)
    # What was solved before it was merged waits for nothing.
    if not unanswered or gone.resolved_at is not None or ticket.state in ENDED or waits:
        return
    number = 1 + sum(clock.kind == NEXT for clock in own)
    _begin(session, ticket, (NEXT,), number=number, spent=unanswered[-1].timer.spent)


# ── What is due ────────────────────────────────────────────────────────────────────────────────────


def ring_due(session: Session) -> int:
    """Warn of deadlines that come near, and say which have passed; how many rang."""
    c = clocks.c
    rows = session.execute(
        select(c.ticket_id, c.shop_id).where(c.rings_at <= now(session)).order_by(c.rings_at).limit(BATCH)
    ).all()
    rang = 0
    for ticket_id in dict.fromkeys(row.ticket_id for row in sorted(rows, key=lambda row: row.shop_id)):
        ticket = tickets.hold(session, ticket_id)
        for clock in of(session, [ticket_id]):
            if clock.rings_at is not None and clock.rings_at <= now(session):
                _ring(session, ticket, clock)
                rang += 1
    return rang


def recount_due(session: Session) -> int:
    """Let running clocks follow their shop's new calendar, a batch at a time; how many did."""
    r, c = calendars.recounts.c, clocks.c
    shop_id = session.execute(select(r.shop_id).limit(1).with_for_update(skip_locked=True)).scalar()
    if shop_id is None:
        return 0
    newest = calendars.latest(session, shop_id)
    assert newest is not None
    rows = session.execute(
        select(c.ticket_id)
        .where(c.shop_id == shop_id, c.state.in_((RUNNING, PAUSED)), c.calendar_id != newest[0])
        .distinct()
        .limit(BATCH)
    ).scalars().all()  # fmt: skip
    if not rows:
        session.execute(delete(calendars.recounts).where(r.shop_id == shop_id))
    for ticket_id in rows:
        tickets.hold(session, ticket_id)
        for clock in of(session, [ticket_id]):
            if clock.state in {RUNNING, PAUSED} and clock.calendar_id != newest[0]:
                timer = clock.timer.move(_hours(session, clock), newest[1], now(session))
                _write(session, replace(clock, calendar_id=newest[0]), clock.state, timer, calendar_id=newest[0])
    return len(rows)


def _ring(session: Session, ticket: Ticket, clock: Clock) -> None:
    at = now(session)
    assert clock.due_at is not None
    if at < clock.due_at:
        session.execute(update(clocks).where(clocks.c.id == clock.id).values(warned_at=at, rings_at=clock.due_at))
        for person in alerts.people(session, ticket, policies.ASSIGNEE):
            alerts.alert(session, person, "sla_warning", ticket, clock.kind, clock.id, due_at=clock.due_at)
        return
    session.execute(update(clocks).where(clocks.c.id == clock.id).values(breached_at=clock.due_at, rings_at=None))
    tickets.log(session, ticket, "deadline_missed", None, cause=clock.kind)
    events.happened(
        session, "deadline_missed", customer_id=ticket.customer_id, shop_id=ticket.shop_id, ticket=ticket.id,
        cause=clock.kind,
    )  # fmt: skip
    policy = policies.version(session, clock.policy_id)
    escalations.begin(session, ticket, clock.kind, clock.id, clock.due_at, policy)


# ── Inside ─────────────────────────────────────────────────────────────────────────────────────────


def _begin(
    session: Session, ticket: Ticket, kinds: Sequence[str], number: int = 1, spent: timedelta = timedelta()
) -> None:
    calendar = calendars.latest(session, ticket.shop_id)
    if calendar is None:
        return
    policy = policies.current(session, ticket.shop_id)
    if not policy.on:
        return
    at = now(session)
    [(tier_id,)] = _TIER(session, customer=ticket.customer_id)
    for kind in kinds:
        timer = Timer(policy.allowance(kind, ticket.priority, tier_id), spent).start(at)
        _BEGIN(
            session, ticket_id=ticket.id, shop_id=ticket.shop_id, kind=kind, number=number, state=RUNNING,
            policy_id=policy.id, calendar_id=calendar[0], tier_id=tier_id, started_at=at,
            due_at=timer.due(calendar[1]), rings_at=timer.due(calendar[1], policy.warn_percent), **_columns(timer),
        )  # fmt: skip


def _write(session: Session, clock: Clock, state: str, timer: Timer, **values: Any) -> None:
    """Set a clock anew: what it is due, and when it rings next."""
    hours = _hours(session, clock)
    due_at = timer.due(hours)
    rings_at = due_at if clock.breached_at is None else None
    if rings_at is not None and clock.warned_at is None:
        rings_at = timer.due(hours, policies.version(session, clock.policy_id).warn_percent)
    session.execute(
        update(clocks)
        .where(clocks.c.id == clock.id)
        .values(state=state, due_at=due_at, rings_at=rings_at, **_columns(timer), **values)
    )


def _end(session: Session, clock: Clock, *, stopped: bool = False) -> None:
    """Let a clock be over: met, late, or it doesn't matter any more."""
    at = now(session)
    timer = clock.timer.stop(_hours(session, clock), at)
    breached_at = _breached(session, clock)
    session.execute(
        update(clocks)
        .where(clocks.c.id == clock.id)
        .values(
            state=STOPPED if stopped else LATE if breached_at else MET, ended_at=at, rings_at=None,
            breached_at=breached_at, **_columns(timer),
        )
    )  # fmt: skip
    # Only of one that has rung is there anything to be told, or to climb.
    if clock.warned_at is not None or clock.breached_at is not None:
        escalations.end(session, clock.kind, clock.id)


def _breached(session: Session, clock: Clock) -> datetime | None:
    """The deadline that has passed, also where the clock had no time to ring; the very moment of it is in time."""
    passed = clock.due_at is not None and clock.due_at < now(session)
    return clock.breached_at or (clock.due_at if passed else None)


def _goes_on(clock: Clock) -> bool:
    """Whether a clock that ended with its ticket goes on when that is reopened: no answer that was given does."""
    return clock.kind == RESOLUTION or clock.state == STOPPED


def _columns(timer: Timer) -> dict[str, Any]:
    return {
        "allowance": None if timer.allowance is None else timer.allowance // MICROSECOND,
        "spent": timer.spent // MICROSECOND, "since": timer.since,
    }  # fmt: skip


def _hours(session: Session, clock: Clock) -> Hours:
    return calendars.version(session, clock.calendar_id)
