"""The queue: the tickets a member of staff has before them, in views, by search, with what they haven't read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.orm import Session

from loyalty.customers.customers import customers
from loyalty.tiers.tiers import tier_table
from store import shops
from store.base import table
from store.clock import now
from store.errors import NotFoundError
from store.staff import Member, Right, StaffRow
from store.text import fold
from support import views
from support.answers import finding
from support.drafts import drafts
from support.mentions import mentions
from support.messages import AGENT, CUSTOMER, ticket_messages
from support.ratings import ratings
from support.seen import agent_views
from support.tags import tag_table, ticket_tags
from support.tickets import ACTIVE, AWAKE, State, Ticket, hold, tickets
from support.turns import counters
from support.views import Filters

PAGE = 40
COUNT_MAX = 1_000
"""As far as tickets are counted."""


class View(StrEnum):
    """Which tickets a list shows: the member's own, those that nobody looks after, all unresolved ones (snoozed ones only by
    themselves), the solved ones. What else somebody wants to see, they save (support.views).
    """

    MINE = "mine"
    UNASSIGNED = "unassigned"
    OPEN = "open"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Line:
    """A ticket in a list. `rank` counts the customer's tier from 0, the lowest; `unread` the customer's messages that the
    member has not seen; `mentioned`: a note calls them that they have not seen; `draft`: they have begun to write.
    """

    ticket: Ticket
    customer: str
    rank: int
    priority: int
    """That the customer's tier brings; the higher, the sooner."""
    assignee: str | None
    stars: int | None
    unread: int
    mentioned: bool
    draft: bool
    tags: tuple[str, ...]


_staff = table(StaffRow)
_PRIORITY = func.coalesce(tier_table.c.priority, 0)
_LATEST = (tickets.c.updated_at.desc(), tickets.c.id.desc())
_TICKET = tuple(tickets.c[name] for name in Ticket.__dataclass_fields__)


def page(
    session: Session,
    member: Member,
    in_view: View | Filters,
    *,
    search: str = "",
    shop_id: int | None = None,
    before: int | None = None,
    limit: int = PAGE,
) -> list[Line]:
    """A page of a view or of what fits some filters, the latest word first (of those nobody looks after, whose tier brings
    priority before the others; snoozed ones as they wake), from below the ticket `before` on. A search looks at all tickets
    of the member's desks, whatever the view; see support.answers.finding.
    """
    t, within = tickets.c, _within(member, shop_id)
    snoozed = in_view is View.SNOOZED and not search.strip()
    tiers_first = in_view is View.UNASSIGNED and not search.strip()
    below = _later(session, before) if snoozed else _below(session, before, tiers_first=tiers_first)
    if below is None:
        return []
    if search.strip():
        shop_ids = [shop for shop in desks_of(session, member) if shop_id in {None, shop}]
        sought = select(t.id).where(within, finding.among(session, shop_ids, search), *below)
        return _lines(session, member, sought.order_by(*_LATEST).limit(limit), _LATEST)
    if tiers_first:
        order = (_PRIORITY.desc(), *_LATEST)
        nobodys = (
            select(t.id)
            .join(customers, customers.c.id == t.customer_id)
            .outerjoin(tier_table, tier_table.c.id == customers.c.tier_id)
            .where(within, t.state.in_(AWAKE), t.assignee_id.is_(None), *below)
        )
        return _lines(session, member, nobodys.order_by(*order).limit(limit), order)
    if snoozed:
        soonest = (t.snoozed_until, t.id)
        asleep = select(t.id).where(within, t.snoozed_until.is_not(None), *below)
        return _lines(session, member, asleep.order_by(*soonest).limit(limit), soonest)
    if isinstance(in_view, Filters):
        states, wanted = views.states_of(in_view), views.conditions(member, in_view)
    else:
        states = (State.RESOLVED, State.CLOSED) if in_view is View.RESOLVED else AWAKE
        wanted = [t.assignee_id == member.id] if in_view is View.MINE else []
    shop_ids = [shop for shop in desks_of(session, member) if shop_id in {None, shop}]
    # Each desk and state by itself, in the order of its index: who asks for forty reads forty of each, not all of them.
    parts = [
        select(t.id, t.updated_at)
        .where(t.shop_id == shop, t.state == state, *wanted, *below)
        .order_by(*_LATEST)
        .limit(limit)
        .subquery()
        for shop in shop_ids
        for state in states
    ]
    if not parts:
        return []
    every = union_all(*(select(part) for part in parts)).subquery()
    newest = select(every.c.id).order_by(every.c.updated_at.desc(), every.c.id.desc()).limit(limit)
    return _lines(session, member, newest, _LATEST)


