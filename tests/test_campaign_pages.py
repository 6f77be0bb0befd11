"""The console's campaigns over HTTP and the running program: composed, let go, watched, reported; and how they are compared."""

import io
import re
import zipfile
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import aiohttp
import pytest
import pytest_asyncio
from PIL import Image
from sqlalchemy import select

from loyalty.outreach import deliveries
from loyalty.outreach.campaigns import best_hours, campaigns
from loyalty.outreach.campaigns.comparing import difference
from loyalty.outreach.campaigns.freezing import variant
from store import notices, staff
from store.clock import SetClock
from store.staff import Role
from tests.chatting import customer_of, open_shop, put_order, quiet, settled_person
from tests.conftest import NOON
from tests.running import Running, until


class Reader:
    """Somebody of the team in their browser."""

    def __init__(self, shop: Running, http: aiohttp.ClientSession) -> None:
        self.shop, self.http, self.csrf = shop, http, ""

    async def get(self, path: str) -> tuple[int, str]:
        async with self.http.get(self.shop.url + path) as answer:
            text = await answer.text()
        self.csrf = (re.findall(r'name="csrf" value="([^"]+)"', text) or [self.csrf])[0]
        return answer.status, text

    async def post(self, path: str, **form: str) -> tuple[int, str, str]:
        """Status, page, and where it ended."""
        async with self.http.post(self.shop.url + path, data={"csrf": self.csrf, **form}) as answer:
            return answer.status, await answer.text(), answer.url.path

    async def signed_in(self, name: str, role: Role) -> "Reader":
        number = await self.shop.store.write(staff.add, name, role, self.shop.shop_id)
        token = await self.shop.store.write(staff.make_link, number, "login", "/shop")
        await self.get(f"/login/{token}")
        await self.post(f"/login/{token}")
        await self.get("/shop")
        return self

    async def write(self, **form: str) -> int:
        status, page, path = await self.post(
            "/shop/campaigns", **({"name": "Thử", "purpose": "care", "text_vi": "Chào {{ name }}!"} | form)
        )
        assert status == 200, re.findall(r'class="error"[^>]*>.*?</span>', page)
        return int(path.rpartition("/")[2])


@pytest_asyncio.fixture
async def owner(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Reader]:
    async with open_shop(sqlite_template, tmp_path, SetClock(NOON)) as shop, session() as http:
        yield await Reader(shop, http).signed_in("Hoa", Role.OWNER)


def session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))


async def state(owner: Reader, number: int) -> str:
    return (await owner.shop.store.read(campaigns.get, number)).state


async def test_pictures_and_buttons_are_composed_and_shown_as_they_will_be(owner: Reader) -> None:
    lan = await settled_person(owner.shop, first_name="Lan")
    await owner.get("/shop/campaigns/new")
    buttons = {"button_1_kind": "link", "button_1_vi": "Thực đơn", "button_1_url": "https://pho.example/menu"}
    # What is wrong stands at its field, in the row where it was written.
    for wrong, field in ({"button_1_vi": ""}, "button_1_vi"), ({"button_1_url": "pho"}, "button_1_url"):
        form = {"name": "Thử", "purpose": "care", "text_vi": "x"} | buttons | wrong
        status, page, _ = await owner.post("/shop/campaigns", **form)
        assert (status, f'id="f-{field}-said"' in page) == (422, True)
    # Long words are neither cut nor kept from who can send them.
    words = "Món mới! " + "a" * 2_500
    number = await owner.write(text_vi=words, **buttons)
    for nth in range(2):
        form_data = aiohttp.FormData()
        form_data.add_field("picture", png(), filename=f"{nth}.png", content_type="image/png")
        headers = {"X-CSRF-Token": owner.csrf}
        async with owner.http.post(
            f"{owner.shop.url}/shop/campaigns/{number}/pictures", data=form_data, headers=headers
        ) as sent:
            assert sent.status == 204
    path = f"/shop/campaigns/{number}/pictures/1"
    async with owner.http.get(owner.shop.url + path) as shown:
        assert (shown.status, shown.content_type) == (200, "image/jpeg")
    _, page = await owner.get(f"/shop/campaigns/{number}")
    assert re.findall(r'class="phone-pictures">(.*?)</div>', page)[0].count("<img") == 2
    assert "<span>Thực đơn</span>" in page
    # A test comes as customers get it, to the reader alone.
    hoa = owner.shop.api.user(first_name="Hoa")
    (member,) = await owner.shop.store.read(staff.find, "Hoa")
    token = await owner.shop.store.write(staff.make_link, member.id, "bind")
    await owner.shop.store.write(staff.bind, "telegram:42", hoa.id, token)
    assert (await owner.post(f"/shop/campaigns/{number}/test"))[0] == 200
    await until(lambda: any(words in text for text in hoa.texts))
    assert [len(m.get("photo", [])) > 0 for m in hoa.inbox] == [True, True, False]
    assert not [text for text in lan.texts if words in text]
    assert (await owner.post(path, csrf=owner.csrf))[0] == 204
    await owner.post(f"/shop/campaigns/{number}/approve")
    await done(owner, number)
    photo, text = [m for m in lan.inbox if "photo" in m or m.get("text") == words][-2:]
    assert ("photo" in photo, text["text"]) == (True, words)


