"""Inviting a friend: the personal link and its QR for every messenger, what both get, and how many came."""

import asyncio

from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message

from handlers.chat.commands import Invite, button
from handlers.chat.friends import Promise, promise
from handlers.chat.talk import Kept, Talk
from handlers.pictures.share import Invitation, draw_invitation
from loyalty.referrals import referrals
from loyalty.referrals.referrals import Tally


async def invite(message: Message, talk: Talk, _state: FSMContext) -> None:
    # A code made on the spot is a work of its own: the picture is drawn before this update's work begins.
    code = await talk.own(referrals.code_of, talk.customer_id)
    tally = await talk.work.read(referrals.tally, talk.customer_id)
    promised = await talk.work.read(promise)
    links = talk.links(f"r_{code}")
    own = talk.link(f"r_{code}")
    said = [*_terms(talk, promised), "\n".join(link if len(links) == 1 else f"{name}: {link}" for name, link in links)]
    if tally.friends:
        said.append(_came(talk, tally))
    rows = [
        [button(talk.words("QR for {messenger}", messenger=name), Invite(place=place))]
        for place, (name, link) in enumerate(links)
        if link != own
    ]
    await message.answer_photo(
        await _picture(talk, promised, own), caption="\n\n".join(said),
        reply_markup=InlineKeyboardMarkup(inline_keyboard=rows) if rows else None,
    )  # fmt: skip


async def show_qr(query: CallbackQuery, callback_data: Invite, talk: Talk) -> None:
    """The picture whose QR opens another messenger."""
    code = await talk.own(referrals.code_of, talk.customer_id)
    links = talk.links(f"r_{code}")
    if callback_data.place >= len(links) or not isinstance(query.message, Message):
        await query.answer()
        return
    name, link = links[callback_data.place]
    promised = await talk.work.read(promise)
    content = await _picture(talk, promised, link)
    await query.answer()
    await query.message.answer_photo(content, caption=f"{name}: {link}")


async def _picture(talk: Talk, promised: Promise, link: str) -> Kept:
    headline, line = _headline(talk, promised)
    picture = Invitation(
        shop_name=talk.shop.name, brand=talk.shop.brand, headline=headline, line=line,
        hint=talk.words("Scan to begin"), link="", qr_payload=link,
    )  # fmt: skip
    content = await asyncio.to_thread(draw_invitation, picture)
    return Kept(content, "invite.png", "image/png", 1080, 1080)


def _headline(talk: Talk, promised: Promise) -> tuple[str, str]:
    """What stands large on the picture, and the line below it: written for the friend who sees it."""
    shop = talk.shop.name
    if promised.points_each:
        large = talk.words("{points} points for each of us", points=talk.words.number(promised.points_each))
        return large, talk.words("Buy once at {shop}, and we both collect.", shop=shop)
    gift = promised.of(talk.words, "friend")
    if gift:
        return talk.words("A gift for you at {shop}", shop=shop), talk.words(
            "With your first order: {gift}.", gift=gift
        )
    return talk.words("Come to {shop} with me", shop=shop), talk.words("Collect points with every order.")


def _terms(talk: Talk, promised: Promise) -> list[str]:
    """What both get and when, in plain words."""
    if promised.points_each:
        said = talk.say(
            "Send this to a friend. After their first order you both get <b>{points} points</b>.",
            points=promised.points_each,
        )
    else:
        mine, theirs = promised.of(talk.words, "referrer"), promised.of(talk.words, "friend")
        lines = [talk.say("Send this to a friend, so that they find us too.")]
        if theirs:
            lines.append(talk.say("Your friend gets: <b>{what}</b>.", what=theirs))
        if mine:
            lines.append(talk.say("You get: <b>{what}</b>.", what=mine))
        if mine or theirs:
            lines.append(talk.say("It comes with their first paid order."))
        said = "\n".join(lines)
    if talk.shop.return_days and (promised.of(talk.words, "referrer") or promised.of(talk.words, "friend")):
        said += " " + window(talk)
    return [said]


def window(talk: Talk) -> str:
    """That the return period has to pass first."""
    return talk.voice.plural(
        "It is yours once the return period of {n} day is over.",
        "It is yours once the return period of {n} days is over.",
        talk.shop.return_days,
    )


def _came(talk: Talk, tally: Tally) -> str:
    came = talk.voice.plural("{n} friend has come so far", "{n} friends have come so far", tally.friends)
    brought = talk.say(", and brought you {points} points", points=tally.points) if tally.points else ""
    said = f"{came}{brought}."
    if tally.vouchers:
        said += " " + talk.voice.plural(
            "You received {n} voucher for it.", "You received {n} vouchers for it.", tally.vouchers
        )
    if tally.pending:
        said += " " + talk.voice.plural(
            "{n} of them has bought, and the return period is running.",
            "{n} of them have bought, and the return period is running.",
            tally.pending,
        )
    return said
