"""Two web and two worker processes on one PostgreSQL serve one bot: as if there were one, whoever of them dies."""

import asyncio
import json
import random
import re
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
import sqlalchemy as sa

from loyalty import programme
from loyalty.customers import customers
from loyalty.orders import orders
from loyalty.orders.orders import OrderInput, Status
from loyalty.points import ledger, points
from loyalty.vouchers import voucher_programs
from loyalty.vouchers.voucher_programs import Kind
from store.clock import SystemClock
from store.engine import Store, open_store
from tests.botapi import Person, Tap
from tests.processes import Balancer, Post, Process, WatchedApi, process, watched_api

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAIRS = 16
PAIRS_AT_LENGTH = 200
AT_ONCE = 6
TAKEOVER_SECONDS = 10.0
PRICE = 100
EARNED = 150
TOPIC = "topic:complaint"
WORDS = "Bàn số 4 hôm qua"


@dataclass
class Replicas:
    api: WatchedApi
    balancer: Balancer
    store: Store
    admin: asyncpg.Connection
    processes: dict[str, Process]
    roles: dict[str, str]
    """Each process's own role at the database, by which its connections are known."""
    program_id: int

    async def sender(self) -> str:
        """The name of the process that sends now."""
        owner = await self.admin.fetchval("SELECT owner FROM leases WHERE name LIKE 'sender:telegram%'")
        return next(one.name for one in self.processes.values() if f":{one.pid}:" in owner)

    async def connected(self, name: str) -> int:
        """How many connections a process has."""
        return int(
            await self.admin.fetchval("SELECT count(*) FROM pg_stat_activity WHERE usename = $1", self.roles[name])
        )

    async def cut(self, name: str) -> int:
        """Cut a process's connections to the database; how many there were."""
        return len(
            await self.admin.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", self.roles[name]
            )
        )

    def posts(self, chat: int, method: str = "sendMessage") -> list[Post]:
        return [post for post in self.api.posts if post.chat == chat and post.method == method]

    async def sent(self, person: Person) -> list[asyncpg.Record]:
        """The rows of what was said to a person, as they were written."""
        return list(await self.admin.fetch("SELECT * FROM outbox WHERE chat = $1 ORDER BY id", person.id))

    async def settled(self, seconds: float = 60.0) -> None:
        """Wait until nothing is on its way in or out, nor to be told now (a complaint's acknowledgement is a notice)."""
        await self.api.wait_delivered(seconds)
        waiting = (
            "SELECT (SELECT count(*) FROM outbox WHERE state IN ('queued', 'sending')) + (SELECT count(*) FROM notices "
            "WHERE state = 'waiting' AND due_at <= extract(epoch FROM clock_timestamp()) * 1000000)"
        )
        async with asyncio.timeout(seconds):
            while await self.admin.fetchval(waiting):
                await asyncio.sleep(0.05)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def replicas(
    postgres_server: sa.URL, postgres_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Replicas]:
    name = f"regulars_{uuid.uuid4().hex[:12]}"
    folder = tmp_path_factory.mktemp("replicas")
    first = await asyncpg.connect(_dsn(postgres_server))
    await first.execute(f'CREATE DATABASE "{name}" TEMPLATE "{postgres_template}"')
    names = ("web-1", "web-2", "worker-1", "worker-2")
    roles = {one: f"{name}_{one.replace('-', '_')}" for one in names}
    for role in roles.values():
        await first.execute(f"""CREATE ROLE "{role}" LOGIN SUPERUSER PASSWORD 'regulars'""")
    database = postgres_server.set(database=name)
    store = open_store(_asyncpg(database))
    admin = await asyncpg.connect(_dsn(database))
    try:
        program_id = await _open_shop(store)
        async with watched_api() as api, Balancer().serving() as balancer:
            processes = {
                one: process(
                    one, folder, _asyncpg(database.set(username=roles[one], password="regulars")), api,
                    public_url=balancer.url, only=one.partition("-")[0],
                )
                for one in names
            }  # fmt: skip
            balancer.ports = [processes["web-1"].port, processes["web-2"].port]
            try:
                await asyncio.gather(*(one.start() for one in processes.values()))
                made = Replicas(api, balancer, store, admin, processes, roles, program_id)
                await _sending(made)
                yield made
                await asyncio.gather(*(one.stop() for one in processes.values()))
            finally:
                await asyncio.gather(*(one.kill() for one in processes.values()))
    finally:
        await store.close()
        await admin.close()
        await first.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        for role in roles.values():
            await first.execute(f'DROP ROLE "{role}"')
        await first.close()


