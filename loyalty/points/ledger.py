"""The ledger: double entry, append-only, held to that by the database itself.

An account has an owner, a name and a unit (points, tier points, đồng of a budget, uses of a stock). A posting moves an amount above 0 from one account to
another of the same unit; a transfer groups postings under a key that comes from the cause (`earn:order:12:1`) and never
expires: the same key with the same inputs is the same transfer, with others a conflict. A transfer says beforehand how
many postings it has, so nothing can be added to it later. Balances stand on the account rows, written in the same
statement order as the postings, and `check` proves them from the postings.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Text,
    UniqueConstraint,
    case,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, BigId, UtcTime, raw, table, to_micros
from store.clock import now
from store.errors import ConflictError, RuleError

Owner = Literal["shop", "customer", "program", "prize"]
Unit = Literal["point", "tier", "dong", "use"]
UNITS: dict[str, Unit] = {"tier": "tier", "budget": "dong", "stock": "use"}
"""By the first word of an account's name; all others hold points."""
Held = dict[str, tuple[int, int]]
"""Number and balance of an owner's accounts, by name."""
HELD = {"available": "held", "budget": "budget_held", "stock": "stock_held"}
"""The account beside an account where holds keep what they set aside."""
HELD_NAMES = frozenset(HELD.values())
FLOORED = (*HELD_NAMES, "wallet", "pending", "budget", "stock")
"""Accounts that never fall below 0."""


