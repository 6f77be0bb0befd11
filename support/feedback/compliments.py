"""Compliments: what customers praise reaches who is praised: good words to a rating, or thanks said in the conversation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.customers import customers
from store import events
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from support import tickets
from support.complaints import severity, team
from support.complaints.phrases import found, phrases, read
from support.complaints.severity import Case
from support.tickets import Ticket

GOOD_STARS = 4
WORDS_CHARS_MAX = 500
THANKS_WORDS_MAX = 14
"""More words than these are about something else, and thank beside it."""
AFTERWARDS = timedelta(days=7)
"""How long after a case was solved thanks are for who solved it."""
BY_RATING, BY_WORDS = "rating", "words"

_PRAISE = phrases("""
    tuyệt vời, dễ thương, nhiệt tình, chu đáo, tận tâm, tận tình, tử tế, tốt bụng, đáng yêu, rất hài lòng, xuất sắc, tuyệt quá, giỏi quá,
    rất tốt, rất nhanh, dịch vụ tốt, phục vụ tốt, great service/help/job, excellent, amazing, helpful, so kind, very kind, lovely, wonderful,
    awesome, fantastic, best service, well done, perfect
""")
_THANKS = phrases("cảm ơn, cám ơn, đa tạ, biết ơn, thanks, thank you, thank u")


class ComplimentRow(Base):
    __tablename__ = "compliments"
    __table_args__ = (
        UniqueConstraint("ticket_id", "source"),
        Index("ix_compliments_shop", "shop_id", "at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    source: Mapped[str] = mapped_column(Text)
    """rating or words: once each for a case."""
    stars: Mapped[int | None]
    words: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Compliment:
    """See ComplimentRow."""

    ticket_id: int
    staff_id: int
    source: str
    stars: int | None
    words: str
    at: datetime


compliments = table(ComplimentRow)


def praises(text: str) -> bool:
    """Whether somebody thanks or praises, and says nothing else that matters."""
    words = read(text)
    if "?" in text or severity.judge(Case(text)).facts:
        return False
    if found(words, _PRAISE):
        return True
    return len(words) <= THANKS_WORDS_MAX and found(words, _THANKS) is not None


def said(session: Session, ticket: Ticket, message_id: int, text: str) -> None:  # noqa: ARG001  # as every hook is called
    """The customer wrote in a ticket: their thanks go to who looks after it."""
    if ticket.assignee_id is not None and praises(text):
        _pass_on(session, ticket, BY_WORDS, text, None)


def said_to_shop(session: Session, customer_id: int, text: str) -> None:
    """The customer thanked the shop, with no ticket open: it is for who solved their last one, if that was lately."""
    last = next(iter(tickets.tickets_of(session, customers.resolve(session, customer_id), 1)), None)
    lately = last is not None and last.resolved_at is not None and last.resolved_at > now(session) - AFTERWARDS
    if last is not None and lately and last.assignee_id is not None and praises(text):
        _pass_on(session, last, BY_WORDS, text, None)


def rated(session: Session, ticket: Ticket, stars: int, words: str) -> None:
    """A rating has words: good ones go to who is praised."""
    if stars >= GOOD_STARS and words and ticket.assignee_id is not None:
        _pass_on(session, ticket, BY_RATING, words, stars)


def _pass_on(session: Session, ticket: Ticket, source: str, words: str, stars: int | None) -> None:
    words = words.strip()[:WORDS_CHARS_MAX]
    try:
        with session.begin_nested():
            session.execute(
                insert(compliments).values(
                    ticket_id=ticket.id, shop_id=ticket.shop_id, staff_id=ticket.assignee_id, source=source,
                    stars=stars, words=words, at=now(session),
                )
            )  # fmt: skip
    except IntegrityError:
        # They have thanked in this case before: once is told.
        return
    events.happened(
        session, "compliment", customer_id=ticket.customer_id, shop_id=ticket.shop_id, ticket=ticket.id,
        staff=ticket.assignee_id, stars=stars,
    )  # fmt: skip
    assert ticket.assignee_id is not None
    team.tell(
        session, "compliment", ticket.assignee_id, ticket, stars=stars, words=words,
        customer=customers.get(session, ticket.customer_id).name,
    )  # fmt: skip


def of_shop(session: Session, shop_id: int, since: datetime, limit: int = 50) -> Sequence[Compliment]:
    """A shop's compliments since a moment, the newest first."""
    c = compliments.c
    rows = session.execute(
        select(c.ticket_id, c.staff_id, c.source, c.stars, c.words, c.at)
        .where(c.shop_id == shop_id, c.at >= since)
        .order_by(c.id.desc())
        .limit(limit)
    )
    return [Compliment(*row) for row in rows]


def forget(session: Session, ticket_ids: Sequence[int]) -> None:
    """Take the words out of the compliments of some tickets."""
    session.execute(update(compliments).where(compliments.c.ticket_id.in_(ticket_ids)).values(words=""))
