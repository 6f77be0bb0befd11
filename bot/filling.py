"""What a row of the outbox lacks until it leaves: the numbers of earlier messages it names, and media."""

import json
from typing import Any

from bot.messengers.messenger import Messenger, Ready
from store import media, outbox
from store.engine import Store
from store.outbox import Call, Ended

LACKS = ('"$media"', '"message_id": -', '"message_ids"')
"""What a payload holds that isn't ready to post as it stands."""


async def fill(store: Store, messenger: Messenger, call: Call) -> Ready | Ended:
    """The row ready to post; how it ended where a message it names was not sent."""
    if not any(mark in call.payload for mark in LACKS):
        return Ready(call)
    params: dict[str, Any] = json.loads(call.payload)
    missing = await _fill_numbers(store, params)
    if missing is not None:
        return Ended(call, "failed", missing)
    files: dict[str, tuple[str, bytes, str]] = {}
    uploads: dict[str, str] = {}
    if '"$media"' in call.payload and messenger.takes_media():
        params = await _fill_media(store, call, params, files, uploads)
    return Ready(call, params, files, uploads)


async def _fill_numbers(store: Store, params: dict[str, Any]) -> str | None:
    holders = [params]
    if isinstance(params.get("reply_parameters"), dict):
        holders.append(params["reply_parameters"])
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
