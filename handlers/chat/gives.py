"""What a voucher gives and under which conditions, in words."""

from collections.abc import Sequence
from datetime import date

from handlers.words import SPACE, Words
from loyalty.vouchers.voucher_programs import DAY_MINUTES, Kind, Program

NAMED = 3
"""Items that are named before “and others”."""


def terms(said: Words, program: Program, last_day: str | None = None, places: Sequence[str] = ()) -> str:
    """What it gives, unless its name says so, and its conditions, in one line; empty where there is nothing to say.

    `last_day` (YYYY-MM-DD) is the last day it can be used, `places` the only shops that take it.
    """
    parts = [worth(said, program)]
    if _plain(parts[0]) in _plain(program.name):
        parts.clear()
    if program.kind != Kind.ITEM and (program.items or program.categories):
        parts.append(said("for {items}", items=items(said, program)))
    if program.min_order:
        parts.append(said("orders from {amount}", amount=said.money(program.min_order)))
    if hours := when(said, program):
        parts.append(hours)
    if places:
        parts.append(said("at {places}", places=", ".join(places)))
    if last_day:
        parts.append(said("until {day}", day=said.date(date.fromisoformat(last_day))))
    line = " · ".join(parts)
    return line[:1].upper() + line[1:]


def worth(said: Words, program: Program) -> str:
    """“30.000 ₫ off”, “10% off, up to 50.000 ₫”, “Trà đào for free”, “Gift”."""
    cap = said(", up to {amount}", amount=said.money(program.cap)) if program.cap else ""
    if program.kind == Kind.AMOUNT:
        return said("{amount} off", amount=said.money(program.value))
    if program.kind == Kind.PERCENT:
        return said("{percent}% off", percent=program.value) + cap
    if program.kind == Kind.ITEM:
        if (program.times or 1) > 1:
            free = said("{n} × {items} for free", n=said.number(program.times or 1), items=items(said, program))
        else:
            free = said("{items} for free", items=items(said, program))
        return free + cap
    return said("Gift")


def items(said: Words, program: Program) -> str:
    """What it is for: “Trà đào, Bánh”."""
    named = [*(program.items or ()), *(program.categories or ())]
    if len(named) > NAMED:
        return said("{items} and others", items=", ".join(named[:NAMED]))
    return ", ".join(named)


def when(said: Words, program: Program) -> str:
    """Its days of the week and hours: “Mon–Fri, 14:00–17:00”; empty where it is always."""
    parts = []
    if program.weekdays:
        parts.append(weekdays(said, program.weekdays))
    if program.from_minute is not None and program.until_minute is not None:
        parts.append(f"{clock(program.from_minute)}–{clock(program.until_minute)}")
    return ", ".join(parts)


def clock(minutes: int) -> str:
    """Minutes after midnight as 14:05; the day's end as 24:00."""
    return "24:00" if minutes == DAY_MINUTES else f"{minutes // 60:02}:{minutes % 60:02}"


def weekdays(said: Words, days: Sequence[int]) -> str:
    """Days of the week, neighbours joined: “Mon–Fri”, “Tue, Sat, Sun”."""
    names = day_names(said)
    runs: list[list[int]] = []
    for day in sorted(days):
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    shown = []
    for run in runs:
        few = len(run) < NAMED
        shown += [names[day - 1] for day in run] if few else [f"{names[run[0] - 1]}–{names[run[-1] - 1]}"]
    return ", ".join(shown)


def day_names(said: Words) -> list[str]:
    """Monday to Sunday, short."""
    return [said("Mon"), said("Tue"), said("Wed"), said("Thu"), said("Fri"), said("Sat"), said("Sun")]


def _plain(text: str) -> str:
    return text.replace(SPACE, " ").casefold()
