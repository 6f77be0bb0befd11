"""The console's pages of articles and macros, and the desk's search, over HTTP: who may, what they show, what they change."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio

from loyalty import programme
from loyalty.customers import customers
from store import staff
from store.clock import SetClock
from store.staff import Member, Role
from support import messages, tickets
from support.answers import articles, asking, macros
from support.answers.articles import Wording
from support.answers.macros import Draft
from tests.chatting import open_shop
from tests.conftest import NOON
from tests.running import Running

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Person:
    http: aiohttp.ClientSession
    url: str
    member: Member

    async def get(self, path: str) -> tuple[int, str]:
        async with self.http.get(self.url + path) as answer:
            return answer.status, await answer.text()

    async def post(self, path: str, csrf: bool = True, **form: str) -> tuple[int, str]:
        if csrf:
            _, page = await self.get("/desk" if path.startswith("/desk") else "/shop/articles")
            found = re.search(r'name="csrf" value="([^"]+)"', page) or re.search(r'"csrf": "([^"]+)"', page)
            form["csrf"] = found[1] if found else ""
        async with self.http.post(self.url + path, data=form) as answer:
            return answer.status, await answer.text()


@dataclass
class House:
    shop: Running
    people: dict[str, Person]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with open_shop(sqlite_template, tmp_path_factory.mktemp("house"), SetClock(NOON)) as running:
        far = await running.store.write(programme.open_shop, "Xa", timezone="Asia/Ho_Chi_Minh", language="vi")
        people: dict[str, Person] = {}
        for name, role, at in (("owner", Role.OWNER, running.shop_id), ("agent", Role.AGENT, running.shop_id),
                               ("cashier", Role.CASHIER, running.shop_id), ("stranger", Role.OWNER, far)):  # fmt: skip
            number = await running.store.write(staff.add, name, role, at)
            token = await running.store.write(staff.make_link, number, "login")
            http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
            async with http.get(f"{running.url}/login/{token}") as answer:
                csrf = re.search(r'name="csrf" value="([^"]+)"', await answer.text())
            async with http.post(f"{running.url}/login/{token}", data={"csrf": csrf[1] if csrf else ""}) as answer:
                assert answer.status in {200, 403, 404}
            people[name] = Person(http, running.url, await running.store.read(staff.get, number))
        yield House(running, people)
        for person in people.values():
            await person.http.close()


async def test_an_article_is_written_published_changed_and_brought_back(house: House) -> None:
    owner, store = house.people["owner"], house.shop.store
    status, page = await owner.post(
        "/shop/articles", title_vi="Giờ mở cửa", body_vi="Từ **7:00** <b>x</b>", publish="1"
    )
    assert status == 200
    assert "Từ <strong>7:00</strong> &lt;b&gt;x&lt;/b&gt;" in page
    (one,) = await store.read(articles.every, house.shop.shop_id)
    status, page = await owner.post(f"/shop/articles/{one.id}", title_vi="Giờ mở cửa", body_vi="Từ 8:00", based_on="1")
    assert status == 200
    assert [a.wording.bodies["vi"] for a in await store.read(articles.published, one.shop_id)] == [
        "Từ **7:00** <b>x</b>"
    ]
    # Somebody else's version is not overwritten, and what was typed is still there.
    status, page = await owner.post(
        f"/shop/articles/{one.id}", title_vi="Giờ mở cửa", body_vi="Từ 9:00", based_on="1", publish="1"
    )
    assert status == 409
    assert "Từ 9:00" in page
    assert (await owner.post(f"/shop/articles/{one.id}/restore", version="1"))[0] == 200
    assert (await store.read(articles.get, one.id, owner.member)).version == 3
    assert (await owner.post(f"/shop/articles/{one.id}/hide"))[0] == 200
    assert await store.read(articles.published, one.shop_id) == []
    assert (await owner.get(f"/shop/articles/{one.id}?version=2"))[0] == 200
    status, page = await owner.post("/shop/articles/preview", title_vi="T", body_vi="[a](javascript:x) *b*")
    assert status == 200
    assert "[a](javascript:x) <em>b</em>" in page
    status, page = await owner.post("/shop/articles", title_vi="", body_vi="x")
    assert status == 422
    assert "aria-invalid" in page
    assert (await owner.post(f"/shop/articles/{one.id}/discard"))[0] == 200
    assert await store.read(articles.every, house.shop.shop_id) == []


async def test_what_found_nothing_is_shown_and_put_aside(house: House) -> None:
    owner, store = house.people["owner"], house.shop.store
    lan = await store.write(customers.create, name="Lan")
    await store.write(asking.answer, lan, house.shop.shop_id, "quán có phòng <họp> không", "vi")
    _, page = await owner.get("/shop/articles")
    assert "quán có phòng &lt;họp&gt; không" in page
    (gap,) = await store.read(asking.gaps, house.shop.shop_id)
    status, page = await owner.post("/shop/articles/gaps", key=gap.key)
    assert status == 200
    assert "&lt;họp&gt;" not in page
    _, page = await owner.get(f"/shop/articles/new?asked={quote('có <b> không')}")
    assert "có &lt;b&gt; không" in page


async def test_a_macro_is_made_changed_and_removed(house: House) -> None:
    owner, store = house.people["owner"], house.shop.store
    form = {
        "name": "Xin lỗi",
        "text_vi": "Dạ {name}",
        "seen_by": "all",
        "tag": "trễ, hư",
        "priority": "high",
        "snooze": "2d",
    }
    assert (await owner.post("/shop/macros", **form))[0] == 200
    ((one, _),) = await store.read(macros.kept, house.shop.shop_id, owner.member)
    assert [(action.do.value, action.value) for action in one.actions] == [
        ("tag", "hư"), ("tag", "trễ"), ("priority", "high"), ("snooze", "2d"),
    ]  # fmt: skip
    status, page = await owner.get(f"/shop/macros/{one.id}")
    assert status == 200
    assert 'value="hư, trễ"' in page
    status, page = await owner.post(f"/shop/macros/{one.id}", **form | {"text_vi": "Dạ {tên}"})
    assert status == 422
    assert "{tên}" in page
    assert (await owner.post(f"/shop/macros/{one.id}", **form | {"name": "Xin lỗi khách"}))[0] == 200
    assert (await owner.post(f"/shop/macros/{one.id}/remove"))[0] == 200
    assert await store.read(macros.kept, house.shop.shop_id, owner.member) == []


async def test_who_may_open_what(house: House) -> None:
    owner, store = house.people["owner"], house.shop.store
    number = await store.write(articles.create, house.shop.shop_id, Wording({"vi": "A"}, {"vi": "b"}), owner.member)
    draft = macros.Draft("M", {"vi": "x"})
    macro = await store.write(macros.create, house.shop.shop_id, draft, owner.member)
    pages = [
        "/shop/articles",
        "/shop/articles/new",
        f"/shop/articles/{number}",
        "/shop/macros",
        "/shop/macros/new",
        f"/shop/macros/{macro}",
    ]
    expected = {
        "owner": [200] * 6,
        "agent": [403] * 6,
        "cashier": [403] * 6,
        "stranger": [200, 200, 404, 200, 200, 404],
    }
    for name, statuses in expected.items():
        assert [(await house.people[name].get(path))[0] for path in pages] == statuses, name
    stranger = house.people["stranger"]
    for path in (
        f"/shop/articles/{number}",
        f"/shop/articles/{number}/hide",
        f"/shop/articles/{number}/discard",
        f"/shop/macros/{macro}/remove",
    ):
        assert (await stranger.post(path, title_vi="A", body_vi="c", based_on="1"))[0] == 404
        assert (await owner.post(path, csrf=False))[0] == 403
    assert [(await house.people[name].get("/desk/find"))[0] for name in ("owner", "agent", "cashier", "stranger")] == [
        200,
        200,
        403,
        200,
    ]


async def test_the_desk_finds_what_is_ones_own(house: House) -> None:
    store = house.shop.store
    lan = await store.write(customers.create, name="Hương <i>")
    joined = await store.write(tickets.open_or_join, lan, house.shop.shop_id)
    await store.write(messages.customer_says, joined.ticket.id, text="ly <u>vỡ</u> nát")
    _, page = await house.people["agent"].get("/desk/find/list?q=ly+vo")
    assert "ly &lt;u&gt;vỡ&lt;/u&gt; nát" in page
    assert f'data-open="{joined.ticket.id}"' in page
    _, page = await house.people["stranger"].get("/desk/find/list?q=ly+vo")
    assert "data-open" not in page
    # The palette lists the same by kind; what goes into an answer only where one is being written.
    number, agent = joined.ticket.id, house.people["agent"]
    await store.write(
        macros.create, house.shop.shop_id, Draft("Ly vỡ", {"vi": "Dạ quán đổi ly"}), house.people["owner"].member
    )
    groups = json.loads((await agent.get("/desk/find/palette?q=ly+vo"))[1])["groups"]
    assert [one["ticket"] for group in groups for one in group["items"]] == [number, number]
    assert groups[1]["items"][0]["aside"] == f"#{number} · ly <u>vỡ</u> nát"
    groups = json.loads((await agent.get(f"/desk/find/palette?q=ly+vo&ticket={number}"))[1])["groups"]
    assert [list(one) for one in groups[2]["items"]] == [["title", "macro"]]
    assert json.loads((await house.people["stranger"].get("/desk/find/palette?q=ly+vo"))[1]) == {"groups": []}
    assert (await house.people["stranger"].get(f"/desk/find/palette?q=ly+vo&ticket={number}"))[0] == 404
    for words in ("", "%00", "%22", "a" * 300, quote("😀")):
        assert (await agent.get(f"/desk/find/palette?q={words}&ticket={words}"))[0] == 200
        assert (await house.people["agent"].get(f"/desk/find/list?q={words}"))[0] == 200
