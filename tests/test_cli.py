"""The command line as a person and a script meet it: what it prints where, how it ends, and that it is quick."""

import asyncio
import http.server
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.__main__ import status
from store import inbox
from store.engine import open_store
from store.sealed import Seal

ROOT = Path(__file__).parent.parent
BASE = "http://127.0.0.1:8080"
ORDERS = "external_id,phone,total,placed_at\nA1,0903123456,85000,2026-11-20\nA2,nobody,1000,2026-11-20\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with nothing set, as on the first day."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("REGULARS_"):
            monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def shop(here: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """The same, with a shop in a database that is set up."""
    monkeypatch.setenv("REGULARS_DATABASE_URL", sqlite_url)
    assert status(["shop", "add", "Phố Cafe"]) == 0
    capsys.readouterr()
    return here


def regulars(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "bot", *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def one_line(text: str) -> str:
    assert text.count("\n") == 1, text
    return text


def test_help_answers_without_loading_what_talks(here: Path) -> None:
    code = (
        "import sys; from bot.__main__ import status; assert status(['--help']) == 0; "
        "assert status(['shop', 'add', '']) == 2; "
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'aiogram', 'aiohttp', 'PIL'}), file=sys.stderr)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=here, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "[]"
    for command in (
        "demo",
        "run",
        "migrate",
        "check",
        "backup",
        "restore",
        "shop",
        "staff",
        "apikey",
        "import",
        "inbox",
    ):
        assert re.search(rf"^  {command} ", done.stdout, re.MULTILINE)


def test_the_first_day_from_an_empty_folder(here: Path) -> None:
    added = regulars("shop", "add", "Phố Cafe", cwd=here)
    assert added.returncode == 0, added.stderr
    assert "new database" in one_line(added.stderr)
    assert "Phố Cafe" in one_line(added.stdout)
    assert (here / "regulars.db").exists()
    key = regulars("apikey", "create", "--shop", "pho cafe", cwd=here)
    assert re.fullmatch(r"rk_[\w-]{32}\n", key.stdout)
    assert key.stderr == ""


def test_staff_get_two_links_and_lose_them(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(["staff", "add", "Hà", "--role", "owner"]) == 0
    assert status(["staff", "add", "Minh", "--role", "agent", "--shop", "PHO-CAFE"]) == 0
    links = capsys.readouterr().out.splitlines()
    assert len(links) == 4
    assert re.fullmatch(rf"{BASE}/login/[\w-]+", links[0])
    assert re.fullmatch(rf"{BASE}/chat\?start=s_[\w-]+", links[1])
    assert status(["staff", "remove", "Hà"]) == 0
    assert "Hà" in one_line(capsys.readouterr().err)
    assert status(["staff", "remove", "Hà"]) == 2
    assert "Minh" in one_line(capsys.readouterr().err)
    assert status(["staff", "add", "Minh", "--role", "cashier"]) == 0
    assert status(["staff", "remove", "Minh"]) == 2
    assert "2 (agent), 3 (cashier)" in capsys.readouterr().err
    assert status(["staff", "remove", "3"]) == 0


@pytest.fixture
def telegram() -> Iterator[str]:
    """A Bot API server that knows one method."""

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"ok": true, "result": {"id": 12, "is_bot": true, "username": "PhoCafeBot"}}')

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_start_link_is_telegrams_where_the_bot_is_there(
    shop: Path, telegram: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REGULARS_TELEGRAM_TOKEN", "12:abc")
    monkeypatch.setenv("REGULARS_TELEGRAM_API_URL", telegram)
    assert status(["staff", "add", "Hà", "--role", "owner"]) == 0
    # The name is remembered: nobody has to be asked again.
    monkeypatch.setenv("REGULARS_TELEGRAM_API_URL", "http://127.0.0.1:9")
    assert status(["staff", "add", "Lan", "--role", "agent"]) == 0
    starts = capsys.readouterr().out.splitlines()[1::2]
    assert all(re.fullmatch(r"https://t\.me/PhoCafeBot\?start=s_[\w-]+", start) for start in starts)
    assert len(starts) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--help"),
        (["nonsense"], "nonsense"),
        (["staff", "add", "Hà"], "--role"),
        (["staff", "add", "Hà", "--role", "boss"], "cashier"),
        (["staff", "add", "Hà", "--role", "agent", "--shop", "Nowhere"], "Phố Cafe"),
        (["staff", "add", " ", "--role", "agent"], "name"),
        (["shop", "add", ""], "name"),
        (["apikey", "create"], "--shop"),
        (["apikey", "create", "--shop", "Nowhere"], "Phố Cafe"),
        (["import", "orders", "nowhere.csv"], "nowhere.csv"),
        (["import", "orders", "bad.csv"], "external_id"),
        (["import", "customers", "empty.csv"], "empty"),
        (["import", "people", "bad.csv"], "people"),
        (["export", "customer", "77"], "77"),
        (["export", "customer", "Lan"], "ID"),
        (["erase", "customer", "77"], "77"),
        (["restore", "nowhere.zip"], "nowhere.zip"),
        (["restore", "bad.csv"], "bad.csv"),
        (["backup", "nowhere/b.zip"], "nowhere"),
        (["inbox", "replay"], "--all"),
        (["inbox", "replay", "web", "1"], "web 1"),
        (["run", "--only", "half"], "worker"),
        (["demo", "--port", "99999999"], "REGULARS_PORT"),
    ],
)
def test_wrong_input_is_one_line_and_2(
    shop: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop / "bad.csv").write_text("a,b\n1,2\n")
    (shop / "empty.csv").write_text("")
    assert status(arguments) == 2
    told = capsys.readouterr()
    assert words in one_line(told.err)
    assert told.out == ""


