"""The desk with many tickets: what each of its pages costs the server, in time and in queries, over a signed-in browser's
requests to the whole program.
"""

import asyncio
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import aiohttp
import sqlalchemy as sa

from bench.updates import free_port
from bot.app import App, quiet_logs
from bot.settings import Settings
from loyalty import programme
from store import schema, staff
from store.base import to_micros
from store.engine import Store, open_store
from store.staff import Role

MESSAGES_EACH = 10
UNSOLVED_OF = 50
"""Of so many tickets one is not solved."""
AGENTS = 10
TURNS = 100


@dataclass(frozen=True, slots=True)
class Page:
    """Milliseconds of a page, the middle and 99 of 100, and its queries."""

    name: str
    p50: float
    p99: float
    queries: int


def measure(tickets: int, database_url: str | None = None) -> list[Page]:
    """The desk's pages over so many tickets of ten messages each, on SQLite unless an empty database is named."""
    return asyncio.run(_measure(tickets, database_url))


async def _measure(tickets: int, database_url: str | None) -> list[Page]:
    quiet_logs()
    with tempfile.TemporaryDirectory() as folder:
        url = database_url or f"sqlite+aiosqlite:///{Path(folder) / 'bench.db'}"
        store = open_store(url)
        link = await _open(store, tickets)
        settings = Settings(_env_file=None, database_url=url, secret_key="bench " * 6, port=free_port())
        app = App(settings, store)
        await app.start("web")
        try:
            jar = aiohttp.CookieJar(unsafe=True)
            async with aiohttp.ClientSession(f"http://127.0.0.1:{settings.port}", cookie_jar=jar) as http:
                await _sign_in(http, link)
                return [await _page(http, name, paths) for name, paths in _pages(tickets).items()]
        finally:
            await app.stop()
            await store.close()


def _pages(tickets: int) -> dict[str, list[str]]:
    """Addresses by what they show: each time another ticket."""
    some = [1001 + (turn * 7919) % tickets for turn in range(TURNS)]
    return {
        "the page": ["/desk"],
        "list: mine": ["/desk/tickets?view=mine"],
        "list: unassigned": ["/desk/tickets?view=unassigned"],
        "list: all open": ["/desk/tickets?view=open"],
        "list: solved": ["/desk/tickets?view=resolved"],
        "list: solved, further down": [f"/desk/tickets?view=resolved&before={number}" for number in some],
        "a ticket": [f"/desk/tickets/{number}" for number in some],
        "the customer beside it": [f"/desk/tickets/{number}/customer" for number in some],
    }


async def _page(http: aiohttp.ClientSession, name: str, paths: list[str]) -> Page:
    took, queries = [], 0
    for turn in range(TURNS):
        with _counted() as count:
            began = time.perf_counter()
            async with http.get(paths[turn % len(paths)]) as answer:
                await answer.read()
                answer.raise_for_status()
            took.append(1_000 * (time.perf_counter() - began))
        queries = max(queries, count[0])
    return Page(name, median(took), quantiles(took, n=100)[-1], queries)


@contextmanager
def _counted() -> Iterator[list[int]]:
    """The statements that any engine of this process runs meanwhile."""
    count = [0]

    def ran(*_: object) -> None:
        count[0] += 1

    sa.event.listen(sa.Engine, "before_cursor_execute", ran)
    try:
        yield count
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", ran)


async def _sign_in(http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(path) as answer:
        token = re.search(r'name="csrf"[^>]*value="([^"]+)"', await answer.text())
    assert token is not None
    async with http.post(path, data={"csrf": token[1]}, allow_redirects=False) as answer:
        assert answer.status == 303


async def _open(store: Store, tickets: int) -> str:
    """A shop with so many tickets; the address that signs one of its agents in."""
    await schema.migrate(store)
    shop = await store.write(programme.open_shop, "Bench", timezone="Asia/Ho_Chi_Minh", language="vi")
    people = [await store.write(staff.add, f"Agent {n}", Role.AGENT, shop) for n in range(AGENTS)]
    now = to_micros(store.clock.now())
    await store.run_on_connection(lambda connection: _fill(connection, tickets, shop, people[0], now))
    return f"/login/{await store.write(staff.make_link, people[0], 'login')}"


def _fill(connection: sa.Connection, tickets: int, shop: int, first_agent: int, now: int) -> None:
    """Tickets 1001 … of a customer each, the older the lower; what is not solved is spread among them, every tenth of it
    nobody's.
    """
    run = connection.exec_driver_sql
    minute = 60_000_000
    run("CREATE TEMP TABLE n (i INTEGER PRIMARY KEY)")
    run(
        f"INSERT INTO n WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {tickets}) SELECT i FROM c"
    )
    run(
        "INSERT INTO customers (id, name, folded, language, code, tags, tier_id, advertising, joined_at, spend_total, "
        "orders_count) SELECT i, 'Khách ' || i, 'khach ' || i, 'vi', 'B' || i, '[]', 1, false, 1, 0, 0 FROM n"
    )
    at = f"{now} - ({tickets} - i) * {minute}"
    unsolved = f"(i * 31) % {UNSOLVED_OF} = 0"
    owner = f"CASE WHEN {unsolved} AND i % 10 = 0 THEN NULL ELSE {first_agent} + i % {AGENTS} END"
    preview = """'{"seq": 11, "who": "agent", "text": "Dạ em gửi lại ngay ạ", "kind": null, "state": "sent"}'"""
    run(
        "INSERT INTO tickets (id, shop_id, customer_id, subject, topic, state, priority, assignee_id, created_at, updated_at, "
        "first_response_at, resolved_at, last_seq, changed, preview, folded, language) "
        f"SELECT 1000 + i, {shop}, i, 'Ly bị vỡ ' || i, 'order', CASE WHEN {unsolved} THEN CASE i % 3 WHEN 0 THEN 'new' "
        f"WHEN 1 THEN 'open' ELSE 'waiting_customer' END WHEN i % 20 = 0 THEN 'resolved' ELSE 'closed' END, 'normal', "
        f"{owner}, {at}, {at}, {at}, CASE WHEN {unsolved} THEN NULL ELSE {at} END, {MESSAGES_EACH + 1}, i, {preview}, "
        "'ly bi vo ' || i || ' khach ' || i, 'vi' FROM n"
    )
    run(
        "INSERT INTO ticket_events (ticket_id, seq, changed, at, kind, data) "
        f"SELECT 1000 + i, 1, i, {at}, 'opened', '{{\"topic\": \"order\"}}' FROM n"
    )
    for place in range(MESSAGES_EACH):
        who = ("customer", "agent")[place % 2]
        run(
            "INSERT INTO ticket_messages (ticket_id, seq, changed, who, staff_id, at, text, folded, history, calls, state) "
            f"SELECT 1000 + i, {place + 2}, i, '{who}', {'NULL' if place % 2 == 0 else first_agent}, {at}, "
            f"'Câu {place} về đơn ' || i, 'cau {place} ve don ' || i, '[]', '{{}}', "
            f"{'NULL' if place % 2 == 0 else chr(39) + 'sent' + chr(39)} FROM n"
        )
    run(f"INSERT INTO desk_counters (name, value) VALUES ('tickets', {1000 + tickets}), ('desk:{shop}', {tickets})")
    run("DROP TABLE n")
    run("ANALYZE")


if __name__ == "__main__":
    for found in measure(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000, *sys.argv[2:3]):
        print(  # noqa: T201  # its output
            f"{found.name}: {found.p50:.1f} ms, 99 of 100 within {found.p99:.1f} ms, {found.queries} queries"
        )
