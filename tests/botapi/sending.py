"""Methods that put messages into chats: send…, copy…, forward…."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from .chats import UNCOPIED, Chat, content_of, quoted, wire
from .entities import Formatted, format_text
from .errors import Json, bad
from .files import Upload
from .keyboards import check_markup
from .limits import CAPTION, CHAT_ACTIONS, TEXT
from .world import World

Uploads = dict[str, Upload]
#: Methods that send one file -> its field and kind.
MEDIA = {
    "sendPhoto": "photo", "sendDocument": "document", "sendVoice": "voice", "sendAudio": "audio",
    "sendVideo": "video", "sendAnimation": "animation", "sendVideoNote": "video_note", "sendSticker": "sticker",
}  # fmt: skip


def formatted(params: Json, field: str) -> Json:
    """A text or caption of the call as message fields."""
    if field not in params:
        return {}
    entities_field = "entities" if field == "text" else "caption_entities"
    limit = TEXT if field == "text" else CAPTION
    done: Formatted = format_text(params[field], params.get("parse_mode"), params.get(entities_field), limit, field)
    content: Json = {field: done.text} if done.text else {}
    if done.entities:
        content[entities_field] = done.entities
    return content


def _reply(chat: Chat, params: Json) -> Json:
    """What the message replies to."""
    reply = params.get("reply_parameters", {})
    target = reply.get("message_id", params.get("reply_to_message_id"))
    if target is None or reply.get("chat_id", chat.id) != chat.id:
        return {}
    original = chat.messages.get(target)
    if original is None:
        if reply.get("allow_sending_without_reply") or params.get("allow_sending_without_reply"):
            return {}
        raise bad("message to be replied not found")
    return {"reply_to_message": quoted(original)}


def _place(world: World, chat: Chat, params: Json, reply: Json) -> Json:
    """The topic a message goes to: the one named, or the one of the message it replies to."""
    thread = params.get("message_thread_id")
    if thread is None:
        answered = reply.get("reply_to_message", {})
        if not answered.get("is_topic_message"):
            return {}
        thread = answered["message_thread_id"]
    elif not chat.is_forum:
        raise bad("message thread not found")
    topic = chat.topic(thread)
    if world.thread_ignored:
        return {}
    return {"message_thread_id": topic.id, "is_topic_message": True}


def deliver(world: World, params: Json, content: Json, markup: bool = True) -> Json:
    """A message of the bot's arrives in a chat; the message.

    Raises:
        Refusal: no such chat, topic or message to reply to, nobody to reach there, or a keyboard of a wrong shape.
    """
    chat = world.chat(params["chat_id"])
    chat.reachable()
    reply = _reply(chat, params)
    place = _place(world, chat, params, reply)
    extra: Json = {}
    if markup and "reply_markup" in params:
        check_markup(params["reply_markup"], private=chat.private)
        extra["reply_markup"] = params["reply_markup"]
    if params.get("protect_content"):
        extra["has_protected_content"] = True
    message = world.post(chat, content | place | reply | extra, world.bot)
    return wire(message)


def send_message(world: World, params: Json, uploads: Uploads) -> Json:
    """sendMessage."""
    return deliver(world, params, formatted(params, "text"))


def _send_media(method: str) -> Callable[[World, Json, Uploads], Json]:
    kind = MEDIA[method]

    def send(world: World, params: Json, uploads: Uploads) -> Json:
        content = formatted(params, "caption")
        world.chat(params["chat_id"]).reachable()
        content[kind] = world.files.take(kind, params[kind], uploads, kind).content()
        return deliver(world, params, content)

    return send


def input_media(world: World, item: Json, uploads: Uploads) -> Json:
    """An InputMedia… as message content."""
    content = formatted(item, "caption")
    content[item["type"]] = world.files.take(item["type"], item["media"], uploads, "media").content()
    return content


def send_media_group(world: World, params: Json, uploads: Uploads) -> list[Json]:
    """sendMediaGroup."""
    kinds = {item["type"] for item in params["media"]}
    if len(kinds) > 1 and kinds & {"document", "audio"}:
        raise bad("document and audio can't be mixed with other media types")
    world.chat(params["chat_id"]).reachable()
    contents = [input_media(world, item, uploads) for item in params["media"]]
    group = str(next(world.numbers) + 10**16)
    return [deliver(world, params, content | {"media_group_id": group}, markup=False) for content in contents]


def _plain(build: Callable[[Json], Json]) -> Callable[[World, Json, Uploads], Json]:
    def send(world: World, params: Json, uploads: Uploads) -> Json:
        return deliver(world, params, build(params))

    return send


def _pick(params: Json, *names: str) -> Json:
    return {name: params[name] for name in names if name in params}


def _location(params: Json) -> Json:
    if abs(params["latitude"]) > 90 or abs(params["longitude"]) > 180:
        raise bad("wrong geo coordinates specified")
    return {"location": _pick(params, "latitude", "longitude", "horizontal_accuracy", "live_period", "heading")}


def _venue(params: Json) -> Json:
    return {"venue": {"location": _location(params)["location"]} | _pick(params, "title", "address")}


def _contact(params: Json) -> Json:
    return {"contact": _pick(params, "phone_number", "first_name", "last_name", "vcard")}


def _poll(params: Json) -> Json:
    options = [{"text": option["text"], "voter_count": 0, "persistent_id": str(n)} for n, option in
               enumerate(params["options"])]  # fmt: skip
    if not 1 <= len(options) <= 12:
        raise bad("wrong number of poll options")
    flags = {"total_voter_count": 0, "is_closed": False, "is_anonymous": params.get("is_anonymous", True)}
    kind = {"type": params.get("type", "regular"), "allows_multiple_answers": False, "allows_revoting": False}
    return {
        "poll": {"id": "1", "question": params["question"], "options": options, "members_only": False} | flags | kind
    }


def _rich(params: Json) -> Json:
    return {"rich_message": {"blocks": params["rich_message"].get("blocks", [])}}


def send_chat_action(world: World, params: Json, uploads: Uploads) -> bool:
    """sendChatAction."""
    if params["action"] not in CHAT_ACTIONS:
        raise bad("wrong parameter action in request")
    chat = world.chat(params["chat_id"])
    chat.reachable()
    _place(world, chat, params, {})
    return True


def _source(world: World, params: Json, message_id: int, what: str) -> Json:
    message = world.chat(params["from_chat_id"]).message(message_id, f"message to {what} not found")
    content = content_of(message)
    if not content or (UNCOPIED & content.keys() and what == "copy"):
        raise bad(f"message can't be {'copied' if what == 'copy' else 'forwarded'}")
    if message.get("has_protected_content"):
        raise bad(f"message can't be {'copied' if what == 'copy' else 'forwarded'}")
    return message


def copy_message(world: World, params: Json, uploads: Uploads) -> Json:
    """copyMessage."""
    content = content_of(_source(world, params, params["message_id"], "copy"))
    if "caption" in params:
        content = {name: value for name, value in content.items() if name != "caption_entities"}
        content |= formatted(params, "caption")
    return {"message_id": deliver(world, params, content)["message_id"]}


def _forwarded(world: World, message: Json) -> Json:
    origin: Json = {"date": message["date"]}
    if "from" in message:
        origin |= {"type": "user", "sender_user": message["from"]}
    else:
        origin |= {"type": "chat", "sender_chat": message["sender_chat"]}
    return content_of(message) | {"forward_origin": message.get("forward_origin", origin)}


def forward_message(world: World, params: Json, uploads: Uploads) -> Json:
    """forwardMessage."""
    return deliver(world, params, _forwarded(world, _source(world, params, params["message_id"], "forward")))


def _many(what: str) -> Callable[[World, Json, Uploads], list[Json]]:
    """copyMessages and forwardMessages: in order, albums stay albums, what can't be found is left out silently."""

    def send(world: World, params: Json, uploads: Uploads) -> list[Json]:
        wanted = params["message_ids"]
        if any(later <= earlier for earlier, later in pairwise(wanted)):
            raise bad("message identifiers must be in a strictly increasing order")
        source = world.chat(params["from_chat_id"])
        world.chat(params["chat_id"]).reachable()
        groups: dict[str, str] = {}
        sent: list[Json] = []
        for message_id in wanted:
            message = source.messages.get(message_id)
            if message is None or not content_of(message):
                continue
            content = content_of(message) if what == "copy" else _forwarded(world, message)
            if params.get("remove_caption"):
                content = {name: value for name, value in content.items() if not name.startswith("caption")}
            if (group := message.get("media_group_id")) is not None:
                content["media_group_id"] = groups.setdefault(group, str(next(world.numbers) + 10**16))
            sent.append({"message_id": deliver(world, params, content)["message_id"]})
        if not sent:
            raise bad(f"there are no messages to {what}")
        return sent

    return send


HANDLERS: dict[str, Callable[[World, Json, Uploads], Any]] = {
    "sendMessage": send_message,
    "sendMediaGroup": send_media_group,
    "sendLocation": _plain(_location),
    "sendVenue": _plain(_venue),
    "sendContact": _plain(_contact),
    "sendDice": _plain(lambda params: {"dice": {"emoji": params.get("emoji", "🎲"), "value": 4}}),
    "sendPoll": _plain(_poll),
    "sendRichMessage": _plain(_rich),
    "sendChatAction": send_chat_action,
    "copyMessage": copy_message,
    "copyMessages": _many("copy"),
    "forwardMessage": forward_message,
    "forwardMessages": _many("forward"),
} | {method: _send_media(method) for method in MEDIA}
