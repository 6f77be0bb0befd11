"""Free words: a button's label, a command in the person's own words, or something for a colleague."""

from aiogram import Router
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, Message

from handlers.chat import help as helping
from handlers.chat import invite, points, privacy, start
from handlers.chat.commands import Go, by_label, keyboard
from handlers.chat.sayings import Saying, understand
from handlers.chat.talk import Talk
from support import tickets

RUN = {
    "menu": start.show_menu, "help": start.show_help, "language": start.ask_language, "points": points.show_points,
    "card": points.show_card, "vouchers": points.show_vouchers, "rewards": points.show_rewards, "invite": invite.invite,
    "support": helping.support, "tickets": helping.list_tickets, "privacy": privacy.show_privacy,
}  # fmt: skip
"""Command by name, for taps and for free words."""


def router() -> Router:
    made = Router(name="free text")
    made.callback_query.register(tapped, Go.filter())
    made.message.register(label, lambda message: message.text in by_label())
    made.include_router(helping.fallback())
    made.message.register(free_text)
    made.callback_query.register(stale)
    return made


async def run(command: str, message: Message, talk: Talk, state: FSMContext) -> None:
    """Run a command as if it had been typed."""
    handler = RUN[command]
    if command in {"menu", "help", "support"}:
        await handler(message, talk, state)  # type: ignore[operator]
    else:
        await handler(message, talk)  # type: ignore[operator]


async def tapped(query: CallbackQuery, callback_data: Go, talk: Talk, state: FSMContext) -> None:
    await query.answer()
    if isinstance(query.message, Message) and callback_data.command in RUN:
        await run(callback_data.command, query.message, talk, state)


async def label(message: Message, talk: Talk, state: FSMContext) -> None:
    """A tap on the keyboard under the chat arrives as its words."""
    await state.clear()
    await run(by_label()[message.text or ""], message, talk, state)


async def free_text(message: Message, talk: Talk, state: FSMContext) -> None:
    """Whatever isn't a command: for the open ticket, else understood, else offered to a colleague."""
    text = message.text or ""
    if text.startswith("/"):
        await message.answer(talk.say("We don't know this command. Here is everything we can do:"))
        await start.show_menu(message, talk, state)
        return
    if await talk.work.read(tickets.current, talk.customer_id) is not None:
        await helping.into_ticket(message, talk)
        return
    saying = understand(text) if text else None
    if saying is Saying.COMPLAINT:
        await helping.into_ticket(message, talk, topic="complaint")
    elif saying is Saying.GREETING:
        await message.answer(talk.say("Hello {name}! What can we do for you?"), reply_markup=keyboard(talk.words))
    elif saying is Saying.THANKS:
        await message.answer(talk.say("You're welcome. See you soon at {shop}!", shop=talk.shop.name))
    elif saying is Saying.STOP:
        await privacy.set_offers(talk, agree=False)
        await message.answer(talk.say("Done: you will receive no more offers. Change your mind any time with /privacy."))
    elif saying is not None:
        await run(saying.value, message, talk, state)
    elif text == talk.words("Later"):
        await message.answer(talk.say("No problem. What can we do for you?"), reply_markup=keyboard(talk.words))
    else:
        await helping.hold(message, talk, state, talk.say("I'm not sure I understood. Shall a colleague answer you?"))


async def stale(query: CallbackQuery, talk: Talk) -> None:
    """A button that nothing stands behind any more."""
    await query.answer(talk.words("This button no longer works. Type /menu to start again."))


