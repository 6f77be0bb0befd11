"""The till's page: who may stand at it, what its calls answer, and that what is refused is refused in words."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from handlers.web.login.views import setup_login
from handlers.web.site import Site, setup_site
from handlers.web.till.views import setup_till
from loyalty import programme
from loyalty.customers import customers
from loyalty.orders import sales
from loyalty.points import points
from loyalty.vouchers import voucher_programs, vouchers
from loyalty.vouchers.voucher_programs import Kind, Stacks
from store import staff
from store.audit import AuditRow
from store.engine import Store

Client = TestClient[web.Request, web.Application]


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")


@pytest.fixture
async def lan(store: Store, shop: int) -> int:
    """A customer with 200 points."""
    customer_id = await store.write(customers.create, phone="+84903123456", name="<b>Lan</b>", home_shop_id=shop)
    await store.write(points.earn, "e:1", "earn", customer_id=customer_id, shop_id=shop, points=200)
    return customer_id


@pytest.fixture
async def browser(store: Store, shop: int) -> AsyncIterator[Client]:
    async def nothing(*_args: Any) -> Any:
        raise AssertionError

    app = web.Application()
    links = [("Telegram", "https://t.me/x"), ("Web", "http://shop.test/chat?start=")]
    site = Site(
        store=store, secret_key="s" * 40, public_url="http://shop.test", language="vi",
        links=lambda payload: [(name, link + payload) for name, link in links], feed=nothing, replay=nothing,
    )  # fmt: skip
    setup_site(app, site)
    setup_login(app)
    setup_till(app)
    async with TestClient(TestServer(app)) as client:
        yield client


async def sign_in(store: Store, browser: Client, role: staff.Role, shop_id: int | None) -> str:
    """Open a session; the token that calls carry."""
    person = await store.write(staff.add, "Hoa", role, shop_id)
    link = await store.write(staff.make_link, person, "login", "/till")
    form = await (await browser.get(f"/login/{link}")).text()
    token = re.search(r'name="csrf" value="([^"]+)"', form)
    assert token
    await browser.post(f"/login/{link}", data={"csrf": token[1]}, allow_redirects=False)
    page = await browser.get("/till")
    found = re.search(r'"csrf": "([^"]+)"', await page.text())
    return found[1] if found else token[1]


@pytest.fixture
async def till(store: Store, browser: Client, shop: int) -> "Till":
    return Till(browser, await sign_in(store, browser, staff.Role.CASHIER, shop), shop)


class Till:
    """The page's calls."""

    def __init__(self, browser: Client, csrf: str, shop: int) -> None:
        self.browser, self.csrf, self.shop = browser, csrf, shop

    async def __call__(self, path: str, **values: Any) -> tuple[int, dict[str, Any]]:
        answer = await self.browser.post(
            f"/till/{path}", json={"shop": self.shop} | values, headers={"X-CSRF-Token": self.csrf}
        )
        return answer.status, await answer.json() if answer.content_type.endswith("json") else {}


async def seen_in(store: Store, place: str) -> list[int]:
    """Whom the audit says that somebody looked at in a place."""
    query = sa.select(AuditRow.data).where(AuditRow.action == "customer_seen")
    return [
        one["customer"] for one in await store.read(lambda session: session.execute(query).scalars().all())
        if one["place"] == place
    ]  # fmt: skip


