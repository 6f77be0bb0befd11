"""The close of an update's work: its row, its conversation and the calls it causes are written together."""

from collections.abc import Sequence

from sqlalchemy.exc import DataError
from sqlalchemy.orm import Session

from store import conversations, inbox, outbox
from store.base import raw
from store.conversations import Conversation
from store.errors import MovedError
from store.outbox import Call

NOTHING = "22012"
"""SQLSTATE of a division by nothing."""


def close(
    session: Session,
    account: str,
    key: str,
    chat: int | None,
    body: str,
    conversation: Conversation,
    calls: Sequence[Call],
) -> None:
    """Write the end of a work. Raises MovedError when another replica has handled this update or moved the conversation."""
    if "sqlite" in session.info:
        if not inbox.record_done(session, account, key, chat, body):
            raise MovedError("update")
        conversations.save(session, conversation)
        outbox.put(session, calls)
        return
    # One statement, and one way to the database and back. Each part is carried out whatever becomes of the others: where one
    # finds nothing to write, the whole of it fails by the division.
    saving, saved = conversations.saving(conversation)
    parts = [f"taken AS ({inbox.RECORD_DONE})", f"moved AS ({saving})"]
    values = [*inbox.done_row(session, account, key, chat, body), *saved]
    if calls:
        putting, put = outbox.putting(session, calls)
        parts.append(f"put AS ({putting})")
        values += put
    ends = "SELECT version, 1 / ((SELECT count(*) FROM taken) * (SELECT count(*) FROM moved)) FROM (SELECT 1) one"
    try:
        [(version, _)] = raw(session, f"WITH {', '.join(parts)} {ends} LEFT JOIN moved ON true", values)
    except DataError as error:
        if getattr(error.orig, "sqlstate", None) != NOTHING:
            raise
        raise MovedError("update or conversation") from None
    conversation.version = version
