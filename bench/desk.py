"""The desk with many tickets: what each of its pages costs the server, in time and in queries, over a signed-in browser's
requests to the whole program.
"""

import asyncio
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import aiohttp

from bench import history
from bench.history import FIRST
from bench.updates import free_port
from bot.app import App, quiet_logs
from bot.settings import Settings
from store import staff
from store.engine import Store
from store.staff import Role
from tests.statements import told

TURNS = 100
SECRET = "bench " * 6


@dataclass(frozen=True, slots=True)
class Page:
    """Milliseconds of a page, the middle and 99 of 100, and its queries. `cpu`: 99 of 100 took no more of a core in this process,
    the asking browser's part included (a PostgreSQL's not).
    """

    name: str
    p50: float
    p99: float
    cpu: float
    queries: int


def measure(tickets: int, database_url: str | None = None) -> list[Page]:
    """The desk's pages over so many tickets of ten messages each, on SQLite unless an empty database is named."""
    return asyncio.run(_measure(tickets, database_url))


async def _measure(tickets: int, database_url: str | None) -> list[Page]:
    async with opened(tickets, database_url) as (store, there, root), signed_in(store, root, there.agents[0]) as http:
        pages = [await page(http, name, paths) for name, paths in _pages(tickets).items()]
        lead = await store.write(staff.add, "Lead", Role.SUPERVISOR, there.shop)
        async with signed_in(store, root, lead) as browser_of_lead:
            for days in (30, 365):
                path = f"?days={days}"
                counting = await page(
                    browser_of_lead, f"its report of {days} days, counted", ["/shop/support/figures" + path], 3
                )
                kept = await page(browser_of_lead, f"its report of {days} days, opened", ["/shop/support" + path])
                pages += [counting, kept]
        return pages


@asynccontextmanager
async def opened(tickets: int, database_url: str | None) -> AsyncIterator[tuple[Store, history.History, str]]:
    """The program as it is served, over a desk with so many tickets; its address."""
    quiet_logs()
    with tempfile.TemporaryDirectory() as folder:
        url = database_url or f"sqlite+aiosqlite:///{Path(folder) / 'bench.db'}"
        async with history.stored(url, tickets) as (store, there):
            app = App(Settings(_env_file=None, database_url=url, secret_key=SECRET, port=free_port()), store)
            await app.start("web")
            try:
                yield store, there, f"http://127.0.0.1:{app.settings.port}"
            finally:
                await app.stop()


@asynccontextmanager
async def signed_in(store: Store, root: str, who: int) -> AsyncIterator[aiohttp.ClientSession]:
    """A browser in which a member of staff is signed in."""
    async with browser(root, await store.write(staff.make_link, who, "login")) as http:
        yield http


@asynccontextmanager
async def browser(root: str, link: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A browser that was signed in by a link."""
    async with aiohttp.ClientSession(root, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        async with http.get(f"/login/{link}") as answer:
            token = re.search(r'name="csrf"[^>]*value="([^"]+)"', await answer.text())
        assert token is not None
        async with http.post(f"/login/{link}", data={"csrf": token[1]}, allow_redirects=False) as answer:
            assert answer.status == 303
        yield http


def _pages(tickets: int) -> dict[str, list[str]]:
    """Addresses by what they show: each time another ticket."""
    some = [FIRST + (turn * 7919) % tickets for turn in range(TURNS)]
    beside = ("customer", "filed", "promises", "deadlines", "complaint", "goodwill", "care", "suggestions", "macros")
    return {
        "the page": ["/desk"],
        "list: mine": ["/desk/tickets?view=mine"],
        "list: unassigned": ["/desk/tickets?view=unassigned"],
        "list: all open": ["/desk/tickets?view=open"],
        "list: solved": ["/desk/tickets?view=resolved"],
        "list: solved, further down": [f"/desk/tickets?view=resolved&before={number}" for number in some],
        "list: of a topic": ['/desk/tickets?filters={"topics":["product"],"states":["closed"]}'],
        "list: complaints": ['/desk/tickets?filters={"complaint":true}'],
        "a ticket": [f"/desk/tickets/{number}" for number in some],
        "further up in it": [f"/desk/tickets/{number}/older?before=9" for number in some],
        **{f"beside it: {what}": [f"/desk/tickets/{number}/{what}" for number in some] for what in beside},
        "the filters": ["/desk/filters"],
    }


async def page(http: aiohttp.ClientSession, name: str, paths: Sequence[str], turns: int = TURNS) -> Page:
    """What a page costs, asked for so often, after the first, which finds its template and the database's pages cold."""
    took, busy, queries = [], [], 0
    for turn in range(-1, turns):
        with _counted() as count:
            began, cpu = time.perf_counter(), time.process_time()
            async with http.get(paths[turn % len(paths)]) as answer:
                await answer.read()
                answer.raise_for_status()
            took.append(1_000 * (time.perf_counter() - began))
            busy.append(1_000 * (time.process_time() - cpu))
        queries = max(queries, count[0])
    return Page(name, median(took[1:]), *(_most(one[1:]) for one in (took, busy)), queries)


def _most(each: Sequence[float]) -> float:
    """What 99 of 100 don't exceed."""
    return sorted(each)[-(-99 * len(each) // 100) - 1]


@contextmanager
def _counted() -> Iterator[list[int]]:
    """The statements that any engine of this process runs meanwhile."""
    count = [0]

    def ran(*_: object) -> None:
        count[0] += 1

    with told(ran):
        yield count


if __name__ == "__main__":
    for found in measure(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000, *sys.argv[2:3]):
        print(  # noqa: T201  # its output
            f"{found.name}: {found.p50:.1f} ms, 99 of 100 within {found.p99:.1f} ms and {found.cpu:.1f} ms of a core, "
            f"{found.queries} queries"
        )
