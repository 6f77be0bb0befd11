"""Notices: the domain says who is to be told what and why; the bot's notifier decides how and when."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, Text, func, insert, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, BigId, UtcTime, insert_rows, raw, table, to_micros
from store.clock import now
from store.outbox import Purpose
from store.prepared import Prepared
from store.signals import signal


class NoticeRow(Base):
    __tablename__ = "notices"
    __table_args__ = (
        Index(
            "ix_notices_due", "due_at", "id",
            sqlite_where=text("state = 'waiting'"), postgresql_where=text("state = 'waiting'"),
        ),
        Index(
            "ix_notices_replaces", "replaces",
            sqlite_where=text("state = 'waiting'"), postgresql_where=text("state = 'waiting'"),
        ),
        Index("ix_notices_customer_id", "customer_id", "id"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime)
    due_at: Mapped[datetime] = mapped_column(UtcTime)
    kind: Mapped[str] = mapped_column(Text)
    customer_id: Mapped[int | None]
    staff_id: Mapped[int | None]
    shop_id: Mapped[int | None]
    params: Mapped[dict[str, Any]] = mapped_column(JSON)
    purpose: Mapped[int]
    replaces: Mapped[str | None] = mapped_column(Text)
    rule: Mapped[str | None] = mapped_column(Text)
    subject: Mapped[int | None]
    state: Mapped[str] = mapped_column(Text)
    """waiting, queued (it is in the outbox), skipped (see `reason`), replaced."""
    reason: Mapped[str | None] = mapped_column(Text)


_ADD = Prepared(insert(table(NoticeRow)))


@dataclass(frozen=True, slots=True)
class Notice:
    id: int
    at: datetime
    kind: str
    customer_id: int | None
    staff_id: int | None
    shop_id: int | None
    params: dict[str, Any]
    purpose: Purpose
    rule: str | None
    subject: int | None


def tell(
    session: Session,
    kind: str,
    *,
    customer_id: int | None = None,
    staff_id: int | None = None,
    shop_id: int | None = None,
    purpose: Purpose = Purpose.SERVICE,
    replaces: str | None = None,
    due_at: datetime | None = None,
    rule: str | None = None,
    subject: int | None = None,
    **params: Any,
) -> None:
    """Tell a customer or a member of staff something of a `kind`, with its parameters (numbers, strings, no text to show).

    One that `replaces` takes the place of an unsent earlier one of the same key. `rule` and `subject` name who learns
    how the sending ended (see outbox).
    """
    if replaces is not None:
        session.execute(
            update(NoticeRow)
            .where(NoticeRow.replaces == replaces, NoticeRow.state == "waiting")
            .values(state="replaced")
        )
    _ADD(
        session, at=now(session), due_at=due_at or now(session), kind=kind, customer_id=customer_id, staff_id=staff_id,
        shop_id=shop_id, params=params, purpose=int(purpose), replaces=replaces, rule=rule, subject=subject,
        state="waiting",
    )  # fmt: skip
    signal(session, "notices")


def withdraw(session: Session, rule: str, subject: int) -> None:
    """Tell no longer what waits to be told of a rule's subject."""
    session.execute(
        update(NoticeRow)
        .where(NoticeRow.state == "waiting", NoticeRow.rule == rule, NoticeRow.subject == subject)
        .values(state="replaced")
    )


def postpone(session: Session, rule: str, subject: int, until: datetime) -> None:
    """Tell what waits to be told of a rule's subject not before a time."""
    session.execute(
        update(NoticeRow)
        .where(NoticeRow.state == "waiting", NoticeRow.rule == rule, NoticeRow.subject == subject)
        .values(due_at=until)
    )


def tell_many(
    session: Session,
    told: Sequence[tuple[str, int, dict[str, Any]]],
    *,
    about: str,
    shop_id: int | None = None,
    due_at: datetime | None = None,
) -> None:
    """Tell customers something each, in service: kind, customer and parameters. Each takes the place of an unsent earlier
    one that was `about` the same (`tier`) for the same customer.
    """
    if not told:
        return
    n, moment = table(NoticeRow), now(session)
    keys = [f"{about}:{customer_id}" for _, customer_id, _ in told]
    session.execute(update(n).where(n.c.replaces.in_(keys), n.c.state == "waiting").values(state="replaced"))
    at, due, purpose = to_micros(moment), to_micros(due_at or moment), int(Purpose.SERVICE)
    insert_rows(
        session, "notices", "at, due_at, kind, customer_id, shop_id, params, purpose, replaces, state",
        [
            (at, due, kind, customer_id, shop_id, json.dumps(params), purpose, key, "waiting")
            for (kind, customer_id, params), key in zip(told, keys, strict=True)
        ],
    )  # fmt: skip
    signal(session, "notices")


def any_due(session: Session) -> bool:
    """Whether a notice's time has come: a look that costs nothing."""
    return bool(
        raw(
            session, "SELECT 1 FROM notices WHERE state = 'waiting' AND due_at <= ? LIMIT 1", (to_micros(now(session)),)
        )
    )


def waiting(session: Session, kinds: Sequence[str], limit: int) -> list[tuple[int, int, int | None]]:
    """Number, customer and shop of the first due notices of some kinds: only a look."""
    rows = session.execute(
        select(NoticeRow.id, NoticeRow.customer_id, NoticeRow.shop_id)
        .where(
            NoticeRow.state == "waiting", NoticeRow.due_at <= now(session), NoticeRow.kind.in_(kinds),
            NoticeRow.customer_id.is_not(None),
        )
        .order_by(NoticeRow.due_at, NoticeRow.id)
        .limit(limit)
    )  # fmt: skip
    return [(row.id, row.customer_id, row.shop_id) for row in rows]


def due(session: Session, limit: int = 100) -> list[Notice]:
    """Notices whose time has come, in the order they were written; locked for this work between replicas."""
    rows = session.execute(
        select(
            NoticeRow.id, NoticeRow.at, NoticeRow.kind, NoticeRow.customer_id, NoticeRow.staff_id, NoticeRow.shop_id,
            NoticeRow.params, NoticeRow.purpose, NoticeRow.rule, NoticeRow.subject,
        )
        .where(NoticeRow.state == "waiting", NoticeRow.due_at <= now(session))
        .order_by(NoticeRow.due_at, NoticeRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )  # fmt: skip
    return [
        Notice(
            row.id, row.at, row.kind, row.customer_id, row.staff_id, row.shop_id, row.params, Purpose(row.purpose),
            row.rule, row.subject,
        )
        for row in rows
    ]  # fmt: skip


def put_off(session: Session, notice_id: int, until: datetime) -> None:
    """Tell one not before a time."""
    session.execute(update(NoticeRow).where(NoticeRow.id == notice_id).values(due_at=until))


def told(session: Session, customer_ids: Sequence[int], purposes: Sequence[Purpose], since: datetime) -> dict[int, int]:
    """How many notices of some purposes these customers were told since."""
    rows = session.execute(
        select(NoticeRow.customer_id, func.count())
        .where(
            NoticeRow.customer_id.in_(customer_ids), NoticeRow.state == "queued", NoticeRow.due_at > since,
            NoticeRow.purpose.in_([int(one) for one in purposes]),
        )
        .group_by(NoticeRow.customer_id)
    )  # fmt: skip
    return {number: count for number, count in rows if number is not None}


def settle(session: Session, ids: Sequence[int], state: str, reason: str | None = None) -> None:
    """Write what became of notices: `queued` or `skipped` with the reason."""
    n = table(NoticeRow)
    session.execute(update(n).where(n.c.id.in_(ids)).values(state=state, reason=reason))
