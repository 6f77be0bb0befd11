"""Digests: what an owner is told of their shop on Monday mornings, of the week that is over, unless they don't want it.

Each owner of each shop has a row with the time of their next one: told once a week, however many processes look.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ForeignKey, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.insights import buyers, flows, prospects, scope, today
from loyalty.insights.scope import Scope
from loyalty.insights.today import Week
from store import audit, media, notices, shops, staff
from store.base import Base, UtcTime, table
from store.clock import now
from store.shops import Shop
from store.staff import Right

MORNING = time(8)
WEEK = timedelta(weeks=1)
LATE = timedelta(days=3)
"""What could not be told so long is told no more: the next one is."""
SHOWN = 8
"""Weeks of the picture."""


class DigestRow(Base):
    __tablename__ = "digests"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"), primary_key=True, autoincrement=False)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), primary_key=True, autoincrement=False)
    due_at: Mapped[datetime] = mapped_column(UtcTime)
    off: Mapped[bool] = mapped_column(server_default=text("false"))
    """They don't want it."""


@dataclass(frozen=True, slots=True)
class Due:
    """A digest to be told: whom, in which language, of which shop, and the time that its row said."""

    shop: Shop
    staff_id: int
    language: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Sums:
    """A week's orders, đồng and buyers."""

    orders: int
    revenue: int
    new: int
    returning: int


@dataclass(frozen=True, slots=True)
class Digest:
    """The week from `begins` on, the one before it, the weeks of the picture (oldest first), and what may need somebody:
    customers worth much who are likely to leave, regulars who sleep, points that are owed.
    """

    begins: date
    week: Sums
    before: Sums
    weeks: list[Week]
    leaving: int
    asleep: int
    owed: int


digests = table(DigestRow)


def due(session: Session) -> list[Due]:
    """Who is to be told now. Owners who are new here get their row: the first one comes on the Monday after."""
    moment, found = now(session), []
    rows = {(row.shop_id, row.staff_id): row for row in session.execute(select(digests))}
    for shop, member in _owners(session):
        row = rows.get((shop.id, member.id))
        if row is not None and not row.off and row.due_at <= moment:
            found.append(Due(shop, member.id, member.language, row.due_at))
    return found


def unknown(session: Session) -> bool:
    """Whether an owner has no row yet."""
    rows = {tuple(row) for row in session.execute(select(digests.c.shop_id, digests.c.staff_id))}
    return any((shop.id, member.id) not in rows for shop, member in _owners(session))


def enrol(session: Session) -> None:
    """Give the owners who are new here their row."""
    rows = {tuple(row) for row in session.execute(select(digests.c.shop_id, digests.c.staff_id))}
    for shop, member in _owners(session):
        if (shop.id, member.id) not in rows:
            _add(session, shop, member.id)


def look(session: Session, of: Due) -> Digest:
    """What there is to tell: of the last week that is over."""
    zone = ZoneInfo(of.shop.timezone)
    monday = _monday(now(session).astimezone(zone).date())
    week = scope.of(session, of.shop.id, monday - WEEK, monday - timedelta(days=1))
    weeks = today.weeks(session, of.shop, SHOWN + 1)[:-1]
    return Digest(
        week.first, _sums(session, week, weeks[-1]), _sums(session, week.before(), weeks[-2]), weeks,
        prospects.leaving(session, week), today.asleep(session, of.shop.id), flows.of(session, week).worth,
    )  # fmt: skip


def tell(session: Session, of: Due, picture: bytes, size: tuple[int, int], params: dict[str, Any]) -> bool:
    """Tell it, once: False where somebody else has, or they don't want it any more. Late beyond `LATE` it is left out."""
    d = digests.c
    mine = (d.shop_id == of.shop.id, d.staff_id == of.staff_id)
    row = session.execute(select(digests).where(*mine).with_for_update()).first()
    if row is None or row.off or row.due_at != of.due_at:
        return False
    session.execute(update(digests).where(*mine).values(due_at=_next(now(session), of.shop)))
    if now(session) - of.due_at > LATE:
        return False
    sha = media.keep(session, picture, "image/png", *size)
    notices.tell(session, "weekly_digest", staff_id=of.staff_id, shop_id=of.shop.id, picture=sha, **params)
    return True


def wanted(session: Session, shop_id: int, staff_id: int) -> bool:
    """Whether an owner wants it."""
    off = session.execute(
        select(digests.c.off).where(digests.c.shop_id == shop_id, digests.c.staff_id == staff_id)
    ).scalar()
    return not off


def choose(session: Session, shop_id: int, staff_id: int, *, on: bool) -> None:
    """An owner wants it, or doesn't. Raises ForbiddenError (of a shop that isn't theirs), NotFoundError."""
    shop, member = shops.get(session, shop_id), staff.get(session, staff_id)
    member.need(Right.STAFF, shop_id)
    if wanted(session, shop_id, staff_id) == on:
        return
    _add(session, shop, staff_id)
    mine = (digests.c.shop_id == shop_id, digests.c.staff_id == staff_id)
    # What fell due meanwhile isn't told afterwards.
    session.execute(update(digests).where(*mine).values(off=not on, due_at=_next(now(session), shop)))
    audit.record(session, f"staff:{staff_id}", "digest_on" if on else "digest_off", shop_id)


def _owners(session: Session) -> list[tuple[Shop, staff.Member]]:
    """Whoever owns a shop, with it."""
    every = staff.every(session)
    return [(shop, member) for shop in shops.every(session) for member in every if member.may(Right.STAFF, shop.id)]


def _add(session: Session, shop: Shop, staff_id: int) -> None:
    try:
        with session.begin_nested():
            session.execute(
                insert(digests).values(shop_id=shop.id, staff_id=staff_id, due_at=_next(now(session), shop), off=False)
            )
    except IntegrityError:
        # It is there already, or somebody else made it at this instant.
        return


def _sums(session: Session, these: Scope, week: Week) -> Sums:
    return Sums(*buyers.total(session, these), week.new, week.returning)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _next(moment: datetime, shop: Shop) -> datetime:
    """The next Monday morning after a moment, on the shop's clock."""
    zone = ZoneInfo(shop.timezone)
    monday = _monday(moment.astimezone(zone).date())
    at = datetime.combine(monday, MORNING, zone)
    return at if at > moment else datetime.combine(monday + WEEK, MORNING, zone)
