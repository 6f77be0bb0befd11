"""The intake: each update once, in its chat's order, all of it or nothing, and kept where its handler fails."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from itertools import count
from typing import Any

import aiohttp
import asyncpg
import pytest
import sqlalchemy as sa
from aiogram.types import Message
from sqlalchemy.orm import Session

from bot.app import WEBHOOK_PATH, App
from bot.messengers.telegram import ALLOWED_UPDATES, SECRET_HEADER
from handlers.chat.talk import Talk
from store import accounts, conversations, inbox, postgres, sqlite
from store.base import raw
from store.conversations import ConversationKey
from store.engine import open_store
from store.errors import MovedError, NotFoundError, StoreUnreachableError
from store.postgres import PostgresWork
from store.sqlite import SqliteStore
from tests.botapi import Person
from tests.running import Running, running, until

ACCOUNT = "telegram:42"
NUMBERS = count(1000)
APOLOGY = "Sorry"
GREETED = 2
"""How many messages a newcomer gets."""


@pytest.fixture(params=["polling", "webhook"])
async def shop(request: pytest.FixtureRequest, sqlite_url: str) -> AsyncIterator[Running]:
    async with running(sqlite_url, webhook=request.param == "webhook") as started:
        yield started


@pytest.fixture
async def hooked(database_url: str) -> AsyncIterator[Running]:
    """By webhook, on both databases."""
    async with running(database_url, webhook=True) as started:
        yield started


def handle(shop: Running, text: str, handler: Callable[..., Awaitable[Any]]) -> None:
    """Have a handler of the test's own answer one text."""

    async def says(message: Message) -> bool:
        return message.text == text

    shop.app.intake._dispatcher.message.register(handler, says)


def keep(session: Session, name: str) -> None:
    accounts.remember(session, name, "x")


def kept(session: Session) -> list[str]:
    return [row[0] for row in raw(session, "SELECT account FROM messenger_accounts WHERE account LIKE 'kept%'")]


def taken_in(session: Session) -> list[tuple[str, str]]:
    return [tuple(row) for row in raw(session, "SELECT key, state FROM inbox ORDER BY key")]


def on_their_way(session: Session) -> int:
    return int(raw(session, "SELECT count(*) FROM outbox WHERE state IN ('queued', 'sending')")[0][0])


async def arrived(shop: Running) -> Person:
    """A customer who has been greeted."""
    lan = shop.api.user(first_name="Lan", last_name="Nguyễn", language_code="en")
    await lan.start()
    await lan.wait_for(lambda message: "Phố Cafe" in message["text"])
    await lan.wait_for(lambda _message: len(lan.inbox) == GREETED)
    return lan


async def points(shop: Running, lan: Person) -> None:
    """The proof that all is well: a question and its one answer, once what was on its way has arrived."""
    async with asyncio.timeout(20):
        while await shop.store.read(on_their_way):
            await asyncio.sleep(0.01)
    before = len(lan.inbox)
    await lan.send("/points")
    await lan.wait_for(lambda message: "0" in message["text"])
    assert len(lan.inbox) == before + 1


def an_update(lan: Person, text: str = "/points", **message: Any) -> dict[str, Any]:
    number = next(NUMBERS)
    said = {"message_id": number, "date": 1, "chat": lan.chat.describe(), "from": lan.about, "text": text}
    return {"update_id": number, "message": said | message}


@asynccontextmanager
async def posting(shop: Running, secret: str | None = None) -> AsyncIterator[Callable[..., Awaitable[int]]]:
    """Telegram's side of the webhook, by hand; gives the status."""
    given = shop.app.webhook_secret if secret is None else secret
    async with aiohttp.ClientSession(headers={SECRET_HEADER: given} if given else {}) as http:

        async def post(update: Any) -> int:
            body = update if isinstance(update, bytes) else json.dumps(update).encode()
            async with http.post(f"{shop.url}{WEBHOOK_PATH}", data=BytesIO(body)) as response:
                return response.status

        yield post


# ---- what comes in ----


async def test_a_redelivered_update_changes_nothing(shop: Running) -> None:
    lan = await arrived(shop)
    shop.api.fault(kind="redelivered")
    await points(shop, lan)
    await shop.api.wait_delivered()
    before = len(lan.inbox)
    await points(shop, lan)
    assert len(lan.inbox) == before + 1


