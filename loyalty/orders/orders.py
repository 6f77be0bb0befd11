"""Orders: what a shop's till or web shop says was bought. They earn points; a refund takes back what it must.

After any number of refunds what stays is what the rule gives for what stays paid. An order keeps the plan and the
circumstances it first earned by (loyalty.orders.earning), so a changed plan never changes an old order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Text, UniqueConstraint, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty import recognition
from loyalty.customers import customers
from loyalty.orders import bought, earning_rules, order_earning, order_lines
from loyalty.points import lots
from loyalty.referrals import referrals
from loyalty.tiers import qualification
from loyalty.vouchers import order_vouchers, redemptions
from store import events, notices, secret, shops
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ConflictError, InvalidError, NotFoundError
from store.prepared import Prepared

MONEY_MAX = 1_000_000_000_000
"""đồng; more than this is a slip of the finger."""
FUTURE_MAX = timedelta(days=1)
EXTERNAL_ID_CHARS_MAX = 100
IMPORT = "import"
"""The source of an order that came in a file."""


class Status(StrEnum):
    PENDING = "pending"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


class OrderRow(Base):
    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("shop_id", "external_id"),
        Index("ix_orders_customer", "customer_id", "placed_at"),
        # Who bought in a time is read off the index alone.
        Index("ix_orders_placed", "shop_id", "placed_at", "customer_id", "status", "total", "refunded"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    external_id: Mapped[str] = mapped_column(Text)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"))
    total: Mapped[int]
    """Paid, in the smallest unit of the currency (đồng)."""
    refunded: Mapped[int]
    """Given back so far, of `total`."""
    currency: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    items: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    source: Mapped[str] = mapped_column(Text)
    """api, import or till."""
    placed_at: Mapped[datetime] = mapped_column(UtcTime)
    changed_at: Mapped[datetime] = mapped_column(UtcTime)
    version: Mapped[int]
    """Rises with every change; it is in the keys of the order's transfers."""
    earn_per: Mapped[int | None]
    """đồng for a point and for a tier point, as the shop's plan was when the order first earned."""
    tier_per: Mapped[int | None]
    plan_id: Mapped[int | None]
    """The version of the plan; empty for an order of a shop from before there were plans."""
    context: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """The circumstances it first earned by, see earning_rules.Context; empty until it earned for somebody."""
    listed: Mapped[int | None]
    """đồng before vouchers and points paid a part; empty where nothing did."""
    earned: Mapped[int]
    """Points that its total gave."""
    standing: Mapped[int]
    """Of those, what stands after refunds."""
    standing_tier: Mapped[int]
    counted: Mapped[int]
    """đồng of it in the customer's spend total."""
    claim_token: Mapped[str | None] = mapped_column(Text, unique=True)
    """On the receipt of an order whose buyer isn't known: whoever brings it first gets the order."""


@dataclass(frozen=True, slots=True)
class OrderInput:
    """An order as it is told to us. `total` and `refunded` in đồng. The buyer is a `customer_id` of ours, else a `phone` in
    E.164 (a new one makes a guest called `name`), else nobody known.
    """

    total: int
    currency: str
    placed_at: datetime
    status: Status
    customer_id: int | None = None
    phone: str | None = None
    name: str = ""
    refunded: int | None = None
    items: Sequence[dict[str, Any]] = field(default_factory=list)
    redemptions: Sequence[int] = ()
    """Reserved vouchers that the order uses: they are confirmed with it."""
    listed: int | None = None
    """đồng before vouchers and points; where it isn't said, `total` and what the redemptions took off."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it is kept: money in đồng, `earned` and what stands of it in points; see OrderRow."""

    id: int
    shop_id: int
    external_id: str
    customer_id: int | None
    total: int
    refunded: int
    currency: str
    status: str
    items: list[dict[str, Any]]
    source: str
    placed_at: datetime
    version: int
    earn_per: int | None
    tier_per: int | None
    earned: int
    standing: int
    standing_tier: int
    counted: int
    claim_token: str | None
    plan_id: int | None
    context: dict[str, Any] | None
    listed: int | None


@dataclass(frozen=True, slots=True)
class OrderState:
    """What an order came to, in points: `earned` by its total, of those `pending` until the return window ends, `reversed`
    by refunds.
    """

    id: int
    external_id: str
    customer_id: int | None
    status: str
    earned: int
    pending: int
    reversed: int
    claim_token: str | None


orders = table(OrderRow)
_FIELDS = tuple(orders.c[name] for name in Order.__dataclass_fields__)
_OF_CUSTOMER = Prepared(
    select(*_FIELDS)
    .where(orders.c.customer_id == bindparam("customer"))
    .order_by(orders.c.placed_at.desc())
    .limit(bindparam("most"))
)


