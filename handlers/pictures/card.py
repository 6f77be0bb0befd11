"""The membership card: points and tier on the left, the code that the till scans on the right."""

from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

from PIL import Image, ImageChops, ImageDraw, ImageOps, UnidentifiedImageError

from handlers.pictures.badge import draw_badge
from handlers.pictures.colour import INK, WHITE, contrast, mix, opposite, parse, readable_gradient, readable_on, soften
from handlers.pictures.qr import paint_qr
from handlers.pictures.surface import PAPER, fill, gradient, lift, png, rings, rounded
from handlers.pictures.text import Rows, fit, fit_lines

_MARGIN = 24
_WIDTH, _HEIGHT = 1012, 638  # a bank card's ratio
_PAD = 52
WIDTH, HEIGHT = _WIDTH + 2 * _MARGIN, _HEIGHT + 2 * _MARGIN
"""Of the picture, in pixels."""
_LINE = 3  # around the card
_PANEL = 352  # the white square that the QR code stands on
_EMBLEM = 64  # the tier's picture, a circle
_FOOT = 66  # the strip below it with the code in letters
_RIGHT = _MARGIN + _WIDTH - _PAD  # where the right column ends
_LEFT = _MARGIN + _PAD
_COLUMN = _WIDTH - 2 * _PAD - _PANEL - 32  # the left column's width


@dataclass(frozen=True)
class Card:
    """What stands on a card. All words are in the holder's language already."""

    shop_name: str
    brand: str
    """The shop's colour, as hex."""
    tier_name: str
    tier_style: str | tuple[str, str]
    """``stone``, ``silver``, ``honey``, ``ink``, or the two hex colours of a gradient."""
    holder: str
    points: int
    points_label: str
    """The programme's unit, as it stands after the number: "điểm"."""
    to_next: str
    """One sentence about the next tier, or nothing."""
    code: str
    """The code in letters, for a till that can't scan."""
    qr_payload: str
    language: str
    """Decides how the number is written: 1,234 in English, else 1.234."""
    tier_picture: bytes | None = None
    """The tier's emblem, beside its name; one that can't be read is left out."""


@dataclass(frozen=True)
class Tier:
    """A tier's colours: the ground's steps, the text on it, quieter text, a line around the card, the rings on it."""

    steps: tuple[str, ...]
    text: str
    soft: str
    line: str
    rings: str


_STYLES = {  # the gradient's ends, the text, the line
    "stone": ("#F4EFE8", "#D2C5B5", "#2A231C", "#B9A995"),
    "silver": ("#F5F7F9", "#B4C0CC", "#1C2630", "#94A3B2"),
    "honey": ("#FFEBB5", "#EDB044", "#3B2506", "#C98F2B"),
    "ink": ("#38312A", "#13100D", "#F0DDAF", "#D9BF85"),
}


def tier_colours(style: str | tuple[str, str]) -> Tier:
    """The colours of a tier style. Raises ValueError for a name that there isn't, ColourError for a bad hex colour."""
    if isinstance(style, str):
        if style not in _STYLES:
            raise ValueError(f"no tier style {style!r}; there are {', '.join(_STYLES)}")
        first, second, text, line = _STYLES[style]
        steps = readable_gradient(first, second)
        ring = text
    else:
        steps = readable_gradient(*style)
        text = readable_on(*steps)
        line = mix(steps[-1], text, 0.35)
        ring = opposite(text)  # The text may only just read on these: no ring may come nearer to it.
    return Tier(steps, text, soften(text, *steps), line, ring)


def draw_card(card: Card) -> bytes:
    """A PNG of 1060 × 686 pixels. Raises ValueError for a bad colour, style or QR payload."""
    tier = tier_colours(card.tier_style)
    picture = _face(tier, card.brand).copy()
    pen = ImageDraw.Draw(picture)
    _draw_head(picture, pen, card, tier)
    _draw_points(pen, card, tier)
    _draw_holder(pen, card, tier)
    _draw_code(picture, pen, card)
    return png(picture)


def number(points: int, language: str) -> str:
    """Points with their thousands marked as the language does: 1.234 in Vietnamese, 1,234 in English."""
    written = f"{abs(points):,}"
    return ("−" if points < 0 else "") + (written if language.startswith("en") else written.replace(",", "."))


