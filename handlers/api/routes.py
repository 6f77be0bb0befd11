"""Routes: the API on an aiohttp application. For each call: the key first, then the path, then the body."""

import asyncio
from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import structlog
from aiohttp import hdrs, web

from handlers.api import (
    campaigns,
    customers,
    insights,
    media,
    orders,
    points,
    programs,
    recognition,
    segments,
    settlement,
    vouchers,
    webhooks,
)
from handlers.api.calls import Ask, Call
from handlers.api.docs import page, stylesheet
from handlers.api.health import Metrics, setup_health
from handlers.api.keys import Limiter, caller
from handlers.api.openapi import document
from handlers.api.problems import ProblemError, answer, told
from handlers.web.site import Handler, Site

BASE = "/api/v1"
CALLS: Sequence[Call] = (
    *customers.CALLS,
    *points.CALLS,
    *orders.CALLS,
    *vouchers.CALLS,
    *programs.CALLS,
    *recognition.CALLS,
    *settlement.CALLS,
    *segments.CALLS,
    *media.CALLS,
    *campaigns.CALLS,
    *insights.CALLS,
    *webhooks.CALLS,
)
LIMITER = web.AppKey("api_limiter", Limiter)
METRICS = web.AppKey("metrics", Metrics)

log = structlog.get_logger()


def setup_api(app: web.Application, site: Site) -> None:
    """Add the API, its description and its documentation, and what watches the program."""
    app[LIMITER] = Limiter()
    app[METRICS] = Metrics()
    app.router.add_get(f"{BASE}/openapi.json", _description)
    app.router.add_get("/api/docs", page(described, site.public_url))
    app.router.add_get("/api/docs.css", stylesheet)
    for call in CALLS:
        add = app.router.add_get if call.method == hdrs.METH_GET else partial(app.router.add_route, call.method)
        add(BASE + call.path, _route(call, site))
    app.router.add_route(hdrs.METH_ANY, BASE + "{tail:(/.*)?}", _elsewhere(site))
    setup_health(app, site.store, app[METRICS])


@cache
def described() -> dict[str, Any]:
    """The description, made when it is first asked for: it takes a quarter of a second that no start should wait for."""
    return document(CALLS, BASE)


async def _description(_request: web.Request) -> web.Response:
    return web.json_response(await asyncio.to_thread(described))


def _route(call: Call, site: Site) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        key_id, shop_id = await caller(request, site.store, request.app[LIMITER])
        status, found = await call.run(Ask(site, request, key_id, shop_id))
        return web.Response(text=found.model_dump_json(by_alias=True), status=status, content_type="application/json")

    return _answered(handle, site, call.path)


def _elsewhere(site: Site) -> Handler:
    """What is at no other path: 401 without a key, then 404, or 405 where the path has other methods."""

    async def handle(request: web.Request) -> web.Response:
        await caller(request, site.store, request.app[LIMITER])
        allowed: set[str] = set()
        for resource in request.app.router.resources():
            if resource is not request.match_info.route.resource:
                allowed |= (await resource.resolve(request))[1]
        if allowed:
            raise ProblemError("method_not_allowed", headers={hdrs.ALLOW: ", ".join(sorted(allowed))})
        raise ProblemError("not_found", "There is nothing at this path.")

    return _answered(handle, site, "elsewhere")


def _answered(handle: Handler, site: Site, route: str) -> Handler:
    """Whatever happens becomes an answer, and is counted; nothing leaks a traceback."""

    async def answered(request: web.Request) -> web.StreamResponse:
        try:
            response = await handle(request)
        except Exception as error:  # the outermost edge: what nobody foresaw is logged and answered
            problem = told(error)
            if problem is None:
                log.exception("an API call broke", method=request.method, route=route)
                problem = ProblemError("internal")
            response = answer(problem, site.public_url)
        request.app[METRICS].count(request.method, route, response.status)
        return response

    return answered
