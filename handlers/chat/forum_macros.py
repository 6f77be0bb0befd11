"""Macros in the team's forum: chosen or named, looked at first, then said and done by a tap."""

from html import escape

from aiogram.types import InlineKeyboardMarkup
from sqlalchemy.orm import Session

from handlers.chat.commands import button
from handlers.chat.forum_buttons import LISTED, Answer, Desk, Do
from support import tickets
from support.answers import applying, macros

SURE = "!"
"""After a macro's number: it was looked at, now it is applied."""


async def use_macro(desk: Desk, rest: str) -> Answer:
    """Which macro: by name, or chosen (`=7`); it is shown as it would go out, and goes with another tap (`=7!`)."""
    if rest.startswith("=") and rest.endswith(SURE):
        await desk.work.write(applying.apply, _number(rest), desk.ticket_id, desk.member, key=desk.key)
        return desk.said("Done."), None
    if rest.startswith("="):
        return await desk.work.read(_look, desk, _number(rest))
    return await desk.work.read(_choose, desk, rest)


def _number(chosen: str) -> int:
    number = chosen.strip(f"={SURE}")
    return int(number) if number.isascii() and number.isdecimal() and len(number) < 16 else 0


def _choose(session: Session, desk: Desk, name: str) -> Answer:
    ticket = tickets.view(session, desk.ticket_id, desk.member)
    meant = applying.named(session, desk.ticket_id, desk.member, name) if name else None
    if meant is not None:
        return _look(session, desk, meant.id)
    found = macros.visible(session, ticket.shop_id, desk.member)[:LISTED]
    if not found:
        return desk.said("The shop has no macros yet."), None
    rows = [[button(one.name, Do(act="macro", ticket=desk.ticket_id, value=f"={one.id}"))] for one in found]
    head = desk.said("No macro is called that. Which one?") if name else desk.said("Which macro?")
    return head, InlineKeyboardMarkup(inline_keyboard=rows)


def _look(session: Session, desk: Desk, macro_id: int) -> Answer:
    """It as it would go out, and what it would do."""
    seen = applying.preview(session, macro_id, desk.ticket_id, desk.member)
    text = f"<b>{escape(seen.macro.name)}</b>"
    if seen.text:
        text += f"\n\n{escape(seen.text[:3000])}"
    if seen.actions:
        text += "\n\n" + desk.said.plural(
            "And {n} thing is done with the request.", "And {n} things are done with the request.", len(seen.actions)
        )
    go = button(desk.said("Send it"), Do(act="macro", ticket=desk.ticket_id, value=f"={macro_id}{SURE}"))
    return text, InlineKeyboardMarkup(inline_keyboard=[[go]])
