"""Care: planned calls that make the next one, and one mishap that everybody it touched hears of."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from loyalty import programme
from loyalty.orders import orders
from loyalty.orders.orders import OrderInput, Status
from store import staff
from store.clock import SetClock
from store.engine import Store
from store.errors import ForbiddenError, InvalidError, NotFoundError
from store.notices import NoticeRow
from store.staff import Member, Role
from support import messages, privacy, thread, tickets
from support.care import incidents, plans
from support.care.incidents import Reach

AT = datetime(2026, 11, 20, 3, tzinfo=UTC)
DAY = date(2026, 11, 20)


async def shop_of(store: Store) -> tuple[int, Member]:
    shop = await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")
    return shop, await store.read(staff.get, await store.write(staff.add, "Hạnh", Role.MANAGER, shop))


async def bought(store: Store, shop: int, name: str, phone: str, **values: Any) -> int:
    base: dict[str, Any] = {
        "total": 85_000, "currency": "VND", "placed_at": AT, "status": Status.COMPLETED, "phone": phone,
        "items": [{"name": "Bánh mì", "price": 85_000}],
    }  # fmt: skip
    state = await store.write(orders.put, shop, f"{phone}-{name}", OrderInput(**base | values, name=name))
    assert state.customer_id is not None
    return state.customer_id


async def told(store: Store, kind: str) -> list[tuple[int, str]]:
    def look(session: Any) -> list[tuple[int, str]]:
        rows = session.execute(sa.select(NoticeRow.customer_id, NoticeRow.params).where(NoticeRow.kind == kind))
        return sorted((row.customer_id, row.params["words"]) for row in rows)

    return await store.read(look)


async def test_what_was_learnt_ends_a_task_and_makes_the_next(store: Store, clock: SetClock) -> None:
    shop, hanh = await shop_of(store)
    lan = await bought(store, shop, "Lan", "+84903123456")
    plan = await store.write(plans.add, hanh, shop, "Gọi khách quen", "call", 30, hanh.id)
    first = clock.now() + timedelta(days=2)
    assert await store.write(plans.put_in, plan, hanh, shop, [lan, lan], first) == 1
    assert await store.write(plans.put_in, plan, hanh, shop, [lan], first) == 0
    assert await store.read(plans.late, shop) == 0
    [task] = await store.read(plans.due, [shop])
    assert (task.customer, task.owner, task.plan, task.due_at) == ("Lan", "Hạnh", "Gọi khách quen", first)
    clock.advance(timedelta(days=2))
    assert await store.read(plans.late, shop) == 1
    with pytest.raises(InvalidError):
        await store.write(plans.end, task.id, hanh, done=True, learnt=" ")
    following = await store.write(plans.end, task.id, hanh, done=True, learnt="Sắp có em bé")
    assert following == clock.now() + timedelta(days=30)
    with pytest.raises(plans.TaskEndedError):
        await store.write(plans.end, task.id, hanh, done=True, learnt="Hai lần")
    newest, before = await store.read(plans.of_customer, lan, [shop])
    assert (newest.state, before.learnt) == ("open", "Sắp có em bé")
    assert (await store.read(privacy.export, lan))["care"][0]["learnt"] == "Sắp có em bé"
    await store.write(privacy.erase, lan, "cli")
    assert await store.read(plans.due, [shop], ahead=timedelta(days=90)) == []
    assert (await store.read(plans.record, lan))[0]["learnt"] == ""


async def test_a_plan_out_of_use_makes_no_more_and_strangers_end_nothing(store: Store, clock: SetClock) -> None:
    shop, hanh = await shop_of(store)
    lan = await bought(store, shop, "Lan", "+84903123456")
    plan = await store.write(plans.add, hanh, shop, "Ghé thăm", "visit", 90, hanh.id)
    await store.write(plans.put_in, plan, hanh, shop, [lan], clock.now())
    [task] = await store.read(plans.due, [shop])
    other = await store.write(programme.open_shop, "Khác", timezone="Asia/Ho_Chi_Minh", language="vi")
    stranger = await store.read(staff.get, await store.write(staff.add, "Tú", Role.AGENT, other))
    with pytest.raises(NotFoundError):
        await store.write(plans.end, task.id, stranger, done=False)
    with pytest.raises(ForbiddenError):
        await store.write(plans.add, stranger, other, "X", "call", 1, stranger.id)
    await store.write(plans.change, plan, hanh, shop, "Ghé thăm", "visit", 90, hanh.id, active=False)
    assert await store.write(plans.end, task.id, hanh, done=False) is None
    assert await store.read(plans.due, [shop], ahead=timedelta(days=900)) == []


async def test_everybody_touched_hears_once_and_their_answer_hangs_on_it(store: Store, clock: SetClock) -> None:
    shop, hanh = await shop_of(store)
    lan = await bought(store, shop, "Lan", "+84903123456")
    hoa = await bought(store, shop, "Hoa", "+84903999888", items=[{"name": "Cà phê", "price": 85_000}])
    await bought(store, shop, "Mai", "+84903111222", placed_at=AT - timedelta(days=2))
    await bought(store, shop, "Tú", "+84903111333", status=Status.CANCELLED)
    assert set(await store.read(incidents.touched, shop, Reach(DAY, DAY, "banh mi"))) == {lan}
    assert set(await store.read(incidents.touched, shop, Reach(DAY, DAY))) == {lan, hoa}
    number = await store.write(incidents.begin, hanh, shop, "Mất điện", "Hôm nay quán mất điện ạ.", Reach(DAY, DAY))
    while await store.write(incidents.tell_due):
        pass
    assert await told(store, "incident") == [(lan, "Hôm nay quán mất điện ạ."), (hoa, "Hôm nay quán mất điện ạ.")]
    ticket = (await store.write(tickets.open_or_join, lan, shop)).ticket.id
    await store.write(messages.customer_says, ticket, text="Bao giờ mở lại?")
    await store.write(messages.customer_says, ticket, text="Alo?")
    assert await store.read(incidents.tickets_of, number) == [ticket]
    lines = await store.read(thread.tail, ticket)
    assert [one.kind for one in lines if isinstance(one, thread.Happened)].count("incident") == 1
    found = await store.read(incidents.get, number, shop)
    assert (found.people, found.told, found.tickets) == (2, 2, 1)
    await store.write(incidents.close, number, hanh, shop, "Có điện lại rồi ạ.")
    with pytest.raises(incidents.IncidentOverError):
        await store.write(incidents.close, number, hanh, shop, "Nữa")
    await store.write(privacy.erase, hoa, "cli")
    while await store.write(incidents.tell_due):
        pass
    assert await told(store, "incident_over") == [(lan, "Có điện lại rồi ạ.")]


async def test_chosen_tickets_hang_on_it_from_the_start_and_nobody_is_no_incident(store: Store) -> None:
    shop, hanh = await shop_of(store)
    lan = await bought(store, shop, "Lan", "+84903123456")
    ticket = (await store.write(tickets.open_or_join, lan, shop)).ticket.id
    with pytest.raises(InvalidError):
        await store.write(incidents.begin, hanh, shop, "X", "Y", Reach(tickets=(ticket, 99)))
    with pytest.raises(InvalidError):
        await store.write(incidents.begin, hanh, shop, "X", "Y", Reach(date(2020, 1, 1), date(2020, 1, 1)))
    number = await store.write(incidents.begin, hanh, shop, "Giao trễ", "Xin lỗi ạ", Reach(tickets=(ticket,)))
    assert (await store.read(incidents.of_tickets, [ticket]))[ticket].id == number
    await store.write(incidents.close, number, hanh, shop, "Xong ạ")
    # Who never heard of its beginning is spared the end.
    assert await store.write(incidents.tell_due) == 0
