"""Help: a ticket by topic or by free words; everything the customer then sends reaches it, until it is resolved."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from aiogram.dispatcher.event.bases import SkipHandler
from aiogram.enums import ContentType
from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State, StatesGroup
from aiogram.types import (
    CallbackQuery,
    InlineKeyboardMarkup,
    Message,
    MessageReactionUpdated,
    ReactionTypeEmoji,
)

from handlers.chat.commands import Held, Topic, button, go, go_button
from handlers.chat.deadline_news import by_when
from handlers.chat.sayings import Saying, understand
from handlers.chat.talk import Talk
from store.engine import Work
from store.errors import MovedError
from store.media import File
from support import changes, messages, tickets
from support.complaints import complaints
from support.deadlines import clocks, promises
from support.deadlines.promises import Promise
from support.messages import Source
from support.tickets import Joined, Ticket, TicketStateError
from support.topics import OTHER, own

HELD_MAX = 10
LISTED = 10
FIRST_WORDS_WITHIN = timedelta(days=1)
SAID = frozenset({
    ContentType.TEXT, ContentType.ANIMATION, ContentType.AUDIO, ContentType.CHECKLIST, ContentType.CONTACT,
    ContentType.DICE, ContentType.DOCUMENT, ContentType.GAME, ContentType.LIVE_PHOTO, ContentType.LOCATION,
    ContentType.PAID_MEDIA, ContentType.PHOTO, ContentType.POLL, ContentType.RICH_MESSAGE, ContentType.STICKER, ContentType.STORY, ContentType.UNKNOWN,
    ContentType.VENUE, ContentType.VIDEO, ContentType.VIDEO_NOTE, ContentType.VOICE,
})  # fmt: skip
"""Kinds of messages that a person sends; the rest a messenger writes by itself."""


class Support(StatesGroup):
    writing = State()
    """The next thing sent opens the ticket."""
    commenting = State()
    """The next words belong to the rating just given."""


# ── Opening a ticket, and writing in it ─────────────────────────────────────────────────────────────


async def support(message: Message, talk: Talk, state: FSMContext) -> None:
    """Ask what it is about; whatever comes next opens the ticket, a topic chosen or not."""
    ticket = await talk.work.read(tickets.current, talk.customer_id)
    if ticket is not None:
        await state.clear()
        await message.answer(
            talk.say("Your request <b>#{number}</b> is open: just write here, we read along.", number=str(ticket.id))
        )
        return
    await await_words(talk, state, Support.writing)
    buttons = [button(label, Topic(topic=topic)) for topic, label in (await offered(talk)).items()]
    rows = [buttons[at : at + 2] for at in range(0, len(buttons), 2)]
    await message.answer(
        talk.say("What is it about? Tap a topic or simply write, with a photo if it helps."),
        reply_markup=InlineKeyboardMarkup(inline_keyboard=rows),
    )


async def offered(talk: Talk) -> dict[str, str]:
    """What a new ticket can be about, in words: the shop's own topics stand before "something else"."""
    named = topics(talk)
    more = {one.key: one.called(talk.words.language) for one in await talk.work.read(own, talk.shop.id) if one.offered}
    return {**{key: label for key, label in named.items() if key != OTHER}, **more, OTHER: named[OTHER]}


def topics(talk: Talk) -> dict[str, str]:
    """The topics that every shop has, in words."""
    return {
        "order": talk.words("An order"), "product": talk.words("A product"),
        "points": talk.words("Points and vouchers"), "complaint": talk.words("A complaint"),
        "other": talk.words("Something else"),
    }  # fmt: skip


async def await_words(talk: Talk, state: FSMContext, wanted: State, **data: Any) -> None:
    """From now on, and not for ever, the next thing sent answers a question."""
    await state.set_state(wanted)
    await state.set_data({"asked": int(talk.at.timestamp()), **data})


def awaited(talk: Talk, data: dict[str, Any], within: timedelta) -> bool:
    """Whether a question is still fresh in the person's mind."""
    return talk.at - datetime.fromtimestamp(int(data.get("asked", 0)), UTC) <= within


async def choose_topic(query: CallbackQuery, callback_data: Topic, talk: Talk, state: FSMContext) -> None:
    label = (await offered(talk)).get(callback_data.topic)
    if label is None or await talk.work.read(tickets.current, talk.customer_id) is not None:
        await query.answer(talk.say("Just write here, we read along."))
        return
    await query.answer()
    chosen = (await state.get_data()).get("topic")
    await await_words(talk, state, Support.writing, topic=callback_data.topic)
    if isinstance(query.message, Message) and chosen != callback_data.topic:
        await query.message.edit_text(
            talk.say("<b>{topic}</b>. Please tell us what happened; a photo helps.", topic=label)
        )


