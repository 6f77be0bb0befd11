"""What falls due by the batch comes to exactly what it comes to lot by lot, and races with nobody."""

import asyncio
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.customers import customers
from loyalty.points import ledger, lots, points, proof
from loyalty.points.ledger import Leg, UncoveredError
from store.clock import SetClock, now
from store.engine import Store
from store.errors import MovedError

LOT = lots.lots.c


def release_each(session: Session) -> int:
    """The rule as it is meant: one lot after the other."""
    rows = session.execute(
        select(lots.lots).where(LOT.pending_until <= now(session)).order_by(LOT.pending_until, LOT.id)
    ).all()
    for lot in rows:
        left = lot.remaining
        if left:
            source = ledger.account(session, "customer", lot.customer_id, "pending")
            target = ledger.account(session, "customer", lot.customer_id, "available")
            ledger.post(
                session, f"release:lot:{lot.id}", "release", [Leg(source, target, left)], shop_id=lot.shop_id,
                order_id=lot.order_id,
            )  # fmt: skip
            left = lots.after_debt(ledger.balance(session, target), left)
        session.execute(update(lots.lots).where(LOT.id == lot.id).values(pending_until=None, remaining=left))
    return len(rows)


def expire_each(session: Session) -> int:
    rows = session.execute(
        select(lots.lots)
        .where(LOT.remaining > 0, LOT.expires_at <= now(session), LOT.pending_until.is_(None))
        .order_by(LOT.expires_at, LOT.id)
    ).all()
    for lot in rows:
        before = session.execute(select(func.count()).where(lots.lot_moves.c.lot_id == lot.id)).scalar_one()
        source = ledger.account(session, "customer", lot.customer_id, "available")
        target = ledger.account(session, "shop", lot.shop_id, "expired")
        done = ledger.post(
            session, f"expire:lot:{lot.id}:{before}", "expire", [Leg(source, target, lot.remaining, covered=False)],
            shop_id=lot.shop_id,
        )  # fmt: skip
        lots.move(session, lot.id, done.transfer_id, -lot.remaining)
    return len(rows)


def picture(session: Session) -> dict[str, list[Any]]:
    """All of the books; a transfer by its key, for numbers that a roll-back has used up are not given again."""
    t, p, m, a = ledger.transfers.c, ledger.postings.c, lots.lot_moves.c, ledger.accounts.c
    looks = {
        "transfers": select(t.key, t.hash, t.kind, t.at, t.legs, t.shop_id, t.order_id, t.actor, t.reason).order_by(t.id),
        "postings": select(t.key, p.source_id, p.target_id, p.amount).where(p.transfer_id == t.id).order_by(p.id),
        "moves": select(m.lot_id, t.key, m.amount, m.undoes).where(m.transfer_id == t.id).order_by(m.id),
        "lots": select(LOT.id, LOT.remaining, LOT.pending_until).order_by(LOT.id),
        "accounts": select(a.owner, a.owner_id, a.name, a.balance).order_by(a.owner, a.owner_id, a.name),
    }  # fmt: skip
    return {name: [tuple(row) for row in session.execute(look)] for name, look in looks.items()}


class UndoneError(Exception):
    """Nothing of this work is to stay."""


async def looked_ahead(store: Store, rule: Callable[[Session], int]) -> dict[str, list[Any]]:
    """The books as they would be after a rule."""
    found: dict[str, list[Any]] = {}

    def run(session: Session) -> None:
        rule(session)
        found.update(picture(session))
        raise UndoneError

    with pytest.raises(UndoneError):
        await store.write(run)
    return found


async def to_the_end(store: Store, rule: Callable[..., int], limit: int) -> int:
    done = 0
    while count := await store.write(rule, limit):
        done += count
    return done


def happen(session: Session, rng: random.Random, clock: SetClock, people: list[int], turn: int) -> None:
    """Some of what fills books: earned now or later, spent, taken back below 0, time."""
    for number in range(1_000 * turn, 1_000 * turn + 40):
        _happen(session, rng, clock, people, number)


