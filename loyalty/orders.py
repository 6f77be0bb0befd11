"""Orders: what a shop's till or web shop says was bought. They earn points; a refund takes back what it must.

After any number of refunds what stays is what the rule gives for what stays paid. An order keeps the rate it first earned
by, so a changed rate never changes an old order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Text, UniqueConstraint, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty import customers, lots, points, programme, redemptions, referrals, tiers
from store import events, notices, secret, shops
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ConflictError, InvalidError, NotFoundError

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
        Index("ix_orders_placed", "shop_id", "placed_at"),
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
    """đồng for a point and for a tier point, as the shop's rule was when the order first earned."""
    tier_per: Mapped[int | None]
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


def checked(order: OrderInput, currency: str, moment: datetime) -> OrderInput:
    """The order, or InvalidError naming the field that can't be right."""
    if not 0 <= order.total <= MONEY_MAX:
        raise InvalidError("total", "range", order.total)
    if order.refunded is not None and not 0 <= order.refunded <= order.total:
        raise InvalidError("refunded", "range", order.refunded)
    if order.currency != currency:
        raise InvalidError("currency", "unsupported", order.currency)
    if order.placed_at.tzinfo is None:
        raise InvalidError("placed_at", "zone", order.placed_at)
    if order.placed_at > moment + FUTURE_MAX or order.placed_at.year < 2000:
        raise InvalidError("placed_at", "range", order.placed_at)
    return order


def refunded_of(order: OrderInput) -> int:
    """đồng refunded: what is said, or all of a `refunded` order that doesn't say."""
    if order.refunded is not None:
        return order.refunded
    return order.total if order.status is Status.REFUNDED else 0


def gives(paid: int, per: int) -> int:
    """Points for what was paid: 1 for every `per` đồng, rounded down."""
    return paid // per


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
    if order.status is not Status.CANCELLED:
        redemptions.confirm_for_order(session, shop_id, external_id, order.redemptions)
    refunded = refunded_of(order)
    told = (order.total, refunded, order.status.value, customer_id or row.customer_id, order.placed_at)
    same_items = not order.items or list(order.items) == row.items
    if told == (row.total, row.refunded, row.status, row.customer_id, row.placed_at) and same_items and row.version:
        return state(session, row.id)
    session.execute(
        update(orders)
        .where(orders.c.id == row.id)
        .values(
            total=order.total, refunded=refunded, status=order.status.value, placed_at=order.placed_at,
            customer_id=customer_id or row.customer_id, items=list(order.items) or row.items, changed_at=now(session),
            version=row.version + 1,
        )
    )  # fmt: skip
    settle(session, row.id, quiet=quiet, eventful=source != IMPORT)
    return state(session, row.id)


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
        "earned": 0, "standing": 0, "standing_tier": 0, "counted": 0,
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
    paid = order.total - order.refunded if order.status in (Status.COMPLETED, Status.REFUNDED) else 0
    stays = gives(paid, order.earn_per) if order.earn_per else 0
    return OrderState(
        order.id, order.external_id, order.customer_id, order.status, order.earned, int(pending),
        order.earned - stays, order.claim_token,
    )  # fmt: skip


def of_customer(session: Session, customer_id: int, limit: int = 20) -> list[Order]:
    """A customer's orders, newest first."""
    rows = session.execute(
        select(*_FIELDS).where(orders.c.customer_id == customer_id).order_by(orders.c.placed_at.desc()).limit(limit)
    )
    return [Order(*row) for row in rows]


