"""Arriving: /start with what its link carries, the language, how one is called, and the menu."""

from datetime import timedelta
from html import escape

from aiogram.filters import CommandObject
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message
from sqlalchemy.orm import Session

from handlers.chat import challenges, friends, gifting, phone
from handlers.chat.commands import COMMANDS, Called, Speak, button, menu
from handlers.chat.gives import terms
from handlers.chat.talk import Talk
from handlers.chat.voice import Voice
from handlers.words import words
from loyalty.attempts import TooManyError
from loyalty.customers import addressing, claims, customers
from loyalty.customers.addressing import Address
from loyalty.customers.claims import AlreadyClaimedError
from loyalty.referrals import referrals
from loyalty.referrals.referrals import Opened
from loyalty.vouchers import rewards, vouchers
from store import shops, staff, webchat
from store.errors import ConflictError, NotFoundError

PAYLOAD_CHARS_MAX = 64
NEW_FOR = timedelta(minutes=1)
"""So long after they were first seen a person is told where they are."""
ADDRESSES_IN_A_ROW = 3


async def start(message: Message, command: CommandObject, talk: Talk, state: FSMContext) -> None:
    """Welcome, do what the link was for, then ask what is still unknown: how to address, the phone."""
    await state.clear()
    payload = "".join(sign for sign in command.args or "" if sign.isprintable()).strip()
    kind, _, code = payload.partition("_")
    if len(payload) > PAYLOAD_CHARS_MAX:
        kind = code = ""
    if kind == "s" and code:
        await bind_staff(message, code, talk)
        return
    opening = {"r": referral, "c": receipt, "v": offer, "g": gifting.opened, "p": programme_page}.get(kind)
    said = await opening(code, talk) if opening and code else None
    if payload and said is None:
        said = talk.say("This link isn't known. Type /menu to see everything we can do for you.")
    is_new = talk.at - (await talk.work.read(customers.get, talk.customer_id)).joined_at <= NEW_FOR
    if is_new or said is None:
        welcome = talk.say(
            "Hello {name}! Welcome to <b>{shop}</b>. Here you collect points, swap them for rewards and reach us whenever "
            "you need help.",
            shop=talk.shop.name,
        )
        said = f"{welcome}\n\n{said}" if said else welcome
    await message.answer(said, reply_markup=talk.keyboard)
    # One question at a time, each only while its answer is unknown.
    if talk.words.language == "vi" and talk.person.address is None:
        await ask_address(message, talk)
    elif not talk.person.has_phone:
        await phone.ask(message, talk, state)


async def referral(code: str, talk: Talk) -> str:
    """`r_CODE`: a friend's link."""
    try:
        opened = await talk.work.write(referrals.open_link, code, talk.customer_id, known=not talk.first)
    except NotFoundError:
        return talk.say("This invitation isn't valid any more. You can still join and collect points as usual.")
    if opened is Opened.WELCOME:
        return invited(talk, await talk.work.read(friends.promise))
    if opened is Opened.REVIEW:
        return talk.say("A friend invited you. The shop takes a look at this invitation first, and tells you.")
    if opened is Opened.OWN:
        return talk.say("This is your own link. Send it to a friend: see /invite for what you both get.")
    if opened is Opened.AGAIN:
        return talk.say("You have already opened an invitation. We have noted it.")
    return talk.say("Invitations are for new customers, and you already belong to us. Thank you for staying!")


def invited(talk: Talk, promised: friends.Promise) -> str:
    """What a friend who was invited may look forward to."""
    if promised.points_each:
        return talk.say(
            "A friend invited you: you both get <b>{points} points</b> after your first order. 🎉",
            points=promised.points_each,
        )
    said = [talk.say("A friend invited you. Welcome! 🎉")]
    mine, theirs = promised.of(talk.words, "friend"), promised.of(talk.words, "referrer")
    if mine:
        said.append(talk.say("After your first order you get: <b>{what}</b>.", what=mine))
    if theirs:
        said.append(talk.say("Your friend gets: <b>{what}</b>.", what=theirs))
    return "\n".join(said)


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
    order, shop = claimed.order or "", claimed.shop or ""
    if not claimed.points:
        return talk.say(
            "Order {order} at {shop} is yours now. Its points come when it is completed.", order=order, shop=shop
        )
    return talk.say(
        "Order {order} at {shop} is yours now: <b>+{points} points</b>. 🎉",
        order=order,
        shop=shop,
        points=claimed.points,
    )


async def offer(code: str, talk: Talk) -> str:
    """`v_CODE`: an offered voucher."""
    wrong = talk.say("This offer isn't valid. Please check the link letter by letter, or see /vouchers.")
    try:
        # Visitors of the page cost nothing to be many of: they are counted by where they come from too.
        address = await talk.work.read(webchat.address, talk.user_id) if talk.can.own_page else None
        opened = await talk.work.write(rewards.open_offer, code, talk.customer_id, address=address)
    except TooManyError:
        return talk.say("Too many attempts. Please wait a minute and try again.")
    except ConflictError:
        return talk.say("This offer has run out, sorry. See /rewards for what else there is.")
    except NotFoundError:
        return wrong
    if isinstance(opened, Exception):
        return wrong
    what = opened.program.name
    if opened.voucher.shared:
        return await _shared(talk, opened)
    if not opened.new:
        return talk.say("This voucher is already yours: <b>{what}</b>. See /vouchers.", what=what)
    return talk.say("A voucher for you: <b>{what}</b>. You find it in /vouchers. 🎁", what=what)


