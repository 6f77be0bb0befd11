"""Importing in the console: a file is looked over, its columns are chosen, it is taken in by the worker, stopped, killed
and gone on with; what can't be read changes nothing.
"""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa
import xlsxwriter
from sqlalchemy.orm import Session

from bot import import_loop
from bot.nursery import Nursery
from loyalty import programme
from loyalty.customers import customers
from loyalty.orders import import_jobs, orders
from loyalty.orders.import_jobs import Job, State
from loyalty.points import ledger
from store.clock import SetClock
from store.engine import Store
from store.errors import ConflictError, InvalidError, NotFoundError
from store.staff import Role
from tests.test_console import Browser, Console, Page, console

__all__ = ["console"]
ZONE = "Asia/Ho_Chi_Minh"
ORDERS = """DANH SÁCH ĐƠN HÀNG;;;;
Mã đơn;Liên lạc;Tổng tiền hàng;Ngày mua;Trạng thái
HD-1;0903 123 456;1.250.000 đ;20/11/2026 14:05;Hoàn thành
HD-2;0903 999 888;85.000;19/11/2026;Đã hủy
HD-3;không có;85.000;19/11/2026;Hoàn thành
HD-4;0903 123 456;rất nhiều;19/11/2026;Hoàn thành
HD-5;0903 123 456;30.000;31/12/2031;Hoàn thành
"""


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """Pages on SQLite; the rules below ask for both."""
    return str(request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_url"))


both = pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)


@asynccontextmanager
async def worker(store: Store, owner: str = "a") -> AsyncIterator[None]:
    nursery = Nursery()
    nursery.keep(lambda: import_loop.import_loop(store, owner), "imports")
    try:
        yield
    finally:
        await nursery.stop()


async def reached(store: Store, job: int, shop: int, wanted: Any, seconds: float = 20.0) -> Job:
    async with asyncio.timeout(seconds):
        while not wanted(found := await store.read(import_jobs.get, job, shop)):
            await asyncio.sleep(0.005)
    return found


async def send(browser: Browser, content: bytes, name: str, what: str = "orders", csrf: str | None = None) -> Page:
    """Upload as the page's script does."""
    form = aiohttp.FormData()
    form.add_field("what", what)
    form.add_field("file", content, filename=name)
    headers = {"X-CSRF-Token": browser.csrf if csrf is None else csrf, "HX-Request": "true"}
    async with browser.http.post(f"{browser.root}/shop/import", data=form, headers=headers) as response:
        return Page(response.status, await response.text(), response.url.path_qs, response.headers)


async def counts(store: Store) -> tuple[int, int]:
    def look(session: Session) -> tuple[int, int]:
        return tuple(
            session.execute(sa.select(sa.func.count()).select_from(of)).scalar_one()
            for of in (orders.orders, customers.customers)
        )  # type: ignore[return-value]

    return await store.read(look)