async def test_a_sale_from_finding_to_undoing(store: Store, till: Till, lan: int) -> None:
    made = await store.write(voucher_programs.add, name="Giảm 20.000 ₫", kind=Kind.AMOUNT, value=20_000)
    given = await store.write(vouchers.issue, made.id, lan)
    status, found = await till("find", query="0903 123 456")
    assert status == 200
    assert await seen_in(store, "till") == [lan]
    card = found["card"]
    assert (card["id"], card["available"], card["phone"], card["tier"]) == (lan, 200, "+8490•••456", "Thành viên")
    assert [one["code"] for one in card["vouchers"]] == [vouchers.shown(given.code)]
    entry = {"customer": lan, "amount": 85_000, "points": 9_999}
    status, seen = await till("preview", **entry)
    assert seen["vouchers"] == [{"code": vouchers.shown(given.code), "name": "Giảm 20.000 ₫", "discount": 20_000}]
    assert (status, seen["paid"], seen["points"], seen["points_max"], seen["earns"]) == (200, 61_000, 200, 200, 61)
    entry |= {"points": 100, "vouchers": [one["code"] for one in seen["vouchers"]]}
    status, sold = await till("sell", key="key-0001", **entry)
    assert (status, sold["paid"], sold["earned"], sold["balance"]) == (200, 63_000, 63, 163)
    assert (await till("sell", key="key-0001", **entry))[1]["id"] == sold["id"]
    assert 0 < sold["undo_seconds"] <= 900
    listed = await (await till.browser.get(f"/till/today/{till.shop}")).json()
    assert (listed["count"], listed["paid"], listed["sales"][0]["order"]) == (1, 63_000, sold["order"])
    status, undone = await till("undo", sale=sold["id"])
    assert (status, undone["undone"], undone["balance"]) == (200, True, 200)
    assert (await (await till.browser.get(f"/till/today/{till.shop}")).json())["paid"] == 0


async def test_the_cashier_sees_which_vouchers_are_used_and_why_another_is_not(
    store: Store, till: Till, lan: int
) -> None:
    async def own(name: str, value: int, **values: Any) -> str:
        made = await store.write(voucher_programs.add, name=name, kind=Kind.AMOUNT, value=value, **values)
        return vouchers.shown((await store.write(vouchers.issue, made.id, lan)).code)

    ten, twenty = await own("Mười", 10_000), await own("Hai mươi", 20_000)
    alone, tea = await own("Riêng", 25_000, stacks=Stacks.NONE), await own("Trà", 5_000, categories=["Trà"])
    entry: dict[str, Any] = {"customer": lan, "amount": 85_000}
    _, seen = await till("preview", **entry)
    assert {one["code"]: one["discount"] for one in seen["vouchers"]} == {ten: 10_000, twenty: 20_000}
    why = {one["code"]: one["why"] for one in seen["others"]}
    assert (set(why), seen["part"], seen["paid"]) == ({alone, tea}, True, 55_000)
    assert (why[alone], why[tea]) == (
        "Không dùng chung với các voucher kia được.", "Voucher này chỉ cho một số món. Nhập số tiền của các món đó trên hóa đơn."
    )  # fmt: skip
    _, seen = await till("preview", **entry, part=30_000)
    assert {one["code"] for one in seen["vouchers"]} == {ten, twenty, tea}
    _, seen = await till("preview", **entry, without=[ten])
    assert [one["code"] for one in seen["vouchers"]] == [alone]
    status, refused = await till("sell", key="key-0001", **entry, vouchers=[ten, alone])
    assert (status, refused["code"]) == (409, "not_stackable")
    status, sold = await till("sell", key="key-0001", **entry, vouchers=[ten, twenty])
    assert (status, sold["paid"]) == (200, 55_000)


async def test_a_walk_in_gets_a_code_to_scan_and_a_guest_does_not(store: Store, till: Till) -> None:
    _, found = await till("find", query="0912 345 678")
    assert found == {"card": None, "phone": {"number": "+84912345678", "shown": "0912 345 678"}, "voucher": None}
    _, guest = await till("sell", key="key-0001", amount=50_000, phone="+84912345678")
    _, walk_in = await till("sell", key="key-0002", amount=50_000)
    assert (guest["claim"], walk_in["claim"]) == (False, True)
    assert (await till.browser.get(f"/till/receipt/{till.shop}/{guest['id']}.png")).status == 404
    picture = await till.browser.get(f"/till/receipt/{till.shop}/{walk_in['id']}.png")
    assert (picture.status, (await picture.read())[:4]) == (200, b"\x89PNG")


async def test_a_cashier_confirms_a_phone_from_the_card(store: Store, till: Till, shop: int) -> None:
    await till("sell", key="key-0001", amount=50_000, phone="0912345678")
    visitor = await store.write(customers.create, name="Tí", home_shop_id=shop)
    status, done = await till("confirm-phone", customer=visitor, phone="0912 345 678")
    assert (status, done["points"], done["card"]["available"], done["card"]["proven"]) == (200, 50, 50, True)
    status, refused = await till("confirm-phone", customer=done["card"]["id"], phone="0903 000 111")
    assert (status, refused["code"]) == (409, "phone_taken")


