"""Chats: private ones, groups, forums with topics, and the messages in them."""

from dataclasses import dataclass, field
from typing import Any, Literal

from .errors import Json, Refusal, bad

#: Fields of a message that are its content, which copies and forwards carry along.
CONTENT = (
    "text", "entities", "caption", "caption_entities", "photo", "document", "voice", "audio", "video", "animation",
    "video_note", "sticker", "location", "venue", "contact", "dice", "poll", "rich_message", "link_preview_options",
    "show_caption_above_media", "has_media_spoiler", "paid_media", "checklist", "game", "invoice", "live_photo",
)  # fmt: skip
#: Content that can't be copied.
UNCOPIED = frozenset({"invoice", "paid_media"})

ChatType = Literal["private", "group", "supergroup", "channel"]


@dataclass
class Topic:
    """A forum topic; its thread id is the id of the message that made it."""

    id: int
    name: str
    icon_color: int = 7322096
    icon_custom_emoji_id: str | None = None
    closed: bool = False
    deleted: bool = False

    def describe(self) -> Json:
        """The ForumTopic object."""
        topic: Json = {"message_thread_id": self.id, "name": self.name, "icon_color": self.icon_color}
        if self.icon_custom_emoji_id:
            topic["icon_custom_emoji_id"] = self.icon_custom_emoji_id
        return topic


@dataclass
class Chat:
    """A chat as the bot knows it."""

    id: int
    type: ChatType
    about: Json
    is_forum: bool = False
    messages: dict[int, Json] = field(default_factory=dict)
    #: What the bot sent here and is still there, in order; edits change the entries.
    sent: list[Json] = field(default_factory=list)
    topics: dict[int, Topic] = field(default_factory=dict)
    members: dict[int, Json] = field(default_factory=dict)
    pinned: list[int] = field(default_factory=list)
    #: Message id -> the reactions the bot set.
    reactions: dict[int, list[Json]] = field(default_factory=dict)
    #: A supergroup's own count of messages; the first is its creation, which is why no topic has the id 1.
    last_id: int = 0
    refuses: Refusal | None = None
    migrated_to: int | None = None
    #: Message id -> the number of the world's change that last touched it.
    touched: dict[int, int] = field(default_factory=dict)

    @property
    def private(self) -> bool:
        """Whether it is one person's chat with the bot."""
        return self.type == "private"

    def describe(self) -> Json:
        """The Chat object inside messages."""
        chat: Json = {"id": self.id, "type": self.type} | self.about
        if self.is_forum:
            chat["is_forum"] = True
        return chat

    def reachable(self) -> None:
        """Refuse when nothing can be sent here.

        Raises:
            Refusal: blocked, deactivated, kicked, never started, or moved to a supergroup.
        """
        if self.migrated_to is not None:
            text = "group chat was upgraded to a supergroup chat"
            raise Refusal(400, text, fated=True, migrate_to_chat_id=self.migrated_to)
        if self.refuses is not None:
            raise self.refuses

    def topic(self, thread: int, *, missing: str = "message thread not found") -> Topic:
        """A live topic.

        Raises:
            Refusal: no such topic, or it was deleted (which the bot can't have known).
        """
        topic = self.topics.get(thread)
        if topic is None or topic.deleted:
            raise bad(missing, fated=topic is not None)
        return topic

    def message(self, message_id: int, missing: str) -> Json:
        """A message that is there.

        Raises:
            Refusal: it is not.
        """
        message = self.messages.get(message_id)
        if message is None:
            raise bad(missing)
        return message

    def forget(self, message_id: int) -> bool:
        """Delete a message; whether it was there."""
        message = self.messages.pop(message_id, None)
        if message is None:
            return False
        self.sent[:] = [kept for kept in self.sent if kept["message_id"] != message_id]
        if message_id in self.pinned:
            self.pinned.remove(message_id)
        return True


def content_of(message: Json) -> Json:
    """The content a copy carries."""
    return {name: message[name] for name in CONTENT if name in message}


def wire(message: Json) -> Json:
    """A message as the bot is told of it: reply keyboards are for the person's eyes only."""
    markup = message.get("reply_markup")
    if markup is not None and "inline_keyboard" not in markup:
        return {name: value for name, value in message.items() if name != "reply_markup"}
    return message


def quoted(message: Json) -> Json:
    """A message as it appears inside a reply: without what it replied to itself."""
    return {name: value for name, value in wire(message).items() if name not in ("reply_to_message", "pinned_message")}


def member(user: Json, status: str, **more: Any) -> Json:
    """A ChatMember object."""
    rights = (
        "can_manage_chat", "can_delete_messages", "can_manage_video_chats", "can_restrict_members",
        "can_promote_members", "can_change_info", "can_invite_users", "can_post_stories", "can_edit_stories",
        "can_delete_stories", "can_send_welcome_messages", "can_pin_messages", "can_manage_topics",
    )  # fmt: skip
    entry: Json = {"user": user, "status": status}
    if status == "administrator":
        entry |= {"can_be_edited": False, "is_anonymous": False} | dict.fromkeys(rights, True)
    if status == "creator":
        entry["is_anonymous"] = False
    if status == "kicked":
        entry["until_date"] = 0
    return entry | more
