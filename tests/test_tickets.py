"""Tickets: what a customer says finds its ticket once, agents don't get in each other's way, nobody reads a stranger's."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from loyalty import programme
from loyalty.customers import claims, customers
from store import media, staff
from store.clock import SetClock
from store.engine import Store
from store.errors import ConflictError, ForbiddenError, InvalidError, MovedError, NotFoundError
from store.media import File
from store.notices import NoticeRow
from store.outbox import Call, Ended
from store.staff import Member, Role
from support import beside, changes, delivery, handling, messages, queue, ratings, seen, thread, tickets
from support.messages import Source
from support.queue import View
from support.tickets import State

PHOTO = File("photo", "image/jpeg", sha=None, account="telegram:1", file_id="AgAD", width=1200, height=900)


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")


@pytest.fixture
async def lan(store: Store, shop: int) -> int:
    return await store.write(customers.create, name="Nguyễn Thị Lan", phone="+84903123456", home_shop_id=shop)


async def hire(store: Store, name: str, role: Role, shop_id: int | None) -> Member:
    return await store.read(staff.get, await store.write(staff.add, name, role, shop_id))


@pytest.fixture
async def minh(store: Store, shop: int) -> Member:
    return await hire(store, "Minh", Role.AGENT, shop)


async def says(
    store: Store, customer: int, shop: int, text: str = "", answered: int | None = None, **values: Any
) -> tuple[int, messages.Said]:
    """A customer's message as the chat takes it in: one work, run again when a race was lost."""
    for _ in range(4):
        try:
            async with store.work() as work:
                joined = await work.write(tickets.open_or_join, customer, shop, answered=answered)
                said = await work.write(messages.customer_says, joined.ticket.id, text=text, **values)
        except MovedError:
            continue
        return joined.ticket.id, said
    raise AssertionError("never through")


async def notices_of(store: Store, kind: str) -> list[NoticeRow]:
    return await store.read(
        lambda s: list(s.execute(sa.select(NoticeRow).where(NoticeRow.kind == kind).order_by(NoticeRow.id)).scalars())
    )


async def lines(store: Store, ticket: int, member: Member) -> list[str]:
    """The thread in short: words of messages, kinds of events."""
    found = await store.read(thread.page, ticket, member)
    return [line.text if isinstance(line, thread.Message) else f"<{line.kind}>" for line in found]


def ended(message: int, call: int, state: str, error: str | None = None, result: Any = None) -> Ended:
    return Ended(
        Call(call, "telegram:1", 77, "sendMessage", "{}", rule=messages.RULE, subject=message), state, error, result
    )


# ── One conversation, one ticket ───────────────────────────────────────────────────────────────────


async def test_the_first_words_open_a_ticket_and_the_next_ones_join_it(
    store: Store, shop: int, lan: int, minh: Member
) -> None:
    first, _ = await says(store, lan, shop, "Ly của em bị vỡ rồi")
    second, said = await says(store, lan, shop, files=[PHOTO], group_id="g1")
    assert (first, second) == (1001, 1001)
    ticket = await store.read(tickets.get, first)
    assert (ticket.subject, ticket.state, ticket.preview["kind"]) == ("Ly của em bị vỡ rồi", State.NEW, "photo")
    assert await lines(store, first, minh) == ["<opened>", "Ly của em bị vỡ rồi", ""]
    [photo] = (await store.read(thread.some, first, minh, [said.seq]))[0].files
    assert (photo.kind, photo.width, photo.state) == ("photo", 1200, "waiting")


async def test_two_fast_messages_never_make_two_tickets(store: Store, shop: int, lan: int, minh: Member) -> None:
    both = await asyncio.gather(*(says(store, lan, shop, f"câu {n}") for n in range(6)))
    assert {ticket for ticket, _ in both} == {1001}
    assert len({said.seq for _, said in both}) == 6
    assert len(await store.read(tickets.tickets_of, lan)) == 1


