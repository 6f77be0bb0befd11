"""A campaign while everything goes wrong: two replicas on one PostgreSQL are killed, Telegram floods and storms, some have
blocked the bot. Everybody hears it once or is accounted for, no limit is broken, and the report is the server's log.
"""

import asyncio
import random
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.app import App
from bot.sender import IN_FLIGHT_MAX
from loyalty import programme
from loyalty.customers import customers
from loyalty.outreach import manners
from loyalty.outreach.deliveries import deliveries
from loyalty.outreach.manners import Rules
from store import staff
from store.base import insert_rows, to_micros
from store.clock import now
from store.engine import Store, open_store
from store.sealed import Seal
from tests.botapi import Person
from tests.botapi.errors import Refusal
from tests.processes import Process, WatchedApi, process, watched_api
from tests.running import SECRET, settings_for

TEXT = "Cả nhà ơi"
RETRY_AFTER = 1
LEEWAY_SECONDS = 0.1
SLOWNESS = 10
"""How many times as long as the rate lets expect it may take where the machine has other work."""
TAKEOVER_SECONDS = 60
"""For a replica that was killed to be followed by the other, and to be there again."""


@dataclass
class Scene:
    """One shop with many people, one campaign to all of them, replicas on `ports`, those of `processes` to be killed.
    `blocked`: the bot can't write to these.
    """

    api: WatchedApi
    store: Store
    processes: list[Process]
    ports: list[int]
    people: list[Person]
    blocked: set[int]
    rate: int
    key: str
    campaign: int = 0
    kills: int = 0
    beats: list[float] = field(default_factory=list)

    @asynccontextmanager
    async def listened_to(self) -> AsyncIterator[None]:
        """Note when the server had time to listen: while this process has other work, calls wait unread."""

        async def beat() -> None:
            while True:
                self.beats.append(time.monotonic())
                await asyncio.sleep(LEEWAY_SECONDS / 10)

        async with asyncio.TaskGroup() as group:
            beating = group.create_task(beat())
            yield
            beating.cancel()

    def deaf(self, since: float, until: float) -> float:
        """The longest time in a span (and just before it) that the server didn't listen: what came in it is read at its end."""
        beats = self.beats[max(bisect_left(self.beats, since) - 1, 0) : bisect_left(self.beats, until) + 1]
        return max((later - one for one, later in pairwise(beats)), default=0.0)

    def heard_from(self, at: float) -> float:
        """From when on the server reads calls as they come: once it has listened for as long as the leeway without a stop."""
        began = last = at
        for beat in self.beats[bisect_left(self.beats, at) :]:
            if beat - last > LEEWAY_SECONDS / 2:
                began = beat
            if beat - began > LEEWAY_SECONDS:
                return beat
            last = beat
        return last

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """Ask whichever replica answers."""
        headers = {"Authorization": f"Bearer {self.key}"}
        async with asyncio.timeout(TAKEOVER_SECONDS), aiohttp.ClientSession(headers=headers) as http:
            while True:
                for port in self.ports:
                    try:
                        async with http.request(method, f"http://127.0.0.1:{port}/api/v1{path}", json=body) as answer:
                            found = await answer.json()
                            assert answer.status < 300, found
                            return found
                    except aiohttp.ClientConnectionError:
                        continue
                await asyncio.sleep(0.1)

    async def read(self) -> Any:
        return await self.call("GET", f"/campaigns/{self.campaign}")

    async def past(self, messages: int) -> None:
        """Wait until so many messages have arrived."""
        api, patience = self.api, TAKEOVER_SECONDS + len(self.people) / self.rate * SLOWNESS
        await api.world.until(lambda: len(api.calls) >= messages or None, patience, f"{len(api.calls)} calls only")

    async def sender(self) -> Process:
        """The process that sends, once there is one."""
        lease = "SELECT owner FROM leases WHERE name LIKE 'sender:telegram%'"
        async with asyncio.timeout(TAKEOVER_SECONDS):
            while not (owner := await self.store.read(lambda session: session.execute(sa.text(lease)).scalar())):
                await asyncio.sleep(0.05)
        return next(one for one in self.processes if f":{one.pid}:" in owner)

    async def kill(self, *, again: bool) -> None:
        """`kill -9` of the replica that sends, with messages on their way."""
        one = await self.sender()
        await self.api.world.until(lambda: self.api.unanswered > 0 or None, 30, "nothing is on its way")
        await one.kill()
        self.kills += 1
        if again:
            await one.launch()


