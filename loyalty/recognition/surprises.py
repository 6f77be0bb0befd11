"""Surprises: a gift that nobody waits for, by a rule: every n-th customer of the day, the first order after a long while, or
one order in n by chance (decided like a lucky draw, so that it can be re-checked).

A surprise's prize has a stock where the shop sets a limit; when it is empty nobody gets one more, and nobody is told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint, func, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.points import ledger
from loyalty.recognition import fair, prizes, wins
from loyalty.recognition.prizes import PrizeInput
from loyalty.recognition.visits import Visit
from loyalty.recognition.wins import Cause, WinState
from store import notices
from store.base import Base, BigId, UtcTime, table
from store.clock import now, today
from store.errors import InvalidError, NotFoundError
from store.shops import Shop

NAME_CHARS_MAX = 80
N_MAX = 1_000_000


class When(StrEnum):
    NTH = "nth"
    """Every n-th customer of the day."""
    RETURN = "return"
    """The first order after n days without one."""
    CHANCE = "chance"
    """One order in n."""


class SurpriseRow(Base):
    __tablename__ = "surprises"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"), index=True)
    name: Mapped[str] = mapped_column(Text)
    happens: Mapped[str] = mapped_column(Text)
    n: Mapped[int]
    prize_id: Mapped[int] = mapped_column(ForeignKey("prizes.id"))
    seed: Mapped[str] = mapped_column(Text)
    """Of CHANCE; shown when the rule has ended."""
    seed_hash: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)


class SurpriseLook(Base):
    """That a rule looked at an occasion, once, as its `number` (of the day for NTH), and whether it gave."""

    __tablename__ = "surprise_looks"
    __table_args__ = (
        UniqueConstraint("surprise_id", "occasion"),
        Index("ix_surprise_looks_order", "order_id"),
        Index("ix_surprise_looks_day", "surprise_id", "day"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    surprise_id: Mapped[int] = mapped_column(ForeignKey("surprises.id"))
    occasion: Mapped[str] = mapped_column(Text)
    day: Mapped[str] = mapped_column(Text)
    number: Mapped[int]
    customer: Mapped[int]
    order_id: Mapped[int]
    at: Mapped[datetime] = mapped_column(UtcTime)
    digest: Mapped[str | None] = mapped_column(Text)
    won: Mapped[bool]
    win_id: Mapped[int | None]


@dataclass(frozen=True, slots=True)
class Surprise:
    """A rule as rules give it out; `seed` only when it has ended."""

    id: int
    shop_id: int
    name: str
    happens: str
    n: int
    prize_id: int
    seed_hash: str
    ended_at: datetime | None


surprises = table(SurpriseRow)
looks = table(SurpriseLook)
_FIELDS = tuple(surprises.c[name] for name in Surprise.__dataclass_fields__)


def add(session: Session, shop_id: int, name: str, happens: When, n: int, prize: PrizeInput) -> Surprise:
    """Make a rule; it holds from now on. Raises InvalidError naming the field: name, n, or one of the prize's."""
    if not name.strip() or len(name) > NAME_CHARS_MAX:
        raise InvalidError("name", "length", name)
    if not 1 <= n <= N_MAX or (happens is not When.RETURN and n < 2):
        raise InvalidError("n", "range", n)
    made = prizes.add(session, shop_id, prize)
    seed = fair.new_seed()
    row = session.execute(
        insert(surprises)
        .values(
            shop_id=shop_id, name=" ".join(name.split()), happens=happens.value, n=n, prize_id=made.id, seed=seed,
            seed_hash=fair.commitment(seed), created_at=now(session),
        )
        .returning(*_FIELDS)
    ).one()  # fmt: skip
    return Surprise(*row)


def end(session: Session, surprise_id: int, shop_id: int) -> Surprise:
    """End a rule, for good: its seed may be shown. Repeatable. Raises NotFoundError."""
    found = get(session, surprise_id, shop_id)
    if found.ended_at is None:
        session.execute(update(surprises).where(surprises.c.id == surprise_id).values(ended_at=now(session)))
    return get(session, surprise_id)


def get(session: Session, surprise_id: int, shop_id: int | None = None) -> Surprise:
    """A rule (of a shop); raises NotFoundError."""
    row = session.execute(select(*_FIELDS).where(surprises.c.id == surprise_id)).first()
    if row is None or shop_id not in {None, row.shop_id}:
        raise NotFoundError("surprise", surprise_id)
    return Surprise(*row)


def of_shop(session: Session, shop_id: int) -> list[Surprise]:
    """A shop's rules, newest first."""
    rows = session.execute(select(*_FIELDS).where(surprises.c.shop_id == shop_id).order_by(surprises.c.id.desc()))
    return [Surprise(*row) for row in rows]


def seed_of(session: Session, surprise: Surprise) -> str | None:
    """The seed of a rule that has ended."""
    if surprise.ended_at is None:
        return None
    return str(session.execute(select(surprises.c.seed).where(surprises.c.id == surprise.id)).scalar_one())


