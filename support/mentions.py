"""Mentions: a colleague called by name in a note, who is told and finds the ticket marked until they have read it."""

import re
from collections.abc import Mapping, Sequence

from sqlalchemy import ForeignKey, Index, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import notices, staff
from store.base import Base, table
from store.staff import Member, Right
from store.text import fold
from support.seen import agent_views
from support.tickets import Ticket

AT = re.compile(r"(?<![\w@])@(?=\S)")


class MentionRow(Base):
    """A member of staff whom a note calls."""

    __tablename__ = "ticket_mentions"
    __table_args__ = (Index("ix_ticket_mentions_staff", "staff_id", "ticket_id"),)

    message_id: Mapped[int] = mapped_column(ForeignKey("ticket_messages.id"), primary_key=True, autoincrement=False)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), primary_key=True, autoincrement=False)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), index=True)
    seq: Mapped[int]
    """The note's place in the thread."""


mentions = table(MentionRow)


def called(text: str, colleagues: Sequence[Member]) -> list[Member]:
    """Who of the colleagues a text calls: "@Lý Hoà" by the whole name, "@hoa" by the given name (the last word) where
    only one has it; case and marks aside, the longest name that fits.
    """
    given: dict[str, list[Member]] = {}
    for one in colleagues:
        words = fold(one.name).split()
        if words:
            given.setdefault(words[-1], []).append(one)
    names = [(fold(one.name), one) for one in colleagues if one.name.strip()]
    names += [(name, who[0]) for name, who in given.items() if len(who) == 1]
    names.sort(key=lambda pair: -len(pair[0]))
    found: dict[int, Member] = {}
    for place in AT.finditer(text):
        after = fold(text[place.end() : place.end() + 100])
        for name, _ in names:
            if re.match(rf"{re.escape(name)}(?!\w)", after):
                # Two colleagues of the same name are both meant: nobody could say which.
                found.update((other.id, other) for same, other in names if same == name)
                break
    return list(found.values())


def note_down(session: Session, ticket: Ticket, member: Member, message_id: int, seq: int, text: str) -> None:
    """Tell those whom the member's note in a held ticket calls."""
    if "@" not in text:
        return
    desk = [one for one in staff.every(session) if one.may(Right.DESK, ticket.shop_id) and one.id != member.id]
    for one in called(text, desk):
        session.execute(insert(mentions).values(message_id=message_id, staff_id=one.id, ticket_id=ticket.id, seq=seq))
        # The customer's number goes with it, so that what is said of them is taken out when they are forgotten.
        notices.tell(
            session, "mentioned", staff_id=one.id, customer_id=ticket.customer_id, shop_id=ticket.shop_id,
            ticket=ticket.id, by=member.name, text=text,
        )  # fmt: skip


def move(session: Session, ticket_id: int, places: Mapping[int, int]) -> None:
    """Notes went on in another ticket: `places` gives each message's new one there."""
    for message_id, seq in places.items():
        session.execute(
            update(mentions).where(mentions.c.message_id == message_id).values(ticket_id=ticket_id, seq=seq)
        )


def waiting(session: Session, member: Member, ticket_ids: Sequence[int]) -> set[int]:
    """The tickets among these in which the member was called and hasn't read it yet."""
    rows = session.execute(
        select(mentions.c.ticket_id)
        .outerjoin(
            agent_views,
            (agent_views.c.ticket_id == mentions.c.ticket_id) & (agent_views.c.staff_id == mentions.c.staff_id),
        )
        .where(
            mentions.c.staff_id == member.id, mentions.c.ticket_id.in_(ticket_ids),
            agent_views.c.seq.is_(None) | (agent_views.c.seq < mentions.c.seq),
        )
    )  # fmt: skip
    return set(rows.scalars())
