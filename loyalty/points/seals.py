"""Seals: the hash of every transfer proven again, from its postings or from what it was asked for, as far as that is kept.

Most transfers are sealed by their postings. The others are sealed by what their caller was asked for, which is found again
in the accounts and the rows that they wrote: holds, what is given back, what is clawed back or given by hand, openings.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty.points import holds, ledger, lots
from store.base import raw

BATCH = 5_000
"""Transfers looked at together."""
Legs = list[tuple[int, int, int]]


class Sealed(NamedTuple):
    """A transfer as it stands."""

    id: int
    key: str
    kind: str
    hash: str
    shop_id: int | None
    order_id: int | None
    reason: str | None


_LAST = "SELECT max(id) FROM (SELECT id FROM transfers WHERE id > ? ORDER BY id LIMIT ?) batch"
_POSTED = """
SELECT t.id, t.key, t.kind, t.hash, t.shop_id, t.order_id, t.reason, p.source_id, p.target_id, p.amount
FROM transfers t JOIN postings p ON p.transfer_id = t.id WHERE t.id > ? AND t.id <= ? ORDER BY t.id, p.id
"""


def check(session: Session) -> list[ledger.Fault]:
    """Prove the hash of every transfer; the faults, none when all is sound."""
    faults: list[ledger.Fault] = []
    after = 0
    while (last := raw(session, _LAST, (after, BATCH))[0][0]) is not None and len(faults) < ledger.FAULTS_MAX:
        rows = raw(session, _POSTED, (after, last))
        for some in _each(rows):
            kind, sealed = some[0][2], some[0][3]
            if sealed == _plain(kind, some):
                continue
            one, legs = Sealed(*some[0][:7]), [(row[7], row[8], row[9]) for row in some]
            if not _as_asked(session, one, legs):
                faults.append(ledger.Fault("hash", one.id, 1, 0))
        after = int(last)
    return faults


def _each(rows: Sequence[Sequence[Any]]) -> Iterator[Sequence[Sequence[Any]]]:
    """The rows of each transfer."""
    start = 0
    for at in range(1, len(rows) + 1):
        if at == len(rows) or rows[at][0] != rows[start][0]:
            yield rows[start:at]
            start = at


def _plain(kind: str, rows: Sequence[Sequence[Any]]) -> str:
    """`ledger.seal` of legs, written out: the encoder costs more than all the rest of the look."""
    said = ", ".join([f"[{row[7]}, {row[8]}, {row[9]}]" for row in rows])
    return hashlib.sha256(f'["{kind}", [{said}]]'.encode()).hexdigest()


def _as_asked(session: Session, one: Sealed, legs: Legs) -> bool:
    """Whether the hash is that of what the caller was asked for."""
    if one.kind == "hold":
        return _is(one, _held(session, one, legs))
    if one.key.startswith("post:"):
        return _is(one, [[legs[0][2]]])
    undone = _undone(session, one, legs)
    return undone is None or _is(one, undone) or _is(one, _by_hand(session, one, legs))


def _is(one: Sealed, asked: Sequence[Any] | Iterator[Any]) -> bool:
    return any(one.hash == ledger.seal(one.kind, inputs) for inputs in asked)


def _held(session: Session, one: Sealed, legs: Legs) -> Iterator[Any]:
    """What a hold was asked for; a merge may have changed its row's accounts, but not the posting."""
    h = holds.holds.c
    for kind, target in session.execute(select(h.kind, h.target_id).where(h.transfer_id == one.id)).all():
        yield [kind, legs[0][0], target, legs[0][2]]


def _undone(session: Session, one: Sealed, legs: Legs) -> list[Any] | None:
    """What something given back was asked for; None where a debt has swallowed all of it, so that nothing tells."""
    source, target, amount = legs[0]
    moves = lots.lot_moves.c
    spends = session.execute(
        select(moves.undoes).where(moves.transfer_id == one.id, moves.undoes.is_not(None)).distinct()
    )
    asked: list[Any] = []
    for spent in spends.scalars().all():
        asked.append([spent, amount])
        p = ledger.postings.c
        if session.execute(select(p.amount).where(p.transfer_id == spent)).scalar() == amount:
            asked.append([spent])
    if asked:
        return asked
    (_, _, came), (owner, _, went) = _account(session, source), _account(session, target)
    swallowed = len(legs) == 1 and (owner, went) == ("customer", "available") and came not in {"wallet", "mint"}
    return None if swallowed else []


def _by_hand(session: Session, one: Sealed, legs: Legs) -> Iterator[Any]:
    """What was clawed back, adjusted, brought along or funded, out of the accounts that it touched."""
    points = tier_points = 0
    who = sign = 0
    for source, target, amount in legs:
        (owner, out, name), (_, into, other) = _account(session, source), _account(session, target)
        who, sign = (out, -1) if owner == "customer" else (into, 1)
        if "tier" in {name, other}:
            tier_points += amount
        else:
            points += amount
    yield [who, one.shop_id, points, tier_points, one.order_id]
    yield [who, one.shop_id, sign * points, one.reason]
    yield [who, points, tier_points]
    yield [one.shop_id, points, one.reason]


def _account(session: Session, number: int) -> tuple[str, int, str]:
    a = ledger.accounts.c
    return tuple(session.execute(select(a.owner, a.owner_id, a.name).where(a.id == number)).one())
