"""Insights in the console: every part says what was counted, of a group too, and as a sheet; what can't be told is said so."""

import re
from datetime import timedelta
from io import BytesIO
from itertools import count
from typing import Any

import pytest
from python_calamine import CalamineWorkbook
from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from bot.foretelling import foretell
from loyalty import programme
from loyalty.customers.customers import customers
from loyalty.insights import scope
from loyalty.orders.orders import orders
from loyalty.outreach.segments import saved
from loyalty.outreach.segments.ready import READY
from loyalty.outreach.segments.saved import Policy
from store.clock import now
from store.engine import Store
from store.staff import Role
from support.reports import aftercare
from support.tickets import ticket_events, tickets
from tests.test_console import Browser, Console, console
from tests.test_insights_outlooks import put, shop_of
from tests.test_insights_programme import ZONE

__all__ = ["console"]
PARTS = ("customers", "programme", "habits", "service", "ahead")


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def figure(page: Any, name: str) -> str:
    """The number that stands under a name."""
    found = re.search(rf"<dt>{re.escape(name)}</dt><dd class=\"amount\">(.*?)</dd>", page.html)
    assert found, (name, page.text[:3000])
    return found[1]


async def sheets(browser: Browser, query: str) -> dict[str, list[list[Any]]]:
    async with browser.http.get(f"{browser.root}/shop/insights.xlsx?{query}") as response:
        assert response.status == 200
        book = CalamineWorkbook.from_filelike(BytesIO(await response.read()))
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


async def test_each_part_of_a_shop_of_a_year_of_a_group_and_as_a_sheet(console: Console) -> None:
    days = shop_of(60)
    numbers = await console.store.write(put, console.shop, days)
    await foretell(console.store, "here")
    leaving = await console.store.write(
        saved.add, console.shop, "Sắp rời", READY["leaving"], Policy(), "staff:1"
    )  # fmt: skip
    few = {
        "field": "spend_total",
        "op": ">=",
        "value": sorted(sum(paid for _, paid in one) for one in days.values())[-3],
    }
    rich = await console.store.write(saved.add, console.shop, "Ba người", few, Policy(), "staff:1")
    manager = await console.as_(Role.MANAGER)
    bought = [one for each in days.values() for one in each if one[0] <= 364]
    for part in PARTS:
        page = await manager.get(f"/shop/insights?part={part}&days=365")
        assert page.status == 200, part
        assert "{" not in page.text.split("Skip to the page")[1]
        if part == "customers":
            assert figure(page, "Orders") == f"{len(bought):,}"
            assert figure(page, "Revenue") == f"₫{sum(paid for _, paid in bought):,}"
            best = max(days.values(), key=lambda each: sum(paid for _, paid in each))
            assert f"₫{sum(paid for _, paid in best):,}" in page.text
        if part == "ahead":
            assert "Orders in the next 12 weeks" in page.text
            assert f"of {len(days)} customers of yesterday" in page.text
            assert re.search(r"Fitted, in weeks: r = \d+\.\d{3}, α = ", page.text)
        if part == "programme":
            assert "too few to say anything" in page.text
    of_three = await manager.get(f"/shop/insights?days=365&segment={rich.id}")
    top = sorted(days.values(), key=lambda each: sum(paid for _, paid in each))[-3:]
    assert figure(of_three, "Orders") == f"{sum(len(each) for each in top):,}"
    assert "Of the people who are in the group “Ba người” today." in of_three.text
    assert (await manager.get(f"/shop/insights?part=ahead&segment={leaving.id}")).status == 200
    book = await sheets(manager, f"days=365&segment={rich.id}")
    found = {row[1]: row[2] for row in book["Figures"]}
    assert found["Orders"] == sum(len(each) for each in top)
    assert ["Group of customers", "Ba người"] in [row[:2] for row in book["Figures"]]
    best_sheet = next(rows for name, rows in book.items() if name.startswith("1 "))
    assert [row[2] for row in best_sheet[1:]] == sorted((sum(paid for _, paid in each) for each in top), reverse=True)
    for part in PARTS:
        assert (await sheets(manager, f"part={part}&days=365"))["Figures"]
    assert len(numbers) == 60


async def test_days_are_those_asked_for_and_what_cant_be_is_the_last_ninety(console: Console) -> None:
    await console.store.write(put, console.shop, {0: [(0, 10_000), (40, 20_000), (100, 40_000)]})
    manager = await console.as_(Role.MANAGER)
    for query, revenue in (
        ("", 30_000), ("days=30", 10_000), ("days=31", 30_000), ("from=2026-08-01&to=2026-08-31", 40_000),
        ("from=2026-10-12&to=2026-10-12", 20_000), ("from=2026-08-31&to=2026-08-01", 30_000), ("from=x&to=2026-08-31", 30_000),
        ("from=2020-01-01&to=2026-11-21", 30_000),
    ):  # fmt: skip
        assert figure(await manager.get(f"/shop/insights?{query}"), "Revenue") == f"₫{revenue:,}", query


