"""What a notice comes to, once it is in words."""

from dataclasses import dataclass, field
from typing import Any

from aiogram.types import InlineKeyboardMarkup


@dataclass(frozen=True, slots=True)
class Told:
    """A notice ready to be sent: HTML text (plain where `plain`), buttons, and files by content address."""

    text: str
    buttons: InlineKeyboardMarkup | None = None
    files: list[dict[str, Any]] = field(default_factory=list)
    plain: bool = False


Params = dict[str, Any]
