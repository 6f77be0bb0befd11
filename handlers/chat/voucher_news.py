"""What is told of vouchers that come back or go to a friend."""

from datetime import date

from handlers.chat.commands import go
from handlers.chat.told import Params, Told
from handlers.chat.voice import Voice
from loyalty.customers import addressing


def returned(voice: Voice, params: Params) -> Told:
    """An order was undone, and its voucher is back."""
    text = voice.say(
        "Order {order} was returned, so your voucher <b>{program}</b> can be used again.",
        order=str(params["order"]), program=str(params["program"]),
    )  # fmt: skip
    return Told(text + _until(voice, params), go(voice.words, "vouchers"))


def gift_taken(voice: Voice, params: Params) -> Told:
    """A friend opened the link."""
    friend = addressing.given_name(str(params.get("friend") or ""), voice.language)
    if friend:
        text = voice.say(
            "{friend} has your gift now: <b>{program}</b>. 🎁", friend=friend, program=str(params["program"])
        )
    else:
        text = voice.say("Your friend has your gift now: <b>{program}</b>. 🎁", program=str(params["program"]))
    return Told(text, go(voice.words, "vouchers"))


def gift_lapsed(voice: Voice, params: Params) -> Told:
    """Nobody opened the link in time."""
    text = voice.say("Nobody opened your gift <b>{program}</b>, so it is yours again.", program=str(params["program"]))
    return Told(text + _until(voice, params), go(voice.words, "vouchers"))


def _until(voice: Voice, params: Params) -> str:
    if not params.get("last_day"):
        return ""
    return " " + voice.say("Valid until {day}.", day=voice.words.date(date.fromisoformat(params["last_day"])))
