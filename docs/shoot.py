"""The README's pictures, made anew: the demo shop on a database of its own, looked at in headless Chromium.

By hand, from the root: `python -m docs.shoot [NAME …]`.
"""  # noqa: INP001  # a script beside the documents, not a package

import asyncio
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFilter
from playwright.async_api import Browser, Page, expect
from sqlalchemy.orm import Session

from bot.app import App
from bot.demo import seed
from bot.demo.past import as_of
from bot.demo.trade import ZONE
from bot.settings import Settings
from handlers.words import words
from loyalty.customers import customers
from loyalty.customers.customers import Customer
from loyalty.orders import orders
from loyalty.orders.orders import OrderInput, Status
from loyalty.vouchers import rewards, voucher_programs
from store import schema, shops, staff
from store.engine import Store, open_store
from store.sealed import Seal
from tests.browsing import DESK, PHONE, Chat, Desk, Till, chromium, loaded, sign_in
from tests.running import free_port

FOLDER = Path(__file__).parent / "screenshots"
BYTES_MAX = 150_000
PAPER = "#EFEBE5"
SAID = words("vi")
CUSTOMER = "Trần Thu Trang"
AGENT, OWNER, CASHIER = "Ngô Minh Anh", "Phạm Thu Hà", "Bùi Đức Thắng"
JOURNEY, CAMPAIGN = "Mời khách quay lại", "Trà đào cam sả trở lại"
BOUGHT = (
    (62, 139_000), (55, 88_000), (47, 174_000), (40, 101_000), (33, 229_000), (26, 96_000), (19, 143_000), (12, 87_000),
    (8, 205_000), (5, 118_000), (3, 94_000), (1, 137_000),
)  # fmt: skip
"""Trang's orders: days ago, đồng."""
BOUGHT_FOR = (150, 250)
"""The points of the rewards she has: a coffee, 15 % off."""


class Studio:
    """The running demo and the browser that looks at it."""

    def __init__(self, store: Store, url: str, browser: Browser) -> None:
        self.store = store
        self.url = url
        self.browser = browser
        self.shop = 0

    @asynccontextmanager
    async def window(self, width: int, height: int = 0, scale: float = 0) -> AsyncIterator[Page]:
        """A phone's page at twice its pixels, a desk's at one and a half."""
        hand = width < 700
        context = await self.browser.new_context(
            base_url=self.url, viewport={"width": width, "height": height or (844 if hand else 800)}, locale="vi-VN",
            timezone_id="Asia/Ho_Chi_Minh", is_mobile=hand, has_touch=hand, reduced_motion="reduce",
            device_scale_factor=scale or (2 if hand else 1.5), color_scheme="light",
        )  # fmt: skip
        yield await context.new_page()
        await context.close()

    async def enter(self, page: Page, name: str) -> None:
        """Sign in as somebody of the demo's staff."""
        member = (await self.store.read(staff.find, name))[0]
        await sign_in(page, f"/login/{await self.store.write(staff.make_link, member.id, 'login')}")

    async def arrive(self, page: Page) -> tuple[Chat, Customer]:
        """A regular opens the chat: welcomed, called as she likes, her orders of two months behind her."""
        chat = Chat(page)
        await chat.arrive()
        await chat.tap(SAID("chị").capitalize())
        customer = await self.store.write(_make_regular, self.shop)
        await expect(chat.shop.filter(has_text=SAID("chị")).first).to_be_visible()
        return chat, customer


def _make_regular(session: Session, shop_id: int) -> Customer:
    person = session.execute(customers.identities.select().order_by(customers.identities.c.joined_at.desc())).first()
    assert person is not None
    today = datetime.now(ZONE).replace(hour=8, minute=0, second=0)
    customers.change(session, person.customer_id, name=CUSTOMER)
    for number, (days, total) in enumerate(BOUGHT, start=1):
        at = today - timedelta(days=days, minutes=-17 * (number % 5))
        told = OrderInput(
            total=total, currency="VND", placed_at=at, customer_id=person.customer_id, status=Status.COMPLETED
        )
        as_of(session, at, orders.put, shop_id, f"PC-{person.customer_id}{number:02}", told, source="till", quiet=True)
    for offer in voucher_programs.of_shop(session, shop_id):
        if offer.price_points in BOUGHT_FOR:
            key = f"shoot:{person.customer_id}:{offer.id}"
            rewards.buy(session, person.customer_id, offer.id, price=offer.price_points, key=key)
    return customers.get(session, person.customer_id)


# ── The pictures ───────────────────────────────────────────────────────────────────────────────────