@pytest.mark.parametrize(
    ("name", "value", "ends"),
    [
        ("DATABASE_URL", "mysql://x", 2),
        ("TIMEZONE", "Mars/Base", 2),
        ("SECRET_KEY", "short", 2),
        ("DATABASE_URL", "postgresql+asyncpg://nobody@127.0.0.1:9/none", 1),
        ("DATABASE_URL", "sqlite+aiosqlite:///nowhere/regulars.db", 1),
        ("DATABASE_URL", "sqlite+aiosqlite:///text.db", 1),
    ],
)
def test_a_wrong_setting_and_an_absent_database_name_the_setting(
    here: Path, name: str, value: str, ends: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "text.db").write_text("This is no database at all, only some text.\n" * 30)
    monkeypatch.setenv(f"REGULARS_{name}", value)
    assert status(["check"]) == ends
    assert f"REGULARS_{name}" in one_line(capsys.readouterr().err)


def test_an_import_ends_with_0_whatever_it_rejects(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "orders.csv").write_text(ORDERS)
    assert status(["import", "orders", "orders.csv"]) == 0
    assert "orders.csv.rejected.csv" in one_line(capsys.readouterr().out)
    assert "nobody" in (shop / "orders.csv.rejected.csv").read_text(encoding="utf-8-sig")
    assert status(["export", "customer", "1"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["customer"]["points"]["available"], told["orders"][0]["total"]) == (85, 85_000)
    assert status(["erase", "customer", "1"]) == 0
    capsys.readouterr()
    assert status(["export", "customer", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["customer"]["phone"] is None


def test_two_shops_want_to_be_named(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "orders.csv").write_text(ORDERS)
    assert status(["shop", "add", "Phố Trà"]) == 0
    capsys.readouterr()
    assert status(["import", "orders", "orders.csv"]) == 2
    assert "Phố Cafe, Phố Trà" in one_line(capsys.readouterr().err)
    assert status(["import", "orders", "orders.csv", "--shop", "Phố Trà"]) == 0


def test_check_finds_a_balance_that_was_tampered_with(
    shop: Path, sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop / "orders.csv").write_text(ORDERS)
    assert status(["import", "orders", "orders.csv"]) == 0
    assert status(["check"]) == 0
    with sqlite3.connect(sqlite_url.partition("///")[2]) as connection:
        connection.execute("UPDATE accounts SET balance = balance + 1 WHERE owner = 'customer' AND name = 'available'")
    connection.close()
    capsys.readouterr()
    assert status(["check"]) == 1
    told = capsys.readouterr()
    assert "expected 85, found 86" in told.out
    assert "faults" in one_line(told.err)


def test_a_backup_comes_back_and_a_full_database_is_left_alone(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop / "orders.csv").write_text(ORDERS)
    assert status(["import", "orders", "orders.csv"]) == 0
    assert status(["backup", "b.zip"]) == 0
    capsys.readouterr()
    assert status(["restore", "b.zip"]) == 1
    assert "REGULARS_DATABASE_URL" in one_line(capsys.readouterr().err)
    monkeypatch.setenv("REGULARS_DATABASE_URL", f"sqlite+aiosqlite:///{shop / 'new.db'}")
    assert status(["restore", "b.zip"]) == 0
    assert status(["check"]) == 0
    capsys.readouterr()
    assert status(["export", "customer", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["customer"]["points"]["available"] == 85


def test_dead_letters_are_listed(shop: Path, sqlite_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    async def die() -> None:
        store = open_store(sqlite_url)
        await store.write(inbox.record_dead, "web", "k1", 5, "{}", "Traceback\nValueError: no such cake\n")
        await store.close()

    asyncio.run(die())
    assert status(["inbox", "list"]) == 0
    account, key, _, tries, error = one_line(capsys.readouterr().out).rstrip("\n").split("\t")
    assert (account, key, tries, error) == ("web", "k1", "1", "ValueError: no such cake")


def _letter(path: str, key: str, message: dict[str, object]) -> None:
    """A web visitor's message whose handler failed."""

    async def keep() -> None:
        store = open_store(path)
        update = {"update_id": 1, "message": {"message_id": 1, "date": 1, **message}}
        await store.write(inbox.record_dead, "web", key, 7, json.dumps(update), "Traceback\nValueError: no such cake\n")
        await store.close()

    asyncio.run(keep())


def test_a_dead_letter_is_replayed(shop: Path, sqlite_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    visitor = {"id": 7, "is_bot": False, "first_name": "Lan", "language_code": "en"}
    said = {"chat": {"id": 7, "type": "private"}, "from": visitor, "text": "/points"}
    _letter(sqlite_url, "good", said)
    _letter(sqlite_url, "also good", said)
    _letter(sqlite_url, "bad", said | {"text": 5})
    assert status(["inbox", "replay", "web", "good"]) == 0
    assert "1 of 1" in one_line(capsys.readouterr().err)
    again = regulars("inbox", "replay", "--all", cwd=shop)
    assert again.returncode == 1
    assert again.stdout == ""
    counted, failed = again.stderr.splitlines()
    assert "1 of 2" in counted
    assert failed.endswith("web bad")
    with sqlite3.connect(sqlite_url.partition("///")[2]) as connection:
        letters = connection.execute("SELECT key, state, attempts FROM inbox ORDER BY key").fetchall()
        assert letters == [("also good", "done", 2), ("bad", "dead", 2), ("good", "done", 2)]
        answers = connection.execute("SELECT state, payload FROM outbox WHERE chat = 7").fetchall()
        assert [state for state, _ in answers] == ["queued", "queued"]
        assert all("0" in json.loads(payload)["text"] for _, payload in answers)
    connection.close()
    assert status(["inbox", "list"]) == 0
    assert one_line(capsys.readouterr().out).startswith("web\tbad\t")


def test_an_import_that_is_killed_goes_on(shop: Path, sqlite_url: str) -> None:
    """kill -9 in the middle, and again from the start: nothing twice, nothing missing."""
    path = shop / "orders.csv"
    lines = [f"A{number},09{number % 900:08d},{10_000 + number},2026-11-20" for number in range(6_000)]
    path.write_text("\n".join(["external_id,phone,total,placed_at", *lines]))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = subprocess.Popen(
        [sys.executable, "-m", "bot", "import", "orders", str(path)],
        cwd=shop, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    watching = sqlite3.connect(sqlite_url.partition("///")[2])
    try:
        while running.poll() is None:
            if watching.execute("SELECT count(*) FROM orders").fetchone()[0]:
                running.send_signal(signal.SIGKILL)
                break
            time.sleep(0.005)  # another process is watched: it has no event to await
        running.wait()
        assert 0 < watching.execute("SELECT count(*) FROM orders").fetchone()[0] < 6_000
        assert status(["import", "orders", str(path)]) == 0
        found = watching.execute("SELECT count(*), sum(earned), count(DISTINCT external_id) FROM orders").fetchone()
        assert found == (6_000, sum((10_000 + number) // 1_000 for number in range(6_000)), 6_000)
        assert watching.execute("SELECT sum(amount) FROM lots").fetchone()[0] == found[1]
    finally:
        watching.close()
    assert status(["check"]) == 0


async def test_the_demo_is_seeded_by_the_rules(sqlite_url: str) -> None:
    from bot import demo
    from bot.demo import counter, desk, joy
    from loyalty import shifts
    from loyalty.outreach.campaigns import campaigns, reports
    from loyalty.points import adjustments
    from loyalty.points.proof import faults
    from loyalty.recognition import draws, thanks
    from loyalty.referrals import referral_tree

    store = open_store(sqlite_url, seal=Seal("a secret of the tests"))
    steps = [step async for step in demo.seed(store)]
    assert "300 orders" in steps
    assert await store.read(demo.is_demo)
    assert await store.read(faults) == []
    # What the owner is to see: something of everything.
    shift = (await store.read(shifts.page, 1)).lines[0][0]
    assert shift.counted == shift.sums.paid - counter.SHORT
    assert [one.points for one in await store.read(adjustments.waiting, 1)] == [300]
    sums = await store.read(referral_tree.sums, 1)
    assert sums.rewarded > 1
    assert (await store.read(referral_tree.queue, 1))[1] == 1
    draw = (await store.read(draws.of_shop, 1))[0]
    assert draw.seed_hash
    assert draw.drawn == joy.DRAWN
    assert await store.read(thanks.waiting, 1) > 0
    sent = next(one for one in await store.read(campaigns.of_shop, 1) if one.state == "done")
    report = await store.read(reports.of, sent)
    assert report.planned == report.held_out + report.sent + sum(report.skipped.values()) > 20
    assert (report.waiting, report.failed, report.unknown, report.opted_out) == (0, 0, 0, 1)
    assert (
        min(
            report.held_out,
            report.clicks,
            report.redeemed,
            report.skipped["no_messenger"],
            report.skipped["no_consent"],
        )
        > 0
    )
    assert report.vouchers == report.sent == report.messengers[0].sent
    await store.close()
    with sqlite3.connect(sqlite_url.partition("///")[2]) as connection:
        count = dict(connection.execute("SELECT status, count(*) FROM orders GROUP BY status"))
        assert sum(count.values()) == 300 + len(counter.TAKEN) + report.redeemed
        assert connection.execute("SELECT count(*) FROM quest_progress").fetchone()[0] > 1
        assert connection.execute("SELECT count(*) FROM badge_awards").fetchone()[0] > 1
        assert connection.execute("SELECT count(*) FROM point_gifts WHERE state = 'waiting'").fetchone() == (1,)
        assert connection.execute("SELECT count(DISTINCT tier_id) FROM customers").fetchone() == (4,)
        assert connection.execute("SELECT count(*) FROM shops").fetchone() == (2,)
        assert connection.execute("SELECT count(*) FROM customers").fetchone() == (40,)
        assert connection.execute("SELECT count(*) FROM tickets").fetchone() == (len(desk.TICKETS),)
    connection.close()


def test_the_demo_leaves_a_real_shop_alone(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(["demo", "--fresh"]) == 2
    assert "REGULARS_DATABASE_URL" in capsys.readouterr().err