async def test_customers_at_the_same_instant_get_a_ticket_each(store: Store, shop: int) -> None:
    people = [await store.write(customers.create, name=f"Khách {n}") for n in range(8)]
    found = await asyncio.gather(*(says(store, person, shop, "chào shop") for person in people))
    assert sorted(ticket for ticket, _ in found) == list(range(1001, 1009))


async def test_a_redelivered_message_and_an_album_part_are_known(store: Store, shop: int, lan: int) -> None:
    one, two = Source("telegram:1", 77, 10), Source("telegram:1", 77, 11)
    _, first = await says(store, lan, shop, "ảnh đây", files=[PHOTO], source=one, group_id="g")
    _, part = await says(store, lan, shop, files=[PHOTO], source=two, group_id="g")
    _, again = await says(store, lan, shop, "ảnh đây", files=[PHOTO], source=one, group_id="g")
    assert (first.new, part.new, again.new) == (True, True, False)
    assert again.message_id == first.message_id != part.message_id


@pytest.mark.parametrize(("days", "same"), [(6, True), (8, False)])
async def test_a_resolved_ticket_reopens_within_a_week(
    store: Store, shop: int, lan: int, minh: Member, clock: SetClock, days: int, same: bool
) -> None:
    ticket, _ = await says(store, lan, shop, "hỏng rồi")
    await store.write(handling.resolve, ticket, minh)
    clock.advance(timedelta(days=days))
    later, _ = await says(store, lan, shop, "lại hỏng")
    assert (later == ticket) is same
    state = await store.read(tickets.get, ticket)
    assert state.state == (State.OPEN if same else State.RESOLVED)
    assert ("<reopened>" in await lines(store, ticket, minh)) is same


async def test_a_closed_ticket_takes_no_more_words(store: Store, shop: int, lan: int, minh: Member) -> None:
    ticket, _ = await says(store, lan, shop, "quảng cáo")
    await store.write(handling.close, ticket, minh)
    with pytest.raises(tickets.TicketStateError):
        await store.write(messages.agent_says, ticket, minh, "chào", key="k")
    with pytest.raises(tickets.TicketStateError):
        await store.write(messages.customer_says, ticket, text="alo")
    assert (await says(store, lan, shop, "alo"))[0] == ticket + 1
    assert (await store.read(tickets.current, lan)).id == ticket + 1


async def test_an_edit_shows_the_new_words_and_keeps_the_old(store: Store, shop: int, lan: int, minh: Member) -> None:
    source = Source("telegram:1", 77, 10)
    ticket, said = await says(store, lan, shop, "giá 50", source=source)
    at = (await store.read(tickets.get, ticket)).changed
    assert await store.write(changes.customer_edits, source, text="giá 55")
    assert await store.write(changes.customer_edits, source, text="giá 55")
    assert not await store.write(changes.customer_edits, Source("telegram:1", 77, 99), text="?")
    [message] = await store.read(thread.changed, ticket, minh, at)
    assert isinstance(message, thread.Message)
    assert (message.id, message.text, [old["text"] for old in message.history]) == (
        said.message_id,
        "giá 55",
        ["giá 50"],
    )
    assert (await store.read(tickets.get, ticket)).preview["text"] == "giá 55"


async def test_nothing_said_is_refused_and_opens_nothing(store: Store, shop: int, lan: int) -> None:
    with pytest.raises(InvalidError):
        await says(store, lan, shop, " \x00 ")
    assert await store.read(tickets.tickets_of, lan) == []


async def test_tickets_go_along_in_a_merge(store: Store, shop: int, lan: int, minh: Member) -> None:
    guest = await store.write(customers.create, name="Lan web")
    ticket, _ = await says(store, guest, shop, "quên điểm")
    after = await store.read(queue.cursor, minh)
    await store.write(claims.merge, lan, guest)
    assert [one.id for one in await store.read(tickets.tickets_of, lan)] == [ticket]
    [line] = await store.read(queue.changes, minh, after)
    assert line.ticket.customer_id == lan
    assert (await says(store, guest, shop, "vẫn là em"))[0] == ticket


# ── The answer and its way ─────────────────────────────────────────────────────────────────────────


