"""Colours as ``#RRGGBB`` text, and how well one reads on another (WCAG 2 contrast, a ratio from 1 to 21)."""

import re
from functools import lru_cache

RGB = tuple[int, int, int]

INK = "#1F1B16"
WHITE = "#FFFFFF"
BLACK = "#000000"
READABLE = 4.5
"""The least contrast that body text may have."""

_HEX = re.compile(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")


class ColourError(ValueError):
    """The text is not a hex colour."""

    code = "bad_colour"

    def __init__(self, text: str) -> None:
        super().__init__(f"not a hex colour: {text!r}")
        self.text = text


def parse(text: str) -> RGB:
    """Read ``#RRGGBB`` or ``#RGB``, the ``#`` optional. Raises ColourError."""
    match = _HEX.fullmatch(text.strip())
    if match is None:
        raise ColourError(text)
    digits = match[1] if len(match[1]) == 6 else "".join(digit * 2 for digit in match[1])
    return int(digits[0:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)


def to_hex(rgb: RGB) -> str:
    """Write a colour as ``#RRGGBB``."""
    return "#{:02X}{:02X}{:02X}".format(*rgb)


def mix(first: str, second: str, share: float) -> str:
    """Go from the first colour (share 0) toward the second (share 1)."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(parse(first), parse(second), strict=True))
    return to_hex((red, green, blue))


@lru_cache(maxsize=1024)
def luminance(colour: str) -> float:
    """The relative luminance: 0 for black, 1 for white."""
    red, green, blue = (_linear(channel / 255) for channel in parse(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)


def contrast(first: str, second: str) -> float:
    """The contrast ratio of two colours, 1 to 21, whichever is the lighter."""
    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def readable_on(*backgrounds: str) -> str:
    """The text colour for a background: white, else ink, else black, the first that reads (4.5:1).

    One of them reads on any single colour. On several backgrounds that are far apart none may: then it is the best of
    the three.
    """

    def worst(text: str) -> float:
        return min(contrast(text, background) for background in backgrounds)

    for text in (WHITE, INK, BLACK):
        if worst(text) >= READABLE:
            return text
    return max((WHITE, BLACK), key=worst)


def readable_gradient(first: str, second: str) -> tuple[str, ...]:
    """The steps of a gradient that one text colour reads on: the second is drawn toward the first until it does."""
    # Luminance along a gradient can dip below both of its ends (red to green), so the steps between are asked too.
    for tenths in range(10, -1, -1):
        end = mix(first, second, tenths / 10)
        steps = tuple(mix(first, end, step / 8) for step in range(9))
        text = readable_on(*steps)
        if all(contrast(text, step) >= READABLE for step in steps):
            return steps
    raise AssertionError("one of white and black reads on any one colour")


def opposite(colour: str) -> str:
    """Black for a light colour, white for a dark one: what differs from it most."""
    return WHITE if luminance(colour) < 0.18 else BLACK


def shade(colour: str) -> str:
    """A darker neighbour for a gradient's far end: less dark for light colours, which turn muddy."""
    return mix(colour, INK, 0.28 - 0.2 * luminance(colour))


def soften(text: str, *backgrounds: str, least: float = READABLE) -> str:
    """A quieter text colour: mixed toward the backgrounds by up to a third, as far as it still reads on all of them."""
    for percent in range(34, 0, -2):
        softer = mix(text, backgrounds[0], percent / 100)
        if all(contrast(softer, background) >= least for background in backgrounds):
            return softer
    return text


def deepen(colour: str, background: str) -> str:
    """The colour itself where it reads on the background, else the nearest step toward black or white that does."""
    toward = opposite(background)
    for percent in range(0, 100, 5):
        deeper = mix(colour, toward, percent / 100)
        if contrast(deeper, background) >= READABLE:
            return deeper
    return toward
