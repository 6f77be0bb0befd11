"""Reservations a second through the HTTP API: a voucher is reserved for an order, then confirmed. Beside it the same shape
(hold, then post) as anybody writes it first: aiohttp, SQLAlchemy Core, one table of stock and one of holds, on the same kind
of database.
"""

import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import sqlalchemy as sa
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bench.updates import free_port, process
from loyalty import programme
from loyalty.vouchers import batches, shared_codes, voucher_programs, vouchers
from loyalty.vouchers.voucher_programs import Kind
from store import schema, staff
from store.engine import Store, open_store

AT_ONCE = 16
KEYS = 64
"""One key may call 200 times a second: as many as a chain's tills would have."""
ORDER = {"order_total": 150_000}
Pair = Callable[[aiohttp.ClientSession, int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Reserved:
    """Reservations and confirmations a second: of single codes, of one code with a stock for everybody, and bare."""

    single: float
    shared: float
    bare: float


def measure(pairs: int = 1_000, rounds: int = 3, database_url: str | None = None) -> Reserved:
    """Medians; the three take turns. On SQLite unless an empty database is named."""
    return asyncio.run(_measure(pairs, rounds, database_url))


async def _measure(pairs: int, rounds: int, database_url: str | None) -> Reserved:
    with tempfile.TemporaryDirectory() as folder:
        ours = database_url or f"sqlite+aiosqlite:///{Path(folder) / 'ours.db'}"
        bare = database_url or f"sqlite+aiosqlite:///{Path(folder) / 'bare.db'}"
        store = open_store(ours)
        keys, single, shared = await _offers(store, pairs * rounds)
        await store.close()
        ports = {"ours": free_port(), "bare": free_port()}
        with (
            process("-m", "bench.reserving", "ours", str(ports["ours"]), ours),
            process("-m", "bench.reserving", "bare", str(ports["bare"]), bare),
        ):
            roots = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
            for root in roots.values():
                await _answers(root)
            codes = iter(single)
            ways: dict[str, Pair] = {
                "bare": lambda http, number: _bare(http, roots["bare"], number),
                "single": lambda http, number: _ours(http, roots["ours"], keys[number % KEYS], next(codes), number),
                "shared": lambda http, number: _ours(http, roots["ours"], keys[number % KEYS], shared, -number),
            }
            rates: dict[str, list[float]] = {name: [] for name in ways}
            for turn in range(rounds):
                for name, way in ways.items():
                    rates[name].append(await _rate(way, range(1 + turn * pairs, 1 + (turn + 1) * pairs)))
    return Reserved(median(rates["single"]), median(rates["shared"]), median(rates["bare"]))


async def _offers(store: Store, codes: int) -> tuple[list[str], list[str], str]:
    await schema.migrate(store)
    shop = await store.write(programme.open_shop, "Bench", timezone="Asia/Ho_Chi_Minh", language="vi")
    keys = [await store.write(staff.add_api_key, shop) for _ in range(KEYS)]
    off: dict[str, Any] = {"kind": Kind.AMOUNT, "value": 20_000}
    single = await store.write(voucher_programs.add, shop_id=shop, name="Single", **off)
    batch = await store.write(batches.start, single.id, codes, actor="bench")
    async for _ in store.stream(batches.work, batch.id):
        pass
    offer = await store.write(voucher_programs.add, shop_id=shop, name="Shared", shared=True, stock=10 * codes, **off)
    shared = await store.write(shared_codes.add, offer.id, "BENCH2026")
    v = vouchers.vouchers.c
    made = await store.read(
        lambda session: session.execute(sa.select(v.code).where(v.program_id == single.id)).scalars().all()
    )
    return keys, list(made), shared.code


async def _rate(way: Pair, numbers: range) -> float:
    left = iter(numbers)
    async with aiohttp.ClientSession() as http:

        async def work() -> None:
            for number in left:
                await way(http, number)

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        return len(numbers) / (time.perf_counter() - began)


async def _post(http: aiohttp.ClientSession, url: str, key: str = "", body: Any = None) -> Any:
    async with http.post(url, json=body, headers={"Authorization": f"Bearer {key}"}) as answer:
        found = await answer.json()
        assert answer.status < 300, found
        return found


async def _ours(http: aiohttp.ClientSession, root: str, key: str, code: str, number: int) -> None:
    body = {"order": f"B{number}", **ORDER}
    held = await _post(http, f"{root}/api/v1/vouchers/{code}/redemptions", key, body)
    await _post(http, f"{root}/api/v1/redemptions/{held['id']}/confirm", key)


async def _bare(http: aiohttp.ClientSession, root: str, number: int) -> None:
    held = await _post(http, f"{root}/reserve", body={"order": f"B{number}", **ORDER})
    await _post(http, f"{root}/confirm/{held['id']}")


async def _answers(root: str) -> None:
    async with aiohttp.ClientSession() as http:
        for _ in range(1_200):
            try:
                async with http.get(f"{root}/healthz"):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)
    raise TimeoutError(f"{root} did not start")


# ── The two that serve ─────────────────────────────────────────────────────────────────────────────


async def _product(url: str) -> web.Application:
    from handlers.api.routes import setup_api
    from handlers.web.site import Site, setup_site

    async def never(*_: Any) -> Any:
        raise AssertionError("the API has no business there")

    site = Site(
        store=open_store(url), secret_key="x" * 32, public_url="https://bench.example", language="vi",
        links=lambda _payload: [], feed=never, replay=never,
    )  # fmt: skip
    app = web.Application()
    setup_site(app, site)
    setup_api(app, site)
    return app


_META = sa.MetaData()
_STOCK = sa.Table(
    "bench_stock", _META, sa.Column("id", sa.Integer, primary_key=True), sa.Column("left", sa.Integer, nullable=False)
)
_HOLDS = sa.Table(
    "bench_holds", _META, sa.Column("id", sa.Integer, primary_key=True), sa.Column("order", sa.Text, nullable=False),
    sa.Column("total", sa.BigInteger, nullable=False), sa.Column("state", sa.Text, nullable=False),
)  # fmt: skip


async def _plain(url: str) -> web.Application:
    engine: AsyncEngine = create_async_engine(url)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine.sync_engine, "connect", _as_ours)
    async with engine.begin() as connection:
        await connection.run_sync(_META.create_all)
        await connection.execute(sa.insert(_STOCK).values(id=1, left=1_000_000_000))

    async def reserve(request: web.Request) -> web.Response:
        body = await request.json()
        async with engine.begin() as connection:
            taken = await connection.execute(
                sa.update(_STOCK).where(_STOCK.c.id == 1, _STOCK.c.left > 0).values(left=_STOCK.c.left - 1)
            )
            if not taken.rowcount:
                return web.json_response({"error": "sold out"}, status=409)
            values = {"order": body["order"], "total": body["order_total"], "state": "held"}
            number = (await connection.execute(sa.insert(_HOLDS).values(**values).returning(_HOLDS.c.id))).scalar_one()
        return web.json_response({"id": number}, status=201)

    async def confirm(request: web.Request) -> web.Response:
        async with engine.begin() as connection:
            done = await connection.execute(
                sa.update(_HOLDS)
                .where(_HOLDS.c.id == int(request.match_info["id"]), _HOLDS.c.state == "held")
                .values(state="posted")
            )
        return web.json_response({}, status=200 if done.rowcount else 409)

    app = web.Application()
    app.add_routes([web.post("/reserve", reserve), web.post("/confirm/{id}", confirm)])
    return app


def _as_ours(connection: Any, _record: object) -> None:
    """SQLite as the product opens it: a commit is on the disk when it is done."""
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 30000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


async def _serve(kind: str, port: int, url: str) -> None:
    runner = web.AppRunner(await (_product if kind == "ours" else _plain)(url), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    if len(sys.argv) == 4:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
    else:
        print(measure())  # noqa: T201  # its output
