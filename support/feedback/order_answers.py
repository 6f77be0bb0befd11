"""Order answers: whether an order was all right. One that was not is a complaint at once, with the order's facts in it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty.customers import customers
from loyalty.orders import orders
from loyalty.orders.orders import Order
from support import tickets
from support.complaints import complaints, hearing, opening
from support.complaints.complaints import Origin
from support.feedback import surveys

ITEMS = 5
WRONG = "order_wrong"


@dataclass(frozen=True, slots=True)
class Wrong:
    """An order that was not all right: the shop's number of it, what it came to, when, and what was bought."""

    order: str
    total: int
    placed_at: datetime
    items: tuple[str, ...]


def answer(session: Session, survey_id: int, customer_id: int, *, good: bool) -> int | None:
    """A customer answers, once; the ticket of the complaint that a no is. It is the one they are talking in at that shop,
    where there is one. Raises NotFoundError (not theirs), AnsweredError.
    """
    owner = customers.lock(session, customer_id)
    found = surveys.answer(session, survey_id, owner, int(good))
    if good or found.order_id is None:
        return None
    order = orders.get(session, found.order_id)
    ticket = tickets.current(session, owner)
    if ticket is None or ticket.shop_id != found.shop_id:
        ticket = tickets.begin(session, owner, found.shop_id, topic=hearing.TOPIC)
        subject = f"👎 {order.external_id}"
        tickets.write(session, ticket, subject=subject, folded=tickets.folded(session, owner, subject))
    ticket = tickets.hold(session, ticket.id)
    tickets.log(
        session, ticket, WRONG, None, order=order.external_id, total=order.total,
        placed_at=order.placed_at.isoformat(), items=_items(order),
    )  # fmt: skip
    if complaints.find(session, ticket.id) is None:
        opening.begin(session, ticket, Origin.ORDER)
    return ticket.id


def about(session: Session, ticket_id: int) -> Wrong | None:
    """The order that a ticket is about, where its customer said that it was not all right; the last of them."""
    e = tickets.ticket_events.c
    data: dict[str, Any] | None = session.execute(
        select(e.data).where(e.ticket_id == ticket_id, e.kind == WRONG).order_by(e.seq.desc()).limit(1)
    ).scalar()
    if not data or not data.get("placed_at"):
        # There is none, or its customer was forgotten.
        return None
    return Wrong(data["order"], data["total"], datetime.fromisoformat(data["placed_at"]), tuple(data["items"]))


def _items(order: Order) -> list[str]:
    """What was bought, in the shop's words: the first few lines."""
    named = [(str(item["name"]), item.get("quantity")) for item in order.items if item.get("name")]
    return [f"{count} × {name}" if count not in {None, 1} else name for name, count in named[:ITEMS]]
