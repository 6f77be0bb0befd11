"""Claims: a guest becomes the account. A proven phone or a receipt's link brings what was earned before to the person."""

from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from loyalty import recognition
from loyalty.customers import customers, facts
from loyalty.orders import orders
from loyalty.outreach import consents
from loyalty.outreach.journeys import runs
from loyalty.outreach.segments import lists
from loyalty.points import adjustments, bonuses, gifts, points
from loyalty.referrals import referral_merges, referrals
from loyalty.tiers import qualification, tier_gifts
from loyalty.vouchers import redemptions, voucher_gifts, vouchers
from store import events, shops
from store.clock import now
from store.errors import ConflictError, NotFoundError


class AlreadyClaimedError(ConflictError):
    """The receipt was claimed before; `own` by the one who asks again."""

    code = "already_claimed"

    def __init__(self, *, own: bool) -> None:
        super().__init__("claimed")
        self.own = own


@dataclass(frozen=True, slots=True)
class Claimed:
    """`customer_id` is who the person is from now on; `points` what the claim brought them."""

    customer_id: int
    points: int
    order: str | None = None
    shop: str | None = None


def prove_phone(session: Session, customer_id: int, phone: str) -> Claimed:
    """A person proved that an E.164 number is theirs. A customer who has it already (a guest of the till, the same person
    on another messenger) and this one become one: the number's holder lives on, for other systems know their number.
    """
    holder = customers.by_phone(session, phone)
    before = points.balances(session, customer_id)
    if holder is None or holder == customer_id:
        session.execute(
            update(customers.customers)
            .where(customers.customers.c.id == customer_id)
            .values(phone=phone, phone_verified_at=now(session))
        )
        _settle(session, customer_id)
        return Claimed(customer_id, 0)
    merge(session, holder, customer_id)
    session.execute(
        update(customers.customers).where(customers.customers.c.id == holder).values(phone_verified_at=now(session))
    )
    _settle(session, holder)
    after = points.balances(session, holder)
    return Claimed(holder, max(0, after[0] + after[1] - before[0] - before[1]))


def claim_order(session: Session, customer_id: int, token: str) -> Claimed:
    """A person opened a receipt's claim link. Raises NotFoundError (no such receipt), AlreadyClaimedError."""
    row = session.execute(
        select(orders.orders.c.id).where(orders.orders.c.claim_token == token).with_for_update()
    ).scalar()
    if row is None:
        raise NotFoundError("receipt", "")
    order = orders.get(session, row)
    shop = shops.get(session, order.shop_id)
    before = points.balances(session, customer_id)
    if order.customer_id is None:
        hand_over(session, order, customer_id, quiet=True)
        owner = customer_id
    else:
        owner = customers.resolve(session, order.customer_id)
        if owner == customer_id:
            raise AlreadyClaimedError(own=True)
        if customers.identities_of(session, owner):
            raise AlreadyClaimedError(own=False)
        merge(session, owner, customer_id)
        _settle(session, owner)
    after = points.balances(session, owner)
    gained = after[0] + after[1] - before[0] - before[1]
    return Claimed(owner, gained, order.external_id, shop.name)


def hand_over(session: Session, order: orders.Order, customer_id: int, *, quiet: bool) -> None:
    """Give a locked order that is nobody's yet to a customer, with all it counts for."""
    session.execute(
        update(orders.orders)
        .where(orders.orders.c.id == order.id)
        .values(customer_id=customer_id, version=order.version + 1)
    )
    orders.settle(session, order.id, quiet=quiet)


def merge(session: Session, into_id: int, from_id: int) -> None:
    """Make two customers one: `from_id` lives on as `into_id`, with points, lots, orders, vouchers and accounts.

    Repeatable. What the survivor doesn't know of itself (name, birthday, address, phone) it takes from the other.
    """
    if into_id == from_id:
        return
    c = customers.customers.c
    into, gone = customers.get(session, into_id), customers.get(session, from_id)
    if into.id == gone.id:
        return
    every = shops.every(session)
    points.move_to(session, gone.id, into.id, into.home_shop_id or gone.home_shop_id or every[0].id)
    for move in MOVES:
        move(session, gone.id, into.id)
    # The one who talks to us knows best how they are called and spoken to.
    known = {
        **customers.named(gone.name or into.name), "language": gone.language, "address": gone.address or into.address,
        "birthday": into.birthday or gone.birthday, "home_shop_id": into.home_shop_id or gone.home_shop_id,
        "joined_at": min(into.joined_at, gone.joined_at),
        "tags": sorted({*into.tags, *gone.tags}), "spend_total": into.spend_total + gone.spend_total,
        "orders_count": into.orders_count + gone.orders_count,
        "first_order_at": min(filter(None, (into.first_order_at, gone.first_order_at)), default=None),
        "last_order_at": max(filter(None, (into.last_order_at, gone.last_order_at)), default=None),
    }  # fmt: skip
    session.execute(update(customers.customers).where(c.id == gone.id).values(merged_into=into.id, phone=None))
    if into.phone is None and gone.phone is not None:
        known |= {"phone": gone.phone, "phone_verified_at": gone.phone_verified_at}
    session.execute(update(customers.customers).where(c.id == into.id).values(**known))
    qualification.retier(session, into.id, into.home_shop_id, quiet=True)
    events.happened(session, "merged", customer_id=into.id, gone=gone.id)


def _move_identities(session: Session, from_id: int, to_id: int) -> None:
    session.execute(
        update(customers.identities).where(customers.identities.c.customer_id == from_id).values(customer_id=to_id)
    )


def _move_orders(session: Session, from_id: int, to_id: int) -> None:
    session.execute(update(orders.orders).where(orders.orders.c.customer_id == from_id).values(customer_id=to_id))


MOVES = [
    _move_identities,
    _move_orders,
    referral_merges.move,
    vouchers.move,
    redemptions.move,
    voucher_gifts.move,
    *recognition.MOVES,
    tier_gifts.move,
    qualification.forget,
    bonuses.move,
    gifts.move,
    adjustments.move,
    consents.move,
    facts.move,
    lists.move,
    runs.move,
]
"""What hangs on a customer and goes along in a merge; each noun that refers to customers adds its own line here."""


def _settle(session: Session, customer_id: int) -> None:
    if customers.get(session, customer_id).phone_verified_at is not None:
        events.happened(session, "phone_proven", customer_id=customer_id)
    referrals.settle_friend(session, customer_id)
