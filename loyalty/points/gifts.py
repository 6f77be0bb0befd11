"""Points given to a friend: by phone, at once where the phone is known; or waiting, for a phone that isn't or for whoever
opens a link. What waits is a hold, and goes back to the giver after 7 days. Points keep their own expiry when they move.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, Text, cast, func, insert, or_, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty import programme
from loyalty.customers import customers, phones
from loyalty.points import holds, ledger, lots
from loyalty.points.ledger import KeyConflictError, Leg
from loyalty.points.points import POINTS_MAX
from store import events, notices, secret, shops
from store.base import Base, BigId, UtcTime, table
from store.clock import day_began, now
from store.errors import ConflictError, InvalidError, NotFoundError

OPEN_FOR = timedelta(days=7)
TOKEN_BYTES = 12
_WAITING = text("state = 'waiting'")


class GiftState(StrEnum):
    WAITING = "waiting"
    TAKEN = "taken"
    RETURNED = "returned"


class GiftRow(Base):
    __tablename__ = "point_gifts"
    __table_args__ = (
        Index("ix_point_gifts_giver_id", "giver_id", "at"),
        Index("ix_point_gifts_waiting", "lapses_at", sqlite_where=_WAITING, postgresql_where=_WAITING),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    hash: Mapped[str] = mapped_column(Text)
    """Of what was asked: the same key with another gift is a conflict."""
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    giver_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    receiver_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"), index=True)
    phone: Mapped[str | None] = mapped_column(Text)
    """Whose it is to be, while that phone is nobody's."""
    token: Mapped[str | None] = mapped_column(Text, unique=True)
    """Of the link that takes it; only while it waits."""
    points: Mapped[int]
    state: Mapped[str] = mapped_column(Text)
    hold_id: Mapped[int | None]
    at: Mapped[datetime] = mapped_column(UtcTime)
    lapses_at: Mapped[datetime | None] = mapped_column(UtcTime)
    settled_at: Mapped[datetime | None] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Gift:
    """A gift: `token` of its link and `lapses_at` while it waits; `receiver_id` once somebody has it."""

    id: int
    shop_id: int
    giver_id: int
    receiver_id: int | None
    points: int
    state: str
    token: str | None
    hold_id: int | None
    lapses_at: datetime | None


class GiftLimitError(ConflictError):
    """More than a customer may give in a day: of `points` left today, or `count` gifts."""

    code = "gift_limit"

    def __init__(self, points: int, count: int) -> None:
        super().__init__(f"{points} points in {count} gifts left today")
        self.points = points
        self.count = count


class OwnGiftError(ConflictError):
    """To oneself."""

    code = "own_gift"


class GiftOverError(ConflictError):
    """Somebody has taken it, or it has gone back."""

    code = "gift_over"


gifts = table(GiftRow)
_FIELDS = tuple(gifts.c[name] for name in Gift.__dataclass_fields__)


def give(session: Session, key: str, *, giver_id: int, points: int, phone: str | None = None) -> Gift:
    """Give points to a phone (in any form), or to whoever opens the gift's link. The same key is the same gift.

    Raises InvalidError("points", "phone"), OwnGiftError, GiftLimitError, UncoveredError, KeyConflictError.
    """
    if not 0 < points <= POINTS_MAX:
        raise InvalidError("points", "range", points)
    number = phones.normal(phone) if phone is not None else None
    giver = customers.get(session, giver_id)
    sealed = ledger.seal("gift", [points, number])
    source = ledger.account(session, "customer", giver.id, "available")
    # Limits are judged one gift after the other.
    ledger.lock(session, [source])
    known = _by_key(session, key, sealed)
    if known is not None:
        return known
    receiver = customers.by_phone(session, number) if number is not None else None
    if receiver is not None:
        receiver = customers.resolve(session, receiver)
    if receiver == giver.id:
        raise OwnGiftError(key)
    shop = shops.get(session, giver.home_shop_id) if giver.home_shop_id else shops.every(session)[0]
    _within_limits(session, giver.id, shop, points)
    try:
        with session.begin_nested():
            gift_id = _write(session, key, sealed, shop.id, giver.id, points)
            if receiver is not None:
                _at_once(session, gift_id, source, receiver, shop.id, points)
            else:
                _waiting(session, gift_id, source, shop.id, points, number)
    except IntegrityError:
        # The other tap of a double one came first, on another replica.
        known = _by_key(session, key, sealed)
        if known is None:
            raise
        return known
    gift = get(session, gift_id)
    events.happened(session, "gift_given", customer_id=giver.id, shop_id=shop.id, gift=gift_id, points=points)
    if receiver is not None:
        _tell_receiver(session, gift)
    return gift


