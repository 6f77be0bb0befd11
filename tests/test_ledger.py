"""The ledger refuses what is no transfer, and the database itself an overdrawn wallet."""

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from loyalty import programme
from loyalty.points import ledger
from loyalty.points.ledger import Leg, Owner
from store.engine import Store


@pytest.fixture
async def sides(store: Store) -> tuple[int, int]:
    """A shop's wallet and the account where spent points go."""
    shop = await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")
    return (
        await store.write(ledger.account, "shop", shop, "wallet"),
        await store.write(ledger.account, "shop", shop, "redeemed"),
    )


async def test_what_is_no_transfer_is_refused(store: Store, sides: tuple[int, int]) -> None:
    wallet, redeemed = sides
    sound = Leg(wallet, redeemed, 1)
    for legs in (
        [],
        [Leg(wallet, redeemed, 0)],
        [Leg(wallet, redeemed, -1)],
        [Leg(wallet, wallet, 1)],
        [sound, Leg(wallet, redeemed, 0)],
    ):
        with pytest.raises(ValueError, match="a transfer needs"):
            await store.write(ledger.post, "k", "pay", legs)
    assert await store.read(ledger.posted, "k") is None
    assert (await store.write(ledger.post, "k", "pay", [sound])).new


async def test_no_leg_overdraws_a_wallet_though_it_says_it_may(store: Store, sides: tuple[int, int]) -> None:
    wallet, redeemed = sides
    with pytest.raises(IntegrityError, match="wallet_not_overdrawn"):
        await store.write(ledger.post, "k", "pay", [Leg(wallet, redeemed, programme.WALLET_POINTS + 1, covered=False)])
    assert await store.read(ledger.balance, wallet) == programme.WALLET_POINTS
    await store.write(ledger.post, "k", "pay", [Leg(redeemed, wallet, 1, covered=False)])
    assert await store.read(ledger.balance, redeemed) == -1


async def test_what_many_customers_touch_is_marked_to_be_locked_last(store: Store) -> None:
    owners: tuple[Owner, ...] = ("customer", "shop", "program", "prize")
    for owner in owners:
        await store.write(ledger.account, owner, 1, "stock" if owner in {"program", "prize"} else "available")
    a = ledger.accounts.c
    marked = await store.read(lambda session: dict(session.execute(select(a.owner, a.hot)).all()))
    assert marked == {"customer": 0, "shop": 1, "program": 1, "prize": 1}


async def test_balances_of_many_are_each_ones_own(store: Store) -> None:
    first, second, _ = [await store.write(ledger.account, "customer", number, "available") for number in (1, 2, 3)]
    await store.write(ledger.post, "k", "pay", [Leg(first, second, 5, covered=False)])
    assert await store.read(ledger.balances_of_many, [1, 2, 4], "available") == {1: -5, 2: 5}
