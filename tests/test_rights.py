"""Who may ask what, cell by cell from the routes themselves: each role at each address, at the own and at another shop's."""

import inspect
import json
import logging
import re
import shutil
import sys
import traceback
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import pytest
import pytest_asyncio
import structlog
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from bot.app import App
from bot.settings import Settings
from handlers.api.keys import Limiter
from handlers.api.routes import LIMITER
from handlers.web import site
from loyalty import programme
from store import staff, webchat
from store.clock import SetClock
from store.engine import Store, open_store
from store.sealed import Seal
from store.staff import Role
from tests import stocked
from tests.conftest import NOON, SECRET_KEY
from tests.rights import AGENT, CASHIER, HEAD, MANAGER, OWNER, ROWS, SUPERVISOR, Door, Row, rows
from tests.stocked import SECRET, Stock

pytestmark = pytest.mark.asyncio(loop_scope="module")

STREAMS = {"/desk/events", "/chat/events"}
JSON_CALLS = ("/till", "/chat/seen", "/webhooks", "/api", "/desk/dead-letters")
"""What takes JSON and no form."""
REFUSED = {401, 403, 404}
OURS, THEIRS = "Ours", SECRET


@dataclass
class Browser:
    http: aiohttp.ClientSession
    csrf: str = ""


@dataclass
class House:
    """The whole program over a shop of ours and another one, both full, with a browser for each role and for strangers."""

    store: Store
    app: web.Application
    root: str
    ours: Stock
    theirs: Stock
    keys: dict[str, str]
    secret: str
    """What Telegram sends along."""
    routes: list[str]
    """Each route, as the table's rows are called."""
    browsers: dict[str, Browser] = field(default_factory=dict)

    async def fill(self, row: Row, at: Stock) -> None:
        """Have what the row names."""
        needs = {by[1:] for by in (*row.fills.values(), *map(str, row.holds.values())) if by[0] in ":@"}
        if not needs <= set(at.kept):
            await self.store.write(lambda session: [at.one(session, kind) for kind in sorted(needs)])

    def path(self, row: Row, at: Stock) -> str:
        path = row.path
        for place, by in row.fills.items():
            path = path.replace(f"{{{place}}}", at.kept[by[1:]] if by[0] == ":" else by[1:])
        return path

    async def ask(
        self, row: Row, who: str, at: Stock, *, csrf: str | None = None, shop: Stock | None = None,
        key: str | None = None, headers: Mapping[str, str] | None = None, query: Mapping[str, Any] | None = None,
        body: Any = None,
    ) -> tuple[int, str, str]:  # fmt: skip
        """Ask for a row of the table at a shop's rows: the status, where it leads to, what it says."""
        await self.fill(row, at)
        holds = {
            name: int(at.kept[value[1:]]) if str(value).startswith("@") else value for name, value in row.holds.items()
        } | dict(query or {})
        if shop is not None:
            holds["shop"] = shop.shop
        sent: dict[str, Any] = {} if body is None else {"json": body}
        if "files" in row.words:
            form = sent["data"] = aiohttp.FormData(default_to_multipart=True)
            for name, value in holds.items():
                form.add_field(name, str(value))
            form.add_field("file", stocked.PICTURE, filename="a.png", content_type="image/png")
        elif "json" in row.words:
            sent["json"] = holds
        path = self.path(row, at)
        if "ends" in row.words:
            at.kept = {kind: one for kind, one in at.kept.items() if f":{kind}" not in row.fills.values()}
        return await self.send(who, row.method, path, holds, csrf=csrf, key=key, headers=headers, **sent)

    async def send(
        self, who: str, method: str, path: str, holds: Mapping[str, Any], *, csrf: str | None = None, key: str | None = None,
        headers: Mapping[str, str] | None = None, **sent: Any,
    ) -> tuple[int, str, str]:  # fmt: skip
        """Send what a page or another program would; a stream is left as soon as it answers."""
        browser = self.browsers[who]
        method = "GET" if method == "*" else method
        told = {site.CSRF_HEADER: browser.csrf if csrf is None else csrf, **(headers or {})}
        if key is not None:
            told["Authorization"] = f"Bearer {key}"
        url = URL(self.root + path, encoded=True)
        if method == "GET" and holds:
            url = url.update_query({name: str(value) for name, value in holds.items()})
        if "shop" in holds and not path.startswith("/till"):
            url = url.update_query({"shop": str(holds["shop"])})
        if method != "GET" and not sent:
            if path.startswith(JSON_CALLS):
                sent = {"json": dict(holds)}
            else:
                sent = {"data": {name: str(value) for name, value in holds.items()}}
        async with browser.http.request(method, url, headers=told, allow_redirects=False, **sent) as answer:
            stream = answer.content_type == "text/event-stream"
            said = "" if stream else (await answer.read()).decode("utf-8", "replace")
            return answer.status, answer.headers.get("Location", ""), said


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    path = tmp_path_factory.mktemp("rights") / "regulars.db"
    shutil.copy(sqlite_template, path)
    url = f"sqlite+aiosqlite:///{path}"
    store = open_store(url, SetClock(NOON), seal=Seal(SECRET_KEY), strict=True)
    settings = Settings(
        _env_file=None, database_url=url, secret_key=SECRET_KEY, telegram_token="42:TEST",
        telegram_api_url="http://127.0.0.1:1",
    )  # fmt: skip
    app = App(settings, store)
    pages = app.build_web()
    pages[LIMITER] = Limiter(calls=10**9)
    pages[site.LIMITS].allow = lambda *_: True  # type: ignore[method-assign]

    async def enter(request: web.Request) -> web.Response:
        """Sign in as somebody; beside the routes of the program, and not among them."""
        await site.sign_in(request, await store.read(staff.get, int(request.match_info["id"])))
        return web.json_response({"csrf": await site.csrf_token(request)})

    routes = [
        f"{route.method} {route.resource.canonical}"
        for route in pages.router.routes()
        if route.resource is not None and route.method != "HEAD"
    ]
    pages.router.add_get("/enter/{id}", enter)
    ours = await store.write(stocked.open_stock, "Phố Cafe", OURS)
    theirs = await store.write(stocked.open_stock, "Quán Hai", THEIRS)
    await store.write(lambda session: programme.change(session, second_approval=1))
    keys = {name: await store.write(staff.add_api_key, at.shop) for name, at in (("ours", ours), ("theirs", theirs))}
    async with TestServer(pages) as server:
        made = House(store, pages, str(server.make_url("")).rstrip("/"), ours, theirs, keys, app.webhook_secret, routes)
        for who, at in (
            (HEAD, None),
            (OWNER, ours),
            (MANAGER, ours),
            (SUPERVISOR, ours),
            (AGENT, ours),
            (CASHIER, ours),
        ):
            role = Role.OWNER if who == HEAD else Role(who)
            number = await store.write(staff.add, who, role, at.shop if at else None, "en")
            browser = made.browsers[who] = Browser(aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)))
            async with browser.http.get(f"{made.root}/enter/{number}") as answer:
                browser.csrf = (await answer.json())["csrf"]
        for who in ("ours", "theirs"):
            browser = made.browsers[who] = Browser(aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)))
            async with browser.http.get(f"{made.root}/chat") as answer:
                found = re.search(r'"csrf": "([^"]+)"', await answer.text())
                assert found
                browser.csrf = found[1]
        chats = await store.read(_chats)
        ours.kept["chat"], theirs.kept["chat"] = chats
        # So that no number of theirs is one of ours.
        await store.write(webchat.add, int(chats[1]), "shop", text=SECRET)
        made.browsers["nobody"] = Browser(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        yield made
        for browser in made.browsers.values():
            await browser.http.close()
    await store.close()


def _chats(session: Any) -> list[str]:
    return [str(number) for (number,) in session.query(webchat.WebChat.id).order_by(webchat.WebChat.id)]


@dataclass
class Calls:
    """The API as its own description tells it."""

    spec: dict[str, Any]

    @classmethod
    async def of(cls, house: House) -> "Calls":
        _, _, said = await house.send("nobody", "GET", "/api/v1/openapi.json", {})
        return cls(json.loads(said))

    def told(self, row: Row) -> dict[str, Any]:
        return dict(self.spec["paths"].get(row.path, {}).get(row.method.lower(), {}))

    def example(self, row: Row) -> tuple[dict[str, Any], Any]:
        """A query and a body that the description gives as examples."""
        call = self.told(row)
        query = {
            one["name"]: one["schema"]["examples"][0]
            for one in call.get("parameters", []) if one["in"] == "query" and one["schema"].get("examples")
        }  # fmt: skip
        if "requestBody" not in call:
            return query, None
        schema = call["requestBody"]["content"]["application/json"]["schema"]
        return query, self.spec["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]["examples"][0]


class Listening(logging.Handler):
    """Keeps what is logged as an error, each once, with the place of ours where it happened."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.told: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        self.told.add(record.getMessage() if record.exc_info is None else place_of(record.exc_info[1]))


def place_of(error: BaseException | None) -> str:
    """An error in a line: what, and the innermost places of ours that it went through."""
    own = [one for one in traceback.extract_tb(error.__traceback__) if ".venv" not in one.filename] if error else []
    places = " < ".join(f"{'/'.join(Path(one.filename).parts[-3:])}:{one.lineno}" for one in reversed(own[-3:]))
    return f"{error!r:.300} in {places}"


@contextmanager
def listening(faults: list[str]) -> Iterator[None]:
    """Whatever is logged as an error meanwhile is a fault of the program."""
    hears = Listening()
    logging.getLogger().addHandler(hears)

    def hear(_log: Any, level: str, event: dict[str, Any]) -> Any:
        if level in {"error", "critical", "exception"}:
            hears.told.add(f"{event['event']}: {place_of(sys.exception())}")
        raise structlog.DropEvent

    structlog.configure(processors=[hear])
    try:
        yield
    finally:
        logging.getLogger().removeHandler(hears)
    faults += sorted(hears.told)


# ── The table ──────────────────────────────────────────────────────────────────────────────────────


async def test_each_route_has_one_row_and_each_row_a_route(house: House) -> None:
    written = [row.key for row in rows()]
    assert sorted(written) == sorted(set(written)), "a row stands twice"
    assert set(house.routes) - set(written) == set(), "routes without a row in tests/rights.py: say who may"
    assert set(written) - set(house.routes) == set(), "rows in tests/rights.py without a route"


def wrong(row: Row, who: str, where: str, found: tuple[int, str, str], wanted: str) -> list[str]:
    """What is not as the table says, in a line that names the cell."""
    status, leads, said = found
    good = {
        "open": status < 500
        and status not in (REFUSED - {404} if "missing" in row.words else REFUSED)
        and not leads.startswith("/login"),
        "refused": status in {403, 404},
        "login": (status == 302 and leads.startswith("/login?next=")) if row.method == "GET" else status == 401,
        "unknown": status == 401,
    }[wanted]
    faults = [] if good else [f"{row.key} as {who} at {where}: {status}, not {wanted}: {leads or said[:160]!r}"]
    if who != HEAD and status < 400 and SECRET in said:
        place = said.index(SECRET)
        faults.append(f"{row.key} as {who} at {where}: shows another shop's {said[max(0, place - 60) : place + 20]!r}")
    return faults


async def test_each_role_gets_at_each_address_what_the_table_says(house: House) -> None:
    faults: list[str] = []
    with listening(faults):
        for row in ROWS.values():
            if isinstance(row.who, Door):
                continue
            by_shop = row.path.startswith("/shop")
            for who in (HEAD, OWNER, MANAGER, SUPERVISOR, AGENT, CASHIER):
                may = who in row.who
                # What refuses says so in a line, which is quicker than a page; what opens opens as a page.
                headers = {} if may else {"Accept": "application/json"}
                shop = house.ours if who == HEAD and by_shop else None
                found = await house.ask(row, who, house.ours, shop=shop, headers=headers)
                faults += wrong(row, who, "own", found, "open" if may else "refused")
                if "shared" in row.words:
                    continue
                if row.named or (row.holds and not by_shop):
                    shop = house.theirs if who == HEAD and by_shop else None
                    found = await house.ask(row, who, house.theirs, shop=shop, headers=headers)
                    faults += wrong(row, who, "other", found, "open" if may and who == HEAD else "refused")
                if by_shop and who != HEAD:
                    headers = {"Accept": "application/json"}
                    found = await house.ask(row, who, house.theirs, shop=house.theirs, headers=headers)
                    faults += wrong(row, who, "other, by name", found, "refused")
    assert not faults, f"{len(faults)} cells\n" + "\n".join(faults)


async def test_without_a_session_or_the_browsers_token_nothing_opens(house: House) -> None:
    faults: list[str] = []
    with listening(faults):
        for row in ROWS.values():
            if isinstance(row.who, Door):
                continue
            # The visitor of our chat has a token, but no session of staff.
            faults += wrong(row, "a visitor", "own", await house.ask(row, "ours", house.ours), "login")
            if row.method != "GET":
                found = await house.ask(row, HEAD, house.ours, csrf="wrong")
                faults += wrong(row, HEAD, "own without a token", found, "refused")
                if '"csrf"' not in found[2]:
                    faults.append(f"{row.key}: refused, but not for its token")
    assert not faults, f"{len(faults)} cells\n" + "\n".join(faults)


async def test_what_is_open_to_everybody_and_what_only_to_the_browser_whose_chat_it_is(house: House) -> None:
    faults: list[str] = []
    with listening(faults):
        for row in ROWS.values():
            if row.who is Door.NOBODY:
                for who in ("ours", CASHIER):
                    status, _, _ = await house.ask(row, who, house.theirs)
                    if status >= 500 or status in {401, 403}:
                        faults.append(f"{row.key} as {who}: {status}")
            if row.who is Door.VISITOR:
                found = await house.ask(row, "nobody", house.ours)
                faults += wrong(row, "nobody", "own", found, "unknown" if row.method == "GET" else "refused")
                faults += wrong(row, "ours", "own", await house.ask(row, "ours", house.ours), "open")
                if row.named:
                    faults += wrong(row, "ours", "other", await house.ask(row, "ours", house.theirs), "refused")
                if row.method != "GET":
                    faults += wrong(
                        row, "ours", "own", await house.ask(row, "ours", house.ours, csrf="wrong"), "refused"
                    )
            if row.who is Door.SECRET:
                for secret, wanted in (("", {401, 403}), ("wrong", {401, 403}), (house.secret, {200})):
                    headers = {"X-Telegram-Bot-Api-Secret-Token": secret}
                    status, _, _ = await house.send("nobody", "POST", row.path, {"update_id": 1}, headers=headers)
                    if status not in wanted:
                        faults.append(f"{row.key} with {secret!r}: {status}")
    assert not faults, f"{len(faults)} cells\n" + "\n".join(faults)


async def test_each_call_of_the_api_answers_the_key_of_its_own_shop_only(house: House) -> None:
    calls, faults = await Calls.of(house), list[str]()
    with listening(faults):
        for row in ROWS.values():
            if row.who is not Door.KEY:
                continue
            query, body = calls.example(row)
            headers = {"Idempotency-Key": row.key}
            for who, at, key, wanted in (
                ("nobody", house.ours, None, "unknown"), (HEAD, house.ours, None, "unknown"),
                ("nobody", house.ours, "rk_wrong", "unknown"), ("nobody", house.ours, house.keys["ours"], "open"),
                ("nobody", house.theirs, house.keys["ours"], "refused"),
            ):  # fmt: skip
                if wanted == "refused" and "shared" in row.words:
                    continue
                found = await house.ask(row, who, at, key=key, headers=headers, query=query, body=body)
                faults += wrong(
                    row, f"{who} with key {key and key[:8]}", "other" if at is house.theirs else "own", found, wanted
                )
    assert not faults, f"{len(faults)} cells\n" + "\n".join(faults)


# ── Junk ───────────────────────────────────────────────────────────────────────────────────────────

WRITTEN = [
    "", " ", "\x00", "x\x00y", "-1", "0", "1", "9" * 15, "9" * 19, "9" * 40, "1e9", "0.5", "٣", "½", "<b>'\"&", "%s{x}{{7*7}}{%", "\ud800",
    "\r\nX-Y: z", "../../etc/passwd", "2026-13-99", "0001-01-01", "9999-12-31T23:59", "99:99", "null", "[]", '{"a":', "a" * 3_000,
    "'; DROP TABLE shops; --", "true", "on", "\u202eabc", "🎉" * 50, "#" * 7, "https://", "javascript:alert(1)",
]  # fmt: skip
"""What nobody means to write, and somebody does."""
SAID: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    2**31,
    2**53 + 1,
    2**63,
    10**40,
    0.5,
    -1e308,
    [],
    {},
    [[]],
    [None],
    {"": None},
    *WRITTEN,
]
SENT = {
    "Accept-Language": ["", "*", "xx;q=9", "vi-é", "," * 99], "HX-Request": ["true", ""], "Last-Event-ID": ["-1", "9" * 30, "x"],
    "Accept": ["application/json", "*/*", "text/event-stream"], "Range": ["bytes=9-1", "x"], "If-None-Match": ["*", '"'],
    "If-Modified-Since": ["never"], "X-Forwarded-For": ["x, y"], "Idempotency-Key": ["", "x" * 500, "é"],
    }  # fmt: skip
BODIES = [
    ("application/json", b"{"), ("application/json", b"[" * 5_000), ("application/json", b'"\\ud800"'), ("application/json", b"\xff"),
    ("application/x-www-form-urlencoded", b"%FF=%00&&&=;%"), ("multipart/form-data", b"x"), ("multipart/form-data; boundary=b", b"--b\r\n\r\n"),
    ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--"), ("text/plain; charset=nope", b"a=1"),
    ("image/png", b"\x89PNG"), ("", b""),
]  # fmt: skip
"""Bodies that are none."""


def words_of(route: web.AbstractRoute) -> list[str]:
    """The names that an address may ask for: every word in quotes in the module that answers it."""
    handler: Any = route.handler
    while inner := inspect.getclosurevars(handler).nonlocals.get("handler"):
        handler = inner
    source = inspect.getsource(sys.modules[handler.__module__])
    return sorted(set(re.findall(r'"([a-z][a-z_0-9]{0,20})"', source)))


async def test_no_page_falls_over_whatever_is_sent(house: House) -> None:
    chance, faults = Random(4), list[str]()
    named = {
        f"{route.method} {route.resource.canonical}": route for route in house.app.router.routes() if route.resource
    }
    with listening(faults):
        for row in ROWS.values():
            if row.path.startswith("/api/") or row.path in UNTOUCHED:
                continue
            await house.fill(row, house.ours)
            names = [*words_of(named[row.key]), "shop"]
            for number in range(1, 4) if chance.random() < 0.5 else (0, 3):
                headers = {name: chance.choice(values) for name, values in SENT.items() if chance.random() < 0.2}
                junk = {name: chance.choice(WRITTEN) for name in names if chance.random() < 0.7}
                path = (
                    house.path(row, house.ours)
                    if number
                    else re.sub(r"{\w+}", lambda _: escaped(chance.choice(WRITTEN)), row.path)
                )
                if number % 2:
                    junk.pop("shop", None)
                    path += "" if row.method == "GET" else f"?shop={house.ours.shop}" * path.startswith("/shop")
                sent: dict[str, Any] = {}
                if row.method == "GET":
                    # An address of more than 8 kB is refused before it comes to us.
                    junk = {name: value[:60] for name, value in junk.items()}
                    path += f"?{urlencode(junk, errors='surrogatepass')}"
                elif number == 3:
                    kind, sent["data"] = chance.choice(BODIES)
                    headers["Content-Type"] = kind
                elif path.startswith(JSON_CALLS) or chance.random() < 0.1:
                    sent["data"] = json.dumps({name: chance.choice(SAID) for name in names if chance.random() < 0.7})
                    headers["Content-Type"] = "application/json"
                elif "files" in row.words:
                    sent["data"] = form = aiohttp.FormData(default_to_multipart=True)
                    form.add_field(
                        "file",
                        chance.choice([b"", b"x", stocked.PICTURE[:99]]),
                        filename=chance.choice(["", "a.png", "x.csv"]),
                    )
                else:
                    sent["data"] = urlencode(junk, errors="surrogatepass")
                    headers["Content-Type"] = "application/x-www-form-urlencoded"
                status, _, _ = await house.send(
                    "ours" if row.who is Door.VISITOR else HEAD, row.method, path, {}, headers=headers, **sent
                )
                if status >= 500:
                    faults.append(f"{row.key}: {status} {path[:200]!r} {str(sent)[:300]}")
    assert not faults, f"{len(faults)} faults\n" + "\n".join(faults)


SHAPES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/desk/tickets/{ticket}/assign", {"to": 1}),
    ("/desk/tickets/{ticket}/priority", {"priority": "high"}),
    ("/desk/tickets/{ticket}/snooze", {"until": "2030-01-01T09:00:00+07:00"}),
    ("/desk/tickets/{ticket}/seen", {"seq": 1}),
    ("/desk/tickets/{ticket}/draft", {"kind": "reply", "text": "Dạ", "reply_to": 1}),
    ("/desk/tickets/{ticket}/team", {"team": 1}),
    ("/desk/messages/{message}/edit", {"text": "Dạ"}),
    ("/desk/messages/{message}/react", {"emoji": "🙏"}),
    ("/desk/availability", {"away": False}),
    ("/desk/dead-letters/replay", {"account": "web", "key": "x"}),
)
"""What the desk's buttons say, as JSON."""
FORMS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "/desk/filters",
        {
            "states": ["open", "new"], "tags": ["vip", "trễ"], "topics": ["order", "t1"], "priorities": ["high", "low"],
            "assignees": ["me", "1"], "teams": ["mine", "1"], "languages": ["vi", "en"], "shops": ["1"], "complaint": ["yes"],
            "name": ["Gấp"], "shop": [""], "view": [""],
        },
    ),
    ("/desk/tickets/{ticket}/parted", {"messages": ["1", "2"], "topic": ["order"]}),
    ("/desk/tickets/{ticket}/merged", {"into": ["{ticket}"]}),
    ("/desk/tickets/{ticket}/filed/field", {"field": ["1"], "value": ["x"]}),
    ("/desk/tickets/{ticket}/snoozed", {"until": [""], "at": ["2030-01-01T09:00"]}),
    ("/desk/tickets/{ticket}/promised", {"what": ["gọi lại"], "until": [""], "when": ["2030-01-01T09:00"], "owner": ["1"], "key": ["k"]}),
    ("/desk/tickets/{ticket}/goodwill/give", {"key": ["0123456789abcdef"], "points": ["1"], "reason": ["x"], "after": ["0"]}),
    ("/desk/here", {"ticket": ["{ticket}"], "window": ["abcdefgh"], "typing": ["yes"]}),
    ("/shop/routing/teams", {"name": ["Tối"], "member": ["1", "2"], "everyone": ["on"]}),
    ("/shop/webhooks", {"url": ["https://pho.example/hook"], "kind": ["*", "order.completed"], "note": [""]}),
    ("/shop/feedback/terms", {"nps_days": ["90"], "order_days": ["7"], "order_hours": ["2"], "order_after": ["order_completed"]}),
    ("/shop/privacy/inactive", {"inactive": ["24"], "sure": ["on"]}),
)  # fmt: skip
"""Forms of several fields, some of which come more than once."""
EDGES = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31T23:59", "\ud800", "1" * 30]
"""What has the shape of something good and can't be."""
SPOILS = 8


