"""The desk in the team's forum: what a colleague writes in a ticket's topic goes to the customer, `/note` stays, a tap or a
command does something with the ticket. Whatever anybody else does there is ignored.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiogram.types import CallbackQuery, Message, MessageReactionUpdated, ReactionTypeEmoji
from sqlalchemy import select
from sqlalchemy.orm import Session

from handlers.chat import forum_commands, forum_lines
from handlers.chat.forum_buttons import Desk, Do
from handlers.chat.help import location_of, says_something, words_of
from handlers.web.desk import shown
from handlers.words import Words, words
from store import forum, staff
from store.engine import Work
from store.errors import ForbiddenError, NotFoundError, RuleError
from store.media import File
from store.staff import Member
from support import albums, changes, messages, tickets
from support.changes import OnItsWayError
from support.duties import accesses
from support.tickets import TicketStateError

NOTE = "/note"
Files = Callable[[Message], list[File]]


@dataclass(frozen=True, slots=True)
class _Here:
    """Whose word it is, and in which ticket's topic; `quoted` is the ticket's line that it answers."""

    member: Member
    ticket_id: int
    quoted: int | None


# ── Who may speak ──────────────────────────────────────────────────────────────────────────────────


def _here(session: Session, account: str, chat: int, user: int, thread: int, answered: int | None) -> _Here | None:
    group = forum.chosen(session)
    if group is None or (group.account, group.chat) != (account, chat):
        return None
    member = staff.by_account(session, account, user)
    ticket_id = forum.ticket_in(session, group, thread)
    if member is None or ticket_id is None:
        return None
    post = forum.post_at(session, group, answered) if answered is not None else None
    m = messages.ticket_messages.c
    quoted = None
    if post is not None and post.message_id is not None and post.ticket_id == ticket_id:
        quoted = session.execute(select(m.seq).where(m.id == post.message_id)).scalar()
    return _Here(member, ticket_id, quoted)


async def _found(message: Message, work: Work, account: str) -> _Here | None:
    """The colleague and the ticket; None for everybody else, anonymous administrators among them, and for General."""
    user, thread = message.from_user, message.message_thread_id
    if user is None or user.is_bot or message.sender_chat is not None or not message.is_topic_message or thread is None:
        return None
    answered = message.reply_to_message.message_id if message.reply_to_message else None
    return await work.read(_here, account, message.chat.id, user.id, thread, answered)


def _seen(session: Session, here: _Here) -> None:
    """Who writes in a topic has its customer before them."""
    ticket = tickets.get(session, here.ticket_id)
    accesses.note(session, f"staff:{here.member.id}", ticket.customer_id, ticket.shop_id, "forum")


# ── What is written ────────────────────────────────────────────────────────────────────────────────


async def said(message: Message, work: Work, account: str, files: Files, **_: Any) -> None:
    """A plain message goes to the customer, one that begins with /note stays; another command does what it says."""
    if not says_something(message):
        return
    here = await _found(message, work, account)
    if here is None:
        return
    await work.write(_seen, here)
    say = words(here.member.language)
    text = message.text or message.caption or ""
    command, rest = _command(text)
    if text.startswith("/") and not text.startswith(NOTE):
        desk = Desk(
            work, here.member, here.ticket_id, say, f"forum:{message.chat.id}:{message.message_id}", here.quoted
        )
        await _told(message, say, lambda: forum_commands.typed(message, desk, command, rest))
        return
    if text.startswith(NOTE):
        await _told(message, say, lambda: _write(message, work, here, files, rest, note=True))
        return
    if location_of(message) is not None or not (text or words_of(message) or files(message)):
        await message.reply(say("This can't be sent on to the customer. Please write it in words or send a picture."))
        return
    await _told(message, say, lambda: _write(message, work, here, files, text or words_of(message), note=False))


def _command(text: str) -> tuple[str, str]:
    """A text's first word, and what comes after it."""
    first, *rest = text.split(maxsplit=1) or [""]
    return first, rest[0] if rest else ""


async def _write(message: Message, work: Work, here: _Here, files: Files, text: str, *, note: bool) -> None:
    await work.write(
        _say, here, message.chat.id, message.message_id, message.media_group_id, text, files(message), note=note
    )