async def test_the_same_update_many_times_at_once_is_handled_once(hooked: Running) -> None:
    lan = await arrived(hooked)
    update = an_update(lan)
    async with posting(hooked) as post:
        assert await asyncio.gather(*(post(update) for _ in range(20))) == [200] * 20
    await lan.wait_for(lambda message: "0" in message["text"])
    await points(hooked, lan)
    assert len([text for text in lan.texts if "0" in text]) == 2


async def test_two_replicas_handle_one_update_once(postgres_url: str) -> None:
    async with running(postgres_url, webhook=True) as shop:
        lan = await arrived(shop)
        store = open_store(postgres_url)
        other = App(shop.settings, store)
        try:
            for _ in range(10):
                update = an_update(lan)
                taken = await asyncio.gather(
                    *(app.intake.take(ACCOUNT, str(update["update_id"]), update) for app in (shop.app, other))
                )
                assert sorted(taken) == [False, True]
            rows = await store.read(
                lambda session: raw(session, "SELECT count(*) FROM outbox WHERE chat = ?", (lan.id,))
            )
            assert rows[0][0] == GREETED + 10
        finally:
            await store.close()


async def test_updates_that_change_places_are_both_handled(shop: Running) -> None:
    lan = await arrived(shop)
    shop.api.fault(kind="reordered")
    await lan.send("/points")
    await lan.send("/menu")
    await shop.api.wait_delivered()
    await lan.wait_for(lambda _message: len(lan.inbox) == GREETED + 2, fresh=False)
    await points(shop, lan)
    states = await shop.store.read(taken_in)
    assert {state for _, state in states} == {"done"}
    assert len(states) == 4


async def test_a_kind_nobody_knows_is_recorded_and_stops_nothing(shop: Running) -> None:
    lan = await arrived(shop)
    shop.api.fault(kind="hologram")
    await points(shop, lan)
    await shop.api.wait_delivered()
    rows = await shop.store.read(
        lambda session: raw(session, "SELECT state, body FROM inbox WHERE body LIKE '%hologram%'")
    )
    assert [state for state, _ in rows] == ["done"]
    assert json.loads(rows[0][1])["hologram"] == {"depth": 3, "light": "blue"}
    assert shop.api.refused == []


async def test_telegram_is_told_which_kinds_we_want(shop: Running) -> None:
    lan = await arrived(shop)
    assert shop.api.world.updates.allowed == ALLOWED_UPDATES
    assert {"message_reaction", "chat_member"} <= set(ALLOWED_UPDATES)
    hooks = shop.api.calls_of("setWebhook")
    if hooks:
        assert hooks[0].params["allowed_updates"] == ALLOWED_UPDATES
        assert hooks[0].params["secret_token"] == shop.app.webhook_secret
    assert lan


SHAPES: list[Any] = [
    {"message": 5},
    {"message": {"from": 5, "chat": 6}},
    {"message": {"from": {"id": "one"}, "chat": {"id": None}}},
    {"message": {"from": {"id": 10**30}, "chat": {"id": -(10**30), "type": "private"}, "date": 1, "message_id": 1}},
    {
        "message": {
            "from": {"id": 5, "language_code": ["vi"], "first_name": {}},
            "chat": {"id": 5},
            "is_topic_message": 1,
        }
    },
    {"callback_query": {"from": {"id": 5}, "message": [], "data": 7}},
    {"callback_query": {"from": {"id": 5, "is_bot": False, "first_name": "A"}, "id": "1", "chat_instance": "1"}},
    {"my_chat_member": {"chat": {"id": 5, "type": "private"}, "from": {"id": 5}, "new_chat_member": None}},
    {"message": {}},
    {"message": None},
    {},
]


