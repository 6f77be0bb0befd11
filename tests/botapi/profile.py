"""Methods about the bot itself, about chats and members, and files."""

import json
import re
from collections.abc import Callable
from typing import Any

from .chats import Chat, member
from .errors import Json, bad
from .files import Upload
from .world import World

Uploads = dict[str, Upload]
_COMMAND = re.compile(r"^[a-z0-9_]{1,32}$")


def get_me(world: World, params: Json, uploads: Uploads) -> Json:
    """getMe."""
    yes, no = dict.fromkeys(("can_join_groups", "can_read_all_group_messages"), True), (
        "supports_inline_queries", "can_connect_to_business", "has_main_web_app")  # fmt: skip
    return world.bot | yes | dict.fromkeys(no, False)


def _key(name: str, params: Json) -> tuple[str, ...]:
    scope = json.dumps(params.get("scope", {"type": "default"}), sort_keys=True)
    return name, scope, str(params.get("chat_id", "")), params.get("language_code", "")


def set_commands(world: World, params: Json, uploads: Uploads) -> bool:
    """setMyCommands."""
    for command in params["commands"]:
        if not _COMMAND.match(command["command"].removeprefix("/")):
            raise bad("BOT_COMMAND_INVALID")
    world.settings[_key("commands", params)] = params["commands"]
    return True


def get_commands(world: World, params: Json, uploads: Uploads) -> Any:
    """getMyCommands."""
    return world.settings.get(_key("commands", params), [])


def delete_commands(world: World, params: Json, uploads: Uploads) -> bool:
    """deleteMyCommands."""
    world.settings.pop(_key("commands", params), None)
    return True


def _setter(name: str) -> Callable[[World, Json, Uploads], bool]:
    def store(world: World, params: Json, uploads: Uploads) -> bool:
        world.settings[_key(name, params)] = params.get(name)
        return True

    return store


def _getter(name: str, default: Any, wrap: bool) -> Callable[[World, Json, Uploads], Any]:
    def read(world: World, params: Json, uploads: Uploads) -> Any:
        plain = {key: value for key, value in params.items() if key != "language_code"}
        value = world.settings.get(_key(name, params)) or world.settings.get(_key(name, plain)) or default
        return {name: value} if wrap else value

    return read


def get_chat(world: World, params: Json, uploads: Uploads) -> Json:
    """getChat."""
    chat = world.chat(params["chat_id"])
    gifts = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
    full: Json = {"accent_color_id": 1, "max_reaction_count": 11, "accepted_gift_types": dict.fromkeys(gifts, True)}
    if chat.pinned:
        full["pinned_message"] = chat.messages[chat.pinned[-1]]
    return chat.describe() | full


def _everyone(world: World, chat: Chat) -> dict[int, Json]:
    return {world.bot["id"]: member(world.bot, "member" if chat.private else "administrator")} | chat.members


def get_member(world: World, params: Json, uploads: Uploads) -> Json:
    """getChatMember."""
    chat = world.chat(params["chat_id"])
    found = _everyone(world, chat).get(params["user_id"])
    if found is None:
        if params["user_id"] not in world.users:
            raise bad("user not found")
        return member(world.users[params["user_id"]], "left")
    return found


def get_administrators(world: World, params: Json, uploads: Uploads) -> list[Json]:
    """getChatAdministrators."""
    chat = world.chat(params["chat_id"])
    if chat.private:
        raise bad("there are no administrators in the private chat")
    return [entry for entry in _everyone(world, chat).values() if entry["status"] in ("administrator", "creator")]


def count_members(world: World, params: Json, uploads: Uploads) -> int:
    """getChatMemberCount."""
    chat = world.chat(params["chat_id"])
    return sum(entry["status"] not in ("left", "kicked") for entry in _everyone(world, chat).values())


def leave(world: World, params: Json, uploads: Uploads) -> bool:
    """leaveChat."""
    world.chat(params["chat_id"]).members[world.bot["id"]] = member(world.bot, "left")
    return True


def get_file(world: World, params: Json, uploads: Uploads) -> Json:
    """getFile."""
    return world.files.get(params["file_id"]).describe()


def get_webhook(world: World, params: Json, uploads: Uploads) -> Json:
    """getWebhookInfo."""
    return world.webhook.describe()


def user_photos(world: World, params: Json, uploads: Uploads) -> Json:
    """getUserProfilePhotos."""
    return {"total_count": 0, "photos": []}


HANDLERS: dict[str, Callable[[World, Json, Uploads], Any]] = {
    "getMe": get_me,
    "setMyCommands": set_commands,
    "getMyCommands": get_commands,
    "deleteMyCommands": delete_commands,
    "setMyName": _setter("name"),
    "getMyName": _getter("name", "Regulars", wrap=True),
    "setMyDescription": _setter("description"),
    "getMyDescription": _getter("description", "", wrap=True),
    "setMyShortDescription": _setter("short_description"),
    "getMyShortDescription": _getter("short_description", "", wrap=True),
    "setChatMenuButton": _setter("menu_button"),
    "getChatMenuButton": _getter("menu_button", {"type": "commands"}, wrap=False),
    "getChat": get_chat,
    "getChatMember": get_member,
    "getChatAdministrators": get_administrators,
    "getChatMemberCount": count_members,
    "leaveChat": leave,
    "getFile": get_file,
    "getWebhookInfo": get_webhook,
    "getUserProfilePhotos": user_photos,
}
