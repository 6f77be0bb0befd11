"""Vouchers: the codes that a programme gives out, each worth one use.

A code is 13 signs (64 random bits), compared with case, spaces and dashes aside. A voucher is personal (it has an owner) or
its bearer's. Stock and the limit per customer bound what is given out; a programme's row is locked while it gives, so
neither can be overrun.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlalchemy import ForeignKey, Index, Text, func, insert, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty import customers, ledger, lots, voucher_programs
from loyalty.voucher_programs import Program, programs
from store import events, notices, secret, shops
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ConflictError, InvalidError, NotFoundError

CODE_SIGNS = 13
CODE_GROUP = 4
COUNT_MAX = 100_000
"""Vouchers that one call may make."""


class VoucherState(StrEnum):
    OPEN = "open"
    HELD = "held"
    """An order has reserved it (see redemptions)."""
    USED = "used"


class VoucherRow(Base):
    __tablename__ = "vouchers"
    __table_args__ = (
        Index("ix_vouchers_customer", "customer_id", "state"),
        Index("ix_vouchers_program", "program_id", "customer_id"),
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


@dataclass(frozen=True, slots=True)
class Kept:
    """A voucher in a customer's wallet with what it gives, and the last day for it (in its shop's time zone)."""

    voucher: Voucher
    program: Program
    last_day: str | None
    """As YYYY-MM-DD."""


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


vouchers = table(VoucherRow)
_FIELDS = tuple(vouchers.c[name] for name in Voucher.__dataclass_fields__)


def folded(code: str) -> str:
    """A code as it is kept: however it was typed, in capitals without spaces and dashes."""
    return re.sub(r"[\s\u2010-\u2015-]", "", code[:64]).upper()


def shown(code: str) -> str:
    """A code as people read it: `K7MD-2QXW-9HPTA`."""
    groups = max(1, len(code) // CODE_GROUP)
    cuts = [*range(0, groups * CODE_GROUP, CODE_GROUP), len(code)]
    return "-".join(code[start:end] for start, end in zip(cuts, [*cuts[1:-1], len(code)], strict=False))


def issue(
    session: Session, program_id: int, customer_id: int | None = None, *, key: str | None = None, tell: bool = False
) -> Voucher:
    """Give one voucher, to a customer or to whoever bears it; the same `key` gives the same voucher again.

    `tell`: let the customer know. Raises NotFoundError, SoldOutError, LimitError, KeyConflictError.
    """
    offer = voucher_programs.get(session, program_id, lock=True)
    owner = customers.resolve(session, customer_id) if customer_id is not None else None
    if key is not None and (known := by_key(session, key)) is not None:
        if (known.program_id, known.customer_id) != (program_id, owner):
            raise ledger.KeyConflictError(key)
        return known
    if owner is not None:
        _within_limit(session, offer, owner)
    _take(session, offer, 1)
    row = session.execute(
        insert(vouchers)
        .values(
            program_id=offer.id, code=secret.code(CODE_SIGNS), customer_id=owner, state=VoucherState.OPEN.value,
            issued_at=now(session), expires_at=_expiry(session, offer), key=key,
        )
        .returning(*_FIELDS)
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
    _take(session, offer, count)
    codes = [secret.code(CODE_SIGNS) for _ in range(count)]
    same = {
        "program_id": offer.id, "customer_id": None, "state": VoucherState.OPEN.value, "issued_at": now(session),
        "expires_at": _expiry(session, offer), "key": None,
    }  # fmt: skip
    session.execute(insert(vouchers), [same | {"code": code} for code in codes])
    return codes


def give(session: Session, voucher: Voucher, customer_id: int) -> Voucher:
    """Make a bearer's voucher a customer's own. Its row is locked by the caller. Raises LimitError."""
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
        select(func.count()).where(vouchers.c.program_id == offer.id, vouchers.c.customer_id == customer_id)
    ).scalar_one()
    if given >= offer.per_customer:
        raise LimitError(f"program {offer.id}")


def _take(session: Session, offer: Program, count: int) -> None:
    """Take vouchers from the stock; raises SoldOutError."""
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


def _expiry(session: Session, offer: Program) -> datetime | None:
    """When one that is given now expires: with its programme, or at the end of the last of its days."""
    if offer.valid_days is None:
        return offer.ends_at
    zone = ZoneInfo(_zone(session, offer))
    day = now(session).astimezone(zone).date() + timedelta(days=offer.valid_days + 1)
    end = datetime.combine(day, time(), zone)
    return end if offer.ends_at is None else min(end, offer.ends_at)


def _zone(session: Session, offer: Program) -> str:
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


def last_day(session: Session, voucher: Voucher, offer: Program) -> str | None:
    """The last day it can be used, as YYYY-MM-DD."""
    if voucher.expires_at is None:
        return None
    return lots.last_day(voucher.expires_at, _zone(session, offer)).isoformat()


def get(session: Session, voucher_id: int, *, lock: bool = False) -> Voucher:
    """A voucher; raises NotFoundError."""
    query = select(*_FIELDS).where(vouchers.c.id == voucher_id)
    row = session.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NotFoundError("voucher", voucher_id)
    return Voucher(*row)


def by_key(session: Session, key: str) -> Voucher | None:
    """The voucher that a cause gave."""
    row = session.execute(select(*_FIELDS).where(vouchers.c.key == key)).first()
    return Voucher(*row) if row else None


def by_code(session: Session, code: str, *, lock: bool = False) -> Voucher | None:
    """The voucher of a code, in whatever state."""
    wanted = folded(code)
    if len(wanted) != CODE_SIGNS:
        return None
    query = select(*_FIELDS).where(vouchers.c.code == wanted)
    row = session.execute(query.with_for_update() if lock else query).first()
    return Voucher(*row) if row else None


def offer_for(session: Session, voucher: Voucher | None, shop_id: int, customer_id: int | None) -> Program:
    """The programme of a voucher that this shop may take now from this customer, were it still free.

    A personal voucher needs no customer, but when one is named it must be theirs. Raises UnknownVoucherError,
    UnusableVoucherError (out of its period).
    """
    if voucher is None:
        raise UnknownVoucherError
    offer = voucher_programs.get(session, voucher.program_id)
    if offer.shop_id not in {None, shop_id}:
        raise UnknownVoucherError
    bearer = customer_id is None or voucher.customer_id is None
    if not bearer and customers.resolve(session, customer_id or 0) != voucher.customer_id:
        raise UnknownVoucherError
    moment = now(session)
    early = offer.starts_at is not None and moment < offer.starts_at
    if early or (voucher.expires_at is not None and voucher.expires_at <= moment):
        raise UnusableVoucherError("out of its period")
    return offer


def wallet(session: Session, customer_id: int, *, shop_id: int | None = None) -> list[Kept]:
    """A customer's vouchers that can still be used (at a shop, where one is named), soonest-to-expire first; one that an
    order holds is among them, marked by its state.
    """
    query = (
        select(*_FIELDS, *voucher_programs.FIELDS)
        .join(programs, programs.c.id == vouchers.c.program_id)
        .where(
            vouchers.c.customer_id == customers.resolve(session, customer_id),
            vouchers.c.state != VoucherState.USED.value,
            or_(vouchers.c.expires_at.is_(None), vouchers.c.expires_at > now(session)),
        )
        .order_by(vouchers.c.expires_at.is_(None), vouchers.c.expires_at, vouchers.c.id)
    )
    if shop_id is not None:
        query = query.where(or_(programs.c.shop_id.is_(None), programs.c.shop_id == shop_id))
    kept = []
    for row in session.execute(query).all():
        voucher, offer = Voucher(*row[: len(_FIELDS)]), Program(*row[len(_FIELDS) :])
        kept.append(Kept(voucher, offer, last_day(session, voucher, offer)))
    return kept


def used(session: Session, program_ids: Sequence[int]) -> dict[int, int]:
    """How many of each programme's vouchers were used; a programme without any is not in it."""
    rows = session.execute(
        select(vouchers.c.program_id, func.count().label("used"))
        .where(vouchers.c.program_id.in_(program_ids), vouchers.c.state == VoucherState.USED.value)
        .group_by(vouchers.c.program_id)
    )
    return {row.program_id: row.used for row in rows}


def mark(session: Session, voucher_id: int, state: VoucherState) -> None:
    """Write a voucher's state, its row locked by the caller: redemptions do, and nobody else."""
    session.execute(update(vouchers).where(vouchers.c.id == voucher_id).values(state=state.value))


def move(session: Session, from_id: int, to_id: int) -> None:
    """Carry a customer's vouchers over in a merge; the limits bound what is given from then on."""
    session.execute(update(vouchers).where(vouchers.c.customer_id == from_id).values(customer_id=to_id))


def check(session: Session) -> list[ledger.Fault]:
    """Prove each programme's count of vouchers from the vouchers."""
    counted = select(vouchers.c.program_id, func.count().label("found")).group_by(vouchers.c.program_id).subquery()
    found = func.coalesce(counted.c.found, 0)
    rows = session.execute(
        select(programs.c.id, programs.c.issued, found)
        .outerjoin(counted, counted.c.program_id == programs.c.id)
        .where(programs.c.issued != found)
    )
    return [ledger.Fault("vouchers issued", number, int(count), issued) for number, issued, count in rows]