async def test_updates_of_no_sensible_shape_are_kept_and_stop_nothing(shop: Running) -> None:
    lan = await arrived(shop)
    keys = []
    for shape in SHAPES:
        if shop.settings.public_url:
            update = {"update_id": next(NUMBERS), **shape}
            async with posting(shop) as post:
                assert await post(update) == 200
                assert await post(update) == 200
        else:
            shop.api.fault(kind="hologram")
            hologram = shop.api.world.updates.pending[-1]
            update = {"update_id": hologram.id, **shape}
            hologram.body = json.dumps(update).encode()
        keys.append(str(update["update_id"]))
    await points(shop, lan)
    await shop.api.wait_delivered()
    assert set(keys) <= set(dict(await shop.store.read(taken_in)))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a\x00b", "L\x00an"),
        ("\ud83d alone", "\udc00"),
        ("\u202e tfel ot thgir", "\u202e"),
        ("x" * 200_000, "L" * 5000),
    ],
    ids=["NUL", "half a character", "right to left", "long"],
)
async def test_signs_that_no_database_takes_stop_nothing(hooked: Running, text: str, name: str) -> None:
    lan = await arrived(hooked)
    minh = hooked.api.user(first_name=name)
    async with posting(hooked) as post:
        for update in (an_update(lan, text), an_update(minh, "/start"), an_update(minh, text)):
            assert await post(update) == 200
            states = dict(await hooked.store.read(taken_in))
            assert states[str(update["update_id"])] in {"done", "dead"}
            # The same by polling, where the body is written anew.
            number = next(NUMBERS)
            assert await hooked.app.intake.take(ACCOUNT, str(number), update | {"update_id": number}) in {True, False}
            assert str(number) in dict(await hooked.store.read(taken_in))
    await points(hooked, lan)


async def test_a_body_that_is_no_update_is_refused_and_nothing_stored(sqlite_url: str) -> None:
    bodies = [
        b"", b"\xff\xfe", b"[]", b"7", b"null", b"{}", b'{"update_id": "x"}', b'{"update_id": Infinity}', b"[" * 100_000,
    ]  # fmt: skip
    async with running(sqlite_url, webhook=True) as shop, posting(shop) as post:
        assert [await post(body) for body in bodies] == [400] * len(bodies)
        assert await shop.store.read(taken_in) == []


async def test_an_update_of_ten_megabytes_changes_nothing_and_does_not_come_again(hooked: Running) -> None:
    lan = await arrived(hooked)
    update = an_update(lan, "x" * 10 * 1024 * 1024)
    async with posting(hooked) as post:
        assert await post(update) == 200
        assert await post(update) == 200
    await points(hooked, lan)
    assert dict(await hooked.store.read(taken_in))[str(update["update_id"])] in {"done", "dead"}
    longest = await hooked.store.read(lambda session: raw(session, "SELECT max(length(body)) FROM inbox"))
    assert longest[0][0] < 100_000
    assert len(lan.inbox) == GREETED + 1


async def test_without_the_secret_nothing_is_taken(sqlite_url: str) -> None:
    async with running(sqlite_url, webhook=True) as shop:
        lan = shop.api.user()
        for secret in ("", "wrong", "sécret", "x" * 300, shop.app.webhook_secret + "x", shop.app.webhook_secret[:-1]):
            async with posting(shop, secret) as post:
                assert await post(an_update(lan)) == 401
                assert await post(b"x" * 1000) == 401
        assert await shop.store.read(taken_in) == []


# ---- all of it or nothing ----


async def test_a_handler_that_raises_leaves_nothing_but_a_dead_letter_and_one_apology(hooked: Running) -> None:
    lan = await arrived(hooked)

    async def broken(message: Message, talk: Talk) -> None:
        await talk.work.write(keep, "kept by a broken handler")
        await message.answer("never sent")
        raise LookupError("the shelf is empty")

    handle(hooked, "break", broken)
    update = an_update(lan, "break")
    async with posting(hooked) as post:
        assert await post(update) == 200
        assert await post(update) == 200
    await lan.wait_for(lambda message: APOLOGY in message["text"], fresh=False)
    await points(hooked, lan)
    assert await hooked.store.read(kept) == []
    assert len([text for text in lan.texts if APOLOGY in text]) == 1
    assert "never sent" not in lan.texts
    [letter] = await hooked.store.read(inbox.dead_letters)
    assert json.loads(letter.body) == update
    assert "the shelf is empty" in letter.error
    assert (letter.account, letter.key, letter.chat, letter.attempts) == (ACCOUNT, str(update["update_id"]), lan.id, 1)


