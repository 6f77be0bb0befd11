"""Retention: how long what is kept of people is kept, by kind, and the nightly end of it, with its counts in the audit."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from store import audit, erasure, options
from store.clock import now
from store.errors import InvalidError
from store.staff import Member, Right
from support import privacy
from support.messages import attachments, ticket_files, ticket_messages
from support.tickets import State, tickets

OPTION = "retention"
NIGHT = "retention_night"
"""{at}: when the last nightly prune was done."""
MONTH = timedelta(days=365) / 12
MONTHS_MIN, MONTHS_MAX = 1, 240
BATCH = 200
DAY = timedelta(days=1)

DEFAULTS: Mapping[str, int] = {"words": 120, "files": 60, "chats": 60}
"""Months: `words` of closed requests, `files` in them, what stands in web `chats`. The audit itself is never thinned out."""


def periods(session: Session) -> dict[str, int]:
    """How many months each kind is kept."""
    kept = options.get(session, OPTION) or {}
    return {kind: int(kept.get(kind, months)) for kind, months in DEFAULTS.items()}


def change(session: Session, member: Member, wanted: Mapping[str, int]) -> None:
    """Keep kinds for other numbers of months. Raises InvalidError, ForbiddenError (an owner of all shops only)."""
    if not member.everywhere(Right.STAFF):
        member.need(Right.STAFF, -1)
    for kind, months in wanted.items():
        if kind not in DEFAULTS:
            raise InvalidError("kind", "unknown", kind)
        if not MONTHS_MIN <= months <= MONTHS_MAX:
            raise InvalidError(kind, "range", months)
    before = periods(session)
    after = before | dict(wanted)
    if after != before:
        options.put(session, OPTION, after)
        audit.record(session, f"staff:{member.id}", "retention_changed", before=before, after=after)


def prune(session: Session) -> int:
    """A batch of what is past its time, once a night; how much that was. For the clock's sweeps."""
    at = now(session)
    last = options.get(session, NIGHT) or {}
    if last.get("at") and at - datetime.fromisoformat(last["at"]) < DAY:
        return 0
    months = periods(session)
    counts = {kind: end(session, at - MONTH * months[kind]) for kind, end in _ENDS.items()}
    counts = {kind: count for kind, count in counts.items() if count}
    so_far = {kind: last.get("counts", {}).get(kind, 0) + count for kind, count in counts.items()}
    total = {**last.get("counts", {}), **so_far}
    if counts:
        options.put(session, NIGHT, {"at": last.get("at"), "counts": total})
        return sum(counts.values())
    if total:
        audit.record(session, "clock", "retention_pruned", **total)
    options.put(session, NIGHT, {"at": at.isoformat(), "counts": {}})
    return 0


def _words(session: Session, before: datetime) -> int:
    """Empty the requests that were closed, and last spoken in, before a time, as if their customers were forgotten."""
    t, m = tickets.c, ticket_messages.c
    said = select(m.id).where(m.ticket_id == t.id, m.text != "").exists()
    numbers = session.execute(
        select(t.id).where(t.state == State.CLOSED.value, t.updated_at < before, said).limit(BATCH)
    ).scalars().all()  # fmt: skip
    if numbers:
        erasure.forget_media(session, privacy.forget_tickets(session, numbers))
    return len(numbers)


def _files(session: Session, before: datetime) -> int:
    """Take the files out of such requests."""
    a, f, m, t = attachments.c, ticket_files.c, ticket_messages.c, tickets.c
    rows = session.execute(
        select(a.id, a.sha)
        .join(ticket_files, f.attachment_id == a.id)
        .join(ticket_messages, m.id == f.message_id)
        .join(tickets, t.id == m.ticket_id)
        .where(t.state == State.CLOSED.value, t.updated_at < before)
        .limit(BATCH)
    ).all()
    numbers = [row.id for row in rows]
    session.execute(delete(ticket_files).where(f.attachment_id.in_(numbers)))
    session.execute(delete(attachments).where(a.id.in_(numbers)))
    erasure.forget_media(session, {row.sha for row in rows if row.sha})
    return len(numbers)


def _chats(session: Session, before: datetime) -> int:
    """Drop what was said in web chats before a time."""
    return erasure.forget_bubbles_before(session, before, BATCH)


_ENDS: Mapping[str, Callable[[Session, datetime], int]] = {"words": _words, "files": _files, "chats": _chats}
