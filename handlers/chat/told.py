"""What a notice comes to, once it is in words."""

from dataclasses import dataclass, field
from typing import Any

from aiogram.types import InlineKeyboardMarkup


@dataclass(frozen=True, slots=True)
class Change:
    """Something done to a message that is there already: a call of aiogram's, and its parameters beside chat and number."""

    account: str
    chat: int
    message: int
    method: str
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """A notice ready to be sent: HTML text (plain where `plain`), buttons, and files by content address; or, where there
    are `changes`, these alone. `quotes`: where the message that it answers stands (account, chat, message).
    """

    text: str
    buttons: InlineKeyboardMarkup | None = None
    files: list[dict[str, Any]] = field(default_factory=list)
    plain: bool = False
    changes: list[Change] = field(default_factory=list)
    quotes: list[dict[str, Any]] = field(default_factory=list)


Params = dict[str, Any]
