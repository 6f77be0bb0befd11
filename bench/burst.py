"""A burst at the desk: 1,000 customers write at once through the webhook, twice: their first words open a ticket each, the next
go into it. How long until each stands in the list and in the thread of ten agents' open windows, beside the bare insert of
the rows that it left.
"""

import asyncio
import json
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp

from bench import desk, history
from bench.updates import TOKEN, _answers, call, free_port, process
from store import schema, staff
from store.engine import open_store

CUSTOMERS = 1_000
CONNECTIONS = 40
"""As many as Telegram opens to a webhook."""


@dataclass(frozen=True, slots=True)
class Burst:
    """Seconds from the burst's beginning: until the webhook had taken all, until the first message stood in every window's
    list, half of all and all of them, until each open thread had its own (0 where none is open). The seconds of a core that
    the program took. And the rows that it left, with the seconds that these take where they are barely inserted, in one
    transaction.
    """

    accepted: float
    first: float
    half: float
    lists: float
    threads: float
    cpu: float
    rows: int = 0
    bare: float = 0


class Window:
    """An agent's open desk: hears its stream, knows when which ticket came, and which lines of the open one."""

    def __init__(self, http: aiohttp.ClientSession, ticket: int | None) -> None:
        self._http, self._ticket = http, ticket
        self.tickets: dict[int, float] = {}
        self.lines: list[float] = []

    async def hear(self, ready: asyncio.Event) -> None:
        async with self._http.get("/desk/tickets?view=open") as answer:
            cursor = (await answer.json())["cursor"]
        query = "after=" + ",".join(f"{shop}:{at}" for shop, at in cursor.items())
        if self._ticket is not None:
            async with self._http.get(f"/desk/tickets/{self._ticket}") as answer:
                at = max(line["changed"] for line in (await answer.json())["lines"])
            query += f"&ticket={self._ticket}&thread={at}"
        async with self._http.get(f"/desk/events?{query}", timeout=aiohttp.ClientTimeout(None)) as answer:
            ready.set()
            async for event, data in _events(answer):
                if event == "ticket":
                    self.tickets[data["id"]] = time.perf_counter()
                elif event == "line":
                    self.lines.append(time.perf_counter())


async def _events(answer: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, Any]]:
    event = ""
    async for line in answer.content:
        if line.startswith(b"event: "):
            event = line[7:].decode().strip()
        elif line.startswith(b"data: "):
            yield event, json.loads(line[6:])


def measure(tickets: int) -> dict[str, Burst]:
    """On a desk with so many tickets, on SQLite: the burst that opens tickets, and the one that goes on in them."""
    return asyncio.run(_measure(tickets))


async def _measure(tickets: int) -> dict[str, Burst]:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{folder}/bench.db"
        async with history.stored(url, tickets) as (store, there):
            links = [await store.write(staff.make_link, agent, "login") for agent in there.agents]
        api_port, port = free_port(), free_port()
        api, root = f"http://127.0.0.1:{api_port}", f"http://127.0.0.1:{port}"
        bot = {"kind": "product", "port": port, "token": TOKEN, "api_url": api, "database_url": url}
        with process("-m", "tests.botapi", "--port", str(api_port), "--token", TOKEN):
            await _answers(api)
            with process("-m", "bench.bots", json.dumps(bot)) as program:
                while not (await call(api, "status"))["webhook"]["url"]:  # noqa: ASYNC110  # another process's
                    await asyncio.sleep(0.1)
                await _write(api, "/support")
                async with AsyncExitStack() as stack:
                    browsers = [await stack.enter_async_context(desk.browser(root, link)) for link in links]
                    before = _marks(folder)
                    opened = await _burst(
                        api, browsers, [None] * len(browsers), "ly bị vỡ khi giao hàng, đổi giúp mình", program.pid
                    )
                    between = _marks(folder)
                    theirs = [1 + before["tickets"] + n * (CUSTOMERS // len(browsers)) for n in range(len(browsers))]
                    joined = await _burst(api, browsers, theirs, "mình gửi thêm ảnh sau nhé", program.pid)
                    after = _marks(folder)
        return {
            "first messages": replace(opened, **await _bare(folder, before, between)),
            "further messages": replace(joined, **await _bare(folder, between, after)),
        }


async def _write(api: str, text: str) -> float:
    """Have all customers write at once; seconds until all was taken."""
    report = await call(api, "flood", users=CUSTOMERS, text=text, connections=CONNECTIONS, replies=0)
    assert report["accepted"] == CUSTOMERS, report
    return float(report["accepted_after"])


async def _burst(
    api: str, browsers: list[aiohttp.ClientSession], open_tickets: Sequence[int | None], text: str, program: int
) -> Burst:
    windows = [Window(http, ticket) for http, ticket in zip(browsers, open_tickets, strict=True)]
    async with asyncio.TaskGroup() as group:
        ready = [asyncio.Event() for _ in windows]
        hearing = [group.create_task(one.hear(event)) for one, event in zip(windows, ready, strict=True)]
        await asyncio.gather(*(event.wait() for event in ready))
        begun, busy = time.perf_counter(), _cpu(program)
        accepted = await _write(api, text)
        async with asyncio.timeout(60):
            while any(len(one.tickets) < CUSTOMERS or len(one.lines) < (one._ticket is not None) for one in windows):  # noqa: ASYNC110, SLF001
                await asyncio.sleep(0.01)
        busy = _cpu(program) - busy
        for task in hearing:
            task.cancel()
    stood = sorted(at - begun for one in windows for at in one.tickets.values())
    lines = [one.lines[0] - begun for one in windows if one.lines]
    first = max(min(one.tickets.values()) for one in windows) - begun
    return Burst(accepted, first, stood[len(stood) // 2], stood[-1], max(lines, default=0), busy)


def _cpu(process: int) -> float:
    """Seconds of a core that a process has taken so far, by Linux."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _marks(folder: str) -> dict[str, int]:
    """Each table's last row."""
    with closing(sqlite3.connect(f"{folder}/bench.db")) as database:
        return {
            name: database.execute(f"SELECT coalesce(max(rowid), 0) FROM {name}").fetchone()[0]
            for name in schema.metadata().tables
        }


async def _bare(folder: str, before: dict[str, int], after: dict[str, int]) -> dict[str, Any]:
    """The rows that came between two marks, inserted into an empty database of the same tables and triggers."""
    path = Path(folder) / f"bare-{before['tickets']}.db"
    store = open_store(f"sqlite+aiosqlite:///{path}")
    await schema.migrate(store)
    await store.close()
    with closing(sqlite3.connect(f"{folder}/bench.db")) as database, closing(sqlite3.connect(path)) as bare:
        new = {
            name: database.execute(f"SELECT * FROM {name} WHERE rowid > {mark} AND rowid <= {after[name]}").fetchall()
            for name, mark in before.items()
        }
        bare.execute("PRAGMA synchronous = FULL")
        begun = time.perf_counter()
        for name, rows in new.items():
            if rows:
                bare.executemany(f"INSERT OR IGNORE INTO {name} VALUES ({', '.join('?' * len(rows[0]))})", rows)
        bare.commit()
        return {"rows": sum(map(len, new.values())), "bare": time.perf_counter() - begun}


if __name__ == "__main__":
    print(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000))  # noqa: T201