def png() -> io.BytesIO:
    content = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(content, "PNG")
    content.seek(0)
    return content


async def done(owner: Reader, number: int) -> None:
    while await state(owner, number) != "done":
        await quiet(owner.shop)


async def test_what_is_composed_shows_its_effect_and_goes_out_once(owner: Reader) -> None:
    lan = await settled_person(owner.shop, first_name="Lan")
    await settled_person(owner.shop, first_name="Huy")
    status, page = await owner.get("/shop/campaigns/new")
    assert status == 200
    form = {"purpose": "care", "text_vi": "Chào {{ name }}, {{ points }} điểm"}
    status, effect, _ = await owner.post("/shop/campaigns/effect", **form)
    assert status == 200
    assert "Gửi cho 2 khách, chưa đến một phút, không thu phí" in effect
    assert re.search(r'id="fits" hx-swap-oob="innerHTML">\s*2 khách sẽ nhận', effect)
    assert "Chào Huy, 0 điểm" in effect
    # What it costs stands there too.
    for prices, line in (
        ({"price_telegram": "1.500"}, "3.000\u00a0₫"),
        ({"price_telegram": "0", "paid": "on"}, "không thu phí"),
    ):
        assert (await owner.post("/shop/manners/costs", **prices))[0] == 200
        _, effect, _ = await owner.post("/shop/campaigns/effect", **form)
        assert f"Gửi cho 2 khách, chưa đến một phút, {line}." in effect
    assert (await owner.post("/shop/manners/costs", price_telegram="2,5"))[0] == 422
    # Nobody agreed to offers: that is said before anything is sent.
    _, effect, _ = await owner.post("/shop/campaigns/effect", **form | {"purpose": "advertising"})
    assert "chưa đồng ý nhận ưu đãi" in effect
    number = await owner.write(**form)
    assert (await state(owner, number), [text for text in lan.texts if "điểm" in text and "Chào Lan" in text]) == (
        "draft",
        [],
    )
    status, page, _ = await owner.post(
        f"/shop/campaigns/{number}", **form | {"name": "Đổi", "text_vi": "Xin {{ nmae }}"}
    )
    assert (status, "“nmae”" in page) == (422, True)
    await owner.post(f"/shop/campaigns/{number}", **form | {"name": "Đổi", "text_vi": "Xin chào {{ name }}"})
    for _ in range(2):
        assert (await owner.post(f"/shop/campaigns/{number}/approve"))[0] == 200
    await done(owner, number)
    assert sum("Xin chào Lan" in text for text in lan.texts) == 1
    await put_order(owner.shop, "HD-1", 65_000, customer_id=(await customer_of(owner.shop, lan)).id)
    status, page = await owner.get(f"/shop/campaigns/{number}")
    assert status == 200
    assert "65.000" in page
    async with owner.http.get(f"{owner.shop.url}/shop/campaigns/{number}.xlsx") as answer:
        book = zipfile.ZipFile(io.BytesIO(await answer.read()))
    assert b"Lan" in book.read("xl/sharedStrings.xml")
    assert (await owner.post(f"/shop/campaigns/{number}", **form | {"name": "Zu spät"}))[0] == 409


