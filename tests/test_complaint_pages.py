"""Complaints and satisfaction on the pages: at the desk and in the console, who may, what is refused, what the figures say."""

import random
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import pytest
import sqlalchemy as sa

from loyalty.customers import customers
from loyalty.points import points
from loyalty.vouchers import voucher_programs
from loyalty.vouchers.voucher_programs import Kind as Gives
from store import schema, shops, staff
from store.base import from_micros
from store.clock import SetClock
from store.staff import Role
from support import handling, messages, privacy, ratings, tickets
from support.complaints import complaints, goodwill, goodwill_book, loop, opening, terms
from support.complaints.goodwill_book import State
from support.feedback import compliments, results, surveys
from support.feedback import terms as feedback_terms
from tests.test_console import Console, console, database_url, second
from tests.test_desk import Desk, asks, desk

__all__ = ["console", "database_url", "desk"]
REASON = "Khách có gửi ảnh"


async def sent(desk: Desk, who: str, path: str, **form: str) -> tuple[int, Any]:
    return await desk.people[who].post(path, data=aiohttp.FormData(form))


async def complaint(desk: Desk, text: str = "Ly bị vỡ") -> int:
    ticket, _ = await asks(desk, text)
    await desk.store.write(opening.mark, ticket, await desk.store.read(staff.get, desk.people["minh"].id))
    return ticket


# ── The desk ────────────────────────────────────────────────────────────────────────────────────────


async def test_the_panel_shows_level_reasons_and_stages_and_changes_them(desk: Desk) -> None:
    ticket, _ = await asks(desk, "Ly bị vỡ")
    base = f"/desk/tickets/{ticket}/complaint"
    _, page, _ = await desk.people["minh"].get(base)
    assert page.strip() == b""
    assert (await sent(desk, "minh", base + "/mark"))[0] == 200
    _, page, _ = await desk.people["minh"].get(base)
    assert "“vỡ”" in page.decode()
    assert "S3" in page.decode()
    status, told = await sent(desk, "minh", base + "/level", level="1", reason="")
    assert (status, told["field"]) == (422, "reason")
    assert (await sent(desk, "minh", base + "/level", level="1", reason=REASON))[0] == 200
    assert (await sent(desk, "minh", base + "/remedy", remedy="refund"))[0] == 200
    assert (await sent(desk, "minh", base + "/cause", cause="Đóng gói"))[0] == 200
    found = await desk.store.read(complaints.get, ticket)
    assert (found.level, found.remedy, found.cause, found.set_reason) == (1, "refund", "Đóng gói", REASON)
    _, page, _ = await desk.people["minh"].get(base)
    assert REASON in page.decode()
    _, thread, _ = await desk.people["minh"].get(f"/desk/tickets/{ticket}")
    said = [line["words"] for line in thread["lines"] if "words" in line]
    assert f"Minh đổi mức khiếu nại từ S3 sang S1: {REASON}" in said
    assert thread["line"]["facts"]["level"] == 1
    for wrong in ({"way": "letter", "said": "good"}, {"way": "call", "said": "asked"}):
        assert (await sent(desk, "minh", base + "/tried", **wrong))[0] == 422
    assert (await sent(desk, "minh", base + "/tried", way="call", said="good"))[0] == 200
    status, told = await sent(desk, "minh", base + "/cause", cause="Khác")
    assert (status, told["code"]) == (409, "complaint_over")


async def test_goodwill_from_the_composer_is_given_once_and_shown_to_a_colleague(desk: Desk) -> None:
    ticket = await complaint(desk)
    path = f"/desk/tickets/{ticket}/goodwill/give"
    assert (await desk.people["minh"].get(path))[0] == 200
    form = {"key": "a-key-of-the-page", "points": "1.00", "reason": "Ly vỡ", "after": "0"}
    for _ in range(3):
        status, told = await sent(desk, "minh", path, **{**form, "points": "100"})
        assert status == 200, told
    status, told = await sent(desk, "hoa", path, **{**form, "key": "another-key-of-hers", "points": "50"})
    assert status == 409
    assert "Minh" in told["error"]
    (given,) = await desk.store.read(goodwill_book.of_ticket, ticket)
    assert (await desk.store.read(points.balances, given.customer_id))[0] == 100
    for wrong, field in (
        ({"points": "0"}, "points"),
        ({"points": "x"}, "points"),
        ({"points": "10", "reason": " "}, "reason"),
    ):
        status, told = await sent(
            desk, "minh", path, **{**form, "key": "third-key-of-his", "after": str(given.id), **wrong}
        )
        assert (status, told["field"]) == (422, field)
    assert (await sent(desk, "minh", f"/desk/goodwill/{given.id}/back"))[0] == 200
    assert (await desk.store.read(points.balances, given.customer_id))[0] == 0