async def test_an_answer_is_told_once_however_often_the_page_sends_it(
    store: Store, shop: int, lan: int, minh: Member
) -> None:
    ticket, _ = await says(store, lan, shop, "ly vỡ")
    sha = await store.write(media.keep, b"png", "image/png", 10, 10)
    picture = File("photo", "image/png", "ly.png", 3, 10, 10, sha=sha)
    answers = await asyncio.gather(
        *(store.write(messages.agent_says, ticket, minh, "Dạ em xin lỗi", [picture], key="k1") for _ in range(3))
    )
    assert len(set(answers)) == 1
    [told] = await notices_of(store, "ticket_reply")
    assert (told.customer_id, told.rule, told.subject, told.purpose) == (lan, "ticket_message", answers[0], 0)
    assert told.params["ticket"] == ticket
    assert (told.params["text"], told.params["agent"], told.params["files"][0]["sha"]) == ("Dạ em xin lỗi", "Minh", sha)
    state = await store.read(tickets.get, ticket)
    assert (state.state, state.assignee_id, state.first_response_at) == (State.WAITING, minh.id, state.updated_at)
    await says(store, lan, shop, "cảm ơn em")
    assert (await store.read(tickets.get, ticket)).state == State.OPEN


async def test_delivery_is_told_as_it_was_and_a_retry_is_real(store: Store, shop: int, lan: int, minh: Member) -> None:
    ticket, _ = await says(store, lan, shop, "alo")
    message = await store.write(messages.agent_says, ticket, minh, "Dạ", key="k")

    async def state() -> tuple[str | None, str | None]:
        [found] = [line for line in await store.read(thread.page, ticket, minh) if getattr(line, "id", 0) == message]
        assert isinstance(found, thread.Message)
        return found.state, found.reason

    assert await state() == ("queued", None)
    await store.write(delivery.message_ended, ended(message, 5, "failed", "Forbidden: bot was blocked by the user"))
    assert await state() == ("failed", "Forbidden: bot was blocked by the user")
    await store.write(delivery.retry, message, minh)
    await store.write(delivery.retry, message, minh)
    assert await state() == ("queued", None)
    assert len(await notices_of(store, "ticket_reply")) == 2
    await store.write(delivery.message_ended, ended(message, 6, "sent", result={"message_id": 31}))
    await store.write(delivery.retry, message, minh)
    assert await state() == ("sent", None)
    assert len(await notices_of(store, "ticket_reply")) == 2
    # The customer's own answer to it is tied to it.
    _, said = await says(store, lan, shop, "ok", reply_to=Source("telegram:1", 77, 31))
    [answer] = await store.read(thread.some, ticket, minh, [said.seq])
    assert answer.reply_to == next(
        line.seq for line in await store.read(thread.page, ticket, minh) if getattr(line, "id", 0) == message
    )


async def test_of_several_rows_the_worst_counts_and_unknown_gives_way(
    store: Store, shop: int, lan: int, minh: Member
) -> None:
    ticket, _ = await says(store, lan, shop, "alo")
    message = await store.write(messages.agent_says, ticket, minh, "Dạ", key="k")

    async def after(call: int, state: str) -> str | None:
        await store.write(delivery.message_ended, ended(message, call, state, "why" if state != "sent" else None))
        return (await store.read(tickets.get, ticket)).preview["state"]

    assert [await after(1, "sent"), await after(2, "unknown"), await after(2, "sent"), await after(3, "failed")] == [
        "sent", "unknown", "sent", "failed",
    ]  # fmt: skip


async def test_notes_stay_in_the_house(store: Store, shop: int, lan: int, minh: Member) -> None:
    ticket, _ = await says(store, lan, shop, "alo")
    await store.write(messages.note, ticket, minh, "khách quen", key="n")
    await store.write(messages.note, ticket, minh, "khách quen", key="n")
    assert await notices_of(store, "ticket_reply") == []
    state = await store.read(tickets.get, ticket)
    assert (state.state, state.preview["text"]) == (State.NEW, "alo")
    assert (await lines(store, ticket, minh)).count("khách quen") == 1


