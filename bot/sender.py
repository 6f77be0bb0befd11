"""The sender: one owner per messenger account takes rows from the outbox and ends them.

A lease says who the owner is, so the account's rate needs one limiter, in memory (`bot/queues.py`). A row is marked
`sending` in a commit of its own before it leaves; the same commit writes how earlier ones ended.
"""

import asyncio
import random
from collections import deque
from collections.abc import Mapping
from datetime import timedelta

import structlog
from sqlalchemy.orm import Session

from bot.filling import fill
from bot.messengers.messenger import Messenger
from bot.nursery import Nursery
from bot.queues import Queues
from store import leases, outbox
from store.base import from_micros, to_micros
from store.engine import Store
from store.errors import MovedError, StoreUnreachableError
from store.outbox import Call, Ended, EndRule

IN_FLIGHT_MAX = 64
CROWD = IN_FLIGHT_MAX // 2
"""From so many calls in flight on, the next ones leave together: a commit for each few would cost more than the calls."""
CROWD_SECONDS = 0.02
"""How long after a commit the next one may then be put off."""
WINDOW = 2_000
"""Rows held in memory at once; the rest wait in the store."""
LOOK_SECONDS = 1.0
"""How often the outbox is looked at without a signal."""
LEASE_LOOK_SECONDS = 0.5
"""How often who doesn't send asks whether it is their turn: a lease is free 8 s after its owner's last word, and the next
message is to leave within 10."""
STOP_SECONDS = 2.0
"""How long an orderly stop waits for what is in flight."""
BACKOFF_SECONDS_MAX = 60.0
GIVE_UP_AFTER = timedelta(hours=24)

