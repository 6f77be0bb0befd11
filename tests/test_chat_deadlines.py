"""What is late and what was promised, on messengers: whom it reaches, in which words, and what a tap does."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from handlers.chat.notices import render
from handlers.chat.voice import Voice
from handlers.words import words
from store import staff
from store.clock import SetClock
from store.staff import Member, Role
from support import handling, tickets
from support.deadlines import calendars, clocks, escalations, policies, promises
from support.deadlines.policies import Policy
from support.routing import presence, teams
from tests.botapi.people import Person
from tests.chatting import customer_of, labels, nothing_went_wrong, open_shop, quiet, say, settled_person, tap
from tests.running import Running

pytestmark = pytest.mark.asyncio(loop_scope="module")
NINE = datetime(2026, 11, 20, 9, 0, tzinfo=ZoneInfo("Asia/Ho_Chi_Minh"))


@pytest.fixture(scope="module")
def clock() -> SetClock:
    return SetClock(NINE)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, clock: SetClock
) -> AsyncIterator[Running]:
    async with open_shop(sqlite_template, tmp_path_factory.mktemp("shop"), clock) as started:
        await started.store.write(calendars.save, started.shop_id, [[(8 * 60, 18 * 60)]] * 7, "", {})
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def shop(opened: Running) -> AsyncIterator[Running]:
    yield opened
    await nothing_went_wrong(opened)


async def colleague(shop: Running, name: str, role: Role) -> tuple[Member, Person]:
    number = await shop.store.write(staff.add, name, role, shop.shop_id)
    person = shop.api.user(first_name=name, language_code="vi")
    await say(shop, person, f"/start s_{await shop.store.write(staff.make_link, number, 'bind')}")
    return await shop.store.read(staff.get, number), person


async def turn(shop: Running) -> None:
    for rule in (clocks.ring_due, promises.ring_due, escalations.climb_due):
        await shop.store.write(rule)
    await quiet(shop)


async def test_what_is_late_reaches_the_agent_then_the_supervisor_and_the_first_tap_has_it(
    shop: Running, clock: SetClock
) -> None:
    clock.set(NINE)
    minh, minh_chat = await colleague(shop, "Minh", Role.AGENT)
    _, hoa_chat = await colleague(shop, "Hoa", Role.SUPERVISOR)
    lan = await settled_person(shop)
    await say(shop, lan, "/support")
    await say(shop, lan, "Ly bị vỡ ạ")
    ticket = (await shop.store.read(tickets.tickets_of, (await customer_of(shop, lan)).id))[0]
    await shop.store.write(handling.assign, ticket.id, minh, minh.id)
    due = (await shop.store.read(clocks.pressing, [ticket.id]))[ticket.id].due_at
    clock.set(due)
    await turn(shop)
    missed = minh_chat.inbox[-1]
    assert f"#{ticket.id}" in missed["text"]
    assert "quá hạn trả lời lần đầu" in missed["text"]
    assert labels(missed) == ["Để mình lo", "Mở bàn hỗ trợ"]
    clock.advance(timedelta(minutes=30))
    await turn(shop)
    late = hoa_chat.inbox[-1]
    assert "Chưa có ai nhận lo việc này." in late["text"]
    await tap(shop, hoa_chat, "Để mình lo", late)
    assert (await shop.store.read(escalations.open_of, [ticket.id]))[0].acked_by == "Hoa"
    await tap(shop, minh_chat, "Để mình lo", missed)
    assert (await shop.store.read(escalations.open_of, [ticket.id]))[0].acked_by == "Hoa"
    told = len(hoa_chat.inbox)
    clock.advance(timedelta(hours=4))
    await turn(shop)
    assert not [one for one in hoa_chat.inbox[told:] if "trả lời lần đầu" in one.get("text", "")]


async def test_a_customer_hears_what_was_promised_and_that_it_was_kept_by_a_tap(shop: Running, clock: SetClock) -> None:
    clock.set(NINE)
    minh, minh_chat = await colleague(shop, "Minh Anh", Role.AGENT)
    mai = await settled_person(shop, first_name="Mai")
    await say(shop, mai, "/support")
    await say(shop, mai, "Khi nào có hàng ạ?")
    ticket = (await shop.store.read(tickets.tickets_of, (await customer_of(shop, mai)).id))[0]
    due = NINE + timedelta(hours=5)
    await shop.store.write(promises.make, ticket.id, minh, "Gọi lại khi có <hàng>", due, shown=True)
    await quiet(shop)
    assert mai.texts[-1] == "🤝 Minh Anh hẹn bạn: Gọi lại khi có <hàng>, chậm nhất 14:00 20/11/2026."
    assert "🤝 Gọi lại khi có <hàng>, chậm nhất 14:00 20/11/2026" in (await say(shop, mai, "/tickets"))[-1]
    clock.set(due - promises.REMIND)
    await turn(shop)
    reminder = minh_chat.inbox[-1]
    assert "bạn đã hẹn “Gọi lại khi có <hàng>”" in reminder["text"]
    await tap(shop, minh_chat, "Xong ✓", reminder)
    assert (await shop.store.read(promises.of, [ticket.id]))[0].state == "kept"
    assert "🤝" not in (await say(shop, mai, "/tickets"))[-1]
    assert mai.texts[-2].startswith("✅ Đã xong: Gọi lại khi có <hàng>.")


async def test_who_is_given_a_ticket_hears_of_it_and_the_customer_by_when(shop: Running, clock: SetClock) -> None:
    clock.set(NINE)
    boss, _ = await colleague(shop, "Chủ quán", Role.MANAGER)
    tea, tea_chat = await colleague(shop, "Trà", Role.AGENT)
    await shop.store.write(
        partial(teams.save, name="Cả quán", everyone=False, listed=[tea.id]), boss, shop.shop_id, None
    )
    await shop.store.write(policies.save, shop.shop_id, Policy(told=True))
    await shop.store.write(presence.come, tea, presence.SAID_LASTS)
    lan, mai, hue = [await settled_person(shop, first_name=name, last_name="") for name in ("Lan", "Mai", "Huệ")]
    await say(shop, lan, "/support")
    heard = await say(shop, lan, "Cho mình hỏi <giá> trà")
    assert heard[-1].endswith("sẽ trả lời bạn ở đây trước 10:00.")
    ticket = (await shop.store.read(tickets.tickets_of, (await customer_of(shop, lan)).id))[0]
    assert ticket.assignee_id == tea.id
    await quiet(shop)
    assert tea_chat.texts.count(f"👉 #{ticket.id} · Lan giờ là của bạn.\n“Cho mình hỏi <giá> trà”") == 1
    [handed] = [one for one in tea_chat.inbox if one.get("text", "").startswith(f"👉 #{ticket.id} ")]
    [[door]] = handed["reply_markup"]["inline_keyboard"]
    assert door == {"text": "Mở bàn hỗ trợ", "url": f"{shop.url}/desk/{ticket.id}"}
    # Whose desk is open sees it there.
    await shop.store.write(presence.alive, tea)
    before = len(tea_chat.texts)
    clock.set(NINE.replace(hour=17, minute=30))
    await shop.store.write(presence.alive, tea)
    await say(shop, mai, "/support")
    heard = await say(shop, mai, "Mình đặt bàn tối mai được không")
    assert heard[-1].endswith("trước 8:30 ngày mai.")
    await quiet(shop)
    assert not [text for text in tea_chat.texts[before:] if "bàn tối mai" in text]
    # What a colleague hands on is told too, a complaint's customer hears by when beside the acknowledgement.
    clock.advance(timedelta(minutes=2))
    await say(shop, hue, "ly bị vỡ rồi")
    await quiet(shop)
    assert any("trước 8:32 ngày mai" in text for text in hue.texts)
    given = (await shop.store.read(tickets.tickets_of, (await customer_of(shop, hue)).id))[0]
    await shop.store.write(handling.assign, given.id, boss, boss.id)
    told = len(tea_chat.texts)
    await shop.store.write(handling.assign, given.id, boss, tea.id)
    await quiet(shop)
    assert [text for text in tea_chat.texts[told:] if text.startswith(f"👉 #{given.id}")]
    await shop.store.write(policies.save, shop.shop_id, Policy())


async def test_a_strangers_tap_does_nothing(shop: Running, clock: SetClock) -> None:
    clock.set(NINE)
    minh, minh_chat = await colleague(shop, "Minh Ba", Role.AGENT)
    _, stranger = await colleague(shop, "Khách Lạ", Role.CASHIER)
    an = await settled_person(shop, first_name="An")
    await say(shop, an, "/support")
    await say(shop, an, "Xin chào")
    ticket = (await shop.store.read(tickets.tickets_of, (await customer_of(shop, an)).id))[0]
    number = await shop.store.write(promises.make, ticket.id, minh, "Xem lại", NINE + timedelta(hours=1))
    clock.set(NINE + timedelta(minutes=30))
    await turn(shop)
    forged = minh_chat.inbox[-1]
    for person in (stranger, an):
        live = person.world.chats[person.id].messages[person.inbox[-1]["message_id"]]
        live["reply_markup"] = forged["reply_markup"]
        await tap(shop, person, "Xong ✓", live)
    assert (await shop.store.read(promises.get, number)).state == "open"


@pytest.mark.parametrize("language", ["vi", "en"])
async def test_every_kind_has_words(language: str) -> None:
    voice = Voice(words(language), None, "Nguyễn Thị Lan")
    params = {
        "ticket": 1042, "late": "promise", "promise": 3, "deadline": NINE.isoformat(), "zone": "Asia/Ho_Chi_Minh",
        "customer": "Lan", "escalation": 5, "level": 2, "what": "Gọi lại", "agent": "Minh", "count": 10,
    }  # fmt: skip
    params["items"] = [{"kind": "sla_missed", **params}, {"kind": "promise_due", **params, "late": "first"}]
    for kind in (
        "sla_warning", "sla_missed", "promise_due", "promise_missed", "alerts_digest", "promise_made", "promise_changed",
        "promise_kept", "promise_withdrawn",
    ):  # fmt: skip
        told = render(kind, voice, params)
        assert told is not None
        assert told.text
        assert "{" not in told.text, told.text
        if kind != "alerts_digest":
            assert "Gọi lại" in told.text or "#1042" in told.text
