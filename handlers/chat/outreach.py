"""What the shop writes to many: a campaign's words to one person, with its label, their voucher and the way to stop it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import date

from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message

from handlers.chat.commands import Press, Stop, button, go
from handlers.chat.talk import Talk
from handlers.chat.told import Told
from handlers.words import words
from loyalty.customers import addressing
from loyalty.customers.addressing import Address
from loyalty.outreach import consents, templates
from loyalty.outreach.campaigns.contents import CAPTION_CHARS, Button, ButtonKind, Picture
from loyalty.outreach.manners import Reach
from loyalty.vouchers import vouchers
from store.outbox import Purpose

LABEL = {"vi": "[QC]", "en": "[AD]"}
"""What advertising begins with (Decree 91/2020)."""


def values_of(reach: Reach, *, points: int, tier: str, shop: str) -> dict[str, str]:
    """What a template's variables are for one person."""
    said = words(reach.language)
    name = addressing.given_name(reach.name, reach.language)
    forms = {"name": name or "there", "you": "you", "we": "we"}
    if reach.language == "vi":
        how = Address(reach.address) if reach.address in set(Address) else Address.BAN
        forms = {
            "name": name if how is Address.BAN and name else addressing.vocative(how, name), "you": addressing.pronoun(how), "we": addressing.self_pronoun(how),
        }  # fmt: skip
    forms |= {key.capitalize(): text[:1].upper() + text[1:] for key, text in forms.items()}
    return forms | {"points": said.number(points), "tier": tier, "shop": shop, "language": reach.language}


def voucher_values(language: str, *, name: str, code: str, last_day: str | None) -> dict[str, str]:
    """What a template may say of the voucher that goes with it; `last_day` as YYYY-MM-DD."""
    day = words(language).date(date.fromisoformat(last_day)) if last_day else ""
    return {"voucher": name, "code": vouchers.shown(code), "expires": day}


def told(
    template: str,
    values: dict[str, str],
    purpose: Purpose,
    language: str,
    *,
    shorten: Callable[[str], str],
    lead: Callable[[str], str] = str,
    buttons: Sequence[Button] = (),
    delivery_id: int = 1,
) -> Told:
    """The message: as the shop wrote it, with the voucher's code below where the shop didn't place it, and the shop's own
    buttons above the one that stops it. `shorten` puts the shop's own short links in the place of web addresses, `lead` in
    that of a button's.
    """
    said = words(language)
    text = shorten(templates.render(template, values))
    if purpose is Purpose.ADVERTISING:
        text = f"{LABEL[language]} {text}"
    code, expires = values.get("code"), values.get("expires")
    rows = [[_button(one, place, language, lead, delivery_id)] for place, one in enumerate(buttons)]
    if code:
        named = templates.names(template)
        lines = [said("The code for {you}: {code}", code=code, you=values["you"])] if "code" not in named else []
        if expires and "expires" not in named:
            lines.append(said("Valid until {day}.", day=expires))
        text = "\n\n".join([text, *(["\n".join(lines)] if lines else [])])
        rows += go(said, "vouchers").inline_keyboard
    label = said("Stop all offers") if purpose is Purpose.ADVERTISING else said("Stop these messages")
    rows.append([button(label, Stop(purpose=int(purpose)))])
    return Told(text, InlineKeyboardMarkup(inline_keyboard=rows), plain=True)


def _button(
    one: Button, place: int, language: str, lead: Callable[[str], str], delivery_id: int
) -> InlineKeyboardButton:
    if one.kind is ButtonKind.LINK:
        return InlineKeyboardButton(text=one.label(language), url=lead(one.to))
    return button(one.label(language), Press(delivery=delivery_id, place=place))


def with_pictures(message: Told, pictures: Sequence[Picture]) -> list[Told]:
    """The message with its pictures: one above short words is one message, else they go before the words, which hold the
    buttons.
    """
    files = [{"kind": "photo", **asdict(one)} for one in pictures]
    if len(files) == 1 and len(message.text) <= CAPTION_CHARS:
        return [replace(message, files=files)]
    return [*([Told("", files=files, plain=True)] if files else []), message]


async def stop(query: CallbackQuery, callback_data: Stop, talk: Talk) -> None:
    """One tap ends it: at once, for good, until the person says otherwise under /privacy."""
    purpose = Purpose(callback_data.purpose)
    if purpose in consents.ASKED:
        proof = {"way": "button", "account": talk.account}
        await talk.work.write(consents.record, talk.customer_id, purpose, agreed=False, proof=proof)
    await query.answer(talk.say("Done: {we} won't send {you} any more of these. /privacy brings them back."))
    if isinstance(query.message, Message):
        await query.message.edit_reply_markup(reply_markup=None)
