"""The console over real HTTP: who may open what, what another shop's manager sees, what forms refuse, what settings do."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from aiohttp import ClientResponse, ClientSession, CookieJar, web
from aiohttp.test_utils import TestServer

from handlers.web.login.views import setup_login
from handlers.web.lucky.views import setup_lucky
from handlers.web.public.views import setup_public
from handlers.web.shop import chart, fields
from handlers.web.shop.views import setup_shop
from handlers.web.site import Site, setup_site
from loyalty import programme
from loyalty.customers import customers, directory
from loyalty.insights import today
from loyalty.insights.today import Week
from loyalty.orders import orders
from loyalty.orders.orders import OrderInput, Status
from loyalty.points import ledger, points
from loyalty.vouchers import voucher_programs, vouchers
from loyalty.vouchers.voucher_programs import Kind, Program
from store import audit, shops, staff
from store.clock import SetClock
from store.engine import Store
from store.errors import InvalidError, NotFoundError
from store.notices import NoticeRow
from store.staff import Role

ZONE = "Asia/Ho_Chi_Minh"
LAN, HOA = "+84903123456", "+84903999888"
AT = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Pages stand on rules; the rules that are the console's own are tested on both databases below."""
    return sqlite_url


@dataclass
class Page:
    status: int
    html: str
    path: str
    headers: Any

    @property
    def text(self) -> str:
        return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", self.html)))

    def hidden(self, name: str) -> str:
        found = re.search(rf'name="{name}" value="([^"]*)"', self.html)
        assert found, name
        return unescape(found[1])

    def error_at(self, field: str) -> str:
        """The words that stand below a field."""
        found = re.search(rf'class="error" id="f-{field}-said">(.*?)</span>', self.html, re.DOTALL)
        assert found, (field, self.text[-1500:])
        return unescape(re.sub(r"<[^>]+>", "", found[1])).strip()


class Browser:
    """A browser that is signed in as somebody."""

    def __init__(self, root: str, http: ClientSession) -> None:
        self.root, self.http = root, http
        self.csrf = ""

    async def _page(self, response: ClientResponse) -> Page:
        html = await response.text()
        if found := re.search(r'name="csrf" value="([^"]+)"', html):
            self.csrf = found[1]
        return Page(response.status, html, response.url.path_qs, response.headers)

    async def get(self, path: str, **headers: str) -> Page:
        async with self.http.get(self.root + path, headers=headers) as response:
            return await self._page(response)

    async def post(self, path: str, form: dict[str, str] | None = None, **options: Any) -> Page:
        """Send a form as a browser without script does, with this browser's token unless `csrf` says otherwise."""
        body = {"csrf": options.pop("csrf", self.csrf), **(form or {})}
        async with self.http.post(self.root + path, data=body, headers=options.pop("headers", {})) as response:
            return await self._page(response)


@dataclass
class Console:
    store: Store
    root: str
    shop: int
    browsers: list[ClientSession]

    async def hire(self, role: Role, shop_id: int | None, name: str = "Minh") -> int:
        return await self.store.write(staff.add, name, role, shop_id, "en")

    async def sign_in(self, staff_id: int) -> Browser:
        http = ClientSession(cookie_jar=CookieJar(unsafe=True))
        self.browsers.append(http)
        browser = Browser(self.root, http)
        token = await self.store.write(staff.make_link, staff_id, "login", "/shop")
        await browser.get(f"/login/{token}")
        await browser.post(f"/login/{token}")
        return browser

    async def as_(self, role: Role, shop_id: int | None = None) -> Browser:
        browser = await self.sign_in(await self.hire(role, shop_id))
        await browser.get("/shop")
        return browser

    async def order(self, external_id: str, shop_id: int | None = None, **values: Any) -> orders.OrderState:
        base = OrderInput(
            total=85_000, currency="VND", placed_at=AT, status=Status.COMPLETED, phone=LAN, name="Nguyễn Thị Lan"
        )
        return await self.store.write(orders.put, shop_id or self.shop, external_id, replace(base, **values))

    async def rows(self, action: str) -> list[audit.AuditRow]:
        def look(session: Any) -> list[audit.AuditRow]:
            found = list(session.execute(sa.select(audit.AuditRow).where(audit.AuditRow.action == action)).scalars())
            session.expunge_all()
            return found

        return await self.store.read(look)


@pytest.fixture
async def console(store: Store) -> AsyncIterator[Console]:
    async def never(*_: Any) -> Any:
        raise AssertionError("the console has no business there")

    def links(payload: str) -> list[tuple[str, str]]:
        return [("telegram", f"https://t.me/pho?start={payload}"), ("web", f"https://pho.example/chat?start={payload}")]

    shop = await store.write(programme.open_shop, "Phố Cafe", timezone=ZONE, language="vi")
    app = web.Application()
    site = Site(
        store=store, secret_key="x" * 32, public_url="http://pho.example", language="en", links=links, feed=never,
        replay=never,
    )  # fmt: skip
    setup_site(app, site)
    setup_login(app)
    setup_shop(app)
    setup_public(app)
    setup_lucky(app)
    browsers: list[ClientSession] = []
    async with TestServer(app) as server:
        yield Console(store, str(server.make_url("")).rstrip("/"), shop, browsers)
        for http in browsers:
            await http.close()


