"""Points in the console: wallet, approvals, settlement, the plan's editor; for whom they are, and what the audit says."""

import csv
from io import BytesIO, StringIO
from typing import Any

from python_calamine import CalamineWorkbook

from handlers.web.shop import plan_form
from handlers.words import words
from loyalty import programme, shifts
from loyalty.orders import earning, earning_rules, sales
from loyalty.points import adjustments, holds, ledger, points, wallets
from store import staff
from store.staff import Role
from tests.test_console import Console, console, second

__all__ = ["console"]
PLAN = {
    "earn_per": "2.000", "tier_per": "20.000", "on": "paid", "name_0": "Happy hour", "percent_0": "200", "day5_0": "on",
    "begins_0": "14:00", "ends_0": "16:00", "name_1": "Cakes", "percent_1": "150", "items_1": "Flan, BF1",
    "bonus_join": "20", "bonus_profile": "0", "bonus_birthday": "0", "bonus_review": "0", "bonus_streak": "0",
    "bonus_streak_visits": "5", "bonus_streak_days": "30",
}  # fmt: skip
COMMON = {
    "expiry_months": "0", "expiry_rule": "year", "refund_policy": "cap", "gift_points": "100", "gift_count": "2",
    "adjust_owner": "1.000.000.000", "adjust_manager": "50", "adjust_agent": "0", "adjust_cashier": "0",
    "second_approval": "on",
}  # fmt: skip


# ── The plan ────────────────────────────────────────────────────────────────────────────────────────


def test_rules_go_into_the_form_and_come_back_as_they_were() -> None:
    rules = earning_rules.checked(
        {
            "earn_per": 1_000, "tier_per": 20_000, "on": "listed", "bonuses": {"birthday": 50},
            "multipliers": [
                {"name": "Giờ vàng", "percent": 150, "weekdays": [1, 5], "hours": ["14:00", "16:30"], "tiers": [2]},
                {"name": "Bánh", "percent": 0, "items": ["BF1", "Flan"], "categories": ["Bánh"], "orders": [1, 2],
                 "shops": [1], "first_day": "2026-12-01", "last_day": "2026-12-31"},
            ],
        }
    )  # fmt: skip
    document, rows = plan_form.document(plan_form.filled(words("vi"), rules))
    assert (earning_rules.checked(document), rows) == (rules, [0, 1])


async def test_a_saved_plan_counts_from_the_next_order_and_is_audited(console: Console) -> None:
    assert (await console.order("A1")).earned == 85
    browser = await console.as_(Role.MANAGER, console.shop)
    assert "rule-name" not in (await browser.get("/shop/plan")).html
    page = await browser.post("/shop/plan", PLAN)
    assert "Saved" in page.text
    assert "rule-name" in page.html
    plan = await console.store.read(earning.current, console.shop)
    assert (plan.version, plan.rules.earn_per, plan.rules.bonuses.join) == (2, 2_000, 20)
    assert [one.name for one in plan.rules.multipliers] == ["Happy hour", "Cakes"]
    assert (await console.order("A1")).earned == 85
    (row,) = await console.rows("plan_changed")
    assert row.data["changed"]["earn_per"] == [1_000, 2_000]
    await browser.post("/shop/plan", PLAN)
    assert len(await console.rows("plan_changed")) == 1


async def test_what_is_wrong_is_said_at_its_field_and_nothing_is_saved(console: Console) -> None:
    browser = await console.as_(Role.OWNER)
    wrongs = (
        ({"earn_per": "0"}, "earn_per"), ({"tier_per": "abc"}, "tier_per"), ({"percent_0": "2.000"}, "percent_0"),
        ({"ends_0": ""}, "begins_0"), ({"name_1": ""}, "name_1"), ({"bonus_join": "-1"}, "bonus_join"),
        ({"bonus_streak": "5", "bonus_streak_visits": "31"}, "bonus_streak_visits"),
    )  # fmt: skip
    for wrong, field in wrongs:
        page = await browser.post("/shop/plan", PLAN | wrong)
        assert (page.status, bool(page.error_at(field))) == (422, True), wrong
    assert (await console.store.read(earning.current, console.shop)).version == 1


async def test_the_preview_shows_what_a_sample_order_would_give(console: Console) -> None:
    browser = await console.as_(Role.OWNER)
    await browser.get("/shop/plan")
    sample = {
        "sample_total": "90.000",
        "sample_items": "Flan 30.000; tea 20.000",
        "sample_day": "5",
        "sample_time": "15:00",
    }
    page = await browser.post("/shop/plan/preview", PLAN | sample)
    assert "₫90,000 → 90 points" in page.text
    assert "Happy hour ×2" in page.text
    page = await browser.post("/shop/plan/preview", PLAN | sample | {"sample_day": "6"})
    assert "₫90,000 → 52 points" in page.text
    assert "Cakes ×1.5" in page.text
    assert "can't be read" in (await browser.post("/shop/plan/preview", PLAN | {"earn_per": "x"})).text
    assert (await console.store.read(earning.current, console.shop)).version == 1


