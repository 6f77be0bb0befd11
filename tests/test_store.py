"""The store's two verbs, one transaction a work, what is told after it, and what the database itself refuses."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.customers import customers
from loyalty.points import ledger
from store import accounts, leases, postgres
from store.base import raw
from store.clock import SetClock
from store.engine import Store, open_store
from store.errors import MovedError, RuleError, StoreUnreachableError
from store.postgres import PostgresStore
from store.signals import signal
from store.sqlite import SqliteStore

HUGE = "x" * 3_000_000
ADD = "INSERT INTO postings (transfer_id, source_id, target_id, amount)"


class RefusedError(RuleError):
    code = "refused"


def put(session: Session, name: str, *, topic: str = "", fail: Exception | None = None) -> str:
    """A small writing rule: one row, perhaps a signal, perhaps a refusal at the end."""
    accounts.remember(session, name, "x")
    if topic:
        signal(session, topic)
    if fail is not None:
        session.flush()
        raise fail
    return name


def names(session: Session) -> list[str]:
    return list(session.scalars(sa.select(accounts.messenger_accounts.c.account).order_by(sa.text("1"))))


@pytest.fixture
async def sqlite(sqlite_url: str, clock: SetClock) -> AsyncIterator[SqliteStore]:
    store = open_store(sqlite_url, clock, strict=True)
    assert isinstance(store, SqliteStore)
    yield store
    await store.close()


@pytest.fixture
async def postgres_store(postgres_url: str, clock: SetClock) -> AsyncIterator[Store]:
    store = open_store(postgres_url, clock)
    yield store
    await store.close()


async def test_a_work_sees_what_is_committed_until_it_writes_and_then_its_own(store: Store) -> None:
    async with store.work() as work:
        assert await work.read(names) == []
        await store.write(put, "another's")
        assert await work.read(names) == ["another's"]
        await work.write(put, "own")
        assert await work.read(names) == ["another's", "own"]
        if store.shared:  # on SQLite nobody else runs while the pen is held
            assert await store.read(names) == ["another's"]
    assert await store.read(names) == ["another's", "own"]


@pytest.mark.parametrize("first", [True, False], ids=["the first write", "a later write"])
async def test_a_refused_rule_leaves_nothing_and_what_the_work_wrote_before_stays(store: Store, first: bool) -> None:
    async with store.work() as work:
        if not first:
            await work.write(put, "before")
        with pytest.raises(RefusedError):
            await work.write(put, "refused", topic="refused", fail=RefusedError())
        await work.write(put, "after")
    assert await store.read(names) == sorted(["after"] if first else ["after", "before"])


async def test_a_number_that_no_row_can_have_is_no_trouble_of_the_database(store: Store) -> None:
    for number in (2**63, 10**30):
        with pytest.raises(OverflowError):
            await store.read(customers.get, number)
        with pytest.raises(OverflowError):
            await store.write(customers.get, number)


async def test_a_work_that_raises_leaves_nothing_of_all_its_writes(store: Store) -> None:
    async def broken() -> None:
        async with store.work() as work:
            await work.write(put, "one")
            await work.write(put, "two")
            raise LookupError

    with pytest.raises(LookupError):
        await broken()
    assert await store.read(names) == []
    await store.write(put, "next")
    assert await store.read(names) == ["next"]


async def test_signals_are_given_after_the_commit_and_only_then(store: Store) -> None:
    heard: list[tuple[str, list[str]]] = []
    listening = asyncio.ensure_future(store.hear())
    seen = asyncio.Event()

    def ear(topic: str) -> None:
        heard.append((topic, []))
        seen.set()

    try:
        with store.hub.call("kept", lambda: ear("kept")), store.hub.call("lost", lambda: ear("lost")):
            if store.shared:
                await _listening(store)
            with pytest.raises(RefusedError):
                await store.write(put, "a", topic="lost", fail=RefusedError())
            async with store.work() as work:
                await work.write(put, "b", topic="kept")
                with pytest.raises(RefusedError):
                    await work.write(put, "c", topic="lost", fail=RefusedError())
                work.after_commit.append(lambda: heard.append(("after", [])))
                assert heard == []
            async with asyncio.timeout(5):
                await seen.wait()
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    assert sorted(topic for topic, _ in heard) == ["after", "kept"]


async def _listening(store: Store) -> None:
    """Wait until the database has this process's LISTEN (a signal sent before would go by unheard)."""

    def ears(session: Session) -> int:
        return session.scalar(sa.text("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")) or 0

    async with asyncio.timeout(5):
        while not await store.read(ears):
            pass