async def second(console: Console, name: str = "Quán Hai") -> int:
    return await console.store.write(programme.open_shop, name, timezone=ZONE, language="vi")


async def offer(console: Console, shop_id: int | None = None, **values: Any) -> Program:
    made = {"name": "Free tea", "kind": Kind.GIFT, "shop_id": shop_id or console.shop, **values}
    return await console.store.write(lambda session: voucher_programs.add(session, **made))


FORM = {
    "name": "Weekend", "kind": "percent", "value": "10", "cap": "50.000", "min_order": "100.000", "price_points": "80",
    "stock": "40", "listed": "on",
}  # fmt: skip
SHOP = {
    "name": "Phố Cafe", "brand": "#0F766E", "return_days": "0",
    "address": "", "phone": "",
}  # fmt: skip
PROGRAMME = {"point_value": "20", "undo_minutes": "15"}
PAGES = [
    "/shop",
    "/shop/customers",
    "/shop/orders",
    "/shop/shifts",
    "/shop/offers",
    "/shop/offers/new",
    "/shop/settings",
    "/shop/points",
    "/shop/plan",
    "/shop/team",
]


# ── Who may ────────────────────────────────────────────────────────────────────────────────────────


async def test_without_a_session_every_page_leads_to_the_login(console: Console) -> None:
    async with ClientSession() as http:
        for path in PAGES:
            async with http.get(console.root + path, allow_redirects=False) as response:
                assert (response.status, response.headers["Location"].split("?")[0]) == (302, "/login")


@pytest.mark.parametrize(
    ("role", "open_pages"),
    [(Role.OWNER, set(PAGES)), (Role.MANAGER, set(PAGES) - {"/shop/team"}),
     (Role.SUPERVISOR, set()), (Role.AGENT, set()), (Role.CASHIER, set())],
)  # fmt: skip
async def test_each_role_opens_its_pages_and_no_other(console: Console, role: Role, open_pages: set[str]) -> None:
    browser = await console.as_(role, console.shop)
    found = {path: (await browser.get(path)).status for path in PAGES}
    assert found == {path: 200 if path in open_pages else 403 for path in PAGES}


async def test_what_a_role_may_not_see_it_may_not_do_either(console: Console) -> None:
    made, state = await offer(console), await console.order("A1")
    agent = await console.as_(Role.AGENT, console.shop)
    agent.csrf = (await (await console.as_(Role.OWNER)).get("/shop/offers/new")).hidden("csrf")
    # The agent's own browser has a token of its own: take it from where they may be.
    await agent.get(f"/login/{await console.store.write(staff.make_link, 1, 'login')}")
    for path in (
        "/shop/offers",
        f"/shop/offers/{made.id}/end",
        f"/shop/customers/{state.customer_id}/points",
        "/shop/settings",
    ):
        assert (await agent.post(path, FORM | SHOP)).status == 403, path
    manager = await console.as_(Role.MANAGER, console.shop)
    for path in (
        "/shop/team",
        "/shop/team/1/link",
        "/shop/team/1/remove",
        "/shop/team/keys",
        "/shop/settings/programme",
    ):
        assert (await manager.post(path, {"name": "X", "role": "owner", "at": "all", **PROGRAMME})).status == 403, path
    assert len(await console.store.read(staff.every)) == 3
    assert (await console.store.read(voucher_programs.get, made.id)).ends_at is None


async def test_a_form_without_the_browsers_token_changes_nothing(console: Console) -> None:
    browser = await console.as_(Role.OWNER)
    for path, form in (
        ("/shop/settings", SHOP | {"name": "Stolen"}),
        ("/shop/offers", FORM),
        ("/shop/team/keys", {"key_name": "x"}),
    ):
        for token in ("", "wrong"):
            assert (await browser.post(path, form, csrf=token)).status == 403, path
    assert (await console.store.read(shops.get, console.shop)).name == "Phố Cafe"
    assert await console.store.read(voucher_programs.of_shop, console.shop) == []
    assert await console.store.read(staff.api_keys, console.shop) == []


# ── Another shop's ─────────────────────────────────────────────────────────────────────────────────


