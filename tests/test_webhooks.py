"""Webhooks: each thing that happens told once to whoever listens, signed, again until it is taken; nobody's slowness
holds up another, and no address leads into a private network.
"""

import ast
import asyncio
import socket
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from aiohttp.abc import ResolveResult
from sqlalchemy.orm import Session

from bot import webhooks as sending
from bot.nursery import Nursery
from bot.webhooks import PrivateAddressError, PublicResolver, Webhooks
from handlers.api import happenings
from handlers.api.happenings import KINDS, TELLERS
from handlers.web.shop import webhooks as webhook_pages
from handlers.words import words
from loyalty import programme
from store import deliveries, events, leases, outside, webhooks
from store.clock import SetClock
from store.deliveries import GIVE_UP, WAITS, Delivery, Outcome, Post, State
from store.engine import Store, open_store
from store.errors import ConflictError, InvalidError, NotFoundError
from store.events import happened
from store.sealed import Seal, SealError
from store.staff import Role
from store.webhooks import Endpoint, Off
from tests.receiver import receiving
from tests.test_console import Console, console

__all__ = ["console"]

HOUSE = Path(__file__).resolve().parents[1]
ZONE = "Asia/Ho_Chi_Minh"
SEAL = Seal("a secret of the tests, long enough")
SECRET = "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cw=="


async def shop(store: Store, name: str = "Phố Cafe") -> int:
    return await store.write(programme.open_shop, name, timezone=ZONE, language="vi")


async def listen(store: Store, shop_id: int, url: str, kinds: Sequence[str] = ("*",)) -> Endpoint:
    return await store.write(
        webhooks.add, shop_id, url, list(kinds), SEAL.close(SECRET), private=url.startswith("http://")
    )


async def earn(store: Store, shop_id: int | None, order: str = "HD-1", points: int = 85) -> None:
    await store.write(
        happened, "order_completed", customer_id=None, shop_id=shop_id, order=order, total=85_000, refunded=0,
        points=points,
    )  # fmt: skip


async def take(store: Store) -> int:
    return await store.write(deliveries.take, happenings.told)


async def told(store: Store, endpoint: Endpoint) -> list[Delivery]:
    """What an endpoint is told, the oldest first."""
    return (await store.read(deliveries.page, endpoint.id, 1000))[::-1]


@asynccontextmanager
async def sender(store: Store, *, private: bool = True, owner: str = "a") -> AsyncIterator[Webhooks]:
    nursery = Nursery()
    running = Webhooks(store, owner, nursery, SEAL, private=private, chance=lambda: 0.5)
    nursery.keep(running.run, "webhooks")
    nursery.keep(store.hear, "the database's signals")
    try:
        yield running
    finally:
        await nursery.stop()


async def settled(store: Store, endpoint: Endpoint, wanted: Any, seconds: float = 15.0) -> list[Delivery]:
    """The deliveries, once `wanted` is true of them; looked at whenever the store changed."""
    async with asyncio.timeout(seconds):
        while not wanted(found := await told(store, endpoint)):
            await asyncio.sleep(0.01)
    return found


# ── The cursor ─────────────────────────────────────────────────────────────────────────────────────


async def test_every_event_is_followed_once_and_in_one_order(store: Store) -> None:
    for number in range(7):
        await store.write(happened, f"kind_{number}")
    assert await store.read(events.any_new, "reader")
    assert await store.write(events.number, 3) == 3
    first = await store.write(events.follow, "reader", 2)
    assert [event.kind for event in first] == ["kind_0", "kind_1"]
    assert await store.write(events.number) == 4
    rest = await store.write(events.follow, "reader")
    assert [event.kind for event in rest] == [f"kind_{number}" for number in range(2, 7)]
    assert not await store.read(events.any_new, "reader")
    assert await store.write(events.follow, "reader") == []
    assert [event.seq for event in await store.write(events.follow, "another")] == list(range(1, 8))


async def test_a_follower_that_fails_sees_the_same_events_again(store: Store) -> None:
    await store.write(happened, "one")
    await store.write(events.number)

    def fails(session: Session) -> None:
        assert len(events.follow(session, "reader")) == 1
        raise ConflictError("no")

    with pytest.raises(ConflictError):
        await store.write(fails)
    assert [event.kind for event in await store.write(events.follow, "reader")] == ["one"]


