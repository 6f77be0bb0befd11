"""The queue: the tickets a member of staff has before them, in views, by search, with what they haven't read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, literal, or_, select, update
from sqlalchemy.orm import Session

from loyalty.customers.customers import customers
from loyalty.tiers.tiers import tier_table
from store import shops
from store.base import table
from store.clock import now
from store.staff import Member, Right, StaffRow
from support.answers import finding
from support.messages import AGENT, CUSTOMER, ticket_messages
from support.ratings import ratings
from support.seen import agent_views
from support.tickets import ACTIVE, State, Ticket, hold, tickets, view
from support.turns import counters

PAGE = 40


class View(StrEnum):
    """Which tickets a list shows: the member's own, those that nobody looks after, all unresolved ones, the others."""

    MINE = "mine"
    UNASSIGNED = "unassigned"
    OPEN = "open"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Line:
    """A ticket in a list. `unread` counts the customer's messages that the member has not seen."""

    ticket: Ticket
    customer: str
    tier_id: int | None
    priority: int
    """That the customer's tier brings; the higher, the sooner."""
    assignee: str | None
    stars: int | None
    unread: int


_staff = table(StaffRow)
_PRIORITY = func.coalesce(tier_table.c.priority, 0)
_TICKET = tuple(tickets.c[name] for name in Ticket.__dataclass_fields__)


def page(
    session: Session,
    member: Member,
    in_view: View,
    *,
    search: str = "",
    shop_id: int | None = None,
    before: int | None = None,
    limit: int = PAGE,
) -> list[Line]:
    """A page of a view, the latest word first (of those nobody looks after, whose tier brings priority before the others),
    from below the ticket `before` on. A search looks at all tickets of the
    member's desks, whatever the view; see support.answers.finding.
    """
    within = _within(session, member, shop_id)
    if search.strip():
        desks = [shop for shop in desks_of(session, member) if shop_id in {None, shop}]
        wanted = [within, finding.among(session, desks, search)]
    else:
        wanted = [within, _of_view(in_view, member)]
    first = _PRIORITY if in_view is View.UNASSIGNED and not search.strip() else literal(0)
    if before is not None:
        place = session.execute(
            select(tickets.c.updated_at, _PRIORITY)
            .join(customers, customers.c.id == tickets.c.customer_id)
            .outerjoin(tier_table, tier_table.c.id == customers.c.tier_id)
            .where(tickets.c.id == before)
        ).first()
        if place is None:
            return []
        later = or_(tickets.c.updated_at < place[0], and_(tickets.c.updated_at == place[0], tickets.c.id < before))
        wanted.append(or_(first < place[1], and_(first == place[1], later)) if first is _PRIORITY else later)
    order = (first.desc(), tickets.c.updated_at.desc(), tickets.c.id.desc())
    return _lines(session, member, wanted, order if first is _PRIORITY else order[1:], limit)


def counts(session: Session, member: Member, shop_id: int | None = None) -> dict[View, int]:
    """How many tickets are in each of the views of unresolved ones."""
    whose = case(
        (tickets.c.assignee_id.is_(None), "unassigned"), (tickets.c.assignee_id == member.id, "mine"), else_="others"
    )
    rows = session.execute(
        select(whose.label("whose"), func.count().label("tickets"))
        .where(_within(session, member, shop_id), tickets.c.state.in_(ACTIVE))
        .group_by(whose)
    )
    by = {row.whose: int(row.tickets) for row in rows}
    return {
        View.MINE: by.get("mine", 0), View.UNASSIGNED: by.get("unassigned", 0), View.OPEN: sum(by.values()),
    }  # fmt: skip


def cursor(session: Session, member: Member) -> dict[int, int]:
    """The newest number of each of the member's desks, by shop. Read it before the pages it belongs to."""
    desks = {f"desk:{shop_id}": shop_id for shop_id in desks_of(session, member)}
    rows = session.execute(select(counters.c.name, counters.c.value).where(counters.c.name.in_(desks)))
    return dict.fromkeys(desks.values(), 0) | {desks[row.name]: int(row.value) for row in rows}


def changes(session: Session, member: Member, after: Mapping[int, int], limit: int = 100) -> list[Line]:
    """Tickets of the member's desks that changed after a cursor, oldest change first within a shop. Raise the cursor to
    each one's `changed` as you take it, and ask again while there are any.
    """
    seen = [
        and_(tickets.c.shop_id == shop_id, tickets.c.changed > after.get(shop_id, 0))
        for shop_id in desks_of(session, member)
    ]
    return _lines(session, member, [or_(*seen)], (tickets.c.shop_id, tickets.c.changed), limit) if seen else []


