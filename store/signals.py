"""Signals: after a commit, tell whoever waits that something changed. A signal carries no data of its own worth keeping:
who hears it reads the store, so a lost one costs a poll's delay and nothing else."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.orm import Session


def signal(session: Session, topic: str) -> None:
    """Wake the listeners of `topic` (`chat:12`, `desk`, `outbox`) once the session's work has committed."""
    session.info["signals"].append(topic)


class Hub:
    """The listeners in this process, by topic."""

    def __init__(self) -> None:
        self._events: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def publish(self, topics: list[str]) -> None:
        for topic in topics:
            for event in self._events.get(topic, ()):
                event.set()

    @asynccontextmanager
    async def listen(self, *topics: str) -> AsyncIterator[asyncio.Event]:
        """An event that is set whenever one of the topics is signalled; the listener clears it before it looks."""
        event = asyncio.Event()
        for topic in topics:
            self._events[topic].add(event)
        try:
            yield event
        finally:
            for topic in topics:
                self._events[topic].discard(event)
                if not self._events[topic]:
                    del self._events[topic]
