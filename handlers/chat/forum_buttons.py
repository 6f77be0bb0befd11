"""What taps and commands in the team's forum are given and give."""

from dataclasses import dataclass
from typing import Annotated

from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardMarkup
from pydantic import Field

from handlers.chat.commands import Number
from handlers.words import Words
from store.engine import Work
from store.errors import InvalidError
from store.staff import Member

LISTED = 8
"""What a choice lists at most."""


class Do(CallbackData, prefix="f"):
    """Do something with a ticket; `value` is what was chosen, empty where it is still to be asked."""

    act: Annotated[str, Field(max_length=10)]
    ticket: Number
    value: Annotated[str, Field(max_length=24)] = ""


@dataclass(frozen=True, slots=True)
class Desk:
    """Who does something with which ticket. `key` is this message's or tap's own: what it gives, it gives once."""

    work: Work
    member: Member
    ticket_id: int
    said: Words
    key: str
    quoted: int | None = None
    """The ticket's line that the command answers."""


Answer = tuple[str, InlineKeyboardMarkup | None]


class UnclearError(InvalidError):
    """What was typed after a command can't be understood."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(field, "unclear", text)
