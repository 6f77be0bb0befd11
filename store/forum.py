"""The forum: the group of a messenger in which tickets stand as topics, and what stands in which topic.

It is a view. What it shows can be made again at any time, so a topic that somebody deleted is only a thread that is empty:
the next row that names the ticket makes another one. Which tickets these are this floor doesn't know, only their numbers.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Text, delete, func, insert, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import options
from store.base import Base, BigId, UtcTime, like, table
from store.clock import now
from store.inbox import InboxRow
from store.outbox import Call, OutboxRow, Purpose, put
from store.signals import signal

TOPIC = "forum"
"""Signalled when something the forum shows may have changed, or when there is room for more."""
RULE = "forum"
"""Outbox rows to the forum name this rule, and their ticket as its subject."""
QUEUED, THERE, GONE, UNKNOWN = "queued", "there", "gone", "unknown"
_DUE = {"behind": text("behind_at IS NOT NULL"), "undressed": text("undressed_at IS NOT NULL")}
_QUEUED = text("state = 'queued'")


class ForumTopicRow(Base):
    """A ticket's topic."""

    __tablename__ = "forum_topics"
    __table_args__ = (
        Index("ix_forum_topics_thread", "chat", "thread"),
        Index("ix_forum_topics_behind", "behind_at", sqlite_where=_DUE["behind"], postgresql_where=_DUE["behind"]),
        Index(
            "ix_forum_topics_undressed", "undressed_at",
            sqlite_where=_DUE["undressed"], postgresql_where=_DUE["undressed"],
        ),
    )  # fmt: skip

    ticket_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    chat: Mapped[int] = mapped_column(BigInteger)
    thread: Mapped[int | None]
    """Empty until it is made, and again when it turns out to be gone."""
    name: Mapped[str] = mapped_column(Text)
    color: Mapped[int]
    shown: Mapped[int]
    """The desk's number up to which its lines are shown or on their way."""
    behind_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """Since when it has lines to show; empty where it has none."""
    undressed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """Since when its card, name and lock may be out of date."""
    card: Mapped[str] = mapped_column(Text)
    """What its card says; empty where it has none."""
    closed: Mapped[bool]


