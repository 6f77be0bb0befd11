"""Notices in words: what a kind of notice says to a person, with its buttons and pictures. How and when is the bot's."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from aiogram.types import InlineKeyboardMarkup

from handlers.chat.commands import go
from handlers.chat.help import rating_buttons
from handlers.chat.voice import Voice


@dataclass(frozen=True, slots=True)
class Told:
    """A notice ready to be sent: HTML text (plain where `plain`), buttons, and files by content address."""

    text: str
    buttons: InlineKeyboardMarkup | None = None
    files: list[dict[str, Any]] = field(default_factory=list)
    plain: bool = False


Params = dict[str, Any]


def render(kind: str, voice: Voice, params: Params) -> Told | None:
    """What to say for a notice; None for a kind that has no words for a messenger."""
    say = KINDS.get(kind)
    return say(voice, params) if say else None


def _points_earned(voice: Voice, params: Params) -> Told:
    text = voice.say("<b>+{points} points</b> for order {order} at {shop}. Thank you!", **_only(params, "points", "order", "shop"))
    if params.get("pending"):
        text += " " + voice.say("They will be yours after the return period.")
    return Told(text, go(voice.words, "points", "rewards"))


def _points_taken_back(voice: Voice, params: Params) -> Told:
    return Told(
        voice.say("<b>−{points} points</b>: order {order} was returned or changed.", **_only(params, "points", "order")),
        go(voice.words, "points"),
    )


def _tier_up(voice: Voice, params: Params) -> Told:
    return Told(
        voice.say("Congratulations, {name}! You have reached tier <b>{tier}</b>. 🎉", tier=str(params["tier"])),
        go(voice.words, "card"),
    )


def _referral_referrer(voice: Voice, params: Params) -> Told:
    if params.get("friend"):
        text = voice.say(
            "Your friend {friend} has placed a first order: <b>+{points} points</b> for you. Thank you!",
            friend=str(params["friend"]), points=params["points"],
        )  # fmt: skip
    else:
        text = voice.say("A friend of yours has placed a first order: <b>+{points} points</b> for you. Thank you!", points=params["points"])
    return Told(text, go(voice.words, "points", "invite"))


def _referral_friend(voice: Voice, params: Params) -> Told:
    return Told(
        voice.say("<b>+{points} points</b>: your welcome gift for coming by a friend's invitation. 🎁", points=params["points"]),
        go(voice.words, "points", "rewards"),
    )


def _voucher_given(voice: Voice, params: Params) -> Told:
    text = voice.say("A voucher for you: <b>{program}</b>.", program=str(params["program"]))
    text += f"\n<code>{params['code']}</code>"
    if params.get("last_day"):
        text += "\n" + voice.say("Valid until {day}.", day=voice.words.date(date.fromisoformat(params["last_day"])))
    return Told(text, go(voice.words, "vouchers"))


def _ticket_reply(voice: Voice, params: Params) -> Told:
    """The agent's own words, as they are."""
    return Told(str(params.get("text") or ""), files=list(params.get("files") or []), plain=True)


def _ticket_resolved(voice: Voice, params: Params) -> Told:
    number = params.get("ticket") or params.get("number")
    return Told(
        voice.say("Request <b>#{number}</b> is resolved. How was our help? If something is missing, just write here.", number=str(number)),
        rating_buttons(int(number or 0)),
    )


def _phone_code(voice: Voice, params: Params) -> None:
    """Goes to the phone itself, by the channel for codes; never into the chat that asked for it."""


def _only(params: Params, *names: str) -> Params:
    return {name: params.get(name, "") for name in names}


KINDS: dict[str, Callable[[Voice, Params], Told | None]] = {
    "points_earned": _points_earned,
    "points_taken_back": _points_taken_back,
    "tier_up": _tier_up,
    "referral_referrer": _referral_referrer,
    "referral_friend": _referral_friend,
    "voucher_given": _voucher_given,
    "ticket_reply": _ticket_reply,
    "ticket_resolved": _ticket_resolved,
    "phone_code": _phone_code,
}
