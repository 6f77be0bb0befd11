"""What a voucher gives, in words."""

from handlers.words import Words
from loyalty.voucher_programs import Kind, Program


def gives(said: Words, program: Program) -> str:
    """“Free coffee”, “30.000 ₫ off”, “10% off, up to 50.000 ₫”: the programme's name where it says more."""
    return program.name


def terms(said: Words, program: Program, last_day: str | None = None) -> str:
    """The conditions in one line, empty where there are none."""
    parts = []
    if program.kind == Kind.AMOUNT:
        parts.append(said("{amount} off", amount=said.money(program.value)))
    elif program.kind == Kind.PERCENT:
        cap = said(", up to {amount}", amount=said.money(program.cap)) if program.cap else ""
        parts.append(said("{percent}% off", percent=program.value) + cap)
    else:
        parts.append(said("Gift"))
    if program.min_order:
        parts.append(said("orders from {amount}", amount=said.money(program.min_order)))
    if last_day:
        from datetime import date

        parts.append(said("until {day}", day=said.date(date.fromisoformat(last_day))))
    return " · ".join(parts)
