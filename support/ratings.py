"""Ratings: what a customer thought of the help they got, once per ticket. Good words reach who is praised, a low one opens
a recovery case.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, Text, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.customers import customers, facts
from store import events
from store.base import Base, UtcTime, table
from store.clock import now
from store.errors import ConflictError, InvalidError, NotFoundError
from support import tickets
from support.complaints import recovery
from support.feedback import compliments

COMMENT_CHARS_MAX = 1000


class RatingRow(Base):
    __tablename__ = "ratings"

    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), primary_key=True, autoincrement=False)
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"), index=True)
    """Who looked after the ticket."""
    stars: Mapped[int]
    """1 to 5."""
    comment: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Rating:
    """`stars` from 1 to 5; `comment` is empty where they said no more."""

    stars: int
    comment: str
    at: datetime


class AlreadyRatedError(ConflictError):
    """The ticket has its rating."""

    code = "already_rated"

    def __init__(self, stars: int) -> None:
        super().__init__("rated")
        self.stars = stars


ratings = table(RatingRow)


def rate(session: Session, ticket_id: int, customer_id: int, stars: int, comment: str = "") -> None:
    """A customer rates the help with their own ticket. Raises NotFoundError (not theirs), InvalidError,
    AlreadyRatedError.
    """
    if not 1 <= stars <= 5:
        raise InvalidError("stars", "range", stars)
    ticket = _own(session, ticket_id, customer_id)
    known = of(session, ticket_id)
    if known is not None:
        raise AlreadyRatedError(known.stars)
    session.execute(
        insert(ratings).values(
            ticket_id=ticket_id, staff_id=ticket.assignee_id, stars=stars, comment=_words(comment), at=now(session)
        )
    )
    tickets.log(session, ticket, "rated", None, stars=stars, comment=_words(comment))
    events.happened(
        session, "ticket_rated", customer_id=ticket.customer_id, shop_id=ticket.shop_id, ticket=ticket_id, stars=stars
    )
    facts.put(session, ticket.customer_id, facts.LAST_RATING, stars)
    compliments.rated(session, ticket, stars, _words(comment))
    recovery.rated(session, ticket, stars)


def comment(session: Session, ticket_id: int, customer_id: int, words: str) -> None:
    """Add the words to a rating given without any. Raises NotFoundError, ConflictError where it has words."""
    ticket = _own(session, ticket_id, customer_id)
    known = of(session, ticket_id)
    if known is None:
        raise NotFoundError("rating", ticket_id)
    if known.comment:
        raise ConflictError("commented")
    session.execute(update(ratings).where(ratings.c.ticket_id == ticket_id).values(comment=_words(words)))
    tickets.log(session, ticket, "commented", None, comment=_words(words))
    compliments.rated(session, ticket, known.stars, _words(words))
    recovery.commented(session, ticket, _words(words))


def of(session: Session, ticket_id: int) -> Rating | None:
    """A ticket's rating; None before there is one."""
    row = session.execute(
        select(ratings.c.stars, ratings.c.comment, ratings.c.at).where(ratings.c.ticket_id == ticket_id)
    ).first()
    return Rating(*row) if row else None


def _own(session: Session, ticket_id: int, customer_id: int) -> tickets.Ticket:
    ticket = tickets.hold(session, ticket_id)
    if ticket.customer_id != customers.resolve(session, customer_id):
        raise NotFoundError("ticket", ticket_id)
    return ticket


def _words(comment: str) -> str:
    return comment.replace("\x00", "").strip()[:COMMENT_CHARS_MAX]
