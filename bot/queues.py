"""The sender's queues: what waits to leave, chat by chat, and who may go now.

Rows of one chat leave one after the other, as they were written within a purpose; replies overtake everything. Replies are
counted but never held back by our own rate; a 429 pauses its chat, a second chat's in that time the account.
"""

import heapq
from collections import deque
from collections.abc import Iterable
from datetime import datetime

from bot.messengers.messenger import PAID, Messenger
from bot.outgoing import FLEETING
from store.base import from_micros
from store.clock import Clock
from store.outbox import Call, Purpose

SOON_SECONDS = 1.0
"""How late at most who waits for a turn is looked at again."""
RATE_LEEWAY_SECONDS = 0.1
"""How much later than it left a call may have counted with the messenger, while its answer isn't here yet."""
PATIENCE_SECONDS = 5.0
"""How long a call without an answer holds up its chat. It has left before the next one all the same."""
MINUTE = 60.0
COSMETIC_SHARE = 2 / 3
"""Of a group's calls: beyond that only what was said leaves, and how it looks waits."""
SLOWED_SHARE = 2 / 3
"""Of a group's calls, for a while after it said that they are too many."""
SLOWED_SECONDS = 600.0
"""So long a group, or what is paid for, is slower after it was told that it is too fast."""
_PAID = f'"{PAID}": true'
"""In a payload; within its texts the quotes would be escaped."""


class _Chat:
    """What waits for one chat, the earliest of the most urgent purpose first."""

    __slots__ = ("busy", "heap", "last", "paused_until", "slowed_until", "times")

    def __init__(self) -> None:
        self.heap: list[tuple[int, int, Call]] = []
        self.busy = 0
        """Number of the row that is in flight."""
        self.paused_until = 0.0
        self.slowed_until = 0.0
        self.last = 0.0
        self.times: deque[float] = deque()
        """Of a group: when what left in the last minute did."""