def proposal(page: tuple[int, str]) -> dict[str, str]:
    """What a second person has before them."""
    return {"read": re.findall(r'name="read" value="([^"]+)"', page[1])[0]}


async def test_a_large_one_needs_a_second_person(owner: Reader) -> None:
    for name in ("Lan", "Huy"):
        await settled_person(owner.shop, first_name=name)
    await owner.post("/shop/campaigns/second", second_over="1")
    number = await owner.write()
    for _ in range(2):
        await owner.post(f"/shop/campaigns/{number}/approve")
    assert await state(owner, number) == "proposed"
    assert "đồng nghiệp" in (await owner.get(f"/shop/campaigns/{number}"))[1]
    assert f"/shop/campaigns/{number}" not in (await owner.get("/shop"))[1]
    async with session() as http:
        manager = await Reader(owner.shop, http).signed_in("Minh", Role.MANAGER)
        assert (await manager.post("/shop/campaigns/second", second_over=""))[0] == 403
        # It stands on today's list of who may decide; they see what it would do, and a no wants a why.
        assert f"/shop/campaigns/{number}" in (await manager.get("/shop"))[1]
        _, page = await manager.get(f"/shop/campaigns/{number}")
        assert "Gửi cho 2 khách" in page
        assert "Chào Huy!" in page
        await manager.post(f"/shop/campaigns/{number}/refuse", refusal="  ")
        assert await state(owner, number) == "proposed"
        await manager.post(f"/shop/campaigns/{number}/refuse", refusal="Sai giá rồi")
        assert await state(owner, number) == "draft"
        # A page that watches it hears of it, and who wrote it reads why, until they ask once more.
        async with owner.http.get(f"{owner.shop.url}/shop/campaigns/{number}/progress?was=proposed") as answer:
            assert answer.headers["HX-Refresh"] == "true"
        for path in ("", f"/{number}"):
            assert ("Sai giá rồi" if path else "Cần sửa lại") in (await owner.get(f"/shop/campaigns{path}"))[1]
        await owner.post(f"/shop/campaigns/{number}/approve")
        assert (await owner.shop.store.read(campaigns.get, number)).refusal is None
        await owner.post(f"/shop/campaigns/{number}/refuse")
        assert await state(owner, number) == "draft"
        # What is approved is what was read: a page of before it was changed sends nothing.
        await owner.post(f"/shop/campaigns/{number}/approve")
        old = proposal(await manager.get(f"/shop/campaigns/{number}"))
        await owner.post(f"/shop/campaigns/{number}/refuse")
        _, page, _ = await manager.post(f"/shop/campaigns/{number}/approve", **old)
        assert "đã đổi" in page
        assert await state(owner, number) == "draft"
        clock = owner.shop.store.clock
        assert isinstance(clock, SetClock)
        clock.advance(timedelta(seconds=1))
        await owner.post(f"/shop/campaigns/{number}/approve")
        await manager.post(f"/shop/campaigns/{number}/approve", **old)
        assert await state(owner, number) == "proposed"
        await manager.post(
            f"/shop/campaigns/{number}/approve", **proposal(await manager.get(f"/shop/campaigns/{number}"))
        )
    await done(owner, number)
    (hoa,) = await owner.shop.store.read(staff.find, "Hoa")
    told = select(notices.NoticeRow.kind).where(notices.NoticeRow.staff_id == hoa.id)
    kinds = await owner.shop.store.read(lambda session: session.execute(told).scalars().all())
    assert kinds == ["campaign_refused", "campaign_approved"]
    # Small ones go as they did.
    await owner.post("/shop/campaigns/second", second_over="2")
    number = await owner.write()
    await owner.post(f"/shop/campaigns/{number}/approve")
    await done(owner, number)


