"""Files that shops bring: read as people write them, judged row by row, and never counted twice."""

import csv
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import xlsxwriter
from sqlalchemy import func, select

from bot.commands import importing
from handlers.words import words
from loyalty import programme
from loyalty.customers import customers
from loyalty.orders import orders, sheets
from loyalty.points import ledger, lots, points
from store.engine import Store
from store.errors import InvalidError

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
LAN = "+84903123456"


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")


def rejected(path: Path) -> list[dict[str, str]]:
    with path.with_name(f"{path.name}.rejected.csv").open(encoding="utf-8-sig", newline="") as opened:
        return list(csv.DictReader(opened))


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("85000", 85_000), ("85.000", 85_000), ("85,000đ", 85_000), ("85.000 ₫", 85_000), ("85 000", 85_000),
        ("1.250.000", 1_250_000), ("1,250,000.00", 1_250_000), ("1.250.000,00 VND", 1_250_000), ("85000.0", 85_000),
        (85_000.0, 85_000), (85_000, 85_000), ("0", 0), ("-5", -5), ("1'250'000", 1_250_000), ("85\u00a0000 đ", 85_000),
    ],
)  # fmt: skip
def test_money_is_read_as_people_write_it(written: Any, amount: int) -> None:
    assert sheets.integer(written, "total") == amount


@pytest.mark.parametrize(
    "written", ["", "85.5", "85,50", "1,25,000", "tám lăm", "85.000.00", 85.5, float("nan"), "1e9", "٨٥", None, True]
)
def test_what_is_no_whole_amount_is_refused(written: Any) -> None:
    with pytest.raises(InvalidError):
        sheets.integer(written, "total")


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-11-20T03:00:00Z", datetime(2026, 11, 20, 3, tzinfo=UTC)),
        ("2026-11-20 10:00", datetime(2026, 11, 20, 3, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 19, 17, tzinfo=UTC)),
        ("20/11/2026 10:00:30", datetime(2026, 11, 20, 3, 0, 30, tzinfo=UTC)),
        ("10:00 20/11/2026", datetime(2026, 11, 20, 3, tzinfo=UTC)),
        ("1-2-2026", datetime(2026, 1, 31, 17, tzinfo=UTC)),
        (datetime(2026, 11, 20, 10), datetime(2026, 11, 20, 3, tzinfo=UTC)),  # noqa: DTZ001  # as a workbook gives it
        (date(2026, 11, 20), datetime(2026, 11, 19, 17, tzinfo=UTC)),
    ],
)
def test_a_moment_without_an_offset_is_the_shops(written: Any, moment: datetime) -> None:
    assert sheets.moment(written, "placed_at", HANOI) == moment


@pytest.mark.parametrize(
    "written", ["", "hôm qua", "31/02/2026", "2026", "20/11/26", 46_000.5, "20/11/2026 sáng", None]
)
def test_what_is_no_moment_is_refused(written: Any) -> None:
    with pytest.raises(InvalidError):
        sheets.moment(written, "placed_at", HANOI)


