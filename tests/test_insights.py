"""Who comes back, who sleeps, what expires, whose customer somebody is: the console's looks, on both databases."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from loyalty import programme
from loyalty.customers import customers, directory
from loyalty.customers.directory import Only, Sort
from loyalty.insights import today
from loyalty.insights.today import Week
from loyalty.orders import order_book, orders
from loyalty.orders.orders import OrderInput, OrderState, Status
from loyalty.vouchers import voucher_programs
from loyalty.vouchers.voucher_programs import Kind
from store import shops
from store.clock import SetClock
from store.engine import Store
from store.errors import NotFoundError

ZONE = "Asia/Ho_Chi_Minh"
LAN, HOA = "+84903123456", "+84903999888"
MONDAY = datetime(2026, 11, 15, 17, 0, tzinfo=UTC)
"""The first moment of Monday, 16 November, in Hồ Chí Minh City; the tests' clock stands on Saturday the 21st."""


async def open_shop(store: Store, name: str) -> int:
    return await store.write(programme.open_shop, name, timezone=ZONE, language="vi")


@pytest.fixture
async def shop(store: Store) -> int:
    return await open_shop(store, "Phố Cafe")


async def bought(store: Store, shop_id: int, number: str, at: datetime, **values: object) -> OrderState:
    base = OrderInput(
        total=100_000, currency="VND", placed_at=at, status=Status.COMPLETED, phone=LAN, name="Nguyễn Thị Lan"
    )
    return await store.write(orders.put, shop_id, number, replace(base, **values))


async def weeks(store: Store, shop_id: int, count: int) -> list[Week]:
    return await store.read(lambda session: today.weeks(session, shops.get(session, shop_id), count))


async def test_a_week_begins_on_the_shops_monday(store: Store, shop: int) -> None:
    await bought(store, shop, "1", MONDAY - timedelta(seconds=1))
    await bought(store, shop, "2", MONDAY)
    assert await weeks(store, shop, 3) == [
        Week(date(2026, 11, 2), 0, 0), Week(date(2026, 11, 9), 1, 0), Week(date(2026, 11, 16), 0, 1),
    ]  # fmt: skip


async def test_new_is_who_never_bought_before_however_long_ago(store: Store, shop: int) -> None:
    await bought(store, shop, "old", MONDAY - timedelta(days=400))
    for number in range(3):
        await bought(store, shop, f"a{number}", MONDAY + timedelta(hours=number))
        await bought(store, shop, f"b{number}", MONDAY + timedelta(hours=number), phone=HOA, name="Hoa")
    assert await weeks(store, shop, 1) == [Week(date(2026, 11, 16), 1, 1)]


async def test_what_was_cancelled_paid_back_or_nobodys_makes_no_customer(store: Store, shop: int) -> None:
    await bought(store, shop, "1", MONDAY - timedelta(days=30), status=Status.REFUNDED)
    await bought(store, shop, "2", MONDAY, status=Status.CANCELLED, phone=HOA)
    await bought(store, shop, "3", MONDAY, status=Status.PENDING, phone=HOA)
    await bought(store, shop, "4", MONDAY, phone=None)
    await bought(store, shop, "5", MONDAY, refunded=40_000)
    assert await weeks(store, shop, 1) == [Week(date(2026, 11, 16), 1, 0)]


async def test_each_shop_counts_its_own(store: Store, shop: int) -> None:
    other = await open_shop(store, "Quán Hai")
    await bought(store, other, "1", MONDAY - timedelta(days=30))
    lan = (await bought(store, shop, "2", MONDAY, total=60_000)).customer_id
    hoa = (await bought(store, other, "3", MONDAY, phone=HOA)).customer_id
    assert lan is not None
    assert hoa is not None
    assert await weeks(store, shop, 1) == [Week(date(2026, 11, 16), 1, 0)], "new here, whatever she bought elsewhere"
    assert await weeks(store, other, 1) == [Week(date(2026, 11, 16), 1, 0)]
    page = await store.read(directory.page, shop)
    assert [(line.id, line.orders, line.spent, line.points) for line in page.lines] == [(lan, 1, 60_000, 160)]
    assert (await store.read(directory.bought_by, shop, lan)).spent == 60_000
    assert (await store.read(directory.find, shop, lan)).id == lan
    with pytest.raises(NotFoundError):
        await store.read(directory.find, shop, hoa)
    assert [line.external_id for line in (await store.read(order_book.page, shop)).lines] == ["2"]


