"""Inviting a friend: the personal link for every messenger, with a picture to share."""

import asyncio

from aiogram.fsm.context import FSMContext
from aiogram.types import Message

from handlers.chat.talk import Kept, Talk
from handlers.pictures.share import Invitation, draw_invitation
from loyalty import programme, referrals


async def invite(message: Message, talk: Talk, _state: FSMContext) -> None:
    points = (await talk.work.read(programme.get)).referral_points
    # A code made on the spot is a work of its own: the picture is drawn before this update's work begins.
    code = await talk.own(referrals.code_of, talk.customer_id)
    tally = await talk.work.read(referrals.tally, talk.customer_id)
    link = talk.link(f"r_{code}")
    picture = Invitation(
        shop_name=talk.shop.name, brand=talk.shop.brand,
        headline=talk.words("{points} points for each of us", points=talk.words.number(points)),
        line=talk.words("Buy once at {shop}, and we both collect.", shop=talk.shop.name),
        hint=talk.words("Scan to begin"), link="", qr_payload=link,
    )  # fmt: skip
    content = await asyncio.to_thread(draw_invitation, picture)
    said = [
        talk.say("Send this to a friend. After their first order you both get <b>{points} points</b>.", points=points)
    ]
    links = talk.links(f"r_{code}")
    said.append("\n".join(link if len(links) == 1 else f"{name}: {link}" for name, link in links))
    if tally.friends:
        came = talk.voice.plural("{n} friend has come so far", "{n} friends have come so far", tally.friends)
        brought = talk.say(", and brought you {points} points", points=tally.points) if tally.points else ""
        said.append(f"{came}{brought}.")
    await message.answer_photo(Kept(content, "invite.png", "image/png", 1080, 1080), caption="\n\n".join(said))
