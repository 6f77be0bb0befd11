"""Changes: what becomes of messages after they were said: edits, reactions, and taking an agent's words away again. What
the shop changes is passed on to the messenger; what the messenger refuses, the thread says.
"""

from dataclasses import asdict
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from store import audit, notices, outbox, webchat
from store.clock import now
from store.errors import ConflictError, InvalidError, NotFoundError
from store.outbox import Ended, Purpose
from store.staff import Member, Right
from store.text import fold
from support import messages, tickets
from support.messages import AGENT, CUSTOMER, NOTE, PREVIEW_CHARS, RULE, Source, ticket_messages
from support.tickets import Ticket

CHANGE_RULE = "ticket_change"
"""Under this name the sender tells `change_ended` how an edit or a deletion ended."""
CAPTION_CHARS_MAX = 1024
REACTIONS = webchat.REACTIONS
"""What a colleague may put on a customer's message: each is one that a bot may use on every messenger."""
OF_CUSTOMER_MAX = 5


class OnItsWayError(ConflictError):
    """The message is just leaving, or nobody knows whether it arrived: it can't be changed now."""

    code = "message_on_its_way"

    def __init__(self, message_id: int) -> None:
        super().__init__(f"message {message_id}")
        self.message_id = message_id


# ── The customer ───────────────────────────────────────────────────────────────────────────────────


def customer_edits(session: Session, source: Source, *, text: str = "", location: dict[str, Any] | None = None) -> bool:
    """The customer changed a message: the ticket shows the new wording and keeps the old. False where it is in none."""
    known = messages.by_source(session, source)
    if known is None or known.who != CUSTOMER:
        return False
    ticket = tickets.hold(session, known.ticket_id)
    row = _read(session, known.id)
    text, location = messages.clean(text), location or row.location
    if (text, location) != (row.text, row.location):
        _reword(session, ticket, row, text, location=location)
    return True


def customer_reacts(session: Session, source: Source, emoji: list[str]) -> bool:
    """These are the customer's reactions to a message from now on; False where it is in no ticket."""
    known = messages.by_source(session, source)
    if known is None:
        return False
    _put_reactions(session, tickets.hold(session, known.ticket_id), known.id, CUSTOMER, emoji[:OF_CUSTOMER_MAX])
    return True


# ── The shop ───────────────────────────────────────────────────────────────────────────────────────


def agent_edits(session: Session, message_id: int, member: Member, text: str) -> None:
    """Reword an answer or a note of one's own (a supervisor: anybody's). The customer sees the new words; one that has not
    left yet leaves with them. Raises NotFoundError, ForbiddenError, InvalidError, OnItsWayError.
    """
    ticket, row = _own(session, message_id, member)
    text = messages.clean(text)
    if not text and not _has_files(session, message_id):
        raise InvalidError("text", "empty")
    if len(text) > messages.TEXT_CHARS_MAX:
        raise InvalidError("text", "length", len(text))
    if row.deleted_at is not None:
        raise NotFoundError("message", message_id)
    if text == row.text:
        return
    where = messages.places_of(session, message_id) if row.who == AGENT else []
    waits = row.who == AGENT and not where and row.state != "failed"
    if waits and not _withdraw(session, row):
        raise OnItsWayError(message_id)
    _reword(session, ticket, row, text)
    if waits:
        messages.send(session, ticket, message_id, member.name)
    elif where:
        place, part = next((one for one in where if one[1] == "text"), where[0])
        if part != "text" and len(text) > CAPTION_CHARS_MAX:
            raise InvalidError("text", "length", len(text))
        _tell(session, ticket, message_id, "ticket_edit", [(place, part)], text=text)


def agent_deletes(session: Session, message_id: int, member: Member) -> None:
    """Take an answer of one's own (a supervisor: anybody's) away from the customer; colleagues still read it, and the audit
    keeps who did it. Repeatable. Raises as `agent_edits`.
    """
    ticket, row = _own(session, message_id, member)
    if row.who != AGENT:
        raise NotFoundError("message", message_id)
    if row.deleted_at is not None:
        return
    where = messages.places_of(session, message_id)
    values: dict[str, Any] = {"deleted_at": now(session)}
    if row.state == "queued" or (row.state == "unknown" and not where):
        if not _withdraw(session, row):
            raise OnItsWayError(message_id)
        values |= {"state": "failed", "reason": "withdrawn"}
    if where:
        _tell(session, ticket, message_id, "ticket_delete", where)
    messages.change(session, ticket, message_id, **values)
    tickets.log(session, ticket, "deleted", member.id, message=row.seq)
    audit.record(session, f"staff:{member.id}", "message_deleted", ticket.shop_id, ticket=ticket.id, message=message_id)


