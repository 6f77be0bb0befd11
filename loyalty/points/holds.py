"""Holds: one primitive under reservations, points at the till, prizes and budgets.

A hold sets an amount aside: a transfer moves it from an account to the held account of the same owner, so what is held
counts against the balance and posting it later cannot fail. A hold ends once: posted whole or in part (the rest goes
back), voided, or lapsed when its time is over. Whatever must not be overrun is a balance: a stock of prizes or a budget is
an account, filled once by `fund`, and a hold on it is refused when it is empty.

Points that are held leave their lots soonest-to-expire first; what comes back goes to the lots it came from.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, case, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.points import ledger, lots
from loyalty.points.ledger import Leg
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ConflictError, InvalidError, NotFoundError


class HoldState(StrEnum):
    PLACED = "placed"
    POSTED = "posted"
    VOIDED = "voided"
    LAPSED = "lapsed"


_PLACED = text("state = 'placed'")


class HoldRow(Base):
    __tablename__ = "holds"
    __table_args__ = (
        CheckConstraint("amount > 0 AND posted >= 0 AND posted <= amount", name="within_amount"),
        Index("ix_holds_due", "lapses_at", sqlite_where=_PLACED, postgresql_where=_PLACED),
        Index("ix_holds_open", "held_id", sqlite_where=_PLACED, postgresql_where=_PLACED),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    kind: Mapped[str] = mapped_column(Text)
    """What holds it: `pay`, `prize`, `budget` …; its transfers are `hold`, KIND and `unhold`."""
    transfer_id: Mapped[int] = mapped_column(ForeignKey("transfers.id"))
    """The transfer that placed it."""
    source_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    held_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    target_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    """Where posting it goes."""
    amount: Mapped[int]
    posted: Mapped[int]
    state: Mapped[str] = mapped_column(Text)
    shop_id: Mapped[int | None]
    customer_id: Mapped[int | None] = mapped_column(index=True)
    """Whose points they are, where points of a customer are held."""
    at: Mapped[datetime] = mapped_column(UtcTime)
    lapses_at: Mapped[datetime | None] = mapped_column(UtcTime)
    settled_at: Mapped[datetime | None] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Hold:
    """An amount set aside, in the unit of its accounts; `posted` of it went to `target_id`."""

    id: int
    key: str
    kind: str
    transfer_id: int
    source_id: int
    held_id: int
    target_id: int
    amount: int
    posted: int
    state: str
    shop_id: int | None
    customer_id: int | None
    lapses_at: datetime | None


class HoldEndedError(ConflictError):
    """The hold ended otherwise; `state` says how."""

    code = "hold_ended"

    def __init__(self, state: str) -> None:
        super().__init__(f"the hold is {state}")
        self.state = state


holds = table(HoldRow)
_FIELDS = tuple(holds.c[name] for name in Hold.__dataclass_fields__)


def fund(session: Session, key: str, account_id: int, amount: int, *, reason: str | None = None) -> ledger.Posted:
    """Fill a limit (a budget in đồng, a stock in uses) out of its owner's source account; the same key fills once.

    Raises InvalidError("amount") when it is not above 0, KeyConflictError.
    """
    if amount <= 0:
        raise InvalidError("amount", "range", amount)
    a = ledger.accounts.c
    owner = session.execute(select(a.owner, a.owner_id, a.name).where(a.id == account_id)).one()
    source = ledger.account(session, owner.owner, owner.owner_id, f"{owner.name}_source")
    return ledger.post(session, key, "fund", [Leg(source, account_id, amount, covered=False)], reason=reason)


def place(
    session: Session,
    key: str,
    *,
    kind: str,
    source: int,
    target: int,
    amount: int,
    shop_id: int | None = None,
    customer_id: int | None = None,
    lapses_at: datetime | None = None,
    reason: str | None = None,
) -> Hold:
    """Set `amount` of account `source` aside for `target`. The same key gives the same hold, whatever became of it.

    Raises UncoveredError (the source has less), InvalidError("amount"), KeyConflictError.
    """
    if amount <= 0:
        raise InvalidError("amount", "range", amount)
    a = ledger.accounts.c
    owner = session.execute(select(a.owner, a.owner_id, a.name).where(a.id == source)).one()
    held = ledger.account(session, owner.owner, owner.owner_id, ledger.held_name(owner.name))
    try:
        with session.begin_nested():
            done = ledger.post(
                session, f"hold:{key}", "hold", [Leg(source, held, amount)], shop_id=shop_id, reason=reason or kind,
                inputs=[kind, source, target, amount],
            )  # fmt: skip
            if done.new:
                points = owner.owner == "customer"
                if points:
                    lots.take(session, owner.owner_id, done.transfer_id, amount)
                session.execute(
                    insert(holds).values(
                        key=key, kind=kind, transfer_id=done.transfer_id, source_id=source, held_id=held,
                        target_id=target, amount=amount, posted=0, state=HoldState.PLACED.value, shop_id=shop_id,
                        customer_id=owner.owner_id if points else customer_id, at=now(session), lapses_at=lapses_at,
                    )
                )  # fmt: skip
    except IntegrityError:
        # The same key came at this instant from another replica: its hold is this one, or a conflict.
        if ledger.posted(session, f"hold:{key}") is None:
            raise
        ledger.post(session, f"hold:{key}", "hold", [Leg(source, held, amount)], inputs=[kind, source, target, amount])
    return by_key(session, key)


def post(session: Session, hold_id: int, amount: int | None = None) -> Hold:
    """Post a hold, all of it or `amount`; the rest goes back. Repeatable.

    Raises NotFoundError, InvalidError("amount") above what is held, HoldEndedError (voided, lapsed, or posted with
    another amount).
    """
    hold = _locked(session, hold_id)
    wanted = hold.amount if amount is None else amount
    if hold.state == HoldState.POSTED and hold.posted == wanted:
        return hold
    if hold.state != HoldState.PLACED:
        raise HoldEndedError(hold.state)
    if not 0 < wanted <= hold.amount:
        raise InvalidError("amount", "range", wanted)
    ledger.post(
        session, f"post:{hold.key}", hold.kind, [Leg(hold.held_id, hold.target_id, wanted)], shop_id=hold.shop_id,
        order_id=None, inputs=[wanted],
    )  # fmt: skip
    _put_back(session, hold, hold.amount - wanted)
    return _settled(session, hold, HoldState.POSTED, wanted)


def void(session: Session, hold_id: int) -> Hold:
    """Let a hold go: all of it goes back. Repeatable. Raises NotFoundError, HoldEndedError (posted)."""
    return _void(session, _locked(session, hold_id), HoldState.VOIDED)


def _void(session: Session, hold: Hold, state: HoldState) -> Hold:
    if hold.state in {HoldState.VOIDED, HoldState.LAPSED}:
        return hold
    if hold.state != HoldState.PLACED:
        raise HoldEndedError(hold.state)
    _put_back(session, hold, hold.amount)
    return _settled(session, hold, state, 0)


def lapse_due(session: Session, limit: int = 500) -> int:
    """Let holds go whose time is over; how many. For the clock."""
    rows = session.execute(
        select(*_FIELDS)
        .where(holds.c.state == HoldState.PLACED.value, holds.c.lapses_at <= now(session))
        .order_by(holds.c.lapses_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        _void(session, Hold(*row), HoldState.LAPSED)
    return len(rows)


def get(session: Session, hold_id: int) -> Hold:
    """A hold; raises NotFoundError."""
    return _one(session, holds.c.id == hold_id, hold_id)


def by_key(session: Session, key: str) -> Hold:
    """The hold of a cause; raises NotFoundError."""
    return _one(session, holds.c.key == key, key)


def _one(session: Session, where: object, named: object) -> Hold:
    row = session.execute(select(*_FIELDS).where(where)).first()  # type: ignore[arg-type]  # a condition of this file
    if row is None:
        raise NotFoundError("hold", named)
    return Hold(*row)


def _locked(session: Session, hold_id: int) -> Hold:
    row = session.execute(select(*_FIELDS).where(holds.c.id == hold_id).with_for_update()).first()
    if row is None:
        raise NotFoundError("hold", hold_id)
    hold = Hold(*row)
    over = hold.lapses_at is not None and hold.lapses_at <= now(session)
    return _void(session, hold, HoldState.LAPSED) if over and hold.state == HoldState.PLACED else hold


def _put_back(session: Session, hold: Hold, amount: int) -> None:
    if not amount:
        return
    done = ledger.post(
        session, f"unhold:{hold.key}", "unhold", [Leg(hold.held_id, hold.source_id, amount)], shop_id=hold.shop_id,
        reason=hold.kind,
    )  # fmt: skip
    if hold.customer_id is not None and _is_points(session, hold):
        lots.give_back(session, hold.customer_id, hold.transfer_id, done.transfer_id, amount)


def _is_points(session: Session, hold: Hold) -> bool:
    a = ledger.accounts.c
    return bool(session.execute(select(a.owner).where(a.id == hold.source_id)).scalar_one() == "customer")


def _settled(session: Session, hold: Hold, state: HoldState, posted: int) -> Hold:
    row = session.execute(
        update(holds)
        .where(holds.c.id == hold.id)
        .values(state=state.value, posted=posted, settled_at=now(session))
        .returning(*_FIELDS)
    ).one()
    return Hold(*row)


def open_of(session: Session, customer_id: int) -> int:
    """Points of a customer that are held now."""
    return ledger.balances(session, "customer", customer_id).get("held", 0)


def carry(session: Session, from_id: int, to_id: int) -> None:
    """Hand a customer's holds over to another in a merge; the points in them are moved by the caller."""
    for name in ("available", "held"):
        source = ledger.account(session, "customer", from_id, name)
        target = ledger.account(session, "customer", to_id, name)
        column = holds.c.source_id if name == "available" else holds.c.held_id
        session.execute(update(holds).where(column == source).values({column.name: target}))
    session.execute(update(holds).where(holds.c.customer_id == from_id).values(customer_id=to_id))


