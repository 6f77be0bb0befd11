"""Rating: the stars a customer gives to a solved request, and the words that go with them."""

from datetime import timedelta

from aiogram.dispatcher.event.bases import SkipHandler
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message

from handlers.chat import help as helping
from handlers.chat import questions
from handlers.chat.commands import Rate
from handlers.chat.sayings import Saying, understand
from handlers.chat.talk import Talk
from store.errors import ConflictError, InvalidError, NotFoundError
from support import ratings, tickets
from support.feedback import surveys

STARS = (5, 4, 3, 2, 1)
GOOD_STARS = 4
COMMENT_WITHIN = timedelta(hours=1)
"""How long after the question the next words are taken for its answer."""
COURTESIES = frozenset({Saying.COMPLAINT, Saying.GREETING, Saying.THANKS})


def rating_buttons(ticket_id: int) -> InlineKeyboardMarkup:
    """Five buttons, the best first."""
    row = [
        InlineKeyboardButton(text=f"{stars} ★", callback_data=Rate(ticket=ticket_id, stars=stars).pack())
        for stars in STARS
    ]
    return InlineKeyboardMarkup(inline_keyboard=[row])


async def rate(query: CallbackQuery, callback_data: Rate, talk: Talk, state: FSMContext) -> None:
    try:
        await talk.work.write(ratings.rate, callback_data.ticket, talk.customer_id, callback_data.stars)
    except ConflictError:
        await query.answer(talk.say("You have rated this already. Thank you!"))
        return
    except (NotFoundError, InvalidError):
        await query.answer(talk.say("This button no longer works. Type /menu to start again."))
        return
    await query.answer()
    await helping.await_words(talk, state, helping.Support.commenting, ticket=callback_data.ticket)
    if isinstance(query.message, Message):
        await query.message.edit_text(thanks_for(talk, callback_data.stars))
        await ask_effort(query.message, talk, callback_data.ticket)


async def rated(message: Message, talk: Talk, state: FSMContext, ticket_id: int, stars: int) -> None:
    """The same in their own words ("5 sao"). Raises as ratings.rate."""
    await talk.work.write(ratings.rate, ticket_id, talk.customer_id, stars)
    await helping.await_words(talk, state, helping.Support.commenting, ticket=ticket_id)
    await message.answer(thanks_for(talk, stars))
    await ask_effort(message, talk, ticket_id)


def thanks_for(talk: Talk, stars: int) -> str:
    """The answer to a rating, which asks for a word."""
    if stars >= GOOD_STARS:
        return talk.say("{stars} ★ Thank you! Would you like to add a word?", stars=stars)
    return talk.say("{stars} ★ Thank you for being frank. What should we have done better?", stars=stars)


async def ask_effort(message: Message, talk: Talk, ticket_id: int) -> None:
    """Ask how easy it was, where the shop wants to know."""
    ticket = await talk.work.read(tickets.get, ticket_id)
    survey = await talk.work.write(surveys.after_rating, ticket)
    if survey is not None:
        await message.answer(
            talk.say("And how easy was it to get help from us?"),
            reply_markup=questions.effort_buttons(talk.words, survey),
        )


async def comment(message: Message, talk: Talk, state: FSMContext) -> None:
    """The words to a rating; a command in free words is none, and a picture goes to the ticket."""
    data = await state.get_data()
    await state.clear()
    text = message.text or ""
    if not helping.awaited(talk, data, COMMENT_WITHIN):
        raise SkipHandler
    if not text:
        await helping.into_ticket(message, talk, state)
        return
    meant = understand(text)
    if meant is not None and meant not in COURTESIES:
        raise SkipHandler
    try:
        await talk.work.write(ratings.comment, int(data.get("ticket", 0)), talk.customer_id, text)
    except (ConflictError, NotFoundError):
        raise SkipHandler from None
    await message.answer(talk.say("Thank you, we have passed it on."))