async def test_a_dead_letter_is_replayed_once_and_only_once(hooked: Running) -> None:
    lan = await arrived(hooked)
    mended: list[bool] = []

    async def broken(message: Message, talk: Talk) -> None:
        await talk.work.write(keep, f"kept {len(mended)}")
        if not mended:
            raise LookupError
        await message.answer("better late")

    handle(hooked, "break", broken)
    update = an_update(lan, "break")
    key = str(update["update_id"])
    async with posting(hooked) as post:
        assert await post(update) == 200
    await lan.wait_for(lambda message: APOLOGY in message["text"], fresh=False)

    assert not await hooked.app.intake.replay(ACCOUNT, key)
    assert (await hooked.store.read(inbox.dead_letter, ACCOUNT, key)).attempts == 2
    assert await hooked.store.read(kept) == []

    mended.append(True)
    replays = await asyncio.gather(*(hooked.app.intake.replay(ACCOUNT, key) for _ in range(5)), return_exceptions=True)
    assert [result for result in replays if not isinstance(result, NotFoundError)].count(True) == 1
    assert all(result in {True, False} or isinstance(result, NotFoundError) for result in replays)
    with pytest.raises(NotFoundError):
        await hooked.app.intake.replay(ACCOUNT, key)
    await points(hooked, lan)
    assert await hooked.store.read(kept) == ["kept 1"]
    assert lan.texts.count("better late") == 1
    assert len([text for text in lan.texts if APOLOGY in text]) == 1
    with pytest.raises(NotFoundError):
        await hooked.app.intake.replay(ACCOUNT, "999")


async def test_two_replicas_replay_a_dead_letter_once(postgres_url: str) -> None:
    async with running(postgres_url, webhook=True) as shop:
        lan = await arrived(shop)
        store = open_store(postgres_url)
        other = App(shop.settings, store)
        try:
            for number in range(5):
                update = an_update(lan)
                body = json.dumps(update)
                key = str(update["update_id"])
                await store.write(inbox.record_dead, ACCOUNT, key, lan.id, body, f"error {number}")
                replays = await asyncio.gather(
                    *(app.intake.replay(ACCOUNT, key) for app in (shop.app, other)), return_exceptions=True
                )
                assert sum(result is True for result in replays) == 1
                assert all(result in {True, False} or isinstance(result, NotFoundError) for result in replays)
            rows = await store.read(
                lambda session: raw(session, "SELECT count(*) FROM outbox WHERE chat = ?", (lan.id,))
            )
            assert rows[0][0] == GREETED + 5
        finally:
            await store.close()


async def test_who_awaits_something_foreign_with_the_pen_in_hand_is_found_out(sqlite_url: str) -> None:
    async with running(sqlite_url, webhook=True) as shop:
        lan = await arrived(shop)

        async def slow(message: Message, talk: Talk) -> None:
            await talk.work.write(keep, "kept too long")
            await asyncio.sleep(0.01)
            await message.answer("late")

        handle(shop, "slow", slow)
        await lan.send("slow")
        await lan.wait_for(lambda message: APOLOGY in message["text"])
        assert await shop.store.read(kept) == []
        [letter] = await shop.store.read(inbox.dead_letters)
        assert "foreign" in letter.error


def _bump(session: Session, key: ConversationKey) -> None:
    """What another replica does to a conversation."""
    found = conversations.load(session, key)
    conversations.save(session, found)


@pytest.mark.parametrize("moves", [1, 3, 4])
async def test_a_conversation_that_moved_runs_its_handler_again_three_times(hooked: Running, moves: int) -> None:
    lan = await arrived(hooked)
    runs: list[int] = []

    async def racing(message: Message, talk: Talk) -> None:
        runs.append(1)
        if len(runs) <= moves:
            await hooked.store.write(_bump, ConversationKey(42, lan.id, lan.id))
        await talk.work.write(keep, f"kept {len(runs)}")
        await message.answer("done")

    handle(hooked, "race", racing)
    update = an_update(lan, "race")
    async with posting(hooked) as post:
        assert await post(update) == 200
    if moves <= 3:
        await lan.wait_for(lambda message: message["text"] == "done", fresh=False)
        assert await hooked.store.read(kept) == [f"kept {moves + 1}"]
        assert len(runs) == moves + 1
    else:
        await lan.wait_for(lambda message: APOLOGY in message["text"], fresh=False)
        assert await hooked.store.read(kept) == []
        assert len(runs) == 4
    await points(hooked, lan)
    assert lan.texts.count("done") == (1 if moves <= 3 else 0)


