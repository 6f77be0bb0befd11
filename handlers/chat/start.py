"""Arriving: /start with what its link carries, the language, how one is called, and the menu."""

from aiogram import Router
from aiogram.filters import Command, CommandObject, CommandStart
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message

from handlers.chat import phone
from handlers.chat.commands import COMMANDS, Called, Speak, go, keyboard, menu
from handlers.chat.gives import gives
from handlers.chat.talk import Talk
from handlers.chat.voice import Voice
from handlers.words import words
from loyalty import addressing, claims, customers, programme, referrals, rewards
from loyalty.addressing import Address
from loyalty.claims import AlreadyClaimedError
from loyalty.referrals import Opened
from store import staff, webchat
from store.errors import ConflictError, NotFoundError, RuleError


def router() -> Router:
    made = Router(name="start")
    made.message.register(start, CommandStart())
    made.message.register(show_menu, Command("menu"))
    made.message.register(show_help, Command("help"))
    made.message.register(ask_language, Command("language"))
    made.callback_query.register(choose_language, Speak.filter())
    made.callback_query.register(choose_address, Called.filter())
    return made


async def start(message: Message, command: CommandObject, talk: Talk, state: FSMContext) -> None:
    """Welcome, do what the link was for, then ask what is still unknown: how to address, the phone."""
    await state.clear()
    payload = (command.args or "").strip()
    kind, _, code = payload.partition("_")
    if kind == "s" and code:
        await bind_staff(message, code, talk)
        return
    joined = {"r": referral, "c": receipt, "v": offer}.get(kind)
    said = await joined(code, talk) if joined and code else None
    if said is None:
        said = talk.say("This link isn't known. Type /menu to see everything we can do for you.") if payload else None
    welcome = talk.say(
        "Hello {name}! Welcome to <b>{shop}</b>. Here you collect points, swap them for rewards and reach us whenever "
        "you need help.",
        shop=talk.shop.name,
    )
    text = f"{welcome}\n\n{said}" if said and kind != "c" else said or welcome
    await message.answer(text, parse_mode="HTML", reply_markup=keyboard(talk.words))
    await ask_next(message, talk, state)


async def ask_next(message: Message, talk: Talk, state: FSMContext) -> None:
    """One question at a time, each only while its answer is unknown."""
    if talk.words.language == "vi" and talk.person.address is None:
        await ask_address(message, talk)
    elif not talk.person.has_phone:
        await phone.ask(message, talk, state)


async def referral(code: str, talk: Talk) -> str:
    """`r_CODE`: a friend's link."""
    try:
        opened = await talk.work.write(referrals.open_link, code, talk.customer_id)
    except NotFoundError:
        return talk.say("This invitation isn't valid any more. You can still join and collect points as usual.")
    points = (await talk.work.read(programme.get)).referral_points
    if opened is Opened.WELCOME:
        return talk.say(
            "A friend invited you: you both get <b>{points} points</b> after your first order. 🎉",
            points=points,
        )  # fmt: skip
    if opened is Opened.OWN:
        return talk.say("This is your own link. Send it to a friend: you both get points.")
    if opened is Opened.AGAIN:
        return talk.say("You have already opened an invitation. We have noted it.")
    return talk.say("Invitations are for new customers, and you already belong to us. Thank you for staying!")


async def receipt(token: str, talk: Talk) -> str:
    """`c_TOKEN`: the link on a receipt."""
    try:
        claimed = await talk.work.write(claims.claim_order, talk.customer_id, token)
    except NotFoundError:
        return talk.say("This receipt isn't known. Please check the link, or send us a photo of it with /support.")
    except AlreadyClaimedError as error:
        if error.own:
            return talk.say("This receipt is already in your points. See /points.")
        return talk.say("Somebody has already claimed this receipt. If it is yours, tell us with /support.")
    return talk.say(
        "Order {order} at {shop} is yours now: <b>+{points} points</b>. 🎉",
        order=claimed.order or "", shop=claimed.shop or "", points=claimed.points,
    )  # fmt: skip


