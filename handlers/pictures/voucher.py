"""A voucher as a ticket: what it gives on the shop's colour, and a stub with the code to tear off."""

from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

from PIL import Image, ImageDraw, ImageOps

from handlers.pictures.badge import draw_badge
from handlers.pictures.colour import (
    INK,
    WHITE,
    deepen,
    mix,
    opposite,
    parse,
    readable_gradient,
    readable_on,
    shade,
    soften,
)
from handlers.pictures.qr import paint_qr
from handlers.pictures.surface import PAPER, circle, gradient, lift, png, rings, rounded
from handlers.pictures.text import Rows, draw_block, fit, fit_lines

_MARGIN = 24
_WIDTH, _HEIGHT = 1080, 560
_PAD = 52
_STUB = 372  # the white part with the code
_NOTCH = 44
_BADGE = 72
_PHOTO = 208
_LEFT = _MARGIN + _PAD
_TEAR = _MARGIN + _WIDTH - _STUB
_COLUMN = _WIDTH - _STUB - 2 * _PAD


@dataclass(frozen=True)
class VoucherPicture:
    """What stands on a voucher. All words are in the reader's language already."""

    shop_name: str
    brand: str
    """The shop's colour, as hex."""
    title: str
    """What it gives: "Giảm 30.000 ₫"."""
    condition: str
    """When it can be used, or nothing: "Cho đơn từ 100.000 ₫"."""
    valid_until: str
    """One short line, or nothing: "HSD 31/12/2026"."""
    code: str
    qr_payload: str
    photo: bytes | None = None
    """The offer's own picture, in any form that Pillow reads."""


def draw_voucher(voucher: VoucherPicture) -> bytes:
    """A PNG of 1128 × 608 pixels. Raises ValueError for a bad colour or QR payload."""
    steps = _steps(voucher.brand)
    text = readable_on(*steps)
    soft = soften(text, *steps)
    picture = _ticket(voucher.brand).copy()
    pen = ImageDraw.Draw(picture)
    _draw_shop(picture, pen, voucher, text, steps[0])
    _draw_offer(pen, voucher, text, soft)
    if voucher.photo:
        _draw_photo(picture, voucher.photo)
    _draw_stub(picture, pen, voucher)
    return png(picture)


def _draw_shop(picture: Image.Image, pen: ImageDraw.ImageDraw, voucher: VoucherPicture, text: str, ground: str) -> None:
    top = _MARGIN + _PAD
    draw_badge(picture, (_LEFT, top), _BADGE, voucher.shop_name, (WHITE, deepen(voucher.brand, WHITE)), ground)
    shop, face = fit(voucher.shop_name, 700, 42, 32, _COLUMN - _BADGE - 20)
    pen.text((_LEFT + _BADGE + 20, top + 51), shop, text, face, anchor="ls")


def _draw_offer(pen: ImageDraw.ImageDraw, voucher: VoucherPicture, text: str, soft: str) -> None:
    foot = _MARGIN + _HEIGHT - _PAD
    width = _COLUMN - (_PHOTO + 24 if voucher.photo else 0)
    title = Rows(*fit_lines(voucher.title, 800, 92, 54, width, 3), text, 1.16)
    condition = Rows(*fit_lines(voucher.condition, 500, 36, 30, width, 2), soft, 1.3)
    draw_block(pen, _LEFT, (_MARGIN + _PAD + _BADGE, foot - 30), title, condition, gap=8)
    line, face = fit(voucher.valid_until, 700, 36, 28, _COLUMN)
    pen.text((_LEFT, foot), line, text, face, anchor="ls")


def _draw_photo(picture: Image.Image, content: bytes) -> None:
    with Image.open(BytesIO(content)) as opened:
        photo = ImageOps.fit(ImageOps.exif_transpose(opened).convert("RGB"), (_PHOTO, _PHOTO))
    top = _MARGIN + (_HEIGHT - _PHOTO) // 2
    picture.paste(photo, (_TEAR - _PAD + 12 - _PHOTO, top), rounded((_PHOTO, _PHOTO), 24))


def _draw_stub(picture: Image.Image, pen: ImageDraw.ImageDraw, voucher: VoucherPicture) -> None:
    side = _STUB - 20
    paint_qr(picture, voucher.qr_payload, (_TEAR + 10, _MARGIN + 54), side)
    line, face = fit(voucher.code, 700, 44, 26, _STUB - 48)
    pen.text((_TEAR + _STUB // 2, _MARGIN + 54 + side + 62), line, INK, face, anchor="ms")


def _steps(brand: str) -> tuple[str, ...]:
    return readable_gradient(brand, shade(brand))


@lru_cache(maxsize=4)
def _ticket(brand: str) -> Image.Image:
    """The empty ticket. Not to be drawn on: copy it."""
    picture = Image.new("RGB", (_WIDTH + 2 * _MARGIN, _HEIGHT + 2 * _MARGIN), parse(PAPER))
    tear = _WIDTH - _STUB
    shape = rounded((_WIDTH, _HEIGHT), 40)
    for y in (-_NOTCH // 2, _HEIGHT - _NOTCH // 2):
        shape.paste(0, (tear - _NOTCH // 2, y), circle(_NOTCH))
    lift(picture, (_MARGIN, _MARGIN), shape)
    steps = _steps(brand)
    ticket = gradient((_WIDTH, _HEIGHT), steps[0], steps[-1])
    rings(
        ticket,
        (tear, _HEIGHT // 2),
        range(90, 700, 60),
        opposite(readable_on(*steps)),
        0.14,
        (tear // 2, 0, tear, _HEIGHT),
    )
    ticket.paste(parse(WHITE), (tear, 0, _WIDTH, _HEIGHT))
    pen = ImageDraw.Draw(ticket)
    for y in range(_NOTCH, _HEIGHT - _NOTCH, 22):
        pen.rounded_rectangle((tear - 2, y, tear + 1, y + 11), 2, fill=parse(mix(WHITE, INK, 0.25)))
    picture.paste(ticket, (_MARGIN, _MARGIN), shape)
    return picture
