"""The composition root: everything is built and joined here, started and stopped here, and nowhere else."""

from handlers import lazy_types  # noqa: F401  # before aiogram is imported

# isort: split

import asyncio
import gc
import hashlib
import hmac
import os
import secrets
import signal
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import structlog
from aiogram.types import Message
from aiohttp import web

from bot import channels
from bot.batches import batch_loop
from bot.broadcaster import Broadcaster
from bot.chores import clock_loop, fetch_loop
from bot.digest import digest_loop
from bot.foretelling import outlook_loop
from bot.import_loop import import_loop
from bot.intake import Intake
from bot.messengers import telegram
from bot.messengers import web as webchat
from bot.messengers.messenger import Messenger
from bot.messengers.telegram import ALLOWED_UPDATES, Telegram
from bot.messengers.web import Web
from bot.mirror import Mirror
from bot.nightly import backup_loop
from bot.notifier import Notifier
from bot.nursery import Nursery
from bot.sender import Sender
from bot.settings import Settings
from bot.webhooks import Webhooks
from handlers.api.routes import setup_api
from handlers.chat import forum_ended, routers
from handlers.chat.commands import COMMANDS
from handlers.web.pages import setup_pages
from handlers.web.site import Site, setup_site
from handlers.words import LANGUAGES, words
from loyalty.customers import customers
from loyalty.outreach import deliveries
from loyalty.recognition import thanks
from store import accounts, alone, forum, leases, media, options, schema
from store.engine import Store, open_store
from store.errors import StoreUnreachableError
from store.media import File
from store.outbox import Call, Ended, EndRule
from store.sealed import Seal, SealError
from support import changes, delivery, messages

Part = Literal["web", "worker"]
GREET_AGAIN_SECONDS = 5.0
UPLOAD_BYTES_MAX = 24 * 1024 * 1024
WEBHOOK_PATH = "/webhooks/telegram"
REBUILD_SECONDS = 1.0

log = structlog.get_logger()