async def test_at_night_it_is_said_that_advertising_leaves_in_the_morning(owner: Reader) -> None:
    clock = owner.shop.store.clock
    assert isinstance(clock, SetClock)
    number = await owner.write(purpose="advertising")
    assert "Gửi ngay." in (await owner.get(f"/shop/campaigns/{number}"))[1]
    clock.set(NOON.replace(hour=16))
    _, page = await owner.get(f"/shop/campaigns/{number}")
    assert "07:00 22/11/2026" in page
    assert "Gửi ngay." not in page


async def test_one_that_was_stopped_before_it_began_has_reached_nobody(owner: Reader) -> None:
    await settled_person(owner.shop, first_name="Lan")
    number = await owner.write(when="at", on="2026-11-30", at="09:00")
    await owner.post(f"/shop/campaigns/{number}/approve")
    while (await owner.shop.store.read(campaigns.get, number)).frozen_at is None:
        await quiet(owner.shop)
    await owner.post(f"/shop/campaigns/{number}/stop")
    while "chưa tới lượt thì đã dừng" not in (await owner.get(f"/shop/campaigns/{number}"))[1]:
        await quiet(owner.shop)
    assert "0 trên 1" in (await owner.get(f"/shop/campaigns/{number}"))[1]


async def test_only_those_with_whom_it_failed_hear_it_again(owner: Reader) -> None:
    lan, huy = [await settled_person(owner.shop, first_name=name) for name in ("Lan", "Huy")]
    await quiet(owner.shop)
    owner.shop.api.fault("sendMessage", lan.id, kind="error", code=400, text="Bad Request: no")
    number = await owner.write(text_vi="Nghe nhé")
    await owner.post(f"/shop/campaigns/{number}/approve")
    await done(owner, number)

    def heard() -> list[int]:
        return [sum(text == "Nghe nhé" for text in person.texts) for person in (lan, huy)]

    assert heard() == [0, 1]
    assert "Bad Request: no" in (await owner.get(f"/shop/campaigns/{number}"))[1]
    await owner.post(f"/shop/campaigns/{number}/retry")
    await until(lambda: heard() == [1, 1])
    await done(owner, number)
    await owner.post(f"/shop/campaigns/{number}/retry")
    await quiet(owner.shop)
    assert heard() == [1, 1]


async def test_each_half_hears_its_own_words(owner: Reader) -> None:
    people = [await settled_person(owner.shop, first_name=f"Khách{number}") for number in range(12)]
    number = await owner.write(text_vi="Lời một", text_b_vi="Lời hai", hold_out="20")
    await owner.post(f"/shop/campaigns/{number}/approve")
    await done(owner, number)
    campaign = await owner.shop.store.read(campaigns.get, number)
    for person in people:
        part = variant(campaign, (await customer_of(owner.shop, person)).id)
        heard = [text for text in person.texts if text in {"Lời một", "Lời hai"}]
        assert heard == {"A": ["Lời một"], "B": ["Lời hai"], "held_out": []}[part]
    # Nothing is compared before somebody has bought.
    _, page = await owner.get(f"/shop/campaigns/{number}")
    assert "Chưa ai trong hai nhóm mua" in page
    assert "Chưa biết được" not in page
    await put_order(owner.shop, "HD-1", 65_000, customer_id=(await customer_of(owner.shop, people[0])).id)
    assert "Chưa biết được" in (await owner.get(f"/shop/campaigns/{number}"))[1]
    # What stands on the page stands in the book too.
    await owner.post("/shop/campaigns/second", margin="60")
    async with owner.http.get(f"{owner.shop.url}/shop/campaigns/{number}.xlsx") as answer:
        words = zipfile.ZipFile(io.BytesIO(await answer.read())).read("xl/sharedStrings.xml").decode()
    assert all(one in words for one in ("Doanh thu tăng thêm so với nhóm giữ lại", "Lãi trong đó"))


