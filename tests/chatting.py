"""People talking with the whole program: on Telegram (our Bot API server) and on the web chat (over HTTP, as the page does)."""

import asyncio
import io
import json
import re
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import sqlalchemy as sa

from loyalty.customers import customers
from loyalty.customers.customers import Customer
from loyalty.orders import orders
from loyalty.orders.orders import OrderInput, OrderState, Status
from store import staff
from store.clock import SetClock
from store.staff import Member, Role
from support import thread, tickets
from tests.botapi.people import Person, buttons_of
from tests.running import Running, running

Json = dict[str, Any]
NOTHING_WAITS = (
    "SELECT (SELECT count(*) FROM outbox WHERE state IN ('queued', 'sending'))"
    " + (SELECT count(*) FROM notices WHERE state = 'waiting' AND due_at <= :now)"
)


_numbers: Iterator[int] = count(1)


def fresh_phone() -> str:
    """A number that nobody has had in this run: 0903xxxxxx."""
    return f"0903{next(_numbers):06}"


def e164(phone: str) -> str:
    return f"+84{phone[1:]}"


def spaced(phone: str) -> str:
    """As the shop writes it: 0903 000 001."""
    return f"{phone[:4]} {phone[4:7]} {phone[7:]}"


@asynccontextmanager
async def open_shop(template: Path, folder: Path, clock: SetClock) -> AsyncIterator[Running]:
    """The program on a database of its own, for all tests of a file: each brings its own people."""
    path = folder / "regulars.db"
    shutil.copy(template, path)
    async with running(f"sqlite+aiosqlite:///{path}", webhook=True, clock=clock, demo=True) as started:
        yield started


async def nothing_went_wrong(shop: Running) -> None:
    """Nothing was sent that Telegram would refuse, and no handler failed."""
    await quiet(shop)
    refused = shop.api.refused[:]
    shop.api.refused.clear()
    assert refused == []
    dead = await shop.store.read(
        lambda s: s.execute(sa.text("SELECT body, error FROM inbox WHERE state = 'dead'")).all()
    )
    await shop.store.write(lambda s: s.execute(sa.text("DELETE FROM inbox WHERE state = 'dead'")))
    assert dead == []


async def quiet(shop: Running) -> None:
    """Wait until every update was taken and everything it caused has left."""
    await shop.api.wait_delivered()
    now = int(shop.store.clock.now().timestamp() * 1_000_000)
    async with asyncio.timeout(5):
        while await shop.store.read(lambda s: s.execute(sa.text(NOTHING_WAITS), {"now": now}).scalar()):
            await asyncio.sleep(0.01)


async def say(shop: Running, person: Person, text: str) -> list[str]:
    """Write on Telegram; the texts that come back."""
    before = len(person.inbox)
    await person.send(text)
    await quiet(shop)
    return person.texts[before:]


async def tap(shop: Running, person: Person, wanted: str, message: Json | None = None) -> list[str]:
    """Tap a button under a message (the last that has buttons); the texts that come back."""
    before = len(person.inbox)
    await person.tap(message or last_with_buttons(person), wanted)
    await quiet(shop)
    return person.texts[before:]


def last_with_buttons(person: Person) -> Json:
    return next(m for m in reversed(person.inbox) if "inline_keyboard" in m.get("reply_markup", {}))


def labels(message: Json) -> list[str]:
    return [button["text"] for button in buttons_of(message)]


async def settled_person(shop: Running, **about: Any) -> Person:
    """Somebody on Telegram who has arrived and answered how they are called."""
    person = shop.api.user(**{"first_name": "Lan", "last_name": "Nguyễn", "language_code": "vi"} | about)
    await say(shop, person, "/start")
    if person.about.get("language_code") == "vi":
        await tap(shop, person, "Bạn")
    return person


async def customer_of(shop: Running, person: Person) -> Customer:
    found = await shop.store.read(customers.identify, shop.app.telegram.account, person.id)
    assert found is not None
    return await shop.store.read(customers.get, found.customer_id)


async def put_order(shop: Running, number: str, total: int, at: datetime | None = None, **who: Any) -> OrderState:
    """A completed order; `who`: customer_id or phone or nobody."""
    told = OrderInput(
        total=total, currency="VND", placed_at=at or shop.store.clock.now(), status=Status.COMPLETED, **who
    )
    return await shop.store.write(orders.put, shop.shop_id, number, told)


async def give_points(shop: Running, person: Person, points: int) -> int:
    """An order that earns so many points; the customer's number. What they are told about it is waited for."""
    customer = await customer_of(shop, person)
    await put_order(shop, f"G-{uuid.uuid4().hex[:6]}", points * 1000, customer_id=customer.id)
    await quiet(shop)
    return customer.id


async def agent(shop: Running, name: str = "Minh Trần") -> Member:
    return await shop.store.read(staff.get, await shop.store.write(staff.add, name, Role.AGENT, shop.shop_id))


async def tickets_of(shop: Running, customer_id: int) -> list[tickets.Ticket]:
    return await shop.store.read(tickets.tickets_of, customer_id)


async def thread_of(shop: Running, ticket_id: int, member: Member) -> list[thread.Message]:
    """The messages of a ticket, oldest first, as the desk sees them."""
    lines = await shop.store.read(thread.page, ticket_id, member)
    return [line for line in lines if isinstance(line, thread.Message)]


