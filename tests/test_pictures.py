"""The pictures a shop draws: every letter is there, the code can be scanned, and all of it can be read."""

import unicodedata
from collections import Counter
from dataclasses import replace
from io import BytesIO
from itertools import product

import pytest
import segno
import zxingcpp
from PIL import Image, ImageChops

from handlers.pictures.card import Card, draw_card, number, tier_colours
from handlers.pictures.colour import (
    ColourError,
    contrast,
    deepen,
    luminance,
    mix,
    parse,
    readable_gradient,
    readable_on,
    soften,
    to_hex,
)
from handlers.pictures.font import Weight, drawable, font, has_glyph
from handlers.pictures.qr import draw_qr
from handlers.pictures.share import Invitation, draw_invitation
from handlers.pictures.text import fit, fit_lines
from handlers.pictures.voucher import VoucherPicture, draw_voucher

WEIGHTS: tuple[Weight, ...] = (400, 500, 600, 700, 800)
TIERS = ("stone", "silver", "honey", "ink")
BRANDS = ("#0F766E", "#FFFF00", "#000000", "#FFFFFF", "#808080", "#FF0000", "#00FF00", "#0000FF", "#F59E0B", "#EC4899")
PAYLOAD = "https://t.me/pho_cafe_bot?start=c_7K3M9QPT"
CARD = Card(
    shop_name="Phố Cafe",
    brand="#0F766E",
    tier_name="Bạc",
    tier_style="silver",
    holder="Nguyễn Thị Lan",
    points=1234,
    points_label="điểm",
    to_next="Còn 116 điểm xếp hạng nữa là lên Vàng",
    code="7K3M-9QPT",
    qr_payload=PAYLOAD,
    language="vi",
)
VOUCHER = VoucherPicture(
    shop_name="Phố Cafe",
    brand="#0F766E",
    title="Giảm 30.000 ₫",
    condition="Cho đơn từ 100.000 ₫",
    valid_until="Hạn dùng 31/12/2026",
    code="K7M2-Q9XP",
    qr_payload=PAYLOAD,
)
INVITATION = Invitation(
    shop_name="Phố Cafe",
    brand="#0F766E",
    headline="Lan mời bạn ghé Phố Cafe",
    line="Nhận ngay 50 điểm ở đơn đầu tiên",
    hint="Quét mã để nhận quà",
    link="t.me/pho_cafe_bot",
    qr_payload=PAYLOAD,
)
HARD_NAMES = (
    "",
    "Công Tằng Tôn Nữ Hoàng Phương Thảo Nguyên Anh Thư " * 4,
    "Nguyễn" * 40,
    "☕️🎉👩‍👩‍👧‍👦",
    "محمد بن سلمان",
    "Lan \u202eמשה\u202c",
    "<b>Lan</b><script>alert(1)</script> & {name} %s",
    "Z̸̢͙a̵̡l̷g̴o̶",
    "dòng một\ndòng hai\x00\ud800",
)


def picture_of(png: bytes) -> Image.Image:
    with Image.open(BytesIO(png)) as image:
        assert image.format == "PNG"
        return image.convert("RGB")


def scanned(picture: Image.Image) -> list[str]:
    return [found.text for found in zxingcpp.read_barcodes(picture)]


def vietnamese_letters() -> list[str]:
    """The 67 marked letters, both cases: 12 vowels under 5 tones and plain, and đ."""
    tones = ("", "\u0300", "\u0301", "\u0309", "\u0303", "\u0323")
    vowels = ("a", "ă", "â", "e", "ê", "i", "o", "ô", "ơ", "u", "ư", "y")
    toned = (unicodedata.normalize("NFC", vowel + tone) for vowel, tone in product(vowels, tones))
    lower = [letter for letter in toned if not letter.isascii()] + ["đ"]
    return lower + [letter.upper() for letter in lower]


# Letters


def test_every_vietnamese_letter_is_drawn_in_every_weight() -> None:
    letters = vietnamese_letters()
    assert len(set(letters)) == 134
    for weight in WEIGHTS:
        face = font(weight, 40)
        missing = bytes(face.getmask("\uffff"))
        for char in [*letters, *"₫0123456789.,%-−…·/:"]:
            drawn = face.getmask(char)
            assert drawn.getbbox(), (weight, char)
            assert bytes(drawn) != missing, (weight, char)
            assert has_glyph(char), char


def test_marked_letters_are_all_drawn_differently() -> None:
    face = font(600, 40)
    drawn = {(mask.size, bytes(mask)) for mask in (face.getmask(char) for char in vietnamese_letters())}
    # Capital Đ and the Icelandic Ð look alike, but within Vietnamese no two letters do.
    assert len(drawn) == 134