@pytest.mark.parametrize("text", ["", "   ", "x" * 4097])
async def test_an_answer_that_cannot_be_sent_is_refused(
    store: Store, shop: int, lan: int, minh: Member, text: str
) -> None:
    ticket, _ = await says(store, lan, shop, "alo")
    with pytest.raises(InvalidError):
        await store.write(messages.agent_says, ticket, minh, text, key="k")
    assert (await store.read(tickets.get, ticket)).assignee_id is None


# ── Who looks after it ─────────────────────────────────────────────────────────────────────────────


async def test_of_twenty_who_claim_one_wins(store: Store, shop: int, lan: int) -> None:
    agents = [await hire(store, f"Nhân viên {n}", Role.AGENT, shop) for n in range(20)]
    ticket, _ = await says(store, lan, shop, "alo")
    done = await asyncio.gather(
        *(store.write(handling.claim, ticket, agent) for agent in agents), return_exceptions=True
    )
    lost = [one for one in done if one is not None]
    assert len(lost) == 19
    assert all(isinstance(one, handling.TakenError) for one in lost)
    owner = (await store.read(tickets.get, ticket)).assignee_id
    assert owner == agents[done.index(None)].id
    assert (await lines(store, ticket, agents[0])).count("<assigned>") == 1


async def test_others_tickets_only_a_supervisor_hands_on(store: Store, shop: int, lan: int, minh: Member) -> None:
    hoa = await hire(store, "Hoa", Role.AGENT, shop)
    boss = await hire(store, "Chi", Role.SUPERVISOR, shop)
    till = await hire(store, "Thu", Role.CASHIER, shop)
    ticket, _ = await says(store, lan, shop, "alo")
    await store.write(handling.claim, ticket, minh)
    with pytest.raises(handling.TakenError):
        await store.write(handling.assign, ticket, hoa, hoa.id)
    with pytest.raises(InvalidError):
        await store.write(handling.assign, ticket, minh, till.id)
    await store.write(handling.assign, ticket, boss, hoa.id)
    assert (await store.read(tickets.get, ticket)).assignee_id == hoa.id
    await store.write(handling.assign, ticket, hoa, None)
    assert (await store.read(tickets.get, ticket)).assignee_id is None
    assert [one.name for one in await store.read(handling.colleagues, ticket, minh)] == ["Chi", "Hoa", "Minh"]


async def test_resolving_asks_for_a_rating_once(store: Store, shop: int, lan: int, minh: Member) -> None:
    ticket, _ = await says(store, lan, shop, "alo")
    await store.write(handling.resolve, ticket, minh)
    await store.write(handling.resolve, ticket, minh)
    [told] = await notices_of(store, "ticket_resolved")
    assert told.params == {"ticket": ticket, "agent": "Minh", "ask_rating": True}
    await store.write(ratings.rate, ticket, lan, 2)
    await store.write(ratings.comment, ticket, lan, "chờ lâu")
    with pytest.raises(ratings.AlreadyRatedError):
        await store.write(ratings.rate, ticket, lan, 5)
    rating = await store.read(ratings.of, ticket)
    assert rating is not None
    assert (rating.stars, rating.comment) == (2, "chờ lâu")
    await store.write(handling.reopen, ticket, minh)
    await store.write(handling.resolve, ticket, minh)
    assert (await notices_of(store, "ticket_resolved"))[-1].params["ask_rating"] is False


@pytest.mark.parametrize("stars", [0, 6, -1])
async def test_stars_are_one_to_five_and_ones_own(store: Store, shop: int, lan: int, minh: Member, stars: int) -> None:
    ticket, _ = await says(store, lan, shop, "alo")
    with pytest.raises(InvalidError):
        await store.write(ratings.rate, ticket, lan, stars)
    stranger = await store.write(customers.create, name="Khác")
    with pytest.raises(NotFoundError):
        await store.write(ratings.rate, ticket, stranger, 5)
    assert await store.read(ratings.of, ticket) is None


# ── The desk ───────────────────────────────────────────────────────────────────────────────────────


