"""The commands, the buttons that stand for them, and what taps carry."""

from functools import cache
from typing import Annotated

from aiogram.filters.callback_data import CallbackData
from aiogram.types import (
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    KeyboardButton,
    ReplyKeyboardMarkup,
)
from pydantic import Field

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
    "menu": "Menu", "challenges": "Challenges",
}  # fmt: skip
"""What a command's button says, as message ids."""

KEYBOARD = (("points", "card", "rewards"), ("vouchers", "invite", "support"), ("menu",))
BUTTON_CHARS = 60
"""A longer label is cut: phones show no more of it."""

Number = Annotated[int, Field(ge=1, le=2**53)]
"""A row's number as a tap carries it. Taps can be forged: what can't be a number of ours is no button of ours."""
Price = Annotated[int, Field(ge=0, le=2**31 - 1)]


def _marked() -> None:
    """The message ids above, said once where the catalogue's extraction sees them."""
    _ = words(LANGUAGES[0])
    _("Everything I can do"), _("My points"), _("My membership card"), _("My vouchers"), _("Swap points for rewards")
    _("Invite a friend"), _("Ask for help"), _("My requests"), _("Language"), _("Privacy and offers"), _("Help")
    _("Points"), _("Card"), _("Rewards"), _("Vouchers"), _("Invite"), _("Support"), _("Requests"), _("Privacy")
    _("Menu"), _("Challenges")


class Go(CallbackData, prefix="go"):
    """Run a command by a tap."""

    command: str


class Buy(CallbackData, prefix="buy"):
    """A reward at the price that was shown; `sure` on the second tap, which buys."""

    program: Number
    price: Price
    sure: bool = False


class Leave(CallbackData, prefix="leave"):
    """Leave a question as it is: take it away."""


class Called(CallbackData, prefix="addr"):
    """How the person wishes to be addressed."""

    address: str


class Speak(CallbackData, prefix="lang"):
    language: str


class Topic(CallbackData, prefix="topic"):
    topic: str


class Held(CallbackData, prefix="held"):
    """Send what was not understood to the staff."""


class Helped(CallbackData, prefix="helped"):
    """Whether the article that answered a question helped."""

    question: Number
    yes: bool


class Mine(CallbackData, prefix="mine"):
    """A member of staff sees to what is late."""

    escalation: Number


class KeepPromise(CallbackData, prefix="pkept"):
    """What was promised is done."""

    promise: Number


class Rate(CallbackData, prefix="rate"):
    ticket: Number
    stars: int


class Offers(CallbackData, prefix="ads"):
    """Agree to offers, or stop them."""

    agree: bool


class Hear(CallbackData, prefix="hear"):
    """Agree to a purpose (see store.outbox.Purpose), or stop it."""

    purpose: int
    agree: bool


class CopyData(CallbackData, prefix="copy"):
    """A copy of all that is kept of the person."""


class Forget(CallbackData, prefix="forget"):
    """Be forgotten: `ask` says what it costs, `sure` is the second tap, `stay` takes it back."""

    step: str


class Press(CallbackData, prefix="press"):
    """One of the shop's own buttons below a campaign's message, by its place among them."""

    delivery: Number
    place: Annotated[int, Field(ge=0, le=9)]


class Stop(CallbackData, prefix="stop"):
    """Hear no more of a purpose (see store.outbox.Purpose): on every message that was sent to many."""

    purpose: int


class Invite(CallbackData, prefix="inv"):
    """One's invitation with the QR for another messenger, by its place among them."""

    place: Annotated[int, Field(ge=0, le=20)]


class DrawEntry(CallbackData, prefix="draw"):
    """Open an entry of a lucky draw."""

    entry: Number


class EntryFor(CallbackData, prefix="entry"):
    """An entry of a lucky draw at the price in points that was shown; `sure` on the second tap, which draws."""

    draw: Number
    price: Price
    sure: bool = False


class History(CallbackData, prefix="hist"):
    """A page of the statement: what came before a transfer; 0: the newest."""

    before: Annotated[int, Field(ge=0, le=2**62)] = 0


class Present(CallbackData, prefix="gift"):
    """Points for a friend, as far as they are named: none yet, how many, whom (`phone`; "-": whoever opens a link). `sure`
    on the last tap, which gives them.
    """

    points: Price = 0
    phone: Annotated[str, Field(max_length=20)] = ""
    sure: bool = False


class PresentVoucher(CallbackData, prefix="vgive"):
    """Give a voucher to a friend by a link."""

    voucher: Number


class KeepVoucher(CallbackData, prefix="vkeep"):
    """Take a voucher back that no friend has taken yet."""

    voucher: Number


class Show(CallbackData, prefix="vch"):
    """A voucher's picture with its QR."""

    voucher: Number


def keyboard(said: Words, *, share_phone: bool = False) -> ReplyKeyboardMarkup:
    """The buttons that stay under the chat; `share_phone` puts one above them that proves the phone number."""
    rows = [[KeyboardButton(text=said(LABELS[command])) for command in row] for row in KEYBOARD]
    if share_phone:
        rows.insert(0, [KeyboardButton(text=said("Share my number"), request_contact=True)])
    return ReplyKeyboardMarkup(keyboard=rows, resize_keyboard=True, is_persistent=True)


def go(said: Words, *commands: str) -> InlineKeyboardMarkup:
    """Buttons under a message, one row."""
    return InlineKeyboardMarkup(inline_keyboard=[[go_button(said, command) for command in commands]])


def go_button(said: Words, command: str) -> InlineKeyboardButton:
    return InlineKeyboardButton(text=said(LABELS[command]), callback_data=Go(command=command).pack())


def button(text: str, data: CallbackData) -> InlineKeyboardButton:
    """A button under a message, its label cut to what phones show."""
    short = text if len(text) <= BUTTON_CHARS else f"{text[: BUTTON_CHARS - 1].rstrip()}…"
    return InlineKeyboardButton(text=short, callback_data=data.pack())


def menu(said: Words, *more: str) -> InlineKeyboardMarkup:
    """Every command as a button, two in a row; `more` before them, where the shop has it."""
    every = [*more, *(command for command, _ in COMMANDS if command != "menu")]
    pairs = [every[start : start + 2] for start in range(0, len(every), 2)]
    return InlineKeyboardMarkup(inline_keyboard=[[go_button(said, command) for command in pair] for pair in pairs])


@cache
def by_label() -> dict[str, str]:
    """Command by what its button says, in every language: a tap on a reply keyboard arrives as its words."""
    return {words(language)(label): command for language in LANGUAGES for command, label in LABELS.items()}
