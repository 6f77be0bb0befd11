"""Linking: tickets that belong together, become one, or become two.

Merging appends: the messages of the ticket that ends are written below those of the one that stays, each with the time it was
said at. So no line that somebody has before them changes its place, a reader's cursor sees every moved line as new, and an
answer on the messenger to any of them is still found.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from loyalty.customers import customers
from store.errors import ConflictError, InvalidError, NotFoundError
from store.staff import Member, Right
from store.text import beginning
from support import drafts, fields, hooks, links, mentions, messages, tags, tickets, topics
from support.links import Kind
from support.messages import AGENT, CUSTOMER, NOTE, ticket_messages
from support.seen import agent_views
from support.tickets import ACTIVE, Priority, State, Ticket, TicketStateError


@dataclass(frozen=True, slots=True)
class Linked:
    """A ticket that another is linked to; `kind` and `back` as in links.Link."""

    id: int
    kind: str
    back: bool
    subject: str
    topic: str
    state: str


class StrangersError(ConflictError):
    """Two tickets of two customers can't become one."""

    code = "tickets_of_two_customers"

    def __init__(self, ticket_id: int, other_id: int) -> None:
        super().__init__(f"tickets {ticket_id} and {other_id}")
        self.ticket_id = ticket_id
        self.other_id = other_id


# ── Links ───────────────────────────────────────────────────────────────────────────────────────────


def link(session: Session, ticket_id: int, member: Member, other_id: int) -> None:
    """Say that two tickets belong together; both threads tell it. Repeatable. Raises as tickets.view for either,
    InvalidError("ticket").
    """
    first, second = _both(session, ticket_id, other_id, member)
    if links.put(session, first.id, second.id, Kind.RELATED):
        tickets.log(session, first, "linked", member.id, ticket=second.id)
        tickets.log(session, second, "linked", member.id, ticket=first.id)


def unlink(session: Session, ticket_id: int, member: Member, other_id: int) -> None:
    """Take such a link away again. Repeatable. Raises as `link`."""
    first, second = _both(session, ticket_id, other_id, member)
    if links.cut(session, first.id, second.id):
        tickets.log(session, first, "unlinked", member.id, ticket=second.id)
        tickets.log(session, second, "unlinked", member.id, ticket=first.id)


def linked(session: Session, ticket_id: int, member: Member) -> list[Linked]:
    """What a ticket is linked to, as far as the member may see it. Raises as tickets.view."""
    tickets.view(session, ticket_id, member)
    found = links.of(session, ticket_id)
    t = tickets.tickets.c
    rows = session.execute(
        select(t.id, t.shop_id, t.subject, t.topic, t.state).where(t.id.in_([one.other_id for one in found]))
    )
    by_id = {row.id: row for row in rows if member.may(Right.DESK, row.shop_id)}
    return [
        Linked(row.id, one.kind, one.back, row.subject, row.topic, row.state)
        for one in found if (row := by_id.get(one.other_id)) is not None
    ]  # fmt: skip


# ── Two become one ─────────────────────────────────────────────────────────────────────────────────


