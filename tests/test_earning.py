"""Earning plans: rules as data in versions, the best multiplier wins, and refunds to the line in whatever number and order."""

import asyncio
import shutil
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text, update
from sqlalchemy.exc import DBAPIError

from loyalty import programme
from loyalty.customers import customers
from loyalty.orders import earning, earning_rules, order_lines, orders
from loyalty.orders.earning_rules import Basket, Context, Multiplier, Rules, Who
from loyalty.orders.orders import OrderInput, Status
from loyalty.points import ledger, points, proof
from loyalty.tiers import tiers
from store import shops
from store.clock import SetClock
from store.engine import Store, open_store
from store.errors import InvalidError

ZONE = "Asia/Ho_Chi_Minh"
LAN = "+84903123456"
AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
"""A Friday, 15:30 at the shop."""
PLAIN: dict[str, Any] = {"earn_per": 1_000, "tier_per": 20_000}


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone=ZONE, language="vi")


def order(total: int, **values: Any) -> OrderInput:
    base = OrderInput(total=total, currency="VND", placed_at=AT, status=Status.COMPLETED, phone=LAN)
    return replace(base, **values)


def plan(*multipliers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return PLAIN | {"multipliers": list(multipliers)} | more


# ── The document ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"earn_per": 0, "tier_per": 1}, "earn_per"),
        ({"earn_per": True, "tier_per": 1}, "earn_per"),
        ({"earn_per": 1}, "tier_per"),
        (PLAIN | {"on": "profit"}, "on"),
        (PLAIN | {"speed": 3}, "speed"),
        (plan({"name": "", "percent": 200}), "multipliers.0.name"),
        (plan({"name": "x", "percent": 200}, {"name": "y", "percent": 1_001}), "multipliers.1.percent"),
        (plan({"name": "x", "percent": 200, "weekdays": [8]}), "multipliers.0.weekdays"),
        (plan({"name": "x", "percent": 200, "hours": ["14:00"]}), "multipliers.0.hours"),
        (plan({"name": "x", "percent": 200, "hours": ["14:00", "25:00"]}), "multipliers.0.hours"),
        (plan({"name": "x", "percent": 200, "items": "phở"}), "multipliers.0.items"),
        (plan({"name": "x", "percent": 200, "first_day": "31/12"}), "multipliers.0.first_day"),
        (plan({"name": "x", "percent": 2, "first_day": "2026-12-31", "last_day": "2026-12-01"}), "multipliers.0.last_day"),
        (PLAIN | {"bonuses": {"join": -1}}, "bonuses.join"),
        (PLAIN | {"bonuses": {"streak": 5, "streak_visits": 9, "streak_days": 7}}, "bonuses.streak_visits"),
        (PLAIN | {"bonuses": {"name_day": 5}}, "bonuses.name_day"),
    ],
)  # fmt: skip
def test_a_document_that_cannot_be_right_names_its_field(document: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidError) as refused:
        earning_rules.checked(document)
    assert refused.value.field == field


def test_a_document_comes_back_as_it_was() -> None:
    document = plan(
        {"name": "Giờ vàng", "percent": 200, "weekdays": [5], "hours": ["14:00", "16:00"]}, on="listed",
        bonuses={"join": 10, "profile": 0, "birthday": 50, "review": 0, "streak": 0, "streak_visits": 5,
                 "streak_days": 30},
    )  # fmt: skip
    assert earning_rules.document_of(earning_rules.checked(document)) == document


# ── The best multiplier wins ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("rule", "who", "holds"),
    [
        ({"weekdays": [5]}, Who(), True),
        ({"weekdays": [4, 6]}, Who(), False),
        ({"hours": ["15:30", "16:00"]}, Who(), True),
        ({"hours": ["15:00", "15:30"]}, Who(), False),
        ({"hours": ["22:00", "16:00"]}, Who(), True),
        ({"hours": ["22:00", "07:00"]}, Who(), False),
        ({"orders": [1, 2]}, Who(ordinal=2), True),
        ({"orders": [1, 2]}, Who(ordinal=3), False),
        ({"orders": [1]}, Who(), False),
        ({"tiers": [3]}, Who(tier_id=3), True),
        ({"tiers": [3]}, Who(tier_id=4), False),
        ({"shops": [7]}, Who(), True),
        ({"shops": [8]}, Who(), False),
        ({"first_day": "2026-11-20", "last_day": "2026-11-20"}, Who(), True),
        ({"last_day": "2026-11-19"}, Who(), False),
        ({"first_day": "2026-11-21"}, Who(), False),
    ],
)
def test_each_condition_holds_where_it_should(rule: dict[str, Any], who: Who, holds: bool) -> None:
    rules = earning_rules.checked(plan({"name": "x", "percent": 300, **rule}))
    found = earning_rules.context(rules, who, AT, ZONE, 7)
    assert earning_rules.gives(rules, found, Basket(10_000, 10_000, 0)).points == (30 if holds else 10)


