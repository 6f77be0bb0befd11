"""A week in one picture: its revenue, and the customers of the last weeks as bars, in the shop's colour."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from handlers.pictures.badge import draw_badge
from handlers.pictures.colour import INK, WHITE, deepen, mix, readable_on, soften
from handlers.pictures.font import font
from handlers.pictures.surface import PAPER, fill, png
from handlers.pictures.text import fit

WIDTH, HEIGHT = 1080, 900
_PAD = 64
_COLUMN = WIDTH - 2 * _PAD
_BADGE = 72
_TOP, _BASE = 430, 740
"""The highest bar's top, and where all stand."""
_BAR = 0.58
"""Of a week's width."""


@dataclass(frozen=True)
class Bar:
    """A week: the words beneath it, people who bought for the first time, and those who had bought before."""

    label: str
    new: int
    returning: int


@dataclass(frozen=True)
class WeekPicture:
    """What stands on it. All words are in the reader's language already."""

    shop_name: str
    brand: str
    """The shop's colour, as hex."""
    days: str
    """"16/11 – 22/11"."""
    revenue: str
    """"12.340.000 ₫"."""
    beneath: str
    """"143 đơn, tăng 12 % so với tuần trước"."""
    returning: str
    new: str
    """What the two parts of a bar are called."""
    bars: Sequence[Bar]


def draw_week(week: WeekPicture) -> bytes:
    """A PNG of 1080 × 900 pixels. Raises ValueError for a bad colour."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, WIDTH, 13), fill=week.brand)
    deep, quiet = deepen(week.brand, PAPER), soften(INK, PAPER)
    draw_badge(picture, (_PAD, 62), _BADGE, week.shop_name, (week.brand, readable_on(week.brand)), PAPER)
    days, face = fit(week.days, 600, 32, 24, 330)
    pen.text((WIDTH - _PAD, 112), days, quiet, face, anchor="rs")
    shop, face = fit(week.shop_name, 700, 38, 26, _COLUMN - _BADGE - 24 - 350)
    pen.text((_PAD + _BADGE + 24, 112), shop, INK, face, anchor="ls")
    revenue, face = fit(week.revenue, 800, 88, 48, _COLUMN)
    pen.text((_PAD, 248), revenue, deep, face, anchor="ls")
    beneath, face = fit(week.beneath, 600, 32, 22, _COLUMN)
    pen.text((_PAD, 304), beneath, quiet, face, anchor="ls")
    _bars(pen, week, deep)
    _legend(picture, pen, week, deep)
    return png(picture)


def _bars(pen: ImageDraw.ImageDraw, week: WeekPicture, deep: str) -> None:
    most = max((bar.new + bar.returning for bar in week.bars), default=0) or 1
    step = _COLUMN / max(1, len(week.bars))
    pen.line((_PAD, _BASE, WIDTH - _PAD, _BASE), fill=mix(PAPER, INK, 0.25), width=2)
    for place, bar in enumerate(week.bars):
        last = place == len(week.bars) - 1
        left = round(_PAD + step * (place + (1 - _BAR) / 2))
        right, middle = left + round(step * _BAR), round(_PAD + step * (place + 0.5))
        top = _BASE - round((_BASE - _TOP) * (bar.new + bar.returning) / most)
        between = _BASE - round((_BASE - _TOP) * bar.returning / most)
        for high, low, colour in ((top, between, _light(deep)), (between, _BASE, deep)):
            if low > high:
                pen.rectangle((left, high, right, low - 1), fill=colour)
        pen.text((middle, top - 14), str(bar.new + bar.returning), INK, font(700, 30 if last else 26), anchor="ms")
        pen.text(
            (middle, _BASE + 42), bar.label, INK if last else soften(INK, PAPER), font(700 if last else 500, 24), anchor="ms"
        )  # fmt: skip


def _legend(picture: Image.Image, pen: ImageDraw.ImageDraw, week: WeekPicture, deep: str) -> None:
    left = _PAD
    for words, colour in ((week.returning, deep), (week.new, _light(deep))):
        fill(picture, (left, HEIGHT - 72, left + 26, HEIGHT - 46), colour, 6)
        said, face = fit(words, 500, 26, 20, _COLUMN // 2 - 60)
        pen.text((left + 40, HEIGHT - 50), said, INK, face, anchor="ls")
        left += 40 + round(face.getlength(said)) + 48


def _light(deep: str) -> str:
    """The colour of new customers: the shop's, paler, and seen beside it."""
    return mix(WHITE, deep, 0.42)