def agent_reacts(session: Session, message_id: int, member: Member, emoji: str | None) -> None:
    """Put the shop's one reaction on a customer's message, or take it away (None). Raises NotFoundError, ForbiddenError,
    InvalidError("emoji").
    """
    if emoji is not None and emoji not in REACTIONS:
        raise InvalidError("emoji", "unknown", emoji)
    ticket, row = _held(session, message_id, member)
    if row.who != CUSTOMER:
        raise NotFoundError("message", message_id)
    if _put_reactions(session, ticket, message_id, AGENT, [emoji] if emoji else []):
        where = messages.places_of(session, message_id)[:1]
        if where:
            _tell(session, ticket, message_id, "ticket_reaction", where, emoji=emoji or "")


# ── What the messenger says to it ──────────────────────────────────────────────────────────────────


def change_ended(session: Session, ended: Ended) -> None:
    """The outbox's end rule `ticket_change`: an edit or a deletion that the messenger refused is said in the thread, and
    what could not be taken away is not shown as if it were gone.
    """
    if ended.state in {"failed", "expired", "dropped"} and ended.call.subject is not None:
        what = {"deleteMessage": "deletion", "setMessageReaction": "reaction"}.get(ended.call.method, "edit")
        _refused(session, ended.call.subject, what, ended.error or "")


def change_skipped(session: Session, message_id: int, reason: str) -> None:
    """The notifier found nobody to pass a change on to."""
    _refused(session, message_id, "change", reason)


def _refused(session: Session, message_id: int, what: str, reason: str) -> None:
    m = ticket_messages.c
    row = session.execute(select(m.id, m.ticket_id, m.seq, m.deleted_at).where(m.id == message_id)).first()
    if row is None or what == "reaction":
        return
    ticket = tickets.hold(session, row.ticket_id)
    if what != "edit" and row.deleted_at is not None:
        if "not found" in reason:
            return  # the customer's side has it no more, which is what was wanted
        messages.change(session, ticket, message_id, deleted_at=None)
        what = "deletion"
    tickets.log(session, ticket, "not_changed", None, message=row.seq, what=what, reason=reason)


# ── Inside ─────────────────────────────────────────────────────────────────────────────────────────


def _held(session: Session, message_id: int, member: Member) -> tuple[Ticket, Any]:
    m = ticket_messages.c
    ticket_id = session.execute(select(m.ticket_id).where(m.id == message_id)).scalar()
    if ticket_id is None:
        raise NotFoundError("message", message_id)
    try:
        ticket = tickets.hold(session, ticket_id, member)
    except NotFoundError:
        raise NotFoundError("message", message_id) from None
    return ticket, _read(session, message_id)


def _own(session: Session, message_id: int, member: Member) -> tuple[Ticket, Any]:
    ticket, row = _held(session, message_id, member)
    if row.who not in {AGENT, NOTE}:
        raise NotFoundError("message", message_id)
    if row.staff_id != member.id:
        member.need(Right.SUPERVISE, ticket.shop_id)
    return ticket, row


def _read(session: Session, message_id: int) -> Any:
    """A message as it stands now that its desk's turn is held."""
    m = ticket_messages.c
    return session.execute(
        select(m.id, m.seq, m.who, m.staff_id, m.text, m.location, m.history, m.state, m.reactions, m.deleted_at)
        .where(m.id == message_id)
    ).one()  # fmt: skip


def _reword(session: Session, ticket: Ticket, row: Any, text: str, **values: Any) -> None:
    if text != row.text:
        at = now(session)
        earlier = [*row.history, {"text": row.text, "until": at.isoformat()}]
        values |= {"text": text, "folded": fold(text), "history": earlier, "edited_at": at}
    messages.change(session, ticket, row.id, **values)
    if ticket.preview.get("seq") == row.seq:
        tickets.write(session, ticket, preview={**ticket.preview, "text": text[:PREVIEW_CHARS]})


def _put_reactions(session: Session, ticket: Ticket, message_id: int, who: str, emoji: list[str]) -> bool:
    """Whether that changed anything."""
    before = _read(session, message_id).reactions or {}
    after = {**before, who: emoji} if emoji else {key: value for key, value in before.items() if key != who}
    if after == before:
        return False
    messages.change(session, ticket, message_id, reactions=after)
    return True


def _has_files(session: Session, message_id: int) -> bool:
    f = messages.ticket_files.c
    return session.execute(select(f.attachment_id).where(f.message_id == message_id).limit(1)).first() is not None


def _withdraw(session: Session, row: Any) -> bool:
    """Take back what has not left yet; False where some of it is leaving at this moment, or may have arrived."""
    if row.state != "queued":
        return False
    notices.withdraw(session, RULE, row.id)
    return outbox.withdraw(session, RULE, row.id)


def _tell(
    session: Session, ticket: Ticket, message_id: int, kind: str, where: list[tuple[Source, str]], **params: Any
) -> None:
    notices.tell(
        session, kind, customer_id=ticket.customer_id, shop_id=ticket.shop_id, purpose=Purpose.REPLY,
        rule=CHANGE_RULE, subject=message_id, places=[{**asdict(place), "part": part} for place, part in where], **params,
    )  # fmt: skip
