"""The web chat as a messenger: a call of the outbox becomes a bubble in the store, which the page at /chat shows.

There is no wire between us and it, so nothing is ever unknown: a call that is repeated finds its bubble there.
"""

import html
import re
from collections.abc import AsyncGenerator
from typing import Any

from aiogram import Bot
from aiogram.methods import TelegramMethod
from aiogram.types import Message, User
from sqlalchemy.orm import Session

from bot.messengers.messenger import Messenger, Ready
from handlers.chat.talk import Can
from store import media, webchat
from store.engine import Store
from store.errors import NotFoundError, StoreUnreachableError
from store.media import File
from store.outbox import Call, Ended

ACCOUNT = "web"
MEDIA_PREFIX = "media:"
"""File ids of the web chat: the content address itself."""
_KINDS = {
    "sendPhoto": "photo", "sendVoice": "voice", "sendAudio": "audio", "sendVideo": "video", "sendDocument": "document",
}  # fmt: skip
_TAG = re.compile(r"&lt;(/?(?:b|strong|i|em|u|s|code|pre|blockquote))&gt;")
_LINK = re.compile(r"&lt;a href=&quot;(https?://[^\s&]+(?:&amp;[^\s&]+)*)&quot;&gt;")


class Every(frozenset[str]):
    """Every method: a repeated call does no harm here."""

    def __contains__(self, item: object) -> bool:
        return True


class Web(Messenger):
    """The pages' own messenger: one account for all visitors."""

    account = ACCOUNT
    token = "1:web"  # noqa: S105  # aiogram wants a token's form; nothing is behind it
    name = "Web"
    can = Can(share_phone=False, own_page=True)
    repeatable = Every()
    rate = 1_000
    chat_gap = 0.0

    def __init__(self, store: Store, base_url: str) -> None:
        super().__init__()
        self._store = store
        self._base_url = base_url

    def me(self) -> User:
        return User(id=self.bot_id, is_bot=True, first_name="Regulars")

    def link(self, payload: str) -> str:
        return f"{self._base_url}/chat?start={payload}" if payload else f"{self._base_url}/chat"

    def takes_media(self) -> bool:
        return False

    async def post(self, ready: Ready) -> Ended:
        try:
            return await self._store.write(deliver, ready.call, ready.params)
        except StoreUnreachableError as error:
            return Ended(ready.call, "queued", str(error))

    async def make_request(self, bot: Bot, method: TelegramMethod[Any], timeout: int | None = None) -> Any:  # noqa: ARG002, ASYNC109
        raise RuntimeError("the web chat is reached through the outbox")

    def stream_content(
        self, url: str, headers: dict[str, Any] | None = None, timeout: int = 30,  # noqa: ARG002
        chunk_size: int = 65536, raise_for_status: bool = True,  # noqa: ARG002
    ) -> AsyncGenerator[bytes, None]:  # fmt: skip
        raise RuntimeError("the web chat's files are in the store already")

    async def close(self) -> None:
        return


def deliver(session: Session, call: Call, params: dict[str, Any]) -> Ended:
    """Put one call into the visitor's chat; the same call again changes nothing."""
    chat_id = call.chat
    method = call.method
    if method == "answerCallbackQuery":
        return _toast(session, call, params)
    if chat_id is None or not webchat.exists(session, chat_id):
        return Ended(call, "failed", "chat not found")
    if method == "sendChatAction":
        webchat.typing(session, chat_id)
        return Ended(call, "sent", None, True)
    if method in {"editMessageText", "editMessageCaption", "editMessageReplyMarkup", "deleteMessage"}:
        return _change(session, call, chat_id, params)
    if method == "setMessageReaction":
        return _react(session, call, chat_id, params)
    if not method.startswith("send"):
        return Ended(call, "failed", f"the web chat knows no {method}")
    text, markup = spoken(params.get("text") or params.get("caption") or "", params.get("parse_mode"))
    extra: dict[str, Any] = _keys(params.get("reply_markup"))
    reply = params.get("reply_parameters")
    if isinstance(reply, dict):
        extra["reply_to"] = reply.get("message_id")
    if method in _KINDS:
        extra["media"] = [_medium(session, _KINDS[method], params)]
    if method == "sendLocation":
        extra["media"] = [{"kind": "location", "lat": params.get("latitude"), "lon": params.get("longitude")}]
    number = webchat.add(
        session, chat_id, "shop", text=text, html=markup, ref=f"out:{call.id}", call_id=call.id, **extra
    )
    return Ended(call, "sent", None, {"message_id": number})


def _toast(session: Session, call: Call, params: dict[str, Any]) -> Ended:
    """A tap's answer. The tap's id is `<chat>:<ref>`, for an answer doesn't name its chat."""
    chat, _, ref = str(params.get("callback_query_id", "")).partition(":")
    if not chat.isdecimal() or not webchat.exists(session, int(chat)):
        return Ended(call, "failed", "query not found")
    webchat.add(
        session, int(chat), webchat.TOAST, text=str(params.get("text") or ""), ref=f"out:{call.id}", call_id=call.id,
        tap=ref, alert=bool(params.get("show_alert")),
    )  # fmt: skip
    return Ended(call, "sent", None, True)


