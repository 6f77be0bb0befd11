"""Thank-you cards: a task for the team to write or photograph a personal note, which the bot then brings as a picture.

A task comes by a rule (a tier was reached, the n-th order) or by hand. It is done or skipped once, and so is its card sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, Text, delete, func, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.customers import customers
from loyalty.recognition.visits import Visit
from loyalty.tiers import tiers
from store import events, notices, shops
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ConflictError, InvalidError, NotFoundError
from store.outbox import Ended
from store.signals import signal

NOTE_CHARS_MAX = 400
HINT_CHARS_MAX = 200
N_MAX = 100_000
TOPIC = "thanks"
RULE = "thank_card"
"""What an outbox row names to have the end of its sending written here."""


class Why(StrEnum):
    TIER = "tier"
    ORDERS = "orders"
    HAND = "hand"


class TaskState(StrEnum):
    OPEN = "open"
    DONE = "done"
    SKIPPED = "skipped"


class ThankRuleRow(Base):
    """When a task comes by itself: a tier was reached (`n` its number), or the n-th order."""

    __tablename__ = "thank_rules"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"), index=True)
    why: Mapped[str] = mapped_column(Text)
    n: Mapped[int]
    hint: Mapped[str] = mapped_column(Text)
    """For the team: "Tell them what we love about them"."""
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class ThankTaskRow(Base):
    __tablename__ = "thank_tasks"
    __table_args__ = (Index("ix_thank_tasks_shop", "shop_id", "state", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    why: Mapped[str] = mapped_column(Text)
    n: Mapped[int]
    hint: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcTime)
    note: Mapped[str] = mapped_column(Text)
    picture: Mapped[str | None] = mapped_column(Text)
    """Address of the card in `media`."""
    actor: Mapped[str | None] = mapped_column(Text)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
    sent: Mapped[str | None] = mapped_column(Text)
    """How the sending ended: sent, failed, unknown, or why nobody could be told."""


@dataclass(frozen=True, slots=True)
class ThankRule:
    """A rule as rules give it out; see ThankRuleRow."""

    id: int
    shop_id: int
    why: str
    n: int
    hint: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Task:
    """A task as rules give it out; see ThankTaskRow."""

    id: int
    shop_id: int
    customer_id: int
    why: str
    n: int
    hint: str
    state: str
    at: datetime
    note: str
    picture: str | None
    actor: str | None
    ended_at: datetime | None
    sent: str | None


class TaskEndedError(ConflictError):
    """The task was done or skipped before."""

    code = "task_ended"


rules = table(ThankRuleRow)
tasks = table(ThankTaskRow)
_RULE = tuple(rules.c[name] for name in ThankRule.__dataclass_fields__)
_FIELDS = tuple(tasks.c[name] for name in Task.__dataclass_fields__)


# ── Rules ───────────────────────────────────────────────────────────────────────────────────────────


def add_rule(session: Session, shop_id: int, why: Why, n: int, hint: str = "") -> ThankRule:
    """Have tasks come by themselves from now on. Raises InvalidError("why", "n", "hint")."""
    if why is Why.HAND:
        raise InvalidError("why", "unknown", why)
    known = {tier.id for tier in tiers.every(session)}
    if (why is Why.TIER and n not in known) or not 1 <= n <= N_MAX:
        raise InvalidError("n", "range", n)
    row = session.execute(
        insert(rules)
        .values(shop_id=shop_id, why=why.value, n=n, hint=_hint(hint), created_at=now(session))
        .returning(*_RULE)
    ).one()
    return ThankRule(*row)


def remove_rule(session: Session, rule_id: int, shop_id: int) -> ThankRule:
    """Take a rule away; tasks that came by it stay. Raises NotFoundError."""
    row = session.execute(
        delete(rules).where(rules.c.id == rule_id, rules.c.shop_id == shop_id).returning(*_RULE)
    ).first()
    if row is None:
        raise NotFoundError("rule", rule_id)
    return ThankRule(*row)


def rules_of(session: Session, shop_id: int) -> list[ThankRule]:
    """A shop's rules, oldest first."""
    return [
        ThankRule(*row)
        for row in session.execute(select(*_RULE).where(rules.c.shop_id == shop_id).order_by(rules.c.id))
    ]


def _hint(hint: str) -> str:
    if len(hint) > HINT_CHARS_MAX:
        raise InvalidError("hint", "length", hint)
    return hint.strip()


def order_settled(session: Session, shop_id: int, customer_id: int, history: Sequence[Visit], order_id: int) -> None:
    """Make the tasks that an order is the reason for; each rule makes one for a customer."""
    for rule in rules_of(session, shop_id):
        if rule.why == Why.ORDERS:
            due = len(history) == rule.n and any(visit.order_id == order_id for visit in history)
        else:
            due = _reached(session, customer_id, rule)
        if due:
            _add(session, shop_id, customer_id, f"rule:{rule.id}:{customer_id}", Why(rule.why), rule.n, rule.hint)


def _reached(session: Session, customer_id: int, rule: ThankRule) -> bool:
    """Whether they are on the rule's tier, and came to it since the rule is there."""
    on = session.execute(
        select(customers.customers.c.tier_id).where(customers.customers.c.id == customer_id)
    ).scalar_one()
    changes = table(tiers.TierChange)
    since = select(changes.c.id).where(
        changes.c.customer_id == customer_id, changes.c.to_id == rule.n, changes.c.at >= rule.created_at
    )
    return on == rule.n and session.execute(since.limit(1)).first() is not None


