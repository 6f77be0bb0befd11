"""Search at the desk: how long the server takes to find words among many messages, common and rare, marks or none, beside a
plain look-up of 40 tickets by their numbers; and what a message costs more to write now that it can be found.
"""

import asyncio
import random
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles

from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty import programme
from store import schema, staff
from store.base import raw, raw_many, to_micros
from store.engine import Store, open_store
from store.staff import Member, Role
from support import queue
from support.answers import finding
from support.queue import View
from support.tickets import tickets

AT = datetime(2026, 6, 1, tzinfo=UTC)
MESSAGES_EACH = 10
"""Messages of a ticket."""
TRIES = 60
SAID = (
    "anh chị cho em hỏi đơn hàng giao tới chưa ạ ly bị vỡ shop đổi giúp mình với cảm ơn nhé quán mở cửa mấy giờ điểm của tôi "
    "còn bao nhiêu voucher hết hạn rồi sao không dùng được cà phê sữa đá ngon quá bánh mì giao trễ hoài hôm nay ngày mai"
)
SEARCHES = (
    "giao tre",
    "đơn hàng",
    "cà phê sữa",
    "ly vỡ",
    "0903 12",
    "khach 77",
    "rare77",
    "anh",
    "voucher hết hạn",
    "gia",
)


@dataclass(frozen=True, slots=True)
class Found:
    """Milliseconds: half of the searches of the list and of everything take at most this, 99 of 100 that; `plain` is the
    median of the look-up by numbers. `written` and `bare`: messages written a second, with the index and without.
    """

    list_p50: float
    list_p99: float
    everything_p50: float
    everything_p99: float
    plain: float
    written: float
    bare: float


def measure(messages: int, url: str | None = None) -> Found:
    """On SQLite, or on the PostgreSQL at a URL."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(url or f"sqlite+aiosqlite:///{Path(folder) / 'bench.db'}", messages))


async def _measure(url: str, messages: int) -> Found:
    store = open_store(url)
    await schema.migrate(store)
    shop_id = await store.write(programme.open_shop, "Bench", timezone="Asia/Ho_Chi_Minh", language="vi")
    member = await store.read(staff.get, await store.write(staff.add, "Minh", Role.AGENT, shop_id))
    await store.write(_people, shop_id, max(1, messages // MESSAGES_EACH))
    random.seed(7)
    for start in range(0, messages, 20_000):
        await store.write(_fill, start, min(messages, start + 20_000))
    await store.run_on_connection(lambda connection: connection.exec_driver_sql("ANALYZE"))
    lists, all_of_it, plain = [], [], []
    for number in range(TRIES):
        words = SEARCHES[number % len(SEARCHES)]
        lists.append(await _timed(store, lambda s, words=words: queue.page(s, member, View.OPEN, search=words)))  # type: ignore[misc]
        all_of_it.append(await _timed(store, lambda s, words=words: finding.everything(s, member, words)))  # type: ignore[misc]
        plain.append(
            await _timed(store, lambda s: s.execute(select(tickets).where(tickets.c.id.in_(range(1, 41)))).all())
        )
    written, bare = await _writing(store, messages, member)
    await store.close()
    return Found(
        median(lists), quantiles(lists, n=100)[98], median(all_of_it), quantiles(all_of_it, n=100)[98], median(plain),
        written, bare,
    )  # fmt: skip


async def _timed(store: Store, rule: object) -> float:
    began = time.perf_counter()
    await store.read(rule)  # type: ignore[arg-type]
    return (time.perf_counter() - began) * 1000


def _people(session: Session, shop_id: int, count: int) -> None:
    at = to_micros(AT)
    raw_many(
        session,
        "INSERT INTO customers (id, phone, name, folded, language, code, tags, advertising, joined_at, spend_total, "
        "orders_count) VALUES (?, ?, ?, ?, 'vi', ?, '[]', FALSE, ?, 0, 0)",
        [(n, f"+84903{n:06d}", f"Khách {n}", f"khach {n}", f"B{n:07d}", at) for n in range(1, count + 1)],
    )
    raw_many(
        session,
        "INSERT INTO tickets (id, shop_id, customer_id, subject, topic, state, priority, created_at, updated_at, last_seq, "
        "changed, preview, folded) VALUES (?, ?, ?, 'x', 'other', 'open', 'normal', ?, ?, 10, ?, '{}', ?)",
        [(n, shop_id, n, at, at + n, n, f"x khach {n} +84903{n:06d}") for n in range(1, count + 1)],
    )


def _fill(session: Session, start: int, end: int) -> None:
    rows = []
    for number in range(start, end):
        said = " ".join(random.choices(SAID.split(), k=random.randint(4, 16))) + (
            f" rare{number % 1000}" if number % 50 == 0 else ""
        )
        rows.append(_row(number // MESSAGES_EACH + 1, number % MESSAGES_EACH + 1, said))
    raw_many(session, INSERT, rows)


INSERT = (
    "INSERT INTO ticket_messages (ticket_id, seq, changed, who, at, text, folded, history, calls) "
    "VALUES (?, ?, 1, 'customer', ?, ?, ?, '[]', '{}')"
)


def _row(ticket: int, seq: int, said: str) -> tuple[int, int, int, str, str]:
    return ticket, seq, to_micros(AT), said, finding.fold(said)


async def _writing(store: Store, messages: int, _member: Member) -> tuple[float, float]:
    """The bare insert of a message, each a transaction, with the triggers and then without them."""

    async def rate(first: int) -> float:
        times = []
        for number in range(300):
            began = time.perf_counter()
            await store.write(lambda s, number=number: raw(s, INSERT, _row(1, first + number, "ly bị vỡ khi giao")))  # type: ignore[misc]
            times.append(time.perf_counter() - began)
        return 1 / median(times)

    def dropped(session: Session) -> None:
        if session.get_bind().dialect.name == "postgresql":
            raw(session, "ALTER TABLE ticket_messages DISABLE TRIGGER search_messages_follow")
        else:
            raw(session, "DROP TRIGGER search_messages_add")

    written = await rate(messages + 100)
    await store.write(dropped)
    return written, await rate(messages + 1000)
