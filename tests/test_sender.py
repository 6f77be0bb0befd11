"""The sender: each way a call can end, who goes first, how fast, and by whom."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot import app as composition
from bot import sender
from bot.app import App
from bot.messengers import telegram
from bot.messengers.messenger import Ready
from bot.messengers.telegram import Telegram
from bot.outgoing import OutboxSession, outbox_bot
from bot.queues import Queues
from handlers.chat.talk import Kept
from loyalty.customers import customers
from store import leases, outbox
from store.base import raw, to_micros
from store.clock import SetClock
from store.engine import Store, open_store
from store.outbox import Call, Ended, Purpose
from tests.botapi import BotApiServer, Person
from tests.chatting import quiet
from tests.conftest import NOON
from tests.running import Running, running

ACCOUNT = "telegram:42"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(8) + (100).to_bytes(4) + (100).to_bytes(4) + bytes(40)


@pytest.fixture
async def shop(sqlite_url: str, clock: SetClock) -> AsyncIterator[Running]:
    async with running(sqlite_url, clock=clock, chat_gap=1.0) as started:
        await owned(started.store)
        yield started


async def owned(store: Store, owner: str | None = None) -> str:
    """Wait until somebody (or somebody else than `owner`) sends; their name."""

    def look(session: Session) -> str | None:
        rows = raw(session, "SELECT owner FROM leases WHERE name = ?", (f"sender:{ACCOUNT}",))
        return rows[0][0] if rows else None

    async with asyncio.timeout(5):
        while (found := await store.read(look)) in {None, owner}:
            await asyncio.sleep(0.01)
    assert found is not None
    return found


def a_call(store: Store, to: Person, text: str, purpose: Purpose = Purpose.REPLY, **more: Any) -> Call:
    payload = json.dumps({"chat_id": to.id, "text": text}, ensure_ascii=False)
    return Call(store.ids.new(), ACCOUNT, to.id, "sendMessage", payload, int(purpose), **more)


async def put(shop: Running, *calls: Call) -> None:
    """Queue calls as a work does: committed, then handed to the sender of this process."""
    await shop.store.write(outbox.put, calls)
    shop.app.push(list(calls))


async def say(shop: Running, to: Person, text: str, purpose: Purpose = Purpose.REPLY) -> Call:
    made = a_call(shop.store, to, text, purpose)
    await put(shop, made)
    return made


def state_of(session: Session, call_id: int) -> tuple[str, str | None, int]:
    return raw(session, "SELECT state, error, attempts FROM outbox WHERE id = ?", (call_id,))[0]


async def ended(store: Store, call: Call, *, after: int = 1) -> tuple[str, str]:
    """State and error of a row, once it is neither on its way nor queued for the first time."""
    async with asyncio.timeout(5):
        while True:
            state, error, attempts = await store.read(state_of, call.id)
            if state != "sending" and (state != "queued" or (attempts >= after and error)):
                return state, error or ""
            await asyncio.sleep(0.01)


async def settled(store: Store, calls: Sequence[Call]) -> list[str]:
    """How rows ended for good."""
    async with asyncio.timeout(10):
        while True:
            states = [(await store.read(state_of, call.id))[0] for call in calls]
            if not {"queued", "sending"} & set(states):
                return states
            await asyncio.sleep(0.01)


def sent(api: BotApiServer, *people: Person) -> list[str]:
    """What was carried out, in order."""
    wanted = {person.id for person in people}
    return [call.text for call in api.calls_of("sendMessage") if not wanted or call.chat in wanted]


# ---- how a call ends ----


@asynccontextmanager
async def answering(answer: bytes, *, close: bool = True) -> AsyncIterator[Telegram]:
    """A Telegram whose server says exactly this, byte for byte, and then closes (or keeps silent)."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        await reader.readexactly(length)
        writer.write(answer)
        await writer.drain()
        if close:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    messenger = Telegram("42:TEST", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", 30)
    try:
        yield messenger
    finally:
        await messenger.close()
        server.close()


def http(status: int, body: str, *, missing: int = 0, kind: str = "application/json") -> bytes:
    raw_body = body.encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(raw_body) + missing}\r\n\r\n"
    return head.encode() + raw_body


def refusal(code: int, description: str = "it went wrong", **parameters: Any) -> str:
    return json.dumps({"ok": False, "error_code": code, "description": description, "parameters": parameters})