async def first_words(message: Message, talk: Talk, state: FSMContext) -> None:
    data = await state.get_data()
    await state.clear()
    if not awaited(talk, data, FIRST_WORDS_WITHIN):
        raise SkipHandler
    # Whoever chose no topic may have a complaint all the same.
    complains = understand(words_of(message)) is Saying.COMPLAINT
    await into_ticket(message, talk, state, topic=str(data.get("topic") or ("complaint" if complains else "other")))


async def into_ticket(message: Message, talk: Talk, state: FSMContext, *, topic: str = "other") -> None:
    """Bring a message to the customer's ticket, opening one where there is none."""
    if not (words_of(message) or talk.files(message) or location_of(message)):
        # Nothing in it that we can keep or show: say so, for the person can't see it.
        await message.answer(
            talk.say("We can't open this kind of message. Could you describe it in words or send a photo?")
        )
        return
    quoted = source_of(message.reply_to_message, talk) if message.reply_to_message else None
    answered = await talk.work.read(messages.by_source, quoted) if quoted else None
    joined = await talk.work.write(
        tickets.open_or_join, talk.customer_id, talk.shop.id, topic=topic,
        answered=answered.ticket_id if answered else None,
    )  # fmt: skip
    await bring_album(message, talk, state, joined.ticket.id)
    await _say(
        talk, joined.ticket.id, text=words_of(message), files=talk.files(message), location=location_of(message),
        source=source_of(message, talk), group_id=message.media_group_id, reply_to=quoted,
    )  # fmt: skip
    await confirm(message, talk, joined)


async def confirm(message: Message, talk: Talk, joined: Joined) -> None:
    """One answer when a ticket opens; what follows joins it in silence."""
    number = str(joined.ticket.id)
    if joined.opened and await talk.work.read(complaints.find, joined.ticket.id) is not None:
        # A complaint has an acknowledgement of its own, which is on its way.
        return
    if joined.opened:
        text = talk.say(
            "We have received your request <b>#{number}</b>. A colleague will answer you here.", number=number
        )
        due = await talk.work.read(clocks.answer_by, joined.ticket.id)
        if due is not None:
            text = talk.say(
                "We have received your request <b>#{number}</b>. We answer {you} here by <b>{when}</b>.",
                number=number, when=by_when(talk.voice, due, talk.at, talk.shop.timezone),
            )  # fmt: skip
        await message.answer(text)
    elif joined.reopened:
        await message.answer(
            talk.say("Your request <b>#{number}</b> is open again. A colleague will answer you here.", number=number)
        )


async def edited(message: Message, talk: Talk, state: FSMContext) -> None:
    """The customer changed a message: the ticket that holds it changes too, or what is held for one."""
    source = source_of(message, talk)
    text, location = words_of(message), location_of(message)
    if await talk.work.write(changes.customer_edits, source, text=text, location=location):
        return
    held = (await state.get_data()).get("held", [])
    for item in held:
        if item["message"] == message.message_id:
            item |= {"text": text, "location": location}
            await state.update_data(held=held)


async def reacted(event: MessageReactionUpdated, work: Work, account: str, **_: Any) -> None:
    """The customer put emoji on a message, or took them away: who reads the ticket sees it, nobody is answered."""
    source = Source(account, event.chat.id, event.message_id)
    emoji = [one.emoji for one in event.new_reaction if isinstance(one, ReactionTypeEmoji)]
    await work.write(changes.customer_reacts, source, emoji)


def says_something(message: Message) -> bool:
    """Whether a person said it, not their messenger by itself."""
    return message.content_type in SAID


def source_of(message: Message, talk: Talk) -> Source:
    return Source(talk.account, message.chat.id, message.message_id)


def words_of(message: Message) -> str:
    """A message's words: text, caption, or what stands for it."""
    if message.text or message.caption:
        return message.text or message.caption or ""
    if message.sticker:
        return message.sticker.emoji or ""
    if message.contact:
        contact = message.contact
        return " ".join(filter(None, (contact.first_name, contact.last_name, contact.phone_number)))
    if message.poll:
        return "\n".join([message.poll.question, *(f"– {option.text}" for option in message.poll.options)])
    if message.dice:
        return f"{message.dice.emoji} {message.dice.value}"
    if message.checklist:
        return "\n".join([message.checklist.title, *(f"– {task.text}" for task in message.checklist.tasks)])
    return message.game.title if message.game else ""


def location_of(message: Message) -> dict[str, Any] | None:
    where = message.location or (message.venue.location if message.venue else None)
    if where is None:
        return None
    found: dict[str, Any] = {"lat": where.latitude, "lon": where.longitude}
    if message.venue:
        found["name"] = f"{message.venue.title}, {message.venue.address}"
    return found


