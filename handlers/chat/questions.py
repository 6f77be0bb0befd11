"""Questions that we ask customers after their case or their order, with their buttons: what would make it good, whether all
is well, whether the order was, how likely they would recommend us, how easy it was.
"""

from typing import Annotated

from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup
from pydantic import Field

from handlers.chat.commands import Number, button
from handlers.complaint_words import remedies
from handlers.words import Words


class Wants(CallbackData, prefix="wants"):
    """What would make a complaint good (see Remedy)."""

    ticket: Number
    remedy: Annotated[str, Field(max_length=10)]


class Well(CallbackData, prefix="well"):
    """Whether all is well after a complaint."""

    ticket: Number
    good: bool


class Score(CallbackData, prefix="score"):
    """The answer to a survey."""

    survey: Number
    score: Annotated[int, Field(ge=0, le=10)]


class Bought(CallbackData, prefix="bought"):
    """Whether an order was all right."""

    survey: Number
    good: bool


class Decide(CallbackData, prefix="gw"):
    """A supervisor decides goodwill that waits."""

    goodwill: Number
    yes: bool


def remedy_buttons(said: Words, ticket_id: int) -> InlineKeyboardMarkup:
    every = [button(label, Wants(ticket=ticket_id, remedy=remedy)) for remedy, label in remedies(said).items()]
    return InlineKeyboardMarkup(inline_keyboard=[every[:2], every[2:4], every[4:]])


def well_buttons(said: Words, ticket_id: int) -> InlineKeyboardMarkup:
    row = [
        button(said("Yes, all is well"), Well(ticket=ticket_id, good=True)),
        button(said("Not yet"), Well(ticket=ticket_id, good=False)),
    ]
    return InlineKeyboardMarkup(inline_keyboard=[row])


def order_buttons(said: Words, survey_id: int) -> InlineKeyboardMarkup:
    row = [
        button(said("👍 All was well"), Bought(survey=survey_id, good=True)),
        button(said("👎 Not really"), Bought(survey=survey_id, good=False)),
    ]
    return InlineKeyboardMarkup(inline_keyboard=[row])


def nps_buttons(survey_id: int) -> InlineKeyboardMarkup:
    """0 to 10, in two rows."""
    every = [
        InlineKeyboardButton(text=str(score), callback_data=Score(survey=survey_id, score=score).pack())
        for score in range(11)
    ]
    return InlineKeyboardMarkup(inline_keyboard=[every[6:], every[:6]])


def efforts(said: Words) -> dict[int, str]:
    """How easy it was, in words, the best first."""
    return {
        5: said("Very easy"), 4: said("Easy"), 3: said("So-so"), 2: said("Hard"), 1: said("Very hard"),
    }  # fmt: skip


def effort_buttons(said: Words, survey_id: int) -> InlineKeyboardMarkup:
    every = [button(label, Score(survey=survey_id, score=score)) for score, label in efforts(said).items()]
    return InlineKeyboardMarkup(inline_keyboard=[every[:2], every[2:]])


def decide_buttons(said: Words, goodwill_id: int) -> InlineKeyboardMarkup:
    row = [
        button(said("Approve"), Decide(goodwill=goodwill_id, yes=True)),
        button(said("Refuse"), Decide(goodwill=goodwill_id, yes=False)),
    ]
    return InlineKeyboardMarkup(inline_keyboard=[row])
