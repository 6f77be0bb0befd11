"""A shop's badge: its first letter on its colour, or in its colour on white."""

from PIL import Image, ImageDraw

from handlers.pictures.colour import contrast, mix
from handlers.pictures.font import drawable, font
from handlers.pictures.surface import fill, outline


def draw_badge(
    picture: Image.Image, at: tuple[int, int], side: int, shop_name: str, colours: tuple[str, str], ground: str
) -> None:
    """Draw the badge with its top left corner at a place, in a colour and its letter's colour.

    An edge parts it from a ground of nearly its colour.
    """
    x, y = at
    colour, text = colours
    box = (x, y, x + side, y + side)
    fill(picture, box, colour, side * 3 // 10)
    if contrast(colour, ground) < 1.6:
        outline(picture, box, mix(colour, text, 0.3), side * 3 // 10, 2)
    letter = next((char for char in drawable(shop_name) if char.isalnum()), "").upper()[:1]
    if letter:
        pen = ImageDraw.Draw(picture)
        pen.text((x + side / 2, y + side * 0.7), letter, text, font(800, side * 56 // 100), anchor="ms")
    else:
        dot = side // 3
        fill(picture, (x + dot, y + dot, x + side - dot, y + side - dot), text, dot // 2)
