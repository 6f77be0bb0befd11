"""Vouchers: the codes that a programme gives out, each worth one use.

A code of ours is 13 signs (64 random bits); one that a shop brings along (an imported list, a shared code) is as it is.
Codes are compared with case, spaces and dashes aside. A voucher is personal (it has an owner) or its bearer's. Stock and
the limit per customer bound what is given out; a programme's row is locked while it gives, so neither can be overrun.

A shared code is a row too: it stays open, and what bounds its uses stands in `voucher_limits`.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlalchemy import ForeignKey, Index, Text, func, insert, or_, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.customers import customers
from loyalty.points import ledger, lots
from loyalty.vouchers import voucher_programs
from loyalty.vouchers.voucher_programs import Program, programs
from store import events, notices, secret, shops
from store.base import Base, BigId, UtcTime, table
from store.clock import midnight, now, today
from store.errors import ConflictError, InvalidError, NotFoundError

CODE_SIGNS = 13
CODE_GROUP = 4
OWN_CODE = re.compile(r"[A-Z0-9]{4,40}")
"""A code that a shop brings along, folded."""
COUNT_MAX = 100_000
"""Vouchers that one call may make."""


class VoucherState(StrEnum):
    OPEN = "open"
    HELD = "held"
    """An order has reserved it (see redemptions)."""
    USED = "used"
    GIFT = "gift"
    """Its owner offers it to a friend (see voucher_gifts)."""
    WITHDRAWN = "withdrawn"
    """Taken back by the shop; it is nobody's any more."""


GONE = (VoucherState.USED.value, VoucherState.WITHDRAWN.value)
_OF_BATCH = text("batch_id IS NOT NULL")


