"""Set-up in the browser: the bot's token, a test message, the team's group, the first day's list, the audit, the backup."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
import structlog
from aiohttp import ClientSession, CookieJar

from bot import app as program
from bot import nightly
from bot.settings import Settings
from handlers.web import site
from loyalty import programme
from loyalty.points import ledger
from store import audit, backup, options, schema, staff
from store.clock import SetClock
from store.engine import Store, open_store
from store.sealed import Seal
from store.staff import Role
from tests.botapi import BotApiServer
from tests.running import SECRET, Running, free_port, running
from tests.test_console import Browser, Console, console

__all__ = ["console"]
ZONE = "Asia/Ho_Chi_Minh"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """All that the program writes to its log."""
    text = io.StringIO()
    monkeypatch.setattr(
        program, "quiet_logs", lambda: structlog.configure(logger_factory=structlog.PrintLoggerFactory(file=text))
    )
    yield text
    structlog.reset_defaults()


# ── The token ──────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def untold(database_url: str, **more: Any) -> AsyncIterator[tuple[Settings, BotApiServer, Browser, Store]]:
    """The whole program, started without a token, an owner signed in."""
    async with await BotApiServer.start(token="42:TEST", port=0, patience=0.02) as api:
        settings = Settings(
            _env_file=None, database_url=database_url, secret_key=SECRET, port=free_port(), telegram_token="",
            telegram_api_url=api.url, backup_dir="off", **more,
        )  # fmt: skip
        store = open_store(database_url)
        await store.write(programme.open_shop, "Phố Cafe", timezone=ZONE, language="vi")
        owner = await store.write(staff.add, "Hà", Role.OWNER, None, "en")
        login = await store.write(staff.make_link, owner, "login", "/shop")
        stop, ready = asyncio.Event(), asyncio.Event()

        async def opened(_store: Store) -> None:
            ready.set()

        serving = asyncio.ensure_future(program.run(settings, ready=opened, stopped=stop))
        try:
            await asyncio.wait({serving, asyncio.ensure_future(ready.wait())}, return_when=asyncio.FIRST_COMPLETED)
            assert not serving.done(), serving.exception()
            async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as http:
                browser = Browser(settings.base_url, http)
                await browser.get(f"/login/{login}")
                await browser.post(f"/login/{login}")
                yield settings, api, browser, store
        finally:
            stop.set()
            await serving
            await store.close()


async def test_a_pasted_token_takes_effect_by_itself_and_is_never_seen_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch, logged: io.StringIO
) -> None:
    monkeypatch.setattr(program, "REBUILD_SECONDS", 0.05)
    async with untold(database_url) as (settings, api, browser, store):
        page = await browser.get("/shop/setup")
        assert "of 9 done" in page.text, page.text[page.text.find("Your first day") :][:900]
        assert "Paste its token" in page.text
        for wrong, words in (
            ("nonsense", "isn't a bot's token"),
            ("43:WRONG-TOKEN", "Telegram doesn't know this token"),
        ):
            refused = await browser.post("/shop/setup/token", {"token": wrong})
            assert (refused.status, words in refused.text) == (422, True), refused.text
        assert await store.read(options.get, options.TOKEN) is None
        page = await browser.post("/shop/setup/token", {"token": "42:TEST"})
        assert "is connected" in page.text
        assert "42:TEST" not in page.html
        kept = await store.read(options.get, options.TOKEN)
        assert kept is not None
        assert "42:TEST" not in str(kept)
        assert Seal(settings.secret_key).open(kept["sealed"]) == "42:TEST"
        await api.wait_calls(1, method="setMyCommands")
        changed = (await _audited(store, "token_changed"))[0].data["changed"]
        assert changed["bot"][0] is None
        assert changed["bot"][1] == kept["username"]
        page = await until_page(browser, "/shop/setup", lambda found: f"@{kept['username']}" in found.text)
        # The reader ties their own account and gets a test message.
        page = await browser.post("/shop/setup/link")
        assert "?start=s_" in page.html
    assert "42:TEST" not in logged.getvalue()


async def until_page(browser: Browser, path: str, wanted: Any) -> Any:
    """A page, once it says what is wanted (the program opens again after a new token)."""
    async with asyncio.timeout(15):
        while True:
            try:
                if wanted(found := await browser.get(path)):
                    return found
            except OSError:
                pass
            await asyncio.sleep(0.05)


async def _audited(store: Store, action: str) -> list[audit.AuditRow]:
    def look(session: Any) -> list[audit.AuditRow]:
        found = list(session.execute(sa.select(audit.AuditRow).where(audit.AuditRow.action == action)).scalars())
        session.expunge_all()
        return found

    return await store.read(look)


async def test_only_an_owner_of_all_shops_pastes_a_token(console: Console) -> None:
    there = await console.store.write(programme.open_shop, "Quán Hai", timezone=ZONE, language="vi")
    manager, of_one = await console.as_(Role.MANAGER, console.shop), await console.as_(Role.OWNER, there)
    assert (await manager.get("/shop/setup")).status == 403
    page = await of_one.get("/shop/setup")
    assert page.status == 200
    assert "Connect the bot" not in page.text
    for browser in (manager, of_one):
        assert (await browser.post("/shop/setup/token", {"token": "42:TEST"})).status == 403
    assert await console.store.read(options.get, options.TOKEN) is None


async def test_a_token_kept_under_another_key_is_not_used(store: Store) -> None:
    sealed = Seal("another secret key").close("42:TEST")
    await store.write(options.put, options.TOKEN, {"sealed": sealed, "account": "telegram:42", "username": "pho"})
    settings = Settings(_env_file=None, secret_key=SECRET, telegram_token="")
    assert await program.kept_token(settings, store) == ""
    await store.write(options.put, options.TOKEN, {"sealed": Seal(SECRET).close("42:TEST"), "username": "pho"})
    assert await program.kept_token(settings, store) == "42:TEST"
    assert await program.kept_token(settings.model_copy(update={"telegram_token": "1:ABC"}), store) == ""


# ── Telegram: the test message, the team's group ───────────────────────────────────────────────────


def typed(user: int, chat: int, text: str, update: int, **chat_more: Any) -> dict[str, Any]:
    return {
        "update_id": update,
        "message": {
            "message_id": update, "date": 1, "text": text, "from": {"id": user, "is_bot": False, "first_name": "Hà"},
            "chat": {"id": chat, "type": "supergroup", "title": "Đội Phố", **chat_more},
            "entities": [{"type": "bot_command", "offset": 0, "length": len(text)}],
        },
    }  # fmt: skip


async def _say(run: Running, update: dict[str, Any]) -> None:
    assert run.app.telegram is not None
    await run.app.intake.take(run.app.telegram.account, str(update["update_id"]), update)


async def test_the_group_where_a_bound_owner_types_forum_is_the_teams(database_url: str) -> None:
    async with running(database_url, backup_dir="off") as run:
        assert run.app.telegram is not None
        account = run.app.telegram.account
        owner = await run.store.write(staff.add, "Hà", Role.OWNER, None, "en")
        agent = await run.store.write(staff.add, "Minh", Role.AGENT, None, "en")
        for user, member in ((7, owner), (8, agent)):
            token = await run.store.write(staff.make_link, member, "bind")
            await run.store.write(staff.bind, account, user, token)
        kept: Any = lambda: run.store.read(options.get, options.FORUM)  # noqa: E731
        await _say(run, typed(9, -100, "/forum", 1, is_forum=True))
        await _say(run, typed(8, -100, "/forum", 2, is_forum=True))
        await _say(run, typed(7, -200, "/forum", 3))
        assert await kept() is None, "a stranger, an agent, a group without topics"
        await _say(run, typed(7, -100, "/forum", 4, is_forum=True))
        assert await kept() == {"account": account, "chat_id": -100, "title": "Đội Phố", "staff_id": owner}
        await _say(run, typed(7, -300, "/staff", 5, is_forum=True, title="Đội mới"))
        assert (await kept())["chat_id"] == -300
        rows = await _audited(run.store, "forum_bound")
        assert [row.data["changed"]["forum"] for row in rows] == [[None, "Đội Phố"], ["Đội Phố", "Đội mới"]]
        said = await run.store.read(
            lambda session: session.execute(
                sa.text("SELECT chat, payload FROM outbox WHERE chat < 0 ORDER BY id")
            ).all()
        )
        assert [row.chat for row in said] == [-100, -200, -100, -300], "the stranger is not answered"
        assert "Only an owner" in said[0].payload
        assert "Topics" in said[1].payload


async def test_a_test_message_arrives(database_url: str) -> None:
    async with running(database_url, backup_dir="off") as run:
        assert run.app.telegram is not None
        owner = await run.store.write(staff.add, "Hà", Role.OWNER, None, "en")
        login = await run.store.write(staff.make_link, owner, "login", "/shop")
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as http:
            browser = Browser(run.url, http)
            await browser.get(f"/login/{login}")
            await browser.post(f"/login/{login}")
            page = await browser.get("/shop/setup")
            assert "REGULARS_TELEGRAM_TOKEN" in page.text, "a token that is a setting is not pasted over"
            assert (await browser.post("/shop/setup/token", {"token": "1:ABCDEF"})).status == 409
            assert (await browser.post("/shop/setup/test")).status == 409, "nobody is bound yet"
            token = await run.store.write(staff.make_link, owner, "bind")
            await run.store.write(staff.bind, run.app.telegram.account, 7, token)
            await browser.post("/shop/setup/test")
            states: list[str] = []

            async def ended() -> bool:
                rows = await run.store.read(
                    lambda session: session.execute(sa.text("SELECT state FROM outbox WHERE chat = 7")).all()
                )
                states[:] = [row.state for row in rows]
                return bool(states) and states[0] in {"sent", "failed"}

            async with asyncio.timeout(15):
                while not await ended():
                    await asyncio.sleep(0.02)
            page = await browser.get("/shop/setup")
            assert ("arrived" if states[0] == "sent" else "refused") in page.text


# ── The first day, the audit ───────────────────────────────────────────────────────────────────────


async def test_the_first_days_list_ticks_itself_off(console: Console) -> None:
    owner = await console.as_(Role.OWNER)
    page = await owner.get("/shop/setup")
    begun = int(page.text.partition(" of ")[0].split()[-1])
    await console.order("HD-1")
    await console.hire(Role.CASHIER, console.shop)
    page = await owner.post("/shop/setup/poster")
    done = int((await owner.get("/shop/setup")).text.partition(" of ")[0].split()[-1])
    assert done == begun + 4, "an order, its customer, a colleague, the poster"
    assert "Enter the first order" in page.text
    assert "Open the till" not in page.text


async def test_the_audit_shows_who_changed_what_from_what(console: Console) -> None:
    owner = await console.as_(Role.OWNER)
    await owner.get("/shop/settings")
    form = {"name": "Phố Cafe", "brand": "#112233", "address": "1 Hàng Bài", "phone": ""}
    form |= dict.fromkeys(("earn_per", "tier_per", "return_days"), "10")
    await owner.post("/shop/settings", form)
    page = await owner.get("/shop/audit")
    assert "changed the shop's settings" in page.text
    assert "Minh" in page.text
    assert "1 Hàng Bài" in page.text
    assert "#112233" in page.text
    for number in range(90):
        await console.store.write(audit.record, "cli", f"made.{number}", console.shop)
    first = await owner.get("/shop/audit")
    assert "made 89" in first.text
    assert "made 40" not in first.text
    assert "Older" in first.text
    manager = await console.as_(Role.MANAGER, console.shop)
    assert (await manager.get("/shop/audit")).status == 403


async def test_another_shops_audit_is_not_shown(console: Console) -> None:
    other = await console.store.write(programme.open_shop, "Quán Hai", timezone=ZONE, language="vi")
    await console.store.write(audit.record, "cli", "here", console.shop)
    await console.store.write(audit.record, "cli", "there", other)
    await console.store.write(audit.record, "cli", "nowhere")
    mine = await (await console.as_(Role.OWNER, console.shop)).get("/shop/audit")
    assert ("here" in mine.text.split(), "there" in mine.text.split(), "nowhere" in mine.text.split()) == (
        True,
        False,
        False,
    )


# ── The nightly backup ─────────────────────────────────────────────────────────────────────────────


def _settings(url: str, folder: Path | str) -> Settings:
    return Settings(_env_file=None, database_url=url, secret_key=SECRET, backup_dir=str(folder), timezone=ZONE)


@pytest.fixture(params=["sqlite", "postgres"])
def either_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


async def test_the_nightly_backup_can_be_brought_back(either_url: str, tmp_path: Path, clock: SetClock) -> None:
    url = either_url
    store = open_store(url, clock)
    await store.write(programme.open_shop, "Phố Cafe", timezone=ZONE, language="vi")
    assert await nightly.save(store, _settings(url, tmp_path / "kept"), "a")
    noted = await store.read(options.get, options.BACKUP)
    await store.close()
    assert noted is not None
    assert noted["error"] is None
    (path,) = (tmp_path / "kept").glob("*.zip")
    assert path.name == "regulars-20261121-120000.zip"
    assert str(path) == noted["file"]
    again = open_store(f"sqlite+aiosqlite:///{tmp_path}/again.db", clock)
    await backup.load(again, path)
    assert await schema.is_current(again)
    assert [shop.name for shop in await again.read(site.shops.every)] == ["Phố Cafe"]
    assert await again.read(ledger.check) == []
    await again.close()


async def test_a_backup_is_due_once_a_night(store: Store, clock: SetClock) -> None:
    began = clock.now()
    due = lambda: store.read(nightly.due, ZONE, began)  # noqa: E731
    assert not await due(), "a first backup waits for its night"
    night = datetime(2026, 11, 22, 3, 0, tzinfo=ZoneInfo(ZONE))
    clock.set(night - timedelta(seconds=1))
    assert not await due()
    clock.set(night + timedelta(seconds=1))
    assert await due()
    await store.write(options.put, options.BACKUP, {"at": clock.now().isoformat(), "tried_at": clock.now().isoformat()})
    assert not await due()
    clock.advance(timedelta(days=3))
    assert await due(), "nights that were missed are made up for"
    await store.write(options.put, options.BACKUP, {"tried_at": clock.now().isoformat(), "error": "disk full"})
    assert not await due()
    clock.advance(nightly.AGAIN)
    assert await due(), "one that failed is tried again"


async def test_seven_are_kept_and_one_that_fails_is_told(console: Console, clock: SetClock, tmp_path: Path) -> None:
    settings = _settings("sqlite+aiosqlite:///nowhere.db", tmp_path / "kept")

    async def writes(path: Path) -> str | None:
        path.write_text("a backup")
        return None

    async def fails(_path: Path) -> str | None:
        return "No space left on device"

    for _ in range(9):
        clock.advance(timedelta(days=1))
        assert await nightly.save(console.store, settings, "a", by=writes)
    kept = sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert len(kept) == nightly.KEEPS
    assert kept[-1] == "regulars-20261130-120000.zip"
    owner = await console.as_(Role.OWNER)
    assert "backup failed" not in (await owner.get("/shop")).text
    clock.advance(timedelta(days=1))
    assert not await nightly.save(console.store, settings, "a", by=fails)
    assert "Last night's backup failed" in (await owner.get("/shop")).text
    assert "No space left on device" in (await owner.get("/shop/setup")).text
    manager = await console.as_(Role.MANAGER, console.shop)
    assert "backup failed" not in (await manager.get("/shop")).text
    noted = await console.store.read(options.get, options.BACKUP)
    assert noted is not None
    assert noted["file"].endswith("regulars-20261130-120000.zip"), "the last good one is remembered"
    (tmp_path / "file").write_text("in the way")
    assert not await nightly.save(
        console.store, _settings("sqlite+aiosqlite:///x.db", tmp_path / "file"), "a", by=writes
    )


def test_where_backups_go() -> None:
    def folder(**values: str) -> Path | None:
        return Settings(_env_file=None, secret_key=SECRET, **values).backup_folder

    assert folder(database_url="sqlite+aiosqlite:////var/lib/pho/regulars.db") == Path("/var/lib/pho/backups")
    assert folder(database_url="postgresql+asyncpg://pho@db/pho") == Path("backups")
    assert folder(backup_dir="kept/here") == Path("kept/here")
    assert folder(backup_dir="OFF") is None
