"""Privacy: what is kept, what the shop may write for, a copy of it all, and being forgotten."""

import asyncio
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message

from handlers import parcel
from handlers.chat.commands import CopyData, Forget, Hear, Leave, Offers, button, go
from handlers.chat.talk import Kept, Talk
from handlers.chat.told import Params, Told
from handlers.chat.voice import Voice
from loyalty.outreach import consents
from store.outbox import Purpose
from support.duties import copies, erasures, parcels
from support.duties.erasures import Erasure, Lost


async def show_privacy(message: Message, talk: Talk, _state: FSMContext) -> None:
    said, buttons = await view(talk)
    await message.answer(said, reply_markup=buttons)


async def view(talk: Talk) -> tuple[str, InlineKeyboardMarkup]:
    """What /privacy shows: the words, and a button for each thing that can be done."""
    stands = {purpose: await _agreed(talk, purpose) for purpose in consents.ASKED}
    asked = await talk.work.read(erasures.of_customer, talk.customer_id)
    return text(talk, stands, asked), choice(talk, stands, asked)


async def _agreed(talk: Talk, purpose: Purpose) -> bool:
    found = await talk.work.read(consents.allows, [talk.customer_id], purpose)
    return found[talk.customer_id].general


def text(talk: Talk, stands: dict[Purpose, bool], asked: Erasure | None) -> str:
    """What is kept, what is agreed to, and an erasure that is asked for."""
    parts = [
        talk.say(
            "We keep your name, phone number, orders, points and what you write to us, only to serve you. You can have a "
            "copy of it all, or have it erased."
        ),
        "\n".join(
            (
                talk.say("Offers: <b>yes</b>, you have agreed to receive them.")
                if stands[Purpose.ADVERTISING]
                else talk.say("Offers: <b>no</b>, you receive none."),
                talk.say("Care (birthday, expiring points, how it was): <b>yes</b>.")
                if stands[Purpose.CARE]
                else talk.say("Care (birthday, expiring points, how it was): <b>no</b>."),
                talk.say("Answers and news of your own orders always come."),
            )
        ),
    ]
    if asked is not None:
        parts.append(waits(talk.voice, asked.done_by, talk.shop.timezone))
    return "\n\n".join(parts)


def choice(talk: Talk, stands: dict[Purpose, bool], asked: Erasure | None) -> InlineKeyboardMarkup:
    """The buttons below it."""
    forget = (
        button(talk.words("Don't erase, I'm staying"), Forget(step="stay"))
        if asked is not None
        else button(talk.words("Forget me"), Forget(step="ask"))
    )
    return InlineKeyboardMarkup(
        inline_keyboard=[
            *(
                [button(choice_words(talk, purpose, agree=not agreed), Hear(purpose=int(purpose), agree=not agreed))]
                for purpose, agreed in reversed(stands.items())
            ),
            [button(talk.words("A copy of my data"), CopyData())],
            [forget],
        ]
    )


def choice_words(talk: Talk, purpose: Purpose, *, agree: bool) -> str:
    """What the button says that agrees or stops."""
    if purpose is Purpose.ADVERTISING:
        return talk.words("Yes, send me offers") if agree else talk.words("Stop all offers")
    return talk.words("Yes, ask and remind me") if agree else talk.words("Stop care messages")


async def choose(query: CallbackQuery, callback_data: Offers, talk: Talk) -> None:
    """An older message's button for offers."""
    await _hear(query, talk, Purpose.ADVERTISING, agree=callback_data.agree)


async def hear(query: CallbackQuery, callback_data: Hear, talk: Talk) -> None:
    """Agree to a purpose or stop it."""
    purpose = next((one for one in consents.ASKED if one == callback_data.purpose), None)
    if purpose is None:
        await query.answer()
        return
    await _hear(query, talk, purpose, agree=callback_data.agree)


async def _hear(query: CallbackQuery, talk: Talk, purpose: Purpose, *, agree: bool) -> None:
    # The proof of a yes is what it was said to.
    proof = {"way": "privacy", "account": talk.account, "words": choice_words(talk, purpose, agree=agree)}
    changed = await talk.work.write(consents.record, talk.customer_id, purpose, agreed=agree, proof=proof)
    await query.answer(talk.say("Noted."))
    if changed and isinstance(query.message, Message):
        said, buttons = await view(talk)
        await query.message.edit_text(said, reply_markup=buttons)


async def set_offers(talk: Talk, *, agree: bool) -> bool:
    """Agree to offers or stop them, in words; whether that was a change."""
    words = choice_words(talk, Purpose.ADVERTISING, agree=agree)
    proof = {"way": "privacy", "account": talk.account, "words": words}
    return await talk.work.write(consents.record, talk.customer_id, Purpose.ADVERTISING, agreed=agree, proof=proof)


# ── A copy ─────────────────────────────────────────────────────────────────────────────────────────


async def copy(query: CallbackQuery, talk: Talk) -> None:
    """All that is kept, as one file, into the chat it was asked for in."""
    if not isinstance(query.message, Message):
        return
    try:
        await talk.work.read(copies.may, talk.customer_id)
    except copies.TooSoonError:
        await query.answer(
            talk.say("{You} have just been given a copy. It is further up in this chat."), show_alert=True
        )
        return
    found = await talk.work.read(parcels.of, talk.customer_id)
    content = await asyncio.to_thread(parcel.pack, talk.words, found, talk.shop.timezone, talk.at)
    await talk.work.write(copies.hand_out, talk.customer_id, "customer", content, talk.shop.id, sent=True)
    await query.answer()
    await query.message.answer_document(
        Kept(content, parcel.NAME.format(number=talk.customer_id), "application/zip"),
        caption=talk.say(
            "All that we keep of {you}. Open <b>index.html</b> in it to read; photos and recordings are beside it, and "
            "<b>data.json</b> is for other programs. Keep the file to yourself."
        ),
    )


