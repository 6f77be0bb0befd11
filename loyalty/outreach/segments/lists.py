"""Lists: customers who are in a segment because somebody put them there, by a file, and what became of its rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Text, delete, func, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, BigId, UtcTime, insert_rows, table
from store.clock import now

UNMATCHED_MAX = 5_000
"""Rows without a customer that are kept for the report."""


class MemberRow(Base):
    __tablename__ = "segment_members"

    segment_id: Mapped[int] = mapped_column(ForeignKey("segments.id"), primary_key=True, autoincrement=False)
    customer_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False, index=True)


class UploadRow(Base):
    __tablename__ = "segment_uploads"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    segment_id: Mapped[int] = mapped_column(ForeignKey("segments.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcTime)
    actor: Mapped[str] = mapped_column(Text)
    file: Mapped[str] = mapped_column(Text)
    rows: Mapped[int]
    matched: Mapped[int]
    header: Mapped[list[str]] = mapped_column(JSON)
    unmatched: Mapped[list[list[Any]]] = mapped_column(JSON)
    """[line, why, cells] each: missing, phone, customer, twice."""


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A row that brought nobody: `why` is missing (nothing to find them by), phone (none that can be one), customer (nobody
    has it) or twice (they are in the file already).
    """

    line: int
    why: str
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Upload:
    """What became of a file: `matched` of its `rows` are customers."""

    at: datetime
    file: str
    rows: int
    matched: int
    header: list[str]
    unmatched: list[Unmatched]


members, uploads = table(MemberRow), table(UploadRow)


def fill(session: Session, segment_id: int, found: Sequence[int], upload: Upload, actor: str, *, replace: bool) -> None:
    """Put customers on a list, in the place of who was on it or beside them, and keep the report."""
    if replace:
        session.execute(delete(members).where(members.c.segment_id == segment_id))
    insert_rows(session, "segment_members", "segment_id, customer_id", [(segment_id, one) for one in found], once=True)
    session.execute(
        insert(uploads).values(
            segment_id=segment_id, at=now(session), actor=actor, file=upload.file, rows=upload.rows, matched=upload.matched,
            header=upload.header, unmatched=[[one.line, one.why, one.cells] for one in upload.unmatched[:UNMATCHED_MAX]],
        )
    )  # fmt: skip


def last_upload(session: Session, segment_id: int) -> Upload | None:
    """The report of a list's last file."""
    u = uploads.c
    row = session.execute(
        select(u.at, u.file, u.rows, u.matched, u.header, u.unmatched)
        .where(u.segment_id == segment_id)
        .order_by(u.id.desc())
        .limit(1)
    ).first()
    return None if row is None else Upload(*row[:5], [Unmatched(*one) for one in row.unmatched])


def take_out(session: Session, segment_id: int, customer_id: int) -> None:
    """Take somebody off a list."""
    m = members.c
    session.execute(delete(members).where(m.segment_id == segment_id, m.customer_id == customer_id))


def size(session: Session, segment_id: int) -> int:
    """How many are on a list."""
    return int(
        session.execute(
            select(func.count()).select_from(members).where(members.c.segment_id == segment_id)
        ).scalar_one()
    )


def move(session: Session, from_id: int, to_id: int) -> None:
    """In a merge the survivor is on the lists of both."""
    m = members.c
    there = select(m.segment_id).where(m.customer_id == to_id)
    session.execute(delete(members).where(m.customer_id == from_id, m.segment_id.in_(there)))
    session.execute(update(members).where(m.customer_id == from_id).values(customer_id=to_id))


def forget(session: Session, numbers: Sequence[int]) -> None:
    """Take erased customers off every list; a report's rows say who somebody is, and go after any erasure of one of them."""
    m = members.c
    held = select(m.segment_id).where(m.customer_id.in_(numbers))
    session.execute(update(uploads).where(uploads.c.segment_id.in_(held)).values(unmatched=[]))
    session.execute(delete(members).where(m.customer_id.in_(numbers)))
