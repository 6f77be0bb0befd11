"""Planning: who is asked what, and when. What is to be asked is a row of `surveys` with a time.

NPS follows an order or a solved case by a day; whether an order was all right follows it, or its delivery, by the shop's
hours. Either is asked at most once in the shop's days for a customer, and not while a complaint of theirs is open. Those
days are how often one question comes; how much somebody hears in all is for loyalty.outreach.manners to say.
"""

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from loyalty.customers import customers
from loyalty.orders import orders
from loyalty.orders.orders import Order, Status
from loyalty.outreach import manners
from store import events, notices, shops
from store.clock import now
from store.events import Happened
from store.outbox import Purpose
from support import tickets
from support.complaints.complaints import complaints
from support.complaints.loop import civil
from support.feedback import surveys as asking
from support.feedback import terms
from support.feedback.surveys import Kind, State, surveys

FOLLOWER = "surveys"
DAY = timedelta(days=1)
STALE = timedelta(days=30)
"""An older order comes from a shop that hands in its past: nobody is asked about it."""


def plan_due(session: Session) -> int:
    """Plan what is to be asked after what happened since the last time; how many events that were. For the clock."""
    if not events.any_new(session, FOLLOWER):
        return 0
    events.number(session)
    happened = events.follow(session, FOLLOWER)
    for event in happened:
        if event.customer_id is None or event.shop_id is None:
            continue
        customer_id = customers.resolve(session, event.customer_id)
        if event.kind in {"order_completed", "ticket_resolved"}:
            _plan_nps(session, event, customer_id, event.shop_id)
        if event.kind in {terms.COMPLETED, terms.DELIVERED}:
            _plan_order(session, event, customer_id, event.shop_id)
    return len(happened)


def _plan_nps(session: Session, event: Happened, customer_id: int, shop_id: int) -> None:
    days, ticket_id, s = terms.of(session, shop_id).nps_days, event.data.get("ticket"), surveys.c
    if not days or _asked(session, Kind.NPS, s.customer_id == customer_id, s.due_at > now(session) - days * DAY):
        return
    if ticket_id is None or not _asked(session, Kind.NPS, s.ticket_id == ticket_id):
        due_at = civil(session, shop_id, now(session) + DAY)
        asking.add(session, Kind.NPS, customer_id, shop_id, State.WAITING, due_at=due_at, ticket_id=ticket_id)


def _plan_order(session: Session, event: Happened, customer_id: int, shop_id: int) -> None:
    rules, s = terms.of(session, shop_id), surveys.c
    days = rules.order_days
    if not days or event.kind != rules.order_after:
        return
    order = orders.find(session, shop_id, str(event.data.get("order")))
    if order is None or order.source == orders.IMPORT or order.placed_at < event.at - STALE or not _stands(order):
        return
    lately = (s.customer_id == customer_id, s.due_at > now(session) - days * DAY)
    if not _asked(session, Kind.ORDER, *lately) and not _asked(session, Kind.ORDER, s.order_id == order.id):
        due_at = civil(session, shop_id, event.at + timedelta(hours=rules.order_hours))
        asking.add(session, Kind.ORDER, customer_id, shop_id, State.WAITING, due_at=due_at, order_id=order.id)


def _asked(session: Session, kind: Kind, *where: ColumnElement[bool]) -> bool:
    found = select(surveys.c.id).where(surveys.c.kind == kind.value, *where).limit(1)
    return session.execute(found).first() is not None


def _stands(order: Order) -> bool:
    """Whether something of an order is still bought."""
    return order.status != Status.CANCELLED and (order.refunded < order.total or not order.total)


def ask_due(session: Session, limit: int = 50) -> int:
    """Ask whose time it is, as manners allow: in the hours at which the shop cares for customers, and not who has heard enough
    from it for now; how many it looked at. For the clock.
    """
    s, at, kept = surveys.c, now(session), manners.rules(session)
    rows = session.execute(
        select(s.id, s.kind, s.customer_id, s.shop_id, s.order_id)
        .where(s.state == State.WAITING.value, s.due_at <= at)
        .order_by(s.due_at, s.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        shop = shops.get(session, row.shop_id)
        later = manners.waits(session, row.customer_id, Purpose.CARE, shop.timezone, kept)
        if later is not None:
            values: dict[str, Any] = {"due_at": civil(session, shop.id, later)}
        elif _unfit(session, row):
            values = {"state": State.DROPPED.value}
        else:
            values = {"state": State.ASKED.value, "asked_at": at}
            _ask(session, row)
        session.execute(update(surveys).where(s.id == row.id).values(**values))
    return len(rows)


def _unfit(session: Session, row: Any) -> bool:
    """Whether it is no time for this question: a complaint is open, or of an order: they are talking with us anyway, or
    nothing of it is left.
    """
    if row.kind == Kind.ORDER:
        return tickets.current(session, row.customer_id) is not None or not _stands(orders.get(session, row.order_id))
    c, t = complaints.c, tickets.tickets.c
    open_ones = (
        select(c.ticket_id)
        .join(tickets.tickets, t.id == c.ticket_id)
        .where(t.customer_id == row.customer_id, c.outcome.is_(None))
    )
    return session.execute(open_ones.limit(1)).first() is not None


def _ask(session: Session, row: Any) -> None:
    about: dict[str, Any] = {}
    if row.kind == Kind.ORDER:
        order = orders.get(session, row.order_id)
        about = {"order": order.external_id, "total": order.total, "shop": shops.get(session, row.shop_id).name}
    notices.tell(
        session, "order_question" if about else "nps", customer_id=row.customer_id, shop_id=row.shop_id,
        purpose=Purpose.CARE, survey=row.id, **about,
    )  # fmt: skip
