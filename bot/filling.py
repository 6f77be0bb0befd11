"""What a row of the outbox lacks until it leaves: the numbers of earlier messages it names, and media."""

import json
from typing import Any

from bot.messengers.messenger import Messenger, Ready
from bot.topics import NAME_CHARS_MAX, NEED_A_TOPIC
from store import forum, media, outbox
from store.engine import Store
from store.outbox import Call, Ended

LACKS = ('"$media"', '"message_id": -', '"message_ids"', '"$ticket"')
"""What a payload holds that isn't ready to post as it stands."""


async def fill(store: Store, messenger: Messenger, call: Call) -> Ready | Ended:
    """The row ready to post; how it ended where a message it names was not sent."""
    if not any(mark in call.payload for mark in LACKS):
        return Ready(call)
    params: dict[str, Any] = json.loads(call.payload)
    topic = None
    if '"$ticket"' in call.payload:
        found = await _fill_topic(store, call, params)
        if isinstance(found, (Ready, Ended)):
            return found
        topic = found
    missing = await _fill_numbers(store, params)
    if missing is not None:
        return Ended(call, "failed", missing)
    files: dict[str, tuple[str, bytes, str]] = {}
    uploads: dict[str, str] = {}
    if '"$media"' in call.payload and messenger.takes_media():
        params = await _fill_media(store, call, params, files, uploads)
    return Ready(call, params, files, uploads, topic=topic)


async def _fill_topic(store: Store, call: Call, params: dict[str, Any]) -> tuple[int, int] | Ready | Ended:
    """Fill in the thread of the ticket that a row names, (ticket, thread); where it has no topic, the call that makes one."""
    ticket = int(params["message_thread_id"]["$ticket"])
    topic = await store.read(forum.topic_of, ticket)
    if topic is None:
        return Ended(call, "dropped", "the ticket is not in the forum")
    if topic.thread is None:
        if call.method in NEED_A_TOPIC:
            return Ended(call, "dropped", "there is no topic")
        made = {"chat_id": call.chat, "name": topic.name[:NAME_CHARS_MAX], "icon_color": topic.color}
        return Ready(call, made, makes=ticket)
    params["message_thread_id"] = topic.thread
    return ticket, topic.thread


async def _fill_numbers(store: Store, params: dict[str, Any]) -> str | None:
    holders = [params]
    answered = params.get("reply_parameters")
    if isinstance(answered, dict):
        number = answered.get("message_id")
        if isinstance(number, int) and number < 0 and answered.get("allow_sending_without_reply"):
            answered["message_id"] = await _number_of(store, -number)
            if answered["message_id"] is None:
                del params["reply_parameters"]
        else:
            holders.append(answered)
    for holder in holders:
        number = holder.get("message_id")
        if isinstance(number, int) and number < 0:
            holder["message_id"] = await _number_of(store, -number)
            if holder["message_id"] is None:
                return "the message it names was not sent"
    numbers = params.get("message_ids")
    if isinstance(numbers, list):
        filled = [await _number_of(store, -number) if number < 0 else number for number in numbers]
        if None in filled:
            return "a message it names was not sent"
        params["message_ids"] = filled
    return None


async def _number_of(store: Store, call_id: int) -> int | None:
    """The number that the message of an earlier row was given; None where it was not sent, or nobody knows."""
    found = await store.read(outbox.result_of, call_id)
    result = found[1] if found else None
    if isinstance(result, list) and result:
        result = result[0]
    return result.get("message_id") if isinstance(result, dict) else None


async def _fill_media(
    store: Store, call: Call, value: Any, files: dict[str, tuple[str, bytes, str]], uploads: dict[str, str]
) -> Any:
    if isinstance(value, dict):
        if "$media" in value:
            sha = value["$media"]
            known = await store.read(media.handle, call.account, sha, call.method)
            if known is not None:
                return known
            content = await store.read(media.load, sha)
            field = f"file{len(files)}"
            files[field] = (value.get("name") or "file", content.content, content.mime)
            uploads[field] = sha
            return f"attach://{field}"
        return {key: await _fill_media(store, call, item, files, uploads) for key, item in value.items()}
    if isinstance(value, list):
        return [await _fill_media(store, call, item, files, uploads) for item in value]
    return value
