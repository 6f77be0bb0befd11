"""Import jobs: a file that somebody uploaded, its columns chosen in a preview, taken in batch by batch by the worker.

    draft -> running -> done | failed            running -> stopped -> running

How far it has come is written in the batch's own transaction: killed at any moment, it goes on with the next row.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, Text, delete, insert, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.orders import bulk, imports, sheets
from loyalty.orders.import_lines import Refused
from loyalty.orders.imports import Taken
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ConflictError, InvalidError, NotFoundError, RuleError
from store.signals import signal

TOPIC = "imports"
KEPT = timedelta(days=30)
"""How long refused rows and a file that was never taken in are kept."""
LISTED = 20
NAME_CHARS_MAX = 120
WHATS: Mapping[str, tuple[Mapping[str, Sequence[str]], Sequence[str]]] = {
    "orders": (imports.ORDER_COLUMNS, imports.ORDER_NEEDS),
    "customers": (imports.CUSTOMER_COLUMNS, imports.CUSTOMER_NEEDS),
}
"""What can be imported: its columns with their other names, and those it needs."""
TAKERS: Mapping[str, Callable[..., Taken]] = {"orders": bulk.take_orders, "customers": imports.take_customers}


class State(StrEnum):
    """Where an import stands."""

    DRAFT = "draft"
    RUNNING = "running"
    STOPPED = "stopped"
    DONE = "done"
    FAILED = "failed"


class ImportJobRow(Base):
    __tablename__ = "import_jobs"
    __table_args__ = (
        Index(
            "ix_import_jobs_running", "id",
            sqlite_where=text("state = 'running'"), postgresql_where=text("state = 'running'"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"), index=True)
    actor: Mapped[str] = mapped_column(Text)
    what: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    content: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The file, until it is taken in."""
    header: Mapped[list[str]] = mapped_column(JSON)
    columns: Mapped[dict[str, int]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(Text)
    size: Mapped[int]
    """About how many rows it has."""
    done: Mapped[int] = mapped_column(default=0)
    """Rows that have been through."""
    new: Mapped[int] = mapped_column(default=0)
    changed: Mapped[int] = mapped_column(default=0)
    same: Mapped[int] = mapped_column(default=0)
    refused: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
    problem: Mapped[str | None] = mapped_column(Text)


class ImportRefusal(Base):
    """A row that was not taken."""

    __tablename__ = "import_refusals"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("import_jobs.id", ondelete="CASCADE"), index=True)
    line: Mapped[int]
    cells: Mapped[list[str]] = mapped_column(JSON)
    reason: Mapped[dict[str, Any]] = mapped_column(JSON)


@dataclass(frozen=True, slots=True)
class Job:
    """An import as pages see it."""

    id: int
    shop_id: int
    actor: str
    what: str
    name: str
    header: list[str]
    columns: dict[str, int]
    state: str
    size: int
    done: int
    new: int
    changed: int
    same: int
    refused: int
    created_at: datetime
    ended_at: datetime | None
    problem: str | None

    @property
    def needs(self) -> Sequence[str]:
        """The columns without which nothing can be taken."""
        return WHATS[self.what][1]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows on their way in: the lines that were judged good, those refused (with their cells), how many rows both were."""

    lines: Sequence[Any]
    refused: Sequence[tuple[int, RuleError, list[str]]]
    rows: int
    cells: Mapping[int, list[str]]
    """Each line's cells, for those that the rules refuse only now."""


jobs, refusals = table(ImportJobRow), table(ImportRefusal)
_JOB = tuple(jobs.c[name] for name in Job.__dataclass_fields__)


def add(
    session: Session, shop_id: int, actor: str, what: str, name: str, content: bytes, header: Sequence[str],
    columns: Mapping[str, int], size: int,
) -> Job:  # fmt: skip
    """Keep an uploaded file as a draft, with the columns as they were guessed. Raises InvalidError("what")."""
    if what not in WHATS:
        raise InvalidError("what", "unknown", what)
    made = session.execute(
        insert(jobs)
        .values(
            shop_id=shop_id, actor=actor, what=what, name=name[:NAME_CHARS_MAX], content=content, header=list(header),
            columns=dict(columns), state=State.DRAFT.value, size=size, created_at=now(session),
        )
        .returning(jobs.c.id)
    )  # fmt: skip
    return get(session, made.scalar_one(), shop_id)


def get(session: Session, job_id: int, shop_id: int, *, lock: bool = False) -> Job:
    """A shop's import; raises NotFoundError."""
    wanted = select(*_JOB).where(jobs.c.id == job_id, jobs.c.shop_id == shop_id)
    row = session.execute(wanted.with_for_update() if lock else wanted).first()
    if row is None:
        raise NotFoundError("import", job_id)
    return Job(*row)


def of_shop(session: Session, shop_id: int) -> list[Job]:
    """The last imports of a shop, the newest first."""
    rows = session.execute(select(*_JOB).where(jobs.c.shop_id == shop_id).order_by(jobs.c.id.desc()).limit(LISTED))
    return [Job(*row) for row in rows]


