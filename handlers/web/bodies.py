"""Bodies: JSON that pages send."""

import json
from typing import Any

from aiohttp import web


def parsed(text: str) -> Any:
    """What JSON says. Raises ValueError where it is none; what is nested without end is none either."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


async def body_of(request: web.Request) -> Any:
    """A request's body, as `parsed` says."""
    return parsed(await request.text())