async def test_pages_are_for_who_runs_the_shop(owner: Reader) -> None:
    number = await owner.write()
    async with session() as http:
        cashier = await Reader(owner.shop, http).signed_in("Thu", Role.CASHIER)
        for path in ("", "/new", f"/{number}", f"/{number}/progress", f"/{number}.xlsx"):
            assert (await cashier.get(f"/shop/campaigns{path}"))[0] in {403, 404}
        for path in ("", "/effect", f"/{number}", f"/{number}/approve", f"/{number}/test", f"/{number}/stop"):
            assert (await cashier.post(f"/shop/campaigns{path}", name="x"))[0] in {403, 404}
    owner.csrf = "wrong"
    assert (await owner.post(f"/shop/campaigns/{number}/approve"))[0] == 403
    assert await state(owner, number) == "draft"


# Newcombe, Statistics in Medicine 17 (1998) 873-890, table II, method 10.
@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((56, 70, 48, 80), 0.0524, 0.3339), ((9, 10, 3, 10), 0.1705, 0.8090), ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926), ((0, 10, 0, 20), -0.1611, 0.2775), ((0, 10, 0, 10), -0.2775, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0000), ((10, 10, 0, 10), 0.6075, 1.0000),
    ],
)  # fmt: skip
def test_the_interval_is_the_published_one(counts: tuple[int, int, int, int], low: float, high: float) -> None:
    found = difference(*counts)
    assert found is not None
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)
    assert found.sure == (low > 0)


def test_how_many_more_it_takes_is_enough_and_not_too_many() -> None:
    found = difference(12, 100, 8, 100)
    assert found is not None
    assert not found.sure
    assert found.more is not None
    times = (200 + found.more) / 200
    enough = difference(round(12 * times), round(100 * times), round(8 * times), round(100 * times))
    assert enough is not None
    assert enough.low > -0.005
    assert difference(5, 50, 10, 100) == difference(5, 50, 10, 100)
    alike = difference(5, 50, 10, 100)
    assert alike is not None
    assert (alike.more, alike.sure) == (None, False)
    assert difference(0, 0, 1, 2) is None


def test_the_best_hour_is_ones_own_only_where_it_is_known() -> None:
    allowed = list(range(7, 22))
    assert best_hours.best({8: 4}, {18: 30, 12: 10}, allowed) == 18
    assert best_hours.best({8: 4, 9: 1}, {18: 30, 12: 10}, allowed) == 8
    # Where two are alike the shop's week decides; an hour in which nothing may come never is.
    assert best_hours.best({8: 3, 18: 3}, {18: 30, 12: 10}, allowed) == 18
    assert best_hours.best({3: 9, 8: 1}, {18: 30}, allowed) == 8
    assert best_hours.best({}, {}, allowed) == 7


async def test_who_buys_in_the_evening_hears_it_in_the_evening(owner: Reader) -> None:
    zone = ZoneInfo("Asia/Ho_Chi_Minh")
    lan, huy = [await settled_person(owner.shop, first_name=name) for name in ("Lan", "Huy")]
    number = (await customer_of(owner.shop, lan)).id
    evening = datetime(2026, 11, 20, 19, 30, tzinfo=zone)
    for week in range(6):
        await put_order(owner.shop, f"L{week}", 50_000, customer_id=number, at=evening - timedelta(weeks=week))
    for nth in range(9):
        await put_order(owner.shop, f"S{nth}", 50_000, at=datetime(2026, 11, 16, 8, nth, tzinfo=zone))
    campaign = await owner.write(text_vi="Đúng giờ", when="best")
    await owner.post(f"/shop/campaigns/{campaign}/approve")
    while await state(owner, campaign) != "sending":
        await quiet(owner.shop)
    assert (await owner.get(f"/shop/campaigns/{campaign}/progress"))[0] == 200
    d = deliveries.deliveries.c
    rows = await owner.shop.store.read(lambda session: session.execute(select(d.customer_id, d.due_at)).all())
    due = {row.customer_id: row.due_at for row in rows}
    assert due[number] == datetime(2026, 11, 27, 19, 0, tzinfo=zone)
    assert due[(await customer_of(owner.shop, huy)).id] == datetime(2026, 11, 23, 8, 0, tzinfo=zone)
    assert not any(text == "Đúng giờ" for person in (lan, huy) for text in person.texts)
