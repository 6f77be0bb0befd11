"""What a voucher gives and under which conditions, in words."""

from datetime import date

from handlers.words import SPACE, Words
from loyalty.voucher_programs import Kind, Program


def terms(said: Words, program: Program, last_day: str | None = None) -> str:
    """What it gives, unless its name says so, and its conditions, in one line; empty where there is nothing to say.

    `last_day` (YYYY-MM-DD) is the last day it can be used.
    """
    parts = [worth(said, program)]
    if _plain(parts[0]) in _plain(program.name):
        parts.clear()
    if program.min_order:
        parts.append(said("orders from {amount}", amount=said.money(program.min_order)))
    if last_day:
        parts.append(said("until {day}", day=said.date(date.fromisoformat(last_day))))
    line = " · ".join(parts)
    return line[:1].upper() + line[1:]


def worth(said: Words, program: Program) -> str:
    """“30.000 ₫ off”, “10% off, up to 50.000 ₫”, “Gift”."""
    if program.kind == Kind.AMOUNT:
        return said("{amount} off", amount=said.money(program.value))
    if program.kind == Kind.PERCENT:
        cap = said(", up to {amount}", amount=said.money(program.cap)) if program.cap else ""
        return said("{percent}% off", percent=program.value) + cap
    return said("Gift")


def _plain(text: str) -> str:
    return text.replace(SPACE, " ").casefold()