OK = '{"ok":true,"result":{"message_id":7,"date":1,"chat":{"id":5,"type":"private"},"text":"xin chào"}}'


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (http(200, OK), "sent"),
        (http(200, OK[:60], missing=40), "sent"),
        (http(200, '{"ok":true,', missing=500), "sent"),
        (http(200, OK[:30]), "sent"),
        (http(200, '{"ok":', missing=500), "unknown"),
        (http(200, "", missing=500), "unknown"),
        (http(200, "<html>welcome to the hotel's network</html>", kind="text/html"), "unknown"),
        (http(200, "[]"), "unknown"),
        (b"", "unknown"),
        (b"HTTP/1.1 200 OK\r\nContent-", "unknown"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "unknown"),
        (http(429, refusal(429, "Too Many Requests: retry after 3", retry_after=3)), "queued"),
        (http(429, refusal(429)), "queued"),
        (http(500, refusal(500, "Internal Server Error")), "queued"),
        (http(503, refusal(503, "Service Unavailable")), "queued"),
        (http(500, "<html>Internal Server Error</html>", kind="text/html"), "unknown"),
        (http(502, "<html>502 Bad Gateway</html>", kind="text/html"), "unknown"),
        (http(502, refusal(502, "Bad Gateway")), "unknown"),
        (http(504, refusal(504, "Gateway Timeout")), "unknown"),
        (http(504, "", kind="text/html"), "unknown"),
        (http(400, refusal(400, "Bad Request: chat not found")), "failed"),
        (http(401, refusal(401, "Unauthorized")), "failed"),
        (http(403, refusal(403, "Forbidden: bot was blocked by the user")), "failed"),
        (http(404, refusal(404, "Not Found")), "failed"),
        (http(409, refusal(409, "Conflict")), "failed"),
        (http(413, refusal(413, "Request Entity Too Large")), "failed"),
        (http(400, refusal(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-100)), "queued"),
        (http(400, refusal(400, "Bad Request: message is not modified")), "sent"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.decode()[:200].replace("\r\n", " ")[9:12],
)
async def test_each_answer_puts_the_row_into_its_state(answer: bytes, state: str) -> None:
    made = Call(1, ACCOUNT, 5, "sendMessage", '{"chat_id":5,"text":"a"}')
    async with answering(answer) as messenger:
        assert (await messenger.post(Ready(made))).state == state


async def test_an_answer_that_was_cut_still_tells_the_number_of_the_message() -> None:
    made = Call(1, ACCOUNT, 5, "sendMessage", '{"chat_id":5,"text":"a"}')
    async with answering(http(200, OK[:60], missing=40)) as messenger:
        assert (await messenger.post(Ready(made))).result == {"message_id": 7}


async def test_silence_after_the_request_left_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telegram, "CALL_SECONDS", 0.2)
    made = Call(1, ACCOUNT, 5, "sendMessage", '{"chat_id":5,"text":"a"}')
    async with answering(b"", close=False) as messenger:
        assert (await messenger.post(Ready(made))).state == "unknown"