def counts(session: Session, member: Member, shop_id: int | None = None) -> dict[View, int]:
    """How many tickets are in each of the views of unresolved ones, at most COUNT_MAX."""
    t, within = tickets.c, _within(member, shop_id)
    awake = t.state.in_(AWAKE)
    wanted: dict[View, list[ColumnElement[bool]]] = {
        View.MINE: [awake, t.assignee_id == member.id], View.UNASSIGNED: [awake, t.assignee_id.is_(None)],
        View.OPEN: [awake], View.SNOOZED: [t.snoozed_until.is_not(None)],
    }  # fmt: skip
    return dict(zip(wanted, _count(session, [[within, *one] for one in wanted.values()]), strict=True))


def counts_of(session: Session, member: Member, filters: Sequence[Filters], shop_id: int | None = None) -> list[int]:
    """How many tickets fit each of some filters, at most COUNT_MAX, in one look."""
    t, within = tickets.c, _within(member, shop_id)
    return _count(
        session, [[within, t.state.in_(views.states_of(one)), *views.conditions(member, one)] for one in filters]
    )


def _count(session: Session, wanted: Sequence[list[ColumnElement[bool]]]) -> list[int]:
    """Count several kinds of tickets by one statement; none beyond COUNT_MAX, which nobody reads as a number."""
    if not wanted:
        return []
    each = [
        select(func.count())
        .select_from(select(literal(1)).select_from(tickets).where(*one).limit(COUNT_MAX).subquery())
        .scalar_subquery()
        for one in wanted
    ]
    return [int(number) for number in session.execute(select(*each)).one()]


def _below(session: Session, before: int | None, *, tiers_first: bool) -> list[ColumnElement[bool]] | None:
    """What stands below a ticket in a list, by the latest word; None where there is no such ticket."""
    if before is None:
        return []
    place = session.execute(
        select(tickets.c.updated_at, _PRIORITY.label("priority"))
        .join(customers, customers.c.id == tickets.c.customer_id)
        .outerjoin(tier_table, tier_table.c.id == customers.c.tier_id)
        .where(tickets.c.id == before)
    ).first()
    if place is None:
        return None
    later = or_(
        tickets.c.updated_at < place.updated_at, and_(tickets.c.updated_at == place.updated_at, tickets.c.id < before)
    )
    if not tiers_first:
        return [later]
    return [or_(place.priority > _PRIORITY, and_(place.priority == _PRIORITY, later))]


def _later(session: Session, before: int | None) -> list[ColumnElement[bool]] | None:
    """What wakes after a ticket; None where it doesn't sleep."""
    if before is None:
        return []
    t = tickets.c
    at = session.execute(select(t.snoozed_until).where(t.id == before)).scalar()
    if at is None:
        return None
    return [or_(t.snoozed_until > at, and_(t.snoozed_until == at, t.id > before))]


def cursor(session: Session, member: Member) -> dict[int, int]:
    """The newest number of each of the member's desks, by shop. Read it before the pages it belongs to."""
    member.need(Right.DESK)
    s = shops.shops.c
    rows = session.execute(
        select(s.id, func.coalesce(counters.c.value, 0)).outerjoin(
            counters, counters.c.name == literal("desk:") + cast(s.id, Text)
        )
    )
    return {shop_id: int(value) for shop_id, value in rows if member.may(Right.DESK, shop_id)}


def changes(session: Session, member: Member, after: Mapping[int, int], limit: int = 100) -> list[Line]:
    """Tickets of the member's desks that changed after a cursor, oldest change first within a shop. Raise the cursor to
    each one's `changed` as you take it, and ask again while there are any.
    """
    seen = [
        and_(tickets.c.shop_id == shop_id, tickets.c.changed > after.get(shop_id, 0))
        for shop_id in desks_of(session, member)
    ]
    if not seen:
        return []
    order = (tickets.c.shop_id, tickets.c.changed)
    return _lines(session, member, select(tickets.c.id).where(or_(*seen)).order_by(*order).limit(limit), order)


