"""Many orders at once: what `orders.put` does to one, done to a batch of an import's rows by set-based statements.

The same pure functions decide what an order gives; the batch looks up what it needs by a few queries, works in memory in
the order of the rows, and writes table by table. Whatever is not plainly a new order goes the way of one order: one that
is there already and changed, a row that comes twice, a friend for whose referral it counts, a wallet that may run
dry. All rows of a customer go the same way, so that their order is kept.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.customers import customers
from loyalty.orders import bought as names
from loyalty.orders import earning, earning_rules, order_earning, orders
from loyalty.orders.buyers import Buyer, find_buyers, keep_known, open_new
from loyalty.orders.earning import Plan
from loyalty.orders.earning_rules import Basket
from loyalty.orders.imports import OrderLine, Taken
from loyalty.orders.orders import Status
from loyalty.points import ledger, lots, points
from loyalty.referrals import referrals
from loyalty.tiers import qualification, tiers
from loyalty.tiers.tier_rule import Facts, qualify
from store import shops
from store.base import draw_numbers, insert_rows, to_micros, update_rows
from store.clock import now
from store.errors import InvalidError, RuleError

_o, _c, _r = orders.orders.c, customers.customers.c, referrals.referrals.c
# Built once: SQLAlchemy looks at each of a thousand values when a list is put into a statement, not when it is sent along.
_KNOWN = (
    select(_o.external_id, _o.total, _o.refunded, _o.status, _c.phone, _o.placed_at, _o["items"], _o.version)
    .outerjoin(customers.customers, _c.id == _o.customer_id)
    .where(_o.shop_id == bindparam("shop"), _o.external_id.in_(bindparam("ids", expanding=True)))
)
_SPECIAL = (
    select(_c.phone)
    .outerjoin(referrals.referrals, (_r.friend_id == _c.id) & (_r.state != "refused") & _r.counting)
    .where(_c.phone.in_(bindparam("phones", expanding=True)), _r.id.is_not(None) | _c.merged_into.is_not(None))
)


@dataclass(slots=True)
class _Writes:
    """The rows to be written, in the columns' order of the statements below."""

    orders: list[Sequence[Any]] = field(default_factory=list)
    items: dict[int, Sequence[dict[str, Any]]] = field(default_factory=dict)
    """By order, of those that have any."""
    transfers: list[Sequence[Any]] = field(default_factory=list)
    postings: list[Sequence[Any]] = field(default_factory=list)
    lots: list[Sequence[Any]] = field(default_factory=list)
    lot_moves: list[Sequence[Any]] = field(default_factory=list)
    tier_changes: list[Sequence[Any]] = field(default_factory=list)


def take_orders(session: Session, shop_id: int, lines: Sequence[OrderLine]) -> Taken:
    """Take a batch of an import's orders in. Rows that the rules refuse are in the answer; the others stand."""
    taken = Taken()
    shop = shops.get(session, shop_id)
    moment = now(session)
    sound: list[OrderLine] = []
    for line in lines:
        try:
            orders.checked(line.order, shop.currency, moment)
            if line.order.phone is None:
                raise InvalidError("phone", "missing")  # refused as every other row is
        except RuleError as error:
            taken.refused.append((line.line, error))
        else:
            sound.append(line)
    if not sound:
        return taken
    known = _known(session, shop_id, sound)
    fresh, one_by_one = _sorted_out(session, sound, known, taken)
    if fresh:
        try:
            with session.begin_nested():
                whole = _put_all(session, shop, fresh)
        except IntegrityError:
            # Another process took one of these orders or buyers in at this instant.
            whole = False
        if whole:
            taken.new += len(fresh)
        else:
            one_by_one = sorted([*one_by_one, *fresh], key=lambda line: line.line)
    for line in one_by_one:
        _put_one(session, shop_id, line, known, taken)
    return taken


def _known(session: Session, shop_id: int, lines: Sequence[OrderLine]) -> dict[str, tuple[Any, ...]]:
    """What is there of these orders already, by external id: all that `orders.put` compares, and the buyer's phone."""
    rows = session.execute(_KNOWN, {"shop": shop_id, "ids": list({line.external_id for line in lines})})
    return {row[0]: tuple(row[1:]) for row in rows}