async def test_a_connection_that_nobody_takes_is_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packets that vanish on the way (a firewall, a dead route) must not make every message unknown."""
    monkeypatch.setattr(telegram, "CONNECT_SECONDS", 0.2)
    # The kernel answers nobody while the queue of connections that wait to be accepted is full.
    with socket.socket() as listening, ExitStack() as filling:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(3):
            one = filling.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(listening.getsockname())
        messenger = Telegram("42:TEST", f"http://127.0.0.1:{listening.getsockname()[1]}", 30)
        try:
            made = Call(1, ACCOUNT, 5, "sendMessage", '{"chat_id":5,"text":"a"}')
            async with asyncio.timeout(5):
                assert (await messenger.post(Ready(made))).state == "queued"
        finally:
            await messenger.close()


async def test_without_a_connection_a_row_is_queued_again_and_leaves_when_there_is_one(shop: Running) -> None:
    lan = shop.api.user()
    async with shop.api.down():
        first, second = await say(shop, lan, "one"), await say(shop, lan, "two")
        assert (await ended(shop.store, first))[0] == "queued"
        assert (await shop.store.read(state_of, second.id))[::2] == ("queued", 0)
    assert await settled(shop.store, [first, second]) == ["sent", "sent"]
    assert sent(shop.api) == ["one", "two"]


@pytest.mark.parametrize("kind", ["cut", "hang", "502", "closed"])
async def test_where_nobody_can_know_a_row_is_unknown_and_never_sent_again(
    sqlite_url: str, clock: SetClock, monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    monkeypatch.setattr(telegram, "CALL_SECONDS", 0.3)
    async with running(sqlite_url, clock=clock) as shop:
        await owned(shop.store)
        lan = shop.api.user()
        shop.api.fault("sendMessage", lan.id, kind=kind, seconds=1.0)
        lost = await say(shop, lan, "lost?")
        assert (await ended(shop.store, lost))[0] == "unknown"
        later = await say(shop, lan, "later")
        assert await settled(shop.store, [later]) == ["sent"]
        clock.advance(timedelta(days=2))
        await shop.store.write(leases.hold, "look", "again")
        assert (await shop.store.read(state_of, lost.id))[::2] == ("unknown", 1)
        assert sent(shop.api) == (["lost?", "later"] if kind in {"cut", "hang"} else ["later"])


async def test_a_server_error_is_tried_again_in_order_until_it_passes(shop: Running) -> None:
    lan = shop.api.user()
    shop.api.fault("sendMessage", lan.id, times=2, kind="500")
    calls = [a_call(shop.store, lan, text) for text in ("one", "two")]
    await put(shop, *calls)
    assert await settled(shop.store, calls) == ["sent", "sent"]
    assert sent(shop.api) == ["one", "two"]
    assert (await shop.store.read(state_of, calls[0].id))[2] == 3
    assert [entry.params["text"] for entry in shop.api.faulted] == ["one", "one"]
    times = [entry.at for entry in shop.api.faulted] + [shop.api.calls_of("sendMessage")[0].at]
    assert all(later - earlier >= 0.24 for earlier, later in pairwise(times))


def test_the_wait_before_another_try_doubles_up_to_a_minute_and_is_never_quite_the_same(shop: Running) -> None:
    mine = shop.app.senders[ACCOUNT]
    made = Call(1, ACCOUNT, 5, "sendMessage", "{}")
    for attempts in range(1, 14):
        made.attempts = attempts
        waits = {mine._wait_for(made, Ended(made, "queued"), 0.0) for _ in range(20)}
        longest = min(60.0, 0.25 * 2**attempts)
        assert len(waits) > 1
        assert all(longest / 2 <= wait <= longest for wait in waits)


async def test_what_could_not_be_sent_for_a_day_is_given_up(shop: Running, clock: SetClock) -> None:
    lan = shop.api.user()
    shop.api.fault("sendMessage", lan.id, times=1, kind="500")
    old = a_call(shop.store, lan, "old")
    yesterday = clock.now() - timedelta(hours=25)

    def put_yesterday(session: Session) -> None:
        outbox.put(session, [old])
        session.execute(sa.update(outbox.OutboxRow).values(created_at=yesterday))

    # In one commit: the sender may look between two of ours and find the row new.
    await shop.store.write(put_yesterday)
    old.created_at = to_micros(yesterday)
    shop.app.push([old])
    assert await ended(shop.store, old) == ("failed", "HTTP 500: Internal Server Error")


async def test_a_refused_call_fails_and_the_next_one_goes(shop: Running) -> None:
    lan = shop.api.user()
    shop.api.fault("sendMessage", lan.id, kind="error", code=418, text="I'm a teapot")
    bad, good = await say(shop, lan, "bad"), await say(shop, lan, "good")
    assert await settled(shop.store, [bad, good]) == ["failed", "sent"]
    assert "teapot" in (await shop.store.read(state_of, bad.id))[1]


async def test_one_who_blocked_the_bot_is_unreachable_until_they_come_back(shop: Running) -> None:
    lan = shop.api.user()
    await lan.start()
    await lan.wait_for(lambda message: "Phố Cafe" in message["text"])
    person = await shop.store.read(customers.identify, ACCOUNT, lan.id)
    assert person is not None

    async def reachable(expected: bool) -> None:
        async with asyncio.timeout(5):
            while [one.reachable for one in await shop.store.read(customers.identities_of, person.customer_id)] != [
                expected
            ]:
                await asyncio.sleep(0.01)

    await reachable(True)
    await quiet(shop)  # the welcome is more than one message
    shop.api.fault("sendMessage", lan.id, kind="blocked")
    assert await ended(shop.store, await say(shop, lan, "hello?")) == (
        "failed",
        "Forbidden: bot was blocked by the user",
    )
    await reachable(False)
    await lan.unblock()
    await reachable(True)
    await lan.block()
    await reachable(False)
    await lan.unblock()
    await reachable(True)


async def test_a_429_pauses_its_chat_and_no_other(shop: Running) -> None:
    lan, minh = shop.api.user(), shop.api.user()
    shop.api.fault("sendMessage", lan.id, kind="429", retry_after=1, times=1)
    first, second = await say(shop, lan, "one"), await say(shop, lan, "two")
    assert (await ended(shop.store, first))[0] == "queued"
    others = [a_call(shop.store, minh, f"minh {number}") for number in range(5)]
    await put(shop, *others)
    assert await settled(shop.store, others) == ["sent"] * 5
    assert sent(shop.api, lan) == []
    assert await settled(shop.store, [first, second]) == ["sent", "sent"]
    assert sent(shop.api, lan) == ["one", "two"]
    assert shop.api.calls_of("sendMessage", chat=lan.id)[0].at - shop.api.faulted[0].at >= 0.99


async def test_a_second_chats_429_in_that_time_pauses_the_account(shop: Running) -> None:
    lan, minh, tu = (shop.api.user() for _ in range(3))
    for person in (lan, minh):
        shop.api.fault("sendMessage", person.id, kind="429", retry_after=1, times=1)
    calls = [await say(shop, lan, "lan")]
    await ended(shop.store, calls[0])
    calls.append(await say(shop, minh, "minh"))
    await ended(shop.store, calls[1])
    calls.append(await say(shop, tu, "tú"))
    assert await settled(shop.store, calls) == ["sent"] * 3
    assert min(call.at for call in shop.api.calls_of("sendMessage")) - shop.api.faulted[1].at >= 0.99


async def test_the_same_chats_second_429_pauses_nobody_else(shop: Running) -> None:
    mine = shop.app.senders[ACCOUNT]
    first, other = (Call(number, ACCOUNT, number, "sendMessage", "{}") for number in (1, 2))
    limited = {"retry_after": 3.0}
    assert mine._wait_for(first, Ended(first, "queued", facts=limited), 10.0) == 3.0
    assert mine._wait_for(first, Ended(first, "queued", facts=limited), 11.0) == 3.0
    assert mine._queues.paused_until == 0.0
    assert mine._wait_for(other, Ended(other, "queued", facts={"retry_after": 1.0}), 12.0) == 1.0
    assert mine._queues.paused_until == 14.0  # as long as the longer of the two


async def test_what_was_taken_out_of_the_queue_meanwhile_is_not_sent(shop: Running) -> None:
    lan = shop.api.user()
    shop.api.fault("sendMessage", lan.id, kind="429", retry_after=1)
    first, dropped = await say(shop, lan, "one"), await say(shop, lan, "dropped")
    assert (await ended(shop.store, first))[0] == "queued"
    await shop.store.write(
        lambda session: raw(session, "UPDATE outbox SET state = 'dropped' WHERE id = ?", (dropped.id,))
    )
    last = await say(shop, lan, "last")
    assert await settled(shop.store, [first, dropped, last]) == ["sent", "dropped", "sent"]
    assert sent(shop.api) == ["one", "last"]


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("editMessageText", {"text": "new"}),
        ("deleteMessage", {}),
        ("setMessageReaction", {"reaction": [{"type": "emoji", "emoji": "👍"}]}),
    ],
)
async def test_edits_deletes_and_reactions_are_repeated_where_their_end_is_unknown(
    shop: Running, method: str, more: dict[str, Any]
) -> None:
    lan = shop.api.user()
    first = await say(shop, lan, "old")
    await settled(shop.store, [first])
    number = lan.inbox[-1]["message_id"]
    shop.api.fault(method, kind="502")
    payload = json.dumps({"chat_id": lan.id, "message_id": number} | more)
    call = Call(shop.store.ids.new(), ACCOUNT, lan.id, method, payload)
    await put(shop, call)
    assert await settled(shop.store, [call]) == ["sent"]
    assert (await shop.store.read(state_of, call.id))[2] == 2
    assert len(shop.api.calls_of(method)) == 1


async def test_an_edit_that_arrived_the_first_time_is_sent_when_it_is_repeated(shop: Running) -> None:
    lan = shop.api.user()
    await settled(shop.store, [await say(shop, lan, "old")])
    shop.api.fault("editMessageText", kind="cut")
    payload = json.dumps({"chat_id": lan.id, "message_id": lan.inbox[-1]["message_id"], "text": "new"})
    call = Call(shop.store.ids.new(), ACCOUNT, lan.id, "editMessageText", payload)
    await put(shop, call)
    assert await settled(shop.store, [call]) == ["sent"]
    assert lan.texts == ["new"]


async def test_the_answer_to_a_tap_expires_after_ten_seconds_and_the_words_do_not(
    sqlite_url: str, clock: SetClock
) -> None:
    async with running(sqlite_url, webhook=True, clock=clock) as shop:
        lan = shop.api.user()
        await lan.start()
        await lan.wait_for(lambda message: "Phố Cafe" in message["text"])
        await lan.send("/language")
        asked = await lan.wait_for(lambda message: any("English" in b["text"] for b in _buttons(message)))

        def answers(session: Session) -> list[tuple[str, int]]:
            rows = raw(session, "SELECT state, attempts FROM outbox WHERE method = 'answerCallbackQuery'")
            return [tuple(row) for row in rows]

        async def answered(state: str) -> None:
            async with asyncio.timeout(10):
                while await shop.store.read(answers) != [(state, 1)]:
                    await asyncio.sleep(0.01)

        async with shop.api.down():
            await lan.tap(asked, "English", answer=False)
            await answered("queued")
            clock.advance(timedelta(seconds=11))
        await lan.wait_for(lambda message: message["message_id"] >= asked["message_id"])
        await answered("expired")
        assert shop.api.calls_of("answerCallbackQuery") == []
        assert shop.api.refused == []


def _buttons(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [button for row in message.get("reply_markup", {}).get("inline_keyboard", []) for button in row]


# ---- who goes first, and how fast ----


async def test_a_chats_messages_leave_as_written_and_replies_overtake_advertising(
    sqlite_url: str, clock: SetClock
) -> None:
    async with running(sqlite_url, clock=clock, telegram_rate=3) as shop:
        await owned(shop.store)
        lan, *others = (shop.api.user() for _ in range(6))
        async with shop.api.down():
            blocked = await say(shop, lan, "first")
            await ended(shop.store, blocked)
            adverts = [a_call(shop.store, other, "offer", Purpose.ADVERTISING) for other in others]
            late = [a_call(shop.store, lan, f"offer {number}", Purpose.ADVERTISING) for number in range(2)]
            service = a_call(shop.store, lan, "service", Purpose.SERVICE)
            replies = [a_call(shop.store, lan, f"reply {number}") for number in range(20)]
            await put(shop, *adverts, *late, service, *replies)
        assert await settled(shop.store, replies) == ["sent"] * 20
        assert len(sent(shop.api, *others)) <= 3
        assert await settled(shop.store, [*adverts, *late, service]) == ["sent"] * 8
        assert sent(shop.api, lan) == [
            "first", *(f"reply {number}" for number in range(20)), "service", "offer 0", "offer 1",
        ]  # fmt: skip


async def test_no_second_holds_more_than_the_rate_and_replies_are_not_held_back(
    sqlite_url: str, clock: SetClock
) -> None:
    async with running(sqlite_url, clock=clock, telegram_rate=5) as shop:
        await owned(shop.store)
        people = [shop.api.user() for _ in range(14)]
        adverts = [a_call(shop.store, person, "offer", Purpose.ADVERTISING) for person in people]
        lan = shop.api.user()
        await put(shop, *adverts)
        await shop.api.wait_calls(5, method="sendMessage")
        loop = asyncio.get_running_loop()
        asked = loop.time()
        replies = [a_call(shop.store, lan, str(number)) for number in range(12)]
        await put(shop, *replies)
        assert await settled(shop.store, replies) == ["sent"] * 12
        assert loop.time() - asked < 0.7
        assert len(sent(shop.api, *people)) <= 10
        assert await settled(shop.store, adverts) == ["sent"] * 14
        every = sorted(call.at for call in shop.api.calls_of("sendMessage"))
        offers = sorted(call.at for call in shop.api.calls_of("sendMessage") if call.chat != lan.id)
        for at in offers:
            assert sum(at - 1.0 < other <= at for other in offers) <= 5
        # Replies are counted: while they fill the second, no offer leaves.
        first = every.index(next(call.at for call in shop.api.calls_of("sendMessage", chat=lan.id)))
        assert not [at for at in offers if every[first] < at < every[first] + 0.9]


def test_what_is_paid_for_leaves_faster_and_holds_up_nothing_else() -> None:
    messenger = Telegram("42:TEST", "http://127.0.0.1", 3)
    messenger.paid_rate = 20
    queues = Queues(messenger, SetClock(NOON))

    def add(first: int, count: int, purpose: Purpose, **more: Any) -> None:
        for number in range(first, first + count):
            payload = json.dumps({"chat_id": number, "text": '"allow_paid_broadcast": true'} | more)
            queues.add(Call(number, ACCOUNT, number, "sendMessage", payload, int(purpose)))

    add(1, 50, Purpose.ADVERTISING, allow_paid_broadcast=True)
    add(100, 5, Purpose.CARE)
    # Three for nothing, the rest paid for; not one more in this second.
    first = queues.pick(10.0, 64)
    assert [call.id for call in first] == [100, 101, 102, *range(1, 18)]
    for call in first:
        queues.left(call, 10.0)
    assert queues.pick(10.5, 64) == []
    for call in first:
        queues.landed(call, 10.6)
        queues.done(call)
    # What isn't paid for still has its own share after a second full of what is.
    second = queues.pick(11.2, 64)
    assert [call.id for call in second] == [103, 104, *range(18, 36)]
    # Two chats' 429 within a second: the account rests, then goes on at the rate that is free.
    for call in second[2:4]:
        queues.limit(call, 11.3, 1.0)
    for call in second:
        queues.done(call)
    assert len(queues.pick(13.0, 64)) == 3


async def test_advertising_to_one_chat_leaves_a_second_between_two(shop: Running) -> None:
    lan = shop.api.user()
    calls = [a_call(shop.store, lan, str(number), Purpose.ADVERTISING) for number in range(2)]
    await put(shop, *calls)
    await settled(shop.store, calls)
    first, second = shop.api.calls_of("sendMessage")
    assert second.at - first.at >= 0.95


async def test_with_more_waiting_than_fits_into_memory_a_chat_keeps_its_order(
    sqlite_url: str, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "WINDOW", 10)
    async with running(sqlite_url, clock=clock) as shop:
        await owned(shop.store)
        people = [shop.api.user() for _ in range(12)]
        lan = people[-1]
        async with shop.api.down():
            backlog = [a_call(shop.store, person, "early") for person in people]
            await shop.store.write(outbox.put, backlog)  # by another process, or before this one was the owner
            await ended(shop.store, backlog[0])
            late = await say(shop, lan, "late")
        assert set(await settled(shop.store, [*backlog, late])) == {"sent"}
        assert sent(shop.api, lan) == ["early", "late"]


# ---- what only the moment of sending knows ----


async def _compose(shop: Running, write: Callable[[Any], Any]) -> list[Call]:
    """What a handler would do with its bot, queued."""
    session = OutboxSession(shop.store, ACCOUNT, shop.app.messengers[ACCOUNT].me())
    await write(outbox_bot("42:TEST", session))

    def keep(db: Session) -> None:
        from store import media

        for content, mime, width, height in session.kept:
            media.keep(db, content, mime, width, height)
        outbox.put(db, session.calls)

    await shop.store.write(keep)
    shop.app.push(session.calls)
    return session.calls


async def test_calls_that_name_an_earlier_message_are_filled_in(shop: Running) -> None:
    lan = shop.api.user()

    async def write(bot: Any) -> None:
        first = await bot.send_message(lan.id, "first")
        await first.reply("second")
        await first.edit_text("first, mended")
        await first.pin()
        third = await bot.send_message(lan.id, "third")
        fourth = await bot.send_message(lan.id, "fourth")
        await third.delete()
        await bot.delete_messages(lan.id, [fourth.message_id])
        await bot.copy_message(lan.id, lan.id, first.message_id)

    calls = await _compose(shop, write)
    assert await settled(shop.store, calls) == ["sent"] * len(calls)
    assert lan.texts[:2] == ["first, mended", "second"]
    assert len(lan.inbox) == 3
    assert lan.inbox[1]["reply_to_message"]["message_id"] == lan.inbox[0]["message_id"]
    assert shop.api.refused == []


@pytest.mark.parametrize(("kind", "state"), [("chat_not_found", "failed"), ("502", "unknown")])
async def test_a_call_that_names_one_that_was_not_sent_fails(shop: Running, kind: Any, state: str) -> None:
    lan = shop.api.user()
    shop.api.fault("sendMessage", lan.id, kind=kind)

    async def write(bot: Any) -> None:
        first = await bot.send_message(lan.id, "first")
        await first.edit_text("mended")
        await first.reply("answer")
        await bot.send_message(lan.id, "other")

    calls = await _compose(shop, write)
    assert await settled(shop.store, calls) == [state, "failed", "failed", "sent"]
    assert "names" in (await shop.store.read(state_of, calls[1].id))[1]
    assert shop.api.calls_of("editMessageText") == []


async def test_a_call_names_one_that_is_still_to_be_sent_again(shop: Running) -> None:
    lan = shop.api.user()
    shop.api.fault("sendMessage", lan.id, kind="500")

    async def write(bot: Any) -> None:
        first = await bot.send_message(lan.id, "first")
        await first.edit_text("mended")

    calls = await _compose(shop, write)
    assert await settled(shop.store, calls) == ["sent", "sent"]
    assert lan.texts == ["mended"]


async def test_a_file_is_uploaded_once_and_then_sent_by_its_id(shop: Running) -> None:
    lan, minh = shop.api.user(), shop.api.user()
    for person in (lan, minh, lan):
        calls = await _compose(
            shop, lambda bot, to=person: bot.send_photo(to.id, Kept(PICTURE, "a.png", "image/png", 100, 100))
        )
        assert await settled(shop.store, calls) == ["sent"]
    photos = [call.params["photo"] for call in shop.api.calls_of("sendPhoto")]
    assert photos[0].startswith("attach://")
    assert photos[1] == photos[2] == lan.inbox[0]["photo"][-1]["file_id"]
    document = await _compose(shop, lambda bot: bot.send_document(lan.id, Kept(PICTURE, "a.png", "image/png")))
    assert await settled(shop.store, document) == ["sent"]
    assert shop.api.calls_of("sendDocument")[0].params["document"].startswith("attach://")
    assert shop.api.refused == []


# ---- by whom ----


@asynccontextmanager
async def another(shop: Running, url: str, clock: SetClock) -> AsyncIterator[App]:
    """A second worker on the same database."""
    store = open_store(url, clock)
    app = App(shop.settings, store)
    await app.start("worker")
    try:
        yield app
    finally:
        await app.stop()
        await store.close()


async def _die(app: App) -> None:
    """As kill -9 leaves it: nothing is written, no lease let go."""
    await app.nursery.stop()


async def test_what_the_last_owner_writes_at_that_very_moment_stands(postgres_url: str, clock: SetClock) -> None:
    store = open_store(postgres_url, clock)
    try:
        call = Call(store.ids.new(), ACCOUNT, 7, "sendMessage", "{}")
        await store.write(outbox.put, [call])
        await store.write(leases.hold, "sender", "first")
        assert await store.write(outbox.leave, "sender", "first", 1, [call]) == {call.id}
        blocked = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        async with store.work() as last:
            await last.write(outbox.end, 1, [Ended(call, "sent", None, {"message_id": 5})], {})
            adopting = asyncio.ensure_future(store.write(outbox.adopt, ACCOUNT, 2, frozenset(), {}))
            async with asyncio.timeout(5):
                while not await store.read(raw, blocked):
                    await asyncio.sleep(0.01)
        assert await adopting == 0
        assert (await store.read(state_of, call.id))[0] == "sent"
    finally:
        await store.close()


async def test_of_two_workers_one_sends_and_everything_once(postgres_url: str, clock: SetClock) -> None:
    async with running(postgres_url, clock=clock) as shop, another(shop, postgres_url, clock) as second:
        owner = await owned(shop.store)
        assert owner in {shop.app.owner, second.owner}
        people = [shop.api.user() for _ in range(10)]
        calls = [a_call(shop.store, person, str(number)) for number in range(4) for person in people]
        await shop.store.write(outbox.put, calls[:20])
        await second.store.write(outbox.put, calls[20:])
        assert await settled(shop.store, calls) == ["sent"] * 40
        for person in people:
            assert person.texts == ["0", "1", "2", "3"]


async def test_a_dead_owners_calls_are_unknown_save_those_that_may_be_repeated(
    database_url: str, clock: SetClock
) -> None:
    async with running(database_url, clock=clock) as shop:
        await owned(shop.store)
        lan, minh, tu = (shop.api.user() for _ in range(3))
        await settled(shop.store, [await say(shop, minh, "old")])
        payload = json.dumps({"chat_id": minh.id, "message_id": minh.inbox[0]["message_id"], "text": "new"})
        edit = Call(shop.store.ids.new(), ACCOUNT, minh.id, "editMessageText", payload)
        for person in (lan, minh):
            shop.api.fault(None, person.id, kind="slow", seconds=30, times=1)
        lost, waits = a_call(shop.store, lan, "lost?"), a_call(shop.store, lan, "waits")
        await put(shop, lost, edit, waits)
        await shop.api.wait_calls(1, chat=lan.id)
        await shop.api.wait_calls(1, method="editMessageText")
        await _die(shop.app)
        early = a_call(shop.store, tu, "early")
        await shop.store.write(outbox.put, [early])
        clock.advance(timedelta(seconds=9))
        async with another(shop, database_url, clock) as second:
            assert await owned(shop.store, shop.app.owner) == second.owner
            assert await settled(second.store, [lost, edit, waits, early]) == ["unknown", "sent", "sent", "sent"]
        assert lan.texts == ["lost?", "waits"]
        assert minh.texts == ["new"]
        assert (await shop.store.read(state_of, edit.id))[2] == 2


async def test_a_new_owner_counts_what_the_last_one_sent(sqlite_url: str) -> None:
    async with running(sqlite_url, telegram_rate=5) as shop:
        await owned(shop.store)
        people = [shop.api.user() for _ in range(10)]
        calls = [a_call(shop.store, person, "offer", Purpose.ADVERTISING) for person in people]
        await put(shop, *calls[:5])
        await settled(shop.store, calls[:5])
        await shop.app.stop()
        await shop.store.write(outbox.put, calls[5:])
        store = open_store(sqlite_url)
        app = App(shop.settings, store)
        await app.start("worker")
        try:
            assert await settled(shop.store, calls[5:]) == ["sent"] * 5
        finally:
            await app.stop()
            await store.close()
        at = [call.at for call in shop.api.calls_of("sendMessage")]
        assert at[5] - at[0] >= 0.97


async def test_who_stops_in_order_leaves_nothing_unknown_and_nothing_for_the_next_to_wait_for(
    sqlite_url: str, clock: SetClock
) -> None:
    async with running(sqlite_url, clock=clock) as shop:
        await owned(shop.store)
        people = [shop.api.user() for _ in range(100)]
        shop.api.fault("sendMessage", kind="slow", seconds=0.1, times=None)
        calls = [a_call(shop.store, person, str(number)) for number in range(4) for person in people]
        await put(shop, *calls)
        await shop.api.wait_calls(10, method="sendMessage")
        await shop.app.stop()
        states = [(await shop.store.read(state_of, call.id))[0] for call in calls]
        assert set(states) == {"sent", "queued"}
        assert len(shop.api.calls_of("sendMessage")) == states.count("sent")
        assert await shop.store.write(leases.hold, f"sender:{ACCOUNT}", "the next") is not None


async def test_what_an_owner_learns_after_its_lease_ran_out_is_still_written(sqlite_url: str, clock: SetClock) -> None:
    async with running(sqlite_url, clock=clock) as shop:
        await owned(shop.store)
        lan, minh = shop.api.user(), shop.api.user()
        shop.api.fault("sendMessage", lan.id, kind="slow", seconds=0.5)
        slow = await say(shop, lan, "slow")
        await shop.api.wait_calls(1, method="sendMessage")
        clock.advance(timedelta(seconds=60))
        other = await say(shop, minh, "other")
        assert await settled(shop.store, [slow, other]) == ["sent", "sent"]
        assert sent(shop.api) == ["slow", "other"]


async def test_a_commit_that_went_through_though_its_connection_broke_loses_no_row(
    postgres_url: str, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(postgres_url, clock=clock, only="worker") as shop:
        await owned(shop.store)
        lan = shop.api.user()
        leave, broken = outbox.leave, []

        def breaking(session: Session, *asked: Any) -> set[int]:
            left = leave(session, *asked)
            if left and not broken:
                broken.append(1)
                raw(session, "COMMIT")
                raise ConnectionResetError
            return left

        monkeypatch.setattr(outbox, "leave", breaking)
        calls = [a_call(shop.store, lan, text) for text in ("one", "two")]
        await put(shop, *calls)
        assert await settled(shop.store, calls) == ["sent", "sent"]
        assert broken
        assert sent(shop.api) == ["one", "two"]


async def test_a_rule_that_fails_on_how_a_row_ended_stops_neither_the_row_nor_the_others(
    sqlite_url: str, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(session: Session, end: Ended) -> None:
        session.connection().exec_driver_sql("DELETE FROM messenger_accounts")
        raise LookupError(end.state)

    monkeypatch.setitem(composition.END_RULES, "broken", broken)
    async with running(sqlite_url, clock=clock) as shop:
        await owned(shop.store)
        lan, minh = shop.api.user(), shop.api.user()
        calls = [a_call(shop.store, lan, "one", rule="broken", subject=1), a_call(shop.store, minh, "two")]
        await put(shop, *calls)
        assert await settled(shop.store, calls) == ["sent", "sent"]
        after = await say(shop, lan, "three")
        assert await settled(shop.store, [after]) == ["sent"]
        assert sent(shop.api, lan) == ["one", "three"]


async def test_a_rule_that_lost_a_race_is_run_again(
    postgres_url: str, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[str] = []

    def raced(session: Session, end: Ended) -> None:
        runs.append(end.state)
        session.connection().exec_driver_sql("INSERT INTO messenger_accounts VALUES ('ruled', 'x')")
        if len(runs) == 1:
            session.connection().exec_driver_sql("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$")

    monkeypatch.setitem(composition.END_RULES, "raced", raced)
    async with running(postgres_url, clock=clock) as shop:
        await owned(shop.store)
        call = a_call(shop.store, shop.api.user(), "one", rule="raced", subject=1)
        await put(shop, call)
        assert await settled(shop.store, [call]) == ["sent"]
        assert runs == ["sent", "sent"]
        rows = await shop.store.read(
            lambda session: raw(session, "SELECT 1 FROM messenger_accounts WHERE account = 'ruled'")
        )
        assert len(rows) == 1
