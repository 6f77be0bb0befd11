"""Turns at a shared till: PINs that can't be guessed and open nothing but the till, and shifts that hold every sale once."""

# ruff: noqa: F811  # the fixtures of test_till are asked for by their names

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from loyalty import programme, shifts
from loyalty.customers import customers
from loyalty.orders import orders, sales
from loyalty.orders.sales import Sale, UndoOverError
from loyalty.shifts import EmptyShiftError
from store import pins, staff
from store.clock import SetClock
from store.engine import Store
from store.errors import InvalidError
from store.paging import Place
from store.pins import PinClosedError, WrongPinError
from store.staff import Member, Role
from tests.test_till import Client, Till, browser, shop, sign_in, till  # noqa: F401  # fixtures

KEY = "s" * 40


@pytest.fixture
async def hoa(store: Store, shop: int) -> int:
    return await store.write(staff.add, "Hoa", Role.CASHIER, shop)


async def sell(store: Store, shop_id: int, staff_id: int, key: str, amount: int, **more: Any) -> Sale:
    sold = await store.write(sales.sell, shop_id=shop_id, staff_id=staff_id, key=key, amount=amount, **more)
    assert isinstance(sold, Sale)
    return sold


# ── PINs ───────────────────────────────────────────────────────────────────────────────────────────


async def test_a_pin_is_its_owners_and_only_at_their_shop(store: Store, shop: int, hoa: int) -> None:
    nam = await store.write(staff.add, "Nam", Role.CASHIER, shop)
    other = await store.write(programme.open_shop, "Trà", timezone="Asia/Ho_Chi_Minh", language="vi")
    await store.write(pins.choose, hoa, "271828", KEY)
    entered = await store.write(pins.enter, hoa, "271828", shop, KEY)
    assert isinstance(entered, Member)
    assert entered.name == "Hoa"
    for staff_id, pin, at, key in (
        (nam, "271828", shop, KEY), (hoa, "271829", shop, KEY), (hoa, "271828", other, KEY), (hoa, "271828", shop, "x"),
    ):  # fmt: skip
        assert isinstance(await store.write(pins.enter, staff_id, pin, at, key), WrongPinError)
    assert [member.name for member in await store.read(pins.cashiers, shop)] == ["Hoa"]
    assert await store.read(pins.cashiers, other) == []
    await store.write(staff.remove, hoa)
    assert isinstance(await store.write(pins.enter, hoa, "271828", shop, KEY), WrongPinError)


async def test_five_wrong_pins_close_it_for_a_quarter_of_an_hour(
    store: Store,
    shop: int,
    hoa: int,
    clock: SetClock,
) -> None:
    await store.write(pins.choose, hoa, "271828", KEY)
    for _ in range(4):
        await store.write(pins.enter, hoa, "000111", shop, KEY)
    assert isinstance(await store.write(pins.enter, hoa, "271828", shop, KEY), Member)
    for left in (4, 3, 2, 1, 0):
        wrong = await store.write(pins.enter, hoa, "000111", shop, KEY)
        assert isinstance(wrong, WrongPinError)
        assert wrong.left == left
    with pytest.raises(PinClosedError) as closed:
        await store.write(pins.enter, hoa, "271828", shop, KEY)
    assert closed.value.seconds == 900
    clock.advance(timedelta(minutes=15))
    assert isinstance(await store.write(pins.enter, hoa, "271828", shop, KEY), Member)


async def test_guesses_at_the_same_instant_are_all_counted(store: Store, shop: int, hoa: int) -> None:
    await store.write(pins.choose, hoa, "271828", KEY)
    guesses = [store.write(pins.enter, hoa, f"{number:06}", shop, KEY) for number in range(10)]
    done = await asyncio.gather(*guesses, return_exceptions=True)
    assert [type(one) for one in done].count(WrongPinError) == 5
    assert [type(one) for one in done].count(PinClosedError) == 5