async def test_a_manager_sees_their_own_shop_only(console: Console) -> None:
    other = await second(console)
    mine, theirs = await offer(console), await offer(console, other, name="Theirs")
    lan = (await console.order("A1")).customer_id
    hoa = (await console.order("SECRET-1", other, phone=HOA, name="Trần Hoa")).customer_id
    manager = await console.as_(Role.MANAGER, console.shop)
    assert (await manager.get(f"/shop?shop={other}")).status == 404
    everything = ""
    for path in (
        "/shop",
        "/shop/customers",
        "/shop/orders",
        "/shop/offers",
        "/shop/settings",
        "/shop/customers?q=hoa",
        "/shop/orders?q=secret",
    ):
        everything += (await manager.get(path)).html
    for secret in ("Quán Hai", "Theirs", "SECRET-1", "Trần Hoa"):
        assert secret not in everything
    assert "Nguyễn Thị Lan" in everything
    assert mine.name in everything
    for path in (f"/shop/offers/{theirs.id}", f"/shop/customers/{hoa}", f"/shop/offers/{theirs.id}?shop={other}"):
        assert (await manager.get(path)).status == 404, path
    for path in (f"/shop/offers/{theirs.id}", f"/shop/offers/{theirs.id}/end", f"/shop/offers/{theirs.id}/link",
                 f"/shop/offers/{theirs.id}/give", f"/shop/customers/{hoa}/points", f"/shop/settings?shop={other}"):  # fmt: skip
        form = FORM | SHOP | {"points": "5", "reason": "x", "who": LAN, "key": "k" * 12}
        assert (await manager.post(path, form)).status == 404, path
    assert await console.store.read(voucher_programs.get, theirs.id) == theirs
    assert await console.rows("points_adjusted") == []
    assert lan is not None


async def test_a_page_that_is_not_there_leads_back_to_where_one_works(console: Console) -> None:
    owner = await console.as_(Role.OWNER, console.shop)
    for path, start in (("/shop/nowhere", "/shop"), ("/desk/nowhere", "/desk"), ("/nowhere", "/")):
        page = await owner.get(path)
        assert page.status == 404
        assert f'<a class="button main" href="{start}">' in page.html, path


async def test_what_a_customer_did_elsewhere_is_points_without_a_story(console: Console) -> None:
    other = await second(console)
    lan = (await console.order("A1")).customer_id
    await console.order("SECRET-1", other, total=400_000)
    page = await (await console.as_(Role.MANAGER, console.shop)).get(f"/shop/customers/{lan}")
    assert "SECRET-1" not in page.html
    assert "at another shop" in page.text
    assert "+400" in page.text
    assert "₫85,000" in page.text
    assert "₫485,000" not in page.text


async def test_an_owner_of_several_shops_switches_between_them(console: Console) -> None:
    other = await second(console)
    await console.order("SECRET-1", other, phone=HOA, name="Trần Hoa")
    owner = await console.as_(Role.OWNER)
    assert "SECRET-1" not in (await owner.get("/shop/orders")).html
    page = await owner.get(f"/shop/orders?shop={other}")
    assert "SECRET-1" in page.html
    # Every link and form of the page stays at that shop.
    inside = re.findall(r'(?:href|action)="(/shop[^"]*)"', page.html)
    assert inside
    assert {f"shop={other}" in link for link in inside if "/shop?shop=" not in link} == {True}


# ── Offers ─────────────────────────────────────────────────────────────────────────────────────────


async def test_an_offer_is_made_changed_and_listed(console: Console) -> None:
    browser = await console.as_(Role.MANAGER, console.shop)
    done = await browser.post("/shop/offers", FORM | {"ends_on": "2026-12-31"})
    assert "Saved" in done.text
    (made,) = await console.store.read(voucher_programs.of_shop, console.shop)
    assert (made.name, made.kind, made.value, made.cap, made.min_order) == ("Weekend", "percent", 10, 50_000, 100_000)
    assert (made.price_points, made.stock, made.hidden, made.shop_id) == (80, 40, False, console.shop)
    assert made.ends_at == datetime(2026, 12, 31, 17, tzinfo=UTC), "the end of that day in the shop's time zone"
    assert 'value="2026-12-31"' in (await browser.get(f"/shop/offers/{made.id}")).html
    await browser.post(f"/shop/offers/{made.id}", FORM | {"value": "15", "stock": ""})
    changed = await console.store.read(voucher_programs.get, made.id)
    assert (changed.value, changed.stock, changed.ends_at) == (15, None, None)
    listed = (await browser.get("/shop/offers")).text
    assert "Weekend" in listed
    assert "80 points" in listed
    (row,) = await console.rows("offer_changed")
    assert row.data["changed"]["value"][1] == 15
    assert row.data["changed"]["value"][0] != 15, "what it was stands beside"
    assert row.actor.startswith("staff:")