COFFEE = {"name": "Cà phê sữa đá", "category": "Đồ uống", "price": 30_000, "quantity": 2}
CAKE = {"name": "Bánh flan", "sku": "BF1", "price": 40_000, "quantity": 1}


def test_per_line_the_best_wins_and_none_compounds() -> None:
    rules = earning_rules.checked(
        plan(
            {"name": "Đồ uống", "percent": 150, "categories": ["do uong"]},
            {"name": "Bánh", "percent": 300, "items": ["bf1"]},
            {"name": "Thứ sáu", "percent": 200, "weekdays": [5]},
        )
    )
    found = earning_rules.context(rules, Who(tier="Vàng", percent=120), AT, ZONE, 1)
    gives = earning_rules.gives(rules, found, Basket(110_000, 110_000, 0, [COFFEE, CAKE]))
    # 60.000 of drinks and 10.000 that nobody itemised by the weekday, 40.000 of cake by its own.
    assert gives.points == (70 * 2 + 40 * 3)
    assert gives.tier_points == 110_000 // 20_000
    assert dict(gives.matched) == {"Thứ sáu": 200, "Bánh": 300}


def test_nought_per_cent_shuts_out_and_one_division_ends_the_order() -> None:
    rules = earning_rules.checked(plan({"name": "Sữa bột", "percent": 0, "items": ["Bánh flan"]}))
    found = earning_rules.context(rules, Who(tier="Vàng", percent=150), AT, ZONE, 1)
    assert earning_rules.gives(rules, found, Basket(100_000, 100_000, 0, [COFFEE, CAKE])).points == 90
    assert earning_rules.gives(rules, found, Basket(1_333, 1_333, 0)).points == 1_333 * 150 // 100_000


def test_listed_counts_what_it_cost_before_vouchers_and_points() -> None:
    rules = earning_rules.checked(PLAIN | {"on": "listed"})
    assert earning_rules.gives(rules, Context(), Basket(50_000, 80_000, 0)).points == 80
    assert earning_rules.gives(rules, Context(), Basket(50_000, 80_000, 25_000)).points == 40
    assert earning_rules.gives(rules, Context(), Basket(0, 80_000, 0)).points == 80
    assert earning_rules.gives(rules, Context(), Basket(50_000, 80_000, 50_000), nothing_stays=True).points == 0


# ── Refunds to the line ─────────────────────────────────────────────────────────────────────────────

amounts = st.integers(0, 200_000)
lines = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["a", "b", "c"]), "price": amounts, "quantity": st.integers(0, 3)},
        optional={"refunded": amounts, "refunded_quantity": st.integers(0, 4), "paid": amounts},
    ),
    max_size=5,
)


@given(items=lines, total=amounts, extra=amounts, share=st.integers(0, 100))
def test_parts_add_up_to_what_was_paid_and_what_stays(
    items: list[dict[str, Any]], total: int, extra: int, share: int
) -> None:
    refunded = total * share // 100
    parts = order_lines.parts(items, total=total, listed=total + extra, refunded=refunded)
    assert sum(part.paid for part in parts) == total
    assert sum(part.stays for part in parts) == total - refunded
    assert sum(part.listed for part in parts) == total + extra
    assert all(0 <= part.stays <= part.paid for part in parts)


def test_a_refund_counts_on_the_line_that_went_back() -> None:
    rules = earning_rules.checked(plan({"name": "Bánh", "percent": 300, "items": ["Bánh flan"]}))
    found = earning_rules.context(rules, Who(), AT, ZONE, 1)
    whole = Basket(100_000, 100_000, 0, [COFFEE, CAKE])
    assert earning_rules.gives(rules, found, whole).points == 60 + 120
    back = replace(whole, refunded=40_000, items=[COFFEE, CAKE | {"refunded": 40_000}])
    assert earning_rules.gives(rules, found, back).points == 60
    half = replace(whole, refunded=30_000, items=[COFFEE | {"refunded_quantity": 1}, CAKE])
    assert earning_rules.gives(rules, found, half).points == 30 + 120
    # Nobody said which line: 50 % of each stays.
    assert earning_rules.gives(rules, found, replace(whole, refunded=50_000)).points == 30 + 60


