"""Notices of complaints and of what customers think, in words: to customers, and to the team."""

from collections.abc import Callable
from datetime import date, datetime
from html import escape

from handlers.chat import questions
from handlers.chat.commands import go
from handlers.chat.deadline_news import by_when
from handlers.chat.rating import rating_buttons
from handlers.chat.told import Params, Told
from handlers.chat.voice import Voice
from loyalty.customers import addressing

# ── To customers ────────────────────────────────────────────────────────────────────────────────────


def _received(voice: Voice, params: Params) -> Told:
    number = int(params["ticket"])
    text = voice.say(
        "We are truly sorry, {name}. Your complaint <b>#{number}</b> is noted, and one of us will see it through. "
        "What would make it right for {you}? Tap a button or just write.", number=str(number),
    )  # fmt: skip
    if params.get("answer_by"):
        due, at = (datetime.fromisoformat(params[name]) for name in ("answer_by", "said_at"))
        text += "\n" + voice.say("We answer {you} by <b>{when}</b>.", when=by_when(voice, due, at, str(params["zone"])))
    return Told(text, questions.remedy_buttons(voice.words, number))


def _recovery(voice: Voice, params: Params) -> Told:
    return Told(
        voice.say(
            "We are sorry that we let {you} down, {name}. Somebody in charge looks at it in person and will write to {you} "
            "here (<b>#{number}</b>).", number=str(params["ticket"]),
        )
    )  # fmt: skip


def _check(voice: Voice, params: Params) -> Told:
    number = int(params["ticket"])
    text = (
        voice.say("{Name}, just asking once more: is everything all right with complaint <b>#{number}</b>?", number=str(number))
        if params.get("again")
        else voice.say(
            "Hello {name}! A few days ago something went wrong (<b>#{number}</b>). Is everything all right now?",
            number=str(number),
        )
    )  # fmt: skip
    return Told(text, questions.well_buttons(voice.words, number))


def _given(voice: Voice, params: Params) -> Told:
    if params.get("program"):
        text = voice.say(
            "With our apology from {shop}: <b>{program}</b>.", shop=str(params["shop"]), program=str(params["program"])
        )
        text += f"\n<code>{escape(str(params['code']))}</code>"
        if params.get("last_day"):
            text += "\n" + voice.say("Valid until {day}.", day=voice.words.date(date.fromisoformat(params["last_day"])))
        return Told(text, go(voice.words, "vouchers"))
    return Told(
        voice.say(
            "<b>+{points} points</b>, with our apology from {shop}.", points=int(params["points"]),
            shop=str(params["shop"]),
        ),
        go(voice.words, "points", "rewards"),
    )  # fmt: skip


def _taken_back(voice: Voice, params: Params) -> Told:
    if params.get("program"):
        return Told(
            voice.say("The voucher <b>{program}</b> was given by mistake and has been taken back. Ask us if {you} wonder why.", program=str(params["program"]))
        )  # fmt: skip
    return Told(
        voice.say(
            "<b>−{points} points</b>: they were given by mistake and have been taken back. Ask us if {you} wonder why.",
            points=int(params["points"]),
        ),
        go(voice.words, "points"),
    )


def _rating_reminder(voice: Voice, params: Params) -> Told:
    number = int(params["ticket"])
    return Told(
        voice.say("How was our help with request <b>#{number}</b>? One tap is enough.", number=str(number)),
        rating_buttons(number),
    )


def _nps(voice: Voice, params: Params) -> Told:
    return Told(
        voice.say("A short question, {name}: how likely would {you} recommend us to a friend? 0: never, 10: gladly."),
        questions.nps_buttons(int(params["survey"])),
    )


def _order_question(voice: Voice, params: Params) -> Told:
    return Told(
        voice.say(
            "{Name}, was everything all right with order <b>{order}</b> at {shop}? One tap is enough.",
            order=str(params["order"]), shop=str(params["shop"]),
        ),
        questions.order_buttons(voice.words, int(params["survey"])),
    )  # fmt: skip


# ── To the team ─────────────────────────────────────────────────────────────────────────────────────


def _grave(voice: Voice, params: Params) -> Told:
    return Told(
        voice.say(
            "⚠️ A grave complaint: <b>#{number}</b>, level S{level}. See it at the desk.", number=str(params["ticket"]),
            level=str(params["level"]),
        )
    )  # fmt: skip


def _recovery_opened(voice: Voice, params: Params) -> Told:
    return Told(
        voice.say(
            "A customer gave {stars} ★ for #{rated}. Case <b>#{number}</b> is yours: please win them back.",
            stars=str(params["stars"]), rated=str(params["rated"]), number=str(params["ticket"]),
        )
    )  # fmt: skip


def _again(voice: Voice, params: Params) -> Told:
    text = voice.say(
        "Complaint <b>#{number}</b> is open again: the customer says it is not right yet.", number=str(params["ticket"])
    )
    return Told(f"{text}\n“{escape(str(params['words']))}”" if params.get("words") else text)


def what(voice: Voice, params: Params) -> str:
    """What is to be given, in a few words."""
    if params.get("program"):
        return escape(str(params["program"]))
    return voice.say("{points} points", points=int(params["points"]))


def _asked(voice: Voice, params: Params) -> Told:
    return Told(
        voice.say(
            "{by} would like to give {customer} <b>{what}</b> ({worth}): {reason}", by=str(params["by"]),
            customer=str(params.get("customer") or voice.words("a customer")), what=str(what(voice, params)),
            worth=voice.words.money(int(params["worth"])), reason=str(params["reason"]),
        ),
        questions.decide_buttons(voice.words, int(params["goodwill"])),
    )  # fmt: skip


def _approved(voice: Voice, params: Params) -> Told:
    return _decided(voice, params, voice.say("✅ {by} has approved it.", by=str(params["by"])))


def _refused(voice: Voice, params: Params) -> Told:
    return _decided(voice, params, voice.say("✖️ {by} has refused it.", by=str(params["by"])))


def _decided(voice: Voice, params: Params, outcome: str) -> Told:
    text = voice.say(
        "<b>{what}</b> for #{number}: {reason}", what=str(what(voice, params)), number=str(params["ticket"]),
        reason=str(params["reason"]),
    )  # fmt: skip
    return Told(f"{text}\n{outcome}")


def _compliment(voice: Voice, params: Params) -> Told:
    customer = addressing.given_name(str(params.get("customer") or ""), voice.language) or voice.words("A customer")
    stars = f" {'★' * int(params['stars'])}" if params.get("stars") else ""
    head = voice.say(
        "💛 {customer} has kind words for you (#{number}):", customer=customer, number=str(params["ticket"])
    )
    return Told(f"{head}{stars}\n“{escape(str(params['words']))}”")


KINDS: dict[str, Callable[[Voice, Params], Told]] = {
    "complaint_received": _received,
    "complaint_recovery": _recovery,
    "complaint_check": _check,
    "goodwill_given": _given,
    "goodwill_taken_back": _taken_back,
    "rating_reminder": _rating_reminder,
    "nps": _nps,
    "order_question": _order_question,
    "complaint_grave": _grave,
    "recovery_opened": _recovery_opened,
    "complaint_again": _again,
    "goodwill_asked": _asked,
    "goodwill_approved": _approved,
    "goodwill_refused": _refused,
    "compliment": _compliment,
}