@pytest.mark.parametrize("char", ["\uffff", "★", "🎉", "م", "ש", "漢", "\u200d", "\ufe0f", "\u202e", " "])
def test_what_the_font_lacks_has_no_glyph(char: str) -> None:
    assert not has_glyph(char)


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("Nguye\u0302\u0303n  Thị\tLan\n", "Nguyễn Thị Lan"),
        ("🎉 Lan ☕️ ơi 👩‍👩‍👧", "Lan ơi"),
        ("𝓛𝓪𝓷", "Lan"),
        ("Lan محمد", "Lan"),
        ("שלום", ""),
        ("\u202eabc\u200f\x00", "abc"),
        ("L̸̢a̵n", "Lan"),
        ("Phố\u00ad Ca\u00adfe", "Phố Cafe"),
        ("<b>Lan</b>", "<b>Lan</b>"),
        ("30.000\u00a0₫ \u00a0 thôi", "30.000\u00a0₫ thôi"),
        ("30.000\u202f₫", "30.000\u00a0₫"),
    ],
)
def test_drawable_keeps_letters_and_drops_what_would_be_a_box(text: str, drawn: str) -> None:
    assert drawable(text) == drawn


@pytest.mark.parametrize("name", HARD_NAMES, ids=range(len(HARD_NAMES)))
def test_a_line_fits_its_room(name: str) -> None:
    line, face = fit(name, 700, 44, 32, 300)
    assert face.getlength(line) <= 300
    assert 32 <= face.size <= 44
    assert line == drawable(name) or line.endswith("…")


@pytest.mark.parametrize("name", HARD_NAMES, ids=range(len(HARD_NAMES)))
def test_lines_fit_their_room(name: str) -> None:
    rows, face = fit_lines(name, 700, 44, 32, 300, 2)
    assert len(rows) <= 2
    assert all(face.getlength(row) <= 300 for row in rows)
    assert " ".join(rows) == drawable(name) or any(row.endswith("…") for row in rows)


def test_lines_are_even_and_keep_an_amount_whole() -> None:
    rows, _ = fit_lines("Còn 116 điểm xếp hạng nữa là lên Vàng", 500, 34, 34, 500, 2)
    assert len(rows) == 2
    assert max(map(len, rows)) < 1.5 * min(map(len, rows))
    rows, _ = fit_lines("Giảm ngay 30.000\u00a0₫", 800, 80, 80, 420, 3)
    assert "30.000\u00a0₫" in rows


# Scanning


def test_the_code_on_every_card_is_scanned() -> None:
    for style, brand in [*product(TIERS, BRANDS[:1]), *product(TIERS[:1], BRANDS)]:
        assert scanned(picture_of(draw_card(replace(CARD, tier_style=style, brand=brand)))) == [PAYLOAD]


@pytest.mark.parametrize("brand", BRANDS[:4])
def test_the_code_on_other_pictures_is_scanned(brand: str) -> None:
    assert scanned(picture_of(draw_voucher(replace(VOUCHER, brand=brand)))) == [PAYLOAD]
    assert scanned(picture_of(draw_invitation(replace(INVITATION, brand=brand)))) == [PAYLOAD]
    assert scanned(picture_of(draw_qr(PAYLOAD, caption="Phố Cafe", brand=brand))) == [PAYLOAD]