def merge(session: Session, ticket_id: int, member: Member, into_id: int) -> None:
    """Make a ticket a part of another of the same customer: what was said in it moves there, it closes. The one that stays
    is open again if the other was, hurries as the more urgent of the two, and keeps its own facts where both have some.

    Raises as tickets.view for either, InvalidError("ticket": itself), StrangersError, TicketStateError (already merged).
    """
    seen = tickets.view(session, ticket_id, member)
    customers.lock(session, seen.customer_id)
    gone, stays = _both(session, ticket_id, into_id, member)
    if customers.resolve(session, gone.customer_id) != customers.resolve(session, stays.customer_id):
        raise StrangersError(ticket_id, into_id)
    for ticket in (gone, stays):
        if ticket.merged_into is not None:
            raise TicketStateError(ticket.id, "merged")
    was_unsolved = gone.state in ACTIVE
    moved = _move(session, gone, stays, _messages_of(session, gone.id))
    tickets.log(
        session, stays, "merged", member.id, ticket=gone.id, messages=len(moved), first=min(moved.values(), default=0)
    )
    tickets.log(session, gone, "merged_into", member.id, ticket=stays.id)
    _read_on(session, gone, stays, moved)
    links.put(session, gone.id, stays.id, Kind.MERGED)
    tags.carry(session, gone.id, stays.id)
    fields.carry(session, gone.id, stays.id)
    drafts.carry(session, gone.id, stays.id, moved)
    values: dict[str, Any] = {}
    if not stays.subject:
        values |= {"subject": gone.subject, "folded": tickets.folded(session, stays.customer_id, gone.subject)}
    first = [at for at in (gone.first_response_at, stays.first_response_at) if at is not None]
    values["first_response_at"] = min(first, default=None)
    if gone.updated_at > stays.updated_at and gone.preview:
        preview = {**gone.preview, "seq": moved.get(gone.preview["seq"], gone.preview["seq"])}
        values |= {"updated_at": gone.updated_at, "preview": preview}
    tickets.write(session, stays, **values)
    tickets.write(session, gone, merged_into=stays.id)
    tickets.enter(session, gone, State.CLOSED, member.id, resolved_at=gone.resolved_at)
    ladder = list(Priority)
    if ladder.index(Priority(gone.priority)) > ladder.index(Priority(stays.priority)):
        stays = tickets.prioritise(session, stays, gone.priority, member.id)
    if was_unsolved and stays.state not in ACTIVE:
        stays = tickets.reopen(session, stays, member.id)
    for told in hooks.MERGED:
        told(session, tickets.get(session, stays.id), tickets.get(session, gone.id))


# ── One becomes two ────────────────────────────────────────────────────────────────────────────────


def split(
    session: Session, ticket_id: int, member: Member, message_ids: Sequence[int], topic: str | None = None
) -> int:
    """Have some messages of a ticket go on in a new one of the same customer, in the same hands; its number. At least one
    stays behind.

    Raises as tickets.view, InvalidError("messages": unknown, all; "topic"), TicketStateError (merged).
    """
    seen = tickets.view(session, ticket_id, member)
    customers.lock(session, seen.customer_id)
    ticket = tickets.hold(session, ticket_id, member)
    if ticket.merged_into is not None:
        raise TicketStateError(ticket.id, "merged")
    every = _messages_of(session, ticket_id)
    chosen = [row for row in every if row.id in set(message_ids)]
    if not chosen or len(chosen) != len(set(message_ids)):
        raise InvalidError("messages", "unknown")
    if len(chosen) == len(every):
        raise InvalidError("messages", "all")
    if topic is not None:
        topics.check(session, ticket.shop_id, topic)
    number = tickets.begin(
        session, ticket.customer_id, ticket.shop_id, topic=topic or ticket.topic, by=member.id,
        assignee_id=ticket.assignee_id or member.id,
    ).id  # fmt: skip
    new = tickets.hold(session, number)
    moved = _move(session, ticket, new, chosen)
    links.put(session, new.id, ticket.id, Kind.SPLIT)
    tickets.log(session, ticket, "split", member.id, ticket=new.id, seqs=sorted(moved))
    tickets.log(session, new, "split_from", member.id, ticket=ticket.id)
    first_words = next((row.text for row in chosen if row.who == CUSTOMER and row.text), "")
    subject = beginning(first_words, tickets.SUBJECT_CHARS_MAX)
    answered = min((row.at for row in chosen if row.who == AGENT), default=None)
    tickets.write(
        session, new, subject=subject, folded=tickets.folded(session, new.customer_id, subject),
        first_response_at=answered, **_last_word(session, new),
    )  # fmt: skip
    tickets.write(session, ticket, **_last_word(session, ticket))
    said = [row for row in chosen if row.who != NOTE]
    if said and said[-1].who == AGENT:
        tickets.enter(session, new, State.WAITING, member.id)
    elif answered is not None:
        tickets.enter(session, new, State.OPEN, member.id)
    return new.id


# ── Inside ─────────────────────────────────────────────────────────────────────────────────────────


