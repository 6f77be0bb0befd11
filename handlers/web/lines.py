"""Lines: the streams of events that open pages listen to, hung up as soon as the program stops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp_sse import EventSourceResponse, sse_response

from store.signals import Heard, Hub

STOPPING = "stopping"
LINES = web.AppKey("lines", set[EventSourceResponse])


def setup_lines(app: web.Application, hub: Hub) -> None:
    """Have the lines end at the program's stop: one that waited for news would hold it up."""
    app[LINES] = set()

    async def hang_up(_app: web.Application) -> None:
        for line in app[LINES]:
            line.stop_streaming()
        # Each is told to end before whoever writes on it looks.
        await asyncio.sleep(0)
        hub.publish([STOPPING])

    app.on_shutdown.append(hang_up)


@asynccontextmanager
async def open_line(request: web.Request, hub: Hub, *topics: str) -> AsyncIterator[tuple[EventSourceResponse, Heard]]:
    """A line to the page that asks, and what is set when one of the topics is signalled; look whether it `is_connected`
    before each wait. Raises ConnectionResetError when the page goes while something is on its way to it, HTTPServiceUnavailable
    when it has gone already.
    """
    if request.transport is None:
        raise web.HTTPServiceUnavailable
    async with (
        sse_response(request, headers={"X-Accel-Buffering": "no"}) as line,
        hub.listen(STOPPING, *topics) as heard,
    ):
        lines = request.config_dict[LINES]
        lines.add(line)
        try:
            yield line, heard
        finally:
            lines.discard(line)
