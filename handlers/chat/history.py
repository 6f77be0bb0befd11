"""The statement: what there is, what expires when, and all movements in words, some at a time."""

from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message

from handlers.chat.commands import History, button, go
from handlers.chat.points import entry_line
from handlers.chat.talk import Talk
from loyalty.points import points, statement

LINES = 10
DAYS_LISTED = 6


async def page(query: CallbackQuery, callback_data: History, talk: Talk) -> None:
    """The first page begins with what there is; each has a button to the one before it in time."""
    before = (callback_data.before, 0) if callback_data.before else None
    lines, following = await talk.work.read(statement.entries, talk.customer_id, LINES, before)
    await query.answer()
    if not isinstance(query.message, Message):
        return
    said = [] if before else [await _held(talk)]
    if lines:
        said.append("\n".join(entry_line(talk.voice, line, talk.shop.timezone) for line in lines))
    elif before:
        said.append(talk.say("That was all."))
    markup = go(talk.words, "points")
    if following is not None:
        earlier = button(talk.words("Earlier"), History(before=following[0]))
        markup = InlineKeyboardMarkup(inline_keyboard=[[earlier, *markup.inline_keyboard[0]]])
    await query.message.answer("\n\n".join(said), reply_markup=markup)


async def _held(talk: Talk) -> str:
    """Balance, what waits, and what expires when."""
    wallet = await talk.work.read(points.wallet, talk.customer_id, talk.shop.timezone)
    said = [talk.say("You have <b>{points} points</b>.", points=wallet.available)]
    if wallet.pending:
        said.append(talk.say("{points} more are on their way.", points=wallet.pending))
    for part in wallet.expiring[:DAYS_LISTED]:
        if part.on is None:
            said.append(talk.say("· {points} never expire", points=part.points))
        else:
            said.append(talk.say("· {points} until {day}", points=part.points, day=talk.words.date(part.on)))
    rest = sum(part.points for part in wallet.expiring[DAYS_LISTED:])
    if rest:
        said.append(talk.say("· {points} later", points=rest))
    return "\n".join(said)
