"""Holds: what is set aside counts against the balance, ends once, and what comes back goes to the lots it came from."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.customers import claims, customers
from loyalty.points import holds, ledger, points, proof
from loyalty.points.drafts import Draft, post_many
from loyalty.points.holds import HoldEndedError
from loyalty.points.ledger import KeyConflictError, UncoveredError
from store.clock import SetClock
from store.engine import Store
from store.errors import InvalidError

ZONE = "Asia/Ho_Chi_Minh"
MARCH = datetime(2027, 3, 1, tzinfo=UTC)
MAY = datetime(2027, 5, 1, tzinfo=UTC)


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone=ZONE, language="vi")


@pytest.fixture
async def lan(store: Store, shop: int) -> int:
    """A customer with 30 points until March and 70 until May."""
    number, _ = await store.write(
        customers.find_or_create, "+84903123456", name="Lan", language="vi", home_shop_id=shop
    )
    for key, amount, until in (("m", 30, MARCH), ("y", 70, MAY)):
        await store.write(points.earn, key, "earn", customer_id=number, shop_id=shop, points=amount, expires_at=until)
    return number


@pytest.fixture
async def sides(store: Store, shop: int, lan: int) -> tuple[int, int]:
    """Lan's available account, and the shop's where spent points go."""
    return (
        await store.write(ledger.account, "customer", lan, "available"),
        await store.write(ledger.account, "shop", shop, "redeemed"),
    )


async def place(store: Store, sides: tuple[int, int], amount: int, key: str = "k", **more: object) -> holds.Hold:
    return await store.write(holds.place, key, kind="pay", source=sides[0], target=sides[1], amount=amount, **more)  # type: ignore[arg-type]


def corrupt(session: Session, hold_id: int, values: dict[str, object]) -> None:
    session.execute(update(holds.holds).where(holds.holds.c.id == hold_id).values(**values))


async def expiring(store: Store, customer_id: int) -> list[int]:
    return [part.points for part in (await store.read(points.wallet, customer_id, ZONE)).expiring]


async def test_a_part_is_posted_and_the_rest_goes_back_to_the_last_lot(
    store: Store, sides: tuple[int, int], lan: int
) -> None:
    hold = await place(store, sides, 50)
    assert (await store.read(points.balances, lan))[0] == 50
    assert await expiring(store, lan) == [50]
    assert await store.read(holds.open_of, lan) == 50
    posted = await store.write(holds.post, hold.id, 35)
    assert (posted.state, posted.posted) == ("posted", 35)
    assert await store.write(holds.post, hold.id, 35) == posted
    assert await expiring(store, lan) == [65]
    assert await store.read(ledger.balance, sides[1]) == 35
    assert await store.read(proof.faults) == []
    for other in (34, 36):
        with pytest.raises(HoldEndedError):
            await store.write(holds.post, hold.id, other)
    with pytest.raises(HoldEndedError):
        await store.write(holds.void, hold.id)


async def test_a_voided_hold_leaves_the_lots_as_they_were(store: Store, sides: tuple[int, int], lan: int) -> None:
    hold = await place(store, sides, 50)
    await store.write(holds.void, hold.id)
    assert (await store.write(holds.void, hold.id)).state == "voided"
    assert await expiring(store, lan) == [30, 70]
    assert await store.read(proof.faults) == []
    with pytest.raises(HoldEndedError):
        await store.write(holds.post, hold.id)


async def test_a_hold_lapses_by_the_clock_and_by_being_late(
    store: Store, sides: tuple[int, int], lan: int, clock: SetClock
) -> None:
    until = clock.now() + timedelta(minutes=15)
    first, late, paid, let_go = [await place(store, sides, 10, key, lapses_at=until) for key in "abcd"]
    await store.write(holds.post, paid.id)
    await store.write(holds.void, let_go.id)
    clock.advance(timedelta(minutes=15))
    with pytest.raises(HoldEndedError) as ended:
        await store.write(holds.post, late.id)
    assert ended.value.state == "lapsed"
    assert (await store.write(holds.post, paid.id)).state == "posted"
    assert await store.write(holds.lapse_due) == 2
    assert await store.write(holds.lapse_due) == 0
    states = [(await store.read(holds.get, hold.id)).state for hold in (first, paid, let_go)]
    assert states == ["lapsed", "posted", "voided"]
    assert await expiring(store, lan) == [20, 70]
    assert await store.read(proof.faults) == []


async def test_what_is_held_cannot_be_spent_and_a_refusal_changes_nothing(
    store: Store, shop: int, sides: tuple[int, int], lan: int
) -> None:
    await place(store, sides, 80)
    with pytest.raises(UncoveredError):
        await store.write(points.spend, "s", "redeem", customer_id=lan, shop_id=shop, points=21)
    with pytest.raises(UncoveredError):
        await place(store, sides, 21, "other")
    with pytest.raises(KeyConflictError):
        await place(store, sides, 79)
    for amount in (0, -1):
        with pytest.raises(InvalidError):
            await place(store, sides, amount, "none")
    assert (await store.read(points.balances, lan))[0] == 20
    assert await store.read(proof.faults) == []


async def test_many_drafts_stop_at_the_one_that_is_not_covered_and_say_what_was_left(
    store: Store, sides: tuple[int, int]
) -> None:
    both: list[Draft] = [(key, *sides, amount, 1, None) for key, amount in (("a", 60), ("b", 50))]
    with pytest.raises(UncoveredError) as refused:
        await store.write(post_many, "pay", both, {sides[0]: 100})
    assert (refused.value.account_id, refused.value.wanted, refused.value.available) == (sides[0], 50, 40)
    assert await store.read(ledger.balance, sides[0]) == 100


async def test_a_budget_is_a_balance_and_cannot_be_overrun_by_racing_holds(store: Store, shop: int) -> None:
    budget = await store.write(ledger.account, "program", 7, "budget")
    used = await store.write(ledger.account, "program", 7, "budget_used")
    for _ in range(2):
        await store.write(holds.fund, "fund:7", budget, 100_000)
    for amount in (0, -1):
        with pytest.raises(InvalidError):
            await store.write(holds.fund, "fund:8", budget, amount)

    async def one(number: int) -> bool:
        try:
            await store.write(
                holds.place, f"b:{number % 12}", kind="budget", source=budget, target=used, amount=20_000, shop_id=shop
            )
        except UncoveredError:
            return False
        return True

    done = await asyncio.gather(*(one(number) for number in range(24)))
    assert await store.read(ledger.balance, budget) == 0
    assert done.count(True) == 10  # five holds, each asked for twice
    assert await store.read(ledger.balance, await store.write(ledger.account, "program", 7, "budget_held")) == 100_000
    assert await store.read(proof.faults) == []


async def test_one_hold_posted_and_voided_at_once_ends_once(store: Store, sides: tuple[int, int], lan: int) -> None:
    hold = await place(store, sides, 40)
    calls = [
        store.write(holds.post, hold.id) if number % 2 else store.write(holds.void, hold.id) for number in range(8)
    ]
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(result, HoldEndedError) for result in done) == 4
    state = (await store.read(holds.get, hold.id)).state
    assert (await store.read(points.balances, lan))[0] == (60 if state == "posted" else 100)
    assert await store.read(proof.faults) == []


async def test_a_hold_goes_along_in_a_merge(store: Store, shop: int, sides: tuple[int, int], lan: int) -> None:
    hold = await place(store, sides, 50)
    other, _ = await store.write(customers.find_or_create, "+84903999999", name="Lan", language="vi", home_shop_id=shop)
    await store.write(claims.merge, lan, other)
    into = await store.read(customers.resolve, lan)
    await store.write(holds.void, hold.id)
    assert await expiring(store, into) == [30, 70]
    assert await store.read(proof.faults) == []


async def test_the_proof_finds_a_hold_that_says_more_than_was_posted(store: Store, sides: tuple[int, int]) -> None:
    open_one, ended = await place(store, sides, 10, "open"), await place(store, sides, 10, "ended")
    await store.write(holds.post, ended.id, 4)
    for number, values, what in (
        (ended.id, {"posted": 5}, "hold"),
        (open_one.id, {"state": "voided"}, "held account"),
    ):
        before = await store.read(holds.get, number)
        await store.write(corrupt, number, values)
        assert what in [fault.what for fault in await store.read(proof.faults)]
        back = {name: getattr(before, name) for name in values}
        await store.write(corrupt, number, back)
    assert await store.read(proof.faults) == []