@pytest.mark.parametrize(
    ("size", "rate", "kills"), [(400, 100, 1), pytest.param(50_000, 300, 5, marks=pytest.mark.torture)]
)
async def test_everybody_hears_it_once_or_is_accounted_for(
    postgres_url: str, tmp_path: Path, size: int, rate: int, kills: int
) -> None:
    async with watched_api() as api, AsyncExitStack() as stack:
        store = open_store(postgres_url, seal=Seal(SECRET))
        stack.push_async_callback(store.close)
        people = [api.user(first_name="Lan") for _ in range(size)]
        shop = await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")
        key = await store.write(staff.add_api_key, shop)
        scene = Scene(api, store, [], [], people, set(), rate, key)
        await stack.enter_async_context(scene.listened_to())
        scene.blocked = {one.id for one in random.Random(5).sample(people, size // 100)}
        for person in people:
            if person.id in scene.blocked:
                # They blocked it while nobody listened: only the sending finds out.
                person.chat.refuses = Refusal(403, "bot was blocked by the user", fated=True)
        await store.write(manners.put, Rules(care_from=manners.AD_FROM, care_until=manners.AD_FROM))
        await store.write(meet, [person.id for person in people], f"telegram:{api.token.partition(':')[0]}")
        # Answers take their time, so that a kill finds messages on their way.
        api.fault("sendMessage", kind="slow", times=None, seconds=0.05)
        # Who is killed but once needs no second process to be followed by: this one will do.
        for nth in range(1 if kills == 1 else 2):
            one = process(f"replica-{nth}", tmp_path, postgres_url, api)
            one.environment["REGULARS_TELEGRAM_RATE"] = str(rate)
            stack.push_async_callback(one.kill)
            await one.start()
            scene.processes.append(one)
            scene.ports.append(one.port)
        await scene.sender()
        if kills == 1:
            scene.ports.append(await stack.enter_async_context(_replica(store, api, postgres_url, rate)))
        await _sent_among_faults(scene, kills)
        await _checked(scene)


@asynccontextmanager
async def _replica(store: Store, api: WatchedApi, url: str, rate: int) -> AsyncIterator[int]:
    """A replica in this process; its port."""
    settings = settings_for(url, api, telegram_rate=rate).model_copy(update={"telegram_api_url": api.url_for("here")})
    app = App(settings, store)
    await app.start()
    try:
        yield settings.port
    finally:
        await app.stop()


async def _sent_among_faults(scene: Scene, kills: int) -> None:
    size, again = len(scene.people), kills > 1
    draft = {"name": "Thử", "criteria": {"all": []}, "purpose": "care", "messages": {"vi": TEXT}, "hold_out": 5}
    scene.campaign = (await scene.call("POST", "/campaigns", draft))["id"]
    await scene.call("POST", f"/campaigns/{scene.campaign}/approve")
    share = size // (3 * kills + 1)
    for nth in range(kills):
        await scene.past(share * (3 * nth + 1) // 2)
        _first(scene.api, "429", times=4)
        await scene.past(share * (3 * nth + 2) // 2)
        _first(scene.api, "500", times=scene.rate)
        await scene.past(share * (3 * nth + 3) // 2)
        await scene.kill(again=again)
    # A report over many rows is no quick look: it is asked for when the end is near.
    await scene.past(size * 85 // 100)
    async with asyncio.timeout(TAKEOVER_SECONDS + size / scene.rate * SLOWNESS):
        while (await scene.read())["state"] != "done":
            await asyncio.sleep(0.5)


def _first(api: WatchedApi, kind: Any, times: int) -> None:
    """A fault that strikes before those that lie in wait already."""
    fault = api.fault("sendMessage", kind=kind, times=times, retry_after=RETRY_AFTER)
    waiting = api.world.faults.waiting
    waiting.remove(fault)
    waiting.insert(0, fault)


async def _checked(scene: Scene) -> None:
    api, report = scene.api, (await scene.read())["report"]
    heard = Counter(call.chat for call in api.calls_of("sendMessage") if call.text == TEXT)
    states = await scene.store.read(_states)
    by_state: dict[str, list[int]] = {}
    for person in scene.people:
        by_state.setdefault(states[person.id], []).append(person.id)
    # Everybody once, or accounted for; of whom nobody knows the end it may have reached or not, never twice.
    may = {"sent": {1}, "unknown": {0, 1}, "failed": {0}, "held_out": {0}}
    wrong = [
        (state, one, heard[one]) for state, those in by_state.items() for one in those if heard[one] not in may[state]
    ]
    assert wrong == []
    assert set(by_state["failed"]) <= scene.blocked
    assert scene.blocked <= {*by_state["failed"], *by_state["held_out"], *by_state.get("unknown", [])}
    # The report is the log, to the last message.
    assert report["planned"] == len(scene.people)
    for state in ("held_out", "sent", "failed", "unknown"):
        assert report[state] == len(by_state.get(state, [])), state
    assert report["skipped"] == {}
    assert report["sent"] + sum(heard[one] for one in by_state.get("unknown", [])) == heard.total()
    assert report["unknown"] <= scene.kills * IN_FLIGHT_MAX
    # So is the outbox, row by row.
    assert await scene.store.read(_disagreeing) == []
    assert [one for one in api.refused if one.method == "sendMessage"] == []
    _limits_kept(scene)
    print(
        f"{len(scene.people)} people, {scene.kills} kills, {len(api.faulted)} faults, {heard.total()} heard, report {report}"
    )


def _limits_kept(scene: Scene) -> None:
    """As the server saw it: the rate in any second, a second between two to one chat, silence after a flood's warning. What
    a busy machine takes to bring a call over is no fault of the sender's: hence the leeway.
    """
    posts = sorted((post.at, post.chat) for post in scene.api.posts if post.method == "sendMessage")
    first, last = 0, {}
    for nth, (at, chat) in enumerate(posts):
        while posts[first][0] <= at - 1.0 + max(LEEWAY_SECONDS, scene.deaf(at - 1.0, at)):
            first += 1
        assert nth - first + 1 <= scene.rate, f"{nth - first + 1} in a second"
        assert at - last.get(chat, 0.0) > 1.0 - 2 * LEEWAY_SECONDS, "two to one chat within a second"
        last[chat] = at
    warned = [one.at for one in scene.api.faulted if one.code == 429]
    for at in warned:
        if not any(at < other < at + RETRY_AFTER for other in warned):
            heard, until = scene.heard_from(at + LEEWAY_SECONDS), at + RETRY_AFTER - LEEWAY_SECONDS
            broken = [round(one - at, 3) for one, _ in posts if heard < one < until]
            assert not broken, f"no pause after a 429: read as they came from {heard - at:.3f} s on"


def meet(session: Session, chats: list[int], account: str) -> None:
    """Customers who have each written to the bot once."""
    at = to_micros(now(session))
    insert_rows(
        session, "customers", "id, name, folded, language, code, tags, advertising, tier_id, joined_at, spend_total, orders_count",
        [(nth, "Lan", "lan", "vi", f"T{nth:07d}", "[]", False, 1, at, 0, 0) for nth, _ in enumerate(chats, 1)],
    )  # fmt: skip
    insert_rows(
        session, "identities", "customer_id, account, user_id, chat_id, joined_at, last_seen_at",
        [(nth, account, chat, chat, at, at) for nth, chat in enumerate(chats, 1)],
    )  # fmt: skip


def _disagreeing(session: Session) -> list[Any]:
    """What the outbox says of messages, where the people's rows say otherwise."""
    ends = "SELECT o.state, d.state FROM outbox o JOIN deliveries d ON d.id = o.subject WHERE o.rule = 'delivery' "
    return [tuple(row) for row in session.execute(sa.text(ends + "AND o.state <> d.state"))]


def _states(session: Session) -> dict[int, str]:
    met, d = customers.identities.c, deliveries.c
    query = sa.select(met.chat_id, d.state).join(deliveries, d.customer_id == met.customer_id)
    return {row.chat_id: row.state for row in session.execute(query)}
