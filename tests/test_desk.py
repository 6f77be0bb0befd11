"""The desk over real HTTP: who may, what is refused, that the stream goes on from where a page stood."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from PIL import Image

from handlers.web import site
from handlers.web.desk.views import setup_desk
from loyalty import programme
from loyalty.customers import customers
from store import inbox, media, staff
from store.clock import SetClock
from store.engine import Store, open_store
from store.media import File
from store.staff import Role
from support import messages, tickets

KEY = "0123456789abcdef"


@dataclass
class Person:
    """Somebody in a browser."""

    http: aiohttp.ClientSession
    root: str
    id: int = 0
    csrf: str = ""

    async def get(self, path: str, **headers: str) -> tuple[int, Any, Any]:
        async with self.http.get(self.root + path, headers=headers, allow_redirects=False) as answer:
            body = await answer.read()
            return answer.status, (json.loads(body) if "json" in answer.content_type else body), answer.headers

    async def post(self, path: str, *, csrf: bool = True, **sent: Any) -> tuple[int, Any]:
        headers = {"X-CSRF-Token": self.csrf} if csrf else {}
        async with self.http.post(self.root + path, headers=headers, allow_redirects=False, **sent) as answer:
            body = await answer.read()
            return answer.status, json.loads(body) if "json" in answer.content_type else body

    async def say(self, ticket: int, text: str, *, kind: str = "reply", key: str = KEY, files: list[Any] = []) -> Any:  # noqa: B006
        form = aiohttp.FormData(default_to_multipart=True)
        form.add_field("key", key)
        form.add_field("text", text)
        for name, mime, content in files:
            form.add_field("file", content, filename=name, content_type=mime)
        return await self.post(f"/desk/tickets/{ticket}/{kind}", data=form)


@dataclass
class Desk:
    store: Store
    shop: int
    other_shop: int
    root: str
    people: dict[str, Person] = field(default_factory=dict)
    replayed: list[tuple[str, str]] = field(default_factory=list)
    routes: list[tuple[str, str]] = field(default_factory=list)
    """Each of the desk's: method, address with {places}."""


@pytest.fixture
async def desk(sqlite_url: str, clock: SetClock) -> AsyncIterator[Desk]:
    """The desk's pages over a store on SQLite (the rules beneath are tested on both), with one browser for each role."""
    store = open_store(sqlite_url, clock, strict=True)
    shops = [
        await store.write(programme.open_shop, name, timezone="Asia/Ho_Chi_Minh", language="vi")
        for name in ("Phố Cafe", "Quán B")
    ]
    app = web.Application(client_max_size=site.UPLOAD_BYTES_MAX)
    made = Desk(store, *shops, root="")

    async def feed(_key: str, _update: dict[str, Any]) -> None:
        return

    async def replay(account: str, key: str) -> bool:
        made.replayed.append((account, key))
        return True

    site.setup_site(
        app, site.Site(store, "a secret of the tests", "http://test", "vi", lambda _payload: [], feed, replay)
    )
    setup_desk(app)
    for route in app.router.routes():
        path = "" if route.resource is None else route.resource.canonical
        if not path.startswith("/desk") or route.method == "HEAD":
            continue
        # Of a place that takes one of some words, the first.
        pattern = getattr(route.resource.get_info().get("pattern"), "pattern", "")
        for name, words in re.findall(r"\(\?P<(\w+)>([a-z_]+(?:\|[a-z_]+)*)\)", pattern):
            path = path.replace(f"{{{name}}}", words.split("|")[0])
        made.routes.append((route.method, path))

    async def enter(request: web.Request) -> web.Response:
        await site.sign_in(request, await store.read(staff.get, int(request.match_info["id"])))
        return web.Response()

    app.router.add_get("/enter/{id}", enter)
    server = TestServer(app)
    await server.start_server()
    made.root = str(server.make_url("")).rstrip("/")
    roles = {
        "minh": (Role.AGENT, shops[0]), "hoa": (Role.AGENT, shops[0]), "boss": (Role.OWNER, None),
        "supervisor": (Role.SUPERVISOR, shops[0]), "stranger": (Role.AGENT, shops[1]), "cashier": (Role.CASHIER, shops[0]),
    }  # fmt: skip
    for name, (role, shop) in roles.items():
        person = Person(aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)), made.root)
        person.id = await store.write(staff.add, name.title(), role, shop)
        await person.get(f"/enter/{person.id}")
        _, page, _ = await person.get("/desk")
        found = re.search(rb'"csrf": "([^"]+)"', page)
        person.csrf = found[1].decode() if found else ""
        made.people[name] = person
    made.people["nobody"] = Person(aiohttp.ClientSession(), made.root)
    yield made
    for person in made.people.values():
        await person.http.close()
    await server.close()
    await store.close()