async def test_a_file_is_looked_over_its_columns_chosen_and_taken_in(console: Console) -> None:
    browser = await console.as_(Role.MANAGER, console.shop)
    await browser.get("/shop/import")
    sent = await send(browser, ORDERS.encode(), "don-hang.csv")
    assert sent.headers["HX-Redirect"].startswith("/shop/import/")
    page = await browser.get(sent.headers["HX-Redirect"])
    assert "Say which column holds: Phone." in page.text
    assert "B · Liên lạc" in page.text, "a heading that we don't know can be chosen"
    job = int(sent.headers["HX-Redirect"].rpartition("/")[2])
    look = await browser.get(
        f"/shop/import/{job}/preview?col_external_id=0&col_phone=1&col_total=2&col_placed_at=3&col_status=4"
    )
    for seen in (
        "HD-1",
        "0903 123 456",
        "₫1,250,000",
        "14:05 20 Nov 2026",
        "is not a phone number",
        "in the column Total is not a whole number",
    ):
        assert seen in look.text, seen
    assert "2 of 5 rows can't be taken in" in look.text
    assert await counts(console.store) == (0, 0), "looking changes nothing"
    # Another column for the order's number: the rows follow.
    look = await browser.get(f"/shop/import/{job}/preview?col_external_id=1&col_phone=1&col_total=2&col_placed_at=3")
    assert "HD-1" not in look.text
    lacking = await browser.get(f"/shop/import/{job}/preview?col_phone=1&col_total=2&col_placed_at=3")
    assert "Say which column holds: Order number" in lacking.text
    refused = await browser.post(f"/shop/import/{job}/start", {"col_phone": "1"})
    assert (await console.store.read(import_jobs.get, job, console.shop)).state == State.DRAFT, refused.text
    form = {"col_external_id": "0", "col_phone": "1", "col_total": "2", "col_placed_at": "3", "col_status": "4"}
    running = await browser.post(f"/shop/import/{job}/start", form)
    assert "Running" in running.text
    async with worker(console.store):
        done = await reached(console.store, job, console.shop, lambda job: job.state == State.DONE)
    assert (done.done, done.new, done.refused) == (5, 2, 3)
    page = await browser.get(f"/shop/import/{job}/progress")
    assert "Done" in page.text
    assert "every 1s" not in page.html
    assert await counts(console.store) == (2, 2)
    rejected = await browser.get(f"/shop/import/{job}/rejected.csv")
    lines = rejected.html.lstrip("\ufeff").splitlines()
    assert lines[0] == "Mã đơn,Liên lạc,Tổng tiền hàng,Ngày mua,Trạng thái,line,reason"
    assert [line.split(",")[0] for line in lines[1:]] == ["HD-3", "HD-4", "HD-5"]
    assert "5," in lines[1]
    assert "lies in the future" in lines[3]
    started = await console.rows("import_started")
    assert started[0].data["what"] == "orders"


async def test_a_workbook_of_customers_with_opening_points_is_the_owners_business(console: Console) -> None:
    book = io.BytesIO()
    with xlsxwriter.Workbook(book) as workbook:
        sheet = workbook.add_worksheet()
        for row, cells in enumerate([("Họ tên", "SĐT", "Điểm", "Ngày sinh"), ("Lan", "0903123456", 120, "15/08/1994")]):
            sheet.write_row(row, 0, cells)
    manager = await console.as_(Role.MANAGER, console.shop)
    await manager.get("/shop/import")
    sent = await send(manager, book.getvalue(), "khach.xlsx", "customers")
    at = sent.headers["HX-Redirect"]
    assert "only an owner can take them in" in (await manager.get(at)).text
    form = {"col_phone": "1", "col_name": "0", "col_points": "2", "col_birthday": "3"}
    assert (await manager.post(f"{at}/start", form)).status == 403
    owner = await console.as_(Role.OWNER)
    page = await owner.get(at)
    assert "0903 123 456" in page.text
    assert "120" in page.text
    await owner.post(f"{at}/start", form)
    async with worker(console.store):
        await reached(console.store, int(at.rpartition("/")[2]), console.shop, lambda job: job.state == State.DONE)
    person = await console.store.read(customers.by_phone, "+84903123456")
    assert person is not None
    assert (await console.store.read(ledger.balances, "customer", person))["available"] == 120


async def test_a_bad_file_is_refused_in_words_and_nothing_changes(console: Console) -> None:
    browser = await console.as_(Role.MANAGER, console.shop)
    await browser.get("/shop/import")
    for content, name, words in (
        (b"PK\x03\x04 no workbook at all", "a.xlsx", "This file can't be read"),
        (b"\x00\x01\x02\x00" * 50, "a.csv", "This file can't be read"),
        (b"\n\n\n", "a.csv", "There is nothing in this file"),
        (b"", "a.csv", "Choose a file first"),
    ):
        refused = await send(browser, content, name)
        assert (refused.status, words in refused.text) == (422, True), (name, refused.text[-300:])
    assert (await send(browser, ORDERS.encode(), "a.csv", csrf="nonsense")).status == 403
    assert await console.store.read(import_jobs.of_shop, console.shop) == []


async def test_who_may_import_what(console: Console) -> None:
    other = await console.store.write(programme.open_shop, "Quán Hai", timezone=ZONE, language="vi")
    mine = await console.as_(Role.MANAGER, console.shop)
    await mine.get("/shop/import")
    at = (await send(mine, ORDERS.encode(), "a.csv")).headers["HX-Redirect"]
    for role, shop in ((Role.MANAGER, other), (Role.CASHIER, console.shop), (Role.AGENT, console.shop)):
        browser = await console.as_(role, shop)
        page = await browser.get(at)
        assert page.status in {403, 404}, role
        assert (await browser.post(f"{at}/start", {})).status in {403, 404}, role
    assert (await mine.post(f"{at}/discard", {})).status == 200
    assert (await mine.get(at)).status == 404