def _draw_head(picture: Image.Image, pen: ImageDraw.ImageDraw, card: Card, tier: Tier) -> None:
    middle = _MARGIN + _PAD + 38
    name, face = fit(card.tier_name, 700, 36, 28, 300)
    end = _RIGHT
    if name:
        length = round(face.getlength(name))
        pill = (_RIGHT - length - 52, middle - 32, _RIGHT, middle + 32)
        fill(picture, pill, tier.text, 32)
        pen.text(((pill[0] + pill[2]) // 2, middle + 12), name, _on_pill(tier), face, anchor="ms")
        end = pill[0] - 24
        if card.tier_picture and _draw_emblem(
            picture, card.tier_picture, (pill[0] - 12 - _EMBLEM, middle - _EMBLEM // 2)
        ):
            end -= _EMBLEM + 12
    draw_badge(picture, (_LEFT, middle - 38), 76, card.shop_name, (card.brand, readable_on(card.brand)), tier.steps[0])
    shop, face = fit(card.shop_name, 700, 44, 32, end - _LEFT - 96)
    pen.text((_LEFT + 96, middle + 15), shop, tier.text, face, anchor="ls")


def _draw_emblem(picture: Image.Image, content: bytes, at: tuple[int, int]) -> bool:
    try:
        with Image.open(BytesIO(content)) as opened:
            emblem = ImageOps.fit(opened.convert("RGBA"), (_EMBLEM, _EMBLEM))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False
    mask = ImageChops.multiply(rounded((_EMBLEM, _EMBLEM), _EMBLEM // 2), emblem.getchannel("A"))
    picture.paste(emblem.convert("RGB"), at, mask)
    return True


def _on_pill(tier: Tier) -> str:
    return tier.steps[-1] if contrast(tier.steps[-1], tier.text) > contrast(tier.steps[0], tier.text) else tier.steps[0]


def _draw_points(pen: ImageDraw.ImageDraw, card: Card, tier: Tier) -> None:
    baseline = _MARGIN + 344
    label, label_face = fit(card.points_label, 600, 44, 32, _COLUMN // 3)
    room = _COLUMN - round(label_face.getlength(label)) - 18
    amount, face = fit(number(card.points, card.language), 800, 156, 24, room)
    pen.text((_LEFT - 4, baseline), amount, tier.text, face, anchor="ls")
    pen.text((_LEFT + face.getlength(amount) + 14, baseline), label, tier.text, label_face, anchor="ls")
    rows, face = fit_lines(card.to_next, 500, 34, 28, _COLUMN, 2)
    Rows(rows, face, tier.soft, 1.3).draw(pen, _LEFT, baseline + 32)


def _draw_holder(pen: ImageDraw.ImageDraw, card: Card, tier: Tier) -> None:
    rows, face = fit_lines(card.holder, 700, 44, 32, _COLUMN, 2)
    baseline = _MARGIN + _HEIGHT - _PAD
    for row in reversed(rows):
        pen.text((_LEFT, baseline), row, tier.text, face, anchor="ls")
        baseline -= round(face.size * 1.25)


def _draw_code(picture: Image.Image, pen: ImageDraw.ImageDraw, card: Card) -> None:
    left, bottom = _RIGHT - _PANEL, _MARGIN + _HEIGHT - _PAD
    paint_qr(picture, card.qr_payload, (left, bottom - _FOOT - _PANEL), _PANEL)
    line, face = fit(card.code, 700, 40, 24, _PANEL - 40)
    pen.text((left + _PANEL // 2, bottom - 19), line, readable_on(card.brand), face, anchor="ms")


@lru_cache(maxsize=8)
def _face(tier: Tier, brand: str) -> Image.Image:
    """All that is the same on the cards of one tier at one shop. Not to be drawn on: copy it."""
    picture = Image.new("RGB", (_WIDTH + 2 * _MARGIN, _HEIGHT + 2 * _MARGIN), parse(PAPER))
    shape = rounded((_WIDTH, _HEIGHT), 44)
    lift(picture, (_MARGIN, _MARGIN), shape)
    ground = gradient((_WIDTH, _HEIGHT), tier.steps[0], tier.steps[-1])
    centre = _WIDTH - _PAD - _PANEL // 2, _HEIGHT - _PAD - (_PANEL + _FOOT) // 2
    rings(ground, centre, range(240, 700, 52), tier.rings, 0.22, (_PAD + _COLUMN, 0, _WIDTH, _HEIGHT))
    picture.paste(parse(tier.line), (_MARGIN, _MARGIN), shape)
    inside = rounded((_WIDTH - 2 * _LINE, _HEIGHT - 2 * _LINE), 44 - _LINE)
    picture.paste(
        ground.crop((_LINE, _LINE, _WIDTH - _LINE, _HEIGHT - _LINE)), (_MARGIN + _LINE, _MARGIN + _LINE), inside
    )
    _draw_panel(picture, brand)
    return picture


def _draw_panel(picture: Image.Image, brand: str) -> None:
    left, bottom = _RIGHT - _PANEL, _MARGIN + _HEIGHT - _PAD
    top = bottom - _FOOT - _PANEL
    shape = rounded((_PANEL, _PANEL + _FOOT), 28)
    lift(picture, (left, top), shape, 0.18)
    panel = Image.new("RGB", shape.size, parse(brand))
    panel.paste(parse(WHITE), (0, 0, _PANEL, _PANEL))
    if min(parse(brand)) > 215:  # nearly white: a line has to part the strip
        panel.paste(parse(mix(brand, INK, 0.2)), (24, _PANEL, _PANEL - 24, _PANEL + 2))
    picture.paste(panel, (left, top), shape)
