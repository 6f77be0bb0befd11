"""Links that people are given on the command line: to sign in, to tie a messenger account."""

import asyncio
import json
import urllib.request
from urllib.error import URLError

from bot.settings import Settings
from store import accounts, options
from store.engine import Store

ASK_SECONDS = 4.0


def login_link(settings: Settings, token: str) -> str:
    """Where a member of staff signs in, once."""
    return f"{settings.base_url}/login/{token}"


async def start_link(settings: Settings, store: Store, payload: str) -> str:
    """The link that opens a chat with a start payload: Telegram's where the bot is on Telegram, else the web chat's."""
    username = await _telegram_name(settings, store)
    if username:
        return f"https://t.me/{username}?start={payload}"
    return f"{settings.base_url}/chat?start={payload}"


async def _telegram_name(settings: Settings, store: Store) -> str | None:
    """The bot's public name on Telegram: remembered since it last ran, or asked for now."""
    if not settings.telegram_token:
        pasted = await store.read(options.get, options.TOKEN)
        return str(pasted["username"]) if pasted else None
    account = f"telegram:{settings.telegram_token.partition(':')[0]}"
    known = await store.read(accounts.username_of, account)
    if known:
        return known
    name = await asyncio.to_thread(_ask_name, f"{settings.telegram_api_url}/bot{settings.telegram_token}/getMe")
    if name:
        await store.write(accounts.remember, account, name)
    return name


def _ask_name(url: str) -> str | None:
    """What Telegram says our bot is called; None where it doesn't answer. (By the standard library: the client that the
    bot talks through takes seconds to import.)
    """
    try:
        with urllib.request.urlopen(url, timeout=ASK_SECONDS) as answer:  # noqa: S310  # the settings allow http(s) only
            return str(json.load(answer)["result"]["username"]) or None
    except (URLError, OSError, ValueError, KeyError, TypeError):
        return None