async def test_an_event_that_commits_late_below_a_later_id_is_not_missed(postgres_url: str, clock: SetClock) -> None:
    """The trap of a bare autoincrement: the slow work's event has the smaller id and commits last."""
    store, other = open_store(postgres_url, clock), open_store(postgres_url, clock)
    try:
        async with store.work() as slow:
            await slow.write(happened, "slow")
            await other.write(happened, "quick")
            await other.write(events.number)
            assert [event.kind for event in await other.write(events.follow, "reader")] == ["quick"]
        await other.write(events.number)
        late = await other.write(events.follow, "reader")
        assert [event.kind for event in late] == ["slow"]
        ids = await store.read(
            lambda session: session.execute(sa.text("SELECT kind FROM events ORDER BY id")).scalars().all()
        )
        assert ids == ["slow", "quick"], "the slow one has the smaller id, or this test shows nothing"
    finally:
        await store.close()
        await other.close()


async def test_many_writers_and_two_followers_at_once_lose_nothing(postgres_url: str, clock: SetClock) -> None:
    stores = [open_store(postgres_url, clock) for _ in range(3)]
    seen: list[str] = []
    writing = True

    async def write(store: Store, who: int) -> None:
        for number in range(25):
            async with store.work() as work:
                await work.write(happened, f"{who}.{number}.a")
                await work.write(happened, f"{who}.{number}.b")

    async def follow(store: Store) -> None:
        while writing or await store.read(events.any_new, "reader"):
            await store.write(events.number, 5)
            seen.extend(event.kind for event in await store.write(events.follow, "reader", 4))

    try:
        followers = [asyncio.ensure_future(follow(store)) for store in stores[:2]]
        await asyncio.gather(*(write(stores[who % 3], who) for who in range(6)))
        writing = False
        await asyncio.gather(*followers)
        assert len(seen) == len(set(seen)) == 300
    finally:
        for store in stores:
            await store.close()


# ── What is told to whom ───────────────────────────────────────────────────────────────────────────


async def test_who_listens_is_told_once_whatever_happens_in_between(store: Store, clock: SetClock) -> None:
    here, there = await shop(store), await shop(store, "Quán Hai")
    await earn(store, here, "before")
    clock.advance(timedelta(seconds=1))
    everything = await listen(store, here, "https://pos.example/all")
    points = await listen(store, here, "https://pos.example/points", ["points.earned"])
    elsewhere = await listen(store, there, "https://other.example/")
    await earn(store, here)
    await store.write(happened, "merged", customer_id=7, gone=12)
    await store.write(happened, "something_private", shop_id=here)

    def dies(session: Session) -> None:
        deliveries.take(session, happenings.told)
        raise ConflictError("killed before the commit")

    with pytest.raises(ConflictError):
        await store.write(dies)
    assert await take(store) == 4
    assert await take(store) == 0
    assert [one.kind for one in await told(store, everything)] == [
        "order.completed",
        "points.earned",
        "customer.merged",
    ]
    assert [one.kind for one in await told(store, points)] == ["points.earned"]
    assert [one.kind for one in await told(store, elsewhere)] == ["customer.merged"], (
        "what is no one shop's is all shops'"
    )
    assert all(one.state == State.WAITING for one in await told(store, everything))


async def test_an_endpoint_that_is_off_is_told_nothing(store: Store) -> None:
    here = await shop(store)
    endpoint = await listen(store, here, "https://pos.example/")
    before, after = await store.write(webhooks.change, endpoint.id, here, on=False)
    assert (before.off, after.off) == (None, Off.BY_HAND)
    await earn(store, here)
    await take(store)
    assert await told(store, endpoint) == []
    await store.write(webhooks.change, endpoint.id, here, on=True, kinds=["order.completed"], note=" Our  POS ")
    await earn(store, here, "HD-2")
    await take(store)
    assert [one.kind for one in await told(store, endpoint)] == ["order.completed"]
    assert (await store.read(webhooks.get, endpoint.id, here)).note == "Our POS"