async def test_a_plan_for_all_shops_is_the_owners_of_all(console: Console) -> None:
    other = await second(console)
    manager = await console.as_(Role.MANAGER, console.shop)
    await manager.post("/shop/plan", PLAN | {"everywhere": "on"})
    assert (await console.store.read(earning.current, other)).version == 1
    owner = await console.as_(Role.OWNER)
    await owner.post(f"/shop/plan?shop={console.shop}", PLAN | {"everywhere": "on", "earn_per": "3.000"})
    assert (await console.store.read(earning.current, other)).rules.earn_per == 3_000


async def test_the_rules_of_points_are_the_owners_of_all_shops(console: Console) -> None:
    await second(console)
    half = await console.as_(Role.OWNER, console.shop)
    assert "/shop/plan/common" not in (await half.get("/shop/plan")).html
    assert (await half.post("/shop/plan/common", COMMON)).status == 403
    owner = await console.as_(Role.OWNER)
    await owner.post("/shop/plan/common", COMMON)
    found = await console.store.read(programme.get)
    assert (found.expiry_rule, found.refund_policy, found.adjust_manager, found.second_approval) == (
        "year",
        "cap",
        50,
        True,
    )
    page = await owner.post("/shop/plan/common", COMMON | {"gift_points": "-1"})
    assert page.error_at("gift_points")


# ── The wallet ──────────────────────────────────────────────────────────────────────────────────────


async def test_the_figures_are_what_the_books_say(console: Console) -> None:
    state = await console.order("A1", total=100_000)
    assert state.customer_id is not None
    more: dict[str, Any] = {"customer_id": state.customer_id, "shop_id": console.shop}
    await console.store.write(points.spend, "s", "pay", points=30, **more)
    await console.order("A1", total=100_000, refunded=20_000)
    sides = [await console.store.write(ledger.account, *which) for which in
             (("customer", state.customer_id, "available"), ("shop", console.shop, "redeemed"))]  # fmt: skip
    await console.store.write(holds.place, "h", kind="pay", source=sides[0], target=sides[1], amount=15)
    found = await console.store.read(wallets.figures, console.shop)
    assert (found.issued, found.taken_back, found.redeemed, found.expired, found.owed) == (100, 20, 30, 0, 50)
    assert found.left == found.funded - 100 + 20
    page = await (await console.as_(Role.MANAGER, console.shop)).get("/shop/points")
    for number in ("100", "20", "30", "50"):
        assert f">{number}<" in page.html or f"{number} of them" in page.text


async def test_topping_up_is_the_owners_posted_once_and_audited(console: Console) -> None:
    before = (await console.store.read(wallets.figures, console.shop)).funded
    form = {"key": "k", "points": "5.000", "reason": "Tết"}
    manager = await console.as_(Role.MANAGER, console.shop)
    await manager.get("/shop/points")
    assert (await manager.post("/shop/points/top-up", form)).status == 403
    owner = await console.as_(Role.OWNER, console.shop)
    for _ in range(2):
        await owner.post("/shop/points/top-up", form)
    assert (await owner.post("/shop/points/top-up", form | {"points": "0", "key": "other"})).error_at("points")
    assert (await owner.post("/shop/points/top-up", form | {"reason": " ", "key": "other"})).error_at("reason")
    assert (await console.store.read(wallets.figures, console.shop)).funded == before + 5_000
    (row,) = await console.rows("wallet_topped_up")
    assert row.data == {"points": 5_000, "reason": "Tết"}
    assert await console.store.read(ledger.check) == []


# ── A second person ─────────────────────────────────────────────────────────────────────────────────


async def test_above_the_limit_it_waits_on_the_page_for_somebody_else(console: Console) -> None:
    lan = (await console.order("A1")).customer_id
    owner = await console.as_(Role.OWNER)
    await owner.post("/shop/plan/common", COMMON)
    manager = await console.as_(Role.MANAGER, console.shop)
    adjust = {"points": "80", "reason": "Spilt coffee", "key": "one"}
    page = await manager.post(f"/shop/customers/{lan}/points", adjust)
    assert "second person" in page.text
    (asked,) = await console.store.read(adjustments.waiting, console.shop)
    # Today's list sends to the page who may say yes, and not who asked.
    assert "1 change of points waits" in (await owner.get("/shop")).text
    assert "change of points waits" not in (await manager.get("/shop")).text
    page = await manager.get("/shop/points")
    assert "Spilt coffee" in page.text
    assert f"/shop/points/{asked.id}/approve" not in page.html
    page = await manager.post(f"/shop/points/{asked.id}/approve")
    assert "second person" in page.text
    assert f"/shop/points/{asked.id}/approve" in (await owner.get("/shop/points")).html
    assert "Approved" in (await owner.post(f"/shop/points/{asked.id}/approve")).text
    assert "decided" in (await owner.post(f"/shop/points/{asked.id}/refuse")).text
    assert lan is not None
    assert (await console.store.read(points.balances, lan))[0] == 85 + 80
    # Who says no says why, and who asked finds it on the page.
    await manager.post(f"/shop/customers/{lan}/points", adjust | {"key": "two", "reason": "Once more"})
    (asked,) = await console.store.read(adjustments.waiting, console.shop)
    assert "why not" in (await owner.post(f"/shop/points/{asked.id}/refuse")).text
    assert len(await console.store.read(adjustments.waiting, console.shop)) == 1
    await owner.post(f"/shop/points/{asked.id}/refuse", {"refusal": "It was paid back in cash"})
    page = await manager.get("/shop/points")
    assert "“It was paid back in cash”" in page.text


