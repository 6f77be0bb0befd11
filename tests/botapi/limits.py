"""Telegram's limits: what a field may hold, how large a file may be, what a keyboard may look like."""

from dataclasses import dataclass
from typing import Literal

from .errors import bad

Unit = Literal["characters", "bytes", "items"]


@dataclass(frozen=True)
class Limit:
    """How little and how much a field holds."""

    min: int
    max: int
    unit: Unit = "characters"

    def size(self, value: str | list[object]) -> int:
        """The value's size in this limit's unit."""
        return len(value.encode()) if self.unit == "bytes" and isinstance(value, str) else len(value)


TEXT = Limit(1, 4096)
CAPTION = Limit(0, 1024)
STORY_CAPTION = Limit(0, 2048)
TOPIC_NAME = Limit(1, 128)
LINK_NAME = Limit(0, 32)
INVOICE = {"title": Limit(1, 32), "description": Limit(1, 255), "payload": Limit(1, 128, "bytes")}
VCARD = Limit(0, 2048, "bytes")
RESULT_ID = Limit(1, 64, "bytes")
PLACEHOLDER = Limit(1, 64)

#: Limits of a method's own fields. Text and captions count after their entities are parsed.
METHOD_LIMITS: dict[str, dict[str, Limit]] = {
    "answerCallbackQuery": {"text": Limit(0, 200)},
    "copyMessage": {"caption": CAPTION},
    "createChatInviteLink": {"name": LINK_NAME},
    "createChatSubscriptionInviteLink": {"name": LINK_NAME},
    "createForumTopic": {"name": TOPIC_NAME},
    "createInvoiceLink": INVOICE,
    "createNewStickerSet": {"name": Limit(1, 64), "title": Limit(1, 64)},
    "declineSuggestedPost": {"comment": Limit(0, 128)},
    "deleteMessages": {"message_ids": Limit(1, 100, "items")},
    "copyMessages": {"message_ids": Limit(1, 100, "items")},
    "forwardMessages": {"message_ids": Limit(1, 100, "items")},
    "editChatInviteLink": {"name": LINK_NAME},
    "editChatSubscriptionInviteLink": {"name": LINK_NAME},
    "editForumTopic": {"name": Limit(0, 128)},
    "editGeneralForumTopic": {"name": TOPIC_NAME},
    "editMessageCaption": {"caption": CAPTION},
    "editMessageText": {"text": TEXT},
    "editStory": {"caption": STORY_CAPTION},
    "giftPremiumSubscription": {"text": Limit(0, 128)},
    "postStory": {"caption": STORY_CAPTION},
    "sendAnimation": {"caption": CAPTION},
    "sendAudio": {"caption": CAPTION},
    "sendContact": {"vcard": VCARD},
    "sendDocument": {"caption": CAPTION},
    "sendGift": {"text": Limit(0, 128)},
    "sendInvoice": INVOICE,
    "sendLivePhoto": {"caption": CAPTION},
    "sendMediaGroup": {"media": Limit(2, 10, "items")},
    "sendMessage": {"text": TEXT},
    "sendMessageDraft": {"text": Limit(0, 4096)},
    "sendPaidMedia": {"payload": Limit(0, 128, "bytes"), "caption": CAPTION},
    "sendPhoto": {"caption": CAPTION},
    "sendPoll": {"question": Limit(1, 300), "explanation": Limit(0, 200), "description": Limit(0, 1024)},
    "sendVideo": {"caption": CAPTION},
    "sendVoice": {"caption": CAPTION},
    "setBusinessAccountBio": {"bio": Limit(0, 140)},
    "setBusinessAccountName": {"first_name": Limit(1, 64), "last_name": Limit(0, 64)},
    "setBusinessAccountUsername": {"username": Limit(0, 32)},
    "setChatAdministratorCustomTitle": {"custom_title": Limit(0, 16)},
    "setChatDescription": {"description": Limit(0, 255)},
    "setChatMemberTag": {"tag": Limit(0, 16)},
    "setChatTitle": {"title": Limit(1, 128)},
    "setMyCommands": {"commands": Limit(0, 100, "items")},
    "setMyDescription": {"description": Limit(0, 512)},
    "setMyName": {"name": Limit(0, 64)},
    "setMyShortDescription": {"short_description": Limit(0, 120)},
    "setStickerSetTitle": {"title": Limit(1, 64)},
    "setWebhook": {"secret_token": Limit(1, 256)},
    "verifyChat": {"custom_description": Limit(0, 70)},
    "verifyUser": {"custom_description": Limit(0, 70)},
}

