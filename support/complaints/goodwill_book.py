"""The book of goodwill: what was given or asked for in which case, by whom, what it counts and what is left of a limit."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, Text, func, or_, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty import programme
from loyalty.customers import claims
from loyalty.points import ledger
from loyalty.vouchers import voucher_programs
from loyalty.vouchers.voucher_programs import Kind as Gives
from loyalty.vouchers.voucher_programs import Program
from store import shops, staff
from store.base import Base, BigId, UtcTime, table
from store.clock import day_began
from store.errors import ConflictError, NotFoundError
from store.staff import Member, Role
from support.complaints import terms
from support.tickets import Ticket

APPROVERS = frozenset({Role.OWNER, Role.MANAGER, Role.SUPERVISOR})
_WAITING = text("state = 'waiting'")


class Kind(StrEnum):
    POINTS = "points"
    VOUCHER = "voucher"


class State(StrEnum):
    WAITING = "waiting"
    DONE = "done"
    REFUSED = "refused"
    TAKEN_BACK = "taken_back"


class GoodwillRow(Base):
    __tablename__ = "goodwill"
    __table_args__ = (
        Index("ix_goodwill_waiting", "shop_id", "id", sqlite_where=_WAITING, postgresql_where=_WAITING),
        Index("ix_goodwill_asked", "asked_by", "asked_at"),
        Index("ix_goodwill_decided", "decided_by", "decided_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    hash: Mapped[str] = mapped_column(Text)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), index=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    kind: Mapped[str] = mapped_column(Text)
    points: Mapped[int]
    program_id: Mapped[int | None] = mapped_column(ForeignKey("voucher_programs.id"))
    worth: Mapped[int]
    """What it counts against limits, in đồng."""
    reason: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    asked_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    asked_at: Mapped[datetime] = mapped_column(UtcTime)
    decided_by: Mapped[int | None]
    """Who approved or refused it; empty where it was within the giver's limit."""
    decided_at: Mapped[datetime | None] = mapped_column(UtcTime)
    voucher_id: Mapped[int | None]
    back_by: Mapped[int | None]
    back_at: Mapped[datetime | None] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Goodwill:
    """See GoodwillRow."""

    id: int
    ticket_id: int
    shop_id: int
    customer_id: int
    kind: str
    points: int
    program_id: int | None
    worth: int
    reason: str
    state: str
    asked_by: int
    asked_at: datetime
    decided_by: int | None
    decided_at: datetime | None
    voucher_id: int | None
    back_by: int | None
    back_at: datetime | None


@dataclass(frozen=True, slots=True)
class Room:
    """What somebody may still give by themselves, in đồng; None: as much as it takes. `point` is what one point counts."""

    case: int | None
    day: int | None
    point: int

    @property
    def most(self) -> int | None:
        """The smaller of both."""
        bounds = [bound for bound in (self.case, self.day) if bound is not None]
        return max(0, min(bounds)) if bounds else None


class MeanwhileError(ConflictError):
    """A colleague gave something in this case that the giver had not seen; `last` is its number, `by` who gave it."""

    code = "goodwill_meanwhile"

    def __init__(self, last: int, by: str) -> None:
        super().__init__(f"goodwill {last}")
        self.last = last
        self.by = by


class DecidedError(ConflictError):
    """It was decided otherwise; `state` says how."""

    code = "goodwill_decided"

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


class OverLimitError(ConflictError):
    """It is above what this person may approve."""

    code = "goodwill_limit"


class SpentError(ConflictError):
    """It can't be taken back: the points are spent, the voucher is used or on its way."""

    code = "goodwill_spent"


goodwill = table(GoodwillRow)
_FIELDS = tuple(goodwill.c[name] for name in Goodwill.__dataclass_fields__)


def room(session: Session, ticket: Ticket, member: Member) -> Room:
    """What a member of staff may still give in a case by themselves."""
    limit = terms.of(session, ticket.shop_id).limit_of(member, ticket.shop_id)
    midnight = day_began(session, shops.get(session, ticket.shop_id).timezone)
    g = goodwill.c
    total = select(func.coalesce(func.sum(g.worth), 0))
    in_case = total.where(g.ticket_id == ticket.id, g.state.in_((State.DONE.value, State.WAITING.value)))
    own = or_(
        (g.decided_by == member.id) & (g.decided_at >= midnight),
        g.decided_by.is_(None) & (g.asked_by == member.id) & (g.asked_at >= midnight),
    )
    in_day = total.where(own, g.shop_id == ticket.shop_id, g.state == State.DONE.value)
    spent = [int(session.execute(query).scalar_one()) for query in (in_case, in_day)]
    case, day = (
        None if most is None else most - gone for most, gone in zip((limit.case, limit.day), spent, strict=True)
    )
    return Room(case, day, programme.get(session).point_value)