log = structlog.get_logger()


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
        self._leaving: deque[tuple[Call, int]] = deque()
        self._resting: list[asyncio.Future[None]] = []
        """The workers that have nothing to post."""
        self._reset()

    def _reset(self) -> None:
        self._queues = Queues(self._messenger, self._store.clock)
        self._ended: list[Ended] = []
        self._doubted: set[int] = set()
        self._committed = 0.0
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
                self._queues.add(call)
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
            await self._adopt(epoch)
        renewed = loop.time()
        looked = 0.0
        queues = self._queues
        while True:
            if self._stopping and not queues.flying and not self._ended:
                return
            if loop.time() - renewed > leases.RENEW_SECONDS:
                if await self._store.write(leases.hold, self._lease, self._owner) != epoch:
                    return
                renewed = loop.time()
            short = self._horizon is not None and len(queues) < WINDOW // 2
            if self._look_due or short or loop.time() - looked > LOOK_SECONDS:
                self._look_due = False
                await self._look()
                looked = loop.time()
            self._wake.clear()
            now = loop.time()
            wait = self._committed + CROWD_SECONDS - now if len(queues.flying) > CROWD else 0.0
            if wait <= 0 or self._stopping:
                queues.pass_by(now)
                batch = [] if self._stopping else queues.pick(now, IN_FLIGHT_MAX - len(queues.flying))
                if batch or self._ended:
                    if not await self._write(epoch, batch):
                        return
                    continue
                wait = min(queues.next_time(now), LOOK_SECONDS)
            try:
                async with asyncio.timeout(max(0.001, wait)):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _adopt(self, epoch: int) -> None:
        """Begin an epoch: what the last owner left in flight is settled, what it sent in the last minute counts."""
        account = self._messenger.account
        lost = await self._store.write(outbox.adopt, account, epoch, self._messenger.repeatable, self._rules)
        if lost:
            log.warning("calls whose end nobody knows", account=account, count=lost)
        since = self._store.clock.now() - timedelta(minutes=1)
        sent = await self._store.read(outbox.left_since, account, since)
        self._queues.count(sent, asyncio.get_running_loop().time())
        self._epoch = epoch

    async def _look(self) -> None:
        """Read what waits in the outbox; where more waits than fits, replies still come first."""
        # In a work that writes nothing: on SQLite that is the loop's own reader, ten times as quick as a page's.
        async with self._store.work() as work:
            found = await work.read(outbox.queued, self._messenger.account, WINDOW)
        self._horizon = found[-1].purpose if len(found) == WINDOW else None
        for call in found:
            self._queues.add(call)

    async def _write(self, epoch: int, batch: list[Call]) -> bool:
        """One commit: how earlier rows ended, and that these leave now. False when the lease was lost."""
        queues = self._queues
        ended, self._ended = self._ended, []
        moment = to_micros(self._store.clock.now())
        going = []
        for call in batch:
            if call.expires_at is not None and call.expires_at < moment:
                ended.append(Ended(call, "expired"))
                queues.done(call)
            else:
                going.append(call)
        try:
            left = await self._store.write(self._turn, epoch, ended, going)
        except BaseException:
            # What ended is still known here and is written once the store is back. What was to go has not left, yet the
            # commit may have gone through before the connection broke: those rows are taken back first.
            self._ended = ended + self._ended
            self._doubted.update(call.id for call in going)
            for call in going:
                queues.back(call)
            raise
        self._doubted.clear()
        if going and not left and not await self._store.read(leases.held, self._lease, self._owner, epoch):
            for call in going:
                queues.back(call)
            return False
        if any((item.facts or {}).get("anew") for item in ended):
            self._look_due = True
        self._committed = now = asyncio.get_running_loop().time()
        for call in going:
            if call.id in left:
                call.attempts += 1
                queues.left(call, now)
                self._send(call, epoch)
            else:
                queues.done(call)
        return True

    def _turn(self, session: Session, epoch: int, ended: list[Ended], going: list[Call]) -> set[int]:
        if self._doubted:
            outbox.take_back(session, epoch, sorted(self._doubted))
        if ended:
            outbox.end(session, epoch, ended, self._rules)
        return outbox.leave(session, self._lease, self._owner, epoch, going) if going else set()

    def _send(self, call: Call, epoch: int) -> None:
        """Give a call to a worker who rests, or to a new one: there are as many as there were ever calls in flight."""
        self._leaving.append((call, epoch))
        if self._resting:
            self._resting.pop().set_result(None)
        else:
            self._nursery.start(self._work(), "post")

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while self._leaving:
                await self._post(*self._leaving.popleft())
            rest = loop.create_future()
            self._resting.append(rest)
            await rest

    async def _post(self, call: Call, epoch: int) -> None:
        try:
            ready = await fill(self._store, self._messenger, call)
            ended = ready if isinstance(ready, Ended) else await self._messenger.post(ready)
        except StoreUnreachableError as error:
            ended = Ended(call, "queued", str(error))
        except Exception as error:
            log.exception("a call failed", method=call.method, account=call.account)
            ended = Ended(call, "failed", f"{type(error).__name__}: {error}")
        if epoch == self._epoch:
            self._settle(call, ended)
        else:
            self._nursery.start(self._tell_late([ended], epoch), "late word")

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
        """A call has its answer: the row ends with the next commit, or waits for another try."""
        queues, now = self._queues, asyncio.get_running_loop().time()
        queues.landed(call, now)
        state = ended.state
        if state == "unknown" and call.method in self._messenger.repeatable:
            state = "queued"
        if state == "queued":
            created = call.created_at or to_micros(self._store.clock.now())
            if self._store.clock.now() - from_micros(created) > GIVE_UP_AFTER:
                ended, state = Ended(call, "failed", ended.error), "failed"
        if state == "queued" and (ended.facts or {}).get("anew"):
            # The rules that hear of it change what waits for its chat: it is read again with the rest.
            self._ended.append(Ended(call, "queued", ended.error, None, 0, ended.facts))
            queues.forget(call)
        elif state == "queued":
            wait = self._wait_for(call, ended, now)
            queues.pause(call, now + wait)
            not_before = to_micros(self._store.clock.now() + timedelta(seconds=wait))
            self._ended.append(Ended(call, "queued", ended.error, None, not_before, ended.facts))
            queues.back(call)
        else:
            self._ended.append(ended)
            queues.done(call)
        if len(queues.flying) <= CROWD or now - self._committed >= CROWD_SECONDS:
            self._wake.set()

    def _wait_for(self, call: Call, ended: Ended, now: float) -> float:
        """Seconds until a row is tried again."""
        facts = ended.facts or {}
        if "pause" in facts:
            return float(facts["pause"])
        retry_after = facts.get("retry_after")
        if retry_after is None:
            backoff = min(BACKOFF_SECONDS_MAX, 0.25 * 2.0 ** min(call.attempts, 10))
            return backoff * random.uniform(0.5, 1.0)
        self._queues.limit(call, now, retry_after)
        return float(retry_after)
