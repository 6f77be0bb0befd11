"""The sender: one owner per messenger account takes rows from the outbox and ends them.

A lease says who the owner is, so the account's rate needs one limiter, in memory. Rows of one chat leave one after the
other, as they were written within a purpose; replies overtake everything. A row is marked `sending` in a commit of its own
before it leaves; the same commit writes how earlier ones ended.
"""

import asyncio
import heapq
import json
import random
from collections import deque
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog

from bot.messengers.messenger import Messenger, Ready
from bot.nursery import Nursery
from bot.outgoing import FLEETING
from store import leases, media, outbox
from store.base import from_micros, to_micros
from store.engine import Store
from store.errors import MovedError, StoreUnreachableError
from store.outbox import Call, Ended, EndRule, Purpose

IN_FLIGHT_MAX = 64
WINDOW = 2_000
"""Rows held in memory at once; the rest wait in the store."""
FILLED = ('"$media"', '"message_id": -', '"message_ids"')
"""What a payload holds that isn't ready to post as it stands."""
LOOK_SECONDS = 1.0
"""How often the outbox is looked at without a signal."""
LEASE_LOOK_SECONDS = 0.5
"""How often who doesn't send asks whether it is their turn: a lease is free 8 s after its owner's last word, and the next
message is to leave within 10."""
RATE_LEEWAY_SECONDS = 0.1
"""How much later than it left a call may have counted with the messenger, while its answer isn't here yet."""
PATIENCE_SECONDS = 5.0
"""How long a call without an answer holds up its chat. It has left before the next one all the same."""
STOP_SECONDS = 2.0
"""How long an orderly stop waits for what is in flight."""
BACKOFF_SECONDS_MAX = 60.0
GIVE_UP_AFTER = timedelta(hours=24)

log = structlog.get_logger()


class _Chat:
    """What waits for one chat, the earliest of the most urgent purpose first."""

    __slots__ = ("busy", "heap", "last", "listed", "paused_until")

    def __init__(self) -> None:
        self.heap: list[tuple[int, int, Call]] = []
        self.busy = 0
        """Number of the row that is in flight."""
        self.listed = False
        self.paused_until = 0.0
        self.last = 0.0


