"""The proofs find what is wrong, whatever it is, and name the first of it in the order of the books."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.customers import customers
from loyalty.points import ledger, points, proof
from store.clock import SetClock
from store.engine import Store

_WRONG = "INSERT INTO transfers (key, hash, kind, at, legs) VALUES ('{key}', '', 'earn', 1, {legs})"


@pytest.mark.parametrize(
    ("spoilt", "what", "subject", "expected", "found"),
    [
        (["UPDATE accounts SET balance = balance + 3 WHERE id IN (7, 9)"], "balance", 7, 7, 10),
        ([_WRONG.format(key="x", legs=2), _WRONG.format(key="y", legs=1)], "legs", 8, 2, 0),
        ([_WRONG.format(key="x", legs=0)], "hash", 8, 1, 0),
        (
            [_WRONG.format(key="x", legs=1),
             "INSERT INTO postings (transfer_id, source_id, target_id, amount) SELECT max(id), 4, 5, 1 FROM transfers"],
            "units", 8, 0, 1,
        ),
        (["UPDATE accounts SET unit = 'dong' WHERE id = 7"], "pending in dong", 7, 0, 1),
        (["UPDATE lots SET remaining = remaining - 1 WHERE id IN (3, 5)"], "available lots", 2, 12, 11),
        (["UPDATE lots SET remaining = remaining - 1 WHERE id = 4"], "pending lots", 2, 7, 6),
        (["UPDATE lots SET remaining = amount + 1 WHERE id = 5"], "lot", 5, 12, 13),
        (["UPDATE lots SET remaining = -2 WHERE id = 2"], "lot", 2, 7, -2),
    ],
)  # fmt: skip
async def test_what_is_spoilt_is_found_and_the_first_is_named(
    store: Store, clock: SetClock, spoilt: Sequence[str], what: str, subject: int, expected: int, found: int
) -> None:
    shop = await store.write(programme.open_shop, "Phố", timezone="Asia/Ho_Chi_Minh", language="vi")

    def fill(session: Session) -> None:
        for number in range(3):
            who = customers.create(session, home_shop_id=shop)
            for amount, waits in ((12, None), (7, clock.now() + timedelta(days=1))):
                points.earn(
                    session, f"e{number}:{amount}", "earn", customer_id=who, shop_id=shop, points=amount,
                    pending_until=waits,
                )  # fmt: skip

    await store.write(fill)
    assert await store.read(proof.faults) == []

    def spoil(session: Session) -> None:
        for statement in spoilt:
            session.execute(sa.text(statement))

    await store.write(spoil)
    faults = await store.read(proof.faults)
    named = next(fault for fault in faults if fault.what == what)
    assert (named.subject, named.expected, named.found) == (subject, expected, found)
    of_kind = [fault.subject for fault in faults if fault.what == what]
    assert of_kind == sorted(of_kind)


async def test_only_the_first_faults_are_named(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await store.write(programme.open_shop, "Phố", timezone="Asia/Ho_Chi_Minh", language="vi")
    monkeypatch.setattr(ledger, "FAULTS_MAX", 2)

    def spoil(session: Session) -> None:
        for number in range(5):
            session.execute(sa.text(_WRONG.format(key=f"x{number}", legs=1)))

    await store.write(spoil)
    assert [fault.what for fault in await store.read(proof.faults)] == ["legs", "legs"]