def content(session: Session, job_id: int) -> bytes:
    """The file of an import; raises NotFoundError once it is gone."""
    found = session.execute(select(jobs.c.content).where(jobs.c.id == job_id)).scalar()
    if found is None:
        raise NotFoundError("file", job_id)
    return bytes(found)


def start(session: Session, job_id: int, shop_id: int, columns: Mapping[str, int] | None = None) -> Job:
    """Let the worker take it in: a draft with the columns that were chosen, or one that was stopped from where it stopped.

    Raises NotFoundError, ConflictError, InvalidError(column, "missing") where one that is needed isn't chosen.
    """
    job = get(session, job_id, shop_id, lock=True)
    if job.state not in {State.DRAFT, State.STOPPED}:
        raise ConflictError(f"import {job_id} is {job.state}")
    chosen = dict(job.columns if columns is None or job.state == State.STOPPED else columns)
    known = WHATS[job.what][0]
    for column in job.needs:
        if column not in chosen:
            raise InvalidError(column, "missing")
    for column, place in chosen.items():
        if column not in known or not 0 <= place < len(job.header):
            raise InvalidError(column, "unknown", place)
    session.execute(
        update(jobs).where(jobs.c.id == job_id).values(state=State.RUNNING.value, columns=chosen, problem=None)
    )
    signal(session, TOPIC)
    return get(session, job_id, shop_id)


def stop(session: Session, job_id: int, shop_id: int) -> Job:
    """Take no more rows in after the batch that is under way; what is in stays. Repeatable. Raises NotFoundError."""
    job = get(session, job_id, shop_id, lock=True)
    if job.state == State.RUNNING:
        session.execute(update(jobs).where(jobs.c.id == job_id).values(state=State.STOPPED.value))
    return get(session, job_id, shop_id)


def discard(session: Session, job_id: int, shop_id: int) -> None:
    """Throw away a file that is not being taken in. Raises NotFoundError, ConflictError while it runs."""
    if get(session, job_id, shop_id, lock=True).state == State.RUNNING:
        raise ConflictError(f"import {job_id} is running")
    session.execute(delete(jobs).where(jobs.c.id == job_id))


def next_running(session: Session) -> Job | None:
    """The import that is to be worked on, the oldest first."""
    row = session.execute(select(*_JOB).where(jobs.c.state == State.RUNNING.value).order_by(jobs.c.id).limit(1)).first()
    return None if row is None else Job(*row)


def step(session: Session, job_id: int, at: int, batch: Batch) -> bool:
    """Take a batch in that begins with row number `at`; whether the next one is wanted. Nothing happens where the import
    was stopped, or has come further than the caller knows.
    """
    row = session.execute(
        select(jobs.c.shop_id, jobs.c.what, jobs.c.state, jobs.c.done).where(jobs.c.id == job_id).with_for_update()
    ).first()
    if row is None or row.state != State.RUNNING or row.done != at:
        return False
    taken = TAKERS[row.what](session, row.shop_id, batch.lines) if batch.lines else Taken()
    late: list[Refused] = taken.refused
    refused = [*batch.refused, *((line, error, batch.cells.get(line, [])) for line, error in late)]
    if refused:
        session.execute(
            insert(refusals),
            [
                {"job_id": job_id, "line": line, "cells": cells, "reason": _kept(error)}
                for line, error, cells in sorted(refused, key=lambda one: one[0])
            ],
        )
    c = jobs.c
    session.execute(
        update(jobs)
        .where(c.id == job_id)
        .values(
            done=c.done + batch.rows, new=c.new + taken.new, changed=c.changed + taken.changed, same=c.same + taken.same,
            refused=c.refused + len(refused),
        )
    )  # fmt: skip
    return True


def finish(session: Session, job_id: int, problem: str | None = None) -> None:
    """It is through, or can't go on (`problem`, a stable word). The file is kept no longer."""
    state = State.DONE if problem is None else State.FAILED
    session.execute(
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state == State.RUNNING.value)
        .values(state=state.value, problem=problem, ended_at=now(session), content=None)
    )


def refused_rows(session: Session, job_id: int) -> list[tuple[int, list[str], RuleError]]:
    """(line, cells, why) of the rows that were not taken, as they stood in the file."""
    rows = session.execute(
        select(refusals.c.line, refusals.c.cells, refusals.c.reason)
        .where(refusals.c.job_id == job_id)
        .order_by(refusals.c.line, refusals.c.id)
    )
    return [(row.line, row.cells, _told(row.reason)) for row in rows]


def prune(session: Session) -> None:
    """Forget imports that are over, and files that were left lying, after 30 days."""
    session.execute(delete(jobs).where(jobs.c.created_at < now(session) - KEPT, jobs.c.state != State.RUNNING.value))


def _kept(error: RuleError) -> dict[str, Any]:
    if isinstance(error, InvalidError):
        return {"field": error.field, "problem": error.problem, "value": sheets.text(error.value)[:200]}
    return {"code": error.code}


def _told(reason: Mapping[str, Any]) -> RuleError:
    if "field" in reason:
        return InvalidError(reason["field"], reason["problem"], reason["value"])
    error = RuleError()
    error.code = reason["code"]
    return error
