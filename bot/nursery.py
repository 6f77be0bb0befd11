"""The one place that starts background work: it keeps a reference, logs what fails, starts it again, stops it at the end."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

AGAIN_SECONDS = 1.0

log = structlog.get_logger()


class Nursery:
    """Background tasks from their start to the program's end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run something once in the background; what it raises is logged."""
        task = asyncio.create_task(work, name=name)  # noqa: TID251  # the one place the rule points to
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def keep(self, work: Callable[[], Awaitable[None]], name: str) -> None:
        """Keep something running until the end: what fails is logged and begins again after a second."""
        self.start(self._again(work, name), name)

    async def _again(self, work: Callable[[], Awaitable[None]], name: str) -> None:
        while True:
            try:
                await work()
            except asyncio.CancelledError:
                raise
            except Exception:
                log.exception("background work failed", name=name)
            await asyncio.sleep(AGAIN_SECONDS)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background work failed", name=task.get_name(), exc_info=error)

    async def stop(self) -> None:
        """Cancel what still runs and wait for it."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
