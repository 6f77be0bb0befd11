"""The API over real HTTP for the tests: a shop, its key, a client that speaks for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from handlers.api.routes import setup_api
from handlers.web.site import Site, setup_site
from loyalty import programme
from store import staff
from store.engine import Store

ZONE = "Asia/Ho_Chi_Minh"
PLACED = "2026-11-20T10:00:00+07:00"
LAN = "+84903123456"


@dataclass
class Answer:
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def fields(self) -> list[str]:
        """The fields that a 422 names."""
        return [error["field"] for error in self.body["errors"]]


@dataclass
class Api:
    store: Store
    app: web.Application
    http: aiohttp.ClientSession
    root: str
    shop: int
    key: str

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        """Call `/api/v1` + path (or a path that begins with `//`, as it is) with the shop's key, or with `key`."""
        key = options.pop("key", self.key)
        headers = {"Authorization": f"Bearer {key}"} | options.pop("headers", {}) if key else options.pop("headers", {})
        if body is not None:
            options["json"] = body
        from yarl import URL

        url = URL(self.root + (path[1:] if path.startswith("//") else f"/api/v1{path}"), encoded=True)
        async with self.http.request(method, url, headers=headers, **options) as response:
            kind = response.content_type
            found = await (response.json(content_type=None) if "json" in kind else response.text())
            return Answer(response.status, found, dict(response.headers) | {"type": kind})

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.call("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        return await self.call("POST", path, body, **options)

    async def order(self, external_id: str, total: int = 85_999, **values: Any) -> Answer:
        body = {
            "customer": {"phone": LAN}, "total": total, "currency": "VND", "placed_at": PLACED, "status": "completed",
        }  # fmt: skip
        return await self.call("PUT", f"/orders/{external_id}", body | values)

    async def another_shop(self, name: str = "Quán Hai") -> tuple[int, str]:
        shop = await self.store.write(programme.open_shop, name, timezone=ZONE, language="vi")
        return shop, await self.store.write(staff.add_api_key, shop)


@asynccontextmanager
async def serving(store: Store, links: tuple[str, ...] = ()) -> AsyncIterator[Api]:
    """The API of a new shop with the defaults, on a port of its own."""

    async def never(*_: Any) -> Any:
        raise AssertionError("the API has no business there")

    def made(payload: str) -> list[tuple[str, str]]:
        return [(name, f"https://{name}.example/?start={payload}") for name in links]

    shop = await store.write(programme.open_shop, "Phố Cafe", timezone=ZONE, language="vi")
    key = await store.write(staff.add_api_key, shop)
    app = web.Application(client_max_size=21 * 1024 * 1024)
    site = Site(
        store=store, secret_key="x" * 32, public_url="https://pho.example", language="vi", links=made, feed=never,
        replay=never,
    )  # fmt: skip
    setup_site(app, site)
    setup_api(app, site)
    async with TestServer(app) as server, aiohttp.ClientSession() as http:
        yield Api(store, app, http, str(server.make_url("")).rstrip("/"), shop, key)