@pytest.mark.parametrize(
    ("pin", "problem"),
    [("12345", "format"), ("1234567", "format"), ("12345a", "format"), ("١٢٣٤٥٦", "format"), ("123456", "weak"),
     ("654321", "weak"), ("111111", "weak"), ("890123", "weak")],
)  # fmt: skip
async def test_a_pin_that_cannot_be_is_refused(store: Store, hoa: int, pin: str, problem: str) -> None:
    with pytest.raises(InvalidError) as refused:
        await store.write(pins.choose, hoa, pin, KEY)
    assert (refused.value.field, refused.value.problem) == ("pin", problem)


async def test_a_turn_by_pin_opens_the_till_and_nothing_else(store: Store, till: Till) -> None:
    boss = await store.write(staff.add, "Hà", Role.OWNER, None)
    await store.write(pins.choose, boss, "271828", KEY)
    listed = await (await till.browser.get(f"/till/cashiers/{till.shop}")).json()
    assert listed == {"cashiers": [{"id": boss, "name": "Hà", "here": False}], "has_pin": False, "may_choose": True}
    said = [(await till("switch", staff=boss, pin="271829"))[1]["error"] for _ in range(4)]
    assert said[1:] == ["Mã PIN chưa đúng.", *(f"Mã PIN chưa đúng, còn {left} lần thử." for left in (2, 1))]
    assert await till("switch", staff=boss, pin="27182") == (
        404, {"error": "Sai mã PIN nhiều lần quá. 15 phút nữa thử lại nhé.", "code": "wrong_pin"}
    )  # fmt: skip
    await store.write(pins.choose, boss, "271828", KEY)
    status, told = await till("switch", staff=boss, pin="271828")
    assert (status, told) == (200, {"name": "Hà"})
    assert "Hà" in await (await till.browser.get("/till")).text()
    # An owner by PIN is a cashier: no console, no PIN of theirs to change, no other shop.
    assert (await till.browser.get("/shop", allow_redirects=False)).status in {403, 404}
    page = await (await till.browser.get("/till")).text()
    till.csrf = page.split('"csrf": "')[1].split('"')[0]
    assert (await till("pin", pin="314159"))[0] == 403
    other = await store.write(programme.open_shop, "Trà", timezone="Asia/Ho_Chi_Minh", language="vi")
    assert (await till.browser.get(f"/till/cashiers/{other}")).status == 403
    assert (await till("switch", shop=other, staff=boss, pin="271828"))[0] == 403


async def test_a_cashier_chooses_a_pin_from_their_own_link(store: Store, till: Till) -> None:
    status, told = await till("pin", pin="123456")
    assert (status, told["code"]) == (422, "invalid")
    assert (await till("pin", pin="271828"))[0] == 200
    listed = await (await till.browser.get(f"/till/cashiers/{till.shop}")).json()
    assert (listed["has_pin"], [one["here"] for one in listed["cashiers"]]) == (True, [True])
    assert (await till("switch", staff=listed["cashiers"][0]["id"], pin="271828"))[0] == 200


# ── Sales that waited for a connection ─────────────────────────────────────────────────────────────


async def test_a_sale_keeps_the_time_it_was_rung_up(store: Store, shop: int, hoa: int, clock: SetClock) -> None:
    rung = clock.now()
    clock.advance(timedelta(hours=5))
    sold = await sell(store, shop, hoa, "k1", 50_000, phone="0903123456", at=rung)
    assert await sell(store, shop, hoa, "k1", 50_000, phone="0903123456", at=clock.now()) == sold
    assert (sold.at, (await store.read(orders.get, sold.order_id)).placed_at) == (rung, rung)
    assert sold.customer_id is not None
    assert (await store.read(customers.get, sold.customer_id)).orders_count == 1
    for at in (rung - timedelta(days=3), clock.now() + timedelta(minutes=6)):
        with pytest.raises(InvalidError) as refused:
            await sell(store, shop, hoa, "k2", 50_000, at=at)
        assert refused.value.field == "at"
    assert len(await store.read(sales.today, shop, hoa)) == 1


# ── Shifts ─────────────────────────────────────────────────────────────────────────────────────────