class Sender:
    """Sends for one messenger account, in whichever process holds its lease."""

    def __init__(
        self, store: Store, messenger: Messenger, owner: str, nursery: Nursery, rules: Mapping[str, EndRule]
    ) -> None:
        self._store = store
        self._messenger = messenger
        self._owner = owner
        self._nursery = nursery
        self._rules = rules
        self._lease = f"sender:{messenger.account}"
        self._epoch: int | None = None
        self._wake = asyncio.Event()
        self._stopping = False
        self._stopped = asyncio.Event()
        self._reset()

    def _reset(self) -> None:
        self._chats: dict[int | str, _Chat] = {}
        self._ready: list[tuple[int, int, int | str]] = []
        self._known: set[int] = set()
        self._ended: list[Ended] = []
        self._doubted: set[int] = set()
        self._flying: dict[int, tuple[Call, float]] = {}
        self._paused_until = 0.0
        self._limited: dict[int | str, float] = {}
        self._times: deque[float] = deque()
        self._horizon: int | None = None
        """The purpose of the last row that fitted into memory at a look: of this and the less urgent ones more may wait in
        the store, older than what is pushed."""
        self._look_due = False

    def push(self, calls: list[Call]) -> None:
        """Rows that were just committed in this process: no need to look them up."""
        if self._epoch is None:
            return
        for call in calls:
            if self._horizon is None or call.purpose < self._horizon:
                self._add(call)
        self._wake.set()

    async def run(self) -> None:
        """Wait for the lease, send while it is held, for ever."""
        with self._store.hub.call(f"outbox:{self._messenger.account}", self._heard):
            while not self._stopping:
                try:
                    epoch = await self._store.write(leases.hold, self._lease, self._owner)
                    if epoch != self._epoch:
                        self._part()
                    if epoch is not None:
                        await self._serve(epoch)
                except (StoreUnreachableError, MovedError) as error:
                    log.warning("the store can't be reached", error=str(error))
                await asyncio.sleep(0 if self._stopping else LEASE_LOOK_SECONDS)
        self._stopped.set()

    def _part(self) -> None:
        """Leave an epoch that is over: what it still knew is written down, the rest forgotten."""
        epoch, ended = self._epoch, self._ended
        self._epoch = None
        self._reset()
        if epoch is not None and ended:
            self._nursery.start(self._tell_late(ended, epoch), "late word")

    def _heard(self) -> None:
        """Rows were committed. Where one process is all there is, `push` has brought them already."""
        if self._store.shared:
            self._look_due = True
            self._wake.set()

    async def stop(self) -> None:
        """Stop in order: nothing more leaves, what is in flight may end, the lease is free at once."""
        self._stopping = True
        self._wake.set()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._stopped.wait()
        except TimeoutError:
            log.warning("stopped before every call had its answer", account=self._messenger.account)
        try:
            await self._store.write(leases.let_go, self._lease, self._owner)
        except StoreUnreachableError:
            return  # it is free by itself in some seconds

    async def _serve(self, epoch: int) -> None:
        """Send under one epoch of the lease; returns when it is lost."""
        loop = asyncio.get_running_loop()
        if epoch != self._epoch:
            lost = await self._store.write(
                outbox.adopt, self._messenger.account, epoch, self._messenger.repeatable, self._rules
            )
            if lost:
                log.warning("calls whose end nobody knows", account=self._messenger.account, count=lost)
            await self._count_recent(loop)
            self._epoch = epoch
        renewed = loop.time()
        looked = 0.0
        while True:
            if self._stopping and not self._flying and not self._ended:
                return
            if loop.time() - renewed > leases.RENEW_SECONDS:
                if await self._store.write(leases.hold, self._lease, self._owner) != epoch:
                    return
                renewed = loop.time()
            short = self._horizon is not None and len(self._known) < WINDOW // 2
            if self._look_due or short or loop.time() - looked > LOOK_SECONDS:
                self._look_due = False
                await self._look()
                looked = loop.time()
            self._wake.clear()
            self._pass_by(loop.time())
            batch = self._pick(loop.time())
            if batch or self._ended:
                if not await self._write(epoch, batch):
                    return
                continue
            try:
                async with asyncio.timeout(max(0.001, min(self._next_time(loop.time()), LOOK_SECONDS))):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _count_recent(self, loop: asyncio.AbstractEventLoop) -> None:
        """What the last owner sent in the last minute counts towards the rate."""
        now = self._store.clock.now()
        for chat, at in await self._store.read(outbox.left_since, self._messenger.account, now - timedelta(minutes=1)):
            when = loop.time() - (now - at).total_seconds()
            self._times.append(when)
            if chat is not None:
                self._chat(chat).last = max(self._chat(chat).last, when)
        self._times = deque(sorted(self._times))

    async def _look(self) -> None:
        """Read what waits in the outbox; where more waits than fits, replies still come first."""
        # In a work that writes nothing: on SQLite that is the loop's own reader, ten times as quick as a page's.
        async with self._store.work() as work:
            found = await work.read(outbox.queued, self._messenger.account, WINDOW)
        self._horizon = found[-1].purpose if len(found) == WINDOW else None
        for call in found:
            self._add(call)

    def _add(self, call: Call) -> None:
        if call.id in self._known:
            return
        self._known.add(call.id)
        key: int | str = f"fleeting:{call.id}" if call.method in FLEETING else (call.chat or 0)
        chat = self._chat(key)
        heapq.heappush(chat.heap, (call.purpose, call.id, call))
        self._list(key, chat)

    def _chat(self, key: int | str) -> _Chat:
        chat = self._chats.get(key)
        if chat is None:
            chat = self._chats[key] = _Chat()
        return chat

    def _list(self, key: int | str, chat: _Chat) -> None:
        if chat.heap and not chat.busy:
            purpose, number, _ = chat.heap[0]
            heapq.heappush(self._ready, (purpose, number, key))

    def _pick(self, now: float) -> list[Call]:
        """The rows that may leave now; each one's chat is busy from here on."""
        if now < self._paused_until or self._stopping:
            return []
        counted, _ = self._last_second(now)
        batch: list[Call] = []
        held: list[tuple[int, int, int | str]] = []
        while self._ready and len(self._flying) + len(batch) < IN_FLIGHT_MAX:
            entry = heapq.heappop(self._ready)
            purpose, number, key = entry
            chat = self._chats.get(key)
            if chat is None or chat.busy or not chat.heap or chat.heap[0][1] != number:
                continue
            call = chat.heap[0][2]
            if chat.paused_until > now or (call.not_before and from_micros(call.not_before) > self._store.clock.now()):
                held.append(entry)
                continue
            if purpose != Purpose.REPLY:
                if now - chat.last < self._messenger.chat_gap:
                    held.append(entry)
                    continue
                if counted + len(batch) >= self._messenger.rate:
                    held.append(entry)
                    break
            heapq.heappop(chat.heap)
            chat.busy = call.id
            chat.last = now
            batch.append(call)
        for entry in held:
            heapq.heappush(self._ready, entry)
        return batch

    def _next_time(self, now: float) -> float:
        """Seconds until something held back could leave."""
        if not self._ready:
            return LOOK_SECONDS
        if now < self._paused_until:
            return self._paused_until - now
        soonest = LOOK_SECONDS
        for _, _, key in self._ready[:50]:
            chat = self._chats.get(key)
            if chat is not None and chat.heap:
                call = chat.heap[0][2]
                wait = max(chat.paused_until - now, self._messenger.chat_gap - (now - chat.last), 0.01)
                if call.purpose == Purpose.REPLY:
                    wait = max(chat.paused_until - now, 0.01)
                if call.not_before:
                    wait = max(wait, (from_micros(call.not_before) - self._store.clock.now()).total_seconds())
                soonest = min(soonest, wait)
        counted, first = self._last_second(now)
        if counted >= self._messenger.rate:
            soonest = max(0.01, min(soonest, first + 1.0 - now))
        return soonest

    def _last_second(self, now: float) -> tuple[int, float]:
        """How many calls may have counted with the messenger in the last second, and when the first of them did. A call
        arrives some time between leaving and its answer: the later of the two counts.
        """
        while self._times and self._times[0] <= now - 1.0:
            self._times.popleft()
        first = self._times[0] if self._times else now
        count = len(self._times)
        for _, since in self._flying.values():
            if since + RATE_LEEWAY_SECONDS > now - 1.0:
                count += 1
                first = min(first, since + RATE_LEEWAY_SECONDS)
        return count, first

    async def _write(self, epoch: int, batch: list[Call]) -> bool:
        """One commit: how earlier rows ended, and that these leave now. False when the lease was lost."""
        ended, self._ended = self._ended, []
        moment = to_micros(self._store.clock.now())
        stale = [call for call in batch if call.expires_at is not None and call.expires_at < moment]
        for call in stale:
            ended.append(Ended(call, "expired"))
            self._done(call)
        going = [call for call in batch if call not in stale] if stale else batch
        try:
            async with self._store.work() as work:
                if self._doubted:
                    await work.write(outbox.take_back, epoch, sorted(self._doubted))
                if ended:
                    await work.write(outbox.end, epoch, ended, self._rules)
                left = await work.write(outbox.leave, self._lease, self._owner, epoch, going) if going else set[int]()
        except BaseException:
            # What ended is still known here and is written once the store is back. What was to go has not left, yet the
            # commit may have gone through before the connection broke: those rows are taken back first.
            self._ended = ended + self._ended
            self._doubted.update(call.id for call in going)
            for call in going:
                self._back(call)
            raise
        self._doubted.clear()
        if going and not left and not await self._store.read(leases.held, self._lease, self._owner, epoch):
            for call in going:
                self._back(call)
            return False
        for call in going:
            if call.id in left:
                call.attempts += 1
                self._flying[call.id] = (call, asyncio.get_running_loop().time())
                self._nursery.start(self._post(call, epoch), "post")
            else:
                self._done(call)
        return True

    def _back(self, call: Call) -> None:
        key = self._key(call)
        chat = self._chat(key)
        heapq.heappush(chat.heap, (call.purpose, call.id, call))
        if chat.busy == call.id:
            chat.busy = 0
        self._list(key, chat)

    def _pass_by(self, now: float) -> None:
        """Let chats go on whose call in flight has had no answer for long."""
        for call, since in self._flying.values():
            if now - since < PATIENCE_SECONDS:
                break
            self._free(call)

    def _key(self, call: Call) -> int | str:
        return f"fleeting:{call.id}" if call.method in FLEETING else (call.chat or 0)

    def _done(self, call: Call) -> None:
        """A row has left memory; its chat's next one may go."""
        self._known.discard(call.id)
        self._free(call)

    def _free(self, call: Call) -> None:
        key = self._key(call)
        chat = self._chats.get(key)
        if chat is None or chat.busy != call.id:
            return
        chat.busy = 0
        if chat.heap:
            self._list(key, chat)
        elif isinstance(key, str):
            del self._chats[key]

    async def _post(self, call: Call, epoch: int) -> None:
        try:
            ready = await self._prepare(call)
            ended = ready if isinstance(ready, Ended) else await self._messenger.post(ready)
        except StoreUnreachableError as error:
            ended = Ended(call, "queued", str(error))
        except Exception as error:
            log.exception("a call failed", method=call.method, account=call.account)
            ended = Ended(call, "failed", f"{type(error).__name__}: {error}")
        if epoch == self._epoch:
            _, since = self._flying.pop(call.id)
            self._times.append(min(asyncio.get_running_loop().time(), since + RATE_LEEWAY_SECONDS))
            self._settle(call, ended)
        else:
            await self._tell_late([ended], epoch)

    async def _tell_late(self, ended: list[Ended], epoch: int) -> None:
        """The lease went to another process, or came back anew, while a call was in flight: its end is written all the
        same, for nobody else knows it.
        """
        while True:
            try:
                await self._store.write(outbox.end, epoch, ended, self._rules)
            except (StoreUnreachableError, MovedError):
                await asyncio.sleep(LOOK_SECONDS)
            else:
                return

    def _settle(self, call: Call, ended: Ended) -> None:
        loop = asyncio.get_running_loop()
        if ended.state == "unknown" and call.method in self._messenger.repeatable:
            ended = Ended(call, "queued", ended.error, None, 0, ended.facts)
        if ended.state == "queued":
            created = call.created_at or to_micros(self._store.clock.now())
            if self._store.clock.now() - from_micros(created) > GIVE_UP_AFTER:
                ended = Ended(call, "failed", ended.error)
        if ended.state == "queued":
            chat = self._chat(self._key(call))
            wait = self._wait_for(call, ended, loop.time())
            chat.paused_until = max(chat.paused_until, loop.time() + wait)
            not_before = to_micros(self._store.clock.now() + timedelta(seconds=wait))
            ended = Ended(call, "queued", ended.error, None, not_before, ended.facts)
            self._ended.append(ended)
            self._back(call)
        else:
            self._ended.append(ended)
            self._done(call)
        self._wake.set()

    def _wait_for(self, call: Call, ended: Ended, now: float) -> float:
        """Seconds until a row is tried again. A second chat's 429 while a first one's lasts pauses the account."""
        retry_after = (ended.facts or {}).get("retry_after")
        if retry_after is None:
            backoff = min(BACKOFF_SECONDS_MAX, 0.25 * 2.0 ** min(call.attempts, 10))
            return backoff * random.uniform(0.5, 1.0)
        key = self._key(call)
        self._limited = {chat: until for chat, until in self._limited.items() if until > now}
        if any(chat != key for chat in self._limited):
            self._paused_until = max(self._paused_until, now + retry_after, *self._limited.values())
        self._limited[key] = now + retry_after
        return float(retry_after)

    async def _prepare(self, call: Call) -> Ready | Ended:
        """Fill in what only now is known: the numbers of earlier messages, and media."""
        if not any(mark in call.payload for mark in FILLED):
            return Ready(call)
        params: dict[str, Any] = json.loads(call.payload)
        missing = await self._fill_numbers(params)
        if missing is not None:
            return Ended(call, "failed", missing)
        files: dict[str, tuple[str, bytes, str]] = {}
        uploads: dict[str, str] = {}
        if '"$media"' in call.payload and self._messenger.takes_media():
            params = await self._fill_media(params, call.method, files, uploads)
        return Ready(call, params, files, uploads)

    async def _fill_numbers(self, params: dict[str, Any]) -> str | None:
        holders = [params]
        if isinstance(params.get("reply_parameters"), dict):
            holders.append(params["reply_parameters"])
        for holder in holders:
            number = holder.get("message_id")
            if isinstance(number, int) and number < 0:
                holder["message_id"] = await self._number_of(-number)
                if holder["message_id"] is None:
                    return "the message it names was not sent"
        numbers = params.get("message_ids")
        if isinstance(numbers, list):
            filled = [await self._number_of(-number) if number < 0 else number for number in numbers]
            if None in filled:
                return "a message it names was not sent"
            params["message_ids"] = filled
        return None

    async def _number_of(self, call_id: int) -> int | None:
        """The number that the message of an earlier row was given; None where it was not sent, or nobody knows."""
        found = await self._store.read(outbox.result_of, call_id)
        result = found[1] if found else None
        if isinstance(result, list) and result:
            result = result[0]
        return result.get("message_id") if isinstance(result, dict) else None

    async def _fill_media(
        self, value: Any, method: str, files: dict[str, tuple[str, bytes, str]], uploads: dict[str, str]
    ) -> Any:
        if isinstance(value, dict):
            if "$media" in value:
                sha = value["$media"]
                known = await self._store.read(media.handle, self._messenger.account, sha, method)
                if known is not None:
                    return known
                content = await self._store.read(media.load, sha)
                field = f"file{len(files)}"
                files[field] = (value.get("name") or "file", content.content, content.mime)
                uploads[field] = sha
                return f"attach://{field}"
            return {key: await self._fill_media(item, method, files, uploads) for key, item in value.items()}
        if isinstance(value, list):
            return [await self._fill_media(item, method, files, uploads) for item in value]
        return value
