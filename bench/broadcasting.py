"""A campaign on the whole program at Telegram's limit of 30 messages a second: how much of the limit it uses, as the Bot API
server sees it, and how long a customer waits for `/points` meanwhile, beside without.
"""

import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy.orm import Session

from bench.updates import TOKEN, _answers, call, free_port, process
from loyalty import programme
from loyalty.outreach import manners
from loyalty.outreach.campaigns import campaigns, drafts
from loyalty.outreach.campaigns.campaigns import CampaignState
from loyalty.outreach.campaigns.drafts import Draft
from loyalty.outreach.manners import Rules
from store import schema
from store.base import insert_rows, to_micros
from store.clock import now
from store.engine import Store, open_store

RATE = 30
PEOPLE = 900
FIRST_CHAT = 3_000_000
ASKER = 2_999_999
ASKED = 300
EVERY_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Messages a second from the first to the last; the most in any one second; milliseconds until `/points` is answered
    (99 of 100) during a broadcast and without.
    """

    per_second: float
    most: int
    during_p99: float
    without_p99: float


def measure() -> Broadcast:
    """On SQLite, one after the other: a campaign alone, `/points` alone, both."""
    return asyncio.run(_measure())


async def _measure() -> Broadcast:
    api_port, port = free_port(), free_port()
    url = f"http://127.0.0.1:{api_port}"
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite+aiosqlite:///{Path(folder) / 'bench.db'}"
        store = open_store(database)
        await schema.migrate(store)
        shop = await store.write(programme.open_shop, "Bench", timezone="Asia/Ho_Chi_Minh", language="vi")
        # Hours and caps aside: it is measured at any time of the day, twice.
        await store.write(manners.put, Rules(care_from=manners.AD_FROM, care_until=manners.AD_FROM, care_cap=100))
        await store.write(_meet)
        options = f'{{"kind": "product", "port": {port}, "token": "{TOKEN}", "api_url": "{url}", "database_url": "{database}"}}'
        with process("-m", "tests.botapi", "--port", str(api_port), "--token", TOKEN):
            await _answers(url)
            for chat in range(FIRST_CHAT, FIRST_CHAT + PEOPLE):
                await call(url, "user", id=chat)
            await call(url, "user", id=ASKER)
            with process("-m", "bench.bots", options):
                while not (await call(url, "status"))["webhook"]["url"]:  # noqa: ASYNC110  # another process sets it
                    await asyncio.sleep(0.1)
                await _asked(url, 50)
                await _ended(store, await _let_go(store, shop))
                times = sorted(one["at"] for one in await call(url, "calls", method="sendMessage") if _sent(one))
                assert len(times) == PEOPLE, len(times)
                without = await _asked(url, ASKED)
                going = await _let_go(store, shop)
                during = await _asked(url, ASKED)
                assert (await store.read(campaigns.get, going)).state == CampaignState.SENDING
        await store.close()
    most = max(sum(at - 1.0 < other <= at for other in times) for at in times)
    return Broadcast((len(times) - 1) / (times[-1] - times[0]), most, _p99(during), _p99(without))


def _sent(one: Any) -> bool:
    return one["chat"] is not None and one["chat"] >= FIRST_CHAT


def _p99(seconds: list[float]) -> float:
    return sorted(seconds)[int(0.99 * (len(seconds) - 1))] * 1_000


async def _let_go(store: Store, shop: int) -> int:
    number = (await store.write(drafts.add, shop, Draft("Bench", {"all": []}, "care", {"vi": "Tin"}), "bench")).id
    await store.write(campaigns.approve, number, shop, "bench")
    while (await store.read(campaigns.get, number)).started_at is None:  # noqa: ASYNC110  # another process starts it
        await asyncio.sleep(0.05)
    return number


async def _ended(store: Store, number: int) -> None:
    while (await store.read(campaigns.get, number)).state != CampaignState.DONE:  # noqa: ASYNC110  # another process ends it
        await asyncio.sleep(0.2)


async def _asked(url: str, times: int) -> list[float]:
    """Seconds until each of so many `/points` was answered, one after the other."""
    found = []
    async with aiohttp.ClientSession() as http:

        async def sim(verb: str, body: dict[str, Any]) -> None:
            async with http.post(f"{url}/sim/{verb}", json=body) as answer:
                assert answer.status == 200, await answer.text()

        for _ in range(times):
            began = time.perf_counter()
            await sim("send", {"user": ASKER, "text": "/points"})
            await sim("wait", {"user": ASKER, "contains": "điểm"})
            found.append(time.perf_counter() - began)
            await asyncio.sleep(EVERY_SECONDS)
    return found


def _meet(session: Session) -> None:
    """Customers who have each written to the bot once."""
    at, account = to_micros(now(session)), f"telegram:{TOKEN.partition(':')[0]}"
    insert_rows(
        session, "customers", "id, name, folded, language, code, tags, advertising, tier_id, joined_at, spend_total, orders_count",
        [(nth, "Lan", "lan", "vi", f"B{nth:07d}", "[]", False, 1, at, 0, 0) for nth in range(1, PEOPLE + 1)],
    )  # fmt: skip
    insert_rows(
        session, "identities", "customer_id, account, user_id, chat_id, joined_at, last_seen_at",
        [(nth, account, chat, chat, at, at) for nth, chat in enumerate(range(FIRST_CHAT, FIRST_CHAT + PEOPLE), 1)],
    )  # fmt: skip
