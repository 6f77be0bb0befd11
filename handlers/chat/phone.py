"""The phone: by the messenger's own button, where only the sender's own contact counts, or typed and proven by a code."""

import re

from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State, StatesGroup
from aiogram.types import Message
from sqlalchemy.orm import Session

from handlers.chat import help as helping
from handlers.chat.commands import keyboard
from handlers.chat.talk import Talk
from loyalty.customers import claims, phones
from loyalty.customers.phones import TooSoonError, WrongCodeError
from store import notices
from store.errors import InvalidError
from store.outbox import Purpose
from support import tickets

_NUMBER = re.compile(r"\+?\d(?:[\s().-]*\d){8,14}")
LETTERS_BESIDE = 30
"""“My number is 0903 123 456, thanks”: with more words around it, digits are part of a story."""
LETTERS_BESIDE_CODE = 15


class Phone(StatesGroup):
    typing = State()
    """The next number written is their phone's."""
    proving = State()
    """The next number written is the code that was sent to it."""


def may_be_number(text: str) -> bool:
    """Whether a text is meant as a phone number by somebody who was asked for it, right or wrong."""
    letters = sum(sign.isalpha() for sign in text)
    return (_NUMBER.search(text) is not None and letters <= LETTERS_BESIDE) or (
        not letters and any(map(str.isdigit, text))
    )


def is_number(text: str) -> bool:
    """Whether a text is a phone number and nothing else."""
    return _NUMBER.fullmatch(text.strip()) is not None


def may_be_code(text: str) -> bool:
    """Whether a text is meant as the code that was sent: 6 digits with a word beside them, or a few digits alone."""
    digits, letters = sum(sign.isdecimal() for sign in text), sum(sign.isalpha() for sign in text)
    return (digits == phones.CODE_DIGITS and letters <= LETTERS_BESIDE_CODE) or (not letters and 3 <= digits <= 8)


async def ask(message: Message, talk: Talk, state: FSMContext) -> None:
    """Ask for the number, in the way this messenger can."""
    if talk.can.share_phone:
        await message.answer(
            talk.say(
                "One tap on “{button}” below, and every purchase counts and earlier points come along.",
                button=talk.words("Share my number"),
            ),
            reply_markup=talk.keyboard,
        )
        return
    if not talk.codes:
        await message.answer(
            talk.say(
                "Show your /card at the counter once: our staff link your phone number, so that every purchase counts and "
                "earlier points come along."
            )
        )
        return
    await state.set_state(Phone.typing)
    await message.answer(
        talk.say(
            "Type your phone number, so that every purchase counts and earlier points come along. Or show your /card at "
            "the counter."
        )
    )


async def contact(message: Message, talk: Talk, state: FSMContext) -> None:
    """A shared contact: the sender's own proves their number; somebody else's is only something told to the staff."""
    shared = message.contact
    assert shared is not None
    asked = await state.get_state() == helping.Support.writing.state
    told = asked or await talk.work.read(tickets.current, talk.customer_id) is not None
    # A forwarded contact may be years old, and the number somebody else's by now.
    own = talk.can.share_phone and shared.user_id == talk.user_id and message.forward_origin is None
    if own and not (told and talk.person.has_phone):
        await own_contact(message, talk, state, shared.phone_number)
    elif not told:
        await message.answer(
            talk.say("This is somebody else's contact. Please share your own with the button."),
            reply_markup=talk.keyboard,
        )
    if asked:
        await helping.first_words(message, talk, state)
    elif told:
        await helping.into_ticket(message, talk, state)


async def own_contact(message: Message, talk: Talk, state: FSMContext, raw: str) -> None:
    try:
        found = phones.normal(raw if raw.startswith(("+", "0")) else f"+{raw}")
    except InvalidError:
        await message.answer(talk.say("This phone number doesn't look right. Example: 0903 123 456."))
        return
    if await state.get_state() in {Phone.typing.state, Phone.proving.state}:
        await state.clear()
    await proven(message, talk, found)


async def proven(message: Message, talk: Talk, found: str) -> None:
    """The number is theirs: what was earned under it comes along."""
    claimed = await talk.work.write(claims.prove_phone, talk.customer_id, found)
    text = talk.say("Thank you! Your number {phone} is confirmed.", phone=phones.local(found))
    if claimed.points:
        text += " " + talk.say("<b>{points} points</b> from earlier purchases are yours now. 🎉", points=claimed.points)
    await message.answer(text, reply_markup=keyboard(talk.words))


async def number(message: Message, talk: Talk, state: FSMContext) -> None:
    """A typed number: prove it by the messenger's button, or by a code where it has none."""
    typed = message.text or ""
    found = _NUMBER.search(typed)
    try:
        chosen = phones.normal(found[0] if found else typed)
    except InvalidError:
        await message.answer(talk.say("This phone number doesn't look right. Example: 0903 123 456."))
        return
    if talk.can.share_phone or not talk.codes:
        await ask(message, talk, state)
        return
    try:
        secret_code = await talk.work.write(send_code, talk.customer_id, chosen)
    except TooSoonError as error:
        await message.answer(
            talk.say("A code was sent just now. Please wait {seconds} seconds.", seconds=error.seconds)
        )
        return
    await state.set_state(Phone.proving)
    text = talk.say("We have sent a 6-digit code to {phone}. Please type it here.", phone=phones.local(chosen))
    if talk.demo and talk.can.own_page:
        text += "\n\n" + talk.say("(Demo: the code is {code}.)", code=str(secret_code))
    await message.answer(text)


def send_code(session: Session, customer_id: int, phone: str) -> str:
    """Make a code and let it go out by the channel for such messages (SMS). Raises TooSoonError."""
    secret_code = phones.send_code(session, customer_id, phone)
    notices.tell(
        session, "phone_code", customer_id=customer_id, purpose=Purpose.REPLY, phone=phone, code=secret_code
    )  # fmt: skip
    return secret_code


async def code(message: Message, talk: Talk, state: FSMContext) -> None:
    digits = "".join(sign for sign in message.text or "" if sign.isdecimal())
    found = await talk.work.write(phones.prove, talk.customer_id, digits)
    if not isinstance(found, WrongCodeError):
        await state.clear()
        await proven(message, talk, found)
    elif found.left:
        await message.answer(
            talk.voice.plural(
                "This code isn't right. {n} try is left.", "This code isn't right. {n} tries are left.", found.left
            )
        )
    else:
        await state.set_state(Phone.typing)
        await message.answer(talk.say("This code is no longer valid. Type your phone number again for a new one."))
