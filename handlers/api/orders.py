"""Orders over the API: a till or a web shop tells what was bought, and learns what it earned."""

from datetime import datetime

from pydantic import BaseModel, Field, JsonValue
from sqlalchemy.orm import Session

from handlers.api.bodies import Body, CustomerRef, Moment, Money, RowNumber, example, keepable
from handlers.api.calls import Answer, Ask, Call
from handlers.web.site import Site
from loyalty.customers import customers
from loyalty.orders import arrivals, orders
from loyalty.orders.orders import Status
from store.errors import NotFoundError

GROUP = "Orders"
ITEMS_MAX = 1_000
_ITEMS_WORDS = """What was bought, in whatever fields you keep. Read of them are `name`, `sku`, `category`, `price` and \
`quantity` (or the line's `total`), and what of the line went back: `refunded` in đồng, the total so far, or \
`refunded_quantity`."""


class OrderBody(Body):
    model_config = example({
        "customer": {"phone": "0903 123 456"}, "total": 85_000, "currency": "VND",
        "placed_at": "2026-11-21T14:05:00+07:00", "status": "completed",
        "items": [{"name": "Cà phê sữa đá", "quantity": 2, "price": 42_500}],
    })  # fmt: skip

    customer: CustomerRef | None = Field(
        default=None, description="null: nobody yet, the receipt's link claims it. A new phone makes a guest."
    )
    total: Money = Field(description="Paid, in đồng.")
    currency: str = Field(max_length=3)
    placed_at: Moment = Field(description="With its zone: 2026-11-21T14:05:00+07:00.")
    status: Status
    refunded: Money | None = Field(
        default=None, description="Given back so far, of `total`. Missing in an order that is refunded: all of it."
    )
    listed: Money | None = Field(
        default=None,
        description="In đồng, before vouchers and points paid a part; missing: `total` and what `redemptions` took off.",
    )
    items: list[dict[str, JsonValue]] | None = Field(default=None, max_length=ITEMS_MAX, description=_ITEMS_WORDS)
    delivered_at: Moment | None = Field(
        default=None, description="When it reached its buyer; the first word on it stands."
    )
    redemptions: list[RowNumber] | None = Field(
        default=None, max_length=ITEMS_MAX, description="Reserved vouchers that the order uses: confirmed with it."
    )


class OrderPoints(BaseModel):
    earned: int = Field(description="What its total gave.")
    pending: int = Field(description="Of those, waiting for the return window to end.")
    reversed: int = Field(description="What refunds took back.")


class Order(BaseModel):
    model_config = example({
        "external_id": "HD-1042", "customer_id": 7, "status": "completed",
        "points": {"earned": 85, "pending": 0, "reversed": 0}, "claim_url": "https://t.me/phocafe_bot?start=c_Zx81bQ",
    })  # fmt: skip

    external_id: str
    customer_id: int | None
    status: Status
    points: OrderPoints
    claim_url: str | None = Field(
        default=None, exclude_if=lambda url: url is None,
        description="For the receipt; there while nobody with a messenger account owns the order.",
    )  # fmt: skip


async def put(ask: Ask, body: OrderBody) -> Answer:
    order = orders.OrderInput(
        total=body.total,
        currency=body.currency,
        placed_at=body.placed_at,
        status=body.status,
        customer_id=body.customer.number if body.customer else None,
        phone=body.customer.phone if body.customer else None,
        refunded=body.refunded,
        items=body.items or [],
        redemptions=body.redemptions or (),
        listed=body.listed,
    )
    state, token = await ask.write(_put, ask.shop_id, _external_id(ask), order, body.delivered_at)
    return 200, _shown(state, ask.site, token)


async def get(ask: Ask) -> Answer:
    state, token = await ask.read(_get, ask.shop_id, _external_id(ask))
    return 200, _shown(state, ask.site, token)


def _external_id(ask: Ask) -> str:
    keepable(dict(ask.request.match_info))
    return ask.request.match_info["external_id"]


def _put(
    session: Session, shop_id: int, external_id: str, order: orders.OrderInput, delivered_at: datetime | None
) -> tuple[orders.OrderState, str | None]:
    state = orders.put(session, shop_id, external_id, order)
    if delivered_at is not None:
        arrivals.report(session, state.id, delivered_at)
    return state, _open_token(session, state)


def _get(session: Session, shop_id: int, external_id: str) -> tuple[orders.OrderState, str | None]:
    order = orders.find(session, shop_id, external_id)
    if order is None:
        raise NotFoundError("order", external_id)
    state = orders.state(session, order.id)
    return state, _open_token(session, state)


def _open_token(session: Session, state: orders.OrderState) -> str | None:
    """The receipt's token while it is worth something: until somebody with a messenger account owns the order."""
    owned = state.customer_id is not None and customers.identities_of(session, state.customer_id)
    return None if owned else state.claim_token


def _shown(state: orders.OrderState, site: Site, token: str | None) -> Order:
    return Order(
        external_id=state.external_id,
        customer_id=state.customer_id,
        status=Status(state.status),
        points=OrderPoints(earned=state.earned, pending=state.pending, reversed=state.reversed),
        claim_url=claim_url(site, token) if token else None,
    )


def claim_url(site: Site, token: str) -> str:
    """The link of a receipt: to Telegram where the shop is there, else to the web chat."""
    links = {messenger.casefold(): link for messenger, link in site.links(f"c_{token}")}
    return links.get("telegram") or f"{site.public_url}/chat?start=c_{token}"


_PUT_WORDS = """Put it again whenever it changes: the same body again changes nothing, a new status or a larger `refunded` \
counts once. Points are what the rule gives for what stays paid. The id is yours, up to 100 signs, unique in your shop."""

CALLS = (
    Call(
        "PUT", "/orders/{external_id}", GROUP, "Take an order in or change it", put, {200: Order}, body=OrderBody,
        refusals=["not_found", "conflict", "redemption_settled"], words=_PUT_WORDS,
    ),
    Call("GET", "/orders/{external_id}", GROUP, "Read an order", get, {200: Order}, refusals=["not_found"]),
)  # fmt: skip