class VoucherRow(Base):
    __tablename__ = "vouchers"
    __table_args__ = (
        Index("ix_vouchers_customer", "customer_id", "state"),
        Index("ix_vouchers_program", "program_id", "customer_id"),
        Index("ix_vouchers_batch", "batch_id", "id", sqlite_where=_OF_BATCH, postgresql_where=_OF_BATCH),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    program_id: Mapped[int] = mapped_column(ForeignKey("voucher_programs.id"))
    code: Mapped[str] = mapped_column(Text, unique=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"))
    """Its owner; empty: whoever bears the code."""
    state: Mapped[str] = mapped_column(Text)
    issued_at: Mapped[datetime] = mapped_column(UtcTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcTime)
    key: Mapped[str | None] = mapped_column(Text, unique=True)
    """What caused it, where that may come twice: the same cause gives the same voucher."""
    batch_id: Mapped[int | None]
    """The batch that it was made in (see batches)."""
    shared: Mapped[bool] = mapped_column(server_default=text("false"))
    """A code for everybody."""


@dataclass(frozen=True, slots=True)
class Voucher:
    """A voucher as rules give it out; `code` as it is kept, without dashes (see `shown`)."""

    id: int
    program_id: int
    code: str
    customer_id: int | None
    state: str
    issued_at: datetime
    expires_at: datetime | None
    key: str | None
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """A voucher in a customer's wallet with what it gives, and the last day for it (in its shop's time zone)."""

    voucher: Voucher
    program: Program
    last_day: str | None
    """As YYYY-MM-DD."""
    places: tuple[str, ...] = ()
    """The names of the only shops that take it, where not all do."""


class UnknownVoucherError(NotFoundError):
    """There is no such code, or not for the one who brings it."""

    def __init__(self) -> None:
        super().__init__("voucher", "")


class UnusableVoucherError(ConflictError):
    """The code is right but can't be used now: used, held by another order, expired, not started."""

    code = "voucher_unusable"


class SoldOutError(ConflictError):
    """The programme has nothing left to give."""

    code = "sold_out"


class LimitError(ConflictError):
    """The customer was given as many as one customer may have."""

    code = "limit_reached"


class SharedProgramError(ConflictError):
    """The programme has one code for everybody and gives none out."""

    code = "shared_program"


vouchers = table(VoucherRow)
FIELDS = tuple(vouchers.c[name] for name in Voucher.__dataclass_fields__)


def folded(code: str) -> str:
    """A code as it is kept: however it was typed, in capitals without spaces and dashes."""
    return re.sub(r"[\s\u2010-\u2015-]", "", code[:64]).upper()


def shown(code: str) -> str:
    """A code as people read it: `K7MD-2QXW-9HPTA`; one of another length than ours as the shop wrote it."""
    if len(code) != CODE_SIGNS:
        return code
    groups = max(1, len(code) // CODE_GROUP)
    cuts = [*range(0, groups * CODE_GROUP, CODE_GROUP), len(code)]
    return "-".join(code[start:end] for start, end in zip(cuts, [*cuts[1:-1], len(code)], strict=False))


def issue(
    session: Session, program_id: int, customer_id: int | None = None, *, key: str | None = None, tell: bool = False
) -> Voucher:
    """Give one voucher, to a customer or to whoever bears it; the same `key` gives the same voucher again.

    `tell`: let the customer know. Raises NotFoundError, SoldOutError, LimitError, SharedProgramError, KeyConflictError.
    """
    offer = voucher_programs.get(session, program_id, lock=True)
    owner = customers.resolve(session, customer_id) if customer_id is not None else None
    if key is not None and (known := by_key(session, key)) is not None:
        if (known.program_id, known.customer_id) != (program_id, owner):
            raise ledger.KeyConflictError(key)
        return known
    if owner is not None:
        _within_limit(session, offer, owner)
    take_stock(session, offer, 1)
    row = session.execute(
        insert(vouchers)
        .values(
            program_id=offer.id, code=secret.code(CODE_SIGNS), customer_id=owner, state=VoucherState.OPEN.value,
            issued_at=now(session), expires_at=expiry(session, offer), key=key,
        )
        .returning(*FIELDS)
    ).one()  # fmt: skip
    given = Voucher(*row)
    if owner is not None:
        _given(session, given, offer, tell=tell)
    return given


def issue_many(session: Session, program_id: int, count: int) -> list[str]:
    """Make vouchers for whoever bears them, all or none; their codes. Raises InvalidError("count"), NotFoundError,
    SoldOutError.
    """
    if not 1 <= count <= COUNT_MAX:
        raise InvalidError("count", "range", count)
    offer = voucher_programs.get(session, program_id, lock=True)
    take_stock(session, offer, count)
    codes = [secret.code(CODE_SIGNS) for _ in range(count)]
    same = {
        "program_id": offer.id, "customer_id": None, "state": VoucherState.OPEN.value, "issued_at": now(session),
        "expires_at": expiry(session, offer), "key": None,
    }  # fmt: skip
    session.execute(insert(vouchers), [same | {"code": code} for code in codes])
    return codes


def withdraw(session: Session, voucher_id: int) -> str:
    """Take a voucher back from whoever has it, if it is open; the state in which it was found, `open` for one that is
    withdrawn now. Raises NotFoundError.
    """
    found = get(session, voucher_id, lock=True)
    if found.state == VoucherState.OPEN:
        mark(session, voucher_id, VoucherState.WITHDRAWN)
    return found.state


def give(session: Session, voucher: Voucher, customer_id: int) -> Voucher:
    """Make a voucher a customer's own, be it a bearer's or another's (who gives it away). Its row is locked by the caller. Raises LimitError."""
    offer = voucher_programs.get(session, voucher.program_id, lock=True)
    owner = customers.resolve(session, customer_id)
    _within_limit(session, offer, owner)
    session.execute(update(vouchers).where(vouchers.c.id == voucher.id).values(customer_id=owner))
    given = get(session, voucher.id)
    _given(session, given, offer, tell=False)
    return given


def _within_limit(session: Session, offer: Program, customer_id: int) -> None:
    """Raises LimitError; true until the end of the work, for the programme's row is locked by the caller."""
    if offer.per_customer is None:
        return
    given = session.execute(
        select(func.count()).where(
            vouchers.c.program_id == offer.id, vouchers.c.customer_id == customer_id,
            vouchers.c.state != VoucherState.WITHDRAWN.value,
        )
    ).scalar_one()  # fmt: skip
    if given >= offer.per_customer:
        raise LimitError(f"program {offer.id}")


def take_stock(session: Session, offer: Program, count: int) -> None:
    """Take vouchers from the stock; raises SoldOutError, SharedProgramError."""
    if offer.shared:
        raise SharedProgramError(f"program {offer.id} has one code for everybody")
    taken = session.execute(
        update(programs)
        .where(
            programs.c.id == offer.id, or_(programs.c.stock.is_(None), programs.c.issued + count <= programs.c.stock)
        )
        .values(issued=programs.c.issued + count)
        .returning(programs.c.id)
    ).first()
    if taken is None:
        raise SoldOutError(f"program {offer.id}")


def expiry(session: Session, offer: Program) -> datetime | None:
    """When one that is given now expires: with its programme, or at the end of the last of its days."""
    if offer.valid_days is None:
        return offer.ends_at
    zone = zone_of(session, offer)
    end = midnight(today(session, zone) + timedelta(days=offer.valid_days + 1), ZoneInfo(zone))
    return end if offer.ends_at is None else min(end, offer.ends_at)


def zone_of(session: Session, offer: Program) -> str:
    """Whose days count: the offering shop's, or the first shop's."""
    return (shops.get(session, offer.shop_id) if offer.shop_id is not None else shops.every(session)[0]).timezone


def _given(session: Session, voucher: Voucher, offer: Program, *, tell: bool) -> None:
    events.happened(
        session, "voucher_given", customer_id=voucher.customer_id, shop_id=offer.shop_id, program=offer.id,
        voucher=voucher.id,
    )  # fmt: skip
    if tell:
        notices.tell(
            session, "voucher_given", customer_id=voucher.customer_id, shop_id=offer.shop_id, program=offer.name,
            gives=offer.kind, value=offer.value, cap=offer.cap, min_order=offer.min_order, code=shown(voucher.code),
            last_day=last_day(session, voucher, offer),
        )  # fmt: skip


def ends(voucher: Voucher, offer: Program) -> datetime | None:
    """When it can't be used any more: a single voucher by its own date, a code for everybody with its programme."""
    return offer.ends_at if voucher.shared else voucher.expires_at


def last_day(session: Session, voucher: Voucher, offer: Program) -> str | None:
    """The last day it can be used, as YYYY-MM-DD."""
    ends_at = ends(voucher, offer)
    if ends_at is None:
        return None
    return lots.last_day(ends_at, zone_of(session, offer)).isoformat()


def get(session: Session, voucher_id: int, *, lock: bool = False) -> Voucher:
    """A voucher; raises NotFoundError."""
    query = select(*FIELDS).where(vouchers.c.id == voucher_id)
    row = session.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NotFoundError("voucher", voucher_id)
    return Voucher(*row)


def by_key(session: Session, key: str) -> Voucher | None:
    """The voucher that a cause gave."""
    row = session.execute(select(*FIELDS).where(vouchers.c.key == key)).first()
    return Voucher(*row) if row else None


def by_code(session: Session, code: str, *, lock: bool = False) -> Voucher | None:
    """The voucher of a code, in whatever state."""
    wanted = folded(code)
    if not OWN_CODE.fullmatch(wanted):
        return None
    query = select(*FIELDS).where(vouchers.c.code == wanted)
    row = session.execute(query.with_for_update() if lock else query).first()
    return Voucher(*row) if row else None


def offer_for(session: Session, voucher: Voucher | None, shop_id: int, customer_id: int | None) -> Program:
    """The programme of a voucher that this shop may take now from this customer, were it still free.

    A personal voucher needs no customer, but when one is named it must be theirs. Raises UnknownVoucherError,
    UnusableVoucherError (out of its period, on its way to a friend, withdrawn).
    """
    if voucher is None:
        raise UnknownVoucherError
    offer = voucher_programs.get(session, voucher.program_id)
    if not offer.at(shop_id):
        raise UnknownVoucherError
    bearer = customer_id is None or voucher.customer_id is None
    if not bearer and customers.resolve(session, customer_id or 0) != voucher.customer_id:
        raise UnknownVoucherError
    moment = now(session)
    early = offer.starts_at is not None and moment < offer.starts_at
    ends_at = ends(voucher, offer)
    if early or (ends_at is not None and ends_at <= moment):
        raise UnusableVoucherError("out of its period")
    if voucher.state in {VoucherState.GIFT, VoucherState.WITHDRAWN}:
        raise UnusableVoucherError(f"it is {voucher.state}")
    return offer


def wallet(session: Session, customer_id: int, *, shop_id: int | None = None) -> list[Kept]:
    """`usable`, each with what people are told of it."""
    owner = customers.resolve(session, customer_id)
    return [kept_of(session, voucher, offer) for voucher, offer in usable(session, owner, shop_id)]


def usable(session: Session, customer_id: int, shop_id: int | None = None) -> list[tuple[Voucher, Program]]:
    """A customer's vouchers that can still be used (at a shop, where one is named), soonest-to-expire first; one that an
    order holds is among them, marked by its state.
    """
    rows = session.execute(
        select(*FIELDS, *voucher_programs.FIELDS)
        .join(programs, programs.c.id == vouchers.c.program_id)
        .where(
            vouchers.c.customer_id == customer_id,
            vouchers.c.state.not_in(GONE),
            or_(vouchers.c.expires_at.is_(None), vouchers.c.expires_at > now(session)),
        )
        .order_by(vouchers.c.expires_at.is_(None), vouchers.c.expires_at, vouchers.c.id)
    ).all()
    held = [(Voucher(*row[: len(FIELDS)]), Program(*row[len(FIELDS) :])) for row in rows]
    return [(voucher, offer) for voucher, offer in held if shop_id is None or offer.at(shop_id)]


def kept_of(session: Session, voucher: Voucher, offer: Program) -> Kept:
    """A voucher with what people are told of it."""
    names = {shop.id: shop.name for shop in shops.every(session)} if offer.branches else {}
    places = tuple(names[branch] for branch in offer.branches or () if branch in names)
    return Kept(voucher, offer, last_day(session, voucher, offer), places)


def mark(session: Session, voucher_id: int, state: VoucherState) -> None:
    """Write a voucher's state, its row locked by the caller: redemptions do, and nobody else."""
    session.execute(update(vouchers).where(vouchers.c.id == voucher_id).values(state=state.value))


def move(session: Session, from_id: int, to_id: int) -> None:
    """Carry a customer's vouchers over in a merge; the limits bound what is given from then on."""
    session.execute(update(vouchers).where(vouchers.c.customer_id == from_id).values(customer_id=to_id))


def check(session: Session) -> list[ledger.Fault]:
    """Prove each programme's count of vouchers from the vouchers."""
    counted = (
        select(vouchers.c.program_id, func.count().label("found"))
        .where(vouchers.c.shared.is_(False))
        .group_by(vouchers.c.program_id)
        .subquery()
    )
    found = func.coalesce(counted.c.found, 0)
    rows = session.execute(
        select(programs.c.id, programs.c.issued, found)
        .outerjoin(counted, counted.c.program_id == programs.c.id)
        .where(programs.c.issued != found)
    )
    return [ledger.Fault("vouchers issued", number, int(count), issued) for number, issued, count in rows]
