"""Batches: exactly as many codes as were asked for, each once, whatever stops the making; lists with what is wrong in them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import xlsxwriter

from bot.__main__ import status
from bot.batches import batch_loop, begin_list
from loyalty import programme
from loyalty.customers import customers
from loyalty.points import proof
from loyalty.vouchers import batches, handing_out, voucher_programs, vouchers
from loyalty.vouchers.batches import BatchState
from loyalty.vouchers.voucher_programs import Kind, Program
from loyalty.vouchers.vouchers import SharedProgramError, SoldOutError
from store.engine import Store, open_store
from store.errors import InvalidError, NotFoundError
from store.notices import NoticeRow


@pytest.fixture(autouse=True)
def thousands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is quickest at the time: the tests count in thousands."""
    monkeypatch.setattr(batches, "CHUNK", 1_000)


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")


async def offer(store: Store, **values: Any) -> Program:
    return await store.write(
        voucher_programs.add, **{"name": "Giảm 20.000 ₫", "kind": Kind.AMOUNT, "value": 20_000} | values
    )


async def start(store: Store, program_id: int, count: int) -> int:
    return (await store.write(batches.start, program_id, count, actor="staff:1")).id


async def codes_of(store: Store, batch_id: int) -> list[str]:
    found, after = [], 0
    while page := await store.read(batches.page, batch_id, after, 700):
        found += [code for _, code, _ in page]
        after = page[-1][0]
    return found


async def test_a_batch_that_was_killed_goes_on_and_makes_exactly_as_many(store: Store, shop: int) -> None:
    made = await offer(store)
    batch_id = await start(store, made.id, 3_456)
    # Killed twice: once between two thousands, once amid one, whose work is rolled back.
    async for stands in store.stream(batches.work, batch_id):
        assert stands.made == 1_000
        break
    with pytest.raises(RuntimeError):
        await store.write(_killed, batch_id)
    assert (await store.read(batches.get, batch_id)).made == 1_000
    seen = [stands.made async for stands in store.stream(batches.work, batch_id)]
    assert seen == [2_000, 3_000, 3_456, 3_456, 3_456]
    batch = await store.read(batches.get, batch_id)
    assert (batch.state, batch.made, batch.done) == (BatchState.DONE, 3_456, 3_456)
    codes = await codes_of(store, batch_id)
    assert len(set(codes)) == len(codes) == 3_456
    assert all(len(code) == 13 for code in codes)
    assert (await store.read(voucher_programs.get, made.id)).issued == 3_456
    assert await store.read(proof.faults) == []
    assert [stands.made async for stands in store.stream(batches.work, batch_id)] == [3_456]


def _killed(session: Any, batch_id: int) -> None:
    next(batches.work(session, batch_id))
    raise RuntimeError("the power went")


async def test_workers_at_once_make_each_code_once(store: Store, shop: int) -> None:
    batch_id = await start(store, (await offer(store)).id, 4_000)

    async def worker() -> None:
        async for _ in store.stream(batches.work, batch_id):
            pass

    await asyncio.gather(*(worker() for _ in range(3)))
    assert len(set(await codes_of(store, batch_id))) == 4_000
    assert await store.read(proof.faults) == []


async def test_a_batch_is_stopped_and_goes_on(store: Store, shop: int) -> None:
    batch_id = await start(store, (await offer(store)).id, 5_000)
    async for stands in store.stream(batches.work, batch_id):
        if stands.state == BatchState.STOPPED:
            break
        await store.write(batches.stop, batch_id)
    assert (await store.read(batches.get, batch_id)).made == 1_000
    assert await store.read(batches.running) == []
    await store.write(batches.stop, batch_id)
    await store.write(batches.go_on, batch_id)
    async for _ in store.stream(batches.work, batch_id):
        pass
    assert len(await codes_of(store, batch_id)) == 5_000
    assert (await store.write(batches.go_on, batch_id)).state == BatchState.DONE


async def test_a_batch_keeps_within_the_stock(store: Store, shop: int) -> None:
    made = await offer(store, stock=1_500)
    with pytest.raises(SoldOutError):
        await start(store, made.id, 1_501)
    for count in (0, -1, batches.COUNT_MAX + 1):
        with pytest.raises(InvalidError):
            await start(store, made.id, count)
    with pytest.raises(NotFoundError):
        await start(store, 999, 1)
    with pytest.raises(SharedProgramError):
        await start(store, (await offer(store, shared=True)).id, 1)
    batch_id = await start(store, made.id, 1_500)
    await store.write(vouchers.issue_many, made.id, 1)
    states = [(stands.made, stands.state) async for stands in store.stream(batches.work, batch_id)]
    assert states == [(1_000, "running"), (1_000, "sold_out"), (1_000, "sold_out")]
    await store.write(voucher_programs.change, made.id, stock=1_501)
    await store.write(batches.go_on, batch_id)
    async for _ in store.stream(batches.work, batch_id):
        pass
    assert len(await codes_of(store, batch_id)) == 1_500
    assert await store.read(proof.faults) == []


