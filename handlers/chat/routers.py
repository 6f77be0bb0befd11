"""All that people can say, in the order in which it is tried; one dispatcher serves every messenger."""

from typing import Any

from aiogram import Dispatcher, F, Router
from aiogram.filters import Command, CommandStart, StateFilter
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, ChatMemberUpdated, Message

from handlers.chat import (
    answers,
    challenges,
    deadlines,
    feedback,
    forum,
    forum_desk,
    free_text,
    gifting,
    help,  # noqa: A004  # the noun of /help
    history,
    invite,
    outreach,
    phone,
    points,
    pressing,
    privacy,
    rating,
    start,
    vouchers,
)
from handlers.chat.commands import (
    Buy,
    Called,
    CopyData,
    DrawEntry,
    EntryFor,
    Forget,
    Go,
    Hear,
    Held,
    Helped,
    History,
    Invite,
    KeepPromise,
    KeepVoucher,
    Leave,
    Mine,
    Offers,
    Present,
    PresentVoucher,
    Press,
    Rate,
    Show,
    Speak,
    Stop,
    Topic,
    by_label,
)
from handlers.chat.forum_buttons import Do
from handlers.chat.gifting import Giving
from handlers.chat.phone import Phone
from handlers.chat.questions import Bought, Decide, Score, Wants, Well
from loyalty.customers import customers
from store.engine import Work

GONE = {"kicked", "left"}


def build() -> Dispatcher:
    """A dispatcher of its own for each caller: routers are never shared."""
    dispatcher = Dispatcher(disable_fsm=True)
    private = Router(name="private chats")
    private.message.filter(F.chat.type == "private")
    private.edited_message.filter(F.chat.type == "private")
    private.callback_query.filter(F.message.chat.type == "private")

    said = private.message
    said.register(start.start, CommandStart(ignore_case=True))
    said.register(free_text.typed, Command(*free_text.RUN, ignore_case=True))
    said.register(free_text.label, F.text.in_(by_label()))
    said.register(free_text.unknown_command, F.text.startswith("/"))
    said.register(nothing_said, ~F.func(help.says_something))
    said.register(phone.contact, F.contact)
    said.register(help.first_words, StateFilter(help.Support.writing))
    said.register(phone.code, StateFilter(Phone.proving), F.text.func(phone.may_be_code))
    said.register(phone.number, StateFilter(Phone), F.text.func(phone.may_be_number))
    said.register(gifting.amount, StateFilter(Giving.amount), F.text.func(gifting.may_be_amount))
    said.register(gifting.friend, StateFilter(Giving.friend), F.text.func(phone.may_be_number))
    said.register(rating.comment, StateFilter(help.Support.commenting))
    said.register(feedback.comment, StateFilter(feedback.Feedback.commenting))
    said.register(free_text.free_text)
    private.edited_message.register(help.edited)

    tapped = private.callback_query
    tapped.register(start.choose_language, Speak.filter())
    tapped.register(start.choose_address, Called.filter())
    tapped.register(vouchers.show_voucher, Show.filter())
    tapped.register(vouchers.present, PresentVoucher.filter())
    tapped.register(vouchers.keep, KeepVoucher.filter())
    tapped.register(points.buy, Buy.filter())
    tapped.register(history.page, History.filter())
    tapped.register(gifting.tapped, Present.filter())
    tapped.register(challenges.draw, DrawEntry.filter())
    tapped.register(challenges.buy, EntryFor.filter())
    tapped.register(invite.show_qr, Invite.filter())
    tapped.register(leave, Leave.filter())
    tapped.register(privacy.choose, Offers.filter())
    tapped.register(privacy.hear, Hear.filter())
    tapped.register(privacy.copy, CopyData.filter())
    tapped.register(privacy.forget, Forget.filter())
    tapped.register(outreach.stop, Stop.filter())
    tapped.register(pressing.pressed, Press.filter())
    tapped.register(help.choose_topic, Topic.filter())
    tapped.register(help.send_held, Held.filter())
    tapped.register(answers.tapped, Helped.filter())
    tapped.register(rating.rate, Rate.filter())
    tapped.register(feedback.wants, Wants.filter())
    tapped.register(feedback.well, Well.filter())
    tapped.register(feedback.score, Score.filter())
    tapped.register(feedback.bought, Bought.filter())
    tapped.register(feedback.decide, Decide.filter())
    tapped.register(deadlines.mine, Mine.filter())
    tapped.register(deadlines.keep, KeepPromise.filter())
    tapped.register(free_text.tapped, Go.filter())
    tapped.register(free_text.stale)

    dispatcher.include_router(private)
    groups = Router(name="groups")
    groups.message.filter(F.chat.type.in_({"group", "supergroup"}))
    groups.edited_message.filter(F.chat.type.in_({"group", "supergroup"}))
    groups.callback_query.filter(F.message.chat.type.in_({"group", "supergroup"}))
    groups.message.register(forum_desk.moved, F.migrate_to_chat_id)
    groups.message.register(forum.bind, Command(*forum.COMMANDS, ignore_case=True))
    groups.message.register(forum_desk.said)
    groups.edited_message.register(forum_desk.edited)
    groups.callback_query.register(forum_desk.tapped, Do.filter())
    dispatcher.include_router(groups)
    dispatcher.my_chat_member.register(membership, F.chat.type == "private")
    dispatcher.message_reaction.register(help.reacted, F.chat.type == "private")
    dispatcher.message_reaction.register(forum_desk.reacted, F.chat.type.in_({"group", "supergroup"}))
    return dispatcher


async def nothing_said(_message: Message) -> None:
    """A message that the messenger wrote by itself (a timer was set, something was pinned) wants no answer."""


async def leave(query: CallbackQuery, state: FSMContext) -> None:
    """A question that was not answered goes away; a second tap finds it gone."""
    await query.answer()
    if isinstance(query.message, Message) and (await state.get_data()).get("left") != query.message.message_id:
        await state.update_data(left=query.message.message_id)
        await query.message.delete()


async def membership(event: ChatMemberUpdated, work: Work, account: str, **_: Any) -> None:
    """A person blocked the bot, or let it in again."""
    gone = event.new_chat_member.status in GONE
    await work.write(customers.reach, account, event.chat.id, reachable=not gone)
