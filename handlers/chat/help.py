"""Help: a ticket by topic or by free words; everything the customer then sends reaches it, until it is resolved."""

from dataclasses import asdict
from typing import Any

from aiogram import Router
from aiogram.filters import Command, StateFilter
from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State, StatesGroup
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message

from handlers.chat.commands import Held, Rate, Topic, go
from handlers.chat.talk import Talk
from store.errors import ConflictError, InvalidError, NotFoundError
from store.media import File
from support import messages, ratings, tickets
from support.messages import Source
from support.tickets import Joined

HELD_MAX = 10
STARS = (5, 4, 3, 2, 1)


class Support(StatesGroup):
    writing = State()
    """The next thing sent opens the ticket."""
    commenting = State()
    """The next words belong to the rating just given."""


def router() -> Router:
    made = Router(name="help")
    made.message.register(support, Command("support"))
    made.message.register(list_tickets, Command("tickets"))
    made.callback_query.register(choose_topic, Topic.filter())
    made.callback_query.register(send_held, Held.filter())
    made.callback_query.register(rate, Rate.filter())
    made.edited_message.register(edited)
    return made


def fallback() -> Router:
    """Registered after everything else: what is no command goes where the conversation stands."""
    made = Router(name="help, whatever is sent")
    made.message.register(first_words, StateFilter(Support.writing))
    made.message.register(comment, StateFilter(Support.commenting))
    return made


async def support(message: Message, talk: Talk, state: FSMContext) -> None:
    """Ask what it is about; whatever comes next opens the ticket, a topic chosen or not."""
    ticket = await talk.work.read(tickets.current, talk.customer_id)
    if ticket is not None:
        await state.clear()
        await message.answer(
            talk.say("Your request <b>#{number}</b> is open: just write here, we read along.", number=str(ticket.id)),
            parse_mode="HTML",
        )
        return
    await state.set_state(Support.writing)
    await state.set_data({})
    labels = [
        ("order", talk.words("An order")), ("product", talk.words("A product")), ("points", talk.words("Points and vouchers")),
        ("complaint", talk.words("A complaint")), ("other", talk.words("Something else")),
    ]  # fmt: skip
    buttons = [InlineKeyboardButton(text=label, callback_data=Topic(topic=topic).pack()) for topic, label in labels]
    await message.answer(
        talk.say("What is it about? Tap a topic or simply write, with a photo if it helps."),
        reply_markup=InlineKeyboardMarkup(inline_keyboard=[buttons[:2], buttons[2:4], buttons[4:]]),
    )


async def choose_topic(query: CallbackQuery, callback_data: Topic, talk: Talk, state: FSMContext) -> None:
    await query.answer()
    if callback_data.topic in tickets.TOPICS:
        await state.set_state(Support.writing)
        await state.set_data({"topic": callback_data.topic})
    if isinstance(query.message, Message):
        await query.message.edit_text(talk.say("All right. Please tell us what happened; a photo helps."))


async def first_words(message: Message, talk: Talk, state: FSMContext) -> None:
    data = await state.get_data()
    await state.clear()
    await into_ticket(message, talk, topic=str(data.get("topic", "other")))


async def into_ticket(message: Message, talk: Talk, *, topic: str = "other") -> None:
    """Bring a message to the customer's ticket, opening one where there is none."""
    joined = await talk.work.write(tickets.open_or_join, talk.customer_id, talk.shop.id, topic=topic)
    try:
        await add(message, talk, joined.ticket.id)
    except InvalidError:
        # Something without words or files that we can keep (a dice, a poll): say so, a person can't see it.
        await message.answer(talk.say("We can't open this kind of message. Could you describe it in words or send a photo?"))
        return
    await confirm(message, talk, joined)


async def confirm(message: Message, talk: Talk, joined: Joined) -> None:
    """One answer when a ticket opens; what follows joins it in silence."""
    if joined.opened:
        await message.answer(
            talk.say("We have received your request <b>#{number}</b>. A colleague will answer you here.", number=str(joined.ticket.id)),
            parse_mode="HTML",
        )
    elif joined.reopened:
        await message.answer(
            talk.say("Your request <b>#{number}</b> is open again. A colleague will answer you here.", number=str(joined.ticket.id)),
            parse_mode="HTML",
        )


async def add(message: Message, talk: Talk, ticket_id: int) -> None:
    """Everything a message holds, into the ticket."""
    reply = message.reply_to_message
    await talk.work.write(
        messages.customer_says, ticket_id, text=words_of(message), files=talk.files(message),
        location=location_of(message), source=Source(talk.account, message.chat.id, message.message_id),
        group_id=message.media_group_id,
        reply_to=Source(talk.account, message.chat.id, reply.message_id) if reply else None,
    )  # fmt: skip


def words_of(message: Message) -> str:
    """A message's words: text, caption, or what stands for it."""
    if message.text or message.caption:
        return message.text or message.caption or ""
    if message.sticker:
        return message.sticker.emoji or ""
    if message.contact:
        return f"{message.contact.first_name} {message.contact.phone_number}"
    if message.poll:
        return message.poll.question
    return ""


