"""Complaints and questions in the chat: by buttons and in the customer's own words, and a supervisor's yes or no."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from handlers.chat import forum_words
from handlers.words import words
from loyalty.orders import arrivals, orders
from loyalty.orders.orders import OrderInput, Status
from loyalty.outreach import consents
from loyalty.points import points
from store import staff
from store.clock import SetClock
from store.outbox import Purpose
from store.staff import Member, Role
from support import handling, ratings, thread, tickets
from support.complaints import complaints, goodwill, loop, recovery
from support.complaints.complaints import Outcome
from support.feedback import asking, compliments, order_answers, planning, surveys, terms
from support.feedback.terms import Terms
from tests.botapi.people import Person
from tests.chatting import (
    Json,
    customer_of,
    labels,
    last_with_buttons,
    nothing_went_wrong,
    open_shop,
    put_order,
    quiet,
    say,
    settled_person,
    tap,
    tickets_of,
)
from tests.conftest import NOON
from tests.running import Running

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def clock() -> SetClock:
    return SetClock(NOON)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, clock: SetClock
) -> AsyncIterator[Running]:
    async with open_shop(sqlite_template, tmp_path_factory.mktemp("shop"), clock) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def shop(opened: Running) -> AsyncIterator[Running]:
    yield opened
    await nothing_went_wrong(opened)


async def colleague(shop: Running, name: str, role: Role) -> tuple[Member, Person]:
    """A member of staff with their own Telegram."""
    number = await shop.store.write(staff.add, name, role, shop.shop_id)
    person = shop.api.user(first_name=name, language_code="vi")
    await say(shop, person, f"/start s_{await shop.store.write(staff.make_link, number, 'bind')}")
    return await shop.store.read(staff.get, number), person


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def minh(opened: Running) -> tuple[Member, Person]:
    return await colleague(opened, "Minh", Role.AGENT)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sup(opened: Running) -> tuple[Member, Person]:
    return await colleague(opened, "Hạnh", Role.SUPERVISOR)


@pytest_asyncio.fixture(loop_scope="module")
async def lan(shop: Running) -> Person:
    return await settled_person(shop)


def shown(person: Person, message: Json) -> str:
    """What a message says by now."""
    return next(one["text"] for one in person.inbox if one["message_id"] == message["message_id"])


async def solved(shop: Running, person: Person, minh: Member, text: str = "Ly bị vỡ rồi") -> int:
    """A case of theirs that was solved, with all that was said about it."""
    await say(shop, person, "/support")
    await say(shop, person, text)
    (ticket,) = await tickets_of(shop, (await customer_of(shop, person)).id)
    await shop.store.write(handling.resolve, ticket.id, minh)
    await quiet(shop)
    return ticket.id


async def later(shop: Running, clock: SetClock, by: timedelta) -> None:
    clock.advance(by)
    for rule in (loop.ask_due, asking.remind_due, planning.plan_due, planning.ask_due):
        await shop.store.write(rule)
    await quiet(shop)


async def test_a_complaint_is_acknowledged_and_asks_what_would_make_it_good(
    shop: Running, minh: tuple[Member, Person]
) -> None:
    anna = await settled_person(shop, first_name="Anna", last_name="", language_code="en")
    (answer,) = await say(shop, anna, "my cup arrived broken")
    assert answer.startswith("We are truly sorry, Anna. Your complaint #")
    asked = last_with_buttons(anna)
    assert labels(asked) == ["A replacement", "A refund", "Points or a voucher", "An explanation", "Something else"]
    await tap(shop, anna, "A refund", asked)
    assert shown(anna, asked).startswith("Noted: A refund.")
    (ticket,) = await tickets_of(shop, (await customer_of(shop, anna)).id)
    assert (await shop.store.read(complaints.get, ticket.id)).remedy == "refund"


async def test_the_check_in_closes_by_a_tap_and_opens_again_in_own_words(
    shop: Running, lan: Person, minh: tuple[Member, Person], clock: SetClock
) -> None:
    ticket = await solved(shop, lan, minh[0])
    await later(shop, clock, timedelta(days=4))
    asked = next(one for one in reversed(lan.inbox) if "Mấy hôm trước" in one.get("text", ""))
    assert labels(asked) == ["Ổn rồi", "Chưa ổn"]
    before = len(minh[1].texts)
    answer = await say(shop, lan, "vẫn chưa được shop ơi")
    assert "chỗ nào vẫn chưa ổn" in answer[-1]
    assert "mở lại" in minh[1].texts[before:][0]
    assert (await shop.store.read(tickets.get, ticket)).state == "open"
    await shop.store.write(handling.resolve, ticket, minh[0])
    await later(shop, clock, timedelta(days=4))
    asked = next(one for one in reversed(lan.inbox) if "Mấy hôm trước" in one.get("text", ""))
    await tap(shop, lan, "Ổn rồi", asked)
    assert (await shop.store.read(complaints.get, ticket)).outcome == Outcome.SATISFIED
    assert (await shop.store.read(tickets.get, ticket)).state != "open"


async def test_good_words_to_the_check_in_close_it_and_open_nothing(
    shop: Running, lan: Person, minh: tuple[Member, Person], clock: SetClock
) -> None:
    ticket = await solved(shop, lan, minh[0])
    await later(shop, clock, timedelta(days=4))
    answer = await say(shop, lan, "ok ổn rồi nha")
    assert "mừng" in answer[0]
    assert (await shop.store.read(complaints.get, ticket)).outcome == Outcome.SATISFIED
    assert (await shop.store.read(tickets.get, ticket)).state == "resolved"


async def test_a_rating_is_asked_for_once_more_and_taken_in_words(
    shop: Running, lan: Person, minh: tuple[Member, Person], clock: SetClock
) -> None:
    ticket = await solved(shop, lan, minh[0], "cho mình hỏi giờ mở cửa")
    before = len(lan.texts)
    await later(shop, clock, timedelta(days=1))
    (reminder,) = lan.texts[before:]
    assert f"#{ticket}" in reminder
    await later(shop, clock, timedelta(days=1))
    assert len(lan.texts) == before + 1
    staff_before = len(minh[1].texts)
    (answer,) = await say(shop, lan, "5 sao nha")
    assert answer.startswith("5 ★")
    await say(shop, lan, "Bạn Minh nhiệt tình lắm")
    rating = await shop.store.read(ratings.of, ticket)
    assert rating is not None
    assert (rating.stars, rating.comment) == (5, "Bạn Minh nhiệt tình lắm")
    (praise,) = minh[1].texts[staff_before:]
    assert "lời khen" in praise
    assert "nhiệt tình" in praise


async def test_thanks_said_to_the_shop_reach_who_helped_once(
    shop: Running, lan: Person, minh: tuple[Member, Person]
) -> None:
    ticket = await solved(shop, lan, minh[0], "cho mình hỏi giờ mở cửa")
    before = len(minh[1].texts)
    for _ in range(2):
        await say(shop, lan, "cảm ơn shop nhiều nhé")
    assert len(minh[1].texts) == before + 1
    found = await shop.store.read(compliments.of_shop, shop.shop_id, NOON)
    assert [one.source for one in found if one.ticket_id == ticket] == ["words"]


async def test_a_low_rating_brings_a_supervisor(
    shop: Running, lan: Person, minh: tuple[Member, Person], sup: tuple[Member, Person], clock: SetClock
) -> None:
    ticket = await solved(shop, lan, minh[0], "cho mình hỏi giờ mở cửa")
    before = len(sup[1].texts)
    await tap(shop, lan, "1 ★")
    case = await shop.store.read(recovery.of_ticket, ticket)
    assert case is not None
    assert any(f"#{case.ticket_id}" in text and "vui trở lại" in text for text in sup[1].texts[before:])
    await say(shop, lan, "trả lời cộc lốc")
    rating = await shop.store.read(ratings.of, ticket)
    assert rating is not None
    assert rating.comment == "trả lời cộc lốc"
    await later(shop, clock, timedelta(minutes=5))
    assert "Người phụ trách" in lan.texts[-1]


async def test_goodwill_above_the_limit_is_approved_in_the_chat_once(
    shop: Running, lan: Person, minh: tuple[Member, Person], sup: tuple[Member, Person]
) -> None:
    _, boss = await colleague(shop, "Bà chủ", Role.OWNER)
    await say(shop, lan, "ly bị vỡ rồi")
    customer = (await customer_of(shop, lan)).id
    (ticket,) = await tickets_of(shop, customer)
    await shop.store.write(goodwill.give, "key", ticket.id, minh[0], amount=5_000, reason="Ly vỡ hai lần")
    await quiet(shop)
    one, two = last_with_buttons(sup[1]), last_with_buttons(boss)
    assert labels(one) == ["Duyệt", "Từ chối", "Mở bàn hỗ trợ"]
    assert "5.000 điểm" in one["text"]
    assert "100.000 ₫" in one["text"].replace("\N{NO-BREAK SPACE}", " ")
    await tap(shop, sup[1], "Duyệt", one)
    await tap(shop, boss, "Từ chối", two)
    assert (await shop.store.read(points.balances, customer))[0] == 5_000
    assert shown(sup[1], one).endswith("✅ Đã duyệt.")
    assert shown(boss, two).endswith("Đã có người quyết định rồi.")
    assert any("+5.000 điểm" in text for text in lan.texts)


async def test_nps_and_effort_are_asked_when_the_shop_wants_to_know(
    shop: Running, lan: Person, minh: tuple[Member, Person], clock: SetClock
) -> None:
    await shop.store.write(terms.change, shop.shop_id, Terms(nps_days=90, effort=True), "staff:1")
    customer = (await customer_of(shop, lan)).id
    await put_order(shop, "N-1", 50_000, customer_id=customer)
    await quiet(shop)
    await later(shop, clock, timedelta())
    before = len(lan.texts)
    await later(shop, clock, timedelta(days=1))
    assert "giới thiệu" in lan.texts[before:][0]
    assert labels(last_with_buttons(lan)) == ["6", "7", "8", "9", "10", "0", "1", "2", "3", "4", "5"]
    (answer,) = await say(shop, lan, "9/10 nha")
    assert answer.startswith("9/10, cảm ơn bạn nhiều lắm")
    await say(shop, lan, "Cà phê ngon, quán đẹp")
    (found,) = await shop.store.read(surveys.of_customer, customer)
    assert (found.score, found.comment) == (9, "Cà phê ngon, quán đẹp")
    # Not again within the days.
    await put_order(shop, "N-2", 50_000, customer_id=customer)
    await quiet(shop)
    await later(shop, clock, timedelta())
    await later(shop, clock, timedelta(days=2))
    assert len(await shop.store.read(surveys.of_customer, customer)) == 1
    # After a rating: how easy it was.
    await solved(shop, lan, minh[0], "cho mình hỏi giờ mở cửa")
    await tap(shop, lan, "4 ★")
    asked = last_with_buttons(lan)
    assert labels(asked) == ["Rất dễ", "Dễ", "Tạm được", "Khó", "Rất khó"]
    await tap(shop, lan, "Dễ", asked)
    assert (await shop.store.read(surveys.of_customer, customer))[-1].score == 4
    await shop.store.write(terms.change, shop.shop_id, Terms(), "staff:1")


async def test_an_order_is_asked_about_once_and_a_no_is_a_complaint_with_the_order_in_it(
    shop: Running, lan: Person, clock: SetClock
) -> None:
    await shop.store.write(terms.change, shop.shop_id, Terms(order_days=30, order_hours=5), "staff:1")
    mai, hue = await settled_person(shop, first_name="Mai"), await settled_person(shop, first_name="Huệ")
    buyers = [(await customer_of(shop, one)).id for one in (lan, mai, hue)]
    tea = OrderInput(
        total=84_000, currency="VND", placed_at=clock.now(), status=Status.COMPLETED, customer_id=buyers[0],
        items=[{"name": "Trà sen", "quantity": 2}],
    )  # fmt: skip
    await shop.store.write(orders.put, shop.shop_id, "HD-7", tea)
    await put_order(shop, "HD-8", 50_000, customer_id=buyers[1])
    # What comes from a file, and who wants no such messages, are left in peace.
    old = replace(tea, customer_id=buyers[2])
    await shop.store.write(partial(orders.put, source=orders.IMPORT, quiet=True), shop.shop_id, "HD-1", old)
    await shop.store.write(orders.put, shop.shop_id, "HD-1", replace(old, total=85_000))
    await shop.store.write(partial(consents.record, agreed=False, proof={}), buyers[1], Purpose.CARE)
    await quiet(shop)
    await later(shop, clock, timedelta())
    await later(shop, clock, timedelta(hours=4, minutes=59))
    assert not any("Chạm một cái là được" in text for text in lan.texts)
    await later(shop, clock, timedelta(minutes=1))
    assert not any("Chạm một cái là được" in text for one in (mai, hue) for text in one.texts)
    asked = last_with_buttons(lan)
    assert "đơn HD-7 ở" in asked["text"]
    assert labels(asked) == ["👍 Ổn cả", "👎 Chưa ổn"]
    await tap(shop, lan, "👎 Chưa ổn", asked)
    assert shown(lan, asked).startswith("👎 Mình xin lỗi")
    (ticket,) = await tickets_of(shop, buyers[0])
    assert (ticket.topic, ticket.severity, ticket.subject) == ("complaint", 4, "👎 HD-7")
    assert any(f"#{ticket.id}" in text for text in lan.texts)
    (question,) = await shop.store.read(surveys.of_customer, buyers[0])
    with pytest.raises(surveys.AnsweredError):
        await shop.store.write(partial(order_answers.answer, good=True), question.id, buyers[0])
    boss = (await colleague(shop, "Thu", Role.OWNER))[0]
    lines = await shop.store.read(thread.page, ticket.id, boss)
    (about,) = [one.data for one in lines if isinstance(one, thread.Happened) and one.kind == "order_wrong"]
    assert (about["order"], about["total"], about["items"]) == ("HD-7", 84_000, ["2 × Trà sen"])
    card = await shop.store.read(forum_words.card, words("vi"), ticket)
    day = words("vi").day(tea.placed_at.astimezone(ZoneInfo("Asia/Ho_Chi_Minh")).date())
    assert f"“👎 HD-7”\nĐơn HD-7: 84.000\xa0₫ · {day} · 2 × Trà sen\n" in card
    await say(shop, lan, "trà bị đổ hết")
    assert (await shop.store.read(tickets.get, ticket.id)).preview["text"] == "trà bị đổ hết"
    # At most once in the days; and a yes in one's own words is one too.
    await shop.store.write(handling.resolve, ticket.id, boss)
    await put_order(shop, "HD-9", 50_000, customer_id=buyers[0])
    await put_order(shop, "HD-10", 50_000, customer_id=buyers[2])
    await quiet(shop)
    await later(shop, clock, timedelta())
    await later(shop, clock, timedelta(hours=16))
    assert len(await shop.store.read(surveys.of_customer, buyers[0])) == 1
    (answer,) = await say(shop, hue, "ok ổn nha shop")
    assert answer.startswith("👍 Vui quá, cảm ơn bạn Huệ")
    (found,) = await shop.store.read(surveys.of_customer, buyers[2])
    assert (found.kind, found.score) == ("order", 1)
    await shop.store.write(terms.change, shop.shop_id, Terms(), "staff:1")


async def test_after_a_delivery_when_the_shop_counts_from_there(shop: Running, lan: Person, clock: SetClock) -> None:
    counted = Terms(order_days=1, order_hours=2, order_after=terms.DELIVERED)
    await shop.store.write(terms.change, shop.shop_id, counted, "staff:1")
    bought = await put_order(shop, "GH-1", 50_000, customer_id=(await customer_of(shop, lan)).id)
    await later(shop, clock, timedelta())
    await later(shop, clock, timedelta(days=2))
    assert not any("Chạm một cái" in text for text in lan.texts)
    for _ in range(2):
        await shop.store.write(arrivals.report, bought.id, clock.now())
    await later(shop, clock, timedelta())
    await later(shop, clock, timedelta(days=1))
    assert sum("đơn GH-1 ở" in text and "Chạm một cái" in text for text in lan.texts) == 1
    await shop.store.write(terms.change, shop.shop_id, Terms(), "staff:1")
