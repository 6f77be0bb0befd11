"""Feedback in the chat: what customers answer to our questions, by a tap or in their own words; and a supervisor's yes or no."""

import re
from datetime import timedelta

from aiogram.dispatcher.event.bases import SkipHandler
from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State, StatesGroup
from aiogram.types import CallbackQuery, Message

from handlers.chat import help as helping
from handlers.chat import questions, rating
from handlers.chat.questions import Bought, Decide, Score, Wants, Well
from handlers.chat.sayings import understand
from handlers.chat.talk import Talk
from handlers.complaint_words import remedies
from loyalty.points.ledger import UncoveredError
from store import staff
from store.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from store.text import fold
from support.complaints import findings, goodwill, loop, replies
from support.complaints.complaints import Remedy
from support.complaints.goodwill_book import DecidedError, OverLimitError
from support.feedback import order_answers, pending, surveys
from support.feedback.surveys import Kind

COMMENT_WITHIN = timedelta(hours=1)
PROMOTERS, DETRACTORS = 9, 6
"""From 9 on they recommend us, up to 6 they don't."""
_NUMBER = re.compile(
    r"(\d{1,2})(?:\s*/\s*(?:5|10))?(?:\s*(?:sao|diem|stars?|points?|★|\*|⭐|a|nha|nhe|ban|shop))*[\s.!]*"
)


class Feedback(StatesGroup):
    commenting = State()
    """The next words belong to the survey just answered."""


async def wants(query: CallbackQuery, callback_data: Wants, talk: Talk) -> None:
    """What would make it good."""
    try:
        await talk.work.write(findings.seeks, callback_data.ticket, talk.customer_id, callback_data.remedy)
    except (ConflictError, NotFoundError, InvalidError):
        await query.answer(_stale(talk))
        return
    await query.answer()
    if not isinstance(query.message, Message):
        return
    if callback_data.remedy == Remedy.OTHER:
        text = talk.say("Please tell us what would make it right, just write here.")
    else:
        wish = remedies(talk.words)[callback_data.remedy]
        text = talk.say("Noted: <b>{wish}</b>. We will answer {you} here as soon as we can.", wish=wish)
    await query.message.edit_text(text)


async def well(query: CallbackQuery, callback_data: Well, talk: Talk) -> None:
    """Whether all is well after a complaint."""
    try:
        await talk.work.write(loop.answer, callback_data.ticket, talk.customer_id, good=callback_data.good)
    except (ConflictError, NotFoundError):
        await query.answer(_stale(talk))
        return
    await query.answer()
    if isinstance(query.message, Message):
        await query.message.edit_text(_answered(talk, good=callback_data.good))


async def bought(query: CallbackQuery, callback_data: Bought, talk: Talk) -> None:
    """Whether an order was all right."""
    try:
        await talk.work.write(order_answers.answer, callback_data.survey, talk.customer_id, good=callback_data.good)
    except ConflictError:
        await query.answer(talk.say("You have answered this already. Thank you!"))
        return
    except NotFoundError:
        await query.answer(_stale(talk))
        return
    await query.answer()
    if isinstance(query.message, Message):
        await query.message.edit_text(_order_answered(talk, good=callback_data.good))


def _order_answered(talk: Talk, *, good: bool) -> str:
    if good:
        return talk.say("👍 Good to hear, thank you {name}! See {you} soon.")
    return talk.say("👎 We are sorry to hear that. What went wrong? Just write here; a photo helps too.")


def _answered(talk: Talk, *, good: bool) -> str:
    if good:
        return talk.say("Good to hear! Thank you for telling us, {name}.")
    return talk.say("We are sorry. We are on it again; please write here what is still not right.")


async def score(query: CallbackQuery, callback_data: Score, talk: Talk, state: FSMContext) -> None:
    """The answer to a survey, by a tap."""
    try:
        found = await talk.work.write(surveys.answer, callback_data.survey, talk.customer_id, callback_data.score)
    except ConflictError:
        await query.answer(talk.say("You have answered this already. Thank you!"))
        return
    except (NotFoundError, InvalidError):
        await query.answer(_stale(talk))
        return
    await query.answer()
    await helping.await_words(talk, state, Feedback.commenting, survey=found.id)
    if isinstance(query.message, Message):
        await query.message.edit_text(_thanks(talk, found.kind, callback_data.score))


def _thanks(talk: Talk, kind: str, given: int) -> str:
    if kind == Kind.EFFORT:
        label = questions.efforts(talk.words)[given]
        return talk.say("{answer}: thank you! What could be easier?", answer=label)
    if given >= PROMOTERS:
        return talk.say("{score}/10, thank you so much! What do {you} like most?", score=str(given))
    if given <= DETRACTORS:
        return talk.say("{score}/10, thank you for being frank. What should we do better?", score=str(given))
    return talk.say("{score}/10, thank you! What would make it a ten?", score=str(given))


