"""Methods of forum topics."""

from collections.abc import Callable
from typing import Any

from .chats import Chat, Topic
from .errors import Json, bad
from .files import Upload
from .world import World

Uploads = dict[str, Upload]
ICON_COLORS = (7322096, 16766590, 13338331, 9367192, 16749490, 16478047)


def _forum(world: World, params: Json) -> Chat:
    chat = world.chat(params["chat_id"])
    chat.reachable()
    if not chat.is_forum:
        raise bad("the chat is not a forum")
    return chat


def make_topic(world: World, chat: Chat, name: str, maker: Json, color: int, icon: str | None) -> Topic:
    """A topic and the service message that makes it."""
    made: Json = {"name": name, "icon_color": color}
    message = world.post(chat, {"forum_topic_created": made, "is_topic_message": True}, None)
    message["from"] = maker
    message["message_thread_id"] = message["message_id"]
    topic = chat.topics[message["message_id"]] = Topic(message["message_id"], name, color, icon)
    return topic


def create_topic(world: World, params: Json, uploads: Uploads) -> Json:
    """createForumTopic."""
    chat = _forum(world, params)
    color = params.get("icon_color", ICON_COLORS[0])
    if color not in ICON_COLORS:
        raise bad("invalid forum topic icon color specified")
    if not params["name"].strip():
        raise bad("TOPIC_TITLE_EMPTY")
    topic = make_topic(world, chat, params["name"].strip(), world.bot, color, params.get("icon_custom_emoji_id"))
    return topic.describe()


def _service(world: World, chat: Chat, topic: Topic, content: Json) -> None:
    world.post(chat, content | {"message_thread_id": topic.id, "is_topic_message": True}, None)["from"] = world.bot


def edit_topic(world: World, params: Json, uploads: Uploads) -> bool:
    """editForumTopic."""
    chat = _forum(world, params)
    topic = chat.topic(params["message_thread_id"], missing="TOPIC_ID_INVALID")
    name, icon = params.get("name") or topic.name, params.get("icon_custom_emoji_id", topic.icon_custom_emoji_id)
    if (name, icon or None) == (topic.name, topic.icon_custom_emoji_id):
        raise bad("TOPIC_NOT_MODIFIED")
    topic.name, topic.icon_custom_emoji_id = name, icon or None
    _service(world, chat, topic, {"forum_topic_edited": {"name": name}})
    return True


def _open_or_close(closed: bool) -> Callable[[World, Json, Uploads], bool]:
    def change(world: World, params: Json, uploads: Uploads) -> bool:
        chat = _forum(world, params)
        topic = chat.topic(params["message_thread_id"], missing="TOPIC_ID_INVALID")
        if topic.closed is closed:
            raise bad("TOPIC_NOT_MODIFIED")
        topic.closed = closed
        _service(world, chat, topic, {"forum_topic_closed" if closed else "forum_topic_reopened": {}})
        return True

    return change


def remove_topic(world: World, chat: Chat, topic: Topic) -> None:
    """A topic goes, with all its messages."""
    topic.deleted = True
    for message_id in [key for key, message in chat.messages.items() if message.get("message_thread_id") == topic.id]:
        chat.forget(message_id)
    world.changed()


def delete_topic(world: World, params: Json, uploads: Uploads) -> bool:
    """deleteForumTopic."""
    chat = _forum(world, params)
    remove_topic(world, chat, chat.topic(params["message_thread_id"], missing="TOPIC_ID_INVALID"))
    return True


def unpin_topic(world: World, params: Json, uploads: Uploads) -> bool:
    """unpinAllForumTopicMessages."""
    chat = _forum(world, params)
    thread = chat.topic(params["message_thread_id"], missing="TOPIC_ID_INVALID").id
    chat.pinned = [key for key in chat.pinned if chat.messages[key].get("message_thread_id") != thread]
    return True


HANDLERS: dict[str, Callable[[World, Json, Uploads], Any]] = {
    "createForumTopic": create_topic,
    "editForumTopic": edit_topic,
    "closeForumTopic": _open_or_close(True),
    "reopenForumTopic": _open_or_close(False),
    "deleteForumTopic": delete_topic,
    "unpinAllForumTopicMessages": unpin_topic,
}
