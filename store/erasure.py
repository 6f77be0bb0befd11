"""Erasure: what the messengers' tables keep of a person. The floors above forget what is theirs and call this."""

import json
import re
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from store import webchat
from store.base import like, table
from store.clock import now
from store.conversations import ConversationRow
from store.events import Event
from store.inbox import InboxRow
from store.media import Attachment, Media
from store.notices import NoticeRow
from store.outbox import OutboxRow

WORDS_KEPT = {"order", "tier", "topic", "kind", "state", "cause"}
"""Facts of events that are words, yet say nothing of a person; numbers stay too."""
_SHA = re.compile(r"\b[0-9a-f]{64}\b")


def forget_chats(session: Session, chats: Sequence[tuple[str, int, int]]) -> set[str]:
    """Take the words out of a person's chats, given as (account of ours, chat, user): what came in, what went out, where
    they stood in a dialogue, the web chat's bubbles. The addresses of the media that were in them.
    """
    shas: set[str] = set()
    for account, chat_id, user_id in chats:
        sent = table(OutboxRow)
        mine = (sent.c.account == account) & (sent.c.chat == chat_id)
        for payload in session.execute(select(sent.c.payload).where(mine)).scalars():
            shas |= set(_SHA.findall(payload))
        session.execute(
            update(sent).where(mine & (sent.c.state == "queued")).values(state="dropped", done_at=now(session))
        )
        session.execute(update(sent).where(mine).values(payload="{}", result=None, error=None))
        session.execute(
            update(table(InboxRow))
            .where(InboxRow.account == account, InboxRow.chat == chat_id)
            .values(body="", error=None, state="done")
        )
        session.execute(
            delete(table(ConversationRow)).where(ConversationRow.chat_id == chat_id, ConversationRow.user_id == user_id)
        )
        if account == "web":
            shas |= _forget_bubbles(session, chat_id)
    return shas


def _forget_bubbles(session: Session, chat_id: int) -> set[str]:
    bubbles = webchat.bubbles
    extras = session.execute(select(bubbles.c.extra).where(bubbles.c.chat_id == chat_id)).scalars().all()
    session.execute(delete(bubbles).where(bubbles.c.chat_id == chat_id))
    return set(_SHA.findall(json.dumps(list(extras))))


def forget_bubbles_before(session: Session, before: datetime, limit: int) -> int:
    """Drop a batch of what was said in web chats before a time, with media that nobody else has; how many that were."""
    b = webchat.bubbles.c
    rows = session.execute(select(b.chat_id, b.number, b.extra).where(b.at < before).limit(limit)).all()
    for row in rows:
        session.execute(delete(webchat.bubbles).where(b.chat_id == row.chat_id, b.number == row.number))
    forget_media(session, set(_SHA.findall(json.dumps([row.extra for row in rows]))))
    return len(rows)


def forget_words(session: Session, customer_ids: Sequence[int], needles: Iterable[str]) -> None:
    """Take a customer's words out of their events and notices, and what names them (their phone, their full name) out of
    anybody's calls and updates that are over.
    """
    happened = table(Event)
    for row in session.execute(
        select(happened.c.id, happened.c.data).where(happened.c.customer_id.in_(customer_ids))
    ).all():
        kept = impersonal(row.data)
        if kept != row.data:
            session.execute(update(happened).where(happened.c.id == row.id).values(data=kept))
    told = table(NoticeRow)
    _unsay(session, told.c.customer_id.in_(customer_ids))
    for needle in needles:
        for said in {needle, json.dumps(needle)[1:-1]}:
            _unsay(session, sa.cast(told.c.params, sa.Text).like(like(said), escape="\\"))
            session.execute(
                update(table(OutboxRow))
                .where(OutboxRow.payload.like(like(said), escape="\\"), OutboxRow.state.not_in(("queued", "sending")))
                .values(payload="{}", result=None, error=None)
            )
            session.execute(
                update(table(InboxRow))
                .where(InboxRow.body.like(like(said), escape="\\"))
                .values(body="", error=None, state="done")
            )


def _unsay(session: Session, which: sa.ColumnElement[bool]) -> None:
    """Empty notices, and let those go that were still to be told."""
    told = table(NoticeRow)
    session.execute(update(told).where(which, told.c.state == "waiting").values(state="skipped", reason="erased"))
    session.execute(update(told).where(which).values(params={}))


def impersonal(data: dict[str, Any]) -> dict[str, Any]:
    """The facts of an event without what a person said or is called."""
    return {key: value for key, value in data.items() if key in WORDS_KEPT or isinstance(value, (int, float, bool))}


def forget_media(session: Session, shas: set[str]) -> None:
    """Delete bytes that nobody else has in a message, and that aren't the shop's own."""
    for sha in sorted(shas):
        attached = session.execute(select(Attachment.id).where(Attachment.sha == sha).limit(1)).first()
        extra = sa.cast(webchat.bubbles.c.extra, sa.Text)
        shown = session.execute(select(webchat.bubbles.c.number).where(extra.like(like(sha))).limit(1)).first()
        if attached is None and shown is None:
            session.execute(delete(Media).where(Media.sha == sha, Media.ours.is_not(True)))


def scrub(path: str) -> None:
    """Rewrite an SQLite file, so that nothing of what was deleted is left in its free space or its log. Raises
    sqlite3.OperationalError while another process writes.
    """
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()