class ForumPostRow(Base):
    """One message of a topic, ours or a colleague's, or a change of how the topic looks that is on its way."""

    __tablename__ = "forum_posts"
    __table_args__ = (
        Index("ix_forum_posts_queued", "state", sqlite_where=_QUEUED, postgresql_where=_QUEUED),
        Index("ix_forum_posts_ticket", "ticket_id", "message_id"),
        Index("ix_forum_posts_number", "chat", "number"),
        Index("ix_forum_posts_call", "call"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    ticket_id: Mapped[int]
    kind: Mapped[str] = mapped_column(Text)
    """line (a message of the ticket), typed (one that a colleague wrote here), card, told (how a delivery failed), look."""
    message_id: Mapped[int | None]
    """The ticket's message that it shows."""
    call: Mapped[int | None] = mapped_column(BigInteger)
    chat: Mapped[int] = mapped_column(BigInteger)
    number: Mapped[int | None] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(Text)
    """queued, there, gone (its topic is, or it was refused), unknown."""
    said: Mapped[str] = mapped_column(Text)
    """What of the message is shown that may change (its wording's time, reactions), so that a change is seen."""


class ForumDeskRow(Base):
    """How far a shop's desk was followed: the number of its last change that was noticed."""

    __tablename__ = "forum_desks"

    shop_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seen: Mapped[int]


@dataclass(frozen=True, slots=True)
class Forum:
    """The team's group: our account there and the chat."""

    account: str
    chat: int


@dataclass(frozen=True, slots=True)
class Topic:
    """A ticket's topic; see ForumTopicRow."""

    ticket_id: int
    chat: int
    thread: int | None
    name: str
    color: int
    shown: int
    card: str
    closed: bool


@dataclass(frozen=True, slots=True)
class Post:
    """A message in a topic; see ForumPostRow."""

    id: int
    ticket_id: int
    kind: str
    message_id: int | None
    call: int | None
    number: int | None
    state: str
    said: str


topics, posts, desks = table(ForumTopicRow), table(ForumPostRow), table(ForumDeskRow)
TOPIC_FIELDS = tuple(topics.c[name] for name in Topic.__dataclass_fields__)
POST_FIELDS = tuple(posts.c[name] for name in Post.__dataclass_fields__)


# ── The group ──────────────────────────────────────────────────────────────────────────────────────


def chosen(session: Session) -> Forum | None:
    """The team's group; None where there is none."""
    kept = options.get(session, options.FORUM)
    return Forum(str(kept["account"]), int(kept["chat_id"])) if kept else None


def follow_setting(session: Session, account: str, chat: int) -> None:
    """The settings name the team's group. What was followed since (the group got another number, an owner chose another)
    stays as long as the setting doesn't change.
    """
    kept = options.get(session, options.FORUM)
    if kept is None or kept.get("setting") != chat or kept["account"] != account:
        choose(session, {"account": account, "chat_id": chat, "title": "", "staff_id": None, "setting": chat})


def choose(session: Session, value: dict[str, Any]) -> None:
    """Make a group the team's. Topics in another one are left behind: what goes on is shown in the new one."""
    before = options.get(session, options.FORUM)
    if before and before.get("setting") is not None and "setting" not in value:
        value = {**value, "setting": before["setting"]}
    options.put(session, options.FORUM, value)
    elsewhere = topics.c.chat != value["chat_id"]
    for ticket_id in session.execute(select(topics.c.ticket_id).where(elsewhere)).scalars().all():
        empty(session, ticket_id)
    sent = table(OutboxRow)
    left_behind = (sent.c.rule == RULE) & (sent.c.chat != value["chat_id"]) & (sent.c.state == "queued")
    session.execute(update(sent).where(left_behind).values(state="dropped", done_at=now(session)))
    session.execute(update(posts).where(posts.c.chat != value["chat_id"]).values(state=GONE))
    session.execute(update(topics).values(chat=value["chat_id"]))
    signal(session, TOPIC)


def moved(session: Session, account: str, chat: int, to: int) -> None:
    """A group became a supergroup: it has another number from now on, and what waits for it goes there. Repeatable."""
    kept = options.get(session, options.FORUM)
    if kept and (kept["account"], kept["chat_id"]) == (account, chat):
        options.put(session, options.FORUM, {**kept, "chat_id": to})
        for ticket_id in session.execute(select(topics.c.ticket_id).where(topics.c.chat == chat)).scalars().all():
            empty(session, ticket_id)
        session.execute(update(topics).where(topics.c.chat == chat).values(chat=to))
        session.execute(update(posts).where(posts.c.chat == chat).values(chat=to))
    sent = table(OutboxRow)
    waiting = session.execute(
        select(sent.c.id, sent.c.payload).where(
            sent.c.account == account, sent.c.chat == chat, sent.c.state == "queued"
        )
    ).all()
    for row in waiting:
        payload = json.dumps({**json.loads(row.payload), "chat_id": to}, ensure_ascii=False)
        session.execute(update(sent).where(sent.c.id == row.id).values(chat=to, payload=payload))
    signal(session, TOPIC)


# ── Topics ─────────────────────────────────────────────────────────────────────────────────────────


def topic_of(session: Session, ticket_id: int) -> Topic | None:
    """A ticket's topic."""
    row = session.execute(select(*TOPIC_FIELDS).where(topics.c.ticket_id == ticket_id)).first()
    return Topic(*row) if row else None


def ticket_in(session: Session, forum: Forum, thread: int) -> int | None:
    """The ticket whose topic a thread is."""
    return session.execute(
        select(topics.c.ticket_id).where(topics.c.chat == forum.chat, topics.c.thread == thread)
    ).scalar()


def made(session: Session, ticket_id: int, thread: int) -> bool:
    """A topic was made. False where another one was quicker: this one is to go again."""
    done = session.execute(
        update(topics).where(topics.c.ticket_id == ticket_id, topics.c.thread.is_(None)).values(thread=thread)
        .returning(topics.c.ticket_id)
    ).first()  # fmt: skip
    return done is not None or session.execute(
        select(topics.c.thread).where(topics.c.ticket_id == ticket_id)
    ).scalar() in {None, thread}  # fmt: skip


def lost(session: Session, ticket_id: int, thread: int) -> bool:
    """A topic turned out to be gone: the ticket has none until the next row makes one. False where it has another one by
    now.
    """
    current = session.execute(select(topics.c.thread).where(topics.c.ticket_id == ticket_id).with_for_update()).scalar()
    if current != thread:
        return False
    empty(session, ticket_id)
    return True


def empty(session: Session, ticket_id: int) -> None:
    """Forget where a ticket's topic was."""
    session.execute(
        update(topics)
        .where(topics.c.ticket_id == ticket_id)
        .values(thread=None, card="", closed=False, undressed_at=now(session))
    )
    session.execute(update(posts).where(posts.c.ticket_id == ticket_id, posts.c.state != QUEUED).values(state=GONE))


# ── What stands in them ────────────────────────────────────────────────────────────────────────────


def post(
    session: Session, forum: Forum, ticket_id: int, kind: str, *, message_id: int | None = None, call: int | None = None,
    number: int | None = None, said: str = "",
) -> None:  # fmt: skip
    """Note a message of a topic: one that leaves with `call`, or one that stands there already under `number`."""
    session.execute(
        insert(posts).values(
            ticket_id=ticket_id, kind=kind, message_id=message_id, call=call, chat=forum.chat, number=number, said=said,
            state=THERE if number is not None else QUEUED,
        )
    )  # fmt: skip


def posts_of(session: Session, ticket_id: int, message_ids: Sequence[int]) -> dict[int, list[Post]]:
    """The messages that show a ticket's messages, by the latter; what is gone is among them."""
    found: dict[int, list[Post]] = {}
    for start in range(0, len(message_ids), 500):
        rows = session.execute(
            select(*POST_FIELDS)
            .where(posts.c.ticket_id == ticket_id, posts.c.message_id.in_(message_ids[start : start + 500]))
            .order_by(posts.c.id)
        )
        for row in rows:
            found.setdefault(row.message_id, []).append(Post(*row))
    return found


def post_at(session: Session, forum: Forum, number: int) -> Post | None:
    """What stands in the group under a number; the last of several that one message shows."""
    row = session.execute(
        select(*POST_FIELDS)
        .where(posts.c.chat == forum.chat, posts.c.number == number)
        .order_by(posts.c.id.desc())
        .limit(1)
    ).first()
    return Post(*row) if row else None


def looks_as(session: Session, shown: Post, said: str) -> None:
    """Note what is shown of a message that may change, because it changed here."""
    session.execute(update(posts).where(posts.c.id == shown.id).values(said=said))


def card_of(session: Session, ticket_id: int) -> Post | None:
    """The card that a ticket's topic begins with."""
    row = session.execute(
        select(*POST_FIELDS)
        .where(posts.c.ticket_id == ticket_id, posts.c.kind == "card", posts.c.state.in_((QUEUED, THERE)))
        .order_by(posts.c.id.desc())
        .limit(1)
    ).first()
    return Post(*row) if row else None


def waiting(session: Session) -> int:
    """How many calls are on their way."""
    sent = table(OutboxRow).c
    query = (
        select(func.count(posts.c.call.distinct()))
        .join(table(OutboxRow), sent.id == posts.c.call)
        .where(posts.c.state == QUEUED, sent.state.in_(("queued", "sending")))
    )
    return int(session.execute(query).scalar_one())


# ── Erasure ────────────────────────────────────────────────────────────────────────────────────────


def forget(session: Session, ticket_ids: Sequence[int]) -> None:
    """Take tickets out of the forum: their topics are deleted there, what was queued is dropped, what was sent and typed is
    emptied.
    """
    group = chosen(session)
    sent, came = table(OutboxRow), table(InboxRow)
    ours = (sent.c.rule == RULE) & sent.c.subject.in_(ticket_ids)
    session.execute(update(sent).where(ours, sent.c.state == "queued").values(state="dropped", done_at=now(session)))
    session.execute(update(sent).where(ours).values(payload="{}", result=None, error=None))
    rows = session.execute(
        select(topics.c.chat, topics.c.thread).where(topics.c.ticket_id.in_(ticket_ids), topics.c.thread.is_not(None))
    ).all()
    for row in rows:
        for gap in ("", " "):
            mark = like(f'"message_thread_id":{gap}{row.thread},')
            typed = (came.c.chat == row.chat) & came.c.body.like(mark, escape="\\")
            session.execute(update(came).where(typed).values(body="", error=None, state="done"))
            told = (sent.c.chat == row.chat) & sent.c.payload.like(mark, escape="\\") & (sent.c.state != "queued")
            session.execute(update(sent).where(told).values(payload="{}", result=None, error=None))
    calls = [
        Call(
            id=session.info["ids"].new(), account=group.account, chat=row.chat, method="deleteForumTopic",
            payload=json.dumps({"chat_id": row.chat, "message_thread_id": row.thread}), purpose=int(Purpose.SERVICE),
        )
        for row in rows if group is not None
    ]  # fmt: skip
    if calls:
        put(session, calls)
    session.execute(delete(posts).where(posts.c.ticket_id.in_(ticket_ids)))
    session.execute(delete(topics).where(topics.c.ticket_id.in_(ticket_ids)))
