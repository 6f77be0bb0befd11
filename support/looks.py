"""Looks: which colleagues have a ticket before their eyes at the moment, and who is writing in it, so that two don't answer
at once. A look lives for seconds: the page renews it, and one that nobody renews is over by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, Text, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, UtcTime, table
from store.clock import now
from store.signals import signal
from store.staff import Member, StaffRow
from support import tickets

LASTS = timedelta(seconds=45)
"""How long a look holds without being renewed; pages renew theirs every 20 s."""
TYPING_LASTS = timedelta(seconds=7)
FORGOTTEN = timedelta(days=1)


class LookRow(Base):
    """What one window of a member of staff shows."""

    __tablename__ = "ticket_looks"
    __table_args__ = (Index("ix_ticket_looks_shop", "shop_id", "until"),)

    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), primary_key=True, autoincrement=False)
    window: Mapped[str] = mapped_column(Text, primary_key=True)
    """The page's own name for itself."""
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), index=True)
    until: Mapped[datetime] = mapped_column(UtcTime)
    typing_until: Mapped[datetime | None] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Looker:
    """A colleague who looks at a ticket."""

    ticket_id: int
    staff_id: int
    name: str
    typing: bool


looks = table(LookRow)
_staff = table(StaffRow)


def look(session: Session, member: Member, window: str, ticket_id: int | None, *, typing: bool = False) -> None:
    """A window of the member's shows a ticket (None: none any more), and something is being written in it. Others are
    woken only where that is news. Raises as tickets.view.
    """
    at = now(session)
    ticket = None if ticket_id is None else tickets.view(session, ticket_id, member)
    own = (looks.c.staff_id == member.id, looks.c.window == window)
    before = session.execute(
        select(looks.c.shop_id, looks.c.ticket_id, looks.c.until, looks.c.typing_until).where(*own)
    ).first()
    if ticket is None:
        if before is not None:
            session.execute(delete(looks).where(*own))
            signal(session, f"looks:{before.shop_id}")
        return
    values = {
        "shop_id": ticket.shop_id, "ticket_id": ticket.id, "until": at + LASTS,
        "typing_until": at + TYPING_LASTS if typing else None,
    }  # fmt: skip
    if before is None:
        session.execute(delete(looks).where(looks.c.staff_id == member.id, looks.c.until < at - FORGOTTEN))
        try:
            with session.begin_nested():
                session.execute(insert(looks).values(staff_id=member.id, window=window, **values))
        except IntegrityError:
            # The same window has just told so.
            session.execute(update(looks).where(*own).values(**values))
    else:
        session.execute(update(looks).where(*own).values(**values))
    typed = before is not None and before.typing_until is not None and before.typing_until > at
    if before is None or before.until <= at or before.ticket_id != ticket.id or typed != typing:
        signal(session, f"looks:{ticket.shop_id}")
        if before is not None and before.shop_id != ticket.shop_id:
            signal(session, f"looks:{before.shop_id}")


def at(session: Session, shop_ids: Sequence[int], apart_from: int) -> list[Looker]:
    """Who looks at which ticket of these shops, `apart_from` a member of staff; each once a ticket, by name."""
    moment = now(session)
    rows = session.execute(
        select(looks.c.ticket_id, looks.c.staff_id, _staff.c.name, looks.c.typing_until)
        .join(_staff, _staff.c.id == looks.c.staff_id)
        .where(looks.c.shop_id.in_(shop_ids), looks.c.until > moment, looks.c.staff_id != apart_from)
        .order_by(_staff.c.name, looks.c.staff_id)
    )
    found: dict[tuple[int, int], Looker] = {}
    for ticket_id, staff_id, name, typing_until in rows:
        known = found.get((ticket_id, staff_id))
        typing = (typing_until is not None and typing_until > moment) or (known is not None and known.typing)
        found[ticket_id, staff_id] = Looker(ticket_id, staff_id, name, typing)
    return list(found.values())