# ── Being forgotten ────────────────────────────────────────────────────────────────────────────────


async def forget(query: CallbackQuery, callback_data: Forget, talk: Talk) -> None:
    """`ask` names what is lost, `sure` asks for it, `stay` takes that back."""
    if not isinstance(query.message, Message):
        return
    if callback_data.step == "stay":
        stayed = await talk.work.write(erasures.withdraw, talk.customer_id)
        await query.answer()
        if stayed:
            await query.message.edit_text(talk.say("Good to have {you}: nothing is erased, all stays as it was."))
        return
    if callback_data.step == "sure":
        asked = await talk.work.write(erasures.ask, talk.customer_id, talk.shop.id)
        lost = await talk.work.read(erasures.consequences, talk.customer_id)
        await query.answer()
        stay = InlineKeyboardMarkup(
            inline_keyboard=[[button(talk.words("Don't erase, I'm staying"), Forget(step="stay"))]]
        )
        await query.message.edit_text(accepted(talk, asked, lost), reply_markup=stay)
        return
    lost = await talk.work.read(erasures.consequences, talk.customer_id)
    await query.answer()
    buttons = InlineKeyboardMarkup(
        inline_keyboard=[
            [button(talk.words("Yes, erase everything"), Forget(step="sure"))],
            [button(talk.words("No, keep it"), Leave())],
        ]
    )
    await query.message.answer(consequences(talk, lost), reply_markup=buttons)


def consequences(talk: Talk, lost: Lost) -> str:
    """What being forgotten costs, before it is asked for."""
    lines = [talk.say("name, phone number, birthday and this chat, with every photo")]
    if lost.points:
        lines.append(talk.say("<b>{points} points</b>", points=lost.points))
    if lost.vouchers:
        lines.append(
            talk.voice.plural(
                "{n} voucher that can still be used", "{n} vouchers that can still be used", lost.vouchers
            )
        )
    lines.append(talk.say("the tier, badges and all that came with them"))
    said = [
        talk.say("Erase everything? Gone for good would be:") + "\n" + "\n".join(f"• {line}" for line in lines),
        talk.say(
            "It can't be brought back. Receipts stay in the shop's books as the law asks, without a name on them."
        ),
    ]
    if lost.open:
        said.append(
            talk.say("Something is still open: {what}. It is seen to first.", what=_what(talk.voice, lost.open))
        )
    return "\n\n".join(said)


def accepted(talk: Talk, asked: Erasure, lost: Lost) -> str:
    """It will be done: in a minute, or after what is open."""
    if not asked.held_up:
        return talk.say(
            "Everything will be erased within a minute or two. Thank {you} for the time with us; the door stays open."
        )
    said = waits(talk.voice, asked.done_by, talk.shop.timezone)
    if lost.open:
        said += " " + talk.say("First we see to {what}.", what=_what(talk.voice, lost.open))
    return said


def waits(voice: Voice, done_by: datetime, zone: str) -> str:
    """By when an erasure is done."""
    day = voice.words.moment(done_by, zone)
    return voice.say(
        "{You} have asked to be forgotten. It is done by <b>{day}</b> at the latest, sooner when nothing is open any more.",
        day=day,
    )


def _what(voice: Voice, opened: erasures.Open) -> str:
    return _listed(voice, opened.tickets, opened.orders)


def _listed(voice: Voice, tickets: Any, orders: Any) -> str:
    return ", ".join(
        [
            *(voice.words("request #{n}", n=str(number)) for number in tickets),
            *(voice.words("order {order}", order=str(name)) for name in orders),
        ]
    )


def _answered(voice: Voice, params: Params) -> Told:
    said = waits(voice, datetime.fromisoformat(str(params["done_by"])), str(params["zone"]))
    if params.get("tickets") or params.get("orders"):
        what = _listed(voice, params.get("tickets", []), params.get("orders", []))
        said += " " + voice.say("First we see to {what}.", what=what)
    return Told(said, go(voice.words, "privacy"))


def _inactive(voice: Voice, params: Params) -> Told:
    """To who hasn't come for long: until when they stay known here, and that one word keeps them."""
    lost = [voice.plural("{n} point", "{n} points", int(params["points"]))] if params.get("points") else []
    if params.get("vouchers"):
        lost.append(voice.plural("{n} voucher", "{n} vouchers", int(params["vouchers"])))
    day = datetime.fromisoformat(str(params["done_by"])).astimezone(ZoneInfo(str(params["zone"]))).date()
    text = voice.say(
        "{Name}, {you} haven't been with {shop} for more than {months} months. On {day} we delete what we know of {you}.",
        shop=str(params["shop"]), months=int(params["months"]), day=voice.words.date(day),
    )  # fmt: skip
    if lost:
        text += " " + voice.say("That takes {lost} along.", lost=", ".join(lost))
    text += "\n" + voice.say("To stay, just send a word or tap the button.")
    return Told(text, go(voice.words, "menu"))


KINDS = {"erasure_answered": _answered, "inactive_warning": _inactive}