async def test_a_list_says_of_each_bad_row_what_is_wrong(store: Store, shop: int, tmp_path: Path) -> None:
    made = await offer(store)
    (there,) = await store.write(vouchers.issue_many, made.id, 1)
    path = tmp_path / "codes.csv"
    rows = [
        "Mã ưu đãi;Ghi chú",
        "tet-2027-a;x",
        "TET2027A;y",
        "ab;",
        ";nothing",
        f"{there};",
        "quà tết;",
        "TET 2027 B;",
    ]
    path.write_text("\n".join([*rows, *(f"LIST{number:04};" for number in range(1_200)), "LIST0007;"]), "utf-8")
    listed, column = batches.read_list(path)
    batch = await store.write(batches.start_list, made.id, "sha", len(listed), name="Tờ rơi  Q7", actor="staff:1")
    assert (batch.name, batch.wanted) == ("Tờ rơi Q7", 1_208)
    async for _ in store.stream(batches.take, batch.id, listed, column):
        break
    states = [stands async for stands in store.stream(batches.take, batch.id, listed, column)]
    assert (states[-1].state, states[-1].made, states[-1].seen, states[-1].rejected) == ("done", 1_202, 1_208, 6)
    assert [(one.line, one.reason) for one in await store.read(batches.refused, batch.id)] == [
        (3, "repeated"), (4, "format"), (5, "empty"), (6, "taken"), (7, "format"), (1_209, "repeated"),
    ]  # fmt: skip
    found = await store.read(vouchers.by_code, "tet-2027 b")
    assert found is not None
    assert vouchers.shown(found.code) == "TET2027B"
    assert await store.read(proof.faults) == []


async def test_a_workbook_and_a_bare_list_are_read(store: Store, tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "codes.xlsx") as book:
        sheet = book.add_worksheet()
        for at, row in enumerate((["Danh sách"], ["STT", "Mã giảm giá"], [1, "ABCD-1"], [2, 20_270_101])):
            sheet.write_row(at, 0, row)
    (tmp_path / "bare.txt").write_text("ABCD1\nABCD2\n")
    rows, column = batches.read_list(tmp_path / "codes.xlsx")
    assert [batches.sheets.text(row.cells[column]) for row in rows] == ["ABCD-1", "20270101"]
    rows, column = batches.read_list(tmp_path / "bare.txt")
    assert [(row.line, row.cells[column]) for row in rows] == [(1, "ABCD1"), (2, "ABCD2")]


async def test_each_of_many_customers_gets_one_however_often_it_runs(store: Store, shop: int) -> None:
    made = await offer(store, stock=35, per_customer=1)
    people = [await store.write(customers.create, name=f"K{n}", home_shop_id=shop) for n in range(40)]
    await store.write(vouchers.issue, made.id, people[0])
    asked = [*people, 999_999]
    async for handed in store.stream(handing_out.to_many, made.id, asked, key="tet"):
        assert (handed.done, handed.given, dict(handed.refused)) == (25, 24, {"limit_reached": 1})
        break
    ends = [handed async for handed in store.stream(handing_out.to_many, made.id, asked, key="tet")]
    assert (ends[-1].done, ends[-1].given, ends[-1].known) == (41, 10, 24)
    assert dict(ends[-1].refused) == {"limit_reached": 1, "sold_out": 5, "not_found": 1}
    owned = await store.read(
        lambda session: session.execute(sa.select(vouchers.vouchers.c.customer_id)).scalars().all()
    )
    assert sorted(owned) == sorted(people[:35])
    told = await store.read(lambda session: session.execute(sa.select(sa.func.count(NoticeRow.id))).scalar_one())
    assert told == 34
    assert await store.read(proof.faults) == []


async def test_the_loop_makes_what_the_console_asked_for(store: Store, shop: int) -> None:
    made = await offer(store)
    first = await start(store, made.id, 2_500)
    second = await begin_list(store, made.id, b"code\nTET-A1\nTET-A2\nTET-A1\n", name="Q7", actor="staff:1")
    loop = asyncio.create_task(batch_loop(store, "me"))  # noqa: TID251  # the test's own, awaited below
    try:
        async with asyncio.timeout(20):
            while await store.read(batches.running):
                await asyncio.sleep(0.01)
    finally:
        loop.cancel()
        await asyncio.wait([loop])
    assert (await store.read(batches.get, first)).made == 2_500
    taken = await store.read(batches.get, second.id)
    assert (taken.state, taken.made, taken.rejected, taken.done) == ("done", 2, 1, 3)
    assert await store.read(proof.faults) == []


def test_the_command_line_makes_takes_resumes_and_exports(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REGULARS_DATABASE_URL", sqlite_url)
    monkeypatch.chdir(tmp_path)

    async def made() -> None:
        opened = open_store(sqlite_url)
        await opened.write(programme.open_shop, "Phố", timezone="Asia/Ho_Chi_Minh", language="vi")
        await offer(opened, stock=2_502)
        await opened.close()

    asyncio.run(made())
    assert status(["vouchers", "generate", "1", "1500", "--name", "Q7"]) == 0
    assert capsys.readouterr().out == "1\n"
    (tmp_path / "codes.csv").write_text("code\nTET-A1\nTET-A1\n")
    assert status(["vouchers", "import", "1", "codes.csv"]) == 0
    told = capsys.readouterr()
    assert told.out == "2\n"
    assert "line 3: 'TET-A1' repeated" in told.err
    assert status(["vouchers", "export", "1", "out.csv"]) == 0
    lines = (tmp_path / "out.csv").read_text("utf-8-sig").splitlines()
    assert (len(lines), lines[0], lines[1][4], lines[1][-5:]) == (1_501, "code,state", "-", ",open")
    assert status(["vouchers", "generate", "1", "1002"]) == 1
    assert "sold_out" in capsys.readouterr().err
    assert status(["vouchers", "resume", "1"]) == 0
    assert status(["vouchers", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "1\tGiảm 20.000 ₫", "\tbatch 2\tdone\t1 of 2\tcodes.csv", "\tbatch 1\tdone\t1500 of 1500\tQ7",
    ]  # fmt: skip