@settings(max_examples=15, deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 90_000), st.integers(0, 2), st.booleans()), min_size=1, max_size=4))
def test_any_way_to_a_state_gives_the_same(sqlite_template: Path, steps: list[tuple[int, int, bool]]) -> None:
    """Refunds in any number and order, and beside them the last one alone."""

    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            copied = shutil.copy(sqlite_template, folder)
            store = open_store(f"sqlite+aiosqlite:///{copied}", SetClock(AT), strict=True)
            shop = await store.write(programme.open_shop, "Phố", timezone=ZONE, language="vi")
            await store.write(earning.save, shop, plan({"name": "Bánh", "percent": 250, "items": ["bf1"]}), "x")
            owners = []
            for number, taken in enumerate((steps, steps[-1:])):
                first = order(90_000, phone=f"+8490300000{number}", items=[COFFEE, CAKE])
                state = await store.write(orders.put, shop, f"A{number}", first)
                assert state.customer_id is not None
                for refunded, quantity, cancelled in taken:
                    status = Status.CANCELLED if cancelled else Status.COMPLETED
                    items = [COFFEE | {"refunded_quantity": quantity}, CAKE]
                    told = replace(first, refunded=refunded, status=status, items=items)
                    for _ in range(2):
                        state = await store.write(orders.put, shop, f"A{number}", told)
                assert state.customer_id is not None
                owners.append((await store.read(points.balances, state.customer_id), state.earned, state.reversed))
            assert owners[0] == owners[1]
            assert await store.read(proof.faults) == []
            await store.close()

    asyncio.run(run())


# ── Orders and versions ─────────────────────────────────────────────────────────────────────────────


async def test_a_saved_plan_is_never_changed_or_deleted(store: Store, shop: int) -> None:
    for statement in ("UPDATE earning_plans SET version = version + 1", "DELETE FROM earning_plans"):
        with pytest.raises(DBAPIError, match="append-only"):
            await store.write(lambda session, said=statement: session.execute(text(said)))
    assert (await store.read(earning.current, shop)).version == 1


async def test_an_order_keeps_the_version_and_what_matched(store: Store, shop: int) -> None:
    happy = {"name": "Giờ vàng", "percent": 200, "hours": ["14:00", "16:00"]}
    saved = await store.write(earning.save, shop, plan(happy), "staff:1")
    assert (saved.version, (await store.write(earning.save, shop, plan(happy), "staff:1")).version) == (2, 2)
    state = await store.write(orders.put, shop, "A1", order(85_000))
    await store.write(earning.save, shop, PLAIN | {"earn_per": 5_000}, "staff:1")
    state = await store.write(orders.put, shop, "A1", order(85_000, refunded=35_000))
    assert (state.earned, state.reversed) == (170, 70)
    kept = await store.read(orders.get, state.id)
    assert (kept.plan_id, kept.earn_per) == (saved.id, 1_000)
    assert kept.context is not None
    assert kept.context["matched"] == [["Giờ vàng", 200]]
    later = await store.write(orders.put, shop, "A2", order(85_000))
    assert later.earned == 17
    assert [one.version for one in await store.read(earning.history, shop)] == [3, 2, 1]


async def test_the_tiers_multiplier_is_a_candidate_and_stays_with_the_order(store: Store, shop: int) -> None:
    state = await store.write(orders.put, shop, "A0", order(1_000_000))
    assert state.customer_id is not None
    silver = (await store.read(customers.get, state.customer_id)).tier_id

    def grant(session: Any, percent: int) -> None:
        session.execute(update(tiers.tier_table).where(tiers.tier_table.c.id == silver).values(multiplier=percent))

    await store.write(grant, 130)
    first = await store.write(orders.put, shop, "A1", order(100_000))
    await store.write(grant, 500)
    again = await store.write(orders.put, shop, "A1", order(100_000, refunded=50_000))
    assert (first.earned, again.earned, again.reversed) == (130, 130, 65)


