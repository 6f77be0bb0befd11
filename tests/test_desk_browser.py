"""The desk in headless Chromium: two agents at one ticket, a line that breaks, keys alone, and every word's way to the customer."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect

from loyalty.customers import customers
from store import staff
from store.staff import Role
from support import handling, messages, tickets
from tests.botapi.people import Person
from tests.browsing import DESK, PHONE, SAID, Desk, add_staff, chromium, sign_in, window
from tests.running import Running, running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
GONE = "Failed to load resource"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def house(sqlite_url: str) -> AsyncIterator[Running]:
    async with running(sqlite_url) as started:
        yield started


async def asks(house: Running, text: str, name: str = "Trần Thị Lan") -> int:
    """A ticket of somebody who is on no messenger."""
    customer = await house.store.write(customers.create, name=name, home_shop_id=house.shop_id)
    async with house.store.work() as work:
        ticket = (await work.write(tickets.open_or_join, customer, house.shop_id)).ticket.id
        await work.write(messages.customer_says, ticket, text=text)
        return ticket


async def lan_asks(house: Running) -> tuple[int, Person]:
    """A ticket of somebody on Telegram."""
    lan = house.api.user(first_name="Lan", last_name="Trần")
    await lan.start()
    await lan.wait_for(lambda m: "Phố Cafe" in m["text"])
    await lan.send("/support")
    await lan.wait_for(lambda m: m.get("reply_markup"))
    await lan.send("Ly trà đào bị vỡ")
    identity = None
    while identity is None or not (mine := await house.store.read(tickets.tickets_of, identity.customer_id)):
        identity = await house.store.read(customers.identify, house.app.telegram.account, lan.id)
        await asyncio.sleep(0.02)
    return mine[0].id, lan


async def open_desk(page: Page, link: str, width: int, ticket: int) -> Desk:
    await sign_in(page, link)
    await page.goto(f"/desk/{ticket}")
    await expect(page.locator("#one")).to_be_visible()
    return Desk(page, width)


@pytest.mark.parametrize("width", [DESK, PHONE])
async def test_two_agents_at_one_ticket_see_each_other(browser: Browser, house: Running, width: int) -> None:
    ticket = await asks(house, "Ly trà đào bị vỡ khi giao tới")
    links = [await add_staff(house.store, Role.AGENT, house.shop_id, name) for name in ("Ngô Minh Anh", "Lý Hoà")]
    async with window(browser, house.url, width) as page, window(browser, house.url, width) as other:
        minh, hoa = await open_desk(page, links[0], width, ticket), await open_desk(other, links[1], width, ticket)
        await expect(page.locator("#faces .faces")).to_have_attribute(
            "aria-label", SAID("{name} is looking at this", name="Lý Hoà")
        )
        await other.locator("#words").press_sequentially("Dạ em gửi")
        await expect(page.locator("#writing")).to_have_text(SAID("{name} is writing…", name="Lý Hoà"))

        # Both answer: who comes second is told before it goes, once.
        await page.locator("#words").fill("Dạ em đổi ly khác ngay ạ")
        await other.locator("#send").click()
        await expect(minh.lines.filter(has_text="Dạ em gửi")).to_be_visible()
        await expect(page.locator("#writing")).to_be_hidden()
        await page.locator("#send").click()
        await expect(page.locator("#crossed")).to_contain_text("Lý Hoà")
        await expect(minh.lines.filter(has_text="đổi ly khác")).to_have_count(0)
        await page.locator("#send").click()
        await expect(hoa.lines.filter(has_text="đổi ly khác")).to_be_visible()

        # A note calls a colleague by name; her list shows it until she has read it.
        if width == PHONE:
            await other.locator("#one [data-back]").click()
            await hoa.view("open")
        else:
            await other.goto("/desk")
            await hoa.view("open")
        await page.locator("[data-kind=note]").click()
        await page.locator("#words").press_sequentially("Nhờ @ho")
        await page.locator("#mentions li").click()
        await expect(page.locator("#words")).to_have_value("Nhờ @Lý Hoà ")
        await page.locator("#words").press_sequentially("xem giúp")
        await page.locator("#send").click()
        mark = other.locator("#tickets").get_by_label(SAID("You are called in a note"))
        await expect(mark).to_be_visible()
        await hoa.open("Trần Thị Lan")
        await expect(other.locator(".called.me")).to_have_text("@Lý Hoà")
        await expect(mark).to_have_count(0)
        await expect(page.locator("#faces .faces")).to_be_visible()
        await other.goto("/desk")
        await expect(page.locator("#faces .faces")).to_have_count(0)
        await expect(mark).to_have_count(0)


async def test_a_draft_is_there_on_the_next_device(browser: Browser, house: Running) -> None:
    ticket = await asks(house, "Quán mở cửa đến mấy giờ?")
    member = await add_staff(house.store, Role.AGENT, house.shop_id, "Minh Anh")
    async with window(browser, house.url) as page:
        await open_desk(page, member, DESK, ticket)
        await page.locator("#words").fill("Dạ quán mở đến")
        await page.locator("[data-kind=note]").click()
        async with page.expect_response(
            lambda answer: answer.url.endswith("/draft") and "note" in (answer.request.post_data or "")
        ):
            await page.locator("#words").fill("khách hay tới muộn")
        # Another device knows nothing but what the server keeps.
        await page.evaluate("localStorage.clear()")
        await page.reload()
        await expect(page.locator("#words")).to_have_value("Dạ quán mở đến")
        await page.locator("[data-kind=note]").click()
        await expect(page.locator("#words")).to_have_value("khách hay tới muộn")
        await page.locator("[data-kind=reply]").click()
        await page.locator("#send").click()
        await expect(page.locator("#words")).to_have_value("")
        await page.goto("/desk")
        await page.locator("[data-view=open]").click()
        await expect(page.locator("#tickets .draft")).to_have_text(SAID("A draft of yours"))
        await page.goto(f"/desk/{ticket}")
        await expect(page.locator("#words")).to_have_value("khách hay tới muộn")


async def test_every_word_tells_how_it_fares(browser: Browser, house: Running) -> None:
    ticket, lan = await lan_asks(house)
    link = await add_staff(house.store, Role.AGENT, house.shop_id, "Minh Anh")
    async with window(browser, house.url) as page:
        desk = await open_desk(page, link, DESK, ticket)
        house.api.fault("sendMessage", lan.id, kind="error", text="Bad Request: message is nonsense")
        await desk.write("Dạ em xin lỗi chị")
        own = desk.lines.filter(has_text="Dạ em xin lỗi chị")
        await expect(own.locator(".trouble")).to_contain_text("message is nonsense")
        await own.locator(".trouble button").click()
        await lan.wait_for(lambda m: "Dạ em xin lỗi chị" in m.get("text", ""))
        await expect(own.locator(".trouble")).to_have_count(0)
        await expect(own.locator(".meta")).to_contain_text(SAID("Delivered"))

        house.api.fault("sendMessage", lan.id, kind="cut")
        await desk.write("Ly mới đang tới")
        cut = desk.lines.filter(has_text="Ly mới đang tới")
        await expect(cut.locator(".trouble.unknown")).to_contain_text(
            SAID("The messenger broke off, so it may or may not have arrived. Sending again may show it twice.")
        )

        # Reworded, reacted to, answered in particular, taken away: on both sides.
        await own.locator(".bubble").hover()
        await own.locator(".grip").click()
        await page.get_by_role("menuitem", name=SAID("Change the words")).click()
        await page.locator("#edit-words").fill("Dạ em xin lỗi chị Lan")
        await page.locator("#edit .main").click()
        await expect(desk.lines.filter(has_text="Dạ em xin lỗi chị Lan").locator(".edits")).to_be_visible()
        await house.api.wait_calls(1, method="editMessageText")

        hers = desk.lines.filter(has_text="Ly trà đào bị vỡ").first
        await hers.locator(".bubble").click(button="right")
        await page.get_by_role("menuitemradio", name="🙏").click()
        await expect(hers.locator(".reaction")).to_have_text("🙏")
        await house.api.wait_calls(1, method="setMessageReaction")

        await hers.locator(".bubble").click(button="right")
        await page.get_by_role("menuitem", name=SAID("Answer this message")).click()
        await expect(page.locator("#about")).to_contain_text("Ly trà đào bị vỡ")

        # The stream may bring what was sent before the sending itself is answered: it stands there once all the while.
        async def slowly(route: Route) -> None:
            answer = await route.fetch()
            await expect(page.locator("#log .row[id^=line-]").filter(has_text="Em gửi lại ly này")).to_have_count(1)
            await expect(desk.lines.filter(has_text="Em gửi lại ly này")).to_have_count(1, timeout=500)
            await route.fulfill(response=answer)

        await page.route("**/reply", slowly, times=1)
        await desk.write("Em gửi lại ly này nhé")
        quoting = desk.lines.filter(has_text="Em gửi lại ly này")
        await expect(quoting.locator(".quote")).to_contain_text("Ly trà đào bị vỡ")
        told = await lan.wait_for(lambda m: "Em gửi lại ly này" in m.get("text", ""))
        assert told["reply_to_message"]["text"] == "Ly trà đào bị vỡ"

        await expect(quoting.locator(".meta")).to_contain_text(SAID("Delivered"))
        await quoting.locator(".bubble").click(button="right")
        await page.get_by_role("menuitem", name=SAID("Take it away")).click()
        await page.locator("#ask [value=yes]").click()
        await expect(desk.lines.locator(".gone-words")).to_be_visible()
        await house.api.wait_calls(1, method="deleteMessage")


async def test_what_happens_while_the_line_is_down_is_there_when_it_is_back(browser: Browser, house: Running) -> None:
    ticket = await asks(house, "một")
    link = await add_staff(house.store, Role.AGENT, house.shop_id, "Minh Anh")
    async with window(browser, house.url, PHONE, expected=GONE) as page:
        desk = await open_desk(page, link, PHONE, ticket)
        await page.context.set_offline(True)
        # A stream that is open stays open for Chromium's switch: the page is told as the device would tell it.
        await page.evaluate("dispatchEvent(new Event('offline'))")
        await expect(page.locator("#banner")).to_have_text(SAID("Connection lost, trying again…"))
        await desk.write("Dạ em đây")
        await expect(page.locator("#log .trouble")).to_be_visible()
        await house.store.write(messages.customer_says, ticket, text="hai")
        await house.store.write(messages.customer_says, ticket, text="ba")
        await page.context.set_offline(False)
        await expect(page.locator("#banner")).to_be_hidden()
        await expect(page.locator("#log .row.shop .words")).to_have_text(["một", "hai", "ba"])
        await expect(page.locator("#log .row.me .words")).to_have_text(["Dạ em đây"])
        await expect(page.locator("#log .trouble")).not_to_contain_text(SAID("This hasn't left your browser."))


async def test_by_keys_alone(browser: Browser, house: Running) -> None:
    first = await asks(house, "Ly trà đào bị vỡ")
    await asks(house, "Quán mở cửa đến mấy giờ?", "Lê Quốc Anh")
    link = await add_staff(house.store, Role.AGENT, house.shop_id, "Minh Anh")
    async with window(browser, house.url) as page:
        await sign_in(page, link)
        keys = page.keyboard
        await page.goto("/desk")
        await expect(page.locator("#tickets")).not_to_have_attribute("aria-busy", "true")
        await keys.press("3")
        await expect(page.locator("#tickets a.ticket")).to_have_count(2)
        await keys.press("?")
        await expect(page.locator("#keys")).to_contain_text(SAID("Put aside until …"))
        await keys.press("Escape")

        # The palette finds a request by words without marks, and what can be done with it.
        await keys.press("Control+k")
        await keys.type("tra dao")
        await expect(page.locator("#palette-list [aria-selected=true]")).to_contain_text("Trần Thị Lan")
        await keys.press("Enter")
        await expect(page.locator("#thread-name")).to_have_text("Trần Thị Lan")
        await expect(page.locator("#words")).to_be_focused()

        # While something is being typed, keys are letters.
        await keys.type("ae?")
        assert await page.locator("#words").input_value() == "ae?"
        assert (await house.store.read(tickets.get, first)).assignee_id is None
        await keys.press("Control+a")
        await keys.press("Delete")
        await keys.press("Escape")
        await keys.press("a")
        await expect(page.locator("#owner")).to_contain_text(SAID("Yours"))
        await keys.press("n")
        await keys.type("khách quen")
        await keys.press("Enter")
        await expect(page.locator("#log .row.aside[id^=line-]")).to_contain_text("khách quen")
        await keys.press("ArrowUp")
        await expect(page.locator("#edit-words")).to_have_value("khách quen")
        await keys.press("Escape")
        await keys.press("Escape")
        await keys.press("z")
        await expect(page.locator("#sheet")).to_contain_text(SAID("In an hour"))
        await keys.press("Enter")
        await expect(page.locator("#sheet")).to_be_hidden()
        await expect(page.locator("#thread-facts")).to_contain_text(SAID("Snoozed"))
        assert (await house.store.read(tickets.get, first)).state == "snoozed"
        await keys.press("j")
        await expect(page.locator("#thread-name")).to_have_text("Lê Quốc Anh")
        await page.locator("#thread-name").evaluate("document.activeElement.blur()")
        await keys.press("e")
        await expect(page.locator("#resolve")).to_have_text(SAID("Open again"))


async def test_a_filter_is_saved_and_what_changes_comes_and_goes(browser: Browser, house: Running) -> None:
    ticket = await asks(house, "Ly trà đào bị vỡ")
    link = await add_staff(house.store, Role.SUPERVISOR, house.shop_id, "Quang Dũng")
    async with window(browser, house.url) as page:
        await open_desk(page, link, DESK, ticket)
        await page.locator("#filter").click()
        sheet = page.locator("#sheet")
        await sheet.locator("label").filter(has_text=SAID("Urgent")).click()
        await sheet.locator("#view-name").fill("Gấp")
        await sheet.locator("#view-shop").select_option(str(house.shop_id))
        await sheet.locator("button.main").click()
        chip = page.locator("#chips .chip").filter(has_text="Gấp")
        await expect(chip).to_have_attribute("aria-pressed", "true")
        await expect(page.locator("#tickets .empty")).to_contain_text(SAID("Nothing fits"))
        await page.locator("#filed-priority").select_option("urgent")
        await expect(page.locator("#tickets a.ticket")).to_have_count(1)
        await expect(chip.locator(".count")).to_have_text("1")
        await page.locator("#filed-priority").select_option("normal")
        await expect(page.locator("#tickets a.ticket")).to_have_count(0)
        await page.locator("#new-tag").fill("vỡ ly")
        await page.locator("#new-tag").press("Enter")
        await expect(page.locator("#thread-facts")).to_contain_text("#vỡ ly")
        await expect(page.locator("#new-tag")).to_have_value("")
        await expect(page.locator("#new-tag")).to_be_focused()
        await page.locator("#filter").click()
        await sheet.locator("button.danger").click()
        await expect(chip).to_have_count(0)


EARS = """
    window.heard = { tones: 0, notes: [] };
    window.OscillatorNode = class {
      connect(to) { return to; }
      start() { window.heard.tones += 1; }
      stop() {}
    };
    window.GainNode = class {
      gain = { setValueAtTime() {}, linearRampToValueAtTime() {}, exponentialRampToValueAtTime() {} };
      connect() {}
    };
    window.Notification = class {
      static permission = "granted";
      constructor(title, { body }) { window.heard.notes.push(`${title}: ${body}`); }
    };
    let away = false;
    Object.defineProperty(document, "hidden", { get: () => away });
    document.hasFocus = () => !away;
    window.look = (yes) => {
      away = !yes;
      document.dispatchEvent(new Event("visibilitychange"));
    };
