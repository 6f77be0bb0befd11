"""The calls of the till's page: who may make them, and refusals in the till's words."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from handlers.web import site
from handlers.web.site import Handler
from handlers.web.till import shown
from loyalty.attempts import TooManyError
from store.errors import InvalidError, NotFoundError, RuleError
from store.pins import PinClosedError
from store.staff import Right

NUMBER_MAX = 2**53


class Asked(BaseModel):
    """What every call of the page names: the shop whose till it is."""

    model_config = ConfigDict(strict=True, extra="forbid")

    shop: int = Field(ge=1, le=NUMBER_MAX)


T = TypeVar("T", bound=Asked)


def till(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A route of the till: staff with a till only, refusals in the till's words."""

    async def told(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except ValidationError as error:
            raise web.HTTPBadRequest from error
        except RuleError as error:
            words = shown.refusal(site.words_of(request), error)
            if words is None:
                raise
            status = (
                422 if isinstance(error, InvalidError)
                else 404 if isinstance(error, NotFoundError)
                else 429 if isinstance(error, TooManyError | PinClosedError)
                else 409
            )  # fmt: skip
            return web.json_response({"error": words, "code": error.code}, status=status)

    return site.need(Right.TILL)(told)


async def asked(request: web.Request, shape: type[T]) -> T:
    """The body, its shop being one where the member has a till."""
    said = shape.model_validate_json(await request.read())
    site.member_of(request).need(Right.TILL, said.shop)
    return said
