"""Transfers posted many at a time, as the nightly rules do: each a draft of one posting under a key that is new."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from loyalty.points import ledger
from loyalty.points.ledger import UncoveredError
from store.base import draw_numbers, insert_rows, to_micros, update_rows
from store.clock import now

Draft = tuple[str, int, int, int, int, int | None]
"""One of many transfers to be posted together: a key that is new, source, target, amount, shop and order. A plain tuple: by
the hundred thousand, names cost more than all the rest of a transfer.
"""


def post_many(session: Session, kind: str, drafts: Sequence[Draft], covering: Mapping[int, int]) -> Sequence[int]:
    """What `ledger.post` does to one, done to many of a kind by a handful of statements, as if one after the other; their
    numbers.

    `covering`: accounts that may not fall below 0 with their balances; the caller holds them (`ledger.held_of_many`). Raises
    UncoveredError.
    """
    if not drafts:
        return ()
    change = defaultdict[int, int](int)
    for draft in drafts:
        _, source, target, amount, _, _ = draft
        if amount <= 0 or source == target:
            raise ValueError(f"a transfer needs an amount above 0 between two accounts: {draft}")
        if source in covering and covering[source] + change[source] < amount:
            raise UncoveredError(source, amount, covering[source] + change[source])
        change[source] -= amount
        change[target] += amount
    ledger.lock(session, list(change))
    numbers, at = draw_numbers(session, ledger.transfers, len(drafts)), to_micros(now(session))
    rows, legs = [], []
    for number, (key, source, target, amount, shop_id, order_id) in zip(numbers, drafts, strict=True):
        # `ledger.seal`, written out: the encoder costs more than all the rest of a transfer.
        sealed = hashlib.sha256(f'["{kind}", [[{source}, {target}, {amount}]]]'.encode()).hexdigest()
        rows.append((number, key, sealed, kind, at, 1, shop_id, order_id))
        legs.append((number, source, target, amount))
    insert_rows(session, "transfers", "id, key, hash, kind, at, legs, shop_id, order_id", rows)
    insert_rows(session, "postings", "transfer_id, source_id, target_id, amount", legs)
    update_rows(session, "accounts", "balance = balance + v.column2", sorted(change.items()))
    return numbers
