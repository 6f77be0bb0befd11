"""`kill -9` at random moments while updates wait to come in and messages wait to go out: every effect stands once, every
message went out once or is `unknown`, and none is missing."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.sender import IN_FLIGHT_MAX
from loyalty import programme
from loyalty.customers import customers
from loyalty.orders import orders
from loyalty.orders.orders import OrderInput, Status
from loyalty.points import ledger, points
from loyalty.referrals import referrals
from loyalty.vouchers import voucher_programs
from loyalty.vouchers.voucher_programs import Kind
from store.engine import Store, open_store
from tests.botapi import Person
from tests.processes import Process, WatchedApi, process, watched_api

ACCOUNT = "telegram:42"
PRICE, EARNED = 100, 150
ANSWER_SECONDS = 0.15
"""How long the Bot API server takes for each message, so that the outbox fills."""
IN_FLIGHT_MIN = 3
"""So many messages have left and have no answer yet when it is killed."""
SETTLE_SECONDS = 90.0
STOP_SECONDS = 5.0


@dataclass
class Scene:
    """One shop, one process, and people who all write at once. `kinds` says who does what."""

    api: WatchedApi
    store: Store
    process: Process
    program_id: int
    referral: str
    kinds: dict[str, list[Person]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    expected: dict[str, list[str]] = field(default_factory=dict)
    """By kind, the methods that answer them, as an undisturbed one was answered."""
    kills: int = 0

    async def ask(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        def rule(session: Session) -> list[tuple[Any, ...]]:
            return [tuple(row) for row in session.execute(sa.text(sql), values)]

        return await self.store.read(rule)

    async def settled(self) -> None:
        """Wait until nothing is on its way in or out."""
        await self.api.wait_delivered(SETTLE_SECONDS)
        async with asyncio.timeout(SETTLE_SECONDS):
            while (await self.ask("SELECT count(*) FROM outbox WHERE state IN ('queued', 'sending')"))[0][0]:
                await asyncio.sleep(0.1)

    async def waiting(self) -> tuple[int, int]:
        """Updates that wait to come in and rows that wait to go out."""
        queued = await self.ask("SELECT count(*) FROM outbox WHERE state = 'queued'")
        return len(self.api.world.updates.pending), int(queued[0][0])


# ── Who does what: prepared before, then everything at once without waiting for an answer ──────────────


async def _order(scene: Scene, person: Person, **buyer: Any) -> None:
    order = OrderInput(
        total=EARNED * 1000, currency="VND", placed_at=scene.store.clock.now(), status=Status.COMPLETED, **buyer
    )
    await scene.store.write(orders.put, 1, f"K-{person.id}", order, quiet=True)


async def _ask_for_help(scene: Scene, person: Person) -> Callable[[], Any]:
    async def act() -> None:
        await person.send("/support")
        await person.send("Bàn số 4 hôm qua")
        await person.send("và cả ly nước")

    return act


async def _swap_points(scene: Scene, person: Person) -> Callable[[], Any]:
    known = await scene.store.write(customers.meet, ACCOUNT, person.id, person.id, name="Lan", language="vi", shop_id=1)
    await _order(scene, person, customer_id=known.customer_id)
    button = {"text": "Đổi", "callback_data": f"buy:{scene.program_id}:{PRICE}:1"}
    world = scene.api.world
    question = world.post(
        person.chat, {"text": "Đổi điểm?", "reply_markup": {"inline_keyboard": [[button]]}}, world.bot
    )

    async def act() -> None:
        await person.tap(question, "Đổi", answer=False)

    return act


async def _claim_a_receipt(scene: Scene, person: Person) -> Callable[[], Any]:
    await _order(scene, person)
    found = await scene.ask("SELECT claim_token FROM orders WHERE external_id = :id", id=f"K-{person.id}")
    return lambda: person.start(f"c_{found[0][0]}")


async def _share_the_phone(scene: Scene, person: Person) -> Callable[[], Any]:
    phone = f"+849{person.id % 10**8:08d}"
    await _order(scene, person, phone=phone)
    return lambda: person.share_contact(phone)


async def _follow_a_friend(scene: Scene, person: Person) -> Callable[[], Any]:
    return lambda: person.start(f"r_{scene.referral}")


KINDS = {
    "helped": _ask_for_help, "buyer": _swap_points, "claimer": _claim_a_receipt, "sharer": _share_the_phone,
    "friend": _follow_a_friend,
}  # fmt: skip
UPDATES_EACH = 7
"""Of one person of each kind."""

ONE_EACH = "SELECT count(*) FROM {} WHERE customer_id = i.customer_id"
EFFECTS = {
    "helped": {"tickets": 1, "messages": 2, "vouchers": 0, "orders": 0, "points": 0, "friends": 0},
    "buyer": {"tickets": 0, "messages": 0, "vouchers": 1, "orders": 1, "points": EARNED - PRICE, "friends": 0},
    "claimer": {"tickets": 0, "messages": 0, "vouchers": 0, "orders": 1, "points": EARNED, "friends": 0},
    "sharer": {"tickets": 0, "messages": 0, "vouchers": 0, "orders": 1, "points": EARNED, "friends": 0},
    "friend": {"tickets": 0, "messages": 0, "vouchers": 0, "orders": 0, "points": 0, "friends": 1},
}
EFFECTS_SQL = f"""
SELECT i.user_id, ({ONE_EACH.format("tickets")}) AS tickets,
  (SELECT count(*) FROM ticket_messages m JOIN tickets t ON t.id = m.ticket_id WHERE t.customer_id = i.customer_id)
    AS messages,
  ({ONE_EACH.format("vouchers")}) AS vouchers, ({ONE_EACH.format("orders")}) AS orders,
  (SELECT balance FROM accounts WHERE owner = 'customer' AND owner_id = i.customer_id AND name = 'available') AS points,
  (SELECT count(*) FROM referrals WHERE friend_id = i.customer_id) AS friends