async def test_what_is_nearly_right_is_refused_and_nothing_falls_over(house: House) -> None:
    """Each body as the page sends it, and then with one thing in it that is another."""
    chance, faults = Random(7), list[str]()
    at, browser = house.ours, house.browsers[HEAD]
    await house.store.write(lambda session: [at.one(session, kind) for kind in ("ticket", "message")])

    def fill(text: str) -> str:
        return text.replace("{ticket}", str(at.kept["ticket"])).replace("{message}", str(at.kept["message"]))

    async def send(path: str, kind: str, body: bytes) -> None:
        where = fill(path) + (f"?shop={at.shop}" if path.startswith("/shop") else "")
        told = {"Content-Type": kind, "X-CSRF-Token": browser.csrf}
        status, said, _ = await house.send(HEAD, "POST", where, {}, headers=told, data=body)
        if status >= 500:
            faults.append(f"{path}: {status} {body[:200]!r} {said[:80]}")

    with listening(faults):
        for path, body in SHAPES:
            for number in range(SPOILS):
                changed: Any = body
                if 0 < number <= len(EDGES):
                    changed = {**body, chance.choice(sorted(body)): EDGES[number - 1]}
                elif number:
                    changed = spoilt(chance, body)
                await send(path, "application/json", json.dumps(changed).encode())
        for path, form in FORMS:
            for number in range(SPOILS):
                pairs = [(name, fill(value)) for name, values in form.items() for value in values]
                if number:
                    place = chance.randrange(len(pairs))
                    wrong_one = (pairs[place][0], EDGES[number - 1] if number <= len(EDGES) else chance.choice(WRITTEN))
                    # In its place, beside it, a hundred times, or it is left out.
                    pairs[place : place + 1] = chance.choice(
                        ([wrong_one], [pairs[place], wrong_one], [wrong_one] * 100, [])
                    )
                await send(path, "application/x-www-form-urlencoded", urlencode(pairs, errors="surrogatepass").encode())
    assert not faults, f"{len(faults)} faults\n" + "\n".join(faults)


