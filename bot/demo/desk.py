"""The demo's help desk: conversations that wait, go on and have ended."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from bot.demo import trade
from bot.demo.past import as_of
from loyalty.customers import customers
from store import staff
from store.clock import now
from store.staff import Member, Role
from support import handling, messages, ratings, tickets
from support.deadlines import promises


@dataclass(frozen=True, slots=True)
class Ticket:
    """A conversation with the help desk: who asks (by place among the customers), how long ago, what was said."""

    who: int
    hours: int
    topic: str
    lines: tuple[tuple[str, str], ...]
    stars: int | None = None


PROMISED = timedelta(hours=3)
"""How long after the demo began what an agent promised is due."""
TICKETS = (
    Ticket(0, 1, "order", (("customer", "Chị ơi đơn sáng nay của em thiếu một cái croissant ạ"),)),
    Ticket(
        3, 5, "points",
        (
            ("customer", "Mình mua hôm qua mà chưa thấy cộng điểm"),
            ("agent", "Dạ em chào chị, chị cho em xin mã trên hóa đơn để em kiểm tra ngay ạ."),
            ("customer", "Mã PC-1204 bạn nhé"),
            ("promise", "Kiểm tra hóa đơn và cộng điểm cho khách"),
        ),
    ),
    Ticket(7, 26, "product", (("customer", "Bên mình có bán hạt cà phê nguyên hạt loại 500 g không ạ?"),)),
    Ticket(
        5, 50, "complaint",
        (
            ("customer", "Hôm qua mình chờ gần 30 phút mới có đồ uống, hơi thất vọng"),
            ("agent", "Dạ bên em thành thật xin lỗi chị. Hôm qua quán thiếu người giờ cao điểm, hôm nay đã bổ sung rồi ạ."),
            ("note", "Khách quen, tuần ghé 3 lần. Đã báo quản lý."),
        ),
    ),
    Ticket(
        11, 75, "order",
        (
            ("customer", "Mình muốn đặt 20 ly cho văn phòng sáng mai được không?"),
            ("agent", "Dạ được ạ, chị cho em xin giờ giao và địa chỉ nhé."),
            ("customer", "9 giờ, tầng 5 tòa nhà bên cạnh. Cảm ơn bạn!"),
            ("resolved", ""),
        ),
        5,
    ),
)  # fmt: skip


def ask(session: Session, customer_id: int, shop_id: int, ticket: Ticket) -> None:
    began = now(session) - timedelta(hours=ticket.hours)
    person = customers.get(session, customer_id)
    # Somebody who writes has a chat: answers from the desk arrive there.
    as_of(session, began, trade.meet, customer_id)
    agent = next(member for member in staff.every(session) if _answers(member, shop_id))
    joined = as_of(session, began, tickets.open_or_join, person.id, shop_id, topic=ticket.topic)
    for number, (who, text) in enumerate(ticket.lines):
        at = began + timedelta(minutes=4 * number)
        if who == "customer":
            as_of(session, at, messages.customer_says, joined.ticket.id, text=text)
        elif who == "agent":
            as_of(session, at, messages.agent_says, joined.ticket.id, agent, text, key=f"demo:{number}")
        elif who == "note":
            as_of(session, at, messages.note, joined.ticket.id, agent, text, key=f"demo:{number}")
        elif who == "promise":
            due_at = now(session) + PROMISED
            as_of(session, at, promises.make, joined.ticket.id, agent, text, due_at, shown=True)
        else:
            as_of(session, at, handling.resolve, joined.ticket.id, agent)
    if ticket.stars:
        as_of(session, began + timedelta(hours=1), ratings.rate, joined.ticket.id, person.id, ticket.stars)


def _answers(member: Member, shop_id: int) -> bool:
    return any(role is Role.AGENT and at == shop_id for role, at in member.roles)
