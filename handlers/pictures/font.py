"""Manrope, from the wheel ``font-manrope``, which ships one static file a weight."""

import unicodedata
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal

from PIL import ImageFont

Weight = Literal[400, 500, 600, 700, 800]

_NAMES: dict[Weight, str] = {400: "Regular", 500: "Medium", 600: "SemiBold", 700: "Bold", 800: "ExtraBold"}
_NO_CHARACTER = "\uffff"  # Unicode never gives it a meaning, so a font draws its "missing" box.
_NO_BREAK = "\u00a0\u202f"


@cache
def font(weight: Weight, size: int) -> ImageFont.FreeTypeFont:
    """Manrope at a weight and a size in pixels."""
    return ImageFont.truetype(_path(weight), size)


@lru_cache(maxsize=4096)
def has_glyph(char: str) -> bool:
    """Whether the font draws this one character with ink of its own (a space has none, so it has no glyph)."""
    box, missing = _outline(char), _outline(_NO_CHARACTER)
    return box is not None and box != missing


@lru_cache(maxsize=1024)
def drawable(text: str) -> str:
    """What of the text can be drawn on one line: composed letters, single spaces, no boxes, no invisible characters.

    A no-break space stays one, so that "30.000 ₫" is never torn apart.
    Letters in fancy dress (mathematical bold and the like, common in messenger names) become plain ones; emoji, scripts
    that the font lacks and marks that stack on letters are dropped.
    """
    kept: list[str] = []
    for char in unicodedata.normalize("NFC", text):
        if char in _NO_BREAK:
            kept.append("\u00a0")
        elif char.isspace():
            kept.append(" ")
        elif _stands_alone(char):
            kept.append(char)
        else:
            kept.extend(plain for plain in unicodedata.normalize("NFKC", char) if _stands_alone(plain))
    words = (word.strip() for word in "".join(kept).split(" "))
    return " ".join(word for word in words if word)


def _stands_alone(char: str) -> bool:
    return unicodedata.category(char)[0] != "C" and has_glyph(char)  # Manrope shows soft hyphens


def _path(weight: Weight) -> str:
    return str(files("font_manrope").joinpath("files", f"Manrope-{_NAMES[weight]}.ttf"))


@cache
def _plain() -> ImageFont.FreeTypeFont:
    # The basic layout asks the font for each character as it is; the other one hides what Unicode calls ignorable.
    return ImageFont.truetype(_path(400), 40, layout_engine=ImageFont.Layout.BASIC)


def _outline(char: str) -> tuple[tuple[int, int], bytes] | None:
    mask = _plain().getmask(char)
    return (mask.size, bytes(mask)) if any(mask.size) and mask.getbbox() else None
