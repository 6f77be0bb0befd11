"""Topics: what becomes of a row that names a ticket, whose thread in the team's group only the moment of sending knows.

Where the ticket has no topic, the call that leaves in the row's place makes one, and the row waits for its turn again.
Where the topic turns out to be gone, the ticket's thread is emptied and the row waits likewise: one mechanism for making
topics, for their order and for healing them.
"""

import re
from dataclasses import replace
from typing import Any

from bot.messengers.messenger import Ready
from store.outbox import Ended

MAKE = "createForumTopic"
NEED_A_TOPIC = frozenset({"editForumTopic", "closeForumTopic", "reopenForumTopic", "deleteForumTopic"})
"""Calls that change a topic: where there is none, there is nothing to change."""
TRIES = 6
"""How often a row may leave before it is given up: a group that loses every topic at once holds up no others for ever."""
PAUSE_SECONDS = 60.0
"""How long a group waits that can't be written to, for somebody to mend it."""
NAME_CHARS_MAX = 128

_GONE = re.compile(r"thread not found|TOPIC_DELETED|TOPIC_ID_INVALID|topic not found", re.IGNORECASE)
_SAME = re.compile(r"TOPIC_NOT_MODIFIED", re.IGNORECASE)
_SHUT = re.compile(
    r"not a forum|not enough rights|CHAT_ADMIN_REQUIRED|kicked|not a member|chat not found|have no rights|CHAT_WRITE_FORBIDDEN",
    re.IGNORECASE,
)


def judged(ready: Ready, ended: Ended) -> Ended:
    """How a call ended that was made for a row which names a ticket. `anew` among the facts: the row stands in the store
    differently by now and is to be read again; `pause`: seconds until it may leave again.
    """
    call, facts = ended.call, dict(ended.facts or {})
    error = ended.error or ""
    if ended.state == "failed" and _SHUT.search(error):
        facts.pop("unreachable", None)
        return replace(ended, state="queued", facts={**facts, "pause": PAUSE_SECONDS})
    if ready.makes is not None:
        if ended.state == "sent" and isinstance(ended.result, dict) and "message_thread_id" in ended.result:
            topic = {"ticket": ready.makes, "thread": ended.result["message_thread_id"]}
            return Ended(call, "queued", facts={**facts, "topic": topic, "anew": True})
        if ended.state in {"sent", "unknown"}:
            # A second topic does no harm: one that nobody wrote in stays behind.
            return replace(ended, state="queued", result=None)
        return ended
    if ended.state == "failed" and _SAME.search(error):
        return replace(ended, state="sent")
    if ended.state == "failed" and ready.topic is not None and _GONE.search(error):
        return _again(ready, ended, facts, [])
    if ended.state == "sent" and ready.topic is not None and call.method.startswith("send"):
        landed = ended.result if isinstance(ended.result, list) else [ended.result]
        astray = [one for one in landed if isinstance(one, dict) and one.get("message_thread_id") != ready.topic[1]]
        if astray and all("message_id" in one for one in astray) and ended.error is None:
            # An old number is passed over in silence and the message stands in General, for nobody.
            return _again(ready, ended, facts, [int(one["message_id"]) for one in astray])
    return ended


def _again(ready: Ready, ended: Ended, facts: dict[str, Any], astray: list[int]) -> Ended:
    assert ready.topic is not None
    ticket, thread = ready.topic
    facts |= {"lost": {"ticket": ticket, "thread": thread, "astray": astray}}
    if ended.call.attempts >= TRIES:
        return replace(ended, state="failed", error=ended.error or "the topic is lost again and again", facts=facts)
    return Ended(ended.call, "queued", ended.error, None, 0, {**facts, "anew": True})
