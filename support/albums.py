"""Albums: pictures that a colleague sends together on a messenger come one by one, and go on to the customer as one answer."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from store import media, notices, outbox
from store.clock import now
from store.media import File
from store.staff import Member
from store.text import fold
from support import messages, tickets
from support.messages import AGENT, FILES_MAX, RULE, attachments, ticket_files, ticket_messages

WHOLE_AFTER = timedelta(seconds=1.2)
"""How long after its last part an album is taken to be whole, and leaves."""


def add_part(
    session: Session,
    ticket_id: int,
    member: Member,
    text: str,
    files: Sequence[File],
    *,
    key: str,
    note: bool = False,
    reply_to: int | None = None,
) -> int:
    """Answer the customer with a part of the album `key`, or note it; the number of the message that it is a part of. What
    comes after the others have left is an answer of its own. Raises as `messages.agent_says`.
    """
    m = ticket_messages.c
    ticket = tickets.hold(session, ticket_id, member)
    begun = session.execute(
        select(m.id, m.seq, m.who, m.state, m.text).where(m.ticket_id == ticket_id, m.key == key)
    ).first()
    held = 0 if begun is None else len(_files(session, begun.id))
    joins = begun is not None and held + len(files) <= FILES_MAX and (begun.who != AGENT or _still_here(session, begun))
    if begun is None or not joins:
        own = key if begun is None else f"{key}:{ticket.changed}"
        rule = messages.note if note else messages.agent_says
        message_id = rule(session, ticket_id, member, text, files, key=own, reply_to=reply_to)
    else:
        message_id = int(begun.id)
        ids = [media.attach(session, file, f"ticket:{ticket_id}") for file in files]
        session.execute(insert(ticket_files), [{"attachment_id": one, "message_id": message_id} for one in ids])
        words = "\n".join(part for part in (begun.text, messages.clean(text)) if part)
        messages.change(session, ticket, message_id, text=words, folded=fold(words))
        if begun.who == AGENT:
            messages.send(session, ticket, message_id, member.name)
    if not note:
        notices.postpone(session, RULE, message_id, now(session) + WHOLE_AFTER)
    return message_id


def _files(session: Session, message_id: int) -> Sequence[int]:
    a, f = attachments.c, ticket_files.c
    return session.execute(
        select(a.id).join(ticket_files, f.attachment_id == a.id).where(f.message_id == message_id)
    ).scalars().all()  # fmt: skip


def _still_here(session: Session, begun: object) -> bool:
    """Whether nothing of it has left; then what waited is taken back, for it leaves with the new part."""
    if getattr(begun, "state", "") != "queued":
        return False
    number = int(getattr(begun, "id"))  # noqa: B009  # a row has no type of its own
    left = session.execute(
        select(outbox.OutboxRow.id).where(outbox.OutboxRow.rule == RULE, outbox.OutboxRow.subject == number).limit(1)
    ).first()
    if left is not None:
        return False
    notices.withdraw(session, RULE, number)
    return True