async def asks(desk: Desk, text: str = "Ly bị vỡ", name: str = "Lan", **values: Any) -> tuple[int, messages.Said]:
    customer = await desk.store.write(customers.create, name=name)
    async with desk.store.work() as work:
        joined = await work.write(tickets.open_or_join, customer, desk.shop)
        return joined.ticket.id, await work.write(messages.customer_says, joined.ticket.id, text=text, **values)


def png(color: str = "red") -> bytes:
    out = BytesIO()
    Image.new("RGB", (40, 30), color).save(out, "PNG")
    return out.getvalue()


async def test_an_agent_answers_and_a_second_try_adds_nothing(desk: Desk) -> None:
    ticket, _ = await asks(desk)
    minh = desk.people["minh"]
    status, first = await minh.say(
        ticket, "Dạ em xin lỗi", files=[("ly.png", "image/png", png()), ("a.txt", "text/plain", b"x")]
    )
    assert status == 201
    assert await minh.say(ticket, "Dạ em xin lỗi") == (201, first)
    _, found, _ = await minh.get(f"/desk/tickets/{ticket}")
    [answer] = [line for line in found["lines"] if line.get("who") == "agent"]
    assert (answer["text"], answer["staff"], answer["state"]) == ("Dạ em xin lỗi", "Minh", "queued")
    assert [(file["kind"], file["width"], file["height"]) for file in answer["files"]] == [
        ("photo", 40, 30),
        ("document", None, None),
    ]
    assert (found["line"]["assignee"], found["line"]["state"]) == ("Minh", "waiting_customer")
    photo, text = answer["files"]
    status, body, headers = await minh.get(photo["url"])
    assert (status, body, headers["Content-Type"]) == (200, png(), "image/png")
    assert "Content-Disposition" not in headers
    status, body, headers = await minh.get(text["url"])
    assert headers["Content-Disposition"].startswith("attachment")
    for told in (headers,):
        assert told["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in told["Content-Security-Policy"]


async def test_a_picture_is_one_by_its_bytes_not_by_its_name(desk: Desk) -> None:
    ticket, _ = await asks(desk)
    minh = desk.people["minh"]
    evil = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    await minh.say(
        ticket, "", files=[("x.png", "image/png", evil), ("y.html", "text/html", b"<script>alert(1)</script>")]
    )
    _, found, _ = await minh.get(f"/desk/tickets/{ticket}")
    files = next(line for line in found["lines"] if line.get("who") == "agent")["files"]
    assert [file["kind"] for file in files] == ["document", "document"]
    for file in files:
        _, _, headers = await minh.get(file["url"])
        assert headers["Content-Type"] == "application/octet-stream"
        assert headers["Content-Disposition"].startswith("attachment")


WAYS = [
    ("GET", "/desk/{t}"), ("GET", "/desk/tickets"), ("GET", "/desk/tickets/{t}"), ("GET", "/desk/tickets/{t}/older?before=9"),
    ("GET", "/desk/tickets/{t}/customer"), ("GET", "/desk/media/{f}"), ("GET", "/desk/events?ticket={t}"),
    ("GET", "/desk/dead-letters"), ("POST", "/desk/dead-letters/replay"), ("POST", "/desk/tickets/{t}/reply"),
    ("POST", "/desk/tickets/{t}/note"), ("POST", "/desk/here"),
    *(("POST", f"/desk/messages/{{m}}/{action}") for action in ("retry", "edit", "delete", "react")),
    *(("POST", f"/desk/tickets/{{t}}/{action}") for action in
      ("claim", "assign", "resolve", "reopen", "close", "priority", "snooze", "seen", "unread", "draft")),
]  # fmt: skip


async def test_every_way_to_a_ticket_is_shut_to_those_it_does_not_concern(desk: Desk) -> None:
    sha = await desk.store.write(media.keep, png(), "image/png", 40, 30)
    ticket, _ = await asks(desk, files=[File("photo", "image/png", sha=sha)])
    _, found, _ = await desk.people["minh"].get(f"/desk/tickets/{ticket}")
    file = next(line for line in found["lines"] if line.get("files"))["files"][0]["id"]
    message = (await desk.people["minh"].say(ticket, "Dạ"))[1]["id"]

    async def status(person: Person, method: str, path: str) -> int:
        path = path.format(t=ticket, f=file, m=message)
        if method == "GET":
            return (await person.get(path, Accept="application/json"))[0]
        if path.endswith(("reply", "note")):
            return (await person.say(ticket, "x", kind=path.rsplit("/", 1)[1], key="another-key-1"))[0]
        if path.endswith("here"):
            return (await person.post(path, data={"window": "abcdefgh", "ticket": ticket}))[0]
        asked = {
            "to": None, "seq": 1, "account": "a", "key": "k", "priority": "urgent", "until": "2026-12-01T09:00:00+07:00",
            "kind": "reply", "text": "x", "emoji": "👍",
        }  # fmt: skip
        return (await person.post(path, json=asked))[0]

    theirs = {"/desk/tickets": 200, "/desk/dead-letters": 403, "/desk/dead-letters/replay": 403}
    for method, path in WAYS:
        assert await status(desk.people["stranger"], method, path) == theirs.get(path, 404), path
        assert await status(desk.people["cashier"], method, path) == 403, path
        assert await status(desk.people["nobody"], method, path) in {401, 403}, path
    _, listed, _ = await desk.people["stranger"].get("/desk/tickets?view=open&search=vo")
    assert (listed["lines"], listed["counts"]["open"]) == ([], 0)
    left = await desk.store.read(tickets.get, ticket)
    assert (left.state, left.assignee_id) == ("waiting_customer", desk.people["minh"].id)


JUNK: dict[str, Any] = {
    "value": "\x00x", "until": "2026-13-99", "at": "soon", "into": "9" * 40, "messages": "-1", "name": "\x00", "text": "\x00", "key": "k" * 200,
    "what": "", "complaint": "maybe", "shop": "٣", "tags": "\x00", "assignees": "9" * 15, "window": "<b>", "ticket": "x", "stage": "?", "amount": "-5",
    "level": "9", "reason": "", "field": "0", "view": "9" * 15, "kind": "poem", "to": "me", "seq": -1, "priority": "?", "emoji": "x", "account": 1,
}  # fmt: skip
"""Answers to every question that a form of the desk asks, none of them good."""


async def test_no_address_of_the_desk_lets_a_stranger_in_or_falls_over(desk: Desk) -> None:
    # From the routes themselves, so that a new one is asked too.
    sha = await desk.store.write(media.keep, png(), "image/png", 40, 30)
    ticket, said = await asks(desk, files=[File("photo", "image/png", sha=sha)])
    known = {
        "ticket": ticket,
        "message": said.message_id,
        "attachment": 1,
        "what": "tag",
        "kind": "note",
        "action": "claim",
    }
    of_ticket = {"{ticket}", "{message}", "{attachment}"}
    before = await desk.store.read(tickets.get, ticket)

    async def ask(person: Person, method: str, path: str, form: bool) -> int:
        address = re.sub(r"{(\w+)}", lambda place: str(known.get(place[1], 1)), path)
        if method == "GET":
            return (await person.get(address, Accept="application/json"))[0]
        sent = {"data": {key: str(value) for key, value in JUNK.items()}} if form else {"json": JUNK}
        return (await person.post(address, **sent))[0]

    assert len(desk.routes) > 40
    for method, path in desk.routes:
        if path == "/desk/events":
            continue
        mine = any(place in path for place in of_ticket)
        for form in (True, False) if method == "POST" else (False,):
            assert await ask(desk.people["nobody"], method, path, form) in {401, 403}, path
            assert await ask(desk.people["cashier"], method, path, form) == 403, path
            status = await ask(desk.people["stranger"], method, path, form)
            assert status < 500, (method, path, form)
            assert not mine or status in {400, 404, 415, 422}, (method, path, form, status)
            assert (await ask(desk.people["minh"], method, path, form)) < 500 or path == "/desk/dead-letters/replay", (
                method,
                path,
                form,
            )
    # Nothing that the stranger or the junk asked for was done, save what Minh asked for in earnest.
    after = await desk.store.read(tickets.get, ticket)
    assert (after.topic, after.priority, after.customer_id) == (before.topic, before.priority, before.customer_id)


async def test_nothing_is_changed_without_the_browsers_own_token(desk: Desk) -> None:
    ticket, _ = await asks(desk)
    status, told = await desk.people["minh"].post(f"/desk/tickets/{ticket}/resolve", csrf=False, json={})
    assert (status, told["code"]) == (403, "csrf")
    assert (await desk.store.read(tickets.get, ticket)).state == "new"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("assign", {"to": "me"}, 400), ("assign", {"to": -1}, 400), ("assign", {"to": 999}, 422), ("seen", {}, 400), ("seen", {"seq": 2**60}, 400),
        ("dance", {}, 404), ("resolve", [1], 200), ("priority", {"priority": "<b>"}, 422), ("priority", {}, 400), ("seen", {"seq": 2**31}, 400),
        ("snooze", {"until": "tomorrow"}, 400), ("snooze", {"until": "2026-12-01T09:00:00"}, 400), ("snooze", {"until": "1999-01-01T00:00:00Z"}, 422),
        ("draft", {"kind": "poem", "text": "x"}, 422), ("draft", {"kind": "reply", "text": 7}, 400), ("draft", {"kind": "note", "text": "x" * 10_001}, 422),
    ],
)  # fmt: skip
async def test_wrong_bodies_are_refused_in_words_or_ignored(desk: Desk, path: str, body: Any, status: int) -> None:
    ticket, _ = await asks(desk)
    assert (await desk.people["minh"].post(f"/desk/tickets/{ticket}/{path}", json=body))[0] == status