async def test_many_works_at_once_are_all_kept_and_those_that_fail_take_nobody_along(store: Store) -> None:
    async def one(number: int) -> None:
        async with store.work() as work:
            await work.write(put, f"{number:02}")
            if number % 5 == 0:
                raise LookupError

    results = await asyncio.gather(*(one(number) for number in range(40)), return_exceptions=True)
    assert sum(isinstance(result, LookupError) for result in results) == 8
    assert await store.read(names) == [f"{number:02}" for number in range(40) if number % 5]


async def test_works_of_one_turn_share_one_commit(sqlite: SqliteStore) -> None:
    said: list[str] = []
    sqlite.connection.set_trace_callback(said.append)
    await asyncio.gather(*(sqlite.write(put, str(number)) for number in range(20)))
    sqlite.connection.set_trace_callback(None)
    assert said.count("COMMIT") == 1


async def test_while_the_disk_takes_a_commit_the_loop_serves_on_and_who_waits_shares_the_next(
    sqlite: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go, commits = threading.Event(), threading.Event(), []
    execute = sqlite.connection.execute

    def slow(sql: str, *values: Any) -> sqlite3.Cursor:
        if sql == "COMMIT":
            commits.append(sql)
            began.set()
            assert go.wait(5)
        return execute(sql, *values)

    monkeypatch.setattr(sqlite.connection, "execute", slow)
    first = asyncio.ensure_future(sqlite.write(put, "first"))
    while not began.is_set():
        await asyncio.sleep(0)
    others = [asyncio.ensure_future(sqlite.write(put, str(number))) for number in range(20)]
    async with sqlite.work() as work:
        assert await work.read(names) == []
    done, _ = await asyncio.wait({first, *others}, timeout=0.05)
    assert done == set()
    go.set()
    await asyncio.gather(first, *others)
    assert len(commits) == 2
    assert len(await sqlite.read(names)) == 21


def _bad_reference(session: Session) -> None:
    """A row that only the COMMIT finds fault with."""
    session.connection().exec_driver_sql("PRAGMA defer_foreign_keys = ON")
    session.connection().exec_driver_sql(
        "INSERT INTO media_handles (account, sha, method, file_id) VALUES ('a', 'nowhere', 'b', 'c')"
    )


async def test_a_failing_commit_fails_its_whole_group_and_nobody_after(sqlite: SqliteStore) -> None:
    told: list[str] = []

    async def one(name: str) -> None:
        async with sqlite.work() as work:
            await work.write(put, name, topic="told")
            work.after_commit.append(lambda: told.append(name))

    with sqlite.hub.call("told", lambda: told.append("signal")):
        results = await asyncio.gather(one("a"), sqlite.write(_bad_reference), one("b"), return_exceptions=True)
        assert [type(result) for result in results] == [StoreUnreachableError] * 3
        assert told == []
        assert await sqlite.read(names) == []
        await one("c")
    assert told == ["c", "signal"]
    assert await sqlite.read(names) == ["c"]


def _full(store: SqliteStore) -> None:
    """No page more than there are."""
    pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
    store.connection.execute(f"PRAGMA max_page_count = {pages}")


def _put_many(session: Session, name: str) -> None:
    """Many rows by one statement: where there is no room SQLite takes back the statement alone, not the transaction."""
    session.connection().exec_driver_sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
        "INSERT INTO messenger_accounts SELECT ? || i, 'x' FROM n",
        (name,),
    )


