"""Corrections: what an owner or manager puts right on a customer, each written down with what stood before and after.

Two customers who are one person become one, a phone number is changed, an order that was missed is attached.
"""

import hashlib
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from loyalty.customers import claims, customers, directory, phones
from loyalty.customers.customers import Customer
from loyalty.orders import orders
from loyalty.orders.orders import OrderInput, OrderState, Status
from loyalty.points import points
from loyalty.referrals.referrals import referrals as referral_table
from loyalty.tiers import qualification
from loyalty.vouchers import vouchers
from store import audit, events, notices, shops
from store.base import table
from store.clock import now
from store.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError

SOURCE = "console"
"""The source of an order that was entered by hand."""
MISSED_DAYS_MAX = 366
"""So old an order may be that is entered by hand."""
KEY_SIGNS = 8


class PhoneTakenError(ConflictError):
    """Another customer has this number; `holder` is who, where they are a customer of the same shop."""

    code = "phone_taken"

    def __init__(self, holder: int | None) -> None:
        super().__init__("the number is another customer's")
        self.holder = holder


class OrderTakenError(ConflictError):
    """The order belongs to somebody already; `own` where it is the customer's own."""

    code = "order_taken"

    def __init__(self, customer_id: int, *, own: bool) -> None:
        super().__init__(f"the order is customer {customer_id}'s")
        self.customer_id = customer_id
        self.own = own


class OrderExistsError(ConflictError):
    """There is an order of this number already: it is to be attached, not entered anew."""

    code = "order_exists"


@dataclass(frozen=True, slots=True)
class Side:
    """One of two customers who are to become one: what hangs on them. Points are available and pending together."""

    customer: Customer
    points: int
    tier_points: int
    tier: str
    orders: int
    spent: int
    vouchers: int
    messengers: list[str]
    friends: int


@dataclass(frozen=True, slots=True)
class Merging:
    """What a merge would do: `gone` becomes a part of `into`, which then stands in `tier`."""

    into: Side
    gone: Side
    points: int
    tier: str


# ── Two who are one ────────────────────────────────────────────────────────────────────────────────


def find(session: Session, shop_id: int, typed: str) -> Customer:
    """A customer of this shop by phone or by the code on their card. Raises InvalidError("who")."""
    text = typed.strip()[:64]
    if not text:
        raise InvalidError("who", "empty")
    found: int | None = None
    with suppress(InvalidError):
        found = customers.by_phone(session, phones.normal(text))
    try:
        return directory.find(session, shop_id, found or customers.by_code(session, text))
    except NotFoundError:
        raise InvalidError("who", "unknown", text) from None


def merging(session: Session, shop_id: int, into_id: int, gone_id: int) -> Merging:
    """What it would be if two customers of a shop became one. Raises NotFoundError, InvalidError("who", "same")."""
    into, gone = _two(session, shop_id, into_id, gone_id)
    sides = _side(session, into), _side(session, gone)
    together = qualification.together(session, into.id, gone.id)
    return Merging(*sides, sides[0].points + sides[1].points, together.name)


def merge(
    session: Session,
    into_id: int,
    gone_id: int,
    *,
    shop_id: int,
    allowed: Collection[int],
    actor: str,
    keep_phone: str = "into",
) -> None:
    """Make two customers one: `gone` lives on as `into`, with all they have. `keep_phone` says whose number stays (`into`
    or `gone`; one that the other lacks is kept anyway). `allowed` are the shops where the actor may do this: all at which
    either bought. Raises NotFoundError, InvalidError, ForbiddenError, ConflictError (merged in the meantime).
    """
    if keep_phone not in {"into", "gone"}:
        raise InvalidError("keep_phone", "unknown", keep_phone)
    for number in sorted({into_id, gone_id}):
        # Two merges of the same people at one instant: the second waits here, and finds them merged.
        row = session.execute(
            select(customers.customers.c.merged_into).where(customers.customers.c.id == number).with_for_update()
        ).first()
        if row is None:
            raise NotFoundError("customer", number)
        if row.merged_into is not None:
            raise ConflictError(f"customer {number} is merged")
    into, gone = _two(session, shop_id, into_id, gone_id)
    if not shops_of(session, into.id, gone.id) <= set(allowed):
        raise ForbiddenError("merge across shops")
    before = [_told(_side(session, side)) for side in (into, gone)]
    claims.merge(session, into.id, gone.id)
    # The customer whose page it was keeps their own name and language; the other's fill in what is missing.
    kept: dict[str, Any] = {"language": into.language, "address": into.address or gone.address}
    if into.name:
        kept |= customers.named(into.name)
    session.execute(update(customers.customers).where(customers.customers.c.id == into.id).values(**kept))
    if into.phone and gone.phone and keep_phone == "gone":
        session.execute(
            update(customers.customers)
            .where(customers.customers.c.id == into.id)
            .values(phone=gone.phone, phone_verified_at=gone.phone_verified_at)
        )
    after = _told(_side(session, customers.get(session, into.id)))
    audit.record(
        session, actor, "customers_merged", shop_id, customer=into.id, gone=gone.id, before=before[0],
        before_gone=before[1], after=after,
    )  # fmt: skip