def checked(order: OrderInput, currency: str, moment: datetime) -> OrderInput:
    """The order, or InvalidError naming the field that can't be right."""
    if not 0 <= order.total <= MONEY_MAX:
        raise InvalidError("total", "range", order.total)
    if order.refunded is not None and not 0 <= order.refunded <= order.total:
        raise InvalidError("refunded", "range", order.refunded)
    if order.listed is not None and not order.total <= order.listed <= MONEY_MAX:
        raise InvalidError("listed", "range", order.listed)
    if order.currency != currency:
        raise InvalidError("currency", "unsupported", order.currency)
    if order.placed_at.tzinfo is None:
        raise InvalidError("placed_at", "zone", order.placed_at)
    if order.placed_at > moment + FUTURE_MAX or order.placed_at.year < 2000:
        raise InvalidError("placed_at", "range", order.placed_at)
    return order


def refunded_of(order: OrderInput) -> int:
    """đồng refunded: what is said, all of a `refunded` order that doesn't say, else what its items say."""
    if order.refunded is not None:
        return order.refunded
    if order.status is Status.REFUNDED:
        return order.total
    return order_lines.returned(order.items, order.total) if order.items else 0


def put(
    session: Session, shop_id: int, external_id: str, order: OrderInput, *, source: str = "api", quiet: bool = False
) -> OrderState:
    """Take an order in or change it: the same again changes nothing, a new status or refund counts once.

    `quiet`: nobody is told. What comes from an import writes no events either, so that no journey starts from it. Raises
    InvalidError naming a field, NotFoundError (customer), ConflictError when the order belongs to another customer or a
    redemption it names has ended otherwise, UncoveredError when the shop's wallet is empty.
    """
    shop = shops.get(session, shop_id)
    checked(order, shop.currency, now(session))
    if not external_id.strip() or len(external_id) > EXTERNAL_ID_CHARS_MAX:
        raise InvalidError("external_id", "length", external_id)
    customer_id = _customer(session, order, shop)
    row = find(session, shop_id, external_id, lock=True)
    if row is None:
        row = _insert(session, shop, external_id, order, customer_id, source)
    if customer_id is not None and row.customer_id is not None and row.customer_id != customer_id:
        raise ConflictError(f"order {external_id} belongs to another customer")
    undone = _undone(order)
    if order.status is not Status.CANCELLED:
        order_vouchers.confirm(
            session, shop_id, external_id, order.redemptions, undone=undone or refunded_of(order) > 0
        )
    refunded, listed = refunded_of(order), _listed(session, order, row)
    told = (order.total, refunded, order.status.value, customer_id or row.customer_id, order.placed_at, listed)
    same_items = not order.items or list(order.items) == row.items
    was = (row.total, row.refunded, row.status, row.customer_id, row.placed_at, row.listed)
    if told == was and same_items and row.version:
        return state(session, row.id)
    if undone or refunded:
        order_vouchers.give_back(session, shop_id, external_id, whole=undone, quiet=quiet)
    session.execute(
        update(orders)
        .where(orders.c.id == row.id)
        .values(
            total=order.total, refunded=refunded, status=order.status.value, placed_at=order.placed_at,
            customer_id=customer_id or row.customer_id, items=list(order.items) or row.items, changed_at=now(session),
            version=row.version + 1, listed=listed,
        )
    )  # fmt: skip
    if not same_items:
        bought.keep(session, row.id, order.items)
    settle(session, row.id, quiet=quiet, eventful=source != IMPORT)
    return state(session, row.id)


def _undone(order: OrderInput) -> bool:
    """Whether nothing stays of an order: cancelled, or refunded as a whole."""
    refunded = refunded_of(order)
    whole = refunded >= order.total and (refunded > 0 or order.status is Status.REFUNDED)
    return order.status is Status.CANCELLED or whole


def _listed(session: Session, order: OrderInput, row: Order) -> int | None:
    """đồng before vouchers and points; what is known of that stays known when the order comes again without it."""
    if order.listed is not None:
        return order.listed if order.listed > order.total else None
    off = sum(redemptions.get(session, number, row.shop_id).discount for number in set(order.redemptions))
    if not off and row.listed is not None:
        off = row.listed - row.total
    return order.total + off if off else None


def _customer(session: Session, order: OrderInput, shop: shops.Shop) -> int | None:
    if order.customer_id is not None:
        return customers.resolve(session, order.customer_id)
    if order.phone is not None:
        found, _ = customers.find_or_create(
            session, order.phone, name=order.name, language=shop.language, home_shop_id=shop.id
        )
        return customers.resolve(session, found)
    return None


def _insert(
    session: Session, shop: shops.Shop, external_id: str, order: OrderInput, customer_id: int | None, source: str
) -> Order:
    # An imported order's receipt was printed long ago, without a link.
    claimable = source != IMPORT and (customer_id is None or not customers.identities_of(session, customer_id))
    values: dict[str, Any] = {
        "shop_id": shop.id, "external_id": external_id, "customer_id": customer_id, "total": order.total, "refunded": 0,
        "currency": order.currency, "status": Status.PENDING.value, "items": [], "source": source,
        "placed_at": order.placed_at, "changed_at": now(session), "version": 0, "earn_per": None, "tier_per": None,
        "earned": 0, "standing": 0, "standing_tier": 0, "counted": 0, "plan_id": None, "context": None, "listed": None,
        "claim_token": secret.token(12) if claimable else None,
    }  # fmt: skip
    try:
        with session.begin_nested():
            session.execute(insert(orders).values(**values))
    except IntegrityError:
        # Another replica took the same order in at this instant: go on with its row.
        pass
    row = find(session, shop.id, external_id, lock=True)
    assert row is not None
    return row


