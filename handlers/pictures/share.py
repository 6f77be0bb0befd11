"""A referral picture: what a customer posts so that friends come too."""

from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw

from handlers.pictures.badge import draw_badge
from handlers.pictures.colour import INK, WHITE, deepen, opposite, readable_gradient, readable_on, shade, soften
from handlers.pictures.qr import paint_qr
from handlers.pictures.surface import fill, gradient, lift, png, rings, rounded
from handlers.pictures.text import Rows, draw_block, fit, fit_lines

_SIDE = 1080
_PAD = 72
_WIDE = _SIDE - 2 * _PAD
_PANEL = 400  # the height of the white panel at the foot
_TOP = _SIDE - _PAD - _PANEL
_BADGE = 92


@dataclass(frozen=True)
class Invitation:
    """What stands on an invitation. All words are in the reader's language already."""

    shop_name: str
    brand: str
    """The shop's colour, as hex."""
    headline: str
    """"Lan mời bạn một ly"."""
    line: str
    """What the friend gets, or nothing."""
    hint: str
    """Beside the code: "Quét mã để nhận quà"."""
    link: str
    """The link as people read it, or nothing."""
    qr_payload: str


def draw_invitation(invitation: Invitation) -> bytes:
    """A PNG of 1080 × 1080 pixels. Raises ValueError for a bad colour or QR payload."""
    steps = _steps(invitation.brand)
    text = readable_on(*steps)
    picture = _ground(invitation.brand).copy()
    pen = ImageDraw.Draw(picture)
    badge = WHITE, deepen(invitation.brand, WHITE)
    draw_badge(picture, (_PAD, _PAD), _BADGE, invitation.shop_name, badge, steps[0])
    shop, face = fit(invitation.shop_name, 700, 50, 36, _WIDE - _BADGE - 24)
    pen.text((_PAD + _BADGE + 24, _PAD + 64), shop, text, face, anchor="ls")
    headline = Rows(*fit_lines(invitation.headline, 800, 100, 60, _WIDE, 3), text, 1.16)
    line = Rows(*fit_lines(invitation.line, 500, 44, 34, _WIDE, 2), soften(text, *steps), 1.3)
    draw_block(pen, _PAD, (_PAD + _BADGE, _TOP), headline, line)
    _draw_panel(picture, pen, invitation)
    return png(picture)


def _draw_panel(picture: Image.Image, pen: ImageDraw.ImageDraw, invitation: Invitation) -> None:
    paint_qr(picture, invitation.qr_payload, (_PAD, _TOP), _PANEL)
    room = _WIDE - _PANEL - 56
    hint = Rows(*fit_lines(invitation.hint, 700, 56, 36, room, 3), INK, 1.25)
    link, face = fit(invitation.link, 500, 36, 26, room)
    lines = [link] if link else []
    draw_block(pen, _PAD + _PANEL + 8, (_TOP, _TOP + _PANEL), hint, Rows(lines, face, soften(INK, WHITE), 1.3))


def _steps(brand: str) -> tuple[str, ...]:
    return readable_gradient(brand, shade(brand))


@lru_cache(maxsize=2)
def _ground(brand: str) -> Image.Image:
    """The picture without words. Not to be drawn on: copy it."""
    steps = _steps(brand)
    picture = gradient((_SIDE, _SIDE), steps[0], steps[-1])
    rings(picture, (_SIDE, 0), range(200, 1100, 76), opposite(readable_on(*steps)), 0.16, (_SIDE // 4, 0, _SIDE, _SIDE))
    lift(picture, (_PAD, _TOP), rounded((_WIDE, _PANEL), 40))
    fill(picture, (_PAD, _TOP, _PAD + _WIDE, _TOP + _PANEL), WHITE, 40)
    return picture
