"""Chores: what is due is done each second, and one rule that fails holds up no other."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from bot import chores, nightly
from bot.digest import digest_loop
from bot.foretelling import outlook_loop
from bot.settings import Settings
from loyalty.customers import customers
from loyalty.insights import digests, outlooks
from store import notices
from store.base import raw
from store.clock import SetClock
from store.engine import open_store
from tests.running import running


async def test_a_rule_that_fails_holds_up_no_other(
    sqlite_url: str, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    twice = asyncio.Event()

    def failing(_session: Session) -> int:
        done.append("failing")
        raise LookupError

    def due(_session: Session) -> int:
        done.append("due")
        return 2 - min(done.count("due"), 2)

    def sweep(_session: Session) -> None:
        done.append("sweep")
        twice.set()

    rules: tuple[Callable[[Session], int], ...] = (failing, due)
    monkeypatch.setattr(chores, "DUE", rules)
    monkeypatch.setattr(chores, "SWEEPS", (failing, sweep))
    store = open_store(sqlite_url, clock, strict=True)
    loop = asyncio.ensure_future(chores.clock_loop(store, "me"))
    try:
        async with asyncio.timeout(5):
            await twice.wait()
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        await store.close()
    assert done == ["failing", "due", "due", "failing", "sweep"]


async def test_who_waits_for_a_night_or_a_morning_hears_a_clock_that_jumps(
    sqlite_url: str, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: asyncio.Queue[str] = asyncio.Queue()

    def looks(name: str) -> Callable[..., bool]:
        def look(*_: object) -> bool:
            looked.put_nowait(name)
            return False

        return look

    monkeypatch.setattr(outlooks, "waiting", looks("outlook"))
    monkeypatch.setattr(digests, "unknown", looks("digest"))
    monkeypatch.setattr(nightly, "due", looks("backup"))
    store = open_store(sqlite_url, clock, strict=True)
    settings = Settings(_env_file=None, database_url=sqlite_url, secret_key="s" * 40)
    loops = asyncio.gather(
        outlook_loop(store, "me"),
        digest_loop(store),
        nightly.backup_loop(store, settings, "me"),
        return_exceptions=True,
    )
    try:
        async with asyncio.timeout(5):
            for _ in range(2):
                assert {await looked.get() for _ in range(3)} == {"outlook", "digest", "backup"}
                clock.advance(timedelta(days=1))
    finally:
        loops.cancel()
        await asyncio.gather(loops, return_exceptions=True)
        await store.close()


async def test_a_notice_that_cannot_be_put_into_words_holds_up_no_other(sqlite_url: str, clock: SetClock) -> None:
    async with running(sqlite_url, clock=clock) as shop:
        lan = shop.api.user(language_code="en")
        await lan.start()
        await lan.wait_for(lambda message: "Phố Cafe" in message["text"])
        person = await shop.store.read(customers.identify, "telegram:42", lan.id)
        assert person is not None

        def tell(session: Session) -> None:
            notices.tell(session, "tier_up", customer_id=person.customer_id)  # of which tier, nobody says
            notices.tell(session, "tier_up", customer_id=10**9, tier="Vàng")
            notices.tell(session, "tier_up", customer_id=person.customer_id, tier="Vàng")

        await shop.store.write(tell)
        await lan.wait_for(lambda message: "Vàng" in message["caption"])  # the words stand below the new card
        rows = await shop.store.read(lambda session: raw(session, "SELECT state, reason FROM notices ORDER BY id"))
        assert [tuple(row) for row in rows] == [("skipped", "no words"), ("skipped", "no words"), ("queued", None)]