async def test_a_name_stays_text_and_the_page_runs_only_its_own_files(till: Till, lan: int) -> None:
    page = await till.browser.get("/till")
    assert page.status == 200
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    _, found = await till("find", query="0903123456")
    assert found["card"]["name"] == "<b>Lan</b>"


REFUSED: list[tuple[str, dict[str, Any], int, str | None]] = [
    ("find", {"query": "ABCD2345"}, 404, "not_found"),
    ("preview", {"amount": 0}, 422, "invalid"),
    ("preview", {"amount": 1_000, "customer": 99}, 404, "not_found"),
    ("sell", {"key": "key-0001", "amount": 10**12}, 422, "invalid"),
    ("sell", {"key": "key-0001", "amount": -1}, 422, "invalid"),
    ("sell", {"key": "key-0001", "amount": 1_000, "vouchers": ["nope"]}, 404, "wrong_code"),
    ("sell", {"key": "key-0001", "amount": 10_000, "customer": 1, "points": 300}, 409, "insufficient_points"),
    ("sell", {"key": "key-0001", "amount": 10_000, "customer": 1, "points": 600}, 422, "invalid"),
    ("undo", {"sale": 1}, 404, "not_found"),
    ("confirm-phone", {"customer": 1, "phone": "12"}, 422, "invalid"),
    ("sell", {"key": "key-0001", "amount": "85000"}, 400, None),
    ("sell", {"key": "key-0001", "amount": 85_000.5}, 400, None),
    ("sell", {"key": "key-0001"}, 400, None),
    ("sell", {"amount": 85_000}, 400, None),
    ("find", {"query": "x" * 500}, 400, None),
    ("find", {"query": "x", "more": 1}, 400, None),
]


async def test_what_cannot_be_is_refused_in_words(store: Store, till: Till, lan: int) -> None:
    for path, values, status, code in REFUSED:
        told = await till(path, **values)
        assert told[0] == status, (path, values)
        if code is not None:
            assert told[1]["code"] == code, (path, values)
            assert len(told[1]["error"]) > 10
    assert await store.read(sales.today, till.shop, 1) == []


async def test_twenty_wrong_codes_and_the_till_waits(till: Till) -> None:
    for _ in range(20):
        assert (await till("find", query="ABCD2345"))[0] == 404
    status, told = await till("find", query="0903123456")
    assert (status, told["code"]) == (429, "too_many")


async def test_only_who_has_this_till_stands_at_it(store: Store, browser: Client, shop: int, lan: int) -> None:
    for path in ("find", "preview", "sell", "undo", "confirm-phone"):
        assert (await browser.post(f"/till/{path}", json={"shop": shop})).status in {401, 403}
    assert (await browser.get("/till", allow_redirects=False)).status == 302
    other = await store.write(programme.open_shop, "Trà", timezone="Asia/Ho_Chi_Minh", language="vi")
    theirs = Till(browser, await sign_in(store, browser, staff.Role.CASHIER, other), shop)
    for path, values in (
        ("find", {"query": "0903123456"}), ("preview", {"amount": 1}), ("sell", {"amount": 1_000, "key": "key-0001"}),
        ("undo", {"sale": 1}), ("confirm-phone", {"customer": lan, "phone": "0903123456"}),
    ):  # fmt: skip
        assert (await theirs(path, **values))[0] == 403, path
    assert (await browser.get(f"/till/today/{shop}")).status == 403
    assert (await browser.get(f"/till/receipt/{shop}/1.png")).status == 403
    theirs.shop, theirs.csrf = other, "wrong"
    assert (await theirs("find", query="0903123456"))[0] == 403
    agent = Till(browser, await sign_in(store, browser, staff.Role.AGENT, None), shop)
    assert (await agent("find", query="0903123456"))[0] == 403
    assert (await browser.get("/till")).status == 403
