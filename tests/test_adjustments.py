"""Points by hand: a reason, a limit by role, and above it a second person, once."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from loyalty import programme
from loyalty.customers import customers
from loyalty.points import adjustments, points, proof
from loyalty.points.adjustments import AdjustLimitError, Adjustment, DecidedError, State
from loyalty.points.ledger import KeyConflictError, UncoveredError
from store import staff
from store.audit import AuditRow
from store.base import table
from store.engine import Store
from store.errors import ForbiddenError, InvalidError
from store.staff import Role

ZONE = "Asia/Ho_Chi_Minh"


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone=ZONE, language="vi")


@pytest.fixture
async def lan(store: Store, shop: int) -> int:
    number = await store.write(customers.create, phone="+84903123456", name="Lan", home_shop_id=shop)
    more: dict[str, Any] = {"customer_id": number, "shop_id": shop, "expires_at": None}
    await store.write(points.earn, "e", "earn", points=100, **more)
    return number


@pytest.fixture
async def people(store: Store, shop: int) -> dict[Role, int]:
    return {role: await store.write(staff.add, role.value, role, shop) for role in Role}


async def ask(store: Store, who: int, lan: int, amount: int, key: str = "k", reason: str = "Đổ cà phê") -> Adjustment:
    return await store.write(
        adjustments.ask, key, staff_id=who, shop_id=1, customer_id=lan, points=amount, reason=reason
    )


async def available(store: Store, lan: int) -> int:
    return (await store.read(points.balances, lan))[0]


async def test_by_default_owner_and_manager_may_and_the_rest_may_not(
    store: Store, lan: int, people: dict[Role, int]
) -> None:
    for number, role in enumerate((Role.OWNER, Role.MANAGER), 1):
        done = await ask(store, people[role], lan, 1_000, key=role)
        assert (done.state, await available(store, lan)) == (State.DONE, 100 + 1_000 * number)
    for role in (Role.SUPERVISOR, Role.AGENT, Role.CASHIER):
        with pytest.raises(AdjustLimitError):
            await ask(store, people[role], lan, 1, key=role)
    assert await store.read(proof.faults) == []


async def test_the_same_form_twice_is_one_and_another_under_its_key_a_conflict(
    store: Store, lan: int, people: dict[Role, int]
) -> None:
    done = await asyncio.gather(*(ask(store, people[Role.OWNER], lan, 40) for _ in range(4)))
    assert len({one.id for one in done}) == 1
    assert await available(store, lan) == 140
    with pytest.raises(KeyConflictError):
        await ask(store, people[Role.OWNER], lan, 41)
    for amount, reason, refusal in ((0, "x", InvalidError), (5, "  ", InvalidError), (-141, "x", UncoveredError)):
        with pytest.raises(refusal):
            await ask(store, people[Role.OWNER], lan, amount, key="other", reason=reason)
    assert await available(store, lan) == 140


async def test_above_the_limit_a_second_person_decides_once(store: Store, lan: int, people: dict[Role, int]) -> None:
    await store.write(programme.change, adjust_manager=50, adjust_agent=10, second_approval=True)
    manager, agent, owner = people[Role.MANAGER], people[Role.AGENT], people[Role.OWNER]
    assert (await ask(store, agent, lan, 10, "a")).state == State.DONE
    asked = await ask(store, manager, lan, 51, "b")
    assert (asked.state, await available(store, lan)) == (State.WAITING, 110)
    assert [one.id for one in await store.read(adjustments.waiting, 1)] == [asked.id]
    for who in (manager, agent, people[Role.CASHIER]):
        with pytest.raises(ForbiddenError):
            await store.write(adjustments.approve, asked.id, staff_id=who)
    done = await asyncio.gather(*(store.write(adjustments.approve, asked.id, staff_id=owner) for _ in range(4)))
    assert {one.state for one in done} == {State.DONE}
    assert await available(store, lan) == 161
    with pytest.raises(DecidedError):
        await store.write(adjustments.refuse, asked.id, staff_id=owner)
    a = table(AuditRow).c
    rows = await store.read(lambda session: session.execute(select(a.actor, a.action).order_by(a.id)).all())
    assert [tuple(row) for row in rows] == [
        (f"staff:{agent}", "points_adjusted"), (f"staff:{manager}", "points_adjustment_asked"),
        (f"staff:{owner}", "points_adjustment_approved"),
    ]  # fmt: skip
    assert await store.read(proof.faults) == []


@pytest.mark.parametrize("approved", [True, False])
async def test_a_taking_that_waits_holds_the_points(
    store: Store, shop: int, lan: int, people: dict[Role, int], approved: bool
) -> None:
    await store.write(programme.change, adjust_manager=50, second_approval=True)
    asked = await ask(store, people[Role.MANAGER], lan, -80)
    assert await available(store, lan) == 20
    with pytest.raises(UncoveredError):
        await store.write(points.spend, "s", "pay", customer_id=lan, shop_id=shop, points=21)
    for _ in range(2):
        if approved:
            await store.write(adjustments.approve, asked.id, staff_id=people[Role.OWNER])
        else:
            await store.write(adjustments.refuse, asked.id, staff_id=people[Role.OWNER], why="Khách đã được đền")
    assert await available(store, lan) == (20 if approved else 100)
    assert await store.read(proof.faults) == []


async def test_who_refuses_says_why(store: Store, lan: int, people: dict[Role, int]) -> None:
    await store.write(programme.change, adjust_manager=50, second_approval=True)
    asked = await ask(store, people[Role.MANAGER], lan, -80)
    for why in ("", "  ", "x" * 201):
        with pytest.raises(InvalidError):
            await store.write(adjustments.refuse, asked.id, staff_id=people[Role.OWNER], why=why)
    assert (await store.read(adjustments.get, asked.id)).state == State.WAITING
    assert await available(store, lan) == 20
    await store.write(adjustments.refuse, asked.id, staff_id=people[Role.OWNER], why=" Khách không sai ")
    (refused,) = await store.read(adjustments.refused, 1)
    assert (refused.id, refused.refusal, refused.decided_by) == (asked.id, "Khách không sai", people[Role.OWNER])
    row = table(AuditRow).c
    told = await store.read(lambda session: session.execute(select(row.data).order_by(row.id.desc())).scalars().first())
    assert told["refusal"] == "Khách không sai"


async def test_who_asked_may_take_it_back(store: Store, lan: int, people: dict[Role, int]) -> None:
    await store.write(programme.change, adjust_manager=50, second_approval=True)
    asked = await ask(store, people[Role.MANAGER], lan, 80)
    refused = await store.write(adjustments.refuse, asked.id, staff_id=people[Role.MANAGER])
    assert (refused.state, await available(store, lan)) == (State.REFUSED, 100)