def settle(session: Session, order_id: int, *, quiet: bool = False, eventful: bool = True) -> None:
    """Bring the ledger, the customer's facts and their tier to where this order now stands; repeatable.

    `loyalty.bulk` does the same for many new orders at once: a step added here belongs there too.
    """
    order = get(session, order_id, lock=True)
    shop = shops.get(session, order.shop_id)
    earn_per, tier_per = order.earn_per or shop.earn_per, order.tier_per or shop.tier_per
    bought = order.status in (Status.COMPLETED, Status.REFUNDED)
    paid = order.total - order.refunded if bought else 0
    earned = gives(order.total, earn_per) if bought or order.earned else 0
    want, want_tier = gives(paid, earn_per), gives(paid, tier_per)
    values: dict[str, Any] = {"earned": earned, "counted": paid}
    if bought:
        values |= {"earn_per": earn_per, "tier_per": tier_per}
    if order.customer_id is not None:
        _move_points(session, order, shop, want - order.standing, want_tier - order.standing_tier)
        values |= {"standing": want, "standing_tier": want_tier}
        _count(session, order, paid)
    else:
        # Nobody's yet: nothing is posted until somebody claims it.
        values |= {"counted": 0}
    session.execute(update(orders).where(orders.c.id == order_id).values(**values))
    if order.customer_id is None:
        return
    gained = want - order.standing
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
    # Told after the points that brought it.
    retier(session, order.customer_id, shop.id, quiet=quiet, eventful=eventful)
    if bought:
        referrals.order_settled(session, order.customer_id, quiet=quiet)


def held_until(placed_at: datetime, return_days: int, moment: datetime) -> datetime | None:
    """When the return window of an order ends; None where there is none or it is over."""
    until = placed_at + timedelta(days=return_days)
    return until if return_days and until > moment else None


def _move_points(session: Session, order: Order, shop: shops.Shop, change: int, tier_change: int) -> None:
    assert order.customer_id is not None
    key = f"order:{order.id}:{order.version}"
    months = programme.get(session).expiry_months
    expires_at = programme.expires_at(order.placed_at, months, shop.timezone)
    pending_until = held_until(order.placed_at, shop.return_days, now(session))
    if change > 0 or tier_change > 0:
        points.earn(
            session, f"earn:{key}", "earn", customer_id=order.customer_id, shop_id=shop.id, points=max(0, change),
            tier_points=max(0, tier_change), expires_at=expires_at, earned_at=order.placed_at,
            pending_until=pending_until, order_id=order.id,
        )  # fmt: skip
    if change < 0 or tier_change < 0:
        points.claw_back(
            session, f"refund:{key}", "refund", customer_id=order.customer_id, shop_id=shop.id,
            points=max(0, -change), tier_points=max(0, -tier_change), order_id=order.id,
        )  # fmt: skip


def _count(session: Session, order: Order, paid: int) -> None:
    """Keep the customer's facts: what they spent, how often, when."""
    c = customers.customers.c
    real = (
        orders.c.customer_id == order.customer_id,
        orders.c.status.in_((Status.COMPLETED.value, Status.REFUNDED.value)),
        orders.c.total > orders.c.refunded,
    )
    count, first, last = session.execute(
        select(func.count(orders.c.id), func.min(orders.c.placed_at), func.max(orders.c.placed_at)).where(*real)
    ).one()
    session.execute(
        update(customers.customers)
        .where(c.id == order.customer_id)
        .values(
            spend_total=c.spend_total + paid - order.counted, orders_count=count, first_order_at=first,
            last_order_at=last,
        )
    )  # fmt: skip


def retier(
    session: Session, customer_id: int, shop_id: int | None, *, quiet: bool = False, eventful: bool = True
) -> None:
    """Put a customer on the tier that their tier points reach; tell them when they rose."""
    ladder = tiers.every(session)
    tier_points = points.balances(session, customer_id)[2]
    standing = tiers.standing(ladder, tier_points)
    c = customers.customers.c
    was = session.execute(select(c.tier_id).where(c.id == customer_id)).scalar()
    if was == standing.tier.id:
        return
    session.execute(update(customers.customers).where(c.id == customer_id).values(tier_id=standing.tier.id))
    before = next((tier for tier in ladder if tier.id == was), ladder[0])
    if before.id == standing.tier.id:
        return
    tiers.changed(session, customer_id, was, standing.tier.id)
    rose = standing.tier.threshold > before.threshold
    if eventful:
        kind = "tier_up" if rose else "tier_down"
        events.happened(session, kind, customer_id=customer_id, shop_id=shop_id, tier=standing.tier.name)
    if rose and not quiet:
        notices.tell(
            session, "tier_up", customer_id=customer_id, shop_id=shop_id, tier=standing.tier.name,
            replaces=f"tier:{customer_id}",
        )  # fmt: skip