def _sorted_out(
    session: Session, lines: Sequence[OrderLine], known: dict[str, tuple[Any, ...]], taken: Taken
) -> tuple[list[OrderLine], list[OrderLine]]:
    """Rows to be put all at once, and rows to be put one by one; those that change nothing are counted and left out."""
    changing: list[OrderLine] = []
    seen: dict[str, OrderLine] = {}
    odd: set[str | None] = set()
    for line in lines:
        order = line.order
        was = known.get(line.external_id)
        twin = seen.setdefault(line.external_id, line)
        if twin is not line:
            odd |= {order.phone, twin.order.phone}
        elif was is not None:
            told = (order.total, orders.refunded_of(order), order.status.value, order.phone, order.placed_at)
            if told == was[:-2] and was[-1] and list(order.items or was[-2]) == was[-2]:
                taken.same += 1
                continue
            odd.add(order.phone)
        changing.append(line)
    odd |= _with_referral(session, {line.order.phone for line in changing} - odd)
    fresh = [line for line in changing if line.order.phone not in odd]
    return fresh, [line for line in changing if line.order.phone in odd]


def _with_referral(session: Session, numbers: set[str | None]) -> set[str | None]:
    """Phones of friends for whose referral a further order counts, and of merged customers."""
    return set(session.execute(_SPECIAL, {"phones": list(numbers)}).scalars())


def _put_one(session: Session, shop_id: int, line: OrderLine, known: dict[str, tuple[Any, ...]], taken: Taken) -> None:
    there = known.get(line.external_id) or orders.find(session, shop_id, line.external_id)
    try:
        with session.begin_nested():
            orders.put(session, shop_id, line.external_id, line.order, source=orders.IMPORT, quiet=True)
            points.expire_due(session)
    except RuleError as error:
        taken.refused.append((line.line, error))
        return
    taken.changed += there is not None
    taken.new += there is None