FROM identities i
"""


@pytest.fixture
async def scene(database_url: str, tmp_path: Path) -> AsyncIterator[Scene]:
    store = open_store(database_url)
    await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")
    program = await store.write(
        voucher_programs.add, name="Cà phê", kind=Kind.GIFT, price_points=PRICE, per_customer=None
    )
    friend = await store.write(customers.create, phone="+84903000000", name="Minh", home_shop_id=1)
    code = await store.write(referrals.code_of, friend)
    async with watched_api() as api:
        one = process("run", tmp_path, database_url, api, webhook=True)
        made = Scene(api, store, one, program.id, code)
        try:
            await one.start()
            await api.wait_calls(1, method="setWebhook", timeout=60)
            await _burst(made, 1)
            await made.settled()
            for kind, people in made.kinds.items():
                made.expected[kind] = await _methods(made, people[0])
            assert "sendMessage" in made.expected["helped"]
            api.fault("sendMessage", kind="slow", times=None, seconds=ANSWER_SECONDS)
            yield made
        finally:
            await one.kill()
            await store.close()


async def _methods(scene: Scene, person: Person) -> list[str]:
    rows = await scene.ask("SELECT method FROM outbox WHERE chat = :chat ORDER BY id", chat=person.id)
    return [method for (method,) in rows]


async def _burst(scene: Scene, each: int) -> None:
    """So many people of each kind, all at once: Telegram posts a hundred updates at a time, the others wait."""
    acts = []
    for kind, prepare in KINDS.items():
        for _ in range(each):
            person = scene.api.user(first_name="Lan", language_code="vi")
            scene.kinds[kind].append(person)
            acts.append(await prepare(scene, person))
    random.shuffle(acts)
    for act in acts:
        await act()


async def _kill_within(scene: Scene, low: int, high: int) -> None:
    """`kill -9` once some more of what is going on has happened, and start again."""
    world = scene.api.world
    at = len(world.calls) + len(world.webhook.attempts) + random.randint(low, high)

    def due() -> bool | None:
        return (len(world.calls) + len(world.webhook.attempts) >= at and scene.api.unanswered >= IN_FLIGHT_MIN) or None

    await world.until(due, 60, "nothing goes on any more")
    await asyncio.sleep(random.uniform(0, 0.02))
    await scene.process.kill()
    scene.kills += 1
    print(f"killed with {await scene.waiting()} waiting to come in and to go out")
    if scene.kills % 4 == 0:
        await scene.process.launch()
        await asyncio.sleep(random.uniform(1, 6))
        await scene.process.kill()
        scene.kills += 1
        print("killed while it started, or just after")
    await scene.process.start()


async def _everything_once(scene: Scene) -> int:
    """Check what stands and what went out; how many messages are `unknown`."""
    await scene.settled()
    assert await scene.ask("SELECT key, error FROM inbox WHERE state <> 'done'") == []
    found = {row[0]: dict(zip(EFFECTS["helped"], row[1:], strict=True)) for row in await scene.ask(EFFECTS_SQL)}
    for kind, people in scene.kinds.items():
        for person in people:
            assert found[person.id] == EFFECTS[kind], f"{kind} {person.id}: {found[person.id]}"
            assert await _methods(scene, person) == scene.expected[kind]
    assert await scene.store.read(ledger.check) == []
    assert await scene.store.read(points.check) == []
    # An edit may be made again, for it does no harm: Telegram then says that nothing changed.
    assert [one for one in scene.api.refused if "message is not modified" not in one.reason] == []
    sent: Counter[tuple[int, str]] = Counter()
    unknown: Counter[tuple[int, str]] = Counter()
    for chat, method, payload, state in await scene.ask("SELECT chat, method, payload, state FROM outbox"):
        if method == "sendMessage":
            assert state in {"sent", "unknown"}, (chat, payload, state)
            (sent if state == "sent" else unknown)[chat, json.loads(payload)["text"]] += 1
        elif method == "editMessageText":
            assert state == "sent"
    went_out = Counter((call.chat, str(call.params["text"])) for call in scene.api.calls_of("sendMessage"))
    assert not sent - went_out, "marked as sent, but never went out"
    assert not went_out - sent - unknown, "went out more often than there are rows"
    return unknown.total()


# ── The tests ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("each", "bursts", "kills"), [(12, 1, 1), pytest.param(24, 9, 2, marks=pytest.mark.torture)])
async def test_killed_with_a_backlog(scene: Scene, each: int, bursts: int, kills: int) -> None:
    for _ in range(bursts):
        await _burst(scene, each)
        share = each * UPDATES_EACH * 2 // (kills + 2)
        for _ in range(kills):
            if sum(await scene.waiting()) < share:
                # All but ended while it was started in between.
                await _burst(scene, each)
            await _kill_within(scene, 1, share)
    unknown = await _everything_once(scene)
    updates = len(scene.api.world.updates.delivered)
    print(f"{scene.kills} kills, {updates} updates, {len(scene.api.calls)} calls, {unknown} unknown")
    assert updates >= each * bursts * UPDATES_EACH
    assert unknown <= scene.kills * IN_FLIGHT_MAX
    await _stopped_in_order(scene, unknown)


async def _stopped_in_order(scene: Scene, unknown: int) -> None:
    """SIGTERM in the middle of it all: what is in flight ends, nothing becomes unknown, the rest waits for the next."""
    before = len(scene.api.calls)
    await _burst(scene, 12)
    await scene.api.wait_calls(before + 12, timeout=60)
    seconds = await scene.process.stop()
    print(f"stopped in {seconds:.1f} s with {await scene.waiting()} waiting to come in and to go out")
    assert seconds < STOP_SECONDS
    assert scene.process.running is not None
    assert scene.process.running.returncode == 0
    assert await scene.ask("SELECT count(*) FROM outbox WHERE state = 'sending'") == [(0,)]
    await scene.process.start()
    assert await _everything_once(scene) == unknown


async def test_one_run_for_one_file(sqlite_url: str, tmp_path: Path) -> None:
    async with watched_api() as api:
        first, second = (process(name, tmp_path, sqlite_url, api) for name in ("first", "second"))
        await first.start()
        try:
            with pytest.raises(AssertionError, match="ended"):
                await second.start()
            assert second.running is not None
            assert second.running.returncode == 1
            assert len(second.said().strip().splitlines()) == 1, second.said()
            assert "another program" in second.said()
            # A short visit of the command line is no second run.
            assert await first.visit("shop", "add", "Phố Cafe") == 0, first.said()
        finally:
            await first.kill()
