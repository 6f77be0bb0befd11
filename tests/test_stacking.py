"""What vouchers take off an order: never more than it, shared over its lines to the đồng, and the best of many together."""

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.vouchers import discounts, stacking, voucher_programs
from loyalty.vouchers.discounts import Basket, HoursError, ItemsError, Line
from loyalty.vouchers.stacking import Candidate
from loyalty.vouchers.voucher_limits import Room
from loyalty.vouchers.voucher_programs import Kind, MinOrderError, Program
from loyalty.vouchers.vouchers import Voucher
from store.errors import InvalidError

ZONE = "Asia/Ho_Chi_Minh"
MONDAY_NOON = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
MENU = ("trà", "cà phê", "bánh")


def program(number: int = 1, kind: Kind = Kind.AMOUNT, value: int = 20_000, **values: Any) -> Program:
    given = dict.fromkeys(
        ("shop_id", "cap", "stock", "per_customer", "price_points", "starts_at", "ends_at", "valid_days")
    )
    return Program(
        **given | {"id": number, "name": "x", "kind": kind.value, "value": value, "min_order": 0, "issued": 0,
                   "hidden": False, "offer_code": None} | values
    )  # fmt: skip


def candidate(number: int, offer: Program, room: Room | None = None) -> Candidate:
    voucher = Voucher(number, offer.id, f"C{number}", None, "open", MONDAY_NOON, None, None)
    return Candidate(voucher.code, voucher, offer, room or Room())


def off(offer: Program, order: Basket) -> list[int]:
    return discounts.takes(offer, order, order.amounts)


LINES = (
    Line(45_000, 2, "Trà đào", "TD", "trà"),
    Line(30_000, 1, "Cà phê sữa", "CF", "cà phê"),
    Line(25_000, 3, "Bánh mì", "BM", "bánh"),
)
ORDER = discounts.basket(200_000, LINES)


def test_an_offer_for_items_takes_only_from_their_lines() -> None:
    assert ORDER.amounts == [90_000, 30_000, 75_000, 5_000]
    assert off(program(kind=Kind.PERCENT, value=10, categories=["Trà"]), ORDER) == [9_000, 0, 0, 0]
    assert off(program(kind=Kind.PERCENT, value=10, items=["cf", "BANH MI"]), ORDER) == [0, 3_000, 7_500, 0]
    assert off(program(value=100_000, items=["CF"]), ORDER) == [0, 30_000, 0, 0]
    assert off(program(value=20_000), ORDER) == [9_000, 3_000, 7_500, 500]
    assert off(program(kind=Kind.PERCENT, value=50, cap=30_000, categories=["trà", "bánh"]), ORDER) == [
        16_363,
        0,
        13_637,
        0,
    ]
    assert off(program(kind=Kind.GIFT, value=50_000), ORDER) == [0, 0, 0, 0]


def test_a_free_item_is_its_price_as_often_as_is_said() -> None:
    assert off(program(kind=Kind.ITEM, items=["Trà đào"]), ORDER) == [45_000, 0, 0, 0]
    assert off(program(kind=Kind.ITEM, categories=["trà", "bánh"], times=4), ORDER) == [90_000, 0, 50_000, 0]
    assert off(program(kind=Kind.ITEM, categories=["bánh"], times=9), ORDER) == [0, 0, 75_000, 0]
    assert off(program(kind=Kind.ITEM, items=["Trà đào"], cap=40_000), ORDER) == [40_000, 0, 0, 0]
    assert off(program(kind=Kind.ITEM, items=["Trà đào"]), discounts.basket(60_000, [Line(60_000, vouched=True)])) == [
        60_000,
        0,
    ]


def test_lines_that_come_to_more_than_the_order_cannot_be() -> None:
    for lines in ([Line(60_000, 4)], [Line(-1)], [Line(1, 0)]):
        with pytest.raises(InvalidError):
            discounts.basket(200_000, lines)
    items = [
        {"name": "Trà", "price": 10_000, "quantity": 2},
        {"code": "B", "amount": 30_000},
        {"name": "?"},
        {"price": "x"},
    ]
    assert discounts.read(items) == [Line(10_000, 2, "Trà"), Line(30_000, 1, "", "B")]


def test_what_an_order_lacks_has_its_own_word() -> None:
    discounts.meets(program(min_order=200_000, categories=["trà"]), ORDER, MONDAY_NOON, ZONE)
    with pytest.raises(MinOrderError):
        discounts.meets(program(min_order=200_001), ORDER, MONDAY_NOON, ZONE)
    for order in (ORDER, Basket(200_000)):
        with pytest.raises(ItemsError):
            discounts.meets(program(categories=["kem"]), order, MONDAY_NOON, ZONE)
    with pytest.raises(HoursError):
        discounts.meets(program(weekdays=[2, 3]), ORDER, MONDAY_NOON, ZONE)


@pytest.mark.parametrize(
    ("at", "runs"),
    [("13:59", False), ("14:00", True), ("16:59", True), ("17:00", False)],
)
def test_hours_are_the_shops(at: str, runs: bool) -> None:
    local = datetime.fromisoformat(f"2026-11-23T{at}+07:00")
    happy = program(from_minute=14 * 60, until_minute=17 * 60, weekdays=[1])
    assert discounts.open_at(happy, local.astimezone(UTC), ZONE) is runs