class App:
    """One process of the product: its web part, its worker part, or both. `token`: the bot's, where no setting has one."""

    def __init__(self, settings: Settings, store: Store, *, demo: bool = False, token: str = "") -> None:
        self.settings = settings
        self.store = store
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self.nursery = Nursery()
        self.web_messenger = Web(store, settings.base_url)
        self.telegram = (
            Telegram(settings.telegram_token or token, settings.telegram_api_url, settings.telegram_rate)
            if settings.telegram_token or token
            else None
        )
        every: list[Messenger] = [self.web_messenger, *([self.telegram] if self.telegram else [])]
        self.messengers = {messenger.account: messenger for messenger in every}
        self.senders = {
            messenger.account: Sender(store, messenger, self.owner, self.nursery, END_RULES) for messenger in every
        }
        self.intake = Intake(
            store,
            routers.build(),
            every,
            pushed=self.push,
            links=self.links,
            files=files_of,
            demo=demo,
            codes=demo or CODES is not channels.to_log,
        )
        self.broadcaster = Broadcaster(
            store, self.messengers, self.owner, pushed=self.push, root=settings.public_url or ""
        )
        self.notifier = Notifier(
            store,
            self.messengers,
            pushed=self.push,
            codes=CODES,
            root=settings.public_url or "",
            skipped={
                messages.RULE: delivery.message_skipped,
                changes.CHANGE_RULE: changes.change_skipped,
                thanks.RULE: thanks.card_skipped,
            },
        )
        self.webhooks = Webhooks(
            store, self.owner, self.nursery, Seal(settings.secret_key), private=demo or settings.webhook_private
        )
        self._demo = demo
        self._runner: web.AppRunner | None = None
        self._worker = False

    def push(self, calls: list[Call]) -> None:
        """Hand rows that have just been committed to this process's senders, if it has any."""
        if self._worker:
            for account in {call.account for call in calls}:
                self.senders[account].push([call for call in calls if call.account == account])

    def links(self, payload: str) -> list[tuple[str, str]]:
        """The link for a start payload on every messenger that can be linked to, Telegram's first."""
        found = []
        if self.telegram is not None and self.telegram.me().username:
            found.append((self.telegram.name, self.telegram.link(payload)))
        found.append((self.web_messenger.name, self.web_messenger.link(payload)))
        return found

    async def start(self, only: Part | None = None) -> None:
        """Open for people: the worker first, so that the first message finds a sender."""
        if self.telegram is not None:
            if self.settings.telegram_staff_chat is not None:
                await self.store.write(forum.follow_setting, self.telegram.account, self.settings.telegram_staff_chat)
            known = await self.store.read(accounts.username_of, self.telegram.account)
            if known:
                self.telegram.named(known)
            self.nursery.start(self._greet(only), "greeting Telegram")
        self.nursery.keep(self.store.hear, "the database's signals")
        if only != "web":
            self._start_worker()
        if only != "worker":
            await self._start_web()

    def _start_worker(self) -> None:
        self._worker = True
        for account, sender in self.senders.items():
            self.nursery.keep(sender.run, f"sender {account}")
        self.nursery.keep(self.notifier.run, "notifier")
        self.nursery.keep(self.broadcaster.run, "broadcaster")
        self.nursery.keep(lambda: clock_loop(self.store, self.owner), "clock")
        self.nursery.keep(lambda: batch_loop(self.store, self.owner), "codes")
        self.nursery.keep(self.webhooks.run, "webhooks")
        self.nursery.keep(lambda: import_loop(self.store, self.owner), "imports")
        self.nursery.keep(lambda: outlook_loop(self.store, self.owner), "outlook")
        self.nursery.keep(lambda: digest_loop(self.store), "digests")
        if self.settings.backup_folder is not None and not self._demo:
            self.nursery.keep(lambda: backup_loop(self.store, self.settings, self.owner), "backup")
        if self.telegram is not None:
            bot = self.telegram
            mirror = Mirror(self.store, bot.account, self.owner, self.push)
            self.nursery.keep(mirror.run, "forum")
            self.nursery.keep(lambda: fetch_loop(self.store, bot, self.owner), "files")
            if not self.settings.public_url:
                self.nursery.keep(lambda: bot.poll(self.store, self._take_telegram, self.owner), "polling")

    async def _start_web(self) -> None:
        app = self.build_web()
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.settings.host, self.settings.port, reuse_address=True).start()

    def build_web(self) -> web.Application:
        """The pages, the API and the webhook on one application."""
        app = web.Application(client_max_size=UPLOAD_BYTES_MAX)
        site = Site(
            store=self.store, secret_key=self.settings.secret_key, public_url=self.settings.base_url,
            language=self.settings.language, links=self.links, feed=self._take_web, replay=self.intake.replay,
            private_webhooks=self._demo or self.settings.webhook_private, ask_bot=self._ask_bot,
            telegram_by_setting=bool(self.settings.telegram_token), backups=self.settings.backup_folder is not None,
            rate=self.settings.telegram_rate,
        )  # fmt: skip
        setup_site(app, site)
        setup_api(app, site)
        setup_pages(app, demo=self._demo)
        if self.telegram is not None:
            app.router.add_post(WEBHOOK_PATH, self.telegram.webhook(self.webhook_secret, self._take_telegram))
        return app

    @property
    def webhook_secret(self) -> str:
        """What Telegram sends along: the setting, or one made from the secret key."""
        key = self.settings.secret_key.encode()
        return self.settings.telegram_webhook_secret or hmac.new(key, b"telegram webhook", hashlib.sha256).hexdigest()

    async def _ask_bot(self, token: str) -> str:
        """Whose token it is, as Telegram says. Raises ConnectionError."""
        bot = Telegram(token, self.settings.telegram_api_url, self.settings.telegram_rate)
        try:
            return str((await bot.call("getMe")).get("username") or "")
        finally:
            await bot.close()

    async def _take_telegram(self, key: str, update: dict[str, Any], body: str) -> bool:
        assert self.telegram is not None
        return await self.intake.take(self.telegram.account, key, update, body)

    async def _take_web(self, key: str, update: dict[str, Any]) -> None:
        await self.intake.take(self.web_messenger.account, key, update)

    async def _greet(self, only: Part | None) -> None:
        """Learn our name, tell Telegram our commands and our webhook; again until it works."""
        assert self.telegram is not None
        while True:
            try:
                me = await self.telegram.call("getMe")
                username = str(me.get("username") or "")
                self.telegram.named(username)
                await self.store.write(accounts.remember, self.telegram.account, username)
                if self.settings.public_url:
                    await self.telegram.call(
                        "setWebhook", url=f"{self.settings.public_url}{WEBHOOK_PATH}", secret_token=self.webhook_secret,
                        allowed_updates=ALLOWED_UPDATES, max_connections=100,
                    )  # fmt: skip
                if only != "web":
                    await self._tell_commands()
            except (ConnectionError, StoreUnreachableError) as error:
                log.warning("Telegram doesn't answer yet", error=str(error))
                await asyncio.sleep(GREET_AGAIN_SECONDS)
            else:
                return

    async def _tell_commands(self) -> None:
        assert self.telegram is not None
        for language in (None, *LANGUAGES):
            said = words(language or self.settings.language)
            listed = [{"command": name, "description": said(text)} for name, text in COMMANDS]
            extra = {"language_code": language} if language else {}
            await self.telegram.call("setMyCommands", commands=listed, **extra)

    async def stop(self) -> None:
        """Close to people, finish what is in flight, free the leases: within 5 s."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self._worker:
            await asyncio.gather(*(sender.stop() for sender in self.senders.values()))
        await self.nursery.stop()
        try:
            await self.store.write(leases.let_go_all, self.owner)
        except StoreUnreachableError:
            log.warning("stopped without the store: others wait until what this process held is free")
        for messenger in self.messengers.values():
            await messenger.close()


def files_of(account: str, message: Message) -> list[File]:
    """The files of a message, by the messenger it came from."""
    found = webchat.files_of if account == webchat.ACCOUNT else telegram.files_of
    return found(account, message)


def _learnt(session: Any, ended: Ended) -> None:
    """What a call brought back beside its end: who can't be reached, file ids to send by again."""
    facts = ended.facts or {}
    if "unreachable" in facts and ended.call.chat is not None:
        customers.reach(session, ended.call.account, ended.call.chat, reachable=False)
    for sha, method, file_id in facts.get("handles", ()):
        media.remember_handle(session, ended.call.account, sha, method, file_id)
    forum_ended.learnt(session, ended)


