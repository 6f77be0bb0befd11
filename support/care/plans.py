"""Care plans: a call, a visit or a meeting for chosen customers, every so often. A plan is its tasks: who is in it has an
open one, and ending it with what was learnt makes the next.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, Text, case, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.customers import claims, customers
from store import audit
from store import staff as team
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ConflictError, InvalidError, NotFoundError
from store.staff import Member, Right, StaffRow

NAME_CHARS_MAX, LEARNT_CHARS_MAX = 80, 2_000
DAYS_MAX = 730
SOON = timedelta(days=7)
"""So far ahead tasks stand on the list."""
LISTED = 200
OPEN, DONE, SKIPPED, DROPPED = "open", "done", "skipped", "dropped"
_OPEN = text("state = 'open'")


class Way(StrEnum):
    """How the customer is met."""

    CALL = "call"
    VISIT = "visit"
    MEETING = "meeting"


class PlanRow(Base):
    __tablename__ = "care_plans"
    __table_args__ = (Index("ix_care_plans_shop", "shop_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    name: Mapped[str] = mapped_column(Text)
    way: Mapped[str] = mapped_column(Text)
    every_days: Mapped[int]
    owner_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    """Who does it; anybody of the desk may."""
    active: Mapped[bool]


class TaskRow(Base):
    __tablename__ = "care_tasks"
    __table_args__ = (
        Index(
            "ix_care_tasks_one", "plan_id", "customer_id", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN
        ),
        Index("ix_care_tasks_due", "shop_id", "due_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("ix_care_tasks_customer", "customer_id", "id"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("care_plans.id"))
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    customer_id: Mapped[int]
    due_at: Mapped[datetime] = mapped_column(UtcTime)
    state: Mapped[str] = mapped_column(Text)
    """open, done, skipped (not this time), dropped (out of the plan)."""
    learnt: Mapped[str] = mapped_column(Text)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
    ended_by: Mapped[int | None]


@dataclass(frozen=True, slots=True)
class Plan:
    """See PlanRow; `people` are in it, `due` of them are to be met by now."""

    id: int
    shop_id: int
    name: str
    way: Way
    every_days: int
    owner_id: int
    owner: str
    active: bool
    people: int
    due: int


@dataclass(frozen=True, slots=True)
class Task:
    """See TaskRow; `plan`, `owner` and `customer` are names."""

    id: int
    plan_id: int
    plan: str
    way: Way
    shop_id: int
    customer_id: int
    customer: str
    phone: str | None
    owner_id: int
    owner: str
    due_at: datetime
    state: str
    learnt: str
    ended_at: datetime | None


class TaskEndedError(ConflictError):
    """Somebody ended the task before."""

    code = "task_ended"


plans, tasks = table(PlanRow), table(TaskRow)
_staff, _people = table(StaffRow), customers.customers


# ── Plans ──────────────────────────────────────────────────────────────────────────────────────────


def add(session: Session, member: Member, shop_id: int, name: str, way: str, every_days: int, owner_id: int) -> int:
    """A new plan; its number. Raises InvalidError, ForbiddenError."""
    member.need(Right.CONSOLE, shop_id)
    values = _checked(session, shop_id, name, way, every_days, owner_id)
    number = session.execute(
        insert(plans).values(shop_id=shop_id, active=True, **values).returning(plans.c.id)
    ).scalar_one()
    audit.record(session, f"staff:{member.id}", "care_plan_added", shop_id, plan=number, **values)
    return int(number)


def change(
    session: Session, plan_id: int, member: Member, shop_id: int, name: str, way: str, every_days: int, owner_id: int,
    *, active: bool,
) -> None:  # fmt: skip
    """Change a plan; what is due already stays due. Raises NotFoundError, InvalidError, ForbiddenError."""
    member.need(Right.CONSOLE, shop_id)
    before = _held(session, plan_id, shop_id)
    values = _checked(session, shop_id, name, way, every_days, owner_id) | {"active": active}
    session.execute(update(plans).where(plans.c.id == plan_id).values(**values))
    was = {key: before[key] for key in values}
    if was != values:
        audit.record(
            session, f"staff:{member.id}", "care_plan_changed", shop_id, plan=plan_id, before=was, after=values
        )


def of_shop(session: Session, shop_id: int) -> list[Plan]:
    """A shop's plans, those in use first."""
    p, t = plans.c, tasks.c
    counts = {
        row.plan_id: (row.people, row.due)
        for row in session.execute(
            select(
                t.plan_id,
                func.count().label("people"),
                func.count(case((t.due_at <= now(session), 1))).label("due"),
            )
            .where(t.shop_id == shop_id, t.state == OPEN)
            .group_by(t.plan_id)
        )
    }
    rows = session.execute(
        select(p.id, p.shop_id, p.name, p.way, p.every_days, p.owner_id, _staff.c.name.label("owner"), p.active)
        .join(_staff, _staff.c.id == p.owner_id)
        .where(p.shop_id == shop_id)
        .order_by(p.active.desc(), p.name, p.id)
    )
    return [
        Plan(row.id, row.shop_id, row.name, Way(row.way), row.every_days, row.owner_id, row.owner, row.active,
             *(int(n) for n in counts.get(row.id, (0, 0))))
        for row in rows
    ]  # fmt: skip