async def test_what_orders_tell() -> None:
    def said(kind: str, **data: Any) -> list[str]:
        return [one.kind for one in happenings.told(events.Happened(1, SetClock, kind, 1, 1, data, 1))]  # type: ignore[arg-type]

    assert said("order_completed", points=85, refunded=0) == ["order.completed", "points.earned"]
    assert said("order_completed", points=-20, refunded=20_000) == ["order.refunded", "points.taken_back"]
    assert said("order_cancelled", points=0) == ["order.cancelled"]
    assert said("tier_down", tier="Bạc") == ["tier.changed"]
    assert said("reward_bought", program=1, points=300) == ["reward.bought", "points.spent"]
    assert said("nobody_knows") == []


def test_every_event_of_the_house_is_told_or_kept_private_on_purpose() -> None:
    found = set()
    for path in HOUSE.glob("[a-z]*/**/*.py"):
        if path.parts[len(HOUSE.parts)] in {"tests", "bench"} or "migrations" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not node.args[1:]:
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name == "happened" and isinstance(node.args[1], ast.Constant) and isinstance(node.args[1].value, str):
                found.add(node.args[1].value)
    assert found, "the search finds nothing any more"
    undecided = found - set(TELLERS) - happenings.PRIVATE
    assert not undecided, f"name them in handlers/api/happenings.py, in TELLERS or PRIVATE: {sorted(undecided)}"


def test_every_kind_has_a_name_in_the_console() -> None:
    assert set(webhook_pages.named(words("en"))) == {*happenings.CHOICES, deliveries.PING}


def test_every_teller_says_what_is_documented() -> None:
    for kind, tell in TELLERS.items():
        for one in tell({"points": 5}):
            assert one.kind in KINDS, kind
            assert set(one.data) == set(KINDS[one.kind].data), kind


# ── Where posts may go ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://pos.example/hook?a=1", None),
        ("https://8.8.8.8/", None),
        ("http://pos.example/", "https"),
        ("https://127.0.0.1/", "private"),
        ("https://10.1.2.3/", "private"),
        ("https://169.254.169.254/latest/meta-data", "private"),
        ("https://[::1]/", "private"),
        ("https://[::ffff:10.0.0.1]/", "private"),
        ("https://[64:ff9b::a00:1]/", "private"),
        ("https://[fd00::1]/", "private"),
        ("https://localhost/", "private"),
        ("https://printer.local/", "private"),
        ("https://intranet/", "private"),
        ("https://user:secret@pos.example/", "format"),
        ("ftp://pos.example/", "format"),
        ("https://pos.example:0/", "format"),
        ("https://pos.example:99999/", "format"),
        ("https://pos example/", "format"),
        ("https://", "format"),
        ("javascript:alert(1)", "format"),
        ("https://pos.example/" + "x" * 600, "format"),
    ],
)
def test_which_addresses_may_be_registered(url: str, problem: str | None) -> None:
    assert outside.url_problem(url, private=False) == problem


async def test_what_cant_be_registered_is_refused(store: Store) -> None:
    here, there = await shop(store), await shop(store, "Quán Hai")
    for url, problem in (("http://pos.example/", "https"), ("https://192.168.1.1/", "private"), ("nonsense", "format")):
        with pytest.raises(InvalidError) as refused:
            await store.write(webhooks.add, here, url, ["*"], "sealed")
        assert (refused.value.field, refused.value.problem) == ("url", problem)
    with pytest.raises(InvalidError, match="kinds"):
        await store.write(webhooks.add, here, "https://pos.example/", [], "sealed")
    mine = await listen(store, here, "https://pos.example/")
    for rule in (webhooks.get, webhooks.remove):
        with pytest.raises(NotFoundError):
            await store.write(rule, mine.id, there)
    await earn(store, here)
    await take(store)
    one = (await told(store, mine))[0]
    with pytest.raises(NotFoundError):
        await store.write(deliveries.replay, one.id, there)
    await store.write(webhooks.remove, mine.id, here)
    assert await told(store, mine) == []


