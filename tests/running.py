"""The whole program in this process: our Bot API server, the app on a free port, a shop to be served."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bot.app import App, Part, quiet_logs
from bot.settings import Settings
from loyalty import programme
from store.clock import Clock
from store.engine import Store, open_store
from store.sealed import Seal
from tests.botapi import BotApiServer

SECRET = "a secret of the tests, long enough"


@dataclass
class Running:
    app: App
    api: BotApiServer
    settings: Settings
    shop_id: int

    @property
    def store(self) -> Store:
        return self.app.store

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.port}"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def settings_for(database_url: str, api: BotApiServer, *, webhook: bool = False, **more: object) -> Settings:
    port = free_port()
    return Settings(
        _env_file=None, database_url=database_url, secret_key=SECRET, port=port, telegram_token=api.token,
        telegram_api_url=api.url, public_url=f"http://127.0.0.1:{port}" if webhook else "", **more,
    )  # fmt: skip


@asynccontextmanager
async def running(
    database_url: str,
    *,
    webhook: bool = False,
    clock: Clock | None = None,
    demo: bool = False,
    only: Part | None = None,
    chat_gap: float = 0.02,
    **more: object,
) -> AsyncIterator[Running]:
    """Start everything, give it, stop it. `chat_gap`: seconds between two notices to a chat, for which most tests need not
    wait as long as people do.
    """
    quiet_logs()
    async with await BotApiServer.start(token="42:TEST", port=0, patience=0.02) as api:
        settings = settings_for(database_url, api, webhook=webhook, **more)
        store = open_store(database_url, clock, seal=Seal(settings.secret_key), strict=True)
        shop_id = await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")
        app = App(settings, store, demo=demo)
        assert app.telegram is not None
        app.telegram.chat_gap = chat_gap
        await app.start(only)
        if webhook:
            await api.wait_calls(1, method="setWebhook")
        try:
            yield Running(app, api, settings, shop_id)
        finally:
            await app.stop()
            await store.close()


async def until(check: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until something holds that no event tells of."""
    async with asyncio.timeout(seconds):
        while not check():
            await asyncio.sleep(0.01)
