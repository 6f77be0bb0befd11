"""Gifts of vouchers: a customer gives one of theirs to a friend by a link (`v_CODE`).

While the link is open the voucher is set aside, so that nobody else uses it. The first friend who opens the link owns it
from then on, for good: a voucher changes hands once. If nobody comes within some days, or its giver thinks better of it,
it is theirs again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, Text, func, insert, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.customers import customers
from loyalty.points import ledger
from loyalty.vouchers import voucher_programs, vouchers
from loyalty.vouchers.vouchers import SoldOutError, Voucher, VoucherState
from store import events, notices, secret
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ConflictError, NotFoundError

OPEN_FOR = timedelta(days=7)
CODE_SIGNS = 14
"""One more than a voucher's code, so that neither is taken for the other."""
_OPEN = text("taken_by IS NULL AND ended_at IS NULL")


class VoucherGiftRow(Base):
    __tablename__ = "voucher_gifts"
    __table_args__ = (
        Index("uq_voucher_gifts_open", "voucher_id", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("ix_voucher_gifts_due", "lapses_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    voucher_id: Mapped[int] = mapped_column(ForeignKey("vouchers.id"), index=True)
    code: Mapped[str] = mapped_column(Text, unique=True)
    giver_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcTime)
    lapses_at: Mapped[datetime] = mapped_column(UtcTime)
    taken_by: Mapped[int | None] = mapped_column(ForeignKey("customers.id"), index=True)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """When it was taken, taken back or over."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A voucher on its way to a friend: the `code` of the link, and until when it waits for them."""

    voucher_id: int
    code: str
    lapses_at: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """What a link gave. `new` is False where its own giver, or the friend again, opened it."""

    voucher: Voucher
    new: bool


class NotGivableError(ConflictError):
    """The voucher can't be given away: used, held by an order, expired, or it was a gift already."""

    code = "not_givable"


gifts = table(VoucherGiftRow)


def offer(session: Session, voucher_id: int, customer_id: int) -> Offered:
    """Set a customer's voucher aside for a friend; the same again is the same link. Raises NotFoundError (not theirs),
    NotGivableError.
    """
    owner = customers.resolve(session, customer_id)
    voucher = vouchers.get(session, voucher_id, lock=True)
    if voucher.customer_id != owner:
        raise NotFoundError("voucher", voucher_id)
    known = session.execute(
        select(gifts.c.code, gifts.c.lapses_at).where(
            gifts.c.voucher_id == voucher_id, gifts.c.taken_by.is_(None), gifts.c.ended_at.is_(None)
        )
    ).first()
    if known is not None:
        return Offered(voucher_id, known.code, known.lapses_at)
    over = voucher.expires_at is not None and voucher.expires_at <= now(session)
    if voucher.state != VoucherState.OPEN or over or not givable(session, voucher_id):
        raise NotGivableError(f"voucher {voucher_id}")
    lapses_at = min(filter(None, (now(session) + OPEN_FOR, voucher.expires_at)))
    code = secret.code(CODE_SIGNS)
    session.execute(
        insert(gifts).values(
            voucher_id=voucher_id, code=code, giver_id=owner, at=now(session), lapses_at=lapses_at, taken_by=None
        )
    )
    vouchers.mark(session, voucher_id, VoucherState.GIFT)
    events.happened(session, "voucher_offered", customer_id=owner, voucher=voucher_id, program=voucher.program_id)
    return Offered(voucher_id, code, lapses_at)


def givable(session: Session, voucher_id: int) -> bool:
    """Whether a voucher may still change hands: it did not yet."""
    taken = select(gifts.c.id).where(gifts.c.voucher_id == voucher_id, gifts.c.taken_by.is_not(None))
    return session.execute(taken).first() is None


def take(session: Session, code: str, friend_id: int) -> Taken | None:
    """A friend opened a link; None where there is no such. Raises SoldOutError (too late), LimitError (they have as many
    as one customer may).
    """
    wanted = vouchers.folded(code)
    if len(wanted) != CODE_SIGNS:
        return None
    found = session.execute(select(gifts.c.voucher_id).where(gifts.c.code == wanted)).scalar()
    if found is None:
        return None
    voucher = vouchers.get(session, found, lock=True)
    gift = session.execute(select(gifts).where(gifts.c.code == wanted)).one()
    friend = customers.resolve(session, friend_id)
    if gift.taken_by is not None and customers.resolve(session, gift.taken_by) == friend:
        return Taken(voucher, new=False)
    if gift.ended_at is not None or gift.lapses_at <= now(session):
        raise SoldOutError("the gift is over")
    giver = customers.resolve(session, gift.giver_id)
    if giver == friend:
        return Taken(voucher, new=False)
    given = vouchers.give(session, voucher, friend)
    session.execute(update(gifts).where(gifts.c.id == gift.id).values(taken_by=friend, ended_at=now(session)))
    vouchers.mark(session, voucher.id, VoucherState.OPEN)
    about = voucher_programs.get(session, voucher.program_id)
    events.happened(
        session, "voucher_gift_taken", customer_id=giver, shop_id=about.shop_id, voucher=voucher.id, friend=friend
    )
    notices.tell(
        session, "voucher_gift_taken", customer_id=giver, shop_id=about.shop_id, program=about.name,
        friend=customers.get(session, friend).name,
    )  # fmt: skip
    return Taken(vouchers.get(session, given.id), new=True)


def take_back(session: Session, voucher_id: int, customer_id: int) -> Voucher:
    """A giver thinks better of it; repeatable. Raises NotFoundError (not theirs, or a friend has it)."""
    voucher = vouchers.get(session, voucher_id, lock=True)
    if voucher.customer_id != customers.resolve(session, customer_id):
        raise NotFoundError("voucher", voucher_id)
    _end(session, voucher_id)
    return vouchers.get(session, voucher_id)


def lapse_due(session: Session, limit: int = 200) -> int:
    """Let links go that nobody opened in time, and tell their givers; how many. For the clock."""
    due = session.execute(
        select(gifts.c.voucher_id)
        .where(gifts.c.taken_by.is_(None), gifts.c.ended_at.is_(None), gifts.c.lapses_at <= now(session))
        .order_by(gifts.c.lapses_at)
        .limit(limit)
    ).scalars()
    rows = session.execute(
        select(vouchers.vouchers.c.id).where(vouchers.vouchers.c.id.in_(due.all())).with_for_update(skip_locked=True)
    ).scalars()
    lapsed = 0
    for number in rows.all():
        giver = _end(session, number)
        if giver is None:
            continue
        lapsed += 1
        voucher = vouchers.get(session, number)
        about = voucher_programs.get(session, voucher.program_id)
        if voucher.expires_at is None or voucher.expires_at > now(session):
            notices.tell(
                session, "voucher_gift_lapsed", customer_id=giver, shop_id=about.shop_id, program=about.name,
                last_day=vouchers.last_day(session, voucher, about),
            )  # fmt: skip
    return lapsed


def _end(session: Session, voucher_id: int) -> int | None:
    """End the open gift of a voucher whose row is locked; its giver."""
    ended = session.execute(
        update(gifts)
        .where(gifts.c.voucher_id == voucher_id, gifts.c.taken_by.is_(None), gifts.c.ended_at.is_(None))
        .values(ended_at=now(session))
        .returning(gifts.c.giver_id)
    ).scalar()
    if ended is not None:
        vouchers.mark(session, voucher_id, VoucherState.OPEN)
    return None if ended is None else int(ended)


def move(session: Session, from_id: int, to_id: int) -> None:
    """Carry a customer's gifts over in a merge."""
    for column in (gifts.c.giver_id, gifts.c.taken_by):
        session.execute(update(gifts).where(column == from_id).values({column.name: to_id}))


def check(session: Session) -> list[ledger.Fault]:
    """Prove that a voucher is set aside for a friend where, and only where, a link of it is open."""
    v = vouchers.vouchers.c
    waiting = select(gifts.c.voucher_id).where(gifts.c.taken_by.is_(None), gifts.c.ended_at.is_(None)).subquery()
    rows = session.execute(
        select(v.id, v.state, func.coalesce(waiting.c.voucher_id, 0).label("link"))
        .outerjoin(waiting, waiting.c.voucher_id == v.id)
        .where((v.state == VoucherState.GIFT.value) | waiting.c.voucher_id.is_not(None))
    )
    return [
        ledger.Fault(f"voucher {row.state}, {'a' if row.link else 'no'} link to a friend", row.id, 0, 1)
        for row in rows
        if (row.state == VoucherState.GIFT) != bool(row.link)
    ]
