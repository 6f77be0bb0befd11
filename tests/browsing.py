"""Headless Chromium for the tests: windows of customers and staff on the running program, and what they do there."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO

import pytest
from PIL import Image, ImageDraw
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from handlers.words import words
from store import staff
from store.engine import Store
from store.staff import Role

ARGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
PHONE = 390
DESK = 1280
PATIENCE_MS = 10_000.0
SAID = words("vi")
"""What the pages say, so that a better wording breaks no test."""


def chromium_path() -> str:
    """Where Chromium is (REGULARS_CHROMIUM names another); without one the tests skip, except where CI=true: there they
    fail.
    """
    named = os.environ.get("REGULARS_CHROMIUM", "chromium")
    found = shutil.which(named)
    if found is None:
        why = f"there is no {named!r} to drive: install Debian's chromium, or name a Chromium in REGULARS_CHROMIUM"
        if os.environ.get("CI") == "true":
            pytest.fail(why, pytrace=False)
        pytest.skip(why)
    return found


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    path = chromium_path()
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ARGS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def window(browser: Browser, url: str, width: int = DESK, *, expected: str = "") -> AsyncIterator[Page]:
    """A browser of one person: a phone below 700 px, else a desk's. Whatever its console calls an error fails the test,
    save what holds the words `expected`.
    """
    hand = width < 700
    context = await browser.new_context(
        base_url=url, viewport={"width": width, "height": 800}, locale="vi-VN", timezone_id="Asia/Ho_Chi_Minh",
        is_mobile=hand, has_touch=hand, reduced_motion="reduce",
    )  # fmt: skip
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(f"{page.url}: {error}"))
    page.on("console", lambda said: troubles.append(f"{page.url}: {said.text}") if said.type == "error" else None)
    page.on("dialog", lambda dialog: troubles.append(f"{page.url} asks {dialog.message!r}"))
    try:
        yield page
    finally:
        await context.close()
    troubles = [one for one in troubles if not expected or expected not in one]
    assert not troubles, "\n".join(troubles)


def photo(width: int = 640, height: int = 480, colour: str = "#8B5E3C") -> bytes:
    """A photograph, as far as a test needs one."""
    picture = Image.new("RGB", (width, height), "#E9DFD2")
    ImageDraw.Draw(picture).ellipse((width // 4, height // 6, width * 3 // 4, height * 5 // 6), fill=colour)
    out = BytesIO()
    picture.save(out, "JPEG")
    return out.getvalue()


async def add_staff(store: Store, role: Role, shop_id: int | None, name: str = "Minh Anh") -> str:
    """Take somebody on; the path of their sign-in link."""
    member_id = await store.write(staff.add, name, role, shop_id)
    return f"/login/{await store.write(staff.make_link, member_id, 'login')}"


async def sign_in(page: Page, link: str) -> None:
    """By the link's form, as staff do."""
    await page.goto(link)
    await page.locator("form button[type=submit]").click()
    await page.wait_for_url(lambda url: "/login" not in url)


async def loaded(picture: Locator) -> None:
    """Wait until a picture is drawn, not only named."""
    await expect(picture).to_be_visible()
    await picture.evaluate("image => image.decode()")


class Chat:
    """The customer's page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.own = page.locator("#log .row.me")
        self.shop = page.locator("#log .row.shop")

    async def arrive(self) -> None:
        """Open the page and wait for the welcome and the question that follows it."""
        await self.page.goto("/chat")
        await expect(self.shop.nth(1)).to_be_visible()

    async def say(self, text: str) -> None:
        await self.page.locator("#words").fill(text)
        await self.page.locator("#send").click()

    async def send_photo(self, content: bytes, caption: str) -> None:
        await self.page.locator("#pick-photos").set_input_files(
            {"name": "anh.jpg", "mimeType": "image/jpeg", "buffer": content}
        )
        await self.page.locator("#caption").fill(caption)
        await self.page.locator("#preview [type=submit]").click()

    async def tap(self, words: str) -> None:
        """A button under the newest message that has it."""
        await self.page.locator("#log .buttons").get_by_role("button", name=words, exact=True).last.click()

    async def heard(self, words: str) -> Locator:
        """Wait for a message of the shop that holds the words."""
        row = self.shop.filter(has_text=words).last
        await expect(row).to_be_visible()
        return row

    async def told(self) -> list[str]:
        """The customer's own words as they stand there, in order."""
        return await self.own.locator(".words").all_inner_texts()


class Desk:
    """The agent's page; on a phone its panes are screens."""

    def __init__(self, page: Page, width: int) -> None:
        self.page = page
        self.folded = width < 1100
        self.lines = page.locator("#log .row")

    async def view(self, name: str) -> None:
        await self.page.locator(f"[data-view={name}]").click()

    async def open(self, words: str) -> None:
        """The ticket in the list that holds the words."""
        await self.page.locator("#tickets a.ticket").filter(has_text=words).click()
        await expect(self.page.locator("#one")).to_be_visible()

    async def write(self, text: str, kind: str = "reply", picture: bytes | None = None) -> None:
        await self.page.locator(f"[data-kind={kind}]").click()
        if picture:
            await self.page.locator("#pick").set_input_files(
                {"name": "ly-moi.jpg", "mimeType": "image/jpeg", "buffer": picture}
            )
            await expect(self.page.locator("#strip .thumb")).to_be_visible()
        await self.page.locator("#words").fill(text)
        await self.page.locator("#send").click()

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[Locator]:
        """The customer's pane, opened where it is a screen of its own, and left again."""
        if self.folded:
            await self.page.locator("#show-customer").click()
        pane = self.page.locator("#customer")
        await expect(pane).to_be_visible()
        yield pane
        if self.folded:
            await self.page.locator(".customer-pane [data-back]").click()
            await expect(self.page.locator("#one")).to_be_visible()


class Till:
    """The cashier's page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def find(self, who: str) -> None:
        await self.page.locator("#query").fill(who)
        await self.page.locator("#finder button.main").click()
        await expect(self.page.locator("#sale")).to_be_visible()

    async def enter(self, amount: str) -> None:
        """By the keypad, as a thumb does: 85000 is 8, 5, 000."""
        while amount:
            key = "000" if amount.startswith("000") else amount[0]
            await self.page.locator(f"#keypad [data-key='{key}']").click()
            amount = amount.removeprefix(key)

    async def go_on(self) -> None:
        await self.page.locator("#go-on").click()
        await expect(self.page.locator("#confirm-sheet")).to_be_visible()

    async def collect(self) -> None:
        await self.page.locator("#sell").click()
        await expect(self.page.locator("#done")).to_be_visible()
