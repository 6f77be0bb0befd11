"""What bounds an offer, under races: budgets, shared codes, days; vouchers together, gifts to friends, undone orders."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.customers import claims, customers
from loyalty.orders import orders
from loyalty.orders.orders import OrderInput, Status
from loyalty.points import ledger, proof
from loyalty.vouchers import (
    redemptions,
    reservations,
    rewards,
    shared_codes,
    stacking,
    voucher_gifts,
    voucher_programs,
    vouchers,
)
from loyalty.vouchers.discounts import ItemsError, Line
from loyalty.vouchers.redemptions import Redemption, SettledError
from loyalty.vouchers.reservations import CustomerNeededError, NotStackableError
from loyalty.vouchers.voucher_gifts import NotGivableError
from loyalty.vouchers.voucher_limits import BudgetSpentError
from loyalty.vouchers.voucher_programs import Kind, Program
from loyalty.vouchers.vouchers import (
    LimitError,
    SharedProgramError,
    SoldOutError,
    UnknownVoucherError,
    UnusableVoucherError,
)
from store.clock import SetClock
from store.engine import Store
from store.errors import InvalidError, NotFoundError
from store.notices import NoticeRow
from tests.conftest import NOON


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")


@pytest.fixture
async def lan(store: Store, shop: int) -> int:
    return await store.write(customers.create, phone="+84903123456", name="Lan", home_shop_id=shop)


@pytest.fixture
async def minh(store: Store, shop: int) -> int:
    return await store.write(customers.create, phone="+84903999888", name="Minh", home_shop_id=shop)


async def offer(store: Store, **values: Any) -> Program:
    return await store.write(
        voucher_programs.add, **{"name": "Giảm 20.000 ₫", "kind": Kind.AMOUNT, "value": 20_000} | values
    )


async def tet(store: Store, **values: Any) -> Program:
    made = await offer(store, shared=True, **values)
    await store.write(shared_codes.add, made.id, "TET-2027")
    return made


async def reserve(store: Store, code: str, order: str = "A1", total: int = 100_000, **values: Any) -> Redemption:
    held = await store.write(
        reservations.reserve, code, **{"shop_id": 1, "order": order, "order_total": total, "actor": "key:1"} | values
    )
    assert isinstance(held, Redemption)
    return held


async def outcomes(calls: list[Any]) -> list[Any]:
    return await asyncio.gather(*calls, return_exceptions=True)


async def left(store: Store, program_id: int, name: str = "budget") -> int:
    return (await store.read(ledger.balances, "program", program_id))[name]


async def sound(store: Store) -> None:
    assert await store.read(proof.faults) == []


async def test_a_budgets_last_dong_is_spent_once(store: Store, shop: int) -> None:
    made = await offer(store, budget=70_000)
    codes = await store.write(vouchers.issue_many, made.id, 8)
    done = await outcomes([reserve(store, code, f"A{n}") for n, code in enumerate(codes)])
    held = [one for one in done if isinstance(one, Redemption)]
    assert len(held) == 3
    assert sum(isinstance(one, BudgetSpentError) for one in done) == 5
    # 10.000 are left: enough for a small order.
    assert (
        await reserve(store, codes[[isinstance(one, BudgetSpentError) for one in done].index(True)], "B", 9_000)
    ).discount == 9_000
    assert await left(store, made.id) == 1_000
    await store.write(redemptions.cancel, held[0].id, shop_id=shop)
    await store.write(redemptions.confirm, held[1].id, shop_id=shop)
    assert await left(store, made.id) == 21_000
    for _ in range(2):
        await store.write(redemptions.roll_back, held[1].id, shop_id=shop)
        assert await left(store, made.id) == 41_000
    await sound(store)


async def test_what_a_lapsed_reservation_holds_is_free_before_the_clock_comes_round(
    store: Store, shop: int, clock: SetClock
) -> None:
    made = await offer(store, budget=20_000)
    first, second = await store.write(vouchers.issue_many, made.id, 2)
    late = await reserve(store, first)
    assert (await store.write(reservations.check, second, 50_000, shop_id=shop, actor="k")).reason == "invalid"
    clock.advance(timedelta(minutes=15))
    assert (await store.write(reservations.check, second, 50_000, shop_id=shop, actor="k")).valid
    # Another programme's budget has nothing of it.
    others = await store.write(vouchers.issue_many, (await offer(store, budget=20_000)).id, 2)
    await reserve(store, others[0], "B1")
    assert (await store.write(reservations.check, others[1], 50_000, shop_id=shop, actor="k")).reason == "invalid"
    done = await outcomes([
        reserve(store, second, "A2"), store.write(redemptions.lapse_due), store.write(redemptions.confirm, late.id, shop_id=shop)
    ])  # fmt: skip
    assert isinstance(done[0], Redemption)
    assert isinstance(done[2], SettledError)
    assert await left(store, made.id) == 0
    await sound(store)


async def test_a_budget_is_raised_and_lowered_but_not_below_what_is_spent(store: Store, shop: int) -> None:
    made = await offer(store, budget=50_000)
    held = await reserve(store, (await store.write(vouchers.issue_many, made.id, 1))[0])
    await store.write(redemptions.confirm, held.id, shop_id=shop)
    await store.write(voucher_programs.change, made.id, budget=90_000)
    assert await left(store, made.id) == 70_000
    with pytest.raises(InvalidError) as refused:
        await store.write(voucher_programs.change, made.id, budget=19_999)
    assert (refused.value.field, refused.value.problem, refused.value.value) == ("budget", "spent", 20_000)
    await store.write(voucher_programs.change, made.id, budget=20_000)
    assert await left(store, made.id) == 0
    await store.write(voucher_programs.change, made.id, budget=None)
    await store.write(voucher_programs.change, made.id, budget=30_000)
    assert await left(store, made.id) == 10_000
    await sound(store)


async def test_a_gifts_worth_and_a_changed_basket_count_in_the_budget(store: Store, shop: int) -> None:
    gift = await offer(store, kind=Kind.GIFT, value=15_000, budget=20_000)
    first, second = await store.write(vouchers.issue_many, gift.id, 2)
    assert (await reserve(store, first)).discount == 0
    with pytest.raises(BudgetSpentError):
        await reserve(store, second, "A2")
    made = await offer(store, kind=Kind.PERCENT, value=10, budget=20_000)
    (code,) = await store.write(vouchers.issue_many, made.id, 1)
    for total, rest in ((100_000, 10_000), (200_000, 0), (50_000, 15_000), (50_000, 15_000)):
        await reserve(store, code, "A3", total)
        assert await left(store, made.id) == rest
    with pytest.raises(BudgetSpentError):
        await reserve(store, code, "A3", 210_000)
    await sound(store)


async def test_a_shared_codes_last_use_is_used_once(store: Store, shop: int, lan: int) -> None:
    made = await tet(store, stock=5)
    done = await outcomes([reserve(store, "tet 2027", f"A{n}") for n in range(12)])
    held = [one for one in done if isinstance(one, Redemption)]
    assert len(held) == 5
    assert sum(isinstance(one, SoldOutError) for one in done) == 7
    assert (await store.write(reservations.check, "TET2027", 50_000, shop_id=shop, actor="k")).reason == "invalid"
    settled = await outcomes([store.write(redemptions.confirm, held[0].id, shop_id=shop) for _ in range(6)])
    assert {one.state for one in settled} == {"confirmed"}
    await store.write(redemptions.cancel, held[1].id, shop_id=shop)
    assert await left(store, made.id, "stock") == 1
    await reserve(store, "TET2027", "B1")
    with pytest.raises(SoldOutError):
        await reserve(store, "TET2027", "B2")
    with pytest.raises(SoldOutError):
        await store.write(rewards.open_offer, "TET2027", lan)
    assert (await store.read(redemptions.used, [made.id])) == {made.id: 1}
    await sound(store)


async def test_a_shared_code_is_for_each_customer_once(store: Store, shop: int, lan: int, minh: int) -> None:
    made = await tet(store, per_customer=1)
    with pytest.raises(CustomerNeededError):
        await reserve(store, "TET2027")
    checked = await store.write(reservations.check, "TET2027", 50_000, shop_id=shop, actor="k")
    assert checked.reason == "customer"
    done = await outcomes([reserve(store, "TET2027", f"A{n}", customer_id=lan) for n in range(6)])
    won = [one for one in done if isinstance(one, Redemption)]
    assert len(won) == 1
    assert sum(isinstance(one, LimitError) for one in done) == 5
    assert await reserve(store, "TET2027", won[0].order, customer_id=lan) == won[0]
    await reserve(store, "TET2027", "B", customer_id=minh)
    await store.write(redemptions.cancel, won[0].id, shop_id=shop)
    await reserve(store, "TET2027", "C", customer_id=lan)
    with pytest.raises(SharedProgramError):
        await store.write(vouchers.issue, made.id, lan)
    with pytest.raises(SharedProgramError):
        await store.write(rewards.offer_code, made.id)
    # Who opens its link is shown it; it stays everybody's.
    opened = await store.write(rewards.open_offer, "tet2027", lan)
    assert isinstance(opened, rewards.Opened)
    assert (opened.new, opened.voucher.shared, opened.voucher.customer_id) == (False, True, None)
    assert await store.read(vouchers.wallet, lan) == []
    await sound(store)


async def test_a_shared_code_is_one_of_its_own(store: Store, shop: int) -> None:
    made, other = await tet(store), await offer(store, shared=True)
    assert (await store.write(shared_codes.add, made.id, "tet2027")).code == "TET2027"
    for code, problem in (("TET2027", "taken"), ("ab", "format"), ("quà", "format"), ("X" * 41, "format")):
        with pytest.raises(InvalidError) as refused:
            await store.write(shared_codes.add, other.id, code)
        assert refused.value.problem == problem
    with pytest.raises(SharedProgramError):
        await store.write(shared_codes.add, (await offer(store)).id, "TET2028")
    with pytest.raises(InvalidError):
        await offer(store, shared=True, price_points=5)
    (own,) = await store.read(shared_codes.of_program, made.id)
    await store.write(vouchers.withdraw, own.id)
    with pytest.raises(UnusableVoucherError):
        await reserve(store, "TET2027")
    assert await store.read(shared_codes.of_program, made.id) == []


async def test_a_days_uses_end_at_the_shops_midnight(
    store: Store, shop: int, lan: int, minh: int, clock: SetClock
) -> None:
    made = await tet(store, per_day=3, per_customer_day=2)
    done = await outcomes([reserve(store, "TET2027", f"A{n}", customer_id=lan) for n in range(6)])
    assert sum(isinstance(one, Redemption) for one in done) == 2
    await reserve(store, "TET2027", "B1", customer_id=minh)
    with pytest.raises(LimitError):
        await reserve(store, "TET2027", "B2", customer_id=minh)
    for one in done:
        if isinstance(one, Redemption):
            await store.write(redemptions.confirm, one.id, shop_id=shop)
    clock.set(NOON.replace(hour=16, minute=59))
    await reserve(store, "TET2027", "B2", customer_id=minh)
    with pytest.raises(LimitError):
        await reserve(store, "TET2027", "C1", customer_id=lan)
    clock.set(NOON.replace(hour=17))
    await reserve(store, "TET2027", "C1", customer_id=lan)
    assert made.per_day == 3


async def test_branches_take_what_is_for_them(store: Store, shop: int) -> None:
    tea = await store.write(programme.open_shop, "Trà", timezone="Asia/Ho_Chi_Minh", language="vi")
    made = await offer(store, branches=[tea])
    (code,) = await store.write(vouchers.issue_many, made.id, 1)
    assert (await store.write(reservations.check, code, 50_000, shop_id=shop, actor="k")).reason == "invalid"
    assert (await store.write(reservations.check, code, 50_000, shop_id=tea, actor="k")).valid
    with pytest.raises(InvalidError):
        await offer(store, branches=[tea], shop_id=shop)
    with pytest.raises(NotFoundError):
        await offer(store, branches=[99])


async def test_items_are_asked_for_and_judged(store: Store, shop: int) -> None:
    (code,) = await store.write(
        vouchers.issue_many, (await offer(store, kind=Kind.ITEM, value=0, items=["Trà đào"])).id, 1
    )
    tea, cake = Line(45_000, 2, "TRÀ ĐÀO"), Line(20_000, 1, "Bánh")
    checked = await store.write(reservations.check, code, 110_000, shop_id=shop, actor="k")
    assert (checked.reason, checked.discount) == ("items", 0)
    with pytest.raises(ItemsError):
        await reserve(store, code, lines=[cake])
    held = await reserve(store, code, total=110_000, lines=[tea, cake])
    assert held.discount == 45_000
    assert await reserve(store, code, total=110_000, lines=[tea, cake]) == held
    changed = await reserve(store, code, total=110_000, lines=[replace(tea, price=40_000), cake])
    assert (changed.id, changed.discount) == (held.id, 40_000)
    for wrong in ({"kind": Kind.ITEM, "items": []}, {"weekdays": [8]}, {"from_minute": 5}, {"stacks": "some"}):
        with pytest.raises(InvalidError):
            await offer(store, **wrong)


async def test_several_are_held_at_once_or_none(store: Store, shop: int) -> None:
    (fixed,) = await store.write(vouchers.issue_many, (await offer(store)).id, 1)
    (tenth,) = await store.write(vouchers.issue_many, (await offer(store, kind=Kind.PERCENT, value=10)).id, 1)
    (alone,) = await store.write(vouchers.issue_many, (await offer(store, stacks="none")).id, 1)
    asked = {"shop_id": shop, "order": "A1", "order_total": 100_000, "actor": "key:1"}
    with pytest.raises(NotStackableError):
        await store.write(stacking.reserve_many, [fixed, tenth, alone], **asked)
    assert isinstance(await store.write(stacking.reserve_many, [fixed, "WRONG1"], **asked), UnknownVoucherError)
    assert await store.read(redemptions.of_order, shop, "A1") == []
    done = await outcomes(
        [store.write(stacking.reserve_many, codes, **asked) for codes in ([fixed, tenth], [tenth, fixed]) * 3]
    )
    assert {tuple(one.discount for one in held) for held in done} == {(10_000, 20_000)}
    assert len(await store.read(redemptions.of_order, shop, "A1")) == 2
    with pytest.raises(NotStackableError):
        await reserve(store, alone)
    await sound(store)


async def test_the_best_of_a_wallet_and_codes(store: Store, shop: int, lan: int) -> None:
    for values in (
        {},
        {"kind": Kind.PERCENT, "value": 10},
        {"value": 45_000, "stacks": "none"},
        {"min_order": 500_000},
    ):
        await store.write(vouchers.issue, (await offer(store, **values)).id, lan)
    await tet(store, value=5_000)
    found = await store.write(
        stacking.check_many,
        100_000,
        shop_id=shop,
        actor="k",
        codes=["TET2027", "NOTHERE"],
        customer_id=lan,
        wallet=True,
    )
    assert [(use.program.value, use.discount) for use in found.uses] == [(45_000, 45_000)]
    assert sorted(one.reason for one in found.refused) == ["invalid", "min_order", *["not_stackable"] * 3]
    found = await store.write(
        stacking.check_many, 300_000, shop_id=shop, actor="k", codes=["TET2027"], customer_id=lan, wallet=True
    )
    assert (found.discount, found.rest, found.exact) == (55_000, 55_000, True)
    assert await store.read(lambda session: session.execute(sa.text("SELECT wrong FROM attempts")).scalars().all()) == [
        1
    ]


async def put(store: Store, name: str, total: int, status: Status, refunded: int = 0, **values: Any) -> None:
    told = OrderInput(
        total=total, refunded=refunded, currency="VND", placed_at=NOON, status=status, **values
    )  # fmt: skip
    await store.write(orders.put, 1, name, told)


@pytest.mark.parametrize(
    ("returns", "status", "refunded", "back"),
    [
        ("full", Status.CANCELLED, 0, True), ("full", Status.REFUNDED, 80_000, True),
        ("full", Status.COMPLETED, 80_000, True), ("full", Status.COMPLETED, 30_000, False),
        ("any", Status.COMPLETED, 30_000, True), ("never", Status.CANCELLED, 0, False),
    ],
)  # fmt: skip
async def test_an_undone_order_gives_its_voucher_back(
    store: Store, shop: int, lan: int, returns: str, status: Status, refunded: int, back: bool
) -> None:
    made = await offer(store, returns=returns, budget=20_000)
    given = await store.write(vouchers.issue, made.id, lan)
    held = await reserve(store, given.code)
    bought = {"customer_id": lan, "redemptions": [held.id]}
    await put(store, "A1", 80_000, Status.COMPLETED, **bought)
    assert await left(store, made.id) == 0
    for _ in range(2):
        await put(store, "A1", 80_000, status, refunded, **bought)
    assert (await store.read(redemptions.get, held.id, shop)).state == ("rolled_back" if back else "confirmed")
    assert await left(store, made.id) == (20_000 if back else 0)
    assert len(await store.read(vouchers.wallet, lan)) == int(back)
    told = await store.read(lambda session: session.execute(sa.select(NoticeRow.kind)).scalars().all())
    assert told.count("voucher_returned") == int(back)
    await sound(store)


async def test_a_cancelled_order_frees_what_it_reserved(store: Store, shop: int, lan: int) -> None:
    given = await store.write(vouchers.issue, (await offer(store)).id, lan)
    held = await reserve(store, given.code)
    await put(store, "A1", 80_000, Status.PENDING, customer_id=lan)
    assert (await store.read(redemptions.get, held.id, shop)).state == "reserved"
    await put(store, "A1", 80_000, Status.CANCELLED, customer_id=lan)
    assert (await store.read(redemptions.get, held.id, shop)).state == "cancelled"
    await put(store, "A2", 0, Status.COMPLETED, customer_id=lan)
    await sound(store)


async def test_an_order_undone_by_mistake_uses_its_voucher_again(store: Store, shop: int, lan: int) -> None:
    made = await offer(store, budget=20_000)
    given = await store.write(vouchers.issue, made.id, lan)
    held = await reserve(store, given.code)
    bought = {"customer_id": lan, "redemptions": [held.id]}
    for status, rest in (
        (Status.COMPLETED, 0),
        (Status.CANCELLED, 20_000),
        (Status.COMPLETED, 0),
        (Status.COMPLETED, 0),
    ):
        await put(store, "A1", 80_000, status, **bought)
        assert await left(store, made.id) == rest
        await sound(store)
    await put(store, "A1", 80_000, Status.CANCELLED, **bought)
    await reserve(store, given.code, "A2")
    with pytest.raises(SettledError):
        await put(store, "A1", 80_000, Status.COMPLETED, **bought)
    await sound(store)


async def test_a_friend_gets_the_voucher_once(store: Store, shop: int, lan: int, minh: int) -> None:
    made = await offer(store, per_customer=1)
    given = await store.write(vouchers.issue, made.id, lan)
    done = await outcomes([store.write(voucher_gifts.offer, given.id, lan) for _ in range(4)])
    assert len({one.code for one in done}) == 1
    with pytest.raises(NotFoundError):
        await store.write(voucher_gifts.offer, given.id, minh)
    with pytest.raises(UnusableVoucherError):
        await reserve(store, given.code)
    link = done[0].code
    own = await store.write(rewards.open_offer, link, lan)
    assert isinstance(own, rewards.Opened)
    assert not own.new
    late = await store.write(customers.create, name="Tí", home_shop_id=shop)
    opened = await outcomes([store.write(rewards.open_offer, link.lower(), who) for who in (minh, late) * 4])
    won = {one.voucher.customer_id for one in opened if isinstance(one, rewards.Opened)}
    assert len(won) == 1
    assert sum(isinstance(one, rewards.Opened) and one.new for one in opened) == 1
    assert sum(isinstance(one, SoldOutError) for one in opened) == 4
    friend = won.pop()
    assert friend in {minh, late}
    assert [kept.voucher.id for kept in await store.read(vouchers.wallet, friend)] == [given.id]
    assert await store.read(vouchers.wallet, lan) == []
    with pytest.raises(NotGivableError):
        await store.write(voucher_gifts.offer, given.id, friend)
    told = await store.read(lambda session: session.execute(sa.select(NoticeRow.kind, NoticeRow.customer_id)).all())
    assert [tuple(row) for row in told] == [("voucher_gift_taken", lan)]
    await sound(store)


async def test_a_gift_nobody_takes_comes_back(store: Store, shop: int, lan: int, minh: int, clock: SetClock) -> None:
    made = await offer(store)
    given, kept = [await store.write(vouchers.issue, made.id, lan) for _ in range(2)]
    link = (await store.write(voucher_gifts.offer, given.id, lan)).code
    await store.write(voucher_gifts.offer, kept.id, lan)
    for _ in range(2):
        assert (await store.write(voucher_gifts.take_back, kept.id, lan)).state == "open"
    clock.advance(voucher_gifts.OPEN_FOR)
    with pytest.raises(SoldOutError):
        await store.write(rewards.open_offer, link, minh)
    assert await store.write(voucher_gifts.lapse_due) == 1
    assert await store.write(voucher_gifts.lapse_due) == 0
    await reserve(store, given.code)
    again = (await store.write(voucher_gifts.offer, kept.id, lan)).code
    await store.write(claims.merge, minh, lan)
    assert (await store.read(voucher_gifts.check)) == []
    own = await store.write(rewards.open_offer, again, minh)
    assert isinstance(own, rewards.Opened)
    assert not own.new
    await sound(store)


async def test_a_withdrawn_voucher_is_nobodys(store: Store, shop: int, lan: int) -> None:
    made = await offer(store, per_customer=1)
    given = await store.write(vouchers.issue, made.id, lan)
    assert [await store.write(vouchers.withdraw, given.id) for _ in range(2)] == ["open", "withdrawn"]
    assert await store.read(vouchers.wallet, lan) == []
    with pytest.raises(UnusableVoucherError):
        await reserve(store, given.code)
    held = await reserve(store, (await store.write(vouchers.issue, made.id, lan)).code)
    assert await store.write(vouchers.withdraw, held.voucher_id) == "held"
    await store.write(redemptions.confirm, held.id, shop_id=shop)
    assert [await store.write(vouchers.withdraw, held.voucher_id) for _ in range(2)] == ["used", "used"]
    await sound(store)


async def test_an_address_that_guesses_is_stopped_whoever_it_says_it_is(store: Store, shop: int) -> None:
    people = [await store.write(customers.create, name=f"K{n}", home_shop_id=shop) for n in range(5)]
    for number in range(20):
        wrong = await store.write(rewards.open_offer, f"GUESS{number}", people[number // 4], address="203.0.113.9")
        assert isinstance(wrong, UnknownVoucherError)
    with pytest.raises(reservations.attempts.TooManyError):
        await store.write(rewards.open_offer, "GUESS", people[0], address="203.0.113.9")
    assert isinstance(
        await store.write(rewards.open_offer, "GUESS", people[0], address="203.0.113.10"), UnknownVoucherError
    )


async def test_check_finds_what_a_budget_lost(store: Store, shop: int) -> None:
    made = await offer(store, budget=50_000)
    held = await reserve(store, (await store.write(vouchers.issue_many, made.id, 1))[0])
    await store.write(redemptions.confirm, held.id, shop_id=shop)
    await sound(store)

    def corrupt(session: Session) -> None:
        session.execute(sa.update(redemptions.redemptions).values(discount=19_999))

    await store.write(corrupt)
    (fault,) = await store.read(redemptions.check_limits)
    assert (fault.subject, fault.expected, fault.found) == (held.id, 20_000, 19_999)
    await store.write(lambda session: session.execute(sa.update(vouchers.vouchers).values(state="gift")))
    assert len(await store.read(voucher_gifts.check)) == 1


async def test_a_days_last_use_is_used_once_by_codes_that_race(store: Store, shop: int) -> None:
    codes = await store.write(vouchers.issue_many, (await offer(store, per_day=2)).id, 8)
    done = await outcomes([reserve(store, code, f"A{n}") for n, code in enumerate(codes)])
    assert sum(isinstance(one, Redemption) for one in done) == 2
    assert sum(isinstance(one, LimitError) for one in done) == 6
