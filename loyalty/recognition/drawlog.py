"""The log of a lucky draw: append-only, each line chained to the one before, and each to be worked out again by anybody.

`document` is what is published, `verify` is who re-checks it: from the document alone, with nothing of this store.
docs/lucky-draw.md tells a stranger how to do the same in twenty lines.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Text, func, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.points import ledger
from loyalty.recognition import draws, fair, prizes
from loyalty.recognition.draws import Draw, DrawState, draw_prizes
from loyalty.recognition.prizes import Prize
from store.base import Base, UtcTime, table
from store.clock import now
from store.errors import NotFoundError
from store.sealed import SealError

LINE = ("number", "at", "customer", "entry", "digest", "value", "prize")
"""What a line's hash covers, after the hash of the line before it, joined by `|`."""


class DrawLineRow(Base):
    __tablename__ = "draw_log"

    draw_id: Mapped[int] = mapped_column(ForeignKey("draws.id"), primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcTime)
    customer: Mapped[int]
    """Their number when they drew."""
    entry: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(Text)
    value: Mapped[int]
    place: Mapped[int]
    """The prize by its place in the list, 0 for none."""
    hash: Mapped[str] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the log; see DrawLineRow."""

    number: int
    at: datetime
    customer: int
    entry: str
    digest: str
    value: int
    place: int
    hash: str


@dataclass(frozen=True, slots=True)
class Differs:
    """The first draw that isn't what it should be: its number (0: the terms, or the log's end), what differs, and how."""

    number: int
    what: str
    expected: str
    found: str


log = table(DrawLineRow)
_FIELDS = tuple(log.c[name] for name in Line.__dataclass_fields__)


def write(session: Session, draw: Draw, customer_id: int, entry: str) -> Line:
    """Draw the next number of a draw whose row is locked, and write its line."""
    assert draw.terms is not None
    assert draw.last_hash is not None
    number = draw.drawn + 1
    digest = fair.digest(draws.secret_seed(session, draw.id), number, customer_id, entry)
    value = fair.value(digest, fair.chances(draw.terms, number))
    left = {one.place: one.left for one in draws.placed(session, draw.id)}
    place = fair.pick(draw.terms, left, value)
    at = now(session)
    hashed = fair.link(draw.last_hash, (number, at.isoformat(), customer_id, entry, digest, value, place))
    session.execute(
        insert(log).values(
            draw_id=draw.id, number=number, at=at, customer=customer_id, entry=entry, digest=digest, value=value,
            place=place, hash=hashed,
        )
    )  # fmt: skip
    session.execute(update(draws.draws).where(draws.draws.c.id == draw.id).values(drawn=number, last_hash=hashed))
    return Line(number, at, customer_id, entry, digest, value, place, hashed)


def line(session: Session, draw_id: int, number: int) -> Line:
    """One line; raises NotFoundError."""
    row = session.execute(select(*_FIELDS).where(log.c.draw_id == draw_id, log.c.number == number)).first()
    if row is None:
        raise NotFoundError("draw line", number)
    return Line(*row)


def lines(session: Session, draw_id: int, *, limit: int | None = None, newest: bool = False) -> Sequence[Line]:
    """A draw's log, in its order or the newest first."""
    order = log.c.number.desc() if newest else log.c.number
    rows = session.execute(select(*_FIELDS).where(log.c.draw_id == draw_id).order_by(order).limit(limit))
    return [Line(*row) for row in rows]


def prize_at(session: Session, draw_id: int, place: int) -> Prize | None:
    """The prize of a place; None for 0."""
    found = session.execute(
        select(draw_prizes.c.prize_id).where(draw_prizes.c.draw_id == draw_id, draw_prizes.c.place == place)
    ).scalar()
    return None if found is None else prizes.get(session, int(found))


# ── Published, and re-checked ───────────────────────────────────────────────────────────────────────