async def test_offers_are_sorted_and_found(console: Console) -> None:
    for name, price, stock in (("Trà", 90, 5), ("Ánh", None, None), ("Bánh", 30, 9)):
        await offer(console, name=name, price_points=price, stock=stock)
    browser = await console.as_(Role.MANAGER, console.shop)
    for query, names in (
        ("", ["Bánh", "Ánh", "Trà"]), ("?sort=name", ["Ánh", "Bánh", "Trà"]), ("?sort=name.desc", ["Trà", "Bánh", "Ánh"]),
        ("?sort=price", ["Bánh", "Trà", "Ánh"]), ("?sort=left", ["Trà", "Bánh", "Ánh"]), ("?q=anh", ["Bánh", "Ánh"]),
        ("?sort=nothing.up&after=999", ["Bánh", "Ánh", "Trà"]), ("?q=tra&sort=used.asc", ["Trà"]),
    ):  # fmt: skip
        page = await browser.get(f"/shop/offers{query}")
        assert re.findall(r'class="name"[^>]*>([^<]+)<', page.html) == names, query
        assert "q=tra" not in query or "sort=name.asc&amp;q=tra" in page.html, "a head keeps the search"


WRONG_OFFERS = [({"name": " "}, "name"), ({"name": "x" * 101}, "name"), ({"value": "0"}, "value"), ({"value": "101"}, "value"),
     ({"value": ""}, "value"), ({"value": "ten"}, "value"), ({"value": "1.5"}, "value"), ({"stock": "-1"}, "stock"),
     ({"price_points": "0"}, "price_points"), ({"cap": "9" * 30}, "cap"), ({"kind": "free"}, "kind"),
     ({"ends_on": "soon"}, "ends_on"), ({"starts_on": "2026-12-05", "ends_on": "2026-12-01"}, "ends_on"),
     ({"per_customer": "0"}, "per_customer")]  # fmt: skip


async def test_what_cannot_be_right_is_said_at_its_field_and_nothing_is_saved(console: Console) -> None:
    browser = await console.as_(Role.MANAGER, console.shop)
    for wrong, field in WRONG_OFFERS:
        page = await browser.post("/shop/offers", FORM | wrong)
        assert (page.status, bool(page.error_at(field))) == (422, True), wrong
        assert 'value="100.000"' in page.html, "what was typed stands there still"
    assert await console.store.read(voucher_programs.of_shop, console.shop) == []
    made = await offer(console)
    for wrong, field in WRONG_OFFERS:
        page = await browser.post(f"/shop/offers/{made.id}", FORM | wrong)
        assert (page.status, bool(page.error_at(field))) == (422, True), wrong
    assert await console.store.read(voucher_programs.get, made.id) == made


async def test_what_was_promised_with_a_voucher_does_not_change(console: Console) -> None:
    made = await offer(console, kind=Kind.AMOUNT, value=30_000, stock=5)
    lan = (await console.order("A1")).customer_id
    await console.store.write(vouchers.issue, made.id, lan)
    browser = await console.as_(Role.MANAGER, console.shop)
    await browser.post(f"/shop/offers/{made.id}", FORM | {"name": "New name", "value": "90"})
    kept = await console.store.read(voucher_programs.get, made.id)
    assert (kept.name, kept.kind, kept.value, kept.stock) == ("New name", "amount", 30_000, 40)
    page = await browser.post(f"/shop/offers/{made.id}", FORM | {"stock": "0"})
    assert page.error_at("stock") == "1 were given out already, so there can't be fewer."
    with pytest.raises(InvalidError) as refused:
        await console.store.write(lambda session: voucher_programs.change(session, made.id, value=1))
    assert (refused.value.field, refused.value.problem) == ("value", "given")


async def test_hide_end_reopen_and_the_link(console: Console, clock: SetClock) -> None:
    made = await offer(console)
    browser = await console.as_(Role.MANAGER, console.shop)
    await browser.post(f"/shop/offers/{made.id}/hide")
    assert (await console.store.read(voucher_programs.get, made.id)).hidden
    await browser.post(f"/shop/offers/{made.id}/show")
    await browser.post(f"/shop/offers/{made.id}/end")
    ended = await console.store.read(voucher_programs.get, made.id)
    assert (ended.hidden, ended.ends_at) == (False, clock.now())
    page = await browser.post(f"/shop/offers/{made.id}/give", {"who": LAN, "key": "k" * 12})
    assert page.status == 422
    await browser.post(f"/shop/offers/{made.id}/reopen")
    page = await browser.post(f"/shop/offers/{made.id}/link")
    code = (await console.store.read(voucher_programs.get, made.id)).offer_code
    assert f"https://t.me/pho?start=v_{code}" in page.html
    assert f"https://pho.example/chat?start=v_{code}" in page.html