async def test_another_shops_request_is_not_there(console: Console) -> None:
    other = await second(console)
    await console.store.write(programme.change, adjust_manager=50, second_approval=True)
    lan = (await console.order("A1")).customer_id
    assert lan is not None
    asker = await console.store.write(staff.add, "Hà", Role.MANAGER, console.shop)
    asked = await console.store.write(
        adjustments.ask, "k", staff_id=asker, shop_id=console.shop, customer_id=lan, points=80, reason="x"
    )
    stranger = await console.as_(Role.OWNER, other)
    assert (await stranger.post(f"/shop/points/{asked.id}/approve")).status == 404


async def test_without_second_approval_the_limit_is_said(console: Console) -> None:
    await console.store.write(programme.change, adjust_manager=50)
    lan = (await console.order("A1")).customer_id
    manager = await console.as_(Role.MANAGER, console.shop)
    page = await manager.post(f"/shop/customers/{lan}/points", {"points": "80", "reason": "x", "key": "one"})
    assert "up to 50 points" in page.error_at("points")


# ── The settlement ──────────────────────────────────────────────────────────────────────────────────


async def test_the_settlement_comes_as_table_csv_and_xlsx(console: Console) -> None:
    other = await second(console, "=Quán Hai")
    state = await console.order("A1", total=100_000)
    assert state.customer_id is not None
    await console.store.write(points.spend, "s", "pay", points=30, customer_id=state.customer_id, shop_id=other)
    owner = await console.as_(Role.OWNER)
    period = "from=2026-11-21&to=2026-11-21"
    page = (await owner.get(f"/shop/points?{period}&shop={console.shop}")).text.replace("\xa0", " ")
    for there in ("+100", "Who owes whom", "₫600"):
        assert there in page, there
    async with owner.http.get(f"{console.root}/shop/points/settlement.csv?{period}&shop={console.shop}") as response:
        rows = list(csv.reader(StringIO((await response.read()).decode("utf-8-sig"))))
    assert rows[1:] == [["Phố Cafe", "100", "0", "100"], ["'=Quán Hai", "0", "30", "-30"]]
    async with owner.http.get(f"{console.root}/shop/points/settlement.xlsx?{period}&shop={console.shop}") as response:
        book = CalamineWorkbook.from_filelike(BytesIO(await response.read()))
    assert book.get_sheet_by_index(0).to_python()[1:] == [
        ["Phố Cafe", 100.0, 0.0, 100.0],
        ["=Quán Hai", 0.0, 30.0, -30.0],
    ]
    assert book.get_sheet_by_name("Who owes whom").to_python()[1:] == [
        ["Phố Cafe", "=Quán Hai", 30.0, 0.0, 30.0, 600.0]
    ]
    manager = await console.as_(Role.MANAGER, console.shop)
    async with manager.http.get(f"{console.root}/shop/points/settlement.csv?{period}") as response:
        assert "Quán Hai" not in (await response.read()).decode("utf-8-sig")


# ── The till's closed shifts ────────────────────────────────────────────────────────────────────────


async def test_closed_shifts_show_what_the_drawer_lacked(console: Console) -> None:
    other = await second(console)
    cashier = await console.hire(Role.CASHIER, None, name="Chị Hoa")
    for shop_id, amount, counted in ((console.shop, 85_000, 80_000), (other, 43_000, 43_000)):
        sold = await console.store.write(
            sales.sell, shop_id=shop_id, staff_id=cashier, key=f"k{shop_id}", amount=amount, phone="0903123456"
        )
        assert isinstance(sold, sales.Sale)
        await console.store.write(shifts.close, shop_id, cashier, last_sale_id=sold.id, counted=counted)
    browser = await console.as_(Role.MANAGER, console.shop)
    assert 'href="/shop/shifts"' in (await browser.get("/shop")).html
    page = await browser.get("/shop/shifts?sort=difference.asc")
    for words_there in ("Chị Hoa", "1 shift", "85,000", "80,000", "−₫5,000", "0 / 85"):
        assert words_there in page.text.replace("\xa0", " "), words_there
    assert "43,000" not in page.text
    assert "<html" not in (await browser.get("/shop/shifts", **{"HX-Request": "true"})).html
