"""Telling customers in time that points are about to expire: 30, 7 and 1 days before, each of them once for a day of expiry."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Date, delete, func, insert, select, tuple_
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty import rounds
from loyalty.points import lots
from loyalty.rounds import Round
from store import notices
from store.base import Base, from_micros, table, to_micros
from store.clock import midnight, now
from store.outbox import Purpose

DAYS = (30, 7, 1)
HOUR = 9
"""Of the shop's morning."""
BATCH = 200
KEPT = timedelta(days=60)


class ToldRow(Base):
    """Who was told that points expire on a day, so many days before."""

    __tablename__ = "expiry_told"

    customer_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    before: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


told = table(ToldRow)


def tell_due(session: Session) -> int:
    """Tell some of those who are to be told today; 0 when all are. For the clock."""
    return rounds.go_on(session, "expiry", HOUR, _step)


def _step(session: Session, at: Round) -> str | None:
    """The next lots of the shop that expire within 30 days, by expiry and number; the customers' sums are looked up, for
    a customer's lots of one day need not stand together.
    """
    begins, after = (int(part) for part in at.place.split(":")) if at.place else (to_micros(now(session)), 0)
    ends = midnight(at.day + timedelta(days=DAYS[0] + 1), ZoneInfo(at.shop.timezone))
    lot = lots.lots.c
    rows = session.execute(
        select(lot.expires_at, lot.id, lot.customer_id)
        .where(
            lot.shop_id == at.shop.id, lot.remaining > 0, lot.pending_until.is_(None), lot.expires_at <= ends,
            tuple_(lot.expires_at, lot.id) > (from_micros(begins), after),
        )
        .order_by(lot.expires_at, lot.id)
        .limit(BATCH)
    ).all()  # fmt: skip
    if not rows:
        session.execute(delete(told).where(told.c.day < at.day - KEPT))
        return None
    _tell(session, at, {(row.customer_id, row.expires_at) for row in rows})
    return f"{to_micros(rows[-1].expires_at)}:{rows[-1].id}"


def _tell(session: Session, at: Round, groups: set[tuple[int, datetime]]) -> None:
    due = {
        (customer_id, day): before
        for customer_id, expires_at in groups
        if (before := days_before((day := lots.last_day(expires_at, at.shop.timezone)) - at.day)) is not None
    }
    people, days = {customer for customer, _ in due}, {day for _, day in due}
    known = {
        (row.customer_id, row.day, row.before)
        for row in session.execute(select(told).where(told.c.customer_id.in_(people), told.c.day.in_(days)))
    }
    wanted = {key: before for key, before in due.items() if (*key, before) not in known}
    if not wanted:
        return
    sums = _sums(session, at, sorted({customer for customer, _ in wanted}))
    session.execute(
        insert(told),
        [{"customer_id": customer, "day": day, "before": before} for (customer, day), before in wanted.items()],
    )
    for (customer, day), _ in sorted(wanted.items()):
        notices.tell(
            session, "points_expiring", customer_id=customer, shop_id=at.shop.id, purpose=Purpose.CARE,
            points=sums.get((customer, day), 0), on=day.isoformat(),
            days=(day - at.day).days, shop=at.shop.name,
        )  # fmt: skip


def days_before(left: timedelta) -> int | None:
    """Which notice is due so long before the last day: the smallest that isn't over yet, so that what was missed while
    nothing ran is told late, but told. None where none is.
    """
    fitting = [before for before in DAYS if timedelta() <= left <= timedelta(days=before)]
    return min(fitting) if fitting else None


def _sums(session: Session, at: Round, people: Sequence[int]) -> dict[tuple[int, date], int]:
    """What each of some customers loses by day, of points that this shop issued."""
    lot: Any = lots.lots.c
    rows = session.execute(
        select(lot.customer_id, lot.expires_at, func.sum(lot.remaining).label("points"))
        .where(
            lot.customer_id.in_(people), lot.shop_id == at.shop.id, lot.remaining > 0, lot.pending_until.is_(None),
            lot.expires_at.is_not(None),
        )
        .group_by(lot.customer_id, lot.expires_at)
    )  # fmt: skip
    sums: dict[tuple[int, date], int] = {}
    for row in rows:
        key = (row.customer_id, lots.last_day(row.expires_at, at.shop.timezone))
        sums[key] = sums.get(key, 0) + int(row.points)
    return sums