async def test_a_race_that_a_rule_tells_of_runs_the_handler_again(hooked: Running) -> None:
    lan = await arrived(hooked)
    runs: list[int] = []

    def raced(session: Session) -> None:
        keep(session, f"kept {len(runs)}")
        if len(runs) < 3:
            raise MovedError("deadlock")

    async def racing(message: Message, talk: Talk) -> None:
        runs.append(1)
        await talk.work.write(raced)
        await message.answer("done")

    handle(hooked, "race", racing)
    await lan.send("race")
    await lan.wait_for(lambda message: message["text"] == "done")
    assert await hooked.store.read(kept) == ["kept 3"]


@pytest.mark.parametrize("way", ["posts", "takes"])
async def test_one_chats_updates_run_one_after_the_other(hooked: Running, way: str) -> None:
    lan = await arrived(hooked)
    running_now: list[int] = []
    most: list[int] = []

    async def counted(message: Message, talk: Talk) -> None:
        running_now.append(1)
        most.append(len(running_now))
        number = len(await talk.work.read(kept))
        await asyncio.sleep(0)
        await talk.work.write(keep, f"kept {number:02}")
        await message.answer(f"{message.text} {number}")
        running_now.pop()

    updates = [an_update(lan, f"n{number}") for number in range(50)]
    for number in range(50):
        handle(hooked, f"n{number}", counted)
    if way == "posts":
        async with posting(hooked) as post:
            assert await asyncio.gather(*(post(update) for update in updates)) == [200] * 50
    else:
        await asyncio.gather(*(hooked.app.intake.take(ACCOUNT, str(update["update_id"]), update) for update in updates))
    await lan.wait_for(lambda message: message["text"].endswith(" 49"), fresh=False)
    assert max(most) == 1
    assert await hooked.store.read(lambda session: sorted(kept(session))) == [
        f"kept {number:02}" for number in range(50)
    ]
    answers = [text.split() for text in lan.texts if text.startswith("n")]
    assert [number for _, number in answers] == [str(number) for number in range(50)]
    if way == "takes":
        assert [text for text, _ in answers] == [f"n{number}" for number in range(50)]
    else:
        assert sorted(text for text, _ in answers) == sorted(f"n{number}" for number in range(50))


@pytest.mark.parametrize("its_turn", [False, True], ids=["while it waits", "as its turn comes"])
async def test_who_stops_waiting_for_their_turn_holds_up_nobody(sqlite_url: str, its_turn: bool) -> None:
    async with running(sqlite_url, webhook=True) as shop:
        lan = await arrived(shop)
        go = asyncio.Event()
        begun = asyncio.Event()

        async def slow(message: Message) -> None:
            begun.set()
            await go.wait()
            await message.answer("slow")

        handle(shop, "slow", slow)

        def take(text: str) -> "asyncio.Task[bool]":
            update = an_update(lan, text)
            return asyncio.ensure_future(shop.app.intake.take(ACCOUNT, str(update["update_id"]), update))

        first = take("slow")
        await begun.wait()
        second, third = take("/points"), take("/points")
        await asyncio.sleep(0)
        turn = second._fut_waiter
        go.set()
        while its_turn and not turn.done():
            await asyncio.sleep(0)
        second.cancel()
        async with asyncio.timeout(5):
            assert await first
            assert await third
        assert second.cancelled()
        await lan.wait_for(lambda _message: len(lan.inbox) == GREETED + 2, fresh=False)
        await points(shop, lan)


async def test_where_a_conversation_stands_survives_a_restart(database_url: str) -> None:
    async with running(database_url) as shop:
        lan = await arrived(shop)
        await lan.send("/support")
        await lan.wait_for(lambda message: "reply_markup" in message)
        await shop.app.stop()
        store = open_store(database_url, strict=True)
        again = App(shop.settings, store)
        await again.start()
        try:
            await lan.send("Ly cà phê của tôi bị nguội")
            await lan.wait_for(lambda message: "#" in message["text"])
            rows = await store.read(lambda session: raw(session, "SELECT count(*) FROM tickets"))
            assert rows[0][0] == 1
        finally:
            await again.stop()
            await store.close()


# ---- a store that can't be reached ----


async def _doors(url: str, *, closed: bool) -> None:
    """Cut every connection to a PostgreSQL database and let nobody in, or open it again."""
    parsed = sa.make_url(url).set(drivername="postgresql")
    admin = await asyncpg.connect(parsed.set(database="postgres").render_as_string(hide_password=False))
    try:
        await admin.execute(f'ALTER DATABASE "{parsed.database}" ALLOW_CONNECTIONS {"false" if closed else "true"}')
        if closed:
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", parsed.database
            )
    finally:
        await admin.close()


