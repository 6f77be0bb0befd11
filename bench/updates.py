"""Updates a second by webhook, from the first update to the last reply at the Bot API server, against a bare bot."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp

TOKEN = "42:BENCH"  # noqa: S105  # of our own server
USERS = 400
EACH = 5
WARM = 400


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def process(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process that is ended with what stands below it."""
    started = subprocess.Popen(  # noqa: S603  # our own modules
        [sys.executable, *arguments], env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=sys.stderr
    )
    try:
        yield started
    finally:
        started.send_signal(signal.SIGINT)
        try:
            started.wait(10)
        except subprocess.TimeoutExpired:
            started.kill()


async def call(url: str, verb: str, **body: Any) -> Any:
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=300)) as http,
        http.post(f"{url}/sim/{verb}", json=body) as answer,
    ):
        return await answer.json()


async def flood(options: dict[str, Any], rounds: int, profile: str = "") -> list[float]:
    """Updates a second of one bot, once for each round."""
    api_port, port = free_port(), free_port()
    url = f"http://127.0.0.1:{api_port}"
    with process("-m", "tests.botapi", "--port", str(api_port), "--token", TOKEN):
        await _answers(url)
        bot = {"port": port, "token": TOKEN, "api_url": url, **options}
        with process("-m", "bench.bots", json.dumps(bot), REGULARS_BENCH_PROFILE=profile):
            for _ in range(600):
                if (await call(url, "status"))["webhook"]["url"]:
                    break
                await asyncio.sleep(0.1)
            await call(url, "flood", users=WARM, text="/points", connections=40)
            rates = []
            for _ in range(rounds):
                report = await call(url, "flood", users=USERS, text="/points", connections=40, each=EACH)
                assert report["replies"] >= USERS * EACH, report
                rates.append(float(report["rate"]))
            return rates


async def _answers(url: str) -> None:
    for _ in range(300):
        try:
            await call(url, "status")
        except aiohttp.ClientError:
            await asyncio.sleep(0.1)
        else:
            return
    raise TimeoutError("the Bot API server did not start")


def measure(rounds: int = 3, database_url: str | None = None, profile: str = "") -> tuple[float, float]:
    """(median of the product, median of the bare bot), updates a second, the two taking turns."""
    with tempfile.TemporaryDirectory() as folder:
        database = database_url or f"sqlite+aiosqlite:///{Path(folder) / 'bench.db'}"
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(rounds):
            theirs += asyncio.run(flood({"kind": "bare"}, 1))
            ours += asyncio.run(flood({"kind": "product", "database_url": database}, 1, profile))
        return median(ours), median(theirs)
