"""A customer's timeline: orders, points, vouchers, messages, tickets and events in one list, the newest first.

Each kind of line comes from a source of its own, which gives its newest lines before a place; the page is what is newest
among them. A source that is added is a function and a line in `SOURCES`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, true, union_all
from sqlalchemy.orm import Session

from loyalty.customers import directory, records
from loyalty.orders.orders import orders
from loyalty.outreach import deliveries
from loyalty.outreach.campaigns import campaigns
from loyalty.outreach.journeys import journeys
from loyalty.points import ledger
from loyalty.vouchers.redemptions import redemptions
from loyalty.vouchers.voucher_programs import programs
from loyalty.vouchers.vouchers import vouchers
from store.base import from_micros, table, to_micros
from store.events import Event
from store.notices import NoticeRow
from store.staff import Member, Right, StaffRow
from support.messages import RULE, ticket_files, ticket_messages
from support.tickets import ticket_events, tickets

PAGE = 30
SEQ_MAX = 10**7
"""Above every line's number in a ticket's thread."""
OWN_POINTS = ("available", "held", "pending")
SEEN_IN_TICKET = ("opened", "resolved", "reopened", "closed", "rated")
"""What happened to a ticket that the customer has a part in."""
TOLD_ELSEWHERE = (
    "order_pending", "order_completed", "order_cancelled", "order_refunded", "voucher_given", "voucher_redeemed",
    "voucher_returned", "reward_bought", "bonus", "points_adjusted", "ticket_opened", "ticket_resolved", "ticket_rated",
    "complaint_opened", "complaint_closed", "compliment", "goodwill_given", "goodwill_taken_back", "survey_answered",
)  # fmt: skip
"""Events whose rows are lines of their own already: an order, a voucher, a ticket."""


class Kind(StrEnum):
    """What a line is about; a page may ask for some of them."""

    ORDERS = "orders"
    POINTS = "points"
    VOUCHERS = "vouchers"
    MESSAGES = "messages"
    TICKETS = "tickets"
    EVENTS = "events"


@dataclass(frozen=True, slots=True)
class Line:
    """`what` happened: an order's state, a transfer's kind, a voucher's way, who wrote, a ticket's or an event's kind.

    `ours`: it was at the shop that looks; what was elsewhere says only how it changed the points.
    """

    at: datetime
    kind: Kind
    what: str
    id: int
    ours: bool
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """`after`: what to ask for as the next page; None at the end."""

    lines: list[Line]
    after: str | None


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose timeline, under every number they were known by, and who looks at it from which shop."""

    numbers: Sequence[int]
    member: Member
    shop_id: int

    @property
    def reads_tickets(self) -> bool:
        return self.member.may(Right.DESK, self.shop_id)


Beyond = Callable[[ColumnElement[Any], ColumnElement[Any]], ColumnElement[bool]]
"""Given the columns of a source's time and number: which of its rows come after the place."""
Source = Callable[[Session, Scope, Beyond, int], list[Line]]


def page(
    session: Session,
    customer_id: int,
    member: Member,
    shop_id: int,
    *,
    kinds: Sequence[Kind] = (),
    after: str = "",
    size: int = PAGE,
) -> Page:
    """A page of a customer's timeline as this shop may see it, of some kinds (of all, where none is named). An `after` that
    no page gave is the beginning. Raises NotFoundError where they are no customer of this shop.
    """
    owner = directory.find(session, shop_id, customer_id).id
    scope = Scope(records.every_number(session, owner), member, shop_id)
    place = _read(after)
    found: list[tuple[tuple[int, int, int], Line]] = []
    for rank, (kind, source) in enumerate(SOURCES):
        if kinds and kind not in kinds:
            continue
        lines = source(session, scope, _beyond(rank, place), size + 1)
        found += [((-to_micros(line.at), rank, -line.id), line) for line in lines]
    found.sort(key=lambda one: one[0])
    marks = [_write(*key) for key, _ in found[:size]]
    return Page([line for _, line in found[:size]], marks[-1] if len(found) > size else None)


# ── The sources, at one instant the last effect first ───────────────────────────────────────────────


def _events(session: Session, scope: Scope, beyond: Beyond, limit: int) -> list[Line]:
    e = table(Event).c
    rows = session.execute(
        select(e.id, e.at, e.kind, e.data)
        .where(
            e.customer_id.in_(scope.numbers), e.kind.not_in(TOLD_ELSEWHERE), beyond(e.at, e.id),
            or_(e.shop_id.is_(None), e.shop_id == scope.shop_id),
        )
        .order_by(e.at.desc(), e.id.desc())
        .limit(limit)
    ).all()  # fmt: skip
    named = _journey_names(session, {row.data["journey"] for row in rows if "journey" in row.data})
    return [
        Line(row.at, Kind.EVENTS, row.kind, row.id, True, row.data | named.get(row.data.get("journey"), {}))
        for row in rows
    ]


def _journey_names(session: Session, numbers: set[int]) -> dict[int, dict[str, str]]:
    j = journeys.journeys.c
    rows = session.execute(select(j.id, j.name).where(j.id.in_(numbers))) if numbers else ()
    return {number: {"journey_name": name} for number, name in rows}


