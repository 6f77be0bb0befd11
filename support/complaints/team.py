"""The team: who a grave matter goes to, and how colleagues are told of a case."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from store import notices, staff
from store.base import table
from store.notices import NoticeRow
from store.outbox import OutboxRow, Purpose
from store.staff import Member, Right, Role
from support.tickets import ACTIVE, Ticket, tickets

ABOUT = "about_ticket"
"""What colleagues are told of a case is known by this name and the ticket's number, so that its words can be forgotten."""


def tell(
    session: Session, kind: str, staff_id: int, ticket: Ticket, *, replaces: str | None = None, **params: Any
) -> None:
    """Tell a colleague something of a case, at once."""
    notices.tell(
        session, kind, staff_id=staff_id, shop_id=ticket.shop_id, purpose=Purpose.REPLY, replaces=replaces, rule=ABOUT,
        subject=ticket.id, ticket=ticket.id, **params,
    )  # fmt: skip


def forget(session: Session, ticket_ids: Sequence[int]) -> None:
    """Take the words out of what colleagues were told of some cases."""
    told, sent = table(NoticeRow), table(OutboxRow)
    mine = (told.c.rule == ABOUT) & told.c.subject.in_(ticket_ids)
    session.execute(update(told).where(mine, told.c.state == "waiting").values(state="skipped", reason="erased"))
    session.execute(update(told).where(mine).values(params={}))
    mine = (sent.c.rule == ABOUT) & sent.c.subject.in_(ticket_ids)
    session.execute(update(sent).where(mine, sent.c.state == "queued").values(state="dropped"))
    session.execute(update(sent).where(mine).values(payload="{}", result=None, error=None))


def supervisors(session: Session, shop_id: int) -> list[Member]:
    """The supervisors of a shop; its owners, where it has none."""
    able = [one for one in staff.every(session) if one.may(Right.SUPERVISE, shop_id)]
    own = [one for one in able if any(role is Role.SUPERVISOR and at in {None, shop_id} for role, at in one.roles)]
    return own or able


def least_busy(session: Session, shop_id: int) -> Member | None:
    """The supervisor with the fewest unresolved tickets; None where a shop has nobody."""
    able = supervisors(session, shop_id)
    if not able:
        return None
    counts = session.execute(
        select(tickets.c.assignee_id, func.count())
        .where(tickets.c.assignee_id.in_([one.id for one in able]), tickets.c.state.in_(ACTIVE))
        .group_by(tickets.c.assignee_id)
    )
    load = {number: int(count) for number, count in counts}
    return min(able, key=lambda one: (load.get(one.id, 0), one.id))