async def test_a_name_that_leads_inside_is_not_followed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name was public when it was registered; what counts is where it leads when it is called."""
    async with receiving() as receiver:

        async def inside(self: Any, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
            return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)]

        monkeypatch.setattr(sending.aiohttp.ThreadedResolver, "resolve", inside)
        with pytest.raises(PrivateAddressError):
            await PublicResolver().resolve("rebound.example", 443)
        here = await shop(store)
        port = receiver.url.rpartition(":")[2]
        endpoint = await listen(store, here, f"https://rebound.example:{port}/")
        await earn(store, here)
        async with sender(store, private=False):
            found = await settled(store, endpoint, lambda rows: any(one.attempts for one in rows))
        assert {one.error for one in found if one.attempts} == {"private_address"}
        assert receiver.got == []


# ── Posts ──────────────────────────────────────────────────────────────────────────────────────────


async def test_a_post_is_signed_as_the_documentation_verifies_it(store: Store) -> None:
    here = await shop(store)
    async with receiving() as receiver, sender(store):
        await listen(store, here, f"{receiver.url}/hook", ["points.earned"])
        await earn(store, here, "HD-7")
        (got,) = await receiver.wait(1)
    assert got.path == "/hook"
    assert got.json == {
        "id": got.name, "type": "points.earned", "timestamp": "2026-11-21T05:00:00Z", "shop": here, "customer_id": None,
        "data": {"points": 85, "order": "HD-7", "reason": "order"},
    }  # fmt: skip
    documented: dict[str, Any] = {}
    exec((HOUSE / "handlers/api/verify.py.txt").read_text(), documented)  # what the docs page shows
    fresh = got.headers | {"webhook-timestamp": str(int(time.time()))}
    fresh["webhook-signature"] = webhooks.signature(
        [SECRET], got.name, int(fresh["webhook-timestamp"]), got.body.decode()
    )
    assert got.headers["webhook-signature"] == webhooks.signature(
        [SECRET], got.name, int(got.headers["webhook-timestamp"]), got.body.decode()
    )
    verified = documented["verified"]
    assert verified(fresh, got.body, SECRET)
    assert not verified(fresh, got.body + b" ", SECRET)
    assert not verified(fresh, got.body, "whsec_AAAA")
    assert not verified(got.headers, got.body, SECRET), "the test's clock is far away: an old post is refused"


async def test_a_new_secret_and_the_old_one_sign_for_a_day(store: Store, clock: SetClock) -> None:
    here, new = await shop(store), webhooks.new_secret()
    documented: dict[str, Any] = {}
    exec((HOUSE / "handlers/api/verify.py.txt").read_text(), documented)
    async with receiving() as receiver, sender(store):
        endpoint = await listen(store, here, f"{receiver.url}/hook", ["points.earned"])
        await store.write(webhooks.renew, endpoint.id, here, SEAL.close(new))
        await earn(store, here, "HD-1")
        both = (await receiver.wait(1))[0]
        clock.advance(webhooks.OVERLAP)
        await earn(store, here, "HD-2")
        alone = (await receiver.wait(2))[1]
    for got, valid in ((both, {SECRET, new}), (alone, {new})):
        signed = got.headers["webhook-signature"].split()
        stamp = int(got.headers["webhook-timestamp"])
        each = {secret: webhooks.signature([secret], got.name, stamp, got.body.decode()) for secret in (SECRET, new)}
        assert signed == [each[secret] for secret in (new, SECRET) if secret in valid]
    stamp = int(time.time())
    fresh = both.headers | {"webhook-timestamp": str(stamp)}
    fresh["webhook-signature"] = webhooks.signature([new, SECRET], both.name, stamp, both.body.decode())
    assert all(documented["verified"](fresh, both.body, secret) for secret in (SECRET, new))


async def test_what_fails_comes_again_later_and_later_until_it_is_taken(store: Store, clock: SetClock) -> None:
    here = await shop(store)
    async with receiving() as receiver, sender(store):
        endpoint = await listen(store, here, receiver.url, ["points.earned"])
        receiver.faults.extend([500, "redirect", 404])
        await earn(store, here)
        for tried, wait in enumerate(WAITS[:3], start=1):
            (one,) = await settled(store, endpoint, lambda rows, tried=tried: rows and rows[0].attempts == tried)
            assert (one.state, one.due_at - clock.now()) == (State.WAITING, wait)
            assert len(receiver.got) == tried
            clock.advance(wait)
            store.hub.publish([webhooks.TOPIC])
        (one,) = await settled(store, endpoint, lambda rows: rows[0].state == State.DELIVERED)
    assert (one.attempts, one.status, one.answer, one.error) == (4, 200, "thank you", None)
    assert len({got.name for got in receiver.got}) == 1, "the receiver knows it by its name"
    assert all(got.path == "/" for got in receiver.got), "a redirect is not followed"
    assert (await store.read(webhooks.get, endpoint.id, here)).failing_since is None


async def test_a_receiver_that_accepts_and_never_answers_is_asked_again(
    store: Store, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "POST_SECONDS", 0.3)
    here = await shop(store)
    async with receiving() as receiver, sender(store):
        endpoint = await listen(store, here, receiver.url, ["points.earned"])
        receiver.faults.append("hang")
        await earn(store, here)
        (one,) = await settled(store, endpoint, lambda rows: rows and rows[0].attempts == 1)
        assert (one.error, one.status) == ("timeout", None)
        clock.advance(WAITS[0])
        store.hub.publish([webhooks.TOPIC])
        (one,) = await settled(store, endpoint, lambda rows: rows[0].state == State.DELIVERED)
    first, second = receiver.got
    assert first.name == second.name, "two posts, one effect"


async def test_a_sender_killed_with_a_post_in_flight_is_followed_by_one_that_posts_it_again(store: Store) -> None:
    """Nobody can know whether it was taken: it comes again under the same name, and nothing else comes twice."""
    here = await shop(store)
    async with receiving() as receiver:
        endpoint = await listen(store, here, receiver.url, ["points.earned"])
        receiver.faults.append("hang")
        async with sender(store, owner="a"):
            await earn(store, here, "HD-1")
            await receiver.wait(1)
        assert [one.attempts for one in await told(store, endpoint)] == [0], "killed before it could write how it ended"
        await store.write(leases.let_go_all, "a")
        await earn(store, here, "HD-2")
        async with sender(store, owner="b"):
            await settled(
                store, endpoint, lambda rows: len(rows) == 2 and all(row.state == "delivered" for row in rows)
            )
    names = [got.name for got in receiver.got]
    assert len(names) == 3
    assert names[0] in names[1:]
    assert len(set(names)) == 2


async def test_a_huge_answer_is_not_read(store: Store) -> None:
    here = await shop(store)
    async with receiving() as receiver, sender(store):
        endpoint = await listen(store, here, receiver.url, ["points.earned"])
        receiver.faults.append("huge")
        await earn(store, here)
        (one,) = await settled(store, endpoint, lambda rows: rows and rows[0].attempts)
    assert one.state == State.DELIVERED
    assert len(one.answer or "") <= deliveries.ANSWER_CHARS_MAX


async def test_nobody_waits_for_a_slow_endpoint(store: Store) -> None:
    here = await shop(store)
    async with receiving() as receiver, sender(store):
        receiver.slow.add("/slow")
        slow = await listen(store, here, f"{receiver.url}/slow", ["points.earned"])
        quick = await listen(store, here, f"{receiver.url}/quick", ["points.earned"])
        for number in range(30):
            await earn(store, here, f"HD-{number}")
        found = await settled(store, quick, lambda rows: len(rows) == 30 and all(one.attempts for one in rows))
        assert all(one.state == State.DELIVERED for one in found)
        assert all(one.state == State.WAITING for one in await told(store, slow))
        in_flight = sum(got.path == "/slow" for got in receiver.got)
        assert 0 < in_flight <= sending.EACH, "a slow endpoint has a few posts of its own in flight, no more"
        receiver.let_go.set()
        await settled(store, slow, lambda rows: all(one.state == State.DELIVERED for one in rows))
    assert len({(got.path, got.name) for got in receiver.got}) == len(receiver.got) == 60


async def test_two_processes_tell_nothing_twice(postgres_url: str, clock: SetClock) -> None:
    one, two = open_store(postgres_url, clock), open_store(postgres_url, clock)
    try:
        here = await shop(one)
        async with receiving() as receiver, sender(one, owner="a"), sender(two, owner="b"):
            endpoint = await listen(one, here, receiver.url, ["points.earned"])
            for number in range(20):
                await earn(one if number % 2 else two, here, f"HD-{number}")
            await settled(one, endpoint, lambda rows: sum(row.state == State.DELIVERED for row in rows) == 20)
        assert len(receiver.got) == len({got.name for got in receiver.got}) == 20
    finally:
        await one.close()
        await two.close()


async def test_what_ends_during_a_look_is_not_posted_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look saw a delivery waiting that was written as delivered, and no longer in flight, before the look was read."""
    here = await shop(store)
    async with receiving() as receiver:
        receiver.slow.add("/")
        look, looks, again = deliveries.due, 0, asyncio.Event()

        def ends_meanwhile(session: Session, busy: Mapping[int, AbstractSet[int]], each: int) -> list[Post]:
            nonlocal looks
            looks += 1
            in_flight = {endpoint: set(posts) for endpoint, posts in running._flying.items()}
            if looks == 2:
                for posts in running._flying.values():
                    posts.clear()
            found = look(session, busy, each)
            running._flying.update(in_flight)
            if looks == 2:
                again.set()
            return found

        async with sender(store) as running:
            monkeypatch.setattr(deliveries, "due", ends_meanwhile)
            endpoint = await listen(store, here, receiver.url, ["points.earned"])
            await earn(store, here)
            await receiver.wait(1)
            await again.wait()
            receiver.let_go.set()
            await settled(store, endpoint, lambda rows: rows and rows[0].state == State.DELIVERED)
        assert len(receiver.got) == 1