def _put_all(session: Session, shop: shops.Shop, lines: Sequence[OrderLine]) -> bool:
    """Put new orders; False, and nothing written, where the wallet may not hold what they give, or where the plan asks for
    a tier that is only known once the batch stands.
    """
    plan, ladder = earning.current(session, shop.id), tiers.every(session)
    asks = any(one.tiers for one in plan.rules.multipliers) or any(tier.multiplier != 100 for tier in ladder)
    if asks and not qualification.policy(session).by_account:
        return False
    most = max([100, *(one.percent for one in plan.rules.multipliers), *(tier.multiplier for tier in ladder)])
    expected = sum(line.order.total * most // (100 * plan.rules.earn_per) for line in lines)
    held = {name: ledger.account(session, "shop", shop.id, name) for name in ("wallet", "tier_source", "expired")}
    buyers = find_buyers(session, lines, list(held.values()))
    if buyers is None or ledger.balance(session, held["wallet"]) < expected:
        return False
    writes = _worked_out(session, shop, plan, lines, buyers, held)
    _write(session, shop, buyers, writes)
    if not qualification.policy(session).by_account:
        ids = sorted(buyer.id for buyer in buyers.values())
        qualification.retier_many(session, ids, shop.id, quiet=True, eventful=False)
    return True


def _worked_out(
    session: Session,
    shop: shops.Shop,
    plan: Plan,
    lines: Sequence[OrderLine],
    buyers: dict[str, Buyer],
    held: dict[str, int],
) -> _Writes:
    writes = _Writes()
    moment = now(session)
    at = to_micros(moment)
    common, rules = programme.get(session), plan.rules
    ladder, rule = tiers.every(session), qualification.policy(session)
    order_ids = iter(draw_numbers(session, orders.orders, len(lines)))
    transfer_ids = iter(draw_numbers(session, ledger.transfers, 2 * len(lines)))
    lot_ids = iter(draw_numbers(session, lots.lots, len(lines)))
    by_id = {tier.id: tier for tier in ladder}
    plain = not rules.multipliers and all(tier.multiplier == 100 for tier in ladder)
    for line in lines:
        order = line.order
        buyer = buyers[order.phone or ""]
        bought = order.status in order_earning.BOUGHT
        refunded = orders.refunded_of(order)
        paid = order.total - refunded if bought else 0
        basket = Basket(order.total, order.total, refunded, order.items)
        found, kept = earning_rules.PLAIN, dict[str, Any]()
        if not plain:
            tier = by_id.get(buyer.tier_id or 0, ladder[0])
            who = earning_rules.Who(tier.id, tier.name, tier.multiplier, buyer.count + 1)
            found = earning_rules.context(rules, who, order.placed_at, shop.timezone, shop.id)
            kept = earning_rules.kept(rules, found, basket)
        gone = refunded >= order.total and (order.total > 0 or order.status is Status.REFUNDED)
        stands = earning_rules.gives(rules, found, basket, nothing_stays=gone or not bought)
        want, want_tier = stands.points, stands.tier_points
        earned = earning_rules.gives(rules, found, replace(basket, refunded=0)).points if bought else 0
        order_id, placed_at = next(order_ids), to_micros(order.placed_at)
        writes.orders.append((
            order_id, shop.id, line.external_id, buyer.id, order.total, refunded, order.currency, order.status.value,
            json.dumps(list(order.items)) if order.items else "[]", orders.IMPORT, placed_at, at, 1,
            rules.earn_per if bought else None, rules.tier_per if bought else None, plan.id if bought else None,
            (json.dumps(kept) if kept else "{}") if bought else None, earned, want, want_tier, paid,
        ))  # fmt: skip
        if order.items:
            writes.items[order_id] = order.items
        if want or want_tier:
            until = order_earning.held_until(order.placed_at, shop.return_days, moment)
            into = "pending" if until else "available"
            legs: list[tuple[int, int, int]] = []
            if want:
                legs.append((held["wallet"], buyer.accounts[into], want))
            if want_tier:
                legs.append((held["tier_source"], buyer.accounts["tier"], want_tier))
            transfer_id = next(transfer_ids)
            _transfer(writes, transfer_id, f"earn:order:{order_id}:1", "earn", at, legs, shop.id, order_id)
            buyer.balances[into] += want
            buyer.balances["tier"] += want_tier
            if want:
                expires_at = programme.expires_at(
                    order.placed_at, common.expiry_months, shop.timezone, common.expiry_rule
                )
                left = want if until else lots.after_debt(buyer.balances["available"], want)
                lot_id = next(lot_ids)
                if left and until is None and expires_at is not None and expires_at <= moment:
                    over = [(buyer.accounts["available"], held["expired"], left)]
                    expired_id = next(transfer_ids)
                    _transfer(writes, expired_id, f"expire:lot:{lot_id}:0", "expire", at, over, shop.id, None)
                    writes.lot_moves.append((lot_id, expired_id, -left))
                    buyer.balances["available"] -= left
                    left = 0
                writes.lots.append((
                    lot_id, buyer.id, shop.id, transfer_id, order_id, want, left, placed_at,
                    None if expires_at is None else to_micros(expires_at), None if until is None else to_micros(until),
                ))  # fmt: skip
        buyer.spend += paid
        if paid:
            buyer.count += 1
            buyer.first_at = order.placed_at if buyer.first_at is None else min(buyer.first_at, order.placed_at)
            buyer.last_at = order.placed_at if buyer.last_at is None else max(buyer.last_at, order.placed_at)
        if not rule.by_account:
            continue  # judged when all of the batch stands
        tier_points = buyer.balances["tier"]
        reached = qualify(ladder, rule, Facts(buyer.tier_id, tier_points, tier_points), moment).tier.id
        if reached != buyer.tier_id:
            if reached != (buyer.tier_id or ladder[0].id):
                writes.tier_changes.append((buyer.id, buyer.tier_id, reached, at))
            buyer.tier_id = reached
    return writes


def _transfer(
    writes: _Writes,
    transfer_id: int,
    key: str,
    kind: str,
    at: int,
    legs: list[tuple[int, int, int]],
    shop_id: int,
    order_id: int | None,
) -> None:
    writes.transfers.append((transfer_id, key, ledger.seal(kind, legs), kind, at, len(legs), shop_id, order_id))
    for leg in legs:
        writes.postings.append((transfer_id, *leg))


def _write(session: Session, shop: shops.Shop, buyers: dict[str, Buyer], writes: _Writes) -> None:
    change: defaultdict[int, int] = defaultdict(int)
    for _, source, target, amount in writes.postings:
        change[source] -= amount
        change[target] += amount
    open_new(session, shop, buyers.values(), change)
    insert_rows(
        session,
        "orders",
        "id, shop_id, external_id, customer_id, total, refunded, currency, status, items, source, placed_at, changed_at, "
        "version, earn_per, tier_per, plan_id, context, earned, standing, standing_tier, counted",
        writes.orders,
    )
    names.keep_new(session, writes.items)
    insert_rows(session, "transfers", "id, key, hash, kind, at, legs, shop_id, order_id", writes.transfers)
    insert_rows(session, "postings", "transfer_id, source_id, target_id, amount", writes.postings)
    insert_rows(
        session,
        "lots",
        "id, customer_id, shop_id, transfer_id, order_id, amount, remaining, earned_at, expires_at, pending_until",
        writes.lots,
    )
    insert_rows(session, "lot_moves", "lot_id, transfer_id, amount", writes.lot_moves)
    insert_rows(session, "tier_changes", "customer_id, from_id, to_id, at", writes.tier_changes)
    update_rows(session, "accounts", "balance = balance + v.column2", sorted(change.items()))
    keep_known(session, buyers.values())
