"""QR codes, alone with a caption or as a part of another picture."""

from functools import lru_cache

import segno
from PIL import Image, ImageDraw

from handlers.pictures.colour import INK, WHITE, opposite, parse, readable_gradient, readable_on, shade
from handlers.pictures.surface import fill, gradient, lift, png, rings, rounded
from handlers.pictures.text import fit

_QUIET = 4  # modules of white on each side, as the standard asks
_LEAST = 3  # pixels a module, so that a phone reads the picture from another phone's screen

_WIDTH, _MARGIN, _PANEL = 840, 72, 696


def paint_qr(picture: Image.Image, payload: str, at: tuple[int, int], side: int) -> None:
    """Paint the dark modules of a QR code on a white square of that many pixels, its quiet zone within the square.

    Raises ValueError where the payload is empty, or too long to be read from a picture of that size.
    """
    if not payload:
        raise ValueError("a QR code needs something to say")
    code = segno.make_qr(payload, error="m")
    modules = len(code.matrix)
    scale = side // (modules + 2 * _QUIET)
    if scale < _LEAST:
        raise ValueError(f"{len(payload)} characters are too many for a QR code of {side} pixels")
    small = Image.new("L", (modules, modules))
    small.putdata([255 if dark else 0 for row in code.matrix for dark in row])
    mask = small.resize((modules * scale, modules * scale), Image.Resampling.NEAREST)
    edge = (side - mask.width) // 2
    picture.paste(parse(INK), (at[0] + edge, at[1] + edge), mask)


def draw_qr(payload: str, *, caption: str = "", brand: str = "#0F766E") -> bytes:
    """A PNG of a QR code on the shop's colour, with a caption below. Raises ValueError (ColourError, or a bad payload)."""
    height = _WIDTH + (72 if caption else 0)
    picture = _ground(brand, height).copy()
    paint_qr(picture, payload, (_MARGIN, _MARGIN), _PANEL)
    if caption:
        line, face = fit(caption, 700, 48, 32, _PANEL)
        colour = readable_on(*readable_gradient(brand, shade(brand)))
        ImageDraw.Draw(picture).text((_WIDTH // 2, height - 60), line, colour, face, anchor="ms")
    return png(picture)


@lru_cache(maxsize=2)
def _ground(brand: str, height: int) -> Image.Image:
    steps = readable_gradient(brand, shade(brand))
    picture = gradient((_WIDTH, height), steps[0], steps[-1])
    rings(
        picture,
        (_WIDTH // 2, _WIDTH // 2),
        range(410, 900, 60),
        opposite(readable_on(*steps)),
        0.12,
        (0, 0, _WIDTH, height),
    )
    panel = rounded((_PANEL, _PANEL), 40)
    lift(picture, (_MARGIN, _MARGIN), panel)
    fill(picture, (_MARGIN, _MARGIN, _MARGIN + _PANEL, _MARGIN + _PANEL), WHITE, 40)
    return picture
