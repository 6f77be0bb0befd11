"""Rounds: what is done once a day for a shop's customers, some at a time, from a certain hour of the shop's morning on.

A round remembers how far it came, so that it goes on where it stopped, and does a day's work once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import Text, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import shops
from store.base import Base, table
from store.clock import now


class RoundRow(Base):
    __tablename__ = "rounds"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    shop_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[str] = mapped_column(Text)
    """The shop's day, `2026-11-21`."""
    place: Mapped[str] = mapped_column(Text)
    """How far it came, in the round's own form."""
    done: Mapped[bool]


@dataclass(frozen=True, slots=True)
class Round:
    """A day's round of a shop, at `place` (empty at its beginning)."""

    name: str
    shop: shops.Shop
    day: date
    place: str


rounds = table(RoundRow)
Step = Callable[[Session, Round], str | None]
"""Do some of a round from its place on: the place it came to, None when nothing is left."""


def go_on(session: Session, name: str, hour: int, step: Step) -> int:
    """Do a step of the first shop's round that is due; 1 where there was one, 0 where all are done for today."""
    stood = {row.shop_id: row for row in session.execute(select(rounds).where(rounds.c.name == name))}
    for shop in shops.every(session):
        local = now(session).astimezone(ZoneInfo(shop.timezone))
        row, day = stood.get(shop.id), local.date()
        fresh = row is None or row.day != day.isoformat()
        if local.hour < hour or (not fresh and row is not None and row.done):
            continue
        place = step(session, Round(name, shop, day, "" if fresh or row is None else row.place))
        values = {"day": day.isoformat(), "place": place or "", "done": place is None}
        if row is None:
            session.execute(insert(rounds).values(name=name, shop_id=shop.id, **values))
        else:
            session.execute(
                update(rounds).where(rounds.c.name == name, rounds.c.shop_id == shop.id).values(**values)
            )  # fmt: skip
        return 1
    return 0