async def test_a_voucher_is_given_once_however_often_the_form_comes(console: Console) -> None:
    made = await offer(console, per_customer=1)
    lan = (await console.order("A1")).customer_id
    assert lan is not None
    browser = await console.as_(Role.MANAGER, console.shop)
    key = (await browser.get(f"/shop/offers/{made.id}")).hidden("key")
    for _ in range(3):
        page = await browser.post(f"/shop/offers/{made.id}/give", {"who": "0903 123 456", "key": key})
        assert "Given to Nguyễn Thị Lan" in page.text
    assert len(await console.store.read(vouchers.wallet, lan)) == 1
    assert len(await console.rows("voucher_given")) == 1
    told = await console.store.read(
        lambda session: session.execute(sa.select(sa.func.count()).where(NoticeRow.kind == "voucher_given")).scalar()
    )
    assert told == 1
    page = await browser.post(f"/shop/offers/{made.id}/give", {"who": LAN, "key": "another-key"})
    assert page.error_at("who") == "This customer already has as many as one customer may have."
    page = await browser.post(f"/shop/offers/{made.id}/give", {"who": "0903000000", "key": "another-key"})
    assert page.error_at("who").startswith("No customer has this phone")


async def test_the_preview_says_what_the_customer_will_read(console: Console) -> None:
    browser = await console.as_(Role.MANAGER, console.shop)
    page = await browser.get("/shop/offers/preview?name=<b>Hi</b>&kind=percent&value=10&cap=50.000&price_points=80")
    assert "&lt;b&gt;Hi&lt;/b&gt;" in page.html
    assert "10" in page.text
    assert "80 points" in page.text
    assert (await browser.get("/shop/offers/preview?kind=x&value=abc&ends_on=never")).status == 200


async def test_what_every_shop_offers_only_who_owns_them_all_changes(console: Console) -> None:
    await second(console)
    made = (await console.store.write(lambda s: voucher_programs.add(s, name="For all", kind=Kind.GIFT))).id
    manager = await console.as_(Role.MANAGER, console.shop)
    assert "For all" in (await manager.get("/shop/offers")).text
    for path in (f"/shop/offers/{made}", f"/shop/offers/{made}/hide", f"/shop/offers/{made}/link"):
        assert (await manager.post(path, FORM)).status == 403, path
    owner = await console.as_(Role.OWNER)
    assert (await owner.post(f"/shop/offers/{made}/hide?shop={console.shop}")).status == 200
    assert (await console.store.read(voucher_programs.get, made)).hidden


# ── Customers, points, orders ──────────────────────────────────────────────────────────────────────


async def test_a_customer_is_found_by_name_with_or_without_marks_and_by_phone(console: Console) -> None:
    lan = (await console.order("A1")).customer_id
    await console.order("A2", phone=HOA, name="Trần Hoa")
    browser = await console.as_(Role.MANAGER, console.shop)
    for words in ("nguyen lan", "Lan", "LAN THỊ", "0903 123", "123456", "+84903123456"):
        query = words.replace("+", "%2B").replace(" ", "+")
        page = await browser.get(f"/shop/customers?q={query}", **{"HX-Request": "true"})
        assert f"/shop/customers/{lan}" in page.html, words
        assert "Trần Hoa" not in page.html, words
        assert "<html" not in page.html, "a script gets the table alone"


async def test_a_renamed_customer_is_found_by_the_new_name_and_by_the_code(console: Console) -> None:
    lan = (await console.order("A1")).customer_id
    assert lan is not None
    await console.store.write(lambda session: customers.change(session, lan, name="Đặng Ánh"))
    code = (await console.store.read(customers.get, lan)).code
    for words, count in (("dang anh", 1), ("lan", 0), (code.lower(), 1), ("%", 0), ("_", 0)):
        found = await console.store.read(lambda s, words=words: directory.page(s, console.shop, search=words))
        assert found.total == count, words


async def test_the_list_sorts_and_pages(console: Console) -> None:
    for number in range(45):
        await console.order(
            f"A{number}", phone=f"+849030000{number:02}", name=f"Khách {number:02}", total=1_000 * (number + 1)
        )
    browser = await console.as_(Role.OWNER)
    names = re.findall(r"Khách \d\d", (await browser.get("/shop/customers?sort=spent")).html)
    assert (len(names), names[0]) == (40, "Khách 44")
    assert re.findall(r"Khách \d\d", (await browser.get("/shop/customers?sort=points.asc")).html)[0] == "Khách 00"
    for odd in (
        "after=x",
        "before=W10",
        "after=WzEsMl0",
        "sort=nothing.sideways&only=none",
        "sort=name&after=WzEsMiwzXQ",
    ):
        assert (await browser.get(f"/shop/customers?{odd}")).status == 200, odd


