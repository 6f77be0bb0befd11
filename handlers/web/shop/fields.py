"""What a form's fields say: whole numbers as people type them, dates, choices; and what is wrong with them, by field."""

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from aiohttp import web

from store.clock import midnight
from store.errors import InvalidError

NUMBER_DIGITS_MAX = 15
TEXT_CHARS_MAX = 2_000
_GROUPED = re.compile(r"\d{1,3}(?:([., ])\d{3})(?:\1\d{3})*|\d+")
_SIGNS = re.compile(r"[\s\u00a0\u202f]+")


async def read(request: web.Request, chars_max: int = TEXT_CHARS_MAX) -> dict[str, str]:
    """A form's text fields, without the marks no text may hold; a file or a second value of a name counts for nothing."""
    return {
        name: value.replace("\x00", "").strip()[:chars_max]
        for name, value in reversed(list((await request.post()).items()))
        if isinstance(value, str)
    }


def number(fields: Mapping[str, str], name: str) -> int | None:
    """A whole number, grouped as people write it (1.000, 1,000, 1 000 ₫); None for an empty field.

    Raises InvalidError(name, "number"): a lone dot that doesn't group thousands may be a fraction, and is asked about.
    """
    text = _SIGNS.sub(" ", fields.get(name, "")).strip().removesuffix("₫").removesuffix("đ").strip()
    if not text:
        return None
    sign = -1 if text[0] in "-−" else 1
    bare = text.lstrip("-−+").strip()
    digits = re.sub(r"[., ]", "", bare)
    if _GROUPED.fullmatch(bare) is None or not digits.isascii() or len(digits) > NUMBER_DIGITS_MAX:
        raise InvalidError(name, "number", text[:40])
    return sign * int(digits)


def needed(fields: Mapping[str, str], name: str) -> int:
    """As `number`, of a field that may not be empty: InvalidError(name, "empty")."""
    found = number(fields, name)
    if found is None:
        raise InvalidError(name, "empty")
    return found


def day(fields: Mapping[str, str], name: str, zone: str, *, last: bool = False) -> datetime | None:
    """The moment a day begins in a time zone (with `last`: the moment it is over); None for an empty field.

    Raises InvalidError(name, "date").
    """
    text = fields.get(name, "")
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
        if not 2000 <= found.year < 2200:
            raise ValueError  # noqa: TRY301  # one way out for what isn't a day of ours
    except ValueError:
        raise InvalidError(name, "date", text[:40]) from None
    return midnight(found + timedelta(days=last), ZoneInfo(zone))
