"""Asking: a case that was solved is to be rated; who didn't is reminded once, a day later."""

from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, insert, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import notices
from store.base import Base, UtcTime, table
from store.clock import now
from support import ratings, tickets
from support.complaints.loop import civil
from support.tickets import ACTIVE, State, Ticket

REMINDS = timedelta(days=1)
_DUE = text("remind_at IS NOT NULL")


class RatingRequestRow(Base):
    __tablename__ = "rating_requests"
    __table_args__ = (Index("ix_rating_requests_due", "remind_at", sqlite_where=_DUE, postgresql_where=_DUE),)

    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), primary_key=True, autoincrement=False)
    asked_at: Mapped[datetime] = mapped_column(UtcTime)
    remind_at: Mapped[datetime | None] = mapped_column(UtcTime)
    reminded: Mapped[bool] = mapped_column(default=False)


requests = table(RatingRequestRow)


def entered(session: Session, ticket: Ticket, before: str, by: int | None) -> None:
    """A ticket's state changed: solved by somebody, its rating is asked for; open again, nobody is reminded."""
    mine = requests.c.ticket_id == ticket.id
    if ticket.state in ACTIVE and before not in ACTIVE:
        session.execute(update(requests).where(mine).values(remind_at=None))
    if ticket.state != State.RESOLVED or by is None or ratings.of(session, ticket.id) is not None:
        return
    known = session.execute(select(requests.c.reminded).where(mine)).first()
    at = civil(session, ticket.shop_id, now(session) + REMINDS)
    if known is None:
        session.execute(insert(requests).values(ticket_id=ticket.id, asked_at=now(session), remind_at=at))
    else:
        again = None if known.reminded else at
        session.execute(update(requests).where(mine).values(asked_at=now(session), remind_at=again))


def remind_due(session: Session, limit: int = 50) -> int:
    """Remind whose time it is, once; how many. For the clock."""
    rows = session.execute(
        select(requests.c.ticket_id)
        .where(requests.c.remind_at <= now(session))
        .order_by(requests.c.remind_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        session.execute(
            update(requests)
            .where(requests.c.ticket_id == row.ticket_id)
            .values(remind_at=None, reminded=True, asked_at=now(session))
        )
        ticket = tickets.get(session, row.ticket_id)
        if ticket.state in ACTIVE or ticket.merged_into is not None or ratings.of(session, ticket.id) is not None:
            continue
        notices.tell(
            session, "rating_reminder", customer_id=ticket.customer_id, shop_id=ticket.shop_id,
            replaces=f"rating_reminder:{ticket.id}", ticket=ticket.id,
        )  # fmt: skip
    return len(rows)