async def comment(message: Message, talk: Talk, state: FSMContext) -> None:
    """The words to a survey's answer; a command in free words is none, and a picture goes its own way."""
    data, text = await state.get_data(), message.text or ""
    await state.clear()
    meant = understand(text) if text else None
    command = meant is not None and meant not in rating.COURTESIES
    if not text or command or not helping.awaited(talk, data, COMMENT_WITHIN):
        raise SkipHandler
    try:
        await talk.work.write(surveys.comment, int(data.get("survey", 0)), talk.customer_id, text)
    except (ConflictError, NotFoundError):
        raise SkipHandler from None
    await message.answer(talk.say("Thank you, we have passed it on."))


async def in_words(message: Message, talk: Talk, state: FSMContext) -> bool:
    """Whether free words answered the question that waits for it; then they are taken."""
    text = message.text or ""
    asked = await talk.work.read(pending.question, talk.customer_id) if text else None
    if asked is None:
        return False
    if asked.kind == pending.CHECK:
        return await _well_in_words(message, talk, state, asked.id, text)
    if asked.kind == Kind.ORDER:
        return await _order_in_words(message, talk, state, asked.id, text)
    number = _read(text, asked.kind, talk)
    try:
        if number is None:
            return False
        if asked.kind == pending.RATING:
            await rating.rated(message, talk, state, asked.id, number)
            return True
        found = await talk.work.write(surveys.answer, asked.id, talk.customer_id, number)
    except (ConflictError, NotFoundError, InvalidError):
        return False
    await helping.await_words(talk, state, Feedback.commenting, survey=found.id)
    await message.answer(_thanks(talk, found.kind, number))
    return True


async def _well_in_words(message: Message, talk: Talk, state: FSMContext, ticket_id: int, text: str) -> bool:
    good = replies.well(text)
    if good is None:
        return False
    try:
        await talk.work.write(loop.answer, ticket_id, talk.customer_id, good=good, words=text)
    except (ConflictError, NotFoundError):
        return False
    if not good:
        # Their words are the first of what is to be put right.
        await helping.into_ticket(message, talk, state)
    await message.answer(_answered(talk, good=good))
    return True


async def _order_in_words(message: Message, talk: Talk, state: FSMContext, survey_id: int, text: str) -> bool:
    good = replies.well(text)
    if good is None:
        return False
    try:
        await talk.work.write(order_answers.answer, survey_id, talk.customer_id, good=good)
    except (ConflictError, NotFoundError):
        return False
    if not good:
        # Their words are what went wrong.
        await helping.into_ticket(message, talk, state)
        return True
    await message.answer(_order_answered(talk, good=True))
    return True


def _read(text: str, kind: str, talk: Talk) -> int | None:
    """The score that a short text gives: "5", "5 sao", "★★★★", "9/10", "rất dễ"."""
    low, high = (1, 5) if kind == pending.RATING else surveys.SCALES[kind]
    plain = fold(text).strip()
    if kind == Kind.EFFORT:
        names = {fold(label): number for number, label in questions.efforts(talk.words).items()}
        if plain.strip(" .!") in names:
            return names[plain.strip(" .!")]
    starred = plain.replace("\ufe0f", "").replace(" ", "")
    if starred and set(starred) <= {"★", "⭐", "*"}:
        return len(starred) if low <= len(starred) <= high else None
    found = _NUMBER.fullmatch(plain)
    if found is None or not low <= int(found[1]) <= high:
        return None
    return int(found[1])


async def decide(query: CallbackQuery, callback_data: Decide, talk: Talk) -> None:
    """A supervisor approves or refuses goodwill under the message that asked them."""
    member = await talk.work.read(staff.by_account, talk.account, talk.user_id)
    if member is None:
        await query.answer(_stale(talk))
        return
    rule = goodwill.approve if callback_data.yes else goodwill.refuse
    try:
        done = await talk.work.write(rule, callback_data.goodwill, member)
    except DecidedError:
        outcome = talk.say("Somebody has decided this already.")
    except (ForbiddenError, OverLimitError):
        await query.answer(talk.say("This is above what your role may approve."), show_alert=True)
        return
    except UncoveredError:
        await query.answer(talk.say("The wallet is empty. Top it up first."), show_alert=True)
        return
    except (ConflictError, NotFoundError):
        await query.answer(talk.say("This offer can't be given any more."), show_alert=True)
        return
    else:
        own = done.decided_by == member.id
        outcome = (
            talk.say("Somebody has decided this already.") if not own
            else talk.say("✅ Approved.") if callback_data.yes else talk.say("✖️ Refused.")
        )  # fmt: skip
    await query.answer()
    if isinstance(query.message, Message):
        await query.message.edit_text(f"{query.message.html_text}\n{outcome}")


def _stale(talk: Talk) -> str:
    return talk.say("This button no longer works. Type /menu to start again.")
