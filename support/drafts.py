"""Drafts: what a member of staff has begun to write in a ticket, kept until it is sent, on whichever device they go on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, Text, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, UtcTime, table
from store.clock import now
from store.errors import InvalidError
from store.staff import Member
from support import tickets

KINDS = ("reply", "note")
TEXT_CHARS_MAX = 10_000
"""Longer than what may be sent: shortening is a part of writing."""


class DraftRow(Base):
    """One for each kind of text."""

    __tablename__ = "ticket_drafts"

    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), primary_key=True, autoincrement=False)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), primary_key=True, autoincrement=False, index=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    reply_to: Mapped[int | None]
    """The seq of the message that it is to answer."""
    at: Mapped[datetime] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Draft:
    """`kind` is reply or note."""

    kind: str
    text: str
    reply_to: int | None
    at: datetime


drafts = table(DraftRow)


def keep(
    session: Session, ticket_id: int, member: Member, kind: str, text: str, reply_to: int | None = None
) -> None:  # fmt: skip
    """Keep what the member has written so far; no words end the draft. Raises as tickets.view, InvalidError (kind, text)."""
    if kind not in KINDS:
        raise InvalidError("kind", "unknown", kind)
    if len(text) > TEXT_CHARS_MAX:
        raise InvalidError("text", "length", len(text))
    tickets.view(session, ticket_id, member)
    text = text.replace("\x00", "")
    if not text.strip():
        forget(session, ticket_id, member.id, kind)
        return
    own = (drafts.c.staff_id == member.id, drafts.c.ticket_id == ticket_id, drafts.c.kind == kind)
    values = {"text": text, "reply_to": reply_to, "at": now(session)}
    step = update(drafts).where(*own).values(**values)
    if session.execute(step.returning(drafts.c.kind)).first() is None:
        try:
            with session.begin_nested():
                session.execute(insert(drafts).values(staff_id=member.id, ticket_id=ticket_id, kind=kind, **values))
        except IntegrityError:
            # The same person's other window was quicker.
            session.execute(step)


def forget(session: Session, ticket_id: int, staff_id: int, kind: str) -> None:
    """End a draft: it was sent, or its words were taken out."""
    own = (drafts.c.staff_id == staff_id, drafts.c.ticket_id == ticket_id, drafts.c.kind == kind)
    session.execute(delete(drafts).where(*own))


def carry(session: Session, from_id: int, to_id: int, moved: Mapping[int, int]) -> None:
    """Take what was begun in a ticket along to the one that it became a part of, below what the same person had begun
    there; `moved`: where the messages are that were to be answered.
    """
    d = drafts.c
    there = {(row.staff_id, row.kind): row.text for row in session.execute(select(drafts).where(d.ticket_id == to_id))}
    for row in session.execute(select(drafts).where(d.ticket_id == from_id)).all():
        own = (d.staff_id == row.staff_id, d.kind == row.kind)
        begun = there.get((row.staff_id, row.kind))
        if begun is None:
            values = {"ticket_id": to_id, "reply_to": moved.get(row.reply_to or 0)}
            session.execute(update(drafts).where(*own, d.ticket_id == from_id).values(**values))
        else:
            both = f"{begun}\n\n{row.text}"[:TEXT_CHARS_MAX]
            session.execute(update(drafts).where(*own, d.ticket_id == to_id).values(text=both, at=now(session)))
            session.execute(delete(drafts).where(*own, d.ticket_id == from_id))


def of(session: Session, ticket_id: int, member: Member) -> list[Draft]:
    """The member's drafts in a ticket."""
    rows = session.execute(
        select(drafts.c.kind, drafts.c.text, drafts.c.reply_to, drafts.c.at).where(
            drafts.c.staff_id == member.id, drafts.c.ticket_id == ticket_id
        )
    )
    return [Draft(*row) for row in rows]