async def _job(store: Store, rows: int, what: str = "orders") -> tuple[int, Job]:
    """A draft of many orders, of people who come again and again; every tenth can't be read."""
    shop = await store.write(programme.open_shop, "Phố Cafe", timezone=ZONE, language="vi")
    lines = [
        f"HD-{number},{'x' if number % 10 == 9 else f'0903{number % 40:06}'},{1_000 * number},20/11/2026"
        for number in range(rows)
    ]
    content = "\n".join(["external_id,phone,total,placed_at", *lines]).encode()
    header = ["external_id", "phone", "total", "placed_at"]
    columns = {name: place for place, name in enumerate(header)}
    return shop, await store.write(import_jobs.add, shop, "staff:1", what, "a.csv", content, header, columns, rows)


@both
async def test_stopped_killed_and_gone_on_it_takes_each_row_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_loop, "BATCH", 20)
    shop, job = await _job(store, 400)
    with pytest.raises(NotFoundError):
        await store.write(import_jobs.start, job.id, shop + 1)
    await store.write(import_jobs.start, job.id, shop)
    with pytest.raises(ConflictError):
        await store.write(import_jobs.start, job.id, shop)
    with pytest.raises(ConflictError):
        await store.write(import_jobs.discard, job.id, shop)
    async with worker(store):
        await reached(store, job.id, shop, lambda job: job.done >= 60)
        stopped = await store.write(import_jobs.stop, job.id, shop)
    stands = await store.read(import_jobs.get, job.id, shop)
    assert (stands.state, stands.done) == (State.STOPPED, stopped.done), "nothing is taken in after the stop"
    assert 60 <= stands.done < 400
    await store.write(import_jobs.start, job.id, shop)
    # Killed in the middle: what the batch under way wrote is rolled back with it.
    async with worker(store):
        await reached(store, job.id, shop, lambda job: job.done >= stands.done + 60)
    async with worker(store):
        done = await reached(store, job.id, shop, lambda job: job.state == State.DONE)
    assert (done.done, done.new, done.refused) == (400, 360, 40)
    assert len(await store.read(import_jobs.refused_rows, job.id)) == 40
    assert (await counts(store))[0] == 360
    assert await store.read(ledger.check) == []
    with pytest.raises(NotFoundError):
        await store.read(import_jobs.content, job.id)


@both
async def test_a_batch_that_another_worker_has_taken_is_not_taken_again(store: Store) -> None:
    shop, job = await _job(store, 30)
    await store.write(import_jobs.start, job.id, shop)
    batch = import_jobs.Batch([], [(2, InvalidError("phone", "format", "x"), ["HD-1", "x"])], 10, {})
    assert await store.write(import_jobs.step, job.id, 0, batch)
    assert not await store.write(import_jobs.step, job.id, 0, batch)
    assert (await store.read(import_jobs.get, job.id, shop)).refused == 1
    ((line, cells, error),) = await store.read(import_jobs.refused_rows, job.id)
    assert (line, cells) == (2, ["HD-1", "x"])
    assert isinstance(error, InvalidError)
    assert (error.field, error.problem, error.value) == ("phone", "format", "x")


async def test_a_file_whose_rows_break_off_fails_in_words(store: Store) -> None:
    shop, job = await _job(store, 3)
    await store.write(
        lambda session: session.execute(sa.update(import_jobs.jobs).values(content=b"PK\x03\x04 broken since"))
    )
    await store.write(import_jobs.start, job.id, shop)
    async with worker(store):
        failed = await reached(store, job.id, shop, lambda job: job.state == State.FAILED)
    assert failed.problem == "unreadable"


async def test_old_imports_are_forgotten(store: Store, clock: SetClock) -> None:
    shop, job = await _job(store, 3)
    await store.write(import_jobs.start, job.id, shop)
    async with worker(store):
        await reached(store, job.id, shop, lambda job: job.state == State.DONE)
    clock.advance(import_jobs.KEPT + timedelta(seconds=1))
    await store.write(import_jobs.prune)
    assert await store.read(import_jobs.of_shop, shop) == []
