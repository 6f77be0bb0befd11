"""Wins: that somebody got a prize, why, and what became of it. Each has a key from its cause and is given once.

When the order behind a win is returned the win is taken back: points by a posting into the shop's wallet (the balance may
fall below 0, as with a refund's own points), a voucher while it is unused, a thing while it wasn't handed over. What was
used or handed over stays, and says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, Text, func, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty import programme
from loyalty.customers import customers
from loyalty.points import holds, ledger, points
from loyalty.recognition import prizes
from loyalty.recognition.prizes import Prize, PrizeKind
from loyalty.vouchers import vouchers
from store import events, shops
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ConflictError, NotFoundError, RuleError

KEPT_KEYS = ("stock", "stock_used")


class Cause(StrEnum):
    QUEST = "quest"
    SURPRISE = "surprise"
    DRAW = "draw"


class WinState(StrEnum):
    GIVEN = "given"
    WAITING = "waiting"
    """A thing, to be handed over."""
    HANDED = "handed"
    MISSED = "missed"
    """It couldn't be given: `reason` says why; it can be tried again."""
    WITHDRAWN = "withdrawn"
    KEPT = "kept"
    """It should have been taken back, and was used already."""


class WinRow(Base):
    __tablename__ = "wins"
    __table_args__ = (
        Index("ix_wins_customer", "customer_id", "at"),
        Index("ix_wins_shop", "shop_id", "state", "at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    prize_id: Mapped[int] = mapped_column(ForeignKey("prizes.id"), index=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    cause: Mapped[str] = mapped_column(Text)
    cause_id: Mapped[int]
    """The quest, surprise or draw."""
    order_id: Mapped[int | None]
    at: Mapped[datetime] = mapped_column(UtcTime)
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    hold_id: Mapped[int | None]
    voucher_id: Mapped[int | None]
    settled_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """When it was handed over, or taken back."""
    actor: Mapped[str | None] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class Win:
    """A win as rules give it out; see WinRow."""

    id: int
    key: str
    prize_id: int
    customer_id: int
    shop_id: int
    cause: str
    cause_id: int
    order_id: int | None
    at: datetime
    state: str
    reason: str | None
    hold_id: int | None
    voucher_id: int | None
    actor: str | None


class WinEndedError(ConflictError):
    """It was handed over or taken back before; `state` says which."""

    code = "win_ended"

    def __init__(self, state: str) -> None:
        super().__init__(f"the win is {state}")
        self.state = state


wins = table(WinRow)
_FIELDS = tuple(wins.c[name] for name in Win.__dataclass_fields__)


def give(
    session: Session,
    key: str,
    prize: Prize,
    customer_id: int,
    *,
    cause: Cause,
    cause_id: int,
    order_id: int | None = None,
) -> Win:
    """Give a prize for a cause; the same key gives it once. What can't be given is written down as missed, and nothing
    of it stays; the same key tries again.
    """
    known = session.execute(select(*_FIELDS).where(wins.c.key == key).with_for_update()).first()
    if known is not None and known.state != WinState.MISSED:
        return Win(*known)
    state, reason, facts = WinState.GIVEN, None, {}
    try:
        if prize.stock is not None:
            # Held even where the rest can't be given now: what was won is nobody else's.
            facts["hold_id"] = _hold(session, key, prize)
        with session.begin_nested():
            facts |= _hand_out(session, key, prize, customer_id)
            if "hold_id" in facts and prize.kind != PrizeKind.THING:
                holds.post(session, facts["hold_id"])
        if prize.kind == PrizeKind.THING:
            state = WinState.WAITING
    except (ledger.UncoveredError, ConflictError, NotFoundError) as error:
        state, reason = WinState.MISSED, _why(facts, prize, error)
    values: dict[str, Any] = {"state": state.value, "reason": reason, **facts}
    if known is not None:
        write = update(wins).where(wins.c.id == known.id).values(**values)
    else:
        write = insert(wins).values(
            key=key, prize_id=prize.id, customer_id=customer_id, shop_id=prize.shop_id, cause=cause.value,
            cause_id=cause_id, order_id=order_id, at=now(session), **values,
        )  # type: ignore[assignment]  # fmt: skip  # an insert or an update, both give the row back
    win = Win(*session.execute(write.returning(*_FIELDS)).one())
    if known is None or state is not WinState.MISSED:
        events.happened(
            session, "prize_missed" if state is WinState.MISSED else "prize_won", customer_id=customer_id,
            shop_id=prize.shop_id, cause=cause.value, win=win.id, prize=prize.id, points=prize.points,
            name=prize.name,
        )  # fmt: skip
    return win


def _hold(session: Session, key: str, prize: Prize) -> int:
    used = ledger.account(session, "prize", prize.id, "stock_used")
    stock = prizes.stock_account(session, prize.id)
    return holds.place(
        session, f"win:{key}", kind="prize", source=stock, target=used, amount=1, shop_id=prize.shop_id
    ).id  # fmt: skip


def _hand_out(session: Session, key: str, prize: Prize, customer_id: int) -> dict[str, Any]:
    if prize.kind == PrizeKind.POINTS:
        shop = shops.get(session, prize.shop_id)
        points.earn(
            session, f"win:{key}", "prize", customer_id=customer_id, shop_id=shop.id, points=prize.points,
            expires_at=programme.expiry(session, zone=shop.timezone),
            reason=prize.name,
        )  # fmt: skip
    if prize.kind != PrizeKind.VOUCHER:
        return {}
    assert prize.program_id is not None
    return {"voucher_id": vouchers.issue(session, prize.program_id, customer_id, key=f"win:{key}").id}


def _why(facts: dict[str, Any], prize: Prize, error: RuleError) -> str:
    """`no_stock`, `empty_wallet`, or why the voucher wasn't given (`sold_out`, `limit_reached` …)."""
    if isinstance(error, ledger.UncoveredError):
        return "empty_wallet" if prize.stock is None or "hold_id" in facts else "no_stock"
    return error.code


def hand_over(session: Session, win_id: int, shop_id: int, actor: str) -> Win:
    """A thing was handed over; repeatable. Raises NotFoundError, WinEndedError (taken back, or nothing to hand over)."""
    win = _locked(session, win_id, shop_id)
    if win.state == WinState.HANDED:
        return win
    if win.state != WinState.WAITING:
        raise WinEndedError(win.state)
    if win.hold_id is not None:
        holds.post(session, win.hold_id)
    return _end(session, win, WinState.HANDED, actor=actor)


def again(session: Session, win_id: int, shop_id: int) -> Win:
    """Try again to give what couldn't be given. Raises NotFoundError, WinEndedError (it was given)."""
    win = _locked(session, win_id, shop_id)
    if win.state != WinState.MISSED:
        raise WinEndedError(win.state)
    prize = prizes.get(session, win.prize_id)
    return give(
        session, win.key, prize, customers.resolve(session, win.customer_id), cause=Cause(win.cause),
        cause_id=win.cause_id, order_id=win.order_id,
    )  # fmt: skip


def take_back(session: Session, win_id: int, reason: str, *, restock: bool = True) -> Win:
    """Take a win back, as far as it can be; repeatable. `restock`: one more can be won again.

    Raises NotFoundError.
    """
    win = _locked(session, win_id)
    prize = prizes.get(session, win.prize_id)
    if win.state in {WinState.MISSED, WinState.WAITING}:
        if win.hold_id is not None and restock:
            holds.void(session, win.hold_id)
        return _end(session, win, WinState.WITHDRAWN, reason=reason)
    if win.state == WinState.HANDED:
        return _end(session, win, WinState.KEPT, reason=reason)
    if win.state != WinState.GIVEN:
        return win
    if prize.kind == PrizeKind.VOUCHER and not _end_voucher(session, win):
        return _end(session, win, WinState.KEPT, reason=reason)
    if prize.kind == PrizeKind.POINTS:
        points.claw_back(
            session, f"win:{win.key}:back", "prize_back", customer_id=customers.resolve(session, win.customer_id),
            shop_id=win.shop_id, points=prize.points, reason=prize.name,
        )  # fmt: skip
    if prize.stock is not None and restock:
        stock, used = (ledger.account(session, "prize", prize.id, name) for name in KEPT_KEYS)
        ledger.post(session, f"win:{win.key}:restock", "restock", [ledger.Leg(used, stock, 1)], shop_id=win.shop_id)
    return _end(session, win, WinState.WITHDRAWN, reason=reason)


def _end_voucher(session: Session, win: Win) -> bool:
    """Take a voucher back while it is unused and still theirs; whether that was so."""
    assert win.voucher_id is not None
    owner = vouchers.get(session, win.voucher_id, lock=True).customer_id
    mine = owner == customers.resolve(session, win.customer_id)
    return mine and vouchers.withdraw(session, win.voucher_id) == vouchers.VoucherState.OPEN


def _end(session: Session, win: Win, state: WinState, *, reason: str | None = None, actor: str | None = None) -> Win:
    row = session.execute(
        update(wins)
        .where(wins.c.id == win.id)
        .values(state=state.value, reason=reason, settled_at=now(session), actor=actor)
        .returning(*_FIELDS)
    ).one()
    if state is not WinState.HANDED:
        events.happened(
            session, "prize_taken_back", customer_id=win.customer_id, shop_id=win.shop_id, cause=win.cause,
            state=state.value, win=win.id,
        )  # fmt: skip
    return Win(*row)


def get(session: Session, win_id: int) -> Win:
    """A win; raises NotFoundError."""
    row = session.execute(select(*_FIELDS).where(wins.c.id == win_id)).first()
    if row is None:
        raise NotFoundError("win", win_id)
    return Win(*row)


def by_key(session: Session, key: str) -> Win | None:
    """The win of a cause."""
    row = session.execute(select(*_FIELDS).where(wins.c.key == key)).first()
    return Win(*row) if row else None


def _locked(session: Session, win_id: int, shop_id: int | None = None) -> Win:
    row = session.execute(select(*_FIELDS).where(wins.c.id == win_id).with_for_update()).first()
    if row is None or shop_id not in {None, row.shop_id}:
        raise NotFoundError("win", win_id)
    return Win(*row)


def of_cause(session: Session, cause: Cause, cause_id: int, limit: int = 200) -> Sequence[Win]:
    """What a quest, surprise or draw gave, newest first."""
    rows = session.execute(
        select(*_FIELDS)
        .where(wins.c.cause == cause.value, wins.c.cause_id == cause_id)
        .order_by(wins.c.id.desc())
        .limit(limit)
    )
    return [Win(*row) for row in rows]


def to_hand_over(session: Session, shop_id: int, limit: int = 100) -> Sequence[tuple[Win, Prize]]:
    """Things that wait to be handed over at a shop, and what couldn't be given; oldest first."""
    rows = session.execute(
        select(*_FIELDS)
        .where(wins.c.shop_id == shop_id, wins.c.state.in_((WinState.WAITING.value, WinState.MISSED.value)))
        .order_by(wins.c.at, wins.c.id)
        .limit(limit)
    )
    return [(Win(*row), prizes.get(session, row.prize_id)) for row in rows.all()]


def of_customer(session: Session, customer_id: int) -> Sequence[tuple[Win, Prize]]:
    """Everything a customer ever won, oldest first."""
    rows = session.execute(select(*_FIELDS).where(wins.c.customer_id == customer_id).order_by(wins.c.id))
    return [(Win(*row), prizes.get(session, row.prize_id)) for row in rows.all()]


def move(session: Session, from_id: int, to_id: int) -> None:
    """Carry a customer's wins over in a merge."""
    session.execute(update(wins).where(wins.c.customer_id == from_id).values(customer_id=to_id))


def check(session: Session) -> list[ledger.Fault]:
    """Prove that the points of a win were given where it stands, and that its piece of the stock is where it says."""
    p, h = prizes.prizes.c, holds.holds.c
    given, back = (ledger.transfers.alias(name) for name in ("given", "back"))
    rows = session.execute(
        select(
            wins.c.id, wins.c.state, p.points, given.c.id.label("given"), back.c.id.label("back"), h.state.label("hold")
        )
        .join(prizes.prizes, p.id == wins.c.prize_id)
        .outerjoin(given, given.c.key == "win:" + wins.c.key)
        .outerjoin(back, back.c.key == "win:" + wins.c.key + ":back")
        .outerjoin(holds.holds, h.id == wins.c.hold_id)
        .order_by(wins.c.id)
    )
    stock = {
        WinState.GIVEN: "posted", WinState.HANDED: "posted", WinState.KEPT: "posted", WinState.WAITING: "placed",
        WinState.MISSED: "placed",
    }  # fmt: skip
    faults = []
    for row in rows:
        stands = _amount(session, row.given) - _amount(session, row.back) if row.points else 0
        due = row.points if row.state == WinState.GIVEN else 0
        if stands != due:
            faults.append(ledger.Fault(f"win {row.state}", row.id, due, stands))
        elif row.hold is not None and stock.get(WinState(row.state), row.hold) != row.hold:
            faults.append(ledger.Fault(f"win {row.state}, stock {row.hold}", row.id, 0, 1))
    return faults


def _amount(session: Session, transfer_id: int | None) -> int:
    legs = ledger.postings.c
    return int(
        session.execute(
            select(func.coalesce(func.sum(legs.amount), 0)).where(legs.transfer_id == transfer_id)
        ).scalar_one()
    )  # fmt: skip