def put_in(
    session: Session, plan_id: int, member: Member, shop_id: int, customer_ids: Iterable[int], first_at: datetime
) -> int:
    """Take customers into a plan, to be met first at a time; who is in it stays as they are. How many are new."""
    member.need(Right.CONSOLE, shop_id)
    _held(session, plan_id, shop_id)
    count = sum(
        _open(session, plan_id, shop_id, customers.resolve(session, number), first_at)
        for number in dict.fromkeys(customer_ids)
    )
    if count:
        audit.record(session, f"staff:{member.id}", "care_plan_joined", shop_id, plan=plan_id, n=count)
    return count


def take_out(session: Session, task_id: int, member: Member, shop_id: int) -> None:
    """Take the task's customer out of its plan. Raises NotFoundError, TaskEndedError."""
    task = _task(session, task_id, shop_id, member)
    _end(session, task.id, member, DROPPED, "")


# ── Tasks ──────────────────────────────────────────────────────────────────────────────────────────


def end(session: Session, task_id: int, member: Member, *, done: bool, learnt: str = "") -> datetime | None:
    """They were met, with what was learnt, or not this time; when the next is due, None where the plan has ended. Raises
    NotFoundError, InvalidError, TaskEndedError, ForbiddenError.
    """
    task = _task(session, task_id, None, member)
    said = learnt.replace("\x00", "").strip()
    if len(said) > LEARNT_CHARS_MAX or (done and not said):
        raise InvalidError("learnt", "length", len(said))
    _end(session, task.id, member, DONE if done else SKIPPED, said)
    plan = session.execute(select(plans).where(plans.c.id == task.plan_id)).one()
    if not plan.active:
        return None
    next_at = now(session) + timedelta(days=plan.every_days)
    _open(session, plan.id, plan.shop_id, task.customer_id, next_at)
    return next_at


def due(
    session: Session, shop_ids: Sequence[int], *, ahead: timedelta = SOON, plan_id: int | None = None
) -> list[Task]:
    """Open tasks of shops that are due, or will be soon; the oldest first."""
    where = [tasks.c.shop_id.in_(shop_ids), tasks.c.due_at <= now(session) + ahead]
    if plan_id is not None:
        where = [tasks.c.shop_id.in_(shop_ids), tasks.c.plan_id == plan_id]
    return _tasks(session, tasks.c.state == OPEN, *where, order=tasks.c.due_at)


def of_customer(session: Session, customer_id: int, shop_ids: Sequence[int]) -> list[Task]:
    """A customer's tasks at some shops, the newest first."""
    mine = (tasks.c.customer_id == customer_id, tasks.c.shop_id.in_(shop_ids), tasks.c.state != DROPPED)
    return _tasks(session, *mine, order=tasks.c.id.desc(), limit=8)


def late(session: Session, shop_id: int) -> int:
    """How many of a shop's tasks are due by now."""
    t = tasks.c
    return int(
        session.execute(
            select(func.count()).where(t.shop_id == shop_id, t.state == OPEN, t.due_at <= now(session))
        ).scalar_one()
    )


# ── A customer's rights ────────────────────────────────────────────────────────────────────────────


def record(session: Session, customer_id: int) -> list[dict[str, Any]]:
    """How a customer was cared for, for their own copy."""
    t = tasks.c
    rows = session.execute(
        select(plans.c.way, t.ended_at, t.learnt)
        .join(plans, plans.c.id == t.plan_id)
        .where(t.customer_id == customer_id, t.state == DONE)
        .order_by(t.id)
    )
    return [{"way": row.way, "at": row.ended_at.isoformat(), "learnt": row.learnt} for row in rows]


