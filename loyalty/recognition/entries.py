"""Entries: a customer's chances in a lucky draw, got by orders or for points; each is drawn once."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, Text, cast, func, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.customers import customers
from loyalty.points import ledger, points
from loyalty.recognition import drafts, drawlog, draws, wins
from loyalty.recognition.draws import Draw, DrawClosedError, DrawState, EntryBy
from loyalty.recognition.prizes import Prize
from loyalty.recognition.wins import Cause, Win
from store import events, notices, shops
from store.base import Base, BigId, UtcTime, table
from store.clock import day_began, now
from store.errors import ConflictError, NotFoundError
from store.shops import Shop


class EntryState(StrEnum):
    OPEN = "open"
    DRAWN = "drawn"
    VOID = "void"
    """The order behind it was returned before it was drawn."""


class EntryRow(Base):
    __tablename__ = "draw_entries"
    __table_args__ = (
        Index("ix_draw_entries_customer", "customer_id", "draw_id", "state"),
        Index("ix_draw_entries_order", "order_id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    draw_id: Mapped[int] = mapped_column(ForeignKey("draws.id"))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    key: Mapped[str] = mapped_column(Text, unique=True)
    order_id: Mapped[int | None]
    state: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcTime)
    number: Mapped[int | None]
    """The number of its draw."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a drawing came to: its number, the prize and the win where there is one, the entries that are left."""

    draw: Draw
    number: int
    prize: Prize | None
    win: Win | None
    left: int
    new: bool
    """False when this entry was drawn before: nothing was done again."""


class NoEntryError(ConflictError):
    """The customer has no entry for this."""

    code = "no_entry"


class EntryLimitError(ConflictError):
    """No more entries today."""

    code = "entry_limit"


entries = table(EntryRow)


def open_of(session: Session, draw_id: int, customer_id: int) -> list[int]:
    """The numbers of a customer's entries that were not drawn yet, oldest first."""
    rows = session.execute(
        select(entries.c.id)
        .where(
            entries.c.draw_id == draw_id, entries.c.customer_id == customer_id,
            entries.c.state == EntryState.OPEN.value,
        )
        .order_by(entries.c.id)
    )  # fmt: skip
    return [int(number) for number in rows.scalars()]


def counts(session: Session, draw_id: int) -> dict[str, int]:
    """A draw's entries by state."""
    rows = session.execute(
        select(entries.c.state, func.count()).where(entries.c.draw_id == draw_id).group_by(entries.c.state)
    )
    return {str(state): int(count) for state, count in rows}


def draw(session: Session, entry_id: int, customer_id: int) -> Drawn:
    """Draw an entry; drawn again it gives the same. Raises NotFoundError (not theirs), NoEntryError (its order was
    returned), DrawClosedError.
    """
    draw_id = session.execute(select(entries.c.draw_id).where(entries.c.id == entry_id)).scalar()
    if draw_id is None:
        raise NotFoundError("entry", entry_id)
    # One at a time: the draw's row gives the numbers, and the log is a chain.
    found = draws.get(session, draw_id, lock=True)
    entry = session.execute(select(entries).where(entries.c.id == entry_id).with_for_update()).one()
    owner = customers.resolve(session, customer_id)
    if customers.resolve(session, entry.customer_id) != owner:
        raise NotFoundError("entry", entry_id)
    if entry.state == EntryState.DRAWN:
        return _drawn(session, found, owner, entry.number, new=False)
    if entry.state == EntryState.VOID:
        raise NoEntryError(entry_id)
    if not found.takes(now(session)):
        raise DrawClosedError(found.state)
    line = drawlog.write(session, found, owner, f"entry:{entry.id}")
    session.execute(
        update(entries).where(entries.c.id == entry_id).values(state=EntryState.DRAWN.value, number=line.number)
    )
    prize = drawlog.prize_at(session, found.id, line.place)
    if prize is not None:
        wins.give(
            session, win_key(found.id, line.number), prize, owner, cause=Cause.DRAW, cause_id=found.id,
            order_id=entry.order_id,
        )  # fmt: skip
    draws.close_if_over(session, found.id)
    events.happened(session, "drawn", customer_id=owner, shop_id=found.shop_id, draw=found.id, number=line.number)
    return _drawn(session, found, owner, line.number, new=True)


def win_key(draw_id: int, number: int) -> str:
    """The key of the win of a draw's number."""
    return f"draw:{draw_id}:{number}"


def _drawn(session: Session, draw: Draw, customer_id: int, number: int, *, new: bool) -> Drawn:
    prize = drawlog.prize_at(session, draw.id, drawlog.line(session, draw.id, number).place)
    win = wins.by_key(session, win_key(draw.id, number)) if prize else None
    return Drawn(draw, number, prize, win, len(open_of(session, draw.id, customer_id)), new)