def _both(session: Session, ticket_id: int, other_id: int, member: Member) -> tuple[Ticket, Ticket]:
    """Both tickets held, their desks' turns taken in the order of the shops, as everybody does who takes two."""
    if ticket_id == other_id:
        raise InvalidError("ticket", "same", other_id)
    one = tickets.view(session, ticket_id, member)
    try:
        other = tickets.view(session, other_id, member)
    except NotFoundError as error:
        raise InvalidError("ticket", "unknown", other_id) from error
    for ticket in sorted((one, other), key=lambda ticket: (ticket.shop_id, ticket.id)):
        tickets.hold(session, ticket.id)
    return tickets.get(session, ticket_id), tickets.get(session, other_id)


def _messages_of(session: Session, ticket_id: int) -> Sequence[Any]:
    m = ticket_messages.c
    return session.execute(
        select(m.id, m.seq, m.who, m.text, m.at, m.reply_to).where(m.ticket_id == ticket_id).order_by(m.seq)
    ).all()


def _move(session: Session, source: Ticket, target: Ticket, rows: Sequence[Any]) -> dict[int, int]:
    """Write messages of one held ticket below those of another; their new places by the old. Quotes among them hold."""
    if not rows:
        return {}
    m = ticket_messages.c
    first = tickets.next_seq(session, target, len(rows)) - len(rows) + 1
    places = {row.seq: first + at for at, row in enumerate(rows)}
    session.execute(
        update(ticket_messages)
        .where(m.id == bindparam("moved"))
        .values(ticket_id=target.id, changed=target.changed, seq=bindparam("place"), reply_to=bindparam("quoted")),
        [{"moved": row.id, "place": places[row.seq], "quoted": places.get(row.reply_to)} for row in rows],
    )
    mentions.move(session, target.id, {row.id: places[row.seq] for row in rows if row.who == NOTE})
    # What stays behind no longer quotes what has left.
    session.execute(
        update(ticket_messages)
        .where(m.ticket_id == source.id, m.reply_to.in_(places))
        .values(reply_to=None, changed=source.changed)
    )
    return places


def _read_on(session: Session, gone: Ticket, stays: Ticket, moved: dict[int, int]) -> None:
    """Who had read both tickets to their ends has read what they became."""
    m, v = ticket_messages.c, agent_views.c
    last_gone = max(moved, default=0)
    before = min(moved.values(), default=stays.last_seq + 1)
    last_said = session.execute(
        select(func.max(m.seq)).where(m.ticket_id == stays.id, m.who == CUSTOMER, m.seq < before)
    ).scalar()
    done = select(v.staff_id).where(v.ticket_id == gone.id, v.seq >= last_gone)
    reached = max(moved.values(), default=0)
    if not reached:
        return
    session.execute(
        update(agent_views)
        .where(v.ticket_id == stays.id, v.seq >= (last_said or 0), v.staff_id.in_(done))
        .values(seq=reached)
    )
    if last_said is None:
        known = select(v.staff_id).where(v.ticket_id == stays.id)
        for staff_id in session.execute(done.where(v.staff_id.not_in(known))).scalars().all():
            session.execute(insert(agent_views).values(staff_id=staff_id, ticket_id=stays.id, seq=reached))


def _last_word(session: Session, ticket: Ticket) -> dict[str, Any]:
    """What lists show of a ticket's last message, read anew."""
    m, f, a = ticket_messages.c, messages.ticket_files.c, messages.attachments
    row = session.execute(
        select(m.id, m.seq, m.who, m.text, m.state, m.at, m.location)
        .where(m.ticket_id == ticket.id, m.who != NOTE)
        .order_by(m.seq.desc())
        .limit(1)
    ).first()
    if row is None:
        return {"preview": {}}
    kind = session.execute(
        select(a.c.kind).join(messages.ticket_files, f.attachment_id == a.c.id).where(f.message_id == row.id).limit(1)
    ).scalar()
    kind = kind or ("location" if row.location else None)
    text = row.text[: messages.PREVIEW_CHARS]
    return {
        "preview": {"seq": row.seq, "who": row.who, "text": text, "kind": kind, "state": row.state},
        "updated_at": row.at,
    }  # fmt: skip