async def test_an_answer_the_desk_cannot_send_is_refused_in_words(desk: Desk) -> None:
    ticket, _ = await asks(desk)
    minh = desk.people["minh"]
    for text, key, files in (
        ("", KEY, []),
        ("x" * 5000, KEY, []),
        ("x", "short", []),
        ("x", KEY, [("a", "b/c", b"x")] * 11),
    ):
        status, told = await minh.say(ticket, text, key=key, files=files)
        assert (status, bool(told["error"])) == (422, True)
    assert (await minh.post(f"/desk/tickets/{ticket}/reply", json={"text": "x"}))[0] == 415
    assert (await minh.post(f"/desk/tickets/{ticket}/reply", data=b"nonsense", params={}))[0] == 415
    assert (await desk.store.read(tickets.get, ticket)).state == "new"


async def test_who_comes_second_is_told_who_was_first(desk: Desk) -> None:
    ticket, _ = await asks(desk)
    await desk.people["minh"].post(f"/desk/tickets/{ticket}/claim", json={})
    status, told = await desk.people["hoa"].post(f"/desk/tickets/{ticket}/claim", json={})
    assert status == 409
    assert "Minh" in told["error"]
    assert (await desk.people["supervisor"].post(f"/desk/tickets/{ticket}/assign", json={"to": desk.people["hoa"].id}))[
        0
    ] == 200


