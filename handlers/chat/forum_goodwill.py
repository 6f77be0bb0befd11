"""Making good from the team's forum: points or a voucher for the customer of a topic, within what each may give."""

from html import escape

from aiogram.types import InlineKeyboardMarkup
from sqlalchemy.orm import Session

from handlers.chat.commands import button
from handlers.chat.forum_buttons import LISTED, Answer, Desk, Do
from handlers.words import Words
from loyalty.points import points
from loyalty.points.ledger import UncoveredError
from loyalty.vouchers import voucher_programs
from loyalty.vouchers.vouchers import LimitError, SoldOutError
from store.clock import now
from store.errors import InvalidError, RuleError
from store.text import fold
from support import tickets
from support.complaints import goodwill, goodwill_book
from support.complaints.goodwill_book import Goodwill, MeanwhileError

AMOUNTS = (20, 50, 100)
"""Points that a tap offers; any other number is typed."""


async def give_points(desk: Desk, rest: str) -> Answer:
    """What the customer has; with a number and why, points for them. A choice carries the number and the last goodwill that
    was seen: `=100`, `=100_7`.
    """
    if not rest:

        def look(session: Session) -> Answer:
            ticket = tickets.view(session, desk.ticket_id, desk.member)
            available, pending, _ = points.balances(session, ticket.customer_id)
            room = goodwill_book.room(session, ticket, desk.member)
            text = desk.said("The customer has {points} points.", points=desk.said.number(available))
            if pending:
                text += " " + desk.said("{points} more are on their way.", points=desk.said.number(pending))
            text += "\n" + _room(desk.said, room) + "\n" + desk.said("Give some? Others: /points 150 reason")
            last = goodwill_book.last(session, desk.ticket_id)
            after = last.id if last else 0
            row = [
                button(f"+{amount}", Do(act="points", ticket=desk.ticket_id, value=f"={amount}_{after}"))
                for amount in AMOUNTS
            ]
            return text, InlineKeyboardMarkup(inline_keyboard=[row])

        return await desk.work.read(look)
    amount, after, reason = _amount(rest)
    if amount is None:
        raise InvalidError("points", "unclear", rest)
    return await _give(desk, "points", f"{amount}", after, reason, amount=amount)


def _amount(rest: str) -> tuple[int | None, int, str]:
    """(points, the last goodwill that was seen, why) of `100 late order` or `=100_7`."""
    chosen = rest.startswith("=")
    first, _, reason = rest.removeprefix("=").partition(" ")
    number, _, after = first.partition("_") if chosen else (first.removeprefix("+"), "", "0")
    whole = number.isascii() and number.isdecimal() and len(number) < 10
    return int(number) if whole else None, int(after) if after.isdecimal() else 0, reason.strip()


async def give_voucher(desk: Desk, rest: str) -> Answer:
    """Which voucher: chosen from what the shop has, or by its name."""
    if rest.startswith("="):
        program, _, after = rest[1:].partition("_")
        program_id = int(program) if program.isdecimal() else 0
        return await _give(desk, "voucher", program, int(after) if after.isdecimal() else 0, "", program_id=program_id)

    def look(session: Session) -> Answer:
        ticket = tickets.view(session, desk.ticket_id, desk.member)
        wanted, moment = fold(rest), now(session)
        offers = [
            offer for offer in voucher_programs.of_shop(session, ticket.shop_id)
            if not offer.shared and offer.at(ticket.shop_id) and voucher_programs.in_period(offer, moment)
            and (offer.stock is None or offer.issued < offer.stock) and wanted in fold(offer.name)
        ][:LISTED]  # fmt: skip
        if not offers:
            return desk.said("The shop has no voucher to give at the moment."), None
        last = goodwill_book.last(session, desk.ticket_id)
        after = last.id if last else 0
        rows = [
            [button(offer.name, Do(act="voucher", ticket=desk.ticket_id, value=f"={offer.id}_{after}"))]
            for offer in offers
        ]
        room = _room(desk.said, goodwill_book.room(session, ticket, desk.member))
        asked = desk.said("Which voucher?")
        return f"{room}\n{asked}", InlineKeyboardMarkup(inline_keyboard=rows)

    return await desk.work.read(look)


async def _give(
    desk: Desk, act: str, what: str, after: int, reason: str, *, amount: int = 0, program_id: int | None = None
) -> Answer:
    """Give it; where a colleague gave something meanwhile, that is said and asked about first."""
    said = desk.said
    reason = reason or said("For the trouble")
    try:
        given = await desk.work.write(
            goodwill.give, desk.key, desk.ticket_id, desk.member, amount=amount, program_id=program_id, reason=reason,
            after=after,
        )  # fmt: skip
    except MeanwhileError as error:
        more = button(said("Give it as well"), Do(act=act, ticket=desk.ticket_id, value=f"={what}_{error.last}"))
        text = said("{name} has made good here already. Give this as well?", name=escape(error.by))
        return text, InlineKeyboardMarkup(inline_keyboard=[[more]])
    return await desk.work.read(_given, said, given), None


def _given(session: Session, said: Words, given: Goodwill) -> str:
    if given.points:
        what = said("{points} points", points=said.number(given.points))
    else:
        what = f"“{goodwill_book.facts(session, given)['program']}”"
    if given.state == goodwill_book.State.WAITING:
        return said("{what}: above your limit, so a supervisor is asked.", what=escape(what))
    return said("{what} given; the customer is told.", what=escape(what))


def _room(said: Words, room: goodwill_book.Room) -> str:
    if room.most is None:
        return said("You may give as much as it takes.")
    return said(
        "You may give up to {amount} here by yourself; above that a supervisor is asked.", amount=said.money(room.most)
    )


def refusal(said: Words, error: RuleError) -> str | None:
    """What these refuse, in words."""
    if isinstance(error, InvalidError) and error.field == "points":
        return said("Type it like this: /points 100 late order")
    if isinstance(error, InvalidError) and error.field == "reason":
        return said("Please say why in at most 200 signs.")
    if isinstance(error, SoldOutError):
        return said("This voucher has run out.")
    if isinstance(error, LimitError):
        return said("The customer has as many of these as one customer may have.")
    if isinstance(error, UncoveredError):
        return said("The shop's points wallet is empty. Please tell the owner.")
    return None
