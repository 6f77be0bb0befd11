"""The commands, the buttons that stand for them, and what taps carry."""

from functools import cache

from aiogram.filters.callback_data import CallbackData
from aiogram.types import (
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    KeyboardButton,
    ReplyKeyboardMarkup,
)

from handlers.words import LANGUAGES, Words, words

COMMANDS = (
    ("menu", "Everything I can do"),
    ("points", "My points"),
    ("card", "My membership card"),
    ("vouchers", "My vouchers"),
    ("rewards", "Swap points for rewards"),
    ("invite", "Invite a friend"),
    ("support", "Ask for help"),
    ("tickets", "My requests"),
    ("language", "Language"),
    ("privacy", "Privacy and offers"),
    ("help", "Help"),
)
"""Command and its description, as message ids."""

LABELS = {
    "points": "Points", "card": "Card", "rewards": "Rewards", "vouchers": "Vouchers", "invite": "Invite",
    "support": "Support", "tickets": "Requests", "language": "Language", "privacy": "Privacy", "help": "Help",
    "menu": "Menu",
}  # fmt: skip
"""What a command's button says, as message ids."""

KEYBOARD = (("points", "card", "rewards"), ("vouchers", "invite", "support"), ("menu",))


def _marked() -> None:
    """The message ids above, said once where the catalogue's extraction sees them."""
    _ = words(LANGUAGES[0])
    _("Everything I can do"), _("My points"), _("My membership card"), _("My vouchers"), _("Swap points for rewards")
    _("Invite a friend"), _("Ask for help"), _("My requests"), _("Language"), _("Privacy and offers"), _("Help")
    _("Points"), _("Card"), _("Rewards"), _("Vouchers"), _("Invite"), _("Support"), _("Requests"), _("Privacy"), _("Menu")


class Go(CallbackData, prefix="go"):
    """Run a command by a tap."""

    command: str


class Buy(CallbackData, prefix="buy"):
    """A reward at the price that was shown; `sure` on the second tap, which buys."""

    program: int
    price: int
    sure: bool = False


class Called(CallbackData, prefix="addr"):
    """How the person wishes to be addressed."""

    address: str


class Speak(CallbackData, prefix="lang"):
    language: str


class Topic(CallbackData, prefix="topic"):
    topic: str


class Held(CallbackData, prefix="held"):
    """What was not understood: `send` it to the staff, or let it go."""

    send: bool


class Rate(CallbackData, prefix="rate"):
    ticket: int
    stars: int


class Offers(CallbackData, prefix="ads"):
    """Agree to offers, or stop them."""

    agree: bool


class Show(CallbackData, prefix="vch"):
    """A voucher's picture with its QR."""

    voucher: int


def keyboard(said: Words) -> ReplyKeyboardMarkup:
    """The buttons that stay under the chat."""
    rows = [[KeyboardButton(text=said(LABELS[command])) for command in row] for row in KEYBOARD]
    return ReplyKeyboardMarkup(keyboard=rows, resize_keyboard=True, is_persistent=True)


def go(said: Words, *commands: str) -> InlineKeyboardMarkup:
    """Buttons under a message, one row."""
    return InlineKeyboardMarkup(inline_keyboard=[[go_button(said, command) for command in commands]])


def go_button(said: Words, command: str) -> InlineKeyboardButton:
    return InlineKeyboardButton(text=said(LABELS[command]), callback_data=Go(command=command).pack())


def menu(said: Words) -> InlineKeyboardMarkup:
    """Every command as a button, two in a row."""
    every = [command for command, _ in COMMANDS if command != "menu"]
    pairs = [every[start : start + 2] for start in range(0, len(every), 2)]
    return InlineKeyboardMarkup(inline_keyboard=[[go_button(said, command) for command in pair] for pair in pairs])


@cache
def by_label() -> dict[str, str]:
    """Command by what its button says, in every language: a tap on a reply keyboard arrives as its words."""
    return {words(language)(label): command for language in LANGUAGES for command, label in LABELS.items()}
