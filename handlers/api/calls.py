"""Calls: what one call of the API is. Its route, its documentation and its checks come from the same line, so that none
of them can lie about the others.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

from aiohttp import web
from pydantic import BaseModel
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from handlers.api import bodies
from handlers.web.site import Site
from store import shops
from store.errors import MovedError
from support.duties import accesses

TRIES = 4
"""A write that lost a race is run again three times."""
T = TypeVar("T")
P = ParamSpec("P")

Answer = tuple[int, BaseModel]
Handler = Callable[..., Awaitable[Answer]]
"""Takes the `Ask`, and the checked body or query where the call has one."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One call being answered: who asks, and the store's two verbs for it."""

    site: Site
    request: web.Request
    key_id: int
    shop_id: int

    @property
    def actor(self) -> str:
        """Who this is to the ledger and to the count of wrong codes."""
        return f"key:{self.key_id}"

    def number(self, what: str) -> int:
        """The `{id}` of the path; raises NotFoundError for what can't be one."""
        return bodies.number(self.request.match_info["id"], what)

    async def shop(self) -> shops.Shop:
        """The shop that the key belongs to."""
        return await self.read(shops.get, self.shop_id)

    async def saw(self, customer_id: int) -> None:
        """Note in the audit that the key was shown a customer's data, once a day."""
        if not await self.read(accesses.noted, self.actor, customer_id):
            await self.write(accesses.note, self.actor, customer_id, self.shop_id, "api")

    async def read(self, rule: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a rule that looks at few rows."""
        async with self.site.store.work() as work:
            return await work.read(rule, *args, **kwargs)

    async def report(self, rule: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a rule that looks at many rows, off the writer's way."""
        return await self.site.store.read(rule, *args, **kwargs)

    async def write(self, rule: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a writing rule as a work of its own, and again when it lost a race: the winner's rows are there then."""
        for left in reversed(range(TRIES)):
            try:
                return await self.site.store.write(rule, *args, **kwargs)
            except (MovedError, IntegrityError):
                if not left:
                    raise
        raise AssertionError


@dataclass(frozen=True, slots=True)
class Call:
    """A call: `path` stands below /api/v1; `answers` says what each good status holds; `refusals` are problem codes beside
    those that every call may give.
    """

    method: str
    path: str
    group: str
    summary: str
    handler: Handler
    answers: Mapping[int, type[BaseModel]]
    words: str = ""
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    headers: Sequence[str] = ()
    refusals: Sequence[str] = ()
    body_bytes: int = bodies.BODY_BYTES_MAX

    @property
    def name(self) -> str:
        """The operation's id: the handler's noun and verb."""
        return f"{self.handler.__module__.rsplit('.', 1)[-1]}_{self.handler.__name__}"

    async def run(self, ask: Ask) -> Answer:
        """Check what was sent and answer it."""
        if self.body is not None:
            return await self.handler(ask, await bodies.read(ask.request, self.body, self.body_bytes))
        if self.query is not None:
            return await self.handler(ask, bodies.query(ask.request, self.query))
        return await self.handler(ask)