@pytest.mark.parametrize(
    ("at", "runs"),
    [("2026-11-23T22:00", True), ("2026-11-24T01:59", True), ("2026-11-24T02:00", False), ("2026-11-23T01:00", False),
     ("2026-11-24T22:00", False)],
)  # fmt: skip
def test_hours_over_midnight_belong_to_the_day_they_began(at: str, runs: bool) -> None:
    night = program(from_minute=22 * 60, until_minute=2 * 60, weekdays=[1])
    assert discounts.open_at(night, datetime.fromisoformat(f"{at}+07:00"), ZONE) is runs


def test_free_items_then_per_cent_then_amounts() -> None:
    offers = [
        program(1, Kind.AMOUNT, 20_000), program(2, Kind.PERCENT, 10), program(3, Kind.ITEM, items=["CF"]),
        program(4, Kind.GIFT, 5_000),
    ]  # fmt: skip
    # 200.000 less the free coffee is 170.000; 10 % of that, then 20.000.
    assert discounts.stack(offers, ORDER)[0] == [20_000, 17_000, 30_000, 0]
    for turned in itertools.permutations(offers):
        assert sum(discounts.stack(turned, ORDER)[0]) == 67_000


def test_together_where_each_allows_the_other() -> None:
    everything, nothing = program(1), program(2, stacks="none")
    with_one, with_two = program(3, stacks="named", stacks_with=[1, 4]), program(4, stacks="named", stacks_with=[3])
    together = voucher_programs.together
    assert together(everything, everything)
    assert together(everything, with_one)
    assert together(with_one, with_two)
    assert not together(everything, nothing)
    assert not together(everything, with_two)
    assert not together(with_two, with_two)


def test_the_answer_says_why_a_voucher_is_not_in_it() -> None:
    big, alone = candidate(1, program(1, value=50_000)), candidate(2, program(2, value=40_000, stacks="none"))
    useless, gift = candidate(3, program(3, value=30_000, items=["CF"])), candidate(4, program(4, Kind.GIFT, 0))
    free = candidate(5, program(5, Kind.ITEM, items=["CF"]))
    found = stacking.best([big, alone, useless, gift, free], ORDER)
    assert [(use.code, use.discount) for use in found.uses] == [("C5", 30_000), ("C1", 50_000), ("C4", 0)]
    assert {one.code: one.reason for one in found.refused} == {"C2": "not_stackable", "C3": "no_gain"}
    assert (found.discount, found.exact) == (80_000, True)
    assert sum(found.lines) + found.rest == 80_000


def test_a_budget_is_enough_for_the_whole_answer() -> None:
    offer = program(1, value=20_000, budget=30_000)
    found = stacking.best([candidate(n, offer, Room(30_000, None)) for n in (1, 2)], ORDER)
    assert found.discount == 20_000


orders = st.builds(
    lambda lines, rest: discounts.basket(sum(line.price * line.quantity for line in lines) + rest, lines),
    st.lists(
        st.builds(Line, st.integers(0, 90_000), st.integers(1, 4), category=st.sampled_from(MENU)), max_size=4
    ),
    st.integers(0, 50_000),
)  # fmt: skip


@st.composite
def offers(draw: st.DrawFn, number: int) -> Program:
    kind = draw(st.sampled_from(list(Kind)))
    value = draw(st.integers(1, 100) if kind is Kind.PERCENT else st.integers(1, 150_000))
    categories = draw(st.none() | st.lists(st.sampled_from(MENU), min_size=1, max_size=2, unique=True))
    if kind is Kind.ITEM and categories is None:
        categories = ["trà"]
    stacks = draw(st.sampled_from(["all", "all", "none", "named"]))
    return program(
        number, kind, value, categories=categories, cap=draw(st.none() | st.integers(1, 40_000)), stacks=stacks,
        stacks_with=draw(st.lists(st.integers(1, 6), max_size=4)) if stacks == "named" else None,
        times=draw(st.none() | st.integers(1, 3)),
    )  # fmt: skip


@st.composite
def hands(draw: st.DrawFn, most: int = 6) -> list[Program]:
    return [draw(offers(number)) for number in range(1, draw(st.integers(1, most)) + 1)]


@given(orders, hands())
@settings(max_examples=150, deadline=None)
def test_never_more_than_the_order_and_the_sum_of_its_lines(order: Basket, hand: list[Program]) -> None:
    off, left = discounts.stack(hand, order)
    assert all(taken >= 0 for taken in off)
    assert all(0 <= rest <= amount for rest, amount in zip(left, order.amounts, strict=True))
    assert sum(off) == order.total - sum(left) <= order.total
    for offer, taken in zip(hand, off, strict=True):
        assert taken <= discounts.alone(offer, order)
        assert offer.cap is None or taken <= offer.cap


@given(orders, hands())
@settings(max_examples=150, deadline=None)
def test_the_best_combination_is_what_brute_force_finds(order: Basket, hand: list[Program]) -> None:
    rooms = {offer.id: Room(30_000 if offer.id % 3 == 0 else None, None) for offer in hand}
    cards = [candidate(offer.id, offer, rooms[offer.id]) for offer in hand]
    found = stacking.best(cards, order)
    best = 0
    for size in range(1, len(hand) + 1):
        for some in itertools.combinations(hand, size):
            if not all(voucher_programs.together(one, other) for one, other in itertools.combinations(some, 2)):
                continue
            off, _ = discounts.stack(some, order)
            within = all(
                rooms[offer.id].budget is None or voucher_programs.cost(offer, taken) <= rooms[offer.id].budget
                for offer, taken in zip(some, off, strict=True)
            )  # fmt: skip
            best = max(best, sum(off)) if within else best
    assert found.discount == best == sum(found.lines) + found.rest
    assert len(found.uses) + len(found.refused) == len(hand)