async def test_above_the_limit_the_desk_asks_a_supervisor(desk: Desk) -> None:
    ticket = await complaint(desk)
    form = {"key": "a-key-of-the-page", "points": "5000", "reason": "Ly vỡ", "after": "0"}
    assert (await sent(desk, "minh", f"/desk/tickets/{ticket}/goodwill/give", **form))[0] == 200
    (asked,) = await desk.store.read(goodwill_book.of_ticket, ticket)
    assert asked.state == State.WAITING
    for who, allowed in (("minh", False), ("hoa", False), ("supervisor", True), ("boss", True)):
        _, page, _ = await desk.people[who].get(f"/desk/tickets/{ticket}/goodwill")
        assert (f"/desk/goodwill/{asked.id}/approve" in page.decode()) == allowed, who
    for who in ("minh", "hoa", "cashier"):
        assert (await sent(desk, who, f"/desk/goodwill/{asked.id}/approve"))[0] == 403
    assert (await sent(desk, "supervisor", f"/desk/goodwill/{asked.id}/approve"))[0] == 200
    assert (await sent(desk, "boss", f"/desk/goodwill/{asked.id}/refuse"))[0] == 409
    assert (await desk.store.read(goodwill_book.get, asked.id)).state == State.DONE


async def test_a_stranger_sees_and_does_nothing_at_another_shops_desk(desk: Desk) -> None:
    ticket = await complaint(desk)
    minh = await desk.store.read(staff.get, desk.people["minh"].id)
    given = await desk.store.write(goodwill.give, "k", ticket, minh, amount=10, reason="x")
    base = f"/desk/tickets/{ticket}"
    gets = ("/complaint", "/complaint/level", "/complaint/tried", "/complaint/unmark", "/goodwill", "/goodwill/give")
    posts = (
        *(f"{base}/complaint/{act}" for act in ("mark", "unmark", "level", "remedy", "cause", "tried")),
        f"{base}/goodwill/give", *(f"/desk/goodwill/{given.id}/{act}" for act in ("approve", "refuse", "back")),
    )  # fmt: skip
    form = {
        "reason": "x",
        "level": "2",
        "remedy": "refund",
        "cause": "x",
        "way": "call",
        "said": "good",
        "key": "12345678",
        "points": "5",
        "after": "0",
    }
    for who, status in (("stranger", 404), ("cashier", 403)):
        for path in gets:
            assert (await desk.people[who].get(base + path))[0] == status, (who, path)
        for path in posts:
            assert (await sent(desk, who, path, **form))[0] == status, (who, path)
    for path in posts:
        assert (await desk.people["minh"].post(path, csrf=False, data=aiohttp.FormData(form)))[0] == 403, path
    found = await desk.store.read(complaints.get, ticket)
    assert (found.level, found.remedy, found.cause, found.outcome) == (3, None, "", None)
    assert (await desk.store.read(goodwill_book.get, given.id)).state == State.DONE


# ── The console ─────────────────────────────────────────────────────────────────────────────────────

FORM = {
    "check_days": "5", "tries": "2", "repeat_days": "60", "recovery_stars": "1", "big_order": "1.000.000",
    "agent_case": "30.000", "agent_day": "", "supervisor_case": "100.000", "supervisor_day": "500.000",
    "manager_case": "", "manager_day": "", "causes": "Đóng gói\nGiao trễ\n",
}  # fmt: skip
PATHS = ("/shop/complaints", "/shop/complaints/terms", "/shop/feedback", "/shop/feedback?days=30")


