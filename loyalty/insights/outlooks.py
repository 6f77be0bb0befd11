"""Outlooks: the forecast that is made every night and kept, of each shop and of all together, with how the one before came true.

A model is fitted only where there is enough to learn from. Of very many customers it learns from every so many-th.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, Date, delete, func, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.customers.customers import customers
from loyalty.insights import bg_nbd, forecast, gamma_gamma
from loyalty.insights.forecast import Known, TooFewError
from loyalty.insights.gamma_gamma import Spending
from store import clock, shops
from store.base import Base, BigId, UtcTime, table

WEEKS = 12
"""How far it looks ahead."""
HOUR = 4
"""Of the morning, from which on the day's outlook is made; the very first one at any hour."""
ENOUGH_AGAIN = 30
"""So many customers have to have come again,"""
ENOUGH_WEEKS = 8
"""and so long ago has the first to have come, that a model is fitted."""
PEOPLE_MAX = 200_000
"""More customers than this a model doesn't learn from,"""
SPENDINGS_MAX = 20_000
"""nor from more people's spending."""
TOGETHER = 0
"""Stands for all shops together."""


class OutlookRow(Base):
    __tablename__ = "outlooks"

    shop_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    """0: all together."""
    day: Mapped[date] = mapped_column(Date)
    """On which it was made, in the shop's time zone: the days before it are what it learnt from."""
    made: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """See Outlook; empty where there was too little to learn from."""
    begun_at: Mapped[datetime] = mapped_column(UtcTime)
    place: Mapped[int | None] = mapped_column(BigId)
    """Customers up to this number have been told theirs (see prospects); empty when all have."""


@dataclass(frozen=True, slots=True)
class Back:
    """How a forecast of `WEEKS` ago came true: what it would have said, what happened, what “as before” would have said."""

    expected: float
    actual: int
    naive: int


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is expected of the customers there are: orders within `WEEKS`. `spending` is None where it can't be told from so few.
    `every`: it was made of every so many-th customer, its numbers are those of all.
    """

    model: bg_nbd.Model
    spending: gamma_gamma.Model | None
    customers: int
    expected: float
    back: Back | None
    every: int


@dataclass(frozen=True, slots=True)
class Material:
    """What an outlook is made of."""

    ahead: Known
    back: Known
    spendings: Sequence[Spending]
    every: int


outlooks = table(OutlookRow)


def due(session: Session) -> list[int]:
    """The shops, and TOGETHER, whose outlook of today is still to be made. A single shop's is that of all."""
    made = {row.shop_id: row.day for row in session.execute(select(outlooks.c.shop_id, outlooks.c.day))}
    every = shops.every(session)
    found = []
    for number in [TOGETHER, *(shop.id for shop in every)] if len(every) > 1 else [TOGETHER] if every else []:
        zone = forecast.zone_of(session, number or None)
        local = clock.now(session).astimezone(zone)
        if number not in made or (local.hour >= HOUR and made[number] != local.date()):
            found.append(number)
    return found


def waiting(session: Session) -> bool:
    """Whether there is an outlook to be made, or somebody to be told theirs."""
    unfinished = select(outlooks.c.shop_id).where(outlooks.c.place.is_not(None))
    return bool(due(session)) or session.execute(unfinished).first() is not None


def look(session: Session, shop_id: int) -> tuple[date, Material]:
    """The day it is, and what an outlook of that day is made of: the days before it."""
    shop = shop_id or None
    day = clock.today(session, forecast.zone_of(session, shop).key)
    until = day - timedelta(days=1)
    c = customers.c
    people = session.execute(select(func.count()).where(c.orders_count > 0)).scalar_one()
    every, spent = max(1, -(-people // PEOPLE_MAX)), max(1, -(-people // SPENDINGS_MAX))
    return day, Material(
        forecast.look(session, shop, until, WEEKS, every=every),
        forecast.look(session, shop, until - timedelta(weeks=WEEKS), WEEKS, every=every),
        forecast.spendings(session, shop, spent), every,
    )  # fmt: skip


def make(of: Material) -> Outlook | None:
    """The outlook: arithmetic alone, some seconds of it for many customers. None where there is too little to learn from."""
    if not enough(of.ahead):
        return None
    ahead = forecast.make(of.ahead)
    try:
        past = forecast.make(of.back) if enough(of.back) else None
    except TooFewError:
        past = None
    n = of.every
    back = None
    if past is not None and past.actual is not None and past.naive is not None:
        back = Back(past.expected * n, past.actual * n, past.naive * n)
    return Outlook(ahead.model, gamma_gamma.fit(of.spendings), ahead.customers * n, ahead.expected * n, back, n)


def enough(known: Known) -> bool:
    """Whether a model may learn from it."""
    again = sum(count for one, count in known.histories.items() if one.repeats)
    return again >= ENOUGH_AGAIN and max(one.age for one in known.histories) >= ENOUGH_WEEKS


def keep(session: Session, shop_id: int, day: date, made: Outlook | None) -> None:
    """Keep an outlook in place of the one before it."""
    session.execute(delete(outlooks).where(outlooks.c.shop_id == shop_id))
    session.execute(
        insert(outlooks).values(
            shop_id=shop_id, day=day, made=asdict(made) if made else None, begun_at=clock.now(session),
            place=0 if shop_id == TOGETHER else None,
        )
    )  # fmt: skip


def of(session: Session, shop_id: int) -> Outlook | None:
    """A shop's kept outlook; None where there is none yet, or was too little to learn from."""
    number = shop_id if len(shops.every(session)) > 1 else TOGETHER
    made = session.execute(select(outlooks.c.made).where(outlooks.c.shop_id == number)).scalar()
    return read(made) if made else None


def read(made: dict[str, Any]) -> Outlook:
    """An outlook as it was kept."""
    spending, back = made["spending"], made["back"]
    return Outlook(**{
        **made, "model": bg_nbd.Model(**made["model"]), "spending": gamma_gamma.Model(**spending) if spending else None,
        "back": Back(**back) if back else None,
    })  # fmt: skip
