"""How calls to the team's forum ended, and what they told beside it. What a colleague would miss is said once more."""

import json
from typing import Any

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from handlers.chat import forum_lines, forum_words
from handlers.chat.forum_mirror import AGAIN, HTML, Showing
from handlers.words import words
from store import forum, shops
from store.clock import now
from store.forum import GONE, QUEUED, RULE, THERE, UNKNOWN, Post, posts, topics
from store.outbox import Call, Ended, Purpose, put
from store.signals import signal
from support import tickets

log = structlog.get_logger()


def ended(session: Session, end: Ended) -> None:
    """The outbox's rule `forum`: how a row to the forum ended."""
    rows = [
        Post(*row) for row in session.execute(
            select(*forum.POST_FIELDS).where(posts.c.call == end.call.id, posts.c.state == QUEUED).order_by(posts.c.id)
        )
    ]  # fmt: skip
    signal(session, forum.TOPIC)
    if not rows:
        return
    if end.state == "sent":
        numbers = _numbers(end.result)
        for place, post in enumerate(rows):
            # An edit brings the number of what it edits, which has a post of its own.
            number = numbers[min(place, len(numbers) - 1)] if numbers and post.kind != "look" else None
            session.execute(update(posts).where(posts.c.id == post.id).values(state=THERE, number=number))
        return
    state = UNKNOWN if end.state == "unknown" else GONE
    session.execute(update(posts).where(posts.c.id.in_([post.id for post in rows])).values(state=state))
    if end.state in {"failed", "unknown"}:
        _make_good(session, end, rows)


def _make_good(session: Session, end: Ended, rows: list[Post]) -> None:
    """What a colleague would miss is said once more, in a form that can't be refused and with a mark that it may be there
    already. What is only looks is left to the next time it changes.
    """
    kind, ticket_id = rows[0].kind, end.call.subject
    if kind == "look":
        if end.call.method == "editMessageText" and "not found" in (end.error or ""):
            _card_gone(session, end)
        return
    if kind == AGAIN or ticket_id is None:
        return
    topic, group = forum.topic_of(session, ticket_id), forum.chosen(session)
    if topic is None or group is None:
        return
    if kind == "card":
        session.execute(
            update(topics).where(topics.c.ticket_id == ticket_id).values(card="", undressed_at=now(session))
        )
        return
    said = words(shops.get(session, tickets.get(session, ticket_id).shop_id).language)
    first = json.loads(end.call.payload or "{}")
    text = first.get("text") or first.get("caption") or ""
    head = said("↻ You may have seen this already:") if end.state == "unknown" else ""
    if end.state == "failed" or end.call.method != "sendMessage":
        mentioned = forum_lines.mentioned(session, [post.message_id for post in rows if post.message_id])
        if end.call.method != "sendMessage":
            head = head or said("Telegram doesn't show this here, the web desk does:")
        text = "\n".join(mentioned)
        first = {}
    if not text:
        return
    payload = {
        "chat_id": group.chat, "message_thread_id": {"$ticket": ticket_id}, **HTML,
        "text": "\n".join(part for part in (head, text) if part)[: forum_words.TEXT_CHARS_MAX],
        **{key: value for key, value in first.items() if key in {"reply_markup", "link_preview_options"}},
    }  # fmt: skip
    call = Call(
        id=session.info["ids"].new(), account=group.account, chat=group.chat, method="sendMessage",
        payload=json.dumps(payload, ensure_ascii=False), purpose=int(Purpose.SERVICE), rule=RULE, subject=ticket_id,
    )  # fmt: skip
    put(session, [call])
    for post in rows:
        forum.post(session, group, ticket_id, AGAIN, message_id=post.message_id, call=call.id, said=post.said)


def _card_gone(session: Session, end: Ended) -> None:
    """Somebody deleted the card: there is to be another one."""
    number = json.loads(end.call.payload or "{}").get("message_id")
    gone = session.execute(
        update(posts).where(posts.c.ticket_id == end.call.subject, posts.c.number == number, posts.c.kind == "card")
        .values(state=GONE).returning(posts.c.id)
    ).first()  # fmt: skip
    if gone is not None:
        session.execute(
            update(topics).where(topics.c.ticket_id == end.call.subject).values(card="", undressed_at=now(session))
        )


def learnt(session: Session, end: Ended) -> None:
    """What a call told beside its end: a topic was made, one is gone, the group has another number."""
    facts = end.facts or {}
    chat = end.call.chat or 0
    made = facts.get("topic")
    if made and not forum.made(session, int(made["ticket"]), int(made["thread"])):
        # Another row was quicker: this one is empty.
        _direct(session, end, "deleteForumTopic", message_thread_id=int(made["thread"]))
    if lost := facts.get("lost"):
        for number in lost["astray"]:
            _direct(session, end, "deleteMessage", message_id=number)
        group = forum.chosen(session)
        if forum.lost(session, int(lost["ticket"]), int(lost["thread"])) and group is not None:
            topic = forum.topic_of(session, int(lost["ticket"]))
            if topic is not None and end.state == "queued":
                Showing(session, group, topic).again()
    if "pause" in facts:
        log.warning("the team's group can't be written to", chat=chat, error=end.error)
    if (to := facts.get("migrate_to")) is not None:
        forum.moved(session, end.call.account, chat, int(to))


def _direct(session: Session, end: Ended, method: str, **params: Any) -> None:
    """A call to the group that names no ticket."""
    call = Call(
        id=session.info["ids"].new(), account=end.call.account, chat=end.call.chat, method=method,
        payload=json.dumps({"chat_id": end.call.chat, **params}), purpose=int(Purpose.CARE),
    )  # fmt: skip
    put(session, [call])


def _numbers(result: Any) -> list[int]:
    """The numbers of the messages that a call brought."""
    if isinstance(result, str):
        result = json.loads(result)
    found = result if isinstance(result, list) else [result]
    return [int(one["message_id"]) for one in found if isinstance(one, dict) and "message_id" in one]