async def test_views_counts_and_unread(store: Store, shop: int, minh: Member, clock: SetClock) -> None:
    people = [await store.write(customers.create, name=f"Khách {n}") for n in range(3)]
    numbers = []
    for person in people:
        clock.advance(timedelta(minutes=1))
        numbers.append((await says(store, person, shop, "alo"))[0])
    await store.write(handling.claim, numbers[0], minh)
    await store.write(handling.resolve, numbers[1], minh)

    async def ids(view: View, **values: Any) -> list[int]:
        return [line.ticket.id for line in await store.read(queue.page, minh, view, **values)]

    assert await ids(View.MINE) == [numbers[0]]
    assert await ids(View.UNASSIGNED) == [numbers[2]]
    assert await ids(View.OPEN) == [numbers[2], numbers[0]]
    assert await ids(View.OPEN, before=numbers[2]) == [numbers[0]]
    assert await ids(View.RESOLVED) == [numbers[1]]
    assert await store.read(queue.counts, minh) == {
        View.MINE: 1, View.UNASSIGNED: 1, View.OPEN: 2, View.SNOOZED: 0,
    }  # fmt: skip
    last = (await store.read(tickets.get, numbers[0])).last_seq
    assert (await store.read(queue.line, numbers[0], minh)).unread == 1
    await store.write(seen.saw, numbers[0], minh, last)
    await store.write(seen.saw, numbers[0], minh, 1)
    assert (await store.read(queue.line, numbers[0], minh)).unread == 0
    await says(store, people[0], shop, "còn đó không")
    await says(store, people[0], shop, "alo?")
    assert (await store.read(queue.line, numbers[0], minh)).unread == 2
    await store.write(seen.saw, numbers[0], minh, last + 2)
    await store.write(queue.unsee, numbers[0], minh)
    assert (await store.read(queue.line, numbers[0], minh)).unread == 1
    await store.write(messages.agent_says, numbers[0], minh, "Dạ đây ạ", key="k")
    assert (await store.read(queue.line, numbers[0], minh)).unread == 0


@pytest.mark.parametrize(
    "words",
    [
        "ly bi vo",
        "BỊ VỠ",
        "nguyen thi",
        "lan",
        "#1001",
        "1001",
        "0903 123 456",
        "+84903123456",
        "đền em",
        "vỡ ly",
        "lan nguyễn",
    ],
)
async def test_search_finds_marks_or_none(store: Store, shop: int, lan: int, minh: Member, words: str) -> None:
    other = await store.write(customers.create, name="Bình")
    await says(store, lan, shop, "Ly bị vỡ")
    await says(store, lan, shop, "shop đền em nhé")
    await says(store, other, shop, "hỏi giờ mở cửa")
    await store.write(handling.resolve, 1001, minh)
    assert [line.ticket.id for line in await store.read(queue.page, minh, View.MINE, search=words)] == [1001]


@pytest.mark.parametrize("words", ["%", "_", "1_0", "ly giờ", "#99999999999", "' OR 1=1", "không có", "\x00x", "\x00"])
async def test_search_takes_signs_as_signs(store: Store, shop: int, lan: int, minh: Member, words: str) -> None:
    await says(store, lan, shop, "Ly bị vỡ 100")
    assert await store.read(queue.page, minh, View.OPEN, search=words) == []


async def test_a_cursor_misses_nothing_under_a_storm(store: Store, shop: int, minh: Member) -> None:
    people = [await store.write(customers.create, name=f"Khách {n}") for n in range(6)]
    seen: dict[int, list[str]] = {}
    read: dict[int, int] = {}
    after = await store.read(queue.cursor, minh)
    over = asyncio.Event()

    async def watch() -> None:
        """Read as a page does: whatever changed after the last number, until all has been written and read."""
        done = False
        while not done:
            done = over.is_set()
            found = await store.read(queue.changes, minh, after, 3)
            for line in found:
                number = line.ticket.id
                for one in await store.read(thread.changed, number, minh, read.get(number, 0)):
                    read[number] = max(read.get(number, 0), one.changed)
                    if isinstance(one, thread.Message):
                        seen.setdefault(number, []).append(one.text)
                after[line.ticket.shop_id] = max(after[line.ticket.shop_id], line.ticket.changed)
            done = done and not found

    async def talk(person: int) -> None:
        for number in range(5):
            await says(store, person, shop, f"câu {number}")

    watching = asyncio.gather(watch())
    await asyncio.gather(*(talk(person) for person in people))
    over.set()
    await watching
    assert len(seen) == 6
    assert all(words == [f"câu {n}" for n in range(5)] for words in seen.values())


