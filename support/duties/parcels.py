"""Parcels: all that is kept of a customer together with the files they are about, ready to be packed into one copy."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty.customers import records
from store import media
from support import privacy
from support.messages import attachments, ticket_files, ticket_messages
from support.tickets import tickets

BYTES_MAX = 45 * 1024 * 1024
"""What fits into one message of a messenger, with room for the words; files beyond are named, not brought."""


@dataclass(frozen=True, slots=True)
class Brought:
    """A file of a customer's: its name inside the copy, and its bytes (None: too much for one copy, or never fetched)."""

    name: str
    content: bytes | None


@dataclass(frozen=True, slots=True)
class Parcel:
    """All of it: `told` as privacy.export, where each medium has its `file` in `files`."""

    told: dict[str, Any]
    files: tuple[Brought, ...]


def of(session: Session, customer_id: int) -> Parcel:
    """A customer's copy, the newest files first in what fits. Raises NotFoundError."""
    told = privacy.export(session, customer_id)
    numbers = records.every_number(session, customer_id)
    m, f, t, a = ticket_messages.c, ticket_files.c, tickets.c, attachments.c
    shas = session.execute(
        select(a.id, a.sha, a.size)
        .select_from(attachments)
        .join(ticket_files, f.attachment_id == a.id)
        .join(ticket_messages, m.id == f.message_id)
        .join(tickets, t.id == m.ticket_id)
        .where(t.customer_id.in_(numbers), a.sha.is_not(None))
        .order_by(a.id.desc())
    ).all()
    where, room, fits = {row.id: row.sha for row in shas}, BYTES_MAX, set()
    for row in shas:
        size = row.size if row.size is not None else media.facts(session, row.sha).size
        if row.sha not in fits and size <= room:
            room -= size
            fits.add(row.sha)
    files: dict[str, Brought] = {}
    for ticket in told["tickets"]:
        for message in ticket["messages"]:
            for number, medium in enumerate(message["media"], start=1):
                sha = where.get(medium.get("number"))
                if sha is None:
                    continue
                if sha not in files:
                    name = f"{ticket['id']}-{len(files) + 1}-{number}{_ending(medium)}"
                    content = media.load(session, sha).content if sha in fits else None
                    files[sha] = Brought(f"media/{name}", content)
                medium["file"] = files[sha].name if files[sha].content is not None else None
    return Parcel(told, tuple(files.values()))


def _ending(medium: dict[str, Any]) -> str:
    """A file's ending, by its own name, else by what it is."""
    _, dot, own = str(medium.get("name") or "").rpartition(".")
    if dot and own.isalnum() and len(own) <= 5:  # jpeg, xlsx
        return f".{own.lower()}"
    by_kind = {"photo": ".jpg", "voice": ".ogg", "video": ".mp4"}.get(str(medium.get("kind")), "")
    return {
        "image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "audio/ogg": ".ogg", "audio/mpeg": ".mp3",
        "video/mp4": ".mp4", "application/pdf": ".pdf",
    }.get(str(medium.get("mime")), by_kind)  # fmt: skip
