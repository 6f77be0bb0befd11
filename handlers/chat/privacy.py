"""Privacy: what is kept, and one tap to agree to offers or stop them."""

from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message
from sqlalchemy.orm import Session

from handlers.chat.commands import Offers, button
from handlers.chat.talk import Talk
from loyalty.customers import customers
from store import events


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
    label = talk.words("Stop all offers") if agreed else talk.words("Yes, send me offers")
    return InlineKeyboardMarkup(inline_keyboard=[[button(label, Offers(agree=not agreed))]])


async def choose(query: CallbackQuery, callback_data: Offers, talk: Talk) -> None:
    agreed = callback_data.agree
    changed = await set_offers(talk, agree=agreed)
    await query.answer(talk.say("Noted."))
    if changed and isinstance(query.message, Message):
        await query.message.edit_text(text(talk, agreed=agreed), reply_markup=choice(talk, agreed=agreed))


async def set_offers(talk: Talk, *, agree: bool) -> bool:
    """Agree to offers or stop them; whether that was a change."""
    return await talk.work.write(_set_offers, talk.customer_id, talk.account, agree)


def _set_offers(session: Session, customer_id: int, account: str, agree: bool) -> bool:
    if customers.get(session, customer_id).advertising == agree:
        return False
    customers.change(session, customer_id, advertising=agree)
    kind = "offers_agreed" if agree else "offers_stopped"
    events.happened(session, kind, customer_id=customer_id, account=account)
    return True
