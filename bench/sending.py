"""Messages a second that the sender brings to a local Bot API server, against bare aiohttp posts side by side."""

import asyncio
import json
import tempfile
import time
from pathlib import Path
from statistics import median

import aiohttp

from bench.updates import TOKEN, _answers, call, free_port, process
from bot.app import END_RULES, settle_memory
from bot.messengers.telegram import Telegram
from bot.nursery import Nursery
from bot.sender import IN_FLIGHT_MAX, Sender
from store import outbox, schema
from store.engine import open_store
from store.outbox import Call, Purpose

MESSAGES = 10_000
CHATS = 1_000


def measure(rounds: int = 3) -> tuple[float, float]:
    """(median of the sender, median of bare posts), messages a second, the two taking turns."""
    return asyncio.run(_measure(rounds))


async def _measure(rounds: int) -> tuple[float, float]:
    settle_memory()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    ours, theirs = [], []
    with process("-m", "tests.botapi", "--port", str(port), "--token", TOKEN):
        await _answers(url)
        for number in range(CHATS):
            await call(url, "user", id=3_000_000 + number, started=True)
        for _ in range(rounds):
            theirs.append(await _bare(url))
            ours.append(await _sender(url))
    return median(ours), median(theirs)


def _payload(number: int) -> str:
    return json.dumps({"chat_id": 3_000_000 + number % CHATS, "text": f"message {number}"})


async def _bare(url: str) -> float:
    """The same calls, as many at once as the sender has in flight, and nothing else."""
    numbers = iter(range(MESSAGES))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200)) as http:

        async def work() -> None:
            for number in numbers:
                async with http.post(
                    f"{url}/bot{TOKEN}/sendMessage", data=_payload(number), headers={"Content-Type": "application/json"}
                ) as answer:
                    await answer.read()

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(IN_FLIGHT_MAX)))
        return MESSAGES / (time.perf_counter() - began)


async def _sender(url: str) -> float:
    """Rows that wait in a SQLite outbox, until the last has arrived at the server."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite+aiosqlite:///{Path(folder) / 'bench.db'}")
        await schema.migrate(store)
        telegram = Telegram(TOKEN, url, rate=10_000)
        rows = [
            Call(
                store.ids.new(),
                telegram.account,
                3_000_000 + number % CHATS,
                "sendMessage",
                _payload(number),
                Purpose.REPLY,
            )
            for number in range(MESSAGES)
        ]
        await store.write(outbox.put, rows)
        before = (await call(url, "status"))["calls"]
        nursery = Nursery()
        sender = Sender(store, telegram, "bench", nursery, END_RULES)
        began = time.perf_counter()
        nursery.keep(sender.run, "sender")
        async with aiohttp.ClientSession() as http:
            while await _arrived(http, url) < before + MESSAGES:  # noqa: ASYNC110  # another process counts
                await asyncio.sleep(0.05)
        seconds = time.perf_counter() - began
        await sender.stop()
        await nursery.stop()
        await telegram.close()
        await store.close()
        return MESSAGES / seconds


async def _arrived(http: aiohttp.ClientSession, url: str) -> int:
    """How many calls the server has had, asked over a connection that stays: it is asked while the time runs."""
    async with http.post(f"{url}/sim/status", json={}) as answer:
        return int((await answer.json())["calls"])
