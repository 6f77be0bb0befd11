"""Referrals: paid when the return window has passed, refused with a reason, taken back with what was returned."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
import sqlalchemy as sa

from loyalty import programme
from loyalty.customers import claims, customers
from loyalty.orders import bulk, orders, sales
from loyalty.orders.imports import OrderLine
from loyalty.orders.orders import OrderInput, Status
from loyalty.points import points, proof
from loyalty.referrals import referral_review, referral_terms, referrals
from loyalty.referrals.referral_orders import counts_from
from loyalty.referrals.referral_review import UndecidableError
from loyalty.referrals.referral_terms import Reward, RewardKind
from loyalty.referrals.referrals import Opened
from loyalty.vouchers import redemptions, reservations, voucher_programs, vouchers
from loyalty.vouchers.voucher_programs import Kind
from store import shops, staff
from store.clock import SetClock
from store.engine import Store
from store.errors import InvalidError
from store.notices import NoticeRow
from tests.conftest import NOON

LATER = timedelta(minutes=10)
FIFTY = Reward(RewardKind.POINTS, points=50)
NOTHING = Reward(RewardKind.POINTS)


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")


async def person(store: Store, **values: Any) -> int:
    return await store.write(customers.create, **values)


async def bring(store: Store, host: int, friend: int, **how: Any) -> Opened:
    return await store.write(referrals.open_link, await store.write(referrals.code_of, host), friend, **how)


async def pair(store: Store) -> tuple[int, int]:
    """A host, and a friend who opened their link."""
    host, friend = await person(store, name="Nguyễn Thị Lan"), await person(store, name="Trần Huy")
    assert await bring(store, host, friend) is Opened.WELCOME
    return host, friend


async def put(store: Store, shop: int, name: str, friend: int, total: int = 40_000, **values: Any) -> orders.OrderState:
    told = OrderInput(total, "VND", store.clock.now(), Status.COMPLETED, customer_id=friend)
    return await store.write(orders.put, shop, name, replace(told, **values), source="api")


async def balance(store: Store, customer: int) -> int:
    return (await store.read(points.balances, customer))[0]


async def row(store: Store, friend: int) -> Any:
    query = sa.select(referrals.referrals).where(referrals.referrals.c.friend_id == friend)
    return await store.read(lambda session: session.execute(query).one())


async def told(store: Store, customer: int) -> list[tuple[str, int]]:
    """Kind and points of what a customer was told of their referrals."""

    def look(session: Any) -> list[tuple[str, int]]:
        query = (
            sa.select(NoticeRow.kind, NoticeRow.params)
            .where(NoticeRow.customer_id == customer, NoticeRow.kind.like("referral%"))
            .order_by(NoticeRow.id)
        )
        return [(kind, params.get("points", 0)) for kind, params in session.execute(query)]

    return await store.read(look)


async def window(store: Store, shop: int, days: int) -> None:
    await store.write(lambda session: shops.change(session, shop, return_days=days))


async def promise(store: Store, referrer: Reward, friend: Reward, daily_limit: int = 20) -> None:
    await store.write(referral_terms.change, referrer=referrer, friend=friend, daily_limit=daily_limit, actor="staff:1")


async def sound(store: Store) -> None:
    assert await store.read(proof.faults) == []


# ── When ───────────────────────────────────────────────────────────────────────────────────────────


async def test_without_a_window_both_are_paid_at_once_and_once(store: Store, shop: int) -> None:
    host, friend = await pair(store)
    await put(store, shop, "A1", friend)
    await put(store, shop, "A2", friend)
    assert (await balance(store, host), await balance(store, friend)) == (50, 80 + 50)
    assert await told(store, host) == [("referral_referrer", 50)]
    assert await told(store, friend) == [("referral_friend", 50)]
    assert (await store.read(referrals.tally, host)) == referrals.Tally(1, 1, 50)
    assert await store.write(referrals.pay_due) == 0
    await sound(store)


async def test_a_free_order_is_no_first_purchase(store: Store, shop: int) -> None:
    host, friend = await pair(store)
    await put(store, shop, "A1", friend, total=0)
    assert ((await row(store, friend)).state, await balance(store, host)) == ("waiting", 0)
    await put(store, shop, "A2", friend)
    assert await balance(store, host) == 50


async def test_the_return_window_must_pass_first(store: Store, shop: int, clock: SetClock) -> None:
    await window(store, shop, 7)
    host, friend = await pair(store)
    await put(store, shop, "A1", friend)
    found = await row(store, friend)
    assert (found.state, found.due_at) == ("due", NOON + timedelta(days=7))
    clock.advance(timedelta(days=7) - timedelta(seconds=1))
    assert await store.write(referrals.pay_due) == 0
    assert await balance(store, host) == 0
    clock.advance(timedelta(seconds=1))
    assert await store.write(referrals.pay_due) == 1
    assert await store.write(referrals.pay_due) == 0
    assert ((await row(store, friend)).state, await balance(store, host)) == ("rewarded", 50)
    assert await told(store, host) == [("referral_referrer", 50)]
    await sound(store)


async def test_what_is_returned_within_its_window_is_never_paid(store: Store, shop: int, clock: SetClock) -> None:
    await window(store, shop, 7)
    host, friend = await pair(store)
    at = clock.now()
    await put(store, shop, "A1", friend)
    clock.advance(timedelta(days=3))
    await put(store, shop, "A1", friend, status=Status.REFUNDED, placed_at=at)
    assert (await row(store, friend)).state == "waiting"
    clock.advance(timedelta(days=9))
    await store.write(referrals.pay_due)
    assert (await balance(store, host), await told(store, host)) == (0, [])
    # The next order is the first paid one now, with a window of its own, which a changed setting doesn't move.
    await put(store, shop, "A2", friend)
    await window(store, shop, 30)
    clock.advance(timedelta(days=8))
    await store.write(referrals.pay_due)
    assert await balance(store, host) == 50


async def test_what_was_promised_is_what_they_get(store: Store, shop: int) -> None:
    host, friend = await pair(store)
    await promise(store, Reward(RewardKind.POINTS, points=10), NOTHING)
    other = await person(store)
    await bring(store, host, other)
    await put(store, shop, "A1", friend)
    assert (await balance(store, host), await balance(store, friend)) == (50, 40 + 50)
    await put(store, shop, "B1", other)
    assert (await balance(store, host), await balance(store, other)) == (60, 40)
    assert await told(store, other) == []


@pytest.mark.parametrize(
    ("side", "field"),
    [
        (Reward(RewardKind.POINTS, points=-1), "referrer_points"),
        (Reward(RewardKind.PERCENT, percent=0), "referrer_percent"),
        (Reward(RewardKind.PERCENT, percent=101), "referrer_percent"),
        (Reward(RewardKind.PERCENT, percent=5, orders=101), "referrer_orders"),
        (Reward(RewardKind.VOUCHER, program_id=7), "referrer_program"),
    ],
)
async def test_terms_that_cannot_be_are_refused(store: Store, shop: int, side: Reward, field: str) -> None:
    with pytest.raises(InvalidError) as refused:
        await promise(store, side, FIFTY)
    assert refused.value.field == field
    assert (await store.read(referral_terms.current)).referrer == FIFTY


# ── Taken back ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_return_takes_both_rewards_back_and_paying_again_gives_them_again(store: Store, shop: int) -> None:
    host, friend = await pair(store)
    await put(store, shop, "A1", friend)
    for _ in range(2):
        await put(store, shop, "A1", friend, status=Status.REFUNDED)
        assert (await balance(store, host), await balance(store, friend)) == (0, 0)
        assert (await row(store, friend)).state == "reversed"
    await put(store, shop, "A1", friend, status=Status.COMPLETED, refunded=0)
    assert (await balance(store, host), (await row(store, friend)).state) == (50, "rewarded")
    await put(store, shop, "A1", friend, status=Status.CANCELLED)
    assert await balance(store, host) == 0
    await put(store, shop, "A2", friend)
    assert await balance(store, host) == 50
    kinds = [kind for kind, _ in await told(store, host)]
    assert kinds == ["referral_referrer", "referral_taken_back"] * 2 + ["referral_referrer"]
    assert await store.read(referrals.tally, host) == referrals.Tally(1, 1, 50)
    await sound(store)


async def test_a_partial_refund_leaves_a_fixed_reward_and_another_order_keeps_it(store: Store, shop: int) -> None:
    host, friend = await pair(store)
    await put(store, shop, "A1", friend)
    await put(store, shop, "A1", friend, refunded=39_999)
    await put(store, shop, "A2", friend)
    await put(store, shop, "A1", friend, refunded=40_000)
    assert await balance(store, host) == 50
    assert await told(store, host) == [("referral_referrer", 50)]
    await put(store, shop, "A2", friend, status=Status.CANCELLED)
    assert (await balance(store, host), (await row(store, friend)).state) == (0, "reversed")
    await sound(store)


async def test_a_sale_undone_at_the_till_takes_the_reward_back(store: Store, shop: int) -> None:
    host, friend = await pair(store)
    cashier = await store.write(staff.add, "Minh", staff.Role.CASHIER, shop)
    sold = await store.write(
        sales.sell, shop_id=shop, staff_id=cashier, key="k", amount=40_000, customer_id=friend
    )  # fmt: skip
    assert await balance(store, host) == 50
    assert isinstance(sold, sales.Sale)
    await store.write(sales.undo, shop_id=shop, staff_id=cashier, sale_id=sold.id)
    assert (await balance(store, host), await balance(store, friend)) == (0, 0)
    assert await told(store, host) == [("referral_referrer", 50), ("referral_taken_back", 50)]
    await sound(store)


REFUNDS = [("A1", 10_001), ("A2", 33_333), ("A1", 47_000), ("A2", 0)]


@pytest.mark.parametrize("order", list(permutations(range(4)))[::5])
async def test_a_percentage_is_of_what_stays_paid_whatever_the_refunds(
    store: Store, shop: int, order: tuple[int, ...]
) -> None:
    await promise(store, Reward(RewardKind.PERCENT, percent=7, orders=2), NOTHING)
    host, friend = await pair(store)
    totals = {"A1": 85_999, "A2": 133_333, "A3": 500_000}
    stays = dict(totals)
    for name, total in totals.items():
        await put(store, shop, name, friend, total=total)
    assert await balance(store, host) == 85_999 * 7 // 2_000 + 133_333 * 7 // 2_000
    for number in order:
        name, refunded = REFUNDS[number]
        await put(store, shop, name, friend, total=totals[name], refunded=refunded)
        stays[name] = totals[name] - refunded
        assert await balance(store, host) == sum(stays[name] * 7 // 2_000 for name in ("A1", "A2"))
    # One that is gone entirely makes room for the next.
    await put(store, shop, "A1", friend, total=totals["A1"], status=Status.REFUNDED)
    assert await balance(store, host) == sum(stays[name] * 7 // 2_000 for name in ("A2", "A3"))
    await sound(store)


async def test_a_percentage_keeps_the_value_of_a_point_it_began_with(store: Store, shop: int) -> None:
    await promise(store, Reward(RewardKind.PERCENT, percent=10, orders=5), Reward(RewardKind.PERCENT, percent=5))
    host, friend = await pair(store)
    await put(store, shop, "A1", friend, total=100_000)
    assert (await balance(store, host), await balance(store, friend)) == (500, 100 + 250)
    await store.write(lambda session: programme.change(session, point_value=100))
    await put(store, shop, "A1", friend, total=100_000, refunded=50_000)
    assert (await balance(store, host), await balance(store, friend)) == (250, 50 + 125)
    await put(store, shop, "A2", friend, total=100_000)
    assert (await balance(store, host), await balance(store, friend)) == (350, 150 + 125)
    await sound(store)


async def test_each_order_of_a_percentage_has_a_window_of_its_own(store: Store, shop: int, clock: SetClock) -> None:
    await window(store, shop, 2)
    await promise(store, Reward(RewardKind.PERCENT, percent=10, orders=2), NOTHING)
    host, friend = await pair(store)
    await put(store, shop, "A1", friend, total=20_000)
    clock.advance(timedelta(days=1))
    await put(store, shop, "A2", friend, total=40_000)
    paid = []
    for _ in range(3):
        await store.write(referrals.pay_due)
        paid.append(await balance(store, host))
        clock.advance(timedelta(days=1))
    assert paid == [0, 100, 300]
    assert (await row(store, friend)).due_at is None


# ── Vouchers ───────────────────────────────────────────────────────────────────────────────────────


async def offer(store: Store, **values: Any) -> int:
    made = {"name": "Bánh mì", "kind": Kind.AMOUNT, "value": 20_000, **values}
    return (await store.write(lambda session: voucher_programs.add(session, **made))).id


async def test_a_voucher_is_given_and_withdrawn_while_unused(store: Store, shop: int) -> None:
    await promise(store, FIFTY, Reward(RewardKind.VOUCHER, program_id=await offer(store)))
    host, friend = await pair(store)
    await put(store, shop, "A1", friend)
    (kept,) = await store.read(vouchers.wallet, friend)
    assert (await balance(store, host), await balance(store, friend)) == (50, 40)
    assert await told(store, friend) == [("referral_friend", 0)]
    await put(store, shop, "A1", friend, status=Status.REFUNDED)
    assert await store.read(vouchers.wallet, friend) == []
    with pytest.raises(vouchers.UnusableVoucherError):
        await store.write(reservations.hold, kept.voucher.code, shop_id=shop, order="X", order_total=90_000)
    await put(store, shop, "A1", friend, status=Status.COMPLETED, refunded=0)
    (again,) = await store.read(vouchers.wallet, friend)
    assert again.voucher.code != kept.voucher.code
    await sound(store)


async def test_a_used_voucher_stays_used_and_is_not_given_twice(store: Store, shop: int, clock: SetClock) -> None:
    await promise(store, Reward(RewardKind.VOUCHER, program_id=await offer(store)), NOTHING)
    host, friend = await pair(store)
    await put(store, shop, "A1", friend)
    (kept,) = await store.read(vouchers.wallet, host)
    held = await store.write(reservations.hold, kept.voucher.code, shop_id=shop, order="X", order_total=90_000)
    # Held: it can't be withdrawn now, and is looked at again.
    await put(store, shop, "A1", friend, status=Status.REFUNDED)
    assert (await store.read(vouchers.get, kept.voucher.id)).state == "held"
    assert (await row(store, friend)).due_at is not None
    await store.write(redemptions.confirm, held.id, shop_id=shop)
    clock.advance(timedelta(hours=2))
    await store.write(referrals.pay_due)
    assert (await row(store, friend)).due_at is None
    await put(store, shop, "A2", friend)
    assert await store.read(vouchers.wallet, host) == []
    assert (await store.read(referrals.tally, host)).vouchers == 1


async def test_what_cannot_be_given_now_is_given_later(store: Store, shop: int, clock: SetClock) -> None:
    program = await offer(store, stock=0)
    await promise(store, FIFTY, Reward(RewardKind.VOUCHER, program_id=program))
    host, friend = await pair(store)
    await put(store, shop, "A1", friend)
    assert await balance(store, host) == 50
    assert await store.read(vouchers.wallet, friend) == []
    await store.write(lambda session: voucher_programs.change(session, program, stock=5))
    assert await store.write(referrals.pay_due) == 0
    clock.advance(timedelta(hours=1))
    assert await store.write(referrals.pay_due) == 1
    assert len(await store.read(vouchers.wallet, friend)) == 1
    assert await store.write(referrals.pay_due) == 0
    await sound(store)


# ── Refused ────────────────────────────────────────────────────────────────────────────────────────


async def test_nobody_is_brought_by_whom_they_brought(store: Store, shop: int) -> None:
    a, b, c = [await person(store) for _ in range(3)]
    assert await bring(store, a, b) is Opened.WELCOME
    assert await bring(store, b, c) is Opened.WELCOME
    assert await bring(store, b, a) is Opened.KNOWN
    assert (await row(store, a)).reason == "loop"
    await put(store, shop, "A1", a)
    assert (await balance(store, a), await balance(store, b)) == (40, 0)
    assert await bring(store, c, c) is Opened.OWN


async def test_a_longer_loop_is_seen_too(store: Store, shop: int) -> None:
    a, b, c = [await person(store) for _ in range(3)]
    await bring(store, a, b)
    await bring(store, b, c)
    assert await bring(store, c, a) is Opened.KNOWN
    assert (await row(store, a)).reason == "loop"


async def test_who_was_known_before_is_refused_with_the_reason(store: Store, shop: int) -> None:
    host = await person(store)
    writer, caller, buyer = await person(store), await person(store, phone="+84903000001"), await person(store)
    await put(store, shop, "A0", buyer)
    found = [await bring(store, host, friend, known=friend != buyer) for friend in (writer, caller, buyer)]
    assert found == [Opened.KNOWN] * 3
    reasons = [(await row(store, friend)).reason for friend in (writer, caller, buyer)]
    assert reasons == ["known_account", "known_phone", "ordered_before"]
    for friend in (writer, caller, buyer):
        await put(store, shop, f"A{friend}", friend)
    assert await balance(store, host) == 0
    assert (await store.read(referrals.tally, host)).friends == 0


async def test_an_order_from_before_that_arrives_later_refuses(store: Store, shop: int) -> None:
    host, friend = await pair(store)
    await put(store, shop, "A0", friend, placed_at=NOON - timedelta(seconds=1))
    found = await row(store, friend)
    assert (found.state, found.reason, found.decided_by) == ("refused", "ordered_before", None)
    await put(store, shop, "A1", friend)
    assert await balance(store, host) == 0


async def test_a_phone_that_was_known_before_takes_back_what_was_paid(store: Store, shop: int, clock: SetClock) -> None:
    old = await person(store, phone="+84903000001")
    clock.advance(LATER)
    host, friend = await pair(store)
    await put(store, shop, "A1", friend)
    assert await balance(store, host) == 50
    await store.write(claims.prove_phone, friend, "+84903000001")
    await store.write(referrals.pay_due)
    assert ((await row(store, old)).reason, await balance(store, host)) == ("known_phone", 0)
    assert await balance(store, old) == 40
    await sound(store)


async def test_a_guest_of_the_till_who_came_by_the_link_counts(store: Store, shop: int, clock: SetClock) -> None:
    host, friend = await pair(store)
    clock.advance(LATER)
    await put(store, shop, "A1", 0, customer_id=None, phone="+84903000001")
    claimed = await store.write(claims.prove_phone, friend, "+84903000001")
    found = await row(store, claimed.customer_id)
    assert (found.state, found.reason, await balance(store, host)) == ("rewarded", None, 50)
    assert await balance(store, claimed.customer_id) == 90
    await sound(store)


async def test_two_accounts_of_one_friend_count_once_by_the_first_link(
    store: Store, shop: int, clock: SetClock
) -> None:
    first, friend = await pair(store)
    clock.advance(LATER)
    second, other = await pair(store)
    await put(store, shop, "A1", friend)
    await put(store, shop, "B1", other)
    assert (await balance(store, first), await balance(store, second)) == (50, 50)
    await store.write(claims.merge, other, friend)
    await store.write(referrals.pay_due)
    assert (await balance(store, first), await balance(store, second)) == (50, 0)
    assert ((await row(store, other)).state, (await row(store, friend)).reason) == ("rewarded", "twice")
    assert await balance(store, other) == 80 + 50
    await put(store, shop, "A1", other, status=Status.REFUNDED)
    assert await balance(store, first) == 50
    await sound(store)


async def test_host_and_friend_who_are_one_person_get_nothing(store: Store, shop: int) -> None:
    host, friend = await pair(store)
    await put(store, shop, "A1", friend)
    await store.write(claims.merge, host, friend)
    await store.write(referrals.pay_due)
    found = await row(store, host)
    assert (found.reason, await balance(store, host)) == ("self", 40)
    with pytest.raises(UndecidableError):
        await store.write(referral_review.decide, found.id, allow=True, actor="staff:1")
    await sound(store)


async def test_a_link_brings_so_many_a_day(store: Store, shop: int, clock: SetClock) -> None:
    await promise(store, FIFTY, FIFTY, daily_limit=2)
    host = await person(store)
    friends = [await person(store) for _ in range(4)]
    found = [await bring(store, host, friend) for friend in friends[:3]]
    assert found == [Opened.WELCOME, Opened.WELCOME, Opened.REVIEW]
    assert (await row(store, friends[2])).reason == "too_many"
    # Midnight in Vietnam, twelve hours on.
    clock.advance(timedelta(hours=12))
    assert await bring(store, host, friends[3]) is Opened.WELCOME


# ── The shop's say ─────────────────────────────────────────────────────────────────────────────────


async def test_what_was_refused_can_be_allowed_and_refused_again(store: Store, shop: int) -> None:
    host, friend = await person(store), await person(store)
    await bring(store, host, friend, known=True)
    await put(store, shop, "A1", friend)
    number = (await row(store, friend)).id
    assert await store.write(referral_review.decide, number, allow=True, actor="staff:1")
    assert not await store.write(referral_review.decide, number, allow=True, actor="staff:1")
    found = await row(store, friend)
    assert (found.state, found.decided_by, await balance(store, host)) == ("rewarded", "staff:1", 50)
    assert ("referral_allowed", 0) in await told(store, friend)
    assert await store.write(referral_review.decide, number, allow=False, actor="staff:2")
    assert ((await row(store, friend)).reason, await balance(store, host)) == ("staff", 0)
    await put(store, shop, "A2", friend)
    assert await balance(store, host) == 0
    await sound(store)


# ── Files and races ────────────────────────────────────────────────────────────────────────────────


async def test_an_import_pays_the_same_and_tells_nobody(store: Store, shop: int, clock: SetClock) -> None:
    await window(store, shop, 2)
    await promise(store, Reward(RewardKind.PERCENT, percent=10, orders=3), FIFTY)
    host, friend = await person(store), await person(store, phone="+84903000001")
    await bring(store, host, friend)
    at = clock.now() + LATER
    lines = [
        OrderLine(n, f"B{n}", OrderInput(20_000, "VND", at, Status.COMPLETED, phone="+84903000001")) for n in (2, 3)
    ]
    assert (await store.write(bulk.take_orders, shop, lines[:1])).new == 1
    clock.advance(timedelta(days=3))
    await store.write(referrals.pay_due)
    assert await balance(store, host) == 100
    # A second file, when the first reward was paid already.
    assert (await store.write(bulk.take_orders, shop, lines)).new == 1
    assert (await balance(store, host), await told(store, host), await told(store, friend)) == (200, [], [])
    await sound(store)


@pytest.mark.parametrize("changed_at", [0, 7])
async def test_the_same_order_many_times_at_once_pays_once(
    store: Store, shop: int, clock: SetClock, changed_at: int
) -> None:
    await window(store, shop, changed_at)
    host, friend = await pair(store)
    await asyncio.gather(*(put(store, shop, "A1", friend) for _ in range(6)))
    clock.advance(timedelta(days=changed_at))
    await asyncio.gather(*(store.write(referrals.pay_due) for _ in range(4)))
    assert (await balance(store, host), await told(store, host)) == (50, [("referral_referrer", 50)])
    # What is due and what is returned at one instant: whoever comes first, what stands is right.
    await asyncio.gather(
        store.write(referrals.pay_due), put(store, shop, "A1", friend, placed_at=NOON, status=Status.REFUNDED),
        store.write(referrals.pay_due),
    )  # fmt: skip
    assert await balance(store, host) == 0
    await sound(store)


async def test_friends_at_one_instant_do_not_overrun_the_day(store: Store, shop: int) -> None:
    await promise(store, FIFTY, FIFTY, daily_limit=2)
    host = await person(store)
    friends = [await person(store) for _ in range(6)]
    code = await store.write(referrals.code_of, host)
    found = await asyncio.gather(*(store.write(referrals.open_link, code, friend) for friend in friends))
    assert sorted(found) == [Opened.REVIEW] * 4 + [Opened.WELCOME] * 2


async def test_the_proof_finds_a_reward_without_its_transfer(store: Store, shop: int) -> None:
    _, friend = await pair(store)
    await put(store, shop, "A1", friend)
    await sound(store)
    await store.write(
        lambda session: session.execute(sa.text("UPDATE referral_rewards SET standing = 60 WHERE id = 1"))
    )
    assert [fault.what for fault in await store.read(proof.faults)] == ["referral reward"]


def test_times_are_compared_by_the_second() -> None:
    opened = datetime(2026, 11, 21, 5, 0, 0, 900_000, tzinfo=NOON.tzinfo)
    assert counts_from(opened) == NOON
