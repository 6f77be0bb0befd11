"""Privacy: what is kept, and one tap to agree to offers or stop them."""

from aiogram import Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message

from handlers.chat.commands import Offers
from handlers.chat.talk import Talk
from loyalty import customers
from store import events


def router() -> Router:
    made = Router(name="privacy")
    made.message.register(show_privacy, Command("privacy"))
    made.callback_query.register(choose, Offers.filter())
    return made


async def show_privacy(message: Message, talk: Talk) -> None:
    customer = await talk.work.read(customers.get, talk.customer_id)
    await message.answer(text(talk, agreed=customer.advertising), parse_mode="HTML", reply_markup=button(talk, agreed=customer.advertising))


def text(talk: Talk, *, agreed: bool) -> str:
    kept = talk.say(
        "We keep your name, phone number, orders, points and what you write to us, only to serve you. To see it all or have "
        "it erased, write to us with /support."
    )
    offers = (
        talk.say("You have agreed to receive offers.") if agreed else talk.say("You receive no offers, only answers and news of your own points.")
    )
    return f"{kept}\n\n{offers}"


def button(talk: Talk, *, agreed: bool) -> InlineKeyboardMarkup:
    label = talk.words("Stop all offers") if agreed else talk.words("Yes, send me offers")
    return InlineKeyboardMarkup(
        inline_keyboard=[[InlineKeyboardButton(text=label, callback_data=Offers(agree=not agreed).pack())]]
    )


async def choose(query: CallbackQuery, callback_data: Offers, talk: Talk) -> None:
    await set_offers(talk, agree=callback_data.agree)
    await query.answer(talk.words("Noted."))
    if isinstance(query.message, Message):
        agreed = callback_data.agree
        await query.message.edit_text(text(talk, agreed=agreed), parse_mode="HTML", reply_markup=button(talk, agreed=agreed))


async def set_offers(talk: Talk, *, agree: bool) -> None:
    await talk.work.write(customers.change, talk.customer_id, advertising=agree)
    await talk.work.write(
        events.happened, "offers_agreed" if agree else "offers_stopped", customer_id=talk.customer_id, account=talk.account
    )
