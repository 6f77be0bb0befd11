"""Lots: what one earn gave and when it expires. Spent soonest-to-expire first, given back to the lots they came from.

What is left in a customer's open lots is their available balance. When a refund took back points that were already spent
the balance is below 0, and the next lots pay that debt first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ForeignKey, Index, func, insert, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.points import ledger
from store.base import Base, BigId, UtcTime, from_micros, insert_rows, raw, table, to_micros, update_rows
from store.clock import now


class LotRow(Base):
    __tablename__ = "lots"
    __table_args__ = (
        Index(
            "ix_lots_open", "customer_id", "expires_at",
            sqlite_where=text("remaining > 0"), postgresql_where=text("remaining > 0"),
        ),
        Index(
            "ix_lots_due", "expires_at", "id",
            sqlite_where=text("remaining > 0"), postgresql_where=text("remaining > 0"),
        ),
        Index(
            "ix_lots_pending", "pending_until",
            sqlite_where=text("pending_until IS NOT NULL"), postgresql_where=text("pending_until IS NOT NULL"),
        ),
        Index("ix_lots_order_id", "order_id"),
        Index("ix_lots_transfer_id", "transfer_id"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    """Whose wallet issued it."""
    transfer_id: Mapped[int] = mapped_column(ForeignKey("transfers.id"))
    order_id: Mapped[int | None]
    amount: Mapped[int]
    remaining: Mapped[int]
    earned_at: Mapped[datetime] = mapped_column(UtcTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcTime)
    pending_until: Mapped[datetime | None] = mapped_column(UtcTime)


class LotMove(Base):
    """What a transfer took from a lot (below 0) or put back into it."""

    __tablename__ = "lot_moves"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lots.id"), index=True)
    transfer_id: Mapped[int] = mapped_column(ForeignKey("transfers.id"), index=True)
    amount: Mapped[int]
    undoes: Mapped[int | None] = mapped_column(index=True)
    """The transfer whose taking this puts back."""


@dataclass(frozen=True, slots=True)
class Expiring:
    """Points that can be used until the end of the day `on`; None: for ever."""

    points: int
    on: date | None


Accounts = dict[str, dict[int, tuple[int, int]]]
"""Number and balance of accounts, by their names and then by customer."""

lots = table(LotRow)
lot_moves = table(LotMove)


def schedule(session: Session, customer_id: int, zone: str) -> list[Expiring]:
    """A customer's open lots by the day they expire, soonest first, what never does at the end; together what they have.
    Days are the time zone's.
    """
    rows = raw(
        session,
        "SELECT expires_at, sum(remaining) FROM lots WHERE customer_id = ? AND remaining > 0 "
        "AND pending_until IS NULL GROUP BY expires_at",
        (customer_id,),
    )
    by_day: dict[date | None, int] = {}
    for at, points in sorted(rows, key=lambda row: (row[0] is None, row[0])):
        day = None if at is None else last_day(from_micros(at), zone)
        by_day[day] = by_day.get(day, 0) + int(points)
    return [Expiring(points, day) for day, points in by_day.items()]


def last_day(expires_at: datetime, zone: str) -> date:
    """The last day that points can be used which expire at this moment."""
    return (expires_at - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date()


def after_debt(balance_after: int, amount: int) -> int:
    """What of a new amount is left after it paid what the balance was below 0."""
    return max(0, min(amount, balance_after))


def open_lot(
    session: Session,
    customer_id: int,
    shop_id: int,
    transfer_id: int,
    amount: int,
    *,
    expires_at: datetime | None,
    earned_at: datetime,
    pending_until: datetime | None,
    order_id: int | None,
    into: int,
) -> None:
    """Open the lot of an earn on account `into`; in available points it pays a debt first."""
    left = amount if pending_until else after_debt(ledger.balance(session, into), amount)
    session.execute(
        insert(lots).values(
            customer_id=customer_id, shop_id=shop_id, transfer_id=transfer_id, order_id=order_id, amount=amount,
            remaining=left, earned_at=earned_at, expires_at=expires_at, pending_until=pending_until,
        )
    )  # fmt: skip


def open_total(session: Session, customer_id: int) -> int:
    """Points left in a customer's open lots."""
    return int(
        session.execute(
            select(func.coalesce(func.sum(lots.c.remaining), 0)).where(
                lots.c.customer_id == customer_id, lots.c.remaining > 0, lots.c.pending_until.is_(None)
            )
        ).scalar_one()
    )


def take(session: Session, customer_id: int, transfer_id: int, points: int) -> None:
    """Take points from open lots, soonest-to-expire first; what they don't hold is debt."""
    rows = session.execute(
        select(lots.c.id, lots.c.remaining)
        .where(lots.c.customer_id == customer_id, lots.c.remaining > 0, lots.c.pending_until.is_(None))
        .order_by(lots.c.expires_at.is_(None), lots.c.expires_at, lots.c.id)
    )
    for lot in rows.all():
        taken = min(points, lot.remaining)
        move(session, lot.id, transfer_id, -taken)
        points -= taken
        if not points:
            break


