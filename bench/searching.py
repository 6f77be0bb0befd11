"""Search at the desk: how long the server takes to find words among many messages, common and rare, marks or none, beside a
plain look-up of 40 tickets by their numbers; and what a message costs more to write now that it can be found.
"""

import asyncio
import time
from dataclasses import dataclass
from statistics import median
from urllib.parse import quote

from sqlalchemy import select
from sqlalchemy.orm import Session

from bench import desk
from bench.desk import Page
from bench.history import FIRST
from store.base import raw
from store.engine import Store
from store.text import fold
from support.tickets import tickets

SEARCHES = (
    "giao tre", "đơn hàng", "cà phê sữa", "ly vỡ", "0900 00012", "khach 77", "rare77", "anh", "voucher hết hạn", "gia",
    "#1042", "khong co gi nhu vay",
)  # fmt: skip
WRITES = 300


@dataclass(frozen=True, slots=True)
class Found:
    """The list's search and the search over everything; `plain`: milliseconds of the look-up by numbers. `written` and
    `bare`: messages written a second, with the index and without.
    """

    pages: list[Page]
    plain: float
    written: float
    bare: float


def measure(tickets: int, url: str | None = None) -> Found:
    """Among ten times as many messages, on SQLite unless an empty database is named."""
    return asyncio.run(_measure(tickets, url))


async def _measure(count: int, url: str | None) -> Found:
    async with (
        desk.opened(count, url) as (store, there, root),
        desk.signed_in(store, root, there.agents[0]) as http,
    ):
        pages = [
            await desk.page(http, name, [path + quote(words) for words in SEARCHES])
            for name, path in (
                ("a search of the list", "/desk/tickets?view=open&search="), ("a search over everything", "/desk/find/list?q="),
            )
        ]  # fmt: skip
        numbers = range(FIRST, FIRST + 40)
        plain = [await _timed(store, lambda s: s.execute(select(tickets).where(tickets.c.id.in_(numbers))).all())
                 for _ in range(60)]  # fmt: skip
        written, bare = await _writing(store)
        return Found(pages, median(plain), written, bare)


async def _timed(store: Store, rule: object) -> float:
    began = time.perf_counter()
    await store.read(rule)  # type: ignore[arg-type]
    return (time.perf_counter() - began) * 1000


INSERT = (
    "INSERT INTO ticket_messages (ticket_id, seq, changed, who, at, text, folded, history, calls) "
    "VALUES (?, ?, 1, 'customer', 1, ?, ?, '[]', '{}')"
)
TEXT = "ly bị vỡ khi giao"


async def _writing(store: Store) -> tuple[float, float]:
    """The bare insert of a message, each a transaction, with the triggers and then without them."""

    async def rate(first: int) -> float:
        times = []
        for seq in range(first, first + WRITES):
            began = time.perf_counter()
            await store.write(lambda s, seq=seq: raw(s, INSERT, (FIRST, seq, TEXT, fold(TEXT))))  # type: ignore[misc]
            times.append(time.perf_counter() - began)
        return 1 / median(times)

    def dropped(session: Session) -> None:
        if session.get_bind().dialect.name == "postgresql":
            raw(session, "ALTER TABLE ticket_messages DISABLE TRIGGER search_messages_follow")
        else:
            raw(session, "DROP TRIGGER search_messages_add")

    written = await rate(1_000)
    await store.write(dropped)
    return written, await rate(1_000 + WRITES)


if __name__ == "__main__":
    import sys

    for one in (sought := measure(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000, *sys.argv[2:3])).pages:
        print(f"{one.name}: {one.p50:.1f} ms, 99 of 100 within {one.p99:.1f} ms, {one.queries} queries")  # noqa: T201
    print(sought)  # noqa: T201
