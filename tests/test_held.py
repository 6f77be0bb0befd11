"""What takes long goes on only while its lease is kept."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from bot.held import Held
from store import leases
from store.clock import SetClock
from store.engine import open_store
from store.errors import MovedError


async def test_what_takes_long_is_broken_off_once_another_has_the_lease(
    sqlite_url: str, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, ended = asyncio.Event(), asyncio.Event()
    plain = leases.hold

    def hold(session: Session, name: str, owner: str) -> int | None:
        asked.set()
        return plain(session, name, owner)

    async def long() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.05)
    monkeypatch.setattr(leases, "hold", hold)
    store = open_store(sqlite_url, clock)
    ours = Held(store, "backup", "us")
    async with asyncio.timeout(5):
        assert await ours.mine()
        work = asyncio.ensure_future(ours.during(long()))
        clock.advance(timedelta(seconds=6))
        for _ in range(2):
            asked.clear()
            await asked.wait()
        clock.advance(timedelta(seconds=6))
        assert await store.write(plain, "backup", "them") is None, "it was renewed meanwhile"
        clock.advance(leases.FREE_AFTER)
        assert await store.write(plain, "backup", "them") is not None
        with pytest.raises(MovedError):
            await work
        await ended.wait()
    assert not await ours.mine()
    assert await Held(store, "other", "us").during(asyncio.sleep(0, "done")) == "done"
    await store.close()