def location_of(message: Message) -> dict[str, Any] | None:
    where = message.location or (message.venue.location if message.venue else None)
    if where is None:
        return None
    found: dict[str, Any] = {"lat": where.latitude, "lon": where.longitude}
    if message.venue:
        found |= {"title": message.venue.title, "address": message.venue.address}
    return found


async def edited(message: Message, talk: Talk) -> None:
    """The customer changed a message: the ticket that holds it changes too."""
    source = Source(talk.account, message.chat.id, message.message_id)
    await talk.work.write(messages.customer_edits, source, text=words_of(message), location=location_of(message))


async def hold(message: Message, talk: Talk, state: FSMContext, text: str) -> None:
    """Keep what was not understood, and offer to bring it to a colleague."""
    data = await state.get_data()
    kept = list(data.get("held", []))[-HELD_MAX + 1 :]
    kept.append(
        {
            "text": words_of(message), "files": [asdict(file) for file in talk.files(message)],
            "location": location_of(message), "message": message.message_id, "group": message.media_group_id,
        }
    )  # fmt: skip
    silent = message.media_group_id is not None and any(
        item["group"] == message.media_group_id for item in data.get("held", [])
    )
    await state.update_data(held=kept)
    if silent:
        return
    rows = [[
        InlineKeyboardButton(text=talk.words("Send it to a colleague"), callback_data=Held(send=True).pack()),
        InlineKeyboardButton(text=talk.words("Menu"), callback_data="go:menu"),
    ]]  # fmt: skip
    await message.answer(text, reply_markup=InlineKeyboardMarkup(inline_keyboard=rows))


async def send_held(query: CallbackQuery, callback_data: Held, talk: Talk, state: FSMContext) -> None:
    """Open a ticket with what was held; a second tap finds nothing more to send."""
    data = await state.get_data()
    held = data.get("held", [])
    await state.update_data(held=[])
    await query.answer()
    if not isinstance(query.message, Message) or not callback_data.send:
        return
    if not held:
        await support(query.message, talk, state)
        return
    joined = await talk.work.write(tickets.open_or_join, talk.customer_id, talk.shop.id, topic="other")
    for item in held:
        files = [File(**file) for file in item["files"]]
        if item["text"] or files or item["location"]:
            await talk.work.write(
                messages.customer_says, joined.ticket.id, text=item["text"], files=files, location=item["location"],
                source=Source(talk.account, query.message.chat.id, item["message"]), group_id=item["group"],
            )  # fmt: skip
    await query.message.edit_reply_markup(reply_markup=None)
    await confirm(query.message, talk, joined)


async def list_tickets(message: Message, talk: Talk) -> None:
    found = await talk.work.read(tickets.tickets_of, talk.customer_id, 10)
    if not found:
        await message.answer(
            talk.say("You have no requests yet. If anything isn't right, tell us."), reply_markup=go(talk.words, "support")
        )
        return
    states = {
        "new": talk.words("received"), "open": talk.words("we are on it"), "waiting_customer": talk.words("waiting for you"),
        "resolved": talk.words("resolved"), "closed": talk.words("closed"),
    }  # fmt: skip
    lines = [
        talk.say(
            "<b>#{number}</b> {subject} · {state} · {day}", number=str(ticket.id), subject=ticket.subject or "…",
            state=states.get(ticket.state, ticket.state), day=talk.words.day(ticket.updated_at.date()),
        )
        for ticket in found
    ]  # fmt: skip
    await message.answer("\n".join([talk.say("Your requests:"), *lines]), parse_mode="HTML")


def rating_buttons(ticket_id: int) -> InlineKeyboardMarkup:
    """Five buttons, the best first."""
    return InlineKeyboardMarkup(
        inline_keyboard=[[
            InlineKeyboardButton(text=f"{stars} ★", callback_data=Rate(ticket=ticket_id, stars=stars).pack())
            for stars in STARS
        ]]
    )  # fmt: skip


async def rate(query: CallbackQuery, callback_data: Rate, talk: Talk, state: FSMContext) -> None:
    try:
        await talk.work.write(ratings.rate, callback_data.ticket, talk.customer_id, callback_data.stars)
    except (ConflictError, NotFoundError, InvalidError):
        await query.answer(talk.words("You have rated this already. Thank you!"))
        return
    await query.answer()
    await state.set_state(Support.commenting)
    await state.set_data({"ticket": callback_data.ticket})
    if isinstance(query.message, Message):
        good = callback_data.stars >= 4
        await query.message.edit_text(
            talk.say("{stars} ★ Thank you! Would you like to add a word?", stars=callback_data.stars)
            if good
            else talk.say("{stars} ★ Thank you for being frank. What should we have done better?", stars=callback_data.stars)
        )


async def comment(message: Message, talk: Talk, state: FSMContext) -> None:
    data = await state.get_data()
    await state.clear()
    said = words_of(message)
    if not said:
        await into_ticket(message, talk)
        return
    try:
        await talk.work.write(ratings.comment, int(data.get("ticket", 0)), talk.customer_id, said)
    except (ConflictError, NotFoundError):
        await into_ticket(message, talk)
        return
    await message.answer(talk.say("Thank you, we have passed it on."))