# ── Somebody else's shop ───────────────────────────────────────────────────────────────────────────


async def test_another_shops_tickets_are_not_there(store: Store, shop: int, lan: int, minh: Member) -> None:
    other_shop = await store.write(programme.open_shop, "Quán B", timezone="Asia/Ho_Chi_Minh", language="vi")
    stranger = await hire(store, "Khoa", Role.SUPERVISOR, other_shop)
    cashier = await hire(store, "Thu", Role.CASHIER, shop)
    sha = await store.write(media.keep, b"x", "image/png")
    ticket, said = await says(store, lan, shop, "bí mật", files=[File("photo", "image/png", sha=sha)])
    message = await store.write(messages.agent_says, ticket, minh, "Dạ", key="k")
    await store.write(delivery.message_ended, ended(message, 5, "failed", "?"))
    [photo] = (await store.read(thread.some, ticket, minh, [said.seq]))[0].files
    content, _ = await store.read(messages.content_of, photo.id, minh)
    assert (content.sha, content.content) == (sha, b"x")
    tries: list[tuple[Any, ...]] = [
        (tickets.view, ticket), (handling.claim, ticket), (handling.resolve, ticket), (handling.close, ticket),
        (handling.reopen, ticket), (handling.colleagues, ticket), (queue.line, ticket), (thread.page, ticket),
        (delivery.retry, message), (messages.content_of, photo.id), (beside.of, ticket), (queue.unsee, ticket),
    ]  # fmt: skip
    for who, error in ((stranger, NotFoundError), (cashier, ForbiddenError)):
        for rule, number in tries:
            with pytest.raises(error):
                await store.write(rule, number, who)
        for rule, rest in (
            (handling.assign, (None,)), (handling.prioritise, ("urgent",)), (thread.changed, (0,)),
            (thread.some, ([1],)), (seen.saw, (1,)),
        ):  # fmt: skip
            with pytest.raises(error):
                await store.write(rule, ticket, who, *rest)
        for rule in (messages.agent_says, messages.note):
            with pytest.raises(error):
                await store.write(rule, ticket, who, "x", key="z")
    assert await store.read(queue.page, stranger, View.OPEN) == []
    assert await store.read(queue.page, stranger, View.OPEN, shop_id=shop) == []
    assert await store.read(queue.page, stranger, View.OPEN, search="bí mật") == []
    assert await store.read(queue.page, stranger, View.OPEN, search=f"#{ticket}") == []
    assert sum((await store.read(queue.counts, stranger)).values()) == 0
    assert await store.read(queue.changes, stranger, {shop: 0}) == []
    assert await store.read(queue.cursor, stranger) == {other_shop: 0}
    with pytest.raises(ForbiddenError):
        await store.read(queue.page, cashier, View.OPEN)
    with pytest.raises(ConflictError):
        await store.write(handling.assign, ticket, await hire(store, "Hoa", Role.AGENT, shop), None)


async def test_the_customers_loyalty_stands_beside_the_thread(store: Store, shop: int, lan: int, minh: Member) -> None:
    from loyalty.orders import orders

    bought = orders.OrderInput(
        total=1_250_000, currency="VND", placed_at=store.clock.now(), status=orders.Status.COMPLETED, customer_id=lan
    )
    await store.write(orders.put, shop, "A1", bought)
    ticket, _ = await says(store, lan, shop, "alo")
    found = await store.read(beside.of, ticket, minh)
    assert (found.customer.id, found.available, found.tier, found.rank, found.to_next) == (lan, 1250, "Bạc", 1, 188)
    assert [order.external_id for order in found.orders] == ["A1"]
    assert (found.tickets, found.rating, found.vouchers) == ([], None, [])