async def chat(studio: Studio) -> dict[str, Image.Image]:
    async with studio.window(PHONE) as page:
        talk, customer = await studio.arrive(page)
        await talk.say("mình có voucher nào không?")
        await talk.heard("Một ly cà phê sữa đá")
        await talk.say("cho xem thẻ với")
        await loaded(talk.shop.locator("img").last)
        await talk.say("còn bao nhiêu điểm vậy shop")
        await talk.heard(f"PC-{customer.id}12")
        return {"chat-390": await shot(page)}


async def side_by_side(studio: Studio) -> dict[str, Image.Image]:
    """A customer's phone and the agent's desk; the desk alone, wide and on a phone."""
    async with (
        studio.window(PHONE, 800, 1.5) as hers, studio.window(DESK) as wide, studio.window(PHONE) as narrow,
    ):  # fmt: skip
        await studio.enter(wide, AGENT)
        desk = Desk(wide, DESK)
        await desk.view("open")
        talk, _ = await studio.arrive(hers)
        await talk.say("/support")
        await talk.tap(SAID("An order"))
        await talk.send_photo(_spilt(), "Trà đào giao tới bị đổ mất nửa ly rồi bạn ơi 😢")
        await desk.open("Trà đào giao tới")
        await wide.locator("#owner").click()
        await expect(wide.locator("#owner")).to_contain_text(SAID("Yours"))
        await desk.write("Dạ em xin lỗi chị Trang ạ. Quán gửi lại ly mới ngay, khoảng 15 phút nữa tới chị nhé.")
        await talk.heard("Quán gửi lại ly mới")
        await talk.say("Cảm ơn em, quán nhiệt tình quá")
        await expect(desk.lines.filter(has_text="nhiệt tình quá")).to_be_visible()
        await desk.write("Khách quen, hay đặt buổi sáng. Nhắc bếp dán nắp kỹ hơn.", kind="note")
        await expect(desk.lines.filter(has_text="Nhắc bếp")).to_be_visible()
        await wide.locator("[data-kind=reply]").click()
        await wide.locator("#words").fill("Ly mới đang trên đường, chị nhé")
        await loaded(desk.lines.locator("img").last)
        await expect(wide.locator("#customer")).to_contain_text(CUSTOMER)
        await asyncio.sleep(0.3)  # the fonts and the fades have come to rest
        left, right = await shot(hers), await shot(wide)

        await studio.enter(narrow, AGENT)
        await Desk(narrow, PHONE).view("mine")
        await Desk(narrow, PHONE).open(CUSTOMER)
        await loaded(narrow.locator("#log img").last)
        return {"chat-desk": beside(left, right), "desk": right, "desk-390": await shot(narrow)}


async def till(studio: Studio) -> dict[str, Image.Image]:
    async with studio.window(PHONE) as hers, studio.window(PHONE) as page:
        _, customer = await studio.arrive(hers)
        await studio.enter(page, CASHIER)
        counter = Till(page)
        await counter.find(customer.code)
        await counter.enter("85000")
        await expect(page.locator("#go-on")).to_contain_text(SAID.money(85_000 - 12_750))
        return {"till-390": await shot(page)}


async def console(studio: Studio) -> dict[str, Image.Image]:
    async with studio.window(DESK, 980) as page:
        await studio.enter(page, OWNER)
        await page.goto(f"/shop?shop={studio.shop}")
        await expect(page.locator("#main h1")).to_be_visible()
        return {"console": await shot(page)}


async def journey(studio: Studio) -> dict[str, Image.Image]:
    return {"journey": await chosen(studio, 860, "journeys", JOURNEY)}


async def campaign(studio: Studio) -> dict[str, Image.Image]:
    return {"campaign": await chosen(studio, 900, "campaigns", CAMPAIGN)}


async def chosen(studio: Studio, height: int, where: str, name: str) -> Image.Image:
    """One of a list of the console's, opened by its name."""
    async with studio.window(DESK, height) as page:
        await studio.enter(page, OWNER)
        await page.goto(f"/shop/{where}?shop={studio.shop}")
        await page.locator("#main a").filter(has_text=name).first.click()
        await expect(page.locator("#main h1")).to_contain_text(name)
        return await shot(page)


PICTURES = {
    "chat-390": chat, "chat-desk": side_by_side, "till-390": till, "console": console, "journey": journey, "campaign": campaign,
}  # fmt: skip


async def shot(page: Page) -> Image.Image:
    """What stands there, without a caret or a short message on its way out."""
    await page.evaluate("document.activeElement?.blur()")
    await expect(page.locator(".toast")).to_have_count(0)
    await page.evaluate("document.fonts.ready.then(() => undefined)")
    return Image.open(BytesIO(await page.screenshot(caret="hide"))).convert("RGB")


