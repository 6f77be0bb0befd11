"""Seen: how far each member of staff has read a ticket."""

from sqlalchemy import ForeignKey, case, insert, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, table
from store.staff import Member
from support import tickets


class AgentViewRow(Base):
    """Up to which line (`seq`) a member of staff has read a ticket."""

    __tablename__ = "agent_views"

    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), primary_key=True, autoincrement=False)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), primary_key=True, autoincrement=False)
    seq: Mapped[int]


agent_views = table(AgentViewRow)


def saw(session: Session, ticket_id: int, member: Member, seq: int) -> None:
    """The member has read a ticket up to a line; never backwards. Raises as tickets.view."""
    tickets.view(session, ticket_id, member)
    mark(session, ticket_id, member.id, seq)


def mark(session: Session, ticket_id: int, staff_id: int, seq: int) -> None:
    """As `saw`, where the ticket is known to be theirs to read: who answers has read what they answer."""
    step = (
        update(agent_views)
        .where(agent_views.c.staff_id == staff_id, agent_views.c.ticket_id == ticket_id)
        .values(seq=case((agent_views.c.seq < seq, seq), else_=agent_views.c.seq))
    )
    if session.execute(step.returning(agent_views.c.seq)).first() is None:
        try:
            with session.begin_nested():
                session.execute(insert(agent_views).values(staff_id=staff_id, ticket_id=ticket_id, seq=seq))
        except IntegrityError:
            # The same person's other window was quicker.
            session.execute(step)
