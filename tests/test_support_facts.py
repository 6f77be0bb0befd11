"""Facts that support keeps on a customer: open requests and complaints, the last rating; through every way they change."""

from datetime import timedelta

import pytest

from loyalty import programme
from loyalty.customers import claims, customers, facts
from loyalty.outreach.segments import criteria, segments
from store import staff
from store.clock import SetClock
from store.engine import Store
from store.staff import Member, Role
from support import handling, linking, messages, ratings, tickets
from support.complaints import loop, opening

ZONE = "Asia/Ho_Chi_Minh"


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone=ZONE, language="vi")


@pytest.fixture
async def minh(store: Store, shop: int) -> Member:
    return await store.read(staff.get, await store.write(staff.add, "Minh", Role.OWNER, shop))


async def known(store: Store, customer_id: int) -> tuple[int | None, int | None, int | None]:
    """(open requests, open complaints, last rating)."""
    names = (facts.OPEN_TICKETS, facts.OPEN_COMPLAINTS, facts.LAST_RATING)
    first, second, third = [await store.read(facts.get, customer_id, name) for name in names]
    return first, second, third


async def fits(store: Store, field: str, op: str, value: int) -> list[int]:
    asked = criteria.parse({"field": field, "op": op, "value": value})
    return (await store.read(segments.preview, asked, ZONE)).sample


async def opened(store: Store, shop: int, customer_id: int, topic: str, words: str) -> int:
    ticket = await store.write(tickets.begin, customer_id, shop, topic=topic)
    await store.write(messages.customer_says, ticket.id, text=words)
    return ticket.id


async def test_open_requests_and_complaints_are_counted(store: Store, shop: int, minh: Member, clock: SetClock) -> None:
    lan = await store.write(customers.create, phone="+84903123456", name="Lan", home_shop_id=shop)
    ticket = await opened(store, shop, lan, "order", "Đơn của em tới đâu rồi ạ?")
    assert await known(store, lan) == (1, None, None)
    await store.write(opening.mark, ticket, minh)
    assert await known(store, lan) == (1, 1, None)
    assert await fits(store, "open_complaints", ">=", 1) == [lan]
    await store.write(opening.unmark, ticket, minh, "hỏi thăm thôi")
    assert await known(store, lan) == (1, 0, None)
    await store.write(opening.mark, ticket, minh)
    await store.write(handling.resolve, ticket, minh)
    assert await known(store, lan) == (0, 1, None), (
        "solved as the shop sees it; the complaint waits for the customer's word"
    )
    await store.write(loop.answer, ticket, lan, good=True)
    assert await known(store, lan) == (0, 0, None)
    await store.write(handling.reopen, ticket, minh)
    assert (await known(store, lan))[0] == 1


async def test_a_rating_is_the_last_one(store: Store, shop: int, minh: Member, clock: SetClock) -> None:
    lan = await store.write(customers.create, phone="+84903123456", name="Lan", home_shop_id=shop)
    for stars in (2, 5):
        ticket = await opened(store, shop, lan, "order", "Đơn của em tới đâu rồi ạ?")
        await store.write(handling.resolve, ticket, minh)
        await store.write(ratings.rate, ticket, lan, stars)
        assert (await known(store, lan))[2] == stars
        assert await fits(store, "last_rating", "<=", 2) == ([lan] if stars == 2 else [])
        await store.write(handling.close, ticket, minh)
        clock.advance(timedelta(days=1))


async def test_merged_tickets_and_customers_count_once(store: Store, shop: int, minh: Member) -> None:
    lan = await store.write(customers.create, phone="+84903123456", name="Lan", home_shop_id=shop)
    guest = await store.write(customers.create, name="Khách", home_shop_id=shop)
    first = await opened(store, shop, lan, "complaint", "Ly bị vỡ")
    second = (await store.write(tickets.begin, lan, shop, topic="order")).id
    assert await known(store, lan) == (2, 1, None)
    await store.write(linking.merge, second, minh, first)
    assert await known(store, lan) == (1, 1, None)
    await opened(store, shop, guest, "order", "Đơn của em tới đâu rồi ạ?")
    await store.write(claims.merge, lan, guest)
    assert await known(store, lan) == (2, 1, None)
