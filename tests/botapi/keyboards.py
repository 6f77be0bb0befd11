"""Keyboards: which shapes Telegram takes."""

import re
from urllib.parse import urlsplit

from .errors import Json, bad
from .limits import INLINE_BUTTONS, KEYS, ROW_OF_INLINE_BUTTONS, ROW_OF_KEYS

_LOOKS = frozenset({"text", "icon_custom_emoji_id", "style"})
_STYLES = frozenset({"danger", "success", "primary"})
_HOST = re.compile(r"^(?:[\w-]+\.)+[\w-]+$|^\[[0-9a-fA-F:]+\]$")


def check_url(url: str, what: str, *, https_only: bool = False) -> None:
    """Refuse an address that Telegram would not open from a button."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2].partition(":")[0] if "[" not in parts.netloc else parts.netloc
        _ = parts.port
    except ValueError:
        raise bad(f"{what} '{url}' is invalid: Wrong HTTP URL") from None
    if parts.scheme in ("tg", "ton", "tonsite") and not https_only:
        return
    if parts.scheme not in ("http", "https"):
        raise bad(f"{what} '{url}' is invalid: Unsupported URL protocol")
    if https_only and parts.scheme != "https":
        raise bad(f"{what} '{url}' is invalid: Only HTTPS links are allowed")
    if not _HOST.match(host) or re.search(r"\s", url):
        raise bad(f"{what} '{url}' is invalid: Wrong HTTP URL")


def _check_looks(button: Json, what: str) -> None:
    if not button["text"].strip():
        raise bad(f"can't parse {what}: text must be non-empty")
    if "style" in button and button["style"] not in _STYLES:
        raise bad(f"can't parse {what}: invalid button style specified")


def _check_inline(rows: list[list[Json]]) -> None:
    what = "inline keyboard button"
    if sum(map(len, rows)) > INLINE_BUTTONS or any(len(row) > ROW_OF_INLINE_BUTTONS for row in rows):
        raise bad("reply markup is too long")
    for index, button in ((place, button) for row in rows for place, button in enumerate(row)):
        _check_looks(button, what)
        actions = button.keys() - _LOOKS
        if not actions:
            raise bad(f"can't parse {what}: Text buttons are unallowed in the inline keyboard")
        if len(actions) > 1:
            raise bad(f"can't parse {what}: exactly one action is wanted, found {', '.join(sorted(actions))}")
        if "url" in button:
            check_url(button["url"], "inline keyboard button URL")
        if "web_app" in button:
            check_url(button["web_app"]["url"], "inline keyboard button Web App URL", https_only=True)
        if "login_url" in button:
            check_url(button["login_url"]["url"], "inline keyboard button login URL", https_only=True)
        if button.get("pay") and (index or button is not rows[0][0]):
            raise bad(f"can't parse {what}: pay button must be first")


def _check_keys(rows: list[list[Json]], *, private: bool) -> None:
    what = "keyboard button"
    if not any(rows):
        raise bad("can't parse reply keyboard markup: keyboard is empty")
    if sum(map(len, rows)) > KEYS or any(len(row) > ROW_OF_KEYS for row in rows):
        raise bad("reply markup is too long")
    for button in (button for row in rows for button in row):
        _check_looks(button, what)
        actions = {name for name in button.keys() - _LOOKS if button[name] is not False}
        if len(actions) > 1:
            raise bad(f"can't parse {what}: at most one action is wanted, found {', '.join(sorted(actions))}")
        if actions and not private:
            names = {"request_contact": "phone number", "request_location": "location"}
            raise bad(f"{names.get(actions.pop(), 'this')} can be requested in private chats only")
        if "web_app" in button:
            check_url(button["web_app"]["url"], "keyboard button Web App URL", https_only=True)


def check_markup(markup: Json | None, *, private: bool) -> None:
    """Refuse a reply markup that Telegram would refuse."""
    if markup is None:
        return
    if "inline_keyboard" in markup:
        _check_inline(markup["inline_keyboard"])
    elif "keyboard" in markup:
        _check_keys(markup["keyboard"], private=private)
    elif markup.get("remove_keyboard") is False or markup.get("force_reply") is False:
        raise bad("can't parse reply markup: the flag must be true")