async def test_what_a_customer_writes_is_shown_and_never_run(desk: Desk) -> None:
    name = "<img src=x onerror=alert(1)>"
    ticket, _ = await asks(desk, "<script>alert(1)</script>\u202e", name=name)
    _, panel, _ = await desk.people["minh"].get(f"/desk/tickets/{ticket}/customer")
    assert name.encode() not in panel
    assert b"&lt;img src=x" in panel
    _, _, headers = await desk.people["minh"].get("/desk")
    assert "default-src 'self'" in headers["Content-Security-Policy"]


async def heard(person: Person, path: str, enough: Any) -> list[tuple[str, Any]]:
    """The events of a stream until `enough(events)`."""
    events: list[tuple[str, Any]] = []
    async with asyncio.timeout(10), person.http.get(person.root + path) as stream:
        kind = ""
        async for raw in stream.content:
            line = raw.decode().rstrip("\r\n")
            if line.startswith("event: "):
                kind = line[7:]
            elif line.startswith("data: "):
                events.append((kind, json.loads(line[6:])))
                if enough(events):
                    return events
    return events


async def test_the_list_moves_while_messages_pour_in(desk: Desk) -> None:
    """What an open page looks at doesn't wait for the end of a burst."""
    minh, written = desk.people["minh"], 0
    ticket, _ = await asks(desk)
    _, listed, _ = await minh.get("/desk/tickets?view=open")
    after = ",".join(f"{shop}:{at}" for shop, at in listed["cursor"].items())
    async with asyncio.timeout(20), minh.http.get(f"{minh.root}/desk/events?after={after}") as stream:

        async def told() -> int:
            while not (await stream.content.readline()).startswith(b"event: ticket"):
                pass
            return written

        async def writes() -> None:
            nonlocal written
            for _ in range(10):
                await desk.store.write(messages.customer_says, ticket, text="alo")
                written += 1

        seen, *_ = await asyncio.gather(told(), *(writes() for _ in range(20)))
    assert seen < 100


