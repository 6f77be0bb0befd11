"""Beside the thread: who the customer is to the shop, as the colleague who answers them should know."""

from dataclasses import dataclass
from datetime import datetime
from itertools import islice

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
from support.duties import accesses
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
    noted: bool
    """That the member looked is in this day's audit already (support.duties.accesses)."""


def of(session: Session, ticket_id: int, member: Member) -> Beside:
    """The customer of a ticket. Their other tickets are only those of the member's own desks. Raises as tickets.view."""
    ticket, shop, customer, rating, noted = _opened(session, ticket_id, member)
    available, pending, _ = points.balances(session, customer.id)
    ladder, rule = qualification.rules(session)
    standing = qualification.among(session, customer.id, ladder, rule)
    wallet = vouchers.usable(session, customer.id, ticket.shop_id)
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
            Owned(offer.name, vouchers.shown(voucher.code), voucher.expires_at, voucher.state == vouchers.VoucherState.HELD)
            for voucher, offer in wallet[:VOUCHERS]
        ],
        voucher_count=len(wallet),
        orders=orders.of_customer(session, customer.id, ORDERS),
        tickets=[
            other for other in tickets.tickets_of(session, customer.id)
            if other.id != ticket_id and member.may(Right.DESK, other.shop_id)
        ][:TICKETS],
        rating=rating,
        noted=noted,
    )  # fmt: skip


def _opened(session: Session, ticket_id: int, member: Member) -> tuple[Ticket, Shop, Customer, Rating | None, bool]:
    """The ticket, whose it is, how it was rated and whether this look is noted, in one. Raises as tickets.view."""
    member.need(Right.DESK)
    t, c, r = tickets.tickets.c, customers.customers.c, ratings.ratings.c
    kinds = ((Ticket, t), (Shop, shops.shops.c), (Customer, c))
    row = session.execute(
        select(
            *(columns[name] for kind, columns in kinds for name in kind.__dataclass_fields__),
            accesses.looked(session, f"staff:{member.id}", t.customer_id), r.stars, r.comment, r.at,
        )
        .join(shops.shops, shops.shops.c.id == t.shop_id)
        .join(customers.customers, c.id == t.customer_id)
        .outerjoin(ratings.ratings, r.ticket_id == t.id)
        .where(t.id == ticket_id)
    ).first()  # fmt: skip
    if row is None or not member.may(Right.DESK, row[1]):
        raise NotFoundError("ticket", ticket_id)
    values = iter(row)
    ticket = Ticket(*islice(values, len(Ticket.__dataclass_fields__)))
    shop = Shop(*islice(values, len(Shop.__dataclass_fields__)))
    customer = Customer(*islice(values, len(Customer.__dataclass_fields__)))
    noted, *rated = values
    return ticket, shop, customer, Rating(*rated) if rated[0] is not None else None, noted