# ── How it ends ────────────────────────────────────────────────────────────────────────────────────


async def _one(store: Store) -> tuple[int, Endpoint, int]:
    here = await shop(store)
    endpoint = await listen(store, here, "https://pos.example/", ["points.earned"])
    await earn(store, here)
    await take(store)
    return here, endpoint, (await told(store, endpoint))[0].id


async def test_after_a_day_it_is_dead_the_endpoint_off_and_a_replay_brings_all_back(
    store: Store, clock: SetClock
) -> None:
    here, endpoint, number = await _one(store)
    began = clock.now()
    for _ in range(len(WAITS)):
        assert await store.write(deliveries.ended, number, Outcome(503, millis=12), 0.5) is State.WAITING
        (one,) = await told(store, endpoint)
        clock.set(one.due_at)
    assert timedelta(hours=23) < clock.now() - began < timedelta(hours=25)
    assert (await store.read(webhooks.broken, here)) == []
    assert await store.write(deliveries.ended, number, Outcome(error="timeout"), 0.5) is State.DEAD
    (broken,) = await store.read(webhooks.broken, here)
    assert (broken.off, broken.failures) == (Off.FAILING, len(WAITS) + 1)
    assert not await store.read(deliveries.any_due)

    await store.write(webhooks.change, endpoint.id, here, on=True)
    again = await store.write(deliveries.replay, number, here)
    assert (again.state, again.due_at, again.attempts) == (State.WAITING, clock.now(), 12)
    assert await store.write(deliveries.ended, number, Outcome(500), 0.5) is State.WAITING, (
        "a replay has a day of its own"
    )
    assert await store.write(deliveries.ended, number, Outcome(204), 0.5) is State.DELIVERED
    assert await store.read(webhooks.broken, here) == []


