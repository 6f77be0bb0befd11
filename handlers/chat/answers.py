"""Answers: what the shop has written down, given to who asks for it; "no, that's not it" brings the question to a colleague."""

from datetime import timedelta
from typing import Any

from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message

from handlers.chat import help as helping
from handlers.chat.commands import Helped, button
from handlers.chat.talk import Talk
from store.errors import NotFoundError
from store.text import fold
from support import messages, tickets
from support.answers import asking, rendering
from support.answers.asking import Answer
from support.messages import Source

REPLY_WITHIN = timedelta(minutes=30)
"""How long after "did this help?" a bare yes or no is its answer."""
YES = frozenset(
    [
        "co",
        "roi",
        "duoc roi",
        "ok",
        "oke",
        "okie",
        "co a",
        "da co",
        "da duoc",
        "yes",
        "yep",
        "hieu roi",
        "ro roi",
        "da ro",
        "giup duoc",
        "duoc",
        "u",
        "uh",
        "vang",
        "da",
    ]
)
NO = frozenset(
    ["khong", "khong a", "khong phai", "chua", "chua a", "chua duoc", "chua ro", "khong giup", "khong dung", "ko", "k", "kh", "hong", "no", "nope", "not really", "van chua"]
)  # fmt: skip


async def answer(message: Message, talk: Talk, state: FSMContext) -> bool:
    """Answer a question with an article, where one surely does; whether there was one."""
    text = message.text or ""
    found = await talk.work.write(
        asking.answer, talk.customer_id, talk.shop.id, text, talk.words.language
    )  # fmt: skip
    if found is None:
        return False
    await state.update_data(
        answered={"question": found.question_id, "asked": int(talk.at.timestamp()), "message": message.message_id}
    )
    await message.answer(shown(talk, found), reply_markup=_ask(talk, found.question_id))
    return True


def shown(talk: Talk, found: Answer) -> str:
    """The article and the question that follows it."""
    return "\n\n".join([
        talk.say("<b>{title}</b>", title=found.title), rendering.chat(found.body), talk.say("<i>Did this help?</i>"),
    ])  # fmt: skip


def _ask(talk: Talk, question_id: int) -> InlineKeyboardMarkup:
    yes = button(talk.words("Yes, thanks"), Helped(question=question_id, yes=True))
    no = button(talk.words("No, ask a colleague"), Helped(question=question_id, yes=False))
    return InlineKeyboardMarkup(inline_keyboard=[[yes, no]])


async def tapped(query: CallbackQuery, callback_data: Helped, talk: Talk, state: FSMContext) -> None:
    message = query.message
    try:
        text = await talk.work.write(asking.helped, callback_data.question, talk.customer_id, yes=callback_data.yes)
    except NotFoundError:
        await query.answer(talk.say("This button no longer works. Type /menu to start again."))
        return
    await query.answer(talk.say("Glad that helped!") if callback_data.yes and text is not None else None)
    if not isinstance(message, Message):
        return
    await message.edit_reply_markup(reply_markup=None)
    if text is not None and not callback_data.yes:
        await _to_a_colleague(message, talk, state, callback_data.question, text)


async def replied(message: Message, talk: Talk, state: FSMContext) -> bool:
    """Take a bare yes or no for the answer to "did this help?"; whether it was."""
    asked: dict[str, Any] | None = (await state.get_data()).get("answered")
    said = " ".join(fold(message.text or "").strip(" .,!?🙏").split())
    if not asked or said not in YES | NO or not helping.awaited(talk, asked, REPLY_WITHIN):
        return False
    yes = said in YES
    try:
        text = await talk.work.write(asking.helped, asked["question"], talk.customer_id, yes=yes)
    except NotFoundError:
        return False
    if text is None:
        return False
    if yes:
        await state.update_data(answered=None)
        await message.answer(talk.say("Glad that helped! If there is anything else, just write."))
    else:
        await _to_a_colleague(message, talk, state, asked["question"], text)
    return True


async def _to_a_colleague(message: Message, talk: Talk, state: FSMContext, question_id: int, text: str) -> None:
    """A ticket with what was asked, in the customer's own message where it is still known."""
    asked: dict[str, Any] | None = (await state.get_data()).get("answered")
    await state.update_data(answered=None)
    joined = await talk.work.write(tickets.open_or_join, talk.customer_id, talk.shop.id, topic="other")
    known = asked is not None and asked["question"] == question_id
    source = Source(talk.account, message.chat.id, asked["message"]) if asked and known else None
    await talk.work.write(messages.customer_says, joined.ticket.id, text=text, source=source)
    await talk.work.write(asking.went_on, question_id, joined.ticket.id)
    await helping.confirm(message, talk, joined)