CODES: channels.CodeChannel = channels.to_log
"""Where one-time codes go out; an SMS gateway takes this place."""

END_RULES: dict[str, EndRule] = {
    "*": _learnt, messages.RULE: delivery.message_ended, changes.CHANGE_RULE: changes.change_ended,
    thanks.RULE: thanks.card_ended, forum.RULE: forum_ended.ended, deliveries.RULE: deliveries.ended,
}  # fmt: skip
"""Rules that rows of the outbox name; `*` hears every end that brought facts."""


def settle_memory() -> None:
    """What is loaded by now stays: the collector need not walk it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


async def run(
    settings: Settings,
    only: Part | None = None,
    *,
    demo: bool = False,
    ready: Callable[[Store], Awaitable[None]] | None = None,
    stopped: asyncio.Event | None = None,
) -> None:
    """Serve until told to stop (SIGTERM, SIGINT, or `stopped`). `ready` is awaited once everything is open.

    Raises StoreUnreachableError when the database isn't there, StoreHeldError when another program serves the SQLite file,
    OSError when the port is taken.
    """
    quiet_logs()
    store = open_store(settings.database_url, seal=Seal(settings.secret_key))
    claimed = None
    try:
        claimed = alone.claim(store)
        await schema.migrate_if_needed(store)
        if claimed is not None:
            # Whoever held a lease on this file is gone: nobody need wait for it.
            await store.write(leases.let_go_all)
        until = stopped or asyncio.Event()
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, until.set)
        while not until.is_set():
            await _serve(settings, store, only, demo=demo, ready=ready, until=until)
            ready = None
    finally:
        await store.close()
        if claimed is not None:
            claimed.close()


async def _serve(
    settings: Settings,
    store: Store,
    only: Part | None,
    *,
    demo: bool,
    ready: Callable[[Store], Awaitable[None]] | None,
    until: asyncio.Event,
) -> None:
    """Serve until told to stop, or until an owner connects another bot: then everything is built anew around it."""
    app = App(settings, store, demo=demo, token=await kept_token(settings, store))
    changed = asyncio.Event()
    with store.hub.call(options.TOKEN, changed.set):
        try:
            await app.start(only)
            settle_memory()
            if ready is not None:
                await ready(store)
            waiting = [asyncio.ensure_future(event.wait()) for event in (until, changed)]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for one in waiting:
                one.cancel()
            if not until.is_set():
                # Who pasted the token gets their answer first.
                await asyncio.sleep(REBUILD_SECONDS)
        finally:
            await app.stop()


async def kept_token(settings: Settings, store: Store) -> str:
    """The bot's token that an owner pasted in the browser; empty where there is none, or it is a setting."""
    kept = await store.read(options.get, options.TOKEN)
    if kept is None or settings.telegram_token:
        return ""
    try:
        return Seal(settings.secret_key).open(kept["sealed"])
    except SealError:
        log.warning("the bot's token was kept under another secret key: paste it again at /shop/setup")
        return ""


async def replay(settings: Settings, account: str, key: str) -> bool:
    """Run a dead letter again from the command line; its answers leave when the program runs. Raises NotFoundError."""
    store = open_store(settings.database_url, seal=Seal(settings.secret_key))
    try:
        return await App(settings, store, token=await kept_token(settings, store)).intake.replay(account, key)
    finally:
        await store.close()


def quiet_logs() -> None:
    """One line an event; the framework's own chatter only from warnings on."""
    import logging

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=__import__("sys").stderr),
    )
    for name in ("aiogram", "aiohttp", "aiohttp.access", "sqlalchemy", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