def _write(session: Session, key: str, sealed: str, shop_id: int, giver_id: int, points: int) -> int:
    return int(
        session.execute(
            insert(gifts)
            .values(
                key=key, hash=sealed, shop_id=shop_id, giver_id=giver_id, points=points, at=now(session),
                state=GiftState.WAITING.value,
            )
            .returning(gifts.c.id)
        ).scalar_one()
    )  # fmt: skip


def _at_once(session: Session, gift_id: int, source: int, receiver: int, shop_id: int, points: int) -> None:
    into = ledger.account(session, "customer", receiver, "available")
    done = ledger.post(session, f"gift:{gift_id}", "gift", [Leg(source, into, points)], shop_id=shop_id)
    giver = session.execute(select(ledger.accounts.c.owner_id).where(ledger.accounts.c.id == source)).scalar_one()
    lots.take(session, giver, done.transfer_id, points)
    lots.hand_over(session, done.transfer_id, done.transfer_id, receiver, into)
    _settle(session, gift_id, GiftState.TAKEN, receiver)


def _waiting(session: Session, gift_id: int, source: int, shop_id: int, points: int, phone: str | None) -> None:
    lapses_at = now(session) + OPEN_FOR
    hold = holds.place(
        session, f"gift:{gift_id}", kind="gift", source=source, target=ledger.account(session, "shop", shop_id, "gifts"),
        amount=points, shop_id=shop_id, lapses_at=lapses_at,
    )  # fmt: skip
    session.execute(
        update(gifts)
        .where(gifts.c.id == gift_id)
        .values(hold_id=hold.id, lapses_at=lapses_at, phone=phone, token=secret.token(TOKEN_BYTES))
    )


def _within_limits(session: Session, giver_id: int, shop: shops.Shop, points: int) -> None:
    common, midnight = programme.get(session), day_began(session, shop.timezone)
    row = session.execute(
        select(func.count(gifts.c.id).label("given"), func.coalesce(func.sum(gifts.c.points), 0).label("points")).where(
            gifts.c.giver_id == giver_id, gifts.c.at >= midnight, gifts.c.state != GiftState.RETURNED.value
        )
    ).one()
    left, gifts_left = max(0, common.gift_points - int(row.points)), max(0, common.gift_count - int(row.given))
    if points > left or not gifts_left:
        raise GiftLimitError(left, gifts_left)


def _by_key(session: Session, key: str, sealed: str) -> Gift | None:
    row = session.execute(select(gifts.c.id, gifts.c.hash).where(gifts.c.key == key)).first()
    if row is None:
        return None
    if row.hash != sealed:
        raise KeyConflictError(key)
    return get(session, row.id)


def get(session: Session, gift_id: int) -> Gift:
    """A gift; raises NotFoundError."""
    row = session.execute(select(*_FIELDS).where(gifts.c.id == gift_id)).first()
    if row is None:
        raise NotFoundError("gift", gift_id)
    return Gift(*row)


def by_key(session: Session, key: str) -> Gift | None:
    """The gift of a key; None before it was given."""
    row = session.execute(select(*_FIELDS).where(gifts.c.key == key)).first()
    return Gift(*row) if row else None


def _locked(session: Session, gift_id: int) -> Gift:
    return Gift(*session.execute(select(*_FIELDS).where(gifts.c.id == gift_id).with_for_update()).one())


def take(session: Session, token: str, friend_id: int) -> Gift:
    """Somebody opened a gift's link. Raises NotFoundError (no such link), OwnGiftError, GiftOverError."""
    found = session.execute(select(gifts.c.id).where(gifts.c.token == token)).scalar()
    if found is None:
        raise NotFoundError("gift", "")
    gift, friend = _locked(session, found), customers.resolve(session, friend_id)
    if gift.state == GiftState.TAKEN and gift.receiver_id is not None:
        if customers.resolve(session, gift.receiver_id) == friend:
            return gift
        raise GiftOverError(gift.state)
    if gift.state != GiftState.WAITING or (gift.lapses_at is not None and gift.lapses_at <= now(session)):
        raise GiftOverError(gift.state)
    if customers.resolve(session, gift.giver_id) == friend:
        raise OwnGiftError(token)
    # Who opened the link is answered there.
    return _hand_over(session, gift, friend)


def _hand_over(session: Session, gift: Gift, receiver: int) -> Gift:
    """A waiting gift comes to somebody: its hold is posted, and the points it held are theirs. The giver is told."""
    assert gift.hold_id is not None
    hold = holds.post(session, gift.hold_id)
    into = ledger.account(session, "customer", receiver, "available")
    done = ledger.post(
        session, f"gift:{gift.id}", "gift", [Leg(hold.target_id, into, gift.points)], shop_id=gift.shop_id
    )
    lots.hand_over(session, hold.transfer_id, done.transfer_id, receiver, into)
    _settle(session, gift.id, GiftState.TAKEN, receiver)
    taken = get(session, gift.id)
    giver = customers.resolve(session, gift.giver_id)
    notices.tell(
        session, "gift_taken", customer_id=giver, shop_id=gift.shop_id, points=gift.points,
        friend=customers.get(session, receiver).name,
    )  # fmt: skip
    events.happened(session, "gift_taken", customer_id=receiver, shop_id=gift.shop_id, gift=gift.id, points=gift.points)
    return taken


