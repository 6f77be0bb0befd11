"""Bare posts to the server, for what no client library would send."""

from typing import Any

import aiohttp

from .server import BotApiServer


class Api:
    """Calls methods by JSON and gives back the whole answer, whatever its status."""

    def __init__(self, server: BotApiServer, http: aiohttp.ClientSession) -> None:
        self.server, self.http = server, http

    async def __call__(self, method: str, **params: Any) -> dict[str, Any]:
        async with self.http.post(f"{self.server.url}/bot{self.server.token}/{method}", json=params) as answer:
            body: dict[str, Any] = await answer.json()
            assert body["ok"] is (answer.status == 200)
            assert body.get("error_code", 200) == answer.status
            return body