def shops_of(session: Session, *customer_ids: int) -> set[int]:
    """The shops where any of some customers ever ordered."""
    o = orders.orders.c
    found = session.execute(select(o.shop_id).where(o.customer_id.in_(customer_ids)).distinct())
    return set(found.scalars())


def _two(session: Session, shop_id: int, into_id: int, gone_id: int) -> tuple[Customer, Customer]:
    into, gone = directory.find(session, shop_id, into_id), directory.find(session, shop_id, gone_id)
    if into.id == gone.id:
        raise InvalidError("who", "same", gone_id)
    return into, gone


def _side(session: Session, person: Customer) -> Side:
    available, pending, tier_points = points.balances(session, person.id)
    v, r = vouchers.vouchers.c, referral_table.c
    held = select(func.count()).where(v.customer_id == person.id, v.state != vouchers.VoucherState.USED)
    friends = select(func.count()).where(r.referrer_id == person.id)
    return Side(
        person, available + pending, tier_points, qualification.of(session, person.id).tier.name,
        person.orders_count, person.spend_total, session.execute(held).scalar_one(),
        [identity.account.partition(":")[0] for identity in customers.identities_of(session, person.id)],
        session.execute(friends).scalar_one(),
    )  # fmt: skip


def _told(side: Side) -> dict[str, Any]:
    """A side as the audit keeps it: no name, no full number."""
    return {
        "points": side.points, "tier_points": side.tier_points, "orders": side.orders, "spent": side.spent,
        "vouchers": side.vouchers, "messengers": side.messengers, "phone": _masked(side.customer.phone),
        "phone_verified": side.customer.phone_verified_at is not None,
    }  # fmt: skip


# ── The number ─────────────────────────────────────────────────────────────────────────────────────


def change_phone(
    session: Session, customer_id: int, typed: str, *, shop_id: int, actor: str, sure: bool = False
) -> str:
    """Give a customer another phone number; it in E.164. Nobody has proven it is theirs: they confirm it in the chat or at
    the counter. They are told. `sure` is needed where the old one was proven.

    Raises NotFoundError, InvalidError("phone": format, same; "sure": needed), PhoneTakenError.
    """
    number = phones.normal(typed)
    person = directory.find(session, shop_id, customer_id)
    c = customers.customers.c
    session.execute(select(c.id).where(c.id == person.id).with_for_update())
    person = customers.get(session, person.id)
    if person.phone == number:
        raise InvalidError("phone", "same", number)
    if customers.by_phone(session, number) is not None:
        raise PhoneTakenError(_holder(session, shop_id, number))
    if person.phone_verified_at is not None and not sure:
        raise InvalidError("sure", "needed")
    try:
        with session.begin_nested():
            session.execute(
                update(customers.customers).where(c.id == person.id).values(phone=number, phone_verified_at=None)
            )
    except IntegrityError:
        # Somebody came with this number at this instant.
        raise PhoneTakenError(_holder(session, shop_id, number)) from None
    session.execute(delete(table(phones.PhoneCode)).where(phones.PhoneCode.customer_id == person.id))
    audit.record(
        session, actor, "phone_changed", shop_id, customer=person.id, before=_masked(person.phone),
        was_verified=person.phone_verified_at is not None, after=_masked(number),
    )  # fmt: skip
    events.happened(session, "phone_changed", customer_id=person.id, shop_id=shop_id)
    notices.tell(
        session, "phone_changed", customer_id=person.id, shop_id=shop_id, phone=_masked(number),
        shop=shops.get(session, shop_id).name, replaces=f"phone_changed:{person.id}",
    )  # fmt: skip
    return number