@pytest.mark.parametrize("big", [put, _put_many], ids=["one large row", "many rows"])
async def test_a_full_disk_refuses_the_work_and_the_store_goes_on_when_there_is_room(
    sqlite: SqliteStore, big: Callable[[Session, str], Any]
) -> None:
    await sqlite.write(put, "before")
    _full(sqlite)
    async with asyncio.timeout(5):
        results = await asyncio.gather(
            sqlite.write(put, "small"), sqlite.write(big, HUGE), sqlite.write(big, HUGE + "y"), return_exceptions=True
        )
    assert [type(result) for result in results[1:]] == [StoreUnreachableError] * 2
    sqlite.connection.execute("PRAGMA max_page_count = 1000000")
    async with asyncio.timeout(5):
        await sqlite.write(put, "zz")
    kept = await sqlite.read(names)
    assert kept == (["before", "zz"] if isinstance(results[0], Exception) else ["before", "small", "zz"])


async def test_when_sqlite_ends_the_transaction_by_itself_all_of_it_fails_and_the_next_is_whole(
    sqlite: SqliteStore,
) -> None:
    """A full disk or an I/O error may make SQLite roll back everything: nobody may take that for a commit."""

    def lost(session: Session) -> None:
        session.connection().exec_driver_sql("ROLLBACK")
        raise sqlite3.OperationalError("disk I/O error")

    async def refused() -> None:
        async with sqlite.work() as work:
            await work.write(put, "in the same work")
            await work.write(lost)

    async with asyncio.timeout(5):
        results = await asyncio.gather(
            sqlite.write(put, "a"), refused(), sqlite.write(put, "b"), return_exceptions=True
        )
    assert isinstance(results[0], StoreUnreachableError)
    assert isinstance(results[1], StoreUnreachableError)
    assert results[2] == "b" or isinstance(results[2], StoreUnreachableError)
    async with asyncio.timeout(5):
        await sqlite.write(put, "next")
    assert await sqlite.read(names) == (["b", "next"] if results[2] == "b" else ["next"])


async def test_a_rule_that_swallows_a_lost_transaction_is_not_taken_for_committed(sqlite: SqliteStore) -> None:
    def swallowed(session: Session) -> None:
        session.connection().exec_driver_sql("ROLLBACK")

    async with asyncio.timeout(5):
        with pytest.raises(StoreUnreachableError):
            await sqlite.write(swallowed)
        await sqlite.write(put, "next")
    assert await sqlite.read(names) == ["next"]


async def test_what_is_called_after_a_commit_may_fail_without_stopping_the_others(sqlite: SqliteStore) -> None:
    def fail() -> None:
        raise LookupError

    async def one(name: str) -> None:
        async with sqlite.work() as work:
            await work.write(put, name)
            work.after_commit.append(fail)

    async with asyncio.timeout(5), sqlite.hub.listen("told") as heard:
        await asyncio.gather(one("a"), one("b"), sqlite.write(put, "c", topic="told"))
        await heard.wait()
    assert await sqlite.read(names) == ["a", "b", "c"]


async def test_a_work_cancelled_while_it_waits_for_the_pen_passes_its_turn_on(sqlite_url: str) -> None:
    store = open_store(sqlite_url)
    try:
        let_go = asyncio.Event()

        async def slow() -> None:
            async with store.work() as work:
                await work.write(put, "slow")
                await let_go.wait()

        first = asyncio.ensure_future(slow())
        await asyncio.sleep(0)
        second, third = (asyncio.ensure_future(store.write(put, name)) for name in ("second", "third"))
        await asyncio.sleep(0)
        let_go.set()
        # It has its turn, and is cancelled before it could take it.
        while not any(turn.done() for turn in _turns(second)):
            await asyncio.sleep(0)
        second.cancel()
        async with asyncio.timeout(5):
            await asyncio.gather(first, third)
        assert second.cancelled()
        assert await store.read(names) == ["slow", "third"]
    finally:
        await store.close()