async def test_limits_and_rules_are_set_by_who_runs_the_shop_alone(console: Console) -> None:
    for role in (Role.SUPERVISOR, Role.AGENT, Role.CASHIER):
        browser = await console.as_(role, console.shop)
        for path in PATHS:
            assert (await browser.get(path)).status == 403, (role, path)
        assert (await browser.post("/shop/complaints/terms", FORM)).status == 403
        assert (await browser.post("/shop/feedback/terms", {"effort": "yes"})).status == 403
    manager = await console.as_(Role.MANAGER, console.shop)
    for path in PATHS:
        assert (await manager.get(path)).status == 200, path
    page = await manager.post("/shop/complaints/terms", FORM | {"check_days": "9", "agent_case": "12,5"})
    assert page.status == 422
    assert page.error_at("agent_case")
    page = await manager.post("/shop/complaints/terms", FORM | {"check_days": "9"})
    assert page.error_at("check_days") == "Between 3 and 7."
    assert (await manager.post("/shop/complaints/terms", FORM)).status == 200
    found = await console.store.read(terms.of, console.shop)
    assert (found.check_days, found.tries, found.causes) == (5, 2, ("Đóng gói", "Giao trễ"))
    assert found.limits[Role.AGENT] == terms.Limit(30_000, None)
    assert len(await console.rows("complaint_terms")) == 1
    page = await manager.post("/shop/feedback/terms", {"nps_days": "7"})
    assert page.error_at("nps_days")
    form = {"effort": "yes", "order_days": "14", "order_after": "order_delivered"}
    page = await manager.post("/shop/feedback/terms", form | {"order_hours": "0"})
    assert page.error_at("order_hours") == "Between 1 and 720."
    await manager.post("/shop/feedback/terms", form | {"nps_days": "90", "order_hours": "3"})
    asked = feedback_terms.Terms(90, effort=True, order_days=14, order_hours=3, order_after="order_delivered")
    assert await console.store.read(feedback_terms.of, console.shop) == asked


async def test_goodwill_of_another_shop_is_not_decided_here(console: Console) -> None:
    other = await second(console)
    agent = await console.store.read(staff.get, await console.hire(Role.AGENT, other))
    lan = await console.store.write(customers.create, name="Lan", home_shop_id=other)
    joined = await console.store.write(tickets.open_or_join, lan, other, topic="complaint")
    await console.store.write(messages.customer_says, joined.ticket.id, text="Ly bị vỡ")
    asked = await console.store.write(goodwill.give, "k", joined.ticket.id, agent, amount=9_000, reason="x")
    here = await console.as_(Role.MANAGER, console.shop)
    assert (await here.post(f"/shop/complaints/goodwill/{asked.id}/approve")).status == 404
    assert f"#{joined.ticket.id}" not in (await here.get("/shop/complaints")).text
    owner = await console.as_(Role.OWNER)
    assert "1 gift to make good waits for your yes" in (await owner.get(f"/shop?shop={other}")).text
    page = await owner.get(f"/shop/complaints?shop={other}")
    assert "9,000 points" in page.text
    await owner.post(f"/shop/complaints/goodwill/{asked.id}/approve?shop={other}")
    assert (await console.store.read(goodwill_book.get, asked.id)).state == State.DONE


async def test_every_figure_equals_a_recount(console: Console, clock: SetClock) -> None:
    rng = random.Random(7)
    other = await second(console)
    store = console.store
    team = [await store.read(staff.get, await console.hire(Role.AGENT, None, name)) for name in ("An", "Bình")]
    for number in range(40):
        shop = rng.choice((console.shop, console.shop, other))
        lan = await store.write(customers.create, name=f"Khách {number}", home_shop_id=shop)
        joined = await store.write(tickets.open_or_join, lan, shop, topic=rng.choice(("order", "product")))
        await store.write(messages.customer_says, joined.ticket.id, text="Cho mình hỏi giờ mở cửa")
        who = rng.choice(team)
        await store.write(handling.claim, joined.ticket.id, who)
        await store.write(handling.resolve, joined.ticket.id, who)
        if rng.random() < 0.8:
            await store.write(
                ratings.rate, joined.ticket.id, lan, rng.randint(3, 5), rng.choice(("", "Tốt lắm", "Tạm"))
            )
        clock.advance(timedelta(hours=rng.randint(5, 60)))
    shop = await store.read(shops.get, console.shop)
    last = clock.now().astimezone(ZoneInfo(shop.timezone)).date()
    first = last - timedelta(days=29)
    found = await store.read(results.of, shop, [shop], first, last)
    rows = await store.read(
        lambda s: s.execute(sa.text(
            "SELECT r.ticket_id, r.stars, r.comment, r.at, t.topic, s.name FROM ratings r JOIN tickets t ON t.id = r.ticket_id "
            "JOIN staff s ON s.id = r.staff_id WHERE t.shop_id = 1"
        )).all()
    )  # fmt: skip

    def day(at: int) -> date:
        return from_micros(at).astimezone(ZoneInfo(shop.timezone)).date()

    own = [row for row in rows if first <= day(row.at) <= last]
    assert 5 < len(own) < len(rows)
    stars = [row.stars for row in own]
    assert (found.stars.count, found.stars.total) == (len(own), sum(stars))
    assert found.stars.tenths == int(10 * sum(stars) / len(stars) + 0.5)
    assert found.stars.satisfied == int(100 * sum(one >= 4 for one in stars) / len(stars) + 0.5)
    for name, taken, _ in found.by_agent:
        assert taken.total == sum(row.stars for row in own if row.name == name)
    assert {topic: taken.count for topic, taken in found.by_topic} == {
        topic: sum(row.topic == topic for row in own) for topic in {row.topic for row in own}
    }
    assert sum(week.good + week.low for week in found.weeks) == len(own)
    for week in found.weeks:
        inside = [row.stars for row in own if week.begins <= day(row.at) < week.begins + timedelta(days=7)]
        assert (week.good, week.low) == (sum(one >= 4 for one in inside), sum(one < 4 for one in inside))
    assert len(found.comments) == sum(bool(row.comment) for row in own)
    page = await (await console.as_(Role.OWNER)).get("/shop/feedback?days=30")
    assert f"{found.stars.satisfied}%" in page.text


