"""Tasks: what a journey asks a person of the team to do for a customer. Open until somebody says it is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, Index, Text, delete, func, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.customers.customers import customers
from loyalty.outreach.journeys.journeys import journeys
from store import audit, events
from store.base import Base, BigId, UtcTime, table, upsert
from store.clock import now
from store.errors import NotFoundError

SHOWN = 200


class TaskRow(Base):
    __tablename__ = "journey_tasks"
    __table_args__ = (
        Index(
            "ix_journey_tasks_open", "shop_id", "id",
            sqlite_where=text("done_at IS NULL"), postgresql_where=text("done_at IS NULL"),
        ),
        Index("ix_journey_tasks_customer", "customer_id"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    journey_id: Mapped[int]
    customer_id: Mapped[int] = mapped_column(BigId, autoincrement=False)
    key: Mapped[str] = mapped_column(Text, unique=True)
    """The step of the run that asked for it."""
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcTime)
    done_by: Mapped[str | None] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class Task:
    """A task as the team sees it: for whom, by which journey; see TaskRow."""

    id: int
    customer_id: int
    customer: str
    phone: str | None
    journey: str
    text: str
    at: datetime
    done_at: datetime | None


tasks = table(TaskRow)


def add(session: Session, shop_id: int, journey_id: int, customer_id: int, words: str, key: str) -> None:
    """Ask for something; the same key asks once."""
    values = {
        "shop_id": shop_id,
        "journey_id": journey_id,
        "customer_id": customer_id,
        "text": words,
        "at": now(session),
    }
    made = session.execute(
        upsert(session, tasks).values(key=key, **values).on_conflict_do_nothing().returning(tasks.c.id)
    ).scalar()
    if made is not None:
        events.happened(
            session, "journey_task", customer_id=customer_id, shop_id=shop_id, journey=journey_id, task=made, text=words
        )


def waiting(session: Session, shop_id: int) -> int:
    """How many are open."""
    t = tasks.c
    return session.execute(select(func.count()).where(t.shop_id == shop_id, t.done_at.is_(None))).scalar_one()


def of_shop(session: Session, shop_id: int, *, done: bool = False, limit: int = SHOWN) -> list[Task]:
    """A shop's open tasks, the oldest first; or those done, the newest first."""
    t, c, j = tasks.c, customers.c, journeys.c
    rows = session.execute(
        select(t.id, t.customer_id, c.name, c.phone, j.name.label("journey"), t.text, t.at, t.done_at)
        .join(customers, c.id == t.customer_id)
        .join(journeys, j.id == t.journey_id)
        .where(t.shop_id == shop_id, t.done_at.is_not(None) if done else t.done_at.is_(None))
        .order_by(*((t.done_at.desc(), t.id.desc()) if done else (t.id,)))
        .limit(limit)
    )
    return [Task(*row) for row in rows]


def settle(session: Session, task_id: int, shop_id: int, actor: str, *, done: bool) -> None:
    """Say that a task is done, or that it isn't after all. Raises NotFoundError."""
    t = tasks.c
    row = session.execute(select(t.done_at).where(t.id == task_id, t.shop_id == shop_id).with_for_update()).first()
    if row is None:
        raise NotFoundError("task", task_id)
    if (row.done_at is not None) == done:
        return
    values = {"done_at": now(session), "done_by": actor} if done else {"done_at": None, "done_by": None}
    session.execute(update(tasks).where(t.id == task_id).values(**values))
    audit.record(session, actor, "journey_task_settled", shop_id, task=task_id, changed={"done": [not done, done]})


def move(session: Session, from_id: int, to_id: int) -> None:
    """In a merge they go along."""
    session.execute(update(tasks).where(tasks.c.customer_id == from_id).values(customer_id=to_id))


def forget(session: Session, numbers: Sequence[int]) -> None:
    """Take out what was asked for customers: nobody does anything for them any more."""
    session.execute(delete(tasks).where(tasks.c.customer_id.in_(numbers)))
