"""Which function carries out which method."""

from collections.abc import Callable
from typing import Any

from . import editing, forum, profile, sending
from .chats import Chat
from .entities import format_text
from .errors import Json
from .files import Upload
from .limits import METHOD_LIMITS
from .schema import Method, sample
from .world import World

Handler = Callable[[World, Json, dict[str, Upload]], Any]

HANDLERS: dict[str, Handler] = sending.HANDLERS | editing.HANDLERS | forum.HANDLERS | profile.HANDLERS


def unmodelled(world: World, method: Method, params: Json) -> Any:
    """A valid call of a method that changes nothing here: what was stored, or the least answer of its type."""
    limits = METHOD_LIMITS.get(method.name, {})
    if "caption" in params and "caption" in limits and "parse_mode" in method.fields:
        format_text(params["caption"], params.get("parse_mode"), None, limits["caption"], "caption")
    chat: Chat | None = world.chat(params["chat_id"]) if "chat_id" in params else None
    if chat is not None and method.name.startswith("send"):
        chat.reachable()
    answer = sample(method.returns)
    if chat is not None and isinstance(answer, dict) and {"message_id", "chat"} <= answer.keys():
        return sending.deliver(world, params, {})
    return answer