def _settle(session: Session, gift_id: int, state: GiftState, receiver: int | None = None) -> None:
    # The number of somebody who is no customer is kept no longer than it is needed.
    session.execute(
        update(gifts)
        .where(gifts.c.id == gift_id)
        .values(state=state.value, receiver_id=receiver, settled_at=now(session), phone=None)
    )


def _tell_receiver(session: Session, gift: Gift) -> None:
    assert gift.receiver_id is not None
    notices.tell(
        session, "gift_received", customer_id=gift.receiver_id, shop_id=gift.shop_id, points=gift.points,
        giver=customers.get(session, gift.giver_id).name,
    )  # fmt: skip


def arrive_due(session: Session, limit: int = 100) -> int:
    """Bring waiting gifts to customers who turned up with their phone; how many. For the clock."""
    c = customers.customers.c
    rows = session.execute(
        select(*_FIELDS, c.id.label("owner"))
        .join(customers.customers, c.phone == gifts.c.phone)
        .where(gifts.c.state == GiftState.WAITING.value, gifts.c.lapses_at > now(session), gifts.c.giver_id != c.id)
        .limit(limit)
        .with_for_update(of=gifts, skip_locked=True)
    ).all()
    for row in rows:
        _tell_receiver(session, _hand_over(session, Gift(*row[:-1]), row.owner))
    return len(rows)


def lapse_due(session: Session, limit: int = 100) -> int:
    """Give back what nobody took in time; how many. For the clock, before that of the holds."""
    rows = session.execute(
        select(*_FIELDS)
        .where(gifts.c.state == GiftState.WAITING.value, gifts.c.lapses_at <= now(session))
        .order_by(gifts.c.lapses_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for gift in (Gift(*row) for row in rows):
        assert gift.hold_id is not None
        holds.void(session, gift.hold_id)
        _settle(session, gift.id, GiftState.RETURNED)
        notices.tell(
            session, "gift_returned", customer_id=customers.resolve(session, gift.giver_id), shop_id=gift.shop_id,
            points=gift.points,
        )  # fmt: skip
    return len(rows)


def move(session: Session, from_id: int, to_id: int) -> None:
    """Carry gifts over to another customer in a merge."""
    for column in (gifts.c.giver_id, gifts.c.receiver_id):
        session.execute(update(gifts).where(column == from_id).values({column.name: to_id}))


def forget(session: Session, numbers: list[int], phones_: set[str]) -> None:
    """Forget the phones that waiting gifts name, of people who are erased or whom they wanted to give to."""
    session.execute(
        update(gifts).where(or_(gifts.c.giver_id.in_(numbers), gifts.c.phone.in_(phones_))).values(phone=None)
    )


def check(session: Session) -> list[ledger.Fault]:
    """Prove that what was taken was handed over, and that what waits is held."""
    t, p, h = ledger.transfers.c, ledger.postings.c, holds.holds.c
    moved, hold = func.coalesce(p.amount, 0), func.coalesce(h.amount, 0)
    rows = session.execute(
        select(
            gifts.c.id, gifts.c.points, gifts.c.state, moved.label("moved"), hold.label("held"), h.state.label("hold")
        )
        .outerjoin(ledger.transfers, t.key == "gift:" + cast(gifts.c.id, Text))
        .outerjoin(ledger.postings, p.transfer_id == t.id)
        .outerjoin(holds.holds, h.id == gifts.c.hold_id)
        .order_by(gifts.c.id)
    )
    # A hold may lapse a moment before its gift goes back.
    ends: dict[str, tuple[str | None, ...]] = {
        GiftState.WAITING: ("placed", "lapsed"), GiftState.TAKEN: ("posted", None), GiftState.RETURNED: ("voided", "lapsed")
    }  # fmt: skip
    faults = []
    for row in rows:
        due = row.points if row.state == GiftState.TAKEN else 0
        if row.moved != due:
            faults.append(ledger.Fault(f"gift {row.state}", row.id, due, int(row.moved)))
        elif row.hold not in ends[row.state]:
            faults.append(ledger.Fault(f"gift {row.state}, hold {row.hold}", row.id, 0, 1))
        elif row.hold and row.held != row.points:
            faults.append(ledger.Fault("gift's hold", row.id, row.points, int(row.held)))
    return faults