async def test_the_stream_tells_what_happens_and_goes_on_from_a_cursor(desk: Desk) -> None:
    minh = desk.people["minh"]
    ticket, _ = await asks(desk)
    _, listed, _ = await minh.get("/desk/tickets?view=open")
    _, opened, _ = await minh.get(f"/desk/tickets/{ticket}")
    after, at = ",".join(f"{shop}:{at}" for shop, at in listed["cursor"].items()), opened["line"]["changed"]
    path = f"/desk/events?after={after}&ticket={ticket}&thread={at}"
    first = asyncio.Event()

    def enough(events: list[tuple[str, Any]]) -> bool:
        if events[-1][0] == "line":
            first.set()
        return events[-1][1].get("text") == "một"

    listening = asyncio.gather(heard(minh, path, enough))
    await desk.people["hoa"].say(ticket, "Chị Lan ơi", kind="note")
    await first.wait()
    await desk.people["hoa"].say(ticket, "một", kind="note", key="another-key-1")
    [events] = await listening
    assert [data["text"] for kind, data in events if kind == "line"] == ["Chị Lan ơi", "một"]
    assert ("ticket", ticket) in [(kind, data.get("id")) for kind, data in events]
    # The page was away meanwhile; from its old cursor it learns all that it missed, once each.
    await desk.people["hoa"].say(ticket, "hai", kind="note", key="another-key-2")
    another, _ = await asks(desk, "chuyện khác", name="Bình")
    missed = await heard(
        minh,
        path,
        lambda events: {"counts", "line"} <= {kind for kind, _ in events} and events[-1][1].get("text") == "hai",
    )
    assert [data["text"] for kind, data in missed if kind == "line"] == ["Chị Lan ơi", "một", "hai"]
    assert {data["id"] for kind, data in missed if kind == "ticket"} == {ticket, another}


async def test_a_file_that_comes_later_is_told(desk: Desk) -> None:
    minh = desk.people["minh"]
    ticket, said = await asks(desk, "", files=[File("photo", "image/jpeg", account="telegram:1", file_id="x")])
    _, opened, _ = await minh.get(f"/desk/tickets/{ticket}")
    file = opened["lines"][-1]["files"][0]
    assert (file["state"], file["url"]) == ("waiting", None)
    path = f"/desk/events?after=1:99&ticket={ticket}&thread={opened['line']['changed']}&waiting={said.seq}"
    listening = asyncio.gather(heard(minh, path, lambda events: any(kind == "line" for kind, _ in events)))
    await desk.store.write(media.fetched, file["id"], png(), "image/png", 40, 30)
    [events] = await listening
    assert events[-1][1]["files"][0]["url"] == f"/desk/media/{file['id']}"


async def test_who_is_let_go_hears_no_more(desk: Desk) -> None:
    minh = desk.people["minh"]
    await asks(desk)
    listens = asyncio.Event()

    def gone(events: list[tuple[str, Any]]) -> bool:
        if events[-1][0] == "counts":
            listens.set()
        return events[-1][0] == "gone"

    listening = asyncio.gather(heard(minh, "/desk/events?after=1:0", gone))
    await listens.wait()
    await desk.store.write(staff.remove, minh.id)
    await asks(desk, "bí mật")
    [events] = await listening
    assert [kind for kind, _ in events] == ["ticket", "counts", "gone"]
    assert (await minh.get("/desk/tickets", Accept="application/json"))[0] == 401


async def test_dead_letters_are_for_who_supervises_every_shop(desk: Desk) -> None:
    body = '{"update_id": 7, "message": {"text": "<b>/points</b>"}}'
    await desk.store.write(inbox.record_dead, "telegram:1", "7", 5, body, "Traceback\nValueError: boom")
    boss = desk.people["boss"]
    status, page, _ = await boss.get("/desk/dead-letters")
    assert status == 200
    assert b"ValueError: boom" in page
    assert b"&lt;b&gt;/points" in page
    assert (await desk.people["supervisor"].get("/desk/dead-letters"))[0] == 403
    assert await boss.post("/desk/dead-letters/replay", json={"account": "telegram:1", "key": "7"}) == (
        200,
        {"done": True},
    )
    assert desk.replayed == [("telegram:1", "7")]
    assert (await boss.post("/desk/dead-letters/replay", json={}))[0] == 400
    assert (await boss.post("/desk/dead-letters/replay", data="[" * 100_000))[0] == 400


async def test_search_view_and_page_are_read_as_they_are_meant(desk: Desk) -> None:
    ticket, _ = await asks(desk)
    minh = desk.people["minh"]
    for query, found in (
        ("view=unassigned", [ticket]), ("view=mine", []), ("view=resolved&search=bi%20vo", [ticket]), ("search=%00", []), ("view=open&before=1", []),
    ):  # fmt: skip
        _, listed, _ = await minh.get(f"/desk/tickets?{query}")
        assert [line["id"] for line in listed["lines"]] == found, query
    for query in ("view=all", "before=x", "shop=1;drop"):
        assert (await minh.get(f"/desk/tickets?{query}", Accept="application/json"))[0] == 400
