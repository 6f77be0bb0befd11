"""Formatted text: parse_mode and entities become plain text with entities, or "can't parse entities"."""

import html
import re
from functools import lru_cache
from typing import NamedTuple

from .errors import Json, Refusal, bad
from .limits import Limit, hold
from .markdown import parse_markdown, parse_markdown_v2

_TAGS = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline",
    "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough", "tg-spoiler": "spoiler", "span": "spoiler",
    "a": "text_link", "code": "code", "pre": "pre", "tg-emoji": "custom_emoji", "blockquote": "blockquote",
    "tg-time": "date_time",
}  # fmt: skip
_ATTRIBUTE = re.compile(r"""([a-zA-Z][\w-]*)\s*(?:=\s*("[^"]*"|'[^']*'|[^\s"'>]+))?""")
#: The only character entities Telegram knows; any other stays as it is written.
_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|#\d{1,7}|#x[0-9a-fA-F]{1,6});")
_COMMAND = re.compile(r"(?<![\w/])/[A-Za-z0-9_]{1,64}(?:@\w+)?")
_URL = re.compile(r"https?://[^\s<>]+")


class Formatted(NamedTuple):
    """Text as people see it, and what stands out in it."""

    text: str
    entities: list[Json]


def units(text: str) -> int:
    """Length in UTF-16 code units, in which Telegram counts entities."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def cant_parse(what: str) -> Refusal:
    """Telegram's answer to broken formatting."""
    return bad(f"can't parse entities: {what}")


def found_entities(text: str) -> list[Json]:
    """Commands and addresses, which Telegram marks by itself."""
    if "/" not in text:
        return []
    found = [(match, "url") for match in _URL.finditer(text)]
    if not found:
        found = [(match, "bot_command") for match in _COMMAND.finditer(text)]
    return [{"type": kind, "offset": units(text[: m.start()]), "length": units(m.group())} for m, kind in found]


def _attributes(source: str) -> dict[str, str]:
    return {name.lower(): html.unescape(value.strip("\"'")) for name, value in _ATTRIBUTE.findall(source)}


def _tag_entity(tag: str, attributes: dict[str, str], at: int) -> Json | None:
    entity: Json = {"type": _TAGS[tag]}
    if tag == "span" and attributes.get("class") != "tg-spoiler":
        raise cant_parse(f'Tag "span" must have class "tg-spoiler" at byte offset {at}')
    if tag == "a":
        if not attributes.get("href"):
            return None
        entity["url"] = attributes["href"]
    if tag == "tg-emoji":
        if not attributes.get("emoji-id", "").isdigit():
            raise cant_parse("Invalid custom emoji identifier specified")
        entity["custom_emoji_id"] = attributes["emoji-id"]
    if tag == "tg-time":
        entity["unix_time"] = int(attributes.get("unix", "0"))
    if tag == "blockquote" and "expandable" in attributes:
        entity["type"] = "expandable_blockquote"
    if tag == "code" and attributes.get("class", "").startswith("language-"):
        entity["language"] = attributes["class"].removeprefix("language-")
    return entity


def parse_html(source: str) -> Formatted:
    """Telegram's HTML: a `<` always opens a tag, only known tags, each closed in order."""
    out: list[str] = []
    length = 0
    open_tags: list[tuple[str, Json | None, int]] = []
    entities: list[Json] = []
    for piece in re.split(r"(<[^>]*>?)", source):
        if not piece:
            continue
        at = len("".join(out).encode())
        if not piece.startswith("<"):
            plain = _ENTITY.sub(lambda match: html.unescape(match.group()), piece)
            out.append(plain)
            length += units(plain)
            continue
        if not piece.endswith(">"):
            raise cant_parse(f"Unclosed start tag at byte offset {at}")
        if piece.startswith("</"):
            name = piece[2:-1].strip().lower()
            if not open_tags:
                raise cant_parse(f"Unexpected end tag at byte offset {at}")
            tag, entity, start = open_tags.pop()
            if name not in ("", tag):
                raise cant_parse(f'Unmatched end tag at byte offset {at}, expected "</{tag}>", found "</{name}>"')
            if entity is not None and length > start:
                entities.append(entity | {"offset": start, "length": length - start})
            continue
        name, _, rest = piece[1:-1].partition(" ")
        name = name.lower()
        if name not in _TAGS:
            raise cant_parse(f'Unsupported start tag "{name}" at byte offset {at}')
        open_tags.append((name, _tag_entity(name, _attributes(rest), at), length))
    if open_tags:
        raise cant_parse(f'Can\'t find end tag corresponding to start tag "{open_tags[-1][0]}"')
    return Formatted("".join(out), entities)


def trim(formatted: Formatted) -> Formatted:
    """Text without the space around it, entities moved along; what is left empty is dropped."""
    text = formatted.text.lstrip()
    shift = units(formatted.text) - units(text)
    text = text.rstrip()
    size = units(text)
    moved = []
    for entity in formatted.entities:
        start = max(entity["offset"] - shift, 0)
        end = min(entity["offset"] + entity["length"] - shift, size)
        if end > start:
            moved.append(entity | {"offset": start, "length": end - start})
    return Formatted(text, sorted(moved, key=lambda entity: (entity["offset"], -entity["length"])))


@lru_cache(maxsize=4096)
def _parsed(text: str, mode: str) -> Formatted:
    """Remembered, for a flood's answers are much alike; nobody changes the entities in place."""
    if mode == "html":
        return trim(parse_html(text))
    if mode == "markdownv2":
        return trim(Formatted(*parse_markdown_v2(text)))
    if mode == "markdown":
        return trim(Formatted(*parse_markdown(text)))
    raise bad("unsupported parse_mode")


def format_text(text: str, parse_mode: str | None, entities: list[Json] | None, limit: Limit, field: str) -> Formatted:
    """What people will see of a text the bot sends.

    Raises:
        Refusal: broken formatting, or too long once parsed.
    """
    if parse_mode:
        formatted = _parsed(text, parse_mode.lower())
    else:
        for entity in entities or ():
            if entity["offset"] < 0 or entity["offset"] + entity["length"] > units(text):
                raise bad(f"entity beginning at UTF-16 offset {entity['offset']} ends after the end of the text")
        formatted = trim(Formatted(text, list(entities or [])))
    if limit.min and not formatted.text:
        raise bad("message text is empty" if field == "text" else f"{field} must be non-empty")
    if len(formatted.text) > limit.max:
        raise bad("message is too long" if field == "text" else f"message {field} is too long")
    hold(field, formatted.text, limit)
    return Formatted(formatted.text, formatted.entities or found_entities(formatted.text))
