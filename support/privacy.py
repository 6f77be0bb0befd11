"""Privacy: a customer's copy of all that is kept of them, on every floor, and their right to have it erased."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from loyalty.customers import customers, records
from store import audit, erasure, forum
from store.base import table
from store.outbox import OutboxRow
from store.signals import signal
from support import fields, thread
from support.answers import asking
from support.care import incidents, plans
from support.changes import CHANGE_RULE
from support.complaints import keeping
from support.deadlines import promises
from support.drafts import drafts
from support.duties import copies
from support.feedback import compliments, surveys
from support.messages import NOTE, RULE, attachments, places, ticket_files, ticket_messages
from support.ratings import of as rating_of
from support.ratings import ratings
from support.tickets import ticket_events, tickets

WORDS_KEPT = erasure.WORDS_KEPT | {"priority", "language", "until", "what"} | {
    "stage", "origin", "outcome", "remedy", "way", "why",
}  # fmt: skip
"""Words of a thread's events that say how a ticket was handled, and nothing of a person."""


def export(session: Session, customer_id: int) -> dict[str, Any]:
    """All that is kept of a customer, in plain values. What colleagues note among themselves is not theirs. Raises
    NotFoundError.
    """
    number = customers.resolve(session, customer_id)
    told = records.of(session, number)
    t = tickets.c
    rows = session.execute(
        select(t.id, t.state, t.topic, t.created_at).where(t.customer_id == number).order_by(t.id)
    ).all()
    filled = fields.filled_of(session, [row.id for row in rows])
    complained = keeping.record(session, [row.id for row in rows])
    told["tickets"] = [
        {
            "id": row.id, "state": row.state, "topic": row.topic, "created_at": row.created_at.isoformat(),
            "fields": filled.get(row.id, {}), "complaint": complained.get(row.id), "rating": _rating(session, row.id),
            "messages": [_message(message) for message in thread.whole(session, row.id) if message.who != NOTE],
            "promises": [
                {"what": one.what, "until": one.due_at.isoformat(), "state": one.state}
                for one in promises.of(session, [row.id])
            ],
        }
        for row in rows
    ]  # fmt: skip
    told["care"] = plans.record(session, number)
    told["questions"] = asking.record(session, number)
    told["surveys"] = [
        {"about": one.kind, "score": one.score, "comment": one.comment} for one in surveys.of_customer(session, number)
        if one.state == surveys.State.ANSWERED
    ]  # fmt: skip
    return told


def erase(session: Session, customer_id: int, actor: str) -> None:
    """Erase a customer: name, phone, birthday, messenger accounts, all words and media. Orders, tickets as such and the
    ledger stay, nobody's, so that balances can be proven. Raises NotFoundError.
    """
    numbers = records.every_number(session, customer_id)
    theirs = session.execute(select(tickets.c.id).where(tickets.c.customer_id.in_(numbers))).scalars().all()
    shas = forget_tickets(session, theirs)
    keeping.forget(session, theirs, numbers)
    surveys.forget(session, numbers)
    asking.forget(session, numbers)
    plans.forget(session, numbers)
    incidents.forget(session, numbers)
    erasure.forget_media(session, shas | copies.forget(session, numbers) | records.forget(session, customer_id))
    audit.record(session, actor, "customer.erase", customer=numbers[0])


def forget_tickets(session: Session, ticket_ids: Sequence[int]) -> set[str]:
    """Take every word and file out of some tickets, here and in the forum; they stay as cases. The addresses of the media
    that were in them: whoever calls this lets go of those that nobody else has.
    """
    t = tickets.c
    rows = session.execute(select(t.id, t.shop_id, t.preview).where(t.id.in_(ticket_ids))).all()
    shas = _forget_messages(session, ticket_ids)
    promises.forget(session, ticket_ids)
    compliments.forget(session, ticket_ids)
    for row in rows:
        preview = {**row.preview, "text": ""} if row.preview else row.preview
        session.execute(update(tickets).where(t.id == row.id).values(subject="", folded="", preview=preview))
        signal(session, f"desk:{row.shop_id}")
    forum.forget(session, ticket_ids)
    return shas


def _rating(session: Session, ticket_id: int) -> dict[str, Any] | None:
    found = rating_of(session, ticket_id)
    return {"stars": found.stars, "comment": found.comment, "at": found.at.isoformat()} if found else None


def _forget_messages(session: Session, ticket_ids: Sequence[int]) -> set[str]:
    """Empty the messages of some tickets; the addresses of the media that were in them."""
    m, f = ticket_messages.c, ticket_files.c
    messages = session.execute(select(m.id).where(m.ticket_id.in_(ticket_ids))).scalars().all()
    files = session.execute(
        select(attachments.c.id, attachments.c.sha)
        .join(ticket_files, f.attachment_id == attachments.c.id)
        .where(f.message_id.in_(messages))
    ).all()
    numbers = [row.id for row in files]
    session.execute(delete(ticket_files).where(f.attachment_id.in_(numbers)))
    session.execute(delete(attachments).where(attachments.c.id.in_(numbers)))
    session.execute(
        update(ticket_messages)
        .where(m.id.in_(messages))
        .values(
            text="",
            folded="",
            history=[],
            location=None,
            account=None,
            chat=None,
            message=None,
            reason=None,
            reactions={},
        )
    )
    session.execute(delete(places).where(places.c.message_id.in_(messages)))
    session.execute(delete(drafts).where(drafts.c.ticket_id.in_(ticket_ids)))
    session.execute(delete(fields.field_values).where(fields.field_values.c.ticket_id.in_(ticket_ids)))
    sent = table(OutboxRow)
    session.execute(
        update(sent)
        .where(sent.c.rule.in_((RULE, CHANGE_RULE)), sent.c.subject.in_(messages), sent.c.state != "queued")
        .values(payload="{}", result=None, error=None)
    )
    session.execute(update(ratings).where(ratings.c.ticket_id.in_(ticket_ids)).values(comment=""))
    e = ticket_events.c
    for row in session.execute(select(e.ticket_id, e.seq, e.data).where(e.ticket_id.in_(ticket_ids))).all():
        kept = {key: _impersonal(key, value) for key, value in row.data.items()}
        if kept != row.data:
            where = (e.ticket_id == row.ticket_id, e.seq == row.seq)
            session.execute(update(ticket_events).where(*where).values(data=kept))
    return {row.sha for row in files if row.sha}


def _impersonal(key: str, value: Any) -> Any:
    """A fact of a thread's event without words that a person may be in: the thread stays readable."""
    if isinstance(value, str):
        return value if key in WORDS_KEPT else ""
    if isinstance(value, list):
        return [_impersonal(key, one) for one in value]
    if isinstance(value, dict):
        return {name: _impersonal(name, one) for name, one in value.items()}
    return value


def _message(message: thread.Message) -> dict[str, Any]:
    media: list[dict[str, Any]] = [
        {
            "number": file.id, "kind": file.kind, "name": file.name, "mime": file.mime, "size": file.size,
            "state": file.state,
        }
        for file in message.files
    ]  # fmt: skip
    if message.location is not None:
        media.append({"kind": "location", **message.location})
    return {"from": message.who, "text": message.text, "at": message.at.isoformat(), "media": media}