"""


async def test_it_rings_for_what_is_ours_and_not_for_what_is_before_our_eyes(browser: Browser, house: Running) -> None:
    ours, theirs = await asks(house, "một"), await asks(house, "hai", "Lê Quốc Anh")
    link = await add_staff(house.store, Role.AGENT, house.shop_id, "Minh Anh")
    hoa = await house.store.read(staff.get, await house.store.write(staff.add, "Lý Hoà", Role.AGENT, house.shop_id))
    await house.store.write(handling.claim, theirs, hoa)
    async with window(browser, house.url) as page:
        await page.add_init_script(EARS)
        desk = await open_desk(page, link, DESK, ours)

        # What is said while the list is on its way isn't forgotten with what the list didn't know yet.
        async def slowly(route: Route) -> None:
            answer = await route.fetch()
            await house.store.write(messages.customer_says, ours, text="một rưỡi")
            await expect(desk.lines.filter(has_text="một rưỡi")).to_be_visible()
            await route.fulfill(response=answer)

        await page.route("**/desk/tickets?*", slowly, times=1)
        async with page.expect_request_finished(lambda request: "/desk/tickets?" in request.url):
            await desk.view("open")
        await expect(page.locator("#tickets")).not_to_have_attribute("aria-busy", "true")
        await expect(page.locator("#tickets a.ticket").filter(has_text="một rưỡi")).to_be_visible()
        await page.locator("#me").click()
        await page.get_by_role("menuitem", name=SAID("Tell me in the browser when somebody writes")).click()

        async def rang(ticket: int, text: str) -> tuple[int, int]:
            """Tones and notifications so far, once the list shows what a customer says now."""
            await house.store.write(messages.customer_says, ticket, text=text)
            await expect(page.locator("#tickets a.ticket").filter(has_text=text)).to_be_visible()
            heard = await page.evaluate("[window.heard.tones, window.heard.notes.length]")
            return heard[0], heard[1]

        assert await rang(ours, "ba") == (0, 0), "it is before our eyes"
        await page.evaluate("window.look(false)")
        assert await rang(theirs, "bốn") == (0, 0), "it is a colleague's"
        assert await rang(ours, "năm") == (2, 1)
        assert await page.evaluate("window.heard.notes") == ["Trần Thị Lan: năm"]
        await page.evaluate("window.look(true)")
        await page.locator("#me").click()
        await page.get_by_role("menuitem", name=SAID("Turn the sound off")).click()
        async with page.expect_response(lambda answer: "/desk/events" in answer.url):
            await page.reload()
        await page.evaluate("window.look(false)")
        assert await rang(ours, "sáu") == (0, 1), "without a sound from now on"
