"""Closed: who writes while the shop is closed is told when it is back, once in a ticket and closed period."""

from datetime import datetime, timedelta

from sqlalchemy import bindparam, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import notices, shops
from store.base import Base, UtcTime, table
from store.clock import now
from store.outbox import Purpose
from store.prepared import Prepared
from support.deadlines import calendars
from support.messages import AGENT, ticket_messages
from support.tickets import Ticket

TALKING = timedelta(minutes=30)
"""Who was answered so short a while ago talks with somebody, whatever the hours say."""


class ClosedAnswerRow(Base):
    """A customer was told in a ticket when the shop is back."""

    __tablename__ = "closed_answers"

    ticket_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    opens_at: Mapped[datetime] = mapped_column(UtcTime, primary_key=True)
    """The end of the closed period they were told of."""


closed_answers = table(ClosedAnswerRow)
_m, _told = ticket_messages.c, closed_answers.c
_ANSWERED = Prepared(
    select(_m.id).where(_m.ticket_id == bindparam("ticket"), _m.who == AGENT, _m.at > bindparam("since")).limit(1)
)
_TOLD = Prepared(
    select(_told.ticket_id).where(_told.ticket_id == bindparam("ticket"), _told.opens_at == bindparam("opens"))
)
_TELL = Prepared(insert(closed_answers))


def customer_said(session: Session, ticket: Ticket, _message_id: int, _text: str) -> None:
    """Tell a customer who writes outside of the shop's hours when it opens again (support.hooks.CUSTOMER_SAID)."""
    at = now(session)
    opens_at = calendars.opens_next(session, ticket.shop_id, at)
    if opens_at is None or opens_at == at or _ANSWERED(session, ticket=ticket.id, since=at - TALKING):
        return
    if _TOLD(session, ticket=ticket.id, opens=opens_at):
        return
    _TELL(session, ticket_id=ticket.id, opens_at=opens_at)
    notices.tell(
        session, "shop_closed", customer_id=ticket.customer_id, shop_id=ticket.shop_id, purpose=Purpose.REPLY,
        ticket=ticket.id, opens_at=opens_at.isoformat(), asked_at=at.isoformat(),
        zone=shops.get(session, ticket.shop_id).timezone,
    )  # fmt: skip
