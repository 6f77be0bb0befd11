"""Colleagues at one desk: who looks at which ticket and writes in it, and whom a note calls."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.customers import customers
from store import staff
from store.clock import SetClock
from store.engine import Store
from store.errors import NotFoundError
from store.notices import NoticeRow
from store.staff import Member, Role
from support import handling, linking, looks, mentions, messages, seen, tickets
from support.looks import LASTS, TYPING_LASTS, LookRow

pytestmark = pytest.mark.asyncio


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")


async def hire(store: Store, name: str, shop_id: int) -> Member:
    return await store.read(staff.get, await store.write(staff.add, name, Role.AGENT, shop_id))


async def asks(store: Store, shop: int, name: str = "Lan") -> int:
    customer = await store.write(customers.create, name=name, home_shop_id=shop)
    async with store.work() as work:
        ticket = (await work.write(tickets.open_or_join, customer, shop)).ticket.id
        await work.write(messages.customer_says, ticket, text="Ly bị vỡ")
        return ticket


async def seen_by(store: Store, shop: int, apart: Member) -> list[tuple[int, str, bool]]:
    return [(one.ticket_id, one.name, one.typing) for one in await store.read(looks.at, [shop], apart.id)]


async def test_a_look_is_seen_by_the_others_and_is_over_when_nobody_renews_it(
    store: Store, clock: SetClock, shop: int
) -> None:
    minh, hoa, ticket = await hire(store, "Minh", shop), await hire(store, "Hoà", shop), await asks(store, shop)
    await store.write(looks.look, minh, "window-1", ticket)
    assert await seen_by(store, shop, hoa) == [(ticket, "Minh", False)]
    assert await seen_by(store, shop, minh) == []
    await store.write(looks.look, minh, "window-1", ticket, typing=True)
    assert await seen_by(store, shop, hoa) == [(ticket, "Minh", True)]
    clock.advance(TYPING_LASTS)
    assert await seen_by(store, shop, hoa) == [(ticket, "Minh", False)]
    clock.advance(LASTS)
    assert await seen_by(store, shop, hoa) == []


async def test_two_windows_are_one_colleague_and_each_is_left_by_itself(
    store: Store, clock: SetClock, shop: int
) -> None:
    minh, hoa = await hire(store, "Minh", shop), await hire(store, "Hoà", shop)
    one, other = await asks(store, shop), await asks(store, shop, "Bình")
    await asyncio.gather(*(store.write(looks.look, minh, window, one) for window in ("window-1", "window-2")))
    assert await seen_by(store, shop, hoa) == [(one, "Minh", False)]
    await store.write(looks.look, minh, "window-2", other)
    assert await seen_by(store, shop, hoa) == [(one, "Minh", False), (other, "Minh", False)]
    await store.write(looks.look, minh, "window-1", None)
    assert await seen_by(store, shop, hoa) == [(other, "Minh", False)]
    # What windows left behind that were never closed goes with the next one.
    clock.advance(timedelta(days=2))
    await store.write(looks.look, minh, "window-3", one)
    assert await store.read(lambda session: session.execute(sa.select(LookRow.window)).scalars().all()) == ["window-3"]


async def test_others_are_woken_only_by_news(store: Store, clock: SetClock, shop: int) -> None:
    minh, ticket = await hire(store, "Minh", shop), await asks(store, shop)

    def look(session: Session, typing: bool) -> bool:
        looks.look(session, minh, "window-1", ticket, typing=typing)
        return f"looks:{shop}" in session.info["signals"]

    async def woke(*, typing: bool = False) -> bool:
        return await store.write(look, typing)

    assert await woke()
    clock.advance(timedelta(seconds=20))
    assert not await woke()
    assert await woke(typing=True)
    assert not await woke(typing=True)
    assert await woke()


async def test_nobody_looks_where_they_may_not(store: Store, shop: int) -> None:
    other = await store.write(programme.open_shop, "Quán B", timezone="Asia/Ho_Chi_Minh", language="vi")
    stranger, ticket = await hire(store, "Lạ", other), await asks(store, shop)
    with pytest.raises(NotFoundError):
        await store.write(looks.look, stranger, "window-1", ticket)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Nhờ @Lý Hoà xem giúp", ["Lý Hoà"]), ("@ly hoa oi", ["Lý Hoà"]), ("@hoà", ["Lý Hoà"]), ("hỏi @Hoàng nhé", ["Trần Hoàng"]),
        ("@anh", []), ("@Minh Anh và @Quốc Anh", ["Minh Anh", "Quốc Anh"]), ("hoa@example.com", []), ("@@hoà", []), ("@ hoà", []),
        ("(@Lý Hoà)", ["Lý Hoà"]), ("@Hoàvà", []), ("không ai cả", []), ("@Lý Hoà @Lý Hoà", ["Lý Hoà"]),
    ],
)  # fmt: skip
async def test_whom_a_note_calls(text: str, names: list[str]) -> None:
    desk = [
        Member(number, name, "vi", 0, ())
        for number, name in enumerate(["Lý Hoà", "Trần Hoàng", "Minh Anh", "Quốc Anh"], 1)
    ]
    assert [one.name for one in mentions.called(text, desk)] == names


async def test_who_is_called_hears_of_it_and_finds_the_ticket_marked_until_it_is_read(store: Store, shop: int) -> None:
    minh, hoa, ticket = await hire(store, "Minh", shop), await hire(store, "Lý Hoà", shop), await asks(store, shop)
    for _ in range(2):
        await store.write(messages.note, ticket, minh, "Nhờ @Lý Hoà và @Minh", key="note-0001")
    told = await store.read(
        lambda session: session.execute(
            sa.select(NoticeRow.staff_id, NoticeRow.customer_id, NoticeRow.params).where(NoticeRow.kind == "mentioned")
        ).all()
    )
    assert [(row.staff_id, row.params["ticket"], row.params["by"]) for row in told] == [(hoa.id, ticket, "Minh")]
    assert [row.customer_id for row in told] == [(await store.read(tickets.get, ticket)).customer_id]
    assert await store.read(mentions.waiting, hoa, [ticket]) == {ticket}
    assert await store.read(mentions.waiting, minh, [ticket]) == set()
    last = (await store.read(tickets.get, ticket)).last_seq
    await store.write(seen.saw, ticket, hoa, last - 1)
    assert await store.read(mentions.waiting, hoa, [ticket]) == {ticket}
    await store.write(seen.saw, ticket, hoa, last)
    assert await store.read(mentions.waiting, hoa, [ticket]) == set()
    # Words to the customer call nobody.
    await store.write(messages.agent_says, ticket, minh, "Chào @Lý Hoà", key="reply-0001")
    assert await store.read(mentions.waiting, hoa, [ticket]) == set()


async def test_a_call_goes_along_when_two_requests_become_one(store: Store, shop: int) -> None:
    minh, hoa = await hire(store, "Minh", shop), await hire(store, "Lý Hoà", shop)
    one = await asks(store, shop)
    customer = (await store.read(tickets.get, one)).customer_id
    async with store.work() as work:
        await work.write(handling.close, one, minh)
        other = (await work.write(tickets.open_or_join, customer, shop)).ticket.id
        await work.write(messages.customer_says, other, text="còn nữa")
    await store.write(messages.note, other, minh, "Nhờ @Lý Hoà", key="note-0001")
    await store.write(linking.merge, other, minh, one)
    assert await store.read(mentions.waiting, hoa, [one, other]) == {one}
    await store.write(seen.saw, one, hoa, (await store.read(tickets.get, one)).last_seq)
    assert await store.read(mentions.waiting, hoa, [one, other]) == set()
