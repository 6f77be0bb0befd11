"""Messages of a ticket: what the customer said wherever they said it, what the shop answered and whether it arrived."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Text, UniqueConstraint, bindparam, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import media, notices
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import InvalidError, NotFoundError
from store.media import File
from store.outbox import Purpose
from store.prepared import Prepared
from store.staff import Member, Right
from store.text import beginning, fold
from support import drafts, hooks, mentions, seen, tickets
from support.tickets import State, Ticket, TicketStateError

TEXT_CHARS_MAX = 4096
"""What an agent may write at once: the longest text a messenger takes as one message."""
FILES_MAX = 10
"""Files of one message: the largest album of a messenger."""
PREVIEW_CHARS = 100
RULE = "ticket_message"
"""Under this name the sender tells `message_ended` how a message's sending ended."""

CUSTOMER, AGENT, NOTE = "customer", "agent", "note"


class TicketMessageRow(Base):
    __tablename__ = "ticket_messages"
    __table_args__ = (
        UniqueConstraint("ticket_id", "seq"),
        UniqueConstraint("ticket_id", "key"),
        Index("ix_ticket_messages_changed", "ticket_id", "changed"),
        Index("uq_ticket_messages_source", "account", "chat", "message", unique=True),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    seq: Mapped[int]
    """Its place in the thread, taken under the desk's turn."""
    changed: Mapped[int]
    """The desk's number at its last change."""
    who: Mapped[str] = mapped_column(Text)
    """customer, agent, or note (which stays in the house)."""
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    at: Mapped[datetime] = mapped_column(UtcTime)
    text: Mapped[str] = mapped_column(Text)
    folded: Mapped[str] = mapped_column(Text)
    edited_at: Mapped[datetime | None] = mapped_column(UtcTime)
    history: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """Earlier wordings, oldest first: {text, until}."""
    reply_to: Mapped[int | None]
    """The seq of the message of the same ticket that it answers."""
    location: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """{lat, lon, name?}"""
    group_id: Mapped[str | None] = mapped_column(Text)
    """The messenger's album that it is a part of."""
    account: Mapped[str | None] = mapped_column(Text)
    chat: Mapped[int | None] = mapped_column(BigInteger)
    message: Mapped[int | None] = mapped_column(BigInteger)
    """Where the customer's stands on the messenger; where an agent's does, see PlaceRow."""
    key: Mapped[str | None] = mapped_column(Text)
    """The page's own key of what it sends: once each."""
    state: Mapped[str | None] = mapped_column(Text)
    """Of an agent's: queued, sent, failed (see `reason`), unknown."""
    reason: Mapped[str | None] = mapped_column(Text)
    calls: Mapped[dict[str, str]] = mapped_column(JSON)
    """Outcome by outbox row, for a long message may leave as several."""
    reactions: Mapped[dict[str, list[str]] | None] = mapped_column(JSON)
    """Emoji on it: `customer` theirs, `agent` the shop's; empty before there are any."""
    deleted_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """When an agent's was taken away from the customer; colleagues still read it."""


class PlaceRow(Base):
    """Where a part of an agent's message stands on a messenger: words and files may arrive as several messages."""

    __tablename__ = "ticket_places"

    account: Mapped[str] = mapped_column(Text, primary_key=True)
    chat: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    message: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    message_id: Mapped[int] = mapped_column(ForeignKey("ticket_messages.id"), index=True)
    part: Mapped[str] = mapped_column(Text)
    """text, caption (a file with the words) or file."""


class TicketFileRow(Base):
    """Which attachment belongs to which message."""

    __tablename__ = "ticket_files"

    attachment_id: Mapped[int] = mapped_column(ForeignKey("attachments.id"), primary_key=True, autoincrement=False)
    message_id: Mapped[int] = mapped_column(ForeignKey("ticket_messages.id"), index=True)


@dataclass(frozen=True, slots=True)
class Source:
    """A message on a messenger: our account there, the chat, the message's number in it."""

    account: str
    chat: int
    message: int


class Found(NamedTuple):
    """A message that stands somewhere on a messenger."""

    id: int
    ticket_id: int
    seq: int
    who: str


@dataclass(frozen=True, slots=True)
class Said:
    """Where a customer's message stands; `new` unless it was there before."""

    message_id: int
    seq: int
    new: bool


ticket_messages = table(TicketMessageRow)
ticket_files = table(TicketFileRow)
places = table(PlaceRow)
attachments = table(media.Attachment)
_FOUND = tuple(ticket_messages.c[name] for name in ("id", "ticket_id", "seq", "who"))
_SAID, _ARRIVED = (
    Prepared(
        select(*_FOUND).where(
            at.account == bindparam("account"), at.chat == bindparam("chat"), at.message == bindparam("message"), *also
        )
    )
    for at, also in ((ticket_messages.c, ()), (places.c, (places.c.message_id == ticket_messages.c.id,)))
)
_ADD = Prepared(insert(ticket_messages).returning(ticket_messages.c.id))


# ── The customer ───────────────────────────────────────────────────────────────────────────────────


def customer_says(
    session: Session,
    ticket_id: int,
    *,
    text: str = "",
    files: Sequence[File] = (),
    location: dict[str, Any] | None = None,
    source: Source | None = None,
    group_id: str | None = None,
    reply_to: Source | None = None,
) -> Said:
    """Add what a customer said to their ticket (see tickets.open_or_join). The same source again changes nothing.

    Raises TicketStateError where the ticket is resolved or closed, InvalidError where there is nothing in it.
    """
    known = by_source(session, source) if source else None
    if known is not None:
        return Said(known.id, known.seq, new=False)
    text = clean(text)
    if not text and not files and location is None:
        raise InvalidError("text", "empty")
    ticket = tickets.hold(session, ticket_id)
    if ticket.state not in tickets.ACTIVE:
        raise TicketStateError(ticket_id, ticket.state)
    answered = by_source(session, reply_to) if reply_to else None
    subject = ticket.subject or beginning(text, tickets.SUBJECT_CHARS_MAX)
    values: dict[str, Any] = {"subject": subject, "folded": tickets.folded(session, ticket.customer_id, subject)}
    message_id, seq = _add(
        session, ticket, CUSTOMER, text, files, values, location=location, group_id=group_id,
        reply_to=answered.seq if answered and answered.ticket_id == ticket_id else None,
        **(asdict(source) if source else {}),
    )  # fmt: skip
    if ticket.state in {State.WAITING, State.SNOOZED}:
        tickets.enter(session, ticket, State.OPEN, None)
    for told in hooks.CUSTOMER_SAID:
        told(session, tickets.get(session, ticket_id), message_id, text)
    return Said(message_id, seq, new=True)


# ── The shop ───────────────────────────────────────────────────────────────────────────────────────


def agent_says(
    session: Session,
    ticket_id: int,
    member: Member,
    text: str,
    files: Sequence[File] = (),
    *,
    key: str,
    reply_to: int | None = None,
) -> int:
    """Answer the customer, or one message of the ticket (`reply_to`, its seq); the message's number. The page's `key` again
    adds nothing. Who answers an unassigned ticket looks after it from then on.

    Raises NotFoundError, ForbiddenError, InvalidError (nothing in it, too long, too many files, reply_to), TicketStateError
    (closed).
    """
    text = checked(text, files)
    ticket = tickets.hold(session, ticket_id, member)
    known = _by_key(session, ticket_id, key)
    if known is not None:
        return known
    if ticket.state == State.CLOSED:
        raise TicketStateError(ticket_id, ticket.state)
    _check_quoted(session, ticket_id, reply_to)
    if ticket.assignee_id is None:
        tickets.give(session, ticket, member.id, member.id)
    first = {"first_response_at": now(session)} if ticket.first_response_at is None else {}
    message_id, seq = _add(
        session, ticket, AGENT, text, files, first, staff_id=member.id, key=key, state="queued", reply_to=reply_to
    )
    seen.mark(session, ticket_id, member.id, seq)
    drafts.forget(session, ticket_id, member.id, "reply")
    send(session, ticket, message_id, member.name)
    if ticket.state in {State.NEW, State.OPEN}:
        tickets.enter(session, ticket, State.WAITING, member.id)
    for told in hooks.AGENT_SAID:
        told(session, tickets.get(session, ticket_id), message_id, member.id)
    return message_id


def note(
    session: Session,
    ticket_id: int,
    member: Member,
    text: str,
    files: Sequence[File] = (),
    *,
    key: str,
    reply_to: int | None = None,
) -> int:
    """Write what only colleagues read; the message's number. The same `key` again adds nothing. Colleagues called by name
    (@Minh) are told. Raises as `agent_says`, but a closed ticket takes notes.
    """
    text = checked(text, files)
    ticket = tickets.hold(session, ticket_id, member)
    known = _by_key(session, ticket_id, key)
    if known is not None:
        return known
    _check_quoted(session, ticket_id, reply_to)
    message_id, seq = _add(session, ticket, NOTE, text, files, {}, staff_id=member.id, key=key, reply_to=reply_to)
    drafts.forget(session, ticket_id, member.id, "note")
    mentions.note_down(session, ticket, member, message_id, seq, text)
    return message_id


def by_source(session: Session, source: Source) -> Found | None:
    """The message that stands there on a messenger."""
    where = asdict(source)
    found = _SAID(session, **where) or _ARRIVED(session, **where)
    return Found(*found[0]) if found else None


def places_of(session: Session, message_id: int) -> list[tuple[Source, str]]:
    """Where a message stands on a messenger, each place with its part (text, caption, file), in the order it arrived."""
    m, p = ticket_messages.c, places.c
    own = session.execute(select(m.account, m.chat, m.message).where(m.id == message_id, m.message.is_not(None))).all()
    more = session.execute(
        select(p.account, p.chat, p.message, p.part).where(p.message_id == message_id).order_by(p.message)
    ).all()
    arrived = [(Source(row.account, row.chat, row.message), row.part) for row in more]
    return [(Source(*row), "text") for row in own if Source(*row) not in {place for place, _ in arrived}] + arrived


def content_of(session: Session, attachment_id: int, member: Member) -> tuple[media.Content, str]:
    """The bytes and the name of a file that a member of staff may look at; raises NotFoundError where its ticket is
    another shop's, or where the bytes are not there (yet), ForbiddenError.
    """
    member.need(Right.DESK)
    a = attachments.c
    row = session.execute(
        select(ticket_messages.c.ticket_id, a.sha, a.name)
        .join(ticket_files, ticket_files.c.message_id == ticket_messages.c.id)
        .join(attachments, a.id == ticket_files.c.attachment_id)
        .where(a.id == attachment_id)
    ).first()
    if row is None or row.sha is None:
        raise NotFoundError("media", attachment_id)
    tickets.view(session, row.ticket_id, member)
    return media.load(session, row.sha), row.name


# ── Inside ─────────────────────────────────────────────────────────────────────────────────────────


def _add(
    session: Session,
    ticket: Ticket,
    who: str,
    text: str,
    files: Sequence[File],
    ticket_values: dict[str, Any],
    **values: Any,
) -> tuple[int, int]:
    """Add a message to a held ticket; its number and its place."""
    seq, at = tickets.next_seq(session, ticket), now(session)
    [(message_id,)] = _ADD(
        session, ticket_id=ticket.id, seq=seq, changed=ticket.changed, who=who, at=at, text=text, folded=fold(text),
        history=[], calls={}, **values,
    )  # fmt: skip
    if files:
        ids = [media.attach(session, file, f"ticket:{ticket.id}") for file in files]
        session.execute(insert(ticket_files), [{"attachment_id": number, "message_id": message_id} for number in ids])
    if who != NOTE:
        kind = files[0].kind if files else ("location" if values.get("location") else None)
        preview = {"seq": seq, "who": who, "text": text[:PREVIEW_CHARS], "kind": kind, "state": values.get("state")}
        ticket_values = {**ticket_values, "preview": preview, "updated_at": at}
    if ticket_values:
        tickets.write(session, ticket, **ticket_values)
    return message_id, seq


def change(session: Session, ticket: Ticket, message_id: int, **values: Any) -> None:
    session.execute(
        update(ticket_messages).where(ticket_messages.c.id == message_id).values(changed=ticket.changed, **values)
    )


def send(session: Session, ticket: Ticket, message_id: int, agent: str) -> None:
    """Have an agent's message brought to the customer, as it stands now."""
    a, m = attachments.c, ticket_messages.c
    text, reply_to = session.execute(select(m.text, m.reply_to).where(m.id == message_id)).one()
    files = session.execute(
        select(a.id, a.sha, a.kind, a.mime, a.name, a.size, a.width, a.height, a.account, a.file_id)
        .join(ticket_files, ticket_files.c.attachment_id == a.id)
        .where(ticket_files.c.message_id == message_id)
        .order_by(a.id)
    ).mappings()
    quoted: dict[str, Any] = {}
    if reply_to is not None:
        answered = session.execute(select(m.id).where(m.ticket_id == ticket.id, m.seq == reply_to)).scalar()
        quoted = {"quotes": [asdict(place) for place, _ in places_of(session, answered)]} if answered else {}
    notices.tell(
        session, "ticket_reply", customer_id=ticket.customer_id, shop_id=ticket.shop_id, purpose=Purpose.REPLY,
        rule=RULE, subject=message_id, ticket=ticket.id, agent=agent, text=text, files=[dict(row) for row in files],
        **quoted,
    )  # fmt: skip


def _check_quoted(session: Session, ticket_id: int, reply_to: int | None) -> None:
    m = ticket_messages.c
    quoted = select(m.id).where(m.ticket_id == ticket_id, m.seq == reply_to)
    if reply_to is not None and session.execute(quoted).first() is None:
        raise InvalidError("reply_to", "unknown", reply_to)


def _by_key(session: Session, ticket_id: int, key: str) -> int | None:
    return session.execute(
        select(ticket_messages.c.id).where(ticket_messages.c.ticket_id == ticket_id, ticket_messages.c.key == key)
    ).scalar()


def clean(text: str) -> str:
    """PostgreSQL keeps no NUL; everything else stays as it was written."""
    return text.replace("\x00", "").strip()


def checked(text: str, files: Sequence[File]) -> str:
    text = clean(text)
    if not text and not files:
        raise InvalidError("text", "empty")
    if len(text) > TEXT_CHARS_MAX:
        raise InvalidError("text", "length", len(text))
    if len(files) > FILES_MAX:
        raise InvalidError("files", "count", len(files))
    return text