# ── What was not understood ─────────────────────────────────────────────────────────────────────────


async def hold(message: Message, talk: Talk, state: FSMContext, text: str) -> None:
    """Keep what was not understood, and offer to bring it to a colleague; an album is asked about once."""
    held = (await state.get_data()).get("held", [])
    group = message.media_group_id
    asked = group is not None and any(item["group"] == group for item in held)
    item = {
        "text": words_of(message), "files": [asdict(file) for file in talk.files(message)],
        "location": location_of(message), "message": message.message_id, "group": group,
    }  # fmt: skip
    await state.update_data(held=[*held, item][-HELD_MAX:])
    if not asked:
        row = [button(talk.words("Send it to a colleague"), Held()), go_button(talk.words, "menu")]
        await message.answer(text, reply_markup=InlineKeyboardMarkup(inline_keyboard=[row]))


async def bring_album(message: Message, talk: Talk, state: FSMContext, ticket_id: int) -> None:
    """Pictures of the same album that came before the one whose caption was understood go along with it."""
    if message.media_group_id is None:
        return
    held = (await state.get_data()).get("held", [])
    same = [item for item in held if item["group"] == message.media_group_id]
    if same:
        await say_held(talk, message.chat.id, ticket_id, same)
        await state.update_data(held=[item for item in held if item not in same])


async def say_held(talk: Talk, chat_id: int, ticket_id: int, held: list[dict[str, Any]]) -> None:
    for item in held:
        files = [File(**file) for file in item["files"]]
        if item["text"] or files or item["location"]:
            await _say(
                talk, ticket_id, text=item["text"], files=files, location=item["location"],
                source=Source(talk.account, chat_id, item["message"]), group_id=item["group"],
            )  # fmt: skip


async def _say(talk: Talk, ticket_id: int, **values: Any) -> None:
    """Write into a ticket that was just looked up. Where a colleague has closed it in that very moment, or made it a part
    of another, the whole update is taken in again, as the desk stands by then.
    """
    try:
        await talk.work.write(messages.customer_says, ticket_id, **values)
    except TicketStateError:
        raise MovedError from None


async def send_held(query: CallbackQuery, talk: Talk, state: FSMContext) -> None:
    """Open a ticket with what was held; a second tap finds nothing more to send."""
    held = (await state.get_data()).get("held", [])
    if not held or not isinstance(query.message, Message):
        await query.answer(talk.say("Just write here, we read along."))
        return
    await query.answer()
    await state.update_data(held=[])
    joined = await talk.work.write(tickets.open_or_join, talk.customer_id, talk.shop.id, topic="other")
    await say_held(talk, query.message.chat.id, joined.ticket.id, held)
    await query.message.edit_reply_markup(reply_markup=None)
    await confirm(query.message, talk, joined)


# ── Looking back ────────────────────────────────────────────────────────────────────────────────────


async def list_tickets(message: Message, talk: Talk, _state: FSMContext) -> None:
    found = await talk.work.read(tickets.tickets_of, talk.customer_id, LISTED)
    if not found:
        await message.answer(
            talk.say("You have no requests yet. If anything isn't right, tell us."),
            reply_markup=go(talk.words, "support"),
        )
        return
    promised = await talk.work.read(promises.shown_of, [ticket.id for ticket in found])
    lines = [ticket_line(talk, ticket, [one for one in promised if one.ticket_id == ticket.id]) for ticket in found]
    await message.answer("\n\n".join([talk.say("Your requests:"), *lines]), reply_markup=go(talk.words, "support"))


def ticket_line(talk: Talk, ticket: Ticket, promised: list[Promise]) -> str:
    """A request, how it stands, and what was promised in it."""
    states = {
        tickets.State.NEW: talk.words("received"), tickets.State.OPEN: talk.words("we are on it"),
        tickets.State.WAITING: talk.say("waiting for you"), tickets.State.SNOOZED: talk.words("we are on it"),
        tickets.State.RESOLVED: talk.words("resolved"),
        tickets.State.CLOSED: talk.words("closed"),
    }  # fmt: skip
    line = talk.say(
        "<b>#{number}</b> {subject}\n{state} · {day}", number=str(ticket.id),
        subject=ticket.subject or topics(talk).get(ticket.topic, "…"), state=states[tickets.State(ticket.state)],
        day=talk.words.day(ticket.updated_at.astimezone(ZoneInfo(talk.shop.timezone)).date()),
    )  # fmt: skip
    return "\n".join([line, *(promise_line(talk, one) for one in promised)])


def promise_line(talk: Talk, promise: Promise) -> str:
    """What is still to be kept, and until when."""
    when = talk.words.moment(promise.due_at, talk.shop.timezone)
    return talk.say("🤝 {promised}, by {when}", promised=promise.what, when=when)