class Queues:
    """What one messenger account has to send, in memory. Moments are the event loop's seconds."""

    def __init__(self, messenger: Messenger, clock: Clock) -> None:
        self._messenger = messenger
        self._clock = clock
        self._chats: dict[int | str, _Chat] = {}
        self._ready: list[tuple[int, int, int | str]] = []
        self._known: set[int] = set()
        self.flying: dict[int, tuple[Call, float]] = {}
        """What has left and has no answer yet, and when it left."""
        self.paused_until = 0.0
        self._limited: dict[int | str, float] = {}
        self._times: deque[float] = deque()
        self._paid: set[int] = set()
        """Of the rows known, those that may leave at the rate that is paid for."""
        self._paid_times: deque[float] = deque()
        self._free_until = 0.0
        """Until then nothing leaves faster than is free: the messenger took it ill."""

    def __len__(self) -> int:
        return len(self._known)

    def add(self, call: Call) -> None:
        """A row that waits in the store; one that is known already stays where it is."""
        if call.id in self._known:
            return
        self._known.add(call.id)
        if self._messenger.paid_rate is not None and call.purpose >= Purpose.CARE and _PAID in call.payload:
            self._paid.add(call.id)
        key = _key(call)
        chat = self._chat(key)
        heapq.heappush(chat.heap, (call.purpose, call.id, call))
        if chat.heap[0][1] == call.id:
            self._list(key, chat)

    def back(self, call: Call) -> None:
        """A row that was picked did not leave, or is to be sent again."""
        key = _key(call)
        chat = self._chat(key)
        if chat.busy == call.id:
            chat.busy = 0
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

    def pick(self, now: float, room: int) -> list[Call]:
        """The rows that may leave now, as many as there is room for; each one's chat is busy from here on."""
        if now < self.paused_until:
            return []
        # By whether it is paid for: how many more may leave in this second.
        left = {paid: self._rate(now, paid) - self._last_second(now, paid)[0] for paid in self._kinds()}
        batch: list[Call] = []
        held: list[tuple[int, int, int | str]] = []
        while self._ready and len(batch) < room:
            entry = heapq.heappop(self._ready)
            purpose, number, key = entry
            chat = self._chats.get(key)
            if chat is None or chat.busy or not chat.heap or chat.heap[0][1] != number:
                continue
            call = chat.heap[0][2]
            if chat.paused_until > now or (call.not_before and from_micros(call.not_before) > self._clock.now()):
                held.append(entry)
                continue
            if self._group_wait(key, chat, purpose, now) > 0:
                held.append(entry)
                continue
            if purpose != Purpose.REPLY:
                if now - chat.last < self._gap(key):
                    held.append(entry)
                    continue
                if left[call.id in self._paid] <= 0:
                    held.append(entry)
                    if max(left.values()) <= 0:
                        break
                    continue
            for paid in left:
                left[paid] -= paid or call.id not in self._paid
            heapq.heappop(chat.heap)
            chat.busy = call.id
            chat.last = now
            batch.append(call)
        for entry in held:
            heapq.heappush(self._ready, entry)
        return batch

    def left(self, call: Call, now: float) -> None:
        """A row leaves at this moment."""
        self.flying[call.id] = (call, now)
        if self._is_group(key := _key(call)):
            self._chat(key).times.append(now)

    def landed(self, call: Call, now: float) -> None:
        """A row that left has its answer."""
        _, since = self.flying.pop(call.id)
        counts = min(now, since + RATE_LEEWAY_SECONDS)
        (self._paid_times if call.id in self._paid else self._times).append(counts)
        if (chat := self._chats.get(_key(call))) is not None:
            chat.last = max(chat.last, counts)

    def done(self, call: Call) -> None:
        """A row has left memory; its chat's next one may go."""
        self._known.discard(call.id)
        self._paid.discard(call.id)
        self._free(call)

    def forget(self, call: Call) -> None:
        """All that waits for a call's chat, and the call itself, is to be read from the store again."""
        chat = self._chat(_key(call))
        for _, number, _ in chat.heap:
            self._known.discard(number)
            self._paid.discard(number)
        chat.heap.clear()
        self.done(call)

    def pass_by(self, now: float) -> None:
        """Let chats go on whose call in flight has had no answer for long."""
        for call, since in self.flying.values():
            if now - since < PATIENCE_SECONDS:
                break
            self._free(call)

    def _free(self, call: Call) -> None:
        key = _key(call)
        chat = self._chats.get(key)
        if chat is None or chat.busy != call.id:
            return
        chat.busy = 0
        if chat.heap:
            self._list(key, chat)
        elif isinstance(key, str):
            del self._chats[key]

    def limit(self, call: Call, now: float, seconds: float) -> None:
        """A chat's 429: it pauses so long. A second chat's while a first one's lasts pauses the account; a group, which
        has a limit of its own, goes slower for a while and holds up nobody else.
        """
        key = _key(call)
        if self._is_group(key):
            self._chat(key).slowed_until = now + SLOWED_SECONDS
            return
        self._limited = {chat: until for chat, until in self._limited.items() if until > now}
        if any(chat != key for chat in self._limited):
            self.paused_until = max(self.paused_until, now + seconds, *self._limited.values())
            if call.id in self._paid:
                self._free_until = now + SLOWED_SECONDS
        self._limited[key] = now + seconds

    def pause(self, call: Call, until: float) -> None:
        """Nothing leaves for a call's chat before this moment."""
        chat = self._chat(_key(call))
        chat.paused_until = max(chat.paused_until, until)

    def count(self, sent: Iterable[tuple[int | None, datetime]], now: float) -> None:
        """What the last owner sent (to whom, when) counts towards the rate."""
        moment = self._clock.now()
        for chat_id, at in sent:
            when = now - (moment - at).total_seconds()
            self._times.append(when)
            if chat_id is not None:
                chat = self._chat(chat_id)
                chat.last = max(chat.last, when)
                if self._is_group(chat_id):
                    chat.times.append(when)
                    chat.times = deque(sorted(chat.times))
        self._times = deque(sorted(self._times))

    def next_time(self, now: float) -> float:
        """Seconds until something held back could leave."""
        if not self._ready:
            return SOON_SECONDS
        if now < self.paused_until:
            return self.paused_until - now
        soonest = SOON_SECONDS
        for _, _, key in self._ready[:50]:
            chat = self._chats.get(key)
            if chat is not None and chat.heap:
                call = chat.heap[0][2]
                wait = max(chat.paused_until - now, self._gap(key) - (now - chat.last), 0.01)
                if call.purpose == Purpose.REPLY:
                    wait = max(chat.paused_until - now, 0.01)
                wait = max(wait, self._group_wait(key, chat, call.purpose, now))
                if call.not_before:
                    wait = max(wait, (from_micros(call.not_before) - self._clock.now()).total_seconds())
                soonest = min(soonest, wait)
        seconds = [(paid, *self._last_second(now, paid)) for paid in self._kinds()]
        if all(counted >= self._rate(now, paid) for paid, counted, _ in seconds):
            soonest = max(0.01, min(soonest, *(first + 1.0 - now for _, _, first in seconds)))
        return soonest

    def _gap(self, key: int | str) -> float:
        """Seconds between two messages to a chat; a group has a budget instead."""
        return 0.0 if self._is_group(key) else self._messenger.chat_gap

    def _is_group(self, key: int | str) -> bool:
        return self._messenger.group_rate is not None and isinstance(key, int) and key < 0

    def _group_wait(self, key: int | str, chat: _Chat, purpose: int, now: float) -> float:
        """Seconds until a group may be written to again: so many calls a minute, fewer for what is cosmetic."""
        if not self._is_group(key):
            return 0.0
        assert self._messenger.group_rate is not None
        while chat.times and chat.times[0] <= now - MINUTE:
            chat.times.popleft()
        most: float = self._messenger.group_rate
        if now < chat.slowed_until:
            most *= SLOWED_SHARE
        if purpose > Purpose.SERVICE:
            most *= COSMETIC_SHARE
        if len(chat.times) < int(most):
            return 0.0
        return max(0.0, chat.times[len(chat.times) - int(most)] + MINUTE - now)

    def _kinds(self) -> tuple[bool, ...]:
        """What there may be to send: what is free, and what is paid for."""
        return (False, True) if self._paid else (False,)

    def _rate(self, now: float, paid: bool) -> int:
        """How many may leave in a second: without paying, or in all."""
        faster = self._messenger.paid_rate if paid and now >= self._free_until else None
        return max(self._messenger.rate, faster or 0)

    def _last_second(self, now: float, paid: bool) -> tuple[int, float]:
        """How many calls may have counted with the messenger in the last second, and when the first of them did; with `paid`
        those that are paid for count too. A call arrives some time between leaving and its answer: the later of the two counts.
        """
        count, first = 0, now
        for times in (self._times, self._paid_times) if paid else (self._times,):
            while times and times[0] <= now - 1.0:
                times.popleft()
            count += len(times)
            first = min(first, times[0]) if times else first
        for number, (_, since) in self.flying.items():
            if since + RATE_LEEWAY_SECONDS > now - 1.0 and (paid or number not in self._paid):
                count += 1
                first = min(first, since + RATE_LEEWAY_SECONDS)
        return count, first


def _key(call: Call) -> int | str:
    """Whose turn a row waits for: what is fleeting waits for nobody."""
    return f"fleeting:{call.id}" if call.method in FLEETING else (call.chat or 0)
