"""Taps of members of staff under what they are told of time: it is theirs, it is done."""

from typing import Any

from aiogram.types import CallbackQuery, Message
from sqlalchemy.orm import Session

from handlers.chat.commands import KeepPromise, Mine
from handlers.words import words
from store import staff
from store.engine import Work
from store.errors import ForbiddenError, NotFoundError
from store.staff import Member
from support.deadlines import escalations, promises
from support.deadlines.promises import PromiseStateError


async def mine(query: CallbackQuery, callback_data: Mine, work: Work, account: str, **_: Any) -> None:
    """Say that one sees to what is late; nobody above is told any more."""
    member = await _member(work, account, query)
    if member is None:
        return
    said = words(member.language)
    try:
        found = await work.write(escalations.acknowledge, callback_data.escalation, member)
    except (NotFoundError, ForbiddenError):
        await query.answer(said("This button no longer works. Type /menu to start again."))
        return
    if found.by is None:
        await _settled(query, said("It is done already."))
    elif found.new:
        await _settled(query, said("✅ You see to it. Nobody else is told."))
    else:
        await _settled(query, said("✅ {name} sees to it.", name=found.by))


async def keep(query: CallbackQuery, callback_data: KeepPromise, work: Work, account: str, **_: Any) -> None:
    """Say that what was promised is done."""
    member = await _member(work, account, query)
    if member is None:
        return
    said = words(member.language)
    try:
        await work.write(_keep, callback_data.promise, member)
    except (NotFoundError, ForbiddenError):
        await query.answer(said("This button no longer works. Type /menu to start again."))
    except PromiseStateError:
        await _settled(query, said("It isn't needed any more."))
    else:
        await _settled(query, said("✅ Kept. Thank you!"))


def _keep(session: Session, promise_id: int, member: Member) -> None:
    promises.keep(session, promise_id, member)


async def _member(work: Work, account: str, query: CallbackQuery) -> Member | None:
    """The member of staff who tapped; somebody else's tap does nothing."""
    member = await work.read(staff.by_account, account, query.from_user.id)
    if member is None:
        await query.answer()
    return member


async def _settled(query: CallbackQuery, outcome: str) -> None:
    """The message keeps its words and says what became of it, without its buttons."""
    await query.answer(outcome)
    if isinstance(query.message, Message) and query.message.reply_markup is not None:
        await query.message.edit_text(f"{query.message.html_text}\n{outcome}", parse_mode="HTML")