def _happen(session: Session, rng: random.Random, clock: SetClock, people: list[int], number: int) -> None:
    who, shop = rng.choice(people), rng.choice([1, 2])
    amount = rng.randrange(1, 60)
    what = rng.choice(["earn"] * 4 + ["wait"] * 3 + ["spend", "take", "take", "clock"])
    more: dict[str, Any] = {"customer_id": who, "shop_id": shop, "points": amount}
    if what in {"earn", "wait"}:
        waits = clock.now() + timedelta(days=rng.randrange(1, 6)) if what == "wait" else None
        ends = rng.choice([None, clock.now() + timedelta(days=rng.randrange(1, 20))])
        points.earn(
            session, f"e{number}", "earn", expires_at=ends, pending_until=waits, order_id=rng.randrange(1, 200), **more
        )
    elif what == "spend" and points.balances(session, who)[0] >= amount:
        points.spend(session, f"s{number}", "pay", **more)
    elif what == "take":
        bought = session.execute(select(LOT.order_id).where(LOT.customer_id == who).order_by(LOT.id)).scalars().all()
        points.claw_back(session, f"t{number}", "refund", order_id=rng.choice([None, *bought]), **more)
    elif what == "clock":
        clock.advance(timedelta(days=rng.randrange(0, 3)))


@pytest.mark.parametrize("seed", range(3))
async def test_a_batch_is_what_one_by_one_comes_to(store: Store, clock: SetClock, seed: int) -> None:
    for name in ("Phố", "Chợ"):
        shop = await store.write(programme.open_shop, name, timezone="Asia/Ho_Chi_Minh", language="vi")
        # Its number is in the transfers' hashes.
        await store.write(ledger.account, "shop", shop, "expired")
    people = [await store.write(customers.create, home_shop_id=1) for _ in range(5)]
    rng = random.Random(seed)
    released = expired = 0
    for turn in range(3):
        await store.write(happen, rng, clock, people, turn)
        clock.advance(timedelta(days=8))
        for each, rule in ((release_each, points.release_due), (expire_each, points.expire_due)):
            expected = await looked_ahead(store, each)
            # A batch of several lots of one customer, the last one short, or all at once.
            done = await to_the_end(store, rule, rng.choice([7, 1_000]))
            assert await store.read(picture) == expected
            released, expired = (released + done, expired) if each is release_each else (released, expired + done)
        assert await store.read(proof.faults) == []
    assert min(released, expired) > 5
    assert await store.write(points.release_due) == await store.write(points.expire_due) == 0


async def test_what_falls_due_races_with_spends_and_returns(store: Store, clock: SetClock) -> None:
    shop = await store.write(programme.open_shop, "Phố", timezone="Asia/Ho_Chi_Minh", language="vi")
    people = [await store.write(customers.create, home_shop_id=shop) for _ in range(12)]

    def fill(session: Session) -> None:
        for number in range(72):
            waits = clock.now() + timedelta(days=1) if number % 3 == 0 else None
            points.earn(
                session, f"e{number}", "earn", customer_id=people[number % 12], shop_id=shop, points=10, order_id=number,
                pending_until=waits, expires_at=clock.now() + timedelta(days=2),
            )  # fmt: skip

    await store.write(fill)
    clock.advance(timedelta(days=3))

    async def until_it_stands(rule: Callable[..., Any], *args: Any, **values: Any) -> Any:
        while True:
            try:
                return await store.write(rule, *args, **values)
            except MovedError:
                continue
            except UncoveredError:
                return None

    async def chores(rule: Callable[[Session, int], int]) -> None:
        for _ in range(30):
            await until_it_stands(rule, 5)

    more = {"shop_id": shop, "points": 7}
    await asyncio.gather(
        chores(points.release_due),
        chores(points.expire_due),
        chores(points.expire_due),
        *(until_it_stands(points.spend, f"s{n}", "pay", customer_id=people[n % 12], **more) for n in range(36)),
        *(
            until_it_stands(points.claw_back, f"t{n}", "refund", customer_id=people[n % 12], order_id=n, **more)
            for n in range(0, 72, 2)
        ),
    )
    while await store.write(points.release_due) or await store.write(points.expire_due):
        pass
    assert await store.read(proof.faults) == []
    left = await store.read(lambda session: session.execute(select(LOT.id, LOT.remaining)).all())
    assert [row for row in left if row.remaining] == []