def _react(session: Session, call: Call, chat_id: int, params: dict[str, Any]) -> Ended:
    number = params.get("message_id")
    emoji = next((one.get("emoji") for one in params.get("reaction") or []), None)
    if not isinstance(number, int) or not webchat.react(session, chat_id, number, "shop", emoji):
        return Ended(call, "failed", "message not found")
    return Ended(call, "sent", None, True)


def _change(session: Session, call: Call, chat_id: int, params: dict[str, Any]) -> Ended:
    number = params.get("message_id")
    bubble = webchat.get(session, chat_id, number) if isinstance(number, int) else None
    if bubble is None or bubble.who != "shop":
        return Ended(call, "failed", "message not found")
    if call.method == "deleteMessage":
        webchat.change(session, chat_id, bubble.number, deleted=True, text="", html=None, extra={})
        return Ended(call, "sent", None, True)
    extra = {key: value for key, value in bubble.extra.items() if key != "buttons"}
    extra |= {key: value for key, value in _keys(params.get("reply_markup")).items() if key == "buttons"}
    values: dict[str, Any] = {"extra": extra}
    said = params.get("text") or params.get("caption")
    if call.method != "editMessageReplyMarkup" and said is not None:
        text, markup = spoken(said, params.get("parse_mode"))
        values |= {"text": text, "html": markup, "edited": bubble.edited}
    webchat.change(session, chat_id, bubble.number, **values)
    return Ended(call, "sent", None, {"message_id": bubble.number})


def spoken(text: str, parse_mode: str | None) -> tuple[str, str | None]:
    """(plain words, safe markup or None) of a text as Telegram takes it: only Telegram's own simple tags survive."""
    if parse_mode != "HTML":
        return text, None
    escaped = html.escape(html.unescape(text)) if "<" not in text else _escaped(text)
    markup = _LINK.sub(r'<a href="\1" rel="noopener" target="_blank">', _TAG.sub(r"<\1>", escaped))
    markup = markup.replace("&lt;/a&gt;", "</a>")
    plain = html.unescape(re.sub(r"</?[a-z]+[^>]*>", "", text))
    return plain, markup


def _escaped(text: str) -> str:
    """Escape everything, entities that are there already kept single."""
    parts = re.split(r"(<[^<>]*>)", text)
    return "".join(html.escape(part if part.startswith("<") else html.unescape(part)) for part in parts)


def _keys(markup: Any) -> dict[str, Any]:
    if not isinstance(markup, dict):
        return {}
    if "inline_keyboard" in markup:
        return {"buttons": [[_button(button) for button in row] for row in markup["inline_keyboard"]]}
    if "keyboard" in markup:
        return {
            "quick": [
                [{"text": key["text"], "request": "contact" if key.get("request_contact") else None} for key in row]
                for row in markup["keyboard"]
            ]
        }
    if markup.get("remove_keyboard"):
        return {"quick": []}
    return {}


def _button(button: dict[str, Any]) -> dict[str, str]:
    if "callback_data" in button:
        return {"text": button["text"], "data": button["callback_data"]}
    if "url" in button:
        return {"text": button["text"], "url": button["url"]}
    copied = button.get("copy_text")
    return {"text": button["text"], "copy": copied.get("text", "") if isinstance(copied, dict) else ""}


def _medium(session: Session, kind: str, params: dict[str, Any]) -> dict[str, Any]:
    given = params.get(kind)
    sha = given["$media"] if isinstance(given, dict) else str(given or "").removeprefix(MEDIA_PREFIX)
    name = given.get("name", "") if isinstance(given, dict) else ""
    try:
        content = media.facts(session, sha)
    except NotFoundError:
        return {"kind": "document", "name": name}
    return {
        "kind": kind, "sha": sha, "name": name, "mime": content.mime, "size": content.size, "width": content.width,
        "height": content.height,
    }  # fmt: skip


def files_of(_account: str, message: Message) -> list[File]:
    """The files that a visitor's message carries: in the store since before the update was made."""
    for kind in ("photo", "voice", "audio", "video", "document"):
        found = getattr(message, kind)
        if found:
            one = found[-1] if isinstance(found, list) else found
            if not one.file_id.startswith(MEDIA_PREFIX):
                continue
            return [
                File(
                    kind, getattr(one, "mime_type", None) or "image/jpeg",
                    name=getattr(one, "file_name", None) or "", size=one.file_size, width=getattr(one, "width", None),
                    height=getattr(one, "height", None), sha=one.file_id.removeprefix(MEDIA_PREFIX),
                )
            ]  # fmt: skip
    return []