def spoilt(chance: Random, body: Any) -> Any:
    """A body with one thing in it that is not as it should be."""
    if isinstance(body, dict) and body and chance.random() < 0.9:
        name = chance.choice(sorted(body))
        return {**body, name: spoilt(chance, body[name])}
    if isinstance(body, list) and body and chance.random() < 0.7:
        return [spoilt(chance, body[0]), *body[1:]]
    return chance.choice(SAID)


async def test_no_call_of_the_api_falls_over_and_each_answers_as_its_description_says(house: House) -> None:
    calls, chance, faults = await Calls.of(house), Random(4), list[str]()
    with listening(faults):
        for row in ROWS.values():
            call = calls.told(row)
            if row.who is not Door.KEY or not call:
                continue
            await house.fill(row, house.ours)
            names = [one["name"] for one in call.get("parameters", []) if one["in"] == "query"]
            _, example = calls.example(row)
            for number in range(12 if example is not None else 4):
                path = (
                    house.path(row, house.ours)
                    if number % 4
                    else re.sub(r"{\w+}", lambda _: escaped(chance.choice(WRITTEN)), row.path)
                )
                query = {name: chance.choice(WRITTEN) for name in names if chance.random() < 0.8}
                path += f"?{urlencode(query, errors='surrogatepass')}" if query else ""
                headers = {name: chance.choice(values) for name, values in SENT.items() if chance.random() < 0.2}
                sent: dict[str, Any] = {}
                if example is not None:
                    sent["data"] = json.dumps(spoilt(chance, example)) if number % 6 else chance.choice(BODIES)[1]
                status, _, said = await house.send(
                    "nobody", row.method, path, {}, key=house.keys["ours"], headers=headers, **sent
                )
                plain = not number % 4 and status in {404, 405}
                if status >= 500 or not (
                    plain or str(status) in call["responses"] or (status < 400 and not number % 4)
                ):
                    faults.append(f"{row.key}: {status} {path[:200]!r} {str(sent)[:300]} {said[:200]}")
                elif status >= 400 and "code" not in json.loads(said):
                    faults.append(f"{row.key}: {status} without a code: {said[:200]}")
    assert not faults, f"{len(faults)} faults\n" + "\n".join(faults)


UNTOUCHED = {"/logout", "/till/switch"}
"""These end the session that asks."""


def escaped(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")
