"""What stands in the team's forum, in words: a ticket's name and card, what was said elsewhere, how a delivery failed."""

from collections.abc import Sequence
from html import escape
from zoneinfo import ZoneInfo

from aiogram.types import InlineKeyboardMarkup
from sqlalchemy.orm import Session

from handlers.chat.commands import button
from handlers.chat.forum_buttons import Do
from handlers.web.desk import shown
from handlers.words import Words
from loyalty.customers import customers, phones
from loyalty.orders import orders
from loyalty.points import points
from loyalty.tiers import qualification
from loyalty.vouchers import vouchers
from store import shops, staff
from store.base import table
from store.shops import Shop
from support import ratings
from support.feedback import order_answers
from support.messages import AGENT, CUSTOMER, NOTE
from support.tickets import State, Ticket

ORDERS = 3
NAME_CHARS_MAX = 120
TEXT_CHARS_MAX = 4000
"""Of one message, with room for a head."""
LINE_CHARS_MAX = 300
"""Of a line in a summary."""
MEDIA = {
    "photo": "🖼", "voice": "🎤", "audio": "🎵", "video": "🎬", "document": "📎", "sticker": "🙂", "location": "📍",
}  # fmt: skip
"""What stands for a file where it is only mentioned."""


def name(session: Session, ticket: Ticket) -> str:
    """A topic's name: the number, who it is, what it is about; the shop before it where there are several."""
    every = shops.every(session)
    person = customers.get(session, ticket.customer_id)
    parts = [f"#{ticket.id}", person.name or (phones.local(person.phone) if person.phone else "")]
    said = " ".join(part for part in parts if part)
    if ticket.subject:
        said += f" – {ticket.subject}"
    if len(every) > 1:
        said = f"{next(shop.name for shop in every if shop.id == ticket.shop_id)} · {said}"
    return said if len(said) <= NAME_CHARS_MAX else f"{said[: NAME_CHARS_MAX - 1].rstrip()}…"


def card(session: Session, said: Words, ticket: Ticket) -> str:
    """Who the customer is to the shop and how the ticket stands, as HTML."""
    shop = shops.get(session, ticket.shop_id)
    person = customers.get(session, ticket.customer_id)
    available, pending, _ = points.balances(session, person.id)
    standing = qualification.of(session, person.id)
    head = f"<b>#{ticket.id} · {escape(person.name or said('a customer'))}</b> · {escape(standing.tier.name)}"
    held = [said("{points} points", points=said.number(available))]
    if pending:
        held.append(said("{points} on their way", points=said.number(pending)))
    if owned := len(vouchers.wallet(session, person.id, shop_id=ticket.shop_id)):
        held.append(said.plural("{n} voucher", "{n} vouchers", owned))
    lines = [head, " · ".join(held), _orders(session, said, shop, person.id)]
    if person.phone:
        lines.append(phones.local(person.phone))
    if ticket.subject:
        lines += ["", f"“{escape(ticket.subject)}”"]
    if wrong := order_answers.about(session, ticket.id):
        day = said.day(wrong.placed_at.astimezone(ZoneInfo(shop.timezone)).date())
        facts = [said.money(wrong.total, shop.currency), day, *wrong.items]
        lines.append(said("Order {order}: {facts}", order=escape(wrong.order), facts=escape(" · ".join(facts))))
    lines += ["", _standing(session, said, shop, ticket)]
    if rating := ratings.of(session, ticket.id):
        lines.append(
            "★" * rating.stars + "☆" * (5 - rating.stars) + (f" {escape(rating.comment)}" if rating.comment else "")
        )
    return "\n".join(lines)


def _orders(session: Session, said: Words, shop: Shop, customer_id: int) -> str:
    last = [
        f"{said.money(order.total - order.refunded, order.currency)} ({said.day(order.placed_at.astimezone(ZoneInfo(shop.timezone)).date())})"
        for order in orders.of_customer(session, customer_id, ORDERS)
    ]
    return said("Last orders: {orders}", orders=" · ".join(last)) if last else said("No orders yet")


def _standing(session: Session, said: Words, shop: Shop, ticket: Ticket) -> str:
    parts = [f"<b>{state(said, ticket, shop.timezone)}</b>"]
    if ticket.assignee_id is not None:
        row = table(staff.StaffRow)
        who = session.execute(row.select().with_only_columns(row.c.name).where(row.c.id == ticket.assignee_id)).scalar()
        parts.append(said("{name} is on it", name=escape(who or "")))
    else:
        parts.append(said("nobody is on it"))
    if ticket.priority in {"urgent", "high"}:
        parts.append("🔥 " + (said("Urgent") if ticket.priority == "urgent" else said("High priority")))
    if ticket.topic in (topics := shown.topics(said)):
        parts.append(topics[ticket.topic])
    return " · ".join(parts)


