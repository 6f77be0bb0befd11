"""Telegram's two Markdowns."""

from .errors import Json, Refusal, bad

_RESERVED = frozenset("_*[]()~`>#+-=|{}.!")
_V2 = {"*": "bold", "_": "italic", "__": "underline", "~": "strikethrough", "||": "spoiler"}
_LEGACY = {"*": "bold", "_": "italic"}


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _unended(kind: str, at: int) -> Refusal:
    return bad(f"can't parse entities: Can't find end of {kind} entity at byte offset {at}")


class _Writer:
    """Collects plain text and the entities over it."""

    def __init__(self) -> None:
        self.text = ""
        self.entities: list[Json] = []

    @property
    def at(self) -> int:
        return _units(self.text)

    def close(self, kind: str, start: int, **more: str) -> None:
        if self.at > start:
            self.entities.append({"type": kind, "offset": start, "length": self.at - start} | more)


def _code(source: str, at: int, writer: _Writer, escapes: bool) -> int:
    """Copies a code or pre entity that begins at `at`; the place after it."""
    fence = "```" if source.startswith("```", at) else "`"
    kind, start, place = ("pre" if fence == "```" else "code"), writer.at, at + len(fence)
    language = ""
    if kind == "pre":
        line = source[place : source.find("\n", place)] if "\n" in source[place:] else ""
        if line and not any(char in line for char in "` "):
            language, place = line, place + len(line) + 1
    while not source.startswith(fence, place):
        if place >= len(source):
            raise _unended(kind.capitalize(), len(source[:at].encode()))
        if escapes and source[place] == "\\" and place + 1 < len(source):
            place += 1
        writer.text += source[place]
        place += 1
    writer.close(kind, start, **({"language": language} if language else {}))
    return place + len(fence)


def _link(source: str, at: int, escapes: bool) -> tuple[str, int]:
    """The address in brackets that begin at `at`, and the place after it."""
    url, place = "", at + 1
    while place < len(source) and source[place] != ")":
        if escapes and source[place] == "\\" and place + 1 < len(source):
            place += 1
        url += source[place]
        place += 1
    if place >= len(source):
        raise bad(f"can't parse entities: Can't find end of a URL at byte offset {at}")
    return url, place + 1


def parse_markdown_v2(source: str) -> tuple[str, list[Json]]:
    """MarkdownV2: marks nest, and a reserved character that marks nothing must be escaped."""
    writer, place = _Writer(), 0
    stack: list[tuple[str, int, int]] = []
    while place < len(source):
        char = source[place]
        if char == "\\" and place + 1 < len(source):
            writer.text += source[place + 1]
            place += 2
            continue
        if char == "`":
            place = _code(source, place, writer, escapes=True)
            continue
        mark = source[place : place + 2] if source[place : place + 2] in ("__", "||") else char
        if stack and mark != stack[-1][0] and mark == "__" and stack[-1][0] == "_":
            mark = "_"
        if mark in _V2:
            if stack and stack[-1][0] == mark:
                _, start, _ = stack.pop()
                writer.close(_V2[mark], start)
            else:
                stack.append((mark, writer.at, place))
            place += len(mark)
        elif char == "[" or source.startswith("![", place):
            mark = "[" if char == "[" else "!["
            stack.append((mark, writer.at, place))
            place += len(mark)
        elif char == "]" and stack and stack[-1][0] in ("[", "!["):
            mark, start, _ = stack.pop()
            place += 1
            if source.startswith("(", place):
                url, place = _link(source, place, escapes=True)
                if mark == "[":
                    writer.close("text_link", start, url=url)
                else:
                    writer.close("custom_emoji", start, custom_emoji_id=url.rpartition("=")[2])
        elif char == ">" and (not writer.text or writer.text.endswith("\n")):
            end = source.find("\n", place)
            line, entities = parse_markdown_v2(source[place + 1 : end if end >= 0 else len(source)])
            start = writer.at
            writer.text += line
            writer.entities += [entity | {"offset": entity["offset"] + start} for entity in entities]
            writer.close("blockquote", start)
            place = end if end >= 0 else len(source)
        elif char in _RESERVED:
            raise bad(
                f"can't parse entities: Character '{char}' is reserved and must be escaped with the preceding '\\'"
            )
        else:
            writer.text += char
            place += 1
    if stack:
        mark, _, at = stack[-1]
        raise _unended(_V2.get(mark, "TextUrl").capitalize(), len(source[:at].encode()))
    return writer.text, writer.entities


def parse_markdown(source: str) -> tuple[str, list[Json]]:
    """Legacy Markdown: marks don't nest."""
    writer, place = _Writer(), 0
    while place < len(source):
        char = source[place]
        if char == "\\" and source[place + 1 : place + 2] in ("_", "*", "`", "["):
            writer.text += source[place + 1]
            place += 2
        elif char == "`":
            place = _code(source, place, writer, escapes=False)
        elif char in _LEGACY or char == "[":
            closing = "]" if char == "[" else char
            end = source.find(closing, place + 1)
            if end < 0:
                raise bad(
                    f"can't parse entities: Can't find end of the entity starting at byte offset "
                    f"{len(source[:place].encode())}"
                )
            start = writer.at
            writer.text += source[place + 1 : end]
            place = end + 1
            if char != "[":
                writer.close(_LEGACY[char], start)
            elif source.startswith("(", place):
                url, place = _link(source, place, escapes=False)
                writer.close("text_link", start, url=url)
        else:
            writer.text += char
            place += 1
    return writer.text, writer.entities
