"""A lucky draw as it is made: a draft with its prizes and their odds, changed or thrown away until it is opened."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, update
from sqlalchemy.orm import Session

from loyalty.recognition import draws, fair, prizes
from loyalty.recognition.draws import Draw, DrawClosedError, DrawState, EntryBy, Mode, draw_prizes
from loyalty.recognition.prizes import PrizeInput
from store.clock import now
from store.errors import InvalidError

NAME_CHARS_MAX = 80
ABOUT_CHARS_MAX = 600
PRIZES_MAX = 20
TICKETS_MAX = 1_000_000
PER_MAX = 1_000_000_000
PER_DAY_MAX = 1_000
LASTS_MAX = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class DrawInput:
    """A draw as a form has it; fields as in DrawRow. Each prize with its odds (0 by tickets) and a stock."""

    name: str
    mode: Mode
    entry_by: EntryBy
    entry_per: int
    ends_at: datetime
    prizes: Sequence[tuple[PrizeInput, int]]
    about: str = ""
    tickets: int | None = None
    when_out: str = "nothing"
    per_day: int | None = None


def add(session: Session, shop_id: int, draw: DrawInput) -> Draw:
    """Make a draft. Raises InvalidError naming the field: name, about, tickets, when_out, entry_per, per_day, ends_at, prizes,
    odds, or `prize_N_field` for the N-th prize.
    """
    _checked(session, draw)
    row = session.execute(
        insert(draws.draws)
        .values(
            shop_id=shop_id, name=" ".join(draw.name.split()), about=draw.about.strip(), state=DrawState.DRAFT.value,
            mode=draw.mode.value, tickets=draw.tickets if draw.mode is Mode.TICKETS else None, when_out=draw.when_out,
            entry_by=draw.entry_by.value, entry_per=draw.entry_per, per_day=draw.per_day, ends_at=draw.ends_at,
            drawn=0, created_at=now(session),
        )
        .returning(draws.draws.c.id)
    ).one()  # fmt: skip
    _set_out(session, row.id, shop_id, draw)
    return draws.get(session, row.id)


def change(session: Session, draw_id: int, shop_id: int, draw: DrawInput) -> Draw:
    """Rewrite a draft, prizes and all. Raises InvalidError as `add`, NotFoundError, DrawClosedError when it was opened."""
    before = draws.get(session, draw_id, shop_id, lock=True)
    if before.state != DrawState.DRAFT:
        raise DrawClosedError(before.state)
    _checked(session, draw)
    session.execute(delete(draw_prizes).where(draw_prizes.c.draw_id == draw_id))
    values = {name: value for name, value in asdict(draw).items() if name != "prizes"}
    values |= {"mode": draw.mode.value, "entry_by": draw.entry_by.value, "name": " ".join(draw.name.split())}
    values["tickets"] = draw.tickets if draw.mode is Mode.TICKETS else None
    session.execute(update(draws.draws).where(draws.draws.c.id == draw_id).values(**values))
    _set_out(session, draw_id, shop_id, draw)
    return draws.get(session, draw_id)


def remove(session: Session, draw_id: int, shop_id: int) -> None:
    """Throw a draft away. Raises NotFoundError, DrawClosedError when it was opened."""
    draw = draws.get(session, draw_id, shop_id, lock=True)
    if draw.state != DrawState.DRAFT:
        raise DrawClosedError(draw.state)
    session.execute(delete(draw_prizes).where(draw_prizes.c.draw_id == draw_id))
    session.execute(delete(draws.draws).where(draws.draws.c.id == draw_id))


def _set_out(session: Session, draw_id: int, shop_id: int, draw: DrawInput) -> None:
    for place, (prize, odds) in enumerate(draw.prizes, start=1):
        if prize.stock is None:
            raise InvalidError(f"prize_{place}_stock", "empty")
        try:
            made = prizes.add(session, shop_id, prize)
        except InvalidError as error:
            raise InvalidError(f"prize_{place}_{error.field}", error.problem, error.value) from None
        session.execute(
            insert(draw_prizes).values(
                draw_id=draw_id, place=place, prize_id=made.id, odds=odds if draw.mode is Mode.ODDS else 0
            )
        )


def _checked(session: Session, draw: DrawInput) -> None:
    if not draw.name.strip() or len(draw.name) > NAME_CHARS_MAX:
        raise InvalidError("name", "length", draw.name)
    if len(draw.about) > ABOUT_CHARS_MAX:
        raise InvalidError("about", "length", draw.about)
    if draw.when_out not in {"nothing", "next"}:
        raise InvalidError("when_out", "unknown", draw.when_out)
    if not 1 <= draw.entry_per <= PER_MAX and not (draw.entry_by is EntryBy.ORDER and draw.entry_per == 0):
        raise InvalidError("entry_per", "range", draw.entry_per)
    if draw.per_day is not None and not 1 <= draw.per_day <= PER_DAY_MAX:
        raise InvalidError("per_day", "range", draw.per_day)
    if not now(session) < draw.ends_at <= now(session) + LASTS_MAX:
        raise InvalidError("ends_at", "range", draw.ends_at)
    if not 1 <= len(draw.prizes) <= PRIZES_MAX:
        raise InvalidError("prizes", "count", len(draw.prizes))
    if draw.mode is Mode.TICKETS:
        if draw.tickets is None or not 1 <= draw.tickets <= TICKETS_MAX:
            raise InvalidError("tickets", "range", draw.tickets)
        if sum(prize.stock or 0 for prize, _ in draw.prizes) > draw.tickets:
            raise InvalidError("tickets", "prizes", draw.tickets)
        return
    for place, (_, odds) in enumerate(draw.prizes, start=1):
        if not 1 <= odds <= fair.TEN_THOUSAND:
            raise InvalidError(f"prize_{place}_odds", "range", odds)
    if sum(odds for _, odds in draw.prizes) > fair.TEN_THOUSAND:
        raise InvalidError("odds", "sum", sum(odds for _, odds in draw.prizes))