def give_back(session: Session, customer_id: int, taken_by: int, transfer_id: int, points: int) -> None:
    """Put points that transfer `taken_by` took back into the lots they came from, the last to expire first; what a debt
    has swallowed stays away, and what other lots have paid of the debt that this taking left comes back to the last of the
    customer's. The balance holds them already, and the account is locked.
    """
    returned = {
        row.lot_id: int(row.points)
        for row in session.execute(
            select(lot_moves.c.lot_id, func.sum(lot_moves.c.amount).label("points"))
            .where(lot_moves.c.undoes == taken_by)
            .group_by(lot_moves.c.lot_id)
        )
    }
    taken = session.execute(
        select(lot_moves.c.lot_id, lot_moves.c.amount)
        .where(lot_moves.c.transfer_id == taken_by)
        .order_by(lot_moves.c.id.desc())
    ).all()
    left = after_debt(ledger.balances(session, "customer", customer_id)["available"], points)
    for row in taken:
        back = min(-row.amount - returned.get(row.lot_id, 0), left)
        if back > 0:
            move(session, row.lot_id, transfer_id, back, undoes=taken_by)
            left -= back
    if left:
        last = session.execute(
            select(lots.c.id)
            .where(lots.c.customer_id == customer_id, lots.c.pending_until.is_(None))
            .order_by(lots.c.expires_at.is_(None).desc(), lots.c.expires_at.desc(), lots.c.id.desc())
            .limit(1)
        ).scalar_one()
        move(session, last, transfer_id, left)


def hand_over(session: Session, taken_by: int, transfer_id: int, customer_id: int, into: int) -> None:
    """Open lots for another customer with what transfer `taken_by` took from somebody's: issued, earned and expiring as
    they were, soonest first. What account `into` was below 0 is paid first.
    """
    rows = session.execute(
        select(lots.c.shop_id, lots.c.earned_at, lots.c.expires_at, func.sum(-lot_moves.c.amount).label("points"))
        .join(lots, lots.c.id == lot_moves.c.lot_id)
        .where(lot_moves.c.transfer_id == taken_by)
        .group_by(lots.c.id, lots.c.shop_id, lots.c.earned_at, lots.c.expires_at)
        .order_by(lots.c.expires_at.is_(None), lots.c.expires_at, lots.c.id)
    ).all()
    whole = sum(int(row.points) for row in rows)
    debt = whole - after_debt(ledger.balance(session, into), whole)
    for row in rows:
        paid = min(debt, int(row.points))
        debt -= paid
        session.execute(
            insert(lots).values(
                customer_id=customer_id, shop_id=row.shop_id, transfer_id=transfer_id, order_id=None,
                amount=int(row.points), remaining=int(row.points) - paid, earned_at=row.earned_at,
                expires_at=row.expires_at, pending_until=None,
            )
        )  # fmt: skip


def move(session: Session, lot_id: int, transfer_id: int, amount: int, undoes: int | None = None) -> None:
    """Write that a transfer put `amount` into a lot (below 0: took it)."""
    session.execute(insert(lot_moves).values(lot_id=lot_id, transfer_id=transfer_id, amount=amount, undoes=undoes))
    session.execute(update(lots).where(lots.c.id == lot_id).values(remaining=lots.c.remaining + amount))


Due = Sequence[Any]
"""A lot whose time has come: number, customer, shop, order, what is left, and how often something was moved."""


def due(session: Session, when: str, order: str, limit: int, names: Sequence[str]) -> tuple[list[Due], Accounts]:
    """The first lots of which `when` is true (SQL, with the moment as its one mark), and their customers' accounts of
    these names, which nobody changes until the work ends. Lots of a customer whose accounts another work has in hand are
    left for the next time.
    """
    at = to_micros(now(session))
    look = (
        "SELECT id, customer_id, shop_id, order_id, remaining, "  # noqa: S608
        f"(SELECT count(*) FROM lot_moves WHERE lot_moves.lot_id = lots.id) FROM lots WHERE {when}"
    )
    rows = raw(session, f"{look} ORDER BY {order} LIMIT ?", (at, limit))
    if not rows:
        return [], {name: {} for name in names}
    owners = {row[1] for row in rows}
    held = {name: ledger.held_of_many(session, sorted(owners), name) for name in names}
    mine = owners.intersection(*held.values())
    for customer_id in owners - mine:
        for name in names:
            ledger.account(session, "customer", customer_id, name)
    if session.get_bind().dialect.name == "postgresql":
        # What others did to them before we held the accounts is done by now.
        marks = ", ".join("?" * len(rows))
        rows = raw(session, f"{look} AND id IN ({marks}) ORDER BY {order}", (at, *(row[0] for row in rows)))
    return [row for row in rows if row[1] in mine], held


def move_many(session: Session, moves: Sequence[tuple[int, int, int]]) -> None:
    """Write lot, transfer and amount of what was put into many lots (below 0: taken)."""
    insert_rows(session, "lot_moves", "lot_id, transfer_id, amount", moves)


