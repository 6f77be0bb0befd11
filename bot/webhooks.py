"""Webhooks out: what happened becomes deliveries, deliveries become signed posts, in one process at a time.

Signed as https://www.standardwebhooks.com has it: `webhook-id`, `webhook-timestamp` and `webhook-signature`, which is
HMAC-SHA256 over `id.timestamp.body`. Each endpoint has a few posts in flight of its own, so none waits for a slow one.
"""

import asyncio
import random
import socket
import time
from collections import defaultdict
from collections.abc import Callable
from email.utils import parsedate_to_datetime

import aiohttp
import structlog
from aiohttp.abc import AbstractResolver, ResolveResult

from bot.held import Held
from bot.nursery import Nursery
from handlers.api import happenings
from store import deliveries, events, outside, webhooks
from store.deliveries import Outcome, Post
from store.engine import Store
from store.errors import MovedError, StoreUnreachableError
from store.sealed import Seal, SealError

LEASE = "webhooks"
LOOK_SECONDS = 1.0
EACH = 4
"""Posts in flight to one endpoint; one to an endpoint that fails."""
ALL = 100
"""Posts in flight at all."""
POST_SECONDS = 10.0
CONNECT_SECONDS = 5.0
ANSWER_BYTES = 4096
"""Of an answer no more is read."""
WRITES = 4

log = structlog.get_logger()


class PublicResolver(AbstractResolver):
    """Names to addresses, where all of a name's addresses are public. The connection goes to the address that was looked
    at here, so a name that changes its mind gains nothing.
    """

    def __init__(self) -> None:
        self._inner = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if not all(outside.is_public(one["host"]) for one in found):
            raise PrivateAddressError(host)
        return found

    async def close(self) -> None:
        await self._inner.close()


class PrivateAddressError(OSError):
    """A name leads into a private network."""


class Webhooks:
    """The loop that has what happened told. `private`: http and private addresses are allowed (demo, or by setting)."""

    def __init__(
        self,
        store: Store,
        owner: str,
        nursery: Nursery,
        seal: Seal,
        *,
        private: bool,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._nursery = nursery
        self._seal = seal
        self._private = private
        self._chance = chance
        self._flying: defaultdict[int, set[int]] = defaultdict(set)
        self._http: aiohttp.ClientSession | None = None
        self._wake = asyncio.Event()
        self._held = Held(store, LEASE, owner)

    async def run(self) -> None:
        """Tell what happens, for ever."""
        try:
            async with self._store.hub.listen(events.TOPIC, webhooks.TOPIC) as heard:
                self._wake = heard
                while True:
                    try:
                        await self.turn()
                    except (MovedError, StoreUnreachableError) as error:
                        log.warning("webhooks wait a moment", error=str(error))
                    await heard.within(LOOK_SECONDS)
        finally:
            if self._http is not None:
                await self._http.close()
                self._http = None

    async def turn(self) -> None:
        """Write what happened as deliveries, and start the posts that are due."""
        if not await self._held.mine():
            return
        async with self._store.work() as work:
            new = await work.read(events.any_new, deliveries.FOLLOWER)
        while new:
            new = bool(await self._store.write(deliveries.take, happenings.told))
        async with self._store.work() as work:
            if not await work.read(deliveries.any_due):
                return
            # A copy: what ends while the look is under way still waits in what the look saw.
            flying = {endpoint: frozenset(posts) for endpoint, posts in self._flying.items()}
            posts = await work.read(deliveries.due, flying, EACH)
        for post in posts[: ALL - sum(map(len, self._flying.values()))]:
            self._flying[post.endpoint_id].add(post.id)
            self._nursery.start(self._deliver(post), f"webhook {post.id}")

    async def _deliver(self, post: Post) -> None:
        try:
            outcome = await self._post(post)
            await self._written(post, outcome)
        finally:
            flying = self._flying[post.endpoint_id]
            flying.discard(post.id)
            if not flying:
                del self._flying[post.endpoint_id]
            self._wake.set()

    async def _written(self, post: Post, outcome: Outcome) -> None:
        """Write how it ended. Where that can't be written it is posted again: the receiver knows it by its name."""
        for left in reversed(range(WRITES)):
            try:
                await self._store.write(deliveries.ended, post.id, outcome, self._chance())
            except (MovedError, StoreUnreachableError) as error:
                if not left:
                    log.warning("a webhook's end could not be written", delivery=post.id, error=str(error))
                await asyncio.sleep(0)
            else:
                return

    async def _post(self, post: Post) -> Outcome:
        problem = outside.url_problem(post.url, private=self._private)
        if problem is not None:
            return Outcome(error="private_address" if problem == "private" else problem)
        try:
            secrets = [self._seal.open(secret) for secret in post.secrets]
        except SealError:
            return Outcome(error="secret_unreadable")
        timestamp = int(self._store.clock.now().timestamp())
        headers = {
            "Content-Type": "application/json", "User-Agent": "Regulars-Webhooks/1", "webhook-id": post.name,
            "webhook-timestamp": str(timestamp), "webhook-signature": webhooks.signature(secrets, post.name, timestamp, post.body),
        }  # fmt: skip
        began = time.monotonic()
        try:
            async with self._session().post(
                post.url, data=post.body.encode(), headers=headers, allow_redirects=False
            ) as response:
                answer = await _beginning(response)
                millis = _since(began)
                error = "redirect" if 300 <= response.status < 400 else None
                wait = _seconds(response.headers.get("Retry-After"), self._store.clock.now().timestamp())
                return Outcome(response.status, error, answer, millis, wait)
        except PrivateAddressError:
            return Outcome(error="private_address", millis=_since(began))
        except aiohttp.ClientConnectorDNSError as error:
            private = isinstance(error.os_error, PrivateAddressError) or isinstance(
                error.__cause__, PrivateAddressError
            )
            return Outcome(error="private_address" if private else "no_such_host", millis=_since(began))
        except aiohttp.ClientSSLError:
            return Outcome(error="certificate", millis=_since(began))
        except TimeoutError:
            return Outcome(error="timeout", millis=_since(began))
        except aiohttp.ClientConnectorError:
            return Outcome(error="no_connection", millis=_since(began))
        except (aiohttp.ClientError, OSError, ValueError):
            return Outcome(error="cut_off", millis=_since(began))

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            connector = aiohttp.TCPConnector(limit=ALL, resolver=None if self._private else PublicResolver())
            self._http = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=POST_SECONDS, sock_connect=CONNECT_SECONDS),
            )  # fmt: skip
        return self._http


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """How the answer's body begins: what helps somebody find their mistake."""
    body = await response.content.read(ANSWER_BYTES)
    return "".join(sign for sign in body.decode("utf-8", "replace") if sign.isprintable() or sign in "\n ")


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def _seconds(header: str | None, moment: float) -> float | None:
    """A Retry-After, in seconds or as a date."""
    if not header:
        return None
    if header.isascii() and header.isdecimal():
        return float(header[:9])
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - moment)
    except (ValueError, TypeError, OverflowError):
        return None
