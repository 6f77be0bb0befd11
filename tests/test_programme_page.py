"""A shop's public page and what it prints: the real settings in plain words, nothing to sign in for, nothing that runs, and
codes that a phone can read.
"""

import re
from dataclasses import replace
from html import unescape
from io import BytesIO

import pytest
import zxingcpp
from aiohttp import ClientSession
from PIL import Image

from handlers.pictures.poster import DPI, Paper, Poster, draw_cover, draw_poster
from loyalty import programme
from loyalty.orders import earning
from loyalty.tiers import tiers
from loyalty.vouchers import voucher_programs
from loyalty.vouchers.voucher_programs import Kind
from store import shops
from store.staff import Role
from tests.chatting import customer_of, put_order, say
from tests.running import running
from tests.test_console import ZONE, Console, console, offer, second
from tests.test_pictures import BRANDS, HARD_NAMES

__all__ = ["console"]
LINK = "http://pho.example/p/pho-cafe"
POSTER = Poster(
    "Phố Cafe", "#0F766E", "Ghé là có điểm", "Mỗi 1.000 ₫ được 1 điểm.", ("Quét mã", "Đọc số", "Đổi quà"),
    "Quét mã để tham gia", "pho.example/p/pho-cafe", "12 Hàng Gai · 0903 123 456", LINK,
)  # fmt: skip


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What the page reads are rules that have tests of their own on both databases."""
    return sqlite_url


async def visit(root: str, path: str, language: str = "en") -> tuple[int, str, str]:
    """(status, HTML, text) for somebody who has never been here."""
    async with ClientSession(headers={"Accept-Language": language}) as http, http.get(root + path) as response:
        html = await response.text()
        bare = re.sub(r"\s+", " ", re.sub(r"<(style|script).*?</\1>|<[^>]+>", " ", html))
        return response.status, html, unescape(bare)


async def test_anybody_reads_the_shops_real_settings(console: Console) -> None:
    store = console.store
    await store.write(earning.save, console.shop, {"earn_per": 2_000, "tier_per": 10_000}, "cli")
    await store.write(programme.change, point_value=50, expiry_months=3)
    await store.write(shops.change, console.shop, address="12 Hàng Gai", phone="0903 123 456", return_days=7)
    await offer(console, name="Trà đào", price_points=80, stock=5)
    await offer(console, name="Hidden", price_points=10, hidden=True)
    await offer(console, name="Not for points")
    await offer(console, name="Sold out", price_points=10, stock=0)
    other = await second(console)
    await offer(console, other, name="Elsewhere", price_points=10)
    gold = (await store.read(tiers.every))[2]
    await store.write(lambda s: tiers.change(s, gold.id, multiplier=150, description="Khách quen"))
    status, html, text = await visit(console.root, "/p/pho-cafe")
    assert status == 200
    for words in (
        "Every ₫2,000 brings 1 point; 1 point is worth ₫50.", "A bill of ₫85,000 brings 42 points.",
        "7 days after the purchase", "until 28 Feb 2027", "100 points take ₫5,000 off",
        "From 50 tier points, that is ₫500,000 spent", "×1.5 points on every order", "Khách quen",
        "Trà đào", "80 points", "5 left", "You and your friend each get 50 points", "12 Hàng Gai", "Phố Cafe",
    ):  # fmt: skip
        assert words in text, words
    for words in ("Hidden", "Not for points", "Sold out", "Elsewhere", "Quán Hai"):
        assert words not in text, words
    for link in (f"https://t.me/pho?start=p_{console.shop}", f"https://pho.example/chat?start=p_{console.shop}"):
        assert f'href="{link}"' in html, link


async def test_it_speaks_the_readers_language_and_says_it_to_crawlers(console: Console) -> None:
    _, html, text = await visit(console.root, "/p/pho-cafe", "vi")
    assert "1.000 ₫" in text.replace("\xa0", " ")
    assert '<html lang="vi"' in html
    assert '<html lang="en"' in (await visit(console.root, "/p/pho-cafe?lang=en", "vi"))[1]
    tags = dict(re.findall(r'<meta property="(og:[a-z:]+)" content="([^"]*)"', html))
    assert (tags["og:url"], tags["og:locale"]) == (LINK, "vi_VN")
    assert tags["og:image"] == f"{LINK}/cover.png?lang=vi"
    assert tags["og:title"].endswith("Phố Cafe")
    assert "robots" not in html
    async with ClientSession() as http:
        for path, size in (("/p/pho-cafe/cover.png?lang=vi", (1200, 630)), ("/p/pho-cafe/qr.png", (840, 840))):
            async with http.get(console.root + path) as response:
                picture = Image.open(BytesIO(await response.read()))
                assert (response.status, picture.size) == (200, size)
    assert zxingcpp.read_barcodes(picture)[0].text == LINK


async def test_html_of_a_shop_is_shown_and_never_run(console: Console) -> None:
    evil = "<script>alert(1)</script>"
    shop = await console.store.write(programme.open_shop, f"{evil} & Co", timezone=ZONE, language="vi")
    await console.store.write(shops.change, shop, address=evil, phone="0903 123 456")
    await console.store.write(
        lambda s: voucher_programs.add(s, name=evil, kind=Kind.GIFT, price_points=5, shop_id=shop)
    )
    slug = (await console.store.read(shops.get, shop)).slug
    status, html, text = await visit(console.root, f"/p/{slug}")
    assert (status, "<script>alert" in html) == (200, False)
    assert text.count(evil) >= 3


async def test_a_shop_that_is_not_there_is_not_found(console: Console) -> None:
    for path in ("/p/nobody", "/p/nobody/cover.png", "/p/nobody/qr.png", "/p/1", "/p/PHO-CAFE", "/p/%3Cscript%3E"):
        status, html, _ = await visit(console.root, path)
        assert status == 404, path
        assert "<script>alert" not in html


# ── What is printed ────────────────────────────────────────────────────────────────────────────────


def read(picture: Image.Image) -> list[str]:
    return [code.text for code in zxingcpp.read_barcodes(picture)]


@pytest.mark.parametrize("brand", BRANDS[:4])
def test_a_posters_code_reads_back_from_the_picture(brand: str) -> None:
    a6 = Image.open(BytesIO(draw_poster(replace(POSTER, brand=brand), Paper.A6, pdf=False)))
    assert (a6.size, a6.info["dpi"][0]) == ((1240, 1754), pytest.approx(DPI, abs=0.1))
    assert read(a6) == [LINK]
    # As a phone sees it from across the room.
    assert read(a6.resize((310, 438))) == [LINK]


def test_a4_is_print_ready() -> None:
    sheet = Image.open(BytesIO(draw_poster(POSTER, Paper.A4, pdf=False)))
    assert sheet.size == (2480, 3508), "210 × 297 mm at 300 dpi"
    assert read(sheet.resize((1240, 1754))) == [LINK]
    for paper, points in ((Paper.A4, (595.2, 841.92)), (Paper.A6, (297.6, 420.96))):
        pdf = draw_poster(POSTER, paper, pdf=True)
        assert pdf.startswith(b"%PDF-")
        box = re.search(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)", pdf)
        assert box
        assert [float(side) for side in box.groups()] == pytest.approx(points, abs=0.2)


def test_hard_names_and_long_words_fit() -> None:
    for name in HARD_NAMES:
        hard = replace(
            POSTER, shop_name=name, headline=name or "x", line=name, steps=(name, name, name, name), foot=name
        )
        assert read(Image.open(BytesIO(draw_poster(hard, Paper.A6, pdf=False)))) == [LINK], name
        assert Image.open(BytesIO(draw_cover(name, "#F59E0B", name, name))).size == (1200, 630)


async def test_the_owner_prints_what_leads_where_they_say(console: Console) -> None:
    browser = await console.as_(Role.MANAGER, console.shop)
    page = await browser.get("/shop/share")
    assert LINK in page.text
    assert "only works on this machine" not in page.text
    links = [unescape(link) for link in re.findall(r'href="(/shop/share/[^"]+)"', page.html)]
    assert sorted(re.findall(r"a\d\.\w+", " ".join(links))) == ["a4.pdf", "a4.png", "a6.pdf", "a6.png"]
    for query, leads in (("", LINK), ("?to=telegram&lang=en&headline=Hi", f"https://t.me/pho?start=p_{console.shop}"),
                         ("?to=web", f"https://pho.example/chat?start=p_{console.shop}"), ("?to=evil&lang=xx", LINK)):  # fmt: skip
        async with browser.http.get(f"{console.root}/shop/share/a6.png{query}") as response:
            assert response.content_type == "image/png"
            assert read(Image.open(BytesIO(await response.read()))) == [leads], query
    async with browser.http.get(f"{console.root}/shop/share/a6.pdf?save=1") as response:
        assert response.content_type == "application/pdf"
        assert "table-card-pho-cafe.pdf" in response.headers["Content-Disposition"]
        assert (await response.read()).startswith(b"%PDF")
    cashier = await console.as_(Role.CASHIER, console.shop)
    for path in ("/shop/share", "/shop/share/a4.pdf"):
        assert (await cashier.get(path)).status == 403
    for path in ("/shop/share/a5.pdf", "/shop/share/a4.exe"):
        assert (await browser.get(path)).status == 404


# ── From the page into the chat ────────────────────────────────────────────────────────────────────


async def test_the_button_brings_people_to_that_very_shop(sqlite_url: str) -> None:
    async with running(sqlite_url) as shop:
        second = await shop.store.write(programme.open_shop, "Quán Hai", timezone=ZONE, language="vi")
        _, html, _ = await visit(shop.url, "/p/quan-hai", "vi")
        link = re.search(r'href="https://t\.me/\w+\?start=(p_\d+)"', html)
        assert link
        assert link[1] == f"p_{second}"
        assert 'href="/p/pho-cafe"' in (await visit(shop.url, "/chat", "vi"))[1], "the chat leads to the page"
        lan = shop.api.user(first_name="Lan", language_code="vi")
        welcome = (await say(shop, lan, f"/start {link[1]}"))[0]
        assert "Quán Hai" in welcome
        assert "lần nào cũng có điểm" in welcome
        assert (await customer_of(shop, lan)).home_shop_id == second
        # Who is a customer already stays where they are at home.
        await put_order(shop, "A-1", 40_000, customer_id=(await customer_of(shop, lan)).id)
        await say(shop, lan, f"/start p_{shop.shop_id}")
        assert (await customer_of(shop, lan)).home_shop_id == second
        for odd in ("p_999", "p_x", "p_" + "9" * 40):
            assert "không nhận ra" in (await say(shop, lan, f"/start {odd}"))[0], odd
