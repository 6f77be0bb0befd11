"""Beside the thread: who the customer is to the shop, as the colleague who answers them should know."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty.customers import customers
from loyalty.customers.customers import Customer
from loyalty.orders import orders
from loyalty.orders.orders import Order
from loyalty.points import points
from loyalty.tiers import qualification
from loyalty.tiers.tier_rule import Standing
from loyalty.vouchers import vouchers
from store import shops
from store.errors import NotFoundError
from store.shops import Shop
from store.staff import Member, Right
from support import ratings, tickets
from support.ratings import Rating
from support.tickets import Ticket

ORDERS = 5
VOUCHERS = 5
TICKETS = 6


@dataclass(frozen=True, slots=True)
class Reach:
    """A messenger of the customer's (`telegram`, `web`), the one they used last first."""

    messenger: str
    reachable: bool


@dataclass(frozen=True, slots=True)
class Owned:
    """A voucher of theirs; `held`: an order has it at the moment."""

    name: str
    code: str
    expires_at: datetime | None
    held: bool


@dataclass(frozen=True, slots=True)
class Beside:
    """`rank` counts tiers from 0, the lowest; `voucher_count` and `tickets` include what isn't listed, `tickets` not the
    one that is open.
    """

    customer: Customer
    shop: Shop
    reaches: list[Reach]
    available: int
    pending: int
    tier: str
    rank: int
    standing: Standing
    next_tier: str | None
    to_next: int
    vouchers: list[Owned]
    voucher_count: int
    orders: list[Order]
    tickets: list[Ticket]
    rating: Rating | None


def of(session: Session, ticket_id: int, member: Member) -> Beside:
    """The customer of a ticket. Their other tickets are only those of the member's own desks. Raises as tickets.view."""
    ticket, shop, rating = _opened(session, ticket_id, member)
    customer = customers.get(session, ticket.customer_id)
    available, pending, _ = points.balances(session, customer.id)
    ladder, rule = qualification.rules(session)
    standing = qualification.among(session, customer.id, ladder, rule)
    wallet = vouchers.wallet(session, customer.id, shop_id=ticket.shop_id)
    return Beside(
        customer=customer,
        shop=shop,
        reaches=[
            Reach(identity.account.split(":")[0], identity.reachable)
            for identity in customers.identities_of(session, customer.id)
        ],
        available=available,
        pending=pending,
        tier=standing.tier.name,
        rank=ladder.index(standing.tier),
        standing=standing,
        next_tier=standing.next.name if standing.next else None,
        to_next=standing.to_next,
        vouchers=[
            Owned(held.program.name, vouchers.shown(held.voucher.code), held.voucher.expires_at,
                  held.voucher.state == vouchers.VoucherState.HELD)
            for held in wallet[:VOUCHERS]
        ],
        voucher_count=len(wallet),
        orders=orders.of_customer(session, customer.id, ORDERS),
        tickets=[
            other for other in tickets.tickets_of(session, customer.id)
            if other.id != ticket_id and member.may(Right.DESK, other.shop_id)
        ][:TICKETS],
        rating=rating,
    )  # fmt: skip


def _opened(session: Session, ticket_id: int, member: Member) -> tuple[Ticket, Shop, Rating | None]:
    """The ticket, whose it is and how it was rated, in one look. Raises as tickets.view."""
    member.need(Right.DESK)
    t, r = tickets.tickets.c, ratings.ratings.c
    parts = [
        [t[name] for name in Ticket.__dataclass_fields__],
        [shops.shops.c[name] for name in Shop.__dataclass_fields__],
    ]
    row = session.execute(
        select(*parts[0], *parts[1], r.stars, r.comment, r.at)
        .join(shops.shops, shops.shops.c.id == t.shop_id)
        .outerjoin(ratings.ratings, r.ticket_id == t.id)
        .where(t.id == ticket_id)
    ).first()
    if row is None or not member.may(Right.DESK, row[1]):
        raise NotFoundError("ticket", ticket_id)
    ticket, shop = Ticket(*row[: len(parts[0])]), Shop(*row[len(parts[0]) : -3])
    return ticket, shop, Rating(*row[-3:]) if row[-3] is not None else None
