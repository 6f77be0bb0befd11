"""The thread: a ticket's messages and events as a colleague reads them, in the order they happened."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from store.base import table
from store.staff import Member, StaffRow
from support import tickets
from support.messages import attachments, ticket_files, ticket_messages
from support.tickets import ticket_events

PAGE = 60


@dataclass(frozen=True, slots=True)
class Attached:
    """A file of a message; its bytes can be had once `state` is `stored`."""

    id: int
    kind: str
    mime: str
    name: str
    size: int | None
    width: int | None
    height: int | None
    seconds: int | None
    state: str


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the thread; fields as in support.messages, `staff` the name of who wrote it for the shop."""

    id: int
    seq: int
    changed: int
    who: str
    staff: str | None
    at: datetime
    text: str
    edited_at: datetime | None
    history: list[dict[str, Any]]
    reply_to: int | None
    location: dict[str, Any] | None
    group_id: str | None
    state: str | None
    reason: str | None
    reactions: dict[str, list[str]]
    """Emoji by who put them on it: customer, agent."""
    deleted_at: datetime | None
    staff_id: int | None
    key: str | None
    files: tuple[Attached, ...]


@dataclass(frozen=True, slots=True)
class Happened:
    """An event: `staff` did it (nobody: the customer), `data` as support.tickets and support.ratings write it."""

    seq: int
    changed: int
    at: datetime
    kind: str
    staff: str | None
    data: dict[str, Any]


_staff = table(StaffRow)


def page(
    session: Session, ticket_id: int, member: Member, before: int | None = None, limit: int = PAGE
) -> list[Message | Happened]:
    """The last lines of a thread (those below `before`, where it is given), oldest first. Raises as tickets.view."""
    tickets.view(session, ticket_id, member)
    return tail(session, ticket_id, before, limit)


def tail(session: Session, ticket_id: int, before: int | None = None, limit: int = PAGE) -> list[Message | Happened]:
    """The same, of a ticket that the member was let to see."""
    below = [] if before is None else [before]
    lines: list[Message | Happened] = [
        *_messages(session, ticket_id, [ticket_messages.c.seq < seq for seq in below], limit),
        *_events(session, ticket_id, [ticket_events.c.seq < seq for seq in below], limit),
    ]
    return sorted(lines, key=lambda line: line.seq)[-limit:]


def changed(session: Session, ticket_id: int, member: Member, after: int) -> list[Message | Happened]:
    """Lines that are new or changed since the desk's number `after`; the next `after` is the highest `changed` among
    them. (A cursor over the queue is not one over a thread: a page of changed tickets may end before this one.) Raises
    as tickets.view.
    """
    tickets.view(session, ticket_id, member)
    lines: list[Message | Happened] = [
        *_messages(session, ticket_id, [ticket_messages.c.changed > after]),
        *_events(session, ticket_id, [ticket_events.c.changed > after]),
    ]
    return sorted(lines, key=lambda line: line.seq)


def some(session: Session, ticket_id: int, member: Member, seqs: Sequence[int]) -> list[Message]:
    """Messages of a thread by their place. Raises as tickets.view."""
    tickets.view(session, ticket_id, member)
    return _messages(session, ticket_id, [ticket_messages.c.seq.in_(seqs)])


def whole(session: Session, ticket_id: int) -> list[Message]:
    """All that was said in a ticket, for the customer's own copy (notes are among it: see `who`)."""
    return _messages(session, ticket_id, [])


def _messages(
    session: Session, ticket_id: int, wanted: list[ColumnElement[bool]], limit: int | None = None
) -> list[Message]:
    m = ticket_messages.c
    rows = session.execute(
        select(
            m.id, m.seq, m.changed, m.who, _staff.c.name.label("staff"), m.at, m.text, m.edited_at, m.history, m.reply_to,
            m.location, m.group_id, m.state, m.reason, m.reactions, m.deleted_at, m.staff_id, m.key,
        )
        .outerjoin(_staff, _staff.c.id == m.staff_id)
        .where(m.ticket_id == ticket_id, *wanted)
        .order_by(m.seq.desc())
        .limit(limit)
    ).mappings().all()  # fmt: skip
    files = _files(session, [row["id"] for row in rows])
    return [
        Message(**{**row, "reactions": row["reactions"] or {}}, files=tuple(files.get(row["id"], ())))
        for row in reversed(rows)
    ]


def _files(session: Session, message_ids: Sequence[int]) -> dict[int, list[Attached]]:
    a = attachments.c
    rows = session.execute(
        select(
            ticket_files.c.message_id, a.id, a.kind, a.mime, a.name, a.size, a.width, a.height, a.seconds, a.state
        )
        .join(ticket_files, ticket_files.c.attachment_id == a.id)
        .where(ticket_files.c.message_id.in_(message_ids))
        .order_by(a.id)
    )  # fmt: skip
    files: dict[int, list[Attached]] = {}
    for message_id, *values in rows:
        files.setdefault(message_id, []).append(Attached(*values))
    return files


def _events(
    session: Session, ticket_id: int, wanted: list[ColumnElement[bool]], limit: int | None = None
) -> list[Happened]:
    e = ticket_events.c
    rows = session.execute(
        select(e.seq, e.changed, e.at, e.kind, _staff.c.name, e.data)
        .outerjoin(_staff, _staff.c.id == e.staff_id)
        .where(e.ticket_id == ticket_id, *wanted)
        .order_by(e.seq.desc())
        .limit(limit)
    ).all()
    names = _names(session, {row.data.get("to") for row in rows} - {None})
    return [
        Happened(row.seq, row.changed, row.at, row.kind, row.name, {**row.data, "to": names.get(row.data.get("to"))})
        if row.kind == "assigned"
        else Happened(row.seq, row.changed, row.at, row.kind, row.name, row.data)
        for row in reversed(rows)
    ]


def _names(session: Session, staff_ids: set[int]) -> dict[int | None, str]:
    if not staff_ids:
        return {}
    rows = session.execute(select(_staff.c.id, _staff.c.name).where(_staff.c.id.in_(staff_ids)))
    return {row.id: row.name for row in rows}
