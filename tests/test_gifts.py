"""Gifts between customers: at once or waiting, each once, within the day's limits, every point with its own expiry."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from loyalty import programme
from loyalty.customers import claims, customers
from loyalty.points import gifts, holds, ledger, points, proof
from loyalty.points.gifts import GiftLimitError, GiftOverError, GiftState, OwnGiftError
from loyalty.points.ledger import KeyConflictError, UncoveredError
from store.base import table
from store.clock import SetClock
from store.engine import Store
from store.errors import InvalidError, NotFoundError
from store.notices import NoticeRow

ZONE = "Asia/Ho_Chi_Minh"
LAN, MINH = "+84903123456", "+84903999999"
MARCH, MAY = datetime(2027, 3, 31, 17, tzinfo=UTC), datetime(2027, 5, 31, 17, tzinfo=UTC)


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone=ZONE, language="vi")


@pytest.fixture
async def lan(store: Store, shop: int) -> int:
    """Somebody with 30 points until March, 70 until May and 900 for ever."""
    number = await store.write(customers.create, phone=LAN, name="Nguyễn Thị Lan", home_shop_id=shop)
    for key, amount, until in (("m", 30, MARCH), ("y", 70, MAY), ("n", 900, None)):
        await store.write(points.earn, key, "earn", customer_id=number, shop_id=shop, points=amount, expires_at=until)
    return number


@pytest.fixture
async def minh(store: Store, shop: int) -> int:
    return await store.write(customers.create, phone=MINH, name="Trần Minh", home_shop_id=shop)


async def schedule(store: Store, customer_id: int) -> list[tuple[int, str | None]]:
    wallet = await store.read(points.wallet, customer_id, ZONE)
    return [(part.points, part.on and str(part.on)) for part in wallet.expiring]


async def told(store: Store) -> list[tuple[str, int | None]]:
    n = table(NoticeRow).c
    rows = await store.read(lambda session: session.execute(select(n.kind, n.customer_id).order_by(n.id)).all())
    return [(row.kind, row.customer_id) for row in rows]


async def test_points_go_to_a_known_phone_at_once_soonest_first(store: Store, lan: int, minh: int) -> None:
    gift = await store.write(gifts.give, "k", giver_id=lan, points=50, phone="0903 999 999")
    assert (gift.state, gift.receiver_id, gift.token) == (GiftState.TAKEN, minh, None)
    assert await schedule(store, minh) == [(30, "2027-03-31"), (20, "2027-05-31")]
    assert await schedule(store, lan) == [(50, "2027-05-31"), (900, None)]
    assert await told(store) == [("gift_received", minh)]
    again = await store.write(gifts.give, "k", giver_id=lan, points=50, phone=MINH)
    assert again == gift
    with pytest.raises(KeyConflictError):
        await store.write(gifts.give, "k", giver_id=lan, points=51, phone=MINH)
    assert (await store.read(points.balances, minh))[0] == 50
    assert await store.read(proof.faults) == []


async def test_one_key_at_once_is_one_gift_and_the_days_points_are_not_overrun(
    store: Store, lan: int, minh: int
) -> None:
    async def one(number: int) -> bool:
        try:
            await store.write(gifts.give, f"k{number % 4}", giver_id=lan, points=200, phone=MINH)
        except GiftLimitError:
            return False
        return True

    done = await asyncio.gather(*(one(number) for number in range(8)))
    assert done.count(True) == 4  # two gifts, each asked for twice
    assert (await store.read(points.balances, minh))[0] == 400
    assert await store.read(proof.faults) == []


async def test_limits_count_by_the_shops_day_and_nought_means_none(
    store: Store, lan: int, minh: int, clock: SetClock
) -> None:
    await store.write(programme.change, gift_points=100, gift_count=2)
    await store.write(gifts.give, "a", giver_id=lan, points=60, phone=MINH)
    with pytest.raises(GiftLimitError) as refused:
        await store.write(gifts.give, "b", giver_id=lan, points=41, phone=MINH)
    assert (refused.value.points, refused.value.count) == (40, 1)
    await store.write(gifts.give, "c", giver_id=lan, points=1)
    with pytest.raises(GiftLimitError):
        await store.write(gifts.give, "d", giver_id=lan, points=1, phone=MINH)
    clock.advance(timedelta(hours=12))  # midnight there
    await store.write(gifts.give, "e", giver_id=lan, points=100, phone=MINH)
    await store.write(programme.change, gift_points=0)
    with pytest.raises(GiftLimitError):
        await store.write(gifts.give, "f", giver_id=minh, points=1, phone=LAN)


async def test_what_cannot_be_given_is_refused_and_nothing_is_changed(store: Store, lan: int, minh: int) -> None:
    before = await schedule(store, lan)
    for points_, phone, refusal in (
        (0, MINH, InvalidError), (-5, MINH, InvalidError), (50, "abc", InvalidError), (50, LAN, OwnGiftError),
    ):  # fmt: skip
        with pytest.raises(refusal):
            await store.write(gifts.give, "k", giver_id=lan, points=points_, phone=phone)
    with pytest.raises(UncoveredError):
        await store.write(gifts.give, "k", giver_id=minh, points=1, phone=LAN)
    with pytest.raises(NotFoundError):
        await store.write(gifts.take, "nothing", minh)
    assert await schedule(store, lan) == before
    assert await store.read(gifts.by_key, "k") is None
    assert await told(store) == []


async def test_a_link_is_taken_once_by_somebody_else(store: Store, lan: int, minh: int) -> None:
    gift = await store.write(gifts.give, "k", giver_id=lan, points=40)
    assert gift.token is not None
    assert await store.read(holds.open_of, lan) == 40
    with pytest.raises(OwnGiftError):
        await store.write(gifts.take, gift.token, lan)
    for _ in range(2):
        taken = await store.write(gifts.take, gift.token, minh)
    assert taken.receiver_id == minh
    assert await schedule(store, minh) == [(30, "2027-03-31"), (10, "2027-05-31")]
    other = await store.write(customers.create)
    with pytest.raises(GiftOverError):
        await store.write(gifts.take, gift.token, other)
    assert await told(store) == [("gift_taken", lan)]
    books = await store.read(ledger.balances, "shop", 1)
    assert books["gifts"] == 0
    assert await store.read(proof.faults) == []


async def test_an_unknown_phone_gets_it_when_it_turns_up(store: Store, lan: int, shop: int) -> None:
    gift = await store.write(gifts.give, "k", giver_id=lan, points=40, phone=MINH)
    assert gift.state == GiftState.WAITING
    assert await store.write(gifts.arrive_due) == 0
    guest = await store.write(customers.create, home_shop_id=shop)
    await store.write(claims.prove_phone, guest, MINH)
    assert await store.write(gifts.arrive_due) == 1
    assert await store.write(gifts.arrive_due) == 0
    assert sorted(await told(store)) == [("gift_received", guest), ("gift_taken", lan)]
    assert (await store.read(points.balances, guest))[0] == 40
    assert await store.read(proof.faults) == []


@pytest.mark.parametrize("first", ["gifts", "holds"])
async def test_what_nobody_takes_goes_back_after_a_week(
    store: Store, lan: int, minh: int, clock: SetClock, first: str
) -> None:
    before = await schedule(store, lan)
    gift = await store.write(gifts.give, "k", giver_id=lan, points=40)
    clock.advance(timedelta(days=7))
    with pytest.raises(GiftOverError):
        await store.write(gifts.take, gift.token or "", minh)
    rules = [gifts.lapse_due, holds.lapse_due]
    for rule in rules if first == "gifts" else rules[::-1]:
        await store.write(rule)
    assert await store.write(gifts.lapse_due) == 0
    assert await schedule(store, lan) == before
    assert (await store.read(gifts.get, gift.id)).state == GiftState.RETURNED
    assert await told(store) == [("gift_returned", lan)]
    assert await store.read(proof.faults) == []


async def test_a_debt_is_paid_first_and_a_refund_takes_nothing_from_the_friend(
    store: Store, shop: int, lan: int, minh: int
) -> None:
    await store.write(points.claw_back, "c", "refund", customer_id=minh, shop_id=shop, points=35)
    await store.write(gifts.give, "k", giver_id=lan, points=50, phone=MINH)
    assert await schedule(store, minh) == [(15, "2027-05-31")]
    await store.write(points.claw_back, "d", "refund", customer_id=lan, shop_id=shop, points=30)
    assert (await store.read(points.balances, minh))[0] == 15
    assert await store.read(proof.faults) == []


async def test_a_waiting_gift_goes_along_in_a_merge_to_its_giver_or_friend(
    store: Store, shop: int, lan: int, minh: int, clock: SetClock
) -> None:
    gift = await store.write(gifts.give, "k", giver_id=lan, points=40)
    await store.write(claims.merge, minh, lan)
    with pytest.raises(OwnGiftError):
        await store.write(gifts.take, gift.token or "", minh)
    clock.advance(timedelta(days=7))
    await store.write(gifts.lapse_due)
    assert sum(amount for amount, _ in await schedule(store, minh)) == 1_000
    assert await store.read(proof.faults) == []
