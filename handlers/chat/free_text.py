"""Commands, however they are said: typed, tapped, or in the person's own words; and what is none of them."""

from collections.abc import Awaitable, Callable

from aiogram.filters import CommandObject
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, Message

from handlers.chat import answers, challenges, feedback, gifting, invite, phone, points, privacy, start, vouchers
from handlers.chat import help as helping
from handlers.chat.commands import Go, by_label, menu
from handlers.chat.sayings import Saying, understand
from handlers.chat.talk import Talk
from support import tickets
from support.feedback import compliments

Handler = Callable[[Message, Talk, FSMContext], Awaitable[None]]

RUN: dict[str, Handler] = {
    "menu": start.show_menu, "help": start.show_help, "language": start.ask_language, "points": points.show_points,
    "card": points.show_card, "vouchers": vouchers.show_vouchers, "rewards": points.show_rewards, "invite": invite.invite,
    "support": helping.support, "tickets": helping.list_tickets, "privacy": privacy.show_privacy,
    "challenges": challenges.show, "gift": gifting.begin,
}  # fmt: skip
"""Command by name, for typed ones, for taps and for free words."""


async def run(command: str, message: Message, talk: Talk, state: FSMContext) -> None:
    """Run a command. It ends the wait for a comment; the wait for a ticket's first words goes on."""
    if await state.get_state() in {helping.Support.commenting.state, feedback.Feedback.commenting.state}:
        await state.clear()
    await RUN[command](message, talk, state)


async def typed(message: Message, command: CommandObject, talk: Talk, state: FSMContext) -> None:
    await run(command.command.lower(), message, talk, state)


async def label(message: Message, talk: Talk, state: FSMContext) -> None:
    """A tap on the keyboard under the chat arrives as its words."""
    await run(by_label()[message.text or ""], message, talk, state)


async def tapped(query: CallbackQuery, callback_data: Go, talk: Talk, state: FSMContext) -> None:
    if callback_data.command not in RUN or not isinstance(query.message, Message):
        await stale(query, talk)
        return
    await query.answer()
    await run(callback_data.command, query.message, talk, state)


async def unknown_command(message: Message, talk: Talk) -> None:
    await message.answer(
        talk.say("We don't know this command. Here is everything we can do:"), reply_markup=menu(talk.words)
    )


async def free_text(message: Message, talk: Talk, state: FSMContext) -> None:
    """Whatever isn't a command: for the open ticket, else understood, else answered by an article, else offered to a colleague."""
    text = message.text or ""
    ticket = await talk.work.read(tickets.current, talk.customer_id)
    # In one that was opened for them (after a low rating) nothing was said yet: what they ask for is answered.
    meant = understand(text) if ticket is not None and not ticket.preview else None
    if ticket is not None and (meant is None or meant.value not in RUN):
        await helping.into_ticket(message, talk, state)
        return
    if await answers.replied(message, talk, state):
        return
    if await feedback.in_words(message, talk, state):
        return
    saying = understand(text or message.caption or "")
    if saying is Saying.COMPLAINT:
        await helping.into_ticket(message, talk, state, topic="complaint")
    elif not text:
        await helping.hold(
            message, talk, state, talk.say("We'd rather not guess. Shall a colleague have a look at this?")
        )
    elif saying is Saying.GREETING:
        await message.answer(talk.say("Hello {name}! What can we do for you?"), reply_markup=talk.keyboard)
    elif saying is Saying.THANKS:
        await talk.work.write(compliments.said_to_shop, talk.customer_id, text)
        await message.answer(talk.say("You're welcome. See you soon at {shop}!", shop=talk.shop.name))
    elif saying is Saying.STOP:
        await privacy.set_offers(talk, agree=False)
        await message.answer(
            talk.say("Done: you will receive no more offers. Change your mind any time with /privacy.")
        )
    elif saying is not None:
        await run(saying.value, message, talk, state)
    elif phone.is_number(text) and not talk.person.has_phone:
        await phone.number(message, talk, state)
    elif not await answers.answer(message, talk, state):
        await helping.hold(message, talk, state, talk.say("I'm not sure I understood. Shall a colleague answer you?"))


async def stale(query: CallbackQuery, talk: Talk) -> None:
    """A button that nothing stands behind any more."""
    await query.answer(talk.say("This button no longer works. Type /menu to start again."))
