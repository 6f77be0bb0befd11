"""The buyers of many orders at once: found by phone and locked, new ones given numbers, all written by a few statements."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from loyalty.customers import customers
from loyalty.orders.imports import OrderLine
from loyalty.points import ledger
from store import secret, shops
from store.base import draw_numbers, insert_rows, raw_many, to_micros
from store.clock import now
from store.text import fold

_c, _a = customers.customers.c, ledger.accounts.c
_BY_PHONE = select(_c.id, _c.phone).where(_c.phone.in_(bindparam("phones", expanding=True))).order_by(_c.id)
_HELD = (
    # Locked in the order of ledger.lock, the shop's own last.
    select(_a.id, _a.owner, _a.owner_id, _a.name, _a.balance)
    .where(
        ((_a.owner == "customer") & _a.owner_id.in_(bindparam("owners", expanding=True)))
        | _a.id.in_(bindparam("shared", expanding=True))
    )
    .order_by(_a.hot, _a.id)
    .with_for_update()
)
_FACTS = (
    select(_c.id, _c.tier_id, _c.spend_total, _c.orders_count, _c.first_order_at, _c.last_order_at)
    .where(_c.id.in_(bindparam("numbers", expanding=True)))
    .order_by(_c.id)
    .with_for_update()
)
_ACCOUNTS = ("available", "pending", "tier")


@dataclass(slots=True)
class Buyer:
    """A customer of the batch, as the rows so far leave them."""

    id: int
    new: bool
    phone: str
    name: str
    accounts: dict[str, int]
    balances: dict[str, int]
    tier_was: int | None = None
    tier_id: int | None = None
    spend: int = 0
    count: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None


def find_buyers(session: Session, lines: Sequence[OrderLine], shared: list[int]) -> dict[str, Buyer] | None:
    """The customers of some rows by phone, their accounts locked; new ones have numbers, but are not written yet.
    None where one lacks an account.
    """
    names = {line.order.phone or "": line.order.name for line in reversed(lines)}
    ids: dict[int, str] = {row.id: row.phone for row in session.execute(_BY_PHONE, {"phones": list(names)})}
    held = session.execute(_HELD, {"owners": list(ids), "shared": shared}).all()
    buyers: dict[str, Buyer] = {}
    if ids:
        for customer_id, tier_id, *facts in session.execute(_FACTS, {"numbers": list(ids)}):
            phone = ids[customer_id]
            buyers[phone] = Buyer(customer_id, False, phone, "", {}, {}, tier_id, tier_id, *facts)
        for number, owner, owner_id, name, balance in held:
            if owner == "customer":
                buyer = buyers[ids[owner_id]]
                buyer.accounts[name], buyer.balances[name] = number, balance
        if any(len(buyer.accounts) < len(_ACCOUNTS) for buyer in buyers.values()):
            return None
    # In the order of the rows, so that the earlier buyer has the smaller number, as when they come one by one.
    strangers = [phone for phone in dict.fromkeys(line.order.phone or "" for line in lines) if phone not in buyers]
    opened = iter(draw_numbers(session, ledger.accounts, len(strangers) * len(_ACCOUNTS)))
    for customer_id, phone in zip(draw_numbers(session, customers.customers, len(strangers)), strangers, strict=True):
        buyers[phone] = Buyer(
            customer_id, True, phone, names[phone],
            {name: next(opened) for name in _ACCOUNTS}, dict.fromkeys(_ACCOUNTS, 0),
        )  # fmt: skip
    return buyers


def open_new(session: Session, shop: shops.Shop, buyers: Collection[Buyer], change: dict[int, int]) -> None:
    """Write the new ones with their accounts, which take their balances out of `change` (by account)."""
    at = to_micros(now(session))
    strangers = [buyer for buyer in buyers if buyer.new]
    insert_rows(
        session,
        "customers",
        "id, phone, name, folded, language, code, tags, home_shop_id, tier_id, advertising, joined_at, spend_total, "
        "orders_count, first_order_at, last_order_at",
        [
            (
                buyer.id, buyer.phone, buyer.name, fold(buyer.name), shop.language, secret.code(customers.CODE_SIGNS),
                "[]", shop.id, buyer.tier_id, False, at, buyer.spend, buyer.count, _micros(buyer.first_at), _micros(buyer.last_at),
            )
            for buyer in strangers
        ],
    )  # fmt: skip
    insert_rows(
        session,
        "accounts",
        "id, owner, owner_id, name, unit, balance, hot",
        [
            (number, "customer", buyer.id, name, ledger.unit_of(name), change.pop(number, 0), 0)
            for buyer in strangers
            for name, number in buyer.accounts.items()
        ],
    )


def keep_known(session: Session, buyers: Collection[Buyer]) -> None:
    """Write what the orders made of those who were known."""
    known = [buyer for buyer in buyers if not buyer.new]
    raw_many(
        session,
        "UPDATE customers SET spend_total = ?, orders_count = ?, first_order_at = ?, last_order_at = ? WHERE id = ?",
        [(buyer.spend, buyer.count, _micros(buyer.first_at), _micros(buyer.last_at), buyer.id) for buyer in known],
    )
    risen: defaultdict[int | None, list[int]] = defaultdict(list)
    for buyer in known:
        if buyer.tier_id != buyer.tier_was:
            risen[buyer.tier_id].append(buyer.id)
    for tier_id, ids in risen.items():
        table = customers.customers
        session.execute(sa.update(table).where(table.c.id.in_(ids)).values(tier_id=tier_id))


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)