def state(said: Words, ticket: Ticket, zone: str) -> str:
    """How a ticket stands, in a few words."""
    match ticket.state:
        case State.NEW:
            return said("New")
        case State.OPEN:
            return said("Our turn")
        case State.WAITING:
            return said("Waiting for the customer")
        case State.SNOOZED if ticket.snoozed_until is not None:
            return said("Set aside until {moment}", moment=said.moment(ticket.snoozed_until, zone))
        case State.RESOLVED:
            return said("Solved")
    return said("Closed")


def buttons(said: Words, ticket: Ticket) -> InlineKeyboardMarkup:
    """What can be done with a ticket by a tap, under its card."""
    if ticket.state in {State.RESOLVED, State.CLOSED}:
        return InlineKeyboardMarkup(inline_keyboard=[[button(said("Open again"), Do(act="reopen", ticket=ticket.id))]])
    rows = [
        [button(said("Hand over"), Do(act="assign", ticket=ticket.id)), button(said("Later"), Do(act="later", ticket=ticket.id)),
         button(said("Solved"), Do(act="close", ticket=ticket.id))],
        [button(said("Points"), Do(act="points", ticket=ticket.id)), button(said("Voucher"), Do(act="voucher", ticket=ticket.id)),
         button(said("Macro"), Do(act="macro", ticket=ticket.id))],
    ]  # fmt: skip
    if ticket.assignee_id is None:
        rows.insert(0, [button(said("I take it"), Do(act="claim", ticket=ticket.id))])
    return InlineKeyboardMarkup(inline_keyboard=rows)


def head(said: Words, who: str, staff_name: str | None) -> str:
    """Who said it, as HTML; nothing for the customer, whose topic it is."""
    name = escape(staff_name or "")
    if who == AGENT:
        return said("↪ <b>{name}</b>, from the desk:", name=name) if name else said("↪ Sent by itself:")
    if who == NOTE:
        return said("📝 <b>{name}</b>, a note:", name=name)
    return ""


def spoken(top: str, text: str) -> list[str]:
    """A text with its head as HTML, in parts that one message holds."""
    parts = split(text)
    first = "\n".join(part for part in (top, escape(parts[0])) if part)
    return [first, *(escape(part) for part in parts[1:])]


def split(text: str, most: int = TEXT_CHARS_MAX) -> list[str]:
    """A text in parts of so many signs, counted as Telegram counts them, cut between lines or words where there is a gap."""
    parts = []
    while _units(text) > most:
        cut = _fitting(text, most)
        gap = max(text.rfind("\n", 0, cut), text.rfind(" ", 0, cut))
        if gap > cut // 2:
            cut = gap
        parts.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [*parts, text]


def _units(text: str) -> int:
    """A text's length in UTF-16 units: a picture sign counts as two."""
    return len(text) + sum(sign > "\uffff" for sign in text)


def _fitting(text: str, most: int) -> int:
    taken = 0
    for place, sign in enumerate(text):
        taken += 2 if sign > "\uffff" else 1
        if taken > most:
            return place
    return len(text)


def summary(said: Words, lines: Sequence[tuple[str, str | None, str, str]], *, again: bool) -> str:
    """What was said before, in one message, the newest lines where not all fit; each as (who, name, time, words)."""
    top = (
        said("<i>The topic was gone and was made again. What was said last:</i>") if again
        else said("<i>What was said before:</i>")
    )  # fmt: skip
    kept: list[str] = []
    room = TEXT_CHARS_MAX - len(top)
    for who, name, time, full in reversed(lines):
        words = full if len(full) <= LINE_CHARS_MAX else f"{full[: LINE_CHARS_MAX - 1].rstrip()}…"
        whose = said("Customer") if who == CUSTOMER else (f"📝 {name}" if who == NOTE else name or said("We"))
        line = f"<b>{escape(whose)}</b> {time}: {escape(words)}"
        if _units(line) > room:
            break
        room -= _units(line) + 1
        kept.append(line)
    return "\n".join([top, *reversed(kept)])


def undelivered(said: Words, state: str, reason: str | None) -> str:
    """How a message to the customer failed, so that the colleague knows what to do."""
    why = escape(shown.reason(said, reason))
    if state == "unknown":
        return said("⚠️ We can't know whether this reached the customer. {why}", why=why)
    return said("⚠️ This did not reach the customer. {why}", why=why)


def retry_button(said: Words, ticket_id: int, message_id: int) -> InlineKeyboardMarkup:
    """Send once more what did not arrive."""
    again = button(said("Send again"), Do(act="retry", ticket=ticket_id, value=str(message_id)))
    return InlineKeyboardMarkup(inline_keyboard=[[again]])
