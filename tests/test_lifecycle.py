"""A ticket's life: put aside and awake on the second, closed by itself, come back to, made one with another and taken apart."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot import chores
from loyalty import programme
from loyalty.customers import customers
from store import staff
from store.clock import SetClock
from store.engine import Store
from store.errors import ForbiddenError, InvalidError, NotFoundError
from store.staff import Member, Role
from support import (
    desks,
    drafts,
    fields,
    handling,
    linking,
    links,
    messages,
    queue,
    seen,
    tags,
    thread,
    tickets,
    topics,
    views,
    waking,
)
from support.desks import Desk
from support.messages import Source
from support.queue import View
from support.tickets import State, TicketStateError
from support.views import Filters
from tests.test_tickets import says

SECOND = timedelta(seconds=1)


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")


@pytest.fixture
async def lan(store: Store, shop: int) -> int:
    return await store.write(customers.create, name="Nguyễn Thị Lan", phone="+84903123456", home_shop_id=shop)


@pytest.fixture
async def minh(store: Store, shop: int) -> Member:
    return await hire(store, "Minh", Role.SUPERVISOR, shop)


@pytest.fixture
async def owner(store: Store, shop: int) -> Member:
    return await hire(store, "Chị Hoa", Role.OWNER, shop)


async def hire(store: Store, name: str, role: Role, shop_id: int | None) -> Member:
    return await store.read(staff.get, await store.write(staff.add, name, role, shop_id))


async def state(store: Store, ticket: int) -> str:
    return (await store.read(tickets.get, ticket)).state


async def words(store: Store, ticket: int, member: Member) -> list[str]:
    """A thread in short: words of messages, kinds of events."""
    found = await store.read(thread.page, ticket, member)
    return [line.text if isinstance(line, thread.Message) else f"<{line.kind}>" for line in found]


# ── By time ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_snoozed_ticket_wakes_on_its_second(
    store: Store, shop: int, lan: int, minh: Member, clock: SetClock
) -> None:
    ticket, _ = await says(store, lan, shop, "mai gọi lại em nhé")
    until = clock.now() + timedelta(hours=3)
    await store.write(handling.snooze, ticket, minh, until)
    asleep = await store.read(tickets.get, ticket)
    assert (asleep.state, asleep.snoozed_until, asleep.assignee_id) == (State.SNOOZED, until, minh.id)
    assert [one.ticket.id for one in await store.read(queue.page, minh, View.SNOOZED)] == [ticket]
    assert await store.read(queue.page, minh, View.MINE) == []
    clock.advance(timedelta(hours=3) - SECOND)
    assert await store.write(waking.wake_due) == 0
    clock.advance(SECOND)
    assert waking.wake_due in chores.DUE
    assert await store.write(waking.wake_due) == 1
    awake = await store.read(tickets.get, ticket)
    assert (awake.state, awake.snoozed_until) == (State.OPEN, None)
    assert (await words(store, ticket, minh))[-1] == "<woke>"
    assert await store.write(waking.wake_due) == 0


async def test_the_customers_word_wakes_a_snoozed_ticket_at_once(
    store: Store, shop: int, lan: int, minh: Member, clock: SetClock
) -> None:
    ticket, _ = await says(store, lan, shop, "chưa nhận được hàng")
    await store.write(handling.snooze, ticket, minh, clock.now() + timedelta(days=2))
    assert (await says(store, lan, shop, "có hàng chưa ạ"))[0] == ticket
    awake = await store.read(tickets.get, ticket)
    assert (awake.state, awake.snoozed_until) == (State.OPEN, None)
    clock.advance(timedelta(days=3))
    assert await store.write(waking.wake_due) == 0


async def test_what_cant_be_snoozed_is_told(store: Store, shop: int, lan: int, minh: Member, clock: SetClock) -> None:
    ticket, _ = await says(store, lan, shop, "alo")
    for until in (clock.now(), clock.now() - SECOND, clock.now() + timedelta(days=400)):
        with pytest.raises(InvalidError, match="until"):
            await store.write(handling.snooze, ticket, minh, until)
    await store.write(handling.close, ticket, minh)
    with pytest.raises(TicketStateError):
        await store.write(handling.snooze, ticket, minh, clock.now() + SECOND)


@pytest.mark.parametrize("days", [0, 3])
async def test_a_resolved_ticket_reopens_for_the_shops_days_then_closes_and_is_followed(
    store: Store, shop: int, lan: int, minh: Member, owner: Member, clock: SetClock, days: int
) -> None:
    await store.write(desks.change, shop, owner, Desk(reopen_days=days))
    ticket, _ = await says(store, lan, shop, "hỏng rồi")
    await store.write(handling.resolve, ticket, minh)
    if days:
        clock.advance(timedelta(days=days) - SECOND)
        assert await store.write(waking.close_due) == 0
        assert (await says(store, lan, shop, "vẫn hỏng"))[0] == ticket
        assert await state(store, ticket) == State.OPEN
        clock.advance(timedelta(days=days))
        assert await store.write(waking.close_due) == 0
        await store.write(handling.resolve, ticket, minh)
    clock.advance(timedelta(days=days))
    assert waking.close_due in chores.DUE
    assert await store.write(waking.close_due) == 1
    assert await state(store, ticket) == State.CLOSED
    second, _ = await says(store, lan, shop, "lại hỏng")
    assert second != ticket
    [link] = await store.read(linking.linked, second, minh)
    assert (link.id, link.kind, link.back) == (ticket, links.Kind.FOLLOWS, False)
    [back] = await store.read(linking.linked, ticket, minh)
    assert (back.id, back.back) == (second, True)


async def test_only_who_runs_the_shop_sets_its_desk_up(store: Store, shop: int, minh: Member, owner: Member) -> None:
    with pytest.raises(ForbiddenError):
        await store.write(desks.change, shop, minh, Desk(2))
    with pytest.raises(InvalidError):
        await store.write(desks.change, shop, owner, Desk(91))
    assert await store.read(desks.of, shop) == Desk(7)


# ── Two become one, one becomes two ────────────────────────────────────────────────────────────────


async def two(store: Store, shop: int, lan: int, minh: Member, clock: SetClock) -> tuple[int, int]:
    """Two open tickets of one customer: the first was closed by hand and opened again."""
    first, _ = await says(store, lan, shop, "ly bị vỡ", source=Source("telegram:1", 77, 10))
    await store.write(handling.close, first, minh)
    clock.advance(SECOND)
    second, _ = await says(store, lan, shop, "ảnh đây ạ", source=Source("telegram:1", 77, 11))
    await store.write(handling.reopen, first, minh)
    return first, second


async def test_a_merged_tickets_messages_go_on_in_the_other_and_are_found(
    store: Store, shop: int, lan: int, minh: Member, clock: SetClock
) -> None:
    first, second = await two(store, shop, lan, minh, clock)
    await says(
        store,
        lan,
        shop,
        "thêm",
        answered=second,
        source=Source("telegram:1", 77, 12),
        reply_to=Source("telegram:1", 77, 11),
    )
    await store.write(tags.put, second, minh, "Vỡ ly")
    await store.write(handling.prioritise, second, minh, "high")
    quoted = next(one for one in await store.read(thread.page, second, minh) if getattr(one, "text", "") == "ảnh đây ạ")
    for ticket, kind, text, answers in (
        (second, "reply", "Dạ em", quoted.seq), (first, "note", "gọi lại", None), (second, "note", "khách quen", None),
    ):  # fmt: skip
        await store.write(drafts.keep, ticket, minh, kind, text, answers)
    cursor = await store.read(queue.cursor, minh)
    at = (await store.read(tickets.get, first)).changed
    await store.write(linking.merge, second, minh, first)
    # Both desks' cursors see it: both lines of the list changed, and the open thread hears every moved message.
    assert {one.ticket.id for one in await store.read(queue.changes, minh, cursor)} == {first, second}
    moved = [line for line in await store.read(thread.changed, first, minh, at) if isinstance(line, thread.Message)]
    assert [line.text for line in moved] == ["ảnh đây ạ", "thêm"]
    assert moved[1].reply_to == moved[0].seq
    assert (await words(store, first, minh))[-3:] == ["ảnh đây ạ", "thêm", "<merged>"]
    assert (await words(store, second, minh))[-1] == "<merged_into>"
    gone, stays = await store.read(tickets.get, second), await store.read(tickets.get, first)
    assert (gone.state, gone.merged_into) == (State.CLOSED, first)
    assert (stays.priority, stays.preview["text"], stays.preview["seq"]) == ("high", "thêm", moved[1].seq)
    assert await store.read(tags.of, [first]) == {first: ["Vỡ ly"]}
    # What was begun goes along, below what was begun there.
    assert await store.read(drafts.of, second, minh) == []
    begun = {one.kind: (one.text, one.reply_to) for one in await store.read(drafts.of, first, minh)}
    assert begun == {"reply": ("Dạ em", moved[0].seq), "note": ("gọi lại\n\nkhách quen", None)}
    known = await store.read(messages.by_source, Source("telegram:1", 77, 11))
    assert (known.ticket_id, known.seq) == (first, moved[0].seq)
    assert [one.id for one in await store.read(tickets.tickets_of, lan)] == [first]
    assert (await says(store, lan, shop, "ok", answered=second))[0] == first
    for again in (lambda: linking.merge, lambda: handling.reopen):
        with pytest.raises(TicketStateError):
            await store.write(again(), second, minh, *([first] if again() is linking.merge else []))


async def test_who_had_read_both_has_read_what_they_became(
    store: Store, shop: int, lan: int, minh: Member, clock: SetClock
) -> None:
    first, second = await two(store, shop, lan, minh, clock)
    other = await hire(store, "Tú", Role.AGENT, shop)
    for ticket in (first, second):
        await store.write(seen.saw, ticket, minh, (await store.read(tickets.get, ticket)).last_seq)
    await store.write(seen.saw, first, other, (await store.read(tickets.get, first)).last_seq)
    await store.write(linking.merge, second, minh, first)
    assert (await store.read(queue.line, first, minh)).unread == 0
    assert (await store.read(queue.line, first, other)).unread == 1


async def test_tickets_of_two_people_never_become_one(store: Store, shop: int, lan: int, minh: Member) -> None:
    tu = await store.write(customers.create, name="Tú")
    first, _ = await says(store, lan, shop, "một")
    second, _ = await says(store, tu, shop, "hai")
    with pytest.raises(linking.StrangersError):
        await store.write(linking.merge, second, minh, first)
    with pytest.raises(InvalidError):
        await store.write(linking.merge, first, minh, first)
    elsewhere = await store.write(programme.open_shop, "Khác", timezone="Asia/Ho_Chi_Minh", language="vi")
    stranger = await hire(store, "Xa", Role.SUPERVISOR, elsewhere)
    for rule, values in ((linking.merge, (first,)), (linking.link, (first,)), (linking.split, ([1],))):
        with pytest.raises(NotFoundError):
            await store.write(rule, second, stranger, *values)
    foreign, _ = await says(store, tu, elsewhere, "ba", answered=second)
    assert foreign == second


async def test_chosen_messages_go_on_in_a_ticket_of_their_own(
    store: Store, shop: int, lan: int, minh: Member, clock: SetClock
) -> None:
    ticket, kept = await says(store, lan, shop, "đơn 12 thiếu bánh", source=Source("telegram:1", 77, 1))
    _, gone = await says(store, lan, shop, "điểm của em sao mất hết", source=Source("telegram:1", 77, 2))
    for wrong, problem in (([], "unknown"), ([kept.message_id, gone.message_id], "all"), ([999], "unknown")):
        with pytest.raises(InvalidError, match=problem):
            await store.write(linking.split, ticket, minh, wrong)
    at = (await store.read(tickets.get, ticket)).changed
    new = await store.write(linking.split, ticket, minh, [gone.message_id], "points")
    made = await store.read(tickets.get, new)
    assert (made.subject, made.topic, made.state, made.assignee_id) == (
        "điểm của em sao mất hết",
        "points",
        State.NEW,
        minh.id,
    )
    assert await words(store, new, minh) == ["<opened>", "điểm của em sao mất hết", "<split_from>"]
    assert await words(store, ticket, minh) == ["<opened>", "đơn 12 thiếu bánh", "<split>"]
    [told] = await store.read(thread.changed, ticket, minh, at)
    assert isinstance(told, thread.Happened)
    assert told.data["seqs"] == [gone.seq]
    assert (await store.read(tickets.get, ticket)).preview["text"] == "đơn 12 thiếu bánh"
    # What they answer says which of the two is meant; else the one they wrote in last.
    assert (await says(store, lan, shop, "đơn ấy", answered=ticket))[0] == ticket
    assert [one.id for one in await store.read(linking.linked, new, minh)] == [ticket]


async def test_a_link_is_there_once_and_can_be_taken_away(store: Store, shop: int, lan: int, minh: Member) -> None:
    tu = await store.write(customers.create, name="Tú")
    first, second = (await says(store, lan, shop, "một"))[0], (await says(store, tu, shop, "hai"))[0]
    for one, other in ((first, second), (second, first), (first, second)):
        await store.write(linking.link, one, minh, other)
    assert [(one.id, one.kind) for one in await store.read(linking.linked, second, minh)] == [(first, "related")]
    assert (await words(store, first, minh)).count("<linked>") == 1
    await store.write(linking.unlink, second, minh, first)
    assert await store.read(linking.linked, first, minh) == []


# ── What is said about it ──────────────────────────────────────────────────────────────────────────


async def test_tags_are_one_whatever_their_case(store: Store, shop: int, lan: int, minh: Member) -> None:
    ticket, _ = await says(store, lan, shop, "alo")
    for name in ("Giao trễ", "giao tre", "#GIAO TRỄ ", "vip"):
        await store.write(tags.put, ticket, minh, name)
    assert await store.read(tags.of, [ticket]) == {ticket: ["Giao trễ", "vip"]}
    assert [(tag.name, tag.used) for tag in await store.read(tags.every, [shop])] == [("Giao trễ", 1), ("vip", 1)]
    await store.write(tags.take_off, ticket, minh, "GIAO TRE")
    assert await store.read(tags.of, [ticket]) == {ticket: ["vip"]}
    for bad in ("", " # ", "x" * 41):
        with pytest.raises(InvalidError, match="tag"):
            await store.write(tags.put, ticket, minh, bad)


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [
        ("text", " bàn 4 ", "bàn 4"), ("text", "x" * 501, "length"), ("number", "12,5", "12.5"),
        ("number", "1.234", "1234"), ("number", "1.234,50", "1234.50"), ("number", "1,234.5", "1234.5"),
        ("number", "-3", "-3"), ("number", "ba", "number"), ("number", "1.2.3", "number"), ("number", "٣", "number"),
        ("choice", "lon", "Lớn"), ("choice", "Vừa", "choice"), ("date", "22/11/2026", "2026-11-22"),
        ("date", "2026-11-22", "2026-11-22"), ("date", "30/2/2026", "date"), ("date", "mai", "date"),
    ],
)  # fmt: skip
async def test_a_field_takes_what_it_is_for_and_says_what_is_wrong(kind: str, given: str, kept: str) -> None:
    field = fields.Field(1, "Cỡ", fields.Kind(kind), ("Nhỏ", "Lớn"), asked=True)
    if kept in {"length", "number", "choice", "date"}:
        with pytest.raises(InvalidError) as told:
            fields.checked(field, given)
        assert (told.value.field, told.value.problem) == ("value", kept)
    else:
        assert fields.checked(field, given) == kept


async def test_a_shops_fields_and_topics_are_its_own(
    store: Store, shop: int, lan: int, minh: Member, owner: Member
) -> None:
    table = await store.write(fields.add, shop, owner, "Bàn số", "number")
    size = await store.write(fields.add, shop, owner, "Cỡ ly", "choice", ["Nhỏ", "Lớn", "nhỏ"])
    delivery = await store.write(topics.add, shop, owner, "Giao hàng", "Delivery")
    for rule, values in (
        (fields.add, ("bàn SỐ", "text")), (fields.add, ("Khác", "choice", ["một"])), (fields.add, ("Khác", "màu")),
        (topics.add, ("GIAO HANG",)), (topics.add, ("",)),
    ):  # fmt: skip
        with pytest.raises(InvalidError):
            await store.write(rule, shop, owner, *values)
    for rule, values in ((fields.add, ("Lạ", "text")), (topics.add, ("Lạ",))):
        with pytest.raises(ForbiddenError):
            await store.write(rule, shop, minh, *values)
    ticket, _ = await says(store, lan, shop, "alo")
    await store.write(fields.fill, ticket, minh, table, "12")
    await store.write(fields.fill, ticket, minh, size, "lớn")
    await store.write(fields.fill, ticket, minh, size, "")
    await store.write(handling.retopic, ticket, minh, f"t{delivery}")
    assert await store.read(fields.filled_of, [ticket]) == {ticket: {"Bàn số": "12"}}
    await store.write(topics.change, delivery, owner, "Giao hàng", "", offered=False)
    other = await store.write(programme.open_shop, "Khác", timezone="Asia/Ho_Chi_Minh", language="vi")
    for wrong in ("t99", f"t{delivery}", "nothing"):
        with pytest.raises(InvalidError, match="topic"):
            await store.read(topics.check, other, wrong)
    assert (await store.read(tickets.get, ticket)).topic == f"t{delivery}"


async def test_views_show_what_fits_with_counts(store: Store, shop: int, lan: int, minh: Member, owner: Member) -> None:
    people = [
        await store.write(customers.create, name=f"Khách {n}", language="en" if n == 2 else "vi") for n in range(4)
    ]
    numbers = [(await says(store, one, shop, "alo"))[0] for one in people]
    await store.write(tags.put, numbers[0], minh, "vip")
    await store.write(handling.prioritise, numbers[1], minh, "urgent")
    await store.write(handling.retopic, numbers[2], minh, "complaint")
    await store.write(handling.claim, numbers[3], minh)
    await store.write(handling.resolve, numbers[0], minh)

    cases: list[tuple[dict[str, Any], list[int]]] = [
        ({}, numbers[1:]), ({"tags": ["VIP"], "states": ["resolved"]}, [numbers[0]]), ({"tags": ["vip"]}, []),
        ({"priorities": ["urgent", "high"]}, [numbers[1]]), ({"topics": ["complaint"]}, [numbers[2]]),
        ({"complaint": True}, [numbers[2]]), ({"complaint": False}, [numbers[1], numbers[3]]),
        ({"languages": ["en"]}, [numbers[2]]), ({"assignees": ["me"]}, [numbers[3]]),
        ({"assignees": ["me", "nobody"], "priorities": ["normal"]}, [numbers[2], numbers[3]]),
        ({"assignees": [minh.id], "shops": [shop]}, [numbers[3]]), ({"shops": [shop + 1]}, []),
        ({"teams": [1]}, []), ({"teams": ["mine"]}, []),
    ]  # fmt: skip
    for asked, expected in cases:
        found = await store.read(queue.page, minh, views.parse(asked))
        assert sorted(one.ticket.id for one in found) == expected, asked
    counted = await store.read(queue.counts_of, minh, [views.parse(asked) for asked, _ in cases])
    assert counted == [len(expected) for _, expected in cases]
    for bad in (
        {"states": ["lost"]},
        {"colour": []},
        {"shops": [0]},
        {"tags": "vip"},
        {"complaint": "yes"},
        [],
        {"assignees": [True]},
    ):
        with pytest.raises(InvalidError):
            views.parse(bad)


async def test_own_views_are_ones_own_and_shared_ones_the_desks(store: Store, shop: int, minh: Member) -> None:
    tu = await hire(store, "Tú", Role.AGENT, shop)
    other = await store.write(programme.open_shop, "Khác", timezone="Asia/Ho_Chi_Minh", language="vi")
    far = await hire(store, "Xa", Role.AGENT, other)
    vip = Filters(tags=("vip",))
    mine = await store.write(views.add, tu, "Khách quen", vip)
    with pytest.raises(ForbiddenError):
        await store.write(views.add, tu, "Cả nhóm", vip, shared=True, shop_id=shop)
    with pytest.raises(InvalidError):
        await store.write(views.add, minh, "Mọi nơi", vip, shared=True)
    shared = await store.write(views.add, minh, "Gấp", Filters(priorities=("urgent",)), shared=True, shop_id=shop)
    assert [(one.id, one.own) for one in await store.read(views.listed, tu)] == [(shared, False), (mine, True)]
    assert [one.id for one in await store.read(views.listed, minh)] == [shared]
    assert await store.read(views.listed, far) == []
    for member, view in ((tu, shared), (minh, mine), (far, shared)):
        with pytest.raises(NotFoundError):
            await store.write(views.remove, view, member)
    await store.write(views.change, mine, tu, "VIP", Filters(states=("resolved",)))
    assert (await store.read(views.get, tu, mine)).filters == Filters(states=("resolved",))
    await store.write(views.remove, mine, tu)
    audited = await store.read(lambda s: s.execute(sa.text("SELECT action FROM audit ORDER BY id")).scalars().all())
    assert audited[-1] == "view_shared"
