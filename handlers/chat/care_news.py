"""Notices of care: what everybody hears whom an incident touched."""

from collections.abc import Callable
from html import escape

from handlers.chat.commands import go
from handlers.chat.told import Params, Told
from handlers.chat.voice import Voice


def _incident(voice: Voice, params: Params) -> Told:
    text = escape(str(params["words"]))
    return Told(
        f"{text}\n\n" + voice.say("If it troubles {you}, tap the button and write to us."), go(voice.words, "support")
    )


def _over(voice: Voice, params: Params) -> Told:
    return Told(escape(str(params["words"])), go(voice.words, "support"))


KINDS: dict[str, Callable[[Voice, Params], Told]] = {"incident": _incident, "incident_over": _over}