def document(session: Session, draw_id: int, *, seed: str | None = None) -> dict[str, Any]:
    """A draw's terms and log as they are published, its seed where it is closed (or given by who may know it).

    Raises NotFoundError for a draft too.
    """
    draw = draws.get(session, draw_id)
    if draw.terms is None:
        raise NotFoundError("draw", draw_id)
    return {
        "format": "regulars-draw-1",
        "terms": draw.terms,
        "seed": seed or draws.seed_of(session, draw),
        "drawn": draw.drawn,
        "last_hash": draw.last_hash,
        "log": [
            {
                "number": one.number, "at": one.at.isoformat(), "customer": one.customer, "entry": one.entry,
                "digest": one.digest, "value": one.value, "prize": one.place, "hash": one.hash,
            }
            for one in lines(session, draw_id)
        ],
    }  # fmt: skip


def verify(published: Mapping[str, Any]) -> Differs | None:
    """Work every draw of a published document out again; the first that differs, None where all is right.

    Without the seed (the draw is still open) what it decides can't be worked out: the chain and the picks are proven. Raises
    KeyError, TypeError or ValueError for what is no such document.
    """
    terms, seed, rows = published["terms"], published["seed"], published["log"]
    if seed is not None and fair.commitment(seed) != terms["seed_sha256"]:
        return Differs(0, "seed", terms["seed_sha256"], fair.commitment(seed))
    before = fair.genesis(terms)
    left = {int(prize["place"]): int(prize["stock"]) for prize in terms["prizes"]}
    entries: set[str] = set()
    for number, row in enumerate(rows, start=1):
        found = _line(terms, seed, left, before, number, row, entries)
        if found is not None:
            return found
        before = row["hash"]
        if row["prize"]:
            left[row["prize"]] -= 1
        entries.add(row["entry"])
    if published["drawn"] != len(rows):
        return Differs(0, "count", str(published["drawn"]), str(len(rows)))
    if published["last_hash"] != before:
        return Differs(0, "end", str(published["last_hash"]), before)
    return None


def _line(
    terms: Mapping[str, Any],
    seed: str | None,
    left: Mapping[int, int],
    before: str,
    number: int,
    row: Mapping[str, Any],
    entries: set[str],
) -> Differs | None:
    expected: list[tuple[str, object]] = [("number", number)]
    digest = fair.digest(seed, number, row["customer"], row["entry"]) if seed is not None else row["digest"]
    value = fair.value(digest, fair.chances(terms, number))
    expected += [("digest", digest), ("value", value), ("prize", fair.pick(terms, left, value))]
    expected += [("hash", fair.link(before, [row[name] for name in LINE]))]
    for name, wanted in expected:
        if row[name] != wanted:
            return Differs(number, name, str(wanted), str(row[name]))
    if row["entry"] in entries:
        return Differs(number, "entry", "an entry is drawn once", row["entry"])
    return None


def check(session: Session) -> list[ledger.Fault]:
    """Prove every draw's log, and that what it gave is what is gone from the prizes' stocks."""
    faults = []
    opened = session.execute(
        select(draws.draws.c.id).where(draws.draws.c.state != DrawState.DRAFT.value).order_by(draws.draws.c.id)
    )
    for draw_id in opened.scalars().all():
        draw = draws.get(session, draw_id)
        try:
            found = verify(document(session, draw_id, seed=draws.secret_seed(session, draw_id)))
        except SealError:
            faults.append(ledger.Fault(f"draw {draw_id}, seed of its line", 0, 0, 1))
            continue
        if found is not None:
            faults.append(ledger.Fault(f"draw {draw_id}, {found.what} of its line", found.number, 0, 1))
            continue
        if draw.state == DrawState.OPEN:
            faults += _stocks(session, draw_id)
    return faults


def _stocks(session: Session, draw_id: int) -> list[ledger.Fault]:
    counted = session.execute(select(log.c.place, func.count()).where(log.c.draw_id == draw_id).group_by(log.c.place))
    drawn = {int(place): int(count) for place, count in counted}
    return [
        ledger.Fault("prizes drawn", one.prize.id, (one.prize.stock or 0) - drawn.get(one.place, 0), one.left)
        for one in draws.placed(session, draw_id)
        if one.left != (one.prize.stock or 0) - drawn.get(one.place, 0)
    ]