def _say(
    session: Session,
    here: _Here,
    chat: int,
    number: int,
    album: str | None,
    text: str,
    files: list[File],
    *,
    note: bool,
) -> None:
    """Put it into the ticket. It stands here already, so it is not shown here once more."""
    group = forum.chosen(session)
    assert group is not None
    key = f"forum:{chat}:{album or number}"
    if album is None:
        rule = messages.note if note else messages.agent_says
        message_id = rule(session, here.ticket_id, here.member, text, files, key=key, reply_to=here.quoted)
    else:
        message_id = albums.add_part(
            session, here.ticket_id, here.member, text, files, key=key, note=note, reply_to=here.quoted
        )
    looks = forum_lines.looks_of(session, message_id)
    forum.post(session, group, here.ticket_id, "typed", message_id=message_id, number=number, said=looks)


async def edited(message: Message, work: Work, account: str, **_: Any) -> None:
    """A colleague reworded what they wrote: the customer sees the new words, a note has them."""
    here = await _found(message, work, account)
    if here is None or not says_something(message):
        return
    text = message.text or message.caption or ""
    await _told(message, words(here.member.language), lambda: work.write(_edit, here, message.message_id, text))


def _edit(session: Session, here: _Here, number: int, text: str) -> None:
    group = forum.chosen(session)
    post = forum.post_at(session, group, number) if group else None
    if post is None or post.message_id is None or post.kind != "typed":
        return
    text = _command(text)[1] if text.startswith(NOTE) else text
    changes.agent_edits(session, post.message_id, here.member, text)
    forum.looks_as(session, post, forum_lines.looks_of(session, post.message_id))


async def reacted(event: MessageReactionUpdated, work: Work, account: str, **_: Any) -> None:
    """A colleague's reaction to what the customer wrote is put on it on the customer's side too."""
    if event.user is None or event.user.is_bot:
        return
    emoji = [one.emoji for one in event.new_reaction if isinstance(one, ReactionTypeEmoji)]
    await work.write(_react, account, event.chat.id, event.user.id, event.message_id, emoji[-1] if emoji else None)


def _react(session: Session, account: str, chat: int, user: int, number: int, emoji: str | None) -> None:
    group = forum.chosen(session)
    if group is None or (group.account, group.chat) != (account, chat):
        return
    member = staff.by_account(session, account, user)
    post = forum.post_at(session, group, number)
    if member is None or post is None or post.message_id is None or post.kind not in {"line", "again"}:
        return
    try:
        changes.agent_reacts(session, post.message_id, member, emoji)
    except RuleError:
        # Not one that the customer can be shown, not a customer's message, not their shop's: it stays among colleagues.
        return
    forum.looks_as(session, post, forum_lines.looks_of(session, post.message_id))


# ── What is tapped ─────────────────────────────────────────────────────────────────────────────────


async def tapped(query: CallbackQuery, callback_data: Do, work: Work, account: str, **_: Any) -> None:
    """A button under the card or an answer; who has no rights there is told so by the tap alone."""
    message = query.message
    if not isinstance(message, Message):
        await query.answer()
        return
    here = await work.read(_here, account, message.chat.id, query.from_user.id, message.message_thread_id or 0, None)
    if here is None or here.ticket_id != callback_data.ticket:
        await query.answer()
        return
    language = words(here.member.language)
    desk = Desk(
        work,
        here.member,
        here.ticket_id,
        language,
        f"tap:{message.chat.id}:{message.message_id}:{callback_data.act}{callback_data.value}",
    )
    try:
        await query.answer(await forum_commands.tapped(message, desk, callback_data) or None)
    except RuleError as error:
        await query.answer(refusal(language, error)[:200], show_alert=True)


# ── Refusals ───────────────────────────────────────────────────────────────────────────────────────


async def _told(message: Message, language: Words, act: Callable[[], Awaitable[Any]]) -> None:
    """Do it; a refusal is answered in words, below what was written."""
    try:
        await act()
    except RuleError as error:
        await message.reply(refusal(language, error))


def refusal(said: Words, error: RuleError) -> str:
    """Why something can't be done, for a colleague."""
    if isinstance(error, (ForbiddenError, NotFoundError)):
        return said("You have no rights for this at this shop. Please ask the owner.")
    if isinstance(error, OnItsWayError):
        return said("This is just on its way to the customer. Please try again in a moment.")
    if isinstance(error, TicketStateError):
        return said("This request is closed. Type /open to open it again.")
    return shown.refusal(said, error) or forum_commands.refusal(said, error) or said("That didn't work.")


# ── The group moves ────────────────────────────────────────────────────────────────────────────────


async def moved(message: Message, work: Work, account: str, **_: Any) -> None:
    """The group became a supergroup: it has another number from now on."""
    if message.migrate_to_chat_id is not None:
        await work.write(forum.moved, account, message.chat.id, message.migrate_to_chat_id)
