"""Lucky draws: declared prizes and odds, a seed that is sworn to before the first draw and shown after the last.

A draw is made (draft), opened (terms and the seed's SHA-256 are frozen and published) and closed (the seed is published).
While it is open nothing about it can be changed. Entries are in `entries`, each drawing in `drawlog`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Text, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.points import holds
from loyalty.recognition import fair, prizes, wins
from loyalty.recognition.prizes import Prize
from loyalty.recognition.wins import Cause, WinState
from store import events, sealed, shops
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ConflictError, InvalidError, NotFoundError

SHOWN_FOR = timedelta(days=30)
"""How long customers still see a closed draw, with its seed."""
ASSURANCES = ("registered", "limits", "evidence", "taxes")
"""What a shop says it has seen to before it opens a draw, as far as it applies: registration with the Department of Industry
and Trade, limits of value and time, evidence and reports, taxes of winners.
"""


class Mode(StrEnum):
    ODDS = "odds"
    """Each draw has the same chances, so many in ten thousand."""
    TICKETS = "tickets"
    """A drum with so many tickets: each is drawn once."""


class EntryBy(StrEnum):
    ORDER = "order"
    """One entry for an order of at least so much."""
    SPEND = "spend"
    """One entry for every so many đồng of an order."""
    POINTS = "points"
    """One entry for so many points, bought in chat."""


class DrawState(StrEnum):
    DRAFT = "draft"
    OPEN = "open"
    CLOSED = "closed"


_OPEN = text("state = 'open'")


class DrawRow(Base):
    __tablename__ = "draws"
    __table_args__ = (
        Index("ix_draws_shop", "shop_id", "state"),
        Index("ix_draws_due", "ends_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    name: Mapped[str] = mapped_column(Text)
    about: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    mode: Mapped[str] = mapped_column(Text)
    tickets: Mapped[int | None]
    when_out: Mapped[str] = mapped_column(Text)
    """By odds, when a prize that is drawn has run out: `nothing`, or `next` (the next in the list that is there)."""
    entry_by: Mapped[str] = mapped_column(Text)
    entry_per: Mapped[int]
    """đồng, or points."""
    per_day: Mapped[int | None]
    """Entries that one customer can get in a day; empty: no limit."""
    ends_at: Mapped[datetime] = mapped_column(UtcTime)
    seed: Mapped[str | None] = mapped_column(Text)
    """Sealed (store.sealed) until the draw is closed, then for everybody to read."""
    seed_hash: Mapped[str | None] = mapped_column(Text)
    terms: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """What was published when it opened; the log's chain begins with its hash."""
    drawn: Mapped[int]
    """How many draws there were; with the last one's hash it shows where the log ends."""
    last_hash: Mapped[str | None] = mapped_column(Text)
    assured: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """What the shop said it has seen to, who said it and when."""
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    opened_at: Mapped[datetime | None] = mapped_column(UtcTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcTime)


class DrawPrizeRow(Base):
    """A prize of a draw: its place in the list, and its chances in ten thousand (by tickets: its stock is its chances)."""

    __tablename__ = "draw_prizes"

    draw_id: Mapped[int] = mapped_column(ForeignKey("draws.id"), primary_key=True, autoincrement=False)
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    prize_id: Mapped[int] = mapped_column(ForeignKey("prizes.id"), unique=True)
    odds: Mapped[int]


@dataclass(frozen=True, slots=True)
class Draw:
    """A draw as rules give it out, without its seed (see `seed_of`); fields as in DrawRow."""

    id: int
    shop_id: int
    name: str
    about: str
    state: str
    mode: str
    tickets: int | None
    when_out: str
    entry_by: str
    entry_per: int
    per_day: int | None
    ends_at: datetime
    seed_hash: str | None
    terms: dict[str, Any] | None
    drawn: int
    last_hash: str | None
    assured: dict[str, Any] | None
    opened_at: datetime | None
    closed_at: datetime | None

    @property
    def over(self) -> bool:
        """Whether every ticket was drawn."""
        return self.tickets is not None and self.drawn >= self.tickets

    def takes(self, moment: datetime) -> bool:
        """Whether it draws at a moment."""
        return self.state == DrawState.OPEN and moment < self.ends_at and not self.over


@dataclass(frozen=True, slots=True)
class Placed:
    """A prize in a draw's list, with how many are left."""

    place: int
    prize: Prize
    odds: int
    left: int


class DrawClosedError(ConflictError):
    """The draw isn't open (not yet, or no longer)."""

    code = "draw_closed"


draws = table(DrawRow)
draw_prizes = table(DrawPrizeRow)
_FIELDS = tuple(draws.c[name] for name in Draw.__dataclass_fields__)


# ── Opening and closing ─────────────────────────────────────────────────────────────────────────────


def open_draw(session: Session, draw_id: int, shop_id: int, actor: str, assured: Sequence[str]) -> Draw:
    """Open a draft: its terms are frozen, a seed is drawn and its SHA-256 stands in them. `assured` is what the shop said
    it has seen to, as far as it applies: all of ASSURANCES are asked for. Repeatable.

    Raises NotFoundError, InvalidError("assured", "ends_at"), DrawClosedError (it was closed).
    """
    draw = get(session, draw_id, shop_id, lock=True)
    if draw.state == DrawState.OPEN:
        return draw
    if draw.state == DrawState.CLOSED:
        raise DrawClosedError(draw.state)
    if set(assured) != set(ASSURANCES):
        raise InvalidError("assured", "empty", sorted(set(ASSURANCES) - set(assured)))
    if draw.ends_at <= now(session):
        raise InvalidError("ends_at", "range", draw.ends_at)
    seed = fair.new_seed()
    moment = now(session)
    terms = _terms(session, draw, fair.commitment(seed), moment)
    session.execute(
        update(draws)
        .where(draws.c.id == draw_id)
        .values(
            state=DrawState.OPEN.value, seed=sealed.of(session).close(seed), seed_hash=fair.commitment(seed), terms=terms, opened_at=moment,
            last_hash=fair.genesis(terms),
            assured={"what": list(ASSURANCES), "by": actor, "at": moment.isoformat()},
        )
    )  # fmt: skip
    events.happened(session, "draw_opened", shop_id=shop_id, draw=draw_id)
    return get(session, draw_id)