async def test_a_shift_holds_each_sale_once(store: Store, shop: int, hoa: int, clock: SetClock) -> None:
    with pytest.raises(EmptyShiftError):
        await store.write(shifts.close, shop, hoa, last_sale_id=1)
    opened = clock.now()
    await sell(store, shop, hoa, "k1", 50_000)
    clock.advance(timedelta(minutes=1))
    second = await sell(store, shop, hoa, "k2", 30_000)
    await store.write(sales.undo, shop_id=shop, staff_id=hoa, sale_id=second.id)
    last = await sell(store, shop, hoa, "k3", 20_000)
    seen = await store.read(shifts.current, shop, hoa)
    assert (seen.opened_at, seen.last_sale_id) == (opened, last.id)
    assert (seen.sums.count, seen.sums.undone, seen.sums.amount, seen.sums.paid) == (2, 1, 70_000, 70_000)
    late = await sell(store, shop, hoa, "k4", 5_000)
    closing = [store.write(shifts.close, shop, hoa, last_sale_id=last.id, counted=69_000) for _ in range(4)]
    closed = await asyncio.gather(*closing)
    assert len({one.id for one in closed}) == 1
    assert (closed[0].sums, closed[0].counted) == (seen.sums, 69_000)
    after = await store.read(shifts.current, shop, hoa)
    assert (after.last_sale_id, after.sums.paid) == (late.id, 5_000)
    ((listed, name),) = (await store.read(shifts.page, shop)).lines
    assert (listed, name, listed.difference) == (closed[0], "Hoa", -1_000)


async def test_closed_shifts_are_sorted_and_leafed_through(
    store: Store, shop: int, hoa: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shifts, "PAGE", 2)
    minh = await store.write(staff.add, "Minh", Role.CASHIER, shop)
    for number, (who, counted) in enumerate([(hoa, 10_000), (minh, 9_000), (hoa, None), (minh, 10_500)]):
        sold = await sell(store, shop, who, f"k{number}", 10_000)
        await store.write(shifts.close, shop, who, last_sale_id=sold.id, counted=counted)
    first = await store.read(shifts.page, shop, sort=shifts.Sort.DIFFERENCE, descending=False)
    assert [shift.difference for shift, _ in first.lines] == [-1_000, 0]
    rest = await store.read(
        shifts.page, shop, sort=shifts.Sort.DIFFERENCE, descending=False, place=Place(after=first.after or "")
    )
    assert [(shift.difference, name) for shift, name in rest.lines] == [(None, "Hoa"), (500, "Minh")]
    assert (rest.after, rest.total, (await store.read(shifts.page, shop + 1)).lines) == (None, 4, [])


async def test_a_sale_of_a_closed_shift_stays(store: Store, shop: int, hoa: int) -> None:
    sold = await sell(store, shop, hoa, "k1", 50_000)
    await store.write(shifts.close, shop, hoa, last_sale_id=sold.id)
    with pytest.raises(UndoOverError):
        await store.write(sales.undo, shop_id=shop, staff_id=hoa, sale_id=sold.id)
    assert not (await store.read(sales.get, sold.id)).undone
    with pytest.raises(EmptyShiftError):
        await store.write(shifts.close, shop, hoa, last_sale_id=sold.id + 100)


async def test_one_cashier_closes_only_their_own(store: Store, shop: int, hoa: int) -> None:
    nam = await store.write(staff.add, "Nam", Role.CASHIER, shop)
    await sell(store, shop, hoa, "k1", 50_000)
    theirs = await sell(store, shop, nam, "k2", 30_000)
    await store.write(shifts.close, shop, nam, last_sale_id=theirs.id)
    assert (await store.read(shifts.current, shop, hoa)).sums.paid == 50_000


async def test_the_till_shows_and_closes_the_shift(till: Till) -> None:
    await till("sell", key="key-0001", amount=85_000)
    seen = await (await till.browser.get(f"/till/shift/{till.shop}")).json()
    assert (seen["count"], seen["paid"], seen["closed"]) == (1, 85_000, False)
    status, closed = await till("shift", last=seen["last"], counted=84_000)
    assert (status, closed["closed"], closed["difference"]) == (200, True, -1_000)
    status, told = await till("shift", last=seen["last"] + 1)
    assert (status, told["code"]) == (409, "empty_shift")
    assert (await till("shift", last=seen["last"], counted=-1))[0] == 422