class Visitor:
    """A browser on /chat: what its page reads and posts, without its script."""

    def __init__(self, http: aiohttp.ClientSession, shop: Running) -> None:
        self._http = http
        self._shop = shop
        self.boot: Json = {}
        self.bubbles: dict[str, Json] = {}
        self.toasts: list[Json] = []
        self._changed = asyncio.Event()
        self._stream: asyncio.Task[None] | None = None

    async def open(self, query: str = "") -> "Visitor":
        async with self._http.get(f"{self._shop.url}/chat{query}") as response:
            assert response.status == 200
            page = await response.text()
        found = re.search(r'<script[^>]*id="boot"[^>]*>(.*?)</script>', page, re.DOTALL)
        assert found is not None
        self.boot = json.loads(found[1])
        for bubble in self.boot["bubbles"]:
            self.bubbles[bubble["id"]] = bubble
        self._stream = asyncio.get_running_loop().create_task(self._read())
        if not self.boot["bubbles"] or self.boot["start"]:
            # The page says /start by itself on a first visit, and with a payload.
            await self.post({"text": f"/start {self.boot['start'] or ''}".strip(), "auto": True})
        return self

    async def close(self) -> None:
        if self._stream is not None:
            self._stream.cancel()
            await asyncio.wait({self._stream})

    async def _read(self) -> None:
        url = f"{self._shop.url}/chat/events?after={self.boot['cursor']}"
        async with self._http.get(url, timeout=aiohttp.ClientTimeout(total=None)) as stream:
            kind = ""
            async for raw in stream.content:
                line = raw.decode().strip()
                if line.startswith("event:"):
                    kind = line[6:].strip()
                elif line.startswith("data:"):
                    self._heard(kind, json.loads(line[5:]))

    def _heard(self, kind: str, data: Json) -> None:
        if kind == "bubble":
            self.bubbles[data["id"]] = data
        elif kind == "toast":
            self.toasts.append(data)
        self._changed.set()

    @property
    def shown(self) -> list[Json]:
        """The shop's bubbles, in order."""
        every = sorted(self.bubbles.values(), key=lambda bubble: bubble["number"])
        return [bubble for bubble in every if bubble["from"] == "shop" and not bubble["deleted"]]

    @property
    def texts(self) -> list[str]:
        return [bubble["text"] for bubble in self.shown]

    async def post(self, body: Json, *, csrf: str | None = None, ref: str | None = None) -> tuple[int, Json]:
        sent = {"ref": ref or str(uuid.uuid4()), **body}
        headers = {"X-CSRF-Token": self.boot["csrf"] if csrf is None else csrf}
        async with self._http.post(f"{self._shop.url}/chat/send", json=sent, headers=headers) as response:
            return response.status, await response.json(content_type=None)

    async def post_files(self, *files: tuple[str, bytes, str], caption: str = "") -> tuple[int, Json]:
        form = aiohttp.FormData()
        form.add_field("ref", str(uuid.uuid4()))
        form.add_field("caption", caption)
        for name, content, mime in files:
            form.add_field("file", io.BytesIO(content), filename=name, content_type=mime)
        headers = {"X-CSRF-Token": self.boot["csrf"]}
        async with self._http.post(f"{self._shop.url}/chat/send", data=form, headers=headers) as response:
            return response.status, await response.json(content_type=None)

    async def say(self, text: str) -> list[str]:
        """Write; the texts that come back."""
        return [bubble["text"] for bubble in await self._answers({"text": text})]

    async def tap(self, wanted: str) -> list[str]:
        """Tap a button by its label under the newest bubble that has it; the texts that come back or changed."""
        bubble, button = next(
            (bubble, button)
            for bubble in reversed(self.shown)
            for row in bubble["buttons"]
            for button in row
            if button["text"] == wanted
        )
        body = {"tap": {"bubble": bubble["id"], "data": button["data"]}}
        return [bubble["text"] for bubble in await self._answers(body)]

    async def _answers(self, body: Json) -> list[Json]:
        before = {bubble["id"]: bubble["seq"] for bubble in self.shown}
        status, answer = await self.post(body)
        assert status == 200, answer
        await self.caught_up()
        return [bubble for bubble in self.shown if before.get(bubble["id"]) != bubble["seq"]]

    async def caught_up(self) -> None:
        """Wait until all that was caused has left, and the stream has shown it."""
        await quiet(self._shop)
        chat = int(self.boot["visitor"])
        last = await self._shop.store.read(
            lambda s: s.execute(
                sa.text(
                    "SELECT max(seq) FROM bubbles WHERE chat_id = :chat AND who IN ('me', 'shop')"
                ), {"chat": chat}
            ).scalar()
        )  # fmt: skip
        async with asyncio.timeout(5):
            while max((bubble["seq"] for bubble in self.bubbles.values()), default=0) < (last or 0):
                self._changed.clear()
                await self._changed.wait()

    async def customer(self) -> Customer:
        found = await self._shop.store.read(customers.identify, "web", int(self.boot["visitor"]))
        assert found is not None
        return await self._shop.store.read(customers.get, found.customer_id)

    async def get(self, path: str) -> tuple[int, bytes]:
        async with self._http.get(f"{self._shop.url}{path}") as response:
            return response.status, await response.read()


@asynccontextmanager
async def visiting(shop: Running, query: str = "", language: str = "vi") -> AsyncIterator[Visitor]:
    """A new browser opens the chat."""
    headers = {"Accept-Language": language}
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), headers=headers) as http:
        visitor = Visitor(http, shop)
        try:
            await visitor.open(query)
            await visitor.caught_up()
            yield visitor
        finally:
            await visitor.close()