def _holder(session: Session, shop_id: int, number: str) -> int | None:
    """Who has a number, for a shop that knows them."""
    try:
        return directory.find(session, shop_id, customers.by_phone(session, number) or 0).id
    except NotFoundError:
        return None


def _masked(phone: str | None) -> str | None:
    return phones.masked(phone) if phone else None


# ── A missing order ────────────────────────────────────────────────────────────────────────────────


def attach_order(session: Session, customer_id: int, external_id: str, *, shop_id: int, actor: str) -> OrderState:
    """Give a customer an order of the shop that is nobody's yet: its points, its spend, all it counts for. They are told.

    Raises NotFoundError (customer), InvalidError("external_id": empty, unknown, cancelled), OrderTakenError.
    """
    person = directory.find(session, shop_id, customer_id)
    if not external_id.strip():
        raise InvalidError("external_id", "empty")
    order = orders.find(session, shop_id, external_id.strip(), lock=True)
    if order is None:
        raise InvalidError("external_id", "unknown", external_id[:40])
    if order.customer_id is not None:
        owner = customers.resolve(session, order.customer_id)
        raise OrderTakenError(owner, own=owner == person.id)
    if order.status == Status.CANCELLED:
        raise InvalidError("external_id", "cancelled", external_id[:40])
    claims.hand_over(session, order, person.id, quiet=False)
    state = orders.state(session, order.id)
    _write_down(session, "order_attached", actor, shop_id, person.id, order.external_id, order.total, state)
    return state


def add_order(
    session: Session,
    customer_id: int,
    *,
    shop_id: int,
    actor: str,
    key: str,
    total: int,
    placed_at: datetime,
    limit: int,
    external_id: str = "",
) -> OrderState:
    """Enter a paid order that never came in, for `total` đồng; without a number it gets one from `key` (the form), so that
    the same form twice is one order. The customer is told. `limit`: the most points the actor may give by hand, or an
    order would be the way round it.

    Raises NotFoundError (customer), InvalidError("total": range, limit; "placed_at", "external_id"), OrderExistsError.
    """
    person = directory.find(session, shop_id, customer_id)
    moment = now(session)
    if not moment - timedelta(days=MISSED_DAYS_MAX) <= placed_at <= moment:
        raise InvalidError("placed_at", "range", placed_at)
    if total < 1:
        raise InvalidError("total", "range", total)
    number = external_id.strip() or f"M-{hashlib.sha256(key.encode()).hexdigest()[:KEY_SIGNS].upper()}"
    known = orders.find(session, shop_id, number, lock=True)
    if known is not None:
        mine = known.customer_id is not None and customers.resolve(session, known.customer_id) == person.id
        if mine and known.source == SOURCE and (known.total, known.placed_at) == (total, placed_at):
            return orders.state(session, known.id)
        raise OrderExistsError(number)
    order = OrderInput(
        total=total, currency=shops.get(session, shop_id).currency, placed_at=placed_at, status=Status.COMPLETED,
        customer_id=person.id,
    )  # fmt: skip
    state = orders.put(session, shop_id, number, order, source=SOURCE)
    if state.earned > limit:
        raise InvalidError("total", "limit", limit)
    _write_down(session, "order_entered", actor, shop_id, person.id, number, total, state)
    return state


def _write_down(
    session: Session,
    action: str,
    actor: str,
    shop_id: int,
    customer_id: int,
    number: str,
    total: int,
    state: OrderState,
) -> None:
    audit.record(
        session, actor, action, shop_id, customer=customer_id, order=number, total=total,
        before={"customer": None}, after={"customer": customer_id, "points": state.earned - state.reversed},
    )  # fmt: skip
