"""Notices about points beside orders: bonuses, gifts between friends, what expires, what comes back."""

from collections.abc import Callable
from datetime import date

from handlers.chat.commands import go
from handlers.chat.told import Params, Told
from handlers.chat.voice import Voice
from loyalty.customers import addressing


def _returned(voice: Voice, params: Params) -> Told:
    return Told(
        voice.say(
            "<b>+{points} points</b>: order {order} was returned, and the points that paid for it are back.",
            points=params["points"], order=str(params["order"]),
        ),
        go(voice.words, "points"),
    )  # fmt: skip


def _expiring(voice: Voice, params: Params) -> Told:
    day = voice.words.date(date.fromisoformat(params["on"]))
    if params["days"] <= 1:
        text = voice.say(
            "<b>{points} points</b> can be used until {day} only. Swap them for something nice?",
            points=params["points"], day=day,
        )  # fmt: skip
    else:
        text = voice.say(
            "<b>{points} points</b> can be used until {day}. Have a look at what they buy?",
            points=params["points"], day=day,
        )  # fmt: skip
    return Told(text, go(voice.words, "rewards", "points"))


def _bonus(voice: Voice, params: Params) -> Told:
    points = params["points"]
    text = {
        "join": voice.say("<b>+{points} points</b>: welcome, it's good to have you with us. 🎁", points=points),
        "profile": voice.say("<b>+{points} points</b>: thank you for completing your profile.", points=points),
        "birthday": voice.say("Happy birthday, {name}! 🎂 <b>+{points} points</b> from all of us.", points=points),
        "review": voice.say("<b>+{points} points</b>: thank you for telling us what you think.", points=points),
        "streak": voice.say("<b>+{points} points</b>: thank you for coming by so often. 🎉", points=points),
    }.get(str(params["cause"])) or voice.say("<b>+{points} points</b>: a bonus for you.", points=points)
    return Told(text, go(voice.words, "points", "rewards"))


def _gift_received(voice: Voice, params: Params) -> Told:
    giver = addressing.given_name(str(params.get("giver") or ""), voice.language)
    text = (
        voice.say("{giver} gives you <b>{points} points</b>. 🎁", giver=giver, points=params["points"])
        if giver
        else voice.say("A friend gives you <b>{points} points</b>. 🎁", points=params["points"])
    )
    return Told(text, go(voice.words, "points", "rewards"))


def _gift_taken(voice: Voice, params: Params) -> Told:
    return Told(
        voice.say("Your friend has taken your gift of <b>{points} points</b>.", points=params["points"]),
        go(voice.words, "points"),
    )


def _gift_returned(voice: Voice, params: Params) -> Told:
    return Told(
        voice.say(
            "Nobody took your gift within 7 days: <b>{points} points</b> are back with you.", points=params["points"]
        ),
        go(voice.words, "points"),
    )


KINDS: dict[str, Callable[[Voice, Params], Told]] = {
    "points_returned": _returned,
    "points_expiring": _expiring,
    "bonus": _bonus,
    "gift_received": _gift_received,
    "gift_taken": _gift_taken,
    "gift_returned": _gift_returned,
}