def leave(session: Session, left: Sequence[tuple[int, int]]) -> None:
    """Say of many lots, by number, what is left in them; from now on it is available."""
    update_rows(session, "lots", "remaining = v.column2, pending_until = NULL", left)


def check(session: Session) -> list[ledger.Fault]:
    """Prove every lot: what it gave from its transfer, what is left from what was moved since, and every move from the
    transfer that made it and the taking that it undoes. What debts have swallowed needs a balance that was below 0.
    """
    return [*_given(session), *_left(session), *_moved(session), *_undone(session)]


_GIVEN = """
WITH wrong AS MATERIALIZED (
    SELECT l.transfer_id, sum(p.amount) AS given, l.said
    FROM (SELECT transfer_id, sum(amount) AS said FROM lots GROUP BY transfer_id) l
    JOIN postings p ON p.transfer_id = l.transfer_id
    JOIN accounts a ON a.id = p.target_id AND a.owner = 'customer' AND a.unit = 'point'
    GROUP BY l.transfer_id, l.said HAVING sum(p.amount) <> l.said
)
SELECT transfer_id, given, said FROM wrong ORDER BY transfer_id LIMIT ?
"""


def _given(session: Session) -> list[ledger.Fault]:
    rows = raw(session, _GIVEN, (ledger.FAULTS_MAX,))
    return [ledger.Fault("lots of a transfer", number, int(given), int(said)) for number, given, said in rows]


def _left(session: Session) -> list[ledger.Fault]:
    moved = (
        select(lot_moves.c.lot_id, func.sum(lot_moves.c.amount).label("amount")).group_by(lot_moves.c.lot_id).subquery()
    )
    ought = lots.c.amount + func.coalesce(moved.c.amount, 0)
    rows = session.execute(
        select(lots.c.id, lots.c.customer_id, lots.c.remaining, ought.label("ought"))
        .outerjoin(moved, moved.c.lot_id == lots.c.id)
        .where((lots.c.remaining != ought) | (lots.c.remaining < 0))
        .order_by(lots.c.id)
    ).all()
    owed: dict[int, bool] = {}
    faults = []
    for row in rows:
        if 0 <= row.remaining < row.ought and row.customer_id not in owed:
            owed[row.customer_id] = _was_in_debt(session, row.customer_id)
        if not 0 <= row.remaining < row.ought or not owed[row.customer_id]:
            faults.append(ledger.Fault("lot", row.id, int(row.ought), row.remaining))
    return faults


def _was_in_debt(session: Session, customer_id: int) -> bool:
    """Whether the balance of a customer, or of one who was merged into them, was ever below 0."""
    rows = raw(
        session,
        "WITH RECURSIVE one(id) AS (SELECT CAST(? AS BIGINT) UNION "
        "SELECT c.id FROM customers c JOIN one ON c.merged_into = one.id) "
        "SELECT a.id, CASE WHEN p.target_id = a.id THEN p.amount ELSE -p.amount END "
        "FROM one JOIN accounts a ON a.owner = 'customer' AND a.owner_id = one.id AND a.name = 'available' "
        "JOIN postings p ON p.target_id = a.id OR p.source_id = a.id ORDER BY a.id, p.id",
        (customer_id,),
    )
    stands: dict[int, int] = {}
    for account_id, amount in rows:
        stands[account_id] = stands.get(account_id, 0) + int(amount)
        if stands[account_id] < 0:
            return True
    return False


def _moved(session: Session) -> list[ledger.Fault]:
    p, m = ledger.postings.c, lot_moves.c
    moved = select(m.transfer_id, func.sum(m.amount).label("amount")).group_by(m.transfer_id).subquery()
    rows = session.execute(
        select(moved.c.transfer_id, moved.c.amount, func.sum(p.amount))
        .join(ledger.postings, p.transfer_id == moved.c.transfer_id)
        .group_by(moved.c.transfer_id, moved.c.amount)
        .having(func.abs(moved.c.amount) > func.sum(p.amount))
        .order_by(moved.c.transfer_id)
        .limit(ledger.FAULTS_MAX)
    )
    return [ledger.Fault("lots moved", number, int(amount), abs(int(said))) for number, said, amount in rows]


def _undone(session: Session) -> list[ledger.Fault]:
    taking = lot_moves.alias("taking")
    back = (
        select(lot_moves.c.undoes, lot_moves.c.lot_id, func.sum(lot_moves.c.amount).label("amount"))
        .where(lot_moves.c.undoes.is_not(None))
        .group_by(lot_moves.c.undoes, lot_moves.c.lot_id)
        .subquery()
    )
    taken = func.coalesce(func.sum(-taking.c.amount), 0)
    rows = session.execute(
        select(back.c.lot_id, back.c.amount, taken)
        .outerjoin(
            taking,
            (taking.c.transfer_id == back.c.undoes) & (taking.c.lot_id == back.c.lot_id),
        )
        .group_by(back.c.undoes, back.c.lot_id, back.c.amount)
        .having(back.c.amount > taken)
        .order_by(back.c.lot_id)
        .limit(ledger.FAULTS_MAX)
    )
    return [ledger.Fault("lot given back to", number, int(amount), int(said)) for number, said, amount in rows]
