"""Customers over the API: who they are, what they have, what happened to their points."""

import base64
import binascii
import re
from dataclasses import asdict
from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from handlers.api.bodies import NUMBER_MAX, Body, CustomerRef, Day, Name, Page, Phone, example
from handlers.api.calls import Answer, Ask, Call
from handlers.api.problems import field_error, invalid
from loyalty.customers import customers
from loyalty.outreach.segments import treatment
from loyalty.points import lots, points, statement
from loyalty.tiers import qualification
from store import shops
from store.errors import NotFoundError

GROUP = "Customers"
PAGE = 50


class NewCustomer(Body):
    model_config = example(
        {"phone": "0903 123 456", "name": "Nguyễn Thị Lan", "birthday": "1994-08-15", "language": "vi"}
    )

    phone: Phone
    name: Name | None = None
    birthday: Day | None = Field(default=None, description="As 1994-08-15.")
    language: Literal["vi", "en"] | None = Field(default=None, description="The shop's own, where it is missing.")


class ByPhone(Body):
    phone: Phone


class Expiring(BaseModel):
    points: int
    on: date | None = Field(description="The last day they can be used; null: they never expire.")


class CustomerPoints(BaseModel):
    available: int = Field(description="Below 0 where a refund took back what was already spent.")
    pending: int = Field(description="Available when the return window has ended.")
    expiring: list[Expiring] = Field(
        description="What is available, by the day it expires; adds up to `available` where that is above 0."
    )


class CustomerTier(BaseModel):
    name: str
    next: str | None = Field(description="The next tier, null at the top.")
    to_next: int = Field(
        description="Still missing to it, in what tiers are measured by: tier points, unless the shops chose đồng, visits or orders."
    )


class Spend(BaseModel):
    total: int = Field(description="đồng paid in completed orders, refunds taken off.")
    orders: int
    last_order_at: datetime | None


class Group(BaseModel):
    name: str
    discount: int = Field(description="Per cent that they are to get; nothing takes it off by itself.")
    price_list: str = Field(description="Its name, or a link to it.")
    payment_terms: str
    notes: str


class Customer(BaseModel):
    model_config = example({
        "id": 7, "phone": "+84903123456", "name": "Nguyễn Thị Lan", "birthday": "1994-08-15", "language": "vi",
        "points": {"available": 1234, "pending": 0, "expiring": [{"points": 1234, "on": "2027-11-30"}]},
        "tier": {"name": "Bạc", "next": "Vàng", "to_next": 116},
        "spend": {"total": 2_680_000, "orders": 12, "last_order_at": "2026-11-21T07:05:00Z"},
        "groups": [{"name": "Khách sỉ", "discount": 5, "price_list": "Sỉ 2026", "payment_terms": "Cuối tháng", "notes": ""}], "debt": 0,
    })  # fmt: skip

    id: int = Field(description="After a merge the number of the one who lives on.")
    phone: str | None = Field(description="E.164")
    name: str | None
    birthday: date | None
    language: str
    points: CustomerPoints
    tier: CustomerTier
    spend: Spend
    groups: list[Group] = Field(
        description="The shop's groups that the customer is in and that say how they are to be treated, the best discount first."
    )
    debt: int | None = Field(description="đồng they owe the shop by its own books; null where no import said.")


class Why(BaseModel):
    name: str = Field(description="The multiplier's name; of a tier's own `tier:` and its name.")
    percent: int


ENTRY = {
    "at": "2026-11-21T07:05:00Z", "kind": "earn", "points": 85, "balance": 1234, "order": "HD-1042",
    "expires_on": "2027-11-30", "shop": "Phố Cafe", "reason": None, "why": [{"name": "Giờ vàng", "percent": 200}],
}  # fmt: skip


class Entry(BaseModel):
    model_config = example(ENTRY)

    at: datetime
    kind: str = Field(description="earn, refund, adjust, referral, redeem, expire, merge …")
    points: int = Field(description="Signed: what it changed.")
    balance: int = Field(description="Available and pending points after it.")
    order: str | None = Field(description="The order's external id.")
    expires_on: date | None = Field(description="The last day these points can be used, in the shop's time zone.")
    shop: str | None = Field(description="The shop's name.")
    reason: str | None = Field(description="What was written beside it: an adjustment's reason, a bonus's cause.")
    why: list[Why] = Field(description="What raised or lowered the points of an order.")


class Ledger(BaseModel):
    model_config = example({"entries": [ENTRY], "next": None})

    entries: list[Entry] = Field(description="Newest first.")
    next: str | None = Field(description="The cursor of the next page, null at the end.")


def named(session: Session, ref: CustomerRef, shop: shops.Shop) -> int:
    """The customer that a body names; an unknown phone makes a guest, as an order does. Raises NotFoundError."""
    if (number := ref.number) is not None:
        return customers.resolve(session, number)
    assert ref.phone is not None
    return customers.find_or_create(session, ref.phone, language=shop.language, home_shop_id=shop.id)[0]


def known(session: Session, ref: CustomerRef) -> int | None:
    """The customer that a body names, None for a phone that nobody has yet. Raises NotFoundError for an unknown id."""
    if (number := ref.number) is not None:
        return customers.resolve(session, number)
    assert ref.phone is not None
    return customers.by_phone(session, ref.phone)


