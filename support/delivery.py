"""Delivery: whether what an agent wrote has reached the customer, and another try where it hasn't."""

import json
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from store import outbox
from store.errors import NotFoundError
from store.outbox import Ended
from store.staff import Member
from support import messages, tickets
from support.messages import AGENT, Source, ticket_messages
from support.tickets import Ticket

_OUTCOME = {"sent": "sent", "failed": "failed", "unknown": "unknown", "expired": "failed", "dropped": "failed"}
_WORST_FIRST = ("failed", "unknown", "queued", "sent")


def message_ended(session: Session, ended: Ended) -> None:
    """The outbox's end rule `ticket_message`: how one of a message's rows ended. `failed` outweighs `unknown` outweighs
    `sent` where a message left as several rows.
    """
    outcome = _OUTCOME.get(ended.state)
    row = _of_call(session, ended.call.subject)
    if outcome is None or row is None:
        return
    ticket = tickets.hold(session, row.ticket_id)
    message = _read(session, row.id)
    calls = {**message.calls, str(ended.call.id): outcome}
    worst = next(state for state in _WORST_FIRST if state in calls.values())
    chat = ended.call.chat
    for number in _numbers(ended.result) if outcome == "sent" and chat is not None else ():
        assert chat is not None
        place = Source(ended.call.account, chat, number)
        if messages.by_source(session, place) is None:
            session.execute(
                insert(messages.places).values(
                    account=place.account, chat=place.chat, message=place.message, message_id=row.id,
                    part=_part(ended.call.method, ended.call.payload),
                )
            )  # fmt: skip
    reason = None if worst == "sent" else (ended.error or message.reason)
    _settle(session, ticket, message, worst, reason, calls=calls)


def message_skipped(session: Session, message_id: int, reason: str) -> None:
    """The notifier could not send a message at all, for `reason` (no messenger …): it failed."""
    row = _of_call(session, message_id)
    if row is not None:
        _settle(session, tickets.hold(session, row.ticket_id), row, "failed", reason)


def retry(session: Session, message_id: int, member: Member) -> None:
    """Send again what failed or may not have arrived: of a message that arrived in part the rest alone, else all of it, on
    whichever messenger the customer is by now. Repeatable: what is on its way or arrived stays as it is.
    """
    row = _of_call(session, message_id)
    if row is None:
        raise NotFoundError("message", message_id)
    ticket = tickets.hold(session, row.ticket_id, member)
    message = _read(session, message_id)
    if message.state not in {"failed", "unknown"} or message.deleted_at is not None:
        return
    if "sent" in message.calls.values():
        again = outbox.again(session, [int(call) for call, outcome in message.calls.items() if outcome != "sent"])
        if again:
            calls = message.calls | {str(call): "queued" for call in again}
            _settle(session, ticket, message, "queued", None, calls=calls)
            return
    _settle(session, ticket, message, "queued", None, calls={})
    messages.send(session, ticket, message_id, member.name)


def _settle(session: Session, ticket: Ticket, message: Any, state: str, reason: str | None, **values: Any) -> None:
    messages.change(session, ticket, message.id, state=state, reason=reason, **values)
    if ticket.preview.get("seq") == message.seq:
        tickets.write(session, ticket, preview={**ticket.preview, "state": state})


def _of_call(session: Session, message_id: int | None) -> Any:
    m = ticket_messages.c
    return session.execute(select(m.id, m.ticket_id, m.seq).where(m.id == message_id, m.who == AGENT)).first()


def _read(session: Session, message_id: int) -> Any:
    """A message as it stands now that its desk's turn is held."""
    m = ticket_messages.c
    return session.execute(
        select(m.id, m.seq, m.state, m.calls, m.reason, m.deleted_at).where(m.id == message_id)
    ).one()  # fmt: skip


def _part(method: str, payload: str) -> str:
    if method == "sendMessage":
        return "text"
    return "caption" if '"caption"' in payload else "file"


def _numbers(result: Any) -> list[int]:
    """The message numbers in a messenger's answer: a message's, or an album's."""
    if isinstance(result, str):
        result = json.loads(result)
    found = result if isinstance(result, list) else [result]
    return [one["message_id"] for one in found if isinstance(one, dict) and isinstance(one.get("message_id"), int)]
