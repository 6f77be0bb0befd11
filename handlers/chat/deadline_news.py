"""Notices about time: to the team what is theirs now, late or soon will be, to customers what they were promised."""

from collections.abc import Callable
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from handlers.chat.commands import KeepPromise, Mine, button, go
from handlers.chat.told import Params, Told
from handlers.chat.voice import Voice


def by_when(voice: Voice, due: datetime, at: datetime, zone: str) -> str:
    """Until when, as one says it at a moment: 15:30, 9:00 tomorrow, 9:00 on 23/11."""
    local, today = due.astimezone(ZoneInfo(zone)), at.astimezone(ZoneInfo(zone)).date()
    time, days = f"{local.hour}:{local.minute:02}", (local.date() - today).days
    if days == 0:
        return time
    if days == 1:
        return voice.say("{time} tomorrow", time=time)
    return voice.say("{time} on {day}", time=time, day=voice.words.day(local.date()))


def _handed(voice: Voice, params: Params) -> Told:
    text = voice.say("👉 <b>#{ticket}</b> · {customer} is yours now.", **_ticket(voice, params))
    return Told(f"{text}\n“{escape(str(params['what']))}”" if params.get("what") else text)


def _warning(voice: Voice, params: Params) -> Told:
    text = voice.say("⏱ <b>#{ticket}</b> · {customer}: {what} due by <b>{when}</b>.", **_ticket(voice, params))
    return Told(text)


def _missed(voice: Voice, params: Params) -> Told:
    text = voice.say("🔴 <b>#{ticket}</b> {customer}: {what} was due at <b>{when}</b>.", **_ticket(voice, params))
    return Told(text + _rung(voice, params), _buttons(_mine(voice, params)))


def _promise_due(voice: Voice, params: Params) -> Told:
    text = voice.say(
        "⏱ <b>#{ticket}</b> · {customer}: you promised “{promised}” by <b>{when}</b>.", **_ticket(voice, params)
    )
    return Told(text, _buttons([_kept(voice, params)]))


def _promise_missed(voice: Voice, params: Params) -> Told:
    text = voice.say(
        "🔴 <b>#{ticket}</b> {customer}: “{promised}” was promised by <b>{when}</b> and isn't done.",
        **_ticket(voice, params),
    )
    return Told(text + _rung(voice, params), _buttons([_kept(voice, params), *_mine(voice, params)]))


def _digest(voice: Voice, params: Params) -> Told:
    """What was held back, one line a ticket."""
    count = int(params["count"])
    lines = [voice.plural("⏱ {n} more ticket needs somebody:", "⏱ {n} more tickets need somebody:", count)]
    for item in params["items"]:
        late = item["kind"] in {"sla_missed", "promise_missed"}
        text = "🔴 <b>#{ticket}</b> {what}, {when}" if late else "• <b>#{ticket}</b> {what}, {when}"
        lines.append(text.format(**_ticket(voice, item)))
    left = count - len(params["items"])
    if left > 0:
        lines.append(voice.plural("and {n} more.", "and {n} more.", left))
    return Told("\n".join(lines))


def _made(voice: Voice, params: Params) -> Told:
    text = voice.say("🤝 {agent} promises {you}: <b>{promised}</b>, by <b>{when}</b>.", **_promise(voice, params))
    return Told(text)


def _changed(voice: Voice, params: Params) -> Told:
    text = voice.say(
        "🤝 New time: <b>{promised}</b>, by <b>{when}</b>. Thank {you} for waiting.", **_promise(voice, params)
    )
    return Told(text)


def _done(voice: Voice, params: Params) -> Told:
    text = voice.say("✅ Done: <b>{promised}</b>. If something is missing, just write here.", **_promise(voice, params))
    return Told(text)


def _withdrawn(voice: Voice, params: Params) -> Told:
    text = voice.say(
        "“{promised}” won't be needed any more. If {you} see it differently, just write here.",
        **_promise(voice, params),
    )
    return Told(text, go(voice.words, "support"))


def _ticket(voice: Voice, params: Params) -> Params:
    zone, at = str(params["zone"]), datetime.fromisoformat(params["deadline"])
    return {
        "ticket": str(params["ticket"]), "customer": str(params.get("customer") or voice.words("a customer")),
        "what": WHAT[str(params["late"])](voice), "when": voice.words.moment(at, zone),
        "promised": str(params.get("what") or ""),
    }  # fmt: skip


def _promise(voice: Voice, params: Params) -> Params:
    zone, at = str(params["zone"]), datetime.fromisoformat(params["deadline"])
    return {
        "agent": str(params["agent"]), "promised": str(params["what"]), "when": voice.words.moment(at, zone),
    }  # fmt: skip


def _rung(voice: Voice, params: Params) -> str:
    """Said from the second level on: nobody has taken it so far."""
    return "\n" + voice.say("Nobody has said yet that they see to it.") if int(params.get("level") or 0) > 1 else ""


def _mine(voice: Voice, params: Params) -> list[InlineKeyboardButton]:
    number = params.get("escalation")
    return [] if number is None else [button(voice.words("I'll see to it"), Mine(escalation=int(number)))]


def _kept(voice: Voice, params: Params) -> InlineKeyboardButton:
    return button(voice.words("Done ✓"), KeepPromise(promise=int(params["promise"])))


def _buttons(row: list[InlineKeyboardButton]) -> InlineKeyboardMarkup | None:
    return InlineKeyboardMarkup(inline_keyboard=[row]) if row else None


WHAT: dict[str, Callable[[Voice], str]] = {
    "first": lambda voice: voice.words("first answer"), "next": lambda voice: voice.words("answer"),
    "resolution": lambda voice: voice.words("solution"), "promise": lambda voice: voice.words("promise"),
    "handed": lambda voice: voice.words("yours now"),
}  # fmt: skip
"""What a deadline is for, as part of a sentence."""

KINDS: dict[str, Callable[[Voice, Params], Told]] = {
    "ticket_handed": _handed,
    "sla_warning": _warning,
    "sla_missed": _missed,
    "promise_due": _promise_due,
    "promise_missed": _promise_missed,
    "alerts_digest": _digest,
    "promise_made": _made,
    "promise_changed": _changed,
    "promise_kept": _done,
    "promise_withdrawn": _withdrawn,
}