def buy(session: Session, draw_id: int, customer_id: int, *, price: int, key: str) -> int:
    """An entry for points; its number. The same key buys once. Raises NotFoundError, DrawClosedError, ConflictError where it
    isn't for points or for another price, EntryLimitError, UncoveredError.
    """
    known = session.execute(select(entries.c.id).where(entries.c.key == f"points:{key}")).scalar()
    if known is not None:
        return int(known)
    found = draws.get(session, draw_id, lock=True)
    if not found.takes(now(session)):
        raise DrawClosedError(found.state)
    if found.entry_by != EntryBy.POINTS or found.entry_per != price:
        raise ConflictError("price")
    if _room(session, found, shops.get(session, found.shop_id), customer_id) < 1:
        raise EntryLimitError(draw_id)
    points.spend(
        session, f"entry:{key}", "draw", customer_id=customer_id, shop_id=found.shop_id, points=price,
        reason=found.name,
    )  # fmt: skip
    return _add(session, found, customer_id, f"points:{key}", None)


def _add(session: Session, draw: Draw, customer_id: int, key: str, order_id: int | None) -> int:
    return int(
        session.execute(
            insert(entries)
            .values(
                draw_id=draw.id, customer_id=customer_id, key=key, order_id=order_id, state=EntryState.OPEN.value,
                at=now(session),
            )
            .returning(entries.c.id)
        ).scalar_one()
    )  # fmt: skip


def _room(session: Session, draw: Draw, shop: Shop, customer_id: int) -> int:
    """How many more entries a customer may get today."""
    if draw.per_day is None:
        return drafts.PER_DAY_MAX
    begins = day_began(session, shop.timezone)
    got = session.execute(
        select(func.count()).where(
            entries.c.draw_id == draw.id, entries.c.customer_id == customer_id,
            entries.c.state != EntryState.VOID.value, entries.c.at >= begins,
            entries.c.at < begins + timedelta(days=1),
        )
    ).scalar_one()  # fmt: skip
    return max(0, draw.per_day - got)


def order_settled(
    session: Session,
    shop: Shop,
    customer_id: int,
    *,
    order_id: int,
    placed_at: datetime,
    paid: int,
    starts: bool,
    quiet: bool,
) -> None:
    """Give the entries that an order brings, or take back those that it no longer does: first what wasn't drawn, then the
    prizes of what was. The log stays as it is, and a prize that was taken back stays so.
    """
    for found in draws.of_shop(session, shop.id):
        if found.state == DrawState.DRAFT or found.entry_by == EntryBy.POINTS:
            continue
        if found.opened_at is None or not found.opened_at <= placed_at < found.ends_at:
            continue
        wanted = _wanted(found, paid)
        have = session.execute(
            select(entries.c.id, entries.c.state, entries.c.number)
            .where(entries.c.draw_id == found.id, entries.c.order_id == order_id)
            .order_by(entries.c.id)
            .with_for_update()
        ).all()
        standing = [row for row in have if row.state != EntryState.VOID]
        if len(standing) < wanted and starts and found.takes(now(session)):
            added = min(wanted - len(standing), _room(session, found, shop, customer_id))
            for nth in range(added):
                _add(session, found, customer_id, f"order:{order_id}:{found.id}:{len(have) + nth}", order_id)
            if added and not quiet:
                notices.tell(
                    session, "draw_entries", customer_id=customer_id, shop_id=shop.id, draw=found.name, draw_id=found.id,
                    entries=len(open_of(session, found.id, customer_id)), replaces=f"entries:{found.id}:{customer_id}",
                )  # fmt: skip
        # What wasn't drawn goes first.
        for row in sorted(standing, key=lambda row: (row.state == EntryState.OPEN, row.id))[wanted:]:
            _take_back(session, found, row.id, row.number)


def _wanted(draw: Draw, paid: int) -> int:
    if draw.entry_by == EntryBy.SPEND:
        return paid // draw.entry_per
    return int(paid > 0 and paid >= draw.entry_per)


def _take_back(session: Session, draw: Draw, entry_id: int, number: int | None) -> None:
    if number is None:
        session.execute(update(entries).where(entries.c.id == entry_id).values(state=EntryState.VOID.value))
        return
    win = wins.by_key(session, win_key(draw.id, number))
    if win is not None:
        wins.take_back(session, win.id, "order_returned", restock=draw.state == DrawState.CLOSED)


def move(session: Session, from_id: int, to_id: int) -> None:
    """Carry a customer's entries over in a merge; the log keeps the number under which they drew."""
    session.execute(update(entries).where(entries.c.customer_id == from_id).values(customer_id=to_id))


def check(session: Session) -> list[ledger.Fault]:
    """Prove that each entry which was drawn stands in its draw's log, and that each line there is of an entry."""
    lines, mine = drawlog.log.c, entries.c
    same = (lines.draw_id == mine.draw_id) & (lines.number == mine.number)
    missing = (
        select(mine.id)
        .outerjoin(drawlog.log, same)
        .where(mine.number.is_not(None), func.coalesce(lines.entry, "") != "entry:" + cast(mine.id, Text))
        .order_by(mine.id)
    )
    faults = [ledger.Fault("entry drawn", number, 1, 0) for number in session.execute(missing).scalars()]
    loose = select(lines.draw_id).outerjoin(entries, same).where(mine.id.is_(None)).order_by(lines.draw_id)
    alone = session.execute(loose).scalars()
    return faults + [ledger.Fault("draw without its entry", number, 1, 0) for number in alone]
