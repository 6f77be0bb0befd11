"""Shifts: what a cashier took at a shop's till from one closing to the next, so that the drawer can be counted."""

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    Row,
    UniqueConstraint,
    case,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.orders import orders, sales
from loyalty.points import ledger
from loyalty.vouchers import redemptions
from loyalty.vouchers.redemptions import RedemptionState
from store import audit, paging
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ConflictError, InvalidError
from store.paging import FIRST, By, Place
from store.staff import StaffRow

PAGE = 40


class ShiftRow(Base):
    """A closed shift. Money in đồng; its sums are as they stood at the closing: no sale of it can be undone after."""

    __tablename__ = "shifts"
    __table_args__ = (UniqueConstraint("staff_id", "last_sale_id"), Index("ix_shifts_shop", "shop_id", "id"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    last_sale_id: Mapped[int] = mapped_column(ForeignKey("sales.id"))
    opened_at: Mapped[datetime] = mapped_column(UtcTime)
    closed_at: Mapped[datetime] = mapped_column(UtcTime)
    count: Mapped[int]
    undone: Mapped[int]
    amount: Mapped[int]
    discount: Mapped[int]
    points_used: Mapped[int]
    points_paid: Mapped[int]
    paid: Mapped[int]
    earned: Mapped[int]
    counted: Mapped[int | None]
    """đồng that the cashier counted in the drawer, where they said so."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What some sales came to: `count` that stand and `undone` ones; of those that stand `amount` on the bills, `discount`
    by vouchers, `points_used` that paid `points_paid`, and `paid` in money (đồng), with the points they `earned`.
    """

    count: int
    undone: int
    amount: int
    discount: int
    points_used: int
    points_paid: int
    paid: int
    earned: int


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift, open while `closed_at` is None; `counted` in đồng."""

    id: int | None
    shop_id: int
    staff_id: int
    last_sale_id: int | None
    opened_at: datetime | None
    closed_at: datetime | None
    sums: Sums
    counted: int | None

    @property
    def difference(self) -> int | None:
        """đồng that the drawer held too much (above 0) or too little; None where nobody counted."""
        return None if self.counted is None else self.counted - self.sums.paid


class Sort(StrEnum):
    CLOSED = "closed"
    CASHIER = "cashier"
    SALES = "sales"
    PAID = "paid"
    DIFFERENCE = "difference"


@dataclass(frozen=True, slots=True)
class Page:
    """Closed shifts, each with its cashier's name. `total` as `paging.count` counts; `before` and `after` are the marks of
    the pages beside this one.
    """

    lines: list[tuple[Shift, str]]
    total: int
    before: str | None
    after: str | None


class EmptyShiftError(ConflictError):
    """There is nothing to close."""

    code = "empty_shift"


shifts = table(ShiftRow)
USED = (RedemptionState.CONFIRMED.value, RedemptionState.ROLLED_BACK.value)
"""How the voucher of a sale stands, the sale being there or taken back."""
_PLACE = ("id", "shop_id", "staff_id", "last_sale_id", "opened_at", "closed_at", "counted")
_FIELDS = tuple(shifts.c[name] for name in (*_PLACE, *Sums.__dataclass_fields__))
_staff = table(StaffRow)


def current(session: Session, shop_id: int, staff_id: int) -> Shift:
    """A cashier's open shift at a shop: their sales since they last closed one. `opened_at` is None before the first."""
    s = sales.sales.c
    return _summed(session, shop_id, staff_id, s.shift_id.is_(None))


def _summed(session: Session, shop_id: int, staff_id: int, which: ColumnElement[bool]) -> Shift:
    s = sales.sales.c
    stands = s.undone_at.is_(None)

    def total(column: ColumnElement[int]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((stands, column), else_=0)), 0)

    row = session.execute(
        select(
            total(literal(1)), func.coalesce(func.sum(case((stands, 0), else_=1)), 0), total(s.amount),
            total(s.discount), total(s.points_used), total(s.points_paid),
            total(s.amount - s.discount - s.points_paid), total(s.earned), func.min(s.at), func.max(s.id),
        ).where(s.shop_id == shop_id, s.staff_id == staff_id, which)
    ).one()  # fmt: skip
    *sums, opened_at, last = row
    return Shift(None, shop_id, staff_id, last, opened_at, None, Sums(*(int(one) for one in sums)), None)


def close(session: Session, shop_id: int, staff_id: int, *, last_sale_id: int, counted: int | None = None) -> Shift:
    """Close a cashier's shift as they saw it, `last_sale_id` being the newest sale they were shown; a later one falls in
    the next shift. Closing the same one again gives the closed one.

    Raises EmptyShiftError, InvalidError("counted").
    """
    if counted is not None and not 0 <= counted <= orders.MONEY_MAX:
        raise InvalidError("counted", "range", counted)
    s = sales.sales.c
    mine = (s.shop_id == shop_id, s.staff_id == staff_id, s.shift_id.is_(None), s.id <= last_sale_id)
    # Whoever is just taking one of these back, or closing them, is waited for.
    waiting = session.execute(select(s.id).where(*mine).order_by(s.id).with_for_update()).scalars().all()
    known = _rows(session, shifts.c.staff_id == staff_id, shifts.c.last_sale_id == last_sale_id)
    if known:
        return known[0]
    if last_sale_id not in waiting:
        raise EmptyShiftError(f"staff {staff_id}")
    moment = now(session)
    number = session.execute(
        insert(shifts)
        .values(
            shop_id=shop_id, staff_id=staff_id, last_sale_id=last_sale_id, opened_at=moment, closed_at=moment,
            counted=counted, **dict.fromkeys(Sums.__dataclass_fields__, 0),
        )
        .returning(shifts.c.id)
    ).scalar_one()  # fmt: skip
    session.execute(update(sales.sales).where(s.id.in_(waiting)).values(shift_id=number))
    sums = _summed(session, shop_id, staff_id, s.shift_id == number)
    session.execute(update(shifts).where(shifts.c.id == number).values(opened_at=sums.opened_at, **asdict(sums.sums)))
    audit.record(
        session, f"staff:{staff_id}", "shift_closed", shop_id, paid=sums.sums.paid, sales=sums.sums.count,
        counted=counted,
    )  # fmt: skip
    return _rows(session, shifts.c.id == number)[0]


def page(
    session: Session,
    shop_id: int,
    *,
    sort: Sort = Sort.CLOSED,
    descending: bool = True,
    place: Place = FIRST,
) -> Page:
    """A page of a shop's closed shifts, each with its cashier's name."""
    query = select(*_FIELDS, _staff.c.name).join(_staff, _staff.c.id == shifts.c.staff_id)
    query = query.where(shifts.c.shop_id == shop_id)
    columns: dict[Sort, ColumnElement[Any]] = {
        Sort.CLOSED: shifts.c.closed_at, Sort.CASHIER: func.lower(_staff.c.name), Sort.SALES: shifts.c.count,
        Sort.PAID: shifts.c.paid, Sort.DIFFERENCE: func.coalesce(shifts.c.counted - shifts.c.paid, 0),
    }  # fmt: skip
    cut = paging.cut(session, query, [By(columns[sort], descending), By(shifts.c.id, descending)], PAGE, place)
    lines = [(_shift(row), row.name) for row in cut.rows]
    return Page(lines, paging.count(session, query), cut.before, cut.after)


def _rows(session: Session, *where: ColumnElement[bool]) -> list[Shift]:
    return [
        _shift(row) for row in session.execute(select(*_FIELDS).where(*where).order_by(shifts.c.id.desc()).limit(1))
    ]


def _shift(row: Row[Any]) -> Shift:
    sums = Sums(*row[len(_PLACE) : len(_FIELDS)])
    return Shift(
        row.id, row.shop_id, row.staff_id, row.last_sale_id, row.opened_at, row.closed_at, sums, row.counted
    )  # fmt: skip


def check(session: Session) -> list[ledger.Fault]:
    """Prove every closed shift from its sales, and of every sale the points that paid and the vouchers' discount."""
    s, o, p, r = sales.sales.c, orders.orders.c, ledger.postings.c, redemptions.redemptions.c
    used = func.coalesce(p.amount, 0)
    off = (
        select(func.coalesce(func.sum(r.discount), 0))
        .where(r.shop_id == s.shop_id, r.order == o.external_id, r.state.in_(USED))
        .scalar_subquery()
    )
    rows = session.execute(
        select(s.id, s.points_used, used.label("used"), s.discount, off.label("off"))
        .outerjoin(ledger.postings, p.transfer_id == s.spent_id)
        .join(orders.orders, o.id == s.order_id)
        .where((s.points_used != used) | (s.discount != off))
        .order_by(s.id)
    )
    faults = [
        ledger.Fault("sale's points", row.id, int(row.used), row.points_used)
        if row.points_used != row.used
        else ledger.Fault("sale's discount", row.id, int(row.off), row.discount)
        for row in rows
    ]
    sums = [shifts.c[name] for name in Sums.__dataclass_fields__]
    closed = select(shifts.c.id, shifts.c.shop_id, shifts.c.staff_id, *sums).order_by(shifts.c.id)
    for number, shop_id, staff_id, *said in session.execute(closed).all():
        stands = asdict(_summed(session, shop_id, staff_id, s.shift_id == number).sums)
        faults += [
            ledger.Fault(f"shift's {name}", number, amount, told)
            for (name, amount), told in zip(stands.items(), said, strict=True)
            if amount != told
        ]
    return faults