def test_nps_is_promoters_less_detractors() -> None:
    for promoters, passives, detractors, score in (
        (3, 0, 0, 100),
        (0, 0, 2, -100),
        (2, 1, 1, 25),
        (1, 1, 1, 0),
        (1, 0, 2, -33),
    ):
        assert results.Nps(10, promoters, passives, detractors).score == score
    assert results.Nps(10, 0, 0, 0).score is None


# ── Being forgotten ─────────────────────────────────────────────────────────────────────────────────


async def test_a_customers_words_are_handed_over_and_forgotten(desk: Desk, clock: SetClock) -> None:
    secret = "Bánh Tân Hương"
    store, minh = desk.store, await desk.store.read(staff.get, desk.people["minh"].id)
    ticket = await complaint(desk, f"{secret} bị vỡ nát")
    lan = (await store.read(tickets.get, ticket)).customer_id
    offer = await store.write(voucher_programs.add, name="Ly mới", kind=Gives.AMOUNT, value=20_000, shop_id=desk.shop)
    await store.write(goodwill.give, "k", ticket, minh, program_id=offer.id, reason=f"vì {secret}")
    await store.write(handling.resolve, ticket, minh)
    await store.write(loop.tried, ticket, minh, "call", "nobody", f"hỏi về {secret}")
    await store.write(ratings.rate, ticket, lan, 5, f"{secret} ngon")
    await store.write(compliments.said_to_shop, lan, "cảm ơn shop")
    await store.write(feedback_terms.change, desk.shop, feedback_terms.Terms(effort=True), "x")
    number = await store.write(surveys.after_rating, await store.read(tickets.get, ticket))
    assert number is not None
    await store.write(surveys.answer, number, lan, 5)
    await store.write(surveys.comment, number, lan, f"mua {secret} dễ")
    told = await store.read(privacy.export, lan)
    assert told["tickets"][0]["complaint"]["level"] == 3
    assert told["tickets"][0]["rating"]["comment"] == f"{secret} ngon"
    assert told["surveys"] == [{"about": "effort", "score": 5, "comment": f"mua {secret} dễ"}]
    await store.write(privacy.erase, lan, "cli")

    def left(session: Any) -> list[str]:
        return [
            table.name for table in schema.metadata().sorted_tables
            for row in session.execute(sa.select(table)).all() if table.name != "audit" and secret in str(tuple(row))
        ]  # fmt: skip

    assert await store.read(left) == []
    assert await store.read(goodwill_book.check) == []
    _, page, _ = await desk.people["minh"].get(f"/desk/tickets/{ticket}")
    assert any("S3" in line.get("words", "") for line in page["lines"])
    assert (await desk.people["minh"].get(f"/desk/tickets/{ticket}/complaint"))[0] == 200


@pytest.mark.parametrize("path", ["/shop/complaints", "/shop/complaints/terms", "/shop/feedback"])
async def test_without_a_session_the_pages_lead_to_the_login(console: Console, path: str) -> None:
    async with aiohttp.ClientSession() as http, http.get(console.root + path, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"].split("?")[0]) == (302, "/login")