async def test_points_are_changed_by_hand_once_with_a_reason(console: Console) -> None:
    lan = (await console.order("A1")).customer_id
    assert lan is not None
    browser = await console.as_(Role.MANAGER, console.shop)
    page = await browser.get(f"/shop/customers/{lan}")
    form = {"points": "1.000", "reason": "Giao trễ", "key": page.hidden("key")}
    for _ in range(2):
        page = await browser.post(f"/shop/customers/{lan}/points", form)
        assert page.status == 200
    assert (await console.store.read(points.balances, lan))[0] == 1_085
    (row,) = await console.rows("points_adjusted")
    assert (row.data["points"], row.data["reason"], row.shop_id) == (1_000, "Giao trễ", console.shop)
    assert "Giao trễ" in page.text
    # The same form with other numbers is not the same wish: it is asked about, not done.
    page = await browser.post(f"/shop/customers/{lan}/points", form | {"points": "7"})
    assert page.status == 422
    assert (await console.store.read(points.balances, lan))[0] == 1_085
    assert await console.store.read(ledger.check) == []


WRONG_POINTS = [({"points": "", "reason": "x"}, "points"), ({"points": "0", "reason": "x"}, "points"),
     ({"points": "lots", "reason": "x"}, "points"), ({"points": "-86", "reason": "x"}, "points"),
     ({"points": "9999999999", "reason": "x"}, "points"), ({"points": "5", "reason": "  "}, "reason"),
     ({"points": "5", "reason": "x" * 201}, "reason")]  # fmt: skip


async def test_a_wrong_adjustment_is_said_at_its_field(console: Console) -> None:
    lan = (await console.order("A1")).customer_id
    assert lan is not None
    browser = await console.as_(Role.MANAGER, console.shop)
    for form, field in WRONG_POINTS:
        for headers in ({}, {"HX-Request": "true"}):
            page = await browser.post(f"/shop/customers/{lan}/points", form | {"key": "some-key"}, headers=headers)
            assert (page.status, bool(page.error_at(field))) == (422, True), form
    assert (await console.store.read(points.balances, lan))[0] == 85
    assert await console.rows("points_adjusted") == []


async def test_html_in_a_name_is_shown_and_never_run(console: Console) -> None:
    lan = (await console.order("<b>1", name="<script>alert(1)</script>")).customer_id
    browser = await console.as_(Role.OWNER)
    for path in ("/shop/customers", f"/shop/customers/{lan}", "/shop/orders", "/shop/orders?q=<script>"):
        page = await browser.get(path)
        assert "<script>alert" not in page.html
        assert "&lt;script&gt;" in page.html


async def test_orders_are_found_by_their_number(console: Console) -> None:
    await console.order("HD-100")
    await console.order("HD-200", total=40_000, refunded=40_000, status=Status.REFUNDED)
    await console.order("HD_300", phone=None, name="")
    browser = await console.as_(Role.MANAGER, console.shop)
    for query, expected in (
        ("q=hd-1", ["HD-100"]),
        ("q=hd_", ["HD_300"]),
        ("status=refunded", ["HD-200"]),
        ("q=lan", ["HD-100", "HD-200"]),
    ):
        found = re.findall(r'class="number">([^<]+)<', (await browser.get(f"/shop/orders?{query}")).html)
        assert sorted(found) == expected, query


# ── Settings ───────────────────────────────────────────────────────────────────────────────────────


async def test_the_shop_is_changed_and_the_audit_says_from_what(console: Console) -> None:
    browser = await console.as_(Role.MANAGER, console.shop)
    page = await browser.post("/shop/settings", SHOP | {"return_days": "7", "name": "  Phố   Mới ", "brand": "#ffcc00"})
    assert "Saved" in page.text
    shop = await console.store.read(shops.get, console.shop)
    assert (shop.return_days, shop.name, shop.brand) == (7, "Phố Mới", "#FFCC00")
    (row,) = await console.rows("shop_changed")
    assert row.data["changed"]["return_days"] == [0, 7]


WRONG_SETTINGS = [({"name": ""}, "name"), ({"name": "x" * 61}, "name"), ({"brand": "red"}, "brand"), ({"brand": "#12"}, "brand"),
     ({"return_days": "1,5"}, "return_days"), ({"return_days": "366"}, "return_days"), ({"address": "x" * 201}, "address"),
     ({"phone": "<script>"}, "phone")]  # fmt: skip


async def test_wrong_settings_are_said_at_their_field_and_nothing_changes(console: Console) -> None:
    before = await console.store.read(shops.get, console.shop)
    browser = await console.as_(Role.MANAGER, console.shop)
    for wrong, field in WRONG_SETTINGS:
        page = await browser.post("/shop/settings", SHOP | {"name": "Phố Khác"} | wrong)
        assert (page.status, bool(page.error_at(field))) == (422, True), wrong
    assert await console.store.read(shops.get, console.shop) == before
    assert await console.rows("shop_changed") == []


