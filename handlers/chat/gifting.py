"""Giving points to a friend: how many, to whom, and a second tap that does it."""

import re

from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State, StatesGroup
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message

from handlers.chat.commands import Leave, Present, button, go
from handlers.chat.talk import Talk
from loyalty.customers import customers, phones
from loyalty.points import gifts, points
from loyalty.points.gifts import Gift, GiftLimitError, GiftOverError, GiftState, OwnGiftError
from loyalty.points.ledger import UncoveredError
from store.errors import InvalidError, NotFoundError

LINK = "-"
OFFERED = (20, 50, 100)
_AMOUNT = re.compile(r"\s*(\d{1,3}(?:[., ]\d{3})+|\d{1,9})\s*(điểm|diem|points?)?\s*", re.IGNORECASE)


class Giving(StatesGroup):
    amount = State()
    """The next number written is how many points."""
    friend = State()
    """The next number written is the friend's phone."""


def may_be_amount(text: str) -> bool:
    """Whether a text is a number of points and nothing else."""
    return _AMOUNT.fullmatch(text) is not None


async def tapped(query: CallbackQuery, callback_data: Present, talk: Talk, state: FSMContext) -> None:
    """A tap takes one step, from what it names already."""
    message = query.message
    if not isinstance(message, Message):
        await query.answer(talk.say("This button no longer works. Type /menu to start again."))
        return
    if callback_data.sure:
        await _give(query, message, callback_data, talk, state)
        return
    await query.answer()
    if callback_data.phone:
        await _ask_sure(message, talk, callback_data.points, callback_data.phone)
    elif callback_data.points:
        await _ask_friend(message, talk, state, callback_data.points)
    else:
        await _ask_amount(message, talk, state)


async def begin(message: Message, talk: Talk, state: FSMContext) -> None:
    """Said in words: ask how many."""
    await state.clear()
    await _ask_amount(message, talk, state)


async def amount(message: Message, talk: Talk, state: FSMContext) -> None:
    """How many, typed."""
    found = _AMOUNT.fullmatch(message.text or "")
    assert found is not None
    await _ask_friend(message, talk, state, int(re.sub(r"\D", "", found[1])))


async def friend(message: Message, talk: Talk, state: FSMContext) -> None:
    """To whom, typed."""
    wanted = int((await state.get_data()).get("gift") or 0)
    try:
        number = phones.normal(message.text or "")
    except InvalidError:
        await message.answer(talk.say("This doesn't look like a phone number. Example: 0903 123 456."))
        return
    await state.clear()
    await _ask_sure(message, talk, wanted, number)


async def _ask_amount(message: Message, talk: Talk, state: FSMContext) -> None:
    available = (await talk.work.read(points.balances, talk.customer_id))[0]
    if available <= 0:
        await message.answer(talk.say("You have no points to give yet."), reply_markup=go(talk.words, "points"))
        return
    await state.set_state(Giving.amount)
    row = [button(talk.words.number(each), Present(points=each)) for each in OFFERED if each <= available]
    await message.answer(
        talk.say(
            "How many points would you like to give to a friend? You have <b>{points}</b>. Tap or type a number.",
            points=available,
        ),
        reply_markup=InlineKeyboardMarkup(inline_keyboard=[row]) if row else None,
    )


async def _ask_friend(message: Message, talk: Talk, state: FSMContext, wanted: int) -> None:
    available = (await talk.work.read(points.balances, talk.customer_id))[0]
    if not 0 < wanted <= available:
        await message.answer(
            talk.say("You have {points} points. Type how many of them to give.", points=max(0, available))
        )
        return
    await state.set_state(Giving.friend)
    await state.update_data(gift=wanted)
    await message.answer(
        talk.say("To whom do the {points} points go? Type your friend's phone number, or make a link.", points=wanted),
        reply_markup=InlineKeyboardMarkup(
            inline_keyboard=[[button(talk.words("Make a link"), Present(points=wanted, phone=LINK))]]
        ),
    )


async def _ask_sure(message: Message, talk: Talk, wanted: int, phone: str) -> None:
    asked = (
        talk.say("Make a link for <b>{points} points</b>? Whoever opens it first has them.", points=wanted)
        if phone == LINK
        else talk.say("Give <b>{points} points</b> to {phone}?", points=wanted, phone=phones.local(phone))
    )
    sure = talk.words("Yes, give {points} points", points=talk.words.number(wanted))
    row = [button(sure, Present(points=wanted, phone=phone, sure=True)), button(talk.words("Not now"), Leave())]
    await message.answer(asked, reply_markup=InlineKeyboardMarkup(inline_keyboard=[row]))


async def _give(query: CallbackQuery, message: Message, wanted: Present, talk: Talk, state: FSMContext) -> None:
    """Twice the same tap gives once: the key is the message it stands under."""
    key = f"chat:{talk.account}:{message.chat.id}:{message.message_id}"
    known = await talk.work.read(gifts.by_key, key)
    if known is not None:
        await query.answer(talk.words("Done!"))
        return
    phone = None if wanted.phone == LINK else wanted.phone
    try:
        gift = await talk.work.write(gifts.give, key, giver_id=talk.customer_id, points=wanted.points, phone=phone)
    except UncoveredError:
        await query.answer(talk.say("You don't have enough points for this yet."), show_alert=True)
        return
    except GiftLimitError as error:
        await query.answer(_limit(talk, error), show_alert=True)
        return
    except OwnGiftError:
        await query.answer(talk.say("This is your own number. Points are for giving away here."), show_alert=True)
        return
    except InvalidError:
        await query.answer(talk.say("This button no longer works. Type /menu to start again."), show_alert=True)
        return
    await state.clear()
    await query.answer(talk.words("Done!"))
    left = (await talk.work.read(points.balances, talk.customer_id))[0]
    await message.edit_text(_done(talk, gift, phone, left), reply_markup=go(talk.words, "points"))


def _limit(talk: Talk, error: GiftLimitError) -> str:
    if not error.points or not error.count:
        return talk.say("No more gifts today. Tomorrow you can give again.")
    return talk.say("Today you can still give up to {points} points.", points=error.points)


def _done(talk: Talk, gift: Gift, phone: str | None, left: int) -> str:
    if gift.state == GiftState.TAKEN and phone is not None:
        text = talk.say("{phone} has your <b>{points} points</b>. 🎁", phone=phones.local(phone), points=gift.points)
    else:
        assert gift.token is not None
        text = talk.say(
            "<b>{points} points</b> wait for your friend for 7 days, then they come back to you. Send this link:\n{link}",
            points=gift.points, link=talk.link(f"g_{gift.token}"),
        )  # fmt: skip
    return text + "\n" + talk.say("You have {points} points left.", points=left)


async def opened(token: str, talk: Talk) -> str:
    """`g_TOKEN`: a friend's gift."""
    try:
        gift = await talk.work.write(gifts.take, token, talk.customer_id)
    except (NotFoundError, GiftOverError):
        return talk.say("This gift has been taken already, or has gone back to who gave it.")
    except OwnGiftError:
        return talk.say("This is your own gift. Send the link to a friend.")
    giver = await talk.work.read(customers.get, gift.giver_id)
    if not giver.name:
        return talk.say("A friend gives you <b>{points} points</b>. 🎁", points=gift.points)
    return talk.say("{giver} gives you <b>{points} points</b>. 🎁", giver=giver.name, points=gift.points)
