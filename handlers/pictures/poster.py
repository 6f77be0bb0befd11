"""What a shop prints: a poster (A4) and a table card (A6) with the code that lets people join, and the picture that a link
to its programme shows.
"""

from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO

from PIL import Image, ImageDraw

from handlers.pictures.badge import draw_badge
from handlers.pictures.colour import INK, WHITE, deepen, mix, opposite, readable_gradient, readable_on, shade, soften
from handlers.pictures.font import font
from handlers.pictures.qr import paint_qr
from handlers.pictures.surface import fill, gradient, lift, png, rings, rounded
from handlers.pictures.text import Rows, draw_block, fit, fit_lines

DPI = 300
STEPS_MAX = 3
_COVER = 1200, 630


class Paper(StrEnum):
    """A sheet, upright: A4 210 × 297 mm, A6 105 × 148.5 mm."""

    A4 = "a4"
    A6 = "a6"


_WIDTH, _HEIGHT = 2480, 3508  # A4 at 300 dots an inch; A6 is half of it each way
_HALVED = {Paper.A4: 1, Paper.A6: 2}


@dataclass(frozen=True)
class Poster:
    """What stands on a poster. All words are in the reader's language already."""

    shop_name: str
    brand: str
    """The shop's colour, as hex."""
    headline: str
    line: str
    """What it is in one sentence, below the headline."""
    steps: tuple[str, ...]
    """How it goes, at most three short ones."""
    hint: str
    """Below the code: "Quét mã để tham gia"."""
    link: str
    """The link as people read it."""
    foot: str
    """Address and phone, or nothing."""
    qr_payload: str


def draw_poster(poster: Poster, paper: Paper, *, pdf: bool) -> bytes:
    """A PDF or PNG of the sheet at 300 dpi. Raises ValueError for a bad colour, or a payload too long to be scanned."""
    picture = _draw(poster, _HALVED[paper])
    out = BytesIO()
    if pdf:
        picture.save(out, "PDF", resolution=float(DPI), quality=95, title=poster.shop_name)
    else:
        picture.save(out, "PNG", dpi=(DPI, DPI), compress_level=3)
    return out.getvalue()


def draw_cover(shop_name: str, brand: str, headline: str, line: str) -> bytes:
    """A PNG of 1200 × 630 pixels, as messengers show beside a link. Raises ValueError for a bad colour."""
    wide, high = _COVER
    steps = readable_gradient(brand, shade(brand))
    text = readable_on(*steps)
    picture = gradient(_COVER, steps[0], steps[-1])
    rings(picture, (wide, high), range(200, 900, 70), opposite(text), 0.14, (wide // 3, 0, wide, high))
    draw_badge(picture, (72, 72), 96, shop_name, (WHITE, deepen(brand, WHITE)), steps[0])
    pen = ImageDraw.Draw(picture)
    shop, face = fit(shop_name, 700, 48, 34, wide - 336)
    pen.text((192, 72 + 65), shop, text, face, anchor="ls")
    head = Rows(*fit_lines(headline, 800, 84, 52, wide - 144, 2), text, 1.18)
    below = Rows(*fit_lines(line, 500, 38, 30, wide - 144, 2), soften(text, *steps), 1.3)
    draw_block(pen, 72, (200, high - 56), head, below)
    return png(picture)


def _draw(poster: Poster, halved: int) -> Image.Image:
    def px(size: int) -> int:
        return size // halved

    width, height, pad = px(_WIDTH), px(_HEIGHT), px(200)
    wide = width - 2 * pad
    steps = readable_gradient(poster.brand, shade(poster.brand))
    text = readable_on(*steps)
    picture = gradient((width, height), steps[0], steps[-1])
    panel = px(1320)
    top, left = px(1190), (width - panel) // 2
    centre = width // 2, top + panel // 2
    # Softly from the left edge to the right: the eye comes from the words and rests on the code.
    rings(picture, centre, range(px(880), px(2400), px(150)), opposite(text), 0.12, (0, 0, width, height))
    pen = ImageDraw.Draw(picture)

    badge = px(190)
    draw_badge(picture, (pad, pad), badge, poster.shop_name, (WHITE, deepen(poster.brand, WHITE)), steps[0])
    shop, face = fit(poster.shop_name, 700, px(104), px(64), wide - badge - px(50))
    pen.text((pad + badge + px(50), pad + badge * 2 // 3), shop, text, face, anchor="ls")
    headline = Rows(*fit_lines(poster.headline, 800, px(230), px(130), wide, 2), text, 1.16)
    line = Rows(*fit_lines(poster.line, 500, px(88), px(62), wide, 3), soften(text, *steps), 1.32)
    draw_block(pen, pad, (pad + badge + px(20), top - px(30)), headline, line, gap=px(24))

    foot = px(210)
    shape = rounded((panel, panel + foot), px(90))
    lift(picture, (left, top), shape)
    fill(picture, (left, top, left + panel, top + panel + foot), WHITE, px(90))
    paint_qr(picture, poster.qr_payload, (left, top), panel)
    hint, face = fit(poster.hint, 800, px(108), px(60), panel - px(120))
    pen.text((width // 2, top + panel + px(40)), hint, INK, face, anchor="ms")
    link, face = fit(poster.link, 500, px(60), px(36), panel - px(120))
    pen.text((width // 2, top + panel + px(135)), link, soften(INK, WHITE), face, anchor="ms")

    _draw_steps(picture, poster, halved, (top + panel + foot + px(60), height - px(260)), steps, text)
    bottom, face = fit(poster.foot, 500, px(58), px(36), wide)
    pen.text((width // 2, height - px(130)), bottom, soften(text, *steps), face, anchor="ms")
    return picture


def _draw_steps(
    picture: Image.Image, poster: Poster, halved: int, room: tuple[int, int], steps: tuple[str, ...], text: str
) -> None:
    """The steps side by side, each with its number on a disc."""
    shown = poster.steps[:STEPS_MAX]
    if not shown:
        return
    pad, disc, gap = 200 // halved, 110 // halved, 60 // halved
    column = (picture.width - 2 * pad - gap * (len(shown) - 1)) // len(shown)
    pen = ImageDraw.Draw(picture)
    top = room[0] + (room[1] - room[0] - disc - 250 // halved) // 2
    ground = mix(steps[-1], text, 0.16)
    size = min(int(fit_lines(step, 700, 70 // halved, 48 // halved, column, 3)[1].size) for step in shown)
    for number, step in enumerate(shown):
        x = pad + number * (column + gap)
        fill(picture, (x, top, x + disc, top + disc), text, disc // 2)
        pen.text(
            (x + disc / 2, top + disc * 0.69), str(number + 1), readable_on(text) if text == WHITE else ground,
            font(800, 64 // halved), anchor="ms",
        )  # fmt: skip
        Rows(*fit_lines(step, 700, size, size, column, 3), text, 1.28).draw(pen, x, top + disc + 24 // halved)