async def test_the_programme_is_the_owners_of_all_shops(console: Console) -> None:
    await second(console)
    half = await console.as_(Role.OWNER, console.shop)
    assert "/shop/settings/programme" not in (await half.get("/shop/settings")).html
    assert (await half.post("/shop/settings/programme", PROGRAMME)).status == 403
    owner = await console.as_(Role.OWNER)
    page = await owner.post("/shop/settings/programme", PROGRAMME | {"point_value": "0"})
    assert page.error_at("point_value")
    await owner.post("/shop/settings/programme", PROGRAMME | {"point_value": "25", "undo_minutes": "5"})
    found = await console.store.read(programme.get)
    assert (found.point_value, found.undo_minutes) == (25, 5)


async def test_the_sample_shows_what_typed_settings_would_do(console: Console) -> None:
    browser = await console.as_(Role.OWNER)
    page = await browser.get("/shop/settings/preview?return_days=7&point_value=100&brand=%23FFEE00")
    for words in ("after 7 days", "50 points → ₫5,000", "dark"):
        assert words in page.text
    page = await browser.get("/shop/settings/preview?return_days=abc&brand=javascript:")
    assert "at once" in page.text
    assert "javascript" not in page.html


# ── The team ───────────────────────────────────────────────────────────────────────────────────────


async def test_somebody_new_gets_links_that_work_once(console: Console) -> None:
    owner = await console.as_(Role.OWNER)
    page = await owner.post("/shop/team", {"name": "Thu", "role": "cashier", "at": str(console.shop), "language": "vi"})
    login = re.search(r"http://pho\.example(/login/[\w-]+)", page.html)
    start = re.search(r"https://t\.me/pho\?start=s_([\w-]+)", page.html)
    assert login
    assert start
    assert login[1] not in (await owner.get("/shop/team")).html, "shown once"
    thu = next(one for one in await console.store.read(staff.every) if one.name == "Thu")
    assert thu.roles == ((Role.CASHIER, console.shop),)
    assert (await console.store.write(staff.use_link, "login", login[1].rpartition("/")[2]))[0].id == thu.id
    assert (await console.store.write(staff.bind, "telegram:1", 5, start[1])).id == thu.id
    with pytest.raises(NotFoundError):
        await console.store.write(staff.use_link, "login", login[1].rpartition("/")[2])
    assert [row.data["role"] for row in await console.rows("staff_added")] == ["cashier"]


async def test_who_is_removed_is_signed_out_at_once(console: Console) -> None:
    owner, manager_id = await console.as_(Role.OWNER), await console.hire(Role.MANAGER, console.shop, "Huy")
    manager = await console.sign_in(manager_id)
    assert (await manager.get("/shop")).path == "/shop"
    page = await owner.post(f"/shop/team/{manager_id}/remove")
    assert "signed out everywhere" in page.text
    assert (await manager.get("/shop")).path.startswith("/login")
    assert (await owner.post("/shop/team/1/remove")).status == 403, "nobody removes themselves"
    assert (await owner.post(f"/shop/team/{manager_id}/link")).status == 404


async def test_an_owner_of_one_shop_finds_no_way_up(console: Console) -> None:
    other = await second(console)
    boss = await console.hire(Role.OWNER, None, "Boss")
    stranger = await console.hire(Role.AGENT, other, "Stranger")
    half = await console.as_(Role.OWNER, console.shop)
    page = await half.get("/shop/team")
    assert "Stranger" not in page.text
    assert (await half.post(f"/shop/team/{boss}/link")).status == 403
    assert (await half.post(f"/shop/team/{boss}/remove")).status == 403
    assert (await half.post(f"/shop/team/{stranger}/link")).status == 404
    for at in ("all", str(other)):
        assert (await half.post("/shop/team", {"name": "X", "role": "owner", "at": at})).status == 403, at
    for wrong in ({"role": "king"}, {"name": ""}, {"at": "moon"}, {"language": "xx"}):
        page = await half.post("/shop/team", {"name": "X", "role": "agent", "at": str(console.shop), **wrong})
        assert page.status == 422
        assert page.error_at(next(iter(wrong)))
    assert [one.name for one in await console.store.read(staff.every)] == ["Boss", "Minh", "Stranger"]


async def test_a_key_is_shown_once_and_can_be_revoked(console: Console) -> None:
    owner = await console.as_(Role.OWNER)
    assert (await owner.post("/shop/team/keys", {"key_name": ""})).error_at("key_name")
    page = await owner.post("/shop/team/keys", {"key_name": "Till upstairs"})
    found = re.search(r"rk_[\w-]{32}", page.html)
    assert found
    key_id, shop_id = await console.store.read(staff.api_key, found[0])
    assert shop_id == console.shop
    again = await owner.get("/shop/team")
    assert found[0] not in again.html
    assert f"{found[0][:7]}…" in again.html
    other = await second(console)
    half = await console.as_(Role.OWNER, other)
    assert (await half.post(f"/shop/team/keys/{key_id}/revoke")).status == 404
    await owner.post(f"/shop/team/keys/{key_id}/revoke?shop={console.shop}")
    with pytest.raises(NotFoundError):
        await console.store.read(staff.api_key, found[0])