_TYPE_LIMITS: dict[str, dict[str, Limit]] = {
    "BotCommand": {"command": Limit(1, 32), "description": Limit(1, 256)},
    "ChatLocation": {"address": Limit(1, 64)},
    "CopyTextButton": {"text": Limit(1, 256)},
    "ForceReply": {"input_field_placeholder": PLACEHOLDER},
    "InlineKeyboardButton": {"callback_data": Limit(1, 64, "bytes")},
    "InlineQueryResultsButton": {"start_parameter": Limit(1, 64)},
    "InputChecklist": {"title": Limit(1, 255)},
    "InputChecklistTask": {"text": Limit(1, 100)},
    "InputContactMessageContent": {"vcard": VCARD},
    "InputInvoiceMessageContent": INVOICE,
    "InputPollOption": {"text": Limit(1, 100)},
    "InputTextMessageContent": {"message_text": TEXT},
    "ReplyKeyboardMarkup": {"input_field_placeholder": PLACEHOLDER},
    "ReplyParameters": {"quote": Limit(0, 1024)},
}
#: Fields of nested types that count after parsing; the code that parses them holds them to their limit.
FORMATTED = frozenset({"caption", "message_text", "quote"})

#: Telegram's own words for some of the sizes.
_WORDS = {
    "callback_data": "BUTTON_DATA_INVALID",
    "message_ids": "too many message identifiers specified",
    "media": "wrong number of messages specified to send as an album",
    "commands": "too many commands specified",
}

_SIZED = (str, list)

ROW_OF_INLINE_BUTTONS = 8
INLINE_BUTTONS = 100
ROW_OF_KEYS = 12
KEYS = 300

MEGABYTE = 1024 * 1024
PHOTO_BYTES = 10 * MEGABYTE
UPLOAD_BYTES = 50 * MEGABYTE
DOWNLOAD_BYTES = 20 * MEGABYTE
QUERY_SECONDS = 15.0
DELETE_SECONDS = 48 * 3600
POLL_SECONDS = 50
POLL_LIMIT = 100
CHAT_ACTIONS = frozenset(
    {
        "typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice", "upload_document",
        "choose_sticker", "find_location", "record_video_note", "upload_video_note",
    }
)  # fmt: skip
REACTIONS = frozenset(
    [
        "❤",
        "👍",
        "👎",
        "🔥",
        "🥰",
        "👏",
        "😁",
        "🤔",
        "🤯",
        "😱",
        "🤬",
        "😢",
        "🎉",
        "🤩",
        "🤮",
        "💩",
        "🙏",
        "👌",
        "🕊",
        "🤡",
        "🥱",
        "🥴",
        "😍",
        "🐳",
        "❤\u200d🔥",
        "🌚",
        "🌭",
        "💯",
        "🤣",
        "⚡",
        "🍌",
        "🏆",
        "💔",
        "🤨",
        "😐",
        "🍓",
        "🍾",
        "💋",
        "🖕",
        "😈",
        "😴",
        "😭",
        "🤓",
        "👻",
        "👨\u200d💻",
        "👀",
        "🎃",
        "🙈",
        "😇",
        "😨",
        "🤝",
        "✍",
        "🤗",
        "🫡",
        "🎅",
        "🎄",
        "☃",
        "💅",
        "🤪",
        "🗿",
        "🆒",
        "💘",
        "🙉",
        "🦄",
        "😘",
        "💊",
        "🙊",
        "😎",
        "👾",
        "🤷\u200d♂",
        "🤷",
        "🤷\u200d♀",
        "😡",
    ]
)
#: Update kinds that a bot is not sent unless it asks for them.
SHY_UPDATES = frozenset({"chat_member", "message_reaction", "message_reaction_count"})


def type_limits(type_name: str) -> dict[str, Limit]:
    """Limits of a type's fields, by the type's name."""
    if type_name.startswith("InlineQueryResult") and type_name != "InlineQueryResultsButton":
        return {"id": RESULT_ID, "caption": CAPTION, "vcard": VCARD}
    if type_name.startswith("InputMedia"):
        return {"caption": CAPTION}
    return _TYPE_LIMITS.get(type_name, {})


def hold(field: str, value: object, limit: Limit) -> None:
    """Refuse a value outside its limit."""
    if not isinstance(value, _SIZED):
        return
    size = limit.size(value)
    if size > limit.max or size < limit.min:
        raise bad(_WORDS.get(field, f"{field} is too long" if size > limit.max else f"{field} must be non-empty"))