async def test_a_dead_delivery_alone_switches_nothing_off(store: Store, clock: SetClock) -> None:
    """Others were taken in the meantime: the endpoint lives."""
    here, endpoint, number = await _one(store)
    await earn(store, here, "HD-2")
    await take(store)
    other = (await told(store, endpoint))[1].id
    for _ in WAITS:
        await store.write(deliveries.ended, number, Outcome(500), 0.5)
    clock.advance(GIVE_UP * 2)
    await store.write(deliveries.ended, other, Outcome(200), 0.5)
    assert await store.write(deliveries.ended, number, Outcome(500), 0.5) is State.DEAD
    assert await store.read(webhooks.broken, here) == []
    assert await store.write(deliveries.replay_dead, endpoint.id, here) == 1


async def test_gone_is_off_at_once_and_what_waits_stays(store: Store) -> None:
    here, endpoint, number = await _one(store)
    await store.write(deliveries.ended, number, Outcome(410), 0.5)
    assert (await store.read(webhooks.get, endpoint.id, here)).off == Off.GONE
    assert (await told(store, endpoint))[0].state == State.WAITING


async def test_the_wait_has_jitter_and_listens_to_retry_after(store: Store, clock: SetClock) -> None:
    here, endpoint, _ = await _one(store)
    cases = [
        (0.0, None, WAITS[0] * 0.8), (1.0, None, WAITS[0] * 1.2), (0.5, 120.0, timedelta(minutes=2)),
        (0.5, 1.0, WAITS[0]), (0.5, 1e9, deliveries.WAIT_MAX),
    ]  # fmt: skip
    for chance, asked, wait in cases:
        await earn(store, here)
        await take(store)
        newest = (await told(store, endpoint))[-1]
        await store.write(deliveries.ended, newest.id, Outcome(429, retry_after=asked), chance)
        assert (await told(store, endpoint))[-1].due_at - clock.now() == wait