ORDERS = (
    "Mã đơn;SĐT;Tên khách;Tổng tiền;Ngày;Trạng thái;Ghi chú\n"
    "HD1;0903 123 456;Nguyễn Thị Lan;85.000đ;20/11/2026 10:30;Hoàn thành;\n"
    "HD2;84912345678;Trần Minh;1.250.000;2026-11-19;;quen\n"
    "\n"
    "HD3;abc;Ai đó;50.000;20/11/2026;;\n"
    "HD4;0903123456;;-5;20/11/2026;;\n"
    "HD5;0903123456;;50.000;hôm qua;;\n"
    ";0903123456;;50.000;20/11/2026;;\n"
    "HD7;;;50.000;20/11/2026;;\n"
    "HD8;0903123456;;120000;10:15 01/01/2026;đã hủy;\n"
    "HD9;0903123456;;120000;10/10/2023;;\n"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
async def test_a_vietnamese_file_is_taken_in_and_bad_rows_come_back_with_reasons(
    store: Store, shop: int, tmp_path: Path, encoding: str
) -> None:
    path = tmp_path / "đơn hàng.csv"
    path.write_text(ORDERS, encoding=encoding)
    taken = await importing.take_file(store, "orders", path, shop, words("en"))
    assert (taken.new, len(taken.refused)) == (4, 5)
    rows = rejected(path)
    assert [row["line"] for row in rows] == ["5", "6", "7", "8", "9"]
    assert [row["Mã đơn"] for row in rows] == ["HD3", "HD4", "HD5", "", "HD7"]
    assert "abc" in rows[0]["reason"]
    assert all(row["reason"] for row in rows)
    lan = await store.read(customers.by_phone, LAN)
    assert lan is not None
    person = await store.read(customers.get, lan)
    assert (person.name, person.spend_total, person.orders_count) == ("Nguyễn Thị Lan", 205_000, 2)
    # The order of 2023 earned points that were over long ago: in the books they came and went.
    assert await store.read(points.balances, lan) == (85, 0, 10)
    assert (await store.read(ledger.balances, "shop", shop))["expired"] == 120
    assert await store.read(ledger.check) == []
    assert await store.read(points.check) == []


async def test_the_same_file_again_changes_nothing_and_a_mended_one_leaves_no_rejects(
    store: Store, shop: int, tmp_path: Path
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS)
    await importing.take_file(store, "orders", path, shop)
    before = await store.read(ledger.balances, "shop", shop)
    again = await importing.take_file(store, "orders", path, shop)
    assert (again.new, again.changed, again.same) == (0, 0, 4)
    assert await store.read(ledger.balances, "shop", shop) == before
    path.write_text("".join(ORDERS.splitlines(keepends=True)[:3]))
    await importing.take_file(store, "orders", path, shop)
    assert not path.with_name("orders.csv.rejected.csv").exists()


async def test_an_import_tells_nobody_and_starts_nothing(store: Store, shop: int, tmp_path: Path) -> None:
    from store.events import Event
    from store.notices import NoticeRow

    path = tmp_path / "orders.csv"
    path.write_text("external_id,phone,total,placed_at\nA1,0903123456,9000000,2026-11-20\n")
    await importing.take_file(store, "orders", path, shop)
    path.write_text("external_id,phone,total,placed_at,refunded\nA1,0903123456,9000000,2026-11-20,1000000\n")
    assert (await importing.take_file(store, "orders", path, shop)).changed == 1

    def counts(session: Any) -> list[int]:
        return [session.execute(select(func.count()).select_from(row)).scalar_one() for row in (Event, NoticeRow)]

    assert await store.read(counts) == [0, 0]
    assert (await store.read(orders.find, shop, "A1")).claim_token is None  # type: ignore[union-attr]


async def test_a_workbook_with_a_title_numbers_and_dates(store: Store, shop: int, tmp_path: Path) -> None:
    path = tmp_path / "orders.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet()
    sheet.write(0, 0, "Đơn hàng tháng 11")
    for at, header in enumerate(("Ngày", "Số điện thoại", "Thành tiền", "Mã hoá đơn")):
        sheet.write(2, at, header)
    sheet.write_datetime(3, 0, datetime(2026, 11, 20, 10), book.add_format({"num_format": "dd/mm/yyyy"}))  # noqa: DTZ001
    sheet.write_row(3, 1, [903123456, 85000, 1204])
    sheet.write_row(4, 0, ["20/11/2026", "0912345678", "15.000", "1205"])
    sheet.write_row(5, 0, ["20/11/2026", "0912345678", 15000.5, "1206"])
    book.close()
    taken = await importing.take_file(store, "orders", path, shop)
    assert (taken.new, [line for line, _ in taken.refused]) == (2, [6])
    found = await store.read(orders.find, shop, "1204")
    assert found is not None
    assert (found.total, found.placed_at) == (85_000, datetime(2026, 11, 20, 3, tzinfo=UTC))
    assert await store.read(customers.by_phone, LAN) == found.customer_id


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "empty"), (b"\n\n", "empty"), (b"a,b\n1,2\n", "columns"), (b"PK\x03\x04nonsense", "unreadable"), (None, "missing"),
     (b"phone,total\n0903123456,5\n", "columns"), (b"\x00\x01\x02" * 50, "unreadable")],
)  # fmt: skip
def test_what_is_no_list_is_said_at_once(tmp_path: Path, content: bytes | None, problem: str) -> None:
    from loyalty.orders.imports import ORDER_COLUMNS, ORDER_NEEDS

    path = tmp_path / "orders.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(sheets.SheetError) as refused:
        sheets.read(path, ORDER_COLUMNS, ORDER_NEEDS)
    assert refused.value.problem == problem