def given(session: Session, surprise_id: int) -> int:
    """How many gifts a rule gave that stand."""
    return int(
        session.execute(
            select(func.count()).where(
                wins.wins.c.cause == Cause.SURPRISE.value, wins.wins.c.cause_id == surprise_id,
                wins.wins.c.state.not_in((WinState.WITHDRAWN.value, WinState.MISSED.value)),
            )
        ).scalar_one()
    )  # fmt: skip


def order_settled(
    session: Session,
    shop: Shop,
    customer_id: int,
    history: Sequence[Visit],
    *,
    order_id: int,
    placed_at: datetime,
    paid: int,
    starts: bool,
    quiet: bool,
) -> None:
    """Have the rules look at an order of today, each once; a gift whose order was given back whole is taken back."""
    if not paid:
        _take_back(session, order_id)
        return
    day = today(session, shop.timezone)
    if not starts or placed_at.astimezone(ZoneInfo(shop.timezone)).date() != day:
        return
    for rule in of_shop(session, shop.id):
        if rule.ended_at is not None:
            continue
        occasion = f"{day}:{customer_id}" if rule.happens == When.NTH else f"order:{order_id}"
        number = _number(session, rule, occasion, day.isoformat())
        if number is None:
            continue
        digest = _digest(session, rule, number, customer_id, occasion)
        won = _wins(rule, number, digest, history, order_id)
        prize = prizes.get(session, rule.prize_id)
        win = None
        if won and prizes.left(session, prize) != 0:
            win = wins.give(
                session, f"surprise:{rule.id}:{occasion}", prize, customer_id, cause=Cause.SURPRISE, cause_id=rule.id,
                order_id=order_id,
            )  # fmt: skip
        session.execute(
            insert(looks).values(
                surprise_id=rule.id, occasion=occasion, day=day.isoformat(), number=number, customer=customer_id,
                order_id=order_id, at=now(session), digest=digest, won=won, win_id=win.id if win else None,
            )
        )  # fmt: skip
        if win is not None and win.state != WinState.MISSED and not quiet:
            notices.tell(
                session, "surprise_gift", customer_id=customer_id, shop_id=shop.id, happens=rule.happens,
                number=number, prize=prize.name, gives=prize.kind, points=prize.points,
            )  # fmt: skip


def _number(session: Session, rule: Surprise, occasion: str, day: str) -> int | None:
    """The number of a new occasion, one at a time by the rule's row; None for one that was looked at."""
    session.execute(select(surprises.c.id).where(surprises.c.id == rule.id).with_for_update(key_share=True))
    seen = select(looks.c.id).where(looks.c.surprise_id == rule.id, looks.c.occasion == occasion)
    if session.execute(seen).first() is not None:
        return None
    of = [looks.c.surprise_id == rule.id]
    if rule.happens == When.NTH:
        of.append(looks.c.day == day)
    return int(session.execute(select(func.count()).where(*of)).scalar_one()) + 1


def _digest(session: Session, rule: Surprise, number: int, customer_id: int, occasion: str) -> str | None:
    if rule.happens != When.CHANCE:
        return None
    seed = session.execute(select(surprises.c.seed).where(surprises.c.id == rule.id)).scalar_one()
    return fair.digest(seed, number, customer_id, occasion)


def _wins(rule: Surprise, number: int, digest: str | None, history: Sequence[Visit], order_id: int) -> bool:
    if rule.happens == When.NTH:
        return number % rule.n == 0
    if rule.happens == When.CHANCE:
        assert digest is not None
        return fair.value(digest, rule.n) == 0
    this = next((visit for visit in history if visit.order_id == order_id), None)
    before = [visit.day for visit in history if this is not None and (visit.at, visit.order_id) < (this.at, order_id)]
    return this is not None and bool(before) and (this.day - max(before)).days >= rule.n


def _take_back(session: Session, order_id: int) -> None:
    found = select(looks.c.win_id).where(looks.c.order_id == order_id, looks.c.win_id.is_not(None))
    for win_id in session.execute(found).scalars().all():
        wins.take_back(session, win_id, "order_returned")


def check(session: Session) -> list[ledger.Fault]:
    """Prove that every look of the rules by chance came out as its seed says."""
    faults = []
    rows = session.execute(
        select(looks, surprises.c.seed, surprises.c.n)
        .join(surprises, surprises.c.id == looks.c.surprise_id)
        .where(surprises.c.happens == When.CHANCE.value)
        .order_by(looks.c.id)
    )
    for row in rows:
        digest = fair.digest(row.seed, row.number, row.customer, row.occasion)
        if row.digest != digest or row.won != (fair.value(digest, row.n) == 0):
            faults.append(ledger.Fault("surprise look", row.id, 0, 1))
    return faults


def published(session: Session, surprise_id: int) -> list[dict[str, Any]]:
    """What a rule by chance decided, for whoever re-checks it with its seed."""
    rows = session.execute(select(looks).where(looks.c.surprise_id == surprise_id).order_by(looks.c.number))
    return [
        {"number": row.number, "customer": row.customer, "entry": row.occasion, "digest": row.digest, "won": row.won}
        for row in rows
    ]