def _turns(task: "asyncio.Future[str]") -> Iterator["asyncio.Future[None]"]:
    """What a task waits for now."""
    waited = getattr(task, "_fut_waiter", None)
    if waited is not None:
        yield waited


async def test_a_work_that_awaits_something_foreign_with_the_pen_in_hand_is_an_error(sqlite: SqliteStore) -> None:
    async def slow() -> None:
        async with sqlite.work() as work:
            await work.write(put, "slow")
            await asyncio.sleep(0.01)

    with pytest.raises(RuntimeError, match="foreign"):
        await slow()
    assert await sqlite.read(names) == []
    async with sqlite.work() as work:
        await asyncio.sleep(0.01)
        await work.write(put, "it may wait before")
        await work.write(put, "and write as often as it likes")


async def test_another_process_may_hold_the_file_for_a_while(sqlite: SqliteStore) -> None:
    other = sqlite3.connect(sqlite.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.ensure_future(sqlite.write(put, "patient"))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    other.execute("COMMIT")
    other.close()
    async with asyncio.timeout(5):
        assert await waiting == "patient"


async def test_closing_waits_for_a_commit_that_is_due(sqlite_url: str) -> None:
    store = open_store(sqlite_url)
    failed: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: failed.append(context))
    with pytest.raises(RefusedError):
        await store.write(put, "a", fail=RefusedError())
    await store.close()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asyncio.get_running_loop().set_exception_handler(None)
    assert failed == []


async def test_a_page_that_takes_its_time_leaves_the_loop_to_others(sqlite: SqliteStore) -> None:
    began, answered = threading.Event(), threading.Event()

    def page(_session: Session) -> bool:
        began.set()
        return answered.wait(5)

    looked = asyncio.ensure_future(sqlite.read(page))
    while not began.is_set():
        await asyncio.sleep(0)
    await sqlite.write(put, "somebody else's")
    answered.set()
    assert await looked