def check(session: Session) -> list[ledger.Fault]:
    """Prove every held account from its open holds, and every hold from the transfers that placed and ended it."""
    a = ledger.accounts.c
    placed = (
        select(holds.c.held_id, func.sum(holds.c.amount).label("amount"))
        .where(holds.c.state == HoldState.PLACED.value)
        .group_by(holds.c.held_id)
        .subquery()
    )
    rows = session.execute(
        select(a.id, a.balance, func.coalesce(placed.c.amount, 0))
        .outerjoin(placed, placed.c.held_id == a.id)
        .where(a.name.in_(ledger.HELD_NAMES), a.balance != func.coalesce(placed.c.amount, 0))
        .order_by(a.id)
        .limit(ledger.FAULTS_MAX)
    )
    faults = [ledger.Fault("held account", number, int(amount), int(balance)) for number, balance, amount in rows]
    put, out, back = (ledger.transfers.alias(name) for name in ("put", "out", "back"))
    into, away, home = (ledger.postings.alias(name) for name in ("into", "away", "home"))
    posted, unheld = func.coalesce(away.c.amount, 0), func.coalesce(home.c.amount, 0)
    rest = case((holds.c.state == HoldState.PLACED.value, 0), else_=holds.c.amount - holds.c.posted)
    wrong = session.execute(
        select(holds.c.id, holds.c.amount, holds.c.posted, into.c.amount.label("put"), posted.label("out"), rest.label("rest"), unheld.label("back"))
        .join(put, put.c.id == holds.c.transfer_id)
        .join(into, into.c.transfer_id == put.c.id)
        .outerjoin(out, out.c.key == "post:" + holds.c.key)
        .outerjoin(away, away.c.transfer_id == out.c.id)
        .outerjoin(back, back.c.key == "unhold:" + holds.c.key)
        .outerjoin(home, home.c.transfer_id == back.c.id)
        .where(
            (holds.c.amount != into.c.amount) | (holds.c.posted != posted) | (unheld != rest)
            | (put.c.key != "hold:" + holds.c.key)
        )
        .order_by(holds.c.id)
        .limit(ledger.FAULTS_MAX)
    )  # fmt: skip
    for row in wrong:
        pairs = ((row.put, row.amount), (row.out, row.posted), (row.rest, row.back))
        expected, found = next((pair for pair in pairs if pair[0] != pair[1]), (0, 1))
        faults.append(ledger.Fault("hold", row.id, int(expected), int(found)))
    return faults