def worth_of(offer: Program) -> int:
    """What a voucher is worth at most, in đồng; of a share without a cap nobody knows: a great deal, an owner decides."""
    if offer.kind in {Gives.PERCENT, Gives.ITEM}:
        return offer.cap if offer.cap is not None else terms.MONEY_MAX
    return offer.value


def last(session: Session, ticket_id: int) -> Goodwill | None:
    """The newest of a case."""
    found = of_ticket(session, ticket_id)
    return found[-1] if found else None


def get(session: Session, goodwill_id: int) -> Goodwill:
    """A goodwill; raises NotFoundError."""
    row = session.execute(select(*_FIELDS).where(goodwill.c.id == goodwill_id)).first()
    if row is None:
        raise NotFoundError("goodwill", goodwill_id)
    return Goodwill(*row)


def of_ticket(session: Session, ticket_id: int) -> list[Goodwill]:
    """What was given or asked for in a case, oldest first."""
    rows = session.execute(select(*_FIELDS).where(goodwill.c.ticket_id == ticket_id).order_by(goodwill.c.id))
    return [Goodwill(*row) for row in rows]


def of_shop(session: Session, shop_id: int, limit: int = 50) -> list[Goodwill]:
    """A shop's goodwill, what waits first, then the latest."""
    g = goodwill.c
    rows = session.execute(
        select(*_FIELDS).where(g.shop_id == shop_id).order_by(g.state != State.WAITING.value, g.id.desc()).limit(limit)
    )
    return [Goodwill(*row) for row in rows]


def staff_name(session: Session, staff_id: int) -> str:
    """What somebody is called, who may have left."""
    return session.execute(select(staff.StaffRow.name).where(staff.StaffRow.id == staff_id)).scalar() or ""


def move(session: Session, from_id: int, to_id: int) -> None:
    """Carry goodwill over to another customer in a merge."""
    session.execute(update(goodwill).where(goodwill.c.customer_id == from_id).values(customer_id=to_id))


def check(session: Session) -> list[ledger.Fault]:
    """Prove that what was given stands in the ledger, and nothing else: points by their transfer, vouchers by their key."""
    t, p = ledger.transfers.c, ledger.postings.c
    faults = []
    for row in session.execute(select(goodwill.c.id, *_FIELDS[1:]).order_by(goodwill.c.id)).all():
        moved = {
            key: int(amount)
            for key, amount in session.execute(
                select(t.key, p.amount)
                .join(ledger.postings, p.transfer_id == t.id)
                .where(t.key.in_((f"goodwill:{row.id}", f"goodwill:{row.id}:back")))
            )
        }
        given = row.state in {State.DONE, State.TAKEN_BACK}
        due = row.points if given else 0
        back = row.points if row.state == State.TAKEN_BACK else 0
        if moved.get(f"goodwill:{row.id}", 0) != due:
            faults.append(ledger.Fault(f"goodwill {row.state}", row.id, due, moved.get(f"goodwill:{row.id}", 0)))
        elif moved.get(f"goodwill:{row.id}:back", 0) != back:
            faults.append(ledger.Fault("goodwill taken back", row.id, back, moved.get(f"goodwill:{row.id}:back", 0)))
        elif (row.kind == Kind.VOUCHER and given) != (row.voucher_id is not None):
            faults.append(ledger.Fault(f"goodwill {row.state}, voucher", row.id, 1, 0))
    return faults


def facts(session: Session, found: Goodwill) -> dict[str, Any]:
    """What notices and histories tell of it."""
    named = voucher_programs.get(session, found.program_id).name if found.program_id else ""
    return {"points": found.points, "program": named, "worth": found.worth, "reason": found.reason}


def approves(member: Member, shop_id: int) -> bool:
    """Whether their role at a shop approves at all."""
    return any(role in APPROVERS and at in {None, shop_id} for role, at in member.roles)


def approvers(session: Session, found: Goodwill) -> list[Member]:
    """Who may decide what waits: owners, managers and supervisors there whose limit in a case covers it, by name."""
    rules = terms.of(session, found.shop_id)
    return [
        one for one in staff.every(session)
        if one.id != found.asked_by and approves(one, found.shop_id)
        and ((most := rules.limit_of(one, found.shop_id).case) is None or most >= found.worth)
    ]  # fmt: skip


claims.MOVES.append(move)