def shown(session: Session, customer_id: int, shop: shops.Shop) -> Customer:
    """A customer as the API shows them to a shop; raises NotFoundError."""
    person, zone = customers.get(session, customer_id), shop.timezone
    treated = treatment.of(session, person.id, shop.id)
    wallet = points.wallet(session, person.id, zone)
    standing = qualification.of(session, person.id)
    return Customer(
        id=person.id,
        phone=person.phone,
        name=person.name or None,
        birthday=person.birthday,
        language=person.language,
        points=CustomerPoints(
            available=wallet.available,
            pending=wallet.pending,
            expiring=[Expiring(points=part.points, on=part.on) for part in wallet.expiring],
        ),
        tier=CustomerTier(
            name=standing.tier.name, next=standing.next.name if standing.next else None, to_next=standing.to_next
        ),
        spend=Spend(total=person.spend_total, orders=person.orders_count, last_order_at=treated.last_order_at),
        groups=[Group(name=one.name, **asdict(one.policy)) for one in treated.groups],
        debt=treated.debt,
    )


async def create(ask: Ask, body: NewCustomer) -> Answer:
    new, customer = await ask.write(_register, await ask.shop(), body)
    await ask.saw(customer.id)
    return (201 if new else 200), customer


async def find(ask: Ask, query: ByPhone) -> Answer:
    customer = await ask.read(_by_phone, query.phone, await ask.shop())
    await ask.saw(customer.id)
    return 200, customer


async def get(ask: Ask) -> Answer:
    customer = await ask.read(shown, ask.number("customer"), await ask.shop())
    await ask.saw(customer.id)
    return 200, customer


async def ledger(ask: Ask, query: Page) -> Answer:
    before = _position(query.cursor) if query.cursor else None
    number = await ask.read(customers.resolve, ask.number("customer"))
    page = await ask.read(_page, number, before, (await ask.shop()).timezone)
    await ask.saw(number)
    return 200, page


def _register(session: Session, shop: shops.Shop, body: NewCustomer) -> tuple[bool, Customer]:
    customer_id, new = customers.find_or_create(
        session, body.phone, name=body.name or "", language=body.language or shop.language, home_shop_id=shop.id
    )
    person = customers.get(session, customer_id)
    # What a person said of themselves stands; only what nobody knew yet is filled in.
    learnt: dict[str, object] = {}
    if body.birthday is not None and person.birthday is None:
        learnt["birthday"] = body.birthday
    if body.name and not person.name:
        learnt["name"] = body.name
    if learnt:
        customers.change(session, person.id, **learnt)
    return new, shown(session, person.id, shop)


def _by_phone(session: Session, phone: str, shop: shops.Shop) -> Customer:
    customer_id = customers.by_phone(session, phone)
    if customer_id is None:
        raise NotFoundError("customer", phone)
    return shown(session, customer_id, shop)


def _page(session: Session, customer_id: int, before: tuple[int, int] | None, zone: str) -> Ledger:
    entries, following = statement.entries(session, customer_id, PAGE, before)
    return Ledger(entries=[entry_of(entry, zone) for entry in entries], next=_cursor(following))


def entry_of(entry: statement.Entry, zone: str) -> Entry:
    """A line of the statement as the API shows it."""
    return Entry(
        at=entry.at,
        kind=entry.kind,
        points=entry.points,
        balance=entry.balance,
        order=entry.order,
        expires_on=lots.last_day(entry.expires_at, zone) if entry.expires_at else None,
        shop=entry.shop,
        reason=entry.reason,
        why=[Why(name=name, percent=percent) for name, percent in entry.why],
    )


def _cursor(position: tuple[int, int] | None) -> str | None:
    """A place in the statement as text that nobody should build by hand."""
    if position is None:
        return None
    return base64.urlsafe_b64encode(f"{position[0]}:{position[1]}".encode()).decode().rstrip("=")


def _position(cursor: str) -> tuple[int, int]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (ValueError, binascii.Error):
        text = ""
    found = re.fullmatch(r"(\d{1,19}):(-?\d{1,19})", text, re.ASCII)
    if found is None or max(abs(int(part)) for part in found.groups()) > NUMBER_MAX:
        raise invalid(field_error("cursor", "format"))
    return int(found[1]), int(found[2])


CALLS = (
    Call(
        "POST", "/customers", GROUP, "Add a customer", create, {201: Customer, 200: Customer}, body=NewCustomer,
        words="201 for a new customer, 200 for a phone that is known: then only what nobody knew yet is filled in.",
    ),
    Call(
        "GET", "/customers", GROUP, "Find a customer by phone", find, {200: Customer}, query=ByPhone,
        refusals=["not_found"],
    ),
    Call("GET", "/customers/{id}", GROUP, "Read a customer", get, {200: Customer}, refusals=["not_found"]),
    Call(
        "GET", "/customers/{id}/ledger", GROUP, "Read a customer's points, entry by entry", ledger, {200: Ledger},
        query=Page, refusals=["not_found"],
        words=f"Available and pending points together, newest first, {PAGE} entries a page.",
    ),
)  # fmt: skip