# ── Tasks ───────────────────────────────────────────────────────────────────────────────────────────


def add(session: Session, shop_id: int, customer_id: int, hint: str, *, key: str) -> Task:
    """A task by hand; the same key makes one. Raises InvalidError("hint"), NotFoundError (customer)."""
    owner = customers.resolve(session, customer_id)
    _add(session, shop_id, owner, f"hand:{key}", Why.HAND, 0, _hint(hint))
    row = session.execute(select(*_FIELDS).where(tasks.c.key == f"hand:{key}")).one()
    return Task(*row)


def _add(session: Session, shop_id: int, customer_id: int, key: str, why: Why, n: int, hint: str) -> None:
    if session.execute(select(tasks.c.id).where(tasks.c.key == key)).first() is not None:
        return
    session.execute(
        insert(tasks).values(
            shop_id=shop_id, customer_id=customer_id, key=key, why=why.value, n=n, hint=hint,
            state=TaskState.OPEN.value, at=now(session), note="",
        )
    )  # fmt: skip
    signal(session, TOPIC)


def done(
    session: Session, task_id: int, shop_id: int, *, note: str, picture: str, actor: str, width: int, height: int
) -> Task:
    """Send the card that was drawn or photographed; `picture` is its address in `media`. Raises NotFoundError,
    InvalidError("note"), TaskEndedError: a card is sent once.
    """
    if len(note) > NOTE_CHARS_MAX:
        raise InvalidError("note", "length", note)
    task = _locked(session, task_id, shop_id)
    notices.tell(
        session, "thank_card", customer_id=task.customer_id, shop_id=shop_id, rule=RULE, subject=task.id,
        shop=shops.get(session, shop_id).name, note=note,
        files=[{"kind": "photo", "sha": picture, "name": "card.png", "width": width, "height": height}],
    )  # fmt: skip
    events.happened(session, "thanked", customer_id=task.customer_id, shop_id=shop_id, task=task.id)
    return _end(session, task, TaskState.DONE, actor, note=note, picture=picture)


def skip(session: Session, task_id: int, shop_id: int, actor: str) -> Task:
    """Leave a task undone. Raises NotFoundError, TaskEndedError."""
    return _end(session, _locked(session, task_id, shop_id), TaskState.SKIPPED, actor)


def _locked(session: Session, task_id: int, shop_id: int) -> Task:
    row = session.execute(
        select(*_FIELDS).where(tasks.c.id == task_id, tasks.c.shop_id == shop_id).with_for_update()
    ).first()
    if row is None:
        raise NotFoundError("task", task_id)
    task = Task(*row)
    if task.state != TaskState.OPEN:
        raise TaskEndedError(task.state)
    return task


def _end(
    session: Session, task: Task, state: TaskState, actor: str, *, note: str = "", picture: str | None = None
) -> Task:
    row = session.execute(
        update(tasks)
        .where(tasks.c.id == task.id)
        .values(state=state.value, actor=actor, note=note, picture=picture, ended_at=now(session))
        .returning(*_FIELDS)
    ).one()
    signal(session, TOPIC)
    return Task(*row)


def get(session: Session, task_id: int, shop_id: int) -> Task:
    """A task of a shop; raises NotFoundError."""
    row = session.execute(select(*_FIELDS).where(tasks.c.id == task_id, tasks.c.shop_id == shop_id)).first()
    if row is None:
        raise NotFoundError("task", task_id)
    return Task(*row)


def of_shop(session: Session, shop_id: int, *, open_only: bool, limit: int = 50) -> list[Task]:
    """A shop's tasks: open ones, oldest first; or those that ended, the last first."""
    is_open = tasks.c.state == TaskState.OPEN.value
    rows = session.execute(
        select(*_FIELDS)
        .where(tasks.c.shop_id == shop_id, is_open if open_only else ~is_open)
        .order_by(tasks.c.id if open_only else tasks.c.ended_at.desc())
        .limit(limit)
    )
    return [Task(*row) for row in rows]


def waiting(session: Session, shop_id: int) -> int:
    """How many tasks are open."""
    return int(
        session.execute(
            select(func.count()).where(tasks.c.shop_id == shop_id, tasks.c.state == TaskState.OPEN.value)
        ).scalar_one()
    )


def card_ended(session: Session, ended: Ended) -> None:
    """How a card's sending ended (for the sender)."""
    if ended.call.subject is not None:
        session.execute(update(tasks).where(tasks.c.id == ended.call.subject).values(sent=ended.state))


def card_skipped(session: Session, task_id: int, reason: str) -> None:
    """A card could not be sent to anybody (for the notifier)."""
    session.execute(update(tasks).where(tasks.c.id == task_id).values(sent=reason))


def move(session: Session, from_id: int, to_id: int) -> None:
    """Carry a customer's tasks over in a merge."""
    session.execute(update(tasks).where(tasks.c.customer_id == from_id).values(customer_id=to_id))


def forget(session: Session, customer_ids: Sequence[int]) -> set[str]:
    """Take the words about customers out of their tasks, and let open ones go. The addresses of the cards."""
    mine = tasks.c.customer_id.in_(customer_ids)
    pictures = select(tasks.c.picture).where(mine, tasks.c.picture.is_not(None))
    found = {str(sha) for sha in session.execute(pictures).scalars()}
    session.execute(
        update(tasks)
        .where(mine, tasks.c.state == TaskState.OPEN.value)
        .values(state=TaskState.SKIPPED.value, ended_at=now(session))
    )
    session.execute(update(tasks).where(mine).values(note="", hint="", picture=None))
    return found