async def test_without_a_database_the_webhook_answers_503_and_the_update_comes_again(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "RECONNECT_SECONDS", 0.1)
    async with running(postgres_url, webhook=True) as shop:
        lan = await arrived(shop)
        await _doors(postgres_url, closed=True)
        try:
            await lan.send("/points")
            attempts = shop.api.world.webhook.attempts
            await shop.api.world.until(lambda: any(status == 503 for _, status in attempts) or None, 5, "a 503")
            assert {status for _, status in attempts} == {200, 503}
        finally:
            await _doors(postgres_url, closed=False)
        await lan.wait_for(lambda message: "0" in message["text"], timeout=10)
        await shop.api.wait_delivered()
        assert attempts[-1][1] == 200
        assert len(lan.inbox) == GREETED + 1
        assert await shop.store.read(inbox.dead_letters) == []


async def test_a_store_that_is_away_for_a_moment_makes_no_dead_letter(sqlite_url: str) -> None:
    async with running(sqlite_url, webhook=True) as shop:
        lan = await arrived(shop)
        tries: list[int] = []

        def away(session: Session) -> None:
            tries.append(1)
            keep(session, "kept")
            if len(tries) == 1:
                raise StoreUnreachableError

        async def answer(message: Message, talk: Talk) -> None:
            await talk.work.write(away)
            await message.answer("here again")

        handle(shop, "away", answer)
        await lan.send("away")
        await lan.wait_for(lambda message: message["text"] == "here again")
        assert [status for _, status in shop.api.world.webhook.attempts][-2:] == [503, 200]
        assert await shop.store.read(inbox.dead_letters) == []


async def test_without_a_database_the_offset_stays(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "RECONNECT_SECONDS", 0.1)
    async with running(postgres_url) as shop:
        lan = await arrived(shop)
        await _doors(postgres_url, closed=True)
        try:
            await lan.send("/points")
            await until(lambda: any(update.handed for update in shop.api.world.updates.pending))
            with pytest.raises(StoreUnreachableError):
                await shop.store.read(taken_in)
            assert shop.api.world.updates.pending
        finally:
            await _doors(postgres_url, closed=False)
        await lan.wait_for(lambda message: "0" in message["text"], timeout=10)
        await shop.api.wait_delivered()
        assert len(lan.inbox) == GREETED + 1
        assert await shop.store.read(inbox.dead_letters) == []


async def test_a_file_that_another_process_holds_for_too_long_answers_503(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(sqlite_url, webhook=True) as shop:
        lan = await arrived(shop)
        monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
        assert isinstance(shop.store, SqliteStore)
        other = sqlite3.connect(shop.store.path, isolation_level=None, check_same_thread=False)
        # Off the loop: it may have to wait for a commit of ours.
        await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
        try:
            async with posting(shop) as post:
                assert await post(an_update(lan)) == 503
        finally:
            other.execute("ROLLBACK")
            other.close()
        await points(shop, lan)
        assert await shop.store.read(inbox.dead_letters) == []


async def test_the_webhook_answers_200_only_after_the_commit(hooked: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    lan = await arrived(hooked)
    go, reached = asyncio.Event(), asyncio.Event()
    update = an_update(lan)
    if hooked.store.shared:
        close = PostgresWork.__aexit__

        async def slow(self: PostgresWork, *raised: Any) -> None:
            if await self.read(inbox.state_of, ACCOUNT, str(update["update_id"])):
                reached.set()
                await go.wait()
            await close(self, *raised)

        monkeypatch.setattr(PostgresWork, "__aexit__", slow)
    else:
        commit_now = SqliteStore._commit

        def later(self: SqliteStore) -> None:
            reached.set()
            if go.is_set():
                commit_now(self)
            else:
                asyncio.get_running_loop().call_later(0.01, self._commit)

        monkeypatch.setattr(SqliteStore, "_commit", later)
    async with posting(hooked) as post:
        answer = asyncio.ensure_future(post(update))
        await reached.wait()
        done, _ = await asyncio.wait({answer}, timeout=0.2)
        assert not done
        assert len(lan.inbox) == GREETED
        go.set()
        assert await answer == 200
    assert dict(await hooked.store.read(taken_in))[str(update["update_id"])] == "done"
    await lan.wait_for(lambda message: "0" in message["text"], fresh=False)