def test_the_code_is_scanned_as_a_phone_shows_it() -> None:
    """A third of the size, turned a little, squeezed to a JPEG: what a till's camera may see."""
    picture = picture_of(draw_card(CARD))
    small = picture.resize((picture.width * 2 // 5, picture.height * 2 // 5), Image.Resampling.BILINEAR)
    turned = small.rotate(7, expand=True, fillcolor=(90, 90, 90), resample=Image.Resampling.BICUBIC)
    squeezed = BytesIO()
    turned.save(squeezed, "JPEG", quality=60)
    with Image.open(squeezed) as seen:
        assert scanned(seen.convert("RGB")) == [PAYLOAD]


def test_the_code_has_its_quiet_zone() -> None:
    picture = picture_of(draw_card(CARD))
    (code,) = zxingcpp.read_barcodes(picture)
    corner, far = code.position.top_left, code.position.bottom_right
    modules = len(segno.make_qr(PAYLOAD, error="m").matrix)
    module = (far.x - corner.x) / modules
    assert module >= 6, "a module is large enough for a camera"
    assert picture.getpixel((corner.x + 4, corner.y + 4)) == parse("#1F1B16")
    quiet = int(module * 4) - 2
    white = Image.new("RGB", (far.x - corner.x + 2 * quiet, quiet - 2), (255, 255, 255))
    for top in (corner.y - quiet, far.y + 4):
        strip = picture.crop((corner.x - quiet, top, corner.x - quiet + white.width, top + white.height))
        assert ImageChops.difference(strip, white).getbbox() is None


@pytest.mark.parametrize("payload", ["", "x" * 1200])
def test_a_payload_that_cannot_be_scanned_is_refused(payload: str) -> None:
    with pytest.raises(ValueError):
        draw_card(replace(CARD, qr_payload=payload))


# Colours


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#FFFFFF", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)
    assert contrast("#0F766E", "#0f766e") == 1
    assert luminance("#FF0000") == pytest.approx(0.2126)


@pytest.mark.parametrize("text", ["", "#12", "#12345", "#GGGGGG", "red", "#1234567", "#١٢٣"])
def test_a_bad_colour_is_refused(text: str) -> None:
    with pytest.raises(ColourError) as refused:
        parse(text)
    assert refused.value.code == "bad_colour"
    with pytest.raises(ColourError):
        draw_card(replace(CARD, brand=text))


def test_colours_are_read_and_written() -> None:
    assert parse("#0f766e") == parse(" 0F766E ") == (15, 118, 110)
    assert parse("#fa0") == (255, 170, 0)
    assert to_hex((15, 118, 110)) == "#0F766E"
    assert mix("#000000", "#FFFFFF", 0.5) == "#808080"


def test_some_text_reads_on_any_colour() -> None:
    channels = range(0, 256, 15)
    for rgb in product(channels, channels, channels):
        colour = to_hex(rgb)
        assert contrast(readable_on(colour), colour) >= 4.5, colour
    for grey in range(256):
        assert contrast(readable_on(to_hex((grey, grey, grey))), to_hex((grey, grey, grey))) >= 4.5


@pytest.mark.parametrize(("first", "second"), list(product(BRANDS, BRANDS)))
def test_some_text_reads_on_any_gradient(first: str, second: str) -> None:
    steps = readable_gradient(first, second)
    assert steps[0] == first
    text = readable_on(*steps)
    assert min(contrast(text, step) for step in steps) >= 4.5
    assert min(contrast(soften(text, *steps), step) for step in steps) >= 4.5
    assert contrast(deepen(first, second), second) >= 4.5


@pytest.mark.parametrize("style", [*TIERS, ("#FFFF00", "#000000"), ("#7C3AED", "#22D3EE"), ("#FF0000", "#00FF00")])
def test_a_tiers_words_read_on_it(style: str | tuple[str, str]) -> None:
    tier = tier_colours(style)
    for step in tier.steps:
        assert contrast(tier.text, step) >= 4.5
        assert contrast(tier.soft, step) >= 4.5


def test_an_unknown_tier_style_is_refused() -> None:
    with pytest.raises(ValueError, match="stone, silver, honey, ink"):
        tier_colours("gold")


def pixels(picture: Image.Image) -> list[tuple[int, int, int]]:
    raw = picture.tobytes()
    return list(zip(raw[::3], raw[1::3], raw[2::3], strict=True))


def least_contrast(with_words: bytes, without: bytes, left: int = 0) -> float:
    """The contrast of some words, as drawn, with all that lies behind and close around them, from a column on."""
    written, bare = (
        whole.crop((left, 0, whole.width, whole.height)) for whole in (picture_of(with_words), picture_of(without))
    )
    box = ImageChops.difference(written, bare).getbbox()
    assert box is not None, "the words are on the picture"
    behind = pixels(bare.crop(box))
    changed = Counter(new for new, old in zip(pixels(written.crop(box)), behind, strict=True) if new != old)
    text = to_hex(changed.most_common(1)[0][0])
    return min(contrast(text, to_hex(colour)) for colour in set(behind))


@pytest.mark.parametrize(
    ("style", "brand"),
    [
        *product([*TIERS, ("#000000", "#FFFFFF"), ("#EC4899", "#808080")], BRANDS[:1]),
        *product(["ink"], ["#FFFF00", "#000000", "#FFFFFF"]),
    ],
)
def test_words_read_on_the_card_as_drawn(style: str | tuple[str, str], brand: str) -> None:
    card = replace(CARD, tier_style=style, brand=brand, shop_name="Phố " * 20)
    whole = draw_card(card)
    right_of_badge = 160
    assert least_contrast(whole, draw_card(replace(card, shop_name="")), right_of_badge) >= 4.5
    for gone in (replace(card, holder=""), replace(card, to_next=""), replace(card, code="")):
        assert least_contrast(whole, draw_card(gone)) >= 4.5


@pytest.mark.parametrize("brand", BRANDS[:4])
def test_words_read_on_the_voucher_and_the_invitation_as_drawn(brand: str) -> None:
    voucher, invitation = replace(VOUCHER, brand=brand), replace(INVITATION, brand=brand)
    whole = draw_voucher(voucher)
    for without in (replace(voucher, valid_until=""), replace(voucher, code="")):
        assert least_contrast(whole, draw_voucher(without)) >= 4.5
    empty = replace(voucher, title="", condition="")
    for offer in (replace(empty, title="Giảm 30.000 ₫"), replace(empty, condition=VOUCHER.condition * 4)):
        assert least_contrast(draw_voucher(offer), draw_voucher(empty)) >= 4.5
    bare = replace(invitation, headline="", line="")
    for words in (replace(bare, headline="Lan mời bạn ghé"), replace(bare, line="Nhận ngay 50 điểm")):
        assert least_contrast(draw_invitation(words), draw_invitation(bare)) >= 4.5


# Pictures


@pytest.mark.parametrize("name", HARD_NAMES, ids=range(len(HARD_NAMES)))
def test_hard_names_leave_the_code_alone(name: str) -> None:
    card = replace(CARD, holder=name, shop_name=name, tier_name=name, to_next=name, points_label=name, code=name)
    assert scanned(picture_of(draw_card(card))) == [PAYLOAD]
    voucher = replace(VOUCHER, shop_name=name, title=name, condition=name, valid_until=name, code=name)
    assert scanned(picture_of(draw_voucher(voucher))) == [PAYLOAD]
    invitation = replace(INVITATION, shop_name=name, headline=name, line=name, hint=name, link=name)
    assert scanned(picture_of(draw_invitation(invitation))) == [PAYLOAD]
    assert scanned(picture_of(draw_qr(PAYLOAD, caption=name))) == [PAYLOAD]


def test_words_stay_in_their_column() -> None:
    """However long a name is, what it changes ends before the panel with the code."""
    long = replace(CARD, holder=HARD_NAMES[1], to_next=HARD_NAMES[1], points=10**14, points_label=HARD_NAMES[2])
    bare = replace(CARD, holder="", to_next="", points=0, points_label="")
    box = ImageChops.difference(picture_of(draw_card(long)), picture_of(draw_card(bare))).getbbox()
    assert box is not None
    assert box[2] <= 632
    assert box[3] <= 662


def test_undrawable_names_draw_the_same_card_as_none() -> None:
    assert draw_card(replace(CARD, holder="محمد 🎉")) == draw_card(replace(CARD, holder=""))


@pytest.mark.parametrize(
    ("points", "language", "written"),
    [(0, "vi", "0"), (999, "vi", "999"), (1234, "vi", "1.234"), (1234, "en", "1,234"), (-1234567, "vi", "−1.234.567")],
)
def test_points_are_written_as_the_language_does(points: int, language: str, written: str) -> None:
    assert number(points, language) == written


def test_the_number_follows_the_language_on_the_card() -> None:
    assert draw_card(CARD) != draw_card(replace(CARD, language="en"))
    assert draw_card(replace(CARD, points=999)) == draw_card(replace(CARD, points=999, language="en"))


def test_the_same_words_give_the_same_bytes() -> None:
    other = draw_card(replace(CARD, holder="Minh", points=7))
    assert draw_card(CARD) == draw_card(replace(CARD)) != other
    assert draw_voucher(VOUCHER) == draw_voucher(replace(VOUCHER))
    assert draw_invitation(INVITATION) == draw_invitation(replace(INVITATION))
    assert draw_qr(PAYLOAD) == draw_qr(PAYLOAD)


def test_pictures_have_the_size_that_messengers_show_whole() -> None:
    card = picture_of(draw_card(CARD))
    assert card.size == (1060, 686)
    assert to_hex(card.getpixel((0, 0))) == "#FAF8F5"  # type: ignore[arg-type]
    assert picture_of(draw_voucher(VOUCHER)).size == (1128, 608)
    assert picture_of(draw_invitation(INVITATION)).size == (1080, 1080)
    assert picture_of(draw_qr(PAYLOAD)).size == (840, 840)
    assert len(draw_card(CARD)) < 400_000, "a picture on a slow phone line"
