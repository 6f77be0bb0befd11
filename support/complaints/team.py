"""Who a grave matter goes to: the supervisors of a shop, its owners where there is none."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store import staff
from store.staff import Member, Right, Role
from support.tickets import ACTIVE, tickets


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