CUSTOMERS = (
    "Số điện thoại,Họ tên,Sinh nhật,Điểm,Điểm hạng,Ngôn ngữ,Nhãn,Ngày tham gia\n"
    '0903123456,Nguyễn Thị Lan,02/09/1990,"1.200",260,vi,"vip, quen",01/03/2024\n'
    "0912345678,John Smith,,,,en,,\n"
    "0912345679,Sai ngày,31/02/1990,,,,,\n"
    "0912345670,Âm điểm,,-5,,,,\n"
)


async def test_customers_bring_their_points_once(store: Store, shop: int, tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text(CUSTOMERS)
    taken = await importing.take_file(store, "customers", path, shop)
    assert (taken.new, len(taken.refused)) == (2, 2)
    lan = await store.read(customers.by_phone, LAN)
    assert lan is not None
    person = await store.read(customers.get, lan)
    assert (person.birthday, person.tags, person.joined_at.year) == (date(1990, 9, 2), ["quen", "vip"], 2024)
    assert await store.read(points.balances, lan) == (1_200, 0, 260)
    wallet = await store.read(points.wallet, lan, "Asia/Ho_Chi_Minh")
    assert [(part.points, part.on) for part in wallet.expiring] == [(1_200, date(2027, 11, 30))]
    again = await importing.take_file(store, "customers", path, shop)
    assert (again.new, again.changed, again.same) == (0, 0, 2)
    assert await store.read(points.balances, lan) == (1_200, 0, 260)
    # Another number for a balance that stands is somebody's mistake, and is not added up.
    path.write_text(CUSTOMERS.replace("1.200", "1.300"))
    other = await importing.take_file(store, "customers", path, shop)
    assert [error.code for _, error in other.refused].count("idempotency_conflict") == 1
    assert await store.read(points.balances, lan) == (1_200, 0, 260)
    assert await store.read(ledger.check) == []
    assert await store.read(points.check) == []


async def test_what_a_customer_said_of_themselves_is_kept(store: Store, shop: int, tmp_path: Path) -> None:
    known = await store.write(customers.create, phone=LAN, name="Lan", language="en")
    path = tmp_path / "customers.csv"
    path.write_text("phone,name,language,birthday\n0903123456,NGUYEN THI LAN,vi,1990-09-02\n")
    assert (await importing.take_file(store, "customers", path, shop)).changed == 1
    person = await store.read(customers.get, known)
    assert (person.name, person.language, person.birthday) == ("Lan", "en", date(1990, 9, 2))


async def test_a_cut_off_import_goes_on_where_it_stopped(store: Store, shop: int, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    lines = [f"A{number},09{number % 700:08d},{10_000 + number},2026-11-20" for number in range(1_200)]
    path.write_text("\n".join(["external_id,phone,total,placed_at", *lines]))

    def cut(done: int, _of: int) -> None:
        if done >= importing.BATCH:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await importing.take_file(store, "orders", path, shop, None, cut)
    taken = await importing.take_file(store, "orders", path, shop)
    assert (taken.same, taken.new, taken.changed) == (importing.BATCH, 1_200 - importing.BATCH, 0)

    def total(session: Any) -> int:
        return int(session.execute(select(func.sum(lots.lots.c.amount))).scalar_one())

    assert await store.read(total) == sum((10_000 + number) // 1_000 for number in range(1_200))
    assert await store.read(ledger.check) == []
