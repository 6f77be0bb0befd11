"""Rendering: an article's Markdown as a page's HTML, as a messenger's, and as plain words.

What people type stays what they typed: HTML is shown, not run, pictures become links, and a link leads to http(s), mail or a
phone number or nowhere.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from html import escape, unescape

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

SCHEMES = ("http://", "https://", "mailto:", "tel:")
CHAT_CHARS_MAX = 900
"""How much of an article a chat is given."""
_CHAT = {"strong": "b", "em": "i", "s": "s"}


@cache
def _markdown() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "linkify": False, "breaks": True})
    made.disable(["image", "html_block", "html_inline", "code"]).enable("strikethrough")
    made.validateLink = lambda url: url.lower().startswith(SCHEMES)  # type: ignore[method-assign]
    return made


def page(markdown: str) -> Markup:
    """HTML for our own pages; links open beside the page."""
    tokens = _markdown().parse(markdown)
    for token in _flat(tokens):
        if token.type == "link_open":
            token.attrSet("rel", "noopener nofollow")
            token.attrSet("target", "_blank")
        elif token.type in {"heading_open", "heading_close"}:
            # The page has headings of its own above it.
            token.tag = "h4"
    return Markup(_markdown().renderer.render(tokens, _markdown().options, {}))  # noqa: S704  # made by the renderer above


def plain(markdown: str) -> str:
    """The words alone, a line a paragraph: for searching and for composers."""
    return "\n".join(_lines(markdown, marked=False))


def chat(markdown: str, limit: int = CHAT_CHARS_MAX) -> str:
    """Telegram's HTML, whole paragraphs up to the limit, "…" where there is more."""
    lines: list[str] = []
    room = limit
    for line in _lines(markdown, marked=True):
        if len(line) > room and lines:
            return "\n".join([*lines, "…"]).strip()
        lines.append(line)
        room -= len(line) + 1
    return "\n".join(lines).strip()


def _flat(tokens: Iterable[Token]) -> Iterable[Token]:
    for token in tokens:
        yield token
        yield from token.children or ()


def _lines(markdown: str, *, marked: bool) -> list[str]:
    """The blocks as lines; list items begin with their mark, blocks of the top level have an empty line between them."""
    lines: list[str] = []
    lists: list[int | None] = []
    mark, heading = "", False
    for token in _markdown().parse(markdown):
        match token.type:
            case "ordered_list_open":
                lists.append(int(token.attrs.get("start", 1)))
            case "bullet_list_open":
                lists.append(None)
            case "ordered_list_close" | "bullet_list_close":
                lists.pop()
            case "list_item_open":
                number = lists[-1]
                mark = "  " * (len(lists) - 1) + ("• " if number is None else f"{number}. ")
                lists[-1] = None if number is None else number + 1
            case "heading_open" | "heading_close":
                heading = token.type == "heading_open"
            case "fence":
                lines += (escape(token.content.rstrip(), quote=False) if marked else token.content.rstrip()).split("\n")
            case "inline":
                text = _inline(token.children or [], marked=marked)
                lines += [f"{mark}<b>{text}</b>" if heading and marked else mark + text]
                mark = ""
        if lines and lines[-1] and token.level == 0 and token.type.endswith(("_close", "fence")):
            lines.append("")
    return lines[:-1] if lines and not lines[-1] else lines


def _inline(tokens: Sequence[Token], *, marked: bool) -> str:
    out: list[str] = []
    link, begun = "", 0
    for token in tokens:
        kind, _, side = token.type.rpartition("_")
        if token.type in {"softbreak", "hardbreak"}:
            out.append("\n")
        elif token.type in {"text", "code_inline"}:
            out.append(escape(token.content, quote=False) if marked else token.content)
        elif kind == "link" and side == "open":
            link, begun = str(token.attrs["href"]), len(out)
        elif kind == "link":
            said, to = "".join(out[begun:]), link.removeprefix("mailto:").removeprefix("tel:")
            if marked and link.startswith("http"):
                out[begun:] = [f'<a href="{link}">', said, "</a>"]
            elif unescape(said) not in {link, to}:
                out.append(f" ({escape(to, quote=False) if marked else to})")
        elif marked and kind in _CHAT:
            out.append(f"<{'/' if side == 'close' else ''}{_CHAT[kind]}>")
    return "".join(out)
