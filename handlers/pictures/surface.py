"""What pictures are painted on: gradients, rounded shapes with a soft shadow, rings, and the PNG encoding."""

import zlib
from io import BytesIO

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from handlers.pictures.colour import BLACK, parse

PAPER = "#FAF8F5"
Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels."""


def gradient(size: tuple[int, int], first: str, second: str) -> Image.Image:
    """A diagonal gradient, from the first colour at the top left to the second at the bottom right."""
    wide, high = 32, 20
    ramp = Image.new("L", (wide, high))
    ramp.putdata([round(255 * (x / wide * 0.6 + y / high * 0.4)) for y in range(high) for x in range(wide)])
    smooth = ramp.resize(size, Image.Resampling.BICUBIC)
    return Image.composite(Image.new("RGB", size, parse(second)), Image.new("RGB", size, parse(first)), smooth)


def rounded(size: tuple[int, int], radius: int) -> Image.Image:
    """A mask (mode L) of a rectangle with smooth round corners."""
    mask = Image.new("L", size, 255)
    disc = circle(radius * 2)
    width, height = size
    for x, from_x in ((0, 0), (width - radius, radius)):
        for y, from_y in ((0, 0), (height - radius, radius)):
            mask.paste(disc.crop((from_x, from_y, from_x + radius, from_y + radius)), (x, y))
    return mask


def circle(side: int) -> Image.Image:
    """A mask (mode L) of a smooth disc."""
    large = Image.new("L", (side * 4, side * 4))
    ImageDraw.Draw(large).ellipse((0, 0, side * 4 - 1, side * 4 - 1), fill=255)
    return large.reduce(4)


def fill(picture: Image.Image, box: Box, colour: str, radius: int) -> None:
    """Paint a rounded rectangle."""
    left, top, right, bottom = box
    picture.paste(parse(colour), box, rounded((right - left, bottom - top), radius))


def outline(picture: Image.Image, box: Box, colour: str, radius: int, width: int = 2) -> None:
    """Paint the edge of a rounded rectangle, inside its box."""
    left, top, right, bottom = box
    size = right - left, bottom - top
    hole = Image.new("L", size)
    hole.paste(rounded((size[0] - 2 * width, size[1] - 2 * width), radius - width), (width, width))
    picture.paste(parse(colour), box, ImageChops.subtract(rounded(size, radius), hole))


def lift(picture: Image.Image, at: tuple[int, int], shape: Image.Image, strength: float = 0.22) -> None:
    """Paint the soft shadow that a shape (a mask) casts when it lies at a place."""
    reach, small = 48, 4  # A blur has no detail: a sixteenth of the pixels shows the same.
    shadow = Image.new("L", (shape.width + 2 * reach, shape.height + 2 * reach))
    shadow.paste(shape.point(lambda value: round(value * strength)), (reach, reach))
    blurred = shadow.reduce(small).filter(ImageFilter.GaussianBlur(16 / small))
    shadow = blurred.resize(shadow.size, Image.Resampling.BILINEAR)
    picture.paste(parse(BLACK), (at[0] - reach, at[1] - reach + 8), shadow)


def rings(picture: Image.Image, centre: tuple[int, int], radii: range, colour: str, strength: float, fade: Box) -> None:
    """Paint thin circles about a centre, like the marks that cups leave on a table.

    They come up softly from the left edge of the fading box to its right edge, and stand only within that box.
    """
    left, top, right, bottom = fade
    size = right - left, bottom - top
    large = Image.new("L", (size[0] * 2, size[1] * 2))
    pen = ImageDraw.Draw(large)
    x, y = (centre[0] - left) * 2, (centre[1] - top) * 2
    for radius in radii:
        r = radius * 2
        pen.ellipse((x - r, y - r, x + r, y + r), outline=round(255 * strength), width=6)
    ramp = Image.linear_gradient("L").rotate(90).resize(size)
    picture.paste(parse(colour), fade, ImageChops.multiply(large.reduce(2), ramp))


def png(picture: Image.Image) -> bytes:
    """Encode as PNG, quickly: flat colour and smooth gradients need no search for repeats further away than a pixel."""
    out = BytesIO()
    picture.save(out, "PNG", compress_level=1, compress_type=zlib.Z_RLE)
    return out.getvalue()
