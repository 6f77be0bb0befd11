"""The desk in headless Chromium: the palette over everything, requests linked, parted and made one, fields, macros, voice and albums."""

import wave
from collections.abc import AsyncIterator
from functools import partial
from io import BytesIO

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect
from sqlalchemy.orm import Session

from loyalty.customers import customers
from store import media, staff
from store.media import File
from store.staff import Role
from support import fields, messages, tags, tickets
from support.answers import articles, macros
from support.answers.articles import Wording
from support.answers.macros import Action, Do, Draft
from tests.browsing import SAID, Desk, chromium, photo, sign_in, window
from tests.running import Running, running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module")
async def house(sqlite_url: str) -> AsyncIterator[Running]:
    async with running(sqlite_url) as started:
        yield started


def silence(seconds: int) -> bytes:
    out = BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(8_000)
        sound.writeframes(b"\x80" * 8_000 * seconds)
    return out.getvalue()


async def do(page: Page, what: str) -> None:
    """Something by its name in the palette, with keys alone."""
    await page.keyboard.press("Control+k")
    await page.keyboard.type(what)
    chosen = page.locator("#palette-list [aria-selected=true]")
    await expect(chosen).to_contain_text(what)
    await page.keyboard.press("Enter")


async def test_a_request_is_found_filed_answered_parted_and_made_one(house: Running) -> None:
    store, shop = house.store, house.shop_id
    boss = await store.read(staff.get, await store.write(staff.add, "Chủ Quán", Role.MANAGER, shop))
    lan = await store.write(customers.create, name="Trần Thị Lan", phone="+84903123456", home_shop_id=shop)
    first = (await store.write(tickets.begin, lan, shop)).id
    second = (await store.write(tickets.begin, lan, shop)).id
    for number, text in (
        (first, "Ly trà đào bị vỡ"),
        (first, "Quán có giao buổi tối không?"),
        (second, "Đây là ảnh cái ly"),
    ):
        await store.write(partial(messages.customer_says, text=text), number)
    heard, seen = silence(60), [photo(colour=colour) for colour in ("#8B5E3C", "#2F6F9F")]

    def sends(session: Session) -> None:
        sha = media.keep(session, heard, "audio/wav")
        voice = File("voice", "audio/wav", "", len(heard), seconds=60, sha=sha)
        messages.customer_says(session, second, files=[voice])
        for picture in seen:
            sha = media.keep(session, picture, "image/jpeg", 640, 480)
            part = File("photo", "image/jpeg", "anh.jpg", len(picture), 640, 480, sha=sha)
            messages.customer_says(session, second, files=[part], group_id="album-1")

    await store.write(sends)
    await store.write(fields.add, shop, boss, "Số bàn", "text")
    says = {"vi": "Dạ {name} ơi, quán gửi lại ly vỡ ngay ạ"}
    await store.write(macros.create, shop, Draft("Đổi ly", says, (Action(Do.TAG, "vỡ ly"),)), boss)
    wording = Wording({"vi": "Ly vỡ thì sao"}, {"vi": "Ly vỡ được đổi **ngay**."})
    await store.write(partial(articles.create, publish=True), shop, wording, boss)

    async with chromium() as browser, window(browser, house.url) as page:
        link = await store.write(staff.make_link, boss.id, "login")
        await sign_in(page, f"/login/{link}")
        await page.goto(f"/desk/{first}")
        desk = Desk(page, 1280)
        await expect(desk.lines.filter(has_text="Ly trà đào")).to_be_visible()

        # The palette finds everything, by kind; arrows go over the headings.
        await page.keyboard.press("Control+k")
        await page.keyboard.type("ly vo")
        await expect(page.locator("#palette-list .heading")).to_have_text(
            [SAID(one) for one in ("Requests", "Messages and notes", "Macros", "Articles")]
        )
        await page.keyboard.press("ArrowUp")
        await expect(page.locator("#palette-list [aria-selected=true]")).to_contain_text("Ly vỡ thì sao")
        await page.keyboard.press("Enter")
        await expect(page.locator("#words")).to_have_value("Ly vỡ được đổi ngay.")
        await page.locator("#words").fill("")
        await page.locator("#words").press("Escape")

        # A macro says and does.
        await do(page, "Đổi ly")
        await page.locator("#sheet .main").click()
        await expect(desk.lines.filter(has_text="quán gửi lại ly vỡ ngay")).to_be_visible()
        await expect(page.locator("#thread-facts")).to_contain_text("#vỡ ly")

        # A field of the shop's own, and a link with another request.
        field = page.get_by_label("Số bàn")
        await field.fill("12")
        await field.press("Enter")
        await page.locator("#new-link").fill(f"#{second}")
        await page.locator("#new-link").press("Enter")
        await expect(page.locator(".linked")).to_contain_text(f"#{second}")
        await expect(page.get_by_label("Số bàn")).to_have_value("12")

        # A part goes on by itself, under a number of its own.
        await do(page, SAID("Have a part go on by itself"))
        await page.locator("#sheet label").filter(has_text="buổi tối").click()
        await page.locator("#sheet .main").click()
        await expect(desk.lines.filter(has_text="Ly trà đào")).to_have_count(0)
        await expect(desk.lines.filter(has_text="buổi tối")).to_be_visible()

        # The other one becomes a part of the first; its voice and its album play on there.
        await page.goto(f"/desk/{second}")
        await expect(page.locator("#log .sound")).to_be_visible()
        await do(page, SAID("Make it a part of another"))
        await page.locator("#sheet label").filter(has_text=f"#{first}").click()
        await page.locator("#sheet .main").click()
        await expect(page).to_have_url(f"{house.url}/desk/{first}")
        await expect(desk.lines.filter(has_text="Ly trà đào")).to_be_visible()
        sound = page.locator("#log .sound")
        await sound.get_by_role("button").first.click()
        await expect(sound.locator("audio")).to_have_js_property("paused", False)
        await expect(sound.locator("audio")).to_have_js_property("duration", 60)
        # What follows joins its bubble, which is drawn anew; the voice plays on.
        voice = await sound.locator("audio").element_handle()
        await store.write(partial(messages.customer_says, text="Bạn nghe giúp mình"), first)
        await expect(desk.lines.filter(has_text="nghe giúp")).to_be_visible()
        await expect(sound.locator("audio")).to_have_js_property("paused", False)
        assert await sound.locator("audio").evaluate("(now, then) => now === then", voice)
        album = page.locator("#log .album img")
        await expect(album).to_have_count(2)
        for at in range(2):
            await album.nth(at).evaluate("image => image.decode()")
    assert (await store.read(tickets.get, second)).merged_into == first
    assert (await store.read(tags.of, [first]))[first] == ["vỡ ly"]
    assert [one.value for one in await store.read(fields.of, first, shop)] == ["12"]
