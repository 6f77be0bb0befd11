"""The phone: by the messenger's own button, where only the sender's own contact counts, or typed and proven by a code."""

from aiogram import F, Router
from aiogram.filters import StateFilter
from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State, StatesGroup
from aiogram.types import KeyboardButton, Message, ReplyKeyboardMarkup

from handlers.chat.commands import keyboard
from handlers.chat.talk import Talk
from loyalty import claims, phones
from loyalty.phones import TooSoonError, WrongCodeError
from store import notices
from store.errors import InvalidError
from store.outbox import Purpose


class Phone(StatesGroup):
    typing = State()
    """The next text is the number."""
    proving = State()
    """The next text is the code that was sent to it."""


def router() -> Router:
    made = Router(name="phone")
    made.message.register(contact, F.contact)
    made.message.register(number, StateFilter(Phone.typing), F.text, ~F.text.startswith("/"))
    made.message.register(code, StateFilter(Phone.proving), F.text, ~F.text.startswith("/"))
    return made


async def ask(message: Message, talk: Talk, state: FSMContext) -> None:
    """Ask for the number, in the way this messenger can."""
    if talk.can.share_phone:
        rows = [
            [KeyboardButton(text=talk.say("Share my number"), request_contact=True)],
            [KeyboardButton(text=talk.say("Later"))],
        ]
        await message.answer(
            talk.say("Share your phone number, so that every purchase counts and earlier points come along."),
            reply_markup=ReplyKeyboardMarkup(keyboard=rows, resize_keyboard=True, one_time_keyboard=True),
        )
        return
    await state.set_state(Phone.typing)
    await message.answer(
        talk.say(
            "Type your phone number, so that every purchase counts and earlier points come along. Or show your /card "
            "at the counter.",
        )
    )


async def contact(message: Message, talk: Talk, state: FSMContext) -> None:
    """A shared contact: the sender's own, with Telegram's word for it, or nothing."""
    shared = message.contact
    assert shared is not None
    if not talk.can.share_phone or shared.user_id is None or shared.user_id != talk.user_id:
        await message.answer(talk.say("This is somebody else's contact. Please share your own with the button."))
        return
    raw = shared.phone_number
    try:
        number_ = phones.normal(raw if raw.startswith("+") or raw.startswith("0") else f"+{raw}")
    except InvalidError:
        await message.answer(talk.say("This phone number doesn't look right. Example: 0903 123 456."))
        return
    await state.clear()
    await proven(message, talk, number_)


async def proven(message: Message, talk: Talk, number_: str) -> None:
    """The number is theirs: what was earned under it comes along."""
    claimed = await talk.work.write(claims.prove_phone, talk.customer_id, number_)
    text = talk.say("Thank you! Your number {phone} is confirmed.", phone=phones.local(number_))
    if claimed.points:
        text += " " + talk.say("<b>{points} points</b> from earlier purchases are yours now. 🎉", points=claimed.points)
    await message.answer(text, parse_mode="HTML", reply_markup=keyboard(talk.words))


async def number(message: Message, talk: Talk, state: FSMContext) -> None:
    """A typed number: prove it by a code."""
    typed = message.text or ""
    if not any(sign.isdigit() for sign in typed):
        # They'd rather talk of something else: the question can wait.
        await state.clear()
        from handlers.chat.free_text import free_text

        await free_text(message, talk, state)
        return
    try:
        number_ = phones.normal(typed)
    except InvalidError:
        await message.answer(talk.say("This phone number doesn't look right. Example: 0903 123 456."))
        return
    try:
        secret_code = await talk.work.write(phones.send_code, talk.customer_id, number_)
    except TooSoonError as error:
        await message.answer(talk.say("A code was sent just now. Please wait {seconds} seconds.", seconds=error.seconds))
        return
    await talk.work.write(send_code_notice, talk.customer_id, number_, secret_code)
    await state.set_state(Phone.proving)
    await message.answer(talk.say("We have sent a 6-digit code to {phone}. Please type it here.", phone=phones.local(number_)))
    if talk.demo and talk.can.show_code:
        await message.answer(talk.say("(Demo: the code is {code}.)", code=str(secret_code)))


def send_code_notice(session: object, customer_id: int, number_: str, secret_code: str) -> None:
    """The code goes out by the channel for such messages (SMS); a demo has none."""
    notices.tell(
        session, "phone_code", customer_id=customer_id, purpose=Purpose.REPLY, phone=number_, code=secret_code  # type: ignore[arg-type]
    )


async def code(message: Message, talk: Talk, state: FSMContext) -> None:
    typed = (message.text or "").replace(" ", "")
    if not typed.isdigit():
        await state.clear()
        from handlers.chat.free_text import free_text

        await free_text(message, talk, state)
        return
    found = await talk.work.write(phones.prove, talk.customer_id, typed)
    if isinstance(found, WrongCodeError):
        if found.left:
            await message.answer(talk.say("This code isn't right. {left} tries are left.", left=found.left))
            return
        await state.set_state(Phone.typing)
        await message.answer(talk.say("This code is no longer valid. Type your phone number again for a new one."))
        return
    await state.clear()
    await proven(message, talk, found)
