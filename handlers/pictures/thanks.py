"""A thank-you card: a personal note on paper in the shop's colour, as if it had been written at the counter."""

from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw

from handlers.pictures.badge import draw_badge
from handlers.pictures.colour import INK, WHITE, deepen, mix, opposite, readable_gradient, readable_on, shade, soften
from handlers.pictures.font import drawable, font
from handlers.pictures.surface import PAPER, fill, gradient, lift, png, rings, rounded
from handlers.pictures.text import Rows, draw_block, fit, fit_lines

WIDTH, HEIGHT = 1080, 1350
_EDGE = 56  # the shop's colour around the paper
_PAD = 84
_LEFT = _EDGE + _PAD
_COLUMN = WIDTH - 2 * _LEFT
_BADGE = 84
_NOTE_LINES = 12


@dataclass(frozen=True)
class ThankCard:
    """What stands on a card. All words are in the reader's language already; the note is the team's own."""

    shop_name: str
    brand: str
    """The shop's colour, as hex."""
    greeting: str
    """"Gửi Lan,"."""
    note: str
    """Its own line breaks are kept."""
    signed: str
    """"Phố Cafe, 21/11/2026"."""


def draw_thanks(card: ThankCard) -> bytes:
    """A PNG of 1080 × 1350 pixels. Raises ValueError for a bad colour."""
    picture = _paper(card.brand).copy()
    pen = ImageDraw.Draw(picture)
    deep = deepen(card.brand, PAPER)
    top = _EDGE + _PAD
    draw_badge(picture, (_LEFT, top), _BADGE, card.shop_name, (card.brand, readable_on(card.brand)), PAPER)
    shop, face = fit(card.shop_name, 700, 44, 32, _COLUMN - _BADGE - 24)
    pen.text((_LEFT + _BADGE + 24, top + 57), shop, INK, face, anchor="ls")
    greeting = Rows(*fit_lines(card.greeting, 800, 76, 48, _COLUMN, 2), deep, 1.2)
    lines, size = _note(card.note)
    note = Rows(lines, font(500, size), INK, 1.45)
    foot = HEIGHT - _EDGE - _PAD
    draw_block(pen, _LEFT, (top + _BADGE + 20, foot - 70), greeting, note, gap=28)
    signed, face = fit(card.signed, 600, 34, 26, _COLUMN)
    pen.text((WIDTH - _LEFT, foot), signed, soften(INK, PAPER), face, anchor="rs")
    return png(picture)


def _note(note: str) -> tuple[list[str], int]:
    """The note's lines in the largest size that holds them all: its own breaks stay."""
    parts = [part for part in (drawable(line) for line in note.splitlines()) if part]
    for size in range(52, 25, -2):
        face = font(500, size)
        lines: list[str] = []
        for part in parts:
            row = ""
            for word in part.split(" "):
                longer = f"{row} {word}".strip()
                if row and face.getlength(longer) > _COLUMN:
                    lines.append(row)
                    row = word
                else:
                    row = longer
            lines.append(row)
        if len(lines) <= _NOTE_LINES and all(face.getlength(line) <= _COLUMN for line in lines):
            break
    return lines[: _NOTE_LINES * 2], size


@lru_cache(maxsize=2)
def _paper(brand: str) -> Image.Image:
    """The card without words. Not to be drawn on: copy it."""
    steps = readable_gradient(brand, shade(brand))
    picture = gradient((WIDTH, HEIGHT), steps[0], steps[-1])
    rings(picture, (WIDTH, 0), range(160, 1300, 84), opposite(readable_on(*steps)), 0.16, (0, 0, WIDTH, HEIGHT))
    box = (_EDGE, _EDGE, WIDTH - _EDGE, HEIGHT - _EDGE)
    lift(picture, (_EDGE, _EDGE), rounded((WIDTH - 2 * _EDGE, HEIGHT - 2 * _EDGE), 44))
    fill(picture, box, PAPER, 44)
    ring = mix(PAPER, deepen(brand, WHITE), 0.4)
    rings(
        picture,
        (WIDTH - _EDGE, HEIGHT - _EDGE),
        range(120, 520, 56),
        ring,
        0.5,
        (WIDTH // 2, HEIGHT - 560, WIDTH - _EDGE, HEIGHT - _EDGE),
    )
    return picture