async def test_an_empty_shop_says_so_and_another_shops_group_is_nobodys(console: Console) -> None:
    other = await console.store.write(programme.open_shop, "Quán Hai", timezone="Asia/Ho_Chi_Minh", language="vi")
    theirs = await console.store.write(saved.add, other, "Của họ", {"all": []}, Policy(), "staff:1")
    manager = await console.as_(Role.MANAGER, console.shop)
    for part in PARTS:
        page = await manager.get(f"/shop/insights?part={part}")
        assert page.status == 200, part
        assert await sheets(manager, f"part={part}")
    assert "Too little to learn from yet" in page.text
    for path in ("/shop/insights", "/shop/insights.xlsx"):
        for group in (theirs.id, "x", 10**14):
            assert (await manager.get(f"{path}?segment={group}")).status == 404


async def test_an_owner_switches_the_weekly_digest(console: Console) -> None:
    manager, owner = await console.as_(Role.MANAGER, console.shop), await console.as_(Role.OWNER, console.shop)
    assert "The week in your chat" not in (await manager.get("/shop/insights")).text
    assert "Send it no more" in (await owner.get("/shop/insights")).text
    for on, said in (("", "Send it to me"), ("1", "Send it no more")):
        page = await owner.post("/shop/insights/digest", {"on": on})
        assert (page.status, page.path) == (200, "/shop/insights")
        assert said in page.text


async def test_whether_one_answer_brings_people_back(store: Store) -> None:
    """Six cases: with one answer and back within 30 days, not back, back too late, solved 10 days ago; two with more answers."""
    from support import messages

    shop = await store.write(programme.open_shop, "Phố Cafe", timezone=ZONE.key, language="vi")
    numbers = count(1)

    def case(session: Session, solved: int, answers: int, back: int | None, reopened: bool = False) -> None:
        moment, number = now(session), next(numbers)
        who = session.execute(
            insert(customers)
            .values(name="K", code=f"K{number}", home_shop_id=shop, joined_at=moment)
            .returning(customers.c.id)
        ).scalar_one()
        at = moment - timedelta(days=solved)
        session.execute(insert(tickets).values(
            id=number, shop_id=shop, customer_id=who, subject="x", topic="other", state="resolved", priority="normal",
            created_at=at - timedelta(hours=2), updated_at=at, first_response_at=at, resolved_at=at, last_seq=1, changed=number,
            preview={}, folded="",
        ))  # fmt: skip
        turns = ["resolved", "reopened", "resolved"] if reopened else ["resolved"]
        for seq, kind in enumerate(turns, start=1):
            session.execute(insert(ticket_events).values(
                ticket_id=number, seq=seq, changed=seq, at=at + timedelta(minutes=seq - 1), kind=kind, data={}
            ))  # fmt: skip
        for seq in range(2 * answers):
            session.execute(insert(messages.ticket_messages).values(
                ticket_id=number, seq=seq + 1, changed=seq, who="agent" if seq % 2 else "customer", text="x", folded="x", history=[], calls={},
                at=at - timedelta(hours=1),
            ))  # fmt: skip
        if back is not None:
            placed = at + timedelta(days=back)
            session.execute(insert(orders).values(
                shop_id=shop, external_id=f"B{number}", customer_id=who, total=1_000, refunded=0, currency="VND",
                status="completed", items=[], source="till", placed_at=placed, changed_at=placed, version=1, earned=0,
                standing=0, standing_tier=0, counted=1_000,
            ))  # fmt: skip

    for told in ((60, 1, 5), (61, 1, None), (62, 1, 31), (10, 1, 2), (50, 3, 29), (55, 1, None, True)):
        await store.write(case, *told)
    last = store.clock.now().astimezone(ZONE).date()
    these = await store.read(scope.of, shop, last - timedelta(days=89), last)
    found = await store.read(aftercare.of, these)
    assert (found.first.cases, found.first.back.part, found.first.back.whole) == (4, 1, 3)
    assert (found.more.cases, found.more.back.part, found.more.back.whole) == (2, 1, 2)
    await store.write(lambda session: session.execute(update(tickets).values(merged_into=1)))
    assert (await store.read(aftercare.of, these)).first.cases == 0