async def _shared(talk: Talk, opened: rewards.Opened) -> str:
    """A code for everybody: what it gives, and how it is used."""
    kept = await talk.work.read(vouchers.kept_of, opened.voucher, opened.program)
    said = [
        f"<b>{escape(kept.program.name)}</b>", escape(terms(talk.words, kept.program, kept.last_day, kept.places)),
        f"<code>{escape(kept.voucher.code)}</code>",
        talk.say("Say this code at the counter, or enter it with your order, when you pay. It is for everybody, so it isn't "
                 "in /vouchers."),
    ]  # fmt: skip
    if kept.program.per_customer:
        said.append(
            talk.voice.plural(
                "Each customer can use it {n} time.", "Each customer can use it {n} times.", kept.program.per_customer
            )
        )
    return "\n".join(line for line in said if line)


async def programme_page(code: str, talk: Talk) -> str | None:
    """`p_SHOP`: the button of a shop's public page, or its poster. Who is new belongs to that shop from now on."""
    try:
        shop = await talk.work.read(
            shops.get, int(code) if code.isascii() and code.isdecimal() and len(code) < 16 else 0
        )
    except NotFoundError:
        return None
    known = await talk.work.read(customers.get, talk.customer_id)
    if talk.at - known.joined_at > NEW_FOR:
        return talk.say("You are with us already: see /points, or show your /card at the counter.")
    if known.orders_count == 0 and known.home_shop_id != shop.id:
        await talk.work.write(_change, talk.customer_id, "home_shop_id", shop.id)
    talk.shop = shop
    return talk.say("Show your /card at the counter, or say your phone number: every purchase brings points.")


async def bind_staff(message: Message, token: str, talk: Talk) -> None:
    """`s_TOKEN`: a member of staff ties this messenger account to themselves."""
    try:
        member = await talk.work.write(staff.bind, talk.account, talk.user_id, token)
    except NotFoundError:
        await message.answer(talk.say("This link has expired or was used before. Ask the owner for a new one."))
        return
    await message.answer(
        talk.say("Hello {member}, from now on we know this account as yours on the team.", member=member.name),
        reply_markup=talk.keyboard,
    )


async def ask_address(message: Message, talk: Talk) -> None:
    await message.answer(
        talk.say("How would you like us to address you?"),
        reply_markup=InlineKeyboardMarkup(inline_keyboard=address_rows()),
    )


def address_rows() -> list[list[InlineKeyboardButton]]:
    buttons = [button(addressing.pronoun(address).capitalize(), Called(address=address.value)) for address in Address]
    return [buttons[:ADDRESSES_IN_A_ROW], buttons[ADDRESSES_IN_A_ROW:]]


async def choose_address(query: CallbackQuery, callback_data: Called, talk: Talk, state: FSMContext) -> None:
    await query.answer()
    if callback_data.address not in set(Address) or callback_data.address == talk.person.address:
        return
    asked_at_first = talk.person.address is None
    await talk.work.write(_change, talk.customer_id, "address", callback_data.address)
    talk.voice = Voice(talk.words, callback_data.address, talk.person.name)
    if isinstance(query.message, Message):
        await query.message.edit_text(talk.say("Yes, {name}. Very pleased to meet you!"))
        if asked_at_first and not talk.person.has_phone:
            await phone.ask(query.message, talk, state)


async def show_menu(message: Message, talk: Talk, state: FSMContext) -> None:
    await state.clear()
    more = ("challenges",) if await talk.work.read(challenges.offered) else ()
    await message.answer(talk.say("What can we do for you?"), reply_markup=menu(talk.words, *more))


async def show_help(message: Message, talk: Talk, state: FSMContext) -> None:
    await state.clear()
    lines = "\n".join(f"/{command} – {talk.words(text)}" for command, text in COMMANDS)
    head = talk.say("You can tap a button, type a command, or simply write what you need:")
    await message.answer(f"{head}\n\n{lines}", reply_markup=talk.keyboard)


async def ask_language(message: Message, talk: Talk, _state: FSMContext) -> None:
    rows = [[button("Tiếng Việt", Speak(language="vi")), button("English", Speak(language="en"))]]
    if talk.words.language == "vi":
        text = talk.say("Which language would you like? Below you can also choose how we address you.")
        rows += address_rows()
    else:
        text = talk.say("Which language would you like?")
    await message.answer(text, reply_markup=InlineKeyboardMarkup(inline_keyboard=rows))


async def choose_language(query: CallbackQuery, callback_data: Speak, talk: Talk) -> None:
    language = callback_data.language
    if language not in customers.LANGUAGES or language == talk.words.language:
        await query.answer(talk.say("All right, we speak English from now on."))
        return
    await query.answer()
    await talk.work.write(_change, talk.customer_id, "language", language)
    if talk.can.own_page:
        await talk.work.write(webchat.speak, talk.user_id, language)
    talk.words = words(language)
    talk.voice = Voice(talk.words, talk.person.address, talk.person.name)
    if isinstance(query.message, Message):
        await query.message.edit_text(talk.say("All right, we speak English from now on."))
        await query.message.answer(talk.say("What can we do for you?"), reply_markup=talk.keyboard)
        if language == "vi" and talk.person.address is None:
            await ask_address(query.message, talk)


def _change(session: Session, customer_id: int, field: str, value: str | int) -> None:
    customers.change(session, customer_id, **{field: value})
