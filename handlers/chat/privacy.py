"""Privacy: what is kept, and one tap to agree to offers or stop them."""

from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message

from handlers.chat.commands import Offers, button
from handlers.chat.talk import Talk
from loyalty.customers import customers
from loyalty.outreach import consents
from store.outbox import Purpose


async def show_privacy(message: Message, talk: Talk, _state: FSMContext) -> None:
    customer = await talk.work.read(customers.get, talk.customer_id)
    agreed = customer.advertising
    await message.answer(text(talk, agreed=agreed), reply_markup=choice(talk, agreed=agreed))


def text(talk: Talk, *, agreed: bool) -> str:
    kept = talk.say(
        "We keep your name, phone number, orders, points and what you write to us, only to serve you. To see it all or have "
        "it erased, write to us with /support."
    )
    offers = (
        talk.say("You have agreed to receive offers.")
        if agreed
        else talk.say("You receive no offers, only answers and news of your own points.")
    )
    return f"{kept}\n\n{offers}"


def choice(talk: Talk, *, agreed: bool) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=[[button(choice_words(talk, agreed=agreed), Offers(agree=not agreed))]])


def choice_words(talk: Talk, *, agreed: bool) -> str:
    return talk.words("Stop all offers") if agreed else talk.words("Yes, send me offers")


async def choose(query: CallbackQuery, callback_data: Offers, talk: Talk) -> None:
    agreed = callback_data.agree
    changed = await set_offers(talk, agree=agreed)
    await query.answer(talk.say("Noted."))
    if changed and isinstance(query.message, Message):
        await query.message.edit_text(text(talk, agreed=agreed), reply_markup=choice(talk, agreed=agreed))


async def set_offers(talk: Talk, *, agree: bool) -> bool:
    """Agree to offers or stop them; whether that was a change."""
    # The proof of a yes is what it was said to.
    proof = {"way": "privacy", "account": talk.account, "words": choice_words(talk, agreed=not agree)}
    return await talk.work.write(consents.record, talk.customer_id, Purpose.ADVERTISING, agreed=agree, proof=proof)
