"""The two bots that are compared: a bare aiogram bot that awaits its echo and stores nothing, and the product."""

import asyncio
import contextlib
import json
import os
import sys

from aiohttp import web

WEBHOOK = "/webhooks/telegram"


async def bare(port: int, token: str, api_url: str) -> None:
    """What anybody writes first with aiogram: a handler that awaits `message.answer(text)`."""
    from aiogram import Bot, Dispatcher
    from aiogram.client.session.aiohttp import AiohttpSession
    from aiogram.client.telegram import TelegramAPIServer
    from aiogram.types import Message
    from aiogram.webhook.aiohttp_server import SimpleRequestHandler, setup_application

    bot = Bot(token, session=AiohttpSession(api=TelegramAPIServer.from_base(api_url)))
    dispatcher = Dispatcher()

    @dispatcher.message()
    async def echo(message: Message) -> None:
        await message.answer("You have 0 points, tier Member. 50 more tier points to reach Silver.")

    app = web.Application()
    SimpleRequestHandler(dispatcher, bot).register(app, path=WEBHOOK)
    setup_application(app, dispatcher, bot=bot)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await bot.set_webhook(f"http://127.0.0.1:{port}{WEBHOOK}")
    await asyncio.Event().wait()


async def product(port: int, token: str, api_url: str, database_url: str) -> None:
    """The product as it is served, with one shop."""
    from bot.app import run
    from bot.settings import Settings
    from loyalty import programme
    from store import schema, shops
    from store.engine import open_store

    # Before it is open: who writes while there is no shop gets no answer.
    store = open_store(database_url)
    await schema.migrate_if_needed(store)
    if not await store.read(shops.every):
        await store.write(programme.open_shop, "Bench", timezone="Asia/Ho_Chi_Minh", language="vi")
    await store.close()
    settings = Settings(
        _env_file=None, database_url=database_url, secret_key="bench " * 6, port=port, telegram_token=token,
        telegram_api_url=api_url, public_url=f"http://127.0.0.1:{port}",
    )  # fmt: skip
    await run(settings)


def main() -> None:
    options = json.loads(sys.argv[1])
    work = bare(**options) if options.pop("kind") == "bare" else product(**options)
    profile = os.environ.get("REGULARS_BENCH_PROFILE")
    if profile:
        import cProfile
        import signal

        profiler = cProfile.Profile()
        signal.signal(signal.SIGUSR1, lambda *_: profiler.enable())
        try:
            asyncio.run(work)
        finally:
            profiler.disable()
            profiler.dump_stats(profile)
    else:
        asyncio.run(work)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
