"""Vouchers: what they give, that no limit is overrun, and reserve → confirm | cancel | lapse, each repeatable."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from loyalty import attempts, programme
from loyalty.attempts import TooManyError
from loyalty.customers import claims, customers
from loyalty.orders import orders
from loyalty.points import ledger, points
from loyalty.vouchers import redemptions, reservations, rewards, voucher_programs, vouchers
from loyalty.vouchers.redemptions import Redemption, RedemptionState, SettledError
from loyalty.vouchers.voucher_programs import Kind, MinOrderError, Program
from loyalty.vouchers.vouchers import LimitError, SoldOutError, UnknownVoucherError, UnusableVoucherError
from store.base import Base
from store.clock import SetClock
from store.engine import Store
from store.errors import ConflictError, InvalidError, NotFoundError
from tests.conftest import NOON

LAN, MINH = "+84903123456", "+84903999888"


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")


@pytest.fixture
async def lan(store: Store, shop: int) -> int:
    return await store.write(customers.create, phone=LAN, name="Lan", home_shop_id=shop)


@pytest.fixture
async def minh(store: Store, shop: int) -> int:
    return await store.write(customers.create, phone=MINH, name="Minh", home_shop_id=shop)


async def offer(store: Store, **values: Any) -> Program:
    return await store.write(
        voucher_programs.add, **{"name": "Giảm 20.000 ₫", "kind": Kind.AMOUNT, "value": 20_000} | values
    )


async def reserve(store: Store, code: str, order: str = "A1", total: int = 100_000, **values: Any) -> Redemption:
    held = await store.write(
        reservations.reserve, code, **{"shop_id": 1, "order": order, "order_total": total, "actor": "key:1"} | values
    )
    assert isinstance(held, Redemption)
    return held


async def everything(store: Store) -> dict[str, list[Any]]:
    """Every row of every table."""
    return await store.read(
        lambda session: {
            table.name: sorted(map(repr, session.execute(sa.select(table)).all()))
            for table in Base.metadata.sorted_tables
        }
    )


async def outcomes(calls: list[Any]) -> list[Any]:
    """What racing calls came to: a value or the error; a work that lost a race of locks would run again, so none may."""
    return await asyncio.gather(*calls, return_exceptions=True)


DISCOUNTS: list[tuple[dict[str, Any], int, int]] = [
    ({"kind": Kind.AMOUNT, "value": 20_000}, 100_000, 20_000),
    ({"kind": Kind.AMOUNT, "value": 20_000}, 15_000, 15_000),
    ({"kind": Kind.AMOUNT, "value": 20_000}, 0, 0),
    ({"kind": Kind.PERCENT, "value": 15}, 99_999, 14_999),
    ({"kind": Kind.PERCENT, "value": 50, "cap": 30_000}, 100_000, 30_000),
    ({"kind": Kind.PERCENT, "value": 100}, 7, 7),
    ({"kind": Kind.GIFT}, 100_000, 0),
    ({"kind": Kind.AMOUNT, "value": 20_000, "min_order": 100_000}, 100_000, 20_000),
]


async def test_a_discount_is_rounded_down_capped_and_never_more_than_the_order(store: Store, shop: int) -> None:
    for number, (values, total, off) in enumerate(DISCOUNTS):
        given = await store.write(vouchers.issue, (await offer(store, **values)).id)
        checked = await store.write(reservations.check, given.code, total, shop_id=shop, actor="key:1")
        assert checked == reservations.Checked(valid=True, discount=off, reason=None), values
        assert (await reserve(store, given.code, f"A{number}", total)).discount == off


WRONG_OFFERS: list[tuple[dict[str, Any], str]] = [
    ({"name": "  "}, "name"),
    ({"name": "x" * 101}, "name"),
    ({"value": 0}, "value"),
    ({"value": -5}, "value"),
    ({"kind": Kind.PERCENT, "value": 101}, "value"),
    ({"cap": 0}, "cap"),
    ({"min_order": -1}, "min_order"),
    ({"stock": -1}, "stock"),
    ({"per_customer": 0}, "per_customer"),
    ({"price_points": 0}, "price_points"),
    ({"starts_at": NOON, "ends_at": NOON}, "ends_at"),
    ({"ends_at": NOON.replace(tzinfo=None)}, "ends_at"),
]


async def test_an_offer_that_cannot_be_right_names_the_field(store: Store, shop: int) -> None:
    for values, field in WRONG_OFFERS:
        with pytest.raises(InvalidError) as refused:
            await offer(store, **values)
        assert refused.value.field == field


async def test_a_code_has_64_random_bits_and_is_read_however_it_is_typed(store: Store, shop: int) -> None:
    codes = await store.write(vouchers.issue_many, (await offer(store)).id, 200)
    assert len(set(codes)) == 200
    assert all(re.fullmatch("[2-9A-HJKMNP-Z]{13}", code) for code in codes)
    assert len({sign for code in codes for sign in code}) == 31
    code = codes[0]
    assert re.fullmatch(r"\w{4}-\w{4}-\w{5}", vouchers.shown(code))
    for typed in (code.lower(), vouchers.shown(code), f" {code[:6]} {code[6:]}", "–".join((code[:2], code[2:]))):
        checked = await store.write(reservations.check, typed, 50_000, shop_id=shop, actor="key:1")
        assert checked.valid, typed


async def test_a_wrong_code_gets_one_answer_whatever_is_wrong_with_it(
    store: Store, shop: int, lan: int, minh: int, clock: SetClock
) -> None:
    other = await store.write(programme.open_shop, "Trà", timezone="Asia/Ho_Chi_Minh", language="vi")
    made = await offer(store)
    used = await store.write(vouchers.issue, made.id)
    await store.write(redemptions.confirm, (await reserve(store, used.code)).id, shop_id=shop)
    held = await store.write(vouchers.issue, made.id)
    await reserve(store, held.code, "A2")
    soon = await store.write(vouchers.issue, (await offer(store, starts_at=NOON + timedelta(days=1))).id)
    over = await store.write(vouchers.issue, (await offer(store, ends_at=NOON)).id)
    hers = await store.write(vouchers.issue, made.id, lan)
    theirs = await store.write(vouchers.issue, (await offer(store, shop_id=other)).id)
    for code in (used.code, held.code, soon.code, over.code, hers.code, theirs.code, "K7MD2QXW9HPTA", "", "🎁" * 500):
        checked = await store.write(reservations.check, code, 50_000, shop_id=shop, actor="key:1", customer_id=minh)
        assert checked == reservations.Checked(valid=False, discount=0, reason="invalid"), code
    # Her own is fine in her name and in nobody's.
    assert (
        await store.write(reservations.check, hers.code, 50_000, shop_id=shop, actor="key:1", customer_id=lan)
    ).valid
    assert (await store.write(reservations.check, hers.code, 50_000, shop_id=shop, actor="key:1")).valid


async def test_a_right_code_may_say_that_the_order_is_too_small(store: Store, shop: int) -> None:
    given = await store.write(vouchers.issue, (await offer(store, min_order=100_000)).id)
    checked = await store.write(reservations.check, given.code, 99_999, shop_id=shop, actor="key:1")
    assert checked == reservations.Checked(valid=False, discount=0, reason="min_order")
    with pytest.raises(MinOrderError) as refused:
        await reserve(store, given.code, total=99_999)
    assert refused.value.min_order == 100_000


async def test_after_twenty_wrong_codes_within_a_minute_the_caller_waits(
    store: Store, shop: int, clock: SetClock
) -> None:
    given = await store.write(vouchers.issue, (await offer(store)).id)
    check: Callable[[str, str], Any] = lambda code, actor: store.write(  # noqa: E731
        reservations.check, code, 50_000, shop_id=shop, actor=actor
    )
    for number in range(19):
        assert (await check(f"wrong{number}", "key:1")).reason == "invalid"
    refused = await store.write(reservations.reserve, "wrong", shop_id=shop, order="A1", order_total=1, actor="key:1")
    assert isinstance(refused, UnknownVoucherError)
    with pytest.raises(TooManyError) as told:
        await check(given.code, "key:1")
    assert 0 < told.value.seconds <= 61
    assert (await check(given.code, "key:2")).valid
    assert await store.write(attempts.prune) == 0
    clock.advance(timedelta(seconds=61))
    assert (await check(given.code, "key:1")).valid
    assert await store.write(attempts.prune) == 1


async def test_racing_guesses_are_counted_to_the_last(store: Store, shop: int) -> None:
    done = await outcomes(
        [store.write(reservations.check, f"no{n}", 1, shop_id=shop, actor="key:1") for n in range(50)]
    )
    assert sum(isinstance(one, reservations.Checked) for one in done) == 20
    assert sum(isinstance(one, TooManyError) for one in done) == 30


async def test_stock_is_never_overrun(store: Store, shop: int, lan: int) -> None:
    made = await offer(store, stock=10)
    done = await outcomes([store.write(vouchers.issue, made.id) for _ in range(20)])
    assert sum(isinstance(one, SoldOutError) for one in done) == 10
    assert len({one.code for one in done if isinstance(one, vouchers.Voucher)}) == 10
    with pytest.raises(SoldOutError):
        await store.write(vouchers.issue_many, made.id, 1)
    assert await store.read(vouchers.check) == []


async def test_a_voucher_is_its_owners_and_nobody_elses(store: Store, shop: int, lan: int, minh: int) -> None:
    """Somebody else is refused whether they came to the shop before its owner or after."""
    made = await offer(store)
    for owner, other in ((lan, minh), (minh, lan)):
        given = await store.write(vouchers.issue, made.id, owner)
        asked: dict[str, Any] = {"shop_id": shop, "order": f"A{owner}", "order_total": 50_000, "actor": f"key:{owner}"}
        refused = await store.write(reservations.reserve, given.code, customer_id=other, **asked)
        assert isinstance(refused, UnknownVoucherError)
        assert isinstance(await store.write(reservations.reserve, given.code, customer_id=owner, **asked), Redemption)


async def test_more_than_the_stock_at_once_issues_nothing(store: Store, shop: int) -> None:
    made = await offer(store, stock=10)
    before = await everything(store)
    with pytest.raises(SoldOutError):
        await store.write(vouchers.issue_many, made.id, 11)
    assert await everything(store) == before
    assert len(await store.write(vouchers.issue_many, made.id, 10)) == 10


async def test_one_customer_never_gets_more_than_the_limit(store: Store, shop: int, lan: int, minh: int) -> None:
    made = await offer(store, per_customer=2)
    done = await outcomes([store.write(vouchers.issue, made.id, lan) for _ in range(8)])
    assert sum(isinstance(one, LimitError) for one in done) == 6
    assert len(await store.read(vouchers.wallet, lan)) == 2
    await store.write(vouchers.issue, made.id, minh)
    assert await store.read(vouchers.check) == []


async def test_a_big_batch_is_one_act(store: Store, shop: int) -> None:
    made = await offer(store)
    assert len(set(await store.write(vouchers.issue_many, made.id, 5_000))) == 5_000
    for count in (0, -1, vouchers.COUNT_MAX + 1):
        with pytest.raises(InvalidError):
            await store.write(vouchers.issue_many, made.id, count)
    with pytest.raises(NotFoundError):
        await store.write(vouchers.issue_many, 999, 1)


async def test_a_merge_takes_the_redemptions_of_its_own_along_and_no_others(
    store: Store, shop: int, lan: int, minh: int
) -> None:
    made = await offer(store)
    thu = await store.write(customers.create, phone="+84903777666", name="Thu", home_shop_id=shop)
    held = {
        who: await reserve(store, (await store.write(vouchers.issue, made.id, who)).code, f"A{who}")
        for who in (lan, minh, thu)
    }
    await store.write(claims.merge, lan, minh)
    owners = [(await store.read(redemptions.get, held[who].id, shop)).customer_id for who in (lan, minh, thu)]
    assert owners == [lan, lan, thu]


async def test_a_merge_leaves_alone_who_was_there_before(store: Store, shop: int, lan: int, minh: int) -> None:
    held = await reserve(store, (await store.write(vouchers.issue, (await offer(store)).id, lan)).code)
    thu = await store.write(customers.create, phone="+84903777666", name="Thu", home_shop_id=shop)
    await store.write(claims.merge, minh, thu)
    assert (await store.read(redemptions.get, held.id, shop)).customer_id == lan


async def test_reserve_confirm_and_again(store: Store, shop: int, lan: int) -> None:
    given = await store.write(vouchers.issue, (await offer(store)).id, lan)
    held = await reserve(store, given.code)
    assert (held.state, held.discount, held.customer_id) == ("reserved", 20_000, lan)
    assert held.expires_at == NOON + timedelta(minutes=15)
    assert await reserve(store, given.code) == held
    with pytest.raises(UnusableVoucherError):
        await reserve(store, given.code, "A2")
    for _ in range(2):
        assert (await store.write(redemptions.confirm, held.id, shop_id=shop)).state == "confirmed"
    with pytest.raises(SettledError) as refused:
        await store.write(redemptions.cancel, held.id, shop_id=shop)
    assert isinstance(refused.value, ConflictError)
    assert (await reserve(store, given.code)).state == "confirmed"
    with pytest.raises(UnusableVoucherError):
        await reserve(store, given.code, total=90_000)
    with pytest.raises(UnusableVoucherError):
        await reserve(store, given.code, "A2")
    assert await store.read(vouchers.wallet, lan) == []
    assert await store.read(redemptions.check_states) == []


async def test_a_cancelled_voucher_is_free_again(store: Store, shop: int) -> None:
    given = await store.write(vouchers.issue, (await offer(store)).id)
    held = await reserve(store, given.code)
    for _ in range(2):
        assert (await store.write(redemptions.cancel, held.id, shop_id=shop)).state == "cancelled"
    with pytest.raises(SettledError):
        await store.write(redemptions.confirm, held.id, shop_id=shop)
    again = await reserve(store, given.code, "A2")
    assert again.id != held.id
    assert await store.read(redemptions.check_states) == []


async def test_a_reservation_nobody_settles_lapses(store: Store, shop: int, clock: SetClock) -> None:
    given = await store.write(vouchers.issue, (await offer(store)).id)
    held = await reserve(store, given.code)
    clock.advance(timedelta(minutes=15) - timedelta(seconds=1))
    assert await store.write(redemptions.lapse_due) == 0
    clock.advance(timedelta(seconds=1))
    # The clock need not have come round for the voucher to be free, nor for the confirm to be too late.
    assert (await store.write(reservations.check, given.code, 50_000, shop_id=shop, actor="key:1")).valid
    with pytest.raises(SettledError):
        await store.write(redemptions.confirm, held.id, shop_id=shop)
    again = await reserve(store, given.code, "A2")
    clock.advance(timedelta(minutes=15))
    assert await store.write(redemptions.lapse_due) == 1
    assert await store.write(redemptions.lapse_due) == 0
    assert (await store.read(redemptions.get, again.id, shop)).state == RedemptionState.LAPSED
    assert await store.read(redemptions.check_states) == []


async def test_a_changed_basket_keeps_its_reservation_with_the_new_discount(store: Store, shop: int) -> None:
    first, second = await store.write(vouchers.issue_many, (await offer(store, kind=Kind.PERCENT, value=10)).id, 2)
    held, other = await reserve(store, first, total=100_000), await reserve(store, second, "A2")
    changed = await reserve(store, first, total=55_555)
    assert (changed.id, changed.discount) == (held.id, 5_555)
    assert await store.read(redemptions.get, other.id, shop) == other


async def test_a_changed_basket_leaves_room_for_what_came_after(store: Store, shop: int) -> None:
    first, second = await store.write(vouchers.issue_many, (await offer(store)).id, 2)
    for code in (first, second):
        assert (await reserve(store, code)).discount == 20_000
    assert (await reserve(store, first, total=30_000)).discount == 10_000


async def test_vouchers_together_take_off_no_more_than_the_order(store: Store, shop: int) -> None:
    codes = await store.write(vouchers.issue_many, (await offer(store)).id, 4)
    done = await outcomes([reserve(store, code, "A1", 50_000) for code in codes])
    assert sorted(held.discount for held in done) == [0, 10_000, 20_000, 20_000]


async def test_a_share_is_of_the_whole_though_an_amount_was_there_before_it(store: Store, shop: int) -> None:
    """Amounts come off after shares, and a share of what earlier ones left, in whatever order they are reserved."""
    codes = []
    for values in ({}, {"kind": Kind.PERCENT, "value": 10}, {"kind": Kind.PERCENT, "value": 10}):
        codes += await store.write(vouchers.issue_many, (await offer(store, **values)).id, 1)
    assert [(await reserve(store, code)).discount for code in codes] == [20_000, 10_000, 9_000]


async def test_an_orders_number_has_its_length(store: Store, shop: int) -> None:
    (code,) = await store.write(vouchers.issue_many, (await offer(store)).id, 1)
    for order in (" ", "x" * (reservations.EXTERNAL_ID_CHARS_MAX + 1)):
        with pytest.raises(InvalidError):
            await reserve(store, code, order)
    await reserve(store, code, "x" * reservations.EXTERNAL_ID_CHARS_MAX)


async def test_of_many_orders_that_want_one_voucher_one_gets_it(store: Store, shop: int) -> None:
    given = await store.write(vouchers.issue, (await offer(store)).id)
    done = await outcomes([reserve(store, given.code, f"A{n}") for n in range(10)])
    winners = [one for one in done if isinstance(one, Redemption)]
    assert len(winners) == 1
    assert sum(isinstance(one, UnusableVoucherError) for one in done) == 9
    settled = await outcomes(
        [
            store.write(rule, winners[0].id, shop_id=shop)
            for rule in [redemptions.confirm, redemptions.cancel] * 5
        ]
    )  # fmt: skip
    states = {one.state for one in settled if isinstance(one, Redemption)}
    assert len(states) == 1
    assert sum(isinstance(one, SettledError) for one in settled) == 5
    assert await store.read(redemptions.check_states) == []


async def test_one_order_that_asks_many_times_at_once_holds_once(store: Store, shop: int) -> None:
    given = await store.write(vouchers.issue, (await offer(store)).id)
    done = await outcomes([reserve(store, given.code) for _ in range(10)])
    assert len({held.id for held in done}) == 1


async def test_another_shop_sees_nothing_of_a_redemption(store: Store, shop: int) -> None:
    other = await store.write(programme.open_shop, "Trà", timezone="Asia/Ho_Chi_Minh", language="vi")
    held = await reserve(store, (await store.write(vouchers.issue, (await offer(store)).id)).code)
    for rule in (redemptions.confirm, redemptions.cancel, redemptions.roll_back):
        with pytest.raises(NotFoundError):
            await store.write(rule, held.id, shop_id=other)
    assert (await store.read(redemptions.get, held.id, shop)).state == "reserved"


async def test_an_order_confirms_the_redemptions_it_names(store: Store, shop: int, lan: int) -> None:
    given = await store.write(vouchers.issue, (await offer(store)).id, lan)
    held = await reserve(store, given.code, "A1")
    order = orders.OrderInput(
        total=80_000, currency="VND", placed_at=NOON, status=orders.Status.COMPLETED, customer_id=lan,
        redemptions=[held.id],
    )  # fmt: skip
    before = await everything(store)
    with pytest.raises(InvalidError) as refused:
        await store.write(orders.put, shop, "A2", order)
    assert refused.value.field == "redemptions"
    assert await everything(store) == before
    for _ in range(2):
        await store.write(orders.put, shop, "A1", order)
    assert (await store.read(redemptions.get, held.id, shop)).state == "confirmed"
    late = await reserve(store, (await store.write(vouchers.issue, given.program_id)).code, "A3")
    await store.write(redemptions.cancel, late.id, shop_id=shop)
    with pytest.raises(SettledError):
        await store.write(orders.put, shop, "A3", replace(order, redemptions=[late.id]))


async def test_a_rolled_back_voucher_can_be_used_again_in_its_period(store: Store, shop: int, clock: SetClock) -> None:
    given = await store.write(vouchers.issue, (await offer(store, valid_days=0)).id)
    held = await reserve(store, given.code)
    with pytest.raises(SettledError):
        await store.write(redemptions.roll_back, held.id, shop_id=shop)
    await store.write(redemptions.confirm, held.id, shop_id=shop)
    for _ in range(2):
        assert (await store.write(redemptions.roll_back, held.id, shop_id=shop)).state == "rolled_back"
    again = await reserve(store, given.code, "A2")
    await store.write(redemptions.confirm, again.id, shop_id=shop)
    await store.write(redemptions.roll_back, again.id, shop_id=shop)
    clock.set(NOON.replace(hour=17))
    with pytest.raises(UnusableVoucherError):
        await reserve(store, given.code, "A3")


async def test_a_voucher_lives_to_the_end_of_its_last_day_and_no_longer_than_its_programme(
    store: Store, shop: int, lan: int
) -> None:
    week = await store.write(vouchers.issue, (await offer(store, valid_days=7)).id, lan)
    short = await store.write(
        vouchers.issue, (await offer(store, valid_days=7, ends_at=NOON + timedelta(days=1))).id, lan
    )
    ever = await store.write(vouchers.issue, (await offer(store)).id, lan)
    kept = await store.read(vouchers.wallet, lan)
    assert [one.voucher.id for one in kept] == [short.id, week.id, ever.id]
    assert [one.last_day for one in kept] == ["2026-11-22", "2026-11-28", None]


async def test_points_buy_a_voucher_once_for_each_tap(store: Store, shop: int, lan: int) -> None:
    made = await offer(store, price_points=50, per_customer=2)
    await earn(store, lan, 120)
    assert [(one.program.id, one.price, one.left) for one in await store.read(rewards.catalogue, lan)] == [
        (made.id, 50, 2)
    ]
    done = await outcomes([store.write(rewards.buy, lan, made.id, price=50, key="tap:1") for _ in range(5)])
    assert len({one.voucher.code for one in done}) == 1
    assert {one.balance for one in done} == {70}
    await store.write(rewards.buy, lan, made.id, price=50, key="tap:2")
    assert await store.read(rewards.catalogue, lan) == []
    assert (await store.read(points.balances, lan))[0] == 20
    assert len(await store.read(vouchers.wallet, lan)) == 2
    assert await store.read(points.check) == []


@pytest.mark.parametrize(
    ("values", "price", "error"),
    [
        ({"price_points": 500}, 500, ledger.UncoveredError),
        ({"price_points": 60}, 50, rewards.PriceChangedError),
        ({"price_points": 50, "stock": 0}, 50, SoldOutError),
        ({"price_points": 50, "ends_at": NOON}, 50, SoldOutError),
        ({"price_points": 50, "starts_at": NOON + timedelta(days=1)}, 50, SoldOutError),
        ({"price_points": 50, "hidden": True}, 50, NotFoundError),
        ({}, 50, NotFoundError),
    ],
)
async def test_a_refused_purchase_changes_nothing(
    store: Store, shop: int, lan: int, values: dict[str, Any], price: int, error: type[Exception]
) -> None:
    await earn(store, lan, 120)
    made = await offer(store, **values)
    before = await everything(store)
    with pytest.raises(error):
        await store.write(rewards.buy, lan, made.id, price=price, key="tap:1")
    assert await everything(store) == before


async def test_points_for_one_buy_one(store: Store, shop: int, lan: int) -> None:
    made = await offer(store, price_points=50)
    await earn(store, lan, 70)
    done = await outcomes([store.write(rewards.buy, lan, made.id, price=50, key=f"tap:{n}") for n in range(6)])
    assert sum(isinstance(one, rewards.Bought) for one in done) == 1
    assert sum(isinstance(one, ledger.UncoveredError) for one in done) == 5
    assert (await store.read(points.balances, lan))[0] == 20
    assert await store.read(vouchers.check) == []


async def test_an_offered_code_gives_each_person_one(store: Store, shop: int, lan: int, minh: int) -> None:
    made = await offer(store, stock=2)
    code = await store.write(rewards.offer_code, made.id)
    assert await store.write(rewards.offer_code, made.id) == code
    done = await outcomes([store.write(rewards.open_offer, code.lower(), lan) for _ in range(5)])
    assert sum(one.new for one in done) == 1
    assert len({one.voucher.id for one in done}) == 1
    assert (await store.write(rewards.open_offer, code, minh)).new
    late = await store.write(customers.create, name="Tí")
    with pytest.raises(SoldOutError):
        await store.write(rewards.open_offer, code, late)
    refused = await store.write(rewards.open_offer, "K7MD2QXW9HPTA", lan)
    assert isinstance(refused, UnknownVoucherError)


async def test_a_bearers_code_becomes_the_voucher_of_who_opens_it_first(
    store: Store, shop: int, lan: int, minh: int
) -> None:
    (code,) = await store.write(vouchers.issue_many, (await offer(store)).id, 1)
    done = await outcomes([store.write(rewards.open_offer, code, who) for who in (lan, minh, lan, minh)])
    assert sum(isinstance(one, rewards.Opened) and one.new for one in done) == 1
    assert sum(isinstance(one, rewards.Opened) for one in done) == 2
    assert sum(isinstance(one, UnknownVoucherError) for one in done) == 2
    owned = [await store.read(vouchers.wallet, who) for who in (lan, minh)]
    assert sorted(map(len, owned)) == [0, 1]


async def test_vouchers_go_along_in_a_merge(store: Store, shop: int, lan: int, minh: int) -> None:
    made = await offer(store, per_customer=1)
    given = await store.write(vouchers.issue, made.id, minh)
    held = await reserve(store, given.code)
    await store.write(claims.merge, lan, minh)
    assert [one.voucher.id for one in await store.read(vouchers.wallet, minh)] == [given.id]
    assert (await store.read(redemptions.get, held.id, shop)).customer_id == lan
    with pytest.raises(LimitError):
        await store.write(vouchers.issue, made.id, minh)


async def test_the_same_cause_gives_the_same_voucher(store: Store, shop: int, lan: int, minh: int) -> None:
    made = await offer(store)
    done = await outcomes([store.write(vouchers.issue, made.id, lan, key="c:1") for _ in range(4)])
    assert len({one.id for one in done}) == 1
    with pytest.raises(ledger.KeyConflictError):
        await store.write(vouchers.issue, made.id, minh, key="c:1")


async def test_check_finds_a_corrupted_row_of_each_kind(store: Store, shop: int) -> None:
    made = await offer(store)
    given = await store.write(vouchers.issue, made.id)
    held = await reserve(store, given.code)
    await store.write(lambda session: session.execute(sa.update(voucher_programs.programs).values(issued=7)))
    assert [fault.subject for fault in await store.read(vouchers.check)] == [made.id]
    for row, values in ((vouchers.vouchers, {"state": "open"}), (vouchers.vouchers, {"state": "used"})):
        await store.write(lambda session, row=row, values=values: session.execute(sa.update(row).values(**values)))
        assert [fault.subject for fault in await store.read(redemptions.check_states)] == [given.id]
    with pytest.raises(sa.exc.IntegrityError):
        await store.write(
            lambda session: session.execute(
                sa.insert(redemptions.redemptions).values(
                    voucher_id=given.id, shop_id=shop, order="B", order_total=1, discount=0, state="confirmed",
                    at=NOON, expires_at=NOON,
                )
            )
        )  # fmt: skip
    assert held.id


async def earn(store: Store, customer_id: int, amount: int) -> None:
    await store.write(
        points.earn, f"e:{customer_id}:{amount}", "earn", customer_id=customer_id, shop_id=1, points=amount
    )
