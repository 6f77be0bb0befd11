"""Links: tickets that belong together, and how. Only rows; what makes them is support.linking and tickets.open_or_join."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Text, delete, insert, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, table


class Kind(StrEnum):
    """What one ticket is to the other."""

    FOLLOWS = "follows"
    """The customer came back after the other was closed."""
    SPLIT = "split"
    """Some messages of the other went on in it."""
    MERGED = "merged"
    """It became a part of the other."""
    RELATED = "related"
    """A colleague said so."""


class TicketLinkRow(Base):
    """`ticket_id` is what `kind` says to `other_id`; two tickets are linked once."""

    __tablename__ = "ticket_links"

    ticket_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    other_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, index=True)
    kind: Mapped[str] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class Link:
    """A ticket's other one. `back`: the other one is what `kind` says to the ticket, not the ticket to it."""

    other_id: int
    kind: str
    back: bool


ticket_links = table(TicketLinkRow)


def put(session: Session, ticket_id: int, other_id: int, kind: Kind) -> bool:
    """Link two tickets; False where they were linked before, either way round."""
    if any(one.other_id == other_id for one in of(session, ticket_id)):
        return False
    try:
        with session.begin_nested():
            session.execute(insert(ticket_links).values(ticket_id=ticket_id, other_id=other_id, kind=kind))
    except IntegrityError:
        # Somebody else has just said the same.
        return False
    return True


def of(session: Session, ticket_id: int) -> list[Link]:
    """What a ticket is linked to, the oldest ticket first."""
    t = ticket_links.c
    rows = session.execute(
        select(t.ticket_id, t.other_id, t.kind).where(or_(t.ticket_id == ticket_id, t.other_id == ticket_id))
    )
    found = [
        Link(row.other_id, row.kind, back=False)
        if row.ticket_id == ticket_id
        else Link(row.ticket_id, row.kind, back=True)
        for row in rows
    ]
    return sorted(found, key=lambda one: one.other_id)


def cut(session: Session, ticket_id: int, other_id: int) -> bool:
    """Take a link that a colleague made away; False where there is none. What happened (a merge, a split) stays."""
    t = ticket_links.c
    gone = delete(ticket_links).where(
        t.kind == Kind.RELATED,
        or_(
            (t.ticket_id == ticket_id) & (t.other_id == other_id), (t.ticket_id == other_id) & (t.other_id == ticket_id)
        ),
    )
    return bool(session.execute(gone.returning(t.ticket_id)).first())
