"""Notices of recognition in words: a badge, a finished quest, an entry, a surprise, a thank-you card."""

from collections.abc import Callable
from html import escape

from aiogram.types import InlineKeyboardMarkup

from handlers.chat.commands import go
from handlers.chat.told import Params, Told
from handlers.chat.voice import Voice
from loyalty.recognition.prizes import PrizeKind
from loyalty.recognition.surprises import When
from loyalty.recognition.wins import WinState


def _badge_earned(voice: Voice, params: Params) -> Told:
    text = voice.say(
        "{icon} A new badge for you: <b>{badge}</b>. Congratulations, {name}!", icon=str(params["icon"]),
        badge=str(params["badge"]),
    )  # fmt: skip
    if params.get("about"):
        text += "\n" + escape(str(params["about"]))
    picture = params.get("picture")
    files = [{"kind": "photo", "sha": picture, "name": "badge.png"}] if picture else []
    return Told(text, go(voice.words, "challenges"), files=files)


def _quest_done(voice: Voice, params: Params) -> Told:
    text = voice.say("You did it: <b>{quest}</b>! 🎉", quest=str(params["quest"]))
    return Told(f"{text}\n{_got(voice, params)}", _where(voice, params))


def _got(voice: Voice, params: Params) -> str:
    """What the prize is and where it is now."""
    if params.get("state") == WinState.MISSED:
        return voice.say(
            "Your prize “{prize}” is not there right now. We know, and will see to it.", prize=str(params["prize"])
        )
    if params["gives"] == PrizeKind.POINTS:
        return voice.say("<b>+{points} points</b> are yours.", points=int(params["points"]))
    if params["gives"] == PrizeKind.VOUCHER:
        return voice.say("Your prize: <b>{prize}</b>. It is among your vouchers.", prize=str(params["prize"]))
    return voice.say(
        "Your prize: <b>{prize}</b>. Show this message at the counter to pick it up.", prize=str(params["prize"])
    )


def _where(voice: Voice, params: Params) -> InlineKeyboardMarkup:
    first = "vouchers" if params["gives"] == PrizeKind.VOUCHER else "points"
    return go(voice.words, first, "challenges")


def _prize_taken_back(voice: Voice, params: Params) -> Told:
    if params["gives"] == PrizeKind.POINTS:
        text = voice.say(
            "An order was returned, so “{what}” isn't finished any more: <b>−{points} points</b>.",
            what=str(params["what"]), points=int(params["points"]),
        )  # fmt: skip
    else:
        text = voice.say(
            "An order was returned, so “{what}” isn't finished any more, and its prize “{prize}” goes back. You can finish it again.",
            what=str(params["what"]), prize=str(params["prize"]),
        )  # fmt: skip
    return Told(text, go(voice.words, "challenges"))


def _draw_entries(voice: Voice, params: Params) -> Told:
    count = voice.words.plural("{n} entry", "{n} entries", int(params["entries"]))
    text = voice.say(
        "You have {count} in “{draw}”. Open it whenever you like! 🎁", count=count, draw=str(params["draw"])
    )
    return Told(text, go(voice.words, "challenges"))


def _surprise_gift(voice: Voice, params: Params) -> Told:
    if params["happens"] == When.NTH:
        head = voice.say("Surprise! You are guest number <b>{number}</b> today. 🎁", number=int(params["number"]))
    elif params["happens"] == When.RETURN:
        head = voice.say("How lovely to see you again, {name}! We have missed you. 🎁")
    else:
        head = voice.say("Surprise! Today luck is on your side, {name}. 🎁")
    return Told(f"{head}\n{_got(voice, params)}", _where(voice, params))


def _thank_card(voice: Voice, params: Params) -> Told:
    text = voice.say("A card from {shop}, written just for you. 💌", shop=str(params.get("shop") or ""))
    return Told(text, files=list(params.get("files") or []))


KINDS: dict[str, Callable[[Voice, Params], Told]] = {
    "badge_earned": _badge_earned,
    "quest_done": _quest_done,
    "prize_taken_back": _prize_taken_back,
    "draw_entries": _draw_entries,
    "surprise_gift": _surprise_gift,
    "thank_card": _thank_card,
}