async def test_nobodys_order_earns_for_the_one_who_claims_it(store: Store, shop: int) -> None:
    from loyalty.customers import claims

    await store.write(earning.save, shop, plan({"name": "Đơn đầu", "percent": 200, "orders": [1]}), "staff:1")
    state = await store.write(orders.put, shop, "A1", order(50_000, phone=None))
    assert (state.earned, state.reversed) == (50, 0)
    lan = await store.write(customers.create, phone=LAN)
    assert state.claim_token is not None
    claimed = await store.write(claims.claim_order, lan, state.claim_token)
    assert claimed.points == 100
    assert await store.read(proof.faults) == []


async def test_a_preview_is_what_the_order_then_gives(store: Store, shop: int) -> None:
    rules = plan({"name": "Bánh", "percent": 300, "items": ["Bánh flan"]}, on="listed")
    sample = earning.Sample(90_000, 100_000, AT, items=[COFFEE, CAKE])
    shown = await store.read(earning.preview, shop, rules, sample)
    await store.write(earning.save, shop, rules, "staff:1")
    state = await store.write(orders.put, shop, "A1", order(90_000, listed=100_000, items=[COFFEE, CAKE]))
    assert shown.points == state.earned == 60 + 120
    assert dict(shown.matched) == {"Bánh": 300}


async def test_a_shop_of_before_there_were_plans_goes_on(store: Store) -> None:
    number = await store.write(shops.add, "Cũ", timezone=ZONE, language="vi")
    found = await store.read(earning.current, number)
    assert (found.id, found.rules) == (None, Rules())
    saved = await store.write(earning.save, number, PLAIN, "staff:1")
    assert saved.version == 1


def test_a_multiplier_reads_back() -> None:
    assert earning_rules.checked(plan({"name": " x ", "percent": 50})).multipliers == (Multiplier("x", 50),)


# ── Points that paid, and points already spent ──────────────────────────────────────────────────────


async def _paid_with_points(store: Store, shop: int) -> tuple[int, int]:
    """A customer who paid an order of 40.000 đ with 100 points more; their number and the order's."""
    state = await store.write(orders.put, shop, "A0", order(500_000))
    assert state.customer_id is not None
    bought = await store.write(orders.put, shop, "A1", order(40_000, status=Status.PENDING))
    await store.write(
        points.spend, "pay:1", "pay", customer_id=state.customer_id, shop_id=shop, points=100, order_id=bought.id
    )
    await store.write(orders.put, shop, "A1", order(40_000))
    return state.customer_id, bought.id


async def test_points_that_paid_come_back_in_proportion_to_their_lots(store: Store, shop: int) -> None:
    lan, _ = await _paid_with_points(store, shop)
    assert (await store.read(points.balances, lan))[0] == 500 - 100 + 40
    for refunded, back in (
        (10_000, 25),
        (10_000, 25),
        (30_000, 75),
        (20_000, 50),
        (40_000, 100),
        (0, 0),
        (40_000, 100),
    ):
        await store.write(orders.put, shop, "A1", order(40_000, refunded=refunded))
        assert (await store.read(points.balances, lan))[0] == 500 - 100 + back + (40_000 - refunded) // 1_000
        assert await store.read(proof.faults) == []
    await store.write(orders.put, shop, "A1", order(40_000, status=Status.CANCELLED))
    wallet = await store.read(points.wallet, lan, ZONE)
    assert [(part.points, str(part.on)) for part in wallet.expiring] == [(500, "2027-11-30")]


@pytest.mark.parametrize(("policy", "after"), [("allow_debt", -40), ("cap", 0)])
async def test_what_was_spent_already_is_owed_or_forgiven(store: Store, shop: int, policy: str, after: int) -> None:
    await store.write(programme.change, refund_policy=policy)
    state = await store.write(orders.put, shop, "A1", order(50_000))
    assert state.customer_id is not None
    await store.write(points.spend, "s1", "redeem", customer_id=state.customer_id, shop_id=shop, points=40)
    for _ in range(2):
        await store.write(orders.put, shop, "A1", order(50_000, status=Status.REFUNDED))
    assert (await store.read(points.balances, state.customer_id))[0] == after
    books = await store.read(ledger.balances, "shop", shop)
    assert books.get("forgiven", 0) == (-40 if policy == "cap" else 0)
    # Bought after all: what was forgiven is not given twice.
    await store.write(orders.put, shop, "A1", order(50_000))
    assert (await store.read(points.balances, state.customer_id))[0] == 10
    assert (await store.read(ledger.balances, "shop", shop)).get("forgiven", 0) == 0
    assert await store.read(proof.faults) == []
