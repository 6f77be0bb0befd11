"""Notices to the team: what became of what somebody asked for."""

from collections.abc import Callable
from dataclasses import replace

from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from handlers.chat.told import Params, Told
from handlers.chat.voice import Voice
from handlers.words import Words


def leading(told: Told, said: Words, address: str) -> Told:
    """The same with a button that opens the ticket it is about."""
    rows = told.buttons.inline_keyboard if told.buttons else []
    own = [InlineKeyboardButton(text=said("Open the desk"), url=address)]
    return replace(told, buttons=InlineKeyboardMarkup(inline_keyboard=[*rows, own]))


def _approved(voice: Voice, params: Params) -> Told:
    return _decided(voice, params, voice.say("✅ {by} has approved it.", by=str(params["by"])))


def _refused(voice: Voice, params: Params) -> Told:
    return _decided(voice, params, _no(voice, params))


def _no(voice: Voice, params: Params) -> str:
    """Who has refused it, and why; what was refused before reasons were asked for has none."""
    by = voice.say("✖️ {by} has refused it.", by=str(params["by"]))
    return f"{by}\n{voice.say('“{words}”', words=str(params['refusal']))}" if params.get("refusal") else by


def _campaign_approved(voice: Voice, params: Params) -> Told:
    return _of_campaign(
        voice, params, voice.say("✅ {by} has approved it. It goes out by itself now.", by=str(params["by"]))
    )


def _campaign_refused(voice: Voice, params: Params) -> Told:
    return _of_campaign(voice, params, _no(voice, params))


def _of_campaign(voice: Voice, params: Params, outcome: str) -> Told:
    return Told(voice.say("Campaign <b>{name}</b>", name=str(params["campaign"])) + "\n" + outcome)


def _decided(voice: Voice, params: Params, outcome: str) -> Told:
    what = voice.say(
        "<b>{points} points</b> for {customer}: {reason}", points=voice.words.signed(int(params["points"])),
        customer=str(params.get("customer") or voice.words("a customer")), reason=str(params["reason"]),
    )  # fmt: skip
    return Told(f"{what}\n{outcome}")


def _mentioned(voice: Voice, params: Params) -> Told:
    return Told(
        voice.say("📝 {by} calls you in request #{n}:", by=str(params["by"]), n=str(params["ticket"]))
        + "\n"
        + voice.say("“{words}”", words=str(params["text"])[:500])
    )


def _campaign_test(_voice: Voice, params: Params) -> Told:
    return Told(str(params["text"]), files=params["files"], plain=True)


KINDS: dict[str, Callable[[Voice, Params], Told]] = {
    "campaign_approved": _campaign_approved,
    "campaign_refused": _campaign_refused,
    "campaign_test": _campaign_test,
    "mentioned": _mentioned,
    "points_adjustment_approved": _approved,
    "points_adjustment_refused": _refused,
}