async def test_colleagues_are_sorted_by_name_or_role(console: Console) -> None:
    for role, name in ((Role.CASHIER, "An"), (Role.MANAGER, "Ất"), (Role.OWNER, "Zung")):
        await console.hire(role, console.shop, name)
    owner = await console.as_(Role.OWNER)
    for query, names in (
        ("", ["An", "Ất", "Minh", "Zung"]), ("?sort=name.desc", ["Zung", "Minh", "Ất", "An"]),
        ("?sort=role", ["Minh", "Zung", "Ất", "An"]), ("?sort=x&before=x", ["An", "Ất", "Minh", "Zung"]),
    ):  # fmt: skip
        page = await owner.get(f"/shop/team{query}")
        assert re.findall(r'<span class="who-words"><b>(\w+)', page.html)[:4] == names, query


# ── Today ──────────────────────────────────────────────────────────────────────────────────────────


async def test_today_says_what_is_true_and_nothing_else(console: Console, clock: SetClock) -> None:
    browser = await console.as_(Role.OWNER)
    page = await browser.get("/shop")
    assert "Nothing needs you right now" in page.text
    assert "Nothing to draw yet" in page.text
    lan = (await console.order("A1")).customer_id
    assert lan is not None
    for number in (2, 3):
        await console.order(f"A{number}")
    await console.store.write(
        points.adjust, "k", customer_id=lan, shop_id=console.shop, points=40, reason="x",
        expires_at=clock.now() + timedelta(days=61 + 29), actor="cli",
    )  # fmt: skip
    await offer(console, name="Nearly", stock=10)
    nearly = (await console.store.read(voucher_programs.of_shop, console.shop))[0]
    await console.store.write(vouchers.issue_many, nearly.id, 9)
    clock.advance(timedelta(days=62))
    browser = await console.as_(Role.OWNER)
    page = await browser.get("/shop")
    for words in (
        "“Nearly” is nearly gone 1 of 10 are left",
        "40 points are about to expire",
        "of 1 person",
        "1 regular hasn't come for long",
    ):
        assert words in page.text
    assert "Nguyễn Thị Lan" in (await browser.get("/shop/customers?only=asleep")).text
    assert "Nguyễn Thị Lan" in (await browser.get("/shop/customers?only=expiring")).text


async def test_the_chart_and_its_table_say_the_same(console: Console) -> None:
    await console.order("A0", placed_at=AT - timedelta(days=30))
    await console.order("A1")
    await console.order("A2", phone=HOA, name="Hoa")
    await console.order("A3", phone=HOA, name="Hoa")
    page = await (await console.as_(Role.OWNER)).get("/shop")
    assert "This week so far: 1 came back, 1 came for the first time." in page.text
    assert page.html.count('class="touch"') == today.WEEKS
    assert page.html.count("<tr><td>") == today.WEEKS
    assert '<title id="chart-name">' in page.html


def test_the_bars_fit_below_the_highest_line() -> None:
    weeks = [Week(AT.date() + timedelta(weeks=number), number * 7, number * 3) for number in range(12)]
    drawn = chart.draw(weeks)
    assert max(bar.returning_height + bar.new_height for bar in drawn.bars) <= chart.PLOT
    assert min(bar.new_y for bar in drawn.bars) >= chart.TOP
    for most, expected in ((0, 4), (5, 8), (17, 20), (25, 30), (101, 200), (999, 1_000)):
        assert chart.ceiling(most) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1.000", 1_000), ("1,000,000", 1_000_000), ("85 000 ₫", 85_000), ("30.000đ", 30_000), ("-20", -20), ("−1.000", -1_000),
     ("", None), ("  ", None), ("0", 0)],
)  # fmt: skip
def test_numbers_are_read_as_people_write_them(text: str, expected: int | None) -> None:
    assert fields.number({"n": text}, "n") == expected


@pytest.mark.parametrize(
    "text", ["1.5", "1.00", "1.0000", "12.34.567", "1.000,00", "1e3", "٣", "½", "ten", "1-2", "9" * 40]
)
def test_what_may_be_a_fraction_or_no_number_is_asked_about(text: str) -> None:
    with pytest.raises(InvalidError):
        fields.number({"n": text}, "n")


def test_the_words_of_the_console_carry_no_per_cent_sign() -> None:
    """Jinja fills translated words by %: one in a template's words would break its page."""
    for path in (Path(chart.__file__).parent).glob("*.html"):
        for words in re.findall(r'_\("((?:[^"\\]|\\.)*)"\)', path.read_text()):
            assert "%" not in words, (path.name, words)
