"""Signals: after a commit, tell whoever waits that something changed. A signal carries no data of its own worth keeping:
who hears it reads the store, so a lost one costs a poll's delay and nothing else.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager

from sqlalchemy.orm import Session


def signal(session: Session, topic: str) -> None:
    """Wake the listeners of `topic` (`chat:12`, `desk`, `outbox`) once the session's work has committed."""
    session.info["signals"].append(topic)


CLOCK = "clock"
"""Signalled when a clock that is set by hand was set: what waits for a time looks again. Everybody listens to it."""


class Heard(asyncio.Event):
    """Set whenever one of a listener's topics is signalled; the listener clears it before it looks."""

    async def within(self, seconds: float) -> bool:
        """Wait until something is heard, for so long at most; whether it was. What is heard from then on is new."""
        try:
            async with asyncio.timeout(seconds):
                await self.wait()
        except TimeoutError:
            return False
        self.clear()
        return True


class Hub:
    """The listeners in this process, by topic."""

    def __init__(self) -> None:
        self._ears: defaultdict[str, set[Callable[[], None]]] = defaultdict(set)

    def publish(self, topics: list[str]) -> None:
        """Call everybody who listens to one of the topics. For the store, after a commit."""
        for topic in topics:
            for ear in tuple(self._ears.get(topic, ())):
                ear()

    @contextmanager
    def call(self, topic: str, ear: Callable[[], None]) -> Iterator[None]:
        """Have `ear` called whenever the topic is signalled."""
        self._ears[topic].add(ear)
        try:
            yield
        finally:
            self._ears[topic].discard(ear)
            if not self._ears[topic]:
                del self._ears[topic]

    @asynccontextmanager
    async def listen(self, *topics: str) -> AsyncIterator[Heard]:
        """An event that is set whenever one of the topics is signalled."""
        heard = Heard()
        with ExitStack() as ears:
            for topic in (CLOCK, *topics):
                ears.enter_context(self.call(topic, heard.set))
            yield heard
