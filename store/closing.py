"""The close of an update's work: its row, its conversation and the calls it causes are written together."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from store import conversations, inbox, outbox
from store.base import raw
from store.conversations import Conversation
from store.errors import MovedError
from store.outbox import Call


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
    # One way to the database and back instead of three. Each part is carried out whatever becomes of the others, so what
    # is missing is found out here, and all of it is rolled back.
    saving, saved = conversations.saving(conversation)
    parts = [f"taken AS ({inbox.RECORD_DONE})", f"moved AS ({saving})"]
    values = [*inbox.done_row(session, account, key, chat, body), *saved]
    if calls:
        putting, put = outbox.putting(session, calls)
        parts.append(f"put AS ({putting})")
        values += put
    sql = f"WITH {', '.join(parts)} SELECT (SELECT key FROM taken), (SELECT version FROM moved)"  # noqa: S608
    [(taken, version)] = raw(session, sql, values)
    if taken is None:
        raise MovedError("update")
    if version is None:
        raise MovedError("conversation")
    conversation.version = version
