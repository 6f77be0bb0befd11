"""When points expire is a rule, lots keep the date they were given, the schedule adds up, and people are told in time."""

import asyncio
import shutil
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.customers import customers
from loyalty.orders import orders
from loyalty.orders.orders import OrderInput, Status
from loyalty.points import expiry_notices, ledger, points, proof
from loyalty.programme import Expiry
from store.base import table
from store.clock import SetClock
from store.engine import Store, open_store
from store.errors import InvalidError
from store.notices import NoticeRow

ZONE = "Asia/Ho_Chi_Minh"
LAN = "+84903123456"


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone=ZONE, language="vi")


@pytest.fixture
async def lan(store: Store, shop: int) -> int:
    return await store.write(customers.create, phone=LAN, name="Lan", home_shop_id=shop)


@pytest.mark.parametrize(
    ("months", "rule", "last"),
    [
        (12, Expiry.MONTH, "2027-01-31"),
        (1, Expiry.MONTH, "2026-02-28"),
        (0, Expiry.MONTH, None),
        (0, Expiry.QUARTER, "2026-03-31"),
        (3, Expiry.QUARTER, "2026-06-30"),
        (0, Expiry.YEAR, "2026-12-31"),
        (12, Expiry.YEAR, "2027-12-31"),
        (12, Expiry.NEVER, None),
    ],
)
def test_each_rule_ends_where_it_says(months: int, rule: str, last: str | None) -> None:
    # 17:30 UTC on 30 January is the 31st at the shop.
    ends = programme.expires_at(datetime(2026, 1, 30, 17, 30, tzinfo=UTC), months, ZONE, rule)
    assert (None if ends is None else str((ends + timedelta(hours=7) - timedelta(microseconds=1)).date())) == last


async def test_a_changed_rule_never_shortens_what_was_earned(store: Store, shop: int, clock: SetClock) -> None:
    async def buy(number: int) -> int:
        told = OrderInput(50_000, "VND", clock.now(), Status.COMPLETED, phone=LAN)
        state = await store.write(orders.put, shop, f"A{number}", told)
        assert state.customer_id is not None
        return state.customer_id

    lan = await buy(1)
    await store.write(programme.change, expiry_rule="year", expiry_months=0)
    await buy(2)
    await store.write(programme.change, expiry_rule="never")
    await buy(3)
    await store.write(orders.put, shop, "A1", OrderInput(60_000, "VND", clock.now(), Status.COMPLETED, phone=LAN))
    wallet = await store.read(points.wallet, lan, ZONE)
    assert [(part.points, part.on and str(part.on)) for part in wallet.expiring] == [
        (50, "2026-12-31"), (50, "2027-11-30"), (60, None),
    ]  # fmt: skip
    clock.advance(timedelta(days=41))
    assert await store.write(points.expire_due) == 1
    clock.advance(timedelta(days=3_000))
    await store.write(points.expire_due)
    assert [(part.points, part.on) for part in (await store.read(points.wallet, lan, ZONE)).expiring] == [(60, None)]
    with pytest.raises(InvalidError):
        await store.write(programme.change, expiry_rule="sometimes")
    assert await store.read(proof.faults) == []


STEPS = st.lists(
    st.tuples(st.sampled_from(["earn", "never", "wait", "spend", "back", "take", "clock"]), st.integers(1, 400)),
    max_size=12,
)