class AccountRow(Base):
    __tablename__ = "accounts"
    __table_args__ = (
        UniqueConstraint("owner", "owner_id", "name"),
        CheckConstraint("hot = 0 OR balance >= 0 OR name <> 'wallet'", name="wallet_not_overdrawn"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    owner: Mapped[str] = mapped_column(Text)
    """shop, customer, program or prize."""
    owner_id: Mapped[int]
    name: Mapped[str] = mapped_column(Text)
    """Shop: wallet, mint, redeemed, expired, tier_source. Customer: available, held, pending, tier. Programme: budget;
    programme and prize: stock; each with its _source, _held and _used.
    """
    unit: Mapped[str] = mapped_column(Text)
    balance: Mapped[int] = mapped_column(default=0)
    hot: Mapped[int] = mapped_column(default=0)
    """1 for all but a customer's accounts, which many customers touch: they are locked last."""


class TransferRow(Base):
    __tablename__ = "transfers"
    __table_args__ = (Index("ix_transfers_order_id", "order_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    hash: Mapped[str] = mapped_column(Text)
    """SHA-256 of the inputs."""
    kind: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcTime)
    legs: Mapped[int]
    """How many postings it has."""
    shop_id: Mapped[int | None] = mapped_column(ForeignKey("shops.id"))
    order_id: Mapped[int | None]
    actor: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)


class PostingRow(Base):
    __tablename__ = "postings"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("source_id <> target_id", name="two_accounts"),
        Index("ix_postings_source_id", "source_id", "id"),
        Index("ix_postings_target_id", "target_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    transfer_id: Mapped[int] = mapped_column(ForeignKey("transfers.id"), index=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    target_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    amount: Mapped[int]


@dataclass(frozen=True, slots=True)
class Leg:
    """`amount` (> 0) from one account to another of the same unit; `covered`: the source may not fall below 0."""

    source: int
    target: int
    amount: int
    covered: bool = True


@dataclass(frozen=True, slots=True)
class Posted:
    """The transfer that stands under a key."""

    transfer_id: int
    new: bool
    """False when this key was posted before: nothing was done again."""


class UncoveredError(RuleError):
    """An account has less than was to be taken from it."""

    code = "insufficient_points"

    def __init__(self, account_id: int, wanted: int, available: int) -> None:
        super().__init__(f"account {account_id} has {available}, wanted {wanted}")
        self.account_id = account_id
        self.wanted = wanted
        self.available = available


class KeyConflictError(ConflictError):
    """The same key came with other inputs."""

    code = "idempotency_conflict"

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


accounts = table(AccountRow)
transfers = table(TransferRow)
postings = table(PostingRow)
_SAID = json.JSONEncoder(default=str)


def unit_of(name: str) -> Unit:
    """The unit of the accounts of this name."""
    return UNITS.get(name.split("_", maxsplit=1)[0], "point")


def held_name(name: str) -> str:
    """The account that holds of the accounts of this name use; KeyError for one that nothing can be held of."""
    return HELD[name]


def account(session: Session, owner: Owner, owner_id: int, name: str) -> int:
    """The number of an account, opened at its first use."""
    where = (accounts.c.owner == owner, accounts.c.owner_id == owner_id, accounts.c.name == name)
    found = session.execute(select(accounts.c.id).where(*where)).scalar()
    if found is not None:
        return int(found)
    if session.get_bind().dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as upsert

        session.execute(
            upsert(AccountRow)
            .values(owner=owner, owner_id=owner_id, name=name, unit=unit_of(name), hot=int(owner != "customer"))
            .on_conflict_do_nothing()
        )
    else:
        session.execute(
            insert(accounts).values(
                owner=owner, owner_id=owner_id, name=name, unit=unit_of(name), balance=0, hot=int(owner != "customer")
            )
        )
    return int(session.execute(select(accounts.c.id).where(*where)).scalar_one())


def balance(session: Session, account_id: int) -> int:
    """The balance of an account that is there, in its unit."""
    return int(session.execute(select(accounts.c.balance).where(accounts.c.id == account_id)).scalar_one())


def balances(session: Session, owner: Owner, owner_id: int) -> dict[str, int]:
    """Every account of an owner by name; one that was never used is not there. On the way of every `/points`."""
    return {name: int(amount) for name, _, amount in _of_owner(session, owner, owner_id)}


def held(session: Session, owner: Owner, owner_id: int) -> Held:
    """Number and balance of every account of an owner, by name."""
    return {name: (number, int(amount)) for name, number, amount in _of_owner(session, owner, owner_id)}


def _of_owner(session: Session, owner: str, owner_id: int) -> Sequence[tuple[str, int, int]]:
    return raw(session, "SELECT name, id, balance FROM accounts WHERE owner = ? AND owner_id = ?", (owner, owner_id))


def balances_of_many(session: Session, customer_ids: Sequence[int], name: str) -> dict[int, int]:
    """The balance of each customer's account of this name, by customer; those who have none are left out."""
    marks = ", ".join("?" * len(customer_ids))
    rows = raw(
        session,
        f"SELECT owner_id, balance FROM accounts WHERE owner = 'customer' AND name = ? AND owner_id IN ({marks})",  # noqa: S608
        (name, *customer_ids),
    )
    return {owner_id: int(amount) for owner_id, amount in rows}


def lock(session: Session, account_ids: Sequence[int]) -> None:
    """Hold accounts until the work ends, in id order, the shops' last, so that no two works wait for each other."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(
            select(accounts.c.id)
            .where(accounts.c.id.in_(set(account_ids)))
            .order_by(accounts.c.hot, accounts.c.id)
            .with_for_update()
        )


def held_of_many(session: Session, customer_ids: Sequence[int], name: str) -> dict[int, tuple[int, int]]:
    """Number and balance of each customer's account of this name, by customer; nobody changes them until the work ends.
    Those that another work has in hand at this moment are left out.
    """
    marks = ", ".join("?" * len(customer_ids))
    postgres = session.get_bind().dialect.name == "postgresql"
    rows = raw(
        session,
        f"SELECT owner_id, id, balance FROM accounts WHERE owner = 'customer' AND name = ? AND owner_id IN ({marks})"  # noqa: S608
        + (" ORDER BY id FOR UPDATE SKIP LOCKED" if postgres else ""),
        (name, *customer_ids),
    )
    return {owner_id: (number, int(amount)) for owner_id, number, amount in rows}


def posted(session: Session, key: str) -> int | None:
    """The number of the transfer under a key; None where nothing was posted under it."""
    return session.execute(select(transfers.c.id).where(transfers.c.key == key)).scalar()


def post(
    session: Session,
    key: str,
    kind: str,
    legs: Sequence[Leg],
    *,
    shop_id: int | None = None,
    order_id: int | None = None,
    actor: str | None = None,
    reason: str | None = None,
    inputs: Any = None,
) -> Posted:
    """Post a transfer. `inputs` is what the caller was asked for, where the legs are worked out from more than that.

    Raises KeyConflictError (same key, other inputs), UncoveredError (a covered source has too little), ValueError for an
    amount that is not above 0.
    """
    if not legs or any(leg.amount <= 0 or leg.source == leg.target for leg in legs):
        raise ValueError(f"a transfer needs legs of amounts above 0 between two accounts: {legs}")
    said = inputs if inputs is not None else [(leg.source, leg.target, leg.amount) for leg in legs]
    sealed = seal(kind, said)
    known = _known(session, key, sealed)
    if known is not None:
        return known
    lock(session, [number for leg in legs for number in (leg.source, leg.target)])
    opened = raw(
        session,
        "INSERT INTO transfers (key, hash, kind, at, legs, shop_id, order_id, actor, reason) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING RETURNING id",
        (key, sealed, kind, to_micros(now(session)), len(legs), shop_id, order_id, actor, reason),
    )
    if not opened:
        # Somebody posted under the key while we waited for the accounts.
        known = _known(session, key, sealed)
        assert known is not None
        return known
    transfer_id = int(opened[0][0])
    for leg in legs:
        session.execute(
            insert(postings).values(
                transfer_id=transfer_id, source_id=leg.source, target_id=leg.target, amount=leg.amount
            )
        )
        debit = update(accounts).where(accounts.c.id == leg.source)
        if leg.covered:
            debit = debit.where(accounts.c.balance >= leg.amount)
        done = session.execute(debit.values(balance=accounts.c.balance - leg.amount).returning(accounts.c.id))
        if done.first() is None:
            raise UncoveredError(leg.source, leg.amount, balance(session, leg.source))
        session.execute(
            update(accounts).where(accounts.c.id == leg.target).values(balance=accounts.c.balance + leg.amount)
        )
    return Posted(transfer_id, new=True)


def _known(session: Session, key: str, sealed: str) -> Posted | None:
    """The transfer under a key; raises KeyConflictError where its inputs were others."""
    row = session.execute(select(transfers.c.id, transfers.c.hash).where(transfers.c.key == key)).first()
    if row is not None and row.hash != sealed:
        raise KeyConflictError(key)
    return None if row is None else Posted(row.id, new=False)


def seal(kind: str, inputs: Any) -> str:
    """The hash of a transfer's inputs."""
    return hashlib.sha256(_SAID.encode([kind, inputs]).encode()).hexdigest()


def open_wallet(session: Session, shop_id: int, points: int) -> None:
    """Fund a new shop's wallet: the mint's debt is what all of its points come to."""
    mint = account(session, "shop", shop_id, "mint")
    wallet = account(session, "shop", shop_id, "wallet")
    post(session, f"fund:shop:{shop_id}", "fund", [Leg(mint, wallet, points, covered=False)], shop_id=shop_id)


@dataclass(frozen=True, slots=True)
class Fault:
    """What `check` found wrong, in words for a person with the database open."""

    what: str
    subject: int
    expected: int
    found: int


FAULTS_MAX = 1_000
"""Of a kind, the first so many are named."""
_BALANCES = """
WITH sides (account, moved) AS (
    SELECT target_id, amount FROM postings UNION ALL SELECT source_id, -amount FROM postings
    UNION ALL SELECT id, -balance FROM accounts
), wrong AS MATERIALIZED (SELECT account, sum(moved) AS more FROM sides GROUP BY account HAVING sum(moved) <> 0)
SELECT a.id, a.balance + more, a.balance FROM wrong JOIN accounts a ON a.id = account ORDER BY a.id LIMIT ?
"""
_BALANCES_BY_INDEX = """
SELECT id, posted, balance FROM (
    SELECT id, balance, coalesce((SELECT sum(amount) FROM postings WHERE target_id = accounts.id), 0)
    - coalesce((SELECT sum(amount) FROM postings WHERE source_id = accounts.id), 0) AS posted FROM accounts
) sums WHERE posted <> balance ORDER BY id LIMIT ?
"""
"""For SQLite, which sorts where PostgreSQL hashes: of ten million postings it sorts on the disk."""
_UNITS = """
WITH wrong AS MATERIALIZED (
    SELECT p.id FROM postings p JOIN accounts s ON s.id = p.source_id JOIN accounts t ON t.id = p.target_id
    WHERE s.unit <> t.unit
)
SELECT id, 0, 1 FROM wrong ORDER BY id LIMIT ?
"""
"""Materialized: PostgreSQL plans for a limit as if there were many faults, and looks row by row for the first."""


def check(session: Session) -> list[Fault]:
    """Prove every balance from its postings, and that none mixes units; the faults, none when all is sound. Transfers are
    proven by `seals`.

    The database adds up, so that millions of postings take no memory of ours; of each kind the first come first.
    """
    hashes = session.get_bind().dialect.name == "postgresql"
    balances = _BALANCES if hashes else _BALANCES_BY_INDEX
    return [
        Fault(what, number, int(expected), int(found))
        for what, proof in (("balance", balances), ("units", _UNITS))
        for number, expected, found in raw(session, proof, (FAULTS_MAX,))
    ]


def check_accounts(session: Session) -> list[Fault]:
    """Prove that no account is below its floor, and that each is in the unit of its name."""
    a = accounts.c
    ought = case(
        *(((a.name == word) | a.name.like(f"{word}\\_%", escape="\\"), unit) for word, unit in UNITS.items()), else_="point"
    )  # fmt: skip
    rows = session.execute(
        select(a.id, a.name, a.unit, a.balance)
        .where(((a.balance < 0) & a.name.in_(FLOORED)) | (a.unit != ought))
        .order_by(a.id)
        .limit(FAULTS_MAX)
    )
    return [
        Fault(f"{row.name} in {row.unit}", row.id, 0, 1)
        if row.unit != unit_of(row.name)
        else Fault(f"{row.name} below 0", row.id, 0, row.balance)
        for row in rows
    ]
