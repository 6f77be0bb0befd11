"""Seals: every transfer proven again: that it has the postings it announced, and its hash, from those or from what it was
asked for, as far as that is kept.

Most transfers are sealed by their postings; a hold and its posting by what stands beside them. The database hashes those,
thousands by a statement, and names the few it finds otherwise: they are sealed by what their caller was asked for, which is
found again in the accounts and the rows that they wrote (what is given back, clawed back or given by hand, openings).
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from loyalty.points import ledger
from store.base import raw

BATCH = 10_000
"""Transfers looked at together."""


class Sealed(NamedTuple):
    """A transfer as it stands."""

    id: int
    key: str
    kind: str
    hash: str
    shop_id: int | None
    order_id: int | None
    reason: str | None
    legs: int
    """How many postings it announced, and how many it has."""
    posted: int


class Leg(NamedTuple):
    """A posting, with whose accounts its two are (owner, the owner's number, name)."""

    source: int
    target: int
    amount: int
    out: tuple[str, int, str]
    into: tuple[str, int, str]


_LAST = "SELECT max(id) FROM (SELECT id FROM transfers WHERE id > ? ORDER BY id LIMIT ?) batch"
_WORDS = {
    "sqlite": {
        "hash": "sha256_hex({})",
        "legs": "group_concat(printf('[%d, %d, %d]', p.source_id, p.target_id, p.amount), ', ')",
    },
    "postgresql": {
        "hash": "encode(sha256(convert_to({}, 'UTF8')), 'hex')",
        "legs": "string_agg('[' || p.source_id || ', ' || p.target_id || ', ' || p.amount || ']', ', ' ORDER BY p.id)",
    },
}
"""What the two databases call the hash of a text and a transfer's legs as JSON."""
_ASKED = """
CASE WHEN t.kind = 'hold' THEN (
    SELECT '["' || h.kind || '", ' || min(p.source_id) || ', ' || h.target_id || ', ' || min(p.amount) || ']'
    FROM holds h JOIN postings p ON p.transfer_id = t.id WHERE h.key = substr(t.key, 6) AND h.transfer_id = t.id
    GROUP BY h.id HAVING count(*) = 1
)
WHEN substr(t.key, 1, 5) = 'post:' THEN (
    SELECT '[' || min(p.amount) || ']' FROM postings p WHERE p.transfer_id = t.id HAVING count(*) = 1
)
ELSE '[' || {legs} || ']' END
"""
_OTHERWISE = """
SELECT t.id, t.key, t.kind, t.hash, t.shop_id, t.order_id, t.reason, t.legs, count(p.id)
FROM transfers t LEFT JOIN postings p ON p.transfer_id = t.id WHERE t.id > ? AND t.id <= ?
GROUP BY t.id HAVING t.legs <> count(p.id) OR t.hash <> coalesce({hash}, 'none') ORDER BY t.id
"""
_POSTED = """
SELECT p.transfer_id, p.source_id, p.target_id, p.amount, s.owner, s.owner_id, s.name, t.owner, t.owner_id, t.name
FROM postings p JOIN accounts s ON s.id = p.source_id JOIN accounts t ON t.id = p.target_id
WHERE p.transfer_id IN ({marks}) ORDER BY p.transfer_id, p.id
"""
_UNDONE = """
SELECT DISTINCT m.transfer_id, m.undoes, (SELECT min(p.amount) FROM postings p WHERE p.transfer_id = m.undoes)
FROM lot_moves m WHERE m.transfer_id IN ({marks}) AND m.undoes IS NOT NULL
"""


def check(session: Session) -> list[ledger.Fault]:
    """Prove every transfer's legs and hash; the faults, none when all is sound."""
    words = _WORDS[session.get_bind().dialect.name]
    said = f"'[\"' || t.kind || '\", ' || {_ASKED.format(legs=words['legs'])} || ']'"
    look = _OTHERWISE.format(hash=words["hash"].format(said))
    faults: list[ledger.Fault] = []
    after = 0
    while (last := raw(session, _LAST, (after, BATCH))[0][0]) is not None and len(faults) < ledger.FAULTS_MAX:
        odd = [Sealed._make(row) for row in raw(session, look, (after, last))]
        faults += [ledger.Fault("legs", one.id, one.legs, one.posted) for one in odd if one.legs != one.posted]
        whole = [one for one in odd if one.legs == one.posted]
        faults += [ledger.Fault("hash", one.id, 1, 0) for one in _unsound(session, whole)]
        after = int(last)
    return faults[: ledger.FAULTS_MAX]


def _unsound(session: Session, odd: Sequence[Sealed]) -> Iterator[Sealed]:
    """Those whose hash is not that of what their caller was asked for either."""
    if not odd:
        return
    numbers = [one.id for one in odd]
    marks = ", ".join("?" * len(numbers))
    rows = raw(session, _POSTED.format(marks=marks), numbers)
    posted = {
        number: [
            Leg(source, target, amount, (out, out_id, out_name), (into, into_id, into_name))
            for _, source, target, amount, out, out_id, out_name, into, into_id, into_name in legs
        ]
        for number, legs in groupby(rows, key=lambda row: row[0])
    }
    undone: dict[int, list[tuple[int, int]]] = {}
    for number, spent, amount in raw(session, _UNDONE.format(marks=marks), numbers):
        undone.setdefault(number, []).append((spent, amount))
    for one in odd:
        if not one.posted or not _as_asked(one, posted[one.id], undone.get(one.id, [])):
            yield one


def _as_asked(one: Sealed, legs: Sequence[Leg], undone: Sequence[tuple[int, int]]) -> bool:
    if one.kind == "hold" or one.key.startswith("post:"):
        return False
    if not undone and _swallowed(legs):
        return True
    asked = [[leg[:3] for leg in legs], *_given_back(legs[0].amount, undone), *_by_hand(one, legs)]
    return any(one.hash == ledger.seal(one.kind, inputs) for inputs in asked)


def _swallowed(legs: Sequence[Leg]) -> bool:
    """Whether this may be something given back of which a debt has swallowed all, so that nothing tells of what it was."""
    leg = legs[0]
    return (
        len(legs) == 1
        and (leg.into[0], leg.into[2]) == ("customer", "available")
        and leg.out[2] not in {"wallet", "mint"}
    )


def _given_back(amount: int, undone: Sequence[tuple[int, int]]) -> Iterator[Any]:
    """What something given back was asked for: a spend, whole or so much of it."""
    for spent, whole in undone:
        yield [spent, amount]
        if whole == amount:
            yield [spent]


def _by_hand(one: Sealed, legs: Sequence[Leg]) -> Iterator[Any]:
    """What was clawed back, adjusted, brought along or funded, out of the accounts that it touched."""
    points = tier_points = 0
    who = sign = 0
    for leg in legs:
        who, sign = (leg.out[1], -1) if leg.out[0] == "customer" else (leg.into[1], 1)
        if "tier" in {leg.out[2], leg.into[2]}:
            tier_points += leg.amount
        else:
            points += leg.amount
    yield [who, one.shop_id, points, tier_points, one.order_id]
    yield [who, one.shop_id, sign * points, one.reason]
    yield [who, points, tier_points]
    yield [one.shop_id, points, one.reason]