def beside(left: Image.Image, right: Image.Image) -> Image.Image:
    """Two windows of the same height on one sheet, with a margin around them."""
    gap = left.height // 25
    sheet = Image.new("RGB", (left.width + right.width + 3 * gap, left.height + 2 * gap), PAPER)
    at = gap
    for picture in (left, right):
        mask = Image.new("L", picture.size, 0)
        ImageDraw.Draw(mask).rounded_rectangle((0, 0, picture.width - 1, picture.height - 1), radius=gap // 2, fill=255)
        sheet.paste(picture, (at, gap), mask)
        at += picture.width + gap
    return sheet


def save(picture: Image.Image, path: Path) -> int:
    """Write it in as many colours as BYTES_MAX allows, then in fewer pixels; its size in bytes."""
    while True:
        for colours in (256, 192, 128):
            # Without dithering the plain areas stay plain, and small.
            few = picture.quantize(colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
            few.save(path, optimize=True)
            if path.stat().st_size <= BYTES_MAX:
                return path.stat().st_size
        picture = picture.resize((picture.width * 9 // 10, picture.height * 9 // 10), Image.Resampling.LANCZOS)


def _spilt() -> bytes:
    """A photograph of a cup that lies on its side, as well as it can be drawn."""
    width, height = 960, 720
    picture = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(picture)
    for row in range(height):
        shade = row / height
        draw.line((0, row, width, row), fill=(int(196 - 50 * shade), int(158 - 48 * shade), int(118 - 44 * shade)))
    for plank in range(0, height, 150):
        draw.line((0, plank, width, plank + 26), fill="#7A5A3C", width=4)
    with _layer(picture, 22) as shadow:
        shadow.ellipse((250, 470, 820, 640), fill=(60, 36, 18, 120))
    with _layer(picture, 5) as pool:
        pool.ellipse((70, 470, 520, 640), fill=(214, 122, 36, 235))
        pool.ellipse((30, 540, 260, 660), fill=(214, 122, 36, 225))
        pool.ellipse((130, 492, 330, 540), fill=(240, 168, 84, 160))
    with _layer(picture, 2) as cup:
        cup.polygon([(330, 330), (830, 236), (830, 562), (360, 560)], fill=(246, 242, 236, 235))
        cup.polygon([(330, 400), (560, 372), (580, 560), (360, 560)], fill=(222, 136, 52, 230))
        cup.ellipse((280, 320, 410, 570), fill=(252, 250, 247, 255))
        cup.ellipse((304, 350, 394, 545), fill=(205, 112, 30, 255))
        cup.ellipse((780, 236, 880, 562), fill=(232, 226, 218, 255))
        cup.rounded_rectangle((560, 350, 720, 500), 18, fill=(15, 118, 110, 235))
        cup.line((300, 430, 120, 350), fill=(15, 118, 110, 255), width=16)
    with _layer(picture, 3) as slices:
        for left, top in ((150, 540), (300, 590), (90, 590)):
            slices.pieslice((left, top, left + 110, top + 64), 200, 380, fill=(244, 176, 66, 255))
    out = BytesIO()
    picture.filter(ImageFilter.GaussianBlur(0.8)).save(out, "JPEG", quality=88)
    return out.getvalue()


@contextmanager
def _layer(picture: Image.Image, blur: float) -> Iterator[Any]:
    """Draw on a sheet of its own, soft at its edges, and lay it on the picture."""
    sheet = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    yield ImageDraw.Draw(sheet)
    soft = sheet.filter(ImageFilter.GaussianBlur(blur))
    picture.paste(soft, (0, 0), soft)


async def main(names: list[str]) -> None:
    """Make the pictures of these names, or all."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{folder}/demo.db"
        secret = secrets.token_urlsafe(32)
        store = open_store(url, seal=Seal(secret))
        await schema.migrate(store)
        async for step in seed(store):
            say(step)
        port = free_port()
        settings = Settings(_env_file=None, database_url=url, secret_key=secret, port=port)  # type: ignore[call-arg]
        app = App(settings, store, demo=True)
        await app.start()
        try:
            async with chromium() as browser:
                for name, make in PICTURES.items():
                    if names and name not in names:
                        continue
                    studio = Studio(store, settings.base_url, browser)
                    first = await store.read(shops.first)
                    assert first is not None
                    studio.shop = first.id
                    for made, picture in (await make(studio)).items():
                        say(f"{made}.png {save(picture, FOLDER / f'{made}.png') // 1000} kB")
        finally:
            await app.stop()
            await store.close()


def say(line: str) -> None:
    print(line)  # noqa: T201  # a script's own voice


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
