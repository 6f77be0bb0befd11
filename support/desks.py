"""Desks: how a shop's desk goes about its tickets, as the shop set it up."""

from dataclasses import asdict, dataclass
from datetime import timedelta

from sqlalchemy import ForeignKey, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import audit
from store.base import Base, table
from store.errors import InvalidError
from store.staff import Member, Right

REOPEN_DAYS = 7
REOPEN_DAYS_MAX = 90


class DeskRow(Base):
    """Of a shop that changed something; others go by the defaults."""

    __tablename__ = "desks"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"), primary_key=True, autoincrement=False)
    reopen_days: Mapped[int]


@dataclass(frozen=True, slots=True)
class Desk:
    """`reopen_days`: how long after it was resolved the customer's word opens a ticket again; then it closes by itself."""

    reopen_days: int = REOPEN_DAYS

    @property
    def reopens_for(self) -> timedelta:
        return timedelta(days=self.reopen_days)


desks = table(DeskRow)


def of(session: Session, shop_id: int) -> Desk:
    """How a shop's desk is set up."""
    days = session.execute(select(desks.c.reopen_days).where(desks.c.shop_id == shop_id)).scalar()
    return Desk() if days is None else Desk(days)


def change(session: Session, shop_id: int, member: Member, desk: Desk) -> None:
    """Set a desk up anew, for tickets resolved from now on. Raises ForbiddenError, InvalidError("reopen_days")."""
    member.need(Right.CONSOLE, shop_id)
    if not 0 <= desk.reopen_days <= REOPEN_DAYS_MAX:
        raise InvalidError("reopen_days", "range", desk.reopen_days)
    before = of(session, shop_id)
    if before == desk:
        return
    step = update(desks).where(desks.c.shop_id == shop_id).values(**asdict(desk))
    if session.execute(step.returning(desks.c.shop_id)).first() is None:
        try:
            with session.begin_nested():
                session.execute(insert(desks).values(shop_id=shop_id, **asdict(desk)))
        except IntegrityError:
            # Somebody else was quicker; the later word counts.
            session.execute(step)
    changed = {"reopen_days": [before.reopen_days, desk.reopen_days]}
    audit.record(session, f"staff:{member.id}", "desk_changed", shop_id, changed=changed)