async def offer(code: str, talk: Talk) -> str:
    """`v_CODE`: an offered voucher."""
    wrong = talk.say("This offer isn't valid. Please check the link letter by letter, or see /vouchers.")
    try:
        opened = await talk.work.write(rewards.open_offer, code, talk.customer_id)
    except ConflictError:
        return talk.say("This offer has run out, sorry. See /rewards for what else there is.")
    except RuleError:
        return wrong
    if isinstance(opened, Exception):
        return wrong
    what = gives(talk.words, opened.program)
    if not opened.new:
        return talk.say("This voucher is already yours: <b>{what}</b>. See /vouchers.", what=what)
    return talk.say("A voucher for you: <b>{what}</b>. You find it in /vouchers. 🎁", what=what)


async def bind_staff(message: Message, token: str, talk: Talk) -> None:
    """`s_TOKEN`: a member of staff ties this messenger account to themselves."""
    try:
        member = await talk.work.write(staff.bind, talk.account, talk.user_id, token)
    except NotFoundError:
        await message.answer(talk.say("This link has expired or was used before. Ask the owner for a new one."))
        return
    await message.answer(
        talk.say("Hello {member}, this account is now linked to {shop}'s team.", member=member.name, shop=talk.shop.name),
        parse_mode="HTML", reply_markup=keyboard(talk.words),
    )  # fmt: skip


async def ask_address(message: Message, talk: Talk) -> None:
    forms = [(address.value, addressing.pronoun(address)) for address in Address]
    buttons = [
        InlineKeyboardButton(text=pronoun.capitalize(), callback_data=Called(address=value).pack())
        for value, pronoun in forms
    ]
    await message.answer(
        talk.say("How would you like us to address you?"),
        reply_markup=InlineKeyboardMarkup(inline_keyboard=[buttons[:3], buttons[3:]]),
    )


async def choose_address(query: CallbackQuery, callback_data: Called, talk: Talk, state: FSMContext) -> None:
    known = callback_data.address in set(Address)
    if known:
        await talk.work.write(customers.change, talk.customer_id, address=callback_data.address)
        talk.voice = Voice(talk.words, callback_data.address, talk.person.name)
    await query.answer()
    if known and isinstance(query.message, Message):
        await query.message.edit_text(talk.say("Yes, {name}. Very pleased to meet you!"))
        if not talk.person.has_phone:
            await phone.ask(query.message, talk, state)


async def show_menu(message: Message, talk: Talk, state: FSMContext) -> None:
    await state.clear()
    await message.answer(talk.say("What can we do for you?"), reply_markup=menu(talk.words))


async def show_help(message: Message, talk: Talk, state: FSMContext) -> None:
    await state.clear()
    lines = [f"/{command} — {talk.words(text)}" for command, text in COMMANDS]
    head = talk.say("You can tap a button, type a command, or simply write what you need:")
    await message.answer(head + "\n\n" + "\n".join(lines), reply_markup=keyboard(talk.words))


async def ask_language(message: Message, talk: Talk) -> None:
    rows = [[
        InlineKeyboardButton(text="Tiếng Việt", callback_data=Speak(language="vi").pack()),
        InlineKeyboardButton(text="English", callback_data=Speak(language="en").pack()),
    ]]  # fmt: skip
    await message.answer(
        talk.say("Which language would you like?"), reply_markup=InlineKeyboardMarkup(inline_keyboard=rows)
    )


async def choose_language(query: CallbackQuery, callback_data: Speak, talk: Talk) -> None:
    language = callback_data.language
    if language not in customers.LANGUAGES:
        await query.answer()
        return
    await talk.work.write(customers.change, talk.customer_id, language=language)
    if talk.account == "web":
        await talk.work.write(webchat.speak, talk.user_id, language)
    talk.words = words(language)
    talk.voice = Voice(talk.words, talk.person.address, talk.person.name)
    await query.answer()
    if isinstance(query.message, Message):
        await query.message.edit_text(talk.say("All right, we speak English from now on."), reply_markup=go(talk.words, "points", "card"))
        await query.message.answer(talk.say("What can we do for you?"), reply_markup=keyboard(talk.words))


