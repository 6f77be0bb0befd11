"""Methods that change what is there: edits, deletes, pins, reactions, answers to taps."""

from collections.abc import Callable
from typing import Any

from .chats import Chat, content_of, wire
from .errors import Json, bad
from .files import Upload
from .keyboards import check_markup
from .limits import DELETE_SECONDS, QUERY_SECONDS, REACTIONS
from .sending import MEDIA, formatted, input_media
from .world import World

Uploads = dict[str, Upload]


def _own(world: World, params: Json) -> tuple[Chat, Json]:
    """The bot's message that a call edits."""
    if "chat_id" not in params or "message_id" not in params:
        raise bad("message identifier is not specified")
    chat = world.chat(params["chat_id"])
    chat.reachable()
    message = chat.message(params["message_id"], "message to edit not found")
    markup = message.get("reply_markup", {"inline_keyboard": []})
    if message.get("from") is not world.bot or "forward_origin" in message or "inline_keyboard" not in markup:
        raise bad("message can't be edited")
    return chat, message


def _apply(world: World, params: Json, chat: Chat, message: Json, content: Json) -> Json:
    """Put new content and keyboard into a message; a keyboard that is not named goes away."""
    markup = params.get("reply_markup")
    check_markup(markup, private=chat.private)
    if markup is not None and not any(markup["inline_keyboard"]):
        markup = None
    old = content_of(message)
    if content == old and markup == message.get("reply_markup"):
        raise bad(
            "message is not modified: specified new message content and reply markup are exactly the same as a current "
            "content and reply markup of the message"
        )
    for name in [*old, "reply_markup"]:
        message.pop(name, None)
    message |= content | {"edit_date": int(world.now())} | ({"reply_markup": markup} if markup else {})
    world.touch(chat, message)
    return wire(dict(message))


def edit_text(world: World, params: Json, uploads: Uploads) -> Json | bool:
    """editMessageText."""
    if "inline_message_id" in params:
        return True
    if "text" not in params and "rich_message" not in params:
        raise bad("message text is empty")
    content = formatted(params, "text")
    chat, message = _own(world, params)
    if "rich_message" in params:
        content = {"rich_message": {"blocks": params["rich_message"].get("blocks", [])}}
    elif "text" not in message and "rich_message" not in message:
        raise bad("there is no text in the message to edit")
    return _apply(world, params, chat, message, content)


def edit_caption(world: World, params: Json, uploads: Uploads) -> Json | bool:
    """editMessageCaption; no caption takes it away."""
    if "inline_message_id" in params:
        return True
    caption = formatted(params, "caption")
    chat, message = _own(world, params)
    if not any(kind in message for kind in MEDIA.values()):
        raise bad("there is no caption in the message to edit")
    kept = {name: value for name, value in content_of(message).items() if not name.startswith("caption")}
    return _apply(world, params, chat, message, kept | caption)


def edit_media(world: World, params: Json, uploads: Uploads) -> Json | bool:
    """editMessageMedia."""
    if "inline_message_id" in params:
        return True
    chat, message = _own(world, params)
    return _apply(world, params, chat, message, input_media(world, params["media"], uploads))


def edit_markup(world: World, params: Json, uploads: Uploads) -> Json | bool:
    """editMessageReplyMarkup; no keyboard takes it away."""
    if "inline_message_id" in params:
        return True
    chat, message = _own(world, params)
    return _apply(world, params, chat, message, content_of(message))


def _delete(world: World, chat: Chat, message_id: int) -> None:
    message = chat.message(message_id, "message to delete not found")
    if world.now() - message["date"] > DELETE_SECONDS and chat.type != "supergroup":
        raise bad("message can't be deleted for everyone")
    if "forum_topic_created" in message:
        raise bad("message can't be deleted")
    chat.forget(message_id)
    world.changed()


def delete_message(world: World, params: Json, uploads: Uploads) -> bool:
    """deleteMessage."""
    _delete(world, world.chat(params["chat_id"]), params["message_id"])
    return True


def delete_messages(world: World, params: Json, uploads: Uploads) -> bool:
    """deleteMessages; those that are not there are left out silently."""
    chat = world.chat(params["chat_id"])
    for message_id in params["message_ids"]:
        if message_id in chat.messages:
            _delete(world, chat, message_id)
    return True


def answer_tap(world: World, params: Json, uploads: Uploads) -> bool:
    """answerCallbackQuery."""
    tap = world.taps.get(params["callback_query_id"])
    if tap is None or world.now() - tap.at > QUERY_SECONDS:
        raise bad("query is too old and response timeout expired or query ID is invalid", fated=tap is not None)
    tap.answer = {name: value for name, value in params.items() if name != "callback_query_id"}
    world.changed()
    return True


def react(world: World, params: Json, uploads: Uploads) -> bool:
    """setMessageReaction: at most one, of the emoji that Telegram has."""
    chat = world.chat(params["chat_id"])
    chat.reachable()
    message = chat.message(params["message_id"], "message to react not found")
    reactions = params.get("reaction", [])
    if len(reactions) > 1:
        raise bad("REACTIONS_TOO_MANY")
    if any(item["type"] == "paid" or item.get("emoji", "👍") not in REACTIONS for item in reactions):
        raise bad("REACTION_INVALID")
    chat.reactions[message["message_id"]] = reactions
    world.touch(chat, message)
    return True


def pin(world: World, params: Json, uploads: Uploads) -> bool:
    """pinChatMessage."""
    chat = world.chat(params["chat_id"])
    chat.reachable()
    message = chat.message(params["message_id"], "message to pin not found")
    if message["message_id"] not in chat.pinned:
        chat.pinned.append(message["message_id"])
    world.touch(chat, message)
    return True


def unpin(world: World, params: Json, uploads: Uploads) -> bool:
    """unpinChatMessage: the one named, or the last."""
    chat = world.chat(params["chat_id"])
    target = params.get("message_id", chat.pinned[-1] if chat.pinned else None)
    if target not in chat.pinned:
        raise bad("message to unpin not found")
    chat.pinned.remove(target)
    world.changed()
    return True


def unpin_all(world: World, params: Json, uploads: Uploads) -> bool:
    """unpinAllChatMessages."""
    world.chat(params["chat_id"]).pinned.clear()
    world.changed()
    return True


HANDLERS: dict[str, Callable[[World, Json, Uploads], Any]] = {
    "editMessageText": edit_text,
    "editMessageCaption": edit_caption,
    "editMessageMedia": edit_media,
    "editMessageReplyMarkup": edit_markup,
    "deleteMessage": delete_message,
    "deleteMessages": delete_messages,
    "answerCallbackQuery": answer_tap,
    "setMessageReaction": react,
    "pinChatMessage": pin,
    "unpinChatMessage": unpin,
    "unpinAllChatMessages": unpin_all,
}