async def test_closing_ends_what_a_page_still_reads_though_nobody_waits_for_it(sqlite_url: str) -> None:
    store = open_store(sqlite_url)
    began, ended = threading.Event(), threading.Event()

    def endless(session: Session) -> None:
        began.set()
        try:
            raw(session, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")
        finally:
            ended.set()

    looked = asyncio.ensure_future(store.read(endless))
    while not began.is_set():
        await asyncio.sleep(0)
    looked.cancel()
    await asyncio.wait_for(store.close(), 5)
    assert ended.is_set()


async def test_a_long_rule_is_committed_at_each_yield_and_may_be_left_and_taken_up(store: Store) -> None:
    def long(session: Session, start: int) -> Iterator[int]:
        for number in range(start, 6):
            put(session, str(number), topic="progress")
            yield number

    async for done in store.stream(long, 0):
        assert [name for name in await store.read(names) if name[0] != "z"] == [str(n) for n in range(done + 1)]
        await store.write(put, f"z{done}")  # others write between two yields
        if done == 2:
            break
    assert await store.read(names) == ["0", "1", "2", "z0", "z1", "z2"]
    assert [done async for done in store.stream(long, 3)] == [3, 4, 5]
    assert [name for name in await store.read(names) if name[0] != "z"] == ["0", "1", "2", "3", "4", "5"]


async def test_a_long_rule_that_fails_keeps_what_it_yielded_before(store: Store) -> None:
    def long(session: Session) -> Iterator[int]:
        put(session, "kept")
        yield 1
        put(session, "lost")
        raise RefusedError

    with pytest.raises(RefusedError):
        async for _ in store.stream(long):
            pass
    assert await store.read(names) == ["kept"]
    await store.write(put, "next")


async def test_a_lease_is_held_renewed_lost_and_its_epoch_rises_with_each_owner(store: Store, clock: SetClock) -> None:
    async def hold(owner: str) -> int | None:
        return await store.write(leases.hold, "sender", owner)

    assert await hold("a") == 1
    assert await hold("b") is None
    clock.advance(timedelta(seconds=7))
    assert await hold("a") == 1
    clock.advance(timedelta(seconds=7))
    assert await hold("b") is None
    clock.advance(timedelta(seconds=2))
    assert not await store.read(leases.held, "sender", "a", 1)
    assert await hold("b") == 2
    assert await store.read(leases.held, "sender", "b", 2)
    assert await hold("a") is None
    await store.write(leases.let_go, "sender", "a")
    assert await hold("a") is None
    await store.write(leases.let_go, "sender", "b")
    assert await hold("a") == 3
    assert not await store.read(leases.held, "sender", "b", 2)


async def test_of_many_who_reach_for_a_free_lease_one_has_it(postgres_url: str, clock: SetClock) -> None:
    stores = [open_store(postgres_url, clock) for _ in range(4)]
    try:
        got = await asyncio.gather(
            *(each.write(leases.hold, "sender", f"owner {number}") for number, each in enumerate(stores))
        )
        assert sorted(epoch for epoch in got if epoch is not None) == [1]
    finally:
        for each in stores:
            await each.close()


async def test_a_deadlock_is_told_as_a_race_to_run_again(postgres_store: Store) -> None:
    store = postgres_store
    for name in ("a", "b"):
        await store.write(put, name)
    both = asyncio.Barrier(2)

    def touch(session: Session, name: str) -> None:
        table = accounts.messenger_accounts
        session.execute(table.update().where(table.c.account == name).values(username="touched"))

    async def crosswise(first: str, second: str) -> None:
        async with store.work() as work:
            await work.write(touch, first)
            await both.wait()
            await work.write(touch, second)

    async with asyncio.timeout(20):
        results = await asyncio.gather(crosswise("a", "b"), crosswise("b", "a"), return_exceptions=True)
    assert sorted(type(result) for result in results if result is not None) == [MovedError]


async def _cut(url: str, *, closed: bool) -> None:
    """Cut every connection to the database; `closed`: and let nobody in."""
    parsed = sa.make_url(url)
    name = parsed.database
    admin = await asyncpg.connect(
        parsed.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    )
    try:
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {"false" if closed else "true"}')
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
    finally:
        await admin.close()


async def test_a_database_that_is_gone_is_told_as_unreachable_and_found_again(
    postgres_store: Store, postgres_url: str
) -> None:
    store = postgres_store
    await store.write(put, "before")
    await _cut(postgres_url, closed=True)
    for _ in range(3):
        with pytest.raises(StoreUnreachableError):
            await store.write(put, "lost")
        with pytest.raises(StoreUnreachableError):
            await store.read(names)

    async def stream() -> None:
        async for _ in store.stream(lambda session: iter([put(session, "lost")])):
            pass

    with pytest.raises(StoreUnreachableError):
        await stream()
    await _cut(postgres_url, closed=False)
    await store.write(put, "next")
    assert await store.read(names) == ["before", "next"]


@pytest.mark.parametrize("moment", ["before the second write", "before the commit"])
async def test_a_work_whose_connection_is_cut_leaves_nothing(
    postgres_store: Store, postgres_url: str, moment: str
) -> None:
    store = postgres_store

    async def cut() -> None:
        async with store.work() as work:
            await work.write(put, "lost")
            await _cut(postgres_url, closed=False)
            if moment == "before the second write":
                await work.write(put, "lost too")

    with pytest.raises(StoreUnreachableError):
        await cut()
    # The connections that stood in the pool were cut as well: each is told once, then all is well.
    async with asyncio.timeout(5):
        while True:
            try:
                assert await store.read(names) == []
                break
            except StoreUnreachableError:
                continue


async def test_a_signal_is_heard_again_after_the_listening_connection_was_cut(
    postgres_store: Store, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "RECONNECT_SECONDS", 0.01)
    store = postgres_store
    listening = asyncio.ensure_future(store.hear())
    try:
        async with store.hub.listen("told") as heard:
            await _listening(store)
            await _cut(postgres_url, closed=False)
            async with asyncio.timeout(10):
                while True:
                    try:
                        await _listening(store)
                        break
                    except StoreUnreachableError:
                        continue
                await store.write(put, "a", topic="told")
                await heard.wait()
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_a_process_that_listens_hears_itself_once_and_tells_the_others(
    postgres_store: Store, postgres_url: str, clock: SetClock
) -> None:
    other = open_store(postgres_url, clock)
    assert isinstance(postgres_store, PostgresStore)
    assert isinstance(other, PostgresStore)
    listening = [asyncio.ensure_future(store.hear()) for store in (postgres_store, other)]
    told: list[str] = []
    try:
        async with asyncio.timeout(10):
            while not (postgres_store.listening and other.listening):
                await asyncio.sleep(0.01)
        topics = [f"{number:04}" + "x" * 500 for number in range(40)]

        def put_all(session: Session) -> None:
            for topic in topics:
                signal(session, topic)
            put(session, "a", topic="last")

        async with other.hub.listen("last") as last, other.hub.listen(topics[0]) as first:
            with postgres_store.hub.call("last", lambda: told.append("last")):
                await postgres_store.write(put_all)
                assert told == ["last"]
                async with asyncio.timeout(10):
                    await first.wait()
                    await last.wait()
                # What another one says comes after our own words, had we heard them.
                async with postgres_store.hub.listen("answer") as answer, asyncio.timeout(10):
                    await other.write(put, "b", topic="answer")
                    await answer.wait()
        assert told == ["last"]
    finally:
        for one in listening:
            one.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
        await other.close()


@pytest.fixture
async def posted(store: Store) -> int:
    """A customer's first points: the number of the transfer."""
    shop_id = await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")
    customer_id = await store.write(customers.create, name="Lan")

    def earn(session: Session) -> int:
        source = ledger.account(session, "shop", shop_id, "wallet")
        target = ledger.account(session, "customer", customer_id, "available")
        return ledger.post(session, "test:1", "adjust", [ledger.Leg(source, target, 10)], shop_id=shop_id).transfer_id

    return await store.write(earn)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE postings SET amount = amount + 1",
        "DELETE FROM postings",
        "UPDATE transfers SET kind = 'other'",
        "DELETE FROM transfers",
        f"{ADD} SELECT transfer_id, source_id, target_id, amount FROM postings",
        f"{ADD} SELECT transfer_id, target_id, source_id, 0 FROM postings",
    ],
    ids=[
        "change a posting",
        "delete postings",
        "change a transfer",
        "delete transfers",
        "add a leg",
        "a leg of nothing",
    ],
)
async def test_the_database_itself_refuses_to_rewrite_the_ledger(store: Store, posted: int, statement: str) -> None:
    def rewrite(session: Session) -> None:
        session.connection().exec_driver_sql(statement)

    with pytest.raises(sa.exc.DBAPIError):
        await store.write(rewrite)
    assert await store.read(ledger.check) == []
    assert posted


async def test_the_ledger_can_be_neither_replaced_nor_emptied(store: Store, posted: int) -> None:
    """The ways round an UPDATE and a DELETE: SQLite's REPLACE and PostgreSQL's TRUNCATE."""

    def empty(session: Session) -> None:
        session.connection().exec_driver_sql(
            "TRUNCATE transfers, postings CASCADE"
            if store.shared
            else "INSERT OR REPLACE INTO transfers SELECT id, key, hash, 'other', at, legs, shop_id, order_id, actor, reason "
            f"FROM transfers WHERE id = {posted}"
        )

    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        await store.write(empty)
    assert await store.read(ledger.check) == []