async def test_the_facts_of_one_shop_and_of_several_agree(store: Store, shop: int) -> None:
    """One shop's figures stand on the customer, several shops' are added up: opening a second changes none of them."""
    for number in range(4):
        await bought(store, shop, f"a{number}", MONDAY - timedelta(days=70 + number))
    await bought(store, shop, "b", MONDAY, phone=HOA, name="Hoa", refunded=30_000)
    await bought(store, shop, "c", MONDAY, phone=HOA, status=Status.CANCELLED)

    async def all_looks() -> list[object]:
        looks: list[object] = [
            await store.read(directory.page, shop, sort=sort, only=only) for sort in Sort for only in (None, *Only)
        ]
        return [*looks, *[await store.read(look, shop) for look in (today.expiring, today.offers, today.asleep)]]

    before = await all_looks()
    await open_shop(store, "Quán Hai")
    assert await all_looks() == before
    assert await store.read(today.asleep, shop) == 1


async def test_a_regular_sleeps_after_sixty_days_and_wakes_with_an_order(
    store: Store, shop: int, clock: SetClock
) -> None:
    for number in range(3):
        await bought(store, shop, str(number), clock.now())
    clock.advance(timedelta(days=60))
    assert await store.read(today.asleep, shop) == 0
    clock.advance(timedelta(seconds=1))
    assert await store.read(today.asleep, shop) == 1
    assert (await store.read(directory.page, shop, only=Only.ASLEEP)).total == 1
    await bought(store, shop, "back", clock.now())
    assert await store.read(today.asleep, shop) == 0


async def test_points_about_to_expire_are_counted_with_their_people(store: Store, shop: int, clock: SetClock) -> None:
    await bought(store, shop, "1", clock.now())
    await bought(store, shop, "2", clock.now(), phone=HOA, name="Hoa")
    assert await store.read(today.expiring, shop) is None
    clock.set(datetime(2027, 11, 10, tzinfo=UTC))
    assert await store.read(today.expiring, shop) == today.Expiring(200, 2)
    assert (await store.read(directory.page, shop, only=Only.EXPIRING)).total == 2
    clock.set(datetime(2027, 12, 1, tzinfo=UTC))
    assert await store.read(today.expiring, shop) is None, "over is over"


async def test_offers_that_run_out_or_end_soon_are_told(store: Store, shop: int, clock: SetClock) -> None:
    other, soon = await open_shop(store, "Quán Hai"), clock.now() + timedelta(days=7)

    def fill(session: object) -> None:
        def add(name: str, **values: object) -> None:
            made = {"name": name, "kind": Kind.GIFT, "shop_id": shop, **values}
            voucher_programs.add(session, **made)  # type: ignore[arg-type]

        add("plenty", stock=10)
        add("endless")
        add("out", stock=0)
        add("ends", ends_at=soon)
        add("later", ends_at=soon + timedelta(seconds=1))
        add("over", ends_at=clock.now())
        add("hidden", stock=0, hidden=True)
        add("not begun", stock=0, starts_at=soon)
        add("theirs", stock=0, shop_id=other)
        add("everybody's", stock=0, shop_id=None)

    await store.write(fill)
    found = await store.read(today.offers, shop)
    assert [offer.name for offer in found] == ["ends", "out", "everybody's"]


async def test_names_stay_searchable_through_change_and_merge(store: Store, shop: int) -> None:
    from loyalty.customers import claims

    lan = await store.write(customers.create, name="Đặng Thuỳ Lan", home_shop_id=shop)
    guest = (await bought(store, shop, "1", MONDAY, name="Chị Lan")).customer_id
    assert guest is not None
    await store.write(claims.prove_phone, lan, LAN)
    found = await store.read(directory.page, shop, search="dang thuy")
    assert [line.id for line in found.lines] == [guest]
    assert (await store.read(directory.page, shop, search="chi lan")).total == 0