def forget(session: Session, customer_ids: Sequence[int]) -> None:
    """Take what was learnt of customers away, and them out of every plan."""
    mine = tasks.c.customer_id.in_(customer_ids)
    session.execute(update(tasks).where(mine).values(learnt=""))
    session.execute(update(tasks).where(mine, tasks.c.state == OPEN).values(state=DROPPED, ended_at=now(session)))


def move(session: Session, from_id: int, to_id: int) -> None:
    """In a merge tasks go along; of two in one plan the account's own stays."""
    t = tasks.c
    own = select(t.plan_id).where(t.customer_id == to_id, t.state == OPEN)
    session.execute(
        update(tasks)
        .where(t.customer_id == from_id, t.state == OPEN, t.plan_id.in_(own.scalar_subquery()))
        .values(state=DROPPED, ended_at=now(session))
    )
    session.execute(update(tasks).where(t.customer_id == from_id).values(customer_id=to_id))


# ── Inside ─────────────────────────────────────────────────────────────────────────────────────────


def _open(session: Session, plan_id: int, shop_id: int, customer_id: int, due_at: datetime) -> int:
    values = {"plan_id": plan_id, "shop_id": shop_id, "customer_id": customer_id, "due_at": due_at}
    try:
        with session.begin_nested():
            session.execute(insert(tasks).values(**values, state=OPEN, learnt=""))
    except IntegrityError:
        # They are in it already.
        return 0
    return 1


def _end(session: Session, task_id: int, member: Member, state: str, learnt: str) -> None:
    ended = session.execute(
        update(tasks)
        .where(tasks.c.id == task_id, tasks.c.state == OPEN)
        .values(state=state, learnt=learnt, ended_at=now(session), ended_by=member.id)
        .returning(tasks.c.id)
    ).first()
    if ended is None:
        raise TaskEndedError("task")


def _task(session: Session, task_id: int, shop_id: int | None, member: Member) -> Any:
    row = session.execute(select(tasks).where(tasks.c.id == task_id).with_for_update()).first()
    if row is None or shop_id not in {None, row.shop_id} or not _sees(member, row.shop_id):
        raise NotFoundError("task", task_id)
    if row.state != OPEN:
        raise TaskEndedError(row.state)
    return row


def _sees(member: Member, shop_id: int) -> bool:
    return member.may(Right.DESK, shop_id) or member.may(Right.CONSOLE, shop_id)


def _tasks(session: Session, *where: Any, order: Any, limit: int = LISTED) -> list[Task]:
    t, p, c = tasks.c, plans.c, _people.c
    rows = session.execute(
        select(
            t.id, t.plan_id, p.name.label("plan"), p.way, t.shop_id, t.customer_id, c.name.label("customer"), c.phone,
            p.owner_id, _staff.c.name.label("owner"), t.due_at, t.state, t.learnt, t.ended_at,
        )
        .join(plans, p.id == t.plan_id)
        .join(_staff, _staff.c.id == p.owner_id)
        .join(_people, c.id == t.customer_id)
        .where(*where)
        .order_by(order)
        .limit(limit)
    )  # fmt: skip
    return [Task(**{**row, "way": Way(row["way"])}) for row in rows.mappings()]


def _held(session: Session, plan_id: int, shop_id: int) -> Any:
    row = (
        session.execute(select(plans).where(plans.c.id == plan_id, plans.c.shop_id == shop_id).with_for_update())
        .mappings()
        .first()
    )
    if row is None:
        raise NotFoundError("care plan", plan_id)
    return row


def _checked(session: Session, shop_id: int, name: str, way: str, every_days: int, owner_id: int) -> dict[str, Any]:
    said = " ".join(name.replace("\x00", "").split())
    if not 0 < len(said) <= NAME_CHARS_MAX:
        raise InvalidError("name", "length", len(said))
    if way not in set(Way):
        raise InvalidError("way", "unknown", way[:20])
    if not 1 <= every_days <= DAYS_MAX:
        raise InvalidError("every_days", "range", every_days)
    if not any(one.id == owner_id and _sees(one, shop_id) for one in team.every(session)):
        raise InvalidError("owner", "unknown", owner_id)
    return {"name": said, "way": way, "every_days": every_days, "owner_id": owner_id}


claims.MOVES.append(move)
