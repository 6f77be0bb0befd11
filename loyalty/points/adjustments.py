"""Points given or taken by hand: with a reason, up to a limit by role, above it with a second person's approval.

Whether there is a second approval is the programme's setting; without it, what is above the limit is refused. A taking that
waits holds the points, so that it can still be done when it is approved.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, Text, cast, func, insert, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty import programme
from loyalty.customers import customers
from loyalty.points import holds, ledger, points
from loyalty.points.ledger import KeyConflictError
from loyalty.points.points import POINTS_MAX
from store import audit, events, notices, shops, staff
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from store.staff import Member, Role

REASON_CHARS_MAX = 200
LATELY = timedelta(days=7)
APPROVERS = (Role.OWNER, Role.MANAGER)
_LIMITS = {
    Role.OWNER: "adjust_owner", Role.MANAGER: "adjust_manager", Role.SUPERVISOR: "adjust_agent",
    Role.AGENT: "adjust_agent", Role.CASHIER: "adjust_cashier",
}  # fmt: skip
"""The setting that holds a role's limit."""
_WAITING = text("state = 'waiting'")


class State(StrEnum):
    DONE = "done"
    WAITING = "waiting"
    REFUSED = "refused"


class AdjustmentRow(Base):
    __tablename__ = "adjustments"
    __table_args__ = (
        Index("ix_adjustments_waiting", "shop_id", "id", sqlite_where=_WAITING, postgresql_where=_WAITING),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    hash: Mapped[str] = mapped_column(Text)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    points: Mapped[int]
    """Above 0 to give, below 0 to take."""
    reason: Mapped[str] = mapped_column(Text)
    asked_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    asked_at: Mapped[datetime] = mapped_column(UtcTime)
    state: Mapped[str] = mapped_column(Text)
    hold_id: Mapped[int | None]
    decided_by: Mapped[int | None]
    decided_at: Mapped[datetime | None] = mapped_column(UtcTime)
    refusal: Mapped[str | None] = mapped_column(Text)
    """Why somebody else refused it."""


@dataclass(frozen=True, slots=True)
class Adjustment:
    """One asked for: `asked_by` and `decided_by` are members of staff."""

    id: int
    shop_id: int
    customer_id: int
    points: int
    reason: str
    asked_by: int
    asked_at: datetime
    state: str
    hold_id: int | None
    decided_by: int | None
    decided_at: datetime | None
    refusal: str | None


class AdjustLimitError(ConflictError):
    """More than this person may give or take by hand; `limit` in points."""

    code = "adjust_limit"

    def __init__(self, limit: int) -> None:
        super().__init__(f"limit {limit}")
        self.limit = limit


class DecidedError(ConflictError):
    """It was decided otherwise; `state` says how."""

    code = "adjustment_decided"

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


adjustments = table(AdjustmentRow)
_FIELDS = tuple(adjustments.c[name] for name in Adjustment.__dataclass_fields__)


def limit_of(session: Session, member: Member, shop_id: int) -> int:
    """The most points that somebody may give or take by hand at a shop: that of the highest of their roles there."""
    common = programme.get(session)
    return max(
        (int(getattr(common, _LIMITS[role])) for role, at in member.roles if at in {None, shop_id}), default=0
    )  # fmt: skip


def ask(
    session: Session, key: str, *, staff_id: int, shop_id: int, customer_id: int, points: int, reason: str
) -> Adjustment:
    """Give (above 0) or take (below 0) points: done at once up to the person's limit, above it waiting for a second person.
    The same key is the same adjustment.

    Raises InvalidError("points", "reason"), AdjustLimitError, UncoveredError (more is taken than there is),
    KeyConflictError, NotFoundError.
    """
    reason = reason.strip()
    if not reason or len(reason) > REASON_CHARS_MAX:
        raise InvalidError("reason", "length", reason)
    if not 0 < abs(points) <= POINTS_MAX:
        raise InvalidError("points", "range", points)
    owner = customers.resolve(session, customer_id)
    available = ledger.account(session, "customer", owner, "available")
    # Two taps at one instant: the second waits here and then finds what the first one did.
    ledger.lock(session, [available, ledger.account(session, "shop", shop_id, "wallet")])
    sealed = ledger.seal("adjust", [shop_id, customer_id, points, reason, staff_id])
    known = session.execute(select(adjustments.c.id, adjustments.c.hash).where(adjustments.c.key == key)).first()
    if known is not None:
        if known.hash != sealed:
            raise KeyConflictError(key)
        return get(session, known.id)
    member = staff.get(session, staff_id)
    most = limit_of(session, member, shop_id)
    waits = abs(points) > most
    if waits and not programme.get(session).second_approval:
        raise AdjustLimitError(most)
    values: dict[str, Any] = {
        "key": key, "hash": sealed, "shop_id": shop_id, "customer_id": owner, "points": points, "reason": reason,
        "asked_by": staff_id, "asked_at": now(session), "state": State.WAITING.value,
    }  # fmt: skip
    number = int(session.execute(insert(adjustments).values(**values).returning(adjustments.c.id)).scalar_one())
    said = {"customer": owner, "points": points, "reason": reason, "adjustment": number}
    if waits:
        if points < 0:
            hold = holds.place(
                session, f"adjust:{number}", kind="adjust", source=available, amount=-points, shop_id=shop_id,
                target=ledger.account(session, "shop", shop_id, "wallet"), reason=reason,
            )  # fmt: skip
            session.execute(update(adjustments).where(adjustments.c.id == number).values(hold_id=hold.id))
        audit.record(session, f"staff:{staff_id}", "points_adjustment_asked", shop_id, **said)
    else:
        _do(session, get(session, number), f"staff:{staff_id}", None)
        audit.record(session, f"staff:{staff_id}", "points_adjusted", shop_id, **said)
    return get(session, number)


def _do(session: Session, found: Adjustment, actor: str, decided_by: int | None) -> None:
    owner = customers.resolve(session, found.customer_id)
    if found.hold_id is not None:
        holds.post(session, found.hold_id)
    else:
        zone = shops.get(session, found.shop_id).timezone
        points.adjust(
            session, f"adjust:{found.id}", customer_id=owner, shop_id=found.shop_id, points=found.points,
            reason=found.reason, expires_at=programme.expiry(session, zone=zone), actor=actor,
        )  # fmt: skip
    _decide(session, found.id, State.DONE, decided_by)
    events.happened(
        session, "points_adjusted", customer_id=owner, shop_id=found.shop_id, points=found.points, reason=found.reason
    )


def _decide(
    session: Session, number: int, state: State, decided_by: int | None, refusal: str | None = None
) -> None:  # fmt: skip
    session.execute(
        update(adjustments)
        .where(adjustments.c.id == number)
        .values(state=state.value, decided_by=decided_by, decided_at=now(session), refusal=refusal)
    )


def approve(session: Session, adjustment_id: int, *, staff_id: int) -> Adjustment:
    """Let a waiting adjustment be done. Repeatable. Raises NotFoundError, ForbiddenError (not an owner or manager there,
    or who asked for it), DecidedError (refused), UncoveredError (the shop's wallet is empty).
    """
    found = _for_decision(session, adjustment_id, staff_id, State.DONE)
    if found.state == State.WAITING:
        _do(session, found, f"staff:{staff_id}", staff_id)
        _settled(session, found, staff_id, "points_adjustment_approved")
    return get(session, adjustment_id)


def refuse(session: Session, adjustment_id: int, *, staff_id: int, why: str = "") -> Adjustment:
    """Refuse a waiting adjustment; what it held goes back. Who asked takes it back so, anybody else says why. Repeatable.
    Raises as `approve`, DecidedError (done), InvalidError("refusal").
    """
    found, why = _for_decision(session, adjustment_id, staff_id, State.REFUSED), why.strip()
    if found.state == State.WAITING:
        own = staff_id == found.asked_by
        if not own and not 1 <= len(why) <= REASON_CHARS_MAX:
            raise InvalidError("refusal", "length", REASON_CHARS_MAX)
        if found.hold_id is not None:
            holds.void(session, found.hold_id)
        _decide(session, found.id, State.REFUSED, staff_id, None if own else why)
        _settled(session, found, staff_id, "points_adjustment_refused", **({} if own else {"refusal": why}))
    return get(session, adjustment_id)


def _for_decision(session: Session, adjustment_id: int, staff_id: int, wanted: State) -> Adjustment:
    row = session.execute(select(*_FIELDS).where(adjustments.c.id == adjustment_id).with_for_update()).first()
    if row is None:
        raise NotFoundError("adjustment", adjustment_id)
    found, member = Adjustment(*row), staff.get(session, staff_id)
    may = any(role in APPROVERS and at in {None, found.shop_id} for role, at in member.roles)
    own = found.asked_by == staff_id
    if not (own if wanted is State.REFUSED and own else may and not own):
        raise ForbiddenError("adjustment")
    if found.state not in {State.WAITING, wanted}:
        raise DecidedError(found.state)
    return found


def _settled(session: Session, found: Adjustment, staff_id: int, action: str, **refusal: Any) -> None:
    audit.record(
        session, f"staff:{staff_id}", action, found.shop_id, customer=found.customer_id, points=found.points,
        reason=found.reason, adjustment=found.id, asked_by=found.asked_by, **refusal,
    )  # fmt: skip
    if staff_id == found.asked_by:
        # Who takes it back themselves knows.
        return
    notices.tell(
        session, action, staff_id=found.asked_by, shop_id=found.shop_id, points=found.points, reason=found.reason,
        customer=customers.get(session, customers.resolve(session, found.customer_id)).name,
        by=staff.get(session, staff_id).name, **refusal,
    )  # fmt: skip


def get(session: Session, adjustment_id: int) -> Adjustment:
    """An adjustment; raises NotFoundError."""
    row = session.execute(select(*_FIELDS).where(adjustments.c.id == adjustment_id)).first()
    if row is None:
        raise NotFoundError("adjustment", adjustment_id)
    return Adjustment(*row)


def waiting(session: Session, shop_id: int, limit: int = 100) -> list[Adjustment]:
    """A shop's adjustments that wait for a second person, the oldest first."""
    rows = session.execute(
        select(*_FIELDS)
        .where(adjustments.c.shop_id == shop_id, adjustments.c.state == State.WAITING.value)
        .order_by(adjustments.c.id)
        .limit(limit)
    )
    return [Adjustment(*row) for row in rows]


def refused(session: Session, shop_id: int) -> list[Adjustment]:
    """A shop's adjustments that somebody else has refused of late, the newest first."""
    a = adjustments.c
    rows = session.execute(
        select(*_FIELDS)
        .where(a.shop_id == shop_id, a.refusal.is_not(None), a.decided_at > now(session) - LATELY)
        .order_by(a.decided_at.desc())
    )
    return [Adjustment(*row) for row in rows]


def move(session: Session, from_id: int, to_id: int) -> None:
    """Carry adjustments over to another customer in a merge."""
    session.execute(update(adjustments).where(adjustments.c.customer_id == from_id).values(customer_id=to_id))


def check(session: Session) -> list[ledger.Fault]:
    """Prove that what was decided was done, and nothing else, and that a taking that waits is held."""
    t, p, h, mine = ledger.transfers.c, ledger.postings.c, holds.holds.c, adjustments.c
    moved = func.coalesce(p.amount, 0) + func.coalesce(h.posted, 0)
    rows = session.execute(
        select(mine.id, mine.points, mine.state, moved.label("moved"), h.amount.label("held"), h.state.label("hold"))
        .outerjoin(ledger.transfers, (t.key == "adjust:" + cast(mine.id, Text)) & (t.kind == "adjust"))
        .outerjoin(ledger.postings, p.transfer_id == t.id)
        .outerjoin(holds.holds, h.id == mine.hold_id)
        .order_by(mine.id)
    )
    faults = []
    for row in rows:
        due = abs(row.points) if row.state == State.DONE else 0
        if row.moved != due:
            faults.append(ledger.Fault(f"adjustment {row.state}", row.id, due, int(row.moved)))
        elif row.state == State.WAITING and row.points < 0 and (row.hold, row.held) != ("placed", -row.points):
            faults.append(ledger.Fault(f"adjustment waiting, hold {row.hold}", row.id, -row.points, row.held or 0))
    return faults
