"""All that people can say, in the order in which it is tried; one dispatcher serves every messenger."""

from typing import Any

from aiogram import Dispatcher, F, Router
from aiogram.types import ChatMemberUpdated

from handlers.chat import free_text, help, invite, phone, points, privacy, start  # noqa: A004  # the noun of /help
from loyalty import customers
from store.engine import Work

GONE = {"kicked", "left"}


def build() -> Dispatcher:
    """A dispatcher of its own for each caller: routers are never shared."""
    dispatcher = Dispatcher(disable_fsm=True)
    private = Router(name="private chats")
    private.message.filter(F.chat.type == "private")
    private.edited_message.filter(F.chat.type == "private")
    for made in (start, points, invite, privacy, help):
        private.include_router(made.router())
    private.include_router(phone.router())
    private.include_router(free_text.router())
    dispatcher.include_router(private)
    dispatcher.my_chat_member.register(membership, F.chat.type == "private")
    return dispatcher


async def membership(event: ChatMemberUpdated, work: Work, account: str, **_: Any) -> None:
    """A person blocked the bot, or let it in again."""
    gone = event.new_chat_member.status in GONE
    await work.write(customers.reach, account, event.chat.id, reachable=not gone)
