"""Recognition in words, for the chat and the console alike: what a quest asks for, what a prize gives, how far somebody is."""

from datetime import datetime
from zoneinfo import ZoneInfo

from handlers.words import Words
from loyalty.points.lots import last_day
from loyalty.recognition import fair
from loyalty.recognition.draws import Draw, EntryBy, Mode, Placed
from loyalty.recognition.prizes import Prize, PrizeKind
from loyalty.recognition.visits import Measure

FULL, EMPTY = "▰", "▱"
BLOCKS = 10


def bar(reached: int, target: int) -> str:
    """▰▰▰▱▱▱▱▱▱▱: ten blocks; the last one is full only when all is reached."""
    full = min(reached, target) * BLOCKS // max(1, target)
    return FULL * full + EMPTY * (BLOCKS - full)


def counted(said: Words, measure: str, n: int) -> str:
    """So much of what a quest or a badge measures: “3 đơn”, “500.000 ₫”, “4 tuần liền”."""
    if measure == Measure.SPEND:
        return said.money(n)
    return {
        Measure.ORDERS: said.plural("{n} order", "{n} orders", n),
        Measure.DISHES: said.plural("{n} different item", "{n} different items", n),
        Measure.NEW_DISHES: said.plural("{n} new item", "{n} new items", n),
        Measure.DAYS: said.plural("{n} day in a row", "{n} days in a row", n),
        Measure.WEEKS: said.plural("{n} week in a row", "{n} weeks in a row", n),
    }[Measure(measure)]


def progress(said: Words, measure: str, reached: int, target: int) -> str:
    """“1/3 món mới”, “120.000 ₫ / 500.000 ₫”."""
    if measure == Measure.SPEND:
        return f"{said.money(reached)} / {said.money(target)}"
    return f"{said.number(reached)}/{counted(said, measure, target)}"


def gives(said: Words, prize: Prize) -> str:
    """What a prize is: “50 điểm”, or its name."""
    if prize.kind == PrizeKind.POINTS:
        return said.plural("{n} point", "{n} points", prize.points)
    return prize.name


def until(said: Words, moment: datetime | None, zone: str) -> str:
    """The last day of something that is over at a moment."""
    return said.date(last_day(moment, zone)) if moment else ""


def day(said: Words, moment: datetime, zone: str) -> str:
    return said.day(moment.astimezone(ZoneInfo(zone)).date())


def chance(said: Words, draw: Draw, one: Placed) -> str:
    """A prize's chances: “25 %”, “0,1 %”, “10 trong 500 vé”."""
    if draw.mode == Mode.TICKETS:
        return said(
            "{prizes} in {tickets} tickets", prizes=said.number(one.prize.stock or 0),
            tickets=said.number(draw.tickets or 0),
        )  # fmt: skip
    whole, part = divmod(one.odds * 100, fair.TEN_THOUSAND)
    decimals = f"{part:04d}"[:2].rstrip("0")
    sign = "," if said.language == "vi" else "."
    return f"{said.number(whole)}{sign + decimals if decimals else ''}%"


def way_in(said: Words, draw: Draw) -> str:
    """How one gets an entry."""
    if draw.entry_by == EntryBy.POINTS:
        return said.plural("{n} point for each entry", "{n} points for each entry", draw.entry_per)
    amount = said.money(draw.entry_per)
    if draw.entry_by == EntryBy.SPEND:
        return said("One entry for every {amount} of an order", amount=amount)
    if draw.entry_per:
        return said("One entry with every order from {amount}", amount=amount)
    return said("One entry with every order")