def _notices(session: Session, scope: Scope, beyond: Beyond, limit: int) -> list[Line]:
    """What the bot told them by itself; an agent's own words are messages of a ticket."""
    n = table(NoticeRow).c
    rows = session.execute(
        select(n.id, n.at, n.kind, n.params, n.state, n.reason)
        .where(
            n.customer_id.in_(scope.numbers), n.state != "replaced", n.kind != "phone_code", beyond(n.at, n.id),
            or_(n.rule.is_(None), n.rule != RULE), or_(n.shop_id.is_(None), n.shop_id == scope.shop_id),
        )
        .order_by(n.at.desc(), n.id.desc())
        .limit(limit)
    )  # fmt: skip
    return [
        Line(row.at, Kind.MESSAGES, "notice", row.id, True,
             {"kind": row.kind, "params": row.params, "state": row.state, "reason": row.reason})
        for row in rows
    ]  # fmt: skip


def _outreach(session: Session, scope: Scope, beyond: Beyond, limit: int) -> list[Line]:
    """What this shop's campaigns and journeys wrote to them."""
    d, c, j = deliveries.deliveries.c, campaigns.campaigns.c, journeys.journeys.c
    rows = session.execute(
        select(d.id, d.left_at, d.source, d.state, d.reason, func.coalesce(c.name, j.name).label("name"))
        .outerjoin(campaigns.campaigns, and_(d.source == deliveries.CAMPAIGN, c.id == d.source_id))
        .outerjoin(journeys.journeys, and_(d.source == deliveries.JOURNEY, j.id == d.source_id))
        .where(
            d.customer_id.in_(scope.numbers), d.left_at.is_not(None), beyond(d.left_at, d.id),
            func.coalesce(c.shop_id, j.shop_id) == scope.shop_id,
        )
        .order_by(d.left_at.desc(), d.id.desc())
        .limit(limit)
    )  # fmt: skip
    return [
        Line(row.left_at, Kind.MESSAGES, row.source, row.id, True, {"name": row.name, "state": row.state, "reason": row.reason})
        for row in rows
    ]  # fmt: skip


def _messages(session: Session, scope: Scope, beyond: Beyond, limit: int) -> list[Line]:
    if not scope.reads_tickets:
        return []
    m, staff = ticket_messages.c, table(StaffRow)
    files = select(func.count()).where(ticket_files.c.message_id == m.id).correlate(ticket_messages).scalar_subquery()
    rows = session.execute(
        select(m.id, m.at, m.who, m.text, m.state, m.ticket_id, staff.c.name, files.label("files"))
        .join(tickets, tickets.c.id == m.ticket_id)
        .outerjoin(staff, staff.c.id == m.staff_id)
        .where(_their_tickets(scope), beyond(m.at, m.id))
        .order_by(m.at.desc(), m.id.desc())
        .limit(limit)
    )
    return [
        Line(row.at, Kind.MESSAGES, row.who, row.id, True,
             {"text": row.text, "state": row.state, "ticket": row.ticket_id, "staff": row.name, "files": row.files})
        for row in rows
    ]  # fmt: skip


def _tickets(session: Session, scope: Scope, beyond: Beyond, limit: int) -> list[Line]:
    if not scope.reads_tickets:
        return []
    e, t, staff = ticket_events.c, tickets.c, table(StaffRow)
    number = e.ticket_id * SEQ_MAX + e.seq
    rows = session.execute(
        select(number.label("id"), e.at, e.kind, e.data, e.ticket_id, t.subject, t.state, staff.c.name)
        .join(tickets, t.id == e.ticket_id)
        .outerjoin(staff, staff.c.id == e.staff_id)
        .where(_their_tickets(scope), e.kind.in_(SEEN_IN_TICKET), beyond(e.at, number))
        .order_by(e.at.desc(), number.desc())
        .limit(limit)
    )
    return [
        Line(row.at, Kind.TICKETS, row.kind, row.id, True,
             {**row.data, "ticket": row.ticket_id, "subject": row.subject, "staff": row.name})
        for row in rows
    ]  # fmt: skip


def _their_tickets(scope: Scope) -> ColumnElement[bool]:
    return and_(tickets.c.customer_id.in_(scope.numbers), tickets.c.shop_id == scope.shop_id)


def _redemptions(session: Session, scope: Scope, beyond: Beyond, limit: int) -> list[Line]:
    """Where they used vouchers: at the moment it was settled, or reserved."""
    r, v, p = redemptions.c, vouchers.c, programs.c
    at = func.coalesce(r.settled_at, r.at)
    rows = session.execute(
        select(r.id, at.label("at"), r.state, r.order, r.discount, v.code, p.name)
        .join(vouchers, v.id == r.voucher_id)
        .join(programs, p.id == v.program_id)
        .where(
            or_(r.customer_id.in_(scope.numbers), v.customer_id.in_(scope.numbers)), r.shop_id == scope.shop_id,
            beyond(at, r.id),
        )
        .order_by(at.desc(), r.id.desc())
        .limit(limit)
    )  # fmt: skip
    return [
        Line(row.at, Kind.VOUCHERS, row.state, row.id, True,
             {"name": row.name, "code": row.code, "order": row.order, "discount": row.discount})
        for row in rows
    ]  # fmt: skip