def _terms(session: Session, draw: Draw, seed_hash: str, moment: datetime) -> dict[str, Any]:
    """What is published: plain numbers and texts, so that everybody's JSON of it is the same."""
    return {
        "draw": draw.id, "shop": shops.get(session, draw.shop_id).name, "name": draw.name, "mode": draw.mode,
        "tickets": draw.tickets or 0, "when_out": draw.when_out, "entry_by": draw.entry_by,
        "entry_per": draw.entry_per, "per_day": draw.per_day or 0, "opened_at": moment.isoformat(),
        "ends_at": draw.ends_at.isoformat(), "seed_sha256": seed_hash,
        "prizes": [
            {"place": one.place, "name": one.prize.name, "odds": one.odds, "stock": one.prize.stock}
            for one in placed(session, draw.id)
        ],
    }  # fmt: skip


def close(session: Session, draw_id: int, shop_id: int | None = None) -> Draw:
    """Close a draw: nobody draws any more, and its seed may be shown. Repeatable. Raises NotFoundError, DrawClosedError for
    a draft.
    """
    draw = get(session, draw_id, shop_id, lock=True)
    if draw.state == DrawState.CLOSED:
        return draw
    if draw.state == DrawState.DRAFT:
        raise DrawClosedError(draw.state)
    session.execute(
        update(draws)
        .where(draws.c.id == draw_id)
        .values(state=DrawState.CLOSED.value, closed_at=now(session), seed=secret_seed(session, draw_id))
    )
    # Prizes of returned orders stayed out of the drum while it was open; now they are the shop's again.
    withdrawn = select(wins.wins.c.hold_id).where(
        wins.wins.c.cause == Cause.DRAW.value, wins.wins.c.cause_id == draw_id,
        wins.wins.c.state == WinState.WITHDRAWN.value, wins.wins.c.hold_id.is_not(None),
    )  # fmt: skip
    for hold_id in session.execute(withdrawn).scalars().all():
        if holds.get(session, hold_id).state == holds.HoldState.PLACED:
            holds.void(session, hold_id)
    events.happened(session, "draw_closed", shop_id=draw.shop_id, draw=draw_id, drawn=draw.drawn)
    return get(session, draw_id)


def close_if_over(session: Session, draw_id: int) -> None:
    """Close a draw when its last ticket or its last prize was drawn: there is nothing more to win."""
    draw = get(session, draw_id)
    if draw.over or not any(one.left for one in placed(session, draw_id)):
        close(session, draw_id)


def close_due(session: Session, limit: int = 20) -> int:
    """Close draws whose time is over; how many. For the clock."""
    due = session.execute(
        select(draws.c.id)
        .where(draws.c.state == DrawState.OPEN.value, draws.c.ends_at <= now(session))
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    )
    return len([close(session, draw_id) for draw_id in due.scalars().all()])


# ── Looking ─────────────────────────────────────────────────────────────────────────────────────────


def get(session: Session, draw_id: int, shop_id: int | None = None, *, lock: bool = False) -> Draw:
    """A draw (of a shop); raises NotFoundError. `lock` holds it without holding up those who only name it."""
    query = select(*_FIELDS).where(draws.c.id == draw_id)
    row = session.execute(query.with_for_update(key_share=True) if lock else query).first()
    if row is None or shop_id not in {None, row.shop_id}:
        raise NotFoundError("draw", draw_id)
    return Draw(*row)


def placed(session: Session, draw_id: int) -> list[Placed]:
    """A draw's prizes in the order of their places."""
    rows = session.execute(
        select(draw_prizes.c.place, draw_prizes.c.prize_id, draw_prizes.c.odds)
        .where(draw_prizes.c.draw_id == draw_id)
        .order_by(draw_prizes.c.place)
    ).all()
    found = []
    for row in rows:
        prize = prizes.get(session, row.prize_id)
        found.append(Placed(row.place, prize, row.odds, prizes.left(session, prize) or 0))
    return found


def of_shop(session: Session, shop_id: int) -> list[Draw]:
    """A shop's draws, newest first."""
    rows = session.execute(select(*_FIELDS).where(draws.c.shop_id == shop_id).order_by(draws.c.id.desc()))
    return [Draw(*row) for row in rows]


def shown(session: Session, shop_id: int, moment: datetime) -> list[Draw]:
    """The draws of a shop that customers see: open ones, and those that were closed lately."""
    return [
        draw for draw in of_shop(session, shop_id)
        if draw.state == DrawState.OPEN or (draw.closed_at is not None and draw.closed_at + SHOWN_FOR > moment)
    ]  # fmt: skip


def seed_of(session: Session, draw: Draw) -> str | None:
    """The seed of a draw that is closed; None before."""
    return secret_seed(session, draw.id) if draw.state == DrawState.CLOSED else None


def secret_seed(session: Session, draw_id: int) -> str:
    """The seed, for drawing and proving only. Raises NotFoundError for a draft, SealError where it was sealed under another
    secret key.
    """
    found = session.execute(select(draws.c.seed, draws.c.state).where(draws.c.id == draw_id)).first()
    if found is None or found.seed is None:
        raise NotFoundError("seed", draw_id)
    return str(found.seed) if found.state == DrawState.CLOSED else sealed.of(session).open(found.seed)