def unanswered(session: Session, member: Member, shop_id: int, longer_than: timedelta) -> int:
    """How many tickets of a shop have been the shop's turn for longer than that. Raises ForbiddenError."""
    since = case((tickets.c.first_response_at.is_(None), tickets.c.created_at), else_=tickets.c.updated_at)
    return int(
        session.execute(
            select(func.count()).where(
                _within(member, shop_id), tickets.c.state.in_((State.NEW, State.OPEN)),
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
    member.need(Right.DESK)
    found = _lines(session, member, select(literal(ticket_id)), (tickets.c.id,))
    if not found or not member.may(Right.DESK, found[0].ticket.shop_id):
        raise NotFoundError("ticket", ticket_id)
    return found[0]


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
    if member.everywhere(Right.DESK):
        return [shop.id for shop in shops.every(session)]
    return _own_shops(member)


def _own_shops(member: Member) -> list[int]:
    """Those of a member who is not at every desk: no look at the store is needed."""
    return sorted({at for _, at in member.roles if at is not None and member.may(Right.DESK, at)})


def _within(member: Member, shop_id: int | None) -> ColumnElement[bool]:
    """Tickets of the member's desks, or of one of them; raises ForbiddenError where there are none."""
    member.need(Right.DESK)
    if member.everywhere(Right.DESK):
        # Named all the same: indices of tickets begin with the shop.
        return tickets.c.shop_id.in_(select(shops.shops.c.id)) if shop_id is None else tickets.c.shop_id == shop_id
    return tickets.c.shop_id.in_([shop for shop in _own_shops(member) if shop_id in {None, shop}])


def _lines(session: Session, member: Member, chosen: Select[tuple[int]], order: Any) -> list[Line]:
    """The lines of a page of tickets by their numbers: what else a line holds is looked up for these alone."""
    t, m, d = tickets.c, ticket_messages.c, drafts.c
    read = func.coalesce(agent_views.c.seq, 0)
    unread = (
        select(func.count())
        .where(m.ticket_id == t.id, m.who == CUSTOMER, m.seq > read)
        .correlate(tickets, agent_views)
        .scalar_subquery()
    )
    mentioned = exists().where(mentions.c.staff_id == member.id, mentions.c.ticket_id == t.id, mentions.c.seq > read)
    draft = exists().where(d.staff_id == member.id, d.ticket_id == t.id)
    lower = tier_table.alias("lower")
    rank = (
        select(func.count())
        .select_from(lower)
        .where(lower.c.threshold >= 0, lower.c.threshold < tier_table.c.threshold)
        .correlate(tier_table)
        .scalar_subquery()
    )
    tagged = (
        select(func.aggregate_strings(tag_table.c.name, "\x1f"))
        .join(ticket_tags, ticket_tags.c.tag_id == tag_table.c.id)
        .where(ticket_tags.c.ticket_id == t.id)
        .correlate(tickets)
        .scalar_subquery()
    )
    rows = session.execute(
        select(*_TICKET, customers.c.name, rank.label("rank"), _PRIORITY.label("first"), _staff.c.name.label("assignee"),
               ratings.c.stars, unread.label("unread"), mentioned.label("mentioned"), draft.label("draft"),
               tagged.label("tagged"))
        .join(customers, customers.c.id == t.customer_id)
        .outerjoin(tier_table, tier_table.c.id == customers.c.tier_id)
        .outerjoin(_staff, _staff.c.id == t.assignee_id)
        .outerjoin(ratings, ratings.c.ticket_id == t.id)
        .outerjoin(agent_views, and_(agent_views.c.ticket_id == t.id, agent_views.c.staff_id == member.id))
        .where(t.id.in_(chosen.subquery().select()))
        .order_by(*order)
    )  # fmt: skip
    return [
        Line(
            Ticket(*row[: len(_TICKET)]), row.name, int(row.rank), row.first, row.assignee, row.stars, int(row.unread),
            bool(row.mentioned), bool(row.draft), tuple(sorted((row.tagged or "").split("\x1f"), key=fold)) if row.tagged else (),
        )
        for row in rows
    ]  # fmt: skip