def unanswered(session: Session, member: Member, shop_id: int, longer_than: timedelta) -> int:
    """How many tickets of a shop have been the shop's turn for longer than that. Raises ForbiddenError."""
    since = case((tickets.c.first_response_at.is_(None), tickets.c.created_at), else_=tickets.c.updated_at)
    return int(
        session.execute(
            select(func.count()).where(
                _within(session, member, shop_id), tickets.c.state.in_((State.NEW, State.OPEN)),
                since < now(session) - longer_than,
            )
        ).scalar_one()
    )  # fmt: skip


def not_arrived(session: Session, shop_id: int, within: timedelta) -> int:
    """How many of a shop's answers of that time did not reach their customer, where nothing later did."""
    m = ticket_messages.c
    later = ticket_messages.alias("later")
    reached = (
        select(later.c.id)
        .where(later.c.ticket_id == m.ticket_id, later.c.seq > m.seq, later.c.who == AGENT, later.c.state == "sent")
        .exists()
    )
    found = (
        select(func.count())
        .select_from(ticket_messages.join(tickets, tickets.c.id == m.ticket_id))
        .where(
            tickets.c.shop_id == shop_id, tickets.c.state.in_(ACTIVE), m.who == AGENT,
            m.state == "failed", m.at > now(session) - within, ~reached,
        )
    )  # fmt: skip
    return int(session.execute(found).scalar_one())


def line(session: Session, ticket_id: int, member: Member) -> Line:
    """One ticket as lists show it; raises as tickets.view."""
    view(session, ticket_id, member)
    return _lines(session, member, [tickets.c.id == ticket_id], (tickets.c.id,), 1)[0]


def unsee(session: Session, ticket_id: int, member: Member) -> None:
    """Mark the customer's last message as unread again, to come back to it."""
    hold(session, ticket_id, member)
    last = session.execute(
        select(func.max(ticket_messages.c.seq)).where(
            ticket_messages.c.ticket_id == ticket_id, ticket_messages.c.who == CUSTOMER
        )
    ).scalar()
    if last is not None:
        session.execute(
            update(agent_views)
            .where(agent_views.c.staff_id == member.id, agent_views.c.ticket_id == ticket_id)
            .values(seq=last - 1)
        )


def desks_of(session: Session, member: Member) -> list[int]:
    """The shops whose tickets a member may see; raises ForbiddenError where there are none."""
    member.need(Right.DESK)
    return member.shops(Right.DESK, [shop.id for shop in shops.every(session)])


def _within(session: Session, member: Member, shop_id: int | None) -> ColumnElement[bool]:
    desks = desks_of(session, member)
    return tickets.c.shop_id.in_([shop for shop in desks if shop_id in {None, shop}])


def _of_view(in_view: View, member: Member) -> ColumnElement[bool]:
    if in_view is View.RESOLVED:
        return tickets.c.state.in_((State.RESOLVED, State.CLOSED))
    whose: dict[View, list[ColumnElement[bool]]] = {
        View.MINE: [tickets.c.assignee_id == member.id], View.UNASSIGNED: [tickets.c.assignee_id.is_(None)],
    }  # fmt: skip
    return and_(tickets.c.state.in_(ACTIVE), *whose.get(in_view, []))


def _lines(session: Session, member: Member, wanted: list[ColumnElement[bool]], order: Any, limit: int) -> list[Line]:
    unread = (
        select(func.count())
        .where(
            ticket_messages.c.ticket_id == tickets.c.id, ticket_messages.c.who == CUSTOMER,
            ticket_messages.c.seq > func.coalesce(agent_views.c.seq, 0),
        )
        .correlate(tickets, agent_views)
        .scalar_subquery()
    )  # fmt: skip
    rows = session.execute(
        select(*_TICKET, customers.c.name, customers.c.tier_id, _PRIORITY.label("first"), _staff.c.name.label("assignee"),
               ratings.c.stars, unread.label("unread"))
        .join(customers, customers.c.id == tickets.c.customer_id)
        .outerjoin(tier_table, tier_table.c.id == customers.c.tier_id)
        .outerjoin(_staff, _staff.c.id == tickets.c.assignee_id)
        .outerjoin(ratings, ratings.c.ticket_id == tickets.c.id)
        .outerjoin(agent_views, and_(agent_views.c.ticket_id == tickets.c.id, agent_views.c.staff_id == member.id))
        .where(*wanted)
        .order_by(*order)
        .limit(limit)
    )  # fmt: skip
    return [
        Line(Ticket(*row[: len(_TICKET)]), row.name, row.tier_id, row.first, row.assignee, row.stars, int(row.unread))
        for row in rows
    ]