def _vouchers(session: Session, scope: Scope, beyond: Beyond, limit: int) -> list[Line]:
    v, p = vouchers.c, programs.c
    rows = session.execute(
        select(v.id, v.issued_at, v.code, v.expires_at, p.name)
        .join(programs, p.id == v.program_id)
        .where(
            v.customer_id.in_(scope.numbers), beyond(v.issued_at, v.id),
            or_(p.shop_id.is_(None), p.shop_id == scope.shop_id),
        )
        .order_by(v.issued_at.desc(), v.id.desc())
        .limit(limit)
    )  # fmt: skip
    return [
        Line(row.issued_at, Kind.VOUCHERS, "given", row.id, True,
             {"name": row.name, "code": row.code, "expires_at": row.expires_at})
        for row in rows
    ]  # fmt: skip


def _points(session: Session, scope: Scope, beyond: Beyond, limit: int) -> list[Line]:
    """Transfers that changed what they have: available, set aside and pending points together, in whatever account a merge
    left them.
    """
    a, t, legs = ledger.accounts.c, ledger.transfers.c, ledger.postings.c
    own = session.execute(
        select(a.id).where(a.owner == "customer", a.owner_id.in_(scope.numbers), a.name.in_(OWN_POINTS))
    ).scalars().all()  # fmt: skip
    each = union_all(
        select(legs.transfer_id, (-legs.amount).label("change")).where(legs.source_id.in_(own)),
        select(legs.transfer_id, legs.amount.label("change")).where(legs.target_id.in_(own)),
    ).subquery("leg")
    change = func.sum(each.c.change)
    moved = (
        select(each.c.transfer_id, change.label("change"))
        .group_by(each.c.transfer_id)
        .having(change != 0)
        .subquery("moved")
    )
    rows = session.execute(
        select(t.id, t.at, t.kind, t.shop_id, t.reason, moved.c.change, orders.c.external_id)
        .join(moved, moved.c.transfer_id == t.id)
        .outerjoin(orders, orders.c.id == t.order_id)
        .where(beyond(t.at, t.id))
        .order_by(t.at.desc(), t.id.desc())
        .limit(limit)
    )
    lines = []
    for row in rows:
        ours = row.shop_id == scope.shop_id
        told = {"order": row.external_id, "reason": row.reason} if ours else {}
        lines.append(Line(row.at, Kind.POINTS, row.kind, row.id, ours, {"points": int(row.change), **told}))
    return lines


def _orders(session: Session, scope: Scope, beyond: Beyond, limit: int) -> list[Line]:
    o = orders.c
    rows = session.execute(
        select(o.id, o.placed_at, o.external_id, o.status, o.total, o.refunded, o.currency, o.source, o.standing)
        .where(o.customer_id.in_(scope.numbers), o.shop_id == scope.shop_id, beyond(o.placed_at, o.id))
        .order_by(o.placed_at.desc(), o.id.desc())
        .limit(limit)
    )
    return [
        Line(row.placed_at, Kind.ORDERS, row.status, row.id, True,
             {"order": row.external_id, "total": row.total, "refunded": row.refunded, "currency": row.currency,
              "source": row.source, "points": row.standing})
        for row in rows
    ]  # fmt: skip


SOURCES: list[tuple[Kind, Source]] = [
    (Kind.EVENTS, _events),
    (Kind.MESSAGES, _notices),
    (Kind.MESSAGES, _outreach),
    (Kind.TICKETS, _tickets),
    (Kind.MESSAGES, _messages),
    (Kind.VOUCHERS, _redemptions),
    (Kind.VOUCHERS, _vouchers),
    (Kind.POINTS, _points),
    (Kind.ORDERS, _orders),
]
"""Where lines come from. Their order is the order of lines of one instant: what an order brought stands above it."""


# ── Places ─────────────────────────────────────────────────────────────────────────────────────────


def _beyond(rank: int, place: tuple[int, int, int] | None) -> Beyond:
    if place is None:
        return lambda _at, _number: true()
    at, place_rank, place_number = from_micros(place[0]), place[1], place[2]

    def beyond(when: ColumnElement[Any], number: ColumnElement[Any]) -> ColumnElement[bool]:
        if rank > place_rank:
            return when <= at
        if rank < place_rank:
            return when < at
        return or_(when < at, and_(when == at, number < place_number))

    return beyond


def _write(minus_at: int, rank: int, minus_number: int) -> str:
    return f"{-minus_at}.{rank}.{-minus_number}"


def _read(mark: str) -> tuple[int, int, int] | None:
    parts = mark.split(".")
    if len(parts) != 3 or not all(part.isascii() and part.isdecimal() and len(part) <= 18 for part in parts):
        return None
    at, rank, number = (int(part) for part in parts)
    return None if at > AT_MAX else (at, rank, number)


AT_MAX = 10**17
"""Microseconds: some time in the year 5138."""