def find(session: Session, shop_id: int, external_id: str, *, lock: bool = False) -> Order | None:
    """A shop's order by its external id; None where there is none. `lock` holds it until the work ends."""
    query = select(*_FIELDS).where(orders.c.shop_id == shop_id, orders.c.external_id == external_id)
    row = session.execute(query.with_for_update() if lock else query).first()
    return Order(*row) if row else None


def get(session: Session, order_id: int, *, lock: bool = False) -> Order:
    """An order; raises NotFoundError."""
    query = select(*_FIELDS).where(orders.c.id == order_id)
    row = session.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NotFoundError("order", order_id)
    return Order(*row)


def state(session: Session, order_id: int) -> OrderState:
    """What an order came to; raises NotFoundError."""
    order = get(session, order_id)
    pending = session.execute(
        select(func.coalesce(func.sum(lots.lots.c.remaining), 0)).where(
            lots.lots.c.order_id == order_id, lots.lots.c.pending_until.is_not(None)
        )
    ).scalar_one()
    stays = order.standing
    if order.customer_id is None and order.earn_per is not None:
        stays = order_earning.stands(order, *order_earning.frozen(session, order)).points
    return OrderState(
        order.id, order.external_id, order.customer_id, order.status, order.earned, int(pending),
        order.earned - stays, order.claim_token,
    )  # fmt: skip


def of_customer(session: Session, customer_id: int, limit: int = 20) -> list[Order]:
    """A customer's orders, newest first."""
    return [Order(*row) for row in _OF_CUSTOMER(session, customer=customer_id, most=limit)]


def settle(session: Session, order_id: int, *, quiet: bool = False, eventful: bool = True) -> None:
    """Bring the ledger, the customer's facts and their tier to where this order now stands; repeatable.

    `loyalty.orders.bulk` does the same for many new orders at once: a step added here belongs there too.
    """
    order = get(session, order_id, lock=True)
    shop = shops.get(session, order.shop_id)
    bought = order.status in order_earning.BOUGHT
    rules, found, values = order_earning.by_which(session, order, shop)
    want = order_earning.stands(order, rules, found)
    paid = order.total - order.refunded if bought else 0
    values |= {"counted": paid}
    if bought or order.earned:
        values["earned"] = earning_rules.gives(rules, found, replace(order_earning.basket(order), refunded=0)).points
    returned = 0
    if order.customer_id is not None:
        returned = order_earning.move(session, order, shop, want)
        values |= {"standing": want.points, "standing_tier": want.tier_points}
        _count(session, order, paid)
    else:
        # Nobody's yet: nothing is posted until somebody claims it.
        values |= {"counted": 0}
    session.execute(update(orders).where(orders.c.id == order_id).values(**values))
    if order.customer_id is None:
        return
    gained = want.points - order.standing
    if eventful:
        events.happened(
            session, f"order_{order.status}", customer_id=order.customer_id, shop_id=shop.id, order=order.external_id,
            total=order.total, refunded=order.refunded, points=gained,
        )  # fmt: skip
    if gained and not quiet:
        notices.tell(
            session, "points_earned" if gained > 0 else "points_taken_back", customer_id=order.customer_id,
            shop_id=shop.id, points=abs(gained), order=order.external_id, shop=shop.name, replaces=None,
            pending=bool(shop.return_days and gained > 0),
        )  # fmt: skip
    if returned > 0 and not quiet:
        notices.tell(
            session, "points_returned", customer_id=order.customer_id, shop_id=shop.id, points=returned,
            order=order.external_id, shop=shop.name,
        )  # fmt: skip
    # Told after the points that brought it.
    qualification.retier(session, order.customer_id, shop.id, quiet=quiet, eventful=eventful)
    # Somebody else's reward is told of even where the buyer hears of the order otherwise.
    referrals.order_settled(session, order_id, quiet=not eventful)
    recognition.order_settled(session, order_id, quiet=quiet, eventful=eventful)


def _count(session: Session, order: Order, paid: int) -> None:
    """Keep the customer's facts: what they spent, how often, when."""
    from loyalty.orders.real import REAL

    c = customers.customers.c
    count, first, last = session.execute(
        select(func.count(orders.c.id), func.min(orders.c.placed_at), func.max(orders.c.placed_at)).where(
            orders.c.customer_id == order.customer_id, *REAL
        )
    ).one()
    session.execute(
        update(customers.customers)
        .where(c.id == order.customer_id)
        .values(
            spend_total=c.spend_total + paid - order.counted, orders_count=count, first_order_at=first,
            last_order_at=last,
        )
    )  # fmt: skip