def _dsn(url: sa.URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _asyncpg(url: sa.URL) -> str:
    return url.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


async def _open_shop(store: Store) -> int:
    await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")
    program = await store.write(
        voucher_programs.add, name="Cà phê", kind=Kind.GIFT, value=0, price_points=PRICE, per_customer=None
    )
    return program.id


async def _sending(replicas: Replicas) -> None:
    """Wait until both workers are connected and one of them sends."""
    async with asyncio.timeout(90):
        while not (await replicas.connected("worker-1") and await replicas.connected("worker-2")):
            await asyncio.sleep(0.1)
    await replicas.api.wait_calls(1, method="setWebhook", timeout=90)
    await _answered(replicas.api.user(first_name="Lan"), 90)


async def _answered(person: Person, seconds: float) -> float:
    """Ask for the points; the seconds until the answer came."""
    began = time.monotonic()
    await person.send("/points")
    await person.wait_for(lambda m: "<b>" in str(m) or "điểm" in m["text"], seconds)
    return time.monotonic() - began


@pytest.fixture(params=[PAIRS, pytest.param(PAIRS_AT_LENGTH, marks=pytest.mark.torture)])
def pairs(request: pytest.FixtureRequest) -> int:
    return int(request.param)


async def _meeting(replicas: Replicas, people: Sequence[Person], act: Any) -> None:
    """Let a message and a tap of each person reach different replicas at the same instant."""

    def key(update: dict[str, Any]) -> int | None:
        found = update.get("message") or update["callback_query"]
        return int(found["from"]["id"])

    limit = asyncio.Semaphore(AT_ONCE)

    async def one(person: Person) -> None:
        async with limit:
            await act(person)

    await replicas.settled()
    replicas.balancer.meet = key
    replicas.balancer.ports.reverse()
    try:
        await asyncio.gather(*(one(person) for person in people))
        await replicas.settled()
    finally:
        replicas.balancer.part()


async def _together(*doings: Any) -> list[Any]:
    """Do things at once, begun in any order."""
    order = list(range(len(doings)))
    random.shuffle(order)
    done = dict(zip(order, await asyncio.gather(*(doings[index] for index in order)), strict=True))
    return [done[index] for index in range(len(doings))]


async def _each(count: int, make: Any) -> list[Any]:
    """As many as are wanted, a few at a time."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def one() -> Any:
        async with limit:
            return await make()

    return await asyncio.gather(*(one() for _ in range(count)))


async def _nothing_odd(replicas: Replicas) -> None:
    """No dead letter, nothing refused, nothing sent twice, the books in order."""
    assert await replicas.admin.fetch("SELECT key, error FROM inbox WHERE state <> 'done'") == []
    assert replicas.api.refused == []
    assert not [post for post in replicas.api.posts if post.overlapping]
    twice = await replicas.admin.fetch("SELECT id, method, error FROM outbox WHERE attempts > 1 AND state <> 'sent'")
    assert twice == []
    assert await replicas.store.read(ledger.check) == []
    assert await replicas.store.read(points.check) == []


@dataclass(frozen=True)
class Left:
    """What is left of a tap on a topic and of some words: it depends on which of them came first."""

    topics: tuple[str, ...]
    state: str | None
    data: str
    said: tuple[str, ...]
    answers: int


async def _left(replicas: Replicas, person: Person, tap: Tap) -> Left:
    state = await replicas.admin.fetchrow("SELECT state, data FROM conversations WHERE chat_id = $1", person.id)
    topics = await replicas.admin.fetch(
        "SELECT t.topic FROM tickets t JOIN identities i USING (customer_id) WHERE i.user_id = $1", person.id
    )
    said = [f"{row['method']}: {json.loads(row['payload']).get('text')}" for row in (await replicas.sent(person))[1:]]
    data = {key: value for key, value in json.loads(state["data"]).items() if key != "asked"}
    return Left(
        tuple(row["topic"] for row in topics), state["state"], str(data), tuple(re.sub(r"#\d+", "#", line) for line in said),
        await _answers(replicas, tap),
    )  # fmt: skip


async def test_a_topic_and_words_at_once_stand_one_after_the_other(replicas: Replicas, pairs: int) -> None:
    async def ready() -> tuple[Person, dict[str, Any]]:
        person = replicas.api.user(first_name="Lan", language_code="vi")
        await person.send("/support")
        return person, await person.wait_for(lambda m: "inline_keyboard" in m["reply_markup"], 15)

    asked = dict(await _each(pairs + 2, ready))
    taps: dict[Person, Tap] = {}

    async def tap(person: Person) -> None:
        taps[person] = await person.tap(asked[person], TOPIC, answer=False)

    async def act(person: Person) -> None:
        await _together(tap(person), person.send(WORDS))

    tapper, writer, *others = asked
    await tap(tapper)
    await writer.send(WORDS)
    await replicas.settled()
    await tapper.send(WORDS)
    await tap(writer)
    await replicas.settled()
    orders_of_two = {
        await _left(replicas, tapper, taps[tapper]): "tap first",
        await _left(replicas, writer, taps[writer]): "words first",
    }
    assert len(orders_of_two) == 2
    await _meeting(replicas, others, act)
    found: Counter[str] = Counter()
    for person in others:
        left = await _left(replicas, person, taps[person])
        assert left in orders_of_two, f"neither order leaves this: {left}, but {list(orders_of_two)}"
        found[orders_of_two[left]] += 1
        sends = [line for line in left.said if line.startswith("sendMessage")]
        assert len(replicas.posts(person.id)) == 1 + len(sends)
    print(dict(found))
    await _nothing_odd(replicas)


async def _answers(replicas: Replicas, tap: Tap) -> int:
    """How many rows answer a tap."""
    return int(
        await replicas.admin.fetchval(
            "SELECT count(*) FROM outbox WHERE method = 'answerCallbackQuery' AND payload LIKE $1", f"%{tap.id}%"
        )
    )


async def _rich(replicas: Replicas) -> tuple[Person, dict[str, Any]]:
    """Somebody with points, who is asked whether they want to swap them."""
    person = replicas.api.user(first_name="Lan", language_code="vi")
    await person.send("/help")
    await person.wait_for(lambda m: "/points" in m["text"], 15)
    known = await replicas.store.read(customers.identify, "telegram:42", person.id)
    assert known is not None
    await replicas.store.write(
        orders.put, 1, f"R-{person.id}",
        OrderInput(total=EARNED * 1000, currency="VND", placed_at=SystemClock().now(), status=Status.COMPLETED,
                   customer_id=known.customer_id),
        quiet=True,
    )  # fmt: skip
    await person.send("/rewards")
    shelf = await person.wait_for(lambda m: "inline_keyboard" in m["reply_markup"], 15)
    await person.tap(shelf, f"buy:{replicas.program_id}:{PRICE}:0", answer=False)
    return person, await person.wait_for(lambda m: ":1" in str(m["reply_markup"]["inline_keyboard"]), 15)


async def test_buying_and_asking_at_once_buys_once_and_tells_what_stands(replicas: Replicas, pairs: int) -> None:
    asked = dict(await _each(pairs, lambda: _rich(replicas)))

    async def act(person: Person) -> None:
        await _together(
            person.tap(asked[person], f"buy:{replicas.program_id}:{PRICE}:1", answer=False), person.send("/points")
        )

    await _meeting(replicas, list(asked), act)
    found: Counter[str] = Counter()
    for person in asked:
        rows = (await replicas.sent(person))[3:]
        told = [row["payload"] for row in rows if row["method"] == "sendMessage"]
        assert len(told) == 1, told
        if rows[0]["method"] == "sendMessage":
            assert f"<b>{EARNED} " in told[0], told
            found["asked first"] += 1
        else:
            assert f"<b>{EARNED - PRICE} " in told[0], told
            found["bought first"] += 1
        assert [row["method"] for row in rows if row["method"] != "sendMessage"] == ["editMessageText"]
    print(dict(found))
    bought = await replicas.admin.fetch(
        "SELECT count(*) FROM vouchers v JOIN identities i USING (customer_id) WHERE i.user_id = ANY($1) GROUP BY i.user_id",
        [person.id for person in asked],
    )
    assert [row[0] for row in bought] == [1] * len(asked)
    await _nothing_odd(replicas)


async def test_an_update_that_reaches_both_has_one_effect(replicas: Replicas) -> None:
    asked = dict(await _each(10, lambda: _rich(replicas)))
    replicas.balancer.route = lambda _: (0, 1)
    try:
        for person, question in asked.items():
            await person.send("/support")
            await person.tap(question, f"buy:{replicas.program_id}:{PRICE}:1", answer=False)
            await person.send("Bánh bị khét")
        await replicas.settled()
    finally:
        replicas.balancer.route = None
    for person in asked:
        rows = Counter(row["method"] for row in (await replicas.sent(person))[3:])
        assert rows == {"sendMessage": 2, "editMessageText": 1}
        counted = await replicas.admin.fetchrow(
            "SELECT (SELECT count(*) FROM vouchers v WHERE v.customer_id = i.customer_id) AS vouchers, "
            "(SELECT count(*) FROM tickets t WHERE t.customer_id = i.customer_id) AS tickets, "
            "(SELECT count(*) FROM ticket_messages m JOIN tickets t ON t.id = m.ticket_id "
            " WHERE t.customer_id = i.customer_id) AS messages FROM identities i WHERE i.user_id = $1",
            person.id,
        )
        assert tuple(counted) == (1, 1, 1)
    await _nothing_odd(replicas)


async def test_a_chat_is_answered_in_its_order_by_one_sender(replicas: Replicas) -> None:
    people = [replicas.api.user(first_name="Lan", language_code="vi") for _ in range(8)]
    asked = ["/points", "/help", "/tickets", "/vouchers", "/language", "/rewards"] * 3
    # Answers that take their time: a second sender would be seen calling for a chat whose call is still open.
    replicas.api.fault("sendMessage", kind="slow", seconds=0.1, times=None)
    for text in asked:
        for person in people:
            await person.send(text)
    await replicas.settled()
    replicas.api.world.faults.clear()
    assert not [post for post in replicas.api.posts if post.overlapping]
    for person in people:
        replies = [str(call.params["text"]) for call in replicas.api.calls_of("sendMessage", chat=person.id)]
        assert len(replies) == len(asked)
        assert replies == replies[: len(asked) // 3] * 3
        assert len(set(replies)) == len(asked) // 3
    epochs = await replicas.admin.fetch("SELECT DISTINCT epoch FROM outbox WHERE account LIKE 'telegram%'")
    assert len(epochs) == 1
    assert len({post.process for post in replicas.api.posts if post.method.startswith("send")}) == 1
    await _nothing_odd(replicas)


async def _in_flight(replicas: Replicas, person: Person, **fault: Any) -> None:
    """Leave a call to a person unanswered."""
    replicas.api.fault("sendMessage", chat=person.id, **fault)
    await person.send("/help")
    await replicas.api.wait_calls(1, "sendMessage", chat=person.id, timeout=15)


async def _once(replicas: Replicas, *people: Person) -> None:
    """Each row of theirs went out once; what nobody knows is `unknown`."""
    await replicas.settled()
    for person in people:
        calls = Counter(str(call.params["text"]) for call in replicas.api.calls_of("sendMessage", chat=person.id))
        rows = Counter(json.loads(row["payload"])["text"] for row in await replicas.sent(person))
        assert calls == rows
    await _nothing_odd(replicas)


async def test_the_senders_owner_is_killed(replicas: Replicas) -> None:
    lan, minh, first = (replicas.api.user(first_name="Lan", language_code="vi") for _ in range(3))
    await _answered(first, 15)
    owner = replicas.processes[await replicas.sender()]
    await _in_flight(replicas, lan, kind="hang")
    await owner.kill()
    waited = max(await asyncio.gather(_answered(minh, 15), _answered(lan, 15)))
    print(f"taken over {waited:.1f} s after the owner was killed")
    assert waited < TAKEOVER_SECONDS
    assert await replicas.sender() != owner.name
    await _once(replicas, lan, minh)
    assert [row["state"] for row in await replicas.sent(lan)] == ["unknown", "sent"]
    await owner.start()


async def test_the_senders_connection_is_cut(replicas: Replicas) -> None:
    lan, minh = (replicas.api.user(first_name="Lan", language_code="vi") for _ in range(2))
    await _in_flight(replicas, lan, kind="hang", seconds=12)
    assert await replicas.cut(await replicas.sender())
    waited = max(await asyncio.gather(_answered(minh, 15), _answered(lan, 15)))
    print(f"went on {waited:.1f} s after its connections were cut")
    assert waited < TAKEOVER_SECONDS
    await _once(replicas, lan, minh)
    assert [row["state"] for row in await replicas.sent(lan)] == ["unknown", "sent"]


async def test_the_senders_connection_stays_cut(replicas: Replicas) -> None:
    """The other one takes over. What was in flight ends well, and the word of the one who sent it counts."""
    lan, minh = (replicas.api.user(first_name="Lan", language_code="vi") for _ in range(2))
    await _answered(minh, 15)
    owner = await replicas.sender()
    await _in_flight(replicas, lan, kind="slow", seconds=3)
    await replicas.admin.execute(f'ALTER ROLE "{replicas.roles[owner]}" NOLOGIN')
    assert await replicas.cut(owner)
    waited = max(await asyncio.gather(_answered(minh, 15), _answered(lan, 15)))
    print(f"taken over {waited:.1f} s after its owner lost the database")
    assert waited < TAKEOVER_SECONDS
    assert await replicas.sender() != owner
    await replicas.admin.execute(f'ALTER ROLE "{replicas.roles[owner]}" LOGIN')
    await _once(replicas, lan, minh)
    async with asyncio.timeout(10):
        while [row["state"] for row in await replicas.sent(lan)] != ["sent", "sent"]:
            await asyncio.sleep(0.1)
    assert replicas.processes[owner].running.returncode is None
