"""Prizes: what can be won (points, a voucher, a thing to hand over), each with as many as there are.

How many are left is the balance of an account (owner `prize`, name `stock`): winning takes one by a hold, so no more can be
won than there are, however many win at once.
"""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Text, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.points import holds, ledger
from loyalty.vouchers import voucher_programs
from store.base import Base, BigId, table
from store.errors import InvalidError, NotFoundError

NAME_CHARS_MAX = 80
POINTS_MAX = 1_000_000
STOCK_MAX = 1_000_000
VALUE_MAX = 1_000_000_000


class PrizeKind(StrEnum):
    POINTS = "points"
    VOUCHER = "voucher"
    THING = "thing"
    """Handed over at the counter."""


class PrizeRow(Base):
    __tablename__ = "prizes"
    __table_args__ = (CheckConstraint("stock IS NULL OR stock > 0", name="stock_positive"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"), index=True)
    name: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    points: Mapped[int]
    program_id: Mapped[int | None] = mapped_column(ForeignKey("voucher_programs.id"))
    stock: Mapped[int | None]
    """How many there ever were; empty: as many as are won."""
    value: Mapped[int]
    """What one is worth, in đồng, as the shop declares it."""


@dataclass(frozen=True, slots=True)
class PrizeInput:
    """A prize as a form has it: `points` for POINTS, `program_id` for VOUCHER; `stock` None for no limit."""

    name: str
    kind: PrizeKind
    points: int = 0
    program_id: int | None = None
    stock: int | None = None
    value: int = 0


@dataclass(frozen=True, slots=True)
class Prize:
    """A prize as rules give it out; units as in PrizeRow."""

    id: int
    shop_id: int
    name: str
    kind: str
    points: int
    program_id: int | None
    stock: int | None
    value: int


prizes = table(PrizeRow)
_FIELDS = tuple(prizes.c[name] for name in Prize.__dataclass_fields__)


def checked(session: Session, shop_id: int, prize: PrizeInput) -> PrizeInput:
    """The prize, or InvalidError naming the field that can't be right: name, points, program_id, stock, value."""
    if not prize.name.strip() or len(prize.name) > NAME_CHARS_MAX:
        raise InvalidError("name", "length", prize.name)
    if prize.kind is PrizeKind.POINTS and not 0 < prize.points <= POINTS_MAX:
        raise InvalidError("points", "range", prize.points)
    if prize.kind is PrizeKind.VOUCHER:
        if prize.program_id is None:
            raise InvalidError("program_id", "empty")
        try:
            voucher_programs.get(session, prize.program_id, shop_id)
        except NotFoundError:
            raise InvalidError("program_id", "unknown", prize.program_id) from None
    if prize.stock is not None and not 0 < prize.stock <= STOCK_MAX:
        raise InvalidError("stock", "range", prize.stock)
    if not 0 <= prize.value <= VALUE_MAX:
        raise InvalidError("value", "range", prize.value)
    return prize


def add(session: Session, shop_id: int, prize: PrizeInput) -> Prize:
    """Set out a prize, its stock in its account. Raises InvalidError as `checked` does."""
    checked(session, shop_id, prize)
    row = session.execute(
        insert(prizes)
        .values(
            shop_id=shop_id, name=" ".join(prize.name.split()), kind=prize.kind.value,
            points=prize.points if prize.kind is PrizeKind.POINTS else 0,
            program_id=prize.program_id if prize.kind is PrizeKind.VOUCHER else None, stock=prize.stock,
            value=prize.value,
        )
        .returning(*_FIELDS)
    ).one()  # fmt: skip
    made = Prize(*row)
    if made.stock is not None:
        holds.fund(session, f"prize:{made.id}", stock_account(session, made.id), made.stock)
    return made


def top_up(session: Session, prize_id: int, amount: int, key: str) -> Prize:
    """Add to a prize's stock; the same key adds once. Raises NotFoundError, InvalidError("amount", "stock")."""
    prize = get(session, prize_id, lock=True)
    if prize.stock is None or not 0 < amount <= STOCK_MAX - prize.stock:
        raise InvalidError("amount", "range", amount)
    if holds.fund(session, f"prize:{prize_id}:{key}", stock_account(session, prize_id), amount).new:
        session.execute(update(prizes).where(prizes.c.id == prize_id).values(stock=prize.stock + amount))
    return get(session, prize_id)


def get(session: Session, prize_id: int, *, lock: bool = False) -> Prize:
    """A prize; raises NotFoundError."""
    query = select(*_FIELDS).where(prizes.c.id == prize_id)
    row = session.execute(query.with_for_update(key_share=True) if lock else query).first()
    if row is None:
        raise NotFoundError("prize", prize_id)
    return Prize(*row)


def stock_account(session: Session, prize_id: int) -> int:
    """The account that holds what is left of a prize."""
    return ledger.account(session, "prize", prize_id, "stock")


def left(session: Session, prize: Prize) -> int | None:
    """How many are left; None where there is no limit."""
    return None if prize.stock is None else ledger.balances(session, "prize", prize.id).get("stock", 0)


def check(session: Session) -> list[ledger.Fault]:
    """Prove of every prize that what is left, held and won adds up to what there ever was."""
    faults = []
    for row in session.execute(select(prizes.c.id, prizes.c.stock).order_by(prizes.c.id)):
        held = ledger.balances(session, "prize", row.id)
        found = sum(held.get(name, 0) for name in ("stock", "stock_held", "stock_used"))
        if found != (row.stock or 0):
            faults.append(ledger.Fault("prize stock", row.id, row.stock or 0, found))
    return faults