async def test_old_deliveries_go(store: Store, clock: SetClock) -> None:
    _, endpoint, number = await _one(store)
    await store.write(deliveries.ended, number, Outcome(200), 0.5)
    clock.advance(deliveries.KEPT - timedelta(seconds=1))
    await store.write(deliveries.prune)
    assert len(await told(store, endpoint)) == 1
    clock.advance(timedelta(seconds=2))
    await store.write(deliveries.prune)
    assert await told(store, endpoint) == []


def test_what_is_sealed_is_read_with_the_same_key_only() -> None:
    sealed = SEAL.close(SECRET)
    assert SECRET not in sealed
    assert SEAL.open(sealed) == SECRET
    for other in (Seal("another key of the tests"), SEAL):
        with pytest.raises(SealError):
            other.open(sealed if other is not SEAL else sealed[:-4])


# ── The console's pages ────────────────────────────────────────────────────────────────────────────


async def test_an_owner_adds_tries_switches_and_removes_an_address(console: Console) -> None:
    owner = await console.as_(Role.OWNER, console.shop)
    await owner.get("/shop/webhooks")
    for url, why in (
        ("http://pos.example/", "begin with https"),
        ("https://10.0.0.1/", "private network"),
        ("x", "call"),
    ):
        refused = await owner.post("/shop/webhooks", {"url": url, "kind": "points.earned"})
        assert (refused.status, why in refused.error_at("url")) == (422, True), url
    refused = await owner.post("/shop/webhooks", {"url": "https://pos.example/"})
    assert "Choose at least one thing" in refused.text
    page = await owner.post("/shop/webhooks", {"url": "https://pos.example/", "kind": "points.earned", "note": "POS"})
    assert "whsec_" in page.html
    at = page.path.partition("?")[0]
    assert "whsec_" not in (await owner.get(at)).html, "shown once"
    await owner.post(f"{at}/ping")
    page = await owner.get(at)
    assert "Waiting" in page.text
    number = int(page.html.partition("/shop/webhooks/deliveries/")[2].partition("/")[0])
    store, endpoint = console.store, int(at.rpartition("/")[2])
    await store.write(deliveries.ended, number, Outcome(410, answer="<b>gone</b>"), 0.5)
    page = await owner.get(at)
    assert "it said that it is gone" in page.text
    assert "<b>gone</b>" not in page.html, "what others answer is text"
    assert "can't be reached" in (await owner.get("/shop")).text
    await owner.post(f"{at}/on")
    await owner.post(f"/shop/webhooks/deliveries/{number}/replay")
    await owner.post(at, {"all": "1"})
    assert (await store.read(webhooks.get, endpoint, console.shop)).kinds == ["*"]
    secret = await owner.post(f"{at}/secret")
    assert "whsec_" in secret.html
    assert "The old secret signs too until" in secret.text
    changed = [row.data.get("changed") for row in await console.rows("webhook_changed")]
    assert {"off": ["gone", None]} in changed
    assert {"kinds": [["points.earned"], ["*"]]} in changed
    for role, other in ((Role.MANAGER, console.shop), (Role.OWNER, await shop(store, "Quán Hai"))):
        stranger = await console.as_(role, other)
        assert (await stranger.get(at)).status in {403, 404}
        assert (await stranger.post(f"{at}/remove")).status in {403, 404}
        assert (await stranger.post(f"/shop/webhooks/deliveries/{number}/replay")).status in {403, 404}
    assert (await owner.post(f"{at}/remove", csrf="nonsense")).status == 403
    await owner.post(f"{at}/remove")
    assert await store.read(webhooks.of_shop, console.shop) == []