@settings(max_examples=12, deadline=None)
@given(steps=STEPS)
def test_the_schedule_adds_up_to_the_balance_whatever_happens(
    sqlite_template: Path, steps: list[tuple[str, int]]
) -> None:
    def do(session: Session, clock: SetClock, lan: int, number: int, what: str, amount: int) -> None:
        more: dict[str, Any] = {"customer_id": lan, "shop_id": 1, "points": amount}
        if what in {"earn", "never", "wait"}:
            until = None if what == "never" else clock.now() + timedelta(days=amount)
            waits = clock.now() + timedelta(days=5) if what == "wait" else None
            points.earn(session, f"k{number}", "earn", expires_at=until, pending_until=waits, order_id=number, **more)
        elif what == "spend" and points.balances(session, lan)[0] >= amount:
            points.spend(session, f"s{number}", "pay", **more)
            if number % 2:
                spent = session.execute(select(ledger.transfers.c.id).order_by(ledger.transfers.c.id.desc())).scalar()
                points.give_back(
                    session, f"b{number}", "pay_back", int(spent or 0), customer_id=lan, points=(amount + 1) // 2
                )
        elif what == "take":
            points.claw_back(session, f"t{number}", "refund", order_id=number // 2, **more)
        elif what == "clock":
            clock.advance(timedelta(days=amount // 4))
            points.release_due(session)
            points.expire_due(session)

    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            clock = SetClock(datetime(2026, 11, 21, 5, tzinfo=UTC))
            store = open_store(f"sqlite+aiosqlite:///{shutil.copy(sqlite_template, folder)}", clock, strict=True)
            await store.write(programme.open_shop, "Phố", timezone=ZONE, language="vi")
            lan = await store.write(customers.create, phone=LAN)
            for number, (what, amount) in enumerate(steps):
                await store.write(do, clock, lan, number, what, amount)
                wallet = await store.read(points.wallet, lan, ZONE)
                assert sum(part.points for part in wallet.expiring) == max(0, wallet.available)
                days = [part.on for part in wallet.expiring]
                assert days == sorted(days, key=lambda day: (day is None, day))
                assert len(set(days)) == len(days)
            assert await store.read(proof.faults) == []
            await store.close()

    asyncio.run(run())


# ── Notices ─────────────────────────────────────────────────────────────────────────────────────────


async def _told(store: Store) -> list[tuple[int, str, int, int]]:
    n = table(NoticeRow).c
    rows = await store.read(
        lambda session: session.execute(
            select(n.customer_id, n.params, n.purpose).where(n.kind == "points_expiring").order_by(n.id)
        ).all()
    )
    return [(row.params["points"], row.params["on"], row.params["days"], row.purpose) for row in rows]


async def _morning(store: Store) -> None:
    for _ in range(50):
        if not await store.write(expiry_notices.tell_due):
            return
    raise AssertionError("the round does not end")


async def test_people_are_told_thirty_seven_and_one_days_before_once(
    store: Store, shop: int, lan: int, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry_notices, "BATCH", 2)
    until = datetime(2026, 12, 31, 17, tzinfo=UTC)  # the end of 31 December at the shop
    for key, amount in (("a", 30), ("b", 12), ("c", 8)):
        await store.write(points.earn, key, "earn", customer_id=lan, shop_id=shop, points=amount, expires_at=until)
    await store.write(points.earn, "n", "earn", customer_id=lan, shop_id=shop, points=99, expires_at=None)
    # Days counted from 1 November, looked at in the small hours and twice in the morning. On the 54th, 24 December,
    # nothing ran: who was to be told then is told late.
    seen: list[tuple[date, int]] = []
    for day in (23, 30, 31, 32, 53, 56, 57, 59, 60, 61, 62):
        clock.set(datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=day - 1) - timedelta(hours=5))
        before = len(await _told(store))
        await _morning(store)
        assert len(await _told(store)) == before, "not before nine"
        for _ in range(2):
            clock.advance(timedelta(hours=8))
            await _morning(store)
        await store.write(points.expire_due)
        seen += [((clock.now() + timedelta(hours=7)).date(), told[2]) for told in (await _told(store))[before:]]
    assert seen == [(date(2026, 12, 1), 30), (date(2026, 12, 26), 5), (date(2026, 12, 30), 1)]
    assert [told[:2] for told in await _told(store)] == [(50, "2026-12-31")] * 3
    assert {told[3] for told in await _told(store)} == {2}


async def test_the_notice_says_what_is_left_and_nothing_where_nothing_is(
    store: Store, shop: int, lan: int, clock: SetClock
) -> None:
    until = clock.now() + timedelta(days=20)
    await store.write(points.earn, "a", "earn", customer_id=lan, shop_id=shop, points=30, expires_at=until)
    await store.write(points.spend, "s", "pay", customer_id=lan, shop_id=shop, points=10)
    await _morning(store)
    assert [told[0] for told in await _told(store)] == [20]
    await store.write(points.spend, "s2", "pay", customer_id=lan, shop_id=shop, points=20)
    clock.advance(timedelta(days=15))
    await _morning(store)
    assert len(await _told(store)) == 1
