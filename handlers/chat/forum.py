"""The team's forum: an owner types /forum in the group that is to be it. What is said in its topics then
stands in forum_desk.
"""

from typing import Any

from aiogram.types import Message
from sqlalchemy.orm import Session

from handlers.words import words
from store import audit, options, staff
from store import forum as topics
from store.engine import Work
from store.staff import Member, Right

COMMANDS = ("forum", "staff")


async def bind(message: Message, work: Work, account: str, **_: Any) -> None:
    """Make this group the team's forum: only for an owner of every shop whose account is bound, only where it has topics."""
    if message.from_user is None:
        return
    member = await work.read(staff.by_account, account, message.from_user.id)
    if member is None:
        return
    said = words(member.language)
    if not member.everywhere(Right.STAFF):
        await message.answer(said("Only an owner of all shops can choose the team's group."))
        return
    if not message.chat.is_forum:
        await message.answer(
            said(
                "This group has no topics yet. Open its settings, switch on “Topics”, make me an administrator who may "
                "manage topics, then type /forum again."
            )
        )
        return
    await work.write(_bind, member, account, message.chat.id, message.chat.title or "")
    await message.answer(
        said("From now on this group is the team's: each request becomes a topic here. I need to be an administrator who may manage topics.")
    )  # fmt: skip


def _bind(session: Session, member: Member, account: str, chat_id: int, title: str) -> None:
    before = options.get(session, options.FORUM)
    after = {"account": account, "chat_id": chat_id, "title": title, "staff_id": member.id}
    if before is not None and {**before, **after} == before:
        return
    topics.choose(session, after)
    changed = {"forum": [before and before["title"], title]}
    audit.record(session, f"staff:{member.id}", "forum_bound", None, changed=changed, chat=chat_id)
