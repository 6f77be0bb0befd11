"""A prize in a form: points, one of the shop's offers, or a thing to hand over; and what is wrong with it, by field."""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from handlers.web.shop import fields
from handlers.words import Words
from loyalty.recognition.prizes import NAME_CHARS_MAX, Prize, PrizeInput, PrizeKind
from loyalty.vouchers import voucher_programs
from loyalty.vouchers.voucher_programs import Program
from store.clock import now
from store.errors import InvalidError, NotFoundError

OWN = ("points", "program_id", "stock", "value")
"""What only a prize has among a form's fields: an error of a rule that names one is the prize's."""
Wrong = dict[str, InvalidError]


def offers(session: Session, shop_id: int) -> list[Program]:
    """The shop's offers that a prize can be."""
    moment = now(session)
    every = voucher_programs.of_shop(session, shop_id)
    return [offer for offer in every if offer.ends_at is None or offer.ends_at > moment]


def read(
    session: Session, said: Words, form: Mapping[str, str], shop_id: int, prefix: str = "prize_"
) -> tuple[PrizeInput, Wrong]:
    """The prize, and what can't be read of it. One of points or an offer needs no name: it has one."""
    wrong: Wrong = {}

    def number(name: str) -> int | None:
        try:
            return fields.number(form, prefix + name)
        except InvalidError as error:
            wrong[prefix + name] = error
            return None

    kind = form.get(f"{prefix}kind", "")
    if kind not in set(PrizeKind):
        wrong[f"{prefix}kind"] = InvalidError(f"{prefix}kind", "unknown", kind)
        kind = PrizeKind.THING.value
    name, points, chosen = form.get(f"{prefix}name", ""), number("points") or 0, None
    if kind == PrizeKind.POINTS:
        name = said.plural("{n} point", "{n} points", points)
    if kind == PrizeKind.VOUCHER:
        wanted = form.get(f"{prefix}program_id", "")
        try:
            offer = voucher_programs.get(session, int(wanted) if wanted.isdecimal() else 0, shop_id)
            chosen, name = offer.id, offer.name[:NAME_CHARS_MAX]
        except NotFoundError:
            wrong[f"{prefix}program_id"] = InvalidError(f"{prefix}program_id", "empty")
    if kind == PrizeKind.THING and not name:
        wrong[f"{prefix}name"] = InvalidError(f"{prefix}name", "empty")
    return PrizeInput(name, PrizeKind(kind), points, chosen, number("stock"), number("value") or 0), wrong


def filled(said: Words, prize: Prize, prefix: str = "prize_") -> dict[str, str]:
    """A prize as the form's fields."""
    return {
        f"{prefix}kind": prize.kind, f"{prefix}name": prize.name,
        f"{prefix}points": said.number(prize.points) if prize.points else "",
        f"{prefix}program_id": str(prize.program_id or ""),
        f"{prefix}stock": said.number(prize.stock) if prize.stock else "",
        f"{prefix}value": said.number(prize.value) if prize.value else "",
    }  # fmt: skip


def problem(said: Words, field: str, error: InvalidError) -> str | None:
    """What is wrong with one of a prize's fields, in words; None for another field."""
    if error.problem == "number":
        return said("Write a whole number, for example 30,000.")
    return {
        "points": said("Between 1 and 1,000,000 points."), "program_id": said("Choose one of your offers."),
        "stock": said("How many are there? At least 1."), "value": said("Write an amount of at least 0 ₫."),
        "kind": said("Choose what the prize is."), "name": said("What is it called? Up to 80 letters."),
        "odds": said("Between 0.01% and 100%."),
    }.get("program_id" if field.endswith("program_id") else field.rpartition("_")[2])  # fmt: skip
