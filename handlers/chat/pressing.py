"""Taps on the shop's own buttons below a campaign's message."""

from textwrap import shorten

from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message

from handlers.chat import free_text
from handlers.chat import help as helping
from handlers.chat.commands import Press, Show, button
from handlers.chat.talk import Talk
from loyalty.outreach.campaigns import pressing
from loyalty.outreach.campaigns.contents import ButtonKind
from loyalty.outreach.campaigns.pressing import Pressed
from loyalty.vouchers import vouchers
from store.errors import ConflictError, NotFoundError
from support import messages, tickets
from support.messages import Source

OFFER_CHARS = 60
"""So much of what a button stood below goes along with its words."""


async def pressed(query: CallbackQuery, callback_data: Press, talk: Talk, state: FSMContext) -> None:
    """One of them was tapped."""
    if not isinstance(query.message, Message):
        await free_text.stale(query, talk)
        return
    try:
        found = await talk.work.write(pressing.press, callback_data.delivery, callback_data.place, talk.customer_id)
    except NotFoundError:
        await free_text.stale(query, talk)
        return
    except ConflictError:
        await query.answer(talk.say("{We} are sorry: there is no voucher left."), show_alert=True)
        return
    match found.button.kind:
        case ButtonKind.OPEN:
            await query.answer()
            await free_text.run(found.button.to, query.message, talk, state)
        case ButtonKind.CLAIM:
            await _claimed(query, query.message, talk, found)
        case ButtonKind.REPLY:
            await _replied(query, query.message, talk, found)
        case ButtonKind.LINK:
            await query.answer()


async def _claimed(query: CallbackQuery, message: Message, talk: Talk, found: Pressed) -> None:
    await query.answer()
    if found.voucher is None:
        return
    code = vouchers.shown(found.voucher.code)
    rows = [[button(talk.words("Show the QR code"), Show(voucher=found.voucher.id))]]
    await message.answer(
        talk.say("Here is the voucher: <code>{code}</code>. It also stands under /vouchers.", code=code),
        reply_markup=InlineKeyboardMarkup(inline_keyboard=rows),
    )


async def _replied(query: CallbackQuery, message: Message, talk: Talk, found: Pressed) -> None:
    """The button's words reach the shop as if they were typed, with what they answer."""
    label = found.button.label(talk.words.language)
    offer = shorten(message.text or message.caption or "", OFFER_CHARS, placeholder="…")
    said = talk.words("{words} (on “{offer}”)", words=label, offer=offer)
    joined = await talk.work.write(tickets.open_or_join, talk.customer_id, found.shop_id)
    source = Source(talk.account, message.chat.id, message.message_id)
    await talk.work.write(messages.customer_says, joined.ticket.id, text=said, source=source)
    await query.answer(talk.say("{We} have it. A colleague will answer {you} here."))
    await helping.confirm(message, talk, joined)
